r"""The adjoint of :mod:`spikesim.layered.events`: exact gradients from spike to spike.

With :math:`A = \partial L / \partial v` and :math:`C = \partial L / \partial i` just after an
event, :math:`D_k = \partial L / \partial t_k` for the time of spike k, and d and g as there, time
runs backward:

.. math::

    \text{over a time } s:\quad & C \leftarrow d_s C + \tfrac{g}{c_m} A, \qquad
        A \leftarrow d_m A \\
    \text{arrival of spike k, weight w}:\quad & \partial_w L \mathrel{+}= C, \qquad
        D_k \mathrel{+}= w \left( \frac{C}{\tau_{syn}} - \frac{A}{c_m} \right) \\
    \text{spike k of the unit}:\quad & A \leftarrow \frac{\dot v^+ A - D_k}{\dot v^-}

where :math:`\dot v^-, \dot v^+` are the slopes of v before and after the reset. The derivative by
the constant current grows by :math:`r_m (1 - d_m) A` over a time s, that by a delay is the one by
the time of arrival. A loss on the highest potential adds to A at its time; where an arrival ends
the rise, it adds :math:`\dot v^-` times as much to D of that spike, since the top moves with it.
A loss on the mean potential is a steady source :math:`m` per ms:

.. math::

    C \mathrel{+}= m \left(r_m\,\tau_{syn} (1 - d_s) - \tau_m \tfrac{g}{c_m} \right), \qquad
    A \mathrel{+}= m\,\tau_m (1 - d_m), \qquad
    D_k \mathrel{+}= m\,(v_{th} - v_{reset})

References
----------
Wunderlich & Pehle 2021, Sci. Rep. 11:12829, whose adjoint variables are
:math:`\lambda_V = -\tau_m A` and :math:`\lambda_I = -\tau_{syn} C` here.
"""

from __future__ import annotations

import numpy as np

from spikesim._jit import kernel
from spikesim.layered.crossing import propagators
from spikesim.layered.events import (
    ARRIVAL,
    C_M,
    ECHO,
    TAU_M,
    V_RESET,
    V_TH,
    fill_table,
    longest,
    sort_arrivals,
)

__all__ = ["adjoint_joint", "adjoint_units"]


@kernel(error_model="numpy")
def _latest_spike(low, k, grad_times, places):
    """Return how many arrivals come before the last spike that the loss knows of, else -1.

    Nothing after it matters.
    """
    while k >= low and grad_times[k] == 0.0:
        k -= 1
    return places[k, 1] if k >= low else -1


@kernel(error_model="numpy")
def adjoint_units(
    times, lines, starts, first, last, source, w, delay, units, tau_syn, duration,
    values, places, offsets, grad_times, peaks, peak_places, grad_peak, grad_mean,
    grad_w, grad_bias, grad_delay, grad_source,
):  # fmt: skip
    """Go backward through what :func:`~spikesim.layered.events.run_units` did.

    Parameters
    ----------
    times, lines, starts, first, last, w, delay, units, tau_syn, duration
        As given there.
    source : ndarray of int64
        Where in `grad_source` each input spike is.
    values, places, offsets, peaks, peak_places
        As returned there.
    grad_times : ndarray, shape (n_spikes,)
        Derivative of the loss by the time of each spike, in the order of `values`.
    grad_peak, grad_mean : ndarray, shape (n_trials, n_post), or (0, 0)
        Derivative by the highest and by the mean potential.
    grad_w : ndarray, shape (n_post, n_pre)
    grad_bias : ndarray, shape (n_post,)
    grad_delay : ndarray, shape (n_post, n_pre), or (0, 0)
    grad_source : ndarray
        Added to: derivatives by the weights, constant currents, delays and input spikes.
    """
    n_trials, n = last - first, len(w)
    delays = grad_delay.size > 0
    scratch = longest(starts, first, last) + 1
    arrives = np.empty(scratch)
    event = np.empty(scratch, dtype=np.int64)
    table = np.empty((scratch, 3))
    n_arrivals = 0
    for b in range(n_trials):
        for j in range(n):
            tau_m, c_m = units[j, TAU_M], units[j, C_M]
            if j == 0 or delay.shape[1] > 1:
                n_arrivals = sort_arrivals(
                    times, lines, starts[first + b], starts[first + b + 1], delay, j, duration,
                    arrives, event,
                )  # fmt: skip
                fill_table(arrives, n_arrivals, duration, tau_m, tau_syn, table)
            elif tau_m != units[j - 1, TAU_M]:
                fill_table(arrives, n_arrivals, duration, tau_m, tau_syn, table)
            r_m = tau_m / c_m
            low, k = offsets[b * n + j], offsets[b * n + j + 1] - 1
            by_peak = grad_peak[b, j] if grad_peak.size else 0.0
            by_mean = grad_mean[b, j] / duration if grad_mean.size else 0.0
            latest = _latest_spike(low, k, grad_times, places)
            if by_peak != 0.0:
                bends = 1 if peaks[b, j, 2] != 0.0 else 0
                latest = max(latest, peak_places[b, j] + bends)
            if by_mean != 0.0:
                latest = n_arrivals
            while k >= low and places[k, 1] > latest:
                k -= 1
            drop = by_mean * (units[j, V_TH] - units[j, V_RESET]) if by_mean != 0.0 else 0.0
            a, c, constant = 0.0, 0.0, 0.0
            for e in range(latest, -1, -1):
                t = arrives[e] if e < n_arrivals else duration
                begin = arrives[e - 1] if e > 0 else 0.0
                peak_here = by_peak != 0.0 and peak_places[b, j] == e
                whole = True
                while True:
                    # The next point to stop at: a spike, the highest potential or the arrival.
                    spike_here = k >= low and places[k, 1] == e
                    stop = begin
                    if spike_here:
                        stop = values[k, 0]
                    at_peak = peak_here and peaks[b, j, 1] >= stop
                    if at_peak:
                        stop = peaks[b, j, 1]
                    if whole and not spike_here and not at_peak:
                        d_m, d_s, gain = table[e, 0], table[e, 1], table[e, 2]
                    else:
                        d_m, d_s, gain = propagators(t - stop, tau_m, tau_syn)
                    constant += a * r_m * (1.0 - d_m)
                    c = d_s * c + gain / c_m * a
                    a *= d_m
                    if by_mean != 0.0:
                        area = tau_m * (1.0 - d_m)
                        constant += by_mean * r_m * (t - stop - area)
                        c += by_mean * (r_m * tau_syn * (1.0 - d_s) - tau_m * gain / c_m)
                        a += by_mean * area
                    t = stop
                    whole = False
                    if at_peak:
                        a += by_peak
                        peak_here = False
                    elif spike_here:
                        a = (values[k, 2] * a - grad_times[k] - drop) / values[k, 1]
                        k -= 1
                    else:
                        break
                if e > 0:
                    spike = event[e - 1]
                    line = lines[spike]
                    weight = w[j, line]
                    grad_w[j, line] += c
                    by_arrival = weight * (c / tau_syn - a / c_m)
                    if by_peak != 0.0 and peak_places[b, j] == e - 1:
                        by_arrival += by_peak * peaks[b, j, 2]
                    grad_source[source[spike]] += by_arrival
                    if delays:
                        grad_delay[j, line] += by_arrival
            grad_bias[j] += constant


@kernel(error_model="numpy")
def adjoint_joint(
    times, lines, starts, first, last, source, w, w_rec, units, tau_syn,
    values, places, log, log_times, log_starts, grad_times,
    grad_w, grad_rec, grad_bias, grad_delay, grad_source,
):  # fmt: skip
    """Go backward through what :func:`~spikesim.layered.events.run_joint` did.

    Parameters
    ----------
    times, lines, starts, first, last, w, w_rec, units, tau_syn
        As given there.
    source : ndarray of int64
        Where in `grad_source` each input spike is.
    values, places, log, log_times, log_starts
        As returned there.
    grad_times : ndarray, shape (n_spikes,)
        Derivative of the loss by the time of each spike; what spikes do to later ones of the
        layer is added to it.
    grad_w, grad_rec, grad_bias, grad_delay, grad_source : ndarray
        Added to: derivatives by the weights, constant currents, delays and input spikes, of the
        shapes of `w`, `w_rec`, (n_post,), `w` or (0, 0), and the input.
    """
    n_trials, n = last - first, w.shape[1]
    delays = grad_delay.size > 0
    a, c = np.empty(n), np.empty(n)
    for b in range(n_trials):
        for j in range(n):
            a[j], c[j] = 0.0, 0.0
        t = 0.0
        if log_starts[b + 1] > log_starts[b]:
            t = log_times[log_starts[b + 1] - 1, 0]
        for entry in range(log_starts[b + 1] - 1, log_starts[b] - 1, -1):
            kind, spike = log[entry, 0], log[entry, 1]
            low, high = log[entry, 2], log[entry, 3]
            if log_times[entry, 0] != t:
                for j in range(n):
                    tau_m = units[j, TAU_M]
                    if j == 0 or tau_m != units[j - 1, TAU_M]:
                        d_m, d_s, gain = propagators(t - log_times[entry, 0], tau_m, tau_syn)
                    c_m = units[j, C_M]
                    grad_bias[j] += a[j] * tau_m / c_m * (1.0 - d_m)
                    c[j] = d_s * c[j] + gain / c_m * a[j]
                    a[j] *= d_m
                t = log_times[entry, 0]
            if kind == ARRIVAL:
                line = lines[spike]
                total = 0.0
                for j in range(low, high):
                    grad_w[line, j] += c[j]
                    by_arrival = w[line, j] * (c[j] / tau_syn - a[j] / units[j, C_M])
                    total += by_arrival
                    if delays:
                        grad_delay[line, j] += by_arrival
                grad_source[source[spike]] += total
            elif kind == ECHO:
                who = places[spike, 0]
                total = 0.0
                for j in range(n):
                    grad_rec[who, j] += c[j]
                    total += w_rec[who, j] * (c[j] / tau_syn - a[j] / units[j, C_M])
                grad_times[spike] += total
            else:
                who = places[spike, 0]
                a[who] = (values[spike, 2] * a[who] - grad_times[spike]) / values[spike, 1]
        # From the first event back to the start.
        for j in range(n):
            tau_m = units[j, TAU_M]
            d_m, d_s, gain = propagators(t, tau_m, tau_syn)
            grad_bias[j] += a[j] * tau_m / units[j, C_M] * (1.0 - d_m)
