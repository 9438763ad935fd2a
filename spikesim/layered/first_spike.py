r"""First spikes of a feed-forward network in continuous time, and their derivatives.

With arrivals at :math:`a_i` (time of the input spike and delay) and
:math:`\kappa(s) = D(s) / c_m` the response to a spike of weight 1, D as in
:mod:`spikesim.layered.crossing`, a unit first fires at the earliest T with

.. math:: v(T) = v_{const}(T) + \sum_{i:\, a_i < T} w_i\,\kappa(T - a_i) = v_{th},

:math:`v_{const}` being what constant currents alone do. Differentiated, with :math:`\dot v` at T,

.. math::

    \frac{\partial T}{\partial w_i} = -\frac{\kappa(T - a_i)}{\dot v}, \qquad
    \frac{\partial T}{\partial a_i} = \frac{w_i\,\dot\kappa(T - a_i)}{\dot v}, \qquad
    \frac{\partial T}{\partial b} = -\frac{r_m (1 - e^{-T/\tau_m})}{\dot v}

(Bohte, Kok & La Poutre 2002, Neurocomputing 48:17, equations 10 to 12). A unit that only touches
its threshold fires, and has no derivative: zero stands for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from spikesim.layered.continuous_trace import ContinuousTrace
from spikesim.layered.crossing import DOUBLE, EQUAL, GENERAL
from spikesim.layered.first_spike_kernels import climb, differentiate, fire
from spikesim.layered.network import Layer, LayeredNetwork
from spikesim.layered.spike_times import SpikeTimes
from spikesim.layered.threads import in_parts

__all__ = [
    "FirstSpikeTrace",
    "Peaks",
    "fires_once",
    "first_spike_gradients",
    "first_spikes",
    "least_weight",
]


_NONE = np.zeros((0, 0))


class Peaks(NamedTuple):
    """The highest potential of each silent unit in each trial, shape (n_trials, n_units).

    Attributes
    ----------
    times : ndarray
        When it was reached (ms).
    u : ndarray
        Its distance from the potential that constant currents lead to (mV).
    n_before : ndarray of int64
        Number of arrivals before it.
    bend : ndarray
        Slope just before it, if it is an arrival that ended the rise, else 0 (mV/ms).
    """

    times: np.ndarray
    u: np.ndarray
    n_before: np.ndarray
    bend: np.ndarray


class FirstSpikeTrace(ContinuousTrace):
    """What one layer of units that fire once did in continuous time.

    Attributes
    ----------
    first_spikes : ndarray, shape (n_trials, n_units)
        Time of the spike of each unit (ms), ``inf`` for one that stays silent.
    slope : ndarray, shape (n_trials, n_units)
        How fast the potential rises there (mV/ms), 0 for a silent unit.
    n_before : ndarray of int64, shape (n_trials, n_units)
        Number of arrivals before it, the causal set.
    peaks : Peaks
        Where silent units came closest to their threshold. Made when asked for.
    """

    v_mean = None

    def __init__(self, layer: Layer, inputs: Events, duration: float, dt: float):
        shape = len(inputs.starts) - 1, layer.n_post
        self.first_spikes = np.full(shape, np.inf)
        self.slope = np.zeros(shape)
        self.n_before = np.zeros(shape, dtype=np.int64)
        self.duration, self.dt, self.n_trials = duration, dt, shape[0]
        self._layer, self._inputs = layer, inputs

    @property
    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Spikes, slopes and causal sets, which the kernels write."""
        return self.first_spikes, self.slope, self.n_before

    @cached_property
    def events(self) -> Events:
        """The spikes in order of time, as the next layer takes them."""
        order = np.argsort(self.first_spikes, axis=1, kind="stable")
        ordered = np.take_along_axis(self.first_spikes, order, axis=1)
        fires = np.isfinite(ordered)
        starts = np.zeros(len(order) + 1, dtype=np.int64)
        np.cumsum(fires.sum(axis=1), out=starts[1:])
        return Events(ordered[fires], order[fires], starts)

    @property
    def times(self) -> np.ndarray:
        """Times of all spikes (ms), by trial and in order within it, shape (n_spikes,)."""
        return self.events.times

    @property
    def units(self) -> np.ndarray:
        """The unit of each spike."""
        return self.events.units

    @property
    def starts(self) -> np.ndarray:
        """Spikes ``starts[b]`` to ``starts[b + 1] - 1`` belong to trial b."""
        return self.events.starts

    @cached_property
    def peaks(self) -> Peaks:
        """The highest potentials of silent units."""
        shape = self.first_spikes.shape
        peaks = Peaks(
            np.zeros(shape), np.zeros(shape), np.zeros(shape, np.int64), np.zeros(shape)
        )  # fmt: skip
        units = units_of(self._layer)

        def work(first: int, last: int) -> None:
            climb(
                *self._inputs, *units, self.duration, first, last, self.first_spikes, *peaks
            )  # fmt: skip

        in_parts(work, self.n_trials, self.n_trials * self._layer.w.size * 100.0)
        return peaks

    @property
    def v_max(self) -> np.ndarray:
        """Highest potential (mV), the threshold of units that fired."""
        highest = self.peaks.u + _v_inf(self._layer)
        return np.where(np.isfinite(self.first_spikes), self._layer.neuron.v_th, highest)

    @property
    def held(self) -> np.ndarray:
        """Where a unit had fired in an earlier step."""
        return np.cumsum(self.output, axis=0) - self.output > 0.0

    @cached_property
    def v(self) -> np.ndarray:
        """Membrane potential at the ends of the steps (mV), the reset one after the spike."""
        at = np.minimum(self.dt * np.arange(1, self.n_steps + 1), self.duration)
        units, neuron = units_of(self._layer), self._layer.neuron
        v = np.empty((len(at), *self.first_spikes.shape))
        v_reset = np.broadcast_to(neuron.v_reset, v.shape[2:])
        v_inf = _v_inf(self._layer)
        for b, j in np.ndindex(self.first_spikes.shape):
            spikes = slice(self._inputs.starts[b], self._inputs.starts[b + 1])
            lines = self._inputs.units[spikes]
            delay = units.delay[0 if len(units.delay) == 1 else j, lines]
            since = np.maximum(at[:, None] - self._inputs.times[spikes] - delay, 0.0)
            u = units.u_init[j] * np.exp(-at / units.tau_m[j])
            u += (
                _differences(since, units.tau_m[j], units.tau_syn)
                @ units.w[j, lines]
                / (units.c_m[j])
            )
            v[:, b, j] = np.where(at < self.first_spikes[b, j], v_inf[j] + u, v_reset[j])
        return v


class Events(NamedTuple):
    """Input spikes in order of time; those of trial b are starts[b] to starts[b + 1] - 1."""

    times: np.ndarray
    units: np.ndarray
    starts: np.ndarray


class Units(NamedTuple):
    """What the kernels need of a layer; the second index of w and delay is the input."""

    w: np.ndarray
    delay: np.ndarray
    u_init: np.ndarray
    theta: np.ndarray
    tau_m: np.ndarray
    c_m: np.ndarray
    formula: np.ndarray
    tau_syn: float
    alike: bool


def fires_once(network: LayeredNetwork, duration: float) -> bool:
    """Return whether no unit can fire twice in a trial of `duration` (ms), nor hears of others."""
    return all(
        layer.w_rec is None and bool(np.all(np.asarray(layer.neuron.t_ref) >= duration))
        for layer in network.layers
    )


def first_spikes(network: LayeredNetwork, inputs: SpikeTimes) -> tuple[FirstSpikeTrace, ...]:
    """Return the first spike of every unit; what units do after it is left out.

    Parameters
    ----------
    network : LayeredNetwork
        In continuous time; recurrent weights are left out, too.
    inputs : SpikeTimes
        Spikes of its input lines, several a line if need be.

    Returns
    -------
    tuple of FirstSpikeTrace
        One for each layer.
    """
    # Kernels are compiled anew for arrays that are read-only.
    events = Events(inputs.times.copy(), inputs.units.copy(), inputs.starts.copy())
    traces = []
    for layer in network.layers:
        units = units_of(layer)
        trace = FirstSpikeTrace(layer, events, inputs.duration, network.dt)

        def work(first: int, last: int, events=events, units=units, trace=trace) -> None:
            fire(*events, *units, inputs.duration, first, last, *trace.arrays)

        in_parts(work, inputs.n_trials, inputs.n_trials * layer.w.size * 100.0)
        traces.append(trace)
        events = trace.events
    return tuple(traces)


def first_spike_gradients(
    network: LayeredNetwork,
    traces: Sequence[FirstSpikeTrace],
    grad_times: np.ndarray,
    grad_peaks: np.ndarray | None = None,
    *,
    min_slope: float = 0.0,
) -> tuple[list[dict[str, np.ndarray]], np.ndarray]:
    """Return the gradient of a loss of the first spikes of the last layer.

    Parameters
    ----------
    network : LayeredNetwork
        The network.
    traces : sequence of FirstSpikeTrace
        What :func:`first_spikes` made of the input.
    grad_times : ndarray, shape (n_trials, n_outputs)
        Derivative of the loss by each first spike (1/ms); that of a silent unit has no effect.
    grad_peaks : ndarray, shape (n_trials, n_outputs), optional
        Derivative by the highest potential (1/mV); that of a unit that fired has no effect.
    min_slope : float, default 0
        Slopes below are taken as this, which bounds the derivatives; in units of the distance
        from rest to threshold over `tau_m`.

    Returns
    -------
    gradients : list of dict of ndarray
        For each layer by its trainable arrays.
    grad_inputs : ndarray, shape (n_spikes,)
        By the times of the input spikes.
    """
    gradients: list[dict[str, np.ndarray]] = []
    for layer, trace in zip(reversed(network.layers), reversed(traces), strict=True):
        events, units, neuron = trace._inputs, units_of(layer), layer.neuron
        grad_events = np.zeros(len(events.times))
        least = min_slope * (neuron.v_th - neuron.v_rest) / neuron.tau_m
        moments = trace.first_spikes, np.maximum(trace.slope, least), trace.n_before
        bend = _NONE
        if grad_peaks is not None and layer is network.layers[-1]:
            # The potential at its peak follows an input as a spike does, with slope -1.
            silent, peaks = np.isinf(trace.first_spikes), trace.peaks
            moments = (
                np.where(silent, peaks.times, trace.first_spikes),
                np.where(silent, 1.0, moments[1]),
                np.where(silent, peaks.n_before, trace.n_before),
            )
            grad_times, bend = np.where(silent, -grad_peaks, grad_times), peaks.bend

        def work(
            first: int, last: int, events=events, units=units, moments=moments, bend=bend,
            grad=grad_times, grad_events=grad_events,
        ) -> tuple[np.ndarray, ...]:  # fmt: skip
            sums = np.zeros_like(units.w), np.zeros(len(units.w)), np.zeros_like(units.delay)
            differentiate(
                *events, *units, first, last, *moments, bend, grad, grad_events, *sums
            )  # fmt: skip
            return sums

        parts = in_parts(work, len(grad_times), len(grad_times) * layer.w.size * 100.0)
        w, bias, delay = (sum(part) for part in zip(*parts, strict=True))
        found = {"w": w.T, "bias": bias, "delay": _delay_like(layer, delay)}
        gradients.append({name: found[name] for name in layer.parameters()})
        if layer is not network.layers[0]:
            grad_times = np.zeros((len(grad_times), layer.n_pre))
            trial = np.repeat(np.arange(len(grad_times)), np.diff(events.starts))
            grad_times[trial, events.units] = grad_events
    return gradients[::-1], grad_events


def _v_inf(layer: Layer) -> np.ndarray:
    """Return the potential that constant currents lead to (mV), one for each unit."""
    neuron = layer.neuron
    return np.asarray(neuron.v_rest + neuron.r_m * (layer.bias + neuron.i_ext))


def units_of(layer: Layer) -> Units:
    """Return what the kernels must know of the units of a layer and of what leads to them."""
    neuron, n = layer.neuron, layer.n_post
    tau_m, c_m = (np.full(n, value) for value in (neuron.tau_m, neuron.c_m))
    tau_syn = layer.synapse.tau_syn
    v_inf = _v_inf(layer)
    formula = np.full(n, GENERAL)
    formula[tau_m == tau_syn] = EQUAL
    formula[tau_m == 2.0 * tau_syn] = DOUBLE
    delay = np.zeros(()) if layer.delay is None else layer.delay
    if delay.ndim == 2:
        delay = np.array(delay.T, order="C")
    else:
        delay = np.full((1, layer.n_pre), delay)
    return Units(
        w=np.array(layer.w.T, order="C"),
        delay=delay,
        u_init=(neuron.v_rest if neuron.v_init is None else neuron.v_init) - v_inf,
        theta=neuron.v_th - v_inf,
        tau_m=tau_m,
        c_m=c_m,
        formula=formula,
        tau_syn=tau_syn,
        alike=bool(np.all(tau_m == tau_m[0])),
    )


def least_weight(layer: Layer) -> np.ndarray:
    """Return for each unit the smallest weight (pA) of which one spike takes it to threshold."""
    units = units_of(layer)
    k = 1.0 / units.tau_syn - 1.0 / units.tau_m
    same = k == 0.0
    peak = np.where(same, units.tau_m, np.log1p(k * units.tau_m) / np.where(same, 1.0, k))
    rises = [
        _differences(h, tau_m, units.tau_syn)
        for h, tau_m in zip(peak, units.tau_m, strict=True)
    ]  # fmt: skip
    return (layer.neuron.v_th - layer.neuron.v_rest) * units.c_m / np.array(rises)


def _delay_like(layer: Layer, rows: np.ndarray) -> Any:
    """Return the gradient by a delay in the shape that the layer has it in."""
    if layer.delay is None:
        return None
    if layer.delay.ndim == 2:
        return rows.T
    return rows[0] if layer.delay.ndim == 1 else np.asarray(rows.sum())


def _differences(h: Any, tau_m: Any, tau_syn: float) -> Any:
    """Return D of :mod:`spikesim.layered.crossing` for an array of times."""
    k = abs(1.0 / tau_syn - 1.0 / tau_m)
    slow = np.exp(-h / max(tau_m, tau_syn))
    return h * slow if k == 0.0 else -slow * np.expm1(-h * k) / k
