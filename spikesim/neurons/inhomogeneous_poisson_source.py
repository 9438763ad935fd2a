r"""A population of independent Poisson spike trains whose rates change over time.

In step k each neuron emits :math:`N \sim \mathrm{Poisson}(rate_j\,dt/1000)` spikes with
:math:`j = \lfloor (k - 1)\,dt / interval \rfloor`: a sample of the rate is held for `interval`,
which is a whole number of steps. After the last sample the rate is zero. Otherwise as
:mod:`spikesim.neurons.poisson_source`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from spikesim import _check
from spikesim.errors import ParameterError

__all__ = ["InhomogeneousPoissonSource"]


@_check.suggest_keywords
@dataclass(frozen=True, eq=False)
class InhomogeneousPoissonSource:
    """Neurons that fire at random, independently, at rates given over time.

    Parameters
    ----------
    rates : array_like, shape (n_samples,) or (n_samples, n)
        Firing rates (Hz), at least 0: one for all neurons or one for each. Zero after the last.
    interval : float
        How long a sample lasts (ms), a multiple of `dt`.

    Raises
    ------
    ParameterError
        No samples, another shape, negative, NaN or infinite rates, an interval that is not greater
        than 0; when a simulation starts, an interval that is not a multiple of its `dt`.
    ParameterTypeError
        Rates that are not numbers.
    """

    rates: Any
    interval: float

    spiking = True
    recordable = ()

    def __post_init__(self) -> None:
        label = "InhomogeneousPoissonSource.rates"
        rates = _check.float_array(label, self.rates, copy=True)
        if rates.ndim not in (1, 2):
            raise ParameterError(
                f"{label} must have shape (n_samples,) or (n_samples, n), got {rates.shape}"
            )
        if not rates.size:
            raise ParameterError(f"{label} must hold at least one sample, got shape {rates.shape}")
        bad = rates < 0.0
        if np.any(bad):
            raise ParameterError(
                f"{label}{_check._first(bad)} must be at least 0, got {rates[bad][0]:g}"
            )
        rates.flags.writeable = False
        object.__setattr__(self, "rates", rates)
        interval = _check.positive("InhomogeneousPoissonSource.interval", self.interval)
        object.__setattr__(self, "interval", interval)

    def sizes(self) -> set[int]:
        """Return the lengths of the parameters given one value a neuron."""
        return {self.rates.shape[1]} if self.rates.ndim == 2 else set()
