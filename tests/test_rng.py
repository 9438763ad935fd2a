import math
from fractions import Fraction

import numpy as np
import pytest
from numba import config
from scipy import stats

from spikesim._jit import kernel
from spikesim.engine import rng
from spikesim.engine.rng import add_poisson

N = 2_000 if config.DISABLE_JIT else 40_000
KEY = rng.key_from_seed(12345)
STEP = 2**35 + 17


@kernel
def fill_column(counts, stream, neurons, step, table, rows, k0, k1):
    for i in range(len(neurons)):
        counts[i] = rng.poisson_count(stream, int(neurons[i]), step, table, rows[i], k0, k1)


def fill_poisson(counts, stream, first_step, neurons, mean, *key):
    """Write the counts of some neurons, a column a step."""
    means, rows = np.unique(mean, return_inverse=True)
    table = rng.poisson_table(means)
    for j in range(counts.shape[1]):
        column = np.empty(len(neurons), np.int64)
        fill_column(column, stream, neurons, first_step + j, table, rows, *key)
        counts[:, j] = column


def poisson_thresholds(mean):
    """Return all ``T_k`` below ``2**48`` of a mean of at most 12."""
    thresholds = rng.poisson_table(np.array([mean])).thresholds[0]
    return thresholds[thresholds < 2**48]


def philox_by_words(counter, key):
    """The published algorithm in uint64, written apart from the kernel."""
    c, k = [int(x) for x in counter], [int(x) for x in key]
    for _ in range(10):
        high0, low0 = divmod(0xD2511F53 * c[0], 2**32)
        high1, low1 = divmod(0xCD9E8D57 * c[2], 2**32)
        c = [high1 ^ c[1] ^ k[0], low1, high0 ^ c[3] ^ k[1], low0]
        k = [(k[0] + 0x9E3779B9) % 2**32, (k[1] + 0xBB67AE85) % 2**32]
    return c


@pytest.mark.parametrize(
    ("counter", "key", "answer"),
    [
        ([0] * 4, [0] * 2, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
        ([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            [0xA4093822, 0x299F31D0],
            [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
        ),
    ],
)
def test_philox_gives_the_known_answers_of_random123(counter, key, answer):
    assert list(rng.philox(*counter, *key)) == answer
    assert philox_by_words(counter, key) == answer


def test_philox_agrees_with_its_slow_twin():
    words = np.random.default_rng(0).integers(0, 2**32, (100, 6)).tolist()
    for row in words:
        assert list(rng.philox(*row)) == philox_by_words(row[:4], row[4:])


def test_numbers_differ_in_every_coordinate():
    base = (1, 2, 3, 0, *KEY)
    seen = {rng.uniforms(*base)}
    for position in range(6):
        changed = list(base)
        changed[position] += 1
        seen.add(rng.uniforms(*changed))
    seen.add(rng.uniforms(1, 2, 3 + 2**32, 0, *KEY))
    assert len(seen) == 8


def test_uniform_numbers_lie_inside_and_are_uniform():
    pairs = np.array([rng.uniforms(0, 0, i, 0, *KEY) for i in range(N // 10)])
    assert pairs.min() > 0.0 and pairs.max() < 1.0
    assert stats.kstest(pairs.ravel(), "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(pairs.T)[0, 1]) < 4 / np.sqrt(len(pairs))


def test_normal_numbers_are_normal_and_independent():
    values = np.empty((N // 4, 4))
    rng.fill_normals(values, 3, 0, np.arange(4), *KEY)
    assert stats.kstest(values.ravel(), "norm").pvalue > 1e-3
    next_one = np.corrcoef(values[:-1, 0], values[1:, 0])[0, 1]
    assert abs(next_one) < 4 / np.sqrt(len(values))
    across = np.corrcoef(values.T)[np.triu_indices(4, 1)]
    assert np.abs(across).max() < 4.5 / np.sqrt(len(values))


def test_normals_are_those_of_box_and_muller():
    edge = [2.0**-53, 0.5 - 2.0**-53, 0.5, math.sqrt(0.5), 1 - 2.0**-53]
    edge += [k / 8 for k in range(1, 8)] + [k / 8 + 2.0**-50 for k in range(8)]
    pairs = [(a, b) for a in edge for b in edge]
    pairs += np.random.default_rng(3).random((300, 2)).tolist()
    plain = getattr(rng.normals, "py_func", rng.normals)
    for u0, u1 in pairs:
        radius = math.sqrt(-2 * math.log(u0))
        turn = 2 * math.pi * u1
        z = rng.normals(u0, u1)
        expected = radius * math.cos(turn), radius * math.sin(turn)
        np.testing.assert_allclose(z, expected, rtol=0, atol=4e-15)
        # Compiled or not, the same bits: nothing in it is left to a library.
        assert z == plain(u0, u1)


def test_many_normals_have_the_moments_and_tails_of_the_law():
    shape = (10, 100) if config.DISABLE_JIT else (1_001, 2_000)
    values = np.empty(shape)
    rng.fill_normals(values, 3, 1, np.arange(shape[1]), *KEY)
    n = values.size
    for power, moment, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert abs(np.mean(values**power) - moment) < 4.5 * np.sqrt(variance / n)
    edges = stats.norm.ppf(np.linspace(0, 1, 101))
    observed = np.histogram(values, edges)[0]
    assert stats.chisquare(observed, np.full(100, n / 100)).pvalue > 1e-3
    for bound in (3.0, 4.0):
        expected = 2 * stats.norm.sf(bound) * n
        assert abs(np.sum(np.abs(values) > bound) - expected) < 4.5 * np.sqrt(expected) + 1


@pytest.mark.parametrize("mean", [0.01, 0.8, 5.0, 12.0, 12.1, 60.0, 3e4])
def test_poisson_numbers_have_the_poisson_law(mean):
    counts = np.empty((N // 20, 20), dtype=np.int64)
    fill_poisson(counts, 5, 1, np.arange(N // 20), np.full(N // 20, mean), *KEY)
    counts = counts.ravel()
    edges = np.unique(stats.poisson.ppf(np.linspace(0.02, 0.98, 20), mean))
    observed = np.bincount(np.searchsorted(edges, counts), minlength=len(edges) + 1)
    cdf = np.concatenate([[0.0], stats.poisson.cdf(edges, mean), [1.0]])
    expected = len(counts) * np.diff(cdf)
    merged = expected > 5
    observed = np.append(observed[merged], observed[~merged].sum())
    expected = np.append(expected[merged], expected[~merged].sum())
    kept = expected > 0
    assert stats.chisquare(observed[kept], expected[kept]).pvalue > 1e-3
    assert abs(counts.mean() - mean) < 4 * np.sqrt(mean / len(counts))


def test_a_rate_of_zero_never_counts():
    counts = np.empty((5, 100), dtype=np.int64)
    fill_poisson(counts, 5, 1, np.arange(5), np.zeros(5), *KEY)
    assert not counts.any()


@pytest.mark.parametrize("mean", [0.5, 40.0])
def test_draws_do_not_depend_on_the_cut(mean):
    whole = np.empty((3, 40), dtype=np.int64)
    fill_poisson(whole, 1, 1, np.arange(3), np.full(3, mean), *KEY)
    for cut in (1, 6, 7):
        left, right = np.empty((3, cut), np.int64), np.empty((3, 40 - cut), np.int64)
        fill_poisson(left, 1, 1, np.arange(3), np.full(3, mean), *KEY)
        fill_poisson(right, 1, 1 + cut, np.arange(3), np.full(3, mean), *KEY)
        np.testing.assert_array_equal(whole, np.hstack([left, right]))
    single = rng.poisson_count(1, 2, 17, rng.poisson_table([mean]), 0, *KEY)
    assert single == whole[2, 16]


@pytest.mark.parametrize("mean", [0.5, 40.0])
def test_a_neuron_draws_the_same_among_others_and_alone(mean):
    every, some = np.empty((5, 50), np.int64), np.empty((2, 50), np.int64)
    fill_poisson(every, 1, 1, np.arange(5), np.full(5, mean), *KEY)
    fill_poisson(some, 1, 1, np.array([4, 1]), np.full(2, mean), *KEY)
    np.testing.assert_array_equal(some, every[[4, 1]])
    values, chosen = np.empty((50, 5)), np.empty((50, 2))
    rng.fill_normals(values, 1, 1, np.arange(5), *KEY)
    rng.fill_normals(chosen, 1, 1, np.array([4, 1]), *KEY)
    np.testing.assert_array_equal(chosen, values[:, [4, 1]])


@pytest.mark.parametrize("mean", [12.5, 50.0, 3000.0])
def test_rejection_follows_the_poisson_law_closely(mean):
    """With so many draws a constant of the algorithm that is slightly off shows."""
    n = 2_000 if config.DISABLE_JIT else 1_000_000
    counts = np.empty((n // 50, 50), dtype=np.int64)
    fill_poisson(counts, 5, 1, np.arange(n // 50), np.full(n // 50, mean), *KEY)
    counts = counts.reshape(1, -1)
    assert abs(counts.mean() - mean) < 5 * np.sqrt(mean / n)
    # The variance of the sample variance, from the fourth moment mean + 3 mean^2.
    error = np.sqrt((mean + 2 * mean**2) / n)
    assert abs(counts.var() - mean) < 5 * error
    edges = np.unique(stats.poisson.ppf(np.linspace(0.005, 0.995, 100), mean))
    observed = np.bincount(np.searchsorted(edges, counts[0]), minlength=len(edges) + 1)
    cdf = np.concatenate([[0.0], stats.poisson.cdf(edges, mean), [1.0]])
    assert stats.chisquare(observed, n * np.diff(cdf)).pvalue > 1e-3


def u_by_words(stream, neuron, step, key):
    """The 48 bits of a neuron, from the words of the published algorithm."""

    def words(kind, who):
        return philox_by_words([step % 2**32, step // 2**32 + kind * 2**30, who, stream], key)

    upper = words(2, neuron // 8)[neuron % 8 // 2] // 2 ** (16 * (neuron % 2)) % 2**16
    return upper * 2**32 + words(3, neuron)[0]


def added(n, first, mean, stream=4, step=STEP, key=KEY, dtype=np.float64):
    out = np.zeros(n, dtype)
    table = rng.poisson_table([mean])
    rng.add_poisson(out, 1.0, first, stream, step, table, 0, rng.poisson_scratch(), *key)
    return out


@pytest.mark.parametrize("mean", [0.0, 1e-12, 1e-5, 0.013, 0.7, 1.6, 5.0, 11.3, 12.0])
def test_thresholds_are_the_distribution_function(mean):
    """Summed in exact arithmetic; e^-mean cancels when terms are divided by their sum."""
    weights = [Fraction(mean) ** k / math.factorial(k) for k in range(90)]
    exact, total = [], Fraction(0)
    for weight in weights:
        total += weight
        exact.append(total)
    exact = [round(2**48 * part / total) for part in exact]
    exact = [threshold for threshold in exact if threshold < 2**48]
    thresholds = poisson_thresholds(mean).tolist()
    # One unit is 3.6e-15; the sums in double precision may be one off.
    length = min(len(exact), len(thresholds))
    assert abs(len(exact) - len(thresholds)) <= 1
    assert all(t == 2**48 - 1 for t in exact[length:] + thresholds[length:])
    assert np.abs(np.subtract(exact[:length], thresholds[:length])).max(initial=0) <= 1
    cdf = stats.poisson.cdf(np.arange(length), mean)
    np.testing.assert_allclose(np.array(thresholds[:length]) / 2**48, cdf, rtol=0, atol=2e-14)


def test_a_table_of_many_means_holds_the_rows_of_each():
    means = [0.0, 11.9, 0.01, 1.6, 300.0, 12.0]
    table = rng.poisson_table(means)
    assert table.uppers.shape[1] % 4 == 0
    for row, mean in enumerate(means):
        alone = poisson_thresholds(mean) if mean <= 12 else np.zeros(0)
        np.testing.assert_array_equal(table.thresholds[row, : len(alone)], alone)
        assert (table.thresholds[row, len(alone) :] == 2**48).all()
        uppers = alone[alone < 0xFFFF << 32].astype(np.int64) >> 32
        np.testing.assert_array_equal(table.uppers[row, : len(uppers)], uppers)
        assert (table.uppers[row, len(uppers) :] == 0xFFFF).all()


@pytest.mark.parametrize("mean", [0.01, 1.6, 11.0])
def test_a_count_is_the_number_of_thresholds_that_u_reaches(mean):
    table, thresholds = rng.poisson_table([mean]), poisson_thresholds(mean).tolist()
    for neuron in range(150):
        for stream, step in ((0, 0), (5, 3), (2**32 - 1, STEP)):
            u = u_by_words(stream, neuron, step, KEY)
            expected = sum(u >= threshold for threshold in thresholds)
            assert rng.poisson_count(stream, neuron, step, table, 0, *KEY) == expected


def test_equal_upper_bits_are_decided_by_the_lower_ones():
    """Thresholds right at the u of a neuron, where 16 bits never decide."""
    scratch = rng.poisson_scratch()
    for neuron in range(40):
        u = u_by_words(4, neuron, STEP, KEY)
        upper = u >> 32
        for thresholds, expected in (
            ([u], 1),
            ([u + 1], 0),
            ([u - 1, u, u + 1], 2),
            ([upper << 32], 1),
            ([(upper << 32) - 1, upper << 32, (upper << 32) + 2**32 - 1], 2),
        ):
            uppers = [min(t >> 32, 0xFFFF) for t in thresholds]
            table = rng.PoissonTable(
                np.ones(1),
                np.array([thresholds], dtype=np.int64),
                np.array([uppers + [0xFFFF] * (4 - len(uppers))], dtype=np.uint16),
            )
            assert rng.poisson_count(4, neuron, STEP, table, 0, *KEY) == expected
            out = np.zeros(1)
            rng.add_poisson(out, 1.0, neuron, 4, STEP, table, 0, scratch, *KEY)
            assert out[0] == expected


@pytest.mark.parametrize("mean", [0.0, 1e-7, 0.01, 1.6, 11.9, 30.0])
def test_the_fast_counts_are_those_drawn_one_by_one(mean):
    n_max = 60 if config.DISABLE_JIT else 5_000
    means = [0.3, mean, 12.0]
    table, scratch = rng.poisson_table(means), rng.poisson_scratch()
    for first, n in ((0, n_max), (0, 8), (5, n_max), (1021, 9), (3, 1), (8, 1024), (2**31, 0)):
        n = min(n, n_max)
        one_by_one = [rng.poisson_count(4, first + i, STEP, table, 1, *KEY) for i in range(n)]
        for dtype in (np.float64, np.float32):
            before = np.linspace(-1, 1, n + 2, dtype=dtype)
            out = before.copy()
            rng.add_poisson(out[1:-1], 0.7, first, 4, STEP, table, 1, scratch, *KEY)
            expected = before.copy()
            expected[1:-1] += dtype(0.7) * np.array(one_by_one, dtype=dtype)
            np.testing.assert_array_equal(out, expected)


def test_neurons_of_several_rates_draw_as_they_would_alone():
    neurons = [900, 3, 4, 4, 5, 70, 71, 6]
    rows = [0, 1, 2, 3, 1, 2, 0, 3]
    table = rng.poisson_table([0.2, 3.0, 40.0, 9.0])
    for neuron, row in zip(neurons, rows, strict=True):
        alone = rng.poisson_table([table.means[row]])
        count = rng.poisson_count(4, neuron, STEP, table, row, *KEY)
        assert count == rng.poisson_count(4, neuron, STEP, alone, 0, *KEY)


@kernel
def histogram(seen, n, first_step, n_steps, table, scratch, k0, k1):
    """Count how often each number of (n neurons, n_steps steps) is drawn."""
    for step in range(first_step, first_step + n_steps):
        out = np.zeros(n)
        add_poisson(out, 1.0, 0, 4, step, table, 0, scratch, k0, k1)
        for i in range(n):
            seen[int(out[i])] += 1


@pytest.mark.parametrize("mean", [0.012, 1.6, 11.2])
def test_a_hundred_million_counts_have_the_poisson_law(mean):
    """Thresholds of 16 bits alone would be off by up to 8e-6, 80 sigma for the rarest."""
    n, n_steps = (500, 4) if config.DISABLE_JIT else (20_000, 5_000)
    seen = np.zeros(128, dtype=np.int64)
    table, scratch = rng.poisson_table([mean]), rng.poisson_scratch()
    histogram(seen, n, 1, n_steps, table, scratch, *KEY)
    total = n * n_steps
    assert seen.sum() == total
    k = np.arange(128)
    expected = total * stats.poisson.pmf(k, mean)
    frequent = expected > 10
    observed = np.append(seen[frequent], seen[~frequent].sum())
    expected = np.append(expected[frequent], total - expected[frequent].sum())
    assert stats.chisquare(observed, expected).pvalue > 1e-3
    drawn_mean = (k * seen).sum() / total
    assert abs(drawn_mean - mean) < 4 * np.sqrt(mean / total)
    variance = (k * k * seen).sum() / total - drawn_mean**2
    assert abs(variance - mean) < 4 * np.sqrt((mean + 2 * mean**2) / total)


@pytest.mark.parametrize("mean", [0.05, 1.6, 30.0])
def test_neurons_steps_streams_and_seeds_are_independent(mean):
    n, n_steps = (64, 30) if config.DISABLE_JIT else (2_000, 500)
    counts = np.array([added(n, 0, mean, step=s) for s in range(n_steps)])
    z = (counts - mean) / np.sqrt(mean)
    other_stream = (added(n, 0, mean, stream=5, step=s) for s in range(n_steps))
    other_seed = (added(n, 0, mean, step=s, key=rng.key_from_seed(9)) for s in range(n_steps))
    pairs = [(z[:, k:], z[:, :-k]) for k in range(1, 17)]
    pairs += [(z[k:], z[:-k]) for k in range(1, 9)]
    pairs += [(z[1:, 1:], z[:-1, :-1]), (z[1:, :-1], z[:-1, 1:])]
    pairs += [(z, (np.array(list(o)) - mean) / np.sqrt(mean)) for o in (other_stream, other_seed)]
    # About a standard normal number for each pair; 28 pairs.
    score = [np.mean(a * b) * np.sqrt(a.size) for a, b in pairs]
    assert np.abs(score).max() < 4.5
    # Their sums over the population and over time have the variance of independent counts.
    for axis in (0, 1):
        sums = counts.sum(axis=axis)
        fano = sums.var() / sums.mean()
        assert abs(fano - 1) < 4.5 * np.sqrt(2 / len(sums))


def test_attempts_stay_out_of_the_bits_of_the_kind():
    assert rng.uniforms(4, 1, 3, 2**14, *KEY) == rng.uniforms(4, 1, 3, 0, *KEY)
