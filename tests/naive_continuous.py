"""Networks in continuous time the long way: potentials summed over all that ever happened.

No state is carried from event to event. Threshold crossings are looked for at many points and
found by bisection.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import brentq, minimize_scalar

from tests.naive_first_spike import arrivals_of, potential, response
from tests.naive_layered import of_unit

N_LOOKS = 6


def run(network, spikes, duration):
    """Return for each layer its spikes, sorted (time, unit), in one trial of input `spikes`."""
    layers = []
    for layer in network.layers:
        spikes = run_layer(layer, spikes, duration)
        layers.append(spikes)
    return layers


def run_layer(layer, spikes, duration):
    """Return the spikes of a layer: always the earliest that is still to come."""
    arrivals = [arrivals_of(layer, spikes, j) for j in range(layer.n_post)]
    fired = []
    found = [next_crossing(layer, j, arrivals[j], fired, 0.0, duration)
             for j in range(layer.n_post)]  # fmt: skip
    while True:
        j = int(np.argmin(found))
        now = found[j]
        if not math.isfinite(now):
            return fired
        fired.append((now, j))
        for k in range(layer.n_post):
            if k == j or layer.w_rec is not None:
                found[k] = next_crossing(layer, k, arrivals[k], fired, now, duration)


def potential_of(layer, j, arrivals, fired, t):
    """Return the potential of unit j at time t, given all that fired before."""
    lif = layer.neuron
    tau_m, c_m = of_unit(lif.tau_m, j), of_unit(lif.c_m, j)
    v = potential(layer, j, arrivals, t)
    for time, unit in fired:
        if layer.w_rec is not None:
            v += layer.w_rec[unit, j] * response(t - time, tau_m, layer.synapse.tau_syn, c_m)
        if unit == j and time <= t:
            drop = of_unit(lif.v_th, j) - of_unit(lif.v_reset, j)
            v -= drop * math.exp(-(t - time) / tau_m)
    return v


def next_crossing(layer, j, arrivals, fired, now, duration):
    """Return when unit j next reaches its threshold after `now`, inf if never."""
    v_th = of_unit(layer.neuron.v_th, j)
    if not math.isfinite(v_th):
        return math.inf

    def below(t):
        return v_th - potential_of(layer, j, arrivals, fired, t)

    edges = [now, *(a for a, _ in arrivals if now < a < duration), duration]
    for start, stop in zip(edges[:-1], edges[1:], strict=True):
        if stop - start < 1e-12:
            continue
        looks = np.linspace(start, stop, N_LOOKS + 1)
        lowest = minimize_scalar(below, bounds=(start, stop), method="bounded",
                                 options={"xatol": 1e-10})  # fmt: skip
        looks = np.sort(np.append(looks, lowest.x))
        values = [below(t) for t in looks]
        for k in range(1, len(looks)):
            if values[k] <= 0.0 < values[k - 1]:
                return brentq(below, looks[k - 1], looks[k], xtol=1e-14, rtol=1e-15)
    return math.inf
