"""The one table of contenders: who takes part, what each is, and how it is built for a task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from spikesim import _check
from spikesim.encoding import Analog, LatencyEncoder, PopulationEncoder, RateEncoder
from spikesim.layered import LayeredNetwork, dense
from spikesim.learning import (
    Adam,
    Backprop,
    Committee,
    CrossEntropy,
    DeltaRule,
    Perceptron,
    Proportional,
    Relaxation,
    SpikeCount,
    Tempotron,
    committee_network,
)
from spikesim.neurons import LIF, Sigmoid, Step
from spikesim.surrogates import FastSigmoid
from spikesim.synapses import Exponential

__all__ = ["CONTENDERS", "NOTES", "Contender", "Note", "Plan", "contender"]

Settings = Mapping[str, float]
_TAU_M, _TAU_SYN = 10.0, 5.0


class Note(NamedTuple):
    """What the report says of a rule."""

    what: str
    knows: str
    source: str


class Plan(NamedTuple):
    """A contender made ready for one run."""

    network: LayeredNetwork
    rule: Any
    encoder: Any
    scaled: bool
    batch_size: int | None


class Size(NamedTuple):
    """What a contender must know of a task to be built for it."""

    task: str
    n_features: int
    n_classes: int


@dataclass(frozen=True)
class Contender:
    """One line of the table.

    Attributes
    ----------
    name : str
        The rule, in words; twins on rate and LIF units share it.
    network : {"rate", "LIF", ""}
        Kind of units.
    family : {"local", "gradient", "classical"}
        Kind of rule.
    rule : str
        Class of the rule or estimator.
    tasks : tuple of str
        Where it takes part.
    space : dict of str to (float, float)
        Settings that are tuned, each log-uniform between two ends: three for every contender
        that learns.
    layers : {"single", "hidden", "committee", ""}
        Which hidden sizes it runs with on XOR.
    build : callable, optional
        ``build(size, hidden, settings, rng)`` returns the :class:`Plan`.
    estimator : callable, optional
        Returns the scikit-learn estimator of a classical method.
    """

    name: str
    network: str
    family: str
    rule: str
    tasks: tuple[str, ...]
    space: Mapping[str, tuple[float, float]]
    layers: str = ""
    build: Callable[[Size, int, Settings, Any], Plan] | None = None
    estimator: Callable[[], Any] | None = None

    @property
    def key(self) -> str:
        """Name and kind of units: what settings are filed under."""
        return f"{self.name}/{self.network}" if self.network else self.name

    def hidden_sizes(self, task: str, sizes: tuple[int, ...]) -> tuple[int, ...]:
        """Return the hidden sizes to run on `task`: those asked for on XOR, one on Iris."""
        if self.layers in ("single", ""):
            return (0,)
        if task == "xor":
            return sizes
        # An odd committee has no ties; there is one for each class.
        return (5,) if self.layers == "committee" else (8,)


def contender(name: str, network: str) -> Contender:
    """Return the contender of that name on that kind of units."""
    for candidate in CONTENDERS:
        if (candidate.name, candidate.network) == (name, network):
            return candidate
    names = sorted({c.name for c in CONTENDERS})
    _check.choice("contender.name", name, names)
    raise _check.ParameterError(f"contender.network: {name!r} does not run on {network!r} units")


def _outputs(size: Size) -> int:
    return 1 if size.n_classes == 2 else size.n_classes


def spike_code(task: str) -> Any:
    """Return the encoder of LIF networks on a task.

    Presence or absence of a regular train on XOR; Gaussian receptive fields, each with a single
    spike that comes the earlier the better the field fits, on Iris.
    """
    if task == "xor":
        return RateEncoder(duration=30.0, max_rate=200.0)
    return PopulationEncoder(n_fields=8, width=1.5, duration=30.0, t_max=20.0)


def _single(make_rule: Callable[[Settings], Any], unit: Any) -> Callable[..., Plan]:
    """Return the builder of a single layer of `unit` with threshold 1."""

    def build(size: Size, hidden: int, settings: Settings, rng: Any) -> Plan:
        encoder = spike_code(size.task) if unit.spiking else Analog()
        return _local_plan(size, (), settings, rng, unit, encoder, make_rule(settings))

    return build


def _local_plan(
    size: Size, hidden: tuple[int, ...], settings: Settings, rng: Any, unit: Any, encoder: Any,
    rule: Any,
) -> Plan:  # fmt: skip
    sizes = (encoder.n_inputs(size.n_features), *hidden, _outputs(size))
    network = dense(
        sizes, unit, synapse=Exponential(_TAU_SYN), gain=settings["gain"],
        bias_sd=settings.get("bias_sd", 0.0), dt=1.0, rng=rng,
    )  # fmt: skip
    if not unit.spiking:
        layers = [layer.updated(bias=layer.bias - 1.0) for layer in network.layers]
        network = network.updated(layers)
    return Plan(network, rule, encoder, not unit.spiking and size.task == "iris", None)


def _tempotron_in_time(size: Size, hidden: int, settings: Settings, rng: Any) -> Plan:
    encoder = LatencyEncoder(duration=40.0, t_max=20.0)
    rule = Tempotron(settings["learning_rate"], settings["momentum"])
    return _local_plan(size, (), settings, rng, LIF.normalised(_TAU_M), encoder, rule)


def _committee(unit: Any) -> Callable[..., Plan]:
    """Return the builder of committees of `unit`, `hidden` units each."""

    def build(size: Size, hidden: int, settings: Settings, rng: Any) -> Plan:
        encoder = spike_code(size.task) if unit.spiking else Analog()
        network = committee_network(
            encoder.n_inputs(size.n_features), hidden, _outputs(size), unit,
            synapse=Exponential(_TAU_SYN), gain=settings["gain"], bias_sd=settings["bias_sd"],
            dt=1.0, rng=rng,
        )  # fmt: skip
        rule = Committee(settings["learning_rate"])
        return Plan(network, rule, encoder, not unit.spiking and size.task == "iris", None)

    return build


def _backprop(size: Size, hidden: int, settings: Settings, rng: Any) -> Plan:
    network = dense(
        (size.n_features, hidden, _outputs(size)), Sigmoid(settings["steepness"]),
        output=Sigmoid(), gain=settings["gain"], bias_sd=settings["gain"], rng=rng,
    )  # fmt: skip
    rule = Backprop(CrossEntropy(), Adam(settings["learning_rate"]))
    return Plan(network, rule, Analog(), size.task == "iris", _batch(size))


def _sigmoid_unit(size: Size, hidden: int, settings: Settings, rng: Any) -> Plan:
    network = dense(
        (size.n_features, _outputs(size)), Sigmoid(settings["steepness"]),
        gain=settings["gain"], rng=rng,
    )  # fmt: skip
    rule = Backprop(CrossEntropy(), Adam(settings["learning_rate"]))
    return Plan(network, rule, Analog(), size.task == "iris", _batch(size))


def _surrogate(recurrent: bool) -> Callable[..., Plan]:
    def build(size: Size, hidden: int, settings: Settings, rng: Any) -> Plan:
        encoder = spike_code(size.task)
        network = dense(
            (encoder.n_inputs(size.n_features), hidden, size.n_classes), LIF.normalised(_TAU_M),
            synapse=Exponential(_TAU_SYN), recurrent=recurrent, gain=settings["gain"],
            bias_sd=0.5, dt=1.0, rng=rng,
        )  # fmt: skip
        # A bias of 1 holds a neuron at its threshold, as a net input of 0 holds a sigmoid unit
        # at one half: from there it can be moved both ways. Many would be silent without.
        network = network.updated(
            [layer.updated(bias=layer.bias + 1.0) for layer in network.layers]
        )
        rule = Backprop(
            CrossEntropy(), Adam(settings["learning_rate"]), readout=SpikeCount(),
            surrogate=FastSigmoid(settings["slope"]),
        )  # fmt: skip
        return Plan(network, rule, encoder, False, _batch(size))

    return build


def _batch(size: Size) -> int | None:
    return None if size.task == "xor" else 16


def _classical(make: Callable[[], Any]) -> Callable[[], Any]:
    """Return the maker of an estimator behind a scaler, which is fitted inside the fold."""

    def make_pipeline() -> Any:
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        return make_pipeline(StandardScaler(), make())

    return make_pipeline


def _majority() -> Any:
    from sklearn.dummy import DummyClassifier

    return DummyClassifier(strategy="most_frequent")


def _lda() -> Any:
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    return LinearDiscriminantAnalysis()


def _logistic() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=1000)


def _svm() -> Any:
    from sklearn.svm import SVC

    return SVC(kernel="rbf")


_EVERYWHERE = ("xor", "iris2", "iris")
_ON_IRIS = ("iris2", "iris")
_GAIN, _SPIKING_GAIN = (0.3, 3.0), (1.0, 20.0)


def _local_pair(
    name: str, rule: str, make_rule: Callable[[Settings], Any], rate: tuple[float, float],
    third: dict[str, tuple[float, float]],
) -> tuple[Contender, Contender]:  # fmt: skip
    """Return the twins of a single-layer rule on threshold units and on LIF units."""
    return (
        Contender(
            name, "rate", "local", rule, _EVERYWHERE,
            {"learning_rate": rate, "gain": _GAIN, **third}, "single", _single(make_rule, Step()),
        ),
        Contender(
            name, "LIF", "local", rule, _EVERYWHERE,
            {"learning_rate": rate, "gain": _SPIKING_GAIN, **third}, "single",
            _single(make_rule, LIF.normalised(_TAU_M)),
        ),
    )  # fmt: skip


_BIAS = {"bias_sd": (0.01, 1.0)}
_MARGIN = {"margin": (0.03, 1.0)}
_TEMPOTRON = {"learning_rate": (0.03, 10.0), "gain": _SPIKING_GAIN, "momentum": (0.01, 0.95)}
_SIGMOID = {"learning_rate": (0.01, 1.0), "gain": _GAIN, "steepness": (0.5, 5.0)}
_SURROGATE = {"learning_rate": (0.01, 1.0), "gain": _SPIKING_GAIN, "slope": (1.0, 30.0)}

CONTENDERS: tuple[Contender, ...] = (
    *_local_pair("perceptron", "Perceptron", lambda s: Perceptron(s["learning_rate"]),
                 (0.003, 1.0), _BIAS),
    *_local_pair(
        "delta rule", "DeltaRule", lambda s: DeltaRule(s["learning_rate"], s["margin"]),
        (0.003, 1.0), _MARGIN,
    ),
    *_local_pair(
        "relaxation", "Relaxation", lambda s: Relaxation(s["learning_rate"], s["margin"]),
        (0.02, 1.9), _MARGIN,
    ),
    *_local_pair(
        "proportional, all inputs", "Proportional",
        lambda s: Proportional(s["learning_rate"]), (0.003, 1.0), _BIAS,
    ),
    *_local_pair(
        "proportional, active inputs", "Proportional",
        lambda s: Proportional(s["learning_rate"], active_only=True), (0.003, 1.0), _BIAS,
    ),
    Contender(
        "tempotron", "LIF", "local", "Tempotron", _EVERYWHERE,
        _TEMPOTRON, "single",
        _single(lambda s: Tempotron(s["learning_rate"], s["momentum"]), LIF.normalised(_TAU_M)),
    ),
    Contender(
        "tempotron, latency code", "LIF", "local", "Tempotron", ("xor",),
        _TEMPOTRON, "single",
        _tempotron_in_time,
    ),
    Contender(
        "sigmoid unit", "rate", "gradient", "Backprop", _EVERYWHERE,
        _SIGMOID, "single",
        _sigmoid_unit,
    ),
    Contender(
        "committee", "rate", "local", "Committee", _EVERYWHERE,
        {"learning_rate": (0.03, 10.0), "gain": _GAIN, "bias_sd": (0.1, 3.0)}, "committee",
        _committee(Step()),
    ),
    Contender(
        "committee", "LIF", "local", "Committee", _EVERYWHERE,
        {"learning_rate": (0.03, 10.0), "gain": _SPIKING_GAIN, "bias_sd": (0.1, 3.0)}, "committee",
        _committee(LIF.normalised(_TAU_M)),
    ),
    Contender(
        "backpropagation", "rate", "gradient", "Backprop", _EVERYWHERE,
        _SIGMOID, "hidden",
        _backprop,
    ),
    Contender(
        "surrogate gradient", "LIF", "gradient", "Backprop", _EVERYWHERE,
        _SURROGATE, "hidden",
        _surrogate(recurrent=False),
    ),
    Contender(
        "surrogate gradient, recurrent", "LIF", "gradient", "Backprop", _EVERYWHERE,
        _SURROGATE, "hidden",
        _surrogate(recurrent=True),
    ),
    Contender(
        "majority class", "", "classical", "DummyClassifier", _ON_IRIS, {},
        estimator=_classical(_majority),
    ),
    Contender(
        "LDA", "", "classical", "LinearDiscriminantAnalysis", _ON_IRIS, {},
        estimator=_classical(_lda),
    ),
    Contender(
        "logistic regression", "", "classical", "LogisticRegression", _ON_IRIS, {},
        estimator=_classical(_logistic),
    ),
    Contender("RBF SVM", "", "classical", "SVC", _ON_IRIS, {}, estimator=_classical(_svm)),
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
