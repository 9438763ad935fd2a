"""What a user can get wrong about projections, weights and delays: each is refused by name."""

import math

import numpy as np
import pytest

import spikesim as sp
from spikesim.errors import SpikesimError
from tests.small_networks import connected, is_refused, listed, network, run

NAN, INF = math.nan, math.inf


class Sparse:
    def tocsr(self):
        return self


masked = np.ma.masked_array([1.0, 2.0, 3.0, 4.0], [False, True, False, False])

BAD = {
    "1 NaN weight": (lambda: connected(NAN), ValueError, "Projection.weight"),
    "1 NaN weight in an array": (
        lambda: connected([1.0, 2.0, NAN, 1.0], rule=sp.OneToOne()),
        ValueError,
        "Projection.weight[2]",
    ),
    "2 infinite weight": (lambda: connected(INF), ValueError, "Projection.weight"),
    "15 zero delay": (lambda: connected(delay=0.0), ValueError, "Projection.delay"),
    "15 delay below dt": (lambda: connected(delay=0.05), ValueError, "Projection.delay"),
    "16 delay off the grid": (lambda: connected(delay=0.17), ValueError, "Projection.delay"),
    "16 delay off the grid in an array": (
        lambda: connected(delay=[0.1, 0.2, 0.25, 1.0], rule=sp.OneToOne()),
        ValueError,
        "Projection.delay[2]",
    ),
    "17 NaN delay": (lambda: connected(delay=NAN), ValueError, "Projection.delay"),
    "17 negative delay": (lambda: connected(delay=-1.0), ValueError, "Projection.delay"),
    "18 huge delay": (lambda: connected(delay=1e9), ValueError, "Projection.delay"),
    "18 huge delay that steps can count": (
        lambda: sp.simulate(
            network(
                50_000,
                projections=[sp.Projection("a", "a", sp.OneToOne(), 1.0, 2e8)],
            ),
            1.0,
        ),
        MemoryError,
        "Projection.delay",
    ),
    "19 weights of a wrong length": (
        lambda: connected([1.0, 2.0], rule=sp.OneToOne()),
        ValueError,
        "Projection.weight must have shape (4,), got (2,)",
    ),
    "19 weights of a wrong shape": (
        lambda: connected(np.ones((4, 3))),
        ValueError,
        "Projection.weight must have shape (4, 4), got (4, 3)",
    ),
    "19 array of weights for random synapses": (
        lambda: connected([1.0, 2.0], rule=sp.FixedProbability(0.1)),
        ValueError,
        "Projection.weight",
    ),
    "20 index out of range": (
        lambda: connected(rule=sp.ExplicitList([0, 4], [0, 0])),
        IndexError,
        "ExplicitList.pre[1] is 4",
    ),
    "20 target index out of range": (
        lambda: connected(rule=sp.ExplicitList([0, 1], [9, 0])),
        IndexError,
        "ExplicitList.post[0] is 9",
    ),
    "21 negative index": (
        lambda: sp.ExplicitList([0, -1], [0, 0]),
        IndexError,
        "ExplicitList.pre[1] is -1",
    ),
    "22 fractional index": (lambda: sp.ExplicitList([0.5], [0]), TypeError, "ExplicitList.pre[0]"),
    "22 NaN index": (lambda: sp.ExplicitList([NAN], [0]), ValueError, "ExplicitList.pre[0]"),
    "22 text as index": (lambda: sp.ExplicitList(["0"], [0]), TypeError, "ExplicitList.pre"),
    "22 lists of two lengths": (
        lambda: sp.ExplicitList([0, 1], [0]),
        ValueError,
        "ExplicitList.pre",
    ),
    "23 more synapses than memory": (
        lambda: sp.simulate(
            network(10_000_000, projections=[sp.Projection("a", "a", sp.AllToAll(), 1.0)]), 1.0
        ),
        MemoryError,
        "Projection.rule",
    ),
    "28 probability above one": (
        lambda: sp.FixedProbability(1.1),
        ValueError,
        "FixedProbability.p",
    ),
    "28 negative in-degree": (lambda: sp.FixedInDegree(-1), ValueError, "FixedInDegree.k"),
    "28 fractional in-degree": (lambda: sp.FixedInDegree(1.5), TypeError, "FixedInDegree.k"),
    "28 in-degree beyond the sources": (
        lambda: connected(rule=sp.FixedInDegree(5, multapses=False)),
        ValueError,
        "FixedInDegree.k",
    ),
    "28 one to one of two sizes": (
        lambda: sp.Network(
            [sp.Population("a", sp.LIF(), 2), sp.Population("b", sp.LIF(), 3)],
            [sp.Projection("a", "b", sp.OneToOne(), 1.0)],
        ),
        ValueError,
        "Projection.rule",
    ),
    "28 text as rule": (lambda: sp.Projection("a", "a", "all", 1.0), TypeError, "Projection.rule"),
    "28 number as synapse": (
        lambda: sp.Projection("a", "a", sp.AllToAll(), 1.0, 1.0, 5.0),
        TypeError,
        "Projection.synapse",
    ),
    "37 text among weights": (
        lambda: sp.Projection("a", "a", sp.OneToOne(), ["x", "y"]),
        TypeError,
        "Projection.weight",
    ),
    "38 complex weights": (
        lambda: sp.Projection("a", "a", sp.OneToOne(), np.ones(4) * 1j),
        ValueError,
        "Projection.weight",
    ),
    "41 integers beyond double precision": (
        lambda: sp.Projection("a", "a", sp.OneToOne(), np.array([2**53 + 1, 0, 0, 0])),
        ValueError,
        "Projection.weight",
    ),
    "45 masked weights": (
        lambda: sp.Projection("a", "a", sp.OneToOne(), masked),
        ValueError,
        "Projection.weight[1]",
    ),
    "45 sparse weights": (
        lambda: sp.Projection("a", "a", sp.OneToOne(), np.array([Sparse()])[0:1]),
        TypeError,
        "Projection.weight",
    ),
    "ragged weights": (
        lambda: sp.Projection("a", "a", sp.AllToAll(), [[1, 2], [3]]),
        TypeError,
        "Projection.weight",
    ),
    "ragged indices": (
        lambda: sp.ExplicitList([[1, 2], [3]], [1]),
        TypeError,
        "ExplicitList.pre",
    ),
    "masked indices": (
        lambda: sp.ExplicitList(np.ma.masked_array([0, 1], [False, True]), [0, 0]),
        ValueError,
        "ExplicitList.pre[1] is masked",
    ),
    "index beyond everything": (
        lambda: sp.ExplicitList(np.array([2**63 + 1], np.uint64), [0]),
        IndexError,
        "ExplicitList.pre[0]",
    ),
    "which delay": (
        lambda: connected(delay=0.17),
        ValueError,
        "got 0.17 ms; delay_rounding='nearest' takes the nearest step (projection from 'a' to 'a')",
    ),
    "whose weights": (lambda: connected(np.ones((4, 3))), ValueError, "from 'a' to 'a'"),
    "tiny step for a delay": (
        lambda: sp.simulate(
            network(projections=[sp.Projection("a", "a", sp.AllToAll(), 1.0)]), 0.0, dt=1e-320
        ),
        ValueError,
        "Projection.delay",
    ),
    "no source at all": (
        lambda: sp.simulate(
            network(
                1, projections=[sp.Projection("a", "a", sp.FixedInDegree(1, autapses=False), 1.0)]
            ),
            1.0,
        ),
        ValueError,
        "FixedInDegree.k must be 0 where the only source is the target itself",
    ),
    "projection of a namesake": (
        lambda: network(
            projections=[sp.Projection(sp.Population("a", sp.LIF(), 99), "a", sp.AllToAll(), 1.0)]
        ),
        ValueError,
        "Network.projections[0].source is another population",
    ),
}


@pytest.mark.parametrize("case", BAD.values(), ids=BAD.keys())
def test_it_is_refused_by_name_and_nothing_breaks(case):
    is_refused(*case)


def test_16_delay_rounding_is_opt_in():
    source = sp.Population("s", sp.SpikeSource([1.0]))
    target = sp.Population("a", sp.LIF())
    projection = sp.Projection(source, target, sp.OneToOne(), 5.0, 0.17, delay_rounding="nearest")
    v = sp.simulate(sp.Network([source, target], [projection]), 2.0, record={"a": "v"})["a"].v
    assert np.flatnonzero(v[:, 0] > -65.0)[0] == 11  # The end of step 12: 1.2 ms.


def test_26_empty_tables_run_unconnected():
    assert connected(rule=sp.ExplicitList([], [])).duration == 1.0
    assert listed([], []).spike_times.shape == (0,)


def test_42_matrices_in_either_order():
    weights = np.arange(16.0).reshape(4, 4)

    def v(weights):
        source = sp.Population("s", sp.SpikeSource([1.0, 2.0, 3.0, 4.0], [0, 1, 2, 3]), 4)
        target = sp.Population("a", sp.LIF(v_th=np.inf), 4)
        network = sp.Network([source, target], [sp.Projection("s", "a", sp.AllToAll(), weights)])
        return sp.simulate(network, 9.0, record={"a": "v"})["a"].v

    np.testing.assert_array_equal(v(weights), v(np.asfortranarray(weights)))
    assert np.any(v(weights) != v(weights.T))


def test_an_equal_population_or_a_name_is_taken():
    net = network(
        projections=[sp.Projection(sp.Population("a", sp.LIF(), 4), "a", sp.AllToAll(), 1.0)]
    )
    assert net.projections[0].source == "a"


@pytest.mark.parametrize("weight", [1e39, -1e39, [1.0, 1e39], sp.Normal(0.0, 1e38)])
def test_weights_that_compact_precision_cannot_hold_are_refused_by_name(weight):
    one = sp.Population("a", sp.LIF(), 2)
    number = weight if np.ndim(weight) == 0 and not hasattr(weight, "draw") else 1e39
    rule = sp.ExplicitList([0, 1], [1, 0])
    for name, projections, inputs in (
        ("Projection", [sp.Projection(one, one, rule, weight)], []),
        ("PoissonInput", [], [sp.PoissonInput(one, 9.0, number)]),
        ("SpikeInput", [], [sp.SpikeInput(one, [0.1, 0.2], [0, 1], number)]),
    ):
        about = {"network": sp.Network([one], projections, inputs), "duration": 0.0}
        run(**about)
        with pytest.raises(ValueError, match=rf"{name}\.weight.*compact precision") as caught:
            run(precision="compact", **about)
        assert isinstance(caught.value, SpikesimError)
    with pytest.raises(ValueError, match=r"simulate\.precision: a parameter .*'double'"):
        run(network=sp.LIF(i_ext=1e39), duration=0.0, precision="compact")
