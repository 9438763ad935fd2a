"""Operations of a network counted from its traces; what they mean is in the module operations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from spikesim.layered import LayeredNetwork, PackedSpikes, SpikeTimes
from spikesim.layered.forward import given_to_first
from spikesim.layered.network import Layer
from spikesim.learning import Backprop
from spikesim.neurons import AdaptiveLIF
from spikesim.synapses import Exponential

__all__ = ["Counts", "LayerCounts", "Part", "counted", "joined"]


class Part(NamedTuple):
    """Operations over weights that share their activations: how many, and whether binary."""

    n: float
    binary: bool


class LayerCounts(NamedTuple):
    """What a layer did for all samples; whether input is binary is known once all were seen."""

    dense: float
    given: Part
    recurrent: float
    state_updates: float
    spikes: float
    back_dense: float
    back_given: Part
    back_recurrent: float
    back_errors: float


class Counts(NamedTuple):
    """What a network did for all samples, with the spikes it was given and the steps it ran."""

    layers: list[LayerCounts]
    input_spikes: float
    n_steps: int


def counted(network: LayeredNetwork, x: Any, traces: Sequence[Any], rule: Any) -> Counts:
    """Count everything for all trials of `x`, which has been checked."""
    surrogate = rule.surrogate if isinstance(rule, Backprop) and not network.continuous else None
    signal = x if network.continuous else given_to_first(network, x)
    spikes_given = isinstance(signal, (PackedSpikes, SpikeTimes))
    input_spikes = float(_activity(signal)[0].sum()) if spikes_given else 0.0
    layers, before = [], None
    for layer, trace in zip(network.layers, traces, strict=True):
        n_steps = trace.n_steps if network.continuous else x.shape[0]
        n_trials = trace.n_trials if network.continuous else x.shape[1]
        counts = _layer_counts(layer, signal, trace, n_steps * n_trials, network.continuous)
        if surrogate is not None:
            able = _able(layer, trace, surrogate)
            counts = _with_backward(counts, layer, signal, trace, able, before, n_steps * n_trials)
            before = able
        layers.append(counts)
        signal = trace if network.continuous else trace.passed_on
    return Counts(layers, input_spikes, n_steps)


def _layer_counts(
    layer: Layer, signal: Any, trace: Any, rows: int, continuous: bool
) -> LayerCounts:
    """Count the forward run of a layer over `rows` steps of trials."""
    sent, binary = _activity(signal)
    given = float(sent @ np.count_nonzero(layer.w, axis=1))
    n_weights, recurrent, spikes, updates = layer.w.size, 0.0, 0.0, 0.0
    if layer.neuron.spiking:
        fired, _ = _activity(trace if continuous else trace.passed_on)
        spikes = float(fired.sum())
        if layer.w_rec is not None:
            n_weights += layer.w_rec.size
            recurrent = float(fired @ np.count_nonzero(layer.w_rec, axis=1))
        n_states = 2 if isinstance(layer.synapse, Exponential) else 1
        n_states += isinstance(layer.neuron, AdaptiveLIF)
        events = given + recurrent + spikes if continuous else rows * layer.n_post
        updates = float(n_states * events)
    nothing = Part(0.0, True)
    return LayerCounts(
        float(rows * n_weights), Part(given, binary), recurrent, updates, spikes,
        0.0, nothing, 0.0, 0.0,
    )  # fmt: skip


def _with_backward(
    counts: LayerCounts,
    layer: Layer,
    signal: Any,
    trace: Any,
    able: np.ndarray,
    before: np.ndarray | None,
    rows: int,
) -> LayerCounts:
    """Add the way back through a layer.

    `able` and `before` are where units of this layer and of the one before have a derivative,
    None for the input, which needs no error.
    """
    # Of rate units those without a derivative have no error to pass on either.
    with_error = None if layer.neuron.spiking else able
    dense, given, recurrent, errors = 0.0, 0.0, 0.0, 0.0
    if "w" in layer.trainable:
        dense += rows * layer.w.size
        if with_error is None:
            given = float(_activity(signal)[0].sum()) * layer.n_post
        else:
            active = np.count_nonzero(np.asarray(signal), axis=2)
            given = float(np.sum(active * np.count_nonzero(with_error, axis=2)))
    if before is not None:
        dense += rows * layer.w.size
        errors += _pairs(before, layer.w != 0.0, with_error)
    if layer.w_rec is not None:
        if "w_rec" in layer.trainable:
            dense += rows * layer.w_rec.size
            recurrent = counts.spikes * layer.n_post
        dense += rows * layer.w_rec.size
        errors += _pairs(able, layer.w_rec != 0.0, None)
    part = Part(given, counts.given.binary)
    return counts._replace(
        back_dense=float(dense), back_given=part, back_recurrent=recurrent, back_errors=errors
    )


def _activity(signal: Any) -> tuple[np.ndarray, bool]:
    """Return how often each line or unit is not 0, and whether it is then 1 or -1 always."""
    if isinstance(signal, np.ndarray):
        nonzero = signal != 0.0
        return np.count_nonzero(nonzero, axis=(0, 1)), bool(np.all(np.abs(signal[nonzero]) == 1.0))
    if isinstance(signal, SpikeTimes):
        return np.bincount(signal.units, minlength=signal.n_inputs), True
    if isinstance(signal, PackedSpikes):
        total = np.zeros(signal.n_units, dtype=np.int64)
        for bits in signal.bits:
            octets = bits.astype("<u8", copy=False).view(np.uint8)
            total += np.unpackbits(
                octets, axis=1, count=signal.n_units, bitorder="little"
            ).sum(axis=0, dtype=np.int64)  # fmt: skip
        return total, True
    return signal.counts.sum(axis=0), True


def _able(layer: Layer, trace: Any, surrogate: Any) -> np.ndarray:
    """Return where units have a derivative, bool, shape (n_steps, n_trials, n_units)."""
    if not layer.neuron.spiking:
        return layer.neuron.derivative(trace.v, trace.output) != 0.0
    v_th, v_rest = np.asarray(layer.neuron.v_th), np.asarray(layer.neuron.v_rest)
    fires, reach = np.isfinite(v_th), getattr(surrogate, "reach", np.inf)
    if reach == np.inf:
        return np.broadcast_to(fires, trace.v.shape)
    scale = np.where(fires, v_th - v_rest, 1.0)
    above = trace.v - np.where(fires, v_th, 0.0)
    if isinstance(layer.neuron, AdaptiveLIF):
        above = above - trace.a
    distance = np.abs(above / scale)
    return fires & (distance <= reach)


def _pairs(pre: np.ndarray, connected: np.ndarray, post: np.ndarray | None) -> float:
    """Count connections from a unit in `pre` to one in `post` (None for all), over all steps."""
    if post is None:
        return float(np.count_nonzero(pre, axis=(0, 1)) @ np.count_nonzero(connected, axis=1))
    return float(np.sum((pre.astype(np.float64) @ connected.astype(np.float64)) * post))


def joined(a: list[LayerCounts], b: list[LayerCounts]) -> list[LayerCounts]:
    """Return the counts of samples `a` and `b` together."""

    def add(x: Any, y: Any) -> Any:
        return Part(x.n + y.n, x.binary and y.binary) if isinstance(x, Part) else x + y

    return [
        LayerCounts(*(add(x, y) for x, y in zip(one, other, strict=True)))
        for one, other in zip(a, b, strict=True)
    ]
