"""First spikes and their derivatives: closed forms, the general case, and where both degenerate."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from numba import config
from scipy.special import lambertw

from spikesim.errors import ParameterError
from spikesim.layered import Layer, LayeredNetwork, SpikeTimes, continuous
from spikesim.layered.continuous import EventGradients
from spikesim.layered.crossing import DOUBLE, EQUAL, GENERAL, crossing, lambert_w, potential
from spikesim.layered.first_spike import (
    FirstSpikeTrace,
    first_spike_gradients,
    first_spikes,
    least_weight,
)
from spikesim.neurons import LIF
from spikesim.synapses import Exponential
from tests import naive_first_spike as naive

DURATION = 60.0
FEW = config.DISABLE_JIT


def network(
    ratio=1.0, sizes=(5, 6, 3), delays=None, seed=0, tau_m=10.0, bias=0.0, mean=4.0, **unit
):
    """Make a network in which most units fire; `delays` is how many dimensions they have."""
    rng = np.random.default_rng(seed)
    layers = []
    for n_pre, n_post in zip(sizes[:-1], sizes[1:], strict=True):
        delay = None
        if delays is not None:
            delay = rng.uniform(0.0, 8.0, (n_pre, n_post)[:delays])
        neuron = LIF(
            tau_m=tau_m, c_m=8.0, v_rest=-1.0, v_th=0.5, v_reset=-1.0, t_ref=2 * DURATION, **unit
        )
        layers.append(
            Layer(
                rng.normal(mean, 6.0, (n_pre, n_post)),
                neuron,
                rng.normal(0.0, bias, n_post) if bias else None,
                Exponential(np.max(tau_m) / ratio),
                trainable=("w", "bias", "delay"),
                delay=delay,
            )
        )
    return LayeredNetwork(layers, continuous=True)


def table(n_trials=6, n_inputs=5, seed=1):
    """Return times of which some are equal and some lines are silent."""
    times = np.random.default_rng(seed).uniform(0.0, 20.0, (n_trials, n_inputs))
    times[0, :2] = 3.0
    times[1] = 4.0
    times[2, 1:3] = np.inf
    return times


def spikes(times):
    return SpikeTimes.from_table(times, DURATION)


KINDS = [
    {"ratio": 1.0},
    {"ratio": 2.0},
    {"ratio": 3.7, "delays": 1},
    {"ratio": 0.6, "delays": 2},
    {"ratio": 1.0, "delays": 2, "bias": 0.3},
    {"ratio": 2.0, "delays": 0, "bias": 2.0},
    {"ratio": 1.0 + 1e-9, "i_ext": 1.0},
    {"ratio": 2.0 - 1e-9, "v_init": -0.5},
    {"tau_m": np.linspace(5.0, 10.0, 4), "sizes": (5, 4), "delays": 1},
]
each_kind = pytest.mark.parametrize("kind", KINDS, ids=repr)


def test_lambert_w_is_that_of_scipy():
    z = np.concatenate([
        -1.0 / math.e + np.logspace(-15, -0.5, 300), np.linspace(-0.3678, 5.0, 200),
        np.logspace(-300.0, 300.0, 50), -np.logspace(-300.0, -0.5, 50), [0.0],
    ])  # fmt: skip
    ours = np.array([lambert_w(x) for x in z])
    np.testing.assert_allclose(ours * np.exp(ours), z, rtol=2e-13, atol=1e-300)
    clear = z > -1.0 / math.e + 1e-9
    np.testing.assert_allclose(ours[clear], lambertw(z[clear]).real, rtol=1e-11, atol=0.0)
    # At the branch point a double cannot tell more than this.
    np.testing.assert_allclose(ours, lambertw(z).real, atol=2e-8, rtol=1e-10)


def test_lambert_w_at_and_beyond_its_branch_point():
    assert lambert_w(-1.0 / math.e) == pytest.approx(-1.0, abs=3e-8)
    assert math.isnan(lambert_w(-0.3679)) and math.isnan(lambert_w(-1.0))
    assert math.isnan(lambert_w(math.nan))


@pytest.mark.parametrize(("formula", "ratio"), [(EQUAL, 1.0), (DOUBLE, 2.0)])
def test_closed_forms_reach_the_threshold_where_newtons_method_does(formula, ratio):
    rng = np.random.default_rng(3)
    n_crossings = 0
    for _ in range(200 if FEW else 5000):
        tau_m, theta, c_m = 10.0 ** rng.uniform([-1, -2, -1], [2, 1, 2])
        u = theta * rng.uniform(-3.0, 1.0)
        i = theta * c_m / tau_m * rng.uniform(-2.0, 20.0)
        unit = (tau_m, tau_m / ratio, c_m)
        length = tau_m * rng.uniform(0.0, 4.0)
        closed = crossing(u, i, theta, length, formula, *unit)
        general = crossing(u, i, theta, length, GENERAL, *unit)
        assert math.isinf(closed) == math.isinf(general)
        if math.isinf(closed):
            continue
        n_crossings += 1
        for h in (closed, general):
            assert abs(potential(h, u, i, *unit) - theta) <= 1e-13 * max(abs(u), theta)
        slope = -theta / tau_m + i / c_m * math.exp(-closed / unit[1])
        # A potential known to 1e-13 tells the time to that over its slope.
        assert abs(closed - general) <= 1e-10 * tau_m + 1e-13 * max(abs(u), theta) / slope
    assert n_crossings > 50


@pytest.mark.parametrize("ratio", [1.0, 2.0])
def test_first_spikes_are_those_of_the_published_formulas(ratio):
    net = network(ratio, (8, 4), seed=5)
    times = np.random.default_rng(2).uniform(0.0, 20.0, (20, 8))
    found = first_spikes(net, spikes(times))[0].first_spikes
    layer = net.layers[0]
    n_fired = 0
    for b, j in np.ndindex(found.shape):
        wanted = naive.closed_form(layer.w[:, j], times[b], 1.5, 10.0, 10.0 / ratio, 8.0)
        if wanted > DURATION:
            assert np.isinf(found[b, j])
            continue
        n_fired += 1
        assert found[b, j] == pytest.approx(wanted, rel=1e-10)
    assert n_fired > 20


@each_kind
def test_first_spikes_are_those_of_a_search_over_the_summed_potential(kind):
    net, times = network(**kind), table(3 if FEW else 6)
    runs = first_spikes(net, spikes(times))
    wanted = naive.network_first_spikes(net, times, DURATION)
    for run, slow in zip(runs, wanted, strict=True):
        assert np.isfinite(slow).any()
        np.testing.assert_allclose(run.first_spikes, slow, rtol=0.0, atol=1e-10)


@each_kind
def test_the_potential_is_at_threshold_at_every_spike(kind):
    net, times = network(**kind), table()
    before = times
    for layer, run in zip(net.layers, first_spikes(net, spikes(times)), strict=True):
        for b, j in np.argwhere(np.isfinite(run.first_spikes)):
            arrivals = naive.arrivals_of(layer, [(t, i) for i, t in enumerate(before[b])], j)
            t = run.first_spikes[b, j]
            assert naive.potential(layer, j, arrivals, t) == pytest.approx(0.5, abs=1e-13)
            assert run.n_before[b, j] == sum(a < t for a, _ in arrivals)
            h = 1e-5
            above, below = (naive.potential(layer, j, arrivals, t + s) for s in (h, -h))
            assert run.slope[b, j] == pytest.approx((above - below) / (2 * h), rel=1e-3, abs=1e-6)
        before = run.first_spikes


@each_kind
def test_gradients_are_those_of_differences(kind):
    net, times = network(**kind), table(3 if FEW else 6, seed=7)
    last = first_spikes(net, spikes(times))[-1]
    assert np.isfinite(last.first_spikes).sum() > 3
    weight = np.random.default_rng(5).normal(size=last.first_spikes.shape)

    def loss(net, table):
        t = first_spikes(net, spikes(table))[-1].first_spikes
        return float(np.sum(weight * np.where(np.isfinite(t), t, 0.0)))

    runs = first_spikes(net, spikes(times))
    gradients, grad_inputs = first_spike_gradients(net, runs, weight)
    # Times that are equal cannot move apart without a change of order, which changes nothing.
    for place, arrays in enumerate(gradients):
        assert set(arrays) == set(net.layers[place].parameters())
        for name, ours in arrays.items():
            theirs = naive.difference_quotients(loss, net, times, place, name, 2e-4)
            assert ours.shape == theirs.shape
            assert np.abs(ours - theirs).max() <= 1e-8 * max(1.0, np.abs(theirs).max())
    by_table = np.zeros(times.shape)
    events = spikes(times)
    by_table[np.repeat(np.arange(len(times)), np.diff(events.starts)), events.units] = grad_inputs
    theirs = naive.difference_quotients(loss, net, times, -1, "", 2e-4)
    assert np.abs(by_table - theirs).max() <= 1e-8 * max(1.0, np.abs(theirs).max())


def one_unit(weights, ratio=1.0, delay=None, **neuron):
    """Make a unit with threshold 1 above rest, one weight an input line."""
    neuron = LIF(**{"tau_m": 10.0, "c_m": 10.0, "v_rest": 0.0, "v_th": 1.0, "v_reset": 0.0,
                    "t_ref": DURATION, **neuron})  # fmt: skip
    layer = Layer(
        np.reshape(weights, (-1, 1)), neuron, None, Exponential(10.0 / ratio), delay=delay,
        trainable=("w", "bias", "delay"),
    )  # fmt: skip
    return LayeredNetwork([layer], continuous=True)


def spike_of(net, *times):
    return float(first_spikes(net, spikes([times]))[0].first_spikes[0, 0])


@pytest.mark.parametrize("ratio", [1.0, 2.0, 0.4, 5.0])
def test_a_weight_just_below_the_least_one_leaves_the_unit_silent(ratio):
    least = least_weight(one_unit([1.0], ratio).layers[0])[0]
    assert spike_of(one_unit([least * (1.0 - 1e-12)], ratio), 2.0) == np.inf
    t = spike_of(one_unit([least * (1.0 + 1e-9)], ratio), 2.0)
    peak = 10.0 if ratio == 1.0 else 10.0 * math.log(ratio) / (ratio - 1.0)
    assert t == pytest.approx(2.0 + peak, abs=1e-3 * peak)


@pytest.mark.parametrize("ratio", [1.0, 2.0, 0.4])
def test_derivatives_near_a_vanishing_spike_are_bounded_on_demand(ratio):
    least = least_weight(one_unit([1.0], ratio).layers[0])[0]
    net = one_unit([least * (1.0 + 1e-9)], ratio)
    runs = first_spikes(net, spikes([[2.0]]))
    free, bound = (
        first_spike_gradients(net, runs, np.ones((1, 1)), min_slope=min_slope)[0][0]["w"][0, 0]
        for min_slope in (0.0, 0.5)
    )
    # There the potential is 1, of which the derivative by the weight is 1 / weight.
    assert bound == pytest.approx(-1.0 / least / (0.5 / 10.0), rel=1e-6)
    assert free < 1e3 * bound
    runs[0].slope[:] = 0.0
    by_array, by_input = first_spike_gradients(net, runs, np.ones((1, 1)))
    assert not by_input.any() and not any(array.any() for array in by_array[0].values())


def test_no_input_and_weak_input_leave_units_silent_without_gradient():
    net = one_unit([0.5, 1.0])
    for times in ([np.inf, np.inf], [0.0, 5.0]):
        runs = first_spikes(net, spikes([times]))
        assert np.isinf(runs[0].first_spikes).all() and not runs[0].slope.any()
        by_array, by_input = first_spike_gradients(net, runs, np.ones((1, 1)))
        assert not by_input.any() and not any(array.any() for array in by_array[0].values())


def test_a_spike_after_the_end_is_none():
    net = one_unit([40.0])
    late = spike_of(net, DURATION - 5.0)
    assert DURATION - 5.0 < late < DURATION
    assert spike_of(net, DURATION - (late - DURATION + 5.0) / 2.0) == np.inf
    assert spike_of(one_unit([40.0], delay=DURATION), 1.0) == np.inf


@pytest.mark.parametrize("ratio", [1.0, 2.0, 3.0])
def test_inhibition_removes_a_spike_only_if_it_comes_in_time(ratio):
    alone = spike_of(one_unit([45.0, 0.0], ratio), 1.0, 1.0)
    assert spike_of(one_unit([45.0, -45.0], ratio), 1.0, alone - 1e-3) != alone
    assert spike_of(one_unit([45.0, -60.0], ratio), 1.0, alone - 0.5) == np.inf
    net = one_unit([45.0, -60.0], ratio)
    assert spike_of(net, 1.0, alone + 1e-9) == alone
    runs = first_spikes(net, spikes([[1.0, alone + 1e-9]]))
    (by_array,), by_input = first_spike_gradients(net, runs, np.ones((1, 1)))
    assert by_array["w"][1, 0] == 0.0 and by_input[1] == 0.0 and by_array["w"][0, 0] < 0.0


def test_inputs_at_one_time_are_one_input():
    rng = np.random.default_rng(4)
    w = rng.uniform(0.0, 20.0, 6)
    together = spike_of(one_unit([w.sum()]), 3.0)
    for order in (np.arange(6), rng.permutation(6)):
        assert spike_of(one_unit(w[order]), *[3.0] * 6) == pytest.approx(together, abs=1e-13)


def test_several_spikes_of_a_line_all_count():
    twice = SpikeTimes([1.0, 4.0], [0, 0], [0, 2], 1, DURATION)
    single, double = one_unit([20.0]), one_unit([20.0, 20.0])
    runs, apart = first_spikes(single, twice), first_spikes(double, spikes([[1.0, 4.0]]))
    assert runs[0].first_spikes == apart[0].first_spikes
    (by_one,), inputs = first_spike_gradients(single, runs, np.ones((1, 1)))
    (by_two,), others = first_spike_gradients(double, apart, np.ones((1, 1)))
    assert by_one["w"][0, 0] == pytest.approx(by_two["w"].sum())
    np.testing.assert_array_equal(inputs, others)


@pytest.mark.parametrize("ratio", [1.0, 2.0])
def test_closed_forms_are_limits(ratio):
    exact = spike_of(one_unit([30.0, 25.0], ratio), 1.0, 2.0)
    for nearby in (1e-5, -1e-5, 1e-9, -1e-9, 1e-13):
        other = spike_of(one_unit([30.0, 25.0], ratio * (1.0 + nearby)), 1.0, 2.0)
        assert other == pytest.approx(exact, abs=20.0 * abs(nearby) + 1e-12)


def test_a_constant_current_alone_makes_a_unit_fire():
    # v_inf = 2, so that 1 is reached after tau_m ln 2.
    net = one_unit([-5.0], i_ext=2.0)
    assert spike_of(net, np.inf) == pytest.approx(10.0 * math.log(2.0), abs=1e-13)
    later = spike_of(net, 1.0)
    layer = net.layers[0]
    assert later == pytest.approx(naive.first_spike(layer, 0, [(1.0, 0)], DURATION), abs=1e-10)
    assert later > 10.0 * math.log(2.0)


def test_bits_do_not_depend_on_threads(monkeypatch):
    net, times = network(3.0, delays=2), table(20 if FEW else 300)
    found = []
    for threads in (1, 4):
        monkeypatch.setattr("spikesim.layered.threads._n_threads", lambda n=threads: n)
        monkeypatch.setattr("spikesim.layered.threads._WORTH_THREADS", 0)
        runs = first_spikes(net, spikes(times))
        by_array, by_input = first_spike_gradients(net, runs, np.ones((len(times), 3)))
        arrays = [array for layer in by_array for array in layer.values()]
        found.append([a.tobytes() for a in (*arrays, by_input, runs[-1].first_spikes)])
    assert found[0] == found[1]


@each_kind
def test_units_that_fire_once_run_in_continuous_time(kind):
    net, times = network(**{**kind, "sizes": (5, 4)}), table()
    free = [replace(net.layers[0], neuron=replace(net.layers[0].neuron, t_ref=0.0))]
    free = LayeredNetwork(free, continuous=True)
    (once,), (often,) = (continuous.run(one, spikes(times)) for one in (net, free))
    assert isinstance(once, FirstSpikeTrace) and not isinstance(often, FirstSpikeTrace)
    np.testing.assert_allclose(once.first_spikes, often.first_spikes, rtol=0.0, atol=1e-12)
    assert np.array_equal(once.counts, np.isfinite(once.first_spikes))
    early = (np.arange(once.n_steps) + 1.0)[:, None, None] < once.first_spikes
    np.testing.assert_allclose(once.v[early], often.v[early], rtol=0.0, atol=1e-8)
    np.testing.assert_array_equal(once.output.sum(axis=0), once.counts)
    np.testing.assert_array_equal(once.v[once.held], -1.0)
    assert not (once.held & early).any()
    weight = np.random.default_rng(5).normal(size=once.first_spikes.shape)
    by_spike = weight[np.repeat(np.arange(len(times)), np.diff(once.starts)), once.units]
    ways = [
        continuous.backward(net, spikes(times), [once], EventGradients(first_spikes=weight)),
        continuous.backward(net, spikes(times), [once], EventGradients(times=by_spike)),
        continuous.backward(free, spikes(times), [often], EventGradients(first_spikes=weight)),
    ]
    for by_array, by_input in ways[1:]:
        np.testing.assert_allclose(by_input, ways[0][1], rtol=1e-9, atol=1e-12)
        for name, array in by_array[0].items():
            np.testing.assert_allclose(array, ways[0][0][0][name], rtol=1e-9, atol=1e-12)


def test_mean_potentials_of_units_that_fire_once_have_no_gradient():
    net = one_unit([40.0])
    runs = continuous.run(net, spikes([[1.0]]))
    with pytest.raises(ParameterError, match="loss of mean potentials needs units"):
        continuous.backward(net, spikes([[1.0]]), runs, EventGradients(v_mean=np.ones((1, 1))))


def test_a_peak_that_inhibition_ends_moves_with_it():
    net = one_unit([4.0, -40.0], delay=np.array([1.0, 0.5]))
    times = np.array([[1.0, 3.0]])

    def loss(net, table):
        return float(first_spikes(net, spikes(table))[0].v_max[0, 0])

    runs = first_spikes(net, spikes(times))
    assert runs[0].peaks.times[0, 0] == 3.5 and runs[0].peaks.bend[0, 0] > 0.0
    (by_array,), by_input = first_spike_gradients(net, runs, np.zeros((1, 1)), np.ones((1, 1)))
    for name in ("w", "delay", "bias"):
        theirs = naive.difference_quotients(loss, net, times, 0, name, 2e-4)
        np.testing.assert_allclose(by_array[name], theirs, rtol=0.0, atol=1e-10)
    theirs = naive.difference_quotients(loss, net, times, -1, "", 2e-4)
    np.testing.assert_allclose(by_input, theirs[0], rtol=0.0, atol=1e-10)


@pytest.mark.parametrize("ratio", [1.0, 2.0, 0.7])
def test_peaks_of_silent_units_and_their_gradients(ratio):
    net, times = network(ratio, delays=2, mean=1.0), table(3 if FEW else 10)
    weight = np.random.default_rng(5).normal(size=(len(times), 3))

    def loss(net, table):
        last = first_spikes(net, spikes(table))[-1]
        return float(np.sum(weight * last.v_max))

    runs = first_spikes(net, spikes(times))
    last = runs[-1]
    assert np.isinf(last.first_spikes).sum() > 2
    # Where all input is inhibitory, the potential is highest at the start, and that is a kink.
    weight[last.peaks.times == 0.0] = 0.0
    looks = np.linspace(0.0, DURATION, 401)
    for b, j in np.argwhere(np.isinf(last.first_spikes)):
        before = [(t, i) for i, t in enumerate(runs[-2].first_spikes[b])]
        arrivals = naive.arrivals_of(net.layers[-1], before, j)
        seen = [naive.potential(net.layers[-1], j, arrivals, t) for t in looks]
        at_peak = naive.potential(net.layers[-1], j, arrivals, last.peaks.times[b, j])
        assert last.v_max[b, j] == pytest.approx(at_peak, abs=1e-12)
        assert last.v_max[b, j] >= max(seen) - 1e-12
    gradients, _ = first_spike_gradients(net, runs, np.zeros(weight.shape), weight)
    for place, arrays in enumerate(gradients):
        for name, ours in arrays.items():
            theirs = naive.difference_quotients(loss, net, times, place, name, 2e-4)
            assert np.abs(ours - theirs).max() <= 1e-8 * max(1.0, np.abs(theirs).max())
