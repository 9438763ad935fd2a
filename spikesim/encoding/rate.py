"""A feature is a rate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from spikesim import _check
from spikesim.encoding.scaled import ScaledEncoder
from spikesim.encoding.trains import RATE_MODES, trains

__all__ = ["RateEncoder"]


@_check.suggest_keywords
@dataclass(frozen=True, eq=False)
class RateEncoder(ScaledEncoder):
    """A feature is the rate of a spike train: 0 at `low`, `max_rate` at `high`.

    Parameters
    ----------
    duration : float, default 100
        Length of a trial (ms).
    max_rate : float, default 200
        Rate of the highest value (Hz); at most one spike a step, ``max_rate * dt <= 1000``.
    mode : {"regular", "poisson"}, default "regular"
        Evenly spaced spikes, the first after half an interval; or one Bernoulli draw a step
        with probability rate times `dt`, the grid version of a Poisson train.
    low, high : float or array_like, optional
        Ends of the range of each feature; learnt by :meth:`fit` where None.
    bias_spike : bool, default False
        Append a line that spikes once, in the first step, whatever the features.
    """

    duration: float = 100.0
    max_rate: float = 200.0
    mode: str = "regular"
    low: Any = None
    high: Any = None
    bias_spike: bool = False

    def __post_init__(self) -> None:
        _check.positive("RateEncoder.duration", self.duration)
        _check.non_negative("RateEncoder.max_rate", self.max_rate)
        _check.choice("RateEncoder.mode", self.mode, RATE_MODES)
        self._check_range()

    @property
    def stochastic(self) -> bool:
        """Whether two calls of :meth:`encode` differ: True for Poisson trains."""
        return self.mode == "poisson"

    def _spikes(
        self, scaled: np.ndarray, n_steps: int, dt: float, rng: Any
    ) -> Callable[[int, int], np.ndarray]:
        return trains("RateEncoder", scaled, self.max_rate, self.mode, dt, rng)
