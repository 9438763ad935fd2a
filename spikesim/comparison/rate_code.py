"""One set of weights as rates and as spikes: how the two agree on Iris."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from spikesim import datasets
from spikesim.comparison.entries import contender
from spikesim.comparison.protocol import Budget, streams
from spikesim.comparison.runs import epochs_for
from spikesim.comparison.tasks import problem
from spikesim.layered import agreement
from spikesim.learning import fit

__all__ = ["rate_code"]

_WINDOWS = (10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0)
_CONTENDER = ("backpropagation", "rate")
_HIDDEN = 8


def rate_code(budget: Budget, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Train a sigmoid network on Iris and measure how far its spiking twin agrees with it.

    Parameters
    ----------
    budget : Budget
        Epochs of training.
    settings : mapping
        Tuned values: task, contender, setting.

    Returns
    -------
    dict
        ``windows`` (ms), and for regular and Poisson input spikes the fields of
        :class:`~spikesim.layered.Agreement` as lists. All flowers are used, since the question
        is whether two networks agree and not whether they are right.
    """
    data = datasets.iris()
    low, high = data.features.min(axis=0), data.features.max(axis=0)
    rates = (data.features - low) / (high - low)
    chosen = contender(*_CONTENDER)
    source = streams("rate_code", 0)
    assert chosen.build is not None
    plan = chosen.build(
        problem("iris", "rate"), _HIDDEN, settings["iris"][chosen.key], source.weights
    )
    trained = fit(
        plan.network, plan.rule, rates, data.labels, epochs=epochs_for("iris", budget),
        batch_size=plan.batch_size, seed=source.training, warn=False, progress=False,
    )  # fmt: skip
    windows = _WINDOWS[:3] if budget.name == "smoke" else _WINDOWS
    found: dict[str, Any] = {"windows": list(windows)}
    for mode in ("regular", "poisson"):
        result = agreement(trained.network, rates, windows, mode=mode, rng=source.training)
        found[mode] = {
            name: value.tolist() if isinstance(value, np.ndarray) else float(value)
            for name, value in vars(result).items()
            if name != "windows"
        }
    return found
