"""Whether a sigmoid network and its spiking twin with the same weights decide alike.

Run ``python experiments/rate_code.py``. Sigmoid networks of several steepnesses are trained on
Iris; each is then run on LIF neurons whose inputs fire at the rates of the features and whose
output spikes are counted, for longer and longer.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import spikesim as sp


@dataclass(frozen=True)
class Config:
    """What is trained and counted.

    Parameters
    ----------
    hidden : int
        Hidden units.
    steepness : tuple of float
        Steepness of the sigmoid units, one network for each.
    epochs : int
        Epochs of training.
    windows : tuple of float
        Counting windows (ms).
    n_repeats : int
        Draws of each sample with Poisson input.
    seed : int
        Source of all randomness.
    """

    hidden: int = 8
    steepness: tuple[float, ...] = (1.0, 4.0)
    epochs: int = 100
    windows: tuple[float, ...] = (10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0)
    n_repeats: int = 10
    seed: int = 1

    @classmethod
    def smoke(cls) -> Config:
        """Return the smallest run that touches everything."""
        return cls(hidden=2, steepness=(1.0,), epochs=2, windows=(10.0, 20.0), n_repeats=1)


def run(config: Config) -> dict[str, Any]:
    """Train and compare.

    Returns
    -------
    dict
        ``windows``, and ``agreement``: (steepness, input spikes) to an
        :class:`spikesim.layered.Agreement`.
    """
    data = sp.datasets.iris()
    low, high = data.features.min(axis=0), data.features.max(axis=0)
    rates = (data.features - low) / (high - low)
    found = {}
    for steepness in config.steepness:
        network = sp.dense(
            (4, config.hidden, 3), sp.Sigmoid(steepness), bias_sd=1.0, rng=config.seed
        )
        rule = sp.learning.Backprop(optimiser=sp.learning.Adam(0.05))
        trained = sp.fit(
            network, rule, rates, data.labels, epochs=config.epochs, batch_size=16,
            seed=config.seed,
        )  # fmt: skip
        for mode in ("regular", "poisson"):
            found[steepness, mode] = sp.layered.agreement(
                trained.network, rates, config.windows, mode=mode, rng=config.seed,
                n_repeats=config.n_repeats,
            )  # fmt: skip
    return {"windows": np.array(config.windows), "agreement": found}


def draw(found: dict[str, Any], out: Path) -> Path:
    """Write the picture; return its path."""
    import matplotlib.pyplot as plt

    out.mkdir(parents=True, exist_ok=True)
    figure, ax = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
    for index, ((steepness, mode), result) in enumerate(found["agreement"].items()):
        ax.plot(
            found["windows"], 100 * result.share, color=sp.plotting.COLOURS[index],
            marker=sp.plotting.MARKERS[index], linestyle=sp.plotting.LINE_STYLES[index],
            label=f"steepness {steepness:g}, {mode} input",
        )  # fmt: skip
    ax.set_xscale("log")
    ax.set_xlabel("counting window (ms)")
    ax.set_ylabel("same decision (%)")
    ax.legend(frameon=False, fontsize="small")
    path = out / "rate_code.png"
    figure.savefig(path, dpi=150)
    plt.close(figure)
    return path


def main(argv: list[str] | None = None) -> None:
    """Run the experiment and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--out", type=Path, default=Path("results/rate_code"), help="folder to write to"
    )
    parser.add_argument("--smoke", action="store_true", help="only try that it runs")
    args = parser.parse_args(argv)
    found = run(Config.smoke() if args.smoke else Config())
    print("steepness  input     window (ms)  same decision (%)  rms difference")
    for (steepness, mode), result in found["agreement"].items():
        for window, share, rms in zip(result.windows, result.share, result.rms, strict=True):
            print(f"{steepness:9g}  {mode:8s}  {window:11g}  {100 * share:17.1f}  {rms:14.3f}")
        print(
            f"{steepness:9g}  {mode:8s}      endless  {100 * result.plateau_share:17.1f}  "
            f"{result.plateau_rms:14.3f}"
        )
    print(draw(found, args.out))


if __name__ == "__main__":
    main()
