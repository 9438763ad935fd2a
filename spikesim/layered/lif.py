"""A layer of LIF neurons, for a batch of trials: its constants, and what calls the kernels."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from spikesim.errors import ParameterError, SpikesimError
from spikesim.layered import lif_backward, lif_forward
from spikesim.layered.network import Layer
from spikesim.layered.packed import PackedSpikes
from spikesim.layered.threads import in_parts
from spikesim.layered.trace import SpikingTrace
from spikesim.neurons import LIF
from spikesim.neurons.lif import refractory_period
from spikesim.synapses import Delta, Exponential

__all__ = ["Adjoint", "LIFLayer", "adjoint", "delay_steps", "lags", "prepared", "run"]

# From this share of ones on, whole products are faster than a row for each spike.
DENSE_FROM = 0.4
# What is not a weight or a bias; see Layer.trainable.
_LEARNT = {"tau_m", "tau_syn", "v_th"}


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
def prepared(
    neuron: LIF, synapse: Delta | Exponential, n: int, dt: float, dtype: Any = np.float64
) -> LIFLayer:
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
        array = np.array(np.broadcast_to(value, (n,)))
        return array.astype(dtype) if array.dtype == np.float64 else array

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


def lags(layer: Layer, dt: float) -> tuple[int, int]:
    """Return the steps that input and recurrent spikes take to the current that they add to."""
    early = isinstance(layer.synapse, Delta)
    lag = 0 if np.ndim(layer.delay) else _lag(layer.delay, dt) - early
    return lag, _lag(layer.delay_rec, dt) - early


def delay_steps(layer: Layer, dt: float) -> np.ndarray | None:
    """Return the steps in the delay line of each input; None if inputs have none of their own."""
    if not np.ndim(layer.delay):
        return None
    return np.asarray(layer.delay, np.float64) / dt - isinstance(layer.synapse, Delta)


def _lag(delay: Any, dt: float) -> int:
    return 1 if delay is None else int(np.rint(float(delay) / dt))


def run(layer: Layer, x: PackedSpikes | np.ndarray, dt: float) -> SpikingTrace:
    """Run a layer from its initial state.

    Parameters
    ----------
    layer : Layer
        LIF units.
    x : PackedSpikes or ndarray of shape (n_steps, n_trials, n_pre)
        Output of the layer before, behind the delay lines of inputs that have some.
    dt : float
        Time step (ms).
    """
    p = prepared(layer.neuron, layer.synapse, layer.n_post, dt, layer.w.dtype)
    n_steps, n_trials, n_pre = x.shape
    n = layer.n_post
    waits = bool(p.ref_steps.any())
    v_free = np.empty((n_trials, n_steps, n), layer.w.dtype)
    n_words = -(-n // 64)
    fired = np.empty((n_trials, n_steps, n_words), np.uint64)
    held = np.empty((n_trials, n_steps, n_words) if waits else (0, 0, 0), np.uint64)
    bits, values, density = _as_given(x, layer)
    w_rec = np.empty((0, 0), layer.w.dtype) if layer.w_rec is None else layer.w_rec
    constant = p.leak_gain * (layer.bias + p.i_ext)
    gain = np.ones_like(p.p_vi) if p.delta else p.p_vi
    decay_syn = layer.w.dtype.type(0.0 if p.delta else p.decay_syn)
    learns_time = bool(_LEARNT & set(layer.trainable))
    currents = np.empty(v_free.shape if learns_time else (0, 0, 0), v_free.dtype)
    ref_steps = np.minimum(p.ref_steps, 2**31 - 1).astype(np.int32)
    parameters = (constant, gain, p.decay_m, p.v_rest, p.v_th, p.v_reset, ref_steps)

    def part(first: int, last: int) -> None:
        lif_forward.run_trials(
            bits, values, layer.w, w_rec, lags(layer, dt), parameters, p.v_init, decay_syn,
            p.subtract, waits, first, last, v_free, fired, held, currents,
        )  # fmt: skip

    in_parts(part, n_trials, n_trials * n_steps * n * (1.0 + density * n_pre))
    refractory = PackedSpikes(held, n) if waits else None
    return SpikingTrace(
        v_free,
        PackedSpikes(fired, n),
        refractory,
        currents if learns_time else None,
        not len(values),
    )


def _as_given(x: PackedSpikes | np.ndarray, layer: Layer) -> tuple[np.ndarray, np.ndarray, float]:
    """Return input as bits or as values, whichever is faster (the other empty), and its density."""
    dtype = layer.w.dtype
    if isinstance(x, PackedSpikes):
        density = x.density
        if density < DENSE_FROM:
            return x.bits, np.empty((0, 0, 0), dtype), density
        x = x.unpack(dtype)
    return _NO_BITS, np.ascontiguousarray(x, dtype), 1.0


_NO_BITS = np.empty((0, 0, 0), np.uint64)


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
        LIF units.
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
    dtype = layer.w.dtype
    p = prepared(layer.neuron, layer.synapse, layer.n_post, dt, dtype)
    if not p.scale_is_positive:
        raise ParameterError(
            "LIF.v_th must lie above LIF.v_rest for surrogate gradients, which measure the "
            "membrane potential in units of v_th - v_rest"
        )
    n = layer.n_post
    relaxed, v_free, held = _of_trace(trace, dtype, n)
    n_trials, n_steps = v_free.shape[:2]
    lag, lag_rec = lags(layer, dt)
    inverse = np.where(p.fires, 1.0 / p.scale, 0.0).astype(dtype)
    scalar = getattr(surrogate, "scalar", None)
    derivatives = np.zeros((1, 1, n), dtype)
    if scalar is None:
        derivatives = surrogate.derivative((v_free - p.v_th_finite) / p.scale) * inverse
        derivatives = np.ascontiguousarray(derivatives, dtype)
    learnt = [name for name in layer.trainable if name in _LEARNT]
    kernel = lif_backward.adjoint_of(scalar, relaxed is not None, bool(learnt))
    currents = _currents(layer, dt, x, trace) if learnt else np.zeros((1, 1, n), dtype)
    reach = dtype.type(getattr(surrogate, "reach", np.inf))
    gain = np.ones_like(p.p_vi) if p.delta else p.p_vi
    parameters = (gain, p.decay_m, p.v_rest, p.v_th_finite, p.v_reset, p.v_init, inverse)
    decay_syn = dtype.type(0.0 if p.delta else p.decay_syn)
    flags = (p.subtract, bool(detach_reset), held.size > 0)
    none = np.zeros((1, 1, n), dtype)
    grad_output = none if grad_output is None else _without_copies(grad_output, dtype)
    grad_v = none if grad_v is None else _without_copies(grad_v, dtype)
    if later is None:
        of_later = (np.zeros((0, 0, 0), dtype), *_NO_WEIGHTS[dtype], 0)
    else:
        of_later = (later[1], later[0].w, _transposed(later[0].w), lags(later[0], dt)[0])
    if layer.w_rec is None:
        rec = (*_NO_WEIGHTS[dtype], lag_rec)
    else:
        rec = (layer.w_rec, _transposed(layer.w_rec), lag_rec)
    arrived = np.empty((n_trials, n_steps, n), dtype)
    wanted = [name for name in layer.trainable if getattr(layer, name, None) is not None]
    bits, values, density = _as_given(x, layer)
    if "w_rec" in wanted:
        of_output = _as_given(trace.passed_on, layer)[:2]

    def part(first: int, last: int) -> dict[str, np.ndarray]:
        sums = np.zeros((5, n), dtype)
        kernel(
            v_free, none if relaxed is None else relaxed, held, derivatives, grad_output, grad_v,
            of_later, rec, parameters, decay_syn, (dtype.type(surrogate.slope), reach), flags,
            currents, first, last, arrived, sums,
        )  # fmt: skip
        found = {"bias": sums[0] * p.leak_gain} if "bias" in wanted else {}
        if learnt:
            found |= _by_units(layer, dt, sums.astype(np.float64))
        if "w" in wanted:
            found["w"] = _outer(bits, values, arrived, lag, first, last, layer.w)
        if "w_rec" in wanted:
            found["w_rec"] = _outer(*of_output, arrived, lag_rec, first, last, layer.w_rec)
        return found

    cost = n_trials * n_steps * n * (3.0 + density * layer.n_pre)
    parts = in_parts(part, n_trials, cost)
    total = parts[0]
    for found in parts[1:]:
        for name, array in found.items():
            total[name] += array
    names = layer.parameters().keys() & total.keys()
    return Adjoint(arrived, {name: total[name].astype(dtype, copy=False) for name in names})


def _currents(layer: Layer, dt: float, x: Any, trace: Any) -> np.ndarray:
    """Return the current after each step, shape (n_trials, n_steps, n_units)."""
    if isinstance(trace, SpikingTrace) and trace.currents is not None:
        return trace.currents
    p = prepared(layer.neuron, layer.synapse, layer.n_post, dt, layer.w.dtype)
    lag, lag_rec = lags(layer, dt)
    x, output = np.asarray(x), np.asarray(trace.output)
    currents = np.zeros((output.shape[1], output.shape[0], layer.n_post), layer.w.dtype)
    decay_syn = 0.0 if p.delta else p.decay_syn
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
        return None, trace.v_free, _NO_BITS if held is None else held.bits
    relaxed, v_free = (
        np.ascontiguousarray(array.transpose(1, 0, 2), dtype) for array in (trace.output, trace.v)
    )
    if trace.held is None or not trace.held.any():
        return relaxed, v_free, _NO_BITS
    return relaxed, v_free, PackedSpikes.pack(trace.held.astype(np.float64)).bits


def _outer(
    bits: np.ndarray,
    values: np.ndarray,
    arrived: np.ndarray,
    lag: int,
    first: int,
    last: int,
    like: np.ndarray,
) -> np.ndarray:
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
    return np.ascontiguousarray(array, dtype)


def _transposed(w: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(w.T)


_NO_WEIGHTS = {
    np.dtype(kind): (np.zeros((0, 0), kind), np.zeros((0, 0), kind))
    for kind in (np.float32, np.float64)
}
