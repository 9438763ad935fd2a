"""A network made concrete: parameters and connections drawn, constants derived, tables laid out.

Neurons are numbered over the whole network, population after population. Equal synapse models on
one population are a port. The neurons of every population are shared out to blocks; a block is
what one thread works on at a time.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from spikesim import _check
from spikesim.engine.blocks import share_out
from spikesim.engine.built import Built
from spikesim.engine.connect import require_room
from spikesim.engine.store import Layout, Wiring, make_stores
from spikesim.engine.tables import Tables
from spikesim.network.network import Network

__all__ = ["build"]

_LONGEST_STRETCH = 1000
_STRETCH_UPDATES = 10**6


def build(
    network: Network,
    dt: float,
    seed: int,
    *,
    precision: str = "double",
    threads: int = 1,
    check_interrupt: Callable[[], None] | None = None,
) -> Built:
    """Draw what is random from `seed` and derive what a run needs.

    Parameters
    ----------
    network : Network
        Description.
    dt, seed
        Time step (ms) and seed.
    precision : {"double", "compact"}
        See :func:`spikesim.simulation.simulate`.
    threads : int
        Threads to build with, and to be ready for: it changes no bit of a result.
    check_interrupt : callable, optional
        Called every now and then; what it raises ends the work.

    Raises
    ------
    ParameterError
        Delays, times or intervals that do not fit `dt`; drawn values that are not allowed.
    NotEnoughMemoryError
        Synapses or buffers that do not fit.
    """
    n_neurons = sum(population.n for population in network.populations)
    require_room(network, compact=precision == "compact")
    tables = Tables(network, dt, seed, np.float32 if precision == "compact" else np.float64)
    for index, population in enumerate(network.populations):
        if check_interrupt is not None:
            check_interrupt()
        with _check.located(f"population {population.name!r}"):
            tables.add(index, population)
    bounds, row_starts, n_rows = share_out(network, tables.ports, threads)
    numbers = {population.name: index for index, population in enumerate(network.populations)}
    wirings = [
        Wiring(
            projection,
            numbers[projection.source],
            numbers[projection.target],
            tables.port_numbers[projection.target, projection.synapse],
        )
        for projection in network.projections
    ]
    stores = make_stores(
        wirings,
        network.populations,
        Layout(bounds, row_starts),
        dt,
        seed,
        precision == "compact",
        threads,
        check_interrupt,
    )
    shortest = stores.shortest if stores.n_synapses else _LONGEST_STRETCH
    stretch = max(1, min(_LONGEST_STRETCH, shortest, _STRETCH_UPDATES // n_neurons))
    plan = tables.plan(bounds, row_starts, n_rows, stores.scales)
    room = int(max(np.diff(bounds.astype(np.int64), axis=1).sum(axis=0).max(), 1)) * stretch
    return Built(
        dt,
        seed,
        precision,
        tuple(tables.built),
        plan,
        stores,
        stretch,
        max(stores.longest, 1),
        tables.n_state,
        tables.n_rates,
        n_rows,
        len(row_starts),
        room + tables.room(stretch),
    )
