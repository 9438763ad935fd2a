"""Poisson inputs and sources as rows of the tables of a plan, each with its random numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from spikesim import _check
from spikesim.engine import plan as p
from spikesim.engine.rng import PoissonTable, poisson_table
from spikesim.errors import ParameterError
from spikesim.network.inputs import PoissonInput
from spikesim.neurons import InhomogeneousPoissonSource, PoissonSource

__all__ = ["NOISE_CURRENT", "POISSON_INPUT", "POISSON_SOURCE", "Draws", "stream_of"]

_MOST_COUNTS = 1e9
# A stream is a word of 32 bits: its kind (2), the population (15) and a number within (15).
POISSON_SOURCE, POISSON_INPUT, NOISE_CURRENT = range(3)
_MOST_STREAMS = 2**15
# Of a network that draws no Poisson counts.
_NO_TABLE = poisson_table(np.zeros(1))


class Draws:
    """All that draws Poisson numbers, gathered one by one.

    Attributes
    ----------
    rows : list of list of int
        Of ``Plan.draws``.
    """

    def __init__(self, dt: float):
        self.dt = dt
        self.rows: list[list[int]] = []
        self._means: list[np.ndarray] = []
        self._n_means = 0

    def add_input(self, item: PoissonInput, n: int, stream: int, weight: int) -> None:
        """Add an input into a population of `n` neurons; its weight is a constant of the plan."""
        neurons = np.arange(n) if item.neurons is None else item.neurons
        driven = 1 if item.shared else len(neurons)
        mean = _mean_counts("PoissonInput.rate", item.rate, driven, self.dt)
        row = [0] * p.N_DRAW_COLUMNS
        row[p.STREAM], row[p.SHARED] = stream, int(item.shared)
        row[p.N_SAMPLES], row[p.SAMPLE_STEPS] = 1, 2**62
        row[p.WEIGHT] = weight
        if item.shared:
            row[p.ROW] = self._put_means(mean)
            mask = np.full(n, -1.0)
            mask[neurons] = mean[0]
            row[p.ROW_EACH] = self._put_means(mask)
        elif item.neurons is None and np.all(mean == mean[:1]):
            row[p.ROW] = self._put_means(mean[:1])
        else:
            row[p.ROW_EACH] = 1
            means = np.full(n, -1.0)
            means[neurons] = mean
            row[p.ROW] = self._put_means(means)
        self.rows.append(row)

    def add_source(
        self, model: PoissonSource | InhomogeneousPoissonSource, n: int, stream: int
    ) -> dict[str, Any]:
        """Add a population of sources; return its parameters."""
        row = [0] * p.N_DRAW_COLUMNS
        row[p.STREAM], row[p.SIZE_OF_DRAW] = stream, n
        if isinstance(model, PoissonSource):
            mean = _mean_counts("PoissonSource.rate", model.rate, n, self.dt).reshape(1, -1)
            row[p.SAMPLE_STEPS] = 2**62
            parameters: dict[str, Any] = {"rate": np.array(np.broadcast_to(model.rate, n))}
        else:
            rates = model.rates.reshape(len(model.rates), -1)
            label = "InhomogeneousPoissonSource.rates"
            mean = _mean_counts(label, rates, None, self.dt)
            row[p.SAMPLE_STEPS] = _check.n_steps(
                "InhomogeneousPoissonSource.interval", model.interval, self.dt, minimum=1
            )
            parameters = {"rates": model.rates, "interval": model.interval}
        row[p.N_SAMPLES] = len(mean)
        alike = bool(np.all(mean == mean[:, :1]))
        row[p.ROW_EACH] = int(not alike)
        row[p.ROW] = self._put_means(mean[:, 0] if alike else mean.reshape(-1))
        self.rows.append(row)
        return parameters

    def table(self) -> tuple[PoissonTable, np.ndarray]:
        """Return the law of each mean, and where in it every mean is found, -1 for none."""
        means = self._all_means()
        driven = means >= 0.0
        table, inverse = _NO_TABLE, np.zeros(0, dtype=np.int64)
        if len(means):
            values, inverse = np.unique(np.where(driven, means, 0.0), return_inverse=True)
            table = poisson_table(values)
        return table, np.where(driven, inverse, -1).astype(np.int32)

    def room(self, stretch: int) -> int:
        """Return how many spikes sources may add to the log of a block in a stretch."""
        means = self._all_means()
        most = 0.0
        for draw in self.rows:
            # A bound that no Poisson number passes: 60 + 20 standard deviations above the mean.
            if draw[p.WEIGHT] == 0:
                first, each = draw[p.ROW], max(draw[p.SIZE_OF_DRAW], 1)
                own = means[first : first + draw[p.N_SAMPLES] * (each if draw[p.ROW_EACH] else 1)]
                largest = max(float(own.max(initial=0.0)), 0.0)
                most += each * stretch * (largest + 20.0 * np.sqrt(largest))
                most += 60.0 * np.sqrt(each * stretch)
        return int(most)

    def _all_means(self) -> np.ndarray:
        return np.concatenate([np.zeros(0), *self._means])

    def _put_means(self, means: np.ndarray) -> int:
        self._means.append(means)
        self._n_means += len(means)
        return self._n_means - len(means)


def stream_of(kind: int, population: int, number: int) -> int:
    """Return the stream of random numbers of the `number`-th input of its kind into a population.

    So neither another input of another kind or into another population, nor one that draws
    nothing, changes what an input draws.
    """
    if population >= _MOST_STREAMS or number >= _MOST_STREAMS:
        raise ParameterError(
            f"Network: at most {_MOST_STREAMS} populations, and {_MOST_STREAMS} inputs of one kind "
            "into one of them, can draw random numbers"
        )
    return (kind * _MOST_STREAMS + population) * _MOST_STREAMS + number


def _mean_counts(label: str, rate: Any, n: int | None, dt: float) -> np.ndarray:
    mean = np.asarray(rate) * dt / 1000.0
    if n is not None:
        mean = np.array(np.broadcast_to(mean, (n,)))
    if np.any(mean > _MOST_COUNTS):
        raise ParameterError(
            f"{label}{_check._first(mean > _MOST_COUNTS)} must be lower: it makes "
            f"{mean.max():g} spikes in a step of {dt:g} ms, {_MOST_COUNTS:g} are possible"
        )
    return mean
