"""Yin-Yang: a small task for two layers, with published samples."""

from __future__ import annotations

from math import sqrt

import numpy as np

from spikesim import _check
from spikesim.datasets.tables import Dataset, dataset, legacy_seed
from spikesim.errors import ParameterError

__all__ = ["YIN_YANG_PARTS", "yin_yang"]

YIN_YANG_PARTS = {"train": (5000, 42), "validation": (1000, 41), "test": (1000, 40)}


@_check.suggest_keywords
def yin_yang(
    n_samples: int = 5000, seed: int = 42, *, r_big: float = 0.5, r_small: float = 0.1
) -> Dataset:
    """Return points of the yin-yang sign: its two halves and its dots, one class each.

    Classes are drawn with equal chance, points evenly within the area of their class. A linear
    classifier gets two thirds of them right; the nearest neighbour 98.6 %.

    The samples are the published ones: ``yin_yang(*YIN_YANG_PARTS["train"])``, and
    ``"validation"`` and ``"test"`` in place of ``"train"``. For fresh samples take other seeds.
    The published spiking networks feel a feature f as a spike at the time ``t_max * f`` and
    have a bias line that spikes at the start:
    ``LatencyEncoder(t_max=..., low=0.0, high=1.0, early="low", bias_spike=True)``.

    Parameters
    ----------
    n_samples : int, default 5000
        Number of samples, at least 1.
    seed : int, default 42
        Source of the draws.
    r_big, r_small : float, default 0.5, 0.1
        Radius of the sign and of its dots; the sign lies in the square from 0 to ``2 * r_big``.

    Returns
    -------
    Dataset
        Features x, y, 1 - x, 1 - y.

    References
    ----------
    Kriener, Goeltz & Petrovici 2022, The Yin-Yang dataset, Proc. NICE, 107.
    """
    n_samples = _check.integer("yin_yang.n_samples", n_samples, minimum=1)
    rng = np.random.RandomState(legacy_seed("yin_yang.seed", seed))
    r_big = _check.positive("yin_yang.r_big", r_big)
    r_small = _check.positive("yin_yang.r_small", r_small)
    if r_small >= r_big / 2.0:
        raise ParameterError(
            f"yin_yang.r_small must be less than half of r_big = {r_big:g}, got {r_small:g}"
        )
    points = np.empty((n_samples, 2))
    labels = np.empty(n_samples, dtype=np.int64)
    for i in range(n_samples):
        labels[i] = rng.randint(3)
        while True:
            x, y = rng.rand(2) * 2.0 * r_big
            if _class(x, y, r_big, r_small) == labels[i]:
                break
        points[i] = x, y
    return dataset(
        np.column_stack([points, 1.0 - points]),
        labels,
        ("x", "y", "1 - x", "1 - y"),
        ("yin", "yang", "dot"),
    )


def _class(x: float, y: float, r_big: float, r_small: float) -> int:
    """Return the class of a point, -1 outside the sign."""
    if sqrt((x - r_big) ** 2 + (y - r_big) ** 2) > r_big:
        return -1
    right = sqrt((x - 1.5 * r_big) ** 2 + (y - r_big) ** 2)
    left = sqrt((x - 0.5 * r_big) ** 2 + (y - r_big) ** 2)
    if right < r_small or left < r_small:
        return 2
    head = r_small < left <= 0.5 * r_big
    upper = y > r_big and right > 0.5 * r_big
    return int(head or upper or right <= r_small)
