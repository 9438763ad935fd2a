"""Simulate and train spiking neural networks on an ordinary computer.

Three things to do: :func:`simulate` a network of populations, :func:`fit` a layered network
with a learning rule, and compare rules on one task (``spikesim compare``).

Names are imported when they are first used, so that ``import spikesim`` stays quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "spikesim.distributions": ("LogNormal", "Normal", "Uniform"),
    "spikesim.errors": ("SpikesimError", "SpikesimWarning"),
    "spikesim.estimators": (
        "EncoderTransformer",
        "RateClassifier",
        "SpikingClassifier",
        "SpikingRegressor",
        "ThresholdClassifier",
    ),
    "spikesim.layered": ("Layer", "LayeredNetwork", "dense", "to_network"),
    "spikesim.learning": ("check_gradient", "evaluate", "fit", "load_fit", "partial_fit"),
    "spikesim.network": (
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
    ),
    "spikesim.neurons": (
        "AdaptiveLIF",
        "InhomogeneousPoissonSource",
        "LIF",
        "PoissonSource",
        "ReLU",
        "Sigmoid",
        "SigmoidRate",
        "SpikeSource",
        "Step",
        "Tanh",
    ),
    "spikesim.recording": ("Recording", "load_recording"),
    "spikesim.simulation": (
        "Record",
        "SimulationInterrupted",
        "connections",
        "load_state",
        "memory_needed",
        "simulate",
    ),
    "spikesim.surrogates": (
        "ArcTan",
        "Boxcar",
        "FastSigmoid",
        "Gaussian",
        "Logistic",
        "MultiGaussian",
        "OneSided",
        "StraightThrough",
        "Triangle",
        "Truncated",
    ),
    "spikesim.synapses": (
        "Alpha",
        "ConductanceAlpha",
        "ConductanceExponential",
        "Delta",
        "Exponential",
    ),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}
_SUBMODULES = (
    "comparison",
    "datasets",
    "distributions",
    "encoding",
    "errors",
    "estimators",
    "layered",
    "learning",
    "ledger",
    "network",
    "neurons",
    "plotting",
    "recording",
    "simulation",
    "surrogates",
    "synapses",
)

__all__ = sorted([*_HOME_OF, *_SUBMODULES, "__version__"])

if TYPE_CHECKING:
    from spikesim import (
        comparison,
        datasets,
        distributions,
        encoding,
        errors,
        estimators,
        layered,
        learning,
        ledger,
        network,
        neurons,
        plotting,
        recording,
        simulation,
        surrogates,
        synapses,
    )
    from spikesim.distributions import LogNormal, Normal, Uniform
    from spikesim.errors import SpikesimError, SpikesimWarning
    from spikesim.estimators import (
        EncoderTransformer,
        RateClassifier,
        SpikingClassifier,
        SpikingRegressor,
        ThresholdClassifier,
    )
    from spikesim.layered import Layer, LayeredNetwork, dense, to_network
    from spikesim.learning import check_gradient, evaluate, fit, load_fit, partial_fit
    from spikesim.network import (
        AllToAll,
        DistanceDependent,
        ExplicitList,
        ExponentialProfile,
        FixedInDegree,
        FixedOutDegree,
        FixedProbability,
        FixedTotalNumber,
        GaussianProfile,
        Network,
        NoiseCurrent,
        OneToOne,
        PoissonInput,
        Population,
        Projection,
        RampCurrent,
        SampledCurrent,
        SineCurrent,
        SparseMatrix,
        SpikeInput,
        StepCurrent,
        grid_positions,
    )
    from spikesim.neurons import (
        LIF,
        AdaptiveLIF,
        InhomogeneousPoissonSource,
        PoissonSource,
        ReLU,
        Sigmoid,
        SigmoidRate,
        SpikeSource,
        Step,
        Tanh,
    )
    from spikesim.recording import Recording, load_recording
    from spikesim.simulation import (
        Record,
        SimulationInterrupted,
        connections,
        load_state,
        memory_needed,
        simulate,
    )
    from spikesim.surrogates import (
        ArcTan,
        Boxcar,
        FastSigmoid,
        Gaussian,
        Logistic,
        MultiGaussian,
        OneSided,
        StraightThrough,
        Triangle,
        Truncated,
    )
    from spikesim.synapses import (
        Alpha,
        ConductanceAlpha,
        ConductanceExponential,
        Delta,
        Exponential,
    )


def __getattr__(name: str) -> Any:
    if name in _HOME_OF:
        value = getattr(importlib.import_module(_HOME_OF[name]), name)
    elif name in _SUBMODULES:
        value = importlib.import_module(f"spikesim.{name}")
    else:
        raise AttributeError(f"module 'spikesim' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
