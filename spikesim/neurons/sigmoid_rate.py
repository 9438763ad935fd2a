r"""A population of rate neurons within a network of spiking ones.

.. math::

    \tau_m \frac{dv}{dt} = -(v - v_{rest}) + r_m\,(i_{syn} + i_{ext}), \qquad
    r = \frac{r_{max}}{1 + e^{-(v - v_{half}) / v_{scale}}}

The membrane is that of :class:`~spikesim.neurons.lif.LIF` without a threshold, and a step of it is
as exact. There is no spike: v at the end of step k gives the rate r (Hz), and over each of its
synapses of weight w the neuron sends :math:`w\,r\,dt/1000`, what a Poisson neuron of that rate
would send in the step on average. It travels and arrives as a spike stamped k does. A sigmoid of
the potential for the rate of a population is that of Wilson & Cowan (1972, Biophys. J. 12:1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from spikesim import _check
from spikesim._jit import kernel
from spikesim.neurons._exp import exp
from spikesim.neurons._parameters import drawn_parameters, keep, random_parameters, sizes
from spikesim.neurons._units import ask_about_membrane

__all__ = ["SigmoidRate", "SigmoidRateConstants"]

_NUMERIC = ("tau_m", "c_m", "v_rest", "v_half", "v_scale", "max_rate", "i_ext", "v_init")


class SigmoidRateConstants(NamedTuple):
    """What a step needs, one value a neuron, derived once from parameters and `dt`."""

    decay_m: np.ndarray
    leak_gain: np.ndarray
    v_rest: np.ndarray
    v_half: np.ndarray
    v_scale: np.ndarray
    max_rate: np.ndarray


@_check.suggest_keywords
@dataclass(frozen=True, eq=False)
class SigmoidRate:
    """Rate neuron: a leaky membrane whose potential sets a rate, sent to targets as it is.

    Every parameter is a number, an array of one value a neuron, or a
    :class:`~spikesim.distributions.Distribution` to draw one value a neuron from.

    Parameters
    ----------
    tau_m : float, array_like or Distribution, default 10
        Membrane time constant (ms), greater than 0.
    c_m : float, array_like or Distribution, default 250
        Membrane capacitance (pF), greater than 0.
    v_rest : float, array_like or Distribution, default -65
        Resting potential (mV).
    v_half : float, array_like or Distribution, default -55
        Potential at which the rate is half of `max_rate` (mV).
    v_scale : float, array_like or Distribution, default 4
        How far v must rise for the odds ``r / (max_rate - r)`` to grow by e (mV), greater than 0.
    max_rate : float, array_like or Distribution, default 100
        Largest rate (Hz), at least 0.
    i_ext : float, array_like or Distribution, default 0
        Constant input current (pA).
    v_init : float, array_like, Distribution or None, default None
        Membrane potential at the start (mV); None stands for `v_rest`.

    Raises
    ------
    ParameterError
        A value outside what is allowed, named with its first index.
    ParameterTypeError
        A value that is not a number, an array or a distribution.
    """

    tau_m: Any = 10.0
    c_m: Any = 250.0
    v_rest: Any = -65.0
    v_half: Any = -55.0
    v_scale: Any = 4.0
    max_rate: Any = 100.0
    i_ext: Any = 0.0
    v_init: Any = None

    spiking = False
    recordable = ("v", "i_syn", "rate")

    def __post_init__(self) -> None:
        self._keep()
        ask_about_membrane(self, threshold="v_half")

    def _keep(self) -> None:
        """Check the parameters and keep them as floats, arrays of our own or distributions."""
        for name in ("tau_m", "c_m", "v_scale"):
            keep(self, name, low=0.0, strict=True)
        for name in ("v_rest", "v_half", "i_ext"):
            keep(self, name)
        keep(self, "max_rate", low=0.0)
        if self.v_init is not None:
            keep(self, "v_init")

    @property
    def r_m(self) -> Any:
        """Membrane resistance (GOhm), so that pA times r_m is mV."""
        return self.tau_m / self.c_m

    def sizes(self) -> set[int]:
        """Return the lengths of the parameters given one value a neuron."""
        return sizes(self, _NUMERIC)

    def random(self) -> list[str]:
        """Return the names of the parameters that are distributions, yet to be drawn."""
        return random_parameters(self, _NUMERIC)

    def drawn(self, n: int, rng: np.random.Generator) -> SigmoidRate:
        """Return the neuron with each parameter as an array of `n` values, drawn where random.

        Raises
        ------
        ParameterError
            A parameter of another length than `n`, or a drawn value that is not allowed.
        """
        # Not by SigmoidRate(), which would ask about units a second time.
        model = object.__new__(SigmoidRate)
        model.__dict__.update(drawn_parameters(self, _NUMERIC, n, rng))
        model._keep()
        return model

    def constants(self, dt: float) -> SigmoidRateConstants:
        """Derive what a step of `dt` (ms) needs from the parameters, scalars kept scalar."""
        tau_m = np.asarray(self.tau_m)
        return SigmoidRateConstants(
            decay_m=np.exp(-dt / tau_m),
            leak_gain=-np.expm1(-dt / tau_m) * self.r_m,
            v_rest=np.asarray(self.v_rest),
            v_half=np.asarray(self.v_half),
            v_scale=np.asarray(self.v_scale),
            max_rate=np.asarray(self.max_rate),
        )


@kernel(error_model="numpy")
def output(v, v_half, v_scale, max_rate):
    """Return the rate (Hz) of a neuron whose membrane potential is `v` (mV)."""
    real = type(v)
    return max_rate / (real(1.0) + exp((v_half - v) / v_scale))
