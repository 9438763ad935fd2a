"""What the comparison found: one row a run, summaries by contender, the files they go into."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np

from spikesim.comparison import statistics

__all__ = ["LEAST_ACCURACY", "TASKS", "Results", "Row", "Summary", "mean_curves"]

TASKS = ("xor", "iris2", "iris")
LEAST_ACCURACY = 0.75


@dataclass(frozen=True)
class Row:
    """One run of one contender.

    Attributes
    ----------
    task : {"xor", "iris2", "iris"}
        XOR, Iris with two features and two classes, Iris with four and three.
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
        Number of the start (XOR) or of the fold counted over repeats (Iris).
    repeat, fold : int or None
        Place in the cross-validation; None on XOR.
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


@dataclass(frozen=True)
class Summary:
    """All runs of one contender with one hidden size on one task.

    On XOR and on Iris with two classes `rate` is the share of starts that solve it, with its
    Wilson interval, and `median` the epoch by which half of them have (infinite if they never
    do). On Iris with three classes `rate` is the mean accuracy with its corrected resampled t
    interval; `behind` is LDA's accuracy less the contender's on the same folds.

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
        n_train, n_test = _fold_sizes(reference)
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
        names = [f.name for f in fields(Summary) if f.name not in ("rate", "median", "behind")]
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
    first = rows[0]
    accuracy = np.array([row.accuracy for row in rows])
    median = behind = None
    if first.task != "iris":
        rate = statistics.wilson(sum(row.solved for row in rows), len(rows))
        solved = [row.solved for row in rows]
        epochs = [row.solved_epoch if row.solved_epoch is not None else row.epochs for row in rows]
        median = statistics.kaplan_meier(epochs, solved).median
    elif len(rows) < 2:
        rate = statistics.Estimate(float(accuracy.mean()), math.nan, math.nan)
    else:
        n_train, n_test = _fold_sizes(rows)
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
    )


def _fold_sizes(rows: list[Row]) -> tuple[float, float]:
    """Return the share of samples trained and tested on, from the number of folds."""
    n_folds = max(row.fold or 0 for row in rows) + 1
    return n_folds - 1.0, 1.0


def _plain(cell: Any) -> Any:
    return repr(float(cell)) if isinstance(cell, float) else cell
