"""What a simulation leaves behind: spikes as flat arrays, traces, and the state at the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from spikesim import _check
from spikesim.errors import MissingExtraError, ParameterError

__all__ = ["PopulationRecording", "Recording"]


@dataclass(frozen=True, eq=False)
class PopulationRecording:
    """What was recorded of one population.

    Attributes
    ----------
    name : str
        Name of the population.
    n : int
        Number of neurons.
    spike_times : ndarray of float64, shape (n_spikes,)
        Spike times (ms), ascending; spikes of one time are ordered by neuron.
    spike_ids : ndarray of int64, shape (n_spikes,)
        The neuron of each spike.
    traces : dict of ndarray, shape (n_samples, n_recorded)
        Recorded variables by name: ``"v"`` (mV), ``"i_syn"`` (pA, sum over synapses), each as it
        is after the whole step.
    trace_times : ndarray, shape (n_samples,)
        Times of the samples (ms).
    trace_neurons : ndarray of int64, shape (n_recorded,)
        Which neuron each column of a trace belongs to.
    v_th : ndarray, shape (n,), or None
        Thresholds (mV); None for sources of spikes.
    start, duration : float
        The time that was recorded: (start, start + duration] (ms).
    """

    name: str
    n: int
    spike_times: np.ndarray
    spike_ids: np.ndarray
    traces: Mapping[str, np.ndarray]
    trace_times: np.ndarray
    trace_neurons: np.ndarray
    v_th: np.ndarray | None
    start: float
    duration: float

    @property
    def v(self) -> np.ndarray:
        """Membrane potential (mV), shape (n_samples, n_recorded).

        Raises
        ------
        ParameterError
            It was not recorded.
        """
        if "v" not in self.traces:
            raise ParameterError(
                f"v of population {self.name!r} was not recorded; pass record='v' to simulate"
            )
        return self.traces["v"]

    def spike_counts(self) -> np.ndarray:
        """Return the number of spikes of each neuron, int64, shape (n,)."""
        return np.bincount(self.spike_ids, minlength=self.n)

    def rates(self) -> np.ndarray:
        """Return the mean firing rate of each neuron (Hz), shape (n,); NaN if nothing ran."""
        if self.duration == 0.0:
            return np.full(self.n, np.nan)
        return self.spike_counts() / (self.duration / 1000.0)

    def isi(self, neuron: int | None = None) -> np.ndarray:
        """Return inter-spike intervals (ms).

        Parameters
        ----------
        neuron : int, optional
            Only those of this neuron, in order of time; by default those of all neurons, neuron
            after neuron.

        Raises
        ------
        ParameterIndexError
            There is no such neuron.
        """
        times, ids = self._by_neuron
        if neuron is not None:
            neuron = _check.integer("isi.neuron", neuron)
            _check.indices("isi.neuron", neuron, self.n)
            low, high = np.searchsorted(ids, (neuron, neuron + 1))
            return np.diff(times[low:high])
        return np.diff(times)[np.diff(ids) == 0]

    def cv(self) -> np.ndarray:
        """Return the coefficient of variation of the intervals of each neuron, shape (n,).

        It is their standard deviation over their mean; NaN for fewer than two intervals.
        """
        times, ids = self._by_neuron
        same = np.diff(ids) == 0
        intervals, owners = np.diff(times)[same], ids[1:][same]
        count = np.bincount(owners, minlength=self.n)
        divisor = np.where(count > 1, count, 1)
        mean = np.bincount(owners, intervals, self.n) / divisor
        variance = np.bincount(owners, (intervals - mean[owners]) ** 2, self.n) / divisor
        return np.where(count > 1, np.sqrt(variance) / np.where(mean > 0.0, mean, 1.0), np.nan)

    @cached_property
    def _by_neuron(self) -> tuple[np.ndarray, np.ndarray]:
        order = np.argsort(self.spike_ids, kind="stable")
        return self.spike_times[order], self.spike_ids[order]


@dataclass(frozen=True, eq=False)
class Recording:
    """What :func:`~spikesim.simulation.simulate` returns.

    ``recording["exc"]`` is the :class:`PopulationRecording` of the population "exc"; with a
    single population its attributes are also found on the recording itself
    (``recording.spike_times``).

    Attributes
    ----------
    dt : float
        Time step (ms).
    start, duration : float
        The time that was recorded: (start, start + duration] (ms). `start` is 0 unless the run
        continued another.
    seed : int
        Reproduces the run when passed to ``simulate``.
    parameters : dict
        For each population its parameters as used, by name: drawn values, refractory periods as
        they are on the grid.
    final_state : State or None
        Continues the run when passed to ``simulate`` as `state`; None after a run that broke.
    """

    dt: float
    start: float
    duration: float
    seed: int
    parameters: Mapping[str, Mapping[str, Any]]
    final_state: Any
    _populations: Mapping[str, PopulationRecording]

    @property
    def populations(self) -> tuple[str, ...]:
        """Names of the populations."""
        return tuple(self._populations)

    def __getitem__(self, name: str) -> PopulationRecording:
        if name not in self._populations:
            raise UnknownPopulationError(
                f"the recording has no population {name!r}"
                f"{_check.did_you_mean(name, self.populations)}; it has "
                f"{', '.join(map(repr, self.populations))}"
            )
        return self._populations[name]

    def __getattr__(self, name: str) -> Any:
        # Only called for what the recording itself lacks.
        if not name.startswith("_"):
            only = self._populations
            if len(only) == 1:
                return getattr(next(iter(only.values())), name)
            if hasattr(PopulationRecording, name) or name in PopulationRecording.__annotations__:
                raise AttributeError(
                    f"{name} belongs to a population: recording[{self.populations[0]!r}].{name}"
                )
        raise AttributeError(f"'Recording' object has no attribute {name!r}")

    def __repr__(self) -> str:
        parts = ", ".join(
            f"{name}: {p.n} neurons, {len(p.spike_times)} spikes"
            for name, p in self._populations.items()
        )
        return f"Recording({self.duration:g} ms, dt={self.dt:g} ms, seed={self.seed}; {parts})"

    def rate(self, name: str) -> float:
        """Return the mean firing rate (Hz) over all neurons of the population `name`."""
        return float(np.mean(self[name].rates()))

    def to_columns(self) -> dict[str, np.ndarray]:
        """Return all spikes as columns of a table, sorted by time.

        Returns
        -------
        dict of ndarray, shape (n_spikes,)
            ``t_ms`` (float64), ``neuron`` (int64), ``population`` (text).
        """
        parts = self._populations.values()
        times = np.concatenate([p.spike_times for p in parts])
        order = np.argsort(times, kind="stable")
        names = np.repeat(np.array(self.populations), [len(p.spike_times) for p in parts])
        return {
            "t_ms": times[order],
            "neuron": np.concatenate([p.spike_ids for p in parts])[order],
            "population": names[order],
        }

    def to_dataframe(self) -> Any:
        """Return all spikes as a pandas data frame with the columns of :meth:`to_columns`.

        Raises
        ------
        MissingExtraError
            pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise MissingExtraError(
                "Recording.to_dataframe needs pandas: pip install 'spikesim[pandas]' "
                "(to_columns works without)"
            ) from None
        return pandas.DataFrame(self.to_columns())


class UnknownPopulationError(ParameterError, KeyError):
    """A population that a recording does not have."""

    def __str__(self) -> str:
        return str(self.args[0])
