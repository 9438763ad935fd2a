"""Trial-batched layered networks: described, run forward, differentiated backward."""

from spikesim.layered.backward import backward
from spikesim.layered.forward import Trace, forward
from spikesim.layered.network import Layer, LayeredNetwork, dense

__all__ = ["Layer", "LayeredNetwork", "Trace", "backward", "dense", "forward"]
