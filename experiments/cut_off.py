"""Measure what a surrogate that is cut off far from threshold saves, and what it costs.

The gradient of a recurrent layer goes back through every unit whose surrogate derivative is not
zero: with a fast sigmoid all of them, in each step. ``Truncated`` leaves out those that are further
from their threshold than a distance. A recurrent network is trained to tell random manifolds of
spike times apart (Zenke & Vogels 2021), with the same weights, batches and learning rate for each
distance. Run ``python experiments/cut_off.py``; a table is printed and drawn.
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

import spikesim as sp
from spikesim.datasets import randman
from spikesim.encoding import LatencyEncoder
from spikesim.layered import Layer, LayeredNetwork, forward
from spikesim.learning import Adam, Backprop, CrossEntropy, MaxMembrane


@dataclass(frozen=True)
class Config:
    """What can be varied.

    Parameters
    ----------
    distances : tuple of float
        Where the surrogate is cut off, in units of the distance from rest to threshold; infinity
        for nowhere.
    gains : tuple of float
        Standard deviation of the initial weights of the input, times the root of the number of
        inputs.
    seeds : tuple of int
        One run each: of initial weights and the order of the samples.
    n_train, n_test : int
        Samples.
    n_classes, n_dims, n_inputs, n_hidden : int
        Manifolds, their dimensions, input lines, and recurrent units.
    epochs, batch_size : int
        Passes through the samples, samples for each update.
    learning_rate, slope : float
        Of Adam, and of the fast sigmoid.
    """

    distances: tuple[float, ...] = (math.inf, 0.5, 0.2, 0.1)
    gains: tuple[float, ...] = (6.0, 3.0)
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    n_train: int = 2000
    n_test: int = 1000
    n_classes: int = 10
    n_dims: int = 2
    n_inputs: int = 20
    n_hidden: int = 256
    epochs: int = 20
    batch_size: int = 64
    learning_rate: float = 5e-3
    slope: float = 10.0

    @classmethod
    def smoke(cls) -> Config:
        """Return the smallest run that touches everything."""
        return cls(
            distances=(math.inf, 0.2), seeds=(0, 1), n_train=40, n_test=20, n_classes=2,
            n_hidden=10, epochs=2, batch_size=20,
        )  # fmt: skip


def network_of(config: Config, gain: float, seed: int) -> LayeredNetwork:
    """Return the network before training."""
    rng = np.random.default_rng(seed)
    hidden, synapse = sp.LIF.normalised(20.0), sp.Exponential(5.0)
    n, n_inputs = config.n_hidden, config.n_inputs
    layers = [
        Layer(
            rng.normal(0.0, gain / math.sqrt(n_inputs), (n_inputs, n)),
            hidden,
            None,
            synapse,
            w_rec=rng.normal(0.0, 0.5 / math.sqrt(n), (n, n)),
        ),
        Layer(
            rng.normal(0.0, 1.0 / math.sqrt(n), (n, config.n_classes)),
            sp.LIF.non_spiking(20.0),
            None,
            synapse,
        ),
    ]
    return LayeredNetwork(layers, 1.0, "single")


def surrogate_of(config: Config, distance: float) -> Any:
    """Return a fast sigmoid that is cut off at `distance`."""
    whole = sp.FastSigmoid(config.slope)
    return whole if math.isinf(distance) else sp.Truncated(whole, distance)


def share_near(network: LayeredNetwork, x: Any, distance: float) -> float:
    """Return the share of unit and step that lie within `distance` of the threshold."""
    hidden = network.layers[0].neuron
    v = forward(network, x)[0].v
    return float(np.mean(np.abs(v - hidden.v_th) <= distance * (hidden.v_th - hidden.v_rest)))


def run(config: Config) -> dict[str, Any]:
    """Train once for each start, distance and seed.

    Returns
    -------
    dict
        For each gain and for each distance, as texts, the ``accuracy`` on the test samples of each
        seed, the ``loss`` of the last epoch, the median ``seconds`` of an epoch, and the share of
        units ``near`` their threshold after training.
    """
    encoder = LatencyEncoder(100.0, 80.0, low=0.0, high=1.0, early="low")
    samples = {
        "n_classes": config.n_classes,
        "n_dims": config.n_dims,
        "n_units": config.n_inputs,
        "manifold_seed": 0,
    }
    train = randman(config.n_train, seed=0, **samples)
    test = randman(config.n_test, seed=1, **samples)
    few = encoder.encode(test.features[:100], dt=1.0)
    found: dict[str, Any] = {}
    for gain, distance, seed in product(config.gains, config.distances, config.seeds):
        rule = Backprop(
            CrossEntropy(5.0),
            Adam(config.learning_rate),
            MaxMembrane(),
            surrogate_of(config, distance),
        )
        # That few units fire is what is asked about, and no news.
        result = sp.fit(
            network_of(config, gain, seed), rule, train.features, train.labels, encoder=encoder,
            epochs=config.epochs, batch_size=config.batch_size, seed=seed, warn=False,
        )  # fmt: skip
        one = found.setdefault(f"{gain:g}", {}).setdefault(f"{distance:g}", {})
        for name, value in (
            ("accuracy", result.score(test.features, test.labels)),
            ("loss", float(result.history.loss[-1])),
            ("seconds", float(np.median(result.history.seconds))),
            ("near", share_near(result.network, few, distance)),
        ):
            one.setdefault(name, []).append(value)
    return found


def compared(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a row for each gain and distance: means, and paired differences from no cut."""
    rows = []
    for gain, of_gain in found.items():
        whole = next(iter(of_gain.values()))
        for distance, one in of_gain.items():
            less = 100 * (np.array(one["accuracy"]) - whole["accuracy"])
            rows.append(
                {
                    "gain": gain,
                    "distance": distance,
                    "accuracy": 100 * float(np.mean(one["accuracy"])),
                    "difference": float(less.mean()),
                    "error": float(less.std(ddof=1) / math.sqrt(len(less))),
                    "near": 100 * float(np.mean(one["near"])),
                    "time": float(np.median(one["seconds"]) / np.median(whole["seconds"])),
                }
            )
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """Return a line for each row."""
    lines = ["gain  cut off at  test accuracy (%)  without the cut  near threshold (%)  time"]
    lines += [
        f"{row['gain']:>4}  {row['distance']:>10}  {row['accuracy']:>17.1f}  "
        f"{row['difference']:>+8.1f} +- {row['error']:<3.1f}  {row['near']:>18.1f}  "
        f"{row['time']:>4.2f}"
        for row in rows
    ]
    return "\n".join(lines)


def draw(rows: list[dict[str, Any]], out: Path) -> Path:
    """Draw accuracy and time against the distance, a line for each start; return the path."""
    import matplotlib.pyplot as plt

    out.mkdir(parents=True, exist_ok=True)
    figure, (above, below) = plt.subplots(2, sharex=True, figsize=(5.5, 5.0), layout="constrained")
    gains = list(dict.fromkeys(row["gain"] for row in rows))
    for gain, colour in zip(gains, sp.plotting.COLOURS, strict=False):
        mine = [row for row in rows if row["gain"] == gain]
        at = ["not cut" if row["distance"] == "inf" else row["distance"] for row in mine]
        style = {"marker": "o", "color": colour}
        accuracy, error = ([row[key] for row in mine] for key in ("accuracy", "error"))
        above.errorbar(at, accuracy, error, label=f"input weights of {gain}", capsize=3, **style)
        below.plot(at, [row["time"] for row in mine], **style)
    above.set_ylabel("accuracy on test samples (%)")
    above.legend(frameon=False, loc="lower left")
    below.set_ylabel("time of an epoch,\nnot cut = 1")
    below.set_ylim(bottom=0.0)
    below.set_xlabel("surrogate cut off at (distance from rest to threshold = 1)")
    path = out / "cut_off.png"
    figure.savefig(path, dpi=150)
    plt.close(figure)
    return path


def main(argv: list[str] | None = None) -> None:
    """Run the experiment, print its table and draw it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("results/cut_off"), help="folder")
    parser.add_argument("--smoke", action="store_true", help="only try that it runs")
    args = parser.parse_args(argv)
    config = Config.smoke() if args.smoke else Config()
    found = run(config)
    rows = compared(found)
    print(table(rows))
    print(draw(rows, args.out))
    # JSON has no infinity: distances are texts there, as in what was found.
    given = asdict(config) | {"distances": [f"{distance:g}" for distance in config.distances]}
    (args.out / "cut_off.json").write_text(json.dumps({"config": given, "found": found}, indent=1))


if __name__ == "__main__":
    main()
