"""The derivative of the arctangent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikesim import _check
from spikesim._jit import kernel
from spikesim.surrogates.surrogate import Surrogate, bounded

__all__ = ["ArcTan"]


@kernel(error_model="numpy")
def _derivative(x, slope, one):
    return one / (one + (slope * x) * (slope * x))


@_check.suggest_keywords
@dataclass(frozen=True)
class ArcTan(Surrogate):
    r"""Derivative of the arctangent, :math:`1 / (1 + (kx)^2)`, with :math:`k` = `slope`.

    Primitive :math:`\arctan(kx)/k`; integral :math:`\pi/k`. Source: Fang et al. 2021, ICCV,
    with peak 1.

    Parameters
    ----------
    slope : float, default 10
        Steepness k > 0.
    """

    slope: float = 10.0

    def __post_init__(self) -> None:
        _check.positive("ArcTan.slope", self.slope)

    scalar = staticmethod(_derivative)

    @property
    def integral(self) -> float:
        """Area under the derivative."""
        return np.pi / self.slope

    def derivative(self, x: np.ndarray) -> np.ndarray:
        """Return the surrogate derivative at `x`."""
        x = bounded(x)
        return 1.0 / (1.0 + (self.slope * x) ** 2)

    def primitive(self, x: np.ndarray) -> np.ndarray:
        """Return the primitive at `x`."""
        x = bounded(x)
        return np.arctan(self.slope * x) / self.slope
