"""How long until something happens: imports, the first simulation, the next one.

Each figure but the last is taken from fresh processes, the start and the end of Python included:

    python experiments/benchmarks/latency.py [--n 15] [--calls 200] [--json FILE]

The cache of compiled kernels is filled first, so the first simulation loads its kernel. So is
one of Python's bytecode, without which every start compiles all modules again.

One neuron is simulated for 1 s with v recorded at every step of 0.1 ms and a current that is
switched on, which includes its description. Vogels and Abbott's network (currents) runs for 10 s.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import spikesim as sp

sys.path.insert(0, str(Path(__file__).parents[2]))
from experiments.benchmarks import measure

_ONE_NEURON = """
import spikesim as sp

def one_neuron():
    neuron = sp.Population("neuron", sp.LIF(), 1)
    network = sp.Network([neuron], inputs=[sp.StepCurrent(neuron, 500.0, 100.0)])
    return sp.simulate(network, 1000.0, record="v", seed=1)
"""
_NETWORK = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
import spikesim as sp
from experiments.benchmarks.workloads import vogels_abbott

sp.simulate(vogels_abbott(), 10_000.0, seed=1, threads=1)
"""
_COLUMNS = ("build_s", "sim_s", "realtime_factor", "n_spikes", "peak_rss_mb", "process_s")
_NOTHING = {"n_neurons": 0, "n_synapses": 0, "bio_seconds": 0.0}
_NEURON = {"n_neurons": 1, "n_synapses": 0, "bio_seconds": 1.0}
# What a process does, and the size of what it simulates.
_PROCESSES: dict[str, tuple[str, dict[str, float]]] = {
    "python start": ("pass", _NOTHING),
    "import numpy": ("import numpy", _NOTHING),
    "import numba": ("import numba", _NOTHING),
    "import spikesim": ("import spikesim", _NOTHING),
    "one neuron": (f"{_ONE_NEURON}\none_neuron()", _NEURON),
    "Vogels and Abbott": (
        _NETWORK, {"n_neurons": 4000, "n_synapses": 320_000, "bio_seconds": 10.0}
    ),
}  # fmt: skip
_AGAIN = "one neuron again"
GOALS = {"one neuron": 0.6, "Vogels and Abbott": 1.5, _AGAIN: 0.0005}


def run(n: int, n_warm: int) -> list[dict[str, Any]]:
    """Measure; return a row a process, `n` of each kind, and one for each later call.

    Rows are those of ``measure.py``: ``process_s`` is what a process took, ``sim_s`` what a later
    call took, one of `n_warm` within one process; what was not measured is None.
    """
    rows = []
    with tempfile.TemporaryDirectory() as bytecode:
        for code, _ in _PROCESSES.values():
            _seconds_of_process(code, bytecode)
        # In turn, so that a slow minute of the machine touches all names alike.
        for _ in range(n):
            for name, (code, size) in _PROCESSES.items():
                rows.append(_row(name, size, process_s=_seconds_of_process(code, bytecode)))
    for seconds in _warm(n_warm):
        factor = seconds / _NEURON["bio_seconds"]
        rows.append(_row(_AGAIN, _NEURON, sim_s=seconds, realtime_factor=factor))
    return rows


def _row(name: str, size: Mapping[str, float], **measured: float) -> dict[str, Any]:
    about = {"workload": name, "simulator": "spikesim", "version": sp.__version__}
    about |= {"precision": "double", "threads": 1}
    return about | size | dict.fromkeys(_COLUMNS) | measured


def seconds_by_name(rows: Iterable[Mapping[str, Any]]) -> dict[str, list[float]]:
    """Return the times that were measured (s), by what they are of."""
    found: dict[str, list[float]] = {}
    for row in rows:
        seconds = row["sim_s"] if row["process_s"] is None else row["process_s"]
        found.setdefault(row["workload"], []).append(seconds)
    return found


def table(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return the times as text: milliseconds, median, smallest and largest, how many."""
    lines = [f"{'':26}{'median':>10}{'min':>10}{'max':>10}{'of':>6}{'goal':>10}  (ms)"]
    for name, seconds in seconds_by_name(rows).items():
        numbers = (statistics.median(seconds), min(seconds), max(seconds))
        cells = "".join(f"{1e3 * s:10.2f}" for s in numbers)
        goal = f"{1e3 * GOALS[name]:10.1f}" if name in GOALS else ""
        lines.append(f"{name:26}{cells}{len(seconds):6}{goal}")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Measure, print a table, return the rows."""
    parser = argparse.ArgumentParser(description="Latency of imports and simulations.")
    parser.add_argument("--n", type=measure.positive, default=15,
                        help="processes for each figure (default 15)")  # fmt: skip
    parser.add_argument("--calls", type=measure.positive, default=200, metavar="N",
                        help="later calls within one process (default 200)")  # fmt: skip
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows to this file")
    options = parser.parse_args(arguments)
    source = measure.origin(__file__, arguments)
    rows = [row | source for row in run(options.n, options.calls)]
    print(measure.machine_line())
    print(table(rows))
    if options.json:
        measure.write_json(options.json, rows)
    return rows


def _seconds_of_process(code: str, bytecode: str) -> float:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = bytecode
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
    return time.perf_counter() - start


def _warm(n: int) -> list[float]:
    names: dict[str, Any] = {}
    exec(_ONE_NEURON, names)
    seconds = []
    for _ in range(n + 1):
        start = time.perf_counter()
        names["one_neuron"]()
        seconds.append(time.perf_counter() - start)
    return seconds[1:]


if __name__ == "__main__":
    main()
