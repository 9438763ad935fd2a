"""Exclusive or."""

from __future__ import annotations

from spikesim.datasets.tables import Dataset, dataset

__all__ = ["xor"]


def xor() -> Dataset:
    """Return exclusive or: four points, class 1 where exactly one of two inputs is 1.

    No single threshold unit on the two inputs gets all four right.
    """
    features = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
    return dataset(features, [0, 1, 1, 0], ("x1", "x2"), ("equal", "different"))
