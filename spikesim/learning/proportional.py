"""The proportional rule: change weights by a share of the error, through any number of layers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikesim import _check
from spikesim._jit import kernel
from spikesim.learning.cascade import CascadeRule, Stack, blank, emit, present, weigh
from spikesim.learning.local import LARGEST_WEIGHT, along_sinh, check_spread, decide, lms_gain

__all__ = ["Proportional"]

_READINGS = ("every", "active", "additive", "balanced")
_EVERY, _ACTIVE, _ADDITIVE, _BALANCED = range(4)
_CREDITS = ("sum", "weighted", "unanimous")
_SUM, _WEIGHTED, _UNANIMOUS = range(3)
_HIDDEN = ("error", "target")
_TARGET = _HIDDEN.index("target")

# A factor of zero or less would silence a unit for good, or turn all its signs around.
_SMALLEST_FACTOR = 0.1


@_check.suggest_keywords
@dataclass(frozen=True)
class Proportional(CascadeRule):
    r"""Change the weights of a unit by a percentage of its error, in one of four readings.

    The excess of a unit is its net input minus its threshold, :math:`net - \theta`. The error of
    an output unit is 0 where its decision is right, by the margin :math:`\kappa` if there is
    one. Elsewhere it is what the net input has too much (positive) or too little (negative):

    .. math:: E = net - \theta + \kappa \text{ (is to be silent)}, \qquad
              E = net - \theta - \kappa \text{ (is to fire)}

    One output fires for class 1; of several each is to fire for its own class alone. The error
    of hidden unit j comes from the units k that follow, by its `credit`:

    * "sum": :math:`E_j = \sum_k E_k`. If all that follow should receive less, so should j,
      whatever the weights between them.
    * "weighted": :math:`E_j = \sum_k w_{jk} E_k`, backpropagation as if the derivative of the
      step were 1 (straight-through).
    * "unanimous": the sum if all :math:`E_k` are positive or all negative, else 0.

    What a hidden unit makes of it is a matter of `hidden`:

    * "error": :math:`E_j` is its error. It learns whenever that is not 0, whether it fired or not.
    * "target": the sign of :math:`E_j` says what the unit is to do, to be silent (positive) or to
      fire (negative). Its error is then its own, that of an output unit with this target: 0 if it
      did so already, by the margin if there is one.

    All errors are found with the weights before the update; then all layers change, by their
    `reading`:

    * "every": :math:`w_i \leftarrow w_i\,\max(1 - \eta E,\ 0.1)` for all weights of the unit.
      A factor of zero or less would turn every sign around.
    * "active": the same for weights whose eligibility :math:`e_i` is positive.
    * "additive": :math:`\Delta w_i = -\eta\,E\,e_i / \lVert e \rVert^2`. The net input changes
      by :math:`-\eta E` (at a fixed :math:`t_{max}` for LIF units). The bias is one more input.
    * "balanced": a weight is the difference of two positive numbers, :math:`w_i = c\,e^{s_i} -
      c\,e^{-s_i} = 2c \sinh s_i`, scaled in opposite directions where :math:`e_i > 0`:
      :math:`s_i \leftarrow s_i - \eta E`. Their product stays :math:`c^2`.

    All but "additive" leave the bias, which is the threshold here, as it is. Eligibility and net
    input are the input and the weighted sum of threshold units; those of LIF units come from the
    free potential, and the spikes that travel to the next layer from the real one with its
    resets. Trials are presented one after another, and weights change after each.

    *Each synapse must know* its own weight and, from the unit, a graded error; "active" and
    "balanced" also whether its input was active, "additive" its eligibility and the sum of the
    squares of all. *Each hidden unit must know* the errors of those that follow; for "weighted"
    also the weights that lead there.

    *Works* as "additive" with a margin, which in one layer is
    :class:`~spikesim.learning.Relaxation`, bit for bit. Without a margin each step stops short of
    the threshold for :math:`\eta < 1`, and even data that a line separates is seldom learnt to the
    last trial: at a rate of 0.1, two kinds of Iris from few starts without a margin and from all
    with one of 0.1.

    *Fails* as "every", the default since it is the rule taken literally. It never turns the weight
    vector of a unit: one number, its length, is learnt. From many random starts the defaults
    diverge, on most others they leave trials wrong. "active" turns the vector, but no weight
    changes its sign and a zero stays zero, as in Winnow. "balanced" weights change signs; large
    features, such as Iris in cm, make them diverge from some starts at the default rate, as the
    error is an exponent.

    Under "every" a unit that is to fire has a distance d from the threshold that becomes
    :math:`d\,(1 - \eta\,net)`: it shrinks only for net > 0, stays for net = 0, and grows for
    net < 0, where the rule makes the error worse until the weights diverge (a
    :class:`~spikesim.errors.NonFiniteStateError`). Under "active" the same holds with the part of
    net that comes from the inputs with :math:`e_i > 0` in the place of net, which is another number
    where inputs are negative. A unit that is to stay silent has an error :math:`e = net - \theta`
    that becomes :math:`e\,(1 - \eta\,net)`, as long as the factor of its weights is not held at
    0.1. With :math:`\theta > 0` and :math:`0 < \eta\,net < 1` it nears the threshold without
    getting below it unless there is a margin; with :math:`\eta\,net > 1` it is below at once; with
    :math:`\theta \le 0` its net input nears 0 instead, which does not silence it, margin or not.

    With a "sum", errors of opposite sign cancel, so that hidden units hear nothing where outputs
    disagree. With ``hidden="error"`` a unit goes on in the direction that it is told after it has
    done what was wanted, often beyond the reach of any input.

    Parameters
    ----------
    learning_rate : float, default 0.1
        Share :math:`\eta` of the error, greater than 0; per unit of error (1/mV for LIF units)
        except for "additive", where it is a pure number; convergence needs one below 2.
    reading : {"every", "active", "additive", "balanced"}, default "every"
        Which weights change, and how. The default is the literal rule, not the one to learn with.
    credit : {"sum", "weighted", "unanimous"}, default "sum"
        How hidden units get their errors.
    margin : float, default 0
        Distance :math:`\kappa` from the threshold that makes an output right, at least 0; mV for
        LIF units.
    spread : float, default 0.5
        Geometric mean c of the two numbers behind a "balanced" weight, in the unit of a weight,
        from 1e-100 to 1e100. Weights much smaller change by steps, much larger ones by percentages.
    hidden : {"error", "target"}, default "error"
        Whether a hidden unit takes over what it is told as its error, or as what it is to do.

    References
    ----------
    Agmon 1954, Can. J. Math. 6:382, for "additive"; Littlestone 1988, Mach. Learn. 2:285, for
    multiplicative updates that converge; Kivinen & Warmuth 1997, Inf. Comput. 132:1, for
    "balanced" (EG+- without the sum, and with an error that is 0 where the decision is right in the
    place of the residual of a regression); Bengio, Leonard & Courville 2013, arXiv:1308.3432, for
    "weighted".
    """

    learning_rate: float = 0.1
    reading: str = "every"
    credit: str = "sum"
    margin: float = 0.0
    spread: float = 0.5
    hidden: str = "error"

    def __post_init__(self) -> None:
        _check.positive("Proportional.learning_rate", self.learning_rate)
        _check.choice("Proportional.reading", self.reading, _READINGS)
        _check.choice("Proportional.credit", self.credit, _CREDITS)
        _check.non_negative("Proportional.margin", self.margin)
        check_spread("Proportional.spread", self.spread)
        _check.choice("Proportional.hidden", self.hidden, _HIDDEN)

    def _moves_bias(self) -> bool:
        return self.reading == "additive"

    def _learn(
        self, x: np.ndarray, labels: np.ndarray, stack: Stack, w: np.ndarray, trained: np.ndarray
    ) -> tuple[int, int, int, int]:
        return _learn(
            x,
            labels,
            stack,
            w,
            trained,
            _READINGS.index(self.reading),
            _CREDITS.index(self.credit),
            _HIDDEN.index(self.hidden),
            float(self.learning_rate),
            float(self.margin),
            float(self.spread),
        )


@kernel
def _learn(x, labels, stack, w, trained, reading, credit, hidden, learning_rate, margin, spread):
    n_layers = w.shape[0]
    last = n_layers - 1
    n_outputs = stack.widths[n_layers]
    course = blank(stack)
    error = np.zeros((n_layers, w.shape[1]))
    n_correct = 0
    for trial in range(x.shape[1]):
        present(x, trial, course)
        for layer in range(n_layers):
            weigh(stack, w, layer, course)
            if layer < last:
                emit(stack, w, layer, course)
        if decide(course.excess[last, :n_outputs], stack.strict[last]) == labels[trial]:
            n_correct += 1
        for k in range(n_outputs):
            target = labels[trial] == (k if n_outputs > 1 else 1)
            error[last, k] = _output_error(course.excess[last, k], target, margin)
        for layer in range(last - 1, -1, -1):
            following = error[layer + 1, : stack.widths[layer + 2]]
            for j in range(stack.widths[layer + 1]):
                told = _hidden_error(following, w[layer + 1, :, j], credit)
                if hidden == _TARGET and told != 0.0:
                    told = _output_error(course.excess[layer, j], told < 0.0, margin)
                error[layer, j] = told
        for layer in range(n_layers):
            if not trained[layer]:
                continue
            for k in range(stack.widths[layer + 1]):
                if error[layer, k] == 0.0:
                    continue
                n_lines = stack.n_lines[layer]
                if not _change(
                    w[layer, k, :n_lines],
                    course.e[layer, :n_lines, course.t_max[layer, k]],
                    error[layer, k],
                    reading,
                    learning_rate,
                    spread,
                ):
                    return n_correct, trial, layer, k
    return n_correct, -1, -1, -1


@kernel
def _output_error(excess, target, margin):
    """Return what the net input of a unit has too much for its target; 0 if it is right."""
    error = excess - margin if target else excess + margin
    if error >= 0.0 if target else error <= 0.0:
        return 0.0
    return error


@kernel
def _hidden_error(following, w, credit):
    """Return the error of a unit from those that follow, `w` being the weights to them."""
    total = 0.0
    n_positive = 0
    n_negative = 0
    for k in range(following.shape[0]):
        total += w[k] * following[k] if credit == _WEIGHTED else following[k]
        n_positive += following[k] > 0.0
        n_negative += following[k] < 0.0
    if credit == _UNANIMOUS and max(n_positive, n_negative) < following.shape[0]:
        return 0.0
    return total


@kernel
def _change(w, e, error, reading, learning_rate, spread):
    """Change the weights of a unit; return whether they are still within bounds."""
    if not np.isfinite(error):
        return False
    gain = max(-learning_rate * error, _SMALLEST_FACTOR - 1.0)
    if reading == _ADDITIVE:
        gain = lms_gain(learning_rate, -error, e)
    for i in range(w.shape[0]):
        if reading == _ADDITIVE:
            w[i] += gain * e[i]
        elif reading == _BALANCED:
            if e[i] > 0.0:
                w[i] = along_sinh(w[i], -learning_rate * error, spread)
        elif reading == _EVERY or e[i] > 0.0:
            w[i] += gain * w[i]
        if not abs(w[i]) <= LARGEST_WEIGHT:
            return False
    return True
