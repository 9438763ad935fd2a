"""Data sets from your own files: idx, npz without pickle, CSV."""

from __future__ import annotations

import csv
import gzip
import math
import os
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spikesim import _check
from spikesim.datasets.tables import Dataset, count_classes, dataset
from spikesim.errors import DamagedFileError, ParameterError

__all__ = ["load_csv", "load_idx", "load_npz", "read_idx"]

# Third byte of an idx file: the type of its numbers, big-endian.
_IDX_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
_CHUNK = 2**24


def read_idx(path: str | os.PathLike[str]) -> np.ndarray:
    """Read an idx file, the format of MNIST, compressed by gzip or not.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    ndarray
        In the shape and the type that the file names, of native byte order.

    Raises
    ------
    DamagedFileError
        Another kind of file, or one that is cut off or too long.
    OSError
        It cannot be read.
    """
    path = _check.path("read_idx.path", path)
    with open(path, "rb") as plain:
        zipped = plain.read(2) == b"\x1f\x8b"
    try:
        with gzip.open(path, "rb") if zipped else open(path, "rb") as file:
            start = file.read(4)
            if len(start) < 4 or start[:2] != b"\0\0" or start[2] not in _IDX_TYPES:
                raise DamagedFileError(f"{path} is not an idx file")
            sizes = file.read(4 * start[3])
            if len(sizes) < 4 * start[3]:
                raise DamagedFileError(f"{path} is damaged: it is cut off")
            shape = tuple(int(n) for n in np.frombuffer(sizes, dtype=">u4"))
            dtype = np.dtype(_IDX_TYPES[start[2]])
            n_bytes = math.prod(shape) * dtype.itemsize
            # In pieces, so that a wrong size in the file asks for no memory that it cannot fill.
            data = bytearray()
            while len(data) <= n_bytes and (piece := file.read(min(_CHUNK, n_bytes + 1))):
                data += piece
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DamagedFileError(f"{path} is damaged: {error}") from None
    if len(data) != n_bytes:
        have = f"{len(data)} bytes" if len(data) < n_bytes else "more"
        raise DamagedFileError(
            f"{path} is damaged: shape {shape} takes {n_bytes} bytes, it holds {have}"
        )
    return np.frombuffer(data, dtype=dtype).reshape(shape).astype(dtype.newbyteorder("="))


def load_idx(
    images: str | os.PathLike[str],
    labels: str | os.PathLike[str],
    *,
    class_names: Sequence[str] | None = None,
) -> Dataset:
    """Read a data set from two idx files, the format of MNIST, compressed by gzip or not.

    Parameters
    ----------
    images : path-like
        File of the samples; each becomes a row of features. Bytes stay bytes.
    labels : path-like
        File of the classes, from 0.
    class_names : sequence of str, optional
        What the classes are called; by default by their numbers.

    Returns
    -------
    Dataset

    Raises
    ------
    DamagedFileError
        A file that is no idx file, or is cut off.
    ParameterError
        Files that do not belong together.
    OSError
        A file cannot be read.
    """
    return _made("load_idx", read_idx(images), read_idx(labels), class_names)


def load_npz(
    path: str | os.PathLike[str],
    *,
    features: str = "features",
    labels: str = "labels",
    class_names: Sequence[str] | None = None,
) -> Dataset:
    """Read a data set from an archive of :func:`numpy.savez`; objects in it are refused.

    Parameters
    ----------
    path : path-like
        The archive.
    features, labels : str, default "features", "labels"
        Names of the two arrays in it: numbers of shape (n_samples, ...), and one class a sample,
        numbers from 0 or text.
    class_names : sequence of str, optional
        What the classes are called; by default by what `labels` holds.

    Returns
    -------
    Dataset

    Raises
    ------
    DamagedFileError
        A file that is no archive, is damaged, or holds Python objects.
    ParameterError
        An array that is not there, or arrays that do not belong together.
    OSError
        The file cannot be read.
    """
    path = _check.path("load_npz.path", path)
    try:
        with open(path, "rb") as file:
            archive = np.load(file, allow_pickle=False)
            if isinstance(archive, np.ndarray):
                raise DamagedFileError(f"{path} is a single array, not an archive of several")
            with archive:
                _check.choice("load_npz.features", features, tuple(archive))
                _check.choice("load_npz.labels", labels, tuple(archive))
                table, classes = archive[features], archive[labels]
    except (DamagedFileError, ParameterError):
        raise
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DamagedFileError(f"{path} cannot be read as an archive: {error}") from None
    return _made("load_npz", table, classes, class_names)


def load_csv(
    path: str | os.PathLike[str],
    *,
    label_column: int | str = -1,
    header: bool = False,
    delimiter: str = ",",
) -> Dataset:
    """Read a data set from a text file with one sample a line.

    Parameters
    ----------
    path : path-like
        The file, in UTF-8.
    label_column : int or str, default -1
        The column with the class, by its number (negative ones from the end) or its name; a
        class is a whole number from 0 or text. All other columns are numbers.
    header : bool, default False
        Whether the first line names the columns.
    delimiter : str, default ","
        What separates the columns, one character.

    Returns
    -------
    Dataset
        Classes that are text are numbered in the order of their names.

    Raises
    ------
    DamagedFileError
        A line with another number of columns, or something else than a number; it is named.
    ParameterError
        A column that is not there.
    OSError
        The file cannot be read.
    """
    path = _check.path("load_csv.path", path)
    header = _check.boolean("load_csv.header", header)
    if not isinstance(delimiter, str) or len(delimiter) != 1:
        raise ParameterError(f"load_csv.delimiter must be one character, got {delimiter!r}")
    rows: list[list[str]] = []
    numbers: list[int] = []
    with open(path, encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=delimiter)
        try:
            for row in reader:
                if row:
                    rows.append(row)
                    numbers.append(reader.line_num)
        except (csv.Error, UnicodeDecodeError) as error:
            raise DamagedFileError(f"{path}, line {reader.line_num + 1}: {error}") from None
    if len(rows) <= header:
        raise DamagedFileError(f"{path} holds no sample")
    n_columns = len(rows[0])
    for row, number in zip(rows, numbers, strict=True):
        if len(row) != n_columns:
            raise DamagedFileError(
                f"{path}, line {number}: {len(row)} columns, the first line has {n_columns}"
            )
    names = rows.pop(0) if header else [f"x{i + 1}" for i in range(n_columns)]
    numbers = numbers[-len(rows) :]
    column = _column(label_column, names, header)
    classes = [row.pop(column).strip() for row in rows]
    names.pop(column)
    try:
        table = np.array(rows, dtype=np.float64)
    except ValueError:
        table = np.array([_numbers(path, *line) for line in zip(rows, numbers, strict=True)])
    for row, number in zip(table, numbers, strict=True):
        if not np.isfinite(row).all():
            raise DamagedFileError(f"{path}, line {number}: a value is not finite")
    whole = all(label.isascii() and label.isdigit() for label in classes)
    try:
        labels = np.array(classes, dtype=np.int64 if whole else None)
    except (OverflowError, ValueError):
        raise ParameterError(
            f"load_csv.labels: {max(classes, key=len)[:40]} in {path} is no class, a number from 0"
        ) from None
    return _made("load_csv", table, labels, None, names)


def _column(label_column: int | str, names: list[str], header: bool) -> int:
    if isinstance(label_column, str):
        allowed = tuple(names) if header else ()
        if label_column not in allowed:
            raise ParameterError(
                f"load_csv.label_column must be a number or, with header=True, the name of a "
                f"column, got {label_column!r}{_check.did_you_mean(label_column, allowed)}"
            )
        return names.index(label_column)
    column = _check.integer("load_csv.label_column", label_column)
    if not -len(names) <= column < len(names) or len(names) < 2:
        raise ParameterError(
            f"load_csv.label_column must be one of at least two columns, got {column} "
            f"of {len(names)}"
        )
    return column % len(names)


def _numbers(path: Path, row: list[str], number: int) -> list[float]:
    for text in row:
        try:
            float(text)
        except ValueError:
            raise DamagedFileError(f"{path}, line {number}: {text!r} is not a number") from None
    return [float(text) for text in row]


def _made(
    name: str,
    features: np.ndarray,
    labels: np.ndarray,
    class_names: Sequence[str] | None,
    feature_names: Sequence[str] | None = None,
) -> Dataset:
    """Check that features and labels belong together, and make rows of the features."""
    if features.ndim < 2 or labels.ndim != 1 or len(features) != len(labels):
        raise ParameterError(
            f"{name}: features of shape {features.shape} and labels of shape {labels.shape} "
            "do not belong together; (n_samples, ...) and (n_samples,) do"
        )
    table = features.reshape(len(features), math.prod(features.shape[1:]))
    if table.dtype != np.uint8:
        table = _check.float_array(f"{name}.features", table)
    if 0 in table.shape:
        raise ParameterError(f"{name}.features must hold at least one sample and one feature")
    if labels.dtype.kind in "US":
        found, labels = np.unique(labels.astype(str), return_inverse=True)
        known = [str(label) for label in found]
    else:
        labels = _check.indices(f"{name}.labels", labels, None)
        known = [str(i) for i in range(count_classes(f"{name}.labels", labels))]
    if class_names is not None:
        if len(class_names) < len(known):
            raise ParameterError(
                f"{name}.class_names must name the {len(known)} classes, got {len(class_names)}"
            )
        known = [str(label) for label in class_names]
    names = feature_names or [f"x{i + 1}" for i in range(table.shape[1])]
    return dataset(table, labels, names, known)
