"""Distributions to draw parameters, weights and delays from: one value a neuron or synapse.

Anywhere a parameter may differ between neurons, a distribution may stand in place of a number.
The draw happens when the network is built, from the seed of the simulation.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from spikesim import _check

__all__ = ["Distribution", "LogNormal", "Normal", "Uniform"]


class Distribution(ABC):
    """What every distribution can do: ``draw(rng, n)`` returns `n` float64 values."""

    @abstractmethod
    def draw(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """Draw `n` values from `rng`."""


def drawn(name: str, distribution: Distribution, rng: np.random.Generator, n: int) -> np.ndarray:
    """Return `n` values of `distribution` for the parameter `name`, whoever wrote its `draw`.

    Raises
    ------
    ParameterError
        Another number of values, or values that are not finite.
    """
    values = _check.float_array(name, distribution.draw(rng, n), copy=True)
    if values.shape != (n,):
        raise _check.ParameterError(
            f"{name}: {type(distribution).__name__}.draw must return {n} values, shape ({n},), "
            f"got shape {values.shape}"
        )
    return values


@_check.suggest_keywords
@dataclass(frozen=True)
class Normal(Distribution):
    """Normal distribution.

    Parameters
    ----------
    mean : float
        Mean, in the unit of the parameter it stands for.
    sd : float
        Standard deviation, at least 0.
    """

    mean: float
    sd: float

    def __post_init__(self) -> None:
        _check.scalar("Normal.mean", self.mean)
        _check.non_negative("Normal.sd", self.sd)

    def draw(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """Draw `n` values from `rng`."""
        return rng.normal(self.mean, self.sd, n)


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
        low = _check.scalar("Uniform.low", self.low)
        _check.in_range("Uniform.high", self.high, low, np.inf)

    def draw(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """Draw `n` values from `rng`."""
        return rng.uniform(self.low, self.high, n)


@_check.suggest_keywords
@dataclass(frozen=True)
class LogNormal(Distribution):
    """Log-normal distribution, described by its own mean and standard deviation.

    Parameters
    ----------
    mean : float
        Mean of the values themselves (not of their logarithm), greater than 0.
    sd : float
        Standard deviation of the values themselves, at least 0.
    """

    mean: float
    sd: float

    def __post_init__(self) -> None:
        _check.positive("LogNormal.mean", self.mean)
        _check.non_negative("LogNormal.sd", self.sd)

    def draw(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """Draw `n` values from `rng`."""
        variance = np.log1p((self.sd / self.mean) ** 2)
        return rng.lognormal(np.log(self.mean) - variance / 2, np.sqrt(variance), n)
