"""Rate units: values, derivatives, limits."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import expit

from spikesim.neurons import ReLU, Sigmoid, Step, Tanh
from spikesim.surrogates import Boxcar, FastSigmoid, StraightThrough

U = np.linspace(-40.0, 40.0, 801)


def test_sigmoid_values_without_overflow():
    np.testing.assert_allclose(Sigmoid().forward(U), expit(U), rtol=1e-14)
    extreme = Sigmoid().forward(np.array([-1e4, 0.0, 1e4]))
    assert extreme.tolist() == [0.0, 0.5, 1.0]


def test_sigmoid_saturates_exactly_where_double_precision_does():
    y = Sigmoid().forward(np.array([36.0, 37.0]))
    assert y[0] < 1.0 and y[1] == 1.0
    assert Sigmoid().derivative(np.array([37.0]), y[1:]) == 0.0


def test_tanh_is_a_sigmoid_of_another_scale():
    np.testing.assert_allclose(Tanh().forward(U), 2 * Sigmoid().forward(2 * U) - 1, atol=1e-15)


@pytest.mark.parametrize("unit", [Sigmoid(), Tanh(), ReLU()])
def test_the_derivative_is_that_of_the_output(unit):
    u = np.linspace(-5.003, 5.004, 200)
    h = 1e-6
    difference = (unit.forward(u + h) - unit.forward(u - h)) / (2 * h)
    np.testing.assert_allclose(unit.derivative(u, unit.forward(u)), difference, atol=1e-9)


def test_slope_at_the_origin_is_one_for_tanh_and_a_quarter_for_the_logistic():
    zero = np.zeros(1)
    assert Tanh().derivative(zero, Tanh().forward(zero)) == 1.0
    assert Sigmoid().derivative(zero, Sigmoid().forward(zero)) == 0.25


def test_the_tail_of_the_tanh_derivative():
    for u, error in ((1.0, 0.29), (2.0, 0.037), (3.0, 0.0050), (5.0, 0.000091)):
        exact = Tanh().derivative(np.array(u), np.tanh(u))
        assert 4 * np.exp(-2 * u) / exact - 1 == pytest.approx(error, rel=0.02)


@pytest.mark.parametrize(
    ("steepness", "area"), [(1.0, 1.38629), (5.0, 0.277259), (20.0, 0.0693147)]
)
def test_a_steep_sigmoid_comes_close_to_the_step(steepness, area):
    half, _ = quad(lambda x: 1.0 - float(Sigmoid().forward(np.array(steepness * x))), 0.0, 40.0)
    assert 2.0 * half == pytest.approx(2.0 * np.log(2.0) / steepness, rel=1e-7)
    assert 2.0 * half == pytest.approx(area, rel=1e-5)


def test_relu_and_the_derivative_at_zero():
    u = np.array([-1.0, 0.0, 2.0])
    assert ReLU().forward(u).tolist() == [0.0, 0.0, 2.0]
    for at_zero in (0.0, 0.5, 1.0):
        assert ReLU(at_zero).derivative(u, u).tolist() == [0.0, at_zero, 1.0]


def test_step_at_its_threshold():
    u = np.array([np.nextafter(0.0, -1.0), 0.0, np.nextafter(0.0, 1.0)])
    assert Step("ge").forward(u).tolist() == [0.0, 1.0, 1.0]
    assert Step("gt").forward(u).tolist() == [0.0, 0.0, 1.0]
    assert not Step().derivative(u, u).any()


@pytest.mark.parametrize("surrogate", [StraightThrough(), Boxcar(2.0), FastSigmoid(3.0)], ids=repr)
def test_a_surrogate_takes_the_place_of_the_derivative_of_the_step_only(surrogate):
    u = np.linspace(-2.0, 2.0, 41)
    for fire_on in ("ge", "gt"):
        unit = Step(fire_on, surrogate)
        np.testing.assert_array_equal(unit.forward(u), Step(fire_on).forward(u))
        np.testing.assert_array_equal(unit.derivative(u, unit.forward(u)), surrogate.derivative(u))
    with pytest.raises(TypeError, match=r"Step\.surrogate must be a surrogate"):
        Step(surrogate=type(surrogate))
    with pytest.raises(TypeError, match=r"Step\.surrogate must be a surrogate"):
        Step(surrogate="straight")


def test_bad_parameters_are_refused():
    with pytest.raises(ValueError, match=r"ReLU\.derivative_at_zero"):
        ReLU(1.5)
    with pytest.raises(ValueError, match=r"Sigmoid\.steepness"):
        Sigmoid(np.nan)
    with pytest.raises(TypeError, match=r"Tanh\.steepness"):
        Tanh("steep")
    with pytest.raises(ValueError, match=r"Step\.fire_on.*did you mean"):
        Step("gee")


def test_a_surrogate_has_a_derivative_and_a_primitive():
    class Half:
        def derivative(self, x):
            return x

    class Number(Half):
        primitive = 1

    for thing in (Half(), Number(), Tanh()):
        with pytest.raises(TypeError, match=r"Step\.surrogate must be a surrogate"):
            Step(surrogate=thing)
    with pytest.raises(TypeError, match="Step has no parameter 'surogate' .*'surrogate'"):
        Step(surogate=StraightThrough())
