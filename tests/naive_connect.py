"""Synapses drawn slowly, one at a time, and read back from where they were laid out.

Written from the docstrings of spikesim.engine.variates, connect and store. Philox is the published
algorithm in whole numbers of Python; the out-degrees that NumPy draws are drawn here by the same
generator, one projection at a time.
"""

import math
from typing import NamedTuple

import numpy as np

import spikesim as sp

TARGETS, WEIGHTS, DELAYS, SOURCES, PAIRS = range(5)


class Synapse(NamedTuple):
    pre: int
    post: int
    weight: float
    delay: int


def philox(counter, key):
    c, k = list(counter), list(key)
    for _ in range(10):
        high0, low0 = divmod(0xD2511F53 * c[0], 2**32)
        high1, low1 = divmod(0xCD9E8D57 * c[2], 2**32)
        c = [high1 ^ c[1] ^ k[0], low1, high0 ^ c[3] ^ k[1], low0]
        k = [(k[0] + 0x9E3779B9) % 2**32, (k[1] + 0xBB67AE85) % 2**32]
    return c


def word(index, attempt, neuron, purpose, key):
    return philox((index // 4, attempt, neuron, purpose), key)[index % 4]


def below(n, index, attempt, neuron, purpose, key):
    """Return a whole number below n, or None if the word is one of those left over."""
    high, low = divmod(word(index, attempt, neuron, purpose, key) * n, 2**32)
    return high if low >= 2**32 % n else None


def chosen(k, n, distinct, neuron, purpose, key):
    if not distinct:
        result = []
        for index in range(k):
            attempt = 0
            while (number := below(n, index, attempt, neuron, purpose, key)) is None:
                attempt += 1
            result.append(number)
        return result
    wanted = min(k, n - k)
    found, index = [], 0
    while len(found) < wanted:
        number = below(n, index, 0, neuron, purpose, key)
        index += 1
        if number is not None and number not in found:
            found.append(number)
    return found if wanted == k and 2 * k <= n else [i for i in range(n) if i not in found]


def value(distribution, index, neuron, purpose, key):
    """Return a weight (pA or mV) or a delay (ms)."""
    attempt = 0
    while True:
        if isinstance(distribution, sp.Uniform):
            u = (word(index, attempt, neuron, purpose, key) + 0.5) / 2**32
            result = distribution.low + (distribution.high - distribution.low) * u
            inside = True
        else:
            even = index - index % 2
            u = (word(even, attempt, neuron, purpose, key) + 0.5) / 2**32
            angle = 2 * math.pi * word(even + 1, attempt, neuron, purpose, key) / 2**32
            z = math.sqrt(-2 * math.log(u)) * (math.sin(angle) if index % 2 else math.cos(angle))
            if isinstance(distribution, sp.Normal):
                result = distribution.mean + distribution.sd * z
            else:
                result = math.exp(distribution.log_mean + distribution.log_sd * z)
            inside = distribution.low <= result <= distribution.high
        if inside:
            return result
        attempt += 1


def keys(seed, index):
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1, index, 0)))
    words = np.random.SeedSequence(seed, spawn_key=(1, index, 1)).generate_state(2, np.uint32)
    return rng, tuple(int(w) for w in words)


def targets(rule, source, target, rng, key):
    """Return the targets of each source, in the order in which they are drawn."""
    skip = source is target and not getattr(rule, "autapses", True)
    n = target.n - skip

    def without_itself(neuron, numbers):
        return [i + (skip and i >= neuron) for i in numbers]

    if isinstance(rule, sp.ExplicitList):
        pairs = sorted(zip(rule.pre.tolist(), rule.post.tolist(), strict=True))
        return [[post for pre, post in pairs if pre == i] for i in range(source.n)]
    if isinstance(rule, sp.OneToOne):
        return [[i] for i in range(source.n)]
    if isinstance(rule, sp.FixedInDegree):
        found = [[] for _ in range(source.n)]
        for j in range(target.n):
            sources = chosen(rule.k, source.n - skip, not rule.multapses, j, SOURCES, key)
            for i in without_itself(j, sources):
                found[i].append(j)
        return found
    if isinstance(rule, sp.DistanceDependent):
        found = []
        for i in range(source.n):
            p = rule.probabilities(rule.distances(source.positions[i : i + 1], target.positions))
            u = [(word(j, 0, i, PAIRS, key) + 0.5) / 2**32 for j in range(target.n)]
            found.append([j for j in range(target.n) if u[j] < p[0, j] and not (skip and i == j)])
        return found
    counts, distinct = degrees(rule, source.n, n, rng)
    return [
        without_itself(i, chosen(counts[i], n, distinct, i, TARGETS, key)) for i in range(source.n)
    ]


def degrees(rule, n_pre, n, rng):
    if isinstance(rule, sp.AllToAll):
        return [n] * n_pre, True
    if isinstance(rule, sp.FixedProbability):
        return rng.binomial(n, rule.p, n_pre).tolist(), True
    if isinstance(rule, sp.FixedOutDegree):
        return [rule.k] * n_pre, not rule.multapses
    if rule.multapses:
        return rng.multinomial(rule.n, [1 / n_pre] * n_pre).tolist(), False
    counts = rng.binomial(n, rule.n / (n_pre * n), n_pre).tolist()
    missing = rule.n - sum(counts)
    # The pairs there are to add or to take away, source after source.
    pairs = [i for i in range(n_pre) for _ in range(n - counts[i] if missing > 0 else counts[i])]
    for pair in rng.choice(len(pairs), abs(missing), replace=False, shuffle=False):
        counts[pairs[pair]] += 1 if missing > 0 else -1
    return counts, True


def drawn_synapses(projection, source, target, dt, seed, index):
    """Return the synapses of a projection, in the order in which they are drawn."""
    rng, key = keys(seed, index)
    rows = targets(projection.rule, source, target, rng, key)
    synapses = []
    for pre, posts in enumerate(rows):
        for number, post in enumerate(posts):
            weight, delay = projection.weight, projection.delay
            if not isinstance(weight, float):
                weight = value(weight, number, pre, WEIGHTS, key)
            if not isinstance(delay, float):
                delay = value(delay, number, pre, DELAYS, key)
            synapses.append(Synapse(pre, post, weight, math.floor(delay / dt + 0.5)))
    return synapses


def stored_synapses(stores, wirings, populations, layout):
    """Return ``{port: [(source, target, weight, delay), ...]}``, each in the order of memory.

    Sources are numbered over the network, targets within their population.
    """
    n_blocks = layout.bounds.shape[1] - 1
    n_sources = sum(p.n for p in populations)
    port_of = {}
    for wiring in wirings:
        for block in range(n_blocks):
            first, last = layout.bounds[wiring.target, block : block + 2]
            for i in range(first, last):
                row = int(layout.row_starts[block, wiring.port] + i - first)
                port_of[block, row] = wiring.port, int(i)
    found = {wiring.port: [] for wiring in wirings}
    for store in stores[:2]:
        assert store.starts.dtype == store.bucket_starts.dtype == store.buckets.dtype == np.int64
        assert len(store.starts) == len(store.bucket_starts) == n_sources * n_blocks + 1
        assert store.starts[0] == store.bucket_starts[0] == 0
        assert store.starts[-1] == max(map(len, store[:3])), "some synapses belong to nobody"
        assert store.bucket_starts[-1] == len(store.buckets)
        for slot in range(n_sources * n_blocks):
            source, block = divmod(slot, n_blocks)
            at = int(store.starts[slot])
            previous = (-1, -1, -1)
            for bucket in range(store.bucket_starts[slot], store.bucket_starts[slot + 1]):
                bits = int(store.buckets[bucket])
                delay, class_, length = bits >> 32, bits >> 16 & 0xFFFF, bits & 0xFFFF
                assert length >= 1
                assert previous[:2] < (class_, delay) or previous == (class_, delay, 65535)
                previous = class_, delay, length
                last_row = -1
                for synapse in range(at, at + length):
                    if len(store.packed):
                        both = int(store.packed[synapse])
                        row, weight = both & 0xFFFF, both >> 16
                    else:
                        row = int(store.rows[synapse])
                        weight = (store.weights if len(store.weights) else store.classes[[class_]])[
                            synapse if len(store.weights) else 0
                        ]
                    assert row >= last_row
                    last_row = row
                    port, target = port_of[block, row]
                    weight = float(weight) * float(stores.scales[port])
                    found[port].append((source, target, weight, delay))
                at += length
            assert at == store.starts[slot + 1]
    return found
