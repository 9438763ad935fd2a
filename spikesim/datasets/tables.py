"""A table of samples with their classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spikesim import _check
from spikesim.errors import ParameterError, ParameterTypeError

__all__ = ["Dataset", "count_classes", "dataset", "legacy_seed", "other_stream", "rows_of"]

# Each has a name; a number of a sample in place of its class must not fill the memory with them.
_MOST_CLASSES = 1_000_000


@dataclass(frozen=True, eq=False)
class Dataset:
    """Features with their labels; the arrays are read-only.

    Attributes
    ----------
    features : ndarray of float64, shape (n_samples, n_features)
        One row a sample. Of type uint8 where images were read from a file of bytes: an eighth
        of the memory, until they are used.
    labels : ndarray of int64, shape (n_samples,)
        Class of each sample, from 0.
    feature_names, class_names : tuple of str
        What the columns and the classes are called.
    """

    features: np.ndarray
    labels: np.ndarray
    feature_names: tuple[str, ...]
    class_names: tuple[str, ...]

    def __repr__(self) -> str:
        n_samples, n_features = self.features.shape
        return (
            f"Dataset({n_samples} samples, {n_features} features, {len(self.class_names)} classes)"
        )

    def take(self, rows: Any) -> Dataset:
        """Return the samples of the given numbers, or where a mask of booleans is true."""
        chosen = rows_of("Dataset.take.rows", rows, len(self.labels))
        return dataset(
            self.features[chosen], self.labels[chosen], self.feature_names, self.class_names
        )


def dataset(
    features: Any, labels: Any, feature_names: Sequence[str], class_names: Sequence[str]
) -> Dataset:
    """Make a data set of read-only copies; bytes stay bytes, all else becomes float64."""
    bytes_ = isinstance(features, np.ndarray) and features.dtype == np.uint8
    features = np.array(features, dtype=np.uint8 if bytes_ else np.float64)
    labels = np.array(labels, dtype=np.int64)
    features.flags.writeable = False
    labels.flags.writeable = False
    return Dataset(features, labels, tuple(feature_names), tuple(class_names))


def count_classes(name: str, labels: np.ndarray) -> int:
    """Return how many classes labels count, or say that they are other numbers than classes."""
    n_classes = int(labels.max(initial=0)) + 1
    if n_classes > _MOST_CLASSES:
        raise ParameterError(
            f"{name} holds {n_classes - 1}; labels count the classes from 0, "
            f"at most {_MOST_CLASSES}; np.unique(labels, return_inverse=True) makes such"
        )
    return n_classes


def rows_of(name: str, rows: Any, n_rows: int) -> np.ndarray:
    """Return numbers of rows, or a mask with one boolean a row, as numbers."""
    array = np.asarray(rows)
    if array.dtype == bool:
        _check.shape(name, array, (n_rows,))
        return np.flatnonzero(array)
    chosen = _check.indices(name, array, n_rows)
    _check.shape(name, chosen, (None,))
    return chosen


def legacy_seed(name: str, seed: Any) -> int:
    """Return the seed of a published stream: a whole number, as ``RandomState`` takes it."""
    if isinstance(seed, (np.random.Generator, np.random.SeedSequence)):
        raise ParameterTypeError(
            f"{name} must be a whole number: the samples are those of the published generator, "
            "which numpy.random.RandomState draws"
        )
    return int(_check.in_range(name, _check.integer(name, seed), 0, 2**32 - 1))


def other_stream(name: str, seed: Any) -> np.random.Generator:
    """Return a stream for what the classes are, apart from that of the samples at equal seeds."""
    sequence = _check.seed_sequence(name, seed)
    return np.random.default_rng(
        np.random.SeedSequence(sequence.entropy, spawn_key=(*sequence.spawn_key, 1))
    )
