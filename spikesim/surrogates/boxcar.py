"""The clipped straight-through estimator."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikesim import _check
from spikesim._jit import kernel
from spikesim.surrogates.surrogate import Surrogate

__all__ = ["Boxcar"]


@kernel(error_model="numpy")
def _derivative(x, slope, one):
    return one if abs(x) <= one / slope else one - one


@_check.suggest_keywords
@dataclass(frozen=True)
class Boxcar(Surrogate):
    r"""The clipped straight-through estimator: 1 for :math:`|x| \le 1/k`, else 0.

    Primitive x clipped to :math:`\pm 1/k`; integral :math:`2/k`, with :math:`k` = `slope`. With
    k = 1 it is the derivative of the hard tanh that trains networks of binary units. Source:
    Hubara et al. 2016, NeurIPS (arXiv:1602.02830).

    Parameters
    ----------
    slope : float, default 1
        Steepness k > 0; the default reaches from rest to twice the threshold.
    """

    slope: float = 1.0

    def __post_init__(self) -> None:
        _check.positive("Boxcar.slope", self.slope)

    scalar = staticmethod(_derivative)

    @property
    def integral(self) -> float:
        """Area under the derivative."""
        return 2.0 / self.slope

    @property
    def reach(self) -> float:
        """Distance from threshold beyond which the derivative is 0."""
        return 1.0 / self.slope

    def derivative(self, x: np.ndarray) -> np.ndarray:
        """Return the surrogate derivative at `x`."""
        return np.where(np.isnan(x), np.nan, np.abs(x) <= 1.0 / self.slope)

    def primitive(self, x: np.ndarray) -> np.ndarray:
        """Return the primitive at `x`."""
        return np.clip(x, -1.0 / self.slope, 1.0 / self.slope)
