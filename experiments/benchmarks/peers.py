"""Run the same networks on NEST and Brian2: how fast, how large, and whether they agree.

    python experiments/benchmarks/peers.py --nest-python PATH --brian-python PATH

The other simulators are looked for in this Python unless another is named
(``pip install 'spikesim[peers]'``; Brian2 needs a C++ compiler). What is not there is left out.
Graph and start of the Vogels-Abbott networks are one and the same in all simulators; of the
others the rules are, so their statistics vary with the draw: more `--repeats` narrow that.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))
from experiments.benchmarks import measure
from experiments.benchmarks.parameters import (
    DT,
    Brunel,
    Microcircuit,
    VogelsAbbott,
    activity,
    scaled,
)
from experiments.benchmarks.workloads import WORKLOADS

MODULES = {"nest": "nest", "brian2": "brian2"}
SIMULATORS = ("nest", "brian2-cython", "brian2-cpp", "brian2-cpp-openmp")
RATE_LIMIT = 0.02
CV_LIMIT = 0.02
# Weights, delays and indices of each synapse are handed to Brian as arrays.
_BRIAN_SYNAPSES = 20_000_000


def available(module: str, python: str) -> bool:
    """Return whether a Python can import a module."""
    try:
        found = subprocess.run([python, "-c", f"import {module}"], capture_output=True)
    except OSError:
        return False
    return found.returncode == 0


def jobs_of(
    name: str,
    simulators: Iterable[str],
    threads: Sequence[int],
    precisions: Sequence[str],
    scale: float | None,
    duration: float | None,
    peer_threads: Sequence[int] | None = None,
) -> list[tuple[str, dict[str, Any]]]:
    """Return each simulator with its job for a workload, ours first."""
    if scale is None and name == "microcircuit":
        scale = 0.1
    jobs = [
        ("spikesim", measure.job_of(name, scale, duration, n, precision))
        for precision in precisions
        for n in (threads if name != "lif" else [1])
    ]
    for simulator in simulators:
        parallel = simulator in ("nest", "brian2-cpp-openmp") and name != "lif"
        for n in (peer_threads or threads) if parallel else [1]:
            if simulator == "brian2-cpp-openmp" and n == 1:
                continue
            job = measure.job_of(name, scale, duration, n, "double")
            job["mode"] = simulator.removeprefix("brian2-")
            jobs.append((simulator, job))
    return jobs


def sizes_of(name: str, scale: float) -> dict[str, int]:
    """Return the populations of a workload and their sizes."""
    if name.startswith("vogels_abbott"):
        return scaled(VogelsAbbott.n, scale)
    if name.startswith("brunel"):
        return scaled(Brunel.n, scale)
    return Microcircuit(scale).sizes if name == "microcircuit" else {"neuron": 1}


class Comparison:
    """Runs jobs on all simulators and keeps rows and statistics.

    Parameters
    ----------
    pythons : dict of str
        For "nest" and "brian2" the Python to run it in.
    folder : Path
        For what is compiled, and for spikes on their way.
    say : callable
        Called with a line on each run.
    """

    def __init__(self, pythons: Mapping[str, str], folder: Path, say: Any) -> None:
        self.rows: list[dict[str, Any]] = []
        self.notes: list[str] = []
        self._left_out: dict[str, list[str]] = {}
        self.ours_failed = False
        self._pythons, self._folder, self._say = pythons, folder, say
        self._cached: set[tuple[Any, ...]] = set()

    def run(self, name: str, jobs: Sequence[tuple[str, dict[str, Any]]], seed: int) -> None:
        """Run a workload with one seed on all simulators, one after another."""
        spikes: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        rows: dict[str, dict[str, Any]] = {}
        for simulator, job in jobs:
            job = {**job, "seed": seed, "options": {**job["options"], **_graph(name, seed)}}
            key = (simulator, name, job["precision"], job["threads"])
            caches = simulator in ("spikesim", "brian2-cython")
            if caches and key not in self._cached:
                self._cached.add(key)
                self._once(simulator, job, "cold", self._cache(key))
            found = self._once(simulator, job, "warm" if caches else "none", self._cache(key))
            if found is not None:
                label = f"{simulator} {job['precision']} {job['threads']}"
                spikes[label], rows[label] = found, self.rows[-1]
        self._compare_spikes(name, seed, spikes, rows)

    def _once(
        self, simulator: str, job: dict[str, Any], cache: str, folder: Path
    ) -> tuple[np.ndarray, np.ndarray] | None:
        family = simulator.split("-")[0]
        file = self._folder / "spikes.npz"
        job = {**job, "spikes": str(file), "cython_cache": str(folder)}
        if family == "brian2" and job["workload"] == "microcircuit":
            synapses = Microcircuit(job["options"].get("scale", 1.0)).n_synapses().sum()
            if synapses > _BRIAN_SYNAPSES:
                text = f"{simulator} is left out of {synapses:,} listed synapses"
                self._leave_out(job["workload"], text)
                return None
        script = {"spikesim": "spikesim_runs.py", "nest": "nest_runs.py"}
        try:
            row = measure.run_once(
                script.get(simulator, "brian_runs.py"),
                job,
                python=self._pythons.get(family, sys.executable),
                environment={"SPIKESIM_CACHE_DIR": str(folder)},
            )
        except measure.RunFailedError as error:
            text = f"{job['workload']} failed on {simulator}: "
            self._leave_out(job["workload"], text + str(error).splitlines()[-1], text + str(error))
            self.ours_failed |= simulator == "spikesim"
            return None
        row["cache"] = cache
        workload = WORKLOADS[job["workload"]]
        with np.load(file) as found:
            times, ids = found["times"], found["ids"]
        file.unlink()
        window = (min(workload.discard, job["duration"] / 2), job["duration"])
        row["activity"] = activity(times, ids, sizes_of(job["workload"], row["scale"]), *window)
        self.rows.append(row)
        self._say(measure.line(row))
        inside = times <= job["duration"] + 1e-6
        return times[inside], ids[inside]

    def _cache(self, key: tuple[Any, ...]) -> Path:
        """Return the folder in which what is compiled for this kind of run is kept."""
        return self._folder / " ".join(map(str, key))

    def _leave_out(self, workload: str, text: str, note: str | None = None) -> None:
        kept = self._left_out.setdefault(workload, [])
        if text not in kept:
            kept.append(text)
        self._note(note or text)

    def left_out(self, workload: str) -> list[str]:
        """Return in words what was not compared on a workload, or failed."""
        return self._left_out.get(workload, [])

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)
            self._say(text)

    def _compare_spikes(
        self,
        name: str,
        seed: int,
        spikes: Mapping[str, tuple[np.ndarray, np.ndarray]],
        rows: Mapping[str, dict[str, Any]],
    ) -> None:
        """Say from when on spikes differ that should be the same; add it to the second row."""
        ours = [key for key in spikes if key.startswith("spikesim double")]
        pairs = list(itertools.pairwise(ours))
        if name == "vogels_abbott_current":
            others = [key for key in spikes if not key.startswith("spikesim")]
            pairs += [(key, peer) for key in ours[:1] for peer in others]
        for one, other in pairs:
            time = first_difference(spikes[one], spikes[other])
            rows[other]["first_difference"] = {"from": one, "ms": time}
            until = "all spikes are equal" if time is None else f"the first differs at {time:g} ms"
            self._note(f"{name}, seed {seed}, {one} and {other} threads: {until}")


def first_difference(
    one: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray]
) -> float | None:
    """Return the time (ms) of the first spike that only one of two recordings has, or None."""
    sets = [set(zip(np.rint(t / DT).astype(int), ids, strict=True)) for t, ids in (one, other)]
    different = sets[0] ^ sets[1]
    return min(step for step, _ in different) * DT if different else None


def _graph(name: str, seed: int) -> dict[str, int]:
    return {"graph_seed": seed, "start_seed": seed} if name.startswith("vogels_abbott") else {}


def ratios(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return how many times slower and larger the others are than ours with as many threads."""
    columns = ("realtime_factor", "build_s", "process_s", "peak_rss_mb")
    head = "".join(f"{column:>17}" for column in columns)
    lines = ["ratio to spikesim (medians; above 1: spikesim is faster, smaller)"]
    lines.append(f"  {'workload':28}{'simulator':20}{'thr':>4}  {'beside':14}{head}")
    medians = {
        key: {column: float(np.median([row[column] for row in group])) for column in columns}
        for key, group in measure.groups(rows).items()
        if key[-1] != "cold"
    }
    for (name, simulator, _, threads, _), peer in medians.items():
        if simulator == "spikesim":
            continue
        for precision in dict.fromkeys(row["precision"] for row in rows):
            own = medians.get((name, "spikesim", precision, threads, "warm"))
            if own is None:
                continue
            cells = "".join(f"{peer[column] / own[column]:17.3g}" for column in columns)
            lines.append(f"  {name:28}{simulator:20}{threads:4}  {precision:14}{cells}")
    return "\n".join(lines)


def agreement(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Compare the activity of each population with that of each other simulator.

    Returns
    -------
    list of dict
        For each workload, population, quantity ("rate" in Hz or "cv"), precision and peer the
        means over runs (``ours``, ``theirs``), their standard deviations over runs, the
        ``difference`` (of rates: relative) with its ``standard_error`` where there are runs
        enough, and whether the difference is within the limit (``passed``).
    """
    found = []
    for name in dict.fromkeys(row["workload"] for row in rows):
        own = [row for row in rows if row["workload"] == name]
        peers = dict.fromkeys(r["simulator"].split("-")[0] for r in own)
        for peer in peers:
            theirs = [row for row in own if row["simulator"].split("-")[0] == peer]
            for precision in dict.fromkeys(row["precision"] for row in own):
                ours = [
                    row
                    for row in own
                    if row["simulator"] == "spikesim" and row["precision"] == precision
                ]
                if peer == "spikesim" or not ours:
                    continue
                for population in ours[0]["activity"]:
                    for quantity in ("rate", "cv"):
                        entry = _compared(ours, theirs, population, quantity)
                        if entry is not None:
                            labels = {"workload": name, "peer": peer, "precision": precision}
                            found.append(labels | entry)
    return found


def _compared(
    ours: Sequence[Mapping[str, Any]],
    theirs: Sequence[Mapping[str, Any]],
    population: str,
    quantity: str,
) -> dict[str, Any] | None:
    """Compare one quantity; None if there were too few spikes to have it."""
    own, other = (_by_seed(rows, population, quantity) for rows in (ours, theirs))
    if not (len(own) and len(other)):
        return None
    unit, limit = (own.mean() or 1.0, RATE_LIMIT) if quantity == "rate" else (1.0, CV_LIMIT)
    difference = float((other.mean() - own.mean()) / unit)
    error = None
    if len(own) > 1 and len(other) > 1:
        variance = own.var(ddof=1) / len(own) + other.var(ddof=1) / len(other)
        error = float(np.sqrt(variance) / unit)
    return {
        "population": population,
        "quantity": quantity,
        "ours": float(own.mean()),
        "ours_sd": float(own.std(ddof=1)) if len(own) > 1 else None,
        "theirs": float(other.mean()),
        "theirs_sd": float(other.std(ddof=1)) if len(other) > 1 else None,
        "difference": difference,
        "standard_error": error,
        "passed": abs(difference) <= limit,
    }


def _by_seed(rows: Sequence[Mapping[str, Any]], population: str, quantity: str) -> np.ndarray:
    """Return the quantity for each different run: same seed and value count once.

    So do threads and modes of a simulator that lead to the same spikes: they are one draw.
    """
    values = {(row["seed"], round(row["activity"][population][quantity], 9)) for row in rows}
    return np.array([value for _, value in sorted(values) if np.isfinite(value)])


def statistics_table(found: Sequence[Mapping[str, Any]]) -> str:
    """Return the comparison as text."""
    lines = [
        f"activity: rates within {RATE_LIMIT:.0%}, CVs within {CV_LIMIT} (mean and standard "
        "deviation over runs; difference and its standard error)",
        f"  {'workload':28}{'peer':8}{'precision':11}{'population':12}{'':6}"
        f"{'spikesim':>18}{'peer':>18}{'difference':>20}",
    ]
    for entry in found:
        ours = _with_sd(entry["ours"], entry["ours_sd"])
        theirs = _with_sd(entry["theirs"], entry["theirs_sd"])
        difference = entry["difference"]
        error = entry["standard_error"]
        kind = ".2%" if entry["quantity"] == "rate" else ".4f"
        shown = f"{difference:+{kind}}" + (f" ({error:{kind}})" if error is not None else "")
        lines.append(
            f"  {entry['workload']:28}{entry['peer']:8}{entry['precision']:11}"
            f"{entry['population']:12}{entry['quantity']:6}{ours:>18}{theirs:>18}{shown:>20}  "
            f"{'pass' if entry['passed'] else 'FAIL'}"
        )
    passed = sum(entry["passed"] for entry in found)
    return "\n".join([*lines, f"  {passed} of {len(found)} within the limits"])


def _with_sd(mean: float, sd: float | None) -> str:
    return f"{mean:.4g}" if sd is None else f"{mean:.4g} ({sd:.2g})"


def main(arguments: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Run all, print the tables, return the rows."""
    parser = measure.parser(__doc__)
    parser.add_argument("--workloads", nargs="+", choices=list(WORKLOADS), metavar="NAME",
                        default=["lif", "vogels_abbott_current", "vogels_abbott_conductance",
                                 "brunel", "microcircuit"],
                        help=f"which of {', '.join(WORKLOADS)}")  # fmt: skip
    parser.add_argument("--simulators", nargs="+", choices=SIMULATORS, default=list(SIMULATORS))
    parser.add_argument("--peer-threads", type=measure.positive, nargs="+", metavar="N",
                        help="threads of the others, if not those of --threads")  # fmt: skip
    for family in MODULES:
        parser.add_argument(
            f"--{family.removesuffix('2')}-python",
            dest=family,
            default=sys.executable,
            metavar="PATH",
            help=f"the Python that has {family} (default: this one)",
        )
    options = parser.parse_args(arguments)
    pythons = {family: getattr(options, family) for family in MODULES}
    wanted = dict.fromkeys(simulator.split("-")[0] for simulator in options.simulators)
    missing = [family for family in wanted if not available(MODULES[family], pythons[family])]
    for family in missing:
        print(
            f"{family} cannot be imported in {pythons[family]}, so it is left out: "
            f"pip install 'spikesim[peers]', or name the Python that has it with "
            f"--{family.removesuffix('2')}-python",
            file=sys.stderr,
        )
    simulators = [s for s in options.simulators if s.split("-")[0] not in missing]
    with tempfile.TemporaryDirectory(prefix="peers") as folder:
        comparison = Comparison(
            pythons, Path(folder), lambda text: print(text, file=sys.stderr, flush=True)
        )
        for seed in range(1, 1 + options.repeats):
            for name in options.workloads:
                jobs = jobs_of(
                    name, simulators, options.threads, options.precision, options.scale,
                    options.duration, options.peer_threads,
                )  # fmt: skip
                comparison.run(name, jobs, seed)
    source = measure.origin(__file__, arguments)
    absent = [f"{family} could not be imported" for family in missing]
    rows = [
        row | source | {"left_out": absent + comparison.left_out(row["workload"])}
        for row in comparison.rows
    ]
    print(measure.machine_line())
    print(measure.table(rows))
    print(ratios(rows))
    print()
    print(statistics_table(agreement([row for row in rows if row["cache"] != "cold"])))
    print("\n".join(["", *comparison.notes]))
    if options.json:
        measure.write_json(options.json, rows)
    if comparison.ours_failed:
        raise SystemExit("spikesim failed, see above; what else was measured is kept")
    return rows


if __name__ == "__main__":
    main()
