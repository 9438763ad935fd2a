r"""Schedules: learning rates that change in the course of training.

A schedule is a pure function of the number n of updates, or of epochs, made so far. It is given
to an optimiser in the place of a number: ``Adam(learning_rate=CosineDecay(0.01, 100))``.
:func:`~spikesim.learning.fit` counts the epochs; who calls the step of a rule alone stays in
epoch 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

from spikesim import _check
from spikesim.errors import ParameterError, ParameterTypeError

__all__ = ["Constant", "CosineDecay", "ExponentialDecay", "Schedule", "StepDecay", "WarmUp"]


class Schedule(Protocol):
    """What every schedule is.

    Attributes
    ----------
    per : {"epoch", "update"}
        What is counted.
    """

    @property
    def per(self) -> str:
        """What is counted."""
        ...

    def __call__(self, n: int) -> float:
        """Return the learning rate after `n` updates or epochs, at least 0."""
        ...


def _check_rate(schedule: Any) -> None:
    name = type(schedule).__name__
    _check.positive(f"{name}.learning_rate", schedule.learning_rate)
    _check.choice(f"{name}.per", schedule.per, ("epoch", "update"))


@_check.suggest_keywords
@dataclass(frozen=True)
class Constant:
    r"""The same learning rate all along: :math:`\eta_n = \eta`.

    Parameters
    ----------
    learning_rate : float
        :math:`\eta` > 0.
    per : {"epoch", "update"}, default "epoch"
        Only a :class:`WarmUp` before it counts.
    """

    learning_rate: float
    per: str = "epoch"

    def __post_init__(self) -> None:
        _check_rate(self)

    def __call__(self, n: int) -> float:
        """Return the learning rate after `n` updates or epochs."""
        return self.learning_rate


@_check.suggest_keywords
@dataclass(frozen=True)
class StepDecay:
    r"""Lower the learning rate by a factor now and then.

    .. math:: \eta_n = \eta\, f^{\lfloor n / N \rfloor}

    Parameters
    ----------
    learning_rate : float
        :math:`\eta` > 0, the first one.
    every : int
        N, at least 1.
    factor : float, default 0.1
        f in (0, 1].
    per : {"epoch", "update"}, default "epoch"
        What n counts.
    """

    learning_rate: float
    every: int
    factor: float = 0.1
    per: str = "epoch"

    def __post_init__(self) -> None:
        _check_rate(self)
        _check.integer("StepDecay.every", self.every, minimum=1)
        _check_factor(self)

    def __call__(self, n: int) -> float:
        """Return the learning rate after `n` updates or epochs."""
        return self.learning_rate * self.factor ** (n // self.every)


@_check.suggest_keywords
@dataclass(frozen=True)
class ExponentialDecay:
    r"""Lower the learning rate by the same share each time: :math:`\eta_n = \eta f^n`.

    Parameters
    ----------
    learning_rate : float
        :math:`\eta` > 0, the first one.
    factor : float
        f in (0, 1].
    per : {"epoch", "update"}, default "epoch"
        What n counts.
    """

    learning_rate: float
    factor: float
    per: str = "epoch"

    def __post_init__(self) -> None:
        _check_rate(self)
        _check_factor(self)

    def __call__(self, n: int) -> float:
        """Return the learning rate after `n` updates or epochs."""
        return self.learning_rate * self.factor**n


@_check.suggest_keywords
@dataclass(frozen=True)
class CosineDecay:
    r"""Lower the learning rate along half a cosine, and keep it there.

    .. math::

        \eta_n = \eta_{low} + \tfrac12 (\eta - \eta_{low})
                 \left(1 + \cos \frac{\pi \min(n, N)}{N}\right)

    Source: Loshchilov & Hutter 2017, ICLR, eq. 5, without restarts.

    Parameters
    ----------
    learning_rate : float
        :math:`\eta` > 0, the first one.
    total : int
        N, at least 1: from then on it is the lowest.
    lowest : float, default 0
        :math:`\eta_{low}`, from 0 to `learning_rate`.
    per : {"epoch", "update"}, default "epoch"
        What n and N count.
    """

    learning_rate: float
    total: int
    lowest: float = 0.0
    per: str = "epoch"

    def __post_init__(self) -> None:
        _check_rate(self)
        _check.integer("CosineDecay.total", self.total, minimum=1)
        _check.in_range("CosineDecay.lowest", self.lowest, 0.0, self.learning_rate)

    def __call__(self, n: int) -> float:
        """Return the learning rate after `n` updates or epochs."""
        share = 0.5 * (1.0 + math.cos(math.pi * min(n, self.total) / self.total))
        return self.lowest + (self.learning_rate - self.lowest) * share


@_check.suggest_keywords
@dataclass(frozen=True)
class WarmUp:
    r"""Raise the learning rate evenly to where another schedule begins, then follow that one.

    .. math::

        \eta_n = \frac{n + 1}{N}\, \eta'_0 \;\text{ for } n < N, \qquad
        \eta_n = \eta'_{n - N} \;\text{ from then on}

    Source: Goyal et al. 2017, arXiv:1706.02677, section 2.2.

    Parameters
    ----------
    length : int
        N, at least 1, in what `then` counts.
    then : Schedule
        :math:`\eta'`, such as ``Constant(0.1)``.
    """

    length: int
    then: Any

    def __post_init__(self) -> None:
        _check.integer("WarmUp.length", self.length, minimum=1)
        if isinstance(self.then, type) or not (callable(self.then) and hasattr(self.then, "per")):
            raise ParameterTypeError(
                f"WarmUp.then must be a schedule such as Constant(0.1), got {self.then!r}"
            )

    @property
    def per(self) -> str:
        """What is counted."""
        return self.then.per

    def __call__(self, n: int) -> float:
        """Return the learning rate after `n` updates or epochs."""
        if n < self.length:
            return self.then(0) * (n + 1) / self.length
        return self.then(n - self.length)


def _check_factor(schedule: Any) -> None:
    name = f"{type(schedule).__name__}.factor"
    if _check.in_range(name, schedule.factor, 0.0, 1.0) == 0.0:
        raise ParameterError(f"{name} must be above 0, got 0")
