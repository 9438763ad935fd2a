"""Bad input to encoders and local rules: the kind of error, and the argument that it names."""

import re
from dataclasses import replace

import numpy as np
import pytest

from spikesim.encoding import (
    Analog,
    LatencyEncoder,
    PopulationEncoder,
    RateEncoder,
    SpikeTrains,
)
from spikesim.errors import SpikesimError
from spikesim.layered import Layer, LayeredNetwork, dense
from spikesim.learning import (
    DECOLLE,
    SGD,
    Adam,
    Backprop,
    Committee,
    CrossEntropy,
    DeltaRule,
    EProp,
    EventProp,
    Evolution,
    ExponentiatedGradient,
    MadalineI,
    MaxMembrane,
    PDelta,
    Perceptron,
    Proportional,
    Reinforce,
    Relaxation,
    Tempotron,
    Winnow,
    committee_network,
)
from spikesim.learning.committees import CommitteeRule
from spikesim.neurons import LIF, ReLU, Sigmoid, Step, Tanh
from spikesim.synapses import Exponential

HYPERPARAMETERS = [
    *[
        (rule, {"learning_rate": value}, kind)
        for rule in (
            Perceptron, DeltaRule, Relaxation, Proportional, Tempotron, Committee,
            ExponentiatedGradient, MadalineI, PDelta,
        )
        for value, kind in [
            (-1.0, ValueError), (0.0, ValueError), (float("nan"), ValueError),
            (float("inf"), ValueError), ("0.1", TypeError), (None, TypeError), (True, TypeError),
            ([0.1], TypeError),
        ]
    ],
    (Relaxation, {"learning_rate": 2.0}, ValueError),
    (MadalineI, {"learning_rate": 2.0}, ValueError),
    (MadalineI, {"margin": 0.0}, ValueError),
    (PDelta, {"margin": float("nan")}, ValueError),
    (PDelta, {"clear_margin_weight": -1.0}, ValueError),
    (ExponentiatedGradient, {"spread": 0.0}, ValueError),
    (Winnow, {"factor": 1.0}, ValueError),
    (Winnow, {"factor": "2"}, TypeError),
    (Committee, {"among": "right"}, ValueError),
    (Relaxation, {"margin": -0.1}, ValueError),
    (DeltaRule, {"margin": 0.0}, ValueError),
    (DeltaRule, {"margin": "wide"}, TypeError),
    (Proportional, {"reading": "all"}, ValueError),
    (Proportional, {"reading": 1}, ValueError),
    (Proportional, {"credit": "mean"}, ValueError),
    (Proportional, {"margin": -0.1}, ValueError),
    (Proportional, {"spread": 0.0}, ValueError),
    (Proportional, {"hidden": "goal"}, ValueError),
    (Tempotron, {"momentum": 1.0}, ValueError),
    (Tempotron, {"momentum": -0.5}, ValueError),
    (Tempotron, {"shunting": 1}, TypeError),
    (RateEncoder, {"duration": 0.0}, ValueError),
    (RateEncoder, {"duration": -5.0}, ValueError),
    (RateEncoder, {"duration": float("nan")}, ValueError),
    (RateEncoder, {"duration": "long"}, TypeError),
    (RateEncoder, {"max_rate": -1.0}, ValueError),
    (RateEncoder, {"max_rate": float("inf")}, ValueError),
    (RateEncoder, {"mode": "Poisson"}, ValueError),
    (RateEncoder, {"low": [[0.0]]}, ValueError),
    (RateEncoder, {"low": float("nan")}, ValueError),
    (RateEncoder, {"high": "up"}, TypeError),
    (RateEncoder, {"bias_spike": 1}, TypeError),
    (LatencyEncoder, {"duration": -1.0}, ValueError),
    (LatencyEncoder, {"t_max": -1.0}, ValueError),
    (LatencyEncoder, {"t_max": 30.0}, ValueError),
    (LatencyEncoder, {"low": [0.0, 3.0], "high": [1.0, 2.0]}, ValueError),
    (LatencyEncoder, {"low": [0.0, 3.0], "high": [1.0, 4.0, 5.0]}, ValueError),
    (LatencyEncoder, {"early": "late"}, ValueError),
    (SpikeTrains, {"n_lines": 0}, ValueError),
    (SpikeTrains, {"n_lines": 2.0}, TypeError),
    (PopulationEncoder, {"n_fields": 0}, ValueError),
    (PopulationEncoder, {"n_fields": 2.0}, TypeError),
    (PopulationEncoder, {"n_fields": True}, TypeError),
    (PopulationEncoder, {"duration": 0.0}, ValueError),
    (PopulationEncoder, {"t_max": 40.0}, ValueError),
    (PopulationEncoder, {"width": 0.0}, ValueError),
    (PopulationEncoder, {"cutoff": 1.5}, ValueError),
    (PopulationEncoder, {"mode": "rate"}, ValueError),
    (PopulationEncoder, {"max_rate": -1.0}, ValueError),
]  # fmt: skip


@pytest.mark.parametrize(("thing", "arguments", "kind"), HYPERPARAMETERS)
def test_a_bad_setting_is_refused_by_name(thing, arguments, kind):
    name = re.escape(f"{thing.__name__}.{next(iter(arguments))}")
    with pytest.raises(kind, match=name) as caught:
        thing(**arguments)
    assert isinstance(caught.value, SpikesimError)


def test_an_unknown_setting_is_refused():
    for thing in (
        Perceptron, DeltaRule, Relaxation, Proportional, Tempotron, Committee,
        ExponentiatedGradient, MadalineI, PDelta, SGD, Adam,
    ):  # fmt: skip
        with pytest.raises(
            TypeError, match=f"{thing.__name__} .*'learning_rat'.*did you mean 'learning_rate'"
        ) as caught:
            thing(learning_rat=0.1)
        assert isinstance(caught.value, SpikesimError)
    for encoder in (RateEncoder, LatencyEncoder, PopulationEncoder):
        with pytest.raises(TypeError, match=f"{encoder.__name__} .*did you mean 'duration'"):
            encoder(durations=3.0)
    with pytest.raises(TypeError, match="CrossEntropy .*did you mean 'scale'"):
        CrossEntropy(scal=1.0)


@pytest.mark.parametrize("kind", [RateEncoder, LatencyEncoder, PopulationEncoder])
def test_a_range_beyond_double_precision_is_refused(kind):
    message = rf"{kind.__name__}\.low.*further apart than double precision"
    with pytest.raises(ValueError, match=message):
        kind(low=-1e308, high=1e308)
    with pytest.raises(ValueError, match=rf"{kind.__name__}\.low\[1\]"):
        kind().fit([[0.0, -1e308], [1.0, 1e308]])
    one = kind(low=-1e308, high=0.0).encode([[1e308], [0.0]], dt=1.0)
    np.testing.assert_array_equal(one[:, 0], one[:, 1])
    kind(low=-1e308, high=-1e308).encode([[1e308]], dt=1.0)


FEATURES = [
    ([[0.0, np.nan]], ValueError, r"features\[0, 1\]"),
    ([[np.inf, 0.0]], ValueError, r"features\[0, 0\]"),
    ([0.0, 1.0], ValueError, "features must have shape"),
    ([[[0.0]]], ValueError, "features must have shape"),
    (np.zeros((3, 0)), ValueError, "features must hold at least one feature"),
    ([["a", "b"]], TypeError, "features must hold numbers"),
    ([[1j, 0.0]], ValueError, "features: complex"),
    (None, ValueError, "features is nan"),
    (np.ma.masked_array([[1.0, 2.0]], [[True, False]]), ValueError, r"features\[0, 0\] is masked"),
]


@pytest.mark.parametrize(("features", "kind", "message"), FEATURES)
@pytest.mark.parametrize(
    "encoder", [Analog(), RateEncoder(), LatencyEncoder(), PopulationEncoder()], ids=repr
)
def test_bad_features_are_refused_by_name(encoder, features, kind, message):
    message = rf"{type(encoder).__name__}\.{message}"
    fitted = encoder.fit(np.eye(2))
    for call in (lambda: encoder.fit(features), lambda: fitted.encode(features, dt=1.0)):
        with pytest.raises(kind, match=message) as caught:
            call()
        assert isinstance(caught.value, SpikesimError)


@pytest.mark.parametrize("kind", [RateEncoder, LatencyEncoder, PopulationEncoder])
def test_encoding_refuses_what_it_cannot_do(kind):
    name = kind.__name__
    with pytest.raises(ValueError, match=rf"{name}\.low and .* call fit\(features\) first"):
        kind().encode(np.eye(2), dt=1.0)
    fitted = kind().fit(np.eye(2))
    with pytest.raises(ValueError, match=rf"{name}\.features has 3 features, {name}\.low has 2"):
        fitted.encode(np.eye(3), dt=1.0)
    with pytest.raises(ValueError, match=rf"{name}\.dt must be greater than 0"):
        fitted.encode(np.eye(2), dt=0.0)
    with pytest.raises(ValueError, match=rf"{name}\.duration must be a multiple of dt"):
        fitted.encode(np.eye(2), dt=0.7)
    with pytest.raises(ValueError, match=rf"{name}\.features must hold at least one sample"):
        kind().fit(np.zeros((0, 2)))


def test_spike_trains_refuse_what_they_are_not():
    encoder = SpikeTrains(2, dt=0.5)
    with pytest.raises(ValueError, match=r"SpikeTrains\.features must have n_steps \* 2 columns"):
        encoder.fit(np.eye(3))
    with pytest.raises(ValueError, match=r"SpikeTrains\.features\[0, 1\] is 0\.5; spikes are"):
        encoder.fit([[0.0, 0.5]])
    with pytest.raises(ValueError, match=r"SpikeTrains\.features\[0, 1\] is nan"):
        encoder.fit([[0.0, np.nan]])
    with pytest.raises(ValueError, match=r"SpikeTrains\.dt = 0\.5 ms .* the network has 1 ms"):
        encoder.encode(np.eye(2), dt=1.0)
    # What adding up leaves of a step is no other step.
    assert SpikeTrains(2, dt=0.1 + 0.2).encode(np.eye(2), dt=0.3).shape == (1, 2, 2)
    with pytest.raises(ValueError, match="SpikeTrains.dt must be greater than 0"):
        SpikeTrains(2, dt=0.0)


def test_exact_times_need_one_spike_a_line():
    for mode in ("regular", "poisson"):
        fitted = PopulationEncoder(mode=mode).fit(np.eye(2))
        with pytest.raises(ValueError, match=r"PopulationEncoder\.spike_times needs one spike"):
            fitted.spike_times(np.eye(2))
    with pytest.raises(ValueError, match=r"LatencyEncoder\.low and .* call fit\(features\) first"):
        LatencyEncoder().spike_times(np.eye(2))


def test_rates_and_times_must_fit_the_grid():
    encoder = RateEncoder(duration=10.0, max_rate=600.0, low=0.0, high=1.0)
    with pytest.raises(ValueError, match=r"RateEncoder\.max_rate must be at most .* 500 Hz"):
        encoder.encode([[1.0]], dt=2.0)
    encoder = LatencyEncoder(duration=10.0, t_max=9.9, low=0.0, high=1.0)
    with pytest.raises(ValueError, match=r"LatencyEncoder\.t_max must end before the last step"):
        encoder.encode([[1.0]], dt=1.0)
    poisson = RateEncoder(mode="poisson", low=0.0, high=1.0)
    with pytest.raises(ValueError, match=r"RateEncoder\.rng must be at least 0"):
        poisson.encode([[1.0]], dt=1.0, rng=-1)
    with pytest.raises(TypeError, match=r"RateEncoder\.rng must be an integer"):
        poisson.encode([[1.0]], dt=1.0, rng=1.5)


def single(neuron, **options):
    return LayeredNetwork([Layer(np.ones((2, 1)), neuron, **options)])


NETWORKS = [
    (single(Sigmoid()), TypeError, "must be Step or LIF"),
    (single(Step(), trainable=("bias",)), ValueError, "w must be in Layer.trainable"),
    (single(Step(), steepness=[2.0]), ValueError, "steepness of threshold units must be 1"),
    (single(LIF.normalised(), w_rec=[[0.1]]), ValueError, "w_rec must be None"),
    (single(LIF.normalised([5.0])), ValueError, "LIF.tau_m must be one number"),
    (single(LIF.non_spiking()), ValueError, "LIF.v_th must be finite"),
    (dense([2, 3], LIF.normalised(t_ref=2.0), rng=0), ValueError, "LIF.t_ref must be 0"),
    (single(LIF.normalised(), delay=2.0), ValueError, "Layer.delay must be None"),
    (
        single(LIF.normalised(), trainable=("w", "v_th")),
        ValueError,
        "v_th must not be in Layer.trainable",
    ),
    (
        dense([2, 1], LIF.normalised(), synapse=Exponential(3.0), continuous=True, rng=0),
        ValueError,
        "must run on a grid; make it without continuous=True",
    ),
]


@pytest.mark.parametrize(("network", "kind", "message"), NETWORKS)
@pytest.mark.parametrize("rule", [Perceptron(), Tempotron(), Proportional()], ids=repr)
def test_a_network_that_cannot_be_trained_is_refused(rule, network, kind, message):
    with pytest.raises(kind, match=rf"{type(rule).__name__}\.network.*{message}") as caught:
        rule.init(network)
    assert isinstance(caught.value, SpikesimError)


@pytest.mark.parametrize("rule", [Perceptron(), Tempotron()], ids=repr)
def test_a_rule_of_one_layer_refuses_two(rule):
    with pytest.raises(ValueError, match=r"\.network must have one layer, got 2"):
        rule.init(dense([2, 3, 1], Step(), rng=0))


def test_threshold_units_and_lif_units_do_not_mix():
    network = dense([2, 3, 1], Step(), output=LIF.normalised(), rng=0)
    with pytest.raises(ValueError, match=r"throughout, got Step in layer 0 and LIF in layer 1"):
        Proportional().init(network)
    with pytest.raises(TypeError, match=r"Proportional\.network: neuron must be Step or LIF"):
        Proportional().init(dense([2, 3, 1], Step(), output=Sigmoid(), rng=0))


X = np.zeros((1, 2, 2))
BATCHES = [
    (X, [0, 2], IndexError, r"labels\[1\] is 2; indices from 0 to 1"),
    (X, [0, -1], IndexError, r"labels\[1\] is -1"),
    (X, [0.0, 0.5], TypeError, r"labels\[1\] must be a whole number"),
    (X, [0.0, np.nan], ValueError, r"labels\[1\] is nan"),
    (X, ["a", "b"], TypeError, "labels must hold integers"),
    (X, [0], ValueError, r"labels must have shape \(2,\), got \(1,\)"),
    (X[0], [0, 1], ValueError, "x must have shape"),
    (X[:, :, :1], [0, 1], ValueError, r"x must have shape \(any, any, 2\), got \(1, 2, 1\)"),
    (X[:0], [0, 1], ValueError, "x must have at least one step"),
    (np.zeros((3, 2, 2)), [0, 1], ValueError, "x must have one step for threshold units, got 3"),
    (np.full((1, 2, 2), np.nan), [0, 1], ValueError, r"x\[0, 0, 0\] is nan"),
]


@pytest.mark.parametrize(("x", "labels", "kind", "message"), BATCHES)
@pytest.mark.parametrize(
    "rule", [Perceptron(), Relaxation(), Winnow(), Committee(), MadalineI(), PDelta()], ids=repr
)
def test_a_bad_batch_is_refused_by_name(rule, x, labels, kind, message):
    committee = isinstance(rule, CommitteeRule)
    network = committee_network(2, 3, 1, Step(), rng=0) if committee else single(Step())
    state = rule.init(network)
    with pytest.raises(kind, match=rf"{type(rule).__name__}\.{message}") as caught:
        rule.step(network, state, x, labels)
    assert isinstance(caught.value, SpikesimError)
    rule.step(network, state, X, np.array([0, 1]))


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("n_inputs", 0, ValueError),
        ("n_hidden", 2.5, TypeError),
        ("n_outputs", -1, ValueError),
        ("neuron", ReLU(), TypeError),
        ("gain", -1.0, ValueError),
        ("bias_sd", float("nan"), ValueError),
        ("dt", 0.0, ValueError),
        ("rng", -1, ValueError),
    ],
)
def test_a_committee_is_made_of_what_makes_sense(name, value, kind):
    arguments = {"n_inputs": 2, "n_hidden": 3, "n_outputs": 1, "neuron": Step(), "rng": 0}
    with pytest.raises(kind, match=rf"committee_network\.{name}"):
        committee_network(**{**arguments, name: value})


def frozen(network, trainable=()):
    return network.updated([replace(layer, trainable=trainable) for layer in network.layers])


LIFS = {"neuron": LIF.normalised(), "synapse": Exponential(5.0), "rng": 0}


@pytest.mark.parametrize(
    ("rule", "network", "advice"),
    [
        (DECOLLE(), dense([2, 2], Tanh(), rng=0), "rate units.*use Backprop"),
        (EProp(), dense([2, 2], Tanh(), rng=0), "rate units.*use Backprop"),
        (Reinforce(), dense([2, 2], Tanh(), rng=0), "rate units.*use Backprop"),
        (Backprop(), frozen(dense([2, 2], Tanh(), rng=0)), r"name arrays in Layer\.trainable"),
        (Evolution(), frozen(dense([2, 2], Tanh(), rng=0)), r"name arrays in Layer\.trainable"),
        (EventProp(), frozen(dense([2, 2], **LIFS)), r"name arrays in Layer\.trainable"),
        (
            EProp(),
            frozen(dense([2, 2], **LIFS), ("w", "tau_m")),
            "layer 0 has 'tau_m' as trainable: take it out of Layer.trainable",
        ),
        (EProp(), dense([2, 2], continuous=True, **LIFS), "continuous time use EventProp"),
        (EventProp(readout=MaxMembrane()), dense([2, 2], **LIFS), "or use FirstSpike"),
    ],
    ids=repr,
)
def test_a_refusal_says_what_to_do(rule, network, advice):
    with pytest.raises(ValueError, match=advice):
        rule.init(network)
