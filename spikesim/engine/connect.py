"""Connections drawn: from a rule to the synapses of each source.

What belongs to a source follows from the seed, the projection and the source alone. First come
the out-degrees, here; targets, weights and delays are drawn when they are laid out
(:mod:`spikesim.engine.store`), from the numbers of :mod:`spikesim.engine.variates`. Of each rule:

- all pairs, each pair with probability p: the out-degree is fixed or binomial, targets differ;
- fixed out-degree: targets differ unless multapses are allowed;
- fixed total number: out-degrees are multinomial, or, where pairs differ, hypergeometric;
- fixed in-degree: each target chooses its sources; this is turned round for a range of sources
  at a time, so that it needs little memory;
- by distance: row after row, each pair by a number of its own; lists and matrices as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from spikesim._jit import kernel
from spikesim._memory import require_memory
from spikesim.distributions import Distribution
from spikesim.engine.in_degree import InDegree
from spikesim.engine.laws import KINDS, Law, delay_law, weight_law
from spikesim.engine.pool import Pool
from spikesim.engine.variates import BATCH, CALLS, PAIRS, fill_words
from spikesim.network.distance import DistanceDependent
from spikesim.network.network import Network
from spikesim.network.population import Population
from spikesim.network.projection import Projection
from spikesim.network.rules import (
    AllToAll,
    ExplicitList,
    FixedInDegree,
    FixedOutDegree,
    FixedProbability,
    FixedTotalNumber,
)

__all__ = [
    "BYTES_PER_NEURON",
    "Drawing",
    "Rows",
    "draw_rows",
    "require_room",
    "room_for",
]

# What stands in memory at once while a network is built.
BYTES_PER_NEURON = 250
# Pairs whose distances are in memory at once, for each thread.
_PAIRS_AT_ONCE = 2**18
_TO_UNIT = 2.0**-32


class Rows(NamedTuple):
    """The targets of every source: listed, or how to draw them.

    Attributes
    ----------
    counts : ndarray of int64, shape (n_pre,)
        Synapses of each source.
    firsts : ndarray of int64, shape (n_pre + 1,)
        Synapses of all sources before each.
    posts : ndarray of int32
        Targets of the synapses, from number `first_post` on; empty where they are drawn.
    first_post : int
        Zero, or where a range of sources begins.
    listed : bool
        Whether targets are in `posts`.
    n : int
        How many targets a source chooses from.
    distinct : bool
        Whether they differ.
    skip : int
        1 where a source leaves itself out, else 0.
    k0, k1 : int
        Key of the projection.
    """

    counts: np.ndarray
    firsts: np.ndarray
    posts: np.ndarray
    first_post: int
    listed: bool
    n: int
    distinct: bool
    skip: int
    k0: int
    k1: int


@kernel(error_model="numpy")
def connect_pairs(posts, counts, p, first, skip, k0, k1, words):
    """Connect source ``first + i`` with target j with probability ``p[i, j]``.

    Returns
    -------
    int
        Number of synapses; `posts` holds their targets, `counts` how many each source has.
    """
    n_found = 0
    for i in range(p.shape[0]):
        before = n_found
        for start in range(0, p.shape[1], BATCH):
            m = min(p.shape[1] - start, BATCH)
            fill_words(words, (m + 3) >> 2, start >> 2, first + i, PAIRS, k0, k1)
            for j in range(m):
                target = start + j
                u = (words[j & 3, j >> 2] + 0.5) * _TO_UNIT
                if u < p[i, target] and not (skip and target == first + i):
                    posts[n_found] = target
                    n_found += 1
        counts[i] = n_found - before
    return n_found


class Drawing(NamedTuple):
    """A projection, ready to be drawn.

    Attributes
    ----------
    rows : Rows
        Targets.
    weight, delay : Law
        Weights; delays in steps, where they are drawn in ms.
    in_degree : InDegree or None
        What gives the targets, a range of sources at a time.
    ascending : bool
        Whether the targets of each source come in ascending order.
    """

    rows: Rows
    weight: Law
    delay: Law
    in_degree: InDegree | None
    ascending: bool

    def of_range(self, low: int, high: int, pool: Pool) -> Rows:
        """Return the targets of the sources `low` to ``high - 1``."""
        if self.in_degree is None:
            return self.rows
        posts = self.in_degree.posts(low, high, pool)
        return self.rows._replace(posts=posts, first_post=int(self.rows.firsts[low]))


def draw_rows(
    projection: Projection,
    source: Population,
    target: Population,
    dt: float,
    seed: int,
    index: int,
    pool: Pool,
) -> Drawing:
    """Draw the out-degrees of a projection, and make its weights and delays ready.

    Parameters
    ----------
    projection, source, target : Projection, Population, Population
        What is connected.
    dt : float
        Time step (ms).
    seed, index : int
        Seed of the simulation and number of the projection.
    pool : Pool
        Who works.

    Raises
    ------
    ParameterError
        A delay below `dt` or off the grid, values drawn that are not finite.
    """
    rule: Any = projection.rule
    skip = int(source is target and not getattr(rule, "autapses", True))
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1, index, 0)))
    words = np.random.SeedSequence(seed, spawn_key=(1, index, 1)).generate_state(2, np.uint32)
    key = int(words[0]), int(words[1])
    n_pre, n = source.n, target.n - skip
    posts: np.ndarray | None = None
    order: Any = None
    in_degree = None
    distinct = True
    if isinstance(rule, AllToAll):
        counts = np.full(n_pre, n, dtype=np.int64)
        if skip:
            order = np.flatnonzero(~np.eye(n_pre, dtype=bool))
    elif isinstance(rule, FixedProbability):
        counts = rng.binomial(n, rule.p, n_pre).astype(np.int64)
    elif isinstance(rule, FixedOutDegree):
        counts, distinct = np.full(n_pre, rule.k, dtype=np.int64), not rule.multapses
    elif isinstance(rule, FixedTotalNumber):
        counts, distinct = out_degrees(rule, n_pre, n, rng), not rule.multapses
    elif isinstance(rule, FixedInDegree):
        in_degree = InDegree(rule, n_pre, target.n, skip, key, pool)
        counts = in_degree.counts
    elif isinstance(rule, DistanceDependent):
        counts, posts = _by_distance(rule, source, target, skip, key, pool)
    elif isinstance(rule, ExplicitList):
        order = _order(rule, projection)
        counts = np.bincount(rule.pre, minlength=n_pre)
        posts = rule.post[order].astype(np.int32)
    else:
        counts, posts = np.ones(n_pre, dtype=np.int64), np.arange(n_pre, dtype=np.int32)
    firsts = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(counts)])
    listed = posts is not None or in_degree is not None
    none = np.zeros(0, dtype=np.int32)
    rows = Rows(
        counts, firsts, none if posts is None else posts, 0, listed, n, distinct, skip, *key
    )
    n_synapses = int(firsts[-1])
    weight = weight_law(projection, n_synapses, order, rng)
    delay = delay_law(projection, n_synapses, order, dt, rng)
    return Drawing(rows, weight, delay, in_degree, listed or isinstance(rule, AllToAll))


def out_degrees(rule: FixedTotalNumber, n_pre: int, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return how many of the synapses fall to each source, each of which has `n` targets."""
    if rule.n == 0:
        return np.zeros(n_pre, dtype=np.int64)
    if rule.multapses:
        return rng.multinomial(rule.n, np.full(n_pre, 1.0 / n_pre)).astype(np.int64)
    # Let each pair be taken with the same probability; then take, or put back, pairs at random
    # until the number is right: every choice of so many pairs stays equally likely.
    n_pairs = n_pre * n
    counts = rng.binomial(n, rule.n / n_pairs, n_pre).astype(np.int64)
    missing = rule.n - int(counts.sum())
    among = n - counts if missing > 0 else counts
    pairs = rng.choice(int(among.sum()), abs(missing), replace=False, shuffle=False)
    sources = np.searchsorted(np.cumsum(among), pairs, side="right")
    return counts + (1 if missing > 0 else -1) * np.bincount(sources, minlength=n_pre)


def _by_distance(
    rule: DistanceDependent,
    source: Population,
    target: Population,
    skip: int,
    key: tuple[int, int],
    pool: Pool,
) -> tuple[np.ndarray, np.ndarray]:
    counts = np.zeros(source.n, dtype=np.int64)
    stride = max(1, _PAIRS_AT_ONCE // target.n)
    parts: list[np.ndarray] = [np.zeros(0, dtype=np.int32)] * -(-source.n // stride)

    def connect_some(part: int) -> Iterator[None]:
        first = part * stride
        last = min(first + stride, source.n)
        p = rule.probabilities(rule.distances(source.positions[first:last], target.positions))
        posts = np.empty(p.size, dtype=np.int32)
        words = np.empty((4, CALLS), dtype=np.int64)
        n_found = connect_pairs(posts, counts[first:last], p, first, skip, *key, words)
        parts[part] = posts[:n_found].copy()
        yield

    pool.run([connect_some(part) for part in range(len(parts))])
    return counts, np.concatenate(parts)


def _order(rule: ExplicitList, projection: Projection) -> np.ndarray:
    """Return an order by source; weight and delay break ties, so that no order of a list counts."""
    # One number for each pair sorts several times faster than its two ends.
    keys = rule.pre.astype(np.int64) * (int(rule.post.max(initial=0)) + 1) + rule.post
    order = np.argsort(keys)
    keys = keys[order]
    same = keys[1:] == keys[:-1]
    tied = np.flatnonzero(np.append(same, False) | np.append(False, same))
    if len(tied):
        # In the order of the list, which `lexsort` keeps where all is equal.
        own = np.sort(order[tied])
        values = [
            value.reshape(-1)[own]
            for value in (projection.weight, projection.delay)
            if isinstance(value, np.ndarray)
        ]
        order[tied] = own[np.lexsort([*values, rule.post[own], rule.pre[own]])]
    return order


def require_room(network: Network, compact: bool = False) -> None:
    """Refuse a network whose neurons and synapses cannot fit, before any is made.

    Parameters
    ----------
    network : Network
        What is to be built.
    compact : bool, default False
        Whether it is to have compact precision.

    Raises
    ------
    NotEnoughMemoryError
        With the number of synapses and the bytes they need.
    """
    n_neurons = sum(population.n for population in network.populations)
    require_memory(
        f"Population.n: {n_neurons} neurons",
        n_neurons * BYTES_PER_NEURON,
        "make populations smaller",
    )
    n_synapses = n_bytes = 0
    hint = "use a sparser rule or smaller populations"
    for projection in network.projections:
        expected, needed = room_for(network, projection, compact)
        require_memory(
            f"Projection.rule: {expected} synapses from {projection.source!r} to "
            f"{projection.target!r}",
            needed,
            hint,
        )
        n_synapses, n_bytes = n_synapses + expected, n_bytes + needed
    require_memory(f"Network.projections: {n_synapses} synapses", n_bytes, hint)


def room_for(network: Network, projection: Projection, compact: bool) -> tuple[int, int]:
    """Return how many synapses a projection is expected to have, and the bytes they need."""
    source, target = network.population(projection.source), network.population(projection.target)
    expected = projection.rule.expected_synapses(source, target)
    return expected, round(expected * _bytes_per_synapse(projection, compact))


def _bytes_per_synapse(projection: Projection, compact: bool) -> float:
    """Return what a synapse needs while a network is built, that of buckets estimated."""
    if not isinstance(projection.weight, (np.ndarray, Distribution)):
        stored = 2.0
    else:
        stored = 4.0 if compact else 10.0
    stored += 0.1 if isinstance(projection.delay, float) else 1.0
    drawn_first = 0.0
    if isinstance(projection.rule, (ExplicitList, DistanceDependent)):
        drawn_first = 12.0
    for value in (projection.weight, projection.delay):
        if isinstance(value, Distribution) and type(value) not in KINDS:
            drawn_first += 8.0
    return stored + drawn_first
