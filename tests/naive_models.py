"""Models computed slowly, from their equations: ODEs solved to 1e-12, matrix exponentials."""

import math

import numpy as np
from scipy.integrate import solve_ivp
from scipy.linalg import expm

import spikesim as sp

ALPHAS = (sp.Alpha, sp.ConductanceAlpha)


def state_after(synapse, i, x, time):
    """Return (i, x) of a synapse after `time` without spikes, by the matrix exponential."""
    rate = -1.0 / synapse.tau_syn
    coupling = 1.0 if isinstance(synapse, ALPHAS) else 0.0
    return expm(np.array([[rate, coupling], [0.0, rate]]) * time) @ [i, x]


def membrane_after(neuron, synapses, states, v, time):
    """Return v after `time` by a tight solution of the equations of membrane and synapses.

    `neuron` holds tau_m, c_m, v_rest, i_ext; `states` one (i, x) for each synapse.
    """

    def slope(_, y):
        current, slopes = neuron["i_ext"], []
        for number, synapse in enumerate(synapses):
            i, x = y[1 + 2 * number : 3 + 2 * number]
            current += i * (synapse.e_rev - y[0]) if synapse.conductance else i
            feed = x if isinstance(synapse, ALPHAS) else 0.0
            slopes += [feed - i / synapse.tau_syn, -x / synapse.tau_syn]
        leak = -(y[0] - neuron["v_rest"]) / neuron["tau_m"]
        return [leak + current / neuron["c_m"], *slopes]

    start = [v, *np.ravel(states)]
    done = solve_ivp(slope, (0.0, time), start, "DOP853", rtol=1e-13, atol=1e-12)
    return done.y[0, -1]


def magnus_step(v, a, b, dt):
    """Return v after a step of v' = a(t) - b(t) v by the Magnus integrator, as matrices.

    Blanes, Casas, Oteo & Ros 2009, section 5.4; a and b are functions of the time in the step.
    """
    times = [(0.5 - math.sqrt(3) / 6) * dt, (0.5 + math.sqrt(3) / 6) * dt]
    first, second = (np.array([[-b(t), a(t)], [0.0, 0.0]]) for t in times)
    commutator = first @ second - second @ first
    omega = dt / 2 * (first + second) - math.sqrt(3) / 12 * dt**2 * commutator
    return (expm(omega) @ [v, 1.0])[0]


def sigmoid(v, v_half, v_scale, max_rate):
    """Return the rate of a :class:`SigmoidRate` neuron, without overflow."""
    return max_rate * (0.5 + 0.5 * math.tanh((v - v_half) / v_scale / 2))
