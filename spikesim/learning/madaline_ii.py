"""Madaline Rule II: try out which hidden unit should change its mind (Winter & Widrow 1988)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikesim import _check
from spikesim._jit import kernel
from spikesim.errors import ParameterError
from spikesim.layered import LayeredNetwork
from spikesim.learning.cascade import CascadeRule, Stack, blank, emit, present, weigh
from spikesim.learning.local import LARGEST_WEIGHT, decide, fires, lms_gain, squared_length

__all__ = ["MadalineII"]


@_check.suggest_keywords
@dataclass(frozen=True)
class MadalineII(CascadeRule):
    r"""Turn over the hidden units closest to threshold, where that removes errors of the output.

    The excess of a unit is its net input minus its threshold; it fires if the excess is at least
    zero (a hidden LIF unit if it spiked, which is the same up to rounding). One output fires for
    class 1; of several each is to fire for its own class alone. On a trial with a wrong output
    unit:

    1. Hidden units are tried in the order of \|excess\|, the closest to threshold first. The
       output of the unit is turned over: of a threshold unit 0 becomes 1 and 1 becomes 0; a LIF
       unit that fired loses its spikes, a silent one gets a single spike at :math:`t_{max}`. If
       fewer output units are wrong now, it stays so and the unit learns; otherwise it is undone.
    2. As long as an output is wrong, groups of two units that have not been turned are tried
       together, then of three, up to `max_together`; first those whose farthest member is
       closest to threshold.
    3. Output units still wrong learn, if their layer is trainable.

    To learn is to move the excess by a share of the way to a target beyond the threshold,

    .. math:: \Delta w_i = \eta\,(\pm margin - excess)\,\frac{e_i}{\lVert e \rVert^2}

    plus for units that should fire. The eligibility :math:`e_i` is the input itself for threshold
    units and the response to input i at :math:`t_{max}` for LIF units; the bias, where it is
    trainable, is one more input. Units with no eligibility at all are passed over.

    *Each synapse must know* its own eligibility and, from the unit, the graded distance divided
    by the summed squares of all eligibilities. *The network must know* how many of its outputs
    are wrong with each trial flip: one number, tried out instead of carried back. *The cost* of
    an error is up to one run of the output layer for each group of H hidden units that is tried,
    :math:`\binom{H}{1} + \binom{H}{2} + \binom{H}{3}`: about :math:`H^3/6` for triples, so that
    larger groups are not offered.

    *Works* on XOR and other problems beyond a hyperplane, with any output layer, even one that
    is fixed, as that of :func:`~spikesim.learning.committee_network`; no derivative is asked
    for. *Fails* where one hidden unit can turn an output alone: it is turned over at every
    error, which ends the error, so that neither the other units nor the output learn, and it
    goes round in circles if it cannot solve the problem by itself. Starts with more hidden
    units, or with outputs that need several of them, are less often caught. A LIF unit whose
    potential is highest in the last step cannot be heard in time, and is turned in vain.

    Parameters
    ----------
    learning_rate : float, default 0.5
        Share :math:`\eta` of the distance, in (0, 2). From 1 on a unit turns over at once, below
        only if its excess was small beside the margin.
    margin : float, default 0.5
        Target distance from the threshold, greater than 0; mV for LIF units.
    max_together : int, default 3
        Most hidden units that are turned over together, from 1 to 3.

    References
    ----------
    Winter & Widrow 1988, IEEE Int. Conf. Neural Networks 1:401; Widrow & Lehr 1990,
    Proc. IEEE 78:1415.
    """

    learning_rate: float = 0.5
    margin: float = 0.5
    max_together: int = 3

    def __post_init__(self) -> None:
        _check.positive_below("MadalineII.learning_rate", self.learning_rate, 2.0)
        _check.positive("MadalineII.margin", self.margin)
        if _check.integer("MadalineII.max_together", self.max_together, minimum=1) > 3:
            raise ParameterError(
                f"MadalineII.max_together must be at most 3, got {self.max_together}"
            )

    def init(self, network: LayeredNetwork) -> None:
        """Check that the rule can train `network`.

        Raises
        ------
        ParameterError
            Another number of layers than two, threshold and LIF units in one network, recurrent
            weights, membranes that differ within a layer, hidden weights that are not trainable.
        ParameterTypeError
            Units other than threshold and LIF ones.
        """
        if len(network.layers) != 2:
            raise ParameterError(
                f"MadalineII.network must have two layers, got {len(network.layers)}"
            )
        super().init(network)
        if "w" not in network.layers[0].trainable:
            raise ParameterError("MadalineII.network: w of layer 0 must be in Layer.trainable")

    def _learn(
        self, x: np.ndarray, labels: np.ndarray, stack: Stack, w: np.ndarray, trained: np.ndarray
    ) -> tuple[int, int, int, int]:
        n_hidden = int(stack.widths[1])
        return _learn(
            x,
            labels,
            stack,
            w,
            bool(trained[1]),
            min(self.max_together, n_hidden),
            float(self.learning_rate),
            float(self.margin),
        )


@kernel
def _learn(x, labels, stack, w, output_learns, max_together, learning_rate, margin):
    n_hidden, n_outputs = stack.widths[1], stack.widths[2]
    course = blank(stack)
    target = np.empty(n_outputs, np.bool_)
    done = np.empty(n_hidden, np.bool_)
    group = np.empty(max_together, np.int64)
    n_correct = 0
    for trial in range(x.shape[1]):
        present(x, trial, course)
        weigh(stack, w, 0, course)
        emit(stack, w, 0, course)
        for k in range(n_outputs):
            target[k] = labels[trial] == (k if n_outputs > 1 else 1)
        n_wrong = _weighed_errors(stack, w, target, course)
        if decide(course.excess[1, :n_outputs], stack.strict[1]) == labels[trial]:
            n_correct += 1
        if n_wrong == 0:
            continue
        real = course.output[:, 1].copy()
        order = np.argsort(np.abs(course.excess[0, :n_hidden]), kind="mergesort")
        for j in range(n_hidden):
            done[j] = squared_length(_eligible(stack, course, 0, j)) == 0.0
        for size in range(1, max_together + 1):
            for rank in range(size):
                group[rank] = rank
            more = True
            while more and n_wrong > 0:
                members = order[group[:size]]
                if not done[members].any():
                    for j in members:
                        _turn_over(real, j, course)
                    wrong_now = _weighed_errors(stack, w, target, course)
                    if wrong_now < n_wrong:
                        n_wrong = wrong_now
                        for j in members:
                            done[j] = True
                            up = not real[:, j].any()
                            if not _move(stack, w, 0, j, up, learning_rate, margin, course):
                                return n_correct, trial, 0, j
                    else:
                        for j in members:
                            course.output[:, 1, j] = real[:, j]
                more = _next_group(group[:size], n_hidden)
        if n_wrong == 0 or not output_learns:
            continue
        _weighed_errors(stack, w, target, course)
        for k in range(n_outputs):
            if fires(course.excess[1, k], stack.strict[1]) != target[k]:
                if not _move(stack, w, 1, k, target[k], learning_rate, margin, course):
                    return n_correct, trial, 1, k
    return n_correct, -1, -1, -1


@kernel
def _weighed_errors(stack, w, target, course):
    """Weigh the output layer and return how many of its units are wrong."""
    weigh(stack, w, 1, course)
    n_wrong = 0
    for k in range(target.shape[0]):
        n_wrong += fires(course.excess[1, k], stack.strict[1]) != target[k]
    return n_wrong


@kernel
def _turn_over(real, j, course):
    """Give a hidden unit the opposite of its real output."""
    course.output[:, 1, j] = 0.0
    if not real[:, j].any():
        course.output[course.t_max[0, j], 1, j] = 1.0


@kernel
def _next_group(group, n):
    """Go on to the next of the increasing groups of `n` ranks; return whether there is one.

    In the order of the last member, then of the last but one, and so on.
    """
    size = group.shape[0]
    for place in range(size):
        following = group[place + 1] if place + 1 < size else n
        if group[place] + 1 < following:
            group[place] += 1
            for lower in range(place):
                group[lower] = lower
            return True
    return False


@kernel
def _eligible(stack, course, layer, k):
    """Return the eligibilities of a unit."""
    return course.e[layer, : stack.n_lines[layer], course.t_max[layer, k]]


@kernel
def _move(stack, w, layer, k, up, learning_rate, margin, course):
    """Move a unit towards its target; return whether its weights are still within bounds."""
    e = _eligible(stack, course, layer, k)
    wanted = margin if up else -margin
    gain = lms_gain(learning_rate, wanted - course.excess[layer, k], e)
    for i in range(e.shape[0]):
        w[layer, k, i] += gain * e[i]
        if not abs(w[layer, k, i]) <= LARGEST_WEIGHT:
            return False
    return True
