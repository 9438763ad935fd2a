"""Surrogates: peak, symmetry, primitive, integral."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad

from spikesim.surrogates import ArcTan, FastSigmoid, Logistic, Triangle

ALL = [
    cls(slope) for cls in (FastSigmoid, Logistic, ArcTan, Triangle) for slope in (0.5, 1.0, 25.0)
]


@pytest.mark.parametrize("surrogate", ALL, ids=repr)
def test_peak_symmetry_and_fall(surrogate):
    x = np.linspace(0.0, 3.0, 301)
    y = surrogate.derivative(x)
    assert y[0] == 1.0
    assert np.all(np.diff(y) <= 0.0)
    assert np.all(y >= 0.0)
    np.testing.assert_array_equal(surrogate.derivative(-x), y)


@pytest.mark.parametrize("surrogate", ALL, ids=repr)
def test_the_derivative_is_that_of_the_primitive(surrogate):
    x = np.linspace(-2.003, 2.004, 400)
    h = 1e-6
    difference = (surrogate.primitive(x + h) - surrogate.primitive(x - h)) / (2 * h)
    np.testing.assert_allclose(difference, surrogate.derivative(x), atol=2e-5)


@pytest.mark.parametrize("surrogate", ALL, ids=repr)
def test_the_integral(surrogate):
    half, _ = quad(lambda t: float(surrogate.derivative(np.array(t))), 0.0, np.inf, limit=200)
    assert 2.0 * half == pytest.approx(surrogate.integral, rel=1e-6)
    far = 1e9 / surrogate.slope
    rise = surrogate.primitive(np.array(far)) - surrogate.primitive(np.array(-far))
    assert rise == pytest.approx(surrogate.integral, rel=1e-6)


@pytest.mark.parametrize("surrogate", ALL, ids=repr)
def test_nothing_overflows(surrogate):
    x = np.array([-1e300, -1e3, 1e3, 1e300])
    with np.errstate(over="ignore" if isinstance(surrogate, (ArcTan, FastSigmoid)) else "raise"):
        assert np.all(np.isfinite(surrogate.derivative(x)))
        assert np.all(np.isfinite(surrogate.primitive(x)))


def test_known_values():
    assert FastSigmoid(10.0).derivative(np.array(0.1)) == pytest.approx(0.25)
    assert Logistic(1.0).derivative(np.array(1.0)) == pytest.approx(4 * 0.19661193324148185)
    assert ArcTan(2.0).derivative(np.array(0.5)) == pytest.approx(0.5)
    assert Triangle(2.0).derivative(np.array(0.25)) == pytest.approx(0.5)
    assert Triangle(2.0).derivative(np.array(0.51)) == 0.0


@pytest.mark.parametrize("cls", [FastSigmoid, Logistic, ArcTan, Triangle])
@pytest.mark.parametrize("slope", [0.0, -1.0, np.nan, np.inf])
def test_a_bad_slope_is_refused(cls, slope):
    with pytest.raises(ValueError, match=rf"{cls.__name__}\.slope"):
        cls(slope)
    with pytest.raises(TypeError, match=rf"{cls.__name__}\.slope"):
        cls("steep")
