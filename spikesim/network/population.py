"""A population: neurons of one model under one name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from spikesim import _check
from spikesim.errors import ParameterError
from spikesim.neurons import LIF, PoissonSource, SpikeSource

__all__ = ["MODELS", "Population", "keep_population"]

MODELS = (LIF, PoissonSource, SpikeSource)


@_check.suggest_keywords
@dataclass(frozen=True, eq=False)
class Population:
    """Neurons of one model; the name is what the rest of a network knows them by.

    Parameters
    ----------
    name : str
        Name, unique within a network.
    model : LIF, PoissonSource or SpikeSource
        What the neurons are. Parameters given one value a neuron must have `n` of them.
    n : int, default 1
        Number of neurons, at least 1.

    Raises
    ------
    ParameterError
        An empty name, ``n < 1``, or parameters of another length than `n`.
    ParameterTypeError
        A model of another kind, an `n` that is not an integer.
    ParameterIndexError
        A spike source that lists a neuron beyond `n`.
    """

    name: str
    model: Any
    n: int = 1

    def __post_init__(self) -> None:
        _check.instance("Population.name", self.name, str, "text")
        if not self.name:
            raise ParameterError("Population.name must not be empty")
        _check.instance("Population.model", self.model, MODELS, "LIF, PoissonSource or SpikeSource")
        n = _check.integer("Population.n", self.n, minimum=1)
        object.__setattr__(self, "n", n)
        wrong = self.model.sizes() - {n}
        if wrong:
            raise ParameterError(
                f"Population.model has parameters for {max(wrong)} neurons, Population.n is {n}"
            )
        if isinstance(self.model, SpikeSource):
            _check.indices("SpikeSource.ids", self.model.ids, n)


def keep_population(item: Any, attribute: str, label: str) -> None:
    """Replace a population given to `item` by its name, and keep it to be recognised later."""
    value = getattr(item, attribute)
    _check.instance(label, value, (Population, str), "a Population or its name")
    if isinstance(value, Population):
        object.__setattr__(item, f"_{attribute}", value)
        object.__setattr__(item, attribute, value.name)
