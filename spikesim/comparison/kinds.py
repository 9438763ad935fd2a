"""The kinds of network that rules are entered on, in the order in which they are tried."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from spikesim.comparison.builders import Settings
from spikesim.comparison.operations import effort
from spikesim.comparison.tasks import Problem, Task, task
from spikesim.encoding import Analog, RateEncoder
from spikesim.layered import Layer, LayeredNetwork, dense, to_spiking
from spikesim.learning import SpikeCount, committee_network, evaluate
from spikesim.neurons import LIF, Sigmoid, Step
from spikesim.synapses import Exponential

__all__ = ["KINDS", "WINDOWS", "Kind", "small"]

WINDOWS = (20, 50, 100, 200, 500, 1000)
_SYNAPSE = Exponential(5.0)
_MAX_RATE, _STEP = 100.0, 10.0
# Samples that operations are counted on.
_COUNTED = 200

Make = Callable[[Problem, int, Settings, Any], tuple[LayeredNetwork, Any]]


class Kind(NamedTuple):
    """One kind of network.

    Attributes
    ----------
    network : {"rate", "LIF"}
        Kind of units.
    layers : {"hidden", "committee", "single"}
        Where its sizes come from.
    make : callable
        ``make(problem, hidden, settings, rng)`` returns the network and the encoder.
    tried : bool
        Whether rules are tried on it; the others are entered by name.
    steep : bool
        Whether the hidden units have a steepness that is tuned.
    scaling : {"standard", "unit"}
        How features are scaled for rate units, where the task asks for it.
    finish : callable, optional
        ``finish(result, train_x, test_x, test_y)`` makes of what was trained what is tested;
        returns the accuracy and other measures.
    """

    network: str
    layers: str
    make: Make
    tried: bool = True
    steep: bool = False
    scaling: str = "standard"
    finish: Callable[..., tuple[float, dict[str, float]]] | None = None


def small(kind: Kind) -> LayeredNetwork:
    """Return a network of a kind, of a size to see what rules accept."""
    some = Problem(_SMALL, 2, 3, RateEncoder(duration=10.0))
    return kind.make(some, 3, _MIDDLE, np.random.SeedSequence(0))[0]


_SMALL: Task = task("parity")
_MIDDLE: Mapping[str, float] = {"gain": 1.0, "bias_sd": 0.1, "steepness": 1.0}


def _sigmoid(size: Problem, hidden: int, settings: Settings, rng: Any) -> tuple[Any, Any]:
    network = dense(
        (size.n_features, hidden, size.n_classes), Sigmoid(settings.get("steepness", 1.0)),
        output=Sigmoid(), gain=settings["gain"], bias_sd=settings["gain"], rng=rng,
    )  # fmt: skip
    return network, Analog()


def _steps(deep: bool, output: Any = None) -> Make:
    def make(size: Problem, hidden: int, settings: Settings, rng: Any) -> tuple[Any, Any]:
        # Step units say yes or no, so that one is enough for two classes.
        n_outputs = size.n_outputs if output is None else size.n_classes
        network = dense(
            (size.n_features, *([hidden] if deep else []), n_outputs), Step(), output=output,
            gain=settings["gain"], bias_sd=settings.get("bias_sd", 0.1), rng=rng,
        )  # fmt: skip
        return network, Analog()

    return make


def _spiking(
    *, output: str = "membrane", deep: bool = True, recurrent: bool = False,
    continuous: bool = False,
) -> Make:  # fmt: skip
    def make(size: Problem, hidden: int, settings: Settings, rng: Any) -> tuple[Any, Any]:
        tau_m = size.task.tau_m
        # Units that are to fire once keep still for longer than any trial.
        unit = LIF.normalised(tau_m, t_ref=1000.0) if output == "first" else LIF.normalised(tau_m)
        last = LIF.non_spiking(tau_m) if output == "membrane" else None
        n_in = size.encoder.n_inputs(size.n_features)
        n_out = size.n_classes if deep else size.n_outputs
        network = dense(
            (n_in, *([hidden] if deep else []), n_out), unit, output=last, synapse=_SYNAPSE,
            recurrent=recurrent, gain=settings["gain"], bias_sd=settings.get("bias_sd", 0.5),
            dt=1.0, continuous=continuous, rng=rng,
        )  # fmt: skip
        if deep and output != "first":
            # As in the classic table: hidden units start at their threshold.
            first = network.layers[0]
            network = network.updated([first.updated(bias=first.bias + 1.0), *network.layers[1:]])
        return network, size.encoder

    return make


def _committee(unit: Callable[[float], Any]) -> Make:
    def make(size: Problem, hidden: int, settings: Settings, rng: Any) -> tuple[Any, Any]:
        neuron = unit(size.task.tau_m)
        encoder = size.encoder if neuron.spiking else Analog()
        network = committee_network(
            encoder.n_inputs(size.n_features), hidden, size.n_outputs, neuron, synapse=_SYNAPSE,
            gain=settings["gain"], bias_sd=settings.get("bias_sd", 0.5), dt=1.0, rng=rng,
        )  # fmt: skip
        return network, encoder

    return make


def _frozen(make: Make) -> Make:
    """Return the maker of the same network with a hidden layer that stays as it was drawn."""

    def frozen(size: Problem, hidden: int, settings: Settings, rng: Any) -> tuple[Any, Any]:
        network, encoder = make(size, hidden, settings, rng)
        first = network.layers[0]
        still = Layer(first.w, first.neuron, first.bias, first.synapse, trainable=())
        return network.updated([still, *network.layers[1:]]), encoder

    return frozen


def _converted(
    result: Any, train_x: np.ndarray, test_x: np.ndarray, test_y: np.ndarray
) -> tuple[float, dict[str, float]]:
    """Run trained weights on spiking units that count, for longer and longer windows."""
    spiking = to_spiking(result.network, train_x, max_rate=_MAX_RATE)
    found = {"rate_twin": float(result.score(test_x, test_y))}
    accuracy = 0.0
    for window in WINDOWS:
        # The input reaches the last layer after as many steps as there are layers.
        duration = window + _STEP * len(spiking.layers)
        encoder = RateEncoder(duration=duration, max_rate=_MAX_RATE, low=0.0, high=1.0)
        accuracy = evaluate(spiking, SpikeCount(), test_x, test_y, encoder=encoder.fit(test_x))
        found[f"window_{window}"] = float(accuracy)
        done = effort(spiking, test_x[:_COUNTED], encoder=encoder.fit(test_x)).forward
        found[f"window_{window}_synops"] = done.macs + done.acs
        found |= {
            "synops": done.macs + done.acs, "state_updates": done.state_updates,
            "energy": done.energy,
        }  # fmt: skip
    return float(accuracy), found


def _lif(tau_m: float) -> LIF:
    return LIF.normalised(tau_m)


def _step(tau_m: float) -> Step:
    return Step()


KINDS: dict[str, Kind] = {
    "sigmoid hidden": Kind("rate", "hidden", _sigmoid, steep=True),
    "step hidden": Kind("rate", "hidden", _steps(deep=True)),
    "step committee": Kind("rate", "committee", _committee(_step)),
    "step single": Kind("rate", "single", _steps(deep=False)),
    "LIF hidden": Kind("LIF", "hidden", _spiking()),
    "LIF hidden, spiking output": Kind("LIF", "hidden", _spiking(output="spikes")),
    "fires once": Kind("LIF", "hidden", _spiking(output="first", continuous=True)),
    "LIF committee": Kind("LIF", "committee", _committee(_lif)),
    "LIF single": Kind("LIF", "single", _spiking(output="spikes", deep=False)),
    # Losses descend by outputs that are graded.
    "step hidden, sigmoid output": Kind(
        "rate", "hidden", _steps(deep=True, output=Sigmoid()), tried=False
    ),
    "LIF recurrent": Kind("LIF", "hidden", _spiking(recurrent=True), tried=False),
    "continuous": Kind("LIF", "hidden", _spiking(continuous=True), tried=False),
    "LIF frozen": Kind("LIF", "hidden", _frozen(_spiking()), tried=False),
    "sigmoid frozen": Kind("rate", "hidden", _frozen(_sigmoid), tried=False, steep=True),
    "sigmoid converted": Kind(
        "rate", "hidden", _sigmoid, tried=False, steep=True, scaling="unit", finish=_converted
    ),
}
