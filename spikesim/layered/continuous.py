r"""Layered networks in continuous time, forward and backward, trials in parallel.

The equations are those of :mod:`spikesim.layered.events` and
:mod:`spikesim.layered.event_adjoint`. A spike arrives after its delay (none by default), over
recurrent connections at once. Each part of the trials has gradients of its own, which are summed
in order, so any number of threads gives the same bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from spikesim import _check
from spikesim.errors import NonFiniteStateError, ParameterError
from spikesim.layered import events
from spikesim.layered.continuous_trace import Chunk, ContinuousTrace, Plan, first_of, plan
from spikesim.layered.event_adjoint import adjoint_joint, adjoint_units
from spikesim.layered.first_spike import (
    FirstSpikeTrace,
    fires_once,
    first_spike_gradients,
    first_spikes,
)
from spikesim.layered.lif import read_only
from spikesim.layered.network import Layer, LayeredNetwork
from spikesim.layered.spike_times import SpikeTimes
from spikesim.layered.threads import in_parts

__all__ = ["EventGradients", "adjoint", "backward", "run", "spikes_of"]

# Spikes of one unit in one trial: no sensible network comes near.
_MOST_SPIKES = 100_000
# About how many nanoseconds an arrival at a unit takes, with all that it leads to.
_COST_OF_EVENT = 60

_NONE = np.zeros((0, 0))
_NO_NUMBERS = np.zeros((0, 0), dtype=np.int64)
_FINISHED = (events.FINE, 0, 0)


class EventGradients(NamedTuple):
    """Gradient of a loss by what the output layer did, None for zeros.

    Attributes
    ----------
    first_spikes : ndarray, shape (n_trials, n_units)
        By the time of the first spike; without effect where there is none.
    times : ndarray, shape (n_spikes,)
        By the time of every spike, in the order of the trace.
    v_max, v_mean : ndarray, shape (n_trials, n_units)
        By the highest and by the mean potential.
    """

    first_spikes: np.ndarray | None = None
    times: np.ndarray | None = None
    v_max: np.ndarray | None = None
    v_mean: np.ndarray | None = None


def spikes_of(name: str, x: Any, network: LayeredNetwork) -> SpikeTimes:
    """Return the input of a network in continuous time, given as times or on the grid of `dt`."""
    if isinstance(x, SpikeTimes):
        if x.n_inputs != network.n_inputs:
            raise ParameterError(
                f"{name} has {x.n_inputs} lines, the first layer takes {network.n_inputs}"
            )
        return x
    array = _check.float_array(name, x)
    _check.shape(name, array, (None, None, network.n_inputs))
    if 0 in array.shape[:2]:
        raise ParameterError(
            f"{name} must have at least one step and one trial, got shape {array.shape}"
        )
    bad = (array != 0.0) & (array != 1.0)
    if bad.any():
        raise ParameterError(
            f"{name}{_check._first(bad)} is {array[bad].flat[0]:g}; continuous time takes spikes, "
            "0 or 1"
        )
    return SpikeTimes.from_grid(array, network.dt)


def run(network: LayeredNetwork, x: SpikeTimes) -> tuple[Any, ...]:
    """Run a network in continuous time from its initial state.

    Units whose refractory period is no shorter than the trial fire once; if all do, and none
    hears of others of its layer, the traces are :class:`FirstSpikeTrace`.

    Parameters
    ----------
    network : LayeredNetwork
        Of ``continuous=True``.
    x : SpikeTimes
        Input.

    Raises
    ------
    ParameterError
        Units with a shorter refractory period, or that start at or above threshold.
    NonFiniteStateError
        A potential beyond double precision, or a unit that fires without end.
    """
    if fires_once(network, x.duration):
        return first_spikes(network, x)
    plans = [plan(layer) for layer in network.layers]
    for index, layer in enumerate(network.layers):
        if layer.delay_rec:
            raise ParameterError(
                f"layer {index}: Layer.delay_rec must be 0 in continuous time, where recurrent "
                "spikes act at once"
            )

    def forward(first: int, last: int) -> list[Chunk]:
        part = first, last
        given: Any = (x.times, x.units, x.starts, first, last)
        done: list[Chunk] = []
        for index, p in enumerate(plans):
            done.append(_run_layer(index, p, given, x.duration, index == len(plans) - 1, part))
            given = done[-1].spikes[:5]
        return done

    chunks = in_parts(forward, x.n_trials, _cost(plans, x))
    traces: list[ContinuousTrace] = []
    before: Any = x
    for index, layer in enumerate(network.layers):
        parts = [chunk[index] for chunk in chunks]
        before = ContinuousTrace(layer, parts, before, x.duration, network.dt)
        traces.append(before)
    return tuple(traces)


def backward(
    network: LayeredNetwork,
    x: SpikeTimes,
    traces: Sequence[Any],
    gradients: EventGradients,
) -> tuple[list[dict[str, np.ndarray]], np.ndarray]:
    """Return the gradient by every trainable array, and by the times of the input.

    Parameters
    ----------
    network, x
        As given to :func:`run`.
    traces : sequence of ContinuousTrace or FirstSpikeTrace
        What it returned.
    gradients : EventGradients
        By what the output layer did.

    Returns
    -------
    by_array : list of dict
        For each layer the gradient by each array named in its ``trainable``, summed over trials.
    by_input : ndarray, shape (n_spikes,)
        By the time of each spike of `x`.

    Raises
    ------
    ParameterError
        A gradient by potentials of a layer with recurrent connections, or by mean potentials of
        units that fire once.
    """
    if isinstance(traces[-1], FirstSpikeTrace):
        by_first = _by_first(traces[-1], gradients)
        return first_spike_gradients(network, traces, by_first, gradients.v_max)
    plans = [plan(layer) for layer in network.layers]
    return adjoint(plans, x, [trace.chunks for trace in traces], gradients)


def _by_first(trace: FirstSpikeTrace, gradients: EventGradients) -> np.ndarray:
    if gradients.v_mean is not None:
        raise ParameterError("a loss of mean potentials needs units with LIF.t_ref = 0")
    grads = np.zeros(trace.first_spikes.shape)
    if gradients.first_spikes is not None:
        grads += gradients.first_spikes
    if gradients.times is not None:
        trials = np.repeat(np.arange(len(grads)), np.diff(trace.starts))
        grads[trials, trace.units] += gradients.times
    return grads


def adjoint(
    plans: Sequence[Plan],
    x: SpikeTimes,
    chunks: Sequence[Sequence[Chunk]],
    gradients: EventGradients,
) -> tuple[list[dict[str, np.ndarray]], np.ndarray]:
    """Do what :func:`backward` does, from what each layer did in each chunk of the trials."""
    by_input = np.zeros(len(x.times))
    identity = np.arange(len(x.times))
    numbers = {chunk.first: number for number, chunk in enumerate(chunks[-1])}
    shifts = np.cumsum([0, *(len(chunk.values) for chunk in chunks[-1])])

    def walk(first: int, last: int) -> list[dict[str, np.ndarray]]:
        number, here = numbers[first], slice(first, last)
        top = chunks[-1][number]
        grad_times = _by_spike(top, plans[-1].layer.n_post, gradients, shifts[number])
        by_peak, by_mean = (
            _NONE if array is None else np.ascontiguousarray(array[here])
            for array in (gradients.v_max, gradients.v_mean)
        )
        found: list[dict[str, np.ndarray]] = []
        for index in range(len(plans) - 1, -1, -1):
            if index:
                below = chunks[index - 1][number]
                given: Any = below.spikes
                grad_source = np.zeros(len(below.values))
            else:
                given = (x.times, x.units, x.starts, first, last, identity)
                grad_source = by_input
            found.append(
                _adjoint_layer(
                    plans[index], given, x.duration, chunks[index][number], grad_times, by_peak,
                    by_mean, grad_source,
                )
            )  # fmt: skip
            grad_times, by_peak, by_mean = grad_source, _NONE, _NONE
        return found[::-1]

    parts = in_parts(walk, x.n_trials, _cost(plans, x))
    total = []
    for index, p in enumerate(plans):
        arrays = {}
        for name in p.layer.parameters():
            summed = parts[0][index][name]
            for part in parts[1:]:
                summed += part[index][name]
            arrays[name] = _shaped(name, summed, p.layer)
        total.append(arrays)
    return total, by_input


def _cost(plans: Sequence[Plan], x: SpikeTimes) -> float:
    """Return about how many nanoseconds a run takes one thread."""
    return float(_COST_OF_EVENT * len(x.times) * plans[0].layer.n_post)


def _run_layer(
    index: int, p: Plan, given: tuple, duration: float, watch: bool, part: tuple[int, int]
) -> Chunk:
    """Run a layer through a chunk of trials, given times, units, starts, first and last trial."""
    layer, given = p.layer, _as_input(given)
    if layer.w_rec is None:
        values, places, offsets, order, peaks, peak_places, status = events.run_units(
            *given, p.weights, p.delays, p.table, p.tau_syn, duration, watch, _MOST_SPIKES
        )
        starts = np.ascontiguousarray(offsets[:: layer.n_post])
        log, log_times, log_starts = _NO_NUMBERS, _NONE, starts
    else:
        values, places, offsets, log, log_times, log_starts, status = events.run_joint(
            *given, p.weights, layer.w_rec, p.delays, p.table, p.tau_syn, duration, _MOST_SPIKES
        )
        order, starts = np.arange(len(values)), offsets
        peaks, peak_places = np.zeros((0, 0, 4)), _NO_NUMBERS
    if status != _FINISHED:
        _refuse(index, part[0] - given[3], *status)
    return Chunk(
        *part, values, places, offsets, order, starts, peaks, peak_places, log, log_times,
        log_starts,
    )  # fmt: skip


def _as_input(given: tuple) -> tuple:
    """Return what the kernels take, all of one kind: input, or spikes of the layer before."""
    return (*(read_only(array) for array in given[:3]), *given[3:])


def _refuse(index: int, shift: int, what: int, trial: int, unit: int) -> None:
    place = f"layer {index}, unit {unit} in trial {trial + shift}"
    if what == events.TOO_MANY:
        raise NonFiniteStateError(
            f"forward: {place} fires without end; weights or inputs are too large"
        )
    raise NonFiniteStateError(
        f"forward: the state of {place} is not finite; weights or inputs are too large"
    )


def _adjoint_layer(
    p: Plan,
    given: tuple,
    duration: float,
    chunk: Chunk,
    grad_times: np.ndarray,
    by_peak: np.ndarray,
    by_mean: np.ndarray,
    grad_source: np.ndarray,
) -> dict[str, np.ndarray]:
    """Go back through a layer, in a chunk of trials; `grad_source` is added to."""
    layer, given = p.layer, _as_input(given)
    grad_w = np.zeros(p.weights.shape)
    grad_bias = np.zeros(layer.n_post)
    grad_delay = np.zeros(p.weights.shape) if "delay" in layer.parameters() else _NONE
    found = {"w": grad_w, "bias": grad_bias, "delay": grad_delay}
    if layer.w_rec is None:
        adjoint_units(
            *given, p.weights, p.delays, p.table, p.tau_syn, duration, chunk.values, chunk.places,
            chunk.offsets, grad_times, chunk.peaks, chunk.peak_places, by_peak, by_mean,
            grad_w, grad_bias, grad_delay, grad_source,
        )  # fmt: skip
    else:
        if by_peak.size or by_mean.size:
            raise ParameterError(
                "backward: potentials of a layer with recurrent connections are not read"
            )
        grad_rec = found["w_rec"] = np.zeros(layer.w_rec.shape)
        adjoint_joint(
            *given, p.weights, layer.w_rec, p.table, p.tau_syn, chunk.values, chunk.places,
            chunk.log, chunk.log_times, chunk.log_starts, grad_times, grad_w, grad_rec, grad_bias,
            grad_delay, grad_source,
        )  # fmt: skip
    return found


def _shaped(name: str, gradient: np.ndarray, layer: Layer) -> np.ndarray:
    """Return a gradient in the shape of its array; rows are units where nothing is recurrent."""
    if name in ("w", "delay") and layer.w_rec is None:
        gradient = gradient.T
    if name == "delay" and layer.delay.ndim < 2:
        gradient = gradient.sum(axis=1) if layer.delay.ndim else np.asarray(gradient.sum())
    return np.ascontiguousarray(gradient)


def _by_spike(chunk: Chunk, n: int, gradients: EventGradients, shift: int) -> np.ndarray:
    """Return the gradient by the time of each spike of a chunk, in its own order.

    `shift` spikes are in the chunks before.
    """
    by_spike = np.zeros(len(chunk.values))
    if gradients.first_spikes is not None:
        place, spike = first_of(chunk, n)
        by_spike[spike] = gradients.first_spikes[chunk.first : chunk.last].reshape(-1)[place]
    if gradients.times is not None:
        by_spike[chunk.order] += gradients.times[shift : shift + len(by_spike)]
    return by_spike
