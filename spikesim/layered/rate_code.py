r"""A trained sigmoid network run on spikes: rate coding with the same weights.

A firing rate stands for the output of a unit: :math:`y = r / r_{max}`. A LIF neuron with a long
time constant and reset by subtraction counts: each spike takes exactly one threshold away from
what the input has brought, so that its rate is proportional to its mean input, from 0 up to one
spike a step. With the step chosen as :math:`dt = 1 / r_{max}`, one spike a step is the largest
rate, and

.. math::

    y = \mathrm{clip}\!\left(\tfrac12 + s\,u,\; 0,\; 1\right), \qquad u = a\,(x w) + b,

if a spike on input i moves the potential by :math:`s\,a\,w_i` thresholds and a constant current
brings :math:`\tfrac12 + s\,b` thresholds a step. The weights are those of the sigmoid network
times the scale :math:`s\,a`; the bias current, in pA, is
:math:`(\tfrac12 + s\,b) / \ell` with :math:`\ell = (1 - e^{-dt/\tau_m})\,r_m`.

The straight line with its two corners replaces the logistic curve. With s = 1/4 it is the tangent
at the origin, and off by 0.119 at the corners, u = -2 and 2; with s = 0.17706, the default, the
largest deviation is smallest: 0.056. That deviation, carried through the layers, is the plateau
that remains however long the spikes are counted.

Rest lies midway between reset and threshold, where the potential of a neuron that fires
regularly spends its time on average, so that the leak pulls neither way.

Source: Rueckauer et al. 2017, Front. Neurosci. 11:682, for reset by subtraction, which makes
rates exact; the corner line and its scale are worked out here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spikesim import _check
from spikesim.encoding import RateEncoder
from spikesim.errors import ParameterError, ParameterTypeError
from spikesim.layered.forward import run
from spikesim.layered.network import Layer, LayeredNetwork
from spikesim.neurons import LIF, Sigmoid
from spikesim.synapses import Delta

__all__ = ["Agreement", "agreement", "corner_line", "largest_deviation", "to_spiking"]

DEFAULT_SLOPE = 0.17706


def corner_line(u: Any, slope: float = DEFAULT_SLOPE) -> np.ndarray:
    """Return ``clip(1/2 + slope * u, 0, 1)``, the relative rate of the spiking unit."""
    return np.clip(0.5 + slope * np.asarray(u, dtype=np.float64), 0.0, 1.0)


def largest_deviation(slope: float = DEFAULT_SLOPE) -> float:
    r"""Return the largest distance between the corner line and the logistic curve.

    It is at the corner, :math:`1 - \sigma(1/(2s))`, or, for s < 1/4, where the curve is as steep
    as the line, :math:`\sigma(u)(1 - \sigma(u)) = s`, whichever is larger.

    Parameters
    ----------
    slope : float, default 0.17706
        Slope s > 0 of the line.
    """
    slope = _check.positive("largest_deviation.slope", slope)
    corner = 1.0 / (1.0 + np.exp(0.5 / slope))
    if slope >= 0.25:
        return float(corner)
    top = 0.5 + np.sqrt(0.25 - slope)
    u = np.log(top / (1.0 - top))
    return float(max(corner, top - 0.5 - slope * u))


@_check.suggest_keywords
def to_spiking(
    network: LayeredNetwork,
    *,
    max_rate: float = 100.0,
    tau_m: float = 1e6,
    slope: float = DEFAULT_SLOPE,
) -> LayeredNetwork:
    """Turn a network of sigmoid units into one of LIF neurons with the same weights.

    Parameters
    ----------
    network : LayeredNetwork
        All layers have :class:`~spikesim.neurons.Sigmoid` units.
    max_rate : float, default 100
        Firing rate (Hz) that stands for an output of 1. The step of the spiking network is its
        inverse, ``dt = 1000 / max_rate`` ms.
    tau_m : float, default 1e6
        Membrane time constant (ms). The longer, the better the neuron counts: the leak shifts
        the relative rate by up to ``dt / (2 tau_m)``.
    slope : float, default 0.17706
        Scale s of the weights, in thresholds (1 mV); 0.25 gives the tangent of the sigmoid.

    Returns
    -------
    LayeredNetwork
        Inputs and outputs are spikes at up to `max_rate`. Weights are
        ``slope * steepness * w`` (mV).

    Raises
    ------
    ParameterError
        A layer of other units.
    """
    _check.instance("to_spiking.network", network, LayeredNetwork, "a LayeredNetwork")
    dt = 1000.0 / _check.positive("to_spiking.max_rate", max_rate)
    tau_m = _check.positive("to_spiking.tau_m", tau_m)
    slope = _check.positive("to_spiking.slope", slope)
    _refuse_other_units("to_spiking.network", network)
    neuron = LIF(
        tau_m=tau_m, c_m=tau_m, v_rest=0.5, v_th=1.0, v_reset=0.0, t_ref=0.0, reset="subtract"
    )
    leak_gain = neuron.constants(dt).leak_gain
    layers = []
    for layer in network.layers:
        bias = (0.5 + slope * layer.bias) / leak_gain
        layers.append(Layer(slope * layer.steepness * layer.w, neuron, bias, Delta()))
    return LayeredNetwork(layers, dt)


@dataclass(frozen=True, eq=False)
class Agreement:
    """How a spiking network agrees with the sigmoid network it was made from.

    Arrays have one value for each counting window.

    Attributes
    ----------
    windows : ndarray
        Counting windows (ms).
    share, share_low, share_high : ndarray
        Share of equal decisions with its 95 % Wilson interval; the samples, not their
        repetitions, count as independent.
    rms, rms_low, rms_high : ndarray
        Root mean square difference of the relative rates of the output units, with a 95 %
        normal interval over the samples.
    plateau_share, plateau_rms : float
        What is left of both in an endless window with constant input rates: that of the network
        of corner lines (:func:`corner_line`) in place of the sigmoid units.
    deviation : float
        Largest difference that a single unit makes, :func:`largest_deviation`.
    """

    windows: np.ndarray
    share: np.ndarray
    share_low: np.ndarray
    share_high: np.ndarray
    rms: np.ndarray
    rms_low: np.ndarray
    rms_high: np.ndarray
    plateau_share: float
    plateau_rms: float
    deviation: float


@_check.suggest_keywords
def agreement(
    network: LayeredNetwork,
    features: Any,
    windows: Sequence[float],
    *,
    mode: str = "regular",
    rng: Any = None,
    n_repeats: int = 10,
    max_rate: float = 100.0,
    tau_m: float = 1e6,
    slope: float = DEFAULT_SLOPE,
) -> Agreement:
    """Compare a sigmoid network with its spiking twin, as the counting window grows.

    Parameters
    ----------
    network : LayeredNetwork
        Sigmoid units in all layers.
    features : array_like, shape (n_samples, n_features)
        In [0, 1]; each is the rate of an input relative to `max_rate`.
    windows : sequence of float
        Counting windows (ms) from when the input has reached the output; multiples of
        ``1000 / max_rate``.
    mode : {"regular", "poisson"}, default "regular"
        Input spikes at equal intervals, or drawn independently in each step.
    rng : int, SeedSequence or Generator, optional
        Source of the Poisson spikes.
    n_repeats : int, default 10
        Draws of each sample with Poisson spikes; regular ones need a single run.
    max_rate, tau_m, slope
        As in :func:`to_spiking`.

    Returns
    -------
    Agreement

    Raises
    ------
    ParameterError
        Features outside [0, 1], windows off the grid, other units.
    """
    _check.instance("agreement.network", network, LayeredNetwork, "a LayeredNetwork")
    _refuse_other_units("agreement.network", network)
    table = _check.float_array("agreement.features", features)
    _check.shape("agreement.features", table, (None, network.n_inputs))
    if len(table) == 0:
        raise ParameterError("agreement.features must hold at least one sample")
    if table.min() < 0.0 or table.max() > 1.0:
        bad = (table < 0.0) | (table > 1.0)
        raise ParameterError(
            f"agreement.features{_check._first(bad)} is {table[bad].flat[0]:g}; rates relative "
            "to max_rate lie in [0, 1], scale the features first"
        )
    _check.choice("agreement.mode", mode, ("regular", "poisson"))
    if np.ndim(windows) != 1:
        raise ParameterTypeError(
            f"agreement.windows must be a sequence of times (ms), got {_check._show(windows)}"
        )
    rng = _check.generator("agreement.rng", rng)
    n_repeats = (
        1 if mode == "regular" else _check.integer("agreement.n_repeats", n_repeats, minimum=1)
    )
    spiking = to_spiking(network, max_rate=max_rate, tau_m=tau_m, slope=slope)
    steps = [
        _check.n_steps(f"agreement.windows[{i}]", window, spiking.dt, minimum=1)
        for i, window in enumerate(windows)
    ]
    if not steps:
        raise ParameterError("agreement.windows must hold at least one window")

    wanted = run(network, table[np.newaxis])[-1].output[0]
    line = table
    for layer in network.layers:
        line = corner_line(layer.steepness * (line @ layer.w) + layer.bias, slope)
    # The input reaches the last layer after as many steps as there are layers; counting starts
    # there, so that short windows do not measure the wait.
    wait, dt = len(network.layers), spiking.dt
    one_a_step = max_rate if max_rate * dt <= 1000.0 else float(np.nextafter(max_rate, 0.0))
    encoder = RateEncoder((max(steps) + wait) * dt, one_a_step, mode, low=0.0, high=1.0)
    repeated = np.repeat(table, n_repeats, axis=0)
    output = run(spiking, encoder.encode(repeated, dt=dt, rng=rng))[-1].output[wait:]
    counts = np.cumsum(output, axis=0).reshape(max(steps), len(table), n_repeats, -1)

    columns = []
    for n in steps:
        rates = counts[n - 1] / n
        equal = (_decisions(rates) == _decisions(wanted)[:, np.newaxis]).mean(axis=1)
        square = ((rates - wanted[:, np.newaxis]) ** 2).mean(axis=(1, 2))
        columns.append((*_wilson(equal), *_root_interval(square)))
    share, share_low, share_high, rms, rms_low, rms_high = np.array(columns).T.copy()
    return Agreement(
        np.array(windows, dtype=np.float64),
        share,
        share_low,
        share_high,
        rms,
        rms_low,
        rms_high,
        plateau_share=float(np.mean(_decisions(line) == _decisions(wanted))),
        plateau_rms=float(np.sqrt(np.mean((line - wanted) ** 2))),
        deviation=largest_deviation(slope),
    )


def _decisions(rates: np.ndarray) -> np.ndarray:
    """Return the class: of one unit whether it fires at half its rate, else the fastest unit."""
    return rates[..., 0] >= 0.5 if rates.shape[-1] == 1 else rates.argmax(axis=-1)


def _wilson(values: np.ndarray) -> tuple[float, float, float]:
    """Return a mean share with its 95 % Wilson interval.

    `scipy.stats.binomtest` takes whole numbers of successes only; a sample that was drawn several
    times succeeds in part.
    """
    n, share, z = len(values), float(np.mean(values)), 1.959964
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return share, max(0.0, middle - half), min(1.0, middle + half)


def _root_interval(square: np.ndarray) -> tuple[float, float, float]:
    """Return the root of a mean square with its 95 % interval."""
    mean = float(np.mean(square))
    half = 1.959964 * float(np.std(square, ddof=1)) / np.sqrt(len(square)) if len(square) > 1 else 0
    return np.sqrt(mean), np.sqrt(max(0.0, mean - half)), np.sqrt(mean + half)


def _refuse_other_units(name: str, network: LayeredNetwork) -> None:
    for index, layer in enumerate(network.layers):
        if not isinstance(layer.neuron, Sigmoid):
            raise ParameterError(
                f"{name} must have Sigmoid units in every layer, layer {index} has "
                f"{type(layer.neuron).__name__}"
            )
