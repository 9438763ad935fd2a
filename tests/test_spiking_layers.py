"""Spikes as bits, rows in order, parts on threads, either precision, learnt units."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numba import config

import spikesim as sp
from spikesim.layered import (
    Layer,
    LayeredNetwork,
    PackedSpikes,
    SpikingTrace,
    Trace,
    backward,
    forward,
    lif,
    threads,
)  # fmt: skip
from spikesim.layered.packed import listed
from spikesim.layered.rows import add_listed, add_weighted, add_weighted_to_four, dot
from spikesim.learning import Adam, Backprop, SpikeCount, check_gradient, fit
from spikesim.surrogates import FastSigmoid, Truncated
from spikesim.synapses import Delta, Exponential

SMALL = config.DISABLE_JIT


def spikes(n_steps=25, n_trials=70, n_units=70, share=0.1, seed=0):
    if SMALL:
        n_steps, n_trials = 8, 33
    rng = np.random.default_rng(seed)
    return (rng.random((n_steps, n_trials, n_units)) < share) * 1.0


def network(n_inputs=70, synapse=None, recurrent=True, precision="double", t_ref=2.0, **options):
    synapse = Exponential(4.0) if synapse is None else synapse
    gain = 4.0 if isinstance(synapse, Delta) else 25.0
    neuron = sp.LIF.normalised(8.0, t_ref)
    return sp.dense(
        [n_inputs, 66, 3], neuron, synapse=synapse, recurrent=recurrent, gain=gain, rng=1,
        precision=precision, **options,
    )  # fmt: skip


def all_gradients(net, x, surrogate=None, traces=None, **options):
    traces = forward(net, x) if traces is None else traces
    upstream = np.random.default_rng(3).standard_normal(traces[-1].output.shape)
    surrogate = FastSigmoid(2.0) if surrogate is None else surrogate
    return backward(net, x, traces, upstream, None, surrogate=surrogate, **options)


def see_that_bits_are_equal(one, other):
    for a, b in zip(one, other, strict=True):
        assert a.keys() == b.keys()
        for name in a:
            assert a[name].tobytes() == b[name].tobytes(), name


@pytest.mark.parametrize("n_units", [1, 63, 64, 65, 130])
def test_packing_and_unpacking(n_units):
    x = spikes(5, 4, n_units, 0.4)
    packed = PackedSpikes.pack(x)
    assert packed.shape == x.shape and len(packed) == len(x)
    np.testing.assert_array_equal(packed.unpack(), x)
    np.testing.assert_array_equal(np.asarray(packed), x)
    assert packed.unpack(np.float32).dtype == np.float32
    assert packed.n_spikes == x.sum() and packed.density == pytest.approx(x.mean())
    order = np.array([2, 0, 2])
    np.testing.assert_array_equal(packed.take(order).unpack(), x[:, order])
    units = np.empty(192, np.int64)
    n = listed(packed.bits[1, 2], units)
    assert units[:n].tolist() == np.flatnonzero(x[2, 1]).tolist()


@pytest.mark.parametrize("other", [0.5, 2.0, -1.0])
def test_only_zeros_and_ones_are_packed(other):
    x = spikes(4, 3, 5)
    x[2, 1, 3] = other
    with pytest.raises(ValueError, match=r"PackedSpikes\.x must hold zeros and ones only"):
        PackedSpikes.pack(x)


@pytest.mark.parametrize("n", range(7))
def test_rows_are_added_in_their_order(n):
    rng = np.random.default_rng(n)
    rows, weights = rng.standard_normal((9, 5)), rng.standard_normal((4, n))
    start = rng.standard_normal((4, 5))
    units = rng.integers(0, 9, n)
    total = start[0].copy()
    add_listed(rows, units, n, total)
    expected = start[0].copy()
    for unit in units:
        expected = expected + rows[unit]
    assert total.tobytes() == expected.tobytes()
    totals, expected = start.copy(), start.copy()
    add_weighted_to_four(weights, rows[:n], totals)
    for r in range(4):
        for m in range(n):
            expected[r] = expected[r] + weights[r, m] * rows[m]
    assert totals.tobytes() == expected.tobytes()
    total = start[1].copy()
    add_weighted(weights[1], rows[:n], total)
    assert total.tobytes() == expected[1].tobytes()


def test_the_product_of_two_rows():
    a, b = np.random.default_rng(0).standard_normal((2, 33))
    assert dot(a, b) == pytest.approx(float(a @ b), rel=1e-13)


@pytest.mark.parametrize("precision", ["double", "single"])
def test_the_number_of_threads_changes_no_bit(monkeypatch, precision):
    x, net = spikes(), network(precision=precision)
    monkeypatch.setattr(threads, "_WORTH_THREADS", 0)
    found = []
    for n in (1, 2, 5):
        monkeypatch.setattr(threads, "_n_threads", lambda n=n: n)
        monkeypatch.setattr(threads, "_pool", None)
        traces = forward(net, x)
        found.append((traces, all_gradients(net, x, traces=traces)))
    for traces, gradients in found[1:]:
        see_that_bits_are_equal(gradients, found[0][1])
        for ours, theirs in zip(traces, found[0][0], strict=True):
            assert ours.v_free.tobytes() == theirs.v_free.tobytes()


@pytest.mark.parametrize("share", [0.05, 0.5])
@pytest.mark.parametrize("synapse", [Delta(), Exponential(4.0)])
def test_rows_for_spikes_and_whole_products_give_equal_bits(monkeypatch, share, synapse):
    x, net = spikes(share=share), network(synapse=synapse)
    found = []
    for dense_from in (2.0, 0.0):
        monkeypatch.setattr(lif, "DENSE_FROM", dense_from)
        traces = forward(net, x)
        found.append([traces[0].v_free, *(a for g in all_gradients(net, x) for a in g.values())])
    for one, other in zip(*found, strict=True):
        # Trials are added one by one to a gradient, or four lines at a time: in the same order.
        assert one.tobytes() == other.tobytes()


def test_a_trial_has_the_same_bits_in_any_company():
    x, net = spikes(), network()
    together = forward(net, x)[1].v
    for trials in ([0], [3, 1, 0, 2, 7], range(5, 14)):
        trials = list(trials)
        np.testing.assert_array_equal(forward(net, x[:, trials])[1].v, together[:, trials])


@pytest.mark.parametrize("synapse", [Delta(), Exponential(4.0)])
def test_graded_input_of_ones_is_spikes(synapse):
    x, net = spikes(), network(synapse=synapse)
    graded = x.copy()
    graded[0, -1, 0] = 0.5
    one, other = forward(net, x)[0], forward(net, graded)[0]
    assert isinstance(one, SpikingTrace)
    np.testing.assert_array_equal(one.v[:, :-1], other.v[:, :-1])
    assert not np.array_equal(one.v[:, -1], other.v[:, -1])


@pytest.mark.parametrize("recurrent", [False, True])
def test_a_dense_trace_has_the_same_gradients(recurrent):
    x, net = spikes(), network(recurrent=recurrent)
    layers = [
        dataclasses.replace(layer, trainable=(*layer.trainable, "tau_m", "tau_syn", "v_th"))
        for layer in net.layers
    ]
    net = LayeredNetwork(layers)
    traces = forward(net, x)
    dense = [Trace(t.output, t.v, t.held) for t in traces]
    for ours, theirs in zip(
        all_gradients(net, x, detach_reset=False),
        all_gradients(net, x, traces=dense, detach_reset=False),
        strict=True,
    ):
        assert {"log_tau_m", "log_tau_syn", "v_th"} < ours.keys()
        for name, array in ours.items():
            np.testing.assert_allclose(array, theirs[name], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("surrogate", [FastSigmoid(2.0), Truncated(FastSigmoid(2.0), 0.2)])
def test_single_precision_is_double_but_for_rounding(surrogate):
    x = spikes()
    double, single = network(), network(precision="single")
    a, b = forward(double, x), forward(single, x)
    assert b[0].v.dtype == b[0].output.dtype == np.float32
    assert np.array_equal(a[0].output, b[0].output) and a[0].output.any()
    np.testing.assert_allclose(a[1].v, b[1].v, atol=1e-4)
    for ours, theirs in zip(
        all_gradients(single, x, surrogate), all_gradients(double, x, surrogate), strict=True
    ):
        for name, array in ours.items():
            assert array.dtype == np.float32
            scale = np.abs(theirs[name]).max()
            np.testing.assert_allclose(array, theirs[name], rtol=1e-3, atol=1e-4 * scale)


def test_weights_beyond_single_precision_are_refused():
    layer = Layer(np.full((2, 1), 1e300), sp.LIF.normalised())
    with pytest.raises(ValueError, match=r"Layer\.w has values beyond single precision"):
        LayeredNetwork([layer], precision="single")


@pytest.mark.parametrize("synapse", [Delta(), Exponential(4.0)])
@pytest.mark.parametrize("reset", ["to_potential", "subtract"])
@pytest.mark.parametrize("detach", [True, False])
def test_gradients_by_time_constants_and_thresholds(synapse, reset, detach):
    rng = np.random.default_rng(3)
    delta = isinstance(synapse, Delta)
    gain = 4.0 if delta else 25.0
    names = ("w", "w_rec", "tau_m", "v_th", *(() if delta else ("tau_syn",)))
    hidden = sp.LIF(
        rng.uniform(5.0, 15.0, 4), 10.0, 0.0, rng.uniform(0.8, 1.2, 4), -0.1, 2.0, 0.1, 0.05,
        reset=reset,
    )  # fmt: skip
    layers = [
        Layer(
            rng.normal(0.1, 0.5, (3, 4)) * gain, hidden, rng.normal(0.0, 0.1, 4), synapse,
            rng.normal(0.0, 0.2, (4, 4)) * gain, trainable=names,
        ),
        Layer(
            rng.normal(0.1, 0.5, (4, 2)) * gain,
            sp.LIF(8.0, 10.0, 0.0, 1.0, -0.1, 0.0, reset=reset), None, synapse,
            trainable=[name for name in names if name != "w_rec"],
        ),
    ]  # fmt: skip
    x = spikes(8 if SMALL else 20, 3, 3, 0.3)
    rule = Backprop(readout=SpikeCount(), surrogate=FastSigmoid(2.0), detach_reset=detach)
    check = check_gradient(LayeredNetwork(layers), rule, x, np.arange(x.shape[1]) % 2)
    assert check.max_relative_error < 1e-8
    for name in ("log_tau_m", "v_th"):
        assert all(np.abs(arrays[name]).max() > 0.0 for arrays in check.analytic)


def test_time_constants_and_thresholds_are_learnt():
    data = sp.datasets.iris()
    encoder = sp.encoding.PopulationEncoder(n_fields=4, duration=20.0, t_max=12.0)
    net = sp.dense(
        [16, 8, 3], sp.LIF.normalised(8.0), synapse=Exponential(4.0), gain=15.0, bias_sd=0.3, rng=0
    )
    before = LayeredNetwork(
        [dataclasses.replace(a, trainable=("tau_m", "tau_syn", "v_th")) for a in net.layers]
    )
    result = fit(
        before, Backprop(readout=SpikeCount(), optimiser=Adam(0.02)), data.features[::5],
        data.labels[::5], encoder=encoder, epochs=3 if SMALL else 60, seed=1, warn=False,
    )  # fmt: skip
    first, hidden = before.layers[0], result.network.layers[0]
    assert np.array_equal(first.w, hidden.w)
    assert not np.array_equal(first.parameters()["log_tau_m"], hidden.parameters()["log_tau_m"])
    assert hidden.neuron.tau_m.shape == hidden.neuron.v_th.shape == (8,)
    assert hidden.synapse.tau_syn != 4.0
    assert result.history.loss[-1] < (1.0 if SMALL else 0.8) * result.history.loss[0]


@pytest.mark.parametrize(
    ("name", "neuron", "synapse", "message"),
    [
        ("tau_m", sp.Sigmoid(), Delta(), "'tau_m' is of spiking units"),
        ("tau_syn", sp.LIF.normalised(), Delta(), "'tau_syn' needs an Exponential synapse"),
        ("v_th", sp.LIF.non_spiking(), Delta(), "'v_th' must be finite to be learnt"),
    ],
)
def test_what_cannot_be_learnt_is_refused(name, neuron, synapse, message):
    with pytest.raises(ValueError, match=message):
        Layer([[1.0]], neuron, synapse=synapse, trainable=(name,))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"delay": 1.5}, r"layers\[0\]\.delay = 1\.5 ms must be a multiple of dt = 1 ms"),
        ({"delay": 0.0}, r"layers\[0\]\.delay must be at least dt = 1 ms with a Delta synapse"),
        ({"delay": [[1.0], [2.0]]}, "must be a number or have one for each input on the grid"),
        ({"delay": [1.0, 0.5]}, r"layers\[0\]\.delay\[1\] must be at least dt = 1 ms with a Delta"),
        ({"delay": 2.0, "trainable": ("delay",)}, "one number for each input to be learnt"),
        ({"delay": -1.0}, r"Layer\.delay\S* must be at least 0 ms"),
        ({"delay_rec": 1.0}, r"Layer\.delay_rec needs recurrent weights"),
    ],
)
def test_delays_that_the_grid_cannot_have_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        LayeredNetwork([Layer([[1.0], [1.0]], sp.LIF.normalised(), **options)])


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("n_threads", [1, 2])
def test_memory_is_saved_without_changing_a_bit(monkeypatch, precision, n_threads):
    monkeypatch.setattr(threads, "_WORTH_THREADS", 0)
    monkeypatch.setattr(threads, "_n_threads", lambda: n_threads)
    monkeypatch.setattr(threads, "_pool", None)
    x = spikes(n_trials=257)
    labels = np.arange(x.shape[1]) % 3
    net, packed = network(precision=precision), PackedSpikes.pack(x)
    results = []
    for save_memory in (False, True):
        rule = Backprop(readout=SpikeCount(), save_memory=save_memory)
        trained, state, metrics = net, rule.init(net), None
        for _ in range(2):
            trained, state, metrics = rule.step(trained, state, packed, labels)
        results.append((trained, metrics))
    (one, whole), (other, parts) = results
    for a, b in zip(one.layers, other.layers, strict=True):
        see_that_bits_are_equal([a.parameters()], [b.parameters()])
    assert whole[:-2] == parts[:-2]
    for a, b in zip(whole.traces, parts.traces, strict=True):
        np.testing.assert_array_equal(a.output, b.output)
        np.testing.assert_array_equal(a.held, b.held)
    with pytest.raises(sp.SpikesimError, match="were not kept"):
        _ = parts.traces[0].v


def test_regularisers_need_whole_batches():
    with pytest.raises(ValueError, match=r"Backprop\.save_memory must be False with regularisers"):
        Backprop(save_memory=True, regularisers=(sp.learning.RateBounds(upper=10.0),))


@pytest.mark.parametrize("synapse", [Delta(), Exponential(4.0)])
def test_whole_delays_of_inputs_are_shifts(synapse):
    x, steps = spikes(), np.random.default_rng(0).integers(1, 6, 70)
    shifted = np.zeros(x.shape)
    for i, d in enumerate(steps - 1):
        shifted[d:, :, i] = x[: len(x) - d, :, i]
    plain = network(synapse=synapse, recurrent=False)
    layers = [dataclasses.replace(plain.layers[0], delay=1.0 * steps), plain.layers[1]]
    ours, theirs = forward(LayeredNetwork(layers), x), forward(plain, shifted)
    assert ours[0].by_spikes
    for a, b in zip(ours, theirs, strict=True):
        assert a.v_free.tobytes() == b.v_free.tobytes()


@pytest.mark.parametrize("each", [False, True])
def test_a_delay_beyond_all_steps_is_longer_than_the_trial(each):
    delays = [np.full(5, d) if each else d for d in (1e300, 100.0)]
    runs = [
        forward(LayeredNetwork([Layer(np.ones((5, 2)), sp.LIF.normalised(8.0), delay=d)]), x)[0]
        for d in delays
        for x in [np.ones((6, 2, 5))]
    ]
    assert runs[0].v_free.tobytes() == runs[1].v_free.tobytes()


@pytest.mark.parametrize("n_hidden", [3, 4])
@pytest.mark.parametrize("graded", [True, False])
def test_what_arrives_after_the_trial_has_no_gradient(graded, n_hidden):
    x = np.random.default_rng(0).random((8, 3, 5)) if graded else np.ones((8, 3, 5))
    # Longer than the trial, shorter than two: what a slice from the end would take for real.
    hidden = Layer(np.full((5, n_hidden), 0.3), sp.Sigmoid())
    w_rec = np.full((4, 4), 0.5)
    late = Layer(
        np.full((n_hidden, 4), 0.7), sp.LIF.normalised(8.0), np.full(4, 2.0), Exponential(4.0),
        w_rec, delay=11.0, delay_rec=12.0,
    )  # fmt: skip
    direct = dataclasses.replace(late, w=np.full((5, 4), 0.7))
    for layers in ([direct], [hidden, late]):
        gradients = all_gradients(LayeredNetwork(layers), x)
        assert np.all(gradients[-1]["bias"] != 0.0)
        assert not gradients[-1]["w"].any() and not gradients[-1]["w_rec"].any()
        assert len(layers) == 1 or not gradients[0]["w"].any()


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("dt", [0.7, 0.1])
@pytest.mark.parametrize("synapse", [Delta(), Exponential(4.0)])
def test_delays_of_inputs_on_the_grid_stay_on_it_in_single_precision(synapse, dt, steps):
    x = spikes(12, 3, 5, 0.3)
    w = np.random.default_rng(1).normal(0.5, 1.0, (5, 4))
    one, each = (
        forward(
            LayeredNetwork(
                [Layer(w, sp.LIF.normalised(8.0), None, synapse, delay=delay)], dt, "single"
            ),
            x,
        )[0]
        for delay in (steps * dt, np.full(5, steps * dt))
    )
    assert each.by_spikes
    assert one.v_free.tobytes() == each.v_free.tobytes()


@pytest.mark.parametrize("synapse", [Delta(), Exponential(4.0)])
def test_delays_between_steps_have_gradients(synapse):
    rng = np.random.default_rng(4)
    gain = 4.0 if isinstance(synapse, Delta) else 25.0
    neuron = sp.LIF.normalised(8.0, 1.0)
    layers = [
        Layer(
            rng.normal(0.2, 0.5, (n_pre, n)) * gain, neuron, rng.normal(0.0, 0.1, n), synapse,
            trainable=("w", "delay"), delay=rng.uniform(1.05, 3.95, n_pre),
        )
        for n_pre, n in ((3, 4), (4, 2))
    ]  # fmt: skip
    x = spikes(10 if SMALL else 20, 3, 3, 0.3)
    rule = Backprop(readout=SpikeCount(), surrogate=FastSigmoid(2.0))
    # Between two steps the loss is smooth in a delay; it bends where a delay passes one.
    check = check_gradient(LayeredNetwork(layers), rule, x, np.arange(x.shape[1]) % 2, step=0.01)
    assert check.max_relative_error < 1e-7
    assert all(np.abs(arrays["delay"]).max() > 0.0 for arrays in check.analytic)


def test_learnt_delays_stay_causal_and_are_simulated_when_rounded():
    net = network(5, Exponential(4.0), recurrent=False)
    layers = [
        dataclasses.replace(layer, trainable=("delay",), delay=np.full(layer.n_pre, 1.2))
        for layer in net.layers
    ]
    net = LayeredNetwork(layers)
    x = spikes(20, 20, 5, 0.3)
    labels = np.arange(x.shape[1]) % 3
    rule = Backprop(readout=SpikeCount(), optimiser=Adam(1.0), surrogate=FastSigmoid(2.0))
    trained, _, _ = rule.step(net, rule.init(net), x, labels)
    delay = trained.layers[0].delay
    assert delay.min() == 0.0 or delay.max() > 1.2
    assert np.all(delay >= 0.0) and not np.array_equal(delay, net.layers[0].delay)
    with pytest.raises(ValueError, match="round them first"):
        sp.to_network(net, x)
    rounded = net.updated(
        [layer.updated(delay=np.rint(layer.delay) + np.arange(layer.n_pre) % 3) for layer in layers]
    )
    recording = sp.simulate(sp.to_network(rounded, x, trial=4), 1.0 * len(x), dt=1.0, seed=0)
    for index, trace in enumerate(forward(rounded, x)):
        steps, units = np.nonzero(trace.output[:, 4])
        cells = recording[f"layer {index}"]
        np.testing.assert_array_equal(np.rint(cells.spike_times) - 1, steps)
        np.testing.assert_array_equal(cells.spike_ids, units)


@pytest.mark.parametrize(
    ("bits", "n_units", "message"),
    [
        (np.full((2, 4, 1), 8, np.uint64), 3, "has bits beyond its 3 units"),
        (np.zeros((2, 4, 1), np.uint64), 65, r"shape \(n_trials, n_steps, 2\) for 65 units"),
        (np.zeros((2, 4, 1), np.int64), 3, "got int64 of shape"),
    ],
)
def test_bits_that_belong_to_nobody_are_refused(bits, n_units, message):
    with pytest.raises(ValueError, match=rf"PackedSpikes\.bits .*{message}"):
        PackedSpikes(bits, n_units)
