"""ReSuMe (Ponulak 2005): learn to spike at given times."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from spikesim import _check
from spikesim._jit import kernel
from spikesim.errors import ParameterError, ParameterTypeError
from spikesim.layered import Layer, LayeredNetwork, Trace
from spikesim.learning.spike_timing import TrialRule, spikes_into

__all__ = ["NearestTrain", "ReSuMe"]

_Targets = tuple[tuple[tuple[float, ...], ...], ...]


@_check.suggest_keywords
@dataclass(frozen=True)
class NearestTrain:
    r"""The class whose desired spikes are nearest to those of the output units.

    The score of a class is minus the distance of van Rossum (2001) between the trains S of the
    units and the desired ones, summed over the units,

    .. math:: D^2 = \tfrac12 \sum_{k, l} e_k\, e_l\, e^{-|t_k - t_l| / \tau}

    with +1 for e at a spike and -1 at a desired one: 1/2 for a spike too many or missing, and
    :math:`1 - e^{-\delta / \tau}` for one that is :math:`\delta` early or late.

    Parameters
    ----------
    targets : sequence, optional
        Times (ms) as ``targets[class][unit]``, the stamps of the desired spikes, rounded to the
        nearest step. By default the unit of the class is to spike once, half way through the
        trial, and the others not at all; a single unit is the unit of class 1.
    tau_distance : float, default 10
        Time constant of the distance (ms).

    References
    ----------
    van Rossum 2001, Neural Comput. 13:751.
    """

    targets: Any = None
    tau_distance: float = 10.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "targets", checked_targets("NearestTrain.targets", self.targets))
        _check.positive("NearestTrain.tau_distance", self.tau_distance)

    def check(self, layer: Layer) -> None:
        """Refuse units that never fire, and targets for another number of units."""
        if not layer.neuron.spiking or np.any(np.isinf(layer.neuron.v_th)):
            raise ParameterError(
                "NearestTrain reads spikes, and the output layer has units that never fire: make "
                "it of LIF units with a finite v_th"
            )
        for index, units in enumerate(self.targets or ()):
            if len(units) != layer.n_post:
                raise ParameterError(
                    f"NearestTrain.targets[{index}] must have a list of times for each of the "
                    f"{layer.n_post} output units, got {len(units)}"
                )

    def scores(self, trace: Trace, layer: Layer, dt: float) -> np.ndarray:
        """Return minus the squared distance to each class, shape (n_trials, n_classes)."""
        desired = desired_spikes("NearestTrain", self.targets, len(trace.output), layer.n_post, dt)
        dt_by_tau = dt / self.tau_distance
        return -np.stack(
            [squared_distance(trace.output - d[:, None], dt_by_tau) for d in desired], axis=1
        )

    def decide(self, scores: np.ndarray, layer: Layer) -> np.ndarray:
        """Return the nearest class of each trial, the first of equal ones."""
        return np.argmax(scores, axis=1)

    def backward(self, trace: Trace, layer: Layer, grad_scores: np.ndarray, dt: float) -> Any:
        """Refuse: the distance has no gradient that a network could descend."""
        raise ParameterError("NearestTrain has no gradient; use FirstSpike or SpikeCount")

    def threshold_of(self, layer: Layer) -> float:
        """Return 0, the score of a train that is met exactly."""
        return 0.0

    def targets_of(self, layer: Layer) -> tuple[float, float]:
        """Return the scores of a train that misses one spike, and of one that is met."""
        return -0.5, 0.0


@_check.suggest_keywords
@dataclass(frozen=True)
class ReSuMe(TrialRule):
    r"""Strengthen the inputs before each desired spike, weaken those before each actual one.

    .. math::

        \Delta w_i = \eta \sum_t \left[S_d(t) - S_o(t)\right]
        \Big[a + \sum_{t_i < t} e^{-(t - t_i) / \tau}\Big]

    with the desired train :math:`S_d`, the spikes :math:`S_o` of the unit and the times
    :math:`t_i` of those of input i, by their stamps. Where both trains spike at once nothing
    changes, so that the rule rests when the unit does as it should. The term a changes all
    weights alike: it sets the number of spikes right. The changes of a trial are made at its
    end.

    Which train is desired depends on the class of the trial, so that a rule with one class
    learns a train and one with several learns to tell patterns by the trains that answer them.
    The last layer is trained; layers before it, recurrent ones too, are a fixed reservoir. The
    loss is the squared distance of :class:`NearestTrain`.

    *Each synapse must know* a trace of its own input, and when its unit spikes and should have
    spiked; no gradient, no potential.

    *Works* for trains that the inputs can hold apart in time: many inputs that spike at
    different moments of the trial, or a reservoir. *Fails* where the unit has no input shortly
    before a desired spike, and the more desired spikes compete for the same inputs; hidden
    layers learn nothing.

    Parameters
    ----------
    targets : sequence, optional
        Times (ms) as ``targets[class][unit]``, the stamps of the desired spikes, rounded to the
        nearest step. By default the unit of the class is to spike once, half way through the
        trial, and the others not at all; a single unit is the unit of class 1.
    learning_rate : float, default 0.1
        Step :math:`\eta`, greater than 0, in the unit of a weight.
    non_hebbian : float, default 0.05
        Term a, at least 0.
    tau_trace : float, default 10
        Time constant of the trace of an input, and of the distance (ms).

    References
    ----------
    Ponulak 2005, ReSuMe - new supervised learning method for spiking neural networks, Poznan
    University of Technology; Ponulak & Kasinski 2010, Neural Comput. 22:467.
    """

    targets: Any = None
    learning_rate: float = 0.1
    non_hebbian: float = 0.05
    tau_trace: float = 10.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "targets", checked_targets("ReSuMe.targets", self.targets))
        _check.positive("ReSuMe.learning_rate", self.learning_rate)
        _check.non_negative("ReSuMe.non_hebbian", self.non_hebbian)
        _check.positive("ReSuMe.tau_trace", self.tau_trace)

    @property
    def readout(self) -> NearestTrain:
        """How outputs become decisions: by the class whose train is nearest."""
        return NearestTrain(self.targets, self.tau_trace)

    def _taught(self, network: LayeredNetwork) -> tuple[Layer, ...]:
        return (network.layers[-1],)

    def _check_batch(self, network: LayeredNetwork, x: np.ndarray, labels: np.ndarray) -> None:
        super()._check_batch(network, x, labels)
        n_classes = len(
            desired_spikes("ReSuMe", self.targets, len(x), network.n_outputs, network.dt)
        )
        if labels.max() >= n_classes:
            raise ParameterError(
                f"ReSuMe.labels{_check._first(labels >= n_classes)} is {labels.max()}; there are "
                f"targets for the classes 0 to {n_classes - 1}"
            )

    def _learn(
        self,
        network: LayeredNetwork,
        state: Any,
        inputs: np.ndarray,
        traces: tuple[Trace, ...],
        label: int,
        right: bool,
    ) -> tuple[list[Layer], Any]:
        last = len(network.layers) - 1
        layer = network.layers[last]
        desired = desired_spikes("ReSuMe", self.targets, len(inputs), layer.n_post, network.dt)[
            label
        ]
        error = desired - traces[last].output[:, 0]
        spikes = spikes_into(inputs, traces, last)[:, np.newaxis]
        trace = traces_before(spikes, math.exp(-network.dt / self.tau_trace))[:, 0]
        change = self.learning_rate * ((self.non_hebbian + trace).T @ error)
        return [*network.layers[:last], layer.updated(w=layer.w + change)], state

    def _loss(
        self,
        network: LayeredNetwork,
        traces: tuple[Trace, ...],
        labels: np.ndarray,
        n_correct: int,
    ) -> float:
        output = traces[-1].output
        desired = desired_spikes("ReSuMe", self.targets, len(output), network.n_outputs, network.dt)
        error = output - desired[labels].transpose(1, 0, 2)
        return float(squared_distance(error, network.dt / self.tau_trace).sum())


def checked_targets(name: str, value: Any) -> _Targets | None:
    """Return times as ``targets[class][unit]`` in tuples, or say what is wrong with them."""
    if value is None:
        return None
    classes = []
    for c, units in enumerate(_sequence(name, value)):
        trains = []
        for k, times in enumerate(_sequence(f"{name}[{c}]", units)):
            here = f"{name}[{c}][{k}]"
            train = _check.float_array(here, list(_sequence(here, times)))
            _check.shape(here, train, (None,))
            trains.append(tuple(float(t) for t in train))
        classes.append(tuple(trains))
    if not classes:
        raise ParameterError(f"{name} must hold at least one class")
    return tuple(classes)


def desired_spikes(
    name: str, targets: _Targets | None, n_steps: int, n_units: int, dt: float
) -> np.ndarray:
    """Return the desired trains on the grid, shape (n_classes, n_steps, n_units).

    Raises
    ------
    ParameterError
        A time outside of the trial, or two that fall on one step.
    """
    if targets is None:
        desired = np.zeros((max(2, n_units), n_steps, n_units))
        for k in range(n_units):
            desired[k if n_units > 1 else 1, n_steps // 2, k] = 1.0
        return desired
    desired = np.zeros((len(targets), n_steps, n_units))
    for c, units in enumerate(targets):
        for k, times in enumerate(units):
            for n, time in enumerate(times):
                index = round(time / dt) - 1
                where = f"targets[{c}][{k}][{n}] is {time:g} ms"
                if not 0 <= index < n_steps:
                    raise ParameterError(
                        f"{name}.{where}; spikes of this trial are stamped "
                        f"{dt:g} to {n_steps * dt:g} ms"
                    )
                if desired[c, index, k]:
                    raise ParameterError(
                        f"{name}.{where}, in the same step as another one: leave one of them out, "
                        "or take a smaller dt"
                    )
                desired[c, index, k] = 1.0
    return desired


def squared_distance(error: np.ndarray, dt_by_tau: float) -> np.ndarray:
    """Return the squared distance of van Rossum of each trial, shape (n_trials,).

    Parameters
    ----------
    error : ndarray, shape (n_steps, n_trials, n_units)
        One train minus the other.
    dt_by_tau : float
        Time step in units of the time constant.
    """
    earlier = traces_before(error.astype(np.float64), math.exp(-dt_by_tau))
    return (error * (0.5 * error + earlier)).sum(axis=(0, 2))


@kernel
def traces_before(spikes, decay):
    """Return what spikes before each step left of themselves, shape (n_steps, n_trials, n)."""
    trace = np.zeros(spikes.shape)
    for t in range(1, spikes.shape[0]):
        for trial in range(spikes.shape[1]):
            for k in range(spikes.shape[2]):
                trace[t, trial, k] = decay * (trace[t - 1, trial, k] + spikes[t - 1, trial, k])
    return trace


def _sequence(name: str, value: Any) -> Iterable[Any]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise ParameterTypeError(
            f"{name} must be a sequence: targets[class][unit] are times in ms, got {value!r}"
        )
    return value
