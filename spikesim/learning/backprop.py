r"""Gradient descent on a layered network: backpropagation, and through time for LIF neurons.

.. math::

    p \leftarrow \mathrm{optimiser}\!\left(p,\; \tfrac1n \textstyle\sum_{trials}
    \partial L / \partial p\right)

over all trainable arrays p at once. The derivatives are in :mod:`spikesim.layered.backward`;
the derivative of a spike is a surrogate (Neftci, Mostafa & Zenke 2019, IEEE Signal Process.
Mag. 36(6):51).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from spikesim import _check
from spikesim.errors import NonFiniteStateError, ParameterError, ParameterTypeError
from spikesim.layered.backward import backward
from spikesim.layered.forward import Trace, run
from spikesim.layered.network import LayeredNetwork
from spikesim.learning.base import Metrics
from spikesim.learning.inputs import checked_batch
from spikesim.learning.losses import CrossEntropy
from spikesim.learning.optimisers import Adam
from spikesim.learning.readouts import RateOutput, default_readout
from spikesim.neurons import Sigmoid
from spikesim.surrogates import FastSigmoid

__all__ = ["Backprop"]


@_check.suggest_keywords
@dataclass(frozen=True)
class Backprop:
    r"""Gradient descent by backpropagation, through time where there are spikes.

    With inputs x, weighted inputs u, outputs y and the cost C of a batch,

    .. math::

        \frac{\partial C}{\partial w_{ij}} &= x_i\,\delta_j, \qquad
        \delta_j = \varphi(u_j) \sum_k w_{jk}\,\delta_k \\
        \delta_k &= \varphi(u_k)\,\frac{\partial C}{\partial y_k} \text{ in the last layer}

    summed over trials; :math:`\varphi` is the derivative of the unit's output. For LIF units the
    surrogate takes its place, the error also goes back from step to step along membrane and
    synapse, and the gradient is summed over steps. The optimiser makes the weight change.

    *Each synapse must know* the activity before it and an error that is carried back through all
    later layers and steps by the same weights that carried the activity forward. It is not
    local.

    *Works* for any number of layers and any loss, as long as errors get through. *Fails* where
    the derivative is zero: with the true one of the step nothing moves, a saturated sigmoid
    passes hardly anything on, and a ReLU that is off for all data stays off. Where it comes to
    rest need not be the best place.

    Parameters
    ----------
    loss : MAE, MSE or CrossEntropy, default CrossEntropy()
        What is descended, averaged over the trials of a batch.
    optimiser : SGD or Adam, default Adam()
        How to descend.
    readout : Readout, optional
        How the output is turned into scores; by default
        :func:`~spikesim.learning.readouts.default_readout` of the output layer.
    surrogate : Surrogate, default FastSigmoid()
        Stands for the derivative of a spike. Rate units have their true derivative instead, and
        :class:`~spikesim.neurons.Step` units the one they are made with (by default zero, so
        that they do not learn).
    detach_reset : bool, default True
        Leave the path through the reset out of the gradient.

    References
    ----------
    Rumelhart, Hinton & Williams 1986, Nature 323:533; with surrogates through time: Neftci,
    Mostafa & Zenke 2019, IEEE Signal Process. Mag. 36(6):51.
    """

    loss: Any = CrossEntropy()
    optimiser: Any = Adam()
    readout: Any = None
    surrogate: Any = FastSigmoid()
    detach_reset: bool = True

    _hints: ClassVar[dict[str, str]] = {
        "learning_rate": "it is the optimiser's: Backprop(optimiser=Adam(learning_rate=0.05))"
    }

    def __post_init__(self) -> None:
        for name, method in (
            ("loss", "value_and_grad"),
            ("optimiser", "update"),
            ("surrogate", "derivative"),
        ):
            value = getattr(self, name)
            if isinstance(value, type) or not hasattr(value, method):
                raise ParameterTypeError(
                    f"Backprop.{name} must be an object with a method {method!r}, got {value!r}"
                )
        if self.readout is not None and (
            isinstance(self.readout, type) or not hasattr(self.readout, "scores")
        ):
            raise ParameterTypeError(f"Backprop.readout must be a readout, got {self.readout!r}")
        _check.boolean("Backprop.detach_reset", self.detach_reset)

    def init(self, network: LayeredNetwork) -> Any:
        """Check that the rule can train `network`; return the state of the optimiser.

        Raises
        ------
        ParameterError
            Nothing to train, a readout that cannot read the output layer, or spiking units
            whose threshold is not above their rest.
        """
        parameters = [layer.parameters() for layer in network.layers]
        if not any(parameters):
            raise ParameterError("Backprop found nothing to train: no layer has trainable arrays")
        self.readout_for(network).check(network.layers[-1])
        for index, layer in enumerate(network.layers):
            neuron = layer.neuron
            if neuron.spiking and np.any(np.asarray(neuron.v_th) <= np.asarray(neuron.v_rest)):
                raise ParameterError(
                    f"layer {index}: LIF.v_th must lie above LIF.v_rest for surrogate gradients"
                )
        return self.optimiser.init(parameters)

    def step(
        self, network: LayeredNetwork, state: Any, x: np.ndarray, labels: np.ndarray
    ) -> tuple[LayeredNetwork, Any, Metrics]:
        """Learn from one batch, see :class:`~spikesim.learning.base.LearningRule`.

        Raises
        ------
        ParameterError, ParameterTypeError
            A batch that `network` cannot take.
        NonFiniteStateError
            Weights, loss or gradients that overflowed.
        """
        x, labels = checked_batch("Backprop", x, labels, network)
        traces = run(network, x)
        losses, correct, grad_output, grad_v = self.loss_and_gradient(network, traces, labels)
        gradients = backward(
            network,
            x,
            traces,
            grad_output,
            grad_v,
            surrogate=self.surrogate,
            detach_reset=self.detach_reset,
        )
        norms = tuple(_norm(layer) for layer in gradients)
        loss = float(losses.sum())
        parameters = [layer.parameters() for layer in network.layers]
        parameters, state = self.optimiser.update(parameters, gradients, state)
        try:
            if not (math.isfinite(loss) and all(map(math.isfinite, norms))):
                raise ParameterError("the loss or its gradient is not finite")
            layers = [
                layer.updated(**arrays) if arrays else layer
                for layer, arrays in zip(network.layers, parameters, strict=True)
            ]
        except ParameterError as error:
            raise NonFiniteStateError(
                f"training diverged ({error}): loss {loss:g}, gradient norms "
                f"{', '.join(f'{norm:g}' for norm in norms)}; lower the learning rate"
            ) from None
        metrics = Metrics(loss, int(correct.sum()), len(labels), norms, traces)
        return network.updated(layers), state, metrics

    def readout_for(self, network: LayeredNetwork) -> Any:
        """Return the readout, or the usual one of the output layer if none was given."""
        return default_readout(network.layers[-1]) if self.readout is None else self.readout

    def loss_and_gradient(
        self, network: LayeredNetwork, traces: tuple[Trace, ...], labels: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray | None]:
        """Return the loss of each trial, which are right, and the gradient of the mean loss.

        Parameters
        ----------
        network : LayeredNetwork
            The network.
        traces : tuple of Trace
            What its forward run left.
        labels : ndarray of int64, shape (n_trials,)
            Right classes.

        Returns
        -------
        losses : ndarray, shape (n_trials,)
        correct : ndarray of bool, shape (n_trials,)
        grad_output, grad_v : ndarray, shape (n_steps, n_trials, n_outputs), or None
            By output and v of the last layer.
        """
        readout, layer, trace = self.readout_for(network), network.layers[-1], traces[-1]
        scores = readout.scores(trace, layer, network.dt)
        correct = readout.decide(scores, layer) == labels
        n_trials = len(labels)
        if (
            isinstance(self.loss, CrossEntropy)
            and isinstance(readout, RateOutput)
            and isinstance(layer.neuron, Sigmoid)
        ):
            losses, grad_u = self.loss.of_logistic_units(trace.v, labels)
            return losses, correct, None, grad_u / n_trials
        losses, grad_scores = self.loss.value_and_grad(
            scores,
            labels,
            layer.n_post,
            targets=readout.targets_of(layer),
            threshold=readout.threshold_of(layer),
        )
        grads = readout.backward(trace, layer, grad_scores / n_trials, network.dt)
        return losses, correct, *grads


def _norm(arrays: dict[str, np.ndarray]) -> float:
    return math.sqrt(sum(float(np.vdot(a, a)) for a in arrays.values()))
