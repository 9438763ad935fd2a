"""What the report says of the tasks beyond XOR and Iris: tables, and what came of hypotheses."""

from __future__ import annotations

import math

from spikesim.comparison.measures import KINDS_OF_LOSS
from spikesim.comparison.paired import REFERENCE, against, ranks
from spikesim.comparison.results import Results, Summary
from spikesim.comparison.statistics import Comparison
from spikesim.comparison.tasks import TASKS

__all__ = [
    "ANSWER_COLUMNS",
    "NUMERIC",
    "TRAINING_COLUMNS",
    "answer_table",
    "below",
    "findings",
    "loss_table",
    "table",
    "training_table",
]

_COLUMNS = ("rule", "units", "hidden", "accuracy", "95 % interval", "behind BPTT", "p")
_WHO = ("rule", "units", "hidden")
ANSWER_COLUMNS = (*_WHO, "spikes", "SynOps", "state updates", "energy (nJ)")
TRAINING_COLUMNS = (
    *_WHO, "training (s)", "area", "samples to level", "updates to level", "seconds to it",
    "SynOps to it",
)  # fmt: skip
_SHORT = {
    "weight_noise": "weights", "dead_units": "dead", "quantisation": "bits",
    "spike_jitter": "jitter", "spike_deletion": "missing", "tau_mismatch": "tau",
    "threshold_noise": "threshold", "time_step": "step",
}  # fmt: skip
NUMERIC = frozenset(
    (*_COLUMNS[2:], "solved", *ANSWER_COLUMNS[2:], *TRAINING_COLUMNS[2:], *_SHORT.values())
)


def table(results: Results, task: str) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return columns and rows of the accuracies on a task, best first."""
    fitted = TASKS[task].kind == "fitting"
    behind = against(results, task)
    columns: tuple[str, ...] = _COLUMNS
    if fitted:
        columns = (*_COLUMNS[:3], "solved", *_COLUMNS[4:])
    rows: list[tuple[str, ...]] = []
    for s in _ordered(results, task):
        share = f"{round(s.rate.value * s.n_runs)} of {s.n_runs}"
        found = behind.get((s.contender, s.network, s.hidden))
        rows.append(
            (
                *_who(s),
                share if fitted else f"{100 * s.rate.value:.1f} %", _interval(s),
                *_compared(found, s),
            )
        )  # fmt: skip
    return columns, rows


def answer_table(results: Results, task: str) -> list[tuple[str, ...]]:
    """Return the rows of what an answer costs, in the order of accuracy."""
    return [
        (
            *_who(s), "–" if s.spikes_per_trial is None else f"{s.spikes_per_trial:.1f}",
            f"{s.measures['synops']:,.0f}", f"{s.measures['state_updates']:,.0f}",
            f"{s.measures['energy'] / 1e3:,.2f}",
        )
        for s in _ordered(results, task)
        if "synops" in s.measures
    ]  # fmt: skip


def training_table(results: Results, task: str) -> list[tuple[str, ...]]:
    """Return the rows of what training costs, in the order of accuracy."""
    return [
        (
            *_who(s), f"{s.measures['train_seconds']:.2f}", _under_curve(results, s),
            *(_reached(s, f"{unit}_to_level") for unit in ("samples", "updates", "seconds")),
            _both_ways(s),
        )
        for s in _ordered(results, task)
        if "synops" in s.measures
    ]  # fmt: skip


def loss_table(results: Results, task: str) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return columns and rows of the mean accuracy over each range of perturbations."""
    summaries = _ordered(results, task)
    kinds = [k for k in KINDS_OF_LOSS if any(f"{k}_area" in s.measures for s in summaries)]
    rows = [
        (
            *_who(s), f"{100 * s.rate.value:.1f}",
            *(_area(s, kind) for kind in kinds),
        )
        for s in summaries
        if any(f"{kind}_area" in s.measures for kind in kinds)
    ]  # fmt: skip
    return (*_WHO, "accuracy", *(_SHORT[kind] for kind in kinds)), rows


def below(results: Results, task: str) -> list[str]:
    """Return what stands under the table of a task, a paragraph each."""
    here = TASKS[task]
    kind = {
        "fitting": "Wilson's, and the p value McNemar's",
        "parts": "bootstrapped over starts, and the p value Wilcoxon's",
        "folds": "Nadeau and Bengio's corrected t, and so is the p value",
    }[here.kind]
    parts = [
        "Behind BPTT: the accuracy of Backprop on LIF units of the same size less that of the "
        f"contender, paired, in points, with its 95 % interval. The interval is {kind}; p values "
        "are adjusted for the number of contenders (Holm)."
    ]
    untuned = _untuned(results, task)
    if untuned:
        parts.append(
            f"{untuned} contenders have not been tuned on this task and ran with the middle of "
            "their space of settings; their figures are a test that they run, and no ranking."
        )
    diverged = sum(row.diverged for row in results.of(task))
    if diverged:
        parts.append(f"{diverged} runs diverged and count as all wrong.")
    return parts


def findings(results: Results) -> list[str]:
    """Return the answer on these tasks in a few sentences, computed from the rows."""
    sentences = []
    for task in dict.fromkeys(row.task for row in results.rows):
        if TASKS[task].classic:
            continue
        ordered = _ordered(results, task)
        learners = [s for s in ordered if s.network]
        spiking = [s for s in learners if s.network == "LIF"]
        if not spiking:
            continue
        text = f"{TASKS[task].title}: best spiking network {_say(spiking[0])}"
        # Trained as a rate network, but what is measured is the spiking one made of it.
        own = [s for s in learners if not s.contender.endswith("converted to spikes")]
        rate = [s for s in own if s.network == "rate"]
        classical = [s for s in ordered if not s.network]
        if rate:
            text += f", best rate network {_say(rate[0])}"
        if classical:
            text += f", best classical method {_say(classical[0])}"
        sentences.append(text + ("; settings not tuned." if _untuned(results, task) else "."))
    ranked = ranks(results)
    if ranked is not None:
        first = sorted(ranked.mean.items(), key=lambda item: item[1])[:3]
        named = ", ".join(f"{name}{f' on {net} units' if net else ''} ({rank:.1f})"
                          for (name, net), rank in first)  # fmt: skip
        sentences.append(
            f"Mean rank over {len(ranked.tasks)} tasks, among {len(ranked.mean)} contenders: "
            f"{named}. Friedman's test that all are alike: p = {ranked.p_value:.2g}."
        )
    return sentences


def _who(s: Summary) -> tuple[str, str, str]:
    return s.contender, s.network or "–", str(s.hidden or "–")


def _ordered(results: Results, task: str) -> list[Summary]:
    return sorted(results.summaries(task), key=lambda s: -s.rate.value)


def _untuned(results: Results, task: str) -> int:
    """Return how many contenders that learn had no tuned settings."""
    tuned = results.about.get("settings", {}).get(task, {})
    learners = {(r.contender, r.network) for r in results.of(task) if r.network}
    return sum(f"{name}/{network}" not in tuned for name, network in learners)


def _compared(found: Comparison | None, s: Summary) -> tuple[str, str]:
    if found is None:
        return ("reference" if (s.contender, s.network) == REFERENCE else "–"), "–"
    value, low, high = (100 * v for v in found[:3])
    return f"{value:+.1f} ({low:+.1f} – {high:+.1f})", f"{found.p_value:.2g}"


def _interval(s: Summary) -> str:
    if math.isnan(s.rate.low) or s.n_runs == 1:
        return "–"
    return f"{max(100 * s.rate.low, 0.0):.1f} – {min(100 * s.rate.high, 100.0):.1f}"


def _reached(s: Summary, name: str) -> str:
    value = s.measures.get(name, math.inf)
    if math.isinf(value):
        return "not reached"
    return f"{value:,.2f}" if name.startswith("seconds") else f"{value:,.0f}"


def _under_curve(results: Results, s: Summary) -> str:
    curve = results.curves.get(f"{s.task}/{s.contender}/{s.network}/{s.hidden}")
    return f"{100 * sum(curve) / len(curve):.1f}" if curve else "–"


def _both_ways(s: Summary) -> str:
    """Return the synaptic operations of training up to the level, forward and backward."""
    back = s.measures.get("backward_synops", math.inf)
    if math.isinf(back):
        return "–"
    total = (s.measures["synops"] + back) * s.measures.get("samples_to_level", math.inf)
    return "not reached" if math.isinf(total) else f"{total / 1e6:,.1f} M"


def _area(s: Summary, kind: str) -> str:
    value = s.measures.get(f"{kind}_area", math.inf)
    return "–" if math.isinf(value) else f"{100 * value:.1f}"


def _say(s: Summary) -> str:
    value = f"{100 * s.rate.value:.1f} %"
    if TASKS[s.task].kind == "fitting":
        value = f"{round(s.rate.value * s.n_runs)} of {s.n_runs} starts"
    return f"{value} ({s.contender})"
