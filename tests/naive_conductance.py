"""The membrane under conductances over one step: by the Magnus formula, and by a tight ODE solver.

Potentials are counted from rest: u = v - v_rest obeys u' = a(t) - b(t) u.
"""

import numpy as np
from scipy.integrate import solve_ivp


def magnus(state, tau_m, c_m, v_rest, synapses, dt):
    """Return u after a step, by the formula of spikesim/neurons/conductance.py."""
    root = np.sqrt(3.0)
    (a_1, b_1), (a_2, b_2) = (
        coefficients(node * dt, state, tau_m, c_m, v_rest, synapses)
        for node in (0.5 - root / 6.0, 0.5 + root / 6.0)
    )
    a, b = dt / 2.0 * (a_1 + a_2), dt / 2.0 * (b_1 + b_2)
    c = root / 12.0 * dt**2 * (a_2 * b_1 - a_1 * b_2)
    decay = np.exp(-b)
    return decay * state[:, 0] - np.expm1(-b) / b * (a + c * np.minimum(1.0, root / b))


def ode(state, tau_m, c_m, v_rest, synapses, dt):
    """Return u after a step, by SciPy's solver of order 8."""

    def derivative(s, u):
        a, b = coefficients(s, state, tau_m, c_m, v_rest, synapses)
        return a - b * u

    solved = solve_ivp(derivative, (0.0, dt), state[:, 0], "DOP853", rtol=1e-10, atol=1e-10)
    assert solved.success
    return solved.y[:, -1]


def coefficients(s, state, tau_m, c_m, v_rest, synapses):
    """Return a and b at time s within the step; `state` is that of the start of the step."""
    drive, opened = state[:, -1].copy(), np.zeros(len(state))
    for index, synapse in enumerate(synapses):
        i, x = state[:, 1 + 2 * index], state[:, 2 + 2 * index]
        value = np.exp(-s / synapse.tau_syn) * (i + s * x)
        if synapse.conductance:
            drive += value * (synapse.e_rev - v_rest)
            opened += value
        else:
            drive += value
    return drive / c_m, 1.0 / tau_m + opened / c_m
