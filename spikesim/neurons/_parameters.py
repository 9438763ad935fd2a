"""What models share in keeping their parameters: each a number, an array or a distribution."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from spikesim import _check
from spikesim.distributions import Distribution, drawn

__all__ = ["drawn_parameters", "keep", "random_parameters", "sizes"]


def keep(
    model: Any, name: str, *, low: float | None = None, strict: bool = False, finite: bool = True
) -> None:
    """Check the parameter `name` and keep it as a float or a read-only array of our own.

    Parameters
    ----------
    model : dataclass
        Whose parameter it is.
    name : str
        The parameter.
    low : float, optional
        Least value allowed.
    strict : bool, default False
        Whether `low` itself is refused.
    finite : bool, default True
        Whether infinities are refused.
    """
    value = getattr(model, name)
    if not isinstance(value, Distribution):
        label = f"{type(model).__name__}.{name}"
        stored = _check.per_neuron(label, value, low=low, strict=strict, finite=finite)
        object.__setattr__(model, name, stored)


def sizes(model: Any, names: Iterable[str]) -> set[int]:
    """Return the lengths of those of the parameters that have one value a neuron."""
    values = (getattr(model, name) for name in names)
    return {len(v) for v in values if isinstance(v, np.ndarray) and v.ndim == 1}


def random_parameters(model: Any, names: Iterable[str]) -> list[str]:
    """Return those of the parameters that are distributions, yet to be drawn."""
    return [name for name in names if isinstance(getattr(model, name), Distribution)]


def drawn_parameters(
    model: Any, names: Iterable[str], n: int, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Return each parameter as an array of `n` values, drawn where random, in the order of `names`.

    A parameter that is None takes the values of `v_rest`, which comes before it.

    Raises
    ------
    ParameterError
        A parameter of another length than `n`, or drawn values that are not finite.
    """
    values: dict[str, np.ndarray] = {}
    for name in names:
        value = getattr(model, name)
        label = f"{type(model).__name__}.{name}"
        if value is None:
            value = values["v_rest"]
        elif isinstance(value, Distribution):
            value = drawn(label, value, rng, n)
        elif np.ndim(value) == 1:
            _check.shape(label, value, (n,))
        values[name] = np.array(np.broadcast_to(value, (n,)))
    return values
