"""Recordings on disk: written piece by piece in bounded memory, read back without loading them.

A recording is a folder:

- ``header.json``: format version, times, seed, populations, and for every other file its length
  and SHA-256; the header has a checksum of itself;
- ``parameters.spikesim``: parameters as used, an archive;
- one file a quantity, ``0_spike_times.npy`` and so on, in NumPy's own format (float64 or int64):
  ``numpy.load`` reads them without spikesim.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from spikesim import _check
from spikesim._archive import read_archive, write_archive
from spikesim._files import sync_folder, write_atomically
from spikesim.errors import DamagedFileError, ParameterError
from spikesim.recording.population import PopulationRecording
from spikesim.recording.recording import Recording

__all__ = ["Columns", "RecordingFolder", "load_recording"]

_KIND, _VERSION = "recording", 1
_PARAMETERS = "parameters of a recording"
_HEADER_BYTES = 128
# What is held back before it is written.
_BUFFER_BYTES = 2**22
_READ_BYTES = 2**24


class Columns:
    """One file of a recording, a row or a number at a time.

    Parameters
    ----------
    path : Path
        The file.
    kind : str
        "<f8" or "<i8".
    width : int or None
        Numbers of a row; None for an array without rows.
    """

    def __init__(self, path: Path, kind: str, width: int | None = None):
        self.path, self.kind, self.width = path, np.dtype(kind), width
        self.rows = 0
        self._digest = hashlib.sha256()
        self._waiting: list[np.ndarray] = []
        self._written = False

    @property
    def waiting(self) -> int:
        """Bytes that are not yet written."""
        return sum(part.nbytes for part in self._waiting)

    def append(self, values: np.ndarray) -> None:
        """Take rows to write; the caller must not change them afterwards."""
        if len(values):
            self._waiting.append(np.ascontiguousarray(values, dtype=self.kind))
            self.rows += len(values)

    def write(self, durably: bool = False) -> None:
        """Write what waits."""
        if not self._waiting and self._written and not durably:
            return
        with open(self.path, "r+b" if self._written else "wb") as file:
            if not self._written:
                file.write(self._npy_header(0))
                self._written = True
            file.seek(0, os.SEEK_END)
            for part in self._waiting:
                data = part.reshape(-1).view(np.uint8).data
                file.write(data)
                self._digest.update(data)
            self._waiting.clear()
            if durably:
                file.flush()
                os.fsync(file.fileno())

    def about(self) -> dict[str, Any]:
        """Return length and checksum of what is written."""
        return {"rows": self.rows, "sha256": self._digest.hexdigest()}

    def finish(self) -> None:
        """Write the rest and the length into the head of the file."""
        self.write()
        with open(self.path, "r+b") as file:
            file.write(self._npy_header(self.rows))
            file.flush()
            os.fsync(file.fileno())

    def resume(self, about: Mapping[str, Any]) -> None:
        """Go on with a file as it was when :meth:`about` was asked; what follows is dropped.

        Raises
        ------
        DamagedFileError
            It is shorter, or other bytes are in it.
        """
        self.rows = about["rows"]
        if self.rows == 0:
            return
        n_bytes = self.rows * self.kind.itemsize * (1 if self.width is None else self.width)
        self._digest = _digest_of(self.path, n_bytes)
        if self._digest.hexdigest() != about["sha256"]:
            raise DamagedFileError(f"{self.path} is damaged: it is not what was written")
        self._written = True
        with open(self.path, "r+b") as file:
            file.write(self._npy_header(0))
            file.truncate(_HEADER_BYTES + n_bytes)

    def read(self, about: Mapping[str, Any], verify: bool) -> np.ndarray:
        """Return the whole file as an array that is read where it is used."""
        self.rows = about["rows"]
        shape = (self.rows,) if self.width is None else (self.rows, self.width)
        n_bytes = int(np.prod([*shape, self.kind.itemsize], dtype=object))
        try:
            with open(self.path, "rb") as file:
                size, head = os.fstat(file.fileno()).st_size, file.read(_HEADER_BYTES)
        except FileNotFoundError:
            raise DamagedFileError(f"{self.path} is missing") from None
        if size != _HEADER_BYTES + n_bytes or head != self._npy_header(self.rows):
            raise DamagedFileError(
                f"{self.path} is damaged: it has {size} bytes or a head that do not fit the "
                f"{self.rows} rows of header.json"
            )
        if verify and _digest_of(self.path, n_bytes).hexdigest() != about["sha256"]:
            raise DamagedFileError(
                f"{self.path} is damaged: it has another checksum than when it was written"
            )
        if n_bytes == 0:
            return np.zeros(shape, dtype=self.kind)
        mapped = np.memmap(self.path, self.kind, "r", _HEADER_BYTES, shape)
        return mapped.view(np.ndarray)

    def _npy_header(self, rows: int) -> bytes:
        shape = f"({rows},)" if self.width is None else f"({rows}, {self.width})"
        text = f"{{'descr': '{self.kind.str}', 'fortran_order': False, 'shape': {shape}, }}"
        return (
            b"\x93NUMPY\x01\x00"
            + (_HEADER_BYTES - 10).to_bytes(2, "little")
            + (text.ljust(_HEADER_BYTES - 11) + "\n").encode()
        )


class RecordingFolder:
    """A recording while it is written.

    Parameters
    ----------
    folder : Path
        Where it is written; made if it is not there.
    populations : mapping of str to mapping
        For each population `n`, and for those with traces `variables`, `neurons` (ndarray).
    """

    def __init__(self, folder: Path, populations: Mapping[str, Mapping[str, Any]]):
        self.folder, self._populations = folder, populations
        self.files = {
            name: _columns(folder, index, about)
            for index, (name, about) in enumerate(populations.items())
        }
        folder.mkdir(exist_ok=True)

    def append(self, population: str, quantity: str, values: np.ndarray) -> None:
        """Take some rows of a quantity of a population."""
        self.files[population][quantity].append(values)

    def write(self) -> None:
        """Write what waits, if it is much."""
        files = self._all()
        if sum(columns.waiting for columns in files) > _BUFFER_BYTES:
            for columns in files:
                columns.write()

    def about(self) -> dict[str, Any]:
        """Have all that was taken on the disk; return what :meth:`resume` needs to go on there."""
        for columns in self._all():
            columns.write(durably=True)
        sync_folder(self.folder)
        return {columns.path.name: columns.about() for columns in self._all()}

    def resume(self, about: Mapping[str, Any]) -> None:
        """Go on where the recording was when :meth:`about` was asked."""
        for columns in self._all():
            columns.resume(about[columns.path.name])

    def finish(
        self,
        run: Mapping[str, Any],
        parameters: Mapping[str, Mapping[str, Any]],
    ) -> None:
        """Write the rest, the parameters and the header.

        Parameters
        ----------
        run : mapping
            dt, start, duration (ms) and seed.
        parameters : mapping
            Of each population, as used.
        """
        for columns in self._all():
            columns.finish()
        plain: dict[str, dict[str, Any]] = {name: {} for name in self._populations}
        arrays: dict[str, np.ndarray] = {}
        for index, name in enumerate(self._populations):
            for key, value in parameters[name].items():
                if isinstance(value, np.ndarray):
                    arrays[f"{index} {key}"] = value
                else:
                    plain[name][key] = value.item() if isinstance(value, np.generic) else value
        for index, about in enumerate(self._populations.values()):
            if "neurons" in about:
                arrays[f"{index} recorded neurons"] = about["neurons"]
        write_archive(
            self.folder / "parameters.spikesim", _PARAMETERS, _VERSION, {"plain": plain}, arrays
        )
        header = {
            "kind": _KIND,
            "version": _VERSION,
            **run,
            "populations": [
                {
                    "name": name,
                    "n": about["n"],
                    "variables": list(about.get("variables", ())),
                    "n_recorded": len(about.get("neurons", ())),
                }
                for name, about in self._populations.items()
            ],
            "files": {columns.path.name: columns.about() for columns in self._all()},
        }
        header["sha256"] = _digest_of_header(header)
        write_atomically(self.folder / "header.json", json.dumps(header, indent=1) + "\n")

    def _all(self) -> list[Columns]:
        return [columns for files in self.files.values() for columns in files.values()]


def load_recording(path: str | os.PathLike[str], verify: bool = True) -> Recording:
    """Open a recording that ``simulate(..., record_to=path)`` has written.

    Its arrays are read from the disk where they are used: a recording may be larger than memory.

    Parameters
    ----------
    path : path-like
        The folder.
    verify : bool, default True
        Read all files once and compare their checksums. Their sizes are compared in any case.

    Returns
    -------
    Recording
        Without `final_state`.

    Raises
    ------
    DamagedFileError
        A file is missing, damaged or cut off, or of another version.
    ParameterError
        The folder holds no recording, or one that is not finished.
    OSError
        It cannot be read.
    """
    folder = _check.path("load_recording.path", path)
    verify = _check.boolean("load_recording.verify", verify)
    header = _header(folder)
    archive = read_archive(folder / "parameters.spikesim", _PARAMETERS, header["version"])
    populations, parameters = {}, {}
    for index, about in enumerate(header["populations"]):
        name, prefix = about["name"], f"{index} "
        own = {
            key.removeprefix(prefix): value
            for key, value in archive.arrays.items()
            if key.startswith(prefix)
        }
        neurons = own.pop("recorded neurons", np.zeros(0, dtype=np.int64))
        parameters[name] = archive.header["plain"][name] | own
        files = _columns(folder, index, about | {"neurons": neurons})
        data = {key: c.read(header["files"][c.path.name], verify) for key, c in files.items()}
        populations[name] = PopulationRecording(
            name=name,
            n=about["n"],
            spike_times=data["spike_times"],
            spike_ids=data["spike_ids"],
            traces={variable: data[variable] for variable in about["variables"]},
            trace_times=data.get("trace_times", np.zeros(0)),
            trace_neurons=neurons,
            v_th=parameters[name].get("v_th"),
            start=header["start"],
            duration=header["duration"],
            dt=header["dt"],
        )
    return Recording(
        dt=header["dt"],
        start=header["start"],
        duration=header["duration"],
        seed=header["seed"],
        parameters=parameters,
        final_state=None,
        _populations=populations,
    )


def _header(folder: Path) -> dict[str, Any]:
    try:
        text = (folder / "header.json").read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        if not folder.exists() and not folder.with_name(f"{folder.name}.part").exists():
            raise ParameterError(f"load_recording.path: there is no folder {folder}") from None
        raise ParameterError(
            f"{folder} holds no recording, or one whose run was cut off: simulate(..., "
            "checkpoint=...) goes on with it"
        ) from None
    try:
        header = json.loads(text)
        whole = header["sha256"] == _digest_of_header(header)
    except (ValueError, KeyError, TypeError, RecursionError):
        whole = False
    if not whole:
        raise DamagedFileError(
            f"{folder / 'header.json'} is damaged: it has another checksum than when it was written"
        )
    if header["kind"] != _KIND or header["version"] != _VERSION:
        raise DamagedFileError(
            f"{folder} is a {header['kind']} of version {header['version']}; this version of "
            f"spikesim reads recordings of version {_VERSION}"
        )
    return header


def _columns(folder: Path, index: int, about: Mapping[str, Any]) -> dict[str, Columns]:
    """Return the files of a population."""
    kinds: dict[str, tuple[str, int | None]] = {
        "spike_times": ("<f8", None),
        "spike_ids": ("<i8", None),
    }
    if about.get("variables"):
        kinds["trace_times"] = "<f8", None
        kinds |= {variable: ("<f8", len(about["neurons"])) for variable in about["variables"]}
    return {key: Columns(folder / f"{index}_{key}.npy", *kind) for key, kind in kinds.items()}


def _digest_of(path: Path, n_bytes: int) -> Any:
    """Return the SHA-256 of the first bytes after the head of a file."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            file.seek(_HEADER_BYTES)
            while n_bytes > 0:
                data = file.read(min(n_bytes, _READ_BYTES))
                if not data:
                    raise DamagedFileError(f"{path} is damaged: it is cut off")
                digest.update(data)
                n_bytes -= len(data)
    except FileNotFoundError:
        raise DamagedFileError(f"{path} is missing") from None
    return digest


def _digest_of_header(header: Mapping[str, Any]) -> str:
    """Return the checksum of all of a header but the checksum itself."""
    content = {key: value for key, value in header.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
