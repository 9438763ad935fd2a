"""The loop over stretches: every population is advanced, then its spikes are sent.

A stretch is at most as long as the shortest delay, so no population needs to hear of another
within it. Its length depends on the clock and changes no bit of the result.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from spikesim.engine import drive
from spikesim.engine.advance import advance
from spikesim.engine.build import Built, BuiltLIF, BuiltPoisson
from spikesim.engine.deliver import deliver
from spikesim.engine.memory import require_memory
from spikesim.engine.rng import fill_poisson, key_from_seed
from spikesim.errors import NonFiniteStateError

__all__ = ["Log", "TraceRequest", "copy_arrays", "initial_arrays", "make_log", "run"]

_STRETCH_SECONDS = 0.03
_NONE = np.zeros(0, dtype=np.int64)
_NO_TRACE = np.zeros((0, 0))


class TraceRequest(NamedTuple):
    """Which variables of which neurons of a population to sample, every `interval` steps."""

    variables: tuple[str, ...]
    neurons: np.ndarray
    interval: int


@dataclass(eq=False)
class Log:
    """What a run has recorded so far: complete up to and including step `done`."""

    first_step: int
    done: int
    requests: dict[str, TraceRequest]
    traces: dict[str, dict[str, np.ndarray]]
    spikes: dict[str, list[tuple[np.ndarray, np.ndarray]]] = field(default_factory=dict)


def initial_arrays(built: Built) -> dict[str, np.ndarray]:
    """Return the state at t = 0: one dictionary of plain arrays."""
    arrays: dict[str, np.ndarray] = {"ring": np.zeros((built.n_rows, built.length))}
    for population in built.populations:
        if isinstance(population, BuiltLIF):
            shape = (population.n, len(population.ports))
            arrays[f"{population.name}.v"] = population.parameters["v_init"].copy()
            arrays[f"{population.name}.refractory"] = np.zeros(population.n, dtype=np.int64)
            arrays[f"{population.name}.i_syn"] = np.zeros(shape)
            arrays[f"{population.name}.x_syn"] = np.zeros(shape)
    return arrays


def copy_arrays(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return a state that shares no memory with `arrays`."""
    return {name: array.copy() for name, array in arrays.items()}


def make_log(built: Built, requests: dict[str, TraceRequest], done: int, n_steps: int) -> Log:
    """Make room for the traces of the steps after `done`.

    Raises
    ------
    NotEnoughMemoryError
        The traces do not fit.
    """
    shapes = {
        name: ((done + n_steps) // r.interval - done // r.interval, len(r.neurons))
        for name, r in requests.items()
    }
    n_bytes = sum(
        8 * shapes[name][0] * shapes[name][1] * len(r.variables) for name, r in requests.items()
    )
    require_memory(
        "simulate.record", n_bytes, "record fewer neurons or with a longer record_interval"
    )
    traces = {
        name: {variable: np.empty(shapes[name]) for variable in r.variables}
        for name, r in requests.items()
    }
    spikes: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {p.name: [] for p in built.populations}
    return Log(done + 1, done, requests, traces, spikes)


def run(built: Built, arrays: dict[str, np.ndarray], log: Log, n_steps: int) -> Iterator[int]:
    """Advance `arrays` by `n_steps`, writing into `log`; yield after each stretch.

    Yields
    ------
    int
        The last step done; `arrays` and `log` are those of the end of that step.

    Raises
    ------
    NonFiniteStateError
        A state variable is NaN or infinite at the end of a stretch.
    """
    key = key_from_seed(built.seed)
    end = log.done + n_steps
    advancers = [_advancer(built, p, arrays, log, key) for p in built.populations]
    sends = np.diff(built.offsets).astype(bool)
    speakers = [sends[p.first : p.first + p.n].any() for p in built.populations]
    n_now = built.stretch
    while log.done < end:
        clock = time.perf_counter()
        n_now = min(n_now, end - log.done)
        heard = []
        for population, advance_one, speaks in zip(
            built.populations, advancers, speakers, strict=True
        ):
            steps, ids = advance_one(log.done + 1, n_now)
            if len(steps):
                log.spikes[population.name].append((steps, ids))
                if speaks:
                    heard.append((steps, ids + population.first))
        if heard:
            _deliver(built, arrays["ring"], heard)
        log.done += n_now
        _refuse_non_finite(built, arrays, log)
        yield log.done
        seconds = time.perf_counter() - clock
        fitting = int(n_now * _STRETCH_SECONDS / max(seconds, 1e-9))
        n_now = max(1, min(built.stretch, 2 * n_now, fitting))


def _deliver(built: Built, ring: np.ndarray, heard: list[tuple[np.ndarray, np.ndarray]]) -> None:
    if len(heard) == 1:
        steps, sources = heard[0]
    else:
        steps = np.concatenate([h[0] for h in heard])
        sources = np.concatenate([h[1] for h in heard])
        order = np.argsort(steps, kind="stable")
        steps, sources = steps[order], sources[order]
    deliver(ring, steps, sources, built.offsets, built.cells, built.weights, built.delays)


def _advancer(
    built: Built, population: Any, arrays: dict[str, np.ndarray], log: Log, key: tuple[int, int]
) -> Any:
    """Return the function (first_step, n_steps) -> sorted spikes of one population."""
    if isinstance(population, BuiltLIF):
        return _lif_advancer(built, population, arrays, log, key)
    if isinstance(population, BuiltPoisson):
        everyone = np.arange(population.n)

        def draw(first_step: int, n_steps: int) -> tuple[np.ndarray, np.ndarray]:
            counts = np.empty((population.n, n_steps), dtype=np.int64)
            fill_poisson(counts, population.stream, first_step, everyone, population.mean, *key)
            by_step = counts.T.reshape(-1)
            require_memory("PoissonSource.rate", 16 * int(by_step.sum()), "lower the rate")
            steps, ids = np.divmod(np.flatnonzero(by_step), population.n)
            each = by_step[by_step > 0]
            return np.repeat(steps + first_step, each), np.repeat(ids, each)

        return draw

    def look_up(first_step: int, n_steps: int) -> tuple[np.ndarray, np.ndarray]:
        low, high = np.searchsorted(population.steps, (first_step, first_step + n_steps))
        return population.steps[low:high], population.ids[low:high]

    return look_up


def _lif_advancer(
    built: Built,
    population: BuiltLIF,
    arrays: dict[str, np.ndarray],
    log: Log,
    key: tuple[int, int],
) -> Any:
    name, n, ring = population.name, population.n, arrays["ring"]
    v, refractory, i_syn, x_syn = (
        arrays[f"{name}.{variable}"] for variable in ("v", "refractory", "i_syn", "x_syn")
    )
    n_ports = len(population.ports)
    first_row = population.drive_row
    waiting = ring[first_row : first_row + n_ports * n].reshape(n_ports, n, built.length)
    jump = (
        ring[population.jump_row : population.jump_row + n]
        if population.jump_row >= 0
        else (np.zeros((0, built.length)))
    )
    constants = population.constants
    spike_steps = np.empty(n * built.stretch, dtype=np.int64)
    spike_ids = np.empty(n * built.stretch, dtype=np.int64)
    trace_row, interval, first_sample = _NONE, 1, 0
    v_trace = i_trace = _NO_TRACE
    if name in log.requests:
        request = log.requests[name]
        interval = request.interval
        trace_row = np.full(n, -1, dtype=np.int64)
        trace_row[request.neurons] = np.arange(len(request.neurons))
        first_sample = log.done // interval + 1
        v_trace = log.traces[name].get("v", _NO_TRACE)
        i_trace = log.traces[name].get("i_syn", _NO_TRACE)
    has_spikes = bool(population.poisson or population.listed)

    def advance_one(first_step: int, n_steps: int) -> tuple[np.ndarray, np.ndarray]:
        if has_spikes:
            drive.add_spikes(population, ring, first_step, n_steps, key)
        count = advance(
            first_step,
            n_steps,
            v,
            refractory,
            i_syn,
            x_syn,
            waiting,
            jump,
            drive.currents(population, first_step, n_steps, built.dt, key),
            constants.decay_m,
            constants.leak_gain,
            constants.v_rest,
            constants.v_th,
            constants.v_reset,
            constants.ref_steps,
            constants.subtract,
            population.parameters["i_ext"],
            population.ports,
            population.p_vi,
            population.p_vx,
            trace_row,
            interval,
            v_trace,
            i_trace,
            first_sample,
            spike_steps,
            spike_ids,
        )
        steps, ids = spike_steps[:count].copy(), spike_ids[:count].copy()
        if n > 1 and n_steps > 1:
            order = np.argsort(steps, kind="stable")
            return steps[order], ids[order]
        return steps, ids

    return advance_one


def _refuse_non_finite(built: Built, arrays: dict[str, np.ndarray], log: Log) -> None:
    for population in built.populations:
        if not isinstance(population, BuiltLIF):
            continue
        for variable in ("v", "i_syn", "x_syn"):
            values = arrays[f"{population.name}.{variable}"]
            finite = np.isfinite(values)
            if finite.all():
                continue
            index = np.argwhere(~finite)[0]
            raise NonFiniteStateError(
                f"{variable if variable == 'v' else 'i_syn'} of neuron {index[0]} of population "
                f"{population.name!r} became {values[tuple(index)]} by t = "
                f"{log.done * built.dt:g} ms; check weights and currents "
                "(the error's .recording holds what was recorded)"
            )
