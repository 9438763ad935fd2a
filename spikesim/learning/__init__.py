"""Learning: rules, losses, readouts, optimisers, the training loop and the gradient check."""

from spikesim.learning.backprop import Backprop
from spikesim.learning.base import LearningRule, Metrics
from spikesim.learning.gradient_check import GradientCheck, check_gradient
from spikesim.learning.losses import MAE, MSE, CrossEntropy
from spikesim.learning.optimisers import SGD, Adam
from spikesim.learning.readouts import (
    FirstSpike,
    MaxMembrane,
    RateOutput,
    SpikeCount,
    default_readout,
)
from spikesim.learning.training import FitResult, History, evaluate, fit

__all__ = [
    "MAE",
    "MSE",
    "SGD",
    "Adam",
    "Backprop",
    "CrossEntropy",
    "FirstSpike",
    "FitResult",
    "GradientCheck",
    "History",
    "LearningRule",
    "MaxMembrane",
    "Metrics",
    "RateOutput",
    "SpikeCount",
    "check_gradient",
    "default_readout",
    "evaluate",
    "fit",
]
