"""Classes that no count of spikes can tell apart."""

from __future__ import annotations

from typing import Any

import numpy as np

from spikesim import _check
from spikesim.datasets.spikes import SpikeDataset
from spikesim.datasets.tables import other_stream
from spikesim.errors import ParameterError

__all__ = ["timing_only"]


@_check.suggest_keywords
def timing_only(
    n_trials: int = 200,
    *,
    n_classes: int = 2,
    n_lines: int = 10,
    n_spikes: int = 3,
    duration: float = 60.0,
    jitter: float = 1.0,
    dt: float = 1.0,
    seed: Any = 0,
    pattern_seed: Any = 0,
) -> SpikeDataset:
    """Return classes with the same number of spikes on every line: only timing tells.

    The trial is cut into `n_spikes` parts of equal length (to a step). In each of them every
    line spikes once, at a time that is random but fixed for the class; in a trial it is moved
    by Gaussian jitter, and held within its part. So every line spikes `n_spikes` times in every
    trial, and what sums spikes over whole trials, or parts, is at chance.

    Parameters
    ----------
    n_trials : int, default 200
        Number of trials, as many of each class or one more.
    n_classes : int, default 2
        Number of classes, at least 2.
    n_lines : int, default 10
        Number of lines.
    n_spikes : int, default 3
        Spikes of every line in every trial, at least 1.
    duration : float, default 60
        Length of a trial (ms), at least one step for every spike of a line.
    jitter : float, default 1
        Standard deviation of the times around those of the class (ms).
    dt : float, default 1
        Time step (ms).
    seed : int, SeedSequence or Generator, default 0
        Source of the order of the trials and of the jitter. Another one gives fresh trials of
        the same classes.
    pattern_seed : int, SeedSequence or Generator, default 0
        Source of what the classes are.

    Returns
    -------
    SpikeDataset
    """
    n_trials = _check.integer("timing_only.n_trials", n_trials, minimum=1)
    n_classes = _check.integer("timing_only.n_classes", n_classes, minimum=2)
    n_lines = _check.integer("timing_only.n_lines", n_lines, minimum=1)
    n_spikes = _check.integer("timing_only.n_spikes", n_spikes, minimum=1)
    dt = _check.positive("timing_only.dt", dt)
    n_steps = _check.n_steps("timing_only.duration", duration, dt, minimum=1)
    if n_steps < n_spikes:
        raise ParameterError(
            f"timing_only.n_spikes must be at most {n_steps}, the steps of a trial, got {n_spikes}"
        )
    jitter = _check.non_negative("timing_only.jitter", jitter)
    rng = _check.generator("timing_only.seed", seed)
    pattern_rng = other_stream("timing_only.pattern_seed", pattern_seed)

    edges = np.arange(n_spikes + 1) * n_steps // n_spikes
    first, last = edges[:-1], edges[1:] - 1
    pattern = pattern_rng.integers(first, last + 1, size=(n_classes, n_lines, n_spikes))
    labels = rng.permutation(np.arange(n_trials) % n_classes)
    moved = pattern[labels] + rng.standard_normal((n_trials, n_lines, n_spikes)) * (jitter / dt)
    step = np.clip(np.rint(moved), first, last).astype(np.int64)
    spikes = np.zeros((n_steps, n_trials, n_lines), dtype=np.uint8)
    trial, line, _ = np.indices(step.shape)
    spikes[step, trial, line] = 1
    return SpikeDataset(spikes, labels, dt, None, [f"pattern {i}" for i in range(n_classes)])
