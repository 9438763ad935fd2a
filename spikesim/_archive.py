"""Archives: a header in JSON and arrays in one file, with checksums, without pickle.

A file is, from its first byte on:

1. 16 bytes that name the format and would show what a transfer as text does to a file;
2. the length of the header, 8 bytes, little-endian;
3. SHA-256 of 1, 2 and 4;
4. the header, JSON in UTF-8: the kind of archive, its format version, what the writer adds, and
   for each array type, shape and SHA-256;
5. the arrays in this order, C-contiguous and little-endian, without gaps.

So every byte is under a checksum, and sizes are compared before memory is asked for.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from spikesim._files import open_atomically
from spikesim.errors import DamagedFileError

__all__ = ["Archive", "read_archive", "write_archive"]

_MAGIC = b"\x89spikesim\r\n\x1a\n\0\0\0"
_START = len(_MAGIC) + 8 + 32
_TYPES = {"<f8", "<f4", "<i8", "<i4"}


class Archive(NamedTuple):
    """What an archive holds: what its writer put into the header, and the arrays by name."""

    header: dict[str, Any]
    arrays: dict[str, np.ndarray]


def write_archive(
    path: str | os.PathLike[str],
    kind: str,
    version: int,
    header: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
    temporary: Path | None = None,
) -> None:
    """Write an archive whole or not at all, and have it on the disk when this returns.

    Parameters
    ----------
    path : path-like
        The file; its folder must exist.
    kind : str
        What the archive is, in words; :func:`read_archive` asks for it.
    version : int
        Version of what this kind of archive holds.
    header : mapping
        What JSON can hold.
    arrays : mapping of str to ndarray
        Of type float64, float32, int64 or int32.
    temporary : Path, optional
        Name under which it is written at first; by default one that nobody else uses.

    Raises
    ------
    OSError
        The folder cannot be written.
    """
    listed = []
    contents = []
    for name, array in arrays.items():
        data = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        if data.dtype.str not in _TYPES:
            raise ValueError(f"an archive holds no arrays of type {data.dtype}: {name!r}")
        contents.append(data)
        listed.append(
            {
                "name": name,
                "type": data.dtype.str,
                "shape": list(array.shape),
                "sha256": hashlib.sha256(_bytes(data)).hexdigest(),
            }
        )
    about = {"kind": kind, "version": version, "content": dict(header), "arrays": listed}
    text = json.dumps(about, separators=(",", ":")).encode()
    with open_atomically(path, temporary) as file:
        length = len(text).to_bytes(8, "little")
        file.write(_MAGIC + length + hashlib.sha256(_MAGIC + length + text).digest() + text)
        for data in contents:
            file.write(_bytes(data))


def read_archive(path: str | os.PathLike[str], kind: str, version: int) -> Archive:
    """Read an archive, every byte checked.

    Parameters
    ----------
    path : path-like
        The file.
    kind, version
        What it must be.

    Returns
    -------
    Archive

    Raises
    ------
    DamagedFileError
        A file that is damaged, cut off, of another kind or of another version.
    OSError
        It cannot be read.
    """
    path = Path(path)
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        start = file.read(_START)
        if start[: len(_MAGIC)] != _MAGIC:
            raise DamagedFileError(f"{path} is not a file of spikesim, or its start is damaged")
        length = int.from_bytes(start[len(_MAGIC) : len(_MAGIC) + 8], "little")
        if len(start) < _START or length > size - _START:
            raise _damaged(path, "it is cut off, or the length of its header is wrong")
        text = file.read(length)
        if hashlib.sha256(start[:-32] + text).digest() != start[-32:]:
            raise _damaged(path, "its header has another checksum than when it was written")
        about = _parsed(path, text)
        if about["kind"] != kind:
            raise DamagedFileError(f"{path} is {_a(about['kind'])}, not {_a(kind)}")
        if about["version"] != version:
            raise DamagedFileError(
                f"{path} is {_a(kind)} of version {about['version']}; this version of spikesim "
                f"reads version {version}"
            )
        n_bytes = [_n_bytes(path, item) for item in about["arrays"]]
        if _START + length + sum(n_bytes) != size:
            raise _damaged(
                path,
                f"it has {size} bytes where its header asks for {_START + length + sum(n_bytes)}",
            )
        arrays = {}
        for item, n in zip(about["arrays"], n_bytes, strict=True):
            data = file.read(n)
            if hashlib.sha256(data).hexdigest() != item["sha256"]:
                raise _damaged(path, f"{item['name']!r} has another checksum than when written")
            array = np.frombuffer(data, dtype=item["type"]).reshape(item["shape"])
            arrays[item["name"]] = array.astype(array.dtype.newbyteorder("="))
    return Archive(about["content"], arrays)


def _bytes(data: np.ndarray) -> Any:
    return data.reshape(-1).view(np.uint8).data


def _a(kind: str) -> str:
    return f"{'an' if kind.startswith(tuple('aeiou')) else 'a'} {kind}"


def _damaged(path: Path, why: str) -> DamagedFileError:
    return DamagedFileError(f"{path} is damaged: {why}")


def _parsed(path: Path, text: bytes) -> dict[str, Any]:
    """Return the header, or refuse one that this module has not written."""
    try:
        about = json.loads(text)
        well_formed = (
            isinstance(about["kind"], str)
            and isinstance(about["version"], int)
            and isinstance(about["content"], dict)
            and all(isinstance(item["name"], str) for item in about["arrays"])
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        well_formed = False
    if not well_formed:
        raise _damaged(path, "its header is not what spikesim writes")
    return about


def _n_bytes(path: Path, item: dict[str, Any]) -> int:
    """Return the bytes of an array, or refuse a type or shape that cannot be."""
    shape, kind = item.get("shape"), item.get("type")
    if (
        kind not in _TYPES
        or not isinstance(shape, list)
        or not all(isinstance(n, int) and 0 <= n < 2**62 for n in shape)
        or len(shape) > 8
    ):
        raise _damaged(path, f"its header gives {item['name']!r} no type or shape that can be")
    return math.prod(shape) * np.dtype(kind).itemsize
