r"""The leaky integrate-and-fire neuron with an adaptive threshold (ALIF).

.. math::

    \tau_m \frac{dv}{dt} = -(v - v_{rest}) + r_m\,(i_{syn} + i_{ext}), \qquad
    \tau_a \frac{da}{dt} = -a

When :math:`v \ge v_{th} + a` the neuron fires: v is reset as that of
:class:`~spikesim.neurons.lif.LIF` is, and the threshold is raised. With a spike
:math:`S_k \in \{0, 1\}` in step k,

.. math::

    S_k = 1 \text{ if } \hat v_k \ge v_{th} + a_k, \qquad
    a_{k+1} = e^{-dt/\tau_a}\, a_k + \delta_a\, S_k, \qquad a_1 = 0

(Bellec, Salaj, Subramoney, Legenstein & Maass 2018, NeurIPS 31, section 2, with its factor
:math:`1 - e^{-dt/\tau_a}` as part of :math:`\delta_a`; Bellec, Scherr, Subramoney et al. 2020, Nat.
Commun. 11:3625, Methods). So a spike raises the threshold by the whole `delta_a` in the step after
it, and by :math:`e^{-dt/\tau_a}` of that in the one after; at one spike in every n steps the
adaptation after a spike comes to :math:`\delta_a / (1 - e^{-n\,dt/\tau_a})`. It decays while the
neuron is refractory, too. Reset by subtraction lowers v by ``v_th - v_reset``, whatever a is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from spikesim import _check
from spikesim._jit import kernel
from spikesim.neurons._units import ask_if_below, is_physical
from spikesim.neurons.lif import Membrane, refuse_to_draw

__all__ = ["AdaptiveLIF"]

# Thresholds adapt over tens of ms and more, by tenths of a mV and more.
_SHORTEST_TAU_A = 1.0
_SMALLEST_DELTA_A = 0.01


@_check.suggest_keywords
@dataclass(frozen=True, eq=False)
class AdaptiveLIF(Membrane):
    r"""Leaky integrate-and-fire neuron whose threshold rises with each of its spikes.

    The threshold is ``v_th + a``. Of a neuron that fires in step k

    .. math::

        a_{k+1} = e^{-dt/\tau_a}\, a_k + \delta_a

    is the adaptation that step k + 1 is decided by; without a spike a decays. It begins at 0. With
    ``delta_a = 0`` the neuron is a :class:`LIF`, bit by bit, so that one population or layer can
    have both, by an array for `delta_a`. :mod:`spikesim.neurons.adaptive_lif` has all equations.

    Every parameter but `reset` is a number, an array of one value a neuron, or a
    :class:`~spikesim.distributions.Distribution` to draw one value a neuron from.

    Parameters
    ----------
    tau_m, c_m, v_rest, v_th, v_reset, t_ref, i_ext, v_init, reset
        As in :class:`LIF`; `v_th` is the threshold of a neuron that has not fired for long.
    tau_a : float, array_like or Distribution, default 200
        Time constant of the adaptation (ms), greater than 0.
    delta_a : float, array_like or Distribution, default 2
        By how much a spike raises the threshold (mV), at least 0.

    Raises
    ------
    ParameterError
        A value outside what is allowed, named with its first index.
    ParameterTypeError
        A value that is not a number, an array or a distribution.

    References
    ----------
    Bellec, Salaj, Subramoney, Legenstein & Maass 2018, NeurIPS 31; Bellec et al. 2020, Nat.
    Commun. 11:3625.

    Examples
    --------
    >>> import spikesim as sp
    >>> intervals = sp.simulate(sp.AdaptiveLIF(i_ext=600.0), 500.0)["neuron"].isi(0)
    >>> bool(intervals[-1] > 2.0 * intervals[0])
    True
    """

    tau_a: Any = 200.0
    delta_a: Any = 2.0

    recordable: ClassVar[tuple[str, ...]] = ("v", "i_syn", "g_syn", "a")
    _numeric: ClassVar[tuple[str, ...]] = (*Membrane._numeric, "tau_a", "delta_a")

    def __post_init__(self) -> None:
        super().__post_init__()
        ask_if_below("AdaptiveLIF.tau_a", self.tau_a, _SHORTEST_TAU_A, "ms")
        if is_physical(self):
            ask_if_below("AdaptiveLIF.delta_a", self.delta_a, _SMALLEST_DELTA_A, "mV")

    def _keep(self) -> None:
        """Check the parameters and keep them as floats, arrays of our own or distributions."""
        super()._keep()
        self._store("tau_a", low=0.0, strict=True)
        self._store("delta_a", low=0.0)

    @classmethod
    def normalised(
        cls,
        tau_m: Any = 20.0,
        t_ref: Any = 0.0,
        reset: str = "to_potential",
        *,
        tau_a: Any = 200.0,
        delta_a: Any = 0.1,
    ) -> AdaptiveLIF:
        """Make the neuron of the learning literature: rest 0, threshold 1, reset 0, r_m = 1.

        Parameters
        ----------
        tau_m : float or array_like, default 20
            Membrane time constant (ms).
        t_ref : float or array_like, default 0
            Absolute refractory period (ms).
        reset : {"to_potential", "subtract"}, default "to_potential"
            As in :class:`LIF`.
        tau_a : float or array_like, default 200
            Time constant of the adaptation (ms).
        delta_a : float or array_like, default 0.1
            By how much a spike raises the threshold, in units of the distance from rest to it.
        """
        refuse_to_draw("AdaptiveLIF.normalised.tau_m", tau_m)
        return cls(tau_m, tau_m, 0.0, 1.0, 0.0, t_ref, reset=reset, tau_a=tau_a, delta_a=delta_a)

    def adaptation(self, dt: float) -> tuple[np.ndarray, np.ndarray]:
        """Derive ``decay_a`` and ``delta_a`` of a step of `dt` (ms), scalars kept scalar."""
        return np.exp(-dt / np.asarray(self.tau_a)), np.asarray(self.delta_a)


@kernel(error_model="numpy")
def fire(v, a, refractory, moved, v_th, v_reset, ref_steps, subtract, decay_a, delta_a):
    """Hold, test and reset one neuron that would move from `v` to `moved` in this step.

    Parameters
    ----------
    v, moved : float
        Membrane potential at the start of the step, and where it would be at its end (mV).
    a : float
        Adaptation that the step is decided by (mV).
    refractory, v_th, v_reset, ref_steps, subtract
        As in :func:`spikesim.neurons.lif.step`.
    decay_a, delta_a : float
        See :meth:`AdaptiveLIF.adaptation`.

    Returns
    -------
    v_free, v, refractory, fired
        As in :func:`spikesim.neurons.lif.step`.
    a : float
        Adaptation that the next step is decided by.
    """
    held = refractory > 0
    v_free = v if held else moved
    fired = (v_free >= v_th + a) and not held
    v_after = v_free - (v_th - v_reset) if subtract else v_reset
    left = refractory - 1 if held else refractory
    decayed = decay_a * a
    a_after = decayed + delta_a if fired else decayed
    return v_free, (v_after if fired else v_free), (ref_steps if fired else left), fired, a_after
