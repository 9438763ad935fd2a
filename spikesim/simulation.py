"""Simulate: a network in, a recording out."""

from __future__ import annotations

import math
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from spikesim import _check
from spikesim.engine import run as engine
from spikesim.engine.build import Built, build
from spikesim.errors import NonFiniteStateError, ParameterError
from spikesim.network.network import Network
from spikesim.network.population import MODELS, Population
from spikesim.recording import PopulationRecording, Recording

__all__ = ["Record", "SimulationInterrupted", "State", "simulate"]

_WORTH_THREADS = 1000
_WORTH_THREADS = 1000
_BAR_AFTER_SECONDS = 2.0
_BAR_EVERY_SECONDS = 0.1


@_check.suggest_keywords
@dataclass(frozen=True, eq=False)
class Record:
    """Which variables of a population to sample.

    Parameters
    ----------
    variables : str or iterable of str
        ``"v"`` (mV), ``"i_syn"`` (pA, sum over synapses), or both.
    neurons : array_like of int, optional
        Which neurons, each once; by default all.
    interval : float, optional
        Time between samples (ms), a multiple of `dt`; by default ``simulate``'s
        `record_interval`.
    """

    variables: Any
    neurons: Any = None
    interval: float | None = None

    def __post_init__(self) -> None:
        variables = (self.variables,) if isinstance(self.variables, str) else self.variables
        if not isinstance(variables, (tuple, list)):
            raise _check.ParameterTypeError(
                f"Record.variables must be text or a list of it, got {variables!r}"
            )
        for variable in variables:
            _check.choice("Record.variables", variable, ("v", "i_syn", "g_syn", "rate"))
        object.__setattr__(self, "variables", tuple(dict.fromkeys(variables)))
        if self.neurons is not None:
            neurons = np.array(_check.indices("Record.neurons", self.neurons, None)).reshape(-1)
            if len(np.unique(neurons)) != len(neurons):
                raise ParameterError("Record.neurons must name each neuron once")
            neurons.flags.writeable = False
            object.__setattr__(self, "neurons", neurons)
        if self.interval is not None:
            interval = _check.positive("Record.interval", self.interval)
            object.__setattr__(self, "interval", interval)


@dataclass(frozen=True, eq=False)
class State:
    """Where a run ended; ``simulate(..., state=recording.final_state)`` goes on from there.

    Attributes
    ----------
    step : int
        Last step done.
    arrays : dict of ndarray
        Everything that changes during a run, read-only once it is here.
    """

    step: int
    arrays: Mapping[str, np.ndarray]
    network: Network
    built: Built


class SimulationInterrupted(KeyboardInterrupt):
    """Ctrl-C during a simulation; `recording` holds what was recorded until then."""

    recording: Recording


@_check.suggest_keywords
def simulate(
    network: Network | Population | Any,
    duration: float,
    *,
    dt: float = 0.1,
    record: Any = None,
    record_interval: float | None = None,
    seed: Any = None,
    state: State | None = None,
    threads: int | None = None,
    precision: str = "double",
    progress: bool | Callable[[float, float], Any] | None = None,
) -> Recording:
    """Simulate a network for `duration`.

    Parameters
    ----------
    network : Network, Population or LIF, PoissonSource, SpikeSource
        What to simulate. A bare model stands for a population "neuron" of one.
    duration : float
        Biological time (ms), a multiple of `dt`; 0 gives an empty recording.
    dt : float, default 0.1
        Time step (ms).
    record : str, tuple of str, or dict, optional
        Variables to sample of every population that has them, or for each population by name a
        :class:`Record`, a variable or several. By default spikes alone are recorded.
    record_interval : float, optional
        Time between samples (ms), a multiple of `dt`; by default `dt`. Samples lie at multiples
        of it.
    seed : int, SeedSequence or Generator, optional
        Source of all that is random: parameters, connections, noise. None takes fresh entropy;
        ``recording.seed`` holds what reproduces the run.
    state : State, optional
        ``recording.final_state`` of a run of the same network: continue it, seed included. Two
        runs give bit for bit what one over the whole time gives.
    threads : int, optional
        Threads to compute with; any number gives the same bits. None takes as many as there are
        cores (or as ``NUMBA_NUM_THREADS`` says) for a network that is worth it, else one.
    precision : {"double", "compact"}, default "double"
        "double" computes in double precision. "compact" is for big networks: state variables in
        single precision, weights in 16 bits (steps of the largest weight of a port over 32767)
        and sums in integers; it takes a quarter to a half of the memory and time, and its results
        differ from those in double precision as rounding makes them
        (``docs/decisions/0014-compact-precision.md``).
    progress : bool or callable, optional
        True shows a progress bar, False none; None shows one on a terminal if the run takes more
        than two seconds. A function is called with the time done and `duration` (ms).

    Returns
    -------
    Recording

    Raises
    ------
    ParameterError, ParameterTypeError, ParameterIndexError
        An argument that is not allowed, found before anything runs.
    NotEnoughMemoryError
        Synapses or traces that do not fit.
    NonFiniteStateError
        A variable became NaN or infinite; the error's `recording` holds what came before.
    SimulationInterrupted
        Ctrl-C; its `recording` holds what came before, and `final_state` continues it. The run
        stops at the end of the stretch of steps it is in, 0.03 s or so, but the first run on a
        machine may be compiling for some seconds; a second Ctrl-C stops at once, without a state.
    Exception
        What a `progress` function raises; its `recording` holds what came before.

    Examples
    --------
    >>> import spikesim as sp
    >>> recording = sp.simulate(sp.LIF(i_ext=400.0), 100.0)
    >>> recording["neuron"].spike_times.round(1)
    array([27.8, 57.6, 87.4])
    """
    network = _as_network(network)
    dt = _check.positive("simulate.dt", dt)
    n_steps = _check.n_steps("simulate.duration", duration, dt)
    _check.choice("simulate.precision", precision, ("double", "compact"))
    n_threads = _n_threads(threads, network)
    if state is None:
        entropy = _entropy(_check.seed_sequence("simulate.seed", seed))
        requests = _requests(network, record, record_interval, dt)
        built = build(network, dt, entropy, precision=precision, threads=n_threads)
        arrays, done = engine.initial_arrays(built), 0
    else:
        _check_state(state, network, dt, seed, precision)
        requests = _requests(network, record, record_interval, dt)
        built = state.built
        arrays, done = engine.copy_arrays(state.arrays), state.step
    report = _Progress(progress, done, n_steps, dt)
    log = engine.make_log(built, requests, done, n_steps)
    try:
        with report, _held_back_interrupt() as interrupted, np.errstate(all="ignore"):
            for done in engine.run(built, arrays, log, n_steps, n_threads):
                try:
                    report(done)
                except Exception as error:
                    state = _state(log, arrays, network, built)
                    error.recording = _recording(network, built, log, state)  # type: ignore[attr-defined]
                    raise
                if interrupted():
                    break
    except NonFiniteStateError as error:
        error.recording = _recording(network, built, log, None)  # type: ignore[attr-defined]
        raise
    except KeyboardInterrupt:
        # Another handler than Python's, or a second Ctrl-C: somewhere within a stretch.
        raise _interruption(_recording(network, built, log, None), log.done * dt) from None
    recording = _recording(network, built, log, _state(log, arrays, network, built))
    if interrupted():
        raise _interruption(recording, log.done * dt)
    return recording


def _interruption(recording: Recording, time_done: float) -> SimulationInterrupted:
    error = SimulationInterrupted(f"interrupted after {time_done:g} ms")
    error.recording = recording
    return error


def _state(log: engine.Log, arrays: dict[str, np.ndarray], network: Network, built: Built) -> State:
    for array in arrays.values():
        array.flags.writeable = False
    return State(log.done, arrays, network, built)


def _as_network(value: Any) -> Network:
    if isinstance(value, Network):
        return value
    if isinstance(value, Population):
        return Network([value])
    if isinstance(value, MODELS):
        return Network([Population("neuron", value, 1)])
    raise _check.ParameterTypeError(
        "simulate.network must be a Network, a Population or a model such as LIF(), "
        f"got {_check._show(value)}"
    )


def _entropy(sequence: np.random.SeedSequence) -> int:
    """Return one integer that stands for the seed sequence."""
    if isinstance(sequence.entropy, int) and not sequence.spawn_key:
        return sequence.entropy
    words = sequence.generate_state(4, np.uint32)
    return sum(int(word) << (32 * i) for i, word in enumerate(words))


def _n_threads(threads: Any, network: Network) -> int:
    if threads is not None:
        return _check.integer("simulate.threads", threads, minimum=1)
    # Below this a barrier costs more than a second thread saves.
    if sum(population.n for population in network.populations) < _WORTH_THREADS:
        return 1
    return engine.default_threads()


def _check_state(state: Any, network: Network, dt: float, seed: Any, precision: str) -> None:
    _check.instance("simulate.state", state, State, "a recording's final_state")
    if state.built.dt != dt:
        raise ParameterError(
            f"simulate.state is of a run with dt = {state.built.dt!r} ms, simulate.dt is {dt!r} ms"
        )
    if state.built.precision != precision:
        raise ParameterError(
            f"simulate.state is of a run with precision={state.built.precision!r}, "
            f"simulate.precision is {precision!r}"
        )
    if state.network is not network and state.network.digest() != network.digest():
        raise ParameterError("simulate.state is of a run of another network")
    if seed is not None and _entropy(_check.seed_sequence("simulate.seed", seed)) != (
        state.built.seed
    ):
        raise ParameterError(
            "simulate.seed must be left out when simulate.state is given: the run goes on with "
            f"its own seed {state.built.seed}"
        )


def _requests(
    network: Network, record: Any, record_interval: Any, dt: float
) -> dict[str, engine.TraceRequest]:
    """Turn what the user asked to record into one request a population."""
    default = dt if record_interval is None else record_interval
    _check.n_steps("simulate.record_interval", default, dt, minimum=1)
    if record is None:
        return {}
    if isinstance(record, Mapping):
        wanted = {}
        for name, value in record.items():
            population = network.population(name, "simulate.record")
            wanted[name] = value if isinstance(value, Record) else Record(value)
            for variable in wanted[name].variables:
                _check_recordable(population, variable)
    else:
        common = record if isinstance(record, Record) else Record(record)
        wanted = {
            p.name: common
            for p in network.populations
            if set(common.variables) <= set(p.model.recordable)
        }
        if not wanted:
            _check_recordable(network.populations[0], common.variables[0])
    requests = {}
    for name, item in wanted.items():
        n = network.population(name).n
        neurons = np.arange(n) if item.neurons is None else item.neurons
        interval = default if item.interval is None else item.interval
        with _check.located(f"population {name!r}"):
            _check.indices("Record.neurons", neurons, n)
            steps = _check.n_steps("Record.interval", interval, dt, minimum=1)
        if item.variables:
            requests[name] = engine.TraceRequest(item.variables, neurons, steps)
    return requests


def _check_recordable(population: Population, variable: str) -> None:
    if variable not in population.model.recordable:
        raise ParameterError(
            f"simulate.record: population {population.name!r} of "
            f"{type(population.model).__name__} has no variable {variable!r}"
            f"{_check.did_you_mean(variable, population.model.recordable)}; it has "
            f"{', '.join(population.model.recordable) or 'spikes alone'}"
        )


def _recording(
    network: Network, built: Built, log: engine.Log, final_state: State | None
) -> Recording:
    dt = built.dt
    start, stop = log.first_step - 1, log.done
    populations = {}
    for population in built.populations:
        name, parts = population.name, log.spikes[population.name]
        steps = np.concatenate([p[0] for p in parts]) if parts else np.zeros(0, dtype=np.int64)
        ids = np.concatenate([p[1] for p in parts]) if parts else np.zeros(0, dtype=np.int64)
        if len(steps) and steps[-1] > stop:
            kept = np.searchsorted(steps, stop + 1)
            steps, ids = steps[:kept], ids[:kept]
        traces: dict[str, np.ndarray] = {}
        times: np.ndarray = np.zeros(0)
        neurons: np.ndarray = np.zeros(0, dtype=np.int64)
        if name in log.requests:
            request = log.requests[name]
            neurons = request.neurons
            first, last = start // request.interval + 1, stop // request.interval
            times = np.arange(first, last + 1) * request.interval * dt
            traces = {key: trace[: len(times)] for key, trace in log.traces[name].items()}
        populations[name] = PopulationRecording(
            name=name,
            n=population.n,
            spike_times=steps * dt,
            spike_ids=ids,
            traces=traces,
            trace_times=times,
            trace_neurons=neurons,
            v_th=population.parameters.get("v_th"),
            start=start * dt,
            duration=(stop - start) * dt,
            dt=dt,
        )
    return Recording(
        dt=dt,
        start=start * dt,
        duration=(stop - start) * dt,
        seed=built.seed,
        parameters={p.name: p.parameters for p in built.populations},
        final_state=final_state,
        _populations=populations,
    )


@contextmanager
def _held_back_interrupt() -> Iterator[Callable[[], bool]]:
    """Note Ctrl-C instead of raising it at once, so that a stretch is never left half done.

    A second Ctrl-C is raised, for whoever cannot wait.
    Only where Python's own handler is in charge, and in the main thread, where it is called.
    """
    noted: list[bool] = []
    replace = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )

    def note(number: int, frame: Any) -> None:
        if noted:
            raise KeyboardInterrupt
        noted.append(True)

    if replace:
        signal.signal(signal.SIGINT, note)
    try:
        yield lambda: bool(noted)
    finally:
        if replace:
            signal.signal(signal.SIGINT, signal.default_int_handler)


class _Progress:
    """The progress bar, or whatever stands in its place."""

    def __init__(self, progress: Any, done: int, n_steps: int, dt: float):
        if not (progress is None or isinstance(progress, bool) or callable(progress)):
            raise _check.ParameterTypeError(
                f"simulate.progress must be None, True, False or a function, got {progress!r}"
            )
        self._wanted, self._first, self._n_steps, self._dt = progress, done, n_steps, dt
        self._bar: Any = None
        self._shown = 0
        self._next = math.inf

    def __enter__(self) -> None:
        now = time.perf_counter()
        if self._wanted is True:
            self._open()
        elif self._wanted is None:
            self._next = now + _BAR_AFTER_SECONDS if _on_terminal() else math.inf
        elif self._wanted is not False:
            self._next = now

    def __call__(self, done: int) -> None:
        done -= self._first
        if time.perf_counter() < self._next and done < self._n_steps:
            return
        if callable(self._wanted):
            self._wanted(done * self._dt, self._n_steps * self._dt)
        elif self._bar is not None or (self._wanted is None and self._next < math.inf):
            if done < self._n_steps and self._bar is None:
                self._open()
            self._show(done)
        self._next = time.perf_counter() + _BAR_EVERY_SECONDS

    def __exit__(self, *error: Any) -> None:
        if self._bar is not None:
            self._bar.close()

    def _open(self) -> None:
        from tqdm import tqdm

        self._bar = tqdm(
            total=self._n_steps * self._dt,
            unit="ms",
            desc="simulate",
            bar_format="{desc}: {percentage:3.0f}% |{bar}| {n:.0f}/{total:.0f} ms [{remaining}]",
        )
        self._next = 0.0

    def _show(self, done: int) -> None:
        if self._bar is not None:
            self._bar.update((done - self._shown) * self._dt)
            self._shown = done


def _on_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()
