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
from spikesim.errors import ParameterError
from spikesim.layered.forward import run
from spikesim.layered.network import LayeredNetwork
from spikesim.layered.packed import PackedSpikes
from spikesim.layered.threads import in_parts
from spikesim.layered.trace import joined
from spikesim.learning.base import Metrics
from spikesim.learning.gradient_rule import GradientRule
from spikesim.learning.losses import CrossEntropy
from spikesim.learning.optimisers import Adam
from spikesim.learning.regularisers import check_regularisers, penalties
from spikesim.surrogates import FastSigmoid

__all__ = ["Backprop"]


@_check.suggest_keywords
@dataclass(frozen=True)
class Backprop(GradientRule):
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
    loss : MAE, MSE, CrossEntropy or SquaredError, default CrossEntropy()
        What is descended, averaged over the trials of a batch. With
        :class:`~spikesim.learning.SquaredError` labels are real targets.
    optimiser : SGD, Adam, AdamW or RMSprop, default Adam()
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
    regularisers : tuple of Regulariser, default ()
        What is added to the loss of a batch for what layers do, such as
        :class:`~spikesim.learning.RateBounds`.
    save_memory : bool, default False
        Work through a batch part by part, each from forward to backward, so that potentials and
        gradients of a quarter of the batch, an eighth of a large one, are held on each core
        instead of those of all trials. What spiking units learn has the same bits. Not with
        regularisers.

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
    regularisers: Any = ()
    save_memory: bool = False

    takes_packed: ClassVar[bool] = True
    _hints: ClassVar[dict[str, str]] = {
        "learning_rate": "it is the optimiser's: Backprop(optimiser=Adam(learning_rate=0.05))"
    }

    def __post_init__(self) -> None:
        self._check_parts()
        _check.boolean("Backprop.detach_reset", self.detach_reset)
        check_regularisers("Backprop.regularisers", self.regularisers)
        _check.boolean("Backprop.save_memory", self.save_memory)
        if self.save_memory and self.regularisers:
            raise ParameterError(
                "Backprop.save_memory must be False with regularisers, which look at whole batches"
            )

    def init(self, network: LayeredNetwork) -> Any:
        """Check that the rule can train `network`; return the state of the optimiser.

        Raises
        ------
        ParameterError
            Nothing to train, a readout that cannot read the output layer, spiking units
            whose threshold is not above their rest, or a network in continuous time.
        """
        if network.continuous:
            raise ParameterError(
                "Backprop trains networks on a grid; in continuous time use EventProp or SpikeProp"
            )
        return self._optimiser_state(network)

    def _learn(
        self, network: LayeredNetwork, state: Any, x: np.ndarray, labels: np.ndarray
    ) -> tuple[LayeredNetwork, Any, Metrics]:
        """Learn from a batch that was checked."""
        if self.save_memory:
            return self._step_in_parts(network, state, x, labels)
        traces = run(network, x)
        losses, correct, grad_output, grad_v = self.loss_and_gradient(network, traces, labels)
        penalty, besides = penalties(self.regularisers, network, traces)
        gradients = self._backward(network, x, traces, grad_output, grad_v, besides=besides)
        if besides is not None:
            losses = losses + penalty
        return self._descended(network, state, gradients, losses, correct, traces)

    def _step_in_parts(
        self, network: LayeredNetwork, state: Any, x: Any, labels: np.ndarray
    ) -> tuple[LayeredNetwork, Any, Metrics]:
        """Do what :meth:`_learn` does with few trials at once."""
        n_trials = len(labels)

        def part(first: int, last: int) -> tuple[Any, ...]:
            rows = slice(first, last)
            some = x.take(rows) if isinstance(x, PackedSpikes) else x[:, rows]
            traces = run(network, np.ascontiguousarray(some) if some is not x else some)
            losses, correct, *grads = self.loss_and_gradient(
                network, traces, labels[rows], n_trials
            )
            gradients = self._backward(network, some, traces, *grads)
            return losses, correct, gradients, tuple(trace.without_potentials() for trace in traces)

        parts = in_parts(part, n_trials, math.inf)
        losses, correct = (np.concatenate([one[i] for one in parts]) for i in (0, 1))
        gradients = parts[0][2]
        for _, _, more, _ in parts[1:]:
            for total, arrays in zip(gradients, more, strict=True):
                for name, array in arrays.items():
                    total[name] = total[name] + array
        traces = tuple(joined(layer) for layer in zip(*(one[3] for one in parts), strict=True))
        return self._descended(network, state, gradients, losses, correct, traces)
