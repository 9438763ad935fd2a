"""What is left of a rate network on spikes, and how long they have to be counted for it.

Run ``python experiments/conversion.py``. Networks of ReLU and of sigmoid units learn handwritten
digits and are converted: the ReLU ones balanced over the training data by the largest output of a
layer or by a percentile. Digits they have not seen then come as spike trains, and the output
spikes are counted for longer and longer.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import spikesim as sp

MAX_RATE = 100.0


@dataclass(frozen=True)
class Config:
    """What is trained, converted and counted.

    Parameters
    ----------
    hidden : tuple of int
        Units of each hidden layer.
    epochs : int
        Epochs of training.
    n_training : int
        Digits to learn from; the others are the test.
    percentiles : tuple of float
        Of the outputs of a ReLU layer, one conversion for each.
    windows : tuple of int
        Counting windows, in spikes at the largest rate.
    seed : int
        Source of all randomness.
    """

    hidden: tuple[int, ...] = (64, 64)
    epochs: int = 60
    n_training: int = 1297
    percentiles: tuple[float, ...] = (100.0, 99.9, 99.0)
    windows: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
    seed: int = 1

    @classmethod
    def smoke(cls) -> Config:
        """Return the smallest run that touches everything."""
        return cls((3,), epochs=1, n_training=1780, percentiles=(100.0,), windows=(1, 2))


def run(config: Config) -> dict[str, Any]:
    """Train, convert and count.

    Returns
    -------
    dict
        ``windows``; ``rate``: accuracy of the rate network by its units; ``curves``: (units,
        percentile) to arrays of ``accuracy``, ``rms`` and ``bound`` over the windows, and
        ``plateau``, the error that stays.
    """
    data = sp.datasets.digits()
    features, labels = data.features / 16.0, data.labels
    order = np.random.default_rng(config.seed).permutation(len(labels))
    seen, unseen = order[: config.n_training], order[config.n_training :]
    found: dict[str, Any] = {"windows": np.array(config.windows), "rate": {}, "curves": {}}
    for unit in (sp.ReLU(), sp.Sigmoid()):
        name = type(unit).__name__
        network = sp.dense((64, *config.hidden, 10), unit, gain=2.0**0.5, rng=config.seed)
        if name == "ReLU":
            # Output units that start silent for all digits would never learn.
            *inner, last = network.layers
            network = network.updated([*inner, last.updated(bias=np.full(10, 2.0))])
        loss = sp.learning.CrossEntropy()
        rule = sp.learning.Backprop(loss=loss, optimiser=sp.learning.Adam(0.003))
        trained = sp.fit(
            network, rule, features[seen], labels[seen], epochs=config.epochs, batch_size=32,
            seed=config.seed, warn=False,
        ).network  # fmt: skip
        output = sp.layered.forward(trained, features[np.newaxis, unseen])[-1].output[0]
        found["rate"][name] = float(np.mean(output.argmax(axis=1) == labels[unseen]))
        for percentile in config.percentiles if name == "ReLU" else (100.0,):
            spiking = sp.layered.to_spiking(
                trained, features[seen], max_rate=MAX_RATE, percentile=percentile
            )
            windows = [n * spiking.dt for n in config.windows]
            agreement = sp.layered.agreement(
                trained, features[unseen], windows, max_rate=MAX_RATE, percentile=percentile,
                balance=features[seen],
            )  # fmt: skip
            found["curves"][name, percentile] = {
                "accuracy": _accuracy(spiking, features[unseen], labels[unseen], config.windows),
                "rms": agreement.rms,
                "plateau": agreement.plateau_rms,
                "bound": sp.layered.largest_count_error(spiking).max() / found["windows"],
            }
    return found


def _accuracy(
    spiking: sp.LayeredNetwork, features: np.ndarray, labels: np.ndarray, windows: tuple[int, ...]
) -> np.ndarray:
    """Return the share of digits whose output fires most, for each window."""
    wait = len(spiking.layers)
    duration = (max(windows) + wait) * spiking.dt
    encoder = sp.encoding.RateEncoder(duration, MAX_RATE, low=0.0, high=1.0)
    output = sp.layered.forward(spiking, encoder.encode(features, dt=spiking.dt))[-1].output
    counts = np.cumsum(output[wait:], axis=0)
    return np.array([np.mean(counts[n - 1].argmax(axis=1) == labels) for n in windows])


def draw(found: dict[str, Any], out: Path) -> Path:
    """Write the picture; return its path."""
    import matplotlib.pyplot as plt

    out.mkdir(parents=True, exist_ok=True)
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.0, 3.8), layout="constrained")
    windows = found["windows"]
    for index, ((name, percentile), curve) in enumerate(found["curves"].items()):
        label = f"{name}, {percentile:g} %" if name == "ReLU" else name
        style = {
            "color": sp.plotting.COLOURS[index],
            "marker": sp.plotting.MARKERS[index],
            "linestyle": sp.plotting.LINE_STYLES[index],
        }
        left.plot(windows, 100 * curve["accuracy"], label=label, **style)
        right.plot(windows, curve["rms"], label=label, **style)
    for name, line in zip(found["rate"], (":", "--"), strict=True):
        left.axhline(
            100 * found["rate"][name], color="0.5", linestyle=line, linewidth=1.0,
            label=f"{name} rate network",
        )  # fmt: skip
    first = found["curves"]["ReLU", 100.0]["rms"]
    right.plot(
        windows, first[-1] * windows[-1] / windows, color="0.5", linewidth=1.0, zorder=1.0,
        label="one over the window",
    )  # fmt: skip
    left.set_ylabel("right digits (%)")
    right.set_ylabel("error of a relative rate (rms)")
    right.set_yscale("log")
    for axes in (left, right):
        axes.set_xscale("log", base=2)
        axes.set_xlabel("counting window (spikes at the largest rate)")
        axes.legend(frameon=False, fontsize="small")
    path = out / "conversion.png"
    figure.savefig(path, dpi=150)
    plt.close(figure)
    return path


def main(argv: list[str] | None = None) -> None:
    """Run the experiment and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--out", type=Path, default=Path("results/conversion"), help="folder to write to"
    )
    parser.add_argument("--smoke", action="store_true", help="only try that it runs")
    args = parser.parse_args(argv)
    found = run(Config.smoke() if args.smoke else Config())
    print("units    percentile  window  right digits (%)  rms error   bound")
    for (name, percentile), curve in found["curves"].items():
        for n, accuracy, rms, bound in zip(
            found["windows"], curve["accuracy"], curve["rms"], curve["bound"], strict=True
        ):
            print(
                f"{name:7s}  {percentile:10g}  {n:6d}  {100 * accuracy:16.1f}  {rms:9.4f}  "
                f"{bound:6.3f}"
            )
        print(f"{name:7s}  {percentile:10g}  endless  {'':15s}  {curve['plateau']:9.4f}")
        print(f"{name:7s}  rate network     {100 * found['rate'][name]:17.1f}")
    print(draw(found, args.out))


if __name__ == "__main__":
    main()
