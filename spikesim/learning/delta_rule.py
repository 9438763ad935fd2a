"""The delta rule of the ADALINE, also called LMS (Widrow & Hoff 1960)."""

from __future__ import annotations

from dataclasses import dataclass

from spikesim import _check
from spikesim._jit import kernel
from spikesim.learning.local import LocalRule, along_input, online

__all__ = ["DeltaRule"]


@kernel
def _gain(excess, fired, target, e, hyper):
    learning_rate, margin = hyper
    desired = margin if target else -margin
    return learning_rate * (desired - excess)


@_check.suggest_keywords
@dataclass(frozen=True)
class DeltaRule(LocalRule):
    r"""Pull the net input towards a value beyond the threshold, on every trial.

    .. math:: \Delta w_i = \eta\,(d - net)\,e_i, \qquad d = \theta \pm margin

    with the threshold :math:`\theta`, plus for a unit that is to fire, minus for one that is to
    stay silent. It is stochastic descent of the squared difference :math:`(d - net)^2 / 2`.
    For LIF units net is the maximum of the free potential and :math:`e_i` the response to
    input i at that time.

    *Each synapse must know* its own eligibility and, from the unit, a graded error.

    *Works* without separable data: it settles near the least-squares solution. *Fails* to
    separate some data that can be separated, as it also pulls back trials that are right by
    too much; and diverges once :math:`\eta \lVert e \rVert^2 > 2`.

    Parameters
    ----------
    learning_rate : float, default 0.01
        Step :math:`\eta`, greater than 0.
    margin : float, default 1
        Distance of the desired net input from the threshold, greater than 0; mV for LIF units.

    References
    ----------
    Widrow & Hoff 1960, IRE WESCON Conv. Rec. 4:96.
    """

    learning_rate: float = 0.01
    margin: float = 1.0

    _loop = staticmethod(online(_gain, along_input))

    def __post_init__(self) -> None:
        _check.positive("DeltaRule.learning_rate", self.learning_rate)
        _check.positive("DeltaRule.margin", self.margin)

    def _hyper(self) -> tuple[float, ...]:
        return float(self.learning_rate), float(self.margin)
