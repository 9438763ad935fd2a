"""The kernels of :mod:`spikesim.layered.first_spike`, each for some of the trials.

All take the input spikes (times, units, starts), then what describes the layer (Units there), and
write into the arrays at their end.
"""

from __future__ import annotations

import math

import numpy as np

from spikesim._jit import kernel
from spikesim.layered.crossing import crossing, potential, propagators, turn

__all__ = ["climb", "differentiate", "fire"]


@kernel
def _arrive(times, units, first, n, delay, arrival, order):
    """Fill in when the n spikes of a trial arrive, in order of time, and which spikes they are."""
    sorted_already = True
    for k in range(n):
        order[k] = first + k
        arrival[k] = times[first + k] + delay[units[first + k]]
        if k > 0 and arrival[k] < arrival[k - 1]:
            sorted_already = False
    if not sorted_already:
        rank = np.argsort(arrival[:n], kind="mergesort")
        arrival[:n] = arrival[:n][rank]
        order[:n] = first + rank


@kernel
def _decay(arrival, n, tau_m, tau_syn, decay_m, decay_syn, rise):
    """Fill in what passes from each arrival to the next; before the first it is from 0."""
    before = 0.0
    for k in range(n):
        gap = arrival[k] - before
        decay_m[k] = math.exp(-gap / tau_m)
        decay_syn[k] = math.exp(-gap / tau_syn)
        rise[k] = propagators(gap, tau_m, tau_syn)[2]
        before = arrival[k]


@kernel
def fire(
    times,
    units,
    starts,
    w,
    delay,
    u_init,
    theta,
    tau_m,
    c_m,
    formula,
    tau_syn,
    alike,
    duration,
    first,
    last,
    found,
    slope,
    n_before,
):
    """Fill in the first spikes, with slopes and numbers of arrivals before them."""
    most = np.max(starts[first + 1 : last + 1] - starts[first:last])
    arrival, order = np.empty(most), np.empty(most, dtype=np.int64)
    decay_m, decay_syn, rise = np.empty(most), np.empty(most), np.empty(most)
    shared = delay.shape[0] == 1
    for b in range(first, last):
        n = starts[b + 1] - starts[b]
        if shared:
            _arrive(times, units, starts[b], n, delay[0], arrival, order)
            if alike:
                _decay(arrival, n, tau_m[0], tau_syn, decay_m, decay_syn, rise)
        for j in range(w.shape[0]):
            if not shared:
                _arrive(times, units, starts[b], n, delay[j], arrival, order)
            if not (shared and alike):
                _decay(arrival, n, tau_m[j], tau_syn, decay_m, decay_syn, rise)
            u, i, start = u_init[j], 0.0, 0.0
            for k in range(n + 1):
                stop = min(arrival[k], duration) if k < n else duration
                if stop > start:
                    h = crossing(
                        u, i, theta[j], stop - start, formula[j], tau_m[j], tau_syn, c_m[j]
                    )
                    if h < math.inf:
                        found[b, j] = start + h
                        current = i * math.exp(-h / tau_syn)
                        slope[b, j] = -theta[j] / tau_m[j] + current / c_m[j]
                        n_before[b, j] = k
                        break
                if stop == duration:
                    break
                u = u * decay_m[k] + i / c_m[j] * rise[k]
                i = i * decay_syn[k] + w[j, units[order[k]]]
                start = stop


@kernel
def climb(
    times,
    units,
    starts,
    w,
    delay,
    u_init,
    theta,
    tau_m,
    c_m,
    formula,
    tau_syn,
    alike,
    duration,
    first,
    last,
    found,
    when,
    top,
    n_before,
    bend,
):
    """Fill in the peaks of units that stayed silent."""
    most = np.max(starts[first + 1 : last + 1] - starts[first:last])
    arrival, order = np.empty(most), np.empty(most, dtype=np.int64)
    for b in range(first, last):
        n = starts[b + 1] - starts[b]
        for j in range(w.shape[0]):
            if found[b, j] < math.inf:
                continue
            row = 0 if delay.shape[0] == 1 else j
            _arrive(times, units, starts[b], n, delay[row], arrival, order)
            u, i, start = u_init[j], 0.0, 0.0
            top[b, j] = u
            for k in range(n + 1):
                stop = min(arrival[k], duration) if k < n else duration
                length = stop - start
                u_stop = potential(length, u, i, tau_m[j], tau_syn, c_m[j])
                i_stop = i * math.exp(-length / tau_syn)
                if length > 0.0 and i / c_m[j] > u / tau_m[j]:
                    h = turn(u, i, tau_m[j], tau_syn, c_m[j])
                    inside = h < length
                    highest = potential(h, u, i, tau_m[j], tau_syn, c_m[j]) if inside else u_stop
                    if highest > top[b, j]:
                        top[b, j], n_before[b, j] = highest, k
                        when[b, j] = start + h if inside else stop
                        bend[b, j] = 0.0
                        if not inside and stop < duration:
                            bend[b, j] = -u_stop / tau_m[j] + i_stop / c_m[j]
                if stop == duration:
                    break
                u, i, start = u_stop, i_stop + w[j, units[order[k]]], stop


@kernel
def differentiate(
    times,
    units,
    starts,
    w,
    delay,
    u_init,
    theta,
    tau_m,
    c_m,
    formula,
    tau_syn,
    alike,
    first,
    last,
    found,
    slope,
    n_before,
    bend,
    grad,
    grad_events,
    grad_w,
    grad_bias,
    grad_delay,
):
    """Add the gradient of a loss of the times found[b, j] of slopes slope[b, j]."""
    most = np.max(starts[first + 1 : last + 1] - starts[first:last])
    arrival, order = np.empty(most), np.empty(most, dtype=np.int64)
    decay_m, decay_syn, rise = np.empty(most), np.empty(most), np.empty(most)
    shared = delay.shape[0] == 1
    for b in range(first, last):
        n = starts[b + 1] - starts[b]
        if shared:
            _arrive(times, units, starts[b], n, delay[0], arrival, order)
            if alike:
                _decay(arrival, n, tau_m[0], tau_syn, decay_m, decay_syn, rise)
        for j in range(w.shape[0]):
            if found[b, j] == math.inf or grad[b, j] == 0.0 or not slope[b, j] > 0.0:
                continue
            if not shared:
                _arrive(times, units, starts[b], n, delay[j], arrival, order)
            if not (shared and alike):
                _decay(arrival, n, tau_m[j], tau_syn, decay_m, decay_syn, rise)
            g = grad[b, j] / slope[b, j]
            grad_bias[j] += g * tau_m[j] / c_m[j] * math.expm1(-found[b, j] / tau_m[j])
            row = 0 if shared else j
            if bend.size > 0 and bend[b, j] != 0.0:
                # The peak is at an arrival and moves with it.
                k = n_before[b, j]
                grad_delay[row, units[order[k]]] -= g * bend[b, j]
                grad_events[order[k]] -= g * bend[b, j]
            for k in range(n_before[b, j] - 1, -1, -1):
                # From arrival k to the spike, put together from its two parts.
                if k == n_before[b, j] - 1:
                    since = found[b, j] - arrival[k]
                    left_m = math.exp(-since / tau_m[j])
                    left_syn = math.exp(-since / tau_syn)
                    risen = propagators(since, tau_m[j], tau_syn)[2]
                else:
                    risen = rise[k + 1] * left_m + decay_syn[k + 1] * risen
                    left_m *= decay_m[k + 1]
                    left_syn *= decay_syn[k + 1]
                i = units[order[k]]
                grad_w[j, i] -= g * risen / c_m[j]
                shift = g * w[j, i] / c_m[j] * (left_syn - risen / tau_m[j])
                grad_delay[row, i] += shift
                grad_events[order[k]] += shift
