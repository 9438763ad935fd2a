"""A network described, no numerics: populations, projections, connection rules, inputs."""

from spikesim.network.distance import DistanceDependent, ExponentialProfile, GaussianProfile
from spikesim.network.inputs import (
    NoiseCurrent,
    PoissonInput,
    RampCurrent,
    SampledCurrent,
    SineCurrent,
    SpikeInput,
    StepCurrent,
)
from spikesim.network.matrix import SparseMatrix
from spikesim.network.network import Network
from spikesim.network.population import Population, grid_positions
from spikesim.network.projection import Projection
from spikesim.network.rules import (
    AllToAll,
    ExplicitList,
    FixedInDegree,
    FixedOutDegree,
    FixedProbability,
    FixedTotalNumber,
    OneToOne,
)

__all__ = [
    "AllToAll",
    "DistanceDependent",
    "ExplicitList",
    "ExponentialProfile",
    "FixedInDegree",
    "FixedOutDegree",
    "FixedProbability",
    "FixedTotalNumber",
    "GaussianProfile",
    "Network",
    "NoiseCurrent",
    "OneToOne",
    "PoissonInput",
    "Population",
    "Projection",
    "RampCurrent",
    "SampledCurrent",
    "SineCurrent",
    "SparseMatrix",
    "SpikeInput",
    "StepCurrent",
    "grid_positions",
]
