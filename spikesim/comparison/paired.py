"""Differences between contenders that had the same starts or the same folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from spikesim.comparison.resampling import bootstrap_difference
from spikesim.comparison.results import Results, Row, fold_sizes
from spikesim.comparison.statistics import Comparison, corrected_difference, mcnemar
from spikesim.comparison.tasks import TASKS

__all__ = ["REFERENCE", "Ranks", "against", "difference", "holm", "ranks"]

# Backpropagation through time in a spiking network: what the other rules approximate.
REFERENCE = ("Backprop", "LIF")
Key = tuple[str, str, int]


def difference(task: str, a: Sequence[Row], b: Sequence[Row]) -> Comparison | None:
    """Return the accuracy of `a` less that of `b` on equal starts or folds; None without pairs.

    With folds the corrected resampled t test; with starts a bootstrapped interval, and the p
    value of Wilcoxon's test, or on fitted tasks of McNemar's for the starts that were solved.
    """
    of_b = {row.seed: row for row in b}
    pairs = [(row, of_b[row.seed]) for row in a if row.seed in of_b]
    if len(pairs) < 2:
        return None
    kind = TASKS[task].kind
    if kind == "fitting":
        x, y = (np.array([float(pair[i].solved) for pair in pairs]) for i in (0, 1))
        return bootstrap_difference(x, y)._replace(p_value=mcnemar(x > 0.5, y > 0.5))
    x, y = (np.array([pair[i].accuracy for pair in pairs]) for i in (0, 1))
    if kind == "parts":
        return bootstrap_difference(x, y)
    return corrected_difference(x, y, *fold_sizes([pair[0] for pair in pairs]))


def against(results: Results, task: str) -> dict[Key, Comparison]:
    """Return how far each contender is behind backpropagation through time, of its hidden size.

    Single layers and committees are compared with its smallest size. The p values are Holm's over
    all contenders of the task.
    """
    groups = results.groups(task)
    sizes = sorted(hidden for name, network, hidden in groups if (name, network) == REFERENCE)
    found: dict[Key, Comparison] = {}
    for key, rows in groups.items():
        if not sizes or key[:2] == REFERENCE:
            continue
        reference = groups[(*REFERENCE, key[2] if key[2] in sizes else sizes[0])]
        # A method that draws nothing has one run, the same for every start.
        if len(rows) == 1 and TASKS[task].kind != "folds":
            rows = [_at(rows[0], row.seed) for row in reference]
        compared = difference(task, reference, rows)
        if compared is not None:
            found[key] = compared
    adjusted = holm([compared.p_value for compared in found.values()])
    return {
        key: compared._replace(p_value=p)
        for (key, compared), p in zip(found.items(), adjusted, strict=True)
    }


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p values adjusted for their number (S. Holm 1979, Scand. J. Statist. 6:65)."""
    order = np.argsort(p_values, kind="stable")
    adjusted, largest = np.empty(len(p_values)), 0.0
    for place, index in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - place) * p_values[index]))
        adjusted[index] = largest
    return [float(p) for p in adjusted]


class Ranks(NamedTuple):
    """Mean ranks over tasks, from 1 for the best.

    Attributes
    ----------
    tasks : list of str
        What was ranked on.
    mean : dict of (contender, network) to float
        Mean rank, those that are equal sharing theirs.
    p_value : float
        Of Friedman's test that all rank alike.
    """

    tasks: list[str]
    mean: dict[tuple[str, str], float]
    p_value: float


def ranks(results: Results) -> Ranks | None:
    """Rank the contenders that took part in every task with more than one; None for few of them.

    M. Friedman (1937), J. Am. Stat. Assoc. 32:675. Groups of tasks count once, by their mean.
    """
    from scipy.stats import friedmanchisquare, rankdata

    table: dict[str, dict[tuple[str, str], list[float]]] = {}
    for task in dict.fromkeys(row.task for row in results.rows):
        if TASKS[task].classic:
            continue
        for (name, network, _), rows in results.groups(task).items():
            group = table.setdefault(TASKS[task].belongs_to, {})
            group.setdefault((name, network), []).append(
                float(np.mean([row.accuracy for row in rows]))
            )
    if len(table) < 3:
        return None
    first, *others = table.values()
    everywhere = [key for key in first if all(key in found for found in others)]
    if len(everywhere) < 3:
        return None
    scores = np.array([[np.mean(found[key]) for key in everywhere] for found in table.values()])
    mean = rankdata(-scores, axis=1).mean(axis=0)
    p_value = float(friedmanchisquare(*scores.T).pvalue)
    return Ranks(list(table), dict(zip(everywhere, map(float, mean), strict=True)), p_value)


def _at(row: Row, seed: int) -> Row:
    return replace(row, seed=seed)
