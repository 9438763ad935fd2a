"""The parallel delta rule (Auer, Burgsteiner & Maass 2008)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from spikesim import _check
from spikesim._jit import kernel
from spikesim.errors import ParameterError
from spikesim.layered import LayeredNetwork
from spikesim.learning.committees import CommitteeRule, vote_by_vote
from spikesim.learning.eligibility import lines
from spikesim.learning.local import fires

__all__ = ["PDelta"]


@kernel
def _gains(vote, target, excess, e, t_max, strict, hyper, gain):
    learning_rate, margin, clear_margin_weight = hyper
    wrong = fires(vote, False) != target
    for j in range(excess.shape[0]):
        if fires(excess[j], strict):
            if wrong and not target:
                gain[j] = -learning_rate
            elif excess[j] < margin:
                gain[j] = learning_rate * clear_margin_weight
        elif wrong and target:
            gain[j] = learning_rate
        elif excess[j] > -margin:
            gain[j] = -learning_rate * clear_margin_weight


@_check.suggest_keywords
@dataclass(frozen=True)
class PDelta(CommitteeRule):
    r"""Move every unit that voted wrongly, and keep all units clear of their thresholds.

    In a committee of units with excess :math:`u_j` (net input minus threshold), which votes yes
    when more than half of its units fire, unit j changes by

    .. math:: \Delta w_{ij} = \eta\, e_{ij} \cdot
        \begin{cases}
        -1 & \text{vote wrongly yes, } u_j \geq 0 \\
        +1 & \text{vote wrongly no, } u_j < 0 \\
        +\mu & \text{vote not wrongly yes, } 0 \leq u_j < margin \\
        -\mu & \text{vote not wrongly no, } -margin < u_j < 0 \\
        0 & \text{otherwise}
        \end{cases}

    and then each weight vector that changed, bias included, is scaled back to the length that it
    had at the start:

    .. math:: w_j \leftarrow w_j\, \lVert w_j(0) \rVert / \lVert w_j \rVert

    The two lines with :math:`\mu` push units away from the threshold, each to the side on which
    it is, so that small changes do not upset votes that are right. Without the fixed length a
    margin would mean nothing, since longer weights would do. The eligibility :math:`e_{ij}` is
    the input itself for threshold units and, for LIF units, the response to input i at
    :math:`t_{max}`, scaled to a peak of 1 per spike. Of several committees each is to vote yes
    for its own class alone.

    *Each synapse must know* its own eligibility and a signed number from its unit, and the unit
    the length of its weights. *The unit must know* whether the vote is too high, too low or
    right: two bits, the same for the whole committee, and nothing of the other units. That is
    what sets it apart from :class:`~spikesim.learning.Committee`, which has to search for the
    closest.

    *Works* on XOR and other problems beyond a hyperplane; its authors show that it descends a
    suitable error, although it takes no derivative. *Fails* where the push out of the margin,
    which comes in almost every trial, outweighs the corrections, which come on errors: spikes
    that are drawn anew in each trial, as in a rate code, ask for a small `clear_margin_weight`.
    Units that start alike stay alike, as all wrong voters move together; and since threshold and
    length are both fixed, a LIF unit that starts with weights too short to fire never will.

    Differences to the paper: its output is a number in [-1, 1], wanted to an accuracy to be
    chosen, of which this is the binary case; its threshold is 0; its weight vectors are pulled
    softly towards length 1, by :math:`-\eta\,(\lVert w \rVert^2 - 1)\,w` in each step, where here
    they are put back at once; and its margin may be tuned while learning. A step that ends exactly
    at zero, which has no direction, is not made. For LIF units with a trainable bias the length
    adds numbers of different units, weights (mV or pA) and a current (pA), so that it depends on
    these units; leave "bias" out of ``Layer.trainable`` where that matters.

    Build the network with :func:`~spikesim.learning.committee_network`.

    Parameters
    ----------
    learning_rate : float, default 0.1
        Step :math:`\eta`, greater than 0, in the unit of a weight per unit of eligibility.
    margin : float, default 0.1
        Distance from the threshold below which a unit is pushed away, at least 0; mV for LIF
        units.
    clear_margin_weight : float, default 1
        Size :math:`\mu` of these steps beside those that correct errors, at least 0.

    References
    ----------
    Auer, Burgsteiner & Maass 2008, Neural Netw. 21:786.
    """

    learning_rate: float = 0.1
    margin: float = 0.1
    clear_margin_weight: float = 1.0

    _loop = staticmethod(vote_by_vote(_gains))

    def __post_init__(self) -> None:
        _check.positive("PDelta.learning_rate", self.learning_rate)
        _check.non_negative("PDelta.margin", self.margin)
        _check.non_negative("PDelta.clear_margin_weight", self.clear_margin_weight)

    def init(self, network: LayeredNetwork) -> np.ndarray:
        """Check that the rule can train `network`; return the lengths of the hidden weights.

        Raises
        ------
        ParameterError
            Another form than :func:`~spikesim.learning.committee_network` makes, or a hidden
            unit whose weights are all zero.
        ParameterTypeError
            Units other than threshold and LIF ones.
        """
        super().init(network)
        hidden = network.layers[0]
        lengths = np.linalg.norm(lines(hidden, "bias" in hidden.trainable), axis=1)
        if np.any(lengths == 0.0):
            raise ParameterError(
                f"PDelta.network: unit {int(np.argmin(lengths))} of the hidden layer has no "
                "weight other than zero, so there is no length to keep; start from random weights"
            )
        return lengths

    def _hyper(self) -> tuple[float, ...]:
        return float(self.learning_rate), float(self.margin), float(self.clear_margin_weight)

    def _lengths(self, state: Any, n_units: int) -> np.ndarray:
        return np.array(state)
