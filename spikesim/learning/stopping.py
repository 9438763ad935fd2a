"""When to end a training early."""

from __future__ import annotations

import math
from dataclasses import dataclass

from spikesim import _check
from spikesim.learning.history import History

__all__ = ["EarlyStopping"]


@_check.suggest_keywords
@dataclass(frozen=True)
class EarlyStopping:
    """Stop when the validation has not become better for a while, for ``fit(until=...)``.

    An epoch is the best so far if its value is better than that of the best before by more than
    `min_change`. Training stops `patience` epochs after the best one.

    Parameters
    ----------
    patience : int, default 20
        Epochs without a better one, at least 1.
    monitor : {"loss", "accuracy"}, default "loss"
        What of the validation set is watched.
    min_change : float, default 0
        Least change that counts, at least 0.
    restore_best : bool, default True
        Whether the result has the weights of the best epoch, or those of the last. It is so
        however the training ends. In :func:`~spikesim.learning.partial_fit` the best so far
        stays the best. Of epochs without early stopping only the last has its weights kept: it
        alone of them can be the best to hand back.

    References
    ----------
    Prechelt 1998, in Neural Networks: Tricks of the Trade, Springer, p. 55.
    """

    patience: int = 20
    monitor: str = "loss"
    min_change: float = 0.0
    restore_best: bool = True

    def __post_init__(self) -> None:
        _check.integer("EarlyStopping.patience", self.patience, minimum=1)
        _check.choice("EarlyStopping.monitor", self.monitor, ("loss", "accuracy"))
        _check.non_negative("EarlyStopping.min_change", self.min_change)
        _check.boolean("EarlyStopping.restore_best", self.restore_best)

    def __call__(self, history: History) -> bool:
        """Return whether to stop after the last epoch of `history`."""
        return history.n_epochs - 1 - self.best_epoch(history) >= self.patience

    def best_epoch(self, history: History) -> int:
        """Return the best epoch of a history that has at least one, with validation."""
        values, best = self._values(history), 0
        for epoch in range(1, len(values)):
            if self._less(values[epoch], values[best]):
                best = epoch
        return best

    def is_better(self, history: History, epoch: int, other: int) -> bool:
        """Return whether an epoch of a history with validation is better than another."""
        values = self._values(history)
        return self._less(values[epoch], values[other])

    def _values(self, history: History) -> list[float]:
        """Return what is watched, small where it is good."""
        values, sign = history.validation_loss, 1.0
        if self.monitor == "accuracy":
            values, sign = history.validation_accuracy, -1.0
        if values is None:
            raise _check.ParameterError("EarlyStopping needs a history with validation")
        return (sign * values).tolist()

    def _less(self, value: float, other: float) -> bool:
        return value < (math.inf if math.isnan(other) else other - self.min_change)
