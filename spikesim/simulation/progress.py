"""The progress bar, or whatever stands in its place."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from typing import Any

from spikesim import _check

__all__ = ["Progress"]

_BAR_AFTER_SECONDS = 2.0
_BAR_EVERY_SECONDS = 0.1
_BUILD_AFTER_SECONDS = 0.3
_BUILD_FORMAT = "build: {desc} [{elapsed}]"
_RUN_FORMAT = (
    "simulate: {percentage:3.0f}% |{bar}| {n:.0f}/{total:.0f} ms{postfix} [{remaining} left]"
)


class Progress:
    """What is shown while a network is built and while it runs.

    Parameters
    ----------
    progress : bool, callable or None
        As in :func:`~spikesim.simulation.simulate`.
    first, last : int
        Steps between which the run goes.
    dt : float
        Time step (ms).
    """

    def __init__(
        self,
        progress: bool | Callable[[float, float], Any] | None,
        first: int,
        last: int,
        dt: float,
    ):
        if not (progress is None or isinstance(progress, bool) or callable(progress)):
            raise _check.ParameterTypeError(
                f"simulate.progress must be None, True, False or a function, got {progress!r}"
            )
        self._call = progress if callable(progress) else None
        self._first, self._n_steps, self._dt = first, last - first, dt
        self._bar: Any = None
        self._begun = self._next = math.inf
        self._made = time.perf_counter()
        shown = _on_terminal() if progress is None else progress is True
        if shown or self._call:
            self._next = self._made
            if progress is None:
                self._next += _BAR_AFTER_SECONDS

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *error: Any) -> None:
        self._close()

    def building(self, what: str) -> None:
        """Show that `what` is being built; to be called often."""
        now = time.perf_counter()
        if self._call or now < max(self._next, self._made + _BUILD_AFTER_SECONDS):
            return
        if self._bar is None:
            self._open(desc=what, bar_format=_BUILD_FORMAT)
        self._bar.refresh()
        self._next = now + _BAR_EVERY_SECONDS

    def running(self, done: int) -> None:
        """Open the bar of the run, at the step `done`, if there is one from the start."""
        if self._bar is not None:
            self._next = 0.0
        self._close()
        self._begun, self._at_first = time.perf_counter(), done - self._first
        if self._call is None and self._next <= self._begun:
            self._show(done - self._first)

    def __call__(self, done: int) -> None:
        """Show or tell that the step `done` is done, if it is time."""
        done -= self._first
        now = time.perf_counter()
        if now < self._next and done < self._n_steps or self._next == math.inf:
            return
        if self._call:
            self._call(done * self._dt, self._n_steps * self._dt)
        elif self._bar is not None or done < self._n_steps:
            self._show(done)
        self._next = time.perf_counter() + _BAR_EVERY_SECONDS

    def _show(self, done: int) -> None:
        if self._bar is None:
            self._open(
                total=self._n_steps * self._dt,
                initial=self._at_first * self._dt,
                unit="ms",
                bar_format=_RUN_FORMAT,
            )
        seconds = time.perf_counter() - self._begun
        if done > self._at_first and seconds > 0.0:
            speed = (done - self._at_first) * self._dt / 1000.0 / seconds
            self._bar.set_postfix_str(f"{speed:.3g} x real time", refresh=False)
        self._bar.n = done * self._dt
        self._bar.refresh()

    def _open(self, **options: Any) -> None:
        from tqdm import tqdm

        self._bar = tqdm(**options)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def _on_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()
