"""What the comparison found: one row a run, summaries by contender, the files they go into."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np

from spikesim.comparison import statistics
from spikesim.comparison.resampling import bootstrap_mean
from spikesim.comparison.tasks import TASKS

__all__ = ["LEAST_ACCURACY", "Results", "Row", "Summary", "fold_sizes", "mean_curves"]

LEAST_ACCURACY = 0.75
_NESTED = ("rate", "median", "behind", "measures")


@dataclass(frozen=True)
class Row:
    """One run of one contender.

    Attributes
    ----------
    task : str
        Name in the table of tasks.
    contender : str
        Name in the table of contenders.
    family : {"local", "gradient", "classical"}
        What kind of rule trained it.
    rule : str
        Class of the rule, or of the scikit-learn estimator.
    network : {"rate", "LIF", ""}
        Kind of units; empty for classical methods.
    hidden : int
        Hidden units; 0 for a single layer.
    seed : int
        Number of the start, or of the fold counted over repeats.
    repeat, fold : int or None
        Place in the cross-validation; None on tasks without folds.
    accuracy : float
        Share of test samples right after training; on XOR of the four patterns.
    solved : bool
        Whether every sample of the accuracy was right.
    solved_epoch : int or None
        First epoch from which every pattern was right to the end (XOR), None if there is none.
    epochs : int
        Epochs trained.
    diverged : bool
        Whether weights grew beyond all bounds; such a run has accuracy 0.
    seconds : float
        Wall time of training and test.
    spikes_per_trial : float or None
        Spikes that the units of the network fire a sample in the last epoch; None without spikes.
    measures : mapping of str to float
        ``n_train`` and ``n_test`` samples, and what :mod:`~spikesim.comparison.measures` found.
    """

    task: str
    contender: str
    family: str
    rule: str
    network: str
    hidden: int
    seed: int
    repeat: int | None
    fold: int | None
    accuracy: float
    solved: bool
    solved_epoch: int | None
    epochs: int
    diverged: bool
    seconds: float
    spikes_per_trial: float | None
    measures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Summary:
    """All runs of one contender with one hidden size on one task.

    On tasks that are fitted, such as XOR, `rate` is the share of starts that solve it, with its
    Wilson interval, and `median` the epoch by which half of them have (infinite if they never
    do). On others `rate` is the mean accuracy: with its corrected resampled t interval where
    there are folds, and then `behind` is LDA's accuracy less the contender's on the same folds;
    with a bootstrapped interval over the starts where there are none.

    Attributes
    ----------
    task, contender, family, network, hidden
        As in :class:`Row`.
    n_runs : int
        Number of runs.
    rate : Estimate
        Share of starts that solve the task, or mean accuracy.
    median : Estimate or None
        Epochs to solve it.
    behind : Comparison or None
        Difference to LDA.
    spikes_per_trial : float or None
        Mean over the runs.
    seconds : float
        Median over the runs.
    measures : mapping of str to float
        Medians over the runs; infinite where most runs have none, as of a level not reached.
    """

    task: str
    contender: str
    family: str
    network: str
    hidden: int
    n_runs: int
    rate: statistics.Estimate
    median: statistics.Estimate | None
    behind: statistics.Comparison | None
    spikes_per_trial: float | None
    seconds: float
    measures: Mapping[str, float] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """Contender, network and hidden size in one line."""
        parts = [self.contender]
        if self.network:
            parts.append(self.network)
        if self.hidden:
            parts.append(f"{self.hidden} hidden")
        return ", ".join(parts)


@dataclass(frozen=True, eq=False)
class Results:
    """All rows of a comparison and what is needed to judge and repeat it.

    Attributes
    ----------
    rows : tuple of Row
        Ordered by task, contender, hidden size and seed.
    curves : dict
        Mean share of samples right in training, by epoch: ``"task/contender/hidden"`` to a list.
    about : dict
        Budget, versions, command, digests of splits and settings, duration.
    extra : dict
        What the figures need beyond the rows, such as the rate-code agreement.
    """

    rows: tuple[Row, ...]
    curves: dict[str, list[float]] = field(default_factory=dict)
    about: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)

    def of(self, task: str) -> list[Row]:
        """Return the rows of one task."""
        return [row for row in self.rows if row.task == task]

    def groups(self, task: str) -> dict[tuple[str, str, int], list[Row]]:
        """Return the rows of one task by (contender, network, hidden), in order of appearance."""
        grouped: dict[tuple[str, str, int], list[Row]] = {}
        for row in self.of(task):
            grouped.setdefault((row.contender, row.network, row.hidden), []).append(row)
        return grouped

    def summaries(self, task: str) -> list[Summary]:
        """Summarise each contender on `task`."""
        groups = self.groups(task)
        reference = next((rows for (name, _, _), rows in groups.items() if name == "LDA"), None)
        return [_summarise(rows, reference) for rows in groups.values()]

    def detectable(self, task: str = "iris") -> float | None:
        """Return the smallest difference to LDA that the cross-validation can find.

        The spread of a difference between folds is the median over the other contenders with a
        mean accuracy of at least 75 %; those that hardly learn would widen it.
        None where LDA or every contender is missing.
        """
        groups = self.groups(task)
        reference = next((rows for (name, _, _), rows in groups.items() if name == "LDA"), None)
        if reference is None or len(reference) < 2:
            return None
        base = np.array([row.accuracy for row in reference])
        spreads = [
            float(np.std(base - [row.accuracy for row in rows], ddof=1))
            for (name, _, _), rows in groups.items()
            if name != "LDA"
            and len(rows) == len(base)
            and np.mean([row.accuracy for row in rows]) >= LEAST_ACCURACY
        ]
        if not spreads:
            return None
        n_train, n_test = fold_sizes(reference)
        return statistics.detectable_difference(
            float(np.median(spreads)), len(base), n_train, n_test
        )

    def to_json(self) -> str:
        """Return everything as one JSON document."""
        document = {
            "format": 1,
            "about": self.about,
            "rows": [asdict(row) for row in self.rows],
            "curves": self.curves,
            "extra": self.extra,
        }
        return json.dumps(document, indent=1, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Results:
        """Read what :meth:`to_json` wrote."""
        document = json.loads(text)
        rows = tuple(Row(**row) for row in document["rows"])
        return cls(rows, document["curves"], document["about"], document["extra"])

    def to_csv(self) -> str:
        """Return the summaries as CSV, one line a contender."""
        buffer = io.StringIO()
        names = [f.name for f in fields(Summary) if f.name not in _NESTED]
        columns = [*names, "rate", "rate_low", "rate_high"]
        columns += ["median_epoch", "median_epoch_low", "median_epoch_high"]
        columns += ["behind_lda", "behind_lda_low", "behind_lda_high", "behind_lda_p"]
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(columns)
        for task in TASKS:
            for summary in self.summaries(task):
                cells = [getattr(summary, name) for name in names]
                cells += summary.rate
                cells += summary.median or [None] * 3
                cells += summary.behind or [None] * 4
                writer.writerow(["" if cell is None else _plain(cell) for cell in cells])
        return buffer.getvalue()


def mean_curves(curves: Iterable[tuple[str, np.ndarray]]) -> dict[str, list[float]]:
    """Average curves that share a key; an empty one, of a run that diverged, counts as zero."""
    grouped: dict[str, list[np.ndarray]] = {}
    for key, curve in curves:
        grouped.setdefault(key, []).append(np.asarray(curve, dtype=np.float64))
    result = {}
    for key, members in grouped.items():
        length = max(len(curve) for curve in members)
        padded = [np.pad(curve, (0, length - len(curve))) for curve in members]
        if length:
            result[key] = [round(float(v), 6) for v in np.mean(padded, axis=0)]
    return result


def _summarise(rows: list[Row], reference: list[Row] | None) -> Summary:
    first, kind = rows[0], TASKS[rows[0].task].kind
    accuracy = np.array([row.accuracy for row in rows])
    median = behind = None
    if kind == "fitting":
        rate = statistics.wilson(sum(row.solved for row in rows), len(rows))
        solved = [row.solved for row in rows]
        epochs = [row.solved_epoch if row.solved_epoch is not None else row.epochs for row in rows]
        median = statistics.kaplan_meier(epochs, solved).median
    elif len(rows) < 2:
        rate = statistics.Estimate(float(accuracy.mean()), math.nan, math.nan)
    elif kind == "parts":
        rate = bootstrap_mean(accuracy)
    else:
        n_train, n_test = fold_sizes(rows)
        rate = statistics.corrected_mean(accuracy, n_train, n_test)
        if reference is not None and reference is not rows and len(reference) == len(rows):
            base = [row.accuracy for row in reference]
            behind = statistics.corrected_difference(base, accuracy, n_train, n_test)
    counts = [row.spikes_per_trial for row in rows if row.spikes_per_trial is not None]
    return Summary(
        task=first.task,
        contender=first.contender,
        family=first.family,
        network=first.network,
        hidden=first.hidden,
        n_runs=len(rows),
        rate=rate,
        median=median,
        behind=behind,
        spikes_per_trial=float(np.mean(counts)) if counts else None,
        seconds=float(np.median([row.seconds for row in rows])),
        measures=_medians(rows),
    )


def _medians(rows: list[Row]) -> dict[str, float]:
    """Return the median of each measure; a run that lacks one counts as beyond all others."""
    names = dict.fromkeys(name for row in rows for name in row.measures)
    return {
        name: float(
            np.quantile([row.measures.get(name, math.inf) for row in rows], 0.5, method="higher")
        )
        for name in names
    }


def fold_sizes(rows: list[Row]) -> tuple[float, float]:
    """Return how many samples were trained and tested on, or only their ratio, from the folds."""
    if all("n_train" in row.measures for row in rows):
        sizes = [(row.measures["n_train"], row.measures["n_test"]) for row in rows]
        return float(np.mean([n for n, _ in sizes])), float(np.mean([n for _, n in sizes]))
    n_folds = max(row.fold or 0 for row in rows) + 1
    return n_folds - 1.0, 1.0


def _plain(cell: Any) -> Any:
    return repr(float(cell)) if isinstance(cell, float) else cell
