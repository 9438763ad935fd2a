"""What long use shows: drift in time and potential, memory that does not come back.

    python experiments/benchmarks/endurance.py [--steps N] [--cycles N] [--json FILE]

- 10^8 steps of one neuron. Its times of spikes are compared with the whole number of steps that
  one interval takes, and the potential of a neuron under a sine current with that of a run that
  starts 10^8 steps later: time is counted in whole steps, so nothing adds up.
- 1,000 times a network is made, run on two threads, continued and forgotten. The memory of the
  process is compared after 100 and after all.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import spikesim as sp

sys.path.insert(0, str(Path(__file__).parents[2]))
from experiments.benchmarks import child, measure

_MOST_GROWTH_MIB = 20.0
# The potential is compared from the tenth period of 1,000 steps on.
_FEWEST_STEPS = 12_000


@dataclass(frozen=True)
class Config:
    """Settings of the measurement.

    Parameters
    ----------
    steps : int, default 10**8
        Steps of the long run, of 0.1 ms.
    cycles : int, default 1000
        Networks that are made and forgotten.
    """

    steps: int = 10**8
    cycles: int = 1000


def run(config: Config) -> dict[str, Any]:
    """Measure; return what was seen beside what is allowed."""
    return {"config": asdict(config), "drift": drift(config.steps), "memory": memory(config.cycles)}


def drift(n_steps: int) -> dict[str, Any]:
    """Run one neuron under a constant and one under a periodic current for `n_steps` steps.

    The first interval of the first neuron is `k` steps long, and all that follow are as long, so
    spike m is due at step m k. The current into the second neuron repeats every 1,000 steps: once
    the start is forgotten, so does its potential, to the last bits that the sine itself has.
    """
    clock = time.perf_counter()
    constant = sp.LIF(i_ext=400.0, v_init=-65.0, v_reset=-65.0, t_ref=0.0)
    steady = sp.Population("steady", constant)
    driven = sp.Population("driven", sp.LIF(v_th=np.inf))
    sine = sp.SineCurrent(driven, 200.0, 10.0)
    network = sp.Network([steady, driven], inputs=[sine])
    record = {"driven": sp.Record("v", interval=100.0)}
    recording = sp.simulate(network, n_steps * 0.1, record=record, progress=True)
    steps = np.rint(recording["steady"].spike_times / 0.1).astype(np.int64)
    due = steps[0] * np.arange(1, len(steps) + 1)
    v = recording["driven"].v[10:, 0]
    return {
        "steps": n_steps,
        "spikes": len(steps),
        "spikes_not_when_due": int(np.sum(steps != due)),
        "spikes_due": n_steps // int(steps[0]),
        "change_of_potential_mv": float(np.abs(v - v[0]).max()),
        "seconds": time.perf_counter() - clock,
    }


def memory(n_cycles: int) -> dict[str, Any]:
    """Make, run and forget networks; return the growth of the memory that the process holds."""

    def cycle(seed: int) -> None:
        a = sp.Population("a", sp.LIF(i_ext=sp.Uniform(300.0, 500.0)), 2000)
        projection = sp.Projection(a, a, sp.FixedInDegree(50), sp.Normal(1.0, 0.1), 1.5)
        network = sp.Network([a], [projection])
        recording = sp.simulate(network, 5.0, seed=seed, record="v", threads=2)
        sp.simulate(network, 5.0, state=recording.final_state)

    clock = time.perf_counter()
    warm = min(100, n_cycles // 2)
    for seed in range(warm):
        cycle(seed)
    before = _resident_mib()
    for seed in range(warm, n_cycles):
        cycle(seed)
    return {
        "cycles": n_cycles,
        "resident_mib": before,
        "growth_mib": _resident_mib() - before,
        "allowed_mib": _MOST_GROWTH_MIB,
        "seconds": time.perf_counter() - clock,
    }


def _resident_mib() -> float:
    """Return what the process holds now, where the system says so; else the most it ever held."""
    status = Path("/proc/self/statm")
    if status.exists():
        return int(status.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    return child.peak_memory() * 1e6 / 2**20


def table(results: dict[str, Any]) -> str:
    """Return the results as text."""
    drift, memory = results["drift"], results["memory"]
    return "\n".join(
        [
            f"{drift['steps']} steps in {drift['seconds']:.1f} s: {drift['spikes']} spikes of "
            f"{drift['spikes_due']} due, {drift['spikes_not_when_due']} not when due; the "
            f"potential changed by {drift['change_of_potential_mv']:.2g} mV",
            f"{memory['cycles']} networks in {memory['seconds']:.1f} s: "
            f"{memory['growth_mib']:.1f} MiB more than the {memory['resident_mib']:.0f} MiB at "
            f"first, {memory['allowed_mib']:g} MiB are allowed",
        ]
    )


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Drift and memory over long use.")
    parser.add_argument("--steps", type=int, default=Config.steps,
                        help=f"steps of the long run, at least {_FEWEST_STEPS}")  # fmt: skip
    parser.add_argument(
        "--cycles", type=measure.positive, default=Config.cycles, help="networks to make"
    )
    parser.add_argument("--json", type=Path, help="also write the results to this file")
    options = parser.parse_args(arguments)
    if options.steps < _FEWEST_STEPS:
        parser.error(f"--steps must be at least {_FEWEST_STEPS}, got {options.steps}")
    results = run(Config(options.steps, options.cycles))
    print(table(results))
    if options.json:
        measure.write_json(options.json, results | measure.origin(__file__, arguments))


if __name__ == "__main__":
    main()
