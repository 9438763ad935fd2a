"""Spike-timing-dependent plasticity by pairs of spikes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from spikesim import _check
from spikesim.errors import ParameterError
from spikesim.layered import Layer, LayeredNetwork, Trace
from spikesim.learning.spike_timing import TrialRule, check_bounds, check_window, pair_up

__all__ = ["STDP"]


@_check.suggest_keywords
@dataclass(frozen=True)
class STDP(TrialRule):
    r"""Strengthen an input that spikes before its unit, weaken one that spikes after it.

    A spike of the input and one of the unit, :math:`D = t_{post} - t_{pre}` apart, change their
    weight by

    .. math::

        \Delta w = A_+ f_+(w)\, e^{-D / \tau_+} \quad (D > 0), \qquad
        \Delta w = -A_- f_-(w)\, e^{D / \tau_-} \quad (D < 0)

    and not at all for D = 0. Hard bounds have :math:`f_\pm = 1` and stop the weight at
    `w_min` and `w_max`; soft ones have :math:`f_+ = w_{max} - w,\ f_- = w - w_{min}`. All pairs
    of a trial count, or with ``pairing="nearest"`` those of each spike with the last one before
    it on the other side. Times are the stamps of the spikes; the pair is added at its later
    spike, to the weight as it is then, while the spikes of the trial are those that the weights
    before it gave.

    The rule is unsupervised: labels only measure how often the decision would have been right.
    It trains the weights between layers, in every layer with ``"w"`` in
    :attr:`Layer.trainable`; biases and recurrent weights, such as inhibition among competing
    units, stay as they are.

    *Each synapse must know* a trace of its input and one of its unit, which a spike raises and
    which decay with :math:`\tau_+` and :math:`\tau_-`.

    *Works* to make a unit answer ever earlier to a sequence that comes again and again.
    *Fails* to learn a decision, of which it is told nothing; and without bounds the weights of
    a unit that fires grow or shrink for ever.

    Parameters
    ----------
    a_plus : float, default 0.01
        Largest strengthening :math:`A_+`, at least 0: in the unit of a weight with hard bounds,
        a share of the distance to `w_max` with soft ones.
    a_minus : float, default 0.0105
        Largest weakening :math:`A_-`, at least 0, likewise.
    tau_plus, tau_minus : float, default 20
        Time constants of the two sides of the window (ms).
    pairing : {"all", "nearest"}, default "all"
        Which pairs count.
    bounds : {"hard", "soft"}, default "hard"
        How the weight enters; soft bounds must be finite.
    w_min, w_max : float, default -inf and inf
        Bounds of the weights; a network with weights outside is refused.
    readout : Readout, optional
        How the decision that is measured is made; by default the usual one of the output layer.

    References
    ----------
    Song, Miller & Abbott 2000, Nat. Neurosci. 3:919 (hard bounds, all pairs); nearest pairs and
    soft bounds: Morrison, Diesmann & Gerstner 2008, Biol. Cybern. 98:459.
    """

    a_plus: float = 0.01
    a_minus: float = 0.0105
    tau_plus: float = 20.0
    tau_minus: float = 20.0
    pairing: str = "all"
    bounds: str = "hard"
    w_min: float = -math.inf
    w_max: float = math.inf
    readout: Any = None

    contender: ClassVar[dict[str, Any]] = {"networks": ("LIF single",)}

    def __post_init__(self) -> None:
        check_window(self)
        _check.choice("STDP.bounds", self.bounds, ("hard", "soft"))
        if self.bounds == "soft" and math.isinf(self.w_max - self.w_min):
            raise ParameterError("STDP.w_min and STDP.w_max must be finite for soft bounds")

    def _check_network(self, network: LayeredNetwork) -> None:
        super()._check_network(network)
        check_bounds("STDP", network, self.w_min, self.w_max)

    def _learn(
        self,
        network: LayeredNetwork,
        state: Any,
        inputs: np.ndarray,
        traces: tuple[Trace, ...],
        label: int,
        right: bool,
    ) -> tuple[list[Layer], Any]:
        layers = []
        share = np.ones(len(inputs))
        for index, layer in enumerate(network.layers):
            if "w" in layer.trainable:
                w = layer.w.astype(np.float64)
                pair_up(self, network.dt, inputs, traces, index, w, share)
                layer = layer.updated(w=w)
            layers.append(layer)
        return layers, state
