"""The network of the spiking estimators and what it is made of where nothing else is asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from spikesim import _check
from spikesim.distributions import Distribution, drawn
from spikesim.encoding import PopulationEncoder
from spikesim.errors import ParameterError
from spikesim.estimators.base import hidden_sizes
from spikesim.layered import LayeredNetwork, dense
from spikesim.neurons import LIF, AdaptiveLIF
from spikesim.synapses import Delta, Exponential

__all__ = ["default_encoder", "default_neuron", "default_synapse", "spiking_network"]

# A constant current that holds a normalised neuron half way to its threshold, give or take as
# much: some neurons need a single spike, others many, and few are silent.
_BIAS = 0.5


def default_encoder() -> PopulationEncoder:
    """Return three fields a feature within a trial of 20 ms."""
    return PopulationEncoder(n_fields=3, duration=20.0, t_max=12.0)


def default_neuron() -> LIF:
    """Return a normalised neuron that remembers for 10 ms."""
    return LIF.normalised(tau_m=10.0)


def default_synapse() -> Exponential:
    """Return a synapse with a current of 5 ms."""
    return Exponential(5.0)


def spiking_network(
    estimator: Any, n_inputs: int, n_outputs: int, rng: Any, *, spiking: bool
) -> LayeredNetwork:
    """Return the network of an estimator before training.

    Parameters
    ----------
    estimator : estimator
        Whose parameters say what the network is like.
    n_inputs, n_outputs : int
        Sizes of its ends.
    rng : Generator
        Source of the weights.
    spiking : bool
        Whether output neurons are like the hidden ones; else they are integrators of the same
        membrane, with weights that `gain` leaves alone and without bias.
    """
    name = type(estimator).__name__
    sizes = hidden_sizes(f"{name}.hidden_layer_sizes", estimator.hidden_layer_sizes)
    gain = _check.non_negative(f"{name}.gain", estimator.gain)
    neuron = _check.instance(
        f"{name}.neuron",
        estimator._value_of("neuron"),
        (LIF, AdaptiveLIF),
        "a LIF or AdaptiveLIF",
    )
    network = dense(
        [n_inputs, *sizes, n_outputs],
        default_neuron(),
        synapse=_check.instance(
            f"{name}.synapse",
            estimator._value_of("synapse"),
            (Delta, Exponential),
            "Delta or Exponential",
        ),
        recurrent=_check.boolean(f"{name}.recurrent", estimator.recurrent),
        bias_sd=_BIAS,
        dt=_check.positive(f"{name}.dt", estimator.dt),
        rng=rng,
    )
    layers = []
    for index, layer in enumerate(network.layers):
        if index < len(sizes) or spiking:
            unit = _units(name, neuron, sizes, index, n_outputs, rng)
        else:
            unit = LIF.non_spiking(_tau_of_integrators(name, neuron.tau_m, n_outputs, rng))
        changed = {"w": gain * layer.w, "bias": layer.bias + _BIAS}
        if layer.w_rec is not None:
            changed["w_rec"] = gain * layer.w_rec
        layers.append(replace(layer, neuron=unit, **changed))
    if not spiking:
        output = network.layers[-1]
        layers[-1] = layers[-1].updated(w=output.w, bias=0.0 * output.bias)
    return network.updated(layers)


def _units(name: str, neuron: Any, sizes: list[int], index: int, n_outputs: int, rng: Any) -> Any:
    """Return the neurons of one layer, drawn where they are random."""
    n = sizes[index] if index < len(sizes) else n_outputs
    others = neuron.sizes() - {n}
    if others:
        where = f"{name}.hidden_layer_sizes[{index}] is {n}"
        if index == len(sizes):
            where = f"there are {n} output neurons"
        raise ParameterError(
            f"{name}.neuron has values for {max(others)} units, and {where}; give single values, "
            "or a distribution, from which each layer draws its own"
        )
    return neuron.drawn(n, rng) if neuron.random() else neuron


def _tau_of_integrators(name: str, tau_m: Any, n: int, rng: Any) -> Any:
    """Return the time constant of output integrators: that of hidden neurons, or their mean."""
    if isinstance(tau_m, Distribution):
        return drawn(f"{name}.neuron.tau_m", tau_m, rng, n)
    return float(np.mean(tau_m))
