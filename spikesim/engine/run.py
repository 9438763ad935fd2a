"""A run: chunks of steps, each carried out by all threads at once; between them everything else.

A chunk is some hundredths of a second of work. Its length depends on the clock, and neither it
nor the number of threads changes a bit of the result. What a run leaves behind as its state is
the same for any cut into blocks: states in the order of the neurons, and the spikes that are
still on their way.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numba import config

from spikesim._memory import require_memory
from spikesim.engine import drive
from spikesim.engine import plan as p
from spikesim.engine.barrier import ask_to_stop, leave_alone, make_barrier
from spikesim.engine.built import Built
from spikesim.engine.locate import failure, first_failure
from spikesim.engine.log import Log
from spikesim.engine.pace import Pace
from spikesim.engine.resume import longest_list, most_entries, resume
from spikesim.engine.rng import poisson_scratch
from spikesim.engine.watch import Watch
from spikesim.engine.worker import make_worker
from spikesim.errors import SpikesimError

__all__ = ["copy_arrays", "default_threads", "initial_arrays", "run"]

# A first guess of the work, for the length of the first chunk.
_SECONDS_A_STEP, _SECONDS_A_NEURON = 2e-7, 4e-9
_MOST_CURRENTS = 2**21
_LOG_CAPACITY = 2**15
# Up to this the lists of the calendars are as long as they could ever be asked to be.
_AMPLE_BYTES = 2**26
CALENDAR_CAPACITY = 16
# A network is watched from the first chunk on.
_MANY_SYNAPSES = 10**5
# Bytes of state that are copied before every chunk, to find the step that makes one not finite.
_MOST_KEPT = 2**23
_VARIABLES = {"v": p.V, "i_syn": p.I_SYN, "g_syn": p.G_SYN, "rate": p.RATE, "a": p.A}


def default_threads() -> int:
    """Return the number of threads to use where nobody says: Numba's own, that of the cores."""
    return config.NUMBA_NUM_THREADS


def initial_arrays(built: Built) -> dict[str, np.ndarray]:
    """Return the state at t = 0: one dictionary of plain arrays, in the order of the neurons."""
    arrays: dict[str, np.ndarray] = {
        "spikes.steps": np.zeros(0, dtype=np.int64),
        "spikes.ids": np.zeros(0, dtype=np.int64),
    }
    for population in built.populations:
        if not len(population.initial):
            continue
        name, shape = population.name, (population.n, len(population.ports))
        arrays[f"{name}.v"] = population.initial.astype(built.real)
        arrays[f"{name}.refractory"] = np.zeros(population.n, dtype=np.int32)
        arrays[f"{name}.i_syn"] = np.zeros(shape, dtype=built.real)
        arrays[f"{name}.x_syn"] = np.zeros(shape, dtype=built.real)
        if population.rates >= 0:
            arrays[f"{name}.rates"] = np.zeros((built.longest, population.n))
        if population.adaptation >= 0:
            arrays[f"{name}.a"] = np.zeros(population.n, dtype=built.real)
    return arrays


def copy_arrays(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return a state that shares no memory with `arrays`."""
    return {name: array.copy() for name, array in arrays.items()}


def run(
    built: Built,
    arrays: dict[str, np.ndarray],
    log: Log,
    last: int,
    threads: int = 1,
    free: bool = False,
) -> Generator[Callable[[], dict[str, np.ndarray]]]:
    """Advance `arrays` to the step `last`, writing into `log`; yield after each chunk.

    Parameters
    ----------
    built : Built
        The network.
    arrays : dict of ndarray
        The state after step ``log.done``; its arrays are replaced when the run ends, however it
        ends.
    log : Log
        Where spikes and traces go. After a NonFiniteStateError it ends before the failure.
    last, threads : int
        Last step; threads, of which no more are used than there are blocks.
    free : bool
        Whether one thread may be used where that is quicker.

    Yields
    ------
    callable
        Returns the state at this moment.

    Raises
    ------
    NonFiniteStateError
        A state variable is NaN or infinite at the end of a chunk.
    """
    state = _State(built, arrays, log)
    slow = config.DISABLE_JIT or built.stores.n_synapses > _MANY_SYNAPSES
    watch = Watch(lambda: ask_to_stop(state.barrier), at_once=bool(slow))
    threads, executor = _team(1 if config.DISABLE_JIT else max(1, min(threads, built.n_blocks)))
    pace = Pace(threads, state.first_guess(threads), free)
    try:
        while log.done < last:
            clock = time.perf_counter()
            n_now = max(1, min(pace.steps, last - log.done, state.longest_chunk))
            kept = state.keep()
            watch.begin()
            state.advance(log.done + n_now, pace.threads, executor)
            watch.end()
            if not state.is_finite():
                state.fail(kept)
            yield state.arrays
            pace.report(log.done - kept[0], time.perf_counter() - clock)
    finally:
        watch.close()
        if executor is not None:
            executor.shutdown()
        arrays.update(state.arrays())


def _team(threads: int) -> tuple[int, ThreadPoolExecutor | None]:
    """Start threads beside the calling one; return how many there are in all.

    They are started before there is work: if the system allows no more of them, those that there
    are would wait for the others without end.
    """
    if threads == 1:
        return 1, None
    executor = ThreadPoolExecutor(threads - 1, "spikesim")
    there = threading.Barrier(threads)
    try:
        for _ in range(threads - 1):
            executor.submit(there.wait)
        there.wait()
    except BaseException as error:
        there.abort()
        executor.shutdown()
        if isinstance(error, RuntimeError):
            return 1, None
        raise
    return threads, executor


class _State:
    """The memory of the kernels, and how it is filled from a state and turned into one."""

    def __init__(self, built: Built, arrays: Mapping[str, np.ndarray], log: Log):
        self.built, self.log = built, log
        plan, real = built.plan, built.real
        n_blocks, n_populations = built.n_blocks, len(built.populations)
        n_neurons = sum(population.n for population in built.populations)
        sends_rates = built.n_rates > 0
        self.stores = tuple(
            store._replace(
                starts=store.starts.view(np.uint64),
                bucket_starts=store.bucket_starts.view(np.uint64),
                buckets=store.buckets.view(np.uint64),
            )
            for store in (built.stores.uniform, built.stores.listed)
        )
        self.work = make_worker(
            bool(np.any(plan.populations[:, p.CONDUCTANCES])),
            len(plan.draws) > 0,
            sends_rates,
            bool(np.any(plan.populations[:, p.KIND] == p.ADAPTIVE_LIF)),
        )
        self.sends = any(len(store.buckets) for store in self.stores)
        self.entries = max(most_entries(s) if len(s.buckets) else 0 for s in self.stores)
        cells = n_blocks * built.n_rows
        self.recent = np.zeros(0, dtype=np.int64)
        capacity = max(_LOG_CAPACITY, 2 * built.room)
        require_memory("the spikes of a stretch", 8 * n_blocks * capacity, "make networks smaller")
        self.memory = p.Memory(
            state=np.zeros(built.n_state, dtype=real),
            held=np.zeros(n_neurons, dtype=np.int32),
            rows=np.zeros(cells, dtype=real),
            rates=np.zeros((built.longest + built.stretch, built.n_rates)),
            log=np.empty((n_blocks, capacity), dtype=np.int64),
            segments=np.zeros((2, n_blocks, built.stretch, n_populations), dtype=np.int64),
            published=np.zeros((2, n_blocks, p.N_PUBLISHED_COLUMNS), dtype=np.int64),
            fills=np.zeros(n_blocks, dtype=np.int64),
            cursors=self._cursors(),
            traces=self._traces(),
            trace_neurons=_joined([r.neurons for r in log.requests.values()]),
            samples=log.samples,
            currents=np.zeros(0, dtype=real),
            current_table=np.zeros((n_populations, 2), dtype=np.uint64),
        )
        self.scratch: list[p.Scratch] = []
        self.capacity = CALENDAR_CAPACITY
        self.barrier = make_barrier(1, 1)
        self.calendars = [self._calendar(len(store.buckets) > 0) for store in self.stores]
        self._fill(arrays)
        self.longest_chunk = self._longest_chunk()

    def first_guess(self, threads: int) -> float:
        """Return how many steps a second to expect."""
        return 1.0 / (_SECONDS_A_STEP + _SECONDS_A_NEURON * len(self.memory.held) / threads)

    def advance(self, last: int, threads: int, executor: ThreadPoolExecutor | None) -> None:
        """Carry all blocks to the step `last`, with whatever they need on the way."""
        built, log = self.built, self.log
        while len(self.scratch) < threads:
            self.scratch.append(_scratch(built.real))
        chunk = log.done
        if log.window is not None:
            traces = self.memory.traces
            traces[:, p.FIRST_SAMPLE] = log.begun // traces[:, p.INTERVAL] + p.ONE
        memory = self._with_currents(chunk, last - chunk)
        self.barrier = make_barrier(threads, len(os.sched_getaffinity(0)) if _HAS_AFFINITY else 1)
        job = np.zeros(p.N_JOB_COLUMNS, dtype=np.int64)
        job[p.STEPS_DONE], job[p.LAST_STEP], job[p.CHUNK] = chunk, last, chunk
        job[p.STRETCH], job[p.SENDS], job[p.ROOM] = built.stretch, self.sends, built.room
        job[p.N_THREADS], job[p.ENTRIES] = threads, self.entries
        memory.cursors[:, -1] = 0
        while True:
            job[p.CAPACITY] = self.capacity
            arguments = (built.plan, *self.stores, *self.calendars, memory)
            waiting = []
            try:
                for me in range(1, threads):
                    assert executor is not None
                    waiting.append(executor.submit(self._work, me, arguments, job))
                reason, done, length, half = self._work(0, arguments, job)
            except BaseException:
                leave_alone(self.barrier)
                raise
            for future in waiting:
                future.result()
            job[p.STEPS_DONE], job[p.STRETCH_DONE], job[p.HALF] = done, length, half
            job[p.PENDING] = reason == p.CALENDAR_FULL
            if reason == p.OVERFLOW:
                raise SpikesimError(
                    "Poisson sources fired more spikes in a step than any chance allows; "
                    "the run cannot go on"
                )
            if reason == p.CALENDAR_FULL:
                self._make_room(memory, int(half))
                job[p.COUNTED] = 1
                continue
            job[p.COUNTED] = 0
            self._collect(memory, int(done))
            if reason == p.DONE:
                return
            memory.cursors[:, -1] = 0

    def _work(self, me: int, arguments: tuple[Any, ...], job: np.ndarray) -> Any:
        """Do the work of a thread; if it cannot, the others are not to wait for it."""
        try:
            return self.work(me, *arguments, self.scratch[me], self.barrier, job)
        except BaseException:
            leave_alone(self.barrier)
            raise

    def keep(self) -> tuple[int, list[np.ndarray] | None, np.ndarray]:
        """Return what a chunk changes: the last step, the state unless that takes time, spikes."""
        kept = None
        if sum(array.nbytes for array in self._changing()) <= _MOST_KEPT:
            kept = [array.copy() for array in self._changing()]
        return self.log.done, kept, self.recent

    def is_finite(self) -> bool:
        """Return whether no variable is NaN or infinite."""
        return all(np.isfinite(array).all() for array in self._changing() if array.size)

    def fail(self, kept: tuple[int, list[np.ndarray] | None, np.ndarray]) -> None:
        """Raise for the first step after which a variable was not finite; the log ends before."""
        log, end = self.log, self.log.done
        found: Mapping[str, np.ndarray] = self.arrays()
        log.done, before, self.recent = kept
        if before is not None:
            for current, values in zip(self._changing(), before, strict=True):
                current[...] = values
            found, end = first_failure(self._advanced, self.arrays(), log.done, end)
        begun = end - 1 if before is not None else log.done
        log.done = begun
        raise failure(self.built, found, begun, end)

    def _advanced(self, arrays: Mapping[str, np.ndarray], done: int, last: int) -> Any:
        """Return the state after the step `last`, and whether it is finite."""
        spikes: Any = {population.name: [] for population in self.built.populations}
        trial = _State(self.built, arrays, Log(done, done, done, None, {}, {}, np.zeros(0), spikes))
        trial.advance(last, 1, None)
        return trial.arrays(), trial.is_finite()

    def _changing(self) -> list[np.ndarray]:
        memory = self.memory
        return [memory.state, memory.rows, memory.held, memory.rates]

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the state in the order of the neurons."""
        built, memory = self.built, self.memory
        arrays = {
            "spikes.steps": self.recent >> 32,
            "spikes.ids": self.recent & 0xFFFFFFFF,
        }
        for population in built.populations:
            if not len(population.initial):
                continue
            name, n = population.name, population.n
            arrays[f"{name}.v"] = memory.state[population.state :][:n].copy()
            arrays[f"{name}.refractory"] = memory.held[population.first :][:n].copy()
            for variable in ("i_syn", "x_syn"):
                columns = [self._synapse(port, variable, n) for port in population.ports]
                arrays[f"{name}.{variable}"] = np.array(columns, dtype=built.real).reshape(-1, n).T
            if population.rates >= 0:
                of_rates = slice(population.rates, population.rates + n)
                arrays[f"{name}.rates"] = memory.rates[self._rate_rows(), of_rates].copy()
            if population.adaptation >= 0:
                arrays[f"{name}.a"] = memory.state[population.adaptation :][:n].copy()
        return arrays

    def _fill(self, arrays: Mapping[str, np.ndarray]) -> None:
        for population in self.built.populations:
            if not len(population.initial):
                continue
            name, n = population.name, population.n
            self.memory.state[population.state :][:n] = arrays[f"{name}.v"]
            self.memory.held[population.first : population.first + n] = arrays[f"{name}.refractory"]
            for index, port in enumerate(population.ports):
                for variable in ("i_syn", "x_syn"):
                    self._put_synapse(port, variable, arrays[f"{name}.{variable}"][:, index])
            if population.rates >= 0:
                columns = slice(population.rates, population.rates + n)
                self.memory.rates[self._rate_rows(), columns] = arrays[f"{name}.rates"]
            if population.adaptation >= 0:
                self.memory.state[population.adaptation :][:n] = arrays[f"{name}.a"]
        self.recent = (arrays["spikes.steps"] << 32) + arrays["spikes.ids"]
        if len(self.recent) and self.sends:
            while resume(
                *self.calendars, *self.stores, self.memory.fills, self.recent, self.log.done
            ):
                self._grow(2 * self.capacity, keep=False)

    def _synapse(self, port: int, variable: str, n: int) -> np.ndarray:
        """Return i or x of a port, of all its neurons, in the unit of its rows."""
        about = self.built.plan.ports[port]
        second = about[p.PORT_KIND] == p.SECOND_ORDER
        if second == (variable == "x_syn"):
            return np.concatenate([self.memory.rows[rows] for _, rows in self._rows(port)])
        if second:
            return self.memory.state[int(about[p.PORT_STATE]) :][:n]
        return np.zeros(n)

    def _put_synapse(self, port: int, variable: str, values: np.ndarray) -> None:
        about = self.built.plan.ports[port]
        second = about[p.PORT_KIND] == p.SECOND_ORDER
        if second == (variable == "x_syn"):
            for neurons, rows in self._rows(port):
                self.memory.rows[rows] = values[neurons]
        elif second:
            self.memory.state[int(about[p.PORT_STATE]) :][: len(values)] = values

    def _rows(self, port: int) -> Iterator[tuple[slice, slice]]:
        """Yield for each block the neurons of a port, and their rows among those of all blocks."""
        plan = self.built.plan
        bounds = plan.bounds[int(plan.ports[port, p.PORT_OWNER])].astype(np.int64)
        starts = plan.row_starts[:, port].astype(np.int64)
        for block, (first, last) in enumerate(zip(bounds[:-1], bounds[1:], strict=True)):
            row = block * self.built.n_rows + int(starts[block])
            yield slice(first, last), slice(row, row + last - first)

    def _rate_rows(self) -> np.ndarray:
        """Return the rows that hold the rates of the last steps, the oldest first."""
        rows = self.log.done - self.built.longest + 1 + np.arange(self.built.longest)
        return rows % len(self.memory.rates)

    def _calendar(self, needed: bool) -> p.Calendar:
        n_blocks, n_slots = self.built.n_blocks, self.built.longest
        capacity = self.capacity if needed else 0
        require_memory(
            f"Projection.delay: the calendar of spikes on their way, {n_slots} steps long,",
            8 * n_blocks * n_slots * (capacity + 1),
            "shorten the longest delay",
        )
        return p.Calendar(
            np.empty((n_blocks, n_slots, capacity), dtype=np.uint64),
            np.zeros((n_blocks, n_slots), dtype=np.int64),
        )

    def _make_room(self, memory: p.Memory, half: int) -> None:
        """Make the lists of the calendars long enough for the spikes of the last stretch."""
        published = memory.published[half]
        logs = [
            memory.log[block, about[p.BEGUN] : about[p.ENDED]]
            for block, about in enumerate(published)
        ]
        spikes = np.concatenate(logs)
        # Room for any spikes if it costs little, so that they need not be counted every time.
        ample = int(self.memory.fills.max()) + len(spikes) * self.entries
        if 8 * self.built.n_blocks * self.built.longest * ample > _AMPLE_BYTES:
            ample = 0
        needed = max(
            longest_list(calendar.counts.copy(), store, spikes)
            for calendar, store in zip(self.calendars, self.stores, strict=True)
        )
        self.memory.fills[:] = needed
        if max(needed, ample) > self.capacity:
            self._grow(max(needed + needed // 4, ample))

    def _grow(self, capacity: int, keep: bool = True) -> None:
        """Make the lists of the calendars longer."""
        # Lists a power of two apart would share a few lines of the cache.
        self.capacity = capacity + 8 if capacity % 64 == 0 else capacity
        old = self.calendars
        self.calendars = [self._calendar(len(store.buckets) > 0) for store in self.stores]
        if keep:
            for before, now in zip(old, self.calendars, strict=True):
                now.entries[:, :, : before.entries.shape[2]] = before.entries
                now.counts[:] = before.counts
        else:
            self.memory.fills[:] = 0

    def _cursors(self) -> np.ndarray:
        """Return for each block the first event of each source, and the first input, to come."""
        plan, done = self.built.plan, self.log.done
        cursors = np.zeros((self.built.n_blocks, len(self.built.populations) + 3), dtype=np.int64)
        for index, first in enumerate(_next(plan.events, plan.event_starts, done)):
            cursors[:, index] = first
        for index, first in enumerate(_next(plan.inputs, plan.input_starts, done)):
            cursors[index // 2, index % 2 - 3] = first
        return cursors

    def _traces(self) -> np.ndarray:
        rows, neurons, out = [], 0, 0
        names = [population.name for population in self.built.populations]
        for name, request in self.log.requests.items():
            for variable in request.variables:
                row = [0] * p.N_TRACE_COLUMNS
                row[p.TRACED], row[p.VARIABLE] = names.index(name), _VARIABLES[variable]
                row[p.INTERVAL], row[p.NEURONS] = request.interval, neurons
                row[p.N_TRACED], row[p.OUT] = len(request.neurons), out
                row[p.FIRST_SAMPLE] = self.log.begun // request.interval + 1
                out += self.log.traces[name][variable].size
                rows.append(row)
            neurons += len(request.neurons)
        return np.array(rows, dtype=np.uint64).reshape(-1, p.N_TRACE_COLUMNS)

    def _longest_chunk(self) -> int:
        widths = sum(drive.width(population) for population in self.built.populations)
        longest = max(1, _MOST_CURRENTS // widths) if widths else 2**62
        return longest if self.log.window is None else min(longest, self.log.window)

    def _with_currents(self, done: int, n_steps: int) -> p.Memory:
        """Return the memory with the input currents of some steps."""
        built = self.built
        tables: list[np.ndarray] = []
        offset = 0
        k0, k1 = built.plan.key.tolist()
        for index, population in enumerate(built.populations):
            if population.currents:
                table = drive.currents(population, done + 1, n_steps, built.dt, (k0, k1))
                tables.append(table.reshape(-1).astype(built.real, copy=False))
                self.memory.current_table[index] = offset, table.shape[1]
                offset += table.size
        if not tables:
            return self.memory
        return self.memory._replace(
            currents=tables[0] if len(tables) == 1 else np.concatenate(tables)
        )

    def _collect(self, memory: p.Memory, done: int) -> None:
        """Take the spikes of the chunk out of the logs of the blocks."""
        counts = memory.cursors[:, -1]
        words = np.concatenate([memory.log[block, :count] for block, count in enumerate(counts)])
        if len(counts) > 1:
            # Each log ascends by step and neuron: this merges them.
            words.sort(kind="stable")
        self.recent = np.concatenate((self.recent, words))
        self.recent = self.recent[
            np.searchsorted(self.recent >> 32, done - self.built.longest, "right") :
        ]
        # Last, so that whoever interrupts this finds whole steps alone.
        self._share_out(words)
        self.log.done = done

    def _share_out(self, words: np.ndarray) -> None:
        """Give its spikes to each population."""
        if not len(words):
            return
        self.log.n_spikes += len(words)
        steps = words >> 32
        ids = words & 0xFFFFFFFF
        populations = self.built.populations
        if len(populations) == 1:
            self.log.spikes[populations[0].name].append((steps, ids))
            return
        owners = np.searchsorted([q.first for q in populations], ids, side="right") - 1
        order = np.argsort(owners, kind="stable")
        ends = np.cumsum(np.bincount(owners, minlength=len(populations)))
        for population, own in zip(populations, np.split(order, ends[:-1]), strict=True):
            if len(own):
                self.log.spikes[population.name].append((steps[own], ids[own] - population.first))


def _next(events: np.ndarray, starts: np.ndarray, done: int) -> list[int]:
    """Return for each range of events, in the order of time, the first one after step `done`."""
    if not len(events):
        return [0] * (len(starts) - 1)
    ranges = zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True)
    return [a + int(np.searchsorted(events[a:b, 0], done, side="right")) for a, b in ranges]


def _scratch(real: type) -> p.Scratch:
    fired = np.zeros(p.TILE, dtype=np.uint8)
    tiles: list[np.ndarray] = [np.zeros(p.TILE, dtype=real) for _ in range(6)]
    return p.Scratch._make((*tiles, fired, fired.view(np.uint64), poisson_scratch()))


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.zeros(0, dtype=np.int64), *parts]).astype(np.int64)


_HAS_AFFINITY = hasattr(os, "sched_getaffinity")
