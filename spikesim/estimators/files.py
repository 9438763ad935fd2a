"""Estimators as checked files without code."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import fields
from typing import Any, NamedTuple

import numpy as np

from spikesim import _check
from spikesim._archive import read_archive, write_archive
from spikesim.errors import DamagedFileError, ParameterError
from spikesim.learning import FitResult
from spikesim.learning.packing import pack, unpack
from spikesim.learning.result import seed_of, seed_parts

__all__ = ["Saveable"]

_KIND = "estimator of spikesim"
_VERSION = 1


class Texts(NamedTuple):
    """An array of texts, or of Python objects such as texts, in parts that a file can hold."""

    items: list[Any]
    dtype: str


class Result(NamedTuple):
    """A trained network by its parts, with a seed that a file can hold."""

    parts: dict[str, Any]


class Saveable:
    """Adds :meth:`save` and :meth:`load` to an estimator."""

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the estimator, fitted or not, to a checked file that holds no code.

        Parameters
        ----------
        path : path-like
            The file; its folder must exist.

        Raises
        ------
        ParameterTypeError
            A parameter that such a file cannot hold, such as a RandomState.
        """
        name = type(self).__name__
        target = _check.path(f"{name}.save", path)
        contents = {key: _in_parts(value) for key, value in vars(self).items()}
        packed = pack(name, contents)
        write_archive(target, _KIND, _VERSION, {"class": name, "tree": packed.tree}, packed.arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str], known: Iterable[type] = ()) -> Any:
        """Read what :meth:`save` wrote.

        Parameters
        ----------
        path : path-like
            The file.
        known : iterable of type
            Your own classes that it may hold, of encoders for instance.

        Returns
        -------
        estimator
            Of this class; it predicts what the one that was saved predicts.

        Raises
        ------
        DamagedFileError
            A file that is damaged, or of another kind or version.
        ParameterError
            An estimator of another class, or parts of a class that is not known.
        """
        source = _check.path(f"{cls.__name__}.load", path)
        archive = read_archive(source, _KIND, _VERSION)
        name = archive.header.get("class")
        if name != cls.__name__:
            raise ParameterError(f"{source} holds a {name}, not a {cls.__name__}")
        known = [Texts, Result, *known]
        contents = unpack(source, archive.header.get("tree"), archive.arrays, known)
        estimator = cls()
        try:
            if not vars(estimator).keys() <= contents.keys():
                raise KeyError("other parameters")
            for key, value in contents.items():
                setattr(estimator, key, _whole(value))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DamagedFileError(
                f"{source} is of another version of {cls.__name__}: {error}"
            ) from error
        return estimator


def _in_parts(value: Any) -> Any:
    """Return what can be packed for a value that cannot."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "OU":
        return Texts(value.tolist(), value.dtype.str)
    if isinstance(value, FitResult):
        parts = {field.name: getattr(value, field.name) for field in fields(FitResult)}
        return Result(parts | {"seed": seed_parts(value.seed)})
    return value


def _whole(value: Any) -> Any:
    """Return what :func:`_in_parts` took apart."""
    if isinstance(value, Texts):
        return np.array(value.items, dtype=value.dtype)
    if isinstance(value, Result):
        return FitResult(**value.parts | {"seed": seed_of(value.parts["seed"])})
    return value
