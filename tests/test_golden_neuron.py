"""The single sigmoid neuron on two features of two Iris species: known figures, to 1e-3."""

from __future__ import annotations

import numpy as np
import pytest

from spikesim.datasets import iris_two_features
from spikesim.layered import Layer, LayeredNetwork
from spikesim.learning import MAE, MSE, SGD, Backprop, fit
from spikesim.neurons import Sigmoid


def trained(loss, **options):
    data = iris_two_features()
    network = LayeredNetwork([Layer(np.zeros((2, 1)), Sigmoid())])
    options = {"epochs": 100, "seed": 0, **options}
    return fit(network, Backprop(loss, SGD(0.5)), data.features, data.labels, **options)


@pytest.mark.parametrize(
    ("loss", "costs", "right_from", "weights", "bias"),
    [
        (
            MAE(),
            {0: 0.5, 1: 0.4427, 2: 0.4197, 10: 0.2484, 50: 0.0567, 99: 0.0293},
            7,
            (-1.561, 3.302),
            -0.599,
        ),
        (MSE(), {0: 0.125, 10: 0.0664, 50: 0.0181, 99: 0.0093}, 6, (-0.814, 1.722), -0.313),
    ],
)
def test_full_batch(loss, costs, right_from, weights, bias):
    result = trained(loss)
    history, layer = result.history, result.network.layers[0]
    for epoch, cost in costs.items():
        assert history.loss[epoch] == pytest.approx(cost, abs=1e-4 if epoch else 1e-12)
    assert np.all(np.diff(history.loss) < 0.0)
    assert history.solved_epoch == right_from
    np.testing.assert_allclose(layer.w[:, 0], weights, atol=1e-3)
    np.testing.assert_allclose(layer.bias, bias, atol=1e-3)


def test_minibatches_are_noisier_and_get_there():
    rises, final = [], []
    for seed in range(10):
        history = trained(MSE(), epochs=50, batch_size=32, seed=seed).history
        rises.append(np.count_nonzero(np.diff(history.loss) > 0.0))
        final.append(history.loss[-1])
        assert history.accuracy[-1] == 1.0
    assert np.mean(np.array(rises) > 0) > 0.8
    assert 0.003 < np.mean(final) < 0.008


def test_the_last_short_batch_counts_by_its_own_size():
    data = iris_two_features()
    network = LayeredNetwork([Layer([[0.5], [-0.5]], Sigmoid())])
    rule = Backprop(MSE(), SGD(0.5))
    result = fit(
        network, rule, data.features, data.labels, batch_size=96, shuffle=False, epochs=1, seed=0
    )
    x = np.ascontiguousarray(data.features)[None]
    state = rule.init(network)
    network, state, first = rule.step(network, state, x[:, :96], data.labels[:96])
    network, state, second = rule.step(network, state, x[:, 96:], data.labels[96:])
    np.testing.assert_array_equal(result.network.layers[0].w, network.layers[0].w)
    assert result.history.loss[0] == pytest.approx((first.loss + second.loss) / 100, rel=1e-12)
