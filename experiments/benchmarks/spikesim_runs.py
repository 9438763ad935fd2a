"""One measured run of spikesim, in a process of its own; started by ``measure.py``."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))
from experiments.benchmarks import child
from experiments.benchmarks.parameters import DT


def measure(job: dict[str, Any]) -> tuple[dict[str, Any], child.Spikes]:
    """Build the network, simulate it, and return the row and the spikes.

    ``build_s`` is all from the description to the end of the first step: connections drawn,
    kernels loaded or compiled. ``sim_s`` is the call of ``simulate`` that continues from there.
    For one neuron ``build_s`` is the first call, ``sim_s`` the median of later ones, each with
    a network of its own.
    """
    import spikesim as sp
    from experiments.benchmarks.workloads import WORKLOADS, n_synapses

    workload = WORKLOADS[job["workload"]]
    duration = job["duration"]
    how = {"threads": job["threads"], "precision": job["precision"]}

    def make() -> sp.Network:
        return workload.network(**workload.options, **job["options"])

    if job["workload"] == "lif":
        build_s, sim_s, recording = child.first_and_later(
            lambda: sp.simulate(make(), duration, record=workload.record, **how)
        )
        network, parts = make(), [recording]
    else:
        start = time.perf_counter()
        network = make()
        first = sp.simulate(network, DT, seed=job["seed"], **how)
        built = time.perf_counter()
        parts = [first, sp.simulate(network, duration, state=first.final_state, **how)]
        build_s, sim_s = built - start, time.perf_counter() - built
    row = {
        "simulator": "spikesim",
        "version": sp.__version__,
        "n_neurons": sum(p.n for p in network.populations),
        "n_synapses": n_synapses(network),
        "build_s": build_s,
        "sim_s": sim_s,
        "n_spikes": sum(len(parts[-1][name].spike_times) for name in parts[-1].populations),
    }

    def spikes() -> tuple[Any, Any]:
        found, first_id = [], 0
        for population in network.populations:
            for part in parts:
                own = part[population.name]
                found.append((own.spike_times, own.spike_ids + first_id))
            first_id += population.n
        return child.joined(found)

    return row, spikes


if __name__ == "__main__":
    child.main(measure)
