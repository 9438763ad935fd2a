"""Training, the same for every learning rule; its epochs are in spikesim.learning.epochs."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np

from spikesim import _check
from spikesim.errors import ParameterError
from spikesim.layered.network import LayeredNetwork
from spikesim.learning.checkpoint import TrainingCheckpoint
from spikesim.learning.epochs import Stop, Task, Training
from spikesim.learning.history import History
from spikesim.learning.inputs import (
    check_rule,
    checked_answers,
    checked_encoder,
    checked_features,
    encoded,
)
from spikesim.learning.packing import classes_in
from spikesim.learning.readouts import default_readout
from spikesim.learning.result import FitResult, Standing, copied, seed_of, seed_parts, streams
from spikesim.learning.stopping import EarlyStopping

__all__ = ["fit", "partial_fit"]


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
    check_rule("fit.rule", rule)
    table = checked_features("fit.features", features)
    answers = checked_answers("fit.labels", labels, len(table), network, rule)
    epochs = _check.integer("fit.epochs", epochs, minimum=1)
    if batch_size is not None:
        batch_size = _check.integer("fit.batch_size", batch_size, minimum=1)
    shuffle = _check.boolean("fit.shuffle", shuffle)
    stop = Stop("fit", until, patience, validation)
    warn = _check.boolean("fit.warn", warn)
    sequence = copied(_check.seed_sequence("fit.seed", seed))
    keeper = _keeper("fit", checkpoint, checkpoint_interval)
    encoder = checked_encoder("fit.encoder", encoder).fit(table)
    order, encode, _ = (np.random.default_rng(s).bit_generator.state for s in streams(sequence))
    task = Task("fit", rule, _readout(rule, network), encoder, table, answers, stop, warn)
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
                        f"{history.n_epochs} done already; ask for at least as many, or delete "
                        "the file to start afresh"
                    )
        training = Training(task, standing, history, 0, epochs, held_out, sequence, keeper)
        return training.to_its_end(progress)


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
    stop = Stop("partial_fit", until, patience, validation)
    warn = _check.boolean("partial_fit.warn", warn)
    done = result.history.n_epochs
    if done and (result.history.validation_loss is None) != (validation is None):
        given, what = ("with", "give one again, (features, labels)")
        if validation is not None:
            given, what = ("without", "leave it out, or begin again with fit(validation=)")
        raise ParameterError(f"partial_fit.validation: the epochs before were {given} one; {what}")
    keeper = _keeper("partial_fit", checkpoint, checkpoint_interval)
    task = Task("partial_fit", rule, result.readout, result.encoder, table, answers, stop, warn)
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
                        f"has {history.n_epochs - done} done already; ask for at least as many, "
                        "or delete the file to start afresh"
                    )
        training = Training(task, standing, history, done, epochs, held_out, result.seed, keeper)
        return training.to_its_end(progress)


def _about(
    task: Task, start: dict[str, Any], validation: Any, standing: Standing
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


def _readout(rule: Any, network: LayeredNetwork) -> Any:
    if hasattr(rule, "readout_for"):
        return rule.readout_for(network)
    readout = getattr(rule, "readout", None)
    return default_readout(network.layers[-1]) if readout is None else readout
