"""Randman: classes are smooth random manifolds, points on them are spike times."""

from __future__ import annotations

from math import ceil
from typing import Any

import numpy as np

from spikesim import _check
from spikesim.datasets.tables import Dataset, dataset, other_stream
from spikesim.errors import ParameterError

__all__ = ["randman"]

# Terms of the series below this amplitude are left out.
_PRECISION = 1e-3
_N_REFERENCE = 1000


@_check.suggest_keywords
def randman(
    n_samples: int = 1000,
    *,
    n_classes: int = 10,
    n_units: int = 20,
    n_dims: int = 1,
    smoothness: float = 2.0,
    seed: Any = 0,
    manifold_seed: Any = 0,
) -> Dataset:
    r"""Return points of smooth random manifolds, one manifold a class, as times of spikes.

    Unit i of a point with coordinates :math:`x_d`, even between 0 and 1, has the value

    .. math:: f_i(x) = \prod_{d=1}^{D} \sum_{k=0}^{K-1} (k+1)^{-s} \, \theta_{idk}
              \sin 2\pi (k \, x_d \, \theta'_{idk} + \theta''_{idk})

    with :math:`\theta, \theta', \theta''` even between 0 and 1, drawn for each class, the
    smoothness s and :math:`K = \lceil 0.001^{-1/s} \rceil`. Values are then scaled to [0, 1],
    each unit of each manifold by its own smallest and largest value on 1,000 points drawn with
    the manifold, and clipped. So every unit of every class covers all times, and a class is in
    how they hang together.

    A feature is a time: it becomes a spike at ``t_max * f`` by
    ``LatencyEncoder(t_max=..., low=0.0, high=1.0, early="low")``.

    Parameters
    ----------
    n_samples : int, default 1000
        Number of points, as many of each class or one more.
    n_classes : int, default 10
        Number of manifolds, at least 2.
    n_units : int, default 20
        Number of features, each the time of one line.
    n_dims : int, default 1
        Dimension D of the manifolds, at least 1.
    smoothness : float, default 2
        Exponent s, at least 1; the larger, the smoother. At 2 the sums have 32 terms, at 1 they
        have 1,000, which takes seconds.
    seed : int, SeedSequence or Generator, default 0
        Source of the points. Another one gives fresh points of the same manifolds.
    manifold_seed : int, SeedSequence or Generator, default 0
        Source of the manifolds.

    Returns
    -------
    Dataset

    References
    ----------
    Zenke & Vogels 2021, Neural Comput. 33:899. The draws are not theirs.
    """
    n_samples = _check.integer("randman.n_samples", n_samples, minimum=1)
    n_classes = _check.integer("randman.n_classes", n_classes, minimum=2)
    n_units = _check.integer("randman.n_units", n_units, minimum=1)
    n_dims = _check.integer("randman.n_dims", n_dims, minimum=1)
    smoothness = _check.scalar("randman.smoothness", smoothness)
    if smoothness < 1.0:
        raise ParameterError(f"randman.smoothness must be at least 1, got {smoothness:g}")
    n_terms = ceil(_PRECISION ** (-1.0 / smoothness))
    rng = _check.generator("randman.seed", seed)
    manifold_rng = other_stream("randman.manifold_seed", manifold_seed)
    labels = rng.permutation(np.arange(n_samples) % n_classes)
    x = rng.random((n_samples, n_dims))
    features = np.empty((n_samples, n_units))
    for label in range(n_classes):
        theta = manifold_rng.random((3, n_units, n_dims, n_terms))
        reference = _values(manifold_rng.random((_N_REFERENCE, n_dims)), theta, smoothness)
        low, high = reference.min(axis=0), reference.max(axis=0)
        members = labels == label
        values = _values(x[members], theta, smoothness)
        features[members] = np.clip((values - low) / (high - low), 0.0, 1.0)
    names = [f"unit {i}" for i in range(n_units)]
    return dataset(features, labels, names, [f"manifold {i}" for i in range(n_classes)])


def _values(x: np.ndarray, theta: np.ndarray, smoothness: float) -> np.ndarray:
    """Return f of points x, shape (n_points, n_units)."""
    amplitude, frequency, phase = theta
    k = np.arange(amplitude.shape[2])
    values = np.ones((len(x), len(amplitude)))
    for unit, dim in np.ndindex(amplitude.shape[:2]):
        turns = np.outer(x[:, dim], k * frequency[unit, dim]) + phase[unit, dim]
        weights = amplitude[unit, dim] * (k + 1.0) ** -smoothness
        # Not a product of matrices: the order of its sum would depend on the machine.
        values[:, unit] *= (np.sin(2.0 * np.pi * turns) * weights).sum(axis=1)
    return values
