"""The data sets hold what they are known to hold, to the bit where samples were published."""

import hashlib
import math
import re
from pathlib import Path

import numpy as np
import pytest

from spikesim import datasets
from spikesim.datasets import iris, iris_two_features, parity, randman, two_spirals, xor, yin_yang
from spikesim.errors import SpikesimError


def digest(data, decimals=None):
    """Return SHA-256 of features and labels.

    Sines and logarithms differ in the last bit between machines: what is made with them is
    compared as whole multiples of a millionth.
    """
    features = data.features
    if decimals is not None:
        features = np.rint(features * 10.0**decimals).astype(np.int64)
    kinds = [a.astype(a.dtype.newbyteorder("<")).tobytes() for a in (features, data.labels)]
    return hashlib.sha256(b"".join(kinds)).hexdigest()[:16]


GOLDEN = {
    "xor": (xor, None, "3af4de61f27335f8"),
    "iris": (iris, None, "aa06b8008ceba42e"),
    "iris, two features": (iris_two_features, None, "a8f301510246bdec"),
    "parity": (parity, None, "67c549af5a1da9d9"),
    "two moons": (datasets.two_moons, 6, "fa9621a0790b1148"),
    "two spirals": (two_spirals, 6, "0820169a270dcfd8"),
    "yin-yang, train": (lambda: yin_yang(5000, 42), None, "3dcfbb1895fd5f75"),
    "yin-yang, validation": (lambda: yin_yang(1000, 41), None, "03d1c9e01d7b2ab9"),
    "yin-yang, test": (lambda: yin_yang(1000, 40), None, "01e8a4f15d4b0d4d"),
    "yin-yang, large dots": (
        lambda: yin_yang(100, 1, r_big=0.4, r_small=0.15),
        None,
        "3f8b2f811282d405",
    ),
    "randman": (randman, 6, "c2221fe57011c5f1"),
    "randman, a surface": (
        lambda: randman(200, n_units=7, n_dims=2, seed=5),
        6,
        "cb1227bdaac3eeeb",
    ),
    "MNIST-1D": (datasets.mnist_1d, 6, "304f43cfcc9d8d05"),
    "digits": (datasets.digits, None, "f6d9e39f37dc45d3"),
    "wine": (datasets.wine, None, "3a28849ef2366c4b"),
    "breast cancer": (datasets.breast_cancer, None, "25e2eb7b7a8745b1"),
    "MNIST, 5,000": (datasets.mnist_5k, None, "1f75c140503b3082"),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_every_value_is_what_it_was(name):
    load, decimals, known = GOLDEN[name]
    assert digest(load(), decimals) == known


@pytest.mark.parametrize("name", [name for name in GOLDEN if "MNIST" not in name])
def test_arrays_are_read_only_and_plain(name):
    data = GOLDEN[name][0]()
    assert data.features.dtype == np.float64 and data.labels.dtype == np.int64
    assert data.features.shape == (len(data.labels), len(data.feature_names))
    assert len(data.class_names) == data.labels.max() + 1
    for array in (data.features, data.labels):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    with pytest.raises(AttributeError):
        data.features = None


def test_xor_is_true_where_the_inputs_differ():
    data = xor()
    assert data.features.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    np.testing.assert_array_equal(data.labels, data.features[:, 0] != data.features[:, 1])


def test_iris_has_fifty_flowers_of_three_kinds_in_centimetres():
    data = iris()
    assert data.features.shape == (150, 4)
    assert np.bincount(data.labels).tolist() == [50, 50, 50]
    assert data.class_names == ("setosa", "versicolor", "virginica")
    assert data.feature_names == ("sepal length", "sepal width", "petal length", "petal width")
    np.testing.assert_allclose(data.features.mean(axis=0), [5.8433, 3.0573, 3.758, 1.1993],
                               atol=1e-4)  # fmt: skip
    assert len(np.unique(np.column_stack([data.features, data.labels]), axis=0)) == 149


def test_two_features_of_two_kinds_leave_a_gap():
    data = iris_two_features()
    assert data.features.shape == (100, 2)
    assert data.feature_names == ("sepal length", "petal length")
    assert data.class_names == ("setosa", "versicolor")
    petal = data.features[:, 1]
    assert petal[data.labels == 0].max() == 1.9
    assert petal[data.labels == 1].min() == 3.0


@pytest.mark.parametrize("n", [1, 2, 3, 8])
def test_parity_changes_with_every_input(n):
    data = parity(n)
    assert len(np.unique(data.features, axis=0)) == 2**n
    classes = {tuple(row): label for row, label in zip(data.features, data.labels, strict=True)}
    for row, label in classes.items():
        assert label == sum(row) % 2
        for i in range(n):
            flipped = (*row[:i], 1.0 - row[i], *row[i + 1 :])
            assert classes[flipped] == 1 - label
    if n == 2:
        np.testing.assert_array_equal(data.features, xor().features)
        np.testing.assert_array_equal(data.labels, xor().labels)


def test_two_spirals_are_as_published():
    data = two_spirals()
    assert data.features.shape == (194, 2)
    # 6.5 away, then on in steps of a sixteenth of pi.
    np.testing.assert_allclose(data.features[0], [0.0, 6.5], atol=1e-12)
    np.testing.assert_allclose(data.features[1], [0.0, -6.5], atol=1e-12)
    np.testing.assert_allclose(data.features[2], [1.25589, 6.31381], atol=1e-5)
    first = data.features[data.labels == 1]
    np.testing.assert_array_equal(first, -data.features[data.labels == 0])
    np.testing.assert_allclose(np.hypot(*first.T), 6.5 * (104 - np.arange(97)) / 104)
    turns = np.unwrap(np.arctan2(first[:, 0], first[:, 1]))
    np.testing.assert_allclose(turns, np.arange(97) * np.pi / 16, atol=1e-12)


@pytest.mark.parametrize(
    ("part", "counts"),
    [
        ("train", [1681, 1702, 1617]),
        ("validation", [316, 336, 348]),
        ("test", [350, 316, 334]),
    ],
)
def test_yin_yang_has_the_published_counts(part, counts):
    data = yin_yang(*datasets.YIN_YANG_PARTS[part])
    assert np.bincount(data.labels).tolist() == counts
    np.testing.assert_array_equal(data.features[:, 2:], 1.0 - data.features[:, :2])


def test_yin_yang_turned_by_half_a_circle_swaps_the_halves():
    data = yin_yang(2000, 7)
    x, y = data.features[:, :2].T
    assert np.hypot(x - 0.5, y - 0.5).max() <= 0.5
    dots = np.minimum(np.hypot(x - 0.25, y - 0.5), np.hypot(x - 0.75, y - 0.5)) < 0.1
    np.testing.assert_array_equal(dots, data.labels == 2)
    # Away from the heads, around the dots, the line between the halves is the diameter.
    away = ~dots & (np.abs(np.hypot(np.abs(x - 0.5) - 0.25, y - 0.5)) > 0.25)
    np.testing.assert_array_equal(data.labels[away], (y > 0.5)[away])
    left, right = (np.hypot(x - c, y - 0.5) <= 0.25 for c in (0.25, 0.75))
    assert (data.labels[left & ~dots] == 1).all() and (data.labels[right & ~dots] == 0).all()


def test_mnist_1d_comes_in_two_parts():
    whole = datasets.mnist_1d(100, 3)
    train, test = (datasets.mnist_1d(100, 3, part=part) for part in ("train", "test"))
    assert len(train.labels) == 80
    np.testing.assert_array_equal(np.vstack([train.features, test.features]), whole.features)
    np.testing.assert_array_equal(np.append(train.labels, test.labels), whole.labels)
    assert np.bincount(whole.labels).tolist() == [10] * 10
    assert abs(whole.features.mean()) < 1e-12 and abs(whole.features.std() - 1.0) < 1e-12


FIRST_CURVE = [-0.332006, -0.47191, -0.778697, -1.009741, -0.882353, 0.103935]
FIRST_LABELS = [2, 6, 4, 5, 6, 6, 6, 0, 3, 1, 6, 9]


def test_mnist_1d_is_what_its_authors_publish():
    """The first curve and the sums of their generator, package mnist1d 0.0.2.post1."""
    data = datasets.mnist_1d()
    np.testing.assert_allclose(data.features[0, :6], FIRST_CURVE, atol=1e-6)
    assert data.labels[:12].tolist() == FIRST_LABELS


def test_randman_follows_its_formula():
    """The values of a few points once more, term by term, in plain Python."""
    data = randman(30, n_classes=2, n_units=3, n_dims=2, smoothness=2.0, seed=1, manifold_seed=4)
    rng = np.random.default_rng(1)
    labels = rng.permutation(np.arange(30) % 2)
    x = rng.random((30, 2))
    np.testing.assert_array_equal(data.labels, labels)
    source = np.random.default_rng(np.random.SeedSequence(4, spawn_key=(1,)))

    def f(point, unit, theta):
        value = 1.0
        for d in range(2):
            value *= sum(
                theta[0, unit, d, k] * (k + 1) ** -2.0
                * math.sin(2.0 * math.pi * (k * point[d] * theta[1, unit, d, k]
                                            + theta[2, unit, d, k]))
                for k in range(32)
            )  # fmt: skip
        return value

    for label in range(2):
        theta = source.random((3, 3, 2, 32))
        reference = source.random((1000, 2))
        values = [f(point, 1, theta) for point in reference]
        for row in np.flatnonzero(labels == label)[:4]:
            scaled = (f(x[row], 1, theta) - min(values)) / (max(values) - min(values))
            assert data.features[row, 1] == pytest.approx(min(max(scaled, 0.0), 1.0), abs=1e-9)


def test_randman_has_fresh_points_of_the_same_manifolds():
    one, other = (randman(400, n_classes=2, n_units=5, seed=seed) for seed in (1, 2))
    assert not np.array_equal(one.features, other.features)

    def right(train, test):
        distance = np.linalg.norm(test.features[:, None] - train.features, axis=2)
        return np.mean(train.labels[distance.argmin(axis=1)] == test.labels)

    assert right(one, other) > 0.9
    assert right(one, randman(400, n_classes=2, n_units=5, seed=2, manifold_seed=1)) < 0.8
    for column in one.features[one.labels == 0].T:
        assert column.min() < 0.05 and column.max() > 0.95


def test_smoother_manifolds_turn_less():
    def length(smoothness):
        data = randman(400, n_classes=2, n_units=4, smoothness=smoothness)
        points = data.features[data.labels == 0]
        distance = np.linalg.norm(points[:, None] - points, axis=2) + 9.0 * np.eye(len(points))
        return distance.min(axis=1).mean()

    assert length(1.2) > 1.5 * length(3.0)


def test_samples_can_be_taken_by_number_or_by_mask():
    data = iris()
    chosen = data.take([149, 0])
    np.testing.assert_array_equal(chosen.features, data.features[[149, 0]])
    assert chosen.labels.tolist() == [2, 0] and chosen.class_names == data.class_names
    assert repr(data.take(data.labels == 1)) == "Dataset(50 samples, 4 features, 3 classes)"
    with pytest.raises(IndexError, match=r"Dataset\.take\.rows\[1\] is 150"):
        data.take([0, 150])
    with pytest.raises(ValueError, match=r"Dataset\.take\.rows must have shape \(150,\)"):
        data.take([True, False])


def test_sizes_on_the_page_are_those_of_the_data():
    """Every data set that needs no file of the user has its row, and every loader is named."""
    text = (Path(__file__).parent.parent / "docs" / "datasets.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)\(\)` \|((?: \d+ \|)+)", text, re.MULTILINE))
    for name, cells in rows.items():
        data = getattr(datasets, name)()
        shape = getattr(data, "spikes", data.features).shape
        numbers = [int(cell) for cell in cells.split("|") if cell.strip()]
        assert numbers == [*shape, len(data.class_names)], name
    made = {name for name in datasets.__all__ if name.islower()} - set(rows)
    assert made == {"fashion_mnist", "load_csv", "load_idx", "load_npz", "mnist", "read_idx"}
    assert all(f"`{name}(" in text for name in made)


BAD = [
    (parity, {"n": 0}, ValueError), (parity, {"n": 21}, ValueError),
    (parity, {"n": 2.0}, TypeError),
    (datasets.two_moons, {"n_samples": 1}, ValueError),
    (datasets.two_moons, {"noise": -0.1}, ValueError),
    (datasets.two_moons, {"seed": -1}, ValueError),
    (yin_yang, {"n_samples": 0}, ValueError), (yin_yang, {"seed": 2**32}, ValueError),
    (yin_yang, {"seed": np.random.default_rng(0)}, TypeError),
    (yin_yang, {"r_small": 0.3}, ValueError), (yin_yang, {"r_big": 0.0}, ValueError),
    (datasets.mnist_1d, {"n_samples": 55}, ValueError),
    (datasets.mnist_1d, {"part": "validation"}, ValueError),
    (datasets.mnist_1d, {"seed": "42"}, TypeError),
    (randman, {"n_samples": 0}, ValueError), (randman, {"n_classes": 1}, ValueError),
    (randman, {"n_dims": 0}, ValueError), (randman, {"smoothness": 0.9}, ValueError),
    (randman, {"n_units": True}, TypeError), (randman, {"manifold_seed": -1}, ValueError),
]  # fmt: skip


@pytest.mark.parametrize(("load", "arguments", "kind"), BAD)
def test_bad_arguments_are_refused_by_name(load, arguments, kind):
    with pytest.raises(kind, match=rf"{load.__name__}\.{next(iter(arguments))} ") as caught:
        load(**arguments)
    assert isinstance(caught.value, SpikesimError)


def test_a_misspelt_argument_is_named():
    with pytest.raises(TypeError, match="did you mean 'smoothness'"):
        randman(smoothnes=1.0)
