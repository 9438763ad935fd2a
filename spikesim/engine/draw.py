"""The kernels that draw Poisson counts: inputs of a tile, and spikes of a population of sources."""

from __future__ import annotations

import numpy as np

from spikesim._jit import kernel
from spikesim.engine import plan as p
from spikesim.engine.plan import ONE, ZERO
from spikesim.engine.rng import add_poisson, poisson_count

__all__ = ["add_drawn", "fire_drawn"]

U = np.uint64


@kernel(_nrt=False, error_model="numpy")
def _sample(plan, draw, now):
    """Return which sample of the rates holds in this step, or the number of samples if none."""
    about = plan.draws[draw]
    return min((now - ONE) // about[p.SAMPLE_STEPS], about[p.N_SAMPLES])


@kernel(_nrt=False, error_model="numpy")
def add_drawn(plan, scratch, draw, now, first, last):
    """Add the Poisson input `draw` of the neurons `first` to `last` - 1 to what arrives."""
    about = plan.draws[draw]
    arriving, table = scratch.arriving, plan.table
    weight = plan.constants[about[p.WEIGHT]]
    stream, step = np.int64(about[p.STREAM]), np.int64(now)
    k0, k1 = plan.key[0], plan.key[1]
    if about[p.SHARED]:
        count = arriving.dtype.type(
            poisson_count(stream, 0, step, table, np.int64(plan.table_rows[about[p.ROW]]), k0, k1)
        )
        rows = about[p.ROW_EACH]
        for j in range(last - first):
            if plan.table_rows[rows + first + j] >= 0:
                arriving[j] += weight * count
    elif about[p.ROW_EACH]:
        rows = about[p.ROW] + first
        for j in range(last - first):
            row = plan.table_rows[rows + j]
            if row >= 0:
                neuron = np.int64(first + j)
                count = poisson_count(stream, neuron, step, table, np.int64(row), k0, k1)
                arriving[j] += weight * arriving.dtype.type(count)
    else:
        row = np.int64(plan.table_rows[about[p.ROW]])
        here = arriving[: last - first]
        add_poisson(here, weight, np.int64(first), stream, step, table, row, scratch.random, k0, k1)


@kernel(_nrt=False, error_model="numpy")
def fire_drawn(plan, block, population, now, log, count):
    """Write the spikes of a population of Poisson sources in a block; return the next place."""
    about = plan.populations[population]
    draw = about[p.DRAW]
    sample = _sample(plan, draw, now)
    if sample == plan.draws[draw, p.N_SAMPLES]:
        return count
    stream, step = np.int64(plan.draws[draw, p.STREAM]), np.int64(now)
    k0, k1 = plan.key[0], plan.key[1]
    each, row = plan.draws[draw, p.ROW_EACH], plan.draws[draw, p.ROW] + sample
    if each:
        row = plan.draws[draw, p.ROW] + sample * about[p.SIZE]
    stamp = (now << U(32)) + about[p.FIRST]
    for neuron in range(plan.bounds[population, block], plan.bounds[population, block + ONE]):
        mean = np.int64(plan.table_rows[row + (neuron if each else ZERO)])
        spikes = poisson_count(stream, np.int64(neuron), step, plan.table, mean, k0, k1)
        for _ in range(spikes):
            if count < U(log.shape[0]):
                log[count] = np.int64(stamp + neuron)
            count += ONE
    return count
