"""Simulate: a network in, a recording out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from spikesim import _check
from spikesim.engine import run as engine
from spikesim.engine.log import Log, TraceRequest, make_log
from spikesim.errors import ParameterError, SpikesimError, StorageError
from spikesim.network.difference import difference, parts_of
from spikesim.network.network import Network
from spikesim.network.population import Population
from spikesim.recording import Recording
from spikesim.simulation.checkpoint import Checkpoint, Found
from spikesim.simulation.interrupt import Interrupts, SimulationInterrupted
from spikesim.simulation.needs import require_all
from spikesim.simulation.output import Disk, InMemory
from spikesim.simulation.progress import Progress
from spikesim.simulation.record import requests_of
from spikesim.simulation.state import State, as_network, entropy_of

__all__ = ["simulate"]

_WORTH_THREADS = 1000
_MOST_THREADS = 1024
# Spikes are kept as words of a step and a neuron.
_MOST_STEPS = 2**31 - 1
# Hardly anybody takes steps this short (ms), but many take steps that are such numbers of seconds.
_STEPS_IN_SECONDS = (1e-6, 1e-3)


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
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_interval: float = 60.0,
    record_to: str | os.PathLike[str] | None = None,
) -> Recording:
    """Simulate a network for `duration`.

    Parameters
    ----------
    network : Network, Population or model
        What to simulate. A bare model (:class:`~spikesim.LIF`, :class:`~spikesim.AdaptiveLIF`,
        :class:`~spikesim.SigmoidRate`, :class:`~spikesim.PoissonSource`,
        :class:`~spikesim.InhomogeneousPoissonSource`, :class:`~spikesim.SpikeSource`) stands for
        a population "neuron" of one.
    duration : float
        Biological time (ms), a multiple of `dt`; 0 gives an empty recording. With what `state`
        has behind it, it is at most 2**31 - 1 steps.
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
        Threads to compute with, at most 1024; any number gives the same bits. None takes as many
        as there are cores (or as ``NUMBA_NUM_THREADS`` says, which joblib sets for its workers)
        for a network that is worth it, and one for a small network or while one is quicker, as on
        a machine busy with something else; with `state`, as many as the network was laid out for.
        If a state is continued on more threads than that, the network is laid out anew.
    precision : {"double", "compact"}, default "double"
        "double" computes in double precision. "compact" is for big networks: state variables in
        single precision, weights that differ in 16 bits (steps of the largest of them through
        one synapse model on one target over 32767, with a ``RoundingWarning`` where these are too
        coarse); it takes a quarter to a half of the memory and time, and its results
        differ from those in double precision as rounding makes them
        (``docs/decisions/0014-compact-precision.md``).
    progress : bool or callable, optional
        True shows a progress bar, False none; None shows one on a terminal if the run takes more
        than two seconds. A function is called with the time done and `duration` (ms).
    checkpoint : path-like, optional
        A file that holds, whenever the process may end, where the run is and what was recorded.
        If it is there, this call goes on with the run in it, and gives the bits of a run that was
        never cut off: so call again what was killed. It must be of the same network, seed and
        arguments; `duration` may be longer, with `record_to` until the folder is complete. It
        stays when the run is over: the same call then returns at once. Delete it to start afresh.
        One run at a time can work on a file.
    checkpoint_interval : float, default 60
        Seconds of real time between two versions of the file: that is what a kill can cost. It
        is longer where writing would take more than a twentieth of the time.
    record_to : path-like, optional
        A folder, not yet there, in which spikes and traces are written as they come, so that
        they need no memory. The recording that is returned, and
        :func:`~spikesim.recording.load_recording`, read them where they are used. Until the run
        is over, ".part" follows its name.

    Returns
    -------
    Recording

    Raises
    ------
    ParameterError, ParameterTypeError, ParameterIndexError
        An argument that is not allowed, found before anything runs.
    NotEnoughMemoryError
        Synapses or traces that do not fit, found before anything runs
        (:func:`~spikesim.simulation.memory_needed`); or spikes, during the run: then the error's
        `recording` holds what came before, and its `final_state` continues it.
    DamagedFileError
        A checkpoint that is damaged or of another version.
    StorageError
        An OSError, too: `checkpoint` or `record_to` cannot be written any more, as when the disk
        is full. What is recorded in memory is in the error's `recording`, and its `final_state`
        continues the run.
    NonFiniteStateError
        A variable became NaN or infinite; the message says which, of which neuron, at which step,
        and the error's `recording` holds what came before.
    SimulationInterrupted
        Ctrl-C; its `recording` holds what came before, and `final_state` continues it. The run
        stops within 0.2 s, but the first run on a machine may be compiling for some seconds; a
        second Ctrl-C stops at once, without a state. If a large network was still being built, a
        thread may finish what it was at, such as to sort a list of connections: its memory is
        free, and a process that ends can end, after that (a second or two).
    Exception
        What a `progress` function raises; its `recording` holds what came before.

    Examples
    --------
    >>> import spikesim as sp
    >>> recording = sp.simulate(sp.LIF(i_ext=400.0), 100.0)
    >>> recording["neuron"].spike_times.round(1)
    array([27.8, 57.6, 87.4])
    """
    network = as_network(network, "simulate.network")
    dt = _check.positive("simulate.dt", dt)
    n_steps = _check.n_steps("simulate.duration", duration, dt)
    _check.choice("simulate.precision", precision, ("double", "compact"))
    n_threads = _n_threads(threads, network)
    if state is not None:
        _check_state(state, network, dt, seed, precision)
    requests = requests_of(network, record, record_interval, dt)
    first = 0 if state is None else state.step
    if first + n_steps > _MOST_STEPS:
        raise ParameterError(
            f"simulate.duration must end by step 2**31 - 1 of dt = {dt!r} ms, that is at "
            f"{_MOST_STEPS * dt:g} ms; {duration:g} ms from {first * dt:g} ms on go beyond"
        )
    if state is None and dt >= _STEPS_IN_SECONDS[0]:
        _check.ask_about_unit("simulate.dt", dt, _STEPS_IN_SECONDS[1], "ms")
    keeper = None
    interval = _check.positive("simulate.checkpoint_interval", checkpoint_interval)
    if checkpoint is not None:
        keeper = Checkpoint(_check.path("simulate.checkpoint", checkpoint), interval)
    with keeper.alone() if keeper is not None else nullcontext():
        found = None if keeper is None else keeper.find(network)
        if found is not None and keeper is not None:
            _check_run(found.state, dt, seed, precision, f"simulate.checkpoint: {keeper.path}")
            keeper.refuse_other_run(found, state, requests, record_to is not None)
            if found.state.step > first + n_steps:
                raise ParameterError(
                    f"simulate.duration must be at least {(found.state.step - first) * dt:g} ms, "
                    f"which {keeper.path} has done already, got {n_steps * dt:g} ms"
                )
        elif keeper is not None:
            keeper.begin(state, requests)
        output: InMemory | Disk = InMemory()
        if record_to is not None:
            output = Disk(_check.path("simulate.record_to", record_to))
            if found is not None and found.state.step == first + n_steps and output.path.exists():
                return output.load(found.state)
            output.refuse_beforehand(requests, n_steps, found and found.state)
        if found is not None:
            state = found.state
        elif state is None:
            state = State(0, {}, network, dt, entropy_of("simulate.seed", seed), precision)
        report = Progress(progress, first, first + n_steps, dt)
        require_all(network, requests, first, n_steps, dt, precision, record_to is not None)
        run = _Run(state, requests, output, keeper, found, report, first, first + n_steps)
        return run.go(n_threads, threads is not None)


class _Run:
    """One call of :func:`simulate`, once its arguments are checked."""

    def __init__(
        self,
        state: State,
        requests: dict[str, TraceRequest],
        output: InMemory | Disk,
        keeper: Checkpoint | None,
        found: Found | None,
        report: Progress,
        first: int,
        last: int,
    ):
        self.state, self.requests, self.output = state, requests, output
        self.keeper, self.found, self.report = keeper, found, report
        self.first, self.last = first, last
        self.log: Log

    def go(self, threads: int, asked: bool) -> Recording:
        """Build, run, record."""
        with self.report, Interrupts() as interrupts:
            self.build(threads, asked, interrupts)
            arrays = self.start()
            with interrupts.whole():
                if self.keeper is not None and self.found is None:
                    # Before there is a folder, so that none is without its checkpoint.
                    disk: dict[str, Any] | None = {} if isinstance(self.output, Disk) else None
                    self.write(self.state_now(arrays), disk, {})
                if isinstance(self.output, Disk):
                    self.output.open(self.built, self.log, self.found and self.found.disk)
            self.report.running(self.log.done)
            try:
                with np.errstate(all="ignore"):
                    self.advance(arrays, threads, not asked, interrupts)
                    with interrupts.whole():
                        state = self.state_now(arrays)
                        try:
                            if self.found is None or self.found.state.step < self.log.done:
                                self.checkpoint(state)
                        except StorageError as error:
                            self.tell(error, state)
                            raise
                        with self.storing():
                            recording = self.output.recording(
                                self.built, self.log, state, self.log.done == self.last
                            )
            except KeyboardInterrupt:
                # Another handler than Python's, or a second Ctrl-C: somewhere within a stretch.
                with interrupts.whole():
                    recording = self.output.recording(self.built, self.log, None, False)
                raise self.interruption(recording) from None
        if interrupts.noted:
            raise self.interruption(recording)
        return recording

    def build(self, threads: int, asked: bool, interrupts: Interrupts) -> None:
        """Draw and lay out the network, unless that was done."""
        network = self.state.network
        n_neurons = sum(population.n for population in network.populations)

        def check() -> None:
            self.report.building(f"{n_neurons} neurons, {len(network.projections)} projections")
            interrupts.check()

        try:
            check()
            self.built = self.state.build(threads, asked, check)
            check()
        except KeyboardInterrupt:
            raise SimulationInterrupted("interrupted while the network was built") from None

    def start(self) -> dict[str, np.ndarray]:
        """Return the arrays to start from; make room for what will be recorded."""
        self.log = make_log(
            self.built, self.requests, self.first, self.last - self.first, self.output.window_bytes
        )
        if self.found is not None:
            self.log.done = self.found.state.step
            if isinstance(self.output, InMemory):
                self.output.resume(self.log, self.found.arrays)
            else:
                self.log.begun = self.log.done
        if not self.state.arrays:
            return engine.initial_arrays(self.built)
        return engine.copy_arrays(self.state.arrays)

    def advance(
        self, arrays: dict[str, np.ndarray], threads: int, free: bool, interrupts: Interrupts
    ) -> None:
        """Run, chunk by chunk, until the end or the first Ctrl-C."""
        steps = engine.run(self.built, arrays, self.log, self.last, threads, free)
        while True:
            try:
                now = next(steps, None)
            except (SpikesimError, MemoryError) as error:
                self.tell(error, None)
                raise
            if now is None:
                return
            try:
                with interrupts.whole():
                    with self.storing():
                        self.output.take(self.log)
                    if self.keeper is not None and self.keeper.due():
                        self.checkpoint(self.state_now(now()))
                self.report(self.log.done)
            except Exception as error:
                steps.close()
                with interrupts.whole():
                    self.tell(error, self.state_now(arrays))
                raise
            except BaseException:
                steps.close()
                raise
            if interrupts.noted:
                steps.close()
                return

    def tell(self, error: Exception, state: State | None) -> None:
        """Hang what was recorded on an error, unless it was to be on a disk that is full."""
        if state is not None and not isinstance(error, StorageError):
            try:
                self.checkpoint(state)
            except StorageError as other:
                error.add_note(str(other))
        if isinstance(self.output, InMemory) or not isinstance(error, OSError):
            error.recording = self.output.recording(self.built, self.log, state, False)  # type: ignore[attr-defined]

    def state_now(self, arrays: dict[str, np.ndarray]) -> State:
        """Return the state after the last step done."""
        of = self.state
        return State(self.log.done, arrays, of.network, of.dt, of.seed, of.precision, self.built)

    def checkpoint(self, state: State) -> None:
        """Write a new version of the checkpoint, if there is one."""
        if self.keeper is not None:
            with self.storing():
                content = self.output.checkpoint(self.log)
            self.write(state, *content)

    def write(
        self, state: State, disk: dict[str, Any] | None, arrays: dict[str, np.ndarray]
    ) -> None:
        """Write the checkpoint."""
        assert self.keeper is not None
        try:
            self.keeper.write(state, self.first, disk, arrays)
        except OSError as error:
            raise _storage_error("simulate.checkpoint", self.keeper.path, error, True) from error

    @contextmanager
    def storing(self) -> Iterator[None]:
        """Say of what is written to a folder where it is, and how to go on."""
        try:
            yield
        except OSError as error:
            assert isinstance(self.output, Disk)
            again = self.keeper is not None
            raise _storage_error("simulate.record_to", self.output.part, error, again) from error

    def interruption(self, recording: Recording) -> SimulationInterrupted:
        """Return the error for Ctrl-C."""
        error = SimulationInterrupted(f"interrupted after {recording.duration:g} ms")
        error.recording = recording
        return error


def _storage_error(name: str, path: Path, cause: OSError, again: bool) -> StorageError:
    words = f"{name}: {path} cannot be written ({cause.strerror or cause}); "
    if again:
        words += "make room there and call again: the run goes on from its last checkpoint"
    else:
        words += "make room there and start afresh; with simulate.checkpoint a run could go on"
    if name == "simulate.checkpoint":
        words += ". What is recorded in memory is in the error's .recording, and its .final_state "
        words += "continues the run"
    error = StorageError(words)
    error.errno = cause.errno
    return error


def _n_threads(threads: Any, network: Network) -> int:
    if threads is not None:
        n_threads = _check.integer("simulate.threads", threads, minimum=1)
        if n_threads > _MOST_THREADS:
            raise ParameterError(
                f"simulate.threads must be at most {_MOST_THREADS}, got {n_threads}"
            )
        return n_threads
    # Below this a barrier costs more than a second thread saves.
    if sum(population.n for population in network.populations) < _WORTH_THREADS:
        return 1
    return min(engine.default_threads(), _MOST_THREADS)


def _check_state(state: Any, network: Network, dt: float, seed: Any, precision: str) -> None:
    _check.instance("simulate.state", state, State, "a recording's final_state")
    _check_run(state, dt, seed, precision, "simulate.state")
    if state.network is not network and state.network.digest() != network.digest():
        what = difference(parts_of(state.network), network)
        raise ParameterError(
            "simulate.state is of a run of another network" + (f": {what}" if what else "")
        )


def _check_run(state: State, dt: float, seed: Any, precision: str, name: str) -> None:
    """Refuse to go on from a state in another way than it came about."""
    if state.dt != dt:
        raise ParameterError(
            f"{name} is of a run with dt = {state.dt!r} ms, simulate.dt is {dt!r} ms"
        )
    if state.precision != precision:
        raise ParameterError(
            f"{name} is of a run with precision={state.precision!r}, "
            f"simulate.precision is {precision!r}"
        )
    if seed is not None and entropy_of("simulate.seed", seed) != state.seed:
        raise ParameterError(
            f"{name} is of a run with seed {state.seed}, simulate.seed is another; leave it out, "
            "as a run goes on with its own seed"
        )
