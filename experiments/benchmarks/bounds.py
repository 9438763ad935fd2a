"""What the machine could do at best: memory bandwidth, bare loops of simulation and training.

Each loop runs on several threads at once, on arrays of their own, for a while; the best of a few
rounds counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np

__all__ = ["layer_ns", "product_ns", "scatter_ns", "triad_gb_s", "update_ns"]

_ROUNDS = 7


@numba.njit(nogil=True)
def _triad(a, b, c, factor):
    for i in range(len(a)):
        a[i] = b[i] + factor * c[i]


@numba.njit(nogil=True)
def _update(v, i_syn, refractory, decay_m, gain, decay_syn, v_th, n_steps):
    v_reset = v_th - v_th
    for _ in range(n_steps):
        for i in range(len(v)):
            held = refractory[i]
            v_free = decay_m * v[i] + gain * i_syn[i]
            v_next = v_free if held == 0 else v[i]
            v[i] = v_next if v_next < v_th else v_reset
            refractory[i] = held if held == 0 else held - 1
            i_syn[i] *= decay_syn


@numba.njit(nogil=True)
def _scatter_one(accumulators, rows, weight):
    for i in range(len(rows)):
        accumulators[rows[i]] += weight


@numba.njit(nogil=True)
def _scatter_each(accumulators, rows, weights):
    for i in range(len(rows)):
        accumulators[rows[i]] += weights[i]


@numba.njit(nogil=True)
def _scatter_packed(accumulators, packed):
    for i in range(len(packed)):
        accumulators[packed[i] & 0xFFFF] += packed[i] >> 16


@numba.njit(nogil=True)
def _gather(units, w, drive):
    for k in range(units.shape[0]):
        row = drive[k]
        for j in range(units.shape[1]):
            weights = w[units[k, j]]
            for i in range(len(row)):
                row[i] += weights[i]


@numba.njit(nogil=True)
def _outer(units, grad, arrived):
    for k in range(units.shape[0]):
        row = arrived[k]
        for j in range(units.shape[1]):
            sums = grad[units[k, j]]
            for i in range(len(row)):
                sums[i] += row[i]


# Short loops with few arrays, and unsigned or rising indices: others are not vectorised.
@numba.njit(nogil=True, error_model="numpy")
def _scan(drive, i_syn, v, v_free, decay_syn, decay_m, one):
    for k in range(drive.shape[0]):
        row, arrived = v_free[k], drive[k]
        for i in range(len(row)):
            i_syn[i] = decay_syn * i_syn[i] + arrived[i]
        for i in range(len(row)):
            row[i] = decay_m * v[i] + i_syn[i]
        for i in range(len(row)):
            v[i] = row[i] - (one if row[i] > one else one - one)


@numba.njit(nogil=True, error_model="numpy")
def _adjoint(v_free, grad, grad_v, grad_i, arrived, decay_syn, decay_m, one, slope):
    for k in range(v_free.shape[0]):
        row, v, by_spike = arrived[k], v_free[k], grad[k]
        for i in range(len(row)):
            away = one + slope * abs(v[i] - one)
            row[i] = by_spike[i] / (away * away)
        for i in range(len(row)):
            grad_v[i] = decay_m * grad_v[i] + row[i]
        for i in range(len(row)):
            grad_i[i] = decay_syn * grad_i[i] + grad_v[i]
        for i in range(len(row)):
            row[i] = grad_i[i]


def layer_ns(
    n_threads: int, kind: str, n_pre: int, n_post: int, density: float = 0.03, n_steps: int = 3200
) -> float:
    """Return the time of a bare loop of training in single precision (ns, all threads at work).

    Parameters
    ----------
    n_threads : int
        Threads, each with trials of its own.
    kind : {"gather", "outer", "scan", "adjoint"}
        What is repeated: to add one weight of a spike to a current; to add to the gradient of a
        weight; a step of a unit with its synapse, forward, and backward with a surrogate.
    n_pre, n_post : int
        Size of the layer.
    density : float, default 0.03
        Share of the inputs that spike in a step.
    n_steps : int, default 3200
        Steps of all trials of a thread together.
    """
    n_spikes = max(1, round(density * n_pre))
    rng = np.random.default_rng(1)
    jobs: list[tuple[Any, ...]] = []
    for _ in range(n_threads):
        units = rng.integers(0, n_pre, (n_steps, n_spikes)).astype(np.uint32)
        of_units = np.ones((n_steps, n_post), np.float32)
        of_weights = np.zeros((n_pre, n_post), np.float32)
        state = [np.zeros(n_post, np.float32) for _ in range(2)]
        constants = [np.float32(x) for x in (0.82, 0.9, 1.0)]
        jobs.append(
            {
                "gather": (units, of_weights, of_units),
                "outer": (units, of_weights, of_units),
                "scan": (of_units, *state, np.zeros_like(of_units), *constants),
                "adjoint": (of_units, np.ones_like(of_units), *state, np.zeros_like(of_units),
                            *constants, np.float32(25.0)),
            }[kind]
        )  # fmt: skip
    kernel = {"gather": _gather, "outer": _outer, "scan": _scan, "adjoint": _adjoint}[kind]
    each = n_spikes if kind in ("gather", "outer") else 1
    return 1e9 * _best(kernel, jobs) / (n_threads * n_steps * n_post * each)


def product_ns(n: int, n_rows: int = 12_800) -> float:
    """Return the time of a multiplication and addition in a product of matrices (ns).

    In single precision, by the library that NumPy uses, on as many threads as it takes.
    """
    rows, w = np.ones((n_rows, n), np.float32), np.ones((n, n), np.float32)
    seconds = []
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        rows @ w
        seconds.append(time.perf_counter() - start)
    return 1e9 * min(seconds) / (n_rows * n * n)


def triad_gb_s(n_threads: int, n: int = 8_000_000) -> float:
    """Return the memory bandwidth of ``a = b + factor c`` (GB/s) over all threads.

    Counted are two reads and a write of 8 bytes; the read before the write, which the machine
    adds, is not. `n` numbers a thread and array are to be far more than the caches hold.
    """
    jobs = [(np.zeros(n), np.ones(n), np.ones(n), 3.0) for _ in range(n_threads)]
    return n_threads * n * 24 / _best(_triad, jobs) / 1e9


def update_ns(
    n_threads: int, n_neurons: int, compact: bool = False, n_updates: int = 4_000_000
) -> float:
    """Return the time of a LIF neuron's step with nothing around it (ns, all threads at work).

    The neuron has an exponential synapse and a refractory period; each thread makes `n_updates`.
    """
    kind = np.float32 if compact else np.float64
    n = max(1, n_neurons // n_threads)
    n_steps = max(1, n_updates // n)
    constants = [kind(x) for x in (0.99, 0.01, 0.98, 15.0)]
    jobs = [
        (np.zeros(n, kind), np.ones(n, kind), np.zeros(n, np.uint8 if compact else np.int32),
         *constants, n_steps)
        for _ in range(n_threads)
    ]  # fmt: skip
    return 1e9 * _best(_update, jobs) / (n_threads * n * n_steps)


def scatter_ns(
    n_threads: int, n_targets: int, weights: str, compact: bool = False, n: int = 8_000_000
) -> float:
    """Return the time to add a weight to an accumulator drawn at random (ns, all threads at work).

    Parameters
    ----------
    n_threads : int
        Threads, each with its share of the accumulators.
    n_targets : int
        Accumulators in all.
    weights : {"one", "normal"}
        One weight for all (2 bytes a synapse are read), or one each (10 bytes; 4 if `compact`).
    compact : bool, default False
        Whether sums are in whole numbers of 4 bytes.
    n : int
        Synapses a thread.
    """
    own = min(65_536, max(1, n_targets // n_threads))
    rng = np.random.default_rng(1)
    rows = rng.integers(0, own, n).astype(np.uint16)
    kernel: Any
    if weights == "one":
        weight: Any = np.int32(100) if compact else 0.5
        kernel, rest = _scatter_one, (rows, weight)
    elif compact:
        kernel, rest = _scatter_packed, (rows.astype(np.int32) | np.int32(100 << 16),)
    else:
        kernel, rest = _scatter_each, (rows, np.full(n, 0.5))
    jobs = [
        (np.zeros(own, np.int32 if compact else np.float64), *(np.copy(x) for x in rest[:1]),
         *rest[1:])
        for _ in range(n_threads)
    ]  # fmt: skip
    return 1e9 * _best(kernel, jobs) / (n_threads * n)


def _best(kernel: Callable[..., None], jobs: Sequence[tuple[Any, ...]]) -> float:
    """Return the least time (s) in which all jobs are done, each on a thread of its own."""
    kernel(*jobs[0])
    seconds = []
    with ThreadPoolExecutor(len(jobs)) as pool:
        for _ in range(_ROUNDS):
            start = time.perf_counter()
            for future in [pool.submit(kernel, *job) for job in jobs]:
                future.result()
            seconds.append(time.perf_counter() - start)
    return min(seconds)
