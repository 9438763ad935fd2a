"""What a layer did in a forward run."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np

from spikesim.layered.packed import PackedSpikes

__all__ = ["SpikingTrace", "Trace"]


class Trace(NamedTuple):
    """What one layer did, each array of shape (n_steps, n_trials, n_units).

    Attributes
    ----------
    output : ndarray
        Spikes (0.0 or 1.0) of spiking units, outputs of rate units.
    v : ndarray
        Membrane potential before the reset (mV); for rate units ``u``, what `output` is a
        function of.
    held : ndarray of bool or None
        Where a spiking unit was refractory; None for rate units.
    """

    output: np.ndarray
    v: np.ndarray
    held: np.ndarray | None

    @property
    def passed_on(self) -> np.ndarray:
        """What the next layer is given."""
        return self.output


class SpikingTrace:
    """What a spiking layer did: a :class:`Trace` whose arrays are made when they are asked for.

    Attributes
    ----------
    v_free : ndarray, shape (n_trials, n_steps, n_units)
        Membrane potential before the reset (mV), trial after trial, as kernels run.
    spikes, refractory : PackedSpikes
        Spikes, and where units were refractory (None if none ever is).
    currents : ndarray, shape (n_trials, n_steps, n_units), or None
        Synaptic current after each step, where a time constant is to be learnt.
    """

    def __init__(
        self,
        v_free: np.ndarray,
        spikes: PackedSpikes,
        refractory: PackedSpikes | None,
        currents: np.ndarray | None = None,
    ):
        self.v_free = v_free
        self.spikes = spikes
        self.refractory = refractory
        self.currents = currents

    @property
    def passed_on(self) -> PackedSpikes:
        """What the next layer is given."""
        return self.spikes

    @property
    def v(self) -> np.ndarray:
        """Membrane potential before the reset (mV), shape (n_steps, n_trials, n_units)."""
        return self.v_free.transpose(1, 0, 2)

    @cached_property
    def output(self) -> np.ndarray:
        """Spikes, 0.0 or 1.0, shape (n_steps, n_trials, n_units)."""
        return self.spikes.unpack(self.v_free.dtype)

    @cached_property
    def held(self) -> np.ndarray:
        """Where a unit was refractory, bool, shape (n_steps, n_trials, n_units)."""
        if self.refractory is None:
            return np.zeros(self.v.shape, dtype=np.bool_)
        return self.refractory.unpack(np.bool_)
