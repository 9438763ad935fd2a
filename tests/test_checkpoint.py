"""Runs that are cut off, by Ctrl-C, an error or kill -9, and go on to the same bits."""

import errno
import importlib.util
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from numba import config

import spikesim as sp
from spikesim.errors import DamagedFileError, ParameterError, StorageError
from spikesim.simulation.checkpoint import Checkpoint

LONG = 300.0 if config.DISABLE_JIT else 30_000.0
RECORD = {"exc": sp.Record(("v", "i_syn"), [3, 0], 0.7)}


def network():
    exc = sp.Population("exc", sp.LIF(), 40)
    inh = sp.Population("inh", sp.LIF(), 10)
    return sp.Network(
        [exc, inh],
        [
            sp.Projection(exc, inh, sp.FixedProbability(0.5), 60.0, 1.5, sp.Exponential(5.0)),
            sp.Projection(inh, exc, sp.AllToAll(), sp.Normal(-40.0, 9.0), 6.0, sp.Alpha(3.0)),
        ],
        [sp.PoissonInput(exc, 9000.0, 60.0, sp.Exponential(5.0))],
    )


def run(folder, duration=LONG, checkpoint=True, disk=False, **about):
    if checkpoint:
        about |= {"checkpoint": folder / "run.ckpt", "checkpoint_interval": 1e-3}
    if disk:
        about |= {"record_to": folder / "spikes"}
    return sp.simulate(network(), duration, **({"seed": 3, "record": RECORD} | about))


def same(one, two):
    assert (one.start, one.duration, one.seed) == (two.start, two.duration, two.seed)
    for name in one.populations:
        for attribute in ("spike_times", "spike_ids", "trace_times", "trace_neurons", "v_th"):
            a, b = getattr(one[name], attribute), getattr(two[name], attribute)
            np.testing.assert_array_equal(a, b)
            assert a.dtype == b.dtype
        assert set(one[name].traces) == set(two[name].traces)
        for variable, trace in one[name].traces.items():
            np.testing.assert_array_equal(trace, two[name].traces[variable])
    for name, array in one.final_state.arrays.items():
        np.testing.assert_array_equal(array, two.final_state.arrays[name])


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(autouse=True)
def every_chunk_is_told(monkeypatch):
    monkeypatch.setattr("spikesim.simulation.progress._BAR_EVERY_SECONDS", 0.0)


class Stop(Exception):
    pass


def stop_after(time_done):
    def progress(done, total):
        if done >= time_done:
            raise Stop

    return progress


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    recording = run(folder, checkpoint=False)
    assert len(recording["exc"].spike_times) > 100 and len(recording["inh"].spike_times) > 10
    same(recording, run(folder, checkpoint=False, disk=True))
    return recording, contents(folder / "spikes")


@pytest.mark.parametrize("disk", [False, True])
def test_an_error_and_ctrl_c_lose_nothing(tmp_path, whole, disk):
    def press(done, total):
        if done > 0.5 * LONG:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(Stop) as caught:
        run(tmp_path, disk=disk, progress=stop_after(0.2 * LONG))
    stopped = caught.value.recording
    assert 0.2 * LONG <= stopped.duration < LONG
    with pytest.raises(sp.SimulationInterrupted) as caught:
        run(tmp_path, disk=disk, progress=press, threads=2)
    interrupted = caught.value.recording
    assert stopped.duration < interrupted.duration < LONG
    n = len(interrupted["exc"].spike_times)
    np.testing.assert_array_equal(interrupted["exc"].spike_times, whole[0]["exc"].spike_times[:n])
    if disk:
        same_part = sp.load_recording(tmp_path / "spikes.part")
        assert same_part.duration == interrupted.duration
    same(run(tmp_path, disk=disk, seed=None), whole[0])
    if disk:
        assert contents(tmp_path / "spikes") == whole[1]
    assert set(os.listdir(tmp_path)) == {"run.ckpt", *(["spikes"] if disk else [])}


@pytest.mark.parametrize("disk", [False, True])
def test_a_finished_run_is_there_at_once_and_can_be_longer(tmp_path, whole, disk, monkeypatch):
    same(run(tmp_path, disk=disk), whole[0])

    def never(*arguments):
        raise AssertionError("nothing is left to do")

    with monkeypatch.context() as patched:
        patched.setattr("spikesim.engine.run._State.advance", never)
        same(run(tmp_path, disk=disk), whole[0])
    if disk:
        with pytest.raises(ParameterError, match=r"is complete with .* final_state"):
            run(tmp_path, LONG + 30.0, disk=True)
        # What the message says.
        about = {"state": run(tmp_path, disk=True).final_state, "seed": None}
        paths = {"record_to": tmp_path / "more", "checkpoint": tmp_path / "more.ckpt"}
        more = sp.simulate(network(), 30.0, record=RECORD, **about, **paths)
        longer = run(tmp_path, LONG + 30.0, checkpoint=False)
        late = longer["exc"].spike_times > LONG
        np.testing.assert_array_equal(more["exc"].spike_times, longer["exc"].spike_times[late])
        (tmp_path / "more").rename(tmp_path / "spikes.other")
        (tmp_path / "spikes").rename(tmp_path / "elsewhere")
        (tmp_path / "spikes.other").rename(tmp_path / "spikes")
        with pytest.raises(ParameterError, match=r"simulate\.record_to: .* is there already"):
            run(tmp_path, LONG + 30.0, disk=True)
        (tmp_path / "spikes").rename(tmp_path / "spikes.other")
        with pytest.raises((ParameterError, DamagedFileError)):
            run(tmp_path, LONG + 30.0, disk=True)
    else:
        longer = run(tmp_path, LONG + 30.0)
        same(longer, run(tmp_path, LONG + 30.0, checkpoint=False))


CHILD = """
import sys
from pathlib import Path
from tests.test_checkpoint import run
def say(done, total):
    print("running", flush=True)
run(Path(sys.argv[1]), disk=sys.argv[2] == "True", threads=int(sys.argv[3]), progress=say)
print("over", flush=True)
"""


@pytest.mark.parametrize("disk", [False, True])
def test_kill_9_at_random_moments_costs_no_bit(tmp_path, whole, disk):
    rng = np.random.default_rng(int(disk))
    cut_off = 0
    for attempt in range(3):
        arguments = [sys.executable, "-c", CHILD, str(tmp_path), str(disk), str(1 + attempt % 2)]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as child:
            line = child.stdout.readline()
            time.sleep(rng.uniform(0.0, 0.15))
            child.send_signal(signal.SIGKILL)
            line += child.communicate(timeout=60)[0]
        assert "running" in line or "over" in line
        cut_off += "over" not in line
    same(run(tmp_path, disk=disk), whole[0])
    if disk:
        assert contents(tmp_path / "spikes") == whole[1]
    assert cut_off or config.DISABLE_JIT


@pytest.mark.parametrize("disk", [False, True])
def test_a_run_killed_before_its_second_checkpoint_starts_again(tmp_path, whole, monkeypatch, disk):
    calls = []
    write = Checkpoint.write

    def write_once(self, *arguments):
        if calls:
            raise OSError("no space left on device")
        calls.append(arguments)
        write(self, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(Checkpoint, "write", write_once)
        with pytest.raises(OSError, match="no space"):
            run(tmp_path, disk=disk)
    assert (tmp_path / "spikes.part").is_dir() is disk and not (tmp_path / "spikes").exists()
    same(run(tmp_path, disk=disk), whole[0])
    if disk:
        assert contents(tmp_path / "spikes") == whole[1]


def test_a_checkpoint_is_for_its_own_run(tmp_path):
    path = tmp_path / "run.ckpt"
    first = sp.simulate(network(), 10.0, seed=3).final_state
    with pytest.raises(Stop):
        run(tmp_path, progress=stop_after(0.3 * LONG))
    for changed, words in (
        ({"seed": 4}, "a run with seed 3, simulate.seed is another; leave it out"),
        ({"dt": 0.05}, "dt = 0.1"),
        ({"precision": "compact"}, "precision"),
        ({"record": None}, r"\(simulate\.record\): of 'exc' .* every .* ms, not spikes alone"),
        (
            {"record": {"exc": sp.Record(("v", "i_syn"), [0, 3], 0.7)}},
            r"\(simulate\.record\): of 'exc' .* every .* ms",
        ),
        ({"state": first, "seed": None}, r"began at 0 ms, not at 10 ms \(simulate\.state\)"),
        ({"duration": 0.7}, r"simulate\.duration must be at least"),
        ({"disk": True}, r"simulate\.record_to"),
    ):
        with pytest.raises(ParameterError, match=words):
            run(tmp_path, **changed)
    with pytest.raises(ParameterError, match="another network: it has a population 'exc'"):
        sp.simulate(sp.LIF(), LONG, checkpoint=path)
    data = path.read_bytes()
    for damaged in (data[:-1], data[:30], data[: len(data) // 2] + b"x" + data[len(data) // 2 :]):
        path.write_bytes(damaged)
        with pytest.raises(DamagedFileError, match="damaged"):
            run(tmp_path)
    first.save(path)
    with pytest.raises(DamagedFileError, match="is a state of a simulation, not a checkpoint"):
        run(tmp_path)


def test_a_checkpoint_of_a_continued_run(tmp_path):
    first = sp.simulate(network(), 33.0, seed=3).final_state
    about = {"state": first, "seed": None}
    with pytest.raises(Stop):
        run(tmp_path, progress=stop_after(0.3 * LONG), **about)
    same(run(tmp_path, **about), run(tmp_path, checkpoint=False, **about))
    other = sp.simulate(network(), 33.0, seed=4).final_state
    with pytest.raises(ParameterError, match="own seed|another state"):
        run(tmp_path, state=other, seed=None)


def test_states_before_the_first_step_are_told_apart_by_their_seed(tmp_path):
    starts = [sp.simulate(network(), 0.0, seed=seed).final_state for seed in (3, 4)]
    with pytest.raises(Stop):
        run(tmp_path, progress=stop_after(0.3 * LONG), state=starts[0], seed=None)
    with pytest.raises(ParameterError, match="another state .* of seed 3, not 4"):
        run(tmp_path, state=starts[1], seed=None)
    same(
        run(tmp_path, state=starts[0], seed=None),
        run(tmp_path, checkpoint=False, state=starts[0], seed=None),
    )


@pytest.mark.parametrize(
    ("about", "words"),
    [
        ({"checkpoint": ""}, r"simulate\.checkpoint must name a file"),
        ({"checkpoint": 3}, r"simulate\.checkpoint must be a path"),
        ({"checkpoint": "/none/there/run"}, r"simulate\.checkpoint: there is no folder"),
        ({"checkpoint": "."}, r"simulate\.checkpoint must name a file"),
        ({"checkpoint_interval": 0.0}, r"simulate\.checkpoint_interval"),
        ({"checkpoint_interval": "often"}, r"simulate\.checkpoint_interval"),
        ({"record_to": ""}, r"simulate\.record_to"),
        ({"record_to": 1.5}, r"simulate\.record_to"),
        ({"record_to": "/none/there/spikes"}, r"simulate\.record_to: there is no folder"),
    ],
)
def test_bad_paths_are_refused_by_name(about, words):
    with pytest.raises((ValueError, TypeError), match=words) as caught:
        sp.simulate(sp.LIF(), 1.0, **about)
    assert isinstance(caught.value, sp.SpikesimError)


def test_checkpoints_take_a_small_part_of_the_time(tmp_path, monkeypatch):
    """After one that took long, the next one is later."""
    now = [0.0]
    monkeypatch.setattr("spikesim.simulation.checkpoint.time.perf_counter", lambda: now[0])
    keeper = Checkpoint(tmp_path / "file", 60.0)
    keeper.begin(None, {})
    assert not keeper.due()

    def takes(seconds):
        def write(*arguments):
            now[0] += seconds

        return write

    state = sp.simulate(sp.LIF(), 0.0).final_state
    for seconds, wait in ((0.1, 60.0), (30.0, 600.0)):
        with monkeypatch.context() as patched:
            patched.setattr("spikesim.simulation.checkpoint.write_archive", takes(seconds))
            keeper.write(state, 0, None, {})
        now[0] += wait - 0.01
        assert not keeper.due()
        now[0] += 0.02
        assert keeper.due()


def full_after(monkeypatch, n):
    """Let a disk be full once a checkpoint was written `n` times."""
    write, done = Checkpoint.write, []

    def full(self, *arguments):
        done.append(None)
        if len(done) > n:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(self, *arguments)

    monkeypatch.setattr(Checkpoint, "write", full)


@pytest.mark.parametrize("due", [True, False])
def test_a_full_disk_costs_nothing_that_is_in_memory(tmp_path, whole, monkeypatch, due):
    """Neither during the run nor at its end."""
    with monkeypatch.context() as patched:
        full_after(patched, 1)
        patched.setattr(Checkpoint, "due", lambda self: due)
        with pytest.raises(
            OSError, match=r"simulate\.checkpoint: .*run\.ckpt cannot.*No space"
        ) as c:
            run(tmp_path)
    assert isinstance(c.value, StorageError) and c.value.errno == errno.ENOSPC
    recording = c.value.recording
    assert (0.0 < recording.duration < LONG) if due else (recording.duration == LONG)
    n_spikes = len(recording["exc"].spike_times)
    np.testing.assert_array_equal(
        recording["exc"].spike_times, whole[0]["exc"].spike_times[:n_spikes]
    )
    assert recording.final_state.step * 0.1 == pytest.approx(recording.duration)
    same(run(tmp_path), whole[0])


def test_a_full_disk_beside_another_error_is_a_note(tmp_path, monkeypatch):
    full_after(monkeypatch, 1)
    monkeypatch.setattr(Checkpoint, "due", lambda self: False)
    with pytest.raises(Stop) as caught:
        run(tmp_path, progress=stop_after(0.2 * LONG))
    assert caught.value.recording.duration >= 0.2 * LONG
    assert "simulate.checkpoint" in caught.value.__notes__[0]


def test_a_full_disk_while_recording_to_it_says_where(tmp_path, whole, monkeypatch):
    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("spikesim.recording.stored.RecordingFolder.write", full)
        with pytest.raises(StorageError, match=r"simulate\.record_to: .*spikes\.part.*call again"):
            run(tmp_path, disk=True)
    same(run(tmp_path, disk=True), whole[0])


def test_one_run_at_a_time_works_on_a_file(tmp_path, whole):
    (tmp_path / "run.ckpt.0123abcd.tmp").write_bytes(b"of a process that was killed")
    (tmp_path / "run.ckpt.lock").write_bytes(b"")

    def second(done, total):
        with pytest.raises(ParameterError, match=r"simulate\.checkpoint: another run is at work"):
            run(tmp_path)
        assert set(os.listdir(tmp_path)) == {"run.ckpt", "run.ckpt.lock"}

    if importlib.util.find_spec("fcntl"):
        same(run(tmp_path, progress=second), whole[0])
        assert os.listdir(tmp_path) == ["run.ckpt"]
