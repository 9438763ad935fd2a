"""The exponential of the kernels against extended precision, at its borders, and in loops."""

import re
import types

import numba
import numpy as np
import pytest
from numba import config

from spikesim._jit import kernel
from spikesim.neurons._exp import exp, expm1

N = 300 if config.DISABLE_JIT else 300_000
INSIDE = {np.float64: (-708.0, 709.0), np.float32: (-87.0, 88.0)}


@kernel
def exp_of(x, out):
    for i in range(len(x)):
        out[i] = exp(x[i])


@kernel
def expm1_of(x, out):
    for i in range(len(x)):
        out[i] = expm1(x[i])


def values_of(loop, x):
    out = np.empty_like(x)
    loop(x, out)
    return out


def units_off(found, exact):
    """Largest error, in units in the last place of the result."""
    unit = np.spacing(np.abs(exact).astype(found.dtype))
    return np.max(np.abs(found.astype(np.longdouble) - exact) / unit)


@pytest.mark.parametrize("precision", INSIDE)
@pytest.mark.parametrize("width", [1e-3, 1.0, 40.0, 1000.0])
@pytest.mark.parametrize(
    ("loop", "function", "allowed"), [(exp_of, np.exp, 1.2), (expm1_of, np.expm1, 3.0)]
)
def test_it_is_right_to_the_last_places(loop, function, allowed, width, precision):
    low, high = INSIDE[precision]
    x = np.random.default_rng(1).uniform(max(low, -width), min(high, width), N).astype(precision)
    # Where extended precision is no better than double, the reference is off by half a unit.
    allowed += 0.5 if np.finfo(np.longdouble).eps > 1e-17 else 0.0
    assert units_off(values_of(loop, x), function(x.astype(np.longdouble))) < allowed


@pytest.mark.parametrize("precision", INSIDE)
def test_beyond_its_range_it_is_the_limit(precision):
    low, high = INSIDE[precision]
    below, above = np.nextafter(precision(low), -np.inf), np.nextafter(precision(high), np.inf)
    x = np.array([-np.inf, -1e30, below, low, -0.0, 0.0, high, above, 1e30, np.inf], precision)
    # A constant of its own, as the last bits of libraries differ.
    ends = np.exp(np.array([low, high], np.longdouble))
    expected = np.array([0, 0, 0, ends[0], 1, 1, ends[1], np.inf, np.inf, np.inf])
    with np.errstate(invalid="ignore"):
        shifted = np.where(np.isinf(expected), expected, expected - 1)
    few = 4 * float(np.finfo(precision).eps)
    np.testing.assert_allclose(values_of(exp_of, x), expected.astype(precision), rtol=few)
    np.testing.assert_allclose(values_of(expm1_of, x), shifted.astype(precision), rtol=few)
    assert np.all(np.isnan(values_of(exp_of, np.array([np.nan], precision))))
    assert np.all(np.isnan(values_of(expm1_of, np.array([np.nan], precision))))


@pytest.mark.parametrize("precision", INSIDE)
@pytest.mark.parametrize(("loop", "function"), [(exp_of, exp), (expm1_of, expm1)])
def test_python_gives_the_bits_of_the_compiled_function(loop, function, precision):
    low, high = INSIDE[precision]
    rng = np.random.default_rng(2)
    x = np.concatenate([rng.uniform(low, high, 200), rng.normal(0.0, 1.0, 200)]).astype(precision)
    plain = uncompiled(function)
    found = np.array([plain(value) for value in x], precision)
    assert values_of(loop, x).tobytes() == found.tobytes()


def uncompiled(function):
    """Return the function with all that it calls in plain Python."""
    namespace = dict(function.__globals__)
    for name, value in function.__globals__.items():
        python = getattr(value, "py_func", None)
        if python is not None:
            namespace[name] = types.FunctionType(python.__code__, namespace, name)
    return types.FunctionType(function.__code__, namespace, function.__name__)


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("function", [exp, expm1])
def test_a_loop_that_calls_it_works_on_several_values_at_once(function, precision):
    if config.DISABLE_JIT:
        return  # There is no compiler then whose work could be looked at.

    def loop(x, out):
        for i in range(len(x)):
            out[i] = function(x[i])

    # By numba.njit, since the intermediate code of a kernel from the disk cannot be shown.
    item = {"double": numba.float64, "single": numba.float32}[precision]
    compiled = numba.njit((item[::1], item[::1]))(loop)
    (code,) = compiled.inspect_llvm().values()
    kind = {"double": "double", "single": "float"}[precision]
    assert re.search(rf"fmul <\d+ x {kind}>", code)
