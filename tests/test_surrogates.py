"""Surrogates: peak, symmetry, primitive, integral."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad

from spikesim.errors import SpikesimError
from spikesim.surrogates import (
    ArcTan,
    Boxcar,
    FastSigmoid,
    Gaussian,
    Logistic,
    MultiGaussian,
    OneSided,
    StraightThrough,
    Triangle,
    Truncated,
)

WITH_SLOPE = [FastSigmoid, Logistic, ArcTan, Triangle, Boxcar, OneSided, Gaussian, MultiGaussian]
FINITE = [
    *(cls(slope) for cls in WITH_SLOPE for slope in (0.5, 1.0, 25.0)),
    Truncated(FastSigmoid(25.0), 0.2),
    Truncated(Triangle(2.0), 3.0),
]
ALL = [*FINITE, StraightThrough()]
FALLING = [surrogate for surrogate in ALL if not isinstance(surrogate, MultiGaussian)]


@pytest.mark.parametrize("surrogate", ALL, ids=repr)
def test_the_kernel_computes_the_derivative(surrogate):
    x = np.linspace(-2.003, 2.004, 100)
    inside = np.abs(x) <= surrogate.reach
    for dtype, tolerance in ((np.float64, 1e-13), (np.float32, 1e-4)):
        slope, one = dtype(surrogate.slope), dtype(1.0)
        ours = np.array([surrogate.scalar(value, slope, one) for value in x.astype(dtype)])
        wanted = surrogate.derivative(x)
        np.testing.assert_allclose(ours[inside], wanted[inside], rtol=tolerance, atol=tolerance)
        assert not wanted[~inside].any()


@pytest.mark.parametrize("surrogate", ALL, ids=repr)
def test_far_from_threshold_nothing_overflows(surrogate):
    """Warnings are errors here."""
    for far in (1e200, 1e308, np.inf, np.array([3e38], np.float32), np.array([10**15])):
        finite = 1e4 if isinstance(surrogate, StraightThrough) else 1e9
        for x, near in ((far, finite), (-far, -finite)):
            x = np.atleast_1d(x)
            wanted = surrogate.derivative(np.array([near]))
            np.testing.assert_allclose(surrogate.derivative(x), wanted, atol=1e-6)
            if not isinstance(surrogate, StraightThrough):
                wanted = surrogate.primitive(np.array([near]))
                np.testing.assert_allclose(surrogate.primitive(x), wanted, rtol=1e-6)


def test_the_flanks_of_the_multi_gaussian():
    """1.15 N(0, s) - 0.15 N(s, 6s) - 0.15 N(-s, 6s) with s = 0.5: lowest -0.032, area 0.85."""
    x = np.linspace(-6.0, 6.0, 12001)
    scale = (1.15 - 0.3 / 6.0 * np.exp(-0.5 / 36.0)) / (0.5 * np.sqrt(2.0 * np.pi))
    density = scale * MultiGaussian(2.0).derivative(x)
    assert density.min() == pytest.approx(-0.032, abs=5e-4)
    assert scale * MultiGaussian(2.0).integral == pytest.approx(0.85)


def test_what_is_cut_off_must_be_a_surrogate():
    with pytest.raises(TypeError, match=r"Truncated\.surrogate must be a surrogate"):
        Truncated(10.0)
    with pytest.raises(ValueError, match=r"Truncated\.distance"):
        Truncated(FastSigmoid(), 0.0)


@pytest.mark.parametrize("surrogate", FALLING, ids=repr)
def test_peak_symmetry_and_fall(surrogate):
    x = np.linspace(0.0, 3.0, 301)
    y = surrogate.derivative(x)
    assert y[0] == 1.0
    assert np.all(np.diff(y) <= 0.0)
    assert np.all(y >= 0.0)
    mirrored = surrogate.derivative(-x)
    if isinstance(surrogate, OneSided):
        assert not mirrored[1:].any()
    else:
        np.testing.assert_array_equal(mirrored, y)


@pytest.mark.parametrize("surrogate", ALL, ids=repr)
def test_the_derivative_is_that_of_the_primitive(surrogate):
    x = np.linspace(-2.003, 2.004, 401)
    h = 1e-6
    difference = (surrogate.primitive(x + h) - surrogate.primitive(x - h)) / (2 * h)
    np.testing.assert_allclose(difference, surrogate.derivative(x), atol=2e-5)


@pytest.mark.parametrize("surrogate", FINITE, ids=repr)
def test_the_integral(surrogate):
    def area(low, high):
        return quad(lambda t: float(surrogate.derivative(np.array(t))), low, high, limit=200)[0]

    width = 1.0 / surrogate.slope
    total = area(-np.inf, -width) + area(-width, 0.0) + area(0.0, width) + area(width, np.inf)
    assert total == pytest.approx(surrogate.integral, rel=1e-6)
    far = 1e9 / surrogate.slope
    rise = surrogate.primitive(np.array(far)) - surrogate.primitive(np.array(-far))
    assert rise == pytest.approx(surrogate.integral, rel=1e-6)


@pytest.mark.parametrize("surrogate", ALL, ids=repr)
def test_nothing_overflows(surrogate):
    x = np.array([-1e300, -1e3, 1e3, 1e300])
    # The square of a large number is infinite, and its reciprocal 0, as it should be.
    overflows = (ArcTan, FastSigmoid, Gaussian, MultiGaussian, OneSided, Truncated)
    with np.errstate(over="ignore" if isinstance(surrogate, overflows) else "raise"):
        assert np.all(np.isfinite(surrogate.derivative(x)))
        assert np.all(np.isfinite(surrogate.primitive(x)))


def test_known_values():
    assert FastSigmoid(10.0).derivative(np.array(0.1)) == pytest.approx(0.25)
    assert Logistic(1.0).derivative(np.array(1.0)) == pytest.approx(4 * 0.19661193324148185)
    assert ArcTan(2.0).derivative(np.array(0.5)) == pytest.approx(0.5)
    assert Triangle(2.0).derivative(np.array(0.25)) == pytest.approx(0.5)
    assert Triangle(2.0).derivative(np.array(0.51)) == 0.0


def test_the_ends_of_the_box_and_the_side_of_the_threshold():
    edge = np.array([-0.5001, -0.5, 0.0, 0.5, 0.5001])
    assert Boxcar(2.0).derivative(edge).tolist() == [0.0, 1.0, 1.0, 1.0, 0.0]
    assert Boxcar(2.0).primitive(edge).tolist() == [-0.5, -0.5, 0.0, 0.5, 0.5]
    below, at, above = OneSided(10.0).derivative(np.array([-1e-12, 0.0, 0.1]))
    assert (below, at) == (0.0, 1.0) and above == pytest.approx(0.25)
    np.testing.assert_allclose(OneSided(10.0).primitive(np.array([-1.0, 0.0, 0.1])), [0, 0, 0.05])


def test_straight_through_is_as_if_the_step_were_not_there():
    x = np.array([-3.0, 0.0, 2.0])
    surrogate = StraightThrough()
    assert surrogate.derivative(x).tolist() == [1.0, 1.0, 1.0]
    assert surrogate.primitive(x).tolist() == x.tolist()
    assert surrogate.primitive(x) is not x
    assert (surrogate.slope, surrogate.integral) == (1.0, np.inf)
    with pytest.raises(AttributeError):
        surrogate.slope = 2.0


@pytest.mark.parametrize("cls", WITH_SLOPE)
@pytest.mark.parametrize("slope", [0.0, -1.0, np.nan, np.inf])
def test_a_bad_slope_is_refused(cls, slope):
    with pytest.raises(ValueError, match=rf"{cls.__name__}\.slope"):
        cls(slope)
    with pytest.raises(TypeError, match=rf"{cls.__name__}\.slope"):
        cls("steep")


@pytest.mark.parametrize("surrogate", ALL, ids=repr)
def test_whole_numbers_and_nan_are_numbers_like_others(surrogate):
    for function in (surrogate.derivative, surrogate.primitive):
        whole = function(np.array([-2, 0, 1]))
        assert whole.dtype == np.float64
        np.testing.assert_array_equal(whole, function(np.array([-2.0, 0.0, 1.0])))
    ends = surrogate.derivative(np.array([np.nan, 0.0]))
    assert np.isnan(ends[0]) or isinstance(surrogate, StraightThrough)
    assert ends[1] == 1.0
    assert np.isnan(surrogate.primitive(np.array([np.nan, 0.0]))).tolist() == [True, False]


@pytest.mark.parametrize("cls", [*WITH_SLOPE, StraightThrough])
def test_an_unknown_setting_is_refused_by_name(cls):
    with pytest.raises(TypeError, match=rf"{cls.__name__} has no parameter 'slop'") as caught:
        cls(slop=2.0)
    assert isinstance(caught.value, SpikesimError)
    assert ("did you mean 'slope'" in str(caught.value)) == (cls in WITH_SLOPE)
