r"""What a spike does on arrival: delta, exponential and alpha synapses, as currents.

A synapse turns weighted spikes (`drive`) into a current (pA) or, for :class:`Delta`, into a jump
of the membrane potential (mV). Currents obey linear equations, so one step of `dt` is exact:

* exponential: :math:`\tau_{syn}\,\dot i = -i`; a spike of weight w adds w (pA) to i;
* alpha: :math:`i(t) = w\,\frac{t}{\tau_{syn}} e^{1 - t/\tau_{syn}}`, peak w (pA) at
  :math:`\tau_{syn}`; written as :math:`\dot x = -x/\tau_{syn}`,
  :math:`\dot i = x - i/\tau_{syn}`, where a spike adds :math:`e\,w/\tau_{syn}` to x.

:meth:`propagators` gives the elements of the matrix exponential that couple the synapse to the
membrane (Rotter & Diesmann 1999, section 3.1): over a step, v gains ``p_vi * i + p_vx * x``.
:math:`\tau_{syn} = \tau_m` is a limit, not a singularity: the divided differences of the
exponential are evaluated in a form that is stable on both sides of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from spikesim import _check

__all__ = ["Alpha", "Delta", "Exponential", "Synapse"]


class Propagators(NamedTuple):
    """One step of a synapse and what it adds to the membrane, one value a neuron.

    ``i' = decay_syn * i + p_ix * x``; ``x' = decay_syn * x``; v gains ``p_vi * i + p_vx * x``.
    A spike of weight w adds ``gain_i * w`` to i and ``gain_x * w`` to x.
    """

    decay_syn: float
    p_ix: float
    gain_i: float
    gain_x: float
    p_vi: np.ndarray
    p_vx: np.ndarray


class Synapse:
    """Base of the synapse models; equal parameters mean one shared state on a target."""


@dataclass(frozen=True)
class Delta(Synapse):
    """A spike of weight w moves the membrane potential by w (mV) at once.

    Spikes that arrive while the neuron is refractory are lost.
    """


@_check.suggest_keywords
@dataclass(frozen=True)
class Exponential(Synapse):
    """A spike of weight w starts a current of w (pA) that decays exponentially.

    Parameters
    ----------
    tau_syn : float, default 5
        Synaptic time constant (ms), greater than 0.
    """

    tau_syn: float = 5.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "tau_syn", _check.positive("Exponential.tau_syn", self.tau_syn))

    def propagators(self, tau_m: np.ndarray, c_m: np.ndarray, dt: float) -> Propagators:
        """Return one exact step of `dt` (ms) for membranes of `tau_m` (ms) and `c_m` (pF)."""
        rate_m, rate_syn = -1.0 / np.asarray(tau_m), -1.0 / self.tau_syn
        p_vi = _divided_difference(rate_m, rate_syn, dt) / c_m
        return Propagators(np.exp(rate_syn * dt), 0.0, 1.0, 0.0, p_vi, np.zeros_like(p_vi))


@_check.suggest_keywords
@dataclass(frozen=True)
class Alpha(Synapse):
    """A spike of weight w starts a current that peaks at w (pA) after `tau_syn`.

    Parameters
    ----------
    tau_syn : float, default 2
        Time from spike to peak (ms), greater than 0.
    """

    tau_syn: float = 2.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "tau_syn", _check.positive("Alpha.tau_syn", self.tau_syn))

    def propagators(self, tau_m: np.ndarray, c_m: np.ndarray, dt: float) -> Propagators:
        """Return one exact step of `dt` (ms) for membranes of `tau_m` (ms) and `c_m` (pF)."""
        rate_m, rate_syn = -1.0 / np.asarray(tau_m), -1.0 / self.tau_syn
        decay_syn = np.exp(rate_syn * dt)
        p_vi = _divided_difference(rate_m, rate_syn, dt) / c_m
        p_vx = _second_divided_difference(rate_m, rate_syn, dt) / c_m
        return Propagators(decay_syn, dt * decay_syn, 0.0, np.e / self.tau_syn, p_vi, p_vx)


def _divided_difference(a: np.ndarray, b: float, dt: float) -> np.ndarray:
    """Return ``(exp(a dt) - exp(b dt)) / (a - b)``, which is ``dt exp(a dt)`` at a = b.

    The larger exponential is taken out, so that nothing overflows however far apart they are.
    """
    gap = np.abs((a - b) * dt)
    safe = np.where(gap == 0.0, 1.0, gap)
    return dt * np.exp(np.maximum(a, b) * dt) * np.where(gap == 0.0, 1.0, -np.expm1(-gap) / safe)


def _second_divided_difference(a: np.ndarray, b: float, dt: float) -> np.ndarray:
    """Return the integral over [0, dt] of ``s exp(b s) exp(a (dt - s))``.

    With ``gap = (a - b) dt`` it is ``dt^2 (exp(a dt) - exp(b dt) (1 + gap)) / gap^2``; near
    zero, where the difference cancels, ``dt^2 exp(b dt)`` times the Taylor series of
    ``(exp(z) - 1 - z) / z^2``.
    """
    gap = np.asarray((a - b) * dt)
    small = np.abs(gap) < 0.5
    safe = np.where(small, 1.0, gap)
    direct = (np.exp(a * dt) - np.exp(b * dt) * (1.0 + gap)) / safe**2
    series = np.zeros_like(gap)
    term = np.full_like(gap, 0.5)
    near = np.where(small, gap, 0.0)
    for order in range(3, 20):
        series = series + term
        term = term * near / order
    return dt**2 * np.where(small, np.exp(b * dt) * series, direct)
