"""Statistics of independent starts: bootstrapped means, and the best of n trials."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from spikesim.comparison.statistics import Comparison, Estimate, level_of, values_of
from spikesim.errors import ParameterError

__all__ = ["bootstrap_difference", "bootstrap_mean", "expected_best"]

_RESAMPLES = 10_000


def bootstrap_mean(values: ArrayLike, level: float = 0.95) -> Estimate:
    """Return the mean of independent runs with its percentile bootstrap interval.

    Parameters
    ----------
    values : array_like, shape (n_runs,)
        One value for each start, at least two.
    level : float, default 0.95
        Confidence level.

    Notes
    -----
    10,000 resamples from a fixed seed, so that equal values give equal intervals (Efron &
    Tibshirani 1993, An Introduction to the Bootstrap, ch. 13).
    """
    x = values_of("bootstrap_mean.values", values)
    tail = 50.0 * (1.0 - level_of("bootstrap_mean.level", level))
    rows = np.random.default_rng(1979).integers(len(x), size=(_RESAMPLES, len(x)))
    low, high = np.percentile(x[rows].mean(axis=1), [tail, 100.0 - tail])
    return Estimate(float(x.mean()), float(low), float(high))


def bootstrap_difference(a: ArrayLike, b: ArrayLike, level: float = 0.95) -> Comparison:
    """Return the mean of ``a - b`` over paired starts, bootstrapped, with Wilcoxon's p value.

    Parameters
    ----------
    a, b : array_like, shape (n_runs,)
        Values of two contenders from the same starts in the same order.
    level : float, default 0.95
        Confidence level.

    Notes
    -----
    The p value is that of the signed-rank test, in which a difference of zero counts half to
    each side (F. Wilcoxon 1945, Biometrics Bulletin 1:80).
    """
    from scipy.stats import wilcoxon

    x, y = values_of("bootstrap_difference.a", a), values_of("bootstrap_difference.b", b)
    if x.shape != y.shape:
        raise ParameterError(
            f"bootstrap_difference.b must have as many runs as a, {len(x)}, got {len(y)}"
        )
    if np.all(x == y):
        return Comparison(0.0, 0.0, 0.0, 1.0)
    p_value = float(wilcoxon(x - y, zero_method="zsplit").pvalue)
    return Comparison(*bootstrap_mean(x - y, level), p_value)


def expected_best(scores: ArrayLike) -> np.ndarray:
    r"""Return the best of n scores that is to be expected, for n from 1 to all of them.

    For scores :math:`s_1 \le \dots \le s_N`, of which n are drawn without putting back,

    .. math::

        E_n = \sum_{k=n}^{N} s_k \binom{k-1}{n-1} \Big/ \binom{N}{n}

    How it rises shows how much a method owes to being tuned (Dodge et al. 2019, EMNLP, who draw
    with putting back).

    Parameters
    ----------
    scores : array_like, shape (n_trials,)
        One for each trial of a random search; the larger the better.
    """
    from scipy.special import gammaln

    ordered = np.sort(values_of("expected_best.scores", scores))
    total = len(ordered)
    rank = np.arange(1, total + 1)

    def log_choose(n: ArrayLike, k: float) -> np.ndarray:
        n = np.asarray(n, dtype=np.float64)
        return gammaln(n + 1.0) - gammaln(k + 1.0) - gammaln(n - k + 1.0)

    best = np.empty(total)
    for n in range(1, total + 1):
        share = np.exp(log_choose(rank[n - 1 :] - 1, n - 1) - log_choose(total, n))
        best[n - 1] = np.sum(ordered[n - 1 :] * share)
    return best
