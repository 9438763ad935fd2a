"""How each kind of contender is built for a task: network, rule and encoder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from spikesim.comparison.tasks import Problem
from spikesim.encoding import Analog, LatencyEncoder
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


class Plan(NamedTuple):
    """A contender made ready for one run.

    Attributes
    ----------
    network, rule, encoder
        What :func:`spikesim.fit` takes.
    scaling : {"standard", "unit", ""}
        How features are scaled first, as the training part has it: to mean 0 and variance 1, to
        the range from 0 to 1, or not at all.
    batch_size : int or None
        Samples for each update; None for a whole epoch, in which local rules still learn
        from one sample after another.
    finish : callable, optional
        What makes of the trained network what is tested,
        see :class:`~spikesim.comparison.kinds.Kind`.
    """

    network: LayeredNetwork
    rule: Any
    encoder: Any
    scaling: str
    batch_size: int | None
    finish: Callable[..., tuple[float, dict[str, float]]] | None = None


Build = Callable[[Problem, int, Settings, Any], Plan]


def spike_code(size: Problem) -> Any:
    """Return the encoder that the task gives to spiking networks."""
    return size.encoder


def latency_code(size: Problem) -> Any:
    """Return an encoder that tells 1 from 0 by an early or a late spike."""
    return LatencyEncoder(duration=40.0, t_max=20.0)


def single(
    make_rule: Callable[[Settings], Any], unit: Any, code: Callable[[Problem], Any] = spike_code
) -> Build:
    """Return the builder of a single layer of `unit`, with a threshold of 1 at the start."""

    def build(size: Problem, hidden: int, settings: Settings, rng: Any) -> Plan:
        encoder = code(size) if unit.spiking else Analog()
        network = dense(
            (encoder.n_inputs(size.n_features), size.n_outputs), unit, synapse=_SYNAPSE,
            gain=settings["gain"], bias_sd=settings.get("bias_sd", 0.0), dt=1.0, rng=rng,
        )  # fmt: skip
        if not unit.spiking:
            network = _shifted(network, -1.0)
        scaling = _standard(size, unit.spiking)
        return Plan(network, make_rule(settings), encoder, scaling, None)

    return build


def committee(unit: Any, code: Callable[[Problem], Any] = spike_code) -> Build:
    """Return the builder of committees of `unit`, `hidden` units each."""

    def build(size: Problem, hidden: int, settings: Settings, rng: Any) -> Plan:
        encoder = code(size) if unit.spiking else Analog()
        network = committee_network(
            encoder.n_inputs(size.n_features), hidden, size.n_outputs, unit, synapse=_SYNAPSE,
            gain=settings["gain"], bias_sd=settings["bias_sd"], dt=1.0, rng=rng,
        )  # fmt: skip
        scaling = _standard(size, unit.spiking)
        return Plan(network, Committee(settings["learning_rate"]), encoder, scaling, None)

    return build


def backprop(size: Problem, hidden: int, settings: Settings, rng: Any) -> Plan:
    """Build a sigmoid network with one hidden layer, or with none where `hidden` is 0."""
    sizes = (size.n_features, *([hidden] if hidden else []), size.n_outputs)
    network = dense(
        sizes, Sigmoid(settings["steepness"]), output=Sigmoid(), gain=settings["gain"],
        bias_sd=settings["gain"], rng=rng,
    )  # fmt: skip
    rule = Backprop(CrossEntropy(), Adam(settings["learning_rate"]))
    return Plan(network, rule, Analog(), _standard(size), size.task.batch_size)


def surrogate(recurrent: bool) -> Build:
    """Return the builder of LIF networks with one hidden layer that spike counts decide."""

    def build(size: Problem, hidden: int, settings: Settings, rng: Any) -> Plan:
        encoder = spike_code(size)
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
        return Plan(_shifted(network, 1.0), rule, encoder, "", size.task.batch_size)

    return build


def _shifted(network: LayeredNetwork, shift: float) -> LayeredNetwork:
    return network.updated([layer.updated(bias=layer.bias + shift) for layer in network.layers])


def _standard(size: Problem, spiking: bool = False) -> str:
    return "standard" if size.task.scaled and not spiking else ""
