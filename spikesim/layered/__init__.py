"""Trial-batched layered networks: described, run forward, differentiated backward."""

from spikesim.layered.backward import backward
from spikesim.layered.conversion import largest_count_error, to_spiking
from spikesim.layered.forward import SpikingTrace, Trace, forward
from spikesim.layered.network import Layer, LayeredNetwork, dense
from spikesim.layered.packed import PackedSpikes
from spikesim.layered.populations import to_network
from spikesim.layered.rate_code import Agreement, agreement
from spikesim.layered.spike_times import SpikeTimes

__all__ = [
    "Agreement",
    "Layer",
    "LayeredNetwork",
    "PackedSpikes",
    "SpikeTimes",
    "SpikingTrace",
    "Trace",
    "agreement",
    "backward",
    "dense",
    "forward",
    "largest_count_error",
    "to_network",
    "to_spiking",
]
