"""The section on training of ``build_benchmarks.py``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from docs.benchmark_results import OURS, Row
from docs.benchmark_tables import number, spread, table
from experiments.benchmarks import training

_NAMES = {
    OURS: "spikesim", "reference": "by hand in PyTorch", "snntorch": "snnTorch", "norse": "Norse",
    "norse-compiled": "Norse, compiled cell", "jax": "by hand in JAX",
}  # fmt: skip
_TITLES = {
    "feed-forward": "A training step, feed-forward",
    "recurrent": "A training step, recurrent",
    "recurrent, cut-off": "A training step, recurrent, surrogate with a cut-off",
    "feed-forward, batch 256": "A training step, feed-forward, twice the batch",
    "recurrent, batch 256": "A training step, recurrent, twice the batch",
    "inference, feed-forward": "Inference, feed-forward",
    "inference, recurrent": "Inference, recurrent",
    "square layer": "Forward and backward through one wide layer",
    "yin-yang, latency": "Yin-Yang, an epoch, one spike a line",
    "yin-yang, direct": "Yin-Yang, an epoch, constant currents",
    "xor": "XOR",
    "iris": "Iris",
}
# Label, factor to its unit, unit.
_QUANTITIES = {
    "step_s": ("a step", 1000.0, " ms"),
    "peak_rss_mb": ("memory", 1.0, " MB"),
    "since_start_s": ("process to first step", 1.0, " s"),
    "process_s": ("whole process", 1.0, " s"),
    "value": ("right", 100.0, "%"),
}
_README = ("feed-forward", "recurrent", "yin-yang, latency", "yin-yang, direct", "xor", "iris")
_README_LIBRARIES = (OURS, "snntorch", "norse", "jax")
_README_TEXT = (
    "Training: 700 inputs, 256 hidden and 20 output units, 128 trials of 100 steps; Yin-Yang's "
    "5,000 samples; XOR from 20 starts and Iris in five folds as whole processes. Medians; the "
    "same model and the same first loss where a library has it (Norse has another reset)."
)
_TEXT = (
    "What is trained, and with which weights, is in `experiments/benchmarks/training_tasks.py`. "
    "Single precision unless it says otherwise; libraries take turns. **step**: forward, backward "
    "and update of one batch that is there already, for Yin-Yang an epoch. **first step**: the "
    "same for the first time, with what is loaded for it; **from the start**: from the start of "
    "the process to the end of the first step, data apart. **compiling**: the same where nothing "
    "compiled was found. **ratio**: the other library over ours. **first loss**: equal in every "
    "library that has exactly this model, which is checked. Norse resets to zero instead of "
    "subtracting the threshold, so its differs."
)
_PARTS = (
    "The bound of a part is the bare loop that its work needs, as often as this batch needs it: a "
    "weight added for each spike, a step of each unit, a product of matrices for errors that go "
    "back to all units, and bytes moved at the bandwidth of memory. What others spend is not in "
    "it, nor is a better way than to add weights for spikes. The input is packed once, before "
    "training."
)


def goals(rows: Sequence[Row]) -> list[dict[str, str]]:
    """Return for each goal what was measured and whether it is reached."""
    lines = []
    for name, column, goal in training.GOALS:
        found = training.values(_steps(rows), name, column)
        if not found:
            continue
        label, factor, unit = _QUANTITIES[column]
        middle, sign = float(np.median(found)), "≥" if column == "value" else "≤"
        missed = f"**missed**: {middle / goal:.2f} times the goal"
        lines.append(
            {
                "what": _TITLES[name],
                "quantity": label,
                "goal": f"{sign} {number(factor * goal)}{unit}",
                "measured": f"{spread([factor * value for value in found])}{unit}",
                "how": training.CASES[name].precisions[0],
                "verdict": "reached" if training.reached(column, middle, goal) else missed,
            }
        )
    return lines


def versions(rows: Sequence[Row]) -> list[str]:
    """Return the other libraries with their versions."""
    found = {row["library"]: row["version"] for row in _steps(rows) if row["library"] != OURS}
    return [f"{_NAMES[name]} {version}" for name, version in found.items()]


def section(rows: Sequence[Row]) -> list[str]:
    """Return the section, nothing without rows."""
    if not rows:
        return []
    steps, parts = _steps(rows), [row for row in rows if row["mode"] == "part"]
    found = ["## Training", _TEXT]
    if beside := versions(rows):
        found.append(f"Beside {', '.join(beside)}.")
    for name in dict.fromkeys(row["workload"] for row in steps):
        own = [row for row in steps if row["workload"] == name]
        found += [f"### {_TITLES[name]}", _table(own)]
        of_step = [row for row in parts if row["workload"] == name]
        if of_step:
            found += ["What the step is made of:", _parts_table(of_step)]
    if parts:
        found.append(_PARTS)
    if left_out := list(dict.fromkeys(text for row in rows for text in row.get("left_out", []))):
        found.append("\n".join(f"- Left out: {text}." for text in left_out))
    commands = dict.fromkeys(row["command"] for row in rows if "command" in row)
    return [*found, "```\n" + "\n".join(commands) + "\n```"] if commands else found


def readme(rows: Sequence[Row]) -> str:
    """Return the table of the README, nothing without rows."""
    groups = training.groups(_steps(rows))
    lines = []
    for name in _README:
        case = training.CASES[name]
        column, factor, unit = (
            ("process_s", 1.0, " s") if case.mode == "process" else ("step_s", 1000.0, " ms")
        )
        line = {"task": _TITLES[name]}
        for library in _README_LIBRARIES:
            precision = case.precisions[0] if library == OURS else "single"
            group = groups.get((name, library, precision, "warm"))
            line[_NAMES[library]] = (
                f"{number(factor * _median(group, column))}{unit}" if group else ""
            )
        lines.append(line)
    lines = [line for line in lines if line[_NAMES[OURS]]]
    if not lines:
        return ""
    others = versions([row for row in rows if row["library"] in _README_LIBRARIES])
    beside = f" Beside {', '.join(others)}." if others else ""
    return f"{_README_TEXT}{beside}\n\n{table(lines)}"


def _steps(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row["mode"] != "part"]


def _table(rows: Sequence[Row]) -> str:
    """Return a line for each library."""
    found = training.groups(rows)
    main = "process_s" if rows[0]["mode"] == "process" else "step_s"
    ours = [group for key, group in found.items() if key[1] == OURS and key[3] == "warm"]
    lines = []
    for (name, library, precision, cache), group in found.items():
        if cache == "cold":
            continue
        cold = found.get((name, library, precision, "cold"), [])
        case = training.CASES[name]
        value = float(np.median([row["value"] for row in group]))
        is_share = case.mode == "process" or case.task == "Yin-Yang"
        line: dict[str, str] = {
            "library": _NAMES[library],
            "precision": precision if library == OURS else "",
            "processes": str(len(group)),
            "step (ms)": _cell(group, "step_s", 1000.0),
            "ratio": "",
            "fastest (ms)": number(1000.0 * min(row["step_min_s"] for row in group))
            if main == "step_s"
            else "",
            "first step (s)": _cell(group, "first_s"),
            "from the start (s)": _cell(group, "since_start_s"),
            "whole process (s)": _cell(group, "process_s") if main == "process_s" else "",
            "compiling (s)": _cell(cold, "process_s" if main == "process_s" else "since_start_s"),
            "memory (MB)": _cell(group, "peak_rss_mb"),
            "right" if is_share else _label(case.task): f"{100.0 * value:.1f}%"
            if is_share
            else f"{value:.6g}",
        }
        if library != OURS and ours:
            line["ratio"] = number(_median(group, main) / _median(ours[0], main))
        lines.append(line)
    return table(lines)


def _label(task: str) -> str:
    return "spikes" if task == "square layer" else "first loss"


def _parts_table(rows: Sequence[Row]) -> str:
    return table(
        [
            {
                "part": row["part"],
                "time (ms)": number(1000.0 * row["part_s"]),
                "bound (ms)": number(1000.0 * row["bound_s"]),
                "distance": f"{row['part_s'] / row['bound_s']:.2f}",
            }
            for row in rows
        ]
    )


def _median(rows: Sequence[Row], column: str) -> float:
    return float(np.median([row[column] for row in rows]))


def _cell(rows: Sequence[Any], column: str, factor: float = 1.0) -> str:
    found = [factor * row[column] for row in rows if column in row]
    return spread(found) if found else ""
