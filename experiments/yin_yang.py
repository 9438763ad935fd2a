"""How well exact gradients of spike times learn Yin-Yang, beside classical methods.

The published network of Wunderlich & Pehle (2021): five inputs that spike once, 200 hidden LIF
neurons and three outputs, in continuous time; the first output to fire names the class. It is
trained by EventProp on the published samples. Run ``python experiments/yin_yang.py``; a table is
printed, with classical methods beside it, and the course of the training drawn.
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import spikesim as sp
from spikesim.datasets import YIN_YANG_PARTS, yin_yang
from spikesim.encoding import LatencyEncoder
from spikesim.layered import Layer, LayeredNetwork
from spikesim.learning import Adam, EventProp, ExponentialDecay, FirstSpike, TimeToFirstSpikeLoss


@dataclass(frozen=True)
class Config:
    """What can be varied; times in ms.

    Parameters
    ----------
    seeds : tuple of int
        One run each: of its initial weights and of the order of the samples.
    n_hidden, epochs, batch_size : int
        Size of the hidden layer, passes through the samples, samples for each update.
    learning_rate, decay : float
        Of Adam, and the factor by which it falls from epoch to epoch.
    tau_m, tau_syn, t_max, duration : float
        Time constants, time of the latest input, length of a trial.
    hidden, output : tuple of float
        Mean and standard deviation of the initial weights; the output's for 200 hidden units.
    scale, late_cost, late_scale, bump, pull : float
        Of the loss and of the rule; `late_cost` as published, for a time that counts from 0.
    n_train : int
        How many of the 5,000 training samples are used.
    """

    seeds: tuple[int, ...] = tuple(range(10))
    n_hidden: int = 200
    epochs: int = 100
    batch_size: int = 32
    learning_rate: float = 5e-3
    decay: float = 0.95
    tau_m: float = 20.0
    tau_syn: float = 5.0
    t_max: float = 30.0
    duration: float = 60.0
    hidden: tuple[float, float] = (1.5, 0.78)
    output: tuple[float, float] = (0.93, 0.1)
    scale: float = 0.5
    late_cost: float = 3e-3
    late_scale: float = 6.4
    bump: float = 1e-3
    pull: float = 40.0
    n_train: int = 5000

    @classmethod
    def smoke(cls) -> Config:
        """Return the smallest run that touches everything."""
        return cls(seeds=(0, 1), n_hidden=10, epochs=2, n_train=40)


def network(config: Config, seed: int) -> LayeredNetwork:
    """Return the network before training."""
    rng = np.random.default_rng(seed)
    neuron, synapse = sp.LIF.normalised(config.tau_m), sp.Exponential(config.tau_syn)
    mean, sd = config.output
    mean *= 200 / config.n_hidden
    draws = (
        rng.normal(*config.hidden, (5, config.n_hidden)),
        rng.normal(mean, sd, (config.n_hidden, 3)),
    )
    layers = [Layer(w, neuron, None, synapse, trainable=("w",)) for w in draws]
    return LayeredNetwork(layers, continuous=True)


def run(config: Config) -> dict[str, Any]:
    """Train once for each seed.

    Returns
    -------
    dict
        ``accuracy`` on the test samples of each seed, ``history`` of the accuracy on the
        validation samples after each epoch, shape (n_seeds, n_epochs), the ``loss`` of the same
        shape, ``spikes`` a trial in the last epoch, median ``seconds`` an epoch, and
        ``classical`` methods by name.
    """
    train, validation, test = (
        yin_yang(*YIN_YANG_PARTS[part]) for part in ("train", "validation", "test")
    )
    rows = slice(config.n_train)
    features, labels = train.features[rows], train.labels[rows]
    encoder = LatencyEncoder(
        config.duration, config.t_max, low=0.0, high=1.0, bias_spike=True, early="low"
    )
    rule = EventProp(
        TimeToFirstSpikeLoss(
            config.scale,
            config.late_cost * math.exp(config.duration / config.late_scale),
            config.late_scale,
        ),
        Adam(ExponentialDecay(config.learning_rate, config.decay)),
        FirstSpike(),
        bump=config.bump,
        pull=config.pull,
    )
    found: dict[str, list] = {"accuracy": [], "history": [], "loss": [], "spikes": []}
    seconds: list[float] = []
    for seed in config.seeds:
        result = sp.fit(
            network(config, seed),
            rule,
            features,
            labels,
            encoder=encoder,
            epochs=config.epochs,
            batch_size=config.batch_size,
            seed=seed,
            validation=(validation.features, validation.labels),
        )
        found["accuracy"].append(result.score(test.features, test.labels))
        found["history"].append(result.history.validation_accuracy)
        found["loss"].append(result.history.loss)
        found["spikes"].append(result.history.spikes_per_trial[-1])
        seconds.extend(result.history.seconds)
    return {
        **{name: np.array(values) for name, values in found.items()},
        "seconds": float(np.median(seconds)),
        "classical": classical(features, labels, test),
    }


def classical(features: np.ndarray, labels: np.ndarray, test: Any) -> dict[str, float]:
    """Return the accuracy of methods without spikes on the same samples."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.svm import SVC

    methods = {
        "logistic regression": LogisticRegression(),
        "nearest neighbour": KNeighborsClassifier(1),
        "support vectors, C = 1000": SVC(C=1000.0),
    }
    return {
        name: float(method.fit(features, labels).score(test.features, test.labels))
        for name, method in methods.items()
    }


def draw(found: dict[str, Any], out: Path) -> Path:
    """Draw the accuracy on the validation samples of each run; return the path."""
    import matplotlib.pyplot as plt

    out.mkdir(parents=True, exist_ok=True)
    figure, ax = plt.subplots(layout="constrained")
    epochs = np.arange(1, found["history"].shape[1] + 1)
    for course in found["history"]:
        ax.plot(epochs, 100 * (1 - course), color=sp.plotting.COLOURS[0], alpha=0.5, linewidth=1)
    for name, accuracy in found["classical"].items():
        ax.axhline(100 * (1 - accuracy), color="0.5", linewidth=1, linestyle="--")
        ax.annotate(name, (epochs[-1], 100 * (1 - accuracy)), ha="right", va="bottom", fontsize=8)
    ax.set_yscale("log")
    ax.set_xlabel("epoch")
    ax.set_ylabel("errors (%), validation")
    path = out / "yin_yang.png"
    figure.savefig(path, dpi=150)
    plt.close(figure)
    return path


def main(argv: list[str] | None = None) -> None:
    """Run the experiment and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--out", type=Path, default=Path("results/yin_yang"), help="folder to write to"
    )
    parser.add_argument("--seeds", type=int, nargs="+", help="one run each (default: 0 to 9)")
    parser.add_argument("--hidden", type=int, help="hidden units (default: 200)")
    parser.add_argument("--epochs", type=int, help="passes through the samples (default: 100)")
    parser.add_argument("--smoke", action="store_true", help="only try that it runs")
    args = parser.parse_args(argv)
    if args.smoke:
        config = Config.smoke()
    else:
        given = {"seeds": args.seeds and tuple(args.seeds), "n_hidden": args.hidden,
                 "epochs": args.epochs}  # fmt: skip
        config = Config(**{name: value for name, value in given.items() if value is not None})
    found = run(config)
    accuracy = 100 * found["accuracy"]
    print(f"EventProp, 5-{config.n_hidden}-3, {config.epochs} epochs, test accuracy (%):")
    for seed, value, spikes in zip(config.seeds, accuracy, found["spikes"], strict=True):
        print(f"  seed {seed}: {value:.1f}, {spikes:.0f} spikes a trial")
    spread = f" +- {accuracy.std(ddof=1):.2f}" if len(accuracy) > 1 else ""
    print(f"  mean {accuracy.mean():.2f}{spread}; {found['seconds']:.2f} s an epoch")
    for name, value in found["classical"].items():
        print(f"{name}: {100 * value:.1f}")
    print(draw(found, args.out))
    numbers = {name: np.asarray(value).tolist() for name, value in found.items()
               if name != "classical"}  # fmt: skip
    (args.out / "yin_yang.json").write_text(
        json.dumps({"config": asdict(config), "classical": found["classical"], **numbers}, indent=1)
    )


if __name__ == "__main__":
    main()
