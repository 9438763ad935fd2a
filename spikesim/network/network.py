"""A network described: populations, projections between them, inputs into them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from spikesim import _check
from spikesim.errors import ParameterError
from spikesim.network.digest import digest_of
from spikesim.network.inputs import Input, PoissonInput, SpikeInput
from spikesim.network.population import Population
from spikesim.network.projection import Projection
from spikesim.network.units import ask_about_currents, ask_about_weights
from spikesim.neurons import LIF, AdaptiveLIF, SigmoidRate

__all__ = ["Network"]


@_check.suggest_keywords
@dataclass(frozen=True, eq=False)
class Network:
    """Populations, the projections between them and the inputs into them.

    Parameters
    ----------
    populations : iterable of Population
        At least one; names are unique.
    projections : iterable of Projection, optional
        Between populations of the network, the source itself included.
    inputs : iterable of inputs, optional
        Currents and spikes from outside, see :mod:`spikesim.network.inputs`.

    Raises
    ------
    ParameterError
        No population, a name used twice or unknown, sizes that do not fit, a target that is a
        source of spikes.
    ParameterTypeError
        Something of another kind in one of the lists.
    ParameterIndexError
        Indices beyond the size of a population.
    """

    populations: Any
    projections: Any = ()
    inputs: Any = ()

    def __post_init__(self) -> None:
        populations = _tuple_of("populations", self.populations, Population, "a Population")
        projections = _tuple_of("projections", self.projections, Projection, "a Projection")
        inputs = _tuple_of("inputs", self.inputs, Input, "an input such as StepCurrent")
        if not populations:
            raise ParameterError("Network.populations must hold at least one population")
        object.__setattr__(self, "populations", populations)
        object.__setattr__(self, "projections", projections)
        object.__setattr__(self, "inputs", inputs)
        names = [p.name for p in populations]
        for index, name in enumerate(names):
            if name in names[:index]:
                raise ParameterError(
                    f"Network.populations[{index}] has the name {name!r} of another population"
                )
        weighted: list[tuple[Any, Population, str]] = []
        for index, projection in enumerate(projections):
            label = f"Network.projections[{index}]"
            source = self.population(projection.source, f"{label}.source")
            target = self.population(projection.target, f"{label}.target")
            _refuse_namesake(f"{label}.source", projection, "_source", source)
            _refuse_namesake(f"{label}.target", projection, "_target", target)
            _refuse_source(f"{label}.target", target)
            with _check.located(f"projection from {source.name!r} to {target.name!r}"):
                projection.check(source, target)
            weighted.append((projection, target, f"from {source.name!r} to {target.name!r}"))
        for index, item in enumerate(inputs):
            label = f"Network.inputs[{index}].target"
            target = self.population(item.target, label)
            _refuse_namesake(label, item, "_target", target)
            _refuse_source(label, target)
            with _check.located(f"input into population {target.name!r}"):
                item.check(target.n)
            if isinstance(item, (PoissonInput, SpikeInput)):
                weighted.append((item, target, f"into {target.name!r}"))
        ask_about_weights(weighted)
        for population in populations:
            ask_about_currents(population, [i for i in inputs if i.target == population.name])

    def population(self, name: str, label: str = "name") -> Population:
        """Return the population called `name`.

        Raises
        ------
        ParameterError
            There is none; the message suggests the nearest name.
        """
        for population in self.populations:
            if population.name == name:
                return population
        names = [p.name for p in self.populations]
        hint = _check.did_you_mean(name, names)
        raise ParameterError(
            f"{label}: the network has no population {name!r}{hint}; it has "
            f"{', '.join(map(repr, names))}"
        )

    def __repr__(self) -> str:
        populations = ", ".join(
            f"{p.name}: {p.n} {type(p.model).__name__}" for p in self.populations
        )
        return (
            f"Network({populations}; {len(self.projections)} projections, "
            f"{len(self.inputs)} inputs)"
        )

    def digest(self) -> str:
        """Return a digest (SHA-256) of the description: equal for equal networks."""
        return digest_of(self)


def _refuse_namesake(label: str, item: Any, attribute: str, own: Population) -> None:
    """Refuse an item made for another population than the network's own of that name."""
    given = getattr(item, attribute, own)
    if given is not own and digest_of(given) != digest_of(own):
        raise ParameterError(
            f"{label} is another population than the one called {own.name!r} in the network "
            f"({given.n} {type(given.model).__name__} there, {own.n} {type(own.model).__name__} "
            "here); pass the same object, or its name"
        )


def _refuse_source(label: str, population: Population) -> None:
    if not isinstance(population.model, (LIF, AdaptiveLIF, SigmoidRate)):
        raise ParameterError(
            f"{label} must be a population of LIF, AdaptiveLIF or SigmoidRate neurons; "
            f"{population.name!r} is a {type(population.model).__name__}, which takes no input"
        )


def _tuple_of(name: str, values: Any, kind: type, wanted: str) -> tuple[Any, ...]:
    label = f"Network.{name}"
    if isinstance(values, kind) or not isinstance(values, Iterable):
        raise _check.ParameterTypeError(f"{label} must be a list, got {type(values).__name__}")
    items = tuple(values)
    for index, item in enumerate(items):
        _check.instance(f"{label}[{index}]", item, kind, wanted)
    return items
