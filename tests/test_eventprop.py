"""EventProp as a rule: on a grid, with silent units, in training, and what it refuses."""

from dataclasses import replace

import numpy as np
import pytest
from numba import config

import spikesim as sp
from spikesim.errors import ParameterError
from spikesim.layered import Layer, LayeredNetwork, SpikeTimes, continuous, dense
from spikesim.layered.continuous import EventGradients
from spikesim.layered.event_grid import backward_on_grid
from spikesim.layered.forward import run
from spikesim.learning import (
    SGD,
    Adam,
    CrossEntropy,
    EventProp,
    FirstSpike,
    MaxMembrane,
    MeanMembrane,
    SpikeCount,
    TimeToFirstSpikeLoss,
)
from spikesim.neurons import LIF, Sigmoid
from spikesim.synapses import Exponential

N_TRIALS = 3
DURATION = 30.0


def layers(*, recurrent=False, output=None):
    base = dense([5, 8, 3], LIF.normalised(20.0), output=output, synapse=Exponential(5.0),
                 recurrent=recurrent, gain=14.0, rng=4)  # fmt: skip
    return [Layer(0.6 * np.abs(layer.w) + 0.4 * layer.w, layer.neuron, layer.bias, layer.synapse,
                  layer.w_rec) for layer in base.layers]  # fmt: skip


def table(seed=0):
    """Return distinct times, on any grid that is used here."""
    rng = np.random.default_rng(seed)
    return np.array([1.0 + rng.permutation(16)[:5] for _ in range(N_TRIALS)])


def on_grid(parts, dt, delay=0.0):
    return LayeredNetwork([
        replace(layer, delay=delay, delay_rec=None if layer.w_rec is None else delay)
        for layer in parts
    ], dt)  # fmt: skip


def as_grid(times, dt):
    x = np.zeros((round(DURATION / dt), N_TRIALS, 5))
    for b, row in enumerate(times):
        x[np.rint(row / dt).astype(int) - 1, b, np.arange(5)] = 1.0
    return x


def errors(parts, gradients, dt):
    """Return the error of the gradient on a grid of `dt`, relative to the exact one."""
    exact_net = LayeredNetwork(parts, continuous=True)
    x = SpikeTimes.from_table(table(), DURATION)
    traces = continuous.run(exact_net, x)
    assert traces[0].counts.sum() > 20
    exact, _ = continuous.backward(exact_net, x, traces, gradients)
    net, given = on_grid(parts, dt), as_grid(table(), dt)
    found = backward_on_grid(net, given, run(net, given), gradients)
    return [
        np.linalg.norm(ours[name] - theirs[name]) / np.linalg.norm(theirs[name])
        for ours, theirs in zip(found, exact, strict=True)
        for name in theirs
    ]


G = np.random.default_rng(0).standard_normal((N_TRIALS, 3))


@pytest.mark.parametrize(("options", "gradients"), [
    ({}, EventGradients(first_spikes=G)),
    ({"recurrent": True}, EventGradients(first_spikes=G)),
    ({"output": LIF.non_spiking(20.0)}, EventGradients(v_max=G)),
    ({"output": LIF.non_spiking(20.0)}, EventGradients(v_mean=G)),
], ids=["first spikes", "recurrent", "highest", "mean"])  # fmt: skip
def test_the_gradient_on_a_grid_tends_to_the_exact_one(options, gradients):
    parts = layers(**options)
    steps = (0.02, 0.01) if config.DISABLE_JIT else (0.004, 0.001)
    wide, narrow = (np.array(errors(parts, gradients, dt)) for dt in steps)
    assert wide.max() < (0.4 if config.DISABLE_JIT else 0.1)
    assert narrow.max() < 0.7 * wide.max()


def test_delays_of_one_step_are_those_of_the_grid():
    parts = layers(recurrent=True)
    net = LayeredNetwork(parts, 0.5)
    late = on_grid(parts, 0.5, delay=0.5)
    x = as_grid(table(), 0.5)
    gradients = EventGradients(first_spikes=G)
    one, two = (backward_on_grid(n, x, run(n, x), gradients) for n in (net, late))
    for a, b in zip(one, two, strict=True):
        for name in a:
            assert a[name].tobytes() == b[name].tobytes()


def test_single_precision_gives_single_precision():
    parts = layers(recurrent=True)
    double, single = (LayeredNetwork(parts, 0.5, precision=p) for p in ("double", "single"))
    x = as_grid(table(), 0.5)
    found = [backward_on_grid(n, x, run(n, x), EventGradients(first_spikes=G))
             for n in (double, single)]  # fmt: skip
    for a, b in zip(*found, strict=True):
        for name in a:
            assert b[name].dtype == np.float32
            np.testing.assert_allclose(b[name], a[name], rtol=2e-3, atol=2e-3)


def plain(weights, w_out=((2.0, 0.5),), output=None):
    """Return one input, one hidden unit and two outputs."""
    neuron = LIF.normalised(20.0)
    parts = [Layer([[weights]], neuron, None, Exponential(5.0)),
             Layer(w_out, output or neuron, None, Exponential(5.0))]  # fmt: skip
    return LayeredNetwork(parts, continuous=True)


ONE = SpikeTimes([1.0], [0], [0, 1], 1, 40.0)


def test_a_unit_that_is_silent_in_all_trials_is_bumped():
    net = plain(1.0)
    for bump in (0.0, 0.01):
        rule = EventProp(optimiser=SGD(0.1), bump=bump, pull=0.0)
        trained, _, metrics = rule.step(net, rule.init(net), ONE, np.array([0]))
        assert metrics.update_norms == (0.0, 0.0)
        for old, new in zip(net.layers, trained.layers, strict=True):
            np.testing.assert_allclose(new.w, old.w + bump, rtol=1e-15)


def test_the_bump_is_a_part_of_the_rheobase_and_leaves_others_alone():
    neuron = LIF(20.0, 200.0, -65.0, -50.0, -65.0, 0.0)
    net = LayeredNetwork([Layer([[4000.0, 10.0]], neuron, None, Exponential(5.0))],
                         continuous=True)  # fmt: skip
    rule = EventProp(optimiser=SGD(1e-9), bump=0.1, pull=0.0)
    trained, *_ = rule.step(net, rule.init(net), ONE, np.array([0]))
    np.testing.assert_allclose(trained.layers[0].w, [[4000.0, 10.0 + 0.1 * 150.0]], rtol=1e-6)


def test_the_pull_is_the_gradient_of_its_cost():
    net = plain(9.0, ((1.5, 1.0),))
    rule = EventProp(CrossEntropy(), SGD(1.0), bump=0.0, pull=3.0)

    def cost(w_out):
        moved = plain(9.0, w_out)
        return rule.loss_and_gradient(moved, run(moved, ONE), np.array([1]))[0].sum()

    assert not run(net, ONE)[-1].counts.any()
    assert cost(((1.5, 1.0),)) == pytest.approx(
        np.log(2.0) + 3.0 * (1.0 - run(net, ONE)[-1].v_max[0, 1]), rel=1e-12
    )
    trained, *_ = rule.step(net, rule.init(net), ONE, np.array([1]))
    h = 1e-6
    expected = (cost(((1.5, 1.0 + h),)) - cost(((1.5, 1.0 - h),))) / (2.0 * h)
    np.testing.assert_allclose(trained.layers[1].w, [[1.5, 1.0 - expected]], rtol=1e-7)
    off, *_ = replace(rule, pull=0.0).step(net, rule.init(net), ONE, np.array([1]))
    np.testing.assert_array_equal(off.layers[1].w, [[1.5, 1.0]])


@pytest.mark.parametrize(("loss", "readout", "output"), [
    (CrossEntropy(0.5), FirstSpike(2.0), None),
    (TimeToFirstSpikeLoss(2.0, 3.0, 8.0), FirstSpike(), None),
    (CrossEntropy(3.0), MaxMembrane(), LIF.non_spiking(20.0)),
    (CrossEntropy(3.0), MeanMembrane(), LIF.non_spiking(20.0)),
])  # fmt: skip
def test_a_step_is_along_the_gradient_of_the_mean_loss(loss, readout, output):
    net = LayeredNetwork(layers(output=output), continuous=True)
    x, labels = SpikeTimes.from_table(table(), DURATION), np.array([0, 2, 1])
    rule = EventProp(loss, SGD(1.0), readout, bump=0.0, pull=1.0)
    trained, _, metrics = rule.step(net, rule.init(net), x, labels)

    def mean(by):
        parts = [layer.updated(w=layer.w + by * direction)
                 for layer, direction in zip(net.layers, directions, strict=True)]  # fmt: skip
        moved = net.updated(parts)
        return rule.loss_and_gradient(moved, run(moved, x), labels)[0].mean()

    directions = [old.w - new.w for old, new in zip(net.layers, trained.layers, strict=True)]
    h = 1e-5 / np.sqrt(sum(np.vdot(d, d) for d in directions))
    assert metrics.loss == pytest.approx(3.0 * mean(0.0), rel=1e-12)
    slope = (8.0 * (mean(h) - mean(-h)) - (mean(2 * h) - mean(-2 * h))) / (12.0 * h)
    assert slope == pytest.approx(sum(np.vdot(d, d) for d in directions), rel=1e-7)


def test_the_loss_of_first_spikes_is_the_published_one():
    times = np.array([[12.0, 13.5, 20.0], [9.0, 8.0, 30.0]])
    labels, length, tau_0, tau_1, share = np.array([0, 2]), 30.0, 0.7, 6.4, 3e-3
    loss = TimeToFirstSpikeLoss(tau_0, share * np.exp(length / tau_1), tau_1)
    found, _ = loss.value_and_grad(length - times, labels, 3)
    right = times[[0, 1], labels]
    odds = np.exp(-times / tau_0)
    expected = -np.log(np.exp(-right / tau_0) / odds.sum(axis=1))
    expected += share * np.expm1(right / tau_1)
    np.testing.assert_allclose(found, expected + share, rtol=1e-12)


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_the_loss_of_first_spikes_has_its_derivative(n_outputs):
    scores = np.random.default_rng(0).uniform(0.0, 5.0, (4, n_outputs))
    labels = np.array([0, 1, 1, 0])
    loss = TimeToFirstSpikeLoss(1.5, 2.0, 3.0)
    _, grad = loss.value_and_grad(scores, labels, n_outputs, threshold=2.0)
    for position in np.ndindex(scores.shape):
        values = []
        for h in (1e-6, -1e-6):
            moved = scores.copy()
            moved[position] += h
            values.append(loss.value_and_grad(moved, labels, n_outputs, threshold=2.0)[0].sum())
        assert grad[position] == pytest.approx((values[0] - values[1]) / 2e-6, abs=1e-7)


def test_it_learns_yin_yang():
    small = config.DISABLE_JIT
    data = sp.datasets.yin_yang(60 if small else 1000, seed=7)
    rng = np.random.default_rng(0)
    n_hidden = 20 if small else 60
    neuron, synapse = LIF.normalised(20.0), Exponential(5.0)
    net = LayeredNetwork([
        Layer(rng.normal(1.5, 0.78, (5, n_hidden)), neuron, None, synapse, trainable=("w",)),
        Layer(rng.normal(0.93 * 200 / n_hidden / 2, 0.1, (n_hidden, 3)), neuron, None, synapse,
              trainable=("w",)),
    ], continuous=True)  # fmt: skip
    encoder = sp.encoding.LatencyEncoder(duration=60.0, t_max=30.0, low=0.0, high=1.0, early="low",
                                bias_spike=True)  # fmt: skip
    rule = EventProp(TimeToFirstSpikeLoss(late_cost=30.0), Adam(0.01), pull=40.0)
    result = sp.fit(net, rule, data.features, data.labels, encoder=encoder, batch_size=20,
                    epochs=2 if small else 12, seed=0, warn=False)  # fmt: skip
    assert result.history.loss[-1] < result.history.loss[0]
    if not small:
        assert result.score(data.features, data.labels) > 0.85
    assert result.history.spikes_per_trial[-1] > 1.0
    assert isinstance(result.readout, FirstSpike)


@pytest.mark.parametrize(("network", "rule", "message"), [
    (dense([2, 2], Sigmoid(), rng=0), {}, "LIF neurons with Exponential synapses"),
    (dense([2, 2], LIF.normalised(), rng=0), {}, "LIF neurons with Exponential synapses"),
    (dense([2, 2], LIF.normalised(t_ref=2.0), synapse=Exponential(), rng=0), {}, "t_ref"),
    (dense([2, 2], LIF.normalised(reset="subtract"), synapse=Exponential(), rng=0), {},
     "LIF.reset='subtract'"),
    (plain(1.0), {"readout": SpikeCount()}, "must be FirstSpike, MaxMembrane or MeanMembrane"),
    (plain(1.0), {"readout": MaxMembrane()}, "output units that never fire"),
    (plain(1.0, output=LIF.non_spiking()), {"readout": FirstSpike()}, "FirstSpike"),
    (dense([2, 2, 2], LIF.normalised(), synapse=Exponential(), rng=0).updated(
        [Layer(np.ones((2, 2)), LIF.normalised(), None, Exponential(), trainable=())] * 2),
     {}, "nothing to train"),
    *[(LayeredNetwork([Layer(np.ones((2, 2)), LIF.normalised(), None, Exponential(),
                             trainable=("w", name))], continuous=continuous), {},
       f"EventProp trains w, bias, w_rec, delay; layer 0 has '{name}' as trainable")
      for name in ("tau_m", "tau_syn", "v_th")
      for continuous in (True, False)],
    (LayeredNetwork([Layer(np.ones((2, 2)), LIF.normalised(), None, Exponential(),
                           delay=[1.0, 3.0])]), {}, "one delay for all inputs of a layer"),
])  # fmt: skip
def test_networks_that_it_cannot_train_are_refused(network, rule, message):
    with pytest.raises(ParameterError, match=message):
        EventProp(**rule).init(network)


def test_a_grid_takes_spikes_alone():
    net = LayeredNetwork(layers(), 1.0)
    rule = EventProp()
    with pytest.raises(ParameterError, match=r"EventProp\.x\[0, 0, 0\] is 0\.5"):
        rule.step(net, rule.init(net), np.full((9, 1, 5), 0.5), np.array([0]))


@pytest.mark.parametrize("name", ["bump", "pull"])
def test_settings_are_checked(name):
    with pytest.raises(ParameterError, match=rf"EventProp\.{name}"):
        EventProp(**{name: -1.0})
    with pytest.raises(TypeError, match="optimiser"):
        EventProp(learning_rate=0.1)
