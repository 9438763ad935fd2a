"""What a network is made of, laid out population by population in the tables of a plan.

Parameters are drawn and constants derived. Equal synapse models on one population are a port.
"""

from __future__ import annotations

from dataclasses import fields
from itertools import count
from typing import Any

import numpy as np

from spikesim import _check
from spikesim.engine import plan as p
from spikesim.engine.built import BuiltPopulation
from spikesim.engine.laws import LARGEST_COMPACT, weight_too_large
from spikesim.engine.poisson import (
    NOISE_CURRENT,
    POISSON_INPUT,
    POISSON_SOURCE,
    Draws,
    stream_of,
)
from spikesim.engine.rng import key_from_seed
from spikesim.errors import ParameterError
from spikesim.network.inputs import NoiseCurrent, PoissonInput, SpikeInput
from spikesim.network.network import Network
from spikesim.network.population import Population
from spikesim.neurons import (
    AdaptiveLIF,
    SigmoidRate,
    SpikeSource,
)
from spikesim.neurons.lif import Membrane, refractory_period
from spikesim.synapses import Delta

__all__ = ["Tables"]

_MOST_REF_STEPS = 2**31 - 1


class Tables:
    """The rows of a plan, gathered population by population."""

    def __init__(self, network: Network, dt: float, seed: int, real: type):
        self.network, self.dt, self.seed, self.real = network, dt, seed, real
        self.ports: list[tuple[int, Any]] = []
        self.port_numbers: dict[tuple[str, Any], int] = {}
        self.built: list[BuiltPopulation] = []
        self.n_state = self.n_rates = self.first = 0
        self._populations: list[list[int]] = []
        self._ports: list[list[int]] = []
        self._draws = Draws(dt)
        self._constants: list[np.ndarray] = []
        self._n_constants = 0
        self._ref_steps: list[np.ndarray] = []
        self._events: list[np.ndarray] = []
        self._inputs: list[tuple[int, int, np.ndarray, np.ndarray, np.ndarray]] = []

    def add(self, index: int, population: Population) -> None:
        """Lay out one population with all that enters it."""
        if isinstance(population.model, (Membrane, SigmoidRate)):
            self._integrating(index, population)
        else:
            self._source(index, population)
        self.first += population.n

    def plan(
        self, bounds: np.ndarray, row_starts: np.ndarray, n_rows: int, scales: np.ndarray
    ) -> p.Plan:
        """Return all that was gathered as arrays."""
        table, table_rows = self._draws.table()
        events = self._events
        inputs, weights, input_starts = self._listed_inputs(bounds, row_starts, scales)
        constants = _joined(self._constants, np.float64)
        for row, scale in zip(self._ports, scales, strict=True):
            self._rescale(constants, row, float(scale))
        self._refuse_too_large(constants, weights)
        kinds = [row[p.PORT_KIND] for row in self._ports]
        return p.Plan(
            populations=_table(self._populations, p.N_POPULATION_COLUMNS),
            ports=_table(self._ports, p.N_PORT_COLUMNS),
            draws=_table(self._draws.rows, p.N_DRAW_COLUMNS),
            bounds=bounds.astype(np.uint64, order="C"),
            row_starts=row_starts.astype(np.uint64, order="C"),
            constants=constants.astype(self.real, copy=False),
            ref_steps=_joined(self._ref_steps, np.int32),
            table=table,
            table_rows=table_rows,
            events=np.concatenate(events, dtype=np.uint64, casting="unsafe"),
            event_starts=np.cumsum([0, *map(len, events)]).astype(np.uint64),
            inputs=inputs.astype(np.uint64),
            input_weights=weights.astype(self.real),
            input_starts=input_starts.astype(np.uint64),
            key=np.array(key_from_seed(self.seed), dtype=np.int64),
            dt=np.array([self.dt], dtype=self.real),
            spikes_per_hz=np.array([self.dt / 1000.0]),
            n_rows=np.array([n_rows], dtype=np.uint64),
            phases=np.array([p.DELTA in kinds, any(kind != p.DELTA for kind in kinds)]),
        )

    def _refuse_too_large(self, *values: np.ndarray) -> None:
        """Refuse finite numbers that would become infinite in compact precision."""
        if self.real is np.float64:
            return
        for some in values:
            if np.any(np.isfinite(some) & (np.abs(some) > LARGEST_COMPACT)):
                raise ParameterError(
                    "simulate.precision: a parameter of a neuron or an input, or what a step makes "
                    f"of it, is beyond {LARGEST_COMPACT:.2g}, the largest number in compact "
                    "precision; use 'double'"
                )

    def _check_weight(self, label: str, weight: Any) -> None:
        """Refuse weights of inputs that compact precision cannot hold, by name."""
        too_large = np.abs(np.asarray(weight)) > LARGEST_COMPACT
        if self.real is np.float32 and np.any(too_large):
            raise weight_too_large(label + _check._first(too_large), np.max(np.abs(weight)))

    def _rescale(self, constants: np.ndarray, row: list[int], scale: float) -> None:
        """Take the constants of a port to rows in units of `scale`."""
        for draw in self._draws.rows[row[p.PORT_DRAW] : row[p.PORT_DRAW] + row[p.N_PORT_DRAWS]]:
            constants[draw[p.WEIGHT]] /= scale
        if row[p.PORT_KIND] == p.DELTA:
            constants[row[p.PORT_CONSTANTS] + int(p.UNIT_I)] = scale
            return
        c, width = row[p.PORT_CONSTANTS], self._populations[row[p.PORT_OWNER]][p.WIDTH]
        second = row[p.PORT_KIND] == p.SECOND_ORDER
        of_rows = (p.P_IX, p.N_1X, p.N_2X) if second else (p.N_1I, p.N_2I, p.UNIT_I)
        first = c + int(p.P_VI) + (width if second else 0)
        constants[[c + int(column) for column in of_rows]] *= scale
        constants[first : first + width] *= scale

    def room(self, stretch: int) -> int:
        """Return how many spikes sources may add to the log of a block in a stretch."""
        events = max((_most_within(e[:, 0], stretch) for e in self._events if len(e)), default=0)
        return events * len(self._events) + self._draws.room(stretch)

    def _integrating(self, index: int, population: Population) -> None:
        name, n, model, dt = population.name, population.n, population.model, self.dt
        random = bool(model.random())
        rng: Any = _generator(self.seed, index) if random else None
        if random:
            with _check.located("a value drawn from its distribution"):
                model = model.drawn(n, rng)
        else:
            model = model.drawn(n, rng)
        parameters = {f.name: getattr(model, f.name) for f in fields(model)}
        constants = model.constants(dt)
        ref_steps: np.ndarray = np.zeros(n, dtype=np.int64)
        if isinstance(model, Membrane):
            whose = f"population {name!r} (recording.parameters holds the values used)"
            ref_steps = constants.ref_steps
            asked = refractory_period(model, ref_steps, dt, whose)
            too_long = ref_steps > _MOST_REF_STEPS
            parameters["t_ref"] = np.where(too_long, _MOST_REF_STEPS * dt, asked)
        blocks: list[Any] = [0.0] * p.N_CONSTANTS
        blocks[p.DECAY_M], blocks[p.LEAK_GAIN] = constants.decay_m, constants.leak_gain
        blocks[p.V_REST], blocks[p.I_EXT] = model.v_rest, model.i_ext
        blocks[p.RATE_M], blocks[p.PER_C_M] = 1.0 / model.tau_m, 1.0 / model.c_m
        blocks[p.V_TH] = np.inf
        if isinstance(model, Membrane):
            blocks[p.V_TH], blocks[p.V_RESET] = model.v_th, model.v_reset
        else:
            blocks[p.V_HALF], blocks[p.V_SCALE] = model.v_half, model.v_scale
            blocks[p.MAX_RATE] = model.max_rate
        adapts = isinstance(model, AdaptiveLIF)
        if adapts:
            blocks[p.DECAY_A], blocks[p.DELTA_A] = model.adaptation(dt)
        own = _ports_of(self.network, name)
        filters = [synapse for synapse in own if not isinstance(synapse, Delta)]
        conductances = any(synapse.conductance for synapse in own)
        pushes: list[tuple[Any, Any]] = []
        for synapse in filters:
            if conductances:
                pushes.append((0.0, 0.0))
            else:
                made = synapse.propagators(model.tau_m, model.c_m, dt)
                pushes.append((made.p_vi, made.p_vx))
        own_values = (*blocks, ref_steps, *(v for b in pushes for v in b))
        each = n > 1 and not all(_alike(v) for v in own_values)
        width = n if each else min(n, int(p.TILE))
        state, first_port = self.n_state, len(self._ports)
        row = [0] * p.N_POPULATION_COLUMNS
        spiking = p.ADAPTIVE_LIF if adapts else p.LIF_NEURONS
        row[p.KIND] = spiking if isinstance(model, Membrane) else p.SIGMOID_RATE
        row[p.CONDUCTANCES] = int(conductances)
        row[p.FIRST], row[p.SIZE], row[p.STATE] = self.first, n, state
        row[p.EACH], row[p.WIDTH] = int(each), width
        row[p.CONSTANTS] = self._put(np.concatenate([_spread(v, width) for v in blocks]))
        row[p.REF] = sum(map(len, self._ref_steps))
        self._ref_steps.append(_spread(np.minimum(ref_steps, _MOST_REF_STEPS), width))
        row[p.SUBTRACT] = int(isinstance(model, Membrane) and constants.subtract)
        row[p.PORT], row[p.N_PORTS] = first_port, len(own)
        self.n_state += n
        adaptation = -1
        if adapts:
            adaptation = row[p.ADAPTATION] = self.n_state
            self.n_state += n
        streams = count()
        for synapse in own:
            self._port(index, population, synapse, pushes, filters, width, streams)
        rates = -1
        if not isinstance(model, Membrane):
            rates = row[p.RATES] = self.n_rates
            self.n_rates += n
        self._populations.append(row)
        self._events.append(np.zeros((0, 2), dtype=np.int64))
        self.built.append(
            BuiltPopulation(
                name,
                n,
                self.first,
                isinstance(model, Membrane),
                parameters,
                model.v_init,
                tuple(range(first_port, first_port + len(filters))),
                state,
                rates,
                adaptation,
                self._currents(index, name),
            )
        )

    def _port(
        self,
        index: int,
        population: Population,
        synapse: Any,
        pushes: list[tuple[Any, Any]],
        filters: list[Any],
        width: int,
        streams: Any,
    ) -> None:
        """Lay out one port, with the Poisson and listed spikes that enter through it."""
        name, n = population.name, population.n
        number = self.port_numbers[name, synapse] = len(self._ports)
        self.ports.append((index, synapse))
        row = [0] * p.N_PORT_COLUMNS
        if isinstance(synapse, Delta):
            row[p.PORT_KIND] = p.DELTA
            head = np.zeros(p.P_VI)
            head[p.UNIT_I] = 1.0
            row[p.PORT_CONSTANTS] = self._put(head)
        else:
            nodes = synapse.at_nodes(self.dt)
            second = nodes.gain_x != 0.0
            row[p.PORT_KIND] = p.SECOND_ORDER if second else p.FIRST_ORDER
            p_vi, p_vx = pushes[filters.index(synapse)]
            # The rows hold i, or x in the unit in which a spike adds its weight to it.
            unit_x = nodes.gain_x if second else 1.0
            head = np.zeros(p.P_VI)
            head[p.DECAY_SYN], head[p.P_IX] = nodes.decay_syn, nodes.p_ix * unit_x
            head[p.N_1I], head[p.N_1X] = nodes.n_i_1, nodes.n_x_1 * unit_x
            head[p.N_2I], head[p.N_2X] = nodes.n_i_2, nodes.n_x_2 * unit_x
            head[p.TO_A] = synapse.e_rev if synapse.conductance else 1.0
            head[p.TO_B], head[p.UNIT_I] = float(synapse.conductance), 1.0
            head[p.E_REV] = synapse.e_rev if synapse.conductance else 0.0
            if second:
                row[p.PORT_STATE] = self.n_state
                self.n_state += n
            row[p.PORT_CONSTANTS] = self._put(
                np.concatenate([head, _spread(p_vi, width), _spread(p_vx, width) * unit_x])
            )
        row[p.PORT_OWNER] = index
        row[p.PORT_DRAW] = len(self._draws.rows)
        places = count()
        for item in self.network.inputs:
            if item.target != name:
                continue
            place = next(places) if isinstance(item, PoissonInput) else 0
            if getattr(item, "synapse", None) != synapse:
                continue
            if isinstance(item, PoissonInput):
                self._check_weight("PoissonInput.weight", item.weight)
                weight = self._put(np.array([item.weight]))
                self._draws.add_input(item, n, stream_of(POISSON_INPUT, index, place), weight)
            elif isinstance(item, SpikeInput):
                steps = spike_steps("SpikeInput.times", item.times, item.time_rounding, self.dt)
                self._check_weight("SpikeInput.weight", item.weight)
                weights = np.broadcast_to(item.weight, steps.shape)
                order = np.lexsort((weights, item.ids, steps))
                self._inputs.append((index, number, steps[order], item.ids[order], weights[order]))
        row[p.N_PORT_DRAWS] = len(self._draws.rows) - row[p.PORT_DRAW]
        self._ports.append(row)

    def _source(self, index: int, population: Population) -> None:
        name, n, model, dt = population.name, population.n, population.model, self.dt
        events = np.zeros((0, 2), dtype=np.int64)
        row = [0] * p.N_POPULATION_COLUMNS
        row[p.FIRST], row[p.SIZE] = self.first, n
        parameters: dict[str, Any]
        if isinstance(model, SpikeSource):
            row[p.KIND] = p.LISTED
            steps = spike_steps("SpikeSource.times", model.times, model.time_rounding, dt)
            order = np.lexsort((model.ids, steps))
            events = np.column_stack((steps[order], model.ids[order]))
            parameters = {"times": model.times, "ids": model.ids}
        else:
            row[p.KIND], row[p.DRAW] = p.POISSON, len(self._draws.rows)
            parameters = self._draws.add_source(model, n, stream_of(POISSON_SOURCE, index, 0))
        self._populations.append(row)
        self._events.append(events)
        self.built.append(
            BuiltPopulation(name, n, self.first, True, parameters, np.zeros(0), (), 0, -1, -1, ())
        )

    def _currents(self, index: int, name: str) -> tuple[tuple[int, Any], ...]:
        currents, streams = [], count()
        for item in self.network.inputs:
            if item.target != name or isinstance(item, (PoissonInput, SpikeInput)):
                continue
            _check_interval(item, self.dt)
            stream = 0
            if isinstance(item, NoiseCurrent):
                stream = stream_of(NOISE_CURRENT, index, next(streams))
            currents.append((stream, item))
        return tuple(currents)

    def _listed_inputs(
        self, bounds: np.ndarray, row_starts: np.ndarray, scales: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return (step, row), weight in units of the port, and where early and late ones begin."""
        found = []
        if not self._inputs:
            return np.zeros((0, 2)), np.zeros(0), np.zeros(2 * len(row_starts) + 1)
        for population, port, steps, ids, weights in self._inputs:
            late = int(self._ports[port][p.PORT_KIND] != p.DELTA)
            block = np.searchsorted(bounds[population], ids, side="right") - 1
            rows = ids - bounds[population][block] + row_starts[block, port]
            found.append((2 * block + late, steps, rows, weights / scales[port]))
        places, steps, rows, weights = (
            np.concatenate(column) for column in zip(*found, strict=True)
        )
        order = np.lexsort((np.arange(len(places)), steps, places))
        starts = np.searchsorted(places[order], np.arange(2 * len(row_starts) + 1))
        return np.column_stack((steps, rows))[order], weights[order], starts

    def _put(self, values: np.ndarray) -> int:
        """Append constants; return where they begin."""
        self._constants.append(values)
        self._n_constants += len(values)
        return self._n_constants - len(values)


def spike_steps(label: str, times: np.ndarray, rounding: str, dt: float) -> np.ndarray:
    """Return listed times in steps; refuse those off the grid unless they may be rounded."""
    with np.errstate(over="ignore"):
        in_steps = np.minimum(times / dt, 2.0**53)
    steps = np.rint(in_steps).astype(np.int64)
    off = _check.off_grid(times, steps, dt) & (in_steps < 2.0**53)
    if rounding == "error" and np.any(off):
        raise ParameterError(
            f"{label}{_check._first(off)} must be a multiple of dt = {dt!r} ms, "
            f"got {float(times[off][0])!r} ms; time_rounding='nearest' takes the nearest step"
        )
    return np.maximum(steps, 1)


def _generator(seed: int, index: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0, index)))


def _ports_of(network: Network, name: str) -> list[Any]:
    """Return the synapse models of a population in order of appearance, Delta last."""
    ports: list[Any] = []
    spiking = (i for i in network.inputs if isinstance(i, (PoissonInput, SpikeInput)))
    for item in (*network.projections, *spiking):
        if item.target == name and item.synapse not in ports:
            ports.append(item.synapse)
    return sorted(ports, key=lambda synapse: isinstance(synapse, Delta))


def _check_interval(item: Any, dt: float) -> None:
    interval = getattr(item, "interval", None)
    if interval is not None:
        _check.n_steps(f"{type(item).__name__}.interval", interval, dt, minimum=1)


def _alike(values: Any) -> bool:
    values = np.asarray(values)
    return values.size < 2 or bool((values == values.flat[0]).all())


def _spread(value: Any, width: int) -> np.ndarray:
    """Return `width` values: those given one a neuron, or a common one over and over."""
    values = np.asarray(value).reshape(-1)
    return values if len(values) == width else np.full(width, values[0])


def _most_within(steps: np.ndarray, stretch: int) -> int:
    """Return the most of the sorted `steps` that lie within `stretch` neighbouring ones."""
    return int((np.searchsorted(steps, steps + stretch) - np.arange(len(steps))).max())


def _joined(parts: list[np.ndarray], kind: Any) -> np.ndarray:
    return np.concatenate([np.zeros(0, kind), *parts], dtype=kind, casting="unsafe")


def _table(rows: list[list[int]], n_columns: int) -> np.ndarray:
    return np.array(rows, dtype=np.uint64).reshape(-1, n_columns)
