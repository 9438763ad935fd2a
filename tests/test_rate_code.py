"""Sigmoid networks run on spikes with the same weights."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import binomtest, norm, sem

from spikesim.datasets import iris
from spikesim.layered import Layer, LayeredNetwork, agreement, dense, forward, to_spiking
from spikesim.layered.conversion import DEFAULT_SLOPE, corner_line, largest_deviation
from spikesim.layered.rate_code import _root_interval, _wilson
from spikesim.learning import Adam, Backprop, fit
from spikesim.neurons import Sigmoid, Tanh


@pytest.mark.parametrize("slope", [0.1, DEFAULT_SLOPE, 0.2, 0.25, 0.4])
def test_the_largest_deviation_is_that_of_the_corner_line(slope):
    u = np.linspace(-20.0, 20.0, 400001)
    gap = np.abs(corner_line(u, slope) - 1 / (1 + np.exp(-u))).max()
    assert largest_deviation(slope) == pytest.approx(gap, abs=1e-8)


def test_the_default_slope_is_the_best():
    best = minimize_scalar(largest_deviation, bounds=(0.1, 0.25), method="bounded")
    assert best.x == pytest.approx(DEFAULT_SLOPE, abs=2e-5)
    assert largest_deviation() == pytest.approx(0.0561, abs=1e-4)
    assert largest_deviation(0.25) == pytest.approx(0.1192, abs=1e-4)


@pytest.mark.parametrize("slope", [DEFAULT_SLOPE, 0.25])
def test_the_rate_of_one_unit_follows_the_corner_line(slope):
    bias = np.linspace(-4.0, 4.0, 33)
    network = LayeredNetwork([Layer(np.zeros((1, 33)), Sigmoid(), bias)])
    spiking = to_spiking(network, max_rate=200.0, slope=slope)
    assert spiking.dt == 5.0
    n_steps = 400
    rate = forward(spiking, np.zeros((n_steps, 1, 1)))[0].output.mean(axis=0)[0]
    # The leak of tau_m = 1e6 ms over these 2000 ms is what exceeds one spike.
    np.testing.assert_allclose(rate, corner_line(bias, slope), atol=1.5 / n_steps)


def test_the_leak_pulls_neither_way():
    # Slow firing under a leak: with rest at the lower end it would cost a sixth of the spikes.
    network = LayeredNetwork([Layer(np.zeros((1, 1)), Sigmoid(), [-2.0])])
    rates = [
        forward(to_spiking(network, tau_m=tau_m), np.zeros((2000, 1, 1)))[0].output.mean()
        for tau_m in (200.0, 1e6)
    ]
    assert rates[1] == pytest.approx(corner_line(-2.0), rel=0.01)
    assert rates[0] == pytest.approx(rates[1], rel=0.05)


def test_weights_are_the_same_up_to_the_stated_scale():
    base = dense([3, 4, 2], Sigmoid(), bias_sd=1.0, rng=0)
    steepness = np.array([0.5, 1.0, 2.0, 3.0])
    network = base.updated(
        [Layer(base.layers[0].w, Sigmoid(), steepness=steepness), base.layers[1]]
    )
    spiking = to_spiking(network, slope=0.2)
    np.testing.assert_allclose(spiking.layers[0].w, 0.2 * steepness * network.layers[0].w)
    np.testing.assert_allclose(spiking.layers[1].w, 0.2 * network.layers[1].w)


@pytest.fixture(scope="module")
def trained():
    data = iris()
    x = (data.features - data.features.min(axis=0)) / np.ptp(data.features, axis=0)
    network = dense([4, 8, 3], Sigmoid(), rng=0)
    result = fit(network, Backprop(optimiser=Adam(0.05)), x, data.labels, epochs=150, seed=0)
    assert result.history.accuracy[-1] > 0.9
    return result.network, x[::5]


@pytest.mark.parametrize("mode", ["regular", "poisson"])
def test_agreement_grows_with_the_window_up_to_the_plateau(trained, mode):
    network, x = trained
    windows = [50.0, 500.0, 5000.0]
    found = agreement(network, x, windows, mode=mode, rng=0, n_repeats=4)
    assert found.windows.tolist() == windows
    assert np.all(np.diff(found.rms) < 0.0)
    assert found.rms[-1] == pytest.approx(found.plateau_rms, rel=0.15)
    assert found.rms[0] > 2.0 * found.plateau_rms
    assert found.share[-1] > 0.9 and found.share[-1] > found.share[0]
    assert abs(found.share[-1] - found.plateau_share) < 0.1
    assert np.all(found.share_low < found.share) and np.all(found.share <= found.share_high)
    assert np.all(found.rms_low < found.rms) and np.all(found.rms < found.rms_high)
    assert found.plateau_rms < found.deviation == largest_deviation()


def test_equal_seeds_give_equal_results(trained):
    network, x = trained
    runs = [agreement(network, x, [100.0], mode="poisson", rng=3) for _ in range(2)]
    assert runs[0].rms[0] == runs[1].rms[0]


def test_a_single_output_is_decided_at_half_the_rate():
    network = LayeredNetwork([Layer([[8.0]], Sigmoid(), [-4.0])])
    found = agreement(network, [[0.1], [0.9]], [1000.0])
    assert found.share.tolist() == [1.0]


@pytest.mark.parametrize(
    ("arguments", "error", "name"),
    [
        ({"features": [[1.5]]}, ValueError, r"agreement\.features\[0, 0\]"),
        ({"features": [[np.nan]]}, ValueError, r"agreement\.features"),
        ({"features": [[0.1, 0.2]]}, ValueError, r"agreement\.features"),
        ({"features": np.zeros((0, 1))}, ValueError, r"agreement\.features"),
        ({"windows": [55.0]}, ValueError, r"agreement\.windows\[0\]"),
        ({"windows": [0.0]}, ValueError, r"agreement\.windows\[0\]"),
        ({"windows": []}, ValueError, r"agreement\.windows"),
        ({"mode": "random"}, ValueError, r"agreement\.mode"),
        ({"mode": "poisson", "n_repeats": 0}, ValueError, r"agreement\.n_repeats"),
        ({"max_rate": 0.0}, ValueError, r"to_spiking\.max_rate"),
        ({"tau_m": -1.0}, ValueError, r"to_spiking\.tau_m"),
        ({"slope": 0.0}, ValueError, r"to_spiking\.slope"),
        ({"rng": -1}, ValueError, r"agreement\.rng"),
        ({"network": "net"}, TypeError, r"agreement\.network"),
    ],
)
def test_bad_arguments_are_refused(arguments, error, name):
    given = {
        "network": LayeredNetwork([Layer([[1.0]], Sigmoid())]),
        "features": [[0.5]],
        "windows": [100.0],
        **arguments,
    }
    with pytest.raises(error, match=name):
        agreement(**given)


def test_other_units_are_refused():
    with pytest.raises(ValueError, match=r"to_spiking\.network.*layer 0 has Tanh"):
        to_spiking(dense([2, 1], Tanh(), rng=0))


@pytest.mark.parametrize(("right", "n"), [(0, 5), (3, 10), (149, 150), (7, 7)])
def test_shares_have_their_wilson_interval(right, n):
    share, low, high = _wilson(np.arange(n) < right)
    expected = binomtest(right, n).proportion_ci(0.95, method="wilson")
    assert (share, low, high) == pytest.approx((right / n, *expected), abs=1e-7)


def test_root_mean_squares_have_their_normal_interval():
    square = np.random.default_rng(3).exponential(0.04, 50)
    middle, low, high = _root_interval(square)
    expected = norm.interval(0.95, square.mean(), sem(square))
    assert (low**2, high**2) == pytest.approx(expected, rel=1e-6)
    assert middle**2 == pytest.approx(square.mean())
    assert _root_interval(np.array([0.25])) == (0.5, 0.5, 0.5)
    few = np.array([0.0, 0.0, 1.0])
    assert _root_interval(few)[1] == 0.0


def test_windows_are_a_sequence():
    network = dense([2, 3, 1], Sigmoid(), rng=0)
    for windows in (100.0, "100", [[100.0]]):
        with pytest.raises(TypeError, match=r"agreement\.windows must be a sequence"):
            agreement(network, [[0.0, 1.0]], windows)
