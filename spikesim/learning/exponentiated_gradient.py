"""The exponentiated gradient with both signs, EG+- (Kivinen & Warmuth 1997)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from spikesim import _check
from spikesim._jit import kernel
from spikesim.learning.local import LocalRule, online

__all__ = ["ExponentiatedGradient"]


@kernel
def _gain(excess, fired, target, norm2, hyper):
    learning_rate, _ = hyper
    return learning_rate * (int(target) - int(fired))


@kernel
def _along_sinh(gain, w, e, hyper):
    _, spread = hyper
    s = math.asinh(w / (2.0 * spread))
    return 2.0 * spread * (math.sinh(s + gain * e) - math.sinh(s))


@_check.suggest_keywords
@dataclass(frozen=True)
class ExponentiatedGradient(LocalRule):
    r"""Multiplicative updates for weights of both signs.

    Each weight is the difference of two positive ones, :math:`w_i = w_i^+ - w_i^-`, which on
    errors are multiplied and divided by the same factor:

    .. math:: w_i^\pm \leftarrow w_i^\pm\, e^{\pm\eta\,(y - S)\,e_i}

    with target y and output S, both 0 or 1. The product :math:`w_i^+ w_i^- = \sigma^2` never
    changes, so that the weight alone tells both, and the update is an additive one in the
    coordinate s:

    .. math:: w_i = 2\sigma \sinh s_i, \qquad s_i \leftarrow s_i + \eta\,(y - S)\,e_i

    The eligibility :math:`e_i` is the input itself for threshold units and, for LIF units, the
    response to input i at :math:`t_{max}`, scaled to a peak of 1 per spike. The bias learns as
    the weight of one more input, constantly 1. A small weight,
    :math:`|w| \ll 2\sigma`, moves by about :math:`2\sigma\eta\,e_i`, like that of a perceptron;
    a large one by a percentage, like that of Winnow.

    Kivinen & Warmuth also divide all :math:`w^\pm` by their sum after each update, which holds
    the total at a value to be chosen. This is the form without it: it starts from any weights,
    and no total has to be known.

    *Each synapse must know* its own weight and eligibility, and one bit from the unit: the error.

    *Works* on data that a hyperplane separates, best where few of many inputs matter; unlike in
    Winnow, weights pass through zero. *Fails* on other data. With inputs much larger than
    :math:`1/\eta` weights jump by large factors: scale the features.

    Parameters
    ----------
    learning_rate : float, default 0.1
        Exponent :math:`\eta` per unit of eligibility, greater than 0, without unit.
    spread : float, default 0.5
        Size :math:`\sigma` of both parts of a weight that is zero, greater than 0, in the unit
        of a weight. It divides additive from multiplicative change. The defaults move small
        weights like ``Perceptron(0.1)``.

    References
    ----------
    Kivinen & Warmuth 1997, Inf. Comput. 132:1 (EG+-, and EGU for the form without the sum).
    """

    learning_rate: float = 0.1
    spread: float = 0.5

    _loop = staticmethod(online(_gain, _along_sinh))
    _unit_peak = True

    def __post_init__(self) -> None:
        _check.positive("ExponentiatedGradient.learning_rate", self.learning_rate)
        _check.positive("ExponentiatedGradient.spread", self.spread)

    def _hyper(self) -> tuple[float, ...]:
        return float(self.learning_rate), float(self.spread)
