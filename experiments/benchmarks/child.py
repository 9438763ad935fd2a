"""What the processes that are measured share: a job comes in, a row goes out.

Standard library and NumPy only: they run in the Python of their simulator.
"""

from __future__ import annotations

import hashlib
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))
from experiments.benchmarks.parameters import DT


def main(measure: Callable[[dict[str, Any]], tuple[dict[str, Any], Spikes]]) -> None:
    """Do the job in the first argument (JSON); print its row as the last line (JSON).

    A job names a ``workload``, the ``options`` of its network, ``duration`` (ms), ``seed``,
    ``threads``, ``precision`` and, if spikes are wanted, the file to write them to (``spikes``).
    `measure` returns the row without what the job says, and a function that returns the spikes.
    """
    job = json.loads(sys.argv[1])
    row, spikes = measure(job)
    row |= {key: job[key] for key in ("workload", "precision", "threads")}
    row["bio_seconds"] = job["duration"] / 1000.0
    row.setdefault("peak_rss_mb", peak_memory())
    row["realtime_factor"] = row["sim_s"] / row["bio_seconds"]
    # What only the comparison needs is left out of the time of the process.
    start = time.perf_counter()
    times, ids = spikes()
    row["spikes_sha256"] = digest(times, ids, job["duration"])
    if job.get("spikes"):
        np.savez(job["spikes"], times=times, ids=ids)
    row["aside_s"] = time.perf_counter() - start
    print(json.dumps(row), flush=True)


def digest(times: np.ndarray, ids: np.ndarray, duration: float) -> str:
    """Return SHA-256 of the spikes up to `duration` (ms): steps and neurons, in order."""
    steps, ids = np.rint(np.asarray(times) / DT).astype("<i8"), np.asarray(ids).astype("<i8")
    inside = steps <= round(duration / DT)
    spikes = np.stack([steps[inside], ids[inside]], axis=1)
    return hashlib.sha256(spikes[np.lexsort(spikes.T[::-1])].tobytes()).hexdigest()


Spikes = Callable[[], tuple[np.ndarray, np.ndarray]]
_Found = TypeVar("_Found")
_LATER_CALLS = 20


def first_and_later(call: Callable[[], _Found]) -> tuple[float, float, _Found]:
    """Return the time of a call (s), the median of 20 later ones, and what the last returned."""
    seconds = []
    for _ in range(1 + _LATER_CALLS):
        start = time.perf_counter()
        found = call()
        seconds.append(time.perf_counter() - start)
    return seconds[0], statistics.median(seconds[1:]), found


def joined(parts: Iterable[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Return spikes of several populations as one list, times (ms) and neurons."""
    times, ids = zip(*parts, strict=True)
    return np.concatenate(times), np.concatenate(ids).astype(np.int64)


def peak_memory(process: str = "self") -> float:
    """Return the largest resident memory of a process so far (MB = 10^6 bytes).

    Linux keeps it in ``/proc``. Elsewhere it is ``getrusage``'s, and only of this process; on
    Linux that one would start from the memory of whoever started us. NaN where nothing says it:
    of another process or one that has ended, on Windows.
    """
    try:
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    except OSError:
        pass
    if process != "self" or sys.platform == "win32":
        return float("nan")
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
