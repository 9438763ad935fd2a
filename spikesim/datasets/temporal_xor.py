"""Temporal exclusive or: two cues, a pause between them."""

from __future__ import annotations

from typing import Any

import numpy as np

from spikesim import _check
from spikesim.datasets.spikes import SpikeDataset, poisson_trains

__all__ = ["temporal_xor"]


@_check.suggest_keywords
def temporal_xor(
    n_trials: int = 200,
    delay: float = 20.0,
    *,
    cue: float = 20.0,
    answer: float = 20.0,
    n_lines: int = 10,
    rate: float = 200.0,
    background: float = 0.0,
    dt: float = 1.0,
    seed: Any = 0,
) -> SpikeDataset:
    """Return trials of two cues, each 0 or 1: class 1 where they differ.

    Both cues come on the same lines, first one, then a pause of `delay`, then the other, then
    time to answer. So the first must be kept over the pause: the longer it is in units of the
    slowest time constant of the network, the harder. What counts the spikes of each line over
    whole trials can solve it, if not by a linear rule: it asks for memory, not for timing.

    Parameters
    ----------
    n_trials : int, default 200
        Number of trials; the four pairs of cues are as frequent as can be.
    delay : float, default 20
        Pause between the cues (ms), at least 0.
    cue, answer : float, default 20, 20
        Length of a cue, and of what follows the second one (ms).
    n_lines : int, default 10
        Lines that are active for a cue of 0, and as many others for a cue of 1.
    rate, background : float, default 200, 0
        Rate of the active lines, and of every line without a cue (Hz).
    dt : float, default 1
        Time step (ms).
    seed : int, SeedSequence or Generator, default 0
        Source of the order of the trials and of the spikes.

    Returns
    -------
    SpikeDataset
        Of ``2 * n_lines`` lines.
    """
    n_trials = _check.integer("temporal_xor.n_trials", n_trials, minimum=1)
    n_lines = _check.integer("temporal_xor.n_lines", n_lines, minimum=1)
    dt = _check.positive("temporal_xor.dt", dt)
    n_cue = _check.n_steps("temporal_xor.cue", cue, dt, minimum=1)
    n_delay = _check.n_steps("temporal_xor.delay", delay, dt)
    n_answer = _check.n_steps("temporal_xor.answer", answer, dt)
    rate = _check.non_negative("temporal_xor.rate", rate)
    background = _check.non_negative("temporal_xor.background", background)
    rng = _check.generator("temporal_xor.seed", seed)

    pair = rng.permutation(np.arange(n_trials) % 4)
    cues = np.stack([pair // 2, pair % 2])
    rates = np.full((2 * n_cue + n_delay + n_answer, n_trials, 2, n_lines), background)
    for start, values in zip((0, n_cue + n_delay), cues, strict=True):
        rates[start : start + n_cue, np.arange(n_trials), values] = rate
    spikes = poisson_trains("temporal_xor.rate", rates.reshape(*rates.shape[:2], -1), dt, rng)
    names = [f"{value}, line {i}" for value in (0, 1) for i in range(n_lines)]
    return SpikeDataset(spikes, cues[0] ^ cues[1], dt, names, ("equal", "different"))
