"""What figures of a recording are told: which one, which populations, which time."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes

from spikesim import _check
from spikesim.errors import ParameterError, ParameterTypeError

__all__ = ["interval", "known_recording", "population_names", "show_time"]


def known_recording(name: str, value: Any) -> Any:
    """Return `value` if it is a Recording."""
    if not all(hasattr(value, part) for part in ("populations", "start", "duration", "dt")):
        raise ParameterTypeError(f"{name} must be a Recording, got {_check._show(value)}")
    return value


def population_names(name: str, given: Any, recording: Any) -> list[str]:
    """Return the names of the populations to draw, by default all."""
    known = list(recording.populations)
    if given is None:
        return known
    names = [given] if isinstance(given, str) else list(given)
    if not names:
        raise ParameterError(f"{name} must name at least one population")
    return [_check.choice(name, each, known) for each in names]


def interval(name: str, start: Any, stop: Any, recording: Any) -> tuple[float, float]:
    """Return the part of time to draw (ms), by default all."""
    first, last = recording.start, recording.start + recording.duration
    whole = start is None and stop is None
    start = first if start is None else _check.scalar(f"{name}.start", start)
    stop = last if stop is None else _check.scalar(f"{name}.stop", stop)
    if stop <= start and not whole:
        raise ParameterError(f"{name}.stop must be greater than start = {start:g}, got {stop:g}")
    return start, stop


def show_time(ax: Axes, start: float, stop: float, dt: float) -> None:
    """Set the limits of the time axis, one step apart for a recording of no length."""
    ax.set_xlim(start, max(stop, start + dt))
