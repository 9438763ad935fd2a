"""What every surrogate can do."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

import numpy as np

__all__ = ["Surrogate", "bounded"]


class Surrogate(ABC):
    """A derivative for the step and the function it is the derivative of.

    Attributes
    ----------
    slope : float
        Steepness, without unit: the width of the surrogate falls as ``1 / slope``.
    scalar : callable or None
        The derivative once more as a kernel of ``(x, slope, one)`` for a single x; `one` is 1 in
        the precision of `x`, of which other constants are made. Without it
        :meth:`derivative` is called on whole arrays, which is slower.
    """

    slope: Any
    scalar: Any = None

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        # An inherited kernel would not be that of another derivative.
        if "derivative" in vars(cls) and "scalar" not in vars(cls):
            cls.scalar = None

    @property
    @abstractmethod
    def integral(self) -> float:
        """Area under the derivative; infinite where it does not converge."""

    @property
    def reach(self) -> float:
        """Distance from threshold beyond which the derivative is 0; infinite if nowhere."""
        return math.inf

    @abstractmethod
    def derivative(self, x: np.ndarray) -> np.ndarray:
        """Return the surrogate derivative at `x`, 1 at 0."""

    @abstractmethod
    def primitive(self, x: np.ndarray) -> np.ndarray:
        """Return the function whose derivative is :meth:`derivative`."""


def bounded(x: Any) -> np.ndarray:
    """Return `x` with what is so large that its square would overflow made smaller.

    No surrogate changes any more so far from threshold, to infinity.
    """
    x = np.asarray(x)
    if x.dtype.kind != "f":
        x = x.astype(np.float64)
    far = np.finfo(x.dtype).max ** 0.4
    return np.clip(x, -far, far)
