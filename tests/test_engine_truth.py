import numpy as np
import pytest
from numba import config

import spikesim as sp
from tests import many_networks
from tests.many_networks import compare, compare_noisy, differences_from, different_bits
from tests.naive_conductance import ode
from tests.naive_engine import simulate_naive
from tests.random_networks import STYLES, random_network

PER_TEST = 2 if config.DISABLE_JIT else 8
N_NETWORKS = 8 if config.DISABLE_JIT else 200
THREADS = (1, 2) if config.DISABLE_JIT else (1, 2, 3, 4, 8)
N_NOISY = 2 if config.DISABLE_JIT else 32
N_ODE = 2 if config.DISABLE_JIT else 16


@pytest.mark.parametrize("first_seed", range(0, N_NETWORKS, PER_TEST))
def test_spikes_are_those_of_the_twin_and_threads_change_no_bit(first_seed):
    found = [compare(seed, THREADS) for seed in range(first_seed, first_seed + PER_TEST)]
    assert {c.seed: c.faults for c in found if c.faults} == {}
    assert sum(c.spikes for c in found) > 20 * PER_TEST
    assert sum(c.ties for c in found if c.style != "exact") == 0


@pytest.mark.parametrize("first_seed", range(0, N_NOISY, PER_TEST))
def test_noise_and_what_is_drawn_have_the_same_bits_on_any_number_of_threads(first_seed):
    found = [compare_noisy(seed, THREADS) for seed in range(first_seed, first_seed + PER_TEST)]
    assert {c.seed: c.faults for c in found if c.faults} == {}
    assert sum(c.spikes for c in found) > 100 * PER_TEST


@pytest.mark.parametrize("seed", range(N_ODE))
def test_networks_of_conductances_spike_as_a_tight_ode_solution_does(seed):
    network, dt, n_steps, _ = random_network(seed, "conductances")
    recording = sp.simulate(network, n_steps * dt, dt=dt)
    for name, spikes in simulate_naive(network, n_steps, dt, ode).spikes.items():
        steps = np.rint(recording[name].spike_times / dt).astype(int)
        order = np.lexsort((steps, recording[name].spike_ids))
        expected = np.array(sorted((neuron, step) for step, neuron in spikes)).reshape(-1, 2)
        np.testing.assert_array_equal(recording[name].spike_ids[order], expected[:, 0])
        assert np.abs(steps[order] - expected[:, 1]).max(initial=0) <= 1


def test_the_random_networks_hold_all_that_can_differ():
    cases = [random_network(seed) for seed in range(200)]
    assert {case.style for case in cases} == set(STYLES)
    populations = [p for case in cases for p in case.network.populations]
    assert {p.model.reset for p in populations if isinstance(p.model, sp.LIF)} == {
        "to_potential",
        "subtract",
    }
    assert min(p.n for p in populations) == 1 and max(p.n for p in populations) > 1000
    projections = [(p, case.dt) for case in cases for p in case.network.projections]
    assert {type(p.rule).__name__ for p, _ in projections} == {
        "AllToAll",
        "ExplicitList",
        "FixedInDegree",
        "FixedOutDegree",
        "FixedProbability",
        "OneToOne",
        "SparseMatrix",
    }
    assert len({type(p.synapse) for p, _ in projections}) == 5
    assert {(np.ndim(p.weight) > 0, np.ndim(p.delay) > 0) for p, _ in projections} == {
        (one, other) for one in (False, True) for other in (False, True)
    }
    steps = [np.rint(np.ravel(p.delay) / dt) for p, dt in projections if np.size(p.delay)]
    assert min(s.min() for s in steps) == 1 and max(s.max() for s in steps) > 300
    lists = [p for p, _ in projections if type(p.rule) is sp.ExplicitList]
    pairs = [np.stack((p.rule.pre, p.rule.post)) for p in lists]
    assert any(np.unique(pair, axis=1).shape != pair.shape for pair in pairs)
    assert any(p.source == p.target and np.any(p.rule.pre == p.rule.post) for p in lists)
    inputs = {type(i).__name__ for case in cases for i in case.network.inputs}
    assert inputs == {"RampCurrent", "SampledCurrent", "SineCurrent", "SpikeInput", "StepCurrent"}


def test_neurons_meet_their_threshold_exactly_where_they_shall():
    exact = [random_network(seed, "exact") for seed in range(10)]
    ties = [simulate_naive(case.network, case.n_steps, case.dt).ties for case in exact]
    assert sum(ties) > 100


def test_the_comparison_sees_a_spike_a_potential_and_a_bit():
    network, dt, n_steps, _ = random_network(1)
    truth = simulate_naive(network, n_steps, dt)
    recording = sp.simulate(network, n_steps * dt, dt=dt, record=("v", "i_syn"), seed=0)
    assert differences_from(truth, recording) == []
    name = next(name for name in truth.v if truth.spikes[name])
    (step, neuron), *others = truth.spikes[name]
    for wrong in (others, [(step + 1, neuron), *others], [(step, neuron + 1), *others]):
        changed = truth._replace(spikes=truth.spikes | {name: wrong})
        assert len(differences_from(changed, recording)) == 1
    for shift in (1.1e-10, np.nan):
        v = truth.v[name].copy()
        v[-1, 0] += shift
        assert len(differences_from(truth._replace(v=truth.v | {name: v}), recording)) == 1
    again = sp.simulate(network, n_steps * dt, dt=dt, record=("v", "i_syn"), seed=0)
    assert different_bits(recording, again) == []
    v = again[name].traces["v"]
    v[-1, 0] = np.nextafter(v[-1, 0], 0.0)
    assert different_bits(recording, again) == [f"v of {name!r}"]


def test_the_command_counts_and_names_the_seed_of_a_difference(capsys, monkeypatch):
    arguments = ["--networks", "2", "--first-seed", "3", "--threads", "1", "--jobs", "1"]
    assert many_networks.main(arguments) == 0
    assert capsys.readouterr().out.startswith("2 networks, ")

    def wrong(network, n_steps, dt):
        truth = simulate_naive(network, n_steps, dt)
        return truth._replace(v={name: v + 1e-9 for name, v in truth.v.items()})

    monkeypatch.setattr(many_networks, "simulate_naive", wrong)
    assert many_networks.main(arguments) == 1
    output = capsys.readouterr().out
    assert "seed 3 (alike): v of 'lif3' differs by 1e-09 mV" in output and "seed 4" in output
    assert "2 networks differ, largest |dv| 1e-09 mV" in output

    def broken(network, n_steps, dt):
        raise RuntimeError("no twin")

    monkeypatch.setattr(many_networks, "simulate_naive", broken)
    assert many_networks.main(arguments) == 1
    assert "seed 3 (alike): RuntimeError('no twin')" in capsys.readouterr().out
