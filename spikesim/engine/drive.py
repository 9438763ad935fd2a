"""The currents that enter a population from outside during some steps."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from spikesim import _check
from spikesim.engine.built import BuiltPopulation
from spikesim.engine.rng import fill_normals
from spikesim.network.inputs import (
    NoiseCurrent,
    SampledCurrent,
    SineCurrent,
    StepCurrent,
)

__all__ = ["currents", "width"]


def width(population: BuiltPopulation) -> int:
    """Return how many currents a step needs: one a neuron, one if all receive the same, or none."""
    if not population.currents:
        return 0
    return 1 if all(_common(item) for _, item in population.currents) else population.n


def currents(
    population: BuiltPopulation, first_step: int, n_steps: int, dt: float, key: tuple[int, int]
) -> np.ndarray:
    """Return the input current (pA) of some steps, shape (n_steps, :func:`width`)."""
    table = np.zeros((n_steps, width(population)))
    at_start = np.arange(first_step - 1, first_step - 1 + n_steps)
    for stream, item in population.currents:
        neurons = np.arange(population.n) if item.neurons is None else item.neurons
        columns: Any = slice(None) if item.neurons is None else neurons
        if isinstance(item, StepCurrent):
            begin, end = (_ceil(t / dt) - (first_step - 1) for t in (item.start, item.stop))
            on = slice(*(int(min(max(t, 0), n_steps)) for t in (begin, end)))
            table[on, columns] += item.amplitude
        else:
            table[:, columns] += _waveform(item, stream, at_start, neurons, dt, key)
    return table


def _common(item: Any) -> bool:
    """Whether all neurons of the population receive the same current."""
    if item.neurons is not None or isinstance(item, NoiseCurrent):
        return False
    if isinstance(item, SampledCurrent):
        return item.values.ndim == 1
    return np.ndim(getattr(item, "amplitude", 0.0)) == 0


def _waveform(
    item: Any,
    stream: int,
    at_start: np.ndarray,
    neurons: np.ndarray,
    dt: float,
    key: tuple[int, int],
) -> np.ndarray:
    """Return the current of one input but a step, shape (n_steps, n_driven) or (n_steps, 1).

    `at_start` counts the steps that lie before each one, so it begins at ``at_start * dt``.
    """
    if isinstance(item, NoiseCurrent):
        every = 1 if item.interval is None else round(item.interval / dt)
        sample = at_start // every
        values = np.empty((int(sample[-1] - sample[0]) + 1, len(neurons)))
        fill_normals(values, stream, int(sample[0]), neurons, *key)
        return item.mean + item.sd * values[sample - sample[0]]
    if isinstance(item, SampledCurrent):
        values = item.values.reshape(len(item.values), -1)
        sample = at_start // round(item.interval / dt)
        inside = sample < len(values)
        result = np.zeros((len(sample), values.shape[1]))
        result[inside] = values[sample[inside]]
        return result
    if isinstance(item, SineCurrent):
        angle = 2e-3 * np.pi * item.frequency * dt * at_start + item.phase
        return (item.offset + item.amplitude * np.sin(angle))[:, None]
    # A ramp. Bounds in steps, so that rounding of at_start * dt cannot move them.
    on = (at_start >= _ceil(item.start / dt)) & (at_start < _ceil(item.stop / dt))
    share = (at_start * dt - item.start) / (item.stop - item.start)
    slope = item.end_amplitude - item.start_amplitude
    return np.where(on, item.start_amplitude + slope * share, 0.0)[:, None]


def _ceil(in_steps: float) -> float:
    """Round up, but take what rounding may have moved off the grid as on it."""
    nearest = np.rint(in_steps)
    if math.isinf(in_steps) or not _check.off_grid(in_steps, nearest, 1.0):
        return nearest
    return np.ceil(in_steps)
