import numpy as np
import pytest
from numba import config
from scipy import stats

from spikesim.engine import rng

N = 2_000 if config.DISABLE_JIT else 40_000
KEY = rng.key_from_seed(12345)


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


@pytest.mark.parametrize("mean", [0.01, 0.8, 5.0, 12.0, 12.1, 60.0, 3e4])
def test_poisson_numbers_have_the_poisson_law(mean):
    counts = np.empty((2, N // 2), dtype=np.int64)
    rng.fill_poisson(counts, 5, 1, np.arange(2), np.full(2, mean), *KEY)
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
    counts = np.empty((1, 500), dtype=np.int64)
    rng.fill_poisson(counts, 5, 1, np.zeros(1, np.int64), np.zeros(1), *KEY)
    assert not counts.any()


@pytest.mark.parametrize("mean", [0.5, 40.0])
def test_draws_do_not_depend_on_the_cut(mean):
    whole = np.empty((3, 40), dtype=np.int64)
    rng.fill_poisson(whole, 1, 1, np.arange(3), np.full(3, mean), *KEY)
    for cut in (1, 6, 7):
        left, right = np.empty((3, cut), np.int64), np.empty((3, 40 - cut), np.int64)
        rng.fill_poisson(left, 1, 1, np.arange(3), np.full(3, mean), *KEY)
        rng.fill_poisson(right, 1, 1 + cut, np.arange(3), np.full(3, mean), *KEY)
        np.testing.assert_array_equal(whole, np.hstack([left, right]))
    single = rng.poisson_count(1, 2, 17, rng.poisson_table([mean]), 0, *KEY)
    assert single == whole[2, 16]


@pytest.mark.parametrize("mean", [0.5, 40.0])
def test_a_neuron_draws_the_same_among_others_and_alone(mean):
    every, some = np.empty((5, 50), np.int64), np.empty((2, 50), np.int64)
    rng.fill_poisson(every, 1, 1, np.arange(5), np.full(5, mean), *KEY)
    rng.fill_poisson(some, 1, 1, np.array([4, 1]), np.full(2, mean), *KEY)
    np.testing.assert_array_equal(some, every[[4, 1]])
    values, chosen = np.empty((50, 5)), np.empty((50, 2))
    rng.fill_normals(values, 1, 1, np.arange(5), *KEY)
    rng.fill_normals(chosen, 1, 1, np.array([4, 1]), *KEY)
    np.testing.assert_array_equal(chosen, values[:, [4, 1]])


@pytest.mark.parametrize("mean", [12.5, 50.0, 3000.0])
def test_rejection_follows_the_poisson_law_closely(mean):
    """With so many draws a constant of the algorithm that is slightly off shows."""
    n = 2_000 if config.DISABLE_JIT else 1_000_000
    counts = np.empty((1, n), dtype=np.int64)
    rng.fill_poisson(counts, 5, 1, np.zeros(1, np.int64), np.full(1, mean), *KEY)
    assert abs(counts.mean() - mean) < 5 * np.sqrt(mean / n)
    # The variance of the sample variance, from the fourth moment mean + 3 mean^2.
    error = np.sqrt((mean + 2 * mean**2) / n)
    assert abs(counts.var() - mean) < 5 * error
    edges = np.unique(stats.poisson.ppf(np.linspace(0.005, 0.995, 100), mean))
    observed = np.bincount(np.searchsorted(edges, counts[0]), minlength=len(edges) + 1)
    cdf = np.concatenate([[0.0], stats.poisson.cdf(edges, mean), [1.0]])
    assert stats.chisquare(observed, n * np.diff(cdf)).pvalue > 1e-3
