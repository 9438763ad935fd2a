r"""The leaky integrate-and-fire neuron.

.. math::

    \tau_m \frac{dv}{dt} = -(v - v_{rest}) + r_m\,(i_{syn} + i_{ext}), \qquad
    r_m = \tau_m / c_m

When :math:`v \ge v_{th}` the neuron fires, v is reset, and for `t_ref` it is held there. Between
spikes the equation is linear, so a step of `dt` is exact for any `dt` (Rotter & Diesmann 1999,
Biol. Cybern. 81, section 3):

.. math::

    v \leftarrow v_{rest} + e^{-dt/\tau_m} (v - v_{rest}) + push + jump

where `push` is what currents add over the step (:math:`(1 - e^{-dt/\tau_m})\,r_m\,i` for a
current held constant, :math:`p_{v,i}\,i_{syn}` for a decaying one, see
:mod:`spikesim.synapses`) and `jump` what delta synapses add at once. The order of a step is in
``docs/update_order.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np

from spikesim import _check
from spikesim._jit import kernel
from spikesim.distributions import Distribution, drawn
from spikesim.errors import ParameterTypeError, RoundingWarning
from spikesim.neurons._units import ask_about_membrane

__all__ = ["LIF", "Membrane"]


class LIFConstants(NamedTuple):
    """What a step needs, one value a neuron, derived once from parameters and `dt`."""

    decay_m: np.ndarray
    leak_gain: np.ndarray
    v_rest: np.ndarray
    v_th: np.ndarray
    v_reset: np.ndarray
    ref_steps: np.ndarray
    subtract: bool


@dataclass(frozen=True, eq=False)
class Membrane:
    """What :class:`LIF` and :class:`~spikesim.AdaptiveLIF` share: their parameters, checked."""

    tau_m: Any = 10.0
    c_m: Any = 250.0
    v_rest: Any = -65.0
    v_th: Any = -50.0
    v_reset: Any = -65.0
    t_ref: Any = 2.0
    i_ext: Any = 0.0
    v_init: Any = None
    reset: str = "to_potential"

    spiking = True
    recordable: ClassVar[tuple[str, ...]] = ("v", "i_syn", "g_syn")
    _numeric: ClassVar[tuple[str, ...]] = (
        "tau_m", "c_m", "v_rest", "v_th", "v_reset", "t_ref", "i_ext", "v_init",
    )  # fmt: skip

    def __post_init__(self) -> None:
        self._keep()
        ask_about_membrane(self, threshold="v_th")

    def _keep(self) -> None:
        """Check the parameters and keep them as floats, arrays of our own or distributions."""
        for name in ("tau_m", "c_m"):
            self._store(name, low=0.0, strict=True)
        for name in ("v_rest", "v_reset", "i_ext"):
            self._store(name)
        self._store("v_th", finite=False)
        self._store("t_ref", low=0.0)
        if self.v_init is not None:
            self._store("v_init")
        _check.choice(f"{self._name}.reset", self.reset, ("to_potential", "subtract"))
        if not isinstance(self.v_reset, Distribution) and not isinstance(self.v_th, Distribution):
            _refuse_reset_above_threshold(self._name, self.v_reset, self.v_th)

    @property
    def _name(self) -> str:
        return type(self).__name__

    @property
    def r_m(self) -> Any:
        """Membrane resistance (GOhm), so that pA times r_m is mV."""
        return self.tau_m / self.c_m

    def sizes(self) -> set[int]:
        """Return the lengths of the parameters given one value a neuron."""
        values = (getattr(self, name) for name in self._numeric)
        return {len(v) for v in values if isinstance(v, np.ndarray) and v.ndim == 1}

    def random(self) -> list[str]:
        """Return the names of the parameters that are distributions, yet to be drawn."""
        return [name for name in self._numeric if isinstance(getattr(self, name), Distribution)]

    def drawn(self, n: int, rng: np.random.Generator) -> Self:
        """Return the neuron with each parameter as an array of `n` values, drawn where random.

        Raises
        ------
        ParameterError
            A parameter of another length than `n`, or a drawn value that is not allowed.
        """
        values: dict[str, Any] = {}
        random = self.random()
        for name in self._numeric:
            value = getattr(self, name)
            if value is None:
                value = values["v_rest"]
            elif name in random:
                value = drawn(f"{self._name}.{name}", value, rng, n)
            elif isinstance(value, np.ndarray):
                _check.shape(f"{self._name}.{name}", value, (n,))
            values[name] = np.full(n, value)
        # Not by the class itself, which would ask about units a second time.
        model = object.__new__(type(self))
        for array in values.values():
            array.flags.writeable = False
        model.__dict__.update(values, reset=self.reset)
        if random:
            model._keep()  # What is not drawn has been checked.
        return model

    def replaced(self, **values: Any) -> Self:
        """Return the neuron with other values of some parameters, checked but for their units."""
        model = object.__new__(type(self))
        model.__dict__.update(self.__dict__, **values)
        model._keep()
        return model

    def constants(self, dt: float) -> LIFConstants:
        """Derive what a step needs from the parameters, scalars kept scalar.

        Parameters
        ----------
        dt : float
            Time step (ms).
        """
        decay_m = np.exp(-dt / np.asarray(self.tau_m))
        with np.errstate(over="ignore"):
            ref_steps = np.minimum(np.rint(np.asarray(self.t_ref) / dt), 2.0**53)
        return LIFConstants(
            decay_m=decay_m,
            leak_gain=-np.expm1(-dt / np.asarray(self.tau_m)) * self.r_m,
            v_rest=np.asarray(self.v_rest),
            v_th=np.asarray(self.v_th),
            v_reset=np.asarray(self.v_reset),
            ref_steps=ref_steps.astype(np.int64),
            subtract=self.reset == "subtract",
        )

    def _store(
        self, name: str, *, low: float | None = None, strict: bool = False, finite: bool = True
    ) -> None:
        """Check the parameter `name` and keep it as a float or a read-only array of our own."""
        value = getattr(self, name)
        if isinstance(value, Distribution):
            return
        label = f"{self._name}.{name}"
        stored = _check.per_neuron(label, value, low=low, strict=strict, finite=finite)
        if name == "v_th" and np.any(np.isneginf(stored)):
            raise _check.ParameterError(f"{label} must not be -inf")
        object.__setattr__(self, name, stored)


@_check.suggest_keywords
@dataclass(frozen=True, eq=False)
class LIF(Membrane):
    """Leaky integrate-and-fire neuron with current inputs.

    Every parameter but `reset` is a number, an array of one value a neuron, or a
    :class:`~spikesim.distributions.Distribution` to draw one value a neuron from.

    Parameters
    ----------
    tau_m : float, array_like or Distribution, default 10
        Membrane time constant (ms), greater than 0.
    c_m : float, array_like or Distribution, default 250
        Membrane capacitance (pF), greater than 0. The resistance ``r_m = tau_m / c_m`` (GOhm)
        is derived.
    v_rest : float, array_like or Distribution, default -65
        Resting potential (mV).
    v_th : float, array_like or Distribution, default -50
        Threshold (mV), above `v_reset`. ``inf`` gives a neuron that never fires.
    v_reset : float, array_like or Distribution, default -65
        Reset potential (mV).
    t_ref : float, array_like or Distribution, default 2
        Absolute refractory period (ms), at least 0. It is rounded to the nearest step; a
        warning says so when that changes it. A simulation takes 2**31 - 1 steps for what is longer,
        and ``recording.parameters`` has it so.
    i_ext : float, array_like or Distribution, default 0
        Constant input current (pA).
    v_init : float, array_like, Distribution or None, default None
        Membrane potential at the start (mV); None stands for `v_rest`. A value at or above
        `v_th` is allowed: such a neuron fires in the first step, unless leak takes it below.
    reset : {"to_potential", "subtract"}, default "to_potential"
        What a spike does to v: set it to `v_reset`, or lower it by ``v_th - v_reset`` so that
        what exceeded the threshold is kept.

    Raises
    ------
    ParameterError
        A value outside what is allowed, named with its first index.
    ParameterTypeError
        A value that is not a number, an array or a distribution.
    """

    @classmethod
    def normalised(cls, tau_m: Any = 20.0, t_ref: Any = 0.0, reset: str = "to_potential") -> LIF:
        """Make the neuron of the learning literature: rest 0, threshold 1, reset 0, r_m = 1.

        Parameters
        ----------
        tau_m : float or array_like, default 20
            Membrane time constant (ms).
        t_ref : float or array_like, default 0
            Absolute refractory period (ms).
        reset : {"to_potential", "subtract"}, default "to_potential"
            As in :class:`LIF`.
        """
        refuse_to_draw("LIF.normalised.tau_m", tau_m)
        return cls(tau_m, tau_m, 0.0, 1.0, 0.0, t_ref, reset=reset)

    @classmethod
    def non_spiking(cls, tau_m: Any = 20.0) -> LIF:
        """Make a normalised leaky integrator without threshold, for readouts."""
        refuse_to_draw("LIF.non_spiking.tau_m", tau_m)
        return cls(tau_m, tau_m, 0.0, np.inf, 0.0, 0.0)


def refuse_to_draw(name: str, tau_m: Any) -> None:
    """Refuse a distribution where the capacitance is to be equal to the time constant."""
    if isinstance(tau_m, Distribution):
        raise ParameterTypeError(
            f"{name} must be a number or an array: c_m is to equal it, and from a distribution "
            "each would be drawn by itself; draw an array first, or give the class a distribution "
            "for tau_m and what c_m is to be"
        )


def _refuse_reset_above_threshold(name: str, v_reset: Any, v_th: Any) -> None:
    try:
        bad = np.asarray(v_reset) >= np.asarray(v_th)
    except ValueError:
        raise _check.ParameterError(
            f"{name}.v_reset and {name}.v_th must have one length, got {np.shape(v_reset)} "
            f"and {np.shape(v_th)}"
        ) from None
    if np.any(bad):
        reset = np.broadcast_to(v_reset, bad.shape)[bad].flat[0]
        threshold = np.broadcast_to(v_th, bad.shape)[bad].flat[0]
        raise _check.ParameterError(
            f"{name}.v_reset{_check._first(bad)} must be below {name}.v_th = {threshold:g} mV, "
            f"got {reset:g} mV (potentials are in mV)"
        )


def refractory_period(model: Membrane, ref_steps: np.ndarray, dt: float, whose: str) -> np.ndarray:
    """Return `t_ref` (ms) of a model as it is on the grid; warn if it is not the one asked for.

    Parameters
    ----------
    model : LIF or AdaptiveLIF
        With the period asked for.
    ref_steps : ndarray of int64
        The same in steps, see :class:`LIFConstants`.
    dt : float
        Time step (ms).
    whose : str
        Whom it belongs to, for the message.
    """
    asked = np.asarray(model.t_ref, dtype=np.float64)
    effective = ref_steps * dt
    if np.array_equal(asked, effective):
        return asked
    off = _check.off_grid(asked, ref_steps, dt) & (ref_steps < 2**53)
    if not np.any(off):
        return asked
    _check.warn(
        f"{model._name}.t_ref{_check._first(off)} = {asked[off].flat[0]:g} ms is not a multiple of "
        f"dt = {dt!r} ms; {effective[off].flat[0]:g} ms is used in {whose}",
        RoundingWarning,
    )
    return effective


@kernel(error_model="numpy")
def move(v, push, jump, decay_m, v_rest):
    """Return where the membrane would be after one step of the grid, see :func:`step`."""
    return v_rest + decay_m * (v - v_rest) + push + jump


@kernel(error_model="numpy")
def fire(v, refractory, moved, v_th, v_reset, ref_steps, subtract):
    """Hold, test and reset one neuron that would move from `v` to `moved` in this step.

    Parameters
    ----------
    v, moved : float
        Membrane potential at the start of the step, and where it would be at its end (mV).
    refractory, v_th, v_reset, ref_steps, subtract
        As in :func:`step`, which says what is returned.
    """
    # Both sides are computed, then one is chosen: so a loop over neurons runs on vectors.
    held = refractory > 0
    v_free = v if held else moved
    fired = (v_free >= v_th) and not held
    v_after = v_free - (v_th - v_reset) if subtract else v_reset
    left = refractory - 1 if held else refractory
    return v_free, (v_after if fired else v_free), (ref_steps if fired else left), fired


@kernel(error_model="numpy")
def step(v, refractory, push, jump, decay_m, v_rest, v_th, v_reset, ref_steps, subtract):
    """Advance one neuron by one step of the grid.

    Parameters
    ----------
    v : float
        Membrane potential at the start of the step (mV).
    refractory : int
        Steps for which it is still held; 0 when it integrates.
    push, jump : float
        What currents and delta synapses add to v in this step (mV).
    decay_m, v_rest, v_th, v_reset, ref_steps, subtract
        As in :class:`LIFConstants`.

    Returns
    -------
    v_free : float
        Membrane potential before the reset.
    v : float
        Membrane potential at the end of the step.
    refractory : int
        Steps for which it is held from now on.
    fired : bool
        Whether the step ends in a spike.
    """
    moved = move(v, push, jump, decay_m, v_rest)
    return fire(v, refractory, moved, v_th, v_reset, ref_steps, subtract)


@kernel(error_model="numpy")
def step_alone(v, refractory, push, jump, decay_m, v_rest, v_th, v_reset, ref_steps, subtract):
    """Do what :func:`step` does, faster where one neuron goes through time by itself.

    A loop over time cannot run on vectors, so there a branch is cheaper than what it saves.
    """
    if refractory > 0:
        return v, v, refractory - 1, False
    moved = move(v, push, jump, decay_m, v_rest)
    if moved < v_th:
        return moved, moved, refractory, False
    return fire(v, refractory, moved, v_th, v_reset, ref_steps, subtract)
