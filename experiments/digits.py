"""Handwritten digits by a spiking network, beside an MLP of the same size.

Three networks of 64-64-10: scikit-learn's ``MLPClassifier``, rate units trained by the same
backpropagation as the spiking ones, and LIF units, which see a pixel as the rate of a short regular
spike train and answer by the mean potential of their outputs. A third of scikit-learn's 1,797
digits, drawn by class, is the test. Of the others a quarter says which settings are best: each
network has the same number of draws of a learning rate, a weight decay and a third setting. The
best of them trains on all but the test, from one initial state for each seed. Run
``python experiments/digits.py``; a table is printed, and the accuracy of each seed drawn.
"""

from __future__ import annotations

import argparse
import json
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import spikesim as sp
from spikesim.encoding import Analog, RateEncoder
from spikesim.learning import AdamW, Backprop, CrossEntropy, MeanMembrane

NETWORKS = ("MLP", "rate", "spiking")
RATES, DECAYS = (1e-3, 3e-2), (1e-5, 1.0)
# What is drawn: evenly in the logarithm between two numbers, or one of two names.
SPACE: dict[str, dict[str, tuple]] = {
    "MLP": {"learning_rate": RATES, "weight_decay": DECAYS, "activation": ("relu", "tanh")},
    "rate": {"learning_rate": RATES, "weight_decay": DECAYS, "gain": (0.5, 3.0)},
    "spiking": {"learning_rate": RATES, "weight_decay": DECAYS, "gain": (1.0, 20.0)},
}


@dataclass(frozen=True)
class Config:
    """What can be varied.

    Parameters
    ----------
    seeds : tuple of int
        One run each: of its initial weights and of the order of the samples.
    n_hidden, epochs, batch_size : int
        Size of the hidden layer, passes through the samples, samples for each update.
    n_settings, n_choosing : int
        Draws of settings for each network, and runs by which they are compared.
    n_samples : int
        Digits that are used.
    duration : float
        Length of a trial of the spiking network (ms).
    """

    seeds: tuple[int, ...] = tuple(range(10))
    n_hidden: int = 64
    epochs: int = 60
    batch_size: int = 32
    n_settings: int = 12
    n_choosing: int = 2
    n_samples: int = 1797
    duration: float = 30.0

    @classmethod
    def smoke(cls) -> Config:
        """Return the smallest run that touches everything."""
        return cls(
            (0, 1), n_hidden=8, epochs=2, n_settings=2, n_choosing=1, n_samples=100, duration=10.0
        )


def run(config: Config) -> dict[str, Any]:
    """Choose settings and train, for each network.

    Returns
    -------
    dict
        By the name of the network a dict of ``settings``, their ``validation`` accuracy, and
        ``accuracy``, that on the test samples for each seed.
    """
    from sklearn.model_selection import train_test_split

    data = sp.datasets.digits().take(np.arange(config.n_samples))
    rest, test = train_test_split(
        np.arange(config.n_samples), test_size=1 / 3, random_state=0, stratify=data.labels
    )
    train, validation = train_test_split(
        rest, test_size=1 / 4, random_state=0, stratify=data.labels[rest]
    )
    # Seeds of the choice are none of those that are reported.
    others = [max(config.seeds) + 1 + i for i in range(config.n_choosing)]
    found = {}
    for name in NETWORKS:
        draws = _draws(SPACE[name], config.n_settings)
        scores = [
            float(np.mean([score(name, s, config, data, train, validation, o) for o in others]))
            for s in draws
        ]
        best = int(np.argmax(scores))
        accuracy = [score(name, draws[best], config, data, rest, test, s) for s in config.seeds]
        found[name] = {
            "settings": draws[best], "validation": scores[best], "accuracy": accuracy
        }  # fmt: skip
    return found


def score(
    name: str,
    settings: dict[str, float],
    config: Config,
    data: Any,
    train: np.ndarray,
    test: np.ndarray,
    seed: int,
) -> float:
    """Train a network on the samples `train`; return the share of right ones among `test`."""
    from sklearn.exceptions import ConvergenceWarning

    features, labels = data.features / 16.0, data.labels
    if name == "MLP":
        mlp = _mlp(settings, config, seed)
        with warnings.catch_warnings():
            # It warns whenever the epochs that it was given are over.
            warnings.simplefilter("ignore", ConvergenceWarning)
            mlp.fit(features[train], labels[train])
        return float(mlp.score(features[test], labels[test]))
    make = _spiking if name == "spiking" else _rate
    network, encoder, readout = make(config, settings["gain"], seed)
    optimiser = AdamW(settings["learning_rate"], weight_decay=settings["weight_decay"])
    result = sp.fit(
        network,
        Backprop(CrossEntropy(), optimiser, readout),
        features[train],
        labels[train],
        encoder=encoder,
        epochs=config.epochs,
        batch_size=config.batch_size,
        seed=seed,
        warn=False,
    )
    return float(result.score(features[test], labels[test]))


def _mlp(settings: dict[str, Any], config: Config, seed: int) -> Any:
    """Return scikit-learn's network, to be trained for as many epochs as the others."""
    from sklearn.neural_network import MLPClassifier

    return MLPClassifier(
        (config.n_hidden,),
        settings["activation"],
        alpha=settings["weight_decay"],
        batch_size=config.batch_size,
        learning_rate_init=settings["learning_rate"],
        max_iter=config.epochs,
        n_iter_no_change=config.epochs + 1,
        random_state=seed,
    )


def _rate(config: Config, gain: float, seed: int) -> tuple[sp.LayeredNetwork, Any, Any]:
    """Return rate units, as they are before training."""
    network = sp.dense(
        (64, config.n_hidden, 10), sp.Tanh(), output=sp.Sigmoid(), gain=gain, rng=seed
    )
    return network, Analog(), None


def _spiking(config: Config, gain: float, seed: int) -> tuple[sp.LayeredNetwork, Any, Any]:
    """Return LIF units, as they are before training; the outputs do not fire."""
    network = sp.dense(
        (64, config.n_hidden, 10),
        sp.LIF.normalised(10.0),
        output=sp.LIF.non_spiking(10.0),
        synapse=sp.Exponential(5.0),
        gain=gain,
        precision="single",
        rng=seed,
    )
    encoder = RateEncoder(config.duration, max_rate=200.0, low=0.0, high=1.0)
    return network, encoder, MeanMembrane()


def _draws(space: dict[str, tuple], n: int) -> list[dict[str, Any]]:
    rng = np.random.default_rng(0)
    draws: list[dict[str, Any]] = []
    for place in rng.random((n, len(space))):
        one = {}
        for (key, (low, high)), u in zip(space.items(), place, strict=True):
            if isinstance(low, str):
                one[key] = (low, high)[int(2 * u)]
            else:
                one[key] = float(low * (high / low) ** u)
        draws.append(one)
    return draws


def draw(found: dict[str, Any], out: Path) -> Path:
    """Draw the accuracy of each seed; return the path."""
    import matplotlib.pyplot as plt

    out.mkdir(parents=True, exist_ok=True)
    figure, ax = plt.subplots(figsize=(5.0, 3.2), layout="constrained")
    for place, one in enumerate(found.values()):
        accuracy = 100 * np.array(one["accuracy"])
        spread = np.linspace(-0.15, 0.15, len(accuracy))
        ax.plot(place + spread, accuracy, "o", color=sp.plotting.COLOURS[place], alpha=0.7)
        ax.hlines(accuracy.mean(), place - 0.3, place + 0.3, color="0.2", linewidth=1.5)
    ax.set_xticks(range(len(found)), list(found))
    ax.set_ylabel("accuracy on the test digits (%)")
    ax.set_xlabel("network; a point for each seed, a line for the mean", fontsize=9)
    path = out / "digits.png"
    figure.savefig(path, dpi=150)
    plt.close(figure)
    return path


def main(argv: list[str] | None = None) -> None:
    """Run the experiment and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--out", type=Path, default=Path("results/digits"), help="folder to write to"
    )
    parser.add_argument("--smoke", action="store_true", help="only try that it runs")
    args = parser.parse_args(argv)
    config = Config.smoke() if args.smoke else Config()
    found = run(config)
    reference = np.mean(found["MLP"]["accuracy"])
    print(f"64-{config.n_hidden}-10, {config.epochs} epochs, {len(config.seeds)} seeds")
    print("network   test accuracy (%)   less the MLP's   validation   settings")
    for name, one in found.items():
        accuracy = np.array(one["accuracy"])
        settings = ", ".join(
            f"{key} {value if isinstance(value, str) else format(value, '.3g')}"
            for key, value in one["settings"].items()
        )
        print(
            f"{name:8s}  {100 * accuracy.mean():8.2f} +- {100 * accuracy.std(ddof=1):.2f}   "
            f"{100 * (accuracy.mean() - reference):+14.2f}   {100 * one['validation']:10.2f}   "
            f"{settings}"
        )
    print(draw(found, args.out))
    (args.out / "digits.json").write_text(json.dumps({"config": asdict(config), **found}, indent=1))


if __name__ == "__main__":
    main()
