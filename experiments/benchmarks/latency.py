"""How long until something happens: imports, the first simulation, the next one.

Each figure but the last is taken from fresh processes, the start and the end of Python included:

    python experiments/benchmarks/latency.py [--n 15] [--json FILE]

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
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

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
_PROCESSES = {
    "python start": "pass",
    "import numpy": "import numpy",
    "import numba": "import numba",
    "import spikesim": "import spikesim",
    "one neuron": f"{_ONE_NEURON}\none_neuron()",
    "Vogels and Abbott": _NETWORK,
}
_GOALS = {
    "one neuron": 0.6,
    "Vogels and Abbott": 1.5,
    "one neuron again": 0.0005,
}


@dataclass(frozen=True)
class Config:
    """Settings of the measurement.

    Parameters
    ----------
    n : int, default 15
        Processes for each figure.
    n_warm : int, default 200
        Calls within one process.
    """

    n: int = 15
    n_warm: int = 200


def run(config: Config) -> dict[str, Any]:
    """Measure; return for each name the times in seconds."""
    times: dict[str, list[float]] = {name: [] for name in _PROCESSES}
    with tempfile.TemporaryDirectory() as bytecode:
        for code in _PROCESSES.values():
            _seconds_of_process(code, bytecode)
        # In turn, so that a slow minute of the machine touches all names alike.
        for _ in range(config.n):
            for name, code in _PROCESSES.items():
                times[name].append(_seconds_of_process(code, bytecode))
    times["one neuron again"] = _warm(config.n_warm)
    return {
        "config": asdict(config),
        "seconds": times,
        "goals": _GOALS,
    }


def table(results: dict[str, Any]) -> str:
    """Return the results as text: milliseconds, median, smallest and largest."""
    lines = [f"{'':26}{'median':>10}{'min':>10}{'max':>10}{'goal':>10}  (ms)"]
    for name, seconds in results["seconds"].items():
        goal = results["goals"].get(name)
        numbers = (statistics.median(seconds), min(seconds), max(seconds))
        cells = "".join(f"{1e3 * s:10.2f}" for s in numbers)
        lines.append(f"{name:26}{cells}{'' if goal is None else f'{1e3 * goal:10.1f}'}")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description="Latency of imports and simulations.")
    parser.add_argument("--n", type=int, default=Config.n, help="processes for each figure")
    parser.add_argument("--json", type=Path, help="also write all times to this file")
    options = parser.parse_args(arguments)
    results = run(Config(n=options.n)) | measure.origin(__file__, arguments)
    print(table(results))
    if options.json:
        measure.write_json(options.json, results)


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
