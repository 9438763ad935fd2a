"""The derivative of the fast sigmoid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikesim import _check
from spikesim._jit import kernel
from spikesim.surrogates.surrogate import Surrogate, bounded

__all__ = ["FastSigmoid"]


@kernel(error_model="numpy")
def _derivative(x, slope, one):
    width = one + slope * abs(x)
    return one / (width * width)


@_check.suggest_keywords
@dataclass(frozen=True)
class FastSigmoid(Surrogate):
    r"""Derivative of the fast sigmoid, :math:`1 / (1 + k|x|)^2`, with :math:`k` = `slope`.

    Primitive :math:`x / (1 + k|x|)`; integral :math:`2/k`. Source: SuperSpike, Zenke & Ganguli
    2018, Neural Comput. 30(6), eq. 5 there with the scale made explicit.

    Parameters
    ----------
    slope : float, default 10
        Steepness k > 0.
    """

    slope: float = 10.0

    def __post_init__(self) -> None:
        _check.positive("FastSigmoid.slope", self.slope)

    scalar = staticmethod(_derivative)

    @property
    def integral(self) -> float:
        """Area under the derivative."""
        return 2.0 / self.slope

    def derivative(self, x: np.ndarray) -> np.ndarray:
        """Return the surrogate derivative at `x`."""
        x = bounded(x)
        return 1.0 / (1.0 + self.slope * np.abs(x)) ** 2

    def primitive(self, x: np.ndarray) -> np.ndarray:
        """Return the primitive at `x`."""
        x = bounded(x)
        return x / (1.0 + self.slope * np.abs(x))
