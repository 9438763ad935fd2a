"""The training loop, the same for every learning rule."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any, NamedTuple

import numpy as np

from spikesim import _check
from spikesim.errors import NonFiniteStateError, ParameterError, ParameterTypeError
from spikesim.layered.forward import given_to_first, run
from spikesim.layered.network import LayeredNetwork
from spikesim.layered.packed import PackedSpikes
from spikesim.layered.spike_times import SpikeTimes
from spikesim.learning.checkpoint import TrainingCheckpoint
from spikesim.learning.diagnosis import Diagnosis
from spikesim.learning.history import History, Log
from spikesim.learning.inputs import (
    checked_answers,
    checked_encoder,
    checked_features,
    encoded,
)
from spikesim.learning.optimisers.base import at_epoch
from spikesim.learning.packing import classes_in
from spikesim.learning.progress import Progress
from spikesim.learning.readouts import default_readout
from spikesim.learning.result import FitResult, Standing, copied, seed_of, seed_parts, streams
from spikesim.learning.stopping import EarlyStopping

__all__ = ["TrainingInterrupted", "fit", "partial_fit"]


class TrainingInterrupted(KeyboardInterrupt):
    """Ctrl-C during :func:`fit`; `result` holds the training up to its last whole epoch."""

    result: FitResult


@_check.suggest_keywords
def fit(
    network: LayeredNetwork,
    rule: Any,
    features: Any,
    labels: Any,
    *,
    encoder: Any = None,
    epochs: int = 100,
    batch_size: int | None = None,
    shuffle: bool = True,
    seed: Any = None,
    until: str | EarlyStopping | Callable[[History], bool] | None = None,
    patience: int = 20,
    validation: tuple[Any, Any] | None = None,
    warn: bool = True,
    progress: Any = None,
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_interval: float = 60.0,
) -> FitResult:
    """Train a layered network.

    Parameters
    ----------
    network : LayeredNetwork
        Where to start; never modified.
    rule : LearningRule
        How to learn, such as :class:`~spikesim.learning.Backprop`.
    features : array_like, shape (n_trials, n_features)
        Training samples; never modified.
    labels : array_like of int, shape (n_trials,)
        Class of each sample: 0 or 1 for a network with one output, 0 to n_outputs - 1
        otherwise. One class alone is allowed. For a rule that learns real targets, such as
        ``Backprop(SquaredError())``, the numbers to come close to, shape (n_trials, n_outputs).
    encoder : Encoder, optional
        How features become input, fitted to `features` here; by default
        :class:`~spikesim.encoding.Analog`. A stochastic encoder draws anew every epoch.
    epochs : int, default 100
        Passes through the samples at most, at least 1.
    batch_size : int, optional
        Samples for each update; None for all (full batch), 1 for online learning. The last
        batch of an epoch may be smaller and is averaged over its own size.
    shuffle : bool, default True
        Present the samples in a new random order every epoch.
    seed : int, SeedSequence or Generator, optional
        Source of all randomness here, the order and the encoding of the samples; equal seeds
        give equal bits. None takes fresh entropy, kept in the result. A rule that draws, such as
        :class:`~spikesim.learning.Evolution`, does so from a seed of its own.
    until : "solved", EarlyStopping or callable, optional
        Stop early: "solved" after `patience` epochs in a row with every trial right, as
        :class:`History` measures it; :class:`~spikesim.learning.EarlyStopping` when `validation`
        has not become better for a while; a callable is given the history so far after every
        epoch and returns whether to stop.
    patience : int, default 20
        For ``until="solved"``.
    validation : tuple of (features, labels), optional
        Samples to measure loss and accuracy on after each epoch.
    warn : bool, default True
        Warn of layers that stopped to take part and of a loss that diverged, see
        :mod:`spikesim.learning.diagnosis`.
    progress : bool or callable, optional
        None shows a bar on a terminal if training lasts longer than 2 s, True always, False
        never; a callable is given (epochs done, epochs) after each.
    checkpoint : path-like, optional
        File from which the same call, made again after the process was killed, goes on, to the
        same bits as without the interruption. Its folder must exist. It is renewed after an
        epoch, at the end and at Ctrl-C, and may then be used to train for more epochs. Rule and
        encoder must be dataclasses of numbers, text, arrays and such dataclasses, as those of
        spikesim are. A callable `until` is asked again of the history that was stored.
    checkpoint_interval : float, default 60
        Seconds between two versions of the file, or more where writing takes long: at most one
        twentieth of the time goes into it. 0 asks for one after every epoch, as far as that.

    Returns
    -------
    FitResult

    Raises
    ------
    ParameterError, ParameterTypeError
        Arguments that are not allowed or do not fit together, by name.
    DamagedFileError
        A checkpoint that is damaged or of another version.
    StorageError
        An OSError, too: the checkpoint cannot be written any more, as when the disk is full.
    NonFiniteStateError
        Training that diverged; the message names the epoch.
    TrainingInterrupted
        Ctrl-C; its `result` is what the training would have returned after the last epoch that
        was finished, and may be pickled.
    """
    _check.instance("fit.network", network, LayeredNetwork, "a LayeredNetwork")
    if isinstance(rule, type) or not (hasattr(rule, "init") and hasattr(rule, "step")):
        raise ParameterTypeError(f"fit.rule must be a learning rule, got {rule!r}")
    table = checked_features("fit.features", features)
    answers = checked_answers("fit.labels", labels, len(table), network, rule)
    epochs = _check.integer("fit.epochs", epochs, minimum=1)
    if batch_size is not None:
        batch_size = _check.integer("fit.batch_size", batch_size, minimum=1)
    shuffle = _check.boolean("fit.shuffle", shuffle)
    stop = _Stop("fit", until, patience, validation)
    warn = _check.boolean("fit.warn", warn)
    sequence = copied(_check.seed_sequence("fit.seed", seed))
    keeper = _keeper("fit", checkpoint, checkpoint_interval)
    encoder = checked_encoder("fit.encoder", encoder).fit(table)
    order, encode, _ = (np.random.default_rng(s).bit_generator.state for s in streams(sequence))
    task = _Task("fit", rule, _readout(rule, network), encoder, table, answers, stop, warn)
    standing = Standing(network, None, order, encode, None, (), batch_size, shuffle)
    # The encoder's mistakes are said first: the rule may take them for some of the network.
    encoded("fit.features", encoder, table[:1], network, np.random.default_rng(0))
    held_out = task.held_out(validation, network)
    standing = standing._replace(state=rule.init(network))
    with nullcontext() if keeper is None else keeper.alone():
        history = None
        if keeper is not None:
            about = _about(task, {"network": network}, validation, standing)
            about["seed"] = None if seed is None else seed_parts(sequence)
            found = keeper.find(about, classes_in((rule, encoder, standing)))
            if found is not None:
                standing, history, parts = found
                sequence = seed_of(parts)
                if history.n_epochs > epochs:
                    raise ParameterError(
                        f"fit.epochs is {epochs}, {keeper.path} (fit.checkpoint) has "
                        f"{history.n_epochs} done already"
                    )
        return _train(task, standing, history, 0, epochs, held_out, sequence, progress, keeper)


@_check.suggest_keywords
def partial_fit(
    result: FitResult,
    features: Any,
    labels: Any,
    *,
    epochs: int = 1,
    until: str | EarlyStopping | Callable[[History], bool] | None = None,
    patience: int = 20,
    validation: tuple[Any, Any] | None = None,
    warn: bool = True,
    progress: Any = None,
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_interval: float = 60.0,
) -> FitResult:
    """Train a network further, from where an earlier training ended.

    The state of the rule and of its optimiser, the random numbers, the size of the batches and
    whether samples are shuffled are those of the earlier training, so that on the same samples
    3 epochs and 7 further ones give the bits of 10. The samples may also be new ones, which the
    encoder, as it was fitted to the first ones, must be able to take.

    Parameters
    ----------
    result : FitResult
        What :func:`fit` or this function returned; never modified. Under early stopping it goes
        on from the last weights, not from the best, which is kept: it is handed back unless a
        later epoch is better. For that to mean something, `validation` should stay the same.
    features, labels
        As in :func:`fit`.
    epochs : int, default 1
        Further passes through the samples at most, at least 1.
    until, patience, validation, warn, progress
        As in :func:`fit`; `validation` must be given if it was before, and only then.
    checkpoint, checkpoint_interval
        As in :func:`fit`; a file of its own for each call.

    Returns
    -------
    FitResult
        Its history begins with that of `result`.

    Raises
    ------
    As :func:`fit`.

    Examples
    --------
    >>> import spikesim as sp
    >>> from spikesim.learning import Backprop
    >>> network, data = sp.dense([2, 4, 1], sp.Sigmoid(), rng=0), sp.datasets.xor()
    >>> samples = {"features": data.features, "labels": data.labels}
    >>> result = sp.fit(network, Backprop(), **samples, epochs=3, seed=0)
    >>> sp.partial_fit(result, **samples, epochs=7).history.n_epochs
    10
    """
    _check.instance("partial_fit.result", result, FitResult, "a FitResult")
    standing, rule = result.standing, result.rule
    table = checked_features("partial_fit.features", features)
    answers = checked_answers("partial_fit.labels", labels, len(table), standing.network, rule)
    epochs = _check.integer("partial_fit.epochs", epochs, minimum=1)
    stop = _Stop("partial_fit", until, patience, validation)
    warn = _check.boolean("partial_fit.warn", warn)
    done = result.history.n_epochs
    if done and (result.history.validation_loss is None) != (validation is None):
        given = "without" if validation is not None else "with"
        raise ParameterError(f"partial_fit.validation: the epochs before were {given} one")
    keeper = _keeper("partial_fit", checkpoint, checkpoint_interval)
    task = _Task("partial_fit", rule, result.readout, result.encoder, table, answers, stop, warn)
    held_out = task.held_out(validation, standing.network)
    history = result.history
    with nullcontext() if keeper is None else keeper.alone():
        if keeper is not None:
            about = _about(task, {"result": standing}, validation, standing)
            about["seed"] = seed_parts(result.seed)
            found = keeper.find(about, classes_in((rule, result.encoder, standing)))
            if found is not None:
                standing, history, _ = found
                if history.n_epochs > done + epochs:
                    raise ParameterError(
                        f"partial_fit.epochs is {epochs}, {keeper.path} (partial_fit.checkpoint) "
                        f"has {history.n_epochs - done} done already"
                    )
        return _train(
            task, standing, history, done, epochs, held_out, result.seed, progress, keeper
        )


class _Stop:
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
            raise ParameterError(f"{name}.until=EarlyStopping(...) needs {name}.validation")

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


class _Task(NamedTuple):
    """What is the same in all epochs."""

    name: str
    rule: Any
    readout: Any
    encoder: Any
    table: np.ndarray
    answers: np.ndarray
    stop: _Stop
    warn: bool

    def encoded(self, network: LayeredNetwork, rng: np.random.Generator) -> np.ndarray:
        """Return the samples as input, spikes packed for a rule that can work on them so."""
        x = encoded(f"{self.name}.features", self.encoder, self.table, network, rng)
        if getattr(self.rule, "takes_packed", False) and not network.continuous:
            return given_to_first(network, x)
        return x

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
            return encoded(f"{name}[0]", self.encoder, table, network, rng), answers

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


def _train(
    task: _Task,
    standing: Standing,
    history: History | None,
    before: int,
    epochs: int,
    held_out: Any,
    sequence: np.random.SeedSequence,
    progress: Any,
    keeper: TrainingCheckpoint | None,
) -> FitResult:
    """Train until `epochs` epochs are done beside those `before` this call.

    `standing` and `history` may be further than those: they were found in a checkpoint.
    """
    rule, stop, n_trials = task.rule, task.stop, len(task.table)
    network, state, best = standing.network, standing.state, standing.best
    order_rng, encode_rng = _generator(standing.order), _generator(standing.encode)
    batch_size = n_trials if standing.batch_size is None else standing.batch_size
    x = task.encoded(network, encode_rng)
    to_validate = None if held_out is None else held_out(sequence)
    first, solved, layers = 0, 0, []
    if history is not None:
        first, layers = history.n_epochs, history.layers
        solved = first - int(np.max(np.flatnonzero(history.accuracy != 1.0), initial=-1)) - 1
        best = stop.best_kept(history, best, network)
    before_loss = task.loss_of(network, x) if first == 0 else None
    diagnosis = Diagnosis(network, task.warn, layers, standing.warned, before_loss)
    log = Log(diagnosis, held_out is not None, history)

    # Where training stands and the number of epochs that belongs to it, replaced at once.
    finished = standing, first

    def result() -> FitResult:
        last, n_epochs = finished
        network = last.network
        if stop.best_of is not None and stop.best_of.restore_best and last.best is not None:
            network = last.best[1]
        course = log.history(n_epochs)
        return FitResult(network, course, rule, task.encoder, task.readout, copied(sequence), last)

    def keep() -> None:
        if keeper is not None:
            keeper.write(finished[0], log.history(finished[1]), seed_parts(sequence))

    if first > before and stop.ends(log, first, solved):
        return result()
    try:
        with Progress(f"{task.name}.progress", progress, epochs, "epoch") as bar:
            for epoch in range(first, before + epochs):
                started = time.perf_counter()
                if epoch > first and task.encoder.stochastic:
                    x = task.encoded(network, encode_rng)
                order = order_rng.permutation(n_trials) if standing.shuffle else None
                state = at_epoch(state, epoch)
                loss, n_correct = 0.0, 0.0
                for start in range(0, n_trials, batch_size):
                    batch = _batch(x, task.answers, order, start, start + batch_size)
                    try:
                        network, state, metrics = rule.step(network, state, *batch)
                    except NonFiniteStateError as error:
                        raise NonFiniteStateError(f"epoch {epoch}: {error}") from None
                    loss += metrics.loss
                    n_correct += metrics.n_correct
                    diagnosis.add(metrics)
                accuracy = n_correct / n_trials
                n_spikes = diagnosis.close_epoch(epoch, accuracy, loss / n_trials)
                seconds = time.perf_counter() - started
                log.add(loss / n_trials, accuracy, seconds, n_spikes / n_trials)
                if to_validate is not None:
                    log.add_validation(*task.validate(network, *to_validate))
                best = stop.best_kept(log.history(epoch + 1), best, network)
                standing = standing._replace(
                    network=network,
                    state=state,
                    order=order_rng.bit_generator.state,
                    encode=encode_rng.bit_generator.state,
                    best=best,
                    warned=diagnosis.warned,
                )
                finished = standing, epoch + 1
                if keeper is not None and keeper.due():
                    keep()
                bar.update(epoch + 1 - before)
                solved = solved + 1 if n_correct == n_trials else 0
                if stop.ends(log, epoch + 1, solved):
                    break
            keep()
    except KeyboardInterrupt:
        keep()
        interruption = TrainingInterrupted(
            f"interrupted with {finished[1] - before} of {epochs} epochs done"
        )
        interruption.result = result()
        raise interruption from None
    return result()


def _about(
    task: _Task, start: dict[str, Any], validation: Any, standing: Standing
) -> dict[str, Any]:
    """Return what decides the course of a training, by the names of the arguments."""
    return {
        **start,
        "rule": task.rule,
        "encoder": task.encoder,
        "features": task.table,
        "labels": task.answers,
        "validation": None if validation is None else tuple(np.asarray(v) for v in validation),
        "batch_size": standing.batch_size,
        "shuffle": standing.shuffle,
        "until": task.stop.about(),
    }


def _keeper(name: str, checkpoint: Any, interval: Any) -> TrainingCheckpoint | None:
    interval = _check.non_negative(f"{name}.checkpoint_interval", interval)
    if checkpoint is None:
        return None
    return TrainingCheckpoint(f"{name}.checkpoint", checkpoint, interval)


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


def _readout(rule: Any, network: LayeredNetwork) -> Any:
    if hasattr(rule, "readout_for"):
        return rule.readout_for(network)
    readout = getattr(rule, "readout", None)
    return default_readout(network.layers[-1]) if readout is None else readout
