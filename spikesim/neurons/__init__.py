"""What a neuron is: one file a model, with its equation, parameters and step."""

from spikesim.neurons.lif import LIF
from spikesim.neurons.poisson_source import PoissonSource
from spikesim.neurons.relu import ReLU
from spikesim.neurons.sigmoid import Sigmoid
from spikesim.neurons.spike_source import SpikeSource
from spikesim.neurons.step import Step
from spikesim.neurons.tanh import Tanh

__all__ = ["LIF", "PoissonSource", "ReLU", "Sigmoid", "SpikeSource", "Step", "Tanh"]
