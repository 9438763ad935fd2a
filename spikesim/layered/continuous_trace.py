"""What layers in continuous time did: exact spikes, and on a grid when somebody asks."""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np

from spikesim.errors import ParameterError
from spikesim.layered import events
from spikesim.layered.lif import read_only
from spikesim.layered.network import Layer
from spikesim.neurons import LIF

__all__ = ["Chunk", "ContinuousTrace", "Plan", "first_of", "plan"]

_NONE = np.zeros((0, 0))


class Plan(NamedTuple):
    """What the kernels need of a layer.

    Attributes
    ----------
    layer : Layer
        The layer.
    table : ndarray, shape (n_post, 6)
        Constants of the units, columns as named in events.
    weights : ndarray
        Weights, a row for each unit; with recurrent connections a row for each input.
    delays : ndarray
        Of shape (0, 0) for none, (n_pre, 1) or (n_pre, n_post).
    tau_syn : float
        Synaptic time constant.
    """

    layer: Layer
    table: np.ndarray
    weights: np.ndarray
    delays: np.ndarray
    tau_syn: float


def plan(layer: Layer) -> Plan:
    """Derive what the kernels need of a layer.

    Raises
    ------
    ParameterError
        Units with a refractory period, or that start at or above threshold.
    """
    weights = layer.w if layer.w_rec is not None else np.ascontiguousarray(layer.w.T)
    delays = read_only(_delays(layer))
    return Plan(layer, _units(layer), read_only(weights), delays, layer.synapse.tau_syn)


class Chunk(NamedTuple):
    """What one layer did in some of the trials; see the kernels in events for the arrays."""

    first: int
    last: int
    values: np.ndarray
    places: np.ndarray
    offsets: np.ndarray
    order: np.ndarray
    starts: np.ndarray
    peaks: np.ndarray
    peak_places: np.ndarray
    log: np.ndarray
    log_times: np.ndarray
    log_starts: np.ndarray

    @property
    def spikes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, int, int, np.ndarray]:
        """Spikes as the next layer takes them: times, units, starts, first, last, source."""
        order = self.order
        times, units = self.values[order, 0], self.places[order, 0]
        return times, units, self.starts, 0, self.last - self.first, order


class ContinuousTrace:
    """What one layer did in continuous time.

    Attributes
    ----------
    chunks : list of Chunk
        What the kernels left, for some trials each.
    times : ndarray, shape (n_spikes,)
        Exact times of all spikes (ms), by trial and in order within it.
    units : ndarray of int64, shape (n_spikes,)
        The unit of each.
    starts : ndarray of int64, shape (n_trials + 1,)
        Spikes ``starts[b]`` to ``starts[b + 1] - 1`` belong to trial b.
    first_spikes : ndarray, shape (n_trials, n_units)
        Time of the first spike of each unit (ms); inf if it was silent.
    counts : ndarray of int64, shape (n_trials, n_units)
        Spikes of each unit.
    v_max, v_mean : ndarray, shape (n_trials, n_units), or None
        Highest and mean potential (mV), known of layers without recurrent connections.
    output : ndarray, shape (n_steps, n_trials, n_units)
        Number of spikes in each step of `dt` of the network: in ``output[k]`` those later than
        ``k * dt`` and no later than ``(k + 1) * dt``. Made when asked for.
    v : ndarray, shape (n_steps, n_trials, n_units)
        Membrane potential at the ends of the steps (mV). Made when asked for.
    held : ndarray of bool, shape (n_steps, n_trials, n_units)
        All False: there are no refractory periods.
    """

    def __init__(self, layer: Layer, chunks: list[Chunk], before: Any, duration: float, dt: float):
        self._layer = layer
        self.chunks = chunks
        self._before = before
        self.duration = duration
        self.dt = dt
        self.n_trials = chunks[-1].last

    @property
    def n_steps(self) -> int:
        """Steps of `dt` that cover the trial."""
        return max(1, int(np.ceil(self.duration / self.dt - 1e-9)))

    @cached_property
    def times(self) -> np.ndarray:
        """Times of all spikes."""
        return np.concatenate([c.values[c.order, 0] for c in self.chunks])

    @cached_property
    def units(self) -> np.ndarray:
        """Units of all spikes."""
        return np.concatenate([c.places[c.order, 0] for c in self.chunks])

    @cached_property
    def starts(self) -> np.ndarray:
        """Where the spikes of each trial begin."""
        counts = np.concatenate([np.diff(c.starts) for c in self.chunks])
        return np.concatenate([[0], np.cumsum(counts)])

    @cached_property
    def first_spikes(self) -> np.ndarray:
        """Time of the first spike of each unit, inf where there is none."""
        first = np.full((self.n_trials, self._layer.n_post), np.inf)
        for chunk in self.chunks:
            place, spike = first_of(chunk, self._layer.n_post)
            first[chunk.first : chunk.last].reshape(-1)[place] = chunk.values[spike, 0]
        return first

    @cached_property
    def counts(self) -> np.ndarray:
        """Spikes of each unit in each trial."""
        n = self._layer.n_post
        trials = np.repeat(np.arange(self.n_trials), np.diff(self.starts))
        return np.bincount(trials * n + self.units, minlength=self.n_trials * n).reshape(-1, n)

    @property
    def v_max(self) -> np.ndarray | None:
        """Highest potential of each unit."""
        return self._peak(0)

    @property
    def v_mean(self) -> np.ndarray | None:
        """Mean potential of each unit."""
        return self._peak(3)

    def _peak(self, column: int) -> np.ndarray | None:
        if not all(c.peaks.size for c in self.chunks):
            return None
        return np.concatenate([c.peaks[:, :, column] for c in self.chunks])

    @cached_property
    def output(self) -> np.ndarray:
        """Spikes in each step."""
        n_steps, n_units = self.n_steps, self._layer.n_post
        output = np.zeros((n_steps, self.n_trials, n_units))
        steps = np.clip(np.ceil(self.times / self.dt).astype(np.int64) - 1, 0, n_steps - 1)
        trials = np.repeat(np.arange(self.n_trials), np.diff(self.starts))
        np.add.at(output, (steps, trials, self.units), 1.0)
        return output

    @cached_property
    def v(self) -> np.ndarray:
        """Membrane potential at the ends of the steps, summed over all that ever happened."""
        layer = self._layer
        at = np.minimum(self.dt * np.arange(1, self.n_steps + 1), self.duration)
        table = _units(layer)
        v = np.empty((len(at), self.n_trials, layer.n_post))
        for b in range(self.n_trials):
            for j in range(layer.n_post):
                v[:, b, j] = self._potential(table[j], at, b, j)
        return v

    @property
    def held(self) -> np.ndarray:
        """No unit is ever refractory."""
        return np.zeros((self.n_steps, self.n_trials, self._layer.n_post), dtype=np.bool_)

    def _potential(self, unit: np.ndarray, at: np.ndarray, b: int, j: int) -> np.ndarray:
        layer, before = self._layer, self._before
        tau_m, c_m, v_inf, v_th, v_reset, v_init = unit[:6]
        tau_syn = layer.synapse.tau_syn
        v = v_inf + (v_init - v_inf) * np.exp(-at / tau_m)
        mine = slice(self.starts[b], self.starts[b + 1])
        inputs = slice(before.starts[b], before.starts[b + 1])
        lines = before.units[inputs]
        arrivals = [(before.times[inputs] + _delay_of(layer, lines, j), layer.w[lines, j])]
        if layer.w_rec is not None:
            arrivals.append((self.times[mine], layer.w_rec[self.units[mine], j]))
        for times, weights in arrivals:
            for time, weight in zip(times, weights, strict=True):
                later = at[at > time] - time
                if abs(tau_m - tau_syn) > 1e-6 * tau_m:
                    gain = np.exp(-later / tau_m) - np.exp(-later / tau_syn)
                    gain /= 1.0 / tau_syn - 1.0 / tau_m
                else:
                    gain = later * np.exp(-later / tau_m)
                v[at > time] += weight / c_m * gain
        for time in self.times[mine][self.units[mine] == j]:
            later = at[at >= time] - time
            v[at >= time] -= (v_th - v_reset) * np.exp(-later / tau_m)
        return v


def first_of(chunk: Chunk, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return which (trial, unit), counted through, fired, and the number of the first spike."""
    trials = np.repeat(np.arange(chunk.last - chunk.first), np.diff(chunk.starts))
    return np.unique(trials * n + chunk.places[:, 0], return_index=True)


def _units(layer: Layer) -> np.ndarray:
    """Return the table of units that the kernels take."""
    table = _constants(layer.neuron, layer.synapse.tau_syn, layer.n_post).copy()
    table[:, events.V_INF] += table[:, events.TAU_M] / table[:, events.C_M] * layer.bias
    return table


@lru_cache(maxsize=256)
def _constants(neuron: LIF, tau_syn: float, n: int) -> np.ndarray:
    if np.any(np.asarray(neuron.t_ref) > 0.0):
        raise ParameterError(
            "LIF.t_ref must be 0 in continuous time, or in all layers so long that each unit "
            "fires once in a trial; other refractory periods need a grid"
        )
    v_init = neuron.v_rest if neuron.v_init is None else neuron.v_init
    if np.any(np.asarray(v_init) >= np.asarray(neuron.v_th)):
        raise ParameterError("LIF.v_init must be below LIF.v_th in continuous time")
    table = np.empty((n, 7))
    v_inf = np.asarray(neuron.v_rest) + np.asarray(neuron.r_m) * np.asarray(neuron.i_ext)
    for column, value in (
        (events.TAU_M, neuron.tau_m),
        (events.C_M, neuron.c_m),
        (events.V_INF, v_inf),
        (events.V_TH, neuron.v_th),
        (events.V_RESET, neuron.v_reset),
        (events.V_INIT, v_init),
        (events.REACH, _reach(np.asarray(neuron.tau_m), np.asarray(neuron.c_m), tau_syn)),
    ):
        table[:, column] = value
    table.flags.writeable = False
    return table


def _reach(tau_m: np.ndarray, c_m: np.ndarray, tau_syn: float) -> np.ndarray:
    """Return the peak of the potential that a current of 1 leaves behind, rounded up."""
    ratio = tau_m / tau_syn
    with np.errstate(divide="ignore", invalid="ignore"):
        power = np.where(ratio == 1.0, -1.0, np.log(ratio) / (1.0 - ratio))
    # It is r_m i at the maximum, after tau_syn * (-power * ratio).
    return tau_m / c_m * np.exp(power * ratio) * (1.0 + 1e-9)


def _delays(layer: Layer) -> np.ndarray:
    if layer.delay is None:
        return _NONE
    if layer.delay.ndim == 2:
        return layer.delay
    return np.ascontiguousarray(np.broadcast_to(layer.delay, (layer.n_pre,))[:, None])


def _delay_of(layer: Layer, lines: np.ndarray, unit: int) -> Any:
    delays = _delays(layer)
    return delays[lines, unit if delays.shape[1] > 1 else 0] if delays.size else 0.0
