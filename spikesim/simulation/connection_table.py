"""The synapses of a projection, as a simulation draws them."""

from __future__ import annotations

import numbers
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from spikesim import _check
from spikesim._memory import require_memory
from spikesim._tables import data_frame
from spikesim.distributions import Uniform
from spikesim.engine.connect import room_for
from spikesim.engine.run import default_threads
from spikesim.engine.store import Layout, Store, Stores, Wiring, make_stores
from spikesim.errors import ParameterError, ParameterIndexError
from spikesim.network.network import Network
from spikesim.network.projection import Projection
from spikesim.network.rules import ExplicitList
from spikesim.simulation.state import as_network, entropy_of

__all__ = ["Connections", "connections"]

# A store has up to so many targets in a block.
_MOST_TARGETS = 2**16
# Synapses that are read out at once, and the bytes of one that was.
_AT_ONCE = 2**20
_BYTES = 32


@dataclass(frozen=True, eq=False)
class Connections:
    """Synapses as flat arrays, read-only, sorted by source, then by target.

    Attributes
    ----------
    source, target : ndarray of int64, shape (n_synapses,)
        The neurons, each numbered within its population.
    weight : ndarray of float64, shape (n_synapses,)
        Weights (pA, nS or mV, as the synapse takes them).
    delay : ndarray of float64, shape (n_synapses,)
        Delays (ms), whole steps.
    """

    source: np.ndarray
    target: np.ndarray
    weight: np.ndarray
    delay: np.ndarray

    def __len__(self) -> int:
        return len(self.source)

    def __repr__(self) -> str:
        return f"Connections({len(self)} synapses)"

    def to_columns(self) -> dict[str, np.ndarray]:
        """Return the columns of a table: ``source``, ``target``, ``weight``, ``delay_ms``."""
        return {
            "source": self.source,
            "target": self.target,
            "weight": self.weight,
            "delay_ms": self.delay,
        }

    def to_dataframe(self) -> Any:
        """Return a pandas data frame with the columns of :meth:`to_columns`.

        Raises
        ------
        MissingExtraError
            pandas is not installed.
        """
        return data_frame("Connections", self.to_columns())


@_check.suggest_keywords
def connections(
    network: Network,
    projection: Projection | int,
    *,
    seed: Any,
    dt: float = 0.1,
    precision: str = "double",
) -> Connections:
    """Return the synapses of a projection, as ``simulate`` with these arguments draws them.

    Parameters
    ----------
    network : Network
        What is simulated.
    projection : Projection or int
        One of ``network.projections``, or its place among them.
    seed : int, SeedSequence or Generator
        Seed of the simulation: the one given to it, or ``recording.seed``.
    dt : float, default 0.1
        Time step of the simulation (ms), of which delays are multiples.
    precision : {"double", "compact"}, default "double"
        That of the simulation. In compact precision weights are as they were rounded, for which
        all projections of the same target and synapse are drawn.

    Returns
    -------
    Connections
        Synapse for synapse: several between one pair of neurons are several.

    Raises
    ------
    ParameterError, ParameterTypeError, ParameterIndexError
        A projection that the network does not have; what ``simulate`` would refuse, too.
    NotEnoughMemoryError
        The synapses do not fit: 32 bytes for each, beside those of the simulation.

    Examples
    --------
    >>> import spikesim as sp
    >>> exc = sp.Population("exc", sp.LIF(), 1000)
    >>> random = sp.Projection(exc, exc, sp.FixedInDegree(80), sp.Normal(0.5, 0.1), 1.5)
    >>> network = sp.Network([exc], [random])
    >>> recording = sp.simulate(network, 10.0, seed=1)
    >>> synapses = sp.connections(network, random, seed=recording.seed)
    >>> len(synapses), float(synapses.weight.mean().round(2)), float(synapses.delay[0])
    (80000, 0.5, 1.5)
    """
    network = as_network(network, "connections.network")
    index = _place_of(projection, network)
    dt = _check.positive("connections.dt", dt)
    _check.choice("connections.precision", precision, ("double", "compact"))
    if seed is None:
        raise ParameterError(
            "connections.seed must be the seed of the simulation (recording.seed), got None"
        )
    entropy = entropy_of("connections.seed", seed)
    item = network.projections[index]
    port = {index}
    if precision == "compact":
        port |= {
            number
            for number, other in enumerate(network.projections)
            if (other.target, other.synapse) == (item.target, item.synapse)
        }
    rooms = [room_for(network, network.projections[number], False) for number in port]
    expected = item.rule.expected_synapses(
        network.population(item.source), network.population(item.target)
    )
    require_memory(
        f"connections: {expected} synapses from {item.source!r} to {item.target!r}",
        sum(room[1] for room in rooms) + _BYTES * expected,
        "use a sparser rule or smaller populations",
    )
    drawn = _draw(network, {index}, index, dt, entropy, False)
    found = _read(drawn, dt)
    if precision == "compact":
        _round(found[2], drawn.stores, _draw(network, port, index, dt, entropy, True).stores)
    for array in found:
        array.flags.writeable = False
    return Connections(*found)


class _Drawn(NamedTuple):
    """Synapses through one port, all of them from one population where they are to be read.

    Attributes
    ----------
    stores : Stores
        As the engine has them.
    begins : ndarray of int64, shape (n_blocks,)
        The first target of each block, which is its row 0.
    first, n_sources : int
        Number of the first source within the stores, and how many there are.
    """

    stores: Stores
    begins: np.ndarray
    first: int
    n_sources: int


def _place_of(projection: Any, network: Network) -> int:
    """Return the place of a projection in the network."""
    n = len(network.projections)
    if isinstance(projection, Projection):
        for index, own in enumerate(network.projections):
            if own is projection:
                return index
        raise ParameterError(
            "connections.projection must be one of network.projections itself, or its place "
            f"there; it is none of the {n}"
        )
    if isinstance(projection, (bool, np.bool_)) or not isinstance(projection, numbers.Integral):
        raise _check.ParameterTypeError(
            "connections.projection must be a Projection of the network or its place among "
            f"network.projections, got {_check._show(projection)}"
        )
    index = int(projection)
    if not 0 <= index < n:
        raise ParameterIndexError(
            f"connections.projection is {index}; the network has {n} projections, counted from 0"
        )
    return index


def _draw(
    network: Network, wanted: set[int], index: int, dt: float, seed: int, compact: bool
) -> _Drawn:
    """Draw the projections `wanted`, among them `index`, and no others.

    They are of one target and synapse. What a projection is drawn from depends on its place among
    all, so that the places of others are held by projections without synapses.
    """
    projections = network.projections
    target = projections[index].target
    names = {target} | {projections[number].source for number in wanted}
    populations = [item for item in network.populations if item.name in names]
    number_of = {item.name: number for number, item in enumerate(populations)}
    goal, source = number_of[target], number_of[projections[index].source]
    nothing = Projection(target, target, ExplicitList([], []), 0.0, Uniform(dt, dt))
    wirings = [
        Wiring(projection, number_of[projection.source], goal, 0)
        if number in wanted
        else Wiring(nothing, goal, goal, 0)
        for number, projection in enumerate(projections)
    ]
    sizes = np.array([item.n for item in populations])
    n_blocks = -(-int(sizes[goal]) // _MOST_TARGETS)
    bounds = sizes[:, None] * np.arange(n_blocks + 1) // n_blocks
    layout = Layout(bounds, np.zeros((n_blocks, 1), dtype=np.int64))
    threads = default_threads()
    stores = make_stores(wirings, populations, layout, dt, seed, compact, threads)
    return _Drawn(stores, bounds[goal, :-1], int(sizes[:source].sum()), int(sizes[source]))


def _read(drawn: _Drawn, dt: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return source, target, weight and delay (ms) of synapses in double precision."""
    stores, begins = drawn.stores, drawn.begins
    n, n_blocks = stores.n_synapses, len(begins)
    source, target = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    weight, delay = np.empty(n), np.empty(n)
    # A projection has its synapses in one store or in the other.
    store = stores.uniform if len(stores.uniform.buckets) else stores.listed
    for first, last in _ranges(store, drawn, n_blocks):
        low, high = first * n_blocks, last * n_blocks
        part = slice(int(store.starts[low]), int(store.starts[high]))
        slots = np.repeat(np.arange(low, high), np.diff(store.starts[low : high + 1]))
        sources = slots // n_blocks - drawn.first
        targets = begins[slots % n_blocks] + store.rows[part]
        buckets = store.buckets[store.bucket_starts[low] : store.bucket_starts[high]]
        lengths = buckets & 0xFFFF
        if len(store.weights):
            weights = store.weights[part]
        else:
            weights = np.repeat(store.classes[buckets >> 16 & 0xFFFF], lengths)
        # One key: a sort by two takes nine times as long.
        order = np.argsort((sources << 32) + targets, kind="stable")
        source[part], target[part], weight[part] = sources[order], targets[order], weights[order]
        delay[part] = np.repeat((buckets >> 32) * dt, lengths)[order]
    return source, target, weight, delay


def _ranges(store: Store, drawn: _Drawn, n_blocks: int) -> Iterator[tuple[int, int]]:
    """Cut the sources into ranges of few synapses, or of one source."""
    ends = store.starts[n_blocks::n_blocks]
    low, last = drawn.first, drawn.first + drawn.n_sources
    while low < last:
        most = int(store.starts[low * n_blocks]) + _AT_ONCE
        high = min(max(int(np.searchsorted(ends, most, side="right")), low + 1), last)
        yield low, high
        low = high


def _round(weights: np.ndarray, drawn: Stores, of_port: Stores) -> None:
    """Round weights in place to what they are in compact precision.

    A class of equal weights has them in single precision; others are whole numbers of the unit of
    their port.
    """
    unit = float(of_port.scales[0])
    if len(drawn.uniform.buckets):
        in_units = np.float32(weights[0] / unit)
        if np.any(of_port.uniform.classes == in_units):
            weights[:] = float(in_units) * unit
            return
    np.multiply(weights, 1.0 / unit, out=weights)
    np.add(weights, 0.5, out=weights)
    np.floor(weights, out=weights)
    np.multiply(weights, unit, out=weights)
