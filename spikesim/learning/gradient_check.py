r"""The gradient check: what backpropagation computes against differences of the loss.

A step has no useful derivative, so a spiking network is checked in a relaxed form: each spike is
the primitive of the surrogate, of which the surrogate is the exact derivative
(:mod:`spikesim.layered.relaxed`), and so is the output of a Step unit that has a surrogate.
Other rate units are checked as they are. Analytic and central differences must then agree but
for the error of the differences themselves.

No single step suits every loss: a wide one misses the curvature, a narrow one drowns in rounding.
Each derivative is therefore extrapolated from differences over narrower and narrower steps, and
the value taken that is best converged (Ridders 1982, Adv. Eng. Software 4(2):75).

Kinks limit what a difference can tell. The derivative of a ReLU unit jumps where its net input
is 0, so there the difference is the mean of both sides while backpropagation takes one of them:
an input that hits a kink exactly is reported as an error, though neither is wrong. So does the
derivative of Boxcar at its ends and that of OneSided at threshold. The derivatives of FastSigmoid
and Triangle are continuous but have a corner at threshold (Triangle also at its ends); a unit
closer to it than the narrowest step makes `rounding` grow. A Step unit without a surrogate has a
derivative of 0 everywhere but at its threshold, hence nothing to check behind it. Another input
or another seed moves units away from kinks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from spikesim import _check
from spikesim.errors import ParameterError
from spikesim.layered.backward import backward
from spikesim.layered.forward import Trace, checked_x, run
from spikesim.layered.network import LayeredNetwork
from spikesim.layered.relaxed import relaxed_forward
from spikesim.learning.backprop import Backprop
from spikesim.learning.inputs import checked_answers
from spikesim.learning.regularisers import penalties

__all__ = ["GradientCheck", "check_gradient"]

_FLOOR = 1e-4
_NARROWER = 4.0
_N_STEPS = 12
_EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class GradientCheck:
    """Two gradients of one loss.

    The gradient is wrong if `max_relative_error` is far above `rounding`. If `rounding` is large
    itself, the differences cannot tell: see the notes on kinks in
    :mod:`spikesim.learning.gradient_check`.

    Attributes
    ----------
    max_relative_error : float
        Largest of the errors in `by_layer`.
    analytic, numeric : list of dict of ndarray
        For each layer the gradient by each trainable array, by backpropagation and by central
        differences.
    by_layer : list of dict of float
        For each array the Euclidean norm of the difference, over the norm of the gradient or
        1e-4 of the largest norm among all arrays, whichever is larger (so that an array whose
        gradient is zero but for rounding does not count as wrong).
    rounding : float
        How exact the differences are by their own estimate, from how well they converged and
        from the rounding of the loss; relative, as `max_relative_error`.
    """

    max_relative_error: float
    analytic: list[dict[str, np.ndarray]]
    numeric: list[dict[str, np.ndarray]]
    by_layer: list[dict[str, float]]
    rounding: float


@_check.suggest_keywords
def check_gradient(
    network: LayeredNetwork, rule: Backprop, x: Any, labels: Any, *, step: float = 1.0
) -> GradientCheck:
    """Compare the gradient of a rule with central differences.

    Kinks, such as that of a ReLU unit at a net input of exactly 0, have no derivative to compare
    with; :mod:`spikesim.learning.gradient_check` says how they show.

    Parameters
    ----------
    network : LayeredNetwork
        The network. It runs about twelve times for every trainable number, in plain NumPy: keep
        it small.
    rule : Backprop
        Its loss, regularisers, readout, surrogate and `detach_reset` are used.
    x : array_like, shape (n_steps, n_trials, n_inputs)
        Encoded input.
    labels : array_like of int, shape (n_trials,)
        Classes, or real targets for a loss that takes them.
    step : float, default 1
        Half the distance of the two points of the widest difference, times the root mean square
        of the array where that is above 1. Each next one is four times narrower;
        there are twelve at most.

    Returns
    -------
    GradientCheck

    Raises
    ------
    ParameterError, ParameterTypeError
        As :func:`~spikesim.learning.fit`; and a gradient that is 0 by every parameter, in both
        ways, since such a check would pass whatever the rule does.
    """
    _check.instance("check_gradient.network", network, LayeredNetwork, "a LayeredNetwork")
    _check.instance("check_gradient.rule", rule, Backprop, "a Backprop rule")
    x = checked_x("check_gradient.x", x, network)
    classes = checked_answers("check_gradient.labels", labels, x.shape[1], network, rule)
    step = _check.positive("check_gradient.step", step)
    rule.init(network)

    held = [trace.held for trace in run(network, x)]

    def relaxed(net: LayeredNetwork, resets: Any) -> tuple[Trace, ...]:
        return relaxed_forward(net, x, rule.surrogate.primitive, held, resets)

    base = relaxed(network, None)
    resets = [trace.output for trace in base] if rule.detach_reset else None
    _, _, grad_output, grad_v = rule.loss_and_gradient(network, base, classes)
    _, besides = penalties(rule.regularisers, network, base)
    analytic = backward(
        network,
        x,
        base,
        grad_output,
        grad_v,
        surrogate=rule.surrogate,
        detach_reset=rule.detach_reset,
        besides=besides,
    )

    def loss(net: LayeredNetwork) -> float:
        traces = relaxed(net, resets)
        losses, *_ = rule.loss_and_gradient(net, traces, classes)
        return float(losses.mean()) + penalties(rule.regularisers, net, traces)[0]

    numeric, uncertain = [], []
    for index, layer in enumerate(network.layers):
        pairs = {
            name: _differences(network, index, name, loss, step) for name in layer.parameters()
        }
        numeric.append({name: pair[0] for name, pair in pairs.items()})
        uncertain.append({name: pair[1] for name, pair in pairs.items()})
    if _all_zero(analytic, numeric, uncertain):
        raise ParameterError(
            "check_gradient: the loss does not depend on any trainable parameter at this input, "
            "so there is nothing to check; use an input that drives the units, a wider surrogate, "
            "or labels that the network does not get perfectly right"
        )
    return _compared(analytic, numeric, uncertain)


def _differences(
    network: LayeredNetwork, index: int, name: str, loss: Any, step: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the derivative of `loss` by each number of one array, and the error of each."""
    layer = network.layers[index]
    array = layer.parameters()[name]
    half = step * max(1.0, float(np.sqrt(np.mean(array**2))))
    if name == "v_th":
        # Not below what the threshold must lie above.
        lowest = np.maximum(layer.neuron.v_reset, layer.neuron.v_rest)
        half = min(half, 0.5 * float(np.min(array - lowest)))
    result, uncertain = np.zeros(array.shape), np.zeros(array.shape)

    def moved_loss(position: tuple[int, ...], by: float) -> tuple[float, float]:
        moved = array.copy()
        moved[position] += by
        layers = list(network.layers)
        layers[index] = layer.updated(**{name: moved})
        return moved[position], loss(network.updated(layers))

    for position in np.ndindex(array.shape):

        def difference(h: float, position: tuple[int, ...] = position) -> tuple[float, float]:
            above, loss_above = moved_loss(position, h)
            below, loss_below = moved_loss(position, -h)
            noise = 8.0 * _EPS * max(abs(loss_above), abs(loss_below)) / (above - below)
            return (loss_above - loss_below) / (above - below), noise

        result[position], uncertain[position] = _extrapolated(difference, half)
    return result, uncertain


def _extrapolated(difference: Any, widest: float) -> tuple[float, float]:
    """Return the limit of a central difference for a step of 0, and an estimate of its error.

    Ridders' method: the error of a central difference is a series in even powers of the step,
    which Neville's scheme removes one after another. Of all values the one is taken that changed
    least from its two predecessors. It ends when rounding, which grows as steps get narrower, is
    all the error that is left.

    Parameters
    ----------
    difference : callable
        Maps a step to the central difference and the rounding error it may have.
    widest : float
        First step.
    """
    best, least = 0.0, np.inf
    before: list[float] = []
    for turn in range(_N_STEPS):
        value, noise = difference(widest / _NARROWER**turn)
        row = [value]
        for order, coarser in enumerate(before):
            power = _NARROWER ** (2 * (order + 1))
            finer = row[order]
            row.append((power * finer - coarser) / (power - 1.0))
            change = max(abs(row[-1] - finer), abs(row[-1] - coarser))
            if change + noise < least:
                best, least = row[-1], change + noise
            if change <= noise and turn > 1:
                return best, least
        before = row
    return best, least


def _all_zero(*gradients: list[dict[str, np.ndarray]]) -> bool:
    """Tell whether the analytic gradient is 0 and the numeric one within its error of 0."""
    analytic, numeric, uncertain = gradients
    return all(
        not array.any() and np.all(np.abs(numeric[index][name]) <= uncertain[index][name])
        for index, arrays in enumerate(analytic)
        for name, array in arrays.items()
    )


def _compared(
    analytic: list[dict[str, np.ndarray]],
    numeric: list[dict[str, np.ndarray]],
    uncertain: list[dict[str, np.ndarray]],
) -> GradientCheck:
    def norm(array: np.ndarray) -> float:
        return float(np.linalg.norm(array))

    largest = max(norm(array) for arrays in numeric for array in arrays.values())
    by_layer: list[dict[str, float]] = []
    rounding = 0.0
    for ours, theirs, limits in zip(analytic, numeric, uncertain, strict=True):
        errors = {}
        for name, array in ours.items():
            size = max(norm(array), norm(theirs[name]), _FLOOR * largest)
            error = norm(array - theirs[name])
            errors[name] = error / size if size > 0.0 else 0.0
            rounding = max(rounding, norm(limits[name]) / size if size > 0.0 else 0.0)
        by_layer.append(errors)
    worst = max(error for errors in by_layer for error in errors.values())
    return GradientCheck(worst, analytic, numeric, by_layer, rounding)
