"""Proportional scaling: change every weight by a percentage of itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from spikesim import _check
from spikesim._jit import kernel
from spikesim.learning.local import LocalRule, online

__all__ = ["Proportional"]

# A factor of zero or less would silence a unit for good, or turn all its signs around.
_SMALLEST_FACTOR = 0.1


@kernel
def _gain(excess, fired, target, norm2, hyper):
    (learning_rate,) = hyper
    if fired == target:
        return 0.0
    return max(-learning_rate * excess, _SMALLEST_FACTOR - 1.0)


@kernel
def _every_weight(gain, w, e, hyper):
    return gain * w


@kernel
def _active_weights(gain, w, e, hyper):
    return gain * w if e > 0.0 else 0.0


_scale_every = online(_gain, _every_weight)
_scale_active = online(_gain, _active_weights)


@_check.suggest_keywords
@dataclass(frozen=True)
class Proportional(LocalRule):
    r"""Shrink the weights of a unit that fired wrongly, stretch those of a silent one.

    .. math:: w_i \leftarrow w_i\,\bigl(1 - \eta\,(net - \theta)\bigr)

    for each unit whose output is wrong. A net input too high makes the factor less than 1, one
    too low (:math:`net < \theta`) makes it greater. The factor is kept at 0.1 or more: beyond,
    it would turn every sign around. The bias is the threshold here, and stays as it is.

    *Each synapse must know* its own weight and, from the unit, a graded error; with
    `active_only` also whether it was active (:math:`e_i > 0`).

    *Works* hardly ever. Scaling all weights never turns the weight vector: one number, its
    length, is learnt. With `active_only` it turns, but no weight changes its sign and a zero
    stays zero, as in Winnow (Littlestone 1988). A unit that is to fire has a distance d from
    the threshold that becomes :math:`d\,(1 - \eta\,net)`: it shrinks only for net > 0, stays
    for net = 0, and grows for net < 0, where the rule makes the error worse until the weights
    diverge (a :class:`~spikesim.errors.NonFiniteStateError`). A unit that is to stay silent has
    its error e become :math:`(1 - \eta\theta)\,e - \eta e^2`, and nears the threshold without
    reaching it. :class:`~spikesim.learning.Relaxation` is the additive reading that does work.

    Parameters
    ----------
    learning_rate : float, default 0.1
        Share :math:`\eta` per unit of error (1/mV for LIF units), greater than 0.
    active_only : bool, default False
        Scale only the weights whose input was active at the maximum of the net input.

    References
    ----------
    Littlestone 1988, Mach. Learn. 2:285, for multiplicative updates that do converge.
    """

    learning_rate: float = 0.1
    active_only: bool = False

    _moves_bias = False

    def __post_init__(self) -> None:
        _check.positive("Proportional.learning_rate", self.learning_rate)
        _check.boolean("Proportional.active_only", self.active_only)

    @property
    def _loop(self) -> Any:
        return _scale_active if self.active_only else _scale_every

    def _hyper(self) -> tuple[float, ...]:
        return (float(self.learning_rate),)
