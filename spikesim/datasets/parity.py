"""Parity: exclusive or of any number of inputs."""

from __future__ import annotations

import numpy as np

from spikesim import _check
from spikesim.datasets.tables import Dataset, dataset
from spikesim.errors import ParameterError

__all__ = ["parity"]

# A million points: a table of 160 MB.
_MOST = 20


def parity(n: int = 4) -> Dataset:
    """Return all points of n binary inputs, class 1 where an odd number of them is 1.

    Whatever the point, a change of any single input changes the class, so no input alone and no
    n - 1 of them tell anything about it. One layer of n hidden threshold units solves it.
    ``parity(2)`` is :func:`xor`.

    Parameters
    ----------
    n : int, default 4
        Number of inputs, 1 to 20.

    Returns
    -------
    Dataset
        Of 2**n samples, counted in binary with the last input fastest.

    References
    ----------
    Minsky & Papert 1969, Perceptrons, chapter 3.
    """
    n = _check.integer("parity.n", n, minimum=1)
    if n > _MOST:
        raise ParameterError(f"parity.n must be at most {_MOST}, got {n}: that is 2**{n} samples")
    bits = np.arange(2**n)[:, np.newaxis] >> np.arange(n)[::-1] & 1
    names = [f"x{i + 1}" for i in range(n)]
    return dataset(bits, bits.sum(axis=1) % 2, names, ("even", "odd"))
