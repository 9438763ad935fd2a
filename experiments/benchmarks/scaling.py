"""Measure what a neuron and a synaptic event cost, at which size, on how many threads.

    python experiments/benchmarks/scaling.py [--threads 1 2] [--json FILE] [--out FOLDER]

Beside each figure stands a bound: the bare loop that a neuron's step or an event needs, measured
on this machine with as many threads, or, where that is longer, the time in which memory brings
the bytes. The distance is how many times longer we take.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))
from experiments.benchmarks import measure
from experiments.benchmarks.parameters import DT

# What a synapse takes in memory, by its weights and the precision.
_BYTES = {
    ("one", "double"): 2, ("normal", "double"): 10, ("one", "compact"): 2, ("normal", "compact"): 4,
}  # fmt: skip
_RATE = 10.0


def run(
    neurons: Sequence[int],
    in_degrees: Sequence[int],
    threads: Sequence[int],
    precisions: Sequence[str],
    repeats: int,
    duration: float,
    say: Any = None,
) -> list[dict[str, Any]]:
    """Measure; return a row a run.

    Of the ``n_neurons`` half are trains that only send. Rows have, beyond those of
    ``measure.py``: ``in_degree``, ``weights`` ("one" or "normal"), ``per`` ("neuron step" or
    "event"), ``ns`` for one of these, ``bound_ns``, ``distance`` and ``triad_gb_s``. What an
    event costs is the time beyond that of as many neurons and spikes without synapses.
    """
    from experiments.benchmarks.bounds import scatter_ns, triad_gb_s, update_ns

    triad = {n: triad_gb_s(n) for n in threads}
    middle = neurons[len(neurons) // 2]
    cases = [(n, 0, "one") for n in neurons]
    cases += [(middle, k, w) for w in ("one", "normal") for k in in_degrees]
    bounds: dict[tuple[Any, ...], float] = {}
    rows = []
    with tempfile.TemporaryDirectory(prefix="kernels") as folder:
        environment = {"SPIKESIM_CACHE_DIR": folder}
        # The first round is not kept: which kernels are compiled depends on the case.
        for repeat in range(-1, repeats):
            for precision, n_threads in itertools.product(precisions, threads):
                alone = float("nan")
                for n, k, weights in cases:
                    job = _job(n, k, weights, n_threads, precision, duration)
                    job["seed"] = 1 + max(repeat, 0)
                    row = measure.run_once("spikesim_runs.py", job, environment=environment)
                    if repeat < 0:
                        continue
                    key = (n, k > 0, weights, n_threads, precision)
                    compact = precision == "compact"
                    if k == 0:
                        alone = row["sim_s"] if n == middle else alone
                        steps = n * row["bio_seconds"] / (1e-3 * DT)
                        row |= {"per": "neuron step", "ns": 1e9 * row["sim_s"] / steps}
                        if key not in bounds:
                            bounds[key] = update_ns(n_threads, n, compact)
                    else:
                        events = n * k * _RATE * row["bio_seconds"]
                        row |= {"per": "event", "ns": 1e9 * (row["sim_s"] - alone) / events}
                        if key not in bounds:
                            brought = _BYTES[weights, precision] / triad[n_threads]
                            scattered = scatter_ns(n_threads, n, weights, compact)
                            bounds[key] = max(scattered, brought)
                    row |= {
                        "in_degree": k,
                        "weights": weights,
                        "bound_ns": bounds[key],
                        "distance": row["ns"] / bounds[key],
                        "triad_gb_s": triad[n_threads],
                    }
                    rows.append(row)
                    if say:
                        say(measure.line(row))
    return rows


def _job(
    n: int, k: int, weights: str, threads: int, precision: str, duration: float
) -> dict[str, Any]:
    job = measure.job_of("driven", None, duration, threads, precision)
    job["options"] = {
        "n": n, "in_degree": k, "weights": weights, "rate": _RATE, "duration": duration,
    }  # fmt: skip
    return job


def medians(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return a row for each case, with medians over repeats and the spread of ``ns``."""
    cases: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        key = (row["per"], row["precision"], row["weights"], row["n_neurons"], row["in_degree"],
               row["threads"])  # fmt: skip
        cases.setdefault(key, []).append(row)
    return [
        {
            **group[0],
            "ns": float(np.median([row["ns"] for row in group])),
            "ns_low": min(row["ns"] for row in group),
            "ns_high": max(row["ns"] for row in group),
            "distance": float(np.median([row["distance"] for row in group])),
            "peak_rss_mb": float(np.median([row["peak_rss_mb"] for row in group])),
            "build_s": float(np.median([row["build_s"] for row in group])),
        }
        for group in cases.values()
    ]


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the figures as text, those of one thread and of more below each other."""
    triad = {row["threads"]: row["triad_gb_s"] for row in rows}
    lines = [
        "memory bandwidth (triad): "
        + ", ".join(f"{gb:.1f} GB/s on {n} threads" for n, gb in sorted(triad.items())),
        f"{'cost of a':13}{'precision':11}{'weights':9}{'neurons':>11}{'in-degree':>11}{'thr':>5}"
        f"{'ns (min-max)':>32}{'bound (ns)':>12}{'distance':>10}{'build (s)':>11}{'MB':>8}",
    ]
    for row in medians(rows):
        spread = f"{row['ns']:.3g} ({row['ns_low']:.3g}-{row['ns_high']:.3g})"
        size = row["n_neurons"] // 2  # the other half only sends
        lines.append(
            f"{row['per']:13}{row['precision']:11}{row['weights'] if row['in_degree'] else '':9}"
            f"{size:11,}{row['in_degree']:11,}{row['threads']:5}{spread:>32}"
            f"{row['bound_ns']:12.3g}{row['distance']:10.2f}{row['build_s']:11.2f}"
            f"{row['peak_rss_mb']:8.0f}"
        )
    return "\n".join(lines)


def draw(rows: Sequence[Mapping[str, Any]], folder: Path) -> list[Path]:
    """Draw a figure for each precision, ``scaling_PRECISION.png``; return the files."""
    found = []
    for precision in dict.fromkeys(row["precision"] for row in rows):
        found.append(folder / f"scaling_{precision}.png")
        _draw([row for row in rows if row["precision"] == precision], found[-1])
    return found


def _draw(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw cost against neurons and against synapses, a line for each number of threads."""
    import matplotlib.pyplot as plt
    from matplotlib.ticker import EngFormatter

    import spikesim as sp

    found = medians(rows)
    threads = sorted({row["threads"] for row in found})
    figure, axes = plt.subplots(1, 3, figsize=(10.2, 3.6), layout="constrained")
    panels = (
        ("neuron step", "one", "n_neurons", "neurons", "A step of a neuron"),
        ("event", "one", "n_synapses", "synapses", "An event, one weight for all"),
        ("event", "normal", "n_synapses", "synapses", "An event, a weight for each"),
    )
    for ax, (per, weights, x, label, title) in zip(axes, panels, strict=True):
        for index, n_threads in enumerate(threads):
            own = [
                row for row in found
                if (row["per"], row["weights"], row["threads"]) == (per, weights, n_threads)
            ]  # fmt: skip
            colour = sp.plotting.COLOURS[index]
            name = f"{n_threads} thread" + ("s" if n_threads > 1 else "")
            sizes = [row[x] // (2 if x == "n_neurons" else 1) for row in own]
            label_of = name if ax is axes[0] else None
            ax.plot(sizes, [row["ns"] for row in own], "o-", color=colour, label=label_of)
            ax.plot(sizes, [row["bound_ns"] for row in own], ":", color=colour)
        ax.set_xscale("log")
        ax.minorticks_off()
        ax.set_xticks(sizes, [EngFormatter(sep="")(size) for size in sizes])
        # Below zero is what an event seems to cost where the noise is larger than it.
        low, high = ax.get_ylim()
        ax.set_ylim(low if ax.dataLim.y0 < 0.0 else 0.0, 1.05 * high)
        ax.spines[["top", "right"]].set_visible(False)
        ax.set_xlabel(label)
        ax.set_title(title, loc="left", fontsize="medium")
    axes[0].set_ylabel("time (ns)")
    axes[0].plot([], [], ":", color="0.3", label="bound")
    figure.legend(frameon=False, loc="outside upper left", ncols=len(threads) + 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def main(arguments: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Measure, print the table, draw the figure, return the rows."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--threads", type=measure.positive, nargs="+", default=[1, 2], metavar="N")
    parser.add_argument("--precision", nargs="+", default=["double"], choices=["double", "compact"])
    parser.add_argument("--repeats", type=measure.positive, default=3)
    parser.add_argument(
        "--neurons", type=measure.positive, nargs="+", metavar="N",
        default=[1_000, 10_000, 100_000], help="sizes; synapses are varied at the middle one",
    )  # fmt: skip
    parser.add_argument(
        "--in-degrees", type=measure.positive, nargs="+", default=[300, 1_000, 4_000], metavar="K"
    )
    parser.add_argument("--duration", type=float, default=500.0, help="biological time (ms)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows to this file")
    parser.add_argument("--out", type=Path, default=Path("results/scaling"), metavar="FOLDER",
                        help="where the figure goes")  # fmt: skip
    options = parser.parse_args(arguments)
    rows = run(
        options.neurons, options.in_degrees, options.threads, options.precision, options.repeats,
        options.duration, say=lambda text: print(text, file=sys.stderr, flush=True),
    )  # fmt: skip
    rows = [row | measure.origin(__file__, arguments) for row in rows]
    print(measure.machine_line())
    print(table(rows))
    for path in draw(rows, options.out):
        print(path)
    if options.json:
        measure.write_json(options.json, rows)
    return rows


if __name__ == "__main__":
    main()
