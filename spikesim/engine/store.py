"""Synapses laid out in memory: by source, block of targets, weight class and delay.

Neurons are numbered over the whole network, population after population. Each block owns a range
of every population and adds what arrives into its own rows, the states of its synapse models
(:class:`spikesim.engine.plan.Memory`). The synapses of a source onto one block lie side by side,
in buckets of one delay. A spike is then a short list of buckets, and a bucket a piece of memory
that is read from end to end (``docs/decisions/0013-synapses-by-source-and-block.md``).

Synapses are drawn and sorted source by source, in memory that fits the cache, and written once.
The order within a bucket, by row, then by projection and by drawing, decides in which order
weights are added up. It depends neither on the number of blocks nor on that of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from spikesim import _check
from spikesim.engine.connect import Drawing, draw_rows
from spikesim.engine.filling import Filling, Part
from spikesim.engine.laws import LARGEST_COMPACT, Law, warn_if_coarse, weight_too_large
from spikesim.engine.pool import Pool
from spikesim.engine.records import LISTED, PACKED, ROW_BITS, UNIFORM, Records
from spikesim.engine.variates import CONSTANT
from spikesim.engine.variates import LISTED as LISTED_VALUES
from spikesim.errors import ParameterError
from spikesim.network.population import Population
from spikesim.network.projection import Projection
from spikesim.synapses import Delta

__all__ = ["Layout", "Store", "Stores", "Wiring", "make_stores"]

_MOST_CLASSES = 4096
_LARGEST_PACKED = 2**15 - 1
# A unit below this would be lost in single precision with the constants that it multiplies.
_LEAST_UNIT = 2.0**-100
# A weight that a projection has in common is at most so many units, so that sums stay finite.
_MOST_UNITS = 2.0**63


class Layout(NamedTuple):
    """Where the targets lie.

    Attributes
    ----------
    bounds : ndarray of int64, shape (n_populations, n_blocks + 1)
        Block b owns the neurons ``bounds[p, b]`` to ``bounds[p, b + 1] - 1`` of population p.
    row_starts : ndarray of int64, shape (n_blocks, n_ports)
        Row in block b of the first of its neurons with port q. Below 65,536.
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
        Row that each synapse adds to, within its block; none if packed.
    weights : ndarray of float64, shape (n,)
        Weight of each synapse; none if all of a class have one, or if packed.
    packed : ndarray of int32, shape (n,)
        Row in the lower 16 bits, unsigned, and weight in the upper 16, signed.
    starts, bucket_starts : ndarray of int64, shape (n_sources * n_blocks + 1,)
        See above.
    buckets : ndarray of int64, shape (n_buckets,)
        See above; no bucket is longer than 65,535.
    classes : ndarray of float64, or float32 in compact precision
        Weight of each class.
    n_early : int
        Classes below it are of delta synapses, which are felt before the test of their step.
    """

    rows: np.ndarray
    weights: np.ndarray
    packed: np.ndarray
    starts: np.ndarray
    bucket_starts: np.ndarray
    buckets: np.ndarray
    classes: np.ndarray
    n_early: int


class Stores(NamedTuple):
    """All synapses of a network.

    Attributes
    ----------
    uniform : Store
        Of projections with one weight: a weight for each class.
    listed : Store
        Of projections with several: a weight for each synapse, classes only for early and late.
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
    if not wirings:
        n_sources = sum(population.n for population in populations)
        return _no_stores(n_sources * (layout.bounds.shape[1] - 1), layout, compact)
    with Pool(threads, check_interrupt) as pool:
        return _Builder(wirings, populations, layout, dt, seed, compact, pool).build()


def _no_stores(n_rows: int, layout: Layout, compact: bool) -> Stores:
    """Return the stores of a network without projections."""
    starts, nothing = np.zeros(n_rows + 1, dtype=np.int64), np.zeros(0, dtype=np.int64)
    store = Store(
        nothing.astype(np.uint16),
        nothing.astype(np.float64),
        nothing.astype(np.int32),
        starts,
        starts,
        nothing,
        nothing.astype(np.float32 if compact else np.float64),
        0,
    )
    return Stores(store, store, np.ones(layout.row_starts.shape[1]), 0, 0, 0)


class _Builder:
    """Everything that the steps of :func:`make_stores` share."""

    def __init__(
        self,
        wirings: Sequence[Wiring],
        populations: Sequence[Population],
        layout: Layout,
        dt: float,
        seed: int,
        compact: bool,
        pool: Pool,
    ):
        self.wirings, self.populations, self.layout = wirings, populations, layout
        self.dt, self.compact, self.pool = dt, compact, pool
        self.real = np.float32 if compact else np.float64
        self.n_blocks = layout.bounds.shape[1] - 1
        self.first_source = np.cumsum([0, *(population.n for population in populations)])
        self.places: list[str] = []
        self.drawings: list[Drawing] = []
        for index, (projection, *ends, _) in enumerate(wirings):
            source, target = (populations[end] for end in ends)
            self.places.append(f"projection from {source.name!r} to {target.name!r}")
            with _check.located(self.places[-1]):
                drawing = draw_rows(projection, source, target, dt, seed, index, pool)
                largest = max(map(abs, drawing.weight.ends()))
                if compact and largest > LARGEST_COMPACT:
                    raise weight_too_large("Projection.weight", largest)
            self.drawings.append(drawing)

    def build(self) -> Stores:
        """Return the stores."""
        scales = self._scales()
        uniform, listed, weights, *early = self._parts(scales)
        for part in listed if self.compact else []:
            if part.drawing.rows.firsts[-1]:
                warn_if_coarse(part.drawing.weight, float(scales[part.port]), part.where)
        kinds = UNIFORM, PACKED if self.compact else LISTED
        fillings = [
            self._filling(kind, parts) for kind, parts in zip(kinds, (uniform, listed), strict=True)
        ]
        for number in range(len(self.populations)):
            for filling, parts in zip(fillings, (uniform, listed), strict=True):
                own = [part for part in parts if part.source == number]
                if any(part.drawing.rows.firsts[-1] for part in own):
                    self._fill(filling, own)
        self.drawings.clear()
        stores = [
            Store(
                filling.rows,
                filling.weights,
                filling.packed,
                filling.starts,
                filling.bucket_starts,
                filling.buckets(),
                some,
                first_late,
            )
            for filling, some, first_late in zip(
                fillings, (weights, weights[:0]), early, strict=True
            )
        ]
        delays = [store.buckets >> 32 for store in stores if len(store.buckets)]
        shortest = min((int(some.min()) for some in delays), default=0)
        longest = max((int(some.max()) for some in delays), default=0)
        n_synapses = sum(int(store.starts[-1]) for store in stores)
        return Stores(stores[0], stores[1], scales, shortest, longest, n_synapses)

    def _scales(self) -> np.ndarray:
        """Return what a weight of 1 is worth at each port: 1, or where weights are packed less.

        Only weights that are packed need a unit. Those that a projection has in common are, where
        there are so many that they may outnumber the classes.
        """
        scales = np.ones(self.layout.row_starts.shape[1])
        if not self.compact:
            return scales
        packed, common = np.zeros_like(scales), np.zeros_like(scales)
        for wiring, drawing in zip(self.wirings, self.drawings, strict=True):
            in_class = drawing.weight.kind == CONSTANT and len(self.wirings) <= _MOST_CLASSES
            largest = common if in_class else packed
            port = wiring.port
            largest[port] = max(largest[port], *map(abs, drawing.weight.ends()))
        used = packed > 0.0
        units = np.maximum(packed / _LARGEST_PACKED, common / _MOST_UNITS)
        scales[used] = np.maximum(units, _LEAST_UNIT)[used]
        return scales

    def _parts(self, scales: np.ndarray) -> tuple[list[Part], list[Part], np.ndarray, int, int]:
        """Return the parts of either store by row, the classes, how many of them are early."""
        keys = []
        for wiring, drawing in zip(self.wirings, self.drawings, strict=True):
            weight = drawing.weight.a if drawing.weight.kind == CONSTANT else np.nan
            late = not isinstance(wiring.projection.synapse, Delta)
            keys.append((late, weight / scales[wiring.port]))
        classes = sorted({key for key in keys if key[1] == key[1]})[:_MOST_CLASSES]
        class_of = {key: number for number, key in enumerate(classes)}
        uniform: list[Part] = []
        listed: list[Part] = []
        early = any(not late for late, weight in keys if (late, weight) not in class_of)
        for index in sorted(range(len(keys)), key=lambda index: self.wirings[index].port):
            _, source, target, port = self.wirings[index]
            where, drawing, key = self.places[index], self.drawings[index], keys[index]
            if key in class_of:
                uniform.append(Part(where, source, target, port, drawing, class_of[key], 0.0))
            else:
                unit = 1.0 / float(scales[port]) if self.compact else 0.0
                class_ = int(key[0] and early)
                listed.append(Part(where, source, target, port, drawing, class_, unit))
        weights = np.array([weight for _, weight in classes], dtype=self.real)
        return uniform, listed, weights, sum(not late for late, _ in classes), int(early)

    def _filling(self, kind: int, parts: list[Part]) -> Filling:
        counts = np.zeros(int(self.first_source[-1]), dtype=np.int64)
        for part in parts:
            first, last = self.first_source[part.source : part.source + 2]
            counts[first:last] += part.drawing.rows.counts
        return Filling(kind, counts, self.n_blocks, self.dt, self.pool)

    def _fill(self, filling: Filling, parts: list[Part]) -> None:
        """Fill in the synapses of one population."""
        records = self._records(parts)
        places = [self._places(part, records) for part in parts]
        ports = [part.port for part in parts]
        in_order = np.all(np.diff(self.layout.row_starts[:, ports], axis=1) > 0)
        if in_order and all(part.drawing.ascending for part in parts):
            sort_from = records.delay_shift
        else:
            sort_from = records.row_shift
        filling.fill(int(self.first_source[parts[0].source]), parts, places, records, sort_from)

    def _records(self, parts: list[Part]) -> Records:
        """Return the smallest records that hold the synapses of one source."""
        counts = np.sum([part.drawing.rows.counts for part in parts], axis=0)
        ends = [steps for part in parts for steps in _delay_ends(part.drawing.delay, self.dt)]
        row_shift = int(counts.max()).bit_length()
        delay_shift = row_shift + ROW_BITS
        class_shift = delay_shift + (max(ends) - min(ends)).bit_length()
        block_shift = class_shift + max(part.class_ for part in parts).bit_length()
        end = block_shift + (self.n_blocks - 1).bit_length()
        if end > 63:
            raise ParameterError(
                f"Projection.delay of {max(ends) * self.dt:g} ms is too long for so many synapses "
                f"of a neuron and so many neurons ({parts[0].where})"
            )
        return Records(row_shift, delay_shift, class_shift, block_shift, end, min(ends))

    def _places(self, part: Part, records: Records) -> np.ndarray:
        """Return the part of a record that says where each target is."""
        bounds, starts = self.layout.bounds[part.target], self.layout.row_starts[:, part.port]
        block = np.repeat(np.arange(self.n_blocks), np.diff(bounds))
        rows = starts[block] + np.arange(len(block)) - bounds[block]
        if np.any(rows >= 2**ROW_BITS):
            raise ValueError("a block of the layout has more than 65,536 rows")
        return (
            (rows << records.row_shift)
            + (block << records.block_shift)
            + (part.class_ << records.class_shift)
        )


def _delay_ends(law: Law, dt: float) -> tuple[int, int]:
    """Return the least and the largest delay in steps."""
    least, largest = law.ends()
    if law.kind not in (CONSTANT, LISTED_VALUES):
        least, largest = np.floor(least / dt + 0.5), np.floor(largest / dt + 0.5)
    return max(int(least), 1), max(int(largest), 1)
