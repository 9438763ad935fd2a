"""One sigmoid unit as a tutorial has it: known figures, and that they do not come by accident."""

import dataclasses

import numpy as np
import pytest

from experiments.seeds import artificial_neuron as seed

MAE, MSE, ENTROPY = seed.COSTS


def test_descent_follows_its_closed_form():
    path = seed.descent(0.3, 20)
    np.testing.assert_allclose(path[:, 0], 5.0 * 0.4 ** np.arange(21), rtol=1e-12)
    np.testing.assert_array_equal(path[:, 0], path[:, 1])


def test_descent_converges_between_zero_and_one_and_at_a_half_in_one_step():
    found = seed.on_the_bowl(0.02 * np.arange(1, 61), 1000)
    assert found["worst"] < 1e-11
    assert found["one_rule"] and found["last"] < 1.0 <= found["first"]
    assert found["steps_at_half"] == 1
    np.testing.assert_array_equal(seed.descent(0.5, 1)[1], [0.0, 0.0])


def test_above_a_half_every_step_changes_sides():
    assert np.all(np.diff(np.sign(seed.descent(0.75, 10)[:, 0])) != 0)
    assert np.all(seed.descent(0.25, 10) > 0.0)
    np.testing.assert_array_equal(seed.descent(1.0, 4)[:, 0], [5.0, -5.0, 5.0, -5.0, 5.0])


def test_the_sigmoid_is_exactly_one_from_about_37_on():
    one, zero = seed.saturation()
    assert one == pytest.approx(53 * np.log(2), abs=0.01)
    assert zero == pytest.approx(-745.13, abs=0.05)
    unit = seed.sp.Sigmoid()
    assert unit.forward(np.array(one - 0.1)) < 1.0 == unit.forward(np.array(37.0))


def test_derivative_of_the_sigmoid():
    largest, relative = seed.derivative_errors()
    assert largest < 1e-15
    # Digits are lost on the upper side.
    assert 1e-5 < relative < 1e-2


@pytest.mark.parametrize("name", seed.TUTORIAL)
def test_gradients(name):
    by_differences, by_formula = seed.gradient_errors(name, 2, 0)
    assert by_differences < 1e-9
    assert by_formula < 1e-14


def test_the_check_of_gradients_would_notice_another_cost(monkeypatch):
    monkeypatch.setitem(seed.COSTS, MAE, seed.MSE())
    assert seed.gradient_errors(MAE, 1, 0)[1] > 1e-3


def test_the_sign_of_an_error_of_zero_is_zero():
    # A unit that is saturated at its target, where both factors would vanish, and one by itself.
    assert seed.MAE().value_and_grad(np.array([[1.0]]), np.array([1]), 1)[1] == 0.0
    grad = seed.MAE().value_and_grad(np.array([[0.3], [0.3]]), np.array([1, 0]), 1)[1]
    assert grad.ravel().tolist() == [-1.0, 1.0]


@pytest.mark.parametrize(
    ("name", "costs", "right_from", "weights"),
    [
        (
            MAE, {0: 0.5, 1: 0.4427, 2: 0.4197, 10: 0.2484, 50: 0.0567, 99: 0.0293}, 7,
            (-1.561, 3.302, -0.599),
        ),
        (MSE, {0: 0.125, 10: 0.0664, 50: 0.0181, 99: 0.0093}, 6, (-0.814, 1.722, -0.313)),
    ],
)  # fmt: skip
def test_full_batch(name, costs, right_from, weights):
    result = seed.train(name)
    for epoch, cost in costs.items():
        assert result.history.loss[epoch] == pytest.approx(cost, abs=1e-3)
    assert seed.rises(result.history.loss) == 0
    assert result.history.solved_epoch == right_from
    np.testing.assert_allclose(seed.numbers(result.network), weights, atol=1e-3)
    costs_by_hand, numbers_by_hand = seed.by_hand(name)
    np.testing.assert_allclose(result.history.loss, costs_by_hand, rtol=0, atol=1e-12)
    np.testing.assert_allclose(
        seed.numbers(result.network), numbers_by_hand, rtol=0, atol=1e-12
    )  # fmt: skip


@pytest.fixture(scope="module")
def solution():
    return seed.numbers(seed.train(MSE).network)


@pytest.mark.parametrize(
    ("name", "strength", "epochs"),
    [(MSE, 1.0, 116), (ENTROPY, 1.0, 20), (ENTROPY, 2.0, 23), (ENTROPY, 8.0, 49)],
)
def test_recovery_from_a_wrong_start(solution, name, strength, epochs):
    assert seed.epochs_to_recover(name, -strength * solution, 1000) == epochs


def test_a_rounded_start_gives_other_numbers(solution):
    rounded = np.array([-0.815, 1.722, -0.313])
    assert np.abs(rounded - solution).max() < 1e-3
    assert seed.epochs_to_recover(MSE, -rounded, 1000) == 117


def test_errors_stall_where_cross_entropy_does_not(solution):
    assert seed.epochs_to_recover(MAE, -solution, 1000) is None
    assert seed.epochs_to_recover(MSE, -2.0 * solution, 1000) is None


def test_flowers_that_are_wrong_push_harder_with_the_squared_error():
    share = {name: seed.push_of_the_wrong(name, 100) for name in seed.TUTORIAL}
    assert share[MAE] < 0.4 < 0.55 < share[MSE]


def test_each_epoch_visits_each_sample_once():
    batches = seed.visits(4, 0)
    assert [len(batch) for batch in batches] == [32, 32, 32, 4] * 4
    for epoch in range(4):
        seen = np.concatenate(batches[4 * epoch : 4 * epoch + 4])
        np.testing.assert_array_equal(np.sort(seen), np.arange(100))
    assert np.any(batches[0] != batches[4])
    np.testing.assert_array_equal(np.concatenate(seed.visits(1, 0, shuffle=False)), np.arange(100))


@pytest.fixture(scope="module")
def minibatches():
    return {
        (name, printed): [seed.minibatch(name, 50, s, printed=printed) for s in range(25)]
        for name in seed.TUTORIAL
        for printed in (False, True)
    }


@pytest.mark.parametrize(("name", "mean_rises"), [(MAE, 5.2), (MSE, 3.8)])
def test_number_of_rises(minibatches, name, mean_rises):
    # Runs differ by about 1.8 rises, so the mean of 100 by 0.2.
    more = [seed.minibatch(name, 50, s).running for s in range(25, 100)]
    runs = [run.running for run in minibatches[name, False]] + more
    assert np.mean([seed.rises(curve) for curve in runs]) == pytest.approx(mean_rises, abs=0.6)


@pytest.mark.parametrize(("name", "final"), [(MAE, 0.0156), (MSE, 0.0048)])
def test_minibatches_are_noisy_and_get_there(minibatches, name, final):
    runs = minibatches[name, False]
    counts = [seed.rises(run.running) for run in runs]
    assert np.mean(np.array(counts) > 0) > 0.85
    assert np.mean([run.running[-1] for run in runs]) == pytest.approx(final, rel=0.03)
    assert all(run.accuracy == 1.0 for run in runs)
    # After the epoch the cost rises more often than during it.
    assert np.mean([seed.rises(run.end) for run in runs]) > np.mean(counts)


@pytest.mark.parametrize("name", seed.TUTORIAL)
def test_the_wrong_divisor_hides_the_noise(minibatches, name):
    right, printed = (
        np.mean([seed.rises(run.running) > 0 for run in minibatches[name, flag]])
        for flag in (False, True)
    )
    assert printed < 0.85 <= right
    # A sum of batch means is noisy whatever the gradient: four flowers count like 32.
    for flag in (False, True):
        summed = [seed.rises(run.summed) for run in minibatches[name, flag]]
        assert min(summed) > 0
        assert 11 < np.mean(summed) < 19


def test_the_axis_of_the_printed_curve_is_off_by_3_125(minibatches):
    run = minibatches[MAE, True][0]
    sizes = np.array([32, 32, 32, 4])
    printed = (run.batches * sizes / 32).sum(axis=1)
    np.testing.assert_allclose(printed, 3.125 * run.running, rtol=1e-12)
    first = np.mean([3.125 * run.running[0] for run in minibatches[MAE, True]])
    assert first == pytest.approx(1.44, abs=0.05)


def test_equal_updates_cost_about_the_same_and_equal_samples_do_not(minibatches):
    full = seed.train(MSE).history.loss
    end = np.array([run.end for run in minibatches[MSE, False]])
    assert end[:, 24].mean() == pytest.approx(full[99], rel=0.05)
    assert end[:, 49].max() < 0.5 * full[50]


@pytest.mark.parametrize(("size", "n_batches"), [(32, 4), (20, 5)])
def test_costs_repeat_every_epoch_without_shuffling(minibatches, size, n_batches):
    run = seed.minibatch(MAE, 50, 0, shuffle=False, batch_size=size)
    found = seed.autocorrelation(run.batches, 2 * n_batches - 1)
    assert np.argmax(found[1:]) + 1 == n_batches
    assert found[n_batches] > 0.9
    shuffled = [seed.autocorrelation(r.batches, 4)[4] for r in minibatches[MAE, False]]
    assert abs(np.mean(shuffled)) < 0.2


def test_rows_and_hypotheses_of_the_smallest_run():
    config = dataclasses.replace(seed.Config.smoke(), n_seeds=2, epochs=4, patience=10)
    found = seed.run(config)
    assert [row.id for row in found["rows"]] == [f"S3.{number}" for number in range(1, 15)]
    assert [hypothesis.id for hypothesis in found["hypotheses"]] == ["H11", "H12"]
    exact = {row.id: row.verdict for row in found["rows"][:9]}
    assert {name for name, verdict in exact.items() if verdict == "holds if"} == {"S3.2"}
    assert "fails" not in exact.values()


@pytest.mark.parametrize(
    ("mae", "mse", "outcome", "words"),
    [
        ([500, 600], [20, 20], "held in part", "against it: nothing."),
        ([500, None], [20, None], "held in part", "against it: nothing."),
        ([5000, 600], [20, 20], "held in part", "from 1 of 2 starts (more than 250)"),
        ([500, 30], [20, 20], "held in part", "(1.5)"),
        ([30, 30], [500, 500], "failed", "another order from 2 of 2 starts"),
    ],
)
def test_what_counts_against_equal_recovery(mae, mse, outcome, words):
    config = dataclasses.replace(seed.Config.smoke(), strengths=(1.0,), patience=9000)
    found = {
        "config": config,
        "recovery": {(MAE, 1.0): mae, (MSE, 1.0): mse, (ENTROPY, 1.0): [10, 10]},
        "full": {name: seed.train(name) for name in seed.COSTS},
    }
    hypothesis = seed._wrong_starts(found)
    assert hypothesis.outcome == outcome
    assert words in hypothesis.text


def test_a_sign_test_says_which_error_is_sooner():
    config = dataclasses.replace(seed.Config.smoke(), strengths=(1.0, 2.0))
    recovery = {
        (MAE, 1.0): [100, None, 90, 80, 70], (MSE, 1.0): [20] * 5,
        (MAE, 2.0): [None] * 5, (MSE, 2.0): [None] * 5,
    }  # fmt: skip
    p_values = seed._sooner({"config": config, "recovery": recovery})
    assert p_values == {1.0: pytest.approx(1 / 32), 2.0: 1.0}
