"""Connection rules, positions and sparse matrices as descriptions; drawing is tested elsewhere."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

import spikesim as sp
from spikesim.errors import ParameterError


def populations(n_pre, n_post, here=None, there=None):
    return sp.Population("a", sp.LIF(), n_pre, here), sp.Population("b", sp.LIF(), n_post, there)


A, B = populations(60, 40)


@pytest.mark.parametrize(
    ("rule", "between", "within"),
    [
        (sp.AllToAll(), 2400, 3600),
        (sp.AllToAll(autapses=False), 2400, 3540),
        (sp.FixedProbability(0.5), 1200, 1800),
        (sp.FixedProbability(0.5, autapses=False), 1200, 1770),
        (sp.FixedInDegree(7), 280, 420),
        (sp.FixedOutDegree(7, autapses=False, multapses=False), 420, 420),
        (sp.FixedTotalNumber(123), 123, 123),
        (sp.ExplicitList([0, 1, 1], [5, 5, 5]), 3, 3),
    ],
)
def test_expected_synapses_are_counted(rule, between, within):
    assert rule.expected_synapses(A, B) == between
    assert rule.expected_synapses(A, A) == within


def test_one_to_one_has_one_synapse_a_neuron():
    assert sp.OneToOne().expected_synapses(A, A) == 60


def test_k_and_n_are_checked_against_the_populations_not_before():
    sp.FixedOutDegree(40, multapses=False).check(A, B)
    sp.FixedTotalNumber(2400, multapses=False).check(A, B)
    sp.FixedOutDegree(41).check(A, B)
    sp.FixedTotalNumber(2401).check(A, B)
    alone = sp.Population("one", sp.LIF())
    sp.FixedOutDegree(0, autapses=False).check(alone, alone)
    sp.FixedTotalNumber(0, autapses=False).check(alone, alone)


# Positions.


@pytest.mark.parametrize("shape", [(3,), (3, 1), (3, 2)])
def test_positions_are_kept_as_a_copy_with_a_row_a_neuron(shape):
    given = np.arange(np.prod(shape)).reshape(shape)
    kept = sp.Population("a", sp.LIF(), 3, given).positions
    assert kept.dtype == np.float64 and kept.shape == (3, shape[1] if len(shape) == 2 else 1)
    given[0] = 9
    assert kept[0, 0] == 0.0
    with pytest.raises(ValueError, match="read-only"):
        kept[0, 0] = 1.0


def test_a_grid_runs_along_x_first_and_fills_its_extent_with_cells():
    x = np.array([12.5, 37.5, 62.5, 87.5])
    np.testing.assert_allclose(sp.grid_positions(4, extent=100.0), x[:, np.newaxis])
    plane = sp.grid_positions(4, 2, extent=(100.0, 10.0))
    assert plane.shape == (8, 2)
    np.testing.assert_allclose(plane.reshape(2, 4, 2)[:, :, 0], [x, x])
    np.testing.assert_allclose(plane.reshape(2, 4, 2)[:, :, 1], [[2.5] * 4, [7.5] * 4])
    np.testing.assert_array_equal(sp.grid_positions(2, 2, extent=3.0)[:, 0], [0.75, 2.25] * 2)


coordinates = st.lists(st.floats(0.0, 1.0), min_size=2, max_size=12)


@given(coordinates, st.integers(1, 2), st.sampled_from([None, 1.0, 1.5]))
@settings(max_examples=100, deadline=None)
def test_distances_are_the_shortest_over_all_copies_of_the_layout(values, n_dimensions, period):
    here = np.array(values)[: len(values) // n_dimensions * n_dimensions].reshape(-1, n_dimensions)
    there = here[::-1] ** 2
    found = sp.DistanceDependent(0.1, period=period).distances(here, there)
    shifts = [0.0] if period is None else [-period, 0.0, period]
    for i, a in enumerate(here):
        for j, b in enumerate(there):
            copies = np.stack(np.meshgrid(*[shifts] * n_dimensions), -1).reshape(-1, n_dimensions)
            nearest = min(math.dist(a, b + shift) for shift in copies)
            assert found[i, j] == pytest.approx(nearest, abs=1e-12)


def test_a_plane_may_be_closed_with_two_periods():
    rule = sp.DistanceDependent(0.1, period=[10.0, 100.0])
    here, there = np.array([[1.0, 1.0]]), np.array([[9.0, 91.0]])
    assert rule.distances(here, there)[0, 0] == pytest.approx(math.hypot(2.0, 10.0))


# Probabilities by distance.


def test_profiles_follow_their_formulas():
    d = np.array([0.0, 2.0, 4.0])
    np.testing.assert_allclose(
        sp.GaussianProfile(0.5, 2.0)(d), 0.5 * np.exp([0.0, -0.5, -2.0]), rtol=1e-14
    )
    np.testing.assert_allclose(
        sp.ExponentialProfile(0.5, 2.0)(d), 0.5 * np.exp([0.0, -1.0, -2.0]), rtol=1e-14
    )
    disc = sp.DistanceDependent(0.3, max_distance=2.0)
    assert disc.probabilities(d).tolist() == [0.3, 0.3, 0.0]


def test_beyond_the_largest_distance_nothing_is_connected_and_nothing_is_asked():
    rule = sp.DistanceDependent(lambda d: d - 1.0, max_distance=2.0)
    assert rule.probabilities(np.array([1.0, 1.5, 2.0, 9.0])).tolist() == [0.0, 0.5, 1.0, 0.0]


def test_a_function_may_do_as_it_likes_with_its_distances():
    def tent(d):
        np.subtract(1.0, d, out=d)
        return np.maximum(d, 0.0, out=d)

    d = np.array([[0.25, 3.0]])
    assert sp.DistanceDependent(tent, max_distance=2.0).probabilities(d).tolist() == [[0.75, 0.0]]
    assert d.tolist() == [[0.25, 3.0]]


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda d: 1.1 - d, r"within \[0, 1\], got 1\.1 at distance 0$"),
        (lambda d: 0.5 - d, r"within \[0, 1\], got -0\.5 at distance 1$"),
        (lambda d: np.where(d > 0.5, np.nan, 0.0), r"DistanceDependent\.p\[1\] is nan"),
        (lambda d: np.where(d > 0.5, np.inf, 0.0), "got inf at distance 1"),
        (lambda d: 0.1, r"shape \(2,\), got shape \(\)"),
        (lambda d: d[:1] * 0.0, r"shape \(2,\), got shape \(1,\)"),
        (lambda d: d * 1j, "complex"),
    ],
)
def test_what_is_no_probability_is_refused(function, said):
    with pytest.raises(ParameterError, match=said):
        sp.DistanceDependent(function).probabilities(np.array([0.0, 1.0]))


def test_text_is_no_probability():
    with pytest.raises(TypeError, match=r"DistanceDependent\.p"):
        sp.DistanceDependent(lambda d: "often").probabilities(np.array([0.0, 1.0]))


@pytest.mark.parametrize("autapses", [True, False])
def test_the_expected_number_by_distance_is_the_sum_over_pairs(autapses):
    positions = sp.grid_positions(10, 6, extent=(100.0, 60.0))
    sheet, other = populations(60, 60, positions, positions)
    rule = sp.DistanceDependent(sp.GaussianProfile(0.8, 20.0), 45.0, (100.0, 60.0), autapses)
    p = rule.probabilities(rule.distances(positions, positions))
    own = 0.0 if autapses else 60 * 0.8
    assert rule.expected_synapses(sheet, sheet) == round(p.sum() - own)
    assert rule.expected_synapses(sheet, other) == round(p.sum())


def test_the_expected_number_is_estimated_where_pairs_are_many():
    rng = np.random.default_rng(1)
    line, big = rng.random(3000), rng.random(40_000)
    a, b = populations(3000, 40_000, line, big)
    expected = sp.DistanceDependent(0.5, max_distance=0.05, period=1.0).expected_synapses(a, b)
    assert expected == pytest.approx(3000 * 40_000 * 0.1 * 0.5, rel=0.02)


# Sparse matrices.

DENSE = np.array([[0.0, 2.0, 0.0], [-1.0, 0.0, 3.0]])


@pytest.mark.parametrize("form", ["coo", "csr", "csc", "lil", "dok", "dia", "bsr"])
@pytest.mark.parametrize("kind", ["array", "matrix"])
def test_a_sparse_matrix_of_any_format_lists_its_entries(form, kind):
    made = getattr(sparse, f"{form}_{kind}")(DENSE)
    rule = sp.SparseMatrix(made)
    listed = {(i, j): v for i, j, v in zip(rule.pre, rule.post, rule.values, strict=True) if v}
    assert listed == {(0, 1): 2.0, (1, 0): -1.0, (1, 2): 3.0}
    assert list(zip(rule.pre, rule.post, strict=True)) == sorted(
        zip(rule.pre, rule.post, strict=True)
    )
    assert rule.shape == (2, 3)
    assert (made.toarray() == DENSE).all()
    assert isinstance(rule, sp.ExplicitList)


def test_a_stored_zero_is_a_synapse():
    rule = sp.SparseMatrix(sparse.coo_array(([0.0, 5.0], ([1, 0], [0, 2])), shape=(2, 3)))
    assert repr(rule) == "SparseMatrix(2 x 3, 2 synapses)"
    assert (rule.pre.tolist(), rule.post.tolist()) == ([0, 1], [2, 0])
    assert rule.values.tolist() == [5.0, 0.0]


def test_the_values_of_a_sparse_matrix_are_the_weights_unless_others_are_given():
    a, b = populations(2, 3)
    rule = sp.SparseMatrix(sparse.csr_array(DENSE))
    own = sp.Projection(a, b, rule)
    other = sp.Projection(a, b, rule, [7.0, 8.0, 9.0], [1.0, 2.0, 3.0])
    drawn = sp.Projection(a, b, rule, sp.Normal(1.0, 0.1))
    sp.Network([a, b], [own, other, drawn])
    assert own.weight.tolist() == [2.0, -1.0, 3.0]
    assert other.weight.tolist() == [7.0, 8.0, 9.0]


def test_a_sparse_matrix_is_copied():
    matrix = sparse.csr_array(DENSE)
    rule = sp.SparseMatrix(matrix)
    matrix.data[:] = 0.0
    assert rule.values.tolist() == [2.0, -1.0, 3.0]
    with pytest.raises(ValueError, match="read-only"):
        rule.values[0] = 1.0


def test_an_empty_matrix_and_one_of_truths_are_matrices():
    assert len(sp.SparseMatrix(sparse.csr_array((4, 5))).pre) == 0
    assert sp.SparseMatrix(sparse.csr_array(DENSE != 0.0)).values.tolist() == [1.0, 1.0, 1.0]
    assert sp.SparseMatrix(sparse.csr_array(DENSE.astype(int))).values.tolist() == [2.0, -1.0, 3.0]
