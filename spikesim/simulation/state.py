"""Where a run ended, in memory and as a file."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from spikesim import _check
from spikesim._archive import Archive, read_archive, write_archive
from spikesim.engine import run as engine
from spikesim.engine.build import build
from spikesim.engine.built import Built
from spikesim.engine.pool import listen_while
from spikesim.errors import DamagedFileError, ParameterError
from spikesim.network.difference import difference, parts_of
from spikesim.network.distance import DistanceDependent
from spikesim.network.network import Network
from spikesim.network.population import MODELS, Population

__all__ = ["State", "as_network", "entropy_of", "load_state"]

_KIND = "state of a simulation"
# To be raised with every change of what a file holds, and of what the engine draws or adds up in
# which order: an old state could then not be continued to the same bits.
_VERSION = 1
# Neurons and synapses of which the building is worth a thread, which costs 0.1 ms.
_LARGE = 20_000


class State:
    """Where a run ended; ``simulate(..., state=recording.final_state)`` goes on from there.

    States and the files of :meth:`save` hold what changes during a run: potentials, currents,
    spikes on their way. Connections and whatever else was drawn follow from the seed.

    Attributes
    ----------
    step : int
        Last step done.
    arrays : dict of ndarray
        Everything that changes during a run, read-only, in the order of the neurons.
    network : Network
        The description.
    dt : float
        Time step (ms).
    seed : int
        Seed of the run.
    precision : str
        "double" or "compact".
    """

    def __init__(
        self,
        step: int,
        arrays: Mapping[str, np.ndarray],
        network: Network,
        dt: float,
        seed: int,
        precision: str,
        built: Built | None = None,
    ):
        for array in arrays.values():
            array.flags.writeable = False
        self.step, self.arrays, self.network = step, dict(arrays), network
        self.dt, self.seed, self.precision = dt, seed, precision
        self._built = built

    def __repr__(self) -> str:
        return f"State(after {self.step * self.dt:g} ms of {self.network!r}, seed={self.seed})"

    def __getstate__(self) -> dict[str, Any]:
        # Synapses are drawn again from the seed where they are needed: they may be gigabytes.
        return self.__dict__ | {"_built": None}

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the state to a file, whole or not at all; :func:`load_state` reads it.

        The file holds no code and no pickle, and every byte is under a checksum. It depends
        neither on the number of threads nor on how the run was cut into parts.

        Parameters
        ----------
        path : path-like
            The file, replaced if it is there. Its folder must exist.

        Raises
        ------
        OSError
            It cannot be written.
        """
        write_archive(
            _check.path("State.save.path", path), _KIND, _VERSION, self.header(), self.arrays
        )

    def header(self) -> dict[str, Any]:
        """Return what tells one run from another, as JSON can hold it."""
        return {
            "network": self.network.digest(),
            "parts": parts_of(self.network),
            "step": self.step,
            "dt": self.dt,
            "seed": self.seed,
            "precision": self.precision,
        }

    def build(self, threads: int, asked: bool, check_interrupt: Callable[[], None]) -> Built:
        """Return the network ready to run.

        Parameters
        ----------
        threads : int
            How many, where it is not laid out yet.
        asked : bool
            Whether somebody asked for so many: then a network that was laid out for fewer is
            laid out anew, to the same bits.
        check_interrupt : callable
            Called often; what it raises ends the work.
        """
        built, largest = self._built, max(population.n for population in self.network.populations)
        if built is not None and not (asked and min(threads, largest) > built.n_blocks):
            return built
        built = self._built = None

        def draw(check: Callable[[], None]) -> Built:
            return build(
                self.network,
                self.dt,
                self.seed,
                precision=self.precision,
                threads=threads,
                check_interrupt=check,
            )

        large = _is_large(self.network)
        built = listen_while(draw, check_interrupt) if large else draw(check_interrupt)
        self._check_arrays(built)
        self._built = built
        return built

    def _check_arrays(self, built: Built) -> None:
        """Refuse arrays that are not those of the network: kernels would trust them."""
        if not self.arrays:
            return  # A start.
        wanted = {name: (a.dtype, a.shape) for name, a in engine.initial_arrays(built).items()}
        own = {name: (a.dtype, a.shape) for name, a in self.arrays.items()}
        spikes = [own.pop(name, None) for name in ("spikes.steps", "spikes.ids")]
        del wanted["spikes.steps"], wanted["spikes.ids"]
        if own == wanted and spikes[0] == spikes[1] and spikes[0] is not None:
            steps, ids = self.arrays["spikes.steps"], self.arrays["spikes.ids"]
            n_neurons = sum(population.n for population in built.populations)
            in_order = np.all(np.diff((steps << 32) + ids) >= 0)
            known = np.all((ids >= 0) & (ids < n_neurons))
            recent = np.all((steps > self.step - built.longest) & (steps <= self.step))
            if in_order and known and recent:
                return
        raise DamagedFileError("simulate.state does not hold what a run of its network leaves")


def _is_large(network: Network) -> bool:
    """Return whether to build it may take so long that it is worth a thread of its own."""
    n = sum(population.n for population in network.populations)
    for projection in network.projections:
        ends = network.population(projection.source), network.population(projection.target)
        if isinstance(projection.rule, DistanceDependent):
            n += ends[0].n * ends[1].n  # To expect its synapses takes as long as to draw them.
        else:
            n += projection.rule.expected_synapses(*ends)
    return n >= _LARGE


def load_state(path: str | os.PathLike[str], network: Network | Population | Any) -> State:
    """Read a state that :meth:`State.save` has written.

    Connections are not in the file: they are drawn again, to the same bits, when the state is
    continued.

    Parameters
    ----------
    path : path-like
        The file.
    network : Network, Population or model
        What was simulated, described as it was then.

    Returns
    -------
    State
        For ``simulate(network, duration, state=...)``.

    Raises
    ------
    DamagedFileError
        A file that is damaged, cut off, no state, or written by another version.
    ParameterError
        The state is that of another network; the message says in what they differ.
    OSError
        The file cannot be read.

    Examples
    --------
    >>> import spikesim as sp
    >>> neuron = sp.LIF(i_ext=400.0)
    >>> sp.simulate(neuron, 50.0).final_state.save("half.state")
    >>> sp.simulate(neuron, 50.0, state=sp.load_state("half.state", neuron)).spike_times.round(1)
    array([57.6, 87.4])
    """
    path = _check.path("load_state.path", path)
    network = as_network(network, "load_state.network")
    return state_of(read_archive(path, _KIND, _VERSION), network, path)


def state_of(archive: Archive, network: Network, path: Path) -> State:
    """Return the state that an archive holds, if it is one of `network`."""
    header = archive.header
    if header["network"] != network.digest():
        what = difference(header.get("parts", {}), network)
        raise ParameterError(
            f"{path} is of a run of another network" + (f": {what}" if what else "")
        )
    return State(
        header["step"],
        archive.arrays,
        network,
        header["dt"],
        header["seed"],
        header["precision"],
    )


def as_network(value: Any, name: str) -> Network:
    """Return the network that a network, population or bare model stands for."""
    if isinstance(value, Network):
        return value
    if isinstance(value, Population):
        return Network([value])
    if isinstance(value, MODELS):
        return Network([Population("neuron", value, 1)])
    raise _check.ParameterTypeError(
        f"{name} must be a Network, a Population or a model such as LIF(), "
        f"got {_check._show(value)}"
    )


def entropy_of(name: str, seed: Any) -> int:
    """Return one integer that stands for a seed of any kind."""
    sequence = _check.seed_sequence(name, seed)
    if isinstance(sequence.entropy, int) and not sequence.spawn_key:
        return sequence.entropy
    words = sequence.generate_state(4, np.uint32)
    return sum(int(word) << (32 * i) for i, word in enumerate(words))
