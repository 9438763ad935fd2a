"""Equal tuning: the same number of trials, at the same points, for every contender.

Each contender has three settings. The trials are points of the unit cube, drawn once and mapped
to the space of each contender, so that none has more or luckier tries than another. Run as
``python -m spikesim.comparison.tuning`` or ``spikesim compare --tune``.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Collection, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from spikesim import __version__, _check
from spikesim._files import write_atomically
from spikesim.comparison.contender import Contender
from spikesim.comparison.entries import entrants
from spikesim.comparison.pool import Journal, run_all
from spikesim.comparison.protocol import QUICK, Splits
from spikesim.comparison.runs import Job, Outcome, epochs_for
from spikesim.comparison.tasks import chosen_tasks, task

__all__ = [
    "load_settings", "points", "settings_digest", "stored_trials", "tune", "tuning_effort",
]  # fmt: skip

# The classic tasks share a file; each other one has its own.
_FILE, _FOLDER = "settings.json", "tuned"
_N_TRIALS, _MORE_TRIALS = 16, 32
_SEEDS = {"xor": 40, "iris2": 6}
_FEW_SEEDS = 3
_HIDDEN = {"xor": (4,)}


def load_settings(tasks: Sequence[str] = ("iris", "xor")) -> dict[str, Any]:
    """Return the tuned settings that come with the package: task, contender, setting.

    Parameters
    ----------
    tasks : sequence of str
        Which tasks. One that was never tuned has no settings.
    """
    return {name: _of(name, "chosen") for name in chosen_tasks(tasks)}


def stored_trials(tasks: Sequence[str]) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Return every trial of the search: task, contender, then settings with their score."""
    return {name: _of(name, "trials") for name in chosen_tasks(tasks)}


def tuning_effort(task_name: str, keys: Collection[str]) -> list[str]:
    """Say how many trials found the stored settings of a task, and on what.

    Parameters
    ----------
    task_name : str
        Name of a task. One that was never tuned has nothing to say.
    keys : collection of str
        Keys of the contenders that are spoken of.

    Returns
    -------
    list of str
        A sentence for each number of trials that contenders had: one, if all is fair.
    """
    here = task(task_name)
    counts: dict[int, int] = {}
    for tried in (t for key, t in _of(task_name, "trials").items() if key in keys):
        counts[len(tried)] = counts.get(len(tried), 0) + 1
    if here.tuning_splits:
        splits = Splits.load(here.tuning_splits)
        each = f"{splits.n_repeats * splits.n_folds} folds of samples that are set apart"
    else:
        about = json.loads(_text(task_name) or '{"about": {}}')["about"]
        each = f"{about.get('seeds', {}).get(task_name, _FEW_SEEDS)} starts"
    return [
        f"{n_trials} trials for each of {n} contenders, each on {each}."
        for n_trials, n in sorted(counts.items())
    ]


def settings_digest(tasks: Sequence[str] = ("iris", "xor")) -> str:
    """Return the SHA-256 of the files that hold the settings of some tasks."""
    texts = dict.fromkeys(_text(name) for name in chosen_tasks(tasks))
    return hashlib.sha256("".join(texts).encode()).hexdigest()


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
    n_trials: int | None = None,
    tasks: Sequence[str] = ("iris", "xor"),
    rules: Sequence[str] | None = None,
    n_jobs: int = -1,
    progress: bool = True,
    seeds: Mapping[str, int] | None = None,
    epochs: int | None = None,
) -> dict[str, Any]:
    """Search settings for every contender and write them to a file.

    A search that was interrupted goes on where it was when the same call is made again.

    Parameters
    ----------
    path : path-like, optional
        Where to write; default the files of the package, one for the classic tasks and one for
        each other. What a file holds of other tasks or contenders is kept.
    n_trials : int, optional
        Trials for each contender on each task; default 16 on the classic tasks and 32 on others.
    tasks : sequence of str
        Where to tune.
    rules : sequence of str, optional
        Names of contenders or rules; by default all that take part in a task by themselves.
    n_jobs : int, default -1
        Number of processes; -1 takes every core.
    progress : bool, default True
        Show bars.
    seeds : mapping, optional
        Starts for each trial on the tasks without folds.
    epochs : int, optional
        Epochs of training; default those of the quick comparison.

    Returns
    -------
    dict
        What was written, of the last file if there are several: ``about``, ``chosen`` and all
        ``trials``.

    Notes
    -----
    On tasks that are fitted the share of starts solved decides, then the mean epoch (unsolved
    ones count with the whole budget), then the mean share of samples right. On others it is the
    mean accuracy: on validation samples, or on folds of samples that are set apart for it; on
    Iris on 2 x 5 folds of their own. Of equal trials the first wins.
    """
    document: dict[str, Any] = {}
    for name in chosen_tasks(tasks):
        target = _home(name) if path is None else Path(path)
        before = json.loads(target.read_text("utf-8")) if target.exists() else {}
        target.parent.mkdir(parents=True, exist_ok=True)
        journal = Journal(target.with_suffix(".jsonl"))
        document = _searched(
            name, before, n_trials, rules, seeds or {}, epochs,
            {"n_jobs": n_jobs, "progress": progress, "label": f"tuning {name}"},
            journal,
        )  # fmt: skip
        # Fifty contenders with 32 trials each are large enough without indentation.
        indent = 1 if task(name).classic else None
        write_atomically(target, json.dumps(document, indent=indent) + "\n")
        journal.remove()
    return document


def _searched(
    name: str,
    before: Mapping[str, Any],
    n_trials: int | None,
    rules: Sequence[str] | None,
    seeds: Mapping[str, int],
    epochs: int | None,
    how: Mapping[str, Any],
    journal: Journal,
) -> dict[str, Any]:
    """Return what a file is to hold after a search on one task."""
    here = task(name)
    started = time.perf_counter()
    cube = points(n_trials or (_N_TRIALS if here.classic else _MORE_TRIALS))
    starts = {**_SEEDS, **seeds}
    found_on = [c for c in entrants(here, rules) if c.space]
    work, owners = [], []
    for c in found_on:
        for index, point in enumerate(cube):
            batch = _jobs(name, c, at(c, point), starts, epochs)
            work += batch
            owners += [(c.key, index)] * len(batch)
    found: dict[tuple[str, int], list[Outcome]] = {}
    for owner, outcome in zip(owners, run_all(work, journal=journal, **how), strict=True):
        found.setdefault(owner, []).append(outcome)
    chosen, trials = dict(before.get("chosen", {})), dict(before.get("trials", {}))
    kept = here.classic is False or rules is not None
    chosen[name] = dict(chosen.get(name, {})) if kept else {}
    trials[name] = dict(trials.get(name, {})) if kept else {}
    for c in found_on:
        scores = [_score(name, found[c.key, index]) for index in range(len(cube))]
        best = max(range(len(cube)), key=lambda index: scores[index])
        chosen[name][c.key] = at(c, cube[best])
        trials[name][c.key] = [
            {"settings": at(c, point), "score": score}
            for point, score in zip(cube, scores, strict=True)
        ]
    about = dict(before.get("about", {}))
    splits = dict(about.get("splits", {}))
    if here.tuning_splits:
        splits[here.tuning_splits] = Splits.load(here.tuning_splits).sha256
    space = dict(about.get("space", {}))
    space |= {c.key: {k: list(v) for k, v in c.space.items()} for c in found_on}
    seconds = {**about.get("seconds", {}), name: round(time.perf_counter() - started, 1)}
    about = {
        "spikesim": __version__,
        "n_trials": len(cube),
        "hidden_units_on_xor": _HIDDEN["xor"][0],
        "seeds": starts,
        "splits": splits,
        "score": {
            "fitted tasks": "share of starts solved, minus mean epoch over budget, accuracy",
            "others": "mean accuracy",
        },
        "space": space,
        "seconds": seconds,
    }
    return {"about": about, "chosen": chosen, "trials": trials}


def at(c: Contender, point: np.ndarray) -> dict[str, float]:
    """Return the settings of a contender at a point of the unit cube, to three digits."""
    values = {}
    for share, (name, (low, high)) in zip(point, c.space.items(), strict=True):
        values[name] = float(f"{low * (high / low) ** float(share):.3g}")
    return values


def _jobs(
    name: str, c: Contender, settings: dict[str, float], seeds: Mapping[str, int],
    epochs: int | None,
) -> list[Job]:  # fmt: skip
    here = task(name)
    splits = here.tuning_splits
    if splits:
        stored = Splits.load(splits)
        runs = stored.n_repeats * stored.n_folds
    else:
        runs = seeds.get(name, _FEW_SEEDS)
    hidden = c.hidden_sizes(here, _HIDDEN.get(name, here.hidden.of("quick")))[0]
    length = epochs_for(name, QUICK) if epochs is None else epochs
    samples = here.samples.of("quick")
    return [
        Job(name, c.name, c.network, hidden, seed, length, settings, "tune", splits, samples)
        for seed in range(runs)
    ]


def _score(name: str, outcomes: Sequence[Outcome]) -> list[float]:
    rows = [outcome.row for outcome in outcomes]
    if task(name).kind != "fitting":
        return [round(float(np.mean([row.accuracy for row in rows])), 6)]
    share = np.mean([row.solved for row in rows])
    times = [row.epochs if row.solved_epoch is None else row.solved_epoch for row in rows]
    parts = (share, -np.mean(times) / rows[0].epochs, np.mean([row.accuracy for row in rows]))
    return [round(float(part), 6) for part in parts]


def _home(name: str) -> Path:
    here = Path(str(resources.files("spikesim.comparison")))
    return here / _FILE if task(name).classic else here / _FOLDER / f"{name}.json"


def _text(name: str) -> str:
    home = _home(name)
    return home.read_text(encoding="utf-8") if home.exists() else ""


def _of(name: str, what: str) -> dict[str, Any]:
    text = _text(name)
    return dict(json.loads(text)[what].get(name, {})) if text else {}


if __name__ == "__main__":
    tune()
