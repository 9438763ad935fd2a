"""Figures of the tasks beyond XOR and Iris, each from the results alone."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from spikesim.comparison.figures import FAMILY_COLOUR, draw, interval, tidy
from spikesim.comparison.measures import KINDS_OF_LOSS
from spikesim.comparison.resampling import expected_best
from spikesim.comparison.results import Results, Summary
from spikesim.comparison.tasks import TASKS
from spikesim.plotting.style import COLOURS, GREY, LINE_STYLES, MARKERS

__all__ = ["CAPTIONS", "caption", "sweep_figures"]

_SHOWN = 7
# Names stand beside those that are not far behind the best.
_NAMED = 0.85
CAPTIONS = {
    "accuracy": "Every contender with its 95 % interval. Filled circles: LIF units; open squares: "
    "rate units; diamonds: classical methods.",
    "cost": "Accuracy against time of training (one thread, kernels loaded) and against synaptic "
    "operations for one answer. Up and to the left is better. Named: those that nothing beats in "
    "both.",
    "learning": "Share of training samples right as samples go by, mean over runs, for the "
    "contenders that end best.",
    "tuning": "The best score on validation samples to be expected of n trials of the search. A "
    "line that starts low and rises late belongs to a rule that needs its tuning.",
    "robustness": "Accuracy of trained networks when something is off, without training anew.",
    "delays": "Temporal XOR against the time between the cues, in time constants of the membrane.",
    "windows": "A rate network run on spiking units that count: accuracy against the window.",
}
_TITLES = {
    "weight_noise": "weight noise (sd)",
    "dead_units": "dead units (share)",
    "quantisation": "bits of a weight",
    "spike_jitter": "jitter (ms)",
    "spike_deletion": "missing input (share)",
    "tau_mismatch": "time constants off by",
    "threshold_noise": "threshold noise (sd)",
    "time_step": "time step (times)",
}


def caption(name: str) -> str:
    """Return what is said under a figure of the name ``task_kind``."""
    return CAPTIONS[name.rsplit("_", 1)[-1]]


def sweep_figures(results: Results) -> dict[str, Any]:
    """Return every figure that the results allow, by file name, as matplotlib Figures."""
    figures: dict[str, Any] = {}
    tasks = [name for name, task in TASKS.items() if not task.classic and results.of(name)]
    for name in tasks:
        figures[f"{name}_accuracy"] = accuracy(results, name)
        figures[f"{name}_cost"] = cost(results, name)
        figures[f"{name}_learning"] = learning(results, name)
        figures[f"{name}_tuning"] = tuning(results, name)
        figures[f"{name}_robustness"] = robustness(results, name)
        figures[f"{name}_windows"] = windows(results, name)
    figures["temporal_xor_delays"] = delays(results)
    return {name: figure for name, figure in figures.items() if figure is not None}


def accuracy(results: Results, task: str) -> Any:
    """Accuracy, or the share of starts that solve the task, with intervals."""
    summaries = sorted(results.summaries(task), key=lambda s: s.rate.value)
    figure, axes = draw(height=0.19 * len(summaries) + 0.9)
    ax = axes[0, 0]
    for place, summary in enumerate(summaries):
        interval(ax, summary, place)
    ax.set_yticks(range(len(summaries)), [s.label for s in summaries], fontsize="x-small")
    ax.set_ylim(-0.6, len(summaries) - 0.4)
    fitted = TASKS[task].kind == "fitting"
    ax.set_xlabel("starts that solve it (%)" if fitted else "test accuracy (%)")
    tidy(ax)
    return figure


def cost(results: Results, task: str) -> Any:
    """Accuracy against the time of training and against the operations of an answer."""
    summaries = [s for s in results.summaries(task) if s.network and "synops" in s.measures]
    if not summaries:
        return None
    figure, axes = draw(1, 2, height=3.8, sharey=True)
    for ax, measure, label in (
        (axes[0, 0], "train_seconds", "time of training (s)"),
        (axes[0, 1], "synops", "synaptic operations for an answer"),
    ):
        known = [s for s in summaries if 0.0 < s.measures.get(measure, math.inf) < math.inf]
        for s in known:
            ax.plot(
                s.measures[measure], 100 * s.rate.value, color=FAMILY_COLOUR[s.family],
                marker="o" if s.network == "LIF" else "s", linestyle="", markersize=5,
                markerfacecolor=None if s.network == "LIF" else "white",
            )  # fmt: skip
        ax.margins(x=0.3)
        _logarithmic(ax)
        _name(ax, _front(known, measure), measure)
        ax.set_xlabel(label)
    fitted = TASKS[task].kind == "fitting"
    axes[0, 0].set_ylabel("starts that solve it (%)" if fitted else "test accuracy (%)")
    _who(figure, {(s.family, s.network) for s in summaries})
    tidy(*axes[0])
    return figure


def _name(ax: Any, front: list[Summary], measure: str) -> None:
    """Write names beside points, on lines of their own where points are close."""
    (bottom, top), middle = ax.get_ylim(), float(np.mean(np.log10(ax.get_xlim())))
    xs = np.log10([s.measures[measure] for s in front])
    line = math.inf
    for s, x in sorted(zip(front, xs, strict=True), key=lambda pair: -pair[0].rate.value):
        height = 100 * s.rate.value
        line = min(height, line - 0.04 * (top - bottom))
        right = x > middle
        ax.annotate(
            f"{s.contender}, {s.network}", (10**x, line), (-3 if right else 3, 3),
            textcoords="offset points", ha="right" if right else "left", va="bottom",
            fontsize="xx-small",
        )  # fmt: skip


def learning(results: Results, task: str) -> Any:
    """Share of training samples right against samples seen."""
    best = [s for s in _best(results, task) if _key(s) in results.curves]
    if not best:
        return None
    figure, axes = draw(height=3.6)
    ax = axes[0, 0]
    for index, s in enumerate(best):
        curve = 100 * np.asarray(results.curves[_key(s)])
        seen = s.measures.get("n_train", 1.0) * np.arange(1, len(curve) + 1)
        ax.plot(seen, curve, label=s.label, **_style(index))
    _logarithmic(ax)
    ax.set_xlabel("samples seen")
    ax.set_ylabel("training samples right (%)")
    _beside(ax)
    tidy(ax)
    return figure


def tuning(results: Results, task: str) -> Any:
    """Draw the best of n trials that is to be expected."""
    trials = results.extra.get("trials", {}).get(task, {})
    best = [s for s in _best(results, task) if len(trials.get(_tuned(s), ())) > 1]
    if not best:
        return None
    figure, axes = draw(height=3.6)
    ax = axes[0, 0]
    for index, s in enumerate(best):
        expected = 100 * expected_best(trials[_tuned(s)])
        ax.plot(np.arange(1, len(expected) + 1), expected, label=s.label, **_style(index))
    ax.set_xlabel("trials of the search")
    ax.set_ylabel("best validation score (%)")
    _beside(ax)
    tidy(ax)
    return figure


def robustness(results: Results, task: str) -> Any:
    """Accuracy under each perturbation, a panel for each."""
    best = _best(results, task)
    kinds = [kind for kind in KINDS_OF_LOSS if any(f"{kind}_area" in s.measures for s in best)]
    if not kinds:
        return None
    rows = -(-len(kinds) // 4)
    figure, axes = draw(rows, 4, height=1.75 * rows + 0.9, sharey=True)
    groups = results.groups(task)
    for ax, kind in zip(axes.flat, kinds, strict=False):
        strengths = sorted(KINDS_OF_LOSS[kind])
        for index, s in enumerate(best):
            heights = _means(groups[s.contender, s.network, s.hidden], kind, strengths)
            if heights:
                ax.plot(*zip(*heights, strict=True), label=s.label, markersize=3,
                        marker=MARKERS[index % 7], **_style(index))  # fmt: skip
        if kind == "time_step":
            ax.set_xscale("log")
            ax.set_xticks(strengths, [f"{s:g}" for s in strengths])
            ax.xaxis.set_minor_formatter("")
        if kind == "quantisation":
            # 0 bits stands for weights as they are: beyond the most bits.
            bits = [b for b in strengths if b]
            ax.set_xticks([*bits, bits[-1] + 2], [*(f"{b:g}" for b in bits), "all"])
        ax.set_title(_TITLES[kind], fontsize="small", loc="left")
        ax.tick_params(labelsize="x-small")
    for ax in axes.flat[len(kinds) :]:
        ax.set_axis_off()
    for ax in axes[:, 0]:
        ax.set_ylabel("accuracy (%)", fontsize="small")
    _below(figure, axes)
    tidy(*axes.flat[: len(kinds)])
    return figure


def windows(results: Results, task: str) -> Any:
    """Accuracy of a converted network as its window grows, beside the rate network."""
    rows = [row for row in results.of(task) if "rate_twin" in row.measures]
    if not rows:
        return None
    names = [n for n in rows[0].measures if n.startswith("window_") and n.count("_") == 1]
    at = [float(name.split("_")[1]) for name in names]
    shares = 100 * np.array([[row.measures[name] for name in names] for row in rows])
    figure, axes = draw(height=3.0)
    ax = axes[0, 0]
    ax.plot(at, shares.mean(axis=0), marker="o", color=COLOURS[0], label="spiking")
    ax.fill_between(at, shares.min(axis=0), shares.max(axis=0), color=COLOURS[0], alpha=0.15, lw=0,
                    label="all runs")  # fmt: skip
    twin = 100 * float(np.mean([row.measures["rate_twin"] for row in rows]))
    ax.axhline(twin, color=GREY, linestyle="--", linewidth=1, label="rate network")
    _logarithmic(ax)
    ax.set_xlabel("counting window (ms)")
    ax.set_ylabel("test accuracy (%)")
    ax.legend(frameon=False, fontsize="small")
    tidy(ax)
    return figure


def delays(results: Results) -> Any:
    """Accuracy on temporal XOR against the delay."""
    names = [n for n in TASKS if TASKS[n].belongs_to == "temporal_xor" and results.of(n)]
    if len(names) < 2:
        return None
    best = _best(results, names[len(names) // 2])
    figure, axes = draw(height=3.6)
    ax = axes[0, 0]
    for index, s in enumerate(best):
        points = []
        for name in names:
            rows = results.groups(name).get((s.contender, s.network, s.hidden), [])
            if rows:
                delay = float(name.rsplit("_", 1)[1]) / TASKS[name].tau_m
                points.append((delay, 100 * float(np.mean([row.accuracy for row in rows]))))
        ax.plot(*zip(*points, strict=True), label=s.label, marker=MARKERS[index % 7],
                markersize=4, **_style(index))  # fmt: skip
    ax.axhline(50, color=GREY, linewidth=1, linestyle=":")
    _logarithmic(ax)
    ax.set_xlabel("delay over time constant of the membrane")
    ax.set_ylabel("test accuracy (%)")
    _beside(ax)
    tidy(ax)
    return figure


def _logarithmic(ax: Any) -> None:
    """Make the horizontal axis of what was drawn logarithmic, with as many numbers as fit."""
    from matplotlib.ticker import LogLocator

    ax.set_xscale("log")
    low, high = ax.get_xlim()
    if high / low < 60.0:
        ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_formatter("")


def _best(results: Results, task: str) -> list[Summary]:
    """Return the best contenders that learn, and backpropagation on both kinds of units."""
    ordered = sorted((s for s in results.summaries(task) if s.network), key=lambda s: -s.rate.value)
    kept = [s for s in ordered if s.contender == "Backprop"][:2]
    others = [s for s in ordered if s not in kept]
    return sorted([*kept, *others[: _SHOWN - len(kept)]], key=lambda s: -s.rate.value)


def _front(summaries: list[Summary], measure: str) -> list[Summary]:
    """Return the better ones that no other beats in accuracy at equal or lower cost."""
    front: list[Summary] = []
    for s in sorted(summaries, key=lambda s: (s.measures[measure], -s.rate.value)):
        if not front or s.rate.value > front[-1].rate.value:
            front.append(s)
    return [s for s in front if s.rate.value >= _NAMED * front[-1].rate.value]


def _means(rows: list[Any], kind: str, strengths: list[float]) -> list[tuple[float, float]]:
    """Return strengths and mean accuracy over the runs that were perturbed."""
    points = []
    for strength in strengths:
        name = f"{kind}@{strength:g}"
        values = [row.measures[name] for row in rows if name in row.measures]
        if values:
            at = max(strengths) + 2 if kind == "quantisation" and not strength else strength
            points.append((at, 100 * float(np.mean(values))))
    return sorted(points)


def _key(s: Summary) -> str:
    return f"{s.task}/{s.contender}/{s.network}/{s.hidden}"


def _tuned(s: Summary) -> str:
    return f"{s.contender}/{s.network}" if s.network else s.contender


def _style(index: int) -> dict[str, Any]:
    return {"color": COLOURS[index % 7], "linestyle": LINE_STYLES[index % 7], "linewidth": 1.4}


def _beside(ax: Any) -> None:
    ax.legend(frameon=False, fontsize="x-small", loc="center left", bbox_to_anchor=(1.0, 0.5))


def _below(figure: Any, axes: Any) -> None:
    handles: dict[str, Any] = {}
    for ax in axes.flat:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=2,
                  frameon=False, fontsize="x-small")  # fmt: skip


def _who(figure: Any, present: set[tuple[str, str]]) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], ls="", color=FAMILY_COLOUR[family], marker="o" if lif else "s",
               mfc=None if lif else "white",
               label=f"{family}, {'LIF' if lif else 'rate'} units")
        for family in ("local", "gradient") for lif in (True, False)
        if (family, "LIF" if lif else "rate") in present
    ]  # fmt: skip
    figure.legend(handles=handles, loc="outside upper center", ncols=4, frameon=False,
                  fontsize="small")  # fmt: skip
