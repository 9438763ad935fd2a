"""Spike-timing-dependent plasticity that a reward turns into learning."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from spikesim import _check
from spikesim.layered import Layer, LayeredNetwork, Trace
from spikesim.learning.spike_timing import TrialRule, check_bounds, check_window, pair_up

__all__ = ["RewardSTDP"]


@_check.suggest_keywords
@dataclass(frozen=True)
class RewardSTDP(TrialRule):
    r"""Keep what pairs of spikes would change, and change it when a reward comes.

    Pairs of spikes, as in :class:`STDP`, add to an eligibility c of the synapse that fades, and
    the reward R at the end of the trial, T, turns it into a change of the weight:

    .. math::

        \frac{dc}{dt} = -\frac{c}{\tau_c} + \sum_{pairs} \pm A_\pm e^{-|D| / \tau_\pm}\,
        \delta(t - t_{pair}), \qquad
        \Delta w = \eta\,(R - \bar R)\,c(T)

    with the times :math:`t_{pair}` of the later spike of each pair. R is `reward` if the network
    decided right and `punishment` if not. Its running mean :math:`\bar R`, which starts at 0,
    moves by :math:`\lambda (R - \bar R)` after each trial, so that only a reward other than the
    expected one teaches. Labels serve for nothing but the reward. Biases and recurrent weights
    stay as they are.

    *Each synapse must know* its eligibility, from traces of its own input and its unit, and one
    number that all synapses are told: the reward.

    *Works* on decisions that few units make, best if one that fires silences the others
    (recurrent inhibition), since the one reward then speaks of the unit that decided. *Fails*
    where no unit fires, as nothing is eligible then; and the more units share the reward, the
    less it tells each of them, so that hidden layers hardly learn.

    Parameters
    ----------
    learning_rate : float, default 0.05
        Step :math:`\eta`, greater than 0, in the unit of a weight.
    tau_c : float, default 200
        Time constant of the eligibility (ms).
    reward, punishment : float, default 1 and -1
        R of a right and of a wrong decision; the first must be greater.
    baseline_rate : float, default 0.05
        Share :math:`\lambda` by which the running mean moves, in [0, 1]; 0 for no baseline.
    a_plus, a_minus : float, default 1
        Sizes of the two sides of the window, at least 0, without unit.
    tau_plus, tau_minus : float, default 20
        Time constants of the two sides of the window (ms).
    pairing : {"all", "nearest"}, default "all"
        Which pairs count.
    w_min, w_max : float, default -inf and inf
        Hard bounds of the weights; a network with weights outside is refused.
    readout : Readout, optional
        How the decision that is rewarded is made; by default the usual one of the output layer.

    References
    ----------
    Izhikevich 2007, Cereb. Cortex 17:2443; the baseline: Fremaux, Sprekeler & Gerstner 2010,
    J. Neurosci. 30:13326.
    """

    learning_rate: float = 0.05
    tau_c: float = 200.0
    reward: float = 1.0
    punishment: float = -1.0
    baseline_rate: float = 0.05
    a_plus: float = 1.0
    a_minus: float = 1.0
    tau_plus: float = 20.0
    tau_minus: float = 20.0
    pairing: str = "all"
    w_min: float = -math.inf
    w_max: float = math.inf
    readout: Any = None

    # Hidden layers hardly learn from the one reward.
    contender: ClassVar[dict[str, Any]] = {"networks": ("LIF single",)}

    # The eligibility is not bounded, the weight is.
    bounds: ClassVar[str] = "hard"

    def __post_init__(self) -> None:
        _check.positive("RewardSTDP.learning_rate", self.learning_rate)
        _check.positive("RewardSTDP.tau_c", self.tau_c)
        reward = _check.scalar("RewardSTDP.reward", self.reward)
        if _check.scalar("RewardSTDP.punishment", self.punishment) >= reward:
            raise _check.ParameterError(
                f"RewardSTDP.punishment must be less than reward = {reward:g}, "
                f"got {self.punishment:g}"
            )
        _check.in_range("RewardSTDP.baseline_rate", self.baseline_rate, 0.0, 1.0)
        check_window(self)

    def _check_network(self, network: LayeredNetwork) -> None:
        super()._check_network(network)
        check_bounds("RewardSTDP", network, self.w_min, self.w_max)

    def _first_state(self) -> float:
        """Return the running mean of the reward."""
        return 0.0

    def _learn(
        self,
        network: LayeredNetwork,
        state: float,
        inputs: np.ndarray,
        traces: tuple[Trace, ...],
        label: int,
        right: bool,
    ) -> tuple[list[Layer], float]:
        surprise = (self.reward if right else self.punishment) - state
        left = network.dt * np.arange(len(inputs) - 1, -1, -1)
        share = np.exp(-left / self.tau_c)
        layers = []
        for index, layer in enumerate(network.layers):
            if "w" in layer.trainable:
                c = np.zeros(layer.w.shape)
                pair_up(self, network.dt, inputs, traces, index, c, share, bounded=False)
                w = layer.w + self.learning_rate * surprise * c
                layer = layer.updated(w=np.clip(w, self.w_min, self.w_max))
            layers.append(layer)
        return layers, state + self.baseline_rate * surprise
