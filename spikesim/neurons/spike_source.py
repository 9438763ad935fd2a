"""A population that fires at listed times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from spikesim import _check

__all__ = ["SpikeSource", "spike_list"]


@_check.suggest_keywords
@dataclass(frozen=True, eq=False)
class SpikeSource:
    """Neurons that fire at given times.

    Parameters
    ----------
    times : array_like, shape (n_spikes,)
        Spike times (ms), greater than 0, in any order. Equal spikes of one neuron all count. A
        time past the end of a run waits for the next one.
    ids : array_like of int, shape (n_spikes,), optional
        The neuron of each spike, counted from 0; by default all are of neuron 0.
    time_rounding : {"error", "nearest"}, default "error"
        What to do with a time that is not a multiple of `dt`: refuse it, or take the nearest step
        (at least the first).

    Raises
    ------
    ParameterError
        Times that are NaN, infinite, 0 or negative, or of another length than `ids`.
    ParameterIndexError
        A negative id; one that the population does not have is found when it is made.
    """

    times: Any
    ids: Any = None
    time_rounding: str = "error"

    spiking = True
    recordable = ()

    def __post_init__(self) -> None:
        times, ids = spike_list("SpikeSource", self.times, self.ids)
        _check.choice("SpikeSource.time_rounding", self.time_rounding, ("error", "nearest"))
        object.__setattr__(self, "times", times)
        object.__setattr__(self, "ids", ids)

    def sizes(self) -> set[int]:
        """Return the lengths of the parameters given one value a neuron: none is."""
        return set()


def spike_list(owner: str, times: Any, ids: Any) -> tuple[np.ndarray, np.ndarray]:
    """Check listed spikes and return read-only copies of their times and ids."""
    times = _check.float_array(f"{owner}.times", times, copy=True)
    _check.shape(f"{owner}.times", times, (None,))
    if np.any(times <= 0.0):
        bad = times <= 0.0
        raise _check.ParameterError(
            f"{owner}.times{_check._first(bad)} must be greater than 0 ms, got {times[bad][0]:g}; "
            "the first step ends at dt"
        )
    if ids is None:
        ids = np.zeros(len(times), dtype=np.int64)
    ids = np.array(_check.indices(f"{owner}.ids", ids, None), copy=True)
    if ids.shape != times.shape:
        raise _check.ParameterError(
            f"{owner}.ids must have the shape of {owner}.times, got {ids.shape} and {times.shape}"
        )
    times.flags.writeable = False
    ids.flags.writeable = False
    return times, ids
