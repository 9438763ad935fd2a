"""The committee machine: train the closest of the units that voted wrongly (Nilsson 1965)."""

from __future__ import annotations

from dataclasses import dataclass

from spikesim import _check
from spikesim._jit import kernel
from spikesim.learning.committees import CommitteeRule, vote_by_vote
from spikesim.learning.local import fires, squared_length

__all__ = ["Committee", "choose_closest"]


@kernel
def choose_closest(vote, target, excess, e, t_max, strict, only_wrong, gain):
    """Set `gain` to 1 for just enough of the closest units to turn a wrong vote.

    Units without any eligibility are passed over, for they cannot learn.
    """
    if fires(vote, False) == target:
        return
    # The vote is half-integral: an error of n - 0.5 takes n votes to turn.
    for _ in range(int(abs(vote) + 0.5)):
        closest = -1
        for j in range(excess.shape[0]):
            if gain[j] != 0.0 or (only_wrong and fires(excess[j], strict) == target):
                continue
            if squared_length(e[:, t_max[j]]) == 0.0:
                continue
            if closest < 0 or abs(excess[j]) < abs(excess[closest]):
                closest = j
        if closest < 0:
            return
        gain[closest] = 1.0


@kernel
def _gains(vote, target, excess, e, t_max, strict, hyper, gain):
    learning_rate, only_wrong = hyper
    choose_closest(vote, target, excess, e, t_max, strict, only_wrong > 0.0, gain)
    for j in range(excess.shape[0]):
        gain[j] *= learning_rate if target else -learning_rate


@_check.suggest_keywords
@dataclass(frozen=True)
class Committee(CommitteeRule):
    r"""Correct a wrong vote with the least disturbance.

    A committee of H units votes yes when more than half of its units fire. On an error just
    enough units to turn the vote are taken from those that voted wrongly, those whose excess
    (net input minus threshold) is closest to zero, and each learns as if on its own:

    .. math:: \Delta w_i = \pm\eta\,e_i

    plus for units that should have fired. The eligibility :math:`e_i` is the input itself for
    threshold units (the perceptron step) and, for LIF units, the response to input i at
    :math:`t_{max}`, scaled to a peak of 1 per spike (the tempotron step). Of several committees
    each is to vote yes for its own class alone; the decision is the class with most votes, the
    first of equal ones. Units without any eligibility cannot learn and are passed over.

    With ``among="all"`` as many units are taken, but the closest ones whatever they voted, and
    those that voted rightly are moved further to their side. That is what remains of steepest
    descent on a committee of smooth units as they become steep, since the derivative of the
    sigmoid is even: it tells how close a unit is, not on which side.

    *Each synapse must know* its own eligibility and one signed bit from its unit. *The unit must
    know* whether the vote is wrong and whether it is among the closest wrong voters: the only
    comparison between units, a search for the smallest of H numbers.

    *Works* on XOR and other problems beyond a hyperplane, as the units divide the space among
    themselves, although nothing is propagated backward. *Fails* now and then by going round in
    circles, since no bound on the mistakes holds. More units than the problem needs help, and
    so does a step about as large as the weights: small steps circle, large ones search.

    Build the network with :func:`committee_network`.

    Parameters
    ----------
    learning_rate : float, default 1
        Step :math:`\eta`, greater than 0, in the unit of a weight per unit of eligibility.
    among : {"wrong", "all"}, default "wrong"
        The units from which the closest are taken: those that voted wrongly, or all.

    References
    ----------
    Nilsson 1965, Learning Machines, chapter 6. With steps of another size it is Madaline Rule I,
    :class:`~spikesim.learning.MadalineI`.
    """

    learning_rate: float = 1.0
    among: str = "wrong"

    _loop = staticmethod(vote_by_vote(_gains))

    def __post_init__(self) -> None:
        _check.positive("Committee.learning_rate", self.learning_rate)
        _check.choice("Committee.among", self.among, ("wrong", "all"))

    def _hyper(self) -> tuple[float, ...]:
        return float(self.learning_rate), float(self.among == "wrong")
