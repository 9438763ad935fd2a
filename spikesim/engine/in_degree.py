"""Fixed in-degree: sources chosen by their targets, then turned round."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from spikesim._jit import kernel
from spikesim.engine.pool import Pool
from spikesim.engine.variates import SOURCES, choice_scratch, choose
from spikesim.network.rules import FixedInDegree

__all__ = ["InDegree"]

# Numbers that a thread draws between two looks at whether it shall stop.
_PAUSE = 2**20


class InDegree:
    """Sources chosen by their targets.

    Parameters
    ----------
    rule : FixedInDegree
        The rule.
    n_pre, n_post : int
        Sizes of the populations.
    skip : int
        1 where a target leaves itself out, else 0.
    key : (int, int)
        Key of the projection.
    pool : Pool
        Who works.

    Attributes
    ----------
    counts : ndarray of int64, shape (n_pre,)
        Synapses of each source.
    """

    def __init__(
        self,
        rule: FixedInDegree,
        n_pre: int,
        n_post: int,
        skip: int,
        key: tuple[int, int],
        pool: Pool,
    ):
        self._k = rule.k
        self._choice = (n_pre - skip, not rule.multapses, skip, *key)
        # Each part of the targets counts for itself, so that all parts can be placed at once.
        n_parts = pool.threads if rule.k * n_post > _PAUSE else 1
        edges = np.linspace(0, n_post, n_parts + 1).astype(np.int64)
        self._parts = list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))
        self._of_parts = np.zeros((n_parts, n_pre), dtype=np.int64)
        pool.run([self._count(part) for part in range(n_parts)])
        self.counts = self._of_parts.sum(axis=0)

    def posts(self, low: int, high: int, pool: Pool) -> np.ndarray:
        """Return the targets of the sources `low` to ``high - 1``, ascending for each."""
        counts = self._of_parts[:, low:high]
        before = np.cumsum(counts, axis=0) - counts
        starts = np.cumsum(counts.sum(axis=0))
        posts = np.empty(starts[-1] if high > low else 0, dtype=np.int32)
        places = before + (starts - counts.sum(axis=0))
        pool.run([self._place(part, posts, places[part], low) for part in range(len(places))])
        return posts

    def _count(self, part: int) -> Iterator[None]:
        scratch = self._scratch()
        for first, last in self._pauses(part):
            count_sources(self._of_parts[part], first, last, self._k, *self._choice, *scratch)
            yield

    def _place(self, part: int, posts: np.ndarray, places: np.ndarray, low: int) -> Iterator[None]:
        scratch = self._scratch()
        for first, last in self._pauses(part):
            place_targets(posts, places, low, first, last, self._k, *self._choice, *scratch)
            yield

    def _pauses(self, part: int) -> Iterator[tuple[int, int]]:
        first, end = self._parts[part]
        stride = max(1, _PAUSE // max(self._k, 1))
        for begin in range(first, end, stride):
            yield begin, min(begin + stride, end)

    def _scratch(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return choice_scratch(self._k, self._choice[0])


@kernel(error_model="numpy")
def count_sources(counts, first, last, k, n, distinct, skip, k0, k1, chosen, seen, words):
    """Add the synapses of the targets `first` to ``last - 1`` to the counts of their sources."""
    for target in range(first, last):
        choose(chosen, k, n, distinct, seen, words, target, SOURCES, k0, k1)
        for i in range(k):
            source = chosen[i]
            counts[source + skip if source >= target else source] += 1


@kernel(error_model="numpy")
def place_targets(
    posts, places, low, first, last, k, n, distinct, skip, k0, k1, chosen, seen, words
):
    """Write these targets where the synapses of their sources go, and move those places on.

    `places` holds the next place in `posts` of the sources `low`, ``low + 1``, ...
    """
    for target in range(first, last):
        choose(chosen, k, n, distinct, seen, words, target, SOURCES, k0, k1)
        for i in range(k):
            source = chosen[i]
            index = (source + skip if source >= target else source) - low
            if 0 <= index < len(places):
                posts[places[index]] = target
                places[index] += 1
