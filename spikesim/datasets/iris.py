"""Fisher's Iris."""

from __future__ import annotations

from spikesim.datasets.tables import Dataset, dataset

__all__ = ["iris", "iris_two_features"]


def iris() -> Dataset:
    """Return Fisher's Iris: 150 flowers, four features in cm, three classes of 50.

    The values are those of :func:`sklearn.datasets.load_iris` (Fisher 1936, Ann. Eugen. 7:179,
    with the two corrections to the UCI copy). One row occurs twice: keep both in one fold.
    """
    from sklearn.datasets import load_iris

    bunch = load_iris()
    return dataset(
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
    return dataset(
        full.features[rows][:, columns],
        full.labels[rows],
        tuple(full.feature_names[i] for i in columns),
        full.class_names[:2],
    )
