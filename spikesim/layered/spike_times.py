"""Input spikes of a batch of trials at their exact times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from spikesim import _check
from spikesim.errors import ParameterError

__all__ = ["SpikeTimes"]


@_check.suggest_keywords
@dataclass(frozen=True, eq=False)
class SpikeTimes:
    """Spikes of every trial, sorted by time; what networks in continuous time take as input.

    Parameters
    ----------
    times : array_like, shape (n_spikes,)
        Times from the start of the trial (ms), at least 0 and at most `duration`, rising within
        each trial.
    units : array_like of int, shape (n_spikes,)
        The input line that each spike is on.
    starts : array_like of int, shape (n_trials + 1,)
        Spikes ``starts[b]`` to ``starts[b + 1] - 1`` belong to trial b.
    n_inputs : int
        Number of input lines.
    duration : float
        Length of every trial (ms).

    Raises
    ------
    ParameterError
        Times out of order or of the trial, lines that do not exist, starts that do not fit.
    """

    times: Any
    units: Any
    starts: Any
    n_inputs: int
    duration: float

    def __post_init__(self) -> None:
        times = _check.float_array("SpikeTimes.times", self.times, copy=True)
        _check.shape("SpikeTimes.times", times, (None,))
        n_inputs = _check.integer("SpikeTimes.n_inputs", self.n_inputs, minimum=1)
        duration = _check.positive("SpikeTimes.duration", self.duration)
        units = _whole("SpikeTimes.units", self.units)
        starts = _whole("SpikeTimes.starts", self.starts)
        _check.shape("SpikeTimes.units", units, times.shape)
        if len(starts) < 2 or starts[0] != 0 or starts[-1] != len(times):
            raise ParameterError(
                "SpikeTimes.starts must begin with 0 and end with the number of spikes, "
                f"{len(times)}, and have one number more than there are trials"
            )
        if np.any(np.diff(starts) < 0):
            raise ParameterError("SpikeTimes.starts must not fall")
        for name, array, top in (("times", times, duration), ("units", units, n_inputs - 1)):
            bad = (array < 0) | (array > top)
            if bad.any():
                raise ParameterError(
                    f"SpikeTimes.{name}{_check._first(bad)} is {array[bad].flat[0]}; "
                    f"0 to {top} is allowed"
                )
        falls = np.flatnonzero(np.diff(times) < 0.0) + 1
        inside = falls[~np.isin(falls, starts)]
        if len(inside):
            raise ParameterError(
                f"SpikeTimes.times must rise within a trial, times[{inside[0]}] does not"
            )
        for name, value in (("times", times), ("units", units), ("starts", starts)):
            value.flags.writeable = False
            object.__setattr__(self, name, value)
        object.__setattr__(self, "n_inputs", n_inputs)
        object.__setattr__(self, "duration", duration)

    @classmethod
    def from_table(cls, table: Any, duration: float) -> SpikeTimes:
        """Make one spike a line of a table of times.

        Parameters
        ----------
        table : array_like, shape (n_trials, n_inputs)
            Time of the spike of each line (ms); ``inf`` where it is silent.
        duration : float
            Length of every trial (ms).
        """
        array = _check.float_array("SpikeTimes.from_table.table", table, finite=False)
        _check.shape("SpikeTimes.from_table.table", array, (None, None))
        if np.any(array < 0.0):
            first = _check._first(array < 0.0)
            raise ParameterError(
                f"SpikeTimes.from_table.table{first} is {array[array < 0.0].flat[0]:g}; times are "
                "at least 0 ms, inf where a line is silent"
            )
        order = np.argsort(array, axis=1, kind="stable")
        ordered = np.take_along_axis(array, order, axis=1)
        fires = np.isfinite(ordered)
        starts = np.concatenate([[0], np.cumsum(fires.sum(axis=1))])
        return cls(ordered[fires], order[fires], starts, array.shape[1], duration)

    @classmethod
    def from_grid(cls, x: Any, dt: float) -> SpikeTimes:
        """Make spikes of a 0/1 array, those of ``x[k]`` at the time ``k * dt``.

        Parameters
        ----------
        x : array_like, shape (n_steps, n_trials, n_inputs)
            Zeros and ones.
        dt : float
            Time step (ms).
        """
        array = _check.float_array("SpikeTimes.x", x)
        _check.shape("SpikeTimes.x", array, (None, None, None))
        if not np.isin(array, (0.0, 1.0)).all():
            raise ParameterError("SpikeTimes.x must hold zeros and ones")
        trial, step, unit = np.nonzero(array.transpose(1, 0, 2))
        starts = np.searchsorted(trial, np.arange(array.shape[1] + 1))
        return cls(step * dt, unit, starts, array.shape[2], len(array) * dt)

    @property
    def n_trials(self) -> int:
        """Number of trials."""
        return len(self.starts) - 1

    def __repr__(self) -> str:
        return (
            f"SpikeTimes({len(self.times)} spikes, {self.n_trials} trials of {self.n_inputs} "
            f"lines, {self.duration:g} ms)"
        )

    def take(self, trials: np.ndarray) -> SpikeTimes:
        """Return the trials of the given numbers, in their order."""
        counts = np.diff(self.starts)[trials]
        starts = np.concatenate([[0], np.cumsum(counts)])
        rows = np.repeat(self.starts[:-1][trials] - starts[:-1], counts) + np.arange(starts[-1])
        # Training does this for every batch: what was checked is not checked again.
        taken = object.__new__(SpikeTimes)
        arrays = {"times": self.times[rows], "units": self.units[rows], "starts": starts}
        for array in arrays.values():
            array.flags.writeable = False
        taken.__dict__.update(arrays, n_inputs=self.n_inputs, duration=self.duration)
        return taken


def _whole(name: str, value: Any) -> np.ndarray:
    array = np.array(value)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise ParameterError(f"{name} must be a vector of whole numbers")
    return array.astype(np.int64)
