"""Backpropagation as a rule: it learns what it should, and only what it may."""

from __future__ import annotations

import numpy as np
import pytest

from spikesim.datasets import xor
from spikesim.encoding import LatencyEncoder
from spikesim.errors import NonFiniteStateError
from spikesim.layered import Layer, LayeredNetwork, dense, forward
from spikesim.learning import (
    MAE,
    MSE,
    SGD,
    Adam,
    Backprop,
    Committee,
    CrossEntropy,
    FirstSpike,
    MaxMembrane,
    Perceptron,
    SpikeCount,
    committee_network,
    default_readout,
    fit,
)
from spikesim.neurons import LIF, ReLU, Sigmoid, Step, Tanh
from spikesim.surrogates import ArcTan, Boxcar, FastSigmoid, Logistic, StraightThrough, Triangle
from spikesim.synapses import Delta, Exponential

XOR = xor()
LATENCY = LatencyEncoder(30.0, 20.0, bias_spike=True)


def solves_xor(network, rule, **options):
    options = {"epochs": 500, "seed": 1, "until": "solved", "warn": False, **options}
    result = fit(network, rule, XOR.features, XOR.labels, **options)
    return result.score(XOR.features, XOR.labels) == 1.0


@pytest.mark.parametrize(
    "rule",
    [
        Backprop(optimiser=Adam(0.1)),
        Backprop(MSE(), Adam(0.1)),
        Backprop(optimiser=SGD(1.0, momentum=0.9)),
        Backprop(optimiser=SGD(0.3, normalised=True)),
    ],
    ids=repr,
)
def test_sigmoid_networks_learn_xor(rule):
    assert solves_xor(dense([2, 8, 1], Sigmoid(), gain=2.0, bias_sd=1.0, rng=1), rule)


@pytest.mark.parametrize("hidden", [Tanh(), ReLU()])
@pytest.mark.parametrize("n_outputs", [1, 2])
def test_other_units_learn_xor(hidden, n_outputs):
    network = dense([2, 8, n_outputs], hidden, output=Sigmoid(), gain=2.0, bias_sd=1.0, rng=2)
    assert solves_xor(network, Backprop(optimiser=Adam(0.05)))


@pytest.mark.parametrize("surrogate", [FastSigmoid(5.0), Logistic(5.0), ArcTan(5.0), Triangle()])
def test_spiking_networks_learn_xor(surrogate):
    network = dense([3, 8, 1], LIF.normalised(10.0), synapse=Exponential(5.0), gain=8.0, rng=0)
    rule = Backprop(CrossEntropy(5.0), Adam(0.1), MaxMembrane(), surrogate)
    assert solves_xor(network, rule, encoder=LATENCY)


@pytest.mark.parametrize("detach_reset", [True, False])
@pytest.mark.parametrize("synapse", [Delta(), Exponential(5.0)])
@pytest.mark.parametrize("readout", [SpikeCount(), FirstSpike()])
def test_recurrent_spiking_networks_learn_xor(readout, synapse, detach_reset):
    gain = 2.0 if isinstance(synapse, Delta) else 8.0
    network = dense(
        [3, 6, 2], LIF.normalised(10.0, 2.0), synapse=synapse, gain=gain, recurrent=True, rng=0
    )
    rate = 0.02 if isinstance(synapse, Delta) else 0.1
    rule = Backprop(
        optimiser=Adam(rate),
        readout=readout,
        surrogate=FastSigmoid(5.0),
        detach_reset=detach_reset,
    )
    assert solves_xor(network, rule, encoder=LATENCY)


def test_a_single_layer_cannot_learn_xor():
    assert not solves_xor(dense([2, 1], Sigmoid(), rng=0), Backprop(optimiser=Adam(0.1)))


def test_equal_hidden_units_stay_equal_and_never_learn_xor():
    network = LayeredNetwork(
        [Layer(np.zeros((2, 2)), Sigmoid()), Layer(np.zeros((2, 1)), Sigmoid())]
    )
    result = fit(
        network, Backprop(optimiser=SGD(1.0)), XOR.features, XOR.labels, epochs=200, warn=False
    )
    w = result.network.layers[0].w
    np.testing.assert_allclose(w[:, 0], w[:, 1], rtol=1e-12)
    assert result.history.solved_epoch is None


@pytest.mark.parametrize(
    "rule", [Backprop(MSE()), Backprop(MAE(), SGD(10.0)), Backprop()], ids=repr
)
def test_step_units_never_move(rule):
    network = dense([2, 4, 1], Step(), bias_sd=1.0, rng=0)
    result = fit(network, rule, XOR.features, XOR.labels, epochs=10, warn=False)
    for before, after in zip(network.layers, result.network.layers, strict=True):
        assert before.w.tobytes() == after.w.tobytes()
        assert before.bias.tobytes() == after.bias.tobytes()


@pytest.mark.parametrize("surrogate", [StraightThrough(), Boxcar(1.0)], ids=repr)
def test_step_units_with_a_surrogate_learn_xor_and_stay_steps(surrogate):
    network = dense([2, 4, 1], Step(surrogate=surrogate), bias_sd=1.0, rng=3)
    rule = Backprop(MSE(), Adam(0.05))
    result = fit(network, rule, XOR.features, XOR.labels, epochs=1000, until="solved", seed=0)
    assert result.history.solved_epoch is not None
    assert set(np.unique(forward(result.network, XOR.features[None])[0].output)) == {0.0, 1.0}


def test_a_saturated_wrong_unit_stalls_with_squared_error_and_not_with_cross_entropy():
    network = LayeredNetwork([Layer([[50.0]], Sigmoid())])
    x = np.ones((1, 1, 1))
    moved = {}
    for loss in (MSE(), MAE(), CrossEntropy()):
        rule = Backprop(loss, SGD(1.0))
        new, _, _ = rule.step(network, rule.init(network), x, np.array([0]))
        moved[type(loss)] = 50.0 - new.layers[0].w[0, 0]
    assert moved[MSE] == 0.0 and moved[MAE] == 0.0
    assert moved[CrossEntropy] == pytest.approx(1.0)


def test_what_is_not_trainable_stays_and_steepness_can_be_trained():
    base = dense([2, 4, 1], Sigmoid(), gain=2.0, bias_sd=1.0, rng=1)
    network = base.updated(
        [
            Layer(base.layers[0].w, Sigmoid(), base.layers[0].bias, trainable=("steepness",)),
            Layer(base.layers[1].w, Sigmoid(), trainable=()),
        ]
    )
    result = fit(network, Backprop(), XOR.features, XOR.labels, epochs=5, warn=False)
    first, second = result.network.layers
    assert first.w is network.layers[0].w and first.bias is network.layers[0].bias
    assert np.all(first.steepness != network.layers[0].steepness)
    assert second is network.layers[1]
    assert result.history.layers[1].update_norm.tolist() == [0.0] * 5


def test_metrics_are_those_before_the_update():
    network = dense([2, 4, 1], Sigmoid(), gain=2.0, bias_sd=1.0, rng=1)
    rule = Backprop(MSE(), SGD(1.0))
    x = XOR.features[np.newaxis]
    new, _, metrics = rule.step(network, rule.init(network), x, XOR.labels)
    y = 1 / (1 + np.exp(-(x[0] @ network.layers[0].w + network.layers[0].bias)))
    y = 1 / (1 + np.exp(-(y @ network.layers[1].w + network.layers[1].bias)))[:, 0]
    assert metrics.loss == pytest.approx(0.5 * np.sum((y - XOR.labels) ** 2))
    assert metrics.n_correct == np.sum((y >= 0.5) == XOR.labels)
    assert metrics.n_trials == 4
    for old, updated, norm in zip(network.layers, new.layers, metrics.update_norms, strict=True):
        step = np.concatenate([(old.w - updated.w).ravel(), old.bias - updated.bias])
        assert np.linalg.norm(step) == pytest.approx(norm)


def test_divergence_is_an_error_that_says_so():
    layers = [Layer(np.full(shape, 0.01), ReLU()) for shape in ((2, 4), (4, 1))]
    network = LayeredNetwork(layers)
    rule = Backprop(MSE(), SGD(1e150))
    with pytest.raises(NonFiniteStateError, match=r"epoch \d+: training diverged.*learning rate"):
        with np.errstate(all="ignore"):
            fit(network, rule, 1.0 + XOR.features, [1, 1, 1, 1], epochs=50, warn=False)


def test_the_usual_readout_is_taken_when_none_is_given():
    network = dense([2, 1], Sigmoid(), rng=0)
    assert Backprop().readout_for(network) == default_readout(network.layers[-1])


@pytest.mark.parametrize(
    ("make", "error", "name"),
    [
        (lambda: Backprop(loss="mse"), TypeError, r"Backprop\.loss"),
        (lambda: Backprop(loss=MSE), TypeError, r"Backprop\.loss"),
        (lambda: Backprop(optimiser=0.1), TypeError, r"Backprop\.optimiser"),
        (lambda: Backprop(surrogate=None), TypeError, r"Backprop\.surrogate"),
        (lambda: Backprop(readout="count"), TypeError, r"Backprop\.readout"),
        (lambda: Backprop(detach_reset=1), TypeError, r"Backprop\.detach_reset"),
    ],
)
def test_bad_parts_are_refused(make, error, name):
    with pytest.raises(error, match=name):
        make()


def test_networks_that_cannot_be_trained_are_refused():
    frozen = LayeredNetwork([Layer([[1.0]], Sigmoid(), trainable=())])
    with pytest.raises(ValueError, match="nothing to train"):
        Backprop().init(frozen)
    below = LayeredNetwork([Layer([[1.0]], LIF(v_rest=-40.0))])
    with pytest.raises(ValueError, match=r"layer 0: LIF\.v_th"):
        Backprop().init(below)
    with pytest.raises(ValueError, match="RateOutput"):
        Backprop(readout=SpikeCount()).init(dense([2, 1], Sigmoid(), rng=0))


def test_rules_without_derivatives_do_not_look_at_the_surrogate_of_a_step():
    x, labels = XOR.features[None], XOR.labels
    for rule in (Perceptron(), Committee()):
        weights = []
        for unit in (Step(), Step(surrogate=StraightThrough())):
            committee = isinstance(rule, Committee)
            network = (
                committee_network(2, 3, 1, unit, rng=1) if committee else dense([2, 1], unit, rng=1)
            )
            weights.append(rule.step(network, rule.init(network), x, labels)[0].layers[0].w)
        assert weights[0].tobytes() == weights[1].tobytes()


def test_a_learning_rate_is_sent_to_the_optimiser():
    with pytest.raises(TypeError, match=r"Backprop has no parameter.*optimiser=Adam\("):
        Backprop(learning_rate=0.05)
