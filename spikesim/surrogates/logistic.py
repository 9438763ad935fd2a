"""The derivative of the logistic function."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from spikesim import _check
from spikesim._jit import kernel
from spikesim.surrogates.surrogate import Surrogate, bounded

__all__ = ["Logistic"]


@kernel(error_model="numpy")
def _derivative(x, slope, one):
    t = math.tanh(slope * x / (one + one))
    return one - t * t


@_check.suggest_keywords
@dataclass(frozen=True)
class Logistic(Surrogate):
    r"""Derivative of the logistic, :math:`4\sigma(kx)(1-\sigma(kx))`, with :math:`k` = `slope`.

    Primitive :math:`4\sigma(kx)/k`; integral :math:`4/k`. With threshold noise of logistic
    distribution this is, up to scale, the exact derivative of the firing probability.

    Parameters
    ----------
    slope : float, default 10
        Steepness k > 0.
    """

    slope: float = 10.0

    def __post_init__(self) -> None:
        _check.positive("Logistic.slope", self.slope)

    scalar = staticmethod(_derivative)

    @property
    def integral(self) -> float:
        """Area under the derivative."""
        return 4.0 / self.slope

    def derivative(self, x: np.ndarray) -> np.ndarray:
        """Return the surrogate derivative at `x`."""
        x = bounded(x)
        return 1.0 - np.tanh(0.5 * self.slope * x) ** 2

    def primitive(self, x: np.ndarray) -> np.ndarray:
        """Return the primitive at `x`."""
        x = bounded(x)
        return 2.0 * (1.0 + np.tanh(0.5 * self.slope * x)) / self.slope
