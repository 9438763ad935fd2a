"""What can be added to a loss so that units keep to a range of firing rates.

A regulariser is a frozen set of hyperparameters. It measures what a layer did and says how that
changes with each spike, which is all that a gradient rule needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from spikesim import _check
from spikesim.errors import ParameterError, ParameterTypeError
from spikesim.layered.forward import Trace
from spikesim.layered.network import LayeredNetwork

__all__ = ["RateBounds", "Regulariser", "check_regularisers", "penalties"]


class Regulariser(Protocol):
    """What every regulariser does.

    Attributes
    ----------
    layers : tuple of int or None
        The layers that it is for; None for all hidden layers of spiking units.
    """

    @property
    def layers(self) -> tuple[int, ...] | None:
        """The layers that it is for."""
        ...

    def value_and_grad(self, trace: Trace, dt: float) -> tuple[float, np.ndarray]:
        """Return what it adds to the mean loss of a batch, and the gradient by the output.

        Parameters
        ----------
        trace : Trace
            What one layer did.
        dt : float
            Time step (ms).

        Returns
        -------
        value : float
        grad_output : ndarray, shape (n_steps, n_trials, n_units)
        """
        ...


@_check.suggest_keywords
@dataclass(frozen=True)
class RateBounds:
    r"""A penalty on firing rates below a lower and above an upper bound.

    With the rate :math:`r_{nj}` (Hz) of unit j in trial n, over N trials and M units,

    .. math::

        r_{nj} = \frac{1000}{n_{steps}\, dt} \sum_k S_{knj}, \qquad
        C = \frac{s}{N M} \sum_{n,j} \left( \max(0, r_{low} - r_{nj})^2
            + \max(0, r_{nj} - r_{up})^2 \right)

    is added to the mean loss of a batch. With ``over="batch"`` the rate of a unit is its mean
    over the trials; with ``of="layer"`` the mean over the units of the layer stands for each of
    them. The gradient is

    .. math::

        \frac{\partial C}{\partial S_{knj}} = \frac{2s}{N M}\, \frac{1000}{n_{steps}\, dt}
        \left( \max(0, r_{nj} - r_{up}) - \max(0, r_{low} - r_{nj}) \right)

    the same in every step, so that a silent unit is pushed by each input that comes near its
    threshold. A lower and an upper bound of one value make a target, as in e-prop.

    Parameters
    ----------
    lower : float, optional
        :math:`r_{low}` (Hz), at least 0. Any unit that fires less costs; none by default.
    upper : float, optional
        :math:`r_{up}` (Hz), at least `lower`. None by default.
    strength : float, default 1e-3
        s > 0, in units of the loss over Hz squared.
    over : {"trial", "batch"}, default "trial"
        Whether each trial keeps to the bounds, or the mean of a batch.
    of : {"unit", "layer"}, default "unit"
        Whether each unit keeps to them, or the mean of a layer.
    layers : tuple of int, optional
        Layers that it is for, from 0; by default all hidden layers of spiking units.

    Raises
    ------
    ParameterError
        No bound at all, or a lower one above the upper.

    References
    ----------
    Bounds on each unit and on a layer: Zenke & Vogels 2021, Neural Comput. 33:899, section on
    activity regularisation. A target over the batch: Bellec et al. 2020, Nat. Commun. 11:3625,
    methods.
    """

    lower: float | None = None
    upper: float | None = None
    strength: float = 1e-3
    over: str = "trial"
    of: str = "unit"
    layers: Any = None

    def __post_init__(self) -> None:
        if self.lower is None and self.upper is None:
            raise ParameterError("RateBounds needs a bound (Hz): give lower, upper or both")
        for name in ("lower", "upper"):
            if getattr(self, name) is not None:
                _check.non_negative(f"RateBounds.{name}", getattr(self, name))
        if self.lower is not None and self.upper is not None and self.lower > self.upper:
            raise ParameterError(
                f"RateBounds.lower must not exceed RateBounds.upper = {self.upper:g} Hz, got "
                f"{self.lower:g} Hz"
            )
        _check.positive("RateBounds.strength", self.strength)
        _check.choice("RateBounds.over", self.over, ("trial", "batch"))
        _check.choice("RateBounds.of", self.of, ("unit", "layer"))
        if self.layers is not None:
            if isinstance(self.layers, str) or not isinstance(self.layers, Iterable):
                raise ParameterTypeError(
                    f"RateBounds.layers must be a tuple of layers such as (0, 1), got "
                    f"{self.layers!r}"
                )
            layers = tuple(
                _check.integer(f"RateBounds.layers[{i}]", n, minimum=0)
                for i, n in enumerate(self.layers)
            )
            object.__setattr__(self, "layers", layers)

    def value_and_grad(self, trace: Trace, dt: float) -> tuple[float, np.ndarray]:
        """Return what is added to the mean loss of a batch, and the gradient by the output.

        Parameters
        ----------
        trace : Trace
            What one layer did.
        dt : float
            Time step (ms).

        Returns
        -------
        value : float
        grad_output : ndarray, shape (n_steps, n_trials, n_units)
            In the precision of ``trace.output``.
        """
        n_steps, n_trials, n_units = trace.output.shape
        hz = 1000.0 / (n_steps * dt)
        rates = trace.output.sum(axis=0, dtype=np.float64) * hz
        if self.over == "batch":
            rates = rates.mean(axis=0, keepdims=True)
        if self.of == "layer":
            rates = rates.mean(axis=1, keepdims=True)
        above = 0.0 if self.upper is None else np.maximum(rates - self.upper, 0.0)
        below = 0.0 if self.lower is None else np.maximum(self.lower - rates, 0.0)
        value = float(self.strength * np.mean(above**2 + below**2))
        by_rate = (2.0 * self.strength / (n_trials * n_units)) * (above - below)
        grad = np.empty(trace.output.shape, trace.output.dtype)
        grad[:] = hz * by_rate
        return value, grad


def check_regularisers(name: str, value: Any) -> None:
    """Refuse anything but a tuple of regularisers."""
    if not isinstance(value, tuple):
        raise ParameterTypeError(
            f"{name} must be a tuple such as (RateBounds(upper=50.0),), got {value!r}"
        )
    for index, one in enumerate(value):
        known = hasattr(one, "value_and_grad") and hasattr(one, "layers")
        if isinstance(one, type) or not known:
            raise ParameterTypeError(f"{name}[{index}] must be a regulariser, got {one!r}")


def penalties(
    regularisers: Sequence[Any], network: LayeredNetwork, traces: Sequence[Trace]
) -> tuple[float, list[np.ndarray | None] | None]:
    """Return what regularisers add to the mean loss, and for each layer the gradient by its output.

    Parameters
    ----------
    regularisers : sequence of Regulariser
        All that apply.
    network : LayeredNetwork
        The network.
    traces : sequence of Trace
        What each of its layers did.

    Returns
    -------
    value : float
        Sum over regularisers and layers.
    grad_outputs : list of ndarray or None
        One a layer, None where nothing is added; None without regularisers.

    Raises
    ------
    ParameterError
        A layer that the network does not have, or that has no spikes.
    """
    if not regularisers:
        return 0.0, None
    total = 0.0
    grads: list[np.ndarray | None] = [None] * len(traces)
    for regulariser in regularisers:
        for index in _layers_of(regulariser, network):
            value, grad = regulariser.value_and_grad(traces[index], network.dt)
            total += value
            known = grads[index]
            grads[index] = grad if known is None else known + grad
    return total, grads


def _layers_of(regulariser: Any, network: LayeredNetwork) -> Sequence[int]:
    name = f"{type(regulariser).__name__}.layers"
    if regulariser.layers is None:
        return [i for i, layer in enumerate(network.layers[:-1]) if layer.neuron.spiking]
    for index in regulariser.layers:
        if index >= len(network.layers):
            raise ParameterError(
                f"{name} has layer {index}, the network has {len(network.layers)} layers"
            )
        if not network.layers[index].neuron.spiking:
            raise ParameterError(
                f"{name} has layer {index}, whose units have no spikes; name spiking layers only"
            )
    return regulariser.layers
