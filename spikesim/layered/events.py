r"""LIF neurons with exponential synapses from event to event, without a grid.

Between two events a unit obeys

.. math::

    \tau_m \dot v = -(v - v_\infty) + r_m\, i, \qquad \tau_{syn}\, \dot i = -i, \qquad
    v_\infty = v_{rest} + r_m (i_{ext} + b)

so that over a time s, with :math:`d_m = e^{-s/\tau_m}` and :math:`d_s = e^{-s/\tau_{syn}}`,

.. math::

    v(s) = v_\infty + d_m (v - v_\infty) + \frac{g}{c_m}\, i, \qquad i(s) = d_s\, i, \qquad
    g = \frac{d_m - d_s}{1/\tau_{syn} - 1/\tau_m}

(:math:`g = s\,d_m` where the time constants are equal). An arrival adds its weight to i. When v
rises to :math:`v_{th}` the unit fires and v is :math:`v_{reset}`; since v has no jumps, a reset by
subtraction is the same.

**Crossings.** :math:`\dot v` has at most one zero between two events. If v ends an interval below
threshold, it can have crossed it only on the way to a maximum, which lies where

.. math::

    s^* = \frac1q \ln\!\left(1 + \frac{(\tau_m - z)\,q}{1 + z q}\right), \qquad
    z = \frac{c_m (v - v_\infty)}{i}, \qquad q = \frac1{\tau_{syn}} - \frac1{\tau_m}

and is :math:`v(s^*) = v_\infty + r_m\, i(s^*)`. So each crossing has a bracket with one root, which
:func:`spikesim.layered.crossing.root` finds.
"""

from __future__ import annotations

import math

import numpy as np

from spikesim._jit import kernel
from spikesim.layered.crossing import propagators, root, time_of_maximum

__all__ = [
    "C_M",
    "REACH",
    "TAU_M",
    "V_INF",
    "V_INIT",
    "V_RESET",
    "V_TH",
    "run_joint",
    "run_units",
    "sort_arrivals",
]

# Columns of the table of units.
TAU_M, C_M, V_INF, V_TH, V_RESET, V_INIT, REACH = range(7)

# What can end a run.
FINE, NOT_FINITE, TOO_MANY = range(3)

# Kinds of entries in the log of a recurrent layer.
ARRIVAL, ECHO, SPIKE = range(3)


@kernel(error_model="numpy")
def crossing_before(u, i, u_end, i_end, length, threshold, reach, tau_m, tau_syn, c_m):
    """Return when v first reaches threshold within `length`, or -1.

    What :func:`spikesim.layered.crossing.crossing` finds, where the end of the interval is known
    already: nearly all intervals are seen to have no crossing without an exponential.

    Parameters
    ----------
    u, i, u_end, i_end : float
        v - v_inf and i at the start and at the end of the interval.
    length : float
        Its length (ms).
    threshold : float
        v_th - v_inf.
    reach : float
        The most that v can rise above v_inf, or above where it starts, by a current of 1.
    tau_m, tau_syn, c_m : float
        Constants of the unit.
    """
    # Most intervals end here.
    if max(u, 0.0) + reach * max(i, 0.0) < threshold:
        return -1.0
    if u >= threshold:
        return 0.0
    r_m = tau_m / c_m
    high = length
    if u_end < threshold:
        if not (r_m * i > u and r_m * i_end < u_end):
            return -1.0
        high = min(length, max(0.0, time_of_maximum(u, i, tau_m, tau_syn, c_m)))
        if r_m * i * math.exp(-high / tau_syn) < threshold:
            return -1.0
    return root(u, i, threshold, 0.0, high, tau_m, tau_syn, c_m)


@kernel(error_model="numpy")
def sort_arrivals(times, lines, start, stop, delay, unit, duration, arrives, event):
    """List the arrivals of spikes `start` to `stop` - 1 at `unit` in order; return their number.

    Parameters
    ----------
    times, lines : ndarray
        Spikes and the inputs that they are on.
    start, stop, unit : int
        Which spikes, at which unit.
    delay : ndarray
        Of shape (0, 0) for none, (n_pre, 1) or (n_pre, n_post).
    duration : float
        Later arrivals are left out.
    arrives, event : ndarray
        Filled: time of each arrival, number of its spike.
    """
    if delay.size == 0:
        for e in range(stop - start):
            arrives[e] = times[start + e]
            event[e] = start + e
        return stop - start
    column = unit if delay.shape[1] > 1 else 0
    late = np.empty(stop - start)
    for e in range(stop - start):
        late[e] = times[start + e] + delay[lines[start + e], column]
    n = 0
    for e in np.argsort(late, kind="mergesort"):
        if late[e] <= duration:
            arrives[n] = late[e]
            event[n] = start + e
            n += 1
    return n


@kernel(error_model="numpy")
def fill_table(arrives, n, duration, tau_m, tau_syn, table):
    """Write the propagators of the intervals that n arrivals divide the trial into."""
    before = 0.0
    for e in range(n + 1):
        after = arrives[e] if e < n else duration
        table[e, 0], table[e, 1], table[e, 2] = propagators(after - before, tau_m, tau_syn)
        before = after


@kernel(error_model="numpy")
def longest(starts, first, last):
    """Return the largest number of spikes in a trial."""
    most = 0
    for b in range(first, last):
        most = max(most, starts[b + 1] - starts[b])
    return most


@kernel(error_model="numpy")
def _grown(array):
    larger = np.empty((2 * len(array), array.shape[1]), dtype=array.dtype)
    larger[: len(array)] = array
    return larger


@kernel(error_model="numpy")
def _with_spike(values, places, count, t, push, threshold, reset, tau_m, unit, place):
    """Write down a spike, in larger arrays where these are full; return the arrays."""
    if count == len(values):
        values, places = _grown(values), _grown(places)
    values[count, 0] = t
    values[count, 1] = (push - threshold) / tau_m
    values[count, 2] = (push - reset) / tau_m
    places[count, 0], places[count, 1] = unit, place
    return values, places


@kernel(error_model="numpy")
def _by_time(values, offsets, n_trials, n):
    """Return what puts the spikes of each trial in the order of time."""
    order = np.empty(offsets[n_trials * n], dtype=np.int64)
    for b in range(n_trials):
        start, stop = offsets[b * n], offsets[(b + 1) * n]
        order[start:stop] = start + np.argsort(values[start:stop, 0], kind="mergesort")
    return order


@kernel(error_model="numpy")
def run_units(
    times, lines, starts, first, last, w, delay, units, tau_syn, duration, watch, most
):  # fmt: skip
    """Run units that do not hear of each other, each by itself, through trials of a chunk.

    Parameters
    ----------
    times, lines, starts : ndarray
        Input spikes, as in SpikeTimes.
    first, last : int
        The trials.
    w : ndarray, shape (n_post, n_pre)
        Weights, a row for each unit.
    delay : ndarray
        See :func:`sort_arrivals`.
    units : ndarray, shape (n_post, 7)
        Constants of each unit.
    tau_syn, duration : float
    watch : bool
        Whether to find the highest and the mean potential of each unit.
    most : int
        Spikes of one unit in a trial at which the run is given up.

    Returns
    -------
    values : ndarray, shape (n_spikes, 3)
        Time of each spike, and the slope of v before and after its reset; by trial, unit, time.
    places : ndarray of int64, shape (n_spikes, 2)
        Unit of each spike, and number of arrivals before it.
    offsets : ndarray of int64, shape (n_trials * n_post + 1,)
        Where the spikes of each trial and unit begin.
    order : ndarray of int64, shape (n_spikes,)
        Puts the spikes of each trial in the order of time.
    peaks : ndarray, shape (n_trials, n_post, 4)
        Highest potential, its time, the slope there if an arrival ends the rise (else 0), and
        the mean potential.
    peak_places : ndarray of int64, shape (n_trials, n_post)
        Number of arrivals before the highest potential.
    status : tuple of int
        What went wrong, in which trial and unit.
    """
    n_trials, n = last - first, len(w)
    capacity = max(16, 2 * n_trials * n)
    values = np.empty((capacity, 3))
    places = np.empty((capacity, 2), dtype=np.int64)
    offsets = np.zeros(n_trials * n + 1, dtype=np.int64)
    order = np.empty(0, dtype=np.int64)
    peaks = np.empty((n_trials, n, 4) if watch else (0, 0, 4))
    peak_places = np.zeros((n_trials, n) if watch else (0, 0), dtype=np.int64)
    scratch = longest(starts, first, last) + 1
    arrives = np.empty(scratch)
    event = np.empty(scratch, dtype=np.int64)
    table = np.empty((scratch, 3))
    count = 0
    n_arrivals = 0
    # In one piece, as the adjoint is: a call with so many arrays for each unit makes both slower by
    # two fifths.
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
            v_inf = units[j, V_INF]
            threshold, reset = units[j, V_TH] - v_inf, units[j, V_RESET] - v_inf
            u, i, t = units[j, V_INIT] - v_inf, 0.0, 0.0
            top, when, bend, integral = u, 0.0, 0.0, 0.0
            top_place = 0
            for e in range(n_arrivals + 1):
                end = arrives[e] if e < n_arrivals else duration
                d_m, d_s, gain = table[e, 0], table[e, 1], table[e, 2]
                u_end = d_m * u + gain / c_m * i
                i_end = d_s * i
                while True:
                    if not abs(u_end) < np.inf:
                        return (values[:count], places[:count], offsets, order, peaks,
                                peak_places, (NOT_FINITE, first + b, j))  # fmt: skip
                    s = crossing_before(
                        u, i, u_end, i_end, end - t, threshold, units[j, REACH], tau_m, tau_syn,
                        c_m,
                    )  # fmt: skip
                    if s < 0.0:
                        break
                    if watch:
                        i_spike = i * math.exp(-s / tau_syn)
                        integral += r_m * tau_syn * (i - i_spike) - tau_m * (threshold - u)
                        if threshold > top:
                            top, when, bend, top_place = threshold, t + s, 0.0, e
                    i *= math.exp(-s / tau_syn)
                    t = min(t + s, end)
                    if count == len(values):
                        values, places = _grown(values), _grown(places)
                    values[count, 0] = t
                    values[count, 1] = (r_m * i - threshold) / tau_m
                    values[count, 2] = (r_m * i - reset) / tau_m
                    places[count, 0] = j
                    places[count, 1] = e
                    count += 1
                    if count - offsets[b * n + j] > most:
                        return (values[:count], places[:count], offsets, order, peaks,
                                peak_places, (TOO_MANY, first + b, j))  # fmt: skip
                    u = reset
                    d_m, d_s, gain = propagators(end - t, tau_m, tau_syn)
                    u_end = d_m * u + gain / c_m * i
                    i_end = d_s * i
                if watch:
                    integral += r_m * tau_syn * (i - i_end) - tau_m * (u_end - u)
                    rises = r_m * i_end > u_end
                    if rises and u_end > top:
                        top, when, top_place = u_end, end, e
                        bend = (r_m * i_end - u_end) / tau_m if e < n_arrivals else 0.0
                    elif r_m * i > u and not rises:
                        s = min(end - t, time_of_maximum(u, i, tau_m, tau_syn, c_m))
                        high = r_m * i * math.exp(-s / tau_syn)
                        if high > top:
                            top, when, bend, top_place = high, t + s, 0.0, e
                u, i, t = u_end, i_end, end
                if e < n_arrivals:
                    i += w[j, lines[event[e]]]
            offsets[b * n + j + 1] = count
            if watch:
                peaks[b, j, 0] = top + v_inf
                peaks[b, j, 1] = when
                peaks[b, j, 2] = bend
                peaks[b, j, 3] = integral / duration + v_inf
                peak_places[b, j] = top_place
    order = _by_time(values, offsets, n_trials, n)
    return (values[:count], places[:count], offsets, order, peaks, peak_places, (FINE, 0, 0))


@kernel(error_model="numpy")
def _merge_arrivals(
    times, lines, start, stop, n_columns, delay, duration, arrives, event, mine, merged
):  # fmt: skip
    """List the arrivals at every unit in one order; return the order.

    `mine` gets the unit that each is for, where delays differ between units.
    """
    n_arrivals = 0
    for column in range(n_columns):
        found = sort_arrivals(
            times, lines, start, stop, delay, column, duration, arrives[n_arrivals:],
            event[n_arrivals:],
        )  # fmt: skip
        for e in range(n_arrivals, n_arrivals + found):
            mine[e] = column
        n_arrivals += found
    ranks = np.argsort(arrives[:n_arrivals], kind="mergesort")
    for e in range(n_arrivals):
        merged[e] = arrives[ranks[e]]
    return ranks


@kernel(error_model="numpy")
def _first_to_fire(u, i, length, units, tau_syn, u_end, i_end):
    """Fill in where all units end an interval; return the first crossing in it, and whose.

    Without a crossing the unit is -1, or -2 - j where that of unit j is not finite.
    """
    soonest, who = np.inf, -1
    for j in range(len(u)):
        tau_m, c_m, v_inf = units[j, TAU_M], units[j, C_M], units[j, V_INF]
        if j == 0 or tau_m != units[j - 1, TAU_M]:
            d_m, d_s, gain = propagators(length, tau_m, tau_syn)
        u_end[j] = d_m * u[j] + gain / c_m * i[j]
        i_end[j] = d_s * i[j]
        if not abs(u_end[j]) < np.inf:
            return np.inf, -2 - j
        s = crossing_before(
            u[j], i[j], u_end[j], i_end[j], length, units[j, V_TH] - v_inf, units[j, REACH],
            tau_m, tau_syn, c_m,
        )  # fmt: skip
        if 0.0 <= s < soonest:
            soonest, who = s, j
    return soonest, who


@kernel(error_model="numpy")
def _advance(u, i, s, units, tau_syn):
    """Let a time s pass."""
    for j in range(len(u)):
        tau_m = units[j, TAU_M]
        if j == 0 or tau_m != units[j - 1, TAU_M]:
            d_m, d_s, gain = propagators(s, tau_m, tau_syn)
        u[j] = d_m * u[j] + gain / units[j, C_M] * i[j]
        i[j] = d_s * i[j]


@kernel(error_model="numpy")
def run_joint(
    times, lines, starts, first, last, w, w_rec, delay, units, tau_syn, duration, most
):  # fmt: skip
    """Run units with recurrent connections through trials of a chunk.

    A spike acts on all units at the time of the spike, after the reset.

    Parameters
    ----------
    times, lines, starts, first, last, delay, units, tau_syn, duration, most
        As in :func:`run_units`.
    w : ndarray, shape (n_pre, n_post)
        Weights.
    w_rec : ndarray, shape (n_post, n_post)
        Recurrent weights.

    Returns
    -------
    values, places : ndarray
        As in :func:`run_units`, by trial and time; the second column of `places` is 0.
    offsets : ndarray of int64, shape (n_trials + 1,)
        Where the spikes of each trial begin.
    log : ndarray of int64, shape (n_events, 4)
        All events in their order: kind, number of the spike (of the input for arrivals), and
        the first and the last but one unit that it reaches.
    log_times : ndarray, shape (n_events, 1)
        When they happened.
    log_starts : ndarray of int64, shape (n_trials + 1,)
        Where the events of each trial begin.
    status : tuple of int
        What went wrong, in which trial and unit.
    """
    n_trials, n = last - first, w.shape[1]
    capacity = max(16, 2 * n_trials * n)
    values = np.empty((capacity, 3))
    places = np.zeros((capacity, 2), dtype=np.int64)
    offsets = np.zeros(n_trials + 1, dtype=np.int64)
    log = np.empty((capacity, 4), dtype=np.int64)
    log_times = np.empty((capacity, 1))
    log_starts = np.zeros(n_trials + 1, dtype=np.int64)
    n_columns = max(1, delay.shape[1])
    scratch = longest(starts, first, last) * n_columns + 1
    arrives, merged = np.empty(scratch), np.empty(scratch)
    event, mine = np.empty(scratch, dtype=np.int64), np.empty(scratch, dtype=np.int64)
    u, i = np.empty(n), np.empty(n)
    u_end, i_end = np.empty(n), np.empty(n)
    count, n_log = 0, 0
    for b in range(n_trials):
        ranks = _merge_arrivals(
            times, lines, starts[first + b], starts[first + b + 1], n_columns, delay, duration,
            arrives, event, mine, merged,
        )  # fmt: skip
        n_arrivals = len(ranks)
        for j in range(n):
            u[j], i[j] = units[j, V_INIT] - units[j, V_INF], 0.0
        t = 0.0
        e = 0
        while True:
            end = merged[e] if e < n_arrivals else duration
            soonest, who = _first_to_fire(u, i, end - t, units, tau_syn, u_end, i_end)
            if who < -1:
                return (values[:count], places[:count], offsets, log[:n_log], log_times[:n_log],
                        log_starts, (NOT_FINITE, first + b, -2 - who))  # fmt: skip
            if n_log + 2 > len(log):
                log, log_times = _grown(log), _grown(log_times)
            if who >= 0:
                _advance(u, i, soonest, units, tau_syn)
                t = min(t + soonest, end)
                tau_m, v_inf = units[who, TAU_M], units[who, V_INF]
                threshold, u[who] = units[who, V_TH] - v_inf, units[who, V_RESET] - v_inf
                push = tau_m / units[who, C_M] * i[who]
                values, places = _with_spike(
                    values, places, count, t, push, threshold, u[who], tau_m, who, 0
                )
                for kind in (SPIKE, ECHO):
                    log[n_log, 0], log[n_log, 1], log[n_log, 2], log[n_log, 3] = kind, count, 0, n
                    log_times[n_log, 0] = t
                    n_log += 1
                count += 1
                if count - offsets[b] > most * n:
                    return (values[:count], places[:count], offsets, log[:n_log],
                            log_times[:n_log], log_starts, (TOO_MANY, first + b, who))  # fmt: skip
                for j in range(n):
                    i[j] += w_rec[who, j]
                continue
            for j in range(n):
                u[j], i[j] = u_end[j], i_end[j]
            t = end
            if e == n_arrivals:
                break
            source = event[ranks[e]]
            low, high = 0, n
            if n_columns > 1:
                low = mine[ranks[e]]
                high = low + 1
            log[n_log, 0], log[n_log, 1], log[n_log, 2], log[n_log, 3] = ARRIVAL, source, low, high
            log_times[n_log, 0] = t
            n_log += 1
            for j in range(low, high):
                i[j] += w[lines[source], j]
            e += 1
        offsets[b + 1] = count
        log_starts[b + 1] = n_log
    return (values[:count], places[:count], offsets, log[:n_log], log_times[:n_log], log_starts,
            (FINE, 0, 0))  # fmt: skip
