"""Slow twin of Madaline Rule II, written from its description."""

from itertools import combinations

import numpy as np

from spikesim.layered import LayeredNetwork, forward
from tests.naive_local import eligibility, free_excess


def fires(layer, excess):
    strict = not layer.neuron.spiking and layer.neuron.fire_on == "gt"
    return excess > 0 if strict else excess >= 0


def weighed(layer, dt, trial):
    """Excess of each unit, its eligibilities there with that of the bias last, and the step."""
    e, constant = eligibility(layer, dt, trial)
    excess, eligible, t_max = [], [], []
    for k in range(layer.n_post):
        course = free_excess(layer, dt, trial, k, (e, constant))
        last = max(t for t in range(len(course)) if course[t] == course.max())
        excess.append(course[last])
        eligible.append(np.append(e[last], constant[last]))
        t_max.append(last)
    return np.array(excess), eligible, t_max


def moved(layer, k, eligible, excess, wanted, learning_rate):
    w, bias = layer.w.copy(), layer.bias.copy()
    e = eligible.copy()
    if "bias" not in layer.trainable:
        e[-1] = 0.0
    if not np.any(e):
        return layer
    gain = learning_rate * (wanted - excess) / np.sum(e**2)
    w[:, k] += gain * e[:-1]
    bias[k] += gain * e[-1]
    return layer.updated(w=w, bias=bias)


def step(rule, network, x, labels):
    """Return the trained network, the number of right decisions, and all groups turned over."""
    dt = network.dt
    hidden, output = network.layers
    n_correct, turned = 0, []
    for trial, label in enumerate(labels):
        inputs = x[:, trial]
        spikes = forward(LayeredNetwork([hidden], dt), inputs[:, None])[0].output[:, 0].copy()
        h_excess, h_eligible, h_step = weighed(hidden, dt, inputs)
        target = [label == (k if output.n_post > 1 else 1) for k in range(output.n_post)]

        def wrong(activity, output=output, target=target):
            excess, _, _ = weighed(output, dt, activity)
            return [k for k, t in enumerate(target) if fires(output, excess[k]) != t]

        out_excess, _, _ = weighed(output, dt, spikes)
        decided = np.argmax(out_excess) if output.n_post > 1 else fires(output, out_excess[0])
        n_correct += decided == label
        lines = slice(None) if "bias" in hidden.trainable else slice(-1)
        candidates = [
            j
            for j in sorted(range(hidden.n_post), key=lambda j, h=h_excess: abs(h[j]))
            if np.any(h_eligible[j][lines])
        ]
        rank = {j: r for r, j in enumerate(candidates)}
        before = len(turned)
        for size in range(1, rule.max_together + 1):
            groups = sorted(
                combinations(candidates, size),
                key=lambda group, rank=rank: sorted((rank[j] for j in group), reverse=True),
            )
            for group in groups:
                if set(group) & {j for past in turned[before:] for j in past}:
                    continue
                if not wrong(spikes):
                    break
                tried = spikes.copy()
                for j in group:
                    tried[:, j] = 0.0
                    if not fires(hidden, h_excess[j]):
                        tried[h_step[j], j] = 1.0
                if len(wrong(tried)) < len(wrong(spikes)):
                    spikes = tried
                    turned.append(group)
                    for j in group:
                        up = not fires(hidden, h_excess[j])
                        wanted = rule.margin if up else -rule.margin
                        hidden = moved(
                            hidden, j, h_eligible[j], h_excess[j], wanted, rule.learning_rate
                        )
        if "w" in output.trainable:
            excess, eligible, _ = weighed(output, dt, spikes)
            for k in wrong(spikes):
                wanted = rule.margin if target[k] else -rule.margin
                output = moved(output, k, eligible[k], excess[k], wanted, rule.learning_rate)
    return LayeredNetwork([hidden, output], dt), n_correct, turned
