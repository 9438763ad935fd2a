"""The kernels that advance the neurons of a block by one step.

A block is advanced tile by tile. What arrives at a tile is taken from the accumulators port by
port and filtered (:func:`_currents`, :func:`_conductances`); then one loop over the tile calls the
step of the model. The loops are short and free of branches, so each runs on vectors. The order
within a step is that of ``docs/update_order.md``.
"""

from __future__ import annotations

import math

import numpy as np

from spikesim._jit import kernel
from spikesim.engine import plan as p
from spikesim.engine.draw import add_drawn
from spikesim.engine.plan import ONE, ZERO
from spikesim.neurons.conductance import conductance_free
from spikesim.neurons.lif import fire, step
from spikesim.neurons.sigmoid_rate import output

__all__ = ["advance"]

U = np.uint64


@kernel(_nrt=False, error_model="numpy")
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
    about = plan.populations[population]
    first, last = plan.bounds[population, block], plan.bounds[population, block + ONE]
    stamp = (now << U(32)) + about[p.FIRST]
    tile = first
    while tile < last:
        # Tiles begin at multiples of their size, as the tiles of the random numbers do.
        end = min(last, (tile // p.TILE + ONE) * p.TILE)
        if about[p.CONDUCTANCES]:
            _conductances(plan, memory, scratch, block, population, now, row, tile, end)
            _fire_conductance(plan, memory, scratch, population, tile, end)
        else:
            _currents(plan, memory, scratch, block, population, now, row, tile, end)
            if about[p.EACH]:
                _step_each(plan, memory, scratch, population, tile, end)
            else:
                _step_alike(plan, memory, scratch, population, tile, end)
        if about[p.KIND] == p.SIGMOID_RATE:
            _rates(plan, memory, population, now, tile, end)
        else:
            n_words = (end - tile + U(7)) >> U(3)
            for word in range(n_words):
                if scratch.fired_words[word]:
                    begin = word << U(3)
                    for i in range(begin, min(begin + U(8), end - tile)):
                        if scratch.fired[i]:
                            log[count] = np.int64(stamp + tile + i)
                            count += ONE
        tile = end
    return count


@kernel(_nrt=False, error_model="numpy")
def _take(plan, memory, scratch, block, population, port, now, first, last):
    """Take what arrives at the neurons `first` to `last` - 1 through a port."""
    n_rows = plan.n_rows[0]
    row = block * n_rows + plan.row_starts[block, port] + first - plan.bounds[population, block]
    scale = plan.scales[port]
    arrived, arriving = memory.arrived, scratch.arriving
    zero = arrived.dtype.type(0)
    for i in range(last - first):
        arriving[i] = scale * arrived[row + i]
        arrived[row + i] = zero
    extra = memory.extra
    if extra.shape[0] > 0:
        for i in range(last - first):
            arriving[i] += scale * extra[row + i]
            extra[row + i] = extra.dtype.type(0)
    about = plan.ports[port]
    for draw in range(about[p.PORT_DRAW], about[p.PORT_DRAW] + about[p.N_PORT_DRAWS]):
        add_drawn(plan, scratch, draw, now, first, last)


@kernel(_nrt=False, error_model="numpy")
def _receive(memory, population, row, first, last, received):
    """Look up the input current of the neurons `first` to `last` - 1 at this step."""
    offset, columns = memory.current_table[population, 0], memory.current_table[population, 1]
    if columns > ONE:
        at = offset + row * columns + first
        for j in range(last - first):
            received[j] = memory.currents[at + j]
    else:
        common = memory.currents[offset + row]
        for j in range(last - first):
            received[j] = common


@kernel(_nrt=False, error_model="numpy")
def _filter(plan, memory, scratch, population, port, first, last):
    """Let the synapses of a port decay by one step, then add what arrives."""
    about = plan.ports[port]
    c = about[p.PORT_CONSTANTS]
    state, arriving, constants = memory.state, scratch.arriving, plan.constants
    i_at = about[p.PORT_STATE] + first
    decay, gain_i = constants[c + p.DECAY_SYN], constants[c + p.GAIN_I]
    if about[p.PORT_KIND] == p.FIRST_ORDER:
        for j in range(last - first):
            state[i_at + j] = decay * state[i_at + j] + gain_i * arriving[j]
        return
    x_at = i_at + plan.populations[population, p.SIZE]
    p_ix, gain_x = constants[c + p.P_IX], constants[c + p.GAIN_X]
    for j in range(last - first):
        i, x = state[i_at + j], state[x_at + j]
        state[i_at + j] = decay * i + p_ix * x + gain_i * arriving[j]
        state[x_at + j] = decay * x + gain_x * arriving[j]


@kernel(_nrt=False, error_model="numpy")
def _currents(plan, memory, scratch, block, population, now, row, first, last):
    """Sum what currents and delta synapses add to v over the step, into `push` and `jump`."""
    about = plan.populations[population]
    constants, state = plan.constants, memory.state
    push, jump = scratch.push, scratch.jump
    width, n = about[p.WIDTH], last - first
    origin = first if about[p.EACH] else ZERO
    c = about[p.CONSTANTS] + origin
    gain, i_ext = c + p.LEAK_GAIN * width, c + p.I_EXT * width
    if about[p.EACH]:
        for j in range(n):
            push[j] = constants[gain + j] * constants[i_ext + j]
    else:
        constant = constants[gain] * constants[i_ext]
        for j in range(n):
            push[j] = constant
    if memory.current_table[population, 1]:
        _receive(memory, population, row, first, last, scratch.arriving)
        for j in range(n):
            push[j] += constants[gain + j] * scratch.arriving[j]
    for j in range(n):
        jump[j] = constants.dtype.type(0)
    for port in range(about[p.PORT], about[p.PORT] + about[p.N_PORTS]):
        _take(plan, memory, scratch, block, population, port, now, first, last)
        if plan.ports[port, p.PORT_KIND] == p.DELTA:
            for j in range(n):
                jump[j] = scratch.arriving[j]
            continue
        i_at = plan.ports[port, p.PORT_STATE] + first
        p_vi = plan.ports[port, p.PORT_CONSTANTS] + p.P_VI + origin
        if about[p.EACH]:
            for j in range(n):
                push[j] += constants[p_vi + j] * state[i_at + j]
        else:
            weight = constants[p_vi]
            for j in range(n):
                push[j] += weight * state[i_at + j]
        if plan.ports[port, p.PORT_KIND] == p.SECOND_ORDER:
            x_at, p_vx = i_at + about[p.SIZE], p_vi + width
            for j in range(n):
                push[j] += constants[p_vx + j] * state[x_at + j]
        _filter(plan, memory, scratch, population, port, first, last)


@kernel(_nrt=False, error_model="numpy")
def _conductances(plan, memory, scratch, block, population, now, row, first, last):
    """Sum the coefficients of v' = a - b v at the two nodes of the step, and jumps."""
    about = plan.populations[population]
    constants, state = plan.constants, memory.state
    a_1, b_1, a_2, b_2 = scratch.a_1, scratch.b_1, scratch.a_2, scratch.b_2
    width, n = about[p.WIDTH], last - first
    c = about[p.CONSTANTS] + (first if about[p.EACH] else ZERO)
    rate_m, per_c_m = c + p.RATE_M * width, c + p.PER_C_M * width
    v_rest, i_ext = c + p.V_REST * width, c + p.I_EXT * width
    for j in range(n):
        b_1[j] = constants[rate_m + j]
        a_1[j] = constants[rate_m + j] * constants[v_rest + j]
        a_1[j] += constants[per_c_m + j] * constants[i_ext + j]
    if memory.current_table[population, 1]:
        _receive(memory, population, row, first, last, scratch.arriving)
        for j in range(n):
            a_1[j] += constants[per_c_m + j] * scratch.arriving[j]
    for j in range(n):
        a_2[j] = a_1[j]
        b_2[j] = b_1[j]
        scratch.jump[j] = constants.dtype.type(0)
    for port in range(about[p.PORT], about[p.PORT] + about[p.N_PORTS]):
        _take(plan, memory, scratch, block, population, port, now, first, last)
        if plan.ports[port, p.PORT_KIND] == p.DELTA:
            for j in range(n):
                scratch.jump[j] = scratch.arriving[j]
            continue
        k = plan.ports[port, p.PORT_CONSTANTS]
        n_1i, n_2i = constants[k + p.N_1I], constants[k + p.N_2I]
        n_1x, n_2x = constants[k + p.N_1X], constants[k + p.N_2X]
        to_a, to_b = constants[k + p.E_REV], constants[k + p.IS_CONDUCTANCE]
        i_at = plan.ports[port, p.PORT_STATE] + first
        if plan.ports[port, p.PORT_KIND] == p.SECOND_ORDER:
            x_at = i_at + about[p.SIZE]
            for j in range(n):
                per_c = constants[per_c_m + j]
                y_1 = per_c * (n_1i * state[i_at + j] + n_1x * state[x_at + j])
                y_2 = per_c * (n_2i * state[i_at + j] + n_2x * state[x_at + j])
                a_1[j] += to_a * y_1
                b_1[j] += to_b * y_1
                a_2[j] += to_a * y_2
                b_2[j] += to_b * y_2
        else:
            for j in range(n):
                y = constants[per_c_m + j] * state[i_at + j]
                a_1[j] += to_a * (n_1i * y)
                b_1[j] += to_b * (n_1i * y)
                a_2[j] += to_a * (n_2i * y)
                b_2[j] += to_b * (n_2i * y)
        _filter(plan, memory, scratch, population, port, first, last)


@kernel(_nrt=False, error_model="numpy")
def _step_alike(plan, memory, scratch, population, first, last):
    """Step neurons of equal parameters."""
    about = plan.populations[population]
    constants, state, held = plan.constants, memory.state, memory.held
    push, jump, fired = scratch.push, scratch.jump, scratch.fired
    c = about[p.CONSTANTS]
    width = about[p.WIDTH]
    decay_m = constants[c + p.DECAY_M * width]
    v_rest = constants[c + p.V_REST * width]
    v_th = constants[c + p.V_TH * width]
    v_reset = constants[c + p.V_RESET * width]
    ref_steps, subtract = plan.ref_steps[about[p.REF]], about[p.SUBTRACT] != ZERO
    at, neuron = about[p.STATE] + first, about[p.FIRST] + first
    for j in range(last - first):
        v_free, v, left, is_fired = step(
            state[at + j],
            held[neuron + j],
            push[j],
            jump[j],
            decay_m,
            v_rest,
            v_th,
            v_reset,
            ref_steps,
            subtract,
        )
        # A reset would hide an overflow from the check after the chunk.
        state[at + j] = v_free if math.isinf(v_free) else v
        held[neuron + j] = left
        fired[j] = is_fired


@kernel(_nrt=False, error_model="numpy")
def _step_each(plan, memory, scratch, population, first, last):
    """Step neurons with parameters of their own."""
    about = plan.populations[population]
    constants, state, held = plan.constants, memory.state, memory.held
    push, jump, fired = scratch.push, scratch.jump, scratch.fired
    width, c = about[p.WIDTH], about[p.CONSTANTS] + first
    decay_m, v_rest = c + p.DECAY_M * width, c + p.V_REST * width
    v_th, v_reset = c + p.V_TH * width, c + p.V_RESET * width
    ref_steps, subtract = about[p.REF] + first, about[p.SUBTRACT] != ZERO
    at, neuron = about[p.STATE] + first, about[p.FIRST] + first
    for j in range(last - first):
        v_free, v, left, is_fired = step(
            state[at + j],
            held[neuron + j],
            push[j],
            jump[j],
            constants[decay_m + j],
            constants[v_rest + j],
            constants[v_th + j],
            constants[v_reset + j],
            plan.ref_steps[ref_steps + j],
            subtract,
        )
        state[at + j] = v_free if math.isinf(v_free) else v
        held[neuron + j] = left
        fired[j] = is_fired


@kernel(_nrt=False, error_model="numpy")
def _fire_conductance(plan, memory, scratch, population, first, last):
    """Step neurons under conductances."""
    about = plan.populations[population]
    constants, state, held = plan.constants, memory.state, memory.held
    a_1, b_1, a_2, b_2 = scratch.a_1, scratch.b_1, scratch.a_2, scratch.b_2
    origin, width = (first if about[p.EACH] else ZERO), about[p.WIDTH]
    c, ref_steps = about[p.CONSTANTS] + origin, about[p.REF] + origin
    v_th, v_reset = c + p.V_TH * width, c + p.V_RESET * width
    subtract = about[p.SUBTRACT] != ZERO
    at, neuron = about[p.STATE] + first, about[p.FIRST] + first
    dt = plan.dt[0]
    for j in range(last - first):
        moved = conductance_free(state[at + j], a_1[j], b_1[j], a_2[j], b_2[j], dt)
        scratch.push[j] = moved + scratch.jump[j]
    for j in range(last - first):
        v_free, v, left, is_fired = fire(
            state[at + j],
            held[neuron + j],
            scratch.push[j],
            constants[v_th + j],
            constants[v_reset + j],
            plan.ref_steps[ref_steps + j],
            subtract,
        )
        state[at + j] = v_free if math.isinf(v_free) else v
        held[neuron + j] = left
        scratch.fired[j] = is_fired


@kernel(_nrt=False, error_model="numpy")
def _rates(plan, memory, population, now, first, last):
    """Write the output of rate neurons into the row of this step."""
    about = plan.populations[population]
    constants, state = plan.constants, memory.state
    width, c = about[p.WIDTH], about[p.CONSTANTS] + (first if about[p.EACH] else ZERO)
    v_half, v_scale = c + p.V_HALF * width, c + p.V_SCALE * width
    max_rate = c + p.MAX_RATE * width
    rates = memory.rates
    slot = now % U(rates.shape[0])
    for j in range(last - first):
        rates[slot, about[p.RATES] + first + j] = output(
            state[about[p.STATE] + first + j],
            constants[v_half + j],
            constants[v_scale + j],
            constants[max_rate + j],
        )
