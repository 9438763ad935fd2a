"""A look at the clock while kernels are at work, as the thread that runs them cannot take one."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

__all__ = ["Watch"]

_LONGEST_CHUNK_SECONDS = 0.08


class Watch:
    """Has the kernels stop where a chunk takes longer than foreseen: somebody may press Ctrl-C.

    A network that wakes up may take a hundred times as long for a step as it did before.

    Parameters
    ----------
    stop : callable
        Asks the kernels to stop; called in a thread of its own, once or several times.
    at_once : bool
        Watch the first chunk, too, whose length is guessed. For a small network the thread would
        take longer to start than the chunk.
    """

    def __init__(self, stop: Callable[[], None], at_once: bool):
        self._stop, self._first = stop, 1 if at_once else 2
        self._until = math.inf
        self._n_chunks = 0
        self._closed = threading.Event()

    def begin(self) -> None:
        """Say that a chunk begins."""
        self._n_chunks += 1
        self._until = time.monotonic() + _LONGEST_CHUNK_SECONDS
        if self._n_chunks == self._first:
            threading.Thread(target=self._look, name="spikesim watch", daemon=True).start()

    def end(self) -> None:
        """Say that it has ended."""
        self._until = math.inf

    def close(self) -> None:
        """End the watch."""
        self._closed.set()

    def _look(self) -> None:
        while not self._closed.wait(_LONGEST_CHUNK_SECONDS / 4):
            if time.monotonic() > self._until:
                self._stop()
