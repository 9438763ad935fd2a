"""The worker at the ends of what it can hold: full logs and calendars, long rows, many of all."""

import numpy as np
import pytest
from numba import config

import spikesim as sp
from spikesim.engine import plan as p
from spikesim.engine import run
from spikesim.engine.build import build
from spikesim.errors import SpikesimError
from tests.many_networks import differences_from, different_bits
from tests.naive_engine import simulate_naive

DURATION = 15.0 if config.DISABLE_JIT else 40.0
THREADS = (1, 3)


@pytest.fixture
def reasons(monkeypatch):
    """Every reason for which a worker has returned."""
    seen, make = [], run.make_worker

    def make_listening(*features):
        work = make(*features)

        def listening(*arguments):
            result = work(*arguments)
            seen.append(result[0])
            return result

        return listening

    monkeypatch.setattr(run, "make_worker", make_listening)
    return seen


def busy_network(n=30):
    """Neurons that fire nearly always, and whose spikes are long on their way."""
    population = sp.Population("a", sp.LIF(i_ext=sp.Uniform(8e3, 5e4), t_ref=0.0), n)
    source = sp.Population("in", sp.PoissonSource(9e4), 3)
    delay = sp.Uniform(0.3, 2.5)
    return sp.Network(
        [population, source],
        [
            sp.Projection(population, population, sp.FixedInDegree(9), 5.0, delay),
            sp.Projection(population, population, sp.FixedInDegree(9), sp.Normal(-5, 1), delay),
            sp.Projection(source, population, sp.AllToAll(), 9.0, delay, sp.Exponential(2.0)),
        ],
    )


@pytest.mark.parametrize("threads", THREADS)
def test_full_logs_and_calendars_are_emptied_and_grown_and_change_no_bit(
    monkeypatch, reasons, threads
):
    network = busy_network()

    def simulate(duration, state=None):
        seed = 3 if state is None else None
        return sp.simulate(network, duration, seed=seed, record="v", state=state, threads=threads)

    whole = simulate(DURATION)
    assert whole["a"].spike_counts().sum() > 30 * DURATION
    reasons.clear()
    monkeypatch.setattr(run, "_LOG_CAPACITY", 1)
    monkeypatch.setattr(run, "CALENDAR_CAPACITY", 1)
    # Chunks so long that a log is full before their end, on any machine.
    monkeypatch.setattr("spikesim.engine.pace._CHUNK_SECONDS", 100.0)
    monkeypatch.setattr("spikesim.engine.watch._LONGEST_CHUNK_SECONDS", 100.0)
    assert different_bits(whole, simulate(DURATION)) == []
    assert {p.DONE, p.CALENDAR_FULL, p.LOG_FULL} == set(reasons)
    first = simulate(2.7)
    assert different_bits(whole, first, simulate(round(DURATION - 2.7, 1), first.final_state)) == []


def test_more_poisson_spikes_than_there_is_room_for_end_the_run(monkeypatch, reasons):
    source = sp.Population("in", sp.PoissonSource(2e6), 4)
    recording = sp.simulate(source, DURATION, seed=1)["in"]
    expected = 4 * DURATION * 2e3
    assert abs(len(recording.spike_ids) - expected) < 5 * np.sqrt(expected)
    monkeypatch.setattr(run, "_LOG_CAPACITY", 1)
    monkeypatch.setattr("spikesim.engine.tables.Tables.room", lambda self, stretch: 0)
    with pytest.raises(SpikesimError, match="Poisson sources fired more spikes"):
        sp.simulate(source, DURATION, seed=1)
    assert reasons[-1] == p.OVERFLOW


@pytest.mark.parametrize("threads", THREADS)
def test_three_hundred_populations_are_one_in_three_hundred_parts(threads):
    n, duration = 300, 8.0 if config.DISABLE_JIT else 20.0
    rng = np.random.default_rng(2)
    i_ext, weight = rng.uniform(300.0, 1200.0, n), rng.uniform(100.0, 900.0, n)
    delay = rng.integers(1, 20, n) * 0.1
    synapse = sp.Exponential(3.0)
    after = (np.arange(n) + 1) % n
    one = sp.Population("one", sp.LIF(i_ext=i_ext), n)
    ring = sp.ExplicitList(np.arange(n), after)
    whole = sp.Network([one], [sp.Projection(one, one, ring, weight, delay, synapse)])
    parts = [sp.Population(f"p{i}", sp.LIF(i_ext=i_ext[i]), 1) for i in range(n)]
    links = [
        sp.Projection(parts[i], parts[after[i]], sp.OneToOne(), weight[i], delay[i], synapse)
        for i in range(n)
    ]
    together, apart = (
        sp.simulate(network, duration, record="v", seed=1, threads=threads)
        for network in (whole, sp.Network(parts, links))
    )
    assert together["one"].spike_counts().sum() > (10 if config.DISABLE_JIT else n)
    for i in range(n):
        np.testing.assert_array_equal(apart[f"p{i}"].v[:, 0], together["one"].v[:, i])
        own = together["one"].spike_times[together["one"].spike_ids == i]
        np.testing.assert_array_equal(apart[f"p{i}"].spike_times, own)


@pytest.mark.parametrize("each", [False, True])
def test_a_neuron_may_have_many_synapse_models(each):
    rng = np.random.default_rng(3)
    synapses = [sp.Delta(), sp.Alpha(2.0), sp.Alpha(7.0), *map(sp.Exponential, (1.0, 4.0, 9.0))]
    n, dt, n_steps = 6, 0.1, 80 if config.DISABLE_JIT else 400
    tau_m = rng.uniform(8.0, 12.0, n) if each else 10.0
    a = sp.Population("a", sp.LIF(tau_m=tau_m, i_ext=800.0, v_init=rng.uniform(-65, -50, n)), n)
    projections = []
    for synapse in synapses:
        weight = rng.normal(0.5, 1.0, (n, n)) * (1.0 if synapse == sp.Delta() else 60.0)
        delay = rng.integers(1, 30, (n, n)) * dt
        projections.append(sp.Projection(a, a, sp.AllToAll(), weight, delay, synapse))
    network = sp.Network([a], projections)
    truth = simulate_naive(network, n_steps, dt)
    assert len(truth.spikes["a"]) > (5 if config.DISABLE_JIT else 50)
    for threads in THREADS:
        recording = sp.simulate(
            network, n_steps * dt, dt=dt, record=("v", "i_syn"), threads=threads
        )
        assert differences_from(truth, recording) == []
        assert recording.final_state.arrays["a.i_syn"].shape == (n, 5)


def arrived(projections, n, source_n=1, synapse=None, threads=1):
    """Return i_syn, or v, of `n` resting neurons when what fired at 0.1 ms has arrived."""
    source = sp.Population("in", sp.SpikeSource([0.1] * source_n, range(source_n)), source_n)
    model = sp.LIF(v_rest=0.0, v_reset=-1.0, v_th=np.inf)
    target = sp.Population("out", model, n)
    made = [sp.Projection(source, target, *some, 0.1, synapse) for some in projections]
    network = sp.Network([source, target], made)
    variable = "v" if synapse == sp.Delta() else "i_syn"
    recording = sp.simulate(network, 0.2, record={"out": variable}, threads=threads)
    return recording["out"].traces[variable][-1]


@pytest.mark.parametrize("synapse", [sp.Delta(), sp.Exponential(5.0)])
def test_a_row_may_be_longer_than_a_bucket(synapse):
    n = 140_000 if not config.DISABLE_JIT else 66_000
    post = np.arange(n) % 3
    rule = sp.ExplicitList(np.zeros(n, dtype=int), post)
    # Powers of two add up without rounding.
    weights = 2.0 ** np.random.default_rng(1).integers(-9, 3, n)
    for threads in THREADS:
        found = arrived([(rule, 2.0**-10)], 3, synapse=synapse, threads=threads)
        assert found.tolist() == (np.bincount(post) * 2.0**-10).tolist()
        found = arrived([(rule, weights)], 3, synapse=synapse, threads=threads)
        assert found.tolist() == np.bincount(post, weights).tolist()


@pytest.mark.parametrize("synapse", [sp.Delta(), sp.Exponential(5.0)])
def test_there_may_be_more_weights_than_classes(synapse):
    weights = np.arange(1, 4104) * 2.0**-8
    projections = [(sp.OneToOne(), weight) for weight in weights.tolist()]
    assert arrived(projections, 1, synapse=synapse).tolist() == [weights.sum()]


@pytest.mark.parametrize("n", [65_536, 65_537])
def test_a_block_is_full_at_65536_rows_and_a_thread_may_have_several(n):
    weights = np.random.default_rng(1).uniform(1.0, 2.0, (1, n))
    for threads in THREADS:
        found = arrived([(sp.AllToAll(), weights)], n, synapse=sp.Delta(), threads=threads)
        np.testing.assert_array_equal(found, weights[0])
    population = sp.Population("a", sp.LIF(), n)
    network = sp.Network([population], [sp.Projection(population, population, sp.OneToOne(), 1.0)])
    built = build(network, 0.1, 0)
    assert built.n_blocks == 1 + (n > 65_536)
    assert built.plan.row_starts.max() + np.diff(built.plan.bounds).max() <= 65_536
    # Sources of either block reach targets of the other.
    turned = sp.ExplicitList(np.arange(n), np.arange(n)[::-1])
    found = arrived([(turned, weights[0])], n, n, sp.Delta())
    np.testing.assert_array_equal(found, weights[0, ::-1])
