"""Where a recording grows while a network runs: in memory, or in a folder on the disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from spikesim._files import sync_folder
from spikesim._memory import readable, require_memory
from spikesim.engine.built import Built
from spikesim.engine.log import Log, TraceRequest, trace_bytes
from spikesim.errors import NotEnoughMemoryError, ParameterError, SpikesimError
from spikesim.recording import PopulationRecording, Recording
from spikesim.recording.stored import RecordingFolder, load_recording
from spikesim.simulation.state import State

__all__ = ["Disk", "InMemory"]

# To join the parts of a population: steps, neurons, times.
_BYTES_TO_JOIN = 24
_SPARE_BYTES = 2**26
_SPIKES_BETWEEN_LOOKS = 2**18
# Traces of a chunk that is written to the disk.
_WINDOW_BYTES = 2**23


class InMemory:
    """A recording in memory: the parts stay in the log."""

    window_bytes: int | None = None

    def __init__(self) -> None:
        self._looked_at = 0

    def take(self, log: Log) -> None:
        """Refuse to go on where the spikes so far could just be joined.

        Raises
        ------
        NotEnoughMemoryError
            More spikes would not fit.
        """
        if log.n_spikes - self._looked_at < _SPIKES_BETWEEN_LOOKS:
            return
        self._looked_at = log.n_spikes
        require_memory(
            f"simulate: the {log.n_spikes} spikes recorded so far, made one array each,",
            _BYTES_TO_JOIN * log.n_spikes + _SPARE_BYTES,
            "record to disk (simulate.record_to=folder); the error's .recording holds what was "
            "recorded, and its final_state continues the run",
        )

    def checkpoint(self, log: Log) -> tuple[dict[str, Any] | None, dict[str, np.ndarray]]:
        """Return what is needed to go on here: nothing of the disk, and arrays."""
        arrays: dict[str, np.ndarray] = {}
        for index, name in enumerate(log.spikes):
            steps, ids = log.take_spikes(name)
            log.spikes[name].append((steps, ids))
            arrays |= {f"steps {index}": steps, f"ids {index}": ids}
            for variable, trace in log.traces.get(name, {}).items():
                arrays[f"{variable} {index}"] = trace[: log.n_samples(name)]
        return None, arrays

    def resume(self, log: Log, arrays: Mapping[str, np.ndarray]) -> None:
        """Fill a new log with what a checkpoint holds; the first one of a run holds nothing."""
        if not arrays:
            return
        for index, name in enumerate(log.spikes):
            steps, ids = arrays[f"steps {index}"], arrays[f"ids {index}"]
            log.spikes[name].append((steps, ids))
            log.n_spikes += len(steps)
            for variable, trace in log.traces.get(name, {}).items():
                saved = arrays[f"{variable} {index}"]
                trace[: len(saved)] = saved

    def recording(self, built: Built, log: Log, final_state: Any, complete: bool) -> Recording:
        """Return what was recorded."""
        dt = built.dt
        start, duration = log.first * dt, (log.done - log.first) * dt
        populations = {}
        for population in built.populations:
            name = population.name
            steps, ids = log.take_spikes(name)
            traces: dict[str, np.ndarray] = {}
            times: np.ndarray = np.zeros(0)
            neurons: np.ndarray = np.zeros(0, dtype=np.int64)
            if name in log.requests:
                neurons, times = log.requests[name].neurons, _trace_times(log, name, dt)
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
                start=start,
                duration=duration,
                dt=dt,
            )
        return Recording(
            dt=dt,
            start=start,
            duration=duration,
            seed=built.seed,
            parameters={p.name: p.parameters for p in built.populations},
            final_state=final_state,
            _populations=populations,
        )


class Disk:
    """A recording in a folder, which has another name until it is complete.

    Parameters
    ----------
    path : Path
        The folder; until it is complete, ".part" follows its name.
    """

    window_bytes: int | None = _WINDOW_BYTES

    def __init__(self, path: Path):
        self.path, self.part = path, path.with_name(path.name + ".part")
        self._folder: RecordingFolder

    def refuse_beforehand(
        self, requests: Mapping[str, TraceRequest], n_steps: int, resumed: State | None
    ) -> None:
        """Refuse names that are taken, and traces that are too large for the disk.

        The run is the one that goes on from `resumed`, if that is given.
        """
        if not self.path.parent.is_dir():
            raise ParameterError(f"simulate.record_to: there is no folder {self.path.parent}")
        if self.path.exists():
            if resumed is not None:
                self._refuse_finished(resumed)
            raise ParameterError(f"simulate.record_to: {self.path} is there already")
        if resumed is not None:
            return
        if self.part.exists():
            raise ParameterError(
                f"simulate.record_to: {self.part} is what a run that was cut off has left; pass "
                "its checkpoint to go on with it, or delete it"
            )
        needed = trace_bytes(requests, 0, n_steps)
        free = shutil.disk_usage(self.path.parent).free
        if needed > free:
            raise NotEnoughMemoryError(
                f"simulate.record_to: the traces need {readable(needed)} ({needed} bytes), "
                f"{readable(free)} ({free} bytes) are free on the disk; record fewer neurons or "
                "at a longer interval"
            )

    def load(self, state: State) -> Recording:
        """Return the recording of a run that ended at `state` in an earlier call."""
        recording = load_recording(self.path, verify=False)
        if not _ends_at(recording, state):
            raise ParameterError(f"simulate.record_to: {self.path} is there already")
        return replace(recording, final_state=state)

    def _refuse_finished(self, state: State) -> None:
        """Say how a run that ended at `state` is made longer, if it is what the folder holds."""
        try:
            recording = load_recording(self.path, verify=False)
        except (OSError, SpikesimError):
            return
        if _ends_at(recording, state):
            raise ParameterError(
                f"simulate.record_to: {self.path} is complete with {recording.duration:g} ms, and "
                "nothing is added to a complete folder; call with this duration, and continue its "
                "final_state (simulate.state) in another folder, with another checkpoint"
            )

    def open(self, built: Built, log: Log, about: Mapping[str, Any] | None) -> None:
        """Make the folder, or go on with the one that a checkpoint tells `about`."""
        populations: dict[str, dict[str, Any]] = {}
        for population in built.populations:
            populations[population.name] = {"n": population.n}
            if population.name in log.requests:
                request = log.requests[population.name]
                populations[population.name] |= {
                    "variables": request.variables,
                    "neurons": request.neurons,
                }
        if about == {} and self.part.exists():
            shutil.rmtree(self.part)  # Begun, and killed before the first checkpoint.
        self._folder = RecordingFolder(self.part, populations)
        self._dt = built.dt
        if about:
            (self.part / "header.json").unlink(missing_ok=True)
            self._folder.resume(about)

    def take(self, log: Log) -> None:
        """Move what is in the log to the disk."""
        for name in log.spikes:
            steps, ids = log.take_spikes(name)
            self._folder.append(name, "spike_times", steps * self._dt)
            self._folder.append(name, "spike_ids", ids)
            if name in log.requests:
                n = log.n_samples(name)
                self._folder.append(name, "trace_times", _trace_times(log, name, self._dt))
                for variable, trace in log.traces[name].items():
                    self._folder.append(name, variable, trace[:n].copy())
        log.begun = log.done
        self._folder.write()

    def checkpoint(self, log: Log) -> tuple[dict[str, Any] | None, dict[str, np.ndarray]]:
        """Have all on the disk; return what is needed to go on here."""
        return self._folder.about(), {}

    def recording(self, built: Built, log: Log, final_state: Any, complete: bool) -> Recording:
        """Return what was recorded; if it is complete, under its own name."""
        self.take(log)
        run = {
            "dt": built.dt,
            "start": log.first * built.dt,
            "duration": (log.done - log.first) * built.dt,
            "seed": built.seed,
        }
        self._folder.finish(run, {p.name: p.parameters for p in built.populations})
        if complete:
            os.replace(self.part, self.path)
            sync_folder(self.path.parent)
        recording = load_recording(self.path if complete else self.part, verify=False)
        return replace(recording, final_state=final_state)


def _ends_at(recording: Recording, state: State) -> bool:
    end = recording.start + recording.duration
    return (recording.seed, end) == (state.seed, state.step * state.dt)


def _trace_times(log: Log, name: str, dt: float) -> np.ndarray:
    interval = log.requests[name].interval
    return np.arange(log.begun // interval + 1, log.done // interval + 1) * interval * dt
