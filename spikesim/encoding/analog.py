"""Features as they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from spikesim import _check
from spikesim.encoding.scaled import table

__all__ = ["Analog"]


@_check.suggest_keywords
@dataclass(frozen=True)
class Analog:
    """Features as they are, in a single step: the input of rate units."""

    stochastic: ClassVar[bool] = False

    def fit(self, features: Any) -> Analog:
        """Return the encoder itself: there is nothing to learn."""
        table("Analog.features", features)
        return self

    def n_inputs(self, n_features: int) -> int:
        """Return `n_features`."""
        return n_features

    def encode(self, features: Any, *, dt: float = 1.0, rng: Any = None) -> np.ndarray:
        """Return the features, shape (1, n_samples, n_features); `dt` and `rng` play no part."""
        return table("Analog.features", features)[np.newaxis].copy()
