"""What the codes share that scale features to [0, 1]: their range, and the bias line."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, TypeVar, cast

import numpy as np

from spikesim import _check
from spikesim.errors import ParameterError

__all__ = ["ScaledEncoder", "steps_at_once", "table"]

_Scaled = TypeVar("_Scaled", bound="ScaledEncoder")

# Numbers in a block of steps, where spikes are made block by block: 32 MB.
_AT_ONCE = 2**22


class ScaledEncoder(ABC):
    """What the spike codes share: the range of the features, and the optional bias line."""

    low: Any
    high: Any
    bias_spike: bool
    duration: float

    def _check_range(self) -> None:
        name = type(self).__name__
        _check.boolean(f"{name}.bias_spike", self.bias_spike)
        for end in ("low", "high"):
            value = getattr(self, end)
            if value is not None:
                array = _check.float_array(f"{name}.{end}", value, copy=True)
                if array.ndim > 1:
                    raise ParameterError(
                        f"{name}.{end} must be a number or have one value a feature, "
                        f"got shape {array.shape}"
                    )
                array.flags.writeable = False
                object.__setattr__(self, end, array)
        if self.low is not None and self.high is not None:
            try:
                bad = self.low > self.high
            except ValueError:
                raise ParameterError(
                    f"{name}.low and {name}.high must have one length, got "
                    f"{self.low.shape} and {self.high.shape}"
                ) from None
            if np.any(bad):
                raise ParameterError(f"{name}.low{_check._first(bad)} must not exceed {name}.high")
            with np.errstate(over="ignore"):
                wide = ~np.isfinite(self.high - self.low)
            if np.any(wide):
                raise ParameterError(
                    f"{name}.low{_check._first(wide)} and {name}.high are further apart than "
                    "double precision reaches; scale the feature down"
                )

    @property
    def stochastic(self) -> bool:
        """Whether two calls of :meth:`encode` differ."""
        return False

    @property
    def fitted(self) -> bool:
        """Whether the range of the features is known."""
        return self.low is not None and self.high is not None

    def fit(self: _Scaled, features: Any) -> _Scaled:
        """Return an encoder with the ends of the range that were not given taken from data.

        Parameters
        ----------
        features : array_like, shape (n_samples, n_features)
            Training data, at least one sample.
        """
        name = f"{type(self).__name__}.features"
        rows = table(name, features)
        if len(rows) == 0:
            raise ParameterError(f"{name} must hold at least one sample")
        low = rows.min(axis=0) if self.low is None else self.low
        high = rows.max(axis=0) if self.high is None else self.high
        return replace(cast(Any, self), low=low, high=high)

    def n_inputs(self, n_features: int) -> int:
        """Return the number of input lines for `n_features` features."""
        return n_features + self.bias_spike

    def encode(self, features: Any, *, dt: float, rng: Any = None) -> np.ndarray:
        """Turn features into spikes.

        Parameters
        ----------
        features : array_like, shape (n_samples, n_features)
            Data in the units of `low` and `high`.
        dt : float
            Time step (ms).
        rng : int, SeedSequence or Generator, optional
            Source of the draws of a stochastic code; None takes fresh entropy.

        Returns
        -------
        ndarray of float64, shape (n_steps, n_samples, n_inputs)
            1 where a line spikes in a step, 0 elsewhere.

        Raises
        ------
        ParameterError
            Features that are not finite numbers in two dimensions, an unknown range, another
            number of features than the range has, times off the grid of `dt`.
        """
        n_steps, spikes = self._started(features, dt, rng)
        return self._with_bias(spikes(0, n_steps), 0)

    def encode_blocks(self, features: Any, *, dt: float, rng: Any = None) -> Iterator[np.ndarray]:
        """Yield what :meth:`encode` returns, the same bits, in blocks of steps of little memory.

        Parameters
        ----------
        features, dt, rng
            As in :meth:`encode`.

        Yields
        ------
        ndarray of float64, shape (n_steps of the block, n_samples, n_inputs)
        """
        n_steps, spikes = self._started(features, dt, rng)
        rows, columns = np.shape(features)
        size = steps_at_once(rows * self.n_inputs(columns))
        for first in range(0, n_steps, size):
            yield self._with_bias(spikes(first, min(first + size, n_steps)), first)

    def _started(self, features: Any, dt: Any, rng: Any) -> tuple[int, Callable[..., np.ndarray]]:
        """Return the number of steps, and what makes the spikes of a range of steps."""
        dt = _check.positive(f"{type(self).__name__}.dt", dt)
        n_steps = _check.n_steps(f"{type(self).__name__}.duration", self.duration, dt, minimum=1)
        return n_steps, self._spikes(self._scale(features), n_steps, dt, rng)

    def _with_bias(self, spikes: np.ndarray, first: int) -> np.ndarray:
        if not self.bias_spike:
            return spikes
        line = np.zeros((*spikes.shape[:2], 1))
        if first == 0:
            line[0] = 1.0
        return np.concatenate([spikes, line], axis=2)

    @abstractmethod
    def _spikes(
        self, scaled: np.ndarray, n_steps: int, dt: float, rng: Any
    ) -> Callable[[int, int], np.ndarray]:
        """Return what makes the spikes of features scaled to [0, 1] from a step to a later one.

        It is called for all steps, once each and in order, and returns an array of shape
        (last - first, n_samples, n_lines).
        """

    def _scale(self, features: Any) -> np.ndarray:
        """Return the features scaled to [0, 1] and clipped."""
        name = type(self).__name__
        rows = table(f"{name}.features", features)
        if not self.fitted:
            raise ParameterError(
                f"{name}.low and {name}.high are not known yet; call fit(features) first "
                "and use the encoder that it returns"
            )
        for end in ("low", "high"):
            if getattr(self, end).ndim and len(getattr(self, end)) != rows.shape[1]:
                raise ParameterError(
                    f"{name}.features has {rows.shape[1]} features, "
                    f"{name}.{end} has {len(getattr(self, end))}"
                )
        span = self.high - self.low
        # Clipped before as well, so that a value far beyond the range cannot overflow.
        scaled = (np.clip(rows, self.low, self.high) - self.low) / np.where(
            span > 0.0, span, np.inf
        )
        return np.clip(scaled, 0.0, 1.0)


def steps_at_once(n_values: int) -> int:
    """Return how many steps of `n_values` numbers make a block."""
    return max(1, _AT_ONCE // max(1, n_values))


def table(name: str, features: Any) -> np.ndarray:
    """Return features as a float64 table of at least one column, or say what is wrong."""
    rows = _check.float_array(name, features)
    _check.shape(name, rows, (None, None))
    if rows.shape[1] == 0:
        raise ParameterError(f"{name} must hold at least one feature")
    return rows
