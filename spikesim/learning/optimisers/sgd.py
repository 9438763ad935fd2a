"""Steepest descent: plain, with momentum, and with steps of one length."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from spikesim import _check
from spikesim.errors import ParameterError
from spikesim.learning.optimisers.base import Descent, OptimiserState, length

__all__ = ["SGD"]


@_check.suggest_keywords
@dataclass(frozen=True)
class SGD(Descent):
    r"""Steepest descent, with momentum and with a step of fixed length as options.

    .. math::

        m &\leftarrow \mu m + g, \qquad
        d = m \;\text{ or, with Nesterov's momentum, }\; g + \mu m \\
        p &\leftarrow p - \eta\, (d + \lambda p)
        \quad\text{or}\quad p \leftarrow p - \eta\, (d / \lVert d \rVert + \lambda p)

    The gradient g is clipped first, if that is asked for.

    Parameters
    ----------
    learning_rate : float or Schedule, default 0.1
        :math:`\eta` > 0, in units of parameter squared over loss; with `normalised` it is the
        length of every update.
    momentum : float, default 0
        :math:`\mu` in [0, 1) (Polyak 1964, USSR Comput. Math. Math. Phys. 4(5):1).
    normalised : bool, default False
        Keep the direction of the descent and give every update, taken over all parameters of
        the network together, the length `learning_rate`. A gradient of exactly zero moves
        nothing.
    nesterov : bool, default False
        Look ahead by the momentum (Sutskever et al. 2013, ICML, section 2, with the parameters
        taken where the gradient is measured); needs a momentum.
    weight_decay : float, default 0
        :math:`\lambda`, at least 0: the share, times the learning rate, that ``w`` and ``w_rec``
        lose at each update, beside the momentum (Loshchilov & Hutter 2019, ICLR, algorithm 1).
        Without momentum this is the gradient of :math:`\lambda p^2/2`.
    clip_norm : float, optional
        Longest gradient, over all parameters together; a longer one is shortened to it (Pascanu,
        Mikolov & Bengio 2013, ICML, algorithm 1).
    clip_value : float, optional
        Largest size of each derivative; larger ones are set to it, before `clip_norm`.
    """

    learning_rate: Any = 0.1
    momentum: float = 0.0
    normalised: bool = False
    nesterov: bool = False
    weight_decay: float = 0.0
    clip_norm: float | None = None
    clip_value: float | None = None

    def __post_init__(self) -> None:
        self._check_shared()
        self._check_share("momentum")
        _check.boolean("SGD.normalised", self.normalised)
        if _check.boolean("SGD.nesterov", self.nesterov) and not self.momentum:
            raise ParameterError("SGD.nesterov needs a momentum above 0, got 0")

    @property
    def _n_memory(self) -> int:  # type: ignore[override]
        return 1 if self.momentum else 0

    def _step(
        self, gradient: np.ndarray, state: OptimiserState, rate: float
    ) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        memory = state.memory
        direction = gradient
        if self.momentum:
            kept = float(self.momentum)
            momentum = kept * memory[0]
            momentum += gradient
            direction = gradient + kept * momentum if self.nesterov else momentum
            memory = (momentum,)
        if self.normalised:
            size = length(direction)
            if size > 0.0:
                direction = direction / size
        return rate * direction, memory
