import time
from collections import defaultdict

import numpy as np
import pytest

import spikesim as sp
from spikesim.engine import filling
from spikesim.engine.connect import require_room
from spikesim.engine.pool import Pool
from spikesim.engine.records import sort_records
from spikesim.engine.store import Layout, Wiring, make_stores
from spikesim.errors import NotEnoughMemoryError, ParameterError
from tests.naive_connect import drawn_synapses, stored_synapses

DT = 0.1
SIZES = (17, 9, 30)
BLOCKS = (1, 2, 3, 8)


def layout_of(populations, ports, n_blocks):
    """Give each block an equal share of every population; `ports` holds the population of each."""
    bounds = np.array([[p.n * b // n_blocks for b in range(n_blocks + 1)] for p in populations])
    widths = np.diff(bounds, axis=1)[ports].T.reshape(n_blocks, len(ports))
    return Layout(bounds, np.cumsum(widths, axis=1) - widths)


def network(seed=0):
    """Return populations, wirings and the population of each port: everything in one network."""
    populations = [sp.Population(f"p{i}", sp.LIF(), n) for i, n in enumerate(SIZES)]
    rng = np.random.default_rng(seed)
    rules = [
        sp.FixedTotalNumber(200),
        sp.FixedInDegree(6),
        sp.FixedProbability(0.3, autapses=False),
        sp.FixedOutDegree(4, multapses=False),
        sp.AllToAll(),
    ]
    weights = [1.0, -2.0, sp.Normal(3.0, 1.0), sp.Uniform(-4.0, 4.0)]
    delays = [0.1, 1.5, sp.Uniform(0.5, 2.0), sp.LogNormal(1.0, 0.5, low=0.2)]
    ports = [0, 0, 1, 2]  # Two synapse models reach the first population.
    wirings = []
    for rule in rules * 2:
        source, port = rng.integers(3), rng.integers(4)
        weight, delay = weights[rng.integers(4)], delays[rng.integers(4)]
        ends = populations[source], populations[ports[port]]
        projection = sp.Projection(*ends, rule, weight, delay)
        wirings.append(Wiring(projection, int(source), ports[port], int(port)))
    return populations, wirings, ports


def made(seed=0, n_blocks=1, threads=1, compact=False):
    populations, wirings, ports = network(seed)
    layout = layout_of(populations, ports, n_blocks)
    stores = make_stores(wirings, populations, layout, DT, seed, compact, threads)
    return stores, wirings, populations, layout


def by_target(found):
    """Return what reaches each target, in the order in which it is added."""
    targets = defaultdict(list)
    for port, synapses in found.items():
        for source, target, weight, delay in synapses:
            targets[port, target].append((source, weight, delay))
    return targets


def equal(stores, others):
    """Compare bit by bit."""
    return all(
        np.array_equal(array, other) and np.asarray(array).dtype == np.asarray(other).dtype
        for one, two in zip(stores[:2], others[:2], strict=True)
        for array, other in zip(one, two, strict=True)
    )


@pytest.mark.parametrize("seed", range(3))
def test_blocks_change_neither_the_synapses_nor_the_order_of_sums(seed):
    expected = defaultdict(list)
    populations, wirings, _ = network(seed)
    first = np.cumsum([0, *SIZES])
    for index, wiring in enumerate(wirings):
        ends = populations[wiring.source], populations[wiring.target]
        for pre, post, weight, delay in drawn_synapses(wiring.projection, *ends, DT, seed, index):
            expected[wiring.port].append((pre + first[wiring.source], post, weight, delay))
    orders = []
    for n_blocks in BLOCKS:
        stores, *rest = made(seed, n_blocks)
        found = stored_synapses(stores, *rest)
        for port, synapses in expected.items():
            np.testing.assert_allclose(sorted(found[port]), sorted(synapses), rtol=1e-13)
        delays = [s[3] for synapses in found.values() for s in synapses]
        assert (stores.shortest, stores.longest) == (min(delays), max(delays))
        assert stores.n_synapses == len(delays)
        orders.append(by_target(found))
    assert all(order == orders[0] for order in orders)


@pytest.mark.parametrize("compact", [False, True])
@pytest.mark.parametrize("n_blocks", [1, 3])
def test_threads_and_cuts_change_no_bit(monkeypatch, n_blocks, compact):
    one = made(1, n_blocks, 1, compact)[0]
    for threads in (2, 3):
        assert equal(one, made(1, n_blocks, threads, compact)[0])
    monkeypatch.setattr(filling, "_CHUNK", 40)
    monkeypatch.setattr(filling, "_JOB", 90)
    monkeypatch.setattr(filling, "_TURNED", 50)
    monkeypatch.setattr("spikesim.engine.in_degree._PAUSE", 20)
    for threads in (1, 2, 3):
        assert equal(one, made(1, n_blocks, threads, compact)[0])


def test_another_seed_draws_other_synapses():
    assert not equal(made(0)[0], made(4)[0])


def test_stores_hold_what_has_one_weight_apart():
    populations = [sp.Population("a", sp.LIF(), 5)]
    wirings = [
        Wiring(sp.Projection("a", "a", sp.AllToAll(), weight, delay), 0, 0, 0)
        for weight, delay in ((2.0, 0.3), (-1.0, 0.2), (2.0, 0.1), (sp.Uniform(0.0, 1.0), 0.5))
    ]
    layout = layout_of(populations, [0], 1)
    stores = make_stores(wirings, populations, layout, DT, 0, False, 1)
    assert stores.uniform.classes.tolist() == [-1.0, 2.0]
    assert stores.uniform.rows.dtype == stores.listed.rows.dtype == np.uint16
    assert stores.uniform.rows.tolist() == [0, 1, 2, 3, 4] * 3 * 5
    expected = [2 << 32 | 0 << 16 | 5, 1 << 32 | 1 << 16 | 5, 3 << 32 | 1 << 16 | 5]
    assert stores.uniform.buckets.tolist() == expected * 5
    assert len(stores.uniform.weights) == 0 and len(stores.listed.weights) == 25
    assert stores.listed.buckets.tolist() == [5 << 32 | 5] * 5
    assert stores.n_synapses == 100 and stores.scales.tolist() == [1.0]


@pytest.mark.parametrize("compact", [False, True])
def test_classes_of_delta_synapses_come_first_and_are_counted(compact):
    populations = [sp.Population("a", sp.LIF(), 2)]
    weights = [(2.0, sp.Exponential()), (3.0, sp.Delta()), (sp.Uniform(1.0, 2.0), sp.Exponential())]

    def stores(*chosen):
        wirings = [
            Wiring(sp.Projection("a", "a", sp.OneToOne(), w, synapse=s), 0, 0, int(s != sp.Delta()))
            for w, s in chosen
        ]
        layout = layout_of(populations, [0, 0], 1)
        return make_stores(wirings, populations, layout, DT, 0, compact, 1)

    both = stores(*weights)
    assert both.uniform.n_early == 1 and both.listed.n_early == 0
    np.testing.assert_allclose(both.uniform.classes * both.scales, [3.0, 2.0], rtol=1e-6)
    assert (both.uniform.buckets >> 16 & 0xFFFF).tolist() == [0, 1] * 2
    # Where weights that differ are of both kinds, they have a class each.
    mixed = stores(weights[2], (sp.Uniform(1.0, 2.0), sp.Delta()))
    assert mixed.uniform.n_early == 0 and mixed.listed.n_early == 1
    assert (mixed.listed.buckets >> 16 & 0xFFFF).tolist() == [0, 1] * 2


def test_compact_weights_are_the_nearest_units():
    exact, *rest = made(2)
    stores = made(2, compact=True)[0]
    assert stores.uniform.classes.dtype == np.float32 and stores.listed.packed.dtype == np.int32
    assert len(stores.listed.rows) == len(stores.listed.weights) == 0
    expected, found = stored_synapses(exact, *rest), stored_synapses(stores, *rest)
    for port, synapses in expected.items():
        # Rounding keeps the order of weights, so that synapses of one pair and delay agree in it.
        ours, theirs = (
            np.array(sorted(some, key=lambda s: (s[0], s[1], s[3], s[2])))
            for some in (found[port], synapses)
        )
        np.testing.assert_array_equal(ours[:, [0, 1, 3]], theirs[:, [0, 1, 3]])
        error = np.abs(ours[:, 2] - theirs[:, 2]).max()
        assert error <= 0.5 * stores.scales[port] * (1 + 1e-9)
    assert np.abs(stores.listed.packed >> 16).max() <= 32767


def test_the_unit_of_a_port_is_the_largest_weight_over_the_largest_integer():
    populations = [sp.Population("a", sp.LIF(), 4)]

    def scale(*weights, compact=True):
        wirings = [
            Wiring(sp.Projection("a", "a", sp.FixedInDegree(7), weight), 0, 0, 0)
            for weight in weights
        ]
        layout = layout_of(populations, [0], 1)
        return make_stores(wirings, populations, layout, DT, 0, compact, 1).scales.tolist()

    assert scale(sp.Uniform(-3.0, 2.0)) == [3.0 / 32767]
    assert scale(sp.Uniform(-3.0, 2.0), sp.Uniform(4.0, 5.0)) == [5.0 / 32767]
    assert scale(sp.Uniform(-3.0, 2.0), sp.Normal(5.0, 0.0), -5.0) == [3.0 / 32767]
    assert scale(sp.Normal(1.0, 2.0)) == [15.0 / 32767]
    # Weights that a projection has in common are single-precision numbers.
    assert scale(2.0, -7.0) == scale(0.0) == [1.0]
    assert scale(sp.Uniform(-3.0, 2.0), compact=False) == [1.0]


def single(rule, n_pre, n_post, threads=1, compact=False):
    populations = [sp.Population("a", sp.LIF(), n_pre), sp.Population("b", sp.LIF(), n_post)]
    wirings = [Wiring(sp.Projection("a", "b", rule, 1.0), 0, 1, 0)]
    layout = layout_of(populations, [1], 1)
    stores = make_stores(wirings, populations, layout, DT, 0, compact, threads)
    return stores, wirings, populations, layout


def test_a_long_bucket_is_split():
    stores, *rest = single(sp.FixedOutDegree(140_000), 1, 3)
    lengths = stores.uniform.buckets & 0xFFFF
    assert lengths.tolist() == [65535, 65535, 8930]
    assert np.all(stores.uniform.buckets >> 16 == 10 << 16)
    assert np.all(np.diff(stores.uniform.rows.astype(int)) >= 0)


def test_a_block_has_up_to_65536_rows():
    stores, *rest = single(sp.AllToAll(), 1, 65536)
    assert stores.uniform.rows.tolist() == list(range(65536))
    with pytest.raises(ValueError, match="65,536"):
        single(sp.AllToAll(), 1, 65537)
    populations = [sp.Population("a", sp.LIF(), 70_000)]
    ends = sp.ExplicitList([0, 0, 69_999], [34_999, 35_000, 69_999])
    wirings = [Wiring(sp.Projection("a", "a", ends, [1.0, -2.0, -3.0]), 0, 0, 0)]
    layout = layout_of(populations, [0], 2)
    for compact in (False, True):
        stores = make_stores(wirings, populations, layout, DT, 0, compact, 1)
        if compact:
            assert (stores.listed.packed & 0xFFFF).tolist() == [34_999, 0, 34_999]
            weights = (stores.listed.packed >> 16) * stores.scales[0]
            np.testing.assert_allclose(weights, [1.0, -2.0, -3.0], atol=1e-4)
        else:
            assert stores.listed.rows.tolist() == [34_999, 0, 34_999]


def test_more_weights_than_classes_are_listed():
    n = 4100
    populations = [sp.Population("a", sp.LIF(), 1)]
    wirings = [Wiring(sp.Projection("a", "a", sp.OneToOne(), float(w)), 0, 0, 0) for w in range(n)]
    layout = layout_of(populations, [0], 1)
    stores = make_stores(wirings, populations, layout, DT, 0, False, 1)
    assert len(stores.uniform.classes) == 4096 and len(stores.listed.weights) == 4
    found = stored_synapses(stores, wirings, populations, layout)[0]
    assert sorted(weight for _, _, weight, _ in found) == list(range(n))


def test_without_synapses_stores_are_empty():
    populations = [sp.Population("a", sp.LIF(), 3)]
    layout = layout_of(populations, [0], 2)
    rules = [sp.ExplicitList([], []), sp.FixedInDegree(0), sp.FixedProbability(0.0)]
    rules += [sp.FixedTotalNumber(0), sp.FixedOutDegree(0, multapses=False)]
    empty = [Wiring(sp.Projection("a", "a", rule, 1e6, 0.1), 0, 0, 0) for rule in rules]
    for compact in (False, True):
        for wirings in ([], empty):
            stores = make_stores(wirings, populations, layout, DT, 0, compact, 2)
            assert (stores.shortest, stores.longest, stores.n_synapses) == (0, 0, 0)
            for one in stores[:2]:
                assert one.starts.tolist() == one.bucket_starts.tolist() == [0] * 7
                assert len(one.buckets) == len(one.rows) == len(one.packed) == 0
        # The types decide what is compiled.
        kinds = [
            [(array.dtype, array.ndim) for one in made[:2] for array in one[:-1]]
            for made in (
                make_stores(wirings, populations, layout, DT, 0, compact, 2)
                for wirings in ([], empty)
            )
        ]
        assert kinds[0] == kinds[1]
    no_ports = Layout(np.array([[0, 3]]), np.zeros((1, 0), dtype=np.int64))
    assert make_stores([], populations, no_ports, DT, 0, False, 1).n_synapses == 0


@pytest.mark.parametrize("n", [0, 1, 2, 24, 25, 1000])
@pytest.mark.parametrize(("low", "high"), [(5, 5), (5, 9), (0, 24), (13, 37), (3, 63)])
def test_records_are_sorted_stably(n, low, high):
    rng = np.random.default_rng(n)
    records = rng.integers(0, 2**high, n)
    given = records.copy()
    other = np.zeros(n, dtype=np.int64)
    swapped = sort_records(records, other, n, low, high, np.zeros(256, dtype=np.int64))
    found = other if swapped else records
    assert found.tolist() == sorted(given.tolist(), key=lambda record: record >> low)


class Interrupt(Exception):
    pass


@pytest.mark.parametrize("threads", [1, 2])
def test_an_interrupt_ends_the_work(monkeypatch, threads):
    monkeypatch.setattr(filling, "_CHUNK", 10)
    monkeypatch.setattr(filling, "_JOB", 50)
    populations, wirings, ports = network()
    layout = layout_of(populations, ports, 1)

    def check_interrupt():
        raise Interrupt

    with pytest.raises(Interrupt):
        make_stores(wirings, populations, layout, DT, 0, False, threads, check_interrupt)


@pytest.mark.parametrize("threads", [1, 2])
def test_an_interrupt_ends_jobs_at_their_next_pause(threads):
    calls = []

    def check_interrupt():
        calls.append(1)
        if len(calls) == 3:
            raise Interrupt

    def endless():
        while True:
            yield time.sleep(1e-4)

    with pytest.raises(Interrupt), Pool(threads, check_interrupt) as pool:
        pool.run([endless(), endless(), endless()])
    assert len(calls) == 3


@pytest.mark.parametrize("threads", [1, 2])
def test_an_error_of_one_job_ends_all(threads):
    ended = []

    def endless():
        while True:
            yield time.sleep(1e-4)

    def failing():
        yield
        raise Interrupt

    def ending():
        yield
        ended.append(1)

    with pytest.raises(Interrupt), Pool(threads) as pool:
        pool.run([ending(), failing(), endless() if threads > 1 else ending()])
    assert ended == [1]


def test_the_room_is_that_of_the_synapses():
    populations = [sp.Population("a", sp.LIF(), 3_000_000)]

    def refused(rule, weight, **options):
        projection = sp.Projection("a", "a", rule, weight)
        with pytest.raises(NotEnoughMemoryError, match=r"Projection\.rule: \d+ synapses") as error:
            require_room(sp.Network(populations, [projection]), **options)
        return int(str(error.value).split("(")[1].split(" ")[0])

    n = 9 * 10**12
    assert 2 * n < refused(sp.AllToAll(), 1.0) < 3 * n
    assert 4 * n < refused(sp.AllToAll(), sp.Normal(0.0, 1.0), compact=True) < 6 * n
    assert 10 * n < refused(sp.AllToAll(), sp.Normal(0.0, 1.0)) < 12 * n
    assert 2 * n < refused(sp.FixedTotalNumber(n), 1.0) < 3 * n
    many = [sp.Projection("a", "a", sp.FixedTotalNumber(10**8), 1.0) for _ in range(1000)]
    with pytest.raises(NotEnoughMemoryError, match=r"Network\.projections: 100000000000 synapses"):
        require_room(sp.Network(populations, many))


def test_errors_name_the_projection_on_any_thread():
    populations = [sp.Population("a", sp.LIF(), 30), sp.Population("b", sp.LIF(), 30)]
    delay = sp.Normal(0.5, 0.2)
    wirings = [Wiring(sp.Projection("a", "b", sp.AllToAll(), 1.0, delay), 0, 1, 0)]
    layout = layout_of(populations, [1], 1)
    for threads in (1, 2):
        with pytest.raises(ParameterError, match=r"at least one step.*from 'a' to 'b'"):
            make_stores(wirings, populations, layout, DT, 0, False, threads)


def test_conductances_draw_no_negative_weights():
    population = sp.Population("a", sp.LIF(), 4)
    for weight in (sp.Normal(5.0, 2.0), sp.Uniform(-1.0, 1.0)):
        projection = sp.Projection(
            "a", "a", sp.AllToAll(), weight, synapse=sp.ConductanceExponential()
        )
        layout = layout_of([population], [0], 1)
        with pytest.raises(ParameterError, match=r"Projection\.weight.*at least 0.*low=0"):
            make_stores([Wiring(projection, 0, 0, 0)], [population], layout, DT, 0, False, 1)
