import numpy as np
import pytest
from numba import config
from scipy.integrate import quad
from scipy.special import erfcx

import spikesim as sp
from spikesim.errors import ParameterError, RoundingWarning, UnitWarning

DT = 0.1


def times(model, duration=200.0, dt=DT, **arguments):
    return sp.simulate(model, duration, dt=dt, **arguments)["neuron"].spike_times


@pytest.mark.parametrize("dt", [0.05, 0.1, 1.0, 25.0])
def test_the_response_to_a_step_is_exact_for_any_dt(dt):
    model = sp.LIF(tau_m=10.0, c_m=250.0, v_th=np.inf, v_init=-70.0, t_ref=0.0)
    population = sp.Population("a", model)
    network = sp.Network([population], inputs=[sp.StepCurrent(population, 300.0, 50.0, 150.0)])
    recording = sp.simulate(network, 200.0, dt=dt, record="v")
    t = recording.trace_times
    free = -65.0 - 5.0 * np.exp(-t / 10.0)
    on = 12.0 * -np.expm1(-np.clip(t - 50.0, 0.0, 100.0) / 10.0)
    expected = free + on * np.exp(-np.maximum(t - 150.0, 0.0) / 10.0)
    np.testing.assert_allclose(recording["a"].v[:, 0], expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("t_ref", [0.0, 0.1, 2.0, 5.0])
@pytest.mark.parametrize("dt", [0.1, 0.5])
def test_intervals_follow_the_f_i_curve_on_the_grid(t_ref, dt):
    if t_ref == 0.1:
        t_ref = dt
    currents = np.concatenate([np.linspace(376.0, 2000.0, 30), [374.9]])
    model = sp.LIF(tau_m=10.0, c_m=250.0, t_ref=t_ref, i_ext=currents)
    n = len(currents)
    recording = sp.simulate(sp.Population("a", model, n), 400.0, dt=dt)["a"]
    ceiling = 10.0 / 250.0 * currents
    climb = np.full(n, np.inf)
    climb[:-1] = 10.0 * np.log(ceiling[:-1] / (ceiling[:-1] - 15.0))
    steps = round(t_ref / dt) + np.ceil(climb / dt)
    for neuron in range(n - 1):
        isi = np.rint(recording.isi(neuron) / dt)
        assert len(isi) >= 3
        assert set(isi) == {steps[neuron]}
    rate = 1000.0 / (t_ref + climb[:-1])
    np.testing.assert_array_less(recording.rates()[:-1], rate + 1e3 / 400.0)
    assert recording.spike_counts()[-1] == 0


def test_meeting_the_threshold_exactly_fires():
    model = sp.LIF(v_rest=0.0, v_th=4.0, v_reset=0.0)
    population = sp.Population("a", model, 2)
    weights = [4.0, np.nextafter(4.0, 0.0)]
    spikes = sp.SpikeInput(population, [1.0, 1.0], [0, 1], weights)
    recording = sp.simulate(sp.Network([population], inputs=[spikes]), 5.0)["a"]
    assert recording.spike_ids.tolist() == [0]
    assert recording.spike_times.tolist() == [1.0]


def test_an_infinite_threshold_is_never_met():
    assert len(times(sp.LIF(v_th=np.inf, i_ext=1e5))) == 0


@pytest.mark.parametrize("t_ref", [0.0, 0.1, 0.2, 2.0])
@pytest.mark.parametrize("offset", [-1, 0, 1, 2])
def test_a_jump_one_step_either_side_of_the_refractory_border(t_ref, offset):
    """A spike in step k holds steps k+1 .. k+n; a jump counts from step k+n+1 on."""
    n = round(t_ref / DT)
    first, second = 10, 10 + n + offset
    if second <= first:
        second = first
    population = sp.Population("a", sp.LIF(v_rest=0.0, v_th=5.0, v_reset=0.0, t_ref=t_ref))
    arrivals = sp.SpikeInput(population, np.array([first, second]) * DT, [0, 0], 6.0)
    recording = sp.simulate(sp.Network([population], inputs=[arrivals]), 5.0, record="v")["a"]
    steps = np.rint(recording.spike_times / DT).astype(int).tolist()
    if second == first:
        assert steps == [first]
    elif second <= first + n:
        assert steps == [first]
        # What arrived while the neuron was held is lost for good.
        assert np.all(recording.v[first - 1 :] == 0.0)
    else:
        assert steps == [first, second]


def test_it_is_held_for_the_refractory_period_and_then_integrates():
    model = sp.LIF(v_rest=0.0, v_th=5.0, v_reset=-3.0, v_init=6.0, t_ref=0.3, tau_m=10.0)
    v = sp.simulate(model, 0.6, record="v")["neuron"].v[:, 0]
    assert v[:4].tolist() == [-3.0] * 4
    assert v[4] == pytest.approx(-3.0 * np.exp(-DT / 10.0), abs=1e-14)


def test_a_synaptic_current_decays_while_the_neuron_is_held():
    population = sp.Population("a", sp.LIF(v_init=-40.0, t_ref=5.0))
    spike = sp.SpikeInput(population, [1.0], [0], 100.0, sp.Exponential(2.0))
    network = sp.Network([population], inputs=[spike])
    recording = sp.simulate(network, 8.0, record=("v", "i_syn"))["a"]
    since = recording.trace_times - 1.0
    expected = np.where(since > -1e-9, 100.0 * np.exp(-since / 2.0), 0.0)
    np.testing.assert_allclose(recording.traces["i_syn"][:, 0], expected, atol=1e-12)
    assert np.all(recording.v[:51] == -65.0)
    assert np.all(recording.v[51:] > -65.0)


def test_starting_above_threshold_fires_in_the_first_step_unless_leak_prevents_it():
    assert times(sp.LIF(v_init=-40.0), 1.0).tolist() == [0.1]
    assert len(times(sp.LIF(v_init=-50.0), 1.0)) == 0


def test_reset_by_subtraction_keeps_what_exceeds_the_threshold():
    model = sp.LIF(v_rest=0.0, v_th=4.0, v_reset=0.0, t_ref=0.0, reset="subtract", tau_m=1e12)
    population = sp.Population("a", model)
    spikes = sp.SpikeInput(population, [1.0], [0], 9.5)
    recording = sp.simulate(sp.Network([population], inputs=[spikes]), 2.0, record="v")["a"]
    np.testing.assert_allclose(recording.spike_times, [1.0, 1.1])
    np.testing.assert_allclose(recording.v[9:12, 0], [5.5, 1.5, 1.5])


def test_subtraction_without_leak_counts_the_charge_exactly():
    model = sp.LIF(0.0 + 1e9, 250.0, 0.0, 1.0, 0.0, 0.0, i_ext=2500.0 / 7, reset="subtract")
    # 2500 / 7 pA over 0.1 ms on 250 pF is 1/7 mV a step: one spike in seven.
    assert len(times(model, 700.1)) == 1000


def test_parameters_may_differ_between_neurons():
    tau_m = np.array([5.0, 10.0, 20.0])
    population = sp.Population("a", sp.LIF(tau_m=tau_m, c_m=250.0, v_th=np.inf, i_ext=100.0), 3)
    recording = sp.simulate(population, 30.0, record="v")["a"]
    expected = -65 + tau_m / 250.0 * 100.0 * -np.expm1(-recording.trace_times[:, None] / tau_m)
    np.testing.assert_allclose(recording.v, expected, rtol=0, atol=1e-10)


def test_a_refractory_period_off_the_grid_is_rounded_with_one_warning():
    population = sp.Population("a", sp.LIF(t_ref=[2.0, 2.07, 0.04], i_ext=1000.0), 3)
    with pytest.warns(RoundingWarning, match=r"LIF\.t_ref") as caught:
        recording = sp.simulate(population, 100.0)
    assert len(caught) == 1
    np.testing.assert_allclose(recording.parameters["a"]["t_ref"], [2.0, 2.1, 0.0])
    sp.simulate(population, 1.0, state=recording.final_state)


def test_an_endless_refractory_period_allows_one_spike():
    assert len(times(sp.LIF(t_ref=1e30, i_ext=1000.0), 100.0)) == 1
    recording = sp.simulate(sp.LIF(t_ref=1e30), 0.0)
    assert recording.parameters["neuron"]["t_ref"] == (2**31 - 1) * 0.1


def test_parameters_that_are_not_random_are_spread_over_the_neurons():
    model = sp.LIF(12.0, [100.0, 200.0], t_ref=3.0, v_rest=-60.0, reset="subtract")
    spread = model.drawn(2, np.random.default_rng(0))
    assert spread.reset == "subtract"
    assert spread.c_m.tolist() == [100.0, 200.0] and spread.v_init.tolist() == [-60.0, -60.0]
    again = sp.LIF(**vars(spread))
    for name, value in vars(spread).items():
        assert np.array_equal(getattr(again, name), value)
        assert name == "reset" or (value.dtype, value.flags.writeable) == (float, False)
    with pytest.raises(sp.SpikesimError, match=r"LIF.c_m must have shape \(3,\)"):
        model.drawn(3, np.random.default_rng(0))


def test_drawn_parameters_that_are_not_allowed_are_refused():
    population = sp.Population("a", sp.LIF(tau_m=sp.Normal(0.0, 1.0)), 50)
    with pytest.raises(ParameterError, match=r"LIF\.tau_m\[\d+\]"):
        sp.simulate(population, 1.0, seed=1)


N_FREE = 40 if config.DISABLE_JIT else 400


@pytest.mark.parametrize("synapse", [sp.Delta(), sp.Exponential(4.0), sp.Alpha(2.0)])
def test_the_free_membrane_under_poisson_input_obeys_campbell(synapse):
    """Mean rate * area of the PSP, variance rate * area of its square, on the grid."""
    rate, weight, dt, tau_m, c_m = 2000.0, 2.0, 0.5, 10.0, 250.0
    weight = 0.5 if isinstance(synapse, sp.Delta) else 20.0
    shape = pulse_response(synapse, weight, dt, tau_m, c_m)
    mean = rate * dt / 1000 * shape.sum()
    variance = rate * dt / 1000 * (shape**2).sum()
    population = sp.Population("a", sp.LIF(tau_m, c_m, 0.0, np.inf, 0.0), N_FREE)
    source = sp.PoissonInput(population, rate, weight, synapse)
    network = sp.Network([population], inputs=[source])
    # Samples 100 ms (10 time constants) apart, neurons apart: independent.
    record = {"a": sp.Record("v", interval=100.0)}
    v = sp.simulate(network, 600.0, dt=dt, record=record, seed=4)["a"].v[1:].ravel()
    assert abs(v.mean() - mean) < 4 * np.sqrt(variance / len(v))
    # The variance of a sample variance, with the fourth cumulant of filtered Poisson noise.
    fourth = rate * dt / 1000 * (shape**4).sum()
    error = np.sqrt((2 * variance**2 + fourth) / len(v))
    assert abs(v.var() - variance) < 4 * error


def pulse_response(synapse, weight, dt, tau_m, c_m):
    population = sp.Population("a", sp.LIF(tau_m, c_m, 0.0, np.inf, 0.0))
    spike = sp.SpikeInput(population, [dt], [0], weight, synapse)
    network = sp.Network([population], inputs=[spike])
    return sp.simulate(network, 300.0, dt=dt, record="v")["a"].v[:, 0]


def siegert(mu, sigma, tau_m, t_ref, v_th, v_reset):
    """Mean rate (Hz) of an LIF neuron under white noise (Siegert 1951; Brunel 2000, eq. 21)."""
    low, high = (v_reset - mu) / sigma, (v_th - mu) / sigma
    area, _ = quad(lambda u: erfcx(-u), low, high)
    return 1000.0 / (t_ref + tau_m * np.sqrt(np.pi) * area)


@pytest.mark.parametrize(("mu", "sigma"), [(14.0, 6.0), (16.0, 3.0)])
def test_the_rate_in_the_diffusion_limit_is_that_of_siegert(mu, sigma):
    """A threshold that is tested at grid points alone is passed unseen in between.

    To first order that raises it by 0.5826 standard deviations of the increment of a step,
    sigma sqrt(dt / tau_m) (-zeta(1/2) / sqrt(2 pi); Broadie, Glasserman & Kou 1997, Math. Finance
    7:325). What remains is the jump size and the error of a sample of some 2,000 intervals, of
    which 2 standard errors are 5 %.
    """
    dt, tau_m, t_ref, jump = 0.02, 20.0, 2.0, 0.02
    # So many neurons that both rates give some 2,000 intervals.
    n = 4 if config.DISABLE_JIT else {6.0: 40, 3.0: 160}[sigma]
    duration = 100.0 if config.DISABLE_JIT else 3000.0
    # Two trains of weight +j and -j: mean j (r+ - r-) tau, sigma^2 = j^2 (r+ + r-) tau.
    total, net = sigma**2 / jump**2 / tau_m, mu / jump / tau_m
    population = sp.Population("a", sp.LIF(tau_m, 250.0, 0.0, 20.0, 10.0, t_ref), n)
    inputs = [
        sp.PoissonInput(population, 1000.0 * (total + net) / 2, jump),
        sp.PoissonInput(population, 1000.0 * (total - net) / 2, -jump),
    ]
    recording = sp.simulate(sp.Network([population], inputs=inputs), duration, dt=dt, seed=2)
    shift = 0.5826 * sigma * np.sqrt(dt / tau_m)
    expected = siegert(mu, sigma, tau_m, t_ref, 20.0 + shift, 10.0)
    tolerance = 1.0 if config.DISABLE_JIT else 0.05
    assert recording.rate("a") == pytest.approx(expected, rel=tolerance)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"v_rest": -0.065, "v_reset": -0.065, "v_th": -0.05}, r"LIF\.v_rest.*should it be -65\?"),
        ({"v_rest": [-0.065, -0.07]}, r"LIF\.v_rest reaches -0\.07 mV; should it be -70\?"),
        ({"tau_m": 0.02}, r"LIF\.tau_m is 0\.02 ms; should it be 20\?"),
        ({"t_ref": 0.002}, r"LIF\.t_ref is 0\.002 ms; should it be 2\?"),
        ({"c_m": 0.25}, r"LIF\.c_m is 0\.25 pF; should it be 250\?"),
        ({"t_ref": [0.0, 0.002, 0.003]}, r"LIF\.t_ref reaches 0\.003 ms; should it be 3\?"),
        ({"tau_m": sp.Uniform(0.01, 0.02)}, r"LIF\.tau_m reaches 0\.02 ms; should it be 20\?"),
        ({"v_rest": sp.Normal(-0.065, 0.001)}, r"LIF\.v_rest.*should it be -67\?"),
        ({"v_rest": -0.065, "v_reset": -0.065, "v_th": np.inf}, r"LIF\.v_rest.* be -65\?"),
        ({"v_th": -0.05}, r"LIF\.v_th is -0\.05 mV; should it be -50\?"),
        ({"v_init": [-0.06, -0.05]}, r"LIF\.v_init reaches -0\.06 mV; should it be -60\?"),
        ({"v_reset": -0.065, "v_th": np.inf}, r"LIF\.v_reset is -0\.065 mV; should it be -65\?"),
        ({"c_m": [0.2, 0.25]}, r"LIF\.c_m reaches 0\.25 pF; should it be 250\?"),
        ({"c_m": 250e-12}, r"LIF\.c_m is 2\.5e-10 pF; should it be 250\?"),
        ({"i_ext": 0.4}, r"LIF\.i_ext is 0\.4 pA; should it be 400\?"),
        ({"i_ext": [0.0, -4e-10]}, r"LIF\.i_ext reaches -4e-10 pA; should it be -400\?"),
        ({"i_ext": np.linspace(0.0, 0.9, 10)}, r"LIF\.i_ext reaches 0\.9 pA; .* be 900\?"),
        ({"i_ext": 1.9}, r"LIF\.i_ext is 1\.9 pA; should it be 1900\?"),
        ({"i_ext": 0.4, "c_m": sp.Normal(250.0, 20.0)}, r"LIF\.i_ext.*should it be 400\?"),
    ],
)
def test_volts_and_seconds_farads_and_amperes_are_asked_about(values, text):
    with pytest.warns(UnitWarning, match=text) as warned:
        sp.LIF(**values)
    assert len(warned) == 1


@pytest.mark.parametrize(
    "values",
    [
        {"i_ext": [0.4, 400.0], "c_m": 1.0, "tau_m": 0.1, "t_ref": 0.0},
        {"tau_m": 10.0, "c_m": 10.0, "i_ext": 0.4},
        {"v_rest": 0.0, "v_th": 1.0, "v_reset": 0.0, "tau_m": 0.5, "c_m": 0.5, "i_ext": 1e-3},
        {"v_rest": 0.0, "v_th": np.inf, "v_reset": 0.0, "c_m": 0.5, "i_ext": 1e-3},
        {"v_rest": [], "i_ext": sp.Normal(0.0, 1e-3), "v_th": [1e308, 1e308]},
        {"t_ref": 0.01, "i_ext": 2.0, "c_m": [0.5, 1.0]},
        {"i_ext": sp.Normal(0.1, 50.0), "tau_m": sp.Normal(0.0, 20.0)},
        {"v_rest": 0.1, "v_th": 1.0, "v_reset": 0.0},
        {"v_rest": -0.1, "v_th": 1.0, "v_reset": -0.1, "v_init": -0.1},
        {"v_rest": -0.1, "v_th": 0.0, "v_reset": -0.1},
        {"v_rest": [-0.1, 0.1], "v_th": 1.0, "v_reset": 0.0},
        {"v_rest": sp.Normal(0.0, 0.1), "v_th": 1.0, "v_reset": 0.0},
        {"v_rest": 0.0, "v_th": 20.0, "v_reset": 10.0, "c_m": 1.0, "i_ext": 0.5},
        {"v_rest": 0.0, "v_th": 20.0, "v_reset": -10.0, "c_m": 0.5, "v_init": -0.1},
    ],
)
def test_other_neurons_are_not_asked_about(values):
    assert sp.LIF(**values).reset == "to_potential"


def test_a_drawn_neuron_is_not_asked_about_twice():
    with pytest.warns(UnitWarning, match=r"LIF\.c_m is 0\.25 pF") as warned:
        model = sp.LIF(c_m=0.25, v_rest=sp.Uniform(-70.0, -60.0))
        sp.simulate(model, 1.0, seed=1)
    assert len(warned) == 1


def test_a_reset_in_volts_is_refused_in_words():
    with pytest.raises(ParameterError, match=r"LIF\.v_reset must be .*\(potentials are in mV\)"):
        sp.LIF(v_reset=-0.065)


@pytest.mark.parametrize("make", [sp.LIF.normalised, sp.LIF.non_spiking, sp.AdaptiveLIF.normalised])
def test_a_normalised_neuron_is_not_drawn_with_another_resistance(make):
    name = f"{make.__self__.__name__}.{make.__name__}"
    with pytest.raises(TypeError, match=rf"{name}\.tau_m must be a number or an array.*draw"):
        make(sp.Uniform(5.0, 20.0))


def test_the_normalised_neuron_is_not_asked_about():
    assert sp.LIF.normalised().v_th == 1.0
