"""Layered networks described: weights, neurons and synapses, layer upon layer.

A layer maps its input, an array ``(n_steps, n_trials, n_pre)``, to an output of shape
``(n_steps, n_trials, n_post)``. Rate networks are the same thing run for a single step.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from spikesim import _check
from spikesim.errors import ParameterError, ParameterTypeError
from spikesim.neurons import LIF, AdaptiveLIF, ReLU, Sigmoid, Step, Tanh
from spikesim.synapses import Delta, Exponential

__all__ = ["Layer", "LayeredNetwork", "dense"]

_NEURONS = (LIF, AdaptiveLIF, ReLU, Sigmoid, Step, Tanh)
_NAMES = "LIF, AdaptiveLIF, Sigmoid, Tanh, ReLU or Step"
_DTYPES: dict[str, np.dtype] = {"double": np.dtype(np.float64), "single": np.dtype(np.float32)}
_PARAMETERS = ("w", "bias", "w_rec", "steepness", "delay")
# Of a neuron or synapse; time constants are learnt by their logarithm, so that they stay above 0.
_OF_UNITS = {"tau_m": "log_tau_m", "tau_syn": "log_tau_syn", "v_th": "v_th"}


@_check.suggest_keywords
@dataclass(frozen=True, eq=False)
class Layer:
    """Weights and the units that they feed.

    A rate unit computes ``f(steepness * (x @ w) + bias)``. A spiking unit receives
    ``x @ w`` (plus ``output @ w_rec``) one step after the spikes, through `synapse`, and `bias`
    as a constant current.

    Parameters
    ----------
    w : array_like, shape (n_pre, n_post)
        Weights: pA through an :class:`~spikesim.synapses.Exponential` synapse, mV through
        :class:`~spikesim.synapses.Delta`, without unit for rate units.
    neuron : LIF, AdaptiveLIF, Sigmoid, Tanh, ReLU or Step
        The units of the layer.
    bias : array_like, shape (n_post,), optional
        Bias of rate units, constant current (pA) of spiking ones; default zeros.
    synapse : Delta or Exponential, default Delta()
        What a spike does on arrival; without meaning for rate units.
    w_rec : array_like, shape (n_post, n_post), optional
        Recurrent weights of a spiking layer; a spike arrives one step later.
    steepness : array_like, shape (n_post,), optional
        Steepness of each rate unit; default that of `neuron`.
    trainable : iterable of str, default ("w", "bias", "w_rec")
        Which of ``w``, ``bias``, ``w_rec``, ``steepness``, ``delay`` a learning rule may change,
        and of spiking units ``tau_m`` and ``v_th``, one value each, with fixed ``c_m``, and
        ``tau_syn`` of their Exponential synapse. Rules see the logarithm of a time constant, as
        ``log_tau_m`` and ``log_tau_syn``.
    delay : array_like, shape (n_pre,) or (n_pre, n_post), or float, optional
        Time from a spike of an input to its arrival (ms), at least 0; one step on the grid and 0
        in continuous time by default. On the grid it is a number, a multiple of the step, or one
        for each input, also between steps (:mod:`spikesim.layered.delay_lines`); less than a
        step is possible with an Exponential synapse, whose current the membrane feels a step
        later.
    delay_rec : float, optional
        The same of recurrent connections.

    Raises
    ------
    ParameterError
        Shapes that do not fit together, NaN or infinite values.
    ParameterTypeError
        A neuron or synapse of another kind, or a `trainable` that is one name alone.
    """

    w: Any
    neuron: Any
    bias: Any = None
    synapse: Any = Delta()
    w_rec: Any = None
    steepness: Any = None
    trainable: Iterable[str] = ("w", "bias", "w_rec")
    delay: Any = None
    delay_rec: Any = None

    def __post_init__(self) -> None:
        w = _own("Layer.w", self.w, (None, None))
        if 0 in w.shape:
            raise ParameterError(f"Layer.w must have at least one row and column, got {w.shape}")
        n_post = w.shape[1]
        _check.instance("Layer.neuron", self.neuron, _NEURONS, _NAMES)
        _check.instance("Layer.synapse", self.synapse, (Delta, Exponential), "Delta or Exponential")
        bias = np.zeros(n_post) if self.bias is None else self.bias
        steepness = self.steepness
        if self.neuron.spiking:
            if steepness is not None:
                raise ParameterError("Layer.steepness is for rate units; LIF has none")
            if self.neuron.random():
                raise ParameterError(
                    f"Layer.neuron draws its {self.neuron.random()[0]} from a distribution; give "
                    "the layer neuron.drawn(n, rng), so that its values are known"
                )
            sizes = self.neuron.sizes()
            if sizes - {n_post}:
                raise ParameterError(
                    f"Layer.neuron has parameters for {max(sizes - {n_post})} units, "
                    f"Layer.w feeds {n_post}"
                )
        else:
            if self.w_rec is not None:
                raise ParameterError("Layer.w_rec needs spiking units; rate units have no time")
            if steepness is None:
                steepness = np.full(n_post, float(self.neuron.steepness))
        if isinstance(self.trainable, str) or not isinstance(self.trainable, Iterable):
            raise ParameterTypeError(
                f"Layer.trainable must be a tuple of names such as ('w',), got {self.trainable!r}"
            )
        trainable = tuple(self.trainable)
        for name in trainable:
            _check.choice("Layer.trainable", name, (*_PARAMETERS, *_OF_UNITS))
            if name in _OF_UNITS:
                self._check_unit_parameter(name)
        object.__setattr__(self, "w", w)
        object.__setattr__(self, "bias", _own("Layer.bias", bias, (n_post,)))
        if self.w_rec is not None:
            object.__setattr__(self, "w_rec", _own("Layer.w_rec", self.w_rec, (n_post, n_post)))
        if steepness is not None:
            object.__setattr__(self, "steepness", _own("Layer.steepness", steepness, (n_post,)))
        object.__setattr__(self, "trainable", trainable)
        if self.delay is not None:
            object.__setattr__(self, "delay", self._own_delay())
        if self.delay_rec is not None:
            if self.w_rec is None:
                raise ParameterError("Layer.delay_rec needs recurrent weights, Layer.w_rec")
            delay_rec = _check.non_negative("Layer.delay_rec", self.delay_rec)
            object.__setattr__(self, "delay_rec", delay_rec)

    def _check_unit_parameter(self, name: str) -> None:
        """Refuse to train what the units or the synapse of the layer do not have."""
        if not self.neuron.spiking:
            raise ParameterError(f"Layer.trainable: {name!r} is of spiking units")
        if name == "tau_syn" and not isinstance(self.synapse, Exponential):
            raise ParameterError("Layer.trainable: 'tau_syn' needs an Exponential synapse")
        if name == "v_th" and not np.all(np.isfinite(self.neuron.v_th)):
            raise ParameterError("Layer.trainable: 'v_th' must be finite to be learnt")

    def _own_delay(self) -> np.ndarray:
        """Return the delay as a read-only array of 0, 1 or 2 dimensions, checked."""
        if not self.neuron.spiking:
            raise ParameterError("Layer.delay needs spiking units; rate units have no time")
        ndim = min(np.ndim(self.delay), 2)
        delay = _own("Layer.delay", self.delay, self.w.shape[:ndim])
        if np.any(delay < 0.0):
            first = _check._first(delay < 0.0)
            raise ParameterError(
                f"Layer.delay{first} must be at least 0 ms, got {delay[delay < 0.0].flat[0]:g} ms"
            )
        return delay

    def __repr__(self) -> str:
        recurrent = ", recurrent" if self.w_rec is not None else ""
        return f"Layer({self.n_pre} to {self.n_post} {self.neuron!r}{recurrent})"

    @property
    def n_pre(self) -> int:
        """Number of inputs."""
        return self.w.shape[0]

    @property
    def n_post(self) -> int:
        """Number of units."""
        return self.w.shape[1]

    def parameters(self) -> dict[str, np.ndarray]:
        """Return the trainable arrays by name, read-only."""
        found = {}
        for name in self.trainable:
            if name in _OF_UNITS:
                found[_OF_UNITS[name]] = self._unit_parameter(name)
            elif getattr(self, name) is not None:
                found[name] = getattr(self, name)
        return found

    def _unit_parameter(self, name: str) -> np.ndarray:
        """Return what a rule sees of a parameter of the units or the synapse, read-only."""
        value, n = (
            (self.synapse.tau_syn, 1)
            if name == "tau_syn"
            else (getattr(self.neuron, name), self.n_post)
        )
        array = np.array(np.broadcast_to(value if name == "v_th" else np.log(value), (n,)))
        array = array.astype(self.w.dtype)
        array.flags.writeable = False
        return array

    def _with_units(self, arrays: dict[str, np.ndarray]) -> Layer:
        """Return the layer with parameters of its units or its synapse replaced."""
        values = {
            name: np.asarray(arrays[key], np.float64)
            if name == "v_th"
            else np.exp(np.asarray(arrays[key], np.float64))
            for name, key in _OF_UNITS.items()
            if key in arrays
        }
        layer = object.__new__(Layer)
        layer.__dict__.update(self.__dict__)
        if "tau_syn" in values:
            layer.__dict__["synapse"] = Exponential(float(values.pop("tau_syn")[0]))
        if values:
            layer.__dict__["neuron"] = self.neuron.replaced(**values)
        return layer

    def updated(self, **arrays: np.ndarray) -> Layer:
        """Return the layer with some of its arrays replaced by others of equal shape.

        Training does this at every update, so only what can have changed is checked.
        """
        _check.known_keywords("Layer.updated", arrays, (*_PARAMETERS, *_OF_UNITS.values()))
        of_units = {key: arrays.pop(key) for key in _OF_UNITS.values() if key in arrays}
        if of_units:
            return self._with_units(of_units).updated(**arrays)
        if any(getattr(self, name) is None for name in arrays):
            return replace(self, **arrays)
        layer = object.__new__(Layer)
        layer.__dict__.update(self.__dict__)
        for name, value in arrays.items():
            old = getattr(self, name)
            layer.__dict__[name] = _own(f"Layer.{name}", value, old.shape, old.dtype)
        return layer

    def cast(self, dtype: Any) -> Layer:
        """Return the layer with its arrays in another floating-point type."""
        if self.w.dtype == dtype:
            return self
        layer = object.__new__(Layer)
        layer.__dict__.update(self.__dict__)
        for name in _PARAMETERS:
            array = getattr(self, name)
            if array is not None:
                layer.__dict__[name] = _own(f"Layer.{name}", array, array.shape, dtype)
        return layer


@_check.suggest_keywords
@dataclass(frozen=True, eq=False)
class LayeredNetwork:
    """A stack of layers and a clock.

    Parameters
    ----------
    layers : sequence of Layer
        From input to output; each takes as many inputs as the one before has units.
    dt : float, default 1
        Time step (ms); rate units do not use it.
    precision : {"double", "single"}, default "double"
        In which weights, potentials and gradients are held and computed. Single precision takes
        half the memory and is up to twice as fast; rounding then moves a spike by a step here
        and there.
    continuous : bool, default False
        Whether spikes fall at any time, found exactly between the events, instead of on a grid
        of `dt`.

    Raises
    ------
    ParameterError
        No layer, neighbours that do not fit, or ``dt <= 0``.
    """

    layers: Sequence[Layer]
    dt: float = 1.0
    precision: str = "double"
    continuous: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.layers, Iterable):
            raise ParameterTypeError(
                f"LayeredNetwork.layers must be a sequence of Layer, got {self.layers!r}; "
                "a single layer is written [layer]"
            )
        layers = tuple(self.layers)
        if not layers:
            raise ParameterError("LayeredNetwork.layers must hold at least one layer")
        for index, layer in enumerate(layers):
            _check.instance(f"LayeredNetwork.layers[{index}]", layer, Layer, "a Layer")
            if index and layer.n_pre != layers[index - 1].n_post:
                raise ParameterError(
                    f"LayeredNetwork.layers[{index}].w has {layer.n_pre} rows, "
                    f"the layer before has {layers[index - 1].n_post} units"
                )
        _check.choice("LayeredNetwork.precision", self.precision, tuple(_DTYPES))
        _check.boolean("LayeredNetwork.continuous", self.continuous)
        dt = _check.positive("LayeredNetwork.dt", self.dt)
        if self.continuous:
            _refuse_outside_continuous_time(layers, self.precision)
        else:
            _refuse_delays_off_the_grid(layers, dt)
        layers = tuple(layer.cast(self.dtype) for layer in layers)
        object.__setattr__(self, "layers", layers)
        object.__setattr__(self, "dt", dt)

    def __repr__(self) -> str:
        sizes = "-".join(str(n) for n in (self.n_inputs, *(a.n_post for a in self.layers)))
        units = dict.fromkeys(type(layer.neuron).__name__ for layer in self.layers)
        clock = "continuous time" if self.continuous else f"dt={self.dt:g} ms"
        single = ", single precision" if self.precision == "single" else ""
        return f"LayeredNetwork({sizes} {' and '.join(units)}, {clock}{single})"

    @property
    def dtype(self) -> np.dtype:
        """Floating-point type of the arrays."""
        return _DTYPES[self.precision]

    @property
    def n_inputs(self) -> int:
        """Number of inputs of the first layer."""
        return self.layers[0].n_pre

    @property
    def n_outputs(self) -> int:
        """Number of units of the last layer."""
        return self.layers[-1].n_post

    @property
    def spiking(self) -> bool:
        """Whether any layer has spiking units."""
        return any(layer.neuron.spiking for layer in self.layers)

    def updated(self, layers: Sequence[Layer]) -> LayeredNetwork:
        """Return the network with its layers replaced."""
        layers = tuple(layers)
        if len(layers) != len(self.layers) or any(
            not isinstance(new, Layer) or new.w.shape != old.w.shape
            for new, old in zip(layers, self.layers, strict=True)
        ):
            return replace(self, layers=layers)
        network = object.__new__(LayeredNetwork)
        network.__dict__.update(self.__dict__, layers=layers)
        return network


@_check.suggest_keywords
def dense(
    sizes: Sequence[int],
    neuron: Any,
    *,
    output: Any = None,
    synapse: Any = None,
    recurrent: bool = False,
    gain: float = 1.0,
    bias_sd: float = 0.0,
    dt: float = 1.0,
    precision: str = "double",
    continuous: bool = False,
    rng: Any,
) -> LayeredNetwork:
    """Make a fully connected network with random weights.

    Weights are drawn from ``Normal(0, gain / sqrt(n_pre))``, so that the net input of a unit
    does not grow with the number of its inputs.

    Parameters
    ----------
    sizes : sequence of int
        Inputs, hidden units of each layer, outputs: at least two numbers of at least 1.
    neuron : LIF, AdaptiveLIF, Sigmoid, Tanh, ReLU or Step
        The hidden units, and the output units unless `output` is given.
    output : neuron, optional
        The output units.
    synapse : Delta or Exponential, default Delta()
        Synapse of all spiking layers.
    recurrent : bool, default False
        Give hidden layers of spiking units recurrent weights, drawn like the others.
    gain : float, default 1
        Scale of the weights, at least 0.
    bias_sd : float, default 0
        Standard deviation of the biases.
    dt : float, default 1
        Time step (ms).
    precision, continuous
        As in :class:`LayeredNetwork`; the weights drawn are the same in both precisions.
    rng : int, SeedSequence or Generator
        Source of the draws; two networks of one shape drawn from equal seeds have equal
        standard normal numbers behind their weights.

    Returns
    -------
    LayeredNetwork
    """
    if isinstance(sizes, str) or not isinstance(sizes, Iterable):
        raise ParameterTypeError(
            f"dense.sizes must be a sequence such as [2, 8, 1], got {_check._show(sizes)}"
        )
    for name, unit in (("neuron", neuron), ("output", output)):
        if unit is not None or name == "neuron":
            _check.instance(f"dense.{name}", unit, _NEURONS, _NAMES)
    recurrent = _check.boolean("dense.recurrent", recurrent)
    sizes = [_check.integer(f"dense.sizes[{i}]", n, minimum=1) for i, n in enumerate(sizes)]
    if len(sizes) < 2:
        raise ParameterError(f"dense.sizes must hold at least two numbers, got {sizes}")
    gain = _check.non_negative("dense.gain", gain)
    bias_sd = _check.non_negative("dense.bias_sd", bias_sd)
    rng = _check.generator("dense.rng", rng)
    synapse = Delta() if synapse is None else synapse
    layers = []
    for index, (n_pre, n_post) in enumerate(zip(sizes[:-1], sizes[1:], strict=True)):
        last = index == len(sizes) - 2
        unit = output if last and output is not None else neuron
        w = rng.standard_normal((n_pre, n_post)) * gain / math.sqrt(n_pre)
        bias = rng.standard_normal(n_post) * bias_sd
        w_rec = None
        if recurrent and not last and unit.spiking:
            w_rec = rng.standard_normal((n_post, n_post)) * gain / math.sqrt(n_post)
        layers.append(Layer(w, unit, bias, synapse, w_rec))
    return LayeredNetwork(layers, dt, precision, continuous)


def _refuse_outside_continuous_time(layers: Sequence[Layer], precision: str) -> None:
    for index, layer in enumerate(layers):
        if not isinstance(layer.neuron, LIF) or not isinstance(layer.synapse, Exponential):
            raise ParameterError(
                f"LayeredNetwork.layers[{index}]: continuous time needs LIF units with "
                "Exponential synapses"
            )
    if precision != "double":
        raise ParameterError("LayeredNetwork.precision must be 'double' in continuous time")


def _refuse_delays_off_the_grid(layers: Sequence[Layer], dt: float) -> None:
    for index, layer in enumerate(layers):
        for field in ("delay", "delay_rec"):
            delay = getattr(layer, field)
            if delay is None:
                continue
            name = f"LayeredNetwork.layers[{index}].{field}"
            if np.ndim(delay) == 2:
                raise ParameterError(
                    f"{name} must be a number or have one for each input on the grid, got shape "
                    f"{np.shape(delay)}; delays of single connections need continuous=True"
                )
            if np.ndim(delay):
                _refuse_early_arrivals(name, delay, layer, dt)
                continue
            if "delay" in layer.trainable:
                raise ParameterError(
                    f"{name} must have one number for each input to be learnt on the grid"
                )
            steps = np.rint(float(delay) / dt)
            if _check.off_grid(np.asarray(delay, dtype=np.float64), steps, dt).any():
                raise ParameterError(f"{name} = {delay:g} ms must be a multiple of dt = {dt:g} ms")
            _refuse_early_arrivals(name, steps * dt, layer, dt)


def _refuse_early_arrivals(name: str, delay: Any, layer: Layer, dt: float) -> None:
    early = np.asarray(delay) < dt * (1.0 - 1e-9)
    if isinstance(layer.synapse, Delta) and early.any():
        raise ParameterError(
            f"{name}{_check._first(early) if np.ndim(delay) else ''} must be at least "
            f"dt = {dt:g} ms with a Delta synapse, which moves the membrane at once"
        )


def _own(
    name: str, value: Any, wanted: tuple[int | None, ...], dtype: Any = np.float64
) -> np.ndarray:
    """Return a read-only copy of `value` after checking it."""
    if type(value) is np.ndarray and value.dtype == dtype and value.shape == wanted:
        array = value.copy()
        if not np.isfinite(array).all():
            _check.float_array(name, array)
    else:
        array = _check.float_array(name, value, copy=True)
        _check.shape(name, array, wanted)
        if array.dtype != dtype:
            with np.errstate(over="ignore"):
                array = array.astype(dtype)
            if not np.isfinite(array).all():
                raise ParameterError(f"{name} has values beyond single precision")
    array.flags.writeable = False
    return array
