"""The runs: each trains and tests one contender once, and becomes one row."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from spikesim.comparison.baselines import MAJORITY
from spikesim.comparison.builders import Plan
from spikesim.comparison.contender import Contender
from spikesim.comparison.entries import contender, entrants
from spikesim.comparison.measures import cost, losses
from spikesim.comparison.protocol import Budget, Splits, streams
from spikesim.comparison.results import Row
from spikesim.comparison.tasks import problem, task
from spikesim.errors import NonFiniteStateError, SpikesimWarning
from spikesim.learning import fit

__all__ = ["Job", "Outcome", "epochs_for", "jobs", "run_job", "train"]

# Samples enough to load every kernel, in a run that does not count.
_FEW = 8
# Runs of each contender whose network is perturbed.
_PERTURBED_RUNS = 10


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
    samples: int | None = None


class Outcome(NamedTuple):
    """The row of a run, and its share of training samples right, by epoch."""

    row: Row
    curve: np.ndarray


def epochs_for(name: str, budget: Budget) -> int:
    """Return the epochs of training that `budget` grants on a task."""
    return task(name).epochs.of(budget.name)


def jobs(
    tasks: Sequence[str],
    budget: Budget,
    settings: Mapping[str, Mapping[str, Mapping[str, float]]],
    wanted: Sequence[str] | None = None,
) -> list[Job]:
    """List every run of a comparison, by task, contender, hidden size and seed.

    Parameters
    ----------
    tasks : sequence of str
        What to run.
    budget : Budget
        How much of it.
    settings : mapping
        Tuned values: task, then key of the contender, then name of the setting. A contender
        without any runs with the middle of its space.
    wanted : sequence of str, optional
        Names of contenders or rules, in place of those that the task has by itself.
    """
    listed = []
    for name in tasks:
        here = task(name)
        splits = here.splits.of(budget.name)
        for c in entrants(here, wanted):
            values = settings.get(name, {}).get(c.key) or c.middle()
            for hidden in c.hidden_sizes(here, here.hidden.of(budget.name)):
                listed += [
                    Job(
                        name, c.name, c.network, hidden, seed, here.epochs.of(budget.name),
                        dict(values), "test", splits, here.samples.of(budget.name),
                    )
                    for seed in range(_n_runs(name, c, budget))
                ]  # fmt: skip
    return listed


def run_job(job: Job) -> Outcome:
    """Train and test once."""
    chosen = contender(job.name, job.network)
    here = task(job.task)
    trial, repeat, fold = _trial(job)
    if not here.classic:
        _load_kernels(job, chosen, trial)
    started = time.perf_counter()
    solved_epoch, spikes, curve = None, None, np.zeros(0)
    found: dict[str, float] = {"n_train": len(trial.train_y), "n_test": len(trial.test_y)}
    if chosen.estimator is not None:
        seed = int(streams(job.task, job.seed, job.purpose).weights.generate_state(1)[0])
        model = chosen.estimator(job.hidden, seed)
        if not np.ptp(trial.train_x, axis=0).any():
            # Equal samples leave nothing to tell classes apart by, and LDA refuses them.
            model = MAJORITY(0, 0)
        with warnings.catch_warnings():
            # An optimiser that did not converge shows in the accuracy.
            warnings.simplefilter("ignore")
            model.fit(trial.train_x, trial.train_y)
        accuracy = float(np.mean(model.predict(trial.test_x) == trial.test_y))
        epochs, diverged = 0, False
        found["train_seconds"] = time.perf_counter() - started
    else:
        accuracy, curve, spikes, diverged, more = train(job, chosen, trial)
        found |= more
        epochs = job.epochs
        if accuracy == 1.0 and here.kind == "fitting":
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
        measures=found,
    )
    return Outcome(row, curve)


class _Trial(NamedTuple):
    train_x: np.ndarray
    train_y: np.ndarray
    test_x: np.ndarray
    test_y: np.ndarray


def _trial(job: Job) -> tuple[_Trial, int | None, int | None]:
    """Return the samples of a run, and its place in a cross-validation."""
    here = task(job.task)
    train_data, test_data = here.part("train"), here.part("test")
    if job.purpose == "tune":
        test_data = here.part("validation")
    train_on, test_on = np.arange(len(train_data.labels)), np.arange(len(test_data.labels))
    repeat = fold = None
    if job.splits:
        splits = Splits.load(job.splits)
        repeat, fold = divmod(job.seed, splits.n_folds)
        train_on, test_on = splits.parts(repeat, fold)
    if here.kind != "fitting" and job.samples is not None and job.samples < len(train_on):
        # Tables may be sorted by class: samples are taken from all over them.
        train_on = train_on[np.arange(job.samples) * len(train_on) // job.samples]
    train_x = here.seen(train_data.features[train_on], job.network)
    test_x = here.seen(test_data.features[test_on], job.network)
    trial = _Trial(train_x, train_data.labels[train_on], test_x, test_data.labels[test_on])
    return trial, repeat, fold


def build(job: Job, chosen: Contender) -> tuple[Plan, np.random.SeedSequence]:
    """Return the contender of a job made ready, and the stream of its training."""
    source = streams(job.task, job.seed, job.purpose)
    assert chosen.build is not None
    plan = chosen.build(problem(job.task, job.network), job.hidden, job.settings, source.weights)
    return plan, source.training


def train(
    job: Job, chosen: Contender, trial: _Trial
) -> tuple[float, np.ndarray, float | None, bool, dict[str, float]]:
    """Fit and score; return accuracy, curve, spikes a sample, whether it diverged, and measures.

    A run that diverged has no network left to answer, so that its accuracy is 0.
    """
    plan, stream = build(job, chosen)
    result, scale = fitted(plan, stream, trial.train_x, trial.train_y, job.epochs)
    if result is None:
        return 0.0, np.zeros(0), None, True, {}
    test_x = scale(trial.test_x)
    answer = stream.spawn(1)[0]
    found: dict[str, float] = {}
    if plan.finish is None:
        accuracy = float(result.score(test_x, trial.test_y, seed=answer))
    else:
        accuracy, found = plan.finish(result, scale(trial.train_x), test_x, trial.test_y)
    here = task(job.task)
    if not here.classic and job.purpose == "test":
        counted = cost(here, plan, result, scale(trial.train_x), answer)
        if plan.finish is not None:
            found["rate_synops"] = counted["synops"]
        found = counted | found
        if here.perturbed and plan.finish is None and job.seed < _PERTURBED_RUNS:
            found |= losses(plan, result, test_x, trial.test_y, job.seed)
    spikes = float(result.history.spikes_per_trial[-1]) if plan.network.spiking else None
    return accuracy, np.asarray(result.history.accuracy), spikes, False, found


def fitted(
    plan: Plan, stream: np.random.SeedSequence, x: np.ndarray, y: np.ndarray, epochs: int
) -> tuple[Any, Callable[[np.ndarray], np.ndarray]]:
    """Fit a plan; return the result (None if it diverged) and the scaling of features."""
    scale = {"standard": _scaling, "unit": _unit_scaling}.get(plan.scaling, lambda x: _unchanged)(x)
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


def _unit_scaling(x: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    from sklearn.preprocessing import MinMaxScaler

    return MinMaxScaler(clip=True).fit(x).transform


def _unchanged(x: np.ndarray) -> np.ndarray:
    return x


def _solved_epoch(curve: np.ndarray) -> int:
    """Return the first epoch, from 1, after which every sample was right to the end.

    The curve holds the share right in each epoch before its updates, so a network whose last
    wrong epoch is number e (0 if none) was solved by the updates of epoch e.
    """
    wrong = np.flatnonzero(curve < 1.0)
    return int(wrong[-1]) + 1 if len(wrong) else 1


_loaded: set[tuple[str, str, str, int]] = set()


def _load_kernels(job: Job, chosen: Contender, trial: _Trial) -> None:
    """Train on a few samples, once in a process for each kind of run, so that times compare."""
    kind = (job.task, job.name, job.network, job.hidden)
    if kind in _loaded or chosen.estimator is not None:
        return
    _loaded.add(kind)
    few = _Trial(*(part[:_FEW] for part in trial))
    train(job._replace(epochs=1, purpose="tune"), chosen, few)


def _n_runs(name: str, c: Contender, budget: Budget) -> int:
    here = task(name)
    if here.kind == "folds":
        # The smoke run has one repeat of what the quick one has.
        repeats = 1 if budget.name == "smoke" else None
        splits = Splits.load(here.splits.of(budget.name)).first(repeats)
        return splits.n_repeats * splits.n_folds
    # A method that draws nothing gives the same answer for every start.
    if not c.space and not c.layers:
        return 1
    return here.seeds.of(budget.name) if budget.seeds is None else budget.seeds
