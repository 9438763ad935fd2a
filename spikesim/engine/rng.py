r"""Random numbers that depend on where they are used, not on when.

Philox4x32-10 (Salmon et al. 2011, SC '11, "Parallel random numbers: as easy as 1, 2, 3",
section 3.3) maps a counter and a key to 128 random bits. The key is the seed, the counter says
who draws: (stream, neuron, step, attempt). A draw thus does not depend on how a run is cut into
stretches, nor on which thread makes it.

Integers are Python's or int64 and masked to 32 bits after each operation, so that compiled and
plain Python code agree bit for bit.
"""

from __future__ import annotations

import math

import numpy as np

from spikesim._jit import kernel

__all__ = ["fill_normals", "fill_poisson", "key_from_seed", "normal", "philox", "poisson"]

_MASK = 0xFFFFFFFF
_MULTIPLIER_0 = 0xD2511F53
_MULTIPLIER_1 = 0xCD9E8D57
_WEYL_0 = 0x9E3779B9
_WEYL_1 = 0xBB67AE85
_TO_UNIT = 2.0**-53
_INVERSION_LIMIT = 12.0


def key_from_seed(seed: int) -> tuple[int, int]:
    """Return the Philox key, two 32-bit words, of the seed of a simulation."""
    words = np.random.SeedSequence(seed).generate_state(2, np.uint32)
    return int(words[0]), int(words[1])


@kernel
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


@kernel
def uniforms(stream, neuron, index, attempt, k0, k1):
    """Return two numbers in the open interval (0, 1) with 53 bits each."""
    high = ((index >> 32) & 0xFFFF) | ((attempt & 0xFFFF) << 16)
    r0, r1, r2, r3 = philox(index & _MASK, high, neuron & _MASK, stream & _MASK, k0, k1)
    # 52 bits and a half keep both ends out: log and 1 / u are safe.
    u0 = ((r0 << 20) | (r1 >> 12)) * 2.0 * _TO_UNIT + _TO_UNIT
    u1 = ((r2 << 20) | (r3 >> 12)) * 2.0 * _TO_UNIT + _TO_UNIT
    return u0, u1


@kernel
def normal(u0, u1, odd):
    """Turn two uniform numbers into the first or second normal one (Box & Muller 1958)."""
    radius = math.sqrt(-2.0 * math.log(u0))
    if odd:
        return radius * math.sin(2.0 * math.pi * u1)
    return radius * math.cos(2.0 * math.pi * u1)


@kernel
def poisson_by_inversion(u, mean, p_zero):
    """Return the smallest n with ``CDF(n) >= u``; `p_zero` is ``exp(-mean)``.

    The CDF is summed upwards until it reaches u or, past the mean, stops to grow.
    """
    n = 0
    term = p_zero
    total = p_zero
    while u > total:
        n += 1
        term *= mean / n
        if n > mean and total + term == total:
            break
        total += term
    return n


@kernel
def poisson_by_rejection(stream, neuron, index, mean, k0, k1):
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


@kernel
def poisson(stream, neuron, step, mean, p_zero, k0, k1):
    """Return the Poisson number of (stream, neuron, step); `p_zero` is ``exp(-mean)``.

    Inversion for small means uses one uniform number a step, two steps sharing one block of
    random bits; large ones use rejection.
    """
    if mean > _INVERSION_LIMIT:
        return poisson_by_rejection(stream, neuron, step, mean, k0, k1)
    u0, u1 = uniforms(stream, neuron, step >> 1, 0, k0, k1)
    return poisson_by_inversion(u1 if step & 1 else u0, mean, p_zero)


@kernel
def fill_poisson(counts, stream, first_step, neurons, mean, k0, k1):
    """Draw the counts of some neurons, one stretch of steps.

    Parameters
    ----------
    counts : ndarray of int64, shape (n, n_steps)
        Written: column j belongs to step ``first_step + j``.
    stream, first_step : int
        Which stream, and the first step of the stretch.
    neurons : ndarray of int64, shape (n,)
        Who draws: the number of each neuron within its population.
    mean : ndarray, shape (n,)
        Expected count of each neuron in a step.
    k0, k1 : int
        Key.
    """
    n, n_steps = counts.shape
    for i in range(n):
        neuron, rate = int(neurons[i]), mean[i]
        if rate > _INVERSION_LIMIT:
            for j in range(n_steps):
                counts[i, j] = poisson_by_rejection(stream, neuron, first_step + j, rate, k0, k1)
            continue
        p_zero = math.exp(-rate)
        u0, u1 = uniforms(stream, neuron, first_step >> 1, 0, k0, k1)
        for j in range(n_steps):
            step = first_step + j
            if not step & 1:
                u0, u1 = uniforms(stream, neuron, step >> 1, 0, k0, k1)
            counts[i, j] = poisson_by_inversion(u1 if step & 1 else u0, rate, p_zero)


@kernel
def fill_normals(values, stream, first_index, neurons, k0, k1):
    """Draw standard normal numbers: row j, column i is number ``first_index + j`` of neurons[i]."""
    n_samples, n = values.shape
    for i in range(n):
        neuron = int(neurons[i])
        u0, u1 = uniforms(stream, neuron, first_index >> 1, 0, k0, k1)
        for j in range(n_samples):
            index = first_index + j
            if not index & 1:
                u0, u1 = uniforms(stream, neuron, index >> 1, 0, k0, k1)
            values[j, i] = normal(u0, u1, index & 1)
