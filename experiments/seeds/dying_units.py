"""When units stop to respond for good: rectified units, and LIF neurons that fall silent.

Run ``python experiments/seeds/dying_units.py``. A unit is dead when it gives no output for any
sample of the training set. Networks with one hidden layer are trained on Iris by plain gradient
descent, with small and large steps and with biases that start lower and lower, and the dead
hidden units are counted: rectified units, sigmoids, and LIF neurons whose surrogate derivative is
nonzero on both sides of the threshold or only where there is a spike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

import spikesim as sp
from spikesim.comparison.statistics import wilson

HIDDEN = 16
NEURON = sp.LIF.normalised(tau_m=10.0)
# Hidden units and what stands for the derivative of a spike.
KINDS: dict[str, tuple[Any, Any]] = {
    "ReLU": (sp.ReLU(), None),
    "sigmoid": (sp.Sigmoid(), None),
    "LIF, two-sided": (NEURON, sp.FastSigmoid(1.0)),
    "LIF, one-sided": (NEURON, sp.OneSided(1.0)),
}
WIDTHS = {
    "LIF, two-sided, slope 1": sp.FastSigmoid(1.0),
    "LIF, two-sided, slope 3": sp.FastSigmoid(3.0),
    "LIF, two-sided, slope 10": sp.FastSigmoid(10.0),
    "LIF, one-sided, slope 1": sp.OneSided(1.0),
}
USUAL_RATE = {"ReLU": 0.3, "sigmoid": 0.3, "LIF, two-sided": 1.0, "LIF, one-sided": 1.0}
# Where almost every unit responds to something: no bias for rate units, one that holds a LIF
# neuron just at its threshold.
USUAL_BIAS = {"ReLU": 0.0, "sigmoid": 0.0, "LIF, two-sided": 1.0, "LIF, one-sided": 1.0}
SILENT_BIAS = -2.0


@dataclass(frozen=True)
class Config:
    """What is varied, and how often and how long networks are trained.

    Parameters
    ----------
    rates : tuple of float
        Learning rates, ascending.
    shifts : tuple of float
        By how much the biases of the hidden units start below the usual, ascending.
    n_starts : int
        Networks for each point.
    epochs : int
        Epochs of each training.
    n_jobs : int
        Processes; no result depends on it.
    seed : int
        Source of all randomness.
    """

    rates: tuple[float, ...] = (0.1, 0.3, 1.0, 3.0, 10.0)
    shifts: tuple[float, ...] = (0.0, 1.0, 2.0, 3.0, 4.0)
    n_starts: int = 16
    epochs: int = 40
    n_jobs: int = -1
    seed: int = 1

    @classmethod
    def quick(cls) -> Config:
        """Return a run of some ten seconds."""
        return cls(rates=(0.1, 1.0, 10.0), shifts=(0.0, 2.0, 4.0), n_starts=4, epochs=20)

    @classmethod
    def smoke(cls) -> Config:
        """Return the smallest run that touches everything."""
        return cls(rates=(10.0,), shifts=(3.0,), n_starts=1, epochs=1, n_jobs=1)


def task(spiking: bool) -> tuple[np.ndarray, np.ndarray, Any]:
    """Return standardised Iris, its labels, and the encoder, fitted."""
    data = sp.datasets.iris()
    features = (data.features - data.features.mean(axis=0)) / data.features.std(axis=0)
    encoder: Any = sp.encoding.Analog()
    if spiking:
        encoder = sp.encoding.PopulationEncoder(n_fields=8, width=1.5, duration=30.0, t_max=20.0)
    return features, data.labels, encoder.fit(features)


def build(unit: Any, bias: float, seed: int, n_inputs: int) -> sp.LayeredNetwork:
    """Return a network with one hidden layer whose biases all start at `bias`."""
    if unit.spiking:
        network = sp.dense(
            (n_inputs, HIDDEN, 3), unit, output=sp.LIF.non_spiking(10.0),
            synapse=sp.Exponential(5.0), gain=10.0, rng=seed,
        )  # fmt: skip
    else:
        network = sp.dense((n_inputs, HIDDEN, 3), unit, output=sp.Sigmoid(), gain=1.4, rng=seed)
    hidden, output = network.layers
    return network.updated([hidden.updated(bias=np.full(HIDDEN, bias)), output])


def dead(network: sp.LayeredNetwork, x: np.ndarray) -> np.ndarray:
    """Return which hidden units give no output above 1e-6 for any sample."""
    return ~(sp.layered.forward(network, x)[0].output > 1e-6).any(axis=(0, 1))


def train(
    unit: Any, surrogate: Any, rate: float, bias: float, marks: tuple[int, ...], seed: int
) -> dict[str, Any] | None:
    """Train one network; return which hidden units were dead at each of some epochs.

    Parameters
    ----------
    unit, surrogate
        Hidden units and what stands for the derivative of their spikes.
    rate, bias : float
        Learning rate, and bias of the hidden units at the start.
    marks : tuple of int
        Epochs at which to look, ascending; the last one ends the training.
    seed : int
        Source of weights and order.

    Returns
    -------
    dict or None
        ``dead`` (n_marks + 1, n_hidden), ``untouched`` (which units kept every bit of weights and
        bias), ``accuracy``; None for a training that diverged.
    """
    features, labels, encoder = task(unit.spiking)
    x = encoder.encode(features, dt=1.0)
    network = start = build(unit, bias, seed, encoder.n_inputs(features.shape[1]))
    options = {} if surrogate is None else {"surrogate": surrogate}
    rule = sp.learning.Backprop(optimiser=sp.learning.SGD(rate), **options)
    states = [dead(network, x)]
    done = 0
    for mark in marks:
        try:
            with np.errstate(over="ignore", invalid="ignore"):
                result = sp.fit(
                    network, rule, features, labels, encoder=encoder, epochs=mark - done,
                    batch_size=16, seed=np.random.SeedSequence([seed, done]), warn=False,
                    progress=False,
                )  # fmt: skip
        except sp.SpikesimError:
            return None
        network, done = result.network, mark
        states.append(dead(network, x))
    old, new = start.layers[0], network.layers[0]
    untouched = (old.w == new.w).all(axis=0) & (old.bias == new.bias)
    accuracy = result.score(features, labels)
    return {"dead": np.array(states), "untouched": untouched, "accuracy": accuracy}


def run(config: Config) -> dict[str, Any]:
    """Train all networks and count."""
    from joblib import Parallel, delayed

    marks = tuple(sorted({m for m in (1, 2, 5, 10, 20) if m < config.epochs} | {config.epochs}))
    jobs: dict[tuple[str, str, float], tuple[Any, ...]] = {}
    for kind, (unit, surrogate) in KINDS.items():
        for rate in config.rates:
            jobs["rate", kind, rate] = (unit, surrogate, rate, USUAL_BIAS[kind], marks[-1:])
        for shift in config.shifts:
            bias = USUAL_BIAS[kind] - shift
            jobs["shift", kind, shift] = (unit, surrogate, USUAL_RATE[kind], bias, marks[-1:])
    jobs["again", "ReLU", SILENT_BIAS] = (sp.ReLU(), None, 0.3, SILENT_BIAS, marks)
    for kind, surrogate in WIDTHS.items():
        jobs["again", kind, SILENT_BIAS] = (NEURON, surrogate, 1.0, SILENT_BIAS, marks)
    runs = Parallel(n_jobs=config.n_jobs)(
        delayed(train)(*job, config.seed + s)
        for job in jobs.values()
        for s in range(config.n_starts)
    )
    grouped = {
        key: [r for r in runs[i * config.n_starts : (i + 1) * config.n_starts] if r is not None]
        for i, key in enumerate(jobs)
    }
    found: dict[str, Any] = {
        "marks": marks,
        "runs": grouped,
        "diverged": {key: config.n_starts - len(each) for key, each in grouped.items()},
        "rates": config.rates,
        "shifts": config.shifts,
    }
    found["rows"] = [_row(found)]
    found["hypotheses"] = []
    return found


class Share(NamedTuple):
    """A share of units and its interval.

    Attributes
    ----------
    value, low, high : float
        From 0 to 1.
    """

    value: float
    low: float
    high: float


def pooled(counts: list[int], of: list[int]) -> Share:
    """Return a share of units with its 95 % percentile bootstrap over starts.

    Units of one network live and die together, so whole networks are drawn. Where all networks
    agree there is nothing to draw: a share of 0 or 1 has the Wilson bound for as many networks.
    """
    total = sum(of)
    if not total:
        return Share(0.0, 0.0, 1.0)
    value = sum(counts) / total
    if value in (0.0, 1.0):
        n = sum(each > 0 for each in of)
        return Share(*wilson(n if value else 0, n))
    rng = np.random.default_rng(0)
    drawn = rng.integers(len(of), size=(2000, len(of)))
    number = np.array(of)[drawn].sum(axis=1)
    shares = np.array(counts)[drawn].sum(axis=1)[number > 0] / number[number > 0]
    low, high = np.quantile(shares, (0.025, 0.975))
    return Share(value, min(value, float(low)), max(value, float(high)))


def dead_share(runs: list[dict[str, Any]], when: int = -1) -> Share:
    """Return the share of hidden units dead at a mark."""
    return pooled([int(r["dead"][when].sum()) for r in runs], [HIDDEN] * len(runs))


def more_dead(these: list[dict[str, Any]], those: list[dict[str, Any]]) -> bool:
    """Return whether some networks end with more dead units than others.

    One-sided test of Mann and Whitney at 5 %, with networks as its cases.
    """
    from scipy.stats import mannwhitneyu

    counts = [[int(r["dead"][-1].sum()) for r in runs] for runs in (these, those)]
    return bool(all(counts) and mannwhitneyu(*counts, alternative="greater").pvalue < 0.05)


def back(runs: list[dict[str, Any]], when: int = -1) -> Share | None:
    """Return the share of units dead at the start that respond at a mark; None without any."""
    at_start = [int(r["dead"][0].sum()) for r in runs]
    again = [int((r["dead"][0] & ~r["dead"][when]).sum()) for r in runs]
    return pooled(again, at_start) if sum(at_start) else None


def _row(found: dict[str, Any]) -> sp.ledger.Row:
    runs, rates, shifts = found["runs"], found["rates"], found["shifts"]
    top, usual = (
        dead_share(runs["rate", "ReLU", rates[-1]]),
        dead_share(runs["rate", "ReLU", rates[0]]),
    )
    shifted = dead_share(runs["shift", "ReLU", shifts[-1]])
    gentle = runs["rate", "ReLU", rates[0]]
    grows = all(
        more_dead(runs[what, "ReLU", value], gentle)
        for what, value in (("rate", rates[-1]), ("shift", shifts[-1]))
    )
    buried = {
        kind: [r for (_, k, _), group in runs.items() if k.startswith(kind) for r in group]
        for kind in ("ReLU", "LIF, one-sided", "LIF, two-sided")
    }
    n_dead, n_again, n_still = {}, {}, {}
    for kind, group in buried.items():
        n_dead[kind] = sum(int(r["dead"][0].sum()) for r in group)
        n_again[kind] = sum(int((r["dead"][0] & ~r["dead"][-1]).sum()) for r in group)
        n_still[kind] = sum(int((r["dead"][0] & r["untouched"]).sum()) for r in group)
    stays = all(
        n_again[kind] == 0 and n_still[kind] == n_dead[kind] for kind in ("ReLU", "LIF, one-sided")
    )
    sigmoid = max(dead_share(runs[k]).value for k in runs if k[1] == "sigmoid")
    again = {kind: back(runs["again", kind, SILENT_BIAS]) for kind in ("ReLU", *WIDTHS)}
    wide = again["LIF, two-sided, slope 1"]
    revives = wide is not None and wide.low > 0.0
    accuracy = {
        kind: 100 * float(np.mean([r["accuracy"] for r in runs["again", kind, SILENT_BIAS]]))
        for kind in again
    }
    loud = {
        kind: dead_share(runs["rate", kind, rates[-1]])
        for kind in ("LIF, two-sided", "LIF, one-sided")
    }
    differ = grows and revives and sigmoid <= usual.value
    if not stays:
        verdict, condition = "fails", "a dead unit came back"
    elif differ:
        verdict = "holds if"
        condition = (
            "a surrogate that is zero below threshold stands in for exact spike-time gradients"
        )
    else:
        verdict, condition = "fails", "the numbers of dead units do not differ clearly"
    text = (
        f"With a learning rate of {rates[-1]:g}, {_percent(top)} of the rectified hidden units "
        f"give no output for any flower after training, with {rates[0]:g} {_percent(usual)}, and "
        f"with biases that start {shifts[-1]:g} lower {_percent(shifted)}; units of one network "
        "die together, so the intervals draw networks. "
        f"Dead is for good: of {n_dead['ReLU']} rectified units that were dead at the start "
        f"{n_again['ReLU']} came back, and {n_still['ReLU']} kept every bit of their weights; "
        f"sigmoids, of which {100 * sigmoid:g} % are ever dead, stand here for units that do not "
        "die, as spikesim has no leaky rectified unit. "
        "The spiking twin is the silent neuron: where the surrogate is zero below threshold, "
        f"{n_again['LIF, one-sided']} of {n_dead['LIF, one-sided']} silent neurons fired again "
        f"({n_still['LIF, one-sided']} untouched). "
        "With a derivative on both sides and a slope of "
        f"1 it was {_share(wide)} of those whose bias starts at {SILENT_BIAS:g} mV, and the "
        f"accuracy {accuracy['LIF, two-sided, slope 1']:.1f} instead of "
        f"{accuracy['LIF, one-sided, slope 1']:.1f} %; with slope 10, a narrower one, "
        f"{_share(again['LIF, two-sided, slope 10'])} came back. "
        "That is no insurance against death: with a learning rate of "
        f"{rates[-1]:g} {_percent(loud['LIF, two-sided'])} of these neurons fall silent, of the "
        f"one-sided ones {_percent(loud['LIF, one-sided'])}. "
        "A likely reason is that it moves neurons that do not fire as well, and a large step may "
        "throw them out of its reach. "
        "The one-sided surrogate shows what a gradient does that needs a spike to differentiate, "
        "as the exact gradient of spike times does."
    )
    columns = ("after training", *KINDS)
    table = sp.ledger.Table(
        f"Dead hidden units after {found['marks'][-1]} epochs (%, with 95 % bootstrap over starts)",
        columns,
        tuple(
            (label.format(value), *(_percent(dead_share(runs[what, k, value]), "") for k in KINDS))
            for what, label, values in (
                ("rate", "learning rate {:g}", rates), ("shift", "biases {:g} lower", shifts)
            )
            for value in values
        ),
    )  # fmt: skip
    return sp.ledger.Row(
        id="S1.6",
        claim="Rectified units die of large steps and of low biases, and a dead one stays dead, "
        "and so do spiking neurons whose surrogate is zero below threshold",
        quantity=f"rectified units dead after training with a learning rate of {rates[-1]:g}",
        unit="%",
        value=100 * top.value,
        interval=(100 * top.low, 100 * top.high),
        interval_kind="95 % bootstrap over starts",
        verdict=verdict,
        condition=condition,
        figure="dead_units",
        text=text,
        tables=(table, _second_table(found, again, accuracy)),
    )


def _second_table(
    found: dict[str, Any], again: dict[str, Any], accuracy: dict[str, float]
) -> sp.ledger.Table:
    rows = []
    for kind, share in again.items():
        runs = found["runs"]["again", kind, SILENT_BIAS]
        n = sum(int(r["dead"][0].sum()) for r in runs)
        rows.append((kind, f"{n}", _share(share), f"{accuracy[kind]:.1f}"))
    return sp.ledger.Table(
        f"Units that start dead with biases at {SILENT_BIAS:g} (mV for LIF)",
        ("units", "dead at the start", "back after training (95 % bootstrap over starts)",
         "mean accuracy (%)"), tuple(rows),
    )  # fmt: skip


def _percent(share: Any, sign: str = " %") -> str:
    return f"{100 * share.value:.0f}{sign} ({100 * share.low:.0f} to {100 * share.high:.0f}{sign})"


def _share(share: Any) -> str:
    return "none" if share is None else _percent(share)


def draw(found: dict[str, Any]) -> dict[str, Any]:
    """Draw dead units over learning rate and bias, and the return of dead ones over epochs."""
    import matplotlib.pyplot as plt

    colours, markers, styles = (
        sp.plotting.COLOURS, sp.plotting.MARKERS, sp.plotting.LINE_STYLES,
    )  # fmt: skip
    figure, axes = plt.subplot_mosaic(
        [["rate", "shift"], ["again", "legend"]], figsize=(7.2, 6.0), layout="constrained"
    )
    for index, kind in enumerate(KINDS):
        style = {
            "color": colours[index], "marker": markers[index], "linestyle": styles[index],
            "capsize": 2, "markersize": 5,
        }  # fmt: skip
        # Side by side, since several curves lie on each other.
        offset = index - 1.5
        for what, values in (("rate", found["rates"]), ("shift", found["shifts"])):
            x = np.array(values)
            x = x * 1.06**offset if what == "rate" else x + 0.05 * offset
            shares = 100 * np.array([dead_share(found["runs"][what, kind, v]) for v in values])
            axes[what].errorbar(
                x, shares[:, 0], yerr=np.abs(shares[:, 1:] - shares[:, :1]).T, label=kind, **style
            )
    epochs = (0, *found["marks"])
    # One colour for one kind in all panels.
    curves = dict(zip(("ReLU", *WIDTHS), (0, 2, 4, 5, 3), strict=True))
    for order, (kind, index) in enumerate(curves.items()):
        runs = found["runs"]["again", kind, SILENT_BIAS]
        shares = [back(runs, when) for when in range(len(epochs))]
        if shares[0] is None:
            continue
        values = 100 * np.array(shares)
        axes["again"].errorbar(
            np.array(epochs) + 0.25 * (order - 2), values[:, 0],
            yerr=np.abs(values[:, 1:] - values[:, :1]).T,
            color=colours[index], marker=markers[index], linestyle=styles[index], capsize=2,
            markersize=5, label=kind,
        )  # fmt: skip
    axes["rate"].set(xscale="log", xlabel="learning rate", ylabel="dead hidden units (%)")
    axes["shift"].set(xlabel="biases start lower by (mV for LIF)", ylabel="dead hidden units (%)")
    axes["again"].set(
        xlabel="epochs",
        ylabel="back, of those dead at the start (%)\n"
        f"(biases start at {SILENT_BIAS:g}, mV for LIF)",
    )
    for name in ("rate", "shift", "again"):
        axes[name].spines[["top", "right"]].set_visible(False)
        axes[name].set_ylim(-4, 104 if name != "again" else 80)
    axes["legend"].axis("off")
    first = axes["legend"].legend(
        *axes["rate"].get_legend_handles_labels(), frameon=False, loc="upper left",
        title="above", alignment="left", fontsize="small",
    )  # fmt: skip
    axes["legend"].add_artist(first)
    axes["legend"].legend(
        *axes["again"].get_legend_handles_labels(), frameon=False, loc="lower left",
        title="left", alignment="left", fontsize="small",
    )  # fmt: skip
    return {"dead_units": figure}


def main(argv: list[str] | None = None) -> None:
    """Run the experiment, print its rows and write its chapter."""
    sp.ledger.main("dying_units", __doc__.splitlines()[0], Config, run, draw, argv)


if __name__ == "__main__":
    main()
