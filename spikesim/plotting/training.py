"""Figures of training: decision regions, learning curves, weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, to_rgb
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

__all__ = ["decision_regions", "learning_curves", "weights"]

_MOST_WEIGHTS_WRITTEN_OUT = 64
_QUANTITY_LABELS = {
    "accuracy": "accuracy",
    "loss": "loss",
    "seconds": "time (s)",
    "spikes_per_trial": "spikes per trial",
}


def decision_regions(
    predict: Callable[[np.ndarray], ArrayLike],
    features: ArrayLike,
    labels: ArrayLike,
    ax: Axes | None = None,
    *,
    feature_names: Sequence[str] | None = None,
    class_names: Sequence[str] | None = None,
    resolution: int = 150,
    margin: float = 0.15,
    **kwargs: Any,
) -> Axes:
    """Draw which class a classifier gives to each point of the plane, and the data over it.

    Points that the classifier gets wrong have a ring around them.

    Parameters
    ----------
    predict : callable
        Takes features of shape (n, 2), returns n classes: ``result.predict`` of
        :func:`spikesim.fit`, or that of a scikit-learn classifier.
    features : array_like, shape (n_samples, 2)
        The two features of each sample.
    labels : array_like of int, shape (n_samples,)
        Class of each sample, from 0.
    ax : Axes, optional
        Where to draw; default a new figure.
    feature_names : sequence of two str, optional
        Names of the axes, with units; default "feature 0" and "feature 1".
    class_names : sequence of str, optional
        Names for the legend; default "class 0" and so on.
    resolution : int, default 150
        Points along each axis at which `predict` is asked, at least 2.
    margin : float, default 0.15
        Space around the data, as a share of their range.
    **kwargs
        Passed to :meth:`matplotlib.axes.Axes.scatter` for the samples.

    Returns
    -------
    Axes

    Raises
    ------
    ParameterError
        Features of another shape, labels of another length, too few class names or not two
        feature names.
    """
    points = _check.float_array("decision_regions.features", features)
    _check.shape("decision_regions.features", points, (None, 2))
    classes = _check.indices("decision_regions.labels", labels, 2**31)
    _check.shape("decision_regions.labels", classes, (len(points),))
    if len(points) == 0:
        raise ParameterError("decision_regions.features must hold at least one sample")
    if not callable(predict):
        raise ParameterTypeError(
            "decision_regions.predict must be a function of features, such as result.predict of "
            f"what fit returned, got {type(predict).__name__}"
        )
    resolution = _check.integer("decision_regions.resolution", resolution, minimum=2)
    margin = _check.non_negative("decision_regions.margin", margin)

    low, high = points.min(axis=0), points.max(axis=0)
    space = margin * np.where(high > low, high - low, 1.0)
    x, y = (np.linspace(a, b, resolution) for a, b in zip(low - space, high + space, strict=True))
    grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    regions = _classes(predict, grid).reshape(resolution, resolution)
    right = _classes(predict, points) == classes
    n_classes = int(max(classes.max(), regions.max())) + 1
    if class_names is None:
        class_names = [f"class {index}" for index in range(n_classes)]
    elif len(class_names) < n_classes:
        raise ParameterError(
            f"decision_regions.class_names has {len(class_names)} names for {n_classes} classes"
        )
    names = ("feature 0", "feature 1") if feature_names is None else feature_names
    if isinstance(names, str) or len(names) != 2:
        raise ParameterError(f"decision_regions.feature_names must hold two names, got {names!r}")
    ax = drawing_axes("decision_regions.ax", ax, (4.8, 4.0))

    colours = [COLOURS[index % len(COLOURS)] for index in range(n_classes)]
    tints = ListedColormap([_tint(colour) for colour in colours])
    ax.pcolormesh(
        x, y, regions, cmap=tints, vmin=-0.5, vmax=n_classes - 0.5, shading="nearest",
        rasterized=True, zorder=0,
    )  # fmt: skip
    for index in range(n_classes):
        inside = (regions == index).astype(float)
        if 0.0 < inside.mean() < 1.0:
            ax.contour(x, y, inside, levels=[0.5], colors=GREY, linewidths=0.8, zorder=1)
    for index in range(n_classes):
        of_class = classes == index
        style: dict[str, Any] = {
            "color": colours[index],
            "marker": MARKERS[index % len(MARKERS)],
            "s": 30,
            "edgecolors": "white",
            "linewidths": 0.6,
            "label": class_names[index],
            "zorder": 3,
        }
        ax.scatter(points[of_class, 0], points[of_class, 1], **(style | kwargs))
    if not right.all():
        ax.scatter(
            points[~right, 0], points[~right, 1], s=110, facecolors="none", edgecolors="black",
            linewidths=1.2, label="misclassified", zorder=4,
        )  # fmt: skip
    ax.set_xlim(x[0], x[-1])
    ax.set_ylim(y[0], y[-1])
    ax.set_xlabel(names[0])
    ax.set_ylabel(names[1])
    legend_above(ax)
    return ax


def learning_curves(
    histories: Any,
    ax: Axes | None = None,
    *,
    quantity: str = "loss",
    **kwargs: Any,
) -> Axes:
    """Draw a quantity of training over epochs: the median of several runs and their quartiles.

    Parameters
    ----------
    histories : History, array_like, or sequence or mapping of them
        One run, several runs of one kind, or ``{name: run or runs}`` for several kinds. An
        array holds one value an epoch. A run that ended earlier than others keeps its last
        value.
    ax : Axes, optional
        Where to draw; default a new figure.
    quantity : {"loss", "accuracy", "spikes_per_trial", "seconds"}, default "loss"
        Which array of a history to draw, and the label of the axis.
    **kwargs
        Passed to :meth:`matplotlib.axes.Axes.plot` for the lines.

    Returns
    -------
    Axes

    Raises
    ------
    ParameterError
        No run, a run without epochs, or NaN in a run.
    """
    _check.choice("learning_curves.quantity", quantity, tuple(_QUANTITY_LABELS))
    kinds = dict(histories) if isinstance(histories, Mapping) else {"": histories}
    curves = {name: _runs(name, kinds[name], quantity) for name in kinds}
    if not curves:
        raise ParameterError("learning_curves.histories must hold at least one run")
    ax = drawing_axes("learning_curves.ax", ax, (5.4, 3.4))

    for index, (name, runs) in enumerate(curves.items()):
        epochs = np.arange(runs.shape[1])
        colour = COLOURS[index % len(COLOURS)]
        style: dict[str, Any] = {
            "color": colour,
            "linestyle": LINE_STYLES[index % len(LINE_STYLES)],
            "linewidth": 1.5,
            "label": str(name),
        }
        if runs.shape[1] == 1:
            style["marker"] = MARKERS[index % len(MARKERS)]
        ax.plot(epochs, np.median(runs, axis=0), **(style | kwargs))
        if len(runs) > 1:
            quartiles = np.quantile(runs, [0.25, 0.75], axis=0)
            ax.fill_between(epochs, *quartiles, color=colour, alpha=0.2, linewidth=0)
    ax.set_xlabel("epoch")
    ax.set_ylabel(_QUANTITY_LABELS[quantity])
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    if quantity == "accuracy":
        ax.set_ylim(-0.03, 1.03)
    if any(str(name) for name in curves):
        ax.legend(frameon=False)
    tidy(ax)
    return ax


def weights(
    w: ArrayLike,
    ax: Axes | None = None,
    *,
    unit: str | None = None,
    **kwargs: Any,
) -> Axes:
    """Draw a weight matrix as a heat map: red above zero, blue below, white at zero.

    Up to 64 weights are written out, so that the sign can be read in a grey print.

    Parameters
    ----------
    w : array_like, shape (n_pre, n_post)
        Weights; a row for each input.
    ax : Axes, optional
        Where to draw; default a new figure.
    unit : str, optional
        Unit of the weights for the colour bar, "pA" or "mV".
    **kwargs
        Passed to :meth:`matplotlib.axes.Axes.imshow`.

    Returns
    -------
    Axes

    Raises
    ------
    ParameterError
        Not a matrix with at least one row and column, NaN or infinite values.
    """
    matrix = _check.float_array("weights.w", w)
    _check.shape("weights.w", matrix, (None, None))
    if matrix.size == 0:
        raise ParameterError(f"weights.w must hold at least one weight, got shape {matrix.shape}")
    ax = drawing_axes("weights.ax", ax, (4.8, 3.6))

    largest = float(np.abs(matrix).max()) or 1.0
    style: dict[str, Any] = {"cmap": "RdBu_r", "vmin": -largest, "vmax": largest, "aspect": "auto"}
    image = ax.imshow(matrix, **(style | {"interpolation": "nearest"} | kwargs))
    ax.figure.colorbar(image, ax=ax, label="weight" + (f" ({unit})" if unit else ""))
    if matrix.size <= _MOST_WEIGHTS_WRITTEN_OUT:
        for (row, column), value in np.ndenumerate(matrix):
            dark = abs(value) > 0.6 * largest
            ax.text(
                column, row, f"{value:.2g}", ha="center", va="center", fontsize=8,
                color="white" if dark else "black",
            )  # fmt: skip
    ax.set_xlabel("unit")
    ax.set_ylabel("input")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(
            MaxNLocator(nbins=8, steps=[1, 2, 5, 10], integer=True, min_n_ticks=1)
        )
    return ax


def _classes(predict: Callable[[np.ndarray], ArrayLike], points: np.ndarray) -> np.ndarray:
    classes = _check.indices("decision_regions.predict(...)", predict(points), 2**31)
    _check.shape("decision_regions.predict(...)", classes, (len(points),))
    return classes


def _tint(colour: str) -> np.ndarray:
    return 0.75 + 0.25 * np.asarray(to_rgb(colour))


def _runs(name: Any, given: Any, quantity: str) -> np.ndarray:
    """Return the runs of one kind as (n_runs, n_epochs), ended ones held at their last value."""
    label = f"learning_curves.histories[{name!r}]" if name != "" else "learning_curves.histories"
    several = isinstance(given, (list, tuple)) and not np.isscalar(given[0] if given else 0.0)
    several = several or (isinstance(given, np.ndarray) and given.ndim == 2)
    curves = []
    for index, run in enumerate(given if several else [given]):
        place = f"{label}[{index}]" if several else label
        curve = _check.float_array(place, getattr(run, quantity, run))
        _check.shape(place, curve, (None,))
        if curve.size == 0:
            raise ParameterError(f"{place} must have at least one epoch")
        curves.append(curve)
    if not curves:
        raise ParameterError(f"{label} must hold at least one run")
    longest = max(map(len, curves))
    return np.stack([np.pad(curve, (0, longest - len(curve)), mode="edge") for curve in curves])
