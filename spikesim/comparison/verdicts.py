"""What became of the hypotheses that the benchmark of rules tests: H13, H14 and H15.

Each is judged by the conditions that `docs/hypotheses.md` registered, on what was run of the tasks
that it names, and is open while one of them is missing or was not tuned.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from spikesim.comparison.kinds import WINDOWS
from spikesim.comparison.paired import difference
from spikesim.comparison.resampling import bootstrap_difference, bootstrap_mean
from spikesim.comparison.results import Results, Row, fold_sizes
from spikesim.comparison.statistics import Comparison, corrected_difference, equivalent_means
from spikesim.comparison.tasks import TASKS

__all__ = ["Verdict", "verdicts"]

_STATIC = ("wine", "breast_cancer", "digits")
_POINT = 0.01
# Rules with what they approximate. Without recurrent connections e-prop is backpropagation itself.
_BEHIND = {
    "EProp, recurrent": "Backprop, recurrent",
    "EProp, recurrent, random feedback": "Backprop, recurrent",
    "DirectFeedbackAlignment": "Backprop",
}


class Verdict(NamedTuple):
    """The outcome of one hypothesis.

    Attributes
    ----------
    id : str
        Its name on the page of hypotheses.
    outcome : {"held", "failed", "open"}
        Open while something that it needs was not run.
    text : str
        The figures it was judged by, or what is missing.
    """

    id: str
    outcome: str
    text: str


def verdicts(results: Results) -> list[Verdict]:
    """Judge every hypothesis of which at least one task was run.

    Parameters
    ----------
    results : Results
        What the comparison found.
    """
    found = [_as_good(results), _behind(results), _robust(results)]
    return [verdict for verdict in found if verdict is not None]


def _rows(results: Results, task: str, name: str, network: str) -> list[Row]:
    """Return the runs of a contender of the largest hidden size that it ran with."""
    rows = [r for r in results.of(task) if (r.contender, r.network) == (name, network)]
    largest = max((row.hidden for row in rows), default=0)
    return [row for row in rows if row.hidden == largest]


def _tuned(results: Results, task: str, name: str, network: str) -> bool:
    return f"{name}/{network}" in results.about.get("settings", {}).get(task, {})


def _missing(results: Results, needed: Sequence[tuple[str, str, str]]) -> str:
    """Say what of task, contender and network was not run or not tuned."""
    lacks = [
        f"{name} ({network}) on {TASKS[task].title}"
        for task, name, network in needed
        if len(_rows(results, task, name, network)) < 2 or not _tuned(results, task, name, network)
    ]
    return f"Not run, or not tuned: {', '.join(lacks)}." if lacks else ""


def _as_good(results: Results) -> Verdict | None:
    """Judge H13: rates as spikes on static data, and times that no rate tells."""
    converted = "Backprop, converted to spikes"
    needed = [(task, converted, "rate") for task in _STATIC]
    needed += [("timing_only", "Backprop", network) for network in ("LIF", "rate")]
    if not any(results.of(task) for task, _, _ in needed):
        return None
    lacks = _missing(results, needed)
    if lacks:
        return Verdict("H13", "open", lacks)
    holds, parts = True, []
    for task in _STATIC:
        rows = _rows(results, task, converted, "rate")
        equal = [_equivalent(task, rows, window) for window in WINDOWS]
        first = next((i for i in range(len(equal)) if all(equal[i:])), None)
        if first is None:
            holds = False
            behind = _behind_twin(rows, WINDOWS[-1])
            parts.append(
                f"{TASKS[task].title}: no window is shown to be within a point; at "
                f"{WINDOWS[-1]} ms spikes are {_points(behind)} points behind"
            )
            continue
        window = WINDOWS[first]
        spiking = float(np.mean([row.measures[f"window_{window}_synops"] for row in rows]))
        dense = float(np.mean([row.measures["rate_synops"] for row in rows]))
        holds &= spiking > dense
        parts.append(
            f"{TASKS[task].title}: within a point from {window} ms on, with {spiking:,.0f} "
            f"synaptic operations, the twin {dense:,.0f}"
        )
    for network in ("LIF", "rate"):
        rows = _rows(results, "timing_only", "Backprop", network)
        mean = bootstrap_mean([row.accuracy for row in rows])
        holds &= (mean.low > 0.5) == (network == "LIF")
        parts.append(
            f"timing only, {network}: {100 * mean.value:.1f} % "
            f"({100 * mean.low:.1f} to {100 * mean.high:.1f})"
        )
    return Verdict("H13", "held" if holds else "failed", "; ".join(parts) + ".")


def _equivalent(task: str, rows: Sequence[Row], window: int) -> bool:
    spikes = [row.measures[f"window_{window}"] for row in rows]
    rates = [row.measures["rate_twin"] for row in rows]
    n_train, n_test = fold_sizes(list(rows))
    return equivalent_means(spikes, rates, _POINT, n_train=n_train, n_test=n_test).equivalent


def _behind_twin(rows: Sequence[Row], window: int) -> Comparison:
    """Return the accuracy of rates less that of spikes that were counted in a window."""
    rates, spikes = ([row.measures[name] for row in rows] for name in
                     ("rate_twin", f"window_{window}"))  # fmt: skip
    return corrected_difference(rates, spikes, *fold_sizes(list(rows)))


def _behind(results: Results) -> Verdict | None:
    """Judge H14: online rules behind backpropagation through time on Yin-Yang, not on Iris."""
    needed = [
        (task, name, "LIF")
        for task in ("yin_yang", "iris")
        for name in dict.fromkeys((*_BEHIND, *_BEHIND.values()))
    ]
    if not results.of("yin_yang"):
        return None
    lacks = _missing(results, needed)
    if lacks:
        return Verdict("H14", "open", lacks)
    holds, parts = True, []
    for task in ("yin_yang", "iris"):
        for name, exact in _BEHIND.items():
            reference = _rows(results, task, exact, "LIF")
            found = difference(task, reference, _rows(results, task, name, "LIF"))
            assert found is not None
            holds &= (found.low > 0.0) == (task == "yin_yang")
            parts.append(f"{TASKS[task].title}, {name}: {_points(found)} points behind")
    return Verdict("H14", "held" if holds else "failed", "; ".join(parts) + ".")


def _robust(results: Results) -> Verdict | None:
    """Judge H15: what LIF and rate networks lose when something is off."""
    tasks = ("yin_yang", "digits")
    needed = [(task, "Backprop", network) for task in tasks for network in ("LIF", "rate")]
    if not any(results.of(task) for task in tasks):
        return None
    lacks = _missing(results, needed)
    if lacks:
        return Verdict("H15", "open", lacks)
    holds, parts = True, []
    for task in tasks:
        for kind, sign in (("spike_deletion", -1), ("threshold_noise", 1), ("tau_mismatch", 1)):
            found = _loss_difference(results, task, kind)
            holds &= found.low > 0.0 if sign > 0 else found.high < 0.0
            parts.append(
                f"{TASKS[task].title}, {kind.replace('_', ' ')}: spiking networks lose "
                f"{_points(found)} points more"
            )
    return Verdict("H15", "held" if holds else "failed", "; ".join(parts) + ".")


def _loss_difference(results: Results, task: str, kind: str) -> Comparison:
    """Return the mean loss of LIF networks less that of rate networks, paired."""
    losses = []
    for network in ("LIF", "rate"):
        rows = _rows(results, task, "Backprop", network)
        losses.append(
            {
                row.seed: (row.measures[f"{kind}@0"] - row.measures[f"{kind}_area"], row)
                for row in rows
                if f"{kind}_area" in row.measures
            }
        )
    seeds = [seed for seed in losses[0] if seed in losses[1]]
    a, b = ([found[seed][0] for seed in seeds] for found in losses)
    if TASKS[task].kind == "parts":
        return bootstrap_difference(a, b)
    return corrected_difference(a, b, *fold_sizes([losses[0][seed][1] for seed in seeds]))


def _points(found: Comparison) -> str:
    return f"{100 * found.value:+.1f} ({100 * found.low:+.1f} to {100 * found.high:+.1f})"
