"""Dead units stay dead without a gradient; silent LIF neurons come back with one."""

import numpy as np

import spikesim as sp
from experiments.seeds import dying_units as seed


def test_dead_is_no_output_for_any_sample():
    x = np.array([[[1.0], [2.0]]])
    layer = sp.Layer([[1.0, -1.0, 1.0, 0.0]], sp.ReLU(), [0.0, 0.0, -1.5, 1e-7])
    network = sp.LayeredNetwork([layer, sp.Layer(np.ones((4, 1)), sp.ReLU())])
    assert seed.dead(network, x).tolist() == [False, True, False, True]


def test_large_steps_kill_rectified_units_and_small_ones_do_not():
    large, small = (
        [seed.train(sp.ReLU(), None, rate, 0.0, (15,), s)["dead"][-1].sum() for s in range(4)]
        for rate in (10.0, 0.1)
    )
    assert sum(small) == 0 < sum(large)


def test_low_biases_kill_rectified_units_for_good_and_no_sigmoids():
    run = seed.train(sp.ReLU(), None, 0.3, -2.0, (5,), 1)
    assert run["dead"][0].any()
    assert not (run["dead"][0] & ~run["dead"][-1]).any()
    assert run["untouched"][run["dead"][0]].all()
    assert not run["untouched"][~run["dead"].any(axis=0)].any()
    sigmoid = seed.train(sp.Sigmoid(), None, 0.3, -4.0, (5,), 1)
    assert not sigmoid["dead"].any()


def test_silent_neurons_come_back_with_a_two_sided_surrogate_alone():
    one_sided, two_sided = (
        seed.train(seed.NEURON, surrogate, 1.0, seed.SILENT_BIAS, (1,), 1)
        for surrogate in (sp.OneSided(1.0), sp.FastSigmoid(1.0))
    )
    silent = one_sided["dead"][0]
    assert silent.any() and np.array_equal(silent, two_sided["dead"][0])
    assert one_sided["untouched"][silent].all() and one_sided["dead"][-1][silent].all()
    assert not two_sided["untouched"].any() and not two_sided["dead"][-1][silent].all()


def test_training_that_diverges_is_counted_as_none():
    assert seed.train(sp.ReLU(), None, 1e200, 0.0, (3,), 1) is None


def test_units_of_one_network_are_drawn_together():
    alike = seed.pooled([8] * 10, [16] * 10)
    apart = seed.pooled([0, 16] * 5, [16] * 10)
    assert alike.value == apart.value == 0.5
    # Equal networks have no spread; networks that die as a whole have that of ten coins.
    assert alike.low == alike.high == 0.5
    assert apart.low <= 0.3 and apart.high >= 0.7
    none = seed.pooled([0] * 10, [16] * 10)
    assert none.value == none.low == 0.0 and 0.2 < none.high < 0.3
