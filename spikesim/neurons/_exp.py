r"""The exponential function, for loops that the compiler can vectorise.

A call of the C library's exp keeps a loop over neurons scalar. Here it is arithmetic alone:

.. math::

    e^x = 2^n e^r, \qquad n = \mathrm{round}(x / \ln 2), \qquad r = x - n \ln 2, \qquad
    e^r = 1 + r + r^2 q(r)

with n found by adding a number so large that the sum has no digits after the point, ln 2 in two
parts so that r is exact to the last bit (Cody & Waite 1980, Software Manual for the Elementary
Functions, ch. 6), q a polynomial through the Chebyshev nodes of :math:`|r| \le \ln 2 / 2`, and
:math:`2^n` written into the exponent of a float. In the type of its argument, double or single;
no step depends on the machine, so neither does a bit of the result.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic, overload

from spikesim._jit import kernel

__all__ = ["exp", "expm1"]


def exp(x: Any) -> Any:
    """Return e to the power of x, within one unit in the last place.

    Below -708 (single precision: -87) it is 0, above 709 (88) inf; NaN stays NaN.
    """
    if isinstance(x, np.float32):
        return _exp_single(x)
    return _exp_double(x)


def expm1(x: Any) -> Any:
    """Return e to the power of x, minus 1, within three units in the last place, near 0 too.

    Below -708 (single precision: -87) it is -1, above 709 (88) inf; NaN stays NaN.
    """
    if isinstance(x, np.float32):
        return _expm1_single(x)
    return _expm1_double(x)


def power_of_two(shifted: Any) -> Any:
    """Return 2**n from a float whose lowest bits hold n plus the bias of the exponent."""
    if isinstance(shifted, np.float32):
        bits = struct.unpack("<I", struct.pack("<f", shifted))[0]
        return np.float32(struct.unpack("<f", struct.pack("<I", bits << 23 & 0xFFFFFFFF))[0])
    bits = struct.unpack("<Q", struct.pack("<d", shifted))[0]
    return struct.unpack("<d", struct.pack("<Q", bits << 52 & 0xFFFFFFFFFFFFFFFF))[0]


@kernel
def _double(x):
    """Return 2**n and e**r - 1 for an x within [-708, 709]."""
    shifted = x * 1.4426950408889634 + 6755399441056767.0  # 1.5 * 2**52 + 1023
    n = shifted - 6755399441056767.0
    # The first part ends in 21 zero bits, so that its product with n is exact.
    r = (x - n * 0.6931471803691238) - n * 1.9082149292705877e-10
    r2 = r * r
    r4 = r2 * r2
    q01 = 0.5000000000000001 + r * 0.16666666666666669
    q23 = 0.041666666666624136 + r * 0.008333333333330063
    q45 = 0.001388888891720967 + r * 0.00019841269863050506
    q67 = 2.4801521302241082e-05 + r * 2.7557268464831627e-06
    q89 = 2.7620085455018414e-07 + r * 2.510038319586702e-08
    q = (q01 + r2 * q23) + r4 * ((q45 + r2 * q67) + r4 * q89)
    return power_of_two(shifted), r + r2 * q


@kernel
def _single(x):
    """Return 2**n and e**r - 1 for an x within [-87, 88], in single precision."""
    shifted = x * np.float32(1.4426950408889634) + np.float32(12583039.0)  # 1.5 * 2**23 + 127
    n = shifted - np.float32(12583039.0)
    # The first part ends in 12 zero bits, so that its product with n is exact.
    r = (x - n * np.float32(0.693115234375)) - n * np.float32(3.194618329871446e-05)
    r2 = r * r
    q01 = np.float32(0.5) + r * np.float32(0.16666576998242924)
    q23 = np.float32(0.041666554627878084) + r * np.float32(0.008363177629994445)
    q = q01 + r2 * (q23 + r2 * np.float32(0.0013926181810489343))
    return power_of_two(shifted), r + r2 * q


@kernel
def _exp_double(x):
    inside = -708.0 if x < -708.0 else x
    inside = 709.0 if inside > 709.0 else inside
    scale, rest = _double(inside)
    result = scale + scale * rest
    result = 0.0 if x < -708.0 else result
    return np.inf if x > 709.0 else result


@kernel
def _expm1_double(x):
    inside = -708.0 if x < -708.0 else x
    inside = 709.0 if inside > 709.0 else inside
    scale, rest = _double(inside)
    result = (scale - 1.0) + scale * rest
    return np.inf if x > 709.0 else result


@kernel
def _exp_single(x):
    low, high = np.float32(-87.0), np.float32(88.0)
    inside = low if x < low else x
    inside = high if inside > high else inside
    scale, rest = _single(inside)
    result = scale + scale * rest
    result = np.float32(0.0) if x < low else result
    return np.float32(np.inf) if x > high else result


@kernel
def _expm1_single(x):
    low, high = np.float32(-87.0), np.float32(88.0)
    inside = low if x < low else x
    inside = high if inside > high else inside
    scale, rest = _single(inside)
    result = (scale - np.float32(1.0)) + scale * rest
    return np.float32(np.inf) if x > high else result


# Within kernels: the same functions, chosen by type, and the bits moved by a cast.


@overload(exp)
def _exp_of(x):
    chosen = _exp_single if x == types.float32 else _exp_double
    return lambda x: chosen(x)


@overload(expm1)
def _expm1_of(x):
    chosen = _expm1_single if x == types.float32 else _expm1_double
    return lambda x: chosen(x)


@overload(power_of_two)
def _power_of_two(shifted):
    return lambda shifted: _from_low_bits(shifted)


@intrinsic
def _from_low_bits(typing_context, shifted):
    def generate(context, builder, signature, arguments):
        single = shifted == types.float32
        mantissa = 23 if single else 52
        real = context.get_value_type(shifted)
        integer = context.get_value_type(types.int32 if single else types.int64)
        bits = builder.bitcast(arguments[0], integer)
        return builder.bitcast(builder.shl(bits, integer(mantissa)), real)

    return shifted(shifted), generate
