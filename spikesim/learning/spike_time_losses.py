r"""Losses on spike times, where being late costs something by itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikesim import _check
from spikesim.learning.losses import CrossEntropy

__all__ = ["TimeToFirstSpikeLoss"]


@_check.suggest_keywords
@dataclass(frozen=True)
class TimeToFirstSpikeLoss:
    r"""Cross-entropy of the first spikes, and a cost of a late one of the right class.

    With the time y that is left after the first spike of each unit, as
    :class:`~spikesim.learning.FirstSpike` gives it (0 for a silent one), and the right class c,

    .. math::

        L = -\ln \frac{e^{y_c / s}}{\sum_k e^{y_k / s}} + a\, e^{-y_c / \ell}

    In terms of the times :math:`t = T - y`, with T the length of the trial, this is the published
    :math:`-\ln(e^{-t_c / s} / \sum_k e^{-t_k / s}) + a' (e^{t_c / \ell} - 1)` but for a constant,
    with :math:`a = a' e^{T / \ell}`.

    Parameters
    ----------
    scale : float, default 0.5
        Difference of first spikes that means odds of e to 1, s > 0, in the unit of the scores
        (ms with ``FirstSpike()``).
    late_cost : float, default 1
        Cost a of no spike of the right class, at least 0.
    late_scale : float, default 6.4
        Time over which the cost falls by a factor of e, :math:`\ell` > 0, in the same unit.

    References
    ----------
    Goeltz et al. 2021, Nat. Mach. Intell. 3:823, equation 3; Wunderlich & Pehle 2021,
    Sci. Rep. 11:12829.
    """

    scale: float = 0.5
    late_cost: float = 1.0
    late_scale: float = 6.4

    def __post_init__(self) -> None:
        _check.positive("TimeToFirstSpikeLoss.scale", self.scale)
        _check.non_negative("TimeToFirstSpikeLoss.late_cost", self.late_cost)
        _check.positive("TimeToFirstSpikeLoss.late_scale", self.late_scale)

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
        losses, grad = CrossEntropy(1.0 / self.scale).value_and_grad(
            scores, labels, n_outputs, targets=targets, threshold=threshold
        )
        # Of a single unit a spike is asked for in class 1 alone.
        trials = np.arange(len(labels)) if n_outputs > 1 else np.flatnonzero(labels == 1)
        units = labels[trials] if n_outputs > 1 else np.zeros(len(trials), dtype=np.int64)
        late = self.late_cost * np.exp(-scores[trials, units] / self.late_scale)
        losses[trials] += late
        grad[trials, units] -= late / self.late_scale
        return losses, grad
