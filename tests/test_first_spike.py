"""First spikes and their derivatives: closed forms, the general case, and where both degenerate."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numba import config
from scipy.special import lambertw

from spikesim.layered import Layer, LayeredNetwork, SpikeTimes
from spikesim.layered.crossing import DOUBLE, EQUAL, GENERAL, crossing, lambert_w, potential
from spikesim.layered.first_spike import first_spike_gradients, first_spikes
from spikesim.neurons import LIF
from spikesim.synapses import Exponential
from tests import naive_first_spike as naive

DURATION = 60.0
FEW = config.DISABLE_JIT


def network(ratio=1.0, sizes=(5, 6, 3), delays=None, seed=0, tau_m=10.0, bias=0.0, **unit):
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
                rng.normal(4.0, 6.0, (n_pre, n_post)),
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
    net, times = network(**kind), table(2 if FEW else 6, seed=7)
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
