r"""What may go wrong with a trained network, each kind a function of its own.

A perturbation takes a network, or the input of one, with a strength and a seed, and returns
another; what it is given stays as it is. Strength 0 changes no bit. Draws depend on the seed and
on the shapes, not on the strength, so that a stronger perturbation is the same one, stronger.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from spikesim import _check
from spikesim.errors import ParameterError
from spikesim.layered import LayeredNetwork, SpikeTimes
from spikesim.layered.network import Layer
from spikesim.synapses import Delta, Exponential

__all__ = [
    "dead_units",
    "on_time_step",
    "quantised",
    "spike_deletion",
    "spike_jitter",
    "tau_mismatch",
    "threshold_noise",
    "weight_noise",
    "with_time_step",
]


@_check.suggest_keywords
def weight_noise(network: LayeredNetwork, strength: float, rng: Any = None) -> LayeredNetwork:
    r"""Return a network whose weights are multiplied by :math:`1 + s\,\xi`, normal :math:`\xi`.

    Parameters
    ----------
    network : LayeredNetwork
        Any; biases stay as they are.
    strength : float
        Standard deviation s relative to each weight, at least 0.
    rng : int, SeedSequence or Generator, optional
        Source of the draws.
    """
    rng = _checked("weight_noise", network, rng)
    s = _check.non_negative("weight_noise.strength", strength)

    def noisy(w: np.ndarray) -> np.ndarray:
        return w * (1.0 + s * rng.standard_normal(w.shape))

    return network.updated([_with_weights(layer, noisy) for layer in network.layers])


@_check.suggest_keywords
def dead_units(network: LayeredNetwork, strength: float, rng: Any = None) -> LayeredNetwork:
    """Return a network in which a share of the units of each hidden layer sends nothing.

    Weights from dead units are 0. Units that are dead at one strength are so at a larger one.

    Parameters
    ----------
    network : LayeredNetwork
        Any; input lines and output units are spared.
    strength : float
        Share of the units of each hidden layer, in [0, 1], rounded to whole units.
    rng : int, SeedSequence or Generator, optional
        Source of the draws.
    """
    rng = _checked("dead_units", network, rng)
    share = _check.in_range("dead_units.strength", strength, 0.0, 1.0)
    layers = list(network.layers)
    for index in range(len(layers) - 1):
        n = layers[index].n_post
        dead = rng.permutation(n)[: round(share * n)]
        if not len(dead):
            continue

        def silenced(w: np.ndarray, dead: np.ndarray = dead) -> np.ndarray:
            w = w.copy()
            w[dead] = 0.0
            return w

        if layers[index].w_rec is not None:
            layers[index] = layers[index].updated(w_rec=silenced(layers[index].w_rec))
        layers[index + 1] = layers[index + 1].updated(w=silenced(layers[index + 1].w))
    return network.updated(layers)


@_check.suggest_keywords
def quantised(network: LayeredNetwork, strength: int) -> LayeredNetwork:
    r"""Return a network with weights of a few bits, symmetric about 0.

    The weights of a layer become multiples of
    :math:`\max |w| / (2^{k-1} - 1)`, the nearest each; with 1 bit, by their sign,
    :math:`\pm\,\mathrm{mean}\,|w|` (Rastegari et al. 2016, ECCV, eq. 6). Weights of 0 stay 0.

    Parameters
    ----------
    network : LayeredNetwork
        Any; recurrent weights have a scale of their own, biases stay as they are.
    strength : int
        Bits k, at least 1; 0 leaves the weights as they are.
    """
    _checked("quantised", network, 0)
    bits = _check.integer("quantised.strength", strength, minimum=0)
    if bits == 0:
        return network

    def rounded(w: np.ndarray) -> np.ndarray:
        size = np.abs(w)
        if bits == 1:
            return np.sign(w) * size.mean()
        step = size.max() / (2.0 ** (bits - 1) - 1.0)
        return np.rint(w / step) * step if step > 0.0 else w

    return network.updated([_with_weights(layer, rounded) for layer in network.layers])


@_check.suggest_keywords
def tau_mismatch(network: LayeredNetwork, strength: float, rng: Any = None) -> LayeredNetwork:
    r"""Return a network whose time constants are off by up to a share of their value.

    :math:`\tau_m` of each unit is multiplied by :math:`1 + s\,u`, u uniform in [-1, 1], at fixed
    capacitance, as by a leak that is off; :math:`\tau_{syn}` of each layer likewise. Rate units
    have no time; it is their steepness that is off.

    Parameters
    ----------
    network : LayeredNetwork
        Any.
    strength : float
        Largest relative deviation s, in [0, 1).
    rng : int, SeedSequence or Generator, optional
        Source of the draws.
    """
    rng = _checked("tau_mismatch", network, rng)
    s = _check.in_range("tau_mismatch.strength", strength, 0.0, math.nextafter(1.0, 0.0))
    layers = []
    for layer in network.layers:
        factors = 1.0 + s * rng.uniform(-1.0, 1.0, layer.n_post)
        factor = 1.0 + s * rng.uniform(-1.0, 1.0)
        if not layer.neuron.spiking:
            layers.append(layer.updated(steepness=layer.steepness * factors))
            continue
        synapse = layer.synapse
        if isinstance(synapse, Exponential):
            synapse = Exponential(synapse.tau_syn * factor)
        neuron = layer.neuron.replaced(tau_m=layer.neuron.tau_m * factors)
        layers.append(replace(layer, neuron=neuron, synapse=synapse).cast(network.dtype))
    return network.updated(layers)


@_check.suggest_keywords
def threshold_noise(network: LayeredNetwork, strength: float, rng: Any = None) -> LayeredNetwork:
    r"""Return a network whose units have thresholds of their own.

    The distance from reset to threshold of each spiking unit is multiplied by
    :math:`e^{s\,\xi}`, which a reset is always below, with normal :math:`\xi`; s is about the
    relative standard deviation. The threshold of a rate unit is its bias: :math:`s\,\xi` is
    added to it, in the unit of its net input.

    Parameters
    ----------
    network : LayeredNetwork
        Any; units that never fire still do not.
    strength : float
        Standard deviation s, at least 0.
    rng : int, SeedSequence or Generator, optional
        Source of the draws.
    """
    rng = _checked("threshold_noise", network, rng)
    s = _check.non_negative("threshold_noise.strength", strength)
    layers = []
    for layer in network.layers:
        draws = s * rng.standard_normal(layer.n_post)
        if not layer.neuron.spiking:
            layers.append(layer.updated(bias=layer.bias + draws))
            continue
        v_th, v_reset = np.asarray(layer.neuron.v_th), np.asarray(layer.neuron.v_reset)
        # Added, so that nothing is rounded where nothing is drawn.
        v_th = v_th + np.where(np.isfinite(v_th), v_th - v_reset, 0.0) * np.expm1(draws)
        layers.append(replace(layer, neuron=layer.neuron.replaced(v_th=v_th)).cast(network.dtype))
    return network.updated(layers)


@_check.suggest_keywords
def with_time_step(network: LayeredNetwork, strength: float) -> LayeredNetwork:
    """Return a network on another grid, with the same physical constants.

    Delays that were left out are the old step, and stay that long. Refractory periods and delays
    go to the nearest step, and a delay that is not 0 takes one step at least; delays of single
    inputs, which lie between steps, stay, but for those that are too short for a Delta synapse.

    Parameters
    ----------
    network : LayeredNetwork
        On a grid, with spiking units.
    strength : float
        New step as a multiple of the old one, greater than 0; 1 leaves it as it is.
    """
    _checked("with_time_step", network, 0)
    factor = _check.positive("with_time_step.strength", strength)
    if network.continuous or not network.spiking:
        raise ParameterError("with_time_step.network must have spiking units on a grid")
    if factor == 1.0:
        return network
    dt = network.dt * factor

    def on_grid(delay: Any, synapse: Any) -> Any:
        if np.ndim(delay):
            return np.maximum(delay, dt) if isinstance(synapse, Delta) else delay
        old = network.dt if delay is None else float(delay)
        return 0.0 if old == 0.0 else max(1.0, float(np.rint(old / dt))) * dt

    layers = []
    for layer in network.layers:
        if layer.neuron.spiking:
            delay_rec = None if layer.w_rec is None else on_grid(layer.delay_rec, None)
            delay = on_grid(layer.delay, layer.synapse)
            layer = replace(layer, delay=delay, delay_rec=delay_rec)
        layers.append(layer)
    return replace(network, layers=layers, dt=dt)


@_check.suggest_keywords
def on_time_step(x: Any, strength: float) -> np.ndarray:
    """Return spikes of one grid on another, each in the nearest step.

    Parameters
    ----------
    x : array_like, shape (n_steps, n_trials, n_inputs)
        Zeros and ones.
    strength : float
        New step as a multiple of the old one, greater than 0. On a coarser grid spikes of one line
        that meet in a step are one.
    """
    factor = _check.positive("on_time_step.strength", strength)
    array = _spikes("on_time_step.x", x)
    step, trial, line = np.nonzero(array)
    n_steps = max(1, math.ceil(len(array) / factor * (1.0 - 1e-9)))
    moved = np.zeros((n_steps, *array.shape[1:]))
    moved[np.minimum(np.rint(step / factor).astype(np.int64), n_steps - 1), trial, line] = 1.0
    return moved


@_check.suggest_keywords
def spike_deletion(x: Any, strength: float, rng: Any = None) -> Any:
    """Return an input from which spikes are missing.

    Parameters
    ----------
    x : array_like, shape (n_steps, n_trials, n_inputs), or SpikeTimes
        Zeros and ones, or spikes in continuous time.
    strength : float
        Probability that a spike is missing, in [0, 1].
    rng : int, SeedSequence or Generator, optional
        Source of the draws; what is missing at one strength is so at a larger one.
    """
    share = _check.in_range("spike_deletion.strength", strength, 0.0, 1.0)
    rng = _check.generator("spike_deletion.rng", rng)
    if isinstance(x, SpikeTimes):
        kept = rng.random(len(x.times)) >= share
        starts = np.concatenate([[0], np.cumsum(kept)])[x.starts]
        return SpikeTimes(x.times[kept], x.units[kept], starts, x.n_inputs, x.duration)
    array = _spikes("spike_deletion.x", x)
    return array * (rng.random(array.shape) >= share)


@_check.suggest_keywords
def spike_jitter(x: Any, strength: float, rng: Any = None, *, dt: float = 1.0) -> Any:
    """Return an input whose spikes are moved, each by a normal deviation.

    Spikes that would leave the trial stay at its end. On the grid a time goes to the nearest step,
    and of spikes of one line that meet in a step one is left.

    Parameters
    ----------
    x : array_like, shape (n_steps, n_trials, n_inputs), or SpikeTimes
        Zeros and ones, or spikes in continuous time.
    strength : float
        Standard deviation (ms), at least 0.
    rng : int, SeedSequence or Generator, optional
        Source of the draws.
    dt : float, default 1
        Time step of the grid (ms).
    """
    deviation = _check.non_negative("spike_jitter.strength", strength)
    rng = _check.generator("spike_jitter.rng", rng)
    dt = _check.positive("spike_jitter.dt", dt)
    if isinstance(x, SpikeTimes):
        moved = x.times + deviation * rng.standard_normal(len(x.times))
        moved = np.clip(moved, 0.0, x.duration)
        order = np.lexsort((moved, np.repeat(np.arange(x.n_trials), np.diff(x.starts))))
        return SpikeTimes(moved[order], x.units[order], x.starts, x.n_inputs, x.duration)
    array = _spikes("spike_jitter.x", x)
    step, trial, line = np.nonzero(array)
    moved = np.rint(step + deviation / dt * rng.standard_normal(len(step)))
    jittered = np.zeros_like(array)
    jittered[np.clip(moved, 0, len(array) - 1).astype(np.int64), trial, line] = 1.0
    return jittered


def _checked(name: str, network: Any, rng: Any) -> np.random.Generator:
    _check.instance(f"{name}.network", network, LayeredNetwork, "a LayeredNetwork")
    return _check.generator(f"{name}.rng", rng)


def _with_weights(layer: Layer, change: Callable[[np.ndarray], np.ndarray]) -> Layer:
    """Return the layer with its weights, and then its recurrent ones, changed."""
    arrays = {"w": change(layer.w)}
    if layer.w_rec is not None:
        arrays["w_rec"] = change(layer.w_rec)
    return layer.updated(**arrays)


def _spikes(name: str, x: Any) -> np.ndarray:
    array = _check.float_array(name, x)
    _check.shape(name, array, (None, None, None))
    other = (array != 0.0) & (array != 1.0)
    if other.any():
        raise ParameterError(
            f"{name}{_check._first(other)} is {array[other][0]:g}; spikes are zeros and ones"
        )
    return array
