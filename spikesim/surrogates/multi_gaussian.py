"""A Gaussian with negative flanks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from spikesim import _check
from spikesim._jit import kernel
from spikesim.surrogates.surrogate import Surrogate, bounded

__all__ = ["MultiGaussian"]

_HEIGHT, _WIDTH = 0.15, 6.0
# The weights of the middle and of the flanks that make the peak 1.
_PEAK = (1.0 + _HEIGHT) - 2.0 * _HEIGHT / _WIDTH * math.exp(-0.5 / _WIDTH**2)
_MIDDLE, _FLANK = (1.0 + _HEIGHT) / _PEAK, _HEIGHT / _WIDTH / _PEAK


@kernel(error_model="numpy")
def _derivative(x, slope, one):
    two = one + one
    z = slope * x
    below, above = (z - one) / (two * two + two), (z + one) / (two * two + two)
    return _MIDDLE * math.exp(-z * z / two) - _FLANK * (
        math.exp(-below * below / two) + math.exp(-above * above / two)
    )


@_check.suggest_keywords
@dataclass(frozen=True)
class MultiGaussian(Surrogate):
    r"""Gaussian minus two wide ones to its sides, so that units far from threshold learn too.

    With the normal density N(x; mean, sd), s = 1/`slope` and h = 0.15,

    .. math:: \varphi(x) \propto (1 + h)\,N(x; 0, s) - h\,N(x; s, 6s) - h\,N(x; -s, 6s)

    scaled to peak 1. Its primitive is the same sum of error functions; the integral is
    :math:`(1 - h)\sqrt{2\pi}\,s / 1.1007`. Source: Yin, Corradi & Bohte 2021, Nat. Mach. Intell.
    3:905.

    Parameters
    ----------
    slope : float, default 2
        Steepness 1/s > 0.
    """

    slope: float = 2.0

    def __post_init__(self) -> None:
        _check.positive("MultiGaussian.slope", self.slope)

    scalar = staticmethod(_derivative)

    @property
    def integral(self) -> float:
        """Area under the derivative."""
        return math.sqrt(2.0 * math.pi) / self.slope * (_MIDDLE - 2.0 * _WIDTH * _FLANK)

    def derivative(self, x: np.ndarray) -> np.ndarray:
        """Return the surrogate derivative at `x`."""
        x = bounded(x)
        z = self.slope * x
        flanks = np.exp(-0.5 * ((z - 1.0) / _WIDTH) ** 2) + np.exp(-0.5 * ((z + 1.0) / _WIDTH) ** 2)
        return _MIDDLE * np.exp(-0.5 * z**2) - _FLANK * flanks

    def primitive(self, x: np.ndarray) -> np.ndarray:
        """Return the primitive at `x`."""
        from scipy.special import erf

        x = bounded(x)
        z = self.slope * x / math.sqrt(2.0)
        off = 1.0 / math.sqrt(2.0)
        flanks = erf((z - off) / _WIDTH) + erf((z + off) / _WIDTH)
        return math.sqrt(0.5 * math.pi) / self.slope * (_MIDDLE * erf(z) - _WIDTH * _FLANK * flanks)
