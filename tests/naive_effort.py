"""Operations counted one by one, from the definitions in spikesim.comparison.operations."""

import numpy as np

from spikesim.neurons import AdaptiveLIF
from spikesim.synapses import Exponential


def forward_counts(layer, x, output):
    """Return dense, macs, acs, state updates and spikes of a layer over all steps and trials."""
    dense = macs = acs = updates = spikes = 0
    binary = set(np.unique(x)) <= {-1.0, 0.0, 1.0}
    n_steps, n_trials, n_pre = x.shape
    for k in range(n_steps):
        for b in range(n_trials):
            for j in range(layer.w.shape[1]):
                for i in range(n_pre):
                    dense += 1
                    if x[k, b, i] != 0 and layer.w[i, j] != 0:
                        acs += binary
                        macs += not binary
                if not layer.neuron.spiking:
                    continue
                spikes += output[k, b, j] == 1
                updates += 1 + isinstance(layer.synapse, Exponential)
                updates += isinstance(layer.neuron, AdaptiveLIF)
                if layer.w_rec is not None:
                    for i in range(layer.w.shape[1]):
                        dense += 1
                        acs += output[k, b, i] != 0 and layer.w_rec[i, j] != 0
    return dense, macs, acs, updates, spikes


def has_derivative(layer, trace, surrogate, k, b, i):
    if not layer.neuron.spiking:
        u, y = trace.v[k : k + 1, b, i], trace.output[k : k + 1, b, i]
        return layer.neuron.derivative(u, y)[0] != 0
    v_th, v_rest = (
        np.broadcast_to(value, layer.w.shape[1])[i]
        for value in (layer.neuron.v_th, layer.neuron.v_rest)
    )
    if v_th == np.inf:
        return False
    threshold = v_th + trace.a[k, b, i] if isinstance(layer.neuron, AdaptiveLIF) else v_th
    return abs(trace.v[k, b, i] - threshold) / (v_th - v_rest) <= surrogate.reach


def backward_counts(network, x, traces, surrogate):
    """Return dense, macs and acs of the way back through each layer."""
    found, before = [], None
    for index, layer in enumerate(network.layers):
        dense = macs = acs = 0
        trace = traces[index]
        given = x if index == 0 else traces[index - 1].output
        binary = set(np.unique(given)) <= {-1.0, 0.0, 1.0}
        n_pre, n = layer.w.shape
        for k in range(x.shape[0]):
            for b in range(x.shape[1]):
                for j in range(n):
                    has_error = layer.neuron.spiking or has_derivative(
                        layer, trace, surrogate, k, b, j
                    )
                    for i in range(n_pre):
                        if "w" in layer.trainable:
                            dense += 1
                            effective = given[k, b, i] != 0 and has_error
                            acs += binary and effective
                            macs += not binary and effective
                        if index > 0:
                            dense += 1
                            able = has_derivative(*before, surrogate, k, b, i)
                            macs += able and has_error and layer.w[i, j] != 0
                    if layer.w_rec is None:
                        continue
                    for i in range(n):
                        dense += 1
                        able = has_derivative(layer, trace, surrogate, k, b, i)
                        macs += able and layer.w_rec[i, j] != 0
                        if "w_rec" in layer.trainable:
                            dense += 1
                            acs += trace.output[k, b, i] != 0
        before = (layer, trace)
        found.append((dense, macs, acs))
    return found
