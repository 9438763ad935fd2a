"""The course of a training run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikesim.learning.diagnosis import Diagnosis, LayerHistory

__all__ = ["History", "Log"]


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
    validation_loss : ndarray, shape (n_epochs,), or None
        Mean loss of the validation set after each epoch, without what a rule adds to its loss;
        for rules without a loss the share of errors.
    """

    loss: np.ndarray
    accuracy: np.ndarray
    seconds: np.ndarray
    spikes_per_trial: np.ndarray
    layers: list[LayerHistory]
    validation_accuracy: np.ndarray | None = None
    validation_loss: np.ndarray | None = None

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


class Log:
    """What becomes a :class:`History`, while it grows.

    Parameters
    ----------
    diagnosis : Diagnosis
        Has what each layer did.
    validated : bool
        Whether each epoch ends with a validation.
    history : History, optional
        The epochs before.
    """

    def __init__(self, diagnosis: Diagnosis, validated: bool, history: History | None = None):
        self._diagnosis = diagnosis
        self._rows: list[tuple[float, float, float, float]] = []
        self._validated: list[tuple[float, float]] | None = [] if validated else None
        if history is not None:
            h = history
            columns = h.loss, h.accuracy, h.seconds, h.spikes_per_trial
            self._rows += zip(*(column.tolist() for column in columns), strict=True)
            if self._validated is not None and h.n_epochs:
                assert h.validation_accuracy is not None and h.validation_loss is not None
                both = h.validation_accuracy.tolist(), h.validation_loss.tolist()
                self._validated += zip(*both, strict=True)

    def add(self, loss: float, accuracy: float, seconds: float, spikes_per_trial: float) -> None:
        """Take in an epoch."""
        self._rows.append((loss, accuracy, seconds, spikes_per_trial))

    def add_validation(self, accuracy: float, loss: float) -> None:
        """Take in the validation after it."""
        assert self._validated is not None
        self._validated.append((accuracy, loss))

    def history(self, n_epochs: int) -> History:
        """Return the course of the first `n_epochs` epochs."""
        loss, accuracy, seconds, spikes = np.array(self._rows[:n_epochs]).reshape(-1, 4).T.copy()
        layers = self._diagnosis.histories(n_epochs)
        if self._validated is None:
            return History(loss, accuracy, seconds, spikes, layers)
        validated = np.array(self._validated[:n_epochs]).reshape(-1, 2).T.copy()
        return History(loss, accuracy, seconds, spikes, layers, *validated)
