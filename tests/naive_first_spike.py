"""First spikes the long way: the potential summed over all arrivals, searched and differentiated.

Nothing is carried from event to event here, as the kernels do.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import brentq, minimize_scalar
from scipy.special import lambertw

from spikesim.layered import LayeredNetwork
from tests.naive_layered import of_unit

N_LOOKS = 60


def response(s, tau_m, tau_syn, c_m):
    """Return the potential s after a spike of weight 1."""
    if s <= 0.0:
        return 0.0
    if tau_m == tau_syn:
        return s / c_m * math.exp(-s / tau_m)
    # exp(-s / tau_m) - exp(-s / tau_syn), the same both ways about.
    k = 1.0 / tau_syn - 1.0 / tau_m
    return -math.exp(-s / tau_m) * math.expm1(-s * k) / k / c_m


def arrivals_of(layer, spikes, j):
    """Return (time, input) of all that arrives at unit j; `spikes` are (time, input)."""
    delay = 0.0 if layer.delay is None else layer.delay
    delay = np.broadcast_to(np.transpose(delay), layer.w.T.shape)
    return sorted((t + delay[j, i], i) for t, i in spikes if math.isfinite(t))


def potential(layer, j, arrivals, t):
    """Return the potential of unit j at time t, without threshold."""
    lif = layer.neuron
    tau_m, c_m = of_unit(lif.tau_m, j), of_unit(lif.c_m, j)
    v_rest = of_unit(lif.v_rest, j)
    v_init = v_rest if lif.v_init is None else of_unit(lif.v_init, j)
    current = of_unit(lif.i_ext, j) + layer.bias[j]
    v = v_rest + (v_init - v_rest) * math.exp(-t / tau_m)
    v -= current * tau_m / c_m * math.expm1(-t / tau_m)
    for arrival, i in arrivals:
        v += layer.w[i, j] * response(t - arrival, tau_m, layer.synapse.tau_syn, c_m)
    return v


def first_spike(layer, j, arrivals, duration):
    """Return the first time at which unit j reaches its threshold, inf if never.

    Between two arrivals it looks at many times, and around the highest of them.
    """
    v_th = of_unit(layer.neuron.v_th, j)
    edges = [0.0, *(a for a, _ in arrivals if 0.0 < a < duration), duration]
    for start, stop in zip(edges[:-1], edges[1:], strict=True):
        if stop <= start:
            continue

        def gap(t):
            return potential(layer, j, arrivals, t) - v_th

        looks = np.linspace(start, stop, N_LOOKS)
        best = int(np.argmax([gap(t) for t in looks]))
        around = looks[max(best - 1, 0)], looks[min(best + 1, N_LOOKS - 1)]
        peak = minimize_scalar(
            lambda t, g=gap: -g(t), bounds=around, method="bounded", options={"xatol": 1e-12}
        )
        looks = np.sort(np.append(looks, peak.x))
        for low, high in zip(looks[:-1], looks[1:], strict=True):
            if gap(low) < 0.0 <= gap(high):
                return brentq(gap, low, high, xtol=1e-14, rtol=1e-15, maxiter=200)
    return math.inf


def network_first_spikes(network, table, duration):
    """Return the first spikes of each layer, for inputs of one spike a line."""
    runs = []
    for layer in network.layers:
        times = np.full((len(table), layer.n_post), np.inf)
        for b, row in enumerate(table):
            spikes = [(t, i) for i, t in enumerate(row)]
            for j in range(layer.n_post):
                arrivals = arrivals_of(layer, spikes, j)
                times[b, j] = first_spike(layer, j, arrivals, duration)
        runs.append(times)
        table = times
    return runs


def closed_form(weights, arrivals, theta, tau_m, tau_syn, c_m):
    """Return the first spike by the published formulas over all spikes of a causal set.

    The set grows by one arrival at a time; the first solution that lies before the next arrival
    and after its last one is the spike (Goeltz et al. 2021, equations 5 and 6).
    """
    order = np.argsort(arrivals)
    for n in range(1, len(order) + 1):
        w, t = weights[order[:n]] / c_m, arrivals[order[:n]]
        later = arrivals[order[n]] if n < len(order) else np.inf
        if tau_m == tau_syn:
            a = np.sum(w * np.exp(t / tau_m)) * tau_m
            b = np.sum(w * t * np.exp(t / tau_m))
            if a <= 0.0:
                continue
            found = lambertw(-theta / a * np.exp(b / a))
            spike = tau_m * (b / a - found.real) if found.imag == 0.0 else np.nan
        else:
            a1 = np.sum(w * np.exp(t / tau_syn)) * tau_m
            a2 = np.sum(w * np.exp(t / tau_m)) * tau_m
            square = a2 * a2 - 4.0 * a1 * theta
            if square < 0.0 or a1 <= 0.0 or a2 <= 0.0:
                continue
            spike = tau_m * np.log(2.0 * a1 / (a2 + np.sqrt(square)))
        if t[-1] < spike <= later:
            return spike
    return np.inf


def difference_quotients(loss, network, table, place, name, step):
    """Return central differences of fourth order of `loss(network, table)`.

    By each number of the array `name` of layer `place`; by the table of input times for place -1.
    """

    def value(array):
        if place < 0:
            return loss(network, array)
        layers = list(network.layers)
        layers[place] = layers[place].updated(**{name: array})
        return loss(LayeredNetwork(layers, network.dt, continuous=True), table)

    array = table if place < 0 else getattr(network.layers[place], name)
    result = np.zeros(array.shape)
    for at in np.ndindex(array.shape):
        if not np.isfinite(array[at]):
            continue
        sides = []
        for h in (step, -step, 2 * step, -2 * step):
            moved = np.array(array)
            moved[at] += h
            sides.append(value(moved))
        result[at] = (8 * (sides[0] - sides[1]) - (sides[2] - sides[3])) / (12 * step)
    return result
