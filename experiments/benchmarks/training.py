"""Measure training: a step, the first step, memory and small tasks, beside other libraries.

    python experiments/benchmarks/training.py --torch-python PATH --jax-python PATH

What is trained is in ``training_tasks.py``. Each row is a process of its own, and all libraries
take turns. A Python that has PyTorch, snnTorch and Norse (``pip install snntorch norse
scikit-learn``) and one that has JAX are asked for by name; what they lack is left out. Every
library that has exactly the model of the classifier must come to the same loss of the first step,
or the benchmark fails.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import spikesim as sp

sys.path.insert(0, str(Path(__file__).parents[2]))
from experiments.benchmarks import measure, peers
from experiments.benchmarks.training_tasks import (
    ANCHOR_TOLERANCE,
    ANCHORS,
    N_STEPS,
    SQUARE_STEPS,
)

OURS = "spikesim"
# The script of each library, and the module that says whether a Python has it.
SCRIPTS = {
    OURS: ("spikesim", "spikesim"),
    "reference": ("torch", "torch"),
    "snntorch": ("torch", "snntorch"),
    "norse": ("torch", "norse"),
    "norse-compiled": ("torch", "norse"),
    "jax": ("jax", "jax"),
}
EXACT = (OURS, "reference", "snntorch", "jax")
COLUMNS = ("step_s", "step_min_s", "first_s", "since_start_s", "peak_rss_mb", "process_s")


class Case(NamedTuple):
    """What is measured, and by which libraries besides ours.

    Parameters
    ----------
    task, model : str
        As in ``training_tasks.py``.
    mode : {"training", "inference", "process"}
        Whether steps are timed or a whole process.
    batch : int
        Trials a step.
    others : tuple of str
        Keys of :data:`SCRIPTS`.
    precisions : tuple of str
        Of ours.
    n_steps : int
        Of a trial.
    """

    task: str
    model: str
    mode: str = "training"
    batch: int = 128
    others: tuple[str, ...] = ()
    precisions: tuple[str, ...] = ("single",)
    n_steps: int = N_STEPS


_ALL = ("reference", "snntorch", "norse", "jax")
_BOTH = ("single", "double")
_COMPILED = (*_ALL, "norse-compiled")
CASES = {
    "feed-forward": Case("classifier", "feed-forward", others=_COMPILED, precisions=_BOTH),
    "recurrent": Case("classifier", "recurrent", others=_COMPILED, precisions=_BOTH),
    "recurrent, cut-off": Case("classifier", "recurrent, cut-off"),
    "feed-forward, batch 256": Case("classifier", "feed-forward", batch=256, others=_ALL),
    "recurrent, batch 256": Case("classifier", "recurrent", batch=256, others=_ALL),
    "inference, feed-forward": Case("classifier", "feed-forward", "inference", others=_ALL),
    "inference, recurrent": Case("classifier", "recurrent", "inference", others=_ALL),
    "square layer": Case(
        "square layer", "512 x 512", batch=16, others=("reference",), n_steps=SQUARE_STEPS
    ),
    "yin-yang, latency": Case(
        "Yin-Yang", "latency", batch=64, others=("reference", "snntorch", "jax"), n_steps=40
    ),
    "yin-yang, direct": Case(
        "Yin-Yang", "direct", batch=64, others=("reference", "snntorch", "jax"), n_steps=20
    ),
    "xor": Case("XOR", "20 seeds", "process", 4, ("snntorch", "norse"), ("double",), 25),
    "iris": Case("Iris", "5 folds", "process", 120, ("snntorch", "norse"), ("double",), 25),
}
# Name, column, goal; where it is a time at most that, where a share at least.
GOALS = [
    ("feed-forward", "step_s", 0.018),
    ("recurrent", "step_s", 0.035),
    ("recurrent, cut-off", "step_s", 0.035),
    ("inference, feed-forward", "step_s", 0.010),
    ("feed-forward", "peak_rss_mb", 300.0),
    ("recurrent", "peak_rss_mb", 300.0),
    ("feed-forward", "since_start_s", 1.2),
    ("xor", "process_s", 2.0),
    ("xor", "value", 1.0),
    ("iris", "process_s", 3.0),
    ("iris", "value", 0.96),
    ("yin-yang, latency", "step_s", 0.3),
    ("yin-yang, direct", "step_s", 0.3),
]


class AnchorMissedError(RuntimeError):
    """A library that has the model came to another loss of the first step."""


def run(
    names: Iterable[str],
    pythons: Mapping[str, str],
    *,
    threads: int,
    repeats: int,
    steps: int = 20,
    smoke: bool = False,
    say: Any = None,
) -> list[dict[str, Any]]:
    """Measure; return a row a process.

    Parameters
    ----------
    names : iterable of str
        Keys of :data:`CASES`.
    pythons : dict of str
        For each library that is to be measured the Python that has it.
    threads : int
        Cores that each process may use.
    repeats : int
        Processes of each kind, after a first one of ours and of what compiles, which finds
        nothing compiled (``cache`` is "cold").
    steps : int, default 20
        Steps that are timed in a process; 5 epochs, or a quarter of it for the square layer.
    smoke : bool, default False
        Only try that it runs, with short trials and few samples.
    say : callable, optional
        Called with a line on each run.

    Raises
    ------
    AnchorMissedError
        A first loss that is not that of the model.
    RunFailedError
        A process of ours failed. Others are left out where they fail, which is said.
    """
    kinds = [
        (name, library, precision)
        for name in names
        for library in (OURS, *CASES[name].others)
        if library in pythons
        for precision in (CASES[name].precisions if library == OURS else ("single",))
    ]
    rows, failed = [], set()
    with tempfile.TemporaryDirectory(prefix="training") as folder:
        data = Path(folder) / "yin_yang.npz"
        points = sp.datasets.yin_yang(20 if smoke else 5000, 42)
        np.savez(data, features=points.features, labels=points.labels)
        for repeat in range(-1, repeats):
            for index, kind in enumerate(kinds):
                name, library, precision = kind
                compiles = library == OURS or library.endswith("-compiled")
                if kind in failed or (repeat < 0 and not compiles):
                    continue
                caches = {
                    "SPIKESIM_CACHE_DIR": f"{folder}/{index}",
                    "TORCHINDUCTOR_CACHE_DIR": f"{folder}/{index}",
                    "NUMBA_NUM_THREADS": str(threads),
                    "OMP_NUM_THREADS": str(threads),
                    "OPENBLAS_NUM_THREADS": str(threads),
                }
                job = _job(CASES[name], library, precision, threads, steps, smoke) | {
                    "data": str(data)
                }
                try:
                    row = _once(CASES[name], job, pythons[library], caches, smoke)
                except measure.RunFailedError as error:
                    if library == OURS:
                        raise
                    failed.add(kind)
                    if say:
                        say(f"{name} failed on {library}: {error}")
                    continue
                row |= {"workload": name, "library": library, "precision": precision}
                row |= {"threads": threads, "cache": "cold" if repeat < 0 else "warm"}
                if not smoke:
                    check_anchor(row)
                rows.append(row)
                if say:
                    say(_line(row))
    return rows


def parts(names: Iterable[str], threads: int, steps: int, smoke: bool) -> list[dict[str, Any]]:
    """Return what the steps of ours are made of: a row a part, with its bound.

    Parameters
    ----------
    names : iterable of str
        Keys of :data:`CASES`; only steps of the classifier at its own batch have parts.
    threads, steps, smoke
        As in :func:`run`.
    """
    rows = []
    for name in names:
        case = CASES[name]
        if (case.task, case.mode, case.batch) != ("classifier", "training", 128):
            continue
        job = _job(case, OURS, "single", threads, steps, smoke) | {"smoke": smoke}
        command = [sys.executable, str(measure.HERE / "training_parts.py"), json.dumps(job)]
        found, _ = measure.run_process(command, {"NUMBA_NUM_THREADS": str(threads)})
        about = {"workload": name, "library": OURS, "mode": "part", "threads": threads}
        about |= {"counts": found["counts"], "ns": found["ns"]}
        rows += [row | about for row in found["parts"]]
    return rows


def _job(
    case: Case, library: str, precision: str, threads: int, steps: int, smoke: bool
) -> dict[str, Any]:
    """Return what a process is told."""
    share = {"Yin-Yang": 0.25, "square layer": 0.25}.get(case.task, 1.0)
    job = {
        "task": case.task, "model": case.model, "mode": case.mode, "library": library,
        "precision": precision, "threads": threads, "batch": case.batch, "n_steps": case.n_steps,
        "n": 512, "steps": max(1, round(share * steps)), "unmeasured": 3 if share == 1.0 else 1,
    }  # fmt: skip
    return job | ({"n": 8, "n_steps": 4, "batch": 2, "unmeasured": 0} if smoke else {})


def _once(
    case: Case, job: dict[str, Any], python: str, caches: Mapping[str, str], smoke: bool
) -> dict[str, Any]:
    """Run one process and return its row."""
    script, _ = SCRIPTS[job["library"]]
    if case.mode == "process":
        which = [case.task.lower()] + (["1"] * (2 if case.task == "XOR" else 1) if smoke else [])
        library = [] if job["library"] == OURS else [job["library"]]
        command = [python, str(measure.HERE / f"small_{script}.py"), *library, *which]
        row, process_s = measure.run_process(command, caches)
    else:
        job["started"] = time.time()
        command = [python, str(measure.HERE / f"training_{script}.py"), json.dumps(job)]
        row, process_s = measure.run_process(command, caches)
    return row | {"process_s": process_s, "batch": job["batch"], "mode": case.mode}


def check_anchor(row: Mapping[str, Any]) -> None:
    """Refuse a first loss of the classifier other than the model's, where the library has it.

    Raises
    ------
    AnchorMissedError
        With both numbers.
    """
    case = CASES[row["workload"]]
    if case.task != "classifier" or case.batch != 128 or row["library"] not in EXACT:
        return
    anchor = ANCHORS[case.model.split(",")[0]]
    if not math.isclose(row["value"], anchor, rel_tol=ANCHOR_TOLERANCE):
        raise AnchorMissedError(
            f"{row['workload']}: the first loss of {row['library']} is {row['value']:.6g}, "
            f"that of the model {anchor:.6g}"
        )


def groups(rows: Iterable[Mapping[str, Any]]) -> dict[tuple[str, ...], list[Mapping[str, Any]]]:
    """Return rows of equal workload, library, precision and cache together."""
    found: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        key = tuple(row[label] for label in ("workload", "library", "precision", "cache"))
        found.setdefault(key, []).append(row)
    return found


def values(rows: Iterable[Mapping[str, Any]], name: str, column: str) -> list[float]:
    """Return what was measured of ours for a goal, in the first precision of the case."""
    return [
        row[column]
        for row in rows
        if (row["workload"], row["library"], row["cache"]) == (name, OURS, "warm")
        and row["precision"] == CASES[name].precisions[0]
    ]


def reached(column: str, value: float, goal: float) -> bool:
    """Return whether a goal is reached: a share at least that, anything else at most."""
    return value >= goal if column == "value" else value <= goal


def _line(row: Mapping[str, Any]) -> str:
    cells = ", ".join(f"{column} {row[column]:.4g}" for column in COLUMNS if column in row)
    return (
        f"{row['workload']} {row['library']} {row['precision']} {row['cache']}: {cells}, "
        f"value {row['value']:.6g}"
    )


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return medians with the smallest and largest value, and the goals."""
    lines = []
    for name in dict.fromkeys(row["workload"] for row in rows):
        own = [row for row in rows if row["workload"] == name]
        lines.append(f"{name}: {CASES[name].task}, {CASES[name].model}, {own[0]['mode']}")
        head = f"  {'library':16}{'precision':11}{'cache':6}{'runs':>5}"
        lines.append(head + "".join(f"{column:>26}" for column in COLUMNS) + f"{'value':>11}")
        for (_, library, precision, cache), group in groups(own).items():
            cells = "".join(
                f"{_spread([r[column] for r in group if column in r]):>26}" for column in COLUMNS
            )
            value = np.median([row["value"] for row in group])
            lines.append(f"  {library:16}{precision:11}{cache:6}{len(group):5}{cells}{value:11.6g}")
        lines.append("")
    for name, column, goal in GOALS:
        if found := values(rows, name, column):
            middle = float(np.median(found))
            verdict = "reached" if reached(column, middle, goal) else "MISSED"
            lines.append(f"goal: {name:26}{column:15}{goal:8g}{middle:12.4g}  {verdict}")
    return "\n".join(lines)


def parts_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return what a step is made of, in milliseconds."""
    lines = []
    for name in dict.fromkeys(row["workload"] for row in rows):
        lines.append(f"{name}: {'part':26}{'ms':>8}{'bound':>9}{'distance':>10}")
        lines += [
            f"  {row['part']:{len(name) + 26}}{1e3 * row['part_s']:8.2f}"
            f"{1e3 * row['bound_s']:9.2f}{row['part_s'] / row['bound_s']:10.2f}"
            for row in rows
            if row["workload"] == name
        ]
    return "\n".join(lines)


def _spread(found: Sequence[float]) -> str:
    if not found:
        return ""
    numbers = [float(np.median(found)), min(found), max(found)]
    texts = [f"{x:.0f}" if x >= 1000.0 else f"{x:.3g}" for x in numbers]
    return texts[0] if len(found) == 1 else f"{texts[0]} ({texts[1]}-{texts[2]})"


def main(arguments: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Measure, print the tables, return the rows."""
    options_of = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options_of.add_argument("--workloads", nargs="+", choices=list(CASES), default=list(CASES),
                            metavar="NAME", help=f"which of {'; '.join(CASES)}")  # fmt: skip
    options_of.add_argument("--libraries", nargs="+", choices=list(SCRIPTS)[1:],
                            default=list(SCRIPTS)[1:], help="besides ours")  # fmt: skip
    options_of.add_argument("--threads", type=measure.positive, default=os.cpu_count() or 1,
                            help="cores that each may use (default: all)")  # fmt: skip
    options_of.add_argument("--repeats", type=measure.positive, default=3,
                            help="processes of each (default 3)")  # fmt: skip
    options_of.add_argument("--steps", type=measure.positive, default=20,
                            help="steps timed in a process (default 20)")  # fmt: skip
    options_of.add_argument("--smoke", action="store_true", help="only try that it runs")
    for family in ("torch", "jax"):
        options_of.add_argument(f"--{family}-python", dest=family, metavar="PATH",
                                default=sys.executable,
                                help=f"the Python with {family} (default: this one)")  # fmt: skip
    options_of.add_argument("--json", type=Path, metavar="FILE", help="write the rows to this file")
    options = options_of.parse_args(arguments)
    pythons, left_out = {OURS: sys.executable}, []
    for library in options.libraries:
        family, module = SCRIPTS[library]
        python = getattr(options, family)
        if peers.available(module, python):
            pythons[library] = python
        else:
            left_out.append(f"{library}: {module} could not be imported")
    for text in left_out:
        print(f"left out: {text}", file=sys.stderr)
    try:
        rows = run(
            options.workloads,
            pythons,
            threads=options.threads,
            repeats=options.repeats,
            steps=options.steps,
            smoke=options.smoke,
            say=lambda text: print(text, file=sys.stderr, flush=True),
        )
        of_steps = parts(options.workloads, options.threads, options.steps, options.smoke)
    except (measure.RunFailedError, AnchorMissedError) as error:
        raise SystemExit(f"a run failed: {error}") from None
    source = measure.origin(__file__, arguments)
    print(measure.machine_line())
    print(table(rows))
    print(parts_table(of_steps))
    rows = [row | source | {"left_out": left_out} for row in [*rows, *of_steps]]
    if options.json:
        measure.write_json(options.json, rows)
    return rows


if __name__ == "__main__":
    main()
