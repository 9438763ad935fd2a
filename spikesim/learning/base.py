"""What every learning rule is: a frozen set of hyperparameters with `init` and `step`."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np

from spikesim.layered.network import LayeredNetwork

__all__ = ["LearningRule", "Metrics"]


class Metrics(NamedTuple):
    """What a rule reports of one batch, measured before the weights changed.

    Attributes
    ----------
    loss : float
        Sum of the losses of the trials; for local rules the number of errors.
    n_correct : int
        Trials classified right; NaN where a rule learns real targets.
    n_trials : int
        Trials in the batch.
    update_norms : tuple of float
        For each layer the Euclidean norm of the gradient, or of the weight change for rules
        that have no gradient; 0 for a layer that is not trained.
    traces : tuple
        The traces of all layers, for the diagnosis.
    angles : tuple of float, optional
        For each layer the angle (degrees) between the weight change and the true gradient, NaN
        where one of both is zero; empty unless the rule records it.
    """

    loss: float
    n_correct: float
    n_trials: int
    update_norms: tuple[float, ...]
    traces: tuple[Any, ...]
    angles: tuple[float, ...] = ()


class LearningRule(Protocol):
    """A pure training step.

    Implementations are frozen dataclasses. Their docstring gives the weight change as an
    equation and says what each synapse must know.

    Attributes
    ----------
    readout : Readout
        How the output of the network is turned into scores and decisions.
    """

    @property
    def readout(self) -> Any:
        """How the output is turned into scores and decisions."""
        ...

    def init(self, network: LayeredNetwork) -> Any:
        """Check that the rule can train `network`; return its initial state (or None)."""
        ...

    def step(
        self, network: LayeredNetwork, state: Any, x: np.ndarray, labels: np.ndarray
    ) -> tuple[LayeredNetwork, Any, Metrics]:
        """Learn from one batch.

        Parameters
        ----------
        network : LayeredNetwork
            Never modified.
        state : object
            What :meth:`init` or the previous call returned.
        x : ndarray, shape (n_steps, n_trials, n_inputs)
            Encoded inputs.
        labels : ndarray of int64, shape (n_trials,)
            Class of each trial, from 0. A rule that has an attribute `real_targets` that is True
            takes targets instead, an ndarray of float64, shape (n_trials, n_outputs).
        """
        ...
