"""What all figures share: colours, line styles, markers, and the axes they are drawn on."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from spikesim import _check

__all__ = ["COLOURS", "GREY", "LINE_STYLES", "MARKERS", "drawing_axes", "legend_above", "tidy"]

COLOURS = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#000000",
)
LINE_STYLES: tuple[Any, ...] = (
    "-",
    "--",
    "-.",
    ":",
    (0, (5, 1, 1, 1, 1, 1)),
    (0, (1, 3)),
    (0, (8, 3)),
)
MARKERS = ("o", "s", "^", "D", "v", "P", "X")

GREY = "0.35"


def drawing_axes(name: str, ax: Axes | None, size: tuple[float, float]) -> Axes:
    """Return `ax` if it is an Axes, or that of a new figure of `size` (inches)."""
    if ax is None:
        return plt.subplots(figsize=size, layout="constrained")[1]
    return _check.instance(name, ax, Axes, "a matplotlib Axes")


def legend_above(ax: Axes) -> None:
    """Put the legend over the axes, where it covers nothing."""
    ax.legend(
        frameon=False, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=4, fontsize="small",
        borderaxespad=0.2, handletextpad=0.4, columnspacing=1.2,
    )  # fmt: skip


def tidy(ax: Axes) -> None:
    """Take away the lines at the top and at the right."""
    ax.spines[["top", "right"]].set_visible(False)
