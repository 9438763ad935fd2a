"""Yin-Yang by exact gradients of spike times, and by surrogate gradients beside them.

The published network of Wunderlich & Pehle (2021): five inputs that spike once, 200 hidden LIF
neurons and three outputs. EventProp trains it in continuous time, where the first output to fire
names the class; surrogate gradients on a grid of 0.5 ms, where the highest potential does. Units
that fire once, trained by SpikeProp, have delays to learn beside their weights, twice as many
numbers for as many units: they need few (``--methods once --hidden 30``). All have the published
samples, the same number of passes, and keep the weights of the epoch that does best on the
validation samples. Run ``python experiments/yin_yang.py``; a table is printed, with classical
methods beside it, and the course of the training drawn.
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
from spikesim.learning import (
    Adam,
    Backprop,
    CrossEntropy,
    EarlyStopping,
    EventProp,
    ExponentialDecay,
    FirstSpike,
    MaxMembrane,
    SpikeProp,
    TimeToFirstSpikeLoss,
)


@dataclass(frozen=True)
class Exact:
    """EventProp in continuous time; times in ms.

    Learning rate and pull are the best of nine pairs (0.005, 0.01, 0.02; 0, 30, 100) on the
    validation samples, by seeds 100 and 101 after 25 epochs.

    Parameters
    ----------
    learning_rate, decay : float
        Of Adam, and the factor by which it falls from epoch to epoch.
    tau_m, tau_syn, duration : float
        Time constants, length of a trial.
    hidden, output : tuple of float
        Mean and standard deviation of the initial weights; the output's for 200 hidden units.
    scale, late_cost, late_scale, bump, pull : float
        Of the loss and of the rule; `late_cost` as published, for a time that counts from 0.
    """

    learning_rate: float = 1e-2
    decay: float = 0.95
    tau_m: float = 20.0
    tau_syn: float = 5.0
    duration: float = 60.0
    hidden: tuple[float, float] = (1.5, 0.78)
    output: tuple[float, float] = (0.93, 0.1)
    scale: float = 0.5
    late_cost: float = 3e-3
    late_scale: float = 6.4
    bump: float = 1e-3
    pull: float = 100.0

    def network(self, n_hidden: int, rng: np.random.Generator) -> LayeredNetwork:
        """Return the network before training."""
        neuron, synapse = sp.LIF.normalised(self.tau_m), sp.Exponential(self.tau_syn)
        mean, sd = self.output
        draws = (
            rng.normal(*self.hidden, (5, n_hidden)),
            rng.normal(mean * 200 / n_hidden, sd, (n_hidden, 3)),
        )
        layers = [Layer(w, neuron, None, synapse, trainable=("w",)) for w in draws]
        return LayeredNetwork(layers, continuous=True)

    def rule(self) -> EventProp:
        """Return the rule."""
        late_cost = self.late_cost * math.exp(self.duration / self.late_scale)
        return EventProp(
            TimeToFirstSpikeLoss(self.scale, late_cost, self.late_scale),
            Adam(ExponentialDecay(self.learning_rate, self.decay)),
            FirstSpike(),
            bump=self.bump,
            pull=self.pull,
        )


@dataclass(frozen=True)
class Surrogate:
    """Surrogate gradients on a grid; times in ms. Found by a search on the validation samples.

    Parameters
    ----------
    learning_rate, decay, tau_syn, duration
        As in :class:`Exact`.
    tau_hidden, tau_output, dt : float
        Time constants of both layers, time step.
    hidden, output : tuple of float
        As in :class:`Exact`.
    slope, scale : float
        Of the surrogate, and of the scores in the loss.
    """

    learning_rate: float = 5e-3
    decay: float = 0.96
    tau_hidden: float = 10.0
    tau_output: float = 40.0
    tau_syn: float = 5.0
    dt: float = 0.5
    duration: float = 45.0
    hidden: tuple[float, float] = (1.02, 1.74)
    output: tuple[float, float] = (0.0, 0.275)
    slope: float = 9.0
    scale: float = 2.5

    def network(self, n_hidden: int, rng: np.random.Generator) -> LayeredNetwork:
        """Return the network before training."""
        synapse = sp.Exponential(self.tau_syn)
        mean, sd = self.output
        layers = [
            Layer(
                rng.normal(*self.hidden, (5, n_hidden)),
                sp.LIF.normalised(self.tau_hidden),
                None,
                synapse,
            ),
            Layer(
                rng.normal(mean, sd * math.sqrt(200 / n_hidden), (n_hidden, 3)),
                sp.LIF.non_spiking(self.tau_output),
                None,
                synapse,
            ),
        ]
        return LayeredNetwork(layers, self.dt, "single")

    def rule(self) -> Backprop:
        """Return the rule."""
        return Backprop(
            CrossEntropy(self.scale),
            Adam(ExponentialDecay(self.learning_rate, self.decay)),
            MaxMembrane(),
            sp.FastSigmoid(self.slope),
        )


@dataclass(frozen=True)
class Once:
    """SpikeProp with units that fire once, and delays; times in ms.

    Settings were chosen on the validation samples, with 30 hidden units and another seed.

    Parameters
    ----------
    learning_rate, decay, tau_m, tau_syn, duration, hidden, output, scale, bump, pull
        As in :class:`Exact`; the bump and the pull are those of this rule.
    delay : float
        Delays start between 0 and this.
    """

    learning_rate: float = 2e-2
    decay: float = 0.95
    tau_m: float = 20.0
    tau_syn: float = 5.0
    duration: float = 80.0
    hidden: tuple[float, float] = (1.5, 0.78)
    output: tuple[float, float] = (0.93, 0.1)
    scale: float = 0.2
    bump: float = 1e-3
    pull: float = 1.0
    delay: float = 15.0

    def network(self, n_hidden: int, rng: np.random.Generator) -> LayeredNetwork:
        """Return the network before training."""
        neuron = sp.LIF.normalised(self.tau_m, t_ref=self.duration)
        synapse = sp.Exponential(self.tau_syn)
        mean, sd = self.output
        few = 200 / n_hidden
        draws = (
            rng.normal(*self.hidden, (5, n_hidden)),
            rng.normal(mean * few, sd * math.sqrt(few), (n_hidden, 3)),
        )
        layers = [
            Layer(
                w,
                neuron,
                None,
                synapse,
                trainable=("w", "delay"),
                delay=rng.uniform(0.0, self.delay, w.shape),
            )
            for w in draws
        ]
        return LayeredNetwork(layers, continuous=True)

    def rule(self) -> SpikeProp:
        """Return the rule."""
        return SpikeProp(
            CrossEntropy(1.0 / self.scale),
            Adam(ExponentialDecay(self.learning_rate, self.decay)),
            FirstSpike(),
            bump=self.bump,
            pull=self.pull,
        )


METHODS = {"exact": Exact(), "surrogate": Surrogate(), "once": Once()}
LABELS = {
    "exact": "exact gradients",
    "surrogate": "surrogate gradients",
    "once": "first spikes and delays",
}


@dataclass(frozen=True)
class Config:
    """What can be varied.

    Parameters
    ----------
    methods : tuple of {"exact", "surrogate", "once"}
        Which gradients, of which units.
    seeds : tuple of int
        One run each: of its initial weights and of the order of the samples.
    n_hidden, epochs, batch_size : int
        Size of the hidden layer, passes through the samples, samples for each update.
    t_max : float
        Time of the latest input (ms).
    n_train : int
        How many of the 5,000 training samples are used.
    """

    methods: tuple[str, ...] = ("exact", "surrogate")
    seeds: tuple[int, ...] = tuple(range(10))
    n_hidden: int = 200
    epochs: int = 100
    batch_size: int = 32
    t_max: float = 30.0
    n_train: int = 5000

    @classmethod
    def smoke(cls) -> Config:
        """Return the smallest run that touches everything."""
        return cls(tuple(METHODS), seeds=(0, 1), n_hidden=10, epochs=2, n_train=40)


def run(config: Config) -> dict[str, Any]:
    """Train once for each method and seed.

    Returns
    -------
    dict
        For each method a dict of the ``accuracy`` on the test samples of each seed, ``history`` of
        the accuracy on the validation samples after each epoch, shape (n_seeds, n_epochs), the
        ``loss`` of the same shape, ``spikes`` a trial in the last epoch, and median ``seconds`` an
        epoch; under ``classical`` the accuracy of other methods by name.
    """
    train, validation, test = (
        yin_yang(*YIN_YANG_PARTS[part]) for part in ("train", "validation", "test")
    )
    rows = slice(config.n_train)
    features, labels = train.features[rows], train.labels[rows]
    found: dict[str, Any] = {"classical": classical(features, labels, test)}
    for name in config.methods:
        method = METHODS[name]
        encoder = LatencyEncoder(
            method.duration, config.t_max, low=0.0, high=1.0, bias_spike=True, early="low"
        )
        results = [
            sp.fit(
                method.network(config.n_hidden, np.random.default_rng(seed)),
                method.rule(),
                features,
                labels,
                encoder=encoder,
                epochs=config.epochs,
                batch_size=config.batch_size,
                seed=seed,
                validation=(validation.features, validation.labels),
                # All epochs are run; the weights of the best are kept.
                until=EarlyStopping(config.epochs, "accuracy"),
            )
            for seed in config.seeds
        ]
        found[name] = {
            "accuracy": [one.score(test.features, test.labels) for one in results],
            "history": [one.history.validation_accuracy.tolist() for one in results],
            "loss": [one.history.loss.tolist() for one in results],
            "spikes": [float(one.history.spikes_per_trial[-1]) for one in results],
            "seconds": float(np.median([one.history.seconds for one in results])),
        }
    return found


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
    """Draw the errors on the validation samples of each run; return the path."""
    import matplotlib.pyplot as plt

    out.mkdir(parents=True, exist_ok=True)
    figure, ax = plt.subplots(layout="constrained")
    methods = [name for name in found if name != "classical"]
    for name, colour in zip(methods, sp.plotting.COLOURS, strict=False):
        courses = 100 * (1 - np.array(found[name]["history"]))
        epochs = np.arange(1, courses.shape[1] + 1)
        ax.plot(epochs, courses.T, color=colour, alpha=0.25, linewidth=0.8)
        ax.plot(epochs, courses.mean(axis=0), color=colour, linewidth=2, label=LABELS[name])
    for name, accuracy in found["classical"].items():
        ax.axhline(100 * (1 - accuracy), color="0.5", linewidth=1, linestyle="--")
        ax.annotate(name, (epochs[-1], 100 * (1 - accuracy)), ha="right", va="bottom", fontsize=8)
    ax.set_yscale("log")
    ax.set_yticks([0.5, 1, 2, 5, 10, 20, 50], ["0.5", "1", "2", "5", "10", "20", "50"])
    ax.set_xlabel("epoch")
    ax.set_ylabel("errors (%) on the validation samples")
    ax.legend(frameon=False, loc="upper center")
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
    parser.add_argument("--methods", nargs="+", choices=METHODS, help="default: the first two")
    parser.add_argument("--seeds", type=int, nargs="+", help="one run each (default: 0 to 9)")
    parser.add_argument("--hidden", type=int, help="hidden units (default: 200)")
    parser.add_argument("--epochs", type=int, help="passes through the samples (default: 100)")
    parser.add_argument("--smoke", action="store_true", help="only try that it runs")
    args = parser.parse_args(argv)
    config = Config.smoke()
    if not args.smoke:
        given = {
            "methods": args.methods and tuple(args.methods),
            "seeds": args.seeds and tuple(args.seeds),
            "n_hidden": args.hidden,
            "epochs": args.epochs,
        }
        config = Config(**{name: value for name, value in given.items() if value is not None})
    found = run(config)
    print(f"5-{config.n_hidden}-3, {config.epochs} epochs, test accuracy (%):")
    for name in config.methods:
        one = found[name]
        accuracy = 100 * np.array(one["accuracy"])
        spread = f" +- {accuracy.std(ddof=1):.2f}" if len(accuracy) > 1 else ""
        print(
            f"  {LABELS[name]}: {accuracy.mean():.2f}{spread} "
            f"({', '.join(f'{value:.1f}' for value in accuracy)}); "
            f"{np.mean(one['spikes']):.0f} spikes a trial, {one['seconds']:.2f} s an epoch"
        )
    for name, value in found["classical"].items():
        print(f"  {name}: {100 * value:.1f}")
    print(draw(found, args.out))
    (args.out / "yin_yang.json").write_text(
        json.dumps({"config": asdict(config), **found}, indent=1)
    )


if __name__ == "__main__":
    main()
