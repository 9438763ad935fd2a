"""The exponentiated gradient with both signs, EG+- (Kivinen & Warmuth 1997)."""

from __future__ import annotations

from dataclasses import dataclass

from spikesim import _check
from spikesim._jit import kernel
from spikesim.learning.local import LocalRule, along_sinh, check_spread, online

__all__ = ["ExponentiatedGradient"]


@kernel
def _gain(excess, fired, target, e, hyper):
    learning_rate, _ = hyper
    return learning_rate * (int(target) - int(fired))


@kernel
def _changed(w, push, hyper):
    _, spread = hyper
    return along_sinh(w, push, spread)


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

    Updates on errors alone, as here, are those of Balanced Winnow (Littlestone 1989). The EG+- of
    Kivinen & Warmuth is for regression: the difference between the wanted and the actual output,
    a number that is hardly ever 0, takes the place of y - S in every trial. They also divide all
    :math:`w^\pm` by their sum after each update, which holds the total at a value to be chosen.
    This is the form without it: it starts from any weights, and no total has to be known.

    *Each synapse must know* its own weight and eligibility, and one bit from the unit: the error.

    *Works* on data that a hyperplane separates, best where few of many inputs matter; unlike in
    Winnow, weights pass through zero. *Fails* on other data. With inputs much larger than
    :math:`1/\eta` weights jump by large factors: scale the features.

    Parameters
    ----------
    learning_rate : float, default 0.1
        Exponent :math:`\eta` per unit of eligibility, greater than 0, without unit.
    spread : float, default 0.5
        Size :math:`\sigma` of both parts of a weight that is zero, from 1e-100 to 1e100, in the
        unit of a weight. It divides additive from multiplicative change. The defaults move small
        weights like ``Perceptron(0.1)``.

    References
    ----------
    Littlestone 1989, Mistake Bounds and Logarithmic Linear-threshold Learning Algorithms (thesis,
    Univ. of California, Santa Cruz), for updates on errors; Kivinen & Warmuth 1997, Inf. Comput.
    132:1 (EG+-, and EGU for the form without the sum), for the exponents.
    """

    learning_rate: float = 0.1
    spread: float = 0.5

    _loop = staticmethod(online(_gain, _changed))
    _unit_peak = True

    def __post_init__(self) -> None:
        _check.positive("ExponentiatedGradient.learning_rate", self.learning_rate)
        check_spread("ExponentiatedGradient.spread", self.spread)

    def _hyper(self) -> tuple[float, ...]:
        return float(self.learning_rate), float(self.spread)
