"""What the optimisers share: flat vectors, clipping, the learning rate, and the state.

An optimiser is a frozen set of hyperparameters with two pure functions. Parameters and
gradients are lists of dicts, one dict a layer. All of them are worked on as one vector, in the
precision of the parameters.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, NamedTuple, Protocol

import numpy as np

from spikesim import _check
from spikesim.errors import ParameterError, ParameterTypeError

__all__ = ["Arrays", "Optimiser", "OptimiserState", "at_epoch"]

Arrays = list[dict[str, np.ndarray]]

# Weights are drawn towards zero; biases, delays and the parameters of units are not.
_DECAYED = ("w", "w_rec")


class OptimiserState(NamedTuple):
    """Where an optimiser stands.

    Attributes
    ----------
    n_updates : int
        Updates made so far.
    epoch : int
        The epoch that is running, from 0; :func:`~spikesim.learning.fit` sets it.
    memory : tuple of ndarray
        Running means, each of one value a parameter.
    """

    n_updates: int
    epoch: int
    memory: tuple[np.ndarray, ...]


class Optimiser(Protocol):
    """What every optimiser does."""

    def init(self, parameters: Arrays) -> Any:
        """Return the state before the first update."""
        ...

    def update(self, parameters: Arrays, grads: Arrays, state: Any) -> tuple[Arrays, Any]:
        """Return new parameters and state; nothing given is modified."""
        ...


def at_epoch(state: Any, epoch: int) -> Any:
    """Return the state of a rule with all states of optimisers within it at `epoch`.

    Learning rates that change by epoch then do so under any rule, wherever in its state (tuples,
    named tuples, lists and dicts within each other) it keeps that of its optimiser.
    """
    if isinstance(state, OptimiserState):
        return state._replace(epoch=epoch)
    if isinstance(state, tuple) and hasattr(state, "_fields"):
        return type(state)(*(at_epoch(value, epoch) for value in state))
    if isinstance(state, (tuple, list)):
        return type(state)(at_epoch(value, epoch) for value in state)
    if isinstance(state, dict):
        return {key: at_epoch(value, epoch) for key, value in state.items()}
    return state


class Descent(ABC):
    """The frame of an update; subclasses say in which direction it goes."""

    learning_rate: Any
    clip_norm: float | None
    clip_value: float | None
    weight_decay: float = 0.0
    # Vectors of memory that an update keeps.
    _n_memory = 0

    def _check_shared(self) -> None:
        name = type(self).__name__
        rate = self.learning_rate
        if callable(rate):
            if isinstance(rate, type) or getattr(rate, "per", None) not in ("update", "epoch"):
                raise ParameterTypeError(
                    f"{name}.learning_rate must be a number or a schedule such as "
                    f"CosineDecay(0.1, 100), got {rate!r}"
                )
        else:
            _check.positive(f"{name}.learning_rate", rate)
        _check.non_negative(f"{name}.weight_decay", self.weight_decay)
        for clip in ("clip_norm", "clip_value"):
            if getattr(self, clip) is not None:
                _check.positive(f"{name}.{clip}", getattr(self, clip))

    def _check_share(self, field: str) -> None:
        """Refuse a decay that is not in [0, 1)."""
        name = f"{type(self).__name__}.{field}"
        if _check.in_range(name, getattr(self, field), 0.0, 1.0) == 1.0:
            raise ParameterError(f"{name} must be below 1, got 1")

    def init(self, parameters: Arrays) -> OptimiserState:
        """Return the state before the first update: all running means are zero."""
        arrays = [array for layer in parameters for array in layer.values()]
        size = sum(array.size for array in arrays)
        precision = np.result_type(*arrays) if arrays else np.dtype(np.float64)
        return OptimiserState(0, 0, tuple(np.zeros(size, precision) for _ in range(self._n_memory)))

    def update(
        self, parameters: Arrays, grads: Arrays, state: OptimiserState | None
    ) -> tuple[Arrays, OptimiserState]:
        """Return new parameters and state; nothing given is modified.

        Parameters
        ----------
        parameters : list of dict of ndarray
            For each layer its trainable arrays by name.
        grads : list of dict of ndarray
            The gradients by them.
        state : OptimiserState or None
            What the last update returned; None for a first one.
        """
        if state is None:
            state = self.init(parameters)
        names = [(layer, name) for layer, arrays in enumerate(parameters) for name in arrays]
        if not names:
            return [{} for _ in parameters], state._replace(n_updates=state.n_updates + 1)
        gradient = np.concatenate(
            [grads[layer][name].ravel() for layer, name in names],
            dtype=np.result_type(*(parameters[layer][name] for layer, name in names)),
            casting="same_kind",
        )
        self._clip(gradient)
        rate = self._rate(state)
        step, memory = self._step(gradient, state, rate)
        new: Arrays = [{} for _ in parameters]
        start = 0
        for layer, name in names:
            old = parameters[layer][name]
            part = step[start : start + old.size].reshape(old.shape)
            np.subtract(old, part, out=part)
            if self.weight_decay and name in _DECAYED:
                part -= float(rate * self.weight_decay) * old
            new[layer][name] = part.astype(old.dtype, copy=False)
            start += old.size
        return new, OptimiserState(state.n_updates + 1, state.epoch, memory)

    @abstractmethod
    def _step(
        self, gradient: np.ndarray, state: OptimiserState, rate: float
    ) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        """Return a new vector to subtract from the parameters, and the new memory.

        `gradient` is the caller's to overwrite, the arrays of `state` are not.
        """

    def _rate(self, state: OptimiserState) -> float:
        rate = self.learning_rate
        if callable(rate):
            rate = rate(state.epoch if rate.per == "epoch" else state.n_updates)
        # A scalar of NumPy would make single precision double.
        return float(rate)

    def _clip(self, gradient: np.ndarray) -> None:
        """Shorten a gradient in place."""
        if self.clip_value is not None:
            np.clip(gradient, -self.clip_value, self.clip_value, out=gradient)
        if self.clip_norm is not None:
            norm = math.sqrt(np.vdot(gradient, gradient))
            if not 1e-15 < norm < 1e15:
                norm = length(gradient)  # Squares beyond single precision.
            if norm > self.clip_norm:
                gradient *= float(self.clip_norm / norm)


def length(vector: np.ndarray) -> float:
    """Return the Euclidean length without overflow or underflow of the squares."""
    largest = float(np.abs(vector).max(initial=0.0))
    if largest == 0.0 or not np.isfinite(largest):
        return largest
    return largest * float(np.linalg.norm(vector / largest))
