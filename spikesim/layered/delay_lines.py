r"""Delays of single inputs on a grid, also between steps, so that they can be learnt.

With a delay of :math:`s = d + f` steps, d whole and :math:`0 \le f < 1`, what a spike of step k
carries arrives in parts in two steps:

.. math:: x'_k = (1 - f)\, x_{k-d} + f\, x_{k-d-1}

so that :math:`\partial x_{k} = (1 - f)\, \partial x'_{k+d} + f\, \partial x'_{k+d+1}` and
:math:`\partial s = \sum_k \partial x'_k (x_{k-d-1} - x_{k-d})`. Whole delays make spikes of spikes
(compare Hammouamri, Khalfaoui-Hassani & Masquelier 2024, ICLR, who widen the two steps to a
Gaussian that narrows while they train).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from spikesim._jit import kernel
from spikesim.layered.packed import PackedSpikes

__all__ = ["arriving", "by_delay", "sent_back"]


def arriving(x: Any, steps: np.ndarray, dtype: Any) -> Any:
    """Return what comes out of the delay lines of the inputs.

    Parameters
    ----------
    x : PackedSpikes or ndarray, shape (n_steps, n_trials, n_pre)
        What goes in.
    steps : ndarray, shape (n_pre,)
        Delays in steps, at least 0.
    dtype : numpy dtype
        Floating-point type of graded results.
    """
    whole, part = _split(steps)
    sent = np.empty(x.shape, dtype)
    _shift(_dense(x, dtype), whole, part.astype(dtype), sent)
    if part.any() or not isinstance(x, PackedSpikes):
        return sent
    return PackedSpikes.pack(sent)


def sent_back(grad: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Return the gradient by what goes in, from that by what comes out; shapes as there."""
    whole, part = _split(steps)
    back = np.empty(grad.shape, grad.dtype)
    _shift_back(np.ascontiguousarray(grad), whole, part.astype(grad.dtype), back)
    return back


def by_delay(x: Any, grad: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Return the gradient by each delay in steps, shape (n_pre,), from that by what comes out."""
    found = np.zeros(len(steps))
    _sum_by_delay(_dense(x, grad.dtype), np.ascontiguousarray(grad), _split(steps)[0], found)
    return found


def _split(steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    # A delay on the grid is on it, whatever the division by the step left.
    steps = np.where(np.abs(steps - np.rint(steps)) < 1e-9, np.rint(steps), steps)
    whole = np.floor(steps)
    return whole.astype(np.int64), steps - whole


def _dense(x: Any, dtype: Any) -> np.ndarray:
    if isinstance(x, PackedSpikes):
        return x.unpack(dtype)
    return np.ascontiguousarray(x, dtype)


@kernel(error_model="numpy")
def _shift(x, whole, part, sent):
    n_steps, n_trials, n = x.shape
    for k in range(n_steps):
        for b in range(n_trials):
            for i in range(n):
                s = k - whole[i]
                early = x[s, b, i] if s >= 0 else 0 * part[i]
                late = x[s - 1, b, i] if s >= 1 else 0 * part[i]
                sent[k, b, i] = early - part[i] * early + part[i] * late


@kernel(error_model="numpy")
def _shift_back(grad, whole, part, back):
    n_steps, n_trials, n = grad.shape
    for k in range(n_steps):
        for b in range(n_trials):
            for i in range(n):
                s = k + whole[i]
                early = grad[s, b, i] if s < n_steps else 0 * part[i]
                late = grad[s + 1, b, i] if s + 1 < n_steps else 0 * part[i]
                back[k, b, i] = early - part[i] * early + part[i] * late


@kernel(error_model="numpy")
def _sum_by_delay(x, grad, whole, found):
    n_steps, n_trials, n = grad.shape
    for k in range(n_steps):
        for b in range(n_trials):
            for i in range(n):
                s = k - whole[i]
                if s >= 0:
                    found[i] -= grad[k, b, i] * x[s, b, i]
                if s >= 1:
                    found[i] += grad[k, b, i] * x[s - 1, b, i]
