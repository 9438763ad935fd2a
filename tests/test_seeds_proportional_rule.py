"""Golden numbers of the experiment on the proportional rule, from small calls of its functions."""

from fractions import Fraction

import numpy as np
import pytest
from numba import config as numba_config
from scipy.stats import binom

import spikesim as sp
from experiments.seeds import proportional_rule as experiment

SMALL = experiment.Config(
    n_currents=8, n_directions=40, n_starts=12, factors=(0.5, 1.0, 1.9, 2.5), n_jobs=1
)


@pytest.fixture(scope="module")
def staircase():
    return experiment.staircase(SMALL)


def test_intervals_are_the_closed_form_rounded_up_to_the_grid():
    found = experiment.firing(SMALL)
    assert all(found["rounded"]) and found["silent"] and found["at_reset"]
    assert found["n_intervals"] > 100 and 0.0 < max(found["far"]) < 1.0
    assert found["n_apart"] == 0 < max(found["euler_apart"])


def test_interval_of_an_euler_loop_is_off_by_a_share_of_the_step():
    found = experiment.firing(SMALL)
    assert found["euler_slope"] == pytest.approx(1.0, abs=0.05)
    # By hand: v climbs from -65 mV by a tenth of what is left of 30 mV, to -50 mV.
    model = sp.LIF(tau_m=10.0, v_rest=-65.0, v_reset=-65.0, v_th=-50.0, t_ref=2.0)
    current = np.array([30.0 / model.r_m])
    v, steps = 0.0, 0
    while v < 15.0:
        before, v, steps = v, v + 0.1 * (30.0 - v), steps + 1
    interval = 2.0 + steps - 1 + (15.0 - before) / (v - before)
    assert experiment.euler(model, current, 1.0) == pytest.approx(interval, abs=1e-9)


def test_five_percent_of_the_weights_is_not_five_hundredths(staircase):
    assert staircase["nets"][1] == pytest.approx(5.225, abs=1e-12)
    assert staircase["additive"][1] == pytest.approx(5.45, abs=1e-12)


def test_error_map_in_doubles_and_in_exact_arithmetic(staircase):
    np.testing.assert_allclose(staircase["nets"][:4], [5.5, 5.225, 5.1074375, 5.0525645], atol=5e-8)
    error = Fraction(1, 2)
    for measured, exact in zip(staircase["nets"], staircase["exact"], strict=False):
        assert exact == error > 0
        assert measured - 5.0 == pytest.approx(float(exact), abs=1e-13)
        error = error / 2 - error**2 / 10
    assert staircase["ratios"][30] == pytest.approx(0.5, rel=1e-6)
    assert staircase["worst"] < 0.01


def test_threshold_is_reached_after_fifty_presentations_and_left_with_gt_alone(staircase):
    assert staircase["reached"] == 50
    assert staircase["nets"][49] > 5.0 == staircase["nets"][50] == staircase["nets"][-1]
    assert staircase["silent"] == {"gt": True, "ge": False}
    assert 0 < staircase["margin"] < 50


@pytest.mark.parametrize(("error", "below"), [(4.9, False), (5.1, True)])
def test_large_errors_overshoot(error, below):
    # eta (theta + e) is greater than 1 from e = 5 on.
    nets = experiment.nets(sp.learning.Proportional(experiment.ETA), 1, (5.0, error))
    assert (nets[1] < 5.0) == below


def test_admissible_directions_and_their_shares():
    low, high = experiment.cone()
    assert (low, high) == pytest.approx((26.57, 120.46), abs=0.01)
    assert (high - low) / 360.0 == pytest.approx(0.261, abs=5e-4)
    assert (90.0 - low) / 90.0 == pytest.approx(0.705, abs=5e-4)


def test_scaling_learns_from_the_directions_in_the_cone_and_never_turns():
    found = experiment.scaled_on_iris(SMALL)
    assert found["cosine"] < 1e-15
    every, half = found["right"]["every"], found["half"]
    assert not np.any(every & ~found["inside"])
    for part, share in ((every[:half], 0.261), (every[half:], 0.705)):
        low, high = binom.interval(0.9999, len(part), share)
        assert low <= part.sum() <= high
    assert np.all(found["right"]["additive"])


def test_active_scaling_turns_the_weights_and_keeps_their_signs():
    found = experiment.active_inputs(SMALL)
    assert found["flips"] == 0 and found["zeros"] and found["n_changes"] > 20
    assert found["uneven"] < 1e-12 and found["cosine"] < 0.99
    assert found["bare"] == pytest.approx(-1.2) and 0 <= found["floored"] < found["n_trials"]
    tasks = found["tasks"]
    right, n = tasks["x1 or x2", "active", True]
    assert right == n and tasks["x1 or x2", "every", True][0] < n
    assert tasks["x1 and not x2", "active", True][0] == 0
    assert tasks["x1 and not x2", "additive", True] == (n, n)


def test_additive_reading_is_relaxation_and_two_is_its_limit():
    found = experiment.additive(SMALL)
    assert found["apart"] == 0.0 and found["n_compared"] > 100
    for factor in (0.5, 1.0, 1.9):
        assert np.all(found["iris"][factor] > 0) and np.all(found["narrow"][factor] > 0)
    assert not np.any(found["narrow"][2.5])


def test_missed_spikes_in_three_regimes():
    found = experiment.missed(SMALL)
    assert found["apart"] < 1e-12
    falling, still, rising = (found["distance"][net] for net in (0.5, 0.0, -0.5))
    assert np.all(np.diff(falling) < 0.0) and np.all(still == 1.0) and np.all(np.diff(rising) > 0.0)
    for reading in ("every", "active"):
        fired, diverged, n = found["ends"][reading, "below 0"]
        assert (fired, diverged) == (0, n)
        fired, diverged, n = found["ends"][reading, "above 0"]
        assert (fired, diverged) == (n, 0)
    fired, _, n = found["ends"]["additive", "below 0"]
    assert fired == n


@pytest.mark.parametrize(("hidden", "fitting"), [(1, 0), (2, 4), (3, 102)])
def test_sign_patterns_that_can_hold_xor(hidden, fitting):
    assert experiment.fitting_signs(hidden) == (fitting, 8**hidden)


@pytest.mark.parametrize(
    ("hidden", "output", "fits"),
    [
        (((1, -1), (-1, 1)), (1, 1), True),
        (((1, 1), (1, 1)), (1, -1), True),
        (((1, 1), (1, 1)), (1, 1), False),
        (((1, -1), (1, -1)), (1, 1), False),
    ],
)
def test_sign_patterns_of_two_hidden_units_by_search(hidden, output, fits):
    # A grid over the sizes of all six weights, without any linear program.
    sizes = np.array([0.4, 0.6, 1.2, 1.5, 2.2, 3.0])
    first, second = np.meshgrid(sizes, sizes)
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    answers = []
    for a, b in hidden:
        nets = np.stack([a * first.ravel(), b * second.ravel()], axis=1) @ x.T
        answers.append(np.unique(nets >= 1.0, axis=0))
    found = any(
        np.array_equal(output[0] * v * one + output[1] * w * other >= 1.0, [0, 1, 1, 0])
        for one in answers[0]
        for other in answers[1]
        for v in sizes
        for w in sizes
    )
    assert found == fits


def test_start_of_a_network_is_shared_by_settings_of_one_size():
    one = experiment.Setting(4, "every", "sum").network(np.random.default_rng(3))
    two = experiment.Setting(4, "additive", "weighted", outputs=2).network(np.random.default_rng(3))
    assert np.array_equal(one.layers[0].w, two.layers[0].w)
    assert np.array_equal(one.layers[1].w[:, 0], two.layers[1].w[:, 0])
    bare = experiment.Setting(4, "every", "sum", constant="none")
    assert np.array_equal(bare.network(np.random.default_rng(3)).layers[0].w, one.layers[0].w[:2])


def test_learnt_reports_first_and_lasting_success():
    data = sp.datasets.xor()
    features = np.column_stack([data.features, np.ones(4)])
    # OR and AND, read with opposite signs: right from the start, with room.
    w = np.array([[2.0, 1.5], [2.0, 1.5], [0.0, -1.0]])
    layers = [
        sp.Layer(w, sp.Step(), [-1.0, -1.0], trainable=("w",)),
        sp.Layer([[2.0], [-2.0]], sp.Step(), [-1.0], trainable=("w",)),
    ]
    rule = sp.learning.Proportional(0.1, "additive", hidden="target")
    end = experiment.learnt(sp.LayeredNetwork(layers), rule, features, data.labels, 50, 0, None, 5)
    assert end.solved == 1 and end.stays
    never = experiment.learnt(
        experiment.unit([0.1, 0.2, 0.3], 1.0), rule, features, data.labels, 50, 0
    )
    assert never.solved == 0 and not never.stays and never.network is not None


def test_weighted_errors_have_the_signs_of_the_straight_through_gradient():
    agree, total = experiment.straight_through(SMALL)[1]
    assert agree == total > 0


def test_subtraction_solves_xor_where_scaling_does_not():
    seeds = range(6) if numba_config.DISABLE_JIT else range(40)
    additive, every = (
        experiment.solve(experiment.Setting(8, reading, "sum"), seeds, 400, 1)[:, 0]
        for reading in ("additive", "every")
    )
    assert additive.mean() > 0.7 and every.mean() < 0.3


@pytest.mark.parametrize("reading", ["every", "active"])
@pytest.mark.parametrize("takes", ["error", "target"])
def test_signs_bound_what_scaling_can_do_without_constant_input(reading, takes):
    setting = experiment.Setting(2, reading, "weighted", takes, constant="none")
    seeds = range(4) if numba_config.DISABLE_JIT else range(60)
    solved = experiment.solve(setting, seeds, 100, 1)[:, 0]
    fitting = []
    for seed in seeds:
        network = setting.network(np.random.default_rng([1, seed]))
        signs = np.sign(network.layers[0].w).astype(int).T, np.sign(network.layers[1].w[:, 0])
        kinds = {(*w, int(v)) for w, v in zip(*signs, strict=True)}
        fitting.append(kinds in FITTING)
    assert not np.any(solved & ~np.array(fitting))


# Signs of both inputs and of the output weight of two hidden units that can hold XOR.
FITTING = ({(1, -1, 1), (-1, 1, 1)}, {(1, 1, 1), (1, 1, -1)})


def test_signs_stay_by_the_smallest_factor_alone():
    w = np.array([5.0, 7.0])
    kept = experiment.presented(
        experiment.unit(w, 1.0), sp.learning.Proportional(0.1, "active"), [[1.0, 1.0]], [0], 1
    )[1]
    np.testing.assert_allclose(kept, experiment.SMALLEST_FACTOR * w, rtol=1e-12)
    assert experiment.unfloored(w, 1.0) < 0.0


def test_the_best_of_several_has_a_wider_interval():
    ends = {
        experiment.Setting(h, "every", "sum"): np.array([(True, False)] * h + [(False, False)] * 4)
        for h in (2, 4, 8)
    }
    share, best, tried = experiment._best({"on_xor": ends}, "every")
    assert (best.hidden, tried, share.value) == (8, 3, pytest.approx(8 / 12))
    assert share[1:] == experiment.wilson(8, 12, 1.0 - 0.05 / 3)[1:]


def iris_of(shares):
    """Return what the row on directions needs, `shares` of ten starts being right."""
    right = np.arange(20) % 10 < shares
    return {
        "cone": experiment.cone(), "half": 10, "cosine": 0.0,
        "right": {"every": right, "additive": right},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("right", "verdict", "condition"),
    [(10, "holds", ""), (4, "holds if", "the right way"), (0, "fails", "no start")],
)
def test_each_verdict_has_a_condition_of_its_own(right, verdict, condition):
    row = experiment._scale_row({"scaled_on_iris": iris_of(right)})
    assert row.verdict == verdict and condition in row.condition
    assert bool(condition) == bool(row.condition)


def test_rows_and_hypotheses_are_complete():
    found = experiment.run(experiment.Config.smoke())
    assert [row.id for row in found["rows"]] == [f"S0.{i}" for i in range(1, 10)]
    assert [hypothesis.id for hypothesis in found["hypotheses"]] == [f"H{i}" for i in range(1, 6)]
    for row in found["rows"]:
        assert bool(row.condition) == (row.verdict != "holds"), row.id
    for hypothesis in (found["hypotheses"][0], found["hypotheses"][3]):
        against = hypothesis.text.split("Met of what would count against it: ")[1]
        assert hypothesis.outcome != "held" or against == "nothing."
