r"""Layered networks differentiated backward: backpropagation, through time for spiking units.

**Rate units.** With :math:`u = a\,(xw) + b` and :math:`y = f(u)`, and the gradients
:math:`g^y, g^u` by output and u: :math:`g = g^u + g^y f'(u)`, then :math:`\partial w = x^T (g\,a)`,
:math:`\partial b = \sum g`, :math:`\partial a = \sum g\,(xw)`, :math:`\partial x = (g\,a) w^T`
(Rumelhart, Hinton & Williams 1986, Nature 323:533).

**Spiking units.** In step k, :math:`\hat v_k` is the potential before the reset, :math:`v_k` the
one after it, :math:`S_k` the spike, :math:`i_k` the synaptic current at the end of the step:

.. math::

    \hat v_k &= v_{rest} + d_m (v_{k-1} - v_{rest}) + p_{vi}\, i_{k-1} + c
                [+\, drive_k \text{ for delta synapses}] \\
    v_k &= \hat v_k (1 - S_k) + v_{reset} S_k \quad\text{or}\quad
           \hat v_k - (v_{th} - v_{reset}) S_k \\
    i_k &= d_s\, i_{k-1} + drive_k, \qquad
    drive_k = x_{k-\ell} w + S_{k-\ell'} w_{rec}

with delays of :math:`\ell` and :math:`\ell'` steps, 1 unless the layer says otherwise. A
refractory unit has :math:`\hat v_k = v_{k-1}` and no spike. From the last step to the first,
with :math:`A_k, I_k, D_k` the gradients by :math:`v_k, i_k, drive_k` and
:math:`\varphi_k` the surrogate for :math:`\partial S_k / \partial \hat v_k`:

.. math::

    g^S_k &= g^{out}_k + w_{rec} D_{k+\ell'}
             + A_k (v_{reset} - \hat v_k) \quad [\text{or } - A_k (v_{th} - v_{reset})] \\
    g_k &= g^v_k + A_k (1 - S_k)\;[\text{or } A_k] + \varphi_k\, g^S_k \\
    A_{k-1} &= d_m\, g_k, \qquad I_{k-1} = d_s I_k + p_{vi}\, g_k, \qquad
    D_k = I_k \;[\text{or } g_k \text{ for delta synapses}]

While refractory, :math:`A_{k-1} = g^v_k + A_k` and :math:`g_k = 0` elsewhere. The last term of
:math:`g^S_k` is the path through the reset; `detach_reset` leaves it out (Zenke & Vogels 2021,
Neural Comput. 33:899). Then :math:`\partial w = \sum_k x_{k-\ell}^T D_k`,
:math:`\partial w_{rec} = \sum_k S_{k-\ell'}^T D_k`, :math:`\partial b = \gamma \sum_k g_k` with
:math:`\gamma = (1 - d_m)\,\tau_m / c_m` the gain of a constant current over a step,
:math:`\partial x_{k-\ell} = D_k w^T` (Neftci, Mostafa & Zenke 2019, IEEE Signal Process. Mag.
36(6):51).

**Adaptive units** (:mod:`spikesim.neurons.adaptive_lif`) have the threshold :math:`v_{th} + a_k`,
with :math:`a_{k+1} = d_a a_k + \delta_a S_k`. With :math:`B_k` the gradient by :math:`a_k`, from
the last step to the first,

.. math::

    g^S_k \mathrel{+}= \delta_a B_{k+1}, \qquad B_k = d_a B_{k+1} - \varphi_k\, g^S_k

with the last term 0 while refractory. `detach_reset` leaves this path in: it is how such units
remember (Bellec et al. 2018, NeurIPS 31).

**Learnt units.** The propagators have the gradients :math:`\partial d_m = \sum_k g_k (v_{k-1} -
v_{rest})`, :math:`\partial p_{vi} = \sum_k g_k i_{k-1}`, :math:`\partial d_s = \sum_k I_k i_{k-1}`,
which become those of :math:`\ln\tau_m` and :math:`\ln\tau_{syn}` by the chain rule. With
:math:`x = (\hat v - v_{th} - a) / (v_{th} - v_{rest})`, :math:`\partial v_{th} = -\sum_k \varphi_k
g^S_k (1 + x_k)`, and :math:`-\sum_k A_k S_k` besides where the reset subtracts.

With :math:`S_k` replaced by the primitive of the surrogate in the forward run these are exact
derivatives; :func:`spikesim.learning.check_gradient` shows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from spikesim.layered import lif
from spikesim.layered.delay_lines import by_delay, sent_back
from spikesim.layered.forward import behind_delays, given_to_first, net_input
from spikesim.layered.lif_adjoint import Adjoint, adjoint
from spikesim.layered.network import Layer, LayeredNetwork
from spikesim.layered.packed import PackedSpikes
from spikesim.surrogates import Surrogate

__all__ = ["backward"]


def backward(
    network: LayeredNetwork,
    x: Any,
    traces: Sequence[Any],
    grad_output: np.ndarray | None,
    grad_v: np.ndarray | None,
    *,
    surrogate: Surrogate,
    detach_reset: bool = True,
    besides: Sequence[np.ndarray | None] | None = None,
) -> list[dict[str, np.ndarray]]:
    """Return the gradient by every trainable array.

    Parameters
    ----------
    network : LayeredNetwork
        The network.
    x : ndarray, shape (n_steps, n_trials, n_inputs), or PackedSpikes
        The input that gave `traces`.
    traces : sequence of Trace and SpikingTrace
        What :func:`~spikesim.layered.forward` returned.
    grad_output, grad_v : ndarray, shape (n_steps, n_trials, n_outputs), or None
        Gradient of the loss by `output` and by `v` of the last trace; None stands for zeros.
    surrogate : Surrogate
        Stands for the derivative of a spike.
    detach_reset : bool, default True
        Leave out the path through the reset.
    besides : sequence of ndarray or None, optional
        For each layer a gradient by its `output` that comes from elsewhere than the layer that
        follows, as that of a regulariser, shape (n_steps, n_trials, n_units).

    Returns
    -------
    list of dict
        For each layer the gradient by each array named in its ``trainable``, of equal shape.
        Gradients are summed over steps and trials.

    Raises
    ------
    ParameterError
        A spiking unit whose threshold is not above its rest: the surrogate has no scale.
    """
    gradients: list[dict[str, np.ndarray]] = []
    later: tuple[Layer, np.ndarray] | None = None
    for index in range(len(network.layers) - 1, -1, -1):
        layer, trace = network.layers[index], traces[index]
        before = traces[index - 1].passed_on if index else given_to_first(network, x)
        if besides is not None and besides[index] is not None:
            grad_output = besides[index] if grad_output is None else grad_output + besides[index]
        if layer.neuron.spiking:
            given = behind_delays(layer, before, network.dt)
            found = adjoint(
                layer, network.dt, given, trace, grad_output, grad_v, later, surrogate,
                detach_reset,
            )  # fmt: skip
            gradients.append(found.arrays)
            grad_output, later = None, (layer, found.arrived)
            steps = lif.delay_steps(layer, network.dt)
            if steps is not None:
                grad_output, later = _through_delays(layer, network.dt, steps, before, found), None
            elif index and not network.layers[index - 1].neuron.spiking:
                grad_output, later = _of_input(layer, network.dt, found.arrived), None
        else:
            if isinstance(before, PackedSpikes):
                before = before.unpack(layer.w.dtype)
            grad_u = _rate_adjoint(layer, trace, grad_output, grad_v)
            gradients.append(_rate_gradients(layer, before, grad_u))
            grad_output = _from_post(layer, grad_u * layer.steepness) if index else None
        grad_v = None
    return gradients[::-1]


def _through_delays(
    layer: Layer, dt: float, steps: np.ndarray, x: Any, found: Adjoint
) -> np.ndarray:
    """Add the gradient by the delays, if they are learnt; return that by what went into them."""
    grad = _of_input(layer, dt, found.arrived)
    if "delay" in layer.trainable:
        found.arrays["delay"] = (by_delay(x, grad, steps) / dt).astype(layer.w.dtype)
    return sent_back(grad, steps)


def _of_input(layer: Layer, dt: float, arrived: np.ndarray) -> np.ndarray:
    """Return the gradient by what a spiking layer is given, for any kind of units before it."""
    n_steps = arrived.shape[1]
    lag = min(lif.lags(layer, dt)[0], n_steps)
    grad = np.zeros((n_steps, arrived.shape[0], layer.n_pre), arrived.dtype)
    grad[: n_steps - lag] = _from_post(layer, arrived.transpose(1, 0, 2)[lag:])
    return grad


def _rate_adjoint(
    layer: Layer, trace: Any, grad_output: np.ndarray | None, grad_v: np.ndarray | None
) -> np.ndarray:
    if grad_output is None:
        return np.zeros(trace.v.shape) if grad_v is None else grad_v
    grad_u = grad_output * layer.neuron.derivative(trace.v, trace.output)
    return grad_u if grad_v is None else grad_u + grad_v


def _rate_gradients(layer: Layer, x: np.ndarray, grad_u: np.ndarray) -> dict[str, np.ndarray]:
    gradients = {}
    for name in layer.trainable:
        if name == "w":
            gradients[name] = _outer(x, grad_u) * layer.steepness
        elif name == "bias":
            gradients[name] = grad_u.sum(axis=(0, 1))
        elif name == "steepness":
            gradients[name] = (grad_u * net_input(layer, x)).sum(axis=(0, 1))
    return gradients


def _outer(pre: np.ndarray, post: np.ndarray) -> np.ndarray:
    """Return the sum over steps and trials of the outer products, shape (n_pre, n_post)."""
    return pre.reshape(-1, pre.shape[2]).T @ post.reshape(-1, post.shape[2])


def _from_post(layer: Layer, grad: np.ndarray) -> np.ndarray:
    """Carry a gradient from the units of a layer back to its inputs."""
    return (grad.reshape(-1, layer.n_post) @ layer.w.T).reshape(*grad.shape[:2], layer.n_pre)
