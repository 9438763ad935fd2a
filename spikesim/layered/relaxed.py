r"""A smooth twin of the forward run, in plain NumPy, for the gradient check.

A spike is :math:`\Phi(x)`, the primitive of the surrogate, instead of the step H(x), so that the
network is differentiable and its true gradient is what the surrogate computes. A threshold unit
with a surrogate of its own gives the primitive of that in the same way. What has no
derivative stays as it was in the base run: which units are refractory, and, where the reset is
detached, the spikes that reset.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from spikesim.layered import lif
from spikesim.layered.forward import Trace, behind_delays, run_layer
from spikesim.layered.network import Layer, LayeredNetwork
from spikesim.neurons import Step

__all__ = ["relaxed_forward"]


def relaxed_forward(
    network: LayeredNetwork,
    x: np.ndarray,
    spike: Callable[[np.ndarray], np.ndarray],
    held: Sequence[Any],
    reset_spikes: Sequence[np.ndarray | None] | None = None,
) -> tuple[Trace, ...]:
    """Run a network whose spikes are a function of the distance from threshold.

    Parameters
    ----------
    network : LayeredNetwork
        The network.
    x : ndarray, shape (n_steps, n_trials, n_inputs)
        Input.
    spike : callable
        Maps ``(v - v_th) / (v_th - v_rest)`` to the output of a unit that is not refractory.
    held : sequence of ndarray of bool or None
        For each layer where its units are refractory (None for rate units).
    reset_spikes : sequence of ndarray or None, optional
        For each layer the spikes that reset, instead of those of this run.

    Returns
    -------
    tuple of Trace
        As :func:`~spikesim.layered.forward`, the outputs as `spike` gives them.
    """
    traces: list[Trace] = []
    for index, layer in enumerate(network.layers):
        if layer.neuron.spiking:
            resets = None if reset_spikes is None else reset_spikes[index]
            trace = _spiking_layer(layer, x, network.dt, spike, held[index], resets)
        else:
            trace = _rate_layer(layer, x, network.dt)
        traces.append(trace)
        x = trace.output
    return tuple(traces)


def _rate_layer(layer: Layer, x: np.ndarray, dt: float) -> Trace:
    trace = run_layer(layer, x, dt)
    if isinstance(layer.neuron, Step) and layer.neuron.surrogate is not None:
        return trace._replace(output=layer.neuron.surrogate.primitive(trace.v))
    return trace


def _spiking_layer(
    layer: Layer,
    x: np.ndarray,
    dt: float,
    spike: Callable[[np.ndarray], np.ndarray],
    held: np.ndarray,
    reset_spikes: np.ndarray | None,
) -> Trace:
    p = lif.prepared(layer.neuron, layer.synapse, layer.n_post, dt)
    x = behind_delays(layer, x, dt)
    constant = p.leak_gain * (layer.bias + p.i_ext)
    shape = (*x.shape[:2], layer.n_post)
    output, v_free = np.zeros(shape), np.zeros(shape)
    v = np.broadcast_to(p.v_init, shape[1:])
    current, a = np.zeros(shape[1:]), np.zeros(shape[1:])
    gain = 1.0 if p.delta else p.p_vi
    lag, lag_rec = lif.lags(layer, dt)
    for k in range(shape[0]):
        push = gain * current + constant
        v_free[k] = np.where(held[k], v, p.v_rest + p.decay_m * (v - p.v_rest) + push)
        free = ~held[k] & p.fires
        output[k] = np.where(free, spike((v_free[k] - p.v_th_finite - a) / p.scale), 0.0)
        if p.adapts:
            a = p.decay_a * a + p.delta_a * output[k]
        resets = output[k] if reset_spikes is None else reset_spikes[k]
        if p.subtract:
            v = v_free[k] - (p.v_th_finite - p.v_reset) * resets
        else:
            v = v_free[k] * (1.0 - resets) + p.v_reset * resets
        current = p.decay_syn * current
        if k >= lag:
            current = current + x[k - lag] @ layer.w
        if layer.w_rec is not None and k >= lag_rec:
            current = current + output[k - lag_rec] @ layer.w_rec
    return Trace(output, v_free, held)
