"""One trial at a time through all layers, for rules that learn online in deep networks.

The layers of a network are packed into arrays of one size, so that one kernel serves any depth.
Layers are all threshold units or all LIF units. Of each unit a rule sees the excess and the
eligibility of :mod:`spikesim.learning.local`, both from the free potential; what a unit passes
on are its real spikes, with reset and refractoriness, one step later, as in
:mod:`spikesim.layered`. Trial by trial:

    course = blank(stack)
    present(x, trial, course)
    for layer in range(n_layers):
        weigh(stack, w, layer, course)      # e, t_max, excess
        emit(stack, w, layer, course)       # output, what the next layer receives

The eligibility of line i of unit k is then ``course.e[layer, i, course.t_max[layer, k]]``. A
rule that asks what would happen if a unit behaved otherwise writes ``course.output`` of that
unit, and weighs and emits the layers behind it anew.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from spikesim._jit import kernel
from spikesim.errors import ParameterError
from spikesim.layered import Layer, LayeredNetwork
from spikesim.layered.forward import run
from spikesim.layered.lif import prepared
from spikesim.learning.base import Metrics
from spikesim.learning.eligibility import Response, membrane, respond, strongest
from spikesim.learning.local import (
    NetInput,
    check_batch,
    check_competition,
    check_grid,
    check_units,
    fires,
    refuse_divergence,
    refuse_single_step,
    strict,
)
from spikesim.neurons import Step
from spikesim.neurons.lif import step_alone

__all__ = [
    "CascadeRule",
    "Course",
    "Stack",
    "blank",
    "emit",
    "packed",
    "present",
    "stacked",
    "unpacked",
    "weigh",
]


class Stack(NamedTuple):
    """What the kernels need of the layers, besides their weights.

    Attributes
    ----------
    widths : ndarray of int64, shape (n_layers + 1,)
        Number of inputs, then of units of each layer.
    n_lines : ndarray of int64, shape (n_layers,)
        Inputs of each layer, and one more if its bias learns like a weight.
    instant : bool
        Threshold units, which have no time.
    strict : ndarray of bool, shape (n_layers,)
        Whether a net input exactly at the threshold leaves the units silent.
    decay_m, decay_syn, p_vi : ndarray, shape (n_layers,)
        Propagators.
    delta, subtract : ndarray of bool, shape (n_layers,)
        Kind of synapse and of reset.
    rest : ndarray, shape (n_layers, max_units, n_steps)
        Free potential without input and bias, minus threshold.
    bias_line : ndarray, shape (n_layers, n_steps)
        Response to a constant current of 1.
    leak_gain, i_ext, v_rest, v_th, v_reset, v_init, ref_steps : ndarray, (n_layers, max_units)
        As in :class:`spikesim.layered.lif.LIFLayer`.
    """

    widths: np.ndarray
    n_lines: np.ndarray
    instant: bool
    strict: np.ndarray
    decay_m: np.ndarray
    decay_syn: np.ndarray
    p_vi: np.ndarray
    delta: np.ndarray
    subtract: np.ndarray
    rest: np.ndarray
    bias_line: np.ndarray
    leak_gain: np.ndarray
    i_ext: np.ndarray
    v_rest: np.ndarray
    v_th: np.ndarray
    v_reset: np.ndarray
    v_init: np.ndarray
    ref_steps: np.ndarray


class Course(NamedTuple):
    """What the layers do in one trial, written over in the next.

    Attributes
    ----------
    output : ndarray, shape (n_steps, n_layers + 1, max_width)
        The inputs at index 0, then the spikes of each layer.
    e : ndarray, shape (n_layers, max_lines, n_steps)
        Response of a free membrane to each line, the bias last if it is one.
    t_max : ndarray of int64, shape (n_layers, max_units)
        Step of the largest free potential.
    excess : ndarray, shape (n_layers, max_units)
        That potential minus the threshold.
    v : ndarray, shape (n_steps,)
        Scratch.
    """

    output: np.ndarray
    e: np.ndarray
    t_max: np.ndarray
    excess: np.ndarray
    v: np.ndarray


class CascadeRule(ABC):
    """Base of the rules that train several layers of threshold or LIF units trial by trial.

    A subclass is a frozen dataclass of hyperparameters that runs its loop in :meth:`_learn`.
    """

    @property
    def readout(self) -> NetInput:
        """How outputs become decisions."""
        return NetInput()

    @abstractmethod
    def _learn(
        self, x: np.ndarray, labels: np.ndarray, stack: Stack, w: np.ndarray, trained: np.ndarray
    ) -> tuple[int, int, int, int]:
        """Change `w`, as :func:`packed` made it, where `trained` says so, trial by trial.

        Returns the number of right decisions, each before its own update, and trial, layer and
        unit where weights diverged, -1 for all three if none did.
        """

    def _moves_bias(self) -> bool:
        """Return whether a bias that is trainable learns like a weight."""
        return True

    def init(self, network: LayeredNetwork) -> None:
        """Check that the rule can train `network`.

        Raises
        ------
        ParameterError
            Threshold and LIF units in one network, recurrent weights, membranes that differ
            within a layer, no layer whose weights are trainable.
        ParameterTypeError
            Units other than threshold and LIF ones.
        """
        name, layers = type(self).__name__, network.layers
        check_grid(name, network)
        for layer in layers:
            check_units(name, layer)
        for index, layer in enumerate(layers):
            if layer.neuron.spiking != layers[0].neuron.spiking:
                kinds = [type(one.neuron).__name__ for one in (layers[0], layer)]
                raise ParameterError(
                    f"{name}.network must have Step units throughout or LIF units throughout, "
                    f"got {kinds[0]} in layer 0 and {kinds[1]} in layer {index}"
                )
        if not any("w" in layer.trainable for layer in layers):
            raise ParameterError(f"{name}.network: w must be in Layer.trainable of some layer")
        check_competition(name, layers[-1])

    def step(
        self, network: LayeredNetwork, state: None, x: np.ndarray, labels: np.ndarray
    ) -> tuple[LayeredNetwork, None, Metrics]:
        """Learn from the trials of `x` one after another.

        Parameters
        ----------
        network : LayeredNetwork
            Threshold units or LIF units in all layers; never modified. Layers whose weights are
            not trainable stay as they are.
        state : None
            There is none.
        x : ndarray, shape (n_steps, n_trials, n_inputs)
            Encoded inputs; one step for threshold units, at least two for LIF units.
        labels : ndarray of int64, shape (n_trials,)
            Class of each trial, from 0.

        Returns
        -------
        network, state, metrics
            The loss is the number of trials decided wrongly, each before its own update.

        Raises
        ------
        NonFiniteStateError
            Weights or errors that grew beyond all bounds.
        """
        name, layers = type(self).__name__, network.layers
        x, labels = check_batch(name, layers[0], max(2, layers[-1].n_post), x, labels)
        refuse_single_step(name, layers[0], x)
        trained = np.array(["w" in layer.trainable for layer in layers])
        bias_trained = [
            bool(self._moves_bias() and moves and "bias" in layer.trainable)
            for layer, moves in zip(layers, trained, strict=True)
        ]
        before = packed(network)
        w = before.copy()
        with np.errstate(all="ignore"):
            n_correct, trial, layer, unit = self._learn(
                x, labels, stacked(network, bias_trained, len(x)), w, trained
            )
            traces = run(network, x)
        refuse_divergence(name, trial, unit, layer if len(layers) > 1 else None)
        metrics = Metrics(
            loss=float(len(labels) - n_correct),
            n_correct=n_correct,
            n_trials=len(labels),
            update_norms=tuple(math.sqrt(np.vdot(change, change)) for change in w - before),
            traces=traces,
        )
        return unpacked(network, w, trained, bias_trained), None, metrics


def packed(network: LayeredNetwork) -> np.ndarray:
    """Return a new array of all weights, shape (n_layers, max_units, max_lines).

    ``w[layer, k, i]`` is the weight from input i to unit k, the bias comes after the last one,
    and what is left over is 0.
    """
    layers = network.layers
    w = np.zeros(
        (
            len(layers),
            max(layer.n_post for layer in layers),
            max(layer.n_pre for layer in layers) + 1,
        )
    )
    for index, layer in enumerate(layers):
        w[index, : layer.n_post, : layer.n_pre] = layer.w.T
        w[index, : layer.n_post, layer.n_pre] = layer.bias
    return w


def unpacked(
    network: LayeredNetwork, w: np.ndarray, trained: np.ndarray, bias_trained: Sequence[bool]
) -> LayeredNetwork:
    """Return `network` with what :func:`packed` gave, after training, in the trained layers."""
    layers = []
    for index, layer in enumerate(network.layers):
        if trained[index]:
            arrays = {"w": w[index, : layer.n_post, : layer.n_pre].T}
            if bias_trained[index]:
                arrays["bias"] = w[index, : layer.n_post, layer.n_pre]
            layer = layer.updated(**arrays)
        layers.append(layer)
    return network.updated(layers)


def stacked(network: LayeredNetwork, bias_trained: Sequence[bool], n_steps: int) -> Stack:
    """Return what the kernels need of `network` besides weights; not to be written to.

    Parameters
    ----------
    network : LayeredNetwork
        That passed :meth:`CascadeRule.init`.
    bias_trained : sequence of bool
        For each layer whether its bias is one more line.
    n_steps : int
        Steps of a trial.
    """
    kinds = tuple(
        (
            layer.neuron if layer.neuron.spiking else Step(layer.neuron.fire_on),
            layer.synapse,
            layer.n_pre,
            layer.n_post,
            bool(with_bias),
        )
        for layer, with_bias in zip(network.layers, bias_trained, strict=True)
    )
    return _stacked(kinds, network.dt, n_steps)


@lru_cache(maxsize=64)
def _stacked(kinds: tuple[tuple[Any, ...], ...], dt: float, n_steps: int) -> Stack:
    """Derive the constants once for all steps of a training."""
    n_layers = len(kinds)
    max_units = max(n_post for *_, n_post, _ in kinds)

    def floats() -> np.ndarray:
        return np.zeros((n_layers, max_units))

    stack = Stack(
        widths=np.array([kinds[0][2], *(kind[3] for kind in kinds)], np.int64),
        n_lines=np.array([n_pre + with_bias for *_, n_pre, _, with_bias in kinds], np.int64),
        instant=not kinds[0][0].spiking,
        strict=np.zeros(n_layers, np.bool_),
        decay_m=np.zeros(n_layers),
        decay_syn=np.zeros(n_layers),
        p_vi=np.zeros(n_layers),
        delta=np.zeros(n_layers, np.bool_),
        subtract=np.zeros(n_layers, np.bool_),
        rest=np.zeros((n_layers, max_units, n_steps)),
        bias_line=np.zeros((n_layers, n_steps)),
        leak_gain=floats(),
        i_ext=floats(),
        v_rest=floats(),
        v_th=floats(),
        v_reset=floats(),
        v_init=floats(),
        ref_steps=np.zeros((n_layers, max_units), np.int64),
    )
    for index, (neuron, synapse, n_pre, n_post, _) in enumerate(kinds):
        layer = Layer(np.zeros((n_pre, n_post)), neuron, synapse=synapse)
        response, rest, bias_line = membrane(layer, dt, n_steps)
        stack.strict[index] = strict(layer)
        stack.rest[index, :n_post] = rest
        stack.bias_line[index] = bias_line
        if stack.instant:
            continue
        stack.decay_m[index] = response.decay_m
        stack.decay_syn[index] = response.decay_syn
        stack.p_vi[index] = response.p_vi
        constants = prepared(neuron, synapse, n_post, dt)
        stack.delta[index] = constants.delta
        stack.subtract[index] = constants.subtract
        for name in ("leak_gain", "i_ext", "v_rest", "v_th", "v_reset", "v_init", "ref_steps"):
            getattr(stack, name)[index, :n_post] = getattr(constants, name)
    return stack


@kernel
def blank(stack):
    """Return a course to write to."""
    n_layers, max_units, n_steps = stack.rest.shape
    return Course(
        np.zeros((n_steps, n_layers + 1, stack.widths.max())),
        np.zeros((n_layers, stack.n_lines.max(), n_steps)),
        np.zeros((n_layers, max_units), np.int64),
        np.zeros((n_layers, max_units)),
        np.zeros(n_steps),
    )


@kernel
def present(x, trial, course):
    """Start a trial: write its inputs."""
    n_steps, _, n_inputs = x.shape
    for t in range(n_steps):
        for i in range(n_inputs):
            course.output[t, 0, i] = x[t, trial, i]


@kernel
def weigh(stack, w, layer, course):
    """Fill `e`, `t_max` and `excess` of a layer from the output of the layer before."""
    n_pre, n_post = stack.widths[layer], stack.widths[layer + 1]
    n_lines = stack.n_lines[layer]
    response = Response(
        stack.instant,
        stack.decay_m[layer],
        stack.decay_syn[layer],
        stack.p_vi[layer],
        1.0 if stack.delta[layer] else 0.0,
    )
    e = course.e[layer, :n_lines]
    # The layers take the place of trials here.
    respond(course.output[:, :, :n_pre], layer, response, stack.bias_line[layer], e)
    rest = np.empty(stack.rest.shape[2])
    for k in range(n_post):
        # A bias that does not learn is part of the rest.
        bias = 0.0 if n_lines > n_pre else w[layer, k, n_pre]
        for t in range(rest.shape[0]):
            rest[t] = stack.rest[layer, k, t] + bias * stack.bias_line[layer, t]
        course.t_max[layer, k], course.excess[layer, k] = strongest(
            e, w[layer, k, :n_lines], rest, course.v
        )


@kernel
def emit(stack, w, layer, course):
    """Fill the output of a layer, after :func:`weigh`, from the output of the layer before.

    LIF units move as in :mod:`spikesim.layered.lif`, in the order of ``docs/update_order.md``.
    """
    n_pre, n_post = stack.widths[layer], stack.widths[layer + 1]
    before, after = course.output[:, layer], course.output[:, layer + 1]
    for k in range(n_post):
        if stack.instant:
            fired = fires(course.excess[layer, k], stack.strict[layer])
            after[0, k] = 1.0 if fired else 0.0
            continue
        constant = stack.leak_gain[layer, k] * (w[layer, k, n_pre] + stack.i_ext[layer, k])
        v = stack.v_init[layer, k]
        current = 0.0
        refractory = 0
        for t in range(before.shape[0]):
            drive = 0.0
            if t > 0:
                for i in range(n_pre):
                    drive += before[t - 1, i] * w[layer, k, i]
            _, v, refractory, fired = step_alone(
                v,
                refractory,
                stack.p_vi[layer] * current + constant,
                drive if stack.delta[layer] else 0.0,
                stack.decay_m[layer],
                stack.v_rest[layer, k],
                stack.v_th[layer, k],
                stack.v_reset[layer, k],
                stack.ref_steps[layer, k],
                stack.subtract[layer],
            )
            after[t, k] = 1.0 if fired else 0.0
            current = stack.decay_syn[layer] * current + drive
