"""Thirteen slips in the program of a tutorial on the artificial neuron: spikesim has none of them.

:class:`Tutorial` is that program in our words, mended, with its two numerical slips (the divisor
of the short batch, the sum of batch means) to be had on demand.
"""

import inspect

import numpy as np
import pytest

import spikesim as sp
from experiments.seeds import artificial_neuron as seed
from spikesim.learning import MAE, MSE, SGD, Backprop

DATA = sp.datasets.iris_two_features()
LOSSES = {"mae": MAE(), "mse": MSE()}


class Tutorial:
    """One sigmoid unit in plain NumPy."""

    def __init__(self, cost, batch_size=100, printed=False):
        self.cost, self.batch_size, self.printed = cost, batch_size, printed

    def fit(self, x, target, orders):
        self.w_, self.b_, self.costs_ = np.zeros(x.shape[1]), 0.0, []
        for order in orders:
            epoch_cost = 0.0
            for start in range(0, len(x), self.batch_size):
                chosen = order[start : start + self.batch_size]
                divisor = self.batch_size if self.printed else len(chosen)
                z = np.dot(x[chosen], self.w_) + self.b_
                a = 1.0 / (1.0 + np.exp(-z))
                error = a - target[chosen]
                if self.cost == "mae":
                    cost, slope = np.abs(error), np.sign(error)
                else:
                    cost, slope = 0.5 * error**2, error
                epoch_cost += cost.sum() / (divisor if self.printed else len(x))
                delta = slope * a * (1.0 - a)
                self.w_ = self.w_ - 0.5 * np.dot(delta, x[chosen]) / divisor
                self.b_ = self.b_ - 0.5 * delta.sum() / divisor
            self.costs_.append(epoch_cost)
        return self


def neuron(n_inputs=2):
    return sp.LayeredNetwork([sp.Layer(np.zeros((n_inputs, 1)), sp.Sigmoid())])


def trained(cost="mse", **options):
    options = {"epochs": 5, "seed": 0} | options
    rule = Backprop(LOSSES[cost], SGD(0.5))
    return sp.fit(neuron(), rule, DATA.features, DATA.labels, **options)


class Orders:
    """A rule that writes down in which order the samples come (their only feature)."""

    readout = None

    def __init__(self):
        self.rule, self.seen = Backprop(MSE(), SGD(0.5)), []

    def init(self, network):
        return self.rule.init(network)

    def step(self, network, state, x, labels):
        self.seen.extend(x[0, :, 0].astype(int))
        return self.rule.step(network, state, x, labels)


def orders(epochs, seed):
    rule = Orders()
    table = np.arange(100.0)[:, None]
    sp.fit(
        neuron(1), rule, table, np.arange(100) % 2, epochs=epochs, batch_size=32, seed=seed,
        warn=False,
    )  # fmt: skip
    return np.array(rule.seen).reshape(epochs, 100)


# The parity first: what is compared in the rest is the tutorial's own neuron.


@pytest.mark.parametrize("cost", LOSSES)
def test_the_mended_neuron_of_the_tutorial_is_ours(cost):
    theirs = Tutorial(cost).fit(DATA.features, DATA.labels, [np.arange(100)] * 100)
    ours = trained(cost, epochs=100)
    np.testing.assert_allclose(ours.history.loss, theirs.costs_, rtol=0, atol=1e-12)
    weights = seed.numbers(ours.network)
    np.testing.assert_allclose(weights, [*theirs.w_, theirs.b_], rtol=0, atol=1e-12)


@pytest.mark.parametrize("cost", LOSSES)
def test_the_mended_minibatches_of_the_tutorial_are_ours(cost):
    theirs = Tutorial(cost, 32).fit(DATA.features, DATA.labels, orders(50, seed=3))
    ours = trained(cost, epochs=50, batch_size=32, seed=3)
    np.testing.assert_allclose(ours.history.loss, theirs.costs_, rtol=0, atol=1e-12)
    weights = seed.numbers(ours.network)
    np.testing.assert_allclose(weights, [*theirs.w_, theirs.b_], rtol=0, atol=1e-12)


@pytest.mark.parametrize("cost", LOSSES)
def test_the_curve_as_printed_is_that_of_the_printed_program(cost):
    theirs = Tutorial(cost, 32, printed=True).fit(DATA.features, DATA.labels, orders(50, seed=3))
    name = {"mae": "absolute error", "mse": "squared error"}[cost]
    run = seed.minibatch(name, 50, 3, printed=True)
    np.testing.assert_allclose(run.running * 100 / 32, theirs.costs_, rtol=0, atol=1e-12)


def test_1_the_cost_of_every_epoch_is_recorded():
    history = trained(epochs=7).history
    assert history.loss.shape == history.accuracy.shape == (7,)
    assert np.all(history.loss > 0.0) and len(set(history.loss)) == 7


def test_2_trained_weights_can_be_read_by_the_names_they_were_set_by():
    network = trained().network
    again = sp.LayeredNetwork(
        [sp.Layer(w=network.layers[0].w, bias=network.layers[0].bias, neuron=sp.Sigmoid())]
    )
    for name in ("w", "bias"):
        np.testing.assert_array_equal(
            getattr(again.layers[0], name), getattr(network.layers[0], name)
        )
    assert np.all(network.layers[0].w != 0.0)


def test_3_the_net_input_is_the_product_of_inputs_and_weights():
    network = trained().network
    trace = sp.layered.forward(network, DATA.features[None])[0]
    by_hand = DATA.features @ network.layers[0].w + network.layers[0].bias
    np.testing.assert_allclose(trace.v[0], by_hand, rtol=1e-14)
    assert DATA.features.shape == (100, 2) and DATA.labels.shape == (100,)


def test_4_a_short_last_batch_is_divided_by_its_own_size():
    start = neuron()
    rule = Backprop(MSE(), SGD(0.5))
    four = DATA.features[None, :4], DATA.labels[:4]
    one_step, _, metrics = rule.step(start, rule.init(start), *four)
    gradient = np.mean((0.5 - DATA.labels[:4])[:, None] * 0.25 * DATA.features[:4], axis=0)
    np.testing.assert_allclose(one_step.layers[0].w[:, 0], -0.5 * gradient, rtol=1e-14)
    assert metrics.n_trials == 4
    # In a whole epoch too: its weights are those of the batches of 32, 32, 32 and 4.
    table = Tutorial("mse", 32).fit(DATA.features, DATA.labels, [np.arange(100)])
    ours = trained(epochs=1, batch_size=32, shuffle=False)
    np.testing.assert_allclose(ours.network.layers[0].w[:, 0], table.w_, rtol=1e-13)
    wrong = Tutorial("mse", 32, printed=True).fit(DATA.features, DATA.labels, [np.arange(100)])
    assert np.abs(ours.network.layers[0].w[:, 0] - wrong.w_).max() > 0.01


def test_5_the_cost_of_an_epoch_is_the_sum_of_losses_over_the_number_of_samples():
    # With a rate next to nothing all batches have the losses of the start: 0.5 each.
    rule = Backprop(MAE(), SGD(1e-12))
    result = sp.fit(
        neuron(), rule, DATA.features, DATA.labels, epochs=1, batch_size=32, seed=0
    )  # fmt: skip
    assert result.history.loss[0] == pytest.approx(0.5, abs=1e-9)
    printed = Tutorial("mae", 32, printed=True).fit(DATA.features, DATA.labels, [np.arange(100)])
    ours = trained("mae", epochs=1, batch_size=32)
    assert ours.history.loss[0] < 0.5 < printed.costs_[0]


def test_6_the_running_cost_says_so_and_the_state_after_an_epoch_can_be_measured():
    assert "running" in inspect.getdoc(sp.learning.History)
    result = trained(epochs=8, validation=(DATA.features, DATA.labels))
    # One batch: running values belong to the network before the epoch, validation to that after.
    np.testing.assert_array_equal(
        result.history.accuracy[1:], result.history.validation_accuracy[:-1]
    )
    assert result.history.validation_accuracy[-1] == sp.evaluate(
        result.network, result.readout, DATA.features, DATA.labels
    )
    run = seed.minibatch("absolute error", 5, 0)
    assert np.all(run.end != run.running)


def test_7_data_of_the_caller_stay_as_they_are_and_one_seed_gives_one_order():
    features, labels = DATA.features.copy(), DATA.labels.copy()
    np.random.seed(5)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first = sp.fit(neuron(), Backprop(MSE(), SGD(0.5)), features, labels, epochs=3, batch_size=32,
                   seed=1)  # fmt: skip
    np.testing.assert_array_equal(features, DATA.features)
    np.testing.assert_array_equal(labels, DATA.labels)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    again, other = (trained(epochs=3, batch_size=32, seed=s) for s in (1, 2))
    np.testing.assert_array_equal(first.history.loss, again.history.loss)
    assert np.any(first.history.loss != other.history.loss)
    # Each order is drawn on its own, from the seed of the run.
    stream = np.random.default_rng(np.random.SeedSequence(1).spawn(3)[0])
    np.testing.assert_array_equal(orders(3, seed=1), [stream.permutation(100) for _ in range(3)])


def test_8_training_twice_starts_anew_unless_the_trained_network_is_given():
    start, rule = neuron(), Backprop(MSE(), SGD(0.5))

    def go(network, epochs):
        return sp.fit(network, rule, DATA.features, DATA.labels, epochs=epochs, shuffle=False)

    first, second = go(start, 5), go(start, 5)
    np.testing.assert_array_equal(first.history.loss, second.history.loss)
    assert not start.layers[0].w.any()
    onward = go(first.network, 5)
    whole = go(start, 10)
    joined = np.concatenate([first.history.loss, onward.history.loss])
    np.testing.assert_array_equal(joined, whole.history.loss)


def test_9_the_second_feature_is_petal_length_and_is_called_so():
    assert DATA.feature_names == ("sepal length", "petal length")
    np.testing.assert_array_equal(DATA.features, sp.datasets.iris().features[:100, [0, 2]])
    assert sp.datasets.iris().feature_names[2] == "petal length"


def test_10_the_sigmoid_never_overflows_and_its_derivative_needs_no_second_exponential(
    monkeypatch,
):
    unit, z = sp.Sigmoid(), np.array([-1e308, -800.0, 0.0, 800.0, 1e308])
    with np.errstate(all="raise", under="ignore"):
        y = unit.forward(z)
    np.testing.assert_array_equal(y, [0.0, 0.0, 0.5, 1.0, 1.0])

    def forbidden(*_, **__):
        raise AssertionError("the derivative must come from the output alone")

    monkeypatch.setattr(np, "exp", forbidden)
    np.testing.assert_array_equal(unit.derivative(z, y), y * (1.0 - y))


def test_11_a_decision_line_without_a_second_weight_is_drawn():
    import matplotlib.pyplot as plt

    # Upright at a petal length that does not count: 1 * sepal - 5.5.
    network = sp.LayeredNetwork([sp.Layer([[1.0], [0.0]], sp.Sigmoid(), [-5.5])])
    ax = sp.plotting.decision_regions(
        lambda x: (sp.layered.forward(network, x[None])[0].output[0, :, 0] >= 0.5).astype(int),
        DATA.features, DATA.labels,
    )  # fmt: skip
    lines = [path for c in ax.collections if hasattr(c, "get_paths") for path in c.get_paths()
             if len(path.vertices) > 100 and np.ptp(path.vertices[:, 0]) < 0.05]  # fmt: skip
    ax.figure.canvas.draw()
    assert lines
    assert all(np.all(np.abs(path.vertices[:, 0] - 5.5) < 0.05) for path in lines)
    plt.close(ax.figure)


def test_12_the_gradient_is_that_of_the_mean_and_says_so():
    # The same data twice: a mean does not change, a sum would take steps twice as long.
    twice = np.concatenate([DATA.features] * 2), np.concatenate([DATA.labels] * 2)
    rule = Backprop(MSE(), SGD(0.5))
    doubled = sp.fit(neuron(), rule, *twice, epochs=20, seed=0)
    once = trained(epochs=20)
    np.testing.assert_allclose(doubled.network.layers[0].w, once.network.layers[0].w, rtol=1e-12)
    np.testing.assert_allclose(doubled.history.loss, once.history.loss, rtol=1e-12)
    assert "averaged over the trials" in inspect.getdoc(Backprop)


@pytest.mark.parametrize("cost", LOSSES)
def test_13_hidden_units_that_start_at_zero_stay_equal_and_never_solve_xor(cost):
    xor = sp.datasets.xor()
    zeros = sp.LayeredNetwork(
        [sp.Layer(np.zeros((2, 2)), sp.Sigmoid()), sp.Layer(np.zeros((2, 1)), sp.Sigmoid())]
    )
    # Online in random order, so that the gradient of the whole does not vanish by symmetry.
    rule = Backprop(LOSSES[cost], SGD(2.0))
    result = sp.fit(
        zeros, rule, xor.features, xor.labels, epochs=500, batch_size=1, seed=0, warn=False
    )  # fmt: skip
    hidden, outer = result.network.layers
    assert np.any(hidden.w != 0.0)
    np.testing.assert_array_equal(hidden.w[:, 0], hidden.w[:, 1])
    np.testing.assert_array_equal(outer.w[0], outer.w[1])
    # Two equal units are one, and one cannot: never all four right.
    assert result.score(xor.features, xor.labels) < 1.0
    # A start that differs does solve it: the zeros are to blame, not the rule.
    if cost == "mse":
        random = sp.dense([2, 2, 1], sp.Sigmoid(), gain=4.0, rng=1)
        other = sp.fit(
            random, rule, xor.features, xor.labels, epochs=3000, batch_size=1, seed=0,
            until="solved",
        )  # fmt: skip
        assert other.history.solved_epoch is not None
