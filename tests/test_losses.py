"""Losses: values, derivatives, limits."""

from __future__ import annotations

import numpy as np
import pytest

from spikesim.learning import MAE, MSE, CrossEntropy

SCORES = np.array([[0.2], [0.9], [0.4]])
LABELS = np.array([0, 1, 1])
MANY = np.array([[0.1, 2.0, -1.0], [0.5, 0.5, 0.0], [3.0, -2.0, 1.0]])
CLASSES = np.array([1, 0, 2])


def test_values_of_one_output():
    np.testing.assert_allclose(MAE().value_and_grad(SCORES, LABELS, 1)[0], [0.2, 0.1, 0.6])
    np.testing.assert_allclose(MSE().value_and_grad(SCORES, LABELS, 1)[0], [0.02, 0.005, 0.18])
    losses, grad = CrossEntropy().value_and_grad(SCORES, LABELS, 1, threshold=0.5)
    z = SCORES[:, 0] - 0.5
    p = 1 / (1 + np.exp(-z))
    np.testing.assert_allclose(losses, -np.log(np.where(LABELS, p, 1 - p)))
    np.testing.assert_allclose(grad[:, 0], p - LABELS)


def test_targets_move_the_aim():
    losses, grad = MSE().value_and_grad(SCORES, LABELS, 1, targets=(-1.0, 1.0))
    np.testing.assert_allclose(grad[:, 0], [1.2, -0.1, -0.6])
    np.testing.assert_allclose(losses, 0.5 * grad[:, 0] ** 2)


def test_values_of_several_outputs():
    losses, _ = MSE().value_and_grad(MANY, CLASSES, 3)
    np.testing.assert_allclose(losses[0], 0.5 * (0.1**2 + 1.0 + 1.0))
    losses, grad = CrossEntropy(2.0).value_and_grad(MANY, CLASSES, 3)
    p = np.exp(2.0 * MANY) / np.exp(2.0 * MANY).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(losses, -np.log(p[np.arange(3), CLASSES]))
    np.testing.assert_allclose(grad, 2.0 * (p - np.eye(3)[CLASSES]))


def test_the_sign_of_zero_error_is_zero():
    _, grad = MAE().value_and_grad(np.array([[1.0], [0.0]]), np.array([1, 0]), 1)
    assert not grad.any()


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("loss", [MAE(), MSE(), CrossEntropy(), CrossEntropy(0.2)])
def test_the_derivative_is_that_of_the_value(loss, n):
    scores = np.random.default_rng(0).standard_normal((3, n))
    labels = np.array([0, 1, n - 1])
    _, grad = loss.value_and_grad(scores, labels, n)
    h = 1e-6
    for position in np.ndindex(scores.shape):
        ends = []
        for sign in (1, -1):
            moved = scores.copy()
            moved[position] += sign * h
            ends.append(loss.value_and_grad(moved, labels, n)[0].sum())
        assert (ends[0] - ends[1]) / (2 * h) == pytest.approx(grad[position], abs=1e-8)


@pytest.mark.parametrize("n_steps", [1, 5])
@pytest.mark.parametrize("n", [1, 3])
def test_cross_entropy_of_logistic_units(n, n_steps):
    u = np.random.default_rng(1).standard_normal((n_steps, 3, n))
    labels = np.array([0, 1, n - 1])
    targets = np.eye(3)[labels] if n == 3 else labels[:, None]
    losses, grad = CrossEntropy().of_logistic_units(u, labels)
    p = (1 / (1 + np.exp(-u))).mean(axis=0)
    wanted = -(targets * np.log(p) + (1 - targets) * np.log(1 - p)).sum(axis=1)
    np.testing.assert_allclose(losses, wanted, rtol=1e-13)
    by_p = -targets / p + (1 - targets) / (1 - p)
    y = 1 / (1 + np.exp(-u))
    np.testing.assert_allclose(grad, by_p * y * (1 - y) / n_steps, rtol=1e-12)


@pytest.mark.parametrize("n_steps", [1, 3])
def test_a_saturated_unit_that_is_wrong_still_gets_its_gradient(n_steps):
    u = np.full((n_steps, 2, 1), 1000.0)
    losses, grad = CrossEntropy().of_logistic_units(u, np.array([0, 1]))
    np.testing.assert_allclose(losses, [1000.0, 0.0], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(grad.sum(axis=0)[:, 0], [1.0, 0.0])


def test_large_scores_do_not_overflow():
    for scores in (np.array([[1e4], [-1e4]]), np.array([[1e4, -1e4], [-1e4, 1e4]])):
        losses, grad = CrossEntropy().value_and_grad(scores, np.array([1, 1]), scores.shape[1])
        assert np.all(np.isfinite(losses)) and np.all(np.isfinite(grad))


def test_a_bad_scale_is_refused():
    with pytest.raises(ValueError, match=r"CrossEntropy\.scale"):
        CrossEntropy(0.0)
