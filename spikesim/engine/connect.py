"""Connections drawn: from a rule to synapses sorted by their source."""

from __future__ import annotations

from typing import Any

import numpy as np

from spikesim import _check
from spikesim.distributions import Distribution
from spikesim.distributions import drawn as draw
from spikesim.engine.memory import readable, require_memory
from spikesim.errors import ParameterError
from spikesim.network.network import Network
from spikesim.network.projection import Projection
from spikesim.network.rules import AllToAll, ExplicitList, FixedInDegree, FixedProbability

__all__ = ["Synapses", "connect", "require_room"]

# What stands in memory at once while a network is built.
_BYTES_PER_NEURON = 250
_BYTES_PER_SYNAPSE = 64
_MOST_STEPS = 2**31 - 1


class Synapses:
    """Synapses of one projection, sorted by source.

    Attributes
    ----------
    pre, post : ndarray of int64, shape (n_synapses,)
        Neurons, `pre` ascending.
    weight : ndarray, shape (n_synapses,)
        Weights (pA or mV).
    delay : ndarray of int64, shape (n_synapses,)
        Delays in steps, at least 1.
    """

    def __init__(self, pre: np.ndarray, post: np.ndarray, weight: np.ndarray, delay: np.ndarray):
        self.pre, self.post, self.weight, self.delay = pre, post, weight, delay


def connect(
    projection: Projection, n_pre: int, n_post: int, dt: float, rng: np.random.Generator
) -> Synapses:
    """Draw the synapses of `projection` between populations of `n_pre` and `n_post` neurons.

    Raises
    ------
    ParameterError
        A delay below `dt` or off the grid, a drawn weight that is not finite.
    """
    rule = projection.rule
    same = projection.source == projection.target
    position = None
    if isinstance(rule, AllToAll):
        pre = np.repeat(np.arange(n_pre, dtype=np.int64), n_post)
        post = np.tile(np.arange(n_post, dtype=np.int64), n_pre)
        if same and not rule.autapses:
            position = np.flatnonzero(pre != post)
    elif isinstance(rule, FixedProbability):
        pre, post = _bernoulli(rule.p, n_pre, n_post, same and not rule.autapses, rng)
    elif isinstance(rule, FixedInDegree):
        pre, post = _in_degree(rule, n_pre, n_post, same and not rule.autapses, rng)
    elif isinstance(rule, ExplicitList):
        pre, post = rule.pre, rule.post
    else:
        pre = post = np.arange(n_pre, dtype=np.int64)
    weight = _per_synapse("Projection.weight", projection.weight, len(pre), rng)
    delay = delay_steps(projection, len(pre), dt, rng)
    if isinstance(rule, ExplicitList):
        # Weight and delay break ties, so that the order of the list changes no sum.
        position = np.lexsort((weight, delay, post, pre))
    if position is not None:
        pre, post = pre[position], post[position]
        weight, delay = weight[position], delay[position]
    return Synapses(pre, post, weight, delay)


def delay_steps(projection: Projection, n: int, dt: float, rng: np.random.Generator) -> np.ndarray:
    """Return `n` delays in steps; refuse those below one step or off the grid."""
    value = projection.delay
    drawn = isinstance(value, Distribution)
    if drawn:
        given = draw("Projection.delay", value, rng, n)
    else:
        given = np.asarray(value, dtype=np.float64)
    with np.errstate(over="ignore"):
        in_steps = given / dt
    too_long = in_steps > _MOST_STEPS
    if np.any(too_long):
        longest = float(np.max(given))
        raise ParameterError(
            f"Projection.delay{_check._first(too_long)} must be shorter: {longest:g} ms are "
            f"{longest / dt:g} steps of dt = {dt!r} ms, for which the ring buffer of a single "
            f"neuron would need {readable(8 * longest / dt)} of memory"
        )
    steps = np.rint(in_steps).astype(np.int64)
    off = _check.off_grid(given, steps, dt)
    if np.any(off) and not drawn and projection.delay_rounding == "error":
        first = float(given[off].flat[0])
        raise ParameterError(
            f"Projection.delay{_check._first(off)} must be a multiple of dt = {dt!r} ms, "
            f"got {first!r} ms; delay_rounding='nearest' takes the nearest step"
        )
    short = (steps < 1) | ((given < dt * (1.0 - 1e-9)) & ~np.asarray(drawn))
    if np.any(short):
        first = given[short].flat[0]
        raise ParameterError(
            f"Projection.delay{_check._first(short)} must be at least one step of dt = {dt!r} ms, "
            f"got {first:g} ms"
        )
    return np.array(np.broadcast_to(steps.reshape(-1) if steps.ndim else steps, (n,)))


def _per_synapse(label: str, value: Any, n: int, rng: np.random.Generator) -> np.ndarray:
    if isinstance(value, Distribution):
        return draw(label, value, rng, n)
    value = np.asarray(value, dtype=np.float64)
    return np.array(np.broadcast_to(value.reshape(-1) if value.ndim else value, (n,)))


def require_room(network: Network) -> None:
    """Refuse a network whose neurons and synapses cannot fit, before any is made.

    Raises
    ------
    NotEnoughMemoryError
        With the number of synapses and the bytes they need.
    """
    n_neurons = sum(population.n for population in network.populations)
    require_memory("Population.n", n_neurons * _BYTES_PER_NEURON, "make populations smaller")
    for projection in network.projections:
        n_pre = network.population(projection.source).n
        n_post = network.population(projection.target).n
        expected = _expected_synapses(projection.rule, n_pre, n_post)
        require_memory(
            f"Projection.rule: {expected} synapses from {projection.source!r} to "
            f"{projection.target!r}",
            expected * _BYTES_PER_SYNAPSE,
            "use a sparser rule or smaller populations",
        )


def _expected_synapses(rule: Any, n_pre: int, n_post: int) -> int:
    if isinstance(rule, AllToAll):
        return n_pre * n_post
    if isinstance(rule, FixedProbability):
        return int(rule.p * n_pre * n_post)
    if isinstance(rule, FixedInDegree):
        return rule.k * n_post
    if isinstance(rule, ExplicitList):
        return len(rule.pre)
    return n_pre


def _bernoulli(
    p: float, n_pre: int, n_post: int, no_autapses: bool, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Connect each pair with probability p: the gaps between connected pairs are geometric."""
    per_row = n_post - 1 if no_autapses else n_post
    n_pairs = n_pre * per_row
    if p == 0.0 or n_pairs == 0:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    parts, last = [], -1
    while last < n_pairs:
        expected = (n_pairs - last) * p
        size = int(expected + 5.0 * np.sqrt(expected)) + 10
        gaps = np.minimum(rng.geometric(p, size), n_pairs + 1)
        pairs = last + np.cumsum(gaps)
        parts.append(pairs)
        last = int(pairs[-1])
    pairs = np.concatenate(parts)
    pairs = pairs[: np.searchsorted(pairs, n_pairs)]
    pre, post = np.divmod(pairs, per_row)
    if no_autapses:
        post += post >= pre
    return pre, post


def _in_degree(
    rule: FixedInDegree, n_pre: int, n_post: int, no_autapses: bool, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the sources of each target, then sort by source."""
    sources = n_pre - 1 if no_autapses else n_pre
    if rule.k == 0:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    if rule.multapses:
        drawn = rng.integers(0, sources, (n_post, rule.k))
    else:
        rows = [rng.choice(sources, rule.k, replace=False, shuffle=False) for _ in range(n_post)]
        drawn = np.array(rows, dtype=np.int64)
    post = np.repeat(np.arange(n_post, dtype=np.int64), rule.k)
    pre = drawn.reshape(-1)
    if no_autapses:
        pre = pre + (pre >= post)
    order = np.lexsort((post, pre))
    return pre[order], post[order]
