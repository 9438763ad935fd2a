"""Whether the shape of a surrogate derivative matters, or only its scale.

Hypothesis H9 of ``docs/hypotheses.md``. Every shape trains the network of the benchmark of rules on
Yin-Yang and on Randman with the settings that its own search found, among them its scale; the
best shape also ten times as flat and ten times as steep. Run
``python experiments/surrogate_scale.py``; a table and the verdict are printed, and the accuracies
drawn. ``docs/benchmark_of_rules.md`` has the commands of the searches.
"""

from __future__ import annotations

import argparse
import itertools
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import spikesim as sp
from spikesim.comparison import load_settings
from spikesim.comparison.entries import contender
from spikesim.comparison.pool import run_all
from spikesim.comparison.resampling import bootstrap_difference, bootstrap_mean
from spikesim.comparison.runs import Job
from spikesim.comparison.tasks import TASKS

SHAPES = {
    "fast sigmoid": "Backprop",
    "arc tangent": "Backprop, ArcTan surrogate",
    "Gaussian": "Backprop, Gaussian surrogate",
    "logistic": "Backprop, Logistic surrogate",
    "triangle": "Backprop, Triangle surrogate",
}
FLAT, STEEP = "ten times as flat", "ten times as steep"
SCALES = {FLAT: 0.1, STEEP: 10.0}
TASKS_OF_H9 = ("yin_yang", "randman")
MARGIN = 0.02


@dataclass(frozen=True)
class Config:
    """What can be varied.

    Parameters
    ----------
    tasks : tuple of str
        Of the benchmark of rules.
    seeds : tuple of int
        Starts. Those from 10 on are not perturbed after training, which saves time.
    epochs, samples, hidden : int, optional
        Passes, training samples and hidden units; by default those of the quick budget.
    """

    tasks: tuple[str, ...] = TASKS_OF_H9
    seeds: tuple[int, ...] = tuple(range(10, 20))
    epochs: int | None = None
    samples: int | None = None
    hidden: int | None = None

    @classmethod
    def smoke(cls) -> Config:
        """Return the smallest run that touches everything."""
        return cls(tasks=("yin_yang",), seeds=(10, 11), epochs=1, samples=24, hidden=4)


def run(config: Config) -> dict[str, Any]:
    """Train every shape, and the best one at other scales.

    Returns
    -------
    dict
        For each task a dict of ``tuned`` (whether every shape was), ``slopes``, ``accuracy`` on
        the test samples for each seed by shape, ``best``, the shape with the highest mean, and
        ``scales``, the accuracy of that shape by the scale.
    """
    found: dict[str, Any] = {}
    for name in config.tasks:
        settings, tuned = _settings(name)
        accuracy = {shape: _train(config, name, shape, settings[shape]) for shape in SHAPES}
        best = max(accuracy, key=lambda shape: np.mean(accuracy[shape]))
        scales = {}
        for label, factor in SCALES.items():
            slope = settings[best]["slope"] * factor
            scales[label] = _train(config, name, best, {**settings[best], "slope": slope})
        found[name] = {
            "tuned": tuned,
            "slopes": {shape: settings[shape]["slope"] for shape in SHAPES},
            "accuracy": accuracy,
            "best": best,
            "scales": scales,
        }
    return found


def judge(found: dict[str, Any]) -> tuple[str, str]:
    """Return the outcome of H9 and the figures that it was judged by."""
    parts, lacks = [], [TASKS[name].title for name in TASKS_OF_H9 if name not in found]
    failed = False
    for name, one in found.items():
        pairs = {
            (a, b): abs(np.mean(one["accuracy"][a]) - np.mean(one["accuracy"][b]))
            for a, b in itertools.combinations(one["accuracy"], 2)
        }
        a, b = max(pairs, key=lambda pair: pairs[pair])
        a, b = sorted((a, b), key=lambda shape: -np.mean(one["accuracy"][shape]))
        apart = _points(one["accuracy"][a], one["accuracy"][b])
        best = one["accuracy"][one["best"]]
        lost = {label: np.mean(best) - np.mean(other) for label, other in one["scales"].items()}
        matters = max(np.abs(list(lost.values()))) > MARGIN
        told = ", ".join(f"{label} {_points(best, one['scales'][label])}" for label in lost)
        parts.append(
            f"{TASKS[name].title}: {a} is ahead of {b} by {apart} points, the most of any two "
            f"shapes; {one['best']}, the best, loses at another scale {told} points"
        )
        if one["tuned"]:
            failed |= max(pairs.values()) > MARGIN or not matters
        else:
            lacks.append(f"settings for {TASKS[name].title}")
    text = "; ".join(parts) + "."
    if failed:
        return "failed", text
    return ("open", f"Not there: {', '.join(lacks)}. {text}") if lacks else ("held", text)


def draw(found: dict[str, Any], out: Path) -> Path:
    """Draw the accuracy of each shape and scale with 95 % intervals; return the path."""
    import matplotlib.pyplot as plt

    out.mkdir(parents=True, exist_ok=True)
    figure, axes = plt.subplots(
        1, len(found), figsize=(4.2 * len(found), 2.9), layout="constrained", squeeze=False
    )
    for ax, (name, one) in zip(axes[0], found.items(), strict=True):
        lines = dict(one["accuracy"])
        lines |= {f"{one['best']},\n{label}": values for label, values in one["scales"].items()}
        for place, values in enumerate(reversed(lines.values())):
            mean = bootstrap_mean(values)
            # Shapes at their best scale in one colour, the others in another.
            colour = sp.plotting.COLOURS[0 if place >= len(one["scales"]) else 1]
            ax.plot([100 * mean.low, 100 * mean.high], [place, place], color=colour)
            ax.plot(100 * mean.value, place, "o", color=colour)
        ax.set_yticks(range(len(lines)), list(reversed(lines)), fontsize="small")
        ax.set_xlabel("test accuracy (%)")
        ax.set_title(TASKS[name].title, loc="left", fontsize="medium")
        ax.grid(axis="x", alpha=0.3)
        ax.spines[["top", "right"]].set_visible(False)
    path = out / "surrogate_scale.png"
    figure.savefig(path, dpi=150)
    plt.close(figure)
    return path


def _settings(name: str) -> tuple[dict[str, dict[str, float]], bool]:
    """Return the settings of each shape, and whether all of them were tuned."""
    stored = load_settings((name,))[name]
    chosen = {shape: contender(title, "LIF") for shape, title in SHAPES.items()}
    settings = {shape: stored.get(c.key) or c.middle() for shape, c in chosen.items()}
    return settings, all(c.key in stored for c in chosen.values())


def _train(config: Config, name: str, shape: str, settings: dict[str, float]) -> list[float]:
    """Return the accuracy of each seed."""
    here = TASKS[name]
    epochs, samples = config.epochs, config.samples
    work = [
        Job(
            name, SHAPES[shape], "LIF", config.hidden or here.hidden.of("quick")[0], seed,
            here.epochs.of("quick") if epochs is None else epochs, settings, "test", "",
            here.samples.of("quick") if samples is None else samples,
        )
        for seed in config.seeds
    ]  # fmt: skip
    return [outcome.row.accuracy for outcome in run_all(work, n_jobs=1)]


def _points(a: list[float], b: list[float]) -> str:
    found = bootstrap_difference(a, b)
    return f"{100 * found.value:+.1f} ({100 * found.low:+.1f} to {100 * found.high:+.1f})"


def main(argv: list[str] | None = None) -> None:
    """Run the experiment, print its table and the verdict, and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--out", type=Path, default=Path("results/surrogate_scale"), help="folder to write to"
    )
    parser.add_argument("--smoke", action="store_true", help="only try that it runs")
    parser.add_argument("--tasks", nargs="+", choices=TASKS_OF_H9, help="default: both")
    args = parser.parse_args(argv)
    config = Config.smoke() if args.smoke else Config(tasks=tuple(args.tasks or TASKS_OF_H9))
    found = run(config)
    for name, one in found.items():
        print(f"{TASKS[name].title}, test accuracy (%) of {len(config.seeds)} starts:")
        scales = {f"{one['best']}, {label}": values for label, values in one["scales"].items()}
        for label, values in {**one["accuracy"], **scales}.items():
            mean = bootstrap_mean(values)
            print(
                f"  {label:34s} {100 * mean.value:5.1f} "
                f"({100 * mean.low:.1f} to {100 * mean.high:.1f})"
            )
    outcome, text = judge(found)
    print(f"H9, {outcome}. {text}")
    print(draw(found, args.out))
    document = {"config": asdict(config), "found": found, "outcome": outcome, "text": text}
    (args.out / "surrogate_scale.json").write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
