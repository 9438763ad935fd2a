"""The exponentiated gradient: against explicit w+ and w-, its closed form and its limits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import config

from spikesim.datasets import iris_two_features
from spikesim.errors import NonFiniteStateError, ParameterError
from spikesim.layered import dense
from spikesim.learning import ExponentiatedGradient, Perceptron, Proportional, fit
from spikesim.neurons import Step
from tests import naive_multiplicative
from tests.test_local_rules import UNITS, problem, threshold_unit
from tests.test_winnow import presented


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("trainable", [("w", "bias"), ("w",)])
@pytest.mark.parametrize("n_units", [1, 3])
def test_step_equals_two_positive_parts(unit, trainable, n_units):
    network, x, labels = problem(unit, n_units, np.random.default_rng(5), trainable=trainable)
    rule = ExponentiatedGradient(0.4, 0.3)
    trained, _, metrics = rule.step(network, rule.init(network), x, labels)
    w, bias, n_correct, product = naive_multiplicative.exponentiated_gradient(
        0.4, 0.3, network, x, labels
    )
    np.testing.assert_allclose(trained.layers[0].w, w, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(trained.layers[0].bias, bias, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(product, 0.3**2, rtol=1e-9)
    assert metrics.n_correct == n_correct
    assert np.any(trained.layers[0].w != network.layers[0].w)


def test_from_zero_a_weight_is_a_hyperbolic_sine_of_its_errors():
    x = np.ones((1, 1, 1))
    rule = ExponentiatedGradient(0.25, 0.2)
    nets = presented(rule, threshold_unit([0.0], 1.0), x, 1, 6)
    np.testing.assert_allclose(nets, 0.4 * np.sinh(0.25 * np.arange(6)), rtol=1e-12)


def test_weights_pass_through_zero():
    x = np.ones((1, 1, 1))
    nets = presented(ExponentiatedGradient(), threshold_unit([-1.0], 1.0), x, 1, 40)
    assert nets[0] < 0.0 < 1.0 <= nets[-1]
    assert np.all(np.diff(nets) >= 0.0)


@pytest.mark.parametrize("unit", ["step", "step gt"])
def test_with_a_wide_spread_it_is_the_perceptron(unit):
    network, x, labels = problem(unit, 3, np.random.default_rng(0))
    rate, spread = 0.3, 1e5
    rules = Perceptron(rate), ExponentiatedGradient(rate / (2 * spread), spread)
    one, two = (rule.step(network, rule.init(network), x, labels)[0].layers[0] for rule in rules)
    assert np.any(one.w != network.layers[0].w)
    np.testing.assert_allclose(one.w, two.w, rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(one.bias, two.bias, rtol=1e-8, atol=1e-9)


@given(w=st.floats(0.5, 50.0), rate=st.floats(0.01, 0.5))
@settings(max_examples=10 if config.DISABLE_JIT else 50, deadline=None)
def test_with_a_narrow_spread_a_weight_changes_by_a_percentage(w, rate):
    x = np.ones((1, 1, 1))
    nets = presented(ExponentiatedGradient(rate, 1e-6), threshold_unit([w], w + 1e6), x, 1, 2)
    assert nets[1] / nets[0] == pytest.approx(np.exp(rate), rel=1e-9)


def test_it_separates_two_kinds_of_iris():
    data = iris_two_features()
    result = fit(dense([2, 1], Step(), rng=0), ExponentiatedGradient(), data.features,
                 data.labels, epochs=200, seed=0, until="solved", patience=2)  # fmt: skip
    assert result.score(data.features, data.labels) == 1.0


def test_bad_settings_and_divergence_are_errors():
    with pytest.raises(ParameterError, match=r"ExponentiatedGradient\.learning_rate must be"):
        ExponentiatedGradient(0.0)
    with pytest.raises(ParameterError, match=r"ExponentiatedGradient\.spread must be"):
        ExponentiatedGradient(spread=-1.0)
    x = np.array([[[50.0, -60.0]]])
    with pytest.raises(NonFiniteStateError, match="ExponentiatedGradient: the weights of unit 0"):
        presented(ExponentiatedGradient(1.0), threshold_unit([0.1, 0.1], 1e120), x, 1, 20)


@pytest.mark.parametrize("w", [0.1, -3.7, 1e-12, 0.0])
def test_a_weight_that_goes_up_and_down_again_comes_back(w):
    x, rule = np.ones((1, 1, 1)), ExponentiatedGradient(30.0)
    start = threshold_unit([w], 1e3)
    up, *_ = rule.step(start, rule.init(start), x, np.array([1]))
    assert up.layers[0].w[0, 0] > 1e10
    down, *_ = rule.step(up, rule.init(up), x, np.array([0]))
    assert down.layers[0].w[0, 0] == pytest.approx(w, rel=1e-12, abs=1e-13)


def test_an_input_of_zero_leaves_its_weight_to_the_last_bit():
    weights = np.random.default_rng(0).standard_normal(50)
    network = threshold_unit(np.append(weights, 0.0), 1e3)
    x = np.zeros((1, 1, 51))
    x[..., -1] = 1.0
    rule = ExponentiatedGradient()
    trained, *_ = rule.step(network, rule.init(network), x, np.array([1]))
    np.testing.assert_array_equal(trained.layers[0].w[:-1, 0], weights)
    assert trained.layers[0].w[-1, 0] > 0.0


@pytest.mark.parametrize("spread", [1e-310, 1e-101, 1e101])
@pytest.mark.parametrize("rule", [ExponentiatedGradient, Proportional])
def test_a_spread_beyond_all_weights_is_refused(rule, spread):
    with pytest.raises(ParameterError, match=rf"{rule.__name__}\.spread must lie in \[1e-100"):
        rule(spread=spread)


@pytest.mark.parametrize("spread", [1e-100, 0.5, 1e100])
@pytest.mark.parametrize("balanced", [False, True])
def test_a_push_beyond_double_precision_is_divergence(balanced, spread):
    rule = ExponentiatedGradient(1.0, spread)
    if balanced:
        rule = Proportional(1.0, "balanced", spread=spread)
    for w, x in ((1.0, 1e3), (-1.0, 1e200)):
        network, batch = threshold_unit([w], 2e3), np.full((1, 1, 1), x)
        with pytest.raises(NonFiniteStateError, match="unit 0 diverged at trial 0"):
            rule.step(network, rule.init(network), batch, np.array([1 if x * w < 2e3 else 0]))


@pytest.mark.parametrize("spread", [1e-100, 1e100])
def test_the_widest_and_the_narrowest_spread_take_ordinary_steps(spread):
    rule, x = ExponentiatedGradient(0.1, spread), np.ones((1, 1, 1))
    network = threshold_unit([0.5], 1e3)
    if spread < 1.0:
        trained, *_ = rule.step(network, rule.init(network), x, np.array([1]))
        assert trained.layers[0].w[0, 0] == pytest.approx(0.5 * np.exp(0.1), rel=1e-12)
    else:
        trained, *_ = Proportional(1e-103, "balanced", spread=spread).step(
            network, None, x, np.array([1])
        )
        assert trained.layers[0].w[0, 0] == pytest.approx(0.5 + 2e-3 * 999.5, rel=1e-9)
