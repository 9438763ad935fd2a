"""Any surrogate, cut off at a distance from threshold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from spikesim import _check
from spikesim.errors import ParameterTypeError
from spikesim.surrogates.surrogate import Surrogate

__all__ = ["Truncated"]


@_check.suggest_keywords
@dataclass(frozen=True)
class Truncated(Surrogate):
    r"""The derivative of another surrogate for :math:`|x| \le r`, and 0 beyond, r = `distance`.

    Units that are further from their threshold are left out of the backward pass, which makes it
    several times faster in recurrent networks (Perez-Nieves & Goodman 2021, NeurIPS 34). It
    costs no accuracy where units fire from the start, and much where few do, as what is silent and
    far from threshold no longer learns: compare (``experiments/cut_off.py`` does on one task).

    Parameters
    ----------
    surrogate : Surrogate
        What is cut off.
    distance : float, default 0.2
        Where, in units of ``v_th - v_rest``, > 0.
    """

    surrogate: Any
    distance: float = 0.2

    def __post_init__(self) -> None:
        if not isinstance(self.surrogate, Surrogate):
            raise ParameterTypeError(
                f"Truncated.surrogate must be a surrogate such as FastSigmoid(), got "
                f"{self.surrogate!r}"
            )
        _check.positive("Truncated.distance", self.distance)

    @property
    def slope(self) -> float:
        """Steepness of the surrogate that is cut off."""
        return self.surrogate.slope

    @property
    def scalar(self) -> Any:
        """The kernel of the surrogate that is cut off; the cut is at `reach`."""
        return self.surrogate.scalar

    @property
    def reach(self) -> float:
        """Distance from threshold beyond which the derivative is 0."""
        return min(self.distance, self.surrogate.reach)

    @property
    def integral(self) -> float:
        """Area under the derivative."""
        ends = self.surrogate.primitive(np.array([-self.reach, self.reach]))
        return float(ends[1] - ends[0])

    def derivative(self, x: np.ndarray) -> np.ndarray:
        """Return the surrogate derivative at `x`."""
        return np.where(np.abs(x) > self.reach, 0.0, self.surrogate.derivative(x))

    def primitive(self, x: np.ndarray) -> np.ndarray:
        """Return the primitive at `x`."""
        return self.surrogate.primitive(np.clip(x, -self.reach, self.reach))
