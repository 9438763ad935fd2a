"""Questions about weights and currents that look like those of another unit.

Only a network knows what they act on: the same number may be right in a normalised neuron.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from spikesim import _check
from spikesim.distributions import reach, typical
from spikesim.errors import UnitWarning
from spikesim.network.inputs import (
    Input,
    NoiseCurrent,
    RampCurrent,
    SampledCurrent,
    SineCurrent,
    StepCurrent,
)
from spikesim.network.population import Population
from spikesim.neurons._units import ask_if_below, ask_if_volts, faint_current, is_physical
from spikesim.neurons.lif import Membrane
from spikesim.synapses import UNSAID, Delta

__all__ = ["ask_about_currents", "ask_about_weights"]

# Neurons take tens of pA and more to fire.
_LEAST_CURRENT = 1.0
# A spike starts some pA and more: of 0.1 pA it takes a hundred at once to be seen. A channel
# conducts 0.001 nS and more.
_LEAST_WEIGHT = {"pA": 0.1, "nS": 1e-4}
# Inhibition may well be stronger than excitation, and potentials from 0 mV on may be those of a
# neuron without units: a weight of so many ways from reset to threshold was meant in pA there.
_MOST_WAYS = 4.0
# Ways below this (mV) are those of normalised neurons, whose weights may be many times as large.
_LEAST_WAY = 5.0
# No spike moves v by more (mV).
_LARGEST_JUMP = 15.0
# What is above the largest weight is one in no unit.
_LARGEST_WEIGHT = 1e5


def ask_about_weights(items: Sequence[tuple[Any, Population, str]]) -> None:
    """Warn of weights that no synapse has, unless the network has larger ones in the same unit.

    A small weight beside larger ones may be meant to be small, as where weights are searched for.

    Parameters
    ----------
    items : sequence of (Projection, PoissonInput or SpikeInput, Population, str)
        Whose weights they are, what it leads to, and where it is in the network, for the message.
    """
    small: dict[str, list[tuple[str, Any]]] = {"pA": [], "nS": []}
    large = set()
    for item, target, place in items:
        kind, synapse = type(item).__name__, item.synapse
        if synapse is UNSAID and isinstance(target.model, Membrane):
            _ask_about_jump(kind, item.weight, target.model, place)
        if isinstance(synapse, Delta) or not is_physical(target.model):
            continue
        unit = "nS" if synapse.conductance else "pA"
        if abs(reach(item.weight)) >= _LEAST_WEIGHT[unit]:
            large.add(unit)
        else:
            small[unit].append((f"{kind}.weight {place}", item.weight))
        if synapse.conductance:
            ask_if_volts(f"{type(synapse).__name__}.e_rev", synapse.e_rev)
    for unit, found in small.items():
        if unit not in large:
            for label, weight in found:
                ask_if_below(label, weight, _LEAST_WEIGHT[unit], unit)


def ask_about_currents(population: Population, inputs: Sequence[Input]) -> None:
    """Warn of currents that `population` would not notice, unless another one is larger.

    A small current beside a larger one may be meant to be small, as where the response of a
    neuron to a small sine is measured.
    """
    model = population.model
    currents = [(item, *found) for item in inputs if (found := _largest(item)) is not None]
    if not currents or not is_physical(model):
        return
    threshold = "v_th" if isinstance(model, Membrane) else "v_half"
    limit = faint_current(model, threshold, _LEAST_CURRENT)
    if max(abs(reach(model.i_ext)), *(abs(reach(value)) for _, _, value in currents)) >= limit:
        return
    for item, name, value in currents:
        label = f"{type(item).__name__}.{name} into {population.name!r}"
        ask_if_below(label, value, limit, "pA")


def _largest(item: Input) -> tuple[str, Any] | None:
    """Return the name and value of the largest parameter of a current, None for spikes."""
    names: tuple[str, ...] = ()
    if isinstance(item, StepCurrent):
        names = ("amplitude",)
    elif isinstance(item, RampCurrent):
        names = ("start_amplitude", "end_amplitude")
    elif isinstance(item, SineCurrent):
        names = ("amplitude", "offset")
    elif isinstance(item, NoiseCurrent):
        names = ("mean", "sd")
    elif isinstance(item, SampledCurrent):
        names = ("values",)
    sizes = [(name, getattr(item, name)) for name in names]
    sizes = [(name, value) for name, value in sizes if np.size(value)]
    return max(sizes, key=lambda pair: abs(reach(pair[1])), default=None)


def _ask_about_jump(kind: str, weights: Any, model: Membrane, place: str) -> None:
    """Warn of a weight too large for mV, where no synapse was named."""
    weight = typical(weights)
    if isinstance(weights, np.ndarray):
        # Of both signs they may cancel.
        weight = math.copysign(typical(np.abs(weights)), weight)
    v_th = typical(model.v_th)
    way = max(v_th - typical(model.v_reset), v_th - typical(model.v_rest))
    if not way >= _LEAST_WAY:
        return
    ways = 1.0 if is_physical(model) and weight > 0.0 else _MOST_WAYS
    if max(ways * way, _LARGEST_JUMP) < abs(weight) < _LARGEST_WEIGHT:
        _check.warn(
            f"{kind}.weight {place} is {weight:g} mV, as {kind}.synapse was left out: each spike "
            f"moves v by {abs(weight) / way:.2g} times the way from reset to threshold. For a "
            "weight in pA pass synapse=Exponential() or Alpha(); if mV are meant, pass "
            "synapse=Delta()",
            UnitWarning,
        )
