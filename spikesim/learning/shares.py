"""How a learning rule divides its change among the units of a layer."""

from __future__ import annotations

from typing import Any

import numpy as np

from spikesim import _check
from spikesim.errors import ParameterError
from spikesim.layered.forward import checked_x
from spikesim.layered.network import LayeredNetwork
from spikesim.learning.inputs import check_rule, checked_labels

__all__ = ["update_shares"]


@_check.suggest_keywords
def update_shares(rule: Any, network: LayeredNetwork, x: Any, labels: Any) -> np.ndarray:
    r"""Return the share of a rule's change that each unit of the first trained layer gets.

    .. math:: share_j = \frac{\lVert \Delta w_j \rVert}{\sum_k \lVert \Delta w_k \rVert}

    in one step of the rule from its initial state, with all that leads into a unit taken as one
    vector: its column of ``w``, its ``bias`` and, in a recurrent layer, its column of ``w_rec``;
    not its steepness. The layer is the first that trains any of these three. One unit with a share
    near 1 is what a rule of least disturbance does; equal shares mean that the whole layer moves.
    The trials of `x` make one batch: give one trial to see the change that it alone causes. The
    change is that of the stored weights: one below their last digit is none.

    Parameters
    ----------
    rule : LearningRule
        Any.
    network : LayeredNetwork
        Never modified.
    x : array_like, shape (n_steps, n_trials, n_inputs)
        Encoded inputs.
    labels : array_like of int, shape (n_trials,)
        Class of each trial.

    Returns
    -------
    ndarray, shape (n_post,)
        They sum to 1; all zero when no unit of the layer changed.

    Raises
    ------
    ParameterError, ParameterTypeError
        As :func:`~spikesim.learning.fit`; and a network that trains no ``w``, ``bias`` or
        ``w_rec``.
    """
    check_rule("update_shares.rule", rule)
    _check.instance("update_shares.network", network, LayeredNetwork, "a LayeredNetwork")
    x = checked_x("update_shares.x", x, network)
    classes = checked_labels("update_shares.labels", labels, x.shape[1], network)
    incoming = {"w", "bias", "w_rec"}
    index = next(
        (i for i, one in enumerate(network.layers) if incoming & one.parameters().keys()), None
    )
    if index is None:
        raise ParameterError("update_shares.network has no layer with trainable w, bias or w_rec")
    after = rule.step(network, rule.init(network), x, classes)[0].layers[index]
    before = network.layers[index]
    moved = np.vstack([after.w - before.w, after.bias - before.bias])
    if before.w_rec is not None:
        moved = np.vstack([moved, after.w_rec - before.w_rec])
    # Relative to the largest change, so that the squares of tiny ones do not vanish.
    largest = np.abs(moved).max()
    if largest == 0.0:
        return np.zeros(before.n_post)
    lengths = np.linalg.norm(moved / largest, axis=0)
    return lengths / lengths.sum()
