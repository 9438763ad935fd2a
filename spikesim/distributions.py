"""Distributions to draw parameters, weights and delays from: one value a neuron or synapse.

Anywhere a parameter may differ between neurons, a distribution may stand in place of a number.
The draw happens when the network is built, from the seed of the simulation.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from spikesim import _check
from spikesim.errors import ParameterError

__all__ = [
    "Distribution",
    "LogNormal",
    "Normal",
    "Uniform",
    "drawn",
    "reach",
    "typical",
    "usual_range",
]


# Beyond so many standard deviations a normal value is drawn again in compact precision; it comes
# once in 4 * 10^11 draws.
_FAR = 7.0
# Bounds must leave this share of a distribution, or drawing again would take too long.
_LEAST_SHARE = 1e-3
# The most that the spread of a log-normal distribution may be of its mean.
_WIDEST = 1e100
# exp() of this is just below the largest number in double precision.
_LARGEST_LOG = 709.7
# A logarithm is known to about this; a value must not be drawn again for less, or for ever.
_LOG_ROUNDING = 1e-12


class Distribution(ABC):
    """What every distribution can do: ``draw(rng, n)`` returns `n` float64 values."""

    @abstractmethod
    def draw(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """Draw `n` values from `rng`."""

    def limits(self) -> tuple[float, float] | None:
        """Return the least and the largest value in compact precision, None if not known.

        Compact precision stores weights as fixed-point numbers and needs to know their range
        before they are drawn. Where a distribution has no end, this is 7 standard deviations from
        its mean (of the logarithm, for a log-normal one): compact precision draws values beyond
        it again, double precision keeps them. A distribution without limits is drawn first and
        its largest value taken.
        """
        return None


def drawn(name: str, distribution: Distribution, rng: np.random.Generator, n: int) -> np.ndarray:
    """Return `n` values of `distribution` for the parameter `name`, whoever wrote its `draw`.

    Raises
    ------
    ParameterError
        Another number of values, or values that are not finite.
    """
    values = _check.float_array(name, distribution.draw(rng, n), copy=True)
    if values.shape != (n,):
        raise ParameterError(
            f"{name}: {type(distribution).__name__}.draw must return {n} values, shape ({n},), "
            f"got shape {values.shape}"
        )
    return values


def typical(value: Any) -> float:
    """Return what is about the size of a parameter: a number itself, the mean of others.

    NaN for a distribution of the user's own and for an array of nothing.
    """
    if isinstance(value, float):
        return value
    if isinstance(value, Uniform):
        return 0.5 * value.low + 0.5 * value.high
    if isinstance(value, (Normal, LogNormal)):
        return value.mean
    if isinstance(value, Distribution) or not np.size(value):
        return math.nan
    with np.errstate(over="ignore", invalid="ignore"):
        return float(np.mean(value))


def usual_range(value: Any) -> tuple[float, float]:
    """Return between what values a parameter lies, but for some of the tail of a distribution.

    A distribution without ends is taken to 2 standard deviations from its mean; one of the user's
    own gives NaN, as an array of nothing does.
    """
    if isinstance(value, float):
        return value, value
    if isinstance(value, (Normal, LogNormal)):
        low, high = value.mean - 2.0 * value.sd, value.mean + 2.0 * value.sd
        return max(low, value.low), min(high, value.high)
    if isinstance(value, Uniform):
        return value.low, value.high
    if isinstance(value, Distribution) or not np.size(value):
        return math.nan, math.nan
    return float(np.min(value)), float(np.max(value))


def reach(value: Any) -> float:
    """Return that end of :func:`usual_range` which is larger in magnitude, with its sign."""
    return max(usual_range(value), key=abs)


@_check.suggest_keywords
@dataclass(frozen=True)
class Normal(Distribution):
    """Normal distribution, clipped by drawing again whatever falls outside its bounds.

    Parameters
    ----------
    mean : float
        Mean before clipping, in the unit of the parameter it stands for.
    sd : float
        Standard deviation before clipping, at least 0.
    low, high : float, default -inf and inf
        Values outside ``[low, high]`` are drawn again.

    Raises
    ------
    ParameterError
        Numbers that are not finite (but for bounds), ``sd < 0``, bounds that leave less than a
        thousandth of the distribution.
    """

    mean: float
    sd: float
    low: float = -math.inf
    high: float = math.inf

    def __post_init__(self) -> None:
        object.__setattr__(self, "mean", _check.scalar("Normal.mean", self.mean))
        object.__setattr__(self, "sd", _check.non_negative("Normal.sd", self.sd))
        _keep_bounds(self)
        _refuse_thin(self, self.mean, self.sd, self.low, self.high)

    def draw(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """Draw `n` values from `rng`."""
        return _redrawn(lambda m: rng.normal(self.mean, self.sd, m), n, self.low, self.high)

    def limits(self) -> tuple[float, float]:
        """Return the bounds, at most 7 sd from the mean."""
        low, high = self.mean - _FAR * self.sd, self.mean + _FAR * self.sd
        return max(low, self.low), min(high, self.high)


@_check.suggest_keywords
@dataclass(frozen=True)
class Uniform(Distribution):
    """Uniform distribution on ``[low, high)``.

    Parameters
    ----------
    low, high : float
        Bounds, in the unit of the parameter it stands for; ``low <= high``.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "low", _check.scalar("Uniform.low", self.low))
        high = _check.in_range("Uniform.high", self.high, self.low, np.inf)
        object.__setattr__(self, "high", high)

    def draw(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """Draw `n` values from `rng`."""
        return rng.uniform(self.low, self.high, n)

    def limits(self) -> tuple[float, float]:
        """Return the bounds."""
        return self.low, self.high


@_check.suggest_keywords
@dataclass(frozen=True)
class LogNormal(Distribution):
    """Log-normal distribution, described by its own mean and standard deviation.

    Values outside of bounds are clipped by drawing them again.

    Parameters
    ----------
    mean : float
        Mean of the values themselves (not of their logarithm) before clipping, greater than 0.
    sd : float
        Standard deviation of the values themselves before clipping, at least 0.
    low, high : float, default 0 and inf
        Values outside ``[low, high]`` are drawn again; ``low >= 0``.

    Raises
    ------
    ParameterError
        Numbers that are not finite (but for `high`), ``mean <= 0``, ``sd < 0``, bounds that leave
        less than a thousandth of the distribution.
    """

    mean: float
    sd: float
    low: float = 0.0
    high: float = math.inf

    def __post_init__(self) -> None:
        object.__setattr__(self, "mean", _check.positive("LogNormal.mean", self.mean))
        object.__setattr__(self, "sd", _check.non_negative("LogNormal.sd", self.sd))
        if self.sd > _WIDEST * self.mean:
            raise ParameterError(
                f"LogNormal.sd must be at most {_WIDEST:g} times LogNormal.mean, got {self.sd:g} "
                f"with a mean of {self.mean:g}"
            )
        _check.non_negative("LogNormal.low", self.low)
        _keep_bounds(self)
        low = math.log(self.low) + _LOG_ROUNDING if self.low > 0.0 else -math.inf
        high = math.log(self.high) - _LOG_ROUNDING if self.high > 0.0 else -math.inf
        _refuse_thin(self, self.log_mean, self.log_sd, low, high)

    @property
    def log_mean(self) -> float:
        """Mean of the logarithm of the values."""
        return math.log(self.mean) - self.log_sd**2 / 2.0

    @property
    def log_sd(self) -> float:
        """Standard deviation of the logarithm of the values."""
        return math.sqrt(math.log1p((self.sd / self.mean) ** 2))

    def draw(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """Draw `n` values from `rng`."""
        mean, sd = self.log_mean, self.log_sd
        if sd == 0.0:
            return np.full(n, self.mean)
        return _redrawn(lambda m: rng.lognormal(mean, sd, m), n, self.low, self.high)

    def limits(self) -> tuple[float, float]:
        """Return the bounds, the logarithm at most 7 of its sd from its mean."""
        if self.log_sd == 0.0:
            return self.mean, self.mean
        far = _FAR * self.log_sd
        low = math.exp(self.log_mean - far)
        high = math.exp(min(self.log_mean + far, _LARGEST_LOG))
        return max(low, self.low), min(high, self.high)


def _keep_bounds(distribution: Any) -> None:
    """Check and convert `low` and `high`, one of which may be infinite."""
    name = type(distribution).__name__
    for side in ("low", "high"):
        bound = _check.scalar(f"{name}.{side}", getattr(distribution, side), finite=False)
        object.__setattr__(distribution, side, bound)
    if distribution.low > distribution.high:
        raise ParameterError(
            f"{name}.low must be at most {name}.high = {distribution.high:g}, "
            f"got {distribution.low:g}"
        )


def _refuse_thin(distribution: Any, mean: float, sd: float, low: float, high: float) -> None:
    """Refuse bounds that leave too little: `low` and `high` on the scale that is normal."""
    if sd == 0.0:
        inside = distribution.low <= distribution.mean <= distribution.high
    else:
        inside = _below((high - mean) / sd) - _below((low - mean) / sd) >= _LEAST_SHARE
    if not inside:
        name = type(distribution).__name__
        raise ParameterError(
            f"{name}.low and {name}.high must leave at least {_LEAST_SHARE:.1%} of the values: "
            f"too few of mean {distribution.mean:g} and sd {distribution.sd:g} lie in "
            f"[{distribution.low:g}, {distribution.high:g}]"
        )


def _below(z: float) -> float:
    """Return the probability that a standard normal value is below `z`."""
    return 0.5 * math.erfc(-z / math.sqrt(2.0))


def _redrawn(draw: Callable[[int], np.ndarray], n: int, low: float, high: float) -> np.ndarray:
    """Draw `n` values, then again those outside ``[low, high]`` until none is left."""
    values = draw(n)
    outside = np.flatnonzero((values < low) | (values > high))
    while len(outside):
        values[outside] = draw(len(outside))
        again = values[outside]
        outside = outside[(again < low) | (again > high)]
    return values
