"""Analytic gradients against central differences, for everything that can be combined."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from spikesim.errors import ParameterError
from spikesim.layered import Layer, LayeredNetwork, backward, dense, forward
from spikesim.learning import (
    MAE,
    MSE,
    Backprop,
    CrossEntropy,
    FirstSpike,
    MaxMembrane,
    SpikeCount,
    check_gradient,
)
from spikesim.learning.gradient_check import _extrapolated
from spikesim.neurons import LIF, ReLU, Sigmoid, Step, Tanh
from spikesim.surrogates import (
    ArcTan,
    Boxcar,
    FastSigmoid,
    Logistic,
    OneSided,
    StraightThrough,
    Triangle,
)
from spikesim.synapses import Delta, Exponential

SURROGATES = [FastSigmoid(2.0), Logistic(4.0), ArcTan(3.0), Triangle(0.7)]
READOUTS = [SpikeCount(), FirstSpike(4.0), MaxMembrane()]
BOUND = 1e-7


def spikes(n_steps=10, n_trials=3, n=3, seed=11):
    return (np.random.default_rng(seed).random((n_steps, n_trials, n)) < 0.5) * 1.0


def spiking_network(reset, synapse, recurrent, t_ref, sizes=(3, 4, 2), seed=2):
    neuron = LIF.normalised(6.0, t_ref, reset)
    gain = 1.0 if isinstance(synapse, Delta) else 4.0
    return dense(
        sizes, neuron, synapse=synapse, recurrent=recurrent, gain=gain, bias_sd=0.3, rng=seed
    )


@pytest.mark.parametrize("surrogate", SURROGATES, ids=lambda s: type(s).__name__)
@pytest.mark.parametrize("detach_reset", [True, False])
@pytest.mark.parametrize("reset", ["to_potential", "subtract"])
def test_spiking_networks(surrogate, detach_reset, reset):
    combinations = itertools.product([Delta(), Exponential(3.0)], [False, True], [0.0, 2.0])
    for number, (synapse, recurrent, t_ref) in enumerate(combinations):
        network = spiking_network(reset, synapse, recurrent, t_ref)
        readout = READOUTS[number % 3]
        rule = Backprop(readout=readout, surrogate=surrogate, detach_reset=detach_reset)
        check = check_gradient(network, rule, spikes(), [0, 1, 1], step=1e-2)
        assert check.max_relative_error < BOUND, (synapse, recurrent, t_ref, readout, check)
        held = [trace.held.any() for trace in forward(network, spikes())]
        assert any(held) == (t_ref > 0.0)
        names = {"w", "bias", "w_rec"} if recurrent else {"w", "bias"}
        assert set(check.analytic[0]) == names
        assert all(np.linalg.norm(g) > 1e-3 for g in check.analytic[0].values())


@pytest.mark.parametrize("surrogate", [StraightThrough(), Boxcar(0.5), OneSided(2.0)], ids=repr)
def test_straight_through_and_one_sided_surrogates_of_spikes(surrogate):
    base = spiking_network("to_potential", Delta(), True, 0.0)
    # Positive weights, so that units reach their threshold and OneSided has something to carry.
    network = LayeredNetwork([replace(a, w=np.abs(a.w), bias=a.bias + 3.0) for a in base.layers])
    rule = Backprop(readout=SpikeCount(), surrogate=surrogate, detach_reset=False)
    check = check_gradient(network, rule, spikes(n_steps=5), [0, 1, 1], step=1e-2)
    assert check.max_relative_error < BOUND
    assert all(np.linalg.norm(g) > 1e-3 for g in check.analytic[0].values())


@pytest.mark.parametrize("n_outputs", [1, 2])
@pytest.mark.parametrize("loss", [MAE(), MSE(), CrossEntropy(), CrossEntropy(0.3)])
@pytest.mark.parametrize("readout", READOUTS, ids=lambda r: type(r).__name__)
def test_losses_and_readouts_of_spiking_networks(readout, loss, n_outputs):
    network = spiking_network("to_potential", Exponential(3.0), True, 2.0, (3, 4, n_outputs), 7)
    rule = Backprop(loss, readout=readout, surrogate=ArcTan(3.0))
    check = check_gradient(network, rule, spikes(), [0, 1, 1])
    assert check.max_relative_error < BOUND
    assert all(np.any(g) for arrays in check.analytic for g in arrays.values())


@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("n_steps", [1, 4])
@pytest.mark.parametrize("loss", [MAE(), MSE(), CrossEntropy()])
@pytest.mark.parametrize("output", [Sigmoid(), Tanh(), ReLU()])
def test_rate_networks_have_their_true_gradient(output, loss, n_steps, n_outputs):
    network = dense([3, 5, 4, n_outputs], Tanh(0.7), output=output, bias_sd=0.5, rng=2)
    layers = [
        Layer(
            layer.w,
            layer.neuron,
            np.abs(layer.bias),
            steepness=np.linspace(0.5, 1.5, layer.n_post),
            trainable=("w", "bias", "steepness"),
        )
        for layer in network.layers
    ]
    x = np.random.default_rng(3).standard_normal((n_steps, 5, 3))
    labels = [0, 1, 1, 0, n_outputs - 1]
    check = check_gradient(LayeredNetwork(layers), Backprop(loss), x, labels)
    assert check.max_relative_error < BOUND
    assert all(np.any(g) for arrays in check.analytic for g in arrays.values())


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_any_depth(depth):
    network = dense([3, *[4] * (depth - 1), 1], Sigmoid(), gain=2.0, bias_sd=0.5, rng=depth)
    x = np.random.default_rng(3).standard_normal((1, 6, 3))
    assert (
        check_gradient(network, Backprop(MSE()), x, [0, 1, 1, 0, 1, 0]).max_relative_error < BOUND
    )


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize(
    "surrogate", [StraightThrough(), Boxcar(0.1), FastSigmoid(2.0), Logistic()], ids=repr
)
def test_step_units_with_a_surrogate(surrogate, depth):
    unit = Step(surrogate=surrogate)
    network = dense([3, *[4] * (depth - 1), 2], unit, bias_sd=0.5, rng=depth)
    layers = [replace(a, trainable=("w", "bias", "steepness")) for a in network.layers]
    x = np.random.default_rng(3).standard_normal((2, 6, 3))
    check = check_gradient(LayeredNetwork(layers), Backprop(MSE()), x, [0, 1, 1, 0, 1, 0])
    assert check.max_relative_error < BOUND
    assert all(np.any(g) for arrays in check.analytic for g in arrays.values())


def test_step_units_outside_the_box_and_below_a_one_sided_surrogate_pass_nothing_on():
    w = np.array([[1.0, 1.0, -1.0]])
    for surrogate, bias, alive in (
        (Boxcar(2.0), [0.0, 0.75, 0.0], [True, False, True]),
        (OneSided(2.0), [0.0, 0.75, 0.0], [True, True, False]),
    ):
        hidden = Layer(w, Step(surrogate=surrogate), bias)
        output = Layer(np.ones((3, 1)), Step(surrogate=StraightThrough()))
        network = LayeredNetwork([hidden, output])
        check = check_gradient(network, Backprop(MSE()), [[[0.3]]], [1], step=0.1)
        assert check.max_relative_error < BOUND
        assert (check.analytic[0]["w"][0] != 0.0).tolist() == alive


def test_mixed_networks_with_units_that_differ_and_some_that_never_fire():
    rng = np.random.default_rng(8)
    neuron = LIF(
        tau_m=[5.0, 10.0, 20.0],
        c_m=[5.0, 8.0, 30.0],
        v_rest=[0.0, -1.0, 0.0],
        v_th=[1.0, np.inf, 2.0],
        v_reset=[0.0, -2.0, 0.5],
        t_ref=[0.0, 1.0, 2.0],
        i_ext=[1.5, 0.0, 3.0],
    )
    network = LayeredNetwork(
        [
            Layer(rng.standard_normal((3, 4)), Sigmoid(), rng.standard_normal(4)),
            Layer(
                rng.standard_normal((4, 3)) * 3.0,
                neuron,
                synapse=Exponential(4.0),
                w_rec=rng.standard_normal((3, 3)) * 3.0,
            ),
            Layer(rng.standard_normal((3, 3)), Tanh()),
            Layer(rng.standard_normal((3, 2)), LIF.non_spiking(8.0)),
        ],
        dt=0.5,
    )
    x = rng.standard_normal((12, 3, 3))
    for detach_reset in (True, False):
        rule = Backprop(surrogate=Logistic(2.0), detach_reset=detach_reset)
        check = check_gradient(network, rule, x, [1, 0, 1])
        assert check.max_relative_error < BOUND
        assert all(np.any(g) for arrays in check.analytic for g in arrays.values())


def test_physical_units():
    neuron = LIF(tau_m=10.0, c_m=250.0, i_ext=300.0)
    network = dense([3, 4, 2], neuron, synapse=Exponential(5.0), recurrent=True, gain=200.0, rng=1)
    rule = Backprop(MSE(), readout=SpikeCount(), surrogate=ArcTan(3.0))
    check = check_gradient(network, rule, spikes(15), [0, 1, 1])
    assert check.max_relative_error < BOUND


DEFAULTS = [FastSigmoid(), Logistic(), ArcTan(), Triangle()]


@pytest.mark.parametrize("surrogate", DEFAULTS, ids=lambda s: type(s).__name__)
@pytest.mark.parametrize("detach_reset", [True, False])
@pytest.mark.parametrize("reset", ["to_potential", "subtract"])
def test_default_surrogates_with_recurrence(surrogate, detach_reset, reset):
    network = spiking_network(reset, Exponential(3.0), True, 2.0)
    rule = Backprop(readout=SpikeCount(), surrogate=surrogate, detach_reset=detach_reset)
    check = check_gradient(network, rule, spikes(), [0, 1, 1])
    assert check.max_relative_error < BOUND
    assert check.max_relative_error < check.rounding < BOUND


@pytest.mark.parametrize("surrogate", [*DEFAULTS, FastSigmoid(2.0)], ids=repr)
def test_a_classifier_of_the_usual_size(surrogate):
    lif = LIF.normalised(20.0)
    network = dense(
        [3, 8, 2], lif, output=LIF.non_spiking(), synapse=Exponential(5.0), gain=10.0,
        bias_sd=0.5, rng=1,
    )  # fmt: skip
    check = check_gradient(network, Backprop(surrogate=surrogate), spikes(20), [0, 1, 1])
    assert check.max_relative_error < BOUND


@pytest.mark.parametrize("surrogate", [FastSigmoid(), ArcTan()], ids=repr)
def test_default_neurons_in_millivolts(surrogate):
    network = dense([3, 4, 2], LIF(), rng=1)
    check = check_gradient(
        network, Backprop(readout=SpikeCount(), surrogate=surrogate), spikes(), [0, 1, 1]
    )
    # The gradient is so small that the rounding of the loss shows; the check has to say so.
    assert check.max_relative_error < BOUND
    assert check.max_relative_error < check.rounding < 1e-6


def test_differences_that_rounding_spoils_say_so():
    network = dense([3, 4, 2], LIF(), rng=1)
    rule = Backprop(readout=SpikeCount(), surrogate=Logistic())
    check = check_gradient(network, rule, spikes(), [0, 1, 1], step=1e-3)
    assert check.max_relative_error < check.rounding
    assert check.rounding > 1e-4


def test_a_loss_that_depends_on_nothing_is_no_passed_check():
    network = dense([3, 4, 2], LIF(), rng=1)
    rule = Backprop(readout=SpikeCount(), surrogate=Triangle())
    with pytest.raises(ParameterError, match="nothing to check"):
        check_gradient(network, rule, np.zeros((10, 3, 3)), [0, 1, 1])


def test_a_gradient_of_zero_where_the_loss_has_another_is_wrong():
    class Flat(FastSigmoid):
        def derivative(self, x):
            return 0.0 * x

    network = spiking_network("to_potential", Delta(), False, 0.0)
    rule = Backprop(readout=SpikeCount(), surrogate=Flat(2.0))
    layers = [replace(layer, trainable=("w",)) for layer in network.layers]
    check = check_gradient(LayeredNetwork(layers), rule, spikes(), [0, 1, 1])
    assert check.max_relative_error == pytest.approx(1.0)


def test_extrapolation_finds_derivatives_and_knows_its_error():
    def of(function, at):
        def difference(h):
            above, below = function(at + h), function(at - h)
            return (above - below) / (2.0 * h), 1e-15 / h

        return difference

    for function, at, expected in [
        (np.exp, 1.0, np.e),
        (np.sin, 20.0, np.cos(20.0)),
        (lambda x: np.tanh(30.0 * x), 0.05, 30.0 / np.cosh(1.5) ** 2),
        (lambda x: x * abs(x), 1e-3, 2e-3),
    ]:
        value, error = _extrapolated(of(function, at), 1.0)
        assert abs(value - expected) <= max(error, 1e-13)
        assert error < 1e-9 * max(1.0, abs(expected))
    # A corner of the derivative nearer than the narrowest step: less exact, and it says so.
    value, error = _extrapolated(of(lambda x: x * abs(x), 1e-9), 1.0)
    assert 1e-9 < abs(value - 2e-9) <= error < 1e-5


def test_a_unit_exactly_on_a_kink_is_reported():
    network = LayeredNetwork([Layer([[1.0]], ReLU(), trainable=("bias",))])
    rule = Backprop(MSE())
    above = check_gradient(network, rule, [[[0.5]]], [1])
    assert above.max_relative_error < BOUND
    on_it = check_gradient(network, rule, [[[0.0]]], [1])
    assert on_it.analytic[0]["bias"] in (0.0, -1.0)
    assert on_it.max_relative_error > 0.4


def test_the_check_sees_a_wrong_gradient():
    class Wrong(FastSigmoid):
        def derivative(self, x):
            return 1.01 * super().derivative(x)

    network = spiking_network("to_potential", Delta(), False, 0.0)
    rule = Backprop(readout=SpikeCount(), surrogate=Wrong(2.0))
    check = check_gradient(network, rule, spikes(), [0, 1, 1])
    assert 1e-3 < check.max_relative_error < 1e-1
    assert check.max_relative_error == max(e for errors in check.by_layer for e in errors.values())


def test_the_check_changes_nothing():
    network = spiking_network("to_potential", Delta(), False, 0.0)
    before = [layer.w.copy() for layer in network.layers]
    check_gradient(network, Backprop(readout=SpikeCount()), spikes(), [0, 1, 1])
    for layer, w in zip(network.layers, before, strict=True):
        np.testing.assert_array_equal(layer.w, w)


def test_gradients_by_output_and_by_v_add_up():
    network = spiking_network("to_potential", Exponential(3.0), True, 2.0)
    x = spikes()
    traces = forward(network, x)
    by_output, by_v = np.random.default_rng(0).standard_normal((2, *traces[-1].v.shape))
    parts = [
        backward(network, x, traces, *pair, surrogate=FastSigmoid())
        for pair in ((by_output, None), (None, by_v), (by_output, by_v))
    ]
    for first, second, both in zip(*parts, strict=True):
        for name in both:
            np.testing.assert_allclose(first[name] + second[name], both[name], rtol=1e-9, atol=1e-9)
