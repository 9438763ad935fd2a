"""Optimisers: how parameters follow a gradient."""

from spikesim.learning.optimisers.adam import Adam, AdamW
from spikesim.learning.optimisers.base import Optimiser, OptimiserState
from spikesim.learning.optimisers.rmsprop import RMSprop
from spikesim.learning.optimisers.sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "Optimiser", "OptimiserState", "RMSprop"]
