"""What a run records: spikes as they come, and room for traces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from spikesim.engine.built import Built

__all__ = ["Log", "TraceRequest", "make_log", "trace_bytes"]

Spikes = list[tuple[np.ndarray, np.ndarray]]


class TraceRequest(NamedTuple):
    """Which variables of which neurons of a population to sample, every `interval` steps."""

    variables: tuple[str, ...]
    neurons: np.ndarray
    interval: int


@dataclass(eq=False)
class Log:
    """What a run has recorded, from the step after `begun` up to and including step `done`.

    Attributes
    ----------
    first, begun, done : int
        The step after which the run began; see above.
    window : int or None
        If not None, traces are kept for so many steps only: who writes them elsewhere takes them,
        and the spikes, after every chunk, and then sets `begun` to `done`.
    requests : dict of TraceRequest
        What to sample, by population.
    traces : dict of dict of ndarray, shape (n_samples, n_recorded)
        Room for each variable, by population; the parts of `samples`.
    samples : ndarray
        All traces, one after another.
    spikes : dict of list
        For each population parts (steps, neurons), in the order of time.
    n_spikes : int
        Spikes recorded so far, those that were taken included.
    """

    first: int
    begun: int
    done: int
    window: int | None
    requests: dict[str, TraceRequest]
    traces: dict[str, dict[str, np.ndarray]]
    samples: np.ndarray
    spikes: dict[str, Spikes] = field(default_factory=dict)
    n_spikes: int = 0

    def n_samples(self, name: str) -> int:
        """Return how many samples of a population there are so far."""
        interval = self.requests[name].interval
        return self.done // interval - self.begun // interval

    def take_spikes(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the spikes of a population up to `done` as (steps, neurons); forget them."""
        parts, nothing = self.spikes[name], np.zeros(0, dtype=np.int64)
        steps = np.concatenate([nothing, *(part[0] for part in parts)])
        ids = np.concatenate([nothing, *(part[1] for part in parts)])
        parts.clear()
        kept = np.searchsorted(steps, self.done, side="right")
        return steps[:kept], ids[:kept]


def make_log(
    built: Built,
    requests: Mapping[str, TraceRequest],
    done: int,
    n_steps: int,
    window_bytes: int | None = None,
) -> Log:
    """Make room for the traces of the steps after `done`.

    Parameters
    ----------
    built : Built
        The network.
    requests : mapping of str to TraceRequest
        What to sample.
    done, n_steps : int
        Last step done, and how many follow.
    window_bytes : int, optional
        Keep at most so many bytes of traces, but one step, at a time; by default all.
    """
    window = None
    if window_bytes is not None:
        a_step = sum(8 * len(r.neurons) * len(r.variables) / r.interval for r in requests.values())
        window = max(1, min(n_steps, int(window_bytes / a_step) if a_step else n_steps))
        shapes = {name: (-(-window // r.interval), len(r.neurons)) for name, r in requests.items()}
    else:
        shapes = {
            name: ((done + n_steps) // r.interval - done // r.interval, len(r.neurons))
            for name, r in requests.items()
        }
    n_samples = sum(
        rows * columns * len(requests[name].variables) for name, (rows, columns) in shapes.items()
    )
    samples = np.empty(n_samples)
    traces: dict[str, dict[str, np.ndarray]] = {}
    offset = 0
    for name, shape in shapes.items():
        traces[name] = {}
        for variable in requests[name].variables:
            end = offset + shape[0] * shape[1]
            traces[name][variable] = samples[offset:end].reshape(shape)
            offset = end
    spikes: dict[str, Spikes] = {population.name: [] for population in built.populations}
    return Log(done, done, done, window, dict(requests), traces, samples, spikes)


def trace_bytes(requests: Mapping[str, TraceRequest], done: int, n_steps: int) -> int:
    """Return the bytes that the traces of the steps after `done` need."""
    return sum(
        8
        * ((done + n_steps) // r.interval - done // r.interval)
        * len(r.neurons)
        * len(r.variables)
        for r in requests.values()
    )
