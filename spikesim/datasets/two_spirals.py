"""Two spirals wound around each other."""

from __future__ import annotations

import numpy as np

from spikesim.datasets.tables import Dataset, dataset

__all__ = ["two_spirals"]


def two_spirals() -> Dataset:
    r"""Return the two spirals: 194 points, alternately of one arm and of the other.

    Point i of the first arm, i = 0 to 96, lies at the radius :math:`6.5 (104 - i) / 104` and the
    angle :math:`i \pi / 16`, so that three turns lead inwards; the second arm is the first one
    turned by half a circle.

    Returns
    -------
    Dataset
        Class 1 is the first arm.

    References
    ----------
    Lang & Witbrock 1988, Learning to tell two spirals apart, Proc. 1988 Connectionist Models
    Summer School, 52.
    """
    i = np.arange(97)
    angle, radius = i * np.pi / 16.0, 6.5 * (104 - i) / 104.0
    arm = np.column_stack([radius * np.sin(angle), radius * np.cos(angle)])
    points = np.stack([arm, -arm], axis=1).reshape(194, 2)
    return dataset(points, np.tile([1, 0], 97), ("x", "y"), ("second arm", "first arm"))
