"""Rows of a matrix added up: the one thing that matrix products and spikes are made of here.

Every sum runs over the rows in their order, whatever else is done at once, so that it has the
same bits in any company, on any number of threads, and for spikes as for zeros and ones.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import config, types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

from spikesim._jit import kernel

__all__ = ["add_listed", "add_weighted", "add_weighted_to_four", "ask_for", "dot"]

_LINE = 64  # Bytes that a processor fetches at once.


@kernel(bare=True)
def add_listed(rows, units, n, total):
    r"""Add the rows of `n` listed units: :math:`total_i \mathrel{+}= \sum_{q<n} rows_{u_q, i}`."""
    width = total.shape[0]
    q = 0
    # Four at once: the total is read and written once for all of them.
    while q + 4 <= n:
        a, b, c, d = rows[units[q]], rows[units[q + 1]], rows[units[q + 2]], rows[units[q + 3]]
        for i in range(width):
            total[i] = (((total[i] + a[i]) + b[i]) + c[i]) + d[i]
        q += 4
    while q < n:
        a = rows[units[q]]
        for i in range(width):
            total[i] += a[i]
        q += 1


@kernel(bare=True)
def add_weighted(weights, rows, total):
    r"""Add weighted rows: :math:`total_i \mathrel{+}= \sum_m weights_m\,rows_{m,i}`."""
    width, n = total.shape[0], weights.shape[0]
    m = 0
    while m + 4 <= n:
        p, q, r, s = weights[m], weights[m + 1], weights[m + 2], weights[m + 3]
        a, b, c, d = rows[m], rows[m + 1], rows[m + 2], rows[m + 3]
        for i in range(width):
            total[i] = (((total[i] + p * a[i]) + q * b[i]) + r * c[i]) + s * d[i]
        m += 4
    while m < n:
        p = weights[m]
        a = rows[m]
        for i in range(width):
            total[i] += p * a[i]
        m += 1


@kernel(bare=True)
def add_weighted_to_four(weights, rows, totals):
    """Do :func:`add_weighted` for four weights and totals at once, which reads rows less often.

    Four rows for two totals: as much as fits into the registers of a processor.
    """
    width, n = totals.shape[1], weights.shape[1]
    last = n - n % 4
    for one in (0, 2):
        other = one + 1
        t, u = totals[one], totals[other]
        for m in range(0, last, 4):
            a, b, c, d = rows[m], rows[m + 1], rows[m + 2], rows[m + 3]
            ta, ua = weights[one, m], weights[other, m]
            tb, ub = weights[one, m + 1], weights[other, m + 1]
            tc, uc = weights[one, m + 2], weights[other, m + 2]
            td, ud = weights[one, m + 3], weights[other, m + 3]
            for i in range(width):
                ai, bi, ci, di = a[i], b[i], c[i], d[i]
                t[i] = (((t[i] + ta * ai) + tb * bi) + tc * ci) + td * di
                u[i] = (((u[i] + ua * ai) + ub * bi) + uc * ci) + ud * di
    t, u, v, w = totals[0], totals[1], totals[2], totals[3]
    for m in range(last, n):
        a = rows[m]
        tm, um, vm, wm = weights[0, m], weights[1, m], weights[2, m], weights[3, m]
        for i in range(width):
            t[i] += tm * a[i]
            u[i] += um * a[i]
            v[i] += vm * a[i]
            w[i] += wm * a[i]


# Without the order of a sum it runs on vectors: 3 times as fast. It is the same order each time.
@kernel(bare=True, fastmath={"reassoc"})
def dot(a, b):
    r"""Return :math:`\sum_i a_i b_i`."""
    total = a[0] * b[0]
    for i in range(1, a.shape[0]):
        total += a[i] * b[i]
    return total


@intrinsic
def _fetch(typingctx: Any, row: Any, i: Any) -> Any:
    """Have the processor fetch what lies around ``row[i]``."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = make_array(signature.args[0])(context, builder, arguments[0])
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        address = builder.bitcast(builder.gep(array.data, [arguments[1]]), byte)
        kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        fetch = builder.module.declare_intrinsic("llvm.prefetch", [byte], kind)
        # To be read, kept in all caches, of data.
        builder.call(fetch, [address, *(ir.Constant(number, value) for value in (0, 3, 1))])
        return context.get_dummy_value()

    return types.none(row, i), generate


def _fetch_nothing(row: Any, i: int) -> None:
    """Do without, in plain Python."""


if config.DISABLE_JIT:
    _fetch = _fetch_nothing


@kernel(bare=True)
def ask_for(row):
    """Have a row fetched that is needed soon: a processor foresees rising addresses alone."""
    for i in range(0, row.shape[0], _LINE // row.itemsize):
        _fetch(row, i)
