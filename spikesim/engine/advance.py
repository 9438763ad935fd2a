"""The kernel that advances one population of LIF neurons over a stretch of steps.

Within a stretch no population hears of another, so each neuron runs through all its steps before
the next one starts: its state stays in registers. The order within a step is that of
``docs/update_order.md``.
"""

from __future__ import annotations

import math

from spikesim._jit import kernel
from spikesim.neurons.lif import step

__all__ = ["advance"]


@kernel
def advance(
    first_step,
    n_steps,
    v,
    refractory,
    i_syn,
    x_syn,
    drive,
    jump,
    current,
    decay_m,
    leak_gain,
    v_rest,
    v_th,
    v_reset,
    ref_steps,
    subtract,
    i_ext,
    ports,
    p_vi,
    p_vx,
    trace_row,
    interval,
    v_trace,
    i_trace,
    first_sample,
    spike_steps,
    spike_ids,
):
    """Advance all neurons by `n_steps`; return how many spikes there were.

    Parameters
    ----------
    first_step, n_steps : int
        The stretch: steps ``first_step`` to ``first_step + n_steps - 1``, counted from 1.
    v, refractory : ndarray, shape (n,)
        State, changed in place (mV, steps).
    i_syn, x_syn : ndarray, shape (n, n_ports)
        State of the synapses, changed in place.
    drive : ndarray, shape (n_ports, n, length)
        Weights that arrive at step k, in column ``k % length``; set to 0 once used.
    jump : ndarray, shape (n, length) or (0, length)
        The same for delta synapses (mV).
    current : ndarray, shape (n_steps, n) or (0, n)
        Input current of each step (pA).
    decay_m, leak_gain, v_rest, v_th, v_reset, ref_steps, subtract, i_ext
        Parameters and constants, one a neuron.
    ports : ndarray, shape (n_ports, 4)
        ``decay_syn, p_ix, gain_i, gain_x`` of each synapse.
    p_vi, p_vx : ndarray, shape (n_ports, n)
        What a synaptic state adds to v over a step.
    trace_row : ndarray of int64, shape (n,) or (0,)
        Column of each neuron in the traces, -1 for those not recorded.
    interval : int
        Steps between samples.
    v_trace, i_trace : ndarray, shape (n_samples, n_recorded) or (0, 0)
        Written.
    first_sample : int
        Sample s of the grid ``k = s * interval`` goes into row ``s - first_sample``.
    spike_steps, spike_ids : ndarray of int64
        Written: the spikes, neuron by neuron.
    """
    n_ports, length = ports.shape[0], jump.shape[1]
    has_jump = jump.shape[0] > 0
    has_current = current.shape[0] > 0
    has_trace = trace_row.shape[0] > 0
    count = 0
    for neuron in range(v.shape[0]):
        v_now = v[neuron]
        held = refractory[neuron]
        decay, rest, gain = decay_m[neuron], v_rest[neuron], leak_gain[neuron]
        threshold, after, hold = v_th[neuron], v_reset[neuron], ref_steps[neuron]
        constant = i_ext[neuron]
        row = trace_row[neuron] if has_trace else -1
        slot = first_step % length
        until_sample = interval - (first_step - 1) % interval
        for j in range(n_steps):
            total = constant
            if has_current:
                total += current[j, neuron]
            push = gain * total
            for port in range(n_ports):
                i, x = i_syn[neuron, port], x_syn[neuron, port]
                push += p_vi[port, neuron] * i + p_vx[port, neuron] * x
                arriving = drive[port, neuron, slot]
                i_syn[neuron, port] = (
                    ports[port, 0] * i + ports[port, 1] * x + ports[port, 2] * arriving
                )
                x_syn[neuron, port] = ports[port, 0] * x + ports[port, 3] * arriving
                drive[port, neuron, slot] = 0.0
            arriving = 0.0
            if has_jump:
                arriving = jump[neuron, slot]
                jump[neuron, slot] = 0.0
            v_free, v_now, held, fired = step(
                v_now, held, push, arriving, decay, rest, threshold, after, hold, subtract
            )
            if fired:
                if math.isinf(v_free):
                    # A reset would hide the overflow from the check after the stretch.
                    v_now = v_free
                spike_steps[count] = first_step + j
                spike_ids[count] = neuron
                count += 1
            until_sample -= 1
            if until_sample == 0:
                until_sample = interval
                if row >= 0:
                    sample = (first_step + j) // interval - first_sample
                    if v_trace.shape[0] > 0:
                        v_trace[sample, row] = v_now
                    if i_trace.shape[0] > 0:
                        sum_i = 0.0
                        for port in range(n_ports):
                            sum_i += i_syn[neuron, port]
                        i_trace[sample, row] = sum_i
            slot += 1
            if slot == length:
                slot = 0
        v[neuron] = v_now
        refractory[neuron] = held
    return count
