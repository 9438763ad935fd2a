"""Draw six of the data sets: ``python docs/build_datasets.py`` writes images/datasets.png."""

from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt

from spikesim import datasets

PICTURE = Path(__file__).parent / "images" / "datasets.png"
COLOURS = np.array(["#0072b2", "#e69f00", "#009e73"])


def main() -> None:
    """Draw three tables in the plane, and three tasks in time."""
    figure, axes = plt.subplots(2, 3, figsize=(9.0, 5.6), layout="constrained")
    planes = {
        "two spirals": datasets.two_spirals(),
        "two moons": datasets.two_moons(),
        "Yin-Yang": datasets.yin_yang(1000, 42),
    }
    for ax, (name, data) in zip(axes[0], planes.items(), strict=True):
        ax.scatter(*data.features[:, :2].T, s=5, c=COLOURS[data.labels])
        ax.set(title=name, aspect="equal", xticks=[], yticks=[])
    curves = datasets.mnist_1d(100)
    ax = axes[1, 0]
    for digit in range(10):
        ax.plot(curves.features[np.flatnonzero(curves.labels == digit)[0]] - 5 * digit, lw=1)
    ax.set(title="MNIST-1D, one of each class", xticks=[], yticks=[])
    trials = {
        "temporal XOR, one trial": (datasets.temporal_xor(), [0]),
        "timing only, 3 trials a class": (datasets.timing_only(), None),
    }
    for ax, (name, (data, chosen)) in zip(axes[1, 1:], trials.items(), strict=True):
        if chosen is None:
            chosen = np.concatenate([np.flatnonzero(data.labels == c)[:3] for c in (0, 1)])
        for place, trial in enumerate(chosen):
            step, line = np.nonzero(data.spikes[:, trial])
            colour = COLOURS[data.labels[trial]]
            ax.scatter((step + 1) * data.dt, line + 12 * place, s=5, marker="|", c=colour)
        ax.set(title=name, xlabel="time (ms)", yticks=[], ylabel="line", xlim=(0, data.duration))
    figure.savefig(PICTURE, dpi=110)


if __name__ == "__main__":
    main()
