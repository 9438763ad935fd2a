"""Recordings on disk: in bounded memory, whole or not there, read where they are used."""

import json
import subprocess
import sys

import numpy as np
import pytest
from numba import config

import spikesim as sp
from spikesim.errors import (
    DamagedFileError,
    NonFiniteStateError,
    NotEnoughMemoryError,
    ParameterError,
)
from spikesim.recording import stored


def network(n=20):
    source = sp.Population("in", sp.PoissonSource(np.linspace(5.0, 400.0, n)), n)
    a = sp.Population("a / b", sp.LIF(reset="subtract", i_ext=sp.Uniform(300.0, 500.0)), n)
    timed = sp.Population("listed", sp.SpikeSource([3.0, 1.0], [1, 0]), 2)
    projection = sp.Projection(source, a, sp.AllToAll(), 9.0, 1.5, sp.Exponential(3.0))
    return sp.Network([source, a, timed], [projection])


RECORD = {"a / b": sp.Record(("v", "i_syn"), [3, 0], 0.7)}


def streamed(folder, duration=70.0, **about):
    about = {"seed": 3, "record": RECORD} | about
    return sp.simulate(network(), duration, record_to=folder, **about)


def test_what_is_read_back_is_what_was_recorded(tmp_path, monkeypatch):
    whole = sp.simulate(network(), 70.0, seed=3, record=RECORD)
    streamed(tmp_path / "one")
    # Small pieces: every chunk is a step, and everything is written at once.
    monkeypatch.setattr("spikesim.simulation.output._WINDOW_BYTES", 1)
    monkeypatch.setattr("spikesim.simulation.output.Disk.window_bytes", 1)
    monkeypatch.setattr("spikesim.recording.stored._BUFFER_BYTES", 0)
    recording = streamed(tmp_path / "two", threads=2)
    assert recording.final_state.step == 700
    loaded = sp.load_recording(tmp_path / "two")
    assert loaded.final_state is None and loaded.populations == whole.populations
    for got in (recording, loaded):
        assert (got.start, got.duration, got.dt, got.seed) == (0.0, 70.0, 0.1, 3)
        for name in whole.populations:
            for key in ("spike_times", "spike_ids", "trace_times", "trace_neurons"):
                a, b = getattr(whole[name], key), getattr(got[name], key)
                np.testing.assert_array_equal(a, b)
                assert a.dtype == b.dtype and a.shape == b.shape
            for variable, trace in whole[name].traces.items():
                np.testing.assert_array_equal(trace, got[name].traces[variable])
            for key, value in whole.parameters[name].items():
                np.testing.assert_array_equal(got.parameters[name][key], value)
        np.testing.assert_array_equal(got["a / b"].v_th, whole["a / b"].v_th)
        np.testing.assert_array_equal(got["in"].rates(), whole["in"].rates())
        assert repr(got) == repr(whole)
    one, two = (
        {p.name: p.read_bytes() for p in (tmp_path / name).iterdir()} for name in ("one", "two")
    )
    assert one == two
    times = np.load(tmp_path / "one" / "0_spike_times.npy", mmap_mode="r")
    np.testing.assert_array_equal(times, whole["in"].spike_times)
    v = np.load(tmp_path / "one" / "1_v.npy")
    np.testing.assert_array_equal(v, whole["a / b"].v)


@pytest.mark.parametrize("duration", [0.0, 0.1])
def test_nothing_recorded_is_a_recording_too(tmp_path, duration):
    recording = streamed(tmp_path / "none", duration)
    again = sp.load_recording(str(tmp_path / "none"))
    assert recording.duration == again.duration == duration
    assert again["a / b"].v.shape == (0, 2) and len(again["listed"].spike_times) == 0
    empty = sp.simulate(
        network(), 5.0, record={"a / b": sp.Record("v", [])}, record_to=tmp_path / "empty"
    )
    assert empty["a / b"].v.shape == (50, 0)


def test_arrays_are_read_where_they_are_used(tmp_path):
    recording = streamed(tmp_path / "run")
    times = recording["in"].spike_times
    assert type(times) is np.ndarray and isinstance(times.base, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        times[0] = 1.0


def test_a_name_that_is_taken_is_refused_before_anything_runs(tmp_path):
    streamed(tmp_path / "run")
    for duration in (70.0, 80.0):
        with pytest.raises(ParameterError, match=r"simulate\.record_to: .*run is there already"):
            streamed(tmp_path / "run", duration)
    (tmp_path / "other.part").mkdir()
    with pytest.raises(ParameterError, match=r"other\.part is what a run that was cut off"):
        streamed(tmp_path / "other")


def test_traces_larger_than_the_disk_are_refused(tmp_path):
    with pytest.raises(NotEnoughMemoryError, match=r"simulate\.record_to: the traces need .*disk"):
        many = sp.Population("a", sp.LIF(), 10_000)
        sp.simulate(many, 2e8, record="v", record_to=tmp_path / "run")
    assert not list(tmp_path.iterdir())


def test_an_unfinished_run_is_no_recording(tmp_path):
    def fail(done, total):
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space"):
        streamed(tmp_path / "run", progress=fail)
    assert (tmp_path / "run.part").is_dir()
    for name in ("run", "run.part"):
        with pytest.raises(ParameterError, match="holds no recording, or one whose run was cut"):
            sp.load_recording(tmp_path / name)
    with pytest.raises(ParameterError, match=r"load_recording\.path: there is no folder .*nothing"):
        sp.load_recording(tmp_path / "nothing")


def test_every_damage_is_found(tmp_path):
    folder = tmp_path / "run"
    streamed(folder)
    rng = np.random.default_rng(0)
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        places = {0, 9, len(data) - 1, *rng.integers(0, len(data), 12).tolist()}
        changed = [data[:-1], data + b"\0", data[:5]]
        for place in places:
            flipped = bytearray(data)
            flipped[place] ^= 1 << int(rng.integers(8))
            changed.append(bytes(flipped))
        for damaged in changed:
            if path.suffix == ".json" and _json(damaged) == _json(data):
                continue  # A blank more.
            path.write_bytes(damaged)
            with pytest.raises(DamagedFileError, match=r"damaged|version|not a file"):
                sp.load_recording(folder)
        path.unlink()
        with pytest.raises((DamagedFileError, ParameterError, FileNotFoundError)):
            sp.load_recording(folder)
        path.write_bytes(data)
    assert sp.load_recording(folder).duration == 70.0
    with pytest.raises(TypeError, match=r"load_recording\.verify"):
        sp.load_recording(folder, verify="no")


def _json(data):
    try:
        return json.loads(data)
    except ValueError:
        return None


@pytest.mark.parametrize(
    ("change", "words"),
    [({"version": 2}, "version 2; this version"), ({"kind": "cake"}, "is a cake of version 1")],
)
def test_recordings_of_others_are_refused(tmp_path, change, words):
    streamed(tmp_path / "run")
    path = tmp_path / "run" / "header.json"
    header = json.loads(path.read_text()) | change
    header["sha256"] = stored._digest_of_header(header)
    path.write_text(json.dumps(header))
    with pytest.raises(DamagedFileError, match=words):
        sp.load_recording(tmp_path / "run")


def test_a_diverging_run_leaves_what_came_before(tmp_path):
    a = sp.Population("a", sp.LIF(v_th=np.inf), 3)
    spikes = sp.SpikeInput(a, np.full(5, 30.0), np.full(5, 1), 1e308, sp.Exponential(5.0))
    with pytest.raises(NonFiniteStateError, match="t = 30 ms") as caught:
        sp.simulate(sp.Network([a], inputs=[spikes]), 90.0, record="v", record_to=tmp_path / "run")
    recording = caught.value.recording
    assert recording.duration == pytest.approx(29.9) and len(recording["a"].v) == 299
    assert sp.load_recording(tmp_path / "run.part").duration == recording.duration


# Without the compiler there is no time for more than a trial.
DURATION = 1.0 if config.DISABLE_JIT else 5000.0
CHILD = """
import resource, sys
import spikesim as sp
network = sp.Population("a", sp.PoissonSource(2000.0), 1000)
lif = sp.Population("b", sp.LIF(), 250)
net = sp.Network([network, lif])
sp.simulate(net, 10.0, record="v", record_to=sys.argv[1] + "0", seed=1)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
recording = sp.simulate(net, float(sys.argv[2]), record={"b": "v"}, record_to=sys.argv[1], seed=1)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(after - before, len(recording["a"].spike_times), recording["b"].v.nbytes)
"""


def test_a_recording_may_be_larger_than_the_memory_it_takes(tmp_path):
    output = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path / "run"), str(DURATION)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    grown, n_spikes, n_bytes = map(int, output.split())
    size = 16 * n_spikes + n_bytes
    assert size > 50_000 * DURATION and n_bytes == 8 * 250 * round(DURATION / 0.1)
    assert grown * 1024 < 50e6
    assert config.DISABLE_JIT or size > 200e6
