r"""Readouts and losses of networks in continuous time that look at exact spike times.

Traces of such networks (:mod:`spikesim.layered.continuous`) say when each unit first fired. A
readout makes scores of that, larger for what is more likely the class, and returns the gradient
as :class:`~spikesim.layered.continuous.EventGradients`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from spikesim import _check
from spikesim.errors import ParameterError
from spikesim.layered.continuous import EventGradients
from spikesim.layered.network import Layer
from spikesim.learning.readouts import _check_targets, _Decides, _needs_spikes

__all__ = ["FirstSpikeTime", "TimeToFirstSpike"]


@_check.suggest_keywords
@dataclass(frozen=True)
class FirstSpikeTime(_Decides):
    r"""Minus the exact time of the first spike (ms): the unit that fires first decides.

    A silent unit counts as one that fires at the end of the trial, and has no gradient.

    Parameters
    ----------
    threshold : float, default -10
        Score from which on a single unit says class 1: it has to fire by 10 ms.
    targets : tuple of float, default (-20, -10)
        Scores to aim at with :class:`~spikesim.learning.MAE` and
        :class:`~spikesim.learning.MSE`: the unit of the right class fires at 10 ms, others at 20.
    """

    threshold: float = -10.0
    targets: tuple[float, float] = (-20.0, -10.0)

    def __post_init__(self) -> None:
        _check.scalar("FirstSpikeTime.threshold", self.threshold)
        _check_targets("FirstSpikeTime.targets", self.targets)

    def check(self, layer: Layer) -> None:
        """Refuse rate units and units that never fire."""
        _needs_spikes("FirstSpikeTime", layer)

    def scores(self, trace: Any, layer: Layer, dt: float) -> np.ndarray:
        """Return minus the first spike, of a silent unit minus the length of the trial."""
        if not hasattr(trace, "first_spikes"):
            raise ParameterError(
                "FirstSpikeTime reads networks with continuous=True; on a grid use FirstSpike"
            )
        return -np.minimum(trace.first_spikes, trace.duration)

    def backward(
        self, trace: Any, layer: Layer, grad_scores: np.ndarray, dt: float
    ) -> EventGradients:
        """Return the gradient by the first spikes."""
        fired = np.isfinite(trace.first_spikes)
        return EventGradients(first_spikes=np.where(fired, -grad_scores, 0.0))

    def threshold_of(self, layer: Layer) -> float:
        """Return `threshold`."""
        return self.threshold

    def targets_of(self, layer: Layer) -> tuple[float, float]:
        """Return `targets`."""
        return self.targets


@_check.suggest_keywords
@dataclass(frozen=True)
class TimeToFirstSpike:
    r"""Cross-entropy of first spikes, with a price on the time until the right one.

    .. math::

        L = -\ln \frac{e^{-t_y / \tau_0}}{\sum_k e^{-t_k / \tau_0}}
            + c \left( e^{t_y / \tau_1} - 1 \right)

    with the first spikes :math:`t_k` of the output units and the unit y of the right class.
    It takes the scores of :class:`FirstSpikeTime`, which are -t.

    Parameters
    ----------
    tau_0 : float, default 2
        Difference of first spikes that means odds of e to 1 (ms).
    tau_1 : float, default 10
        Time over which the price rises e-fold (ms).
    price : float, default 0.005
        Weight c of the second term, at least 0.

    References
    ----------
    Goeltz et al. 2021, Nat. Mach. Intell. 3:823, equation 7; Wunderlich & Pehle 2021.
    """

    tau_0: float = 2.0
    tau_1: float = 10.0
    price: float = 0.005

    def __post_init__(self) -> None:
        _check.positive("TimeToFirstSpike.tau_0", self.tau_0)
        _check.positive("TimeToFirstSpike.tau_1", self.tau_1)
        _check.non_negative("TimeToFirstSpike.price", self.price)

    def value_and_grad(
        self,
        scores: np.ndarray,
        labels: np.ndarray,
        n_outputs: int,
        *,
        targets: tuple[float, float] = (0.0, 1.0),
        threshold: float = 0.0,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return losses and gradient, see :class:`~spikesim.learning.losses.Loss`."""
        if n_outputs == 1:
            raise ParameterError(
                "TimeToFirstSpike compares output units and needs at least two; for one use MSE"
            )
        logits = (scores - scores.max(axis=1, keepdims=True)) / self.tau_0
        odds = np.exp(logits)
        total = odds.sum(axis=1, keepdims=True)
        rows = np.arange(len(labels))
        with np.errstate(over="ignore"):
            late = self.price * np.exp(-scores[rows, labels] / self.tau_1)
        losses = np.log(total[:, 0]) - logits[rows, labels] + late - self.price
        grad = odds / total
        grad[rows, labels] -= 1.0
        grad /= self.tau_0
        grad[rows, labels] -= late / self.tau_1
        return losses, grad
