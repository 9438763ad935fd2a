import numpy as np
import pytest

import spikesim as sp
from spikesim.errors import NotEnoughMemoryError, ParameterError, UnitWarning

N_PRE, N_POST = 60, 40


def test_empty_projections_connect_nothing():
    population = sp.Population("a", sp.LIF(i_ext=500.0), 3)
    empty = [sp.ExplicitList([], []), sp.FixedInDegree(0), sp.FixedProbability(0.0)]
    projections = [sp.Projection(population, population, rule, 1e6, 0.1) for rule in empty]
    connected = sp.simulate(sp.Network([population], projections), 50.0)
    alone = sp.simulate(population, 50.0)
    np.testing.assert_array_equal(connected["a"].spike_times, alone["a"].spike_times)


def test_populations_are_known_by_their_names():
    a = sp.Population("exc", sp.LIF())
    twin = sp.Population("exc", sp.LIF(), 4)
    with pytest.raises(ParameterError, match=r"Network\.populations\[1\].*'exc'"):
        sp.Network([a, twin])
    with pytest.raises(ParameterError, match=r"Network\.projections\[0\]\.target.*did you mean"):
        sp.Network([a], [sp.Projection("exc", "ecx", sp.AllToAll(), 1.0)])
    with pytest.raises(ParameterError, match=r"Network\.inputs\[0\]\.target.*'other'"):
        sp.Network([a], inputs=[sp.StepCurrent("other", 1.0)])
    with pytest.raises(ParameterError, match=r"Network\.populations must hold"):
        sp.Network([])


def test_sources_take_no_input():
    source = sp.Population("in", sp.PoissonSource(5.0))
    with pytest.raises(ParameterError, match=r"Network\.inputs\[0\]\.target.*PoissonSource"):
        sp.Network([source], inputs=[sp.StepCurrent(source, 1.0)])
    with pytest.raises(ParameterError, match=r"Network\.projections\[0\]\.target"):
        sp.Network([source], [sp.Projection(source, source, sp.AllToAll(), 1.0)])


def test_an_impossible_number_of_synapses_is_refused_before_it_is_drawn():
    a = sp.Population("a", sp.LIF(), 10_000_000)
    network = sp.Network([a], [sp.Projection(a, a, sp.AllToAll(), 1.0)])
    with pytest.raises(NotEnoughMemoryError, match=r"Projection\.rule: 100000000000000 synapses"):
        sp.simulate(network, 1.0)


def test_equal_descriptions_have_equal_digests():
    def network(weight):
        a = sp.Population("a", sp.LIF(tau_m=[1.0, 2.0]), 2)
        return sp.Network([a], [sp.Projection(a, a, sp.ExplicitList([0], [1]), weight)])

    assert network(1.0).digest() == network(1.0).digest()
    assert network(1.0).digest() != network(2.0).digest()


def test_descriptions_cannot_be_changed():
    amplitude = np.array([1.0, 2.0])
    current = sp.StepCurrent("a", amplitude)
    amplitude[0] = 9.0
    assert current.amplitude.tolist() == [1.0, 2.0]
    with pytest.raises(ValueError, match="read-only"):
        current.amplitude[0] = 3.0
    with pytest.raises(AttributeError):
        current.start = 5.0


def driven(*inputs, n=2, dt=0.1, duration=4.0):
    """Currents felt in each step, from the increments of a membrane without leak."""
    population = sp.Population("a", sp.LIF(1e15, 250.0, 0.0, np.inf, 0.0), n)
    network = sp.Network([population], inputs=inputs)
    v = sp.simulate(network, duration, dt=dt, record="v", seed=1)["a"].v
    return np.diff(v, axis=0, prepend=0.0) * 250.0 / dt


def test_a_step_current_is_on_from_start_to_stop():
    felt = driven(sp.StepCurrent("a", [100.0, -50.0], 0.3, 0.7))
    expected = np.zeros((40, 2))
    expected[3:7] = [100.0, -50.0]
    np.testing.assert_allclose(felt, expected, atol=1e-6)
    forever = driven(sp.StepCurrent("a", 5.0, 1.0, neurons=[1]))
    np.testing.assert_allclose(forever[:, 0], 0.0, atol=1e-6)
    np.testing.assert_allclose(forever[10:, 1], 5.0, atol=1e-6)


def test_the_edges_of_a_step_lie_on_the_grid_whatever_the_rounding():
    for steps in range(1, 30):
        felt = driven(sp.StepCurrent("a", 1.0, 0.1 * steps, 0.1 * (steps + 1)), n=1)
        assert np.flatnonzero(felt[:, 0] > 0.5).tolist() == [steps]


def test_ramp_and_sine_currents_take_their_value_at_the_start_of_a_step():
    t = np.arange(40) * 0.1
    ramp = driven(sp.RampCurrent("a", 10.0, 50.0, 1.0, 3.0))
    inside = (t > 0.99) & (t < 2.99)
    expected = np.where(inside, 10.0 + 40.0 * (t - 1.0) / 2.0, 0.0)
    np.testing.assert_allclose(ramp[:, 0], expected, atol=1e-6)
    sine = driven(sp.SineCurrent("a", 20.0, 250.0, 0.5, 3.0))
    expected = 3.0 + 20.0 * np.sin(2 * np.pi * 250.0 * t / 1000.0 + 0.5)
    np.testing.assert_allclose(sine[:, 1], expected, atol=1e-6)


def test_a_sampled_current_holds_each_sample_and_is_zero_afterwards():
    values = np.array([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]])
    felt = driven(sp.SampledCurrent("a", values, 0.5))
    expected = np.vstack([np.repeat(values, 5, axis=0), np.zeros((25, 2))])
    np.testing.assert_allclose(felt, expected, atol=1e-6)
    common = driven(sp.SampledCurrent("a", [4.0], 0.2))
    np.testing.assert_allclose(common[:2], 4.0, atol=1e-6)


def test_currents_add_up():
    felt = driven(sp.StepCurrent("a", 1.0), sp.StepCurrent("a", 2.0, neurons=[0]))
    np.testing.assert_allclose(felt, np.tile([3.0, 1.0], (40, 1)), atol=1e-6)


def test_a_noise_current_has_its_mean_and_spread_and_its_interval():
    felt = driven(sp.NoiseCurrent("a", 10.0, [5.0, 50.0]), duration=100.0)
    for column, sd in enumerate((5.0, 50.0)):
        assert abs(felt[:, column].mean() - 10.0) < 4 * sd / np.sqrt(1000)
        assert abs(felt[:, column].std() / sd - 1.0) < 4 / np.sqrt(2000)
    assert abs(np.corrcoef(felt.T)[0, 1]) < 4 / np.sqrt(1000)
    held = driven(sp.NoiseCurrent("a", 0.0, 5.0, interval=0.5))[:, 0].reshape(-1, 5)
    np.testing.assert_allclose(held, np.tile(held[:, :1], 5), atol=1e-5)
    assert len(np.unique(held[:, 0].round(3))) == len(held)


def test_a_shared_poisson_train_reaches_all_alike():
    for shared in (True, False):
        population = sp.Population("a", sp.LIF(v_th=np.inf), 3)
        source = sp.PoissonInput(population, 3000.0, 1.0, shared=shared, neurons=[0, 2])
        network = sp.Network([population], inputs=[source])
        v = sp.simulate(network, 20.0, record="v", seed=3)["a"].v
        assert np.all(v[:, 1] == -65.0)
        assert np.array_equal(v[:, 0], v[:, 2]) is shared


def test_sources_and_inputs_of_one_rate_draw_different_trains():
    source = sp.Population("in", sp.PoissonSource(500.0))
    second = sp.Population("too", sp.PoissonSource(500.0))
    target = sp.Population("a", sp.LIF(1e15, 250.0, 0.0, np.inf, 0.0))
    inputs = [sp.PoissonInput(target, 500.0, 1.0), sp.PoissonInput(target, 500.0, 1.0)]
    trains = []
    for item in inputs:
        net = sp.Network([source, second, target], inputs=inputs[: inputs.index(item) + 1])
        recording = sp.simulate(net, 100.0, record={"a": "v"}, seed=1)
        trains.append(np.diff(recording["a"].v[:, 0], prepend=0.0) > 0.5)
    for name in ("in", "too"):
        train = np.zeros(1000, dtype=bool)
        train[np.rint(recording[name].spike_times / 0.1).astype(int) - 1] = True
        trains.append(train)
    trains[1] &= ~trains[0]
    assert all(train.sum() > 20 for train in trains)
    for i in range(4):
        assert not any(np.array_equal(trains[i], trains[j]) for j in range(i))


def test_a_poisson_source_fires_at_its_rates():
    rates = np.array([0.0, 50.0, 400.0, 200_000.0])
    recording = sp.simulate(sp.Population("p", sp.PoissonSource(rates), 4), 200.0, seed=5)["p"]
    expected = rates * 0.2
    counts = recording.spike_counts()
    assert counts[0] == 0
    assert np.all(np.abs(counts - expected) <= 4 * np.sqrt(expected))
    assert np.all(np.diff(recording.spike_times) >= 0)


@pytest.mark.parametrize(
    ("make", "place"),
    [
        (lambda a, w: sp.Projection(a, a, sp.OneToOne(), w), "Projection.weight from 'a' to 'a'"),
        (lambda a, w: sp.PoissonInput(a, 5.0, w), "PoissonInput.weight into 'a'"),
        (lambda a, w: sp.SpikeInput(a, [1.0], [0], w), "SpikeInput.weight into 'a'"),
    ],
)
@pytest.mark.parametrize(("weight", "ways"), [(20.0, 1.3), (80.0, 5.3), (-480.0, 32)])
def test_a_weight_in_pa_without_a_synapse_is_asked_about(make, place, weight, ways):
    a = sp.Population("a", sp.LIF())
    item = make(a, weight)
    parts = {"projections" if isinstance(item, sp.Projection) else "inputs": [item]}
    with pytest.warns(UnitWarning) as warned:
        sp.Network([a], **parts)
    assert len(warned) == 1 and warned[0].filename == __file__
    text = str(warned[0].message)
    assert text.startswith(f"{place} is {weight:g} mV")
    assert f"moves v by {ways:g} times" in text and "synapse=Exponential()" in text


@pytest.mark.parametrize(
    "weight",
    [sp.Normal(-90.0, 1.0), sp.LogNormal(90.0, 9.0), sp.Uniform(70.0, 90.0), [-90.0, 90.0]],
)
def test_weights_that_differ_are_asked_about_too(weight):
    a = sp.Population("a", sp.LIF(v_th=sp.Normal(-50.0, 1.0)), 2)
    with pytest.warns(UnitWarning, match=r"Projection\.weight from 'a' to 'a' is -?[89]0 mV"):
        sp.Network([a], [sp.Projection(a, a, sp.OneToOne(), weight)])


@pytest.mark.parametrize(
    ("model", "weight", "synapse"),
    [
        (sp.LIF(), 15.0, {}),
        (sp.LIF(), -60.0, {}),
        (sp.LIF(v_reset=-52.0), 14.5, {}),
        (sp.LIF(v_th=-60.0), 15.0, {}),
        (sp.LIF(), 20.0, {"synapse": sp.Delta()}),
        (sp.LIF(10.0, 250.0, 0.0, 20.0, 10.0), 60.0, {}),
        (sp.LIF.normalised(), 30.0, {}),
        (sp.LIF.normalised(), 0.01, {"synapse": sp.Exponential()}),
        (sp.LIF.normalised(), 1e-5, {"synapse": sp.ConductanceExponential(5.0, -0.1)}),
        (sp.LIF(), 0.0, {"synapse": sp.Exponential()}),
        (sp.LIF(), 0.1, {"synapse": sp.Alpha()}),
        (sp.LIF(), 1e-4, {"synapse": sp.ConductanceAlpha()}),
        (sp.LIF(), 1e-4, {"synapse": sp.Delta()}),
        (sp.LIF(), 1e4, {"synapse": sp.Delta()}),
        (sp.LIF(), 1e4, {"synapse": sp.Exponential()}),
        (sp.LIF.normalised(), -15.0, {}),
        (sp.LIF.non_spiking(), 1e4, {}),
        (sp.SigmoidRate(), 1e4, {}),
    ],
)
def test_a_sensible_weight_is_not_asked_about(model, weight, synapse):
    a = sp.Population("a", model)
    network = sp.Network([a], [sp.Projection(a, a, sp.OneToOne(), weight, **synapse)])
    assert network.projections[0].weight == weight


def test_a_delay_in_seconds_is_asked_about():
    with pytest.warns(UnitWarning, match=r"Projection\.delay is 0\.0015 ms; should it be 1\.5\?"):
        sp.Projection("a", "a", sp.OneToOne(), 1.0, 0.0015)


@pytest.mark.parametrize(
    ("delay", "asked"),
    [
        (sp.Uniform(0.001, 0.019), r"reaches 0\.019 ms; should it be 19\?"),
        (sp.Normal(0.0015, 0.0005, 1e-4), r"reaches 0\.0025 ms"),
        (sp.Uniform(0.001, 0.02), None),
        (sp.Normal(1.0, 0.5, 0.001), None),
        (0.01, None),
        ([0.001, 1.0], None),
        ([0.001, 0.004], r"reaches 0\.004 ms; should it be 4\?"),
    ],
)
def test_delays_that_differ_are_asked_about_if_all_are_short(delay, asked):
    if asked is None:
        assert sp.Projection("a", "a", sp.OneToOne(), 1.0, delay).weight == 1.0
        return
    with pytest.warns(UnitWarning, match=asked):
        sp.Projection("a", "a", sp.OneToOne(), 1.0, delay)


@pytest.mark.parametrize(
    ("weight", "synapse", "text"),
    [
        (0.09, sp.Exponential(), r"'a' is 0\.09 pA; should it be 90\?"),
        (-5e-11, sp.Alpha(), r"'a' is -5e-11 pA; should it be -50\?"),
        ([0.0, -0.05], sp.Alpha(), r"'a' reaches -0\.05 pA; should it be -50\?"),
        (sp.Normal(0.05, 0.005), sp.Exponential(), r"'a' reaches 0\.06 pA; should it be 60\?"),
        (5e-5, sp.ConductanceExponential(), r"'a' is 5e-05 nS; should it be 0\.05\?"),
        (2e-9, sp.ConductanceAlpha(), r"'a' is 2e-09 nS; should it be 2\?"),
    ],
)
@pytest.mark.parametrize("model", [sp.LIF(), sp.SigmoidRate()])
def test_weights_in_na_and_us_are_asked_about(model, weight, synapse, text):
    if synapse.conductance and isinstance(model, sp.SigmoidRate):
        model = sp.LIF(v_rest=sp.Uniform(-70.0, -60.0))
    a = sp.Population("a", model, 2)
    projection = sp.Projection(a, a, sp.OneToOne(), weight, synapse=synapse)
    with pytest.warns(UnitWarning, match=r"Projection\.weight from 'a' to " + text) as warned:
        sp.Network([a], [projection])
    assert len(warned) == 1


def test_a_small_weight_beside_a_large_one_is_not_asked_about():
    a = sp.Population("a", sp.LIF())
    small = sp.Projection(a, a, sp.OneToOne(), 0.01, synapse=sp.Exponential())
    large = sp.PoissonInput(a, 5.0, 50.0, sp.Alpha())
    assert sp.Network([a], [small], [large]).projections == (small,)
    other = sp.PoissonInput(a, 5.0, 50.0, sp.ConductanceAlpha())
    with pytest.warns(UnitWarning, match=r"Projection\.weight from 'a' to 'a' is 0\.01 pA"):
        sp.Network([a], [small], [other])


def test_reversal_potentials_in_volts_are_asked_about():
    a = sp.Population("a", sp.LIF())
    item = sp.PoissonInput(a, 5.0, 1.0, sp.ConductanceExponential(5.0, -0.08))
    with pytest.warns(UnitWarning, match=r"Exponential\.e_rev is -0\.08 mV; should it be -80\?"):
        sp.Network([a], inputs=[item])


CURRENTS = [
    (lambda x: sp.StepCurrent("a", x), "StepCurrent.amplitude"),
    (lambda x: sp.StepCurrent("a", [0.0, x]), "StepCurrent.amplitude"),
    (lambda x: sp.RampCurrent("a", 0.0, x, 1.0, 2.0), "RampCurrent.end_amplitude"),
    (lambda x: sp.RampCurrent("a", -x, 0.0, 1.0, 2.0), "RampCurrent.start_amplitude"),
    (lambda x: sp.SineCurrent("a", x, 5.0), "SineCurrent.amplitude"),
    (lambda x: sp.SineCurrent("a", 0.5 * x, 5.0, 0.0, x), "SineCurrent.offset"),
    (lambda x: sp.NoiseCurrent("a", 0.0, x), "NoiseCurrent.sd"),
    (lambda x: sp.NoiseCurrent("a", x, 0.0), "NoiseCurrent.mean"),
    (lambda x: sp.SampledCurrent("a", [0.0, x], 1.0), "SampledCurrent.values"),
]


@pytest.mark.parametrize(("make", "name"), CURRENTS)
@pytest.mark.parametrize("model", [sp.LIF(), sp.SigmoidRate()])
def test_currents_in_na_are_asked_about(make, name, model):
    with pytest.warns(UnitWarning) as warned:
        sp.Network([sp.Population("a", model, 2)], inputs=[make(0.4)])
    assert len(warned) == 1 and warned[0].filename == __file__
    text = str(warned[0].message)
    assert text.startswith(f"{name} into 'a' ") and "0.4 pA; should it be " in text
    assert "400?" in text


@pytest.mark.parametrize(("make", "name"), CURRENTS)
def test_other_currents_are_not_asked_about(make, name):
    small = sp.LIF(c_m=10.0)
    for model, value in (
        (sp.LIF(), 1.0),
        (sp.LIF(), 0.0),
        (small, 0.4),
        (sp.LIF.normalised(), 0.1),
    ):
        sp.Network([sp.Population("a", model, 2)], inputs=[make(value)])
    # A small current beside a large one was meant to be small.
    sp.Network([sp.Population("a", sp.LIF(i_ext=300.0), 2)], inputs=[make(0.4)])
    sp.Network([sp.Population("a", sp.LIF(), 2)], inputs=[make(0.4), sp.StepCurrent("a", 300.0)])


def test_a_step_in_seconds_is_asked_about():
    with pytest.warns(UnitWarning, match=r"simulate\.dt is 0\.0001 ms; should it be 0\.1\?"):
        sp.simulate(sp.LIF(t_ref=0.0), 0.01, dt=1e-4)
    assert sp.simulate(sp.LIF(), 0.01, dt=1e-3)["neuron"].spike_times.size == 0


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"tau_m": 0.01}, r"SigmoidRate\.tau_m is 0\.01 ms; should it be 10\?"),
        ({"v_rest": -0.065, "v_half": -0.055}, r"SigmoidRate\.v_rest is -0\.065 mV"),
        ({"c_m": 0.25}, r"SigmoidRate\.c_m is 0\.25 pF; should it be 250\?"),
        ({"i_ext": 0.3}, r"SigmoidRate\.i_ext is 0\.3 pA; should it be 300\?"),
    ],
)
def test_rate_neurons_in_other_units_are_asked_about(values, text):
    with pytest.warns(UnitWarning, match=text) as warned:
        sp.SigmoidRate(**values)
    assert len(warned) == 1
    assert sp.SigmoidRate(1.0, 1.0, 0.0, 0.0, 0.1, i_ext=0.5, v_init=-0.1).v_half == 0.0
