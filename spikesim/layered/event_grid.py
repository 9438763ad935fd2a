r"""The adjoint of spike times for a network that ran on a grid.

The spikes of the grid are taken as spikes at the ends of their steps, and the equations of
:mod:`spikesim.layered.event_adjoint` go back from spike to spike, so that work and memory go with
their number and not with that of the steps. Between spikes they are exact, as the grid is. A spike
is as early as the step in which v crosses threshold: its slope :math:`\dot v^-` is the rise of v
over that step, which is never 0 or less, and the gradient tends to that in continuous time as dt
does to 0. Time is counted in steps throughout.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from spikesim.layered import events, lif
from spikesim.layered.continuous import EventGradients, adjoint
from spikesim.layered.continuous_trace import Chunk, Plan, plan
from spikesim.layered.network import Layer, LayeredNetwork
from spikesim.layered.packed import PackedSpikes
from spikesim.layered.spike_times import SpikeTimes
from spikesim.layered.threads import in_parts

__all__ = ["backward_on_grid"]

_NONE = np.zeros((0, 0))
_NO_NUMBERS = np.zeros((0, 0), dtype=np.int64)


def backward_on_grid(
    network: LayeredNetwork, x: Any, traces: Sequence[Any], gradients: EventGradients
) -> list[dict[str, np.ndarray]]:
    """Return the gradient by every trainable array.

    Parameters
    ----------
    network : LayeredNetwork
        On a grid, of LIF units with exponential synapses, without refractory periods and with
        resets to a potential.
    x : ndarray of zeros and ones, shape (n_steps, n_trials, n_inputs), or PackedSpikes
        Input.
    traces : sequence
        What the forward run left.
    gradients : EventGradients
        By what the output layer did; `times` is not read.

    Returns
    -------
    list of dict
        For each layer the gradient by each array named in its ``trainable``, summed over trials.
    """
    dt = network.dt
    spikes = _input_spikes(x)
    plans = [_plan(layer, dt) for layer in network.layers]

    def chunks_of(first: int, last: int) -> list[Chunk]:
        given: Any = (spikes.times, spikes.units, spikes.starts, first, last)
        done: list[Chunk] = []
        for p, trace in zip(plans, traces, strict=True):
            watch = p is plans[-1] and gradients.v_max is not None
            done.append(_chunk(p, trace, given, dt, (first, last), watch))
            given = done[-1].spikes[:5]
        return done

    parts = in_parts(chunks_of, spikes.n_trials, 0.0)
    by_step = gradients._replace(
        first_spikes=None if gradients.first_spikes is None else gradients.first_spikes * dt
    )
    chunks = [list(layer) for layer in zip(*parts, strict=True)]
    found, _ = adjoint(plans, spikes, chunks, by_step)
    return [
        {name: array.astype(network.dtype, copy=False) for name, array in arrays.items()}
        for arrays in found
    ]


def _input_spikes(x: Any) -> SpikeTimes:
    if isinstance(x, PackedSpikes):
        x = x.unpack(np.bool_)
    trial, step, unit = np.nonzero(x.transpose(1, 0, 2))
    starts = np.searchsorted(trial, np.arange(x.shape[1] + 1))
    return SpikeTimes(step + 1.0, unit, starts, x.shape[2], float(len(x)))


def _plan(layer: Layer, dt: float) -> Plan:
    """Return what the kernels need of a layer, in steps."""
    p = plan(layer)
    table = p.table.copy()
    table[:, [events.TAU_M, events.C_M]] /= dt
    delays = np.full((layer.n_pre, 1), float(lif.lags(layer, dt)[0]))
    weights = np.ascontiguousarray(p.weights, dtype=np.float64)
    if layer.w_rec is not None and layer.w_rec.dtype != np.float64:
        layer = layer.cast(np.float64)
    return Plan(layer, table, lif.read_only(weights), lif.read_only(delays), p.tau_syn / dt)


def _chunk(
    p: Plan, trace: Any, given: tuple, dt: float, part: tuple[int, int], watch: bool
) -> Chunk:
    """Return what a layer did in a part of the trials as the kernels in events would leave it."""
    layer, n = p.layer, p.layer.n_post
    here = slice(*part)
    fired, v = np.asarray(trace.output)[:, here], np.asarray(trace.v)[:, here]
    trial, unit, step = np.nonzero(fired.transpose(1, 2, 0))
    joint = layer.w_rec is not None
    if joint:
        by_time = np.lexsort((unit, step, trial))
        trial, unit, step = trial[by_time], unit[by_time], step[by_time]
    values = np.empty((len(step), 3))
    values[:, 0] = step + 1.0
    values[:, 1], values[:, 2] = _slopes(p, fired, v, trial, unit, step)
    places = np.zeros((len(step), 2), dtype=np.int64)
    places[:, 0] = unit
    n_trials = part[1] - part[0]
    group = trial if joint else trial * n + unit
    size = n_trials if joint else n_trials * n
    offsets = np.concatenate([[0], np.cumsum(np.bincount(group, minlength=size))])
    starts = offsets if joint else np.ascontiguousarray(offsets[::n])
    order = np.arange(len(step)) if joint else np.lexsort((unit, step, trial))
    peaks, peak_places = np.zeros((0, 0, 4)), _NO_NUMBERS
    log, log_times, log_starts = _NO_NUMBERS, _NONE, starts
    if joint:
        log, log_times, log_starts = _log(p, values, trial, given, lif.lags(layer, dt)[1])
    else:
        places[:, 1] = _arrivals_before(p, given, trial, values[:, 0])
    if watch:
        peaks, when = np.zeros((n_trials, n, 4)), v.argmax(axis=0) + 1.0
        peaks[:, :, 0], peaks[:, :, 1] = v.max(axis=0), when
        trials = np.repeat(np.arange(n_trials), n)
        peak_places = _arrivals_before(p, given, trials, when.ravel()).reshape(n_trials, n)
    return Chunk(
        *part, values, places, offsets, order, starts, peaks, peak_places, log, log_times,
        log_starts,
    )  # fmt: skip


def _slopes(
    p: Plan, fired: np.ndarray, v: np.ndarray, trial: np.ndarray, unit: np.ndarray, step: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rise of v over the step of each spike, and its slope after the reset, per step."""
    table = p.table
    tau_m, c_m, v_inf = (table[unit, c] for c in (events.TAU_M, events.C_M, events.V_INF))
    v_reset, v_init = table[unit, events.V_RESET], table[unit, events.V_INIT]
    after = v[step, trial, unit].astype(np.float64)
    begin = v[step - 1, trial, unit].astype(np.float64)
    begin = np.where(fired[step - 1, trial, unit] != 0, v_reset, begin)
    begin = np.where(step == 0, v_init, begin)
    # The current that has brought v there, a step later.
    d_m, d_s = np.exp(-1.0 / tau_m), np.exp(-1.0 / p.tau_syn)
    apart = np.abs(tau_m - p.tau_syn) / (tau_m * p.tau_syn)
    slow = np.maximum(d_m, d_s)
    gain = np.where(apart > 0.0, -np.expm1(-apart) / np.where(apart > 0.0, apart, 1.0), 1.0) * slow
    i = d_s * c_m * (after - v_inf - d_m * (begin - v_inf)) / gain
    return after - begin, (v_inf - v_reset) / tau_m + i / c_m


def _arrivals_before(p: Plan, given: tuple, trial: np.ndarray, time: np.ndarray) -> np.ndarray:
    """Return how many spikes of the layer before have arrived in each trial before each time."""
    times, _, starts, first, last = given
    counts = np.diff(starts[first : last + 1])
    spikes = slice(starts[first], starts[last])
    far = 4.0 + times.max(initial=0.0) + time.max(initial=0.0) + p.delays[0, 0]
    keys = times[spikes] + p.delays[0, 0] + far * np.repeat(np.arange(last - first), counts)
    begins = np.concatenate([[0], np.cumsum(counts)])
    return np.searchsorted(keys, time + far * trial, side="left") - begins[trial]


def _log(
    p: Plan, values: np.ndarray, trial: np.ndarray, given: tuple, lag: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return all events of a layer with recurrent connections in their order."""
    times, _, starts, first, last = given
    spikes = np.arange(starts[first], starts[last])
    mine = np.arange(len(values))
    of_inputs = np.repeat(np.arange(last - first), np.diff(starts[first : last + 1]))
    kinds = (
        (events.SPIKE, mine, values[:, 0], trial),
        (events.ECHO, mine, values[:, 0] + lag, trial),
        (events.ARRIVAL, spikes, times[spikes] + p.delays[0, 0], of_inputs),
    )
    kind = np.concatenate([np.full(len(number), code) for code, number, *_ in kinds])
    number, when, whose = (np.concatenate([k[c] for k in kinds]) for c in (1, 2, 3))
    # At one time spikes come first, and what they cause after them.
    order = np.lexsort((-kind, when, whose))
    log = np.zeros((len(order), 4), dtype=np.int64)
    log[:, 0], log[:, 1], log[:, 3] = kind[order], number[order], p.layer.n_post
    counts = np.bincount(whose, minlength=last - first)
    return log, when[order][:, None], np.concatenate([[0], np.cumsum(counts)])
