r"""Layered networks run forward.

A rate unit works each step on its own: :math:`u = a\,(x w) + b,\ y = f(u)`, with its steepness
a and bias b. A spiking unit has the dynamics of :mod:`spikesim.neurons.lif`, driven by

.. math::

    drive_k = x_{k-1} w + S_{k-1} w_{rec}

since every connection takes one step. Nothing arrives in the first step.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from spikesim import _check
from spikesim._jit import kernel
from spikesim.errors import NonFiniteStateError, ParameterError
from spikesim.layered import lif
from spikesim.layered.network import Layer, LayeredNetwork
from spikesim.neurons import Step

__all__ = ["Trace", "forward", "net_input"]


class Trace(NamedTuple):
    """What one layer did, each array of shape (n_steps, n_trials, n_units).

    Attributes
    ----------
    output : ndarray
        Spikes (0.0 or 1.0) of spiking units, outputs of rate units.
    v : ndarray
        Membrane potential before the reset (mV); for rate units ``u``, what `output` is a
        function of.
    held : ndarray of bool or None
        Where a spiking unit was refractory; None for rate units.
    """

    output: np.ndarray
    v: np.ndarray
    held: np.ndarray | None


def forward(network: LayeredNetwork, x: Any) -> tuple[Trace, ...]:
    """Run a network from its initial state.

    Parameters
    ----------
    network : LayeredNetwork
        What to run.
    x : array_like, shape (n_steps, n_trials, n_inputs)
        Input; ``x[k]`` is stamped with step k, so spiking units feel it in step k + 1.

    Returns
    -------
    tuple of Trace
        One for each layer, from the first to the output.

    Raises
    ------
    ParameterError
        An `x` of another shape, without a step or trial, or with NaN or infinite values.
    NonFiniteStateError
        A membrane potential or net input beyond double precision; the message names the layer,
        the unit and the step.
    """
    _check.instance("forward.network", network, LayeredNetwork, "a LayeredNetwork")
    x = checked_x("forward.x", x, network)
    with np.errstate(over="ignore", invalid="ignore"):
        traces = run(network, x)
    for index, trace in enumerate(traces):
        _refuse_non_finite(index, trace)
    return traces


def checked_x(name: str, x: Any, network: LayeredNetwork) -> np.ndarray:
    """Return `x` as a C-contiguous float64 array that `network` can take."""
    array = _check.float_array(name, x)
    _check.shape(name, array, (None, None, network.n_inputs))
    if 0 in array.shape[:2]:
        raise ParameterError(
            f"{name} must have at least one step and one trial, got shape {array.shape}"
        )
    return array


def _refuse_non_finite(index: int, trace: Trace) -> None:
    bad = ~(np.isfinite(trace.v) & np.isfinite(trace.output))
    if bad.any():
        step, trial, unit = (int(i) for i in np.argwhere(bad)[0])
        raise NonFiniteStateError(
            f"forward: the state of layer {index}, unit {unit} is {trace.v[step, trial, unit]} in "
            f"step {step} of trial {trial}; weights or inputs are too large"
        )


def run(network: LayeredNetwork, x: np.ndarray) -> tuple[Trace, ...]:
    """Do what :func:`forward` does with an input that has been checked."""
    traces = []
    for layer in network.layers:
        trace = run_layer(layer, x, network.dt)
        traces.append(trace)
        x = trace.output
    return tuple(traces)


def run_layer(layer: Layer, x: np.ndarray, dt: float) -> Trace:
    """Run one layer on the output `x` of the layer before."""
    net = net_input(layer, x)
    if layer.neuron.spiking:
        constants = lif.prepared(layer.neuron, layer.synapse, layer.n_post, dt)
        return Trace(*lif.run(constants, net, layer.bias, layer.w_rec))
    net *= layer.steepness
    net += layer.bias
    return Trace(layer.neuron.forward(net), net, None)


def net_input(layer: Layer, x: np.ndarray) -> np.ndarray:
    """Return ``x @ w`` for every step and trial.

    A threshold makes a decision of a rounding error, and a matrix product rounds one row alone
    in another way than among others. For units that have one the inputs are summed in their
    order, as local rules do, so that a trial is decided alike in any company.
    """
    n_steps, n_trials, n_pre = x.shape
    rows = x.reshape(n_steps * n_trials, n_pre)
    if layer.neuron.spiking or isinstance(layer.neuron, Step):
        product = np.zeros((len(rows), layer.n_post))
        _add_in_order(rows, layer.w, product)
    else:
        product = rows @ layer.w
    return product.reshape(n_steps, n_trials, layer.n_post)


@kernel
def _add_in_order(rows, w, product):
    for r in range(rows.shape[0]):
        for i in range(rows.shape[1]):
            # Most inputs of a spiking layer are zero.
            if rows[r, i] != 0.0:
                for j in range(w.shape[1]):
                    product[r, j] += rows[r, i] * w[i, j]
