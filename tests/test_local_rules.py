"""Perceptron-style rules against their twins, their theory, and what they are known to fail at."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import config

from experiments import tempotron_capacity
from spikesim.datasets import iris_two_features, xor
from spikesim.encoding import Analog, LatencyEncoder, RateEncoder
from spikesim.errors import NonFiniteStateError
from spikesim.layered import Layer, LayeredNetwork, dense, forward
from spikesim.learning import (
    DeltaRule,
    NetInput,
    Perceptron,
    Proportional,
    Relaxation,
    Tempotron,
    fit,
)
from spikesim.neurons import LIF, Step
from spikesim.synapses import Delta, Exponential
from tests import naive_local

RULES = [
    Perceptron(0.3),
    DeltaRule(0.05, 0.7),
    Relaxation(0.8, 0.2),
    Proportional(0.1),
    Proportional(0.1, reading="active"),
    Tempotron(0.3),
    Tempotron(0.3, momentum=0.5),
    Tempotron(0.3, momentum=0.5, shunting=True),
]
LIF_MV = LIF(tau_m=10.0, c_m=5.0, v_rest=-65.0, v_th=-63.0, v_reset=-66.0, t_ref=0.0, v_init=-64.5,
             i_ext=0.2)  # fmt: skip
UNITS = {
    "step": (Step(), Delta()),
    "step gt": (Step("gt"), Delta()),
    "delta": (LIF.normalised(12.0), Delta()),
    "subtract": (LIF.normalised(12.0, reset="subtract"), Delta()),
    "exponential": (LIF_MV, Exponential(4.0)),
    "equal constants": (LIF.normalised(8.0), Exponential(8.0)),
}


def problem(unit, n_units, rng, n_trials=12, n_inputs=5, gain=2.0, bias_sd=0.5, **options):
    neuron, synapse = UNITS[unit]
    dt = 0.5 if neuron.spiking else 1.0
    network = dense(
        [n_inputs, n_units], neuron, synapse=synapse, gain=gain, bias_sd=bias_sd, dt=dt, rng=rng
    )
    if options:
        layer = dataclasses.replace(network.layers[0], **options)
        network = LayeredNetwork([layer], dt)
    if neuron.spiking:
        x = (rng.random((15, n_trials, n_inputs)) < 0.15).astype(float)
    else:
        x = rng.standard_normal((1, n_trials, n_inputs))
    return network, x, rng.integers(0, max(2, n_units), n_trials)


def threshold_unit(w, threshold, fire_on="ge", trainable=("w",)):
    layer = Layer(np.reshape(w, (-1, 1)), Step(fire_on), [-threshold], trainable=trainable)
    return LayeredNetwork([layer])


def decisions(rule, network, x):
    layer = network.layers[-1]
    return rule.readout.decide(rule.readout.scores(forward(network, x)[-1], layer, network.dt),
                               layer)  # fmt: skip


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("trainable", [("w", "bias"), ("w",)])
@pytest.mark.parametrize("n_units", [1, 3])
@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_step_equals_the_equation(rule, unit, n_units, trainable):
    network, x, labels = problem(unit, n_units, np.random.default_rng(5), trainable=trainable)
    trained, _, metrics = rule.step(network, rule.init(network), x, labels)
    w, bias, n_correct = naive_local.step(rule, network, x, labels)
    np.testing.assert_allclose(trained.layers[0].w, w, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(trained.layers[0].bias, bias, rtol=1e-8, atol=1e-10)
    assert metrics.n_correct == n_correct
    assert metrics.n_trials == len(labels)
    assert metrics.loss == len(labels) - n_correct
    change = np.hypot(
        np.linalg.norm(trained.layers[0].w - network.layers[0].w),
        np.linalg.norm(trained.layers[0].bias - network.layers[0].bias),
    )
    np.testing.assert_allclose(metrics.update_norms, [change], rtol=1e-12)
    assert change > 0.0


@pytest.mark.parametrize("unit", UNITS)
def test_free_potential_says_whether_the_real_unit_fires(unit):
    rng = np.random.default_rng(1)
    n_fired = 0
    for _ in range(3 if config.DISABLE_JIT else 20):
        network, x, _ = problem(unit, 4, rng)
        (trace,) = forward(network, x)
        layer = network.layers[0]
        scores = NetInput().scores(trace, layer, network.dt)
        fired = (trace.output > 0).any(axis=0)
        excess = np.array(
            [
                [naive_local.free_excess(layer, network.dt, x[:, b], k).max() for k in range(4)]
                for b in range(x.shape[1])
            ]
        )
        np.testing.assert_array_equal(naive_local.fires(layer, excess), fired)
        np.testing.assert_allclose(scores, excess, rtol=1e-9, atol=1e-9)
        n_fired += fired.sum()
    assert 0 < n_fired < 20 * fired.size


def test_a_refractory_unit_still_decides_by_whether_it_fires():
    rng = np.random.default_rng(2)
    network, x, _ = problem("delta", 1, rng, neuron=LIF.normalised(12.0, t_ref=3.0))
    (trace,) = forward(network, x)
    decided = decisions(Tempotron(), network, x)
    np.testing.assert_array_equal(decided, (trace.output > 0).any(axis=0)[:, 0])
    assert 0 < decided.sum() < len(decided)


@pytest.mark.parametrize(("fire_on", "fires"), [("ge", 1), ("gt", 0)])
def test_net_input_exactly_at_the_threshold(fire_on, fires):
    network = threshold_unit([5.0], 5.0, fire_on)
    rule = Perceptron()
    assert decisions(rule, network, np.ones((1, 1, 1))) == [fires]
    _, _, metrics = rule.step(network, rule.init(network), np.ones((1, 1, 1)), np.array([fires]))
    assert metrics.n_correct == 1


@given(
    share=st.floats(0.01, 1.99),
    margin=st.floats(0.0, 2.0),
    label=st.sampled_from([0, 1]),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=50, deadline=None)
def test_relaxation_moves_the_net_input_by_its_share_of_the_distance(share, margin, label, seed):
    network, x, _ = problem("step", 1, np.random.default_rng(seed), n_trials=1)
    rule = Relaxation(share, margin)
    layer = network.layers[0]
    before = float(x[0, 0] @ layer.w[:, 0] + layer.bias[0])
    trained, *_ = rule.step(network, rule.init(network), x, np.array([label]))
    after = float(x[0, 0] @ trained.layers[0].w[:, 0] + trained.layers[0].bias[0])
    desired = margin if label else -margin
    short = desired - before if label else before - desired
    expected = before + share * (desired - before) if short > 0 else before
    assert after == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(seed=st.integers(0, 2**32 - 1), rate=st.floats(0.01, 10.0))
@settings(max_examples=10 if config.DISABLE_JIT else 50, deadline=None)
def test_perceptron_makes_no_more_mistakes_than_the_bound(seed, rate):
    rng = np.random.default_rng(seed)
    solution = rng.standard_normal(4)
    solution /= np.linalg.norm(solution)
    x = rng.uniform(-1, 1, (1, 30, 3))
    lines = np.concatenate([x[0], np.ones((30, 1))], axis=1)
    distance = lines @ solution
    keep = np.abs(distance) > 0.1
    x, distance, lines = x[:, keep], distance[keep], lines[keep]
    bound = (np.linalg.norm(lines, axis=1).max() / np.abs(distance).min()) ** 2
    rule = Perceptron(rate)
    network = LayeredNetwork([Layer(np.zeros((3, 1)), Step())])
    state, labels = rule.init(network), (distance > 0).astype(int)
    mistakes = 0.0
    for _ in range(int(bound) + 2):
        network, state, metrics = rule.step(network, state, x, labels)
        mistakes += metrics.loss
        if metrics.loss == 0:
            break
    assert metrics.loss == 0
    assert mistakes <= bound


def test_delta_rule_settles_near_least_squares():
    data = iris_two_features()
    centred = data.features - data.features.mean(0)
    # Features without correlation, so that all directions settle equally fast.
    features = np.linalg.qr(centred)[0] * np.sqrt(len(centred))
    rule = DeltaRule(0.003, margin=1.0)
    result = fit(dense([2, 1], Step(), rng=0), rule, features, data.labels, epochs=30, seed=0)
    design = np.column_stack([features, np.ones(len(features))])
    best = np.linalg.lstsq(design, 2.0 * data.labels - 1.0)[0]
    layer = result.network.layers[0]
    np.testing.assert_allclose([*layer.w[:, 0], layer.bias[0]], best, atol=0.03)
    assert result.score(features, data.labels) == 1.0


@pytest.mark.parametrize("rule", [Perceptron(), Relaxation(), Tempotron()], ids=repr)
def test_error_driven_rules_separate_two_kinds_of_iris(rule):
    data = iris_two_features()
    network = dense([2, 1], Step(), rng=0)
    result = fit(network, rule, data.features, data.labels, epochs=200, seed=0, until="solved",
                 patience=2)  # fmt: skip
    assert result.score(data.features, data.labels) == 1.0


def test_divergence_is_an_error_and_never_a_nan():
    rng = np.random.default_rng(0)
    network, x, labels = problem("step", 2, rng, n_trials=2000)
    with pytest.raises(NonFiniteStateError, match="DeltaRule.*lower learning_rate"):
        DeltaRule(5.0).step(network, DeltaRule().init(network), x, labels)


def test_an_input_without_activity_leaves_the_weights():
    network, x, labels = problem("delta", 1, np.random.default_rng(0), trainable=("w",))
    for rule in RULES:
        trained, *_ = rule.step(network, rule.init(network), np.zeros_like(x), labels)
        if rule != Proportional(0.1):
            np.testing.assert_array_equal(trained.layers[0].w, network.layers[0].w)


@pytest.mark.parametrize("synapse", [Delta(), Exponential(4.0)], ids=repr)
def test_a_unit_without_weights_learns_but_not_one_that_is_only_inhibited(synapse):
    x = np.zeros((6, 1, 2))
    x[1, 0, 0] = 1.0
    for start, changes in [(0.0, True), (-1.0, False)]:
        layer = Layer(np.full((2, 1), start), LIF.normalised(), synapse=synapse, trainable=("w",))
        network, rule = LayeredNetwork([layer]), Tempotron()
        trained, *_ = rule.step(network, rule.init(network), x, np.array([1]))
        assert (trained.layers[0].w[0, 0] > start) == changes
        assert trained.layers[0].w[1, 0] == start


def test_on_threshold_units_the_tempotron_is_the_perceptron():
    network, x, labels = problem("step", 3, np.random.default_rng(0))
    one, two = (
        rule.step(network, rule.init(network), x, labels)[0].layers[0]
        for rule in (Perceptron(0.2), Tempotron(0.2))
    )
    np.testing.assert_array_equal(one.w, two.w)
    np.testing.assert_array_equal(one.bias, two.bias)


@pytest.mark.parametrize(("tau_m", "tau_syn"), [(20.0, 5.0), (8.0, 8.0), (5.0, 15.0)])
def test_one_spike_at_its_peak_changes_a_tempotron_weight_by_the_rate(tau_m, tau_syn):
    layer = Layer([[0.1]], LIF.normalised(tau_m), synapse=Exponential(tau_syn), trainable=("w",))
    network = LayeredNetwork([layer], dt=0.01 if not config.DISABLE_JIT else 0.1)
    x = np.zeros((round(60.0 / network.dt), 1, 1))
    x[0] = 1.0
    rule = Tempotron(0.25)
    trained, *_ = rule.step(network, rule.init(network), x, np.array([1]))
    assert trained.layers[0].w[0, 0] - 0.1 == pytest.approx(0.25, rel=1e-4)


@pytest.mark.parametrize("shunting", [False, True])
def test_inputs_after_the_spike_of_a_tempotron_learn_unless_they_are_shunted(shunting):
    x = np.zeros((30, 1, 3))
    x[1, 0, 0] = x[4, 0, 0] = 1.0  # two spikes of an input that make the unit fire,
    x[15, 0, 1] = 1.0  # a stronger input later,
    x[28, 0, 2] = 1.0  # and one after the maximum
    layer = Layer([[4.0], [12.0], [0.0]], LIF.normalised(10.0), synapse=Exponential(2.5),
                  trainable=("w",))  # fmt: skip
    network, rule = LayeredNetwork([layer]), Tempotron(0.1, shunting=shunting)
    assert np.flatnonzero(forward(network, x)[0].output)[0] < 10
    trained, *_ = rule.step(network, rule.init(network), x, np.array([0]))
    change = trained.layers[0].w[:, 0] - layer.w[:, 0]
    assert change[0] < 0.0
    assert (change[1] < 0.0) != shunting
    assert change[2] == 0.0


def test_tempotron_learns_as_many_spike_patterns_as_it_has_inputs():
    n = 10 if config.DISABLE_JIT else 40
    rng = np.random.default_rng(0)
    patterns, labels = rng.random((n, n)), np.arange(n) % 2
    network = dense([n, 1], LIF.normalised(15.0), synapse=Exponential(3.75), gain=4.0, rng=0)
    encoder = LatencyEncoder(duration=80.0, t_max=60.0, low=0.0, high=1.0)
    result = fit(network, Tempotron(0.2, momentum=0.5), patterns, labels, encoder=encoder,
                 epochs=60 if config.DISABLE_JIT else 400, seed=0, until="solved",
                 patience=2)  # fmt: skip
    assert result.score(patterns, labels) == 1.0


def test_a_tempotron_learns_one_pattern_an_input_but_not_four():
    found = tempotron_capacity.run(tempotron_capacity.Config.smoke())
    np.testing.assert_array_equal(found["loads"], [1.0, 4.0])
    assert found["solved"][0].all() and not found["solved"][1].any()
    assert (found["errors"][1] > 0.1).all()


@pytest.mark.parametrize(
    "rule",
    [Perceptron(), DeltaRule(), Relaxation(), Proportional(0.02),
     Proportional(0.02, reading="active"), Tempotron()],
    ids=repr,
)  # fmt: skip
@pytest.mark.parametrize("unit", ["step", "lif"])
def test_no_single_unit_solves_xor_from_rates(rule, unit):
    data = xor()
    if unit == "step":
        network, encoder = dense([2, 1], Step(), rng=1, bias_sd=1.0), Analog()
    else:
        network = dense([2, 1], LIF.normalised(), synapse=Exponential(5.0), gain=5.0, rng=1)
        encoder = RateEncoder(duration=30.0, max_rate=200.0)
    x = encoder.fit(data.features).encode(data.features, dt=1.0)
    state, best = rule.init(network), 0.0
    for _ in range(10 if config.DISABLE_JIT else 100):
        network, state, _ = rule.step(network, state, x, data.labels)
        best = max(best, float(np.mean(decisions(rule, network, x) == data.labels)))
    assert best <= 0.75
