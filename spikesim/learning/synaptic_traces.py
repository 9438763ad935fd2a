r"""How each synapse of a LIF layer moved the membrane behind it, summed with a signal there.

The eligibility of synapse ij in step k is the derivative of the membrane potential by its weight,
given all spikes, those of its own unit too:

.. math::

    \hat\epsilon_{ij,k} &= d_m\, \epsilon_{ij,k-1} + p_{vi}\, \iota_{i,k-1}
                           \;[+\, x_{i,k-1} \text{ for delta synapses}] \\
    \epsilon_{ij,k} &= \hat\epsilon_{ij,k} (1 - S_{j,k})
                       \quad\text{or, with reset by subtraction,}\quad \hat\epsilon_{ij,k} \\
    \iota_{i,k} &= d_s\, \iota_{i,k-1} + x_{i,k-1}

and as it was while the unit is refractory. It goes forward in time with the membrane. Nearly all
of it is the same for all synapses of an input: with :math:`\bar z_i` the response of a membrane
that is never reset, and r the last step in which unit j could not move,

.. math::

    \hat\epsilon_{ij,k} = \bar z_{i,k} + d_m^{k-r}\, q_{ij}, \qquad
    q_{ij} = \epsilon_{ij,r} - \bar z_{i,r}

so what a synapse keeps for itself, :math:`q_{ij}`, changes only when its unit fires, and
:math:`\sum_k c_{j,k}\, \hat\epsilon_{ij,k}` is a matrix product and a correction at each spike.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from spikesim._jit import kernel
from spikesim.layered import lif
from spikesim.layered.forward import Trace
from spikesim.layered.network import Layer, LayeredNetwork
from spikesim.surrogates import Surrogate

__all__ = ["carried", "constants_of", "signal_of", "slope_of", "weighed", "weighed_all"]


def constants_of(layer: Layer, dt: float) -> lif.LIFLayer:
    """Return the constants of a LIF layer."""
    return lif.prepared(layer.neuron, layer.synapse, layer.n_post, dt)


def slope_of(p: lif.LIFLayer, trace: Trace, surrogate: Surrogate) -> np.ndarray:
    """Return what stands for the derivative of a spike by v, 0 where there could be none."""
    slope = surrogate.derivative((trace.v - p.v_th_finite) / p.scale) / p.scale
    slope *= ~np.asarray(trace.held) & p.fires
    return slope.astype(trace.v.dtype, copy=False)


def weighed(
    layer: Layer, dt: float, x: np.ndarray, trace: Trace, signal: np.ndarray
) -> dict[str, np.ndarray]:
    """Return the sum over steps and trials of signal times eligibility.

    Parameters
    ----------
    layer : Layer
        LIF units.
    dt : float
        Time step (ms).
    x : ndarray, shape (n_steps, n_trials, n_pre)
        Input of the layer.
    trace : Trace
        What it did.
    signal : ndarray, shape (n_steps, n_trials, n_post)
        Factor c of the eligibilities of each unit, in each step.

    Returns
    -------
    dict of ndarray
        For each of the arrays ``w``, ``bias`` and ``w_rec`` that is trainable, of its shape.
    """
    p = constants_of(layer, dt)
    signal = np.ascontiguousarray(signal, layer.w.dtype)
    found = {}
    for name in layer.parameters():
        array = getattr(layer, name)
        total = np.empty((layer.n_post, array.size // layer.n_post), array.dtype)
        for units in _alike(p):
            decay_m, p_vi = p.decay_m[units][0], p.p_vi[units][0]
            if name == "bias":
                z = _step_response(decay_m, trace.v.shape, array.dtype)
            else:
                source = x if name == "w" else trace.output
                z = _responses(source, decay_m, p_vi, p.decay_syn, p.delta, array.dtype)
            total[units] = _sum(p, units, z, trace, signal)
        if name == "bias":
            found[name] = (total[:, 0] * p.leak_gain).astype(array.dtype, copy=False)
        else:
            found[name] = np.ascontiguousarray(total.T)
    return found


def weighed_all(
    network: LayeredNetwork, x: np.ndarray, traces: Sequence[Trace], signals: Sequence[np.ndarray]
) -> list[dict[str, np.ndarray]]:
    """Return what :func:`weighed` does for each layer, with the input `x` of the first."""
    sources = [x, *(trace.output for trace in traces)]
    return [
        weighed(layer, network.dt, source, trace, signal)
        for layer, source, trace, signal in zip(
            network.layers, sources[:-1], traces, signals, strict=True
        )
    ]


def signal_of(
    p: lif.LIFLayer,
    trace: Trace,
    surrogate: Surrogate,
    to_output: np.ndarray | None,
    to_v: np.ndarray | None,
) -> np.ndarray:
    """Return the derivative of the loss by v, by way of a spike in the same step and directly.

    Parameters
    ----------
    p : LIFLayer
        Constants of the layer.
    trace : Trace
        What it did.
    surrogate : Surrogate
        Stands for the derivative of a spike.
    to_output, to_v : ndarray, shape (n_steps, n_trials, n_units), or None
        Derivative of the loss by the spikes and by v; None for zeros.
    """
    signal = np.zeros(trace.v.shape, trace.v.dtype)
    if to_output is not None:
        signal += to_output * slope_of(p, trace, surrogate)
    if to_v is not None:
        signal += to_v
    return signal


def carried(p: lif.LIFLayer, trace: Trace, signal: np.ndarray) -> np.ndarray:
    """Return the error of each unit as membrane and synapse carry it to the arrival of a spike.

    The adjoint of a layer, with the paths through reset and recurrence cut: what the loss loses
    by one unit of weighted input in each step.

    Parameters
    ----------
    p : LIFLayer
        Constants of the layer.
    trace : Trace
        What it did.
    signal : ndarray, shape (n_steps, n_trials, n_units)
        Derivative of the loss by v, see :func:`signal_of`.

    Returns
    -------
    ndarray, shape (n_steps, n_trials, n_units)
    """
    output, held = trace.output, np.asarray(trace.held)
    drive = np.zeros(signal.shape, signal.dtype)
    after = np.zeros(signal.shape[1:])
    current = np.zeros(signal.shape[1:])
    for k in range(len(drive) - 1, -1, -1):
        passed = signal[k] + (after if p.subtract else after * (1.0 - output[k]))
        moved = passed * ~held[k]
        after = np.where(held[k], passed, p.decay_m * passed)
        drive[k] = moved if p.delta else current
        current = p.decay_syn * current + p.p_vi * moved
    return drive


def _alike(p: lif.LIFLayer) -> Iterator[np.ndarray]:
    """Yield the units that respond alike, as arrays of their numbers."""
    _, group = np.unique(np.stack([p.decay_m, p.p_vi]), axis=1, return_inverse=True)
    for number in range(group.max() + 1):
        yield np.flatnonzero(group == number)


def _responses(
    x: np.ndarray, decay_m: float, p_vi: float, decay_syn: float, delta: bool, dtype: np.dtype
) -> np.ndarray:
    """Return the response of a membrane that is never reset to each input, shaped as `x`."""
    z = np.zeros(x.shape, dtype)
    current = np.zeros(x.shape[1:], dtype)
    for k in range(1, len(x)):
        np.multiply(z[k - 1], decay_m, out=z[k])
        if delta:
            z[k] += x[k - 1]
        else:
            z[k] += p_vi * current
            current *= decay_syn
            current += x[k - 1]
    return z


def _step_response(decay_m: float, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Return the response to a constant input of 1 a step, shape (n_steps, n_trials, 1)."""
    n_steps, n_trials, _ = shape
    z = np.cumsum(decay_m ** np.arange(n_steps)).astype(dtype)
    return np.repeat(z, n_trials).reshape(n_steps, n_trials, 1)


def _sum(
    p: lif.LIFLayer, units: np.ndarray, z: np.ndarray, trace: Trace, signal: np.ndarray
) -> np.ndarray:
    """Return the sum of signal times eligibility, shape (len(units), n_lines)."""
    output, held = trace.output, np.asarray(trace.held)
    if len(units) < signal.shape[2]:
        signal, output, held = signal[..., units], output[..., units], held[..., units]
    free = signal * ~held
    total = free.reshape(-1, len(units)).T @ z.reshape(-1, z.shape[2])
    if not p.subtract or p.ref_steps[units].any():
        _add_resets(z, signal, output, held, p.decay_m[units[0]], p.subtract, total)
    return total


@kernel
def _add_resets(z, signal, output, held, decay_m, subtract, total):
    """Add to `total` the part of the eligibilities that resets and refractory periods make.

    `q` has one row a unit: while the unit is held, the eligibility itself, afterwards its
    difference from z at the end of that time, of which a share `weight` is left.
    """
    n_steps, n_trials, n_lines = z.shape
    n = signal.shape[2]
    q = np.zeros((n, n_lines), dtype=z.dtype)
    weight = np.zeros(n, dtype=z.dtype)
    summed = np.zeros(n, dtype=z.dtype)
    stopped = np.zeros(n, dtype=np.bool_)
    for b in range(n_trials):
        weight[:] = 0.0
        summed[:] = 0.0
        stopped[:] = False
        for k in range(n_steps):
            for j in range(n):
                if held[k, b, j]:
                    summed[j] += signal[k, b, j]
                    continue
                if stopped[j]:
                    if summed[j] != 0.0:
                        for i in range(n_lines):
                            total[j, i] += summed[j] * q[j, i]
                        summed[j] = 0.0
                    for i in range(n_lines):
                        q[j, i] -= z[k - 1, b, i]
                    weight[j] = 1.0
                    stopped[j] = False
                weight[j] *= decay_m
                summed[j] += signal[k, b, j] * weight[j]
                if output[k, b, j] != 0.0:
                    if summed[j] != 0.0:
                        for i in range(n_lines):
                            total[j, i] += summed[j] * q[j, i]
                        summed[j] = 0.0
                    if subtract:
                        for i in range(n_lines):
                            q[j, i] = z[k, b, i] + weight[j] * q[j, i]
                    else:
                        for i in range(n_lines):
                            q[j, i] = 0.0
                    stopped[j] = True
        for j in range(n):
            if summed[j] != 0.0:
                for i in range(n_lines):
                    total[j, i] += summed[j] * q[j, i]
