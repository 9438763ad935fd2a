"""What the rules of spike timing share: trials one after another, and pairs of spikes.

Each trial is run through the whole network, decided, and learnt from before the next one, so a
batch is a sequence. Times are the stamps of the spikes (``docs/update_order.md``): an input
stamped k is felt in step k + 1 at the earliest, so a spike that it caused is stamped later.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from spikesim import _check
from spikesim._jit import kernel
from spikesim.errors import NonFiniteStateError, ParameterError, ParameterTypeError
from spikesim.layered import Layer, LayeredNetwork, Trace
from spikesim.layered.forward import run
from spikesim.layered.packed import PackedSpikes
from spikesim.layered.trace import SpikingTrace
from spikesim.learning.base import Metrics
from spikesim.learning.inputs import checked_batch
from spikesim.learning.local import refuse_learnt_units
from spikesim.learning.readouts import default_readout
from spikesim.neurons import LIF

__all__ = ["TrialRule", "add_pairs", "check_bounds", "check_window", "pair_up", "spikes_into"]


class TrialRule(ABC):
    """Base of the rules that learn from the spikes of one trial at a time.

    A subclass is a frozen dataclass of hyperparameters with a `readout` (None for the usual one
    of the output layer) that changes the layers in :meth:`_learn`.
    """

    readout: Any

    def init(self, network: LayeredNetwork) -> Any:
        """Check that the rule can train `network`; return its initial state.

        Raises
        ------
        ParameterError
            Units that never fire, delays, continuous time, nothing to train.
        ParameterTypeError
            Units other than LIF ones.
        """
        self._check_network(network)
        return self._first_state()

    def step(
        self, network: LayeredNetwork, state: Any, x: np.ndarray, labels: np.ndarray
    ) -> tuple[LayeredNetwork, Any, Metrics]:
        """Learn from the trials of `x` one after another.

        Parameters
        ----------
        network : LayeredNetwork
            LIF units throughout; never modified.
        state : object
            What :meth:`init` or the previous call returned.
        x : ndarray, shape (n_steps, n_trials, n_inputs)
            Encoded inputs; a value is a number of spikes, at least 0.
        labels : ndarray of int64, shape (n_trials,)
            Class of each trial, from 0.

        Returns
        -------
        network, state, metrics
            Decisions, loss and traces are those of each trial before its own update.

        Raises
        ------
        NonFiniteStateError
            Weights that grew beyond all bounds.
        """
        name = type(self).__name__
        x, labels = checked_batch(name, x, labels, network)
        x = np.asarray(x)
        self._check_batch(network, x, labels)
        readout = default_readout(network.layers[-1]) if self.readout is None else self.readout
        before = network
        recorded = []
        n_correct = 0
        for trial, label in enumerate(labels):
            # A copy, since inputs of one trial must look alike to kernels in any company.
            inputs = x[:, trial : trial + 1].copy()
            traces = run(network, inputs)
            output = network.layers[-1]
            scores = readout.scores(traces[-1], output, network.dt)
            right = bool(readout.decide(scores, output)[0] == label)
            n_correct += right
            recorded.append(traces)
            try:
                with np.errstate(over="ignore", invalid="ignore"):
                    layers, state = self._learn(network, state, inputs, traces, int(label), right)
            except ParameterError as error:
                raise NonFiniteStateError(
                    f"{name}: the weights diverged at trial {trial} of the batch ({error}); "
                    "lower the step of the rule, or bound the weights"
                ) from None
            network = network.updated(layers)
        traces = _joined(recorded)
        norms = tuple(
            float(np.linalg.norm(new.w - old.w))
            for new, old in zip(network.layers, before.layers, strict=True)
        )
        loss = self._loss(before, traces, labels, n_correct)
        return network, state, Metrics(loss, n_correct, len(labels), norms, traces)

    @abstractmethod
    def _learn(
        self,
        network: LayeredNetwork,
        state: Any,
        inputs: np.ndarray,
        traces: tuple[Trace, ...],
        label: int,
        right: bool,
    ) -> tuple[list[Layer], Any]:
        """Return the layers and the state after a trial, shape (n_steps, 1, n_inputs)."""

    def _first_state(self) -> Any:
        return None

    def _check_network(self, network: LayeredNetwork) -> None:
        name = type(self).__name__
        if network.continuous:
            raise ParameterError(
                f"{name}.network must run on a grid; make it without continuous=True, or use "
                "EventProp or SpikeProp"
            )
        for index, layer in enumerate(network.layers):
            where = f"{name}.network: layer {index}"
            _check.instance(f"{where}: neuron", layer.neuron, LIF, "LIF")
            if np.any(np.isinf(layer.neuron.v_th)):
                raise ParameterError(f"{where}: LIF.v_th must be finite, the unit has to fire")
            if layer.delay is not None:
                raise ParameterError(f"{where}: Layer.delay must be None; delays are not learnt")
            refuse_learnt_units(where, layer)
        if not any("w" in layer.trainable for layer in self._taught(network)):
            raise ParameterError(f"{name}.network: w must be in Layer.trainable of a layer")
        if self.readout is not None:
            self.readout.check(network.layers[-1])

    def _taught(self, network: LayeredNetwork) -> tuple[Layer, ...]:
        """Return the layers that the rule can train."""
        return tuple(network.layers)

    def _check_batch(self, network: LayeredNetwork, x: np.ndarray, labels: np.ndarray) -> None:
        if np.any(x < 0.0):
            raise ParameterError(
                f"{type(self).__name__}.x{_check._first(x < 0.0)} is {x[x < 0.0].flat[0]:g}; "
                "spikes cannot be negative, take an encoder that makes spikes"
            )

    def _loss(
        self,
        network: LayeredNetwork,
        traces: tuple[Trace, ...],
        labels: np.ndarray,
        n_correct: int,
    ) -> float:
        return float(len(labels) - n_correct)


def spikes_into(inputs: np.ndarray, traces: tuple[Trace, ...], index: int) -> np.ndarray:
    """Return the spikes that a layer received, shape (n_steps, n_pre)."""
    spikes = inputs if index == 0 else traces[index - 1].output
    return spikes[:, 0].astype(np.float64)


def _joined(recorded: list[tuple[Any, ...]]) -> tuple[Any, ...]:
    """Return the traces of trials that were run one by one, as if run together."""
    return tuple(
        SpikingTrace(
            np.concatenate([trace.v_free for trace in layer]),
            _stacked([trace.spikes for trace in layer]),
            None if layer[0].refractory is None else _stacked([t.refractory for t in layer]),
        )
        for layer in zip(*recorded, strict=True)
    )


def _stacked(trials: list[PackedSpikes]) -> PackedSpikes:
    return PackedSpikes(np.concatenate([trial.bits for trial in trials]), trials[0].n_units)


def check_window(rule: Any) -> None:
    """Refuse a window, pairing, bounds or readout that is none, by the name of the rule."""
    name = type(rule).__name__
    for side in ("a_plus", "a_minus"):
        _check.non_negative(f"{name}.{side}", getattr(rule, side))
    for side in ("tau_plus", "tau_minus"):
        _check.positive(f"{name}.{side}", getattr(rule, side))
    _check.choice(f"{name}.pairing", rule.pairing, ("all", "nearest"))
    low = _check.scalar(f"{name}.w_min", rule.w_min, finite=False)
    high = _check.scalar(f"{name}.w_max", rule.w_max, finite=False)
    if not low < high:
        raise ParameterError(f"{name}.w_max must be greater than w_min = {low:g}, got {high:g}")
    readout = rule.readout
    if readout is not None and (isinstance(readout, type) or not hasattr(readout, "scores")):
        raise ParameterTypeError(f"{name}.readout must be a readout, got {readout!r}")


def check_bounds(name: str, network: LayeredNetwork, w_min: float, w_max: float) -> None:
    """Refuse weights that are to be trained and lie outside their bounds."""
    for index, layer in enumerate(network.layers):
        outside = (layer.w < w_min) | (layer.w > w_max)
        if "w" in layer.trainable and outside.any():
            raise ParameterError(
                f"{name}.network: layer {index}: Layer.w{_check._first(outside)} is "
                f"{layer.w[outside].flat[0]:g}, outside of w_min = {w_min:g} to w_max = {w_max:g}"
            )


def pair_up(
    rule: Any,
    dt: float,
    inputs: np.ndarray,
    traces: tuple[Trace, ...],
    index: int,
    w: np.ndarray,
    share: np.ndarray,
    bounded: bool = True,
) -> None:
    """Change `w` by the pairs of spikes of one layer in a trial, within bounds or without."""
    add_pairs(
        spikes_into(inputs, traces, index),
        traces[index].output[:, 0].astype(np.float64),
        w,
        share,
        float(rule.a_plus),
        float(rule.a_minus),
        math.exp(-dt / rule.tau_plus),
        math.exp(-dt / rule.tau_minus),
        rule.pairing == "nearest",
        bounded and rule.bounds == "soft",
        float(rule.w_min) if bounded else -math.inf,
        float(rule.w_max) if bounded else math.inf,
    )


@kernel
def add_pairs(
    pre,
    post,
    w,
    share,
    a_plus,
    a_minus,
    decay_plus,
    decay_minus,
    nearest,
    soft,
    w_min,
    w_max,
):
    """Change `w` by every pair of a spike of `pre` and one of `post`, as they come.

    A trace of each input and unit holds what a partner adds now; those of `pre` decay with
    tau_plus, those of `post` with tau_minus. A pair is found at its later spike; spikes of one
    step are no pair. With `nearest` a trace starts anew at each spike. `share` is the share of
    a change that counts, for each step.
    """
    n_steps, n_pre = pre.shape
    n_post = post.shape[1]
    pre_trace = np.zeros(n_pre)
    post_trace = np.zeros(n_post)
    for t in range(n_steps):
        for i in range(n_pre):
            pre_trace[i] *= decay_plus
        for j in range(n_post):
            post_trace[j] *= decay_minus
        for i in range(n_pre):
            if pre[t, i] != 0.0:
                for j in range(n_post):
                    room = w[i, j] - w_min if soft else 1.0
                    change = share[t] * a_minus * room * pre[t, i] * post_trace[j]
                    if change != 0.0:
                        w[i, j] = min(max(w[i, j] - change, w_min), w_max)
        for j in range(n_post):
            if post[t, j] != 0.0:
                for i in range(n_pre):
                    room = w_max - w[i, j] if soft else 1.0
                    change = share[t] * a_plus * room * pre_trace[i]
                    if change != 0.0:
                        w[i, j] = min(max(w[i, j] + change, w_min), w_max)
        for i in range(n_pre):
            if pre[t, i] != 0.0:
                pre_trace[i] = pre[t, i] + (0.0 if nearest else pre_trace[i])
        for j in range(n_post):
            if post[t, j] != 0.0:
                post_trace[j] = post[t, j] + (0.0 if nearest else post_trace[j])
