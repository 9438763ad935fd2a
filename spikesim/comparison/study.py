"""Run the comparison from end to end and write what it found."""

from __future__ import annotations

import datetime
import os
import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spikesim import __version__, _check
from spikesim._files import write_atomically
from spikesim.comparison import figures, report
from spikesim.comparison.entries import contender, names
from spikesim.comparison.pool import Journal, run_all
from spikesim.comparison.protocol import FULL, QUICK, SMOKE, Budget, Splits
from spikesim.comparison.rate_code import rate_code
from spikesim.comparison.results import Results, mean_curves
from spikesim.comparison.runs import Job, jobs
from spikesim.comparison.showcase import trained_figures
from spikesim.comparison.sweep_figures import sweep_figures
from spikesim.comparison.tasks import chosen_tasks, task
from spikesim.comparison.tuning import load_settings, settings_digest, stored_trials
from spikesim.errors import ParameterError

__all__ = ["compare"]

# Finished runs, until all is written.
_JOURNAL = "runs.jsonl"
_BUDGETS = {"full": FULL, "quick": QUICK, "smoke": SMOKE}


def compare(
    out: str | os.PathLike = "results",
    *,
    tasks: Sequence[str] = ("xor", "iris"),
    rules: Sequence[str] | None = None,
    quick: bool = False,
    seeds: int | None = None,
    n_jobs: int = -1,
    progress: bool = True,
    command: str | None = None,
    budget: str | None = None,
) -> Results:
    """Compare rules and write the results, the figures and the report.

    Each run is written down as it ends. When the process was killed, the same call goes on with
    the runs that are missing. Under ``joblib.parallel_config(backend="dask")``, or another
    backend of joblib, the runs go to its workers.

    Parameters
    ----------
    out : path-like, default "results"
        Folder to write into; made if missing, files of an earlier run are replaced.
    tasks : sequence of str, default ("xor", "iris")
        What to run: names of :data:`~spikesim.comparison.tasks.GROUPS`, or ``"all"``. ``"iris"``
        is Iris twice, with two features and with four.
    rules : sequence of str, optional
        Names of contenders or of rules, or ``"all"``. By default XOR and Iris have a table of
        their own, and other tasks every rule and baseline.
    quick : bool, default False
        Fewer starts and folds; on XOR and Iris 20 and 2 x 5 in place of 100 and 10 x 10.
    seeds : int, optional
        Another number of starts.
    n_jobs : int, default -1
        Number of processes; -1 takes every core. It does not change the results.
    progress : bool, default True
        Show a bar for each task.
    command : str, optional
        What the report says to type; default the call of this function.
    budget : {"full", "quick", "smoke"}, optional
        In place of `quick`; "smoke" only shows that everything runs.

    Returns
    -------
    Results

    Raises
    ------
    ParameterError
        An unknown task or rule, fewer than one seed, or a file in the place of `out`.
    """
    chosen = _BUDGETS[
        _check.choice("compare.budget", budget or ("quick" if quick else "full"), tuple(_BUDGETS))
    ].with_seeds(seeds)
    wanted = chosen_tasks(tasks)
    if rules is not None:
        rules = (rules,) if isinstance(rules, str) else tuple(rules)
        for index, rule in enumerate(rules):
            _check.choice(f"compare.rules[{index}]", rule, ("all", *names()))
    _check.integer("compare.n_jobs", n_jobs)
    if n_jobs == 0:
        raise ParameterError("compare.n_jobs must not be 0; -1 takes every core")
    folder = Path(out)
    if folder.exists() and not folder.is_dir():
        raise ParameterError(f"compare.out: {folder} is a file; name a folder")
    folder.mkdir(parents=True, exist_ok=True)

    started = time.perf_counter()
    settings = load_settings(wanted)
    journal = Journal(folder / _JOURNAL)
    outcomes = []
    for name in wanted:
        outcomes += run_all(
            jobs((name,), chosen, settings, rules), n_jobs=n_jobs, progress=progress,
            label=task(name).title, journal=journal,
        )  # fmt: skip
    if not outcomes:
        raise ParameterError("compare.rules: none of them takes part in compare.tasks")
    curves = mean_curves(
        (f"{o.row.task}/{o.row.contender}/{o.row.network}/{o.row.hidden}", o.curve)
        for o in outcomes
    )
    classic = rules is None
    extra: dict[str, Any] = {"trials": _scores(wanted)}
    if "iris" in wanted and classic:
        extra["rate_code"] = rate_code(chosen, settings)
    about = _about(chosen, wanted, settings, command or _call(out, tasks, quick))
    results = Results(tuple(o.row for o in outcomes), curves, about, extra)
    if "xor" in wanted and classic and chosen.name != "smoke":
        extra["longer"] = longer(results, settings, n_jobs, journal)
    drawn = figures.drawn_figures(results) | sweep_figures(results)
    if classic:
        drawn |= trained_figures(results, settings)
    about["duration"] = f"{time.perf_counter() - started:.0f} s"
    write(results, drawn, folder)
    journal.remove()
    return results


def longer(
    results: Results, settings: dict[str, Any], n_jobs: int, journal: Journal | None = None
) -> list[dict[str, Any]]:
    """Run the starts that failed XOR with four hidden units again, with four times the epochs.

    Returns
    -------
    list of dict
        ``contender``, ``network``, ``failed`` starts, and how many of them are ``solved`` then.
    """
    failed = [row for row in results.of("xor") if row.hidden == 4 and not row.solved]
    work = [
        Job(
            "xor", row.contender, row.network, row.hidden, row.seed, 4 * row.epochs,
            settings["xor"][contender(row.contender, row.network).key],
        )
        for row in failed
    ]  # fmt: skip
    counts: dict[tuple[str, str], list[int]] = {}
    for outcome in run_all(work, n_jobs=n_jobs, journal=journal) if work else ():
        count = counts.setdefault((outcome.row.contender, outcome.row.network), [0, 0])
        count[0] += 1
        count[1] += outcome.row.solved
    return [
        {"contender": name, "network": network, "failed": failed, "solved": solved}
        for (name, network), (failed, solved) in counts.items()
    ]


def write(results: Results, drawn: dict[str, Any], folder: Path) -> None:
    """Write results.json, summary.csv, the figures and report.html, each in one piece."""
    (folder / "figures").mkdir(exist_ok=True)
    vector = {}
    for name, figure in drawn.items():
        vector[name] = figures.image(figure, "svg")
        write_atomically(folder / "figures" / f"{name}.svg", vector[name])
        write_atomically(folder / "figures" / f"{name}.png", figures.image(figure, "png"))
    write_atomically(folder / "results.json", results.to_json())
    write_atomically(folder / "summary.csv", results.to_csv())
    write_atomically(folder / "report.html", report.render(results, vector))


def _scores(tasks: Sequence[str]) -> dict[str, dict[str, list[float]]]:
    """Return the scores of all trials of the search, on tasks whose rules were tuned for it."""
    return {
        name: {key: [trial["score"][0] for trial in tried] for key, tried in found.items()}
        for name, found in stored_trials(tasks).items()
        if found and not task(name).classic
    }


def _about(
    budget: Budget, tasks: Sequence[str], settings: dict[str, Any], command: str
) -> dict[str, Any]:
    splits = [task(name).splits.of(budget.name) for name in tasks if task(name).kind == "folds"]
    return {
        "budget": budget.name,
        "seeds": {
            name: task(name).seeds.of(budget.name) if budget.seeds is None else budget.seeds
            for name in tasks
            if task(name).kind != "folds"
        },
        "date": datetime.date.today().isoformat(),
        "command": command,
        "platform": platform.platform(terse=True),
        "cores": os.cpu_count(),
        "versions": _versions(),
        "digests": {
            "settings": settings_digest(tasks),
            **{name: Splits.load(name).sha256 for name in splits},
        },
        "settings": {name: settings[name] for name in tasks},
    }


def _versions() -> dict[str, str]:
    import joblib
    import matplotlib
    import numba
    import numpy
    import scipy
    import sklearn

    modules = (numpy, numba, scipy, sklearn, matplotlib, joblib)
    return {
        "spikesim": __version__,
        "python": platform.python_version(),
        **{module.__name__: module.__version__ for module in modules},
    }


def _call(out: str | os.PathLike, tasks: Sequence[str], quick: bool) -> str:
    return f"spikesim.comparison.compare({os.fspath(out)!r}, tasks={tuple(tasks)!r}, quick={quick})"
