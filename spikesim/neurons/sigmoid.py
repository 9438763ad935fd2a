r"""The sigmoid unit: a firing rate between 0 and 1, :math:`y = \sigma(u) = 1/(1 + e^{-u})`.

With net input x, steepness a and bias b, :math:`u = a x + b`. Derivative
:math:`\sigma'(u) = y (1 - y)`, from the output alone. In double precision y is exactly 1 from
u = 37 on, and the derivative exactly 0: saturation is a real dead zone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikesim import _check

__all__ = ["Sigmoid"]


@dataclass(frozen=True)
class Sigmoid:
    """Logistic rate unit with outputs in (0, 1).

    Parameters
    ----------
    steepness : float, default 1
        Factor a of the net input, without unit. Negative values give a decreasing unit.
    """

    steepness: float = 1.0

    spiking = False
    bounds = (0.0, 1.0)

    def __post_init__(self) -> None:
        _check.scalar("Sigmoid.steepness", self.steepness)

    def forward(self, u: np.ndarray) -> np.ndarray:
        """Return the output for ``u = steepness * net + bias``, without overflow for any u."""
        decayed = np.exp(-np.abs(u))
        return np.where(u >= 0, 1.0, decayed) / (1.0 + decayed)

    def derivative(self, u: np.ndarray, output: np.ndarray) -> np.ndarray:
        """Return d output / d u."""
        return output * (1.0 - output)
