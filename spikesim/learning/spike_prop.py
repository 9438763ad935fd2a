r"""SpikeProp: descent along exact derivatives of first spikes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

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
from spikesim.learning.eventprop import EventProp
from spikesim.learning.inputs import checked_answers
from spikesim.learning.losses import CrossEntropy
from spikesim.learning.optimisers import Adam
from spikesim.learning.readouts import FirstSpike

__all__ = ["SpikeProp", "SpikePropState"]

# Trials over which the share of silent ones is a running mean.
_MEMORY = 100.0


class SpikePropState(NamedTuple):
    """State of the optimiser, and the share of silent trials of each hidden unit, by layer."""

    optimiser: Any
    silent: tuple[np.ndarray, ...]


@_check.suggest_keywords
@dataclass(frozen=True)
class SpikeProp(EventProp):
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
    (:mod:`spikesim.layered.crossing`). It is what :class:`~spikesim.learning.EventProp` comes to
    where units fire once.

    *Each synapse must know* when its spike arrived and when its unit fired, how steeply the
    potential rose there, and an error that came back over the weights of later layers.

    *Works* for any number of layers of LIF units with exponential synapses that fire once in a
    trial (``t_ref`` no shorter than the trial). Nothing is smoothed: the gradient is that of the
    loss itself. *Fails* where units are silent, which have no first spike to move (`bump` and
    `pull` help), and where the potential barely reaches the threshold: derivatives grow without
    bound as the spike is about to vanish (`min_slope` bounds them). The loss jumps where a spike
    comes or goes.

    Parameters
    ----------
    loss : CrossEntropy, TimeToFirstSpikeLoss, MAE, MSE or SquaredError, default CrossEntropy()
        What is descended, averaged over the trials of a batch.
    optimiser : Optimiser, default Adam()
        How to descend.
    readout : FirstSpike, default FirstSpike()
        How first spikes are turned into scores.
    bump : float, default 0.05
        What every weight onto a unit that is silent too often grows by at each update, as a part
        of the smallest weight by which one spike makes it fire; at least 0, and 0 for no bump. A
        hidden unit is too often silent beyond `silent_share`. The weights of an output unit grow
        by as much times the share of the trials of its class in which it is silent.
    pull : float, default 1
        Cost added to the loss of a trial in which the output of the right class is silent, times
        how far its highest potential stays below threshold, as a part of
        :math:`v_{th} - v_{rest}`; at least 0, and 0 for no cost.
    silent_share : float, default 0.9
        Share of silent trials, a running mean over about 100 of them, from 0 to 1.
    min_slope : float, default 0.3
        Slopes at a spike below this count as this, in units of the distance from rest to
        threshold over `tau_m`; with 0 the gradient is exact however large.

    References
    ----------
    Bohte, Kok & La Poutre 2002, Neurocomputing 48:17; closed forms: Goeltz et al. 2021, Nat.
    Mach. Intell. 3:823.
    """

    loss: Any = CrossEntropy()
    optimiser: Any = Adam()
    readout: Any = FirstSpike()
    bump: float = 0.05
    pull: float = 1.0
    silent_share: float = 0.9
    min_slope: float = 0.3

    _hints: ClassVar[dict[str, str]] = {
        "learning_rate": "it is the optimiser's: SpikeProp(optimiser=Adam(learning_rate=0.005))",
        "surrogate": "its derivatives are exact",
    }

    def __post_init__(self) -> None:
        self._check_parts()
        _check.instance("SpikeProp.readout", self.readout, FirstSpike, "a FirstSpike")
        for name in ("bump", "pull", "min_slope"):
            _check.non_negative(f"SpikeProp.{name}", getattr(self, name))
        _check.in_range("SpikeProp.silent_share", self.silent_share, 0.0, 1.0)

    def init(self, network: LayeredNetwork) -> Any:
        """Check that the rule can train `network`; return the state of the optimiser.

        Raises
        ------
        ParameterError
            A network on a grid, recurrent weights, units that never fire or start at threshold,
            nothing to train.
        """
        if not network.continuous:
            raise ParameterError(
                "SpikeProp.network must be in continuous time: give continuous=True to dense() or "
                "LayeredNetwork()"
            )
        self._refuse_to_train_others(network, ("w", "bias", "delay"))
        for index, layer in enumerate(network.layers):
            neuron = layer.neuron
            if layer.w_rec is not None:
                raise ParameterError(
                    f"SpikeProp.network: w_rec of layer {index} must be None; the rule is "
                    "feed-forward"
                )
            if not np.all(np.isfinite(neuron.v_th)):
                raise ParameterError(
                    f"SpikeProp.network: LIF.v_th of layer {index} must be finite, units have "
                    "to fire"
                )
            start = neuron.v_rest if neuron.v_init is None else neuron.v_init
            if np.any(np.asarray(start) >= neuron.v_th):
                raise ParameterError(f"layer {index}: LIF.v_init must lie below LIF.v_th")
            if not np.all(np.asarray(neuron.t_ref) > 0.0):
                raise ParameterError(_too_short(index, "the trial"))
        silent = tuple(np.zeros(layer.n_post) for layer in network.layers[:-1])
        return SpikePropState(self._optimiser_state(network), silent)

    def step(
        self, network: LayeredNetwork, state: Any, x: Any, labels: np.ndarray
    ) -> tuple[LayeredNetwork, Any, Metrics]:
        """Learn from one batch, see :class:`~spikesim.learning.base.LearningRule`.

        `x` may be SpikeTimes.

        Raises
        ------
        ParameterError, ParameterTypeError
            A batch that `network` cannot take, or units that could fire twice in such a trial.
        NonFiniteStateError
            Weights, loss or gradients that overflowed.
        """
        inputs = spikes_of("SpikeProp.x", x, network)
        answers = checked_answers("SpikeProp.labels", labels, inputs.n_trials, network, self)
        if not fires_once(network, inputs.duration):
            index = next(
                index
                for index, layer in enumerate(network.layers)
                if np.any(np.asarray(layer.neuron.t_ref) < inputs.duration)
            )
            raise ParameterError(_too_short(index, f"the trial, {inputs.duration:g} ms"))
        traces: tuple[Any, ...] = first_spikes(network, inputs)
        losses, correct, grads = self.loss_and_gradient(network, traces, answers)
        by_times = np.zeros_like(traces[-1].first_spikes)
        if grads.first_spikes is not None:
            by_times = grads.first_spikes
        gradients, _ = first_spike_gradients(
            network, traces, by_times, grads.v_max, min_slope=self.min_slope
        )
        trained, optimiser, metrics = self._descended(
            network, state.optimiser, gradients, losses, correct, traces
        )
        silent = _running_shares(state.silent, traces[:-1])
        shares = [np.where(share > self.silent_share, 1.0, 0.0) for share in silent]
        shares.append(self._missed(traces[-1], answers))
        trained = self._raised(trained, shares)
        return trained, SpikePropState(optimiser, silent), metrics

    def _missed(self, trace: FirstSpikeTrace, labels: np.ndarray) -> np.ndarray:
        """Return the share of the trials of its own class in which each output unit is silent."""
        silent = np.isinf(trace.first_spikes)
        if self.real_targets:
            return silent.mean(axis=0)
        n = silent.shape[1]
        own = labels[:, None] == (np.arange(n) if n > 1 else 1)
        return (silent & own).sum(axis=0) / np.maximum(own.sum(axis=0), 1)

    def _raised(self, network: LayeredNetwork, shares: list[np.ndarray]) -> LayeredNetwork:
        """Return the network with the weights of silent units raised."""
        layers = list(network.layers)
        for index, (layer, share) in enumerate(zip(network.layers, shares, strict=True)):
            if self.bump and share.any() and "w" in layer.trainable:
                layers[index] = layer.updated(w=layer.w + self.bump * share * least_weight(layer))
        return network.updated(layers)


def _running_shares(
    before: tuple[np.ndarray, ...], traces: tuple[FirstSpikeTrace, ...]
) -> tuple[np.ndarray, ...]:
    if not traces:
        return ()
    new = -math.expm1(-len(traces[0].first_spikes) / _MEMORY)
    return tuple(
        (1.0 - new) * share + new * np.isinf(trace.first_spikes).mean(axis=0)
        for share, trace in zip(before, traces, strict=True)
    )


def _too_short(index: int, trial: str) -> str:
    return (
        f"SpikeProp.network: LIF.t_ref of layer {index} must be at least as long as {trial}, so "
        "that each unit fires once"
    )
