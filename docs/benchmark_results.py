"""What the benchmarks wrote, read and put together for ``build_benchmarks.py``."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from experiments.benchmarks import scaling
from experiments.benchmarks.parameters import DT
from experiments.benchmarks.workloads import WORKLOADS

OURS = "spikesim"
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Results:
    """A folder of results.

    Parameters
    ----------
    own : list of dict
        Rows of the benchmarks of spikesim alone.
    peers : dict of list of dict
        Rows of the comparisons with others, by the file.
    scaling : list of dict
        Rows of ``scaling.py``.
    latency : list of dict
        Rows of ``latency.py``.
    same_bits : list of dict
        What ``same_bits.py`` wrote.
    training : list of dict
        Rows of ``training.py``.
    others : dict
        What other files hold, by their name.
    """

    own: list[Row] = field(default_factory=list)
    peers: dict[str, list[Row]] = field(default_factory=dict)
    scaling: list[Row] = field(default_factory=list)
    latency: list[Row] = field(default_factory=list)
    same_bits: list[Row] = field(default_factory=list)
    training: list[Row] = field(default_factory=list)
    others: dict[str, Any] = field(default_factory=dict)

    def rows(self) -> list[Row]:
        """Return all that says where it comes from."""
        found = [*self.own, *self.scaling, *self.latency, *self.same_bits, *self.training]
        found += [row for rows in self.peers.values() for row in rows]
        for content in self.others.values():
            found += [row for row in listed(content) if "machine" in row]
        return found


def read(folder: Path) -> Results:
    """Read all JSON files of a folder, which need not be there.

    Raises
    ------
    ValueError
        A file is not JSON.
    """
    parts: dict[str, Any] = {"own": [], "peers": {}, "others": {}}
    for path in sorted(folder.glob("*.json")):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except json.JSONDecodeError as error:
            raise ValueError(f"{path} is not JSON: {error}") from None
        if path.stem in ("scaling", "latency", "same_bits", "training"):
            parts[path.stem] = content
        elif path.stem.startswith("peers"):
            parts["peers"][path.stem] = content
        elif isinstance(content, list) and all("realtime_factor" in row for row in content):
            parts["own"] += content
        else:
            parts["others"][path.stem] = content
    return Results(**parts)


def listed(content: Any) -> list[dict[str, Any]]:
    """Return the rows of a list; of a dict of dicts a row for each of their values."""
    if not isinstance(content, dict):
        return [row for row in content if isinstance(row, dict)]
    about = {key: content[key] for key in ("machine", "command", "date") if key in content}
    return [
        {"part": part, "quantity": name.replace("_", " "), "value": value, **about}
        for part, values in content.items()
        if isinstance(values, dict) and part not in about
        for name, value in values.items()
    ]


@dataclass(frozen=True)
class Group:
    """Runs of one kind, without those that had to compile first.

    Parameters
    ----------
    simulator, precision : str
        What ran.
    threads : int
        On how many threads.
    rows : list of dict
        The runs.
    cold : list of dict
        Runs that found no compiled kernels.
    """

    simulator: str
    precision: str
    threads: int
    rows: list[Row]
    cold: list[Row]

    def values(self, column: str) -> list[float]:
        """Return a column of all runs."""
        return [float(row[column]) for row in self.rows]

    def median(self, column: str) -> float:
        """Return the median of a column."""
        return float(np.median(self.values(column)))

    @property
    def family(self) -> str:
        """The simulator without its mode."""
        return self.simulator.split("-")[0]


def groups(rows: Iterable[Row]) -> list[Group]:
    """Return the runs by simulator, precision and threads."""
    found: dict[tuple[str, str, int], tuple[list[Row], list[Row]]] = {}
    for row in rows:
        key = (row["simulator"], row["precision"], row["threads"])
        found.setdefault(key, ([], []))[row["cache"] == "cold"].append(row)
    return [Group(*key, warm, cold) for key, (warm, cold) in found.items() if warm]


def of_size(rows: Iterable[Row], name: str) -> list[list[Row]]:
    """Return the runs of a workload, those of each size and duration together, largest first."""
    found: dict[tuple[float, float], list[Row]] = {}
    for row in rows:
        if row["workload"] == name:
            found.setdefault((row["scale"], row["bio_seconds"]), []).append(row)
    return [found[key] for key in sorted(found, reverse=True)]


def workloads(results: Results) -> list[str]:
    """Return the workloads that were run, in the order of their registry."""
    names = {row["workload"] for row in [*results.own, *sum(results.peers.values(), [])]}
    return [name for name in WORKLOADS if name in names]


def is_full(row: Row) -> bool:
    """Return whether a run had the size and the duration that the goals are for."""
    full = WORKLOADS[row["workload"]].duration / 1000.0
    return row["scale"] == 1.0 and math.isclose(row["bio_seconds"], full)


def fastest(found: Sequence[Group], family: str = OURS) -> Group | None:
    """Return the runs of a simulator with the least realtime factor, in any of its modes."""
    own = [group for group in found if group.family == family]
    return min(own, key=lambda group: group.median("realtime_factor"), default=None)


def beside(peer: Group, found: Sequence[Group]) -> Group | None:
    """Return ours with as many threads as a peer, in double precision if there is one."""
    own = [g for g in found if g.simulator == OURS and g.threads == peer.threads]
    own.sort(key=lambda group: group.precision != peer.precision)
    return own[0] if own else None


def compared(results: Results) -> list[tuple[str, list[Row]]]:
    """Return for each network and size the rows to show side by side.

    Those of a comparison with others where there is one, else ours alone.
    """
    found = []
    for name in workloads(results):
        if name in ("lif", "driven"):
            continue
        sizes = {}
        for rows in [*results.peers.values(), results.own]:
            for part in of_size(rows, name):
                sizes.setdefault((part[0]["scale"], part[0]["bio_seconds"]), part)
        others = {
            scale for (scale, _), part in sizes.items() if any(r["simulator"] != OURS for r in part)
        }
        for (scale, _), part in sorted(sizes.items(), reverse=True):
            alone = all(row["simulator"] == OURS for row in part)
            if not (alone and scale in others):
                found.append((name, part))
    return found


def bound(group: Group, scaling_rows: Sequence[Row]) -> float | None:
    """Return the realtime factor that the bare loops would have, None where they were not run.

    The loops are those of ``scaling.py``, measured with as many threads in this precision, at the
    nearest number of neurons and of synapses a neuron.
    """
    first = group.rows[0]
    workload = WORKLOADS[first["workload"]]
    network = workload.network(**workload.options)
    shared = all(isinstance(projection.weight, float) for projection in network.projections)
    own = [
        row
        for row in scaling.medians(scaling_rows)
        if (row["precision"], row["threads"]) == (group.precision, group.threads)
    ]
    steps = [row for row in own if row["per"] == "neuron step"]
    events = [
        row
        for row in own
        if row["per"] == "event" and row["weights"] == ("one" if shared else "normal")
    ]
    n, k = first["n_neurons"], first["n_synapses"] / first["n_neurons"]
    if not (steps and events and k):
        return None

    def nearest(rows: Sequence[Row], size: Callable[[Row], float], wanted: float) -> float:
        return min(rows, key=lambda row: abs(math.log(size(row) / wanted)))["bound_ns"]

    step_ns = nearest(steps, lambda row: row["n_neurons"] / 2, n)
    event_ns = nearest(events, lambda row: row["in_degree"], k)
    n_events = group.median("n_spikes") * k / first["bio_seconds"]
    return 1e-9 * (n * 1000.0 / DT * step_ns + n_events * event_ns)


def same_spikes(rows: Iterable[Row]) -> tuple[int, int, list[int]]:
    """Compare our runs of the same network, seed and precision.

    Returns
    -------
    n_equal, n_compared : int
        How many of the kinds of run that were done more than once always had the same spikes.
    threads : list of int
        On how many threads these were.
    """
    kinds: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        if row["simulator"] == OURS and "spikes_sha256" in row:
            labels = ("workload", "scale", "bio_seconds", "seed", "precision")
            kinds.setdefault(tuple(row[label] for label in labels), []).append(row)
    several = [kind for kind in kinds.values() if len(kind) > 1]
    equal = sum(len({row["spikes_sha256"] for row in kind}) == 1 for kind in several)
    threads = sorted({row["threads"] for kind in several for row in kind})
    return equal, len(several), threads
