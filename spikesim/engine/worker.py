"""The kernel in which one thread carries its blocks through a chunk of steps.

All threads run it at once, each on blocks of its own. A stretch is as many steps as the shortest
delay: within it no neuron hears of another. After it the threads meet at a barrier, then each puts
the spikes of all blocks on the calendars of its own. Spikes are read population by population and
within these block by block, which is the order of the neurons: the cut into blocks shows nowhere.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from spikesim._jit import kernel
from spikesim.engine import plan as p
from spikesim.engine.advance import make_advance
from spikesim.engine.barrier import LEFT_ALONE, STOP, wait
from spikesim.engine.deliver import (
    deliver_listed,
    deliver_packed,
    deliver_rates,
    deliver_uniform,
    schedule,
)
from spikesim.engine.draw import add_drawn, add_nothing, fire_drawn, fire_nothing
from spikesim.engine.plan import ONE, ZERO
from spikesim.engine.sample import sample

__all__ = ["make_worker"]

U = np.uint64
# Jumps of v arrive before the neurons move and are tested, currents and conductances after.
EARLY, LATE = np.uint64(0), np.uint64(1)
MOST_CLASSES = np.uint64(4096)


@lru_cache
def make_worker(conductances: bool, draws: bool, rates: bool, adapts: bool) -> Any:
    """Return the kernel that carries a thread's blocks through a chunk, see `work` within.

    Parameters
    ----------
    conductances, draws, rates, adapts : bool
        Whether there are conductances, Poisson inputs or sources, rate neurons, and adaptive ones
        in the network. What a network does not have is not compiled.
    """
    stretch = _make_stretch(
        make_advance(conductances, rates, adapts),
        _make_arrive(add_drawn if draws else add_nothing, _add_rates if rates else _add_no_rates),
        fire_drawn if draws else fire_nothing,
    )

    @kernel(bare=True, told=True)
    def work(me, plan, uniform, listed, soon, later, memory, scratch, barrier, job):
        """Carry every `n_threads`-th block, from the block `me` on, through some steps.

        Parameters
        ----------
        me : int
            Which thread.
        plan : Plan
            The network.
        uniform, listed : Store
            Synapses that share weights, and the others.
        soon, later : Calendar
            Of the two stores.
        memory : Memory
            What changes.
        scratch : Scratch
            Of this thread.
        barrier : ndarray
            See :func:`spikesim.engine.barrier.make_barrier`.
        job : ndarray of int64
            See the names in :mod:`spikesim.engine.plan`.

        Returns
        -------
        reason : int
            DONE, at the last step or where it was asked to stop, or why it stopped before:
            CALENDAR_FULL (the last spikes are not on the calendars yet), LOG_FULL, OVERFLOW (more
            Poisson spikes than there was room for).
        done : int
            Last step done.
        length : int
            Steps of the last stretch.
        half : int
            Which half of `memory.published` and `memory.segments` it wrote.
        """
        done, last = U(job[p.STEPS_DONE]), U(job[p.LAST_STEP])
        length, half = U(job[p.STRETCH_DONE]), job[p.HALF]
        pending, sends = job[p.PENDING] > 0, job[p.SENDS] > 0
        n_blocks, n_threads = plan.row_starts.shape[0], job[p.N_THREADS]
        counted = job[p.COUNTED] > 0
        while True:
            if pending:
                # All threads look at the same numbers, so that all come to the same decision.
                n_spikes, fullest, longest_log, failed = _sum_up(memory.published, half)
                if failed:
                    return p.OVERFLOW, done, length, half
                if sends and n_spikes > 0:
                    if not counted and fullest + n_spikes * job[p.ENTRIES] > job[p.CAPACITY]:
                        return p.CALENDAR_FULL, done, length, half
                    for block in range(me, n_blocks, n_threads):
                        _send(
                            plan, uniform, listed, soon, later, memory, U(block), done, length, half
                        )
                pending = counted = False
                if done < last and longest_log + job[p.ROOM] > memory.log.shape[1]:
                    return p.LOG_FULL, done, length, half
            if done == last:
                return p.DONE, done, length, half
            length, half = min(U(job[p.STRETCH]), last - done), 1 - half
            for block in range(me, n_blocks, n_threads):
                stretch(
                    plan,
                    uniform,
                    listed,
                    soon,
                    later,
                    memory,
                    scratch,
                    U(block),
                    done,
                    length,
                    half,
                    U(job[p.CHUNK]),
                )
            done += length
            pending = True
            answer = wait(barrier, n_threads)
            if answer == LEFT_ALONE:
                return p.DONE, done, length, half
            if answer == STOP:
                last = done

    return work


@kernel(inline="always")
def _sum_up(published, half):
    n_spikes, fullest, longest_log, failed = 0, 0, 0, 0
    for block in range(published.shape[1]):
        about = published[half, block]
        n_spikes += about[p.ENDED] - about[p.BEGUN]
        fullest = max(fullest, about[p.FILL])
        longest_log = max(longest_log, about[p.ENDED])
        failed = max(failed, about[p.FAILED])
    return n_spikes, fullest, longest_log, failed


@kernel(inline="always")
def _send(plan, uniform, listed, soon, later, memory, block, done, length, half):
    """Put the spikes of the last stretch on the calendars of a block."""
    n_blocks, n_populations = U(plan.row_starts.shape[0]), plan.populations.shape[0]
    n_slots = U(soon.counts.shape[1])
    fill = U(memory.fills[block])
    for j in range(length):
        slot = (done - length + ONE + j) % n_slots
        for population in range(n_populations):
            if plan.populations[population, p.KIND] == p.SIGMOID_RATE:
                continue
            for other in range(n_blocks):
                begin, end = _segment(memory, half, other, j, population)
                for spike in range(begin, end):
                    source = U(memory.log[other, spike]) & U(0xFFFFFFFF)
                    row = source * n_blocks + block
                    fill = schedule(
                        soon.entries,
                        soon.counts,
                        uniform.starts,
                        uniform.bucket_starts,
                        uniform.buckets,
                        block,
                        row,
                        slot,
                        fill,
                    )
                    fill = schedule(
                        later.entries,
                        later.counts,
                        listed.starts,
                        listed.bucket_starts,
                        listed.buckets,
                        block,
                        row,
                        slot,
                        fill,
                    )
    memory.fills[block] = fill


@kernel(inline="always")
def _segment(memory, half, block, j, population):
    """Return where the spikes of a population in a step of the stretch lie in a log."""
    if population > 0:
        begin = memory.segments[half, block, j, population - 1]
    elif j > 0:
        begin = memory.segments[half, block, j - ONE, memory.segments.shape[3] - 1]
    else:
        begin = memory.published[half, block, p.BEGUN]
    return begin, memory.segments[half, block, j, population]


def _make_stretch(advance: Any, arrive: Any, fire_sources: Any) -> Any:
    @kernel(inline="always")
    def stretch(
        plan, uniform, listed, soon, later, memory, scratch, block, done, length, half, chunk
    ):
        """Carry a block through a stretch, and publish its spikes."""
        log = memory.log[block]
        n_populations = U(plan.populations.shape[0])
        n_slots = U(soon.counts.shape[1])
        count = U(memory.cursors[block, n_populations + U(2)])
        about = memory.published[half, block]
        about[p.BEGUN] = count
        slot = done % n_slots
        for j in range(length):
            now = done + ONE + j
            # Counted on: a division takes as long as a neuron.
            slot = slot + ONE if slot + ONE < n_slots else ZERO
            if plan.phases[0]:
                arrive(plan, uniform, listed, soon, later, memory, scratch, block, slot, now, EARLY)
            for population in range(n_populations):
                kind = plan.populations[population, p.KIND]
                if kind == p.LISTED:
                    count = _fire_listed(plan, memory, block, population, now, log, count)
                elif kind == p.POISSON:
                    count = fire_sources(
                        plan.populations,
                        plan.draws,
                        plan.table_rows,
                        plan.table,
                        plan.key,
                        population,
                        plan.bounds[population, block],
                        plan.bounds[population, block + ONE],
                        now,
                        log,
                        count,
                    )
                else:
                    row = now - chunk - ONE
                    count = advance(plan, memory, scratch, block, population, now, row, log, count)
                memory.segments[half, block, j, population] = count
            if plan.phases[1]:
                arrive(plan, uniform, listed, soon, later, memory, scratch, block, slot, now, LATE)
            soon.counts[block, slot] = 0
            later.counts[block, slot] = 0
            sample(plan, memory, block, now)
        about[p.ENDED] = count
        about[p.FILL] = memory.fills[block]
        about[p.FAILED] = 1 if count > U(log.shape[0]) else 0
        memory.cursors[block, n_populations + U(2)] = count

    return stretch


@kernel(inline="always")
def _fire_listed(plan, memory, block, population, now, log, count):
    """Write the spikes that a population of sources lists for this step."""
    first, last = plan.bounds[population, block], plan.bounds[population, block + ONE]
    cursor, end = U(memory.cursors[block, population]), plan.event_starts[population + ONE]
    stamp = (now << U(32)) + plan.populations[population, p.FIRST]
    while cursor < end and plan.events[cursor, 0] <= now:
        neuron = plan.events[cursor, 1]
        if first <= neuron < last:
            if count < U(log.shape[0]):
                log[count] = np.int64(stamp + neuron)
            count += ONE
        cursor += ONE
    memory.cursors[block, population] = cursor
    return count


def _make_arrive(draw_into: Any, add_rates: Any) -> Any:
    @kernel(inline="always")
    def arrive(plan, uniform, listed, soon, later, memory, scratch, block, slot, now, phase):
        """Add what arrives at a block in this step: early or late, spikes first, in one order."""
        base = block * plan.n_rows[0]
        early_u, early_l = U(uniform.n_early), U(listed.n_early)
        first_u, last_u = (ZERO, early_u) if phase == EARLY else (early_u, MOST_CLASSES)
        first_l, last_l = (ZERO, early_l) if phase == EARLY else (early_l, MOST_CLASSES)
        n_soon, n_later = soon.counts[block, slot], later.counts[block, slot]
        if n_soon > 0:
            deliver_uniform(
                memory.rows,
                base,
                uniform.rows,
                uniform.classes,
                soon.entries[block, slot],
                U(n_soon),
                first_u,
                last_u,
            )
        if n_later > 0:
            entries = later.entries[block, slot]
            if listed.packed.shape[0] > 0:
                deliver_packed(
                    memory.rows, base, listed.packed, entries, U(n_later), first_l, last_l
                )
            else:
                deliver_listed(
                    memory.rows, base, listed.rows, listed.weights, entries, U(n_later),
                    first_l, last_l,
                )  # fmt: skip
        if plan.inputs.shape[0] > 0:
            _add_inputs(plan, memory, block, base, now, phase)
        add_rates(plan, uniform, listed, memory, block, base, now, first_u, last_u, first_l, last_l)
        for port in range(plan.ports.shape[0]):
            if (plan.ports[port, p.PORT_KIND] == p.DELTA) == (phase == EARLY):
                population = plan.ports[port, p.PORT_OWNER]
                first_draw = plan.ports[port, p.PORT_DRAW]
                for number in range(plan.ports[port, p.N_PORT_DRAWS]):
                    draw_into(
                        plan.draws,
                        plan.table_rows,
                        plan.table,
                        plan.constants,
                        plan.key,
                        memory.rows,
                        base + plan.row_starts[block, port],
                        scratch.random,
                        first_draw + number,
                        now,
                        plan.bounds[population, block],
                        plan.bounds[population, block + ONE],
                    )

    return arrive


@kernel(inline="always")
def _add_inputs(plan, memory, block, base, now, phase):
    """Add the listed input spikes that arrive at a block in this step."""
    at = U(plan.populations.shape[0]) + phase
    cursor = U(memory.cursors[block, at])
    end = plan.input_starts[U(2) * block + phase + ONE]
    while cursor < end and plan.inputs[cursor, 0] <= now:
        memory.rows[base + plan.inputs[cursor, 1]] += plan.input_weights[cursor]
        cursor += ONE
    memory.cursors[block, at] = cursor


@kernel(inline="always")
def _add_rates(plan, uniform, listed, memory, block, base, now, first_u, last_u, first_l, last_l):
    """Add what rate neurons send: at each step, the spikes expected of them."""
    n_blocks = U(plan.row_starts.shape[0])
    for population in range(plan.populations.shape[0]):
        if plan.populations[population, p.KIND] != p.SIGMOID_RATE:
            continue
        first, column = plan.populations[population, p.FIRST], plan.populations[population, p.RATES]
        for i in range(plan.populations[population, p.SIZE]):
            row, rates, rows = (first + i) * n_blocks + block, memory.rates, memory.rows
            per_hz = plan.spikes_per_hz[0]
            deliver_rates(rates, rows, base, uniform, row, column + i, now, per_hz, first_u, last_u)
            deliver_rates(rates, rows, base, listed, row, column + i, now, per_hz, first_l, last_l)


@kernel(inline="always")
def _add_no_rates(
    plan, uniform, listed, memory, block, base, now, first_u, last_u, first_l, last_l
):
    """Stand in where there are no rate neurons."""
