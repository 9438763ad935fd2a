"""A layer of LIF neurons differentiated backward: the kernels.

The adjoint of :mod:`spikesim.layered.lif_forward`, equations in
:mod:`spikesim.layered.backward`. Trials run in groups of four, as there.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from spikesim._jit import kernel
from spikesim.layered.packed import lowest_bit
from spikesim.layered.rows import add_listed, add_weighted, add_weighted_to_four, ask_for, dot

__all__ = ["adjoint_of", "outer_of_spikes", "outer_of_values"]

_GROUP = 4
# Steps between asking for the potentials of a step and using them.
_AHEAD = 3
# With fewer units than this share near their threshold, their products alone are faster.
_FEW = 0.25


@kernel(bare=True)
def _unpack(words, flags):
    for q in range(words.shape[0]):
        for i in range(64):
            flags[64 * q + i] = (words[q] >> np.uint64(i)) & np.uint64(1)


@kernel(bare=True)
def _list_near(v_free, v_th, a, inverse, reach, units):
    """List the units whose potential is within `reach` of their threshold; return how many."""
    n = 0
    for i in range(v_free.shape[0]):
        units[n] = i
        n += abs((v_free[i] - v_th[i]) * inverse[i]) <= reach
    return n


@kernel(bare=True)
def _list_near_adaptive(v_free, v_th, a, inverse, reach, units):
    """Do the same for units whose threshold is above `v_th` by `a`."""
    n = 0
    for i in range(v_free.shape[0]):
        units[n] = i
        n += abs((v_free[i] - (v_th[i] + a[i])) * inverse[i]) <= reach
    return n


@kernel(bare=True)
def _pull(grad_arrived, k, weights, start, group, near, grad_spikes):
    """Carry the gradients by what arrives in step k back to the spikes that arrive there.

    Units that are far from their threshold pass nothing on; with few that are near, only their
    products are made.
    """
    w, w_t = weights
    n_near, units = near
    few = True
    for r in range(group):
        few &= n_near[r] < _FEW * w.shape[0]
    if few:
        for r in range(group):
            for q in range(n_near[r]):
                j = units[r, q]
                grad_spikes[r, j] += dot(w[j], grad_arrived[start + r, k])
    elif group == _GROUP:
        add_weighted_to_four(grad_arrived[start : start + _GROUP, k], w_t, grad_spikes)
    else:
        for r in range(group):
            add_weighted(grad_arrived[start + r, k], w_t, grad_spikes[r])


@lru_cache(maxsize=64)
def adjoint_of(
    surrogate: Any, graded: bool = False, learns_units: bool = False, adapts: bool = False
) -> Any:
    """Return the kernel of the backward pass with `surrogate` compiled into it.

    Parameters
    ----------
    surrogate : callable or None
        A scalar kernel, see :class:`~spikesim.surrogates.Surrogate`; None for derivatives that
        are given as an array.
    graded : bool, default False
        Whether outputs are graded, as in the gradient check, instead of spikes.
    learns_units : bool, default False
        Whether gradients by time constants and thresholds are wanted too.
    adapts : bool, default False
        Whether thresholds adapt.
    """
    list_near = _list_near_adaptive if adapts else _list_near
    given = surrogate is None
    slope_at = _one if given else surrogate

    # To hand over so many arrays takes as long as a step of a small layer.
    @kernel(bare=True, forceinline=True)
    def step_back(
        v_free, output, held, derivatives, grad_v, p, decay_syn, surrogate_is, flags, current,
        is_first, of_a, a, grad_a, grad_spikes, grad_after, grad_current, moved_next,
        current_next, sums,
    ):  # fmt: skip
        """Go back one step of one trial; arrays have one value a unit."""
        p_vi, decay_m, v_rest, v_th, v_reset, v_init, inverse = p
        subtract, detached, waits = flags
        slope, reach = surrogate_is
        one = v_free.dtype.type(1)
        zero = v_free.dtype.type(0)
        for i in range(v_free.shape[0]):
            waiting = waits and held[i] != 0
            threshold = v_th[i] + a[i] if adapts else v_th[i]
            distance = (v_free[i] - threshold) * inverse[i]
            if given:
                phi = derivatives[i]
            else:
                phi = inverse[i] * slope_at(distance, slope, one)
                phi = phi if abs(distance) <= reach else zero
            if graded:
                spike = output[i]
            else:
                fires = (inverse[i] > zero) and not waiting
                spike = one if fires and (v_free[i] >= threshold) else zero
            after = grad_after[i]
            grad_spike = grad_spikes[i]
            if not detached:
                grad_spike += after * (v_reset[i] - (v_th[i] if subtract else v_free[i]))
            if adapts:
                decay_a, delta_a = of_a[1][i], of_a[2][i]
                grad_spike += delta_a * grad_a[i]
                of_threshold = zero if waiting else grad_spike * phi
                grad_a[i] = decay_a * grad_a[i] - of_threshold
            through = after if subtract else after * (one - spike)
            grad = (after if waiting else through + grad_spike * phi) + grad_v[i]
            moved = zero if waiting else grad
            if learns_units:
                left = v_th[i] - v_reset[i] if subtract else v_free[i] - v_reset[i]
                v_after = v_free[i] - left * spike
                sums[1, i] += moved_next[i] * (v_after - v_rest[i])
                sums[2, i] += moved_next[i] * current[i]
                sums[3, i] += current_next[i] * current[i]
                sums[4, i] -= (zero if waiting else grad_spike * phi) * (one + distance)
                sums[4, i] -= after * spike if subtract else zero
                sums[1, i] += moved * (v_init[i] - v_rest[i]) if is_first else zero
                moved_next[i] = moved
                current_next[i] = grad_current[i]
            grad_after[i] = grad if waiting else decay_m[i] * grad
            grad_current[i] = decay_syn * grad_current[i] + p_vi[i] * moved
            sums[0, i] += moved

    @kernel(bare=True)
    def group_back(
        v_free, outputs, held_bits, derivatives, grad_output, grad_v, later, rec, p, decay_syn,
        surrogate_is, flags, currents, of_a, start, group, grad_arrived, sums, scratch,
    ):  # fmt: skip
        """Go back up to four trials from `start`, see :func:`adjoint`."""
        grad_spikes, grad_after, grad_current, moved_next, current_next, grad_a, held, near = (
            scratch
        )
        grad_later, w_later, w_later_t, lag_later = later
        w_rec, w_rec_t, lag_rec = rec
        n_steps, n = v_free.shape[1], v_free.shape[2]
        n_near, units = near
        for r in range(group):
            n_near[r] = n
            for i in range(n):
                grad_after[r, i] = 0
                grad_current[r, i] = 0
                moved_next[r, i] = 0
                current_next[r, i] = 0
                if adapts:
                    grad_a[r, i] = 0
        for k in range(n_steps - 1, -1, -1):
            # Axes that only repeat have the length 1.
            step, step_v = min(k, grad_output.shape[0] - 1), min(k, grad_v.shape[0] - 1)
            for r in range(group):
                b = start + r
                if k >= _AHEAD:
                    ask_for(v_free[b, k - _AHEAD])
                    ask_for(grad_arrived[b, k - _AHEAD])
                row = grad_output[step, min(b, grad_output.shape[1] - 1)]
                for i in range(n):
                    grad_arrived[b, k, i] = grad_current[r, i]
                    grad_spikes[r, i] = row[i]
                if surrogate_is[1] < np.inf:
                    a = of_a[0][b if adapts else 0, k if adapts else 0]
                    n_near[r] = list_near(v_free[b, k], p[3], a, p[6], surrogate_is[1], units[r])
            if w_later.shape[0] > 0 and k + lag_later < n_steps:
                _pull(
                    grad_later, k + lag_later, (w_later, w_later_t), start, group, near, grad_spikes
                )
            if w_rec.shape[0] > 0 and k + lag_rec < n_steps:
                _pull(grad_arrived, k + lag_rec, (w_rec, w_rec_t), start, group, near, grad_spikes)
            for r in range(group):
                b = start + r
                if flags[2]:
                    _unpack(held_bits[b, k], held)
                step_back(
                    v_free[b, k],
                    outputs[b if graded else 0, k if graded else 0],
                    held,
                    derivatives[b if given else 0, k if given else 0],
                    grad_v[step_v, min(b, grad_v.shape[1] - 1)],
                    p, decay_syn, surrogate_is, flags,
                    currents[b if learns_units else 0, k if learns_units else 0],
                    k == 0, of_a, of_a[0][b if adapts else 0, k if adapts else 0], grad_a[r],
                    grad_spikes[r], grad_after[r], grad_current[r], moved_next[r],
                    current_next[r], sums,
                )  # fmt: skip

    @kernel(error_model="numpy")
    def adjoint(
        v_free, outputs, held_bits, derivatives, grad_output, grad_v, later, rec, p, decay_syn,
        surrogate_is, flags, currents, of_a, first, last, grad_arrived, sums,
    ):  # fmt: skip
        """Run the trials from `first` to `last`, each from its last step to its first.

        Parameters
        ----------
        v_free : ndarray, shape (n_trials, n_steps, n_units)
            Potential before the reset.
        outputs : ndarray, shape (n_trials, n_steps, n_units)
            Graded outputs; shape (1, 1, n_units) without meaning for spikes.
        held_bits : ndarray of uint64, shape (n_trials, n_steps, n_words)
            Where units were refractory, if they ever are.
        derivatives : ndarray, shape (n_trials, n_steps, n_units)
            Derivative of a spike; shape (1, 1, n_units) without meaning where it is a kernel.
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
            Reset by subtraction; reset detached; refractory periods.
        currents : ndarray, shape (n_trials, n_steps, n_units)
            Current after each step, where parameters of units are learnt; shape (1, 1, n_units)
            without meaning otherwise.
        of_a : tuple of ndarray
            Adaptation that each step was decided by, shape (n_trials, n_steps, n_units), with
            ``decay_a, delta_a``; shape (1, 1, n_units) without meaning where nothing adapts.
        grad_arrived : ndarray, shape (n_trials, n_steps, n_units)
            Filled with the gradient by what arrives in each step.
        sums : ndarray, shape (5, n_units)
            Added to: the gradients by a constant push, by ``decay_m``, by ``p_vi``, by
            ``decay_syn`` and by ``v_th``; the first alone unless the others are learnt.
        """
        n, kind = v_free.shape[2], v_free.dtype
        scratch = (
            np.empty((_GROUP, n), kind),
            np.empty((_GROUP, n), kind),
            np.empty((_GROUP, n), kind),
            np.empty((_GROUP, n), kind),
            np.empty((_GROUP, n), kind),
            np.empty((_GROUP, n if adapts else 0), kind),
            np.empty(64 * (n // 64 + 1), np.uint8),
            (np.empty(_GROUP, np.int64), np.empty((_GROUP, n), np.int64)),
        )
        for start in range(first, last, _GROUP):
            group_back(
                v_free, outputs, held_bits, derivatives, grad_output, grad_v, later, rec, p,
                decay_syn, surrogate_is, flags, currents, of_a, start, min(_GROUP, last - start),
                grad_arrived, sums, scratch,
            )  # fmt: skip

    return adjoint


@kernel(bare=True)
def _one(x, slope, one):
    return one


@kernel(error_model="numpy")
def outer_of_spikes(bits, grad_arrived, lag, first, last, grad_w):
    """Add to the gradient by weights what each spike of trials `first` to `last` contributes.

    A few trials at a time, whose gradients stay in the cache, and 64 units: the rows at which
    the spikes of each arrive are listed, then added up for one unit after the other.
    """
    n_steps, n_post = grad_arrived.shape[1:]
    n_pre = grad_w.shape[0]
    spikes = np.empty((64, _GROUP * n_steps), np.int32)
    n_spikes = np.empty(64, np.int64)
    for start in range(first, last, _GROUP):
        group = min(_GROUP, last - start)
        rows = grad_arrived[start : start + group].reshape(group * n_steps, n_post)
        for q in range(bits.shape[2]):
            n_spikes[:] = 0
            for r in range(group):
                for k in range(lag, n_steps):
                    word = bits[start + r, k - lag, q]
                    while word != np.uint64(0):
                        i = lowest_bit(word)
                        spikes[i, n_spikes[i]] = r * n_steps + k
                        n_spikes[i] += 1
                        word &= word - np.uint64(1)
            for i in range(min(64, n_pre - 64 * q)):
                add_listed(rows, spikes[i], n_spikes[i], grad_w[64 * q + i])


@kernel(error_model="numpy")
def outer_of_values(values, grad_arrived, lag, first, last, grad_w):
    """Do :func:`outer_of_spikes` for graded input, shape (n_steps, n_trials, n_pre)."""
    n_steps = grad_arrived.shape[1]
    n_pre = grad_w.shape[0]
    if lag >= n_steps:
        return  # Nothing arrives within the trial.
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
