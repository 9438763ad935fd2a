"""What a training step of ours is made of, and what each part would take at best.

One process, started by ``training.py``. The bound of a part is the bare loop that its work needs
(see ``bounds.py``), as often as this batch needs it, or the time in which memory moves its bytes.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))
from experiments.benchmarks import training_tasks as tasks


def seconds_of(call: Callable[[], Any], n: int) -> float:
    """Return the median time of `n` calls (s), after one that is not measured."""
    call()
    seconds = []
    for _ in range(n):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def parts_of(job: Mapping[str, Any]) -> tuple[dict[str, float], dict[str, float]]:
    """Return the time of each part of a step (s), and the numbers that its bounds need."""
    from experiments.benchmarks.training_spikesim import classifier, padded, rule_of
    from spikesim.layered.backward import backward
    from spikesim.layered.forward import run
    from spikesim.layered.packed import PackedSpikes

    network = classifier(tasks.classifier_weights(), job["model"] != "feed-forward", "single")
    x, labels = tasks.classifier_data(job["batch"], job["n_steps"])
    x = padded(x)
    rule, n = rule_of(job["model"] == "recurrent, cut-off"), job["steps"]
    packed = PackedSpikes.packed_if_binary(x)
    state, parameters = rule.init(network), [layer.parameters() for layer in network.layers]
    held: list[Any] = []

    def step() -> None:
        # As in training, where what a step leaves is there until the next is done: memory that
        # is given back is cleared by the system before it can be used again.
        held[:] = [rule.step(network, state, packed, labels)]

    traces = run(network, packed)
    _, _, *grads = rule.loss_and_gradient(network, traces, labels)

    def gradients() -> Any:
        return backward(network, packed, traces, *grads, surrogate=rule.surrogate)

    found = gradients()
    parts = {
        "packing of the input": seconds_of(lambda: PackedSpikes.packed_if_binary(x), n),
        "forward": seconds_of(lambda: run(network, packed), n),
        "loss": seconds_of(lambda: rule.loss_and_gradient(network, traces, labels), n),
        "backward": seconds_of(gradients, n),
        "optimiser": seconds_of(lambda: rule.optimiser.update(parameters, found, state), n),
        "step": seconds_of(step, n),
    }
    reach = np.abs(np.asarray(traces[0].v) - 1.0) < tasks.REACH
    counts = {
        "input_spikes": float(packed.n_spikes),
        "hidden_spikes": float(traces[0].spikes.n_spikes),
        "active_share": float(reach.mean()),
        "trial_steps": float(len(x) * job["batch"]),
        "n_parameters": float(sum(a.size for layer in parameters for a in layer.values())),
    }
    return parts, counts


def bounds_of(model: str, counts: Mapping[str, float], ns: Mapping[str, float]) -> dict[str, float]:
    """Return what each part takes at best (s).

    Parameters
    ----------
    model : str
        Of the classifier.
    counts : dict of float
        As :func:`parts_of` gives them.
    ns : dict of float
        Time of one "gather", "outer", "scan", "adjoint", "product" and "byte" (ns).
    """
    n_in, n_hidden, n_out = tasks.N_INPUTS, tasks.N_HIDDEN, tasks.N_OUTPUTS
    spikes_in, spikes, rows = (
        counts[name] for name in ("input_spikes", "hidden_spikes", "trial_steps")
    )
    recurrent = model != "feed-forward"
    adds = spikes_in * n_hidden + spikes * (n_out + recurrent * n_hidden)
    unit_steps = rows * (n_hidden + n_out)
    # Errors go back to every hidden unit, or only to those within reach of the surrogate.
    products = rows * n_hidden * (n_out + recurrent * n_hidden)
    if model.endswith("cut-off"):
        products *= counts["active_share"]
    found = {
        "packing of the input": rows * n_in * (4.0 + 1.0 / 8.0) * ns["byte"],
        "forward": adds * ns["gather"] + unit_steps * ns["scan"],
        "loss": 4.0 * rows * n_out * ns["byte"],
        "backward": adds * ns["outer"] + unit_steps * ns["adjoint"] + products * ns["product"],
        "optimiser": 7.0 * 4.0 * counts["n_parameters"] * ns["byte"],
    }
    found["step"] = sum(found.values()) - found["packing of the input"]
    return {name: 1e-9 * value for name, value in found.items()}


def loops(n_threads: int, smoke: bool) -> dict[str, float]:
    """Return the time of each bare loop (ns), all threads at work."""
    from experiments.benchmarks import bounds

    size = {"n_steps": 10} if smoke else {}
    ns = {
        kind: bounds.layer_ns(n_threads, kind, tasks.N_INPUTS, tasks.N_HIDDEN, **size)
        for kind in ("gather", "outer", "scan", "adjoint")
    }
    ns["product"] = bounds.product_ns(tasks.N_HIDDEN, 10 if smoke else 12_800)
    return ns | {"byte": 1.0 / bounds.triad_gb_s(n_threads, **({"n": 1000} if smoke else {}))}


def report() -> None:
    """Do the job in the first argument (JSON); print rows as the last line (JSON)."""
    job = json.loads(sys.argv[1])
    os.environ["NUMBA_NUM_THREADS"] = str(job["threads"])
    parts, counts = parts_of(job)
    ns = loops(job["threads"], job["smoke"])
    bounds = bounds_of(job["model"], counts, ns)
    rows = [
        {"part": name, "part_s": seconds, "bound_s": bounds[name]}
        for name, seconds in parts.items()
    ]
    print(json.dumps({"parts": rows, "counts": counts, "ns": ns}), flush=True)


if __name__ == "__main__":
    report()
