"""Tasks in time: what their spikes say, what counts do not say, and that one can train on them."""

import hashlib

import numpy as np
import pytest
from sklearn.model_selection import StratifiedKFold

import spikesim as sp
from spikesim.datasets import SpikeDataset, store_recall, temporal_xor, timing_only
from spikesim.errors import SpikesimError

GOLDEN = {
    "temporal xor": (temporal_xor, "6cf2e7c800fe0b78"),
    "temporal xor, noisy": (
        lambda: temporal_xor(30, 5.0, background=20.0, dt=0.5, seed=3),
        "7f51395fb503258b",
    ),
    "store and recall": (store_recall, "11985a8032be6866"),
    "timing": (timing_only, "4db6ffc9bc6356a7"),
    "timing, three classes": (
        lambda: timing_only(31, n_classes=3, pattern_seed=2, seed=9),
        "27687f2ae769609c",
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_every_spike_is_where_it_was(name):
    make, known = GOLDEN[name]
    data = make()
    content = data.spikes.tobytes() + data.labels.astype("<i8").tobytes()
    assert hashlib.sha256(content).hexdigest()[:16] == known
    assert data.spikes.dtype == np.uint8 and data.spikes.max() == 1
    assert data.spikes.shape[1:] == (len(data.labels), len(data.line_names))
    assert len(data.class_names) == data.labels.max() + 1
    counts = np.bincount(data.labels)
    assert counts.max() - counts.min() <= 1
    for array in (data.spikes, data.labels):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


@pytest.mark.parametrize("delay", [0.0, 30.0])
def test_temporal_xor_shows_two_cues_and_nothing_else(delay):
    data = temporal_xor(40, delay, cue=10.0, answer=5.0, n_lines=8, seed=1, dt=0.5)
    assert data.duration == 25.0 + delay
    second = 20 + round(delay / 0.5)
    windows = [data.spikes[:20], data.spikes[second : second + 20]]
    assert sum(int(w.sum()) for w in windows) == int(data.spikes.sum())
    cues = []
    for window in windows:
        zero, one = window[:, :, :8].sum(axis=(0, 2)), window[:, :, 8:].sum(axis=(0, 2))
        assert (np.minimum(zero, one) == 0).all() and (np.maximum(zero, one) > 0).all()
        cues.append(one > 0)
        # 8 lines at 200 Hz for 10 ms: 16 spikes a trial.
        assert (zero + one).mean() == pytest.approx(16.0, abs=4 * np.sqrt(14.4 / 40))
    np.testing.assert_array_equal(cues[0] ^ cues[1], data.labels == 1)
    pairs = np.bincount(2 * cues[0] + cues[1])
    assert pairs.tolist() == [10] * 4


def test_background_spikes_are_everywhere():
    data = temporal_xor(100, 50.0, rate=40.0, background=40.0)
    assert data.spikes.mean() == pytest.approx(0.04, abs=4 * np.sqrt(0.04 / data.spikes.size))
    assert data.spikes.any(axis=(1, 2)).all()


def test_store_and_recall_asks_for_the_stored_bit():
    data = store_recall(60, n_periods=5, period=40.0, n_lines=10, seed=2)
    counts = data.spikes.reshape(5, 40, 60, 4, 10).sum(axis=(1, 4))
    zero, one, store, recall = (counts[:, :, group] > 0 for group in range(4))
    assert (zero ^ one)[:-1].all() and not (zero | one)[-1].any()
    assert (store.sum(axis=0) == 1).all() and not store[-1].any()
    assert recall[-1].all() and not recall[:-1].any()
    when = store.argmax(axis=0)
    np.testing.assert_array_equal(one[when, np.arange(60)], data.labels == 1)
    assert len(np.unique(when)) == 4
    # The other bits are as often one as zero, whatever the class.
    others = one[:-1][~store[:-1]]
    assert others.mean() == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(len(others)))


def test_counting_the_bits_recalls_two_in_three():
    """The majority of five bits is any one of them with probability 1/2 + 6/32."""
    data = store_recall(4000, period=1.0, n_lines=1, rate=1000.0)
    majority = data.spikes[:, :, 1].sum(axis=0) > 2
    p = 0.5 + 6 / 32
    assert np.mean(majority == data.labels) == pytest.approx(p, abs=4 * np.sqrt(p * (1 - p) / 4000))


def test_timing_is_all_that_tells_the_classes_apart():
    data = timing_only(60, n_classes=3, n_spikes=4, duration=50.0, seed=1)
    np.testing.assert_array_equal(data.spikes.sum(axis=0), 4)
    edges = np.arange(5) * 50 // 4
    for start, stop in zip(edges[:-1], edges[1:], strict=True):
        np.testing.assert_array_equal(data.spikes[start:stop].sum(axis=0), 1)
    exact = timing_only(3, n_classes=3, n_spikes=4, duration=50.0, jitter=0.0)
    order = np.argsort(exact.labels)
    when = np.argwhere(exact.spikes[:, order].transpose(1, 2, 0))[:, 2].reshape(3, 10, 4)
    mine = np.argwhere(data.spikes.transpose(1, 2, 0))[:, 2].reshape(60, 10, 4)
    distance = np.abs(mine[:, None] - when).sum(axis=(2, 3))
    np.testing.assert_array_equal(distance.argmin(axis=1), data.labels)
    moved = (mine - when[data.labels]).ravel()
    assert 0.5 < moved.std() < 1.2
    again = timing_only(3, n_classes=3, n_spikes=4, duration=50.0, jitter=0.0, seed=8)
    np.testing.assert_array_equal(again.spikes[:, np.argsort(again.labels)], exact.spikes[:, order])


def test_trials_go_through_fit_and_through_splitters():
    data = timing_only(24, n_lines=6, n_spikes=2, duration=20.0, jitter=0.0)
    network = sp.dense(
        [6, 8, 2], sp.LIF.normalised(8.0), output=sp.LIF.non_spiking(8.0), gain=3.0, rng=1
    )
    rule = sp.learning.Backprop(optimiser=sp.learning.Adam(0.05))
    features = data.features
    for train, test in StratifiedKFold(2, shuffle=True, random_state=0).split(
        features, data.labels
    ):
        result = sp.fit(
            network, rule, features[train], data.labels[train], encoder=data.encoder, epochs=30,
            seed=0, progress=False, warn=False,
        )  # fmt: skip
        assert result.score(features[test], data.labels[test]) == 1.0
        held_out = data.take(test)
        np.testing.assert_array_equal(held_out.features, features[test])
        np.testing.assert_array_equal(
            data.encoder.encode(features[test], dt=1.0), held_out.spikes.astype(float)
        )


def test_own_trains_become_a_data_set():
    spikes = np.zeros((4, 3, 2), dtype=bool)
    spikes[1, 2, 0] = True
    data = SpikeDataset(spikes, [0, 2, 1], dt=0.5)
    spikes[:] = True
    assert data.spikes.sum() == 1 and data.duration == 2.0
    assert data.line_names == ("0", "1") and data.class_names == ("0", "1", "2")
    assert repr(data) == "SpikeDataset(3 trials of 2 lines, 4 steps of 0.5 ms, 3 classes)"
    assert data.features.shape == (3, 8) and data.features[2, 2] == 1
    assert data.take([False, False, True]).labels.tolist() == [1]
    assert data.take([0]).class_names == data.class_names
    floats = SpikeDataset(data.spikes.astype(float), data.labels, 0.5)
    np.testing.assert_array_equal(floats.spikes, data.spikes)


ZEROS = np.zeros((4, 3, 2))
BAD = [
    (SpikeDataset, {"spikes": ZEROS + 0.5, "labels": [0, 1, 0]}, ValueError),
    (SpikeDataset, {"spikes": np.full((4, 3, 2), 2, np.uint8), "labels": [0, 1, 0]}, ValueError),
    (SpikeDataset, {"spikes": ZEROS[0], "labels": [0, 1, 0]}, ValueError),
    (SpikeDataset, {"spikes": ZEROS[:0], "labels": [0, 1, 0]}, ValueError),
    (SpikeDataset, {"spikes": "many", "labels": [0, 1, 0]}, TypeError),
    (SpikeDataset, {"labels": [0, 1], "spikes": ZEROS}, ValueError),
    (SpikeDataset, {"labels": [0, -1, 0], "spikes": ZEROS}, IndexError),
    (SpikeDataset, {"dt": 0.0, "spikes": ZEROS, "labels": [0, 1, 0]}, ValueError),
    (SpikeDataset, {"line_names": "abc", "spikes": ZEROS, "labels": [0, 1, 0]}, ValueError),
    (SpikeDataset, {"class_names": "a", "spikes": ZEROS, "labels": [0, 1, 0]}, ValueError),
    (temporal_xor, {"n_trials": 0}, ValueError), (temporal_xor, {"delay": -1.0}, ValueError),
    (temporal_xor, {"delay": 0.5}, ValueError), (temporal_xor, {"cue": 0.0}, ValueError),
    (temporal_xor, {"rate": 1001.0}, ValueError), (temporal_xor, {"n_lines": 1.5}, TypeError),
    (temporal_xor, {"background": -1.0}, ValueError), (temporal_xor, {"seed": -1}, ValueError),
    (store_recall, {"n_periods": 1}, ValueError), (store_recall, {"period": 0.5}, ValueError),
    (store_recall, {"rate": 2000.0}, ValueError), (store_recall, {"n_lines": 0}, ValueError),
    (timing_only, {"n_classes": 1}, ValueError), (timing_only, {"n_spikes": 61}, ValueError),
    (timing_only, {"jitter": -1.0}, ValueError), (timing_only, {"dt": 0.7}, ValueError),
    (timing_only, {"pattern_seed": "a"}, TypeError),
]  # fmt: skip


@pytest.mark.parametrize(("make", "arguments", "kind"), BAD)
def test_bad_arguments_are_refused_by_name(make, arguments, kind):
    name = "duration" if arguments == {"dt": 0.7} else next(iter(arguments))
    with pytest.raises(kind, match=rf"{make.__name__}\.{name}") as caught:
        make(**arguments)
    assert isinstance(caught.value, SpikesimError)
