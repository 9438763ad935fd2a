"""Codes of one spike a line, with the exact times beside the spikes on a grid."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np

from spikesim import _check
from spikesim.encoding.scaled import ScaledEncoder
from spikesim.errors import ParameterError

__all__ = ["SingleSpikeEncoder"]


class SingleSpikeEncoder(ScaledEncoder):
    """What codes share in which a line spikes once, or not at all."""

    t_max: float

    def _check_times(self) -> None:
        name = type(self).__name__
        _check.positive(f"{name}.duration", self.duration)
        _check.non_negative(f"{name}.t_max", self.t_max)
        if self.t_max >= self.duration:
            raise ParameterError(
                f"{name}.t_max must be less than {name}.duration = {self.duration:g} ms, "
                f"got {self.t_max:g} ms"
            )

    def spike_times(self, features: Any) -> np.ndarray:
        """Return when each line spikes, exactly, for networks in continuous time.

        Time 0 is the start of the trial; a bias line spikes then. :meth:`encode` rounds a time t
        to the grid, to ``x[k]`` with k the whole number nearest to ``t / dt`` (an even one if two
        are equally near). A network on the grid stamps ``x[k]`` with step k + 1, so that its
        clock is one step ahead of these times; the step that its spikes take to the first layer
        comes on top.

        Parameters
        ----------
        features : array_like, shape (n_samples, n_features)
            Data in the units of `low` and `high`.

        Returns
        -------
        ndarray of float64, shape (n_samples, n_inputs)
            Times (ms), ``inf`` where a line is silent.

        Raises
        ------
        ParameterError
            Features that are not finite numbers in two dimensions, an unknown range, another
            number of features than the range has; a code with more than one spike a line.
        """
        times = self._times(self._scale(features))
        if not self.bias_spike:
            return times
        return np.concatenate([times, np.zeros((len(times), 1))], axis=1)

    @abstractmethod
    def _times(self, scaled: np.ndarray) -> np.ndarray:
        """Return the time of the spike of each line, shape (n_samples, n_lines)."""

    def _spikes(
        self, scaled: np.ndarray, n_steps: int, dt: float, rng: Any
    ) -> Callable[[int, int], np.ndarray]:
        if np.rint(self.t_max / dt) >= n_steps:
            raise ParameterError(
                f"{type(self).__name__}.t_max must end before the last step of the trial, at most "
                f"{(n_steps - 1) * dt:g} ms at dt = {dt:g} ms, got {self.t_max:g} ms"
            )
        times = self._times(scaled)
        # That of a silent line is never reached.
        steps = np.where(np.isfinite(times), np.rint(times / dt), n_steps)

        def spikes_of(first: int, last: int) -> np.ndarray:
            spikes = np.zeros((last - first, *times.shape))
            sample, line = np.nonzero((steps >= first) & (steps < last))
            spikes[steps[sample, line].astype(np.int64) - first, sample, line] = 1.0
            return spikes

        return spikes_of
