"""Weights and delays as laws: a number, a value for each synapse, or a distribution.

A distribution of ours is drawn where the synapses are laid out, from numbers of their own; one
that a user wrote is drawn here, for a whole projection.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from spikesim import _check
from spikesim.distributions import Distribution, LogNormal, Normal, Uniform
from spikesim.distributions import drawn as draw
from spikesim.engine.variates import CONSTANT, LISTED, LOG_NORMAL, NORMAL, UNIFORM
from spikesim.errors import ParameterError, RoundingWarning
from spikesim.network.projection import Projection

__all__ = [
    "KINDS",
    "LARGEST_COMPACT",
    "MOST_STEPS",
    "Law",
    "delay_law",
    "short_delay",
    "steps_of",
    "warn_if_coarse",
    "weight_law",
    "weight_too_large",
]

# The largest number in compact precision.
LARGEST_COMPACT = float(np.finfo(np.float32).max)
MOST_STEPS = 2**31 - 1
# A weight of so many units is off by up to 2 %, half a unit.
_FEW_UNITS = 25
# Listed values that are looked at together: few enough to need no memory to speak of.
_PIECE = 2**20


class Law(NamedTuple):
    """How a weight, or a delay in steps, follows from chance.

    Attributes
    ----------
    kind : int
        CONSTANT, LISTED, NORMAL, LOG_NORMAL or UNIFORM of :mod:`spikesim.engine.variates`.
    a, b : float
        The value; mean and standard deviation (of the logarithm); the ends. Drawn delays are
        in ms.
    low, high : float
        What is drawn outside is drawn again.
    listed : ndarray of float64
        Values of the synapses in the order of sources, empty unless LISTED.
    """

    kind: int
    a: float
    b: float
    low: float
    high: float
    listed: np.ndarray

    def ends(self) -> tuple[float, float]:
        """Return the least and the largest value."""
        if self.kind == CONSTANT:
            return self.a, self.a
        if self.kind == LISTED:
            least = self.listed.min() if len(self.listed) else 0.0
            return float(least), float(self.listed.max(initial=least))
        return self.low, self.high

    def share_below(self, size: float) -> float:
        """Return which share of the values other than 0 is nearer to 0 than `size`."""
        if self.kind in (CONSTANT, LISTED):
            values = np.array([self.a]) if self.kind == CONSTANT else self.listed
            below = n = 0
            for first in range(0, len(values), _PIECE):
                some = np.abs(values[first : first + _PIECE])
                below += int(np.count_nonzero((some < size) & (some > 0.0)))
                n += int(np.count_nonzero(some))
            return below / n if n else 0.0
        low, high = max(self.low, -size), min(self.high, size)
        if low >= high:
            return 0.0
        if (low, high) == (self.low, self.high):
            return 1.0
        whole = self._below(self.high) - self._below(self.low)
        return (self._below(high) - self._below(low)) / whole

    def _below(self, value: float) -> float:
        """Return the probability that what is drawn, before any is drawn again, is below."""
        if self.kind == UNIFORM:
            return (value - self.a) / (self.b - self.a)
        if self.kind == LOG_NORMAL:
            value = math.log(value) if value > 0.0 else -math.inf
        return 0.5 * math.erfc((self.a - value) / (self.b * math.sqrt(2.0)))


_NOTHING = np.zeros(0)
# Exactly these are drawn with the synapses: a class made from them may draw in its own way.
KINDS = {Normal: NORMAL, LogNormal: LOG_NORMAL, Uniform: UNIFORM}


def weight_law(
    projection: Projection, n: int, order: np.ndarray | None, rng: np.random.Generator
) -> Law:
    """Return the law of the weights of `n` synapses.

    Parameters
    ----------
    projection : Projection
        Whose weights.
    n : int
        Number of synapses.
    order : ndarray of int64 or None
        Where each synapse, in the order of sources, is found in arrays that were given.
    rng : Generator
        For distributions of the user's own.

    Raises
    ------
    ParameterError
        A distribution with values that are not finite, or that the synapse cannot have.
    """
    law = _law("Projection.weight", projection.weight, n, order, rng)
    lowest = projection.synapse.lowest_weight
    if isinstance(projection.weight, Distribution) and law.ends()[0] < lowest:
        raise ParameterError(
            f"Projection.weight must be at least {lowest:g} through "
            f"{type(projection.synapse).__name__}, {projection.weight} also draws lower values; "
            f"give it a bound, low={lowest:g}"
        )
    return law


def delay_law(
    projection: Projection, n: int, order: np.ndarray | None, dt: float, rng: np.random.Generator
) -> Law:
    """Return the law of the delays: steps where they are given, ms where they are to be drawn.

    Parameters are those of :func:`weight_law`, and the time step (ms).

    Raises
    ------
    ParameterError
        A delay below one step, off the grid, or of too many steps.
    """
    given = projection.delay
    law = _law("Projection.delay", given, n, order, rng)
    if law.kind not in (CONSTANT, LISTED):
        _refuse_long(np.array(law.high), dt)
        return law
    drawn = isinstance(given, Distribution)
    if law.kind == CONSTANT:
        return _constant(float(steps_of(np.array(law.a), drawn, projection.delay_rounding, dt)))
    if drawn:
        steps = steps_of(law.listed, drawn, projection.delay_rounding, dt)
    else:
        # Checked as it was given, so that errors name its own indices.
        steps = steps_of(given, drawn, projection.delay_rounding, dt).reshape(-1)
        steps = steps if order is None else steps[order]
    return law._replace(listed=steps.astype(np.float64))


def steps_of(given: np.ndarray, drawn: bool, rounding: str, dt: float) -> np.ndarray:
    """Return delays (ms) in steps; refuse those below one step or off the grid."""
    _refuse_long(given, dt)
    steps = np.rint(given / dt).astype(np.int64)
    short = (steps < 1) | ((given < dt * (1.0 - 1e-9)) & ~np.asarray(drawn))
    if np.any(short):
        raise short_delay(_check._first(short), float(given[short].flat[0]), dt)
    off = _check.off_grid(given, steps, dt)
    if np.any(off) and not drawn and rounding == "error":
        first = float(given[off].flat[0])
        raise ParameterError(
            f"Projection.delay{_check._first(off)} must be a multiple of dt = {dt!r} ms, "
            f"got {first!r} ms; delay_rounding='nearest' takes the nearest step"
        )
    return steps


def short_delay(place: str, delay: float, dt: float, hint: str = "") -> ParameterError:
    """Return the error of a delay (ms) below one step."""
    return ParameterError(
        f"Projection.delay{place} must be at least one step of dt = {dt!r} ms, "
        f"got {delay:g} ms{hint}"
    )


def weight_too_large(label: str, weight: float) -> ParameterError:
    """Return the error of a weight that would be infinite in compact precision."""
    return ParameterError(
        f"{label} must be at most {LARGEST_COMPACT:.2g} in compact precision, "
        f"got up to {weight:g}; use simulate.precision='double'"
    )


def warn_if_coarse(law: Law, unit: float, where: str) -> None:
    """Warn where a typical weight, the median of those that are not 0, is few units."""
    if law.share_below(_FEW_UNITS * unit) <= 0.5:
        return
    _check.warn(
        f"Projection.weight: in compact precision weights that differ are multiples of {unit:.3g} "
        "here, a unit that the largest of this synapse model on this target needs; most of these "
        f"are below {_FEW_UNITS * unit:.3g} and may be off by more than 2 %, those below "
        f"{0.5 * unit:.3g} become 0; use precision='double', or give the distribution of the "
        f"largest a bound ({where})",
        RoundingWarning,
    )


def _refuse_long(given: np.ndarray, dt: float) -> None:
    with np.errstate(over="ignore"):
        too_long = given / dt > MOST_STEPS
    if np.any(too_long):
        longest = float(np.max(given))
        raise ParameterError(
            f"Projection.delay{_check._first(too_long)} must be shorter: {longest:g} ms are "
            f"{longest / dt:g} steps of dt = {dt!r} ms, {MOST_STEPS} are possible"
        )


def _constant(value: float) -> Law:
    return Law(CONSTANT, value, 0.0, -np.inf, np.inf, _NOTHING)


def _listed(values: np.ndarray) -> Law:
    return Law(LISTED, 0.0, 0.0, -np.inf, np.inf, values)


def _law(label: str, value: Any, n: int, order: Any, rng: np.random.Generator) -> Law:
    if isinstance(value, np.ndarray):
        return _listed(value.reshape(-1) if order is None else value.reshape(-1)[order])
    if not isinstance(value, Distribution):
        return _constant(float(value))
    if type(value) not in KINDS:
        return _listed(draw(label, value, rng, n))
    low, high = value.limits() or (np.nan, np.nan)
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ParameterError(f"{label}: {value} may draw values that are not finite")
    if low == high:
        return _constant(low)
    if isinstance(value, Uniform):
        return Law(UNIFORM, value.low, value.high, low, high, _NOTHING)
    if isinstance(value, LogNormal):
        return Law(LOG_NORMAL, value.log_mean, value.log_sd, low, high, _NOTHING)
    assert isinstance(value, Normal)
    return Law(NORMAL, value.mean, value.sd, low, high, _NOTHING)
