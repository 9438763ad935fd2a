"""How many steps to do next, and on how many threads, so that chunks are short and soon done.

A second thread does not always help: where another program keeps the cores busy, threads wait for
each other at every stretch and all of them get slower than one. As the number of threads changes
no bit of a result, a run may try and see.
"""

from __future__ import annotations

__all__ = ["Pace"]

_CHUNK_SECONDS = 0.03
_TRIAL_SECONDS = 0.005
# How often the number of threads that is not in use is tried again.
_CHUNKS_BETWEEN_TRIALS = 50


class Pace:
    """The length of the next chunk and its number of threads, from how long those before took.

    Parameters
    ----------
    threads : int
        Threads to use.
    steps_per_second : float
        A first guess.
    free : bool
        Whether one thread may be used instead where that is quicker.

    Attributes
    ----------
    threads : int
        For the next chunk.
    steps : int
        Its length.
    """

    def __init__(self, threads: int, steps_per_second: float, free: bool):
        self._most, self._free = threads, free and threads > 1
        self._speeds = {threads: steps_per_second}
        self._chunks = 0
        self.threads = threads
        self.steps = max(1, int(_CHUNK_SECONDS / 4 * steps_per_second))

    def report(self, steps: int, seconds: float) -> None:
        """Take note of what the last chunk took, and decide on the next."""
        speed = steps / max(seconds, 1e-9)
        self._speeds[self.threads] = speed
        self._chunks += 1
        wanted, length = self.threads, _CHUNK_SECONDS
        if self._free:
            if self._chunks % _CHUNKS_BETWEEN_TRIALS == 2:
                wanted = 1 if self.threads == self._most else self._most
                length = _TRIAL_SECONDS
            else:
                wanted = max(self._speeds, key=lambda threads: self._speeds[threads])
        self.threads = wanted
        expected = self._speeds.get(wanted, speed)
        self.steps = max(1, min(4 * max(steps, self.steps), int(length * expected)))
