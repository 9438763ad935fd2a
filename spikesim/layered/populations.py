r"""A layered network as a network of populations: what was trained is what is simulated.

Every layer becomes a population and every weight matrix a projection, with a delay of one step
unless the layer has another, so that both engines do the same work (``docs/update_order.md``).
They also do it in the same order: in a step, the weights of the spikes that arrive are added one
by one, older spikes first, then those of the layer before by index, then those of the layer
itself. For

.. math::

    v \leftarrow v_{rest} + e^{-dt/\tau_m} (v - v_{rest}) + push

that is, through a delta synapse, :math:`push = (c + ((0 + w_1) + w_2) + \dots)`; through an
exponential one :math:`push = c + p_{v,i}\, i_{syn}` and then
:math:`i_{syn} \leftarrow ((e^{-dt/\tau_{syn}}\, i_{syn} + w_1) + w_2) + \dots`, with c what
constant currents add. So spikes and potentials are equal in every bit.

An input that is no spike, ``x[k, b, i]`` other than 0 and 1, adds ``x[k, b, i] * w[i]``. A source
of its own for each value that an input line takes does the same.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from spikesim import _check
from spikesim.errors import ParameterError
from spikesim.layered.forward import checked_x
from spikesim.layered.network import Layer, LayeredNetwork
from spikesim.network import AllToAll, ExplicitList, Network, Population, Projection
from spikesim.neurons import InhomogeneousPoissonSource, PoissonSource, SpikeSource

__all__ = ["to_network"]

_SOURCES = (SpikeSource, PoissonSource, InhomogeneousPoissonSource)


@_check.suggest_keywords
def to_network(network: LayeredNetwork, x: Any = None, *, trial: int = 0) -> Network:
    """Turn a layered network of spiking units into populations to :func:`~spikesim.simulate`.

    Simulate the result with ``dt=network.dt``, of which all delays are multiples. A spike that
    ``forward(network, x)`` has in ``output[k]`` of a layer is then in the recording at the time
    ``(k + 1) * dt``, and the other way round: the spikes are the same, and so are the potentials
    in every bit (the recording has them after the reset, a :class:`Trace` before it). A network in
    single precision has other roundings, as the simulation is in double precision; a spike of it
    may then be elsewhere.

    Where inputs have delays of their own, spikes that arrive together are added in another
    order, so that potentials agree but for rounding.

    Parameters
    ----------
    network : LayeredNetwork
        All layers have :class:`~spikesim.LIF` units, spiking or not, or
        :class:`~spikesim.AdaptiveLIF` ones.
    x : array_like, shape (n_steps, n_trials, n_inputs), or a source of spikes, optional
        Input as for :func:`forward`; or a :class:`~spikesim.SpikeSource`,
        :class:`~spikesim.PoissonSource` or :class:`~spikesim.InhomogeneousPoissonSource`, the
        model of `n_inputs` inputs. By default the inputs are silent.
    trial : int, default 0
        Which trial of `x` the inputs fire in; a trial begins in the initial state, so each is a
        simulation of its own.

    Returns
    -------
    Network
        The populations "input", "layer 0", "layer 1" and so on. If `x` has other values than 0
        and 1, "input" has a neuron for each pair of an input and a value that it takes, and its
        weights are those of the input times the value.

    Raises
    ------
    ParameterError
        A layer of rate units, a delay of 0, a network in continuous time, an `x` of another
        shape.
    ParameterIndexError
        A trial that `x` does not have.

    Examples
    --------
    >>> import numpy as np
    >>> import spikesim as sp
    >>> layered = sp.dense([2, 3], sp.LIF.normalised(), gain=4.0, rng=1)
    >>> x = np.ones((20, 1, 2))
    >>> recording = sp.simulate(sp.to_network(layered, x), 20.0, dt=layered.dt)
    >>> output = sp.layered.forward(layered, x)[-1].output
    >>> bool(len(recording["layer 0"].spike_times) == output.sum() > 0)
    True
    """
    _check.instance("to_network.network", network, LayeredNetwork, "a LayeredNetwork")
    if network.continuous:
        raise ParameterError(
            "to_network.network must be on a grid, its spikes fall at any time; "
            "LayeredNetwork(network.layers, dt) puts it on one, which moves spikes by up to a step"
        )
    for index, layer in enumerate(network.layers):
        _refuse(index, layer)
    model, w = _source(network, x, trial)
    populations = [Population("input", model, len(w))]
    projections = []
    for index, layer in enumerate(network.layers):
        before, own = populations[-1], Population(f"layer {index}", _neuron(layer), layer.n_post)
        populations.append(own)
        into = w if index == 0 else layer.w
        delay = _on_grid(layer.delay, network.dt, index)
        if np.ndim(delay) and len(into) != layer.n_pre:
            raise ParameterError(
                f"to_network.x must be spikes, as each input of layer {index} has its own delay"
            )
        projections.append(_projection(before, own, into, delay, layer.synapse))
        if layer.w_rec is not None:
            delay = _on_grid(layer.delay_rec, network.dt, index)
            projections.append(_projection(own, own, layer.w_rec, delay, layer.synapse))
    return Network(populations, projections)


def _refuse(index: int, layer: Layer) -> None:
    if not layer.neuron.spiking:
        raise ParameterError(
            f"to_network.network must have LIF units in every layer, layer {index} has "
            f"{type(layer.neuron).__name__}; to_spiking makes a spiking network of sigmoid "
            "or ReLU units"
        )
    for name in ("delay", "delay_rec"):
        delay = getattr(layer, name)
        if delay is not None and np.any(np.asarray(delay) == 0.0):
            raise ParameterError(
                f"to_network.network must have delays of at least one step, layer {index} has "
                f"{name} 0: in a network of populations a spike takes time"
            )


def _neuron(layer: Layer) -> Any:
    """Return the neuron of a layer with the bias as part of its constant current."""
    # Not by LIF(), which would ask about units a second time.
    neuron = copy.copy(layer.neuron)
    i_ext = np.array(layer.bias + neuron.i_ext, dtype=np.float64)
    i_ext.flags.writeable = False
    object.__setattr__(neuron, "i_ext", i_ext)
    return neuron


def _on_grid(delay: Any, dt: float, index: int) -> Any:
    """Return a delay, or those of the inputs, as multiples of `dt`; None is one step."""
    if delay is None:
        return dt
    steps = np.rint(np.asarray(delay, np.float64) / dt)
    if np.any(np.abs(delay - steps * dt) > 1e-6 * dt):
        raise ParameterError(
            f"to_network.network must have delays on the grid of {dt:g} ms, layer {index} has "
            "learnt others; round them first: layer.updated(delay=np.rint(layer.delay / dt) * dt)"
        )
    return steps * dt if np.ndim(delay) else float(steps) * dt


def _projection(
    source: Population, target: Population, w: np.ndarray, delay: Any, synapse: Any
) -> Projection:
    """Return the synapses of a weight matrix; a weight of 0 is none."""
    if np.all(w) and not np.ndim(delay):
        return Projection(source, target, AllToAll(), w, delay, synapse)
    pre, post = np.nonzero(w)
    if np.ndim(delay):
        delay = delay[pre]
    return Projection(source, target, ExplicitList(pre, post), w[pre, post], delay, synapse)


def _source(network: LayeredNetwork, x: Any, trial: Any) -> tuple[Any, np.ndarray]:
    """Return the model of the inputs, and the weights of each into the first layer."""
    w, dt = network.layers[0].w, network.dt
    if x is None:
        return SpikeSource([]), w
    if isinstance(x, _SOURCES):
        return x, w
    array = checked_x("to_network.x", x, network)
    trial = _check.integer("to_network.trial", trial)
    _check.indices("to_network.trial", trial, array.shape[1])
    rows = np.asarray(array, dtype=np.float64)[:, trial]
    steps, lines = np.nonzero(rows)
    values = rows[steps, lines]
    ids = lines
    if np.any(values != 1.0):
        # Sorted by line, then by value: lines are felt in their order.
        pairs, ids = np.unique(np.stack([lines, values]), axis=1, return_inverse=True)
        w = pairs[1][:, np.newaxis] * w[pairs[0].astype(np.int64)]
    return SpikeSource((steps + 1) * dt, ids.reshape(-1)), w
