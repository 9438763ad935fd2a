"""How each kind of contender is built for a task: network, rule and encoder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from spikesim.encoding import Analog, LatencyEncoder, PopulationEncoder, RateEncoder
from spikesim.layered import LayeredNetwork, dense
from spikesim.learning import (
    Adam,
    Backprop,
    Committee,
    CrossEntropy,
    SpikeCount,
    committee_network,
)
from spikesim.neurons import LIF, Sigmoid
from spikesim.surrogates import FastSigmoid
from spikesim.synapses import Exponential

__all__ = [
    "NEURON",
    "Build",
    "Plan",
    "Settings",
    "Size",
    "backprop",
    "committee",
    "latency_code",
    "single",
    "spike_code",
    "surrogate",
]

Settings = Mapping[str, float]
NEURON = LIF.normalised(tau_m=10.0)
_SYNAPSE = Exponential(5.0)


class Size(NamedTuple):
    """What must be known of a task to build a contender for it."""

    task: str
    n_features: int
    n_classes: int

    @property
    def n_outputs(self) -> int:
        """One output unit for two classes, else one for each."""
        return 1 if self.n_classes == 2 else self.n_classes


class Plan(NamedTuple):
    """A contender made ready for one run.

    Attributes
    ----------
    network, rule, encoder
        What :func:`spikesim.fit` takes.
    scaled : bool
        Whether features are standardised first, as the training part has it.
    batch_size : int or None
        Samples for each update; None for a whole epoch, in which local rules still learn
        from one sample after another.
    """

    network: LayeredNetwork
    rule: Any
    encoder: Any
    scaled: bool
    batch_size: int | None


Build = Callable[[Size, int, Settings, Any], Plan]


def spike_code(task: str) -> Any:
    """Return the encoder of LIF networks: presence or absence of a regular train on XOR.

    On Iris each feature has Gaussian receptive fields, each with a single spike that comes the
    earlier the better the field fits.
    """
    if task == "xor":
        return RateEncoder(duration=30.0, max_rate=200.0)
    return PopulationEncoder(n_fields=8, width=1.5, duration=30.0, t_max=20.0)


def latency_code(task: str) -> Any:
    """Return an encoder that tells 1 from 0 by an early or a late spike."""
    return LatencyEncoder(duration=40.0, t_max=20.0)


def single(
    make_rule: Callable[[Settings], Any], unit: Any, code: Callable[[str], Any] = spike_code
) -> Build:
    """Return the builder of a single layer of `unit`, with a threshold of 1 at the start."""

    def build(size: Size, hidden: int, settings: Settings, rng: Any) -> Plan:
        encoder = code(size.task) if unit.spiking else Analog()
        network = dense(
            (encoder.n_inputs(size.n_features), size.n_outputs), unit, synapse=_SYNAPSE,
            gain=settings["gain"], bias_sd=settings.get("bias_sd", 0.0), dt=1.0, rng=rng,
        )  # fmt: skip
        if not unit.spiking:
            network = _shifted(network, -1.0)
        scaled = not unit.spiking and size.task == "iris"
        return Plan(network, make_rule(settings), encoder, scaled, None)

    return build


def committee(unit: Any, code: Callable[[str], Any] = spike_code) -> Build:
    """Return the builder of committees of `unit`, `hidden` units each."""

    def build(size: Size, hidden: int, settings: Settings, rng: Any) -> Plan:
        encoder = code(size.task) if unit.spiking else Analog()
        network = committee_network(
            encoder.n_inputs(size.n_features), hidden, size.n_outputs, unit, synapse=_SYNAPSE,
            gain=settings["gain"], bias_sd=settings["bias_sd"], dt=1.0, rng=rng,
        )  # fmt: skip
        scaled = not unit.spiking and size.task == "iris"
        return Plan(network, Committee(settings["learning_rate"]), encoder, scaled, None)

    return build


def backprop(size: Size, hidden: int, settings: Settings, rng: Any) -> Plan:
    """Build a sigmoid network with one hidden layer, or with none where `hidden` is 0."""
    sizes = (size.n_features, *([hidden] if hidden else []), size.n_outputs)
    network = dense(
        sizes, Sigmoid(settings["steepness"]), output=Sigmoid(), gain=settings["gain"],
        bias_sd=settings["gain"], rng=rng,
    )  # fmt: skip
    rule = Backprop(CrossEntropy(), Adam(settings["learning_rate"]))
    return Plan(network, rule, Analog(), size.task == "iris", _batch(size))


def surrogate(recurrent: bool) -> Build:
    """Return the builder of LIF networks with one hidden layer that spike counts decide."""

    def build(size: Size, hidden: int, settings: Settings, rng: Any) -> Plan:
        encoder = spike_code(size.task)
        network = dense(
            (encoder.n_inputs(size.n_features), hidden, size.n_classes), NEURON, synapse=_SYNAPSE,
            recurrent=recurrent, gain=settings["gain"], bias_sd=0.5, dt=1.0, rng=rng,
        )  # fmt: skip
        rule = Backprop(
            CrossEntropy(), Adam(settings["learning_rate"]), readout=SpikeCount(),
            surrogate=FastSigmoid(settings["slope"]),
        )  # fmt: skip
        # A bias of 1 holds a neuron at its threshold, as a net input of 0 holds a sigmoid unit
        # at one half: from there it can be moved both ways. Many would be silent without.
        return Plan(_shifted(network, 1.0), rule, encoder, False, _batch(size))

    return build


def _shifted(network: LayeredNetwork, shift: float) -> LayeredNetwork:
    return network.updated([layer.updated(bias=layer.bias + shift) for layer in network.layers])


def _batch(size: Size) -> int:
    # One pattern after another, as local rules learn; the order, drawn anew in each epoch, also
    # leads out of plateaus in which the whole batch of four has no gradient left.
    return 1 if size.task == "xor" else 16
