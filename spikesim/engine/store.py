"""Synapses laid out in memory: by source, block of targets, weight class and delay.

Neurons are numbered over the whole network, population after population. Each block owns a range
of every population and adds what arrives into its own accumulators; the synapses of a source onto
one block lie side by side, in buckets of one delay. A spike is then a short list of buckets, and
a bucket a stretch of memory that is read from end to end (``docs/decisions/0007-synapses.md``).

Synapses are drawn and sorted source by source, in memory that fits the cache, and written once.
The order within a bucket, by accumulator, then by projection and by drawing, decides in which
order weights are added up. It depends neither on the number of blocks nor on that of threads.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from spikesim import _check
from spikesim._jit import kernel
from spikesim.engine import variates
from spikesim.engine.connect import (
    Drawing,
    Law,
    Rows,
    choice_scratch,
    draw_rows,
    most_arrivals,
    refuse_short,
)
from spikesim.engine.pool import Pool
from spikesim.engine.variates import BATCH, choose, fill_values
from spikesim.errors import ParameterError
from spikesim.network.population import Population
from spikesim.network.projection import Projection

__all__ = ["Layout", "Store", "Stores", "Wiring", "make_stores"]

_MOST_CLASSES = 4096
_LARGEST_PACKED = 2**15 - 1
_LARGEST_SUM = 2**31 - 1
_LONGEST_BUCKET = 2**16 - 1
_ROW_BITS = 16
# Synapses that are drawn and sorted together: few enough for the second-level cache.
_CHUNK = 2**15
# Synapses of a job.
_JOB = 2**20
# Synapses of one population whose in-degrees are turned round at once, 4 bytes each.
_TURNED = 2**24
# Bits of a digit when sorting, and how many records are sorted by insertion.
_DIGIT = 8
_FEW = 24

# What a store holds.
UNIFORM, LISTED, PACKED = range(3)


class Layout(NamedTuple):
    """Where the targets lie.

    Attributes
    ----------
    bounds : ndarray of int64, shape (n_populations, n_blocks + 1)
        Block b owns the neurons ``bounds[p, b]`` to ``bounds[p, b + 1] - 1`` of population p.
    row_starts : ndarray of int64, shape (n_blocks, n_ports)
        Accumulator in block b of the first of its neurons with port q. Below 65,536.
    """

    bounds: np.ndarray
    row_starts: np.ndarray


class Wiring(NamedTuple):
    """A projection, the numbers of its two populations, and the port that it feeds."""

    projection: Projection
    source: int
    target: int
    port: int


class Store(NamedTuple):
    """Synapses by source and block.

    Source s of the whole network has in block b the synapses ``starts[j]`` to
    ``starts[j + 1] - 1`` with ``j = s * n_blocks + b``. One after another, they fall into the
    buckets ``bucket_starts[j]`` to ``bucket_starts[j + 1] - 1``, sorted by class and delay; a
    bucket is a word ``delay << 32 | class << 16 | length``.

    Attributes
    ----------
    rows : ndarray of uint16, shape (n,)
        Accumulator of each synapse; none if packed.
    weights : ndarray of float64, shape (n,)
        Weight of each synapse; none if all of a class have one, or if packed.
    packed : ndarray of int32, shape (n,)
        Accumulator in the lower 16 bits, unsigned, and weight in the upper 16, signed.
    starts, bucket_starts : ndarray of int64, shape (n_sources * n_blocks + 1,)
        See above.
    buckets : ndarray of int64, shape (n_buckets,)
        See above; no bucket is longer than 65,535.
    classes : ndarray of float64, or int32 in compact precision
        Weight of each class.
    """

    rows: np.ndarray
    weights: np.ndarray
    packed: np.ndarray
    starts: np.ndarray
    bucket_starts: np.ndarray
    buckets: np.ndarray
    classes: np.ndarray


class Stores(NamedTuple):
    """All synapses of a network.

    Attributes
    ----------
    uniform : Store
        Of projections with one weight: a weight for each class.
    listed : Store
        Of projections with several: a weight for each synapse, all of class 0.
    scales : ndarray of float64, shape (n_ports,)
        What a weight of 1 in the stores is worth at each port; 1 but in compact precision.
    shortest, longest : int
        Delays in steps; 0 if there are no synapses.
    n_synapses : int
        How many there are.
    """

    uniform: Store
    listed: Store
    scales: np.ndarray
    shortest: int
    longest: int
    n_synapses: int


def make_stores(
    wirings: Sequence[Wiring],
    populations: Sequence[Population],
    layout: Layout,
    dt: float,
    seed: int,
    compact: bool,
    threads: int,
    check_interrupt: Callable[[], Any] | None = None,
) -> Stores:
    """Draw all synapses of a network from `seed` and lay them out.

    Parameters
    ----------
    wirings : sequence of Wiring
        The projections, in the order of the network.
    populations : sequence of Population
        All populations, in the order of the network.
    layout : Layout
        Where the targets lie.
    dt : float
        Time step (ms).
    seed : int
        Seed of the simulation.
    compact : bool
        Weights as fixed-point numbers.
    threads : int
        How many work; changes no bit.
    check_interrupt : callable, optional
        Called in the calling thread, often. What it raises ends the work.

    Raises
    ------
    ParameterError
        Delays below `dt` or off the grid, values drawn that are not finite.
    """
    with Pool(threads, check_interrupt) as pool:
        return _Builder(wirings, populations, layout, dt, seed, compact, pool).build()


class _Part(NamedTuple):
    """A projection on its way into one store."""

    wiring: Wiring
    drawing: Drawing
    class_: int
    per_unit: float  # Weights are multiplied by this and rounded; 0 leaves them as they are.


class _Records(NamedTuple):
    """Where the numbers lie within a record, and what is subtracted from a delay."""

    row_shift: int
    delay_shift: int
    class_shift: int
    block_shift: int
    end: int
    first_delay: int


class _Builder:
    def __init__(self, wirings, populations, layout, dt, seed, compact, pool):  # type: ignore[no-untyped-def]
        self.populations, self.layout, self.dt = populations, layout, dt
        self.compact, self.pool = compact, pool
        self.n_blocks = layout.bounds.shape[1] - 1
        sizes = [population.n for population in populations]
        self.first_source = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        self.wirings = wirings
        self.drawings = []
        for index, wiring in enumerate(wirings):
            source, target = populations[wiring.source], populations[wiring.target]
            with _located(source, target):
                self.drawings.append(
                    draw_rows(wiring.projection, source, target, dt, seed, index, pool)
                )

    def build(self) -> Stores:
        """Return the stores."""
        scales = self._scales()
        uniform, listed, classes = self._parts(scales)
        stores = [
            _Target(self, uniform, classes, UNIFORM),
            _Target(self, listed, classes[:0], PACKED if self.compact else LISTED),
        ]
        for population in range(len(self.populations)):
            for store in stores:
                store.fill(population)
        self.drawings.clear()
        made = [store.finish() for store in stores]
        delays = [store.buckets >> 32 for store in made if len(store.buckets)]
        return Stores(
            *made,
            scales,
            min((int(d.min()) for d in delays), default=0),
            max((int(d.max()) for d in delays), default=0),
            sum(int(store.starts[-1]) for store in made),
        )

    def _scales(self) -> np.ndarray:
        """Return what a weight of 1 is worth at each port.

        No weight of a single synapse is larger than 32,767 units, and no sum of all weights that
        may arrive at once is too large for 32 bits.
        """
        n_ports = self.layout.row_starts.shape[1]
        scales = np.ones(n_ports)
        most = np.full(n_ports, _LARGEST_SUM)
        if not self.compact:
            return scales
        largest, arrivals = np.zeros(n_ports), np.zeros(n_ports, dtype=np.int64)
        for wiring, drawing in zip(self.wirings, self.drawings, strict=True):
            ends = drawing.weight.ends()
            largest[wiring.port] = max(largest[wiring.port], abs(ends[0]), abs(ends[1]))
            if drawing.weight.kind != variates.CONSTANT or len(self.wirings) > _MOST_CLASSES:
                most[wiring.port] = _LARGEST_PACKED
            source, target = self.populations[wiring.source], self.populations[wiring.target]
            in_degree = wiring.projection.rule.in_degree_bound(source, target)
            arrivals[wiring.port] += most_arrivals(source, in_degree, self.dt)
        most = np.clip(_LARGEST_SUM // np.maximum(arrivals, 1), 1, most)
        used = largest > 0.0
        scales[used] = largest[used] / most[used]
        return scales

    def _parts(self, scales: np.ndarray) -> tuple[list[_Part], list[_Part], np.ndarray]:
        """Return the parts of either store, and the weights of the classes."""
        units = 1.0 / scales if self.compact else np.zeros_like(scales)
        weights = {}
        for index, (wiring, drawing) in enumerate(zip(self.wirings, self.drawings, strict=True)):
            if drawing.weight.kind == variates.CONSTANT:
                weight = drawing.weight.a
                if self.compact:
                    weight = float(np.floor(weight * units[wiring.port] + 0.5))
                weights[index] = weight
        classes = sorted(set(weights.values()))[:_MOST_CLASSES]
        class_of = {weight: number for number, weight in enumerate(classes)}
        uniform, listed = [], []
        for index, (wiring, drawing) in enumerate(zip(self.wirings, self.drawings, strict=True)):
            class_ = class_of.get(weights.get(index, np.nan))
            if class_ is None:
                listed.append(_Part(wiring, drawing, 0, float(units[wiring.port])))
            else:
                uniform.append(_Part(wiring, drawing, class_, 0.0))
        return uniform, listed, np.array(classes, dtype=np.int32 if self.compact else np.float64)


class _Target:
    """A store while it is filled."""

    def __init__(self, builder: _Builder, parts: list[_Part], classes: np.ndarray, kind: int):
        self.builder, self.classes, self.kind = builder, classes, kind
        # By accumulator, so that rows which are drawn in order need not be sorted.
        self.parts = sorted(parts, key=lambda part: part.wiring.port)
        n_blocks = builder.n_blocks
        counts = np.zeros(int(builder.first_source[-1]), dtype=np.int64)
        for part in self.parts:
            first = builder.first_source[part.wiring.source]
            own = part.drawing.rows.counts
            counts[first : first + len(own)] += own
        self.ends = np.cumsum(counts)
        n = int(self.ends[-1]) if len(counts) else 0
        self.starts = np.empty(len(counts) * n_blocks + 1, dtype=np.int64)
        self.starts[:-1] = np.repeat(self.ends - counts, n_blocks)
        self.starts[-1] = n
        self.bucket_starts = np.zeros_like(self.starts)
        self.rows = np.empty(n if kind != PACKED else 0, dtype=np.uint16)
        self.weights = np.empty(n if kind == LISTED else 0, dtype=np.float64)
        self.packed = np.empty(n if kind == PACKED else 0, dtype=np.int32)
        self.buckets: list[np.ndarray] = []

    def fill(self, population: int) -> None:
        """Lay out the synapses of the sources of a population."""
        parts = [part for part in self.parts if part.wiring.source == population]
        first = int(self.builder.first_source[population])
        n_pre = self.builder.populations[population].n
        ends = self.ends[first : first + n_pre]
        before = int(self.starts[first * self.builder.n_blocks])
        if not parts or ends[-1] == before:
            return
        records = self._records(parts)
        pool = self.builder.pool
        places = [self._places(part, records) for part in parts]
        sort_from = records.delay_shift if self._in_order(parts) else records.row_shift
        turned = any(part.drawing.in_degree is not None for part in parts)
        for low, high in _ranges(ends - before, _TURNED if turned else int(ends[-1]) + 1):
            rows = [part.drawing.of_range(low, high, pool) for part in parts]
            base = before if low == 0 else int(ends[low - 1])
            jobs = []
            for begin, end in _ranges(ends[low:high] - base, _JOB):
                self.buckets.append(np.zeros(0, dtype=np.int64))
                number = len(self.buckets) - 1
                job = _Job(self, parts, rows, places, records, sort_from, first, number)
                jobs.append(job.run(low + begin, low + end))
            pool.run(jobs)

    def finish(self) -> Store:
        """Return the store."""
        np.cumsum(self.bucket_starts, out=self.bucket_starts)
        buckets = np.empty(int(self.bucket_starts[-1]), dtype=np.int64)
        filled = 0
        for index, some in enumerate(self.buckets):
            buckets[filled : filled + len(some)] = some
            filled += len(some)
            self.buckets[index] = some[:0].copy()
        return Store(
            self.rows,
            self.weights,
            self.packed,
            self.starts,
            self.bucket_starts,
            buckets,
            self.classes,
        )

    def _records(self, parts: list[_Part]) -> _Records:
        """Return the smallest records that hold the synapses of one source."""
        dt = self.builder.dt
        counts = sum(part.drawing.rows.counts for part in parts)
        ends = [steps for part in parts for steps in _delay_ends(part.drawing.delay, dt)]
        row_shift = int(np.max(counts)).bit_length()
        delay_shift = row_shift + _ROW_BITS
        class_shift = delay_shift + (max(ends) - min(ends)).bit_length()
        block_shift = class_shift + max(part.class_ for part in parts).bit_length()
        end = block_shift + (self.builder.n_blocks - 1).bit_length()
        if end > 63:
            raise ParameterError(
                f"Projection.delay of {max(ends) * dt:g} ms is too long for a network of so many "
                "synapses and neurons"
            )
        return _Records(row_shift, delay_shift, class_shift, block_shift, end, min(ends))

    def _in_order(self, parts: list[_Part]) -> bool:
        """Return whether the synapses of a source are drawn in the order of accumulators."""
        ports = [part.wiring.port for part in parts]
        steps = np.diff(self.builder.layout.row_starts[:, ports], axis=1)
        return all(part.drawing.ascending for part in parts) and bool(np.all(steps > 0))

    def _places(self, part: _Part, records: _Records) -> np.ndarray:
        """Return the part of a record that says where each target is."""
        layout, port = self.builder.layout, part.wiring.port
        bounds = layout.bounds[part.wiring.target]
        places = np.empty(int(bounds[-1]), dtype=np.int64)
        for block in range(self.builder.n_blocks):
            first, last = int(bounds[block]), int(bounds[block + 1])
            rows = int(layout.row_starts[block, port]) + np.arange(last - first)
            if len(rows) and rows[-1] >= 2**_ROW_BITS:
                raise ValueError(f"block {block} of the layout has more than 65,536 accumulators")
            places[first:last] = (rows << records.row_shift) + (block << records.block_shift)
        return places + (part.class_ << records.class_shift)


def _delay_ends(law: Law, dt: float) -> tuple[int, int]:
    """Return the least and the largest delay in steps."""
    least, largest = law.ends()
    if law.kind in (variates.CONSTANT, variates.LISTED):
        return max(int(least), 1), max(int(largest), 1)
    return max(int(np.floor(least / dt + 0.5)), 1), max(int(np.floor(largest / dt + 0.5)), 1)


def _ranges(ends: np.ndarray, most: int) -> Iterator[tuple[int, int]]:
    """Cut sources into ranges of at most `most` synapses, or of one source.

    `ends` holds the number of synapses of each source and all before it.
    """
    low, before = 0, 0
    while low < len(ends):
        high = max(int(np.searchsorted(ends, before + most, side="right")), low + 1)
        yield low, high
        low, before = high, int(ends[high - 1])


def _located(source: Population, target: Population) -> Any:
    return _check.located(f"projection from {source.name!r} to {target.name!r}")


class _Job:
    """Some sources of a population, to be drawn, sorted and written by one thread."""

    def __init__(
        self,
        target: _Target,
        parts: list[_Part],
        rows: list[Rows],
        places: list[np.ndarray],
        records: _Records,
        sort_from: int,
        first_source: int,
        number: int,
    ):
        self.target, self.parts, self.rows, self.places = target, parts, rows, places
        self.records, self.sort_from = records, sort_from
        self.first_source, self.number = first_source, number

    def run(self, low: int, high: int) -> Iterator[None]:
        """Work on the sources `low` to ``high - 1`` of the population."""
        target, builder = self.target, self.target.builder
        n_blocks = builder.n_blocks
        first = self.first_source
        ends = target.ends[first + low : first + high]
        before = int(target.starts[(first + low) * n_blocks])
        counts = np.diff(ends, prepend=before)
        size = max(_CHUNK, int(counts.max()))
        records, other, buckets = (np.empty(size, dtype=np.int64) for _ in range(3))
        values = np.empty(size if target.kind != UNIFORM else 0)
        counts_of_digits = np.empty(2**_DIGIT, dtype=np.int64)
        scratch = self._scratch(low, high)
        made = []
        for begin, end in _ranges(ends - before, _CHUNK):
            base = before if begin == 0 else int(ends[begin - 1])
            starts = ends[begin:end] - counts[begin:end] - base
            filled = starts.copy()
            for part, rows, places, memory in zip(
                self.parts, self.rows, self.places, scratch, strict=True
            ):
                law = part.drawing.weight
                if target.kind == UNIFORM:
                    law = law._replace(kind=variates.CONSTANT)
                shortest = fill_rows(
                    records,
                    values,
                    starts,
                    filled,
                    low + begin,
                    rows,
                    places,
                    law,
                    part.per_unit,
                    part.drawing.delay,
                    builder.dt,
                    self.records,
                    *memory,
                )
                if shortest < np.inf:
                    wiring = part.wiring
                    populations = builder.populations
                    with _located(populations[wiring.source], populations[wiring.target]):
                        refuse_short("", shortest, builder.dt)
            slots = (first + low + begin) * n_blocks
            n_buckets = lay_rows(
                records,
                other,
                values,
                starts,
                filled,
                self.records,
                self.sort_from,
                base,
                target.kind,
                target.rows,
                target.weights,
                target.packed,
                target.starts[slots : slots + (end - begin) * n_blocks],
                target.bucket_starts[slots + 1 : slots + 1 + (end - begin) * n_blocks],
                buckets,
                n_blocks,
                counts_of_digits,
            )
            made.append(buckets[:n_buckets].copy())
            yield
        target.buckets[self.number] = np.concatenate(made)

    def _scratch(self, low: int, high: int) -> list[tuple[np.ndarray, ...]]:
        memory = []
        for rows in self.rows:
            k = 0 if rows.listed else int(rows.counts[low:high].max())
            n_seen = rows.n if rows.distinct and k else 0
            memory.append((*choice_scratch(k, n_seen), np.empty(BATCH)))
        return memory


@kernel(error_model="numpy")
def fill_rows(
    records,
    values,
    starts,
    filled,
    first,
    rows,
    places,
    weight,
    per_unit,
    delay,
    dt,
    layout,
    chosen,
    seen,
    words,
    batch,
):
    """Draw the synapses of some sources, one projection.

    A record holds block, class, delay, accumulator and the number of the synapse within its
    source, from the upper bits to the lower.

    Parameters
    ----------
    records, values : ndarray of int64 and float64
        Written: records and weights (those unless they are none), source after source.
    starts, filled : ndarray of int64, shape (n_sources,)
        Where each source begins, and where its next synapse goes.
    first : int
        The first source.
    rows, weight, per_unit, delay, dt, layout
        What to draw, see :class:`spikesim.engine.connect.Drawing`.
    places : ndarray of int64, shape (n_post,)
        Block, class and accumulator of each target, as in a record.
    chosen, seen, words, batch : ndarray
        Scratch.

    Returns
    -------
    float
        The shortest delay below one step (ms); inf if there is none.
    """
    shortest = np.inf
    for i in range(len(starts)):
        source = first + i
        k = int(rows.counts[source])
        if not rows.listed:
            choose(
                chosen,
                k,
                rows.n,
                rows.distinct,
                seen,
                words,
                source,
                variates.TARGETS,
                rows.k0,
                rows.k1,
            )
        begin = rows.firsts[source]
        for j in range(0, k, BATCH):
            m = min(k - j, BATCH)
            at = filled[i] + j
            number = at - starts[i]
            if rows.listed:
                for s in range(m):
                    post = rows.posts[begin - rows.first_post + j + s]
                    records[at + s] = places[post] + (number + s)
            else:
                for s in range(m):
                    post = chosen[j + s]
                    post += rows.skip if post >= source else 0
                    records[at + s] = places[post] + (number + s)
            if delay.kind == variates.CONSTANT:
                same = (np.int64(delay.a) - layout.first_delay) << layout.delay_shift
                for s in range(m):
                    records[at + s] += same
            elif delay.kind == variates.LISTED:
                for s in range(m):
                    steps = np.int64(delay.listed[begin + j + s]) - layout.first_delay
                    records[at + s] += steps << layout.delay_shift
            else:
                fill_values(
                    batch,
                    words,
                    j,
                    m,
                    delay.kind,
                    delay.a,
                    delay.b,
                    delay.low,
                    delay.high,
                    source,
                    variates.DELAYS,
                    rows.k0,
                    rows.k1,
                )
                for s in range(m):
                    in_steps = math.floor(batch[s] / dt + 0.5)
                    if in_steps < 1.0:
                        shortest = min(shortest, batch[s])
                    steps = np.int64(in_steps) - layout.first_delay
                    records[at + s] += steps << layout.delay_shift
            if len(values) == 0:
                continue
            if weight.kind == variates.CONSTANT:
                batch[:m] = weight.a
            elif weight.kind == variates.LISTED:
                for s in range(m):
                    batch[s] = weight.listed[begin + j + s]
            else:
                fill_values(
                    batch,
                    words,
                    j,
                    m,
                    weight.kind,
                    weight.a,
                    weight.b,
                    weight.low,
                    weight.high,
                    source,
                    variates.WEIGHTS,
                    rows.k0,
                    rows.k1,
                )
            if per_unit > 0.0:
                for s in range(m):
                    values[at + s] = math.floor(batch[s] * per_unit + 0.5)
            else:
                for s in range(m):
                    values[at + s] = batch[s]
        filled[i] += k
    return shortest


@kernel(error_model="numpy")
def sort_records(records, other, n, low, high, counts):
    """Sort `n` records by their bits `low` to ``high - 1``, those that agree in order.

    Digit by digit, from the lowest one. Returns True if the result is in `other`.
    """
    n_digits = (high - low + _DIGIT - 1) // _DIGIT
    if n <= _FEW:
        for i in range(1, n):
            record = records[i]
            key = record >> low
            j = i
            while j > 0 and records[j - 1] >> low > key:
                records[j] = records[j - 1]
                j -= 1
            records[j] = record
        return False
    swapped = False
    for digit in range(n_digits):
        source, goal = (other, records) if swapped else (records, other)
        begin = low + digit * (high - low) // n_digits
        end = low + (digit + 1) * (high - low) // n_digits
        mask = (1 << (end - begin)) - 1
        counts[: mask + 1] = 0
        for i in range(n):
            counts[(source[i] >> begin) & mask] += 1
        if counts[(source[0] >> begin) & mask] == n:
            continue
        total = 0
        for value in range(mask + 1):
            count = counts[value]
            counts[value] = total
            total += count
        for i in range(n):
            record = source[i]
            value = (record >> begin) & mask
            goal[counts[value]] = record
            counts[value] += 1
        swapped = not swapped
    return swapped


@kernel(error_model="numpy")
def lay_rows(
    records,
    other,
    values,
    record_starts,
    record_ends,
    layout,
    sort_from,
    base,
    kind,
    rows,
    weights,
    packed,
    starts,
    bucket_counts,
    buckets,
    n_blocks,
    counts,
):
    """Sort the synapses of each of some sources and write them where they belong.

    Parameters
    ----------
    records, values : ndarray
        What :func:`fill_rows` wrote, from ``record_starts[i]`` to ``record_ends[i] - 1`` for
        source i.
    other, counts : ndarray of int64
        Scratch.
    layout, sort_from
        How records are made up, and the lowest bit to sort by.
    base : int
        Where the first synapse goes.
    kind : int
        Of the store.
    rows, weights, packed, buckets : ndarray
        Written: `rows` and so on from `base`, `buckets` from 0.
    starts, bucket_counts : ndarray of int64, shape (n_sources * n_blocks,)
        Written.

    Returns
    -------
    int
        Number of buckets.
    """
    row_mask = (1 << _ROW_BITS) - 1
    delay_mask = (1 << (layout.class_shift - layout.delay_shift)) - 1
    class_mask = (1 << (layout.block_shift - layout.class_shift)) - 1
    number_mask = (1 << layout.row_shift) - 1
    n_buckets = 0
    at = base
    for source in range(len(record_starts)):
        first = record_starts[source]
        n = record_ends[source] - first
        own = records[first : first + n]
        if sort_records(own, other, n, sort_from, layout.end, counts):
            own = other[:n]
        begin = 0
        for block in range(n_blocks):
            starts[source * n_blocks + block] = at + begin
            before = n_buckets
            while begin < n and own[begin] >> layout.block_shift == block:
                key = own[begin] >> layout.delay_shift
                end = begin + 1
                most = min(n, begin + _LONGEST_BUCKET)
                while end < most and own[end] >> layout.delay_shift == key:
                    end += 1
                delay = (key & delay_mask) + layout.first_delay
                class_ = (own[begin] >> layout.class_shift) & class_mask
                buckets[n_buckets] = (delay << 32) | (class_ << 16) | (end - begin)
                n_buckets += 1
                begin = end
            bucket_counts[source * n_blocks + block] = n_buckets - before
        if kind == PACKED:
            for i in range(n):
                weight = np.int64(values[first + (own[i] & number_mask)])
                row = (own[i] >> layout.row_shift) & row_mask
                packed[at + i] = (weight << 16) + row
        else:
            for i in range(n):
                rows[at + i] = (own[i] >> layout.row_shift) & row_mask
            if kind == LISTED:
                for i in range(n):
                    weights[at + i] = values[first + (own[i] & number_mask)]
        at += n
    return n_buckets
