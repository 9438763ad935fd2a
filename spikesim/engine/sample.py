"""The kernel that samples traces at the end of a step."""

from __future__ import annotations

import numpy as np

from spikesim._jit import kernel
from spikesim.engine import plan as p
from spikesim.engine.plan import ONE

__all__ = ["sample"]

U = np.uint64


@kernel(inline="always")
def sample(plan, memory, block, now):
    """Write what is recorded of a block at the end of the step `now`."""
    for trace in range(memory.traces.shape[0]):
        about = memory.traces[trace]
        number = now
        if about[p.INTERVAL] > ONE:
            # A division takes as long as a neuron.
            number = now // about[p.INTERVAL]
            if number * about[p.INTERVAL] != now:
                continue
        population = about[p.TRACED]
        first, last = plan.bounds[population, block], plan.bounds[population, block + ONE]
        row = about[p.OUT] + (number - about[p.FIRST_SAMPLE]) * about[p.N_TRACED]
        for column in range(about[p.N_TRACED]):
            neuron = U(memory.trace_neurons[about[p.NEURONS] + column])
            if first <= neuron < last:
                value = _value(plan, memory, block, population, neuron, about[p.VARIABLE], now)
                memory.samples[row + column] = value


@kernel(inline="always")
def _value(plan, memory, block, population, neuron, variable, now):
    """Return v or a (mV), the synaptic current (pA) or conductance (nS), or the rate (Hz)."""
    about = plan.populations[population]
    v = np.float64(memory.state[about[p.STATE] + neuron])
    if variable == p.V:
        return v
    if variable == p.RATE:
        slot = now % U(memory.rates.shape[0])
        return np.float64(memory.rates[slot, about[p.RATES] + neuron])
    if variable == p.A:
        return np.float64(memory.state[about[p.ADAPTATION] + neuron])
    total = 0.0
    here = neuron - plan.bounds[population, block] + block * plan.n_rows[0]
    for port in range(about[p.PORT], about[p.PORT] + about[p.N_PORTS]):
        kind, c = plan.ports[port, p.PORT_KIND], plan.ports[port, p.PORT_CONSTANTS]
        if kind == p.DELTA:
            continue
        if kind == p.FIRST_ORDER:
            value = np.float64(memory.rows[here + plan.row_starts[block, port]])
        else:
            value = np.float64(memory.state[plan.ports[port, p.PORT_STATE] + neuron])
        value *= plan.constants[c + p.UNIT_I]
        is_conductance = plan.constants[c + p.TO_B] > 0.0
        if variable == p.G_SYN:
            total += value if is_conductance else 0.0
        elif is_conductance:
            total += value * (plan.constants[c + p.E_REV] - v)
        else:
            total += value
    return total
