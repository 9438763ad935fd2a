"""A network described, no numerics: populations, projections, connection rules, inputs."""

from spikesim.network.inputs import (
    NoiseCurrent,
    PoissonInput,
    RampCurrent,
    SampledCurrent,
    SineCurrent,
    SpikeInput,
    StepCurrent,
)
from spikesim.network.network import Network
from spikesim.network.population import Population
from spikesim.network.projection import Projection
from spikesim.network.rules import (
    AllToAll,
    ExplicitList,
    FixedInDegree,
    FixedProbability,
    OneToOne,
)

__all__ = [
    "AllToAll",
    "ExplicitList",
    "FixedInDegree",
    "FixedProbability",
    "Network",
    "NoiseCurrent",
    "OneToOne",
    "PoissonInput",
    "Population",
    "Projection",
    "RampCurrent",
    "SampledCurrent",
    "SineCurrent",
    "SpikeInput",
    "StepCurrent",
]
