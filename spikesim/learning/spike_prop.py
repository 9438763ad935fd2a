r"""Descent along exact derivatives of first spikes (SpikeProp, and fast and deep learning)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from spikesim import _check
from spikesim.errors import ParameterError
from spikesim.layered.continuous import spikes_of
from spikesim.layered.first_spike import (
    FirstSpikeTrace,
    fires_once,
    first_spike_gradients,
    first_spikes,
    least_weight,
)
from spikesim.layered.network import LayeredNetwork
from spikesim.learning.base import Metrics
from spikesim.learning.gradient_rule import GradientRule
from spikesim.learning.inputs import checked_answers
from spikesim.learning.losses import CrossEntropy
from spikesim.learning.optimisers import Adam
from spikesim.learning.readouts import FirstSpike

__all__ = ["SpikeProp"]

# Trials over which the share of silent ones is a running mean.
_MEMORY = 100.0


class _State(NamedTuple):
    optimiser: Any
    silent: tuple[np.ndarray, ...]


@_check.suggest_keywords
@dataclass(frozen=True)
class SpikeProp(GradientRule):
    r"""Gradient descent on the exact times of first spikes, in continuous time.

    A unit fires once, at the T at which its potential first reaches the threshold. With spikes
    arriving at :math:`a_i`, response :math:`\kappa` to a spike of weight 1, and the slope
    :math:`\dot v` of the potential at T,

    .. math::

        \frac{\partial T}{\partial w_i} = -\frac{\kappa(T - a_i)}{\dot v}, \qquad
        \frac{\partial T}{\partial a_i} = \frac{w_i\,\dot\kappa(T - a_i)}{\dot v}, \qquad
        \Delta w_i = -\eta\,\frac{\partial L}{\partial T} \frac{\partial T}{\partial w_i}

    and :math:`\partial L / \partial T` of a hidden unit is the sum of
    :math:`\partial L / \partial a` over the units that hear it. A delay has the derivative of the
    arrival; it stays at 0 or above. T has a closed form for ``tau_m = tau_syn`` and for
    ``tau_m = 2 tau_syn``, which is used there; any other ratio takes a few Newton steps
    (:mod:`spikesim.layered.crossing`).

    *Each synapse must know* when its spike arrived and when its unit fired, how steeply the
    potential rose there, and an error that came back over the weights of later layers.

    *Works* for any number of layers of LIF units with exponential synapses that fire once in a
    trial (``t_ref`` no shorter than the trial). Nothing is smoothed: the gradient is that of the
    loss itself. *Fails* where a unit is silent, which has no gradient (`silent_push` helps), and
    where the potential barely reaches the threshold, since derivatives grow without bound as
    the spike is about to vanish (`min_slope` bounds them). The loss jumps where a spike comes
    or goes.

    Parameters
    ----------
    loss : CrossEntropy, TimeToFirstSpikeLoss, MAE, MSE or SquaredError, default CrossEntropy()
        What is descended, averaged over the trials of a batch.
    optimiser : Optimiser, default Adam()
        How to descend.
    readout : FirstSpike, default FirstSpike()
        Makes scores of first spikes.
    silent_push : float, default 0.05
        What is added to all weights of a unit that is silent too often, at each update, in units
        of the smallest weight of which one spike makes it fire; 0 leaves silent units alone.
        Hidden units are too often silent beyond `silent_share`, output units wherever their own
        class is shown, in proportion to how often.
    silent_share : float, default 0.9
        Share of silent trials, a running mean over about 100 of them, from 0 to 1.
    min_slope : float, default 0.3
        Slopes at a spike below this count as this, in units of the distance from rest to
        threshold over `tau_m`; with 0 the gradient is exact however large.

    References
    ----------
    Bohte, Kok & La Poutre 2002, Neurocomputing 48:17; closed forms and the help for silent
    units: Goeltz et al. 2021, Nat. Mach. Intell. 3:823.
    """

    loss: Any = CrossEntropy()
    optimiser: Any = Adam()
    readout: Any = FirstSpike()
    silent_push: float = 0.05
    silent_share: float = 0.9
    min_slope: float = 0.3

    def __post_init__(self) -> None:
        self._check_parts()
        _check.instance("SpikeProp.readout", self.readout, FirstSpike, "a FirstSpike")
        _check.non_negative("SpikeProp.silent_push", self.silent_push)
        _check.in_range("SpikeProp.silent_share", self.silent_share, 0.0, 1.0)
        _check.non_negative("SpikeProp.min_slope", self.min_slope)

    def init(self, network: LayeredNetwork) -> _State:
        """Check that the rule can train `network`; return the state of the optimiser.

        Raises
        ------
        ParameterError
            A network on a grid, recurrent weights, units that never fire or start at threshold,
            nothing to train.
        """
        if not network.continuous:
            raise ParameterError("SpikeProp.network must be made with continuous=True")
        for index, layer in enumerate(network.layers):
            neuron = layer.neuron
            if layer.w_rec is not None:
                raise ParameterError(
                    f"SpikeProp.network: w_rec of layer {index} must be None; the rule is "
                    "feed-forward"
                )
            start = neuron.v_rest if neuron.v_init is None else neuron.v_init
            if not np.all(np.asarray(start) < neuron.v_th):
                raise ParameterError(f"layer {index}: LIF.v_init must lie below LIF.v_th")
            if not np.all(np.isfinite(neuron.v_th)):
                raise ParameterError(
                    f"SpikeProp.network: LIF.v_th of layer {index} must be finite, units have "
                    "to fire"
                )
            if not np.all(np.asarray(neuron.t_ref) > 0.0):
                raise ParameterError(_once(index, "the trial"))
        silent = tuple(np.zeros(layer.n_post) for layer in network.layers)
        return _State(self._optimiser_state(network), silent)

    def step(
        self, network: LayeredNetwork, state: _State, x: Any, labels: np.ndarray
    ) -> tuple[LayeredNetwork, _State, Metrics]:
        """Learn from one batch, see :class:`~spikesim.learning.base.LearningRule`.

        Parameters
        ----------
        network : LayeredNetwork
            Never modified.
        state : object
            What :meth:`init` or the previous call returned.
        x : SpikeTimes, or ndarray of shape (n_steps, n_trials, n_inputs)
            Input spikes, at exact times or on the grid of `dt`.
        labels : ndarray of int64, shape (n_trials,)
            Class of each trial, from 0.

        Raises
        ------
        ParameterError, ParameterTypeError
            A batch that `network` cannot take, or units that could fire twice in such a trial.
        NonFiniteStateError
            Weights, loss or gradients that overflowed.
        """
        inputs = spikes_of("SpikeProp.x", x, network)
        labels = checked_answers("SpikeProp.labels", labels, inputs.n_trials, network, self)
        if not fires_once(network, inputs.duration):
            short = [
                index
                for index, layer in enumerate(network.layers)
                if not np.all(np.asarray(layer.neuron.t_ref) >= inputs.duration)
            ]
            raise ParameterError(_once(short[0], f"the trial, {inputs.duration:g} ms"))
        traces: tuple[Any, ...] = first_spikes(network, inputs)
        losses, correct, grads = self._graded(network, traces, labels)
        gradients, _ = first_spike_gradients(network, traces, grads, self.min_slope)
        trained, optimiser, metrics = self._descended(
            network, state.optimiser, gradients, losses, correct, traces
        )
        silent = _running_shares(state.silent, traces)
        trained = self._mended(trained, traces, silent, labels)
        return trained, _State(optimiser, silent), metrics

    def _graded(
        self, network: LayeredNetwork, traces: tuple[FirstSpikeTrace, ...], labels: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return losses, which trials are right, and the gradient by the first spikes."""
        layer, trace = network.layers[-1], traces[-1]
        scores = self.readout.scores(trace, layer, network.dt)
        if self.real_targets:
            correct = np.full(len(labels), np.nan)
        else:
            correct = self.readout.decide(scores, layer) == labels
        losses, grad_scores = self.loss.value_and_grad(
            scores,
            labels,
            layer.n_post,
            targets=self.readout.targets_of(layer),
            threshold=self.readout.threshold_of(layer),
        )
        return losses, correct, grad_scores / (-self.readout.scale * len(labels))

    def _mended(
        self,
        network: LayeredNetwork,
        traces: tuple[FirstSpikeTrace, ...],
        silent: tuple[np.ndarray, ...],
        labels: np.ndarray,
    ) -> LayeredNetwork:
        """Return the network with silent units pushed and delays not below 0."""
        layers = []
        for index, layer in enumerate(network.layers):
            arrays = {}
            if self.silent_push and "w" in layer.trainable:
                if layer is network.layers[-1]:
                    share = self._missed(traces[-1], labels)
                else:
                    share = (silent[index] > self.silent_share).astype(np.float64)
                if share.any():
                    arrays["w"] = layer.w + self.silent_push * share * least_weight(layer)
            if "delay" in layer.parameters() and np.any(layer.delay < 0.0):
                arrays["delay"] = np.maximum(layer.delay, 0.0)
            layers.append(layer.updated(**arrays) if arrays else layer)
        return network.updated(layers)

    def _missed(self, trace: FirstSpikeTrace, labels: np.ndarray) -> np.ndarray:
        """Return the share of the trials of its own class in which each output unit is silent."""
        silent = np.isinf(trace.first_spikes)
        if self.real_targets:
            return silent.mean(axis=0)
        n = silent.shape[1]
        own = labels[:, None] == (np.arange(n) if n > 1 else 1)
        return (silent & own).sum(axis=0) / np.maximum(own.sum(axis=0), 1)


def _once(index: int, trial: str) -> str:
    return (
        f"SpikeProp.network: LIF.t_ref of layer {index} must be at least as long as {trial}, so "
        "that each unit fires once"
    )


def _running_shares(
    before: tuple[np.ndarray, ...], traces: tuple[FirstSpikeTrace, ...]
) -> tuple[np.ndarray, ...]:
    new = -np.expm1(-len(traces[0].first_spikes) / _MEMORY)
    return tuple(
        (1.0 - new) * share + new * np.isinf(trace.first_spikes).mean(axis=0)
        for share, trace in zip(before, traces, strict=True)
    )
