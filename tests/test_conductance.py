"""The membrane under conductances: order, closed forms, limits; against ODE solvers."""

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import config

import spikesim as sp
from spikesim._jit import kernel
from spikesim.errors import ParameterError, ParameterTypeError
from spikesim.network import inputs
from spikesim.neurons.conductance import conductance_free
from tests.naive_models import magnus_step, membrane_after, state_after

NEURON = {"tau_m": 20.0, "c_m": 200.0, "v_rest": -60.0, "i_ext": 150.0}
MODELS = [sp.Exponential(4.0), sp.Alpha(3.0), sp.ConductanceExponential(5.0, 0.0)]
MODELS += [sp.ConductanceAlpha(2.0, 10.0), sp.ConductanceExponential(10.0, -80.0)]


def coefficients(neuron, synapses, values):
    """Return a and b of v' = a - b v for the values of the synapses at a node."""
    a = neuron["v_rest"] / neuron["tau_m"] + neuron["i_ext"] / neuron["c_m"]
    b = 1 / neuron["tau_m"]
    for synapse, value in zip(synapses, values, strict=True):
        if synapse.conductance:
            a += value * synapse.e_rev / neuron["c_m"]
            b += value / neuron["c_m"]
        else:
            a += value / neuron["c_m"]
    return a, b


def run(neuron, synapses, states, v, n_steps, dt, precision=np.float64):
    """Return v after `n_steps` with the kernel and the synapses' own constants."""
    nodes = [synapse.at_nodes(dt) for synapse in synapses]
    states = [tuple(state) for state in states]
    for _ in range(n_steps):
        pairs = list(zip(nodes, states, strict=True))
        first = [n.n_i_1 * i + n.n_x_1 * x for n, (i, x) in pairs]
        second = [n.n_i_2 * i + n.n_x_2 * x for n, (i, x) in pairs]
        arguments = (
            *coefficients(neuron, synapses, first),
            *coefficients(neuron, synapses, second),
        )
        v = conductance_free(*[precision(value) for value in (v, *arguments, dt)])
        states = [(n.decay_syn * i + n.p_ix * x, n.decay_syn * x) for n, (i, x) in pairs]
    return float(v)


def started(weights):
    """Return the states of MODELS right after a spike of these weights met each."""
    nodes = [synapse.at_nodes(1.0) for synapse in MODELS]
    return [(n.gain_i * w, n.gain_x * w) for n, w in zip(nodes, weights, strict=True)]


STATES = started([80.0, -120.0, 30.0, 50.0, 60.0])


@pytest.mark.parametrize("synapse", MODELS, ids=lambda synapse: type(synapse).__name__)
@pytest.mark.parametrize("dt", [1e-3, 0.1, 1.0, 7.0])
def test_values_within_a_step_are_those_of_the_matrix_exponential(synapse, dt):
    n = synapse.at_nodes(dt)
    for state in ((1.0, 0.0), (0.0, 1.0), (-0.7, 2.0)):
        for time, found in (
            (dt, (n.decay_syn * state[0] + n.p_ix * state[1], n.decay_syn * state[1])),
            ((0.5 - 3**0.5 / 6) * dt, (n.n_i_1 * state[0] + n.n_x_1 * state[1],)),
            ((0.5 + 3**0.5 / 6) * dt, (n.n_i_2 * state[0] + n.n_x_2 * state[1],)),
        ):
            expected = state_after(synapse, *state, time)[: len(found)]
            np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("synapse", [sp.Exponential(4.0), sp.Alpha(2.0)])
def test_a_current_has_the_constants_that_its_propagators_have(synapse):
    propagators = synapse.propagators(np.array([10.0]), np.array([250.0]), 0.1)
    assert synapse.at_nodes(0.1)[:4] == propagators[:4]


@pytest.mark.parametrize(
    ("conductance", "current"),
    [
        (sp.ConductanceExponential(3.0), sp.Exponential(3.0)),
        (sp.ConductanceAlpha(3.0), sp.Alpha(3.0)),
    ],
)
def test_a_conductance_has_the_time_course_of_the_current(conductance, current):
    assert conductance.at_nodes(0.1) == current.at_nodes(0.1)


def test_an_alpha_conductance_peaks_at_its_weight_after_tau_syn():
    synapse = sp.ConductanceAlpha(2.0)
    start = synapse.at_nodes(0.1).gain_x * 5.0
    courses = [state_after(synapse, 0.0, start, time)[0] for time in (1.99, 2.0, 2.01)]
    assert courses[1] == pytest.approx(5.0, rel=1e-14)
    assert max(courses) == courses[1]


@pytest.mark.parametrize("dt", [0.1, 0.25])
def test_small_steps_follow_the_differential_equation(dt):
    found = run(NEURON, MODELS, STATES, -70.0, round(10.0 / dt), dt)
    expected = membrane_after(NEURON, MODELS, STATES, -70.0, 10.0)
    # The constant is that of the errors at steps of 0.5 and 1 ms, with half as much to spare.
    assert abs(found - expected) < 4e-4 * dt**4


def test_the_order_of_convergence_is_four():
    expected = membrane_after(NEURON, MODELS, STATES, -70.0, 8.0)
    errors = [abs(run(NEURON, MODELS, STATES, -70.0, n, 8.0 / n) - expected) for n in (8, 16, 32)]
    orders = np.log2(np.divide(errors[:-1], errors[1:]))
    np.testing.assert_allclose(orders, 4.0, atol=0.15)


def test_a_step_is_that_of_the_matrices():
    rng = np.random.default_rng(3)
    for _ in range(50):
        weights = rng.uniform(0.0, 100.0, len(MODELS))
        states, dt, v = started(weights), rng.uniform(0.05, 0.5), rng.uniform(-80.0, -40.0)

        def at(time, states=states):
            pairs = zip(MODELS, states, strict=True)
            values = [state_after(synapse, *state, time)[0] for synapse, state in pairs]
            return coefficients(NEURON, MODELS, values)

        expected = magnus_step(v, lambda t, at=at: at(t)[0], lambda t, at=at: at(t)[1], dt)
        assert run(NEURON, MODELS, states, v, 1, dt) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("g", [0.0, 1.0, 100.0, 1e6, 1e12])
@pytest.mark.parametrize("dt", [0.01, 0.1, 1.0, 50.0])
def test_a_constant_conductance_is_exact(g, dt):
    tau_m, c_m, v_rest, e_rev, v = 20.0, 200.0, -60.0, -10.0, -75.0
    b = 1 / tau_m + g / c_m
    a = v_rest / tau_m + g * e_rev / c_m
    found = conductance_free(v, a, b, a, b, dt)
    assert found == pytest.approx(a / b + (v - a / b) * np.exp(-b * dt), abs=1e-12)


def test_without_conductance_it_is_the_exact_step_of_a_leaky_membrane():
    model = sp.LIF(tau_m=7.0, c_m=180.0, v_rest=-63.0, i_ext=90.0)
    constants = model.constants(0.1)
    expected = -63.0 + constants.decay_m * (-50.0 + 63.0) + constants.leak_gain * 90.0
    a = -63.0 / 7.0 + 90.0 / 180.0
    found = conductance_free(-50.0, a, 1 / 7.0, a, 1 / 7.0, 0.1)
    assert found == pytest.approx(expected, abs=1e-13)


def test_a_membrane_at_rest_stays_there_to_the_last_bit_when_counted_from_rest():
    g = 37.0 / 200.0
    assert conductance_free(0.0, 0.0, 0.05 + g, 0.0, 0.05 + 0.9 * g, 0.1) == 0.0


def test_a_leak_too_small_to_see_still_integrates_the_current():
    b = 1e-15
    assert conductance_free(1.0, 2.0, b, 2.0, b, 0.1) == pytest.approx(1.2, abs=1e-13)


CONDUCTANCES = st.floats(0.0, 1e6)


@settings(max_examples=30 if config.DISABLE_JIT else 300, deadline=None)
@given(
    st.tuples(CONDUCTANCES, CONDUCTANCES),
    st.tuples(CONDUCTANCES, CONDUCTANCES),
    st.floats(0.01, 10.0),
    st.floats(-80.0, 0.0),
)
def test_no_conductance_drives_v_out_of_the_reversal_potentials(excitatory, inhibitory, dt, v):
    a, b = [], []
    for g_e, g_i in zip(excitatory, inhibitory, strict=True):
        b.append(1 / 20.0 + (g_e + g_i) / 200.0)
        a.append(-60.0 / 20.0 + (g_e * 0.0 + g_i * -80.0) / 200.0)
    towards = [a[0] / b[0], a[1] / b[1], v]
    found = conductance_free(v, a[0], b[0], a[1], b[1], dt)
    assert min(towards) - 1e-10 <= found <= max(towards) + 1e-10


def test_two_huge_conductances_that_swap_within_a_step_stay_within_bounds():
    """Where the unlimited integrator misses by the size of the step times the conductance."""
    synapses = [sp.ConductanceExponential(0.5, 0.0), sp.ConductanceExponential(50.0, -80.0)]
    states = [(1e6, 0.0), (1e6, 0.0)]
    v, path = -60.0, []
    for _ in range(20):
        v = run(NEURON, synapses, states, v, 1, 0.1)
        states = [state_after(s, *state, 0.1) for s, state in zip(synapses, states, strict=True)]
        path.append(v)
    assert min(path) >= -80.0
    assert max(path) <= 0.0
    assert np.all(np.diff(path) < 0.0)


def test_a_commutator_of_either_sign_moves_v_towards_what_comes_later():
    """In the limit of strong conductances v lies closer to the second node than to the mean."""
    for e_1, e_2 in ((-70.0, -20.0), (-20.0, -70.0)):
        found = conductance_free(-50.0, e_1 * 1e4, 1e4, e_2 * 1e4, 1e4, 1.0)
        assert found == pytest.approx(e_1 + 0.75 * (e_2 - e_1), abs=1e-2)


@kernel
def steps_of(v, a_1, b_1, a_2, b_2, dt):
    for i in range(len(v)):
        v[i] = conductance_free(v[i], a_1[i], b_1[i], a_2[i], b_2[i], dt)


def test_single_precision_stays_single_and_near_double():
    rng = np.random.default_rng(5)
    b_1, b_2 = rng.uniform(0.05, 2.0, (2, 500))
    # Potentials from rest, between -20 and 70 mV, as the reversal potentials are then.
    a_1, a_2 = b_1 * rng.uniform(-20.0, 70.0, 500), b_2 * rng.uniform(-20.0, 70.0, 500)
    arguments = (rng.uniform(-20.0, 20.0, 500), a_1, b_1, a_2, b_2, 0.1)
    single = [np.asarray(value, np.float32) for value in arguments]
    single[-1] = np.float32(0.1)
    steps_of(*single)
    double = [np.array(value, np.float64) for value in arguments[:-1]]
    steps_of(*double, 0.1)
    np.testing.assert_allclose(single[0], double[0], rtol=0, atol=2e-5)
    if config.DISABLE_JIT:
        assert type(conductance_free(*[np.float32(1.0)] * 6)) is np.float32
    else:
        alone = numba.njit([(numba.float32,) * 6])(conductance_free.py_func)
        assert alone.nopython_signatures[0].return_type == numba.float32


@pytest.mark.parametrize("model", [sp.ConductanceExponential, sp.ConductanceAlpha])
def test_parameters_that_are_not_allowed_are_named(model):
    name = model.__name__
    for bad in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(ParameterError, match=rf"{name}\.tau_syn"):
            model(tau_syn=bad)
    for bad in (np.nan, np.inf):
        with pytest.raises(ParameterError, match=rf"{name}\.e_rev"):
            model(e_rev=bad)
    with pytest.raises(ParameterTypeError, match=rf"{name}\.e_rev"):
        model(e_rev="0")
    with pytest.raises(ParameterTypeError, match="e_rev"):
        model(e_rew=0.0)


def test_conductances_of_equal_parameters_are_one_port():
    assert sp.ConductanceExponential(5, 0) == sp.ConductanceExponential()
    assert sp.ConductanceExponential(5.0, -80.0) != sp.ConductanceExponential(5.0, -70.0)
    assert sp.ConductanceExponential(2.0, 0.0) != sp.ConductanceAlpha(2.0, 0.0)
    assert len({sp.ConductanceAlpha(), sp.ConductanceAlpha(2, 0)}) == 1


def test_negative_conductances_are_refused_where_weights_are_given():
    target, synapse = sp.Population("a", sp.LIF(), 2), sp.ConductanceExponential()
    text = r"weight.* must be at least 0 nS through ConductanceExponential, got -1; e_rev decides"
    with pytest.raises(ParameterError, match="Projection." + text):
        sp.Projection(target, target, sp.AllToAll(), -1.0, synapse=synapse)
    rule = sp.ExplicitList([0, 1], [1, 0])
    with pytest.raises(ParameterError, match=r"Projection\.weight\[1\] must be at least 0 nS"):
        sp.Projection(target, target, rule, [1.0, -1.0], synapse=synapse)
    with pytest.raises(ParameterError, match="PoissonInput." + text):
        sp.PoissonInput(target, 10.0, -1.0, synapse)
    with pytest.raises(ParameterError, match="SpikeInput." + text):
        inputs.SpikeInput(target, [1.0], [0], -1.0, synapse)
    sp.Projection(target, target, sp.AllToAll(), 0.0, synapse=synapse)
    sp.Projection(target, target, sp.AllToAll(), -1.0, synapse=sp.Exponential())


def test_a_distribution_passes_and_what_it_draws_is_checked():
    synapse = sp.ConductanceAlpha()
    synapse.check_weight("weight", sp.Normal(0.0, 1.0))
    with pytest.raises(ParameterError, match=r"weight\[2\] must be at least 0 nS"):
        synapse.check_weight("weight", np.array([1.0, 0.0, -0.5]))
