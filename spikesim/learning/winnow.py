"""Winnow: multiply the weights of active inputs (Littlestone 1988)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from spikesim import _check
from spikesim._jit import kernel
from spikesim.errors import ParameterError
from spikesim.learning.local import LocalRule, online

__all__ = ["Winnow"]


@kernel
def _gain(excess, fired, target, e, hyper):
    return float(int(target) - int(fired))


@kernel
def _multiplied(w, push, hyper):
    (factor,) = hyper
    # A zero stays zero, even where the power is infinite.
    return w * factor**push if w != 0.0 else w


@_check.suggest_keywords
@dataclass(frozen=True)
class Winnow(LocalRule):
    r"""Multiply the weights of the inputs that were active, and only on errors.

    .. math:: w_i \leftarrow w_i\, c^{\,(y - S)\,e_i}

    with factor c, target y and output S, both 0 or 1: a unit that should have fired has the
    weights of its active inputs multiplied by c, one that should not have has them divided by
    it. The eligibility :math:`e_i` is the input itself for threshold units and, for LIF units,
    the response to input i at :math:`t_{max}`, scaled to a peak of 1 per spike. The bias is the
    threshold here, and stays as it is.

    This is the form called Winnow2. Littlestone has inputs 0 and 1, positive weights that all
    start at 1, a fixed threshold such as the number of inputs n, and, for disjunctions, c = 2;
    analog eligibilities as exponents are an extension.

    *Each synapse must know* its own weight and eligibility, and one bit from the unit: the error.

    *Works* where few of many inputs matter and positive weights are enough: mistakes grow with
    the logarithm of the number of irrelevant inputs. For a disjunction of k of n inputs, from
    weights of 1 and with a threshold :math:`\theta`, there are at most
    :math:`u = k\,(1 + \log_c \theta)` errors of silence, as each multiplies a weight below
    :math:`\theta` that is never divided, and so, by the sum of all weights, at most

    .. math:: (1 + c)\,u + \frac{c\,n}{(c - 1)\,\theta}

    errors altogether: :math:`3k\,(1 + \log_2 n) + 2` for c = 2 and :math:`\theta = n`.
    *Fails* where a weight has to change its sign, which it never does, and a zero stays zero.
    A negative weight, as in a random start, is moved the wrong way and may grow until it
    diverges (a :class:`~spikesim.errors.NonFiniteStateError`).
    :class:`~spikesim.learning.ExponentiatedGradient` has both signs.

    Parameters
    ----------
    factor : float, default 2
        What an input of 1 multiplies its weight by, greater than 1.

    References
    ----------
    Littlestone 1988, Mach. Learn. 2:285. The bound above, looser than the best of the paper but
    short to prove, is the argument for Winnow1 with division in the place of elimination.
    """

    factor: float = 2.0

    contender: ClassVar[dict[str, Any]] = {"search": {"factor": (1.03, 4.0)}}

    _loop = staticmethod(online(_gain, _multiplied))
    _unit_peak = True
    _moves_bias = False
    _size = "factor"

    def __post_init__(self) -> None:
        if _check.scalar("Winnow.factor", self.factor) <= 1.0:
            raise ParameterError(f"Winnow.factor must be greater than 1, got {self.factor:g}")

    def _hyper(self) -> tuple[float, ...]:
        return (float(self.factor),)
