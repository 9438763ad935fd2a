"""Runs carried out in parallel, written down as each is finished, and never done twice.

The order, the number of processes and where they are change no bit of a row but its times: each
run draws from streams of its own, on one thread.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from spikesim import __version__
from spikesim.comparison.results import Row
from spikesim.comparison.runs import Job, Outcome, run_job

__all__ = ["Journal", "run_all"]


class Journal:
    """A file with one finished run in each line, kept until the whole comparison is written.

    A line that a killed process left unfinished is dropped, and so are lines of another version
    or of other runs.

    Parameters
    ----------
    path : path-like
        Made with the first run.
    """

    def __init__(self, path: str | os.PathLike[str]):
        self.path = Path(path)
        self._done: dict[str, Outcome] = {}
        if self.path.exists():
            text = self.path.read_text(encoding="utf-8")
            if text and not text.endswith("\n"):
                text = text[: text.rfind("\n") + 1]
                os.truncate(self.path, len(text.encode()))
            self._done = dict(_entry(line) for line in text.splitlines())

    def find(self, job: Job) -> Outcome | None:
        """Return what a run gave, if it was finished before."""
        return self._done.get(_key(job))

    def add(self, job: Job, outcome: Outcome) -> None:
        """Write a finished run down."""
        line = json.dumps(
            {"key": _key(job), "row": asdict(outcome.row), "curve": outcome.curve.tolist()}
        )
        with self.path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())

    def remove(self) -> None:
        """Delete the file: everything in it was written elsewhere."""
        self.path.unlink(missing_ok=True)


def run_all(
    work: Sequence[Job],
    *,
    n_jobs: int = -1,
    progress: bool = False,
    label: str = "",
    journal: Journal | None = None,
) -> list[Outcome]:
    """Run jobs in parallel processes; the order and the number of processes change nothing.

    Where a backend of joblib was chosen around the call, such as
    ``joblib.parallel_config(backend="dask")``, it is used.

    Parameters
    ----------
    work : sequence of Job
        What to run.
    n_jobs : int, default -1
        Number of processes; -1 takes every core. With 1 they run here, whatever backend.
    progress : bool, default False
        Show a bar.
    label : str
        Text before the bar.
    journal : Journal, optional
        Where finished runs are found and written down.
    """
    from tqdm import tqdm

    found: list[Outcome | None] = [journal.find(job) if journal else None for job in work]
    open_ = [index for index, outcome in enumerate(found) if outcome is None]
    bar = tqdm(total=len(work), initial=len(work) - len(open_), desc=label, unit="run",
               disable=not progress)  # fmt: skip
    with bar:
        for index, outcome in _carried_out(open_, work, n_jobs):
            found[index] = outcome
            if journal is not None:
                journal.add(work[index], outcome)
            bar.update()
    return [outcome for outcome in found if outcome is not None]


def warm_up(work: Iterable[Job]) -> None:
    """Run one short job of each kind, so that compiled kernels are on disk for the workers."""
    first: dict[tuple[str, str, str, int], Job] = {}
    for job in work:
        first.setdefault((job.task, job.name, job.network, min(job.hidden, 1)), job)
    for job in first.values():
        few = 8 if job.samples is None else min(8, job.samples)
        run_job(job._replace(epochs=1, samples=few, purpose="tune"))


def _carried_out(
    open_: Sequence[int], work: Sequence[Job], n_jobs: int
) -> Iterator[tuple[int, Outcome]]:
    """Yield the number and the outcome of each run, in the order in which they end."""
    if n_jobs == 1 or len(open_) < 2:
        yield from (_numbered(index, work[index]) for index in open_)
        return
    from joblib import Parallel, delayed

    warm_up(work[index] for index in open_)
    parallel = Parallel(n_jobs=n_jobs, return_as="generator_unordered", batch_size=1)
    yield from parallel(delayed(_numbered)(index, work[index]) for index in open_)


def _numbered(index: int, job: Job) -> tuple[int, Outcome]:
    from threadpoolctl import threadpool_limits

    # Sums of BLAS may depend on its threads, and times should be those of one core.
    with threadpool_limits(1):
        return index, run_job(job)


def _key(job: Job) -> str:
    return json.dumps([__version__, *job], sort_keys=True)


def _entry(line: str) -> tuple[str, Outcome]:
    stored: dict[str, Any] = json.loads(line)
    return stored["key"], Outcome(Row(**stored["row"]), np.array(stored["curve"]))
