"""The proportional rule: change weights by a share of the error, through any number of layers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from spikesim import _check
from spikesim._jit import kernel
from spikesim.layered import LayeredNetwork
from spikesim.layered.forward import run
from spikesim.learning.base import Metrics
from spikesim.learning.cascade import (
    blank,
    check_layers,
    emit,
    packed,
    present,
    stacked,
    unpacked,
    weigh,
)
from spikesim.learning.local import (
    LARGEST_WEIGHT,
    NetInput,
    check_batch,
    decide,
    fires,
    refuse_divergence,
)

__all__ = ["Proportional"]

_READINGS = ("every", "active", "additive", "balanced")
_EVERY, _ACTIVE, _ADDITIVE, _BALANCED = range(4)
_CREDITS = ("sum", "weighted", "unanimous")
_SUM, _WEIGHTED, _UNANIMOUS = range(3)
_HIDDEN = ("error", "target")
_TARGET = _HIDDEN.index("target")

# A factor of zero or less would silence a unit for good, or turn all its signs around.
_SMALLEST_FACTOR = 0.1
# Beyond this a balanced weight has long diverged; its sinh is still a number.
_LARGEST_EXPONENT = 600.0


@_check.suggest_keywords
@dataclass(frozen=True)
class Proportional:
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

    *Works* as "additive", which in one layer is :class:`~spikesim.learning.Relaxation`, bit for
    bit. *Fails* as "every", which never turns the weight vector of a unit: one number, its
    length, is learnt. "active" turns it, but no weight changes its sign and a zero stays zero,
    as in Winnow. Under both a unit that is to fire has a distance d from the threshold that
    becomes :math:`d\,(1 - \eta\,net)`: it shrinks only for net > 0, stays for net = 0, and
    grows for net < 0, where the rule makes the error worse until the weights diverge (a
    :class:`~spikesim.errors.NonFiniteStateError`). A unit that is to stay silent has its error e
    become :math:`(1 - \eta\theta)\,e - \eta e^2`, and nears the threshold without getting below
    it unless there is a margin. "balanced" weights change signs. With a "sum", errors of opposite
    sign cancel, so that hidden units hear nothing where outputs disagree. With ``hidden="error"``
    a unit goes on in the direction that it is told after it has done what was wanted, often
    beyond the reach of any input.

    Parameters
    ----------
    learning_rate : float, default 0.1
        Share :math:`\eta` of the error, greater than 0; per unit of error (1/mV for LIF units)
        except for "additive", where it is a pure number; convergence needs one below 2.
    reading : {"every", "active", "additive", "balanced"}, default "every"
        Which weights change, and how.
    credit : {"sum", "weighted", "unanimous"}, default "sum"
        How hidden units get their errors.
    margin : float, default 0
        Distance :math:`\kappa` from the threshold that makes an output right, at least 0; mV for
        LIF units.
    spread : float, default 0.5
        Geometric mean c of the two numbers behind a "balanced" weight, in the unit of a weight,
        greater than 0. Weights much smaller change by steps, much larger ones by percentages.
    hidden : {"error", "target"}, default "error"
        Whether a hidden unit takes over what it is told as its error, or as what it is to do.

    References
    ----------
    Agmon 1954, Can. J. Math. 6:382, for "additive"; Littlestone 1988, Mach. Learn. 2:285, for
    multiplicative updates that converge; Kivinen & Warmuth 1997, Inf. Comput. 132:1, for
    "balanced" (unnormalised EG+-); Bengio, Leonard & Courville 2013, arXiv:1308.3432, for
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
        _check.positive("Proportional.spread", self.spread)
        _check.choice("Proportional.hidden", self.hidden, _HIDDEN)

    @property
    def readout(self) -> NetInput:
        """How outputs become decisions."""
        return NetInput()

    def init(self, network: LayeredNetwork) -> None:
        """Check that the rule can train `network`.

        Raises
        ------
        ParameterError
            Threshold and LIF units in one network, recurrent weights, membranes that differ
            within a layer, no layer whose weights are trainable.
        ParameterTypeError
            Units other than threshold and LIF ones.
        """
        check_layers("Proportional", network)

    def step(
        self, network: LayeredNetwork, state: None, x: np.ndarray, labels: np.ndarray
    ) -> tuple[LayeredNetwork, None, Metrics]:
        """Learn from the trials of `x` one after another.

        Parameters
        ----------
        network : LayeredNetwork
            Threshold units or LIF units in all layers; never modified. Layers whose weights are
            not trainable stay as they are and pass on credit.
        state : None
            There is none.
        x : ndarray, shape (n_steps, n_trials, n_inputs)
            Encoded inputs; one step for threshold units.
        labels : ndarray of int64, shape (n_trials,)
            Class of each trial, from 0.

        Returns
        -------
        network, state, metrics
            The loss is the number of trials decided wrongly, each before its own update.

        Raises
        ------
        NonFiniteStateError
            Weights or errors that grew beyond all bounds.
        """
        layers = network.layers
        x, labels = check_batch("Proportional", layers[0], max(2, layers[-1].n_post), x, labels)
        trained = ["w" in layer.trainable for layer in layers]
        bias_trained = [
            self.reading == "additive" and moves and "bias" in layer.trainable
            for layer, moves in zip(layers, trained, strict=True)
        ]
        before = packed(network)
        w = before.copy()
        n_correct, trial, layer, unit = _learn(
            x,
            labels,
            stacked(network, bias_trained, len(x)),
            w,
            np.array(trained),
            _READINGS.index(self.reading),
            _CREDITS.index(self.credit),
            _HIDDEN.index(self.hidden),
            float(self.learning_rate),
            float(self.margin),
            float(self.spread),
        )
        refuse_divergence("Proportional", trial, unit, layer if len(layers) > 1 else None)
        metrics = Metrics(
            loss=float(len(labels) - n_correct),
            n_correct=n_correct,
            n_trials=len(labels),
            update_norms=tuple(math.sqrt(np.vdot(change, change)) for change in w - before),
            traces=run(network, x),
        )
        return unpacked(network, w, trained, bias_trained), None, metrics


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
            error[last, k] = _output_error(
                course.excess[last, k], target, stack.strict[last], margin
            )
        for layer in range(last - 1, -1, -1):
            following = error[layer + 1, : stack.widths[layer + 2]]
            for j in range(stack.widths[layer + 1]):
                told = _hidden_error(following, w[layer + 1, :, j], credit)
                if hidden == _TARGET and told != 0.0:
                    told = _output_error(
                        course.excess[layer, j], told < 0.0, stack.strict[layer], margin
                    )
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
def _output_error(excess, target, strict, margin):
    """Return what the net input of an output unit has too much; 0 if it is right."""
    error = excess - margin if target else excess + margin
    if fires(excess, strict) == target and (error >= 0.0 if target else error <= 0.0):
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
        norm2 = 0.0
        for i in range(w.shape[0]):
            norm2 += e[i] ** 2
        gain = -learning_rate * error / norm2 if norm2 != 0.0 else 0.0
    for i in range(w.shape[0]):
        if reading == _ADDITIVE:
            w[i] += gain * e[i]
        elif reading == _BALANCED:
            if e[i] > 0.0:
                s = math.asinh(w[i] / (2.0 * spread)) - learning_rate * error
                s = min(max(s, -_LARGEST_EXPONENT), _LARGEST_EXPONENT)
                w[i] = 2.0 * spread * math.sinh(s)
        elif reading == _EVERY or e[i] > 0.0:
            w[i] += gain * w[i]
        if not abs(w[i]) <= LARGEST_WEIGHT:
            return False
    return True
