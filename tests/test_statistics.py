"""The statistics of the comparison against hand calculation and published values."""

import math

import numpy as np
import pytest
from scipy import stats

from spikesim.comparison import statistics as st
from spikesim.errors import ParameterError, ParameterTypeError


def test_wilson_against_its_formula():
    k, n, z = 37, 50, stats.norm.ppf(0.975)
    p = k / n
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    value, low, high = st.wilson(k, n)
    assert value == p
    assert (low, high) == pytest.approx((centre - half, centre + half), rel=1e-12)


def test_wilson_of_all_successes():
    # 100 of 100 only says "more than 96.3 %", 10 of 10 "more than 72 %".
    assert st.wilson(100, 100).low == pytest.approx(0.963, abs=5e-4)
    assert st.wilson(10, 10).low == pytest.approx(0.7225, abs=5e-4)
    assert st.wilson(10, 10).high == 1.0
    assert st.wilson(0, 10).low == 0.0


def test_wilson_refuses_more_successes_than_tries():
    with pytest.raises(ParameterError, match="wilson.successes"):
        st.wilson(3, 2)
    with pytest.raises(ParameterTypeError, match="wilson.n"):
        st.wilson(1, 2.0)


def test_kaplan_meier_by_hand():
    # Six runs; the one watched for 4 epochs only leaves the risk set without an event.
    result = st.kaplan_meier([1, 3, 4, 5, 9, 9], [True, True, False, True, False, False])
    assert result.epochs.tolist() == [1, 3, 4, 5, 9]
    expected = [5 / 6, 4 / 6, 4 / 6, 4 / 6 * 2 / 3, 4 / 6 * 2 / 3]
    assert result.unsolved == pytest.approx(expected)
    assert result.median.value == 5
    assert math.isinf(result.median.high)


def test_kaplan_meier_without_censoring_is_the_empirical_share():
    epochs = np.random.default_rng(1).permutation(np.arange(1, 21))
    result = st.kaplan_meier(epochs, np.ones(20, bool))
    assert result.unsolved == pytest.approx(1 - np.arange(1, 21) / 20)
    assert result.median.value == 10
    assert 1 <= result.median.low <= 10 <= result.median.high <= 20
    assert np.all(result.low <= result.unsolved) and np.all(result.unsolved <= result.high)


def test_kaplan_meier_median_not_reached_when_nothing_is_solved():
    result = st.kaplan_meier([50] * 5, [False] * 5)
    assert result.unsolved.tolist() == [1.0]
    assert result.median == (math.inf, math.inf, math.inf)


def test_censored_runs_are_not_dropped():
    with_censored = st.kaplan_meier([1, 2, 100, 100, 100], [1, 1, 0, 0, 0])
    dropped = st.kaplan_meier([1, 2], [1, 1])
    assert with_censored.unsolved[-1] == pytest.approx(0.6)
    assert dropped.unsolved[-1] == 0.0


def test_log_rank():
    slow, fast = np.arange(20, 40), np.arange(1, 21)
    yes = np.ones(20, bool)
    assert st.log_rank(slow, yes, fast, yes) < 1e-4
    assert st.log_rank(fast, yes, fast, yes) == pytest.approx(1.0)
    assert st.log_rank([9, 9], [False, False], [9, 9], [False, False]) == 1.0
    assert st.log_rank([1, 1], [True, True], [1, 1], [True, True]) == 1.0


def test_mcnemar_uses_discordant_seeds_only():
    a = np.array([1] * 30 + [1] * 6 + [0] * 0, bool)
    b = np.array([1] * 30 + [0] * 6 + [0] * 0, bool)
    assert st.mcnemar(a, b) == pytest.approx(2 * 0.5**6)
    assert st.mcnemar(a, a) == 1.0
    with pytest.raises(ParameterError, match="mcnemar.solved_b"):
        st.mcnemar(a, b[:-1])


def test_corrected_mean_by_hand():
    x = np.array([0.9, 1.0, 0.95, 0.85])
    error = math.sqrt((1 / 4 + 15 / 135) * x.var(ddof=1))
    half = stats.t.ppf(0.975, 3) * error
    assert st.corrected_mean(x, 135, 15) == pytest.approx(
        (x.mean(), x.mean() - half, x.mean() + half)
    )


def test_correction_is_3_5_times_wider_for_ten_by_ten():
    x = np.random.default_rng(0).normal(0.95, 0.04, 100)
    naive = stats.t.ppf(0.975, 99) * x.std(ddof=1) / 10
    corrected = st.corrected_mean(x, 135, 15)
    assert (corrected.high - corrected.value) / naive == pytest.approx(3.4801, abs=1e-3)


def test_corrected_difference():
    rng = np.random.default_rng(3)
    b = rng.normal(0.9, 0.03, 50)
    a = b + 0.02 + rng.normal(0, 0.01, 50)
    value, low, high, p = st.corrected_difference(a, b, 135, 15)
    assert low < 0.02 < high and low > 0
    error = (a - b).std(ddof=1) * math.sqrt(1 / 50 + 15 / 135)
    assert p == pytest.approx(2 * stats.t.sf(value / error, 49))
    assert st.corrected_difference(a, a, 135, 15) == (0.0, 0.0, 0.0, 1.0)
    with pytest.raises(ParameterError, match="corrected_difference.b"):
        st.corrected_difference(a, b[1:], 135, 15)
    with pytest.raises(ParameterError, match="at least two folds"):
        st.corrected_mean([0.5], 135, 15)


def test_detectable_difference_is_found_with_the_power_asked_for():
    n, sd = 100, 0.04
    difference = st.detectable_difference(sd, n, 135, 15)
    # An independent route: simulate means with the corrected error and its chi-squared estimate.
    rng = np.random.default_rng(7)
    error = sd * math.sqrt(1 / n + 15 / 135)
    means = rng.normal(difference, error, 200_000)
    estimated = error * np.sqrt(rng.chisquare(n - 1, 200_000) / (n - 1))
    found = np.mean(np.abs(means / estimated) > stats.t.ppf(0.975, n - 1))
    assert found == pytest.approx(0.8, abs=0.005)
    assert difference == pytest.approx(0.98 * sd, rel=0.02)
    assert st.detectable_difference(0.0, n, 135, 15) == 0.0


def test_equal_shares_by_hand():
    # No disagreement on n seeds: z = sqrt(n m / (1 - m)) against each end of the margin.
    solved = np.ones(100, bool)
    found = st.equivalent_shares(solved, solved, 0.1)
    assert found.value == 0.0 and found.equivalent
    assert found.p_value == pytest.approx(stats.norm.sf(math.sqrt(100 * 0.1 / 0.9)), rel=1e-9)
    # The end of the interval is where z is the 95 % quantile: d / (1 - d) = z^2 / n.
    share = stats.norm.ppf(0.95) ** 2 / 100
    assert found.high == pytest.approx(share / (1 + share), rel=1e-6)
    assert found.low == pytest.approx(-found.high, rel=1e-9)
    # The same on 20 seeds proves nothing.
    assert not st.equivalent_shares(solved[:20], solved[:20], 0.1).equivalent


@pytest.mark.parametrize(("only_a", "only_b", "margin"), [(3, 9, 0.2), (12, 5, 0.1), (0, 4, 0.05)])
def test_equal_shares_against_the_constrained_likelihood(only_a, only_b, margin):
    from scipy.optimize import minimize_scalar
    from scipy.special import xlogy

    n = 80
    a, b = np.zeros(n, bool), np.zeros(n, bool)
    a[:only_a] = True
    b[only_a : only_a + only_b] = True
    a[-30:] = b[-30:] = True

    def z(d):
        def unlikely(q):
            rest = 1.0 - 2.0 * q - d
            return -(xlogy(only_a, q + d) + xlogy(only_b, q) + xlogy(n - only_a - only_b, rest))

        low, high = max(0.0, -d) + 1e-12, (1.0 - d) / 2.0 - 1e-12
        q = minimize_scalar(unlikely, bounds=(low, high), method="bounded",
                            options={"xatol": 1e-12}).x  # fmt: skip
        return (only_a - only_b - n * d) / math.sqrt(n * (2.0 * q + d * (1.0 - d)))

    found = st.equivalent_shares(a, b, margin)
    p_value = max(stats.norm.sf(z(-margin)), stats.norm.cdf(z(margin)))
    assert found.p_value == pytest.approx(p_value, rel=1e-4)
    assert found.value == pytest.approx((only_a - only_b) / n)
    assert (z(found.low), z(found.high)) == pytest.approx(
        (stats.norm.ppf(0.95), -stats.norm.ppf(0.95)), rel=1e-4
    )
    assert found.equivalent == (-margin < found.low and found.high < margin)
    # A margin of nothing would be the score test of McNemar.
    mirrored = st.equivalent_shares(b, a, margin)
    assert mirrored.p_value == pytest.approx(found.p_value, rel=1e-9)


def test_equal_shares_at_the_ends():
    every, none = np.ones(20, bool), np.zeros(20, bool)
    found = st.equivalent_shares(every, none, 0.1)
    assert (found.value, found.high) == (1.0, 1.0) and found.p_value > 0.999
    # By hand z^2 = n (1 - d) / (1 + d).
    ratio = stats.norm.ppf(0.95) ** 2 / 20
    assert found.low == pytest.approx((1 - ratio) / (1 + ratio), rel=1e-6)
    found = st.equivalent_shares(none, every, 0.1)
    assert (found.value, found.low) == (-1.0, -1.0)
    assert found.high == pytest.approx(-(1 - ratio) / (1 + ratio), rel=1e-6)


def test_equal_means_against_two_one_sided_t_tests():
    rng = np.random.default_rng(5)
    a, b = rng.normal(0.9, 0.05, 30), rng.normal(0.9, 0.05, 30)
    found = st.equivalent_means(a, b, 0.04)
    above = stats.ttest_1samp(a - b, -0.04, alternative="greater").pvalue
    below = stats.ttest_1samp(a - b, 0.04, alternative="less").pvalue
    assert found.p_value == pytest.approx(max(above, below), rel=1e-12)
    interval = stats.ttest_1samp(a - b, 0.0).confidence_interval(0.9)
    assert (found.low, found.high) == pytest.approx(tuple(interval), rel=1e-12)


def test_equal_means_of_folds_by_hand():
    # Differences 0, .02, .04: mean .02, sd .02; se = .02 sqrt(1/3 + 1/4), 2 degrees of freedom.
    found = st.equivalent_means([0.9, 0.92, 0.94], [0.9] * 3, 0.1, n_train=120, n_test=30)
    error = 0.02 * math.sqrt(1 / 3 + 30 / 120)
    assert found.value == pytest.approx(0.02)
    assert found.p_value == pytest.approx(stats.t.sf(0.08 / error, 2), rel=1e-9)
    corrected = st.corrected_mean([0.0, 0.02, 0.04], 120, 30, level=0.9)
    assert (found.low, found.high) == pytest.approx(corrected[1:], rel=1e-9)


def test_equal_means_without_spread():
    assert st.equivalent_means([0.5, 0.6], [0.5, 0.6], 0.01).p_value == 0.0
    assert st.equivalent_means([1.0, 2.0], [0.0, 1.0], 0.5).p_value == 1.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: st.equivalent_shares([True], [True, False], 0.1), "equivalent_shares.solved_b"),
        (lambda: st.equivalent_shares([], [], 0.1), "equivalent_shares.solved_b"),
        (lambda: st.equivalent_shares([True], [True], 1.5), "equivalent_shares.margin"),
        (lambda: st.equivalent_shares([True], [True], 0.1, 0.5), "equivalent_shares.level"),
        (lambda: st.equivalent_means([1.0, 2.0], [1.0], 0.1), "equivalent_means.b"),
        (lambda: st.equivalent_means([1.0, 2.0], [1.0, 2.0], 0.0), "equivalent_means.margin"),
        (lambda: st.equivalent_means([1.0, 2.0], [1.0, 2.0], 0.1, n_train=9), "n_test"),
    ],
)
def test_equivalence_says_what_is_wrong(call, message):
    with pytest.raises(ParameterError, match=message):
        call()
