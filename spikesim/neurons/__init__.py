"""What a neuron is: one file a model, with its equation, parameters and step."""

from spikesim.neurons.adaptive_lif import AdaptiveLIF
from spikesim.neurons.inhomogeneous_poisson_source import InhomogeneousPoissonSource
from spikesim.neurons.lif import LIF
from spikesim.neurons.poisson_source import PoissonSource
from spikesim.neurons.relu import ReLU
from spikesim.neurons.sigmoid import Sigmoid
from spikesim.neurons.sigmoid_rate import SigmoidRate
from spikesim.neurons.spike_source import SpikeSource
from spikesim.neurons.step import Step
from spikesim.neurons.tanh import Tanh

__all__ = [
    "LIF",
    "AdaptiveLIF",
    "InhomogeneousPoissonSource",
    "PoissonSource",
    "ReLU",
    "Sigmoid",
    "SigmoidRate",
    "SpikeSource",
    "Step",
    "Tanh",
]
