"""Readouts: scores, decisions, derivatives, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest

from spikesim.layered import Layer, Trace
from spikesim.learning import (
    FirstSpike,
    MaxMembrane,
    MeanMembrane,
    RateOutput,
    SpikeCount,
    default_readout,
)
from spikesim.neurons import LIF, ReLU, Sigmoid, Step, Tanh

SPIKES = np.array([[0, 0, 0], [0, 1, 0], [1, 0, 0], [1, 1, 0]], dtype=float)[:, None, :]
V = np.array([[0.0, 0.5, -1.0], [0.2, 2.0, -2.0], [1.5, 0.1, -0.5], [1.1, 2.0, -0.5]])[:, None, :]
SPIKING = Layer(np.ones((1, 3)), LIF.normalised())
SILENT = Layer(np.ones((1, 3)), LIF.non_spiking())
ONE = Layer(np.ones((1, 1)), LIF.normalised())


def one(values):
    column = np.asarray(values, dtype=float)[:, None, None]
    return Trace(column, column, np.zeros(column.shape, dtype=bool))


def test_spike_count():
    trace = Trace(SPIKES, V, None)
    scores = SpikeCount().scores(trace, SPIKING, 1.0)
    assert scores.tolist() == [[2.0, 2.0, 0.0]]
    assert SpikeCount().decide(scores, SPIKING).tolist() == [0]
    counts = np.array([[0.0], [1.0], [3.0]])
    assert SpikeCount().decide(counts, ONE).tolist() == [0, 1, 1]
    assert SpikeCount(threshold=2.0).decide(counts, ONE).tolist() == [0, 0, 1]


def test_first_spike_is_the_time_left():
    trace = Trace(SPIKES, V, None)
    scores = FirstSpike().scores(trace, SPIKING, 0.5)
    assert scores.tolist() == [[1.0, 1.5, 0.0]]
    assert FirstSpike().decide(scores, SPIKING).tolist() == [1]
    np.testing.assert_allclose(FirstSpike(10.0).scores(trace, SPIKING, 0.5), scores / 10.0)
    last = FirstSpike().scores(one([0, 0, 1]), ONE, 1.0)
    never = FirstSpike().scores(one([0, 0, 0]), ONE, 1.0)
    assert FirstSpike().decide(np.vstack([last, never]), ONE).tolist() == [1, 0]


def test_first_spike_says_how_much_earlier_a_spike_would_be():
    _, grad_v = FirstSpike().backward(one([0, 0, 1, 0, 1]), ONE, np.ones((1, 1)), 1.0)
    assert grad_v is None
    grad, _ = FirstSpike().backward(one([0, 0, 1, 0, 1]), ONE, np.ones((1, 1)), 1.0)
    assert grad[:, 0, 0].tolist() == [2.0, 1.0, 2.0, 0.0, 0.0]
    grad, _ = FirstSpike().backward(one([0, 0, 0]), ONE, np.ones((1, 1)), 2.0)
    assert grad[:, 0, 0].tolist() == [6.0, 4.0, 2.0]


def test_first_spike_is_the_expected_one_of_independent_spikes():
    chance = np.array([0.1, 0.5, 0.3])
    score = FirstSpike().scores(one(chance), ONE, 1.0)[0, 0]
    stay = np.cumprod(np.concatenate([[1.0], 1 - chance]))
    time = sum((k + 1) * chance[k] * stay[k] for k in range(3)) + 4 * stay[3]
    assert score == pytest.approx(4 - time)


def test_max_membrane():
    trace = Trace(SPIKES, V, None)
    scores = MaxMembrane().scores(trace, SILENT, 1.0)
    assert scores.tolist() == [[1.5, 2.0, -0.5]]
    none, grad_v = MaxMembrane().backward(trace, SILENT, np.array([[1.0, 2.0, 3.0]]), 1.0)
    assert none is None
    assert grad_v[:, 0].tolist() == [[0, 0, 0], [0, 2, 0], [1, 0, 3], [0, 0, 0]]
    assert MaxMembrane().decide(np.array([[0.99], [1.0]]), ONE).tolist() == [0, 1]
    assert MaxMembrane(0.2).decide(np.array([[0.1], [0.3]]), ONE).tolist() == [0, 1]
    resting = Layer([[1.0]], LIF(v_rest=-65.0, v_th=np.inf))
    assert MaxMembrane().threshold_of(resting) == -64.0
    assert MaxMembrane().targets_of(ONE) == (0.0, 2.0)


def test_mean_membrane():
    trace = Trace(SPIKES, V, None)
    scores = MeanMembrane().scores(trace, SILENT, 1.0)
    assert scores.tolist() == [[sum(V[k, 0, j] for k in range(4)) / 4 for j in range(3)]]
    none, grad_v = MeanMembrane().backward(trace, SILENT, np.array([[1.0, 2.0, 4.0]]), 1.0)
    assert none is None
    assert grad_v[:, 0].tolist() == [[0.25, 0.5, 1.0]] * 4
    assert MeanMembrane().decide(np.array([[0.49], [0.5]]), ONE).tolist() == [0, 1]
    assert MeanMembrane(targets=(-1.0, 2.0)).targets_of(ONE) == (-1.0, 2.0)


@pytest.mark.parametrize(
    ("neuron", "threshold", "targets"),
    [
        (Sigmoid(), 0.5, (0.0, 1.0)),
        (Tanh(), 0.0, (-1.0, 1.0)),
        (ReLU(), 0.5, (0.0, 1.0)),
        (Step(), 0.5, (0.0, 1.0)),
    ],
)
def test_rate_output(neuron, threshold, targets):
    layer = Layer([[1.0]], neuron)
    assert RateOutput().threshold_of(layer) == threshold
    assert RateOutput().targets_of(layer) == targets
    scores = np.array([[threshold - 0.1], [threshold], [threshold + 0.1]])
    assert RateOutput().decide(scores, layer).tolist() == [0, 1, 1]
    mean = RateOutput().scores(one([0.0, 1.0, 0.5, 0.5]), layer, 1.0)
    assert mean.tolist() == [[0.5]]
    grad, none = RateOutput().backward(one([0.0, 1.0]), layer, np.ones((1, 1)), 1.0)
    assert none is None
    assert grad[:, 0, 0].tolist() == [0.5, 0.5]


def test_the_usual_readout():
    assert isinstance(default_readout(Layer([[1.0]], Sigmoid())), RateOutput)
    assert isinstance(default_readout(SPIKING), SpikeCount)
    assert isinstance(default_readout(SILENT), MaxMembrane)


@pytest.mark.parametrize(
    ("readout", "neuron"),
    [
        (RateOutput(), LIF()),
        (SpikeCount(), Sigmoid()),
        (SpikeCount(), LIF.non_spiking()),
        (FirstSpike(), Tanh()),
        (FirstSpike(), LIF.non_spiking()),
        (MaxMembrane(), Sigmoid()),
        (MeanMembrane(), Sigmoid()),
    ],
)
def test_a_readout_refuses_what_it_cannot_read(readout, neuron):
    with pytest.raises(ValueError, match=type(readout).__name__ + ".*use "):
        readout.check(Layer([[1.0]], neuron))


@pytest.mark.parametrize(
    ("make", "error", "name"),
    [
        (lambda: SpikeCount(threshold=np.nan), ValueError, r"SpikeCount\.threshold"),
        (lambda: SpikeCount(targets=(1.0, 0.0)), ValueError, r"SpikeCount\.targets"),
        (lambda: SpikeCount(targets=3.0), TypeError, r"SpikeCount\.targets"),
        (lambda: FirstSpike(0.0), ValueError, r"FirstSpike\.scale"),
        (lambda: FirstSpike(targets=(0.0, "1")), TypeError, r"FirstSpike\.targets\[1\]"),
        (lambda: MaxMembrane("high"), TypeError, r"MaxMembrane\.threshold"),
        (lambda: MeanMembrane(np.nan), ValueError, r"MeanMembrane\.threshold"),
        (lambda: MeanMembrane(targets=(1.0, 1.0)), ValueError, r"MeanMembrane\.targets"),
    ],
)
def test_bad_parameters_are_refused(make, error, name):
    with pytest.raises(error, match=name):
        make()
