r"""Layered networks in continuous time, forward and backward, trials in parallel.

The equations are those of :mod:`spikesim.layered.events` and
:mod:`spikesim.layered.event_adjoint`. A spike arrives after its delay (none by default), over
recurrent connections at once. Trials are cut into chunks of a size that their number alone gives;
each has gradients of its own, which are summed in order, so any number of threads gives the
same bits.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np

from spikesim import _check
from spikesim.errors import NonFiniteStateError, ParameterError
from spikesim.layered import events
from spikesim.layered.event_adjoint import adjoint_joint, adjoint_units
from spikesim.layered.network import Layer, LayeredNetwork
from spikesim.layered.spike_times import SpikeTimes
from spikesim.neurons import LIF

__all__ = ["ContinuousTrace", "EventGradients", "backward", "run", "spikes_of"]

_MOST_CHUNKS = 8
_SMALLEST_CHUNK = 4
# Spikes of one unit in one trial: no sensible network comes near.
_MOST_SPIKES = 100_000
# Arrivals times units of a run below which threads cost more than they bring.
_WORTH_THREADS = 20_000

_NONE = np.zeros((0, 0))
_NO_NUMBERS = np.zeros((0, 0), dtype=np.int64)
_FINISHED = (events.FINE, 0, 0)


class _Chunk(NamedTuple):
    """What one layer did in some of the trials; see the kernels in events for the arrays."""

    first: int
    last: int
    values: np.ndarray
    places: np.ndarray
    offsets: np.ndarray
    order: np.ndarray
    starts: np.ndarray
    peaks: np.ndarray
    peak_places: np.ndarray
    log: np.ndarray
    log_times: np.ndarray
    log_starts: np.ndarray

    @property
    def spikes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, int, int, np.ndarray]:
        """Spikes as the next layer takes them: times, units, starts, first, last, source."""
        order = self.order
        times, units = self.values[order, 0], self.places[order, 0]
        return times, units, self.starts, 0, self.last - self.first, order


class ContinuousTrace:
    """What one layer did in continuous time.

    Attributes
    ----------
    times : ndarray, shape (n_spikes,)
        Exact times of all spikes (ms), by trial and in order within it.
    units : ndarray of int64, shape (n_spikes,)
        The unit of each.
    starts : ndarray of int64, shape (n_trials + 1,)
        Spikes ``starts[b]`` to ``starts[b + 1] - 1`` belong to trial b.
    first_spikes : ndarray, shape (n_trials, n_units)
        Time of the first spike of each unit (ms); inf if it was silent.
    counts : ndarray of int64, shape (n_trials, n_units)
        Spikes of each unit.
    v_max, v_mean : ndarray, shape (n_trials, n_units), or None
        Highest and mean potential (mV), known of layers without recurrent connections.
    output : ndarray, shape (n_steps, n_trials, n_units)
        Number of spikes in each step of `dt` of the network: in ``output[k]`` those later than
        ``k * dt`` and no later than ``(k + 1) * dt``. Made when asked for.
    v : ndarray, shape (n_steps, n_trials, n_units)
        Membrane potential at the ends of the steps (mV). Made when asked for.
    held : ndarray of bool, shape (n_steps, n_trials, n_units)
        All False: there are no refractory periods.
    """

    def __init__(self, layer: Layer, chunks: list[_Chunk], before: Any, duration: float, dt: float):
        self._layer = layer
        self._chunks = chunks
        self._before = before
        self.duration = duration
        self.dt = dt
        self.n_trials = chunks[-1].last

    @property
    def n_steps(self) -> int:
        """Steps of `dt` that cover the trial."""
        return max(1, int(np.ceil(self.duration / self.dt - 1e-9)))

    @cached_property
    def times(self) -> np.ndarray:
        """Times of all spikes."""
        return np.concatenate([c.values[c.order, 0] for c in self._chunks])

    @cached_property
    def units(self) -> np.ndarray:
        """Units of all spikes."""
        return np.concatenate([c.places[c.order, 0] for c in self._chunks])

    @cached_property
    def starts(self) -> np.ndarray:
        """Where the spikes of each trial begin."""
        counts = np.concatenate([np.diff(c.starts) for c in self._chunks])
        return np.concatenate([[0], np.cumsum(counts)])

    @cached_property
    def first_spikes(self) -> np.ndarray:
        """Time of the first spike of each unit, inf where there is none."""
        first = np.full((self.n_trials, self._layer.n_post), np.inf)
        for chunk in self._chunks:
            place, spike = _first_of(chunk, self._layer.n_post)
            first[chunk.first : chunk.last].reshape(-1)[place] = chunk.values[spike, 0]
        return first

    @cached_property
    def counts(self) -> np.ndarray:
        """Spikes of each unit in each trial."""
        n = self._layer.n_post
        trials = np.repeat(np.arange(self.n_trials), np.diff(self.starts))
        return np.bincount(trials * n + self.units, minlength=self.n_trials * n).reshape(-1, n)

    @property
    def v_max(self) -> np.ndarray | None:
        """Highest potential of each unit."""
        return self._peak(0)

    @property
    def v_mean(self) -> np.ndarray | None:
        """Mean potential of each unit."""
        return self._peak(3)

    def _peak(self, column: int) -> np.ndarray | None:
        if not all(c.peaks.size for c in self._chunks):
            return None
        return np.concatenate([c.peaks[:, :, column] for c in self._chunks])

    @cached_property
    def output(self) -> np.ndarray:
        """Spikes in each step."""
        n_steps, n_units = self.n_steps, self._layer.n_post
        output = np.zeros((n_steps, self.n_trials, n_units))
        steps = np.clip(np.ceil(self.times / self.dt).astype(np.int64) - 1, 0, n_steps - 1)
        trials = np.repeat(np.arange(self.n_trials), np.diff(self.starts))
        np.add.at(output, (steps, trials, self.units), 1.0)
        return output

    @cached_property
    def v(self) -> np.ndarray:
        """Membrane potential at the ends of the steps, summed over all that ever happened."""
        layer = self._layer
        at = np.minimum(self.dt * np.arange(1, self.n_steps + 1), self.duration)
        table = _units(layer)
        v = np.empty((len(at), self.n_trials, layer.n_post))
        for b in range(self.n_trials):
            for j in range(layer.n_post):
                v[:, b, j] = self._potential(table[j], at, b, j)
        return v

    @property
    def held(self) -> np.ndarray:
        """No unit is ever refractory."""
        return np.zeros((self.n_steps, self.n_trials, self._layer.n_post), dtype=np.bool_)

    def _potential(self, unit: np.ndarray, at: np.ndarray, b: int, j: int) -> np.ndarray:
        layer, before = self._layer, self._before
        tau_m, c_m, v_inf, v_th, v_reset, v_init = unit
        tau_syn = layer.synapse.tau_syn
        v = v_inf + (v_init - v_inf) * np.exp(-at / tau_m)
        mine = slice(self.starts[b], self.starts[b + 1])
        inputs = slice(before.starts[b], before.starts[b + 1])
        lines = before.units[inputs]
        arrivals = [(before.times[inputs] + _delay_of(layer, lines, j), layer.w[lines, j])]
        if layer.w_rec is not None:
            arrivals.append((self.times[mine], layer.w_rec[self.units[mine], j]))
        for times, weights in arrivals:
            for time, weight in zip(times, weights, strict=True):
                later = at[at > time] - time
                if abs(tau_m - tau_syn) > 1e-6 * tau_m:
                    gain = np.exp(-later / tau_m) - np.exp(-later / tau_syn)
                    gain /= 1.0 / tau_syn - 1.0 / tau_m
                else:
                    gain = later * np.exp(-later / tau_m)
                v[at > time] += weight / c_m * gain
        for time in self.times[mine][self.units[mine] == j]:
            later = at[at >= time] - time
            v[at >= time] -= (v_th - v_reset) * np.exp(-later / tau_m)
        return v


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


def run(network: LayeredNetwork, x: SpikeTimes) -> tuple[ContinuousTrace, ...]:
    """Run a network in continuous time from its initial state.

    Parameters
    ----------
    network : LayeredNetwork
        Of ``continuous=True``.
    x : SpikeTimes
        Input.

    Raises
    ------
    ParameterError
        Units with a refractory period, or that start at or above threshold.
    NonFiniteStateError
        A potential beyond double precision, or a unit that fires without end.
    """
    tables = [_units(layer) for layer in network.layers]
    weights = [_weights(layer) for layer in network.layers]

    def forward(chunk: tuple[int, int]) -> list[_Chunk]:
        first, last = chunk
        given: Any = (x.times, x.units, x.starts, first, last, None)
        done = []
        for index, layer in enumerate(network.layers):
            watch = index == len(network.layers) - 1
            args = (*given[:5], weights[index])
            result = _run_layer(index, layer, args, tables[index], x.duration, watch, chunk)
            given = result.spikes
            done.append(result)
        return done

    chunks = _in_threads(forward, _cut(x.n_trials), len(x.times) * network.layers[0].n_post)
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
    traces: Sequence[ContinuousTrace],
    gradients: EventGradients,
) -> tuple[list[dict[str, np.ndarray]], np.ndarray]:
    """Return the gradient by every trainable array, and by the times of the input.

    Parameters
    ----------
    network, x
        As given to :func:`run`.
    traces : sequence of ContinuousTrace
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
        A gradient by potentials of a layer with recurrent connections.
    """
    layers = network.layers
    tables = [_units(layer) for layer in layers]
    weights = [_weights(layer) for layer in layers]
    cut = _cut(x.n_trials)
    by_input = np.zeros(len(x.times))
    identity = np.arange(len(x.times))

    def adjoint(number: int) -> list[dict[str, np.ndarray]]:
        first, last = cut[number]
        chunk = traces[-1]._chunks[number]
        grad_times = _by_spike(chunk, layers[-1], traces[-1], gradients)
        found: list[dict[str, np.ndarray]] = []
        for index in range(len(layers) - 1, -1, -1):
            layer, chunk = layers[index], traces[index]._chunks[number]
            top = index == len(layers) - 1
            if index:
                below = traces[index - 1]._chunks[number]
                given: Any = below.spikes
                grad_source = np.zeros(len(below.values))
            else:
                given = (x.times, x.units, x.starts, first, last, identity)
                grad_source = by_input
            args = (*given, weights[index])
            peak = gradients.v_max if top else None
            mean = gradients.v_mean if top else None
            found.append(
                _adjoint_layer(
                    layer, args, tables[index], x.duration, chunk, grad_times,
                    _NONE if peak is None else peak[first:last],
                    _NONE if mean is None else mean[first:last],
                    grad_source,
                )
            )  # fmt: skip
            grad_times = grad_source
        return found[::-1]

    parts = _in_threads(adjoint, list(range(len(cut))), len(x.times) * layers[0].n_post)
    total = []
    for index, layer in enumerate(layers):
        arrays = {}
        for name in layer.parameters():
            summed = parts[0][index][name]
            for part in parts[1:]:
                summed += part[index][name]
            arrays[name] = _shaped(name, summed, layer)
        total.append(arrays)
    return total, by_input


def _run_layer(
    index: int,
    layer: Layer,
    args: tuple,
    table: np.ndarray,
    duration: float,
    watch: bool,
    chunk: tuple[int, int],
) -> _Chunk:
    delay, tau_syn = _delays(layer), layer.synapse.tau_syn
    n_trials, n = chunk[1] - chunk[0], layer.n_post
    if layer.w_rec is None:
        values, places, offsets, order, peaks, peak_places, status = events.run_units(
            *args, delay, table, tau_syn, duration, watch, _MOST_SPIKES
        )
        starts = offsets[::n]
        log, log_times, log_starts = _NO_NUMBERS, _NONE, offsets[:1]
    else:
        values, places, offsets, log, log_times, log_starts, status = events.run_joint(
            *args, layer.w_rec, delay, table, tau_syn, duration, _MOST_SPIKES
        )
        order, starts = np.arange(len(values)), offsets
        peaks, peak_places = np.zeros((0, 0, 4)), _NO_NUMBERS
    if status != _FINISHED:
        _refuse(index, chunk[0] - args[3], *status)
    return _Chunk(
        *chunk, values, places, offsets, order, np.ascontiguousarray(starts), peaks, peak_places,
        log, log_times, log_starts,
    )  # fmt: skip


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
    layer: Layer,
    args: tuple,
    table: np.ndarray,
    duration: float,
    chunk: _Chunk,
    grad_times: np.ndarray,
    grad_peak: np.ndarray,
    grad_mean: np.ndarray,
    grad_source: np.ndarray,
) -> dict[str, np.ndarray]:
    weights = args[-1]
    grad_w = np.zeros(weights.shape)
    grad_bias = np.zeros(layer.n_post)
    grad_delay = np.zeros(weights.shape) if "delay" in layer.parameters() else _NONE
    tau_syn = layer.synapse.tau_syn
    found = {"w": grad_w, "bias": grad_bias, "delay": grad_delay}
    if layer.w_rec is None:
        adjoint_units(
            *args, _delays(layer), table, tau_syn, duration, chunk.values, chunk.places,
            chunk.offsets, grad_times, chunk.peaks, chunk.peak_places,
            np.ascontiguousarray(grad_peak), np.ascontiguousarray(grad_mean),
            grad_w, grad_bias, grad_delay, grad_source,
        )  # fmt: skip
    else:
        if grad_peak.size or grad_mean.size:
            raise ParameterError(
                "backward: potentials of a layer with recurrent connections are not read"
            )
        grad_rec = found["w_rec"] = np.zeros(layer.w_rec.shape)
        adjoint_joint(
            *args, layer.w_rec, table, tau_syn, chunk.values, chunk.places, chunk.log,
            chunk.log_times, chunk.log_starts, grad_times, grad_w, grad_rec, grad_bias,
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


def _by_spike(
    chunk: _Chunk, layer: Layer, trace: ContinuousTrace, gradients: EventGradients
) -> np.ndarray:
    """Return the gradient by the time of each spike of a chunk, in its own order."""
    by_spike = np.zeros(len(chunk.values))
    if gradients.first_spikes is not None:
        place, spike = _first_of(chunk, layer.n_post)
        by_spike[spike] = gradients.first_spikes[chunk.first : chunk.last].reshape(-1)[place]
    if gradients.times is not None:
        part = slice(trace.starts[chunk.first], trace.starts[chunk.last])
        by_spike[chunk.order] += gradients.times[part]
    return by_spike


def _first_of(chunk: _Chunk, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return which (trial, unit), counted through, fired, and the number of the first spike."""
    trials = np.repeat(np.arange(chunk.last - chunk.first), np.diff(chunk.starts))
    return np.unique(trials * n + chunk.places[:, 0], return_index=True)


def _units(layer: Layer) -> np.ndarray:
    """Return the table of units that the kernels take."""
    table = _constants(layer.neuron, layer.n_post).copy()
    table[:, events.V_INF] += table[:, events.TAU_M] / table[:, events.C_M] * layer.bias
    return table


@lru_cache(maxsize=256)
def _constants(neuron: LIF, n: int) -> np.ndarray:
    if np.any(np.asarray(neuron.t_ref) > 0.0):
        raise ParameterError(
            "LIF.t_ref must be 0 in continuous time: refractory periods need a grid"
        )
    v_init = neuron.v_rest if neuron.v_init is None else neuron.v_init
    if np.any(np.asarray(v_init) >= np.asarray(neuron.v_th)):
        raise ParameterError("LIF.v_init must be below LIF.v_th in continuous time")
    table = np.empty((n, 6))
    v_inf = np.asarray(neuron.v_rest) + np.asarray(neuron.r_m) * np.asarray(neuron.i_ext)
    for column, value in (
        (events.TAU_M, neuron.tau_m),
        (events.C_M, neuron.c_m),
        (events.V_INF, v_inf),
        (events.V_TH, neuron.v_th),
        (events.V_RESET, neuron.v_reset),
        (events.V_INIT, v_init),
    ):
        table[:, column] = value
    table.flags.writeable = False
    return table


def _weights(layer: Layer) -> np.ndarray:
    """Return the weights as the kernels take them: a row for each unit, or each input."""
    return layer.w if layer.w_rec is not None else np.ascontiguousarray(layer.w.T)


def _delays(layer: Layer) -> np.ndarray:
    if layer.delay is None:
        return _NONE
    if layer.delay.ndim == 2:
        return layer.delay
    return np.ascontiguousarray(np.broadcast_to(layer.delay, (layer.n_pre,))[:, None])


def _delay_of(layer: Layer, lines: np.ndarray, unit: int) -> Any:
    delays = _delays(layer)
    return delays[lines, unit if delays.shape[1] > 1 else 0] if delays.size else 0.0


def _cut(n_trials: int) -> list[tuple[int, int]]:
    """Return the first trial and the one after the last of each chunk."""
    size = max(_SMALLEST_CHUNK, -(-n_trials // _MOST_CHUNKS))
    return [(start, min(start + size, n_trials)) for start in range(0, n_trials, size)]


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_n_cpus(), thread_name_prefix="spikesim-layered")


@lru_cache(maxsize=1)
def _n_cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _in_threads(work: Callable, items: list, amount: int) -> list:
    """Return what `work` makes of each item, in their order."""
    if amount < _WORTH_THREADS or len(items) == 1 or _n_cpus() == 1:
        return [work(item) for item in items]
    return list(_pool().map(work, items))
