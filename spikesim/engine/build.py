"""A network made concrete: parameters and connections drawn, constants derived, arrays laid out.

Neurons are numbered over the whole network, population after population. What arrives at a
population waits in rows of one ring buffer: one row for each neuron and synapse model (a port).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from itertools import count
from typing import Any

import numpy as np

from spikesim import _check
from spikesim.engine.connect import Synapses, connect, require_room
from spikesim.engine.memory import readable, require_memory
from spikesim.errors import NotEnoughMemoryError, ParameterError
from spikesim.network.inputs import NoiseCurrent, PoissonInput, SpikeInput
from spikesim.network.network import Network
from spikesim.network.population import Population
from spikesim.neurons import LIF, PoissonSource
from spikesim.neurons.lif import LIFConstants, refractory_period
from spikesim.synapses import Delta

__all__ = ["Built", "BuiltLIF", "BuiltListed", "BuiltPoisson", "build"]

_LONGEST_STRETCH = 1000
_STRETCH_UPDATES = 10**6
_MOST_COUNTS = 1e9
# A stream is a word of 32 bits: its kind (2), the population (15) and a number within (15).
_POISSON_SOURCE, _POISSON_INPUT, _NOISE_CURRENT = range(3)
_MOST_STREAMS = 2**15


@dataclass(frozen=True, eq=False)
class PoissonRows:
    """A Poisson input: who draws, with which mean, and the rows of the ring that it feeds.

    A shared train is drawn by neuron 0 alone, whoever receives it.
    """

    stream: int
    neurons: np.ndarray
    mean: np.ndarray
    weight: float
    rows: np.ndarray


@dataclass(frozen=True, eq=False)
class ListedRows:
    """Listed spikes, sorted by step, and the row of the ring that each one feeds."""

    steps: np.ndarray
    rows: np.ndarray
    weights: np.ndarray


@dataclass(frozen=True, eq=False)
class BuiltLIF:
    """A population of LIF neurons: what :func:`spikesim.engine.advance.advance` needs."""

    name: str
    n: int
    first: int
    parameters: dict[str, Any]
    constants: LIFConstants
    ports: np.ndarray
    p_vi: np.ndarray
    p_vx: np.ndarray
    drive_row: int
    jump_row: int
    currents: tuple[tuple[int, Any], ...]
    poisson: tuple[PoissonRows, ...]
    listed: tuple[ListedRows, ...]


@dataclass(frozen=True, eq=False)
class BuiltPoisson:
    """A population of Poisson sources."""

    name: str
    n: int
    first: int
    parameters: dict[str, Any]
    stream: int
    mean: np.ndarray


@dataclass(frozen=True, eq=False)
class BuiltListed:
    """A population that fires at listed steps, sorted by step and neuron."""

    name: str
    n: int
    first: int
    parameters: dict[str, Any]
    steps: np.ndarray
    ids: np.ndarray


@dataclass(frozen=True, eq=False)
class Built:
    """A network ready to run.

    Attributes
    ----------
    dt, seed
        Time step (ms) and seed.
    populations : tuple
        In the order of the description.
    offsets, cells, weights, delays : ndarray
        All synapses by source, see :func:`spikesim.engine.deliver.deliver`.
    n_rows, length : int
        Shape of the ring buffer.
    stretch : int
        Steps that populations can be advanced without hearing of each other.
    """

    dt: float
    seed: int
    populations: tuple[BuiltLIF | BuiltPoisson | BuiltListed, ...]
    offsets: np.ndarray
    cells: np.ndarray
    weights: np.ndarray
    delays: np.ndarray
    n_rows: int
    length: int
    stretch: int


def build(network: Network, dt: float, seed: int) -> Built:
    """Draw what is random from `seed` and derive what a run needs.

    Raises
    ------
    ParameterError
        Delays, times or intervals that do not fit `dt`; drawn values that are not allowed.
    NotEnoughMemoryError
        Synapses or buffers that do not fit.
    """
    require_room(network)
    ports = _ports(network)
    populations: list[BuiltLIF | BuiltPoisson | BuiltListed] = []
    first = row = 0
    rows_of: dict[tuple[str, Any], int] = {}
    for index, population in enumerate(network.populations):
        own = ports[population.name]
        for synapse in own:
            rows_of[population.name, synapse] = row
            row += population.n
        with _check.located(f"population {population.name!r}"):
            if isinstance(population.model, LIF):
                populations.append(
                    _build_lif(network, population, index, first, own, rows_of, dt, seed)
                )
            else:
                populations.append(_build_source(population, index, first, dt))
        first += population.n
    drawn = []
    for index, projection in enumerate(network.projections):
        with _check.located(f"projection from {projection.source!r} to {projection.target!r}"):
            n_pre = network.population(projection.source).n
            n_post = network.population(projection.target).n
            drawn.append(connect(projection, n_pre, n_post, dt, _generator(seed, 1, index)))
    shortest = min((int(s.delay.min()) for s in drawn if len(s.delay)), default=_LONGEST_STRETCH)
    longest = max((int(s.delay.max()) for s in drawn if len(s.delay)), default=1)
    stretch = max(1, min(_LONGEST_STRETCH, shortest, _STRETCH_UPDATES // first))
    length = max(longest, stretch)
    _require_ring(row, length, longest, dt)
    starts = {p.name: p.first for p in populations}
    synapses = _merge(network, drawn, first, starts, rows_of)
    return Built(dt, seed, tuple(populations), *synapses, row, length, stretch)


def spike_steps(label: str, times: np.ndarray, rounding: str, dt: float) -> np.ndarray:
    """Return listed times in steps; refuse those off the grid unless they may be rounded."""
    with np.errstate(over="ignore"):
        in_steps = np.minimum(times / dt, 2.0**53)
    steps = np.rint(in_steps).astype(np.int64)
    off = _check.off_grid(times, steps, dt) & (in_steps < 2.0**53)
    if rounding == "error" and np.any(off):
        raise ParameterError(
            f"{label}{_check._first(off)} must be a multiple of dt = {dt!r} ms, "
            f"got {float(times[off][0])!r} ms; time_rounding='nearest' takes the nearest step"
        )
    return np.maximum(steps, 1)


def _generator(seed: int, kind: int, index: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(kind, index)))


def _stream(kind: int, population: int, number: int) -> int:
    """Return the stream of random numbers of the `number`-th input of its kind into a population.

    So neither another input of another kind or into another population, nor one that draws
    nothing, changes what an input draws.
    """
    if population >= _MOST_STREAMS or number >= _MOST_STREAMS:
        raise ParameterError(
            f"Network: at most {_MOST_STREAMS} populations, and {_MOST_STREAMS} inputs of one kind "
            "into one of them, can draw random numbers"
        )
    return (kind * _MOST_STREAMS + population) * _MOST_STREAMS + number


def _ports(network: Network) -> dict[str, list[Any]]:
    """Return the synapse models of each population, in order of appearance."""
    ports: dict[str, list[Any]] = {p.name: [] for p in network.populations}
    spiking = (i for i in network.inputs if isinstance(i, (PoissonInput, SpikeInput)))
    for item in (*network.projections, *spiking):
        if item.synapse not in ports[item.target]:
            ports[item.target].append(item.synapse)
    for own in ports.values():
        own.sort(key=lambda synapse: isinstance(synapse, Delta))
    return ports


def _build_lif(
    network: Network,
    population: Population,
    index: int,
    first: int,
    own: list[Any],
    rows_of: dict[tuple[str, Any], int],
    dt: float,
    seed: int,
) -> BuiltLIF:
    name, n, model = population.name, population.n, population.model
    rng: Any = _generator(seed, 0, index) if model.random() else None
    if model.random():
        with _check.located("a value drawn from its distribution"):
            model = model.drawn(n, rng)
    else:
        model = model.drawn(n, rng)
    constants = model.constants(dt)
    parameters = {f.name: getattr(model, f.name) for f in fields(model)}
    whose = f"population {name!r} (recording.parameters holds the values used)"
    parameters["t_ref"] = refractory_period(model.t_ref, constants.ref_steps, dt, whose)
    filters = [synapse for synapse in own if not isinstance(synapse, Delta)]
    propagators = [s.propagators(model.tau_m, model.c_m, dt) for s in filters]
    ports = np.array([p[:4] for p in propagators], dtype=np.float64).reshape(-1, 4)
    p_vi = np.array([p.p_vi for p in propagators], dtype=np.float64).reshape(-1, n)
    p_vx = np.array([p.p_vx for p in propagators], dtype=np.float64).reshape(-1, n)
    currents, poisson, listed = [], [], []
    streams = {kind: count() for kind in (_POISSON_INPUT, _NOISE_CURRENT)}
    for item in network.inputs:
        if item.target != name:
            continue
        neurons = np.arange(n) if item.neurons is None else item.neurons
        if isinstance(item, PoissonInput):
            rows = rows_of[name, item.synapse] + neurons
            if item.shared:
                neurons = np.zeros(1, dtype=np.int64)
            mean = _mean_counts("PoissonInput.rate", item.rate, len(neurons), dt)
            stream = _stream(_POISSON_INPUT, index, next(streams[_POISSON_INPUT]))
            poisson.append(PoissonRows(stream, neurons, mean, item.weight, rows))
        elif isinstance(item, SpikeInput):
            steps = spike_steps("SpikeInput.times", item.times, item.time_rounding, dt)
            weights = np.broadcast_to(item.weight, steps.shape)
            order = np.lexsort((weights, item.ids, steps))
            rows = rows_of[name, item.synapse] + item.ids
            listed.append(ListedRows(steps[order], rows[order], weights[order]))
        else:
            _check_interval(item, dt)
            stream = 0
            if isinstance(item, NoiseCurrent):
                stream = _stream(_NOISE_CURRENT, index, next(streams[_NOISE_CURRENT]))
            currents.append((stream, item))
    return BuiltLIF(
        name,
        n,
        first,
        parameters,
        constants,
        ports,
        p_vi,
        p_vx,
        rows_of[name, filters[0]] if filters else 0,
        rows_of[name, own[-1]] if len(own) > len(filters) else -1,
        tuple(currents),
        tuple(poisson),
        tuple(listed),
    )


def _build_source(
    population: Population, index: int, first: int, dt: float
) -> BuiltPoisson | BuiltListed:
    name, n, model = population.name, population.n, population.model
    if isinstance(model, PoissonSource):
        mean = _mean_counts("PoissonSource.rate", model.rate, n, dt)
        parameters = {"rate": np.array(np.broadcast_to(model.rate, n))}
        return BuiltPoisson(name, n, first, parameters, _stream(_POISSON_SOURCE, index, 0), mean)
    steps = spike_steps("SpikeSource.times", model.times, model.time_rounding, dt)
    order = np.lexsort((model.ids, steps))
    parameters = {"times": model.times, "ids": model.ids}
    return BuiltListed(name, n, first, parameters, steps[order], model.ids[order])


def _check_interval(item: Any, dt: float) -> None:
    interval = getattr(item, "interval", None)
    if interval is not None:
        _check.n_steps(f"{type(item).__name__}.interval", interval, dt, minimum=1)


def _mean_counts(label: str, rate: Any, n: int, dt: float) -> np.ndarray:
    mean = np.array(np.broadcast_to(np.asarray(rate) * dt / 1000.0, (n,)))
    if np.any(mean > _MOST_COUNTS):
        raise ParameterError(
            f"{label}{_check._first(mean > _MOST_COUNTS)} must be lower: it makes "
            f"{mean.max():g} spikes in a step of {dt:g} ms, {_MOST_COUNTS:g} are possible"
        )
    return mean


def _require_ring(n_rows: int, length: int, longest: int, dt: float) -> None:
    n_bytes = 8 * n_rows * length
    try:
        require_memory("the ring buffer", n_bytes, "shorten the delays")
    except NotEnoughMemoryError as error:
        raise ParameterError(
            f"Projection.delay of {longest * dt:g} ms is too long: {error}"
        ) from None
    if n_rows >= 2**31:
        raise ParameterError(
            f"Network.populations need {n_rows} rows of the ring buffer ({readable(n_bytes)}), "
            f"{2**31 - 1} are possible"
        )


def _merge(
    network: Network,
    drawn: list[Synapses],
    n_sources: int,
    starts: dict[str, int],
    rows_of: dict[tuple[str, Any], int],
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Lay the synapses of all projections out by source, in the order of the projections."""
    counts = np.zeros(n_sources + 1, dtype=np.int64)
    per_projection = []
    for projection, synapses in zip(network.projections, drawn, strict=True):
        sources = synapses.pre + starts[projection.source]
        own = np.bincount(sources, minlength=n_sources) if len(sources) else None
        per_projection.append((sources, own))
        if own is not None:
            counts[1:] += own
    offsets = np.cumsum(counts)
    n_synapses = int(offsets[-1])
    cells = np.empty(n_synapses, dtype=np.int32)
    weights = np.empty(n_synapses)
    delays = np.empty(n_synapses, dtype=np.int32)
    filled = offsets[:-1].copy()
    for projection, synapses, (sources, own) in zip(
        network.projections, drawn, per_projection, strict=True
    ):
        if own is None:
            continue
        before = np.cumsum(own) - own
        place = filled[sources] + np.arange(len(sources)) - before[sources]
        cells[place] = rows_of[projection.target, projection.synapse] + synapses.post
        weights[place] = synapses.weight
        delays[place] = synapses.delay
        filled += own
    return offsets, cells, weights, delays
