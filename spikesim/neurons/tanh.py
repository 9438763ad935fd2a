r"""The tanh unit: :math:`y = \tanh(u)` in (-1, 1), derivative :math:`1 - y^2`.

:math:`\tanh(u) = 2\sigma(2u) - 1`: the same unit as the logistic one after a change of scale.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikesim import _check

__all__ = ["Tanh"]


@dataclass(frozen=True)
class Tanh:
    """Hyperbolic tangent rate unit with outputs in (-1, 1).

    Parameters
    ----------
    steepness : float, default 1
        Factor of the net input, without unit.
    """

    steepness: float = 1.0

    spiking = False
    bounds = (-1.0, 1.0)

    def __post_init__(self) -> None:
        _check.scalar("Tanh.steepness", self.steepness)

    def forward(self, u: np.ndarray) -> np.ndarray:
        """Return the output for ``u = steepness * net + bias``."""
        return np.tanh(u)

    def derivative(self, u: np.ndarray, output: np.ndarray) -> np.ndarray:
        """Return d output / d u."""
        return 1.0 - output**2
