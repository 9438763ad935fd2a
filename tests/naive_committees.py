"""Slow twin of the committee rules: sorted lists of units, whole paths of the membrane."""

import numpy as np

from tests.naive_local import eligibility, fires, free_excess, last_maximum, peak_of_one_spike


def chosen(candidates, excess, n):
    return sorted(candidates, key=lambda j: abs(excess[j]))[:n]


def moves(rule, units, excess, votes, target, e):
    """The weight change of each unit of one committee that moves; `e[j]` raw and scaled."""
    name, count = type(rule).__name__, sum(votes[j] for j in units)
    vote, sign = count > len(units) / 2, 1 if target else -1
    needed = len(units) // 2 + 1 - count if target else count - len(units) // 2
    # A unit that feels nothing cannot learn.
    able = [j for j in units if e[j][0].any()]
    wrong = [j for j in able if votes[j] != target]
    if name == "Committee" and vote != target:
        among = wrong if rule.among == "wrong" else able
        return {j: sign * rule.learning_rate * e[j][1] for j in chosen(among, excess, needed)}
    if name == "MadalineI" and vote != target:
        result = {}
        for j in chosen(wrong, excess, needed):
            raw = e[j][0]
            distance = sign * rule.margin - excess[j]
            result[j] = rule.learning_rate * distance * raw / (raw @ raw)
        return result
    if name == "PDelta":
        too_high, too_low = vote and not target, target and not vote
        result = {}
        for j in units:
            step = 0.0
            if too_high and votes[j]:
                step = -1.0
            elif too_low and not votes[j]:
                step = 1.0
            elif votes[j] and not too_high and excess[j] < rule.margin:
                step = rule.clear_margin_weight
            elif not votes[j] and not too_low and excess[j] > -rule.margin:
                step = -rule.clear_margin_weight
            if step:
                result[j] = rule.learning_rate * step * e[j][1]
        return result
    return {}


def step(rule, network, x, labels):
    """One pass; return hidden w, bias and the number of right decisions."""
    hidden, output = network.layers
    spiking, trains_bias = hidden.neuron.spiking, "bias" in hidden.trainable
    size = hidden.n_post // output.n_post
    lines = np.vstack([hidden.w, hidden.bias])
    own = slice(None) if trains_bias else slice(0, -1)
    start = np.sqrt((lines[own] ** 2).sum(axis=0))
    scale = np.append(
        np.full(hidden.n_pre, peak_of_one_spike(hidden, network.dt)),
        hidden.neuron.r_m if spiking else 1.0,
    )
    if spiking:
        x = x[:-1]
    n_correct = 0
    for b, label in enumerate(labels):
        current = hidden.updated(w=lines[:-1], bias=lines[-1])
        response, constant = eligibility(hidden, network.dt, x[:, b])
        paths = [free_excess(current, network.dt, x[:, b], j) for j in range(hidden.n_post)]
        excess = [path.max() for path in paths]
        votes = [bool(fires(hidden, value)) for value in excess]
        e = []
        for path in paths:
            t = last_maximum(path)
            raw = np.append(response[t], constant[t])
            e.append((raw[own], (raw / scale)[own]))
        counts = [sum(votes[k * size : (k + 1) * size]) for k in range(output.n_post)]
        if output.n_post == 1:
            n_correct += int(counts[0] > size / 2) == label
        else:
            n_correct += counts.index(max(counts)) == label
        for k in range(output.n_post):
            target = bool(label == (k if output.n_post > 1 else 1))
            units = range(k * size, (k + 1) * size)
            for j, dw in moves(rule, units, excess, votes, target, e).items():
                lines[own, j] += dw
                if type(rule).__name__ == "PDelta":
                    lines[own, j] *= start[j] / np.sqrt((lines[own, j] ** 2).sum())
    return lines[:-1], lines[-1], n_correct
