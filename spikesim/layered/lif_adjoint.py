"""A layer of LIF neurons, for a batch of trials, differentiated: what calls the kernels."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from spikesim.errors import ParameterError, SpikesimError
from spikesim.layered import lif_backward
from spikesim.layered.lif import (
    LEARNT_OF_UNITS,
    NO_BITS,
    LIFLayer,
    as_given,
    filtered,
    lags,
    prepared,
    read_only,
)  # fmt: skip
from spikesim.layered.network import Layer
from spikesim.layered.packed import PackedSpikes
from spikesim.layered.threads import in_parts
from spikesim.layered.trace import SpikingTrace
from spikesim.synapses import Exponential

__all__ = ["Adjoint", "adjoint"]


class Adjoint(NamedTuple):
    """The gradients of one layer.

    Attributes
    ----------
    arrived : ndarray, shape (n_trials, n_steps, n_units)
        By what is added to the current at the end of each step.
    arrays : dict of ndarray
        By each trainable array.
    """

    arrived: np.ndarray
    arrays: dict[str, np.ndarray]


def adjoint(
    layer: Layer,
    dt: float,
    x: PackedSpikes | np.ndarray,
    trace: Any,
    grad_output: np.ndarray | None,
    grad_v: np.ndarray | None,
    later: tuple[Layer, np.ndarray] | None,
    surrogate: Any,
    detach_reset: bool,
) -> Adjoint:
    """Return the gradients of a layer.

    Parameters
    ----------
    layer : Layer
        LIF or AdaptiveLIF units.
    dt : float
        Time step (ms).
    x : PackedSpikes or ndarray
        What its forward run was given.
    trace : SpikingTrace or Trace
        What the forward run left; a Trace if it was relaxed.
    grad_output, grad_v : ndarray that broadcasts to (n_steps, n_trials, n_units), or None
        Gradient by output and by the potential before reset; None for zeros.
    later : tuple of (Layer, ndarray) or None
        The spiking layer that follows, and the gradient by what arrives there.
    surrogate : Surrogate
        Stands for the derivative of a spike.
    detach_reset : bool
        Leave out the path through the reset.
    """
    dtype, n = layer.w.dtype, layer.n_post
    p = prepared(layer.neuron, layer.synapse, n, dt, dtype)
    if not p.scale_is_positive:
        name = type(layer.neuron).__name__
        raise ParameterError(
            f"{name}.v_th must lie above {name}.v_rest for surrogate gradients, which measure the "
            "membrane potential in units of v_th - v_rest"
        )
    none = read_only(np.zeros((1, 1, n), dtype))
    relaxed, v_free, held = _of_trace(trace, dtype, n)
    lag, lag_rec = lags(layer, dt)
    gain, decay_syn = filtered(p, dtype)
    inverse = np.where(p.fires, 1.0 / p.scale, 0.0).astype(dtype)
    adaptation = _adaptation(p, trace) if p.adapts else none
    scalar, derivatives, surrogate_is = _surrogate(surrogate, p, v_free, adaptation, inverse)
    learns_units = bool(LEARNT_OF_UNITS & set(layer.trainable))
    kernel = lif_backward.adjoint_of(scalar, relaxed is not None, learns_units, p.adapts)
    arrived = np.empty(v_free.shape, dtype)
    arguments = (
        v_free,
        none if relaxed is None else relaxed,
        held,
        derivatives,
        none if grad_output is None else _without_copies(grad_output, dtype),
        none if grad_v is None else _without_copies(grad_v, dtype),
        _of_later(later, dt, dtype),
        (*_both_ways(layer.w_rec, dtype), lag_rec),
        (gain, p.decay_m, p.v_rest, p.v_th_finite, p.v_reset, p.v_init, inverse),
        decay_syn,
        surrogate_is,
        (p.subtract, bool(detach_reset), held.size > 0),
        _currents(layer, dt, x, trace) if learns_units else none,
        (adaptation, p.decay_a, p.delta_a),
    )
    wanted = [name for name in layer.trainable if getattr(layer, name, None) is not None]
    bits, values, density = as_given(x, layer)
    given = own = bits, values
    if "w_rec" in wanted:
        own = as_given(trace.passed_on, layer)[:2]

    def part(first: int, last: int) -> dict[str, np.ndarray]:
        sums = np.zeros((5, n), dtype)
        kernel(*arguments, first, last, arrived, sums)
        found = {"bias": sums[0] * p.leak_gain} if "bias" in wanted else {}
        if learns_units:
            found |= _by_units(layer, dt, sums.astype(np.float64))
        if "w" in wanted:
            found["w"] = _outer(given, arrived, lag, first, last, layer.w)
        if "w_rec" in wanted:
            found["w_rec"] = _outer(own, arrived, lag_rec, first, last, layer.w_rec)
        return found

    n_trials, n_steps = v_free.shape[:2]
    of_a_step = 150.0 + n * (1.5 + 0.1 * density * layer.n_pre)
    parts = in_parts(part, n_trials, n_trials * n_steps * of_a_step)
    total = parts[0]
    for found in parts[1:]:
        for name, array in found.items():
            total[name] += array
    # In the order of the parameters, as optimisers take them.
    return Adjoint(
        arrived,
        {
            name: total[name].astype(dtype, copy=False)
            for name in layer.parameters()
            if name in total
        },
    )


def _surrogate(
    surrogate: Any, p: LIFLayer, v_free: np.ndarray, adaptation: np.ndarray, inverse: np.ndarray
) -> tuple[Any, np.ndarray, tuple[Any, Any]]:
    """Return the kernel of a surrogate, or its derivatives if it has none; its slope and reach."""
    kind = v_free.dtype.type
    surrogate_is = (kind(surrogate.slope), kind(getattr(surrogate, "reach", np.inf)))
    scalar = getattr(surrogate, "scalar", None)
    if scalar is not None:
        return scalar, np.zeros((1, 1, v_free.shape[2]), kind), surrogate_is
    above = v_free - p.v_th_finite
    if p.adapts:
        above -= adaptation
    derivatives = surrogate.derivative(above / p.scale) * inverse
    return None, np.ascontiguousarray(derivatives, kind), surrogate_is


def _of_later(
    later: tuple[Layer, np.ndarray] | None, dt: float, dtype: np.dtype
) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Return what the kernel must know of the layer that follows."""
    if later is None:
        return (np.zeros((0, 0, 0), dtype), *_both_ways(None, dtype), 0)
    layer, arrived = later
    return (arrived, *_both_ways(layer.w, dtype), lags(layer, dt)[0])


def _both_ways(w: np.ndarray | None, dtype: np.dtype) -> tuple[np.ndarray, np.ndarray]:
    """Return weights and the same transposed, both without rows if there are none."""
    if w is None:
        return read_only(np.zeros((0, 0), dtype)), np.zeros((0, 0), dtype)
    return read_only(w), np.ascontiguousarray(w.T)


def _adaptation(p: LIFLayer, trace: Any) -> np.ndarray:
    """Return the adaptation that each step was decided by, shape (n_trials, n_steps, n_units)."""
    if isinstance(trace, SpikingTrace) and trace.adaptation is not None:
        return trace.adaptation
    output = np.asarray(trace.output)
    adaptation = np.zeros((output.shape[1], output.shape[0], output.shape[2]), p.decay_a.dtype)
    for k in range(1, len(output)):
        adaptation[:, k] = p.decay_a * adaptation[:, k - 1] + p.delta_a * output[k - 1]
    return adaptation


def _currents(layer: Layer, dt: float, x: Any, trace: Any) -> np.ndarray:
    """Return the current after each step, shape (n_trials, n_steps, n_units)."""
    if isinstance(trace, SpikingTrace) and trace.currents is not None:
        return trace.currents
    p = prepared(layer.neuron, layer.synapse, layer.n_post, dt, layer.w.dtype)
    lag, lag_rec = lags(layer, dt)
    x, output = np.asarray(x), np.asarray(trace.output)
    currents = np.zeros((output.shape[1], output.shape[0], layer.n_post), layer.w.dtype)
    decay_syn = filtered(p, layer.w.dtype)[1]
    for k in range(len(output)):
        if k:
            currents[:, k] = decay_syn * currents[:, k - 1]
        if k >= lag:
            currents[:, k] += x[k - lag] @ layer.w
        if layer.w_rec is not None and k >= lag_rec:
            currents[:, k] += output[k - lag_rec] @ layer.w_rec
    return currents


def _by_units(layer: Layer, dt: float, sums: np.ndarray) -> dict[str, np.ndarray]:
    r"""Return gradients by what is learnt of units and synapse, from those by the propagators.

    With :math:`d = e^{-dt/\tau_m}` and the gain of a constant current
    :math:`\ell = (1 - d)\,\tau_m / c_m`: :math:`d' = d\,dt/\tau_m^2` and
    :math:`\ell' = (1 - d - d\,dt/\tau_m)/c_m`; by the logarithm, times :math:`\tau_m`.
    """
    neuron, synapse, n = layer.neuron, layer.synapse, layer.n_post
    tau_m, c_m = (np.broadcast_to(value, (n,)) for value in (neuron.tau_m, neuron.c_m))
    decay = np.exp(-dt / tau_m)
    by_constant, by_decay, by_gain, by_decay_syn, by_threshold = sums
    by_tau_m = by_decay * decay * dt / tau_m**2
    by_tau_m += by_constant * (layer.bias + neuron.i_ext) * (1.0 - decay - decay * dt / tau_m) / c_m
    found = {"v_th": by_threshold}
    if isinstance(synapse, Exponential):
        slope_m, slope_syn = synapse.gain_slopes(tau_m, c_m, dt)
        by_tau_m = by_tau_m + by_gain * slope_m
        decay_slope = np.exp(-dt / synapse.tau_syn) * dt / synapse.tau_syn**2
        by_tau_syn = np.sum(by_decay_syn * decay_slope + by_gain * slope_syn)
        found["log_tau_syn"] = np.array([by_tau_syn * synapse.tau_syn])
    found["log_tau_m"] = by_tau_m * tau_m
    return found


def _of_trace(
    trace: Any, dtype: np.dtype, n: int
) -> tuple[np.ndarray | None, np.ndarray, np.ndarray]:
    """Return relaxed outputs (None of real spikes), potentials and packed waits of a trace."""
    if isinstance(trace, SpikingTrace):
        held = trace.refractory
        if trace.v_free is None:
            raise SpikesimError("a trace without potentials has no gradient")
        return None, trace.v_free, NO_BITS if held is None else held.bits
    relaxed, v_free = (
        np.ascontiguousarray(array.transpose(1, 0, 2), dtype) for array in (trace.output, trace.v)
    )
    if trace.held is None or not trace.held.any():
        return relaxed, v_free, NO_BITS
    return relaxed, v_free, PackedSpikes.pack(trace.held.astype(np.float64)).bits


def _outer(
    given: tuple[np.ndarray, np.ndarray],
    arrived: np.ndarray,
    lag: int,
    first: int,
    last: int,
    like: np.ndarray,
) -> np.ndarray:
    """Return the gradient by weights, of the trials from `first` to `last`."""
    bits, values = given
    grad = np.zeros(like.shape, like.dtype)
    if len(values):
        lif_backward.outer_of_values(values, arrived, lag, first, last, grad)
    else:
        lif_backward.outer_of_spikes(bits, arrived, lag, first, last, grad)
    return grad


def _without_copies(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return an array whose axes that only repeat have the length 1."""
    for axis in (0, 1):
        if array.strides[axis] == 0 and array.shape[axis] > 1:
            array = array[:1] if axis == 0 else array[:, :1]
    return read_only(np.ascontiguousarray(array, dtype))
