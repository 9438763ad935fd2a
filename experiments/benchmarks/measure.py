"""Measure workloads, each run in a process of its own; print a table, write rows.

What the columns mean:

* ``build_s``: from the description of the network to the end of its first step, kernels loaded
  (warm) or compiled (cold) included;
* ``sim_s``: the steps after that, all spikes kept in memory; ``realtime_factor`` is ``sim_s``
  for one second of biological time, below 1 is faster than real time;
* ``process_s``: the whole process from outside, the start of Python included;
* ``peak_rss_mb``: its largest resident memory (10^6 bytes);
* ``cache``: "cold" for a run that finds no compiled kernels, "warm" for one that finds all;
* ``spikes_sha256``: a hash of all spikes, equal if these are;
* ``machine``, ``command``, ``date``: where a row comes from.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

import spikesim as sp

sys.path.insert(0, str(Path(__file__).parents[2]))
from experiments.benchmarks.workloads import WORKLOADS

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
COLUMNS = ("build_s", "sim_s", "realtime_factor", "process_s", "peak_rss_mb")
_LABELS = ("workload", "simulator", "precision", "threads", "cache")
_ORDER = (
    "workload", "simulator", "version", "precision", "threads", "cache", "scale", "seed",
    "n_neurons", "n_synapses", "bio_seconds", "build_s", "sim_s", "realtime_factor", "n_spikes",
    "peak_rss_mb", "process_s", "spikes_sha256",
)  # fmt: skip


class RunFailedError(RuntimeError):
    """A measured process that ended with an error; the message is the end of what it said.

    If it was killed, the last line says so.
    """


def run_once(
    script: str,
    job: Mapping[str, Any],
    python: str = sys.executable,
    environment: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Run a job in a fresh process and return its row.

    Parameters
    ----------
    script : str
        File beside this one that does it, such as ``spikesim_runs.py``.
    job : dict
        As :func:`experiments.benchmarks.child.main` takes it.
    python : str, optional
        The Python to run it in; by default this one.
    environment : dict of str, optional
        Additions to the environment.

    Raises
    ------
    RunFailedError
        The process failed.
    """
    row, process_s = run_process([python, str(HERE / script), json.dumps(job)], environment)
    row["process_s"] = process_s - row.pop("aside_s")
    row["scale"] = job["options"].get("scale", 1.0)
    row["seed"] = job["seed"]
    row["cache"] = "warm"
    return {key: row[key] for key in _ORDER}


def run_process(
    command: Sequence[str], environment: Mapping[str, str] | None = None
) -> tuple[dict[str, Any], float]:
    """Run a command; return the JSON of the last line it prints, and its time (s).

    Parameters
    ----------
    command : sequence of str
        The program and its arguments.
    environment : dict of str, optional
        Additions to the environment.

    Raises
    ------
    RunFailedError
        The process failed.
    """
    start = time.perf_counter()
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env={**os.environ, **(environment or {})}
    )
    process_s = time.perf_counter() - start
    if done.returncode:
        said = done.stderr.strip().splitlines()[-5:]
        if done.returncode < 0:
            said.append(f"it was ended by signal {-done.returncode} (9: perhaps out of memory)")
        raise RunFailedError("\n".join(said) or f"it ended with status {done.returncode}")
    return json.loads(done.stdout.strip().splitlines()[-1]), process_s


def measure(
    names: Iterable[str],
    *,
    threads: Sequence[int],
    precisions: Sequence[str],
    repeats: int,
    scale: float | None = None,
    duration: float | None = None,
    say: Any = None,
) -> list[dict[str, Any]]:
    """Measure spikesim on workloads.

    Parameters
    ----------
    names : iterable of str
        Keys of :data:`experiments.benchmarks.workloads.WORKLOADS`.
    threads : sequence of int
        Numbers of threads.
    precisions : sequence of str
        "double", "compact" or both.
    repeats : int
        Warm runs of each; they take turns, so that a slow minute touches all alike.
    scale : float, optional
        Size of the networks that have one; by default their own.
    duration : float, optional
        Biological time (ms); by default that of the workload.
    say : callable, optional
        Called with a line on each run.

    Returns
    -------
    list of dict
        One row a run. The first run of each kind finds an empty cache of compiled kernels
        (``cache`` is "cold"), the others find what it left.
    """
    jobs = [
        job_of(name, scale, duration, n_threads, precision)
        for name in names
        for precision in precisions
        for n_threads in (threads if name != "lif" else [1])
    ]
    rows = []
    with tempfile.TemporaryDirectory(prefix="kernels") as folder:
        for repeat in range(-1, repeats):
            for index, job in enumerate(jobs):
                environment = {"SPIKESIM_CACHE_DIR": f"{folder}/{index}"}
                job = {**job, "seed": 1 + max(repeat, 0)}
                rows.append(run_once("spikesim_runs.py", job, environment=environment))
                rows[-1]["cache"] = "cold" if repeat < 0 else "warm"
                if say:
                    say(line(rows[-1]))
    return rows


def job_of(
    name: str, scale: float | None, duration: float | None, threads: int, precision: str
) -> dict[str, Any]:
    """Return the job of one run."""
    scaled = scale is not None and name != "lif"
    return {
        "workload": name,
        "options": {"scale": scale} if scaled else {},
        "duration": WORKLOADS[name].duration if duration is None else duration,
        "seed": 1,
        "threads": threads,
        "precision": precision,
    }


def line(row: Mapping[str, Any]) -> str:
    """Return a run in one line."""
    return (
        f"{row['workload']} {row['simulator']} {row['precision']} {row['threads']} thr "
        f"{row['cache']}: build {row['build_s']:.3g} s, run {row['sim_s']:.3g} s, "
        f"RTF {row['realtime_factor']:.3g}, process {row['process_s']:.3g} s, "
        f"{row['peak_rss_mb']:.0f} MB"
    )


def groups(rows: Iterable[Mapping[str, Any]]) -> dict[tuple[Any, ...], list[Mapping[str, Any]]]:
    """Return the rows of equal workload, simulator, precision, threads and cache together."""
    found: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        found.setdefault(tuple(row[label] for label in _LABELS), []).append(row)
    return found


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return medians with the smallest and largest value, and the goals beside."""
    lines = []
    for name in dict.fromkeys(row["workload"] for row in rows):
        own = [row for row in rows if row["workload"] == name]
        first = own[0]
        lines.append(
            f"{name}: {first['n_neurons']:,} neurons, {first['n_synapses']:,} synapses, "
            f"{first['bio_seconds']:g} s of biological time"
        )
        head = f"  {'simulator':18}{'precision':11}{'thr':>4}  {'cache':6}{'runs':>4}"
        lines.append(head + "".join(f"{column:>30}" for column in COLUMNS) + f"{'spikes':>12}")
        for (_, simulator, precision, threads, cache), group in groups(own).items():
            cells = "".join(f"{_spread([r[column] for r in group]):>30}" for column in COLUMNS)
            spikes = int(np.median([row["n_spikes"] for row in group]))
            lines.append(
                f"  {simulator:18}{precision:11}{threads:4}  {cache:6}{len(group):4}{cells}"
                f"{spikes:12,}"
            )
        goals = WORKLOADS[name].goals if name in WORKLOADS else {}
        if goals and first["scale"] == 1.0:
            cells = "".join(
                f"{f'<= {goals[column]:g}' if column in goals else '':>30}" for column in COLUMNS
            )
            lines.append(f"  {'goal':45}{cells}")
        lines.append("")
    return "\n".join(lines)


def _spread(values: Sequence[float]) -> str:
    middle = f"{np.median(values):.3g}" if np.median(values) < 1e3 else f"{np.median(values):.0f}"
    if len(values) == 1:
        return middle
    low, high = (f"{x:.3g}" if x < 1e3 else f"{x:.0f}" for x in (min(values), max(values)))
    return f"{middle} ({low}-{high})"


def write_json(path: Path, content: Any) -> None:
    """Write JSON to a temporary name, then rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(content, indent=1))
    os.replace(temporary, path)


def positive(text: str) -> int:
    """Return an argument that has to be a whole number above zero."""
    if (found := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text} is below 1")
    return found


def parser(description: str | None, sized: bool = True) -> argparse.ArgumentParser:
    """Return the options that the benchmarks share; those of size only if there is one."""
    found = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    if sized:
        found.add_argument("--threads", type=positive, nargs="+", default=[1, 2], metavar="N")
        found.add_argument("--scale", type=float, help="size of the network (default 1)")
    else:
        found.set_defaults(threads=[1], scale=None)
    found.add_argument("--precision", nargs="+", default=["double"], choices=["double", "compact"])
    found.add_argument("--repeats", type=positive, default=3, help="warm runs of each (default 3)")
    found.add_argument("--duration", type=float, help="biological time (ms)")
    found.add_argument("--json", type=Path, metavar="FILE", help="write the rows to this file")
    return found


def machine() -> dict[str, Any]:
    """Return what machine this is, and the versions of what is measured on it."""
    name = platform.processor() or platform.machine()
    try:
        for entry in Path("/proc/cpuinfo").read_text().splitlines():
            if entry.startswith("model name"):
                name = entry.split(":", 1)[1].strip()
                break
    except OSError:
        pass
    found = {"cpu": name, "cores": os.cpu_count(), "system": platform.system()}
    if hasattr(os, "sysconf"):
        pages, size = (os.sysconf(key) for key in ("SC_PHYS_PAGES", "SC_PAGE_SIZE"))
        found["memory_gb"] = round(pages * size / 1e9, 1)
    found |= {"python": platform.python_version(), "spikesim": sp.__version__}
    return found | {package: version(package) for package in ("numpy", "numba")}


def machine_line() -> str:
    """Return what machine this is, in a line."""
    found = machine()
    return f"{found['cpu']}, {found['cores']} cores, {found['system']}, Python {found['python']}"


def origin(script: str, arguments: Sequence[str] | None) -> dict[str, Any]:
    """Return where a row comes from: ``machine``, ``command`` and ``date``.

    Parameters
    ----------
    script : str
        The file that measured, its ``__file__``.
    arguments : sequence of str, optional
        What it was called with; by default the arguments of this process. Where another Python
        is named, its path is left to a variable.
    """
    words = [Path(script).resolve().relative_to(ROOT).as_posix()]
    for word in sys.argv[1:] if arguments is None else arguments:
        before = words[-1]
        if before.startswith("--") and before.endswith("-python"):
            words.append(f'"${before[2:].replace("-", "_").upper()}"')
        else:
            words.append(shlex.quote(word))
    return {
        "machine": machine(),
        "command": " ".join(["python", *words]),
        "date": datetime.now(UTC).date().isoformat(),
    }


def main(
    script: str,
    names: Sequence[str],
    description: str | None,
    arguments: Sequence[str] | None,
    precision: Sequence[str] = ("double",),
) -> list[dict[str, Any]]:
    """Do what a benchmark does: measure its workloads, print the table, write the rows."""
    options_of = parser(description, sized=set(names) != {"lif"})
    options_of.set_defaults(precision=list(precision))
    options = options_of.parse_args(arguments)
    try:
        rows = measure(
            names,
            threads=options.threads,
            precisions=options.precision,
            repeats=options.repeats,
            scale=options.scale,
            duration=options.duration,
            say=lambda text: print(text, file=sys.stderr, flush=True),
        )
    except RunFailedError as error:
        raise SystemExit(f"a run failed: {error}") from None
    rows = [row | origin(script, arguments) for row in rows]
    print(machine_line())
    print(table(rows))
    if options.json:
        write_json(options.json, rows)
    return rows
