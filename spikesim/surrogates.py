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

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from spikesim import _check

__all__ = [
    "ArcTan",
    "Boxcar",
    "FastSigmoid",
    "Logistic",
    "OneSided",
    "StraightThrough",
    "Surrogate",
    "Triangle",
]


class Surrogate(Protocol):
    """A derivative for the step and the function it is the derivative of.

    Attributes
    ----------
    slope : float
        Steepness, without unit: the width of the surrogate falls as ``1 / slope``.
    integral : float
        Area under the derivative; infinite where it does not converge.
    """

    @property
    def slope(self) -> float:
        """Steepness, without unit."""
        ...

    @property
    def integral(self) -> float:
        """Area under the derivative."""
        ...

    def derivative(self, x: np.ndarray) -> np.ndarray:
        """Return the surrogate derivative at `x`, 1 at 0."""
        ...

    def primitive(self, x: np.ndarray) -> np.ndarray:
        """Return the function whose derivative is :meth:`derivative`."""
        ...


@_check.suggest_keywords
@dataclass(frozen=True)
class FastSigmoid:
    r"""Derivative of the fast sigmoid, :math:`1 / (1 + k|x|)^2`, with :math:`k` = `slope`.

    Primitive :math:`x / (1 + k|x|)`; integral :math:`2/k`. Source: SuperSpike, Zenke & Ganguli
    2018, Neural Comput. 30(6), eq. 5 there with the scale made explicit.

    Parameters
    ----------
    slope : float, default 10
        Steepness k > 0.
    """

    slope: float = 10.0

    def __post_init__(self) -> None:
        _check.positive("FastSigmoid.slope", self.slope)

    @property
    def integral(self) -> float:
        """Area under the derivative."""
        return 2.0 / self.slope

    def derivative(self, x: np.ndarray) -> np.ndarray:
        """Return the surrogate derivative at `x`."""
        return 1.0 / (1.0 + self.slope * np.abs(x)) ** 2

    def primitive(self, x: np.ndarray) -> np.ndarray:
        """Return the primitive at `x`."""
        return x / (1.0 + self.slope * np.abs(x))


@_check.suggest_keywords
@dataclass(frozen=True)
class Logistic:
    r"""Derivative of the logistic, :math:`4\sigma(kx)(1-\sigma(kx))`, with :math:`k` = `slope`.

    Primitive :math:`4\sigma(kx)/k`; integral :math:`4/k`. With threshold noise of logistic
    distribution this is, up to scale, the exact derivative of the firing probability.

    Parameters
    ----------
    slope : float, default 10
        Steepness k > 0.
    """

    slope: float = 10.0

    def __post_init__(self) -> None:
        _check.positive("Logistic.slope", self.slope)

    @property
    def integral(self) -> float:
        """Area under the derivative."""
        return 4.0 / self.slope

    def derivative(self, x: np.ndarray) -> np.ndarray:
        """Return the surrogate derivative at `x`."""
        return 1.0 - np.tanh(0.5 * self.slope * x) ** 2

    def primitive(self, x: np.ndarray) -> np.ndarray:
        """Return the primitive at `x`."""
        return 2.0 * (1.0 + np.tanh(0.5 * self.slope * x)) / self.slope


@_check.suggest_keywords
@dataclass(frozen=True)
class ArcTan:
    r"""Derivative of the arctangent, :math:`1 / (1 + (kx)^2)`, with :math:`k` = `slope`.

    Primitive :math:`\arctan(kx)/k`; integral :math:`\pi/k`. Source: Fang et al. 2021, ICCV,
    with peak 1.

    Parameters
    ----------
    slope : float, default 10
        Steepness k > 0.
    """

    slope: float = 10.0

    def __post_init__(self) -> None:
        _check.positive("ArcTan.slope", self.slope)

    @property
    def integral(self) -> float:
        """Area under the derivative."""
        return np.pi / self.slope

    def derivative(self, x: np.ndarray) -> np.ndarray:
        """Return the surrogate derivative at `x`."""
        return 1.0 / (1.0 + (self.slope * x) ** 2)

    def primitive(self, x: np.ndarray) -> np.ndarray:
        """Return the primitive at `x`."""
        return np.arctan(self.slope * x) / self.slope


@_check.suggest_keywords
@dataclass(frozen=True)
class Triangle:
    r"""Triangle, :math:`\max(0, 1 - k|x|)`, with :math:`k` = `slope`.

    Primitive :math:`x - k x|x|/2` within :math:`|x| < 1/k`, constant outside; integral
    :math:`1/k`. It vanishes outside, so units far from threshold cost nothing. Source: Esser et
    al. 2016, PNAS 113(41); Bellec et al. 2018, NeurIPS.

    Parameters
    ----------
    slope : float, default 1
        Steepness k > 0; the default reaches from rest to twice the threshold.
    """

    slope: float = 1.0

    def __post_init__(self) -> None:
        _check.positive("Triangle.slope", self.slope)

    @property
    def integral(self) -> float:
        """Area under the derivative."""
        return 1.0 / self.slope

    def derivative(self, x: np.ndarray) -> np.ndarray:
        """Return the surrogate derivative at `x`."""
        return np.maximum(0.0, 1.0 - self.slope * np.abs(x))

    def primitive(self, x: np.ndarray) -> np.ndarray:
        """Return the primitive at `x`."""
        inside = np.clip(x, -1.0 / self.slope, 1.0 / self.slope)
        return inside - 0.5 * self.slope * inside * np.abs(inside)


@_check.suggest_keywords
@dataclass(frozen=True)
class StraightThrough:
    r"""The straight-through estimator: derivative 1 everywhere, as if the step were not there.

    By the potential of a LIF unit that is :math:`1 / (v_{th} - v_{rest})` per mV.

    .. math:: \varphi(x) = 1, \qquad \delta_j = \sum_k w_{jk}\,\delta_k

    for the error of unit j from those of the units k that follow, in
    :class:`~spikesim.learning.Backprop`. Primitive :math:`x`; the integral is infinite.

    *Each synapse must know* its input and an error that is carried back by the weights of later
    layers, but nothing of how close its unit is to the threshold.

    *Works* without losing a unit: each passes on its error however far it is from threshold.
    *Fails* to say which units are close to a change, and moves those that cannot help as far as
    those that can: small threshold networks get stuck on XOR from starts that a surrogate which
    falls off (:class:`FastSigmoid`) solves. Over many layers errors grow with the weights.

    References
    ----------
    Hinton 2012, Neural Networks for Machine Learning (lectures); Bengio, Leonard & Courville
    2013, arXiv:1308.3432.
    """

    @property
    def slope(self) -> float:
        """1, as there is no width to set."""
        return 1.0

    @property
    def integral(self) -> float:
        """Area under the derivative: infinite."""
        return math.inf

    def derivative(self, x: np.ndarray) -> np.ndarray:
        """Return ones."""
        return np.ones(np.shape(x))

    def primitive(self, x: np.ndarray) -> np.ndarray:
        """Return a copy of `x`."""
        return np.array(x, dtype=np.float64)


@_check.suggest_keywords
@dataclass(frozen=True)
class Boxcar:
    r"""The clipped straight-through estimator: 1 for :math:`|x| \le 1/k`, else 0.

    Primitive x clipped to :math:`\pm 1/k`; integral :math:`2/k`, with :math:`k` = `slope`. With
    k = 1 it is the derivative of the hard tanh that trains networks of binary units. Source:
    Hubara et al. 2016, NeurIPS (arXiv:1602.02830).

    Parameters
    ----------
    slope : float, default 1
        Steepness k > 0; the default reaches from rest to twice the threshold.
    """

    slope: float = 1.0

    def __post_init__(self) -> None:
        _check.positive("Boxcar.slope", self.slope)

    @property
    def integral(self) -> float:
        """Area under the derivative."""
        return 2.0 / self.slope

    def derivative(self, x: np.ndarray) -> np.ndarray:
        """Return the surrogate derivative at `x`."""
        return np.where(np.isnan(x), np.nan, np.abs(x) <= 1.0 / self.slope)

    def primitive(self, x: np.ndarray) -> np.ndarray:
        """Return the primitive at `x`."""
        return np.clip(x, -1.0 / self.slope, 1.0 / self.slope)


@_check.suggest_keywords
@dataclass(frozen=True)
class OneSided:
    r"""Fast sigmoid at and above threshold, :math:`1 / (1 + kx)^2`, and 0 below it.

    Primitive :math:`x / (1 + kx)` for x >= 0, else 0; integral :math:`1/k`, with :math:`k` =
    `slope`. No spike, no gradient: like exact spike-time gradients (Bohte, Kok & La Poutre 2002,
    Neurocomputing 48:17) and like a ReLU it carries nothing through a unit that did not fire, so
    a unit that is silent for all inputs never learns again. It is here to show that.

    Parameters
    ----------
    slope : float, default 10
        Steepness k > 0.
    """

    slope: float = 10.0

    def __post_init__(self) -> None:
        _check.positive("OneSided.slope", self.slope)

    @property
    def integral(self) -> float:
        """Area under the derivative."""
        return 1.0 / self.slope

    def derivative(self, x: np.ndarray) -> np.ndarray:
        """Return the surrogate derivative at `x`."""
        return np.where(x < 0.0, 0.0, 1.0 / (1.0 + self.slope * np.abs(x)) ** 2)

    def primitive(self, x: np.ndarray) -> np.ndarray:
        """Return the primitive at `x`."""
        above = np.maximum(x, 0.0)
        return above / (1.0 + self.slope * above)
