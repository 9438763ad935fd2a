"""What training takes: features, labels and encoders, checked at the door."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from spikesim import _check
from spikesim.encoding import Analog
from spikesim.errors import ParameterError, ParameterTypeError
from spikesim.layered.continuous import spikes_of
from spikesim.layered.forward import checked_x, given_to_first
from spikesim.layered.network import LayeredNetwork
from spikesim.layered.packed import PackedSpikes
from spikesim.layered.spike_times import SpikeTimes

__all__ = [
    "check_rule",
    "checked_answers",
    "checked_batch",
    "checked_encoder",
    "checked_features",
    "checked_labels",
    "checked_targets",
    "encoded",
    "packed",
    "takes_targets",
]


def check_rule(name: str, rule: Any) -> None:
    """Refuse what is no learning rule."""
    if isinstance(rule, type) or not (hasattr(rule, "init") and hasattr(rule, "step")):
        raise ParameterTypeError(
            f"{name} must be a learning rule, an object such as Backprop(), got {rule!r}"
        )


def checked_encoder(name: str, encoder: Any) -> Any:
    """Return `encoder`, or :class:`~spikesim.encoding.Analog` for None."""
    if encoder is None:
        return Analog()
    methods = ("fit", "encode", "n_inputs")
    if (
        isinstance(encoder, type)
        or not all(callable(getattr(encoder, method, None)) for method in methods)
        or not hasattr(encoder, "stochastic")
    ):
        raise ParameterTypeError(
            f"{name} must be an encoder, with methods fit, encode and n_inputs and an attribute "
            f"stochastic, got {encoder!r}"
        )
    return encoder


def checked_features(name: str, features: Any) -> np.ndarray:
    """Return samples as a float64 array of shape (n_samples, n_features), neither 0."""
    table = _check.float_array(name, features)
    if table.ndim != 2:
        raise ParameterError(
            f"{name} must have shape (n_samples, n_features), got {table.shape}"
            + ("; reshape(-1, 1) makes one feature of it" if table.ndim == 1 else "")
        )
    if 0 in table.shape:
        raise ParameterError(
            f"{name} must hold at least one sample and one feature, got shape {table.shape}"
        )
    return table


def checked_labels(name: str, labels: Any, n_trials: int, network: LayeredNetwork) -> np.ndarray:
    """Return labels as int64, each a class that the output of `network` can tell."""
    if np.ma.isMaskedArray(labels) and np.any(np.ma.getmaskarray(labels)):
        first = _check._first(np.ma.getmaskarray(labels))
        raise ParameterError(f"{name}{first} is masked; drop samples without a label first")
    try:
        array = np.asarray(labels)
    except ValueError as error:
        raise ParameterTypeError(f"{name} must be one whole number a sample: {error}") from None
    place = ""
    if array.dtype == object:
        # Python's whole numbers only: the first thing that is none is what the message shows.
        whole = np.vectorize(lambda v: isinstance(v, (int, np.integer)), otypes=[bool])(array)
        if whole.all():
            array = array.astype(np.int64)
        else:
            place, array = f" at {_check._first(~whole)}", array[~whole]
    if array.dtype.kind not in "biu":
        raise ParameterTypeError(
            f"{name} must be whole numbers that count the classes from 0, got "
            f"{_check._sample(array)}{place}; np.unique(labels, return_inverse=True) makes them"
        )
    if array.shape != (n_trials,):
        hint = ""
        if array.ndim == 2 and array.shape[1] == 1:
            hint = "; ravel() makes one axis of two"
        elif array.ndim == 2:
            hint = "; argmax(axis=1) makes labels of a column for each class"
        raise ParameterError(
            f"{name} must have one label for each of the {n_trials} samples, shape "
            f"({n_trials},), got {array.shape}{hint}"
        )
    n_classes = max(2, network.n_outputs)
    outside = (array < 0) | (array >= n_classes)
    if outside.any():
        raise ParameterError(
            f"{name}{_check._first(outside)} is {array[outside].flat[0]}; a network with "
            f"{network.n_outputs} output unit(s) tells the classes 0 to {n_classes - 1} apart, "
            "counted from 0"
        )
    return array.astype(np.int64)


def takes_targets(rule: Any) -> bool:
    """Return whether `rule` learns real targets instead of classes."""
    return bool(getattr(rule, "real_targets", False))


def checked_targets(name: str, targets: Any, n_trials: int, network: LayeredNetwork) -> np.ndarray:
    """Return real targets as float64, shape (n_trials, n_outputs); one output may lack its axis."""
    array = _check.float_array(name, targets)
    if array.shape == (n_trials,) and network.n_outputs == 1:
        return array[:, np.newaxis]
    if array.shape != (n_trials, network.n_outputs):
        raise ParameterError(
            f"{name} must have a number for each of the {n_trials} samples and the "
            f"{network.n_outputs} output unit(s), shape ({n_trials}, {network.n_outputs}), "
            f"got {array.shape}"
        )
    return array


def checked_answers(
    name: str, labels: Any, n_trials: int, network: LayeredNetwork, rule: Any
) -> np.ndarray:
    """Return what `rule` is to learn: real targets if it takes them, else classes."""
    check = checked_targets if takes_targets(rule) else checked_labels
    return check(name, labels, n_trials, network)


def checked_batch(
    name: str, x: Any, labels: Any, network: LayeredNetwork, real_targets: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Return the batch of a step as arrays that `network` can take, or say what is wrong.

    The checks themselves take longer than a small step, so what :func:`encoded` and
    :func:`checked_labels` gave is recognised first: a sum is finite unless one
    of them is not, and as an unsigned number a negative label is a large one.
    """
    if (
        not network.continuous
        and not real_targets
        and _is_checked(x, network)
        and type(labels) is np.ndarray
        and labels.dtype == np.int64
        and labels.shape == (x.shape[1],)
        and labels.view(np.uint64).max() < max(2, network.n_outputs)
    ):
        return x, labels
    x = checked_x(f"{name}.x", x, network)
    n_trials = x.n_trials if isinstance(x, SpikeTimes) else x.shape[1]
    if real_targets:
        return x, checked_targets(f"{name}.labels", labels, n_trials, network)
    return x, checked_labels(f"{name}.labels", labels, n_trials, network)


def _is_checked(x: Any, network: LayeredNetwork) -> bool:
    """Return whether `x` is what :func:`encoded` gave, as it is or packed."""
    if isinstance(x, PackedSpikes):
        return x.n_units == network.n_inputs and x.bits.size > 0
    return (
        type(x) is np.ndarray
        and x.dtype in (np.float64, network.dtype)
        and x.ndim == 3
        and x.flags.c_contiguous
        and x.size > 0
        and x.shape[2] == network.n_inputs
        and _has_finite_sum(x)
    )


def _has_finite_sum(x: np.ndarray) -> bool:
    # What is not finite is said by the full check, as an error.
    with np.errstate(over="ignore", invalid="ignore"):
        return math.isfinite(x.sum())


def encoded(
    name: str, encoder: Any, table: np.ndarray, network: LayeredNetwork, rng: np.random.Generator
) -> Any:
    """Return encoded samples, an input that `network` can take; SpikeTimes in continuous time."""
    if network.continuous and hasattr(encoder, "spike_times"):
        times = encoder.spike_times(table)
        _check_lines(name, encoder, table, times.shape[1], network)
        return SpikeTimes.from_table(times, encoder.duration)
    x = encoder.encode(table, dt=network.dt, rng=rng)
    x = _check.float_array(f"{type(encoder).__name__}.encode(features)", x)
    if x.ndim != 3 or x.shape[1] != len(table) or len(x) == 0:
        raise ParameterError(
            f"{name}: {type(encoder).__name__}.encode must return (n_steps, {len(table)}, "
            f"n_inputs), got shape {x.shape}"
        )
    _check_lines(name, encoder, table, x.shape[2], network)
    if len(x) == 1 and network.layers[0].neuron.spiking:
        raise ParameterError(
            f"{name}: {type(encoder).__name__} gives a single step, and spiking units feel an "
            "input one step later; take an encoder that spreads samples over time, such as "
            "RateEncoder or LatencyEncoder"
        )
    return spikes_of(name, x, network) if network.continuous else x


def packed(
    name: str, encoder: Any, table: np.ndarray, network: LayeredNetwork, rng: np.random.Generator
) -> Any:
    """Return :func:`encoded` as the first layer works on it: spikes packed, in little memory."""
    if network.continuous:
        return encoded(name, encoder, table, network, rng)
    if _encodes_in_blocks(encoder) and network.layers[0].neuron.spiking:
        before = rng.bit_generator.state
        # One sample tells what is wrong with all.
        encoded(name, encoder, table[:1], network, np.random.default_rng(0))
        blocks = encoder.encode_blocks(table, dt=network.dt, rng=rng)
        found = PackedSpikes.packed_blocks(blocks)
        if found is not None:
            return found
        rng.bit_generator.state = before
    return given_to_first(network, encoded(name, encoder, table, network, rng))


def _encodes_in_blocks(encoder: Any) -> bool:
    """Return whether there are blocks of the `encode` in force, not of one that it overrides."""
    for kind in type(encoder).__mro__:
        if "encode_blocks" in vars(kind):
            return True
        if "encode" in vars(kind):
            return False
    return False


def _check_lines(
    name: str, encoder: Any, table: np.ndarray, n_lines: int, network: LayeredNetwork
) -> None:
    if n_lines != network.n_inputs:
        raise ParameterError(
            f"{name} has {table.shape[1]} features, which {type(encoder).__name__} turns into "
            f"{n_lines} inputs; the first layer takes {network.n_inputs}"
        )
