"""Learning: rules, losses, readouts, optimisers, the training loop and the gradient check."""

from spikesim.learning.backprop import Backprop
from spikesim.learning.base import LearningRule, Metrics
from spikesim.learning.committee import Committee
from spikesim.learning.committees import committee_network
from spikesim.learning.decolle import DECOLLE
from spikesim.learning.delta_rule import DeltaRule
from spikesim.learning.epochs import TrainingInterrupted
from spikesim.learning.eprop import EProp
from spikesim.learning.eventprop import EventProp
from spikesim.learning.evolution import Evolution
from spikesim.learning.exponentiated_gradient import ExponentiatedGradient
from spikesim.learning.feedback_alignment import DirectFeedbackAlignment, FeedbackAlignment
from spikesim.learning.gradient_check import GradientCheck, check_gradient
from spikesim.learning.history import History
from spikesim.learning.local import NetInput
from spikesim.learning.losses import MAE, MSE, CrossEntropy, SquaredError
from spikesim.learning.madaline_i import MadalineI
from spikesim.learning.madaline_ii import MadalineII
from spikesim.learning.optimisers import SGD, Adam, AdamW, RMSprop
from spikesim.learning.p_delta import PDelta
from spikesim.learning.perceptron import Perceptron
from spikesim.learning.proportional import Proportional
from spikesim.learning.readouts import (
    FirstSpike,
    MaxMembrane,
    MeanMembrane,
    RateOutput,
    SpikeCount,
    default_readout,
)
from spikesim.learning.regularisers import RateBounds
from spikesim.learning.reinforce import Reinforce
from spikesim.learning.relaxation import Relaxation
from spikesim.learning.result import FitResult, evaluate, load_fit
from spikesim.learning.resume import NearestTrain, ReSuMe
from spikesim.learning.reward_stdp import RewardSTDP
from spikesim.learning.schedules import (
    Constant,
    CosineDecay,
    ExponentialDecay,
    StepDecay,
    WarmUp,
)
from spikesim.learning.shares import update_shares
from spikesim.learning.spike_prop import SpikeProp
from spikesim.learning.spike_time_losses import TimeToFirstSpikeLoss
from spikesim.learning.stdp import STDP
from spikesim.learning.stopping import EarlyStopping
from spikesim.learning.tempotron import Tempotron
from spikesim.learning.training import fit, partial_fit
from spikesim.learning.winnow import Winnow

__all__ = [
    "DECOLLE",
    "MAE",
    "MSE",
    "SGD",
    "STDP",
    "Adam",
    "AdamW",
    "Backprop",
    "Committee",
    "Constant",
    "CosineDecay",
    "CrossEntropy",
    "DeltaRule",
    "DirectFeedbackAlignment",
    "EProp",
    "EarlyStopping",
    "EventProp",
    "Evolution",
    "ExponentialDecay",
    "ExponentiatedGradient",
    "FeedbackAlignment",
    "FirstSpike",
    "FitResult",
    "GradientCheck",
    "History",
    "LearningRule",
    "MadalineI",
    "MadalineII",
    "MaxMembrane",
    "MeanMembrane",
    "Metrics",
    "NearestTrain",
    "NetInput",
    "PDelta",
    "Perceptron",
    "Proportional",
    "RMSprop",
    "RateBounds",
    "RateOutput",
    "ReSuMe",
    "Reinforce",
    "Relaxation",
    "RewardSTDP",
    "SpikeCount",
    "SpikeProp",
    "StepDecay",
    "SquaredError",
    "Tempotron",
    "TimeToFirstSpikeLoss",
    "TrainingInterrupted",
    "WarmUp",
    "Winnow",
    "check_gradient",
    "committee_network",
    "default_readout",
    "evaluate",
    "fit",
    "load_fit",
    "partial_fit",
    "update_shares",
]
