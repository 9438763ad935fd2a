"""Classifiers: spiking, of rate units, of threshold units."""

from __future__ import annotations

from typing import Any

from spikesim import _check
from spikesim.encoding import Standardised
from spikesim.estimators.base import hidden_sizes
from spikesim.estimators.classes import NetworkClassifier, ProbabilisticClassifier
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
    SpikeCount,
    committee_network,
)
from spikesim.neurons import ReLU, Sigmoid, Step, Tanh

__all__ = ["RateClassifier", "SpikingClassifier", "ThresholdClassifier"]


@_check.suggest_keywords
class SpikingClassifier(ProbabilisticClassifier):
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
    neuron : LIF or AdaptiveLIF, optional
        The hidden neurons; by default ``LIF.normalised(tau_m=10)``. A parameter with one value a
        neuron is that of each hidden layer, and of a distribution each layer draws its own;
        integrators at the output then have the mean `tau_m`, or a drawn one each.
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
        spiking = _check.boolean(f"{type(self).__name__}.spiking_output", self.spiking_output)
        return spiking_network(self, n_inputs, n_outputs, rng, spiking=spiking)


@_check.suggest_keywords
class RateClassifier(ProbabilisticClassifier):
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
        kinds, wanted = (Tanh, Sigmoid, ReLU, Step), "Tanh, Sigmoid, ReLU or Step"
        neuron = _check.instance(f"{name}.neuron", self._value_of("neuron"), kinds, wanted)
        return dense([n_inputs, *sizes, n_outputs], neuron, output=Sigmoid(), gain=gain, rng=rng)


@_check.suggest_keywords
class ThresholdClassifier(NetworkClassifier):
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
