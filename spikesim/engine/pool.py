"""Threads that work through jobs while the calling thread listens for an interrupt."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextvars import copy_context
from typing import Any

from spikesim import _check

__all__ = ["Pool", "listen_while"]

_LISTEN_EVERY = 0.05


class _LeftBehind(BaseException):
    """Nobody waits for the work any more; no handler of errors is to take this for one."""


def listen_while(
    work: Callable[[Callable[[], None]], Any], check_interrupt: Callable[[], Any]
) -> Any:
    """Do `work` in another thread while the calling one listens; return what it returns.

    For work of which single calls, as to sort a large array, take long and cannot be stopped.

    Parameters
    ----------
    work : callable
        Called with a function that it is to call wherever it can be stopped.
    check_interrupt : callable
        Called in the calling thread, often. What it raises is raised at once: the work is left
        to itself until it next calls its function. The process does not end before.

    Raises
    ------
    BaseException
        What `work`, or `check_interrupt`, raises.
    """
    held: list[tuple[str, type[Warning]]] = []
    results: list[Any] = []
    errors: list[BaseException] = []
    left, done = threading.Event(), threading.Event()

    def stop_if_left() -> None:
        if left.is_set():
            raise _LeftBehind

    def go() -> None:
        try:
            results.append(work(stop_if_left))
        except _LeftBehind:
            pass
        except BaseException as error:
            errors.append(error)
        finally:
            if left.is_set():
                # Who was interrupted may keep these lists, within a traceback.
                results.clear()
                errors.clear()
            done.set()

    # That of the caller, so that numpy.errstate holds there, too.
    context = copy_context()
    context.run(_check.held_warnings.set, held)
    try:
        threading.Thread(target=context.run, args=(go,), name="spikesim build").start()
        while not done.wait(_LISTEN_EVERY):
            check_interrupt()
    except BaseException:
        left.set()
        raise
    for warning in held:
        _check.warn(*warning)
    if errors:
        raise errors.pop()
    return results.pop()


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
