"""Connections by distance: how probable a pair is, given how far apart it lies."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from spikesim import _check
from spikesim.errors import ParameterError, ParameterTypeError
from spikesim.network.population import Population, lengths_of
from spikesim.network.rules import Rule

__all__ = ["DistanceDependent", "ExponentialProfile", "GaussianProfile"]

# Pairs whose distances are looked at to estimate a number of synapses.
_MOST_PAIRS = 2**20
_LEAST_SOURCES = 16


@_check.suggest_keywords
@dataclass(frozen=True)
class GaussianProfile:
    """Probability ``p_max * exp(-distance**2 / (2 * sd**2))``.

    Parameters
    ----------
    p_max : float
        Probability at distance 0, within [0, 1].
    sd : float
        Distance at which it has fallen to 0.61 of that, in the unit of the positions.
    """

    p_max: float
    sd: float

    def __post_init__(self) -> None:
        p_max = _check.in_range("GaussianProfile.p_max", self.p_max, 0.0, 1.0)
        object.__setattr__(self, "p_max", p_max)
        object.__setattr__(self, "sd", _check.positive("GaussianProfile.sd", self.sd))

    def __call__(self, distance: np.ndarray) -> np.ndarray:
        """Return the probability at each distance."""
        return self.p_max * np.exp(-0.5 * (distance / self.sd) ** 2)


@_check.suggest_keywords
@dataclass(frozen=True)
class ExponentialProfile:
    """Probability ``p_max * exp(-distance / length)``.

    Parameters
    ----------
    p_max : float
        Probability at distance 0, within [0, 1].
    length : float
        Distance at which it has fallen to 1/e of that, in the unit of the positions.
    """

    p_max: float
    length: float

    def __post_init__(self) -> None:
        p_max = _check.in_range("ExponentialProfile.p_max", self.p_max, 0.0, 1.0)
        object.__setattr__(self, "p_max", p_max)
        object.__setattr__(
            self, "length", _check.positive("ExponentialProfile.length", self.length)
        )

    def __call__(self, distance: np.ndarray) -> np.ndarray:
        """Return the probability at each distance."""
        return self.p_max * np.exp(-distance / self.length)


@_check.suggest_keywords
@dataclass(frozen=True)
class DistanceDependent(Rule):
    """Each pair is connected, independently, with a probability that goes by its distance.

    Both populations have `positions` with one number of dimensions.

    Parameters
    ----------
    p : callable or float
        Probability as a function of distance: :class:`GaussianProfile`,
        :class:`ExponentialProfile`, or a function of your own that takes an array of distances
        and returns as many probabilities within [0, 1], each from its own distance alone. A
        number is the probability at any distance up to `max_distance`: a disc.
    max_distance : float, default inf
        Pairs further apart than this are not connected.
    period : float, (float, float) or None, default None
        Length after which the layout repeats itself, one for all directions or one each: the
        distance is the shortest one around the ring or torus. None: the layout has borders.
    autapses : bool, default True
        Whether, within one population, a neuron may reach itself (at distance 0).

    Raises
    ------
    ParameterError
        A probability outside [0, 1]; a length that is not greater than 0; positions that are
        missing, of two dimensions, or further apart than the period. When the network is built: a
        function that returns probabilities outside [0, 1] or another number of them.

    Examples
    --------
    >>> import numpy as np
    >>> import spikesim as sp
    >>> positions = sp.grid_positions(20, 20, extent=1000.0)
    >>> sheet = sp.Population("sheet", sp.LIF(), 400, positions)
    >>> near = sp.DistanceDependent(sp.GaussianProfile(0.5, sd=100.0), period=1000.0)
    >>> ring = sp.DistanceDependent(lambda d: np.where(d < 200.0, 0.0, 0.1), max_distance=400.0)
    >>> projections = [sp.Projection(sheet, sheet, rule, 1.0) for rule in (near, ring)]
    >>> network = sp.Network([sheet], projections)
    """

    p: Any
    max_distance: float = math.inf
    period: Any = None
    autapses: bool = True

    def __post_init__(self) -> None:
        if not callable(self.p):
            if not isinstance(self.p, (int, float, np.number)):
                raise ParameterTypeError(
                    "DistanceDependent.p must be a probability or a function of distance, "
                    f"got {_check._show(self.p)}"
                )
            object.__setattr__(self, "p", _check.in_range("DistanceDependent.p", self.p, 0.0, 1.0))
        elif isinstance(self.p, type):
            raise ParameterTypeError(
                "DistanceDependent.p must be a probability or a function of distance, got the "
                f"class {self.p.__name__}"
            )
        label = "DistanceDependent.max_distance"
        far = _check.scalar(label, self.max_distance, finite=False)
        if far < 0.0:
            raise ParameterError(f"{label} must be at least 0, got {far:g}")
        object.__setattr__(self, "max_distance", far)
        if self.period is not None:
            label = "DistanceDependent.period"
            period = _check.per_neuron(label, self.period, low=0.0, strict=True)
            object.__setattr__(self, "period", tuple(period) if np.ndim(period) else period)
        _check.boolean("DistanceDependent.autapses", self.autapses)

    def check(self, source: Population, target: Population) -> None:
        """Refuse populations without positions, or with positions that do not fit."""
        for population in (source, target):
            if population.positions is None:
                raise ParameterError(
                    "Population.positions must be given for DistanceDependent; population "
                    f"{population.name!r} has none"
                )
        here, there = source.positions.shape[1], target.positions.shape[1]
        if here != there:
            raise ParameterError(
                f"Population.positions of {source.name!r} and {target.name!r} must have one number "
                f"of dimensions for DistanceDependent, got {here} and {there}"
            )
        if self.period is None:
            return
        period = lengths_of("DistanceDependent.period", self.period, here)
        low = np.minimum(source.positions.min(axis=0), target.positions.min(axis=0))
        high = np.maximum(source.positions.max(axis=0), target.positions.max(axis=0))
        names = " and ".join(dict.fromkeys((repr(source.name), repr(target.name))))
        for axis in np.flatnonzero(high - low > period):
            raise ParameterError(
                f"DistanceDependent.period must be at least {high[axis] - low[axis]:g} along "
                f"{'xy'[axis]}, the length of the layout of {names}, "
                f"got {period[axis]:g}"
            )

    def distances(self, here: np.ndarray, there: np.ndarray) -> np.ndarray:
        """Return the distance of each position `here` from each one `there`.

        Parameters
        ----------
        here, there : ndarray, shapes (n, d) and (m, d)
            Positions.

        Returns
        -------
        ndarray, shape (n, m)
            Euclidean distances, the shortest way around where there is a `period`.
        """
        squared = np.zeros((len(here), len(there)))
        n_dimensions = here.shape[1]
        periods = None
        if self.period is not None:
            periods = lengths_of("DistanceDependent.period", self.period, n_dimensions)
        for axis in range(n_dimensions):
            apart = np.abs(here[:, axis, np.newaxis] - there[np.newaxis, :, axis])
            if periods is not None:
                apart = np.minimum(apart, periods[axis] - apart)
            squared += apart * apart
        return np.sqrt(squared)

    def probabilities(self, distance: np.ndarray) -> np.ndarray:
        """Return the probability of a pair at each distance, whoever wrote the function.

        Parameters
        ----------
        distance : ndarray
            Of any shape.

        Returns
        -------
        ndarray
            Of that shape, within [0, 1], 0 beyond `max_distance`.

        Raises
        ------
        ParameterError
            The function returns NaN, something outside [0, 1], or an array of another shape.
        ParameterTypeError
            It returns something else than numbers.
        """
        near = distance <= self.max_distance
        if not callable(self.p):
            return np.where(near, self.p, 0.0)
        returned = self.p(distance.copy())
        values = _check.float_array("DistanceDependent.p", returned, finite=False)
        if values.shape != distance.shape:
            raise ParameterError(
                "DistanceDependent.p must return one probability a distance, "
                f"shape {distance.shape}, got shape {values.shape}"
            )
        bad = near & ~((values >= 0.0) & (values <= 1.0))
        if bad.any():
            raise ParameterError(
                "DistanceDependent.p must return probabilities within [0, 1], got "
                f"{values[bad][0]:g} at distance {distance[bad][0]:g}"
            )
        return np.where(near, values, 0.0)

    def expected_synapses(self, source: Population, target: Population) -> int:
        """Return the sum of all probabilities, estimated from some sources if there are many."""
        rows = np.arange(source.n)
        n_rows = max(_LEAST_SOURCES, _MOST_PAIRS // target.n)
        if n_rows < source.n:
            rows = np.random.default_rng(0).choice(source.n, n_rows, replace=False)
        total = 0.0
        for row in rows:
            here = source.positions[row : row + 1]
            p = self.probabilities(self.distances(here, target.positions)[0])
            total += p.sum() - (p[row] if source is target and not self.autapses else 0.0)
        return round(float(total) * source.n / len(rows))
