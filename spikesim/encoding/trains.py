"""Spike trains of a given rate, regular or Poisson."""

from __future__ import annotations

from typing import Any

import numpy as np

from spikesim import _check
from spikesim.errors import ParameterError

__all__ = ["RATE_MODES", "trains"]

RATE_MODES = ("regular", "poisson")


def trains(
    name: str,
    share: np.ndarray,
    max_rate: float,
    mode: str,
    n_steps: int,
    dt: float,
    rng: Any,
) -> np.ndarray:
    """Return trains with rates ``share * max_rate``, shape (n_steps, *share.shape)."""
    if max_rate * dt > 1000.0:
        raise ParameterError(
            f"{name}.max_rate must be at most one spike a step, {1000.0 / dt:g} Hz at "
            f"dt = {dt:g} ms, got {max_rate:g} Hz"
        )
    per_step = share * (max_rate * dt / 1000.0)
    if mode == "poisson":
        draws = _check.generator(f"{name}.rng", rng).random((n_steps, *share.shape))
        return (draws < per_step).astype(np.float64)
    # The half interval before the first spike makes the count the rounded mean count.
    edges = np.arange(n_steps + 1).reshape(-1, *[1] * share.ndim)
    return np.diff(np.floor(edges * per_step + 0.5), axis=0)
