"""The evolution strategy against its twin, and what it can do without any derivative."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from numba import config

from spikesim.datasets import xor
from spikesim.encoding import LatencyEncoder
from spikesim.errors import NonFiniteStateError, ParameterError
from spikesim.layered import Layer, LayeredNetwork, dense, forward
from spikesim.learning import Evolution, NetInput, RateOutput, SpikeCount, fit
from spikesim.neurons import LIF, ReLU, Sigmoid, Step
from spikesim.synapses import Exponential

XOR = xor()
LATENCY = LatencyEncoder(20.0, 12.0, bias_spike=True)


def errors_of(network, x, labels):
    """Count errors: one unit says 1 from half its range on, of several the largest decides."""
    output = forward(network, x)[-1].output
    scores = output.sum(axis=0) if network.layers[-1].neuron.spiking else output.mean(axis=0)
    decided = scores.argmax(axis=1) if scores.shape[1] > 1 else scores[:, 0] >= 0.5
    return int(np.sum(decided != labels))


def naive_step(arrays, build, n, sd, x, labels, *, offspring, first_sd, seed):
    """Return the arrays and sd after step `n`; `arrays` is a flat list, `build` makes a network."""
    parent = errors_of(build(arrays), x, labels)
    if parent == 0:
        return arrays, sd
    rng = np.random.default_rng((seed, n))
    best, least, good = arrays, parent, 0
    found = False
    for _ in range(offspring):
        tried = [a + sd * rng.standard_normal(a.shape) for a in arrays]
        made = errors_of(build(tried), x, labels)
        good += made <= parent
        if made < least or (made == least and not found):
            best, least, found = tried, made, True
    if 5 * good > offspring:
        sd = sd / 0.85
    elif 5 * good < offspring:
        sd = sd * 0.85
    return best, min(sd, 10.0 * first_sd)


def networks():
    neuron = LIF.normalised()
    options = {"synapse": Exponential(3.0), "gain": 5.0}
    base = dense([2, 3, 1], Sigmoid(), rng=1)
    partly = LayeredNetwork(
        [
            Layer(base.layers[0].w, Sigmoid(), trainable=("steepness", "w")),
            Layer(base.layers[1].w, Step(), trainable=()),
        ]
    )
    return {
        "step": dense([2, 4, 1], Step(), rng=0),
        "two steps": dense([2, 3, 2], Step(), rng=1),
        "sigmoid": dense([2, 3, 1], Sigmoid(), rng=2),
        "lif": dense([3, 4, 2], neuron, recurrent=True, rng=3, **options),
        "partly": partly,
    }


@pytest.mark.parametrize("offspring", [1, 5, 8])
@pytest.mark.parametrize("kind", list(networks()))
def test_steps_equal_the_equation(kind, offspring):
    network = networks()[kind]
    rng = np.random.default_rng(4)
    shape = (12, 7, 3) if network.spiking else (1, 7, 2)
    x = rng.random(shape) if not network.spiking else (rng.random(shape) < 0.3) * 1.0
    labels = rng.integers(0, 2, 7)
    names = [tuple(layer.parameters()) for layer in network.layers]

    def build(arrays):
        remaining = iter(arrays)
        layers = [
            layer.updated(**{name: next(remaining) for name in chosen})
            for layer, chosen in zip(network.layers, names, strict=True)
        ]
        return LayeredNetwork(layers, network.dt)

    rule = Evolution(offspring, sd=0.4, seed=9)
    state = rule.init(network)
    arrays, sd = [a for layer in network.layers for a in layer.parameters().values()], 0.4
    for n in range(12):
        before = copy.deepcopy(arrays)
        trained, state, metrics = rule.step(build(arrays), state, x, labels)
        assert metrics.loss == errors_of(build(arrays), x, labels) == 7 - metrics.n_correct
        arrays, sd = naive_step(
            arrays, build, n, sd, x, labels, offspring=offspring, first_sd=0.4, seed=9
        )
        found = [a for layer in trained.layers for a in layer.parameters().values()]
        for mine, twin in zip(found, arrays, strict=True):
            np.testing.assert_array_equal(mine, twin)
        assert state == (n + 1, sd)
        length = np.sqrt(sum(np.sum((a - b) ** 2) for a, b in zip(arrays, before, strict=True)))
        assert np.linalg.norm(metrics.update_norms) == pytest.approx(length)
        if not network.layers[-1].trainable:
            assert metrics.update_norms[-1] == 0.0


def test_errors_never_rise_on_a_full_batch():
    rule = Evolution(seed=2)
    result = fit(
        dense([2, 4, 1], Step(), bias_sd=1.0, rng=5), rule, XOR.features, XOR.labels, epochs=60
    )
    assert np.all(np.diff(result.history.loss) <= 0.0)


@pytest.mark.parametrize(
    ("network", "encoder"),
    [
        (lambda seed: dense([2, 4, 1], Step(), bias_sd=1.0, rng=seed), None),
        (lambda seed: dense([2, 4, 1], Sigmoid(), bias_sd=1.0, rng=seed), None),
        (lambda seed: dense([2, 4, 2], ReLU(), output=Step(), bias_sd=1.0, rng=seed), None),
        (
            lambda seed: dense(
                [3, 4, 1], LIF.normalised(), synapse=Exponential(3.0), gain=5.0, rng=seed
            ),
            LATENCY,
        ),
    ],
    ids=["step", "sigmoid", "mixed", "lif"],
)
def test_it_learns_xor(network, encoder):
    # Uncompiled, LIF neurons get two starts that need few steps.
    seeds, epochs = ((9, 11), 30) if config.DISABLE_JIT and encoder else (range(6), 400)
    solved = 0
    for seed in seeds:
        rule = Evolution(sd=0.5, seed=seed)
        result = fit(network(seed), rule, XOR.features, XOR.labels, encoder=encoder, epochs=epochs,
                     until="solved", patience=1, seed=0, warn=False)  # fmt: skip
        solved += result.score(XOR.features, XOR.labels) == 1.0
    assert solved >= len(seeds) // 2


def test_a_network_without_errors_is_left_alone():
    rule = Evolution()
    network = LayeredNetwork([Layer([[1.0]], Step(), [-0.5])])
    x = np.array([[[0.0], [1.0]]])
    trained, state, metrics = rule.step(network, rule.init(network), x, np.array([0, 1]))
    assert trained.layers[0].w.tobytes() == network.layers[0].w.tobytes()
    assert metrics.loss == 0.0 and metrics.update_norms == (0.0,)
    assert state == (1, 0.3)


def test_changes_grow_on_a_plateau_up_to_ten_times_and_shrink_where_all_do_harm():
    rule = Evolution(sd=0.2)
    x = np.array([[[1.0], [1.0]]])
    network = LayeredNetwork([Layer([[1e6]], Step())])
    state = rule.init(network)
    for _ in range(40):
        network, state, _ = rule.step(network, state, x, np.array([0, 1]))
    assert state.sd == pytest.approx(2.0)
    # At w = 0 every unit fires: one trial is wrong for good, and any change makes more wrong.
    eye = np.eye(3)
    x = np.concatenate([eye, -eye, np.zeros((1, 3))])[None]
    network = LayeredNetwork([Layer(np.zeros((3, 1)), Step(), trainable=("w",))])
    rule = Evolution(sd=0.2)
    trained, state, metrics = rule.step(network, rule.init(network), x, np.array([1] * 6 + [0]))
    assert metrics.loss == 1.0 and metrics.update_norms == (0.0,)
    assert not trained.layers[0].w.any()
    assert state.sd == pytest.approx(0.85 * 0.2)


def test_seeds_matter_and_are_kept_apart_from_the_number_of_the_step():
    network = networks()["step"]
    x = XOR.features[None]
    changes = set()
    for seed in (0, 1):
        for n in (0, 1):
            rule = Evolution(offspring=30, seed=seed)
            state = rule.init(network)._replace(n_steps=n)
            changes.add(rule.step(network, state, x, XOR.labels)[0].layers[0].w.tobytes())
    assert len(changes) == 4


def test_the_readout_is_that_of_the_output_or_the_one_given():
    rules = {name: Evolution().readout_for(network) for name, network in networks().items()}
    assert rules["lif"] == SpikeCount()
    assert rules["two steps"] == rules["sigmoid"] == RateOutput()
    rule = Evolution(readout=NetInput())
    network = networks()["two steps"]
    assert rule.readout_for(network) is rule.readout
    result = fit(network, rule, XOR.features, XOR.labels, epochs=3, warn=False)
    assert result.readout is rule.readout


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"offspring": 0}, ValueError, r"Evolution\.offspring"),
        ({"offspring": 1.5}, TypeError, r"Evolution\.offspring"),
        ({"sd": 0.0}, ValueError, r"Evolution\.sd"),
        ({"sd": np.inf}, ValueError, r"Evolution\.sd"),
        ({"seed": -1}, ValueError, r"Evolution\.seed"),
        ({"readout": SpikeCount}, TypeError, r"Evolution\.readout"),
        ({"ofspring": 3}, TypeError, "offspring"),
    ],
)
def test_bad_settings_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        Evolution(**options)


def test_networks_that_cannot_be_trained_are_refused():
    with pytest.raises(ParameterError, match="nothing to train"):
        Evolution().init(LayeredNetwork([Layer([[1.0]], Step(), trainable=())]))
    with pytest.raises(ParameterError, match="SpikeCount"):
        Evolution(readout=SpikeCount()).init(networks()["sigmoid"])


@pytest.mark.parametrize("sd", [1e200, 1e308])
@pytest.mark.parametrize("kind", [Step, ReLU, Sigmoid])
def test_changes_that_overflow_are_an_error(kind, sd):
    network = dense([2, 3, 3, 1], kind(), output=Sigmoid(), rng=0)
    rule = Evolution(sd=sd)
    x = np.random.default_rng(0).standard_normal((1, 20, 2))
    with pytest.raises(NonFiniteStateError, match="Evolution: .* all offspring diverged.*lower sd"):
        rule.step(network, rule.init(network), x, np.tile([0, 1], 10))


def test_a_weight_that_diverged_is_no_success():
    # Any positive weight is as good as any other, and none is right about the second trial.
    network = LayeredNetwork([Layer([[1.0]], Step(), [-0.5], trainable=("w",))])
    x, labels = np.ones((1, 2, 1)), np.array([1, 0])
    for seed in range(20):
        rule = Evolution(2, sd=1e100, seed=seed)
        drawn = 1.0 + 1e100 * np.random.default_rng((seed, 0)).standard_normal(2)
        fine = np.abs(drawn) <= 1e100
        if not fine.any():
            with pytest.raises(NonFiniteStateError):
                rule.step(network, rule.init(network), x, labels)
            continue
        trained, state, _ = rule.step(network, rule.init(network), x, labels)
        assert trained.layers[0].w[0, 0] == drawn[fine][0]
        # More than a fifth succeed.
        assert state.sd == pytest.approx(1e100 / 0.85)


def test_an_output_that_overflows_is_no_success():
    # The product of four weights as large as the changes is beyond double precision.
    layers = [Layer([[1.0]], ReLU(), trainable=("w",)) for _ in range(5)]
    network = LayeredNetwork(layers)
    x, labels = np.full((1, 2, 1), 1e-3), np.array([1, 0])
    rule = Evolution(offspring=40, sd=1e75, seed=1)
    trained, _, metrics = rule.step(network, rule.init(network), x, labels)
    assert metrics.n_correct == 1
    assert np.isfinite(forward(trained, x)[-1].output).all()
    with pytest.raises(NonFiniteStateError, match="the output of the network overflows"):
        huge = network.updated([one.updated(w=np.array([[1e100]])) for one in layers])
        rule.step(huge, rule.init(huge), x, labels)


@pytest.mark.parametrize(
    ("output", "x"),
    [
        # The net input overflows, not the output; then the mean of outputs, not the outputs.
        (Step(), np.full((1, 2, 1), 1e300)),
        (ReLU(), np.full((3, 2, 1), 1.5e208)),
    ],
    ids=["net input", "mean"],
)
def test_a_parent_that_overflows_anywhere_is_an_error(output, x):
    network = LayeredNetwork([Layer([[1e100]], output, trainable=("w",))])
    with pytest.raises(NonFiniteStateError, match="the output of the network overflows"):
        Evolution().step(network, Evolution().init(network), x, np.array([0, 1]))


def test_the_seed_of_the_training_does_not_reach_the_draws():
    network = networks()["step"]
    one, two, other = (
        fit(network, Evolution(seed=own), XOR.features, XOR.labels, epochs=5, seed=seed, warn=False)
        for own, seed in ((0, 1), (0, 2), (1, 1))
    )
    weights = [result.network.layers[0].w.tobytes() for result in (one, two, other)]
    assert weights[0] == weights[1] != weights[2]
