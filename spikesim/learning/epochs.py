"""The epochs of a training, one after another: what :func:`~spikesim.fit` does at its heart."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from spikesim import _check
from spikesim.errors import NonFiniteStateError, ParameterError, ParameterTypeError
from spikesim.layered.forward import run
from spikesim.layered.network import LayeredNetwork
from spikesim.layered.packed import PackedSpikes
from spikesim.layered.spike_times import SpikeTimes
from spikesim.learning.checkpoint import TrainingCheckpoint
from spikesim.learning.diagnosis import Diagnosis
from spikesim.learning.history import History, Log
from spikesim.learning.inputs import checked_answers, checked_features, encoded, packed
from spikesim.learning.optimisers.base import at_epoch
from spikesim.learning.progress import Progress
from spikesim.learning.result import FitResult, Standing, copied, seed_parts, streams
from spikesim.learning.stopping import EarlyStopping

__all__ = ["Stop", "Task", "Training", "TrainingInterrupted"]


class TrainingInterrupted(KeyboardInterrupt):
    """Ctrl-C during :func:`~spikesim.fit`; `result` has the training up to its last whole epoch."""

    result: FitResult


class Stop:
    """When to end early, and which weights to hand back.

    Parameters
    ----------
    name : str
        The function that was called.
    until, patience, validation
        As they were given to it.
    """

    def __init__(self, name: str, until: Any, patience: Any, validation: Any):
        self.until = until
        self.patience = _check.integer(f"{name}.patience", patience, minimum=1)
        if until is not None and not callable(until):
            _check.choice(f"{name}.until", until, ("solved",))
        self.best_of = until if isinstance(until, EarlyStopping) else None
        if self.best_of is not None and validation is None:
            raise ParameterError(
                f"{name}.until=EarlyStopping(...) needs {name}.validation=(features, labels), the "
                "samples to watch"
            )

    def ends(self, log: Log, n_epochs: int, solved: int) -> bool:
        """Return whether to stop, `solved` being the epochs in a row with every trial right."""
        if self.until == "solved":
            return solved >= self.patience
        return callable(self.until) and bool(self.until(log.history(n_epochs)))

    def best_kept(
        self, history: History, best: tuple[int, LayeredNetwork] | None, network: LayeredNetwork
    ) -> tuple[int, LayeredNetwork] | None:
        """Return the best epoch of which there are weights: the best before, or the last."""
        last = history.n_epochs - 1
        if self.best_of is None or last < 0:
            return best
        if best is None or self.best_of.is_better(history, last, best[0]):
            return last, network
        return best

    def about(self) -> Any:
        """Return what a checkpoint can hold of it."""
        return self.best_of if self.best_of is not None else "no EarlyStopping"


class Task(NamedTuple):
    """What is the same in all epochs."""

    name: str
    rule: Any
    readout: Any
    encoder: Any
    table: np.ndarray
    answers: np.ndarray
    stop: Stop
    warn: bool

    def encoded(self, network: LayeredNetwork, rng: np.random.Generator) -> np.ndarray:
        """Return the samples as input, spikes packed for a rule that can work on them so."""
        encode = packed if getattr(self.rule, "takes_packed", False) else encoded
        return encode(f"{self.name}.features", self.encoder, self.table, network, rng)

    def held_out(
        self, validation: Any, network: LayeredNetwork
    ) -> Callable[[np.random.SeedSequence], tuple[np.ndarray, np.ndarray]] | None:
        """Check the samples to validate with; return what encodes them, for a seed."""
        if validation is None:
            return None
        name = f"{self.name}.validation"
        if not isinstance(validation, tuple) or len(validation) != 2:
            raise ParameterTypeError(f"{name} must be a tuple (features, labels)")
        table = checked_features(f"{name}[0]", validation[0])
        answers = checked_answers(f"{name}[1]", validation[1], len(table), network, self.rule)
        encoded(f"{name}[0]", self.encoder, table[:1], network, np.random.default_rng(0))

        def made(sequence: np.random.SeedSequence) -> tuple[np.ndarray, np.ndarray]:
            rng = np.random.default_rng(streams(sequence)[2])
            return packed(f"{name}[0]", self.encoder, table, network, rng), answers

        return made

    def validate(
        self, network: LayeredNetwork, x: np.ndarray, answers: np.ndarray
    ) -> tuple[float, float]:
        """Return accuracy and mean loss; the accuracy is NaN for real targets."""
        traces = run(network, x)
        measure = getattr(self.rule, "loss_and_gradient", None)
        if measure is not None:
            losses, correct, *_ = measure(network, traces, answers)
            return float(np.mean(correct)), float(np.mean(losses))
        layer = network.layers[-1]
        scores = self.readout.scores(traces[-1], layer, network.dt)
        accuracy = float(np.mean(self.readout.decide(scores, layer) == answers))
        return accuracy, 1.0 - accuracy

    def loss_of(self, network: LayeredNetwork, x: Any) -> Callable[[], float] | None:
        """Return what measures the loss of a few samples, None for a rule without a loss."""
        if not hasattr(self.rule, "loss_and_gradient"):
            return None
        return lambda: self.validate(network, *_batch(x, self.answers, None, 0, 256))[1]


class Training:
    """A training from where it stands to its end.

    Parameters
    ----------
    task : Task
        What is learnt, and how.
    standing, history : Standing, History or None
        From where it goes on. They may be further than `before`: found in a checkpoint.
    before : int
        Epochs that were done before this call.
    epochs : int
        Epochs that this call is asked for, at most.
    held_out : callable or None
        What :meth:`Task.held_out` returned.
    sequence : SeedSequence
        Of the training.
    keeper : TrainingCheckpoint or None
        Where to keep it.
    """

    def __init__(
        self,
        task: Task,
        standing: Standing,
        history: History | None,
        before: int,
        epochs: int,
        held_out: Any,
        sequence: np.random.SeedSequence,
        keeper: TrainingCheckpoint | None,
    ):
        self._task, self._before, self._epochs = task, before, epochs
        self._sequence, self._keeper = sequence, keeper
        self._network, self._state, self._best = standing.network, standing.state, standing.best
        self._order_rng = _generator(standing.order)
        self._encode_rng = _generator(standing.encode)
        self._x = task.encoded(self._network, self._encode_rng)
        self._to_validate = None if held_out is None else held_out(sequence)
        self._first, self._solved, layers = 0, 0, []
        loss_before = task.loss_of(self._network, self._x)
        if history is not None:
            self._first, layers = history.n_epochs, history.layers
            wrong = np.flatnonzero(history.accuracy != 1.0)
            self._solved = self._first - int(np.max(wrong, initial=-1)) - 1
            self._best = task.stop.best_kept(history, self._best, self._network)
        if self._first:
            loss_before = None
        self._diagnosis = Diagnosis(self._network, task.warn, layers, standing.warned, loss_before)
        self._log = Log(self._diagnosis, held_out is not None, history)
        # Where training stands and the number of epochs that belongs to it, replaced at once.
        self._finished = standing._replace(best=self._best), self._first

    def to_its_end(self, progress: Any) -> FitResult:
        """Train; return what came of it."""
        if self._first > self._before and self._ends():
            return self._result()
        name, before = self._task.name, self._before
        try:
            with Progress(f"{name}.progress", progress, self._epochs, "epoch") as bar:
                for epoch in range(self._first, before + self._epochs):
                    self._epoch(epoch)
                    if self._keeper is not None and self._keeper.due():
                        self._keep()
                    bar.update(epoch + 1 - before)
                    if self._ends():
                        break
                self._keep()
        except KeyboardInterrupt:
            self._keep()
            interruption = TrainingInterrupted(
                f"interrupted with {self._finished[1] - before} of {self._epochs} epochs done"
            )
            interruption.result = self._result()
            raise interruption from None
        return self._result()

    def _epoch(self, epoch: int) -> None:
        """Learn from all samples once, measure, and say that it was done."""
        task, n_trials = self._task, len(self._task.table)
        started = time.perf_counter()
        loss, n_correct = self._updates(epoch)
        accuracy = n_correct / n_trials
        n_spikes = self._diagnosis.close_epoch(epoch, accuracy, loss / n_trials)
        seconds = time.perf_counter() - started
        self._log.add(loss / n_trials, accuracy, seconds, n_spikes / n_trials)
        if self._to_validate is not None:
            self._log.add_validation(*task.validate(self._network, *self._to_validate))
        if task.stop.best_of is not None:
            course = self._log.history(epoch + 1)
            self._best = task.stop.best_kept(course, self._best, self._network)
        self._solved = self._solved + 1 if n_correct == n_trials else 0
        standing = self._finished[0]._replace(
            network=self._network,
            state=self._state,
            order=self._order_rng.bit_generator.state,
            encode=self._encode_rng.bit_generator.state,
            best=self._best,
            warned=self._diagnosis.warned,
        )
        self._finished = standing, epoch + 1

    def _updates(self, epoch: int) -> tuple[float, float]:
        """Learn from one batch after another; return the loss and the number of right trials."""
        task, standing, n_trials = self._task, self._finished[0], len(self._task.table)
        if epoch > self._first and task.encoder.stochastic:
            self._x = task.encoded(self._network, self._encode_rng)
        order = self._order_rng.permutation(n_trials) if standing.shuffle else None
        batch_size = n_trials if standing.batch_size is None else standing.batch_size
        network, state = self._network, at_epoch(self._state, epoch)
        loss, n_correct = 0.0, 0.0
        for start in range(0, n_trials, batch_size):
            batch = _batch(self._x, task.answers, order, start, start + batch_size)
            try:
                network, state, metrics = task.rule.step(network, state, *batch)
            except NonFiniteStateError as error:
                raise NonFiniteStateError(f"epoch {epoch}: {error}") from None
            loss += metrics.loss
            n_correct += metrics.n_correct
            self._diagnosis.add(metrics)
        self._network, self._state = network, state
        return loss, n_correct

    def _ends(self) -> bool:
        return self._task.stop.ends(self._log, self._finished[1], self._solved)

    def _keep(self) -> None:
        if self._keeper is not None:
            standing, n_epochs = self._finished
            self._keeper.write(standing, self._log.history(n_epochs), seed_parts(self._sequence))

    def _result(self) -> FitResult:
        (standing, n_epochs), task = self._finished, self._task
        network, stop = standing.network, task.stop
        if stop.best_of is not None and stop.best_of.restore_best and standing.best is not None:
            network = standing.best[1]
        return FitResult(
            network,
            self._log.history(n_epochs),
            task.rule,
            task.encoder,
            task.readout,
            copied(self._sequence),
            standing,
        )


def _generator(state: Mapping[str, Any]) -> np.random.Generator:
    """Return a generator in a state."""
    generator = np.random.default_rng(0)
    generator.bit_generator.state = state
    return generator


def _batch(
    x: Any, classes: np.ndarray, order: np.ndarray | None, start: int, stop: int
) -> tuple[Any, np.ndarray]:
    """Return input and labels of one batch, C-contiguous."""
    if isinstance(x, (PackedSpikes, SpikeTimes)):
        chosen = np.arange(start, min(stop, len(classes))) if order is None else order[start:stop]
        return x.take(chosen), classes[chosen]
    if order is not None:
        chosen = order[start:stop]
        return x.take(chosen, axis=1), classes[chosen]
    if start == 0 and stop >= len(classes):
        return x, classes
    return np.ascontiguousarray(x[:, start:stop]), classes[start:stop]
