"""A fast sigmoid that vanishes below threshold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikesim import _check
from spikesim._jit import kernel
from spikesim.surrogates.surrogate import Surrogate, bounded

__all__ = ["OneSided"]


@kernel(error_model="numpy")
def _derivative(x, slope, one):
    width = one + slope * abs(x)
    return one - one if x < one - one else one / (width * width)


@_check.suggest_keywords
@dataclass(frozen=True)
class OneSided(Surrogate):
    r"""Fast sigmoid at and above threshold, :math:`1 / (1 + kx)^2`, and 0 below it.

    Primitive :math:`x / (1 + kx)` for x >= 0, else 0; integral :math:`1/k`, with :math:`k` =
    `slope`. No spike, no gradient: like exact spike-time gradients (Bohte, Kok & La Poutre 2002,
    Neurocomputing 48:17) and like a ReLU it carries nothing through a unit that did not fire, so
    a unit that is silent for all inputs never learns again. It is here to show that.

    Parameters
    ----------
    slope : float, default 10
        Steepness k > 0.
    """

    slope: float = 10.0

    def __post_init__(self) -> None:
        _check.positive("OneSided.slope", self.slope)

    scalar = staticmethod(_derivative)

    @property
    def integral(self) -> float:
        """Area under the derivative."""
        return 1.0 / self.slope

    def derivative(self, x: np.ndarray) -> np.ndarray:
        """Return the surrogate derivative at `x`."""
        x = bounded(x)
        return np.where(x < 0.0, 0.0, 1.0 / (1.0 + self.slope * np.abs(x)) ** 2)

    def primitive(self, x: np.ndarray) -> np.ndarray:
        """Return the primitive at `x`."""
        x = bounded(x)
        above = np.maximum(x, 0.0)
        return above / (1.0 + self.slope * above)
