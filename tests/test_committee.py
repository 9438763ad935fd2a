"""Rules of committees: against their twin, by the vote in the simulated network, on XOR."""

import dataclasses

import numpy as np
import pytest
from numba import config

from spikesim.datasets import iris, xor
from spikesim.encoding import Analog, LatencyEncoder, RateEncoder
from spikesim.errors import ParameterError, ParameterTypeError
from spikesim.layered import Layer, LayeredNetwork, dense, forward
from spikesim.learning import Committee, MadalineI, PDelta, committee_network, fit
from spikesim.neurons import LIF, Sigmoid, Step, Tanh
from spikesim.synapses import Delta, Exponential
from tests import naive_committees

RULES = [
    Committee(0.4),
    Committee(0.4, among="all"),
    MadalineI(0.7, 0.6),
    PDelta(0.1, 0.5, 0.4),
]
UNITS = {
    "step": (Step(), Delta()),
    "step gt": (Step("gt"), Delta()),
    "delta": (LIF.normalised(12.0), Delta()),
    "exponential": (LIF.normalised(12.0), Exponential(4.0)),
}


def problem(unit, n_hidden, n_outputs, rng, n_trials=20):
    neuron, synapse = UNITS[unit]
    network = committee_network(
        4, n_hidden, n_outputs, neuron, synapse=synapse, gain=3.0, bias_sd=0.5, rng=rng
    )
    if neuron.spiking:
        x = (rng.random((12, n_trials, 4)) < 0.2).astype(float)
    else:
        x = rng.standard_normal((1, n_trials, 4))
    return network, x, rng.integers(0, max(2, n_outputs), n_trials)


def decisions(network, x):
    readout, layer = Committee().readout, network.layers[-1]
    return readout.decide(readout.scores(forward(network, x)[-1], layer, network.dt), layer)


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize(("n_hidden", "n_outputs"), [(1, 1), (4, 1), (5, 1), (3, 3), (2, 2)])
@pytest.mark.parametrize("trainable", [("w", "bias"), ("w",)], ids=["bias", "no bias"])
@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_step_equals_the_equation(rule, trainable, unit, n_hidden, n_outputs):
    n_trials = 6 if config.DISABLE_JIT else 20
    network, x, labels = problem(unit, n_hidden, n_outputs, np.random.default_rng(0), n_trials)
    hidden = dataclasses.replace(network.layers[0], trainable=trainable)
    network = LayeredNetwork([hidden, network.layers[1]], network.dt)
    trained, _, metrics = rule.step(network, rule.init(network), x, labels)
    w, bias, n_correct = naive_committees.step(rule, network, x, labels)
    np.testing.assert_allclose(trained.layers[0].w, w, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(trained.layers[0].bias, bias, rtol=1e-7, atol=1e-9)
    assert trained.layers[1] is network.layers[1]
    assert metrics.n_correct == n_correct
    assert np.any(trained.layers[0].w != network.layers[0].w)


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize(("n_hidden", "n_outputs"), [(4, 1), (5, 1), (5, 3), (4, 2)])
def test_the_simulated_network_decides_as_the_rule_counts(unit, n_hidden, n_outputs):
    rng = np.random.default_rng(1)
    for _ in range(2 if config.DISABLE_JIT else 10):
        network, x, labels = problem(unit, n_hidden, n_outputs, rng)
        rule, right = Committee(), 0
        for b in range(len(labels)):
            one = slice(b, b + 1)
            right += rule.step(network, None, x[:, one].copy(), labels[one])[2].n_correct
        assert right == np.sum(decisions(network, x) == labels)


@pytest.mark.parametrize("n_hidden", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("unit", ["step", "delta"])
def test_the_output_fires_for_more_than_half_of_the_votes(n_hidden, unit):
    network, x, _ = problem(unit, n_hidden, 1, np.random.default_rng(2), n_trials=60)
    hidden, output = forward(network, x)
    heard = hidden.output if unit == "step" else hidden.output[:-1]
    votes = heard.sum(axis=0).sum(axis=1)
    np.testing.assert_array_equal(output.output.sum(axis=0)[:, 0] > 0, votes > n_hidden / 2)
    assert set(np.unique(hidden.output.sum(axis=0))) <= {0.0, 1.0}


def test_a_vote_in_the_last_step_is_not_heard():
    hidden = Layer([[2.0]], LIF.normalised(10.0), trainable=("w",))
    network = committee_network(1, 1, 1, LIF.normalised(10.0), rng=0)
    network = LayeredNetwork([dataclasses.replace(network.layers[0], w=hidden.w),
                              network.layers[1]])  # fmt: skip
    for step, heard in [(0, 1), (1, 1), (2, 0), (3, 0)]:
        x = np.zeros((4, 1, 1))
        x[step] = 1.0
        assert decisions(network, x) == [heard]
        _, _, metrics = Committee().step(network, None, x, np.array([heard]))
        assert metrics.n_correct == 1


def test_just_enough_of_the_closest_wrong_voters_learn():
    w = np.array([[-0.1, -0.5, -0.3, -0.9, 0.4]])
    network = committee_network(1, 5, 1, Step(), rng=0)
    hidden = dataclasses.replace(network.layers[0], w=w, bias=np.zeros(5), trainable=("w",))
    network = LayeredNetwork([hidden, network.layers[1]])
    rule, x = Committee(0.25), np.ones((1, 1, 1))
    trained, *_ = rule.step(network, None, x, np.array([1]))
    # One votes yes, three are needed: the two closest to the threshold change.
    np.testing.assert_allclose(trained.layers[0].w - w, [[0.25, 0.0, 0.25, 0.0, 0.0]])
    trained, *_ = rule.step(network, None, x, np.array([0]))
    np.testing.assert_array_equal(trained.layers[0].w, w)


def test_the_closest_of_all_may_have_voted_rightly():
    w = np.array([[-0.35, -0.5, -0.3, -0.9, 0.1]])
    network = committee_network(1, 5, 1, Step(), rng=0)
    hidden = dataclasses.replace(network.layers[0], w=w, bias=np.zeros(5), trainable=("w",))
    network = LayeredNetwork([hidden, network.layers[1]])
    rule, x = Committee(0.25, among="all"), np.ones((1, 1, 1))
    trained, *_ = rule.step(network, None, x, np.array([1]))
    # Two votes are missing; the closest unit votes yes already and takes one of the steps.
    np.testing.assert_allclose(trained.layers[0].w - w, [[0.0, 0.0, 0.25, 0.0, 0.25]])
    trained, *_ = rule.step(network, None, x, np.array([0]))
    np.testing.assert_array_equal(trained.layers[0].w, w)
    with pytest.raises(ParameterError, match=r"Committee\.among must be one of 'wrong', 'all'"):
        Committee(among="right")


SOLVERS = {
    "step": (Analog(), Step(), Delta(), 2.0, 1.0),
    "latency": (
        LatencyEncoder(duration=30.0, t_max=15.0, bias_spike=True), LIF.normalised(10.0),
        Delta(), 1.5, 1.0,
    ),
    "rate": (
        RateEncoder(duration=100.0, max_rate=200.0), LIF.normalised(20.0), Exponential(5.0), 1.0,
        0.3,
    ),
}  # fmt: skip


@pytest.mark.parametrize("code", SOLVERS)
def test_four_units_solve_xor_from_every_start(code):
    rule, seeds = Committee(SOLVERS[code][-1]), range(2 if config.DISABLE_JIT else 20)
    assert solved(rule, code, seeds) == len(seeds)


def solved(rule, code, seeds):
    """Return from how many starts four units learn XOR."""
    encoder, neuron, synapse, gain, _ = SOLVERS[code]
    data, count = xor(), 0
    n_inputs = 2 + getattr(encoder, "bias_spike", False)
    for seed in seeds:
        network = committee_network(n_inputs, 4, 1, neuron, synapse=synapse, gain=gain, rng=seed)
        result = fit(network, rule, data.features, data.labels, encoder=encoder, epochs=400,
                     seed=seed, until="solved", patience=3, warn=False)  # fmt: skip
        count += result.score(data.features, data.labels) == 1.0
    return count


@pytest.mark.parametrize("code", ["step", "latency"])
@pytest.mark.parametrize("rule", [Committee(among="all"), MadalineI(), PDelta()], ids=repr)
def test_the_other_rules_solve_xor_from_most_starts(rule, code):
    seeds = range(3 if config.DISABLE_JIT else 20)
    assert solved(rule, code, seeds) >= 0.6 * len(seeds)


def test_one_unit_alone_does_not_solve_xor():
    data = xor()
    network = committee_network(2, 1, 1, Step(), rng=0)
    result = fit(network, Committee(), data.features, data.labels, epochs=50, seed=0, warn=False)
    assert result.history.accuracy.max() < 1.0


def test_three_committees_share_three_kinds_of_iris():
    data = iris()
    network = committee_network(4, 5, 3, Step(), rng=0)
    scaled = (data.features - data.features.mean(0)) / data.features.std(0)
    result = fit(network, Committee(), scaled, data.labels, epochs=30, seed=0, warn=False)
    assert result.score(scaled, data.labels) > 0.9


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)
def test_units_of_another_kind_are_refused(rule):
    name = type(rule).__name__
    for neuron in (Tanh(3.0), Sigmoid()):
        with pytest.raises(ParameterTypeError, match=f"{name}.network: .* trained by Backprop"):
            rule.init(committee_network(2, 3, 1, neuron, rng=0))
    with pytest.raises(ParameterError, match=f"{name}.network: the second layer is not"):
        rule.init(dense([2, 4, 1], Step(), rng=0))


def test_other_networks_are_refused():
    rule = Committee()
    with pytest.raises(ParameterError, match=r"Committee\.network must have two layers, got 1"):
        rule.init(dense([2, 1], Step(), rng=0))
    with pytest.raises(ParameterError, match=r"Committee\.network: the second layer is not"):
        rule.init(dense([2, 4, 1], Step(), rng=0))
    network = committee_network(2, 4, 1, LIF.normalised(), rng=0)
    brief = dataclasses.replace(network.layers[0], neuron=LIF.normalised(t_ref=2.0))
    network = LayeredNetwork([brief, network.layers[1]])
    with pytest.raises(ParameterError, match=r"LIF\.t_ref must be as long as the trial"):
        rule.step(network, rule.init(network), np.zeros((5, 1, 2)), np.array([0]))


SPOILT = [
    ("w", 2 * np.ones((3, 1))),
    ("w", [[1.0], [1.0], [0.0]]),
    ("bias", [0.5]),
    ("trainable", ("w", "bias")),
]
SPOILT_STEP = [*SPOILT, ("neuron", Step("gt")), ("steepness", [2.0])]
SPOILT_LIF = [
    *SPOILT,
    ("neuron", LIF(1e18, 1e18, 0.0, 2.5, 0.0, 0.0)),
    ("synapse", Exponential(4.0)),
    ("w_rec", [[0.0]]),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)
@pytest.mark.parametrize(
    ("neuron", "field", "value"),
    [
        *((Step(), *one) for one in SPOILT_STEP),
        *((LIF.normalised(12.0), *one) for one in SPOILT_LIF),
    ],
)
def test_a_vote_that_is_another_in_any_field_is_refused(rule, neuron, field, value):
    network = committee_network(2, 3, 1, neuron, rng=0)
    hidden, output = network.layers
    rule.init(network)
    spoilt = LayeredNetwork([hidden, dataclasses.replace(output, **{field: value})])
    with pytest.raises(ParameterError, match=rf"second layer is not .* its {field} is another"):
        rule.init(spoilt)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)
def test_a_vote_of_another_size_is_refused(rule):
    output = committee_network(2, 3, 2, Step(), rng=0).layers[1]
    hidden = Layer(np.ones((2, 7)), Step())
    # Three units for each of two outputs, and one that belongs to none.
    w = np.vstack([output.w, np.zeros((1, 2))])
    spoilt = LayeredNetwork([hidden, dataclasses.replace(output, w=w)])
    with pytest.raises(ParameterError, match="second layer is not .* its w is another"):
        rule.init(spoilt)


@pytest.mark.parametrize("rule", [Committee(0.4), MadalineI(1.0, 0.3)], ids=repr)
def test_a_unit_that_feels_nothing_is_passed_over(rule):
    # All are silent. The first is the closest to its threshold, but at the start, before the
    # input, so that no change of its weight would move it.
    neuron = dataclasses.replace(LIF.normalised(10.0), v_init=np.array([0.9, 0.0, 0.0]))
    network = committee_network(1, 3, 1, neuron, rng=0)
    hidden = dataclasses.replace(network.layers[0], w=[[-1.0, 0.3, 0.2]], trainable=("w",))
    network = LayeredNetwork([hidden, network.layers[1]])
    x = np.zeros((10, 1, 1))
    x[6] = 1.0
    for _ in range(10):
        network, _, metrics = rule.step(network, None, x, np.array([1]))
    assert metrics.n_correct == 1
    assert network.layers[0].w[0, 0] == -1.0


def test_where_nobody_can_learn_nothing_changes():
    network = committee_network(2, 3, 1, Step(), rng=0)
    hidden = dataclasses.replace(network.layers[0], trainable=("w",))
    network = LayeredNetwork([hidden, network.layers[1]])
    for rule in (Committee(), Committee(among="all"), MadalineI()):
        trained, _, metrics = rule.step(network, None, np.zeros((1, 1, 2)), np.array([0]))
        assert metrics.n_correct == 0
        np.testing.assert_array_equal(trained.layers[0].w, hidden.w)


@pytest.mark.parametrize(("fire_on", "first"), [("ge", 0.0), ("gt", 0.4)])
def test_a_unit_exactly_at_its_threshold_votes_as_its_output_says(fire_on, first):
    network = committee_network(1, 3, 1, Step(fire_on), rng=0)
    hidden = dataclasses.replace(network.layers[0], w=[[0.0, -0.1, -0.2]], trainable=("w",))
    network = LayeredNetwork([hidden, network.layers[1]])
    for rule in (Committee(0.4), MadalineI(1.0, 0.4)):
        trained, *_ = rule.step(network, None, np.ones((1, 1, 1)), np.array([1]))
        # It is the closest of the wrong voters, or has voted rightly already.
        second = 0.4 if isinstance(rule, MadalineI) else 0.3
        np.testing.assert_allclose(trained.layers[0].w, [[first, second, -0.2]], atol=1e-15)


def test_of_equally_close_units_the_first_are_taken():
    network = committee_network(1, 5, 1, Step(), rng=0)
    hidden = dataclasses.replace(network.layers[0], w=np.full((1, 5), -0.5), trainable=("w",))
    network = LayeredNetwork([hidden, network.layers[1]])
    trained, *_ = Committee(0.4).step(network, None, np.ones((1, 1, 1)), np.array([1]))
    np.testing.assert_allclose(trained.layers[0].w, [[-0.1, -0.1, -0.1, -0.5, -0.5]])
