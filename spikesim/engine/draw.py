"""The kernels that draw Poisson counts: inputs of a tile, and spikes of a population of sources."""

from __future__ import annotations

import numpy as np

from spikesim._jit import kernel
from spikesim.engine import plan as p
from spikesim.engine.plan import ONE, ZERO
from spikesim.engine.rng import add_poisson, poisson_count

__all__ = ["add_drawn", "add_nothing", "fire_drawn", "fire_nothing"]

U = np.uint64


@kernel(bare=True)
def add_drawn(draws, table_rows, table, constants, key, rows, row, random, draw, now, first, last):
    """Add a Poisson input of the neurons `first` to `last` - 1 to their rows.

    Parameters
    ----------
    draws, table_rows, table, constants, key
        Of the plan.
    rows, row : ndarray, int
        Added to; the row of the first neuron.
    random : ndarray
        From :func:`spikesim.engine.rng.poisson_scratch`.
    draw, now : int
        Which input, which step.
    first, last : int
        Neurons.
    """
    weight = constants[draws[draw, p.WEIGHT]]
    stream, step = np.int64(draws[draw, p.STREAM]), np.int64(now)
    k0, k1 = key[0], key[1]
    if draws[draw, p.SHARED]:
        mean = np.int64(table_rows[draws[draw, p.ROW]])
        count = rows.dtype.type(poisson_count(stream, 0, step, table, mean, k0, k1))
        means = draws[draw, p.ROW_EACH]
        for j in range(last - first):
            if table_rows[means + first + j] >= 0:
                rows[row + j] += weight * count
    elif draws[draw, p.ROW_EACH]:
        means = draws[draw, p.ROW] + first
        for j in range(last - first):
            mean = np.int64(table_rows[means + j])
            if mean >= 0:
                count = poisson_count(stream, np.int64(first + j), step, table, mean, k0, k1)
                rows[row + j] += weight * rows.dtype.type(count)
    else:
        mean = np.int64(table_rows[draws[draw, p.ROW]])
        here = rows[row : row + last - first]
        add_poisson(here, weight, np.int64(first), stream, step, table, mean, random, k0, k1)


@kernel(bare=True)
def add_nothing(
    draws, table_rows, table, constants, key, rows, row, random, draw, now, first, last
):
    """Stand in for :func:`add_drawn` where there are no Poisson inputs."""


@kernel(bare=True)
def fire_nothing(
    populations, draws, table_rows, table, key, population, first, last, now, log, count
):
    """Stand in for :func:`fire_drawn` where there are no Poisson sources."""
    return count


@kernel(bare=True)
def fire_drawn(
    populations, draws, table_rows, table, key, population, first, last, now, log, count
):
    """Write the spikes of Poisson sources, the neurons `first` to `last` - 1 of a population.

    Returns
    -------
    int
        Where the next spike goes; past the end of the log if there was no room.
    """
    draw = populations[population, p.DRAW]
    sample = (now - ONE) // draws[draw, p.SAMPLE_STEPS]
    if sample >= draws[draw, p.N_SAMPLES]:
        return count
    stream, step = np.int64(draws[draw, p.STREAM]), np.int64(now)
    each, row = draws[draw, p.ROW_EACH], draws[draw, p.ROW] + sample
    if each:
        row = draws[draw, p.ROW] + sample * populations[population, p.SIZE]
    stamp = (now << U(32)) + populations[population, p.FIRST]
    for neuron in range(first, last):
        mean = np.int64(table_rows[row + (neuron if each else ZERO)])
        spikes = poisson_count(stream, np.int64(neuron), step, table, mean, key[0], key[1])
        for _ in range(spikes):
            if count < U(log.shape[0]):
                log[count] = np.int64(stamp + neuron)
            count += ONE
    return count
