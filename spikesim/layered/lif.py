"""A layer of LIF neurons over time, forward and backward, for a batch of trials.

The forward kernel follows ``docs/update_order.md`` line by line; the backward kernel is its
adjoint, derived in :mod:`spikesim.layered.backward`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from spikesim._jit import kernel
from spikesim.errors import ParameterError
from spikesim.neurons import LIF
from spikesim.neurons.lif import refractory_period, step
from spikesim.synapses import Delta, Exponential

__all__ = ["LIFLayer", "adjoint", "prepared", "run"]


class LIFLayer(NamedTuple):
    """What the kernels need of a layer, one value a unit, derived from its parameters.

    Units that never fire have ``fires`` False and, where a number is needed, a `v_th_finite`
    without meaning.
    """

    decay_m: np.ndarray
    leak_gain: np.ndarray
    i_ext: np.ndarray
    v_rest: np.ndarray
    v_th: np.ndarray
    v_reset: np.ndarray
    v_init: np.ndarray
    ref_steps: np.ndarray
    p_vi: np.ndarray
    decay_syn: float
    delta: bool
    subtract: bool
    fires: np.ndarray
    all_fire: bool
    v_th_finite: np.ndarray
    scale: np.ndarray
    scale_is_positive: bool


@lru_cache(maxsize=256)
def prepared(neuron: LIF, synapse: Delta | Exponential, n: int, dt: float) -> LIFLayer:
    """Derive the constants of a layer of `n` units; warn when `t_ref` has to be rounded."""
    constants = neuron.constants(dt)
    refractory_period(neuron.t_ref, constants.ref_steps, dt, f"a layer of {n} units")
    v_init = neuron.v_rest if neuron.v_init is None else neuron.v_init
    fires = np.isfinite(constants.v_th)
    v_th_finite = np.where(
        fires, constants.v_th, np.maximum(constants.v_rest, constants.v_reset) + 1
    )
    scale = v_th_finite - constants.v_rest
    if isinstance(synapse, Delta):
        p_vi, decay_syn = np.asarray(0.0), 0.0
    else:
        matrix = synapse.propagators(np.asarray(neuron.tau_m), np.asarray(neuron.c_m), dt)
        p_vi, decay_syn = matrix.p_vi, float(matrix.decay_syn)

    def spread(value: Any) -> np.ndarray:
        return np.array(np.broadcast_to(value, (n,)))

    return LIFLayer(
        decay_m=spread(constants.decay_m),
        leak_gain=spread(constants.leak_gain),
        i_ext=spread(neuron.i_ext),
        v_rest=spread(constants.v_rest),
        v_th=spread(constants.v_th),
        v_reset=spread(constants.v_reset),
        v_init=spread(v_init),
        ref_steps=spread(constants.ref_steps),
        p_vi=spread(p_vi),
        decay_syn=decay_syn,
        delta=isinstance(synapse, Delta),
        subtract=constants.subtract,
        fires=spread(fires),
        all_fire=bool(fires.all()),
        v_th_finite=spread(v_th_finite),
        scale=spread(scale),
        scale_is_positive=bool((scale > 0.0).all()),
    )


def run(
    p: LIFLayer, projected: np.ndarray, bias: np.ndarray, w_rec: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Run a layer from its initial state.

    Parameters
    ----------
    p : LIFLayer
        Its constants.
    projected : ndarray, shape (n_steps, n_trials, n_units)
        ``x @ w`` of each step, felt one step later.
    bias : ndarray, shape (n_units,)
        Constant current of each unit (pA).
    w_rec : ndarray, shape (n_units, n_units), or None
        Recurrent weights.

    Returns
    -------
    output, v : ndarray, shape (n_steps, n_trials, n_units)
        Spikes (0.0 or 1.0), and the membrane potential before the reset.
    held : ndarray of bool, same shape
        Whether the unit was refractory in the step.
    """
    output = np.empty(projected.shape)
    v = np.empty(projected.shape)
    held = np.empty(projected.shape, dtype=np.bool_)
    _forward(
        projected,
        _NO_WEIGHTS if w_rec is None else w_rec,
        w_rec is not None,
        p.leak_gain * (bias + p.i_ext),
        p.decay_m,
        p.v_rest,
        p.v_th,
        p.v_reset,
        p.v_init,
        p.ref_steps,
        p.p_vi,
        p.decay_syn,
        p.delta,
        p.subtract,
        output,
        v,
        held,
    )
    return output, v, held


def adjoint(
    p: LIFLayer,
    trace: Any,
    w_rec: np.ndarray | None,
    grad_output: np.ndarray | None,
    grad_v: np.ndarray | None,
    surrogate: Any,
    detach_reset: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the gradient by the weighted input of each step, and by the bias.

    Parameters
    ----------
    p : LIFLayer
        Constants of the layer.
    trace : Trace
        What the forward run left.
    w_rec : ndarray or None
        Recurrent weights.
    grad_output, grad_v : ndarray, shape (n_steps, n_trials, n_units), or None
        Gradient by the spikes and by the membrane potential before reset; None for zeros.
    surrogate : Surrogate
        Stands for the derivative of the spike.
    detach_reset : bool
        Leave out the path through the reset.

    Returns
    -------
    grad_drive : ndarray, shape (n_steps, n_trials, n_units)
        Gradient by what arrives in each step.
    grad_bias : ndarray, shape (n_units,)
    """
    if not p.scale_is_positive:
        raise ParameterError(
            "LIF.v_th must lie above LIF.v_rest for surrogate gradients, which measure the "
            "membrane potential in units of v_th - v_rest"
        )
    slope = surrogate.derivative((trace.v - p.v_th_finite) / p.scale) / p.scale
    if not p.all_fire:
        slope *= p.fires
    shape = trace.v.shape
    grad_drive = np.empty(shape)
    grad_constant = np.zeros(shape[2])
    _backward(
        trace.output,
        trace.v,
        trace.held,
        slope,
        _ZERO if grad_output is None else np.ascontiguousarray(grad_output),
        grad_output is not None,
        _ZERO if grad_v is None else np.ascontiguousarray(grad_v),
        grad_v is not None,
        _NO_WEIGHTS if w_rec is None else np.ascontiguousarray(w_rec.T),
        w_rec is not None,
        detach_reset,
        p.decay_m,
        p.v_th_finite,
        p.v_reset,
        p.p_vi,
        p.decay_syn,
        p.delta,
        p.subtract,
        grad_drive,
        grad_constant,
    )
    return grad_drive, grad_constant * p.leak_gain


_NO_WEIGHTS = np.zeros((0, 0))
_NO_WEIGHTS.flags.writeable = False
_ZERO = np.zeros((0, 0, 0))


@kernel
def _forward(
    projected,
    w_rec,
    recurrent,
    constant,
    decay_m,
    v_rest,
    v_th,
    v_reset,
    v_init,
    ref_steps,
    p_vi,
    decay_syn,
    delta,
    subtract,
    output,
    v_free,
    held,
):
    n_steps, n_trials, n = projected.shape
    drive = np.zeros(n)
    for b in range(n_trials):
        v = v_init.copy()
        current = np.zeros(n)
        refractory = np.zeros(n, dtype=np.int64)
        for k in range(n_steps):
            for i in range(n):
                drive[i] = projected[k - 1, b, i] if k > 0 else 0.0
            if recurrent and k > 0:
                for j in range(n):
                    if output[k - 1, b, j] != 0.0:
                        for i in range(n):
                            drive[i] += w_rec[j, i]
            for i in range(n):
                push = p_vi[i] * current[i] + constant[i]
                jump = drive[i] if delta else 0.0
                held[k, b, i] = refractory[i] > 0
                free, after, left, fired = step(
                    v[i],
                    refractory[i],
                    push,
                    jump,
                    decay_m[i],
                    v_rest[i],
                    v_th[i],
                    v_reset[i],
                    ref_steps[i],
                    subtract,
                )
                v_free[k, b, i] = free
                output[k, b, i] = 1.0 if fired else 0.0
                v[i] = after
                refractory[i] = left
                current[i] = decay_syn * current[i] + drive[i]


@kernel
def _backward(
    output,
    v_free,
    held,
    slope,
    grad_output,
    has_grad_output,
    grad_v,
    has_grad_v,
    w_rec_transposed,
    recurrent,
    detach_reset,
    decay_m,
    v_th,
    v_reset,
    p_vi,
    decay_syn,
    delta,
    subtract,
    grad_drive,
    grad_constant,
):
    n_steps, n_trials, n = output.shape
    for b in range(n_trials):
        grad_after = np.zeros(n)
        grad_current = np.zeros(n)
        grad_spikes = np.zeros(n)
        for k in range(n_steps - 1, -1, -1):
            for i in range(n):
                grad_spikes[i] = grad_output[k, b, i] if has_grad_output else 0.0
            if recurrent and k + 1 < n_steps:
                for j in range(n):
                    grad_later = grad_drive[k + 1, b, j]
                    for i in range(n):
                        grad_spikes[i] += w_rec_transposed[j, i] * grad_later
            for i in range(n):
                spike = output[k, b, i]
                grad_spike = grad_spikes[i]
                if not detach_reset:
                    if subtract:
                        grad_spike -= grad_after[i] * (v_th[i] - v_reset[i])
                    else:
                        grad_spike += grad_after[i] * (v_reset[i] - v_free[k, b, i])
                grad_free = grad_v[k, b, i] if has_grad_v else 0.0
                if held[k, b, i]:
                    grad_free += grad_after[i]
                    grad_after[i] = grad_free
                    grad_moved = 0.0
                else:
                    through = grad_after[i] if subtract else grad_after[i] * (1.0 - spike)
                    grad_free += through + grad_spike * slope[k, b, i]
                    grad_after[i] = decay_m[i] * grad_free
                    grad_moved = grad_free
                grad_drive[k, b, i] = grad_moved if delta else grad_current[i]
                grad_current[i] = decay_syn * grad_current[i] + p_vi[i] * grad_moved
                grad_constant[i] += grad_moved
