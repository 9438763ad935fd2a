"""One measured run of spikesim, in a process of its own; started by ``measure.py``."""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))
from experiments.benchmarks import child
from experiments.benchmarks.parameters import DT

_WARM_CALLS = 20


def measure(job: dict[str, Any]) -> tuple[dict[str, Any], child.Spikes]:
    """Build the network, simulate it, and return the row and the spikes.

    ``build_s`` is all from the description to the end of the first step: connections drawn,
    kernels loaded or compiled. ``sim_s`` is the call of ``simulate`` that continues from there.
    For one neuron ``build_s`` is the first call, ``sim_s`` the median of later ones.
    """
    import spikesim as sp
    from experiments.benchmarks.workloads import WORKLOADS, n_synapses

    workload = WORKLOADS[job["workload"]]
    duration = job["duration"]
    how = {"threads": job["threads"], "precision": job["precision"]}
    start = time.perf_counter()
    network = workload.network(**workload.options, **job["options"])
    if job["workload"] == "lif":
        parts = [sp.simulate(network, duration, record=workload.record, **how)]
        built = time.perf_counter()
        seconds = []
        for _ in range(_WARM_CALLS):
            begin = time.perf_counter()
            sp.simulate(network, duration, record=workload.record, **how)
            seconds.append(time.perf_counter() - begin)
        sim_s = statistics.median(seconds)
    else:
        first = sp.simulate(network, DT, seed=job["seed"], **how)
        built = time.perf_counter()
        parts = [first, sp.simulate(network, duration, state=first.final_state, **how)]
        sim_s = time.perf_counter() - built
    row = {
        "workload": job["workload"],
        "simulator": "spikesim",
        "version": sp.__version__,
        "precision": job["precision"],
        "threads": job["threads"],
        "n_neurons": sum(p.n for p in network.populations),
        "n_synapses": n_synapses(network),
        "bio_seconds": duration / 1000.0,
        "build_s": built - start,
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
