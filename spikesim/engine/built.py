"""What a network ready to run consists of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from spikesim.engine import plan as p
from spikesim.engine.store import Stores

__all__ = ["Built", "BuiltPopulation"]


@dataclass(frozen=True, eq=False)
class BuiltPopulation:
    """What a run must know of a population beside the plan.

    Attributes
    ----------
    name, n, first
        Name, size, number of its first neuron.
    spiking : bool
        Whether it fires.
    parameters : dict
        As used, by name.
    initial : ndarray, shape (n,)
        Membrane potential at the start; empty for sources.
    ports : tuple of int
        Its ports with a state of their own.
    state : int
        Where its v begins.
    rates : int
        Column of its first rate, -1 if it has none.
    adaptation : int
        Where its a begins, -1 if it does not adapt.
    currents : tuple
        Input currents, each with its stream of random numbers.
    """

    name: str
    n: int
    first: int
    spiking: bool
    parameters: dict[str, Any]
    initial: np.ndarray
    ports: tuple[int, ...]
    state: int
    rates: int
    adaptation: int
    currents: tuple[tuple[int, Any], ...]


@dataclass(frozen=True, eq=False)
class Built:
    """A network ready to run.

    Attributes
    ----------
    dt, seed, precision
        Time step (ms), seed, "double" or "compact".
    populations : tuple of BuiltPopulation
        In the order of the description.
    plan : Plan
        Tables for the kernels.
    stores : Stores
        Synapses.
    stretch, longest : int
        Steps that populations can be advanced without hearing of each other; longest delay.
    n_state, n_rates, n_rows, n_blocks : int
        Sizes of what changes during a run.
    room : int
        The most spikes that a stretch can add to the log of a block.
    """

    dt: float
    seed: int
    precision: str
    populations: tuple[BuiltPopulation, ...]
    plan: p.Plan
    stores: Stores
    stretch: int
    longest: int
    n_state: int
    n_rates: int
    n_rows: int
    n_blocks: int
    room: int

    @property
    def real(self) -> type:
        """Type of the state variables."""
        return np.float32 if self.precision == "compact" else np.float64
