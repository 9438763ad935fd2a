r"""What a spike does on arrival: a jump of the potential, a current or a conductance.

A synapse turns weighted spikes (`drive`) into a current (pA), a conductance (nS) or, for
:class:`Delta`, into a jump of the membrane potential (mV). Currents and conductances obey the same
linear equations, here for i, so one step of `dt` is exact:

* exponential: :math:`\tau_{syn}\,\dot i = -i`; a spike of weight w adds w to i;
* alpha: :math:`i(t) = w\,\frac{t}{\tau_{syn}} e^{1 - t/\tau_{syn}}`, peak w at
  :math:`\tau_{syn}`; written as :math:`\dot x = -x/\tau_{syn}`,
  :math:`\dot i = x - i/\tau_{syn}`, where a spike adds :math:`e\,w/\tau_{syn}` to x.

A conductance g with reversal potential :math:`e_{rev}` sends the current
:math:`g\,(e_{rev} - v)` into the membrane.

:meth:`propagators` gives the elements of the matrix exponential that couple a current to the
membrane (Rotter & Diesmann 1999, section 3.1): over a step, v gains ``p_vi * i + p_vx * x``.
:math:`\tau_{syn} = \tau_m` is a limit, not a singularity: the divided differences of the
exponential are evaluated in a form that is stable on both sides of it. :meth:`at_nodes` gives the
values within a step that the membrane under conductances needs
(:mod:`spikesim.neurons.conductance`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from spikesim import _check
from spikesim.errors import ParameterError

__all__ = [
    "Alpha",
    "ConductanceAlpha",
    "ConductanceExponential",
    "Delta",
    "Exponential",
    "Nodes",
    "Propagators",
    "Synapse",
]

# The two Gauss nodes of a step, as fractions of it.
_NODES = (0.5 - np.sqrt(3.0) / 6.0, 0.5 + np.sqrt(3.0) / 6.0)

# The fastest synapses decay in 0.2 ms; a number below this (ms) is one of seconds.
_SHORTEST = 0.02


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


class Nodes(NamedTuple):
    """One step of a synapse, and its value at the two Gauss nodes within the step.

    The first four are as in :class:`Propagators`. At node j the synapse is worth
    ``n_i_j * i + n_x_j * x``, with i and x as they stand at the start of the step.
    """

    decay_syn: float
    p_ix: float
    gain_i: float
    gain_x: float
    n_i_1: float
    n_x_1: float
    n_i_2: float
    n_x_2: float


class Synapse:
    """Base of the synapse models; equal parameters mean one shared state on a target.

    Attributes
    ----------
    conductance : bool
        Whether its state is a conductance (nS).
    lowest_weight : float
        Weights below are refused.
    """

    conductance: ClassVar[bool] = False
    lowest_weight: ClassVar[float] = -np.inf

    def check_weight(self, label: str, weight: Any) -> None:
        """Refuse weights that the synapse cannot have; a distribution itself passes.

        Parameters
        ----------
        label : str
            Name of the argument, for the message.
        weight : float, ndarray or Distribution
            Weights, finite.

        Raises
        ------
        ParameterError
            A negative weight of a conductance.
        """
        if not isinstance(weight, (float, np.ndarray)):
            return
        values = np.asarray(weight)
        bad = values < self.lowest_weight
        if np.any(bad):
            raise ParameterError(
                f"{label}{_check._first(bad)} must be at least {self.lowest_weight:g} nS through "
                f"{type(self).__name__}, got {values[bad].flat[0]:g}; "
                "e_rev decides whether a conductance excites or inhibits"
            )


@dataclass(frozen=True)
class Delta(Synapse):
    """A spike of weight w moves the membrane potential by w (mV) at once.

    Spikes that arrive while the neuron is refractory are lost.
    """


# What a spike does where nobody says: known by identity from a Delta() that was asked for.
UNSAID = Delta()


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
        _keep_tau_syn(self)

    def propagators(self, tau_m: np.ndarray, c_m: np.ndarray, dt: float) -> Propagators:
        """Return one exact step of `dt` (ms) for membranes of `tau_m` (ms) and `c_m` (pF)."""
        rate_m, rate_syn = -1.0 / np.asarray(tau_m), -1.0 / self.tau_syn
        p_vi = _divided_difference(rate_m, rate_syn, dt) / c_m
        # As in at_nodes(), bit for bit: the engine takes it from there.
        decay_syn = np.exp(-dt / self.tau_syn)
        return Propagators(decay_syn, 0.0, 1.0, 0.0, p_vi, np.zeros_like(p_vi))

    def gain_slopes(
        self, tau_m: np.ndarray, c_m: np.ndarray, dt: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the derivatives of the propagator ``p_vi`` by `tau_m` and by `tau_syn`."""
        tau_m = np.asarray(tau_m)
        rate_m, rate_syn = -1.0 / tau_m, -1.0 / self.tau_syn
        by_rate_m = _second_divided_difference(rate_syn, rate_m, dt)
        by_rate_syn = _second_divided_difference(rate_m, rate_syn, dt)
        return by_rate_m / tau_m**2 / c_m, by_rate_syn / self.tau_syn**2 / c_m

    def at_nodes(self, dt: float) -> Nodes:
        """Return one exact step of `dt` (ms) and the values within it."""
        return _exponential_at_nodes(self.tau_syn, dt)


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
        _keep_tau_syn(self)

    def propagators(self, tau_m: np.ndarray, c_m: np.ndarray, dt: float) -> Propagators:
        """Return one exact step of `dt` (ms) for membranes of `tau_m` (ms) and `c_m` (pF)."""
        rate_m, rate_syn = -1.0 / np.asarray(tau_m), -1.0 / self.tau_syn
        decay_syn = np.exp(rate_syn * dt)
        p_vi = _divided_difference(rate_m, rate_syn, dt) / c_m
        p_vx = _second_divided_difference(rate_m, rate_syn, dt) / c_m
        return Propagators(decay_syn, dt * decay_syn, 0.0, np.e / self.tau_syn, p_vi, p_vx)

    def at_nodes(self, dt: float) -> Nodes:
        """Return one exact step of `dt` (ms) and the values within it."""
        return _alpha_at_nodes(self.tau_syn, dt)


@_check.suggest_keywords
@dataclass(frozen=True)
class ConductanceExponential(Synapse):
    """A spike of weight w opens a conductance of w (nS) that decays exponentially.

    Weights are at least 0: whether a spike excites is for `e_rev` to say.

    Parameters
    ----------
    tau_syn : float, default 5
        Synaptic time constant (ms), greater than 0.
    e_rev : float, default 0
        Reversal potential (mV), towards which the conductance draws the membrane.
    """

    tau_syn: float = 5.0
    e_rev: float = 0.0

    conductance: ClassVar[bool] = True
    lowest_weight: ClassVar[float] = 0.0

    def __post_init__(self) -> None:
        _keep_conductance(self)

    def at_nodes(self, dt: float) -> Nodes:
        """Return one exact step of `dt` (ms) and the values within it."""
        return _exponential_at_nodes(self.tau_syn, dt)


@_check.suggest_keywords
@dataclass(frozen=True)
class ConductanceAlpha(Synapse):
    """A spike of weight w opens a conductance that peaks at w (nS) after `tau_syn`.

    Weights are at least 0: whether a spike excites is for `e_rev` to say.

    Parameters
    ----------
    tau_syn : float, default 2
        Time from spike to peak (ms), greater than 0.
    e_rev : float, default 0
        Reversal potential (mV), towards which the conductance draws the membrane.
    """

    tau_syn: float = 2.0
    e_rev: float = 0.0

    conductance: ClassVar[bool] = True
    lowest_weight: ClassVar[float] = 0.0

    def __post_init__(self) -> None:
        _keep_conductance(self)

    def at_nodes(self, dt: float) -> Nodes:
        """Return one exact step of `dt` (ms) and the values within it."""
        return _alpha_at_nodes(self.tau_syn, dt)


def _keep_tau_syn(synapse: Any) -> None:
    """Check the time constant of a synapse and keep it as a float."""
    label = f"{type(synapse).__name__}.tau_syn"
    tau_syn = _check.positive(label, synapse.tau_syn)
    _check.ask_about_unit(label, tau_syn, _SHORTEST, "ms")
    object.__setattr__(synapse, "tau_syn", tau_syn)


def _keep_conductance(synapse: ConductanceExponential | ConductanceAlpha) -> None:
    """Check the parameters of a conductance and keep them as floats."""
    _keep_tau_syn(synapse)
    label = f"{type(synapse).__name__}.e_rev"
    e_rev = _check.scalar(label, synapse.e_rev)
    object.__setattr__(synapse, "e_rev", e_rev)


def _exponential_at_nodes(tau_syn: float, dt: float) -> Nodes:
    end, first, second = (float(np.exp(-node * dt / tau_syn)) for node in (1.0, *_NODES))
    return Nodes(end, 0.0, 1.0, 0.0, first, 0.0, second, 0.0)


def _alpha_at_nodes(tau_syn: float, dt: float) -> Nodes:
    times = [node * dt for node in (1.0, *_NODES)]
    end, first, second = (
        (float(np.exp(-t / tau_syn)), float(t * np.exp(-t / tau_syn))) for t in times
    )
    return Nodes(*end, 0.0, np.e / tau_syn, *first, *second)


def _divided_difference(a: np.ndarray, b: float, dt: float) -> np.ndarray:
    """Return ``(exp(a dt) - exp(b dt)) / (a - b)``, which is ``dt exp(a dt)`` at a = b.

    The larger exponential is taken out, so that nothing overflows however far apart they are.
    """
    gap = np.abs((a - b) * dt)
    safe = np.where(gap == 0.0, 1.0, gap)
    return dt * np.exp(np.maximum(a, b) * dt) * np.where(gap == 0.0, 1.0, -np.expm1(-gap) / safe)


def _second_divided_difference(a: Any, b: Any, dt: float) -> np.ndarray:
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
