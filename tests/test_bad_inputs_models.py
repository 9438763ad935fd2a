"""What a user can get wrong about models and populations: each is refused by name."""

import math
import re

import numpy as np
import pytest

import spikesim as sp
from tests.small_networks import connected, is_refused, network

NAN, INF = math.nan, math.inf

BAD = {
    "2 infinite tau": (lambda: sp.LIF(tau_m=INF), ValueError, "LIF.tau_m"),
    "2 infinite current": (lambda: sp.LIF(i_ext=-INF), ValueError, "LIF.i_ext"),
    "2 threshold of minus infinity": (lambda: sp.LIF(v_th=-INF), ValueError, "LIF.v_"),
    "3 NaN v": (lambda: sp.LIF(v_init=[1.0, NAN]), ValueError, "LIF.v_init[1]"),
    "3 NaN tau": (lambda: sp.LIF(tau_m=NAN), ValueError, "LIF.tau_m"),
    "3 NaN source rate": (
        lambda: sp.PoissonSource([1.0, NAN]),
        ValueError,
        "PoissonSource.rate[1]",
    ),
    "3 negative source rate": (lambda: sp.PoissonSource(-1.0), ValueError, "PoissonSource.rate"),
    "3 rate beyond counting": (
        lambda: sp.simulate(sp.PoissonSource(1e14), 1.0),
        ValueError,
        "PoissonSource.rate",
    ),
    "4 zero tau": (lambda: sp.LIF(tau_m=0.0), ValueError, "LIF.tau_m"),
    "4 negative tau in an array": (lambda: sp.LIF(tau_m=[5.0, -5.0]), ValueError, "LIF.tau_m[1]"),
    "4 negative synaptic tau": (lambda: sp.Exponential(-1.0), ValueError, "Exponential.tau_syn"),
    "4 zero synaptic tau": (lambda: sp.Alpha(0), ValueError, "Alpha.tau_syn"),
    "5 zero capacitance": (lambda: sp.LIF(c_m=0), ValueError, "LIF.c_m"),
    "5 negative capacitance": (lambda: sp.LIF(c_m=-250.0), ValueError, "LIF.c_m"),
    "6 negative refractory time": (lambda: sp.LIF(t_ref=-0.1), ValueError, "LIF.t_ref"),
    "8 reset at threshold": (lambda: sp.LIF(v_reset=-50.0), ValueError, "LIF.v_reset"),
    "8 reset above threshold in an array": (
        lambda: sp.LIF(v_reset=[-65.0, -40.0]),
        ValueError,
        "LIF.v_reset[1]",
    ),
    "19 parameters of a wrong length": (
        lambda: network(4, sp.LIF(tau_m=[1.0, 2.0])),
        ValueError,
        "Population.model has parameters for 2 neurons (LIF.tau_m), Population.n is 4",
    ),
    "23 more neurons than memory": (
        lambda: sp.simulate(sp.Population("a", sp.LIF(), 10**13), 1.0),
        MemoryError,
        "Population.n",
    ),
    "27 no neuron": (lambda: sp.Population("a", sp.LIF(), 0), ValueError, "Population.n"),
    "28 negative number": (lambda: sp.Population("a", sp.LIF(), -1), ValueError, "Population.n"),
    "28 fractional number": (lambda: sp.Population("a", sp.LIF(), 1.5), TypeError, "Population.n"),
    "28 whole float as number": (
        lambda: sp.Population("a", sp.LIF(), 2.0),
        TypeError,
        "Population.n",
    ),
    "28 truth as number": (lambda: sp.Population("a", sp.LIF(), True), TypeError, "Population.n"),
    "28 text as number": (lambda: sp.Population("a", sp.LIF(), "5"), TypeError, "Population.n"),
    "28 class as model": (lambda: sp.Population("a", sp.LIF, 1), TypeError, "Population.model"),
    "28 number as name": (lambda: sp.Population(3, sp.LIF()), TypeError, "Population.name"),
    "37 text as parameter": (lambda: sp.LIF(tau_m="ten"), TypeError, "LIF.tau_m"),
    "37 objects as parameter": (lambda: sp.LIF(tau_m=[object()]), TypeError, "LIF.tau_m"),
    "38 complex parameter": (lambda: sp.LIF(tau_m=[1 + 1j]), ValueError, "LIF.tau_m"),
    "56 misspelt parameter": (lambda: sp.LIF(tau=1.0), TypeError, "'tau' (did you mean 'tau_m'?)"),
    "56 unknown reset": (lambda: sp.LIF(reset="substract"), ValueError, "did you mean 'subtract'?"),
    "ragged parameter": (lambda: sp.LIF(tau_m=[[1, 2], [3]]), TypeError, "LIF.tau_m"),
    "the culprit among objects": (
        lambda: sp.LIF(tau_m=[1.0, {}, 2.0]),
        TypeError,
        "got {} (dict) at [1]",
    ),
    "the culprit among text": (
        lambda: sp.LIF(tau_m=[1.0, "ten"]),
        TypeError,
        "got 'ten' (str) at [1]",
    ),
    "masked number": (lambda: sp.LIF(tau_m=np.ma.masked), ValueError, "LIF.tau_m is masked"),
    "impossible draw": (
        lambda: sp.simulate(sp.Population("exc", sp.LIF(tau_m=sp.Normal(-9.0, 1.0)), 9), 1.0),
        ValueError,
        "(a value drawn from its distribution) (population 'exc')",
    ),
    "integer beyond everything": (lambda: sp.LIF(tau_m=10**400), ValueError, "LIF.tau_m"),
    "integers beyond everything": (lambda: sp.LIF(tau_m=[10**400]), ValueError, "LIF.tau_m"),
    "truth as rate": (lambda: sp.PoissonSource(rate=True), TypeError, "PoissonSource.rate"),
    "matrix of rates": (
        lambda: sp.PoissonSource(np.ones((2, 2))),
        ValueError,
        "PoissonSource.rate must be a number or have one value a neuron",
    ),
}


@pytest.mark.parametrize("case", BAD.values(), ids=BAD.keys())
def test_it_is_refused_by_name_and_nothing_breaks(case):
    is_refused(*case)


def test_7_refractory_time_off_the_grid_is_rounded_with_a_warning():
    with pytest.warns(sp.SpikesimWarning, match=r"LIF\.t_ref"):
        recording = sp.simulate(sp.LIF(t_ref=0.17), 1.0)
    assert recording.parameters["neuron"]["t_ref"][0] == pytest.approx(0.2)


def test_the_warning_about_rounding_points_to_the_line_of_the_user():
    with pytest.warns(
        sp.errors.RoundingWarning, match=r"0\.2 ms is used in population 'a'"
    ) as seen:
        sp.simulate(sp.Population("a", sp.LIF(t_ref=0.17)), 1.0)
    assert seen[0].filename == __file__
    neuron = sp.LIF.normalised(tau_m=5.0, t_ref=2.4)
    layered = sp.dense([2, 2], neuron, dt=1.0, rng=0)
    with pytest.warns(sp.errors.RoundingWarning, match="a layer of 2 units") as seen:
        sp.layered.forward(layered, np.zeros((3, 1, 2)))
    assert seen[0].filename == __file__


KINDS = {
    "36 objects that are numbers": lambda a: a.astype(object),
    "39 half precision": lambda a: a.astype(np.float16),
    "39 long double": lambda a: a.astype(np.longdouble),
    "39 big endian": lambda a: a.astype(">f8"),
    "40 small integers": lambda a: a.astype(np.uint8),
    "40 integers": lambda a: a.astype(np.int64),
    "42 negative stride": lambda a: a[::-1].copy()[::-1],
    "42 every other": lambda a: np.repeat(a, 2)[::2],
    "43 read-only": lambda a: _read_only(a),
    "45 list": lambda a: a.tolist(),
    "45 masked without mask": lambda a: np.ma.masked_array(a),
}


def _read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


@pytest.mark.parametrize("convert", KINDS.values(), ids=KINDS.keys())
def test_numbers_of_every_kind_give_one_result(convert):
    def spikes(values):
        a = sp.Population("a", sp.LIF(tau_m=values, i_ext=400.0), 4)
        projection = sp.Projection(a, a, sp.OneToOne(), values, values, sp.Exponential(3.0))
        inputs = [sp.SampledCurrent(a, values, 5.0), sp.StepCurrent(a, values)]
        return sp.simulate(sp.Network([a], [projection], inputs), 100.0, record="v")["a"]

    values = np.array([8.0, 10.0, 12.0, 20.0])
    np.testing.assert_array_equal(spikes(convert(values)).v, spikes(values).v)


def test_numbers_in_arrays_without_axes_are_numbers():
    assert sp.LIF(tau_m=np.array(10.0)).tau_m == 10.0
    assert sp.PoissonSource(np.array(3)).rate == 3.0
    assert sp.StepCurrent("a", np.array(3.0)).amplitude == 3.0


def test_44_changing_an_array_afterwards_changes_nothing():
    weights, tau_m = np.full(4, 3.0), np.full(4, 10.0)
    a = sp.Population("a", sp.LIF(tau_m=tau_m, i_ext=500.0), 4)
    net = sp.Network([a], [sp.Projection(a, a, sp.OneToOne(), weights)])
    before = sp.simulate(net, 50.0, record="v")["a"].v
    weights[:] = -100.0
    tau_m[:] = 1.0
    np.testing.assert_array_equal(sp.simulate(net, 50.0, record="v")["a"].v, before)


class Faulty(sp.distributions.Distribution):
    """Somebody's own distribution, which returns what it was told to."""

    def __init__(self, values):
        self.values = values

    def draw(self, rng, n):
        return self.values


@pytest.mark.parametrize("values", [np.ones(3), np.ones((4, 1)), 1.0, [1.0, 1.0, NAN, 1.0]])
@pytest.mark.parametrize(
    ("name", "act"),
    [
        ("LIF.i_ext", lambda d: sp.simulate(network(model=sp.LIF(i_ext=d)), 1.0)),
        ("Projection.weight", lambda d: connected(weight=d, rule=sp.OneToOne())),
        ("Projection.delay", lambda d: connected(delay=d, rule=sp.OneToOne())),
    ],
)
def test_what_a_distribution_returns_is_checked(name, act, values):
    with pytest.raises(sp.errors.ParameterError, match=re.escape(name)):
        act(Faulty(values))
    assert act(Faulty(np.ones(4))).duration == 1.0
