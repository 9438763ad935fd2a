"""Inputs from outside a network: currents (pA) and spikes.

A current is constant within a step: step k feels the value that it has at the start of the step,
at (k-1) dt. All times count from the start of the simulation, also when a run continues another.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from spikesim import _check
from spikesim.distributions import Distribution
from spikesim.errors import ParameterError
from spikesim.network.population import keep_population
from spikesim.network.projection import number_or_array
from spikesim.neurons.spike_source import spike_list
from spikesim.synapses import UNSAID, Synapse

__all__ = [
    "Input",
    "NoiseCurrent",
    "PoissonInput",
    "RampCurrent",
    "SampledCurrent",
    "SineCurrent",
    "SpikeInput",
    "StepCurrent",
]


class Input:
    """Base of everything that enters a population from outside."""

    target: Any
    neurons: Any

    def check(self, n: int) -> None:
        """Refuse a target population of `n` neurons that the input does not fit."""
        if self.neurons is not None:
            _check.indices(f"{type(self).__name__}.neurons", self.neurons, n)

    def _set_target(self) -> None:
        """Keep the target by name and the neurons as a read-only array."""
        label = type(self).__name__
        keep_population(self, "target", f"{label}.target")
        if self.neurons is None:
            return
        neurons = np.array(_check.indices(f"{label}.neurons", self.neurons, None)).reshape(-1)
        if len(np.unique(neurons)) != len(neurons):
            raise ParameterError(f"{label}.neurons must name each neuron once")
        neurons.flags.writeable = False
        object.__setattr__(self, "neurons", neurons)

    def _set_per_neuron(self, *names: str, low: float | None = None) -> None:
        """Keep parameters that are a number or one value for each driven neuron."""
        for name in names:
            label = f"{type(self).__name__}.{name}"
            value = getattr(self, name)
            if isinstance(value, Distribution):
                raise _check.ParameterTypeError(
                    f"{label} must be a number or have one value a neuron, not a distribution"
                )
            object.__setattr__(self, name, _check.per_neuron(label, value, low=low))

    def _check_per_neuron(self, n: int, *names: str) -> None:
        driven = n if self.neurons is None else len(self.neurons)
        for name in names:
            value = getattr(self, name)
            if isinstance(value, np.ndarray):
                _check.shape(f"{type(self).__name__}.{name}", value, (driven,))


@_check.suggest_keywords
@dataclass(frozen=True, eq=False)
class StepCurrent(Input):
    """A current that is on from `start` to `stop`.

    Parameters
    ----------
    target : Population or str
        The population.
    amplitude : float or array_like
        Current (pA): a number, or one value for each driven neuron.
    start : float, default 0
        First moment at which it is on (ms), at least 0.
    stop : float, default inf
        First moment at which it is off again (ms), at least `start`.
    neurons : array_like of int, optional
        The neurons driven; by default all.
    """

    target: Any
    amplitude: Any
    start: float = 0.0
    stop: float = math.inf
    neurons: Any = None

    def __post_init__(self) -> None:
        self._set_target()
        self._set_per_neuron("amplitude")
        _set_window(self)

    def check(self, n: int) -> None:
        """Refuse a target population of `n` neurons that the input does not fit."""
        super().check(n)
        self._check_per_neuron(n, "amplitude")


@_check.suggest_keywords
@dataclass(frozen=True, eq=False)
class RampCurrent(Input):
    """A current that changes linearly from `start` to `stop` and is zero outside.

    Parameters
    ----------
    target : Population or str
        The population.
    start_amplitude, end_amplitude : float
        Current (pA) at `start`, and the one that it approaches at `stop`.
    start, stop : float
        Beginning and end of the ramp (ms), ``0 <= start < stop``.
    neurons : array_like of int, optional
        The neurons driven; by default all.
    """

    target: Any
    start_amplitude: float
    end_amplitude: float
    start: float
    stop: float
    neurons: Any = None

    def __post_init__(self) -> None:
        self._set_target()
        for name in ("start_amplitude", "end_amplitude"):
            value = _check.scalar(f"RampCurrent.{name}", getattr(self, name))
            object.__setattr__(self, name, value)
        _set_window(self)
        if not self.start < self.stop < math.inf:
            raise ParameterError(
                f"RampCurrent.stop must be finite and after RampCurrent.start = {self.start:g} "
                f"ms, got {self.stop:g} ms"
            )


@_check.suggest_keywords
@dataclass(frozen=True, eq=False)
class SineCurrent(Input):
    r"""The current :math:`offset + amplitude\,\sin(2\pi\,frequency\,t/1000 + phase)`.

    Parameters
    ----------
    target : Population or str
        The population.
    amplitude : float
        Amplitude (pA).
    frequency : float
        Frequency (Hz), at least 0.
    phase : float, default 0
        Phase at t = 0 (radians).
    offset : float, default 0
        Mean (pA).
    neurons : array_like of int, optional
        The neurons driven; by default all.
    """

    target: Any
    amplitude: float
    frequency: float
    phase: float = 0.0
    offset: float = 0.0
    neurons: Any = None

    def __post_init__(self) -> None:
        self._set_target()
        for name in ("amplitude", "phase", "offset"):
            value = _check.scalar(f"SineCurrent.{name}", getattr(self, name))
            object.__setattr__(self, name, value)
        value = _check.non_negative("SineCurrent.frequency", self.frequency)
        object.__setattr__(self, "frequency", value)


@_check.suggest_keywords
@dataclass(frozen=True, eq=False)
class SampledCurrent(Input):
    """A current given by samples, each held for `interval`; zero after the last one.

    Parameters
    ----------
    target : Population or str
        The population.
    values : array_like, shape (n_samples,) or (n_samples, n_driven)
        Current (pA), one for all driven neurons or one for each.
    interval : float
        How long a sample lasts (ms), a multiple of `dt`.
    neurons : array_like of int, optional
        The neurons driven; by default all.
    """

    target: Any
    values: Any
    interval: float
    neurons: Any = None

    def __post_init__(self) -> None:
        self._set_target()
        values = _check.float_array("SampledCurrent.values", self.values, copy=True)
        if values.ndim not in (1, 2):
            raise ParameterError(
                "SampledCurrent.values must have shape (n_samples,) or (n_samples, n_driven), "
                f"got {values.shape}"
            )
        if not len(values):
            raise ParameterError("SampledCurrent.values must hold at least one sample, got none")
        values.flags.writeable = False
        object.__setattr__(self, "values", values)
        interval = _check.positive("SampledCurrent.interval", self.interval)
        object.__setattr__(self, "interval", interval)

    def check(self, n: int) -> None:
        """Refuse a target population of `n` neurons that the input does not fit."""
        super().check(n)
        if self.values.ndim == 2:
            driven = n if self.neurons is None else len(self.neurons)
            _check.shape("SampledCurrent.values", self.values, (None, driven))


@_check.suggest_keywords
@dataclass(frozen=True, eq=False)
class NoiseCurrent(Input):
    r"""A normally distributed current, drawn anew every `interval`, independent for each neuron.

    As `interval` shrinks it approaches white noise only if `sd` grows as its inverse root: for
    :math:`\tau_m \dot v = -v + \sigma \sqrt{\tau_m} \xi(t)` set
    :math:`sd = \sigma\sqrt{\tau_m / interval} / r_m`.

    What a neuron receives follows from the seed, the population, the place of the input among
    the noise currents into it, and the neuron: other inputs, or the choice of `neurons`, do not
    change it.

    Parameters
    ----------
    target : Population or str
        The population.
    mean, sd : float or array_like
        Mean and standard deviation of the samples (pA), ``sd >= 0``: a number, or one value for
        each driven neuron.
    interval : float, optional
        How long a sample lasts (ms), a multiple of `dt`; by default `dt`.
    neurons : array_like of int, optional
        The neurons driven; by default all.
    """

    target: Any
    mean: Any
    sd: Any
    interval: float | None = None
    neurons: Any = None

    def __post_init__(self) -> None:
        self._set_target()
        self._set_per_neuron("mean")
        self._set_per_neuron("sd", low=0.0)
        if self.interval is not None:
            interval = _check.positive("NoiseCurrent.interval", self.interval)
            object.__setattr__(self, "interval", interval)

    def check(self, n: int) -> None:
        """Refuse a target population of `n` neurons that the input does not fit."""
        super().check(n)
        self._check_per_neuron(n, "mean", "sd")


@_check.suggest_keywords
@dataclass(frozen=True, eq=False)
class PoissonInput(Input):
    """Poisson spike trains, one for each neuron or one for all.

    What a neuron receives follows from the seed, the population, the place of the input among
    the Poisson inputs into it, and the neuron: other inputs, or the choice of `neurons`, do not
    change it.

    Parameters
    ----------
    target : Population or str
        The population.
    rate : float or array_like
        Spikes a second (Hz), at least 0: a number, or one value for each driven neuron.
    weight : float
        Weight of a spike: pA, nS (at least 0) through a conductance, mV through
        :class:`~spikesim.synapses.Delta`.
    synapse : synapse of :mod:`spikesim.synapses`, default Delta()
        What a spike does on arrival.
    shared : bool, default False
        Whether all driven neurons receive one and the same train; `rate` is then a number.
    neurons : array_like of int, optional
        The neurons driven; by default all.
    """

    target: Any
    rate: Any
    weight: float
    synapse: Any = UNSAID
    shared: bool = False
    neurons: Any = None

    def __post_init__(self) -> None:
        self._set_target()
        self._set_per_neuron("rate", low=0.0)
        object.__setattr__(self, "weight", _check.scalar("PoissonInput.weight", self.weight))
        _check_synapse("PoissonInput", self.synapse)
        self.synapse.check_weight("PoissonInput.weight", self.weight)
        if _check.boolean("PoissonInput.shared", self.shared) and isinstance(self.rate, np.ndarray):
            raise ParameterError("PoissonInput.rate must be a number when the train is shared")

    def check(self, n: int) -> None:
        """Refuse a target population of `n` neurons that the input does not fit."""
        super().check(n)
        self._check_per_neuron(n, "rate")


@_check.suggest_keywords
@dataclass(frozen=True, eq=False)
class SpikeInput(Input):
    """Spikes that arrive at listed times.

    Parameters
    ----------
    target : Population or str
        The population.
    times : array_like, shape (n_spikes,)
        Arrival times (ms), greater than 0, in any order. Equal spikes all count. A time past the
        end of a run waits for the next one.
    ids : array_like of int, shape (n_spikes,)
        The neuron that each spike reaches.
    weight : float or array_like, shape (n_spikes,)
        Weight of the spikes: pA, nS (at least 0) through a conductance, mV through
        :class:`~spikesim.synapses.Delta`.
    synapse : synapse of :mod:`spikesim.synapses`, default Delta()
        What a spike does on arrival.
    time_rounding : {"error", "nearest"}, default "error"
        What to do with a time that is not a multiple of `dt`: refuse it, or take the nearest step
        (at least the first).
    """

    target: Any
    times: Any
    ids: Any
    weight: Any
    synapse: Any = UNSAID
    time_rounding: str = "error"

    neurons = None

    def __post_init__(self) -> None:
        self._set_target()
        times, ids = spike_list("SpikeInput", self.times, self.ids)
        object.__setattr__(self, "times", times)
        object.__setattr__(self, "ids", ids)
        weight = number_or_array("SpikeInput.weight", self.weight)
        if isinstance(weight, Distribution):
            raise _check.ParameterTypeError("SpikeInput.weight must be a number or an array")
        if isinstance(weight, np.ndarray):
            _check.shape("SpikeInput.weight", weight, times.shape)
        object.__setattr__(self, "weight", weight)
        _check_synapse("SpikeInput", self.synapse)
        self.synapse.check_weight("SpikeInput.weight", self.weight)
        _check.choice("SpikeInput.time_rounding", self.time_rounding, ("error", "nearest"))

    def check(self, n: int) -> None:
        """Refuse ids that the target population of `n` neurons does not have."""
        _check.indices("SpikeInput.ids", self.ids, n)


def _set_window(item: Any) -> None:
    """Check `start` and `stop` of a current and keep them as floats."""
    label = type(item).__name__
    start = _check.non_negative(f"{label}.start", item.start)
    stop = _check.scalar(f"{label}.stop", item.stop, finite=False)
    if stop < start:
        raise ParameterError(
            f"{label}.stop must be at least {label}.start = {start:g} ms, got {stop:g} ms"
        )
    object.__setattr__(item, "start", start)
    object.__setattr__(item, "stop", stop)


def _check_synapse(label: str, value: Any) -> None:
    _check.instance(
        f"{label}.synapse", value, Synapse, "a synapse such as Delta() or Exponential()"
    )
