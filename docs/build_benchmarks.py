"""Write the page of the benchmarks, docs/benchmarks.md, with its figures, from a results folder.

Run the benchmarks with ``--json results/benchmarks/NAME.json`` (``make benchmarks`` runs all) and
then ``python docs/build_benchmarks.py results/benchmarks``. The section on speed of the README is
renewed, too. What was not run is left out.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from docs import benchmark_training
from docs.benchmark_figures import NAMES, draw, size, title
from docs.benchmark_results import (
    OURS,
    Results,
    Row,
    compared,
    fastest,
    groups,
    is_full,
    listed,
    of_size,
    read,
    workloads,
)
from docs.benchmark_tables import (
    agreement,
    equal_spikes,
    number,
    on_threads,
    runs_table,
    spread,
    table,
)
from experiments.benchmarks import latency, scaling
from experiments.benchmarks.workloads import WORKLOADS
from experiments.readme import with_block

PROJECT = Path(__file__).resolve().parents[1]
START, END = "<!-- speed: start -->", "<!-- speed: end -->"
_QUANTITIES = {
    "realtime_factor": ("realtime factor", 1.0, ""),
    "sim_s": ("a later call", 1000.0, " ms"),
    "build_s": ("build", 1.0, " s"),
    "process_s": ("whole process", 1.0, " s"),
    "peak_rss_mb": ("memory", 1.0, " MB"),
}
_WORDS = """\
- **realtime factor**: time for one second of the network; below one is faster than real time.
  Building is not in it.
- **build**: from the description to the end of the first step: connections drawn, kernels loaded.
  For NEST until all is prepared; for Brian2 all that is not the loop over steps, its compiler
  included where it has no cache.
- **first call**, **a later call**: of one neuron, described, simulated and read back in each;
  a later call of a C++ program of Brian2 runs the program again.
- **process**: the whole process as seen from outside, the start of Python included.
- **memory**: the most that was resident (10⁶ bytes). For a C++ program of Brian2 that of the
  program, without Python and the compiler.
- **first**: the same where nothing compiled was found yet; all else is with a filled cache.
- **ratio**: the other simulator over ours on as many threads, in double precision if that was
  measured, runs of both taking turns. Above one ours is faster, or smaller.
- **bound**: the realtime factor of bare loops that do nothing but step neurons (with an
  exponential synapse) and add weights at random, or bring these bytes from memory, as often as
  the run had steps and events; no noise, no sorting, no recording.
  **distance**: how many times longer we take.

Figures are medians, with the smallest and the largest of all runs."""

_GOALS = (
    "Set before they were measured, for networks of full size and duration. Each network is taken "
    "on the number of threads that was fastest. Where a goal of time is missed, the bound of the "
    "same way, further down, says how far the machine itself would go."
)


def page(results: Results, figures: Sequence[str]) -> str:
    """Return the page.

    Parameters
    ----------
    results : Results
        What was measured.
    figures : sequence of str
        Where the page finds the figures.
    """
    parts = [
        "# How fast, how large, and whether others agree",
        "<!-- Made by `python docs/build_benchmarks.py results/benchmarks`. -->",
        "Every figure is measured, and this page is made from the files of the measurements: "
        "`make benchmarks NEST_PYTHON=... BRIAN_PYTHON=... TORCH_PYTHON=... JAX_PYTHON=...` does "
        "all of it again. Each run has a process of its own. The networks, with their sources, are "
        "in `experiments/benchmarks/parameters.py`.",
    ]
    if not results.rows():
        return "\n\n".join([*parts, "Nothing has been measured yet."]) + "\n"
    parts += ["## The machine", machines(results)]
    if rows := goals(results):
        parts += ["## Goals", _GOALS, table(rows)]
    realtime = [figure for figure in figures if "realtime" in figure]
    if names := workloads(results):
        parts += ["## The networks", _WORDS]
        parts += [f"![Realtime factor of each network]({figure})" for figure in realtime]
    for name in names:
        parts += _network(name, results)
    parts += benchmark_training.section(results.training)
    parts += _same_bits(results.same_bits)
    parts += _scaling(results.scaling, [figure for figure in figures if figure not in realtime])
    parts += _latency(results.latency)
    for name, content in results.others.items():
        parts += _other(name, listed(content))
    return "\n\n".join(parts) + "\n"


def machines(results: Results) -> str:
    """Return what machines, versions and days the results come from."""
    found: dict[tuple[Any, ...], list[Row]] = {}
    for row in results.rows():
        found.setdefault(tuple(row.get("machine", {}).items()), []).append(row)
    versions = dict.fromkeys(
        f"{NAMES.get(name, name)} {row['version']}"
        for row in sum(results.peers.values(), [])
        if (name := row["simulator"].split("-")[0]) != OURS
    )
    lines = []
    for items, rows in found.items():
        facts = dict(items)
        memory = f", {facts['memory_gb']:g} GB" if "memory_gb" in facts else ""
        packages = [f"{name} {facts[name]}" for name in ("spikesim", "numpy", "numba")
                    if name in facts]  # fmt: skip
        days = sorted({row["date"] for row in rows if "date" in row})
        when = f"; measured on {' to '.join(dict.fromkeys([days[0], days[-1]]))}" if days else ""
        lines.append(
            f"- {facts.get('cpu', 'unknown')}, {facts.get('cores', '?')} cores{memory}, "
            f"{facts.get('system', '')}, Python {facts.get('python', '?')}, "
            f"{', '.join(packages)}{when}"
        )
    if versions:
        lines.append(f"- beside {', '.join(versions)}")
    return "\n".join(lines)


def goals(results: Results) -> list[dict[str, str]]:
    """Return for each goal what was measured and whether it is reached, for each precision."""
    lines = []
    for name, workload in WORKLOADS.items():
        full = [row for row in results.own if row["workload"] == name and is_full(row)]
        for precision in dict.fromkeys(row["precision"] for row in full) or [""]:
            best = fastest(groups(row for row in full if row["precision"] == precision))
            for column, goal in workload.goals.items():
                label, factor, unit = _QUANTITIES[column]
                values = [factor * value for value in best.values(column)] if best else []
                how = f"{precision}, {on_threads([best.threads])}" if best else ""
                lines.append(_goal(title(name), label, factor * goal, unit, values, how))
    lines += benchmark_training.goals(results.training)
    times = latency.seconds_by_name(results.latency)
    for name, goal in latency.GOALS.items():
        if name in times:
            values = [1000.0 * value for value in times[name]]
            lines.append(_goal("latency", name, 1000.0 * goal, " ms", values, ""))
    if memory := results.others.get("endurance", {}).get("memory"):
        what = f"{memory['cycles']:,} networks made and forgotten"
        grown = [memory["growth_mib"]]
        lines.append(_goal(what, "growth of memory", memory["allowed_mib"], " MiB", grown, ""))
    if results.same_bits:
        verdicts = _verdicts(results.same_bits)
        lines.append(
            {"what": "noise on, any threads", "quantity": "spikes and state", "goal": "the same",
             "measured": f"{sum(verdicts.values())} of {len(verdicts)} networks", "how": "",
             "verdict": "reached" if all(verdicts.values()) else "**missed**"}
        )  # fmt: skip
    return [] if all(line["verdict"] == "not measured" for line in lines) else lines


def _goal(
    what: str, quantity: str, goal: float, unit: str, values: Sequence[float], how: str
) -> dict[str, str]:
    verdict, middle = "not measured", float(np.median(values)) if len(values) else float("nan")
    if len(values):
        missed = f"**missed**: {middle / goal:.2f} times the goal"
        verdict = "reached" if middle <= goal else missed
    return {
        "what": what, "quantity": quantity, "goal": f"≤ {number(goal)}{unit}",
        "measured": f"{spread(values)}{unit}" if len(values) else "", "how": how,
        "verdict": verdict,
    }  # fmt: skip


def _network(name: str, results: Results) -> list[str]:
    parts = [f"### {title(name)}"]
    for rows in of_size(results.own, name):
        parts += [f"{_about(rows)}:", runs_table(groups(rows), results.scaling), equal_spikes(rows)]
        parts.append(_commands(rows))
    for rows in [part for file in results.peers.values() for part in of_size(file, name)]:
        parts += [
            f"Beside others, {_about(rows)}:",
            runs_table(groups(rows), ()),
            equal_spikes(rows),
        ]
        parts += agreement(rows)
        parts += [f"Left out: {text}." for text in rows[0].get("left_out", [])]
        parts.append(_commands(rows))
    return [part for part in parts if part]


def _about(rows: Sequence[Row]) -> str:
    return f"{size(rows[0])}, {rows[0]['bio_seconds']:g} s"


def _commands(rows: Sequence[Row]) -> str:
    found = dict.fromkeys(row["command"] for row in rows if "command" in row)
    return "```\n" + "\n".join(found) + "\n```" if found else ""


def _verdicts(rows: Sequence[Row]) -> dict[str, bool]:
    """Return for each network whether all ways but the last, another seed, led to one result."""
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row["network"], []).append(row["digest"])
    return {
        name: len(set(digests[:-1])) == 1 and digests[-1] != digests[0]
        for name, digests in found.items()
    }


def _same_bits(rows: Sequence[Row]) -> list[str]:
    if not rows:
        return []
    verdicts = _verdicts(rows)
    lines = [
        {"network": row["network"], "way": row["name"],
         "hash (first part)": f"`{row['digest'][:16]}`", "spikes": f"{row['n_spikes']:,}",
         "verdict": "as it should" if verdicts[row["network"]] else "**not as it should**"}
        for row in rows
    ]  # fmt: skip
    text = (
        "Each network has noise. Hashes (SHA-256) are of all spikes and of the final state; the "
        "last of each network, with another seed, has to differ."
    )
    return ["## The same bits", text, table(lines), _commands(rows)]


def _scaling(rows: Sequence[Row], figures: Sequence[str]) -> list[str]:
    if not rows:
        return []
    triad = {row["threads"]: row["triad_gb_s"] for row in rows}
    bandwidth = ", ".join(f"{gb:.1f} GB/s on {on_threads([n])}" for n, gb in sorted(triad.items()))
    lines = [
        {
            "cost of a": row["per"],
            "precision": row["precision"],
            "weights": row["weights"] if row["in_degree"] else "",
            "neurons": f"{row['n_neurons'] // 2:,}",
            "in-degree": f"{row['in_degree']:,}" if row["in_degree"] else "",
            "threads": str(row["threads"]),
            "ns": f"{number(row['ns'])} ({number(row['ns_low'])}–{number(row['ns_high'])})",
            "bound (ns)": number(row["bound_ns"]),
            "distance": f"{row['distance']:.2f}",
            "memory (MB)": number(row["peak_rss_mb"]),
        }
        for row in scaling.medians(rows)
    ]
    text = (
        "What a step of a neuron and a synaptic event cost over all threads, and the bare loop "
        "that it needs at the least, or the time in which memory brings the bytes. Memory "
        f"bandwidth (triad): {bandwidth}."
    )
    parts = ["## What a neuron and an event cost", text]
    for figure in figures:
        precision = Path(figure).stem.removeprefix("scaling_")
        parts.append(f"![Cost of a step and of an event, {precision} precision]({figure})")
        parts.append(f"<sub>{precision.capitalize()} precision; dotted: the bounds.</sub>")
    return [*parts, table(lines), _commands(rows)]


def _latency(rows: Sequence[Row]) -> list[str]:
    if not rows:
        return []
    lines = [
        {"": name, "time (ms)": spread([1000.0 * value for value in seconds]),
         "times measured": str(len(seconds))}
        for name, seconds in latency.seconds_by_name(rows).items()
    ]  # fmt: skip
    text = "Fresh processes, the start of Python included; the last is a call within one."
    return ["## How long until something happens", text, table(lines), _commands(rows)]


def _other(name: str, rows: Sequence[Row]) -> list[str]:
    """Return a table of rows of any form: their numbers and texts."""
    keys = dict.fromkeys(
        key for row in rows for key, value in row.items()
        if isinstance(value, (str, int, float)) and key not in ("machine", "command", "date")
    )  # fmt: skip
    if not keys:
        return []

    def cell(value: Any) -> str:
        return str(value) if isinstance(value, (str, bool)) else number(value)

    lines = [{key: cell(row[key]) if key in row else "" for key in keys} for row in rows]
    heading = name.replace("_", " ").capitalize()
    return [f"## {heading}", table(lines), _commands(rows)]


def readme(results: Results) -> str:
    """Return the tables of the README."""
    families = [OURS, "nest", "brian2"]
    lines = []
    for name, rows in compared(results):
        best = {family: fastest(groups(rows), family) for family in families}
        own = best[OURS]
        compact = ", compact precision" if own and own.precision == "compact" else ""
        line = {"network": f"{title(name)}{compact}", "size": size(rows[0])}
        for column, label in (("realtime_factor", "time"), ("peak_rss_mb", "memory")):
            for family in families:
                group = best[family]
                unit = " MB" if label == "memory" else " s"
                key = f"{label}, {NAMES[family]}"
                once = "*" if group and len(group.rows) == 1 else ""
                line[key] = f"{number(group.median(column))}{once}{unit}" if group else ""
        lines.append(line)
    if not lines:
        return "Nothing has been measured yet."
    text = (
        "Time for one second of the network, building apart, and memory: medians, the fastest "
        "mode and number of threads of each, in double precision unless it says otherwise. Memory "
        "of programs that Brian2 writes is without Python and the compiler. The networks of Vogels "
        "and Abbott have their synapses from one list that all simulators are given."
    )
    if any("*" in cell for line in lines for cell in line.values()):
        text += " A star: of a single run."
    blocks = (text, table(lines), benchmark_training.readme(results.training), machines(results))
    return "\n\n".join(block for block in blocks if block)


def build(results: Path, docs: Path = PROJECT / "docs", page_of_all: Path | None = None) -> Path:
    """Write page and figures, and the table of the README; return the page.

    Parameters
    ----------
    results : Path
        Folder with what the benchmarks wrote.
    docs : Path
        Folder of the documentation.
    page_of_all : Path, optional
        README to renew.
    """
    found = read(results)
    images = docs / "images" / "benchmarks"
    shutil.rmtree(images, ignore_errors=True)
    figures = [path.relative_to(docs).as_posix() for path in draw(found, images)]
    target = docs / "benchmarks.md"
    target.write_text(page(found, figures), encoding="utf-8")
    if page_of_all is not None:
        text = page_of_all.read_text(encoding="utf-8")
        page_of_all.write_text(with_block(text, readme(found), START, END), encoding="utf-8")
    return target


def main(argv: list[str] | None = None) -> None:
    """Write page and figures from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path, help="folder with what the benchmarks wrote")
    parser.add_argument("--out", type=Path, default=PROJECT,
                        help="folder to write to (default: the project)")  # fmt: skip
    arguments = parser.parse_args(argv)
    docs, text = arguments.out / "docs", arguments.out / "README.md"
    docs.mkdir(parents=True, exist_ok=True)
    if not text.exists():
        shutil.copyfile(PROJECT / "README.md", text)
    print(build(arguments.results, docs, text))
    print(text)


if __name__ == "__main__":
    main()
