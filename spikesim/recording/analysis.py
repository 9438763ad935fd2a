"""The measures of spike trains, on flat arrays.

Nothing is checked here: :class:`~spikesim.recording.PopulationRecording` is the door. Spikes are
two arrays, `times` (ms, ascending) and `ids` (indices of neurons). A stretch of time holds
the spikes after its start up to and with its end, as spikes lie at the ends of steps.

Sums of counts are exact integers, so a result does not depend on the order of addition.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = [
    "bin_starts",
    "correlation_matrix",
    "correlogram",
    "count_matrix",
    "cv",
    "fano_factor",
    "golomb_synchrony",
    "group_by_neuron",
    "intervals",
    "lv",
    "n_bins",
    "power_spectrum",
    "rounding",
    "trace_synchrony",
    "within",
]


def rounding(start: float, stop: float) -> float:
    """Return by how much (ms) times up to `stop` may be off: a multiple of their last digit."""
    return 16.0 * float(np.spacing(max(abs(start), abs(stop))))


def within(times: np.ndarray, start: float, stop: float) -> tuple[int, int]:
    """Return the first spike after `start`, and the first one after `stop`."""
    edges = np.array([start, stop]) + rounding(start, stop)
    first, last = np.searchsorted(times, edges, side="right")
    return int(first), int(last)


def n_bins(start: float, stop: float, width: float) -> int:
    """Return how many whole bins fit."""
    return int((stop - start + 2.0 * rounding(start, stop)) / width)


def bin_starts(times: np.ndarray, start: float, stop: float, width: float) -> np.ndarray:
    """Return the first spike of every whole bin, and the end of the last: int64, (n_bins + 1,)."""
    edges = start + np.arange(n_bins(start, stop, width) + 1) * width
    edges += rounding(start, stop)
    return np.searchsorted(times, edges, side="right")


def group_by_neuron(times: np.ndarray, ids: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the times, neuron after neuron, and the start of each neuron in them, (n + 1,)."""
    from scipy import sparse

    # A matrix with the one spike k in column k: to go from columns to rows is a counting sort.
    kind = _index_type(len(times), n)
    ids, columns = ids.astype(kind, copy=False), np.arange(len(times) + 1, dtype=kind)
    by_row = sparse.csc_array((times, ids, columns), shape=(n, len(times))).tocsr()
    return by_row.data, by_row.indptr


def intervals(times: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the intervals of grouped times, neuron after neuron, and the neuron of each."""
    n = len(starts) - 1
    owners = np.repeat(np.arange(n, dtype=np.int32), np.diff(starts))
    same = owners[1:] == owners[:-1]
    return np.diff(times)[same], owners[1:][same]


def cv(lengths: np.ndarray, owners: np.ndarray, n: int) -> np.ndarray:
    """Return the standard deviation over the mean of the intervals of each neuron."""
    count = np.bincount(owners, minlength=n)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.bincount(owners, lengths, n) / count
        variance = np.bincount(owners, (lengths - mean[owners]) ** 2, n) / count
        return np.where(count > 1, np.sqrt(variance) / mean, np.nan)


def lv(lengths: np.ndarray, owners: np.ndarray, n: int) -> np.ndarray:
    """Return three times the mean of ((a - b) / (a + b))**2 over neighbouring intervals a, b."""
    same = owners[1:] == owners[:-1]
    before, after, owners = lengths[:-1][same], lengths[1:][same], owners[1:][same]
    total = before + after
    # Three spikes at one time: two intervals of zero do not differ.
    contrast = np.divide(before - after, total, out=np.zeros_like(total), where=total > 0.0)
    count = np.bincount(owners, minlength=n)
    with np.errstate(invalid="ignore"):
        return 3.0 * np.bincount(owners, contrast**2, n) / count


def count_matrix(ids: np.ndarray, starts: np.ndarray, n: int) -> Any:
    """Return the counts of every neuron in the bins of :func:`bin_starts`.

    Returns
    -------
    scipy.sparse.csr_array of int64, shape (n, n_bins)
    """
    from scipy import sparse

    shape = (n, len(starts) - 1)
    kind = _index_type(*shape)
    rows = ids[starts[0] : starts[-1]].astype(kind, copy=False)
    columns = np.repeat(np.arange(shape[1], dtype=kind), np.diff(starts))
    ones = np.ones(len(rows), dtype=np.int32)
    return sparse.coo_array((ones, (rows, columns)), shape=shape).tocsr().astype(np.int64)


def fano_factor(counts: Any) -> np.ndarray:
    """Return the variance (unbiased) over the mean of the counts of each row."""
    m = counts.shape[1]
    total, squares = _sums(counts)
    with np.errstate(invalid="ignore"):
        return (m * squares - total**2) / ((m - 1) * total)


def correlation_matrix(counts: Any) -> np.ndarray:
    """Return Pearson's correlation between the rows of counts."""
    m = counts.shape[1]
    total, _ = _sums(counts)
    covariance = m * (counts @ counts.T).toarray() - np.outer(total, total)
    variance = np.diag(covariance).astype(np.float64)
    scale = np.sqrt(np.where(variance > 0.0, variance, np.nan))
    found = covariance / scale[:, None] / scale
    np.fill_diagonal(found, np.where(variance > 0.0, 1.0, np.nan))
    return np.clip(found, -1.0, 1.0, out=found)


def golomb_synchrony(counts: Any) -> float:
    """Return the variance of the mean row over the mean variance of the rows of sparse counts."""
    n, m = counts.shape
    total, squares = _sums(counts)
    column = np.asarray(counts.sum(axis=0), dtype=np.int64)
    together = m * int(np.sum(column**2)) - int(np.sum(column)) ** 2
    alone = m * int(np.sum(squares)) - sum(int(value) ** 2 for value in total.tolist())
    return together / (n * alone) if alone else float("nan")


def trace_synchrony(values: np.ndarray) -> float:
    """Return the same of traces, shape (n_samples, n)."""
    alone = float(np.mean(np.var(values, axis=0)))
    return float(np.var(np.mean(values, axis=1))) / alone if alone > 0.0 else float("nan")


def power_spectrum(
    counts: np.ndarray, n: int, width: float, per_segment: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return frequencies (Hz) and the two-sided density (Hz) of a population histogram, over n."""
    from scipy import signal

    per_second = 1000.0 / width
    frequencies, density = signal.welch(
        counts * per_second, per_second, nperseg=per_segment, detrend="constant"
    )
    # One-sided: each frequency but zero and the highest holds its negative twin as well.
    density[1 : (per_segment + 1) // 2] /= 2.0
    return frequencies, density / n


def correlogram(reference: np.ndarray, other: np.ndarray, width: float, n_lags: int) -> np.ndarray:
    """Count the differences ``other - reference`` in 2 n_lags + 1 bins around multiples of width.

    A difference on the border of two bins counts half in each, so that the correlogram of the
    exchanged trains is the mirror image.
    """
    if not len(reference) or not len(other):
        return np.zeros(2 * n_lags + 1)
    latest = max(abs(reference[-1]), abs(other[-1]), abs(reference[0]), abs(other[0]))
    slack = 16.0 * float(np.spacing(latest)) / width
    reach = (n_lags + 0.5 + slack) * width
    low = np.searchsorted(other, reference - reach)
    number = np.searchsorted(other, reference + reach, side="right") - low
    ends = np.cumsum(number)
    partner = np.arange(ends[-1]) + np.repeat(low - ends + number, number)
    lags = (other[partner] - np.repeat(reference, number)) / width
    counts = np.zeros(2 * n_lags + 3)
    for place in (np.ceil(lags - 0.5 - slack), np.floor(lags + 0.5 + slack)):
        counts += 0.5 * np.bincount(place.astype(np.int64) + n_lags + 1, minlength=len(counts))
    return counts[1:-1]


def _sums(counts: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the sum of each row and of its squares, exact."""
    found = []
    for data in (counts.data, counts.data**2):
        running = np.concatenate([[0], np.cumsum(data, dtype=np.int64)])
        found.append(running[counts.indptr[1:]] - running[counts.indptr[:-1]])
    return found[0], found[1]


def _index_type(*sizes: int) -> Any:
    """Return the smallest type of indices that SciPy keeps; the copy to a larger one is slow."""
    return np.int32 if max(sizes) < 2**31 - 1 else np.int64
