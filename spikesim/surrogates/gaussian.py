"""A Gaussian."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from spikesim import _check
from spikesim._jit import kernel
from spikesim.surrogates.surrogate import Surrogate, bounded

__all__ = ["Gaussian"]


@kernel(error_model="numpy")
def _derivative(x, slope, one):
    return math.exp(-(slope * x) * (slope * x) / (one + one))


@_check.suggest_keywords
@dataclass(frozen=True)
class Gaussian(Surrogate):
    r"""Gaussian, :math:`e^{-(kx)^2/2}`, with :math:`k` = `slope`: a standard deviation of 1/k.

    Primitive :math:`\sqrt{\pi/2}\,\mathrm{erf}(kx/\sqrt2)/k`; integral :math:`\sqrt{2\pi}/k`.
    With Gaussian noise on the threshold it is, up to scale, the exact derivative of the firing
    probability. Source: Yin, Corradi & Bohte 2021, Nat. Mach. Intell. 3:905, with peak 1.

    Parameters
    ----------
    slope : float, default 2
        Steepness k > 0.
    """

    slope: float = 2.0

    def __post_init__(self) -> None:
        _check.positive("Gaussian.slope", self.slope)

    scalar = staticmethod(_derivative)

    @property
    def integral(self) -> float:
        """Area under the derivative."""
        return math.sqrt(2.0 * math.pi) / self.slope

    def derivative(self, x: np.ndarray) -> np.ndarray:
        """Return the surrogate derivative at `x`."""
        x = bounded(x)
        return np.exp(-0.5 * (self.slope * x) ** 2)

    def primitive(self, x: np.ndarray) -> np.ndarray:
        """Return the primitive at `x`."""
        from scipy.special import erf

        x = bounded(x)
        return math.sqrt(0.5 * math.pi) / self.slope * erf(self.slope * x / math.sqrt(2.0))
