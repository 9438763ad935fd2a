"""The derivative of the step: what differences find, what trains, how sigmoids get steep."""

import numpy as np
import pytest
from scipy.stats import binom

import spikesim as sp
from experiments.seeds import dead_gradient as seed


def test_step_has_no_derivative_and_its_pulse_has_area_one():
    assert seed.step_derivative() == 0.0
    for steepness in (1.0, 5.0, 100.0):
        whole, near, _ = seed.pulse(steepness)
        assert whole == pytest.approx(1.0, abs=1e-9)
        assert near == pytest.approx(np.tanh(steepness * 0.05), abs=1e-9)
    # Integral of the pulse times cos x in closed form.
    expected = (np.pi / 5) / np.sinh(np.pi / 5)
    assert seed.pulse(5.0)[2] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("steepness", "area"), [(1, 1.3863), (5, 0.27726), (20, 0.069315)])
def test_area_between_sigmoid_and_step(steepness, area):
    assert seed.area_to_step(steepness) == pytest.approx(area, rel=5e-5)
    assert seed.area_to_step(steepness) == pytest.approx(2 * np.log(2) / steepness, rel=1e-9)


def test_saturation_is_dead_from_37_on_one_side_only():
    assert seed.dead_from() == (37, -746)


def test_many_networks_at_once_err_like_one():
    parameters = np.random.default_rng(0).standard_normal((17, 50))
    data = sp.datasets.xor()
    for column, error in zip(parameters.T, seed.errors(parameters), strict=True):
        hidden = sp.Layer(column[:8].reshape(2, 4), sp.Step(), column[8:12])
        output = sp.Layer(column[12:16, np.newaxis], sp.Step(), column[16:])
        network = sp.LayeredNetwork([hidden, output])
        assert 1.0 - sp.evaluate(network, None, data.features, data.labels) == error


def test_nonzero_differences_fall_in_proportion_to_the_step():
    steps = (0.1, 0.01, 0.001)
    counts = seed.nonzero(10_000, steps, 3).sum(axis=0)
    shares = counts / (17 * 10_000)
    # Known to a tenth of a point or better from 3.4 million probes.
    assert shares[0] == pytest.approx(0.0161, abs=0.0015)
    assert shares[1] == pytest.approx(0.00166, abs=0.0005)
    assert 0.8 < seed.log_slope(steps, counts) < 1.2
    # 76, 6, 1 and 0 of 4000 single probes were once counted; all are what these shares give.
    for count, share in zip((76, 6, 1, 0), (0.0161, 0.00166, 1.61e-4, 1.6e-5), strict=True):
        low, high = binom.interval(0.95, 4000, share)
        assert low <= count <= high


def test_slope_of_a_known_power():
    assert seed.log_slope((1.0, 0.1, 0.01), np.array([400, 40, 4])) == pytest.approx(1.0)
    assert seed.log_slope((1.0, 0.1, 0.01), np.array([400, 4, 0])) == pytest.approx(2.0)


def test_steps_with_few_counts_weigh_little():
    steps, counts = (1.0, 0.1, 0.01), np.array([10_000, 1000, 1])
    assert abs(seed.log_slope(steps, counts) - 1.0) < 0.01
    assert seed.log_slope(steps, counts, weighted=False) > 1.9


@pytest.mark.parametrize(
    ("slope", "verdict"),
    [
        ((1.0, 0.95, 1.05), "holds"),
        ((1.0, 0.85, 1.05), "holds if"),
        ((1.3, 1.2, 1.4), "fails"),
        ((0.5, 0.4, 0.6), "fails"),
    ],
)
def test_proportional_needs_the_whole_interval(slope, verdict):
    found, condition = seed._proportional(slope)
    assert found == verdict and bool(condition) == (verdict != "holds")


def test_the_interval_of_a_selected_difference_is_wider():
    rng = np.random.default_rng(0)
    found = {
        "at_zero": {(sd, z): rng.random(20) for sd in (0.0, 0.5) for z in seed.AT_ZERO},
        "iris": {(z, 0): (list(rng.random(5)), 0.5, 0.5) for z in seed.AT_ZERO},
    }
    plain, selected = seed.differences(found), seed.differences(found, selected=True)
    for name, (mean, low, high) in plain.items():
        assert selected[name][0] == mean
        assert selected[name][1] < low < high < selected[name][2]


def test_true_derivative_of_the_step_moves_nothing():
    for start in range(3):
        run = seed.train_xor("all units step", start, 15)
        assert run["moved"] == [0, 0]
        assert len(set(run["accuracy"])) == 1
    mixed = seed.train_xor("step, then one sigmoid", 0, 15)
    assert mixed["moved"][0] == 0 and mixed["moved"][1] > 0
    assert seed.train_xor("all units sigmoid", 0, 15)["moved"] == [24, 9]


def test_half_of_the_derivatives_of_relu_are_zero_at_the_start():
    flat = [seed.train_xor("ReLU, then one sigmoid", s, 1)["flat"][0] for s in range(40)]
    assert np.mean(flat) == pytest.approx(0.5, abs=0.1)


def test_derivative_at_zero_matters_where_net_inputs_are_zero():
    random = [[seed.relu_xor(z, 0.5, s, 60) for s in range(4)] for z in (0.0, 1.0)]
    assert random[0] == random[1]
    zero = [np.mean([seed.relu_xor(z, 0.0, s, 60) for s in range(20)]) for z in (0.0, 1.0)]
    assert zero[0] < zero[1]


def test_steepness_ends_where_classes_overlap_and_grows_where_not():
    overlapping = seed.steepness_path(False, 3000)
    assert overlapping["path"][-1] == pytest.approx(overlapping["optimum"], rel=0.01)
    assert overlapping["optimum"] == pytest.approx(9.002, abs=0.01)
    separable = seed.steepness_path(True, 3000)
    assert separable["gap"] == pytest.approx(1.1)
    assert separable["all_right"] > 0
    assert np.all(np.diff(separable["path"]) > 0.0)
    assert 0.8 < seed.growth(separable) < 2.0 / 1.1
