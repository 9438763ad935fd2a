"""What makes the comparison fair: common random numbers, stored splits, equal budgets."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import resources
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spikesim import _check
from spikesim.errors import ParameterError

__all__ = ["FULL", "QUICK", "SMOKE", "Budget", "Splits", "Streams", "make_splits", "streams"]

_STUDY = 1958
_SPLITS_FILE = "splits.json"


@dataclass(frozen=True)
class Budget:
    """How much of the comparison is run.

    Parameters
    ----------
    name : str
        ``"full"``, ``"quick"`` or ``"smoke"``.
    seeds : int
        Starts on XOR.
    hidden : tuple of int
        Hidden sizes on XOR.
    xor_epochs, iris_epochs, iris2_epochs : int
        Epochs of training on each task; one epoch shows every sample once.
    splits : str
        Which stored splits serve Iris with three classes.
    repeats : int or None
        How many repeats of them; None for all.
    """

    name: str
    seeds: int
    hidden: tuple[int, ...]
    xor_epochs: int
    iris_epochs: int
    iris2_epochs: int
    splits: str
    repeats: int | None = None

    def with_seeds(self, seeds: int | None) -> Budget:
        """Return the budget with another number of starts on XOR; None changes nothing."""
        if seeds is None:
            return self
        return replace(self, seeds=_check.integer("compare.seeds", seeds, minimum=1))


FULL = Budget("full", 100, (2, 4, 8), 500, 100, 100, "iris_10x10")
QUICK = Budget("quick", 20, (2, 4, 8), 500, 100, 100, "iris_2x5")
SMOKE = Budget("smoke", 2, (4,), 4, 1, 1, "iris_2x5", repeats=1)


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
        Fold of each sample, from 0.
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
        for repeat, row in enumerate(self.fold_of):
            for fold in range(self.n_folds):
                yield repeat, fold, np.flatnonzero(row != fold), np.flatnonzero(row == fold)

    def first(self, n_repeats: int | None) -> Splits:
        """Return the splits with their first repeats only; None changes nothing."""
        return self if n_repeats is None else Splits(self.name, self.fold_of[:n_repeats])

    @classmethod
    def load(cls, name: str) -> Splits:
        """Read stored splits and check them against their digest.

        Parameters
        ----------
        name : {"iris_10x10", "iris_2x5", "iris_tune"}
            Ten repeats of ten folds, two of five, and those on which settings are tuned.
        """
        file = resources.files("spikesim.comparison") / _SPLITS_FILE
        stored = json.loads(file.read_text(encoding="utf-8"))
        _check.choice("Splits.name", name, list(stored))
        rows = stored[name]["fold_of"]
        splits = cls(name, np.array([[int(digit) for digit in row] for row in rows]))
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


def _as_text(row: np.ndarray) -> str:
    return "".join(str(int(fold)) for fold in row)


def stored_form(splits: Splits) -> dict[str, object]:
    """Return what the file of stored splits holds of `splits`."""
    return {"sha256": splits.sha256, "fold_of": [_as_text(row) for row in splits.fold_of]}
