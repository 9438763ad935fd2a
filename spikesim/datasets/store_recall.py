"""Store and recall: keep one bit of a stream until it is asked for."""

from __future__ import annotations

from typing import Any

import numpy as np

from spikesim import _check
from spikesim.datasets.spikes import SpikeDataset, poisson_trains

__all__ = ["store_recall"]


@_check.suggest_keywords
def store_recall(
    n_trials: int = 200,
    *,
    n_periods: int = 6,
    period: float = 50.0,
    n_lines: int = 5,
    rate: float = 100.0,
    background: float = 0.0,
    dt: float = 1.0,
    seed: Any = 0,
) -> SpikeDataset:
    """Return streams of bits with a command to store one and, later, to recall it.

    A trial is a row of periods. In each but the last one a random bit is shown, by one of two
    groups of lines; in one of them, a random one, the lines of the store command are active
    too. In the last period the lines of the recall command alone are active. The class is the
    bit that was shown with the store command; the other bits tell nothing about it. What only
    counts bits answers with the more frequent one, right in 69 % of trials of six periods.

    This is the task of Bellec et al. cut into trials with a single store and a single recall,
    so that each has one class.

    Parameters
    ----------
    n_trials : int, default 200
        Number of trials; both classes are as frequent as can be.
    n_periods : int, default 6
        Periods of a trial, at least 2.
    period : float, default 50
        Length of a period (ms).
    n_lines : int, default 5
        Lines of each of the four groups: bit 0, bit 1, store, recall.
    rate, background : float, default 100, 0
        Rate of lines that are active, and of those that are not (Hz).
    dt : float, default 1
        Time step (ms).
    seed : int, SeedSequence or Generator, default 0
        Source of bits, of when to store, and of the spikes.

    Returns
    -------
    SpikeDataset
        Of ``4 * n_lines`` lines.

    References
    ----------
    Bellec, Salaj, Subramoney, Legenstein & Maass 2018, NeurIPS 31, 787.
    """
    n_trials = _check.integer("store_recall.n_trials", n_trials, minimum=1)
    n_periods = _check.integer("store_recall.n_periods", n_periods, minimum=2)
    n_lines = _check.integer("store_recall.n_lines", n_lines, minimum=1)
    dt = _check.positive("store_recall.dt", dt)
    length = _check.n_steps("store_recall.period", period, dt, minimum=1)
    rate = _check.non_negative("store_recall.rate", rate)
    background = _check.non_negative("store_recall.background", background)
    rng = _check.generator("store_recall.seed", seed)

    trials = np.arange(n_trials)
    labels = rng.permutation(trials % 2)
    store = rng.integers(n_periods - 1, size=n_trials)
    bits = rng.integers(2, size=(n_trials, n_periods - 1))
    bits[trials, store] = labels
    active = np.zeros((n_periods, n_trials, 4), dtype=bool)
    for number in range(n_periods - 1):
        active[number, trials, bits[:, number]] = True
    active[store, trials, 2] = True
    active[-1, :, 3] = True
    rates = np.where(active.repeat(length, axis=0).repeat(n_lines, axis=2), rate, background)
    spikes = poisson_trains("store_recall.rate", rates, dt, rng)
    groups = ("0", "1", "store", "recall")
    names = [f"{group}, line {i}" for group in groups for i in range(n_lines)]
    return SpikeDataset(spikes, labels, dt, names, ("0", "1"))
