r"""The threshold unit: :math:`y = H(u)`, 1 when the net input reaches the threshold, else 0.

Its derivative is zero wherever it exists, so gradient descent never moves its weights; the
perceptron-style rules of :mod:`spikesim.learning` are made for it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikesim import _check

__all__ = ["Step"]


@dataclass(frozen=True)
class Step:
    """Threshold unit with outputs 0 and 1.

    Parameters
    ----------
    fire_on : {"ge", "gt"}, default "ge"
        Whether a net input exactly at the threshold fires ("ge") or not ("gt").
    """

    fire_on: str = "ge"

    spiking = False
    steepness = 1.0
    bounds = (0.0, 1.0)

    def __post_init__(self) -> None:
        _check.choice("Step.fire_on", self.fire_on, ("ge", "gt"))

    def forward(self, u: np.ndarray) -> np.ndarray:
        """Return 1.0 where the unit fires, 0.0 elsewhere."""
        return np.heaviside(u, 1.0 if self.fire_on == "ge" else 0.0)

    def derivative(self, u: np.ndarray, output: np.ndarray) -> np.ndarray:
        """Return the true derivative: zero everywhere."""
        return np.zeros_like(u)
