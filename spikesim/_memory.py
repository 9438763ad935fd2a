"""How much memory there is, asked before a large array is."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from spikesim.errors import NotEnoughMemoryError

__all__ = ["NEGLIGIBLE", "available_memory", "readable", "require_memory"]

# So many bytes are always there; to ask takes longer than a short simulation.
NEGLIGIBLE = 2**24


def available_memory() -> int | None:
    """Return the bytes that can still be had without swapping, None where nobody says."""
    if sys.platform == "win32":
        return _windows()
    limits = [value for value in (_linux(), _cgroup()) if value is not None]
    if limits:
        return min(limits)
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return None


def require_memory(what: str, n_bytes: int, hint: str) -> None:
    """Refuse a request that is larger than the memory there is.

    Parameters
    ----------
    what : str
        What the memory is for, in words, in the plural.
    n_bytes : int
        Bytes asked for.
    hint : str
        What to do instead.

    Raises
    ------
    NotEnoughMemoryError
        With the bytes asked for and available.
    """
    if n_bytes < NEGLIGIBLE:
        return
    available = available_memory()
    if available is not None and n_bytes > available:
        raise NotEnoughMemoryError(
            f"{what} need {readable(n_bytes)} ({n_bytes} bytes), {readable(available)} "
            f"({available} bytes) are available; {hint}"
        )


def readable(n_bytes: float) -> str:
    """Return a number of bytes as a person would say it."""
    for unit in ("bytes", "KiB", "MiB", "GiB", "TiB"):
        if n_bytes < 1024:
            return f"{n_bytes:.4g} {unit}"
        n_bytes /= 1024
    return f"{n_bytes:.4g} PiB"


def _linux() -> int | None:
    try:
        with open("/proc/meminfo") as file:
            for line in file:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    return None


def _cgroup() -> int | None:
    """Return what a container (control group, version 2) still allows."""
    folder = Path("/sys/fs/cgroup")
    try:
        limit = (folder / "memory.max").read_text().strip()
        if limit == "max":
            return None
        return max(int(limit) - int((folder / "memory.current").read_text()), 0)
    except (OSError, ValueError):
        return None


def _windows() -> int | None:
    import ctypes

    class Status(ctypes.Structure):
        _fields_ = [
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            ("total", ctypes.c_ulonglong),
            ("available", ctypes.c_ulonglong),
            ("rest", ctypes.c_ulonglong * 5),
        ]

    status = Status(length=ctypes.sizeof(Status))
    if not ctypes.windll.kernel32.GlobalMemoryStatusEx(  # type: ignore[attr-defined,unused-ignore]
        ctypes.byref(status)
    ):
        return None
    return int(status.available)
