"""Trials of spike trains with their classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from spikesim import _check
from spikesim.datasets.tables import count_classes, rows_of
from spikesim.encoding import SpikeTrains
from spikesim.errors import ParameterError

__all__ = ["SpikeDataset", "poisson_trains"]


@_check.suggest_keywords
@dataclass(frozen=True, eq=False)
class SpikeDataset:
    """Trials that are spike trains, with their labels; the arrays are read-only.

    To train on them, give :func:`~spikesim.fit` the table `features` with the encoder `encoder`;
    the table has one row a trial, so that whatever splits tables can split it.

    Parameters
    ----------
    spikes : array_like of 0 and 1, shape (n_steps, n_trials, n_lines)
        1 where a line spikes in a step; kept as uint8.
    labels : array_like of int, shape (n_trials,)
        Class of each trial, from 0.
    dt : float, default 1
        Time step (ms).
    line_names, class_names : iterable of str, optional
        What the lines and the classes are called; by default by their numbers.

    Raises
    ------
    ParameterError, ParameterTypeError
        Spikes other than zeros and ones in three dimensions, labels that are no classes, other
        numbers of labels or names.
    """

    spikes: Any
    labels: Any
    dt: float = 1.0
    line_names: Any = None
    class_names: Any = None

    def __post_init__(self) -> None:
        spikes = np.asarray(self.spikes)
        if spikes.dtype == bool or spikes.dtype == np.uint8:
            spikes = np.array(spikes, dtype=np.uint8, order="C")
            bad = spikes > 1
        else:
            numbers = _check.float_array("SpikeDataset.spikes", self.spikes)
            bad = (numbers != 0.0) & (numbers != 1.0)
            spikes = (numbers == 1.0).astype(np.uint8)
        if bad.any():
            raise ParameterError(
                f"SpikeDataset.spikes{_check._first(bad)} is "
                f"{np.asarray(self.spikes)[bad][0]}; spikes are zeros and ones"
            )
        _check.shape("SpikeDataset.spikes", spikes, (None, None, None))
        if 0 in (spikes.shape[0], spikes.shape[2]):
            raise ParameterError(
                "SpikeDataset.spikes must have at least one step and one line, "
                f"got shape {spikes.shape}"
            )
        labels = _check.indices("SpikeDataset.labels", self.labels, None).copy()
        _check.shape("SpikeDataset.labels", labels, (spikes.shape[1],))
        n_classes = count_classes("SpikeDataset.labels", labels)
        spikes.flags.writeable = False
        labels.flags.writeable = False
        own = {
            "spikes": spikes,
            "labels": labels,
            "dt": _check.positive("SpikeDataset.dt", self.dt),
            "line_names": _names("line_names", self.line_names, spikes.shape[2], "lines"),
            "class_names": _names("class_names", self.class_names, n_classes, "classes"),
        }
        for name, value in own.items():
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        n_steps, n_trials, n_lines = self.spikes.shape
        return (
            f"SpikeDataset({n_trials} trials of {n_lines} lines, {n_steps} steps of {self.dt:g} "
            f"ms, {len(self.class_names)} classes)"
        )

    @property
    def duration(self) -> float:
        """Length of a trial (ms)."""
        return float(len(self.spikes) * self.dt)

    @property
    def features(self) -> np.ndarray:
        """The trials as a table, uint8 of shape (n_trials, n_steps * n_lines), for `encoder`."""
        n_steps, n_trials, n_lines = self.spikes.shape
        return self.spikes.transpose(1, 0, 2).reshape(n_trials, n_steps * n_lines)

    @property
    def encoder(self) -> SpikeTrains:
        """What turns the rows of `features` back into the spikes."""
        return SpikeTrains(self.spikes.shape[2], self.dt)

    def take(self, trials: Any) -> SpikeDataset:
        """Return the trials of the given numbers, or where a mask of booleans is true."""
        chosen = rows_of("SpikeDataset.take.trials", trials, len(self.labels))
        return SpikeDataset(
            self.spikes[:, chosen], self.labels[chosen], self.dt, self.line_names, self.class_names
        )


def _names(name: str, value: Any, n: int, what: str) -> tuple[str, ...]:
    if value is None:
        return tuple(str(i) for i in range(n))
    names = tuple(str(item) for item in value)
    if len(names) < n or (what == "lines" and len(names) > n):
        raise ParameterError(
            f"SpikeDataset.{name} must name the {n} {what}, got {len(names)} names"
        )
    return names


def poisson_trains(name: str, rates: np.ndarray, dt: float, rng: np.random.Generator) -> np.ndarray:
    """Return trains of `rates` (Hz), shape (n_steps, n_trials, n_lines), one draw a step."""
    if rates.max() * dt > 1000.0:
        raise ParameterError(
            f"{name} must be at most one spike a step, {1000.0 / dt:g} Hz at dt = {dt:g} ms, "
            f"got {rates.max():g} Hz"
        )
    spikes = np.empty(rates.shape, dtype=np.uint8)
    for step, now in enumerate(rates):
        spikes[step] = rng.random(now.shape) < now * (dt / 1000.0)
    return spikes
