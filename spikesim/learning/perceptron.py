"""The perceptron rule (Rosenblatt 1958)."""

from __future__ import annotations

from dataclasses import dataclass

from spikesim import _check
from spikesim._jit import kernel
from spikesim.learning.local import LocalRule, along_input, online

__all__ = ["Perceptron"]


@kernel
def _gain(excess, fired, target, e, hyper):
    (learning_rate,) = hyper
    return learning_rate * (int(target) - int(fired))


@_check.suggest_keywords
@dataclass(frozen=True)
class Perceptron(LocalRule):
    r"""Move the weights by the input, and only on errors.

    .. math:: \Delta w_i = \eta\,(y - S)\,x_i, \qquad \Delta b = \eta\,(y - S)

    with target y and output S, both 0 or 1. For LIF units :math:`x_i` is the number of spikes
    that input i sent in the trial, which any synapse can count, and S whether the unit fired at
    all. (An input that came too late to be felt is counted like any other; the tempotron is the
    rule that knows the time.)

    *Each synapse must know* its own input, and one bit from the unit: the error.

    *Works* for threshold units on data that a hyperplane separates: with a margin
    :math:`\gamma` for the unit-length solution and inputs no longer than R (the constant input
    of the bias included), it makes at most :math:`(R/\gamma)^2` mistakes whatever the order
    and, from zero weights, whatever :math:`\eta`. *Fails* to come to rest on any other data,
    XOR among them; and for LIF units where the counts do not tell the classes apart, as in a
    latency code, in which every input sends one spike.

    Parameters
    ----------
    learning_rate : float, default 0.1
        Step :math:`\eta`, greater than 0, in the unit of a weight per unit of input.

    References
    ----------
    Rosenblatt 1958, Psychol. Rev. 65:386. Mistake bound: Novikoff 1962, Symp. Math. Theory of
    Automata 12:615.
    """

    learning_rate: float = 0.1

    _loop = staticmethod(online(_gain, along_input))
    _counts = True

    def __post_init__(self) -> None:
        _check.positive("Perceptron.learning_rate", self.learning_rate)

    def _hyper(self) -> tuple[float, ...]:
        return (float(self.learning_rate),)
