"""A spiking network that predicts numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import RegressorMixin

from spikesim import _check
from spikesim.errors import ParameterError
from spikesim.estimators.base import NetworkEstimator
from spikesim.estimators.parameters import checked_data
from spikesim.estimators.spiking import (
    default_encoder,
    default_neuron,
    default_synapse,
    spiking_network,
)
from spikesim.layered import LayeredNetwork
from spikesim.learning import Adam, Backprop, MeanMembrane, SquaredError

__all__ = ["SpikingRegressor"]


@_check.suggest_keywords
class SpikingRegressor(RegressorMixin, NetworkEstimator):
    """A network of leaky integrate-and-fire neurons that predicts one or several numbers.

    As :class:`SpikingClassifier`, with an integrator for each number, whose mean potential is to
    come close to it. Targets are standardised for the training.

    Parameters
    ----------
    hidden_layer_sizes : int or tuple of int, default (64,)
        Neurons of each hidden layer.
    encoder : Encoder, optional
        How features become spikes; by default
        ``PopulationEncoder(n_fields=3, duration=20, t_max=12)``.
    neuron : LIF or AdaptiveLIF, optional
        The hidden neurons; by default ``LIF.normalised(tau_m=10)``. A parameter may have one
        value a neuron, or be a distribution, as in :class:`SpikingClassifier`.
    synapse : Delta or Exponential, optional
        The synapses; by default ``Exponential(5)``.
    recurrent : bool, default False
        Connect the neurons within each hidden layer.
    rule : LearningRule, optional
        How to learn, a rule of real targets; by default
        :class:`~spikesim.learning.Backprop` of the squared error with
        :class:`~spikesim.learning.Adam`.
    learning_rate : float, optional
        Step of the default rule; 0.01 by default.
    epochs : int, default 50
        Passes through the training samples.
    batch_size : int or None, default 32
        Samples for each update; None for all.
    gain : float, default 3
        Scale of the initial weights.
    dt : float, default 1
        Time step (ms).
    random_state : int, RandomState or None, default None
        Source of initial weights, order of samples and random codes.
    verbose : bool, default False
        Show the progress of the training.

    Attributes
    ----------
    target_mean_, target_scale_ : ndarray, shape (n_outputs,)
        Mean and standard deviation of the training targets (1 for one that never varied).
    result_ : FitResult
        All that was learnt, as :func:`~spikesim.fit` returns it.
    network_ : LayeredNetwork
        The trained network.
    encoder_ : Encoder
        Fitted to the training samples.
    rule_ : LearningRule
        The rule that was used.
    history_ : History
        The course of the training.
    n_iter_ : int
        Epochs that were run.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of str
        Their names, where the samples had some.
    """

    def __init__(
        self,
        hidden_layer_sizes: Any = (64,),
        *,
        encoder: Any = None,
        neuron: Any = None,
        synapse: Any = None,
        recurrent: bool = False,
        rule: Any = None,
        learning_rate: float | None = None,
        epochs: int = 50,
        batch_size: int | None = 32,
        gain: float = 3.0,
        dt: float = 1.0,
        random_state: Any = None,
        verbose: bool = False,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.encoder = encoder
        self.neuron = neuron
        self.synapse = synapse
        self.recurrent = recurrent
        self.rule = rule
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.batch_size = batch_size
        self.gain = gain
        self.dt = dt
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any) -> Any:
        """Train a new network.

        Parameters
        ----------
        X : array_like, shape (n_samples, n_features)
            Training samples.
        y : array_like, shape (n_samples,) or (n_samples, n_outputs)
            What to predict.

        Returns
        -------
        self
        """
        X, y = checked_data(self, X, y, y_numeric=True, multi_output=True)
        targets = self._standardised(y)
        self._fit(X, targets, targets.shape[1], self.epochs)
        return self

    def partial_fit(self, X: Any, y: Any) -> Any:
        """Train for one epoch of the samples given, from where the training stands.

        The range of the features and the mean and scale of the targets are those of the first
        call.

        Parameters
        ----------
        X : array_like, shape (n_samples, n_features)
            Samples.
        y : array_like, shape (n_samples,) or (n_samples, n_outputs)
            What to predict.

        Returns
        -------
        self
        """
        first = not hasattr(self, "result_")
        X, y = checked_data(self, X, y, y_numeric=True, multi_output=True, reset=first)
        targets = self._standardised(y, new=first)
        if first:
            self._fit(X, targets, targets.shape[1], 1)
        else:
            self._fit_further(X, targets)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return the prediction for each sample, of the shape that the targets had.

        Parameters
        ----------
        X : array_like, shape (n_samples, n_features)
            Samples.
        """
        values = self._scores(X) * self.target_scale_ + self.target_mean_
        return values[:, 0] if self._flat else values

    def __sklearn_tags__(self) -> Any:
        """Say that several targets may be given."""
        tags = super().__sklearn_tags__()
        tags.target_tags.single_output = True
        tags.target_tags.multi_output = True
        return tags

    def _standardised(self, y: Any, new: bool = True) -> np.ndarray:
        """Return targets of mean 0 and standard deviation 1, in two dimensions."""
        y = np.asarray(y, dtype=np.float64)
        table = y.reshape(len(y), -1)
        if new:
            with np.errstate(over="ignore", invalid="ignore"):
                mean, scale = table.mean(axis=0), table.std(axis=0)
            if not (np.all(np.isfinite(mean)) and np.all(np.isfinite(scale))):
                raise ParameterError(
                    "SpikingRegressor: y holds targets too large for their standard deviation to "
                    "be a number; scale them down"
                )
            self.target_mean_ = mean
            self.target_scale_ = np.where(scale > 0.0, scale, 1.0)
            self._flat = y.ndim == 1
        elif table.shape[1] != len(self.target_mean_):
            raise ParameterError(
                f"SpikingRegressor.partial_fit: y has {table.shape[1]} targets, the first call "
                f"had {len(self.target_mean_)}"
            )
        return (table - self.target_mean_) / self.target_scale_

    def _default_of(self, name: str) -> Any:
        makers = {
            "encoder": default_encoder,
            "neuron": default_neuron,
            "synapse": default_synapse,
        }
        return makers[name]() if name in makers else None

    def _chosen_rule(self) -> Any:
        rule = super()._chosen_rule()
        if not getattr(rule, "real_targets", False):
            raise ParameterError(
                "SpikingRegressor.rule must learn real targets, as Backprop(SquaredError()) does, "
                f"got {rule!r}"
            )
        return rule

    def _made_rule(self) -> Any:
        return Backprop(SquaredError(), Adam(self._rate(0.01)), MeanMembrane())

    def _made_network(self, n_inputs: int, n_outputs: int, rng: Any) -> LayeredNetwork:
        return spiking_network(self, n_inputs, n_outputs, rng, spiking=False)
