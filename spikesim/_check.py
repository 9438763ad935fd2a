"""Validation at the door: every check that a public function or dataclass makes.

Each check takes the qualified name of the argument (``"LIF.tau_m"``), raises an error that
names it together with the offending value and what is allowed, and returns the value in the
form the rest of the package works with. Kernels never check.
"""

from __future__ import annotations

import difflib
import functools
import inspect
import math
import numbers
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spikesim.errors import (
    ParameterError,
    ParameterIndexError,
    ParameterTypeError,
    UnitWarning,
)

FloatArray = NDArray[np.float64]
Thing = TypeVar("Thing", bound=Callable[..., Any])

_MOST_STEPS = 2**53
# Below this a number of pF, pA or nS was given in farads, amperes or siemens; above, in the unit
# 1000 times as large (nF, nA, uS), as a time in seconds or a potential in volts is.
_NO_PREFIX = 1e-6
_WITHOUT_PREFIX = {"pF": 1e12, "pA": 1e12, "nS": 1e9}


def float_array(name: str, value: ArrayLike, *, finite: bool = True, copy: bool = False) -> Any:
    """Convert `value` to a C-contiguous float64 array, or say why it cannot be one.

    Parameters
    ----------
    name : str
        Qualified name of the argument, for the message.
    value : array_like
        Numbers; lists, masked arrays without masked entries, and objects with
        ``__array__`` (data frames) are converted.
    finite : bool, default True
        Refuse NaN and infinities. When False only NaN is refused.
    copy : bool, default False
        Return memory that the caller cannot reach.

    Raises
    ------
    ParameterTypeError
        Text, objects, or sparse matrices.
    ParameterError
        Complex numbers, masked entries, NaN, infinities, integers beyond 2**53.
    """
    _refuse_masked(name, value)
    if hasattr(value, "tocsr") and not isinstance(value, np.ndarray):
        raise ParameterTypeError(
            f"{name} is a sparse {type(value).__name__}; convert it with .toarray()"
        )
    try:
        array = np.asarray(value)
    except (ValueError, TypeError) as error:
        raise ParameterTypeError(f"{name} must be an array of numbers: {error}") from None
    if array.dtype == object:
        try:
            array = array.astype(np.float64)
        except (TypeError, ValueError):
            raise ParameterTypeError(
                f"{name} must hold numbers only, got {_sample(array)}{_place(array)}"
            ) from None
        except OverflowError:
            raise ParameterError(
                f"{name} holds integers beyond 1.8e308, the largest number in double precision"
            ) from None
    if array.dtype.kind not in "biuf":
        if array.dtype.kind == "c":
            raise ParameterError(f"{name}: complex data not supported")
        raise ParameterTypeError(f"{name} must hold numbers, got {_sample(value)}{_place(value)}")
    if array.dtype.kind in "iu" and array.itemsize == 8 and array.size:
        if array.max() > 2**53 or array.min() < -(2**53):
            raise ParameterError(
                f"{name} holds integers beyond 2**53, which double precision cannot represent"
            )
    result = np.array(array, dtype=np.float64, order="C", copy=True if copy else None)
    bad = ~np.isfinite(result) if finite else np.isnan(result)
    if bad.any():
        index = _first(bad)
        raise ParameterError(
            f"{name}{index} is {result[bad].flat[0]}; "
            f"{'finite numbers' if finite else 'numbers other than NaN'} are allowed"
        )
    return result


def scalar(name: str, value: Any, *, finite: bool = True) -> float:
    """Convert `value` to a float; refuse arrays, text, booleans and NaN."""
    if type(value) is float and math.isfinite(value):
        return value
    _refuse_masked(name, value)
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real):
        if not (isinstance(value, np.ndarray) and value.ndim == 0 and value.dtype.kind in "iuf"):
            raise ParameterTypeError(f"{name} must be a number, got {_show(value)}")
    try:
        result = float(value)
    except OverflowError:
        raise ParameterError(
            f"{name} must be at most 1.8e308, the largest number in double precision"
        ) from None
    if math.isnan(result) or (finite and math.isinf(result)):
        wanted = "finite" if finite else "a number other than NaN"
        raise ParameterError(f"{name} must be {wanted}, got {result}")
    return result


def number_or_array(name: str, value: Any, *, finite: bool = True) -> Any:
    """Return a number as a float, anything else as a read-only float64 array of our own."""
    try:
        single = type(value) is float or np.ndim(value) == 0
    except ValueError:
        single = False  # Lists of several lengths: said by float_array.
    if single:
        return scalar(name, value, finite=finite)
    array = float_array(name, value, finite=finite, copy=True)
    array.flags.writeable = False
    return array


def per_neuron(
    name: str,
    value: Any,
    *,
    low: float | None = None,
    strict: bool = False,
    finite: bool = True,
) -> Any:
    """Return a number, or an array of one value a neuron; at least, or above, `low`."""
    stored = number_or_array(name, value, finite=finite)
    if isinstance(stored, float) and (low is None or stored > low):
        return stored
    if np.ndim(stored) > 1:
        raise ParameterError(
            f"{name} must be a number or have one value a neuron, got shape {stored.shape}"
        )
    if low is not None:
        bad = np.asarray(stored <= low if strict else stored < low)
        if bad.any():
            raise ParameterError(
                f"{name}{_first(bad)} must be {'greater than' if strict else 'at least'} {low:g}, "
                f"got {np.asarray(stored)[bad].flat[0]:g}"
            )
    return stored


def positive(name: str, value: Any) -> float:
    """Convert `value` to a float greater than zero."""
    result = scalar(name, value)
    if result <= 0.0:
        raise ParameterError(f"{name} must be greater than 0, got {result:g}")
    return result


def positive_below(name: str, value: Any, high: float) -> float:
    """Convert `value` to a float greater than zero and less than `high`."""
    result = positive(name, value)
    if result >= high:
        raise ParameterError(f"{name} must be less than {high:g}, got {result:g}")
    return result


def non_negative(name: str, value: Any) -> float:
    """Convert `value` to a float of at least zero."""
    result = scalar(name, value)
    if result < 0.0:
        raise ParameterError(f"{name} must be at least 0, got {result:g}")
    return result


def in_range(name: str, value: Any, low: float, high: float) -> float:
    """Convert `value` to a float within ``[low, high]``."""
    result = scalar(name, value)
    if not low <= result <= high:
        raise ParameterError(f"{name} must lie in [{low:g}, {high:g}], got {result:g}")
    return result


def integer(name: str, value: Any, *, minimum: int | None = None) -> int:
    """Convert `value` to an int; refuse booleans, text and floats, integral or not."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Integral):
        raise ParameterTypeError(f"{name} must be an integer, got {_show(value)}")
    result = int(value)
    if minimum is not None and result < minimum:
        raise ParameterError(f"{name} must be at least {minimum}, got {result}")
    return result


def boolean(name: str, value: Any) -> bool:
    """Return `value` if it is True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise ParameterTypeError(f"{name} must be True or False, got {_show(value)}")
    return bool(value)


def choice(name: str, value: Any, allowed: Sequence[str]) -> str:
    """Return `value` if it is one of `allowed`; suggest the nearest one otherwise."""
    if not isinstance(value, str) or value not in allowed:
        raise ParameterError(
            f"{name} must be one of {', '.join(map(repr, allowed))}, "
            f"got {_show(value)}{did_you_mean(value, allowed)}"
        )
    return value


def instance(name: str, value: Any, kinds: type | tuple[type, ...], wanted: str) -> Any:
    """Return `value` if it is an instance of `kinds`; `wanted` says it in words."""
    if not isinstance(value, kinds):
        raise ParameterTypeError(f"{name} must be {wanted}, got {_show(value)}")
    return value


def shape(name: str, array: np.ndarray, wanted: tuple[int | None, ...]) -> None:
    """Refuse `array` unless its shape is `wanted`; None stands for any length."""
    fits = array.ndim == len(wanted) and all(
        want is None or have == want for have, want in zip(array.shape, wanted, strict=True)
    )
    if not fits:
        text = ", ".join("any" if w is None else str(w) for w in wanted)
        raise ParameterError(
            f"{name} must have shape ({text}{',' if len(wanted) == 1 else ''}), got {array.shape}"
        )


def indices(name: str, value: ArrayLike, size: int | None) -> NDArray[np.int64]:
    """Convert `value` to int64 indices into something of length `size`, None if not yet known.

    Floats are taken only if they are whole; negative indices never wrap around.
    """
    _refuse_masked(name, value)
    try:
        array = np.asarray(value)
    except (ValueError, TypeError) as error:
        raise ParameterTypeError(f"{name} must be an array of integers: {error}") from None
    if array.dtype.kind == "f" or array.dtype == object:
        array = float_array(name, array)
        if np.any(array != np.floor(array)):
            index = _first(array != np.floor(array))
            raise ParameterTypeError(f"{name}{index} must be a whole number")
    elif array.size and array.dtype.kind not in "iu":
        raise ParameterTypeError(f"{name} must hold integers, got {_sample(value)}{_place(value)}")
    outside = (array < 0) | (array >= (2**62 if size is None else size))
    if np.any(outside):
        bad = float(array[outside].flat[0])
        allowed = f"indices from 0 to {(size or 0) - 1} are allowed"
        if size is None:
            allowed = "it must be at least 0" if bad < 0.0 else "no population is that large"
        raise ParameterIndexError(f"{name}{_first(outside)} is {bad:g}; {allowed}")
    return np.ascontiguousarray(array, dtype=np.int64)


def n_steps(name: str, duration: Any, dt: float, *, minimum: int = 0) -> int:
    """Express a duration in steps of `dt`; it must lie on the grid, see :func:`off_grid`."""
    value = non_negative(name, duration)
    if value / dt > _MOST_STEPS:
        raise ParameterError(
            f"{name} must be shorter: {value:g} ms are more than 2**53 steps of dt = {dt!r} ms"
        )
    steps = round(value / dt)
    if value != steps * dt and off_grid(value, steps, dt):
        raise ParameterError(
            f"{name} must be a multiple of dt = {dt!r} ms, got {value!r} ms; "
            f"the nearest multiples are {math.floor(value / dt) * dt:.10g} "
            f"and {math.ceil(value / dt) * dt:.10g}"
        )
    if steps < minimum:
        raise ParameterError(
            f"{name} must be at least {minimum} step(s) of dt = {dt!r} ms, got {value:g} ms"
        )
    return steps


def off_grid(times: Any, steps: Any, dt: float) -> Any:
    """Return where `times` (ms) differ from ``steps * dt`` by more than rounding explains.

    That is by 1e-9 of their value, but never by more than a thousandth of a step as long as
    double precision can tell.
    """
    times = np.asarray(times, dtype=np.float64)
    tolerance = np.minimum(1e-9 * np.maximum(times, dt), 1e-3 * dt)
    return np.abs(times - steps * dt) > np.maximum(tolerance, 2.0 * np.spacing(times))


def path(name: str, value: Any) -> Path:
    """Return `value` as a path if it is one: text or ``os.PathLike``, not empty."""
    if isinstance(value, str) or isinstance(value, os.PathLike):
        text = os.fspath(value)
        if isinstance(text, str):
            if not text or "\0" in text:
                raise ParameterError(f"{name} must name a file, got {_show(value)}")
            return Path(text)
    raise ParameterTypeError(f"{name} must be a path, got {_show(value)}")


@contextmanager
def located(place: str) -> Iterator[None]:
    """Add to an error of a check the place that its value belongs to."""
    try:
        yield
    except (ParameterError, ParameterTypeError, ParameterIndexError) as error:
        raise type(error)(f"{error} ({place})") from None


# Where the warnings of a thread wait for the one that has that line among its callers.
held_warnings: ContextVar[list[tuple[str, type[Warning]]] | None] = ContextVar(
    "held_warnings", default=None
)


def warn(message: str, category: type[Warning]) -> None:
    """Give a warning that points to the line outside the package that led to it."""
    held = held_warnings.get()
    if held is not None:
        held.append((message, category))
        return
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("spikesim"):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


def ask_about_unit(name: str, value: float, limit: float, unit: str, verb: str = "is") -> bool:
    """Warn of a number that no model has, below `limit` in magnitude but not zero.

    Such a number was given in a larger unit; the message proposes what it is in `unit`.

    Returns
    -------
    bool
        Whether there was a warning.
    """
    if not 0.0 < abs(value) < limit:
        return False
    factor = _WITHOUT_PREFIX.get(unit, 1e3) if abs(value) < _NO_PREFIX else 1e3
    warn(
        f"{name} {verb} {value:g} {unit}; should it be {factor * value:g}? Times are in ms, "
        "potentials in mV, currents in pA, conductances in nS, capacitances in pF",
        UnitWarning,
    )
    return True


def seed_sequence(name: str, value: Any) -> np.random.SeedSequence:
    """Turn an int, a SeedSequence, a Generator or None (fresh entropy) into a SeedSequence."""
    if value is None:
        return np.random.SeedSequence()
    if isinstance(value, np.random.SeedSequence):
        return value
    if isinstance(value, np.random.Generator):
        words = value.integers(0, 2**32, size=4, dtype=np.uint64)
        return np.random.SeedSequence([int(w) for w in words])
    result = integer(name, value)
    if result < 0:
        raise ParameterError(f"{name} must be at least 0, got {result}")
    return np.random.SeedSequence(result)


def generator(name: str, value: Any) -> np.random.Generator:
    """Turn an int, a SeedSequence, a Generator or None into a Generator."""
    if isinstance(value, np.random.Generator):
        return value
    return np.random.default_rng(seed_sequence(name, value))


def known_keywords(
    name: str, given: Iterable[str], allowed: Sequence[str], hints: Mapping[str, str] | None = None
) -> None:
    """Refuse keywords outside `allowed`, with a hint or the nearest one as a suggestion."""
    for keyword in given:
        if keyword not in allowed:
            if hints and keyword in hints:
                raise ParameterTypeError(f"{name} has no parameter {keyword!r}; {hints[keyword]}")
            raise ParameterTypeError(
                f"{name} has no parameter {keyword!r}{did_you_mean(keyword, allowed)}; "
                f"it has {', '.join(allowed) or 'none'}"
            )


def suggest_keywords(thing: Thing) -> Thing:
    """Make a class or function name the nearest parameter when it is given an unknown one.

    A class may say in ``_hints`` what to do instead of giving it a parameter of some name.
    """
    is_class = isinstance(thing, type)
    called = thing.__init__ if is_class else thing
    allowed = tuple(name for name in inspect.signature(called).parameters if name != "self")

    @functools.wraps(called)
    def checked(*args: Any, **keywords: Any) -> Any:
        if not keywords.keys() <= known:
            hints = getattr(thing, "_hints", None)
            known_keywords(thing.__name__, keywords, allowed, hints)
        return called(*args, **keywords)

    known = frozenset(allowed)
    if is_class:
        setattr(thing, "__init__", checked)  # noqa: B010 (mypy refuses the plain assignment)
        return thing
    return checked  # type: ignore[return-value]


def did_you_mean(value: Any, allowed: Sequence[str]) -> str:
    """Return a hint at the allowed text that is most like `value`, or nothing if none is."""
    near = [name for name in allowed if name.lower() == str(value).lower()]
    near = near or difflib.get_close_matches(str(value), allowed, n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def _refuse_masked(name: str, value: Any) -> None:
    if np.ma.isMaskedArray(value) and np.any(np.ma.getmaskarray(value)):
        first = _first(np.ma.getmaskarray(value))
        raise ParameterError(f"{name}{first} is masked; fill or drop masked values first")


def _first(mask: Any) -> str:
    """Return the first true position of `mask` as ``[i, j]``, or nothing for a scalar."""
    mask = np.asarray(mask)
    if mask.ndim == 0:
        return ""
    return "[" + ", ".join(str(int(i)) for i in np.argwhere(mask)[0]) + "]"


def _not_numbers(value: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return `value` as objects, and where they are something else than a number."""
    objects = np.asarray(value, dtype=object)
    flat = [not isinstance(item, numbers.Real) for item in objects.flat]
    return objects, np.array(flat, dtype=bool).reshape(objects.shape)


def _sample(value: Any) -> str:
    """Show the first thing that is no number, or else the first thing."""
    objects, bad = _not_numbers(value)
    if not objects.size:
        return f"dtype {np.asarray(value).dtype}"
    return _show(objects[bad].flat[0] if bad.any() else objects.flat[0])


def _place(value: Any) -> str:
    """Say where :func:`_sample` found it."""
    _, bad = _not_numbers(value)
    return f" at {_first(bad)}" if bad.ndim and bad.any() else ""


def _show(value: Any) -> str:
    text = repr(value)
    if len(text) > 60:
        text = text[:57] + "..."
    return f"{text} ({type(value).__name__})"
