"""Connection rules: which neuron of one population reaches which of another.

A rule only describes; :mod:`spikesim.engine.connect` draws from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from spikesim import _check
from spikesim.errors import ParameterError

__all__ = ["AllToAll", "ExplicitList", "FixedInDegree", "FixedProbability", "OneToOne", "Rule"]


class Rule:
    """Base of the connection rules."""

    def check(self, n_pre: int, n_post: int, same: bool) -> None:
        """Refuse populations that the rule cannot connect; `same` if they are one."""

    def array_shape(self, n_pre: int, n_post: int) -> tuple[int, ...] | None:
        """Return the shape of weights given as an array, None if they cannot be."""
        return None


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

    def array_shape(self, n_pre: int, n_post: int) -> tuple[int, ...]:
        """Return (n_pre, n_post)."""
        return (n_pre, n_post)


@_check.suggest_keywords
@dataclass(frozen=True)
class OneToOne(Rule):
    """Neuron i reaches neuron i; both populations have one size.

    Weights and delays may be arrays of shape (n,).
    """

    def check(self, n_pre: int, n_post: int, same: bool) -> None:
        """Refuse populations of different sizes."""
        if n_pre != n_post:
            raise ParameterError(
                f"Projection.rule OneToOne needs populations of one size, got {n_pre} and {n_post}"
            )

    def array_shape(self, n_pre: int, n_post: int) -> tuple[int, ...]:
        """Return (n_pre,)."""
        return (n_pre,)


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

    def check(self, n_pre: int, n_post: int, same: bool) -> None:
        """Refuse more synapses than there are sources to draw from."""
        sources = n_pre - (1 if same and not self.autapses else 0)
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

    def check(self, n_pre: int, n_post: int, same: bool) -> None:
        """Refuse indices that the populations do not have."""
        _check.indices("ExplicitList.pre", self.pre, n_pre)
        _check.indices("ExplicitList.post", self.post, n_post)

    def array_shape(self, n_pre: int, n_post: int) -> tuple[int, ...]:
        """Return (n_synapses,)."""
        return (len(self.pre),)
