"""The network of the spiking estimators and what it is made of where nothing else is asked for."""

from __future__ import annotations

from typing import Any

from spikesim import _check
from spikesim.encoding import PopulationEncoder
from spikesim.estimators.base import hidden_sizes
from spikesim.layered import LayeredNetwork, dense
from spikesim.neurons import LIF
from spikesim.synapses import Exponential

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
    neuron = _check.instance(f"{name}.neuron", estimator._value_of("neuron"), LIF, "a LIF")
    network = dense(
        [n_inputs, *sizes, n_outputs],
        neuron,
        output=neuron if spiking else LIF.non_spiking(neuron.tau_m),
        synapse=estimator._value_of("synapse"),
        recurrent=estimator.recurrent,
        bias_sd=_BIAS,
        dt=estimator.dt,
        rng=rng,
    )
    layers = []
    for layer in network.layers:
        changed = {"w": gain * layer.w, "bias": layer.bias + _BIAS}
        if layer.w_rec is not None:
            changed["w_rec"] = gain * layer.w_rec
        layers.append(layer.updated(**changed))
    if not spiking:
        output = network.layers[-1]
        layers[-1] = output.updated(bias=0.0 * output.bias)
    return network.updated(layers)
