"""Bounds on firing rates: their value by hand, their gradient by differences."""

from __future__ import annotations

import numpy as np
import pytest
from numba import config

from spikesim.datasets import xor
from spikesim.encoding import RateEncoder
from spikesim.layered import Layer, LayeredNetwork, dense, forward
from spikesim.layered.backward import backward
from spikesim.layered.forward import Trace
from spikesim.layered.relaxed import relaxed_forward
from spikesim.learning import Adam, Backprop, RateBounds, check_gradient, fit
from spikesim.learning.regularisers import penalties
from spikesim.neurons import LIF, Sigmoid
from spikesim.surrogates import FastSigmoid
from spikesim.synapses import Exponential

# Of 10 steps of 2 ms, so that a spike is 50 Hz: 4 trials of 3 units with 0 to 5 spikes.
COUNTS = np.array([[0, 1, 2], [3, 4, 5], [2, 2, 2], [0, 0, 5]])
SPIKES = (np.arange(10)[:, None, None] < COUNTS[None]).astype(float)
TRACE = Trace(SPIKES, np.zeros_like(SPIKES), np.zeros(SPIKES.shape, bool))
RATES = 50.0 * COUNTS


def naive(rates, lower, upper, strength, over, of):
    """Sum over trials and units, one by one."""
    n_trials, n_units = rates.shape
    total = 0.0
    for n in range(n_trials):
        for j in range(n_units):
            of_interest = rates if over == "batch" else rates[n : n + 1]
            of_interest = of_interest if of == "layer" else of_interest[:, j : j + 1]
            rate = sum(of_interest.ravel().tolist()) / of_interest.size
            total += max(0.0, lower - rate) ** 2 + max(0.0, rate - upper) ** 2
    return strength * total / (n_trials * n_units)


@pytest.mark.parametrize("of", ["unit", "layer"])
@pytest.mark.parametrize("over", ["trial", "batch"])
@pytest.mark.parametrize(
    ("lower", "upper"), [(60.0, None), (None, 120.0), (60.0, 120.0), (80.0, 80.0), (0.0, 1e9)]
)
def test_value_and_gradient(lower, upper, over, of):
    rule = RateBounds(lower, upper, 1e-3, over, of)
    value, grad = rule.value_and_grad(TRACE, 2.0)
    limits = (0.0 if lower is None else lower, np.inf if upper is None else upper)
    assert value == pytest.approx(naive(RATES, *limits, 1e-3, over, of), rel=1e-12, abs=1e-15)
    assert grad.shape == SPIKES.shape and grad.flags.c_contiguous
    # The relaxed spike is any number; only off the corners has the gradient differences to match.
    moved = SPIKES + 0.013 * np.random.default_rng(0).standard_normal(SPIKES.shape)
    trace = TRACE._replace(output=moved)
    _, grad = rule.value_and_grad(trace, 2.0)
    for place in [(0, 0, 0), (3, 1, 2), (9, 2, 1), (5, 3, 2)]:
        change = np.zeros(SPIKES.shape)
        change[place] = 1e-5
        above, below = (
            rule.value_and_grad(trace._replace(output=moved + sign * change), 2.0)[0]
            for sign in (1.0, -1.0)
        )
        assert grad[place] == pytest.approx((above - below) / 2e-5, rel=1e-7, abs=1e-9)


def test_units_within_the_bounds_cost_nothing_and_the_rate_does_not_depend_on_the_step():
    value, grad = RateBounds(0.0, 250.0).value_and_grad(TRACE, 2.0)
    assert value == 0.0 and not grad.any()
    finer = TRACE._replace(output=np.repeat(SPIKES, 2, axis=0) * 0.5)
    rule = RateBounds(60.0, 120.0)
    assert rule.value_and_grad(finer, 1.0)[0] == pytest.approx(rule.value_and_grad(TRACE, 2.0)[0])


def test_single_precision_stays_single():
    trace = TRACE._replace(output=SPIKES.astype(np.float32))
    value, grad = RateBounds(60.0, 120.0).value_and_grad(trace, 2.0)
    assert grad.dtype == np.float32
    assert value == RateBounds(60.0, 120.0).value_and_grad(TRACE, 2.0)[0]


def spiking(n_hidden=2):
    sizes = [3, *[4] * n_hidden, 2]
    return dense(sizes, LIF.normalised(), synapse=Exponential(5.0), gain=6.0, rng=1)


def test_penalties_go_to_hidden_spiking_layers_and_add_up():
    network = spiking()
    x = (np.random.default_rng(0).random((30, 5, 3)) < 0.2).astype(float)
    traces = forward(network, x)
    lower, upper = RateBounds(lower=40.0), RateBounds(upper=5.0, layers=(1, 2))
    value, grads = penalties([lower, upper], network, traces)
    parts = {
        (rule, i): rule.value_and_grad(traces[i], network.dt)
        for rule, i in ((lower, 0), (lower, 1), (upper, 1), (upper, 2))
    }
    assert value == pytest.approx(sum(part[0] for part in parts.values()), rel=1e-13)
    np.testing.assert_array_equal(grads[0], parts[lower, 0][1])
    np.testing.assert_allclose(grads[1], parts[lower, 1][1] + parts[upper, 1][1], rtol=1e-13)
    np.testing.assert_array_equal(grads[2], parts[upper, 2][1])
    assert penalties([], network, traces) == (0.0, None)


def test_descending_the_penalty_wakes_a_silent_layer():
    """Through the weights of the layer, by its surrogate: no loss is needed."""
    w = np.full((3, 4), 0.02)
    network = LayeredNetwork([Layer(w, LIF.normalised(), synapse=Exponential(5.0))])
    x = (np.random.default_rng(0).random((40, 6, 3)) < 0.2).astype(float)
    rule, surrogate = RateBounds(lower=20.0, strength=1e-2), FastSigmoid(2.0)
    assert not forward(network, x)[0].output.any()
    for _ in range(60):
        traces = forward(network, x)
        _, grad = rule.value_and_grad(traces[0], network.dt)
        by_w = backward(network, x, traces, grad, None, surrogate=surrogate)[0]["w"]
        network = network.updated([network.layers[0].updated(w=network.layers[0].w - 0.1 * by_w)])
    rates = forward(network, x)[0].output.sum(axis=0) / 0.04
    assert rates.mean() > 15.0


def test_the_gradient_by_weights_is_that_of_the_relaxed_network():
    """The penalty of a hidden layer, carried back to the first weights."""
    network = LayeredNetwork(spiking().layers[:2])
    x = (np.random.default_rng(2).random((20, 3, 3)) < 0.3).astype(float)
    surrogate, rule = FastSigmoid(2.0), RateBounds(lower=30.0, upper=60.0)
    held = [trace.held for trace in forward(network, x)]

    def relaxed(net, resets=None):
        return relaxed_forward(net, x, surrogate.primitive, held, resets)

    base = relaxed(network)
    resets = [trace.output for trace in base]
    _, grad = rule.value_and_grad(base[1], network.dt)
    ours = backward(network, x, base, grad, None, surrogate=surrogate)

    def value(w):
        layers = [network.layers[0].updated(w=w), network.layers[1]]
        return rule.value_and_grad(relaxed(network.updated(layers), resets)[1], network.dt)[0]

    for place in [(0, 0), (1, 2), (2, 3)]:
        change = np.zeros((3, 4))
        change[place] = 1e-5
        w = network.layers[0].w
        wanted = (value(w + change) - value(w - change)) / 2e-5
        assert ours[0]["w"][place] == pytest.approx(wanted, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("over", ["trial", "batch"])
def test_backpropagation_descends_the_loss_and_the_penalty(over):
    rule = Backprop(
        surrogate=FastSigmoid(2.0),
        regularisers=(RateBounds(40.0, 60.0, 1e-3, over), RateBounds(upper=9.0, layers=(0,))),
    )
    network = dense([3, 3, 2, 2], LIF.normalised(), synapse=Exponential(5.0), gain=30.0, rng=1)
    x = (np.random.default_rng(2).random((15, 3, 3)) < 0.5).astype(float)
    labels = np.array([0, 1, 1])
    check = check_gradient(network, rule, x, labels)
    assert check.max_relative_error < 1e-6
    plain = Backprop(surrogate=FastSigmoid(2.0))
    _, _, metrics = rule.step(network, rule.init(network), x, labels)
    _, _, without = plain.step(network, plain.init(network), x, labels)
    penalty, _ = penalties(rule.regularisers, network, forward(network, x))
    assert penalty > 0.0
    assert metrics.loss == pytest.approx(without.loss + 3 * penalty, rel=1e-12)


def test_training_keeps_hidden_units_within_their_bounds():
    data = xor()
    encoder = RateEncoder(40.0, 200.0, bias_spike=True)
    network = dense([3, 8, 2], LIF.normalised(), synapse=Exponential(5.0), gain=10.0, rng=1)
    rates = []
    for regularisers in ((), (RateBounds(20.0, 60.0, 1e-3, "batch"),)):
        rule = Backprop(optimiser=Adam(0.05), regularisers=regularisers)
        result = fit(
            network,
            rule,
            data.features,
            data.labels,
            encoder=encoder,
            epochs=30 if config.DISABLE_JIT else 80,
            seed=0,
            warn=False,
        )
        x = result.encoder.encode(data.features, dt=1.0)
        hidden = forward(result.network, x)[0].output
        rates.append(hidden.sum(axis=0).mean(axis=0) / 0.04)
    excess = [np.maximum(r - 60.0, 0.0) + np.maximum(20.0 - r, 0.0) for r in rates]
    assert excess[1].mean() < (0.7 if config.DISABLE_JIT else 0.3) * excess[0].mean()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({}, ValueError, "RateBounds needs a bound .* lower, upper or both"),
        ({"lower": -1.0}, ValueError, r"RateBounds\.lower"),
        ({"lower": 9.0, "upper": 3.0}, ValueError, r"RateBounds\.lower must not exceed .*3 Hz"),
        ({"upper": 3.0, "strength": 0.0}, ValueError, r"RateBounds\.strength"),
        ({"upper": 3.0, "over": "time"}, ValueError, r"RateBounds\.over"),
        ({"upper": 3.0, "of": "net"}, ValueError, r"RateBounds\.of"),
        ({"upper": 3.0, "layers": 1}, TypeError, r"RateBounds\.layers must be a tuple"),
        ({"upper": 3.0, "layers": (-1,)}, ValueError, r"RateBounds\.layers\[0\]"),
    ],
)
def test_bad_settings_are_refused_by_name(options, error, message):
    with pytest.raises(error, match=message):
        RateBounds(**options)


def test_regularisers_that_are_none_are_refused():
    with pytest.raises(TypeError, match=r"Backprop\.regularisers must be a tuple"):
        Backprop(regularisers=RateBounds(upper=3.0))
    with pytest.raises(TypeError, match=r"Backprop\.regularisers\[0\] must be a regulariser"):
        Backprop(regularisers=(RateBounds,))


def test_layers_that_are_not_there_or_have_no_spikes_are_refused():
    network = dense([2, 3, 1], Sigmoid(), rng=0)
    traces = forward(network, np.ones((1, 2, 2)))
    assert penalties([RateBounds(upper=3.0)], network, traces) == (0.0, [None, None])
    with pytest.raises(ValueError, match="layer 0, whose units have no spikes"):
        penalties([RateBounds(upper=3.0, layers=(0,))], network, traces)
    with pytest.raises(ValueError, match=r"RateBounds\.layers has layer 5"):
        penalties([RateBounds(upper=3.0, layers=(5,))], network, traces)
