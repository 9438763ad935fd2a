r"""Layered networks run forward.

A rate unit works each step on its own: :math:`u = a\,(x w) + b,\ y = f(u)`, with its steepness
a and bias b. A spiking unit has the dynamics of :mod:`spikesim.neurons.lif`, driven by

.. math::

    drive_k = x_{k-1} w + S_{k-1} w_{rec}

since every connection takes one step. Nothing arrives in the first step.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from spikesim import _check
from spikesim._jit import kernel
from spikesim.errors import NonFiniteStateError, ParameterError
from spikesim.layered import continuous, delay_lines, lif
from spikesim.layered.network import Layer, LayeredNetwork
from spikesim.layered.packed import PackedSpikes
from spikesim.layered.rows import add_weighted
from spikesim.layered.trace import SpikingTrace, Trace
from spikesim.neurons import Step

__all__ = ["SpikingTrace", "Trace", "forward", "net_input", "run"]


def forward(network: LayeredNetwork, x: Any) -> tuple[Trace | SpikingTrace, ...]:
    """Run a network from its initial state.

    Parameters
    ----------
    network : LayeredNetwork
        What to run.
    x : array_like, shape (n_steps, n_trials, n_inputs), or PackedSpikes
        Input; ``x[k]`` is stamped with step k, so spiking units feel it in step k + 1. A network
        in continuous time takes :class:`SpikeTimes`, or the spikes of ``x[k]`` at ``k * dt``.

    Returns
    -------
    tuple of Trace and SpikingTrace
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
    if network.continuous:
        return traces
    for index, trace in enumerate(traces):
        _refuse_non_finite(index, trace)
    return traces


def checked_x(name: str, x: Any, network: LayeredNetwork) -> Any:
    """Return `x` as what `network` can take: packed spikes, a float64 array, or exact times."""
    if network.continuous:
        return continuous.spikes_of(name, x, network)
    if isinstance(x, PackedSpikes):
        array = x
        if x.n_units != network.n_inputs:
            raise ParameterError(
                f"{name} has {x.n_units} units, the first layer takes {network.n_inputs}"
            )
    else:
        array = _check.float_array(name, x)
        _check.shape(name, array, (None, None, network.n_inputs))
    if 0 in array.shape[:2]:
        raise ParameterError(
            f"{name} must have at least one step and one trial, got shape {array.shape}"
        )
    return array


def _refuse_non_finite(index: int, trace: Any) -> None:
    bad = ~np.isfinite(trace.v)
    if isinstance(trace, Trace):
        bad |= ~np.isfinite(trace.output)
    if bad.any():
        step, trial, unit = (int(i) for i in np.argwhere(bad)[0])
        raise NonFiniteStateError(
            f"forward: the state of layer {index}, unit {unit} is {trace.v[step, trial, unit]} in "
            f"step {step} of trial {trial}; weights or inputs are too large"
        )


def given_to_first(network: LayeredNetwork, x: Any) -> Any:
    """Return `x` as the first layer works on it: packed if it is spikes for spiking units."""
    if isinstance(x, PackedSpikes):
        return x if network.layers[0].neuron.spiking else x.unpack(network.dtype)
    if network.layers[0].neuron.spiking:
        packed = PackedSpikes.packed_if_binary(x)
        if packed is not None:
            return packed
    return x.astype(network.dtype, copy=False)


def run(network: LayeredNetwork, x: Any) -> tuple[Any, ...]:
    """Do what :func:`forward` does with an input that has been checked."""
    if network.continuous:
        return continuous.run(network, x)
    traces: list[Any] = []
    signal = given_to_first(network, x)
    for layer in network.layers:
        trace = run_layer(layer, signal, network.dt)
        traces.append(trace)
        signal = trace.passed_on
    return tuple(traces)


def run_layer(layer: Layer, x: Any, dt: float) -> Any:
    """Run one layer on the output `x` of the layer before."""
    if layer.neuron.spiking:
        return lif.run(layer, behind_delays(layer, x, dt), dt)
    if isinstance(x, PackedSpikes):
        x = x.unpack(layer.w.dtype)
    net = net_input(layer, x)
    net *= layer.steepness
    net += layer.bias
    return Trace(layer.neuron.forward(net), net, None)


def behind_delays(layer: Layer, x: Any, dt: float) -> Any:
    """Return what a layer is given: `x`, behind the delay lines of inputs that have some."""
    steps = lif.delay_steps(layer, dt)
    return x if steps is None else delay_lines.arriving(x, steps, layer.w.dtype)


def net_input(layer: Layer, x: np.ndarray) -> np.ndarray:
    """Return ``x @ w`` of rate units for every step and trial.

    A threshold makes a decision of a rounding error, and a matrix product rounds one row alone
    in another way than among others. For units that have one the inputs are summed in their
    order, as local rules do, so that a trial is decided alike in any company.
    """
    n_steps, n_trials, n_pre = x.shape
    rows = x.reshape(n_steps * n_trials, n_pre)
    if isinstance(layer.neuron, Step):
        product = np.zeros((len(rows), layer.n_post), layer.w.dtype)
        _add_in_order(rows, layer.w, product)
    else:
        product = rows @ layer.w
    return product.reshape(n_steps, n_trials, layer.n_post)


@kernel
def _add_in_order(rows, w, product):
    for r in range(rows.shape[0]):
        add_weighted(rows[r], w, product[r])
