"""Ctrl-C: noted while a simulation is at work, obeyed where nothing is left half done."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from spikesim.recording import Recording

__all__ = ["Interrupts", "SimulationInterrupted"]


class SimulationInterrupted(KeyboardInterrupt):
    """Ctrl-C during a simulation.

    Attributes
    ----------
    recording : Recording or None
        What was recorded until then; None if the network was still being built.
    """

    recording: Recording | None = None


class Interrupts:
    """Ctrl-C noted instead of raised at once, so that a stretch is never left half done.

    A second Ctrl-C is raised, for whoever cannot wait, but never within :meth:`whole`. Only where
    Python's own handler is in charge, and in the main thread, where it is called.

    Attributes
    ----------
    noted : bool
        Whether there was one.
    """

    def __init__(self) -> None:
        self.noted = False
        self._twice = self._whole = self._replaced = False

    def __enter__(self) -> Interrupts:
        self._replaced = (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        )
        if self._replaced:
            signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *error: Any) -> None:
        if self._replaced:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def check(self) -> None:
        """Raise KeyboardInterrupt if there was a Ctrl-C."""
        if self.noted:
            raise KeyboardInterrupt

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Hold back a second Ctrl-C, too, for a short while: files are being written."""
        self._whole, self._twice = True, False
        try:
            yield
        finally:
            self._whole = False
        if self._twice:
            raise KeyboardInterrupt

    def _note(self, number: int, frame: Any) -> None:
        first, self.noted = not self.noted, True
        if self._whole:
            self._twice = not first
        elif not first:
            raise KeyboardInterrupt
