"""Rows of a matrix added up: the one thing that matrix products and spikes are made of here.

Every sum runs over the rows in their order, whatever else is done at once, so that it has the
same bits in any company, on any number of threads, and for spikes as for zeros and ones.
"""

from __future__ import annotations

from spikesim._jit import kernel

__all__ = ["add_listed", "add_weighted", "add_weighted_to_four", "dot"]


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
    """Do :func:`add_weighted` for four weights and totals at once, which reads rows once."""
    width, n = totals.shape[1], weights.shape[1]
    t, u, v, w = totals[0], totals[1], totals[2], totals[3]
    m = 0
    while m + 2 <= n:
        a, b = rows[m], rows[m + 1]
        ta, tb = weights[0, m], weights[0, m + 1]
        ua, ub = weights[1, m], weights[1, m + 1]
        va, vb = weights[2, m], weights[2, m + 1]
        wa, wb = weights[3, m], weights[3, m + 1]
        for i in range(width):
            ai, bi = a[i], b[i]
            t[i] = (t[i] + ta * ai) + tb * bi
            u[i] = (u[i] + ua * ai) + ub * bi
            v[i] = (v[i] + va * ai) + vb * bi
            w[i] = (w[i] + wa * ai) + wb * bi
        m += 2
    if m < n:
        a = rows[m]
        for i in range(width):
            t[i] += weights[0, m] * a[i]
            u[i] += weights[1, m] * a[i]
            v[i] += weights[2, m] * a[i]
            w[i] += weights[3, m] * a[i]


# Without the order of a sum it runs on vectors: 3 times as fast. It is the same order each time.
@kernel(bare=True, fastmath={"reassoc"})
def dot(a, b):
    r"""Return :math:`\sum_i a_i b_i`."""
    total = a[0] * b[0]
    for i in range(1, a.shape[0]):
        total += a[i] * b[i]
    return total
