"""Robustness: perturbations do what they say and no more, and curves of trained networks fall."""

import dataclasses
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import config

import spikesim as sp
from spikesim.comparison import PERTURBATIONS, Curve, robustness, robustness_curves
from spikesim.comparison import perturbations as p
from spikesim.encoding import Analog, LatencyEncoder, RateEncoder, SpikeTrains
from spikesim.errors import ParameterError, ParameterTypeError
from spikesim.layered import SpikeTimes, forward
from spikesim.learning import Adam, Backprop, SpikeCount

LIF = sp.LIF.normalised(10.0)
EXPONENTIAL = sp.Exponential(5.0)
N_DRAWS = 3 if config.DISABLE_JIT else 20
ON_NETWORKS = ["weight_noise", "dead_units", "quantisation", "tau_mismatch", "threshold_noise"]
ON_INPUTS = ["spike_jitter", "spike_deletion"]


def network_of(kind):
    make = {
        "rate": lambda: sp.dense([4, 6, 3], sp.Sigmoid(), bias_sd=0.5, rng=1),
        "recurrent": lambda: sp.dense([4, 6, 3], LIF, recurrent=True, bias_sd=0.5, rng=1),
        "single": lambda: sp.dense(
            [4, 6, 5, 3], LIF, output=sp.LIF.non_spiking(), synapse=EXPONENTIAL,
            precision="single", rng=1,
        ),
        "units": lambda: sp.dense([4, 6, 3], sp.LIF(), synapse=EXPONENTIAL, gain=900.0, rng=1),
        "continuous": lambda: sp.dense(
            [4, 6, 3], LIF, synapse=EXPONENTIAL, continuous=True, rng=1
        ),
    }  # fmt: skip
    return make[kind]()


def arrays_of(network):
    """Return all that a perturbation may change, by name."""
    found = {}
    for index, layer in enumerate(network.layers):
        for name in ("w", "bias", "w_rec", "steepness", "delay"):
            if getattr(layer, name) is not None:
                found[index, name] = np.asarray(getattr(layer, name))
        if layer.neuron.spiking:
            for name in ("tau_m", "c_m", "v_rest", "v_th", "v_reset", "t_ref", "i_ext"):
                value = np.broadcast_to(getattr(layer.neuron, name), layer.n_post)
                found[index, name] = np.array(value)
            found[index, "tau_syn"] = np.asarray(getattr(layer.synapse, "tau_syn", 0.0))
    return found


def same(a, b):
    a, b = arrays_of(a), arrays_of(b)
    assert a.keys() == b.keys()
    return all(a[k].dtype == b[k].dtype and np.array_equal(a[k], b[k]) for k in a)


def applied(kind, given, strength, seed):
    perturbation = PERTURBATIONS[kind]
    extra = (np.random.default_rng(seed),) if perturbation.draws else ()
    return perturbation.apply(given, strength, *extra)


NETWORKS = ["rate", "recurrent", "single", "units", "continuous"]


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("kind", ON_NETWORKS)
def test_a_network_perturbed_by_nothing_is_the_same_to_the_bit(kind, name):
    network = network_of(name)
    assert same(applied(kind, network, PERTURBATIONS[kind].strengths[0], 1), network)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("kind", ON_NETWORKS)
def test_a_seed_gives_the_same_perturbation_and_the_network_stays(kind, name):
    network, strength = network_of(name), PERTURBATIONS[kind].strengths[-1]
    once, again = (applied(kind, network, strength, 3) for _ in range(2))
    assert same(once, again) and same(network, network_of(name))
    assert not same(once, network)
    assert once.precision == network.precision and once.continuous == network.continuous
    if PERTURBATIONS[kind].draws:
        assert not same(once, applied(kind, network, strength, 4))
    forward(once, np.eye(4)[np.newaxis].repeat(10, axis=0))


@st.composite
def trains(draw):
    shape = tuple(draw(st.integers(1, n)) for n in (12, 3, 4))
    seed, density = draw(st.integers(0, 99)), draw(st.sampled_from([0.0, 0.2, 0.7, 1.0]))
    return (np.random.default_rng(seed).random(shape) < density).astype(float)


def times_of(x):
    return SpikeTimes.from_grid(x, 1.0)


@settings(max_examples=40, deadline=None)
@given(trains(), st.sampled_from(ON_INPUTS), st.integers(0, 9))
def test_inputs_are_perturbed_by_the_seed_and_never_by_nothing(x, kind, seed):
    before, strength = x.copy(), PERTURBATIONS[kind].strengths[-1]
    assert np.array_equal(applied(kind, x, 0.0, seed), x)
    found = applied(kind, x, strength, seed)
    assert np.array_equal(found, applied(kind, x, strength, seed)) and np.array_equal(x, before)
    assert found.shape == x.shape and set(np.unique(found)) <= {0.0, 1.0}
    if kind == "spike_deletion":
        assert np.all(found <= x) and not applied(kind, x, 1.0, seed).any()
    else:
        # Each line has some of its spikes left, and never more.
        assert np.all(found.sum(axis=0) <= x.sum(axis=0))
        assert np.array_equal(found.any(axis=0), x.any(axis=0))
    times = times_of(x)
    unmoved, moved = applied(kind, times, 0.0, seed), applied(kind, times, strength, seed)
    for field in ("times", "units", "starts"):
        assert np.array_equal(getattr(unmoved, field), getattr(times, field))
    counts = np.diff(moved.starts)
    assert np.all(counts <= np.diff(times.starts))
    assert kind == "spike_deletion" or np.array_equal(counts, np.diff(times.starts))


def test_stronger_is_the_same_and_more():
    x = np.ones((20, 5, 4))
    kept = [p.spike_deletion(x, s, 7) for s in (0.1, 0.3, 0.6)]
    assert np.all(kept[0] >= kept[1]) and np.all(kept[1] >= kept[2])
    assert 0.3 < kept[2].mean() < 0.5
    network = sp.dense([4, 10, 3], LIF, rng=1)
    few, many = (p.dead_units(network, s, 7).layers[1].w == 0.0 for s in (0.2, 0.5))
    assert np.all(few <= many) and few.all(axis=1).sum() == 2 and many.all(axis=1).sum() == 5
    weak, strong = (p.weight_noise(network, s, 7).layers[0].w for s in (0.1, 0.2))
    w = network.layers[0].w
    assert strong - w == pytest.approx(2.0 * (weak - w))


def test_dead_units_reach_nobody():
    network = sp.dense([4, 8, 3], LIF, recurrent=True, gain=3.0, bias_sd=1.0, rng=1)
    x = (np.random.default_rng(0).random((30, 5, 4)) < 0.5).astype(float)
    lesioned = p.dead_units(network, 0.5, 1)
    dead = np.flatnonzero((lesioned.layers[1].w == 0.0).all(axis=1))
    assert len(dead) == 4 and np.array_equal(lesioned.layers[0].w, network.layers[0].w)
    # The same network without these units answers alike.
    alive = np.setdiff1d(np.arange(8), dead)
    first, last = network.layers
    recurrent = first.w_rec[np.ix_(alive, alive)]
    smaller = sp.LayeredNetwork(
        [
            sp.Layer(first.w[:, alive], LIF, first.bias[alive], w_rec=recurrent),
            dataclasses.replace(last, w=last.w[alive]),
        ]
    )
    a, b = forward(lesioned, x), forward(smaller, x)
    assert a[1].output.sum() > 0 and np.array_equal(a[1].output, b[1].output)
    everybody = p.dead_units(network, 1.0, 1)
    assert not everybody.layers[1].w.any() and not everybody.layers[0].w_rec.any()


@given(st.integers(1, 10), st.integers(0, 20))
@settings(max_examples=30, deadline=None)
def test_quantised_weights_are_few_even_and_near(bits, seed):
    network = sp.dense([5, 7, 3], sp.Sigmoid(), rng=seed)
    for layer, old in zip(p.quantised(network, bits).layers, network.layers, strict=True):
        levels = np.unique(layer.w)
        assert len(levels) <= 2**bits
        if bits == 1:
            assert np.array_equal(np.sign(layer.w), np.sign(old.w))
            assert np.abs(layer.w) == pytest.approx(np.abs(old.w).mean())
            continue
        step = np.abs(old.w).max() / (2 ** (bits - 1) - 1)
        assert np.max(np.abs(layer.w - old.w)) <= step / 2 * (1 + 1e-9)
        assert levels / step == pytest.approx(np.rint(levels / step), abs=1e-9)
        assert np.abs(layer.w).max() == pytest.approx(np.abs(old.w).max())
    none = sp.LayeredNetwork([sp.Layer(np.zeros((2, 2)), sp.ReLU())])
    assert same(p.quantised(none, bits), none)


def test_time_constants_and_thresholds_are_off_by_as_much_as_they_say():
    network = sp.dense([2, 4000, 1], sp.LIF(), synapse=EXPONENTIAL, rng=1)
    layer = p.tau_mismatch(network, 0.2, 1).layers[0]
    factor = layer.neuron.tau_m / 10.0
    assert 0.8 <= factor.min() < 0.801 and 1.199 < factor.max() <= 1.2
    assert layer.neuron.c_m == 250.0 and 4.0 <= layer.synapse.tau_syn <= 6.0
    layer = p.threshold_noise(network, 0.1, 1).layers[0]
    assert np.std(np.log((layer.neuron.v_th + 65.0) / 15.0)) == pytest.approx(0.1, rel=0.05)
    rate = sp.dense([2, 4000, 1], sp.Sigmoid(2.0), rng=1)
    layer = p.tau_mismatch(rate, 0.2, 1).layers[0]
    assert 1.6 <= layer.steepness.min() < 1.602 and 2.398 < layer.steepness.max() <= 2.4
    assert np.std(p.threshold_noise(rate, 0.1, 1).layers[0].bias) == pytest.approx(0.1, rel=0.05)


@pytest.mark.parametrize("synapse", [sp.Delta(), EXPONENTIAL], ids=["delta", "exponential"])
def test_another_time_step_keeps_the_physics(synapse):
    neuron = sp.LIF(t_ref=2.0)
    gain = 10.0 if synapse is not EXPONENTIAL else 900.0
    network = sp.dense([3, 5, 2], neuron, synapse=synapse, recurrent=True, gain=gain, rng=3)
    x = (np.random.default_rng(1).random((60, 4, 3)) < 0.3).astype(float)
    coarse = forward(network, x)
    fine = p.with_time_step(network, 0.5)
    assert fine.dt == 0.5 and fine.layers[0].delay == 1.0 and fine.layers[0].delay_rec == 1.0
    found = forward(fine, p.on_time_step(x, 0.5))
    assert coarse[0].output.sum() > 10
    # Exact on every grid: as long as no spike falls between coarse steps all is the same there.
    subthreshold = network.updated(
        [dataclasses.replace(a, neuron=neuron.replaced(v_th=np.inf)) for a in network.layers]
    )
    v = forward(subthreshold, x)[0].v
    v_fine = forward(p.with_time_step(subthreshold, 0.5), p.on_time_step(x, 0.5))[0].v
    # x[k] is stamped with step k + 1, half a coarse step earlier on the fine grid.
    assert v_fine[2::2][: len(v) - 1] == pytest.approx(v[1:], abs=1e-9) and np.ptp(v) > 5.0
    assert abs(found[0].output.sum() / coarse[0].output.sum() - 1.0) < 0.3
    twice = p.with_time_step(network, 2.0)
    assert twice.dt == 2.0 and twice.layers[0].delay == 2.0
    assert p.with_time_step(network, 1.0) is network
    late = network.updated(
        [dataclasses.replace(a, delay=np.full(a.n_pre, 1.5)) for a in network.layers]
    )
    kept = p.with_time_step(late, 2.0).layers[0].delay
    assert np.array_equal(kept, np.full(3, 2.0 if isinstance(synapse, sp.Delta) else 1.5))


def test_trains_go_to_the_nearest_step_of_another_grid():
    x = np.zeros((5, 1, 1))
    x[[0, 3, 4]] = 1.0
    fine = p.on_time_step(x, 0.1)
    assert len(fine) == 50 and np.array_equal(np.flatnonzero(fine), [0, 30, 40])
    coarse = p.on_time_step(x, 2.0)
    assert len(coarse) == 3 and np.array_equal(np.flatnonzero(coarse), [0, 2])
    assert np.array_equal(p.on_time_step(x, 1.0), x)


@cache
def trained():
    """A network that tells two flowers apart; small enough to run without the compiler."""
    data = sp.datasets.iris()
    x, y = data.features[50::4], data.labels[50::4] - 1
    encoder = LatencyEncoder(12.0, 8.0, bias_spike=True)
    network = sp.dense([5, 8, 2], LIF, synapse=EXPONENTIAL, gain=8.0, bias_sd=0.2, rng=2)
    rule = Backprop(optimiser=Adam(0.05), readout=SpikeCount())
    result = sp.fit(
        network, rule, x, y, encoder=encoder, epochs=25, batch_size=5, seed=0, warn=False
    )
    return result, x, y


def curves(**options):
    result, x, y = trained()
    return robustness(
        result.network, x, y, encoder=result.encoder, readout=result.readout, **options
    )


def test_curves_of_a_trained_network_fall():
    result, x, y = trained()
    whole = result.score(x, y)
    assert whole > 0.85
    found = curves(
        kinds={
            "weight_noise": [0.0, 0.3, 3.0],
            "dead_units": [0.0, 0.5, 1.0],
            "quantisation": [0, 8, 1],
            "spike_jitter": [0.0, 3.0, 20.0],
            "spike_deletion": [0.0, 0.3, 1.0],
            "tau_mismatch": [0.0, 0.9],
            "threshold_noise": [0.0, 0.3, 2.0],
            "time_step": [1.0, 0.5, 2.0],
        },
        n_draws=N_DRAWS,
    )
    for kind, curve in found.items():
        assert np.all(curve.accuracy[0] == whole), kind
        assert curve.accuracy.shape[1] == (N_DRAWS if PERTURBATIONS[kind].draws else 1)
    for kind in ("weight_noise", "dead_units", "spike_jitter", "spike_deletion", "threshold_noise"):
        mean = found[kind].mean
        assert mean[0] >= mean[1] >= mean[2] and mean[2] < whole - 0.2, (kind, mean)
    # Without spikes all samples are answered alike.
    assert np.all(found["spike_deletion"].accuracy[2] == np.mean(y == 0))
    assert found["quantisation"].mean[1] > whole - 0.1
    assert found["quantisation"].mean[2] < whole
    for step, mean in zip([0.5, 2.0], found["time_step"].mean[1:], strict=True):
        other = p.with_time_step(result.network, step)
        assert mean == sp.evaluate(other, result.readout, x, y, encoder=result.encoder)


def test_draws_are_paired_and_repeat():
    kinds = {"weight_noise": [0.0, 0.5], "spike_deletion": [0.4]}
    once = curves(kinds=kinds, n_draws=3, seed=5)
    more = {"spike_deletion": [0.2, 0.4], "dead_units": [0.5], "weight_noise": [0.5]}
    again = curves(kinds=more, n_draws=3, seed=5)
    assert np.array_equal(once["weight_noise"].accuracy[1], again["weight_noise"].accuracy[0])
    assert np.array_equal(once["spike_deletion"].accuracy[0], again["spike_deletion"].accuracy[1])
    other = curves(kinds=kinds, n_draws=3, seed=6)
    assert not np.array_equal(once["weight_noise"].accuracy, other["weight_noise"].accuracy)


def test_the_network_is_perturbed_alike_for_all_samples(monkeypatch):
    kinds = {"weight_noise": [0.0, 0.5], "quantisation": [2], "time_step": [0.5]}
    whole = curves(kinds=kinds, n_draws=3)
    monkeypatch.setattr(robustness_curves, "_AT_ONCE", 7)
    pieces = curves(kinds=kinds, n_draws=3)
    for kind in kinds:
        assert np.array_equal(whole[kind].accuracy, pieces[kind].accuracy)


def test_areas_are_mean_heights():
    curve = Curve("weight_noise", np.array([0.4, 0.0, 0.2]), np.array([[0.5], [1.0], [0.8]]))
    assert curve.area == pytest.approx((0.9 * 0.2 + 0.65 * 0.2) / 0.4)
    bits = Curve("quantisation", np.array([0.0, 4.0, 1.0]), np.array([[1.0], [0.8], [0.4]]))
    assert bits.area == pytest.approx(0.25 * 0.9 + 0.75 * 0.6)
    steps = Curve("time_step", np.array([1.0, 0.25, 4.0]), np.array([[1.0], [0.5], [0.0]]))
    assert steps.area == pytest.approx(0.5 * 0.75 + 0.5 * 0.5)
    single = Curve("weight_noise", np.array([0.2]), np.array([[0.8, 0.6]]))
    assert single.areas == pytest.approx([0.8, 0.6])


def test_what_cannot_be_done_is_left_out_or_refused():
    x, y = np.random.default_rng(0).random((4, 2)), [0, 1, 0, 1]
    rate = sp.dense([2, 3, 1], sp.Sigmoid(), rng=1)
    found = robustness(rate, x, y, n_draws=1)
    assert list(found) == ON_NETWORKS
    with pytest.raises(ParameterError, match="'spike_jitter' cannot be done"):
        robustness(rate, x, y, kinds=["spike_jitter"])
    assert "dead_units" not in robustness(sp.dense([2, 1], sp.Step(), rng=1), x, y, n_draws=1)
    encoder = LatencyEncoder(20.0, 10.0, low=0.0, high=1.0)
    timed = sp.dense([2, 3, 2], LIF, synapse=EXPONENTIAL, continuous=True, rng=1)
    found = robustness(timed, x, y, encoder=encoder, n_draws=1)
    assert list(found) == [kind for kind in PERTURBATIONS if kind != "time_step"]
    trains = (x[:, [0, 1] * 10] < 0.5).astype(float)
    spiking = sp.dense([2, 3, 2], LIF, rng=1)
    found = robustness(spiking, trains, y, encoder=SpikeTrains(2), n_draws=1)
    assert list(found) == list(PERTURBATIONS)
    poisson = RateEncoder(20.0, 100.0, "poisson", low=0.0, high=1.0)
    found = robustness(spiking, x, y, encoder=poisson, n_draws=2, kinds={"weight_noise": [0.0]})
    assert np.ptp(found["weight_noise"].accuracy) == 0.0


def test_bad_arguments_are_named():
    x, y = np.random.default_rng(0).random((4, 2)), [0, 1, 0, 1]
    rate = sp.dense([2, 3, 1], sp.Sigmoid(), rng=1)

    def refused(match, error=ParameterError, **options):
        with pytest.raises(error, match=match):
            robustness(rate, x, y, **options)

    refused("did you mean 'weight_noise'", kinds=["weight_nose"])
    refused("robustness.kinds must be names", ParameterTypeError, kinds="weight_noise")
    refused(r"robustness.kinds\['weight_noise'\] must hold", kinds={"weight_noise": []})
    refused("weight_noise.strength must be at least 0", kinds={"weight_noise": [-1.0]})
    refused("dead_units.strength must lie in", kinds={"dead_units": [1.5]})
    refused("must be an integer", ParameterTypeError, kinds={"quantisation": [2.5]})
    refused("robustness.n_draws", n_draws=0)
    refused("robustness.readout", ParameterTypeError, readout=SpikeCount)
    refused("robustness.encoder", ParameterTypeError, encoder=Analog)
    with pytest.raises(ParameterTypeError, match="weight_noise.network must be"):
        p.weight_noise("network", 0.1)
    with pytest.raises(ParameterError, match="with_time_step.network must have spiking units"):
        p.with_time_step(rate, 2.0)
    with pytest.raises(ParameterError, match=r"spike_deletion.x\[0, 0, 0\] is 0.5"):
        p.spike_deletion(np.full((1, 1, 1), 0.5), 0.1, 1)
