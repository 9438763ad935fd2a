"""The synapses of a projection, against those drawn one at a time and those that a run feels."""

import numpy as np
import pytest

import spikesim as sp
from spikesim.engine.build import build
from spikesim.errors import (
    MissingExtraError,
    NotEnoughMemoryError,
    ParameterError,
    ParameterIndexError,
    ParameterTypeError,
)
from spikesim.simulation import connection_table as module
from tests.naive_connect import drawn_synapses

DT, SEED = 0.1, 5


def make_network(synapse):
    """All rules, weights that are equal and that differ, several projections to a port."""
    a = sp.Population("a", sp.LIF(), 9)
    b = sp.Population("b", sp.LIF(), 7)
    c = sp.Population("c", sp.PoissonSource(5.0), 4)
    ends = [(a, b), (b, a), (c, b), (a, a), (b, b), (c, b), (a, b), (c, b)]
    rules = [
        sp.FixedProbability(0.4),
        sp.FixedInDegree(5, multapses=True),
        sp.AllToAll(),
        sp.FixedOutDegree(4, autapses=False),
        sp.FixedTotalNumber(30),
        sp.ExplicitList([3, 0, 3], [6, 2, 0]),
        sp.FixedInDegree(3),
        sp.FixedTotalNumber(20, multapses=True),
    ]
    weights = [sp.Normal(0.5, 0.1), 0.3, sp.Uniform(0.1, 2.0), 0.25, sp.LogNormal(1.0, 0.5), 0.7]
    weights += [0.7, sp.Uniform(0.0, 0.1)]
    delays = [1.5, sp.Uniform(0.5, 2.0), 0.1, 0.4, sp.Normal(1.0, 0.2, low=0.1), 0.3, 2.0, 1.0]
    projections = [
        sp.Projection(*pair, rule, weight, delay, synapse=synapse)
        for pair, rule, weight, delay in zip(ends, rules, weights, delays, strict=True)
    ]
    return sp.Network([a, b, c], projections)


def rows_of(found):
    return list(
        zip(
            found.source.tolist(),
            found.target.tolist(),
            np.rint(found.delay / DT).astype(int).tolist(),
            found.weight.tolist(),
            strict=True,
        )
    )


@pytest.mark.parametrize("at_once", [1, 2**20])
@pytest.mark.parametrize("most_targets", [3, 2**16])
def test_they_are_those_drawn_one_at_a_time(monkeypatch, at_once, most_targets):
    monkeypatch.setattr(module, "_AT_ONCE", at_once)
    monkeypatch.setattr(module, "_MOST_TARGETS", most_targets)
    network = make_network(sp.Exponential())
    for index, projection in enumerate(network.projections):
        ends = [network.population(name) for name in (projection.source, projection.target)]
        wanted = drawn_synapses(projection, *ends, DT, SEED, index)
        expected = sorted((s.pre, s.post, s.delay, s.weight) for s in wanted)
        found = sp.connections(network, projection, seed=SEED, dt=DT)
        assert len(found) == len(expected) > 0
        np.testing.assert_allclose(sorted(rows_of(found)), expected, rtol=1e-12)
        keys = found.source * 100 + found.target
        assert np.all(np.diff(keys) >= 0)
        by_place = sp.connections(network, index, seed=SEED, dt=DT)
        assert rows_of(by_place) == rows_of(found)


@pytest.mark.parametrize("precision", ["double", "compact"])
def test_a_run_feels_exactly_these(precision):
    """Each neuron in turn fires once; v of the targets jumps by the weights, at the delays."""
    n_pre, n_post = 6, 5
    times = 1.0 + 20.0 * np.arange(n_pre)
    source = sp.Population("in", sp.SpikeSource(times, np.arange(n_pre)), n_pre)
    still = sp.LIF(tau_m=1e9, v_rest=0.0, v_reset=0.0, v_th=np.inf)
    target = sp.Population("out", still, n_post)
    other = sp.Population("other", sp.SpikeSource([], []), 3)
    wide = sp.Projection(other, target, sp.AllToAll(), sp.Uniform(-9.0, 7.0))
    random = sp.Projection(
        source, target, sp.FixedProbability(0.6), sp.Uniform(0.5, 1.5), sp.Uniform(1.0, 9.0)
    )
    network = sp.Network([source, target, other], [wide, random])
    run = sp.simulate(network, 150.0, record="v", seed=8, precision=precision)
    found = sp.connections(network, random, seed=run.seed, precision=precision)
    expected = np.zeros((1500, n_post))
    steps = np.rint((times[found.source] + found.delay) / DT).astype(int)
    for step, post, weight in zip(steps, found.target, found.weight, strict=True):
        expected[step - 1 :, post] += weight
    tolerance = 1e-5  # What a membrane of 1e9 ms forgets.
    np.testing.assert_allclose(run["out"].v, expected, rtol=0, atol=tolerance)


def test_weights_and_delays_are_those_of_the_stores_to_the_bit():
    network = make_network(sp.Exponential())
    stores = build(network, DT, SEED).stores
    every = [sp.connections(network, i, seed=SEED) for i in range(8)]
    differing = np.concatenate([every[i].weight for i in (0, 2, 4, 7)])
    np.testing.assert_array_equal(np.sort(differing), np.sort(stores.listed.weights))
    delays = np.concatenate([found.delay for found in every])
    buckets = [store.buckets for store in (stores.uniform, stores.listed)]
    steps = np.concatenate([np.repeat(some >> 32, some & 0xFFFF) for some in buckets])
    np.testing.assert_array_equal(np.sort(delays), np.sort(steps * DT))


@pytest.mark.parametrize("synapse", [sp.Delta(), sp.Exponential()])
def test_compact_weights_are_those_of_the_stores(synapse):
    network = make_network(synapse)
    built = build(network, DT, SEED, precision="compact")
    every = [sp.connections(network, i, seed=SEED, precision="compact") for i in range(8)]
    double = sp.connections(network, 0, seed=SEED)
    assert np.any(every[0].weight != double.weight)
    np.testing.assert_allclose(every[0].weight, double.weight, atol=1e-3)
    units = built.stores.scales
    uniform, listed = built.stores.uniform, built.stores.listed
    packed = np.sort((listed.packed >> 16).astype(np.float64))
    kept = np.concatenate([every[i].weight / units[_port(network, i)] for i in (0, 2, 4, 7)])
    np.testing.assert_array_equal(np.sort(np.rint(kept)), packed)
    np.testing.assert_allclose(kept, np.rint(kept), rtol=1e-12)
    for i in (1, 3, 5, 6):
        unit = units[_port(network, i)]
        assert np.any(uniform.classes == np.float32(every[i].weight[0] / unit))
        assert np.all(every[i].weight == every[i].weight[0])


def _port(network, index):
    targets = list(dict.fromkeys(p.target for p in network.projections))
    names = [p.name for p in network.populations if p.name in targets]
    return names.index(network.projections[index].target)


def test_arrays_are_read_only_and_make_a_table(monkeypatch):
    network = make_network(sp.Exponential())
    found = sp.connections(network, 0, seed=SEED)
    columns = found.to_columns()
    assert list(columns) == ["source", "target", "weight", "delay_ms"]
    for array in columns.values():
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    assert repr(found) == f"Connections({len(found)} synapses)"
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(MissingExtraError, match="to_columns works without"):
        found.to_dataframe()


def test_no_synapses_are_empty_arrays():
    a = sp.Population("a", sp.LIF(), 3)
    network = sp.Network([a], [sp.Projection(a, a, sp.FixedProbability(0.0), 1.0)])
    for precision in ("double", "compact"):
        found = sp.connections(network, 0, seed=0, precision=precision)
        assert len(found) == len(found.delay) == 0


@pytest.mark.parametrize(
    ("projection", "error"),
    [
        (8, ParameterIndexError),
        (-1, ParameterIndexError),
        (True, ParameterTypeError),
        (1.0, ParameterTypeError),
        ("a", ParameterTypeError),
        ([0], ParameterTypeError),
        (None, ParameterTypeError),
        (sp.Projection("a", "b", sp.AllToAll(), 1.0), ParameterError),
    ],
)
def test_a_projection_that_is_not_there_is_refused(projection, error):
    with pytest.raises(error, match=r"connections\.projection"):
        sp.connections(make_network(sp.Delta()), projection, seed=0)


def test_other_arguments_are_refused_by_name(monkeypatch):
    network = make_network(sp.Delta())
    with pytest.raises(ParameterError, match=r"connections\.seed must be the seed"):
        sp.connections(network, 0, seed=None)
    with pytest.raises(ParameterError, match=r"connections\.dt"):
        sp.connections(network, 0, seed=0, dt=0.0)
    with pytest.raises(ParameterError, match=r"Projection\.delay.*from 'a' to 'b'"):
        sp.connections(network, 0, seed=0, dt=0.4)
    with pytest.raises(ParameterError, match=r"connections\.precision"):
        sp.connections(network, 0, seed=0, precision="half")
    with pytest.raises(ParameterTypeError, match=r"connections\.network"):
        sp.connections("net", 0, seed=0)
    big = sp.Population("big", sp.LIF(), 10_000_000)
    huge = sp.Network([big], [sp.Projection(big, big, sp.AllToAll(), 1.0)])
    with pytest.raises(NotEnoughMemoryError, match="connections: 100000000000000 synapses"):
        sp.connections(huge, 0, seed=0)
