"""Spikes of several neurons in a stretch of time, and the measures of each neuron."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from spikesim import _check
from spikesim._memory import require_memory
from spikesim.errors import ParameterError
from spikesim.recording import analysis

__all__ = ["SpikeTrains"]


class SpikeTrains:
    """What :class:`PopulationRecording` does with the spikes of single neurons.

    Every measure takes `start` and `stop` (ms): it uses the spikes after `start` up to and with
    `stop`, by default all, so that a transient can be left out. What a neuron is too silent for
    is NaN.
    """

    n: int
    spike_times: np.ndarray
    spike_ids: np.ndarray
    start: float
    duration: float
    dt: float | None

    def spike_counts(self, start: float | None = None, stop: float | None = None) -> np.ndarray:
        """Return the number of spikes of each neuron, int64, shape (n,)."""
        _, ids = self._spikes(*self._window("spike_counts", start, stop))
        return np.bincount(ids, minlength=self.n)

    def rates(self, start: float | None = None, stop: float | None = None) -> np.ndarray:
        """Return the mean firing rate of each neuron (Hz), shape (n,); NaN if nothing ran.

        One number for a whole population is :meth:`Recording.rate`.
        """
        start, stop = self._window("rates", start, stop)
        if stop == start:
            return np.full(self.n, np.nan)
        return self.spike_counts(start, stop) / ((stop - start) / 1000.0)

    def isi(
        self,
        neuron: int | None = None,
        *,
        start: float | None = None,
        stop: float | None = None,
    ) -> np.ndarray:
        """Return inter-spike intervals (ms).

        Parameters
        ----------
        neuron : int, optional
            Only those of this neuron, in order of time; by default those of all neurons, neuron
            after neuron.
        start, stop : float, optional
            Only intervals that lie within this part of time (ms).

        Raises
        ------
        ParameterIndexError
            There is no such neuron.
        """
        window = self._window("isi", start, stop)
        if neuron is not None:
            return np.diff(self._train("isi.neuron", neuron, *window))
        return self._intervals(*window)[0].copy()

    def cv(self, start: float | None = None, stop: float | None = None) -> np.ndarray:
        r"""Return the coefficient of variation of the intervals of each neuron, shape (n,).

        .. math:: \mathrm{CV} = \sigma_I / \mu_I

        0 for a regular train, 1 for a Poisson process, :math:`1 / \sqrt{k}` for a gamma process
        of order k. NaN for fewer than two intervals, and too small on average for few, as long
        intervals do not fit into a short recording. The standard deviation is that of the
        intervals as they are (divided by their number).
        """
        return analysis.cv(*self._intervals(*self._window("cv", start, stop)), self.n)

    def lv(self, start: float | None = None, stop: float | None = None) -> np.ndarray:
        r"""Return the local variation of the intervals of each neuron, shape (n,).

        .. math:: \mathrm{LV} = \frac{3}{m - 1} \sum_{i=1}^{m-1}
                  \left( \frac{I_i - I_{i+1}}{I_i + I_{i+1}} \right)^2

        of the m intervals of a neuron: like :meth:`cv` 0 for a regular train and 1 for a Poisson
        process, but blind to a slow change of the rate. NaN for fewer than two intervals.
        Shinomoto, Shima and Tanji (2003), Neural Computation 15, 2823-2842.
        """
        return analysis.lv(*self._intervals(*self._window("lv", start, stop)), self.n)

    def fano_factor(
        self,
        window: float = 100.0,
        *,
        start: float | None = None,
        stop: float | None = None,
    ) -> np.ndarray:
        r"""Return the Fano factor of the spike counts of each neuron.

        .. math:: F = \operatorname{var}(N) / \operatorname{mean}(N)

        of the counts N in consecutive windows. 1 for a Poisson process at any rate, and for
        windows much longer than an interval :math:`\mathrm{CV}^2` for a renewal process. With the
        unbiased variance the expectation for a Poisson process is 1 for any number of windows.

        Parameters
        ----------
        window : float, default 100
            Length of a window (ms), a multiple of the time step; it must fit twice. What is left
            over at the end is not used.
        start, stop : float, optional
            Part of time to use (ms); default all that was recorded.

        Returns
        -------
        ndarray, shape (n,)
            NaN for a neuron without a spike.
        """
        starts = self._bins("fano_factor", window, start, stop, least=2, called="window")
        return analysis.fano_factor(analysis.count_matrix(self.spike_ids, starts, self.n))

    def correlogram(
        self,
        neuron: int,
        other: int | None = None,
        *,
        max_lag: float = 50.0,
        bin_width: float = 1.0,
        start: float | None = None,
        stop: float | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Count pairs of spikes of two neurons, or of one, by the time between them.

        Parameters
        ----------
        neuron : int
            The neuron whose spikes are at lag 0.
        other : int, optional
            The neuron whose spikes are counted around them; default `neuron` itself, without the
            pairs of a spike with itself.
        max_lag : float, default 50
            Largest lag (ms), rounded down to a multiple of `bin_width`.
        bin_width : float, default 1
            Width of the bins (ms), which are centred on its multiples. A pair on the border
            of two bins counts half in each.
        start, stop : float, optional
            Part of time to use (ms); default all that was recorded.

        Returns
        -------
        lags : ndarray, shape (n_lags,)
            Middles of the bins (ms), from minus to plus `max_lag`.
        counts : ndarray, shape (n_lags,)
            Numbers of pairs; independent neurons of rates r and s have
            ``r * s * bin_width * (stop - start)`` at small lags.
        """
        width = self._width("correlogram.bin_width", bin_width)
        reach = _check.non_negative("correlogram.max_lag", max_lag)
        window = self._window("correlogram", start, stop)
        reference = self._train("correlogram.neuron", neuron, *window)
        partner = reference
        if other is not None:
            partner = self._train("correlogram.other", other, *window)
        n_lags = int(reach / width + 1e-9)
        counts = analysis.correlogram(reference, partner, width, n_lags)
        if other is None or other == neuron:
            counts[n_lags] -= len(reference)
        return np.arange(-n_lags, n_lags + 1) * width, counts

    def _population_counts(
        self, name: str, bin_width: float, start: float | None, stop: float | None, least: int = 1
    ) -> np.ndarray:
        """Return the number of spikes of all neurons in each bin."""
        return np.diff(self._bins(name, bin_width, start, stop, least))

    def _counts(
        self,
        name: str,
        bin_width: float,
        neurons: ArrayLike | None,
        start: float | None,
        stop: float | None,
        least: int,
    ) -> Any:
        """Return the sparse counts of neurons in bins."""
        starts = self._bins(name, bin_width, start, stop, least)
        if neurons is None:
            return analysis.count_matrix(self.spike_ids, starts, self.n)
        chosen = _check.indices(f"{name}.neurons", neurons, self.n)
        _check.shape(f"{name}.neurons", chosen, (None,))
        row = np.full(self.n, -1)
        row[chosen] = np.arange(len(chosen))
        if np.count_nonzero(row >= 0) < len(chosen):
            raise ParameterError(f"{name}.neurons must name each neuron once")
        rows = row[self.spike_ids[starts[0] : starts[-1]]]
        kept = np.flatnonzero(rows >= 0)
        return analysis.count_matrix(
            rows[kept], np.searchsorted(kept, starts - starts[0]), len(chosen)
        )

    def _bins(
        self,
        name: str,
        width: float,
        start: float | None,
        stop: float | None,
        least: int,
        called: str = "bin_width",
    ) -> np.ndarray:
        """Return the first spike of each bin, of which there are at least `least`."""
        width = self._width(f"{name}.{called}", width)
        low, high = self._window(name, start, stop)
        fitting = analysis.n_bins(low, high, width)
        if fitting < least:
            raise ParameterError(
                f"{name}.{called} must fit {'once' if least == 1 else 'twice'} into the "
                f"{high - low:g} ms from start to stop, got {width:g}"
            )
        require_memory(f"{name}: {fitting} bins", 32 * fitting, f"use a larger {called}")
        return analysis.bin_starts(self.spike_times, low, high, width)

    def _width(self, name: str, width: float) -> float:
        width = _check.positive(name, width)
        if self.dt is not None:
            _check.n_steps(name, width, self.dt, minimum=1)
        return width

    def _window(self, name: str, start: float | None, stop: float | None) -> tuple[float, float]:
        """Return the part of time to use, all of it by default."""
        first, last = self.start, self.start + self.duration
        low = first if start is None else _check.scalar(f"{name}.start", start)
        high = last if stop is None else _check.scalar(f"{name}.stop", stop)
        slack = analysis.rounding(first, last)
        for which, value in (("start", low), ("stop", high)):
            if not first - slack <= value <= last + slack:
                raise ParameterError(
                    f"{name}.{which} must lie in the time that was recorded, {first:g} to "
                    f"{last:g} ms, got {value:g}"
                )
        if high <= low and not (start is None and stop is None):
            raise ParameterError(f"{name}.stop must be greater than start = {low:g}, got {high:g}")
        return low, high

    def _spikes(self, start: float, stop: float) -> tuple[np.ndarray, np.ndarray]:
        first, last = analysis.within(self.spike_times, start, stop)
        return np.asarray(self.spike_times[first:last]), np.asarray(self.spike_ids[first:last])

    def _train(self, name: str, neuron: int, start: float, stop: float) -> np.ndarray:
        """Return the spike times of one neuron."""
        neuron = _check.integer(name, neuron)
        _check.indices(name, neuron, self.n)
        times, ids = self._spikes(start, stop)
        return times[ids == neuron]

    def _intervals(self, start: float, stop: float) -> tuple[np.ndarray, np.ndarray]:
        """Return all intervals and their neurons; the last ones asked for are kept."""
        window = analysis.within(self.spike_times, start, stop)
        kept = self.__dict__.get("_kept")
        if kept is None or kept[0] != window:
            times, starts = analysis.group_by_neuron(*self._spikes(start, stop), self.n)
            kept = window, analysis.intervals(times, starts)
            for array in kept[1]:
                array.flags.writeable = False
            self.__dict__["_kept"] = kept
        return kept[1]

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "_kept"}
