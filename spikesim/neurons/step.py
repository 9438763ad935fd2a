r"""The threshold unit: :math:`y = H(u)`, 1 when the net input reaches the threshold, else 0.

Its derivative is zero wherever it exists, so gradient descent never moves its weights. Either
the perceptron-style rules of :mod:`spikesim.learning`, which need none, or a surrogate
derivative in its place can train it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikesim import _check
from spikesim.errors import ParameterTypeError
from spikesim.surrogates import Surrogate

__all__ = ["Step"]


@_check.suggest_keywords
@dataclass(frozen=True)
class Step:
    r"""Threshold unit with outputs 0 and 1.

    Parameters
    ----------
    fire_on : {"ge", "gt"}, default "ge"
        Whether a net input exactly at the threshold fires ("ge") or not ("gt").
    surrogate : Surrogate, optional
        Stands for the derivative by the net input u (threshold at 0) in
        :class:`~spikesim.learning.Backprop`, as in :math:`\varphi(u)`; the output stays 0 or 1.
        None is the true derivative, with which gradient descent changes no weight. Rules that
        use no derivative do not look at it.

    References
    ----------
    Bengio, Leonard & Courville 2013, arXiv:1308.3432, for surrogates of binary units.
    """

    fire_on: str = "ge"
    surrogate: Surrogate | None = None

    spiking = False
    steepness = 1.0
    bounds = (0.0, 1.0)

    def __post_init__(self) -> None:
        _check.choice("Step.fire_on", self.fire_on, ("ge", "gt"))
        value = self.surrogate
        if value is not None and (
            isinstance(value, type)
            or not all(callable(getattr(value, name, None)) for name in ("derivative", "primitive"))
        ):
            raise ParameterTypeError(
                f"Step.surrogate must be a surrogate such as StraightThrough() or None, "
                f"got {value!r}"
            )

    def forward(self, u: np.ndarray) -> np.ndarray:
        """Return 1.0 where the unit fires, 0.0 elsewhere."""
        return np.heaviside(u, 1.0 if self.fire_on == "ge" else 0.0)

    def derivative(self, u: np.ndarray, output: np.ndarray) -> np.ndarray:
        """Return the surrogate derivative at `u`, or the true one: zero everywhere."""
        return np.zeros_like(u) if self.surrogate is None else self.surrogate.derivative(u)
