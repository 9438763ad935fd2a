"""The kernel that sends spikes on their way."""

from __future__ import annotations

from spikesim._jit import kernel

__all__ = ["deliver"]


@kernel
def deliver(ring, spike_steps, spike_sources, offsets, cells, weights, delays):
    """Add the weights of all synapses of the spiking neurons to the ring buffers.

    A spike stamped k over a delay of d steps arrives in step k + d. Spikes come sorted by step,
    then by source, so each cell sums its inputs in one order however a run is cut.

    Parameters
    ----------
    ring : ndarray, shape (n_cells, length)
        What arrives at step k lies in column ``k % length``; `length` is at least the longest
        delay.
    spike_steps, spike_sources : ndarray of int64, shape (n_spikes,)
        The spikes of a stretch; sources are numbered over the whole network.
    offsets : ndarray of int64, shape (n_sources + 1,)
        Synapses ``offsets[i]`` to ``offsets[i + 1] - 1`` belong to source i.
    cells, delays : ndarray of int32, shape (n_synapses,)
        Row of the ring that a synapse feeds; delay in steps.
    weights : ndarray, shape (n_synapses,)
        Weights (pA or mV).
    """
    length = ring.shape[1]
    for spike in range(len(spike_steps)):
        source = spike_sources[spike]
        stamp = spike_steps[spike]
        for s in range(offsets[source], offsets[source + 1]):
            ring[cells[s], (stamp + delays[s]) % length] += weights[s]
