"""What was recorded of one population, and the measures of its activity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from spikesim import _check
from spikesim._memory import require_memory
from spikesim.errors import ParameterError
from spikesim.recording import analysis
from spikesim.recording.trains import SpikeTrains

__all__ = ["PopulationRecording"]


@dataclass(frozen=True, eq=False)
class PopulationRecording(SpikeTrains):
    """What was recorded of one population.

    Every measure takes `start` and `stop` (ms): it uses the spikes after `start` up to and with
    `stop`, by default all, so that a transient can be left out. What a neuron is too silent for
    is NaN.

    Attributes
    ----------
    name : str
        Name of the population.
    n : int
        Number of neurons.
    spike_times : ndarray of float64, shape (n_spikes,)
        Spike times (ms), ascending; spikes of one time are ordered by neuron.
    spike_ids : ndarray of int64, shape (n_spikes,)
        The neuron of each spike.
    traces : dict of ndarray, shape (n_samples, n_recorded)
        Recorded variables by name: ``"v"`` (mV), ``"i_syn"`` (pA, sum over synapses), ``"g_syn"``
        (nS, sum over conductances, excitatory and inhibitory alike), ``"rate"`` (Hz, of rate
        neurons), ``"a"`` (mV, of adaptive ones), each as it is after the whole step. All but the
        rate are attributes, too.
    trace_times : ndarray, shape (n_samples,)
        Times of the samples (ms).
    trace_neurons : ndarray of int64, shape (n_recorded,)
        Which neuron each column of a trace belongs to.
    v_th : ndarray, shape (n,), or None
        Thresholds (mV); None for sources of spikes.
    start, duration : float
        The time that was recorded: (start, start + duration] (ms).
    dt : float or None, default None
        Time step (ms), of which widths of bins are multiples; None if spikes lie on no grid.
    """

    name: str
    n: int
    spike_times: np.ndarray
    spike_ids: np.ndarray
    traces: Mapping[str, np.ndarray]
    trace_times: np.ndarray
    trace_neurons: np.ndarray
    v_th: np.ndarray | None
    start: float
    duration: float
    dt: float | None = None

    @classmethod
    def from_spikes(
        cls,
        spike_times: ArrayLike,
        spike_ids: ArrayLike,
        n: int,
        *,
        start: float = 0.0,
        stop: float,
        dt: float | None = None,
        name: str = "spikes",
    ) -> PopulationRecording:
        """Make a recording of spikes from elsewhere.

        Parameters
        ----------
        spike_times : array_like, shape (n_spikes,)
            Spike times (ms) in any order, after `start`, up to and with `stop`.
        spike_ids : array_like of int, shape (n_spikes,)
            The neuron of each spike, from 0 to ``n - 1``.
        n : int
            Number of neurons, at least 1, silent ones included.
        start, stop : float
            The time that was recorded (ms).
        dt : float, optional
            Time step (ms) of the simulation that they come from.
        name : str, default "spikes"
            Name of the population.

        Returns
        -------
        PopulationRecording

        Raises
        ------
        ParameterError, ParameterTypeError, ParameterIndexError
            Arrays of different lengths, a spike outside of the time or of the population.
        """
        where = "PopulationRecording.from_spikes"
        n = _check.integer(f"{where}.n", n, minimum=1)
        times = _check.float_array(f"{where}.spike_times", spike_times)
        _check.shape(f"{where}.spike_times", times, (None,))
        ids = _check.indices(f"{where}.spike_ids", spike_ids, n)
        _check.shape(f"{where}.spike_ids", ids, times.shape)
        start, stop = _check.scalar(f"{where}.start", start), _check.scalar(f"{where}.stop", stop)
        if stop <= start:
            raise ParameterError(f"{where}.stop must be greater than {start:g}, got {stop:g}")
        slack = analysis.rounding(start, stop)
        outside = np.flatnonzero((times <= start + slack) | (times > stop + slack))
        if outside.size:
            raise ParameterError(
                f"{where}.spike_times[{outside[0]}] is {times[outside[0]]:g}; times after "
                f"start = {start:g} and up to stop = {stop:g} are allowed"
            )
        order = np.lexsort((ids, times))
        nothing = np.zeros(0)
        return cls(
            name=name,
            n=n,
            spike_times=times[order],
            spike_ids=ids[order],
            traces={},
            trace_times=nothing,
            trace_neurons=nothing.astype(np.int64),
            v_th=None,
            start=start,
            duration=stop - start,
            dt=None if dt is None else _check.positive(f"{where}.dt", dt),
        )

    @property
    def v(self) -> np.ndarray:
        """Membrane potential (mV), shape (n_samples, n_recorded).

        Raises
        ------
        ParameterError
            It was not recorded.
        """
        return self._trace("v")

    @property
    def i_syn(self) -> np.ndarray:
        """Synaptic current (pA), summed over synapses, shape (n_samples, n_recorded).

        Raises
        ------
        ParameterError
            It was not recorded.
        """
        return self._trace("i_syn")

    @property
    def g_syn(self) -> np.ndarray:
        """Synaptic conductance (nS), shape (n_samples, n_recorded).

        It is the sum over all conductances of a neuron, whatever their reversal potentials.

        Raises
        ------
        ParameterError
            It was not recorded.
        """
        return self._trace("g_syn")

    @property
    def a(self) -> np.ndarray:
        """How far thresholds of adaptive neurons lie above `v_th` (mV), as :attr:`v` is.

        Raises
        ------
        ParameterError
            It was not recorded.
        """
        return self._trace("a")

    def binned_counts(
        self,
        bin_width: float,
        neurons: ArrayLike | None = None,
        *,
        start: float | None = None,
        stop: float | None = None,
        sparse: bool = False,
    ) -> Any:
        """Return the number of spikes of each neuron in consecutive bins.

        Parameters
        ----------
        bin_width : float
            Width of the bins (ms), a multiple of the time step. A bin holds the spikes after its
            left end up to and with its right end. What is left over at the end is not used.
        neurons : int or array_like of int, optional
            Rows of the result, each neuron once; default all.
        start, stop : float, optional
            Part of time to use (ms); default all that was recorded.
        sparse : bool, default False
            Return a sparse matrix: about 12 bytes for each bin with a spike.

        Returns
        -------
        ndarray of int64 or scipy.sparse.csr_array, shape (n_neurons, n_bins)

        Raises
        ------
        NotEnoughMemoryError
            The dense array does not fit.
        """
        sparse = _check.boolean("binned_counts.sparse", sparse)
        counts = self._counts("binned_counts", bin_width, neurons, start, stop, least=1)
        if sparse:
            return counts
        rows, columns = counts.shape
        require_memory(
            f"binned_counts: an array of {rows} neurons and {columns} bins",
            8 * rows * columns,
            "pass sparse=True, wider bins or fewer neurons",
        )
        return counts.toarray()

    def correlations(
        self,
        bin_width: float = 2.0,
        *,
        n_neurons: int | None = 200,
        neurons: ArrayLike | None = None,
        start: float | None = None,
        stop: float | None = None,
        seed: Any = 0,
    ) -> np.ndarray:
        r"""Return the correlations between the spike counts of pairs of neurons.

        .. math:: \rho_{ij} = \frac{\operatorname{cov}(N_i, N_j)}
                             {\sqrt{\operatorname{var} N_i \operatorname{var} N_j}}

        of the counts in consecutive bins. Independent neurons have 0. The defaults, 200 neurons
        drawn at random and bins of 2 ms, are those by which simulations of the cortical
        microcircuit are compared (van Albada et al. 2018, Frontiers in Neuroscience 12, 291;
        Golosio et al. 2021, Frontiers in Computational Neuroscience 15, 627620).

        Parameters
        ----------
        bin_width : float, default 2
            Width of the bins (ms), a multiple of the time step.
        n_neurons : int or None, default 200
            How many neurons to draw, at least 2; all of a population that has fewer, or for None.
        neurons : array_like of int, optional
            Neurons to use instead of drawn ones, each once.
        start, stop : float, optional
            Part of time to use (ms); default all that was recorded.
        seed : int, SeedSequence or Generator, default 0
            Source of the draw; as it stands, the same neurons at every call.

        Returns
        -------
        ndarray, shape (k * (k - 1) / 2,)
            The pairs (0, 1), (0, 2), ..., (k - 2, k - 1) of the neurons, which are drawn in
            ascending order: ``np.triu_indices(k, 1)`` of their matrix. NaN where a count never
            changes, as for a neuron without a spike.

        Raises
        ------
        NotEnoughMemoryError
            The matrix of all pairs does not fit.
        """
        if neurons is None:
            wanted = self.n
            if n_neurons is not None:
                wanted = _check.integer("correlations.n_neurons", n_neurons, minimum=2)
            if wanted < self.n:
                rng = _check.generator("correlations.seed", seed)
                neurons = np.sort(rng.choice(self.n, wanted, replace=False))
        k = self.n if neurons is None else np.size(neurons)
        require_memory(f"correlations of {k} neurons", 48 * k * k, "use fewer neurons")
        counts = self._counts("correlations", bin_width, neurons, start, stop, least=2)
        return analysis.correlation_matrix(counts)[np.triu_indices(counts.shape[0], 1)]

    def population_rate(
        self,
        bin_width: float = 1.0,
        *,
        start: float | None = None,
        stop: float | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the rate of the population over time, a mean over its neurons.

        Parameters
        ----------
        bin_width : float, default 1
            Width of the bins (ms), a multiple of the time step. What is left over at the end is
            not used.
        start, stop : float, optional
            Part of time to use (ms); default all that was recorded.

        Returns
        -------
        times : ndarray, shape (n_bins,)
            The middle of each bin (ms).
        rates : ndarray, shape (n_bins,)
            Spikes in the bin over its width and the number of neurons (Hz).
        """
        counts = self._population_counts("population_rate", bin_width, start, stop)
        first, _ = self._window("population_rate", start, stop)
        middles = first + (np.arange(len(counts)) + 0.5) * bin_width
        return middles, counts * (1000.0 / (bin_width * self.n))

    def synchrony(
        self,
        bin_width: float = 3.0,
        *,
        start: float | None = None,
        stop: float | None = None,
    ) -> float:
        r"""Return the variance over the mean of the spike count of the whole population.

        .. math:: S = \operatorname{var}(N) / \operatorname{mean}(N)

        of the counts N of all spikes in consecutive bins: 1 for independent Poisson processes,
        :math:`1 + (n - 1) \rho` for n that are correlated by :math:`\rho`. Measure and bins of
        3 ms are those of Potjans and Diesmann (2014), Cerebral Cortex 24, 785-806, figure 6.
        As it grows with the number of neurons, compare populations of one size.

        Parameters
        ----------
        bin_width : float, default 3
            Width of the bins (ms), a multiple of the time step; at least two must fit.
        start, stop : float, optional
            Part of time to use (ms); default all that was recorded.

        Returns
        -------
        float
            With the unbiased variance. NaN without a spike.
        """
        counts = self._population_counts("synchrony", bin_width, start, stop, least=2)
        return float(np.var(counts, ddof=1) / np.mean(counts)) if counts.any() else float("nan")

    def golomb_synchrony(
        self,
        bin_width: float = 2.0,
        *,
        variable: str | None = None,
        start: float | None = None,
        stop: float | None = None,
    ) -> float:
        r"""Return the share of the fluctuations of the neurons that they have in common.

        .. math:: \chi^2 = \frac{\operatorname{var}_t(\langle x_i \rangle)}
                           {\langle \operatorname{var}_t(x_i) \rangle}

        of spike counts or of a recorded variable :math:`x_i(t)`, with means :math:`\langle
        \rangle` over neurons: 1 if all are the same, 1/n if they are independent and vary alike.
        Golomb and Rinzel (1993), Physical Review E 48, 4810-4814; Golomb (2007), Scholarpedia
        2(1), 1347.

        Parameters
        ----------
        bin_width : float, default 2
            Width of the bins of the counts (ms), a multiple of the time step; at least two must
            fit. Not used with `variable`.
        variable : str, optional
            Use this recorded variable instead of counts, of the neurons it was recorded of.
        start, stop : float, optional
            Part of time to use (ms); default all that was recorded.

        Returns
        -------
        float
            NaN if nothing changes.

        Raises
        ------
        ParameterError
            The variable was not recorded, or only one sample lies in the time.
        """
        if variable is None:
            counts = self._counts("golomb_synchrony", bin_width, None, start, stop, least=2)
            return analysis.golomb_synchrony(counts)
        values = self._trace(variable)
        first, last = analysis.within(
            self.trace_times, *self._window("golomb_synchrony", start, stop)
        )
        if last - first < 2:
            raise ParameterError(
                f"golomb_synchrony needs at least two samples of {variable!r} between start and "
                f"stop, got {last - first}"
            )
        return analysis.trace_synchrony(values[first:last])

    def power_spectrum(
        self,
        bin_width: float = 1.0,
        *,
        segment: float = 1000.0,
        start: float | None = None,
        stop: float | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        r"""Return the power spectrum of the summed spike train, divided by the number of neurons.

        .. math:: S(f) = \frac{1}{n} \lim_{T \to \infty} \frac{1}{T}
                  \left| \int_0^T \sum_i s_i(t) e^{-2 \pi i f t} dt \right|^2,
                  \qquad s_i(t) = \sum_k \delta(t - t_i^k)

        Two-sided, in Hz: independent Poisson processes have their mean rate at every frequency;
        a common modulation of the rates adds to it n times as strongly. The mean is taken out.
        Estimated by the method of Welch (1967): Hann windows that overlap by half.

        Parameters
        ----------
        bin_width : float, default 1
            Width of the bins (ms), a multiple of the time step; the highest frequency is
            ``500 / bin_width`` Hz, and near it bins blur what is not white.
        segment : float, default 1000
            Length of a segment (ms), which gives steps of ``1000 / segment`` Hz; shorter if less
            was recorded. More segments, less noise: its standard deviation relative to S is about
            the root of ``segment / (stop - start)``.
        start, stop : float, optional
            Part of time to use (ms); default all that was recorded.

        Returns
        -------
        frequencies : ndarray, shape (n_frequencies,)
            From 0 to the highest (Hz).
        density : ndarray, shape (n_frequencies,)
            S (Hz).
        """
        counts = self._population_counts("power_spectrum", bin_width, start, stop, least=2)
        segment = _check.positive("power_spectrum.segment", segment)
        if segment < 2.0 * bin_width:
            raise ParameterError(
                f"power_spectrum.segment must hold at least two bins of {bin_width:g} ms, got "
                f"{segment:g} ms"
            )
        n_bins = min(round(segment / bin_width), len(counts))
        return analysis.power_spectrum(counts, self.n, bin_width, n_bins)

    def _trace(self, variable: str) -> np.ndarray:
        if variable not in self.traces:
            raise ParameterError(
                f"{variable} of population {self.name!r} was not recorded; pass "
                f"record={variable!r} to simulate"
            )
        return self.traces[variable]
