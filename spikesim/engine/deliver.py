"""The kernels that send spikes on their way.

A spike is put on the calendar once, when it is fired: for each of its delays one entry, at the
step of arrival, that names a bucket of synapses. When that step comes, the bucket is added into
the rows of the block, which are few enough to stay in the cache. Entries come in order of
step and source, whatever the number of blocks and threads, so that every sum is made in one order.
"""

from __future__ import annotations

import numpy as np

from spikesim._jit import kernel
from spikesim.engine.prefetch import prefetch

__all__ = ["deliver_listed", "deliver_packed", "deliver_rates", "deliver_uniform", "schedule"]

U = np.uint64
# An entry, and a bucket of a store: what lies in which bits.
_DELAY, _START, _CLASS = U(32), U(28), U(16)
_LENGTH_BITS, _CLASS_BITS, _BOTH_BITS = U(0xFFFF), U(0xFFF), U(0xFFFFFFF)
# Entries that a hint runs ahead, and synapses on a line of the cache.
_AHEAD, _ROWS, _PACKED = U(3), U(32), U(16)


@kernel(bare=True)
def schedule(entries, counts, starts, bucket_starts, buckets, block, row, slot, fill):
    """Put one spike on the calendar of a block; return the length of the longest list so far.

    Parameters
    ----------
    entries, counts : ndarray
        Calendar; written.
    starts, bucket_starts, buckets : ndarray of uint64
        Of the store.
    block, row : int
        The block; where the synapses lie that lead from the source into it.
    slot : int
        List of the step in which the spike was fired; no delay is longer than there are lists.
    fill : int
        Length of the longest list so far.
    """
    position = starts[row]
    n_slots = U(counts.shape[1])
    for index in range(bucket_starts[row], bucket_starts[row + U(1)]):
        bucket = buckets[index]
        arrival = slot + (bucket >> _DELAY)
        if arrival >= n_slots:
            arrival -= n_slots
        count = U(counts[block, arrival])
        entries[block, arrival, count] = position << _START | bucket & _BOTH_BITS
        counts[block, arrival] = count + U(1)
        fill = max(fill, count + U(1))
        position += bucket & _LENGTH_BITS
    return fill


@kernel(bare=True)
def deliver_uniform(rows, base, targets, classes, entries, n_entries, first_class, last_class):
    """Add for every synapse of some entries the weight of its class.

    Parameters
    ----------
    rows : ndarray
        Rows of all blocks; those of this one begin at `base`.
    targets, classes : ndarray
        `rows` and `classes` of the store.
    entries : ndarray of uint64
        The list of this step, of which `n_entries` hold.
    first_class, last_class : int
        Entries of classes from the first to below the last are delivered, the others wait.
    """
    for index in range(n_entries):
        entry = entries[index]
        if index + _AHEAD < n_entries:
            ahead = entries[index + _AHEAD] >> _START
            prefetch(targets, ahead)
            prefetch(targets, ahead + _ROWS)
        class_ = entry >> _CLASS & _CLASS_BITS
        if class_ < first_class or class_ >= last_class:
            continue
        weight = classes[class_]
        start = entry >> _START
        for synapse in range(start, start + (entry & _LENGTH_BITS)):
            rows[base + U(targets[synapse])] += weight


@kernel(bare=True)
def deliver_listed(rows, base, targets, weights, entries, n_entries, first_class, last_class):
    """Add the weight of each synapse; parameters as in :func:`deliver_uniform`."""
    for index in range(n_entries):
        entry = entries[index]
        class_ = entry >> _CLASS & _CLASS_BITS
        if class_ < first_class or class_ >= last_class:
            continue
        start = entry >> _START
        for synapse in range(start, start + (entry & _LENGTH_BITS)):
            rows[base + U(targets[synapse])] += weights[synapse]


@kernel(bare=True)
def deliver_packed(rows, base, packed, entries, n_entries, first_class, last_class):
    """Add the weight of each packed synapse: its row in the low 16 bits, it in the high ones."""
    for index in range(n_entries):
        entry = entries[index]
        if index + _AHEAD < n_entries:
            ahead = entries[index + _AHEAD] >> _START
            prefetch(packed, ahead)
            prefetch(packed, ahead + _PACKED)
            prefetch(packed, ahead + U(2) * _PACKED)
            prefetch(packed, ahead + U(3) * _PACKED)
        class_ = entry >> _CLASS & _CLASS_BITS
        if class_ < first_class or class_ >= last_class:
            continue
        start = entry >> _START
        for synapse in range(start, start + (entry & _LENGTH_BITS)):
            both = packed[synapse]
            rows[base + U(both & np.int32(0xFFFF))] += rows.dtype.type(both >> np.int32(16))


@kernel(bare=True)
def deliver_rates(
    rates, rows, base, store, row, column, now, spikes_per_hz, first_class, last_class
):
    """Add what a rate neuron sent into a block, so that it arrives in step `now`.

    Parameters
    ----------
    rates, rows : ndarray
        Read; written, beginning at `base`.
    store : Store
        Synapses.
    row, column : int
        Where the synapses of the neuron into the block lie; its column in the rates.
    now : int
        Step.
    spikes_per_hz : float
        Spikes expected in a step at a rate of one Hz.
    first_class, last_class : int
        As in :func:`deliver_uniform`.
    """
    position = store.starts[row]
    for index in range(store.bucket_starts[row], store.bucket_starts[row + U(1)]):
        bucket = store.buckets[index]
        delay, end = bucket >> _DELAY, position + (bucket & _LENGTH_BITS)
        class_ = bucket >> _CLASS & _CLASS_BITS
        if delay < now and first_class <= class_ < last_class:
            rate = rates[(now - delay) % U(rates.shape[0]), column]
            sent = rows.dtype.type(rate * spikes_per_hz)
            if store.packed.shape[0] > 0:
                for synapse in range(position, end):
                    both = store.packed[synapse]
                    weight = rows.dtype.type(both >> np.int32(16))
                    rows[base + U(both & np.int32(0xFFFF))] += weight * sent
            elif store.weights.shape[0] > 0:
                for synapse in range(position, end):
                    weight = rows.dtype.type(store.weights[synapse])
                    rows[base + U(store.rows[synapse])] += weight * sent
            else:
                weight = rows.dtype.type(store.classes[class_])
                for synapse in range(position, end):
                    rows[base + U(store.rows[synapse])] += weight * sent
        position = end
