"""The measures of activity on processes whose statistics are known, and at a large size."""

import tracemalloc

import numpy as np
import pytest

from spikesim.recording import PopulationRecording
from tests.naive_analysis import poisson, renewal

from_spikes = PopulationRecording.from_spikes


def test_independent_poisson_processes_have_their_closed_forms():
    rng = np.random.default_rng(1)
    n, rate, duration = 200, 20.0, 50_000.0
    population = from_spikes(*poisson(rate, duration, n, rng), n, stop=duration)
    number = len(population.spike_times)
    assert population.rates().mean() == pytest.approx(rate, abs=4 * rate / np.sqrt(number))
    # A train of 1000 intervals: the deviation of CV is about 1 / sqrt(1000), its bias below that.
    assert population.cv().mean() == pytest.approx(1.0, abs=5e-3)
    assert population.lv().mean() == pytest.approx(1.0, abs=5e-3)
    windows = duration / 100.0
    assert population.fano_factor().mean() == pytest.approx(1.0, abs=4 * np.sqrt(2 / windows / n))
    bins = duration / 2.0
    pairs = population.correlations(n_neurons=None)
    assert len(pairs) == n * (n - 1) // 2
    assert pairs.mean() == pytest.approx(0.0, abs=4 / np.sqrt(bins * len(pairs)))
    assert pairs.std() == pytest.approx(1 / np.sqrt(bins), rel=0.05)
    assert population.synchrony() == pytest.approx(1.0, abs=4 * np.sqrt(2 / (duration / 3.0)))
    golomb = population.golomb_synchrony()
    assert golomb * n == pytest.approx(1.0, abs=4 * np.sqrt(2 / bins))
    frequencies, density = population.power_spectrum(1.0, segment=500.0)
    assert (frequencies[0], frequencies[1], frequencies[-1]) == (0.0, 2.0, 500.0)
    # White up to the highest frequency; segments of 500 ms leave about 8 % of noise in each value.
    assert density[2:-1].mean() == pytest.approx(rate, rel=0.02)
    assert density[2:60].mean() == pytest.approx(rate, rel=0.06)
    assert np.all(np.abs(density[2:-1] / rate - 1.0) < 0.5)
    _, counts = population.correlogram(0, 1, max_lag=100.0, bin_width=5.0)
    expected = np.prod(population.rates()[:2] / 1000.0) * 5.0 * duration
    assert counts.mean() == pytest.approx(expected, abs=4 * np.sqrt(expected / len(counts)))


@pytest.mark.parametrize("order", [1, 4, 16])
def test_a_gamma_process_of_order_k_has_its_closed_forms(order):
    rng = np.random.default_rng(order)
    population = from_spikes(*renewal(order, 20.0, 50_000.0, 100, rng), 100, stop=50_000.0)
    assert population.cv().mean() == pytest.approx(order**-0.5, rel=0.01)
    assert population.lv().mean() == pytest.approx(3.0 / (2.0 * order + 1.0), rel=0.02)
    # The Fano factor of a long window, with its first correction (Cox 1962, section 4.5).
    square = 1.0 / order
    expected = square + (1.0 - square**2) / (6.0 * 20.0)
    assert population.fano_factor(1000.0).mean() == pytest.approx(expected, rel=0.1)


def test_a_regular_train_does_not_vary():
    times = np.arange(1, 1001) * 10.0
    population = from_spikes(times, np.zeros(1000, dtype=int), 2, stop=10_000.0, dt=0.1)
    np.testing.assert_array_equal(population.cv(), [0.0, np.nan])
    np.testing.assert_array_equal(population.lv(), [0.0, np.nan])
    np.testing.assert_array_equal(population.fano_factor(100.0), [0.0, np.nan])
    assert population.synchrony(20.0) == 0.0
    assert np.isnan(population.golomb_synchrony(20.0))
    assert np.isnan(population.correlations(20.0)).tolist() == [True]
    lags, counts = population.correlogram(0, max_lag=25.0, bin_width=5.0)
    np.testing.assert_array_equal(lags, np.arange(-5, 6) * 5.0)
    np.testing.assert_array_equal(counts, [0, 998, 0, 999, 0, 0, 0, 999, 0, 998, 0])


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_copies_of_one_train_that_keep_a_share_of_it_are_correlated_by_that_share(share):
    # The multiple interaction process of Kuhn, Aertsen and Rotter (2003).
    rng = np.random.default_rng(3)
    n, rate, duration = 50, 20.0, 20_000.0
    mother, _ = poisson(rate / share, duration, 1, rng)
    kept = rng.random((n, len(mother))) < share
    ids, place = np.nonzero(kept)
    population = from_spikes(mother[place], ids, n, stop=duration)
    assert np.mean(population.correlations()) == pytest.approx(share, rel=0.05)
    assert population.synchrony() == pytest.approx(1.0 + (n - 1) * share, rel=0.06)
    assert population.golomb_synchrony() == pytest.approx(share + (1.0 - share) / n, rel=0.06)


def test_the_same_train_is_all_synchrony():
    rng = np.random.default_rng(4)
    times, _ = poisson(20.0, 5_000.0, 1, rng)
    population = from_spikes(np.repeat(times, 3), np.tile([0, 1, 2], len(times)), 3, stop=5_000.0)
    np.testing.assert_allclose(population.correlations(), [1.0, 1.0, 1.0])
    assert population.golomb_synchrony() == pytest.approx(1.0)
    assert population.synchrony() == pytest.approx(3.0, rel=0.1)


def test_a_modulated_rate_has_its_line_with_the_right_area():
    rng = np.random.default_rng(5)
    n, rate, depth, frequency, duration = 100, 40.0, 0.5, 30.0, 20_000.0
    times, ids = poisson(rate * (1.0 + depth), duration, n, rng)
    chance = (1.0 + depth * np.sin(2.0 * np.pi * frequency * times / 1000.0)) / (1.0 + depth)
    kept = rng.random(len(times)) < chance
    population = from_spikes(times[kept], ids[kept], n, stop=duration)
    frequencies, density = population.power_spectrum(1.0)
    assert frequencies[np.argmax(density)] == frequency
    line = np.abs(frequencies - frequency) <= 4.0
    area = np.sum(density[line] - rate) * frequencies[1]
    # Half of the variance n (depth rate)^2 / 2 lies at positive frequencies.
    assert area == pytest.approx(n * (depth * rate) ** 2 / 4.0, rel=0.03)
    assert np.mean(density[frequencies > 100.0]) == pytest.approx(rate, rel=0.03)


def test_the_density_over_all_frequencies_is_the_variance():
    rng = np.random.default_rng(6)
    population = from_spikes(*poisson(30.0, 4_000.0, 10, rng), 10, stop=4_000.0)
    for bin_width in (1.0, 4_000.0 / 4001.0):
        frequencies, density = population.power_spectrum(bin_width, segment=4_000.0)
        n_bins = round(4_000.0 / bin_width)
        assert len(density) == n_bins // 2 + 1
        weights = np.full(len(density), 2.0)
        weights[0] = 1.0
        if n_bins % 2 == 0:
            weights[-1] = 1.0
        _, rates = population.population_rate(bin_width)
        area = np.sum(weights * density) * frequencies[1]
        assert area == pytest.approx(10 * np.var(rates), rel=0.1)


def test_a_million_spikes_take_memory_in_proportion_to_spikes_not_to_windows():
    """10,000 neurons in 100,000 windows would be 8 GB of counts."""
    import scipy.sparse  # noqa: F401 (its import is no part of the memory)

    n, number = 10_000, 1_000_000
    rng = np.random.default_rng(12)
    steps = np.sort(rng.integers(1, 1_000_001, number))
    population = from_spikes(steps * 0.1, rng.integers(0, n, number), n, stop=100_000.0, dt=0.1)
    tracemalloc.start()
    try:
        fano = population.fano_factor(1.0)
        population.golomb_synchrony(1.0)
        population.cv()
        assert tracemalloc.get_traced_memory()[1] < 120 * number
    finally:
        tracemalloc.stop()
    assert np.mean(fano) == pytest.approx(1.0, abs=0.01)
    sparse = population.binned_counts(1.0, sparse=True)
    assert sparse.sum() == number and sparse.shape == (n, 100_000)
    assert np.nanmean(population.cv()) == pytest.approx(1.0, abs=0.02)
    assert population.golomb_synchrony(1.0) * n == pytest.approx(1.0, rel=0.03)
