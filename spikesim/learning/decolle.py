"""DECOLLE: each layer learns by a loss of its own, which random weights read from its spikes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from spikesim import _check
from spikesim.errors import ParameterError
from spikesim.layered.forward import Trace, run
from spikesim.layered.network import LayeredNetwork
from spikesim.learning.base import Metrics
from spikesim.learning.error_paths import Errors, by_own_errors
from spikesim.learning.gradient_rule import Arrays, GradientRule
from spikesim.learning.losses import CrossEntropy
from spikesim.learning.optimisers import Adam
from spikesim.surrogates import FastSigmoid

__all__ = ["DECOLLE"]

_TARGETS = (-1.0, 1.0)


class DECOLLEState(NamedTuple):
    """State of the optimiser, and the weights that read each hidden layer."""

    optimiser: Any
    readouts: tuple[np.ndarray, ...]


@_check.suggest_keywords
@dataclass(frozen=True)
class DECOLLE(GradientRule):
    r"""Deep continuous local learning: local errors in each step, by fixed random readouts.

    .. math::

        y^l_k = S^l_k\, G^l, \qquad C^l = \frac1T \sum_k \mathrm{loss}(y^l_k), \qquad
        \Delta w_{ij} = -\eta \sum_k \hat\epsilon_{ij,k}\, \varphi_{j,k}
        \sum_o G_{jo} \frac{\partial C^l}{\partial y^l_{o,k}}

    for each hidden layer l, with its spikes S in step k, fixed random weights G to as many
    outputs as the network has, and the surrogate :math:`\varphi`. The eligibility
    :math:`\hat\epsilon_{ij,k}` is the derivative of the potential of unit j by the weight, given
    all spikes; it goes forward in time with the membrane
    (:mod:`spikesim.learning.error_paths`, also for units that adapt). The output layer is trained
    by the loss of the network, by its own eligibilities. The optimiser makes the weight change.

    *Each synapse must know* its eligibility, the potential of its unit, and in each step a random
    sum of the errors that its own layer makes in that step. Nothing comes back from later layers
    or later steps.

    *Works* where the spikes of a layer in one step can say something about the class; each layer
    then makes the classes easier to tell for the next. *Fails* where a layer has to prepare what
    only a later layer, or a later step, can use: no credit gets there. A local error is there in
    every step, also before the input has said anything.

    Parameters
    ----------
    loss : MAE, MSE or CrossEntropy, default CrossEntropy()
        What is descended, by the network and by each layer; averaged over the trials of a batch.
        The local targets are -1 and 1 for losses that compare scores with targets.
    optimiser : Optimiser, default Adam()
        How to descend.
    readout : Readout, optional
        How the output is turned into scores; by default
        :func:`~spikesim.learning.readouts.default_readout` of the output layer.
    surrogate : Surrogate, default FastSigmoid()
        Stands for the derivative of a spike.
    seed : int, default 0
        Source of the local readouts, at least 0: normal, of standard deviation 1 over the root
        of the number of units.

    References
    ----------
    Kaiser, Mostafa & Neftci 2020, Front. Neurosci. 14:424.
    """

    loss: Any = CrossEntropy()
    optimiser: Any = Adam()
    readout: Any = None
    surrogate: Any = FastSigmoid()
    seed: int = 0

    takes_packed: ClassVar[bool] = True

    def __post_init__(self) -> None:
        self._check_parts()
        _check.integer("DECOLLE.seed", self.seed, minimum=0)

    def init(self, network: LayeredNetwork) -> DECOLLEState:
        """Check that the rule can train `network`; return its state with the local readouts.

        Raises
        ------
        ParameterError
            Units that do not spike, nothing to train, trainable arrays other than weights and
            biases, or a readout that cannot read the output layer.
        """
        if not all(layer.neuron.spiking for layer in network.layers):
            raise ParameterError(
                "DECOLLE trains LIF units, and the network has rate units, which have no time to "
                "go through: for these use Backprop or FeedbackAlignment"
            )
        self._only_trains(network, ("w", "bias", "w_rec"))
        state = self._optimiser_state(network)
        rng = np.random.default_rng(self.seed)
        readouts = []
        for layer in network.layers[:-1]:
            weights = rng.standard_normal((layer.n_post, network.n_outputs))
            weights *= layer.n_post**-0.5
            weights.flags.writeable = False
            readouts.append(weights)
        return DECOLLEState(state, tuple(readouts))

    def _learn(
        self, network: LayeredNetwork, state: DECOLLEState, x: np.ndarray, labels: np.ndarray
    ) -> tuple[LayeredNetwork, DECOLLEState, Metrics]:
        """Learn from a batch that was checked."""
        traces = run(network, x)
        losses, correct, grad_output, grad_v = self.loss_and_gradient(network, traces, labels)
        gradients = self._gradients(network, state, x, labels, traces, grad_output, grad_v)
        trained, optimiser, metrics = self._descended(
            network, state.optimiser, gradients, losses, correct, traces
        )
        return trained, DECOLLEState(optimiser, state.readouts), metrics

    def _gradients(
        self,
        network: LayeredNetwork,
        state: DECOLLEState,
        x: np.ndarray,
        labels: np.ndarray,
        traces: tuple[Trace, ...],
        grad_output: np.ndarray | None,
        grad_v: np.ndarray | None,
    ) -> Arrays:
        """Return for each layer the gradient of its own loss."""
        errors: list[Errors] = [
            (self._local(trace, readout, labels), None)
            for trace, readout in zip(traces, state.readouts, strict=False)
        ]
        errors.append((grad_output, grad_v))
        return by_own_errors(network, x, traces, errors, self.surrogate)

    def _local(self, trace: Trace, readout: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Return the derivative of the mean local loss by the spikes of a layer."""
        n_steps, n_trials, n = trace.output.shape
        scores = trace.output.reshape(-1, n) @ readout
        every_step = np.concatenate([labels] * n_steps)
        _, grad = self.loss.value_and_grad(
            scores, every_step, readout.shape[1], targets=_TARGETS, threshold=0.0
        )
        return (grad @ readout.T).reshape(n_steps, n_trials, n) / (n_steps * n_trials)
