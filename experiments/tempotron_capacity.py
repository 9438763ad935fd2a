"""How many random spike patterns one neuron can divide into two classes.

Run ``python experiments/tempotron_capacity.py``. Each line of a pattern spikes once, at a random
time; the classes are drawn by a coin. A tempotron is trained until it makes no error, at
several loads (patterns for each input). Guetig & Sompolinsky (2006, Nat. Neurosci. 9:420) found
that it can up to a load of about 3, with hundreds of inputs and patterns of many membrane time
constants; the patterns here are shorter and have tens of lines.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binomtest

import spikesim as sp


@dataclass(frozen=True)
class Config:
    """What is learnt, and for how long.

    Parameters
    ----------
    n_inputs : int
        Input lines.
    loads : tuple of float
        Patterns for each input.
    n_problems : int
        Problems at each load; those at a higher load hold the patterns of those below.
    epochs : int
        Passes through the patterns before a problem counts as not learnt.
    t_max : float
        Time within which each line spikes (ms).
    tau_m : float
        Membrane time constant (ms); that of the synapses is a quarter.
    dt : float
        Time step (ms).
    learning_rate : float
        Step of the tempotron.
    seed : int
        Source of all randomness.
    """

    n_inputs: int = 30
    loads: tuple[float, ...] = (1.0, 2.0, 2.5, 3.0, 4.0)
    n_problems: int = 10
    epochs: int = 800
    t_max: float = 75.0
    tau_m: float = 15.0
    dt: float = 2.5
    learning_rate: float = 0.3
    seed: int = 0

    @classmethod
    def smoke(cls) -> Config:
        """Return the smallest run that shows the limit."""
        return cls(n_inputs=10, loads=(1.0, 4.0), n_problems=1, epochs=20, dt=5.0, seed=2)


def run(config: Config) -> dict[str, Any]:
    """Train on every problem.

    Returns
    -------
    dict
        ``loads``; ``solved``, shape (n_loads, n_problems), whether no error was left;
        ``errors``, likewise, the share of errors in the last epoch; ``epochs``, likewise, how
        many were run.
    """
    shape = (len(config.loads), config.n_problems)
    solved = np.zeros(shape, bool)
    errors = np.zeros(shape)
    epochs = np.zeros(shape, int)
    for problem in range(config.n_problems):
        for index, load in enumerate(config.loads):
            history = train(config, load, problem)
            solved[index, problem] = history.solved_epoch is not None
            errors[index, problem] = 1.0 - history.accuracy[-1]
            epochs[index, problem] = history.n_epochs
    return {"loads": np.array(config.loads), "solved": solved, "errors": errors, "epochs": epochs}


def train(config: Config, load: float, problem: int) -> Any:
    """Return the history of a tempotron on one problem."""
    streams = np.random.SeedSequence([config.seed, problem]).spawn(4)
    latencies, classes, weights, order = (np.random.default_rng(s) for s in streams)
    n_patterns = round(load * config.n_inputs)
    patterns = latencies.random((n_patterns, config.n_inputs))
    labels = classes.integers(0, 2, n_patterns)
    layer = sp.Layer(
        weights.standard_normal((config.n_inputs, 1)),
        sp.LIF.normalised(config.tau_m),
        synapse=sp.Exponential(config.tau_m / 4.0),
        trainable=("w",),
    )
    duration = config.t_max + 2.0 * config.tau_m
    encoder = sp.encoding.LatencyEncoder(duration, config.t_max, low=0.0, high=1.0)
    result = sp.fit(
        sp.LayeredNetwork([layer], config.dt),
        sp.learning.Tempotron(config.learning_rate),
        patterns,
        labels,
        encoder=encoder,
        epochs=config.epochs,
        until="solved",
        patience=1,
        seed=order,
        warn=False,
        progress=False,
    )
    return result.history


def draw(found: dict[str, Any], out: Path) -> Path:
    """Write the picture; return its path."""
    import matplotlib.pyplot as plt

    out.mkdir(parents=True, exist_ok=True)
    figure, ax = plt.subplots(figsize=(5.0, 3.6), layout="constrained")
    share = found["solved"].mean(axis=1)
    bands = np.array([interval(row) for row in found["solved"]])
    ax.errorbar(
        found["loads"],
        100 * share,
        100 * np.abs(bands.T - share),
        color=sp.plotting.COLOURS[0],
        marker=sp.plotting.MARKERS[0],
        capsize=3.0,
    )
    ax.set_xlabel("patterns for each input")
    ax.set_ylabel("problems learnt without error (%)")
    path = out / "tempotron_capacity.png"
    figure.savefig(path, dpi=150)
    plt.close(figure)
    return path


def interval(solved: np.ndarray) -> tuple[float, float]:
    """Return the 95 % Wilson interval of the share of problems that were solved."""
    ends = binomtest(int(solved.sum()), len(solved)).proportion_ci(method="wilson")
    return float(ends.low), float(ends.high)


def main(argv: list[str] | None = None) -> None:
    """Run the experiment and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--out", type=Path, default=Path("results/tempotron_capacity"), help="folder to write to"
    )
    parser.add_argument("--smoke", action="store_true", help="only try that it runs")
    args = parser.parse_args(argv)
    found = run(Config.smoke() if args.smoke else Config())
    print("load  learnt (%)  95 % interval  errors at the end (%)  epochs, median")
    for load, solved, errors, epochs in zip(
        found["loads"], found["solved"], found["errors"], found["epochs"], strict=True
    ):
        low, high = interval(solved)
        print(
            f"{load:4.1f}  {100 * solved.mean():10.0f}  {100 * low:5.0f} to {100 * high:3.0f}  "
            f"{100 * errors.mean():21.1f}  {np.median(epochs):14.0f}"
        )
    print(draw(found, args.out))


if __name__ == "__main__":
    main()
