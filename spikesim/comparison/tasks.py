"""The tasks: every run of a contender becomes one row."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from spikesim import datasets
from spikesim.comparison.builders import Plan, Size
from spikesim.comparison.contenders import CONTENDERS, Contender
from spikesim.comparison.protocol import Budget, Splits, streams
from spikesim.comparison.results import Row
from spikesim.errors import NonFiniteStateError, SpikesimWarning
from spikesim.learning import fit

__all__ = ["Job", "Outcome", "jobs", "run_all", "run_job", "train"]

_DATA: dict[str, Callable[[], Any]] = {
    "xor": datasets.xor,
    "iris2": datasets.iris_two_features,
    "iris": datasets.iris,
}


class Job(NamedTuple):
    """One run, described by what can be sent to another process."""

    task: str
    name: str
    network: str
    hidden: int
    seed: int
    epochs: int
    settings: Mapping[str, float]
    purpose: str = "test"
    splits: str = ""


class Outcome(NamedTuple):
    """The row of a run, and its share of training samples right, by epoch."""

    row: Row
    curve: np.ndarray


def size_of(task: str) -> Size:
    """Return what a contender must know of `task` to be built."""
    data = _DATA[task]()
    return Size(task, data.features.shape[1], len(data.class_names))


def epochs_for(task: str, budget: Budget) -> int:
    """Return the epochs of training that `budget` grants on `task`."""
    return {"xor": budget.xor_epochs, "iris2": budget.iris2_epochs, "iris": budget.iris_epochs}[
        task
    ]


def jobs(
    tasks: Sequence[str], budget: Budget, settings: Mapping[str, Mapping[str, Mapping[str, float]]]
) -> list[Job]:
    """List every run of a comparison, by task, contender, hidden size and seed.

    Parameters
    ----------
    tasks : sequence of {"xor", "iris2", "iris"}
        What to run.
    budget : Budget
        How much of it.
    settings : mapping
        Tuned values: task, then key of the contender, then name of the setting.
    """
    listed = []
    for task in tasks:
        for c in (c for c in CONTENDERS if task in c.tasks):
            for hidden in c.hidden_sizes(task, budget.hidden):
                for seed in range(_n_runs(task, c, budget)):
                    values = settings[task][c.key] if c.space else {}
                    splits = budget.splits if task == "iris" else ""
                    listed.append(
                        Job(
                            task, c.name, c.network, hidden, seed, epochs_for(task, budget),
                            dict(values), "test", splits,
                        )
                    )  # fmt: skip
    return listed


def run_all(
    work: Sequence[Job], *, n_jobs: int = -1, progress: bool = False, label: str = ""
) -> list[Outcome]:
    """Run jobs in parallel processes; the order and the number of processes change nothing.

    Parameters
    ----------
    work : sequence of Job
        What to run.
    n_jobs : int, default -1
        Number of processes; -1 takes every core.
    progress : bool, default False
        Show a bar.
    label : str
        Text before the bar.
    """
    from joblib import Parallel, delayed
    from tqdm import tqdm

    if n_jobs == 1:
        found: Iterable[Outcome] = map(run_job, work)
    else:
        warm_up(work)
        # Chunks of equal kind would end unevenly: slow contenders come last in the table.
        parallel = Parallel(n_jobs=n_jobs, return_as="generator", batch_size=1)
        groups = _chunks(work, 40 * max(1, abs(n_jobs)))
        batches = parallel(delayed(_run_chunk)(group) for group in groups)
        found = (outcome for batch in batches for outcome in batch)
    return list(tqdm(found, total=len(work), desc=label, disable=not progress, unit="run"))


def warm_up(work: Sequence[Job]) -> None:
    """Run one short job of each kind, so that compiled kernels are on disk for the workers."""
    first: dict[tuple[str, str, str, int], Job] = {}
    for job in work:
        first.setdefault((job.task, job.name, job.network, min(job.hidden, 1)), job)
    for job in first.values():
        run_job(job._replace(epochs=1))


def run_job(job: Job) -> Outcome:
    """Train and test once."""
    chosen = next(c for c in CONTENDERS if (c.name, c.network) == (job.name, job.network))
    data = _DATA[job.task]()
    everything = np.arange(len(data.labels))
    repeat = fold = None
    train_on = test_on = everything
    if job.splits:
        splits = Splits.load(job.splits)
        repeat, fold = divmod(job.seed, splits.n_folds)
        test = splits.fold_of[repeat] == fold
        train_on, test_on = np.flatnonzero(~test), np.flatnonzero(test)
    started = time.perf_counter()
    x, y = data.features, data.labels
    trial = _Trial(x[train_on], y[train_on], x[test_on], y[test_on])
    solved_epoch, spikes, curve = None, None, np.zeros(0)
    if chosen.estimator is not None:
        model = chosen.estimator().fit(trial.train_x, trial.train_y)
        accuracy = float(np.mean(model.predict(trial.test_x) == trial.test_y))
        epochs, diverged = 0, False
    else:
        accuracy, curve, spikes, diverged = train(job, chosen, trial)
        epochs = job.epochs
        if accuracy == 1.0 and not job.splits:
            solved_epoch = _solved_epoch(curve)
    row = Row(
        task=job.task,
        contender=job.name,
        family=chosen.family,
        rule=chosen.rule,
        network=job.network,
        hidden=job.hidden,
        seed=job.seed,
        repeat=repeat,
        fold=fold,
        accuracy=accuracy,
        solved=accuracy == 1.0,
        solved_epoch=solved_epoch,
        epochs=epochs,
        diverged=diverged,
        seconds=round(time.perf_counter() - started, 4),
        spikes_per_trial=spikes,
    )
    return Outcome(row, curve)


class _Trial(NamedTuple):
    train_x: np.ndarray
    train_y: np.ndarray
    test_x: np.ndarray
    test_y: np.ndarray


def build(job: Job, chosen: Contender) -> tuple[Plan, np.random.SeedSequence]:
    """Return the contender of a job made ready, and the stream of its training."""
    source = streams(job.task, job.seed, job.purpose)
    assert chosen.build is not None
    return chosen.build(
        size_of(job.task), job.hidden, job.settings, source.weights
    ), source.training


def train(
    job: Job, chosen: Contender, trial: _Trial
) -> tuple[float, np.ndarray, float | None, bool]:
    """Fit and score; return accuracy, curve, spikes a sample, and whether training diverged.

    A run that diverged has no network left to answer, so that its accuracy is 0.
    """
    plan, stream = build(job, chosen)
    result, scale = fitted(plan, stream, trial.train_x, trial.train_y, job.epochs)
    if result is None:
        return 0.0, np.zeros(0), None, True
    accuracy = float(result.score(scale(trial.test_x), trial.test_y, seed=stream.spawn(1)[0]))
    spikes = float(result.history.spikes_per_trial[-1]) if plan.network.spiking else None
    return accuracy, np.asarray(result.history.accuracy), spikes, False


def fitted(
    plan: Plan, stream: np.random.SeedSequence, x: np.ndarray, y: np.ndarray, epochs: int
) -> tuple[Any, Callable[[np.ndarray], np.ndarray]]:
    """Fit a plan; return the result (None if it diverged) and the scaling of features."""
    scale = _scaling(x) if plan.scaled else _unchanged
    try:
        with warnings.catch_warnings():
            # A dead layer is a finding here: it shows as failed runs.
            warnings.simplefilter("ignore", SpikesimWarning)
            result = fit(
                plan.network, plan.rule, scale(x), y, encoder=plan.encoder, epochs=epochs,
                batch_size=plan.batch_size, seed=stream, warn=False, progress=False,
            )  # fmt: skip
    except NonFiniteStateError:
        return None, scale
    return result, scale


def _scaling(x: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    from sklearn.preprocessing import StandardScaler

    return StandardScaler().fit(x).transform


def _unchanged(x: np.ndarray) -> np.ndarray:
    return x


def _solved_epoch(curve: np.ndarray) -> int:
    """Return the first epoch, from 1, after which every sample was right to the end.

    The curve holds the share right in each epoch before its updates, so a network whose last
    wrong epoch is number e (0 if none) was solved by the updates of epoch e.
    """
    wrong = np.flatnonzero(curve < 1.0)
    return int(wrong[-1]) + 1 if len(wrong) else 1


def _n_runs(task: str, c: Contender, budget: Budget) -> int:
    if task == "iris":
        splits = Splits.load(budget.splits).first(budget.repeats)
        return splits.n_repeats * splits.n_folds
    return budget.seeds if c.space else 1


def _run_chunk(chunk: Sequence[Job]) -> list[Outcome]:
    return [run_job(job) for job in chunk]


def _chunks(work: Sequence[Job], n: int) -> list[list[Job]]:
    length = max(1, len(work) // n)
    return [list(work[i : i + length]) for i in range(0, len(work), length)]
