"""Trial-batched layered networks: described, run forward, differentiated backward."""

from spikesim.layered.network import Layer, LayeredNetwork, dense

__all__ = ["Layer", "LayeredNetwork", "dense"]
