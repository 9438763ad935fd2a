"""Slow twins of the online rules: everything goes forward in time, one number a synapse."""

from __future__ import annotations

import math

import numpy as np

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
        for k, (e, _) in enumerate(steps):
            drive = spike[:, :, None] * feedback
            filtered, current = moved(output, dt, filtered, current, last.held[k, b], drive)
            gradient += filtered @ to_v[k, b]
            filtered = reset(output, filtered, last.output[k, b])
            spike = e * slopes[k, b]
    return gradient
