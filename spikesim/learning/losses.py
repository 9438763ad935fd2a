r"""Losses: what a wrong answer costs, and its derivative by the scores.

A network with one output unit tells class 1 from class 0; one with K > 1 outputs has one for
each class. Mean absolute and mean squared errors compare scores y with targets t, a low one and
a high one that the readout names (0 and 1 for logistic units, -1 and +1 for tanh); the output of
the right class aims high, the others low. Several outputs are summed.

:class:`SquaredError` is for regression: it is given numbers to come close to in place of classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

from spikesim import _check

__all__ = ["MAE", "MSE", "CrossEntropy", "Loss", "SquaredError", "target_values"]


class Loss(Protocol):
    """What every loss does."""

    def value_and_grad(
        self,
        scores: np.ndarray,
        labels: np.ndarray,
        n_outputs: int,
        *,
        targets: tuple[float, float] = (0.0, 1.0),
        threshold: float = 0.0,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the loss of each trial and its derivative by each score.

        Parameters
        ----------
        scores : ndarray, shape (n_trials, n_outputs)
            What the readout made of the output.
        labels : ndarray of int64, shape (n_trials,)
            Right class of each trial; for a loss whose `real_targets` is True an ndarray of
            float64, shape (n_trials, n_outputs).
        n_outputs : int
            Number of output units.
        targets : tuple of float, default (0, 1)
            Low and high target, for losses that compare scores with targets.
        threshold : float, default 0
            Score at which a single output is undecided, for losses of probabilities.

        Returns
        -------
        losses : ndarray, shape (n_trials,)
        grad : ndarray, shape (n_trials, n_outputs)
            Derivative of the loss of a trial by its own scores, not divided by n_trials.
        """
        ...


@_check.suggest_keywords
@dataclass(frozen=True)
class MAE:
    r"""Absolute error, :math:`|y - t|`, with derivative sgn(y - t) and sgn(0) = 0."""

    def value_and_grad(
        self,
        scores: np.ndarray,
        labels: np.ndarray,
        n_outputs: int,
        *,
        targets: tuple[float, float] = (0.0, 1.0),
        threshold: float = 0.0,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return losses and gradient, see :class:`Loss`."""
        error = scores - target_values(labels, n_outputs, targets)
        return np.abs(error).sum(axis=1), np.sign(error)


@_check.suggest_keywords
@dataclass(frozen=True)
class MSE:
    r"""Half the squared error, :math:`\tfrac12 (y - t)^2`, with derivative y - t."""

    def value_and_grad(
        self,
        scores: np.ndarray,
        labels: np.ndarray,
        n_outputs: int,
        *,
        targets: tuple[float, float] = (0.0, 1.0),
        threshold: float = 0.0,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return losses and gradient, see :class:`Loss`."""
        error = scores - target_values(labels, n_outputs, targets)
        return 0.5 * (error * error).sum(axis=1), error


@_check.suggest_keywords
@dataclass(frozen=True)
class SquaredError:
    r"""Half the squared error of real targets, :math:`\tfrac12 \sum_k (y_k - t_k)^2`.

    The labels of a trial are the numbers :math:`t_k` that the scores are to come close to, one for
    each output unit, in the unit of the scores.
    """

    real_targets: ClassVar[bool] = True

    def value_and_grad(
        self,
        scores: np.ndarray,
        labels: np.ndarray,
        n_outputs: int,
        *,
        targets: tuple[float, float] = (0.0, 1.0),
        threshold: float = 0.0,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return losses and gradient, see :class:`Loss`; `targets` of classes play no part."""
        error = scores - labels
        return 0.5 * (error * error).sum(axis=1), error


@_check.suggest_keywords
@dataclass(frozen=True)
class CrossEntropy:
    r"""Cross-entropy: minus the log of the probability given to the right class.

    Three cases, each the usual one for its kind of output:

    * scores of one output (counts, potentials): :math:`p(1) = \sigma(s\,(y - y_0))` with
      :math:`y_0` the threshold of the readout;
    * scores of K outputs: softmax, :math:`p_c = e^{s y_c} / \sum_j e^{s y_j}`;
    * logistic units read by their mean output: the output is itself the probability, of class 1
      for one unit, of "my class or not" for each of several units, whose losses are summed.
      It is worked out from the logarithm of the output (:meth:`of_logistic_units`), so that a
      saturated unit that is wrong still gets its full gradient.

    Parameters
    ----------
    scale : float, default 1
        Factor s > 0 of scores in the first two cases; per spike, per mV or per ms, as the
        readout has it.
    """

    scale: float = 1.0

    def __post_init__(self) -> None:
        _check.positive("CrossEntropy.scale", self.scale)

    def value_and_grad(
        self,
        scores: np.ndarray,
        labels: np.ndarray,
        n_outputs: int,
        *,
        targets: tuple[float, float] = (0.0, 1.0),
        threshold: float = 0.0,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return losses and gradient, see :class:`Loss`."""
        if n_outputs == 1:
            logit = self.scale * (scores[:, 0] - threshold)
            sign = np.where(labels == 1, -1.0, 1.0)
            losses = np.logaddexp(0.0, sign * logit)
            grad = sign * np.exp(sign * logit - losses)
            return losses, self.scale * grad[:, None]
        logits = self.scale * scores
        logits = logits - logits.max(axis=1, keepdims=True)
        weight = np.exp(logits)
        total = weight.sum(axis=1, keepdims=True)
        rows = np.arange(len(labels))
        losses = np.log(total[:, 0]) - logits[rows, labels]
        grad = weight / total
        grad[rows, labels] -= 1.0
        return losses, self.scale * grad

    def of_logistic_units(self, u: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        r"""Return losses and their derivative by u of logistic units, :math:`y = \sigma(u)`.

        The probability is the mean output over the steps, :math:`p = \frac1T \sum_k y_k`. For
        t = 1 the derivative is :math:`-(1 - y_k)\, y_k / \sum_j y_j`, for t = 0 the same with
        u reversed; for a single step both are the familiar y - t.

        Parameters
        ----------
        u : ndarray, shape (n_steps, n_trials, n_outputs)
            Argument of the logistic function.
        labels : ndarray of int64, shape (n_trials,)
            Right class of each trial.

        Returns
        -------
        losses : ndarray, shape (n_trials,)
        grad_u : ndarray, shape (n_steps, n_trials, n_outputs)
        """
        sign = 1.0 - 2.0 * target_values(labels, u.shape[2], (0.0, 1.0))
        wrong = sign * u
        log_right = -np.logaddexp(0.0, wrong)
        if len(u) == 1:
            return -log_right[0].sum(axis=1), sign * np.exp(wrong + log_right)
        log_sum = np.logaddexp.reduce(log_right, axis=0)
        losses = (np.log(len(u)) - log_sum).sum(axis=1)
        return losses, sign * np.exp(wrong + 2.0 * log_right - log_sum)


def target_values(labels: np.ndarray, n_outputs: int, targets: tuple[float, float]) -> np.ndarray:
    """Return the target of each output in each trial, shape (n_trials, n_outputs)."""
    low, high = targets
    if n_outputs == 1:
        return np.where(labels == 1, high, low)[:, None]
    values = np.full((len(labels), n_outputs), low)
    values[np.arange(len(labels)), labels] = high
    return values
