"""Rate neurons and Poisson sources of changing rate: closed forms and what they refuse."""

import numpy as np
import pytest

import spikesim as sp
from spikesim.errors import ParameterError, ParameterTypeError
from spikesim.neurons.lif import move
from spikesim.neurons.sigmoid_rate import output
from tests.naive_models import sigmoid

ARGUMENTS = (-55.0, 4.0, 100.0)


@pytest.mark.parametrize("v", np.linspace(-90.0, -20.0, 29))
def test_the_rate_follows_the_sigmoid(v):
    assert output(v, *ARGUMENTS) == pytest.approx(sigmoid(v, *ARGUMENTS), rel=1e-12, abs=1e-14)


def test_the_rate_at_half_a_scale_up_and_at_the_ends():
    assert output(-55.0, *ARGUMENTS) == 50.0
    assert output(-55.0 + 4.0 * np.log(3.0), *ARGUMENTS) == pytest.approx(75.0, rel=1e-15)
    assert output(1e300, *ARGUMENTS) == 100.0
    assert output(-1e300, *ARGUMENTS) == 0.0
    assert output(-55.0 + 1e-9, -55.0, 1e-12, 80.0) == 80.0
    assert output(-30.0, -55.0, 4.0, 0.0) == 0.0


def test_the_odds_grow_by_e_over_a_scale():
    lower, upper = output(-58.0, *ARGUMENTS), output(-54.0, *ARGUMENTS)
    assert upper / (100 - upper) == pytest.approx(np.e * lower / (100 - lower), rel=1e-13)


def test_a_rate_in_single_precision():
    found = output(*[np.float32(value) for value in (-50.0, *ARGUMENTS)])
    assert found == pytest.approx(sigmoid(-50.0, *ARGUMENTS), rel=1e-6)


@pytest.mark.parametrize("dt", [0.1, 1.0, 25.0])
def test_the_membrane_is_exact_for_any_dt(dt):
    model = sp.SigmoidRate(tau_m=12.0, c_m=300.0, v_rest=-60.0, i_ext=250.0)
    constants = model.constants(dt)
    v = -70.0
    for _ in range(round(50.0 / dt)):
        v = move(v, constants.leak_gain * 250.0, 0.0, constants.decay_m, constants.v_rest)
    assert v == pytest.approx(-60.0 + 10.0 - 20.0 * np.exp(-50.0 / 12.0), abs=1e-12)


def test_a_jump_is_added_as_it_is():
    assert move(-60.0, 0.0, 2.5, 0.9, -60.0) == -57.5


def test_its_constants_are_those_of_the_neuron_that_fires():
    rate, fires = sp.SigmoidRate(tau_m=[5.0, 9.0], c_m=77.0), sp.LIF(tau_m=[5.0, 9.0], c_m=77.0)
    mine, others = rate.constants(0.1), fires.constants(0.1)
    assert mine.decay_m.tolist() == np.asarray(others.decay_m).tolist()
    assert mine.leak_gain.tolist() == np.asarray(others.leak_gain).tolist()
    assert rate.r_m.tolist() == fires.r_m.tolist()


def test_parameters_are_kept_and_drawn():
    given = np.array([10.0, 20.0, 30.0])
    model = sp.SigmoidRate(tau_m=given, max_rate=sp.Uniform(50.0, 60.0), v_rest=-70)
    given[0] = -1.0
    assert model.tau_m.tolist() == [10.0, 20.0, 30.0]
    assert not model.tau_m.flags.writeable
    assert model.sizes() == {3}
    assert model.random() == ["max_rate"]
    drawn = model.drawn(3, np.random.default_rng(1))
    again = model.drawn(3, np.random.default_rng(1))
    assert drawn.max_rate.tolist() == again.max_rate.tolist()
    assert np.all((drawn.max_rate >= 50.0) & (drawn.max_rate < 60.0))
    assert drawn.v_init.tolist() == [-70.0] * 3
    assert drawn.random() == []
    with pytest.raises(ParameterError, match=r"SigmoidRate\.tau_m"):
        model.drawn(4, np.random.default_rng(1))


def test_a_drawn_value_that_is_not_allowed_is_refused():
    model = sp.SigmoidRate(v_scale=sp.Normal(0.0, 1.0))
    with pytest.raises(ParameterError, match=r"SigmoidRate\.v_scale\[\d+\] must be greater than 0"):
        model.drawn(50, np.random.default_rng(1))


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        *((name, bad) for name in ("tau_m", "c_m", "v_scale") for bad in (0.0, -1.0, np.nan)),
        *((name, np.inf) for name in ("v_rest", "v_half", "i_ext", "v_init", "max_rate")),
        ("max_rate", -1.0),
        ("max_rate", [1.0, -1.0]),
        ("v_half", [[1.0]]),
    ],
)
def test_values_that_are_not_allowed_are_named(name, bad):
    with pytest.raises(ParameterError, match=rf"SigmoidRate\.{name}"):
        sp.SigmoidRate(**{name: bad})


def test_things_of_another_kind_are_named():
    with pytest.raises(ParameterTypeError, match=r"SigmoidRate\.v_half"):
        sp.SigmoidRate(v_half="-55")
    with pytest.raises(ParameterTypeError, match="did you mean 'v_half'"):
        sp.SigmoidRate(v_hal=-55.0)


def test_a_rate_neuron_is_a_source_and_a_target():
    rates, fires = sp.Population("r", sp.SigmoidRate(), 2), sp.Population("l", sp.LIF(), 3)
    projections = [
        sp.Projection(rates, fires, sp.AllToAll(), 20.0, synapse=sp.Exponential()),
        sp.Projection(fires, rates, sp.AllToAll(), 0.5),
        sp.Projection(rates, rates, sp.AllToAll(), -0.1),
    ]
    network = sp.Network([rates, fires], projections, [sp.StepCurrent(rates, 100.0)])
    assert "r: 2 SigmoidRate" in repr(network)
    with pytest.raises(ParameterError, match="parameters for 2 neurons"):
        sp.Population("r", sp.SigmoidRate(v_half=[-50.0, -55.0]), 3)


RATES = "InhomogeneousPoissonSource.rates"


def test_a_source_keeps_a_copy_of_its_rates():
    given = np.ones((4, 2))
    source = sp.InhomogeneousPoissonSource(given, 5)
    given[:] = -1.0
    assert source.rates.tolist() == np.ones((4, 2)).tolist()
    assert not source.rates.flags.writeable
    assert source.interval == 5.0
    assert source.sizes() == {2}
    assert sp.InhomogeneousPoissonSource([1.0, 2.0, 0.0], 0.1).sizes() == set()
    assert sp.Population("p", source, 2).n == 2
    named = r"for 2 neurons \(InhomogeneousPoissonSource.rates\), Population.n is 3"
    with pytest.raises(ParameterError, match=named):
        sp.Population("p", source, 3)


@pytest.mark.parametrize(
    ("rates", "text"),
    [
        ([], "at least one sample"),
        (np.zeros((3, 0)), "at least one sample"),
        (5.0, r"shape \(n_samples,\) or \(n_samples, n\)"),
        (np.zeros((2, 2, 2)), r"shape \(n_samples,\) or \(n_samples, n\)"),
        ([1.0, -0.5], r"\[1\] must be at least 0, got -0.5"),
        ([[1.0, 2.0], [3.0, -4.0]], r"\[1, 1\] must be at least 0, got -4"),
        ([1.0, np.nan], r"\[1\] is nan"),
        ([np.inf], r"\[0\] is inf"),
    ],
)
def test_rates_that_are_not_allowed_are_named(rates, text):
    with pytest.raises(ParameterError, match=rf"{RATES}.*{text}"):
        sp.InhomogeneousPoissonSource(rates, 1.0)


def test_intervals_and_kinds_that_are_not_allowed_are_named():
    for bad in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(ParameterError, match=r"InhomogeneousPoissonSource\.interval"):
            sp.InhomogeneousPoissonSource([1.0], bad)
    with pytest.raises(ParameterTypeError, match=RATES):
        sp.InhomogeneousPoissonSource(["fast"], 1.0)


def test_a_source_takes_no_input():
    source = sp.Population("p", sp.InhomogeneousPoissonSource([1.0], 1.0))
    with pytest.raises(ParameterError, match="LIF or SigmoidRate neurons; 'p' is a Inhomogeneous"):
        sp.Network([source], inputs=[sp.StepCurrent(source, 1.0)])
