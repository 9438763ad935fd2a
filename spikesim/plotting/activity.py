"""Figures of the activity of populations: raster and rates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from spikesim import _check
from spikesim.plotting.arguments import interval, known_recording, population_names, show_time
from spikesim.plotting.style import COLOURS, LINE_STYLES, drawing_axes, tidy

__all__ = ["population_rates", "raster"]

_MOST_TICKS_DRAWN_AS_LINES = 20_000
_LABEL_HEIGHT = 10.0  # points


def raster(
    recording: Any,
    populations: str | Sequence[str] | None = None,
    ax: Axes | None = None,
    *,
    histogram: bool | Axes = True,
    bin_width: float | None = None,
    start: float | None = None,
    stop: float | None = None,
    max_neurons: int | None = None,
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
    max_neurons : int, optional
        Draw the spikes of about that many neurons, at least 1, by default of all: each population
        has a share according to its size, at least one, of neurons at even distances. The rates
        beneath are those of all neurons.
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
    names, start, stop, edges = _view("raster", recording, populations, bin_width, start, stop)
    if max_neurons is not None:
        max_neurons = _check.integer("raster.max_neurons", max_neurons, minimum=1)
    if not isinstance(histogram, Axes):
        histogram = _check.boolean("raster.histogram", histogram)
    ax = drawing_axes("raster.ax", ax, (7.2, 4.6 if histogram else 3.6))
    below: Axes | None = None
    if histogram:
        below = histogram if isinstance(histogram, Axes) else _divide(ax)

    total = sum(recording[name].n for name in names)
    chosen = [_sample(recording[name].n, total, max_neurons) for name in names]
    sizes = [len(neurons) for neurons in chosen]
    offsets = np.concatenate([np.cumsum(sizes[::-1])[::-1][1:], [0]]).astype(np.int64)
    spikes = [_spikes(recording[name], edges, recording.dt) for name in names]
    shown = [
        _rows(*each, neurons, recording[name].n)
        for each, neurons, name in zip(spikes, chosen, names, strict=True)
    ]
    style = _spike_style(ax, sum(len(rows) for _, rows in shown), sum(sizes)) | kwargs
    for index, (times, rows) in enumerate(shown):
        colour = {"color": COLOURS[index % len(COLOURS)]}
        # A sample of one population stays where its neurons are.
        places = rows + offsets[index] if len(names) > 1 else chosen[0][rows]
        ax.plot(times, places, **(colour | style))
    if below is not None:
        _draw_rates(below, recording, names, [times for times, _ in spikes], edges)

    dt = recording.dt
    show_time(ax, start, stop, dt)
    ax.set_ylim(-0.5, (sum(sizes) if len(names) > 1 else total) - 0.5)
    _label_rows(ax, names, [recording[name].n for name in names], sizes, offsets)
    lowest = ax if below is None else below
    lowest.set_xlabel("time (ms)")
    if below is not None:
        if below.get_shared_x_axes().joined(ax, below):
            ax.tick_params(labelbottom=False)
        else:
            ax.set_xlabel("time (ms)")
            show_time(below, start, stop, dt)
        tidy(below)
    tidy(ax)
    return ax


def population_rates(
    recording: Any,
    populations: str | Sequence[str] | None = None,
    ax: Axes | None = None,
    *,
    bin_width: float | None = None,
    start: float | None = None,
    stop: float | None = None,
    **kwargs: Any,
) -> Axes:
    """Draw the rates of populations over time, each a mean over its neurons.

    Parameters
    ----------
    recording : Recording
        What :func:`spikesim.simulate` returned.
    populations : str or sequence of str, optional
        Populations to draw; default all.
    ax : Axes, optional
        Where to draw; default a new figure.
    bin_width, start, stop : float, optional
        Width of the bins and part of time to show (ms), as in :func:`raster`.
    **kwargs
        Passed to :meth:`matplotlib.axes.Axes.stairs`.

    Returns
    -------
    Axes

    Raises
    ------
    ParameterError
        A population that is not in the recording, ``stop <= start``, or a `bin_width` off the
        grid of the time step.
    ParameterTypeError
        `recording` or `ax` of another kind.
    """
    names, start, stop, edges = _view(
        "population_rates", recording, populations, bin_width, start, stop
    )
    ax = drawing_axes("population_rates.ax", ax, (7.2, 2.4))
    times = [_spikes(recording[name], edges, recording.dt)[0] for name in names]
    _draw_rates(ax, recording, names, times, edges, **kwargs)
    show_time(ax, start, stop, recording.dt)
    ax.set_xlabel("time (ms)")
    tidy(ax)
    return ax


def _view(
    caller: str,
    recording: Any,
    populations: str | Sequence[str] | None,
    bin_width: float | None,
    start: float | None,
    stop: float | None,
) -> tuple[list[str], float, float, np.ndarray]:
    """Check what a figure is asked to show; return populations, start, stop (ms) and bins."""
    known_recording(f"{caller}.recording", recording)
    names = population_names(f"{caller}.populations", populations, recording)
    start, stop = interval(caller, start, stop, recording)
    return names, start, stop, _bin_edges(f"{caller}.bin_width", bin_width, start, stop, recording)


def _bin_edges(
    name: str, bin_width: float | None, start: float, stop: float, recording: Any
) -> np.ndarray:
    """Return the edges of the bins in steps; the last bin may be cut off."""
    dt = recording.dt
    first, last = _last_step(start, dt), _last_step(stop, dt)
    if bin_width is not None:
        per_bin = _check.n_steps(name, bin_width, dt, minimum=1)
    else:
        per_bin = max(1, round(_nice_width((stop - start) / 100.0) / dt)) if stop > start else 1
    return np.append(np.arange(first, last, per_bin), last)


def _spikes(population: Any, edges: np.ndarray, dt: float) -> tuple[np.ndarray, np.ndarray]:
    """Return times and neurons of the spikes after the first edge, up to and with the last."""
    low, high = np.searchsorted(population.spike_times, (edges[[0, -1]] + 0.5) * dt)
    return population.spike_times[low:high], population.spike_ids[low:high]


def _sample(n: int, total: int, wanted: int | None) -> np.ndarray:
    """Return neurons at even distances, as many as a population of n has its share of `wanted`."""
    share = n if wanted is None else min(n, max(1, round(wanted * n / total)))
    return (2 * np.arange(share) + 1) * n // (2 * share)


def _rows(
    times: np.ndarray, ids: np.ndarray, chosen: np.ndarray, n: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the spikes of the neurons chosen among n, and which of these each belongs to."""
    place = np.full(n, -1)
    place[chosen] = np.arange(len(chosen))
    rows = place[ids]
    return times[rows >= 0], rows[rows >= 0]


def _draw_rates(
    ax: Axes,
    recording: Any,
    names: Sequence[str],
    times: Sequence[np.ndarray],
    edges: np.ndarray,
    **kwargs: Any,
) -> None:
    """Draw the rate of each population in bins, and what the axis says."""
    dt = recording.dt
    for index, name in enumerate(names):
        counts = np.diff(np.searchsorted(times[index], (edges + 0.5) * dt))
        rate = 1000.0 * counts / (np.diff(edges) * dt) / recording[name].n
        # The second time round a colour comes with another line.
        line = LINE_STYLES[(index + index // len(COLOURS)) % len(LINE_STYLES)]
        style: dict[str, Any] = {
            "baseline": None,
            "label": name,
            "linestyle": line if len(names) > 1 else "-",
            "linewidth": 1.2,
            "color": COLOURS[index % len(COLOURS)],
        }
        ax.stairs(rate, edges * dt, **(style | kwargs))
    ax.set_ylabel("rate (Hz)")
    _room_for_legend(ax, len(names))


def _last_step(time: float, dt: float) -> int:
    """Return the last step of the grid that ends no later than `time`, but for rounding."""
    return int(np.floor(time / dt + 1e-6))


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


def _nice_width(width: float) -> float:
    """Return the smallest of 1, 2, 5 times a power of ten that is at least `width`."""
    power = 10.0 ** np.floor(np.log10(width))
    return float(next(f * power for f in (1.0, 2.0, 5.0, 10.0) if f * power >= width * (1 - 1e-9)))


def _row_height(ax: Axes, n_rows: int) -> float:
    """Return the height of one of the rows that fill `ax` (points)."""
    return ax.get_window_extent().height / ax.figure.dpi * 72.0 / max(n_rows, 1)


def _apart(places: np.ndarray, gap: float, high: float) -> np.ndarray:
    """Move ascending places between 0 and `high` as little as it takes to be `gap` apart.

    As little in least squares. Where there is no room for `gap`, they get what there is.
    """
    between = len(places) - 1
    steps = min(gap, high / between) * np.arange(len(places))
    runs: list[list[float]] = []
    # Isotonic regression: neighbours that come too close form a run around their mean.
    for place in places - steps:
        runs.append([place])
        while len(runs) > 1 and np.mean(runs[-2]) > np.mean(runs[-1]):
            last = runs.pop()
            runs[-1] += last
    moved = np.concatenate([np.full(len(run), np.mean(run)) for run in runs])
    return np.clip(moved, 0.0, high - steps[-1]) + steps


def _spike_style(ax: Axes, n_spikes: int, n_rows: int) -> dict[str, Any]:
    """Choose strokes for few spikes, dots for more, and single pixels for very many."""
    row = _row_height(ax, n_rows)
    style: dict[str, Any] = {"linestyle": "none", "rasterized": n_spikes > 5_000}
    if n_spikes <= _MOST_TICKS_DRAWN_AS_LINES and row >= 1.5:
        return style | {"marker": "|", "markersize": min(0.8 * row, 14.0), "markeredgewidth": 1.0}
    if n_spikes <= 5 * _MOST_TICKS_DRAWN_AS_LINES:
        return style | {"marker": ".", "markersize": 2.0, "markeredgewidth": 0.0}
    return style | {"marker": ","}


def _label_rows(
    ax: Axes,
    names: Sequence[str],
    totals: Sequence[int],
    sizes: Sequence[int],
    offsets: np.ndarray,
) -> None:
    """Write numbers beside the rows of one population, or names beside several."""
    if len(names) == 1:
        ax.set_ylabel("neuron" if names[0] == "neuron" else f"neuron of {names[0]}")
        ax.yaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=1))
        return
    centres = offsets + 0.5 * (np.array(sizes) - 1)
    gap = _LABEL_HEIGHT / _row_height(ax, sum(sizes))
    ax.set_yticks(
        _apart(centres[::-1], gap, sum(sizes) - 1)[::-1],
        [f"{n} ({s})" for n, s in zip(names, totals, strict=True)],
    )
    for index, tick in enumerate(ax.get_yticklabels()):
        tick.set(color=COLOURS[index % len(COLOURS)], fontsize="small")
    if sum(sizes) < sum(totals):
        ax.set_ylabel(f"{sum(sizes)} of {sum(totals)} neurons")
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
