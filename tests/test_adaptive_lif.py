"""Neurons with an adaptive threshold, simulated: closed forms, twins, and what is refused."""

import math

import numpy as np
import pytest
from numba import config

import spikesim as sp
from spikesim.errors import NonFiniteStateError, RoundingWarning, UnitWarning
from tests.many_networks import compare
from tests.random_networks import random_network
from tests.small_networks import is_refused

N_NETWORKS, PER_TEST = (4, 2) if config.DISABLE_JIT else (40, 8)
THREADS = (1, 2) if config.DISABLE_JIT else (1, 2, 4)


# Of so many weights drawn, one is small.
@pytest.mark.filterwarnings("ignore::spikesim.errors.UnitWarning")
@pytest.mark.parametrize("first_seed", range(0, N_NETWORKS, PER_TEST))
def test_spikes_are_those_of_the_twin_on_any_number_of_threads_and_in_parts(first_seed):
    found = [
        compare(seed, THREADS, "adaptive") for seed in range(first_seed, first_seed + PER_TEST)
    ]
    assert {c.seed: c.faults for c in found if c.faults} == {}
    assert sum(c.spikes for c in found) > 50 * PER_TEST
    assert sum(c.ties for c in found) == 0


@pytest.mark.filterwarnings("ignore::spikesim.errors.UnitWarning")
def test_the_random_networks_hold_all_that_can_differ():
    networks = [random_network(seed, "adaptive").network for seed in range(40)]
    models = [
        p.model for net in networks for p in net.populations if type(p.model) is sp.AdaptiveLIF
    ]
    assert {m.reset for m in models} == {"to_potential", "subtract"}
    assert {np.ndim(m.delta_a) for m in models} == {0, 1}
    with_g = [any(p.synapse.conductance for p in net.projections) for net in networks]
    assert 5 < sum(with_g) < 35


@pytest.mark.parametrize("dt", [0.1, 1.0])
def test_the_threshold_is_the_sum_of_what_each_spike_left(dt):
    model = sp.AdaptiveLIF(i_ext=700.0, tau_a=[30.0, 300.0], delta_a=[5.0, 0.7])
    cells = sp.simulate(sp.Population("a", model, 2), 200.0, dt=dt, record="a")["a"]
    for neuron in range(2):
        fired = cells.spike_times[cells.spike_ids == neuron]
        assert len(fired) > 5
        since = cells.trace_times[:, None] - fired
        left = np.exp(-since / model.tau_a[neuron])
        wanted = model.delta_a[neuron] * np.sum(left, axis=1, where=since > -1e-9)
        np.testing.assert_allclose(cells.a[:, neuron], wanted, rtol=1e-12, atol=1e-12)


def steady_interval(current, t_ref, tau_a, delta_a, dt):
    """Return the interval T of steady firing, for which v reaches the threshold it left behind.

    r_m i (1 - exp(-(T - t_ref) / tau_m)) = v_th - v_rest + a, with the adaptation a that the spike
    T before left; a step is decided by what it was at the start of the step.
    """

    def missing(interval):
        a = delta_a / -math.expm1(-interval / tau_a) * math.exp(-(interval - dt) / tau_a)
        return 15.0 + a + 10.0 / 250.0 * current * math.expm1(-(interval - t_ref) / 10.0)

    low, high = t_ref + dt, 1000.0
    while high - low > 1e-9:
        middle = (low + high) / 2.0
        low, high = (middle, high) if missing(middle) > 0.0 else (low, middle)
    return low


@pytest.mark.parametrize("t_ref", [0.0, 2.0])
@pytest.mark.parametrize("dt", [0.01, 0.1])
def test_intervals_grow_to_those_of_steady_firing(t_ref, dt):
    if config.DISABLE_JIT and dt < 0.1:
        dt = 0.2
    currents = np.array([500.0, 800.0, 1500.0])
    model = sp.AdaptiveLIF(t_ref=t_ref, i_ext=currents, tau_a=60.0, delta_a=3.0)
    cells = sp.simulate(sp.Population("a", model, 3), 700.0, dt=dt)["a"]
    for neuron, current in enumerate(currents):
        isi = cells.isi(neuron)
        # On the grid a spike is up to a step late, by chance on average half of one.
        expected = steady_interval(current, t_ref, 60.0, 3.0, dt)
        assert expected - 1e-6 < isi[-8:].mean() < expected + dt
        assert isi[0] < 0.7 * expected
        assert np.all(np.diff(isi) > -1.5 * dt)


def some_network(model):
    population = sp.Population("a", model, 6)
    source = sp.Population("in", sp.PoissonSource(300.0), 20)
    pairs = ((sp.Exponential(3.0), 60.0), (sp.Delta(), 1.0))
    return sp.Network(
        [population, source],
        [sp.Projection(source, population, sp.AllToAll(), w, 1.0, syn) for syn, w in pairs],
    )


@pytest.mark.parametrize("reset", ["to_potential", "subtract"])
@pytest.mark.parametrize("conductances", [False, True])
@pytest.mark.parametrize("precision", ["double", "compact"])
def test_without_a_jump_it_is_lif_in_every_bit(reset, conductances, precision):
    common = {"reset": reset, "i_ext": 300.0, "tau_m": np.linspace(8.0, 14.0, 6)}
    recordings = []
    for model in (sp.LIF(**common), sp.AdaptiveLIF(**common, delta_a=0.0)):
        network = some_network(model)
        if conductances:
            own = sp.PoissonInput("a", 900.0, 2.0, sp.ConductanceExponential(5.0, 0.0))
            network = sp.Network(network.populations, network.projections, [own])
        duration = 30.0 if config.DISABLE_JIT else 200.0
        run = sp.simulate(network, duration, seed=3, record="v", precision=precision)
        recordings.append(run["a"])
    one, other = recordings
    assert len(one.spike_times) > 5
    assert one.spike_times.tobytes() == other.spike_times.tobytes()
    assert one.spike_ids.tobytes() == other.spike_ids.tobytes()
    assert one.v.tobytes() == other.v.tobytes()


def test_a_population_may_have_both_kinds():
    model = sp.AdaptiveLIF(i_ext=600.0, delta_a=[0.0, 2.0])
    cells = sp.simulate(sp.Population("a", model, 2), 300.0)["a"]
    plain = sp.simulate(sp.LIF(i_ext=600.0), 300.0)["neuron"]
    assert cells.spike_times[cells.spike_ids == 0].tolist() == plain.spike_times.tolist()
    assert np.count_nonzero(cells.spike_ids == 1) < 0.5 * len(plain.spike_times)


def test_a_state_goes_on_from_memory_and_from_a_file(tmp_path):
    network = some_network(sp.AdaptiveLIF(i_ext=400.0))
    whole = sp.simulate(network, 150.0, seed=1, record=("v", "a"))["a"]
    begun = sp.simulate(network, 70.0, seed=1)
    assert begun.final_state.arrays["a.a"].max() > 1.0
    begun.final_state.save(tmp_path / "at.state")
    for state in (begun.final_state, sp.load_state(tmp_path / "at.state", network)):
        ended = sp.simulate(network, 80.0, state=state, record=("v", "a"))["a"]
        for variable in ("v", "a"):
            assert ended.traces[variable].tobytes() == whole.traces[variable][700:].tobytes()


def test_compact_precision_is_near():
    network = some_network(sp.AdaptiveLIF(i_ext=350.0, delta_a=0.5))
    one, other = (
        sp.simulate(network, 60.0, seed=1, record="a", precision=p)["a"]
        for p in ("double", "compact")
    )
    assert len(one.spike_times) > 10
    np.testing.assert_allclose(other.a[:300], one.a[:300], rtol=1e-5, atol=1e-5)


def test_parameters_are_drawn_like_others():
    model = sp.AdaptiveLIF(tau_a=sp.Uniform(50.0, 150.0), delta_a=sp.Uniform(1.0, 3.0))
    assert model.random() == ["tau_a", "delta_a"]
    used = sp.simulate(sp.Population("a", model, 50), 1.0, seed=1).parameters["a"]
    assert len(np.unique(used["tau_a"])) == len(np.unique(used["delta_a"])) == 50
    assert 50.0 <= used["tau_a"].min() and used["delta_a"].max() <= 3.0
    drawn = model.drawn(4, np.random.default_rng(0))
    assert type(drawn) is type(drawn.replaced(v_th=-40.0)) is sp.AdaptiveLIF
    assert not isinstance(drawn, sp.LIF)


def test_the_normalised_neuron_is_that_of_lif():
    one = sp.AdaptiveLIF.normalised(10.0, 2.0, "subtract", tau_a=[50.0, 60.0], delta_a=0.2)
    other = sp.LIF.normalised(10.0, 2.0, "subtract")
    assert {k: v for k, v in vars(one).items() if k not in ("tau_a", "delta_a")} == vars(other)
    assert one.tau_a.tolist() == [50.0, 60.0] and one.delta_a == 0.2
    assert not hasattr(sp.AdaptiveLIF, "non_spiking")


BAD = {
    "no time": (lambda: sp.AdaptiveLIF(tau_a=0.0), ValueError, "AdaptiveLIF.tau_a"),
    "NaN": (lambda: sp.AdaptiveLIF(tau_a=[9.0, math.nan]), ValueError, "AdaptiveLIF.tau_a[1]"),
    "endless": (lambda: sp.AdaptiveLIF(tau_a=math.inf), ValueError, "AdaptiveLIF.tau_a"),
    "falling": (lambda: sp.AdaptiveLIF(delta_a=[1.0, -1.0]), ValueError, "AdaptiveLIF.delta_a[1]"),
    "infinite": (lambda: sp.AdaptiveLIF(delta_a=math.inf), ValueError, "AdaptiveLIF.delta_a"),
    "text": (lambda: sp.AdaptiveLIF(delta_a="2"), TypeError, "AdaptiveLIF.delta_a"),
    "inherited": (lambda: sp.AdaptiveLIF(tau_m=-1.0), ValueError, "AdaptiveLIF.tau_m"),
    "reset": (lambda: sp.AdaptiveLIF(v_reset=0.0), ValueError, "must be below AdaptiveLIF.v_th"),
    "misspelt": (lambda: sp.AdaptiveLIF(tau_adapt=9.0), TypeError, "'tau_adapt'"),
    "length": (
        lambda: sp.Population("a", sp.AdaptiveLIF(delta_a=[1.0, 2.0]), 3),
        ValueError,
        "AdaptiveLIF.delta_a",
    ),
    "drawn": (
        lambda: sp.simulate(sp.AdaptiveLIF(delta_a=sp.Normal(-5.0, 0.1)), 1.0),
        ValueError,
        "AdaptiveLIF.delta_a",
    ),
    "trace of what does not adapt": (
        lambda: sp.simulate(sp.LIF(), 1.0, record="a"),
        ValueError,
        "no variable 'a'",
    ),
    "not recorded": (
        lambda: sp.simulate(sp.AdaptiveLIF(), 1.0)["neuron"].a,
        ValueError,
        "a of population 'neuron' was not recorded",
    ),
}


@pytest.mark.parametrize("case", BAD.values(), ids=BAD.keys())
def test_it_is_refused_by_name_and_nothing_breaks(case):
    is_refused(*case)


@pytest.mark.parametrize("argument", [{"tau_a": 0.2}, {"delta_a": 0.002}])
def test_seconds_and_volts_are_asked_about(argument):
    with pytest.warns(UnitWarning, match=rf"AdaptiveLIF\.{next(iter(argument))}"):
        sp.AdaptiveLIF(**argument)


def test_rounding_of_the_refractory_period_names_the_model():
    with pytest.warns(RoundingWarning, match=r"AdaptiveLIF\.t_ref"):
        sp.simulate(sp.AdaptiveLIF(t_ref=0.17), 1.0)


def test_adaptation_beyond_all_bounds_is_an_error_that_names_it():
    model = sp.AdaptiveLIF.normalised(t_ref=0.0, tau_a=1e12, delta_a=1e308, reset="subtract")
    network = sp.Network([sp.Population("a", model.replaced(v_init=1e305))])
    with pytest.raises(NonFiniteStateError, match="population 'a'"):
        sp.simulate(
            sp.Network(
                network.populations,
                inputs=[sp.SpikeInput("a", np.arange(1.0, 5.0), np.zeros(4, int), 9e307)],
            ),
            10.0,
        )
