"""The kernels that put a network back to where a run ended."""

from __future__ import annotations

import numpy as np

from spikesim._jit import kernel
from spikesim.engine.deliver import _BOTH_BITS, _DELAY, _LENGTH_BITS, _START

__all__ = ["longest_list", "most_entries", "resume"]

U = np.uint64


@kernel(error_model="numpy")
def resume(soon, later, uniform, listed, fills, recent, done):
    """Put spikes of the past on the calendars, as far as they are still on their way.

    Parameters
    ----------
    soon, later : Calendar
        Empty ones; written.
    uniform, listed : Store
        Synapses.
    fills : ndarray of int64, shape (B,)
        Length of the longest list of each block; written.
    recent : ndarray of int64, shape (n_spikes,)
        ``step << 32 | neuron``, ascending.
    done : int
        Last step done.

    Returns
    -------
    bool
        Whether lists were too short.
    """
    soon.counts[:] = 0
    later.counts[:] = 0
    for block in range(fills.shape[0]):
        for spike in range(recent.shape[0]):
            step, source = recent[spike] >> 32, recent[spike] & 0xFFFFFFFF
            row = source * fills.shape[0] + block
            if _put_back(soon, uniform, fills, block, row, step, done) or _put_back(
                later, listed, fills, block, row, step, done
            ):
                return True
    return False


@kernel(error_model="numpy")
def _put_back(calendar, store, fills, block, row, step, done):
    position = store.starts[row]
    for index in range(store.bucket_starts[row], store.bucket_starts[row + 1]):
        bucket = store.buckets[index]
        arrival = step + np.int64(bucket >> _DELAY)
        if arrival > done:
            slot = arrival % calendar.counts.shape[1]
            count = calendar.counts[block, slot]
            if count == calendar.entries.shape[2]:
                return True
            calendar.entries[block, slot, count] = position << _START | bucket & _BOTH_BITS
            calendar.counts[block, slot] = count + 1
            fills[block] = max(fills[block], count + 1)
        position += bucket & _LENGTH_BITS
    return False


@kernel(error_model="numpy")
def most_entries(store):
    """Return a bound on the entries that one spike puts on one list: buckets of equal delay."""
    most = 0
    for row in range(store.bucket_starts.shape[0] - 1):
        repeated = 1
        first, last = store.bucket_starts[row], store.bucket_starts[row + 1]
        for index in range(first + U(1), last):
            # Buckets come by class, then delay: a later one that is not longer is a repetition.
            if store.buckets[index] >> _DELAY <= store.buckets[index - U(1)] >> _DELAY:
                repeated += 1
        most = max(most, repeated)
    return most


@kernel(bare=True)
def longest_list(counts, store, spikes):
    """Return how long the longest list of a calendar is once some spikes are on it.

    Parameters
    ----------
    counts : ndarray of int64, shape (B, L)
        Lengths of the lists now; changed to those that they will have.
    store : Store
        Synapses.
    spikes : ndarray of int64, shape (n_spikes,)
        ``step << 32 | neuron``.
    """
    for block in range(counts.shape[0]):
        for spike in range(spikes.shape[0]):
            step, source = spikes[spike] >> 32, spikes[spike] & 0xFFFFFFFF
            row = source * counts.shape[0] + block
            for index in range(store.bucket_starts[row], store.bucket_starts[row + 1]):
                arrival = step + np.int64(store.buckets[index] >> _DELAY)
                counts[block, arrival % counts.shape[1]] += 1
    longest = 0
    for block in range(counts.shape[0]):
        for slot in range(counts.shape[1]):
            longest = max(longest, counts[block, slot])
    return longest
