"""Spike trains of a given rate, regular or Poisson."""

from __future__ import annotations

from collections.abc import Callable
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
    dt: float,
    rng: Any,
) -> Callable[[int, int], np.ndarray]:
    """Return what makes trains with rates ``share * max_rate`` from a step to a later one.

    It is called for consecutive steps and returns an array of shape (last - first, *share.shape).
    """
    if max_rate * dt > 1000.0:
        raise ParameterError(
            f"{name}.max_rate must be at most one spike a step, {1000.0 / dt:g} Hz at "
            f"dt = {dt:g} ms, got {max_rate:g} Hz"
        )
    per_step = share * (max_rate * dt / 1000.0)
    if mode == "poisson":
        generator = _check.generator(f"{name}.rng", rng)
        return lambda first, last: (
            generator.random((last - first, *share.shape)) < per_step
        ).astype(np.float64)

    def regular(first: int, last: int) -> np.ndarray:
        # The half interval before the first spike makes the count the rounded mean count.
        edges = np.arange(first, last + 1).reshape(-1, *[1] * share.ndim)
        return np.diff(np.floor(edges * per_step + 0.5), axis=0)

    return regular
