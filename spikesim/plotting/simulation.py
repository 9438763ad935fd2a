"""Figures of a simulation: raster, membrane, f-I curve."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from spikesim import _check
from spikesim.errors import ParameterError, ParameterTypeError
from spikesim.plotting.style import (
    COLOURS,
    GREY,
    LINE_STYLES,
    MARKERS,
    drawing_axes,
    legend_above,
    tidy,
)

__all__ = ["fi_curve", "membrane", "raster"]

_MOST_TICKS_DRAWN_AS_LINES = 20_000
_VARIABLE_LABELS = {"v": "membrane potential (mV)", "i_syn": "synaptic current (pA)"}


def raster(
    recording: Any,
    populations: str | Sequence[str] | None = None,
    ax: Axes | None = None,
    *,
    histogram: bool | Axes = True,
    bin_width: float | None = None,
    start: float | None = None,
    stop: float | None = None,
    **kwargs: Any,
) -> Axes:
    """Draw the spikes of populations, one row a neuron, and their rates beneath.

    The first population is on top. A million spikes take about a second.

    Parameters
    ----------
    recording : Recording
        What :func:`spikesim.simulate` returned.
    populations : str or sequence of str, optional
        Populations to draw, from top to bottom; default all.
    ax : Axes, optional
        Where to draw; default a new figure. With ``histogram=True`` its place is divided: the
        spikes keep the upper three quarters.
    histogram : bool or Axes, default True
        Draw the rate of each population (Hz, mean over its neurons): beneath the spikes, on the
        Axes given, or not at all.
    bin_width : float, optional
        Width of the bins of the histogram (ms), a multiple of the time step; default about a
        hundredth of the time shown, at least one step. A bin holds the spikes after its left
        end up to and with its right end, as spikes belong to the ends of steps. A last bin that
        is cut off is divided by the time it has.
    start, stop : float, optional
        Part of time to show (ms), ``start < stop``: spikes after `start`, up to and with `stop`;
        default all that was recorded.
    **kwargs
        Passed to :meth:`matplotlib.axes.Axes.plot` for the spikes.

    Returns
    -------
    Axes
        The Axes with the spikes.

    Raises
    ------
    ParameterError
        A population that is not in the recording, ``stop <= start``, or a `bin_width` off the
        grid of the time step.
    ParameterTypeError
        `recording` or `ax` of another kind.
    """
    recording = _recording("raster.recording", recording)
    names = _population_names("raster.populations", populations, recording)
    start, stop = _interval("raster", start, stop, recording)
    dt = recording.dt
    first, last = _last_step(start, dt), _last_step(stop, dt)
    if bin_width is not None:
        per_bin = _check.n_steps("raster.bin_width", bin_width, dt, minimum=1)
    else:
        per_bin = max(1, round(_nice_width((stop - start) / 100.0) / dt)) if stop > start else 1
    if not isinstance(histogram, Axes):
        histogram = _check.boolean("raster.histogram", histogram)
    ax = drawing_axes("raster.ax", ax, (7.2, 4.6 if histogram else 3.6))
    below: Axes | None = None
    if histogram:
        below = histogram if isinstance(histogram, Axes) else _divide(ax)

    sizes = [recording[name].n for name in names]
    offsets = np.concatenate([np.cumsum(sizes[::-1])[::-1][1:], [0]]).astype(np.int64)
    edges = np.append(np.arange(first, last, per_bin), last)
    steps = {name: np.rint(recording[name].spike_times / dt).astype(np.int64) for name in names}
    shown = {name: (steps[name] > first) & (steps[name] <= last) for name in names}
    n_spikes = sum(int(np.count_nonzero(shown[name])) for name in names)
    style = _spike_style(ax, n_spikes, sum(sizes)) | kwargs
    for index, name in enumerate(names):
        population, here = recording[name], shown[name]
        colour: dict[str, Any] = {"color": COLOURS[index % len(COLOURS)]}
        ax.plot(
            population.spike_times[here],
            population.spike_ids[here] + offsets[index],
            **(colour | style),
        )
        if below is not None:
            bins = (steps[name][here] - first - 1) // per_bin
            counts = np.bincount(bins, minlength=len(edges) - 1)
            rate = 1000.0 * counts / (np.diff(edges) * dt) / population.n
            line = LINE_STYLES[index % len(LINE_STYLES)] if len(names) > 1 else "-"
            below.stairs(
                rate, edges * dt, baseline=None, label=name, linestyle=line, linewidth=1.2, **colour
            )

    _show_time(ax, start, stop, dt)
    ax.set_ylim(-0.5, sum(sizes) - 0.5)
    _label_rows(ax, names, sizes, offsets)
    lowest = ax if below is None else below
    lowest.set_xlabel("time (ms)")
    if below is not None:
        if below.get_shared_x_axes().joined(ax, below):
            ax.tick_params(labelbottom=False)
        else:
            ax.set_xlabel("time (ms)")
            _show_time(below, start, stop, dt)
        below.set_ylabel("rate (Hz)")
        _room_for_legend(below, len(names))
        tidy(below)
    tidy(ax)
    return ax


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
    recording = _recording("membrane.recording", recording)
    start, stop = _interval("membrane", start, stop, recording)
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

    _show_time(ax, start, stop, recording.dt)
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


def _divide(ax: Axes) -> Axes:
    """Give the lowest quarter of the place of `ax` to new axes with the same time axis."""
    place = ax.get_subplotspec()
    if place is not None:
        halves = place.subgridspec(2, 1, height_ratios=[3, 1], hspace=0.08)
        ax.set_subplotspec(halves[0])
        return ax.figure.add_subplot(halves[1], sharex=ax)
    left, bottom, width, height = ax.get_position().bounds
    ax.set_position((left, bottom + 0.28 * height, width, 0.72 * height))
    return ax.figure.add_axes((left, bottom, width, 0.24 * height), sharex=ax)


def _recording(name: str, value: Any) -> Any:
    if not all(hasattr(value, part) for part in ("populations", "start", "duration", "dt")):
        raise ParameterTypeError(f"{name} must be a Recording, got {_check._show(value)}")
    return value


def _population_names(name: str, given: Any, recording: Any) -> list[str]:
    known = list(recording.populations)
    if given is None:
        return known
    names = [given] if isinstance(given, str) else list(given)
    if not names:
        raise ParameterError(f"{name} must name at least one population")
    return [_check.choice(name, each, known) for each in names]


def _interval(name: str, start: Any, stop: Any, recording: Any) -> tuple[float, float]:
    first, last = recording.start, recording.start + recording.duration
    whole = start is None and stop is None
    start = first if start is None else _check.scalar(f"{name}.start", start)
    stop = last if stop is None else _check.scalar(f"{name}.stop", stop)
    if stop <= start and not whole:
        raise ParameterError(f"{name}.stop must be greater than start = {start:g}, got {stop:g}")
    return start, stop


def _last_step(time: float, dt: float) -> int:
    """Return the last step of the grid that ends no later than `time`, but for rounding."""
    return int(np.floor(time / dt + 1e-6))


def _show_time(ax: Axes, start: float, stop: float, dt: float) -> None:
    """Set the limits of the time axis, one step apart for a recording of no length."""
    ax.set_xlim(start, max(stop, start + dt))


def _nice_width(width: float) -> float:
    """Return the smallest of 1, 2, 5 times a power of ten that is at least `width`."""
    power = 10.0 ** np.floor(np.log10(width))
    return float(next(f * power for f in (1.0, 2.0, 5.0, 10.0) if f * power >= width * (1 - 1e-9)))


def _spike_style(ax: Axes, n_spikes: int, n_rows: int) -> dict[str, Any]:
    """Choose strokes for few spikes, dots for more, and single pixels for very many."""
    row = ax.get_window_extent().height / ax.figure.dpi * 72.0 / max(n_rows, 1)
    style: dict[str, Any] = {"linestyle": "none", "rasterized": n_spikes > 5_000}
    if n_spikes <= _MOST_TICKS_DRAWN_AS_LINES and row >= 1.5:
        return style | {"marker": "|", "markersize": min(0.8 * row, 14.0), "markeredgewidth": 1.0}
    if n_spikes <= 5 * _MOST_TICKS_DRAWN_AS_LINES:
        return style | {"marker": ".", "markersize": 2.0, "markeredgewidth": 0.0}
    return style | {"marker": ","}


def _label_rows(ax: Axes, names: Sequence[str], sizes: Sequence[int], offsets: np.ndarray) -> None:
    """Write numbers beside the rows of one population, or names beside several."""
    if len(names) == 1:
        ax.set_ylabel("neuron" if names[0] == "neuron" else f"neuron of {names[0]}")
        ax.yaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=1))
        return
    centres = [offset + 0.5 * (size - 1) for offset, size in zip(offsets, sizes, strict=True)]
    ax.set_yticks(centres, [f"{n} ({s})" for n, s in zip(names, sizes, strict=True)])
    for index, tick in enumerate(ax.get_yticklabels()):
        tick.set(color=COLOURS[index % len(COLOURS)], fontsize="small")
    ax.tick_params(axis="y", length=0)
    for offset in offsets[:-1]:
        ax.axhline(offset - 0.5, color="0.8", linewidth=0.8, zorder=0)


def _room_for_legend(ax: Axes, n_entries: int) -> None:
    """Leave space above the curves and put the legend there, where several need one."""
    top = max(ax.dataLim.y1, 1e-9)
    if n_entries == 1:
        ax.set_ylim(0.0, 1.08 * top)
        return
    columns = min(n_entries, 5)
    rows = -(-n_entries // columns)
    ax.set_ylim(0.0, (1.1 + 0.3 * rows) * top)
    ax.legend(frameon=False, loc="upper right", ncols=columns, fontsize="small", borderaxespad=0.1)


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
