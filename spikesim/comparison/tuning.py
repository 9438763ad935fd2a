"""Equal tuning: the same number of trials, at the same points, for every contender.

Each contender has three settings. The trials are points of the unit cube, drawn once and mapped
to the space of each contender, so that none has more or luckier tries than another. Run as
``python -m spikesim.comparison.tuning`` or ``spikesim compare --tune``.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from spikesim import __version__, _check
from spikesim._files import write_atomically
from spikesim.comparison.contenders import CONTENDERS, Contender
from spikesim.comparison.protocol import QUICK, Splits
from spikesim.comparison.results import TASKS
from spikesim.comparison.tasks import Job, Outcome, epochs_for, run_all

__all__ = ["load_settings", "points", "settings_digest", "tune"]

_FILE = "settings.json"
_N_TRIALS = 16
_SEEDS = {"xor": 40, "iris2": 6}
_SPLITS = "iris_tune"
_HIDDEN = (4,)


def load_settings() -> dict[str, dict[str, dict[str, float]]]:
    """Return the tuned settings that come with the package: task, contender, setting."""
    return json.loads(_stored())["chosen"]


def settings_digest() -> str:
    """Return the SHA-256 of the settings file."""
    return hashlib.sha256(_stored().encode()).hexdigest()


def points(n_trials: int, n_settings: int = 3) -> np.ndarray:
    """Return the trials in the unit cube: scrambled Sobol points, the same in every call.

    Parameters
    ----------
    n_trials : int
        How many; a power of two fills the cube evenly.
    n_settings : int, default 3
        Dimension of the cube.
    """
    from scipy.stats import qmc

    n_trials = _check.integer("points.n_trials", n_trials, minimum=1)
    power = max(0, int(np.ceil(np.log2(n_trials))))
    cube = qmc.Sobol(n_settings, scramble=True, rng=np.random.default_rng(1951))
    return cube.random_base2(power)[:n_trials]


def tune(
    path: str | Path | None = None,
    *,
    n_trials: int = _N_TRIALS,
    tasks: Sequence[str] = TASKS,
    n_jobs: int = -1,
    progress: bool = True,
    seeds: Mapping[str, int] = _SEEDS,
    epochs: int | None = None,
) -> dict[str, Any]:
    """Search settings for every contender and write them to a file.

    Parameters
    ----------
    path : path-like, optional
        Where to write; default the settings file of the package. What it holds of other tasks
        is kept.
    n_trials : int, default 16
        Trials for each contender on each task.
    tasks : sequence of {"xor", "iris2", "iris"}
        Where to tune.
    n_jobs : int, default -1
        Number of processes; -1 takes every core.
    progress : bool, default True
        Show bars.
    seeds : mapping
        Starts for each trial on the tasks without cross-validation.
    epochs : int, optional
        Epochs of training; default those of the comparison.

    Returns
    -------
    dict
        What was written: ``about``, ``chosen`` and all ``trials``.

    Notes
    -----
    On XOR and on Iris with two classes the share of starts solved decides, then the mean epoch
    (unsolved ones count with the whole budget), then the mean share of samples right; on Iris with
    three classes the mean accuracy of 2 x 5 folds of their own. Of equal trials the first wins.
    """
    target = Path(str(resources.files("spikesim.comparison") / _FILE)) if path is None else path
    before = json.loads(Path(target).read_text("utf-8")) if Path(target).exists() else {}
    cube = points(n_trials)
    chosen: dict[str, Any] = before.get("chosen", {})
    trials: dict[str, Any] = before.get("trials", {})
    seconds = before.get("about", {}).get("seconds", {})
    for task in tasks:
        started = time.perf_counter()
        entrants = [c for c in CONTENDERS if task in c.tasks and c.space]
        work, owners = [], []
        for c in entrants:
            for index, point in enumerate(cube):
                batch = _jobs(task, c, at(c, point), seeds, epochs)
                work += batch
                owners += [(c.key, index)] * len(batch)
        outcomes = run_all(work, n_jobs=n_jobs, progress=progress, label=f"tuning {task}")
        found: dict[tuple[str, int], list[Outcome]] = {}
        for owner, outcome in zip(owners, outcomes, strict=True):
            found.setdefault(owner, []).append(outcome)
        chosen[task], trials[task] = {}, {}
        for c in entrants:
            scores = [_score(task, found[c.key, index]) for index in range(n_trials)]
            best = max(range(n_trials), key=lambda index: scores[index])
            chosen[task][c.key] = at(c, cube[best])
            trials[task][c.key] = [
                {"settings": at(c, point), "score": score}
                for point, score in zip(cube, scores, strict=True)
            ]
        seconds[task] = round(time.perf_counter() - started, 1)
    document = {
        "about": {
            "spikesim": __version__,
            "n_trials": n_trials,
            "hidden_units_on_xor": _HIDDEN[0],
            "seeds": dict(seeds),
            "splits": {_SPLITS: Splits.load(_SPLITS).sha256},
            "score": {
                "xor, iris2": "share of starts solved, minus mean epoch over budget, accuracy",
                "iris": "mean accuracy",
            },
            "space": {
                c.key: {k: list(v) for k, v in c.space.items()} for c in CONTENDERS if c.space
            },
            "seconds": seconds,
        },
        "chosen": chosen,
        "trials": trials,
    }
    write_atomically(target, json.dumps(document, indent=1) + "\n")
    return document


def at(c: Contender, point: np.ndarray) -> dict[str, float]:
    """Return the settings of a contender at a point of the unit cube, to three digits."""
    values = {}
    for share, (name, (low, high)) in zip(point, c.space.items(), strict=True):
        values[name] = float(f"{low * (high / low) ** float(share):.3g}")
    return values


def _jobs(
    task: str, c: Contender, settings: dict[str, float], seeds: Mapping[str, int],
    epochs: int | None,
) -> list[Job]:  # fmt: skip
    if task == "iris":
        splits = Splits.load(_SPLITS)
        runs, name = splits.n_repeats * splits.n_folds, _SPLITS
    else:
        runs, name = seeds[task], ""
    hidden = c.hidden_sizes(task, _HIDDEN)[0]
    length = epochs_for(task, QUICK) if epochs is None else epochs
    return [
        Job(task, c.name, c.network, hidden, seed, length, settings, "tune", name)
        for seed in range(runs)
    ]


def _score(task: str, outcomes: Sequence[Outcome]) -> list[float]:
    rows = [outcome.row for outcome in outcomes]
    if task == "iris":
        return [round(float(np.mean([row.accuracy for row in rows])), 6)]
    share = np.mean([row.solved for row in rows])
    times = [row.epochs if row.solved_epoch is None else row.solved_epoch for row in rows]
    parts = (share, -np.mean(times) / rows[0].epochs, np.mean([row.accuracy for row in rows]))
    return [round(float(part), 6) for part in parts]


def _stored() -> str:
    return (resources.files("spikesim.comparison") / _FILE).read_text(encoding="utf-8")


if __name__ == "__main__":
    tune()
