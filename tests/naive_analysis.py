"""The measures of spike trains once more: plain loops, written from their definitions.

Spikes are a list of pairs (time in whole steps, neuron); windows and bins are in steps, too. At the
end, processes whose statistics are known.
"""

import math

import numpy as np


def trains(spikes, n, start, stop):
    found = [[] for _ in range(n)]
    for step, neuron in sorted(spikes):
        if start < step <= stop:
            found[neuron].append(step)
    return found


def intervals(spikes, n, start, stop):
    return [
        [later - earlier for earlier, later in zip(train, train[1:], strict=False)]
        for train in trains(spikes, n, start, stop)
    ]


def mean(values):
    return sum(values) / len(values)


def variance(values, less=0):
    middle = mean(values)
    return sum((value - middle) ** 2 for value in values) / (len(values) - less)


def cv(spikes, n, start, stop):
    found = []
    for train in intervals(spikes, n, start, stop):
        defined = len(train) > 1 and mean(train) > 0
        found.append(math.sqrt(variance(train)) / mean(train) if defined else math.nan)
    return found


def lv(spikes, n, start, stop):
    found = []
    for train in intervals(spikes, n, start, stop):
        pairs = list(zip(train, train[1:], strict=False))
        squares = [((a - b) / (a + b)) ** 2 if a + b else 0.0 for a, b in pairs]
        found.append(3.0 * mean(squares) if pairs else math.nan)
    return found


def counts(spikes, n, start, stop, width):
    bins = (stop - start) // width
    found = [[0] * bins for _ in range(n)]
    for step, neuron in spikes:
        for k in range(bins):
            if start + k * width < step <= start + (k + 1) * width:
                found[neuron][k] += 1
    return found


def fano_factor(spikes, n, start, stop, width):
    rows = counts(spikes, n, start, stop, width)
    return [variance(row, less=1) / mean(row) if any(row) else math.nan for row in rows]


def correlation(a, b):
    if variance(a) == 0.0 or variance(b) == 0.0:
        return math.nan
    middle_a, middle_b = mean(a), mean(b)
    products = [(x - middle_a) * (y - middle_b) for x, y in zip(a, b, strict=True)]
    return mean(products) / math.sqrt(variance(a) * variance(b))


def correlations(rows):
    k = len(rows)
    return [correlation(rows[i], rows[j]) for i in range(k) for j in range(i + 1, k)]


def golomb_synchrony(rows):
    alone = mean([variance(row) for row in rows])
    together = variance([mean(column) for column in zip(*rows, strict=True)])
    return together / alone if alone else math.nan


def correlogram(reference, other, width, n_lags, same):
    found = [0.0] * (2 * n_lags + 1)
    for i, a in enumerate(reference):
        for j, b in enumerate(other):
            for k in range(-n_lags, n_lags + 1):
                # Twice the distance of the difference from the middle of the bin.
                distance = abs(2 * (b - a) - 2 * k * width)
                if (same and i == j) or distance > width:
                    continue
                found[k + n_lags] += 0.5 if distance == width else 1.0
    return found


def periodogram(row, n, width):
    """Return the two-sided density of one segment (Hz), `width` in ms, with a Hann window."""
    m = len(row)
    window = [0.5 - 0.5 * math.cos(2.0 * math.pi * k / m) for k in range(m)]
    scale = sum(w * w for w in window) * width / 1000.0
    found = []
    for f in range(m // 2 + 1):
        real = imaginary = 0.0
        for k in range(m):
            value = window[k] * (row[k] - mean(row))
            real += value * math.cos(2.0 * math.pi * f * k / m)
            imaginary += value * math.sin(2.0 * math.pi * f * k / m)
        found.append((real**2 + imaginary**2) / (scale * n))
    return found


def poisson(rate, duration, n, rng):
    """Return times (ms) and neurons of independent Poisson processes."""
    number = rng.poisson(rate * duration / 1000.0 * n)
    return rng.uniform(0.0, duration, number), rng.integers(0, n, number)


def renewal(order, rate, duration, n, rng):
    """Return times and neurons of gamma renewal processes that have run for a while."""
    number = int(2.0 * rate * duration / 1000.0) + 100
    steps = rng.gamma(order, 1000.0 / (rate * order), (n, number))
    times = np.cumsum(steps, axis=1) - 0.2 * duration
    kept = (times > 0.0) & (times <= duration)
    assert np.all(times[:, -1] > duration)
    return times[kept], np.nonzero(kept)[0]
