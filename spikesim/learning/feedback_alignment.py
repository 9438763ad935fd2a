"""Feedback alignment: errors go back by fixed random weights, layer by layer or directly."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from spikesim import _check
from spikesim.errors import ParameterError
from spikesim.layered.forward import Trace, run
from spikesim.layered.network import LayeredNetwork
from spikesim.learning.base import Metrics
from spikesim.learning.error_paths import (
    Feedback,
    by_direct_feedback,
    random_around,
    random_feedback,
    with_feedback,
)
from spikesim.learning.gradient_rule import Arrays, GradientRule, angles
from spikesim.learning.inputs import checked_batch
from spikesim.learning.losses import CrossEntropy
from spikesim.learning.optimisers import Adam
from spikesim.surrogates import FastSigmoid

__all__ = ["DirectFeedbackAlignment", "FeedbackAlignment"]


class AlignmentState(NamedTuple):
    """State of the optimiser, and the feedback of each layer.

    For feedback alignment `w` stands for the weights of the layer, and the first has none, as
    nothing goes back through it. For the direct kind it leads from the output to the layer,
    shape (n_post, n_outputs), and the output itself has none.
    """

    optimiser: Any
    feedback: tuple[Feedback, ...]


class _Alignment(GradientRule):
    """What both rules share: all but the way that the error takes."""

    detach_reset: bool
    record_angles: bool
    seed: int

    takes_packed: ClassVar[bool] = True

    def __post_init__(self) -> None:
        self._check_parts()
        name = type(self).__name__
        _check.boolean(f"{name}.detach_reset", self.detach_reset)
        _check.boolean(f"{name}.record_angles", self.record_angles)
        _check.integer(f"{name}.seed", self.seed, minimum=0)

    def init(self, network: LayeredNetwork) -> AlignmentState:
        """Check that the rule can train `network`; return its state with the feedback drawn.

        Raises
        ------
        ParameterError
            Nothing to train, a readout that cannot read the output layer, or trainable arrays
            other than weights and biases.
        """
        self._only_trains(network, ("w", "bias", "w_rec"))
        state = self._optimiser_state(network)
        return AlignmentState(state, self._drawn(network, np.random.default_rng(self.seed)))

    def _learn(
        self, network: LayeredNetwork, state: AlignmentState, x: np.ndarray, labels: np.ndarray
    ) -> tuple[LayeredNetwork, AlignmentState, Metrics]:
        """Learn from a batch that was checked."""
        traces = run(network, x)
        losses, correct, *grads = self.loss_and_gradient(network, traces, labels)
        gradients = self._gradients(network, state.feedback, x, traces, *grads)
        trained, optimiser, metrics = self._descended(
            network, state.optimiser, gradients, losses, correct, traces
        )
        if self.record_angles:
            true = self._backward(network, x, traces, *grads)
            metrics = metrics._replace(angles=angles(gradients, true))
        return trained, AlignmentState(optimiser, state.feedback), metrics

    def angles(
        self, network: LayeredNetwork, state: AlignmentState, x: Any, labels: Any
    ) -> tuple[float, ...]:
        """Return for each layer the angle between its change and the true gradient (degrees).

        Below 90 degrees a small enough change lowers the loss. It is 0 in the output layer, and
        NaN where one of both is zero.

        Parameters
        ----------
        network : LayeredNetwork
            The network.
        state : AlignmentState
            What :meth:`init` or :meth:`step` returned.
        x : array_like, shape (n_steps, n_trials, n_inputs)
            Encoded inputs.
        labels : array_like of int, shape (n_trials,)
            Class of each trial.

        Raises
        ------
        ParameterError, ParameterTypeError
            A batch that `network` cannot take.
        """
        name = f"{type(self).__name__}.angles"
        x, labels = checked_batch(name, x, labels, network, self.real_targets)
        traces = run(network, x)
        _, _, *grads = self.loss_and_gradient(network, traces, labels)
        return angles(
            self._gradients(network, state.feedback, x, traces, *grads),
            self._backward(network, x, traces, *grads),
        )

    @abstractmethod
    def _drawn(self, network: LayeredNetwork, rng: np.random.Generator) -> tuple[Feedback, ...]: ...

    @abstractmethod
    def _gradients(
        self,
        network: LayeredNetwork,
        feedback: tuple[Feedback, ...],
        x: np.ndarray,
        traces: tuple[Trace, ...],
        grad_output: np.ndarray | None,
        grad_v: np.ndarray | None,
    ) -> Arrays: ...


@_check.suggest_keywords
@dataclass(frozen=True)
class FeedbackAlignment(_Alignment):
    r"""Backpropagation with fixed random weights in place of the transposed ones.

    .. math::

        \frac{\partial C}{\partial w_{ij}} \to x_i\,\delta_j, \qquad
        \delta_j = \varphi(u_j) \sum_k B_{jk}\,\delta_k

    layer by layer from the true error of the output layer, with :math:`\varphi` the derivative of
    the unit's output, for LIF units its surrogate. There the error goes back from step to step
    along membrane and synapse as in :class:`~spikesim.learning.Backprop`, and around recurrent
    connections by random weights, too. B is drawn once. The optimiser makes the weight change.

    *Each synapse must know* the activity before it and the error of its unit, which comes by
    connections of its own. No weight is known in two places, as it is in backpropagation.

    *Works* because the forward weights turn until the random feedback is of use: the angle
    between the change and the true gradient falls below 90 degrees while the network learns. It
    takes longer than backpropagation. *Fails* to train many layers or very narrow ones well,
    where the angle stays close to 90 degrees, and through convolutions.

    Parameters
    ----------
    loss : MAE, MSE or CrossEntropy, default CrossEntropy()
        What is descended, averaged over the trials of a batch.
    optimiser : Optimiser, default Adam()
        How to descend.
    readout : Readout, optional
        How the output is turned into scores; by default
        :func:`~spikesim.learning.readouts.default_readout` of the output layer.
    surrogate : Surrogate, default FastSigmoid()
        Stands for the derivative of a spike, see :class:`~spikesim.learning.Backprop`.
    detach_reset : bool, default True
        Leave the path through the reset out of the gradient.
    record_angles : bool, default False
        Compute the true gradient, too, in every step, and report the angle of each layer to it.
        It costs another backward pass.
    seed : int, default 0
        Source of the feedback, at least 0: normal, for each layer as large as its weights are.

    References
    ----------
    Lillicrap, Cownden, Tweed & Akerman 2016, Nat. Commun. 7:13276.
    """

    loss: Any = CrossEntropy()
    optimiser: Any = Adam()
    readout: Any = None
    surrogate: Any = FastSigmoid()
    detach_reset: bool = True
    record_angles: bool = False
    seed: int = 0

    def _drawn(self, network: LayeredNetwork, rng: np.random.Generator) -> tuple[Feedback, ...]:
        return tuple(
            Feedback(
                random_feedback(rng, layer.w.shape, layer.w) if index else None,
                random_around(rng, layer),
            )
            for index, layer in enumerate(network.layers)
        )

    def _gradients(
        self,
        network: LayeredNetwork,
        feedback: tuple[Feedback, ...],
        x: np.ndarray,
        traces: tuple[Trace, ...],
        grad_output: np.ndarray | None,
        grad_v: np.ndarray | None,
    ) -> Arrays:
        # Going back, a network is nothing but its weights: these are the ones to go back by.
        layers = map(with_feedback, network.layers, feedback)
        return self._backward(network.updated(tuple(layers)), x, traces, grad_output, grad_v)


@_check.suggest_keywords
@dataclass(frozen=True)
class DirectFeedbackAlignment(_Alignment):
    r"""Errors of the output go to every hidden layer at once, by fixed random weights.

    .. math::

        \frac{\partial C}{\partial w_{ij}} \to x_i\,\delta_j, \qquad
        \delta_j = \varphi(u_j) \sum_o B_{jo}\,\delta_o

    with :math:`\delta_o` the true errors of the output units and :math:`\varphi` the derivative
    of the unit's output, for LIF units its surrogate. There the error also goes back from step to
    step along membrane and synapse of the output unit and of the unit itself, and around
    recurrent connections by random weights. B is drawn once. The optimiser makes the weight
    change.

    *Each synapse must know* the activity before it and the errors of the output units, as a
    random sum of them that its unit is sent. No error goes through another hidden layer, so all
    layers can learn at the same time.

    *Works* like :class:`~spikesim.learning.FeedbackAlignment`, with which it is one and the same
    for a single hidden layer, and better where there are several. *Fails* in deep networks to
    tell early layers what is of use to later ones, and in narrow ones.

    Parameters
    ----------
    loss : MAE, MSE or CrossEntropy, default CrossEntropy()
        What is descended, averaged over the trials of a batch.
    optimiser : Optimiser, default Adam()
        How to descend.
    readout : Readout, optional
        How the output is turned into scores; by default
        :func:`~spikesim.learning.readouts.default_readout` of the output layer.
    surrogate : Surrogate, default FastSigmoid()
        Stands for the derivative of a spike, see :class:`~spikesim.learning.Backprop`.
    detach_reset : bool, default True
        Leave the path through the reset out of the gradient.
    record_angles : bool, default False
        Compute the true gradient, too, in every step, and report the angle of each layer to it.
        It costs another backward pass.
    seed : int, default 0
        Source of the feedback, at least 0: normal, as large as the weights of the output layer.

    References
    ----------
    Nokland 2016, Adv. Neural Inf. Process. Syst. 29.
    """

    loss: Any = CrossEntropy()
    optimiser: Any = Adam()
    readout: Any = None
    surrogate: Any = FastSigmoid()
    detach_reset: bool = True
    record_angles: bool = False
    seed: int = 0

    def init(self, network: LayeredNetwork) -> AlignmentState:
        """Check that the rule can train `network`; return its state with the feedback drawn.

        Raises
        ------
        ParameterError
            Nothing to train, a readout that cannot read the output layer, trainable arrays other
            than weights and biases, or rate units before spiking ones or after them.
        """
        spiking = {layer.neuron.spiking for layer in network.layers}
        if len(spiking) > 1:
            raise ParameterError(
                "DirectFeedbackAlignment trains networks of rate units or of LIF units, not of "
                "both: an error of one kind of unit means nothing to the other"
            )
        return super().init(network)

    def _drawn(self, network: LayeredNetwork, rng: np.random.Generator) -> tuple[Feedback, ...]:
        output = network.layers[-1]
        return tuple(
            Feedback(
                None
                if layer is output
                else random_feedback(rng, (layer.n_post, output.n_post), output.w),
                random_around(rng, layer),
            )
            for layer in network.layers
        )

    def _gradients(
        self,
        network: LayeredNetwork,
        feedback: tuple[Feedback, ...],
        x: np.ndarray,
        traces: tuple[Trace, ...],
        grad_output: np.ndarray | None,
        grad_v: np.ndarray | None,
    ) -> Arrays:
        return by_direct_feedback(
            network,
            feedback,
            x,
            traces,
            (grad_output, grad_v),
            surrogate=self.surrogate,
            detach_reset=self.detach_reset,
        )
