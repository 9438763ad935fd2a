"""Progress of long training runs: a bar, a callable, or nothing."""

from __future__ import annotations

import sys
from typing import Any

from spikesim.errors import ParameterTypeError

__all__ = ["Progress"]


class Progress:
    """Reports how far a loop is, as a context manager.

    Parameters
    ----------
    name : str
        Qualified name of the argument, for errors.
    wanted : bool, callable or None
        None: a bar on a terminal if the loop lasts longer than 2 s; True: a bar; False:
        nothing; a callable is given (done, total).
    total : int
        Turns of the loop.
    unit : str
        What a turn is called.
    """

    def __init__(self, name: str, wanted: Any, total: int, unit: str):
        if wanted is not None and not isinstance(wanted, bool) and not callable(wanted):
            raise ParameterTypeError(
                f"{name} must be None, True, False or callable, got {wanted!r}"
            )
        self._total = total
        self._bar: Any = None
        self._call = wanted if callable(wanted) else None
        if wanted is True or (wanted is None and sys.stderr is not None and sys.stderr.isatty()):
            from tqdm import tqdm

            self._bar = tqdm(
                total=total, unit=unit, leave=False, delay=2.0 if wanted is None else 0
            )

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def update(self, done: int) -> None:
        """Say that `done` turns are over."""
        if self._bar is not None:
            self._bar.update(done - self._bar.n)
        if self._call is not None:
            self._call(done, self._total)
