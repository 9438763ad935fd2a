"""Two half circles that reach into each other."""

from __future__ import annotations

from spikesim import _check
from spikesim.datasets.tables import Dataset, dataset, legacy_seed

__all__ = ["two_moons"]


def two_moons(n_samples: int = 200, *, noise: float = 0.1, seed: int = 0) -> Dataset:
    """Return two half circles that reach into each other, one a class.

    The points are those of :func:`sklearn.datasets.make_moons`.

    Parameters
    ----------
    n_samples : int, default 200
        Points of both classes together, at least 2.
    noise : float, default 0.1
        Standard deviation of what is added to both coordinates; the half circles have radius 1.
    seed : int, default 0
        Source of the noise and of the order of the points.

    Returns
    -------
    Dataset
    """
    from sklearn.datasets import make_moons

    n_samples = _check.integer("two_moons.n_samples", n_samples, minimum=2)
    noise = _check.non_negative("two_moons.noise", noise)
    points, labels = make_moons(
        n_samples, noise=noise, random_state=legacy_seed("two_moons.seed", seed)
    )
    return dataset(points, labels, ("x", "y"), ("upper", "lower"))
