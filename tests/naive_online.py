"""Slow twins of the online rules: everything goes forward in time, one number a synapse."""

from __future__ import annotations

import itertools
import math

import numpy as np

from spikesim.neurons import AdaptiveLIF
from spikesim.synapses import Delta
from tests.naive_layered import of_unit, psp


def moved(layer, dt, sensitivity, current, held, drive):
    """Advance the derivatives of v and i_syn, shape (..., n_post), by one step.

    `drive` is the derivative of what arrives in the step; returns v before the reset and i_syn.
    """
    n = layer.w.shape[1]
    lif = layer.neuron
    before_reset, after = sensitivity.copy(), current.copy()
    for j in range(n):
        tau_m, c_m = of_unit(lif.tau_m, j), of_unit(lif.c_m, j)
        delta = isinstance(layer.synapse, Delta)
        if not held[j]:
            before_reset[..., j] = sensitivity[..., j] * math.exp(-dt / tau_m)
            if delta:
                before_reset[..., j] += drive[..., j]
            else:
                gain = psp(tau_m, c_m, layer.synapse.tau_syn, dt)
                before_reset[..., j] += gain * current[..., j]
        if not delta:
            decay = math.exp(-dt / layer.synapse.tau_syn)
            after[..., j] = decay * current[..., j] + drive[..., j]
    return before_reset, after


def reset(layer, sensitivity, fired):
    """Return the derivative of v after the step, with the spikes as they were."""
    return sensitivity if layer.neuron.reset == "subtract" else sensitivity * (1.0 - fired)


def eligibilities(layer, dt, x, output, held):
    """Yield for each step d v_j / d w_ij of one trial, shape (n_pre, n_post), and by the bias."""
    n_pre, n = layer.w.shape
    e, current, by_bias = np.zeros((n_pre, n)), np.zeros((n_pre, n)), np.zeros(n)
    for k in range(len(x)):
        arrived = np.zeros(n_pre) if k == 0 else x[k - 1]
        e, current = moved(layer, dt, e, current, held[k], np.repeat(arrived[:, None], n, axis=1))
        for j in range(n):
            tau_m, c_m = of_unit(layer.neuron.tau_m, j), of_unit(layer.neuron.c_m, j)
            decay = math.exp(-dt / tau_m)
            if not held[k, j]:
                by_bias[j] = by_bias[j] * decay + (1 - decay) * tau_m / c_m
        yield e, by_bias.copy()
        e, by_bias = reset(layer, e, output[k]), reset(layer, by_bias, output[k])


def spike_traces(layer, dt, eligibility, slopes):
    """Yield for each step dS_j / dw_ij, given the other spikes; `eligibility` is that of v.

    The threshold is one more thing that a spike depends on and that remembers the weight, by the
    spikes of its own unit (Bellec et al. 2020, Nat. Commun. 11:3625, Methods).
    """
    lif, n = layer.neuron, layer.w.shape[1]
    if not isinstance(lif, AdaptiveLIF):
        yield from (e * slope for e, slope in zip(eligibility, slopes, strict=True))
        return
    decay = np.array([math.exp(-dt / of_unit(lif.tau_a, j)) for j in range(n)])
    delta_a = np.array([of_unit(lif.delta_a, j) for j in range(n)])
    of_threshold = np.zeros(layer.w.shape)
    for e, slope in zip(eligibility, slopes, strict=True):
        yield (e - of_threshold) * slope
        of_threshold = slope * delta_a * e + (decay - slope * delta_a) * of_threshold


def weighed(layer, dt, x, trace, signal):
    """Sum signal times eligibility over steps and trials, for w and bias."""
    by_w, by_bias = np.zeros(layer.w.shape), np.zeros(layer.w.shape[1])
    for b in range(x.shape[1]):
        found = eligibilities(layer, dt, x[:, b], trace.output[:, b], trace.held[:, b])
        for k, (e, e_bias) in enumerate(found):
            by_w += e * signal[k, b]
            by_bias += e_bias * signal[k, b]
    return by_w, by_bias


def eprop(hidden, output, dt, x, traces, slopes, to_v, feedback):
    """Sum the learning signal times the eligibility as the output unit filters it.

    The trace of synapse ij that output unit o sees is what one unit of w_ij would do to its
    potential, were B_jo its weight: the filter of the readout, applied to each synapse.
    `to_v` is dC/dv of the output, `slopes` the surrogate of each hidden spike by v.
    """
    n_pre, n = hidden.w.shape
    n_out = feedback.shape[1]
    gradient = np.zeros((n_pre, n))
    first, last = traces
    for b in range(x.shape[1]):
        filtered, current = np.zeros((n_pre, n, n_out)), np.zeros((n_pre, n, n_out))
        spike = np.zeros((n_pre, n))
        steps = eligibilities(hidden, dt, x[:, b], first.output[:, b], first.held[:, b])
        of_v = (e for e, _ in steps)
        for k, of_spike in enumerate(spike_traces(hidden, dt, of_v, slopes[:, b])):
            drive = spike[:, :, None] * feedback
            filtered, current = moved(output, dt, filtered, current, last.held[k, b], drive)
            gradient += filtered @ to_v[k, b]
            filtered = reset(output, filtered, last.output[k, b])
            spike = of_spike
    return gradient


def escape_run(layer, dt, x, spikes, rate, width):
    """Force the spikes of one trial on a layer; return their log probability and v before reset."""
    lif, n = layer.neuron, layer.w.shape[1]
    v = [of_unit(lif.v_rest if lif.v_init is None else lif.v_init, i) for i in range(n)]
    current, wait = [0.0] * n, [0] * n
    log_p, trace = 0.0, np.zeros(spikes.shape)
    for k in range(len(x)):
        for i in range(n):
            drive = float(x[k - 1] @ layer.w[:, i]) if k > 0 else 0.0
            if k > 0 and layer.w_rec is not None:
                drive += float(spikes[k - 1] @ layer.w_rec[:, i])
            tau_m, c_m = of_unit(lif.tau_m, i), of_unit(lif.c_m, i)
            v_rest, v_th = of_unit(lif.v_rest, i), of_unit(lif.v_th, i)
            v_reset = of_unit(lif.v_reset, i)
            decay = math.exp(-dt / tau_m)
            constant = (layer.bias[i] + of_unit(lif.i_ext, i)) * tau_m / c_m * (1 - decay)
            delta = isinstance(layer.synapse, Delta)
            held = wait[i] > 0
            if held:
                wait[i] -= 1
            else:
                v[i] = v_rest + (v[i] - v_rest) * decay + constant
                v[i] += drive if delta else current[i] * psp(tau_m, c_m, layer.synapse.tau_syn, dt)
            if not delta:
                current[i] = current[i] * math.exp(-dt / layer.synapse.tau_syn) + drive
            trace[k, i] = v[i]
            if not held and math.isfinite(v_th):
                hazard = rate * dt * math.exp((v[i] - v_th) / (width * (v_th - v_rest)))
                log_p += math.log(-math.expm1(-hazard)) if spikes[k, i] else -hazard
            elif spikes[k, i]:
                return -math.inf, trace
            if spikes[k, i]:
                v[i] = v_reset if lif.reset == "to_potential" else v[i] - (v_th - v_reset)
                wait[i] = round(of_unit(lif.t_ref, i) / dt)
    return log_p, trace


def expected_loss(network, x, loss, rate, width):
    """Sum over all that the layers can fire in one trial, its probability times its loss.

    `loss` is a function of the spikes and potentials of the output, shape (n_steps, n_outputs).
    """

    def after(index, source, log_p, trace):
        if index == len(network.layers):
            return math.exp(log_p) * loss(source, trace)
        layer = network.layers[index]
        shape = (len(x), layer.w.shape[1])
        fires = math.isfinite(np.max(layer.neuron.v_th))
        patterns = itertools.product([0.0, 1.0], repeat=math.prod(shape)) if fires else [0.0]
        total = 0.0
        for pattern in patterns:
            spikes = np.broadcast_to(np.array(pattern), math.prod(shape)).reshape(shape)
            more, v = escape_run(layer, network.dt, source, spikes, rate, width)
            if more > -math.inf:
                total += after(index + 1, spikes, log_p + more, v)
        return total

    return after(0, x, 0.0, None)
