"""How each input moves the membrane: the eligibilities that local rules learn from.

For a threshold unit the eligibility of an input is the input itself. For a LIF unit it is the
response to the input through a weight of 1 on a membrane that is never reset, with the
propagators and the order of steps of the layered engine. :mod:`spikesim.learning.local` says
what the rules do with them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from spikesim._jit import kernel
from spikesim.layered import Layer
from spikesim.synapses import Delta

__all__ = ["Response", "lines", "membrane", "peaks", "respond", "strongest", "with_lines"]


class Response(NamedTuple):
    """How inputs move a membrane in a step; `instant` for threshold units, which have none."""

    instant: bool
    decay_m: float
    decay_syn: float
    p_vi: float
    jump: float


def membrane(layer: Layer, dt: float, n_steps: int) -> tuple[Response, np.ndarray, np.ndarray]:
    """Return what moves the free membranes of a layer.

    Returns
    -------
    response : Response
        How a spike moves the membrane.
    rest : ndarray, shape (n_post, n_steps)
        Free potential without input and bias, minus threshold; zeros for threshold units.
    bias_line : ndarray, shape (n_steps,)
        Response to a constant current of 1; ones for threshold units.
    """
    neuron = layer.neuron
    if not neuron.spiking:
        rest = np.zeros((layer.n_post, n_steps))
        return Response(True, 0.0, 0.0, 0.0, 0.0), rest, np.ones(n_steps)
    elapsed = dt * np.arange(1, n_steps + 1) / neuron.tau_m
    bias_line = -np.expm1(-elapsed) * neuron.r_m
    v_init = neuron.v_rest if neuron.v_init is None else neuron.v_init
    v_rest, v_th, i_ext, v_init = (
        np.broadcast_to(value, layer.n_post)[:, np.newaxis]
        for value in (neuron.v_rest, neuron.v_th, neuron.i_ext, v_init)
    )
    rest = v_rest - v_th + np.exp(-elapsed) * (v_init - v_rest) + i_ext * bias_line
    decay_m = float(np.exp(-dt / neuron.tau_m))
    if isinstance(layer.synapse, Delta):
        return Response(False, decay_m, 0.0, 0.0, 1.0), rest, bias_line
    syn = layer.synapse.propagators(neuron.tau_m, neuron.c_m, dt)
    return Response(False, decay_m, float(syn.decay_syn), float(syn.p_vi), 0.0), rest, bias_line


def peaks(layer: Layer, with_bias: bool) -> np.ndarray:
    """Return the peak of the response to one spike for each input, r_m for the bias."""
    neuron = layer.neuron
    if not neuron.spiking:
        return np.ones(layer.n_pre + with_bias)
    peak = 1.0
    if not isinstance(layer.synapse, Delta):
        tau_m, tau_syn = neuron.tau_m, layer.synapse.tau_syn
        ratio = tau_m / tau_syn
        # The post-synaptic potential peaks where the two exponentials change equally fast.
        t_peak = tau_m if ratio == 1.0 else tau_m * np.log(ratio) / (ratio - 1.0)
        peak = float(layer.synapse.propagators(tau_m, neuron.c_m, t_peak).p_vi)
    result = np.full(layer.n_pre + with_bias, peak)
    if with_bias:
        result[-1] = neuron.r_m
    return result


def lines(layer: Layer, with_bias: bool) -> np.ndarray:
    """Return a new array of the weights by unit, the bias last; shape (n_post, n_lines)."""
    w = np.empty((layer.n_post, layer.n_pre + with_bias))
    w[:, : layer.n_pre] = layer.w.T
    if with_bias:
        w[:, -1] = layer.bias
    return w


def with_lines(layer: Layer, w: np.ndarray, with_bias: bool) -> Layer:
    """Return `layer` with the weights that :func:`lines` gave, after training."""
    if with_bias:
        return layer.updated(w=w[:, :-1].T, bias=w[:, -1])
    return layer.updated(w=w.T)


@kernel
def respond(x, trial, response, bias_line, e):
    """Fill `e`, shape (n_lines, n_steps), with the eligibilities of one trial.

    Per step, in the order of ``docs/update_order.md``: the membrane moves with the current as
    it stood, the current decays, the spikes of the step before arrive.
    """
    n_steps, _, n_inputs = x.shape
    for i in range(n_inputs):
        if response.instant:
            for t in range(n_steps):
                e[i, t] = x[t, trial, i]
            continue
        v = 0.0
        current = 0.0
        e[i, 0] = 0.0
        for t in range(1, n_steps):
            v = response.decay_m * v + response.p_vi * current
            current = response.decay_syn * current + x[t - 1, trial, i]
            v += response.jump * x[t - 1, trial, i]
            e[i, t] = v
    if e.shape[0] > n_inputs:
        for t in range(n_steps):
            e[n_inputs, t] = bias_line[t]


@kernel
def strongest(e, w, rest, v):
    """Return the step of the largest free potential of a unit and its excess; `v` is scratch.

    Of equal ones the last counts, so that a unit with no weights yet has seen its inputs.
    """
    n_steps = rest.shape[0]
    v[:] = 0.0
    for i in range(w.shape[0]):
        for t in range(n_steps):
            v[t] += w[i] * e[i, t]
    # The bias comes last, as in the layered network, so that ties at the threshold agree.
    for t in range(n_steps):
        v[t] += rest[t]
    t_max = 0
    for t in range(1, n_steps):
        if v[t] >= v[t_max]:
            t_max = t
    return t_max, v[t_max]
