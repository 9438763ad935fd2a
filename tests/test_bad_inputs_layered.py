"""What fit, evaluate, forward and check_gradient refuse, by exception and name; and what not."""

from __future__ import annotations

import numpy as np
import pytest

from spikesim.datasets import xor
from spikesim.distributions import Normal
from spikesim.errors import (
    NonFiniteStateError,
    ParameterError,
    ParameterTypeError,
    RoundingWarning,
    SpikesimError,
)
from spikesim.layered import Layer, LayeredNetwork, dense, forward, to_spiking
from spikesim.learning import Backprop, MaxMembrane, SpikeCount, check_gradient, evaluate, fit
from spikesim.neurons import LIF, ReLU, Sigmoid, Tanh
from spikesim.synapses import Alpha

XOR = xor()
X, Y = XOR.features, XOR.labels
NETWORK = dense([2, 3, 1], Sigmoid(), rng=0)
NAN = np.where(np.arange(8).reshape(4, 2) == 5, np.nan, X)


class _Unsaid:
    """An encoder that does not say whether it draws."""

    def fit(self, features):
        return self

    def n_inputs(self, n_features):
        return n_features

    def encode(self, features, *, dt, rng=None):
        return np.ones((3, *np.shape(features)))


class _Broken(_Unsaid):
    """An encoder that gives what is no number."""

    stochastic = False

    def encode(self, features, *, dt, rng=None):
        return np.full((3, *np.shape(features)), np.nan)


class Sparse:
    def tocsr(self):
        return self


FEATURES = [
    (NAN, ValueError, r"features\[2, 1\] is nan"),
    (np.where(np.isnan(NAN), np.inf, NAN), ValueError, r"features\[2, 1\] is inf"),
    (X + 0j, ValueError, "features: complex data not supported"),
    (X.astype(str), TypeError, "features must hold numbers"),
    (np.array([["a", 1], [2, 3], [4, 5], [6, 7]], dtype=object), TypeError, "features"),
    ([[1.0, 2.0], [3.0]], TypeError, "features"),
    (X[:, 0], ValueError, r"features must have shape.*reshape\(-1, 1\)"),
    (X[None], ValueError, "features must have shape"),
    (X[:0], ValueError, "features must hold at least one sample"),
    (X[:, :0], ValueError, "features must hold at least one sample and one feature"),
    (np.ones((4, 3)), ValueError, "features has 3 features.*first layer takes 2"),
    (np.ma.masked_equal(X, 1.0), ValueError, "features.*masked"),
    (Sparse(), TypeError, "features is a sparse"),
    (np.full((4, 2), 2**60), ValueError, r"features.*2\*\*53"),
]
LABELS = [
    (Y[:3], ValueError, "labels must have one label for each of the 4 samples.*got \\(3,\\)$"),
    (np.eye(2, dtype=int)[Y], ValueError, r"got \(4, 2\); argmax\(axis=1\) makes labels"),
    (Y[:, None], ValueError, r"labels must have one label.*ravel\(\) makes one axis"),
    (Y.astype(float), TypeError, "labels must be whole numbers"),
    (np.array([0.0, 1.0, np.nan, 0.0]), TypeError, "labels must be whole numbers"),
    (["a", "b", "b", "a"], TypeError, "labels must be whole numbers.*np.unique"),
    ([[0], [1, 2], [0], [1]], TypeError, "labels must be one whole number a sample"),
    ([0, 1, None, 0], TypeError, r"labels must be whole numbers.*got None \(NoneType\) at \[2\]"),
    (np.ma.masked_array(Y, [0, 1, 0, 0]), ValueError, r"labels\[1\] is masked"),
    ([0, 1, 2, 0], ValueError, r"labels\[2\] is 2.*classes 0 to 1"),
    ([0, 1, -1, 0], ValueError, r"labels\[2\] is -1"),
]


@pytest.mark.parametrize("rule", [Backprop, "Backprop", 3])
def test_what_is_no_rule_is_refused_with_what_would_be(rule):
    text = r"^fit\.rule must be a learning rule, an object such as Backprop\(\), got "
    with pytest.raises(ParameterTypeError, match=text):
        fit(NETWORK, rule, X, Y)


def test_what_an_encoder_gives_is_not_said_of_the_features():
    with pytest.raises(ParameterError, match=r"^_Broken\.encode\(features\)\[0, 0, 0\] is nan"):
        fit(NETWORK, Backprop(), X, Y, encoder=_Broken(), epochs=1)


@pytest.mark.parametrize(("features", "error", "text"), FEATURES)
def test_bad_features(features, error, text):
    for call in (
        lambda: fit(NETWORK, Backprop(), features, Y),
        lambda: evaluate(NETWORK, None, features, Y),
        lambda: fit(NETWORK, Backprop(), X, Y, epochs=1).predict(features),
    ):
        with pytest.raises(error, match=text) as caught:
            call()
        assert isinstance(caught.value, SpikesimError)


@pytest.mark.parametrize(("labels", "error", "text"), LABELS)
def test_bad_labels(labels, error, text):
    x = X[None]
    for call in (
        lambda: fit(NETWORK, Backprop(), X, labels),
        lambda: evaluate(NETWORK, None, X, labels),
        lambda: fit(NETWORK, Backprop(), X, Y, epochs=1).score(X, labels),
        lambda: check_gradient(NETWORK, Backprop(), x, labels),
    ):
        with pytest.raises(error, match=text) as caught:
            call()
        assert isinstance(caught.value, SpikesimError)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"epochs": 0}, ValueError, r"fit\.epochs"),
        ({"epochs": 1.5}, TypeError, r"fit\.epochs"),
        ({"epochs": True}, TypeError, r"fit\.epochs"),
        ({"batch_size": 0}, ValueError, r"fit\.batch_size"),
        ({"batch_size": "all"}, TypeError, r"fit\.batch_size"),
        ({"shuffle": 1}, TypeError, r"fit\.shuffle"),
        ({"warn": "no"}, TypeError, r"fit\.warn"),
        ({"seed": -1}, ValueError, r"fit\.seed"),
        ({"seed": 1.5}, TypeError, r"fit\.seed"),
        ({"until": "solvd"}, ValueError, r"fit\.until.*did you mean 'solved'"),
        ({"patience": 0}, ValueError, r"fit\.patience"),
        ({"progress": "bar"}, TypeError, r"fit\.progress"),
        ({"encoder": "rate"}, TypeError, r"fit\.encoder"),
        ({"encoder": SpikeCount}, TypeError, r"fit\.encoder"),
        ({"encoder": NETWORK}, TypeError, r"fit\.encoder must be an encoder"),
        ({"encoder": _Unsaid()}, TypeError, r"fit\.encoder must be an encoder.*stochastic"),
        ({"validation": X}, TypeError, r"fit\.validation"),
        ({"validation": (X, Y[:2])}, ValueError, r"fit\.validation\[1\]"),
        ({"validation": (NAN, Y)}, ValueError, r"fit\.validation\[0\]"),
        ({"epoch": 3}, TypeError, "fit has no parameter 'epoch' .did you mean 'epochs'"),
    ],
)
def test_bad_options_of_fit(options, error, text):
    with pytest.raises(error, match=text):
        fit(NETWORK, Backprop(), X, Y, **options)


def test_labels_without_a_masked_entry_are_taken():
    assert fit(NETWORK, Backprop(), X, np.ma.masked_array(Y), epochs=1).history.n_epochs == 1
    assert fit(NETWORK, Backprop(), X, [0, True, np.int8(1), 0], epochs=1).history.n_epochs == 1
    assert fit(NETWORK, Backprop(), X, np.array([0, 1, 1, 0], object), epochs=1).rule


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: evaluate(NETWORK, None, X, Y, encodr=None), "evaluate.*'encoder'"),
        (lambda: check_gradient(NETWORK, Backprop(), X[None], Y, stp=1), "check_gradient.*'step'"),
        (lambda: dense([2, 1], Sigmoid(), rng=0, recurent=True), "dense.*'recurrent'"),
        (lambda: Layer([[1.0]], Sigmoid(), biass=[0.0]), "Layer.*'bias'"),
        (lambda: LayeredNetwork([NETWORK.layers[0]], dtt=1.0), "LayeredNetwork.*'dt'"),
        (lambda: Backprop(optimizer=None), "Backprop.*'optimiser'"),
        (lambda: SpikeCount(thresh=1.0), "SpikeCount"),
        (lambda: to_spiking(NETWORK, max_rat=1.0), "to_spiking.*'max_rate'"),
    ],
)
def test_unknown_keywords_come_with_the_nearest_known_one(call, text):
    with pytest.raises(TypeError, match=text) as caught:
        call()
    assert isinstance(caught.value, SpikesimError)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: dense(3, Sigmoid(), rng=0), r"dense\.sizes must be a sequence"),
        (lambda: dense("31", Sigmoid(), rng=0), r"dense\.sizes must be a sequence"),
        (lambda: dense([2, 1], "lif", recurrent=True, rng=0), r"dense\.neuron must be LIF"),
        (lambda: dense([2, 1], None, rng=0), r"dense\.neuron must be LIF"),
        (lambda: dense([2, 1], LIF(), output=LIF, rng=0), r"dense\.output must be LIF"),
        (lambda: LayeredNetwork(NETWORK.layers[0]), r"LayeredNetwork\.layers.*\[layer\]"),
        (lambda: Layer([[1.0]], Sigmoid(), trainable=None), r"Layer\.trainable.*tuple of names"),
        (lambda: Layer([[1.0]], Sigmoid(), trainable="bias"), r"Layer\.trainable.*tuple of names"),
    ],
)
def test_one_thing_where_several_are_wanted(call, text):
    with pytest.raises(TypeError, match=text) as caught:
        call()
    assert isinstance(caught.value, SpikesimError)


def test_a_forward_run_beyond_double_precision_is_refused_by_place():
    large = forward(LayeredNetwork([Layer([[1.0]], Tanh())]), [[[1e308]]])
    assert large[0].v.item() == 1e308
    w = np.array([[1.0, 1.7e308], [1.0, 1.7e308]])
    rate = LayeredNetwork([Layer(np.eye(2), ReLU()), Layer(w, Sigmoid())])
    with pytest.raises(NonFiniteStateError, match="layer 1, unit 1 is inf in step 2 of trial 0"):
        forward(rate, [[[0.0, 0.0]], [[0.5, 0.0]], [[1.0, 1.0]]])
    lif = LayeredNetwork([Layer([[1.7e308]], LIF.non_spiking())])
    with pytest.raises(NonFiniteStateError, match="layer 0, unit 0 is inf in step 2 of trial 1"):
        forward(lif, np.ones((4, 2, 1)) * [[[0.0], [1.0]]])


def test_bad_networks_rules_and_readouts():
    with pytest.raises(TypeError, match=r"fit\.network"):
        fit("net", Backprop(), X, Y)
    with pytest.raises(TypeError, match=r"fit\.rule"):
        fit(NETWORK, "backprop", X, Y)
    with pytest.raises(TypeError, match=r"fit\.rule"):
        fit(NETWORK, Backprop, X, Y)
    with pytest.raises(TypeError, match=r"evaluate\.network"):
        evaluate(None, None, X, Y)
    with pytest.raises(TypeError, match=r"evaluate\.readout"):
        evaluate(NETWORK, "count", X, Y)
    with pytest.raises(ValueError, match="MaxMembrane"):
        evaluate(NETWORK, MaxMembrane(), X, Y)
    with pytest.raises(ValueError, match=r"evaluate\.seed"):
        evaluate(NETWORK, None, X, Y, seed=-1)
    with pytest.raises(TypeError, match=r"check_gradient\.network"):
        check_gradient(None, Backprop(), X[None], Y)
    with pytest.raises(TypeError, match=r"check_gradient\.rule"):
        check_gradient(NETWORK, "backprop", X[None], Y)
    with pytest.raises(ValueError, match=r"check_gradient\.step"):
        check_gradient(NETWORK, Backprop(), X[None], Y, step=0.0)
    with pytest.raises(TypeError, match=r"forward\.network"):
        forward(None, X[None])


@pytest.mark.parametrize(
    ("x", "error", "text"),
    [
        (X, ValueError, r"x must have shape \(any, any, 2\)"),
        (np.ones((1, 4, 3)), ValueError, "x must have shape"),
        (np.ones((0, 4, 2)), ValueError, "x must have at least one step"),
        (np.ones((1, 0, 2)), ValueError, "x must have at least one step and one trial"),
        (NAN[None], ValueError, r"x\[0, 2, 1\] is nan"),
        ("spikes", TypeError, "x must hold numbers"),
        (X[None] + 0j, ValueError, "x: complex"),
    ],
)
def test_bad_x(x, error, text):
    with pytest.raises(error, match=r"forward\." + text):
        forward(NETWORK, x)
    with pytest.raises(error, match=r"check_gradient\." + text):
        check_gradient(NETWORK, Backprop(), x, Y)


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: Layer([[np.nan]], Sigmoid()), ValueError, r"Layer\.w\[0, 0\] is nan"),
        (lambda: Layer([1.0, 2.0], Sigmoid()), ValueError, r"Layer\.w must have shape"),
        (lambda: Layer(np.ones((0, 2)), Sigmoid()), ValueError, r"Layer\.w"),
        (lambda: Layer([[1.0]], "lif"), TypeError, r"Layer\.neuron"),
        (lambda: Layer([[1.0]], LIF(), [1.0, 2.0]), ValueError, r"Layer\.bias"),
        (lambda: Layer([[1.0]], LIF(), [np.inf]), ValueError, r"Layer\.bias\[0\] is inf"),
        (lambda: Layer([[1.0]], LIF(), synapse=Alpha()), TypeError, r"Layer\.synapse"),
        (lambda: Layer([[1.0]], LIF(), w_rec=[[1.0, 2.0]]), ValueError, r"Layer\.w_rec"),
        (lambda: Layer([[1.0]], Sigmoid(), w_rec=[[1.0]]), ValueError, r"Layer\.w_rec"),
        (lambda: Layer([[1.0]], LIF(), steepness=[1.0]), ValueError, r"Layer\.steepness"),
        (lambda: Layer([[1.0]], LIF(tau_m=[1.0, 2.0])), ValueError, r"Layer\.neuron"),
        (lambda: Layer([[1.0]], LIF(tau_m=Normal(10, 1))), ValueError, r"tau_m.*drawn"),
        (lambda: Layer([[1.0]], LIF(), trainable=("W",)), ValueError, r"Layer\.trainable"),
        (lambda: Layer([[1.0]], LIF()).updated(wrec=1), TypeError, r"Layer\.updated.*did you mean"),
        (lambda: Layer([[1.0]], LIF()).updated(w=[[np.nan]]), ValueError, r"Layer\.w\[0, 0\]"),
        (lambda: Layer([[1.0]], LIF()).updated(w=np.ones((2, 1))), ValueError, r"Layer\.w"),
        (lambda: LayeredNetwork([]), ValueError, r"LayeredNetwork\.layers"),
        (lambda: LayeredNetwork([1]), TypeError, r"LayeredNetwork\.layers\[0\]"),
        (lambda: NETWORK.updated([1, 2]), TypeError, r"LayeredNetwork\.layers\[0\]"),
        (lambda: NETWORK.updated(NETWORK.layers[:0]), ValueError, r"LayeredNetwork\.layers"),
        (
            lambda: NETWORK.updated(NETWORK.layers[::-1]),
            ValueError,
            r"LayeredNetwork\.layers\[1\]\.w",
        ),
        (lambda: LayeredNetwork([Layer([[1.0]], LIF())], 0.0), ValueError, "LayeredNetwork.dt"),
        (lambda: dense([3], LIF(), rng=0), ValueError, r"dense\.sizes"),
        (lambda: dense([3, 0], LIF(), rng=0), ValueError, r"dense\.sizes\[1\]"),
        (lambda: dense([3, 1.5], LIF(), rng=0), TypeError, r"dense\.sizes\[1\]"),
        (lambda: dense([3, 1], LIF(), rng=0, gain=-1.0), ValueError, r"dense\.gain"),
        (lambda: dense([3, 1], LIF(), rng="a"), TypeError, r"dense\.rng"),
    ],
)
def test_bad_descriptions(make, error, text):
    with pytest.raises(error, match=text):
        make()


def test_a_refractory_period_off_the_grid_is_rounded_with_a_warning():
    network = LayeredNetwork([Layer([[2.0]], LIF.normalised(10.0, t_ref=1.7))])
    with pytest.warns(RoundingWarning, match=r"LIF\.t_ref = 1\.7 ms.*2 ms is used"):
        trace = forward(network, np.ones((6, 1, 1)))[0]
    assert trace.held[:, 0, 0].tolist() == [0, 0, 1, 1, 0, 1]


def test_a_start_above_threshold_fires_in_the_first_step():
    start = LIF(10.0, 10.0, 0.0, 1.0, 0.0, 0.0, v_init=2.0)
    trace = forward(LayeredNetwork([Layer([[0.0]], start)]), np.zeros((2, 1, 1)))[0]
    assert trace.output[:, 0, 0].tolist() == [1.0, 0.0]


def same_bits(features, labels):
    a, b = (
        fit(NETWORK, Backprop(), f, y, epochs=3, seed=0) for f, y in ((X, Y), (features, labels))
    )
    for left, right in zip(a.network.layers, b.network.layers, strict=True):
        np.testing.assert_array_equal(left.w, right.w)


@pytest.mark.parametrize(
    "features",
    [
        np.asfortranarray(X),
        np.repeat(X, 2, axis=0)[::2],
        X[::-1].copy()[::-1],
        X.astype(np.float32),
        X.astype(np.float16),
        X.astype(np.longdouble),
        X.astype(">f8"),
        X.astype(np.uint8),
        X.astype(bool),
        X.astype(np.int64),
        X.astype(object),
        X.tolist(),
        np.ma.array(X),
    ],
)
def test_kind_and_layout_of_the_features_change_no_bit(features):
    same_bits(features, Y)


@pytest.mark.parametrize(
    "labels", [Y.tolist(), Y.astype(np.int8), Y.astype(np.uint64), Y.astype(bool), Y.astype(object)]
)
def test_kind_of_the_labels_changes_no_bit(labels):
    same_bits(X, labels)


def test_a_network_does_not_follow_later_changes_of_what_it_was_made_from():
    w, x = np.ones((2, 1)), X.copy()
    network = LayeredNetwork([Layer(w, Sigmoid())])
    result = fit(network, Backprop(), x, Y, epochs=2, seed=0)
    w[:], x[:] = 7.0, 7.0
    assert network.layers[0].w[0, 0] == 1.0
    again = fit(
        LayeredNetwork([Layer(np.ones((2, 1)), Sigmoid())]), Backprop(), X, Y, epochs=2, seed=0
    )
    np.testing.assert_array_equal(result.network.layers[0].w, again.network.layers[0].w)
