"""The loops over a tile of neurons: short, free of branches, so that each runs on vectors.

They take the arrays they need and nothing else: what is handed from one compiled function to
another is copied, and a step of a tile is no more than a few hundred nanoseconds. Those that a
neuron without synapses needs are made part of their caller, as copying would take longer than they
do. `n` neurons are meant wherever a loop is over `j`; the other integers say where in an array the
first of them lies. The equations are those of :mod:`spikesim.neurons` and :mod:`spikesim.synapses`.
"""

from __future__ import annotations

import math

import numpy as np

from spikesim._jit import kernel
from spikesim.neurons.adaptive_lif import fire as adaptive_fire
from spikesim.neurons.conductance import conductance_free
from spikesim.neurons.lif import fire, move, step, step_alone
from spikesim.neurons.sigmoid_rate import output

__all__ = [
    "conductances_first",
    "conductances_second",
    "copy",
    "decay",
    "decay_second",
    "fill",
    "fire_adaptive",
    "fire_conductance",
    "jump",
    "leak",
    "log_fired",
    "move_conductance",
    "move_each",
    "multiply_add",
    "no_adaptation",
    "no_move",
    "no_rates",
    "push_alike",
    "rates_of",
    "step_alike",
    "step_each",
    "step_no_port",
    "step_one_port",
    "step_two_ports",
]

U = np.uint64


@kernel(bare=True)
def fill(out, n, value):
    """Set `out` to `value`."""
    for j in range(n):
        out[j] = value


@kernel(bare=True)
def copy(out, values, first, n):
    """Set `out` to `values`."""
    for j in range(n):
        out[j] = values[first + j]


@kernel(bare=True)
def multiply_add(push, constants, factor, n, values, first):
    """Add ``factor * value`` to `push`, both one a neuron."""
    for j in range(n):
        push[j] += constants[factor + j] * values[first + j]


@kernel(bare=True)
def jump(push, rows, row, n, unit):
    """Take the jumps of v out of the rows."""
    none = rows.dtype.type(0)
    for j in range(n):
        push[j] += unit * rows[row + j]
        rows[row + j] = none


@kernel(bare=True)
def push_alike(push, rows, row, n, p_vi, decay_syn):
    """Add what i moves v by, and let i decay."""
    for j in range(n):
        i = rows[row + j]
        push[j] += p_vi * i
        rows[row + j] = decay_syn * i


@kernel(bare=True)
def decay(rows, row, n, decay_syn):
    """Let i decay."""
    for j in range(n):
        rows[row + j] *= decay_syn


@kernel(bare=True)
def decay_second(state, i_at, rows, row, n, decay_syn, p_ix):
    """Let i and x decay."""
    for j in range(n):
        i, x = state[i_at + j], rows[row + j]
        state[i_at + j] = decay_syn * i + p_ix * x
        rows[row + j] = decay_syn * x


@kernel(bare=True)
def step_alike(
    state,
    at,
    held,
    neuron,
    push,
    fired,
    n,
    decay_m,
    v_rest,
    v_th,
    v_reset,
    ref_steps,
    subtract,
):
    """Step neurons of equal parameters; jumps of v are part of `push`."""
    none = state.dtype.type(0)
    for j in range(n):
        v_free, v, left, is_fired = step(
            state[at + j],
            held[neuron + j],
            push[j],
            none,
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


@kernel(bare=True, forceinline=True)
def step_no_port(
    state, at, held, neuron, fired, n, push, decay_m, v_rest, v_th, v_reset, ref_steps, subtract
):
    """Do :func:`step_alike` for neurons that all receive the same: `push` is a number."""
    none = state.dtype.type(0)
    if n == U(1):
        v_free, v, left, is_fired = step_alone(
            state[at], held[neuron], push, none,
            decay_m, v_rest, v_th, v_reset, ref_steps, subtract,
        )  # fmt: skip
        state[at] = v_free if math.isinf(v_free) else v
        held[neuron] = left
        fired[0] = is_fired
        return
    for j in range(n):
        v_free, v, left, is_fired = step(
            state[at + j],
            held[neuron + j],
            push,
            none,
            decay_m,
            v_rest,
            v_th,
            v_reset,
            ref_steps,
            subtract,
        )
        state[at + j] = v_free if math.isinf(v_free) else v
        held[neuron + j] = left
        fired[j] = is_fired


@kernel(bare=True)
def step_one_port(
    state, at, held, neuron, rows, row, fired, n, push, p_vi, decay_syn,
    decay_m, v_rest, v_th, v_reset, ref_steps, subtract,
):  # fmt: skip
    """Do :func:`push_alike` and :func:`step_alike` in one loop, for one synapse with state i."""
    none = state.dtype.type(0)
    for j in range(n):
        i = rows[row + j]
        v_free, v, left, is_fired = step(
            state[at + j],
            held[neuron + j],
            push + p_vi * i,
            none,
            decay_m,
            v_rest,
            v_th,
            v_reset,
            ref_steps,
            subtract,
        )
        rows[row + j] = decay_syn * i
        state[at + j] = v_free if math.isinf(v_free) else v
        held[neuron + j] = left
        fired[j] = is_fired


@kernel(bare=True)
def step_two_ports(
    state, at, held, neuron, rows, row, other, fired, n, push, p_vi, decay_syn, p_vi_2, decay_syn_2,
    decay_m, v_rest, v_th, v_reset, ref_steps, subtract,
):  # fmt: skip
    """Do the same for two synapses with state i."""
    none = state.dtype.type(0)
    for j in range(n):
        i, i_2 = rows[row + j], rows[other + j]
        v_free, v, left, is_fired = step(
            state[at + j],
            held[neuron + j],
            push + p_vi * i + p_vi_2 * i_2,
            none,
            decay_m,
            v_rest,
            v_th,
            v_reset,
            ref_steps,
            subtract,
        )
        rows[row + j] = decay_syn * i
        rows[other + j] = decay_syn_2 * i_2
        state[at + j] = v_free if math.isinf(v_free) else v
        held[neuron + j] = left
        fired[j] = is_fired


@kernel(bare=True)
def step_each(
    state, at, held, neuron, push, fired, n, constants, c, width, ref_steps, ref, subtract
):
    """Step neurons with parameters of their own: `c` is where DECAY_M of the first one lies."""
    none = state.dtype.type(0)
    v_rest, v_th, v_reset = c + U(2) * width, c + U(3) * width, c + U(4) * width
    for j in range(n):
        v_free, v, left, is_fired = step(
            state[at + j],
            held[neuron + j],
            push[j],
            none,
            constants[c + j],
            constants[v_rest + j],
            constants[v_th + j],
            constants[v_reset + j],
            ref_steps[ref + j],
            subtract,
        )
        state[at + j] = v_free if math.isinf(v_free) else v
        held[neuron + j] = left
        fired[j] = is_fired


@kernel(bare=True)
def leak(a_1, b_1, n, constants, rate_m, v_rest, per_c_m, i_ext):
    """Begin v' = a - b v with what the membrane alone does."""
    for j in range(n):
        b_1[j] = constants[rate_m + j]
        a_1[j] = constants[rate_m + j] * constants[v_rest + j]
        a_1[j] += constants[per_c_m + j] * constants[i_ext + j]


@kernel(bare=True)
def conductances_first(
    a_1, b_1, a_2, b_2, n, constants, per_c_m, rows, row, decay_syn, n_1, n_2, to_a, to_b
):
    """Add a synapse with the state i to v' = a - b v at the two nodes of the step; let i decay."""
    for j in range(n):
        i = rows[row + j]
        y = constants[per_c_m + j] * i
        a_1[j] += to_a * (n_1 * y)
        b_1[j] += to_b * (n_1 * y)
        a_2[j] += to_a * (n_2 * y)
        b_2[j] += to_b * (n_2 * y)
        rows[row + j] = decay_syn * i


@kernel(bare=True)
def conductances_second(a, b, n, constants, per_c_m, state, i_at, rows, row, n_i, n_x, to_a, to_b):
    """Add a synapse with the states i and x to v' = a - b v at one node of the step."""
    for j in range(n):
        y = constants[per_c_m + j] * (n_i * state[i_at + j] + n_x * rows[row + j])
        a[j] += to_a * y
        b[j] += to_b * y


@kernel(bare=True)
def fire_conductance(
    state, at, held, neuron, a_1, b_1, a_2, b_2, push, fired, n, dt, constants, v_th, v_reset,
    ref_steps, ref, subtract,
):  # fmt: skip
    """Step neurons under conductances."""
    for j in range(n):
        push[j] += conductance_free(state[at + j], a_1[j], b_1[j], a_2[j], b_2[j], dt)
    for j in range(n):
        v_free, v, left, is_fired = fire(
            state[at + j],
            held[neuron + j],
            push[j],
            constants[v_th + j],
            constants[v_reset + j],
            ref_steps[ref + j],
            subtract,
        )
        state[at + j] = v_free if math.isinf(v_free) else v
        held[neuron + j] = left
        fired[j] = is_fired


@kernel(bare=True)
def move_each(state, at, push, n, constants, c, width):
    """Turn what v is pushed by into where it would be: `c` is where DECAY_M of the first lies."""
    none = state.dtype.type(0)
    v_rest = c + U(2) * width
    for j in range(n):
        push[j] = move(state[at + j], push[j], none, constants[c + j], constants[v_rest + j])


@kernel(bare=True)
def move_conductance(state, at, a_1, b_1, a_2, b_2, push, n, dt):
    """Do the same under conductances, where jumps alone are in `push`."""
    for j in range(n):
        push[j] += conductance_free(state[at + j], a_1[j], b_1[j], a_2[j], b_2[j], dt)


@kernel(bare=True)
def fire_adaptive(
    state, at, a_at, held, neuron, moved, fired, n, constants, c, width, ref_steps, ref, subtract
):
    """Fire neurons with an adaptive threshold: `c` is where DECAY_M of the first one lies."""
    v_th, v_reset = c + U(3) * width, c + U(4) * width
    decay_a, delta_a = c + U(9) * width, c + U(10) * width
    for j in range(n):
        v_free, v, left, is_fired, a = adaptive_fire(
            state[at + j],
            state[a_at + j],
            held[neuron + j],
            moved[j],
            constants[v_th + j],
            constants[v_reset + j],
            ref_steps[ref + j],
            subtract,
            constants[decay_a + j],
            constants[delta_a + j],
        )
        state[at + j] = v_free if math.isinf(v_free) else v
        state[a_at + j] = a
        held[neuron + j] = left
        fired[j] = is_fired


@kernel(bare=True)
def rates_of(rates, slot, column, state, at, n, constants, v_half, v_scale, max_rate):
    """Write the output of rate neurons into a row."""
    for j in range(n):
        rates[slot, column + j] = output(
            state[at + j], constants[v_half + j], constants[v_scale + j], constants[max_rate + j]
        )


@kernel(bare=True)
def no_rates(rates, slot, column, state, at, n, constants, v_half, v_scale, max_rate):
    """Stand in for :func:`rates_of` where there are no rate neurons."""


@kernel(bare=True)
def no_move(*arguments):
    """Stand in for what moves adaptive neurons where there are none."""


@kernel(bare=True)
def no_adaptation(
    state, at, a_at, held, neuron, moved, fired, n, constants, c, width, ref_steps, ref, subtract
):
    """Stand in for :func:`fire_adaptive` where there are no adaptive neurons."""


@kernel(bare=True, forceinline=True)
def log_fired(fired, words, n, log, count, stamp):
    """Append ``stamp + j`` to the log for each that fired; return where the next one goes."""
    if n < U(8):
        # A mark just written is quick to read by itself, not as part of a word.
        for j in range(n):
            if fired[j]:
                log[count] = np.int64(stamp + j)
                count += U(1)
        return count
    begin = U(0)
    while begin < n:
        # 64 marks at a time: few groups hold one.
        any_fired = U(0)
        for word in range(U(8)):
            any_fired |= words[(begin >> U(3)) + word]
        if any_fired:
            for j in range(begin, min(begin + U(64), n)):
                if fired[j]:
                    log[count] = np.int64(stamp + j)
                    count += U(1)
        begin += U(64)
    return count
