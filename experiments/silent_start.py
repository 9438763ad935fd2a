"""Whether exact gradients need fewer spikes than surrogates, and learn from a silent start.

Hypothesis H10 of ``docs/hypotheses.md``: on Yin-Yang, in the network of the benchmark of rules,
EventProp and backpropagation with a surrogate learn with the settings that the search found for
each; then both from a tenth of their initial weights and biases, from which no unit fires, with
EventProp's help for silent units off; and then EventProp from there after surrogate gradients for
a tenth of the epochs. Run ``python experiments/silent_start.py``; a table and the verdict are
printed, and the course of the training drawn.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import spikesim as sp
from spikesim.comparison import effort, load_settings
from spikesim.comparison.builders import Plan
from spikesim.comparison.entries import contender
from spikesim.comparison.protocol import streams
from spikesim.comparison.resampling import bootstrap_difference, bootstrap_mean
from spikesim.comparison.tasks import problem, task

TASK = "yin_yang"
EXACT, SURROGATE = "EventProp", "Backprop"
SILENT_EXACT, SILENT_SURROGATE = "EventProp, silent start", "Backprop, silent start"
WARM = "EventProp, silent start, warm-up"
SAME_ACCURACY, CLOSED = 0.02, 1.0 / 3.0
# Samples that spikes of the untrained network are counted on.
COUNTED = 200


@dataclass(frozen=True)
class Config:
    """What can be varied.

    Parameters
    ----------
    seeds : tuple of int
        Starts, the same for each rule.
    epochs, n_train, n_hidden : int, optional
        Passes, training samples and hidden units; by default those of the quick budget.
    scale : float
        Of initial weights and biases in the silent start.
    warm_up : float
        Share of the epochs that surrogates warm up.
    """

    seeds: tuple[int, ...] = tuple(range(10))
    epochs: int | None = None
    n_train: int | None = None
    n_hidden: int | None = None
    scale: float = 0.1
    warm_up: float = 0.1

    @classmethod
    def smoke(cls) -> Config:
        """Return the smallest run that touches everything."""
        return cls(seeds=(0, 1), epochs=2, n_train=24, n_hidden=4)


def run(config: Config) -> dict[str, Any]:
    """Train every case from every seed.

    Returns
    -------
    dict
        ``tuned``, whether both rules were, and by case a dict of lists over seeds: ``accuracy`` on
        the test samples, ``spikes`` of all units for a sample in the last epoch, ``first_spikes``
        in the untrained network, and ``history``, the share of training samples right by epoch.
    """
    found: dict[str, Any] = {}
    cases = (
        (EXACT, EXACT, None, False),
        (SURROGATE, SURROGATE, None, False),
        (SILENT_EXACT, EXACT, None, True),
        (SILENT_SURROGATE, SURROGATE, None, True),
        (WARM, EXACT, SURROGATE, True),
    )
    for label, name, warm_up, silent in cases:
        runs = [_train(config, seed, name, warm_up, silent) for seed in config.seeds]
        found[label] = {key: [one[key] for one in runs] for key in runs[0]}
    stored = load_settings((TASK,))[TASK]
    found["tuned"] = all(contender(name, "LIF").key in stored for name in (EXACT, SURROGATE))
    return found


def judge(found: dict[str, Any]) -> tuple[str, str]:
    """Return the outcome of H10 and the figures that it was judged by."""

    def less(measure: str, a: str, b: str) -> Any:
        return bootstrap_difference(found[a][measure], found[b][measure])

    spikes, behind = less("spikes", SURROGATE, EXACT), less("accuracy", SURROGATE, EXACT)
    gap = less("accuracy", SILENT_SURROGATE, SILENT_EXACT)
    left = less("accuracy", SILENT_SURROGATE, WARM)
    closed = left.value < CLOSED * gap.value
    fired = {name: np.mean(found[name]["spikes"]) for name in (EXACT, SURROGATE)}
    text = (
        f"For a sample EventProp fires {fired[EXACT]:.1f} spikes, the surrogate "
        f"{fired[SURROGATE]:.1f}: {_said(spikes)} fewer, at an accuracy {_said(behind, 100)} "
        f"points lower. From a silent start it ends {_said(gap, 100)} points behind the "
        f"surrogate, and {_said(left, 100)} after a warm-up."
    )
    if not found["tuned"]:
        return "open", f"Not tuned. {text}"
    if spikes.high < 0.0 or gap.high < 0.0 or (gap.low > 0.0 and not closed):
        return "failed", text
    fewer = spikes.low > 0.0 and behind.value <= SAME_ACCURACY
    return ("held" if fewer and gap.low > 0.0 else "open"), text


def draw(found: dict[str, Any], out: Path) -> Path:
    """Draw the accuracy in training, mean over seeds, and the spikes; return the path."""
    import matplotlib.pyplot as plt

    out.mkdir(parents=True, exist_ok=True)
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(8.4, 3.0), layout="constrained", width_ratios=(1.5, 1.0)
    )
    cases = [name for name in found if name != "tuned"]
    for index, name in enumerate(cases):
        colour, style = sp.plotting.COLOURS[index], ("-", "-", "--", "--", ":")[index]
        course = 100 * np.mean(found[name]["history"], axis=0)
        left.plot(np.arange(1, len(course) + 1), course, color=colour, ls=style, label=name)
        spikes = bootstrap_mean(found[name]["spikes"])
        place = len(cases) - index
        right.plot([spikes.low, spikes.high], [place, place], color=colour)
        right.plot(spikes.value, place, "o", color=colour)
    left.set_xlabel("epoch")
    left.set_ylabel("training samples right (%)")
    right.set_yticks(range(len(cases), 0, -1), cases, fontsize="small")
    right.set_xlabel("spikes for a sample, at the end")
    for ax in (left, right):
        ax.grid(alpha=0.3)
        ax.spines[["top", "right"]].set_visible(False)
    left.legend(frameon=False, fontsize="x-small", loc="lower right", bbox_to_anchor=(1.0, 0.1))
    path = out / "silent_start.png"
    figure.savefig(path, dpi=150)
    plt.close(figure)
    return path


def _train(
    config: Config, seed: int, name: str, warm_up: str | None, silent: bool
) -> dict[str, Any]:
    """Train one network; return its measures."""
    here = task(TASK)
    train, test = here.part("train"), here.part("test")
    n_samples = config.n_train or here.samples.of("quick")
    rows = np.arange(n_samples) * len(train.labels) // n_samples
    x, y = train.features[rows], train.labels[rows]
    epochs = here.epochs.of("quick") if config.epochs is None else config.epochs
    source = streams(TASK, seed)
    plan = _plan(config, name, source.weights)
    network, rule = plan.network, plan.rule
    if silent:
        network = network.updated(
            [layer.updated(w=config.scale * layer.w, bias=config.scale * layer.bias)
             for layer in network.layers]
        )  # fmt: skip
        if name == EXACT:
            rule = replace(rule, bump=0.0, pull=0.0)
    first = effort(network, x[:COUNTED], encoder=plan.encoder.fit(x))
    stages = [(rule, epochs)]
    if warm_up is not None:
        before = max(1, round(config.warm_up * epochs))
        stages = [(_plan(config, warm_up, source.weights).rule, before), (rule, epochs - before)]
    history: list[float] = []
    for (stage, length), stream in zip(stages, source.training.spawn(len(stages)), strict=True):
        result = sp.fit(
            network, stage, x, y, encoder=plan.encoder, epochs=length,
            batch_size=plan.batch_size, seed=stream, warn=False, progress=False,
        )  # fmt: skip
        network = result.network
        history += result.history.accuracy.tolist()
    return {
        "accuracy": float(result.score(test.features, test.labels)),
        "spikes": float(result.history.spikes_per_trial[-1]),
        "first_spikes": float(first.spikes),
        "history": history,
    }


def _plan(config: Config, name: str, weights: np.random.SeedSequence) -> Plan:
    """Return network and rule with the tuned settings, or the middle of the space without."""
    chosen = contender(name, "LIF")
    settings = load_settings((TASK,))[TASK].get(chosen.key) or chosen.middle()
    hidden = config.n_hidden or task(TASK).hidden.of("quick")[0]
    assert chosen.build is not None
    return chosen.build(problem(TASK, "LIF"), hidden, settings, weights)


def main(argv: list[str] | None = None) -> None:
    """Run the experiment, print its table and the verdict, and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--out", type=Path, default=Path("results/silent_start"), help="folder to write to"
    )
    parser.add_argument("--smoke", action="store_true", help="only try that it runs")
    args = parser.parse_args(argv)
    config = Config.smoke() if args.smoke else Config()
    found = run(config)
    print(f"{'case':34s} accuracy (%)   spikes at the start   at the end")
    for name, one in found.items():
        if name != "tuned":
            print(
                f"{name:34s} {100 * np.mean(one['accuracy']):12.1f} "
                f"{np.mean(one['first_spikes']):21.1f} {np.mean(one['spikes']):12.1f}"
            )
    outcome, text = judge(found)
    print(f"H10, {outcome}. {text}")
    print(draw(found, args.out))
    document = {"config": asdict(config), "found": found, "outcome": outcome, "text": text}
    (args.out / "silent_start.json").write_text(json.dumps(document, indent=1) + "\n")


def _said(found: Any, factor: float = 1.0) -> str:
    return f"{factor * found.value:.1f} ({factor * found.low:.1f} to {factor * found.high:.1f})"


if __name__ == "__main__":
    main()
