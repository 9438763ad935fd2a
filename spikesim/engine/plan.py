"""What the kernels of a run see: tables and flat arrays, with names for their columns.

A network has any number of populations, ports, inputs and traces, and compiled code wants few
arrays of known type. So each kind of thing is a table with one row a thing, and what has a length
of its own (state, constants, thresholds) lies end to end in one flat array, with its offset in
the table. All indices are unsigned: a signed one costs a check for "from the end" in every loop.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from spikesim.engine.rng import PoissonTable

__all__ = ["TILE", "Calendar", "Memory", "Plan", "Scratch"]


def _indices(n: int) -> list[Any]:
    """Return 0 to `n` - 1, unsigned."""
    return [np.uint64(i) for i in range(n)]


ZERO, ONE = _indices(2)

# Neurons that are advanced together: what passes between the loops over a tile stays in L1.
TILE = np.uint64(1024)

# Columns of Plan.populations.
(
    KIND,
    CONDUCTANCES,
    FIRST,
    SIZE,
    STATE,
    CONSTANTS,
    EACH,
    WIDTH,
    REF,
    SUBTRACT,
    PORT,
    N_PORTS,
    DRAW,
    RATES,
    ADAPTATION,
    N_POPULATION_COLUMNS,
) = _indices(16)
# What KIND may be.
LIF_NEURONS, SIGMOID_RATE, POISSON, LISTED, ADAPTIVE_LIF = _indices(5)
# Blocks of Plan.constants of a population, each of WIDTH values: one a neuron if EACH, else as many
# times the same as a tile of it has neurons, so that one loop over a tile reads either.
DECAY_M, LEAK_GAIN, V_REST, V_TH, V_RESET, I_EXT, RATE_M, PER_C_M, MAX_RATE, V_HALF, V_SCALE = (
    _indices(11)
)
N_CONSTANTS = 11
# Neurons that adapt have no rate: theirs lie where those of rate neurons do.
DECAY_A, DELTA_A = V_HALF, V_SCALE

# Columns of Plan.ports. Of a second order port, PORT_STATE is where i lies in Memory.state.
PORT_KIND, PORT_OWNER, PORT_STATE, PORT_CONSTANTS, PORT_DRAW, N_PORT_DRAWS, N_PORT_COLUMNS = (
    _indices(7)
)
# What PORT_KIND may be: a jump of v; a filter with the state i; one with i and x. What arrives
# through a port is added to its rows: they hold the jump, i, or x.
DELTA, FIRST_ORDER, SECOND_ORDER = _indices(3)
# Plan.constants of a port: ten numbers, then P_VI and P_VX of WIDTH values each. They are those of
# rows in the units of the port, of which a spike adds its weight.
DECAY_SYN, P_IX, N_1I, N_1X, N_2I, N_2X, TO_A, TO_B, UNIT_I, E_REV, P_VI = _indices(11)

# Columns of Plan.draws: Poisson inputs by port, and Poisson sources. Sample s has the mean of row
# table_rows[ROW + s] of the table or, if ROW_EACH, table_rows[ROW + s * SIZE + i] for neuron i. Of
# a shared train, ROW_EACH is where the rows of those that hear it begin, -1 for the others.
(
    STREAM,
    SHARED,
    ROW,
    ROW_EACH,
    WEIGHT,
    N_SAMPLES,
    SAMPLE_STEPS,
    SIZE_OF_DRAW,
    N_DRAW_COLUMNS,
) = _indices(9)

# Columns of Plan.traces.
TRACED, VARIABLE, INTERVAL, NEURONS, N_TRACED, OUT, FIRST_SAMPLE, N_TRACE_COLUMNS = _indices(8)
# What VARIABLE may be.
V, I_SYN, G_SYN, RATE, A = _indices(5)

# Columns of Memory.published, one row a block.
BEGUN, ENDED, FILL, FAILED, N_PUBLISHED_COLUMNS = _indices(5)

# The job of a worker, int64: last step done, last step to do, step before the chunk; longest
# stretch; the last stretch, whether its spikes are still to be sent, and in which half they are;
# whether any synapse sends at all; the most spikes that a stretch can add to a log; the threads;
# the most entries that a spike can put on one list of a calendar, and the room of a list; whether
# it was counted that the spikes to be sent have room.
(
    STEPS_DONE,
    LAST_STEP,
    CHUNK,
    STRETCH,
    STRETCH_DONE,
    PENDING,
    HALF,
    SENDS,
    ROOM,
    N_THREADS,
    ENTRIES,
    CAPACITY,
    COUNTED,
    N_JOB_COLUMNS,
) = _indices(14)

# Why a worker returns.
DONE, CALENDAR_FULL, LOG_FULL, OVERFLOW = range(4)


class Plan(NamedTuple):
    """What stays as it is during a run.

    `B` blocks, `P` populations, `Q` ports, `R` rows a block. `T` is float64, in
    compact precision float32. Tables hold uint64.
    """

    populations: np.ndarray  # (P, columns)
    ports: np.ndarray  # (Q, columns)
    draws: np.ndarray  # (n_draws, columns)
    bounds: np.ndarray  # (P, B + 1) neurons of population p in block b
    row_starts: np.ndarray  # (B, Q) row of the first of them
    constants: np.ndarray  # T
    ref_steps: np.ndarray  # int32
    table: PoissonTable
    table_rows: np.ndarray  # int32, -1 for neurons that are not driven
    events: np.ndarray  # int64 (n_events, 2) step and neuron of LISTED sources
    event_starts: np.ndarray  # (P + 1,)
    inputs: np.ndarray  # (n_inputs, 2) step and row of listed input spikes
    input_weights: np.ndarray  # T (n_inputs,)
    input_starts: np.ndarray  # (2 B + 1,) of the early and the late ones of each block
    key: np.ndarray  # int64 (2,) of the random numbers
    dt: np.ndarray  # T (1,)
    spikes_per_hz: np.ndarray  # float64 (1,): in a step
    n_rows: np.ndarray  # (1,) rows of a block
    phases: np.ndarray  # bool (2,) whether anything arrives early (delta synapses), or late


class Memory(NamedTuple):
    """What changes during a run. `L` is the longest delay in steps."""

    state: np.ndarray  # T, v of all populations, a of adaptive ones, i of second order ports
    held: np.ndarray  # int32 (n_neurons,) steps for which each is still refractory
    rows: np.ndarray  # T (B * R,) where spikes arrive
    rates: np.ndarray  # float64 (L + stretch, n_rates) outputs of rate neurons, by step
    log: np.ndarray  # int64 (B, capacity) step << 32 | neuron
    segments: np.ndarray  # int64 (2, B, stretch, P) where each population ends in the log
    published: np.ndarray  # int64 (2, B, columns)
    fills: np.ndarray  # int64 (B,) the longest list of a calendar so far
    cursors: np.ndarray  # int64 (B, P + 3) next event of each source, next inputs, end of the log
    traces: np.ndarray  # (n_traces, columns) table of this run
    trace_neurons: np.ndarray  # int64
    samples: np.ndarray  # float64
    currents: np.ndarray  # T, input currents of these steps
    current_table: np.ndarray  # (P, 2) offset and width of each population, width 0 for none


class Calendar(NamedTuple):
    """What arrives at each of the next `L` steps, by block: buckets of synapses of a store."""

    entries: np.ndarray  # uint64 (B, L, capacity) start << 28 | class << 16 | length
    counts: np.ndarray  # int64 (B, L)


class Scratch(NamedTuple):
    """Memory for a tile, one a thread."""

    push: np.ndarray  # T (TILE,)
    received: np.ndarray
    a_1: np.ndarray
    b_1: np.ndarray
    a_2: np.ndarray
    b_2: np.ndarray
    fired: np.ndarray  # uint8 (TILE,)
    fired_words: np.ndarray  # the same memory as uint64
    random: np.ndarray  # of poisson_scratch()
