"""Features that are spike trains already."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from spikesim import _check
from spikesim.encoding.scaled import steps_at_once, table
from spikesim.errors import ParameterError

__all__ = ["SpikeTrains"]


@_check.suggest_keywords
@dataclass(frozen=True)
class SpikeTrains:
    """Samples that are spike trains already, each laid out in one row of the table of features.

    A row holds the lines at the first step, then those at the second, and so on: zeros and ones,
    feature ``k * n_lines + i`` for line i in ``x[k]``. So the tasks in time of
    :mod:`spikesim.datasets` go through :func:`~spikesim.fit`, and through what splits tables.

    Parameters
    ----------
    n_lines : int
        Number of lines, at least 1.
    dt : float, default 1
        Time step (ms) that the trains were made for; a network of another one is refused.
    """

    n_lines: int
    dt: float = 1.0

    stochastic: ClassVar[bool] = False

    def __post_init__(self) -> None:
        _check.integer("SpikeTrains.n_lines", self.n_lines, minimum=1)
        _check.positive("SpikeTrains.dt", self.dt)

    def fit(self, features: Any) -> SpikeTrains:
        """Return the encoder itself: there is nothing to learn."""
        self._rows(features)
        return self

    def n_inputs(self, n_features: int) -> int:
        """Return `n_lines`, whatever the number of steps in a row."""
        return self.n_lines

    def encode(self, features: Any, *, dt: float, rng: Any = None) -> np.ndarray:
        """Return the trains of each row, with time first; `rng` plays no part.

        Parameters
        ----------
        features : array_like, shape (n_samples, n_steps * n_lines)
            Zeros and ones.
        dt : float
            Time step of the network (ms), that of the trains.
        rng : object, optional
            Not used.

        Returns
        -------
        ndarray of float64, shape (n_steps, n_samples, n_lines)

        Raises
        ------
        ParameterError
            Features other than zeros and ones, rows of another length than a multiple of
            `n_lines`, another time step.
        """
        trains = self._trains(features, dt)
        return np.ascontiguousarray(trains.transpose(1, 0, 2))

    def encode_blocks(self, features: Any, *, dt: float, rng: Any = None) -> Iterator[np.ndarray]:
        """Yield what :meth:`encode` returns in blocks of steps that take little memory.

        Parameters
        ----------
        features, dt, rng
            As in :meth:`encode`.

        Yields
        ------
        ndarray of float64, shape (n_steps of the block, n_samples, n_lines)
        """
        trains = self._trains(features, dt)
        size = steps_at_once(len(trains) * self.n_lines)
        for first in range(0, trains.shape[1], size):
            yield np.ascontiguousarray(trains[:, first : first + size].transpose(1, 0, 2))

    def _trains(self, features: Any, dt: Any) -> np.ndarray:
        """Return the trains, with samples first."""
        dt = _check.positive("SpikeTrains.dt", dt)
        if not math.isclose(dt, self.dt):
            raise ParameterError(
                f"SpikeTrains.dt = {self.dt:g} ms is the step that the trains were made for, "
                f"the network has {dt:g} ms"
            )
        rows = self._rows(features)
        return rows.reshape(len(rows), rows.shape[1] // self.n_lines, self.n_lines)

    def _rows(self, features: Any) -> np.ndarray:
        rows = table("SpikeTrains.features", features)
        if rows.shape[1] % self.n_lines:
            raise ParameterError(
                f"SpikeTrains.features must have n_steps * {self.n_lines} columns, all lines of "
                f"one step after the other, got {rows.shape[1]}"
            )
        other = (rows != 0.0) & (rows != 1.0)
        if other.any():
            raise ParameterError(
                f"SpikeTrains.features{_check._first(other)} is {rows[other][0]:g}; "
                "spikes are zeros and ones"
            )
        return rows
