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
from spikesim.comparison.contenders import contender
from spikesim.comparison.protocol import FULL, QUICK, SMOKE, Budget, Splits
from spikesim.comparison.rate_code import rate_code
from spikesim.comparison.results import TASKS, Results, mean_curves
from spikesim.comparison.showcase import trained_figures
from spikesim.comparison.tasks import Job, jobs, run_all
from spikesim.comparison.tuning import load_settings, settings_digest
from spikesim.errors import ParameterError

__all__ = ["compare"]

_BUDGETS = {"full": FULL, "quick": QUICK, "smoke": SMOKE}


def compare(
    out: str | os.PathLike = "results",
    *,
    tasks: Sequence[str] = ("xor", "iris"),
    quick: bool = False,
    seeds: int | None = None,
    n_jobs: int = -1,
    progress: bool = True,
    command: str | None = None,
    budget: str | None = None,
) -> Results:
    """Compare all rules and write the results, the figures and the report.

    Parameters
    ----------
    out : path-like, default "results"
        Folder to write into; made if missing, files of an earlier run are replaced.
    tasks : sequence of {"xor", "iris"}, default both
        What to run; ``"iris"`` is Iris twice, with two features and with four.
    quick : bool, default False
        20 starts and 2 x 5 folds in place of 100 and 10 x 10.
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
        An unknown task, fewer than one seed, or a file in the place of `out`.
    """
    chosen = _BUDGETS[
        _check.choice("compare.budget", budget or ("quick" if quick else "full"), tuple(_BUDGETS))
    ].with_seeds(seeds)
    wanted = _tasks(tasks)
    _check.integer("compare.n_jobs", n_jobs)
    if n_jobs == 0:
        raise ParameterError("compare.n_jobs must not be 0; -1 takes every core")
    folder = Path(out)
    if folder.exists() and not folder.is_dir():
        raise ParameterError(f"compare.out: {folder} is a file; name a folder")
    folder.mkdir(parents=True, exist_ok=True)

    started = time.perf_counter()
    settings = load_settings()
    outcomes = []
    for task in wanted:
        work = jobs((task,), chosen, settings)
        outcomes += run_all(work, n_jobs=n_jobs, progress=progress, label=report.TASK_TITLES[task])
    curves = mean_curves(
        (f"{o.row.task}/{o.row.contender}/{o.row.network}/{o.row.hidden}", o.curve)
        for o in outcomes
    )
    extra: dict[str, Any] = {"rate_code": rate_code(chosen, settings)} if "iris" in wanted else {}
    about = _about(chosen, wanted, settings, command or _call(out, tasks, quick))
    results = Results(tuple(o.row for o in outcomes), curves, about, extra)
    if "xor" in wanted and chosen.name != "smoke":
        extra["longer"] = longer(results, settings, n_jobs)
    drawn = figures.drawn_figures(results) | trained_figures(results, settings)
    about["duration"] = f"{time.perf_counter() - started:.0f} s"
    write(results, drawn, folder)
    return results


def longer(results: Results, settings: dict[str, Any], n_jobs: int) -> list[dict[str, Any]]:
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
    for outcome in run_all(work, n_jobs=n_jobs) if work else ():
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


def _tasks(tasks: Sequence[str]) -> list[str]:
    """Return the tasks in the order of the report; "iris" stands for both Iris tasks."""
    if isinstance(tasks, str):
        tasks = (tasks,)
    if not tasks:
        raise ParameterError("compare.tasks must name at least one task")
    for index, task in enumerate(tasks):
        _check.choice(f"compare.tasks[{index}]", task, ("xor", "iris"))
    return [name for name in TASKS if name.removesuffix("2") in tasks]


def _about(
    budget: Budget, tasks: Sequence[str], settings: dict[str, Any], command: str
) -> dict[str, Any]:
    return {
        "budget": budget.name,
        "seeds": budget.seeds,
        "date": datetime.date.today().isoformat(),
        "command": command,
        "platform": platform.platform(terse=True),
        "cores": os.cpu_count(),
        "versions": _versions(),
        "digests": {
            "settings": settings_digest(),
            **{name: Splits.load(name).sha256 for name in (budget.splits,)},
        },
        "settings": {task: settings[task] for task in tasks},
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
