"""Files that are whole or not there."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

__all__ = ["locked", "open_atomically", "sync_folder", "write_atomically"]


def write_atomically(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Write a file so that an interruption leaves the old one or the new one, never a part.

    Parameters
    ----------
    path : path-like
        The file; its folder must exist.
    content : str or bytes
        What it holds; text is written as UTF-8.

    Raises
    ------
    OSError
        The folder cannot be written.
    """
    with open_atomically(path) as file:
        file.write(content.encode("utf-8") if isinstance(content, str) else content)


@contextmanager
def open_atomically(
    path: str | os.PathLike[str], temporary: str | os.PathLike[str] | None = None
) -> Iterator[Any]:
    """Open a file for writing bytes that takes its name when all are on the disk.

    Parameters
    ----------
    path : path-like
        The file; its folder must exist.
    temporary : path-like, optional
        Its name until then, in the same folder, for a file of which only one is written at a
        time: what a killed process leaves behind, the next one overwrites. By default a name
        that nobody else uses.

    Yields
    ------
    file
        Open for writing bytes.

    Raises
    ------
    OSError
        The folder cannot be written.
    """
    path = Path(path)
    if temporary is None:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".tmp")
        # mkstemp makes files that only their owner can read.
        os.chmod(temporary, 0o666 & ~_umask())
        file = os.fdopen(handle, "wb")
    else:
        file = open(temporary, "wb")
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


@contextmanager
def locked(path: str | os.PathLike[str]) -> Iterator[bool | None]:
    """Hold a lock that ends with the process, however it ends.

    Parameters
    ----------
    path : path-like
        A file for the lock alone, removed at the end.

    Yields
    ------
    bool or None
        Whether the lock was free; None where the system, or the file system, has none.
    """
    try:
        import fcntl

        file = open(path, "ab")
    except (ImportError, OSError):
        yield None
        return
    with file:
        mine: bool | None = None
        with suppress(OSError):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # Who had it may have removed the file just now.
                mine = os.path.samestat(os.stat(path), os.fstat(file.fileno()))
            except (BlockingIOError, FileNotFoundError):
                mine = False
        try:
            yield mine
        finally:
            if mine is not False:
                Path(path).unlink(missing_ok=True)


def sync_folder(folder: str | os.PathLike[str]) -> None:
    """Have the names of the files in a folder on the disk, where the system lets one ask."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
