r"""The rectified linear unit: :math:`y = \max(0, u)`, derivative 0 below and 1 above zero."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikesim import _check

__all__ = ["ReLU"]


@dataclass(frozen=True)
class ReLU:
    """Rectified linear rate unit.

    Parameters
    ----------
    derivative_at_zero : float, default 0
        The derivative where it is undefined, in [0, 1].
    """

    derivative_at_zero: float = 0.0

    spiking = False
    steepness = 1.0
    bounds = (0.0, np.inf)

    def __post_init__(self) -> None:
        _check.in_range("ReLU.derivative_at_zero", self.derivative_at_zero, 0.0, 1.0)

    def forward(self, u: np.ndarray) -> np.ndarray:
        """Return the output for the net input plus bias `u`."""
        return np.maximum(0.0, u)

    def derivative(self, u: np.ndarray, output: np.ndarray) -> np.ndarray:
        """Return d output / d u."""
        return np.heaviside(u, self.derivative_at_zero)
