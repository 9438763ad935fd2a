"""Threads that work through jobs while the calling thread listens for an interrupt."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import Any

__all__ = ["Pool"]

_LISTEN_EVERY = 0.05


class Pool:
    """A pool of threads for jobs that pause often.

    A job is an iterator that pauses (yields) after at most about a tenth of a second of work.
    With one thread, jobs run in the calling thread.

    Parameters
    ----------
    threads : int
        How many.
    check_interrupt : callable, optional
        Called in the calling thread, often; what it raises ends all jobs at their next pause.
    """

    def __init__(self, threads: int, check_interrupt: Callable[[], Any] | None = None):
        self.threads = threads
        self._check = check_interrupt or (lambda: None)
        self._executor: ThreadPoolExecutor | None = None
        self._stopped = False

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped = True
        if self._executor is not None:
            self._executor.shutdown(wait=True, cancel_futures=True)

    def run(self, jobs: Sequence[Iterator[Any]]) -> None:
        """Work through `jobs`; return when all are done.

        Raises
        ------
        Exception
            What a job, or `check_interrupt`, raises.
        """
        if self.threads == 1 or len(jobs) <= 1:
            for job in jobs:
                for _ in job:
                    self._check()
            return
        if self._executor is None:
            self._executor = ThreadPoolExecutor(self.threads, "spikesim")
        futures = [self._executor.submit(self._finish, job) for job in jobs]
        pending: Any = futures
        while pending:
            done, pending = wait(pending, _LISTEN_EVERY, FIRST_EXCEPTION)
            for future in done:
                future.result()
            self._check()

    def _finish(self, job: Iterator[Any]) -> None:
        for _ in job:
            if self._stopped:
                return
