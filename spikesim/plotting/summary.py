"""Figures that sum up many values of populations: boxes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from spikesim import _check
from spikesim.errors import ParameterError
from spikesim.plotting.style import COLOURS, GREY, drawing_axes, legend_above, tidy

__all__ = ["boxes"]


def boxes(
    values: Mapping[str, ArrayLike],
    ax: Axes | None = None,
    *,
    reference: Mapping[str, ArrayLike] | None = None,
    reference_label: str = "published",
    label: str = "",
    **kwargs: Any,
) -> Axes:
    """Draw a box for the values of each population: rates, CV, correlations.

    A box spans the quartiles, its line is the median, its whiskers reach to the last value within
    1.5 times the length of the box; a dot is the mean.

    Parameters
    ----------
    values : dict of array_like, by name
        Values of each population, from left to right; NaN is left out.
    ax : Axes, optional
        Where to draw; default a new figure.
    reference : dict of float or array_like, by name, optional
        Values to compare with, drawn as diamonds beside the boxes of these names.
    reference_label : str, default "published"
        What these are, for the legend.
    label : str, default ""
        Label of the axis of values, with its unit.
    **kwargs
        Passed to :meth:`matplotlib.axes.Axes.boxplot`.

    Returns
    -------
    Axes

    Raises
    ------
    ParameterError
        No population, infinite values, a `reference` for an unknown name.
    ParameterTypeError
        `values` or `reference` that is no dict.

    Examples
    --------
    >>> import spikesim as sp
    >>> recording = sp.simulate(sp.Population("in", sp.PoissonSource(20.0), 50), 500.0, seed=1)
    >>> ax = sp.plotting.boxes(
    ...     {name: recording[name].rates() for name in recording.populations},
    ...     reference={"in": 20.0}, reference_label="expected", label="rate (Hz)",
    ... )
    """
    data = _samples("boxes.values", values)
    if not data:
        raise ParameterError("boxes.values must have at least one population")
    wanted = {} if reference is None else _samples("boxes.reference", reference)
    for name in wanted:
        _check.choice("boxes.reference", name, list(data))
    ax = drawing_axes("boxes.ax", ax, (1.2 + 0.7 * len(data), 3.0))
    places = np.arange(len(data))
    style: dict[str, Any] = {
        "positions": places,
        "widths": 0.55,
        "showfliers": False,
        "showmeans": True,
        "patch_artist": True,
        "manage_ticks": False,
        "medianprops": {"color": "black", "linewidth": 1.4},
        "whiskerprops": {"color": GREY, "linewidth": 0.9},
        "capprops": {"color": GREY, "linewidth": 0.9},
        "meanprops": {
            "marker": "o",
            "markersize": 4,
            "markerfacecolor": "white",
            "markeredgecolor": "black",
            "markeredgewidth": 0.8,
        },
    }
    drawn = ax.boxplot(list(data.values()), **(style | kwargs))
    for index, box in enumerate(drawn["boxes"]):
        colour = COLOURS[index % len(COLOURS)]
        box.set(facecolor=(colour, 0.45), edgecolor=colour)
    compared = [index for index, name in enumerate(data) if name in wanted]
    for index in compared:
        beside = wanted[list(data)[index]]
        ax.plot(
            np.full(beside.size, index + 0.38),
            beside,
            linestyle="none",
            marker="D",
            markersize=4.5,
            color="black",
            label=reference_label if index == compared[0] else None,
        )
    if wanted:
        legend_above(ax)
    ax.set_xticks(places, list(data))
    ax.set_xlim(-0.6, len(data) - 0.4)
    ax.set_ylabel(label)
    tidy(ax)
    return ax


def _samples(name: str, values: Any) -> dict[str, np.ndarray]:
    """Return the numbers of each name, without NaN."""
    _check.instance(name, values, Mapping, "a dict of arrays by name")
    found = {}
    for key, each in values.items():
        array = np.ravel(np.asarray(each))
        if array.dtype.kind == "f":
            array = array[~np.isnan(array)]
        found[key] = _check.float_array(f"{name}[{key!r}]", array)
    return found
