"""What every encoder can do."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

__all__ = ["Encoder"]


class Encoder(Protocol):
    """What every encoder can do; training draws again every epoch if it is stochastic."""

    @property
    def stochastic(self) -> bool:
        """Whether two calls of :meth:`encode` differ."""
        ...

    def fit(self, features: Any) -> Any:
        """Return an encoder that knows the range of `features`."""
        ...

    def n_inputs(self, n_features: int) -> int:
        """Return the number of input lines for `n_features` features."""
        ...

    def encode(self, features: Any, *, dt: float, rng: Any = None) -> np.ndarray:
        """Return x, shape (n_steps, n_samples, n_inputs)."""
        ...
