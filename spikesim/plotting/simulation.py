"""Figures of neurons: membrane, f-I curve."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from spikesim import _check
from spikesim.errors import ParameterError
from spikesim.plotting.arguments import interval, known_recording, show_time
from spikesim.plotting.style import (
    COLOURS,
    GREY,
    LINE_STYLES,
    MARKERS,
    drawing_axes,
    legend_above,
    tidy,
)

__all__ = ["fi_curve", "membrane"]

_VARIABLE_LABELS = {
    "v": "membrane potential (mV)",
    "i_syn": "synaptic current (pA)",
    "a": "rise of the threshold (mV)",
}


def membrane(
    recording: Any,
    population: str | None = None,
    neurons: int | Sequence[int] | None = None,
    ax: Axes | None = None,
    *,
    variable: str = "v",
    spike_height: float | None = None,
    start: float | None = None,
    stop: float | None = None,
    **kwargs: Any,
) -> Axes:
    """Draw recorded membrane potentials, each spike as a stroke above the threshold.

    An integrate-and-fire model has no action potential; the stroke, from the threshold to
    `spike_height` above it, stands for one.

    Parameters
    ----------
    recording : Recording
        With a trace of `variable`.
    population : str, optional
        Population to draw; default the first one with such a trace.
    neurons : int or sequence of int, optional
        Neurons to draw, among those recorded; default the first three.
    ax : Axes, optional
        Where to draw; default a new figure.
    variable : str, default "v"
        Recorded variable; strokes are drawn for "v" only.
    spike_height : float, optional
        Height of a stroke (mV), at least 0; default the distance from the lowest potential
        drawn to the threshold.
    start, stop : float, optional
        Part of time to show (ms), ``start < stop``; default all that was recorded.
    **kwargs
        Passed to :meth:`matplotlib.axes.Axes.plot` for the traces.

    Returns
    -------
    Axes

    Raises
    ------
    ParameterError
        Nothing recorded under these names; the message lists what was.
    """
    recording = known_recording("membrane.recording", recording)
    start, stop = interval("membrane", start, stop, recording)
    chosen = _traced_population(recording, population, variable)
    columns = _columns(chosen, neurons)
    if spike_height is not None:
        spike_height = _check.non_negative("membrane.spike_height", spike_height)
    ax = drawing_axes("membrane.ax", ax, (7.2, 2.8))

    shown = (chosen.trace_times >= start) & (chosen.trace_times <= stop)
    times = chosen.trace_times[shown]
    values = chosen.traces[variable][shown][:, columns]
    thresholds = _thresholds(chosen) if variable == "v" else None
    for index, column in enumerate(columns):
        neuron = int(chosen.trace_neurons[column])
        path = times, values[:, index]
        if thresholds is not None and np.isfinite(thresholds[neuron]) and values.size:
            threshold = thresholds[neuron]
            height = threshold - values.min() if spike_height is None else spike_height
            fired = chosen.spike_times[chosen.spike_ids == neuron]
            fired = fired[(fired >= start) & (fired <= stop)]
            path = _with_strokes(*path, fired, threshold, threshold + height)
        style: dict[str, Any] = {
            "color": COLOURS[index % len(COLOURS)],
            "linestyle": LINE_STYLES[index % len(LINE_STYLES)],
            "linewidth": 1.1,
            "label": f"{chosen.name} {neuron}",
        }
        ax.plot(*path, **(style | kwargs))
    if thresholds is not None:
        _draw_thresholds(ax, np.unique(thresholds[chosen.trace_neurons[columns]]))

    show_time(ax, start, stop, recording.dt)
    ax.set_xlabel("time (ms)")
    ax.set_ylabel(_VARIABLE_LABELS.get(variable, variable))
    if ax.get_legend_handles_labels()[0]:
        legend_above(ax)
    tidy(ax)
    return ax


def fi_curve(
    currents: ArrayLike,
    rates: ArrayLike,
    ax: Axes | None = None,
    *,
    theory: ArrayLike | Callable[[np.ndarray], ArrayLike] | None = None,
    label: str = "simulated",
    **kwargs: Any,
) -> Axes:
    """Draw firing rates over input currents, with a theory as a line.

    Called again on the same Axes, it adds a curve in the next colour and marker.

    Parameters
    ----------
    currents : array_like, shape (n,)
        Input currents (pA).
    rates : array_like, shape (n,)
        Firing rates (Hz).
    ax : Axes, optional
        Where to draw; default a new figure.
    theory : array_like of shape (n,), or callable, optional
        Expected rates (Hz), or a function of currents that gives them.
    label : str, default "simulated"
        Name of the points in the legend.
    **kwargs
        Passed to :meth:`matplotlib.axes.Axes.plot` for the points.

    Returns
    -------
    Axes

    Raises
    ------
    ParameterError
        Arrays of different lengths, NaN or infinite values.
    """
    x = _check.float_array("fi_curve.currents", currents)
    _check.shape("fi_curve.currents", x, (None,))
    y = _check.float_array("fi_curve.rates", rates)
    _check.shape("fi_curve.rates", y, x.shape)
    if x.size == 0:
        raise ParameterError("fi_curve.currents must hold at least one current")
    grid, expected = x, None
    if callable(theory):
        grid = np.linspace(x.min(), x.max(), 400)
        theory = theory(grid)
    if theory is not None:
        expected = _check.float_array("fi_curve.theory", theory)
        _check.shape("fi_curve.theory", expected, grid.shape)
    ax = drawing_axes("fi_curve.ax", ax, (4.8, 3.4))

    earlier = sum(line.get_marker() in MARKERS for line in ax.get_lines())
    colour = COLOURS[earlier % len(COLOURS)]
    if expected is not None:
        order = np.argsort(grid, kind="stable")
        line = LINE_STYLES[earlier % len(LINE_STYLES)]
        ax.plot(grid[order], expected[order], line, color=colour, linewidth=1.2, label="theory")
    style: dict[str, Any] = {
        "color": colour,
        "marker": MARKERS[earlier % len(MARKERS)],
        "markersize": 5,
        "linestyle": "none",
        "label": label,
    }
    ax.plot(x, y, **(style | kwargs))
    ax.set_xlabel("input current (pA)")
    ax.set_ylabel("firing rate (Hz)")
    ax.legend(frameon=False, loc="upper left")
    tidy(ax)
    return ax


def _traced_population(recording: Any, population: str | None, variable: str) -> Any:
    with_trace = [n for n in recording.populations if variable in recording[n].traces]
    if not with_trace:
        recorded = sorted({v for n in recording.populations for v in recording[n].traces})
        raise ParameterError(
            f"membrane.variable is {variable!r}, which was not recorded "
            f"(recorded: {', '.join(recorded) or 'spikes only'}); "
            f"ask simulate() for it with record={variable!r}"
        )
    if population is None:
        return recording[with_trace[0]]
    return recording[_check.choice("membrane.population", population, with_trace)]


def _columns(population: Any, neurons: Any) -> np.ndarray:
    """Return the columns of the traces that hold `neurons`."""
    recorded = np.asarray(population.trace_neurons)
    if neurons is None:
        return np.arange(min(3, len(recorded)))
    if np.size(neurons) == 0:
        raise ParameterError("membrane.neurons must name at least one neuron")
    wanted = np.atleast_1d(_check.indices("membrane.neurons", neurons, population.n))
    missing = wanted[~np.isin(wanted, recorded)]
    if missing.size:
        raise ParameterError(
            f"membrane.neurons: neuron {missing[0]} of {population.name!r} was not recorded; "
            f"{len(recorded)} were, the first of them {recorded[:5].tolist()}"
        )
    return np.array([int(np.flatnonzero(recorded == neuron)[0]) for neuron in wanted])


def _thresholds(population: Any) -> np.ndarray | None:
    if population.v_th is None:
        return None
    return np.broadcast_to(np.asarray(population.v_th, dtype=np.float64), (population.n,))


def _with_strokes(
    times: np.ndarray, v: np.ndarray, fired: np.ndarray, threshold: float, top: float
) -> tuple[np.ndarray, np.ndarray]:
    """Insert, before the sample taken at each spike, a stroke from the threshold to the top."""
    places = np.repeat(np.searchsorted(times, fired - 1e-9), 3)
    strokes = np.tile([threshold, top, threshold], len(fired))
    return np.insert(times, places, np.repeat(fired, 3)), np.insert(v, places, strokes)


def _draw_thresholds(ax: Axes, thresholds: np.ndarray) -> None:
    finite = thresholds[np.isfinite(thresholds)]
    for index, value in enumerate(finite):
        label = None if index else "threshold"
        ax.axhline(value, color=GREY, linewidth=0.8, linestyle=(0, (2, 2)), label=label, zorder=0)
