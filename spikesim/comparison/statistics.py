"""The statistics of the comparison: intervals, times to solve, paired tests.

Everything that scipy has is scipy's; what it lacks (the corrected resampled t, the smallest
detectable difference, tests of equivalence) is a formula over its distributions.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from spikesim import _check
from spikesim.errors import ParameterError

__all__ = [
    "Comparison",
    "Equivalence",
    "Estimate",
    "Survival",
    "corrected_difference",
    "corrected_mean",
    "detectable_difference",
    "equivalent_means",
    "equivalent_shares",
    "kaplan_meier",
    "level_of",
    "log_rank",
    "mcnemar",
    "values_of",
    "wilson",
]


class Estimate(NamedTuple):
    """A value with its confidence interval."""

    value: float
    low: float
    high: float


class Comparison(NamedTuple):
    """A difference with its confidence interval and two-sided p value."""

    value: float
    low: float
    high: float
    p_value: float


class Equivalence(NamedTuple):
    """A difference held against a margin by two one-sided tests (TOST).

    Attributes
    ----------
    value : float
        The difference.
    low, high : float
        Its interval at twice the level of the tests, 90 % for tests at 5 %: the difference is
        smaller than the margin exactly when the margin lies outside on both sides.
    p_value : float
        The larger of the p values of the two tests; small when the difference is small.
    margin : float
        Largest difference that counts as none.
    equivalent : bool
        Whether both tests reject.
    """

    value: float
    low: float
    high: float
    p_value: float
    margin: float
    equivalent: bool


class Survival(NamedTuple):
    """Share of runs not yet solved, by epoch (Kaplan-Meier).

    Attributes
    ----------
    epochs : ndarray, shape (n_points,)
        Epochs at which the curve may drop, ascending.
    unsolved, low, high : ndarray, shape (n_points,)
        Share of runs unsolved after that epoch, with its pointwise interval.
    median : Estimate
        Epoch by which half of the runs are solved; ``inf`` where that is not reached.
    """

    epochs: np.ndarray
    unsolved: np.ndarray
    low: np.ndarray
    high: np.ndarray
    median: Estimate


def wilson(successes: int, n: int, level: float = 0.95) -> Estimate:
    """Return a proportion with its Wilson score interval.

    Parameters
    ----------
    successes, n : int
        Count and number of tries, ``0 <= successes <= n`` and ``n >= 1``.
    level : float, default 0.95
        Confidence level.

    Notes
    -----
    E. B. Wilson (1927), J. Am. Stat. Assoc. 22:209. Unlike the interval from the normal
    approximation it stays within 0 and 1 and keeps a width when every try succeeds.
    """
    from scipy.stats import binomtest

    n = _check.integer("wilson.n", n, minimum=1)
    successes = _check.integer("wilson.successes", successes, minimum=0)
    if successes > n:
        raise ParameterError(f"wilson.successes must be at most n = {n}, got {successes}")
    interval = binomtest(successes, n).proportion_ci(level_of("wilson.level", level), "wilson")
    # The formula leaves rounding of 1e-17 beside the exact ends 0 and 1.
    low = 0.0 if successes == 0 else float(interval.low)
    high = 1.0 if successes == n else float(interval.high)
    return Estimate(successes / n, low, high)


def kaplan_meier(epochs: ArrayLike, solved: ArrayLike, level: float = 0.95) -> Survival:
    """Estimate the share of runs still unsolved after each epoch.

    Parameters
    ----------
    epochs : array_like, shape (n_runs,)
        Epoch at which a run was solved, or the last one it was watched for.
    solved : array_like of bool, shape (n_runs,)
        False for a run that was never solved: it is censored, not dropped.
    level : float, default 0.95
        Confidence level of the pointwise intervals (log-log transformed) and of the median.

    Notes
    -----
    E. L. Kaplan, P. Meier (1958), J. Am. Stat. Assoc. 53:457. The interval of the median is where
    the pointwise band crosses one half (Brookmeyer & Crowley 1982, Biometrics 38:29).
    """
    from scipy.stats import CensoredData, ecdf

    times, events = _times("kaplan_meier", epochs, solved)
    curve = ecdf(CensoredData.right_censored(times, ~events)).sf
    unsolved = np.asarray(curve.probabilities, dtype=np.float64)
    with warnings.catch_warnings():
        # The log-log interval is undefined where the share is 0 or 1; both are filled below.
        warnings.simplefilter("ignore", RuntimeWarning)
        band = curve.confidence_interval(level_of("kaplan_meier.level", level), method="log-log")
    low = np.asarray(band.low.probabilities, dtype=np.float64).copy()
    high = np.asarray(band.high.probabilities, dtype=np.float64).copy()
    low[unsolved == 1.0] = high[unsolved == 1.0] = 1.0
    low[unsolved == 0.0] = 0.0
    for i in np.flatnonzero(unsolved == 0.0):
        high[i] = high[i - 1] if i else 1.0
    points = np.asarray(curve.quantiles, dtype=np.float64)
    median = Estimate(*(_first_at_half(points, share) for share in (unsolved, low, high)))
    return Survival(points, unsolved, low, high, median)


def log_rank(
    epochs_a: ArrayLike, solved_a: ArrayLike, epochs_b: ArrayLike, solved_b: ArrayLike
) -> float:
    """Return the two-sided log-rank p value for equal times to solve.

    Parameters
    ----------
    epochs_a, epochs_b : array_like
        As in :func:`kaplan_meier`.
    solved_a, solved_b : array_like of bool
        False for censored runs.
    """
    from scipy.stats import CensoredData, logrank

    a, events_a = _times("log_rank", epochs_a, solved_a)
    b, events_b = _times("log_rank", epochs_b, solved_b)
    if not events_a.any() and not events_b.any():
        return 1.0
    if len(np.unique(np.concatenate([a, b]))) == 1:
        return 1.0
    result = logrank(
        CensoredData.right_censored(a, ~events_a), CensoredData.right_censored(b, ~events_b)
    )
    return float(result.pvalue)


def mcnemar(solved_a: ArrayLike, solved_b: ArrayLike) -> float:
    """Return the exact McNemar p value for two success rates on the same seeds.

    Parameters
    ----------
    solved_a, solved_b : array_like of bool, shape (n_seeds,)
        Success of each contender on seed i.

    Notes
    -----
    Only seeds on which the two disagree tell anything; under equal rates each of them is a fair
    coin (Q. McNemar 1947, Psychometrika 12:153).
    """
    from scipy.stats import binomtest

    a, b = np.asarray(solved_a, dtype=bool), np.asarray(solved_b, dtype=bool)
    if a.shape != b.shape or a.ndim != 1:
        raise ParameterError(
            f"mcnemar.solved_b must have the shape of solved_a, {a.shape}, got {b.shape}"
        )
    only_a, only_b = int(np.sum(a & ~b)), int(np.sum(b & ~a))
    if only_a + only_b == 0:
        return 1.0
    return float(binomtest(only_a, only_a + only_b).pvalue)


def equivalent_shares(
    solved_a: ArrayLike, solved_b: ArrayLike, margin: float, level: float = 0.05
) -> Equivalence:
    r"""Test whether two success rates on the same seeds differ by less than a margin.

    With :math:`n_a` seeds on which a alone succeeds and :math:`n_b` on which b alone does, the
    score of a difference :math:`\delta` is

    .. math::

        z(\delta) = \frac{n_a - n_b - n\delta}{\sqrt{n\,(2q + \delta(1 - \delta))}}

    with q the most likely probability of b alone under that difference. The rates count as equal
    if both :math:`-margin` and :math:`margin` are rejected. Unlike tests that estimate the
    variance from the data, it knows that few seeds without any disagreement prove little.

    Parameters
    ----------
    solved_a, solved_b : array_like of bool, shape (n_seeds,)
        Success of each contender on seed i.
    margin : float
        Between 0 and 1.
    level : float, default 0.05
        Level of each of the two tests, below one half.

    Notes
    -----
    T. Tango (1998), Statistics in Medicine 17:891.
    """
    from scipy.optimize import brentq
    from scipy.stats import norm

    a, b = np.asarray(solved_a, dtype=bool), np.asarray(solved_b, dtype=bool)
    if a.shape != b.shape or a.ndim != 1 or not len(a):
        raise ParameterError(
            f"equivalent_shares.solved_b must have the shape of solved_a, {a.shape}, and hold "
            f"at least one seed, got {b.shape}"
        )
    margin = level_of("equivalent_shares.margin", margin)
    level = _one_sided("equivalent_shares.level", level)
    n, only_a, only_b = len(a), int(np.sum(a & ~b)), int(np.sum(b & ~a))

    def score(difference: float) -> float:
        # The root of the likelihood equation of q.
        quadratic = 2.0 * n
        linear = -only_a - only_b + (2.0 * n - only_a + only_b) * difference
        constant = -only_b * difference * (1.0 - difference)
        q = (math.sqrt(linear**2 - 4.0 * quadratic * constant) - linear) / (2.0 * quadratic)
        spread = n * (2.0 * q + difference * (1.0 - difference))
        # Without any disagreement a difference of 0 has no spread and fits exactly.
        return (only_a - only_b - n * difference) / math.sqrt(spread) if spread > 0.0 else 0.0

    p_value = float(max(norm.sf(score(-margin)), norm.cdf(score(margin))))
    value, critical, end = (only_a - only_b) / n, float(norm.isf(level)), 1.0 - 1e-9

    def where(bound: float) -> float:
        """Return the difference at which the score, which falls, gets to `bound`."""
        if score(-end) <= bound:
            return -1.0
        return 1.0 if score(end) >= bound else float(brentq(lambda d: score(d) - bound, -end, end))

    low, high = where(critical), where(-critical)
    return Equivalence(value, min(low, value), max(high, value), p_value, margin, p_value < level)


def equivalent_means(
    a: ArrayLike,
    b: ArrayLike,
    margin: float,
    level: float = 0.05,
    *,
    n_train: float | None = None,
    n_test: float | None = None,
) -> Equivalence:
    """Test whether the means of paired values differ by less than a margin.

    Two one-sided paired t tests (Schuirmann 1987, J. Pharmacokinet. Biopharm. 15:657).

    Parameters
    ----------
    a, b : array_like, shape (n_pairs,)
        Values of two contenders on the same seeds, or on the same folds in the same order.
    margin : float
        Greater than 0, in the unit of the values.
    level : float, default 0.05
        Level of each of the two tests, below one half.
    n_train, n_test : float, optional
        For folds of a repeated cross-validation: samples in the two parts of a fold. The
        standard error is then that of :func:`corrected_mean`.
    """
    from scipy.stats import t

    x, y = values_of("equivalent_means.a", a), values_of("equivalent_means.b", b)
    if x.shape != y.shape:
        raise ParameterError(
            f"equivalent_means.b must have as many values as a, {len(x)}, got {len(y)}"
        )
    margin = _check.positive("equivalent_means.margin", margin)
    level = _one_sided("equivalent_means.level", level)
    if (n_train is None) != (n_test is None):
        raise ParameterError("equivalent_means.n_train and n_test must be given together")
    correction = math.sqrt(1.0 / len(x))
    if n_train is not None and n_test is not None:
        correction = _correction("equivalent_means", len(x), n_train, n_test)
    value = float(np.mean(x - y))
    error = float(np.std(x - y, ddof=1)) * correction
    half = float(t.isf(level, len(x) - 1)) * error
    if error == 0.0:
        p_value = 0.0 if abs(value) < margin else 1.0
    else:
        p_value = float(t.sf((margin - abs(value)) / error, len(x) - 1))
    return Equivalence(value, value - half, value + half, p_value, margin, p_value < level)


def corrected_mean(
    values: ArrayLike, n_train: float, n_test: float, level: float = 0.95
) -> Estimate:
    r"""Return the mean of a repeated cross-validation with the corrected resampled t interval.

    .. math::

        se^2 = \left(\frac{1}{n} + \frac{n_{test}}{n_{train}}\right) s^2, \qquad
        \bar x \pm t_{n-1}\, se

    Parameters
    ----------
    values : array_like, shape (n_folds,)
        One accuracy for each fold of each repeat, at least two.
    n_train, n_test : float
        Samples in the training and test part of a fold.
    level : float, default 0.95
        Confidence level.

    Notes
    -----
    C. Nadeau, Y. Bengio (2003), Machine Learning 52:239. Training sets overlap, so folds are not
    independent; :math:`s / \sqrt{n}` would be some three times too narrow for 10 x 10 folds.
    """
    from scipy.stats import t

    x = values_of("corrected_mean.values", values)
    half = t.ppf(0.5 + level_of("corrected_mean.level", level) / 2, len(x) - 1)
    half *= float(np.std(x, ddof=1)) * _correction("corrected_mean", len(x), n_train, n_test)
    mean = float(np.mean(x))
    return Estimate(mean, mean - float(half), mean + float(half))


def corrected_difference(
    a: ArrayLike, b: ArrayLike, n_train: float, n_test: float, level: float = 0.95
) -> Comparison:
    """Return the mean of ``a - b`` over paired folds, with corrected interval and p value.

    Parameters
    ----------
    a, b : array_like, shape (n_folds,)
        Accuracies of two contenders on the same folds in the same order.
    n_train, n_test, level
        As in :func:`corrected_mean`.
    """
    from scipy.stats import t

    x, y = values_of("corrected_difference.a", a), values_of("corrected_difference.b", b)
    if x.shape != y.shape:
        raise ParameterError(
            f"corrected_difference.b must have as many folds as a, {len(x)}, got {len(y)}"
        )
    mean, low, high = corrected_mean(x - y, n_train, n_test, level)
    error = float(np.std(x - y, ddof=1)) * _correction("", len(x), n_train, n_test)
    if error == 0.0:
        return Comparison(mean, low, high, 1.0 if mean == 0.0 else 0.0)
    return Comparison(mean, low, high, float(2.0 * t.sf(abs(mean) / error, len(x) - 1)))


def detectable_difference(
    sd: float,
    n: int,
    n_train: float,
    n_test: float,
    *,
    power: float = 0.8,
    level: float = 0.05,
) -> float:
    """Return the smallest true difference that the corrected resampled t test finds.

    Parameters
    ----------
    sd : float
        Standard deviation of the fold-by-fold differences between two contenders, at least 0.
    n : int
        Folds times repeats, at least 2.
    n_train, n_test : float
        Samples in the training and test part of a fold.
    power : float, default 0.8
        Probability with which the difference is found.
    level : float, default 0.05
        Two-sided level of the test.

    Notes
    -----
    Power from the noncentral t distribution with ``n - 1`` degrees of freedom; a finding in the
    wrong direction does not count.
    """
    from scipy.optimize import brentq
    from scipy.stats import nct, t

    n = _check.integer("detectable_difference.n", n, minimum=2)
    power = level_of("detectable_difference.power", power)
    critical = t.ppf(1.0 - level_of("detectable_difference.level", level) / 2, n - 1)

    def shortfall(noncentrality: float) -> float:
        return float(nct.sf(critical, n - 1, noncentrality)) - power

    # At twice this bound the statistic lies above its critical value almost surely.
    noncentrality = brentq(shortfall, 0.0, 2.0 * (critical + t.ppf(max(power, 0.5), n - 1)))
    error = _check.non_negative("detectable_difference.sd", sd)
    return float(noncentrality) * error * _correction("detectable_difference", n, n_train, n_test)


def _correction(name: str, n: int, n_train: float, n_test: float) -> float:
    train = _check.positive(f"{name}.n_train", n_train)
    test = _check.positive(f"{name}.n_test", n_test)
    return math.sqrt(1.0 / n + test / train)


def values_of(name: str, values: ArrayLike) -> np.ndarray:
    """Return at least two finite values, checked."""
    array = _check.float_array(name, values)
    _check.shape(name, array, (None,))
    if len(array) < 2:
        raise ParameterError(f"{name} must hold at least two folds, got {len(array)}")
    return array


def _times(name: str, epochs: ArrayLike, solved: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    times = _check.float_array(f"{name}.epochs", epochs)
    _check.shape(f"{name}.epochs", times, (None,))
    events = np.asarray(solved, dtype=bool)
    _check.shape(f"{name}.solved", events, times.shape)
    if len(times) == 0:
        raise ParameterError(f"{name}.epochs must hold at least one run")
    return times, events


def level_of(name: str, value: float) -> float:
    """Return a number between 0 and 1, checked."""
    level = _check.scalar(name, value)
    if not 0.0 < level < 1.0:
        raise ParameterError(f"{name} must lie between 0 and 1, got {level:g}")
    return level


def _one_sided(name: str, value: float) -> float:
    level = _check.scalar(name, value)
    if not 0.0 < level < 0.5:
        raise ParameterError(f"{name} must lie between 0 and 0.5, got {level:g}")
    return level


def _first_at_half(epochs: Sequence[float] | np.ndarray, share: np.ndarray) -> float:
    # The pointwise values carry rounding: 1 - 10/20 may come out above one half.
    reached = np.flatnonzero(share <= 0.5 + 1e-12)
    return float(epochs[reached[0]]) if len(reached) else math.inf
