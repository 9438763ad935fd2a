"""Training with spikesim, a job in a process of its own; started by ``training.py``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))
from experiments.benchmarks import training_tasks as tasks


def classifier(weights: dict[str, np.ndarray], recurrent: bool, precision: str = "single") -> Any:
    """Return the network of the classifiers, for any of their sizes.

    The reset takes 1 from the potential of the step that follows, which is 1 / decay_m from that
    of the spike.
    """
    import spikesim as sp

    synapse = sp.Exponential(5.0)
    gain = float(synapse.propagators(np.asarray(10.0), np.asarray(1.0), 1.0).p_vi)
    hidden = sp.LIF(10.0, gain, 0.0, 1.0, 1.0 - 1.0 / tasks.DECAY_M, 0.0, reset="subtract")
    output = sp.LIF(10.0, gain, 0.0, np.inf, 0.0, 0.0)
    w_rec = {"w_rec": weights["w_rec"], "delay_rec": 0.0} if recurrent else {}
    trained = ("w", "w_rec")
    layers = [
        sp.Layer(weights["w"], hidden, synapse=synapse, delay=0.0, trainable=trained, **w_rec),
        sp.Layer(weights["w_out"], output, synapse=synapse, delay=0.0, trainable=("w",)),
    ]
    return sp.LayeredNetwork(layers, 1.0, precision)


def rule_of(cut_off: bool = False, learning_rate: float = tasks.LEARNING_RATE) -> Any:
    """Return the rule that trains it."""
    import spikesim as sp
    from spikesim.learning import Adam, Backprop, MaxMembrane

    surrogate: Any = sp.FastSigmoid(tasks.SLOPE)
    if cut_off:
        surrogate = sp.Truncated(surrogate, tasks.REACH)
    return Backprop(optimiser=Adam(learning_rate), readout=MaxMembrane(), surrogate=surrogate)


def padded(x: np.ndarray, n: int = 2) -> np.ndarray:
    """Return the input with `n` steps of nothing: a membrane feels its current a step later."""
    return np.concatenate([x, np.zeros((n, *x.shape[1:]), x.dtype)])


def prepare(job: dict[str, Any], data: dict[str, Any]) -> tasks.Run:
    """Return what is to be repeated."""
    os.environ["NUMBA_NUM_THREADS"] = str(job["threads"])
    import spikesim as sp

    make = {"square layer": _square, "Yin-Yang": _yin_yang}.get(job["task"], _classifier)
    return tasks.Run(make(job, data), sp.__version__)


def _classifier(job: dict[str, Any], data: dict[str, Any]) -> Any:
    from spikesim.layered import forward
    from spikesim.layered.packed import PackedSpikes

    network = classifier(data, job["model"] != "feed-forward", job["precision"])
    # As `fit` does once: rules are given spikes as bits.
    x, labels = PackedSpikes.pack(padded(data.pop("x"))), data["labels"]
    rule = rule_of(job["model"] == "recurrent, cut-off")
    if job["mode"] == "inference":

        def infer() -> float:
            traces = forward(network, x)
            return float(rule.loss_and_gradient(network, traces, labels)[0].mean())

        return infer
    state = rule.init(network)

    def step() -> float:
        nonlocal network, state
        network, state, metrics = rule.step(network, state, x, labels)
        return metrics.loss / len(labels)

    return step


def _square(job: dict[str, Any], data: dict[str, Any]) -> Any:
    import spikesim as sp
    from spikesim.layered import forward
    from spikesim.layered.backward import backward
    from spikesim.layered.packed import PackedSpikes

    decay = tasks.SQUARE_DECAY
    tau_m = -1.0 / np.log(decay)
    neuron = sp.LIF(tau_m, tau_m, 0.0, 1.0, 1.0 - 1.0 / decay, 0.0, reset="subtract")
    layer = sp.Layer(data["w"], neuron, trainable=("w",))
    network = sp.LayeredNetwork([layer], 1.0, job["precision"])
    x, surrogate = PackedSpikes.pack(padded(data.pop("x"), 1)), sp.FastSigmoid(tasks.SLOPE)
    ones = np.broadcast_to(network.dtype.type(1.0), x.shape)  # The loss by each spike.

    def step() -> float:
        traces = forward(network, x)
        backward(network, x, traces, ones, None, surrogate=surrogate)
        return traces[0].spikes.n_spikes

    return step


def _yin_yang(job: dict[str, Any], data: dict[str, Any]) -> Any:
    import spikesim as sp

    # Two steps more than elsewhere, as in `padded`.
    latency = sp.encoding.LatencyEncoder(
        duration=42.0, t_max=30.0, low=0.0, high=1.0, bias_spike=True, early="low"
    )
    encoder = latency if job["model"] == "latency" else tasks.DirectCurrent(22)
    network = classifier(data, False, job["precision"])
    result = None

    def epoch() -> float:
        nonlocal result
        if result is None:
            result = sp.fit(
                network, rule_of(learning_rate=4e-3), data["features"], data["labels"],
                encoder=encoder, epochs=1, batch_size=64, seed=1, progress=False,
            )  # fmt: skip
        else:
            result = sp.partial_fit(result, data["features"], data["labels"], progress=False)
        return float(result.history.accuracy[-1])

    return epoch


if __name__ == "__main__":
    tasks.main(prepare)
