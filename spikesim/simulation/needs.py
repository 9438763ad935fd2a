"""How much memory a simulation will take, said before it starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from spikesim import _check
from spikesim._memory import NEGLIGIBLE, available_memory, readable, require_memory
from spikesim.distributions import Distribution
from spikesim.engine.connect import BYTES_PER_NEURON, require_room, room_for
from spikesim.engine.laws import MOST_STEPS
from spikesim.engine.log import TraceRequest, trace_bytes
from spikesim.engine.run import CALENDAR_CAPACITY, default_threads
from spikesim.network.network import Network
from spikesim.neurons import SigmoidRate
from spikesim.simulation.record import requests_of
from spikesim.simulation.state import as_network

__all__ = ["MemoryNeeded", "memory_needed", "require_all"]

# Two arrays while they are gathered, and three once they are joined.
BYTES_PER_SPIKE = 40


@dataclass(frozen=True)
class MemoryNeeded:
    """What a simulation needs, in bytes. Printed, it is a sentence.

    Attributes
    ----------
    n_neurons, n_synapses : int
        How many there are; synapses that are drawn by chance as expected.
    neurons, synapses : int
        Bytes for them, while the network is built.
    traces : int
        Bytes of what is sampled.
    delays : int
        Bytes for what is on its way, by the longest delay that can be drawn: lists of spikes for
        each step ahead, as a run begins with them, and the past rates of rate neurons. Lists grow
        where many spikes arrive in one step.
    per_spike : int
        Bytes for each spike that is recorded. How many there will be nobody knows before.
    available : int or None
        Bytes that can be had, None where the system does not say.
    """

    n_neurons: int
    n_synapses: int
    neurons: int
    synapses: int
    traces: int
    delays: int
    per_spike: int
    available: int | None

    @property
    def total(self) -> int:
        """Bytes without spikes."""
        return self.neurons + self.synapses + self.traces + self.delays

    def __str__(self) -> str:
        text = (
            f"{self.n_neurons} neurons: {readable(self.neurons)}; "
            f"{self.n_synapses} synapses: {readable(self.synapses)}; "
            f"traces: {readable(self.traces)}; delays: {readable(self.delays)}; "
            f"together {readable(self.total)}"
        )
        if self.per_spike:
            text += f", and {self.per_spike} bytes for each spike"
        if self.available is not None:
            text += f"; {readable(self.available)} are available"
        return text


@_check.suggest_keywords
def memory_needed(
    network: Network | Any,
    duration: float = 0.0,
    *,
    dt: float = 0.1,
    record: Any = None,
    record_interval: float | None = None,
    precision: str = "double",
    record_to: Any = None,
) -> MemoryNeeded:
    """Return how much memory a simulation will need, without building anything.

    Parameters
    ----------
    network, duration, dt, record, record_interval, precision, record_to
        As for :func:`~spikesim.simulation.simulate`.

    Returns
    -------
    MemoryNeeded

    Raises
    ------
    ParameterError, ParameterTypeError, ParameterIndexError
        An argument that ``simulate`` would refuse, too.

    Examples
    --------
    >>> import spikesim as sp
    >>> needed = sp.memory_needed(sp.Population("a", sp.LIF(), 1000), 100.0, record="v")
    >>> needed.traces
    8000000
    """
    network = as_network(network, "memory_needed.network")
    dt = _check.positive("memory_needed.dt", dt)
    n_steps = _check.n_steps("memory_needed.duration", duration, dt)
    _check.choice("memory_needed.precision", precision, ("double", "compact"))
    requests = requests_of(network, record, record_interval, dt)
    needed = needs_of(network, requests, 0, n_steps, dt, precision, record_to is not None)
    return replace(needed, available=available_memory())


def _for_delays(network: Network, dt: float, compact: bool, certain: bool) -> int:
    """Return the bytes of the calendars that a run begins with, and of past rates.

    They depend on threads and on delays that are drawn: it is the most that it can be, or
    (`certain`) the least.
    """
    used = [item for item in network.projections if room_for(network, item, compact)[0]]
    longest = max((_most_steps(item.delay, dt, certain) for item in used), default=1)
    n_neurons = sum(population.n for population in network.populations)
    n_blocks = 1 if certain else min(default_threads(), n_neurons)
    alike = {isinstance(item.weight, float) for item in used}
    calendars = 8 * n_blocks * longest * (2 + CALENDAR_CAPACITY * len(alike))
    n_rates = sum(
        population.n
        for population in network.populations
        if isinstance(population.model, SigmoidRate)
    )
    # Those that a run works with, and those of the state that it leaves.
    return calendars + 2 * 8 * n_rates * longest


def _most_steps(delay: Any, dt: float, certain: bool) -> int:
    """Return the longest delay in steps; 1 where it is only known once drawn, or is refused."""
    if isinstance(delay, Distribution):
        limits = None if certain else delay.limits()
        longest = dt if limits is None else limits[1]
    else:
        longest = float(np.max(delay, initial=dt))
    return max(1, round(longest / dt)) if longest / dt <= MOST_STEPS else 1


def needs_of(
    network: Network,
    requests: Mapping[str, TraceRequest],
    done: int,
    n_steps: int,
    dt: float,
    precision: str,
    to_disk: bool,
    *,
    certain: bool = False,
) -> MemoryNeeded:
    """Return what :func:`memory_needed` does but for what is available.

    Arguments are checked before. Delays are counted as the most that they can need, or
    (`certain`) as the least.
    """
    rooms = [room_for(network, item, precision == "compact") for item in network.projections]
    n_neurons = sum(population.n for population in network.populations)
    return MemoryNeeded(
        n_neurons=n_neurons,
        n_synapses=sum(room[0] for room in rooms),
        neurons=n_neurons * BYTES_PER_NEURON,
        synapses=sum(room[1] for room in rooms),
        traces=0 if to_disk else trace_bytes(requests, done, n_steps),
        delays=_for_delays(network, dt, precision == "compact", certain),
        per_spike=0 if to_disk else BYTES_PER_SPIKE,
        available=None,
    )


def require_all(
    network: Network,
    requests: Mapping[str, TraceRequest],
    done: int,
    n_steps: int,
    dt: float,
    precision: str,
    to_disk: bool,
) -> None:
    """Raise NotEnoughMemoryError if traces, network, or both together, do not fit."""
    needed = needs_of(network, requests, done, n_steps, dt, precision, to_disk, certain=True)
    if needed.total < NEGLIGIBLE:
        return
    needed = replace(needed, available=available_memory())
    less = "record fewer neurons or at a longer interval, or to disk (simulate.record_to=folder)"
    require_memory("simulate.record: the traces", needed.traces, less)
    require_room(network, compact=precision == "compact")
    about = "Projection.delay: the lists of what is on its way"
    require_memory(about, needed.delays, "shorten the longest delay")
    require_memory(f"simulate: network and traces ({needed})", needed.total, less)
