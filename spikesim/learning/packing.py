"""What training leaves behind, as JSON and arrays: states of rules, networks, encoders, readouts.

Everything is built of numbers, text, None, arrays, and of tuples, lists, dicts, named tuples and
dataclasses of such. Packing keeps every bit of it. A class is stored by the name of its module
and its own, and made again by calling it, so that a dataclass checks what it is given; a file
holds no code. Of classes that a file names, only those of spikesim and those that the reader
knows are made.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import json
import sys
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from spikesim.errors import DamagedFileError, ParameterError, ParameterTypeError, UnitWarning

__all__ = ["Packed", "classes_in", "digest", "pack", "unpack"]

_KEPT = ("float64", "float32", "int64", "int32")
_WIDER = ("bool", "int8", "int16", "uint8", "uint16", "uint32", "uint64")
_PLAIN = (bool, int, float, str, type(None))


class Packed(NamedTuple):
    """A value in parts: what JSON can hold, and arrays by their digests, which it names."""

    tree: Any
    arrays: dict[str, np.ndarray]


def pack(name: str, value: Any) -> Packed:
    """Take a value apart.

    Parameters
    ----------
    name : str
        What it is, for the message.
    value : object
        Numbers, text, None, arrays, and tuples, lists, dicts, named tuples and dataclasses of
        such.

    Returns
    -------
    Packed

    Raises
    ------
    ParameterTypeError
        Something that no file can hold, such as a function; the message says where it is.
    """
    arrays: dict[str, np.ndarray] = {}
    return Packed(_packed(name, value, arrays), arrays)


def unpack(
    path: Path, tree: Any, arrays: Mapping[str, np.ndarray], known: Iterable[type] = ()
) -> Any:
    """Put together what :func:`pack` took apart.

    Parameters
    ----------
    path : Path
        Where it was stored, for the message.
    tree, arrays
        Parts of a :class:`Packed`.
    known : iterable of type
        Classes besides those of spikesim that may be made.

    Raises
    ------
    ParameterError
        A class that is not known.
    DamagedFileError
        Parts that :func:`pack` cannot have made.
    """
    classes = {_name_of(kind): kind for kind in known}
    try:
        return _unpacked(tree, arrays, classes)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        if isinstance(error, (DamagedFileError, _UnknownClassError)):
            raise
        raise DamagedFileError(
            f"what {path} holds does not fit together ({type(error).__name__}: {error}); it is of "
            "another version of spikesim"
        ) from error


def digest(packed: Packed) -> str:
    """Return a number for a value, equal for equal values and, in practice, for no others."""
    return hashlib.sha256(json.dumps(packed.tree).encode()).hexdigest()


class _UnknownClassError(ParameterError):
    pass


def _packed(name: str, value: Any, arrays: dict[str, np.ndarray]) -> Any:
    if type(value) in _PLAIN:
        return value
    if isinstance(value, (np.ndarray, np.generic)):
        return _packed_array(name, value, arrays)
    if type(value) in (list, tuple):
        items = [_packed(f"{name}[{i}]", item, arrays) for i, item in enumerate(value)]
        return {type(value).__name__: items}
    if type(value) is dict:
        pairs = [
            [_packed(f"a key of {name}", k, arrays), _packed(f"{name}[{k!r}]", v, arrays)]
            for k, v in value.items()
        ]
        return {"dict": pairs}
    fields = _fields(type(value))
    if fields is None or isinstance(value, type):
        shown = repr(value)
        raise ParameterTypeError(
            f"{name} is {shown if len(shown) < 80 else shown[:77] + '...'}, which a file cannot "
            "hold: only numbers, text, arrays, tuples, lists, dicts and dataclasses of such"
        )
    parts = {field: _packed(f"{name}.{field}", getattr(value, field), arrays) for field in fields}
    return {"class": _name_of(type(value)), "fields": parts}


def _packed_array(name: str, value: Any, arrays: dict[str, np.ndarray]) -> Any:
    array = np.asarray(value)
    kind = array.dtype.name
    if kind not in _KEPT + _WIDER:
        raise ParameterTypeError(
            f"{name} is an array of {array.dtype}, which a file cannot hold; make it one of "
            "float64 or int64"
        )
    # As bits, for whole numbers of 64 bits without sign go beyond those with one.
    kept = array if kind in _KEPT else array.astype(np.uint64).astype(np.int64)
    # Named by what it holds: weights that two networks share are stored once.
    content = hashlib.sha256(f"{kept.dtype.str}{kept.shape}".encode())
    content.update(np.ascontiguousarray(kept).tobytes())
    key = content.hexdigest()[:32]
    arrays[key] = kept
    about = {"array": key, "type": kind}
    return about | {"scalar": True} if isinstance(value, np.generic) else about


def _unpacked(tree: Any, arrays: Mapping[str, np.ndarray], classes: dict[str, type]) -> Any:
    if type(tree) in _PLAIN:
        return tree
    if "array" in tree:
        array = arrays[tree["array"]].astype(tree["type"], copy=False)
        return array[()] if tree.get("scalar") else array
    if "class" in tree:
        kind = _class_of(tree["class"], classes)
        values = {name: _unpacked(item, arrays, classes) for name, item in tree["fields"].items()}
        with warnings.catch_warnings():
            # Whoever made it first was asked about its units.
            warnings.simplefilter("ignore", UnitWarning)
            return kind(**values)
    ((kind_of_items, items),) = tree.items()
    if kind_of_items == "dict":
        return {
            _unpacked(key, arrays, classes): _unpacked(value, arrays, classes)
            for key, value in items
        }
    sequence = {"list": list, "tuple": tuple}[kind_of_items]
    return sequence(_unpacked(item, arrays, classes) for item in items)


def _fields(kind: type) -> tuple[str, ...] | None:
    """Return what a class is called with, None if it is no named tuple and no dataclass."""
    if dataclasses.is_dataclass(kind):
        return tuple(field.name for field in dataclasses.fields(kind) if field.init)
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return kind._fields
    return None


def _name_of(kind: type) -> str:
    """Return where a class is found: in the part of spikesim that shows it, else its module."""
    module, name = kind.__module__, kind.__qualname__
    if module.startswith("spikesim."):
        shown_by = ".".join(module.split(".")[:2])
        if getattr(sys.modules.get(shown_by), name, None) is kind:
            module = shown_by
    return f"{module}:{name}"


def _class_of(name: str, classes: dict[str, type]) -> type:
    if name in classes:
        return classes[name]
    module, _, qualname = name.partition(":")
    if not module.startswith("spikesim.") or "__" in name:
        raise _UnknownClassError(
            f"the file holds a {qualname} of {module}; only classes of spikesim are made without "
            "being told: give this one as well (known=...)"
        )
    kind: Any = importlib.import_module(module)
    for part in qualname.split("."):
        kind = getattr(kind, part)
    own = isinstance(kind, type) and kind.__module__.startswith("spikesim.")
    if not own or _fields(kind) is None:
        raise ValueError(f"{name} is no class that a file can hold")
    return kind


def classes_in(value: Any) -> set[type]:
    """Return the classes that :func:`unpack` must know to make `value` again."""
    found: set[type] = set()
    if isinstance(value, (list, tuple)):
        parts: Iterable[Any] = value
    elif isinstance(value, dict):
        parts = value.values()
    else:
        parts = ()
    fields = None if isinstance(value, type) else _fields(type(value))
    if fields is not None:
        found.add(type(value))
        parts = [getattr(value, field) for field in fields]
    for part in parts:
        found |= classes_in(part)
    return found
