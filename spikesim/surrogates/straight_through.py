"""The straight-through estimator."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from spikesim import _check
from spikesim._jit import kernel
from spikesim.surrogates.surrogate import Surrogate

__all__ = ["StraightThrough"]


@kernel(error_model="numpy")
def _derivative(x, slope, one):
    return one


@_check.suggest_keywords
@dataclass(frozen=True)
class StraightThrough(Surrogate):
    r"""The straight-through estimator: derivative 1 everywhere, as if the step were not there.

    By the potential of a LIF unit that is :math:`1 / (v_{th} - v_{rest})` per mV.

    .. math:: \varphi(x) = 1, \qquad \delta_j = \sum_k w_{jk}\,\delta_k

    for the error of unit j from those of the units k that follow, in
    :class:`~spikesim.learning.Backprop`. Primitive :math:`x`; the integral is infinite.

    *Each synapse must know* its input and an error that is carried back by the weights of later
    layers, but nothing of how close its unit is to the threshold.

    *Works* without losing a unit: each passes on its error however far it is from threshold.
    *Fails* to say which units are close to a change, and moves those that cannot help as far as
    those that can: small threshold networks get stuck on XOR from starts that a surrogate which
    falls off (:class:`FastSigmoid`) solves. Over many layers errors grow with the weights.

    References
    ----------
    Hinton 2012, Neural Networks for Machine Learning (lectures); Bengio, Leonard & Courville
    2013, arXiv:1308.3432.
    """

    scalar = staticmethod(_derivative)

    @property
    def slope(self) -> float:
        """1, as there is no width to set."""
        return 1.0

    @property
    def integral(self) -> float:
        """Area under the derivative: infinite."""
        return math.inf

    def derivative(self, x: np.ndarray) -> np.ndarray:
        """Return ones."""
        return np.ones(np.shape(x))

    def primitive(self, x: np.ndarray) -> np.ndarray:
        """Return a copy of `x`."""
        return np.array(x, dtype=np.float64)
