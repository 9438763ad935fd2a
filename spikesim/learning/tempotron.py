"""The tempotron (Guetig & Sompolinsky 2006)."""

from __future__ import annotations

from dataclasses import dataclass

from spikesim import _check
from spikesim._jit import kernel
from spikesim.learning.local import LocalRule, along_input, online

__all__ = ["Tempotron"]


@kernel
def _gain(excess, fired, target, e, hyper):
    (learning_rate,) = hyper
    return learning_rate * (int(target) - int(fired))


@_check.suggest_keywords
@dataclass(frozen=True)
class Tempotron(LocalRule):
    r"""Change each weight by what its input contributed to the highest potential.

    On error trials

    .. math:: \Delta w_i = \pm\eta\,\sum_{t_i < t_{max}} K(t_{max} - t_i)

    plus for a unit that should have fired, minus for one that should not have;
    :math:`t_{max}` is the time at which the free potential is highest and K the post-synaptic
    potential, scaled to a peak of 1. It is descent of the distance between the highest potential
    and the threshold. The bias learns in the same way, from the response to a constant current
    scaled to 1. With `momentum` each change adds that share of the previous one.
    On threshold units the response is the input itself, and the rule is the perceptron.

    *Each synapse must know* the trace that its own spikes leave on the membrane, the time
    :math:`t_{max}` (which the unit can signal by a maximum of its potential), and the sign of
    the error.

    *Works* for binary decisions on spike patterns, up to about three random patterns for each
    input; *fails* where no weights can hold the patterns apart, and, as the potential has a
    single maximum, to fire more than "at least once".

    Parameters
    ----------
    learning_rate : float, default 0.05
        Step :math:`\eta`, greater than 0, in the unit of a weight.
    momentum : float, default 0
        Share of the previous change, in [0, 1).

    References
    ----------
    Guetig & Sompolinsky 2006, Nat. Neurosci. 9:420.
    """

    learning_rate: float = 0.05
    momentum: float = 0.0

    _loop = staticmethod(online(_gain, along_input))
    _unit_peak = True

    def __post_init__(self) -> None:
        _check.positive("Tempotron.learning_rate", self.learning_rate)
        name = "Tempotron.momentum"
        if _check.non_negative(name, self.momentum) >= 1.0:
            raise _check.ParameterError(f"{name} must be less than 1, got {self.momentum:g}")

    def _hyper(self) -> tuple[float, ...]:
        return (float(self.learning_rate),)

    def _momentum(self) -> float:
        return float(self.momentum)
