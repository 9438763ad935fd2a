"""Madaline Rule I: how far it moves a unit, and which."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import config

from spikesim.datasets import xor
from spikesim.errors import ParameterError
from spikesim.layered import LayeredNetwork
from spikesim.learning import Committee, MadalineI, Relaxation, committee_network, fit
from spikesim.neurons import LIF, Step


def committee_of(w, bias=None, trainable=("w",)):
    w = np.atleast_2d(np.asarray(w, float))
    network = committee_network(w.shape[0], w.shape[1], 1, Step(), rng=0)
    bias = np.zeros(w.shape[1]) if bias is None else bias
    hidden = dataclasses.replace(network.layers[0], w=w, bias=bias, trainable=trainable)
    return LayeredNetwork([hidden, network.layers[1]])


def excess(network, x):
    hidden = network.layers[0]
    return x[0, 0] @ hidden.w + hidden.bias


@given(
    seed=st.integers(0, 2**32 - 1),
    share=st.floats(0.01, 1.99),
    margin=st.floats(0.01, 3.0),
    label=st.sampled_from([0, 1]),
)
@settings(max_examples=10 if config.DISABLE_JIT else 60, deadline=None)
def test_the_chosen_units_move_their_share_of_the_way_to_the_target(seed, share, margin, label):
    rng = np.random.default_rng(seed)
    network = committee_of(rng.standard_normal((3, 5)), rng.standard_normal(5), ("w", "bias"))
    x = rng.standard_normal((1, 1, 3))
    rule = MadalineI(share, margin)
    before, side = excess(network, x), 2 * label - 1
    after = excess(rule.step(network, rule.init(network), x, np.array([label]))[0], x)
    wrong = np.flatnonzero((before >= 0) != label)
    chosen = wrong[np.argsort(np.abs(before[wrong]))][: max(0, len(wrong) - 2)]
    expected = before.copy()
    expected[chosen] += share * (side * margin - before[chosen])
    np.testing.assert_allclose(after, expected, rtol=1e-9, atol=1e-9)


def test_it_chooses_the_units_of_the_committee_rule():
    rng = np.random.default_rng(1)
    for _ in range(20):
        network = committee_of(rng.standard_normal((3, 4)))
        x, label = rng.standard_normal((1, 1, 3)), rng.integers(0, 2, 1)
        moved = [
            np.any(rule.step(network, None, x, label)[0].layers[0].w != network.layers[0].w, axis=0)
            for rule in (Committee(), MadalineI())
        ]
        np.testing.assert_array_equal(moved[0], moved[1])


@pytest.mark.parametrize("neuron", [Step(), LIF.normalised(12.0)], ids=["step", "lif"])
def test_a_committee_of_one_learns_an_error_like_the_relaxation_rule(neuron):
    network = committee_network(4, 1, 1, neuron, gain=2.0, bias_sd=0.5, rng=3)
    rng = np.random.default_rng(3)
    x = rng.standard_normal((1, 1, 4))
    if neuron.spiking:
        x = (rng.random((12, 1, 4)) < 0.3).astype(float)
        x[-1] = 0.0
    single, moved = LayeredNetwork(network.layers[:1]), 0
    for label in (0, 1):
        one, _, metrics = MadalineI(0.6, 0.8).step(network, None, x, np.array([label]))
        if metrics.n_correct:
            continue
        relaxation = Relaxation(0.6, 0.8)
        steps = x[:-1].copy() if neuron.spiking else x
        two, *_ = relaxation.step(single, relaxation.init(single), steps, np.array([label]))
        np.testing.assert_allclose(one.layers[0].w, two.layers[0].w, rtol=1e-12)
        np.testing.assert_allclose(one.layers[0].bias, two.layers[0].bias, rtol=1e-12)
        moved += 1
    assert moved == 1


def test_a_trial_without_input_moves_nothing():
    network = committee_of([[-1.0, -2.0, 1.0]], [-0.1, -0.1, -0.1])
    trained, *_ = MadalineI().step(network, None, np.zeros((1, 1, 1)), np.array([1]))
    np.testing.assert_array_equal(trained.layers[0].w, network.layers[0].w)


def test_settings_out_of_range_are_refused():
    with pytest.raises(ParameterError, match=r"MadalineI\.learning_rate must be less than 2"):
        MadalineI(2.0)
    with pytest.raises(ParameterError, match=r"MadalineI\.margin must be greater than 0"):
        MadalineI(margin=0.0)


@pytest.mark.parametrize("scale", [2.0**-40, 0.125, 1024.0])
def test_without_a_bias_to_train_the_scale_of_the_data_does_not_matter(scale):
    rng = np.random.default_rng(2)
    w, bias = rng.standard_normal((3, 5)), rng.standard_normal(5)
    x, labels = rng.standard_normal((1, 40, 3)), rng.integers(0, 2, 40)
    one = MadalineI().step(committee_of(w, bias), None, x, labels)
    two = MadalineI().step(committee_of(w / scale, bias), None, x * scale, labels)
    # Powers of two, so that not a bit is lost.
    np.testing.assert_array_equal(one[0].layers[0].w, scale * two[0].layers[0].w)
    assert one[2].n_correct == two[2].n_correct < 40
    assert np.any(one[0].layers[0].w != w)


def test_with_a_bias_to_train_small_data_are_not_learnt():
    data = xor()
    starts, solved = range(3 if config.DISABLE_JIT else 20), []
    for scale in (1.0, 0.01):
        count = 0
        for seed in starts:
            network = committee_network(2, 5, 1, Step(), bias_sd=1.0, rng=seed)
            features = scale * data.features
            result = fit(network, MadalineI(), features, data.labels, epochs=100, seed=seed,
                         until="solved", patience=1, warn=False)  # fmt: skip
            count += result.score(features, data.labels) == 1.0
        solved.append(count)
    assert solved[0] >= 0.6 * len(starts) and solved[1] <= 0.1 * len(starts)
