"""Effort: counts are held to counting one by one, energies to sums by hand."""

import dataclasses

import numpy as np
import pytest

import spikesim as sp
from spikesim.comparison import effort, effort_of_traces, operations, training_effort
from spikesim.encoding import LatencyEncoder, RateEncoder, SpikeTrains
from spikesim.errors import ParameterError, ParameterTypeError
from spikesim.layered import SpikeTimes, forward
from spikesim.learning import Backprop, Perceptron
from tests.naive_effort import backward_counts, forward_counts

LIF = sp.LIF.normalised(10.0)
EXPONENTIAL = sp.Exponential(5.0)


def thinned(network, rng):
    """Return the network with a third of its weights at zero."""

    def zeros(w):
        return None if w is None else w * (rng.random(w.shape) > 1 / 3)

    return network.updated(
        [dataclasses.replace(a, w=zeros(a.w), w_rec=zeros(a.w_rec)) for a in network.layers]
    )


def mixed():
    rng = np.random.default_rng(4)
    layers = [
        sp.Layer(rng.normal(size=(3, 4)), sp.ReLU()),
        sp.Layer(rng.normal(size=(4, 3)), LIF, np.full(3, 0.8), EXPONENTIAL),
        sp.Layer(rng.normal(size=(3, 2)), sp.ReLU(), trainable=("bias",)),
    ]
    return sp.LayeredNetwork(layers)


NETWORKS = {
    "rate": lambda: sp.dense([3, 5, 2], sp.ReLU(), gain=1.5, bias_sd=0.3, rng=1),
    "steps": lambda: sp.dense([3, 5, 2], sp.Step(surrogate=sp.Boxcar()), rng=1),
    "LIF": lambda: sp.dense([3, 5, 2], LIF, gain=3.0, bias_sd=0.5, rng=1),
    "exponential": lambda: sp.dense([3, 5, 4, 2], LIF, synapse=EXPONENTIAL, gain=6.0, rng=2),
    "recurrent": lambda: sp.dense([3, 70, 2], LIF, recurrent=True, gain=3.0, bias_sd=0.5, rng=1),
    "adaptive": lambda: sp.dense(
        [3, 5, 2], sp.AdaptiveLIF.normalised(10.0, delta_a=2.0), gain=3.0, bias_sd=0.5, rng=1
    ),
    "integrators": lambda: sp.dense(
        [3, 5, 2], LIF, output=sp.LIF.non_spiking(), gain=3.0, bias_sd=0.5, rng=1
    ),
    "one silent": lambda: sp.dense(
        [3, 5, 2],
        sp.LIF(10.0, 10.0, 0.0, [1.0, np.inf, 1.0, 2.0, 1.0], 0.0, 0.0),
        output=LIF,
        gain=3.0,
        bias_sd=0.5,
        rng=1,
    ),
    "single": lambda: sp.dense([3, 5, 2], LIF, gain=3.0, bias_sd=0.5, precision="single", rng=1),
    "mixed": mixed,
}


@pytest.mark.parametrize("binary", [True, False], ids=["spikes", "values"])
@pytest.mark.parametrize("surrogate", [sp.Boxcar(2.0), sp.FastSigmoid()], ids=["cut", "endless"])
@pytest.mark.parametrize("name", NETWORKS)
def test_counts_are_those_of_counting_one_by_one(name, surrogate, binary):
    rng = np.random.default_rng(3)
    network = thinned(NETWORKS[name](), rng)
    x = (rng.random((7, 2, 3)) < 0.5) * (1.0 if binary else rng.random((7, 2, 3)))
    traces = forward(network, x)
    found = effort_of_traces(network, x, traces, Backprop(surrogate=surrogate))
    back = backward_counts(network, x, traces, surrogate)
    given, n = x, x.shape[1]
    for layer, counts, trace, (dense, macs, acs) in zip(
        network.layers, found.layers, traces, back, strict=True
    ):
        *forward_ops, spikes = forward_counts(layer, given, trace.output)
        assert tuple(counts.forward) == pytest.approx([c / n for c in forward_ops], rel=1e-14)
        assert counts.spikes == spikes / n
        wanted = (dense / n, macs / n, acs / n, counts.forward.state_updates)
        assert tuple(counts.backward) == pytest.approx(wanted, rel=1e-14)
        given = trace.output
    assert found.spikes == sum(layer.spikes for layer in found.layers)
    if network.spiking and name != "mixed":
        assert found.forward.acs > 0 and found.spikes > 0


def test_a_cut_off_spares_work_on_the_way_back():
    network = NETWORKS["recurrent"]()
    x = (np.random.default_rng(0).random((20, 4, 3)) < 0.3).astype(float)
    traces = forward(network, x)
    near = effort_of_traces(network, x, traces, Backprop(surrogate=sp.Boxcar(5.0))).backward
    every = effort_of_traces(network, x, traces, Backprop()).backward
    assert near.dense == every.dense and near.macs < 0.8 * every.macs


def test_pieces_change_no_count(monkeypatch):
    network = NETWORKS["exponential"]()
    encoder = RateEncoder(20.0, 300.0, "poisson", low=0.0, high=1.0)
    features = np.random.default_rng(0).random((7, 3))
    features[0] = [0.0, 1.0, 1.0]  # Binary alone, not with the others.
    rate, rule = NETWORKS["rate"](), Backprop(surrogate=sp.Boxcar())
    whole = [effort(rate, features, rule=rule)]
    monkeypatch.setattr(operations, "_AT_ONCE", 1)
    pieces = [effort(rate, features, rule=rule)]
    spikes = effort(network, features, encoder=encoder, seed=3)
    assert pieces == whole
    # A stochastic encoder draws piece by piece, as in predictions.
    x = np.concatenate(
        [encoder.encode(features[i : i + 1], dt=1.0, rng=rng) for rng in [np.random.default_rng(3)]
         for i in range(7)], axis=1,
    )  # fmt: skip
    assert spikes == effort_of_traces(network, x, forward(network, x))


def continuous(recurrent):
    network = sp.dense(
        [3, 4, 2], LIF, synapse=EXPONENTIAL, gain=16.0, recurrent=recurrent, continuous=True, rng=5
    )
    driven = [layer.updated(bias=np.full(layer.n_post, 1.2)) for layer in network.layers]
    return thinned(network.updated(driven), np.random.default_rng(1))


@pytest.mark.parametrize("recurrent", [False, True])
def test_counts_in_continuous_time_go_with_events(recurrent):
    network = continuous(recurrent)
    table = np.random.default_rng(0).random((5, 3)) * 20.0
    table[0, 1] = np.inf
    x = SpikeTimes.from_table(table, 30.0)
    traces = forward(network, x)
    found = effort_of_traces(network, x, traces, Backprop())
    before = x
    assert found.duration == 30.0 and found.input_spikes == 14 / 5 and found.backward is None
    for layer, counts, trace in zip(network.layers, found.layers, traces, strict=True):
        acs = sum(np.count_nonzero(layer.w[i]) for i in before.units)
        if layer.w_rec is not None:
            acs += sum(np.count_nonzero(layer.w_rec[i]) for i in trace.units)
        n_weights = layer.w.size + (0 if layer.w_rec is None else layer.w_rec.size)
        wanted = (30 * n_weights, 0.0, acs / 5, 2 * (acs + len(trace.times)) / 5)
        assert tuple(counts.forward) == pytest.approx(wanted, rel=1e-14)
        assert counts.spikes == len(trace.times) / 5
        before = trace
    assert all(layer.spikes > 0 for layer in found.layers)


def test_units_that_fire_once_are_counted_too():
    once = sp.LIF(10.0, 10.0, 0.0, 1.0, 0.0, 100.0)
    network = sp.dense([3, 4, 2], once, synapse=EXPONENTIAL, gain=5.0, continuous=True, rng=5)
    encoder = LatencyEncoder(30.0, 20.0, low=0.0, high=1.0)
    found = effort(network, np.random.default_rng(0).random((5, 3)), encoder=encoder)
    assert found.input_spikes == 3.0 and found.layers[0].forward.acs == 12.0
    assert 0.0 < found.layers[0].spikes <= 4.0


def test_energy_by_hand():
    relu = sp.LayeredNetwork([sp.Layer([[1.0], [0.0]], sp.ReLU())])
    values = effort(relu, [[0.5, 2.0], [0.0, 2.0]])
    assert tuple(values.forward) == (2.0, 0.5, 0.0, 0.0)
    assert values.energy == pytest.approx(0.5 * 4.6)
    # Seven spikes a sample over the only weight, 10 steps of one potential.
    lif = sp.LayeredNetwork([sp.Layer([[0.1]], LIF)])
    trains = np.tile([1.0] * 7 + [0.0] * 3, (4, 1))
    spikes = effort(lif, trains, encoder=SpikeTrains(1))
    assert tuple(spikes.forward) == (10.0, 0.0, 7.0, 10.0)
    assert spikes.energy == pytest.approx(7 * 0.9 + 10 * 4.6)
    assert spikes.duration == 10.0 and spikes.spike_rate == pytest.approx(700.0)


def test_at_the_break_even_rate_energies_are_equal():
    lif = sp.dense([3, 20, 2], LIF, gain=3.0, bias_sd=0.5, rng=1)
    trains = (np.random.default_rng(0).random((6, 30)) < 0.3).astype(float)
    spikes = effort(lif, trains, encoder=SpikeTrains(3))
    relu = effort(sp.dense([3, 400, 2], sp.ReLU(), rng=1), np.random.default_rng(0).random((6, 3)))
    rate = spikes.break_even_rate(relu)
    assert rate > 0.0
    assert (rate > spikes.spike_rate) == (spikes.energy < relu.energy)
    at_rate = spikes.forward._replace(acs=spikes.forward.acs * rate / spikes.spike_rate)
    assert at_rate.energy == pytest.approx(relu.energy)
    tiny = effort(sp.dense([3, 2], sp.ReLU(), rng=1), [[0.5, 0.5, 0.5]])
    assert spikes.break_even_rate(tiny) == 0.0
    with pytest.raises(ParameterError, match="Effort.break_even_rate is of networks"):
        relu.break_even_rate(spikes)
    with pytest.raises(ParameterError, match="Effort.spike_rate is of networks"):
        _ = relu.spike_rate


def test_training_is_samples_times_both_ways():
    data = sp.datasets.xor()
    network = sp.dense([2, 4, 1], sp.Sigmoid(), rng=0)
    result = sp.fit(network, Backprop(), data.features, data.labels, epochs=3, batch_size=3, seed=0)
    took = training_effort(result, data.features)
    each = effort(result.network, data.features, rule=result.rule)
    assert (took.samples, took.updates, took.parameter_updates) == (12, 6, 6 * 17)
    assert took.forward == each.forward.times(12) and took.backward == each.backward.times(12)
    wanted = 12 * (each.energy + each.backward.energy) + 4.6 * 6 * 17
    assert took.energy == pytest.approx(wanted)
    local = sp.fit(
        sp.dense([2, 1], sp.Step(), rng=0), Perceptron(), data.features, data.labels, epochs=2
    )
    took = training_effort(local, data.features)
    assert took.backward is None and (took.samples, took.updates) == (8, 2)
    assert took.energy == pytest.approx(took.forward.energy + 4.6 * took.parameter_updates)


def test_bad_arguments_are_named():
    network = NETWORKS["rate"]()
    with pytest.raises(ParameterTypeError, match="effort.network must be a LayeredNetwork"):
        effort("network", [[1.0]])
    with pytest.raises(ParameterError, match="effort.features"):
        effort(network, [1.0, 2.0])
    with pytest.raises(ParameterError, match="effort_of_traces.traces must be one for each"):
        effort_of_traces(network, np.zeros((1, 1, 3)), ())
    with pytest.raises(ParameterTypeError, match="training_effort.result must be a FitResult"):
        training_effort(network, [[1.0]])
    with pytest.raises(ParameterTypeError, match="did you mean 'encoder'"):
        effort(network, [[1.0, 2.0, 3.0]], encodr=None)
