"""Winnow: against its twin, its theorem, and what it cannot do."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import config

from spikesim.errors import NonFiniteStateError, ParameterError
from spikesim.layered import Layer, LayeredNetwork
from spikesim.learning import Proportional, Winnow
from spikesim.neurons import LIF
from spikesim.synapses import Exponential
from tests import naive_multiplicative
from tests.test_local_rules import UNITS, problem, threshold_unit


def presented(rule, network, x, label, times):
    """Present one trial again and again; return the net input before each."""
    state, nets = rule.init(network), []
    for _ in range(times):
        nets.append(float(x[0, 0] @ network.layers[0].w[:, 0]))
        network, state, _ = rule.step(network, state, x, np.array([label]))
    return nets


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("n_units", [1, 3])
@pytest.mark.parametrize("factor", [2.0, 1.1])
def test_step_equals_the_equation(unit, n_units, factor):
    network, x, labels = problem(unit, n_units, np.random.default_rng(5))
    rule = Winnow(factor)
    trained, _, metrics = rule.step(network, rule.init(network), x, labels)
    w, n_correct = naive_multiplicative.winnow(factor, network, x, labels)
    np.testing.assert_allclose(trained.layers[0].w, w, rtol=1e-8)
    np.testing.assert_array_equal(trained.layers[0].bias, network.layers[0].bias)
    assert metrics.n_correct == n_correct
    assert np.any(trained.layers[0].w != network.layers[0].w)


@pytest.mark.parametrize("unit", ["step", "delta", "exponential"])
def test_no_weight_changes_its_sign_and_zeros_stay(unit):
    rng = np.random.default_rng(3)
    for _ in range(5):
        network, x, labels = problem(unit, 3, rng)
        w = network.layers[0].w.copy()
        w[1] = 0.0
        network = network.updated([network.layers[0].updated(w=w)])
        trained, *_ = Winnow().step(network, Winnow().init(network), x, labels)
        np.testing.assert_array_equal(np.sign(trained.layers[0].w), np.sign(w))


def disjunction_learner(n, threshold, fire_on="ge"):
    return threshold_unit(np.ones(n), threshold, fire_on)


def errors_of(rule, network, x, labels):
    """Present trials once; return errors of silence and false alarms."""
    state, silent, alarms = rule.init(network), 0, 0
    for b, label in enumerate(labels):
        network, state, metrics = rule.step(network, state, x[:, b : b + 1], labels[b : b + 1])
        silent += int(metrics.loss) * int(label)
        alarms += int(metrics.loss) * (1 - int(label))
    return silent, alarms


@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(2, 40),
    k=st.integers(1, 4),
    factor=st.floats(1.2, 4.0),
    share=st.floats(0.3, 1.5),
    fire_on=st.sampled_from(["ge", "gt"]),
)
@settings(max_examples=5 if config.DISABLE_JIT else 40, deadline=None)
def test_disjunctions_are_learnt_within_the_mistake_bound(seed, n, k, factor, share, fire_on):
    rng = np.random.default_rng(seed)
    k, threshold = min(k, n), max(1.0, share * n)
    relevant = rng.choice(n, k, replace=False)
    # Sparse and dense trials, so that both kinds of error are provoked.
    density = rng.choice([1.0 / n, 0.2, 0.8], 200)[:, np.newaxis]
    x = (rng.random((200, n)) < density).astype(float)
    labels = x[:, relevant].any(axis=1).astype(np.int64)
    network = disjunction_learner(n, threshold, fire_on)
    silent, alarms = errors_of(Winnow(factor), network, x[np.newaxis], labels)
    most_silent = k * (1 + math.log(threshold, factor))
    assert silent <= most_silent
    assert alarms <= factor * silent + factor * n / ((factor - 1) * threshold)
    assert silent + alarms <= (1 + factor) * most_silent + factor * n / ((factor - 1) * threshold)


def test_each_relevant_input_alone_takes_the_logarithm_of_the_threshold():
    n, k = 20, 3
    x = np.tile(np.eye(n)[:k], (8, 1))[np.newaxis]
    silent, alarms = errors_of(Winnow(), disjunction_learner(n, n), x, np.ones(8 * k, np.int64))
    assert (silent, alarms) == (k * math.ceil(math.log2(n)), 0)


def test_a_wrong_spike_scales_active_weights_like_the_percentage_rule():
    network = threshold_unit([3.0, 2.0, 1.5, 0.4], 5.0)
    x = np.array([[[1.0, 1.0, 1.0, 0.0]]])
    excess, rate = 1.5, 0.2
    factor = 1 / (1 - rate * excess)
    shrunk, *_ = Winnow(factor).step(network, Winnow().init(network), x, np.array([0]))
    w = network.layers[0].w[:, 0]
    expected = np.where(x[0, 0] > 0, (1 - rate * excess) * w, w)
    np.testing.assert_allclose(shrunk.layers[0].w[:, 0], expected, rtol=1e-14)
    rule = Proportional(rate, reading="active")
    scaled, *_ = rule.step(network, rule.init(network), x, np.array([0]))
    np.testing.assert_allclose(shrunk.layers[0].w, scaled.layers[0].w, rtol=1e-14)


@pytest.mark.parametrize(("label", "power"), [(1, 1.0), (0, 0.0)])
def test_one_spike_at_its_peak_multiplies_a_lif_weight_by_the_factor(label, power):
    layer = Layer([[0.1]], LIF.normalised(20.0), synapse=Exponential(5.0), trainable=("w",))
    network = LayeredNetwork([layer], dt=0.01 if not config.DISABLE_JIT else 0.1)
    x = np.zeros((round(60.0 / network.dt), 1, 1))
    x[0] = 1.0
    rule = Winnow(3.0)
    trained, *_ = rule.step(network, rule.init(network), x, np.array([label]))
    assert trained.layers[0].w[0, 0] == pytest.approx(0.1 * 3.0**power, rel=1e-4)


def test_a_negative_weight_is_moved_the_wrong_way_until_it_diverges():
    x = np.ones((1, 1, 1))
    nets = presented(Winnow(), threshold_unit([-1.0], 1.0), x, 1, 5)
    np.testing.assert_allclose(nets, [-1.0, -2.0, -4.0, -8.0, -16.0])
    with pytest.raises(NonFiniteStateError, match="Winnow: the weights of unit 0 diverged"):
        presented(Winnow(1e9), threshold_unit([-1.0], 1.0), x, 1, 20)


def test_the_factor_is_greater_than_one():
    with pytest.raises(ParameterError, match=r"Winnow\.factor must be greater than 1, got 1"):
        Winnow(1.0)


def test_a_zero_stays_zero_whatever_the_feature_and_divergence_names_the_factor():
    x = np.array([[[2000.0, 1.0]]])
    network = threshold_unit([0.0, 0.25], 1.0)
    trained, *_ = Winnow().step(network, Winnow().init(network), x, np.array([1]))
    np.testing.assert_array_equal(trained.layers[0].w[:, 0], [0.0, 0.5])
    network = threshold_unit([-0.1, 0.25], 1.0)
    with pytest.raises(NonFiniteStateError, match="unit 0 diverged at trial 0.*; lower factor, or"):
        Winnow().step(network, Winnow().init(network), x, np.array([1]))
    # A power below double precision is 0, no error.
    network = threshold_unit([1.0, 0.25], 1.0)
    trained, *_ = Winnow().step(network, Winnow().init(network), x, np.array([0]))
    np.testing.assert_array_equal(trained.layers[0].w[:, 0], [0.0, 0.125])
