"""The training loop, the same for every learning rule."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from spikesim import _check
from spikesim.errors import NonFiniteStateError, ParameterError, ParameterTypeError
from spikesim.layered.forward import run
from spikesim.layered.network import LayeredNetwork
from spikesim.learning.diagnosis import Diagnosis, LayerHistory
from spikesim.learning.inputs import (
    checked_answers,
    checked_encoder,
    checked_features,
    checked_labels,
    encoded,
    takes_targets,
)
from spikesim.learning.progress import Progress
from spikesim.learning.readouts import default_readout

__all__ = ["FitResult", "History", "TrainingInterrupted", "evaluate", "fit"]


@dataclass(frozen=True, eq=False)
class History:
    """The course of a training run, one value an epoch.

    Losses and accuracies are running ones: each batch is measured before it is learnt from. With
    one batch an epoch they are those of the network as it stood before the epoch.

    Attributes
    ----------
    loss : ndarray, shape (n_epochs,)
        Sum of the losses of all trials over their number; for rules without a loss the share
        of errors.
    accuracy : ndarray, shape (n_epochs,)
        Share of the trials classified right; NaN where the rule learns real targets.
    seconds : ndarray, shape (n_epochs,)
        Time that each epoch took (s), without the validation.
    spikes_per_trial : ndarray, shape (n_epochs,)
        Spikes of all spiking layers together, without the input.
    layers : list of LayerHistory
        What each layer did.
    validation_accuracy : ndarray, shape (n_epochs,), or None
        Accuracy on the validation set after each epoch.
    """

    loss: np.ndarray
    accuracy: np.ndarray
    seconds: np.ndarray
    spikes_per_trial: np.ndarray
    layers: list[LayerHistory]
    validation_accuracy: np.ndarray | None = None

    @property
    def n_epochs(self) -> int:
        """Number of epochs that were run."""
        return len(self.loss)

    @property
    def solved_epoch(self) -> int | None:
        """First epoch of the unbroken run of all-right epochs at the end; None without one."""
        wrong = np.flatnonzero(~(self.accuracy >= 1.0))
        first = int(wrong[-1]) + 1 if len(wrong) else 0
        return first if first < len(self.accuracy) else None

    def __repr__(self) -> str:
        if not self.n_epochs:
            return "History(no epochs)"
        return f"History({self.n_epochs} epochs, loss {self.loss[0]:.4g} to {self.loss[-1]:.4g}" + (
            ")"
            if np.isnan(self.accuracy[0])
            else f", accuracy {self.accuracy[0]:.3g} to {self.accuracy[-1]:.3g})"
        )


@dataclass(frozen=True, eq=False)
class FitResult:
    """A trained network with all that is needed to use it.

    Attributes
    ----------
    network : LayeredNetwork
        With the trained weights, after the last update.
    history : History
        The course of the training.
    rule : LearningRule
        The rule as given.
    encoder : Encoder
        Fitted to the training features.
    readout : Readout
        How the output is turned into decisions.
    seed : SeedSequence
        Reproduces the run when given to :func:`fit`; not used up by it.
    """

    network: LayeredNetwork
    history: History
    rule: Any
    encoder: Any
    readout: Any
    seed: np.random.SeedSequence

    def __repr__(self) -> str:
        return f"FitResult({self.rule!r} on {self.network!r}: {self.history!r})"

    def predict(self, features: Any, seed: Any = None) -> np.ndarray:
        """Return the class of each row of `features`, shape (n_samples,), int64.

        After a rule that learns real targets use :meth:`scores`, which has the predictions.

        Parameters
        ----------
        features : array_like, shape (n_samples, n_features)
            Samples.
        seed : int, SeedSequence or Generator, optional
            Source of the spikes of a stochastic encoder; by default a stream of its own that
            belongs to the run, the same in every call.
        """
        self._refuse_targets("predict")
        return _predict(
            "FitResult.predict",
            self.network,
            self.readout,
            features,
            self.encoder,
            self._stream(seed),
        )

    def scores(self, features: Any, seed: Any = None) -> np.ndarray:
        """Return what the readout makes of the output, shape (n_samples, n_outputs).

        For a rule that learns real targets this is the prediction.

        Parameters
        ----------
        features : array_like, shape (n_samples, n_features)
            Samples.
        seed : int, SeedSequence or Generator, optional
            As in :meth:`predict`.
        """
        return _scores(
            "FitResult.scores",
            self.network,
            self.readout,
            features,
            self.encoder,
            self._stream(seed),
        )

    def score(self, features: Any, labels: Any, seed: Any = None) -> float:
        """Return the share of rows of `features` that get their label, see :meth:`predict`."""
        self._refuse_targets("score")
        return _accuracy(
            "FitResult.score",
            self.network,
            self.readout,
            features,
            labels,
            self.encoder,
            self._stream(seed),
        )

    def _refuse_targets(self, method: str) -> None:
        if takes_targets(self.rule):
            raise ParameterError(
                f"FitResult.{method} is for classes, the rule learnt real targets; use scores"
            )

    def _stream(self, seed: Any) -> Any:
        return _streams(self.seed)[2] if seed is None else seed


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
    until: str | Callable[[History], bool] | None = None,
    patience: int = 20,
    validation: tuple[Any, Any] | None = None,
    warn: bool = True,
    progress: Any = None,
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
    until : "solved" or callable, optional
        Stop early: "solved" after `patience` epochs in a row with every trial right, as
        :class:`History` measures it; a callable is given the history so far after every epoch
        and returns whether to stop.
    patience : int, default 20
        For ``until="solved"``.
    validation : tuple of (features, labels), optional
        Samples to measure the accuracy on after each epoch.
    warn : bool, default True
        Warn of layers that stopped to take part, see :mod:`spikesim.learning.diagnosis`.
    progress : bool or callable, optional
        None shows a bar on a terminal if training lasts longer than 2 s, True always, False
        never; a callable is given (epochs done, epochs) after each.

    Returns
    -------
    FitResult

    Raises
    ------
    ParameterError, ParameterTypeError
        Arguments that are not allowed or do not fit together, by name.
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
    classes = checked_answers("fit.labels", labels, len(table), network, rule)
    epochs = _check.integer("fit.epochs", epochs, minimum=1)
    n_trials = len(table)
    if batch_size is None:
        batch_size = n_trials
    batch_size = _check.integer("fit.batch_size", batch_size, minimum=1)
    shuffle = _check.boolean("fit.shuffle", shuffle)
    patience = _check.integer("fit.patience", patience, minimum=1)
    if until is not None and not callable(until):
        _check.choice("fit.until", until, ("solved",))
    warn = _check.boolean("fit.warn", warn)
    sequence = _check.seed_sequence("fit.seed", seed)
    encoder = checked_encoder("fit.encoder", encoder).fit(table)
    order_stream, encode_stream, evaluate_stream = _streams(sequence)
    order_rng = np.random.default_rng(order_stream)
    encode_rng = np.random.default_rng(encode_stream)
    if validation is not None:
        if not isinstance(validation, tuple) or len(validation) != 2:
            raise ParameterTypeError("fit.validation must be a tuple (features, labels)")
        held_out = checked_features("fit.validation[0]", validation[0])
        if takes_targets(rule):
            raise ParameterError("fit.validation needs classes, fit.rule learns real targets")
        held_out_labels = checked_labels("fit.validation[1]", validation[1], len(held_out), network)
        encoded("fit.validation[0]", encoder, held_out[:1], network, np.random.default_rng(0))

    readout = _readout(rule, network)
    x = encoded("fit.features", encoder, table, network, encode_rng)
    state = rule.init(network)
    diagnosis = Diagnosis(network, warn)
    log: list[tuple[float, float, float, float]] = []
    validated: list[float] = []
    streak = 0

    # The network and the number of epochs that belongs to it, replaced at once.
    finished = network, 0

    def history(n_epochs: int) -> History:
        loss, accuracy, seconds, spikes = np.array(log[:n_epochs]).reshape(-1, 4).T.copy()
        accuracies = None if validation is None else np.array(validated[:n_epochs])
        layers = diagnosis.histories(n_epochs)
        return History(loss, accuracy, seconds, spikes, layers, accuracies)

    def result() -> FitResult:
        trained, n_epochs = finished
        return FitResult(trained, history(n_epochs), rule, encoder, readout, _copied(sequence))

    try:
        with Progress("fit.progress", progress, epochs, "epoch") as bar:
            for epoch in range(epochs):
                started = time.perf_counter()
                if epoch and encoder.stochastic:
                    x = encoded("fit.features", encoder, table, network, encode_rng)
                order = order_rng.permutation(n_trials) if shuffle else None
                loss, n_correct = 0.0, 0.0
                for start in range(0, n_trials, batch_size):
                    x_batch, y_batch = _batch(x, classes, order, start, start + batch_size)
                    try:
                        network, state, metrics = rule.step(network, state, x_batch, y_batch)
                    except NonFiniteStateError as error:
                        raise NonFiniteStateError(f"epoch {epoch}: {error}") from None
                    loss += metrics.loss
                    n_correct += metrics.n_correct
                    diagnosis.add(metrics)
                accuracy = n_correct / n_trials
                n_spikes = diagnosis.close_epoch(epoch, accuracy)
                seconds = time.perf_counter() - started
                log.append((loss / n_trials, accuracy, seconds, n_spikes / n_trials))
                if validation is not None:
                    validated.append(
                        _accuracy(
                            "fit.validation",
                            network,
                            readout,
                            held_out,
                            held_out_labels,
                            encoder,
                            evaluate_stream,
                        )
                    )
                finished = network, epoch + 1
                bar.update(epoch + 1)
                streak = streak + 1 if n_correct == n_trials else 0
                if until == "solved":
                    if streak >= patience:
                        break
                elif callable(until) and until(history(epoch + 1)):
                    break
    except KeyboardInterrupt:
        interruption = TrainingInterrupted(
            f"interrupted with {finished[1]} of {epochs} epochs done"
        )
        interruption.result = result()
        raise interruption from None
    return result()


@_check.suggest_keywords
def evaluate(
    network: LayeredNetwork,
    readout: Any,
    features: Any,
    labels: Any,
    *,
    encoder: Any = None,
    seed: Any = None,
) -> float:
    """Return the share of samples that a network classifies right.

    Parameters
    ----------
    network : LayeredNetwork
        What to run.
    readout : Readout or None
        How its output is turned into decisions; None for the usual one of the output layer.
    features : array_like, shape (n_samples, n_features)
        Samples.
    labels : array_like of int, shape (n_samples,)
        Their classes.
    encoder : Encoder, optional
        Fitted already; by default :class:`~spikesim.encoding.Analog`.
    seed : int, SeedSequence or Generator, optional
        Source of the spikes of a stochastic encoder.
    """
    _check.instance("evaluate.network", network, LayeredNetwork, "a LayeredNetwork")
    if readout is None:
        readout = default_readout(network.layers[-1])
    if isinstance(readout, type) or not hasattr(readout, "decide"):
        raise ParameterTypeError(f"evaluate.readout must be a readout, got {readout!r}")
    readout.check(network.layers[-1])
    encoder = checked_encoder("evaluate.encoder", encoder)
    return _accuracy("evaluate", network, readout, features, labels, encoder, seed)


def _accuracy(
    name: str,
    network: LayeredNetwork,
    readout: Any,
    features: Any,
    labels: Any,
    encoder: Any,
    seed: Any,
) -> float:
    decisions = _predict(name, network, readout, features, encoder, seed)
    classes = checked_labels(f"{name}.labels", labels, len(decisions), network)
    return float(np.mean(decisions == classes))


def _predict(
    name: str, network: LayeredNetwork, readout: Any, features: Any, encoder: Any, seed: Any
) -> np.ndarray:
    scores = _scores(name, network, readout, features, encoder, seed)
    return readout.decide(scores, network.layers[-1])


def _scores(
    name: str, network: LayeredNetwork, readout: Any, features: Any, encoder: Any, seed: Any
) -> np.ndarray:
    table = checked_features(f"{name}.features", features)
    rng = np.random.default_rng(_copied(_check.seed_sequence(f"{name}.seed", seed)))
    x = encoded(f"{name}.features", encoder, table, network, rng)
    trace = run(network, x)[-1]
    return readout.scores(trace, network.layers[-1], network.dt)


def _batch(
    x: np.ndarray, classes: np.ndarray, order: np.ndarray | None, start: int, stop: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return input and labels of one batch, C-contiguous."""
    if order is not None:
        chosen = order[start:stop]
        return x.take(chosen, axis=1), classes[chosen]
    if start == 0 and stop >= len(classes):
        return x, classes
    return np.ascontiguousarray(x[:, start:stop]), classes[start:stop]


def _readout(rule: Any, network: LayeredNetwork) -> Any:
    readout = getattr(rule, "readout", None)
    return default_readout(network.layers[-1]) if readout is None else readout


def _streams(sequence: np.random.SeedSequence) -> list[np.random.SeedSequence]:
    """Return the streams for the order, the encoder in training and in evaluation."""
    return _copied(sequence).spawn(3)


def _copied(sequence: np.random.SeedSequence) -> np.random.SeedSequence:
    """Return an equal sequence that has spawned no children yet."""
    return np.random.SeedSequence(
        sequence.entropy, spawn_key=sequence.spawn_key, pool_size=sequence.pool_size
    )
