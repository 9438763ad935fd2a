"""Rules of spike timing against sums over pairs of spikes, and what they are known to learn."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import config

from spikesim.encoding import LatencyEncoder
from spikesim.errors import NonFiniteStateError, SpikesimError
from spikesim.layered import Layer, LayeredNetwork, dense, forward
from spikesim.learning import STDP, FirstSpike, NearestTrain, ReSuMe, RewardSTDP, SpikeCount, fit
from spikesim.neurons import LIF, Step
from spikesim.synapses import Exponential
from tests import naive_timing

DT = 0.5
WINDOW = {"a_plus": 0.02, "a_minus": 0.03, "tau_plus": 12.0, "tau_minus": 25.0}
ENCODER = LatencyEncoder(low=0.0, high=1.0)


def problem(seed, sizes=(5, 4, 2), n_trials=4, n_steps=30, trainable=("w",), gain=4.0, **options):
    rng = np.random.default_rng(seed)
    network = dense(sizes, LIF.normalised(8.0), synapse=Exponential(3.0), gain=gain, dt=DT, rng=rng,
                    **options)  # fmt: skip
    layers = [
        dataclasses.replace(layer, w=np.abs(layer.w), trainable=trainable)
        for layer in network.layers
    ]
    x = (rng.random((n_steps, n_trials, sizes[0])) < 0.2).astype(float)
    return network.updated(layers), x, rng.integers(0, max(2, sizes[-1]), n_trials)


def learnt(rule, network, x, labels):
    return rule.step(network, rule.init(network), x, labels)


def spikes(x, metrics, index, trial):
    """What a layer received and sent in a trial."""
    before = x if index == 0 else metrics.traces[index - 1].output
    return before[:, trial], metrics.traces[index].output[:, trial]


def driven(n_steps):
    """A unit that the second input makes fire one step after each of its spikes."""
    unit = LIF.normalised(5.0)
    return LayeredNetwork([Layer([[1e-3], [2.0]], unit, trainable=("w",))], DT), np.zeros(
        (n_steps, 1, 2)
    )


@pytest.mark.parametrize("pairing", ["all", "nearest"])
@pytest.mark.parametrize("interval", [-30, -7, -1, 0, 1, 2, 25])
def test_one_pair_changes_the_weight_by_the_window(interval, pairing):
    network, x = driven(80)
    x[40, 0, 0] = 1.0
    x[40 + interval - 1, 0, 1] = 1.0
    rule = STDP(**WINDOW, pairing=pairing)
    trained, _, metrics = learnt(rule, network, x, np.array([0]))
    assert np.flatnonzero(metrics.traces[0].output) == [40 + interval]
    d = interval * DT
    expected = 0.0
    if d:
        expected = 0.02 * math.exp(-d / 12.0) if d > 0 else -0.03 * math.exp(d / 25.0)
    assert trained.layers[0].w[0, 0] - 1e-3 == pytest.approx(expected, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("pairing", ["all", "nearest"])
@pytest.mark.parametrize("seed", range(1 if config.DISABLE_JIT else 4))
def test_trains_change_the_weights_by_the_sum_over_pairs(seed, pairing):
    network, x, labels = problem(seed)
    rule = STDP(**WINDOW, pairing=pairing)
    trained, _, metrics = learnt(rule, network, x, labels)
    for index, (new, old) in enumerate(zip(trained.layers, network.layers, strict=True)):
        total = sum(
            naive_timing.stdp_sum(rule, *spikes(x, metrics, index, trial), DT)
            for trial in range(len(labels))
        )
        np.testing.assert_allclose(new.w - old.w, total, rtol=1e-9, atol=1e-13)
        assert np.abs(total).max() > 0.01
        assert metrics.update_norms[index] == pytest.approx(np.linalg.norm(total), rel=1e-9)


def test_several_spikes_of_an_input_in_one_step_count_each():
    network, x, labels = problem(1)
    x *= np.random.default_rng(0).integers(1, 4, x.shape)
    rule = STDP(**WINDOW)
    trained, _, metrics = learnt(rule, network, x, labels)
    total = sum(
        naive_timing.stdp_sum(rule, *spikes(x, metrics, 0, trial), DT)
        for trial in range(len(labels))
    )
    np.testing.assert_allclose(trained.layers[0].w - network.layers[0].w, total, rtol=1e-9)


@pytest.mark.parametrize("pairing", ["all", "nearest"])
@pytest.mark.parametrize("bounds", ["hard", "soft"])
@given(seed=st.integers(0, 2**32 - 1), size=st.floats(0.01, 2.0))
@settings(max_examples=3 if config.DISABLE_JIT else 15, deadline=None)
def test_bounds_hold_whatever_the_size_of_a_change(bounds, pairing, seed, size):
    network, x, labels = problem(seed, (3, 2), n_trials=2)
    layer = network.layers[0]
    network = network.updated([layer.updated(w=np.random.default_rng(seed).random((3, 2)))])
    rule = STDP(size, 1.2 * size, 12.0, 25.0, pairing, bounds, w_min=0.0, w_max=1.0)
    trained, _, metrics = learnt(rule, network, x, labels)
    w = network.layers[0].w.copy()
    for trial in range(len(labels)):
        pre, post = spikes(x, metrics, 0, trial)
        for i in range(3):
            for j in range(2):
                w[i, j] = naive_timing.stdp_weight(rule, w[i, j], pre[:, i], post[:, j], DT)
    np.testing.assert_allclose(trained.layers[0].w, w, rtol=1e-9, atol=1e-12)
    assert trained.layers[0].w.min() >= 0.0 and trained.layers[0].w.max() <= 1.0


@pytest.mark.parametrize("kind", [STDP, RewardSTDP])
def test_only_the_weights_between_layers_change(kind):
    network, x, labels = problem(2, trainable=("w", "bias", "w_rec"), recurrent=True, bias_sd=0.5)
    frozen = dataclasses.replace(network.layers[1], trainable=("bias",))
    network = network.updated([network.layers[0], frozen])
    trained, *_ = learnt(kind(), network, x, labels)
    assert np.any(trained.layers[0].w != network.layers[0].w)
    np.testing.assert_array_equal(trained.layers[0].w_rec, network.layers[0].w_rec)
    np.testing.assert_array_equal(trained.layers[1].w, network.layers[1].w)
    for new, old in zip(trained.layers, network.layers, strict=True):
        np.testing.assert_array_equal(new.bias, old.bias)


def test_labels_only_measure_stdp():
    network, x, labels = problem(3, n_trials=6)
    one, _, right = learnt(STDP(), network, x, labels)
    other, _, wrong = learnt(STDP(), network, x, 1 - labels)
    assert one.layers[0].w.tobytes() == other.layers[0].w.tobytes()
    assert right.n_correct + wrong.n_correct == 6
    assert right.loss == 6 - right.n_correct


@pytest.mark.parametrize("rule", [STDP(), RewardSTDP(), ReSuMe()], ids=repr)
def test_a_batch_is_its_trials_one_after_another(rule):
    network, x, labels = problem(4, n_trials=5)
    whole, state, metrics = learnt(rule, network, x, labels)
    one, state_of_one = network, rule.init(network)
    n_correct = 0
    for trial in range(5):
        here = slice(trial, trial + 1)
        one, state_of_one, part = rule.step(one, state_of_one, x[:, here], labels[here])
        n_correct += part.n_correct
        for trace, together in zip(part.traces, metrics.traces, strict=True):
            np.testing.assert_array_equal(trace.output, together.output[:, here])
    assert whole.layers[0].w.tobytes() == one.layers[0].w.tobytes()
    assert (state, n_correct) == (state_of_one, metrics.n_correct)


def test_a_repeated_sequence_is_answered_ever_earlier():
    n_inputs = 20
    x = np.zeros((90, 1, n_inputs))
    x[4 * np.arange(n_inputs), 0, np.arange(n_inputs)] = 1.0
    unit = LIF.normalised(10.0)
    layer = Layer(np.full((n_inputs, 1), 0.3), unit, trainable=("w",))
    network, rule = LayeredNetwork([layer], DT), STDP(0.02, 0.021, w_min=0.0, w_max=0.6)
    first = []
    for _ in range(40):
        network, _, metrics = rule.step(network, None, x, np.array([1]))
        first.append(np.argmax(metrics.traces[0].output))
    assert np.all(np.diff(first) <= 0)
    assert first[-1] <= first[0] - 8


@pytest.mark.parametrize("pairing", ["all", "nearest"])
def test_reward_times_eligibility_changes_the_weights(pairing):
    network, x, labels = problem(5, n_trials=6)
    rule = RewardSTDP(0.3, 15.0, 2.0, -0.5, 0.25, pairing=pairing, **WINDOW)
    trained, state, metrics = learnt(rule, network, x, labels)
    scores = SpikeCount().scores(metrics.traces[-1], network.layers[-1], DT)
    right = np.argmax(scores, axis=1) == labels
    assert metrics.n_correct == right.sum()
    assert 0 < right.sum() < 6
    mean = 0.0
    total = [np.zeros(layer.w.shape) for layer in network.layers]
    for trial in range(6):
        surprise = (2.0 if right[trial] else -0.5) - mean
        for index, change in enumerate(total):
            pre, post = spikes(x, metrics, index, trial)
            change += 0.3 * surprise * naive_timing.eligibility(rule, pre, post, DT)
        mean += 0.25 * surprise
    for new, old, change in zip(trained.layers, network.layers, total, strict=True):
        np.testing.assert_allclose(new.w - old.w, change, rtol=1e-9, atol=1e-13)
    assert state == pytest.approx(mean, rel=1e-12)


def test_an_expected_reward_teaches_nothing_and_bounds_hold():
    network, x, labels = problem(6, (5, 2))
    for rule in (RewardSTDP(1.0), RewardSTDP(1e3, w_min=-9.0, w_max=9.0)):
        trained, *_ = learnt(rule, network, x, labels)
        assert np.any(trained.layers[0].w != network.layers[0].w)
    assert np.abs(trained.layers[0].w).max() == 9.0
    right = learnt(SAME := RewardSTDP(), network, x[:, :1], labels[:1])[2].n_correct
    expected = SAME.reward if right else SAME.punishment
    trained, state, _ = SAME.step(network, expected, x[:, :1], labels[:1])
    np.testing.assert_array_equal(trained.layers[0].w, network.layers[0].w)
    assert state == expected


def two_classes(rng, n_trials, n_inputs=10):
    """In class 0 the first half of the lines is early and the other late, in class 1 reversed."""
    labels = np.arange(n_trials) % 2
    early = (np.arange(n_inputs) < n_inputs // 2) == (labels[:, None] == 0)
    latest, first = rng.uniform(0.0, 0.4, early.shape), rng.uniform(0.6, 1.0, early.shape)
    return np.where(early, first, latest), labels


@pytest.mark.parametrize("seed", range(2 if config.DISABLE_JIT else 10))
def test_reward_alone_teaches_which_lines_are_early(seed):
    rng = np.random.default_rng(seed)
    features, labels = two_classes(rng, 40)
    unseen, classes = two_classes(rng, 60)
    # The unit that is first silences the other.
    inhibition = -50.0 * (1.0 - np.eye(2))
    layer = Layer(rng.uniform(2.0, 4.0, (10, 2)), LIF.normalised(10.0), synapse=Exponential(3.0),
                  w_rec=inhibition, trainable=("w",))  # fmt: skip
    network = LayeredNetwork([layer], 0.25)
    rule = RewardSTDP(readout=FirstSpike(), w_min=0.0)
    epochs = 4 if config.DISABLE_JIT else 20
    result = fit(network, rule, features, labels, encoder=ENCODER, epochs=epochs, seed=seed)
    assert result.score(unseen, classes) >= (0.8 if config.DISABLE_JIT else 0.95)


def test_nothing_is_learnt_of_labels_that_mean_nothing():
    rng = np.random.default_rng(0)
    features, labels = two_classes(rng, 40)
    unseen, classes = two_classes(rng, 100)
    layer = Layer(rng.uniform(2.0, 4.0, (10, 1)), LIF.normalised(10.0), synapse=Exponential(3.0),
                  trainable=("w",))  # fmt: skip
    network, shuffled = LayeredNetwork([layer], 0.5), rng.permutation(labels)
    result = fit(network, RewardSTDP(), features, shuffled, encoder=ENCODER, epochs=5, seed=0,
                 warn=False)  # fmt: skip
    assert 0.2 <= result.score(unseen, classes) <= 0.8


TARGETS = [[[4.0, 9.5], []], [[12.0], [3.0, 3.5]]]


@pytest.mark.parametrize("seed", range(3))
def test_resume_changes_weights_by_the_two_trains(seed):
    network, x, _ = problem(seed, n_trials=3)
    rule = ReSuMe(TARGETS, 0.2, 0.3, 6.0)
    labels = np.array([1, 0, 1])
    trained, _, metrics = learnt(rule, network, x, labels)
    total = sum(
        naive_timing.resume_change(rule, *spikes(x, metrics, 1, trial), TARGETS[label], DT)
        for trial, label in enumerate(labels)
    )
    np.testing.assert_allclose(trained.layers[1].w - network.layers[1].w, total, rtol=1e-9,
                               atol=1e-13)  # fmt: skip
    np.testing.assert_array_equal(trained.layers[0].w, network.layers[0].w)
    output = metrics.traces[-1].output
    assert output.sum() > 0
    distances = np.zeros((3, 2))
    for trial in range(3):
        for c, units in enumerate(TARGETS):
            for k, times in enumerate(units):
                sent = (np.flatnonzero(output[:, trial, k]) + 1) * DT
                distances[trial, c] += naive_timing.van_rossum(sent, times, 6.0)
    scores = rule.readout.scores(metrics.traces[-1], network.layers[-1], DT)
    np.testing.assert_allclose(scores, -distances, rtol=1e-9, atol=1e-12)
    assert metrics.loss == pytest.approx(distances[np.arange(3), labels].sum(), rel=1e-9)
    assert metrics.n_correct == np.sum(distances.argmin(axis=1) == labels)


def one_unit(rng, n_inputs, **options):
    layer = Layer(rng.random((n_inputs, 1)), LIF.normalised(10.0), synapse=Exponential(3.0),
                  **options)  # fmt: skip
    return LayeredNetwork([layer])


@pytest.mark.parametrize("seed", range(1 if config.DISABLE_JIT else 10))
def test_resume_produces_a_desired_train_within_a_millisecond(seed):
    rng = np.random.default_rng(seed)
    features, network = rng.random((1, 100)), one_unit(rng, 100)
    encoder = LatencyEncoder(110.0, 100.0, low=0.0, high=1.0)
    wanted = [30.0, 60.0, 90.0]
    epochs = 50 if config.DISABLE_JIT else 400
    result = fit(network, ReSuMe([[wanted]], tau_trace=5.0), features, [0], encoder=encoder, seed=0,
                 epochs=epochs, warn=False)  # fmt: skip
    (trace,) = forward(result.network, encoder.encode(features, dt=1.0))
    sent = np.flatnonzero(trace.output[:, 0, 0]) + 1.0
    if not config.DISABLE_JIT:
        assert len(sent) == 3
        assert np.abs(sent - wanted).max() <= 1.0
    assert naive_timing.van_rossum(sent, wanted, 5.0) < 0.5 * result.history.loss[0]


def test_resume_tells_patterns_by_the_trains_that_answer_them():
    rng = np.random.default_rng(0)
    patterns = rng.random((2, 60))
    labels = np.repeat([0, 1], 10)
    features = np.clip(patterns[labels] + 0.01 * rng.standard_normal((20, 60)), 0.0, 1.0)
    encoder = LatencyEncoder(60.0, 50.0, low=0.0, high=1.0)
    rule = ReSuMe([[[20.0]], [[45.0]]], tau_trace=5.0)
    result = fit(one_unit(rng, 60), rule, features[::2], labels[::2], encoder=encoder, epochs=30,
                 seed=0, warn=False)  # fmt: skip
    assert result.readout == NearestTrain(rule.targets, 5.0)
    assert result.score(features[1::2], labels[1::2]) == 1.0
    assert result.history.loss[-1] < 0.3 * result.history.loss[0]


def test_resume_rests_when_the_train_is_the_desired_one():
    network, x, _ = problem(0, (5, 1), n_trials=1)
    (trace,) = forward(network, x)
    sent = (np.flatnonzero(trace.output[:, 0, 0]) + 1) * DT
    assert len(sent)
    trained, _, metrics = learnt(ReSuMe([[sent]]), network, x, np.array([0]))
    np.testing.assert_array_equal(trained.layers[0].w, network.layers[0].w)
    assert (metrics.loss, metrics.n_correct) == (0.0, 1)


def test_without_targets_the_unit_of_the_class_spikes_half_way():
    network, x, _ = problem(0, (5, 2), n_steps=21)
    quiet = network.updated([network.layers[0].updated(w=np.zeros((5, 2)))])
    trained, _, metrics = learnt(ReSuMe(), quiet, x[:, :1], np.array([1]))
    change = trained.layers[0].w
    np.testing.assert_array_equal(change[:, 0], 0.0)
    # Half way through 21 steps is the stamp of index 10.
    expected = naive_timing.resume_change(ReSuMe(), x[:, 0], np.zeros((21, 1)), [[5.5]], DT)
    np.testing.assert_allclose(change[:, 1:], expected, rtol=1e-12)
    assert metrics.loss == 0.5


@pytest.mark.parametrize("rule", [STDP(0.1, 0.1), RewardSTDP(), ReSuMe()], ids=repr)
def test_single_precision_is_kept(rule):
    network, x, labels = problem(1)
    single = LayeredNetwork(network.layers, DT, precision="single")
    trained, *_ = learnt(rule, single, x, labels)
    assert trained.layers[-1].w.dtype == np.float32
    reference, *_ = learnt(rule, network, x, labels)
    np.testing.assert_allclose(trained.layers[-1].w, reference.layers[-1].w, rtol=1e-3, atol=1e-3)


def network_of(**options):
    settings = {"neuron": LIF.normalised(), "synapse": Exponential(3.0)} | options
    return LayeredNetwork([Layer([[1.0], [2.0]], **settings)])


@pytest.mark.parametrize("kind", [STDP, RewardSTDP, ReSuMe])
@pytest.mark.parametrize(
    ("network", "said"),
    [
        (network_of(neuron=Step()), "layer 0: neuron must be LIF"),
        (network_of(neuron=LIF.non_spiking()), "LIF.v_th must be finite"),
        (network_of(delay=1.0), "Layer.delay must be None"),
        (network_of(trainable=("bias",)), "w must be in Layer.trainable"),
        (network_of(trainable=("w", "tau_m")), "tau_m must not be in Layer.trainable"),
        (LayeredNetwork(network_of().layers, continuous=True), "make it without continuous=True"),
    ],
    ids=["step", "never fires", "delay", "nothing to train", "learnt units", "continuous"],
)
def test_networks_that_a_rule_cannot_train_are_refused(kind, network, said):
    with pytest.raises(SpikesimError, match=said):
        kind().init(network)


BAD = [
    *[
        (kind, {side: value}, side)
        for kind in (STDP, RewardSTDP)
        for side, value in [
            ("a_plus", -1.0), ("a_minus", math.nan), ("tau_plus", 0.0), ("tau_minus", "10"),
            ("pairing", "some"), ("w_max", -math.inf), ("w_min", math.nan), ("readout", "count"),
            ("readout", SpikeCount),
        ]
    ],
    (STDP, {"bounds": "firm"}, "bounds"),
    (STDP, {"bounds": "soft"}, "w_min and STDP.w_max must be finite"),
    (STDP, {"bounds": "soft", "w_min": 0.0}, "w_min and STDP.w_max must be finite"),
    (RewardSTDP, {"learning_rate": 0.0}, "learning_rate"),
    (RewardSTDP, {"tau_c": -1.0}, "tau_c"),
    (RewardSTDP, {"reward": math.inf}, "reward"),
    (RewardSTDP, {"punishment": 1.0}, "punishment must be less than reward = 1"),
    (RewardSTDP, {"baseline_rate": 1.5}, "baseline_rate"),
    (ReSuMe, {"learning_rate": 0.0}, "learning_rate"),
    (ReSuMe, {"non_hebbian": -0.1}, "non_hebbian"),
    (ReSuMe, {"tau_trace": 0.0}, "tau_trace"),
    (ReSuMe, {"targets": 5.0}, "targets must be a sequence"),
    (ReSuMe, {"targets": "ab"}, "targets must be a sequence"),
    (ReSuMe, {"targets": []}, "targets must hold at least one class"),
    (ReSuMe, {"targets": [[3.0]]}, r"targets\[0\]\[0\] must be a sequence"),
    (ReSuMe, {"targets": [[[3.0, math.nan]]]}, r"targets\[0\]\[0\]\[1\]"),
    (NearestTrain, {"tau_distance": -1.0}, "tau_distance"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "arguments", "said"), BAD)
def test_bad_settings_are_refused_by_name(kind, arguments, said):
    with pytest.raises(SpikesimError, match=rf"^{kind.__name__}\.{said}"):
        kind(**arguments)


@pytest.mark.parametrize("kind", [STDP, RewardSTDP])
def test_weights_outside_of_their_bounds_are_refused(kind):
    message = rf"{kind.__name__}.network: layer 0: Layer.w\[1, 0\] is 2, outside of w_min = 0"
    with pytest.raises(SpikesimError, match=message):
        kind(w_min=0.0, w_max=1.5).init(network_of())


def test_inputs_labels_and_targets_are_checked():
    network, x, labels = problem(0, (5, 1))
    x[3, 1, 2] = -0.5
    for rule in (STDP(), RewardSTDP(), ReSuMe()):
        with pytest.raises(SpikesimError, match=r"\.x\[3, 1, 2\] is -0.5; spikes cannot be neg"):
            learnt(rule, network, x, labels)
    x = np.abs(x)
    cases = [
        ([[[1.0]]], np.array([0, 1, 0, 0]), r"ReSuMe.labels\[1\] is 1"),
        ([[[15.5]]], 0 * labels, r"ReSuMe.targets\[0\]\[0\]\[0\] is 15.5 ms; .* 0.5 to 15 ms"),
        ([[[0.1]]], 0 * labels, r"ReSuMe.targets\[0\]\[0\]\[0\] is 0.1 ms"),
        ([[[3.0, 3.1]]], 0 * labels, r"ReSuMe.targets\[0\]\[0\]\[1\] is 3.1 ms, in the same step"),
        ([[[3.0], [4.0]]], 0 * labels, r"targets\[0\] must have .* the 1 output units, got 2"),
    ]
    for targets, classes, said in cases:
        with pytest.raises(SpikesimError, match=said):
            learnt(ReSuMe(targets), network, x, classes)


def test_divergence_is_an_error():
    network, x, labels = problem(0)
    for rule in (STDP(1e308, 1e308), RewardSTDP(1e308, a_plus=1e9), ReSuMe(learning_rate=1e308)):
        with pytest.raises(NonFiniteStateError, match=f"{type(rule).__name__}: the weights div"):
            learnt(rule, network, x, labels)
