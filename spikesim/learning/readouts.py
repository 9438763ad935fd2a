r"""Readouts: how the output layer of a network is turned into scores and decisions.

A score is one number for each trial and output unit. With several output units the largest
score decides (the first of equal ones); a single unit says class 1 when its score reaches the
threshold of the readout. Each readout knows its own derivative, so any of them can end a
network that is trained by gradients.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from spikesim import _check
from spikesim.errors import ParameterError, ParameterTypeError
from spikesim.layered.continuous_trace import ContinuousTrace
from spikesim.layered.forward import Trace
from spikesim.layered.network import Layer

__all__ = [
    "FirstSpike",
    "MaxMembrane",
    "MeanMembrane",
    "RateOutput",
    "Readout",
    "SpikeCount",
    "default_readout",
]

Gradients = tuple[np.ndarray | None, np.ndarray | None]


class Readout(Protocol):
    """What every readout does."""

    def check(self, layer: Layer) -> None:
        """Raise ParameterError if the readout cannot read `layer`."""
        ...

    def scores(self, trace: Trace, layer: Layer, dt: float) -> np.ndarray:
        """Return the score of each trial and unit, shape (n_trials, n_outputs)."""
        ...

    def backward(self, trace: Trace, layer: Layer, grad_scores: np.ndarray, dt: float) -> Gradients:
        """Return the gradients by output and by v of the layer; None stands for zeros."""
        ...

    def decide(self, scores: np.ndarray, layer: Layer) -> np.ndarray:
        """Return the class of each trial, int64."""
        ...

    def threshold_of(self, layer: Layer) -> float:
        """Return the score from which on a single unit says class 1."""
        ...

    def targets_of(self, layer: Layer) -> tuple[float, float]:
        """Return the low and the high target for losses that compare scores with targets."""
        ...


class _Decides(ABC):
    """The decision that all readouts share."""

    def decide(self, scores: np.ndarray, layer: Layer) -> np.ndarray:
        """Return the class of each trial, int64."""
        if scores.shape[1] == 1:
            return (scores[:, 0] >= self.threshold_of(layer)).astype(np.int64)
        return scores.argmax(axis=1)

    @abstractmethod
    def threshold_of(self, layer: Layer) -> float:
        """Return the score from which on a single unit says class 1."""


@_check.suggest_keywords
@dataclass(frozen=True)
class RateOutput(_Decides):
    """The output of rate units, averaged over the steps.

    The threshold of a single unit lies midway between its bounds (0.5 for logistic and step
    units, 0 for tanh, 0.5 for ReLU, whose upper bound is taken as 1); the targets are the bounds.
    """

    def check(self, layer: Layer) -> None:
        """Refuse spiking units."""
        if layer.neuron.spiking:
            raise ParameterError(
                "RateOutput reads rate units, the output layer has LIF neurons; "
                "use SpikeCount, FirstSpike or MaxMembrane"
            )

    def scores(self, trace: Trace, layer: Layer, dt: float) -> np.ndarray:
        """Return the mean output."""
        return trace.output[0] if len(trace.output) == 1 else trace.output.mean(axis=0)

    def backward(self, trace: Trace, layer: Layer, grad_scores: np.ndarray, dt: float) -> Gradients:
        """Return the gradient by output, equal in all steps."""
        n_steps = len(trace.output)
        return np.broadcast_to(grad_scores / n_steps, trace.output.shape), None

    def threshold_of(self, layer: Layer) -> float:
        """Return the middle of the bounds of the units."""
        low, high = self.targets_of(layer)
        return 0.5 * (low + high)

    def targets_of(self, layer: Layer) -> tuple[float, float]:
        """Return the bounds of the units."""
        low, high = layer.neuron.bounds
        return low, min(high, 1.0)


@_check.suggest_keywords
@dataclass(frozen=True)
class SpikeCount(_Decides):
    """The number of spikes in the trial.

    Parameters
    ----------
    threshold : float, default 0.5
        Count from which on a single unit says class 1; the default asks for one spike.
    targets : tuple of float, default (0, 1)
        Counts to aim at with :class:`MAE` and :class:`MSE`.
    """

    threshold: float = 0.5
    targets: tuple[float, float] = (0.0, 1.0)

    def __post_init__(self) -> None:
        _check.scalar("SpikeCount.threshold", self.threshold)
        _check_targets("SpikeCount.targets", self.targets)

    def check(self, layer: Layer) -> None:
        """Refuse rate units and units that never fire."""
        _needs_spikes("SpikeCount", layer)

    def scores(self, trace: Trace, layer: Layer, dt: float) -> np.ndarray:
        """Return the counts."""
        if isinstance(trace, ContinuousTrace):
            return trace.counts.astype(np.float64)
        return trace.output.sum(axis=0)

    def backward(self, trace: Trace, layer: Layer, grad_scores: np.ndarray, dt: float) -> Gradients:
        """Return the gradient by output, equal in all steps."""
        return np.broadcast_to(grad_scores, trace.output.shape), None

    def threshold_of(self, layer: Layer) -> float:
        """Return `threshold`."""
        return self.threshold

    def targets_of(self, layer: Layer) -> tuple[float, float]:
        """Return `targets`."""
        return self.targets


@_check.suggest_keywords
@dataclass(frozen=True)
class FirstSpike(_Decides):
    r"""How early a unit fires: the time left after its first spike, 0 if it stays silent.

    With :math:`Z_k = \prod_{j \le k} (1 - S_j)`, which is 1 until the first spike and 0 from
    then on, the first spike falls on :math:`t = dt\,(1 + \sum_k Z_k)`, or on one step after the
    end when there is none. The score is what is left until then,
    :math:`y = (n\,dt - dt \sum_k Z_k) / scale`.

    This is a polynomial of the spikes. Its derivative,
    :math:`\partial y / \partial S_j = \frac{dt}{scale} \sum_{k \ge j} \prod_{i \le k, i \ne j}
    (1 - S_i)`, says how much earlier the first spike would be if there were one in step j: the
    time until the spike that leads now, for every step before it, and nothing for later steps.
    A silent unit has a gradient too. If spikes are read as independent with probability S, the
    score is the expected one. In continuous time the score is :math:`(T - t) / scale` for a trial
    of length T.

    Parameters
    ----------
    scale : float, default 1
        Time that makes one unit of score (ms), > 0. With cross-entropy it is the difference of
        first spikes that means odds of e to 1.
    threshold : float, default 0.5
        Score from which on a single unit says class 1. Where ``dt / scale`` is at least 0.5
        the default asks for a spike at any time.
    targets : tuple of float, default (0, 1)
        Scores to aim at with :class:`MAE` and :class:`MSE`.
    """

    scale: float = 1.0
    threshold: float = 0.5
    targets: tuple[float, float] = (0.0, 1.0)

    def __post_init__(self) -> None:
        _check.positive("FirstSpike.scale", self.scale)
        _check.scalar("FirstSpike.threshold", self.threshold)
        _check_targets("FirstSpike.targets", self.targets)

    def check(self, layer: Layer) -> None:
        """Refuse rate units and units that never fire."""
        _needs_spikes("FirstSpike", layer)

    def scores(self, trace: Trace, layer: Layer, dt: float) -> np.ndarray:
        """Return the time left after the first spike, in units of `scale`."""
        if isinstance(trace, ContinuousTrace):
            return np.maximum(trace.duration - trace.first_spikes, 0.0) / self.scale
        waiting = np.cumprod(1.0 - trace.output, axis=0).sum(axis=0)
        return (len(trace.output) - waiting) * (dt / self.scale)

    def backward(self, trace: Trace, layer: Layer, grad_scores: np.ndarray, dt: float) -> Gradients:
        """Return the gradient by output."""
        silent = 1.0 - trace.output
        before = np.ones(silent.shape)
        np.cumprod(silent[:-1], axis=0, out=before[1:])
        after = np.ones(silent.shape)
        for k in range(len(silent) - 2, -1, -1):
            after[k] += silent[k + 1] * after[k + 1]
        return before * after * (grad_scores * (dt / self.scale)), None

    def threshold_of(self, layer: Layer) -> float:
        """Return `threshold`."""
        return self.threshold

    def targets_of(self, layer: Layer) -> tuple[float, float]:
        """Return `targets`."""
        return self.targets


@_check.suggest_keywords
@dataclass(frozen=True)
class MaxMembrane(_Decides):
    """The highest membrane potential of the trial (mV), before any reset.

    On a unit without threshold (:meth:`LIF.non_spiking`) it is the classic readout of a leaky
    integrator. On one with a threshold it reaches the threshold exactly when the unit fires.
    The derivative goes to the step of the maximum, the first of equal ones.

    Parameters
    ----------
    threshold : float, optional
        Potential from which on a single unit says class 1 (mV); the default is `v_th` of the
        unit, or 1 mV above `v_rest` where that is infinite.
    """

    threshold: float | None = None

    def __post_init__(self) -> None:
        if self.threshold is not None:
            _check.scalar("MaxMembrane.threshold", self.threshold)

    def check(self, layer: Layer) -> None:
        """Refuse rate units."""
        if not layer.neuron.spiking:
            raise ParameterError(
                "MaxMembrane reads LIF neurons, the output layer has rate units; use RateOutput"
            )

    def scores(self, trace: Trace, layer: Layer, dt: float) -> np.ndarray:
        """Return the maximum over the steps; over all times where there are none."""
        if isinstance(trace, ContinuousTrace) and trace.v_max is not None:
            return trace.v_max
        return trace.v.max(axis=0)

    def backward(self, trace: Trace, layer: Layer, grad_scores: np.ndarray, dt: float) -> Gradients:
        """Return the gradient by v, zero but at the maximum."""
        grad_v = np.zeros(trace.v.shape)
        n_trials, n_units = grad_scores.shape
        best = trace.v.argmax(axis=0)
        grad_v[best, np.arange(n_trials)[:, None], np.arange(n_units)] = grad_scores
        return None, grad_v

    def threshold_of(self, layer: Layer) -> float:
        """Return the potential that divides the classes."""
        if self.threshold is not None:
            return self.threshold
        v_th = _highest(layer.neuron.v_th)
        return v_th if math.isfinite(v_th) else _highest(layer.neuron.v_rest) + 1.0

    def targets_of(self, layer: Layer) -> tuple[float, float]:
        """Return `v_rest` and the potential as far above the threshold as that is below it."""
        low, middle = _highest(layer.neuron.v_rest), self.threshold_of(layer)
        return low, 2.0 * middle - low


@_check.suggest_keywords
@dataclass(frozen=True)
class MeanMembrane(_Decides):
    """The membrane potential (mV), before any reset, averaged over the steps of the trial.

    On a unit without threshold (:meth:`LIF.non_spiking`) it is linear in the weights of the
    output layer and may have either sign, as regression asks for.

    Parameters
    ----------
    threshold : float, default 0.5
        Mean potential from which on a single unit says class 1 (mV).
    targets : tuple of float, default (0, 1)
        Potentials (mV) to aim at with :class:`MAE` and :class:`MSE`.
    """

    threshold: float = 0.5
    targets: tuple[float, float] = (0.0, 1.0)

    def __post_init__(self) -> None:
        _check.scalar("MeanMembrane.threshold", self.threshold)
        _check_targets("MeanMembrane.targets", self.targets)

    def check(self, layer: Layer) -> None:
        """Refuse rate units."""
        if not layer.neuron.spiking:
            raise ParameterError(
                "MeanMembrane reads LIF neurons, the output layer has rate units; use RateOutput"
            )

    def scores(self, trace: Trace, layer: Layer, dt: float) -> np.ndarray:
        """Return the mean over the steps; over all times where there are none."""
        if isinstance(trace, ContinuousTrace) and trace.v_mean is not None:
            return trace.v_mean
        return trace.v.mean(axis=0)

    def backward(self, trace: Trace, layer: Layer, grad_scores: np.ndarray, dt: float) -> Gradients:
        """Return the gradient by v, equal in all steps."""
        return None, np.broadcast_to(grad_scores / len(trace.v), trace.v.shape)

    def threshold_of(self, layer: Layer) -> float:
        """Return `threshold`."""
        return self.threshold

    def targets_of(self, layer: Layer) -> tuple[float, float]:
        """Return `targets`."""
        return self.targets


def default_readout(layer: Layer) -> Any:
    """Return the usual readout of an output layer.

    :class:`RateOutput` for rate units; :class:`SpikeCount` for LIF neurons, or
    :class:`MaxMembrane` when there is one that never fires.

    Parameters
    ----------
    layer : Layer
        The output layer.
    """
    if not layer.neuron.spiking:
        return RateOutput()
    return SpikeCount() if np.all(np.isfinite(layer.neuron.v_th)) else MaxMembrane()


def _highest(value: Any) -> float:
    return value if isinstance(value, float) else float(np.max(value))


def _needs_spikes(name: str, layer: Layer) -> None:
    if not layer.neuron.spiking:
        raise ParameterError(
            f"{name} counts on spikes, the output layer has rate units; use RateOutput"
        )
    if np.all(np.isinf(layer.neuron.v_th)):
        raise ParameterError(
            f"{name} counts on spikes, the output layer never fires (v_th is inf); use MaxMembrane"
        )


def _check_targets(name: str, value: Any) -> None:
    if not isinstance(value, tuple) or len(value) != 2:
        raise ParameterTypeError(f"{name} must be a tuple of two numbers, got {value!r}")
    low = _check.scalar(f"{name}[0]", value[0])
    if _check.scalar(f"{name}[1]", value[1]) <= low:
        raise ParameterError(f"{name} must have the smaller number first, got {value}")
