"""Real targets in place of classes: loss, gradient, training loop."""

import math

import numpy as np
import pytest

import spikesim as sp
from spikesim.encoding import LatencyEncoder
from spikesim.learning import Adam, Backprop, MeanMembrane, SquaredError

FEATURES = np.random.default_rng(4).uniform(-1.0, 1.0, (12, 2))
TARGETS = np.column_stack([FEATURES[:, 0] * FEATURES[:, 1], FEATURES.sum(axis=1)])
ENCODER = LatencyEncoder(duration=6.0, t_max=4.0, bias_spike=True)
RULE = Backprop(SquaredError(), Adam(0.03), MeanMembrane())


def spiking(n_outputs):
    output = sp.LIF.non_spiking(10.0)
    return sp.dense(
        [3, 5, n_outputs], sp.LIF.normalised(10.0), output=output, synapse=sp.Exponential(5.0),
        gain=4.0, bias_sd=0.5, rng=2,
    )  # fmt: skip


def rates(n_outputs):
    return sp.dense([2, 5, n_outputs], sp.Tanh(), rng=2)


def test_values_and_derivatives_of_the_squared_error():
    scores, targets = np.array([[1.0, -2.0], [0.5, 0.0]]), np.array([[0.0, -1.0], [0.5, 3.0]])
    losses, grad = SquaredError().value_and_grad(scores, targets, 2)
    assert losses.tolist() == [1.0, 4.5]
    assert grad.tolist() == [[1.0, -1.0], [0.0, -3.0]]


@pytest.mark.parametrize("n_outputs", [1, 2])
def test_gradients_by_differences(n_outputs):
    x = ENCODER.fit(FEATURES).encode(FEATURES[:4], dt=1.0)
    check = sp.check_gradient(spiking(n_outputs), RULE, x, TARGETS[:4, :n_outputs])
    assert check.max_relative_error < 1e-7
    rule = Backprop(SquaredError())
    check = sp.check_gradient(rates(n_outputs), rule, FEATURES[None, :4], TARGETS[:4, :n_outputs])
    assert check.max_relative_error < 1e-7


@pytest.mark.parametrize("shape", ["a column", "a line", "two columns"])
def test_training_comes_closer(shape):
    targets = {"a column": TARGETS[:, :1], "a line": TARGETS[:, 0], "two columns": TARGETS}[shape]
    network = spiking(2 if shape == "two columns" else 1)
    result = sp.fit(
        network, RULE, FEATURES, targets, encoder=ENCODER, epochs=8, batch_size=5, seed=0
    )
    assert result.history.loss[-1] < result.history.loss[0]
    assert np.isnan(result.history.accuracy).all()
    assert result.history.solved_epoch is None
    assert "accuracy" not in repr(result.history)
    scores = result.scores(FEATURES)
    assert scores.shape == (12, network.n_outputs)
    error = scores - targets.reshape(12, -1)
    # With one batch an epoch the next loss would be that of the scores now.
    again = sp.fit(result.network, RULE, FEATURES, targets, encoder=ENCODER, epochs=1, seed=0)
    assert again.history.loss[0] == pytest.approx(0.5 * (error**2).sum() / 12)


def test_a_step_reports_no_accuracy():
    network = rates(1)
    rule = Backprop(SquaredError())
    _, _, metrics = rule.step(network, rule.init(network), FEATURES[None], TARGETS[:, 0])
    assert math.isnan(metrics.n_correct)
    assert rule.real_targets and not Backprop().real_targets


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (TARGETS[:, 0], r"fit\.labels must have a number for each of the 12 .* shape \(12, 2\)"),
        (TARGETS[:5], r"fit\.labels .* got \(5, 2\)"),
        (np.where(TARGETS > 0.0, np.nan, TARGETS), r"fit\.labels.*finite|fit\.labels.*nan"),
    ],
)
def test_bad_targets_are_refused(targets, message):
    with pytest.raises(ValueError, match=message):
        sp.fit(rates(2), Backprop(SquaredError()), FEATURES, targets)


def test_a_validation_with_targets_has_a_loss_and_no_accuracy():
    data = FEATURES, TARGETS[:, 0]
    result = sp.fit(rates(1), Backprop(SquaredError()), *data, epochs=2, validation=data)
    error = result.scores(FEATURES)[:, 0] - TARGETS[:, 0]
    assert result.history.validation_loss[-1] == pytest.approx(0.5 * np.mean(error**2), rel=1e-12)
    assert np.isnan(result.history.validation_accuracy).all()


def test_what_is_for_classes_is_refused():
    rule = Backprop(SquaredError())
    result = sp.fit(rates(1), rule, FEATURES, TARGETS[:, 0], epochs=1)
    with pytest.raises(ValueError, match=r"FitResult\.predict is for classes.* use scores"):
        result.predict(FEATURES)
    with pytest.raises(ValueError, match=r"FitResult\.score is for classes.* use scores"):
        result.score(FEATURES, TARGETS[:, 0])
