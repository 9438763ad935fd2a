"""RMSprop: the gradient over its running size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from spikesim import _check
from spikesim.learning.optimisers.base import Descent, OptimiserState

__all__ = ["RMSprop"]


@_check.suggest_keywords
@dataclass(frozen=True)
class RMSprop(Descent):
    r"""Divide each derivative by the root of its running mean square.

    .. math::

        s \leftarrow d s + (1 - d) g^2, \qquad
        p \leftarrow p - \eta \left( \frac{g}{\sqrt{s} + \epsilon} + \lambda p \right)

    Source: Tieleman & Hinton 2012, Neural Networks for Machine Learning, lecture 6.5. The mean
    starts at zero and is not corrected for it, so the first steps are longer than later ones, by
    :math:`1/\sqrt{1 - d}` at most.

    Parameters
    ----------
    learning_rate : float or Schedule, default 0.01
        :math:`\eta` > 0.
    decay_square : float, default 0.9
        d in [0, 1).
    epsilon : float, default 1e-8
        Keeps the quotient finite, > 0.
    weight_decay : float, default 0
        :math:`\lambda`, at least 0: the share, times the learning rate, that ``w`` and ``w_rec``
        lose at each update.
    clip_norm, clip_value : float, optional
        As in :class:`SGD`.
    """

    learning_rate: Any = 0.01
    decay_square: float = 0.9
    epsilon: float = 1e-8
    weight_decay: float = 0.0
    clip_norm: float | None = None
    clip_value: float | None = None

    _n_memory = 1

    def __post_init__(self) -> None:
        self._check_shared()
        _check.positive("RMSprop.epsilon", self.epsilon)
        self._check_share("decay_square")

    def _step(
        self, gradient: np.ndarray, state: OptimiserState, rate: float
    ) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        decay = float(self.decay_square)
        square = decay * state.memory[0]
        work = np.square(gradient)
        work *= 1.0 - decay
        square += work
        np.sqrt(square, out=work)
        work += self.epsilon
        gradient *= rate
        gradient /= work
        return gradient, (square,)
