"""Adam, and AdamW, which draws weights towards zero beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from spikesim import _check
from spikesim.learning.optimisers.base import Descent, OptimiserState

__all__ = ["Adam", "AdamW"]

# Numbers that are worked on at a time, so that they stay in the cache of a core.
_PIECE = 1 << 15


class _Adam(Descent):
    """What both share."""

    decay_mean: float
    decay_square: float
    epsilon: float
    _n_memory = 2

    def __post_init__(self) -> None:
        self._check_shared()
        _check.positive(f"{type(self).__name__}.epsilon", self.epsilon)
        self._check_share("decay_mean")
        self._check_share("decay_square")

    def _step(
        self, gradient: np.ndarray, state: OptimiserState, rate: float
    ) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        n = state.n_updates + 1
        decay_mean, decay_square = float(self.decay_mean), float(self.decay_square)
        mean, square = decay_mean * state.memory[0], decay_square * state.memory[1]
        # In place and piece by piece: new memory costs more than the sums that go into it.
        space = np.empty(min(_PIECE, gradient.size), gradient.dtype)
        for start in range(0, gradient.size, _PIECE):
            piece = slice(start, start + _PIECE)
            g, m, s = gradient[piece], mean[piece], square[piece]
            work = space[: g.size]
            np.multiply(1.0 - decay_mean, g, out=work)
            m += work
            np.square(g, out=work)
            work *= 1.0 - decay_square
            s += work
            np.divide(s, 1.0 - decay_square**n, out=work)
            np.sqrt(work, out=work)
            work += self.epsilon
            np.multiply(rate / (1.0 - decay_mean**n), m, out=g)
            g /= work
        return gradient, (mean, square)


@_check.suggest_keywords
@dataclass(frozen=True)
class Adam(_Adam):
    r"""Adam: running mean and mean square of the gradient, corrected for their start at zero.

    .. math::

        m \leftarrow d_1 m + (1 - d_1) g, \quad s \leftarrow d_2 s + (1 - d_2) g^2, \quad
        p \leftarrow p - \eta \frac{m / (1 - d_1^n)}{\sqrt{s / (1 - d_2^n)} + \epsilon}

    Source: Kingma & Ba 2015, ICLR, algorithm 1. The gradient g is clipped first, if that is
    asked for.

    Parameters
    ----------
    learning_rate : float or Schedule, default 0.01
        :math:`\eta` > 0, about the length of a step in each parameter.
    decay_mean, decay_square : float, default 0.9 and 0.999
        :math:`d_1, d_2` in [0, 1).
    epsilon : float, default 1e-8
        Keeps the quotient finite, > 0.
    clip_norm, clip_value : float, optional
        As in :class:`SGD`.
    """

    learning_rate: Any = 0.01
    decay_mean: float = 0.9
    decay_square: float = 0.999
    epsilon: float = 1e-8
    clip_norm: float | None = None
    clip_value: float | None = None

    _hints: ClassVar[dict[str, str]] = {
        "weight_decay": "AdamW(weight_decay=...) draws weights towards zero"
    }


@_check.suggest_keywords
@dataclass(frozen=True)
class AdamW(_Adam):
    r"""Adam with weight decay beside it, which the size of the gradient does not scale.

    .. math::

        p \leftarrow p - \eta \left(
        \frac{m / (1 - d_1^n)}{\sqrt{s / (1 - d_2^n)} + \epsilon} + \lambda p \right)

    with m and s as in :class:`Adam`. Source: Loshchilov & Hutter 2019, ICLR, algorithm 2; there
    the decay has a factor of its own in place of :math:`\eta\lambda`.

    Parameters
    ----------
    learning_rate : float or Schedule, default 0.01
        :math:`\eta` > 0, about the length of a step in each parameter.
    decay_mean, decay_square : float, default 0.9 and 0.999
        :math:`d_1, d_2` in [0, 1).
    epsilon : float, default 1e-8
        Keeps the quotient finite, > 0.
    weight_decay : float, default 0.01
        :math:`\lambda`, at least 0: the share, times the learning rate, that ``w`` and ``w_rec``
        lose at each update; other arrays lose nothing.
    clip_norm, clip_value : float, optional
        As in :class:`SGD`.
    """

    learning_rate: Any = 0.01
    decay_mean: float = 0.9
    decay_square: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.01
    clip_norm: float | None = None
    clip_value: float | None = None
