import numpy as np
import pytest
from numba import config
from scipy import stats

import spikesim as sp
from spikesim.distributions import Distribution
from spikesim.engine import variates
from spikesim.engine.connect import _order, draw_rows
from spikesim.engine.pool import Pool
from spikesim.engine.store import Layout, Wiring, make_stores
from spikesim.errors import ParameterError
from tests.naive_connect import drawn_synapses, stored_synapses

SCALE = 1 if config.DISABLE_JIT else 10
DT = 0.1


def one_block(populations):
    sizes = [p.n for p in populations]
    bounds = np.array([[0, n] for n in sizes])
    return Layout(bounds, np.array([np.cumsum([0, *sizes[:-1]])]))


def connected(rule, weight=1.0, delay=1.0, n=(12, 9), seed=3, positions=None, **options):
    """Return (source, target, weight, delay) of all synapses, sorted."""
    populations, projection = described(rule, weight, delay, n, positions)
    target = len(populations) - 1
    wirings = [Wiring(projection, 0, target, target)]
    layout = one_block(populations)
    arguments = {"compact": False, "threads": 1} | options
    stores = make_stores(wirings, populations, layout, DT, seed, **arguments)
    return sorted(stored_synapses(stores, wirings, populations, layout)[target])


def described(rule, weight=1.0, delay=1.0, n=(12, 9), positions=None):
    sizes = n if isinstance(n, tuple) else (n,)
    populations = [
        sp.Population(f"p{i}", sp.LIF(), size, None if positions is None else positions[:size])
        for i, size in enumerate(sizes)
    ]
    projection = sp.Projection(populations[0], populations[-1], rule, weight, delay)
    projection.check(populations[0], populations[-1])
    return populations, projection


def pairs(rule, n=(12, 9), seed=3, **options):
    found = np.array([s[:2] for s in connected(rule, n=n, seed=seed, **options)], dtype=int)
    return found.reshape(-1, 2)


POSITIONS = np.random.default_rng(0).uniform(0.0, 1.0, (20, 2))
NEAR = sp.DistanceDependent(sp.GaussianProfile(0.9, 0.3), period=1.0)
RULES = {
    "all": sp.AllToAll(),
    "all but itself": sp.AllToAll(autapses=False),
    "probability": sp.FixedProbability(0.2),
    "high probability": sp.FixedProbability(0.8, autapses=False),
    "in-degree": sp.FixedInDegree(5),
    "in-degree, distinct": sp.FixedInDegree(3, False, False),
    "high in-degree, distinct": sp.FixedInDegree(8, False, False),
    "out-degree": sp.FixedOutDegree(7, autapses=False),
    "out-degree, distinct": sp.FixedOutDegree(4, multapses=False),
    "high out-degree, distinct": sp.FixedOutDegree(7, False, False),
    "total": sp.FixedTotalNumber(40),
    "total, distinct": sp.FixedTotalNumber(30, False, False),
    "high total, distinct": sp.FixedTotalNumber(70, False, False),
    "list": sp.ExplicitList([3, 0, 3, 3, 7], [1, 2, 1, 0, 8]),
    "distance": NEAR,
    "distance, not itself": sp.DistanceDependent(lambda d: np.exp(-d), 0.7, autapses=False),
}
DRAWN = {
    "constant": (2.0, 1.5),
    "normal": (sp.Normal(5.0, 3.0, low=1.0), sp.Normal(1.5, 0.75, low=0.05)),
    "lognormal, uniform": (sp.LogNormal(3.0, 2.0, high=9.0), sp.Uniform(0.5, 2.0)),
    "uniform, lognormal": (sp.Uniform(-2.0, 4.0), sp.LogNormal(1.5, 0.5, low=0.3)),
}


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES.keys())
@pytest.mark.parametrize("drawn", DRAWN.values(), ids=DRAWN.keys())
@pytest.mark.parametrize("n", [(12, 9), 9], ids=["two populations", "one population"])
def test_each_rule_draws_what_its_slow_twin_draws(rule, drawn, n):
    populations, projection = described(rule, *drawn, n, POSITIONS)
    expected = sorted(drawn_synapses(projection, populations[0], populations[-1], DT, 3, 0))
    found = connected(rule, *drawn, n, positions=POSITIONS)
    assert len(found) == len(expected)
    np.testing.assert_allclose(found, expected, rtol=1e-13)


def test_long_rows_are_drawn_like_their_twin():
    n = 1500
    for rule in (sp.FixedOutDegree(n), sp.FixedOutDegree(n // 3, multapses=False)):
        rule = type(rule)(rule.k // (1 if SCALE > 1 else 10), multapses=rule.multapses)
        drawn = sp.Normal(1.0, 0.5, low=-0.2), sp.Uniform(0.1, 1.0)
        populations, projection = described(rule, *drawn, (2, n))
        expected = sorted(drawn_synapses(projection, *populations, DT, 3, 0))
        np.testing.assert_allclose(connected(rule, *drawn, (2, n)), expected, rtol=1e-12)


def test_all_to_all_and_one_to_one():
    assert pairs(sp.AllToAll(), (3, 4)).tolist() == [[i, j] for i in range(3) for j in range(4)]
    without = [[i, j] for i in range(5) for j in range(5) if i != j]
    assert pairs(sp.AllToAll(autapses=False), 5).tolist() == without
    assert len(pairs(sp.AllToAll(autapses=False), (5, 5))) == 25
    assert pairs(sp.OneToOne(), (4, 4)).tolist() == [[i, i] for i in range(4)]


def check_counts(counts, law, pool=5.0):
    """Compare counts with a discrete law, by chi-square over values that are expected often."""
    values = np.arange(counts.max() + 2)
    expected = counts.size * law.pmf(values)
    observed = np.bincount(counts.ravel(), minlength=len(values)).astype(float)
    kept = expected >= pool
    observed = np.append(observed[kept], observed[~kept].sum())
    expected = np.append(expected[kept], counts.size - expected[kept].sum())
    if expected[-1] < pool:
        observed[-2] += observed[-1]
        expected[-2] += expected[-1]
        observed, expected = observed[:-1], expected[:-1]
    assert stats.chisquare(observed, expected).pvalue > 1e-3


def matrices(rule, n, seeds):
    """Return how many synapses each pair has, one matrix a seed."""
    found = np.zeros((seeds, n, n), dtype=int)
    for seed in range(seeds):
        np.add.at(found[seed], tuple(pairs(rule, n, seed).T), 1)
    return found


@pytest.mark.parametrize("p", [0.02, 0.3, 0.9])
@pytest.mark.parametrize("autapses", [True, False])
def test_fixed_probability_connects_each_pair_with_p(p, autapses):
    n, seeds = 10 + 2 * SCALE, 4 * SCALE
    found = matrices(sp.FixedProbability(p, autapses), n, seeds)
    assert found.max() == 1
    of_pairs = found.sum(axis=0)
    if not autapses:
        assert not np.diag(of_pairs).any()
        of_pairs = of_pairs[~np.eye(n, dtype=bool)]
    assert stats.binomtest(int(of_pairs.sum()), seeds * of_pairs.size, p).pvalue > 1e-3
    check_counts(of_pairs, stats.binom(seeds, p))
    per_row = n if autapses else n - 1
    check_counts(found.sum(axis=2), stats.binom(per_row, p))
    check_counts(found.sum(axis=1), stats.binom(per_row, p))


@pytest.mark.parametrize(("p", "count"), [(0.0, 0), (1.0, 108), (1e-300, 0)])
def test_fixed_probability_at_its_ends(p, count):
    assert len(pairs(sp.FixedProbability(p))) == count


@pytest.mark.parametrize("autapses", [True, False])
@pytest.mark.parametrize("multapses", [True, False])
@pytest.mark.parametrize("kind", [sp.FixedInDegree, sp.FixedOutDegree])
def test_fixed_degrees_are_exact_and_the_other_end_is_uniform(kind, autapses, multapses):
    n, k, seeds = 20, 12, 3 * SCALE
    found = matrices(kind(k, autapses, multapses), n, seeds)
    own, other = (1, 2) if kind is sp.FixedInDegree else (2, 1)
    assert np.all(found.sum(axis=own) == k)
    assert stats.chisquare(found.sum(axis=(0, own % 2 + 1) if own == 2 else (0, 1))).pvalue > 1e-3
    of_pairs = found.sum(axis=0)
    per_row = n - (not autapses)
    if not autapses:
        assert not np.diag(of_pairs).any()
        of_pairs = of_pairs[~np.eye(n, dtype=bool)]
    if multapses:
        assert found.max() > 1
        check_counts(found.sum(axis=other), stats.binom(per_row * k, 1 / per_row))
    else:
        assert found.max() == 1
        check_counts(of_pairs, stats.binom(seeds, k / per_row))
        check_counts(found.sum(axis=other), stats.binom(per_row, k / per_row))


@pytest.mark.parametrize("autapses", [True, False])
@pytest.mark.parametrize(("multapses", "total"), [(True, 300), (False, 60), (False, 350)])
def test_a_fixed_total_number_is_exact_and_its_pairs_uniform(autapses, multapses, total):
    n, seeds = 20, 4 * SCALE
    found = matrices(sp.FixedTotalNumber(total, autapses, multapses), n, seeds)
    assert np.all(found.sum(axis=(1, 2)) == total)
    of_pairs = found.sum(axis=0)
    n_pairs = n * (n if autapses else n - 1)
    if not autapses:
        assert not np.diag(of_pairs).any()
        of_pairs = of_pairs[~np.eye(n, dtype=bool)]
    assert stats.chisquare(of_pairs.ravel()).pvalue > 1e-3 or not multapses
    per_row = n_pairs // n
    if multapses:
        check_counts(found.sum(axis=2), stats.binom(total, 1 / n))
        check_counts(found.sum(axis=1), stats.binom(total, 1 / n))
    else:
        assert found.max() == 1
        check_counts(of_pairs, stats.binom(seeds, total / n_pairs))
        check_counts(found.sum(axis=2), stats.hypergeom(n_pairs, per_row, total))
        check_counts(found.sum(axis=1), stats.hypergeom(n_pairs, per_row, total))


def test_connections_by_distance_follow_their_profile():
    n = 20 * SCALE
    positions = np.random.default_rng(1).uniform(0.0, 1.0, (n, 2))
    found = pairs(NEAR, n, positions=positions)
    p = NEAR.probabilities(NEAR.distances(positions, positions))
    edges = np.quantile(p, np.linspace(0.0, 1.0, 11))
    level = np.clip(np.searchsorted(edges, p, side="right") - 1, 0, 9)
    observed = np.bincount(level[tuple(found.T)], minlength=10)
    expected = np.bincount(level.ravel(), weights=p.ravel())
    spread = np.sqrt(np.bincount(level.ravel(), weights=(p * (1 - p)).ravel()))
    assert np.all(np.abs(observed - expected) < 4 * spread)


@pytest.mark.parametrize(
    ("distribution", "law"),
    [
        (sp.Normal(3.0, 2.0), stats.norm(3.0, 2.0)),
        (sp.Normal(1.0, 2.0, low=0.0), stats.truncnorm(-0.5, np.inf, 1.0, 2.0)),
        (sp.Normal(0.0, 1.0, -0.5, 2.0), stats.truncnorm(-0.5, 2.0)),
        (sp.Uniform(-1.0, 4.0), stats.uniform(-1.0, 5.0)),
        (
            sp.LogNormal(3.0, 2.0),
            stats.lognorm(np.sqrt(np.log(1 + 4 / 9)), scale=3.0 / np.sqrt(1 + 4 / 9)),
        ),
    ],
)
def test_weights_and_delays_follow_their_law(distribution, law):
    n = 60 * SCALE
    found = np.array(connected(sp.AllToAll(), distribution, n=(n, n)))
    assert stats.kstest(found[:, 2], law.cdf).pvalue > 1e-3
    # Rounded to steps of 0.1 ms: compare with the law of the rounded.
    late = np.array(connected(sp.AllToAll(), 1.0, sp.Normal(3.0, 0.5), n=(n, n)))[:, 3]
    steps = np.arange(0, 70)
    cdf = stats.norm(30.0, 5.0).cdf(steps + 0.5)
    check_counts(late.astype(int), stats.rv_discrete(values=(steps, np.diff(cdf, prepend=0.0))))


def test_weights_delays_and_targets_are_drawn_apart():
    n = 30 * SCALE
    found = np.array(
        connected(sp.FixedOutDegree(n), sp.Normal(0.0, 1.0), sp.Uniform(1.0, 5.0), n=(n, n))
    )
    correlation = np.corrcoef(found.T)
    assert np.abs(correlation - np.eye(4)).max() < 4.5 / np.sqrt(len(found))
    weights = found[:, 2]
    assert abs(np.corrcoef(weights[1:], weights[:-1])[0, 1]) < 4.5 / np.sqrt(len(found))


def test_projections_and_seeds_draw_apart():
    first = pairs(sp.FixedProbability(0.5))
    assert not np.array_equal(first, pairs(sp.FixedProbability(0.5), seed=4))
    populations, projection = described(sp.FixedOutDegree(5), n=20)
    layout = one_block(populations)
    wirings = [Wiring(projection, 0, 0, 0)] * 2
    stores = make_stores(wirings, populations, layout, DT, 0, False, 1)
    one = make_stores(wirings[:1], populations, layout, DT, 0, False, 1)
    found = stored_synapses(stores, wirings, populations, layout)[0]
    alone = stored_synapses(one, wirings, populations, layout)[0]
    assert len(found) == 200 and set(alone) <= set(found)
    assert sorted(found) != sorted(alone * 2)


@pytest.mark.parametrize("threads", [1, 2])
def test_an_explicit_list_may_come_in_any_order(threads):
    rng = np.random.default_rng(5)
    n = 50
    pre, post = rng.integers(0, 4, n), rng.integers(0, 3, n)
    weight, delay = rng.normal(size=n), rng.integers(1, 4, n) * DT
    found = connected(sp.ExplicitList(pre, post), weight, delay, (4, 3), threads=threads)
    steps = np.rint(delay / DT).astype(int)
    assert found == sorted(zip(pre, post, weight, steps, strict=True))
    for _ in range(3):
        order = rng.permutation(n)
        shuffled = described(
            sp.ExplicitList(pre[order], post[order]), weight[order], delay[order], (4, 3)
        )
        layout = one_block(shuffled[0])
        wirings = [Wiring(shuffled[1], 0, 1, 1)]
        again = make_stores(wirings, shuffled[0], layout, DT, 3, False, threads)
        order = stored_synapses(again, wirings, shuffled[0], layout)[1]
        assert sorted(order) == found
        if _ == 0:
            first = order
        assert order == first


def test_a_list_is_put_in_order_by_source_target_delay_and_weight():
    """The twin sorts tuples; where all is equal, the place in the list decides."""
    rng = np.random.default_rng(6)
    for n in (0, 1, 2, 200):
        pre, post = rng.integers(0, 9, n), rng.integers(0, 7, n)
        weight, delay = rng.integers(-1, 2, n) * 0.5, rng.integers(1, 3, n) * DT
        rule = sp.ExplicitList(pre, post)
        for w, d in ((weight, delay), (weight, 1.0), (2.0, delay), (2.0, 1.0)):
            projection = sp.Projection("a", "b", rule, w, d)
            columns = [pre, post, np.broadcast_to(d, n), np.broadcast_to(w, n), np.arange(n)]
            twin = [row[-1] for row in sorted(zip(*columns, strict=True))]
            assert _order(rule, projection).tolist() == twin


def test_weights_and_delays_as_arrays():
    matrix = np.arange(12.0).reshape(3, 4)
    dense = np.array(connected(sp.AllToAll(), matrix, DT * (matrix + 1), (3, 4)))
    np.testing.assert_array_equal(dense[:, 2], matrix.ravel())
    np.testing.assert_array_equal(dense[:, 3], matrix.ravel() + 1)
    square = np.arange(16.0).reshape(4, 4)
    off = np.array(connected(sp.AllToAll(autapses=False), square, DT * (square + 1), 4))
    np.testing.assert_array_equal(off[:, 2], square[~np.eye(4, dtype=bool)])
    np.testing.assert_array_equal(off[:, 3], off[:, 2] + 1)
    single = np.array(connected(sp.OneToOne(), [5.0, 6.0], [0.3, 0.1], (2, 2)))
    assert single.tolist() == [[0, 0, 5, 3], [1, 1, 6, 1]]


def test_a_sparse_matrix_is_its_entries():
    from scipy import sparse

    dense = np.array([[0.0, 1.5, 0.0], [-2.0, 0.0, 3.0]])
    found = connected(sp.SparseMatrix(sparse.csc_array(dense)), None, 0.2, (2, 3))
    assert found == [(0, 1, 1.5, 2), (1, 0, -2.0, 2), (1, 2, 3.0, 2)]


class Steps(Distribution):
    def draw(self, rng, n):
        return rng.choice([0.1, 0.3, 0.52], n)


class Shifted(sp.Normal):
    def draw(self, rng, n):
        return super().draw(rng, n) + 100.0


def test_distributions_of_ones_own():
    found = np.array(connected(sp.FixedProbability(0.8), Shifted(0.0, 1.0), Steps(), (40, 40)))
    assert set(found[:, 3]) == {1.0, 3.0, 5.0}
    assert stats.kstest(found[:, 2] - 100.0, "norm").pvalue > 1e-3
    rule = sp.FixedInDegree(20)
    again = connected(rule, Shifted(0.0, 1.0), Steps(), (40, 40))
    assert again == connected(rule, Shifted(0.0, 1.0), Steps(), (40, 40), threads=2)


def test_a_distribution_without_spread_is_a_number():
    found = np.array(connected(sp.AllToAll(), sp.Normal(2.5, 0.0), sp.LogNormal(0.3, 0.0)))
    assert set(found[:, 2]) == {2.5} and set(found[:, 3]) == {3.0}
    hidden = np.array(connected(sp.AllToAll(), sp.LogNormal(3.0, 1e-200), sp.Uniform(0.2, 0.2)))
    assert set(hidden[:, 2]) == {3.0} and set(hidden[:, 3]) == {2.0}


@pytest.mark.parametrize(
    ("delay", "words"),
    [
        (0.17, r"delay must be a multiple of dt = 0\.1 ms, got 0\.17 ms; delay_rounding"),
        (0.05, "at least one step of dt"),
        (sp.Uniform(0.0, 0.2), r"Projection\.delay must be at least one step of dt = 0\.1 ms"),
        (sp.Normal(0.3, 0.2), r"Projection\.delay must be at least one step"),
        (1e9, r"Projection\.delay must be shorter"),
        (sp.Normal(1e9, 1.0), r"Projection\.delay must be shorter"),
    ],
)
def test_delays_that_cannot_be_are_refused(delay, words):
    with pytest.raises(ParameterError, match=words + r".*\(projection from 'p0' to 'p1'\)"):
        connected(sp.AllToAll(), 1.0, delay, (20, 20))


def test_weights_that_may_overflow_are_refused():
    with pytest.raises(ParameterError, match=r"Projection\.weight.*not finite"):
        connected(sp.AllToAll(), sp.Normal(1e308, 1e308))


def test_delays_off_the_grid_are_rounded_if_asked_to():
    populations = [sp.Population("a", sp.LIF(), 2)]
    projection = sp.Projection("a", "a", sp.OneToOne(), 1.0, [0.17, 0.24], delay_rounding="nearest")
    with Pool(1) as pool:
        drawing = draw_rows(projection, *populations * 2, DT, 0, 0, pool)
    assert drawing.delay.listed.tolist() == [2.0, 2.0]


def test_logarithm_and_normal_numbers_are_those_of_the_library():
    rng = np.random.default_rng(2)
    for x in (*rng.random(50 * SCALE), 2.0**-33, 1.0 - 2.0**-33, 0.5, 1.0):
        assert variates.log(x) == pytest.approx(np.log(x), rel=1e-15, abs=1e-16)
    words = rng.integers(0, 2**32, (50 * SCALE, 2)).tolist()
    edges = [0, 1, 2**29, 2**29 - 1, 2**30, 2**31, 3 * 2**30, 2**32 - 2**29, 2**32 - 1]
    for w0, w1 in words + [[w0, w1] for w0 in edges for w1 in edges]:
        radius = np.sqrt(-2 * np.log((w0 + 0.5) / 2**32))
        angle = 2 * np.pi * w1 / 2**32
        expected = radius * np.cos(angle), radius * np.sin(angle)
        assert variates.normal_pair(w0, w1) == pytest.approx(expected, rel=1e-14, abs=1e-14)


def test_whole_numbers_are_uniform_where_words_are_left_over():
    # 3 * 2^29 leaves a quarter of all words over.
    n = 3 * 2**29
    k = 1000 * SCALE
    chosen, words = np.empty(k, dtype=np.int64), np.empty((4, variates.CALLS), dtype=np.int64)
    seen = np.zeros(0, dtype=np.uint8)
    variates.choose(chosen, k, n, False, seen, words, 5, variates.TARGETS, 1, 2)
    assert stats.kstest(chosen / n, "uniform").pvalue > 1e-3
    assert stats.chisquare(np.bincount(chosen % 3, minlength=3)).pvalue > 1e-3


@pytest.mark.parametrize("delay", [0.05, 0.07, [0.3, 0.04]])
@pytest.mark.parametrize("rounding", ["error", "nearest"])
def test_a_delay_below_a_step_is_not_told_to_be_rounded(delay, rounding):
    a = sp.Population("a", sp.LIF(), np.size(delay))
    item = sp.Projection(a, a, sp.OneToOne(), 1.0, delay, delay_rounding=rounding)
    with pytest.raises(ParameterError, match=r"must be at least one step of dt") as caught:
        sp.simulate(sp.Network([a], [item]), 1.0)
    assert "nearest" not in str(caught.value)
