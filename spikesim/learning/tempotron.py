"""The tempotron (Guetig & Sompolinsky 2006)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikesim import _check
from spikesim._jit import kernel
from spikesim.learning.eligibility import respond, strongest
from spikesim.learning.local import LocalRule, along_input, felt_at_maximum, online

__all__ = ["Tempotron"]


@kernel
def _gain(excess, fired, target, e, hyper):
    return hyper[0] * (int(target) - int(fired))


@kernel
def _felt(x, trial, response, bias_line, w, rest, e, t_max, v, hyper, felt):
    """Fill `felt` with the eligibilities at the maximum; of a unit that fired, shunted ones."""
    n_steps, _, n_inputs = x.shape
    t_spike = 0
    while t_spike < n_steps and v[t_spike] < 0.0:
        t_spike += 1
    if hyper[1] == 0.0 or response.instant or t_spike == n_steps:
        felt_at_maximum(x, trial, response, bias_line, w, rest, e, t_max, v, hyper, felt)
        return
    # What is stamped with the step of the spike would arrive after it.
    before = np.zeros((n_steps, 1, n_inputs))
    for t in range(t_spike):
        for i in range(n_inputs):
            before[t, 0, i] = x[t, trial, i]
    shunted = np.empty(e.shape)
    respond(before, 0, response, bias_line, shunted)
    t_max, _ = strongest(shunted, w, rest, v)
    felt_at_maximum(x, trial, response, bias_line, w, rest, shunted, t_max, v, hyper, felt)


@_check.suggest_keywords
@dataclass(frozen=True)
class Tempotron(LocalRule):
    r"""Change each weight by what its input contributed to the highest potential.

    On error trials

    .. math:: \Delta w_i = \pm\eta\,\sum_{t_i < t_{max}} K(t_{max} - t_i)

    plus for a unit that should have fired, minus for one that should not have;
    :math:`t_{max}` is the time at which the free potential is highest, the sum goes over all
    spikes of the input before it, and K is the post-synaptic potential,

    .. math::

        K(t) = V_0 \left(e^{-t / \tau_m} - e^{-t / \tau_s}\right), \qquad \max_t K(t) = 1

    through an exponential synapse (through a delta synapse :math:`e^{-t / \tau_m}`), scaled to a
    peak of 1 by :math:`V_0`. It is descent of the distance between the highest potential
    and the threshold. The bias learns in the same way, from the response to a constant current
    scaled to 1. With `momentum` each change adds that share of the previous one.

    With `shunting`, a unit that has fired feels no input from then on: :math:`t_{max}` of a unit
    that should not have fired is then soon after its first spike, and later inputs do not
    learn. The decision is the same with and without, as whether a unit fires is settled by its
    first spike. On threshold units the response is the input itself, and the rule is the
    perceptron.

    *Each synapse must know* the trace that its own spikes leave on the membrane, the time
    :math:`t_{max}` (which the unit can signal by a maximum of its potential), and the sign of
    the error.

    *Works* for binary decisions on spike patterns, up to about three random patterns for each
    input (``experiments/tempotron_capacity.py``); *fails* where no weights can hold the patterns
    apart, and, as the potential has a single maximum, to fire more than "at least once".

    Parameters
    ----------
    learning_rate : float, default 0.05
        Step :math:`\eta`, greater than 0, in the unit of a weight.
    momentum : float, default 0
        Share of the previous change, in [0, 1); the paper takes 0.99.
    shunting : bool, default False
        Leave inputs after the first spike of the unit out; the paper does.

    References
    ----------
    Guetig & Sompolinsky 2006, Nat. Neurosci. 9:420.
    """

    learning_rate: float = 0.05
    momentum: float = 0.0
    shunting: bool = False

    _loop = staticmethod(online(_gain, along_input, _felt))
    _unit_peak = True

    def __post_init__(self) -> None:
        _check.positive("Tempotron.learning_rate", self.learning_rate)
        name = "Tempotron.momentum"
        if _check.non_negative(name, self.momentum) >= 1.0:
            raise _check.ParameterError(f"{name} must be less than 1, got {self.momentum:g}")
        _check.boolean("Tempotron.shunting", self.shunting)

    def _hyper(self) -> tuple[float, ...]:
        return float(self.learning_rate), float(self.shunting)

    def _momentum(self) -> float:
        return float(self.momentum)
