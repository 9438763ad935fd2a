"""What enters a population from outside during a stretch of steps."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from spikesim import _check
from spikesim.engine.build import BuiltLIF
from spikesim.engine.rng import fill_normals, fill_poisson
from spikesim.network.inputs import NoiseCurrent, RampCurrent, SampledCurrent, SineCurrent

__all__ = ["add_spikes", "currents"]

_NO_CURRENT = np.zeros((0, 0))


def currents(
    population: BuiltLIF, first_step: int, n_steps: int, dt: float, key: tuple[int, int]
) -> np.ndarray:
    """Return the input current (pA), shape (n_steps, n); (0, 0) when there is none."""
    if not population.currents:
        return _NO_CURRENT
    table = np.zeros((n_steps, population.n))
    at_start = np.arange(first_step - 1, first_step - 1 + n_steps)
    for stream, item in population.currents:
        neurons = np.arange(population.n) if item.neurons is None else item.neurons
        columns: Any = slice(None) if item.neurons is None else neurons
        table[:, columns] += _waveform(item, stream, at_start, neurons, dt, key)
    return table


def add_spikes(
    population: BuiltLIF,
    ring: np.ndarray,
    first_step: int,
    n_steps: int,
    key: tuple[int, int],
) -> None:
    """Add the Poisson and listed spikes of a stretch to the ring buffer."""
    length = ring.shape[1]
    for item in population.poisson:
        counts = np.empty((len(item.neurons), n_steps), dtype=np.int64)
        fill_poisson(counts, item.stream, first_step, item.neurons, item.mean, *key)
        columns = np.arange(first_step, first_step + n_steps) % length
        ring[item.rows[:, None], columns[None, :]] += item.weight * counts
    for listed in population.listed:
        low, high = np.searchsorted(listed.steps, (first_step, first_step + n_steps))
        if high > low:
            columns = listed.steps[low:high] % length
            np.add.at(ring, (listed.rows[low:high], columns), listed.weights[low:high])


def _waveform(
    item: Any,
    stream: int,
    at_start: np.ndarray,
    neurons: np.ndarray,
    dt: float,
    key: tuple[int, int],
) -> np.ndarray:
    """Return the current of one input, shape (n_steps, n_driven) or (n_steps, 1).

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
    # Bounds in steps, so that rounding of at_start * dt cannot move them.
    on = (at_start >= _ceil(item.start / dt)) & (at_start < _ceil(item.stop / dt))
    if isinstance(item, RampCurrent):
        share = (at_start * dt - item.start) / (item.stop - item.start)
        slope = item.end_amplitude - item.start_amplitude
        return np.where(on, item.start_amplitude + slope * share, 0.0)[:, None]
    return np.where(on[:, None], item.amplitude, 0.0)


def _ceil(in_steps: float) -> float:
    """Round up, but take what rounding may have moved off the grid as on it."""
    nearest = np.rint(in_steps)
    if math.isinf(in_steps) or not _check.off_grid(in_steps, nearest, 1.0):
        return nearest
    return np.ceil(in_steps)
