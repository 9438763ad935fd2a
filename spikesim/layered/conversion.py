r"""A trained rate network turned into a spiking one with the same weights, up to a scale.

A firing rate stands for the output of a unit: :math:`y = \lambda\, r / r_{max}`, with a scale
:math:`\lambda` for each layer. A LIF neuron with a long time constant and reset by subtraction
counts: each spike takes exactly one threshold away from what the input has brought, so that its
rate is proportional to its mean input, from 0 up to one spike a step. With the step chosen as
:math:`dt = 1 / r_{max}`, one spike a step is the largest rate, and the relative rate is

.. math::

    r / r_{max} = \mathrm{clip}(m, 0, 1)

for a mean input of m thresholds a step. The layers before decide what m has to be for the output
:math:`y = f(u),\ u = a\,(x w) + b`:

* ReLU, exactly as long as :math:`y \le \lambda`: :math:`m = u / \lambda`. The scale is the largest
  output in the layer over given data (threshold balancing, Diehl et al. 2015), or a percentile of
  its outputs (Rueckauer et al. 2017), which leaves more spikes to the others.
* Sigmoid, :math:`\lambda = 1`, nearly: :math:`m = \tfrac12 + s\,u`. A straight line with two
  corners replaces the logistic curve. With s = 1/4 it is the tangent at the origin, and off by
  0.119 at the corners, u = -2 and 2; with s = 0.17706, the default, the largest deviation is
  smallest: 0.056. That deviation, carried through the layers, is the plateau that remains however
  long the spikes are counted.

A spike on input i brings :math:`\lambda' a w_i / \lambda` thresholds, or :math:`\lambda' s\,a\,w_i`
for a sigmoid unit, with :math:`\lambda'` of the layer before, 1 for inputs. What is constant is
a current, in pA the thresholds of a step divided by :math:`\ell = (1 - e^{-dt/\tau_m})\,r_m`.

Rest lies midway between reset and threshold, where the potential of a neuron that fires
regularly spends its time on average, so that the leak pulls neither way, and counts are rounded to
the nearest instead of down.

Sources: Diehl et al. 2015, IJCNN; Rueckauer et al. 2017, Front. Neurosci. 11:682, also for reset by
subtraction. The corner line, its scale and the bound of :func:`largest_count_error` are worked
out here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from spikesim import _check
from spikesim.errors import ParameterError
from spikesim.layered.forward import run
from spikesim.layered.network import Layer, LayeredNetwork
from spikesim.neurons import LIF, ReLU, Sigmoid
from spikesim.synapses import Delta

__all__ = [
    "DEFAULT_SLOPE",
    "checked_features",
    "corner_line",
    "endless_rates",
    "largest_count_error",
    "largest_deviation",
    "output_scales",
    "refuse_other_units",
    "to_spiking",
]

DEFAULT_SLOPE = 0.17706


def corner_line(u: Any, slope: float = DEFAULT_SLOPE) -> np.ndarray:
    """Return ``clip(1/2 + slope * u, 0, 1)``, the relative rate for a sigmoid unit."""
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
    features: Any = None,
    *,
    max_rate: float = 100.0,
    tau_m: float = 1e6,
    slope: float = DEFAULT_SLOPE,
    percentile: float = 99.9,
) -> LayeredNetwork:
    """Turn a network of sigmoid or ReLU units into one of LIF neurons.

    Parameters
    ----------
    network : LayeredNetwork
        All layers have :class:`~spikesim.neurons.Sigmoid` or :class:`~spikesim.neurons.ReLU`
        units.
    features : array_like, shape (n_samples, n_features), optional
        In [0, 1]: data, such as those of the training, over which the outputs of ReLU layers are
        balanced. Networks of sigmoid units need none.
    max_rate : float, default 100
        Firing rate (Hz) that stands for an input of 1 and for the scale of a layer. The step of
        the spiking network is its inverse, ``dt = 1000 / max_rate`` ms.
    tau_m : float, default 1e6
        Membrane time constant (ms). The longer, the better the neuron counts: the leak shifts
        the relative rate by up to ``dt / (2 tau_m)``.
    slope : float, default 0.17706
        Slope s of the line that stands for a sigmoid; 0.25 gives the tangent.
    percentile : float, default 99.9
        Percentile, above 0 and up to 100, of the outputs in a ReLU layer that becomes its scale;
        100 is the largest. What lies above is cut off.

    Returns
    -------
    LayeredNetwork
        Inputs and outputs are spikes at up to `max_rate`; the threshold is 1 mV.

    Raises
    ------
    ParameterError
        A layer of other units; ReLU units without `features`; features outside [0, 1].
    """
    _check.instance("to_spiking.network", network, LayeredNetwork, "a LayeredNetwork")
    dt = 1000.0 / _check.positive("to_spiking.max_rate", max_rate)
    tau_m = _check.positive("to_spiking.tau_m", tau_m)
    slope = _check.positive("to_spiking.slope", slope)
    percentile = checked_percentile("to_spiking.percentile", percentile)
    refuse_other_units("to_spiking.network", network)
    if features is not None:
        features = checked_features("to_spiking.features", features, network)
    elif any(isinstance(layer.neuron, ReLU) for layer in network.layers):
        raise ParameterError(
            "to_spiking.features must be given for ReLU units, whose outputs have no upper end: "
            "the data show how large they get"
        )
    scales = output_scales(network, features, percentile)
    neuron = LIF(
        tau_m=tau_m, c_m=tau_m, v_rest=0.5, v_th=1.0, v_reset=0.0, t_ref=0.0, reset="subtract"
    )
    leak_gain = neuron.constants(dt).leak_gain
    layers = []
    before = 1.0
    for layer, scale in zip(network.layers, scales, strict=True):
        offset, gain = _line(layer, scale, slope)
        w = gain * layer.steepness * before * layer.w
        layers.append(Layer(w, neuron, (offset + gain * layer.bias) / leak_gain, Delta()))
        before = scale
    return LayeredNetwork(layers, dt)


def _line(layer: Layer, scale: float, slope: float) -> tuple[float, float]:
    """Return offset and gain of the line that leads from u to the mean input in thresholds."""
    return (0.5, slope) if isinstance(layer.neuron, Sigmoid) else (0.0, 1.0 / scale)


def output_scales(
    network: LayeredNetwork, features: np.ndarray | None, percentile: float
) -> list[float]:
    """Return for each layer the output that the largest rate stands for.

    Parameters
    ----------
    network : LayeredNetwork
        Sigmoid and ReLU units.
    features : ndarray, shape (n_samples, n_features), or None
        Data that were checked; needed for ReLU units.
    percentile : float
        See :func:`to_spiking`.
    """
    if features is None:
        return [1.0] * len(network.layers)
    scales = []
    for layer, trace in zip(network.layers, run(network, features[np.newaxis]), strict=True):
        scale = 1.0
        if isinstance(layer.neuron, ReLU):
            scale = float(np.percentile(trace.output, percentile))
            # A layer that is silent over the data, or nearly so, has nothing to be balanced by.
            scale = scale or float(trace.output.max()) or 1.0
        scales.append(scale)
    return scales


def endless_rates(
    network: LayeredNetwork, features: np.ndarray, scales: list[float], slope: float
) -> np.ndarray:
    """Return the relative rates of the output units in an endless window.

    Parameters
    ----------
    network : LayeredNetwork
        The rate network.
    features : ndarray, shape (n_samples, n_features)
        Relative rates of the inputs, constant in time.
    scales : list of float
        See :func:`output_scales`.
    slope : float
        See :func:`to_spiking`.
    """
    rates, before = features, 1.0
    for layer, scale in zip(network.layers, scales, strict=True):
        offset, gain = _line(layer, scale, slope)
        u = layer.steepness * (before * rates @ layer.w) + layer.bias
        rates, before = np.clip(offset + gain * u, 0.0, 1.0), scale
    return rates


def largest_count_error(spiking: LayeredNetwork, input_error: float = 0.5) -> np.ndarray:
    r"""Return by how many spikes the counts of a converted network can be off.

    Let the inputs fire at constant relative rates, with counts that are at no time off by more
    than e spikes. Then after n steps, counted from when the input has reached the layer, the
    number of spikes N of a unit differs from n times its endless relative rate by at most

    .. math:: e_i = \max(a_i, 1 - a_i) + \sum_j |w_{ji}|\,e_j

    where :math:`a_i` is its potential, in thresholds, when counting starts. So the error of a rate
    falls as 1/n, however deep the network.

    In each step N becomes the median of N, :math:`\lfloor D \rfloor` and N + 1, where D is
    what has been brought so far. That map is monotone, and adding a constant to N and D adds it to
    the result, so counts are never further apart than what was brought. The leak, which is
    slow, is left out.

    Parameters
    ----------
    spiking : LayeredNetwork
        What :func:`to_spiking` returned.
    input_error : float, default 0.5
        Largest error e of the input counts; 1/2 for evenly spaced spikes
        (``RateEncoder(mode="regular")``).

    Returns
    -------
    ndarray, shape (n_outputs,)
        Largest difference of the number of spikes of each output unit.
    """
    _check.instance("largest_count_error.spiking", spiking, LayeredNetwork, "a LayeredNetwork")
    error = np.full(
        spiking.n_inputs, _check.non_negative("largest_count_error.input_error", input_error)
    )
    # What constant currents do before the input arrives does not depend on the input.
    silent = run(spiking, np.zeros((len(spiking.layers), 1, spiking.n_inputs)))
    for index, (layer, trace) in enumerate(zip(spiking.layers, silent, strict=True)):
        if not (isinstance(layer.neuron, LIF) and layer.neuron.reset == "subtract"):
            raise ParameterError(
                "largest_count_error.spiking must be a network that to_spiking made, "
                f"layer {index} has {layer.neuron!r}"
            )
        start = trace.v[index, 0] - trace.output[index, 0]
        error = np.maximum(np.abs(start), np.abs(1.0 - start)) + error @ np.abs(layer.w)
    return error


def checked_features(name: str, features: Any, network: LayeredNetwork) -> np.ndarray:
    """Return relative rates as an array of shape (n_samples, n_inputs) with values in [0, 1]."""
    table = _check.float_array(name, features)
    _check.shape(name, table, (None, network.n_inputs))
    if len(table) == 0:
        raise ParameterError(f"{name} must hold at least one sample")
    if table.min() < 0.0 or table.max() > 1.0:
        bad = (table < 0.0) | (table > 1.0)
        raise ParameterError(
            f"{name}{_check._first(bad)} is {table[bad].flat[0]:g}; rates relative "
            "to max_rate lie in [0, 1], scale the features first"
        )
    return table


def checked_percentile(name: str, value: Any) -> float:
    """Return `value` if it is above 0 and at most 100."""
    return _check.in_range(name, _check.positive(name, value), 0.0, 100.0)


def refuse_other_units(name: str, network: LayeredNetwork) -> None:
    """Refuse layers of other units than Sigmoid and ReLU."""
    for index, layer in enumerate(network.layers):
        if not isinstance(layer.neuron, (Sigmoid, ReLU)):
            raise ParameterError(
                f"{name} must have Sigmoid or ReLU units in every layer, layer {index} has "
                f"{type(layer.neuron).__name__}"
            )
