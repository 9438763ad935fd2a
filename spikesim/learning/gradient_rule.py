"""What rules that descend a loss share: its parts checked, the loss, and one step of the optimiser.

Such a rule differs from another in how it comes by the gradient, or by what it takes for one.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from spikesim.errors import NonFiniteStateError, ParameterError, ParameterTypeError
from spikesim.layered.backward import backward
from spikesim.layered.forward import Trace
from spikesim.layered.network import Layer, LayeredNetwork
from spikesim.learning.base import Metrics
from spikesim.learning.inputs import checked_batch, takes_targets
from spikesim.learning.losses import CrossEntropy
from spikesim.learning.readouts import RateOutput, default_readout
from spikesim.neurons import Sigmoid
from spikesim.synapses import Exponential

__all__ = ["GradientRule", "angles"]

Arrays = list[dict[str, np.ndarray]]


class GradientRule(ABC):
    """A rule with a loss, an optimiser and a readout.

    Rules derive from it and call :meth:`_check_parts` when they are made,
    :meth:`_optimiser_state` in `init` and :meth:`_descended` at the end of :meth:`_learn`, which
    is theirs.
    """

    loss: Any
    optimiser: Any
    readout: Any
    surrogate: Any

    def _check_parts(self) -> None:
        """Refuse a loss, optimiser, surrogate or readout that is none."""
        name = type(self).__name__
        for part, method in (
            ("loss", "value_and_grad"),
            ("optimiser", "update"),
            ("surrogate", "derivative"),
        ):
            if not hasattr(self, part):
                continue
            value = getattr(self, part)
            if isinstance(value, type) or not hasattr(value, method):
                raise ParameterTypeError(
                    f"{name}.{part} must be an object with a method {method!r}, got {value!r}"
                )
        if self.readout is not None and (
            isinstance(self.readout, type) or not hasattr(self.readout, "scores")
        ):
            raise ParameterTypeError(f"{name}.readout must be a readout, got {self.readout!r}")

    def _optimiser_state(self, network: LayeredNetwork) -> Any:
        """Check that the network can be descended; return the state of the optimiser."""
        parameters = [layer.parameters() for layer in network.layers]
        if not any(parameters):
            raise ParameterError(
                f"{type(self).__name__} found nothing to train: name arrays in Layer.trainable of "
                "some layer, such as ('w', 'bias')"
            )
        self.readout_for(network).check(network.layers[-1])
        for index, layer in enumerate(network.layers):
            neuron = layer.neuron
            if neuron.spiking and np.any(np.asarray(neuron.v_th) <= np.asarray(neuron.v_rest)):
                raise ParameterError(
                    f"layer {index}: {type(neuron).__name__}.v_th must lie above v_rest for "
                    "surrogate gradients"
                )
        return self.optimiser.init(parameters)

    def _only_trains(self, network: LayeredNetwork, names: Sequence[str]) -> None:
        """Refuse continuous time, and trainable arrays besides `names`."""
        rule = type(self).__name__
        if network.continuous:
            raise ParameterError(
                f"{rule} trains networks on a grid; in continuous time use EventProp or SpikeProp"
            )
        self._refuse_to_train_others(network, names)
        for index, layer in enumerate(network.layers):
            if np.ndim(layer.delay):
                raise ParameterError(
                    f"{rule} takes one delay for all inputs of a layer; layer {index} has "
                    f"{layer.delay.size}: give it one number, or train with Backprop"
                )

    def _refuse_to_train_others(self, network: LayeredNetwork, names: Sequence[str]) -> None:
        """Refuse trainable arrays besides `names`."""
        for index, layer in enumerate(network.layers):
            for name in layer.parameters():
                if name not in names:
                    raise ParameterError(
                        f"{type(self).__name__} trains {', '.join(names)}; layer {index} has "
                        f"{name.removeprefix('log_')!r} as trainable: take it out of "
                        "Layer.trainable, or train with a rule that learns it, such as Backprop"
                    )

    def step(
        self, network: LayeredNetwork, state: Any, x: Any, labels: np.ndarray
    ) -> tuple[LayeredNetwork, Any, Metrics]:
        """Learn from one batch, see :class:`~spikesim.learning.base.LearningRule`.

        `x` may be packed spikes, and in continuous time SpikeTimes.

        Raises
        ------
        ParameterError, ParameterTypeError
            A batch that `network` cannot take.
        NonFiniteStateError
            Weights, loss or gradients that overflowed.
        """
        name = type(self).__name__
        return self._learn(
            network, state, *checked_batch(name, x, labels, network, self.real_targets)
        )

    @abstractmethod
    def _learn(
        self, network: LayeredNetwork, state: Any, x: Any, labels: np.ndarray
    ) -> tuple[LayeredNetwork, Any, Metrics]:
        """Learn from a batch that was checked."""

    def _backward(
        self,
        network: LayeredNetwork,
        x: Any,
        traces: tuple[Any, ...],
        grad_output: np.ndarray | None,
        grad_v: np.ndarray | None,
        *,
        besides: Sequence[np.ndarray | None] | None = None,
    ) -> Arrays:
        """Return the gradient by backpropagation; for rules with a surrogate."""
        return backward(
            network,
            x,
            traces,
            grad_output,
            grad_v,
            surrogate=self.surrogate,
            detach_reset=getattr(self, "detach_reset", True),
            besides=besides,
        )

    def _descended(
        self,
        network: LayeredNetwork,
        state: Any,
        gradients: Arrays,
        losses: np.ndarray,
        correct: np.ndarray,
        traces: tuple[Trace, ...],
    ) -> tuple[LayeredNetwork, Any, Metrics]:
        """Return the network and state after one update, and what the batch was like before it.

        Raises
        ------
        NonFiniteStateError
            Weights, loss or gradients that overflowed.
        """
        norms = tuple(_norm(layer) for layer in gradients)
        loss = float(losses.sum())
        parameters = [layer.parameters() for layer in network.layers]
        parameters, state = self.optimiser.update(parameters, gradients, state)
        try:
            if not (math.isfinite(loss) and all(map(math.isfinite, norms))):
                raise ParameterError("the loss or its gradient is not finite")
            layers = [
                layer.updated(**causal(arrays, layer, network)) if arrays else layer
                for layer, arrays in zip(network.layers, parameters, strict=True)
            ]
        except ParameterError as error:
            raise NonFiniteStateError(
                f"training diverged ({error}): loss {loss:g}, gradient norms "
                f"{', '.join(f'{norm:g}' for norm in norms)}; lower the learning rate"
            ) from None
        n_correct = float(correct.sum()) if self.real_targets else int(correct.sum())
        metrics = Metrics(loss, n_correct, len(correct), norms, traces)
        return network.updated(layers), state, metrics

    @property
    def real_targets(self) -> bool:
        """Whether the loss compares the scores with real targets, given in place of labels."""
        return takes_targets(self.loss)

    def readout_for(self, network: LayeredNetwork) -> Any:
        """Return the readout, or the usual one of the output layer if none was given."""
        return default_readout(network.layers[-1]) if self.readout is None else self.readout

    def loss_and_gradient(
        self,
        network: LayeredNetwork,
        traces: tuple[Trace, ...],
        labels: np.ndarray,
        n_trials: int | None = None,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray | None]:
        """Return the loss of each trial, which are right, and the gradient of the mean loss.

        Parameters
        ----------
        network : LayeredNetwork
            The network.
        traces : tuple of Trace
            What its forward run left.
        labels : ndarray of int64, shape (n_trials,)
            Right classes, or real targets, shape (n_trials, n_outputs), for a loss of those.
        n_trials : int, optional
            Trials over which the mean is taken, where these are a part of them.

        Returns
        -------
        losses : ndarray, shape (n_trials,)
        correct : ndarray of bool, shape (n_trials,)
            NaN where the loss has real targets.
        grad_output, grad_v : ndarray, shape (n_steps, n_trials, n_outputs), or None
            By output and v of the last layer.
        """
        readout, layer, trace = self.readout_for(network), network.layers[-1], traces[-1]
        scores = readout.scores(trace, layer, network.dt)
        n_trials = len(labels) if n_trials is None else n_trials
        if self.real_targets:
            correct = np.full(len(labels), np.nan)
        else:
            correct = readout.decide(scores, layer) == labels
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


def angles(gradients: Arrays, others: Arrays) -> tuple[float, ...]:
    """Return for each layer the angle (degrees) between two gradients, NaN where one is zero."""
    found = []
    for one, other in zip(gradients, others, strict=True):
        lengths = _norm(one) * _norm(other)
        if lengths == 0.0:
            found.append(math.nan)
            continue
        product = sum(float(np.vdot(one[name], other[name])) for name in one)
        found.append(math.degrees(math.acos(max(-1.0, min(1.0, product / lengths)))))
    return tuple(found)


def causal(
    arrays: dict[str, np.ndarray], layer: Layer, network: LayeredNetwork
) -> dict[str, np.ndarray]:
    """Return updated arrays with delays no shorter than they can be."""
    if "delay" not in arrays:
        return arrays
    at_once = network.continuous or isinstance(layer.synapse, Exponential)
    least = arrays["delay"].dtype.type(0.0 if at_once else network.dt)
    return arrays | {"delay": np.maximum(arrays["delay"], least)}


def _norm(arrays: dict[str, np.ndarray]) -> float:
    # Not by a library's product, whose threads cost more than the sum of most gradients.
    return math.sqrt(sum(float(np.square(a).sum(dtype=np.float64)) for a in arrays.values()))
