"""A layer of LIF neurons differentiated backward: the kernels.

The adjoint of :mod:`spikesim.layered.lif_forward`, equations in
:mod:`spikesim.layered.backward`. Trials run in groups of four, as there.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from spikesim._jit import kernel
from spikesim.layered.packed import listed
from spikesim.layered.rows import add_weighted, add_weighted_to_four, dot

__all__ = ["adjoint_of", "outer_of_spikes", "outer_of_values"]

_GROUP = 4
# With more units than this share near their threshold, whole products are faster.
_FEW = 0.25


@kernel(error_model="numpy")
def _unpack(words, flags):
    for q in range(words.shape[0]):
        for i in range(64):
            flags[64 * q + i] = (words[q] >> np.uint64(i)) & np.uint64(1)


@kernel(error_model="numpy")
def _near(v_free, v_th, inverse, reach, units):
    """List the units whose potential is within `reach` of their threshold; return how many."""
    n = 0
    for i in range(v_free.shape[0]):
        units[n] = i
        n += abs((v_free[i] - v_th[i]) * inverse[i]) <= reach
    return n


@lru_cache(maxsize=64)
def adjoint_of(surrogate: Any, learns_units: bool = False) -> Any:
    """Return the kernel of the backward pass with `surrogate` compiled into it.

    Parameters
    ----------
    surrogate : callable or None
        A scalar kernel, see :class:`~spikesim.surrogates.Surrogate`; None for derivatives that
        are given as an array.
    learns_units : bool, default False
        Whether gradients by time constants and thresholds are wanted too.
    """
    given = surrogate is None
    slope_at = _one if given else surrogate

    @kernel(error_model="numpy")
    def adjoint(
        v_free, relaxed, held_bits, derivatives, grad_output, grad_v, later, rec, p, decay_syn,
        surrogate_is, flags, currents, first, last, grad_arrived, sums,
    ):  # fmt: skip
        """Run the trials from `last` to `first`, each from its last step to its first.

        Parameters
        ----------
        v_free : ndarray, shape (n_trials, n_steps, n_units)
            Potential before the reset.
        relaxed : ndarray, shape (n_trials, n_steps, n_units)
            Where `graded`, outputs in place of spikes, for the gradient check.
        held_bits : ndarray of uint64, shape (n_trials, n_steps, n_words)
            Where units were refractory; without trials if they never are.
        derivatives : ndarray, shape (n_trials, n_steps, n_units)
            Derivative of a spike where it is no kernel.
        grad_output, grad_v : ndarray, shape (n_steps or 1, n_trials or 1, n_units)
            Gradients by output and potential.
        later : tuple
            Of the layer that follows: gradient by what arrives there, weights, weights
            transposed, and steps that spikes take; weights without rows if there is none.
        rec : tuple
            Recurrent weights, the same transposed, and steps that spikes take.
        p : tuple of ndarray
            ``p_vi, decay_m, v_rest, v_th, v_reset, v_init, inverse`` of the scale of the
            surrogate (0 for units that never fire).
        decay_syn : float
            What is left of the current after a step.
        surrogate_is : tuple of float
            Slope and reach.
        flags : tuple of bool
            Reset by subtraction; reset detached; outputs graded.
        grad_arrived : ndarray, shape (n_trials, n_steps, n_units)
            Filled with the gradient by what arrives in each step.
        currents : ndarray, shape (n_trials, n_steps, n_units)
            Current after each step, where parameters of units are learnt.
        sums : ndarray, shape (5, n_units)
            Added to: the gradients by a constant push, by ``decay_m``, by ``p_vi``, by
            ``decay_syn`` and by ``v_th``; the first alone unless the others are learnt.
        """
        p_vi, decay_m, v_rest, v_th, v_reset, v_init, inverse = p
        subtract, detached, graded = flags
        slope, reach = surrogate_is
        n_steps, n = v_free.shape[1], v_free.shape[2]
        grad_later, w_later, w_later_t, lag_later = later
        w_rec, w_rec_t, lag_rec = rec
        has_later, recurrent = w_later.shape[0] > 0, w_rec.shape[0] > 0
        near_only = reach < np.inf
        zero = v_free.dtype.type(0)
        one = v_free.dtype.type(1)
        grad_spikes = np.empty((_GROUP, n), v_free.dtype)
        grad_after = np.empty((_GROUP, n), v_free.dtype)
        grad_current = np.empty((_GROUP, n), v_free.dtype)
        # Of the step after: the gradients by v before its reset and by its current.
        moved_next = np.empty((_GROUP, n), v_free.dtype)
        current_next = np.empty((_GROUP, n), v_free.dtype)
        waits = held_bits.shape[0] > 0
        many_steps, many_trials = grad_output.shape[0] > 1, grad_output.shape[1] > 1
        v_many_steps, v_many_trials = grad_v.shape[0] > 1, grad_v.shape[1] > 1
        held = np.zeros(64 * max(1, held_bits.shape[2]), np.uint8)
        if not waits:
            held = np.zeros(n, np.uint8)
        units = np.empty(n, np.int64)
        for start in range(first, last, _GROUP):
            group = min(_GROUP, last - start)
            for r in range(group):
                for i in range(n):
                    grad_after[r, i] = 0
                    grad_current[r, i] = 0
                    moved_next[r, i] = 0
                    current_next[r, i] = 0
            for k in range(n_steps - 1, -1, -1):
                for r in range(group):
                    b = start + r
                    for i in range(n):
                        grad_arrived[b, k, i] = grad_current[r, i]
                    row = grad_output[k if many_steps else 0, b if many_trials else 0]
                    for i in range(n):
                        grad_spikes[r, i] = row[i]
                from_later = has_later and k + lag_later < n_steps
                from_rec = recurrent and k + lag_rec < n_steps
                if near_only and (from_later or from_rec):
                    for r in range(group):
                        b = start + r
                        n_near = _near(v_free[b, k], v_th, inverse, reach, units)
                        if n_near < _FEW * n:
                            for q in range(n_near):
                                j = units[q]
                                if from_later:
                                    grad_spikes[r, j] += dot(
                                        w_later[j], grad_later[b, k + lag_later]
                                    )
                                if from_rec:
                                    grad_spikes[r, j] += dot(w_rec[j], grad_arrived[b, k + lag_rec])
                        else:
                            if from_later:
                                add_weighted(
                                    grad_later[b, k + lag_later], w_later_t, grad_spikes[r]
                                )
                            if from_rec:
                                add_weighted(grad_arrived[b, k + lag_rec], w_rec_t, grad_spikes[r])
                elif group == _GROUP:
                    stop = start + _GROUP
                    if from_later:
                        add_weighted_to_four(
                            grad_later[start:stop, k + lag_later], w_later_t, grad_spikes
                        )
                    if from_rec:
                        add_weighted_to_four(
                            grad_arrived[start:stop, k + lag_rec], w_rec_t, grad_spikes
                        )
                else:
                    for r in range(group):
                        if from_later:
                            add_weighted(
                                grad_later[start + r, k + lag_later], w_later_t, grad_spikes[r]
                            )
                        if from_rec:
                            add_weighted(
                                grad_arrived[start + r, k + lag_rec], w_rec_t, grad_spikes[r]
                            )
                for r in range(group):
                    b = start + r
                    if waits:
                        _unpack(held_bits[b, k], held)
                    v_row, spike_row = v_free[b, k], relaxed[b if graded else 0, k if graded else 0]
                    after_row, current_row, to_spike = (
                        grad_after[r], grad_current[r], grad_spikes[r],
                    )  # fmt: skip
                    v_grads = grad_v[k if v_many_steps else 0, b if v_many_trials else 0]
                    for i in range(n):
                        waiting = held[i] != 0
                        distance = (v_row[i] - v_th[i]) * inverse[i]
                        if given:
                            phi = derivatives[b, k, i]
                        else:
                            phi = inverse[i] * slope_at(distance, slope, one)
                            phi = phi if abs(distance) <= reach else zero
                        if graded:
                            spike = spike_row[i]
                        else:
                            fires = (inverse[i] > zero) and not waiting
                            spike = one if fires and (v_row[i] >= v_th[i]) else zero
                        after = after_row[i]
                        grad_spike = to_spike[i]
                        if not detached:
                            jump = v_reset[i] - (v_th[i] if subtract else v_row[i])
                            grad_spike += after * jump
                        through = after if subtract else after * (one - spike)
                        grad = through + grad_spike * phi
                        grad = after if waiting else grad
                        grad += v_grads[i]
                        moved = zero if waiting else grad
                        if learns_units:
                            left = v_th[i] - v_reset[i] if subtract else v_row[i] - v_reset[i]
                            v_after = v_row[i] - left * spike
                            sums[1, i] += moved_next[r, i] * (v_after - v_rest[i])
                            sums[2, i] += moved_next[r, i] * currents[b, k, i]
                            sums[3, i] += current_next[r, i] * currents[b, k, i]
                            pull = zero if waiting else grad_spike * phi
                            sums[4, i] -= pull * (one + distance)
                            sums[4, i] -= after * spike if subtract else zero
                            moved_next[r, i] = moved
                            current_next[r, i] = current_row[i]
                        after_row[i] = grad if waiting else decay_m[i] * grad
                        current_row[i] = decay_syn * current_row[i] + p_vi[i] * moved
                        sums[0, i] += moved
                        if learns_units and k == 0:
                            sums[1, i] += moved * (v_init[i] - v_rest[i])

    return adjoint


@kernel(error_model="numpy")
def _one(x, slope, one):
    return one


@kernel(error_model="numpy")
def outer_of_spikes(bits, grad_arrived, lag, first, last, grad_w):
    """Add to the gradient by weights what each spike of trials `first` to `last` contributes."""
    n_steps, n = grad_arrived.shape[1], grad_arrived.shape[2]
    units = np.empty(64 * bits.shape[2], np.int64)
    for b in range(first, last):
        for k in range(lag, n_steps):
            n_spikes = listed(bits[b, k - lag], units)
            grad = grad_arrived[b, k]
            for q in range(n_spikes):
                row = grad_w[units[q]]
                for i in range(n):
                    row[i] += grad[i]


@kernel(error_model="numpy")
def outer_of_values(values, grad_arrived, lag, first, last, grad_w):
    """Do :func:`outer_of_spikes` for graded input, shape (n_steps, n_trials, n_pre)."""
    n_steps = grad_arrived.shape[1]
    n_pre = grad_w.shape[0]
    weights = np.empty((_GROUP, n_steps), grad_arrived.dtype)
    for b in range(first, last):
        rows = grad_arrived[b, lag:]
        for start in range(0, n_pre, _GROUP):
            group = min(_GROUP, n_pre - start)
            for k in range(n_steps):
                for r in range(group):
                    weights[r, k] = values[k, b, start + r]
            if group == _GROUP:
                add_weighted_to_four(
                    weights[:, : n_steps - lag], rows, grad_w[start : start + _GROUP]
                )
            else:
                for r in range(group):
                    add_weighted(weights[r, : n_steps - lag], rows, grad_w[start + r])
