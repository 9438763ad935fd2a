"""The figures of ``build_benchmarks.py``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import spikesim as sp
from docs.benchmark_results import OURS, Results, Row, compared, groups
from experiments.benchmarks import scaling

_COLOURS = dict(zip((OURS, "nest", "brian2"), sp.plotting.COLOURS, strict=False))
NAMES = {OURS: "spikesim", "nest": "NEST", "brian2": "Brian2"}
TITLES = {
    "lif": "One neuron",
    "vogels_abbott_current": "Vogels-Abbott, currents",
    "vogels_abbott_conductance": "Vogels-Abbott, conductances",
    "driven": "Neurons that are driven",
    "brunel": "Brunel, asynchronous irregular",
    "microcircuit": "Cortical microcircuit",
}


def title(name: str) -> str:
    """Return what a workload is called on the page."""
    network, _, state = name.partition(" ")
    return TITLES.get(name, f"{network.capitalize()}, {state}" if state else name)


def size(row: Row) -> str:
    """Return the size of a network in words."""
    if not row["n_synapses"]:
        return "a neuron" if row["n_neurons"] == 1 else f"{row['n_neurons']:,} neurons"
    return f"{row['n_neurons']:,} neurons, {row['n_synapses']:,} synapses"


def simulator(name: str) -> str:
    """Return what a simulator, or a mode of it, is called."""
    family, _, mode = name.partition("-")
    kinds = {"cython": "Cython", "cpp": "C++", "cpp-openmp": "C++ OpenMP"}
    return " ".join([NAMES.get(family, family), kinds.get(mode, mode)]).strip()


def draw(results: Results, folder: Path) -> list[Path]:
    """Draw what there is; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    if parts := compared(results):
        found.append(_realtime(parts, folder / "realtime.png"))
    return found + scaling.draw(results.scaling, folder)


def _realtime(parts: Sequence[tuple[str, list[Row]]], path: Path) -> Path:
    """Draw the realtime factor of every simulator on every network."""
    from matplotlib.figure import Figure

    lines = [(index, group) for index, (_, rows) in enumerate(parts) for group in groups(rows)]
    figure = Figure(figsize=(8.5, 0.9 + 0.24 * len(lines) + 0.5 * len(parts)), layout="constrained")
    ax = figure.subplots()
    place, labels, before = 0.0, {}, -1
    for index, group in lines:
        if index != before:
            name, rows = parts[index]
            place += 1.0 if before < 0 else 2.2
            text = f"{title(name)}: {size(rows[0])}"
            ax.annotate(text, (0.0, place - 0.85), xycoords=("axes fraction", "data"),
                        xytext=(4, 0), textcoords="offset points", va="center",
                        fontsize="small", fontweight="bold",
                        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0})  # fmt: skip
            before = index
        else:
            place += 1.0
        values, middle = group.values("realtime_factor"), group.median("realtime_factor")
        colour = _COLOURS.get(group.family, "0.3")
        ax.plot([min(values), max(values)], [place, place], color=colour, linewidth=1.5)
        ax.plot([middle], [place], "o", color=colour)
        ax.annotate(
            f"{middle:.3g}",
            (max(values), place),
            xytext=(7, 0),
            textcoords="offset points",
            va="center",
            fontsize="small",
            color=colour,
        )
        plural = "s" if group.threads > 1 else ""
        kind = f", {group.precision}" if group.family == OURS else ""
        labels[place] = f"{simulator(group.simulator)}{kind}, {group.threads} thread{plural}"
    ax.axvline(1.0, color="0.5", linestyle=":", linewidth=1.0)
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter("{x:g}")
    low, high = ax.get_xlim()
    ax.set(xlim=(low, high * 2.0), ylim=(place + 0.8, -0.5))
    ax.set_xlabel("time for one second of the network (s); dotted: real time")
    ax.set_yticks(list(labels), list(labels.values()), fontsize="small")
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "right", "left"]].set_visible(False)
    figure.savefig(path, dpi=120, metadata={"Software": None})
    return path
