"""The benchmark of rules: tasks, splits, who takes part, paired statistics, report."""

import json
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from scipy import stats

from spikesim import comparison, datasets, learning
from spikesim.comparison import (
    entries,
    kinds,
    measures,
    report,
    resampling,
    sweep_figures,
    sweep_report,
    tasks,
    tuning,
)
from spikesim.comparison.entries import contender, entrants, everyone
from spikesim.comparison.figures import image
from spikesim.comparison.measures import epochs_to
from spikesim.comparison.paired import against, difference, holm, ranks
from spikesim.comparison.protocol import SMOKE, Splits, make_apart, streams
from spikesim.comparison.results import Results, Row
from spikesim.comparison.runs import Job, jobs, run_job
from spikesim.comparison.statistics import corrected_difference, mcnemar
from spikesim.comparison.tasks import GROUPS, TASKS, chosen_tasks, problem, task
from spikesim.comparison.verdicts import verdicts
from spikesim.errors import ParameterError
from spikesim.learning.gradient_rule import GradientRule
from spikesim.surrogates import Triangle
from tests.test_learning_contract import rules as rules_of_the_contract

NEW = [name for name, found in TASKS.items() if not found.classic]
APART = {"digits": ([(2, 10), (1, 3)], 3, 4), "wine": ([(10, 10), (2, 5)], 5, 5),
         "breast_cancer": ([(10, 10), (2, 5)], 5, 6)}  # fmt: skip


@pytest.mark.parametrize("name", NEW)
def test_parts_of_a_task_are_what_its_kind_says(name):
    found = task(name)
    train, test = found.part("train"), found.part("test")
    assert len(train.labels) == len(train.features)
    assert set(np.unique(train.labels)) == set(range(len(train.class_names)))
    if found.kind == "parts":
        rows = {row.tobytes() for row in train.features}
        assert not any(row.tobytes() in rows for row in test.features[:50])
        validation = found.part("validation")
        assert not any(row.tobytes() in rows for row in validation.features[:50])
    else:
        assert test is train
    for budget in ("full", "quick", "smoke"):
        assert found.epochs.of(budget) >= 1 and found.hidden.of(budget)
        if found.kind == "folds":
            assert len(Splits.load(found.splits.of(budget)).fold_of[0]) == len(train.labels)


def test_rate_networks_see_the_counts_of_spike_trains():
    data = task("timing_only").part("train")
    counts = task("timing_only").seen(data.features, "rate")
    assert np.array_equal(counts, data.spikes.sum(axis=0))
    assert not np.ptp(counts, axis=0).any()
    rows = data.features
    assert task("timing_only").seen(rows, "LIF") is rows
    assert (
        problem("timing_only", "rate").n_features == problem("timing_only", "LIF").encoder.n_lines
    )


def test_groups_stand_for_their_tasks():
    assert chosen_tasks("iris") == ["iris2", "iris"]
    assert len(chosen_tasks(["temporal_xor"])) == 5
    assert chosen_tasks(["wine", "temporal_xor_20"]) == ["wine", "temporal_xor_20"]
    assert chosen_tasks("all") == list(TASKS)
    assert set(GROUPS) >= {"xor", "iris", "yin_yang", "temporal_xor", "store_recall"}
    with pytest.raises(ParameterError, match="did you mean 'yin_yang'"):
        chosen_tasks(["yinyang"])


@pytest.mark.parametrize("name", APART)
def test_samples_that_settings_are_chosen_on_are_never_tested(name):
    outer, tune_folds, seed = APART[name]
    data = getattr(datasets, name)()
    made = make_apart(
        name, data.features, data.labels, outer, tune_folds=tune_folds, seed=seed
    )  # fmt: skip
    tuned = Splits.load(f"{name}_tune")
    used = {i for _, _, train, test in tuned for i in (*train, *test)}
    assert 0.3 < len(used) / len(data.labels) < 0.37
    for splits in made:
        stored = Splits.load(splits.name)
        assert stored.sha256 == splits.sha256
        assert np.array_equal(stored.fold_of, splits.fold_of)
        if splits.name == tuned.name:
            continue
        for _, _, train, test in stored:
            assert not used & set(test) and used <= set(train)
            assert len(train) + len(test) == len(data.labels)
            assert len(np.unique(data.labels[test])) == len(data.class_names)


def test_every_rule_takes_part():
    there = {c.rule for c in everyone()}
    assert {kind.__name__ for kind in rules_of_the_contract()} <= there
    keys = [c.key for c in everyone()]
    assert len(keys) == len(set(keys))
    wanted = {"FeedbackAlignment/rate", "FeedbackAlignment/LIF", "EProp, random feedback/LIF"}
    assert wanted | {"Backprop, frozen hidden layer/LIF", "MLP", "nearest neighbour"} <= set(keys)
    assert all(len(c.space) == 3 for c in everyone() if c.network)
    assert all(low < high for c in everyone() for low, high in c.space.values())
    assert all(entries.note(c.name) for c in everyone())


@dataclass(frozen=True)
class Sluggish(GradientRule):
    """Do nothing, slowly.

    *Each synapse must know* nothing at all, and never learns.

    References
    ----------
    Nobody & Noone 1901, J. Idle 1:1.
    """

    optimiser: Any = None
    patience: float = 0.5

    contender = {"search": {"patience": (0.1, 1.0)}, "variants": {"twice": {"patience": 0.25}}}

    def init(self, network):
        if not network.spiking:
            raise ParameterError("Sluggish likes spikes")

    def _learn(self, network, state, x, labels):
        pytest.fail("a rule is entered for the benchmark without a run")


def test_a_rule_takes_part_by_being_imported(monkeypatch):
    monkeypatch.setattr(learning, "Sluggish", Sluggish, raising=False)
    monkeypatch.setattr(learning, "__all__", [*learning.__all__, "Sluggish"])
    everyone.cache_clear()
    try:
        found = [c for c in everyone() if c.rule == "Sluggish"]
        assert [c.key for c in found] == ["Sluggish/LIF", "Sluggish, twice/LIF"]
        assert list(found[0].space) == ["patience", "gain", "bias_sd"]
        note = entries.note("Sluggish, twice")
        assert (note.what, note.source) == ("Do nothing, slowly.", "Nobody & Noone 1901")
        assert note.knows == "nothing at all, and never learns"
        assert [c.key for c in entrants(task("wine"), ["Sluggish"])] == [c.key for c in found]
    finally:
        everyone.cache_clear()


def test_classic_tasks_keep_their_table_unless_others_are_asked_for():
    assert {c.name for c in entrants(task("xor"))} >= {"perceptron", "surrogate gradient"}
    assert "Backprop" not in {c.name for c in entrants(task("xor"))}
    assert {c.name for c in entrants(task("xor"), ["EProp"])} >= {"EProp", "EProp, recurrent"}
    assert [c.name for c in entrants(task("iris"), ["MLP", "LDA"])] == ["LDA", "MLP"]


def test_shapes_of_surrogates_take_part_when_they_are_named():
    name = "Backprop, Triangle surrogate"
    for wanted in (None, ["all"], ["Backprop"]):
        assert name not in {c.name for c in entrants(task("randman"), wanted)}
    (found,) = entrants(task("randman"), [name])
    settings = {**found.middle(), "slope": 2.5}
    plan = found.build(problem("randman", "LIF"), 3, settings, streams("xor", 0).weights)
    assert plan.rule.surrogate == Triangle(2.5)


def one_of_each_kind():
    shown = {}
    for c in everyone():
        if c.build is not None:
            network = c.build(
                problem("parity", c.network), 2, c.middle(), streams("xor", 0).weights
            )
            shape = tuple((type(layer.neuron), layer.n_post) for layer in network.network.layers)
            shown.setdefault((c.name.partition(", ")[2], c.network, c.layers, shape), c)
    return [*shown.values(), contender("MLP", ""), contender("nearest neighbour", "")]


@pytest.mark.parametrize("c", one_of_each_kind(), ids=lambda c: c.key)
def test_each_kind_of_contender_runs(c):
    hidden = c.hidden_sizes(task("parity"), (3,))[0]
    made = Job("parity", c.name, c.network, hidden, 0, 1, c.middle())
    one, two = run_job(made), run_job(made)
    assert one.row.accuracy == two.row.accuracy and one.curve.tolist() == two.curve.tolist()
    assert 0.0 <= one.row.accuracy <= 1.0
    if c.network:
        assert one.row.measures["samples"] == 16 and one.row.measures["updates"] == 4
        assert one.row.measures["synops"] >= 0.0 and one.row.measures["energy"] > 0.0


def test_runs_of_a_task_cover_contenders_and_folds():
    listed = jobs(["wine"], SMOKE, {}, ["Backprop", "LDA"])
    assert {job.splits for job in listed} == {"wine_2x5"}
    assert {job.seed for job in listed} == set(range(5))
    assert {job.samples for job in listed} == {40}
    lines = [j for j in jobs(["yin_yang"], SMOKE, {}, ["LDA", "EProp"]) if j.name == "LDA"]
    assert len(lines) == 1
    tuned = {"wine": {"Backprop/LIF": {"learning_rate": 0.5, "gain": 2.0, "slope": 3.0}}}
    chosen = [j for j in jobs(["wine"], SMOKE, tuned, ["Backprop"]) if j.network == "LIF"]
    assert chosen[0].settings["learning_rate"] == 0.5


def test_effort_to_a_level_is_that_of_the_first_epoch_that_reached_it():
    assert epochs_to([0.2, 0.9, 0.8], 0.9) == 2
    assert epochs_to([0.2, 0.8], 0.9) is None


def test_expected_best_against_all_subsets():
    scores = [0.2, 0.9, 0.5, 0.4, 0.9]
    wanted = [np.mean([max(c) for c in combinations(scores, n)]) for n in range(1, 6)]
    np.testing.assert_allclose(resampling.expected_best(scores), wanted, rtol=1e-12)


def test_bootstrap_is_repeatable_and_close_to_scipy():
    x = np.random.default_rng(0).normal(0.9, 0.05, 40)
    found = resampling.bootstrap_mean(x)
    assert found == resampling.bootstrap_mean(x)
    other = stats.bootstrap((x,), np.mean, method="percentile", rng=1).confidence_interval
    assert (found.low, found.high) == pytest.approx(tuple(other), abs=0.002)
    y = x - 0.02 + np.random.default_rng(1).normal(0, 0.01, 40)
    compared = resampling.bootstrap_difference(x, y)
    assert compared.low < compared.value < compared.high
    assert compared.p_value == pytest.approx(stats.wilcoxon(x - y, zero_method="zsplit").pvalue)
    assert resampling.bootstrap_difference(x, x) == (0.0, 0.0, 0.0, 1.0)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == [] and holm([0.9, 0.8]) == [1.0, 1.0]


def row(name, network, seed, accuracy, on="yin_yang", hidden=30, **more):
    folds = 5 if TASKS[on].kind == "folds" else None
    repeat, fold = divmod(seed, folds) if folds else (None, None)
    found = {"n_train": 100.0, "n_test": 20.0}
    if network:
        found |= {"train_seconds": 0.5 + seed, "synops": 100.0 * (1 + seed), "state_updates": 50.0,
                  "energy": 900.0, "samples": 1e4}  # fmt: skip
        if name == "Backprop":
            found["backward_synops"] = 10.0
        if accuracy > 0.8:
            found |= {"samples_to_level": 2e3, "updates_to_level": 60.0, "seconds_to_level": 0.1}
        for kind, strengths in measures.KINDS_OF_LOSS.items():
            found |= {f"{kind}@{s:g}": accuracy - 0.1 * i for i, s in enumerate(strengths)}
            found[f"{kind}_area"] = accuracy - 0.1
    if "converted" in name:
        found |= {"rate_twin": accuracy, "window_20": 0.3, "window_100": accuracy,
                  "window_20_synops": 10.0}  # fmt: skip
    family = "gradient" if network else "classical"
    return Row(on, name, family, name.split(",")[0], network, hidden, seed, repeat, fold, accuracy,
               accuracy == 1.0, 7 if accuracy == 1.0 else None, 3, False, 0.1,
               12.0 if network == "LIF" else None, {**found, **more})  # fmt: skip


@pytest.fixture(scope="module")
def results():
    rng = np.random.default_rng(0)
    rows, delays = [], [name for name in TASKS if TASKS[name].belongs_to == "temporal_xor"]
    for on in ("parity", "yin_yang", "wine", *delays):
        for name, network, level in (
            ("Backprop", "LIF", 0.97), ("Backprop", "rate", 0.9), ("EProp", "LIF", 0.94),
            ("Backprop, converted to spikes", "rate", 0.8),
        ):  # fmt: skip
            for seed in range(6):
                value = min(1.0, level + rng.normal(0, 0.01))
                rows.append(row(name, network, seed, round(value) if on == "parity" else value, on))
        rows += [row("LDA", "", s, 0.63, on, 0) for s in range(6 if on == "wine" else 1)]
    keys = dict.fromkeys(
        f"{r.task}/{r.contender}/{r.network}/{r.hidden}" for r in rows if r.network
    )
    about = {"settings": {"yin_yang": {"Backprop/LIF": {"gain": 1.0}}}, "versions": {}}
    trials = {"yin_yang": {"Backprop/LIF": [0.2, 0.9, 0.7], "EProp/LIF": [0.5, 0.6, 0.7]}}
    return Results(tuple(rows), {key: [0.3, 0.6, 0.9] for key in keys}, about, {"trials": trials})


def test_differences_are_paired_and_of_the_kind_of_the_task(results):
    a, b = ([r.accuracy for r in results.of("yin_yang") if (r.contender, r.network) == key]
            for key in (("Backprop", "LIF"), ("EProp", "LIF")))  # fmt: skip
    found = against(results, "yin_yang")
    assert found["EProp", "LIF", 30][:3] == resampling.bootstrap_difference(a, b)[:3]
    assert ("Backprop", "LIF", 30) not in found
    assert found["LDA", "", 0].value == pytest.approx(np.mean(a) - 0.63)
    groups = results.groups("wine")
    pair = groups["Backprop", "LIF", 30], groups["EProp", "LIF", 30]
    x, y = ([r.accuracy for r in rows] for rows in pair)
    assert difference("wine", *pair) == corrected_difference(x, y, 100, 20)
    one = [row("a", "LIF", s, float(s > 2), "parity") for s in range(8)]
    two = [row("b", "LIF", s, float(s > 6), "parity") for s in range(8)]
    assert difference("parity", one, two).p_value == mcnemar(
        [r.solved for r in one], [r.solved for r in two]
    )
    assert difference("parity", one[:1], two) is None


def test_ranks_by_hand(results):
    found = ranks(results)
    # The delays of temporal XOR count as one task.
    assert found.tasks == ["parity", "yin_yang", "wine", "temporal_xor"]
    assert found.mean["LDA", ""] == 5.0
    assert found.mean["Backprop", "LIF"] < found.mean["Backprop", "rate"]
    assert sum(found.mean.values()) == pytest.approx(15.0)
    assert ranks(replace(results, rows=tuple(results.of("wine")))) is None


def test_the_report_has_tables_and_figures_of_every_task(results):
    drawn = sweep_figures.sweep_figures(results)
    names = ("accuracy", "cost", "learning", "tuning", "robustness", "windows")
    assert {*(f"yin_yang_{name}" for name in names), "temporal_xor_delays"} <= set(drawn)
    assert "wine_tuning" not in drawn
    vector = {name: image(drawn[name], "svg") for name in ("yin_yang_cost", "temporal_xor_delays")}
    page = report.render(results, vector)
    assert page.count("<figure>") == 2
    assert "Yin-Yang" in page and "behind BPTT" in page and "samples to level" in page
    assert "not reached" in page and "90 % of the training" in page
    assert "Friedman" in page and "best spiking network 9" in page
    text = comparison.terminal_table(results)
    assert "reference" in text and "5 of 6" not in text.split("Yin-Yang")[1][:200]
    assert max(map(len, text.splitlines())) <= 110
    assert Results.from_json(results.to_json()).rows == results.rows
    assert results.to_csv().count("\n") == 1 + sum(len(results.summaries(name)) for name in TASKS)


def test_a_network_that_was_converted_is_not_the_best_rate_network(results):
    better = [
        replace(r, accuracy=0.99) if "converted" in r.contender else r
        for r in results.rows
        if r.task == "wine"
    ]
    said = sweep_report.findings(replace(results, rows=tuple(better)))[0]
    assert "best rate network" in said and "converted" not in said


def test_what_training_takes_is_counted_both_ways(results):
    columns, rows = sweep_report.TRAINING_COLUMNS, sweep_report.training_table(results, "yin_yang")
    lines = {line[:2]: dict(zip(columns, line, strict=True)) for line in rows}
    # Median over the starts of (400 + 10) operations for each of 2,000 samples.
    assert lines["Backprop", "LIF"]["SynOps to it"] == "0.8 M"
    assert lines["Backprop", "LIF"]["area"] == "60.0"
    assert lines["EProp", "LIF"]["SynOps to it"] == "–"


def test_untuned_contenders_are_counted_in_the_report(results):
    text = " ".join(report.terminal_table(results).split())
    assert "3 contenders have not been tuned on this task" in text


@pytest.fixture
def little_timing(monkeypatch):
    """Make the task of timing so small that plain Python gets through it."""
    little = replace(
        TASKS["timing_only"],
        load=lambda part: datasets.timing_only(
            16, n_lines=4, duration=20.0, seed=len(part), pattern_seed=0
        ),
    )
    monkeypatch.setitem(TASKS, "timing_only", little)
    monkeypatch.setattr(measures, "_PERTURBED", 4)
    tasks._part.cache_clear()
    yield
    tasks._part.cache_clear()


def test_compare_runs_new_tasks_from_end_to_end(tmp_path, little_timing):
    found = comparison.compare(
        tmp_path, tasks=["parity", "timing_only"], rules=["Perceptron", "LDA"], budget="smoke",
        n_jobs=1, progress=False,
    )  # fmt: skip
    assert {r.task for r in found.rows} == {"parity", "timing_only"}
    assert {r.network for r in found.rows} == {"rate", "LIF", ""}
    counted = [r for r in found.of("timing_only") if r.contender == "LDA"]
    assert [r.accuracy for r in counted] == [0.5]
    spiking = next(r for r in found.of("timing_only") if r.network == "LIF")
    assert {"weight_noise_area", "spike_deletion@0.5", "synops"} <= set(spiking.measures)
    assert (tmp_path / "report.html").is_file() and not (tmp_path / "runs.jsonl").exists()
    stored = json.loads((tmp_path / "results.json").read_text())
    assert stored["about"]["seeds"] == {"parity": 2, "timing_only": 2}
    with pytest.raises(ParameterError, match=r"compare.rules\[0\].*did you mean 'EProp'"):
        comparison.compare(tmp_path, tasks=["parity"], rules=["EPropp"])


def test_a_search_keeps_what_was_tuned_of_others(tmp_path):
    path = tmp_path / "parity.json"
    options = {"tasks": ["parity"], "n_trials": 2, "n_jobs": 1, "progress": False, "epochs": 1,
               "seeds": {"parity": 1}}  # fmt: skip
    tuning.tune(path, rules=["Perceptron"], **options)
    found = tuning.tune(path, rules=["Relaxation"], **options)
    assert set(found["chosen"]["parity"]) == {
        f"{name}/{network}" for name in ("Perceptron", "Relaxation") for network in ("rate", "LIF")
    }
    trial = found["trials"]["parity"]["Perceptron/rate"][0]
    c = contender("Perceptron", "rate")
    assert trial["settings"] == tuning.at(c, tuning.points(2)[0]) and len(trial["score"]) == 3


def test_kinds_of_networks_are_what_their_names_say():
    built = {key: kinds.small(kind) for key, kind in kinds.KINDS.items()}
    assert built["LIF recurrent"].layers[0].w_rec is not None
    assert built["continuous"].continuous and built["fires once"].continuous
    assert built["LIF frozen"].layers[0].trainable == () and built["LIF frozen"].layers[1].trainable
    assert len(built["LIF single"].layers) == len(built["step single"].layers) == 1


def hypothesis_rows(levels, on, **more):
    rng = np.random.default_rng(3)
    noise = rng.normal(0, 0.003, 10)
    return [
        row(name, network, seed, level + noise[seed] + rng.normal(0, 0.001), on,
            8 if on == "iris" else 30, **more)
        for (name, network), level in levels.items()
        for seed in range(10)
    ]  # fmt: skip


def judged(rows, name):
    tasks = dict.fromkeys(r.task for r in rows)
    settings = {on: {f"{r.contender}/{r.network}": {} for r in rows} for on in tasks}
    found = {v.id: v for v in verdicts(Results(tuple(rows), {}, {"settings": settings}))}
    return found[name]


ONLINE = {("Backprop", "LIF"): 0.98, ("Backprop, recurrent", "LIF"): 0.98,
          ("EProp, recurrent", "LIF"): 0.96, ("EProp, recurrent, random feedback", "LIF"): 0.95,
          ("DirectFeedbackAlignment", "LIF"): 0.94}  # fmt: skip


def test_h14_is_judged_by_its_conditions():
    alike = dict.fromkeys(ONLINE, 0.96)
    good = hypothesis_rows(ONLINE, "yin_yang") + hypothesis_rows(alike, "iris")
    assert judged(good, "H14").outcome == "held"
    assert "+4.0" in judged(good, "H14").text
    bad = hypothesis_rows(alike, "yin_yang") + hypothesis_rows(alike, "iris")
    assert judged(bad, "H14").outcome == "failed"
    told = hypothesis_rows(ONLINE, "yin_yang") + hypothesis_rows(ONLINE, "iris")
    assert judged(told, "H14").outcome == "failed"
    some = [r for r in good if r.contender != "DirectFeedbackAlignment" or r.task != "iris"]
    assert judged(some, "H14").outcome == "open"
    assert "DirectFeedbackAlignment (LIF) on Iris, four features" in judged(some, "H14").text


def test_h15_is_judged_by_its_conditions():
    def rows(lif, rate):
        found = []
        for on in ("yin_yang", "digits"):
            for network, losses in (("LIF", lif), ("rate", rate)):
                for r in hypothesis_rows({("Backprop", network): 0.95}, on):
                    areas = {f"{kind}_area": r.measures[f"{kind}@0"] - loss - 0.001 * (r.seed % 3)
                             * (network == "LIF") for kind, loss in losses.items()}  # fmt: skip
                    found.append(replace(r, measures={**r.measures, **areas}))
        return found

    lif = {"spike_deletion": 0.05, "threshold_noise": 0.10, "tau_mismatch": 0.10}
    rate = {"spike_deletion": 0.10, "threshold_noise": 0.05, "tau_mismatch": 0.01}
    assert judged(rows(lif, rate), "H15").outcome == "held"
    assert judged(rows(rate, lif), "H15").outcome == "failed"
    assert judged(rows({**lif, "tau_mismatch": 0.005}, rate), "H15").outcome == "failed"


def test_h13_is_judged_by_its_conditions():
    def rows(spiking=900.0, at_end=0.95, counts=0.5):
        found = []
        for on in ("wine", "breast_cancer", "digits"):
            for r in hypothesis_rows({("Backprop, converted to spikes", "rate"): 0.95}, on):
                windows = {f"window_{w}": at_end if w >= 100 else 0.5 for w in kinds.WINDOWS}
                done = {f"window_{w}_synops": spiking for w in kinds.WINDOWS}
                more = {"rate_twin": 0.95, "rate_synops": 500.0, **windows, **done}
                found.append(replace(r, measures={**r.measures, **more}))
        levels = {("Backprop", "LIF"): 0.9, ("Backprop", "rate"): counts}
        return found + hypothesis_rows(levels, "timing_only")

    # Chance is within the interval of a mean of exactly one half.
    even = [replace(r, accuracy=0.5) if (r.task, r.network) == ("timing_only", "rate") else r
            for r in rows()]  # fmt: skip
    assert judged(even, "H13").outcome == "held"
    assert "from 100 ms on" in judged(even, "H13").text
    assert "at 1000 ms spikes are +5.0 (" in judged(rows(at_end=0.9), "H13").text
    for spoilt in (rows(spiking=100.0), rows(at_end=0.9), rows(counts=0.6)):
        assert judged(spoilt, "H13").outcome == "failed"


def test_the_report_says_what_is_still_missing(results):
    page = report.render(results, {})
    assert "H14, open." in page and "Not run, or not tuned" in page
