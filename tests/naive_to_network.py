"""A layered network run number by number, additions in the order that both engines keep."""

from __future__ import annotations

import math

import numpy as np

from spikesim.neurons import AdaptiveLIF
from spikesim.synapses import Delta


def run(network, x):
    """Return, of each layer, spikes and v after each step, both of shape (n_steps, n_units)."""
    found = []
    for layer in network.layers:
        output, v = run_layer(layer, x, network.dt)
        found.append((output, v))
        x = output
    return found


def run_layer(layer, x, dt):
    n_steps, n = len(x), layer.n_post
    lif = layer.neuron.drawn(n, None)
    constants = lif.constants(dt)
    delta = isinstance(layer.synapse, Delta)
    if not delta:
        p_vi = layer.synapse.propagators(lif.tau_m, lif.c_m, dt).p_vi
        decay_syn = layer.synapse.at_nodes(dt).decay_syn
    output, trace = np.zeros((n_steps, n)), np.zeros((n_steps, n))
    v = [float(value) for value in lif.v_init]
    current, held, a = [0.0] * n, [0] * n, [0.0] * n
    adapts = isinstance(lif, AdaptiveLIF)
    for k in range(n_steps):
        for i in range(n):
            arriving = _arriving(layer, x, output, k, i, dt)
            push = float(constants.leak_gain[i] * (layer.bias[i] + lif.i_ext[i]))
            if delta:
                jump = 0.0
                for weight in arriving:
                    jump = jump + weight
                push = push + jump
            else:
                push = push + float(p_vi[i]) * current[i]
                current[i] = decay_syn * current[i]
                for weight in arriving:
                    current[i] = current[i] + weight
            threshold = float(lif.v_th[i]) + a[i]
            if adapts:
                a[i] = math.exp(-dt / lif.tau_a[i]) * a[i]
            if held[i]:
                held[i] -= 1
            else:
                decay_m, v_rest = float(constants.decay_m[i]), float(lif.v_rest[i])
                v[i] = v_rest + decay_m * (v[i] - v_rest) + push
                if v[i] >= threshold:
                    output[k, i] = 1.0
                    a[i] = a[i] + float(lif.delta_a[i]) if adapts else 0.0
                    down = float(lif.v_th[i]) - float(lif.v_reset[i])
                    v[i] = v[i] - down if lif.reset == "subtract" else float(lif.v_reset[i])
                    held[i] = int(constants.ref_steps[i])
            trace[k, i] = v[i]
    return output, trace


def _arriving(layer, x, output, k, i, dt):
    """Return what arrives at unit i in step k: older spikes first, then the layer before's."""
    lines = [(1 if layer.delay is None else round(float(layer.delay) / dt), x, layer.w)]
    if layer.w_rec is not None:
        steps = 1 if layer.delay_rec is None else round(layer.delay_rec / dt)
        lines.append((steps, output, layer.w_rec))
    weights = []
    for steps, sent, w in sorted(lines, key=lambda line: -line[0]):
        if k >= steps:
            fired = sent[k - steps]
            weights += [float(fired[j] * w[j, i]) for j in range(len(fired)) if fired[j] != 0.0]
    return weights
