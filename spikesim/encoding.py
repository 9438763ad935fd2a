"""How features become input: as they are, or as spike trains.

An encoder is a frozen description. :meth:`fit` learns the range of each feature and returns a
fitted encoder; :meth:`encode` turns features of shape ``(n_samples, n_features)`` into an array
``x`` of shape ``(n_steps, n_samples, n_inputs)``. For spike codes x holds zeros and ones, and
``x[k]`` are the spikes stamped with step k + 1 (index 0 is step 1), so a network feels the last
of them no earlier than the step after.

Features are scaled to [0, 1] by ``low`` and ``high`` first. A value beyond them, as new data
may hold, is clipped to the nearer end. A feature that never varied (low = high) is scaled to 0.

References
----------
Latency codes: Thorpe, Delorme & Van Rullen 2001, Neural Networks 14:715. Gaussian receptive
fields: Bohte, Kok & La Poutre 2002, Neurocomputing 48:17; here the fields are
centred within the range of the feature, from end to end.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol, TypeVar, cast

import numpy as np

from spikesim import _check
from spikesim.errors import ParameterError

__all__ = ["Analog", "Encoder", "LatencyEncoder", "PopulationEncoder", "RateEncoder"]

_RATE_MODES = ("regular", "poisson")
_Scaled = TypeVar("_Scaled", bound="_ScaledEncoder")


class Encoder(Protocol):
    """What every encoder can do; training draws again every epoch if it is stochastic."""

    @property
    def stochastic(self) -> bool:
        """Whether two calls of :meth:`encode` differ."""
        ...

    def fit(self, features: Any) -> Any:
        """Return an encoder that knows the range of `features`."""
        ...

    def n_inputs(self, n_features: int) -> int:
        """Return the number of input lines for `n_features` features."""
        ...

    def encode(self, features: Any, *, dt: float, rng: Any = None) -> np.ndarray:
        """Return x, shape (n_steps, n_samples, n_inputs)."""
        ...


@_check.suggest_keywords
@dataclass(frozen=True)
class Analog:
    """Features as they are, in a single step: the input of rate units."""

    stochastic: ClassVar[bool] = False

    def fit(self, features: Any) -> Analog:
        """Return the encoder itself: there is nothing to learn."""
        _table("Analog.features", features)
        return self

    def n_inputs(self, n_features: int) -> int:
        """Return `n_features`."""
        return n_features

    def encode(self, features: Any, *, dt: float = 1.0, rng: Any = None) -> np.ndarray:
        """Return the features, shape (1, n_samples, n_features); `dt` and `rng` play no part."""
        return _table("Analog.features", features)[np.newaxis].copy()


class _ScaledEncoder(ABC):
    """What the spike codes share: the range of the features, and the optional bias line."""

    low: Any
    high: Any
    bias_spike: bool
    duration: float

    def _check_range(self) -> None:
        name = type(self).__name__
        _check.boolean(f"{name}.bias_spike", self.bias_spike)
        for end in ("low", "high"):
            value = getattr(self, end)
            if value is not None:
                array = _check.float_array(f"{name}.{end}", value, copy=True)
                if array.ndim > 1:
                    raise ParameterError(
                        f"{name}.{end} must be a number or have one value a feature, "
                        f"got shape {array.shape}"
                    )
                array.flags.writeable = False
                object.__setattr__(self, end, array)
        if self.low is not None and self.high is not None:
            try:
                bad = self.low > self.high
            except ValueError:
                raise ParameterError(
                    f"{name}.low and {name}.high must have one length, got "
                    f"{self.low.shape} and {self.high.shape}"
                ) from None
            if np.any(bad):
                raise ParameterError(f"{name}.low{_check._first(bad)} must not exceed {name}.high")
            with np.errstate(over="ignore"):
                wide = ~np.isfinite(self.high - self.low)
            if np.any(wide):
                raise ParameterError(
                    f"{name}.low{_check._first(wide)} and {name}.high are further apart than "
                    "double precision reaches; scale the feature down"
                )

    @property
    def stochastic(self) -> bool:
        """Whether two calls of :meth:`encode` differ."""
        return False

    @property
    def fitted(self) -> bool:
        """Whether the range of the features is known."""
        return self.low is not None and self.high is not None

    def fit(self: _Scaled, features: Any) -> _Scaled:
        """Return an encoder with the ends of the range that were not given taken from data.

        Parameters
        ----------
        features : array_like, shape (n_samples, n_features)
            Training data, at least one sample.
        """
        name = f"{type(self).__name__}.features"
        table = _table(name, features)
        if len(table) == 0:
            raise ParameterError(f"{name} must hold at least one sample")
        low = table.min(axis=0) if self.low is None else self.low
        high = table.max(axis=0) if self.high is None else self.high
        return replace(cast(Any, self), low=low, high=high)

    def n_inputs(self, n_features: int) -> int:
        """Return the number of input lines for `n_features` features."""
        return n_features + self.bias_spike

    def encode(self, features: Any, *, dt: float, rng: Any = None) -> np.ndarray:
        """Turn features into spikes.

        Parameters
        ----------
        features : array_like, shape (n_samples, n_features)
            Data in the units of `low` and `high`.
        dt : float
            Time step (ms).
        rng : int, SeedSequence or Generator, optional
            Source of the draws of a stochastic code; None takes fresh entropy.

        Returns
        -------
        ndarray of float64, shape (n_steps, n_samples, n_inputs)
            1 where a line spikes in a step, 0 elsewhere.

        Raises
        ------
        ParameterError
            Features that are not finite numbers in two dimensions, an unknown range, another
            number of features than the range has, times off the grid of `dt`.
        """
        dt = _check.positive(f"{type(self).__name__}.dt", dt)
        n_steps = _check.n_steps(f"{type(self).__name__}.duration", self.duration, dt, minimum=1)
        spikes = self._spikes(self._scale(features), n_steps, dt, rng)
        if not self.bias_spike:
            return spikes
        line = np.zeros((*spikes.shape[:2], 1))
        line[0] = 1.0
        return np.concatenate([spikes, line], axis=2)

    @abstractmethod
    def _spikes(self, scaled: np.ndarray, n_steps: int, dt: float, rng: Any) -> np.ndarray:
        """Return the spikes of features scaled to [0, 1], shape (n_steps, n_samples, n_lines)."""

    def _scale(self, features: Any) -> np.ndarray:
        """Return the features scaled to [0, 1] and clipped."""
        name = type(self).__name__
        table = _table(f"{name}.features", features)
        if not self.fitted:
            raise ParameterError(
                f"{name}.low and {name}.high are not known yet; call fit(features) first "
                "and use the encoder that it returns"
            )
        for end in ("low", "high"):
            if getattr(self, end).ndim and len(getattr(self, end)) != table.shape[1]:
                raise ParameterError(
                    f"{name}.features has {table.shape[1]} features, "
                    f"{name}.{end} has {len(getattr(self, end))}"
                )
        span = self.high - self.low
        # Clipped before as well, so that a value far beyond the range cannot overflow.
        scaled = (np.clip(table, self.low, self.high) - self.low) / np.where(
            span > 0.0, span, np.inf
        )
        return np.clip(scaled, 0.0, 1.0)


@_check.suggest_keywords
@dataclass(frozen=True, eq=False)
class RateEncoder(_ScaledEncoder):
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
        _check.choice("RateEncoder.mode", self.mode, _RATE_MODES)
        self._check_range()

    @property
    def stochastic(self) -> bool:
        """Whether two calls of :meth:`encode` differ: True for Poisson trains."""
        return self.mode == "poisson"

    def _spikes(self, scaled: np.ndarray, n_steps: int, dt: float, rng: Any) -> np.ndarray:
        return _trains("RateEncoder", scaled, self.max_rate, self.mode, n_steps, dt, rng)


@_check.suggest_keywords
@dataclass(frozen=True, eq=False)
class LatencyEncoder(_ScaledEncoder):
    """A feature is the time of a single spike: at once for `high`, after `t_max` for `low`.

    The scaled value f spikes ``t_max * (1 - f)`` after the start, rounded to the nearest step;
    every line spikes exactly once, so 0 is the latest time, not silence.

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
    """

    duration: float = 30.0
    t_max: float = 20.0
    low: Any = None
    high: Any = None
    bias_spike: bool = False

    def __post_init__(self) -> None:
        _check_times("LatencyEncoder", self.duration, self.t_max)
        self._check_range()

    def _spikes(self, scaled: np.ndarray, n_steps: int, dt: float, rng: Any) -> np.ndarray:
        return _single_spikes(
            "LatencyEncoder", scaled, np.ones(scaled.shape, bool), self.t_max, n_steps, dt
        )


@_check.suggest_keywords
@dataclass(frozen=True, eq=False)
class PopulationEncoder(_ScaledEncoder):
    r"""A feature is spread over Gaussian receptive fields, each a line of its own.

    With the scaled value f, centres :math:`c_j` spaced evenly from 0 to 1 and a width
    :math:`\sigma` of `width` spacings, line j is activated by
    :math:`a_j = e^{-(f - c_j)^2 / 2\sigma^2}`. It spikes once, ``t_max * (1 - a_j)`` after the
    start, or at a rate of ``a_j * max_rate``; below `cutoff` it is silent. The lines of one
    feature are neighbours: input ``i * n_fields + j``.

    Parameters
    ----------
    n_fields : int, default 8
        Fields a feature, at least 1 (a single one is centred at 0.5 with spacing 1).
    duration : float, default 30
        Length of a trial (ms).
    t_max : float, default 20
        Delay of an activation near 0 (ms), less than `duration`.
    width : float, default 0.75
        Standard deviation of a field in units of the spacing, greater than 0.
    cutoff : float, default 0.1
        Activation below which a line is silent, in [0, 1].
    mode : {"latency", "regular", "poisson"}, default "latency"
        What an activation is turned into.
    max_rate : float, default 200
        Rate of a fully activated line (Hz), for the two rate modes.
    low, high : float or array_like, optional
        Ends of the range of each feature; learnt by :meth:`fit` where None.
    bias_spike : bool, default False
        Append one line that spikes in the first step, whatever the features.
    """

    n_fields: int = 8
    duration: float = 30.0
    t_max: float = 20.0
    width: float = 0.75
    cutoff: float = 0.1
    mode: str = "latency"
    max_rate: float = 200.0
    low: Any = None
    high: Any = None
    bias_spike: bool = False

    def __post_init__(self) -> None:
        _check.integer("PopulationEncoder.n_fields", self.n_fields, minimum=1)
        _check_times("PopulationEncoder", self.duration, self.t_max)
        _check.positive("PopulationEncoder.width", self.width)
        _check.in_range("PopulationEncoder.cutoff", self.cutoff, 0.0, 1.0)
        _check.choice("PopulationEncoder.mode", self.mode, ("latency", *_RATE_MODES))
        _check.non_negative("PopulationEncoder.max_rate", self.max_rate)
        self._check_range()

    @property
    def stochastic(self) -> bool:
        """Whether two calls of :meth:`encode` differ: True for Poisson trains."""
        return self.mode == "poisson"

    def n_inputs(self, n_features: int) -> int:
        """Return ``n_features * n_fields``, and one more with a bias line."""
        return n_features * self.n_fields + self.bias_spike

    def activations(self, features: Any) -> np.ndarray:
        """Return the activation of each field, shape (n_samples, n_features * n_fields)."""
        return self._activations(self._scale(features))

    def _activations(self, scaled: np.ndarray) -> np.ndarray:
        if self.n_fields == 1:
            centres, spacing = np.array([0.5]), 1.0
        else:
            centres, spacing = np.linspace(0.0, 1.0, self.n_fields), 1.0 / (self.n_fields - 1)
        distance = (scaled[:, :, np.newaxis] - centres) / (self.width * spacing)
        activation = np.exp(-0.5 * distance**2)
        return activation.reshape(len(scaled), scaled.shape[1] * self.n_fields)

    def _spikes(self, scaled: np.ndarray, n_steps: int, dt: float, rng: Any) -> np.ndarray:
        activation = self._activations(scaled)
        active = activation >= self.cutoff
        if self.mode == "latency":
            return _single_spikes("PopulationEncoder", activation, active, self.t_max, n_steps, dt)
        share = np.where(active, activation, 0.0)
        return _trains("PopulationEncoder", share, self.max_rate, self.mode, n_steps, dt, rng)


def _table(name: str, features: Any) -> np.ndarray:
    table = _check.float_array(name, features)
    _check.shape(name, table, (None, None))
    if table.shape[1] == 0:
        raise ParameterError(f"{name} must hold at least one feature")
    return table


def _check_times(name: str, duration: float, t_max: float) -> None:
    _check.positive(f"{name}.duration", duration)
    _check.non_negative(f"{name}.t_max", t_max)
    if t_max >= duration:
        raise ParameterError(
            f"{name}.t_max must be less than {name}.duration = {duration:g} ms, got {t_max:g} ms"
        )


def _trains(
    name: str,
    share: np.ndarray,
    max_rate: float,
    mode: str,
    n_steps: int,
    dt: float,
    rng: Any,
) -> np.ndarray:
    """Return trains with rates ``share * max_rate``, shape (n_steps, *share.shape)."""
    if max_rate * dt > 1000.0:
        raise ParameterError(
            f"{name}.max_rate must be at most one spike a step, {1000.0 / dt:g} Hz at "
            f"dt = {dt:g} ms, got {max_rate:g} Hz"
        )
    per_step = share * (max_rate * dt / 1000.0)
    if mode == "poisson":
        draws = _check.generator(f"{name}.rng", rng).random((n_steps, *share.shape))
        return (draws < per_step).astype(np.float64)
    # The half interval before the first spike makes the count the rounded mean count.
    edges = np.arange(n_steps + 1).reshape(-1, *[1] * share.ndim)
    return np.diff(np.floor(edges * per_step + 0.5), axis=0)


def _single_spikes(
    name: str, share: np.ndarray, active: np.ndarray, t_max: float, n_steps: int, dt: float
) -> np.ndarray:
    """Return one spike a line, ``t_max * (1 - share)`` after the start, where `active`."""
    if np.rint(t_max / dt) >= n_steps:
        raise ParameterError(
            f"{name}.t_max must end before the last step of the trial, at most "
            f"{(n_steps - 1) * dt:g} ms at dt = {dt:g} ms, got {t_max:g} ms"
        )
    step = np.rint(t_max * (1.0 - share) / dt).astype(np.int64)
    spikes = np.zeros((n_steps, *share.shape))
    sample, line = np.nonzero(active)
    spikes[step[sample, line], sample, line] = 1.0
    return spikes
