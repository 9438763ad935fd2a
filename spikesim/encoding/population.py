"""A feature is spread over receptive fields."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from spikesim import _check
from spikesim.encoding.single import SingleSpikeEncoder
from spikesim.encoding.trains import RATE_MODES, trains
from spikesim.errors import ParameterError

__all__ = ["PopulationEncoder"]


@_check.suggest_keywords
@dataclass(frozen=True, eq=False)
class PopulationEncoder(SingleSpikeEncoder):
    r"""A feature is spread over Gaussian receptive fields, each a line of its own.

    With the scaled value f, centres :math:`c_j` spaced evenly from 0 to 1 and a width
    :math:`\sigma` of `width` spacings, line j is activated by
    :math:`a_j = e^{-(f - c_j)^2 / 2\sigma^2}`. It spikes once, ``t_max * (1 - a_j)`` after the
    start, or at a rate of ``a_j * max_rate``; below `cutoff` it is silent. The lines of one
    feature are neighbours: input ``i * n_fields + j``.

    Parameters
    ----------
    n_fields : int, default 8
        Fields a feature, at least 1 (a single one is centred at 0.5 with spacing 1).
    duration : float, default 30
        Length of a trial (ms).
    t_max : float, default 20
        Delay of an activation near 0 (ms), less than `duration`.
    width : float, default 0.75
        Standard deviation of a field in units of the spacing, greater than 0.
    cutoff : float, default 0.1
        Activation below which a line is silent, in [0, 1].
    mode : {"latency", "regular", "poisson"}, default "latency"
        What an activation is turned into.
    max_rate : float, default 200
        Rate of a fully activated line (Hz), for the two rate modes.
    low, high : float or array_like, optional
        Ends of the range of each feature; learnt by :meth:`fit` where None.
    bias_spike : bool, default False
        Append one line that spikes in the first step, whatever the features.
    """

    n_fields: int = 8
    duration: float = 30.0
    t_max: float = 20.0
    width: float = 0.75
    cutoff: float = 0.1
    mode: str = "latency"
    max_rate: float = 200.0
    low: Any = None
    high: Any = None
    bias_spike: bool = False

    def __post_init__(self) -> None:
        _check.integer("PopulationEncoder.n_fields", self.n_fields, minimum=1)
        self._check_times()
        _check.positive("PopulationEncoder.width", self.width)
        _check.in_range("PopulationEncoder.cutoff", self.cutoff, 0.0, 1.0)
        _check.choice("PopulationEncoder.mode", self.mode, ("latency", *RATE_MODES))
        _check.non_negative("PopulationEncoder.max_rate", self.max_rate)
        self._check_range()

    @property
    def stochastic(self) -> bool:
        """Whether two calls of :meth:`encode` differ: True for Poisson trains."""
        return self.mode == "poisson"

    def n_inputs(self, n_features: int) -> int:
        """Return ``n_features * n_fields``, and one more with a bias line."""
        return n_features * self.n_fields + self.bias_spike

    def activations(self, features: Any) -> np.ndarray:
        """Return the activation of each field, shape (n_samples, n_features * n_fields)."""
        return self._activations(self._scale(features))

    def _activations(self, scaled: np.ndarray) -> np.ndarray:
        if self.n_fields == 1:
            centres, spacing = np.array([0.5]), 1.0
        else:
            centres, spacing = np.linspace(0.0, 1.0, self.n_fields), 1.0 / (self.n_fields - 1)
        distance = (scaled[:, :, np.newaxis] - centres) / (self.width * spacing)
        activation = np.exp(-0.5 * distance**2)
        return activation.reshape(len(scaled), scaled.shape[1] * self.n_fields)

    def _times(self, scaled: np.ndarray) -> np.ndarray:
        if self.mode != "latency":
            raise ParameterError(
                "PopulationEncoder.spike_times needs one spike a line, which mode='latency' gives, "
                f"got mode={self.mode!r}"
            )
        activation = self._activations(scaled)
        return np.where(activation >= self.cutoff, self.t_max * (1.0 - activation), np.inf)

    def _spikes(
        self, scaled: np.ndarray, n_steps: int, dt: float, rng: Any
    ) -> Callable[[int, int], np.ndarray]:
        if self.mode == "latency":
            return super()._spikes(scaled, n_steps, dt, rng)
        activation = self._activations(scaled)
        share = np.where(activation >= self.cutoff, activation, 0.0)
        return trains("PopulationEncoder", share, self.max_rate, self.mode, dt, rng)
