"""Madaline Rule I: move the closest wrong voters by LMS (Widrow 1962)."""

from __future__ import annotations

from dataclasses import dataclass

from spikesim import _check
from spikesim._jit import kernel
from spikesim.learning.committee import choose_closest
from spikesim.learning.committees import CommitteeRule, vote_by_vote
from spikesim.learning.local import lms_gain

__all__ = ["MadalineI"]


@kernel
def _gains(vote, target, excess, e, t_max, strict, hyper, gain):
    learning_rate, margin = hyper
    choose_closest(vote, target, excess, e, t_max, strict, True, gain)
    wanted = margin if target else -margin
    for j in range(excess.shape[0]):
        if gain[j] != 0.0:
            gain[j] = lms_gain(learning_rate, wanted - excess[j], e[:, t_max[j]])


@_check.suggest_keywords
@dataclass(frozen=True)
class MadalineI(CommitteeRule):
    r"""Correct a wrong vote by moving the closest wrong voters towards the other side.

    As in :class:`~spikesim.learning.Committee`, just enough units to turn a wrong vote are taken
    from those that voted wrongly, those whose excess (net input minus threshold) is closest to
    zero. Each moves its excess by a share of the way to a target beyond the threshold:

    .. math:: \Delta w_i = \eta\,(\pm margin - excess)\,\frac{e_i}{\lVert e \rVert^2}

    plus for units that should have fired. This is :math:`\alpha`-LMS, Widrow & Lehr's LMS
    step divided by the squared length of the input. The excess moves by exactly :math:`\eta`
    times its distance from the target (at a fixed :math:`t_{max}` for LIF units), whatever the
    scale of the input: the farther a unit is from its target, the larger its step, while that of
    the committee rule is the same for all. The eligibility :math:`e_i` is the input itself for
    threshold units and the response to input i at :math:`t_{max}` for LIF units.

    *Each synapse must know* its own eligibility and, from the unit, the graded distance divided
    by the summed squares of all eligibilities. *The unit must know* whether the vote is wrong and
    whether it is among the closest wrong voters.

    *Works* on XOR and other problems beyond a hyperplane. Where no bias is trained the rate needs
    no tuning to the scale of the data: a tenth of the inputs with ten times the weights takes the
    same course. A bias that is trained is one more input, of size 1, which takes over
    :math:`\lVert e \rVert^2` and so the step where the data is small beside it: XOR at a hundredth
    of its size is not learnt. *Fails* now and then by going round in circles, like the committee
    rule. A LIF unit that is only inhibited is highest when it feels hardly any input, and the
    smaller :math:`\lVert e \rVert`, the larger its step. Units that feel none at all cannot be
    moved and are passed over.

    Build the network with :func:`~spikesim.learning.committee_network`.

    Parameters
    ----------
    learning_rate : float, default 0.5
        Share :math:`\eta` of the distance, in (0, 2). From 1 on a unit turns over at once, below
        only if its excess was small beside the margin.
    margin : float, default 1
        Target distance from the threshold, greater than 0; mV for LIF units. Widrow's targets
        are -1 and 1.

    References
    ----------
    Widrow 1962, in Self-Organizing Systems (Yovits et al., eds.), p. 435; Widrow & Lehr 1990,
    Proc. IEEE 78:1415, who leave open how far a unit is moved at a time.
    """

    learning_rate: float = 0.5
    margin: float = 1.0

    _loop = staticmethod(vote_by_vote(_gains))
    _unit_peak = False

    def __post_init__(self) -> None:
        _check.positive_below("MadalineI.learning_rate", self.learning_rate, 2.0)
        _check.positive("MadalineI.margin", self.margin)

    def _hyper(self) -> tuple[float, ...]:
        return float(self.learning_rate), float(self.margin)
