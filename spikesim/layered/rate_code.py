"""How a converted network agrees with the rate network that it was made from.

The conversion, :func:`to_spiking`, and what it does to a unit are in
:mod:`spikesim.layered.conversion`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spikesim import _check
from spikesim.encoding import RateEncoder
from spikesim.errors import ParameterError, ParameterTypeError
from spikesim.layered.conversion import (
    DEFAULT_SLOPE,
    checked_features,
    endless_rates,
    largest_deviation,
    output_scales,
    refuse_other_units,
    to_spiking,
)
from spikesim.layered.forward import run
from spikesim.layered.network import LayeredNetwork
from spikesim.neurons import Sigmoid

__all__ = ["Agreement", "agreement"]


@dataclass(frozen=True, eq=False)
class Agreement:
    """How a spiking network agrees with the rate network it was made from.

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
        What is left of both in an endless window with constant input rates: that of the lines
        in place of sigmoid units, and of outputs that are cut off in ReLU layers.
    deviation : float
        Largest difference that a single sigmoid unit makes,
        :func:`~spikesim.layered.conversion.largest_deviation`; 0 without any.
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
    percentile: float = 99.9,
    balance: Any = None,
) -> Agreement:
    """Compare a rate network with its spiking twin, as the counting window grows.

    Parameters
    ----------
    network : LayeredNetwork
        Sigmoid or ReLU units in all layers.
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
    max_rate, tau_m, slope, percentile
        As in :func:`to_spiking`.
    balance : array_like, shape (n_samples, n_features), optional
        Data that ReLU layers are balanced over; by default `features`.

    Returns
    -------
    Agreement

    Raises
    ------
    ParameterError
        Features outside [0, 1], windows off the grid, other units.
    """
    _check.instance("agreement.network", network, LayeredNetwork, "a LayeredNetwork")
    refuse_other_units("agreement.network", network)
    table = checked_features("agreement.features", features, network)
    data = table if balance is None else checked_features("agreement.balance", balance, network)
    _check.choice("agreement.mode", mode, ("regular", "poisson"))
    if np.ndim(windows) != 1:
        raise ParameterTypeError(
            f"agreement.windows must be a sequence of times (ms), got {_check._show(windows)}"
        )
    rng = _check.generator("agreement.rng", rng)
    n_repeats = (
        1 if mode == "regular" else _check.integer("agreement.n_repeats", n_repeats, minimum=1)
    )
    spiking = to_spiking(
        network, data, max_rate=max_rate, tau_m=tau_m, slope=slope, percentile=percentile
    )
    steps = [
        _check.n_steps(f"agreement.windows[{i}]", window, spiking.dt, minimum=1)
        for i, window in enumerate(windows)
    ]
    if not steps:
        raise ParameterError("agreement.windows must hold at least one window")

    scales = output_scales(network, data, percentile)
    wanted = run(network, table[np.newaxis])[-1].output[0] / scales[-1]
    line = endless_rates(network, table, scales, slope)
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
    sigmoid = any(isinstance(layer.neuron, Sigmoid) for layer in network.layers)
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
        deviation=largest_deviation(slope) if sigmoid else 0.0,
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
