"""A layer of LIF neurons, adaptive or not, for a batch of trials: constants, and run forward."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from spikesim.layered import lif_forward
from spikesim.layered.network import Layer
from spikesim.layered.packed import PackedSpikes
from spikesim.layered.threads import in_parts
from spikesim.layered.trace import SpikingTrace
from spikesim.neurons import LIF, AdaptiveLIF
from spikesim.neurons.lif import refractory_period
from spikesim.synapses import Delta, Exponential

__all__ = [
    "LEARNT_OF_UNITS",
    "NO_BITS",
    "LIFLayer",
    "as_given",
    "delay_steps",
    "filtered",
    "lags",
    "prepared",
    "read_only",
    "run",
]

# From this share of ones on, whole products are faster than a row for each spike.
DENSE_FROM = 0.5
# What is not a weight or a bias; see Layer.trainable.
LEARNT_OF_UNITS = {"tau_m", "tau_syn", "v_th"}


# Steps after which no trial is still running, and which kernels can count.
_NEVER = 2.0**53
_NO_ADAPTATION = (np.asarray(0.0), np.asarray(0.0))


class LIFLayer(NamedTuple):
    """What the kernels need of a layer, one value a unit, derived from its parameters.

    Units that never fire have ``fires`` False and, where a number is needed, a `v_th_finite`
    without meaning. Those that do not adapt have a `decay_a` and a `delta_a` without units.
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
    adapts: bool
    decay_a: np.ndarray
    delta_a: np.ndarray


@lru_cache(maxsize=256)
def prepared(
    neuron: LIF | AdaptiveLIF,
    synapse: Delta | Exponential,
    n: int,
    dt: float,
    dtype: Any = np.float64,
) -> LIFLayer:
    """Derive the constants of a layer of `n` units; warn when `t_ref` has to be rounded."""
    constants = neuron.constants(dt)
    refractory_period(neuron, constants.ref_steps, dt, f"a layer of {n} units")
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

    adapts = isinstance(neuron, AdaptiveLIF)
    decay_a, delta_a = neuron.adaptation(dt) if isinstance(neuron, AdaptiveLIF) else _NO_ADAPTATION

    def spread(value: Any, n: int = n) -> np.ndarray:
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
        adapts=adapts,
        decay_a=spread(decay_a, n if adapts else 0),
        delta_a=spread(delta_a, n if adapts else 0),
    )


def filtered(p: LIFLayer, dtype: np.dtype) -> tuple[np.ndarray, Any]:
    """Return ``p_vi`` and ``decay_syn`` of the filter that stands for either synapse.

    A delta synapse forgets at once; :mod:`spikesim.layered.lif_forward`.
    """
    gain = np.ones_like(p.p_vi) if p.delta else p.p_vi
    return gain, dtype.type(0.0 if p.delta else p.decay_syn)


def read_only(array: np.ndarray) -> np.ndarray:
    """Return an array, or a view of it, that cannot be written to, as the weights of a layer are.

    Kernels are compiled for arrays that can be written to and for such that cannot: of what may
    be either, each mix would cost seconds at its first call.
    """
    if array.flags.writeable:
        array = array.view()
        array.flags.writeable = False
    return array


def lags(layer: Layer, dt: float) -> tuple[int, int]:
    """Return the steps that input and recurrent spikes take to the current that they add to."""
    early = isinstance(layer.synapse, Delta)
    lag = 0 if np.ndim(layer.delay) else _lag(layer.delay, dt) - early
    return lag, _lag(layer.delay_rec, dt) - early


def delay_steps(layer: Layer, dt: float) -> np.ndarray | None:
    """Return the steps in the delay line of each input; None if inputs have none of their own."""
    if not np.ndim(layer.delay):
        return None
    steps = np.minimum(np.asarray(layer.delay, np.float64) / dt, _NEVER)
    # Single precision moves a delay off the grid, the shortest one to before it can arrive.
    whole = np.rint(steps)
    off = np.abs(steps - whole) > 2.0 * np.finfo(layer.delay.dtype).eps * whole
    return np.where(off, steps, whole) - isinstance(layer.synapse, Delta)


def _lag(delay: Any, dt: float) -> int:
    return 1 if delay is None else int(np.rint(min(float(delay) / dt, _NEVER)))


def run(layer: Layer, x: PackedSpikes | np.ndarray, dt: float) -> SpikingTrace:
    """Run a layer from its initial state.

    Parameters
    ----------
    layer : Layer
        LIF or AdaptiveLIF units.
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
    bits, values, density = as_given(x, layer)
    w_rec = read_only(np.empty((0, 0), layer.w.dtype) if layer.w_rec is None else layer.w_rec)
    constant = p.leak_gain * (layer.bias + p.i_ext)
    gain, decay_syn = filtered(p, layer.w.dtype)
    learns_time = bool(LEARNT_OF_UNITS & set(layer.trainable))
    currents = np.empty(v_free.shape if learns_time else (0, 0, 0), v_free.dtype)
    adaptation = np.empty(v_free.shape if p.adapts else (0, 0, 0), v_free.dtype)
    run_trials = lif_forward.run_trials_of(p.adapts)
    ref_steps = np.minimum(p.ref_steps, 2**31 - 1).astype(np.int32)
    parameters = (constant, gain, p.decay_m, p.v_rest, p.v_th, p.v_reset, ref_steps)

    def part(first: int, last: int) -> None:
        run_trials(
            bits, values, layer.w, w_rec, lags(layer, dt), parameters, (p.decay_a, p.delta_a),
            p.v_init, decay_syn, p.subtract, waits, first, last, v_free, fired, held, currents,
            adaptation,
        )  # fmt: skip

    of_a_step = 100.0 + n * (0.5 + 0.06 * density * n_pre)
    in_parts(part, n_trials, n_trials * n_steps * of_a_step, alike=True)
    refractory = PackedSpikes.of_kernel(held, n) if waits else None
    return SpikingTrace(
        v_free,
        PackedSpikes.of_kernel(fired, n),
        refractory,
        currents if learns_time else None,
        not len(values),
        adaptation if p.adapts else None,
    )


def as_given(x: PackedSpikes | np.ndarray, layer: Layer) -> tuple[np.ndarray, np.ndarray, float]:
    """Return input as bits or as values, whichever is faster (the other empty), and its density."""
    dtype = layer.w.dtype
    if isinstance(x, PackedSpikes):
        density = x.density
        if density < DENSE_FROM:
            return x.bits, np.empty((0, 0, 0), dtype), density
        x = x.unpack(dtype)
    return NO_BITS, np.ascontiguousarray(x, dtype), 1.0


NO_BITS = np.empty((0, 0, 0), np.uint64)
