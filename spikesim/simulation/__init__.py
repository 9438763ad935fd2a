"""Simulate: a network in, a recording out; states, checkpoints and memory beside it."""

from spikesim.simulation.connection_table import Connections, connections
from spikesim.simulation.interrupt import SimulationInterrupted
from spikesim.simulation.needs import MemoryNeeded, memory_needed
from spikesim.simulation.record import Record
from spikesim.simulation.run import simulate
from spikesim.simulation.state import State, load_state

__all__ = [
    "Connections",
    "MemoryNeeded",
    "Record",
    "SimulationInterrupted",
    "State",
    "connections",
    "load_state",
    "memory_needed",
    "simulate",
]
