"""Backpropagation and the evolution strategy race on the same footing."""

import numpy as np
import pytest

from experiments.seeds import gradient_free as seed


@pytest.mark.parametrize("contender", list(seed.SETTINGS))
def test_same_number_of_settings_and_of_weights(contender):
    assert len(seed.SETTINGS[contender]) == 6
    for name in seed.TASKS:
        features, labels, sizes, enough = seed.task(name)
        assert features.shape[1] == sizes[0] and enough <= len(labels) == len(features)


def test_a_pass_is_counted_for_each_run_of_the_data():
    # Nothing is solved in so few: a step costs 2, or 1 + 8 or 1 + 1 offspring.
    assert seed.race("XOR", seed.GRADIENT, 0.01, 7, 0) == (6, False)
    assert seed.race("XOR", seed.STEP, (8, 1e-9), 20, 0) == (18, False)
    assert seed.race("XOR", seed.STEP, (1, 1e-9), 21, 0) == (20, False)


def test_the_gradient_needs_fewer_presentations():
    medians = {}
    for contender, setting in ((seed.GRADIENT, 0.1), (seed.STEP, (8, 1.0))):
        runs = [seed.race("XOR", contender, setting, 3000, s) for s in range(12)]
        assert sum(solved for _, solved in runs) >= 9
        medians[contender] = np.median([n for n, _ in runs])
    assert medians[seed.GRADIENT] < medians[seed.STEP]


def test_on_three_classes_it_needs_ten_times_fewer():
    fast = [seed.race("Iris, three classes", seed.GRADIENT, 1.0, 500, s) for s in range(3)]
    slow = [seed.race("Iris, three classes", seed.STEP, (8, 1.0), 500, s) for s in range(3)]
    assert all(solved for _, solved in fast)
    assert max(n for n, _ in fast) < 150
    assert sum(solved for _, solved in slow) <= 1


def test_starts_are_drawn_in_pairs():
    # Every start takes three times as long: pairs keep that, whichever are drawn.
    fast = np.random.default_rng(0).uniform(10.0, 1000.0, 30)
    solved = np.ones(30, dtype=bool)
    times = {("XOR", seed.GRADIENT): (fast, solved), ("XOR", seed.STEP): (3.0 * fast, solved)}
    found = seed.ratio({"times": times, "seed": 0}, "XOR", seed.STEP)
    np.testing.assert_allclose(found, 3.0, rtol=1e-9)
