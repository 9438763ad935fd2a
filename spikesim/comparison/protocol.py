"""What makes the comparison fair: common random numbers, stored splits, equal budgets."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spikesim import _check
from spikesim.errors import ParameterError

__all__ = ["FULL", "QUICK", "SMOKE", "Budget", "Splits", "Streams", "make_apart", "make_splits",
           "streams"]  # fmt: skip

_STUDY = 1958
_SPLITS_FILE = "splits.json"
# In place of the number of a fold: samples that every fold trains on, and samples that none uses.
_ALWAYS, _NEVER = -1, -2
_CHARACTERS = {_ALWAYS: "+", _NEVER: "-"}


@dataclass(frozen=True)
class Budget:
    """How much of the comparison is run.

    Parameters
    ----------
    name : {"full", "quick", "smoke"}
        Which of the amounts of each task.
    seeds : int, optional
        Starts on tasks without folds, in place of those of the task.
    """

    name: str
    seeds: int | None = None

    def with_seeds(self, seeds: int | None) -> Budget:
        """Return the budget with another number of starts; None changes nothing."""
        if seeds is None:
            return self
        return replace(self, seeds=_check.integer("compare.seeds", seeds, minimum=1))


FULL, QUICK, SMOKE = Budget("full"), Budget("quick"), Budget("smoke")


class Streams(NamedTuple):
    """Independent sources of random numbers for one run."""

    weights: np.random.SeedSequence
    training: np.random.SeedSequence


def streams(task: str, seed: int, purpose: str = "test") -> Streams:
    """Return the random numbers of a run: the same for every contender.

    Parameters
    ----------
    task : str
        Name of the task.
    seed : int
        Number of the start or of the fold, at least 0.
    purpose : {"test", "tune"}, default "test"
        Tuning draws from streams of its own.

    Returns
    -------
    Streams
        ``weights`` for the initial weights, ``training`` for order and encoding noise. Networks
        of one shape start from the same standard normal numbers, whatever trains them.
    """
    _check.choice("streams.purpose", purpose, ("test", "tune"))
    seed = _check.integer("streams.seed", seed, minimum=0)
    entropy = [_STUDY, zlib.crc32(f"{purpose}/{task}".encode()), seed]
    return Streams(*np.random.SeedSequence(entropy).spawn(2))


@dataclass(frozen=True, eq=False)
class Splits:
    """Repeated cross-validation: which fold each sample belongs to, in each repeat.

    Parameters
    ----------
    name : str
        What it is called in the results.
    fold_of : array_like of int, shape (n_repeats, n_samples)
        Fold of each sample, from 0; -1 for samples that every fold trains on, because settings
        were chosen on them, -2 for samples that none uses.
    """

    name: str
    fold_of: NDArray[np.int64]

    @property
    def n_repeats(self) -> int:
        """Number of repeats."""
        return len(self.fold_of)

    @property
    def n_folds(self) -> int:
        """Number of folds in each repeat."""
        return int(self.fold_of.max()) + 1

    @property
    def sha256(self) -> str:
        """Digest of the fold numbers, to prove which splits a result came from."""
        return hashlib.sha256("\n".join(_as_text(row) for row in self.fold_of).encode()).hexdigest()

    def __iter__(self) -> Iterator[tuple[int, int, np.ndarray, np.ndarray]]:
        """Yield repeat, fold, training indices and test indices."""
        for repeat in range(self.n_repeats):
            for fold in range(self.n_folds):
                yield repeat, fold, *self.parts(repeat, fold)

    def parts(self, repeat: int, fold: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the samples to train on and those to test on."""
        row = self.fold_of[repeat]
        return np.flatnonzero((row != fold) & (row != _NEVER)), np.flatnonzero(row == fold)

    def first(self, n_repeats: int | None) -> Splits:
        """Return the splits with their first repeats only; None changes nothing."""
        return self if n_repeats is None else Splits(self.name, self.fold_of[:n_repeats])

    @classmethod
    def load(cls, name: str) -> Splits:
        """Read stored splits and check them against their digest.

        Parameters
        ----------
        name : str
            A task with the number of repeats and folds, such as "iris_10x10", or with "tune" for
            the splits on which settings are chosen.
        """
        file = resources.files("spikesim.comparison") / _SPLITS_FILE
        stored = json.loads(file.read_text(encoding="utf-8"))
        _check.choice("Splits.name", name, list(stored))
        rows = stored[name]["fold_of"]
        splits = cls(name, np.array([[_number(letter) for letter in row] for row in rows]))
        if splits.sha256 != stored[name]["sha256"]:
            raise ParameterError(f"Splits.name: the stored splits {name!r} do not fit their digest")
        return splits


def make_splits(
    name: str, features: ArrayLike, labels: ArrayLike, *, n_folds: int, n_repeats: int, seed: int
) -> Splits:
    """Draw stratified folds in which equal rows stay together.

    Iris holds one flower twice; were its copies in different folds, a test sample would have
    been seen in training. Folds are drawn over distinct rows, and copies follow.

    Parameters
    ----------
    name : str
        What the splits are called.
    features : array_like, shape (n_samples, n_features)
        Samples; equal rows must have equal labels.
    labels : array_like of int, shape (n_samples,)
        Class of each sample.
    n_folds, n_repeats, seed : int
        As in scikit-learn's ``RepeatedStratifiedKFold``.
    """
    from sklearn.model_selection import RepeatedStratifiedKFold

    x = _check.float_array("make_splits.features", features)
    y = np.asarray(labels)
    _, first, group = np.unique(
        np.column_stack([x, y]), axis=0, return_index=True, return_inverse=True
    )
    group = group.reshape(-1)
    folds = RepeatedStratifiedKFold(n_splits=n_folds, n_repeats=n_repeats, random_state=seed)
    fold_of = np.empty((n_repeats, len(x)), dtype=np.int64)
    for i, (_, test) in enumerate(folds.split(x[first], y[first])):
        repeat, fold = divmod(i, n_folds)
        fold_of[repeat, np.isin(group, test)] = fold
    return Splits(name, fold_of)


def make_apart(
    task: str,
    features: ArrayLike,
    labels: ArrayLike,
    outer: Sequence[tuple[int, int]],
    *,
    tune_folds: int,
    seed: int,
) -> list[Splits]:
    """Set samples apart on which settings are chosen, and draw folds of the others.

    A third of the samples, stratified, serves for the choice and is trained on in every fold of
    the test, but never tested: no sample is tested on with settings that were chosen by it.

    Parameters
    ----------
    task : str
        Beginning of the names of the splits.
    features, labels
        As in :func:`make_splits`.
    outer : sequence of (n_repeats, n_folds)
        Splits to draw of the samples that are tested.
    tune_folds : int
        Folds of the samples that settings are chosen on.
    seed : int
        Source of the draws.
    """
    thirds = make_splits(task, features, labels, n_folds=3, n_repeats=1, seed=seed).fold_of[0]
    x, y = np.asarray(features), np.asarray(labels)

    def of(name: str, rows: np.ndarray, repeats: int, folds: int, others: int) -> Splits:
        drawn = make_splits(name, x[rows], y[rows], n_folds=folds, n_repeats=repeats, seed=seed)
        fold_of = np.full((repeats, len(y)), others)
        fold_of[:, rows] = drawn.fold_of
        return Splits(name, fold_of)

    tested, tuned = np.flatnonzero(thirds != 0), np.flatnonzero(thirds == 0)
    found = [of(f"{task}_{r}x{f}", tested, r, f, _ALWAYS) for r, f in outer]
    return [*found, of(f"{task}_tune", tuned, 1, tune_folds, _NEVER)]


def _as_text(row: np.ndarray) -> str:
    return "".join(_CHARACTERS.get(int(fold), str(int(fold))) for fold in row)


def _number(letter: str) -> int:
    return {"+": _ALWAYS, "-": _NEVER}.get(letter) or int(letter)


def stored_form(splits: Splits) -> dict[str, object]:
    """Return what the file of stored splits holds of `splits`."""
    return {"sha256": splits.sha256, "fold_of": [_as_text(row) for row in splits.fold_of]}
