"""A projection: the synapses that lead from one population to another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from spikesim import _check
from spikesim.distributions import Distribution
from spikesim.errors import ParameterError
from spikesim.network.matrix import SparseMatrix
from spikesim.network.population import Population, keep_population
from spikesim.network.rules import Rule
from spikesim.neurons._units import ask_if_below
from spikesim.synapses import UNSAID, Synapse

__all__ = ["Projection"]

# No spike travels less long (ms) unless somebody studies tiny steps: such numbers are seconds.
_SHORTEST_DELAY = 0.005
# Who draws delays does not study steps, and nobody draws ones that are all this short.
_SHORTEST_DRAWN = 0.02


@_check.suggest_keywords
@dataclass(frozen=True, eq=False)
class Projection:
    """Synapses from a source to a target population.

    Parameters
    ----------
    source, target : Population or str
        The populations, or their names; the target has LIF, AdaptiveLIF or SigmoidRate neurons.
    rule : rule of :mod:`spikesim.network.rules`
        Which neurons are connected.
    weight : float, array_like or Distribution
        Weight of the synapses: pA, nS (at least 0) through a conductance, mV through
        :class:`~spikesim.synapses.Delta`. An array has the shape that the rule states, a
        distribution is drawn from once a synapse. May be left out with
        :class:`~spikesim.network.SparseMatrix`, whose values it then is.
    delay : float, array_like or Distribution, default 1
        From the spike to its arrival (ms), at least `dt`. Values drawn from a distribution are
        rounded to the nearest step; given ones must be multiples of `dt`.
    synapse : synapse of :mod:`spikesim.synapses`, default Delta()
        What a spike does on arrival. Where it is left out, a weight that takes a LIF neuron from
        rest over its threshold at once gives a UnitWarning: it is likely meant in pA.
    delay_rounding : {"error", "nearest"}, default "error"
        What to do with a given delay that is not a multiple of `dt`.

    Raises
    ------
    ParameterError
        No weight where the rule brings none, NaN or infinite weights, negative ones through a
        conductance, delays that are NaN, 0 or negative.
    ParameterTypeError
        An argument of another kind.
    """

    source: Any
    target: Any
    rule: Any
    weight: Any = None
    delay: Any = 1.0
    synapse: Any = UNSAID
    delay_rounding: str = "error"

    def __post_init__(self) -> None:
        for name in ("source", "target"):
            label = f"Projection.{name}"
            keep_population(self, name, label)
        _check.instance("Projection.rule", self.rule, Rule, "a connection rule such as AllToAll()")
        _check.instance(
            "Projection.synapse",
            self.synapse,
            Synapse,
            "a synapse such as Delta() or Exponential()",
        )
        _check.choice("Projection.delay_rounding", self.delay_rounding, ("error", "nearest"))
        if self.weight is None:
            if not isinstance(self.rule, SparseMatrix):
                raise ParameterError(
                    f"Projection.weight must be given with {type(self.rule).__name__}; only "
                    "SparseMatrix brings its own weights"
                )
            weight = self.rule.values
        else:
            weight = number_or_array("Projection.weight", self.weight)
        object.__setattr__(self, "weight", weight)
        self.synapse.check_weight("Projection.weight", self.weight)
        delay = number_or_array("Projection.delay", self.delay)
        if not isinstance(delay, Distribution) and np.any(np.asarray(delay) <= 0.0):
            bad = np.asarray(delay) <= 0.0
            raise ParameterError(
                f"Projection.delay{_check._first(bad)} must be at least one step of dt, "
                f"got {np.asarray(delay)[bad].flat[0]:g} ms"
            )
        shortest = _SHORTEST_DRAWN if isinstance(delay, Distribution) else _SHORTEST_DELAY
        ask_if_below("Projection.delay", delay, shortest, "ms")
        object.__setattr__(self, "delay", delay)

    def check(self, source: Population, target: Population) -> None:
        """Refuse populations that the rule, weights or delays do not fit."""
        self.rule.check(source, target)
        wanted = self.rule.array_shape(source, target)
        for name in ("weight", "delay"):
            value = getattr(self, name)
            if not isinstance(value, np.ndarray):
                continue
            if wanted is None:
                raise ParameterError(
                    f"Projection.{name} must be a number or a Distribution with "
                    f"{type(self.rule).__name__}, got an array of shape {value.shape}"
                )
            _check.shape(f"Projection.{name}", value, wanted)


def number_or_array(label: str, value: Any) -> Any:
    """Return a distribution as it is, a number as a float, an array as a read-only copy."""
    if isinstance(value, Distribution):
        return value
    return _check.number_or_array(label, value)
