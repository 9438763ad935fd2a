"""XOR and two spirals by every rule that trains more than one layer.

No line divides XOR, and two spirals ask for a border of three turns. Each rule that changes weights
before a hidden layer has a network with one such layer, settings that were found on other seeds
(the table `METHODS`), and several starts. A start ends, and has solved its task, when all samples
are right after an epoch, seen without the noise that some rules train with. Points of the spirals
come by 12 Gaussian fields for x and 12 for y, as spike times or, to units without time, as numbers;
a linear classifier of these has a line of its own. Run ``python experiments/hidden_layers.py``; a
table is printed, and the accuracies drawn.

Theory speaks for rules that descend a gradient, if only in the mean or by feedback that turns
towards it, and for committees, which can represent both tasks. It promises neither that a start
succeeds nor when. Of evolution it says that luck comes in the end, and of the proportional rule
nothing at all: both run along, to be seen beside the others.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import spikesim as sp
from spikesim import learning
from spikesim.encoding import Analog, PopulationEncoder
from spikesim.learning import Adam, MeanMembrane, committee_network

N_FIELDS, WIDTH = 12, 1.0
# Networks whose outputs are leaky integrators.
LEAKY = ("LIF", "LIF, continuous time")
TASKS = ("xor", "two_spirals")
# Rules that train a single layer, or the last one alone: theory says that they cannot.
SINGLE = (
    "DeltaRule",
    "ExponentiatedGradient",
    "Perceptron",
    "ReSuMe",
    "Relaxation",
    "RewardSTDP",
    "STDP",
    "Tempotron",
    "Winnow",
)


@dataclass(frozen=True)
class Setting:
    """How one rule is run on one task.

    Parameters
    ----------
    hidden : int
        Hidden units; of a committee all of its units.
    learning_rate : float
        Of Adam, or the rule's own.
    gain, bias_sd : float
        Standard deviation of the weighted sum of an input of variance 1, and of the biases.
    epochs : int
        Passes through the samples at most.
    batch_size : int, optional
        Samples for each update; all where None.
    """

    hidden: int = 100
    learning_rate: float = 0.01
    gain: float = 5.0
    bias_sd: float = 0.5
    epochs: int = 500
    batch_size: int | None = 16


@dataclass(frozen=True)
class Method:
    """A rule, the network that it trains, and its setting on each task.

    Parameters
    ----------
    rule : str
        Name of its class in :mod:`spikesim.learning`.
    network : {"tanh", "step", "step committee", "LIF", "LIF, continuous time", "LIF, once", \
"LIF, spiking output", "LIF committee"}
        Its units. LIF outputs are leaky integrators but where said otherwise.
    xor, two_spirals : Setting
        Found on seeds from 1000.
    options : mapping
        Further arguments of the rule.
    """

    rule: str
    network: str
    xor: Setting
    two_spirals: Setting
    options: Mapping[str, Any] = field(default_factory=dict)


# Settings that several methods share.
TANH_XOR = Setting(8, 0.03, 2.0, 1.0, batch_size=4)
TANH = Setting(100, 0.01, 2.0, 1.0)
STEP_XOR = Setting(9, 0.5, 2.0, 1.0)
LIF_XOR = Setting(20, 0.05, batch_size=4)
LIF = Setting()

METHODS = (
    Method("Backprop", "tanh", TANH_XOR, TANH),
    Method("FeedbackAlignment", "tanh", TANH_XOR, TANH),
    Method("DirectFeedbackAlignment", "tanh", TANH_XOR, TANH),
    Method("Backprop", "LIF", LIF_XOR, LIF),
    Method("FeedbackAlignment", "LIF", LIF_XOR, LIF),
    Method("DirectFeedbackAlignment", "LIF", LIF_XOR, LIF),
    Method("EProp", "LIF", LIF_XOR, LIF),
    Method("EProp", "LIF", LIF_XOR, LIF, {"feedback": "random"}),
    Method("EProp", "LIF", LIF_XOR, LIF, {"feedback": "adaptive"}),
    Method("DECOLLE", "LIF", LIF_XOR, Setting(200, 0.03, 10.0)),
    Method("EventProp", "LIF", LIF_XOR, LIF),
    Method("EventProp", "LIF, continuous time", LIF_XOR, LIF),
    Method(
        "SpikeProp",
        "LIF, once",
        Setting(20, 0.1, 15.0, 0.2, batch_size=4),
        Setting(100, 0.05, 15.0, 0.2),
    ),
    Method("Reinforce", "LIF", LIF_XOR, Setting(100, 0.01, 10.0), {"draws": 4, "width": 0.02}),
    Method("Committee", "step committee", STEP_XOR, Setting(41, 1.0, 2.0, 1.0)),
    Method("MadalineI", "step committee", STEP_XOR, Setting(41, 0.5, 2.0, 1.0)),
    Method("MadalineII", "step", STEP_XOR, Setting(40, 0.5, 2.0, 1.0)),
    Method(
        "PDelta",
        "step committee",
        STEP_XOR,
        Setting(151, 0.003, 5.0, 1.0, epochs=1000),
        {"margin": 0.2},
    ),
    Method("Committee", "LIF committee", Setting(9, 1.0), Setting(81, 0.3)),
    Method("MadalineI", "LIF committee", Setting(9, 0.5), Setting(41, 0.5)),
    Method(
        "MadalineII",
        "LIF, spiking output",
        Setting(40, 0.2),
        Setting(100, 0.2),
        {"max_together": 1},
    ),
    Method(
        "PDelta",
        "LIF committee",
        Setting(9, 0.05),
        Setting(101, 0.05),
        {"clear_margin_weight": 0.1},
    ),
    Method(
        "Proportional",
        "step",
        STEP_XOR,
        Setting(100, 0.1, 2.0, 1.0),
        {"reading": "additive", "credit": "weighted", "margin": 0.5},
    ),
    Method(
        "Proportional",
        "LIF, spiking output",
        STEP_XOR,
        Setting(100, 0.1, epochs=200),
        {"reading": "additive", "credit": "weighted", "margin": 0.5},
    ),
    Method(
        "Evolution",
        "tanh",
        Setting(8, gain=2.0, bias_sd=1.0, batch_size=None),
        Setting(40, gain=2.0, bias_sd=1.0, batch_size=None),
    ),
    Method(
        "Evolution", "LIF", Setting(8, batch_size=None), Setting(40, epochs=300, batch_size=None)
    ),
)


@dataclass(frozen=True)
class Config:
    """What can be varied.

    Parameters
    ----------
    n_starts : tuple of int
        Starts on XOR and on the spirals. Their seeds, 0, 1 and so on, are those of the weights,
        of the order of the samples and of what a rule draws.
    epochs : float
        Share of the epochs of each setting that are run at most.
    methods : tuple of int
        Which lines of `METHODS`; all where empty.
    n_jobs : int
        Number of processes; -1 takes every core.
    """

    n_starts: tuple[int, int] = (10, 3)
    epochs: float = 1.0
    methods: tuple[int, ...] = ()
    n_jobs: int = -1

    @classmethod
    def smoke(cls) -> Config:
        """Return the smallest run that touches everything."""
        return cls(n_starts=(1, 1), epochs=0.002, methods=(0, 3), n_jobs=1)


def run(config: Config) -> dict[str, Any]:
    """Train every method on both tasks from each start.

    Returns
    -------
    dict
        For each task a list with a dict for each method: ``solved``, the number of starts;
        ``accuracy``, the highest of each start; ``epochs``, the median number of epochs until
        solved (None without); ``seconds``, the median time of a start. Beside them
        ``methods``, their names, and ``linear``, the accuracy of logistic regression on the
        fields of the two spirals.
    """
    from joblib import Parallel, delayed
    from sklearn.linear_model import LogisticRegression

    methods = [METHODS[i] for i in config.methods or range(len(METHODS))]
    starts = dict(zip(TASKS, config.n_starts, strict=True))
    jobs = [(i, t, s) for i in range(len(methods)) for t in TASKS for s in range(starts[t])]
    runs = Parallel(config.n_jobs)(
        delayed(solve)(methods[i], task, seed, config.epochs) for i, task, seed in jobs
    )
    found: dict[str, Any] = {"methods": [title(method) for method in methods]}
    for name in TASKS:
        found[name] = []
        for index in range(len(methods)):
            rows = [r for j, r in zip(jobs, runs, strict=True) if j[:2] == (index, name)]
            solved = [r["epochs"] for r in rows if r["solved"]]
            found[name].append(
                {
                    "solved": len(solved),
                    "accuracy": [r["accuracy"] for r in rows],
                    "epochs": float(np.median(solved)) if solved else None,
                    "seconds": float(np.median([r["seconds"] for r in rows])),
                }
            )
    points, labels = samples("two_spirals", "tanh")
    linear = LogisticRegression(C=1e6, max_iter=20000).fit(points, labels)
    return {**found, "linear": float(linear.score(points, labels))}


def solve(method: Method, task: str, seed: int, share: float = 1.0) -> dict[str, Any]:
    """Train from one start; return whether it solved the task, accuracy, epochs and seconds."""
    setting: Setting = getattr(method, task)
    features, labels = samples(task, method.network)
    encoder = code(task, method).fit(features)
    network = make(method, encoder.n_inputs(features.shape[1]), setting, seed)
    started = time.perf_counter()
    result = sp.fit(
        network,
        rule(method, setting, seed),
        features,
        labels,
        encoder=encoder,
        epochs=max(1, round(share * setting.epochs)),
        batch_size=setting.batch_size,
        seed=seed,
        validation=(features, labels),
        until=_solved,
        warn=False,
    )
    history = result.history
    return {
        "solved": _solved(history),
        "accuracy": float(history.validation_accuracy.max()),
        "epochs": history.n_epochs,
        "seconds": time.perf_counter() - started,
    }


def _solved(history: Any) -> bool:
    """Return whether all samples were right after the last epoch."""
    return bool(history.validation_accuracy[-1] == 1.0)


def rule(method: Method, setting: Setting, seed: int) -> Any:
    """Return the rule of a method with its setting."""
    kind = getattr(learning, method.rule)
    names = kind.__dataclass_fields__
    given = dict(method.options)
    if "optimiser" in names:
        given["optimiser"] = Adam(setting.learning_rate)
    elif "learning_rate" in names:
        given["learning_rate"] = setting.learning_rate
    if "seed" in names:
        given["seed"] = seed
    if method.network in LEAKY and "optimiser" in names:
        # The highest potential is often that of the start, which has no gradient.
        given.setdefault("readout", MeanMembrane())
    return kind(**given)


def samples(task: str, network: str) -> tuple[np.ndarray, np.ndarray]:
    """Return features and labels, those of the spirals as fields for units without time."""
    if task == "xor":
        data = sp.datasets.xor()
        return data.features, data.labels
    data = sp.datasets.two_spirals()
    if network.startswith("LIF"):
        return data.features, data.labels
    low, high = data.features.min(axis=0), data.features.max(axis=0)
    scaled = (data.features - low) / (high - low)
    distance = scaled[:, :, None] - np.linspace(0.0, 1.0, N_FIELDS)
    activations = np.exp(-0.5 * (distance * (N_FIELDS - 1) / WIDTH) ** 2)
    return activations.reshape(len(scaled), -1), data.labels


def code(task: str, method: Method) -> Any:
    """Return the encoder."""
    if not method.network.startswith("LIF"):
        return Analog()
    if task == "xor":
        # Each input has two lines; which of them spikes first says whether it is 0 or 1.
        return PopulationEncoder(2, 30.0, 20.0, width=0.5)
    return PopulationEncoder(N_FIELDS, 30.0, 20.0, WIDTH)


def make(method: Method, n_inputs: int, setting: Setting, seed: int) -> sp.LayeredNetwork:
    """Return the network before training."""
    kind, synapse = method.network, sp.Exponential(5.0)
    drawn = {"gain": setting.gain, "bias_sd": setting.bias_sd, "rng": seed}
    if kind.endswith("committee"):
        unit = sp.Step() if kind.startswith("step") else sp.LIF.normalised(20.0)
        return committee_network(n_inputs, setting.hidden, 1, unit, synapse=synapse, **drawn)
    if kind == "step":
        return sp.dense((n_inputs, setting.hidden, 1), sp.Step(), **drawn)
    if kind == "tanh":
        network = sp.dense((n_inputs, setting.hidden, 2), sp.Tanh(), output=sp.Sigmoid(), **drawn)
        first, last = network.layers
        return network.updated([first, last.updated(w=last.w / setting.gain)])
    once, spikes = kind == "LIF, once", kind == "LIF, spiking output"
    network = sp.dense(
        (n_inputs, setting.hidden, 1 if spikes else 2),
        sp.LIF.normalised(20.0, t_ref=1000.0) if once else sp.LIF.normalised(20.0),
        output=None if once or spikes else sp.LIF.non_spiking(20.0),
        synapse=synapse,
        continuous=once or kind == "LIF, continuous time",
        **drawn,
    )
    if once:
        return network
    # A bias of 1 holds a unit at its threshold: from there it can be moved both ways.
    first, last = network.layers
    return network.updated([first.updated(bias=first.bias + 1.0), last])


def title(method: Method) -> str:
    """Return what a method is called in the table."""
    words = [f"{key} {value}" for key, value in method.options.items() if isinstance(value, str)]
    return ", ".join([method.rule, method.network, *words])


def draw(found: dict[str, Any], out: Path) -> Path:
    """Draw the accuracy of each start on the spirals; return the path."""
    import matplotlib.pyplot as plt

    out.mkdir(parents=True, exist_ok=True)
    n = len(found["methods"])
    figure, ax = plt.subplots(figsize=(7.0, 1.2 + 0.22 * n), layout="constrained")
    for place, one in enumerate(found["two_spirals"]):
        accuracy = 100 * np.array(one["accuracy"])
        ax.plot(
            accuracy, np.full(len(accuracy), place), "o", color=sp.plotting.COLOURS[0], alpha=0.5
        )
    ax.axvline(100 * found["linear"], color="0.5", linewidth=1.0, linestyle="--")
    ax.annotate(
        "linear\nclassifier", (100 * found["linear"], 0.5), xycoords=("data", "axes fraction"),
        xytext=(4, 0), textcoords="offset points", color="0.4", fontsize=8,
    )  # fmt: skip
    ax.set_yticks(range(n), found["methods"], fontsize=8)
    ax.invert_yaxis()
    ax.set_xlabel("right points of two spirals (%)")
    figure.suptitle("Two spirals, a point for each start", fontsize=10)
    path = out / "hidden_layers.png"
    figure.savefig(path, dpi=150)
    plt.close(figure)
    return path


def _solved_of(one: dict[str, Any]) -> str:
    return f"{one['solved']} / {len(one['accuracy'])}".rjust(8)


def _epochs_of(one: dict[str, Any]) -> str:
    return ("-" if one["epochs"] is None else f"{one['epochs']:.0f}").rjust(8)


def main(argv: list[str] | None = None) -> None:
    """Run the experiment and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--out", type=Path, default=Path("results/hidden_layers"), help="folder to write to"
    )
    parser.add_argument("--smoke", action="store_true", help="only try that it runs")
    parser.add_argument("--jobs", type=int, default=-1, help="processes (default: all cores)")
    args = parser.parse_args(argv)
    config = Config.smoke() if args.smoke else Config(n_jobs=args.jobs)
    found = run(config)
    print(f"{'':58s}  {'XOR':^18s}   {'two spirals':^36s}")
    columns = ("solved", "epochs", "solved", "right (%)", "epochs", "time (s)")
    print(
        f"{'rule, units':58s}  {'{:>8s}  {:>8s}   {:>8s}  {:>9s}  {:>8s}  {:>8s}'.format(*columns)}"
    )
    rows = zip(found["methods"], found["xor"], found["two_spirals"], strict=True)
    for name, xor, spirals in rows:
        share = f"{100 * np.mean(spirals['accuracy']):.1f}"
        print(
            f"{name:58s}  {_solved_of(xor)}  {_epochs_of(xor)}   {_solved_of(spirals)}  "
            f"{share:>9s}  {_epochs_of(spirals)}  {spirals['seconds']:8.1f}"
        )
    print(f"{'logistic regression':58s}  {'':18s}   {'':8s}  {100 * found['linear']:9.1f}")
    print(f"train one layer only: {', '.join(SINGLE)}")
    print(draw(found, args.out))
    (args.out / "hidden_layers.json").write_text(
        json.dumps({"config": asdict(config), **found}, indent=1)
    )


if __name__ == "__main__":
    main()
