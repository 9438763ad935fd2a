r"""What is trained: the same data, weights and first losses for every library.

Standard library and NumPy only: this is read in the Python of each of them.

**classifier**: 700-256-20, T = 100 steps, every input spikes with probability 0.03 a step, labels
at random. A hidden unit has :math:`I_k = a I_{k-1} + w x_k\,[+ w_{rec} s_{k-1}]`,
:math:`V_k = b V_{k-1} + I_k - s_{k-1}`, :math:`s_k = [V_k > 1]` with :math:`a = e^{-1/5}`,
:math:`b = e^{-1/10}` and the surrogate :math:`1/(1 + 25 |V - 1|)^2`, the reset left out of the
gradient. An output has the same without spikes; its score is the largest V. Cross-entropy, Adam
with a learning rate of 0.001. A step is a forward and a backward pass and an update, always on
the same batch.

**square layer** (after the library benchmarks of Open Neuromorphic): n x n, T = 500, batch 16,
:math:`V_k = 0.95 V_{k-1} + w x_k - s_{k-1}` with threshold and surrogate as above; the loss is the
number of spikes. A step is a forward and a backward pass.

**Yin-Yang**: 5-120-3 on the 5000 published samples and a bias line, batches of 64 in random
order, Adam with 0.004, units and loss of the classifier. *latency*: one spike a line at step
round(30 x) of 40; *direct*: a current x in each of 20 steps. A step is an epoch.
"""

from __future__ import annotations

import json
import math
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))
from experiments.benchmarks.child import peak_memory

DECAY_SYN, DECAY_M = math.exp(-1.0 / 5.0), math.exp(-1.0 / 10.0)
SLOPE, REACH = 25.0, 0.2
N_INPUTS, N_HIDDEN, N_OUTPUTS, N_STEPS = 700, 256, 20, 100
DENSITY, LEARNING_RATE = 0.03, 1e-3
SQUARE_DECAY, SQUARE_STEPS, SQUARE_BATCH = 0.95, 500, 16
# Loss of the first step at batch 128, in every library that has exactly this model.
ANCHORS = {"feed-forward": 7.36575, "recurrent": 11.30055}
ANCHOR_TOLERANCE = 1e-4


def classifier_data(batch: int, n_steps: int = N_STEPS) -> tuple[np.ndarray, np.ndarray]:
    """Return spikes, shape (n_steps, batch, 700) of float32, and the classes."""
    rng = np.random.default_rng(0)
    x = rng.random((n_steps, batch, N_INPUTS), dtype=np.float32) < DENSITY
    return x.astype(np.float32), rng.integers(0, N_OUTPUTS, batch)


def classifier_weights() -> dict[str, np.ndarray]:
    """Return weights, shape (n_pre, n_post)."""
    rng = np.random.default_rng(1)
    w = rng.normal(0.0, 0.025, (N_HIDDEN, N_INPUTS)).T
    w_rec = rng.normal(0.0, 0.2 / 16, (N_HIDDEN, N_HIDDEN)).T
    return {"w": w, "w_rec": w_rec, "w_out": rng.normal(0.0, 1 / 16, (N_OUTPUTS, N_HIDDEN)).T}


def square_data(n: int, n_steps: int = SQUARE_STEPS) -> tuple[np.ndarray, np.ndarray]:
    """Return spikes, shape (n_steps, 16, n) of float32, and weights (n_pre, n_post)."""
    rng = np.random.default_rng(0)
    x = rng.random((n_steps, SQUARE_BATCH, n), dtype=np.float32) < DENSITY
    scale = math.sqrt((1.0 - SQUARE_DECAY**2) / (n * DENSITY))
    return x.astype(np.float32), rng.normal(0.0, scale, (n, n)).T


def yin_yang_weights() -> dict[str, np.ndarray]:
    """Return weights, shape (n_pre, n_post), with which hidden units fire from the start."""
    rng = np.random.default_rng(1)
    return {"w": rng.normal(0.0, 0.5, (5, 120)), "w_out": rng.normal(0.0, 1 / 11, (120, 3))}


def latency_spikes(features: np.ndarray) -> np.ndarray:
    """Return a spike a line at step round(30 x) and a bias at 0, shape (40, n_samples, 5)."""
    steps = np.column_stack([np.rint(30.0 * features), np.zeros(len(features))]).astype(int)
    return (np.arange(40)[:, None, None] == steps).astype(np.float32)


@dataclass(frozen=True)
class DirectCurrent:
    """Each feature, and a bias of 1, as a constant input for `n_steps` steps: an encoder."""

    n_steps: int = 20

    stochastic: ClassVar[bool] = False

    def fit(self, features: Any) -> DirectCurrent:
        """Return the encoder: there is nothing to learn."""
        return self

    def n_inputs(self, n_features: int) -> int:
        """Return the number of lines."""
        return n_features + 1

    def encode(self, features: Any, *, dt: float = 1.0, rng: Any = None) -> np.ndarray:
        """Return the currents, shape (n_steps, n_samples, n_features + 1)."""
        lines = np.column_stack([features, np.ones(len(features))])
        return np.repeat(lines[np.newaxis], self.n_steps, axis=0)


class Run:
    """What a library is to repeat.

    Parameters
    ----------
    step : callable
        Does it once, and returns the loss before, or what else is to be the same elsewhere.
    version : str
        Of the library.
    """

    def __init__(self, step: Callable[[], float], version: str):
        self.step, self.version = step, version


def data_of(job: dict[str, Any]) -> dict[str, Any]:
    """Return the arrays of a job by name."""
    if job["task"] == "square layer":
        x, w = square_data(job["n"], job["n_steps"])
        return {"x": x, "w": w}
    if job["task"] == "Yin-Yang":
        with np.load(job["data"]) as found:
            return {"features": found["features"], "labels": found["labels"], **yin_yang_weights()}
    x, labels = classifier_data(job["batch"], job["n_steps"])
    return {"x": x, "labels": labels, **classifier_weights()}


def main(prepare: Callable[[dict[str, Any], dict[str, Any]], Run]) -> None:
    """Do the job in the first argument (JSON); print its row as the last line (JSON).

    The data is made first, and its time left out: it is the same for all. `prepare` gets job and
    data and imports the library. A row has ``first_s``, from the call of `prepare` to the end of
    the first step, ``since_start_s``, from the start of the process to that, and the times of the
    later steps (``step_s``, ``step_min_s``), some unmeasured ones left out.
    """
    job = json.loads(sys.argv[1])
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: job["threads"]])
    before = time.perf_counter()
    data = data_of(job)
    start = time.perf_counter()
    run = prepare(job, data)
    value = run.step()
    first_s, since_start_s = time.perf_counter() - start, time.time() - job["started"]
    seconds = []
    for _ in range(job["unmeasured"] + job["steps"]):
        start_of_step = time.perf_counter()
        run.step()
        seconds.append(time.perf_counter() - start_of_step)
    seconds = seconds[job["unmeasured"] :]
    row = {
        "version": run.version,
        "value": value,
        "first_s": first_s,
        "since_start_s": since_start_s - (start - before),
        "step_s": statistics.median(seconds),
        "step_min_s": min(seconds),
        "peak_rss_mb": peak_memory(),
    }
    print(json.dumps(row), flush=True)
