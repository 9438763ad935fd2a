"""Synapses given as a sparse matrix."""

from __future__ import annotations

from dataclasses import InitVar, dataclass, field
from typing import Any

import numpy as np

from spikesim import _check
from spikesim.errors import ParameterError, ParameterTypeError
from spikesim.network.population import Population
from spikesim.network.rules import ExplicitList

__all__ = ["SparseMatrix"]


@_check.suggest_keywords
@dataclass(frozen=True, eq=False, repr=False)
class SparseMatrix(ExplicitList):
    """Synapses where a sparse matrix has entries: row i, column j is the synapse from i to j.

    Every entry that ``matrix.tocoo()`` holds is a synapse, also one that holds the value 0. A
    projection without `weight` takes the values as its weights. Weights and delays given as
    arrays have shape (n_synapses,), in the order of `pre` and `post`: row after row, each by
    ascending column.

    Parameters
    ----------
    matrix : sparse matrix or array of scipy, shape (n_pre, n_post)
        Of any format; holds at most one entry a pair. It is copied.

    Attributes
    ----------
    pre, post : ndarray of int64, shape (n_synapses,)
        Neurons of each synapse.
    values : ndarray, shape (n_synapses,)
        Value of each entry.
    shape : tuple of int
        (n_pre, n_post).

    Raises
    ------
    ParameterTypeError
        Something else than a sparse matrix, values that are no numbers.
    ParameterError
        Two entries for one pair; values that are complex, NaN or infinite; another number of
        dimensions than two.
    """

    matrix: InitVar[Any]
    pre: Any = field(init=False)
    post: Any = field(init=False)
    values: Any = field(init=False)
    shape: Any = field(init=False)

    def __post_init__(self, matrix: Any) -> None:
        from scipy import sparse

        if not sparse.issparse(matrix):
            raise ParameterTypeError(
                "SparseMatrix.matrix must be a sparse matrix of scipy, got "
                f"{type(matrix).__name__}; scipy.sparse.csr_array(matrix) makes one"
            )
        if matrix.ndim != 2:
            raise ParameterError(
                f"SparseMatrix.matrix must have shape (n_pre, n_post), got {matrix.shape}"
            )
        entries = matrix.tocoo()
        order = np.lexsort((entries.col, entries.row))
        pre = entries.row[order].astype(np.int64)
        post = entries.col[order].astype(np.int64)
        twice = np.flatnonzero((np.diff(pre) == 0) & (np.diff(post) == 0))
        if len(twice):
            raise ParameterError(
                f"SparseMatrix.matrix has several entries at [{pre[twice[0]]}, {post[twice[0]]}]; "
                "add them up with .sum_duplicates(), or give each its synapse in an ExplicitList"
            )
        data = entries.data[order]
        # Others than floats are either finite or refused below.
        bad = np.flatnonzero(~np.isfinite(data) if data.dtype.kind == "f" else False)
        if len(bad):
            raise ParameterError(
                f"SparseMatrix.matrix[{pre[bad[0]]}, {post[bad[0]]}] is {data[bad[0]]}; "
                "finite numbers are allowed"
            )
        values = _check.float_array("SparseMatrix.matrix", data, copy=True)
        for name, value in (("pre", pre), ("post", post), ("values", values)):
            value.flags.writeable = False
            object.__setattr__(self, name, value)
        object.__setattr__(self, "shape", tuple(int(n) for n in matrix.shape))

    def check(self, source: Population, target: Population) -> None:
        """Refuse populations of other sizes than the matrix."""
        if self.shape != (source.n, target.n):
            raise ParameterError(
                f"SparseMatrix.matrix must have shape ({source.n}, {target.n}), one row a source "
                f"and one column a target, got {self.shape}"
            )

    def __repr__(self) -> str:
        n_pre, n_post = self.shape
        return f"SparseMatrix({n_pre} x {n_post}, {len(self.pre)} synapses)"
