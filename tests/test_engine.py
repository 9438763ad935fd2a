import numpy as np
import pytest

import spikesim as sp


def noisy_network(n=20):
    exc = sp.Population("exc", sp.LIF(tau_m=sp.Uniform(8.0, 12.0), v_init=sp.Normal(-60, 3)), n)
    inh = sp.Population("inh", sp.LIF(), n // 2)
    source = sp.Population("in", sp.PoissonSource(300.0), 10)
    listed = sp.Population("listed", sp.SpikeSource([30.0, 1.0, 1.0, 500.0], [0, 1, 1, 0]), 2)
    return sp.Network(
        [exc, inh, source, listed],
        [
            sp.Projection(exc, inh, sp.FixedProbability(0.5), 60.0, 1.5, sp.Exponential(5.0)),
            sp.Projection(exc, exc, sp.FixedInDegree(5), sp.Normal(1.0, 0.5), sp.Uniform(0.5, 9.0)),
            sp.Projection(inh, exc, sp.AllToAll(), sp.Normal(-40.0, 9.0), 0.7, sp.Alpha(3.0)),
            sp.Projection(source, exc, sp.AllToAll(), sp.Normal(90.0, 9.0), 0.9, sp.Alpha(3.0)),
            sp.Projection(listed, exc, sp.AllToAll(), 90.0, 2.0, sp.Exponential(3.0)),
        ],
        [
            sp.PoissonInput(exc, 2000.0, 80.0, sp.Exponential(5.0)),
            sp.PoissonInput(inh, 1000.0, 1.0, shared=True),
            sp.NoiseCurrent(exc, 100.0, 200.0),
            sp.NoiseCurrent(inh, 100.0, 100.0, interval=0.5, neurons=[0, 3]),
            sp.SineCurrent(inh, 100.0, 50.0, offset=200.0),
            sp.RampCurrent(exc, 0.0, 100.0, 5.0, 25.0),
            sp.SampledCurrent(inh, np.linspace(0, 300, 40), 0.7),
            sp.SpikeInput(exc, [3.0, 30.0, 3.0], [0, 1, 0], 100.0, sp.Exponential(5.0)),
        ],
    )


def parts_equal(whole, parts):
    for name in whole.populations:
        for attribute in ("spike_times", "spike_ids"):
            joined = np.concatenate([getattr(part[name], attribute) for part in parts])
            np.testing.assert_array_equal(getattr(whole[name], attribute), joined)
        for variable, trace in whole[name].traces.items():
            joined = np.concatenate([part[name].traces[variable] for part in parts])
            np.testing.assert_array_equal(trace, joined)
        times = np.concatenate([part[name].trace_times for part in parts])
        np.testing.assert_array_equal(whole[name].trace_times, times)


@pytest.mark.parametrize("cut", [0.1, 0.4, 7.3, 29.9, 30.0, 39.9])
def test_a_run_cut_in_two_gives_the_bits_of_the_whole(cut):
    network = noisy_network()
    keep = {"record": {"exc": sp.Record(("v", "i_syn"), [0, 7], 0.3), "inh": "v"}}
    whole = sp.simulate(network, 40.0, seed=3, **keep)
    first = sp.simulate(network, cut, seed=3, **keep)
    before = {name: array.copy() for name, array in first.final_state.arrays.items()}
    second = sp.simulate(network, round(40.0 - cut, 1), state=first.final_state, **keep)
    parts_equal(whole, [first, second])
    for name, array in whole.final_state.arrays.items():
        np.testing.assert_array_equal(second.final_state.arrays[name], array)
        np.testing.assert_array_equal(first.final_state.arrays[name], before[name])
    assert whole["exc"].spike_counts().sum() > 50
    assert whole["listed"].spike_times.tolist() == [1.0, 1.0, 30.0]


@pytest.mark.parametrize("longest", [1, 3, 1000])
def test_the_length_of_a_stretch_changes_no_bit(monkeypatch, longest):
    network = noisy_network()
    whole = sp.simulate(network, 30.0, seed=3, record="v")
    monkeypatch.setattr("spikesim.engine.build._LONGEST_STRETCH", longest)
    parts_equal(whole, [sp.simulate(network, 30.0, seed=3, record="v")])


def test_the_clock_changes_no_bit(monkeypatch):
    network = sp.Network(
        [exc := sp.Population("exc", sp.LIF(), 5)], inputs=[sp.NoiseCurrent(exc, 400.0, 300.0)]
    )
    whole = sp.simulate(network, 50.0, seed=3, record="v")
    ticks = iter(np.cumsum(np.random.default_rng(0).uniform(0.0, 1.0, 10_000)))
    monkeypatch.setattr("spikesim.engine.run.time.perf_counter", lambda: float(next(ticks)))
    parts_equal(whole, [sp.simulate(network, 50.0, seed=3, record="v", progress=False)])


def test_one_seed_gives_one_result_and_another_seed_another():
    network = noisy_network()
    first, again = (sp.simulate(network, 30.0, seed=11) for _ in range(2))
    parts_equal(first, [again])
    parts_equal(first, [sp.simulate(network, 30.0, seed=first.seed)])
    other = sp.simulate(network, 30.0, seed=12)
    assert len(other["exc"].spike_times) != len(first["exc"].spike_times) or np.any(
        other["exc"].spike_times != first["exc"].spike_times
    )


def test_permuting_a_connection_table_changes_no_bit():
    rng = np.random.default_rng(5)
    pre, post = rng.integers(0, 4, 60), rng.integers(0, 3, 60)
    weight, delay = rng.normal(80.0, 50.0, 60), rng.integers(1, 6, 60) * 0.1
    source = sp.Population("in", sp.PoissonSource(200.0), 4)
    target = sp.Population("out", sp.LIF(), 3)

    def traces(order):
        projection = sp.Projection(
            source,
            target,
            sp.ExplicitList(pre[order], post[order]),
            weight[order],
            delay[order],
            sp.Exponential(5.0),
        )
        network = sp.Network([source, target], [projection])
        return sp.simulate(network, 30.0, seed=2, record={"out": "v"})

    parts_equal(traces(np.arange(60)), [traces(rng.permutation(60))])


def pulse(synapse, weight, delay=1.0, dt=0.1, **lif):
    """The first neuron fires at 1 ms; v of the second, which rests at 0."""
    source = sp.Population("in", sp.SpikeSource([1.0]))
    target = sp.Population("out", sp.LIF(v_rest=0.0, v_th=np.inf, v_reset=0.0, **lif))
    network = sp.Network(
        [source, target], [sp.Projection(source, target, sp.OneToOne(), weight, delay, synapse)]
    )
    return sp.simulate(network, 60.0, dt=dt, record={"out": ("v", "i_syn")})["out"]


@pytest.mark.parametrize("delay", [0.1, 0.5, 20.0])
def test_a_spike_arrives_after_its_delay(delay):
    recording = pulse(sp.Delta(), 3.0, delay)
    first = np.flatnonzero(recording.v[:, 0])[0]
    assert recording.trace_times[first] == pytest.approx(1.0 + delay)
    current = pulse(sp.Exponential(5.0), 3.0, delay)
    arrived = np.flatnonzero(current.traces["i_syn"][:, 0])[0]
    assert current.trace_times[arrived] == pytest.approx(1.0 + delay)
    felt = np.flatnonzero(current.v[:, 0])[0]
    assert felt == arrived + 1


def test_equal_synapses_on_one_target_share_one_state():
    source = sp.Population("in", sp.SpikeSource([1.0]))
    target = sp.Population("out", sp.LIF())
    twice = [
        sp.Projection(source, target, sp.OneToOne(), 30.0, 1.0, sp.Exponential(5.0))
        for _ in range(2)
    ]
    double = [sp.Projection(source, target, sp.OneToOne(), 60.0, 1.0, sp.Exponential(5.0))]
    results = [
        sp.simulate(sp.Network([source, target], projections), 20.0, record={"out": "v"})
        for projections in (twice, double)
    ]
    np.testing.assert_array_equal(results[0]["out"].v, results[1]["out"].v)
    assert results[0].final_state.arrays["out.i_syn"].shape == (1, 1)


@pytest.mark.parametrize("synapse", [sp.Delta(), sp.Exponential(2.0)])
def test_duplicate_spikes_and_multapses_all_count(synapse):
    target = sp.Population("out", sp.LIF(v_th=np.inf))
    source = sp.Population("in", sp.SpikeSource([1.0, 1.0]))
    rule = sp.ExplicitList([0, 0, 0], [0, 0, 0])
    many = sp.Network([source, target], [sp.Projection(source, target, rule, 2.0, 1.0, synapse)])
    one = sp.Network([target], inputs=[sp.SpikeInput(target, [2.0], [0], 12.0, synapse)])
    results = [sp.simulate(net, 10.0, record={"out": "v"})["out"].v for net in (many, one)]
    np.testing.assert_array_equal(*results)


def test_a_neuron_may_feel_its_own_spike():
    neuron = sp.Population("a", sp.LIF(v_th=-60.0, v_init=-50.0, v_reset=-65.0, t_ref=0.0))
    network = sp.Network([neuron], [sp.Projection(neuron, neuron, sp.OneToOne(), 10.0, 0.3)])
    times = sp.simulate(network, 1.0)["a"].spike_times
    np.testing.assert_allclose(times, [0.1, 0.4, 0.7, 1.0])


def test_firing_in_every_step_loses_no_spike():
    population = sp.Population("a", sp.LIF(t_ref=0.0, i_ext=1e9), 3)
    recording = sp.simulate(population, 250.0)
    assert recording["a"].spike_counts().tolist() == [2500] * 3


@pytest.mark.parametrize(
    ("make", "other"),
    [
        (
            lambda target, neurons: sp.NoiseCurrent(target, 300.0, 300.0, neurons=neurons),
            lambda target: sp.PoissonInput(target, 500.0, 1.0),
        ),
        (
            lambda target, neurons: sp.PoissonInput(
                target, 9000.0, 30.0, sp.Exponential(5.0), neurons=neurons
            ),
            lambda target: sp.NoiseCurrent(target, 0.0, 50.0),
        ),
        (
            lambda target, neurons: sp.PoissonInput(
                target, 9000.0, 30.0, sp.Exponential(5.0), shared=True, neurons=neurons
            ),
            lambda target: sp.StepCurrent(target, 100.0),
        ),
    ],
)
def test_the_noise_of_a_neuron_is_its_own(make, other):
    model = sp.LIF(v_rest=0.0, v_reset=-1.0, v_th=np.inf)
    a, b = sp.Population("a", model, 5), sp.Population("b", model, 5)

    def v(*inputs):
        return sp.simulate(sp.Network([a, b], inputs=inputs), 20.0, seed=4, record="v")["b"].v

    every = v(make(b, None))
    assert np.std(every) > 0.1
    np.testing.assert_array_equal(v(make(b, [3, 1]))[:, [3, 1]], every[:, [3, 1]])
    np.testing.assert_array_equal(v(make(a, None), make(b, None)), every)
    np.testing.assert_array_equal(v(make(b, None), other(a)), every)
    np.testing.assert_array_equal(v(other(a), make(b, None)), every)
    # An input of another kind into the same neurons adds to it, it does not replace it.
    unfelt = [sp.PoissonInput(b, 100.0, 0.0), sp.NoiseCurrent(b, 0.0, 0.0)]
    unfelt = [u for u in unfelt if type(u) is not type(make(b, None))]
    np.testing.assert_array_equal(v(*unfelt, make(b, None)), every)
    # A second one of its kind has its own noise: v, linear here, is not simply doubled.
    assert np.abs(v(make(b, None), make(b, None)) - 2.0 * every).max() > 0.1


@pytest.mark.parametrize("synapse", [sp.Delta(), sp.Exponential(5.0)])
def test_permuting_listed_spikes_of_different_weights_changes_no_bit(synapse):
    rng = np.random.default_rng(6)
    times, ids = rng.integers(1, 4, 60) * 1.0, rng.integers(0, 2, 60)
    weights = rng.normal(0.1, 1.0, 60)
    a = sp.Population("a", sp.LIF(v_rest=0.0, v_reset=-1.0, v_th=np.inf), 2)

    def v(order):
        spikes = sp.SpikeInput(a, times[order], ids[order], weights[order], synapse)
        return sp.simulate(sp.Network([a], inputs=[spikes]), 10.0, record="v")["a"].v

    for _ in range(5):
        np.testing.assert_array_equal(v(rng.permutation(60)), v(np.arange(60)))


def test_an_input_listed_twice_is_two_independent_trains():
    population = sp.Population("a", sp.LIF(v_th=np.inf), 5)
    once = sp.PoissonInput("a", 500.0, 1.0)

    def v(*inputs):
        return sp.simulate(sp.Network([population], (), inputs), 200.0, seed=1, record="v").v + 65.0

    assert np.abs(v(once, once) - 2.0 * v(once)).max() > 0.1
    same = sp.PoissonInput("a", 500.0, 1.0)
    np.testing.assert_array_equal(v(once, once), v(once, same))


def test_more_populations_than_a_block_has_lines():
    # A population for each neuron, as one may well begin; they are shared out one by one.
    populations = [sp.Population(f"p{i}", sp.LIF(i_ext=400.0 + i), 1) for i in range(60)]
    ring = [
        sp.Projection(a, b, sp.OneToOne(), 90.0, 1.0, sp.Exponential(5.0))
        for a, b in zip(populations, populations[1:] + populations[:1], strict=True)
    ]
    network = sp.Network(populations, ring)
    recordings = [sp.simulate(network, 60.0, seed=1, threads=threads) for threads in (1, 3, 8)]
    parts_equal(recordings[0], [recordings[1]])
    parts_equal(recordings[0], [recordings[2]])
    assert sum(len(recordings[0][p.name].spike_ids) for p in populations) > 60


@pytest.mark.parametrize("ample", [0, 2**26])
def test_many_spikes_at_once_need_room_for_those_with_synapses_alone(monkeypatch, ample):
    monkeypatch.setattr("spikesim.engine.run._AMPLE_BYTES", ample)
    source = sp.Population("s", sp.SpikeSource(np.full(300, 1.0), np.arange(300)), 300)
    target = sp.Population("t", sp.LIF(v_th=np.inf), 2)
    connections = [
        sp.Projection(source, target, sp.ExplicitList([0], [0]), 1.0, 0.1),
        sp.Projection(source, target, sp.ExplicitList(np.arange(90), np.ones(90)), 1.0, 30.0),
    ]
    network = sp.Network([source, target], connections)
    recordings = [
        sp.simulate(network, 32.0, threads=threads, record={"t": "v"}) for threads in (1, 2)
    ]
    parts_equal(*[recordings[0], [recordings[1]]])
    v = recordings[0]["t"].v + 65.0
    assert v[10, 0] == pytest.approx(1.0) and v[309, 1] == pytest.approx(90.0)
