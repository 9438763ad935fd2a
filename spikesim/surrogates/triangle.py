"""A triangle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikesim import _check
from spikesim._jit import kernel
from spikesim.surrogates.surrogate import Surrogate, bounded

__all__ = ["Triangle"]


@kernel(error_model="numpy")
def _derivative(x, slope, one):
    return max(one - one, one - slope * abs(x))


@_check.suggest_keywords
@dataclass(frozen=True)
class Triangle(Surrogate):
    r"""Triangle, :math:`\max(0, 1 - k|x|)`, with :math:`k` = `slope`.

    Primitive :math:`x - k x|x|/2` within :math:`|x| < 1/k`, constant outside; integral
    :math:`1/k`. It vanishes outside, so units far from threshold cost nothing. Source: Esser et
    al. 2016, PNAS 113(41); Bellec et al. 2018, NeurIPS.

    Parameters
    ----------
    slope : float, default 1
        Steepness k > 0; the default reaches from rest to twice the threshold.
    """

    slope: float = 1.0

    def __post_init__(self) -> None:
        _check.positive("Triangle.slope", self.slope)

    scalar = staticmethod(_derivative)

    @property
    def integral(self) -> float:
        """Area under the derivative."""
        return 1.0 / self.slope

    @property
    def reach(self) -> float:
        """Distance from threshold beyond which the derivative is 0."""
        return 1.0 / self.slope

    def derivative(self, x: np.ndarray) -> np.ndarray:
        """Return the surrogate derivative at `x`."""
        x = bounded(x)
        return np.maximum(0.0, 1.0 - self.slope * np.abs(x))

    def primitive(self, x: np.ndarray) -> np.ndarray:
        """Return the primitive at `x`."""
        x = bounded(x)
        inside = np.clip(x, -1.0 / self.slope, 1.0 / self.slope)
        return inside - 0.5 * self.slope * inside * np.abs(inside)
