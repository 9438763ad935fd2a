"""Kernels that draw, sort and write the synapses of some sources, in memory that fits the cache.

A synapse is first a record, one whole number that holds, from the upper bits to the lower, block,
class, delay, row and its number within the source. Sorted, records are in the order in
which synapses lie in memory; the number leads to the weight.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from spikesim._jit import kernel
from spikesim.engine import variates
from spikesim.engine.variates import BATCH, choose, fill_values

__all__ = ["LISTED", "PACKED", "UNIFORM", "Records", "fill_rows", "lay_rows", "sort_records"]

# What a store holds of a synapse: its row; its weight, too; both in one word.
UNIFORM, LISTED, PACKED = range(3)
ROW_BITS = 16
# Bits of a digit when sorting, and how many records are sorted by insertion.
DIGIT = 8
_FEW = 24
_LONGEST_BUCKET = 2**16 - 1


class Records(NamedTuple):
    """Where the numbers lie within a record, and what is subtracted from a delay."""

    row_shift: int
    delay_shift: int
    class_shift: int
    block_shift: int
    end: int
    first_delay: int


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

    A record holds block, class, delay, row and the number of the synapse within its source, from
    the upper bits to the lower.

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
        Block, class and row of each target, as in a record.
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
    n_digits = (high - low + DIGIT - 1) // DIGIT
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
    row_mask = (1 << ROW_BITS) - 1
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
