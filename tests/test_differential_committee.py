"""Committees of smooth units: their form, their gradient, and where the change goes."""

import dataclasses

import numpy as np
import pytest
from numba import config

from spikesim.datasets import xor
from spikesim.errors import ParameterError, ParameterTypeError
from spikesim.layered import Layer, LayeredNetwork, dense, forward
from spikesim.learning import (
    MAE,
    MSE,
    SGD,
    Adam,
    Backprop,
    Committee,
    CrossEntropy,
    MadalineI,
    PDelta,
    Perceptron,
    check_gradient,
    committee_network,
    fit,
    update_shares,
)
from spikesim.neurons import LIF, Sigmoid, Step, Tanh

SMOOTH = [Tanh(), Tanh(3.0), Sigmoid(), Sigmoid(4.0)]
NORMALISED = Backprop(loss=MSE(), optimiser=SGD(0.1, normalised=True))


def squashed(neuron, u):
    return np.tanh(u) if isinstance(neuron, Tanh) else 1.0 / (1.0 + np.exp(-u))


def slope(neuron, u):
    """The derivative from hyperbolic cosines, not from the output as the package does."""
    return np.cosh(u) ** -2.0 if isinstance(neuron, Tanh) else 0.25 * np.cosh(u / 2) ** -2.0


@pytest.mark.parametrize("neuron", SMOOTH, ids=repr)
@pytest.mark.parametrize(("n_hidden", "n_outputs"), [(3, 1), (4, 1), (2, 3)])
def test_the_output_is_the_squashed_sum_of_the_votes(neuron, n_hidden, n_outputs):
    network = committee_network(2, n_hidden, n_outputs, neuron, gain=2.0, bias_sd=0.7, rng=0)
    hidden, output = network.layers
    assert output.trainable == ()
    x = np.random.default_rng(1).standard_normal((1, 5, 2))
    votes = squashed(neuron, neuron.steepness * (x[0] @ hidden.w) + hidden.bias)
    totals = votes.reshape(5, n_outputs, n_hidden).sum(axis=2)
    if isinstance(neuron, Sigmoid):
        totals = totals - n_hidden / 2
    expected = squashed(neuron, totals)
    np.testing.assert_allclose(forward(network, x)[-1].output[0], expected, rtol=1e-12)
    # Half of the votes is what divides the classes.
    middle = 0.0 if isinstance(neuron, Tanh) else 0.5
    np.testing.assert_array_equal(expected > middle, totals > 0)


@pytest.mark.parametrize("neuron", SMOOTH, ids=repr)
@pytest.mark.parametrize("loss", [MAE(), MSE(), CrossEntropy()], ids=repr)
@pytest.mark.parametrize("n_outputs", [1, 3])
def test_backprop_has_the_right_gradient(neuron, loss, n_outputs):
    network = committee_network(2, 3, n_outputs, neuron, gain=1.5, bias_sd=0.5, rng=3)
    rng = np.random.default_rng(4)
    x, labels = rng.standard_normal((1, 6, 2)), rng.integers(0, max(2, n_outputs), 6)
    check = check_gradient(network, Backprop(loss=loss), x, labels)
    assert check.max_relative_error < 1e-7
    assert check.analytic[1] == {}


@pytest.mark.parametrize("neuron", [Tanh(), Sigmoid()], ids=repr)
def test_the_derivative_is_the_outer_slope_times_the_inner_slope_times_the_input(neuron):
    network = committee_network(2, 3, 1, neuron, gain=2.0, bias_sd=0.5, rng=5)
    hidden = network.layers[0]
    x = np.array([[[0.7, -1.3]]])
    u = x[0, 0] @ hidden.w + hidden.bias
    outer = squashed(neuron, u).sum() - (1.5 if isinstance(neuron, Sigmoid) else 0.0)
    # With one trial MAE has the derivative +-1 by the output.
    rate = 0.01
    rule = Backprop(loss=MAE(), optimiser=SGD(rate))
    after = rule.step(network, rule.init(network), x, np.array([0]))[0].layers[0]
    by_unit = slope(neuron, outer) * slope(neuron, u)
    expected = np.outer(x[0, 0], by_unit)
    np.testing.assert_allclose((hidden.w - after.w) / rate, expected, rtol=1e-9)
    np.testing.assert_allclose((hidden.bias - after.bias) / rate, by_unit, rtol=1e-9)


def test_backprop_solves_xor_by_it_from_most_starts():
    data, solved, seeds = xor(), 0, range(3 if config.DISABLE_JIT else 20)
    for seed in seeds:
        network = committee_network(2, 3, 1, Tanh(), gain=2.0, bias_sd=1.0, rng=seed)
        rule = Backprop(loss=MSE(), optimiser=Adam(0.1))
        result = fit(network, rule, data.features, data.labels, epochs=300, seed=seed,
                     until="solved", patience=3, warn=False)  # fmt: skip
        solved += result.score(data.features, data.labels) == 1.0
    assert solved >= 0.6 * len(seeds)


def units_at(net, neuron):
    """A committee whose units have the net inputs `net` for an input of 1."""
    network = committee_network(1, len(net), 1, neuron, rng=0)
    hidden = network.layers[0].updated(w=np.array([net]), bias=np.zeros(len(net)))
    return LayeredNetwork([hidden, network.layers[1]])


@pytest.mark.parametrize("signs", [(1, 1, 1), (1, -1, 1), (-1, -1, 1)])
@pytest.mark.parametrize("rule", [NORMALISED, Backprop(loss=CrossEntropy(), optimiser=SGD(0.1))],
                         ids=["normalised", "plain"])  # fmt: skip
@pytest.mark.parametrize(
    ("steepness", "share", "tolerance"),
    [(1.0, 0.390, 5e-4), (2.0, 0.509, 5e-4), (5.0, 0.810, 5e-4), (10.0, 0.977, 5e-4),
     (20.0, 0.9997, 5e-5)],
)  # fmt: skip
def test_the_steeper_the_units_the_more_of_the_change_the_closest_gets(
    steepness, share, tolerance, rule, signs
):
    net = np.array(signs) * np.array([0.1, 0.3, 0.7])
    shares = update_shares(rule, units_at(net, Tanh(steepness)), np.ones((1, 1, 1)), [0])
    assert shares[0] == pytest.approx(share, abs=tolerance)
    squares = np.cosh(steepness * net) ** -2.0
    np.testing.assert_allclose(shares, squares / squares.sum(), rtol=1e-9, atol=1e-12)
    assert shares.sum() == pytest.approx(1.0, rel=1e-14)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (Committee(), [0, 0.5, 0.5, 0, 0]),
        (Committee(among="all"), [0.5, 0.5, 0, 0, 0]),
        (PDelta(0.01, margin=0.0), None),
    ],
    ids=repr,
)
def test_shares_of_the_committee_rules(rule, expected):
    net = [0.1, -0.2, -0.4, -0.8, -0.9]
    network = units_at(net, Step())
    hidden = dataclasses.replace(network.layers[0], w=np.array([net, np.ones(5)]))
    network = LayeredNetwork([hidden, network.layers[1]])
    x = np.array([[[1.0, 0.0]]])
    shares = update_shares(rule, network, x, [1])
    if expected is None:
        assert shares[0] == 0.0
        assert np.all(shares[1:] > 0.0)
    else:
        np.testing.assert_allclose(shares, expected, rtol=1e-12)
    np.testing.assert_array_equal(update_shares(rule, network, x, [0]), 0.0)


def test_shares_of_the_rule_of_least_squares_grow_with_the_distance():
    shares = update_shares(MadalineI(margin=0.5), units_at([-0.1, -0.4, -0.9], Step()),
                           np.ones((1, 1, 1)), [1])  # fmt: skip
    np.testing.assert_allclose(shares, [0.6 / 1.5, 0.9 / 1.5, 0.0], rtol=1e-12)


def test_shares_work_for_any_rule_and_take_bias_and_weights_as_one_vector():
    network = LayeredNetwork([Layer([[1.0, 1.0, -1.0]], Step())])
    # Class 0: unit 1 fires wrongly, the others are right.
    shares = update_shares(Perceptron(), network, [[[2.0]]], [0])
    np.testing.assert_array_equal(shares, [0.0, 1.0, 0.0])
    # Of class 2: three units are wrong by equal inputs.
    np.testing.assert_allclose(update_shares(Perceptron(), network, [[[2.0]]], [2]), 1 / 3)
    deep = dense([2, 4, 3, 2], Tanh(), rng=0)
    fixed = dataclasses.replace(deep.layers[0], trainable=())
    deep = LayeredNetwork([fixed, *deep.layers[1:]])
    assert update_shares(NORMALISED, deep, np.ones((1, 2, 2)), [0, 1]).shape == (3,)
    lif = dense([2, 3, 2], LIF.normalised(), output=LIF.non_spiking(), gain=5.0, rng=1)
    assert update_shares(Backprop(), lif, np.ones((8, 1, 2)), [1]).sum() == pytest.approx(1.0)


def test_shares_are_lengths_of_weights_and_bias_together():
    network = committee_network(2, 4, 1, Tanh(), gain=2.0, bias_sd=1.0, rng=0)
    x = np.random.default_rng(0).standard_normal((1, 5, 2))
    before, labels = network.layers[0], np.array([0, 1, 1, 0, 1])
    after = NORMALISED.step(network, NORMALISED.init(network), x, labels)[0].layers[0]
    lengths = np.array([
        np.sqrt(((after.w - before.w)[:, j] ** 2).sum() + (after.bias - before.bias)[j] ** 2)
        for j in range(4)
    ])  # fmt: skip
    shares = update_shares(NORMALISED, network, x, labels)
    np.testing.assert_allclose(shares, lengths / lengths.sum(), rtol=1e-12)


def test_nothing_is_shared_where_steep_units_are_saturated():
    shares = update_shares(NORMALISED, units_at([0.5, 0.7], Tanh(100.0)), np.ones((1, 1, 1)), [0])
    np.testing.assert_array_equal(shares, [0.0, 0.0])


def test_bad_arguments_are_named():
    network = committee_network(1, 3, 1, Tanh(), rng=0)
    x = np.ones((1, 1, 1))
    with pytest.raises(ParameterTypeError, match=r"update_shares\.rule must be a learning rule"):
        update_shares(Committee, network, x, [0])
    with pytest.raises(ParameterTypeError, match=r"update_shares\.network must be"):
        update_shares(NORMALISED, [network], x, [0])
    with pytest.raises(ParameterError, match=r"update_shares\.x must have shape"):
        update_shares(NORMALISED, network, x[0], [0])
    with pytest.raises(ParameterError, match=r"update_shares\.labels"):
        update_shares(NORMALISED, network, x, [2])
    with pytest.raises(ParameterError, match=r"no layer with trainable"):
        update_shares(NORMALISED, LayeredNetwork(network.layers[1:]), np.ones((1, 1, 3)), [0])
    with pytest.raises(ParameterTypeError, match=r"committee_network\.neuron must be Step, LIF"):
        committee_network(1, 3, 1, LIF, rng=0)


def test_the_shares_of_tiny_changes_do_not_vanish_with_their_squares():
    rule = Backprop(optimiser=SGD(1e-200))
    network = LayeredNetwork([
        Layer(np.zeros((1, 3)), Tanh()), committee_network(1, 3, 1, Tanh(), rng=0).layers[1]
    ])  # fmt: skip
    shares = update_shares(rule, network, np.ones((1, 1, 1)), [0])
    np.testing.assert_allclose(shares, 1 / 3, rtol=1e-12)


@pytest.mark.parametrize("trainable", [("w_rec",), ("w", "w_rec"), ("w", "bias", "w_rec")], ids=str)
def test_recurrent_weights_count(trainable):
    network = dense([2, 3, 2], LIF.normalised(), output=LIF.non_spiking(), recurrent=True, gain=8.0,
                    rng=1)  # fmt: skip
    first = dataclasses.replace(network.layers[0], trainable=trainable)
    network = LayeredNetwork([first, network.layers[1]])
    x, labels = (np.random.default_rng(0).random((12, 6, 2)) < 0.5) * 1.0, np.tile([0, 1], 3)
    rule = Backprop()
    after = rule.step(network, rule.init(network), x, labels)[0].layers[0]
    assert ((after.w_rec - first.w_rec) ** 2).sum() > 0.0
    lengths = np.sqrt(
        sum(
            np.atleast_2d((getattr(after, name) - getattr(first, name)) ** 2).sum(axis=0)
            for name in trainable
        )
    )
    shares = update_shares(rule, network, x, labels)
    np.testing.assert_allclose(shares, lengths / lengths.sum(), rtol=1e-12)


def test_a_layer_that_trains_only_its_steepness_is_not_the_one():
    network = dense([2, 3, 2], Tanh(), rng=0)
    first = dataclasses.replace(network.layers[0], trainable=("steepness",))
    network = LayeredNetwork([first, network.layers[1]])
    assert update_shares(NORMALISED, network, np.ones((1, 1, 2)), [1]).shape == (2,)
