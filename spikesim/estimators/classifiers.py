"""Classifiers: spiking, of rate units, of threshold units."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from spikesim import _check
from spikesim.encoding import Standardised
from spikesim.errors import ParameterError
from spikesim.estimators.base import NetworkEstimator, hidden_sizes
from spikesim.estimators.spiking import (
    default_encoder,
    default_neuron,
    default_synapse,
    spiking_network,
)
from spikesim.layered import LayeredNetwork, dense
from spikesim.learning import (
    Adam,
    Backprop,
    Committee,
    CrossEntropy,
    MeanMembrane,
    Perceptron,
    RateOutput,
    SpikeCount,
    committee_network,
)
from spikesim.neurons import Sigmoid, Step, Tanh

__all__ = ["RateClassifier", "SpikingClassifier", "ThresholdClassifier"]


def _has_probabilities(estimator: Any) -> bool:
    rule = estimator.rule_ if hasattr(estimator, "result_") else estimator.rule
    return rule is None or isinstance(getattr(rule, "loss", None), CrossEntropy)


class _NetworkClassifier(ClassifierMixin, NetworkEstimator):
    """Classes in, classes out."""

    # Whether two classes share one output unit.
    _single_output = False

    def fit(self, X: Any, y: Any) -> Any:
        """Train a new network.

        Parameters
        ----------
        X : array_like, shape (n_samples, n_features)
            Training samples.
        y : array_like, shape (n_samples,)
            Their classes, numbers or texts, at least two different ones.

        Returns
        -------
        self
        """
        X, y = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(y)
        self.classes_, labels = self._at_least_two(*np.unique(y, return_inverse=True))
        labels = labels.astype(np.int64)
        self._fit(X, labels, self._n_outputs(), self.epochs, **self._fit_keywords())
        return self

    def partial_fit(self, X: Any, y: Any, classes: Any = None) -> Any:
        """Train for one epoch of the samples given, from where the training stands.

        The first call makes network, rule and encoder, which learns the range of the features
        from its samples; parameters that are set later are for :meth:`fit`, which starts anew.

        Parameters
        ----------
        X : array_like, shape (n_samples, n_features)
            Samples.
        y : array_like, shape (n_samples,)
            Their classes.
        classes : array_like, optional
            All classes that any call will see; needed in the first call, unless :meth:`fit`
            came before.

        Returns
        -------
        self
        """
        first = not hasattr(self, "result_")
        X, y = validate_data(self, X, y, dtype=np.float64, reset=first)
        check_classification_targets(y)
        name = f"{type(self).__name__}.partial_fit"
        if first:
            if classes is None:
                raise ParameterError(f"{name}: classes must be given in the first call")
            known, _ = self._at_least_two(np.unique(classes), None)
        else:
            known = self.classes_
            if classes is not None and not np.array_equal(np.unique(classes), known):
                raise ParameterError(f"{name}: classes must be those of the first call, {known}")
        labels = np.minimum(np.searchsorted(known, y), len(known) - 1)
        other = known[labels] != y
        if np.any(other):
            raise ParameterError(f"{name}: y holds {y[other][0]!r}, which is none of the classes")
        labels = labels.astype(np.int64)
        if first:
            self.classes_ = known
            self._fit(X, labels, self._n_outputs(), 1)
        else:
            self._fit_further(X, labels)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return the class of each sample, shape (n_samples,).

        Parameters
        ----------
        X : array_like, shape (n_samples, n_features)
            Samples.
        """
        scores = self._scores(X)
        return self.classes_[self.result_.readout.decide(scores, self.network_.layers[-1])]

    def decision_function(self, X: Any) -> np.ndarray:
        """Return how much speaks for each class, in the unit of the readout.

        Parameters
        ----------
        X : array_like, shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray, shape (n_samples,) for two classes, else (n_samples, n_classes)
            For two classes, positive values speak for the second.
        """
        scores = self._scores(X)
        if scores.shape[1] == 1:
            return scores[:, 0] - self.result_.readout.threshold_of(self.network_.layers[-1])
        return scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores

    def _n_outputs(self) -> int:
        return 1 if self._single_output and len(self.classes_) == 2 else len(self.classes_)

    def _fit_keywords(self) -> dict[str, Any]:
        return {}

    def _at_least_two(self, classes: np.ndarray, labels: Any) -> tuple[np.ndarray, Any]:
        if len(classes) < 2:
            raise ParameterError(
                f"{type(self).__name__} needs samples of at least two classes, got one class: "
                f"{classes}"
            )
        return classes, labels


class _Probabilities(_NetworkClassifier):
    """Classifiers whose default rule descends the cross-entropy."""

    @available_if(_has_probabilities)
    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of each class, as the cross-entropy has it.

        Only rules whose loss is the cross-entropy have it. Like those of other networks, these
        probabilities are not calibrated.

        Parameters
        ----------
        X : array_like, shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray, shape (n_samples, n_classes)
            In the order of `classes_`.
        """
        scores = self._scores(X)
        layer = self.network_.layers[-1]
        if isinstance(self.result_.readout, RateOutput) and isinstance(layer.neuron, Sigmoid):
            if scores.shape[1] == 1:
                return np.hstack([1.0 - scores, scores])
            # Each unit has a probability of its own; those of all classes must sum to one.
            total = scores.sum(axis=1, keepdims=True)
            share = np.full_like(scores, 1.0 / scores.shape[1])
            return np.divide(scores, total, out=share, where=total > 0.0)
        scores = self.rule_.loss.scale * scores
        weight = np.exp(scores - scores.max(axis=1, keepdims=True))
        return weight / weight.sum(axis=1, keepdims=True)


@_check.suggest_keywords
class SpikingClassifier(_Probabilities):
    """A network of leaky integrate-and-fire neurons, trained through its spikes.

    Features become spikes (by default Gaussian fields within the range of each feature, each
    with a spike that comes the earlier the better it fits, so that features need no scaling),
    these drive hidden LIF neurons, and each class has an integrator whose mean potential is its
    score. Surrogate gradients of the cross-entropy train all layers.

    Parameters
    ----------
    hidden_layer_sizes : int or tuple of int, default (64,)
        Neurons of each hidden layer.
    encoder : Encoder, optional
        How features become spikes; by default
        ``PopulationEncoder(n_fields=3, duration=20, t_max=12)``. For features that are spikes
        already :class:`~spikesim.encoding.SpikeTrains`.
    neuron : LIF, optional
        The hidden neurons; by default ``LIF.normalised(tau_m=10)``.
    synapse : Delta or Exponential, optional
        The synapses; by default ``Exponential(5)``.
    recurrent : bool, default False
        Connect the neurons within each hidden layer.
    spiking_output : bool, default False
        Output neurons like the hidden ones, and the number of their spikes as score.
    rule : LearningRule, optional
        How to learn; by default :class:`~spikesim.learning.Backprop` of the cross-entropy with
        :class:`~spikesim.learning.Adam`.
    learning_rate : float, optional
        Step of the default rule; 0.01 by default.
    epochs : int, default 30
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
    classes_ : ndarray, shape (n_classes,)
        The classes.
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

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from spikesim import SpikingClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> SpikingClassifier(random_state=0).fit(X[::2], y[::2]).score(X[1::2], y[1::2]) > 0.9
    True
    """

    def __init__(
        self,
        hidden_layer_sizes: Any = (64,),
        *,
        encoder: Any = None,
        neuron: Any = None,
        synapse: Any = None,
        recurrent: bool = False,
        spiking_output: bool = False,
        rule: Any = None,
        learning_rate: float | None = None,
        epochs: int = 30,
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
        self.spiking_output = spiking_output
        self.rule = rule
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.batch_size = batch_size
        self.gain = gain
        self.dt = dt
        self.random_state = random_state
        self.verbose = verbose

    def _default_of(self, name: str) -> Any:
        makers = {
            "encoder": default_encoder,
            "neuron": default_neuron,
            "synapse": default_synapse,
        }
        return makers[name]() if name in makers else None

    def _made_rule(self) -> Any:
        readout = SpikeCount() if self.spiking_output else MeanMembrane()
        scale = 1.0 if self.spiking_output else 3.0
        return Backprop(CrossEntropy(scale), Adam(self._rate(0.01)), readout)

    def _made_network(self, n_inputs: int, n_outputs: int, rng: Any) -> LayeredNetwork:
        return spiking_network(self, n_inputs, n_outputs, rng, spiking=self.spiking_output)


@_check.suggest_keywords
class RateClassifier(_Probabilities):
    """A network of rate units, trained by backpropagation.

    Output units are logistic: one for two classes, else one for each class.

    Parameters
    ----------
    hidden_layer_sizes : int or tuple of int, default (64,)
        Units of each hidden layer.
    encoder : Encoder, optional
        How features become input; by default :class:`~spikesim.encoding.Standardised`, so that
        they need no scaling. :class:`~spikesim.encoding.Analog` takes them as they are.
    neuron : Tanh, Sigmoid, ReLU or Step, optional
        The hidden units; by default ``Tanh()``.
    rule : LearningRule, optional
        How to learn; by default :class:`~spikesim.learning.Backprop` of the cross-entropy with
        :class:`~spikesim.learning.Adam`.
    learning_rate : float, optional
        Step of the default rule; 0.01 by default.
    epochs : int, default 50
        Passes through the training samples.
    batch_size : int or None, default 32
        Samples for each update; None for all.
    gain : float, default 1
        Scale of the initial weights.
    random_state : int, RandomState or None, default None
        Source of initial weights and order of samples.
    verbose : bool, default False
        Show the progress of the training.

    Attributes
    ----------
    classes_ : ndarray, shape (n_classes,)
        The classes.
    result_ : FitResult
        All that was learnt, as :func:`~spikesim.fit` returns it.
    network_ : LayeredNetwork
        The trained network.
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

    _single_output = True

    def __init__(
        self,
        hidden_layer_sizes: Any = (64,),
        *,
        encoder: Any = None,
        neuron: Any = None,
        rule: Any = None,
        learning_rate: float | None = None,
        epochs: int = 50,
        batch_size: int | None = 32,
        gain: float = 1.0,
        random_state: Any = None,
        verbose: bool = False,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.encoder = encoder
        self.neuron = neuron
        self.rule = rule
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.batch_size = batch_size
        self.gain = gain
        self.random_state = random_state
        self.verbose = verbose

    def _default_of(self, name: str) -> Any:
        makers = {"encoder": Standardised, "neuron": Tanh}
        return makers[name]() if name in makers else None

    def _made_rule(self) -> Any:
        return Backprop(CrossEntropy(), Adam(self._rate(0.01)))

    def _made_network(self, n_inputs: int, n_outputs: int, rng: Any) -> LayeredNetwork:
        name = type(self).__name__
        sizes = hidden_sizes(f"{name}.hidden_layer_sizes", self.hidden_layer_sizes)
        gain = _check.non_negative(f"{name}.gain", self.gain)
        neuron = self._value_of("neuron")
        return dense([n_inputs, *sizes, n_outputs], neuron, output=Sigmoid(), gain=gain, rng=rng)


@_check.suggest_keywords
class ThresholdClassifier(_NetworkClassifier):
    """Threshold units that learn from their errors alone, without any gradient.

    With a committee of one, each unit is a perceptron: one for two classes, else one for each
    class against the rest. Larger committees vote, and tell apart what no plane separates.

    Parameters
    ----------
    committee_size : int, default 1
        Units that vote on each class; an odd number has no ties.
    encoder : Encoder, optional
        How features become input; by default :class:`~spikesim.encoding.Standardised`, so that
        they need no scaling. :class:`~spikesim.encoding.Analog` takes them as they are.
    rule : LearningRule, optional
        How to learn; by default :class:`~spikesim.learning.Perceptron`, or
        :class:`~spikesim.learning.Committee` for a committee of more than one.
    learning_rate : float, optional
        Step of the default rule; by default 0.1, and 1 for committees.
    epochs : int, default 100
        Passes through the training samples at most; training ends when every sample has been
        right for five of them.
    batch_size : int or None, default None
        Samples for each update; the rules here learn from one sample after another, whatever it
        is.
    gain : float, default 1
        Scale of the initial weights.
    random_state : int, RandomState or None, default None
        Source of initial weights and order of samples.
    verbose : bool, default False
        Show the progress of the training.

    Attributes
    ----------
    classes_ : ndarray, shape (n_classes,)
        The classes.
    result_ : FitResult
        All that was learnt, as :func:`~spikesim.fit` returns it.
    network_ : LayeredNetwork
        The trained network.
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

    _single_output = True

    def __init__(
        self,
        committee_size: int = 1,
        *,
        encoder: Any = None,
        rule: Any = None,
        learning_rate: float | None = None,
        epochs: int = 100,
        batch_size: int | None = None,
        gain: float = 1.0,
        random_state: Any = None,
        verbose: bool = False,
    ):
        self.committee_size = committee_size
        self.encoder = encoder
        self.rule = rule
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.batch_size = batch_size
        self.gain = gain
        self.random_state = random_state
        self.verbose = verbose

    def _default_of(self, name: str) -> Any:
        return Standardised() if name == "encoder" else None

    def _fit_keywords(self) -> dict[str, Any]:
        return {"until": "solved", "patience": 5}

    def _n_units(self) -> int:
        name = "ThresholdClassifier.committee_size"
        return _check.integer(name, self.committee_size, minimum=1)

    def _made_rule(self) -> Any:
        if self._n_units() == 1:
            return Perceptron(self._rate(0.1))
        return Committee(self._rate(1.0))

    def _made_network(self, n_inputs: int, n_outputs: int, rng: Any) -> LayeredNetwork:
        gain = _check.non_negative("ThresholdClassifier.gain", self.gain)
        n_units = self._n_units()
        if n_units == 1:
            return dense([n_inputs, n_outputs], Step(), gain=gain, rng=rng)
        return committee_network(
            n_inputs, n_units, n_outputs, Step(), gain=gain, bias_sd=gain, rng=rng
        )
