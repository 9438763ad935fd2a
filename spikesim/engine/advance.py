"""The kernels that advance the neurons of a block by one step.

A block is advanced tile by tile. What arrives at a tile is taken from the accumulators port by
port and filtered, then the model steps; the loops are in :mod:`spikesim.engine.tiles`. The order
within a step is that of ``docs/update_order.md``. All functions here become part of the worker
(``inline``): called, they would be handed the whole network at every step.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from spikesim._jit import kernel
from spikesim.engine import plan as p
from spikesim.engine import tiles
from spikesim.engine.draw import add_drawn, add_nothing
from spikesim.engine.plan import ONE, ZERO

__all__ = ["make_advance"]

U = np.uint64


def make_advance(conductances: bool, draws: bool, rates: bool) -> Any:
    """Return the kernel that advances a population in a block by one step.

    Parameters
    ----------
    conductances, draws, rates : bool
        Whether there are conductances, Poisson inputs and rate neurons in the network. What a
        network does not have is not compiled.
    """
    take = _make_take(add_drawn if draws else add_nothing)
    conductance_step = _make_conductance_step(take) if conductances else _no_conductances
    currents = _make_currents(take)
    write_rates = tiles.rates_of if rates else tiles.no_rates

    @kernel(inline="always")
    def advance(plan, memory, scratch, block, population, now, row, log, count):
        """Advance the neurons of a population in a block by one step.

        Parameters
        ----------
        plan, memory, scratch : Plan, Memory, Scratch
            See :mod:`spikesim.engine.plan`.
        block, population : int
            Which neurons.
        now : int
            The step, counted from 1.
        row : int
            The same counted from the first of the chunk, for input currents.
        log : ndarray of int64
            Spikes are written here, ``step << 32 | neuron``.
        count : int
            Where to write the next one.

        Returns
        -------
        int
            Where the next spike is to be written.
        """
        kind = plan.populations[population, p.KIND]
        width = plan.populations[population, p.WIDTH]
        c = plan.populations[population, p.CONSTANTS]
        subtract = plan.populations[population, p.SUBTRACT] != ZERO
        tile, last = plan.bounds[population, block], plan.bounds[population, block + ONE]
        while tile < last:
            # Tiles begin at multiples of their size, as those of the random numbers do.
            end = min(last, (tile // p.TILE + ONE) * p.TILE)
            n = end - tile
            at = plan.populations[population, p.STATE] + tile
            neuron = plan.populations[population, p.FIRST] + tile
            origin = tile if plan.populations[population, p.EACH] else ZERO
            ref = plan.populations[population, p.REF] + origin
            here = c + origin
            if plan.populations[population, p.CONDUCTANCES]:
                conductance_step(
                    plan, memory, scratch, block, population, now, row, tile, end, here, width, ref
                )
            else:
                currents(plan, memory, scratch, block, population, now, row, tile, end, here, width)
                if plan.populations[population, p.EACH]:
                    tiles.step_each(
                        memory.state,
                        at,
                        memory.held,
                        neuron,
                        scratch.push,
                        scratch.jump,
                        scratch.fired,
                        n,
                        plan.constants,
                        here,
                        width,
                        plan.ref_steps,
                        ref,
                        subtract,
                    )
                else:
                    tiles.step_alike(
                        memory.state,
                        at,
                        memory.held,
                        neuron,
                        scratch.push,
                        scratch.jump,
                        scratch.fired,
                        n,
                        plan.constants[c + p.DECAY_M * width],
                        plan.constants[c + p.V_REST * width],
                        plan.constants[c + p.V_TH * width],
                        plan.constants[c + p.V_RESET * width],
                        plan.ref_steps[ref],
                        subtract,
                    )
            if kind == p.SIGMOID_RATE:
                write_rates(
                    memory.rates,
                    now % U(memory.rates.shape[0]),
                    plan.populations[population, p.RATES] + tile,
                    memory.state,
                    at,
                    n,
                    plan.constants,
                    here + p.V_HALF * width,
                    here + p.V_SCALE * width,
                    here + p.MAX_RATE * width,
                )
            else:
                stamp = (now << U(32)) + neuron
                count = tiles.log_fired(scratch.fired, scratch.fired_words, n, log, count, stamp)
            tile = end
        return count

    return advance


def _make_take(draw_into: Any) -> Any:
    @kernel(inline="always")
    def take(plan, memory, scratch, block, population, port, now, first, last):
        """Take what arrives at the neurons `first` to `last` - 1 through a port."""
        row = block * plan.n_rows[0] + plan.row_starts[block, port]
        row += first - plan.bounds[population, block]
        scale, n = plan.scales[port], last - first
        tiles.take(scratch.arriving, memory.arrived, row, n, scale)
        if memory.extra.shape[0] > 0:
            tiles.add_scaled(scratch.arriving, memory.extra, row, n, scale)
        first_draw = plan.ports[port, p.PORT_DRAW]
        for number in range(plan.ports[port, p.N_PORT_DRAWS]):
            draw_into(
                plan.draws,
                plan.table_rows,
                plan.table,
                plan.constants,
                plan.key,
                scratch.arriving,
                scratch.random,
                first_draw + number,
                now,
                first,
                last,
            )

    return take


@kernel(inline="always")
def _filter(plan, memory, scratch, population, port, first, n):
    """Let the synapses of a port decay by one step, then add what arrives."""
    k = plan.ports[port, p.PORT_CONSTANTS]
    i_at = plan.ports[port, p.PORT_STATE] + first
    decay_syn, gain_i = plan.constants[k + p.DECAY_SYN], plan.constants[k + p.GAIN_I]
    if plan.ports[port, p.PORT_KIND] == p.FIRST_ORDER:
        tiles.filter_first(memory.state, i_at, scratch.arriving, n, decay_syn, gain_i)
    else:
        tiles.filter_second(
            memory.state,
            i_at,
            i_at + plan.populations[population, p.SIZE],
            scratch.arriving,
            n,
            decay_syn,
            plan.constants[k + p.P_IX],
            gain_i,
            plan.constants[k + p.GAIN_X],
        )


@kernel(inline="always")
def _receive(memory, scratch, population, row, first, n):
    """Look up the input currents of this step."""
    offset, columns = memory.current_table[population, 0], memory.current_table[population, 1]
    if columns > ONE:
        tiles.copy(scratch.arriving, memory.currents, offset + row * columns + first, n)
    else:
        tiles.fill(scratch.arriving, n, memory.currents[offset + row])


def _make_currents(take: Any) -> Any:
    @kernel(inline="always")
    def currents(plan, memory, scratch, block, population, now, row, first, last, here, width):
        """Sum what currents and delta synapses add to v over the step, into `push` and `jump`."""
        n, each = last - first, plan.populations[population, p.EACH]
        gain, i_ext = here + p.LEAK_GAIN * width, here + p.I_EXT * width
        if each:
            tiles.fill(scratch.push, n, plan.constants.dtype.type(0))
            tiles.multiply_add(scratch.push, plan.constants, gain, n, plan.constants, i_ext)
        else:
            tiles.fill(scratch.push, n, plan.constants[gain] * plan.constants[i_ext])
        if memory.current_table[population, 1]:
            _receive(memory, scratch, population, row, first, n)
            tiles.multiply_add(scratch.push, plan.constants, gain, n, scratch.arriving, ZERO)
        tiles.fill(scratch.jump, n, plan.constants.dtype.type(0))
        port = plan.populations[population, p.PORT]
        for _ in range(plan.populations[population, p.N_PORTS]):
            take(plan, memory, scratch, block, population, port, now, first, last)
            if plan.ports[port, p.PORT_KIND] == p.DELTA:
                tiles.copy(scratch.jump, scratch.arriving, ZERO, n)
            else:
                i_at = plan.ports[port, p.PORT_STATE] + first
                p_vi = plan.ports[port, p.PORT_CONSTANTS] + p.P_VI + (first if each else ZERO)
                if each:
                    tiles.multiply_add(scratch.push, plan.constants, p_vi, n, memory.state, i_at)
                else:
                    tiles.push_alike(scratch.push, plan.constants[p_vi], n, memory.state, i_at)
                if plan.ports[port, p.PORT_KIND] == p.SECOND_ORDER:
                    x_at, p_vx = i_at + plan.populations[population, p.SIZE], p_vi + width
                    tiles.multiply_add(scratch.push, plan.constants, p_vx, n, memory.state, x_at)
                _filter(plan, memory, scratch, population, port, first, n)
            port += ONE

    return currents


def _make_conductance_step(take: Any) -> Any:
    @kernel(inline="always")
    def conductances(plan, memory, scratch, block, population, now, row, first, last, here, width):
        """Sum the coefficients of v' = a - b v at the two nodes of the step, and jumps."""
        n, per_c_m = last - first, here + p.PER_C_M * width
        tiles.leak(
            scratch.a_1,
            scratch.b_1,
            n,
            plan.constants,
            here + p.RATE_M * width,
            here + p.V_REST * width,
            per_c_m,
            here + p.I_EXT * width,
        )
        if memory.current_table[population, 1]:
            _receive(memory, scratch, population, row, first, n)
            tiles.multiply_add(scratch.a_1, plan.constants, per_c_m, n, scratch.arriving, ZERO)
        tiles.copy(scratch.a_2, scratch.a_1, ZERO, n)
        tiles.copy(scratch.b_2, scratch.b_1, ZERO, n)
        tiles.fill(scratch.jump, n, plan.constants.dtype.type(0))
        port = plan.populations[population, p.PORT]
        for _ in range(plan.populations[population, p.N_PORTS]):
            take(plan, memory, scratch, block, population, port, now, first, last)
            if plan.ports[port, p.PORT_KIND] == p.DELTA:
                tiles.copy(scratch.jump, scratch.arriving, ZERO, n)
            else:
                k, i_at = plan.ports[port, p.PORT_CONSTANTS], plan.ports[port, p.PORT_STATE] + first
                to_a, to_b = plan.constants[k + p.E_REV], plan.constants[k + p.IS_CONDUCTANCE]
                n_1i, n_1x = plan.constants[k + p.N_1I], plan.constants[k + p.N_1X]
                n_2i, n_2x = plan.constants[k + p.N_2I], plan.constants[k + p.N_2X]
                state, constants = memory.state, plan.constants
                if plan.ports[port, p.PORT_KIND] == p.FIRST_ORDER:
                    tiles.conductances_first(
                        scratch.a_1,
                        scratch.b_1,
                        n,
                        constants,
                        per_c_m,
                        state,
                        i_at,
                        n_1i,
                        to_a,
                        to_b,
                    )
                    tiles.conductances_first(
                        scratch.a_2,
                        scratch.b_2,
                        n,
                        constants,
                        per_c_m,
                        state,
                        i_at,
                        n_2i,
                        to_a,
                        to_b,
                    )
                else:
                    x_at = i_at + plan.populations[population, p.SIZE]
                    tiles.conductances_second(
                        scratch.a_1, scratch.b_1, n, constants, per_c_m, state, i_at, x_at,
                        n_1i, n_1x, to_a, to_b,
                    )  # fmt: skip
                    tiles.conductances_second(
                        scratch.a_2, scratch.b_2, n, constants, per_c_m, state, i_at, x_at,
                        n_2i, n_2x, to_a, to_b,
                    )  # fmt: skip
                _filter(plan, memory, scratch, population, port, first, n)
            port += ONE

    @kernel(inline="always")
    def under_conductances(
        plan, memory, scratch, block, population, now, row, first, last, here, width, ref
    ):
        """Advance neurons that receive conductances."""
        conductances(plan, memory, scratch, block, population, now, row, first, last, here, width)
        tiles.fire_conductance(
            memory.state,
            plan.populations[population, p.STATE] + first,
            memory.held,
            plan.populations[population, p.FIRST] + first,
            scratch.a_1,
            scratch.b_1,
            scratch.a_2,
            scratch.b_2,
            scratch.jump,
            scratch.fired,
            last - first,
            plan.dt[0],
            plan.constants,
            here + p.V_TH * width,
            here + p.V_RESET * width,
            plan.ref_steps,
            ref,
            plan.populations[population, p.SUBTRACT] != ZERO,
        )

    return under_conductances


@kernel(inline="always")
def _no_conductances(
    plan, memory, scratch, block, population, now, row, first, last, here, width, ref
):
    """Stand in where no neuron receives conductances."""
