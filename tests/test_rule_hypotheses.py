"""Hypotheses 9 and 10 are judged by the conditions that were written down, and shown as found."""

import importlib
import json
from dataclasses import replace

import pytest

from docs import build_rule_benchmark
from experiments import silent_start, surrogate_scale
from spikesim import cli
from spikesim.comparison import Results, study, tuning
from spikesim.comparison.verdicts import verdicts

SEEDS = range(6)


def around(level, spread=0.002):
    return [level + spread * (seed % 3 - 1) for seed in SEEDS]


def shapes(levels, lost=0.10):
    one = {
        "tuned": True,
        "accuracy": dict(zip(surrogate_scale.SHAPES, map(around, levels), strict=True)),
        "best": "fast sigmoid",
        "scales": {
            surrogate_scale.FLAT: around(levels[0] - lost),
            surrogate_scale.STEEP: around(levels[0] - 0.01),
        },
    }
    return {"yin_yang": one, "randman": one}


def test_h9_holds_where_scales_matter_and_shapes_do_not():
    alike = [0.95, 0.945, 0.94, 0.935, 0.94]
    outcome, text = surrogate_scale.judge(shapes(alike))
    assert outcome == "held"
    assert "fast sigmoid is ahead of logistic" in text and "+1.5" in text and "+10.0" in text
    assert surrogate_scale.judge(shapes([*alike[:4], 0.92]))[0] == "failed"
    assert surrogate_scale.judge(shapes(alike, lost=0.015))[0] == "failed"
    untuned = shapes(alike)
    untuned["randman"] = {**untuned["randman"], "tuned": False}
    assert surrogate_scale.judge(untuned)[0] == "open"
    one = {"yin_yang": shapes(alike)["yin_yang"]}
    assert surrogate_scale.judge(one)[0] == "open"
    assert "Not there: Randman" in surrogate_scale.judge(one)[1]
    # One task is enough to fail.
    assert (
        surrogate_scale.judge({"yin_yang": shapes([*alike[:4], 0.92])["yin_yang"]})[0] == "failed"
    )


def cases(spikes=(20.0, 40.0), accuracy=(0.94, 0.95), silent=(0.5, 0.8), warm=0.75):
    levels = {
        silent_start.EXACT: (accuracy[0], spikes[0]),
        silent_start.SURROGATE: (accuracy[1], spikes[1]),
        silent_start.SILENT_EXACT: (silent[0], 1.0),
        silent_start.SILENT_SURROGATE: (silent[1], 1.0),
        silent_start.WARM: (warm, 1.0),
    }
    found = {name: {"accuracy": around(a), "spikes": around(s)} for name, (a, s) in levels.items()}
    return {**found, "tuned": True}


def test_h10_is_judged_by_each_of_its_parts():
    assert silent_start.judge(cases())[0] == "held"
    assert silent_start.judge(cases(spikes=(40.0, 20.0)))[0] == "failed"
    assert silent_start.judge(cases(silent=(0.8, 0.5)))[0] == "failed"
    # 10 of 30 points are left, then 9.
    assert silent_start.judge(cases(warm=0.70))[0] == "failed"
    assert silent_start.judge(cases(warm=0.71))[0] == "held"
    assert silent_start.judge(cases(accuracy=(0.90, 0.95)))[0] == "open"
    assert silent_start.judge({**cases(), "tuned": False})[0] == "open"
    assert "20.0 spikes, the surrogate 40.0" in silent_start.judge(cases())[1]


def test_a_silent_start_is_silent():
    found = silent_start.run(replace(silent_start.Config.smoke(), seeds=(0,)))
    assert found[silent_start.EXACT]["first_spikes"][0] > 0.0
    assert found[silent_start.SILENT_EXACT]["first_spikes"] == [0.0]
    assert len(found[silent_start.WARM]["history"][0]) == 2


@pytest.fixture(scope="module")
def kept():
    path = build_rule_benchmark.DOCS / "results" / "rules.json"
    return json.loads(path.read_text(encoding="utf-8"))


def test_the_page_is_what_its_command_makes_of_the_rows(kept):
    docs = build_rule_benchmark.DOCS
    pictures = sorted((docs / "images" / "rules").glob("*.png"))
    figures = {path.stem: f"images/rules/{path.name}" for path in pictures}
    made = build_rule_benchmark.page(kept, build_rule_benchmark.restored(kept), figures)
    assert made == (docs / "benchmark_of_rules.md").read_text(encoding="utf-8")


def test_what_is_kept_of_results_gives_the_same_verdicts(kept, tmp_path):
    results = build_rule_benchmark.restored(kept)
    (tmp_path / "all").mkdir()
    about = {"settings": results.about["settings"], "budget": "quick"}
    whole = Results(results.rows, results.curves, about)
    (tmp_path / "all" / "results.json").write_text(whole.to_json())
    again = build_rule_benchmark.collect(tmp_path)
    assert list(again["tasks"]) == list(kept["tasks"])
    assert all(again["tasks"][name]["rows"] == one["rows"] for name, one in kept["tasks"].items())
    assert verdicts(build_rule_benchmark.restored(again)) == verdicts(results)
    text = build_rule_benchmark._as_text(again)
    assert json.loads(text) == again and len(text) < 300_000


def test_programs_are_found_by_the_page():
    for name in build_rule_benchmark._EXPERIMENTS.values():
        assert hasattr(importlib.import_module(f"experiments.{name}"), "judge")


def test_the_search_is_told_how_long_it_may_be(monkeypatch, capsys):
    told = {}
    monkeypatch.setattr(tuning, "tune", lambda **options: told.update(options))
    line = ["compare", "--tune", "--tasks", "temporal_xor", "--trials", "4", "--seeds", "3"]
    assert cli.main(line) == 0
    assert told["n_trials"] == 4
    assert set(told["seeds"].values()) == {3} and "temporal_xor_20" in told["seeds"]
    assert cli.main(["compare", "--trials", "4"]) == 2
    assert "compare.trials is for --tune" in capsys.readouterr().err


def test_a_stopped_comparison_says_that_it_goes_on(monkeypatch, capsys):
    def stop(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(study, "compare", stop)
    assert cli.main(["compare", "--quick"]) == 130
    assert "goes on with the runs that are missing" in capsys.readouterr().err


def test_what_a_search_took_is_said_for_each_number_of_trials():
    found = tuning.tuning_effort("yin_yang", ["Backprop/LIF", "Backprop/rate"])
    assert found == ["16 trials for each of 2 contenders, each on 2 starts."]
    assert tuning.tuning_effort("wine", ["Backprop/rate"])[0].endswith(
        "each on 5 folds of samples that are set apart."
    )
    assert tuning.tuning_effort("parity", ["Backprop/rate"]) == []
