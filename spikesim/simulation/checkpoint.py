"""What a run needs to go on after it was killed: its state, and what it has recorded."""

from __future__ import annotations

import glob
import hashlib
import math
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from spikesim._archive import read_archive, write_archive
from spikesim._files import locked
from spikesim.engine.log import TraceRequest
from spikesim.errors import ParameterError
from spikesim.network.network import Network
from spikesim.simulation.state import State, state_of

__all__ = ["Checkpoint", "Found"]

_KIND = "checkpoint of a simulation"
_VERSION = 1
# The share of time that may go into checkpoints.
_MOST_SHARE = 0.05
_STATE = "state "


class Found(NamedTuple):
    """What a checkpoint holds.

    Attributes
    ----------
    state : State
        Where the run was.
    first : int
        The step after which it had begun.
    disk : dict or None
        What was in the folder, if it recorded to one.
    arrays : dict of ndarray
        What it had recorded in memory.
    """

    state: State
    first: int
    disk: dict[str, Any] | None
    arrays: dict[str, np.ndarray]


class Checkpoint:
    """A file that a run renews, and from which a later call goes on.

    Parameters
    ----------
    path : Path
        The file.
    interval : float
        Seconds between two versions of it, or more where writing takes long.
    """

    def __init__(self, path: Path, interval: float):
        if not path.parent.is_dir():
            raise ParameterError(f"simulate.checkpoint: there is no folder {path.parent}")
        if path.is_dir():
            raise ParameterError(f"simulate.checkpoint must name a file, {path} is a folder")
        self.path, self.interval = path, interval
        self._next = math.inf
        self._temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp")

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other runs from the file, as long as this process lives.

        Raises
        ------
        ParameterError
            Another run has it.
        """
        with locked(self.path.with_name(self.path.name + ".lock")) as mine:
            if mine is False:
                raise ParameterError(
                    f"simulate.checkpoint: another run is at work on {self.path}; wait for it, or "
                    "name another file"
                )
            if mine:
                for left in self.path.parent.glob(f"{glob.escape(self.path.name)}.????????.tmp"):
                    left.unlink(missing_ok=True)  # By a process that was killed while it wrote.
            yield

    def find(self, network: Network) -> Found | None:
        """Return what the file holds, None if there is none."""
        if not self.path.exists():
            return None
        archive = read_archive(self.path, _KIND, _VERSION)
        inner = {
            key.removeprefix(_STATE): value
            for key, value in archive.arrays.items()
            if key.startswith(_STATE)
        }
        rest = {key: v for key, v in archive.arrays.items() if not key.startswith(_STATE)}
        state = state_of(archive._replace(arrays=inner), network, self.path)
        self._requests, self._origin = archive.header["requests"], archive.header["origin"]
        return Found(state, archive.header["first"], archive.header["disk"], rest)

    def refuse_other_run(
        self, found: Found, origin: State | None, requests: Mapping[str, TraceRequest], disk: bool
    ) -> None:
        """Refuse to go on with a run that was asked for in another way."""
        what = None
        begun = 0 if origin is None else origin.step
        dt = found.state.dt
        if found.first != begun:
            what = f"began at {found.first * dt:g} ms, not at {begun * dt:g} ms (simulate.state)"
        elif origin is not None and origin.seed != found.state.seed:
            # Before the first step, states of several seeds are the same arrays.
            what = "began at another state (simulate.state), "
            what += f"of seed {found.state.seed}, not {origin.seed}"
        elif self._origin != _digest(origin):
            what = "began at another state (simulate.state)"
        elif self._requests != _described(requests):
            what = f"recorded something else (simulate.record): {self._other(requests, dt)}"
        elif disk != (found.disk is not None):
            what = "recorded to the disk" if found.disk is not None else "recorded in memory"
            what += " (simulate.record_to)"
        if what:
            raise ParameterError(
                f"simulate.checkpoint: {self.path} is of a run that {what}; delete it to start "
                "afresh"
            )

    def _other(self, requests: Mapping[str, TraceRequest], dt: float) -> str:
        """Say in what the traces of the file differ from `requests`."""
        here = _described(requests)
        for name in sorted({*self._requests, *here}):
            own, given = (_in_words(all_.get(name), dt) for all_ in (self._requests, here))
            if self._requests.get(name) != here.get(name):
                if own == given:
                    own, given = own + " of other neurons", given + " now"
                return f"of {name!r} {own}, not {given}"
        return "in another order"

    def begin(self, origin: State | None, requests: Mapping[str, TraceRequest]) -> None:
        """Keep what is the same in all versions of the file."""
        self._requests, self._origin = _described(requests), _digest(origin)

    def due(self) -> bool:
        """Return whether it is time for a new version."""
        return time.perf_counter() >= self._next

    def write(
        self,
        state: State,
        first: int,
        disk: dict[str, Any] | None,
        arrays: Mapping[str, np.ndarray],
    ) -> None:
        """Replace the file by a new version, whole or not at all."""
        clock = time.perf_counter()
        header = state.header() | {
            "first": first,
            "requests": self._requests,
            "origin": self._origin,
            "disk": disk,
        }
        own = {_STATE + name: array for name, array in state.arrays.items()}
        write_archive(self.path, _KIND, _VERSION, header, own | dict(arrays), self._temporary)
        now = time.perf_counter()
        self._next = now + max(self.interval, (now - clock) / _MOST_SHARE)


def _described(requests: Mapping[str, TraceRequest]) -> dict[str, Any]:
    return {
        name: [list(r.variables), _sha(np.asarray(r.neurons, dtype=np.int64)), r.interval]
        for name, r in requests.items()
    }


def _in_words(request: list[Any] | None, dt: float) -> str:
    if request is None:
        return "spikes alone"
    variables, _, interval = request
    return f"{' and '.join(variables)} every {interval * dt:g} ms"


def _digest(state: State | None) -> str | None:
    if state is None:
        return None
    return " ".join(_sha(array) for array in state.arrays.values())


def _sha(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
