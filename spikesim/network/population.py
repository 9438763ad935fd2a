"""A population: neurons of one model under one name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from spikesim import _check
from spikesim.errors import ParameterError
from spikesim.neurons import (
    LIF,
    AdaptiveLIF,
    InhomogeneousPoissonSource,
    PoissonSource,
    SigmoidRate,
    SpikeSource,
)

__all__ = ["MODELS", "Population", "grid_positions", "keep_population"]

# The square of a distance must be a number.
_FARTHEST = 1e150
MODELS = (LIF, AdaptiveLIF, SigmoidRate, PoissonSource, InhomogeneousPoissonSource, SpikeSource)
_NAMES = "LIF, AdaptiveLIF, SigmoidRate, PoissonSource, InhomogeneousPoissonSource or SpikeSource"


@_check.suggest_keywords
@dataclass(frozen=True, eq=False)
class Population:
    """Neurons of one model; the name is what the rest of a network knows them by.

    Parameters
    ----------
    name : str
        Name, unique within a network.
    model : LIF, AdaptiveLIF, SigmoidRate, PoissonSource, InhomogeneousPoissonSource or SpikeSource
        What the neurons are. Parameters given one value a neuron must have `n` of them.
    n : int, default 1
        Number of neurons, at least 1.
    positions : array_like, shape (n,), (n, 1) or (n, 2), or None, default None
        Where the neurons lie, on a line or in a plane, for rules that go by distance; kept with
        shape (n, 1) or (n, 2). The unit of length is yours: the one that you give the profiles of
        :class:`~spikesim.network.DistanceDependent` in.

    Raises
    ------
    ParameterError
        An empty name, ``n < 1``, parameters of another length than `n`, positions that are not
        finite or of another shape.
    ParameterTypeError
        A model of another kind, an `n` that is not an integer.
    ParameterIndexError
        A spike source that lists a neuron beyond `n`.
    """

    name: str
    model: Any
    n: int = 1
    positions: Any = None

    def __post_init__(self) -> None:
        _check.instance("Population.name", self.name, str, "text")
        if not self.name:
            raise ParameterError("Population.name must not be empty")
        _check.instance("Population.model", self.model, MODELS, _NAMES)
        n = _check.integer("Population.n", self.n, minimum=1)
        object.__setattr__(self, "n", n)
        wrong = self.model.sizes() - {n}
        if wrong:
            names = [
                f"{type(self.model).__name__}.{name}"
                for name, value in vars(self.model).items()
                if np.ndim(value) and np.shape(value)[-1] in wrong
            ]
            raise ParameterError(
                f"Population.model has parameters for {max(wrong)} neurons ({', '.join(names)}), "
                f"Population.n is {n}"
            )
        if isinstance(self.model, SpikeSource):
            _check.indices("SpikeSource.ids", self.model.ids, n)
        if self.positions is not None:
            object.__setattr__(self, "positions", _kept_positions(self.positions, n))


def grid_positions(n_x: int, n_y: int | None = None, *, extent: float | ArrayLike) -> np.ndarray:
    """Return the positions of neurons on a regular grid: the centres of its cells.

    Parameters
    ----------
    n_x : int
        Neurons along x.
    n_y : int, optional
        Neurons along y; left out, the neurons lie on a line.
    extent : float or (float, float)
        Length of the grid, in any unit; in a plane one for both directions, or one each. It is
        also the `period` of :class:`~spikesim.network.DistanceDependent` that closes the grid
        to a ring or torus.

    Returns
    -------
    ndarray, shape (n_x, 1) or (n_x * n_y, 2)
        From 0 to `extent`. Neuron ``i_y * n_x + i_x`` lies at ``(i_x + 0.5) * extent_x / n_x``
        and ``(i_y + 0.5) * extent_y / n_y``: values of the neurons reshaped to ``(n_y, n_x)`` are
        an image of the plane.

    Raises
    ------
    ParameterError
        A number below 1, an extent that is not greater than 0, two of them on a line.
    ParameterTypeError
        Numbers that are not integers, an extent that is no number.

    Examples
    --------
    >>> grid_positions(2, 2, extent=100.0).tolist()
    [[25.0, 25.0], [75.0, 25.0], [25.0, 75.0], [75.0, 75.0]]
    """
    counts = [_check.integer("grid_positions.n_x", n_x, minimum=1)]
    if n_y is not None:
        counts.append(_check.integer("grid_positions.n_y", n_y, minimum=1))
    lengths = lengths_of("grid_positions.extent", extent, len(counts))
    axes = [(np.arange(n) + 0.5) * length / n for n, length in zip(counts, lengths, strict=True)]
    return np.stack([axis.ravel() for axis in np.meshgrid(*axes)], axis=1)


def lengths_of(name: str, value: Any, n_dimensions: int) -> np.ndarray:
    """Return one length a dimension from a number or a list; each is greater than 0."""
    lengths = np.asarray(_check.per_neuron(name, value, low=0.0, strict=True))
    if lengths.ndim == 0:
        return np.full(n_dimensions, lengths)
    if lengths.shape != (n_dimensions,):
        wanted = (
            "one number on a line" if n_dimensions == 1 else "one number, or one each for x and y"
        )
        raise ParameterError(f"{name} must be {wanted}, got {len(lengths)} of them")
    return lengths


def _kept_positions(value: Any, n: int) -> np.ndarray:
    positions = _check.float_array("Population.positions", value, copy=True)
    if positions.shape == (n,):
        positions = positions.reshape(n, 1)
    if positions.shape not in ((n, 1), (n, 2)):
        raise ParameterError(
            f"Population.positions must have shape ({n},), ({n}, 1) or ({n}, 2), one row a neuron, "
            f"got {positions.shape}"
        )
    far = np.argwhere(np.abs(positions) > _FARTHEST)
    if len(far):
        raise ParameterError(
            f"Population.positions[{far[0, 0]}] must lie within {_FARTHEST:g} of 0, so that a "
            f"distance can be squared, got {positions[tuple(far[0])]:g}"
        )
    positions.flags.writeable = False
    return positions


def keep_population(item: Any, attribute: str, label: str) -> None:
    """Replace a population given to `item` by its name, and keep it to be recognised later."""
    value = getattr(item, attribute)
    _check.instance(label, value, (Population, str), "a Population or its name")
    if isinstance(value, Population):
        object.__setattr__(item, f"_{attribute}", value)
        object.__setattr__(item, attribute, value.name)
