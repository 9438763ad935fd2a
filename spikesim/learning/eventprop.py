r"""EventProp: exact gradients through spike times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from spikesim import _check
from spikesim.errors import ParameterError
from spikesim.layered import continuous
from spikesim.layered.continuous import EventGradients
from spikesim.layered.continuous_trace import ContinuousTrace
from spikesim.layered.event_grid import backward_on_grid
from spikesim.layered.forward import run
from spikesim.layered.network import Layer, LayeredNetwork
from spikesim.learning.base import Metrics
from spikesim.learning.gradient_rule import GradientRule
from spikesim.learning.losses import CrossEntropy
from spikesim.learning.optimisers import Adam
from spikesim.learning.readouts import FirstSpike, MaxMembrane, MeanMembrane
from spikesim.neurons import AdaptiveLIF
from spikesim.synapses import Exponential

__all__ = ["EventProp"]

_TRAINED = ("w", "bias", "w_rec", "delay")


@_check.suggest_keywords
@dataclass(frozen=True)
class EventProp(GradientRule):
    r"""Gradient descent by the exact derivative of spike times.

    With :math:`A = \partial L / \partial v`, :math:`C = \partial L / \partial i` and
    :math:`D_k = \partial L / \partial t_k` for the time of spike k, time runs backward:

    .. math::

        \dot A = \frac{A}{\tau_m}, \qquad
        \dot C = \frac{C}{\tau_{syn}} - \frac{A}{c_m}; \qquad
        \text{at a spike of the unit: } A \leftarrow \frac{\dot v^+ A - D_k}{\dot v^-} \\
        \frac{\partial L}{\partial w_{ij}} = \sum_{\text{spikes of } i} C_j, \qquad
        D_k = \frac{\partial L}{\partial t_k}\Big|_{direct}
              + \sum_j w_{ij} \left(\frac{C_j}{\tau_{syn}} - \frac{A_j}{c_m}\right)

    with the slopes of v before and after the reset, :math:`\dot v^-` and :math:`\dot v^+`. Work
    and memory go with the number of spikes, not of steps. In continuous time the gradient is
    exact; on a grid the same equations start from the spikes of the grid, and :math:`\dot v^-`
    is the rise over the step, so that they are as near to it as dt is short.

    A spike that is not there has no time to move: a unit that is silent in all trials never
    comes back by itself, and the loss does not say how to wake the output of the right class.
    `bump` and `pull` do; with both 0 the step is along the gradient of the loss alone.

    *Each synapse must know* when its input fired, and two traces of the error that run backward
    in time in the unit behind it.

    *Works* where units fire, for losses on first spikes and on potentials, in any number of
    layers, with recurrent connections and delays. *Fails* where they do not, and where a unit
    only just fires: the derivative of its time grows without bound as :math:`\dot v^-` goes
    to 0. It knows of no spike that appears or vanishes.

    Parameters
    ----------
    loss : CrossEntropy, TimeToFirstSpikeLoss, MAE, MSE or SquaredError, default CrossEntropy()
        What is descended, averaged over the trials of a batch.
    optimiser : Optimiser, default Adam()
        How to descend.
    readout : FirstSpike, MaxMembrane or MeanMembrane, optional
        How the output is turned into scores; by default FirstSpike() of units that fire,
        MaxMembrane() of those that do not.
    bump : float, default 0.001
        What every weight onto a unit that was silent in all trials of the batch grows by, as
        a part of its rheobase :math:`(v_{th} - v_{rest}) / r_m`; at least 0, and 0 for no bump.
    pull : float, default 40
        Cost added to the loss of a trial in which the output of the right class is silent, times
        how far its highest potential stays below threshold, as a part of
        :math:`v_{th} - v_{rest}`; at least 0, and 0 for no cost. For first spikes of an output
        layer without recurrent connections.

    References
    ----------
    Wunderlich & Pehle 2021, Sci. Rep. 11:12829; on a grid: Nowotny, Turner & Knight 2025,
    Neuromorph. Comput. Eng. 5:014001.
    """

    loss: Any = CrossEntropy()
    optimiser: Any = Adam()
    readout: Any = None
    bump: float = 1e-3
    pull: float = 40.0

    _hints: ClassVar[dict[str, str]] = {
        "learning_rate": "it is the optimiser's: EventProp(optimiser=Adam(learning_rate=0.005))",
        "surrogate": "its derivatives are exact",
    }

    def __post_init__(self) -> None:
        self._check_parts()
        _check.non_negative("EventProp.bump", self.bump)
        _check.non_negative("EventProp.pull", self.pull)

    def init(self, network: LayeredNetwork) -> Any:
        """Check that the rule can train `network`; return the state of the optimiser.

        Raises
        ------
        ParameterError
            Nothing to train, layers other than of LIF neurons with exponential synapses and
            without refractory periods, or a readout that has no derivative by spike times.
        """
        for index, layer in enumerate(network.layers):
            _check_layer(index, layer, network.continuous)
        self._refuse_to_train_others(network, _TRAINED)
        parameters = [layer.parameters() for layer in network.layers]
        if not any(parameters):
            raise ParameterError(
                "EventProp found nothing to train: name arrays in Layer.trainable of some layer, "
                "such as ('w', 'bias')"
            )
        readout, output = self.readout_for(network), network.layers[-1]
        readout.check(output)
        fires = np.isfinite(np.asarray(output.neuron.v_th))
        if isinstance(readout, MaxMembrane) and fires.any():
            raise ParameterError(
                f"EventProp.readout is {type(readout).__name__}, for output units that never fire, "
                "and those of this network do: make them LIF.non_spiking(), or use FirstSpike"
            )
        if isinstance(readout, MeanMembrane) and output.w_rec is not None:
            raise ParameterError(
                "EventProp.readout is MeanMembrane, for output units without recurrent "
                "connections: leave w_rec of the last layer out, or use MaxMembrane or FirstSpike"
            )
        if not isinstance(readout, (FirstSpike, MaxMembrane, MeanMembrane)):
            raise ParameterError(
                f"EventProp.readout must be FirstSpike, MaxMembrane or MeanMembrane, which change "
                f"with spike times, got {readout!r}"
            )
        return self.optimiser.init(parameters)

    def _learn(
        self, network: LayeredNetwork, state: Any, x: Any, labels: np.ndarray
    ) -> tuple[LayeredNetwork, Any, Metrics]:
        """Learn from a batch that was checked."""
        if not network.continuous:
            _refuse_other_than_spikes(x)
        traces = run(network, x)
        losses, correct, by_output = self.loss_and_gradient(network, traces, labels)
        if network.continuous:
            gradients, _ = continuous.backward(network, x, traces, by_output)
        else:
            gradients = backward_on_grid(network, x, traces, by_output)
        trained, state, metrics = self._descended(
            network, state, gradients, losses, correct, traces
        )
        return self._bumped(trained, traces), state, metrics

    def readout_for(self, network: LayeredNetwork) -> Any:
        """Return the readout, or the usual one of the output layer if none was given."""
        if self.readout is not None:
            return self.readout
        fires = np.isfinite(np.asarray(network.layers[-1].neuron.v_th))
        return FirstSpike() if fires.all() else MaxMembrane()

    def loss_and_gradient(  # type: ignore[override]
        self, network: LayeredNetwork, traces: tuple[Any, ...], labels: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, EventGradients]:
        """Return the loss of each trial, which are right, and the gradient of the mean loss.

        Parameters
        ----------
        network : LayeredNetwork
            The network.
        traces : tuple of ContinuousTrace or SpikingTrace
            What its forward run left.
        labels : ndarray
            Right classes, or real targets for a loss of those.

        Returns
        -------
        losses : ndarray, shape (n_trials,)
        correct : ndarray of bool, shape (n_trials,)
        by_output : EventGradients
            By what the output layer did.
        """
        readout, layer, trace = self.readout_for(network), network.layers[-1], traces[-1]
        scores = readout.scores(trace, layer, network.dt)
        n_trials = len(labels)
        if self.real_targets:
            correct = np.full(n_trials, np.nan)
        else:
            correct = readout.decide(scores, layer) == labels
        losses, grad = self.loss.value_and_grad(
            scores,
            labels,
            layer.n_post,
            targets=readout.targets_of(layer),
            threshold=readout.threshold_of(layer),
        )
        grad /= n_trials
        if isinstance(readout, MaxMembrane):
            return losses, correct, EventGradients(v_max=grad)
        if isinstance(readout, MeanMembrane):
            return losses, correct, EventGradients(v_mean=grad)
        by_peak = None
        if self.pull and not self.real_targets and layer.w_rec is None:
            by_peak = self._pull(layer, trace, labels, losses)
        return losses, correct, EventGradients(first_spikes=grad / -readout.scale, v_max=by_peak)

    def _pull(
        self, layer: Layer, trace: Any, labels: np.ndarray, losses: np.ndarray
    ) -> np.ndarray | None:
        """Add the cost of silent outputs of the right class; return its gradient by v_max."""
        units = labels if layer.n_post > 1 else np.where(labels == 1, 0, -1)
        trials = np.flatnonzero(units >= 0)
        trials = trials[_counts(trace)[trials, units[trials]] == 0]
        if not len(trials):
            return None
        units = units[trials]
        v_th, v_rest = (
            np.broadcast_to(value, (layer.n_post,))[units]
            for value in (layer.neuron.v_th, layer.neuron.v_rest)
        )
        share = self.pull / (v_th - v_rest)
        v_max: Any = trace.v_max if isinstance(trace, ContinuousTrace) else trace.v.max(axis=0)
        losses[trials] += share * (v_th - v_max[trials, units])
        by_peak = np.zeros((len(labels), layer.n_post))
        by_peak[trials, units] = -share / len(labels)
        return by_peak

    def _bumped(self, network: LayeredNetwork, traces: tuple[Any, ...]) -> LayeredNetwork:
        """Return the network with larger weights onto units that were silent in all trials."""
        if not self.bump:
            return network
        layers = list(network.layers)
        for index, (layer, trace) in enumerate(zip(network.layers, traces, strict=True)):
            silent = ~_counts(trace).any(axis=0) & np.isfinite(np.asarray(layer.neuron.v_th))
            if silent.any() and "w" in layer.parameters():
                neuron = layer.neuron
                rheobase = (np.asarray(neuron.v_th) - neuron.v_rest) / neuron.r_m
                step = np.where(silent, self.bump * rheobase, 0.0)
                layers[index] = layer.updated(w=layer.w + step)
        return network.updated(layers)


def _counts(trace: Any) -> np.ndarray:
    """Return the number of spikes of each trial and unit."""
    return trace.counts if isinstance(trace, ContinuousTrace) else trace.output.sum(axis=0)


def _refuse_other_than_spikes(x: Any) -> None:
    if isinstance(x, np.ndarray):
        bad = (x != 0.0) & (x != 1.0)
        if bad.any():
            raise ParameterError(
                f"EventProp.x{_check._first(bad)} is {x[bad].flat[0]:g}; EventProp takes spikes, "
                "0 or 1"
            )


def _check_layer(index: int, layer: Layer, continuous_time: bool) -> None:
    neuron = layer.neuron
    if isinstance(neuron, AdaptiveLIF):
        raise ParameterError(
            "EventProp does not know AdaptiveLIF, whose spikes move their own threshold; layer "
            f"{index} has it: train it with Backprop or EProp"
        )
    if not neuron.spiking or not isinstance(layer.synapse, Exponential):
        raise ParameterError(
            f"EventProp trains LIF neurons with Exponential synapses; layer {index} has other ones"
        )
    if np.any(np.asarray(neuron.t_ref) > 0.0):
        raise ParameterError(
            f"EventProp takes no refractory periods; LIF.t_ref of layer {index} must be 0"
        )
    if not continuous_time and neuron.reset == "subtract":
        raise ParameterError(
            "EventProp takes LIF.reset='subtract' in continuous time alone, where it is the same "
            f"as a reset to v_reset; layer {index} keeps what exceeds the threshold in a step"
        )
    if not continuous_time and "delay" in layer.parameters():
        raise ParameterError(
            f"EventProp trains delays in continuous time; on a grid those of layer {index} must "
            "be multiples of dt"
        )
    if not continuous_time and np.ndim(layer.delay):
        raise ParameterError(
            f"EventProp takes one delay for all inputs of a layer on a grid; layer {index} has "
            f"{layer.delay.size}, which continuous time allows"
        )
    if np.any(np.asarray(neuron.v_th) <= np.asarray(neuron.v_rest)):
        raise ParameterError(f"layer {index}: LIF.v_th must lie above LIF.v_rest for EventProp")
