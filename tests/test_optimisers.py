"""Optimisers against their equations."""

from __future__ import annotations

import numpy as np
import pytest

from spikesim.learning import SGD, Adam

START = [{"w": np.array([[5.0, -3.0]]), "bias": np.array([1.0, 2.0])}, {"w": np.array([[2.0]])}]
GRADS = [{"w": np.array([[1.0, -2.0]]), "bias": np.array([0.5, 0.0])}, {"w": np.array([[-4.0]])}]
ALL = [SGD(), SGD(0.1, momentum=0.9), SGD(0.1, normalised=True), Adam()]


def flat(arrays):
    return np.concatenate([a.ravel() for layer in arrays for a in layer.values()])


@pytest.mark.parametrize("optimiser", ALL, ids=repr)
def test_nothing_given_is_modified_and_shapes_stay(optimiser):
    before = flat(START), flat(GRADS)
    state = optimiser.init(START)
    kept = repr(state)
    new, _ = optimiser.update(START, GRADS, state)
    np.testing.assert_array_equal(flat(START), before[0])
    np.testing.assert_array_equal(flat(GRADS), before[1])
    assert repr(state) == kept
    for old_layer, new_layer in zip(START, new, strict=True):
        assert list(old_layer) == list(new_layer)
        for name in old_layer:
            assert old_layer[name].shape == new_layer[name].shape
    assert np.any(flat(new) != flat(START))


def test_plain_descent():
    new, _ = SGD(0.1).update(START, GRADS, None)
    np.testing.assert_allclose(flat(new), flat(START) - 0.1 * flat(GRADS), rtol=1e-15)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9, 1.1])
def test_descent_on_a_paraboloid_has_its_closed_form(rate):
    point, state = [{"w": np.array([5.0, 5.0])}], SGD(rate).init([])
    for n in range(1, 8):
        point, state = SGD(rate).update(point, [{"w": 2.0 * point[0]["w"]}], state)
        np.testing.assert_allclose(point[0]["w"], (1 - 2 * rate) ** n * 5.0, rtol=1e-9, atol=1e-12)


def test_momentum():
    optimiser = SGD(0.1, momentum=0.9)
    point, state = START, optimiser.init(START)
    velocity, wanted = np.zeros(5), flat(START)
    for scale in (1.0, -0.5, 2.0):
        grads = [{k: scale * v for k, v in layer.items()} for layer in GRADS]
        point, state = optimiser.update(point, grads, state)
        velocity = 0.9 * velocity + flat(grads)
        wanted = wanted - 0.1 * velocity
        np.testing.assert_allclose(flat(point), wanted, rtol=1e-14)


@pytest.mark.parametrize("size", [1e-200, 1e-9, 1.0, 1e9, 1e200])
def test_a_normalised_step_has_one_length_whatever_the_gradient(size):
    grads = [{k: size * v for k, v in layer.items()} for layer in GRADS]
    new, _ = SGD(0.3, normalised=True).update(START, grads, None)
    step = flat(START) - flat(new)
    assert np.linalg.norm(step) == pytest.approx(0.3, rel=1e-12)
    np.testing.assert_allclose(step / 0.3, flat(GRADS) / np.linalg.norm(flat(GRADS)), rtol=1e-12)


def test_a_normalised_step_without_gradient_stays():
    grads = [{k: 0.0 * v for k, v in layer.items()} for layer in GRADS]
    new, _ = SGD(0.3, normalised=True).update(START, grads, None)
    np.testing.assert_array_equal(flat(new), flat(START))


def test_adam():
    optimiser = Adam(0.01, decay_mean=0.8, decay_square=0.9, epsilon=1e-6)
    point, state = START, optimiser.init(START)
    mean, square, wanted = np.zeros(5), np.zeros(5), flat(START)
    for n, scale in enumerate((1.0, -0.5, 2.0), start=1):
        grads = [{k: scale * v for k, v in layer.items()} for layer in GRADS]
        point, state = optimiser.update(point, grads, state)
        mean = 0.8 * mean + 0.2 * flat(grads)
        square = 0.9 * square + 0.1 * flat(grads) ** 2
        wanted = wanted - 0.01 * (mean / (1 - 0.8**n)) / (np.sqrt(square / (1 - 0.9**n)) + 1e-6)
        np.testing.assert_allclose(flat(point), wanted, rtol=1e-12)


def test_the_first_step_of_adam_is_the_learning_rate_in_each_parameter():
    new, _ = Adam(0.01).update(START, GRADS, Adam().init(START))
    np.testing.assert_allclose(flat(START) - flat(new), 0.01 * np.sign(flat(GRADS)), atol=1e-9)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: SGD(-1.0), r"SGD\.learning_rate"),
        (lambda: SGD(np.nan), r"SGD\.learning_rate"),
        (lambda: SGD(0.1, momentum=1.0), r"SGD\.momentum"),
        (lambda: SGD(0.1, momentum=-0.1), r"SGD\.momentum"),
        (lambda: Adam(0.0), r"Adam\.learning_rate"),
        (lambda: Adam(0.1, decay_mean=1.0), r"Adam\.decay_mean"),
        (lambda: Adam(0.1, decay_square=2.0), r"Adam\.decay_square"),
        (lambda: Adam(0.1, epsilon=0.0), r"Adam\.epsilon"),
    ],
)
def test_bad_values_are_refused(make, name):
    with pytest.raises(ValueError, match=name):
        make()


def test_bad_kinds_are_refused():
    with pytest.raises(TypeError, match=r"SGD\.learning_rate"):
        SGD("fast")
    with pytest.raises(TypeError, match=r"SGD\.normalised"):
        SGD(0.1, normalised=1)
