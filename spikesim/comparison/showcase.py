"""Figures that show trained networks at work: decision regions, rasters and membranes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from spikesim import datasets
from spikesim.comparison.entries import contender
from spikesim.comparison.figures import draw
from spikesim.comparison.results import Results, Row
from spikesim.comparison.runs import Job, build, fitted
from spikesim.layered import forward
from spikesim.plotting import decision_regions
from spikesim.plotting.style import COLOURS, GREY

__all__ = ["trained_figures"]

_XOR_PANELS = (
    ("sigmoid unit", "rate"),
    ("committee", "rate"),
    ("backpropagation", "rate"),
    ("tempotron, latency code", "LIF"),
    ("committee", "LIF"),
    ("surrogate gradient", "LIF"),
)
_IRIS_PANELS = (("sigmoid unit", "rate"), ("tempotron", "LIF"))
_AT_WORK = ("surrogate gradient", "LIF")
_RESOLUTION, _COARSE = 101, 7


def trained_figures(results: Results, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Train one network for each picture again, from its own seed, and draw it.

    Parameters
    ----------
    results : Results
        Where to look for a start that solved the task; the first start where none did.
    settings : mapping
        Tuned values: task, contender, setting.

    Returns
    -------
    dict of str to Figure
    """
    figures = {}
    if results.of("xor"):
        figures["xor_regions"] = _regions(results, settings, "xor", _XOR_PANELS, columns=3)
        figures["xor_network"] = _at_work(results, settings)
    if results.of("iris2"):
        figures["iris2_regions"] = _regions(results, settings, "iris2", _IRIS_PANELS, columns=2)
    return {name: figure for name, figure in figures.items() if figure is not None}


def _regions(
    results: Results, settings: Mapping[str, Any], task: str, panels: tuple, columns: int
) -> Any:
    data = datasets.xor() if task == "xor" else datasets.iris_two_features()
    shown = [row for name, network in panels if (row := _pick(results, task, name, network))]
    if not shown:
        return None
    resolution = _COARSE if results.about.get("budget") == "smoke" else _RESOLUTION
    n_rows = -(-len(shown) // columns)
    figure, axes = draw(n_rows, columns, height=(7.4 / columns) * n_rows + 0.3, sharex=True,
                        sharey=True)  # fmt: skip
    handles: dict[str, Any] = {}
    for ax, row in zip(axes.flat, shown, strict=False):
        result, scale = _trained(row, settings, data)
        if result is None:
            continue
        decision_regions(
            _predictor(result, scale), data.features, data.labels, ax=ax, resolution=resolution,
            margin=0.35 if task == "xor" else 0.1, class_names=data.class_names,
            feature_names=("", ""),
        )  # fmt: skip
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            handles.setdefault({"misclassified": "wrong"}.get(label, label), handle)
        ax.get_legend().remove()
        title = f"{row.contender}, {row.network}"
        if row.hidden:
            title += f", {row.hidden} hidden"
        ax.set_title(title, fontsize="small", loc="left")
    for ax in axes.flat[len(shown) :]:
        ax.set_axis_off()
    unit = "" if task == "xor" else " (cm)"
    names = ("input 1", "input 2") if task == "xor" else data.feature_names
    figure.supxlabel(f"{names[0]}{unit}", fontsize="medium")
    figure.supylabel(f"{names[1]}{unit}", fontsize="medium")
    figure.legend(
        handles.values(), handles.keys(), loc="outside upper left", ncols=3, frameon=False,
        fontsize="small",
    )  # fmt: skip
    return figure


def _predictor(result: Any, scale: Callable[[np.ndarray], np.ndarray]) -> Any:
    return lambda features: result.predict(scale(features))


def _at_work(results: Results, settings: Mapping[str, Any]) -> Any:
    """Draw the trained LIF network on the four patterns: input, hidden spikes, outputs."""
    row = _pick(results, "xor", *_AT_WORK)
    if row is None:
        return None
    data = datasets.xor()
    result, scale = _trained(row, settings, data)
    if result is None:
        return None
    network = result.network
    x = result.encoder.encode(scale(data.features), dt=network.dt, rng=0)
    hidden, output = forward(network, x)
    decisions = result.predict(scale(data.features))
    figure, axes = draw(
        3, 4, height=4.6, sharex=True, sharey="row", height_ratios=[1, 1.4, 2.2],
    )  # fmt: skip
    times = network.dt * np.arange(1, len(x) + 1)
    for trial in range(4):
        top, middle, bottom = axes[:, trial]
        _ticks(top, times, x[:, trial], COLOURS[6])
        _ticks(middle, times, hidden.output[:, trial], COLOURS[0])
        for unit in range(output.v.shape[2]):
            bottom.plot(
                *_with_spikes(times, output.v[:, trial, unit], output.output[:, trial, unit]),
                color=COLOURS[1 + unit], linestyle=("-", "--")[unit % 2], linewidth=1.3,
                label=f"output “{data.class_names[unit]}”",
            )  # fmt: skip
        a, b = (int(v) for v in data.features[trial])
        answer = data.class_names[int(decisions[trial])]
        top.set_title(f"inputs {a}, {b}\nanswer: {answer}", fontsize="small", loc="left")
        bottom.axhline(1.0, color=GREY, linewidth=0.8, linestyle=":", label="threshold")
        bottom.set_xlabel("time (ms)")
        for ax in (top, middle, bottom):
            ax.spines[["top", "right"]].set_visible(False)
    axes[0, 0].set_yticks(range(x.shape[2]), [f"input {i + 1}" for i in range(x.shape[2])])
    n_hidden = hidden.output.shape[2]
    axes[1, 0].set_yticks(range(n_hidden), [f"hidden {i + 1}" for i in range(n_hidden)])
    for ax in axes[:2, 0]:
        ax.tick_params(axis="y", labelsize="small")
    axes[0, 0].invert_yaxis()
    axes[1, 0].invert_yaxis()
    axes[2, 0].set_ylabel("membrane (threshold 1)")
    figure.legend(
        *axes[2, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3,
        frameon=False, fontsize="small",
    )  # fmt: skip
    return figure


def _with_spikes(
    times: np.ndarray, v: np.ndarray, fired: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return a potential with a stroke up to 3 mV, then the reset to 0, at each spike."""
    t, potential = [], []
    for time, value, spike in zip(times, v, fired, strict=True):
        t += [time, time, time] if spike else [time]
        potential += [value, 3.0, 0.0] if spike else [value]
    return np.array(t), np.array(potential)


def _ticks(ax: Any, times: np.ndarray, spikes: np.ndarray, colour: str) -> None:
    """Draw a stroke a spike, a row a unit; spikes are (n_steps, n_units)."""
    ax.eventplot(
        [times[column > 0] for column in spikes.T], colors=colour, linelengths=0.7, linewidths=1.3
    )
    ax.set_ylim(-0.6, spikes.shape[1] - 0.4)


def _pick(results: Results, task: str, name: str, network: str) -> Row | None:
    """Return the first start that solved the task, with 4 hidden units where there is a choice."""
    rows = [r for r in results.of(task) if (r.contender, r.network) == (name, network)]
    sizes = {row.hidden for row in rows}
    if len(sizes) > 1:
        wanted = 4 if 4 in sizes else max(sizes)
        rows = [row for row in rows if row.hidden == wanted]
    return next((row for row in rows if row.solved), rows[0] if rows else None)


def _trained(row: Row, settings: Mapping[str, Any], data: Any) -> tuple[Any, Any]:
    chosen = contender(row.contender, row.network)
    values = settings[row.task][chosen.key]
    job = Job(row.task, row.contender, row.network, row.hidden, row.seed, row.epochs, values)
    plan, stream = build(job, chosen)
    return fitted(plan, stream, data.features, data.labels, row.epochs)
