r"""Surrogate derivatives of the step function, each beside its primitive.

A spike is a step of the membrane potential, :math:`S = H(x)` with
:math:`x = (v - v_{th}) / (v_{th} - v_{rest})`; its derivative is zero or undefined. A surrogate
:math:`\varphi(x)` takes its place in the backward pass; by the potential it is
:math:`\varphi(x) / (v_{th} - v_{rest})`, per mV. All surrogates here have peak
:math:`\varphi(0) = 1` and an argument without unit, so that `slope` means the same for each:
the larger, the narrower (Neftci, Mostafa & Zenke 2019, IEEE Signal Process. Mag. 36(6)).

The primitive :math:`\Phi` with :math:`\Phi' = \varphi` serves the gradient check: a network
whose spikes are :math:`\Phi(x)` is smooth, and its exact gradient is what the surrogate computes.
"""

from __future__ import annotations

from spikesim.surrogates.arc_tan import ArcTan
from spikesim.surrogates.boxcar import Boxcar
from spikesim.surrogates.fast_sigmoid import FastSigmoid
from spikesim.surrogates.gaussian import Gaussian
from spikesim.surrogates.logistic import Logistic
from spikesim.surrogates.multi_gaussian import MultiGaussian
from spikesim.surrogates.one_sided import OneSided
from spikesim.surrogates.straight_through import StraightThrough
from spikesim.surrogates.surrogate import Surrogate
from spikesim.surrogates.triangle import Triangle
from spikesim.surrogates.truncated import Truncated

__all__ = [
    "ArcTan",
    "Boxcar",
    "FastSigmoid",
    "Gaussian",
    "Logistic",
    "MultiGaussian",
    "OneSided",
    "StraightThrough",
    "Surrogate",
    "Triangle",
    "Truncated",
]
