"""What a training needs to go on after it was killed: where it stands, and its history."""

from __future__ import annotations

import glob
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from spikesim import _check
from spikesim._archive import read_archive, write_archive
from spikesim._files import locked
from spikesim.errors import DamagedFileError, ParameterError, StorageError
from spikesim.learning.history import History
from spikesim.learning.packing import digest, pack, unpack
from spikesim.learning.result import Standing

__all__ = ["TrainingCheckpoint"]

_KIND = "checkpoint of a training"
_VERSION = 1
# The share of time that may go into checkpoints.
_MOST_SHARE = 0.05


class TrainingCheckpoint:
    """A file that a training renews after an epoch, and from which a later call goes on.

    Parameters
    ----------
    name : str
        Qualified name of the argument, for errors.
    path : path-like
        The file.
    interval : float
        Seconds between two versions of it, or more where writing takes long.
    """

    def __init__(self, name: str, path: Any, interval: float):
        self.path = _check.path(name, path)
        if not self.path.parent.is_dir():
            raise ParameterError(f"{name}: there is no folder {self.path.parent}")
        if self.path.is_dir():
            raise ParameterError(f"{name} must name a file, {self.path} is a folder")
        self._name, self._interval = name, interval
        self._next = time.perf_counter() + interval
        self._written = -1
        self._temporary = self.path.with_name(f"{self.path.name}.{secrets.token_hex(4)}.tmp")

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other trainings from the file, as long as this process lives.

        Raises
        ------
        ParameterError
            Another training has it.
        """
        with locked(self.path.with_name(self.path.name + ".lock")) as mine:
            if mine is False:
                raise ParameterError(
                    f"{self._name}: another training is at work on {self.path}; wait for it, or "
                    "name another file"
                )
            if mine:
                for left in self.path.parent.glob(f"{glob.escape(self.path.name)}.????????.tmp"):
                    left.unlink(missing_ok=True)  # By a process that was killed while it wrote.
            yield

    def find(
        self, about: Mapping[str, Any], known: Iterable[type]
    ) -> tuple[Standing, History, list[Any]] | None:
        """Return where the training stood, its history and its seed, None if there is no file.

        Parameters
        ----------
        about : mapping of str to object
            What decides the course of the training, by the argument that it was given as; the
            seed may be None, for any.
        known : iterable of type
            Classes that the file may hold, besides those of spikesim.

        Raises
        ------
        ParameterError
            The file is of a training with something else; the message names it.
        DamagedFileError
            The file is damaged, no checkpoint, or of another version.
        """
        self._about = {key: _described(key, value) for key, value in about.items()}
        if not self.path.exists():
            return None
        archive = read_archive(self.path, _KIND, _VERSION)
        try:
            theirs, tree, seed = (archive.header[key] for key in ("about", "tree", "seed"))
            different = [
                (key, theirs[key][1], text)
                for key, (number, text) in self._about.items()
                if theirs[key][0] != number and not (key == "seed" and about[key] is None)
            ]
        except (KeyError, TypeError, IndexError) as error:
            raise DamagedFileError(f"{self.path} holds no training: {error}") from error
        if different:
            key, old, new = different[0]
            prefix = self._name.partition(".")[0]
            what = f"had {old}, not {new}" if old != new else f"had other values in {old}"
            raise ParameterError(
                f"{self._name}: {self.path} is of a training with another {key} ({prefix}.{key}): "
                f"it {what}; delete it to start afresh"
            )
        self._about["seed"] = theirs["seed"]
        standing, history = unpack(self.path, tree, archive.arrays, known)
        seed = unpack(self.path, seed, {})
        self._written = history.n_epochs
        return standing, history, seed

    def due(self) -> bool:
        """Return whether it is time for a new version."""
        return time.perf_counter() >= self._next

    def write(self, standing: Standing, history: History, seed: Any) -> None:
        """Replace the file by a new version, whole or not at all.

        Raises
        ------
        StorageError
            It cannot be written.
        """
        if history.n_epochs == self._written:
            return
        clock = time.perf_counter()
        packed = pack(self._name, (standing, history))
        header = {"about": self._about, "tree": packed.tree, "seed": pack("seed", seed).tree}
        try:
            write_archive(self.path, _KIND, _VERSION, header, packed.arrays, self._temporary)
        except OSError as cause:
            error = StorageError(
                f"{self._name}: {self.path} cannot be written ({cause.strerror or cause}); make "
                "room there and call again: the training goes on from its last checkpoint"
            )
            error.errno = cause.errno
            raise error from cause
        self._written = history.n_epochs
        now = time.perf_counter()
        self._next = now + max(self._interval, (now - clock) / _MOST_SHARE)


def _described(key: str, value: Any) -> tuple[str, str]:
    """Return what tells a value from others, and what to show of it."""
    if isinstance(value, np.ndarray):
        shown = f"shape {value.shape}"
    elif key == "validation" and value is not None:
        shown = " and ".join(f"shape {part.shape}" for part in value)
    elif key == "seed" and value is not None:
        shown = str(value[0])
    else:
        shown = repr(value)
    return digest(pack(key, value)), shown if len(shown) <= 300 else shown[:297] + "..."
