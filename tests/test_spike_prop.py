"""SpikeProp as a rule: it descends the exact gradient, wakes silent units, and learns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numba import config

from spikesim.datasets import xor
from spikesim.encoding import LatencyEncoder
from spikesim.errors import ParameterError, SpikesimError
from spikesim.layered import Layer, LayeredNetwork, SpikeTimes, dense
from spikesim.layered.first_spike import first_spikes, least_weight
from spikesim.learning import (
    MSE,
    SGD,
    Adam,
    Backprop,
    CrossEntropy,
    FirstSpike,
    SpikeProp,
    TimeToFirstSpikeLoss,
    fit,
)
from spikesim.neurons import LIF
from spikesim.synapses import Exponential
from tests import naive_first_spike as naive

DURATION = 40.0
FEW = config.DISABLE_JIT
PLAIN = {"bump": 0.0, "pull": 0.0, "min_slope": 0.0}


def network(sizes=(4, 5, 3), delays=2, ratio=2.0, mean=5.0, trainable=("w", "bias", "delay")):
    rng = np.random.default_rng(0)
    layers = [
        Layer(
            rng.normal(mean, 5.0, (n_pre, n_post)),
            LIF.normalised(8.0, t_ref=DURATION),
            None,
            Exponential(8.0 / ratio),
            trainable=trainable,
            delay=rng.uniform(0.5, 4.0, (n_pre, n_post)[:delays]) if delays is not None else None,
        )
        for n_pre, n_post in zip(sizes[:-1], sizes[1:], strict=True)
    ]
    return LayeredNetwork(layers, continuous=True)


def batch(n_trials=5, n_inputs=4, n_classes=3):
    rng = np.random.default_rng(1)
    times = rng.uniform(0.0, 10.0, (n_trials, n_inputs))
    return SpikeTimes.from_table(times, DURATION), times, np.arange(n_trials) % n_classes


@pytest.mark.parametrize("ratio", [1.0, 2.0, 3.0])
@pytest.mark.parametrize(
    "loss", [CrossEntropy(2.0), MSE(), TimeToFirstSpikeLoss(1.0)], ids=lambda x: type(x).__name__
)
def test_a_step_goes_down_the_gradient_of_the_mean_loss(loss, ratio):
    net = network(ratio=ratio)
    x, times, labels = batch()
    readout = FirstSpike(4.0, targets=(5.0, 8.0))
    rule = SpikeProp(loss, SGD(0.01), readout, **PLAIN)
    trained, _, metrics = rule.step(net, rule.init(net), x, labels)

    def mean_loss(net, table):
        (*_, last) = first_spikes(net, SpikeTimes.from_table(table, DURATION))
        scores = (DURATION - np.minimum(last.first_spikes, DURATION)) / 4.0
        return loss.value_and_grad(scores, labels, 3, targets=(5.0, 8.0))[0].mean()

    assert metrics.loss == pytest.approx(len(labels) * mean_loss(net, times))
    assert np.isfinite(metrics.traces[-1].first_spikes).sum() > 8
    for place, (old, new) in enumerate(zip(net.layers, trained.layers, strict=True)):
        for name in ("w", "bias", "delay"):
            gradient = naive.difference_quotients(mean_loss, net, times, place, name, 2e-4)
            step = 0.01 * gradient
            moved = getattr(old, name) - getattr(new, name)
            assert np.abs(moved - step).max() <= 1e-8 * max(1.0, np.abs(step).max())


def test_delays_are_learnt_alone_and_stay_at_0_or_above():
    net = network(trainable=("delay",))
    x, _, labels = batch()
    rule = SpikeProp(CrossEntropy(5.0), SGD(50.0))
    state = rule.init(net)
    trained, _, _ = rule.step(net, state, x, labels)
    for old, new in zip(net.layers, trained.layers, strict=True):
        np.testing.assert_array_equal(old.w, new.w)
        assert np.any(old.delay != new.delay)
        assert new.delay.min() >= 0.0
    assert any(np.any(layer.delay == 0.0) for layer in trained.layers)


def test_silent_outputs_of_the_right_class_are_pulled_up():
    net = network(mean=1.0)
    x, times, _ = batch(6)
    labels = np.array([0, 0, 0, 1, 1, 2])
    rule = SpikeProp(optimiser=SGD(0.01), bump=0.0, pull=0.7, min_slope=0.0)

    def loss(net, table):
        (*_, last) = first_spikes(net, SpikeTimes.from_table(table, DURATION))
        scores = np.maximum(DURATION - last.first_spikes, 0.0)
        rows = np.arange(6)
        short = (1.0 - last.v_max[rows, labels]) * np.isinf(last.first_spikes[rows, labels])
        return (CrossEntropy().value_and_grad(scores, labels, 3)[0] + 0.7 * short).mean()

    trained, _, metrics = rule.step(net, rule.init(net), x, labels)
    last = metrics.traces[-1].first_spikes
    assert np.isinf(last[np.arange(6), labels]).any() and np.isfinite(last).any()
    assert metrics.loss == pytest.approx(6 * loss(net, times))
    for place, (old, new) in enumerate(zip(net.layers, trained.layers, strict=True)):
        step = 0.01 * naive.difference_quotients(loss, net, times, place, "w", 2e-4)
        assert np.abs(old.w - new.w - step).max() <= 1e-8 * max(1.0, np.abs(step).max())
        assert step.any()


def test_silent_outputs_are_raised_by_how_often_they_miss_their_class():
    net = network(mean=-9.0)
    x, _, _ = batch(6)
    labels = np.array([0, 0, 0, 1, 1, 1])
    rule = SpikeProp(optimiser=SGD(1e-30), bump=0.1, pull=0.0)
    trained, _, metrics = rule.step(net, rule.init(net), x, labels)
    assert np.isinf(metrics.traces[-1].first_spikes).all()
    grown = trained.layers[-1].w - net.layers[-1].w
    np.testing.assert_allclose(grown[:, :2], 0.1 * least_weight(net.layers[-1])[0])
    assert not grown[:, 2].any()
    unhelped, _, _ = replace(rule, bump=0.0).step(net, rule.init(net), x, labels)
    np.testing.assert_array_equal(unhelped.layers[-1].w, net.layers[-1].w)


def test_hidden_units_are_raised_once_they_have_been_silent_for_long():
    net = network(mean=-9.0)
    x, _, labels = batch(20)
    rule = SpikeProp(optimiser=SGD(1e-30), silent_share=0.5)
    state, steps, trained = rule.init(net), 0, net
    while np.array_equal(trained.layers[0].w, net.layers[0].w):
        trained, state, _ = rule.step(trained, state, x, labels)
        steps += 1
    # The running mean passes a half after 100 ln 2 trials.
    assert steps == 4
    for _ in range(20 if FEW else 300):
        trained, state, metrics = rule.step(trained, state, x, labels)
    if not FEW:
        assert np.isfinite(metrics.traces[0].first_spikes).any(axis=0).all()


def test_min_slope_bounds_the_step():
    (layer,) = network((1, 1), delays=None).layers
    least = least_weight(layer)[0]
    net = LayeredNetwork([layer.updated(w=[[least * (1.0 + 1e-10)]])], continuous=True)
    x = SpikeTimes.from_table([[1.0]], DURATION)
    moves = []
    for min_slope in (0.0, 0.3):
        rule = SpikeProp(CrossEntropy(0.05), SGD(1.0), min_slope=min_slope, pull=0.0, bump=0.0)
        trained, _, _ = rule.step(net, rule.init(net), x, np.array([1]))
        moves.append(float(np.abs(trained.layers[0].w - net.layers[0].w)[0, 0]))
    assert moves[0] > 1e3 * moves[1] > 0.0


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda net: replace(net, continuous=False, layers=network(delays=None).layers),
         "must be in continuous time: give continuous=True"),
        (lambda net: swap(net, trainable=("w", "tau_m")), "layer 1 has 'tau_m' as trainable"),
        (lambda net: swap(net, w_rec=np.zeros((3, 3))), "w_rec of layer 1 must be None"),
        (lambda net: swap(net, neuron=LIF.normalised(8.0)), "t_ref of layer 1 must be at least"),
        (lambda net: swap(net, neuron=LIF(8.0, 8.0, 0.0, np.inf, 0.0, 50.0)), "must be finite"),
        (lambda net: swap(net, neuron=LIF(8.0, 8.0, 0.0, 1.0, 0.0, 50.0, v_init=1.0)),
         "v_init must lie below"),
        (lambda net: replace(net, layers=[replace(a, trainable=()) for a in net.layers]),
         "nothing to train"),
    ],
)  # fmt: skip
def test_networks_that_it_cannot_train_are_refused(spoil, message):
    with pytest.raises(ParameterError, match=message):
        SpikeProp().init(spoil(network()))


def swap(net, **parts):
    return replace(net, layers=[*net.layers[:-1], replace(net.layers[-1], **parts)])


def test_trials_longer_than_the_refractory_period_are_refused():
    net = network()
    x = SpikeTimes.from_table(np.ones((2, 4)), DURATION + 1.0)
    with pytest.raises(ParameterError, match="t_ref of layer 0 .* the trial, 41 ms"):
        SpikeProp().step(net, SpikeProp().init(net), x, np.array([0, 1]))


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"bump": -1.0}, "bump"),
        ({"pull": -1.0}, "pull"),
        ({"silent_share": 1.5}, "silent_share"),
        ({"min_slope": -0.1}, "min_slope"),
        ({"loss": CrossEntropy}, "loss"),
        ({"readout": Backprop()}, "readout"),
    ],
)
def test_bad_settings_are_refused_by_name(options, name):
    with pytest.raises(SpikesimError, match=f"SpikeProp.{name}"):
        SpikeProp(**options)


@pytest.mark.parametrize("ratio", [1.0, 2.0])
def test_it_learns_xor_from_exact_times(ratio):
    data = xor()
    net = dense(
        [3, 12, 2], LIF.normalised(10.0, t_ref=60.0), synapse=Exponential(10.0 / ratio), gain=40.0,
        continuous=True, rng=1,
    )  # fmt: skip
    result = fit(
        net, SpikeProp(optimiser=Adam(0.2)), data.features, data.labels,
        encoder=LatencyEncoder(60.0, 12.0, bias_spike=True), epochs=20 if FEW else 300, seed=1,
        until="solved", warn=False,
    )  # fmt: skip
    if not FEW:
        assert result.score(data.features, data.labels) == 1.0
    assert np.isfinite(result.history.loss).all()


def test_delays_alone_tell_orders_of_two_spikes_apart():
    first = np.array([[1.0, 4.0], [4.0, 1.0]] * 4)
    x = SpikeTimes.from_table(first, DURATION)
    labels = np.array([0, 1] * 4)
    rng = np.random.default_rng(3)
    layer = Layer(
        np.full((2, 2), 11.0), LIF.normalised(5.0, t_ref=DURATION), None, Exponential(2.5),
        trainable=("delay",), delay=rng.uniform(2.0, 3.0, (2, 2)),
    )  # fmt: skip
    net = LayeredNetwork([layer], continuous=True)
    rule = SpikeProp(optimiser=Adam(0.05))
    state = rule.init(net)
    for _ in range(150):
        net, state, metrics = rule.step(net, state, x, labels)
    assert metrics.n_correct == 8
