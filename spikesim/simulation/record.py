"""What to record, as a user says it, and as the engine does it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from spikesim import _check
from spikesim.engine.log import TraceRequest
from spikesim.errors import ParameterError
from spikesim.network.network import Network
from spikesim.network.population import Population

__all__ = ["Record", "requests_of"]


@_check.suggest_keywords
@dataclass(frozen=True, eq=False)
class Record:
    """Which variables of a population to sample.

    Parameters
    ----------
    variables : str or iterable of str
        Among ``"v"`` (mV), ``"i_syn"`` (pA, sum over synapses), ``"g_syn"`` (nS, sum over
        conductances), of a :class:`~spikesim.SigmoidRate` ``"rate"`` (Hz), and of an
        :class:`~spikesim.AdaptiveLIF` ``"a"`` (mV), what its next threshold is above `v_th`.
    neurons : array_like of int, optional
        Which neurons, each once; by default all.
    interval : float, optional
        Time between samples (ms), a multiple of `dt`; by default ``simulate``'s
        `record_interval`.
    """

    variables: Any
    neurons: Any = None
    interval: float | None = None

    def __post_init__(self) -> None:
        variables = (self.variables,) if isinstance(self.variables, str) else self.variables
        if not isinstance(variables, (tuple, list)):
            raise _check.ParameterTypeError(
                f"Record.variables must be text or a list of it, got {variables!r}"
            )
        for variable in variables:
            _check.choice("Record.variables", variable, ("v", "i_syn", "g_syn", "rate", "a"))
        object.__setattr__(self, "variables", tuple(dict.fromkeys(variables)))
        if self.neurons is not None:
            neurons = np.array(_check.indices("Record.neurons", self.neurons, None)).reshape(-1)
            if len(np.unique(neurons)) != len(neurons):
                raise ParameterError("Record.neurons must name each neuron once")
            neurons.flags.writeable = False
            object.__setattr__(self, "neurons", neurons)
        if self.interval is not None:
            interval = _check.positive("Record.interval", self.interval)
            object.__setattr__(self, "interval", interval)


def requests_of(
    network: Network, record: Any, record_interval: Any, dt: float
) -> dict[str, TraceRequest]:
    """Turn what the user asked to record into one request a population."""
    default = dt if record_interval is None else record_interval
    _check.n_steps("simulate.record_interval", default, dt, minimum=1)
    if record is None:
        return {}
    if isinstance(record, Mapping):
        wanted = {}
        for name, value in record.items():
            population = network.population(name, "simulate.record")
            wanted[name] = value if isinstance(value, Record) else Record(value)
            for variable in wanted[name].variables:
                _check_recordable(population, variable)
    else:
        common = record if isinstance(record, Record) else Record(record)
        wanted = {
            p.name: common
            for p in network.populations
            if set(common.variables) <= set(p.model.recordable)
        }
        if not wanted:
            _check_recordable(network.populations[0], common.variables[0])
    requests = {}
    for name, item in wanted.items():
        n = network.population(name).n
        neurons = item.neurons
        interval = default if item.interval is None else item.interval
        with _check.located(f"population {name!r}"):
            if neurons is None:
                neurons = np.arange(n)
            else:
                _check.indices("Record.neurons", neurons, n)
            steps = _check.n_steps("Record.interval", interval, dt, minimum=1)
        if item.variables:
            requests[name] = TraceRequest(item.variables, neurons, steps)
    return requests


def _check_recordable(population: Population, variable: str) -> None:
    if variable not in population.model.recordable:
        raise ParameterError(
            f"simulate.record: population {population.name!r} of "
            f"{type(population.model).__name__} has no variable {variable!r}"
            f"{_check.did_you_mean(variable, population.model.recordable)}; it has "
            f"{', '.join(population.model.recordable) or 'spikes alone'}"
        )
