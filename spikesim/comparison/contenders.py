"""The classic table of contenders, for XOR and Iris: who takes part, and what is tuned."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from spikesim.comparison import builders
from spikesim.comparison.baselines import CLASSIC
from spikesim.comparison.builders import NEURON, Build, Settings
from spikesim.comparison.contender import Contender, Note
from spikesim.learning import DeltaRule, Perceptron, Proportional, Relaxation, Tempotron
from spikesim.neurons import Step

__all__ = ["CONTENDERS", "NOTES"]

_EVERYWHERE = ("xor", "iris2", "iris")
_GAIN, _SPIKING_GAIN = (0.3, 3.0), (1.0, 20.0)
_BIAS = {"bias_sd": (0.01, 1.0)}
_MARGIN = {"margin": (0.03, 1.0)}
_TEMPOTRON = {"learning_rate": (0.03, 10.0), "gain": _SPIKING_GAIN, "momentum": (0.01, 0.95)}
_COMMITTEE = {"learning_rate": (0.03, 10.0), "gain": _GAIN, "bias_sd": (0.1, 3.0)}
_SPIKING_COMMITTEE = {"learning_rate": (0.01, 3.0), "gain": _SPIKING_GAIN, "bias_sd": (0.1, 3.0)}
_SIGMOID = {"learning_rate": (0.005, 0.5), "gain": _GAIN, "steepness": (0.25, 4.0)}
_SURROGATE = {"learning_rate": (0.01, 1.0), "gain": _SPIKING_GAIN, "slope": (1.0, 30.0)}


def _local_pair(
    name: str,
    rule: str,
    make_rule: Callable[[Settings], Any],
    rate: tuple[float, float],
    third: dict[str, tuple[float, float]],
) -> list[Contender]:
    """Return the twins of a single-layer rule on threshold units and on LIF units."""
    return [
        Contender(
            name,
            network,
            "local",
            rule,
            _EVERYWHERE,
            {"learning_rate": rate, "gain": gain, **third},
            "single",
            builders.single(make_rule, unit),
        )
        for network, unit, gain in (("rate", Step(), _GAIN), ("LIF", NEURON, _SPIKING_GAIN))
    ]


def _perceptron(s: Settings) -> Any:
    return Perceptron(s["learning_rate"])


def _delta_rule(s: Settings) -> Any:
    return DeltaRule(s["learning_rate"], s["margin"])


def _relaxation(s: Settings) -> Any:
    return Relaxation(s["learning_rate"], s["margin"])


def _proportional(s: Settings) -> Any:
    return Proportional(s["learning_rate"])


def _proportional_active(s: Settings) -> Any:
    return Proportional(s["learning_rate"], reading="active")


def _tempotron(s: Settings) -> Any:
    return Tempotron(s["learning_rate"], s["momentum"])


def _learner(
    name: str,
    network: str,
    family: str,
    rule: str,
    space: Mapping[str, tuple[float, float]],
    layers: str,
    build: Build,
    tasks: tuple[str, ...] = _EVERYWHERE,
) -> Contender:
    return Contender(name, network, family, rule, tasks, space, layers, build)


CONTENDERS: tuple[Contender, ...] = (
    *_local_pair("perceptron", "Perceptron", _perceptron, (0.003, 1.0), _BIAS),
    *_local_pair("delta rule", "DeltaRule", _delta_rule, (0.003, 1.0), _MARGIN),
    *_local_pair("relaxation", "Relaxation", _relaxation, (0.02, 1.9), _MARGIN),
    *_local_pair("proportional, all inputs", "Proportional", _proportional, (0.003, 1.0), _BIAS),
    *_local_pair(
        "proportional, active inputs", "Proportional", _proportional_active, (0.003, 1.0), _BIAS
    ),
    _learner(
        "tempotron", "LIF", "local", "Tempotron", _TEMPOTRON, "single",
        builders.single(_tempotron, NEURON),
    ),
    _learner(
        "tempotron, latency code", "LIF", "local", "Tempotron", _TEMPOTRON, "single",
        builders.single(_tempotron, NEURON, builders.latency_code), ("xor",),
    ),
    _learner(
        "sigmoid unit", "rate", "gradient", "Backprop", _SIGMOID, "single", builders.backprop
    ),
    _learner(
        "committee", "rate", "local", "Committee", _COMMITTEE, "committee",
        builders.committee(Step()),
    ),
    _learner(
        "committee", "LIF", "local", "Committee", _SPIKING_COMMITTEE, "committee",
        builders.committee(NEURON),
    ),
    _learner(
        "committee, latency code", "LIF", "local", "Committee", _SPIKING_COMMITTEE, "committee",
        builders.committee(NEURON, builders.latency_code), ("xor",),
    ),
    _learner(
        "backpropagation", "rate", "gradient", "Backprop", _SIGMOID, "hidden", builders.backprop
    ),
    _learner(
        "surrogate gradient", "LIF", "gradient", "Backprop", _SURROGATE, "hidden",
        builders.surrogate(recurrent=False),
    ),
    _learner(
        "surrogate gradient, recurrent", "LIF", "gradient", "Backprop", _SURROGATE, "hidden",
        builders.surrogate(recurrent=True),
    ),
    *CLASSIC,
)  # fmt: skip

NOTES: dict[str, Note] = {
    "perceptron": Note(
        "After a wrong answer, add the input to the weights or take it away.",
        "its input; whether the unit was wrong, and in which direction",
        "Rosenblatt 1958",
    ),
    "delta rule": Note(
        "On every sample, pull the net input towards a value on the right side of the threshold.",
        "its input; the graded error of the unit",
        "Widrow & Hoff 1960",
    ),
    "relaxation": Note(
        "After a wrong answer, change the net input by a share of the error, along the input.",
        "its input; the graded error of the unit; the length of the whole input",
        "Agmon 1954; Motzkin & Schoenberg 1954",
    ),
    "proportional, all inputs": Note(
        "After a wrong answer, scale every weight by a percentage of the error.",
        "its weight; the graded error of the unit",
        "the literal reading of a percentage rule",
    ),
    "proportional, active inputs": Note(
        "The same, for inputs that were active only. No weight ever changes sign.",
        "its weight; whether its input was active; the graded error of the unit",
        "compare Littlestone 1988",
    ),
    "tempotron": Note(
        "After a wrong answer, change each weight by what its input added to the highest "
        "potential.",
        "the trace of its own spikes; when the potential was highest; the direction of the error",
        "Guetig & Sompolinsky 2006",
    ),
    "tempotron, latency code": Note(
        "The tempotron, with inputs that tell 1 from 0 by an early or a late spike.",
        "as the tempotron",
        "Guetig & Sompolinsky 2006",
    ),
    "sigmoid unit": Note(
        "Follow the gradient of the error of one smooth unit (one for each class).",
        "its input; the error of its own unit",
        "Widrow & Lehr 1990",
    ),
    "committee": Note(
        "Hidden units vote. When the majority is wrong, the wrong voters nearest to their "
        "threshold learn, as few as turn the vote.",
        "its input and one signed bit; units compare how near they are to their threshold",
        "Nilsson 1965",
    ),
    "committee, latency code": Note(
        "The committee, with inputs that tell 1 from 0 by an early or a late spike.",
        "as the committee",
        "Nilsson 1965",
    ),
    "backpropagation": Note(
        "Follow the gradient of the error, carried back through the weights of sigmoid units.",
        "its input; an error that arrives backwards through the outgoing weights",
        "Rumelhart, Hinton & Williams 1986",
    ),
    "surrogate gradient": Note(
        "The same through spikes and time; a smooth bump stands for the derivative of a spike.",
        "the trace of its input; an error carried back through outgoing weights and through time",
        "Neftci, Mostafa & Zenke 2019",
    ),
    "surrogate gradient, recurrent": Note(
        "The same, for a hidden layer whose neurons also send spikes to each other.",
        "as the surrogate gradient",
        "Neftci, Mostafa & Zenke 2019",
    ),
    "majority class": Note("Always answer the most frequent class.", "nothing", "baseline"),
    "LDA": Note(
        "Linear discriminant analysis: one Gaussian for each class, with a shared covariance.",
        "all samples at once",
        "Fisher 1936",
    ),
    "logistic regression": Note(
        "The best linear boundary in probability, with regularisation.",
        "all samples at once",
        "scikit-learn",
    ),
    "RBF SVM": Note(
        "Largest margin in the space of a Gaussian kernel.", "all samples at once", "scikit-learn"
    ),
}
