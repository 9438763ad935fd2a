"""What is measured of a trained network besides its accuracy: what it cost."""

from __future__ import annotations

from typing import Any

import numpy as np

from spikesim.comparison.builders import Plan
from spikesim.comparison.operations import training_effort
from spikesim.comparison.robustness_curves import PERTURBATIONS, robustness
from spikesim.comparison.tasks import Task

__all__ = ["KINDS_OF_LOSS", "cost", "epochs_to", "losses"]

# Samples that operations are counted on: their mean hardly moves beyond.
_COUNTED = 200

# Strengths at which accuracy is measured again, without training anew.
KINDS_OF_LOSS: dict[str, tuple[float, ...]] = {
    name: entry.strengths for name, entry in PERTURBATIONS.items()
}
_DRAWS, _PERTURBED = 3, 300


def cost(task: Task, plan: Plan, result: Any, train_x: np.ndarray, seed: Any) -> dict[str, float]:
    """Count what training took, and what an answer takes.

    Parameters
    ----------
    task : Task
        Whose level of accuracy in training counts as learnt.
    plan : Plan
        What was trained.
    result : FitResult
        What came of it.
    train_x : ndarray, shape (n_samples, n_features)
        What it was trained on, scaled.
    seed : SeedSequence
        Of the encoding.

    Returns
    -------
    dict of str to float
        ``train_seconds``, ``samples``, ``updates``; the same with ``_to_level`` up to the first
        epoch whose running accuracy reached the level, absent if none did; for one sample
        ``synops``, ``dense``, ``state_updates``, ``energy`` (pJ) and, where the way back is
        known, ``backward_synops``.
    """
    history = result.history
    n_samples, n_epochs = len(train_x), history.n_epochs
    batches = -(-n_samples // (plan.batch_size or n_samples))
    found = {
        "train_seconds": float(history.seconds.sum()),
        "samples": float(n_samples * n_epochs),
        "updates": float(batches * n_epochs),
    }
    first = epochs_to(history.accuracy, task.level)
    if first is not None:
        found["samples_to_level"] = float(first * n_samples)
        found["updates_to_level"] = float(first * batches)
        found["seconds_to_level"] = float(history.seconds[:first].sum())
    took = training_effort(result, train_x[:_COUNTED], seed=seed)
    seen = float(took.samples)
    found["synops"] = (took.forward.macs + took.forward.acs) / seen
    found["dense"] = took.forward.dense / seen
    found["state_updates"] = took.forward.state_updates / seen
    found["energy"] = took.forward.energy / seen
    if took.backward is not None:
        found["backward_synops"] = (took.backward.macs + took.backward.acs) / seen
    return {name: float(value) for name, value in found.items()}


def losses(plan: Plan, result: Any, test_x: np.ndarray, test_y: np.ndarray, seed: int) -> dict:
    """Measure how accuracy falls when something about the network or its input is off.

    Parameters
    ----------
    plan : Plan
        What was trained.
    result : FitResult
        What came of it.
    test_x, test_y : ndarray
        Test samples, scaled, and their classes.
    seed : int
        Of the draws, the same for all contenders that have this start or fold.

    Returns
    -------
    dict of str to float
        ``"kind@strength"`` to the mean accuracy over three draws; ``"kind_area"`` to the mean
        height of the curve. For rate units ``spike_deletion`` sets entries of the input to 0.
    """
    x, y = test_x[:_PERTURBED], test_y[:_PERTURBED]
    curves = robustness(
        result.network, x, y, readout=result.readout, encoder=result.encoder, n_draws=_DRAWS,
        seed=seed, progress=False,
    )  # fmt: skip
    found = {}
    for kind, curve in curves.items():
        for strength, value in zip(curve.strengths, curve.mean, strict=True):
            found[f"{kind}@{strength:g}"] = float(value)
        found[f"{kind}_area"] = curve.area
    if not plan.network.spiking:
        found |= _missing(result, x, y, seed)
    return found


def _missing(result: Any, x: np.ndarray, y: np.ndarray, seed: int) -> dict[str, float]:
    """Set more and more entries of the input to 0."""
    strengths = KINDS_OF_LOSS["spike_deletion"]
    draws = np.random.default_rng(seed).random((_DRAWS, *x.shape))
    heights = [
        float(np.mean([result.score(np.where(draw < share, 0.0, x), y) for draw in draws]))
        for share in strengths
    ]
    found = {f"spike_deletion@{s:g}": h for s, h in zip(strengths, heights, strict=True)}
    area = np.trapezoid(heights, strengths) / (strengths[-1] - strengths[0])
    return found | {"spike_deletion_area": float(area)}


def epochs_to(curve: np.ndarray, level: float) -> int | None:
    """Return the first epoch, from 1, whose share right is at least `level`; None without one."""
    reached = np.flatnonzero(np.asarray(curve) >= level)
    return int(reached[0]) + 1 if len(reached) else None
