"""What a contender is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from spikesim.comparison.builders import Build
from spikesim.comparison.tasks import Task

__all__ = ["Contender", "Note"]


class Note(NamedTuple):
    """What the report says of a rule."""

    what: str
    knows: str
    source: str


@dataclass(frozen=True)
class Contender:
    """One line of the table.

    Attributes
    ----------
    name : str
        The rule, in words; twins on rate and LIF units share it.
    network : {"rate", "LIF", ""}
        Kind of units.
    family : {"local", "gradient", "classical"}
        Kind of rule.
    rule : str
        Class of the rule or estimator.
    tasks : tuple of str
        Where it takes part.
    space : dict of str to (float, float)
        Settings that are tuned, each log-uniform between two ends: three for every contender
        that learns.
    layers : {"single", "hidden", "committee", ""}
        Which hidden sizes it runs with on XOR.
    build : callable, optional
        ``build(size, hidden, settings, rng)`` returns the :class:`Plan`.
    estimator : callable, optional
        ``estimator(hidden, seed)`` returns the scikit-learn estimator of a classical method.
    asked : bool
        Whether it takes part only where it is asked for by its full name.
    about : str
        What the report says of it, for those that no rule's docstring speaks for.
    """

    name: str
    network: str
    family: str
    rule: str
    tasks: tuple[str, ...]
    space: Mapping[str, tuple[float, float]]
    layers: str = ""
    build: Build | None = None
    estimator: Callable[[int, int], Any] | None = None
    asked: bool = False
    about: str = ""

    @property
    def key(self) -> str:
        """Name and kind of units: what settings are filed under."""
        return f"{self.name}/{self.network}" if self.network else self.name

    def middle(self) -> dict[str, float]:
        """Return the settings in the middle of the space, of a contender that was not tuned."""
        return {
            name: float(f"{(low * high) ** 0.5:.3g}") for name, (low, high) in self.space.items()
        }

    def hidden_sizes(self, task: Task, sizes: tuple[int, ...]) -> tuple[int, ...]:
        """Return the hidden sizes to run on `task`: those asked for where the layers allow."""
        if self.layers in ("single", ""):
            return (0,)
        # A committee has its units for each class.
        return (task.committee,) if self.layers == "committee" and task.committee else sizes
