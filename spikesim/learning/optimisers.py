"""Gradient descent: plain, with momentum, of fixed step, and Adam.

An optimiser is a frozen set of hyperparameters with two pure functions. Parameters and
gradients are lists of dicts, one dict a layer; the state is opaque.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from spikesim import _check
from spikesim.errors import ParameterError

__all__ = ["SGD", "Adam", "Optimiser"]

Arrays = list[dict[str, np.ndarray]]


class Optimiser(Protocol):
    """What every optimiser does."""

    def init(self, parameters: Arrays) -> Any:
        """Return the state before the first update."""
        ...

    def update(self, parameters: Arrays, grads: Arrays, state: Any) -> tuple[Arrays, Any]:
        """Return new parameters and state; nothing given is modified."""
        ...


@_check.suggest_keywords
@dataclass(frozen=True)
class SGD:
    r"""Steepest descent, with momentum and with a step of fixed length as options.

    .. math::

        m \leftarrow \mu m + g, \qquad p \leftarrow p - \eta\, m
        \quad\text{or}\quad p \leftarrow p - \eta\, m / \lVert m \rVert

    Parameters
    ----------
    learning_rate : float, default 0.1
        :math:`\eta` > 0, in units of parameter squared over loss; with `normalised` it is the
        length of every update.
    momentum : float, default 0
        :math:`\mu` in [0, 1) (Polyak 1964).
    normalised : bool, default False
        Keep the direction of the descent and give every update, taken over all parameters of
        the network together, the length `learning_rate`. A gradient of exactly zero moves
        nothing.
    """

    learning_rate: float = 0.1
    momentum: float = 0.0
    normalised: bool = False

    def __post_init__(self) -> None:
        _check.positive("SGD.learning_rate", self.learning_rate)
        if _check.in_range("SGD.momentum", self.momentum, 0.0, 1.0) == 1.0:
            raise ParameterError("SGD.momentum must be below 1, got 1")
        _check.boolean("SGD.normalised", self.normalised)

    def init(self, parameters: Arrays) -> np.ndarray | None:
        """Return the momentum, zero at first (None without momentum)."""
        return np.zeros(_flat(parameters).size) if self.momentum else None

    def update(
        self, parameters: Arrays, grads: Arrays, state: np.ndarray | None
    ) -> tuple[Arrays, np.ndarray | None]:
        """Return new parameters and momentum."""
        direction = _flat(grads)
        if state is not None:
            direction = state = self.momentum * state + direction
        if self.normalised:
            length = _length(direction)
            if length > 0.0:
                direction = direction / length
        return _shaped(_flat(parameters) - self.learning_rate * direction, parameters), state


class _AdamState(NamedTuple):
    mean: np.ndarray
    square: np.ndarray
    n_updates: int


@_check.suggest_keywords
@dataclass(frozen=True)
class Adam:
    r"""Adam: running mean and mean square of the gradient, corrected for their start at zero.

    .. math::

        m \leftarrow d_1 m + (1 - d_1) g, \quad s \leftarrow d_2 s + (1 - d_2) g^2, \quad
        p \leftarrow p - \eta \frac{m / (1 - d_1^n)}{\sqrt{s / (1 - d_2^n)} + \epsilon}

    Source: Kingma & Ba 2015, ICLR, algorithm 1.

    Parameters
    ----------
    learning_rate : float, default 0.01
        :math:`\eta` > 0, about the length of a step in each parameter.
    decay_mean, decay_square : float, default 0.9 and 0.999
        :math:`d_1, d_2` in [0, 1).
    epsilon : float, default 1e-8
        Keeps the quotient finite, > 0.
    """

    learning_rate: float = 0.01
    decay_mean: float = 0.9
    decay_square: float = 0.999
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        _check.positive("Adam.learning_rate", self.learning_rate)
        _check.positive("Adam.epsilon", self.epsilon)
        for name in ("decay_mean", "decay_square"):
            if _check.in_range(f"Adam.{name}", getattr(self, name), 0.0, 1.0) == 1.0:
                raise ParameterError(f"Adam.{name} must be below 1, got 1")

    def init(self, parameters: Arrays) -> _AdamState:
        """Return zero running means."""
        size = _flat(parameters).size
        return _AdamState(np.zeros(size), np.zeros(size), 0)

    def update(
        self, parameters: Arrays, grads: Arrays, state: _AdamState
    ) -> tuple[Arrays, _AdamState]:
        """Return new parameters and running means."""
        gradient = _flat(grads)
        n = state.n_updates + 1
        mean = self.decay_mean * state.mean + (1.0 - self.decay_mean) * gradient
        square = self.decay_square * state.square + (1.0 - self.decay_square) * gradient**2
        size = np.sqrt(square / (1.0 - self.decay_square**n)) + self.epsilon
        step = self.learning_rate / (1.0 - self.decay_mean**n) * mean / size
        return _shaped(_flat(parameters) - step, parameters), _AdamState(mean, square, n)


def _flat(arrays: Arrays) -> np.ndarray:
    """Return all numbers in one new vector."""
    parts = [array.ravel() for layer in arrays for array in layer.values()]
    return np.concatenate(parts) if parts else np.zeros(0)


def _shaped(vector: np.ndarray, like: Arrays) -> Arrays:
    """Return `vector` cut into arrays of the shapes and names of `like`."""
    shaped: Arrays = []
    start = 0
    for layer in like:
        arrays = {}
        for name, array in layer.items():
            stop = start + array.size
            arrays[name] = vector[start:stop].reshape(array.shape)
            start = stop
        shaped.append(arrays)
    return shaped


def _length(vector: np.ndarray) -> float:
    """Return the Euclidean length without overflow or underflow of the squares."""
    largest = float(np.abs(vector).max(initial=0.0))
    if largest == 0.0 or not np.isfinite(largest):
        return largest
    return largest * float(np.linalg.norm(vector / largest))
