"""Slow twins of the local rules, written from the equations: sums over spikes, no recursion."""

import math

import numpy as np

from spikesim.layered import LayeredNetwork, forward
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


def free_excess(layer, dt, trial, unit, responses=None):
    """Free potential of one unit minus its threshold, (n_steps,)."""
    e, constant = responses or eligibility(layer, dt, trial)
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


def shunted(layer, dt, trial, unit):
    """Responses to the inputs and to a constant current at the maximum, if a unit that has fired
    feels no input from then on."""
    path = free_excess(layer, dt, trial, unit)
    fired = np.flatnonzero(path >= 0)
    if len(fired) and layer.neuron.spiking:
        # What is stamped with the step of the spike would arrive after it.
        trial = np.where(np.arange(len(trial))[:, None] < fired[0], trial, 0.0)
    e, constant = eligibility(layer, dt, trial)
    t_max = last_maximum(free_excess(layer, dt, trial, unit, (e, constant)))
    return e[t_max], constant[t_max]


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
        return proportional_change(rule, w, e, excess if error else 0.0)
    raise ValueError(name)


def step(rule, network, x, labels):
    """One pass over the trials; return w, bias and the number of right decisions."""
    (layer,) = network.layers
    n_units = layer.n_post
    trains_bias = "bias" in layer.trainable and getattr(rule, "reading", "") in ("", "additive")
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
            if getattr(rule, "shunting", False):
                line_e = np.append(*shunted(current, network.dt, trial, k))
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


def proportional_change(rule, w, e, error):
    """The weight change of a unit by its error, in the reading of the rule."""
    if rule.reading == "additive":
        return -rule.learning_rate * error * e / (e @ e) if e.any() else np.zeros_like(w)
    active = e > 0
    if rule.reading == "balanced":
        plus = w / 2 + np.sqrt(w**2 / 4 + rule.spread**2)
        minus = plus - w
        factor = np.exp(-rule.learning_rate * error)
        return np.where(active, plus * factor - minus / factor - w, 0.0)
    factor = max(1 - rule.learning_rate * error, 0.1)
    return np.where(active | (rule.reading == "every"), w * factor - w, 0.0)


def passed_on(layer, dt, incoming, excess):
    """What the units of a layer send to the next, (n_steps, n_units)."""
    if not layer.neuron.spiking:
        return fires(layer, np.array([excess])).astype(float)
    (trace,) = forward(LayeredNetwork([layer], dt), incoming[:, np.newaxis])
    return trace.output[:, 0]


def wrong_by(rule, layer, excess, target):
    side = 1 if target else -1
    right = fires(layer, excess) == target and side * excess >= rule.margin
    return 0.0 if right else excess - side * rule.margin


def output_errors(rule, layer, excess, label):
    wanted = [label == (k if len(excess) > 1 else 1) for k in range(len(excess))]
    return np.array([wrong_by(rule, layer, *pair) for pair in zip(excess, wanted, strict=True)])


def hidden_errors(rule, w, following):
    """Errors of the units before weights `w`, (n_units, n_following)."""
    if rule.credit == "weighted":
        return w @ following
    agree = (following > 0).all() or (following < 0).all()
    total = following.sum() if rule.credit == "sum" or agree else 0.0
    return np.full(len(w), total)


def proportional_step(rule, network, x, labels):
    """One pass through all layers; return the network and the number of right decisions."""
    n_correct = 0
    for b, label in enumerate(labels):
        incoming, seen = x[:, b], []
        for layer in network.layers:
            e, constant = eligibility(layer, network.dt, incoming)
            paths = [
                free_excess(layer, network.dt, incoming, k, (e, constant))
                for k in range(layer.n_post)
            ]
            excess = np.array([path.max() for path in paths])
            seen.append((e, constant, [last_maximum(path) for path in paths], excess))
            incoming = passed_on(layer, network.dt, incoming, excess)
        output = network.layers[-1]
        decision = int(fires(output, excess[0])) if len(excess) == 1 else int(np.argmax(excess))
        n_correct += decision == label
        errors = [output_errors(rule, output, excess, label)]
        for index in range(len(network.layers) - 1, 0, -1):
            told = hidden_errors(rule, network.layers[index].w, errors[0])
            if rule.hidden == "target":
                layer, excess = network.layers[index - 1], seen[index - 1][3]
                told = np.array(
                    [
                        wrong_by(rule, layer, value, demand < 0) if demand else 0.0
                        for value, demand in zip(excess, told, strict=True)
                    ]
                )
            errors.insert(0, told)
        layers = []
        for layer, error, (e, constant, t_max, _) in zip(network.layers, errors, seen, strict=True):
            w, bias = layer.w.copy(), layer.bias.copy()
            for k in range(layer.n_post):
                if "w" not in layer.trainable:
                    continue
                line_w, line_e = w[:, k], e[t_max[k]]
                trains_bias = "bias" in layer.trainable and rule.reading == "additive"
                if trains_bias:
                    line_w, line_e = (
                        np.append(line_w, bias[k]),
                        np.append(line_e, constant[t_max[k]]),
                    )
                dw = proportional_change(rule, line_w, line_e, error[k])
                w[:, k] += dw[: layer.n_pre]
                if trains_bias:
                    bias[k] += dw[-1]
            layers.append(layer.updated(w=w, bias=bias))
        network = network.updated(layers)
    return network, n_correct
