r"""A population of independent Poisson spike trains.

In a step of `dt` each neuron emits :math:`N \sim \mathrm{Poisson}(rate\,dt/1000)` spikes. The
draw depends on the seed, the population, the neuron and the step alone, so it is the same however
a run is cut. More than one spike in a step is possible and each counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from spikesim import _check

__all__ = ["PoissonSource"]


@_check.suggest_keywords
@dataclass(frozen=True, eq=False)
class PoissonSource:
    """Neurons that fire at random, independently, at a given rate.

    Parameters
    ----------
    rate : float or array_like, default 10
        Firing rate (Hz), at least 0: a number, or one value a neuron.

    Raises
    ------
    ParameterError
        A negative, NaN or infinite rate.
    ParameterTypeError
        A rate that is not a number or an array.
    """

    rate: Any = 10.0

    spiking = True
    recordable = ()

    def __post_init__(self) -> None:
        rate = _check.per_neuron("PoissonSource.rate", self.rate, low=0.0)
        object.__setattr__(self, "rate", rate)

    def sizes(self) -> set[int]:
        """Return the lengths of the parameters given one value a neuron."""
        return {len(self.rate)} if isinstance(self.rate, np.ndarray) else set()
