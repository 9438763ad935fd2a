"""The training diagnosis: shares of silent and saturated units, and its warnings."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from numba import config

from spikesim.datasets import xor
from spikesim.encoding import RateEncoder
from spikesim.errors import (
    DeadLayerWarning,
    DivergenceWarning,
    NonFiniteStateError,
    ParameterError,
)
from spikesim.layered import Layer, LayeredNetwork, dense
from spikesim.layered.forward import run
from spikesim.learning import (
    DECOLLE,
    MSE,
    SGD,
    Adam,
    Backprop,
    EProp,
    FeedbackAlignment,
    SpikeCount,
    fit,
)
from spikesim.learning.base import Metrics
from spikesim.learning.diagnosis import Diagnosis
from spikesim.neurons import LIF, ReLU, Sigmoid, Step, Tanh
from spikesim.synapses import Exponential

XOR = xor()
ONE = LayeredNetwork([Layer([[1.0]], Tanh())])
FEATURES, LABELS = np.array([[0.5], [1.0]]), np.array([0, 1])
ALWAYS = RateEncoder(20.0, 1000.0, low=0.0, high=0.5)
TINY = Backprop(MSE(), SGD(1e-12))


def history(layers, encoder=None, warn=False, epochs=1, rule=TINY, labels=LABELS):
    network = LayeredNetwork(layers)
    return fit(
        network, rule, FEATURES, labels, epochs=epochs, encoder=encoder, warn=warn, seed=0
    ).history


def test_silent_and_saturated_spiking_units():
    # Units: silent, firing at every spike of the input, firing now and then, every third step.
    w = np.array([[0.1, 1.0, 0.4]])
    layer = Layer(w, LIF.normalised(10.0))
    steady = Layer(w, LIF.normalised(10.0, t_ref=3.0))
    features = np.array([[1.0], [1.0]])
    for first, saturated in ((layer, 1 / 3), (steady, 1 / 3)):
        network = LayeredNetwork([first, Layer(np.ones((3, 1)), LIF.normalised(10.0))])
        found = fit(
            network, TINY, features, [0, 1], epochs=1, encoder=ALWAYS, warn=False, seed=0
        ).history.layers[0]
        assert found.silent.tolist() == [1 / 3]
        assert found.saturated.tolist() == [saturated]


def test_mean_rate_of_spiking_units_is_in_hz():
    network = LayeredNetwork([Layer([[1.0, 0.0]], LIF.normalised(10.0))], dt=0.5)
    encoder = RateEncoder(10.0, 2000.0, low=0.0, high=1.0)
    found = fit(
        network, TINY, [[1.0], [1.0]], [0, 1], epochs=1, encoder=encoder, warn=False, seed=0
    ).history
    assert found.layers[0].mean_rate.tolist() == [0.5 * 19 / 0.01]
    assert found.spikes_per_trial.tolist() == [19.0]


def test_silent_and_saturated_rate_units():
    bias = [-40.0, 40.0, 0.0, 0.0]
    w = np.array([[0.0, 0.0, 1.0, 2.0]])
    found = history([Layer(w, Sigmoid(), bias), Layer(np.ones((4, 1)), Sigmoid())]).layers[0]
    assert found.silent.tolist() == [0.25]
    assert found.saturated.tolist() == [0.25]
    u = np.array([0.5, 1.0])
    mean = np.mean([0.0, 1.0, np.mean(1 / (1 + np.exp(-u))), np.mean(1 / (1 + np.exp(-2 * u)))])
    assert found.mean_rate[0] == pytest.approx(mean)


def test_relu_is_silent_but_never_saturated_and_step_by_its_constancy():
    relu = history([Layer([[-1.0, 1.0]], ReLU()), Layer(np.ones((2, 1)), Sigmoid())]).layers[0]
    assert (relu.silent[0], relu.saturated[0]) == (0.5, 0.0)
    step = history(
        [Layer([[-1.0, 1.0, 1.0]], Step(), [0, 0, -0.75]), Layer(np.ones((3, 1)), Sigmoid())]
    ).layers[0]
    assert step.silent[0] == pytest.approx(1 / 3)
    assert step.saturated[0] == pytest.approx(1 / 3)


def test_units_that_never_fire_by_design_are_not_silent():
    found = history([Layer([[1.0, 1.0]], LIF.non_spiking())], ALWAYS, rule=Backprop())
    assert found.layers[0].silent.tolist() == [0.0]


def test_update_norm_is_that_of_the_gradient():
    network = LayeredNetwork([Layer([[0.0]], Sigmoid())])
    rule = Backprop(MSE(), SGD(0.5))
    result = fit(network, rule, [[1.0]], [1], epochs=1, warn=False)
    gradient = -0.5 * 0.25
    assert result.history.layers[0].update_norm[0] == pytest.approx(np.hypot(gradient, gradient))


def test_a_dead_spiking_layer_is_warned_of_once():
    layers = [
        Layer(np.full((1, 4), 1e-3), LIF.normalised()),
        Layer(np.ones((4, 2)), LIF.normalised()),
    ]
    rule = Backprop(optimiser=SGD(1e-12), readout=SpikeCount())
    with pytest.warns(DeadLayerWarning) as caught:
        history(layers, ALWAYS, warn=True, epochs=10, rule=rule)
    texts = [str(w.message) for w in caught]
    assert len(texts) == 2
    assert texts[0] == (
        "layer 0: 100% of its units never fired in epochs 0 to 2; raise the gain of its weights "
        "or its bias, or lower v_th"
    )
    assert texts[1].startswith("layer 1: 100% of its units never fired")


@pytest.mark.parametrize(
    ("first", "text"),
    [
        (Layer(np.full((1, 4), 5.0), LIF.normalised()), "fired in every step.*raise v_th"),
        (Layer(np.full((1, 4), -5.0), ReLU()), "gave no output.*raise its biases"),
        (Layer(np.full((1, 4), 500.0), Sigmoid()), "saturated in every trial.*scale the features"),
        (Layer([[2.0, -2.0]], Step(), [-1.5, 1.5]), "update was exactly zero.*Step"),
    ],
)
def test_the_warning_says_what_is_wrong_and_what_to_change(first, text):
    encoder = ALWAYS if first.neuron.spiking else None
    last = Layer(np.full((first.n_post, 1), 1e-3), Sigmoid(), [1.0])
    with pytest.warns(DeadLayerWarning, match=f"layer 0: .*{text}"):
        history([first, last], encoder, warn=True, epochs=3, labels=np.array([0, 0]))


def test_no_warning_when_asked_not_to_nor_when_all_is_right_nor_at_once():
    dead = [Layer(np.full((1, 4), -5.0), ReLU()), Layer(np.full((4, 1), 1.0), Sigmoid())]
    right = [Layer(np.full((1, 4), -5.0), ReLU()), Layer(np.full((4, 1), 1.0), Sigmoid(), [-1.0])]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        history(dead, warn=False, epochs=10)
        history(dead, warn=True, epochs=2)
        history(right, warn=True, epochs=10, labels=np.array([0, 0]))


# Kernels that are not compiled warn of what overflows on the way.
@pytest.mark.parametrize("rate", [1e6, 1e100 if config.DISABLE_JIT else 1e300])
@pytest.mark.parametrize("batch_size", [None, 2])
@pytest.mark.parametrize("rule", [Backprop, EProp, FeedbackAlignment, DECOLLE])
def test_a_loss_that_diverges_is_warned_of(rule, batch_size, rate):
    network = dense(
        [2, 6, 2], LIF.normalised(), output=LIF.non_spiking(), synapse=Exponential(5.0), gain=9.0,
        bias_sd=1.0, rng=0,
    )  # fmt: skip
    encoder = RateEncoder(15.0, 300.0, "regular")
    task = {"encoder": encoder, "batch_size": batch_size, "seed": 0}
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        result = fit(
            network, rule(optimiser=Adam(rate)), XOR.features, XOR.labels, epochs=6, **task
        )
    assert [w.category for w in given] == [DivergenceWarning]
    text = str(given[0].message)
    assert "before the training" in text and "lower the learning rate" in text
    assert result.history.loss[-1] > 1e3


def test_a_loss_that_is_infinite_is_an_error_with_its_epoch():
    network = dense([2, 3, 1], Tanh(), output=Sigmoid(), rng=0)
    with pytest.raises(NonFiniteStateError, match=r"epoch \d+: .*learning rate"):
        fit(network, Backprop(optimiser=Adam(1.7e308)), XOR.features, XOR.labels, epochs=6, seed=0)


def test_a_loss_that_rises_by_less_or_for_a_moment_is_not_called_diverged():
    losses = iter([1.0, 9.0, 9.0, 9.0, 99.0, 99.0, 1.0, 99.0, 99.0])
    diagnosis = Diagnosis(ONE, True, loss_before=lambda: 1.0)
    for epoch, loss in enumerate(losses):
        diagnosis.add(Metrics(loss, 0, 1, (1.0,), run(ONE, FEATURES[None])))
        diagnosis.close_epoch(epoch, 0.5, loss)
    with pytest.warns(DivergenceWarning, match=r"1 before the training, 99 in epoch 9"):
        diagnosis.close_epoch(9, 0.5, 99.0)
    diagnosis.close_epoch(10, 0.5, 99.0)
    lucky = Diagnosis(ONE, True, loss_before=lambda: 50.0)
    for epoch in range(5):
        lucky.add(Metrics(1.0, 0, 1, (1.0,), run(ONE, FEATURES[None])))
        lucky.close_epoch(epoch, 0.5, 99.0)


def test_a_loss_that_rises_while_every_trial_is_right_has_not_diverged():
    diagnosis = Diagnosis(ONE, True, loss_before=lambda: 1e-4)
    diagnosis.add(Metrics(1e-4, 1, 1, (1.0,), run(ONE, FEATURES[None])))
    for epoch in range(5):
        diagnosis.close_epoch(epoch, 1.0, 4e-3)


def test_a_layer_that_is_not_trained_is_not_complained_of():
    layers = [
        Layer(np.full((1, 4), 0.4), LIF.normalised()),
        Layer(np.full((4, 2), [1e-3, 2e-3]), LIF.normalised(), trainable=()),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        history(layers, ALWAYS, warn=True, epochs=10, rule=Backprop(readout=SpikeCount()))


def test_neurons_far_from_threshold_are_pointed_to_normalised_ones():
    layers = [Layer(np.full((1, 4), 1.0), LIF()), Layer(np.ones((4, 2)), LIF())]
    rule = Backprop(readout=SpikeCount())
    with pytest.warns(DeadLayerWarning, match=r"15 mV above rest: with LIF\.normalised\(\)"):
        history(layers, ALWAYS, warn=True, epochs=10, rule=rule)


def test_spiking_units_are_not_fed_a_single_step():
    layers = [Layer(np.full((1, 2), 1.0), LIF.normalised())]
    with pytest.raises(ParameterError, match=r"fit\.features: Analog.*RateEncoder"):
        history(layers)
