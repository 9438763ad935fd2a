"""What does the README show? Its table and its picture, renewed by one command.

Run ``python experiments/readme.py`` to draw the picture and to write the table from the stored
summary, ``docs/results/summary.csv``; with ``--summary results/full/summary.csv`` that of a new
comparison is stored first.
"""

from __future__ import annotations

import argparse
import csv
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import spikesim as sp

PROJECT = Path(__file__).resolve().parent.parent
SUMMARY = PROJECT / "docs" / "results" / "summary.csv"
README = PROJECT / "README.md"
PICTURE = PROJECT / "docs" / "images" / "spikesim.png"
START, END = "<!-- comparison: start -->", "<!-- comparison: end -->"


@dataclass(frozen=True)
class Config:
    """What is simulated and trained for the picture.

    Parameters
    ----------
    duration : float
        Length of the simulation (ms).
    n_exc, n_inh : int
        Excitatory and inhibitory neurons.
    epochs : int
        Epochs of training at most.
    resolution : int
        Points along each axis of the decision regions.
    seed : int
        Source of all randomness.
    """

    duration: float = 600.0
    n_exc: int = 400
    n_inh: int = 100
    epochs: int = 500
    resolution: int = 120
    seed: int = 1

    @classmethod
    def smoke(cls) -> Config:
        """Return the smallest run that touches everything."""
        return cls(duration=20.0, n_exc=20, n_inh=5, epochs=5, resolution=10)


def run(config: Config) -> dict[str, Any]:
    """Simulate and train.

    Returns
    -------
    dict
        ``recording`` of a network, ``result`` of training on XOR.
    """
    return {"recording": _simulated(config), "result": _trained(config)}


def _simulated(config: Config) -> sp.Recording:
    exc = sp.Population("exc", sp.LIF(), config.n_exc)
    inh = sp.Population("inh", sp.LIF(), config.n_inh)
    synapse = sp.Exponential(2.0)
    projections = [
        sp.Projection(
            source, target, sp.FixedProbability(0.1), weight=weight, delay=1.5, synapse=synapse
        )
        for source, weight in ((exc, 80.0), (inh, -480.0))
        for target in (exc, inh)
    ]
    inputs = [sp.PoissonInput(target, 2000.0, 80.0, synapse) for target in (exc, inh)]
    return sp.simulate(
        sp.Network([exc, inh], projections, inputs),
        config.duration,
        record={"exc": sp.Record("v", neurons=[0])},
        seed=config.seed,
    )


def _trained(config: Config) -> Any:
    data = sp.datasets.xor()
    network = sp.dense(
        [3, 8, 2],
        sp.LIF.normalised(),
        output=sp.LIF.non_spiking(),
        synapse=sp.Exponential(5.0),
        gain=10.0,
        bias_sd=0.5,
        rng=config.seed,
    )
    return sp.fit(
        network,
        sp.learning.Backprop(optimiser=sp.learning.Adam(0.05), surrogate=sp.FastSigmoid(slope=2.0)),
        data.features,
        data.labels,
        encoder=sp.encoding.LatencyEncoder(duration=30.0, t_max=10.0, bias_spike=True),
        epochs=config.epochs,
        until="solved",
        seed=config.seed,
        warn=False,
    )


def draw(found: dict[str, Any], config: Config) -> Any:
    """Return the picture as a matplotlib Figure."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.0, 5.4), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=[1.75, 1.0])
    raster, membrane = left.subplots(2, 1, height_ratios=[2.0, 1.0])
    sp.plotting.raster(found["recording"], ax=raster)
    sp.plotting.membrane(found["recording"], ax=membrane)
    regions, curve = right.subplots(2, 1, height_ratios=[1.9, 1.0])
    data = sp.datasets.xor()
    sp.plotting.decision_regions(
        found["result"].predict,
        data.features,
        data.labels,
        regions,
        feature_names=data.feature_names,
        class_names=data.class_names,
        resolution=config.resolution,
    )
    sp.plotting.learning_curves(found["result"].history, curve)
    return figure


def table(summary: Path) -> str:
    """Return the tables of the README, made from the ``summary.csv`` of a comparison.

    Networks with hidden units are shown with four of them on XOR, and with each number that was
    run on Iris.
    """
    with summary.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    xor = [row for row in rows if row["task"] == "xor" and row["hidden"] in ("0", "4")]
    iris = [row for row in rows if row["task"] == "iris"]
    lines = []
    if xor:
        lines += [
            f"**XOR**, {xor[0]['n_runs']} random starts: all four patterns right to the end.",
            "",
            "| rule | units | hidden | solved | 95 % interval | epochs, median | spikes a trial |",
            "|---|---|--:|--:|--:|--:|--:|",
        ]
        lines += [
            f"| {row['contender']} | {row['network']} | {_hidden(row)} | {_percent(row['rate'])} "
            f"| {_range(row, 'rate')} | {_epochs(row['median_epoch'])} "
            f"| {_number(row['spikes_per_trial'])} |"
            for row in xor
        ]
    if iris:
        lines += [
            "",
            f"**Iris**, four features, three classes, {iris[0]['n_runs']} folds of repeated "
            "cross-validation.",
            "",
            "| rule | units | hidden | accuracy | 95 % interval | behind LDA | spikes a trial |",
            "|---|---|--:|--:|--:|--:|--:|",
        ]
        lines += [
            f"| {row['contender']} | {row['network']} | {_hidden(row)} | {_percent(row['rate'])} "
            f"| {_range(row, 'rate')} | {_percent(row['behind_lda'])} "
            f"| {_number(row['spikes_per_trial'])} |"
            for row in iris
        ]
    return "\n".join(lines)


def between_markers(text: str) -> str:
    """Return what stands between the markers of a README."""
    return text.split(START, 1)[1].split(END, 1)[0].strip()


def with_table(text: str, tables: str) -> str:
    """Return the text of a README with `tables` between its markers."""
    return with_block(text, tables, START, END)


def with_block(text: str, block: str, start: str, end: str) -> str:
    """Return `text` with `block` in place of what stands between two markers."""
    before, rest = text.split(start, 1)
    return f"{before}{start}\n{block}\n{end}{rest.split(end, 1)[1]}"


def _hidden(row: dict[str, str]) -> str:
    return row["hidden"] if row["hidden"] != "0" else ""


def _percent(text: str) -> str:
    return f"{100.0 * float(text):.1f} %" if text else ""


def _range(row: dict[str, str], name: str) -> str:
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    if not low or low == "nan":
        return ""
    return f"{100.0 * max(0.0, float(low)):.1f} to {100.0 * min(1.0, float(high)):.1f}"


def _epochs(text: str) -> str:
    return "" if not text or text in ("inf", "nan") else f"{float(text):.0f}"


def _number(text: str) -> str:
    return f"{float(text):.1f}" if text else ""


def main(argv: list[str] | None = None) -> None:
    """Renew the picture and the table of the README."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--summary", type=Path, metavar="FILE", help="store this summary.csv first")
    parser.add_argument(
        "--out", type=Path, default=PROJECT, help="folder to write to (default: the project)"
    )
    parser.add_argument("--smoke", action="store_true", help="only try that it runs")
    arguments = parser.parse_args(argv)
    config = Config.smoke() if arguments.smoke else Config()
    summary = SUMMARY
    if arguments.summary is not None:
        summary = _place(arguments.out, SUMMARY)
        if arguments.summary.resolve() != summary.resolve():
            shutil.copyfile(arguments.summary, summary)
    picture = _place(arguments.out, PICTURE)
    draw(run(config), config).savefig(picture, dpi=110, metadata={"Software": None})
    page = _place(arguments.out, README)
    page.write_text(
        with_table(README.read_text(encoding="utf-8"), table(summary)), encoding="utf-8"
    )
    print(f"{picture}\n{page}")


def _place(out: Path, path: Path) -> Path:
    """Return where a file of the project lies in the folder `out`, which is made."""
    place = out / path.relative_to(PROJECT)
    place.parent.mkdir(parents=True, exist_ok=True)
    return place


if __name__ == "__main__":
    main()
