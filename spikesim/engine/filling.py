"""A store while it is filled: its memory, and the jobs that write into it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from spikesim import _check
from spikesim.engine.connect import Drawing, Rows
from spikesim.engine.laws import short_delay
from spikesim.engine.pool import Pool
from spikesim.engine.records import DIGIT, LISTED, PACKED, UNIFORM, Records, fill_rows, lay_rows
from spikesim.engine.variates import BATCH, choice_scratch

__all__ = ["Filling", "Part"]

# Synapses that are drawn and sorted together: few enough for the second-level cache.
_CHUNK = 2**15
# Synapses of a job.
_JOB = 2**20
# Synapses of one population whose in-degrees are turned round at once, 4 bytes each.
_TURNED = 2**24


class Part(NamedTuple):
    """A projection on its way into a store.

    Attributes
    ----------
    where : str
        What an error says of the place.
    source, target, port : int
        Numbers of the populations and of the port.
    drawing : Drawing
        What is drawn.
    class_ : int
        Class of its weights.
    per_unit : float
        Weights are multiplied by this and rounded; 0 leaves them as they are.
    """

    where: str
    source: int
    target: int
    port: int
    drawing: Drawing
    class_: int
    per_unit: float


class Filling:
    """The memory of a store.

    Parameters
    ----------
    kind : int
        UNIFORM, LISTED or PACKED.
    counts : ndarray of int64, shape (n_sources,)
        Synapses of each source.
    n_blocks : int
        Number of blocks.
    dt : float
        Time step (ms).
    pool : Pool
        Who works.

    Attributes
    ----------
    rows, weights, packed, starts, bucket_starts : ndarray
        As in :class:`spikesim.engine.store.Store`.
    """

    def __init__(self, kind: int, counts: np.ndarray, n_blocks: int, dt: float, pool: Pool):
        self.kind, self.n_blocks, self._dt, self._pool = kind, n_blocks, dt, pool
        self._counts, self._ends = counts, np.cumsum(counts)
        n = int(self._ends[-1]) if len(counts) else 0
        self.starts = np.append(np.repeat(self._ends - counts, n_blocks), n)
        self.bucket_starts = np.zeros_like(self.starts)
        self.rows = np.empty(n if kind != PACKED else 0, dtype=np.uint16)
        self.weights = np.empty(n if kind == LISTED else 0, dtype=np.float64)
        self.packed = np.empty(n if kind == PACKED else 0, dtype=np.int32)
        self._buckets: list[np.ndarray] = []

    def fill(
        self,
        first: int,
        parts: list[Part],
        places: list[np.ndarray],
        records: Records,
        sort_from: int,
    ) -> None:
        """Lay out the synapses of one population.

        Parameters
        ----------
        first : int
            The first source of the population within the network.
        parts : list of Part
            Its projections.
        places : list of ndarray of int64
            Of each, block, class and row of the targets, as in a record.
        records : Records
            How records are made up.
        sort_from : int
            The lowest bit of a record to sort by.
        """
        n_pre = len(parts[0].drawing.rows.counts)
        ends = self._ends[first : first + n_pre]
        turned = any(part.drawing.in_degree is not None for part in parts)
        for low, high in self._ranges(first, first + n_pre, _TURNED if turned else int(ends[-1])):
            inner = low - first, high - first
            rows = [part.drawing.of_range(*inner, self._pool) for part in parts]
            jobs = []
            for begin, end in self._ranges(low, high, _JOB):
                self._buckets.append(np.zeros(0, dtype=np.int64))
                number = len(self._buckets) - 1
                jobs.append(
                    self._job(number, begin, end, first, parts, rows, places, records, sort_from)
                )
            self._pool.run(jobs)

    def buckets(self) -> np.ndarray:
        """Return the buckets of all sources; call this once all are filled."""
        np.cumsum(self.bucket_starts, out=self.bucket_starts)
        buckets = np.empty(int(self.bucket_starts[-1]), dtype=np.int64)
        filled = 0
        self._buckets.reverse()
        while self._buckets:
            some = self._buckets.pop()
            buckets[filled : filled + len(some)] = some
            filled += len(some)
        return buckets

    def _ranges(self, first: int, last: int, most: int) -> Iterator[tuple[int, int]]:
        """Cut the sources `first` to ``last - 1`` into ranges of few synapses, or of one source."""
        low = first
        while low < last:
            before = int(self._ends[low - 1]) if low > 0 else 0
            high = int(np.searchsorted(self._ends, before + most, side="right"))
            high = min(max(high, low + 1), last)
            yield low, high
            low = high

    def _job(
        self,
        number: int,
        first: int,
        last: int,
        first_of_population: int,
        parts: list[Part],
        rows: list[Rows],
        places: list[np.ndarray],
        records: Records,
        sort_from: int,
    ) -> Iterator[None]:
        """Lay out the sources `first` to ``last - 1`` of the network; the buckets are `number`."""
        n_blocks, ends = self.n_blocks, self._ends
        size = max(_CHUNK, int(self._counts[first:last].max()))
        drawn, other, buckets = (np.empty(size, dtype=np.int64) for _ in range(3))
        values = np.empty(size if self.kind != UNIFORM else 0)
        digits = np.empty(2**DIGIT, dtype=np.int64)
        population = slice(first - first_of_population, last - first_of_population)
        scratch = [_scratch(some, population) for some in rows]
        made = []
        for begin, end in self._ranges(first, last, _CHUNK):
            at = int(ends[begin] - self._counts[begin])
            starts = ends[begin:end] - self._counts[begin:end] - at
            filled = starts.copy()
            for part, some, place, memory in zip(parts, rows, places, scratch, strict=True):
                shortest = fill_rows(
                    drawn,
                    values,
                    starts,
                    filled,
                    begin - first_of_population,
                    some,
                    place,
                    part.drawing.weight,
                    part.per_unit,
                    part.drawing.delay,
                    self._dt,
                    records,
                    *memory,
                )
                if shortest < np.inf:
                    hint = f"; give the distribution a bound, low={self._dt!r}"
                    with _check.located(part.where):
                        raise short_delay("", shortest, self._dt, hint)
            n_buckets = lay_rows(
                drawn,
                other,
                values,
                starts,
                filled,
                records,
                sort_from,
                at,
                self.kind,
                self.rows,
                self.weights,
                self.packed,
                self.starts[begin * n_blocks : end * n_blocks],
                self.bucket_starts[begin * n_blocks + 1 : end * n_blocks + 1],
                buckets,
                n_blocks,
                digits,
            )
            made.append(buckets[:n_buckets].copy())
            yield
        self._buckets[number] = np.concatenate(made)


def _scratch(rows: Rows, sources: slice) -> tuple[np.ndarray, ...]:
    k = 0 if rows.listed else int(rows.counts[sources].max())
    return (*choice_scratch(k, rows.n if rows.distinct and k else 0), np.empty(BATCH))
