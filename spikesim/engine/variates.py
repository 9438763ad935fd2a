r"""Random numbers for synapses: neurons chosen, weights and delays.

Every projection has a Philox key of its own. Number i of a neuron is made of word ``i & 3`` of
the call with the counter (i >> 2, attempt, neuron, purpose), so that it does not depend on what
is drawn before it, nor where. Attempts count from 0; another one is made where a number does not
serve.

Whole numbers below n are ``(w n) >> 32`` of a word w; words for which the lower half of the
product is below :math:`2^{32} \bmod n` are dropped, so that all are equally likely (Lemire 2019,
ACM Transactions on Modeling and Computer Simulation 29, 3, section 4).

Normal numbers come in pairs from pairs of words (Box & Muller 1958, Annals of Mathematical
Statistics 29, 610):

.. math:: z = \sqrt{-2 \ln u}\,(\cos 2 \pi v, \sin 2 \pi v), \qquad
          u = (w_0 + \tfrac12)\,2^{-32}, \quad v = w_1\,2^{-32}

None is farther from 0 than 6.77. Logarithm, sine and cosine are series, written out in plain
arithmetic: a loop over them is vectorised, and their bits are those of any machine.
"""

from __future__ import annotations

import math

import numpy as np

from spikesim._jit import kernel
from spikesim.engine.rng import philox
from spikesim.neurons._exp import exp

__all__ = ["BATCH", "choice_scratch", "choose", "fill_values", "fill_words"]

# Numbers that are drawn at once: few enough for the first-level cache.
BATCH = 512
CALLS = BATCH // 4
# What a number is for.
TARGETS, WEIGHTS, DELAYS, SOURCES, PAIRS = range(5)
# How a value follows from its words.
CONSTANT, LISTED, NORMAL, LOG_NORMAL, UNIFORM = range(5)
# Bounds leave a thousandth of a distribution, so that this many draws miss once in 10^28 times.
_MOST_ATTEMPTS = 2**16

_MASK = 0xFFFFFFFF
_TO_UNIT = 2.0**-32
_FRACTION = 0x000FFFFFFFFFFFFF
_ONE = 0x3FF0000000000000
_EIGHTH = 1 << 29


@kernel(inline="always", error_model="numpy")
def log(x):
    r"""Return the natural logarithm of a normal number x > 0.

    With :math:`x = 2^e m`, :math:`\sqrt{1/2} < m \le \sqrt 2` and :math:`s = (m - 1) / (m + 1)`
    it is :math:`e \ln 2 + 2 (s + s^3 / 3 + \dots + s^{21} / 21)`.
    """
    bits = np.float64(x).view(np.int64)
    m = np.int64((bits & _FRACTION) | _ONE).view(np.float64)
    e = (bits >> 52) - 1023
    above = m > 1.4142135623730951
    m = 0.5 * m if above else m
    e = e + 1 if above else e
    s = (m - 1.0) / (m + 1.0)
    s2 = s * s
    sum_ = 1.0 / 21.0
    sum_ = sum_ * s2 + 1.0 / 19.0
    sum_ = sum_ * s2 + 1.0 / 17.0
    sum_ = sum_ * s2 + 1.0 / 15.0
    sum_ = sum_ * s2 + 1.0 / 13.0
    sum_ = sum_ * s2 + 1.0 / 11.0
    sum_ = sum_ * s2 + 1.0 / 9.0
    sum_ = sum_ * s2 + 1.0 / 7.0
    sum_ = sum_ * s2 + 1.0 / 5.0
    sum_ = sum_ * s2 + 1.0 / 3.0
    sum_ = sum_ * s2 + 1.0
    return e * 0.6931471805599453 + 2.0 * s * sum_


@kernel(inline="always", error_model="numpy")
def normal_pair(w0, w1):
    """Return two normal numbers, from two words.

    The circle is cut into four quarters; sine and cosine are Taylor series within an eighth to
    either side of the middle of each.
    """
    radius = math.sqrt(-2.0 * log((w0 + 0.5) * _TO_UNIT))
    quarter = (w1 + _EIGHTH) >> 30
    x = (w1 - (quarter << 30)) * (2.0 * math.pi * _TO_UNIT)
    x2 = x * x
    c = 1.0 / 20922789888000.0
    c = c * x2 - 1.0 / 87178291200.0
    c = c * x2 + 1.0 / 479001600.0
    c = c * x2 - 1.0 / 3628800.0
    c = c * x2 + 1.0 / 40320.0
    c = c * x2 - 1.0 / 720.0
    c = c * x2 + 1.0 / 24.0
    c = c * x2 - 1.0 / 2.0
    c = c * x2 + 1.0
    s = -1.0 / 1307674368000.0
    s = s * x2 + 1.0 / 6227020800.0
    s = s * x2 - 1.0 / 39916800.0
    s = s * x2 + 1.0 / 362880.0
    s = s * x2 - 1.0 / 5040.0
    s = s * x2 + 1.0 / 120.0
    s = s * x2 - 1.0 / 6.0
    s = x * (s * x2 + 1.0)
    odd = quarter & 1
    cosine = s if odd else c
    sine = c if odd else s
    cosine = -cosine if (quarter + 1) & 2 else cosine
    sine = -sine if quarter & 2 else sine
    return radius * cosine, radius * sine


@kernel(error_model="numpy")
def fill_words(words, n_calls, first_call, neuron, purpose, k0, k1):
    """Write the words of some calls of the first attempt, a column each."""
    first_call = int(first_call)
    for j in range(n_calls):
        w0, w1, w2, w3 = philox(first_call + j, 0, neuron, purpose, k0, k1)
        words[0, j] = w0
        words[1, j] = w1
        words[2, j] = w2
        words[3, j] = w3


@kernel(error_model="numpy")
def _four_values(index, attempt, kind, a, b, neuron, purpose, k0, k1):
    """Return the value of number `index` at a later attempt."""
    words = philox(index >> 2, attempt, neuron, purpose, k0, k1)
    if kind == UNIFORM:
        word = words[0] if index & 3 == 0 else words[1]
        word = words[2] if index & 3 == 2 else word
        word = words[3] if index & 3 == 3 else word
        return a + (b - a) * ((word + 0.5) * _TO_UNIT)
    z0, z1 = normal_pair(words[0], words[1])
    z2, z3 = normal_pair(words[2], words[3])
    if index & 2:
        z0, z1 = z2, z3
    z = z1 if index & 1 else z0
    return exp(a + b * z) if kind == LOG_NORMAL else a + b * z


@kernel(error_model="numpy")
def fill_values(values, words, first, n, kind, a, b, low, high, neuron, purpose, k0, k1):
    """Write the values `first` to ``first + n - 1`` of a neuron; `first` is a multiple of 4.

    Parameters
    ----------
    values : ndarray, shape (BATCH,)
        Written; up to three places after the last are, too.
    words : ndarray of int64, shape (4, CALLS)
        Scratch.
    first, n : int
        Which numbers; at most BATCH.
    kind : int
        NORMAL or LOG_NORMAL with mean `a` and standard deviation `b` (of the logarithm), or
        UNIFORM between `a` and `b`.
    low, high : float
        Values outside are drawn again.
    neuron, purpose, k0, k1 : int
        Counter and key.
    """
    n_calls = (n + 3) >> 2
    fill_words(words, n_calls, first >> 2, neuron, purpose, k0, k1)
    if kind == UNIFORM:
        for j in range(n_calls):
            values[4 * j] = a + (b - a) * ((words[0, j] + 0.5) * _TO_UNIT)
            values[4 * j + 1] = a + (b - a) * ((words[1, j] + 0.5) * _TO_UNIT)
            values[4 * j + 2] = a + (b - a) * ((words[2, j] + 0.5) * _TO_UNIT)
            values[4 * j + 3] = a + (b - a) * ((words[3, j] + 0.5) * _TO_UNIT)
    else:
        for j in range(n_calls):
            z0, z1 = normal_pair(words[0, j], words[1, j])
            z2, z3 = normal_pair(words[2, j], words[3, j])
            values[4 * j] = a + b * z0
            values[4 * j + 1] = a + b * z1
            values[4 * j + 2] = a + b * z2
            values[4 * j + 3] = a + b * z3
        if kind == LOG_NORMAL:
            for j in range(n):
                values[j] = exp(values[j])
    for j in range(n):
        attempt = 0
        while not low <= values[j] <= high and attempt < _MOST_ATTEMPTS:
            attempt += 1
            values[j] = _four_values(first + j, attempt, kind, a, b, neuron, purpose, k0, k1)


def choice_scratch(k: int, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the memory in which `k` of `n` are chosen: the chosen, the seen, the words."""
    words = np.empty((4, CALLS), dtype=np.int64)
    return np.empty(k, dtype=np.int64), np.zeros(n, dtype=np.uint8), words


@kernel(error_model="numpy")
def choose(chosen, k, n, distinct, seen, words, neuron, purpose, k0, k1):
    """Choose `k` of the numbers 0 to ``n - 1``.

    Number i of those drawn with replacement is the i-th candidate. Without replacement, the
    first k candidates that differ are taken; of more than half of all, those left out are drawn.

    Parameters
    ----------
    chosen : ndarray of int64
        Written: `k` numbers, in the order of drawing, or ascending where those left out are
        drawn.
    k, n : int
        How many of how many; n is below 2**31.
    distinct : bool
        Without replacement.
    seen : ndarray of uint8, shape (n,)
        Scratch, all 0 before and after; not used with replacement.
    words : ndarray of int64, shape (4, CALLS)
        Scratch.
    neuron, purpose, k0, k1 : int
        Counter and key.
    """
    uneven = (1 << 32) % n if n > 0 else 0
    if not distinct:
        for first in range(0, k, BATCH):
            m = min(k - first, BATCH)
            fill_words(words, (m + 3) >> 2, first >> 2, neuron, purpose, k0, k1)
            for j in range(m):
                product = words[j & 3, j >> 2] * n
                attempt = 0
                while product & _MASK < uneven:
                    attempt += 1
                    again = philox((first + j) >> 2, attempt, neuron, purpose, k0, k1)
                    word = again[0] if j & 3 == 0 else again[1]
                    word = again[2] if j & 3 == 2 else word
                    word = again[3] if j & 3 == 3 else word
                    product = word * n
                chosen[first + j] = product >> 32
        return
    left_out = 2 * k > n
    wanted = n - k if left_out else k
    found = 0
    call = 0
    while found < wanted:
        n_calls = min((wanted - found + 3) >> 2, CALLS)
        fill_words(words, n_calls, call, neuron, purpose, k0, k1)
        call += n_calls
        for j in range(4 * n_calls):
            product = words[j & 3, j >> 2] * n
            candidate = product >> 32
            if found < wanted and product & _MASK >= uneven and not seen[candidate]:
                seen[candidate] = 1
                chosen[found] = candidate
                found += 1
    if not left_out:
        for j in range(k):
            seen[chosen[j]] = 0
        return
    found = 0
    for candidate in range(n):
        if seen[candidate]:
            seen[candidate] = 0
        else:
            chosen[found] = candidate
            found += 1
