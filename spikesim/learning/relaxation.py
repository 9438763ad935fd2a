"""The relaxation rule (Agmon 1954; Motzkin & Schoenberg 1954)."""

from __future__ import annotations

from dataclasses import dataclass

from spikesim import _check
from spikesim._jit import kernel
from spikesim.learning.local import LocalRule, along_input, lms_gain, online

__all__ = ["Relaxation"]


@kernel
def _gain(excess, fired, target, e, hyper):
    learning_rate, margin = hyper
    short = margin - excess if target else -margin - excess
    if short <= 0.0 if target else short >= 0.0:
        return 0.0
    return lms_gain(learning_rate, short, e)


@_check.suggest_keywords
@dataclass(frozen=True)
class Relaxation(LocalRule):
    r"""Take away a share of the error: the additive reading of "a percentage of the error".

    On a trial that is wrong, or right by less than the margin,

    .. math:: \Delta w_i = -\lambda\,(net - \theta \mp margin)\,\frac{e_i}{\lVert e \rVert^2}

    with minus for a unit that is to fire and plus for one that is to stay silent. The net input
    moves by exactly :math:`\lambda` times its distance from the margin (at a fixed
    :math:`t_{max}` for LIF units): 0 < :math:`\lambda` < 1 stops short, 1 projects onto the
    margin, up to 2 reflects. Without a margin a net input too high approaches the threshold
    geometrically and never gets below it, so a margin is part of the rule.

    *Each synapse must know* its own eligibility and, from the unit, the graded error divided by
    the summed squares of all eligibilities.

    *Works* on data that a hyperplane separates, for 0 < :math:`\lambda` < 2, without a rate to
    tune to the scale of the data. *Fails* on other data.

    Parameters
    ----------
    learning_rate : float, default 1
        Share :math:`\lambda` of the error, in (0, 2).
    margin : float, default 0.1
        Wanted distance from the threshold, at least 0; mV for LIF units.

    References
    ----------
    Agmon 1954, Can. J. Math. 6:382; Motzkin & Schoenberg 1954, Can. J. Math. 6:393.
    """

    learning_rate: float = 1.0
    margin: float = 0.1

    _loop = staticmethod(online(_gain, along_input))

    def __post_init__(self) -> None:
        _check.positive_below("Relaxation.learning_rate", self.learning_rate, 2.0)
        _check.non_negative("Relaxation.margin", self.margin)

    def _hyper(self) -> tuple[float, ...]:
        return float(self.learning_rate), float(self.margin)
