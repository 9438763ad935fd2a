"""Slow twins of the layered kernels, written from the equations, one number at a time."""

from __future__ import annotations

import math

import numpy as np

from spikesim.neurons import AdaptiveLIF
from spikesim.synapses import Delta


def of_unit(value, i):
    return float(value[i]) if np.ndim(value) == 1 else float(value)


def lif_layer(layer, x, dt):
    """Run one LIF layer; return output, v before reset, held, as nested loops have them."""
    n_steps, n_trials, n_pre = x.shape
    n = layer.w.shape[1]
    lif = layer.neuron
    output = np.zeros((n_steps, n_trials, n))
    v_trace = np.zeros((n_steps, n_trials, n))
    held = np.zeros((n_steps, n_trials, n), dtype=bool)
    for trial in range(n_trials):
        v = [of_unit(lif.v_rest if lif.v_init is None else lif.v_init, i) for i in range(n)]
        current = [0.0] * n
        wait, a = [0] * n, [0.0] * n
        for k in range(n_steps):
            for i in range(n):
                drive = 0.0
                if k > 0:
                    for j in range(n_pre):
                        drive += x[k - 1, trial, j] * layer.w[j, i]
                    if layer.w_rec is not None:
                        for j in range(n):
                            drive += output[k - 1, trial, j] * layer.w_rec[j, i]
                tau_m, c_m = of_unit(lif.tau_m, i), of_unit(lif.c_m, i)
                v_rest, v_th = of_unit(lif.v_rest, i), of_unit(lif.v_th, i)
                v_reset = of_unit(lif.v_reset, i)
                decay = math.exp(-dt / tau_m)
                constant = (layer.bias[i] + of_unit(lif.i_ext, i)) * tau_m / c_m * (1 - decay)
                held[k, trial, i] = wait[i] > 0
                if wait[i] > 0:
                    wait[i] -= 1
                else:
                    v[i] = v_rest + (v[i] - v_rest) * decay + constant
                    if isinstance(layer.synapse, Delta):
                        v[i] += drive
                    else:
                        v[i] += current[i] * psp(tau_m, c_m, layer.synapse.tau_syn, dt)
                v_trace[k, trial, i] = v[i]
                if not held[k, trial, i] and v[i] >= v_th + a[i]:
                    output[k, trial, i] = 1.0
                    v[i] = v_reset if lif.reset == "to_potential" else v[i] - (v_th - v_reset)
                    wait[i] = round(of_unit(lif.t_ref, i) / dt)
                if isinstance(lif, AdaptiveLIF):
                    decay_a = math.exp(-dt / of_unit(lif.tau_a, i))
                    a[i] = decay_a * a[i] + of_unit(lif.delta_a, i) * output[k, trial, i]
                if not isinstance(layer.synapse, Delta):
                    current[i] = current[i] * math.exp(-dt / layer.synapse.tau_syn) + drive
    return output, v_trace, held


def psp(tau_m, c_m, tau_syn, dt):
    """Return what a current of 1 pA that decays with tau_syn adds to v within dt."""
    if tau_m == tau_syn:
        return dt * math.exp(-dt / tau_m) / c_m
    gain = tau_m * tau_syn / (tau_m - tau_syn) / c_m
    return gain * (math.exp(-dt / tau_m) - math.exp(-dt / tau_syn))


def rate_layer(layer, x):
    """Run one rate layer; return output and u."""
    name = type(layer.neuron).__name__.lower()
    n_steps, n_trials, n_pre = x.shape
    n = layer.w.shape[1]
    output, argument = np.zeros((n_steps, n_trials, n)), np.zeros((n_steps, n_trials, n))
    for k, trial, i in np.ndindex(output.shape):
        net = sum(x[k, trial, j] * layer.w[j, i] for j in range(n_pre))
        u = layer.steepness[i] * net + layer.bias[i]
        argument[k, trial, i] = u
        if name == "sigmoid":
            y = 1.0 / (1.0 + math.exp(-u))
        elif name == "tanh":
            y = math.tanh(u)
        elif name == "relu":
            y = max(0.0, u)
        else:
            y = 1.0 if u > 0 or (u == 0 and layer.neuron.fire_on == "ge") else 0.0
        output[k, trial, i] = y
    return output, argument


def lif_adjoint(layer, dt, output, v_trace, held, grad_output, grad_v, phi, detach_reset):
    """Return dL/d drive and dL/d bias of a LIF layer, trial by trial and unit by unit.

    `phi` is dS/dv before reset. Gradients are pushed from each quantity to those it was made
    from, latest step first: the other way about than the kernel, which pulls.
    """
    n_steps, n_trials, n = output.shape
    lif, delta = layer.neuron, isinstance(layer.synapse, Delta)
    grad_drive = np.zeros(output.shape)
    grad_bias = np.zeros(n)
    for trial in range(n_trials):
        to_spike = grad_output[:, trial].copy()
        to_after = np.zeros((n_steps + 1, n))
        to_current = np.zeros((n_steps + 1, n))
        for k in reversed(range(n_steps)):
            to_free = grad_v[k, trial].copy()
            for i in range(n):
                v_th, v_reset = of_unit(lif.v_th, i), of_unit(lif.v_reset, i)
                tau_m, c_m = of_unit(lif.tau_m, i), of_unit(lif.c_m, i)
                decay = math.exp(-dt / tau_m)
                after = to_after[k + 1, i]
                spike = output[k, trial, i]
                if lif.reset == "subtract":
                    to_free[i] += after
                    reset_path = -(v_th - v_reset)
                else:
                    to_free[i] += after * (1.0 - spike)
                    reset_path = v_reset - v_trace[k, trial, i]
                if not held[k, trial, i] and math.isfinite(v_th):
                    total = to_spike[k, i] + (0.0 if detach_reset else after * reset_path)
                    to_free[i] += total * phi[k, trial, i]
                elif held[k, trial, i]:
                    to_free[i] = grad_v[k, trial, i] + after
                if not delta:
                    grad_drive[k, trial, i] += to_current[k + 1, i]
                    to_current[k, i] += to_current[k + 1, i] * math.exp(-dt / layer.synapse.tau_syn)
                if held[k, trial, i]:
                    to_after[k, i] += to_free[i]
                else:
                    to_after[k, i] += to_free[i] * decay
                    grad_bias[i] += to_free[i] * (1 - decay) * tau_m / c_m
                    if delta:
                        grad_drive[k, trial, i] += to_free[i]
                    else:
                        to_current[k, i] += to_free[i] * psp(tau_m, c_m, layer.synapse.tau_syn, dt)
            if layer.w_rec is not None and k > 0:
                for j in range(n):
                    for i in range(n):
                        to_spike[k - 1, j] += layer.w_rec[j, i] * grad_drive[k, trial, i]
    return grad_drive, grad_bias
