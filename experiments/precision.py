"""What compact precision changes: weights, single spikes, and the statistics of the activity.

Run ``python experiments/precision.py``. The cortical microcircuit at a fifth of its size and the
network of Brunel 2000 are simulated with several seeds, each in double and in compact precision.
What differs between the two is set beside what differs between two seeds. Spike trains of one seed
part soon, for these networks are chaotic; they part as soon when a single neuron fires once more.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import spikesim as sp

sys.path.insert(0, str(Path(__file__).parents[1]))
from experiments import command
from experiments.benchmarks.parameters import DT, Microcircuit
from experiments.benchmarks.workloads import brunel, microcircuit
from experiments.microcircuit import measures

PRECISIONS = ("double", "compact")
MEASURES = {"rates": "rate (Hz)", "cv": "CV", "correlations": "correlation"}
# Hz and units of CV and correlation, to be read without a power of ten.
FACTORS = {"rates": 1.0, "cv": 1.0, "correlations": 1000.0}
START, END = "<!-- precision: start -->", "<!-- precision: end -->"
# A current for one step that makes any neuron fire (pA), and when (ms).
PUSH, PUSHED = 1e6, 5.0


@dataclass(frozen=True)
class Config:
    """What is simulated.

    Parameters
    ----------
    microcircuit_scale, brunel_scale : float
        Factor on the numbers of neurons and of synapses of a neuron.
    n_seeds : int
        Seeds, each with connections, weights and noise of its own; at least 2.
    duration, discard : float
        Time that is measured, and time before it (ms).
    n_weights : int
        Synapses whose weights are looked at.
    common : float
        Time for which single spikes are compared (ms), in bins of a fiftieth.
    """

    microcircuit_scale: float = 0.2
    brunel_scale: float = 1.0
    n_seeds: int = 8
    duration: float = 3000.0
    discard: float = 200.0
    n_weights: int = 20_000
    common: float = 150.0

    @classmethod
    def smoke(cls) -> Config:
        """Return the smallest run that touches everything."""
        return cls(0.001, 0.002, 2, 15.0, 3.0, 20, 5.0)


@dataclass(frozen=True)
class Difference:
    """A measure of one population, in both precisions.

    Parameters
    ----------
    double, compact : ndarray, shape (n_seeds,)
        Its values, seed by seed.
    """

    double: np.ndarray
    compact: np.ndarray

    @property
    def spread(self) -> float:
        """Standard deviation over seeds in double precision."""
        return float(np.std(self.double, ddof=1))

    @property
    def mean(self) -> float:
        """Mean over seeds of compact minus double."""
        return float(np.mean(self.compact - self.double))

    @property
    def error(self) -> float:
        """Standard error of :attr:`mean`."""
        return float(np.std(self.compact - self.double, ddof=1) / np.sqrt(len(self.double)))

    @property
    def p(self) -> float:
        """Probability of a mean this large if there is no difference (Student's t, paired)."""
        from scipy import stats

        if not self.error > 0.0:
            return float("nan")
        return float(2.0 * stats.t.sf(abs(self.mean) / self.error, len(self.double) - 1))


def networks(config: Config) -> dict[str, sp.Network]:
    """Return the networks by name."""
    return {
        "microcircuit": microcircuit(config.microcircuit_scale),
        "Brunel": brunel(scale=config.brunel_scale),
    }


def run(config: Config) -> dict[str, Any]:
    """Simulate everything.

    Returns
    -------
    dict
        ``weights``: see :func:`weights`; ``differences``: for each network and each of
        `MEASURES` a :class:`Difference` by population; ``common``: for each network what
        :func:`common_spikes` returns.
    """
    found: dict[str, Any] = {"weights": weights(config.n_weights), "differences": {}, "common": {}}
    for name, network in networks(config).items():
        values: dict[tuple[str, str, str], list[float]] = {}
        for seed in range(1, config.n_seeds + 1):
            for precision in PRECISIONS:
                recording = sp.simulate(
                    network, config.discard + config.duration, seed=seed, precision=precision
                )
                found_here = measures(recording, config.discard)
                for measure in MEASURES:
                    for population, own in found_here[measure].items():
                        key = measure, population, precision
                        values.setdefault(key, []).append(_mean(own))
        found["differences"][name] = {
            measure: {
                population: Difference(
                    *(np.array(values[measure, population, p]) for p in PRECISIONS)
                )
                for population in found_here[measure]
            }
            for measure in MEASURES
        }
        found["common"][name] = common_spikes(network, config)
    return found


def _mean(values: np.ndarray) -> float:
    """Return the mean of what is defined, NaN if nothing is."""
    values = values[np.isfinite(values)]
    return float(values.mean()) if len(values) else float("nan")


def weights(n: int) -> dict[str, np.ndarray]:
    """Return drawn weights of the microcircuit in both precisions (pA).

    A spike through each synapse, and the current that it makes: excitatory and inhibitory
    synapses onto one population, as the largest weight of all decides what the smallest step is.

    Returns
    -------
    dict of ndarray, shape (n,)
        ``exc double``, ``exc compact``, ``inh double``, ``inh compact``.
    """
    p = Microcircuit()
    synapse = sp.Exponential(p.tau_syn)
    target = sp.Population("target", sp.LIF(v_th=1e6), n)
    sources, projections = [], []
    # The second spike comes when nothing is left of the first.
    at = {"exc": 100 * p.tau_syn, "inh": 200 * p.tau_syn}
    for name, mean in zip(at, p.weights()[0, :2].tolist(), strict=True):
        source = sp.Population(
            name, sp.SpikeSource(np.full(n, at[name] - DT), np.arange(n)), n
        )  # fmt: skip
        sign = {"low": 0.0} if mean > 0.0 else {"high": 0.0}
        weight = sp.Normal(mean, p.weight_sd * abs(mean), **sign)
        sources.append(source)
        projections.append(
            sp.Projection(source, target, sp.OneToOne(), weight, DT, synapse)
        )  # fmt: skip
    network = sp.Network([*sources, target], projections)
    found = {}
    for precision in PRECISIONS:
        recording = sp.simulate(
            network, at["inh"] + DT, record={"target": "i_syn"}, seed=1, precision=precision
        )["target"]
        for name, time in at.items():
            row = int(np.argmin(np.abs(recording.trace_times - time)))
            found[f"{name} {precision}"] = recording.traces["i_syn"][row]
    return found


def common_spikes(network: sp.Network, config: Config) -> dict[str, np.ndarray]:
    """Return the share of spikes that another run has in the same step, over time.

    Returns
    -------
    dict of ndarray, shape (50,)
        ``compact`` and ``one spike more``, compared with double precision; ``times`` (ms).
    """
    one = sp.StepCurrent(network.populations[0], PUSH, PUSHED, PUSHED + DT, neurons=[0])
    touched = sp.Network(network.populations, network.projections, [*network.inputs, one])
    ways = {"double": (network, "double"), "compact": (network, "compact"),
            "one spike more": (touched, "double")}  # fmt: skip
    edges = np.linspace(0.0, config.common, 51)
    spikes = {}
    for name, (each, precision) in ways.items():
        recording = sp.simulate(each, config.common, seed=1, precision=precision)
        offsets = np.cumsum([0, *(recording[p].n for p in recording.populations)])
        spikes[name] = np.concatenate(
            [
                np.rint(recording[p].spike_times / DT).astype(np.int64) * int(offsets[-1])
                + recording[p].spike_ids
                + offset
                for p, offset in zip(recording.populations, offsets, strict=False)
            ]
        )
    steps = spikes["double"] // int(offsets[-1]) * DT
    total = np.histogram(steps, edges)[0]
    found = {"times": edges[1:]}
    for name in ("compact", "one spike more"):
        shared = np.histogram(steps[np.isin(spikes["double"], spikes[name])], edges)[0]
        found[name] = np.where(total > 0, shared / np.maximum(total, 1), np.nan)
    return found


def summary(found: dict[str, Any]) -> str:
    """Return tables in Markdown: weights, and the measures by population."""
    lines = [
        "| weights | mean (pA) | spread (pA) | largest error of compact (pA) | rms error "
        "| rms / spread |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for name in ("exc", "inh"):
        exact = found["weights"][f"{name} double"]
        error = found["weights"][f"{name} compact"] - exact
        rms = float(np.sqrt(np.mean(error**2)))
        lines.append(
            f"| {name} | {exact.mean():.1f} | {exact.std():.2f} | {np.abs(error).max():.4f} "
            f"| {rms:.4f} | {rms / exact.std():.1e} |"
        )
    lines += [
        "",
        "| population | rate (Hz) | seeds | compact - double | CV | seeds | compact - double "
        "| correlation x 1000 | seeds | compact - double |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for network, by_measure in found["differences"].items():
        for population in by_measure["rates"]:
            cells = [f"{network} {population}"]
            for measure, factor in FACTORS.items():
                d = by_measure[measure][population]
                cells += [
                    f"{factor * d.double.mean():.3f}",
                    f"{factor * d.spread:.3f}",
                    f"{factor * d.mean:+.3f} ± {factor * d.error:.3f}",
                ]
            lines.append("| " + " | ".join(cells) + " |")
    all_p = np.array([d.p for d in _all_differences(found)])
    all_p = all_p[np.isfinite(all_p)]
    if len(all_p):
        lines += [
            "",
            f"Of {len(all_p)} comparisons, {np.sum(all_p < 0.05)} have p < 0.05 (by chance alone "
            f"{0.05 * len(all_p):.1f} would); the smallest p is {all_p.min():.2g}, times their "
            f"number {min(1.0, all_p.min() * len(all_p)):.2g}.",
        ]
    for network, common in found["common"].items():
        apart = [_half(common["times"], common[name]) for name in ("compact", "one spike more")]
        lines += [
            "",
            f"{network}: fewer than half of the spikes of double precision have their like in the "
            f"same neuron and step {apart[0]} in compact precision, {apart[1]} in double precision "
            f"if one neuron fires once more at {PUSHED:g} ms.",
        ]
    return "\n".join(lines)


def _all_differences(found: dict[str, Any]) -> list[Difference]:
    return [
        d
        for by_measure in found["differences"].values()
        for by_population in by_measure.values()
        for d in by_population.values()
    ]


def _half(times: np.ndarray, share: np.ndarray) -> str:
    """Return after which time fewer than half of the spikes are shared."""
    below = np.flatnonzero(share < 0.5)
    return f"after {times[below[0]]:.0f} ms" if len(below) else "at no time"


def draw(found: dict[str, Any], out: Path) -> Path:
    """Write the picture: both precisions seed by seed, and how soon single spikes part."""
    import matplotlib.pyplot as plt

    out.mkdir(parents=True, exist_ok=True)
    figure, axes = plt.subplots(
        len(found["differences"]), 4, figsize=(15.0, 6.6), layout="constrained",
        width_ratios=[1.2, 1.2, 1.2, 1.0],
    )  # fmt: skip
    colours = dict(zip(PRECISIONS, sp.plotting.COLOURS, strict=False))
    for row, (network, by_measure) in zip(axes, found["differences"].items(), strict=True):
        for ax, (measure, by_population) in zip(row, by_measure.items(), strict=False):
            for place, d in enumerate(by_population.values()):
                middle = d.double.mean()
                for side, precision in zip((-0.17, 0.17), PRECISIONS, strict=True):
                    own = getattr(d, precision) - middle
                    ax.plot(
                        np.full(len(own), place + side), own, linestyle="none", markersize=4,
                        marker=sp.plotting.MARKERS[PRECISIONS.index(precision)],
                        color=colours[precision], alpha=0.6,
                        label=precision if place == 0 else None,
                    )  # fmt: skip
                    ax.plot(
                        [place + side - 0.13, place + side + 0.13], [own.mean()] * 2, color="black"
                    )
            ax.axhline(0.0, color="0.6", linewidth=0.8, linestyle="--", zorder=0)
            ax.set_xticks(range(len(by_population)), list(by_population))
            ax.set_ylabel(f"{MEASURES[measure]} minus mean of double")
            ax.spines[["top", "right"]].set_visible(False)
        row[0].set_title(
            f"{network}: a point for each of {len(own)} seeds, a line for their mean",
            loc="left", fontsize="medium",
        )  # fmt: skip
        row[1].legend(
            frameon=False, loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, fontsize="small"
        )
        common, last = found["common"][network], row[-1]
        for index, name in enumerate(("compact", "one spike more")):
            last.plot(
                common["times"], 100.0 * common[name], color=sp.plotting.COLOURS[1 + index],
                linestyle=sp.plotting.LINE_STYLES[index],
                label=name if index == 0 else "double, one spike more",
            )  # fmt: skip
        last.set(xlabel="time (ms)", ylabel="spikes shared with double (%)")
        last.set(xlim=(0.0, common["times"][-1]), ylim=(0.0, 105.0))
        last.legend(frameon=False, fontsize="small")
        last.spines[["top", "right"]].set_visible(False)
    path = out / "precision.png"
    figure.savefig(path, dpi=150)
    plt.close(figure)
    return path


def with_summary(page: str, text: str) -> str:
    """Return a page with `text` between its markers."""
    before, rest = page.split(START, 1)
    return f"{before}{START}\n{text}\n{END}{rest.split(END, 1)[1]}"


def main(argv: list[str] | None = None) -> None:
    """Run the experiment and print its tables."""
    parser = command.parser(__doc__, "precision")
    parser.add_argument("--seeds", type=int, dest="n_seeds", help="number of seeds")
    parser.add_argument("--page", type=Path, help="a page to put the tables into, too")
    args = parser.parse_args(argv)
    found = run(command.config_of(Config, args))
    text = summary(found)
    print(text)
    print(draw(found, args.out))
    if args.page is not None:
        page = args.page.read_text(encoding="utf-8")
        args.page.write_text(with_summary(page, text), encoding="utf-8")


if __name__ == "__main__":
    main()
