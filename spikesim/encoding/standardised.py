"""Features of mean 0 and standard deviation 1, in a single step."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from spikesim import _check
from spikesim.encoding.scaled import table
from spikesim.errors import ParameterError

__all__ = ["Standardised"]


@_check.suggest_keywords
@dataclass(frozen=True, eq=False)
class Standardised:
    """Features less their mean, over their standard deviation, in a single step, for rate units.

    Parameters
    ----------
    mean : float or array_like, optional
        Mean of each feature; learnt by :meth:`fit` where None.
    scale : float or array_like, optional
        What each feature is divided by, greater than 0; where None, :meth:`fit` takes the
        standard deviation, or 1 for a feature that never varied.
    """

    mean: Any = None
    scale: Any = None

    stochastic: ClassVar[bool] = False

    def __post_init__(self) -> None:
        for name in ("mean", "scale"):
            value = getattr(self, name)
            if value is None:
                continue
            array = _check.float_array(f"Standardised.{name}", value, copy=True)
            if array.ndim > 1:
                raise ParameterError(
                    f"Standardised.{name} must be a number or have one value a feature, got "
                    f"shape {array.shape}"
                )
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        if self.scale is not None and np.any(self.scale <= 0.0):
            first = _check._first(self.scale <= 0.0)
            raise ParameterError(f"Standardised.scale{first} must be greater than 0")

    def fit(self, features: Any) -> Standardised:
        """Return an encoder with the mean and scale that were not given taken from data.

        Parameters
        ----------
        features : array_like, shape (n_samples, n_features)
            Training data, at least one sample.

        Raises
        ------
        ParameterError
            Features too large for their standard deviation to be a number.
        """
        rows = table("Standardised.features", features)
        if len(rows) == 0:
            raise ParameterError("Standardised.features must hold at least one sample")
        with np.errstate(over="ignore", invalid="ignore"):
            mean = rows.mean(axis=0) if self.mean is None else self.mean
            scale = rows.std(axis=0) if self.scale is None else self.scale
        if not (np.all(np.isfinite(mean)) and np.all(np.isfinite(scale))):
            raise ParameterError(
                "Standardised.features are too large for double precision; scale them down"
            )
        # What rounding leaves of a constant feature is no scale.
        varied = scale > 10.0 * np.finfo(np.float64).eps * np.abs(mean)
        return replace(self, mean=mean, scale=np.where(varied, scale, 1.0))

    def n_inputs(self, n_features: int) -> int:
        """Return `n_features`."""
        return n_features

    def encode(self, features: Any, *, dt: float = 1.0, rng: Any = None) -> np.ndarray:
        """Return the scaled features; `dt` and `rng` play no part.

        Parameters
        ----------
        features : array_like, shape (n_samples, n_features)
            Data.
        dt, rng : object, optional
            Not used.

        Returns
        -------
        ndarray of float64, shape (1, n_samples, n_features)

        Raises
        ------
        ParameterError
            Another number of features than in :meth:`fit`, or a mean that is not known yet.
        """
        rows = table("Standardised.features", features)
        if self.mean is None or self.scale is None:
            raise ParameterError(
                "Standardised.mean and Standardised.scale are not known yet; call fit(features) "
                "first and use the encoder that it returns"
            )
        for name in ("mean", "scale"):
            value = getattr(self, name)
            if value.ndim and len(value) != rows.shape[1]:
                raise ParameterError(
                    f"Standardised.features has {rows.shape[1]} features, Standardised.{name} "
                    f"has {len(value)}"
                )
        return ((rows - self.mean) / self.scale)[np.newaxis]
