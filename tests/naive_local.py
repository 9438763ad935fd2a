"""Slow twins of the local rules, written from the equations: sums over spikes, no recursion."""

import math

import numpy as np

from spikesim.synapses import Delta


def potential_of_one_spike(steps, neuron, synapse, dt):
    """Response to a spike of weight 1, `steps` steps after it arrived."""
    t = steps * dt
    if t < 0:
        return 0.0
    if isinstance(synapse, Delta):
        return math.exp(-t / neuron.tau_m)
    tau_m, tau_s = neuron.tau_m, synapse.tau_syn
    if tau_m == tau_s:
        return t / neuron.c_m * math.exp(-t / tau_m)
    share = tau_m * tau_s / (tau_m - tau_s) / neuron.c_m
    return share * (math.exp(-t / tau_m) - math.exp(-t / tau_s))


def eligibility(layer, dt, trial):
    """Response to each input, (n_steps, n_inputs), and to a constant current, (n_steps,)."""
    n_steps, n_inputs = trial.shape
    if not layer.neuron.spiking:
        return trial.copy(), np.ones(n_steps)
    e = np.zeros((n_steps, n_inputs))
    for t in range(n_steps):
        for i in range(n_inputs):
            for k in range(t):
                # A spike of index k arrives at index k + 1.
                response = potential_of_one_spike(t - k - 1, layer.neuron, layer.synapse, dt)
                e[t, i] += trial[k, i] * response
    tau_m = layer.neuron.tau_m
    constant = [layer.neuron.r_m * (1 - math.exp(-(t + 1) * dt / tau_m)) for t in range(n_steps)]
    return e, np.array(constant)


def free_excess(layer, dt, trial, unit):
    """Free potential of one unit minus its threshold, (n_steps,)."""
    e, constant = eligibility(layer, dt, trial)
    excess = e @ layer.w[:, unit] + layer.bias[unit] * constant
    neuron = layer.neuron
    if not neuron.spiking:
        return excess
    v_init = neuron.v_rest if neuron.v_init is None else neuron.v_init
    t = dt * np.arange(1, len(trial) + 1)
    start = (v_init - neuron.v_rest) * np.exp(-t / neuron.tau_m)
    return excess + neuron.v_rest + start + neuron.i_ext * constant - neuron.v_th


def peak_of_one_spike(layer, dt):
    if not layer.neuron.spiking:
        return 1.0
    low, high = 0.0, 10.0 * layer.neuron.tau_m
    for _ in range(8):
        times = np.linspace(low, high, 201)
        heights = [potential_of_one_spike(t, layer.neuron, layer.synapse, 1.0) for t in times]
        best = int(np.argmax(heights))
        low, high = times[max(best - 1, 0)], times[best + 1]
    return max(heights)


def last_maximum(path):
    return len(path) - 1 - int(np.argmax(path[::-1]))


def fires(layer, excess):
    if not layer.neuron.spiking and layer.neuron.fire_on == "gt":
        return excess > 0
    return excess >= 0


def change(rule, w, e, counts, scale, excess, fired, target):
    """The weight change of one unit in one trial, from the equation of each rule."""
    name = type(rule).__name__
    error = int(target) - int(fired)
    side = 1 if target else -1
    if name == "Perceptron":
        return rule.learning_rate * error * counts
    if name == "Tempotron":
        return rule.learning_rate * error * e / scale
    if name == "DeltaRule":
        return rule.learning_rate * (side * rule.margin - excess) * e
    if name == "Relaxation":
        if (not error and side * excess >= rule.margin) or not e.any():
            return np.zeros_like(w)
        return -rule.learning_rate * (excess - side * rule.margin) * e / (e @ e)
    if name == "Proportional":
        factor = max(1 - rule.learning_rate * excess, 0.1) if error else 1.0
        chosen = e > 0 if rule.reading == "active" else np.ones(len(w), bool)
        return np.where(chosen, (factor - 1) * w, 0.0)
    raise ValueError(name)


def step(rule, network, x, labels):
    """One pass over the trials; return w, bias and the number of right decisions."""
    (layer,) = network.layers
    n_units = layer.n_post
    trains_bias = "bias" in layer.trainable and type(rule).__name__ != "Proportional"
    w, bias = layer.w.copy(), layer.bias.copy()
    velocity = np.zeros((n_units, layer.n_pre + 1))
    scale = np.append(
        np.full(layer.n_pre, peak_of_one_spike(layer, network.dt)),
        layer.neuron.r_m if layer.neuron.spiking else 1.0,
    )
    momentum = getattr(rule, "momentum", 0.0)
    n_correct = 0
    for b, label in enumerate(labels):
        current = layer.updated(w=w, bias=bias)
        trial = x[:, b]
        e, constant = eligibility(layer, network.dt, trial)
        best = []
        for k in range(n_units):
            excess = free_excess(current, network.dt, trial, k)
            best.append((last_maximum(excess), excess.max()))
        decision = (
            int(fires(layer, best[0][1]))
            if n_units == 1
            else int(np.argmax([value for _, value in best]))
        )
        n_correct += decision == label
        for k, (t_max, excess) in enumerate(best):
            target = label == (k if n_units > 1 else 1)
            line_e = np.append(e[t_max], constant[t_max])
            counts = np.append(trial.sum(axis=0), 1.0)
            line_w = np.append(w[:, k], bias[k])
            if not trains_bias:
                line_e, counts = line_e[:-1], counts[:-1]
                line_w = line_w[:-1]
            dw = change(
                rule, line_w, line_e, counts, scale[: len(line_w)], excess,
                fires(layer, excess), target,
            )  # fmt: skip
            if not dw.any() and not (momentum and fires(layer, excess) != target):
                continue  # momentum goes on whenever there is an error
            velocity[k, : len(dw)] = momentum * velocity[k, : len(dw)] + dw
            w[:, k] += velocity[k, : layer.n_pre]
            if trains_bias:
                bias[k] += velocity[k, -1]
    return w, bias, n_correct


def committee_step(rule, network, x, labels):
    """One pass of the committee rule; return hidden w, bias and the number of right decisions."""
    hidden, output = network.layers
    spiking = hidden.neuron.spiking
    size = hidden.n_post // output.n_post
    w, bias = hidden.w.copy(), hidden.bias.copy()
    scale = peak_of_one_spike(hidden, network.dt)
    if spiking:
        x = x[:-1]
    n_correct = 0
    for b, label in enumerate(labels):
        current = hidden.updated(w=w, bias=bias)
        e, constant = eligibility(hidden, network.dt, x[:, b])
        paths = [free_excess(current, network.dt, x[:, b], j) for j in range(hidden.n_post)]
        excess = [path.max() for path in paths]
        votes = [bool(fires(hidden, value)) for value in excess]
        counts = [sum(votes[k * size : (k + 1) * size]) for k in range(output.n_post)]
        if output.n_post == 1:
            n_correct += int(counts[0] > size / 2) == label
        else:
            n_correct += counts.index(max(counts)) == label
        for k, count in enumerate(counts):
            target = label == (k if output.n_post > 1 else 1)
            if (count > size / 2) == target:
                continue
            needed = size // 2 + 1 - count if target else count - size // 2
            wrong = [j for j in range(k * size, (k + 1) * size) if votes[j] != target]
            wrong.sort(key=lambda j: abs(excess[j]))
            for j in wrong[:needed]:
                t_max = last_maximum(paths[j])
                sign = 1 if target else -1
                w[:, j] += sign * rule.learning_rate * e[t_max] / scale
                if "bias" in hidden.trainable:
                    r_m = hidden.neuron.r_m if spiking else 1.0
                    bias[j] += sign * rule.learning_rate * constant[t_max] / r_m
    return w, bias, n_correct
