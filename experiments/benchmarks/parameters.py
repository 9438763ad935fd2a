"""The numbers of the benchmark networks, for every simulator: ours, NEST, Brian2.

NumPy only, because each simulator may live in a Python of its own. Times are in ms, potentials
in mV, currents in pA, capacitances in pF, conductances in nS, rates in Hz.
"""

from __future__ import annotations

import numpy as np

DT = 0.1


class VogelsAbbott:
    """Self-sustained activity: benchmarks 1 and 2 of Brette et al. 2007.

    Brette et al. 2007, J. Comput. Neurosci. 23, 349-398, appendix B, after Vogels & Abbott 2005,
    J. Neurosci. 25, 10786-10795. All pairs are connected with probability 0.02, a neuron with
    itself included; delays are one step. Nothing enters from outside: the start sets it off.
    """

    n = {"exc": 3200, "inh": 800}
    p = 0.02
    delay = 0.1
    tau_m, c_m, t_ref = 20.0, 200.0, 5.0
    v_th, v_reset = -50.0, -60.0
    tau_syn = {"exc": 5.0, "inh": 10.0}

    # Current-based: 1.62 and -9 mV through a membrane of 0.1 GOhm.
    current_v_rest = -49.0
    current_weight = {"exc": 16.2, "inh": -90.0}
    current_v_init = (-60.0, -50.0)  # uniform between

    # Conductance-based.
    conductance_v_rest = -60.0
    e_rev = {"exc": 0.0, "inh": -80.0}
    conductance_weight = {"exc": 6.0, "inh": 67.0}
    conductance_v_init = (-65.0, 5.0)  # mean, standard deviation
    conductance_init = {"exc": (40.0, 15.0), "inh": (200.0, 120.0)}  # likewise, at least 0

    @classmethod
    def graph(cls, seed: int, scale: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
        """Draw a graph to be shared by several simulators.

        Returns
        -------
        pre, post : ndarray of int64, shape (n_synapses,)
            Excitatory neurons come first, then the inhibitory ones.
        """
        n = sum(scaled(cls.n, scale).values())
        pre, post = np.nonzero(np.random.default_rng(seed).random((n, n)) < cls.p)
        return pre, post

    @classmethod
    def start(cls, conductance: bool, seed: int, scale: float = 1.0) -> dict[str, np.ndarray]:
        """Draw where the neurons start.

        Returns
        -------
        dict of ndarray, shape (n,)
            ``v`` (mV); of conductance-based neurons ``exc`` and ``inh`` (nS), too.
        """
        n = sum(scaled(cls.n, scale).values())
        rng = np.random.default_rng([seed, 1])
        if not conductance:
            return {"v": rng.uniform(*cls.current_v_init, n)}
        start = {"v": rng.normal(*cls.conductance_v_init, n)}
        for name, (mean, sd) in cls.conductance_init.items():
            start[name] = np.maximum(rng.normal(mean, sd, n), 0.0)
        return start


class Brunel:
    """Random network of delta synapses: Brunel 2000, J. Comput. Neurosci. 8, 183-208, model A.

    Each neuron has 1000 excitatory and 250 inhibitory inputs, drawn with replacement.
    `states` holds for each state of figure 8 the strength of inhibition g and the external rate
    as a multiple of what takes the mean potential to threshold.
    """

    n = {"exc": 10_000, "inh": 2_500}
    in_degree = {"exc": 1_000, "inh": 250}
    tau_m, t_ref = 20.0, 2.0
    v_rest, v_th, v_reset = 0.0, 20.0, 10.0
    weight = 0.1
    delay = 1.5
    states = {
        "synchronous regular": (3.0, 2.0),
        "fast oscillation": (6.0, 4.0),
        "asynchronous irregular": (5.0, 2.0),
        "slow oscillation": (4.5, 0.9),
    }

    @classmethod
    def external_rate(cls, ratio: float) -> float:
        """Return the rate of the external spikes of a neuron (Hz) for ratio = nu_ext / nu_thr."""
        return ratio * 1000.0 * (cls.v_th - cls.v_rest) / (cls.weight * cls.tau_m)


class Microcircuit:
    """Four layers under 1 mm2 of cortex: Potjans & Diesmann 2014, Cereb. Cortex 24, 785-806.

    Tables 4 and 5; the start and the reference rates as in the version that is distributed with
    NEST (pynest/examples/Potjans_2014), from which the way to scale down is taken, too:
    van Albada, Helias & Diesmann 2015, PLoS Comput. Biol. 11, e1004490.
    """

    populations = ("L23E", "L23I", "L4E", "L4I", "L5E", "L5I", "L6E", "L6I")
    n = dict(zip(populations, (20683, 5834, 21915, 5479, 4850, 1065, 14395, 2948), strict=True))
    # Row: target; column: source.
    p = np.array(
        [
            [0.1009, 0.1689, 0.0437, 0.0818, 0.0323, 0.0, 0.0076, 0.0],
            [0.1346, 0.1371, 0.0316, 0.0515, 0.0755, 0.0, 0.0042, 0.0],
            [0.0077, 0.0059, 0.0497, 0.1350, 0.0067, 0.0003, 0.0453, 0.0],
            [0.0691, 0.0029, 0.0794, 0.1597, 0.0033, 0.0, 0.1057, 0.0],
            [0.1004, 0.0622, 0.0505, 0.0057, 0.0831, 0.3726, 0.0204, 0.0],
            [0.0548, 0.0269, 0.0257, 0.0022, 0.0600, 0.3158, 0.0086, 0.0],
            [0.0156, 0.0066, 0.0211, 0.0166, 0.0572, 0.0197, 0.0396, 0.2252],
            [0.0364, 0.0010, 0.0034, 0.0005, 0.0277, 0.0080, 0.0658, 0.1443],
        ]
    )
    k_ext = np.array([1600.0, 1500.0, 2100.0, 1900.0, 2000.0, 1900.0, 2900.0, 2100.0])
    rate_ext = 8.0
    tau_m, c_m, t_ref, tau_syn = 10.0, 250.0, 2.0, 0.5
    v_rest, v_th, v_reset = -65.0, -50.0, -65.0
    psp = 0.15
    g = 4.0
    weight_sd = 0.1  # of the mean
    delay = {"E": (1.5, 0.75), "I": (0.75, 0.375)}  # by source: mean, standard deviation
    delay_ext = 1.5
    v_init_mean = (-68.28, -63.16, -63.33, -63.45, -63.11, -61.66, -66.72, -61.43)
    v_init_sd = (5.36, 4.57, 4.74, 4.94, 4.94, 4.55, 5.46, 4.48)
    reference_rates = np.array([0.903, 2.965, 4.414, 5.876, 7.569, 8.633, 1.105, 7.829])

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = scale
        self.sizes = scaled(self.n, scale)

    def n_synapses(self) -> np.ndarray:
        """Return the number of synapses, int64, row: target, column: source.

        At full scale it is the number of draws after which a pair is connected at least once
        with probability p; in-degrees shrink like the populations.
        """
        n = np.array(list(self.n.values()), dtype=np.float64)
        full = np.rint(np.log1p(-self.p) / np.log1p(-1.0 / np.outer(n, n)))
        return np.rint(full * self.scale**2).astype(np.int64)

    def psc(self) -> float:
        """Return the peak current of an excitatory synapse (pA) at full scale.

        It is the one whose potential peaks at `psp`.
        """
        ratio = self.tau_m / self.tau_syn
        gap = 1.0 / self.tau_syn - 1.0 / self.tau_m
        peak = ratio ** (-1.0 / (ratio - 1.0)) - ratio ** (-ratio / (ratio - 1.0))
        return self.psp * self.c_m * gap / peak

    def weights(self) -> np.ndarray:
        """Return mean weights (pA), row: target, column: source: enlarged as inputs get fewer."""
        weights = np.tile([1.0, -self.g] * 4, (8, 1))
        weights[0, 2] = 2.0
        return self.psc() / np.sqrt(self.scale) * weights

    def weight_ext(self) -> float:
        """Return the weight of external spikes (pA)."""
        return float(self.psc() / np.sqrt(self.scale))

    def rates_ext(self) -> np.ndarray:
        """Return the rate of external spikes of each population (Hz, for one neuron)."""
        return self.rate_ext * self.k_ext * self.scale

    def currents(self, poisson: bool = True) -> np.ndarray:
        """Return the constant current into each population (pA).

        What the mean input lacks at a scale below 1, where fewer synapses have larger weights;
        without Poisson input its mean, too.
        """
        n = np.array(list(self.n.values()), dtype=np.float64)
        full = Microcircuit()
        recurrent = (full.weights() * full.n_synapses() / n[:, None]) @ self.reference_rates
        external = full.weight_ext() * self.k_ext * self.rate_ext
        currents = 1e-3 * self.tau_syn * (1.0 - np.sqrt(self.scale)) * (recurrent + external)
        if not poisson:
            currents = currents + 1e-3 * self.tau_syn * self.weight_ext() * self.rates_ext()
        return currents


class OneNeuron:
    """A LIF neuron driven by a current of 500 pA from 100 ms on, for latency."""

    tau_m, c_m, t_ref = 10.0, 250.0, 2.0
    v_rest, v_th, v_reset = -70.0, -55.0, -70.0
    amplitude, start = 500.0, 100.0


def scaled(sizes: dict[str, int], scale: float) -> dict[str, int]:
    """Return the sizes times `scale`, to the nearest neuron, at least one."""
    return {name: max(1, round(n * scale)) for name, n in sizes.items()}


def activity(
    times: np.ndarray, ids: np.ndarray, sizes: dict[str, int], start: float, stop: float
) -> dict[str, dict[str, float]]:
    """Return the mean rate and the mean CV of each population between `start` and `stop`.

    Parameters
    ----------
    times, ids : ndarray, shape (n_spikes,)
        Spikes in ms; neurons are numbered over all populations, one after another.
    sizes : dict of int
        Neurons of each population, by name.
    start, stop : float
        The window (start, stop] (ms).

    Returns
    -------
    dict of dict
        For each population ``rate`` (Hz) and ``cv``: standard deviation over mean of the
        intervals of a neuron, averaged over neurons with at least ten; NaN if there are none.
    """
    inside = (times > start) & (times <= stop)
    times, ids = times[inside], ids[inside]
    order = np.lexsort((times, ids))
    times, ids = times[order], ids[order]
    same = np.diff(ids) == 0
    intervals, owners = np.diff(times)[same], ids[1:][same]
    n = sum(sizes.values())
    count = np.bincount(owners, minlength=n)
    divisor = np.maximum(count, 1)
    mean = np.bincount(owners, intervals, n) / divisor
    variance = np.bincount(owners, (intervals - mean[owners]) ** 2, n) / divisor
    bounds = np.concatenate(([0], np.cumsum(list(sizes.values()))))
    spikes = np.diff(np.searchsorted(ids, bounds))
    found = {}
    for index, (name, size) in enumerate(sizes.items()):
        mine = np.arange(bounds[index], bounds[index + 1])
        mine = mine[count[mine] >= 10]
        cv = np.sqrt(variance[mine]) / mean[mine]
        found[name] = {
            "rate": float(spikes[index]) / size / (stop - start) * 1000.0,
            "cv": float(cv.mean()) if len(mine) else float("nan"),
        }
    return found
