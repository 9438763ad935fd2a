"""A digest of a description: equal for equal networks, another for different ones.

Data count by type, name and value. Functions of the user count by what they compute: bytecode,
constants, defaults, and all that they take from around them, functions in turn; functions of
installed packages count by name. Bytecode is that of one version of Python, so that a network with
a function of the user has another digest in another version. An object that shows nothing of
itself equals itself alone, in this process.
"""

from __future__ import annotations

import functools
import hashlib
import os
import sys
import sysconfig
import types
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

__all__ = ["digest_of"]

_PLAIN = (type(None), bool, int, float, complex, str, bytes, type(Ellipsis), range, slice)
_LIBRARIES = tuple(
    os.path.join(path, "")
    for name, path in sysconfig.get_paths().items()
    if name in ("stdlib", "platstdlib", "purelib", "platlib")
)
_THIS_PROCESS = os.urandom(16)


def digest_of(description: Any) -> str:
    """Return the SHA-256 of a description made of dataclasses, arrays, values and functions."""
    feeder = _Feeder()
    feeder.feed(description)
    return feeder.digest.hexdigest()


class _Feeder:
    """Feeds values to one digest.

    Attributes
    ----------
    digest : hashlib object
        What the values go into.
    seen : dict
        Number of each function and class met so far: it may lead back to itself.
    """

    def __init__(self) -> None:
        self.digest = hashlib.sha256()
        self.seen: dict[int, int] = {}

    def feed(self, value: Any) -> None:
        """Feed one value with all that belongs to it."""
        if isinstance(value, (types.FunctionType, type)):
            self._code(value)
        elif callable(getattr(value, "py_func", None)):  # Compiled by Numba.
            self._text("compiled")
            self._code(value.py_func)
        elif isinstance(value, _PLAIN):
            self._text(f"{type(value).__name__} {value!r}")
        elif isinstance(value, np.ndarray) and value.dtype != object:
            self._text(f"{value.dtype}{value.shape}")
            self.digest.update(np.ascontiguousarray(value).data)
        else:
            self.feed(type(value))
            self._parts(value)

    def _parts(self, value: Any) -> None:
        if is_dataclass(value):
            self._all((item.name, getattr(value, item.name)) for item in fields(value))
        elif isinstance(value, (list, tuple)):
            self._all(value)
        elif isinstance(value, np.ndarray):
            self._all(value.tolist())
        elif isinstance(value, Mapping):
            self._all(value.items())
        elif isinstance(value, (set, frozenset)):
            self._all(sorted(digest_of(item) for item in value))
        elif isinstance(value, types.SimpleNamespace):
            self._all(vars(value).items())
        elif isinstance(value, types.MethodType):
            self._all((value.__func__, value.__self__))
        elif isinstance(value, functools.partial):
            self._all((value.func, value.args, value.keywords))
        elif isinstance(value, types.CodeType):
            self._all((value.co_code, value.co_names, value.co_consts, value.co_exceptiontable))
        elif isinstance(value, types.ModuleType):
            self._text(value.__name__)
        else:
            known = _is_installed(value)
            self._text(_name(value) if known else repr(value))
            if not known and " at 0x" in repr(value):
                self.digest.update(_THIS_PROCESS)

    def _all(self, values: Any) -> None:
        values = list(values)
        self._text(str(len(values)))
        for value in values:
            self.feed(value)

    def _text(self, text: str) -> None:
        self.digest.update(f"{len(text)} {text};".encode())

    def _code(self, value: Any) -> None:
        """Feed a function or a class: by name if that finds it in a package, else by content."""
        if id(value) in self.seen:
            self._text(f"again {self.seen[id(value)]}")
            return
        self.seen[id(value)] = len(self.seen)
        if _is_installed(value):
            self._text(_name(value))
        elif isinstance(value, type):
            self._text(_name(value))
            self._all(value.__bases__)
            self._all(_members(value))
        else:
            self._all((value.__code__, value.__defaults__, value.__kwdefaults__))
            self._all(_surroundings(value))


def _name(value: Any) -> str:
    return f"{value.__module__}.{value.__qualname__}"


def _is_installed(value: Any) -> bool:
    """Return whether `value` is what an installed module calls by its name."""
    module = sys.modules.get(str(getattr(value, "__module__", None)))
    if module is None or not _is_library(module):
        return False
    found: Any = module
    for part in str(getattr(value, "__qualname__", "")).split("."):
        found = getattr(found, part, None)
    return found is value


def _is_library(module: types.ModuleType) -> bool:
    """Return whether a module comes with Python, an installed package or this one."""
    if module.__name__.split(".")[0] == "spikesim":
        return True
    path = getattr(module, "__file__", None)
    if path is None:  # Compiled into Python, or typed at the prompt.
        return module.__name__ in sys.builtin_module_names
    return os.path.abspath(path).startswith(_LIBRARIES)


def _members(kind: type) -> Iterator[tuple[str, Any]]:
    """Yield what the body of a class computes with: methods, properties and values."""
    for name, member in vars(kind).items():
        if name.startswith("__") and name not in ("__call__", "__post_init__"):
            continue
        if isinstance(member, (staticmethod, classmethod)):
            yield name, member.__func__
        elif isinstance(member, property):
            yield name, member.fget
        elif not name.startswith("_abc_"):
            yield name, member


def _surroundings(function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    """Yield what a function takes from around it: its closure, and globals that it names."""
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:  # Not yet assigned.
            yield name, None
    names = sorted(_names(function.__code__))
    for name in names:
        if name not in function.__globals__:
            continue
        value = function.__globals__[name]
        yield name, value
        if isinstance(value, types.ModuleType) and not _is_library(value):
            for attribute in names:
                if hasattr(value, attribute):
                    yield attribute, getattr(value, attribute)


def _names(code: types.CodeType) -> set[str]:
    """Return the names that a function and the functions within it use."""
    within = [_names(inner) for inner in code.co_consts if isinstance(inner, types.CodeType)]
    return set(code.co_names).union(*within)
