"""The kernels that advance the neurons of a block by one step.

A block is advanced tile by tile: port by port what moves v is summed up, then the model steps;
the loops are in :mod:`spikesim.engine.tiles`. The order within a step is that of
``docs/update_order.md``: jumps have arrived before, what goes to synapses arrives afterwards. All
functions here become part of the worker (``inline``): called, they would be handed the whole
network at every step.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from spikesim._jit import kernel
from spikesim.engine import plan as p
from spikesim.engine import tiles
from spikesim.engine.plan import ONE, ZERO

__all__ = ["make_advance"]

U = np.uint64


def make_advance(conductances: bool, rates: bool, adapts: bool) -> Any:
    """Return the kernel that advances a population in a block by one step.

    Parameters
    ----------
    conductances, rates, adapts : bool
        Whether there are conductances, rate neurons and adaptive ones in the network. What a
        network does not have is not compiled.
    """
    under_conductances = _conductances_of(adapts) if conductances else _no_conductances
    move_each = tiles.move_each if adapts else tiles.no_move
    fire_adaptive = tiles.fire_adaptive if adapts else tiles.no_adaptation
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
                under_conductances(
                    plan, memory, scratch, block, population, row, tile, end, here, width, ref
                )
            elif adapts and kind == p.ADAPTIVE_LIF:
                _currents(plan, memory, scratch, block, population, row, tile, end, here, width)
                move_each(memory.state, at, scratch.push, n, plan.constants, here, width)
                fire_adaptive(
                    memory.state,
                    at,
                    plan.populations[population, p.ADAPTATION] + tile,
                    memory.held,
                    neuron,
                    scratch.push,
                    scratch.fired,
                    n,
                    plan.constants,
                    here,
                    width,
                    plan.ref_steps,
                    ref,
                    subtract,
                )
            elif _is_alone(plan, memory, population):
                _step_alone(plan, memory, scratch, population, row, tile, end)
            elif _is_lean(plan, memory, population):
                _step_lean(plan, memory, scratch, block, population, tile, end)
            else:
                _currents(plan, memory, scratch, block, population, row, tile, end, here, width)
                if plan.populations[population, p.EACH]:
                    tiles.step_each(
                        memory.state,
                        at,
                        memory.held,
                        neuron,
                        scratch.push,
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


@kernel(inline="always")
def _receive(memory, scratch, population, row, first, n):
    """Look up the input currents of this step."""
    offset, columns = memory.current_table[population, 0], memory.current_table[population, 1]
    if columns > ONE:
        tiles.copy(scratch.received, memory.currents, offset + row * columns + first, n)
    else:
        tiles.fill(scratch.received, n, memory.currents[offset + row])


@kernel(inline="always")
def _currents(plan, memory, scratch, block, population, row, first, last, here, width):
    """Sum into `push` what currents and jumps add to v over the step; let currents decay."""
    constants, rows, state = plan.constants, memory.rows, memory.state
    n, each = last - first, plan.populations[population, p.EACH]
    gain, i_ext = here + p.LEAK_GAIN * width, here + p.I_EXT * width
    if each:
        tiles.fill(scratch.push, n, constants.dtype.type(0))
        tiles.multiply_add(scratch.push, constants, gain, n, constants, i_ext)
    else:
        tiles.fill(scratch.push, n, constants[gain] * constants[i_ext])
    if memory.current_table[population, 1]:
        _receive(memory, scratch, population, row, first, n)
        tiles.multiply_add(scratch.push, constants, gain, n, scratch.received, ZERO)
    port = plan.populations[population, p.PORT]
    for _ in range(plan.populations[population, p.N_PORTS]):
        kind, k = plan.ports[port, p.PORT_KIND], plan.ports[port, p.PORT_CONSTANTS]
        here_rows = block * plan.n_rows[0] + plan.row_starts[block, port]
        at = here_rows + first - plan.bounds[population, block]
        p_vi = k + p.P_VI + (first if each else ZERO)
        if kind == p.DELTA:
            tiles.jump(scratch.push, rows, at, n, constants[k + p.UNIT_I])
        elif kind == p.FIRST_ORDER:
            if each:
                tiles.multiply_add(scratch.push, constants, p_vi, n, rows, at)
                tiles.decay(rows, at, n, constants[k + p.DECAY_SYN])
            else:
                tiles.push_alike(
                    scratch.push, rows, at, n, constants[p_vi], constants[k + p.DECAY_SYN]
                )
        else:
            i_at = plan.ports[port, p.PORT_STATE] + first
            tiles.multiply_add(scratch.push, constants, p_vi, n, state, i_at)
            tiles.multiply_add(scratch.push, constants, p_vi + width, n, rows, at)
            tiles.decay_second(
                state, i_at, rows, at, n, constants[k + p.DECAY_SYN], constants[k + p.P_IX]
            )
        port += ONE


@kernel(inline="always")
def _is_alone(plan, memory, population):
    """Whether neurons have equal parameters, no synapses and one input current for all."""
    return (
        plan.populations[population, p.EACH] == ZERO
        and plan.populations[population, p.N_PORTS] == ZERO
        and memory.current_table[population, 1] <= ONE
        and plan.populations[population, p.KIND] == p.LIF_NEURONS
    )


@kernel(inline="always")
def _step_alone(plan, memory, scratch, population, row, first, last):
    """Do all of a step in one loop: half the time of :func:`_currents` and the step apart."""
    constants, width = plan.constants, plan.populations[population, p.WIDTH]
    c = plan.populations[population, p.CONSTANTS]
    gain = constants[c + p.LEAK_GAIN * width]
    push = gain * constants[c + p.I_EXT * width]
    if memory.current_table[population, 1]:
        push += gain * memory.currents[memory.current_table[population, 0] + row]
    tiles.step_no_port(
        memory.state, plan.populations[population, p.STATE] + first,
        memory.held, plan.populations[population, p.FIRST] + first,
        scratch.fired, last - first, push,
        constants[c + p.DECAY_M * width], constants[c + p.V_REST * width],
        constants[c + p.V_TH * width], constants[c + p.V_RESET * width],
        plan.ref_steps[plan.populations[population, p.REF]],
        plan.populations[population, p.SUBTRACT] != ZERO,
    )  # fmt: skip


@kernel(inline="always")
def _is_lean(plan, memory, population):
    """Whether neurons have equal parameters, constant input and one or two first order ports."""
    n_ports, port = plan.populations[population, p.N_PORTS], plan.populations[population, p.PORT]
    return (
        plan.populations[population, p.EACH] == ZERO
        and memory.current_table[population, 1] == ZERO
        and (n_ports == ONE or n_ports == U(2))
        and plan.ports[port, p.PORT_KIND] == p.FIRST_ORDER
        and plan.ports[port + n_ports - ONE, p.PORT_KIND] == p.FIRST_ORDER
    )


@kernel(inline="always")
def _step_lean(plan, memory, scratch, block, population, first, last):
    """Do all of a step in one loop: half the time of :func:`_currents` and the step apart."""
    constants, width = plan.constants, plan.populations[population, p.WIDTH]
    c, port = plan.populations[population, p.CONSTANTS], plan.populations[population, p.PORT]
    at, neuron = plan.populations[population, p.STATE], plan.populations[population, p.FIRST]
    push = constants[c + p.LEAK_GAIN * width] * constants[c + p.I_EXT * width]
    decay_m, v_rest = constants[c + p.DECAY_M * width], constants[c + p.V_REST * width]
    v_th, v_reset = constants[c + p.V_TH * width], constants[c + p.V_RESET * width]
    ref_steps = plan.ref_steps[plan.populations[population, p.REF]]
    subtract = plan.populations[population, p.SUBTRACT] != ZERO
    offset = block * plan.n_rows[0] + first - plan.bounds[population, block]
    row, k = offset + plan.row_starts[block, port], plan.ports[port, p.PORT_CONSTANTS]
    p_vi, decay_syn = constants[k + p.P_VI], constants[k + p.DECAY_SYN]
    if plan.populations[population, p.N_PORTS] == ONE:
        tiles.step_one_port(
            memory.state, at + first, memory.held, neuron + first, memory.rows, row,
            scratch.fired, last - first, push, p_vi, decay_syn,
            decay_m, v_rest, v_th, v_reset, ref_steps, subtract,
        )  # fmt: skip
    else:
        other = offset + plan.row_starts[block, port + ONE]
        k = plan.ports[port + ONE, p.PORT_CONSTANTS]
        tiles.step_two_ports(
            memory.state, at + first, memory.held, neuron + first, memory.rows, row, other,
            scratch.fired, last - first, push, p_vi, decay_syn,
            constants[k + p.P_VI], constants[k + p.DECAY_SYN],
            decay_m, v_rest, v_th, v_reset, ref_steps, subtract,
        )  # fmt: skip


def _conductances_of(adapts: bool) -> Any:
    """Return the kernel that advances neurons which receive conductances."""
    move_conductance = tiles.move_conductance if adapts else tiles.no_move
    fire_adaptive = tiles.fire_adaptive if adapts else tiles.no_adaptation

    @kernel(inline="always")
    def under_conductances(
        plan, memory, scratch, block, population, row, first, last, here, width, ref
    ):
        """Advance neurons that receive conductances; what v jumps by goes into `push`."""
        a_1, b_1, a_2, b_2 = scratch.a_1, scratch.b_1, scratch.a_2, scratch.b_2
        constants, rows, state = plan.constants, memory.rows, memory.state
        n, per_c_m = last - first, here + p.PER_C_M * width
        rate_m, v_rest = here + p.RATE_M * width, here + p.V_REST * width
        tiles.leak(a_1, b_1, n, constants, rate_m, v_rest, per_c_m, here + p.I_EXT * width)
        if memory.current_table[population, 1]:
            _receive(memory, scratch, population, row, first, n)
            tiles.multiply_add(a_1, constants, per_c_m, n, scratch.received, ZERO)
        tiles.copy(a_2, a_1, ZERO, n)
        tiles.copy(b_2, b_1, ZERO, n)
        tiles.fill(scratch.push, n, constants.dtype.type(0))
        port = plan.populations[population, p.PORT]
        for _ in range(plan.populations[population, p.N_PORTS]):
            kind, k = plan.ports[port, p.PORT_KIND], plan.ports[port, p.PORT_CONSTANTS]
            here_rows = block * plan.n_rows[0] + plan.row_starts[block, port]
            at = here_rows + first - plan.bounds[population, block]
            decay_syn, to_a, to_b = (
                constants[k + p.DECAY_SYN],
                constants[k + p.TO_A],
                constants[k + p.TO_B],
            )
            n_1i, n_1x = constants[k + p.N_1I], constants[k + p.N_1X]
            n_2i, n_2x = constants[k + p.N_2I], constants[k + p.N_2X]
            if kind == p.DELTA:
                tiles.jump(scratch.push, rows, at, n, constants[k + p.UNIT_I])
            elif kind == p.FIRST_ORDER:
                tiles.conductances_first(
                    a_1, b_1, a_2, b_2, n, constants, per_c_m, rows, at, decay_syn,
                    n_1i, n_2i, to_a, to_b,
                )  # fmt: skip
            else:
                i_at = plan.ports[port, p.PORT_STATE] + first
                tiles.conductances_second(
                    a_1, b_1, n, constants, per_c_m, state, i_at, rows, at, n_1i, n_1x, to_a, to_b
                )
                tiles.conductances_second(
                    a_2, b_2, n, constants, per_c_m, state, i_at, rows, at, n_2i, n_2x, to_a, to_b
                )
                tiles.decay_second(state, i_at, rows, at, n, decay_syn, constants[k + p.P_IX])
            port += ONE
        at = plan.populations[population, p.STATE] + first
        if adapts and plan.populations[population, p.KIND] == p.ADAPTIVE_LIF:
            move_conductance(state, at, a_1, b_1, a_2, b_2, scratch.push, n, plan.dt[0])
            fire_adaptive(
                state, at, plan.populations[population, p.ADAPTATION] + first, memory.held,
                plan.populations[population, p.FIRST] + first, scratch.push, scratch.fired, n,
                constants, here, width, plan.ref_steps, ref,
                plan.populations[population, p.SUBTRACT] != ZERO,
            )  # fmt: skip
            return
        tiles.fire_conductance(
            state,
            at,
            memory.held,
            plan.populations[population, p.FIRST] + first,
            a_1,
            b_1,
            a_2,
            b_2,
            scratch.push,
            scratch.fired,
            n,
            plan.dt[0],
            constants,
            here + p.V_TH * width,
            here + p.V_RESET * width,
            plan.ref_steps,
            ref,
            plan.populations[population, p.SUBTRACT] != ZERO,
        )

    return under_conductances


@kernel(inline="always")
def _no_conductances(plan, memory, scratch, block, population, row, first, last, here, width, ref):
    """Stand in where no neuron receives conductances."""
