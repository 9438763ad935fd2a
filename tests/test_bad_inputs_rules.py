"""What a user can get wrong when connecting: the error names the argument and what is allowed."""

import math
import re

import numpy as np
import pytest
from scipy import sparse

import spikesim as sp
from spikesim.errors import SpikesimError

NAN, INF = math.nan, math.inf
GAUSS = sp.GaussianProfile(0.5, 1.0)


def connected(rule, weight=1.0, n_pre=3, n_post=4, here=None, there=None, **arguments):
    a = sp.Population("a", sp.LIF(), n_pre, here)
    b = sp.Population("b", sp.LIF(), n_post, there)
    return sp.Network([a, b], [sp.Projection(a, b, rule, weight, **arguments)])


def recurrent(rule, n=3, positions=None):
    a = sp.Population("a", sp.LIF(), n, positions)
    return sp.Network([a], [sp.Projection(a, a, rule, 1.0)])


def placed(positions, n=3):
    return sp.Population("a", sp.LIF(), n, positions)


def matrix(entries, **arguments):
    return sp.SparseMatrix(sparse.coo_array(entries, **({"shape": (3, 4)} | arguments)))


BAD = {
    "negative out-degree": (
        lambda: sp.FixedOutDegree(-1),
        ValueError,
        "FixedOutDegree.k must be at least 0, got -1",
    ),
    "fractional out-degree": (lambda: sp.FixedOutDegree(1.5), TypeError, "FixedOutDegree.k"),
    "number as autapses": (lambda: sp.FixedOutDegree(1, 1), TypeError, "FixedOutDegree.autapses"),
    "text as multapses": (
        lambda: sp.FixedOutDegree(1, multapses="no"),
        TypeError,
        "FixedOutDegree.multapses must be True or False, got 'no' (str)",
    ),
    "out-degree beyond the targets": (
        lambda: connected(sp.FixedOutDegree(5, multapses=False)),
        ValueError,
        "FixedOutDegree.k must be at most 4, the number of targets a source may have without "
        "multapses, got 5 (projection from 'a' to 'b')",
    ),
    "out-degree beyond the others": (
        lambda: recurrent(sp.FixedOutDegree(3, autapses=False, multapses=False)),
        ValueError,
        "FixedOutDegree.k must be at most 2",
    ),
    "no target at all": (
        lambda: recurrent(sp.FixedOutDegree(1, autapses=False), 1),
        ValueError,
        "FixedOutDegree.k must be 0 where the only target is the source itself and autapses are "
        "excluded, got 1",
    ),
    "negative total": (lambda: sp.FixedTotalNumber(-1), ValueError, "FixedTotalNumber.n"),
    "total in exponential notation": (
        lambda: sp.FixedTotalNumber(1e6),
        TypeError,
        "FixedTotalNumber.n must be an integer, got 1000000.0 (float)",
    ),
    "total beyond the pairs": (
        lambda: connected(sp.FixedTotalNumber(13, multapses=False)),
        ValueError,
        "FixedTotalNumber.n must be at most 12, the number of pairs that can be connected without "
        "multapses, got 13",
    ),
    "total beyond the other pairs": (
        lambda: recurrent(sp.FixedTotalNumber(7, autapses=False, multapses=False)),
        ValueError,
        "FixedTotalNumber.n must be at most 6",
    ),
    "no pair at all": (
        lambda: recurrent(sp.FixedTotalNumber(1, autapses=False), 1),
        ValueError,
        "FixedTotalNumber.n must be 0 where the only pair is a neuron with itself",
    ),
    "listed weights of random synapses": (
        lambda: connected(sp.FixedTotalNumber(2), [1.0, 2.0]),
        ValueError,
        "Projection.weight must be a number or a Distribution with FixedTotalNumber",
    ),
    "misspelt multapses": (
        lambda: sp.FixedTotalNumber(2, multapse=False),
        TypeError,
        "'multapse' (did you mean 'multapses'?)",
    ),
    # Positions.
    "positions of others": (
        lambda: placed([1.0, 2.0]),
        ValueError,
        "Population.positions must have shape (3,), (3, 1) or (3, 2), one row a neuron, got (2,)",
    ),
    "positions the other way round": (
        lambda: placed(np.zeros((2, 3))),
        ValueError,
        "got (2, 3)",
    ),
    "positions in space": (lambda: placed(np.zeros((3, 3))), ValueError, "Population.positions"),
    "NaN position": (
        lambda: placed([0.0, NAN, 1.0]),
        ValueError,
        "Population.positions[1] is nan",
    ),
    "infinite position": (
        lambda: placed([[0.0, 1.0], [0.0, INF], [1.0, 1.0]]),
        ValueError,
        "Population.positions[1, 1] is inf",
    ),
    "position beyond squaring": (
        lambda: placed([0.0, -1e200, 1.0]),
        ValueError,
        "Population.positions[1] must lie within 1e+150 of 0, so that a distance can be squared, "
        "got -1e+200",
    ),
    "text as positions": (lambda: placed("grid"), TypeError, "Population.positions"),
    "complex positions": (lambda: placed([0j, 1j, 2j]), ValueError, "Population.positions"),
    "ragged positions": (lambda: placed([[0.0], [1.0, 2.0], [3.0]]), TypeError, "positions"),
    "empty grid": (
        lambda: sp.grid_positions(0, extent=1.0),
        ValueError,
        "grid_positions.n_x must be at least 1, got 0",
    ),
    "fractional grid": (
        lambda: sp.grid_positions(2, 2.0, extent=1.0),
        TypeError,
        "grid_positions.n_y",
    ),
    "grid without extent": (
        lambda: sp.grid_positions(2, extent=0.0),
        ValueError,
        "grid_positions.extent must be greater than 0, got 0",
    ),
    "line of two extents": (
        lambda: sp.grid_positions(2, extent=(1.0, 2.0)),
        ValueError,
        "grid_positions.extent must be one number on a line, got 2 of them",
    ),
    "plane of three extents": (
        lambda: sp.grid_positions(2, 2, extent=[1.0, 2.0, 3.0]),
        ValueError,
        "grid_positions.extent must be one number, or one each for x and y, got 3 of them",
    ),
    # Distance.
    "probability above one": (
        lambda: sp.DistanceDependent(1.5),
        ValueError,
        "DistanceDependent.p must lie in [0, 1], got 1.5",
    ),
    "text as probability": (
        lambda: sp.DistanceDependent("exp(-d)"),
        TypeError,
        "DistanceDependent.p must be a probability or a function of distance, got 'exp(-d)' (str)",
    ),
    "class as profile": (
        lambda: sp.DistanceDependent(sp.GaussianProfile),
        TypeError,
        "DistanceDependent.p must be a probability or a function of distance, got the class "
        "GaussianProfile",
    ),
    "probability of a profile above one": (
        lambda: sp.GaussianProfile(1.5, 1.0),
        ValueError,
        "GaussianProfile.p_max must lie in [0, 1], got 1.5",
    ),
    "NaN probability of a profile": (
        lambda: sp.ExponentialProfile(NAN, 1.0),
        ValueError,
        "ExponentialProfile.p_max",
    ),
    "profile without width": (lambda: sp.GaussianProfile(0.5, 0.0), ValueError, "Profile.sd"),
    "profile of negative length": (
        lambda: sp.ExponentialProfile(0.5, -1.0),
        ValueError,
        "ExponentialProfile.length must be greater than 0, got -1",
    ),
    "negative largest distance": (
        lambda: sp.DistanceDependent(0.5, -1.0),
        ValueError,
        "DistanceDependent.max_distance must be at least 0, got -1",
    ),
    "NaN largest distance": (
        lambda: sp.DistanceDependent(0.5, NAN),
        ValueError,
        "DistanceDependent.max_distance must be a number other than NaN, got nan",
    ),
    "truth as period": (
        lambda: sp.DistanceDependent(0.5, period=True),
        TypeError,
        "DistanceDependent.period",
    ),
    "period of zero": (
        lambda: sp.DistanceDependent(0.5, period=(1.0, 0.0)),
        ValueError,
        "DistanceDependent.period[1] must be greater than 0, got 0",
    ),
    "endless period": (
        lambda: sp.DistanceDependent(0.5, period=INF),
        ValueError,
        "DistanceDependent.period",
    ),
    "no positions": (
        lambda: connected(sp.DistanceDependent(0.5), here=[0.0, 1.0, 2.0]),
        ValueError,
        "Population.positions must be given for DistanceDependent; population 'b' has none "
        "(projection from 'a' to 'b')",
    ),
    "positions of two dimensions": (
        lambda: connected(GAUSS_RULE, here=[0.0, 1.0, 2.0], there=np.zeros((4, 2))),
        ValueError,
        "Population.positions of 'a' and 'b' must have one number of dimensions for "
        "DistanceDependent, got 1 and 2",
    ),
    "period of a plane on a line": (
        lambda: recurrent(sp.DistanceDependent(0.5, period=(9.0, 9.0)), 3, [0.0, 1.0, 2.0]),
        ValueError,
        "DistanceDependent.period must be one number on a line, got 2 of them",
    ),
    "layout beyond its period": (
        lambda: recurrent(sp.DistanceDependent(0.5, period=9.0), 3, [[0, 0], [1, 9.5], [2, 3]]),
        ValueError,
        "DistanceDependent.period must be at least 9.5 along y, the length of the layout of 'a', "
        "got 9",
    ),
    "listed weights by distance": (
        lambda: recurrent_weights([1.0, 2.0]),
        ValueError,
        "Projection.weight must be a number or a Distribution with DistanceDependent",
    ),
    # Sparse matrices.
    "dense matrix": (
        lambda: sp.SparseMatrix(np.eye(3)),
        TypeError,
        "SparseMatrix.matrix must be a sparse matrix of scipy, got ndarray; "
        "scipy.sparse.csr_array(matrix) makes one",
    ),
    "text as matrix": (lambda: sp.SparseMatrix("m.npz"), TypeError, "got str"),
    "pair twice": (
        lambda: matrix(([1.0, 2.0, 3.0], ([2, 0, 2], [1, 0, 1]))),
        ValueError,
        "SparseMatrix.matrix has several entries at [2, 1]; add them up with .sum_duplicates(), "
        "or give each its synapse in an ExplicitList",
    ),
    "NaN in a matrix": (
        lambda: matrix(([1.0, NAN], ([2, 0], [1, 3]))),
        ValueError,
        "SparseMatrix.matrix[0, 3] is nan",
    ),
    "infinity in a matrix": (
        lambda: matrix(([-INF, 1.0], ([2, 0], [1, 3]))),
        ValueError,
        "SparseMatrix.matrix[2, 1] is -inf",
    ),
    "complex matrix": (
        lambda: matrix(([1j], ([2], [1]))),
        ValueError,
        "SparseMatrix.matrix: complex data not supported",
    ),
    "matrix of others": (
        lambda: connected(matrix(([1.0], ([0], [0])), shape=(4, 3)), None),
        ValueError,
        "SparseMatrix.matrix must have shape (3, 4), one row a source and one column a target, "
        "got (4, 3) (projection from 'a' to 'b')",
    ),
    "weights of another number than entries": (
        lambda: connected(matrix(([1.0], ([0], [0]))), [1.0, 2.0]),
        ValueError,
        "Projection.weight must have shape (1,), got (2,)",
    ),
    "no weight": (
        lambda: sp.Projection("a", "b", sp.OneToOne()),
        ValueError,
        "Projection.weight must be given with OneToOne; only SparseMatrix brings its own weights",
    ),
    "weight of NaN beside a matrix": (
        lambda: connected(matrix(([1.0], ([0], [0]))), NAN),
        ValueError,
        "Projection.weight must be finite",
    ),
}
GAUSS_RULE = sp.DistanceDependent(GAUSS)


def recurrent_weights(weight):
    a = placed([0.0, 1.0, 2.0])
    return sp.Network([a], [sp.Projection(a, a, GAUSS_RULE, weight)])


@pytest.mark.parametrize("case", BAD.values(), ids=BAD.keys())
def test_it_is_refused_by_name(case):
    act, kind, said = case
    with pytest.raises(kind, match=re.escape(said)) as caught:
        act()
    assert isinstance(caught.value, SpikesimError)
