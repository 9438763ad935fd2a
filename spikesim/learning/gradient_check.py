r"""The gradient check: what backpropagation computes against differences of the loss.

A step has no useful derivative, so a spiking network is checked in a relaxed form: each spike is
the primitive of the surrogate, of which the surrogate is the exact derivative
(:mod:`spikesim.layered.relaxed`). Rate networks are checked as they are. Analytic and central
differences must then agree but for rounding, and for kinks that fall within a step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from spikesim import _check
from spikesim.layered.backward import backward
from spikesim.layered.forward import Trace, checked_x, run
from spikesim.layered.network import LayeredNetwork
from spikesim.layered.relaxed import relaxed_forward
from spikesim.learning.backprop import Backprop
from spikesim.learning.inputs import checked_labels

__all__ = ["GradientCheck", "check_gradient"]

_FLOOR = 1e-4


@dataclass(frozen=True, eq=False)
class GradientCheck:
    """Two gradients of one loss.

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
    """

    max_relative_error: float
    analytic: list[dict[str, np.ndarray]]
    numeric: list[dict[str, np.ndarray]]
    by_layer: list[dict[str, float]]


def check_gradient(
    network: LayeredNetwork, rule: Backprop, x: Any, labels: Any, *, step: float = 1e-6
) -> GradientCheck:
    """Compare the gradient of a rule with central differences.

    Parameters
    ----------
    network : LayeredNetwork
        The network. It runs twice for every trainable number, in plain NumPy: keep it small.
    rule : Backprop
        Its loss, readout, surrogate and `detach_reset` are used.
    x : array_like, shape (n_steps, n_trials, n_inputs)
        Encoded input.
    labels : array_like of int, shape (n_trials,)
        Classes.
    step : float, default 1e-6
        Half the distance of the two points of a difference, times the root mean square of the
        array where that is above 1.

    Returns
    -------
    GradientCheck

    Raises
    ------
    ParameterError, ParameterTypeError
        As :func:`~spikesim.learning.fit`.
    """
    _check.instance("check_gradient.network", network, LayeredNetwork, "a LayeredNetwork")
    _check.instance("check_gradient.rule", rule, Backprop, "a Backprop rule")
    x = checked_x("check_gradient.x", x, network)
    classes = checked_labels("check_gradient.labels", labels, x.shape[1], network)
    step = _check.positive("check_gradient.step", step)
    rule.init(network)

    held = [trace.held for trace in run(network, x)]

    def relaxed(net: LayeredNetwork, resets: Any) -> tuple[Trace, ...]:
        return relaxed_forward(net, x, rule.surrogate.primitive, held, resets)

    base = relaxed(network, None)
    resets = [trace.output for trace in base] if rule.detach_reset else None
    _, _, grad_output, grad_v = rule.loss_and_gradient(network, base, classes)
    analytic = backward(
        network,
        x,
        base,
        grad_output,
        grad_v,
        surrogate=rule.surrogate,
        detach_reset=rule.detach_reset,
    )

    def loss(net: LayeredNetwork) -> float:
        return float(rule.loss_and_gradient(net, relaxed(net, resets), classes)[0].mean())

    numeric = []
    for index, layer in enumerate(network.layers):
        numeric.append(
            {name: _differences(network, index, name, loss, step) for name in layer.parameters()}
        )
    return _compared(analytic, numeric)


def _differences(
    network: LayeredNetwork, index: int, name: str, loss: Any, step: float
) -> np.ndarray:
    """Return the central difference of `loss` by each number of one array of one layer."""
    layer = network.layers[index]
    array = getattr(layer, name)
    half = step * max(1.0, float(np.sqrt(np.mean(array**2))))
    result = np.zeros(array.shape)
    for position in np.ndindex(array.shape):
        values = []
        for sign in (1.0, -1.0):
            moved = array.copy()
            moved[position] += sign * half
            layers = list(network.layers)
            layers[index] = layer.updated(**{name: moved})
            values.append((moved[position], loss(network.updated(layers))))
        (above, loss_above), (below, loss_below) = values
        result[position] = (loss_above - loss_below) / (above - below)
    return result


def _compared(
    analytic: list[dict[str, np.ndarray]], numeric: list[dict[str, np.ndarray]]
) -> GradientCheck:
    def norm(array: np.ndarray) -> float:
        return float(np.linalg.norm(array))

    largest = max(norm(array) for arrays in numeric for array in arrays.values())
    by_layer: list[dict[str, float]] = []
    for ours, theirs in zip(analytic, numeric, strict=True):
        errors = {}
        for name, array in ours.items():
            size = max(norm(array), norm(theirs[name]), _FLOOR * largest)
            error = norm(array - theirs[name])
            errors[name] = error / size if size > 0.0 else 0.0
        by_layer.append(errors)
    worst = max(error for errors in by_layer for error in errors.values())
    return GradientCheck(worst, analytic, numeric, by_layer)
