"""What compact precision makes of weights, and what it says where that is not what was given."""

import warnings

import numpy as np
import pytest

import spikesim as sp
from spikesim.engine.store import Layout, Wiring, make_stores
from spikesim.errors import RoundingWarning
from tests.naive_connect import stored_synapses

N = 300
FAR = [1.0, 2.0, 3.0, 1e5]
# Of each, the first is known too badly where there are two.
COARSE = [
    [sp.LogNormal(1.0, 3.0)],
    [FAR],
    [[0.0] * 9 + FAR],
    [sp.Normal(0.0, 1.0), sp.Uniform(0.0, 5e3)],
    [sp.Uniform(-1.0, 1.0), sp.Normal(0.0, 1e3)],
    [sp.Normal(1.0, 0.1, low=0.9), sp.Uniform(-5e3, 0.0)],
    [sp.LogNormal(1.0, 0.1), sp.Uniform(-5e3, 0.0)],
    [sp.LogNormal(1.0, 3.0, low=0.1, high=1.0), FAR],
    [sp.LogNormal(1.0, 3.0, high=0.25), sp.Uniform(0.0, 260.0)],
]
FINE = [
    [sp.LogNormal(1.0, 1.0)],
    [sp.LogNormal(1.0, 3.0, high=100.0)],
    [[1.0, 200.0, 300.0, 1e5]],
    [[0.0] * 9 + [1.0, 200.0]],
    [[0.0, 0.0]],
    [sp.Normal(0.0, 1.0), sp.Uniform(0.0, 5e2)],
    [sp.Uniform(-1.0, 1.0), sp.Normal(0.0, 50.0)],
    [sp.LogNormal(1.0, 0.1), sp.Uniform(-1e3, 0.0)],
    [sp.Normal(1.0, 0.1), sp.Uniform(-1e3, 0.0), 1e9],
]


def made(weights, compact=True):
    """Return stores, and the weights of each projection, all of them through one port."""
    populations = [sp.Population(f"p{i}", sp.LIF(), N) for i in range(len(weights))]
    wirings = []
    for source, weight in enumerate(weights):
        listed = isinstance(weight, (list, np.ndarray))
        rule = sp.ExplicitList(range(len(weight)), range(len(weight))) if listed else sp.OneToOne()
        projection = sp.Projection(f"p{source}", "p0", rule, weight)
        wirings.append(Wiring(projection, source, 0, 0))
    shares = np.array([[0, N]] * len(populations))
    layout = Layout(shares, np.zeros((1, 1), dtype=np.int64))
    stores = make_stores(wirings, populations, layout, 0.1, 0, compact, 1)
    found = sorted(stored_synapses(stores, wirings, populations, layout)[0])
    return stores, [
        np.array([weight for source, _, weight, _ in found if source // N == number])
        for number in range(len(weights))
    ]


@pytest.mark.parametrize("common", [5e4, -5e4, 1e-4])
def test_a_common_weight_leaves_the_others_of_its_port_as_they_are(common):
    given = np.linspace(0.1, 1.0, 10)
    _, (ours, others) = made([common, given])
    np.testing.assert_allclose(ours, common, rtol=1e-6)
    np.testing.assert_allclose(others, given, atol=0.5 / 32767 * (1 + 1e-9))


@pytest.mark.parametrize("common", [1e38, -1e38])
def test_a_common_weight_beyond_all_others_stays_finite(common):
    with pytest.warns(RoundingWarning, match="from 'p1' to 'p0'"):
        _, (ours, others) = made([common, np.linspace(0.1, 1.0, 10)])
    np.testing.assert_allclose(ours, common, rtol=1e-6)
    assert np.all(others == 0.0)


def test_common_weights_that_are_too_many_for_classes_count_in_the_unit(monkeypatch):
    monkeypatch.setattr("spikesim.engine.store._MOST_CLASSES", 2)
    stores, found = made([1.0, 2.0, 3.0])
    assert stores.scales.tolist() == [3.0 / 32767] and len(stores.listed.packed) == N
    np.testing.assert_allclose([weights[0] for weights in found], [1.0, 2.0, 3.0], rtol=1e-4)
    with pytest.warns(RoundingWarning, match="from 'p2' to 'p0'"):
        _, found = made([-1e5, 0.5, 1.0])
    assert np.all(found[2] == 0.0)


@pytest.mark.parametrize("largest", [5e-324, 1e-310, 1e-45, 1e-39, 1e-31])
def test_weights_that_single_precision_hardly_has_are_rounded_with_a_warning(largest):
    given = np.array([0.0, 0.25, 0.5, 0.75, 1.0]) * largest
    with pytest.warns(RoundingWarning, match=r"Projection\.weight.*from 'p0' to 'p0'"):
        stores, (found,) = made([given])
    np.testing.assert_allclose(found, given, rtol=0.0, atol=0.5 * stores.scales[0])
    assert stores.scales[0] == 2.0**-100


@pytest.mark.parametrize("least", [5e-324, 1e-320, 1e-300])
def test_distributions_that_single_precision_does_not_have_are_0(least):
    for law in (sp.Uniform(0.0, least), sp.Normal(0.0, least), sp.LogNormal(least, 0.0, 0.0, 1.0)):
        law = [law] if isinstance(law, sp.LogNormal) else [law, 0.0]
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            found = made(law)[1][0]
        np.testing.assert_allclose(found, 0.0, atol=1e-299)
        assert len(seen) == len(law) - 1


def test_weights_of_zero_are_zero():
    assert np.all(made([[0.0, 0.0], 0.0])[1][0] == 0.0)


@pytest.mark.parametrize("weights", COARSE + FINE)
def test_weights_that_the_unit_is_too_coarse_for_are_named(weights):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        _, (exact, *_) = made(weights, compact=False)
        assert not seen
        stores, _ = made(weights)
    unit = stores.scales[0]
    # The obvious twin: the median of what was drawn.
    coarse = bool(np.any(exact)) and np.median(np.abs(exact[exact != 0.0])) < 25 * unit
    assert coarse == (weights in COARSE)
    seen = [str(warning.message) for warning in seen if warning.category is RoundingWarning]
    assert any("from 'p0' to 'p0'" in message for message in seen) == coarse
    for message in seen:
        assert message.startswith("Projection.weight") and "'double'" in message
        assert f"multiples of {unit:.3g}" in message


def test_the_warning_is_of_a_run_in_compact_precision_and_of_those_that_have_synapses():
    a = sp.Population("a", sp.LIF(), 20)
    few, many = (
        sp.Network([a], [sp.Projection(a, a, sp.FixedProbability(p), sp.LogNormal(1.0, 3.0))])
        for p in (0.0, 1.0)
    )
    sp.simulate(few, 0.0, seed=0, precision="compact")
    sp.simulate(many, 0.0, seed=0)
    with pytest.warns(RoundingWarning, match=r"Projection\.weight.*from 'a' to 'a'") as seen:
        sp.simulate(many, 0.0, seed=0, precision="compact")
    assert seen[0].filename == __file__


def test_connections_are_those_of_the_stores_beside_a_large_common_weight():
    a = sp.Population("a", sp.LIF(), 20)
    about = {"seed": 3, "precision": "compact"}
    network = sp.Network(
        [a],
        [
            sp.Projection(a, a, sp.AllToAll(), weight, synapse=sp.Exponential())
            for weight in (5e4, sp.Normal(0.5, 0.1))
        ],
    )
    common, drawn = (sp.connections(network, number, **about).weight for number in (0, 1))
    np.testing.assert_allclose(common, 5e4, rtol=1e-6)
    exact = sp.connections(network, 1, seed=3).weight
    np.testing.assert_allclose(drawn, exact, atol=0.5 * 1.2 / 32767 * (1 + 1e-9))
    assert np.any(drawn != exact)
