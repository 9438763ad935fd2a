"""Questions about parameters of a membrane that look like volts, seconds, farads or amperes.

They are asked about what no sensible model has; a normalised one, whose potentials, capacitance
and currents have no units, is asked about its times alone.
"""

from __future__ import annotations

from typing import Any

from spikesim import _check
from spikesim.distributions import reach, typical, usual_range

__all__ = ["ask_about_membrane", "ask_if_below", "ask_if_volts", "faint_current", "is_physical"]

# A membrane forgets in 1 ms or more; 0.1 ms leaves room for those that are made to forget.
_SHORTEST_TAU_M = 0.1
# Spikes last 1 ms; refractory periods of a step (0.01 ms) are set to stand for none.
_SHORTEST_T_REF = 0.005
# The smallest cells have some pF.
_SMALLEST_C_M = 1.0
# Neurons take tens of pA and more to fire; a current of 2 pA moves few of them by 0.1 mV.
_LEAST_I_EXT = 2.0
# Potentials of neurons are from -90 to -40 mV, here doubled and halved: as such in volts ...
_VOLTS = (-0.2, -0.02)
# ... and in millivolts; normalised ones are around 0 and 1, relative ones from 0 to 20 mV.
_PHYSICAL = -20.0
# A small cell may feel 1 pA: no current is faint that moves it by this share of its way to
# threshold.
_NOTICED = 0.02


def is_physical(model: Any) -> bool:
    """Return whether a model has a membrane with potentials as measured, in mV."""
    return typical(getattr(model, "v_rest", 0.0)) < _PHYSICAL


def faint_current(model: Any, threshold: str, most: float) -> float:
    """Return the current (pA), at most `most`, below which `model` hardly notices it."""
    way = abs(typical(getattr(model, threshold)) - typical(model.v_rest))
    # min() keeps `most` where the other is NaN, as for a distribution of the user's own.
    return min(
        most, _NOTICED * way * typical(model.c_m) / max(typical(model.tau_m), _SHORTEST_TAU_M)
    )


def ask_if_below(name: str, value: Any, limit: float, unit: str) -> bool:
    """Ask about a number, array or distribution that is below `limit` in magnitude, but not 0."""
    if isinstance(value, float):
        return _check.ask_about_unit(name, value, limit, unit)
    return _check.ask_about_unit(name, reach(value), limit, unit, "reaches")


def ask_if_volts(name: str, value: Any) -> bool:
    """Ask about a potential all of which lies where potentials in volts do."""
    return _in_volts(value) and ask_if_below(name, value, 1.0, "mV")


def ask_about_membrane(model: Any, threshold: str) -> None:
    """Warn of parameters of `model` that no neuron has; `threshold` is the name of its own."""
    label = type(model).__name__
    ask_if_below(f"{label}.tau_m", model.tau_m, _SHORTEST_TAU_M, "ms")
    if hasattr(model, "t_ref"):
        ask_if_below(f"{label}.t_ref", model.t_ref, _SHORTEST_T_REF, "ms")
    top = getattr(model, threshold)
    if _is_absolute(model.v_rest) and (_is_absolute(top) or reach(top) == float("inf")):
        # One question will do where all are in volts.
        for name in ("v_rest", threshold, "v_reset", "v_init"):
            value = getattr(model, name, None)
            if value is not None and ask_if_volts(f"{label}.{name}", value):
                break
    if is_physical(model):
        ask_if_below(f"{label}.c_m", model.c_m, _SMALLEST_C_M, "pF")
        faint = faint_current(model, threshold, _LEAST_I_EXT)
        ask_if_below(f"{label}.i_ext", model.i_ext, faint, "pA")


def _in_volts(value: Any) -> bool:
    low, high = usual_range(value)
    return _VOLTS[0] <= low and high <= _VOLTS[1]


def _is_absolute(value: Any) -> bool:
    """Return whether a potential is one as measured, be it in mV or in volts."""
    return typical(value) < _PHYSICAL or _in_volts(value)
