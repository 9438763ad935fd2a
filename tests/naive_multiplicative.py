"""Slow twins of Winnow and the exponentiated gradient: explicit products, explicit parts."""

import math

import numpy as np

from tests.naive_local import eligibility, fires, free_excess, last_maximum, peak_of_one_spike


def errors(network, x, label):
    """For one trial the scaled eligibilities and y - S of each unit, and the decision."""
    (layer,) = network.layers
    e, constant = eligibility(layer, network.dt, x)
    r_m = layer.neuron.r_m if layer.neuron.spiking else 1.0
    units, best = [], []
    for k in range(layer.n_post):
        path = free_excess(layer, network.dt, x, k)
        t = last_maximum(path)
        target = label == (k if layer.n_post > 1 else 1)
        error = int(target) - int(fires(layer, path.max()))
        units.append((e[t] / peak_of_one_spike(layer, network.dt), constant[t] / r_m, error))
        best.append(path.max())
    decision = int(fires(layer, best[0])) if len(best) == 1 else int(np.argmax(best))
    return units, decision


def winnow(factor, network, x, labels):
    """Return the weights after one pass and the number of right decisions."""
    (layer,) = network.layers
    w, n_correct = layer.w.copy(), 0
    for b, label in enumerate(labels):
        current = network.updated([layer.updated(w=w)])
        units, decision = errors(current, x[:, b], label)
        n_correct += decision == label
        for k, (e, _, error) in enumerate(units):
            for i in range(layer.n_pre):
                w[i, k] *= math.pow(factor, error * e[i])
    return w, n_correct


def exponentiated_gradient(learning_rate, spread, network, x, labels):
    """Return weights, biases, right decisions and w+ w- of the weights, from w+ and w-."""
    (layer,) = network.layers
    lines = np.vstack([layer.w, layer.bias])
    # w+ - w- is the weight and w+ w- is spread squared.
    plus = lines / 2 + np.sqrt(lines**2 / 4 + spread**2)
    minus = -lines / 2 + np.sqrt(lines**2 / 4 + spread**2)
    trains_bias, n_correct = "bias" in layer.trainable, 0
    for b, label in enumerate(labels):
        w, bias = plus[:-1] - minus[:-1], plus[-1] - minus[-1]
        current = network.updated([layer.updated(w=w, bias=bias)])
        units, decision = errors(current, x[:, b], label)
        n_correct += decision == label
        for k, (e, constant, error) in enumerate(units):
            for i, value in enumerate([*e, constant if trains_bias else 0.0]):
                plus[i, k] *= math.exp(learning_rate * error * value)
                minus[i, k] *= math.exp(-learning_rate * error * value)
    return plus[:-1] - minus[:-1], plus[-1] - minus[-1], n_correct, plus * minus
