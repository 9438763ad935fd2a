r"""What the perceptron-style rules share: net input, eligibility, and one online loop.

A local rule sees of each unit a *net input* and of each synapse an *eligibility*.

* Threshold unit: one step, the net input is :math:`\sum_i w_i x_i + b`, the eligibility of
  input i is :math:`x_i`.
* LIF unit: the eligibility :math:`e_i(t)` is the response of the membrane to input i through a
  weight of 1, on a membrane that is never reset. The free potential is
  :math:`v(t) = v_0(t) + \sum_i w_i e_i(t)`, with :math:`v_0` what rest, start and constant
  current make of it; the net input is its maximum, reached at :math:`t_{max}`.

In both the *excess* is net input minus threshold, and the unit fires if the excess is at least
zero. For a LIF unit that is exact up to rounding: until its first spike the real membrane is the
free one, but it is summed step by step instead of input by input.
The bias is one more input, whose eligibility is the response to a constant unit current (1 for
a threshold unit). So each rule is one formula for both kinds of unit.

Several units share the classes one against the rest: unit k is to fire for class k alone, and
the decision is the unit with the largest excess. A single unit decides by firing (class 1).
Trials are presented one after another in the order given; weights change after each.

A rule is made of two kernels: ``gain(excess, fired, target, e, hyper)``, one number for a unit and
a trial from its eligibilities, 0 for no change; and ``changed(w, push, hyper)``, what becomes of a
weight under a push of gain times its eligibility.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from spikesim import _check
from spikesim._jit import kernel
from spikesim.errors import NonFiniteStateError, ParameterError
from spikesim.layered import Layer, LayeredNetwork, Trace
from spikesim.layered.forward import run
from spikesim.learning.base import Metrics
from spikesim.learning.eligibility import lines, membrane, peaks, respond, strongest, with_lines
from spikesim.neurons import LIF, Step

__all__ = ["LocalRule", "NetInput", "along_input", "along_sinh", "lms_gain", "online"]

# Beyond this a weight has diverged; its square is still a number.
LARGEST_WEIGHT = 1e100
# Beyond this a weight 2 spread sinh(s) has diverged for every spread that is allowed; its sinh is
# still a number.
_LARGEST_EXPONENT = 600.0


@dataclass(frozen=True)
class NetInput:
    """Readout of local rules: excess of each unit, the largest one decides.

    The free potential is rebuilt from the recorded one: what each reset took away decays with
    the membrane, so that adding it back is exact for units without a refractory period. With
    one the sign of the excess is still right, which is all that a single unit needs.
    """

    def check(self, layer: Layer) -> None:
        """Refuse units that have no threshold."""
        _check.instance("NetInput.layer: neuron", layer.neuron, (LIF, Step), "Step or LIF")
        if layer.neuron.spiking and np.any(np.isinf(layer.neuron.v_th)):
            raise ParameterError(
                "NetInput reads units with a threshold, and LIF.v_th of the output layer is inf; "
                "give it a finite one, or use MaxMembrane"
            )

    def scores(self, trace: Trace, layer: Layer, dt: float) -> np.ndarray:
        """Return net input minus threshold, shape (n_trials, n_units)."""
        if not layer.neuron.spiking:
            return trace.v.max(axis=0)
        constants = layer.neuron.constants(dt)
        taken = np.zeros(trace.v.shape[1:])
        best = np.full(trace.v.shape[1:], -np.inf)
        for v, fired in zip(trace.v, trace.output, strict=True):
            taken = constants.decay_m * taken
            best = np.maximum(best, v + taken)
            drop = constants.v_th if constants.subtract else v
            taken = taken + np.where(fired > 0.0, drop - constants.v_reset, 0.0)
        return best - constants.v_th

    def decide(self, scores: np.ndarray, layer: Layer) -> np.ndarray:
        """Return the class of each trial: of one unit whether it fires, else the largest."""
        if scores.shape[1] > 1:
            return np.argmax(scores, axis=1)
        fired = scores[:, 0] > 0.0 if strict(layer) else scores[:, 0] >= 0.0
        return fired.astype(np.int64)

    def backward(self, trace: Trace, layer: Layer, grad_scores: np.ndarray, dt: float) -> Any:
        """Refuse: local rules descend no gradient through the readout."""
        raise ParameterError("NetInput has no gradient; use MaxMembrane or SpikeCount")

    def threshold_of(self, layer: Layer) -> float:
        """Return 0, the excess from which on a unit fires."""
        return 0.0

    def targets_of(self, layer: Layer) -> tuple[float, float]:
        """Return -1 and 1: as far below the threshold as above."""
        return -1.0, 1.0


class LocalRule(ABC):
    """Base of the rules that train one layer of threshold or LIF units from local quantities.

    A subclass is a frozen dataclass of hyperparameters that names its loop, made by
    :func:`online`, and returns the numbers that its kernels take from :meth:`_hyper`.
    """

    _counts: ClassVar[bool] = False
    _unit_peak: ClassVar[bool] = False
    _moves_bias: ClassVar[bool] = True
    _size: ClassVar[str] = "learning_rate"

    @property
    def readout(self) -> NetInput:
        """How outputs become decisions."""
        return NetInput()

    @property
    @abstractmethod
    def _loop(self) -> Any:
        """Return the online loop over the kernels of the rule."""

    @abstractmethod
    def _hyper(self) -> tuple[float, ...]:
        """Return the numbers that the kernels take."""

    def _momentum(self) -> float:
        return 0.0

    def init(self, network: LayeredNetwork) -> np.ndarray:
        """Check that the rule can train `network`; return the state, what momentum carries.

        Raises
        ------
        ParameterError
            More than one layer, recurrent weights, membranes that differ within the layer,
            weights that are not trainable.
        ParameterTypeError
            Units other than threshold and LIF ones.
        """
        name = type(self).__name__
        if len(network.layers) != 1:
            raise ParameterError(
                f"{name}.network must have one layer, got {len(network.layers)}; "
                "Committee trains two, those of a committee_network(), Proportional and Backprop "
                "any number"
            )
        check_grid(name, network)
        layer = network.layers[0]
        check_layer(name, layer)
        check_competition(name, layer)
        return np.zeros((layer.n_post, layer.n_pre + self._has_bias_line(layer)))

    def step(
        self, network: LayeredNetwork, state: Any, x: np.ndarray, labels: np.ndarray
    ) -> tuple[LayeredNetwork, Any, Metrics]:
        """Learn from the trials of `x` one after another.

        Parameters
        ----------
        network : LayeredNetwork
            One layer; never modified.
        state : ndarray
            What :meth:`init` or the previous call returned.
        x : ndarray, shape (n_steps, n_trials, n_inputs)
            Encoded inputs; one step for threshold units.
        labels : ndarray of int64, shape (n_trials,)
            Class of each trial, from 0.

        Returns
        -------
        network, state, metrics
            The loss is the number of trials decided wrongly, each before its own update.

        Raises
        ------
        NonFiniteStateError
            Weights that grew beyond all bounds.
        """
        name = type(self).__name__
        layer = network.layers[0]
        x, labels = check_batch(name, layer, max(2, layer.n_post), x, labels)
        response, rest, bias_line = membrane(layer, network.dt, len(x))
        with_bias = self._has_bias_line(layer)
        w = lines(layer, with_bias)
        if not with_bias:
            rest = rest + layer.bias[:, np.newaxis] * bias_line
        scale = np.ones(w.shape[1])
        if self._unit_peak:
            scale = 1.0 / peaks(layer, with_bias)
        velocity = np.array(state)
        with np.errstate(all="ignore"):
            n_correct, trial, unit = self._loop(
                x,
                labels,
                rest,
                bias_line,
                w,
                velocity,
                response,
                scale,
                self._counts,
                strict(layer),
                self._momentum(),
                self._hyper(),
            )
        refuse_divergence(name, trial, unit, lower=self._size)
        traces = run(network, x)
        trained = with_lines(layer, w, with_bias)
        metrics = Metrics(
            loss=float(len(labels) - n_correct),
            n_correct=n_correct,
            n_trials=len(labels),
            update_norms=(float(np.linalg.norm(w - lines(layer, with_bias))),),
            traces=traces,
        )
        return network.updated([trained]), velocity, metrics

    def _has_bias_line(self, layer: Layer) -> bool:
        return self._moves_bias and "bias" in layer.trainable


def strict(layer: Layer) -> bool:
    """Return whether a net input exactly at the threshold leaves the units silent."""
    return isinstance(layer.neuron, Step) and layer.neuron.fire_on == "gt"


def check_grid(name: str, network: LayeredNetwork) -> None:
    """Refuse networks in which a spike takes another time than one step."""
    if network.continuous:
        raise ParameterError(
            f"{name}.network must run on a grid; make it without continuous=True, or use EventProp "
            "or SpikeProp"
        )
    if any(layer.delay is not None for layer in network.layers):
        raise ParameterError(f"{name}.network: Layer.delay must be None; spikes take one step")


def check_layer(name: str, layer: Layer) -> None:
    """Refuse a layer that local rules cannot train."""
    check_units(name, layer)
    if "w" not in layer.trainable:
        raise ParameterError(
            f"{name}.network: w must be in Layer.trainable, got trainable={layer.trainable}"
        )


def check_units(name: str, layer: Layer) -> None:
    """Refuse a layer whose units have no excess or no eligibility."""
    _check.instance(f"{name}.network: neuron", layer.neuron, (LIF, Step), "Step or LIF")
    if layer.w_rec is not None:
        raise ParameterError(f"{name}.network: w_rec must be None; the rule is feed-forward")
    refuse_learnt_units(f"{name}.network", layer)
    if not layer.neuron.spiking:
        if np.any(layer.steepness != 1.0):
            raise ParameterError(
                f"{name}.network: Layer.steepness of threshold units must be 1; scale w instead"
            )
        return
    for field in ("tau_m", "c_m"):
        value = getattr(layer.neuron, field)
        if np.ndim(value):
            raise ParameterError(
                f"{name}.network: LIF.{field} must be one number for the layer, got {value!r}"
            )
    if np.any(np.isinf(layer.neuron.v_th)):
        raise ParameterError(f"{name}.network: LIF.v_th must be finite, the unit has to fire")


def refuse_learnt_units(where: str, layer: Layer) -> None:
    """Refuse parameters of units and synapses as trainable: a rule of weights leaves them."""
    for name in ("tau_m", "tau_syn", "v_th"):
        if name in layer.trainable:
            raise ParameterError(
                f"{where}: {name} must not be in Layer.trainable; Backprop and Evolution train it"
            )


def check_competition(name: str, layer: Layer) -> None:
    """Refuse an output layer whose units cannot be compared."""
    if layer.neuron.spiking and layer.n_post > 1 and np.any(np.asarray(layer.neuron.t_ref)):
        raise ParameterError(
            f"{name}.network: LIF.t_ref must be 0 where several units compete, "
            "since the decision compares their free potentials"
        )


def check_batch(
    name: str, layer: Layer, n_classes: int, x: Any, labels: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Return the batch as the kernels take it, or say what is wrong with it."""
    x = _check.float_array(f"{name}.x", x)
    _check.shape(f"{name}.x", x, (None, None, layer.n_pre))
    if len(x) == 0:
        raise ParameterError(f"{name}.x must have at least one step")
    if x.shape[1] == 0:
        raise ParameterError(f"{name}.x must have at least one trial")
    if not layer.neuron.spiking and len(x) != 1:
        raise ParameterError(
            f"{name}.x must have one step for threshold units, got {len(x)}; "
            "encode with Analog() or use LIF units"
        )
    labels = _check.indices(f"{name}.labels", labels, n_classes)
    _check.shape(f"{name}.labels", labels, (x.shape[1],))
    # A read-only array is another type to a kernel, which would be compiled once more.
    return x if x.flags.writeable else x.copy(), labels.copy()


def check_spread(name: str, value: Any) -> float:
    """Return `value` if no weight that is allowed overflows when divided by it."""
    return _check.in_range(name, _check.positive(name, value), 1.0 / LARGEST_WEIGHT, LARGEST_WEIGHT)


def refuse_single_step(name: str, layer: Layer, x: np.ndarray) -> None:
    """Refuse a trial so short that spiking units do not feel its input."""
    if layer.neuron.spiking and len(x) < 2:
        raise ParameterError(f"{name}.x must have at least two steps for LIF units")


def refuse_divergence(
    name: str, trial: int, unit: int, layer: int | None = None, lower: str = "learning_rate"
) -> None:
    """Raise if the loop stopped at a trial because a weight grew beyond all bounds."""
    if trial >= 0:
        where = "" if layer is None else f" of layer {layer}"
        raise NonFiniteStateError(
            f"{name}: the weights of unit {unit}{where} diverged at trial {trial} of the batch; "
            f"lower {lower}, or scale the features"
        )


@kernel
def fires(excess, strict):
    """Return whether a unit with this excess fires."""
    return excess > 0.0 if strict else excess >= 0.0


@kernel
def decide(scores, strict):
    """Return the class: of one unit whether it fires, of several the first largest."""
    if scores.shape[0] == 1:
        return 1 if fires(scores[0], strict) else 0
    best = 0
    for k in range(1, scores.shape[0]):
        if scores[k] > scores[best]:
            best = k
    return best


@kernel
def squared_length(e):
    """Return the summed squares of the eligibilities of a unit."""
    total = 0.0
    for i in range(e.shape[0]):
        total += e[i] ** 2
    return total


@kernel
def lms_gain(learning_rate, way, e):
    """Return the gain that moves a net input by a share of its `way`; 0 where nothing can."""
    norm2 = squared_length(e)
    return learning_rate * way / norm2 if norm2 > 0.0 else 0.0


@kernel
def along_input(w, push, hyper):
    """Return a weight that is moved by the push itself."""
    return w + push


@kernel
def along_sinh(w, push, spread):
    """Return a weight 2 spread sinh(s) whose s is moved by the push; infinite if it diverged."""
    if push == 0.0:
        return w
    s = math.asinh(w / (2.0 * spread)) + push
    return 2.0 * spread * math.sinh(s) if abs(s) <= _LARGEST_EXPONENT else math.inf


@kernel
def felt_at_maximum(x, trial, response, bias_line, w, rest, e, t_max, v, hyper, felt):
    """Fill `felt` with the eligibilities of a unit at the maximum of its free potential `v`."""
    for i in range(felt.shape[0]):
        felt[i] = e[i, t_max]


def online(gain: Any, changed: Any, feel: Any = felt_at_maximum) -> Any:
    """Return the loop over trials for the rule made of the kernels `gain` and `changed`.

    With momentum a push is what is left of the one before and what the trial adds. A rule that
    takes the eligibilities at another time gives a kernel `feel` like :func:`felt_at_maximum`.
    """

    @kernel
    def loop(
        x,
        labels,
        rest,
        bias_line,
        w,
        velocity,
        response,
        scale,
        counts,
        strict,
        momentum,
        hyper,
    ):
        n_steps, n_trials, n_inputs = x.shape
        n_units, n_lines = w.shape
        e = np.empty((n_lines, n_steps))
        v = np.empty(n_steps)
        eligible = np.empty((n_units, n_lines))
        excess = np.empty(n_units)
        n_correct = 0
        for trial in range(n_trials):
            respond(x, trial, response, bias_line, e)
            for k in range(n_units):
                t_max, excess[k] = strongest(e, w[k], rest[k], v)
                feel(x, trial, response, bias_line, w[k], rest[k], e, t_max, v, hyper, eligible[k])
                for i in range(n_lines):
                    eligible[k, i] *= scale[i]
                if counts:
                    for i in range(n_inputs):
                        eligible[k, i] = x[:, trial, i].sum()
                    if n_lines > n_inputs:
                        eligible[k, n_inputs] = 1.0
            if decide(excess, strict) == labels[trial]:
                n_correct += 1
            for k in range(n_units):
                target = labels[trial] == (k if n_units > 1 else 1)
                g = gain(excess[k], fires(excess[k], strict), target, eligible[k], hyper)
                if g == 0.0:
                    continue
                for i in range(n_lines):
                    velocity[k, i] = momentum * velocity[k, i] + g * eligible[k, i]
                    w[k, i] = changed(w[k, i], velocity[k, i], hyper)
                    if not abs(w[k, i]) <= LARGEST_WEIGHT:
                        return n_correct, trial, k
        return n_correct, -1, -1

    return loop
