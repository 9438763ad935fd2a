"""What the processes that are measured share: a job comes in, a row goes out.

Standard library and NumPy only: they run in the Python of their simulator.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np


def main(measure: Callable[[dict[str, Any]], tuple[dict[str, Any], Spikes]]) -> None:
    """Do the job in the first argument (JSON); print its row as the last line (JSON).

    A job names a ``workload``, its ``scale``, ``duration`` (ms), ``seed``, ``threads`` and, if
    spikes are wanted, the file to write them to (``spikes``).
    """
    job = json.loads(sys.argv[1])
    row, spikes = measure(job)
    row["peak_rss_mb"] = row.get("peak_rss_mb") or peak_memory()
    row["realtime_factor"] = row["sim_s"] / row["bio_seconds"]
    # What only the comparison needs is left out of the time of the process.
    start = time.perf_counter()
    if job.get("spikes"):
        times, ids = spikes()
        np.savez(job["spikes"], times=times, ids=ids)
    row["aside_s"] = time.perf_counter() - start
    print(json.dumps(row), flush=True)


Spikes = Callable[[], tuple[np.ndarray, np.ndarray]]


def joined(parts: Iterable[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Return spikes of several populations as one list, times (ms) and neurons."""
    times, ids = zip(*parts, strict=True)
    return np.concatenate(times), np.concatenate(ids).astype(np.int64)


def peak_memory(process: str = "self") -> float:
    """Return the largest resident memory of a process so far (MB = 10^6 bytes).

    Linux keeps it in ``/proc``. Elsewhere it is ``getrusage``'s, and only of this process (0 for
    another, or one that has ended); on Linux that one would start from the memory of whoever
    started us.
    """
    try:
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    except OSError:
        pass
    if process != "self":
        return 0.0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
