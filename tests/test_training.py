"""The training loop: batches, order, seeds, stopping, history."""

from __future__ import annotations

import pickle
from dataclasses import dataclass

import numpy as np
import pytest

from spikesim.datasets import iris, xor
from spikesim.encoding import Analog, LatencyEncoder, RateEncoder
from spikesim.layered import Layer, LayeredNetwork, dense
from spikesim.layered.forward import run
from spikesim.learning import (
    Adam,
    Backprop,
    History,
    MaxMembrane,
    Metrics,
    RateOutput,
    TrainingInterrupted,
    evaluate,
    fit,
)
from spikesim.learning.progress import Progress
from spikesim.neurons import LIF, Sigmoid
from spikesim.synapses import Exponential

XOR = xor()


@dataclass(frozen=True)
class Recorder:
    """A rule that learns nothing and remembers what it was shown."""

    seen: list
    right: object = None
    readout = RateOutput()

    def init(self, network):
        return 0

    def step(self, network, state, x, labels):
        self.seen.append((x.copy(), labels.copy()))
        n_correct = 0 if self.right is None else self.right(state, len(labels))
        traces = run(network, x)
        return (
            network,
            state + 1,
            Metrics(float(labels.sum()), n_correct, len(labels), (1.0,), traces),
        )


def numbered(n):
    return np.arange(n, dtype=float)[:, None] + 1.0, np.arange(n) % 2


ONE = LayeredNetwork([Layer([[1e-3]], Sigmoid())])


@pytest.mark.parametrize("batch_size", [None, 1, 4, 10, 99])
@pytest.mark.parametrize("shuffle", [True, False])
def test_every_epoch_shows_each_sample_once_with_its_label(batch_size, shuffle):
    features, labels = numbered(10)
    seen = []
    fit(
        ONE, Recorder(seen), features, labels, epochs=3, batch_size=batch_size, shuffle=shuffle,
        seed=0, warn=False,
    )  # fmt: skip
    per_epoch = -(-10 // min(batch_size or 10, 10))
    assert len(seen) == 3 * per_epoch
    orders = []
    for epoch in range(3):
        batches = seen[epoch * per_epoch : (epoch + 1) * per_epoch]
        order = np.concatenate([x[0, :, 0] for x, _ in batches])
        shown = np.concatenate([y for _, y in batches])
        np.testing.assert_array_equal(np.sort(order), features[:, 0])
        np.testing.assert_array_equal(shown, labels[order.astype(int) - 1])
        orders.append(order.tolist())
        assert all(x.flags.c_contiguous for x, _ in batches)
    if shuffle:
        assert orders[0] != orders[1] != orders[2]
    else:
        assert orders == [features[:, 0].tolist()] * 3


def test_loss_and_accuracy_are_per_trial_over_all_batches():
    features, labels = numbered(10)
    history = fit(
        ONE, Recorder([], lambda turn, n: n - 1), features, labels, epochs=2, batch_size=4, seed=0,
        warn=False,
    ).history  # fmt: skip
    assert history.loss.tolist() == [0.5, 0.5]
    assert history.accuracy.tolist() == [0.7, 0.7]
    assert history.n_epochs == 2
    assert history.seconds.shape == (2,) and np.all(history.seconds > 0.0)


@pytest.mark.parametrize(
    ("wrong", "epochs", "patience", "n_epochs", "solved"),
    [((), 50, 20, 20, 0), ((5,), 50, 20, 26, 6), ((0, 3), 50, 2, 3, 1), ((9,), 10, 20, 10, None)],
)
def test_until_solved(wrong, epochs, patience, n_epochs, solved):
    features, labels = numbered(4)
    rule = Recorder([], lambda turn, n: n - (turn in wrong))
    history = fit(
        ONE, rule, features, labels, epochs=epochs, until="solved", patience=patience, warn=False
    ).history
    assert history.n_epochs == n_epochs
    assert history.solved_epoch == solved


def test_until_a_callable_says_so():
    features, labels = numbered(4)
    lengths = []

    def stop(history):
        assert isinstance(history, History)
        lengths.append(history.n_epochs)
        return history.n_epochs == 4

    assert fit(ONE, Recorder([]), features, labels, until=stop, warn=False).history.n_epochs == 4
    assert lengths == [1, 2, 3, 4]


def trained(seed, **options):
    network = dense([3, 4, 1], LIF.normalised(10.0), synapse=Exponential(5.0), gain=8.0, rng=0)
    options = {"encoder": RateEncoder(30.0, 300.0, "poisson", bias_spike=True), **options}
    return fit(
        network, Backprop(readout=MaxMembrane()), XOR.features, XOR.labels, epochs=5, seed=seed,
        batch_size=3, warn=False, **options,
    )  # fmt: skip


def test_equal_seeds_give_equal_bits():
    for seed in (3, np.random.SeedSequence(3)):
        runs = [trained(seed) for _ in range(2)]
        for a, b in zip(runs[0].network.layers, runs[1].network.layers, strict=True):
            np.testing.assert_array_equal(a.w, b.w)
        np.testing.assert_array_equal(runs[0].history.loss, runs[1].history.loss)
        predictions = [r.predict(XOR.features) for r in (*runs, runs[0])]
        np.testing.assert_array_equal(predictions[0], predictions[1])
        np.testing.assert_array_equal(predictions[0], predictions[2])
    assert np.any(trained(3).network.layers[0].w != trained(4).network.layers[0].w)
    generators = [trained(np.random.default_rng(5)).history.loss for _ in range(2)]
    np.testing.assert_array_equal(*generators)


def test_a_run_without_seed_can_be_repeated_from_its_result():
    first = trained(None)
    again = trained(first.seed)
    np.testing.assert_array_equal(first.history.loss, again.history.loss)


def test_a_stochastic_encoder_draws_anew_every_epoch_and_a_fixed_one_not():
    features, labels = np.array([[0.2], [0.9]]), np.array([0, 1])
    for encoder, differs in (
        (RateEncoder(50.0, 300.0, "poisson", 0.0, 1.0), True),
        (RateEncoder(50.0, 300.0, "regular", 0.0, 1.0), False),
        (LatencyEncoder(50.0, 30.0), False),
    ):
        seen = []
        fit(
            ONE, Recorder(seen), features, labels, epochs=2, encoder=encoder, shuffle=False,
            warn=False, seed=0,
        )  # fmt: skip
        assert np.any(seen[0][0] != seen[1][0]) == differs


def test_the_encoder_is_fitted_to_the_training_samples_only():
    result = trained(0, encoder=RateEncoder(30.0, 300.0, bias_spike=True))
    assert result.encoder.high.tolist() == [1.0, 1.0]
    assert result.predict(np.array([[50.0, -3.0]])).shape == (1,)
    assert isinstance(fit(ONE, Recorder([]), *numbered(2), epochs=1).encoder, Analog)


def test_validation_is_measured_after_each_epoch():
    data = iris()
    x = (data.features - data.features.mean(axis=0)) / data.features.std(axis=0)
    network = dense([4, 3], Sigmoid(), rng=0)
    result = fit(
        network, Backprop(optimiser=Adam(0.1)), x[::2], data.labels[::2], epochs=15, seed=0,
        validation=(x[1::2], data.labels[1::2]),
    )  # fmt: skip
    accuracy = result.history.validation_accuracy
    assert accuracy.shape == (15,)
    assert accuracy[-1] == result.score(x[1::2], data.labels[1::2])
    assert accuracy[-1] == evaluate(result.network, None, x[1::2], data.labels[1::2])
    assert accuracy[-1] > 0.8
    assert trained(0).history.validation_accuracy is None


def test_spikes_per_trial_count_all_spiking_layers():
    neuron = LIF.normalised(10.0)
    network = LayeredNetwork([Layer([[1.0]], neuron), Layer([[1.0]], neuron)])
    encoder = RateEncoder(10.0, 1000.0, low=0.0, high=1.0)
    result = fit(network, Backprop(), [[1.0], [0.0]], [1, 0], encoder=encoder, epochs=1, seed=0)
    assert result.history.spikes_per_trial.tolist() == [(9 + 8) / 2]
    assert result.history.layers[0].mean_rate.tolist() == [450.0]


def test_nothing_given_is_changed_and_later_changes_have_no_effect():
    features, labels = XOR.features.copy(), XOR.labels.copy()
    network = dense([2, 4, 1], Sigmoid(), rng=0)
    weights = network.layers[0].w.copy()
    features.flags.writeable = labels.flags.writeable = False
    result = fit(network, Backprop(), features, labels, epochs=3, seed=0)
    np.testing.assert_array_equal(network.layers[0].w, weights)
    assert not np.array_equal(result.network.layers[0].w, weights)


def test_one_class_alone_is_learnt():
    network = dense([2, 3], Sigmoid(), rng=0)
    result = fit(network, Backprop(optimiser=Adam(0.5)), XOR.features, [2, 2, 2, 2], epochs=30)
    assert result.predict(XOR.features).tolist() == [2, 2, 2, 2]
    assert result.score(XOR.features, [2] * 4) == 1.0


def test_progress_is_told():
    calls = []
    fit(ONE, Recorder([]), *numbered(2), epochs=3, progress=lambda *a: calls.append(a), warn=False)
    assert calls == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("n_epochs", [0, 1, 3])
@pytest.mark.parametrize("within", ["step", "progress"])
def test_an_interruption_hands_back_the_last_whole_epoch(within, n_epochs):
    network = dense([2, 3, 1], Sigmoid(), rng=0)
    data = XOR.features, XOR.labels
    rule = Backprop(optimiser=Adam(0.1))
    options = {"seed": 1, "batch_size": 2, "validation": data}

    class Interrupted:
        readout = None

        def init(self, network):
            return 0, rule.init(network)

        def step(self, network, state, x, labels):
            turn, state = state
            if within == "step" and turn == 2 * n_epochs + 1:
                raise KeyboardInterrupt
            network, state, metrics = rule.step(network, state, x, labels)
            return network, (turn + 1, state), metrics

    def progress(done, total):
        if within == "progress" and done == max(n_epochs, 1):
            raise KeyboardInterrupt

    with pytest.raises(TrainingInterrupted, match=r"interrupted with \d of 9") as caught:
        fit(network, Interrupted(), *data, epochs=9, progress=progress, **options)
    assert isinstance(caught.value, KeyboardInterrupt)
    result = caught.value.result
    n_whole = max(n_epochs, 1) if within == "progress" else n_epochs
    assert result.history.n_epochs == n_whole
    assert len(result.history.validation_accuracy) == n_whole
    assert {len(layer.silent) for layer in result.history.layers} == {n_whole}
    expected = network
    if n_whole:
        whole = fit(network, rule, *data, epochs=n_whole, **options)
        expected = whole.network
        np.testing.assert_array_equal(result.history.loss, whole.history.loss)
    for ours, theirs in zip(result.network.layers, expected.layers, strict=True):
        np.testing.assert_array_equal(ours.w, theirs.w)
    assert result.predict(XOR.features).shape == (4,)


def test_an_interruption_can_be_sent_between_processes():
    def progress(done, total):
        raise KeyboardInterrupt

    with pytest.raises(TrainingInterrupted) as caught:
        fit(ONE, Backprop(), *numbered(4), progress=progress, seed=1)
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value) == "interrupted with 1 of 100 epochs done"
    np.testing.assert_array_equal(again.result.history.loss, caught.value.result.history.loss)
    np.testing.assert_array_equal(
        again.result.network.layers[0].w, caught.value.result.network.layers[0].w
    )


def test_a_bar_is_drawn_when_asked_for(capsys):
    with Progress("fit.progress", True, 2, "epoch") as bar:
        bar.update(1)
        bar.update(2)
    assert "epoch" in capsys.readouterr().err
    with Progress("fit.progress", False, 2, "epoch") as bar:
        bar.update(1)
    assert capsys.readouterr().err == ""


def test_evaluate_reads_with_the_readout_it_is_given():
    network = LayeredNetwork([Layer([[1.0]], LIF.normalised(10.0))])
    encoder = RateEncoder(10.0, 1000.0, low=0.0, high=1.0)
    features, labels = [[1.0], [0.0]], [1, 0]
    assert evaluate(network, None, features, labels, encoder=encoder) == 1.0
    assert evaluate(network, MaxMembrane(5.0), features, labels, encoder=encoder) == 0.5
