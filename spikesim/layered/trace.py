"""What a layer did in a forward run."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from spikesim.errors import SpikesimError
from spikesim.layered.packed import PackedSpikes

__all__ = ["SpikingTrace", "Trace", "joined"]


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

    def without_potentials(self) -> Trace:
        """Return the trace itself: `v` of rate units takes no more than their output."""
        return self


class SpikingTrace:
    """What a spiking layer did: a :class:`Trace` whose arrays are made when they are asked for.

    Attributes
    ----------
    v_free : ndarray, shape (n_trials, n_steps, n_units), or None
        Membrane potential before the reset (mV), trial after trial, as kernels run; None where
        it was not kept to save memory.
    spikes, refractory : PackedSpikes
        Spikes, and where units were refractory (None if none ever is).
    currents : ndarray, shape (n_trials, n_steps, n_units), or None
        Synaptic current after each step, where a time constant is to be learnt.
    by_spikes : bool
        Whether a row of weights was added for each spike of the input; else whole products were
        made, as for graded input and for spikes so dense that this is faster.
    adaptation : ndarray, shape (n_trials, n_steps, n_units), or None
        Of units that adapt, what the threshold of each step was above `v_th` (mV).
    """

    def __init__(
        self,
        v_free: np.ndarray | None,
        spikes: PackedSpikes,
        refractory: PackedSpikes | None,
        currents: np.ndarray | None = None,
        by_spikes: bool = True,
        adaptation: np.ndarray | None = None,
    ):
        self.v_free = v_free
        self.spikes = spikes
        self.refractory = refractory
        self.currents = currents
        self.by_spikes = by_spikes
        self.adaptation = adaptation

    @property
    def passed_on(self) -> PackedSpikes:
        """What the next layer is given."""
        return self.spikes

    @property
    def v(self) -> np.ndarray:
        """Membrane potential before the reset (mV), shape (n_steps, n_trials, n_units)."""
        if self.v_free is None:
            raise SpikesimError("the potentials of this trace were not kept, to save memory")
        return self.v_free.transpose(1, 0, 2)

    @property
    def a(self) -> np.ndarray | None:
        """Threshold above `v_th` (mV), shape (n_steps, n_trials, n_units); None of plain LIF."""
        return None if self.adaptation is None else self.adaptation.transpose(1, 0, 2)

    def without_potentials(self) -> SpikingTrace:
        """Return a trace of the spikes alone, which takes a thirtieth of the memory."""
        return SpikingTrace(None, self.spikes, self.refractory)

    @cached_property
    def output(self) -> np.ndarray:
        """Spikes, 0.0 or 1.0, shape (n_steps, n_trials, n_units)."""
        return self.spikes.unpack(np.float64 if self.v_free is None else self.v_free.dtype)

    @cached_property
    def held(self) -> np.ndarray:
        """Where a unit was refractory, bool, shape (n_steps, n_trials, n_units)."""
        if self.refractory is None:
            return np.zeros(self.spikes.shape, dtype=np.bool_)
        return self.refractory.unpack(np.bool_)


def joined(traces: Sequence[Any]) -> Any:
    """Return one trace of the trials of several, without the potentials of spiking units."""
    if isinstance(traces[0], Trace):
        output, v = (np.concatenate([one[i] for one in traces], axis=1) for i in (0, 1))
        return Trace(output, v, None)
    held = [one.refractory for one in traces]
    waits = None if held[0] is None else _joined_bits(held)
    return SpikingTrace(None, _joined_bits([one.spikes for one in traces]), waits)


def _joined_bits(parts: Sequence[PackedSpikes]) -> PackedSpikes:
    return PackedSpikes.of_kernel(np.concatenate([one.bits for one in parts]), parts[0].n_units)
