r"""A layer of LIF neurons run forward: the kernel.

It follows ``docs/update_order.md`` line by line. Both synapses are one filter here,
:math:`i_k = d_s i_{k-1} +` what arrives in step k, of which the membrane feels
:math:`p_{vi}\, i_{k-1}`. A delta synapse is the one that forgets at once, :math:`d_s = 0` and
:math:`p_{vi} = 1`, with spikes that arrive a step earlier. What arrives is added one by one, as
the engine of populations does, so that both have the same bits.

Trials run in groups of four, so that a row of weights that is read serves four of them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from spikesim._jit import kernel
from spikesim.layered.packed import listed
from spikesim.layered.rows import add_listed, add_weighted, add_weighted_to_four
from spikesim.neurons.adaptive_lif import fire as adaptive_fire
from spikesim.neurons.lif import fire, move

__all__ = ["run_trials_of"]

_GROUP = 4


# Inlined: to hand over so many arrays takes as long as a step of a small layer.
@kernel(bare=True, forceinline=True)
def _advance(v, current, refractory, p, waits, subtract, v_free, fired, held):
    """Move, test and reset every unit of a trial; see :mod:`spikesim.neurons.lif`."""
    constant, p_vi, decay_m, v_rest, v_th, v_reset, ref_steps = p
    zero = v_free.dtype.type(0)
    if waits:
        for i in range(v.shape[0]):
            push = constant[i] + p_vi[i] * current[i]
            moved = move(v[i], push, zero, decay_m[i], v_rest[i])
            held[i] = refractory[i] > 0
            v_free[i], v[i], refractory[i], fired[i] = fire(
                v[i], refractory[i], moved, v_th[i], v_reset[i], ref_steps[i], subtract
            )
    else:
        for i in range(v.shape[0]):
            push = constant[i] + p_vi[i] * current[i]
            moved = move(v[i], push, zero, decay_m[i], v_rest[i])
            v_free[i], v[i], _, fired[i] = fire(v[i], 0, moved, v_th[i], v_reset[i], 0, subtract)


@kernel(bare=True, forceinline=True)
def _advance_adaptive(v, a, current, refractory, p, of_a, subtract, v_free, fired, held, in_force):
    """Do the same for units that adapt; see :mod:`spikesim.neurons.adaptive_lif`."""
    constant, p_vi, decay_m, v_rest, v_th, v_reset, ref_steps = p
    decay_a, delta_a = of_a
    zero = v_free.dtype.type(0)
    for i in range(v.shape[0]):
        push = constant[i] + p_vi[i] * current[i]
        moved = move(v[i], push, zero, decay_m[i], v_rest[i])
        held[i] = refractory[i] > 0
        in_force[i] = a[i]
        v_free[i], v[i], refractory[i], fired[i], a[i] = adaptive_fire(
            v[i], a[i], refractory[i], moved, v_th[i], v_reset[i], ref_steps[i], subtract,
            decay_a[i], delta_a[i],
        )  # fmt: skip


@kernel(bare=True)
def _pack(flags, n, words):
    for q in range(words.shape[0]):
        word = np.uint64(0)
        for i in range(min(64, n - 64 * q)):
            word |= np.uint64(flags[64 * q + i]) << np.uint64(i)
        words[q] = word


@lru_cache(maxsize=2)
def run_trials_of(adapts: bool) -> Any:
    """Return the kernel that runs units which adapt, or such as do not."""

    @kernel(bare=True)
    def run_group(
        bits, values, w, w_rec, lags, p, of_a, v_init, decay_syn, subtract, waits, start, group,
        v_free, fired_bits, held_bits, currents, adaptation, scratch,
    ):  # fmt: skip
        """Run up to four trials from `start`; see :func:`run_trials_of`."""
        v, a, current, refractory, fired, held, units = scratch
        n_steps, n = v_free.shape[1], v_free.shape[2]
        lag, lag_rec = lags
        graded, recurrent = values.shape[0] > 0, w_rec.shape[0] > 0
        for r in range(group):
            for i in range(n):
                v[r, i] = v_init[i]
                current[r, i] = 0
                refractory[r, i] = 0
                if adapts:
                    a[r, i] = 0
        for k in range(n_steps):
            for r in range(group):
                b = start + r
                if adapts:
                    _advance_adaptive(
                        v[r], a[r], current[r], refractory[r], p, of_a, subtract, v_free[b, k],
                        fired, held, adaptation[b, k],
                    )  # fmt: skip
                else:
                    _advance(
                        v[r], current[r], refractory[r], p, waits, subtract, v_free[b, k], fired,
                        held,
                    )  # fmt: skip
                _pack(fired, n, fired_bits[b, k])
                if waits:
                    _pack(held, n, held_bits[b, k])
                for i in range(n):
                    current[r, i] *= decay_syn
            # What was fired first is added first; of one step, the input is.
            for turn in range(2):
                if (turn == 0) == (lag_rec > lag):
                    if recurrent and k >= lag_rec:
                        for r in range(group):
                            n_spikes = listed(fired_bits[start + r, k - lag_rec], units)
                            add_listed(w_rec, units, n_spikes, current[r])
                elif k >= lag and not graded:
                    for r in range(group):
                        n_spikes = listed(bits[start + r, k - lag], units)
                        add_listed(w, units, n_spikes, current[r])
                elif k >= lag and group == _GROUP:
                    add_weighted_to_four(values[k - lag, start : start + _GROUP], w, current)
                elif k >= lag:
                    for r in range(group):
                        add_weighted(values[k - lag, start + r], w, current[r])
            if currents.shape[0] > 0:
                for r in range(group):
                    for i in range(n):
                        currents[start + r, k, i] = current[r, i]

    @kernel(error_model="numpy")
    def run_trials(
        bits, values, w, w_rec, lags, p, of_a, v_init, decay_syn, subtract, waits, first, last,
        v_free, fired_bits, held_bits, currents, adaptation,
    ):  # fmt: skip
        """Run the trials from `first` to `last`.

        Parameters
        ----------
        bits : ndarray of uint64, shape (n_trials, n_steps, n_words)
            Input spikes; without words where the input is `values`.
        values : ndarray, shape (n_steps, n_trials, n_pre)
            Graded input; without steps where it is `bits`.
        w, w_rec : ndarray
            Weights; `w_rec` without rows in a layer that is not recurrent.
        lags : tuple of int
            Steps that input and recurrent spikes take.
        p : tuple of ndarray
            ``constant, p_vi, decay_m, v_rest, v_th, v_reset, ref_steps``, one value a unit.
        of_a : tuple of ndarray
            ``decay_a, delta_a``, one value a unit; without units if they do not adapt.
        v_init : ndarray
            Potential at the start.
        decay_syn : float
            What is left of the current after a step.
        subtract, waits : bool
            Kind of reset; whether any unit has a refractory period.
        v_free : ndarray, shape (n_trials, n_steps, n_units)
            Filled with the potential before the reset.
        fired_bits, held_bits : ndarray of uint64, shape (n_trials, n_steps, n_words)
            Filled with the spikes and, if `waits`, with where units were refractory.
        currents : ndarray, shape (n_trials, n_steps, n_units)
            Filled with the current after each step; without trials where nobody wants it.
        adaptation : ndarray, shape (n_trials, n_steps, n_units)
            Filled with the adaptation that each step is decided by, if units adapt.
        """
        n = v_free.shape[2]
        n_words = fired_bits.shape[2]
        v = np.empty((_GROUP, n), v_free.dtype)
        a = np.empty((_GROUP, n if adapts else 0), v_free.dtype)
        current = np.empty((_GROUP, n), v_free.dtype)
        refractory = np.zeros((_GROUP, n), p[6].dtype)
        fired = np.zeros(64 * n_words, np.bool_)
        held = np.zeros(64 * n_words, np.bool_)
        units = np.empty(64 * max(bits.shape[2], n_words), np.int64)
        for start in range(first, last, _GROUP):
            run_group(
                bits, values, w, w_rec, lags, p, of_a, v_init, decay_syn, subtract, waits, start,
                min(_GROUP, last - start), v_free, fired_bits, held_bits, currents,
                adaptation, (v, a, current, refractory, fired, held, units),
            )  # fmt: skip

    return run_trials
