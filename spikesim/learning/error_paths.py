r"""Ways by which an error reaches the layers of a network, other than back through all of them.

Each is a pass back through a network of other weights than the one that ran forward. Where
nothing goes back through spikes, that pass is

.. math::

    \frac{\partial C}{\partial w_{ij}} = \sum_k c_{j,k}\, \hat\epsilon_{ij,k}

for a signal :math:`c_{j,k}` at unit j and the *eligibility* :math:`\hat\epsilon_{ij,k}`, which is
the derivative of the potential by the weight, given all spikes, those of the unit too:

.. math::

    \hat\epsilon_{ij,k} &= d_m\, \epsilon_{ij,k-1} + p_{vi}\, \iota_{i,k-1}
                           \;[+\, x_{i,k-1} \text{ for delta synapses}] \\
    \epsilon_{ij,k} &= \hat\epsilon_{ij,k} (1 - S_{j,k})
                       \quad\text{or, with reset by subtraction,}\quad \hat\epsilon_{ij,k} \\
    \iota_{i,k} &= d_s\, \iota_{i,k-1} + x_{i,k-1}

and stays as it is while the unit is refractory. A signal by way of the spikes of the unit is
:math:`c_{j,k} = g^S_{j,k} \varphi_{j,k}`. Spikes of an adaptive unit depend on its threshold too,
which remembers the weight by way of the spikes of that unit: in place of
:math:`\varphi_{j,k}\, \hat\epsilon_{ij,k}` there is

.. math::

    s_{ij,k} = \varphi_{j,k}\, (\hat\epsilon_{ij,k} - \epsilon^a_{ij,k}), \qquad
    \epsilon^a_{ij,k+1} = d_a\, \epsilon^a_{ij,k} + \delta_a\, s_{ij,k}
    = \varphi_{j,k}\, \delta_a\, \hat\epsilon_{ij,k}
      + (d_a - \varphi_{j,k}\, \delta_a)\, \epsilon^a_{ij,k}

(Bellec et al. 2020, Nat. Commun. 11:3625, Methods). A synapse can carry all this forward in time by
itself. Here, where the whole trial is at hand, the sum is taken in the other order: the signal is
carried back through membrane, threshold and synapse of its unit, which costs one number a unit in
place of one a synapse. Both give the same sum.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from spikesim.layered.backward import backward
from spikesim.layered.network import Layer, LayeredNetwork
from spikesim.surrogates import Surrogate

__all__ = [
    "Feedback",
    "around_cut",
    "by_direct_feedback",
    "by_own_errors",
    "random_around",
    "random_feedback",
    "with_feedback",
]

Arrays = list[dict[str, np.ndarray]]
Errors = tuple[np.ndarray | None, np.ndarray | None]


class Feedback(NamedTuple):
    """Weights by which errors get to a layer and round within it; None for its own ones."""

    w: np.ndarray | None
    w_rec: np.ndarray | None


def random_feedback(
    rng: np.random.Generator, shape: tuple[int, int], like: np.ndarray
) -> np.ndarray:
    """Return weights for errors: normal, mean 0, as large as the weights `like`.

    Their standard deviation is the root mean square of `like`, so that they have its unit too;
    1 / sqrt(n_pre) if all of `like` is zero.
    """
    size = math.sqrt(float(np.mean(np.square(like, dtype=np.float64))))
    return _frozen(rng.standard_normal(shape) * (size or len(like) ** -0.5), like.dtype)


def random_around(rng: np.random.Generator, layer: Layer) -> np.ndarray | None:
    """Return random weights in place of the recurrent ones of a layer, None if it has none."""
    return None if layer.w_rec is None else random_feedback(rng, layer.w_rec.shape, layer.w_rec)


def around_cut(layer: Layer) -> np.ndarray | None:
    """Return zeros in place of the recurrent weights of a layer, None if it has none."""
    return None if layer.w_rec is None else _frozen(np.zeros(layer.w_rec.shape), layer.w.dtype)


def with_feedback(layer: Layer, feedback: Feedback) -> Layer:
    """Return what errors go back through: the layer with the weights of its feedback."""
    arrays = {name: array for name, array in feedback._asdict().items() if array is not None}
    return layer.updated(**arrays) if arrays else layer


def by_direct_feedback(
    network: LayeredNetwork,
    feedback: Sequence[Feedback],
    x: Any,
    traces: Sequence[Any],
    errors: Errors,
    **options: Any,
) -> Arrays:
    """Return what each layer makes of the errors of the output, sent to it directly.

    Parameters
    ----------
    network : LayeredNetwork
        The network.
    feedback : sequence of Feedback
        One a layer; `w` leads from the output to a hidden layer, shape (n_post, n_outputs).
    x : ndarray or PackedSpikes
        The input that gave `traces`.
    traces : sequence of Trace and SpikingTrace
        What the forward run left.
    errors : tuple of two ndarrays or None
        Derivatives of the loss by output and v of the last layer.
    **options
        Of :func:`~spikesim.layered.backward`.
    """
    *hidden, output = network.layers
    sources = [x, *(trace.passed_on for trace in traces)]
    output = with_feedback(output, Feedback(None, feedback[-1].w_rec))
    if not hidden:
        return backward(replace(network, layers=(output,)), x, traces, *errors, **options)
    found: Arrays = []
    for index, layer in enumerate(hidden):
        # For the way back this layer is followed by the output, whatever lies between them.
        near = with_feedback(layer, Feedback(None, feedback[index].w_rec))
        last = index + 1 == len(hidden)
        trainable = output.trainable if last else ()
        end = replace(output, w=feedback[index].w, trainable=trainable)
        pair = replace(network, layers=(near, end))
        both = (traces[index], traces[-1])
        gradients = backward(pair, sources[index], both, *errors, **options)
        found += gradients if last else gradients[:1]
    return found


def by_own_errors(
    network: LayeredNetwork,
    x: Any,
    traces: Sequence[Any],
    errors: Sequence[Errors],
    surrogate: Surrogate,
) -> Arrays:
    """Return for each layer the sum of its signal times its eligibilities.

    Parameters
    ----------
    network : LayeredNetwork
        The network.
    x : ndarray or PackedSpikes
        The input that gave `traces`.
    traces : sequence of Trace and SpikingTrace
        What the forward run left.
    errors : sequence of tuple of two ndarrays or None
        For each layer the derivatives of its loss by its output, which makes a signal by way of
        `surrogate`, and by its v, which is one.
    surrogate : Surrogate
        Stands for the derivative of a spike.
    """
    sources = [x, *(trace.passed_on for trace in traces)]
    found: Arrays = []
    for index, layer in enumerate(network.layers):
        alone = with_feedback(layer, Feedback(None, around_cut(layer)))
        found += backward(
            replace(network, layers=(alone,)),
            sources[index],
            traces[index : index + 1],
            *errors[index],
            surrogate=surrogate,
        )
    return found


def _frozen(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    array = array.astype(dtype, copy=False)
    array.flags.writeable = False
    return array
