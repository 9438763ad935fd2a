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

import math
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from spikesim._jit import kernel
from spikesim.layered.crossing import DOUBLE, EQUAL, GENERAL, crossing, difference
from spikesim.layered.network import Layer, LayeredNetwork
from spikesim.layered.spike_times import SpikeTimes

__all__ = ["FirstSpikes", "first_spike_gradients", "first_spikes"]

# Sums over trials are taken chunk by chunk, so that any number of threads gives the same bits.
_CHUNK_TRIALS = 32
_MOST_CHUNKS = 16
# Below so many synapses times trials, threads cost more than they save.
_WORTH_THREADS = 200_000


class FirstSpikes(NamedTuple):
    """First spikes of the units of one layer.

    Attributes
    ----------
    times : ndarray, shape (n_trials, n_units)
        Time of the first spike (ms), ``inf`` for a unit that stays silent.
    slope : ndarray, shape (n_trials, n_units)
        How fast the potential rises there (mV/ms), 0 for a silent unit.
    n_before : ndarray of int64, shape (n_trials, n_units)
        Number of arrivals before it, the causal set.
    """

    times: np.ndarray
    slope: np.ndarray
    n_before: np.ndarray


class _Events(NamedTuple):
    """Input spikes in order of time; those of trial b are starts[b] to starts[b + 1] - 1."""

    times: np.ndarray
    units: np.ndarray
    starts: np.ndarray


class _Units(NamedTuple):
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


def first_spikes(network: LayeredNetwork, inputs: SpikeTimes) -> tuple[FirstSpikes, ...]:
    """Return the first spike of every unit; what units do after it is left out.

    Parameters
    ----------
    network : LayeredNetwork
        In continuous time; recurrent weights are left out, too.
    inputs : SpikeTimes
        Spikes of its input lines, several a line if need be.

    Returns
    -------
    tuple of FirstSpikes
        One for each layer.
    """
    events = _events_of(inputs)
    runs = []
    for layer in network.layers:
        units = _units_of(layer)
        n_trials = len(events.starts) - 1
        found = FirstSpikes(
            np.full((n_trials, layer.n_post), np.inf),
            np.zeros((n_trials, layer.n_post)),
            np.zeros((n_trials, layer.n_post), dtype=np.int64),
        )

        def work(first: int, last: int, events=events, units=units, found=found) -> None:
            _fire(*events, *units, inputs.duration, first, last, *found)

        for _ in _chunks(work, n_trials, layer.w.size):
            pass
        runs.append(found)
        events = _events_from(found.times)
    return tuple(runs)


def first_spike_gradients(
    network: LayeredNetwork,
    inputs: SpikeTimes,
    runs: tuple[FirstSpikes, ...],
    grad_times: np.ndarray,
    min_slope: float = 0.0,
) -> tuple[list[dict[str, np.ndarray]], np.ndarray]:
    """Return the gradient of a loss of the first spikes of the last layer.

    Parameters
    ----------
    network : LayeredNetwork
        The network.
    inputs : SpikeTimes
        Its input.
    runs : tuple of FirstSpikes
        What :func:`first_spikes` made of it.
    grad_times : ndarray, shape (n_trials, n_outputs)
        Derivative of the loss by each first spike (1/ms); that of a silent unit has no effect.
    min_slope : float, default 0
        Slopes below are taken as this (mV/ms), which bounds the derivatives.

    Returns
    -------
    gradients : list of dict of ndarray
        For each layer by its trainable arrays.
    grad_inputs : ndarray, shape (n_spikes,)
        By the times of the input spikes.
    """
    all_events = [_events_of(inputs), *(_events_from(run.times) for run in runs[:-1])]
    gradients: list[dict[str, np.ndarray]] = []
    for layer, events, run in zip(
        reversed(network.layers), reversed(all_events), reversed(runs), strict=True
    ):
        units = _units_of(layer)
        grad_events = np.zeros(len(events.times))

        def work(
            first: int, last: int, events=events, units=units, run=run, grad=grad_times,
            grad_events=grad_events,
        ) -> tuple[np.ndarray, ...]:  # fmt: skip
            sums = np.zeros_like(units.w), np.zeros(len(units.w)), np.zeros_like(units.delay)
            _differentiate(
                *events, *units, first, last, *run, grad, min_slope, grad_events, *sums
            )  # fmt: skip
            return sums

        parts = _chunks(work, len(grad_times), layer.w.size)
        w, bias, delay = next(parts)
        for part in parts:
            w += part[0]
            bias += part[1]
            delay += part[2]
        found = {"w": w.T, "bias": bias, "delay": _delay_like(layer, delay)}
        gradients.append({name: found[name] for name in layer.parameters()})
        if layer is not network.layers[0]:
            grad_times = np.zeros((len(grad_times), layer.n_pre))
            trial = np.repeat(np.arange(len(grad_times)), np.diff(events.starts))
            grad_times[trial, events.units] = grad_events
    return gradients[::-1], grad_events


def _events_of(inputs: SpikeTimes) -> _Events:
    # Kernels are compiled anew for arrays that are read-only.
    return _Events(inputs.times.copy(), inputs.units.copy(), inputs.starts.copy())


def _events_from(times: np.ndarray) -> _Events:
    order = np.argsort(times, axis=1, kind="stable")
    ordered = np.take_along_axis(times, order, axis=1)
    fires = np.isfinite(ordered)
    starts = np.zeros(len(times) + 1, dtype=np.int64)
    np.cumsum(fires.sum(axis=1), out=starts[1:])
    return _Events(ordered[fires], order[fires], starts)


def _units_of(layer: Layer) -> _Units:
    neuron, n = layer.neuron, layer.n_post
    tau_m, c_m = (np.full(n, value) for value in (neuron.tau_m, neuron.c_m))
    tau_syn = layer.synapse.tau_syn
    v_inf = neuron.v_rest + tau_m / c_m * (layer.bias + neuron.i_ext)
    formula = np.full(n, GENERAL)
    formula[tau_m == tau_syn] = EQUAL
    formula[tau_m == 2.0 * tau_syn] = DOUBLE
    delay = np.zeros(()) if layer.delay is None else layer.delay
    if delay.ndim == 2:
        delay = np.array(delay.T, order="C")
    else:
        delay = np.full((1, layer.n_pre), delay)
    return _Units(
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


def _delay_like(layer: Layer, rows: np.ndarray) -> Any:
    """Return the gradient by a delay in the shape that the layer has it in."""
    if layer.delay is None:
        return None
    if layer.delay.ndim == 2:
        return rows.T
    return rows[0] if layer.delay.ndim == 1 else np.asarray(rows.sum())


def _chunks(work: Callable[[int, int], Any], n_trials: int, n_synapses: int) -> Iterator[Any]:
    """Yield what `work` returns for each chunk of trials, in their order."""
    size = max(_CHUNK_TRIALS, math.ceil(n_trials / _MOST_CHUNKS))
    firsts = range(0, n_trials, size)
    lasts = [min(first + size, n_trials) for first in firsts]
    threads = min(len(firsts), os.cpu_count() or 1)
    if threads == 1 or n_trials * n_synapses < _WORTH_THREADS:
        yield from map(work, firsts, lasts)
        return
    with ThreadPoolExecutor(threads, "spikesim") as executor:
        yield from executor.map(work, firsts, lasts)


@kernel
def _arrive(times, units, first, n, delay, arrival, order):
    """Fill in when the n spikes of a trial arrive, in order of time, and which spikes they are."""
    sorted_already = True
    for k in range(n):
        order[k] = first + k
        arrival[k] = times[first + k] + delay[units[first + k]]
        if k > 0 and arrival[k] < arrival[k - 1]:
            sorted_already = False
    if not sorted_already:
        rank = np.argsort(arrival[:n], kind="mergesort")
        arrival[:n] = arrival[:n][rank]
        order[:n] = first + rank


@kernel
def _decay(arrival, n, tau_m, tau_syn, decay_m, decay_syn, rise):
    """Fill in what passes from each arrival to the next; before the first it is from 0."""
    before = 0.0
    for k in range(n):
        gap = arrival[k] - before
        decay_m[k] = math.exp(-gap / tau_m)
        decay_syn[k] = math.exp(-gap / tau_syn)
        rise[k] = difference(gap, tau_m, tau_syn)
        before = arrival[k]


@kernel
def _fire(
    times,
    units,
    starts,
    w,
    delay,
    u_init,
    theta,
    tau_m,
    c_m,
    formula,
    tau_syn,
    alike,
    duration,
    first,
    last,
    found,
    slope,
    n_before,
):
    most = np.max(starts[first + 1 : last + 1] - starts[first:last])
    arrival, order = np.empty(most), np.empty(most, dtype=np.int64)
    decay_m, decay_syn, rise = np.empty(most), np.empty(most), np.empty(most)
    shared = delay.shape[0] == 1
    for b in range(first, last):
        n = starts[b + 1] - starts[b]
        if shared:
            _arrive(times, units, starts[b], n, delay[0], arrival, order)
            if alike:
                _decay(arrival, n, tau_m[0], tau_syn, decay_m, decay_syn, rise)
        for j in range(w.shape[0]):
            if not shared:
                _arrive(times, units, starts[b], n, delay[j], arrival, order)
            if not (shared and alike):
                _decay(arrival, n, tau_m[j], tau_syn, decay_m, decay_syn, rise)
            u, i, start = u_init[j], 0.0, 0.0
            for k in range(n + 1):
                stop = min(arrival[k], duration) if k < n else duration
                if stop > start:
                    h = crossing(
                        u, i, theta[j], stop - start, formula[j], tau_m[j], tau_syn, c_m[j]
                    )
                    if h < math.inf:
                        found[b, j] = start + h
                        current = i * math.exp(-h / tau_syn)
                        slope[b, j] = -theta[j] / tau_m[j] + current / c_m[j]
                        n_before[b, j] = k
                        break
                if stop == duration:
                    break
                u = u * decay_m[k] + i / c_m[j] * rise[k]
                i = i * decay_syn[k] + w[j, units[order[k]]]
                start = stop


@kernel
def _differentiate(
    times,
    units,
    starts,
    w,
    delay,
    u_init,
    theta,
    tau_m,
    c_m,
    formula,
    tau_syn,
    alike,
    first,
    last,
    found,
    slope,
    n_before,
    grad,
    min_slope,
    grad_events,
    grad_w,
    grad_bias,
    grad_delay,
):
    most = np.max(starts[first + 1 : last + 1] - starts[first:last])
    arrival, order = np.empty(most), np.empty(most, dtype=np.int64)
    decay_m, decay_syn, rise = np.empty(most), np.empty(most), np.empty(most)
    shared = delay.shape[0] == 1
    for b in range(first, last):
        n = starts[b + 1] - starts[b]
        if shared:
            _arrive(times, units, starts[b], n, delay[0], arrival, order)
            if alike:
                _decay(arrival, n, tau_m[0], tau_syn, decay_m, decay_syn, rise)
        for j in range(w.shape[0]):
            steepness = max(slope[b, j], min_slope)
            if found[b, j] == math.inf or grad[b, j] == 0.0 or not steepness > 0.0:
                continue
            if not shared:
                _arrive(times, units, starts[b], n, delay[j], arrival, order)
            if not (shared and alike):
                _decay(arrival, n, tau_m[j], tau_syn, decay_m, decay_syn, rise)
            g = grad[b, j] / steepness
            grad_bias[j] += g * tau_m[j] / c_m[j] * math.expm1(-found[b, j] / tau_m[j])
            row = 0 if shared else j
            for k in range(n_before[b, j] - 1, -1, -1):
                # From arrival k to the spike, put together from its two parts.
                if k == n_before[b, j] - 1:
                    since = found[b, j] - arrival[k]
                    left_m = math.exp(-since / tau_m[j])
                    left_syn = math.exp(-since / tau_syn)
                    risen = difference(since, tau_m[j], tau_syn)
                else:
                    risen = rise[k + 1] * left_m + decay_syn[k + 1] * risen
                    left_m *= decay_m[k + 1]
                    left_syn *= decay_syn[k + 1]
                i = units[order[k]]
                grad_w[j, i] -= g * risen / c_m[j]
                shift = g * w[j, i] / c_m[j] * (left_syn - risen / tau_m[j])
                grad_delay[row, i] += shift
                grad_events[order[k]] += shift
