"""Whether the cortical microcircuit of Potjans & Diesmann fires as published, and what it costs.

Run ``python experiments/microcircuit.py``: 77,169 neurons and 299 million synapses, which take
1.5 GB in compact precision; ``--scale 0.1`` takes 0.2 GB. Below full scale, stronger weights and
a constant current make up for the synapses that are missing; still the rates stay below those of
the whole network, at a tenth of the size by a tenth to a half. With ``--dc`` a tenth of the
network is nearly silent: it lacks the noise of the Poisson input.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import spikesim as sp

sys.path.insert(0, str(Path(__file__).parents[1]))
from experiments import command
from experiments.benchmarks.child import peak_memory
from experiments.benchmarks.parameters import DT, Microcircuit
from experiments.benchmarks.workloads import microcircuit, n_synapses

MIN_SPIKES = 5


@dataclass(frozen=True)
class Config:
    """What is simulated.

    Parameters
    ----------
    scale : float
        Factor on the numbers of neurons and of synapses of a neuron.
    duration, discard : float
        Time that is measured, and time before it (ms).
    seed : int
        Source of all randomness.
    precision : {"compact", "double"}
        Double takes 10 bytes a synapse instead of 4.
    dc : bool
        A constant current instead of Poisson spikes from the cortex around.
    threads : int, optional
        Threads; changes no bit.
    shown : float
        How much time the raster shows (ms).
    """

    scale: float = 1.0
    duration: float = 5000.0
    discard: float = 200.0
    seed: int = 1
    precision: str = "compact"
    dc: bool = False
    threads: int | None = None
    shown: float = 300.0

    @classmethod
    def smoke(cls) -> Config:
        """Return the smallest run that touches everything."""
        return cls(scale=0.001, duration=50.0, discard=5.0, threads=1)


def run(config: Config) -> dict[str, Any]:
    """Build and simulate the network.

    Returns
    -------
    dict
        ``recording`` after the first step; ``rates`` (Hz), ``cv`` and ``correlations`` by
        population, one value a neuron or a pair; ``synchrony`` by population; and what it took:
        ``n_neurons``, ``n_synapses``, ``build_seconds``, ``seconds``, ``realtime_factor``,
        ``peak_memory`` (bytes).
    """
    how = {"precision": config.precision, "threads": config.threads}
    start = time.perf_counter()
    network = microcircuit(config.scale, poisson=not config.dc)
    first = sp.simulate(network, DT, seed=config.seed, **how)
    built = time.perf_counter()
    total = config.discard + config.duration
    recording = sp.simulate(network, total, state=first.final_state, **how)
    seconds = time.perf_counter() - built
    return {
        "recording": recording,
        **measures(recording, config.discard),
        "n_neurons": sum(population.n for population in network.populations),
        "n_synapses": n_synapses(network),
        "build_seconds": built - start,
        "seconds": seconds,
        "realtime_factor": seconds / (1e-3 * total),
        "peak_memory": 1e6 * peak_memory(),
    }


def measures(recording: sp.Recording, discard: float) -> dict[str, dict[str, Any]]:
    """Return rates, CV, correlations and synchrony of each population after `discard` ms.

    The CV is that of neurons with at least 5 spikes, the correlation that of pairs among 200
    neurons in bins of 2 ms, synchrony the variance over the mean of all spikes in 3 ms.
    """
    found: dict[str, dict[str, Any]] = {
        "rates": {}, "cv": {}, "correlations": {}, "synchrony": {}
    }  # fmt: skip
    start = recording.start + discard
    for name in recording.populations:
        population = recording[name]
        enough = population.spike_counts(start) >= MIN_SPIKES
        found["rates"][name] = population.rates(start)
        found["cv"][name] = population.cv(start)[enough]
        found["correlations"][name] = population.correlations(start=start)
        found["synchrony"][name] = population.synchrony(start=start)
    return found


def _mean(values: np.ndarray) -> float:
    """Return the mean of what is defined, NaN if nothing is."""
    values = values[np.isfinite(values)]
    return float(values.mean()) if len(values) else float("nan")


def table(found: dict[str, Any]) -> str:
    """Return the measures by population beside the published rates."""
    lines = ["population  neurons  rate (Hz)  published    CV  correlation  synchrony"]
    for index, (name, rates) in enumerate(found["rates"].items()):
        lines.append(
            f"{name:10s}  {len(rates):7d}  {rates.mean():9.3f}  "
            f"{Microcircuit.reference_rates[index]:9.3f}  {_mean(found['cv'][name]):4.2f}  "
            f"{_mean(found['correlations'][name]):11.4f}  {found['synchrony'][name]:9.2f}"
        )
    return "\n".join(lines)


def smaller(config: Config) -> str:
    """Return what a reader of a smaller network must know; empty at full scale."""
    if config.scale == 1.0:
        return ""
    return (
        f"Not the whole network, but {100.0 * config.scale:g} % of its neurons and of the inputs "
        "of each:\nits rates lie below the published ones, the further the smaller it is"
    )


def cost(found: dict[str, Any]) -> str:
    """Return what building and running took."""
    return (
        f"{found['n_neurons']:,} neurons, {found['n_synapses']:,} synapses: "
        f"built in {found['build_seconds']:.1f} s, simulated in {found['seconds']:.1f} s, "
        f"{found['realtime_factor']:.2f} s for a second of biology; "
        f"at most {found['peak_memory'] / 1e9:.2f} GB of memory"
    )


def draw(found: dict[str, Any], config: Config, out: Path) -> Path:
    """Write the picture: spikes over time, and boxes of what they are like; return its path."""
    import matplotlib.pyplot as plt

    out.mkdir(parents=True, exist_ok=True)
    recording = found["recording"]
    figure = plt.figure(figsize=(11.0, 7.6), layout="constrained")
    grid = figure.add_gridspec(3, 2, width_ratios=[1.25, 1.0])
    raster = figure.add_subplot(grid[:, 0])
    boxes = [figure.add_subplot(grid[row, 1]) for row in range(3)]
    stop = recording.start + recording.duration
    sp.plotting.raster(
        recording, ax=raster, start=max(stop - config.shown, recording.start), stop=stop,
        max_neurons=1500, histogram=False,
    )  # fmt: skip
    if smaller(config):
        figure.suptitle(smaller(config), color=sp.plotting.COLOURS[1], fontsize="medium")
    drive = "a constant current" if config.dc else "Poisson input"
    raster.set_title(
        f"The microcircuit, {drive}, {config.precision} precision",
        loc="left", fontsize="medium",
    )  # fmt: skip
    published = dict(zip(found["rates"], Microcircuit.reference_rates, strict=True))
    sp.plotting.boxes(
        found["rates"], boxes[0], reference=published, reference_label="published mean, full scale",
        label="rate (Hz)",
    )  # fmt: skip
    sp.plotting.boxes(found["cv"], boxes[1], label="CV of intervals")
    boxes[1].axhline(1.0, color="0.6", linewidth=0.8, linestyle="--", zorder=0)
    sp.plotting.boxes(found["correlations"], boxes[2], label="correlation of pairs (2 ms)")
    boxes[2].axhline(0.0, color="0.6", linewidth=0.8, linestyle="--", zorder=0)
    for ax, title in zip(
        boxes,
        ("circle: mean", "dashed: a Poisson process", "dashed: independent neurons"),
        strict=True,
    ):
        ax.set_title(title, loc="right", fontsize="small", color=sp.plotting.COLOURS[-1])
    path = out / "microcircuit.png"
    figure.savefig(path, dpi=150)
    plt.close(figure)
    return path


def main(argv: list[str] | None = None) -> None:
    """Run the experiment and print its tables."""
    parser = command.parser(__doc__, "microcircuit")
    parser.add_argument("--scale", type=float, help="factor on neurons and synapses of a neuron")
    parser.add_argument("--duration", type=float, help="time that is measured (ms)")
    parser.add_argument("--seed", type=int, help="source of all randomness")
    parser.add_argument("--threads", type=int, help="threads; the result is the same")
    parser.add_argument("--precision", choices=("compact", "double"))
    parser.add_argument("--dc", action="store_true", default=None, help="a current, not Poisson")
    args = parser.parse_args(argv)
    config = command.config_of(Config, args)
    found = run(config)
    if smaller(config):
        print(f"{smaller(config)}\n")
    print(table(found))
    print(
        "\nmeans over neurons (CV: of those with 5 spikes or more, too small where they have few;"
        "\ncorrelation: of pairs among 200 neurons)"
        "\npublished: mean rates of the reference implementation at full scale"
    )
    print(cost(found))
    print(draw(found, config, args.out))


if __name__ == "__main__":
    main()
