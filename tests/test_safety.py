"""Ctrl-C at any moment, threads, forks and workers: the same bits, and nothing hangs."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numba import config

import spikesim as sp
from spikesim.engine import run as engine
from spikesim.errors import ParameterError, ParameterTypeError

N = 30 if config.DISABLE_JIT else 1200


def network():
    a = sp.Population("a", sp.LIF(i_ext=sp.Uniform(300.0, 600.0)), N)
    b = sp.Population("b", sp.LIF(), N // 3)
    return sp.Network(
        [a, b],
        [
            sp.Projection(a, b, sp.FixedInDegree(9), sp.Normal(40.0, 9.0), 1.5, sp.Alpha(3.0)),
            sp.Projection(b, a, sp.FixedProbability(0.05), -2.0, sp.Uniform(1.0, 3.0)),
        ],
        [sp.PoissonInput(b, 2000.0, 1.0)],
    )


def spikes(threads=None, seed=1):
    recording = sp.simulate(network(), 30.0, seed=seed, threads=threads)
    return [(p.spike_times, p.spike_ids) for p in map(recording.__getitem__, recording.populations)]


def equal(one, two):
    return all(
        np.array_equal(a, b)
        for x, y in zip(one, two, strict=True)
        for a, b in zip(x, y, strict=True)
    )


@pytest.fixture(scope="module")
def alone():
    found = spikes(1)
    assert min(len(times) for times, _ in found) > 5
    return found


@pytest.mark.parametrize("threads", [None, 2, 3, 8, 64])
def test_any_number_of_threads_gives_the_same_bits(alone, threads):
    assert equal(spikes(threads), alone)


def test_more_threads_than_neurons():
    whole = sp.simulate(sp.Population("a", sp.LIF(i_ext=500.0), 3), 50.0, threads=1)
    many = sp.simulate(sp.Population("a", sp.LIF(i_ext=500.0), 3), 50.0, threads=1024)
    np.testing.assert_array_equal(whole["a"].spike_times, many["a"].spike_times)


@pytest.mark.parametrize(
    ("threads", "kind"),
    [(0, ValueError), (-1, ValueError), (1025, ValueError), (10**30, ValueError),
     (1.5, TypeError), (2.0, TypeError), ("2", TypeError), (True, TypeError)],
)  # fmt: skip
def test_threads_that_cannot_be_are_refused(threads, kind):
    with pytest.raises(kind, match=r"simulate\.threads must be") as caught:
        sp.simulate(sp.LIF(), 1.0, threads=threads)
    assert isinstance(caught.value, (ParameterError, ParameterTypeError))


def test_several_python_threads_at_once(alone):
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(spikes, [1, 2, 3, None] * 2))
    assert all(equal(one, alone) for one in found)


def test_python_threads_may_continue_one_state():
    state = sp.simulate(network(), 10.0, seed=1, threads=1).final_state
    expected = sp.simulate(network(), 5.0, state=state)["a"].spike_times

    def go_on(threads):
        return sp.simulate(network(), 5.0, state=state, threads=threads)["a"].spike_times

    with ThreadPoolExecutor(4) as pool:
        for times in pool.map(go_on, [1, 2, 3, 2, None, 4]):
            np.testing.assert_array_equal(times, expected)


def _put(queue):
    queue.put(spikes(2))


def test_after_a_fork(alone):
    fork = "fork" in multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("fork" if fork else "spawn")
    queue = context.SimpleQueue()
    children = [context.Process(target=_put, args=(queue,)) for _ in range(2)]
    for child in children:
        child.start()
    for _ in children:
        assert equal(queue.get(), alone)
    for child in children:
        child.join(30)
        assert child.exitcode == 0


def _in_worker(seed):
    return os.getpid(), engine.default_threads(), spikes(seed=seed)


def test_in_workers_of_joblib(alone):
    import joblib

    with joblib.parallel_config("loky", n_jobs=2):
        found = joblib.Parallel()(joblib.delayed(_in_worker)(1) for _ in range(4))
    assert os.getpid() not in {pid for pid, _, _ in found}
    assert all(equal(one, alone) for _, _, one in found)
    # joblib shares the cores out among its workers.
    assert {threads for _, threads, _ in found} == {max(1, (os.cpu_count() or 1) // 2)}


class Broken(Exception):
    pass


@pytest.mark.parametrize("me", [0] if config.DISABLE_JIT else [0, 1, 2])
def test_an_error_in_one_thread_ends_all(monkeypatch, me):
    calls = []

    def breaking(*features):
        work = make_worker(*features)

        def fail(which, *arguments):
            if which == me:
                calls.append(which)
                if len(calls) == 3:
                    raise Broken
            return work(which, *arguments)

        return fail

    make_worker = engine.make_worker
    with monkeypatch.context() as patched:
        patched.setattr(engine, "make_worker", breaking)
        with pytest.raises(Broken):
            sp.simulate(network(), 1e6, threads=3)
    assert not [t for t in threading.enumerate() if t.name.startswith("spikesim_")]
    assert sp.simulate(network(), 1.0, threads=3).duration == 1.0


def test_fewer_threads_where_the_system_has_no_more(monkeypatch, alone):
    start = threading.Thread.start
    started = []

    def refuse(self):
        if self.name.startswith("spikesim_"):
            started.append(self)
            if len(started) > 1:
                raise RuntimeError("can't start new thread")
        start(self)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    team, executor = engine._team(4)
    assert (team, executor) == (1, None) and len(started) == 2
    assert equal(spikes(3), alone)


def test_ctrl_c_between_the_starts_of_threads_does_not_hang():
    """Pressed twice, at any moment: whatever was begun ends."""
    for delay in (0.01, 0.05, 0.1):
        pressed = [
            threading.Timer(delay + more, signal.raise_signal, (signal.SIGINT,))
            for more in (0.0, 0.003)
        ]

        def press(done, total, pressed=pressed):
            for timer in pressed:
                if not timer.is_alive() and not timer.finished.is_set():
                    timer.start()

        with pytest.raises(KeyboardInterrupt):
            try:
                sp.simulate(network(), 1e6, threads=2, progress=press)
            finally:
                # The second one may come when the first has been dealt with.
                for timer in pressed:
                    timer.join()
    assert not [t for t in threading.enumerate() if t.name.startswith("spikesim_")]


CHILD = """
import os, signal, sys, threading, time
import spikesim as sp
signal.signal(signal.SIGINT, signal.default_int_handler)
def simulate(n, duration):
    a = sp.Population("a", sp.LIF(i_ext=400.0), n)
    projection = sp.Projection(a, a, sp.FixedProbability(0.2), sp.Normal(0.1, 0.01), 1.5)
    return sp.simulate(sp.Network([a], [projection]), duration, threads=int(sys.argv[2]))
simulate(20, 1.0)
pressed = []
def press():
    pressed.append(time.perf_counter())
    os.kill(os.getpid(), signal.SIGINT)
threading.Timer(float(sys.argv[3]), press).start()
try:
    simulate(int(sys.argv[1]), 2e8)
except sp.SimulationInterrupted as error:
    print(time.perf_counter() - pressed[0], error, error.recording is None)
"""


@pytest.mark.parametrize(("threads", "delay"), [(1, 0.4), (2, 0.15)])
def test_ctrl_c_while_a_network_is_built(threads, delay):
    n = 1500 if config.DISABLE_JIT else 12_000
    arguments = [sys.executable, "-c", CHILD, str(n), str(threads), str(delay)]
    output = subprocess.run(arguments, capture_output=True, text=True, check=True).stdout
    seconds, text = output.split(maxsplit=1)
    assert text == "interrupted while the network was built True\n"
    # 0.2 s on a machine that does nothing else.
    assert float(seconds) < 20.0


def test_a_thousand_runs_leave_no_memory_behind(tmp_path):
    """What Python and NumPy hold: the same after many cycles as after some."""
    import gc
    import tracemalloc

    def cycles(n):
        for seed in range(n):
            recording = sp.simulate(network(), 0.5, seed=seed, record="v", threads=2)
            sp.simulate(network(), 0.5, state=recording.final_state)
        gc.collect()

    n = 3 if config.DISABLE_JIT else 40
    cycles(3)
    tracemalloc.start()
    try:
        cycles(3)
        before = tracemalloc.get_traced_memory()[0]
        cycles(n)
        assert tracemalloc.get_traced_memory()[0] - before < 2**17
    finally:
        tracemalloc.stop()
    assert threading.active_count() < 20
