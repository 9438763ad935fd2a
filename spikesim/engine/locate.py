"""Which step made a variable infinite, and which variable it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from spikesim.engine.built import Built
from spikesim.errors import NonFiniteStateError

__all__ = ["failure", "first_failure"]

Arrays = Mapping[str, np.ndarray]


def first_failure(
    advance: Callable[[Arrays, int, int], tuple[Arrays, bool]], arrays: Arrays, done: int, last: int
) -> tuple[Arrays, int]:
    """Find a step before which the state was finite and after which it is not.

    Parameters
    ----------
    advance : callable
        ``advance(arrays, done, last)`` returns the state after the step `last`, and whether it
        is finite.
    arrays : mapping of str to ndarray
        The state after the step `done`, finite.
    done, last : int
        After the step `last` it is not finite.

    Returns
    -------
    arrays : mapping of str to ndarray
        The state after the step found.
    step : int
    """
    while last - done > 1:
        middle = (done + last) // 2
        found, finite = advance(arrays, done, middle)
        if finite:
            arrays, done = found, middle
        else:
            last = middle
    return advance(arrays, done, last)[0], last


def failure(built: Built, arrays: Arrays, done: int, last: int) -> NonFiniteStateError:
    """Return the error for the state after the step `last`, which was finite after `done`."""
    when = f"at t = {last * built.dt:g} ms"
    if last - done > 1:
        when = f"between t = {done * built.dt:g} and {last * built.dt:g} ms"
    for name, array in arrays.items():
        population, _, variable = name.rpartition(".")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            place = tuple(np.argwhere(~np.isfinite(array))[0])
            neuron = place[1] if variable == "rates" else place[0]
            said = {"v": "v", "a": "a", "rates": "rate"}.get(variable, "i_syn or g_syn")
            return NonFiniteStateError(
                f"{said} of neuron {neuron} of population {population!r} became {array[place]} "
                f"{when}; check weights and currents (the error's .recording holds what was "
                "recorded before)"
            )
    return NonFiniteStateError(f"a variable became infinite {when}")
