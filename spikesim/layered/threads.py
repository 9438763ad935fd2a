"""Trials shared out among threads, in parts that do not depend on how many threads there are."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

__all__ = ["in_parts"]

_inside = threading.local()

# Parts of a batch of at least so many trials: few, as each costs its own call and its own sums.
_PARTS = ((256, 8), (64, 4), (32, 2), (0, 1))
# Nanoseconds of work below which to wake another thread takes longer than it saves.
_WORTH_THREADS = 800_000
_pool: tuple[int, ThreadPoolExecutor] | None = None


def in_parts(
    work: Callable[[int, int], Any], n_trials: int, cost: float, *, alike: bool = False
) -> list[Any]:
    """Call ``work(first, last)`` for parts of the trials; return the results in order.

    What `work` itself calls does its trials in one part, in the same thread.

    Parameters
    ----------
    work : callable
        Does the trials from `first` to `last`, without the latter.
    n_trials : int
        Number of trials. It alone decides on the parts, so that sums over them have the same
        bits on any machine.
    cost : float
        About how many nanoseconds the whole takes one thread.
    alike : bool, default False
        Whether the parts make no difference to what is done, as without a sum over trials; one
        thread then does the whole at once.
    """
    if getattr(_inside, "busy", False):
        return [work(0, n_trials)]

    def do(first: int, last: int) -> Any:
        _inside.busy = True
        try:
            return work(first, last)
        finally:
            _inside.busy = False

    n_parts = next(parts for least, parts in _PARTS if n_trials >= least)
    bounds = [n_trials * part // n_parts for part in range(n_parts + 1)]
    pairs = list(zip(bounds[:-1], bounds[1:], strict=True))
    if n_parts == 1 or cost < _WORTH_THREADS or _n_threads() == 1:
        if alike:
            return [do(0, n_trials)]
        return [do(first, last) for first, last in pairs]
    jobs = [_threads().submit(do, first, last) for first, last in pairs]
    return [job.result() for job in jobs]


def _n_threads() -> int:
    from numba import config

    return config.NUMBA_NUM_THREADS


def _threads() -> ThreadPoolExecutor:
    """Return the threads of this process, which a fork does not inherit."""
    global _pool
    if _pool is None or _pool[0] != os.getpid():
        executor = ThreadPoolExecutor(_n_threads(), thread_name_prefix="spikesim-trials")
        _pool = os.getpid(), executor
    return _pool[1]
