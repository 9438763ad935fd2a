import io
import os
import pickle
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
from numba import config

import spikesim as sp
from spikesim._memory import readable
from spikesim.engine import connect
from spikesim.engine import run as engine
from spikesim.engine.build import build
from spikesim.engine.log import make_log
from spikesim.engine.pool import listen_while
from spikesim.errors import (
    NonFiniteStateError,
    NotEnoughMemoryError,
    ParameterError,
    RoundingWarning,
)
from spikesim.simulation import SimulationInterrupted
from spikesim.simulation.state import State

LONG = 50_000.0 if config.DISABLE_JIT else 50_000_000.0


def test_a_model_a_population_and_a_network_give_one_result():
    model = sp.LIF(i_ext=400.0)
    population = sp.Population("neuron", model)
    results = [sp.simulate(what, 100.0) for what in (model, population, sp.Network([population]))]
    for result in results:
        np.testing.assert_allclose(result["neuron"].spike_times, [27.8, 57.6, 87.4])


def test_samples_lie_at_multiples_of_the_interval():
    whole = sp.simulate(sp.LIF(i_ext=300.0), 10.0, record="v")["neuron"]
    assert whole.v.shape == (100, 1)
    coarse = sp.simulate(sp.LIF(i_ext=300.0), 10.0, record="v", record_interval=0.7)["neuron"]
    np.testing.assert_allclose(coarse.trace_times, 0.7 * np.arange(1, 15))
    np.testing.assert_array_equal(coarse.v, whole.v[6::7])
    asked = sp.Record("v", interval=2.5)
    np.testing.assert_allclose(
        sp.simulate(sp.LIF(), 10.0, record=asked)["neuron"].trace_times, [2.5, 5.0, 7.5, 10.0]
    )


def test_chosen_neurons_keep_their_order():
    population = sp.Population("a", sp.LIF(i_ext=[0.0, 100.0, 200.0]), 3)
    every = sp.simulate(population, 5.0, record=("v", "i_syn"))["a"]
    chosen = sp.simulate(population, 5.0, record={"a": sp.Record("v", [2, 0])})["a"]
    assert chosen.trace_neurons.tolist() == [2, 0]
    np.testing.assert_array_equal(chosen.v, every.v[:, [2, 0]])
    assert set(every.traces) == {"v", "i_syn"}
    assert not every.traces["i_syn"].any()


def test_bare_variables_are_recorded_wherever_they_exist():
    net = sp.Network([sp.Population("in", sp.PoissonSource(1.0)), sp.Population("a", sp.LIF())])
    recording = sp.simulate(net, 1.0, record="v")
    assert set(recording["a"].traces) == {"v"} and not recording["in"].traces
    assert recording["in"].v_th is None


def test_seeds_of_every_kind_reproduce_the_run():
    model = sp.PoissonSource(500.0)
    sequence = np.random.SeedSequence(5, spawn_key=(3,))
    for seed in (7, None, sequence, np.random.default_rng(2), 2**70):
        first = sp.simulate(model, 100.0, seed=seed)
        assert isinstance(first.seed, int)
        again = sp.simulate(model, 100.0, seed=first.seed)
        np.testing.assert_array_equal(first.spike_times, again.spike_times)
    assert sp.simulate(model, 0.0, seed=7).seed == 7
    spawned = [sp.simulate(model, 100.0, seed=s).seed for s in sequence.spawn(2)]
    assert len(set(spawned)) == 2


def test_no_time_gives_an_empty_recording_of_the_right_kind():
    recording = sp.simulate(sp.Population("a", sp.LIF(), 3), 0.0, record="v")["a"]
    assert recording.v.shape == (0, 3) and recording.v.dtype == np.float64
    assert recording.spike_times.dtype == np.float64 and recording.spike_ids.dtype == np.int64
    assert len(recording.spike_times) == len(recording.trace_times) == 0


def test_a_state_goes_on_only_with_its_own_network_step_and_seed():
    model = sp.LIF(i_ext=400.0)
    first = sp.simulate(model, 10.0, seed=3)
    state = first.final_state
    going_on = sp.simulate(sp.LIF(i_ext=400.0), 20.0, state=state, seed=3)
    assert (going_on.start, going_on.duration, going_on.seed) == (10.0, 20.0, 3)
    np.testing.assert_allclose(going_on.spike_times, [27.8])
    for changed in (
        {"network": sp.LIF(i_ext=401.0)},
        {"network": sp.Population("neuron", model, 2)},
        {"dt": 0.2},
    ):
        with pytest.raises(ParameterError, match=r"simulate\.state"):
            sp.simulate(**({"network": model, "duration": 1.0, "state": state} | changed))
    with pytest.raises(ParameterError, match=r"simulate\.seed"):
        sp.simulate(model, 1.0, state=state, seed=4)
    with pytest.raises(TypeError, match=r"simulate\.state"):
        sp.simulate(model, 1.0, state=first)


def test_runs_start_afresh_unless_told_to_go_on():
    network = sp.Network([sp.Population("a", sp.LIF(i_ext=400.0))])
    runs = [sp.simulate(network, 100.0).spike_times for _ in range(2)]
    np.testing.assert_array_equal(*runs)


def test_parameters_are_recorded():
    recording = sp.simulate(sp.Population("a", sp.LIF(tau_m=[5.0, 7.0], v_init=None), 2), 0.0)
    assert recording.parameters["a"]["tau_m"].tolist() == [5.0, 7.0]
    assert recording.parameters["a"]["v_init"].tolist() == [-65.0, -65.0]
    assert recording.parameters["a"]["reset"] == "to_potential"


def test_a_diverging_run_stops_and_says_where():
    a = sp.Population("a", sp.LIF(v_th=np.inf), 3)
    times = np.full(5, 30.0)
    spikes = sp.SpikeInput(a, times, np.full(5, 1), 1e308, sp.Exponential(5.0))
    network = sp.Network([a], inputs=[spikes])
    with pytest.raises(NonFiniteStateError, match=r"neuron 1 of population 'a'.*t = ") as caught:
        sp.simulate(network, 1000.0, record="v")
    recording = caught.value.recording
    # The fifth spike of 1e308 pA is one too many for a number; v is driven one step later.
    assert f"t = {round(recording.duration + 0.1, 1):g} ms" in str(caught.value)
    assert recording.duration == pytest.approx(29.9)
    assert np.isfinite(recording["a"].v).all() and len(recording["a"].v) == 299
    with pytest.raises(FloatingPointError):
        sp.simulate(network, 1000.0)
    assert sp.simulate(network, 20.0).duration == 20.0


@pytest.mark.parametrize("threads", [1, 3])
def test_the_step_of_a_failure_is_found_within_a_chunk(monkeypatch, threads):
    """Also in a recurrent network with spikes on their way, for any cut into chunks."""
    a = sp.Population("a", sp.LIF(i_ext=sp.Uniform(400.0, 600.0)), 12)
    b = sp.Population("b", sp.LIF(v_th=np.inf), 8)
    network = sp.Network(
        [a, b],
        [
            sp.Projection(a, a, sp.AllToAll(), 9.0, 4.3, sp.Exponential(3.0)),
            sp.Projection(a, b, sp.AllToAll(), 1.0, 2.0),
        ],
        [
            sp.NoiseCurrent(a, 0.0, 100.0),
            sp.SpikeInput(b, [81.3, 81.3], [5, 5], 1e308, sp.Exponential(1.0)),
        ],
    )
    said = []
    for most in (2**23, -1):
        monkeypatch.setattr(engine, "_MOST_KEPT", most)
        with pytest.raises(NonFiniteStateError, match="neuron 5 of population 'b'") as caught:
            sp.simulate(network, 1000.0, seed=1, record="v", threads=threads)
        said.append(str(caught.value))
        recording = caught.value.recording
        assert np.isfinite(recording["b"].v).all() and recording.duration < 81.3
        whole = sp.simulate(network, recording.duration, seed=1, record="v")
        np.testing.assert_array_equal(recording["a"].spike_times, whole["a"].spike_times)
        np.testing.assert_array_equal(recording["a"].v, whole["a"].v)
    assert "at t = 81.3 ms" in said[0] and "between t = " in said[1]


def test_a_request_for_traces_beyond_memory_is_refused_first():
    population = sp.Population("a", sp.LIF(), 1000)
    with pytest.raises(
        NotEnoughMemoryError, match=r"simulate\.record: the traces need .*bytes.*available"
    ):
        sp.simulate(population, 2e8, record="v")
    with pytest.raises(MemoryError):
        sp.simulate(population, 2e8, record="v")


def test_traces_and_network_together_beyond_memory_are_refused_first(monkeypatch):
    a = sp.Population("a", sp.LIF(), 10_000)
    network = sp.Network([a], [sp.Projection(a, a, sp.FixedInDegree(3000), 1.0)])
    monkeypatch.setattr("spikesim._memory.available_memory", lambda: 10**8)
    needed = sp.memory_needed(network, 100.0, record="v")
    assert (needed.n_neurons, needed.n_synapses) == (10_000, 30_000_000)
    assert needed.traces == 80_000_000 and 60_000_000 < needed.synapses < 10**8
    assert needed.total == needed.neurons + needed.synapses + needed.traces + needed.delays
    assert "30000000 synapses: 6" in str(needed) and "bytes for each spike" in str(needed)
    with pytest.raises(
        NotEnoughMemoryError, match="network and traces .* need .*simulate.record_to"
    ):
        sp.simulate(network, 100.0, record="v")
    to_disk = sp.memory_needed(network, 100.0, record="v", record_to="folder")
    assert (to_disk.traces, to_disk.per_spike) == (0, 0)
    for bad, name in (({"duration": -1.0}, "duration"), ({"precision": "low"}, "precision"),
                      ({"dt": 0.0}, "dt"), ({"network": 3}, "network")):  # fmt: skip
        with pytest.raises((ValueError, TypeError), match=rf"memory_needed\.{name}"):
            sp.memory_needed(**({"network": network} | bad))


@pytest.mark.parametrize("precision", ["double", "compact"])
@pytest.mark.parametrize(
    "delays",
    [(700.0, 5.0), (0.5, sp.Uniform(0.5, 300.0)), (1.5, [0.5, 90.0, 60.0])],
)
def test_memory_for_what_is_on_its_way_is_what_a_run_holds(delays, precision):
    source = sp.Population("in", sp.PoissonSource(10.0), 3)
    rate = sp.Population("rate", sp.SigmoidRate(), 3)
    out = sp.Population("out", sp.LIF(), 3)
    projections = [
        sp.Projection(source, out, sp.OneToOne(), 0.1, delays[0]),
        sp.Projection(source, out, sp.FixedProbability(0.0), 0.1, 9e4),
        sp.Projection(rate, out, sp.OneToOne(), [0.1, 0.2, 0.3], delays[1]),
    ]
    network = sp.Network([source, rate, out], projections)
    needed = sp.memory_needed(network, 100.0, dt=0.5, precision=precision)
    built = build(network, 0.5, 1, precision=precision, threads=engine.default_threads())
    arrays = engine.initial_arrays(built)
    state = engine._State(built, arrays, make_log(built, {}, 0, 1, None))
    held = sum(array.nbytes for calendar in state.calendars for array in calendar)
    held += state.memory.rates.nbytes + arrays["rate.rates"].nbytes
    # Delays that are drawn need not come near the longest that they can be.
    assert held <= needed.delays + 8 * 3 * built.stretch
    assert needed.delays <= (1.6 if isinstance(delays[1], sp.Uniform) else 1.0) * held
    assert f"delays: {readable(needed.delays)}" in str(needed)


def test_a_delay_too_long_for_the_memory_is_refused_before_anything_is_built(monkeypatch):
    a = sp.Population("a", sp.LIF(), 10)
    network = sp.Network([a], [sp.Projection(a, a, sp.OneToOne(), 0.1, 1e6)])
    monkeypatch.setattr("spikesim._memory.available_memory", lambda: 10**8)
    monkeypatch.setattr("spikesim.engine.run.run", None)
    with pytest.raises(NotEnoughMemoryError, match="Projection.delay: .*shorten the longest delay"):
        sp.simulate(network, 1.0)


def test_delays_that_are_drawn_are_not_refused_for_what_they_could_be():
    a = sp.Population("a", sp.LIF(), 10)
    rare = sp.LogNormal(5.0, 500.0, low=0.1)
    network = sp.Network([a], [sp.Projection(a, a, sp.AllToAll(), 0.1, rare)])
    assert sp.memory_needed(network).delays > 10**10
    assert sp.simulate(network, 30.0, seed=1).duration == 30.0


def test_a_run_ends_before_steps_no_longer_fit_into_a_word():
    neuron = sp.LIF(i_ext=400.0)
    last = 2**31 - 1
    with pytest.raises(ParameterError, match=r"simulate\.duration must end by step 2\*\*31 - 1"):
        sp.simulate(neuron, (last + 1) * 0.1)
    half = sp.simulate(neuron, 100.0, seed=1).final_state
    late = State(last - 1000, half.arrays, half.network, half.dt, half.seed, half.precision)
    recording = sp.simulate(late.network, 100.0, state=late)
    assert recording["neuron"].spike_times.min() > (last - 1000) * 0.1
    with pytest.raises(ParameterError, match="go beyond"):
        sp.simulate(late.network, 100.1, state=late)


def test_no_delays_need_next_to_nothing():
    assert sp.memory_needed(sp.LIF()).delays < 100


def test_spikes_beyond_memory_stop_the_run_and_lose_nothing(monkeypatch):
    monkeypatch.setattr("spikesim.simulation.output._SPIKES_BETWEEN_LOOKS", 100)
    monkeypatch.setattr("spikesim._memory.available_memory", lambda: 2**26 + 24 * 3000)
    model = sp.LIF(i_ext=1e5, t_ref=0.0)
    with pytest.raises(
        NotEnoughMemoryError, match=r"spikes recorded so far.*simulate\.record_to"
    ) as caught:
        sp.simulate(sp.Population("a", model, 5), LONG)
    recording = caught.value.recording
    n = len(recording["a"].spike_times)
    assert n > 3000 and n == 5 * round(recording.duration / 0.1)
    state = recording.final_state
    assert sp.simulate(sp.Population("a", model, 5), 1.0, state=state).start == recording.duration


def test_progress_reports_up_to_the_end():
    seen = []
    sp.simulate(sp.LIF(), 500.0, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (pytest.approx(500.0), pytest.approx(500.0))
    assert all(a < b for (a, _), (b, _) in zip(seen, seen[1:], strict=False))
    state = sp.simulate(sp.LIF(), 500.0).final_state
    seen.clear()
    sp.simulate(sp.LIF(), 20.0, state=state, progress=lambda *t: seen.append(t))
    assert seen[-1] == (pytest.approx(20.0), pytest.approx(20.0))


def test_a_bar_is_shown_when_asked_for_and_not_otherwise(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    for progress, shown in ((True, True), (False, False), (None, False)):
        screen = Terminal()
        monkeypatch.setattr(sys, "stderr", screen)
        sp.simulate(sp.LIF(), 100.0, progress=progress)
        assert ("100/100 ms" in screen.getvalue()) is shown
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr("spikesim.simulation.progress._BAR_AFTER_SECONDS", -1.0)
    sp.simulate(sp.LIF(), 1000.0)
    shown = screen.getvalue()
    assert "1000/1000 ms" in shown and "x real time" in shown and "left]" in shown


def test_the_bar_says_that_a_network_is_built(monkeypatch):
    screen = io.StringIO()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr("spikesim.simulation.progress._BUILD_AFTER_SECONDS", 0.0)
    a = sp.Population("a", sp.LIF(), 300)
    network = sp.Network([a], [sp.Projection(a, a, sp.AllToAll(), 0.0)])
    sp.simulate(network, 1.0, progress=True)
    shown = screen.getvalue()
    assert "build: 300 neurons, 1 projections [00:00]" in shown and "1/1 ms" in shown
    assert shown.index("build") < shown.index("simulate")


def test_an_error_in_a_progress_function_is_not_hidden():
    def fail(done, total):
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        sp.simulate(sp.LIF(), 10.0, progress=fail)


def test_an_error_in_a_progress_function_loses_nothing():
    def fail(done, total):
        if done >= 100.0:
            raise RuntimeError("stop")

    model = sp.LIF(i_ext=400.0)
    with pytest.raises(RuntimeError, match="stop") as caught:
        sp.simulate(model, LONG, progress=fail)
    recording = caught.value.recording
    assert recording.duration >= 100.0 and len(recording.spike_times) >= 3
    assert sp.simulate(model, 1.0, state=recording.final_state).start == recording.duration


def test_ctrl_c_keeps_what_was_recorded_and_can_be_continued():
    model = sp.LIF(i_ext=400.0)
    handler = signal.getsignal(signal.SIGINT)

    def press(done, total):
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(SimulationInterrupted) as caught:
        sp.simulate(model, LONG, progress=press)
    assert signal.getsignal(signal.SIGINT) is handler
    assert isinstance(caught.value, KeyboardInterrupt)
    recording = caught.value.recording
    assert 0.0 < recording.duration < LONG
    rest = sp.simulate(model, 200.0, state=recording.final_state)
    whole = sp.simulate(model, round(recording.duration + 200.0, 6))
    joined = np.concatenate([recording.spike_times, rest.spike_times])
    np.testing.assert_array_equal(whole.spike_times, joined)


def test_ctrl_c_does_not_wait_for_a_long_call_while_a_network_is_built(
    monkeypatch,
):
    """The call here ends only once the interruption was seen."""
    seen, ended = threading.Event(), threading.Event()
    order = connect._order

    def takes_long(*arguments):
        signal.raise_signal(signal.SIGINT)
        ended.was_late = seen.wait(20.0)
        ended.set()
        return order(*arguments)

    ends = np.zeros(30_000, dtype=int)
    network = sp.Network(
        [sp.Population("a", sp.LIF(), 2)],
        [sp.Projection("a", "a", sp.ExplicitList(ends, ends), 1.0)],
    )
    monkeypatch.setattr(connect, "_order", takes_long)
    with pytest.raises(SimulationInterrupted, match="while the network was built") as caught:
        sp.simulate(network, 1.0)
    assert caught.value.recording is None and not ended.is_set()
    seen.set()
    assert ended.wait(20.0) and ended.was_late
    for thread in threading.enumerate():
        if thread.name == "spikesim build":
            thread.join(20.0)
            assert not thread.is_alive()


def test_work_that_somebody_listens_during_is_as_if_done_here():
    def work(stop_if_left):
        stop_if_left()
        return np.geterr()["under"], threading.current_thread() is threading.main_thread()

    def fail(stop_if_left):
        raise ParameterError("of the work")

    with np.errstate(under="raise"):
        assert listen_while(work, lambda: None) == ("raise", False)
    with pytest.raises(ParameterError, match="of the work"):
        listen_while(fail, lambda: None)


def test_a_warning_from_a_large_network_points_to_who_simulates_it():
    a = sp.Population("a", sp.LIF(), 200)
    some = sp.Projection(a, a, sp.FixedOutDegree(100), sp.LogNormal(1.0, 3.0))
    with pytest.warns(RoundingWarning) as seen:
        sp.simulate(sp.Network([a], [some]), 0.0, precision="compact", threads=1)
    assert [warning.filename for warning in seen] == [__file__]


def test_an_interruption_survives_pickling():
    with pytest.raises(sp.SimulationInterrupted) as caught:
        sp.simulate(
            sp.LIF(i_ext=400.0), LONG, progress=lambda *t: signal.raise_signal(signal.SIGINT)
        )
    again = pickle.loads(pickle.dumps(caught.value))
    assert isinstance(again, sp.SimulationInterrupted) and str(again) == str(caught.value)
    assert again.recording.duration == caught.value.recording.duration
    assert again.recording.final_state.step == caught.value.recording.final_state.step


def test_a_second_ctrl_c_is_raised_at_once():
    reached = []

    def press_twice(done, total):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        reached.append(done)

    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(SimulationInterrupted) as caught:
        sp.simulate(sp.LIF(), LONG, progress=press_twice)
    assert not reached and caught.value.recording.duration > 0.0
    assert signal.getsignal(signal.SIGINT) is handler


def test_an_interruption_within_a_chunk_keeps_whole_steps_alone(monkeypatch):
    """Spikes that were about to be taken out of the log of the kernels are dropped."""
    calls = []
    share_out = engine._State._share_out

    def interrupted(self, words):
        calls.append(words)
        share_out(self, words)
        if len(calls) == 3:
            raise KeyboardInterrupt

    a = sp.Population("a", sp.LIF(i_ext=1e5, t_ref=0.0), 2)
    network = sp.Network([a], [sp.Projection(a, a, sp.OneToOne(), 0.0, 1.0)])
    monkeypatch.setattr(engine._State, "_share_out", interrupted)
    with pytest.raises(SimulationInterrupted) as caught:
        sp.simulate(network, LONG, record="v")
    recording = caught.value.recording["a"]
    assert recording.duration > 0.0
    assert recording.spike_times.max() == pytest.approx(recording.duration)
    assert recording.spike_counts().tolist() == [round(recording.duration / 0.1)] * 2
    assert len(recording.v) == round(recording.duration / 0.1)


def test_a_final_state_cannot_be_changed_and_goes_on():
    model = sp.LIF(i_ext=400.0)
    state = sp.simulate(model, 10.0).final_state
    for array in state.arrays.values():
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
    for _ in range(2):
        np.testing.assert_allclose(sp.simulate(model, 20.0, state=state).spike_times, [27.8])


def test_another_handler_of_ctrl_c_stays_in_charge():
    def own(number, frame):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, own)
    try:
        with pytest.raises(SimulationInterrupted) as caught:
            sp.simulate(sp.LIF(), LONG, progress=lambda *t: signal.raise_signal(signal.SIGINT))
        assert signal.getsignal(signal.SIGINT) is own
    finally:
        signal.signal(signal.SIGINT, before)
    assert caught.value.recording.duration > 0.0
    assert caught.value.recording.final_state is None


CHILD = """
import signal
import spikesim as sp
from spikesim.simulation import SimulationInterrupted
from spikesim.simulation.state import State
signal.signal(signal.SIGINT, signal.default_int_handler)
a = sp.Population("a", sp.LIF(i_ext=400.0), 200)
net = sp.Network([a], [sp.Projection(a, a, sp.FixedProbability(0.1), 0.1, 0.5)])
said = []
def say(done, total):
    if not said and done > 100.0:
        said.append(print("running", flush=True))
try:
    sp.simulate(net, 2e8, progress=say)
except SimulationInterrupted as interrupted:
    recording = interrupted.recording
    print("kept", recording.duration > 0 and len(recording["a"].spike_times) > 0)
"""


def test_a_signal_from_outside_ends_a_long_run():
    with subprocess.Popen(
        [sys.executable, "-c", CHILD], stdout=subprocess.PIPE, text=True, env=dict(os.environ)
    ) as child:
        assert child.stdout.readline() == "running\n"
        child.send_signal(signal.SIGINT)
        output, _ = child.communicate(timeout=60)
    assert output == "kept True\n"
    assert child.returncode == 0


def test_simulations_in_threads_are_independent():
    from concurrent.futures import ThreadPoolExecutor

    def spikes(seed):
        return sp.simulate(sp.PoissonSource(500.0), 200.0, seed=seed).spike_times

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(spikes, range(8)))
    for seed, times in enumerate(together):
        np.testing.assert_array_equal(times, spikes(seed))
