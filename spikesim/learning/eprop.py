"""e-prop: eligibility traces forward in time, and an error that goes straight to each unit."""

from __future__ import annotations

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
    around_cut,
    by_direct_feedback,
    random_feedback,
)
from spikesim.learning.gradient_rule import Arrays, GradientRule, angles
from spikesim.learning.losses import CrossEntropy
from spikesim.learning.optimisers import Adam
from spikesim.surrogates import FastSigmoid

__all__ = ["EProp"]


class EPropState(NamedTuple):
    """State of the optimiser, and for each hidden layer the weights that bring it the error."""

    optimiser: Any
    feedback: tuple[np.ndarray, ...]


@_check.suggest_keywords
@dataclass(frozen=True)
class EProp(GradientRule):
    r"""Eligibility propagation: an online approximation of backpropagation through time.

    .. math::

        \Delta w_{ij} = -\eta \sum_k L_{j,k}\; F\!\left(\varphi_{j,k}\, \hat\epsilon_{ij,k}\right),
        \qquad L_{j,k} = \sum_o B_{jo}\, \frac{\partial C}{\partial v_{o,k}}

    with the eligibility :math:`\hat\epsilon_{ij,k}`, the derivative of the potential of unit j in
    step k by the weight, given all spikes, which goes forward in time with the membrane
    (:mod:`spikesim.learning.error_paths` has its equations, for either synapse and either reset).
    Of it the eligibility of the threshold is taken away where units adapt
    (:class:`~spikesim.AdaptiveLIF`), which remembers for as long as the threshold does.
    :math:`\varphi` is the surrogate, F the filter that synapse and membrane of an output unit
    are, L the learning signal of a unit and B the feedback. The output layer is trained by its
    own eligibilities, with :math:`L_o = \partial C / \partial v_o`, which for spikes is by way of
    the surrogate. The optimiser makes the weight change. Nothing goes back through recurrent
    connections or resets. A batch is stored whole here, so the sum over its steps is taken in the
    order that is faster: the filters are put on the error of each unit, in place of the trace of
    each synapse. That changes rounding alone.

    *Each synapse must know* its eligibility, which depends on its input and on the potential and
    spikes of its own unit, and the learning signal of the unit. Of the other units it hears
    nothing, nor of what comes later than the error itself.

    *Works* as backpropagation does where there is nothing to cut: with one hidden layer without
    recurrent connections and symmetric feedback it is the exact same gradient as that of
    :class:`~spikesim.learning.Backprop` with detached resets. A readout with an error in every
    step, such as :class:`~spikesim.learning.MeanMembrane`, suits random and adaptive feedback
    better than one that looks at a single step. *Fails* to give credit for what a
    spike does by way of other hidden units: tasks that need recurrent connections to carry
    something over many steps are learnt more slowly or not at all. With random feedback the
    direction is worse still at first.

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
        Stands for the derivative of a spike.
    feedback : {"symmetric", "random", "adaptive"}, default "symmetric"
        B: the weights of the output layer; fixed random weights; or weights that begin random and
        take each change that the output weights take, while both decay. The first and the last
        need a network of one hidden layer, as others have no weights to the output.
    feedback_decay : float, default 0.001
        For adaptive feedback: the share of the output weights and of B that every update takes
        away, in [0, 1). Their difference shrinks by it, too.
    record_angles : bool, default False
        Compute the true gradient, too, in every step, and report the angle of each layer to it.
    seed : int, default 0
        Source of random feedback, at least 0. It is drawn as large as the output weights are.

    References
    ----------
    Bellec, Scherr, Subramoney, Hajek, Salaj, Legenstein & Maass 2020, Nat. Commun. 11:3625;
    adaptive feedback: Kolen & Pollack 1994, IEEE Int. Conf. Neural Netw.
    """

    loss: Any = CrossEntropy()
    optimiser: Any = Adam()
    readout: Any = None
    surrogate: Any = FastSigmoid()
    feedback: str = "symmetric"
    feedback_decay: float = 1e-3
    record_angles: bool = False
    seed: int = 0

    takes_packed: ClassVar[bool] = True

    def __post_init__(self) -> None:
        self._check_parts()
        _check.choice("EProp.feedback", self.feedback, ("symmetric", "random", "adaptive"))
        if _check.in_range("EProp.feedback_decay", self.feedback_decay, 0.0, 1.0) == 1.0:
            raise ParameterError("EProp.feedback_decay must be below 1, got 1")
        _check.boolean("EProp.record_angles", self.record_angles)
        _check.integer("EProp.seed", self.seed, minimum=0)

    def init(self, network: LayeredNetwork) -> EPropState:
        """Check that the rule can train `network`; return its state with the feedback.

        Raises
        ------
        ParameterError
            Units that do not spike, nothing to train, more than one hidden layer with feedback
            that is not random, or a readout that cannot read the output layer.
        """
        if not all(layer.neuron.spiking for layer in network.layers):
            raise ParameterError(
                "EProp trains LIF units, and the network has rate units, which have no time to go "
                "through: for these use Backprop or FeedbackAlignment"
            )
        self._only_trains(network, ("w", "bias", "w_rec"))
        state = self._optimiser_state(network)
        hidden, output = network.layers[:-1], network.layers[-1]
        if self.feedback != "random" and len(hidden) > 1:
            raise ParameterError(
                f"EProp with {self.feedback} feedback needs a network of one hidden layer, for "
                f"others have no weights to the output; feedback='random' takes {len(hidden)}"
            )
        if self.feedback == "symmetric":
            return EPropState(state, ())
        if self.feedback == "adaptive" and "w" not in output.trainable:
            raise ParameterError(
                "EProp with adaptive feedback needs output weights that it trains: name 'w' in "
                "Layer.trainable of the last layer"
            )
        rng = np.random.default_rng(self.seed)
        return EPropState(
            state,
            tuple(random_feedback(rng, (a.n_post, output.n_post), output.w) for a in hidden),
        )

    def _learn(
        self, network: LayeredNetwork, state: EPropState, x: np.ndarray, labels: np.ndarray
    ) -> tuple[LayeredNetwork, EPropState, Metrics]:
        """Learn from a batch that was checked."""
        traces = run(network, x)
        losses, correct, grad_output, grad_v = self.loss_and_gradient(network, traces, labels)
        gradients = self._gradients(network, state, x, traces, grad_output, grad_v)
        trained, optimiser, metrics = self._descended(
            network, state.optimiser, gradients, losses, correct, traces
        )
        if self.record_angles:
            true = self._backward(network, x, traces, grad_output, grad_v)
            metrics = metrics._replace(angles=angles(gradients, true))
        feedback = state.feedback
        if self.feedback == "adaptive" and feedback:
            old, new = network.layers[-1].w, trained.layers[-1].w
            left = 1.0 - self.feedback_decay
            feedback = ((feedback[0] + (new - old)) * left,)
            last = trained.layers[-1].updated(w=new * left)
            trained = trained.updated((*trained.layers[:-1], last))
        return trained, EPropState(optimiser, feedback), metrics

    def _gradients(
        self,
        network: LayeredNetwork,
        state: EPropState,
        x: np.ndarray,
        traces: tuple[Trace, ...],
        grad_output: np.ndarray | None,
        grad_v: np.ndarray | None,
    ) -> Arrays:
        """Return for each layer the sums of learning signals times filtered eligibilities."""
        output = network.layers[-1]
        ways = (output.w,) if self.feedback == "symmetric" else state.feedback
        around = [around_cut(layer) for layer in network.layers]
        return by_direct_feedback(
            network,
            [Feedback(*each) for each in zip((*ways, None), around, strict=False)],
            x,
            traces,
            (grad_output, grad_v),
            surrogate=self.surrogate,
        )
