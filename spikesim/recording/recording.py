"""What a simulation leaves behind: its populations, and the state at the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from spikesim import _check
from spikesim._tables import data_frame
from spikesim.errors import ParameterError
from spikesim.recording.population import PopulationRecording

__all__ = ["Recording"]


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

    def rate(
        self, name: str | None = None, start: float | None = None, stop: float | None = None
    ) -> float:
        """Return the mean firing rate (Hz) over all neurons of a population: one number.

        The rates of single neurons are ``recording[name].rates()``
        (:meth:`PopulationRecording.rates`); a rate over time is
        :meth:`PopulationRecording.population_rate`.

        Parameters
        ----------
        name : str, optional
            The population; may be left out where there is only one.
        start, stop : float, optional
            Part of time to use (ms); default all that was recorded.

        Raises
        ------
        ParameterError
            No name where there are several populations, or one that the recording does not have.
        """
        if name is None:
            if len(self._populations) > 1:
                raise ParameterError(
                    "Recording.rate.name must be one of the populations "
                    f"{', '.join(map(repr, self.populations))}, as there are several"
                )
            name = self.populations[0]
        return float(np.mean(self[name].rates(start, stop)))

    def population_correlations(
        self,
        bin_width: float = 5.0,
        *,
        start: float | None = None,
        stop: float | None = None,
    ) -> np.ndarray:
        r"""Return the correlations between the rates of the populations.

        .. math:: \rho_{pq} = \frac{\operatorname{cov}(N_p, N_q)}
                             {\sqrt{\operatorname{var} N_p \operatorname{var} N_q}}

        of the spike counts :math:`N_p` of whole populations in consecutive bins.

        Parameters
        ----------
        bin_width : float, default 5
            Width of the bins (ms), a multiple of the time step.
        start, stop : float, optional
            Part of time to use (ms); default all that was recorded.

        Returns
        -------
        ndarray, shape (n_populations, n_populations)
            In the order of :attr:`populations`; NaN for a population whose count never changes.

        Raises
        ------
        ParameterError
            Fewer than two bins, or a `start` or `stop` outside of the recording.
        """
        counts = [
            p._population_counts("population_correlations", bin_width, start, stop, least=2)
            for p in self._populations.values()
        ]
        with np.errstate(invalid="ignore"):
            return np.atleast_2d(np.corrcoef(counts))

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
        return data_frame("Recording", self.to_columns())


class UnknownPopulationError(ParameterError, KeyError):
    """A population that a recording does not have."""

    def __str__(self) -> str:
        return str(self.args[0])
