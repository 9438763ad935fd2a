"""Small data sets that come with the package: XOR and Fisher's Iris."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Dataset", "iris", "iris_two_features", "xor"]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Features with their labels; the arrays are read-only.

    Attributes
    ----------
    features : ndarray of float64, shape (n_samples, n_features)
        One row a sample.
    labels : ndarray of int64, shape (n_samples,)
        Class of each sample, from 0.
    feature_names, class_names : tuple of str
        What the columns and the classes are called.
    """

    features: np.ndarray
    labels: np.ndarray
    feature_names: tuple[str, ...]
    class_names: tuple[str, ...]


def xor() -> Dataset:
    """Return exclusive or: four points, class 1 where exactly one of two inputs is 1.

    No single threshold unit on the two inputs gets all four right.
    """
    features = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
    return _dataset(features, [0, 1, 1, 0], ("x1", "x2"), ("equal", "different"))


def iris() -> Dataset:
    """Return Fisher's Iris: 150 flowers, four features in cm, three classes of 50.

    The values are those of :func:`sklearn.datasets.load_iris` (Fisher 1936, Ann. Eugen. 7:179,
    with the two corrections to the UCI copy). One row occurs twice: keep both in one fold.
    """
    from sklearn.datasets import load_iris

    bunch = load_iris()
    return _dataset(
        bunch.data,
        bunch.target,
        tuple(name.removesuffix(" (cm)") for name in bunch.feature_names),
        tuple(str(name) for name in bunch.target_names),
    )


def iris_two_features() -> Dataset:
    """Return setosa and versicolor by sepal length and petal length (cm): 100 flowers.

    A line separates the two classes; features are raw, without any scaling.
    """
    full = iris()
    rows, columns = full.labels < 2, [0, 2]
    return _dataset(
        full.features[rows][:, columns],
        full.labels[rows],
        tuple(full.feature_names[i] for i in columns),
        full.class_names[:2],
    )


def _dataset(features, labels, feature_names, class_names) -> Dataset:
    features = np.array(features, dtype=np.float64)
    labels = np.array(labels, dtype=np.int64)
    features.flags.writeable = False
    labels.flags.writeable = False
    return Dataset(features, labels, feature_names, class_names)
