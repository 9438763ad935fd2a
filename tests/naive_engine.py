"""A network simulated slowly, in plain Python, from docs/update_order.md alone.

Propagators come from SciPy's matrix exponential of (v, i, x), not from the package's closed
forms. Understands LIF and spike sources, explicit lists, listed spikes and step currents.
"""

import numpy as np
from scipy.linalg import expm

import spikesim as sp


def simulate_naive(network, n_steps, dt):
    """Return {name: list of (step, neuron)} and {name: v after each step, (n_steps, n)}."""
    models = {p.name: p for p in network.populations}
    neurons, arrivals, spikes, traces = {}, {}, {}, {}
    for name, population in models.items():
        spikes[name] = []
        if isinstance(population.model, sp.LIF):
            neurons[name] = [_neuron(network, population, i, dt) for i in range(population.n)]
            traces[name] = np.zeros((n_steps, population.n))
    for item in network.inputs:
        if isinstance(item, sp.SpikeInput):
            weights = np.broadcast_to(item.weight, len(item.times))
            for time, neuron, weight in zip(item.times, item.ids, weights, strict=True):
                _add(arrivals, round(time / dt), item.target, neuron, item.synapse, weight)
    for k in range(1, n_steps + 1):
        fired = []
        for name, population in models.items():
            if isinstance(population.model, sp.SpikeSource):
                for time, neuron in zip(population.model.times, population.model.ids, strict=True):
                    if round(time / dt) == k:
                        fired.append((name, int(neuron)))
                continue
            for index, neuron in enumerate(neurons[name]):
                if _step(neuron, name, index, k, network, arrivals, dt):
                    fired.append((name, index))
                traces[name][k - 1, index] = neuron["v"]
        for name, index in fired:
            spikes[name].append((k, index))
            for projection in network.projections:
                if projection.source == name:
                    _send(projection, index, k, arrivals, dt)
    return {name: sorted(found) for name, found in spikes.items()}, traces


def _neuron(network, population, index, dt):
    model = population.model

    def value(name):
        got = getattr(model, name)
        if got is None:
            got = model.v_rest
        return float(np.broadcast_to(got, population.n)[index])

    names = ("tau_m", "c_m", "v_rest", "v_th", "v_reset", "t_ref", "i_ext")
    neuron = {name: value(name) for name in names}
    neuron |= {"v": value("v_init"), "left": 0, "reset": model.reset, "synapses": {}, "gains": {}}
    spiking = [i for i in network.inputs if isinstance(i, sp.SpikeInput)]
    for item in (*network.projections, *spiking):
        if item.target == population.name and not isinstance(item.synapse, sp.Delta):
            neuron["synapses"][item.synapse] = [0.0, 0.0]
            neuron["gains"][item.synapse] = _gains(neuron, item.synapse, dt)
    return neuron


def _gains(neuron, synapse, dt):
    """What v gains over a step from one pA of i, and from one pA/ms of x."""
    matrix = np.array(
        [
            [-1 / neuron["tau_m"], 1 / neuron["c_m"], 0.0],
            [0.0, -1 / synapse.tau_syn, 1.0],
            [0.0, 0.0, -1 / synapse.tau_syn],
        ]
    )
    return expm(matrix * dt)[0, 1:].tolist()


def _step(neuron, name, index, k, network, arrivals, dt):
    held = neuron["left"] > 0
    total = neuron["i_ext"]
    for item in network.inputs:
        if isinstance(item, sp.StepCurrent) and item.target == name:
            begun = k - 1 >= round(item.start / dt)
            ended = np.isfinite(item.stop) and k - 1 >= round(item.stop / dt)
            if begun and not ended:
                total += np.broadcast_to(item.amplitude, 1)[0]
    # 1. Move, with the currents as they stood.
    if held:
        neuron["left"] -= 1
    else:
        u = neuron["v"] - neuron["v_rest"]
        gained = 0.0
        for synapse, (i, x) in neuron["synapses"].items():
            per_i, per_x = neuron["gains"][synapse]
            gained += per_i * i + per_x * x
        decay = np.exp(-dt / neuron["tau_m"])
        r_m = neuron["tau_m"] / neuron["c_m"]
        neuron["v"] = neuron["v_rest"] + decay * u + (1 - decay) * r_m * total + gained
    # 2. Decay. 3. Arrive.
    for synapse, state in neuron["synapses"].items():
        decay = np.exp(-dt / synapse.tau_syn)
        i, x = state
        state[0], state[1] = decay * (i + dt * x), decay * x
        weight = arrivals.pop((k, name, index, synapse), 0.0)
        if isinstance(synapse, sp.Exponential):
            state[0] += weight
        else:
            state[1] += weight * np.e / synapse.tau_syn
    jump = arrivals.pop((k, name, index, sp.Delta()), 0.0)
    if held:
        return False
    neuron["v"] += jump
    # 4. Test.
    if neuron["v"] < neuron["v_th"]:
        return False
    if neuron["reset"] == "subtract":
        neuron["v"] -= neuron["v_th"] - neuron["v_reset"]
    else:
        neuron["v"] = neuron["v_reset"]
    neuron["left"] = round(neuron["t_ref"] / dt)
    return True


def _send(projection, index, k, arrivals, dt):
    rule = projection.rule
    weights = np.broadcast_to(projection.weight, len(rule.pre))
    delays = np.broadcast_to(projection.delay, len(rule.pre))
    for s in np.flatnonzero(rule.pre == index):
        arrival = k + round(delays[s] / dt)
        _add(arrivals, arrival, projection.target, rule.post[s], projection.synapse, weights[s])


def _add(arrivals, step, target, neuron, synapse, weight):
    key = (step, target, int(neuron), synapse)
    arrivals[key] = arrivals.get(key, 0.0) + weight
