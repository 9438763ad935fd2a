"""Rate networks converted to spikes: what balancing does, and how far a count can be off."""

from __future__ import annotations

import numpy as np
import pytest
from numba import config

from spikesim.encoding import RateEncoder
from spikesim.layered import (
    Layer,
    LayeredNetwork,
    agreement,
    dense,
    forward,
    largest_count_error,
    to_spiking,
)
from spikesim.layered.conversion import DEFAULT_SLOPE, endless_rates, output_scales
from spikesim.neurons import LIF, ReLU, Sigmoid, Tanh

SEEDS, N_STEPS, N_SAMPLES = (8, 60, 6) if config.DISABLE_JIT else (40, 150, 40)
# So slow a leak that it takes nothing from a count.
NO_LEAK = 1e13


def counts(spiking, features, n_steps):
    """Return the spikes of each output after 1 to n_steps steps, once the input has arrived."""
    wait = len(spiking.layers)
    encoder = RateEncoder((n_steps + wait) * spiking.dt, 1000.0 / spiking.dt, low=0.0, high=1.0)
    output = forward(spiking, encoder.encode(features, dt=spiking.dt))[-1].output
    return np.cumsum(output[wait:], axis=0)


def some_network(rng):
    sizes = rng.integers(1, 9, rng.integers(2, 5))
    layers = []
    for n_pre, n in zip(sizes[:-1], sizes[1:], strict=True):
        neuron = ReLU() if rng.random() < 0.7 else Sigmoid()
        w = rng.normal(0.2, 1.5, (n_pre, n)) / np.sqrt(n_pre)
        layers.append(Layer(w, neuron, rng.normal(0.0, 0.5, n), steepness=rng.uniform(0.5, 2.0, n)))
    return LayeredNetwork(layers), rng.random((7, sizes[0]))


def test_a_count_is_off_by_no_more_than_its_bound():
    """In windows of every length: the error of a rate falls as one over the window."""
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        network, features = some_network(rng)
        percentile = float(rng.choice((100.0, 80.0)))
        spiking = to_spiking(network, features, tau_m=NO_LEAK, percentile=percentile)
        scales = output_scales(network, features, percentile)
        rates = endless_rates(network, features, scales, DEFAULT_SLOPE)
        n = np.arange(1, N_STEPS + 1)[:, np.newaxis, np.newaxis]
        off = np.abs(counts(spiking, features, N_STEPS) - n * rates).max(axis=(0, 1))
        bound = largest_count_error(spiking)
        assert np.all(off <= bound + 1e-6)


def test_the_bound_is_reached():
    network = LayeredNetwork([Layer([[0.5, 1.0]], ReLU())])
    spiking = to_spiking(network, [[1.0]], tau_m=NO_LEAK, percentile=100.0)
    found = counts(spiking, np.ones((1, 1)), 4)[:, 0]
    np.testing.assert_array_equal(found, [[1, 1], [1, 2], [2, 3], [2, 4]])
    # A spike in each step is no error, 1 instead of 0.5 is the largest.
    assert largest_count_error(spiking, 0.0)[0] == pytest.approx(0.5)


def test_the_bound_of_a_chain_adds_up():
    network = LayeredNetwork([Layer([[1.0]], ReLU()), Layer([[-1.0]], ReLU(), [1.0])])
    spiking = to_spiking(network, [[0.0], [1.0]], tau_m=NO_LEAK, percentile=100.0)
    # The second unit fires once a step while nothing arrives, and is back at 0.5 after each.
    first, start = 0.5 + 0.5, 0.5
    np.testing.assert_allclose(largest_count_error(spiking), [start + first])
    np.testing.assert_allclose(largest_count_error(spiking, 2.0), [start + 2.5])


@pytest.mark.parametrize("scale", [0.25, 1.0, 40.0])
def test_the_rate_of_a_unit_is_its_output_over_the_scale(scale):
    features = np.linspace(0.0, 1.0, 21)[:, np.newaxis]
    network = LayeredNetwork([Layer([[1.5 * scale]], ReLU(), [-0.5 * scale])])
    spiking = to_spiking(network, features, percentile=100.0)
    rate = counts(spiking, features, 200)[-1] / 200
    expected = np.maximum(0.0, 1.5 * features - 0.5)
    np.testing.assert_allclose(rate, expected, atol=1.5 / 200)


def test_the_largest_output_over_the_data_is_the_largest_rate():
    network = dense([4, 6, 5, 3], ReLU(), bias_sd=0.3, gain=2.0, rng=0)
    features = np.random.default_rng(1).random((30, 4))
    outputs = [trace.output[0] for trace in forward(network, features[np.newaxis])]
    assert output_scales(network, features, 100.0) == [output.max() for output in outputs]
    assert output_scales(network, features, 90.0) == [np.percentile(o, 90.0) for o in outputs]
    rates = endless_rates(network, features, output_scales(network, features, 100.0), 0.2)
    np.testing.assert_allclose(rates, outputs[-1] / outputs[-1].max(), atol=1e-12)


def test_layers_that_are_silent_over_the_data_have_a_scale():
    network = LayeredNetwork([Layer([[1.0, -1.0]], ReLU()), Layer([[-1.0], [0.0]], ReLU())])
    features = np.array([[0.0]] * 9 + [[0.5]])
    assert output_scales(network, features, 50.0) == [0.5, 1.0]


def test_sigmoid_networks_need_no_data():
    network = dense([3, 4, 2], Sigmoid(), rng=0)
    plain, given = to_spiking(network), to_spiking(network, np.ones((2, 3)), percentile=50.0)
    for one, other in zip(plain.layers, given.layers, strict=True):
        np.testing.assert_array_equal(one.w, other.w)
        np.testing.assert_array_equal(one.bias, other.bias)


def test_agreement_of_relu_networks_has_no_plateau():
    network = dense([4, 8, 3], ReLU(), output=ReLU(), gain=1.5, bias_sd=0.2, rng=4)
    features = np.random.default_rng(0).random((N_SAMPLES, 4))
    windows = [20.0, 200.0, 2000.0]
    found = agreement(network, features, windows, percentile=100.0)
    assert (found.plateau_share, found.deviation) == (1.0, 0.0)
    assert found.plateau_rms < 1e-12
    steps = np.array(windows) / 10.0
    bound = largest_count_error(to_spiking(network, features, percentile=100.0)).max()
    assert np.all(found.rms <= bound / steps + 1e-3)
    assert np.all(found.rms[1:] < found.rms[:-1] / 5.0)
    cut = agreement(network, features, windows, percentile=60.0)
    assert cut.plateau_rms > 0.05
    assert cut.rms[-1] == pytest.approx(cut.plateau_rms, rel=0.05)


def test_layers_may_be_balanced_over_other_data():
    network = dense([2, 5, 2], ReLU(), bias_sd=0.3, gain=2.0, rng=2)
    features, other = np.full((1, 2), 0.2), np.ones((1, 2))
    rms = [
        agreement(network, features, [200.0], balance=data).rms[0]
        for data in (None, features, other)
    ]
    assert rms[0] == rms[1] != rms[2]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"features": None}, ValueError, r"to_spiking\.features must be given for ReLU"),
        ({"features": [[2.0]]}, ValueError, r"to_spiking\.features\[0, 0\] is 2"),
        ({"features": [[0.5, 0.5]]}, ValueError, r"to_spiking\.features must have shape"),
        ({"features": np.zeros((0, 1))}, ValueError, r"to_spiking\.features must hold"),
        ({"percentile": 0.0}, ValueError, r"to_spiking\.percentile"),
        ({"percentile": 101.0}, ValueError, r"to_spiking\.percentile"),
        ({"network": 1}, TypeError, r"to_spiking\.network"),
        ({"network": dense([1, 1], Tanh(), rng=0)}, ValueError, r"layer 0 has Tanh"),
    ],
)
def test_bad_arguments_are_refused(change, error, message):
    given = {"network": LayeredNetwork([Layer([[1.0]], ReLU())]), "features": [[0.5]], **change}
    with pytest.raises(error, match=message):
        to_spiking(**given)


def test_only_converted_networks_have_the_bound():
    with pytest.raises(ValueError, match=r"largest_count_error\.spiking must be a network that"):
        largest_count_error(dense([1, 1], LIF.normalised(), rng=0))
    with pytest.raises(TypeError, match=r"largest_count_error\.spiking"):
        largest_count_error("net")
    with pytest.raises(ValueError, match=r"largest_count_error\.input_error"):
        largest_count_error(to_spiking(dense([1, 1], Sigmoid(), rng=0)), -1.0)
