"""A feature is a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from spikesim import _check
from spikesim.encoding.single import SingleSpikeEncoder

__all__ = ["LatencyEncoder"]


@_check.suggest_keywords
@dataclass(frozen=True, eq=False)
class LatencyEncoder(SingleSpikeEncoder):
    """A feature is the time of a single spike: at once for `high`, after `t_max` for `low`.

    The scaled value f spikes ``t_max * (1 - f)`` after the start, rounded to the nearest step;
    every line spikes exactly once, so 0 is the latest time, not silence. With ``early="low"`` it
    is the other way round, ``t_max * f``: features that are times already, such as those of
    :func:`~spikesim.datasets.randman`, keep their order.

    Parameters
    ----------
    duration : float, default 30
        Length of a trial (ms).
    t_max : float, default 20
        Time between the spikes of the highest and the lowest value (ms), less than `duration`.
        What is left of the trial is the time that a network has to answer the last spike.
    low, high : float or array_like, optional
        Ends of the range of each feature; learnt by :meth:`fit` where None.
    bias_spike : bool, default False
        Append a line that spikes in the first step, whatever the features: the reference in
        time without which a late spike is no different from an early one.
    early : {"high", "low"}, default "high"
        The end of the range that spikes at once.
    """

    duration: float = 30.0
    t_max: float = 20.0
    low: Any = None
    high: Any = None
    bias_spike: bool = False
    early: str = "high"

    def __post_init__(self) -> None:
        self._check_times()
        _check.choice("LatencyEncoder.early", self.early, ("high", "low"))
        self._check_range()

    def _times(self, scaled: np.ndarray) -> np.ndarray:
        return self.t_max * (scaled if self.early == "low" else 1.0 - scaled)
