"""Connection rules: which neuron of one population reaches which of another.

A rule only describes; :mod:`spikesim.engine.connect` draws from it. The rule that goes by
distance is in :mod:`spikesim.network.distance`, sparse matrices in
:mod:`spikesim.network.matrix`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from spikesim import _check
from spikesim.errors import ParameterError
from spikesim.network.population import Population

__all__ = [
    "AllToAll",
    "ExplicitList",
    "FixedInDegree",
    "FixedOutDegree",
    "FixedProbability",
    "FixedTotalNumber",
    "OneToOne",
    "Rule",
]


class Rule(ABC):
    """Base of the connection rules.

    `source` and `target` are populations; where they are one object, synapses of a neuron onto
    itself are autapses.
    """

    def check(self, source: Population, target: Population) -> None:
        """Refuse populations that the rule cannot connect; here none."""
        return None

    def array_shape(self, source: Population, target: Population) -> tuple[int, ...] | None:
        """Return the shape of weights given as an array, None if they cannot be."""
        return None

    @abstractmethod
    def expected_synapses(self, source: Population, target: Population) -> int:
        """Return the number of synapses: exact where the rule fixes it, else its mean."""


def _without_autapses(rule: Any, source: Population, target: Population) -> int:
    """Return 1 if a neuron must not reach itself, else 0."""
    return int(source is target and not rule.autapses)


@_check.suggest_keywords
@dataclass(frozen=True)
class AllToAll(Rule):
    """Every neuron reaches every neuron.

    Weights and delays may be arrays of shape (n_pre, n_post).

    Parameters
    ----------
    autapses : bool, default True
        Whether, within one population, a neuron reaches itself.
    """

    autapses: bool = True

    def __post_init__(self) -> None:
        _check.boolean("AllToAll.autapses", self.autapses)

    def array_shape(self, source: Population, target: Population) -> tuple[int, ...]:
        """Return (n_pre, n_post)."""
        return (source.n, target.n)

    def expected_synapses(self, source: Population, target: Population) -> int:
        """Return the number of pairs."""
        return source.n * (target.n - _without_autapses(self, source, target))


@_check.suggest_keywords
@dataclass(frozen=True)
class OneToOne(Rule):
    """Neuron i reaches neuron i; both populations have one size.

    Weights and delays may be arrays of shape (n,).
    """

    def check(self, source: Population, target: Population) -> None:
        """Refuse populations of different sizes."""
        if source.n != target.n:
            raise ParameterError(
                "Projection.rule OneToOne needs populations of one size, "
                f"got {source.n} and {target.n}"
            )

    def array_shape(self, source: Population, target: Population) -> tuple[int, ...]:
        """Return (n,)."""
        return (source.n,)

    def expected_synapses(self, source: Population, target: Population) -> int:
        """Return n."""
        return source.n


@_check.suggest_keywords
@dataclass(frozen=True)
class FixedProbability(Rule):
    """Each pair is connected with probability p, independently (Erdos & Renyi, Bernoulli).

    Parameters
    ----------
    p : float
        Probability within [0, 1].
    autapses : bool, default True
        Whether, within one population, a neuron may reach itself.
    """

    p: float
    autapses: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "p", _check.in_range("FixedProbability.p", self.p, 0.0, 1.0))
        _check.boolean("FixedProbability.autapses", self.autapses)

    def expected_synapses(self, source: Population, target: Population) -> int:
        """Return p times the number of pairs."""
        return round(self.p * source.n * (target.n - _without_autapses(self, source, target)))


@_check.suggest_keywords
@dataclass(frozen=True)
class FixedInDegree(Rule):
    """Each target has k synapses from sources drawn at random.

    Parameters
    ----------
    k : int
        Synapses a target, at least 0.
    autapses : bool, default True
        Whether, within one population, a neuron may reach itself.
    multapses : bool, default True
        Whether a target may have several synapses from one source (drawn with replacement).
    """

    k: int
    autapses: bool = True
    multapses: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "k", _check.integer("FixedInDegree.k", self.k, minimum=0))
        _check.boolean("FixedInDegree.autapses", self.autapses)
        _check.boolean("FixedInDegree.multapses", self.multapses)

    def check(self, source: Population, target: Population) -> None:
        """Refuse more synapses than there are sources to draw from."""
        sources = source.n - _without_autapses(self, source, target)
        if self.k > 0 and sources == 0:
            raise ParameterError(
                "FixedInDegree.k must be 0 where the only source is the target itself and "
                f"autapses are excluded, got {self.k}"
            )
        if not self.multapses and self.k > sources:
            raise ParameterError(
                f"FixedInDegree.k must be at most {sources}, the number of sources a target may "
                f"have without multapses, got {self.k}"
            )

    def expected_synapses(self, source: Population, target: Population) -> int:
        """Return k a target."""
        return self.k * target.n


@_check.suggest_keywords
@dataclass(frozen=True)
class FixedOutDegree(Rule):
    """Each source has k synapses onto targets drawn at random.

    Parameters
    ----------
    k : int
        Synapses a source, at least 0.
    autapses : bool, default True
        Whether, within one population, a neuron may reach itself.
    multapses : bool, default True
        Whether a source may have several synapses onto one target (drawn with replacement).
    """

    k: int
    autapses: bool = True
    multapses: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "k", _check.integer("FixedOutDegree.k", self.k, minimum=0))
        _check.boolean("FixedOutDegree.autapses", self.autapses)
        _check.boolean("FixedOutDegree.multapses", self.multapses)

    def check(self, source: Population, target: Population) -> None:
        """Refuse more synapses than there are targets to draw from."""
        targets = target.n - _without_autapses(self, source, target)
        if self.k > 0 and targets == 0:
            raise ParameterError(
                "FixedOutDegree.k must be 0 where the only target is the source itself and "
                f"autapses are excluded, got {self.k}"
            )
        if not self.multapses and self.k > targets:
            raise ParameterError(
                f"FixedOutDegree.k must be at most {targets}, the number of targets a source may "
                f"have without multapses, got {self.k}"
            )

    def expected_synapses(self, source: Population, target: Population) -> int:
        """Return k a source."""
        return self.k * source.n


@_check.suggest_keywords
@dataclass(frozen=True)
class FixedTotalNumber(Rule):
    """There are n synapses, each between a source and a target drawn at random.

    Parameters
    ----------
    n : int
        Synapses altogether, at least 0.
    autapses : bool, default True
        Whether, within one population, a neuron may reach itself.
    multapses : bool, default True
        Whether a pair may have several synapses (pairs drawn with replacement).
    """

    n: int
    autapses: bool = True
    multapses: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "n", _check.integer("FixedTotalNumber.n", self.n, minimum=0))
        _check.boolean("FixedTotalNumber.autapses", self.autapses)
        _check.boolean("FixedTotalNumber.multapses", self.multapses)

    def check(self, source: Population, target: Population) -> None:
        """Refuse more synapses than there are pairs to draw from."""
        pairs = source.n * (target.n - _without_autapses(self, source, target))
        if self.n > 0 and pairs == 0:
            raise ParameterError(
                "FixedTotalNumber.n must be 0 where the only pair is a neuron with itself and "
                f"autapses are excluded, got {self.n}"
            )
        if not self.multapses and self.n > pairs:
            raise ParameterError(
                f"FixedTotalNumber.n must be at most {pairs}, the number of pairs that can be "
                f"connected without multapses, got {self.n}"
            )

    def expected_synapses(self, source: Population, target: Population) -> int:
        """Return n."""
        return self.n


@_check.suggest_keywords
@dataclass(frozen=True, eq=False)
class ExplicitList(Rule):
    """Synapse s leads from neuron ``pre[s]`` to neuron ``post[s]``.

    Pairs may repeat (each is a synapse) and come in any order: the result does not depend on it.
    Weights and delays may be arrays of shape (n_synapses,).

    Parameters
    ----------
    pre, post : array_like of int, shape (n_synapses,)
        Indices into the two populations; empty lists connect nothing.
    """

    pre: Any
    post: Any

    def __post_init__(self) -> None:
        for name in ("pre", "post"):
            index = np.array(_check.indices(f"ExplicitList.{name}", getattr(self, name), None))
            _check.shape(f"ExplicitList.{name}", index, (None,))
            index.flags.writeable = False
            object.__setattr__(self, name, index)
        if len(self.pre) != len(self.post):
            raise ParameterError(
                f"ExplicitList.pre and ExplicitList.post must have one length, "
                f"got {len(self.pre)} and {len(self.post)}"
            )

    def check(self, source: Population, target: Population) -> None:
        """Refuse indices that the populations do not have."""
        _check.indices("ExplicitList.pre", self.pre, source.n)
        _check.indices("ExplicitList.post", self.post, target.n)

    def array_shape(self, source: Population, target: Population) -> tuple[int, ...]:
        """Return (n_synapses,)."""
        return (len(self.pre),)

    def expected_synapses(self, source: Population, target: Population) -> int:
        """Return the length of the list."""
        return len(self.pre)
