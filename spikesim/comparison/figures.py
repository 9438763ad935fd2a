"""The figures of the report, each from the results alone."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from spikesim.comparison import statistics
from spikesim.comparison.results import LEAST_ACCURACY, Results, Summary
from spikesim.plotting.style import COLOURS, GREY, LINE_STYLES, MARKERS

__all__ = ["FAMILY_COLOUR", "draw", "drawn_figures", "image", "interval", "tidy"]

_WIDTH = 7.2
FAMILY_COLOUR = {"local": COLOURS[0], "gradient": COLOURS[1], "classical": GREY}
# What a threshold on a weighted sum can get right of XOR (%), and where the Iris axis starts.
_SUM_LIMIT, _LEAST_SHOWN = 75.0, 100 * LEAST_ACCURACY


def drawn_figures(results: Results) -> dict[str, Any]:
    """Return every figure that the results allow, by file name, as matplotlib Figures."""
    makers: dict[str, Callable[[Results], Any]] = {
        "xor_success": xor_success,
        "xor_time": xor_time,
        "xor_learning": xor_learning,
        "iris_accuracy": iris_accuracy,
        "iris_learning": iris_learning,
        "rate_code": rate_code,
    }
    figures = {name: maker(results) for name, maker in makers.items()}
    return {name: figure for name, figure in figures.items() if figure is not None}


def draw(rows: int = 1, columns: int = 1, *, height: float, **kwargs: Any) -> tuple[Any, Any]:
    """Return a Figure of the width of the page and its axes, without pyplot's global state."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **kwargs)


def image(figure: Any, kind: str) -> bytes:
    """Return a Figure as the bytes of a PNG or SVG file; figures made alike give the same bytes."""
    from matplotlib import rc_context

    buffer = io.BytesIO()
    metadata = {"Date": None} if kind == "svg" else {"Software": None}
    with rc_context({"svg.hashsalt": "spikesim"}):
        figure.savefig(buffer, format=kind, dpi=160, facecolor="white", metadata=metadata)
    return buffer.getvalue()


def xor_success(results: Results) -> Any:
    """Share of starts that solve XOR: single-layer rules beside networks with hidden units."""
    summaries = results.summaries("xor")
    single = [s for s in summaries if s.hidden == 0]
    deep = [s for s in summaries if s.hidden > 0]
    if not summaries:
        return None
    names = list(dict.fromkeys(s.contender for s in single))
    figure, axes = draw(1, 2, height=max(4.4, 0.42 * len(names) + 1.3), width_ratios=[1, 1.15])
    left, right = axes[0]
    for place, name in enumerate(reversed(names)):
        members = [s for s in single if s.contender == name]
        for offset, summary in zip(_offsets(len(members), 0.24), members, strict=True):
            interval(left, summary, place - offset)
    left.set_yticks(range(len(names)), list(reversed(names)))
    left.set_ylim(-0.6, len(names) - 0.4)
    left.set_xlim(-3, 103)
    left.set_xlabel("starts that solve XOR (%)")
    left.set_title("no hidden units", fontsize="medium", loc="left")
    _network_legend(left, single)

    sizes = sorted({s.hidden for s in deep})
    kinds = _kinds(deep)
    for index, kind in enumerate(kinds):
        members = [s for s in deep if (s.contender, s.network) == kind]
        offset = _offsets(len(kinds), 0.24)[index]
        x = [sizes.index(s.hidden) + offset for s in members]
        y = [100 * s.rate.value for s in members]
        low = [100 * (s.rate.value - s.rate.low) for s in members]
        high = [100 * (s.rate.high - s.rate.value) for s in members]
        right.errorbar(
            x, y, [low, high], label=_kind_label(kind), color=COLOURS[index % 7], capsize=2,
            marker=MARKERS[index % 7], linestyle=LINE_STYLES[index % 7], markersize=5,
            linewidth=1.2,
        )  # fmt: skip
    right.set_xticks(range(len(sizes)), [str(size) for size in sizes])
    right.set_xlabel("hidden units")
    right.set_ylabel("starts that solve XOR (%)")
    right.set_ylim(-3, 103)
    right.set_title("with hidden units", fontsize="medium", loc="left")
    if kinds:
        _legend_below(right, columns=1)
    tidy(left, right)
    return figure


def xor_time(results: Results) -> Any:
    """Share of starts solved by each epoch (Kaplan-Meier), for networks with hidden units."""
    size = _middle_size(results)
    groups = {k: rows for k, rows in results.groups("xor").items() if k[2] == size and size}
    if not groups:
        return None
    figure, axes = draw(height=4.0)
    ax = axes[0, 0]
    for index, ((name, network, _), rows) in enumerate(groups.items()):
        budget = max(row.epochs for row in rows)
        times = [row.solved_epoch if row.solved_epoch is not None else row.epochs for row in rows]
        curve = statistics.kaplan_meier(times, [row.solved for row in rows])
        x = np.concatenate([[1], curve.epochs, [budget]])
        colour = COLOURS[index % 7]
        solved = [1 - np.concatenate([[1], y, y[-1:]]) for y in (curve.unsolved, curve.low)]
        high = 1 - np.concatenate([[1], curve.high, curve.high[-1:]])
        ax.step(
            x, 100 * solved[0], where="post", color=colour, linestyle=LINE_STYLES[index % 7],
            label=_kind_label((name, network)),
        )  # fmt: skip
        ax.fill_between(
            x, 100 * solved[1], 100 * high, step="post", color=colour, alpha=0.15, linewidth=0
        )
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter("{x:g}")
    ax.set_xlabel("epoch (each shows the four patterns once)")
    ax.set_ylabel("starts solved (%)")
    ax.set_ylim(-3, 103)
    ax.set_title(f"{size} hidden units", fontsize="medium", loc="left")
    _legend_below(ax, columns=3)
    tidy(ax)
    return figure


def xor_learning(results: Results) -> Any:
    """Mean share of the four patterns right, by epoch, in a single layer and with hidden units."""
    size = _middle_size(results)
    keys = [_parts(key) for key in results.curves if key.startswith("xor/")]
    single = [k for k in keys if k[2] == 0]
    deep = [k for k in keys if k[2] == size and size]
    if not keys:
        return None
    figure, axes = draw(1, 2, height=4.3, sharey=True)
    left, right = axes[0]
    solving = [k for k in single if _curve(results, "xor", k)[-1] > _SUM_LIMIT]
    rest = [k for k in single if k not in solving]
    for index, member in enumerate(rest):
        label = f"{len(rest)} rules that end below {_SUM_LIMIT:.0f} %" if index == 0 else None
        left.plot(*_smooth(_curve(results, "xor", member)), color="0.65", lw=1.0, label=label)
    for index, member in enumerate(solving):
        curve = _smooth(_curve(results, "xor", member))
        left.plot(*curve, color=COLOURS[index % 7], label=_kind_label(member[:2]))
    left.axhline(_SUM_LIMIT, color=GREY, linewidth=1, linestyle=":")
    left.annotate(
        "three of four", (1, _SUM_LIMIT), (0, 3), textcoords="offset points", fontsize="small",
        color=GREY,
    )  # fmt: skip
    for index, member in enumerate(deep):
        right.plot(
            *_smooth(_curve(results, "xor", member)), color=COLOURS[index % 7],
            linestyle=LINE_STYLES[index % 7], label=_kind_label(member[:2]),
        )  # fmt: skip
    for ax, title in ((left, "no hidden units"), (right, f"{size} hidden units")):
        _epochs(ax)
        ax.set_ylim(-3, 103)
        ax.set_title(title, fontsize="medium", loc="left")
        _legend_below(ax, columns=1)
    left.set_ylabel("patterns right, mean over starts (%)")
    return figure


def iris_accuracy(results: Results) -> Any:
    """Accuracy on Iris with intervals, LDA's line, and the band that cannot be told from it."""
    from matplotlib.lines import Line2D

    everyone = sorted(results.summaries("iris"), key=lambda s: s.rate.value)
    summaries = [s for s in everyone if 100 * s.rate.value >= _LEAST_SHOWN]
    if not summaries:
        return None
    figure, axes = draw(height=0.27 * len(summaries) + 1.7)
    ax = axes[0, 0]
    reference = next((s for s in summaries if s.contender == "LDA"), None)
    detectable = results.detectable()
    if reference is not None:
        value = 100 * reference.rate.value
        if detectable is not None:
            ax.axvspan(
                value - 100 * detectable, value, color="0.9", zorder=0,
                label=f"too close to LDA to tell ({100 * detectable:.1f} points)",
            )  # fmt: skip
        ax.axvline(value, color=GREY, linewidth=1, linestyle="--", zorder=1, label="LDA")
    for place, summary in enumerate(summaries):
        interval(ax, summary, place)
    ax.set_yticks(range(len(summaries)), [_iris_label(s) for s in summaries])
    ax.set_ylim(-0.6, len(summaries) - 0.4)
    ax.set_xlim(_LEAST_SHOWN, 103)
    ax.set_xlabel("test accuracy (%)")
    handles, labels = ax.get_legend_handles_labels()
    for name, colour, marker, filled in (
        ("local rule, rate units", FAMILY_COLOUR["local"], "s", False),
        ("local rule, LIF units", FAMILY_COLOUR["local"], "o", True),
        ("gradient, rate units", FAMILY_COLOUR["gradient"], "s", False),
        ("gradient, LIF units", FAMILY_COLOUR["gradient"], "o", True),
        ("classical method", FAMILY_COLOUR["classical"], "D", True),
    ):
        face = colour if filled else "white"
        handles.append(Line2D([], [], ls="", color=colour, marker=marker, mfc=face))
        labels.append(name)
    figure.legend(
        handles, labels, loc="outside upper center", ncols=3, frameon=False, fontsize="small"
    )
    tidy(ax)
    return figure


def iris_learning(results: Results) -> Any:
    """Mean share of training samples right, by epoch, on Iris with three classes."""
    members = [_parts(key) for key in results.curves if key.startswith("iris/")]
    if not members:
        return None
    names = list(dict.fromkeys(member[0] for member in members))
    figure, axes = draw(1, 2, height=4.4, sharey=True)
    handles: dict[str, Any] = {}
    for ax, network in zip(axes[0], ("rate", "LIF"), strict=True):
        for member in (m for m in members if m[1] == network):
            index = names.index(member[0])
            # Seven colours, then the same ones again with another line style.
            style = LINE_STYLES[(index + index // 7) % 7]
            (handles[member[0]],) = ax.plot(
                *_smooth(_curve(results, "iris", member)), color=COLOURS[index % 7],
                linestyle=style, linewidth=1.4,
            )  # fmt: skip
        _epochs(ax)
        ax.set_title(f"{network} networks", fontsize="medium", loc="left")
    axes[0, 0].set_ylabel("training flowers right, mean (%)")
    ordered = [name for name in names if name in handles]
    figure.legend(
        [handles[name] for name in ordered], ordered, loc="outside lower center", ncols=3,
        frameon=False, fontsize="small",
    )  # fmt: skip
    return figure


def rate_code(results: Results) -> Any:
    """Agreement of a trained sigmoid network with its LIF twin as the counting window grows."""
    found = results.extra.get("rate_code")
    if not found:
        return None
    figure, axes = draw(1, 2, height=3.3)
    for ax, quantity, factor in ((axes[0, 0], "share", 100.0), (axes[0, 1], "rms", 1.0)):
        for index, mode in enumerate(("regular", "poisson")):
            values, low, high = (
                factor * np.asarray(found[mode][quantity + end]) for end in ("", "_low", "_high")
            )
            ax.fill_between(found["windows"], low, high, color=COLOURS[index], alpha=0.15, lw=0)
            ax.plot(
                found["windows"], values, color=COLOURS[index], marker=MARKERS[index],
                linestyle=LINE_STYLES[index], markersize=4,
                label={"regular": "regular input spikes", "poisson": "Poisson input spikes"}[mode],
            )  # fmt: skip
        plateau = factor * found["regular"][f"plateau_{quantity}"]
        ax.axhline(plateau, color=GREY, linewidth=1, linestyle=":", label="endless window")
        ax.set_xscale("log")
        ax.xaxis.set_major_formatter("{x:g}")
        ax.set_xlabel("counting window (ms)")
    axes[0, 0].set_ylabel("same decision (%)")
    axes[0, 1].set_ylabel("difference of the outputs (rms)")
    axes[0, 1].set_ylim(bottom=0)
    axes[0, 0].legend(frameon=False, fontsize="small", loc="lower right")
    tidy(*axes[0])
    return figure


def _curve(results: Results, task: str, member: tuple[str, str, int]) -> np.ndarray:
    name, network, hidden = member
    return 100 * np.asarray(results.curves[f"{task}/{name}/{network}/{hidden}"])


def _smooth(curve: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return epochs and means over bins that grow with the epoch, as a log axis shows them."""
    edges = np.unique(np.geomspace(1, len(curve) + 1, 40).astype(int))
    starts, sizes = edges[:-1] - 1, np.diff(edges)
    means = np.add.reduceat(curve, starts) / sizes
    return edges[:-1] + (sizes - 1) / 2, means


def _epochs(ax: Any) -> None:
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter("{x:g}")
    ax.set_xlabel("epoch")
    tidy(ax)


def _legend_below(ax: Any, columns: int) -> None:
    ax.legend(
        frameon=False, fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.16),
        ncols=columns, columnspacing=1.2,
    )  # fmt: skip


def interval(ax: Any, summary: Summary, place: float) -> None:
    """Draw the rate of a contender in percent with its interval, at a height."""
    value, low, high = (100 * v for v in summary.rate)
    error = None if math.isnan(low) else [[value - low], [min(high, 100) - value]]
    ax.errorbar(
        value, place, xerr=error, color=FAMILY_COLOUR[summary.family], capsize=2, markersize=5,
        marker={"LIF": "o", "rate": "s"}.get(summary.network, "D"), linewidth=1.2,
        markerfacecolor="white" if summary.network == "rate" else None,
    )  # fmt: skip


def _network_legend(ax: Any, summaries: list[Summary]) -> None:
    from matplotlib.lines import Line2D

    kinds = [(f, n) for f in ("local", "gradient") for n in ("rate", "LIF")]
    handles = [
        Line2D(
            [], [], linestyle="", color=FAMILY_COLOUR[family], label=f"{family}, {network} units",
            marker={"LIF": "o", "rate": "s"}[network],
            markerfacecolor="white" if network == "rate" else None,
        )
        for family, network in kinds
        if any((s.family, s.network) == (family, network) for s in summaries)
    ]  # fmt: skip
    if handles:
        ax.legend(handles=handles, frameon=False, fontsize="small", loc="lower right")


def _kinds(summaries: list[Summary]) -> list[tuple[str, str]]:
    return list(dict.fromkeys((s.contender, s.network) for s in summaries))


def _kind_label(kind: tuple[str, str]) -> str:
    return ", ".join(part for part in kind if part)


def _iris_label(summary: Summary) -> str:
    label = _kind_label((summary.contender, summary.network))
    return f"{label}, {summary.hidden} hidden" if summary.hidden else label


def _middle_size(results: Results) -> int:
    sizes = sorted({row.hidden for row in results.of("xor") if row.hidden})
    return 4 if 4 in sizes else sizes[len(sizes) // 2] if sizes else 0


def _parts(key: str) -> tuple[str, str, int]:
    _, name, network, hidden = key.split("/")
    return name, network, int(hidden)


def _offsets(n: int, width: float) -> list[float]:
    return [0.0] if n == 1 else list(np.linspace(-width / 2, width / 2, n))


def tidy(*axes: Any) -> None:
    """Take the upper and right spines away and put a light grid behind the data."""
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(axis="both", color="0.93", linewidth=0.6)
        ax.set_axisbelow(True)
