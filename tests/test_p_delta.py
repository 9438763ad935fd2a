"""The parallel delta rule: its cases one by one, and the length that it keeps."""

import dataclasses

import numpy as np
import pytest

from spikesim.datasets import iris
from spikesim.errors import ParameterError
from spikesim.learning import PDelta, committee_network, fit
from spikesim.neurons import LIF, Step
from spikesim.synapses import Exponential
from tests.test_madaline_i import committee_of

# Two inputs: the second, of 0, keeps the weight vectors from being one number.
EXCESS = [0.05, 0.5, -0.05, -0.5, -0.6]


def directions(label, rule, w=EXCESS, length=10.0):
    """Present one trial; return by how much the first weight was changed before scaling."""
    w = np.array(w)
    network = committee_of([w, np.sqrt(length**2 - w**2)])
    x = np.array([[[1.0, 0.0]]])
    trained, *_ = rule.step(network, rule.init(network), x, np.array([label]))
    after = trained.layers[0].w
    np.testing.assert_allclose(np.linalg.norm(after, axis=0), length, rtol=1e-12)
    # Scaling keeps the ratio, and the second weight was not changed.
    return after[0] / after[1] * network.layers[0].w[1] - w


@pytest.mark.parametrize(
    ("label", "w", "expected"),
    [
        # Wrongly no: all silent units rise; one that fires narrowly is held up as well.
        (1, EXCESS, [+0.4, 0, +1, +1, +1]),
        # Rightly no: only units within the margin move, each to its own side.
        (0, EXCESS, [+0.4, 0, -0.4, 0, 0]),
        # Wrongly yes: all that fired fall; one that is narrowly silent is held down as well.
        (0, [0.05, 0.5, 0.6, -0.05, -0.5], [-1, -1, -1, -0.4, 0]),
        (1, [0.05, 0.5, 0.6, -0.05, -0.5], [+0.4, 0, 0, -0.4, 0]),
    ],
)
def test_each_case_of_the_rule(label, w, expected):
    rule = PDelta(0.01, margin=0.1, clear_margin_weight=0.4)
    np.testing.assert_allclose(directions(label, rule, w), 0.01 * np.array(expected), atol=1e-12)


def test_without_a_margin_only_errors_move_units():
    rule = PDelta(0.01, margin=0.0)
    np.testing.assert_allclose(directions(0, rule), 0.0, atol=1e-14)
    np.testing.assert_allclose(directions(1, rule), [0, 0, 0.01, 0.01, 0.01], atol=1e-12)


@pytest.mark.parametrize("unit", ["step", "lif"])
@pytest.mark.parametrize("trainable", [("w", "bias"), ("w",)])
def test_every_unit_keeps_the_length_that_it_had_at_the_start(unit, trainable):
    rng = np.random.default_rng(0)
    neuron = Step() if unit == "step" else LIF.normalised(12.0)
    network = committee_network(4, 3, 2, neuron, synapse=Exponential(4.0), gain=3.0, bias_sd=0.5,
                                rng=rng)  # fmt: skip
    hidden = dataclasses.replace(network.layers[0], trainable=trainable)
    network = dataclasses.replace(network, layers=[hidden, network.layers[1]])
    x = rng.standard_normal((1, 30, 4))
    if neuron.spiking:
        x = (rng.random((12, 30, 4)) < 0.3).astype(float)
    rule, labels = PDelta(0.3, 0.5), rng.integers(0, 2, 30)
    state = start = rule.init(network)
    for _ in range(3):
        network, state, metrics = rule.step(network, state, x, labels)
        assert metrics.update_norms[0] > 0.1
    np.testing.assert_allclose(rule.init(network), start, rtol=1e-12)
    np.testing.assert_array_equal(state, start)


def test_three_committees_share_three_kinds_of_iris():
    data = iris()
    network = committee_network(4, 5, 3, Step(), rng=0)
    scaled = (data.features - data.features.mean(0)) / data.features.std(0)
    result = fit(network, PDelta(0.03), scaled, data.labels, epochs=30, seed=0, warn=False)
    assert result.score(scaled, data.labels) > 0.9


def test_units_without_weights_and_bad_settings_are_refused():
    with pytest.raises(ParameterError, match=r"PDelta\.network: unit 0 .* no weight other than"):
        PDelta().init(committee_network(2, 3, 1, Step(), gain=0.0, rng=0))
    for name in ("margin", "clear_margin_weight"):
        with pytest.raises(ParameterError, match=rf"PDelta\.{name} must be at least 0"):
            PDelta(**{name: -0.1})


@pytest.mark.parametrize(("fire_on", "steps"), [("ge", [0.4, 1.0, 1.0]), ("gt", [1.0, 1.0, 1.0])])
def test_a_unit_exactly_at_its_threshold_is_on_the_side_of_its_output(fire_on, steps):
    w = np.array([0.0, -0.5, -0.6])
    network = committee_of([w, np.full(3, 10.0)])
    hidden = dataclasses.replace(network.layers[0], neuron=Step(fire_on))
    network = dataclasses.replace(network, layers=[hidden, network.layers[1]])
    rule = PDelta(0.01, margin=0.1, clear_margin_weight=0.4)
    trained, *_ = rule.step(network, rule.init(network), np.array([[[1.0, 0.0]]]), np.array([1]))
    after = trained.layers[0].w
    np.testing.assert_allclose(after[0] / after[1] * 10.0 - w, 0.01 * np.array(steps), rtol=1e-9)


@pytest.mark.parametrize("size", [1.0, 0.1])
def test_a_step_that_ends_at_zero_is_not_made(size):
    network = committee_of([[size]])
    rule = PDelta(size)
    state = rule.init(network)
    network, state, metrics = rule.step(network, state, np.ones((1, 1, 1)), np.array([0]))
    assert metrics.n_correct == 0 and network.layers[0].w[0, 0] == size
    np.testing.assert_array_equal(rule.init(network), state)
    # Half of that step is made, and only shortens the weight, which has its length back.
    half = PDelta(0.5 * size).step(network, state, np.ones((1, 1, 1)), np.array([0]))[0]
    assert half.layers[0].w[0, 0] == pytest.approx(size, rel=1e-14)
