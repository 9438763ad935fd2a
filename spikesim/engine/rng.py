r"""Random numbers that depend on where they are used, not on when.

Philox4x32-10 (Salmon et al. 2011, SC '11, "Parallel random numbers: as easy as 1, 2, 3",
section 3.3) maps a counter and a key to 128 random bits. The key is the seed, the counter says
who draws: stream, neuron, step, kind of number, attempt. A draw thus does not depend on how a
run is cut into stretches or a network into blocks, nor on which thread makes it.

Poisson counts of small means come from a table. With the thresholds

.. math:: T_k = \mathrm{round}(2^{48}\, P(N \le k)), \qquad k = 0, 1, \dots

and a random integer :math:`0 \le u < 2^{48}`, the count is the number of k with
:math:`u \ge T_k`. The upper 16 bits of u nearly always decide. One call of Philox gives them to
eight neurons, whose numbers differ in the lowest three bits only: neuron i takes part ``i & 7``
of the call of group ``i >> 3``. A neuron whose upper bits are also those of a threshold gets
the lower 32 from a call of its own.

Integers are Python's or int64 and masked to 32 bits where it matters, so that compiled and
plain Python code agree bit for bit.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from spikesim._jit import kernel

__all__ = [
    "PoissonTable",
    "add_poisson",
    "fill_normals",
    "key_from_seed",
    "normals",
    "philox",
    "poisson_count",
    "poisson_scratch",
    "poisson_table",
    "uniforms",
]

_MASK = 0xFFFFFFFF
_MULTIPLIER_0 = 0xD2511F53
_MULTIPLIER_1 = 0xCD9E8D57
_WEYL_0 = 0x9E3779B9
_WEYL_1 = 0xBB67AE85
_TO_UNIT = 2.0**-53
_LN_2 = math.log(2.0)
_ROOT_HALF = int(np.float64(math.sqrt(0.5)).view(np.int64))
# 1 / n!
_F = tuple(1.0 / math.factorial(n) for n in range(17))

# The second word of a counter: 16 bits of the step, 14 of the attempt, 2 of the kind of number.
_ATTEMPTS = 0x3FFF
_UPPER_BITS = 2 << 30
_LOWER_BITS = 3 << 30

_TABLE_LIMIT = 12.0
# P(N >= 64) is below 2^-70 at the limit, so that 64 terms are the whole law to 48 bits.
_TERMS = 64
_CERTAIN = 1 << 48
_AT_ONCE = 4
_GROUPS = 128
_SHIFT = np.uint64(32)
_UNDECIDED = 0x80
_ANY_UNDECIDED = np.uint64(0x8080808080808080)


def key_from_seed(seed: int) -> tuple[int, int]:
    """Return the Philox key, two 32-bit words, of the seed of a simulation."""
    words = np.random.SeedSequence(seed).generate_state(2, np.uint32)
    return int(words[0]), int(words[1])


# Inlined before compilation, or a loop over counters is not vectorised (8 times slower).
@kernel(inline="always")
def philox(c0, c1, c2, c3, k0, k1):
    """Return four random 32-bit words for a counter of four and a key of two."""
    for _ in range(10):
        # A product of two 32-bit words wraps in int64, but its 64 bits are the right ones.
        p0 = _MULTIPLIER_0 * c0
        p1 = _MULTIPLIER_1 * c2
        c0, c1, c2, c3 = (
            ((p1 >> 32) ^ c1 ^ k0) & _MASK,
            p1 & _MASK,
            ((p0 >> 32) ^ c3 ^ k1) & _MASK,
            p0 & _MASK,
        )
        k0 = (k0 + _WEYL_0) & _MASK
        k1 = (k1 + _WEYL_1) & _MASK
    return c0, c1, c2, c3


@kernel(inline="always")
def uniforms(stream, neuron, index, attempt, k0, k1):
    """Return two numbers in the open interval (0, 1) with 52 bits each."""
    high = ((index >> 32) & 0xFFFF) | ((attempt & _ATTEMPTS) << 16)
    r0, r1, r2, r3 = philox(index & _MASK, high, neuron & _MASK, stream & _MASK, k0, k1)
    # Half a unit keeps both ends out: log and 1 / u are safe.
    u0 = ((r0 << 20) | (r1 >> 12)) * 2.0 * _TO_UNIT + _TO_UNIT
    u1 = ((r2 << 20) | (r3 >> 12)) * 2.0 * _TO_UNIT + _TO_UNIT
    return u0, u1


class PoissonTable(NamedTuple):
    """The law of the counts of some means, one row each.

    Attributes
    ----------
    means : ndarray of float64, shape (n_means,)
        Expected counts. Those above 12 have no thresholds; they are drawn by rejection.
    thresholds : ndarray of int64, shape (n_means, n_thresholds)
        ``T_k``, filled up with ``2**48``, which no u reaches.
    uppers : ndarray of uint16, shape (n_means, a multiple of 4)
        Upper 16 bits of the thresholds below 0xFFFF, filled up with 0xFFFF.
    """

    means: np.ndarray
    thresholds: np.ndarray
    uppers: np.ndarray


def poisson_table(means: np.ndarray) -> PoissonTable:
    r"""Return the thresholds of some means.

    With :math:`w_k = \mu^k / k!`, the law is :math:`P(N \le k) = \sum_{j \le k} w_j / \sum_j w_j`.

    Parameters
    ----------
    means : array_like, shape (n_means,)
        Expected counts :math:`\mu`, finite and not negative; best without repetitions.
    """
    means = np.atleast_1d(np.asarray(means, dtype=np.float64))
    small = np.where(means > _TABLE_LIMIT, 0.0, means)
    ratios = np.ones((len(means), _TERMS))
    ratios[:, 1:] = small[:, None] / np.arange(1, _TERMS)
    sums = np.cumsum(np.cumprod(ratios, axis=1), axis=1)
    thresholds = np.rint(sums / sums[:, -1:] * _CERTAIN).astype(np.int64)
    thresholds = thresholds[:, : int((thresholds < _CERTAIN).sum(axis=1).max(initial=1))]
    uppers = np.minimum(thresholds >> 32, 0xFFFF).astype(np.uint16)
    n_columns = int((uppers < 0xFFFF).sum(axis=1).max(initial=1))
    padded = np.full((len(means), -(-n_columns // _AT_ONCE) * _AT_ONCE), 0xFFFF, np.uint16)
    padded[:, :n_columns] = uppers[:, :n_columns]
    return PoissonTable(means, np.ascontiguousarray(thresholds), padded)


def poisson_scratch() -> np.ndarray:
    """Return the memory that :func:`add_poisson` works in; each thread needs its own."""
    return np.zeros(3 * _GROUPS, dtype=np.uint64)


@kernel(bare=True)
def _count_upper_bits(group, stream, step, k0, k1):
    """Return the four words that hold the upper bits of eight neurons."""
    kind = ((step >> 32) & 0xFFFF) | _UPPER_BITS
    return philox(step & _MASK, kind, group & _MASK, stream & _MASK, k0, k1)


@kernel(bare=True)
def _count_above(upper, stream, neuron, step, thresholds, k0, k1):
    """Return how many thresholds the u with these upper bits reaches."""
    u = upper << 32
    count = 0
    for k in range(len(thresholds)):
        count += int(thresholds[k] <= u)
    if count < len(thresholds) and thresholds[count] >> 32 == upper:
        kind = ((step >> 32) & 0xFFFF) | _LOWER_BITS
        u |= philox(step & _MASK, kind, neuron & _MASK, stream & _MASK, k0, k1)[0]
        while count < len(thresholds) and thresholds[count] <= u:
            count += 1
    return count


@kernel(bare=True)
def _part(words, neuron):
    """Return the 16 bits of a neuron among the four words of its group."""
    pair = words[2] | (words[3] << 32) if neuron & 4 else words[0] | (words[1] << 32)
    return (pair >> (16 * (neuron & 3))) & 0xFFFF


@kernel(bare=True)
def poisson_count(stream, neuron, step, table, row, k0, k1):
    """Return the Poisson count of (stream, neuron, step) with the mean of a row of the table."""
    if table.means[row] > _TABLE_LIMIT:
        return _poisson_by_rejection(stream, neuron, step, table.means[row], k0, k1)
    words = _count_upper_bits(neuron >> 3, stream, step, k0, k1)
    upper = _part(words, neuron)
    return _count_above(upper, stream, neuron, step, table.thresholds[row], k0, k1)


@kernel(bare=True)
def add_poisson(out, weight, first, stream, step, table, row, scratch, k0, k1):
    """Add ``weight * count`` for consecutive neurons at a step.

    Parameters
    ----------
    out : ndarray of float64 or float32, shape (n,), contiguous
        Added to; element i belongs to neuron ``first + i``.
    weight : float
        What one count adds, rounded to the type of `out`.
    first, stream, step : int
        The first neuron, the stream and the step.
    table, row : PoissonTable, int
        Mean.
    scratch : ndarray
        From :func:`poisson_scratch`.
    k0, k1 : int
        Key.
    """
    weight = out.dtype.type(weight)
    last = first + len(out)
    if table.means[row] > _TABLE_LIMIT:
        for neuron in range(first, last):
            count = _poisson_by_rejection(stream, neuron, step, table.means[row], k0, k1)
            out[neuron - first] += weight * out.dtype.type(count)
        return
    words, counted = scratch[: 2 * _GROUPS], scratch[2 * _GROUPS :]
    uppers, counts = words.view(np.uint16), counted.view(np.uint8)
    for group in range(first >> 3, (last + 7) >> 3, _GROUPS):
        n_groups = min(_GROUPS, ((last + 7) >> 3) - group)
        _fill_upper_bits(words, n_groups, group, stream, step, k0, k1)
        _compare(counts, uppers, table.uppers[row], 8 * n_groups)
        if _any_undecided(counted, n_groups):
            for word in range(n_groups):
                if counted[word] & _ANY_UNDECIDED == 0:
                    continue
                for i in range(8 * word, 8 * word + 8):
                    if counts[i] & _UNDECIDED:
                        neuron = 8 * group + i
                        counts[i] = _count_above(
                            int(uppers[i]), stream, neuron, step, table.thresholds[row], k0, k1
                        )
        begin, end = max(first, 8 * group), min(last, 8 * (group + n_groups))
        _add(out[begin - first : end - first], weight, counts[begin - 8 * group :])


@kernel(bare=True)
def _fill_upper_bits(words, n_groups, first_group, stream, step, k0, k1):
    """Write eight times 16 bits for each group, as pairs of 64-bit words."""
    low, kind = step & _MASK, ((step >> 32) & 0xFFFF) | _UPPER_BITS
    stream &= _MASK
    for i in range(n_groups):
        r0, r1, r2, r3 = philox(low, kind, (first_group + i) & _MASK, stream, k0, k1)
        words[2 * i] = np.uint64(r0) | (np.uint64(r1) << _SHIFT)
        words[2 * i + 1] = np.uint64(r2) | (np.uint64(r3) << _SHIFT)


@kernel(bare=True)
def _compare(counts, uppers, thresholds, n):
    """Count the thresholds below the upper bits; mark those that are equal to one.

    The last 16 bits, 0xFFFF, stand for all thresholds from there on.
    """
    for i in range(n):
        counts[i] = int(uppers[i] == 0xFFFF) << 7
    for k in range(0, len(thresholds), _AT_ONCE):
        t0, t1, t2, t3 = thresholds[k], thresholds[k + 1], thresholds[k + 2], thresholds[k + 3]
        if t0 == 0xFFFF:
            break
        for i in range(n):
            u = uppers[i]
            above = int(u > t0) + int(u > t1) + int(u > t2) + int(u > t3)
            # The least difference is zero where one is: cheaper than four tests.
            least = min(min(u ^ t0, u ^ t1), min(u ^ t2, u ^ t3))
            counts[i] = (int(counts[i]) + above) | (int(least == 0) << 7)


@kernel(bare=True)
def _any_undecided(counted, n_groups):
    together = np.uint64(0)
    for i in range(n_groups):
        together |= counted[i]
    return together & _ANY_UNDECIDED != 0


@kernel(bare=True)
def _add(out, weight, counts):
    for i in range(len(out)):
        out[i] += weight * out.dtype.type(counts[i])


@kernel(bare=True)
def _poisson_by_rejection(stream, neuron, index, mean, k0, k1):
    """Return a Poisson number of a mean of at least 10 (Hormann 1993, algorithm PTRS)."""
    b = 0.931 + 2.53 * math.sqrt(mean)
    a = -0.059 + 0.02483 * b
    inverse = 1.1239 + 1.1328 / (b - 3.4)
    v_r = 0.9277 - 3.6224 / (b - 2.0)
    attempt = 0
    while True:
        u, v = uniforms(stream, neuron, index, attempt, k0, k1)
        attempt += 1
        u -= 0.5
        distance = 0.5 - abs(u)
        n = math.floor((2.0 * a / distance + b) * u + mean + 0.43)
        if distance >= 0.07 and v <= v_r:
            return int(n)
        if n < 0 or (distance < 0.013 and v > distance):
            continue
        left = math.log(v * inverse / (a / (distance * distance) + b))
        if left <= n * math.log(mean) - mean - math.lgamma(n + 1.0):
            return int(n)


@kernel(inline="always")
def normals(u0, u1):
    r"""Turn two uniform numbers into two independent normal ones (Box & Muller 1958).

    .. math::

        z_0 = \sqrt{-2 \ln u_0}\,\cos 2\pi u_1, \qquad z_1 = \sqrt{-2 \ln u_0}\,\sin 2\pi u_1

    Series stand in for the library's functions: they are the same on every machine, and a loop
    over them is vectorised (10 times faster). With :math:`u_0 = 2^e m` and m between
    :math:`\sqrt{1/2}` and :math:`\sqrt 2`, :math:`\ln m = 2\,\mathrm{artanh}\frac{m - 1}{m + 1}`;
    the angle is taken from the nearest quarter turn. Errors are below 4e-15.
    """
    bits = int(np.float64(u0).view(np.int64))
    e = (bits - _ROOT_HALF) >> 52
    m = float(np.int64(bits - (e << 52)).view(np.float64))
    s = (m - 1.0) / (m + 1.0)
    y = s * s
    series = y * (1 / 13 + y * (1 / 15 + y * (1 / 17 + y * (1 / 19 + y / 21))))
    series = y * (1 / 3 + y * (1 / 5 + y * (1 / 7 + y * (1 / 9 + y * (1 / 11 + series)))))
    radius = math.sqrt(-2.0 * (e * _LN_2 + 2.0 * s * (1.0 + series)))

    quarter = int(4.0 * u1 + 0.5)
    x = 2.0 * math.pi * (u1 - 0.25 * quarter)
    y = -x * x
    cos = y * (_F[10] + y * (_F[12] + y * (_F[14] + y * _F[16])))
    cos = 1.0 + y * (_F[2] + y * (_F[4] + y * (_F[6] + y * (_F[8] + cos))))
    sin = y * (_F[11] + y * (_F[13] + y * _F[15]))
    sin = x * (1.0 + y * (_F[3] + y * (_F[5] + y * (_F[7] + y * (_F[9] + sin)))))
    z0 = sin if quarter & 1 else cos
    z1 = cos if quarter & 1 else sin
    z0 = -z0 if (quarter + 1) & 2 else z0
    z1 = -z1 if quarter & 2 else z1
    return radius * z0, radius * z1


@kernel(bare=True)
def fill_normals(values, stream, first_index, neurons, k0, k1):
    """Draw standard normal numbers: row j, column i is number ``first_index + j`` of neurons[i].

    Numbers 2k and 2k + 1 share a block of random bits.
    """
    n_samples, n = values.shape
    for pair in range(first_index >> 1, (first_index + n_samples + 1) >> 1):
        even, odd = 2 * pair - first_index, 2 * pair + 1 - first_index
        for i in range(n):
            u0, u1 = uniforms(stream, int(neurons[i]), pair, 0, k0, k1)
            z0, z1 = normals(u0, u1)
            if even >= 0:
                values[even, i] = z0
            if odd < n_samples:
                values[odd, i] = z1
