"""Results, tables, figures and the page, from rows made up for the purpose."""

import csv
import io
import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from spikesim import comparison
from spikesim.comparison import figures, report, study
from spikesim.comparison.results import Results, Row, mean_curves
from spikesim.comparison.statistics import corrected_difference, wilson
from spikesim.comparison.tasks import TASKS
from spikesim.errors import ParameterError

_RULES = {"perceptron": "local", "committee": "local", "surrogate gradient": "gradient"}


def row(task, name, network, hidden, seed, accuracy, solved_epoch=None, folds=None):
    family = _RULES.get(name, "classical")
    repeat, fold = divmod(seed, folds) if folds else (None, None)
    return Row(
        task, name, family, name.title(), network, hidden, seed, repeat, fold, accuracy,
        accuracy == 1.0, solved_epoch, 50, False, 0.1, 12.5 if network == "LIF" else None,
    )  # fmt: skip


@pytest.fixture(scope="module")
def results():
    rng = np.random.default_rng(0)
    rows = [row("xor", "perceptron", n, 0, s, 0.5) for n in ("rate", "LIF") for s in range(10)]
    for hidden in (2, 4):
        for name, network in (("committee", "rate"), ("surrogate gradient", "LIF")):
            for seed in range(10):
                right = seed < 7 + hidden // 2
                rows.append(
                    row("xor", name, network, hidden, seed, 1.0 if right else 0.75,
                        5 + seed if right else None)
                )  # fmt: skip
    rows += [row("iris2", "perceptron", "rate", 0, s, 1.0, 3) for s in range(5)]
    rows += [row("iris2", "LDA", "", 0, 0, 1.0)]
    for name, network, hidden, level in (
        ("perceptron", "rate", 0, 0.92), ("surrogate gradient", "LIF", 8, 0.96),
        ("LDA", "", 0, 0.98), ("majority class", "", 0, 0.33),
    ):  # fmt: skip
        for seed in range(10):
            rows.append(
                row("iris", name, network, hidden, seed, level + rng.normal(0, 0.01), folds=5)
            )
    curves = {
        "xor/perceptron/rate/0": [0.5, 0.5, 0.5],
        "xor/committee/rate/4": [0.5, 0.9, 1.0],
        "iris/perceptron/rate/0": [0.5, 0.9, 0.9],
        "iris/surrogate gradient/LIF/8": [0.4, 0.9, 0.95],
    }
    series = {
        f"{name}{end}": [0.5, 0.9] for name in ("share", "rms") for end in ("", "_low", "_high")
    }
    mode = {**series, "plateau_share": 0.98, "plateau_rms": 0.04, "deviation": 0.056}
    extra = {
        "rate_code": {"windows": [10.0, 100.0], "regular": mode, "poisson": mode},
        "longer": [
            {"contender": "committee", "network": "rate", "failed": 3, "solved": 1},
            {"contender": "surrogate gradient", "network": "LIF", "failed": 1, "solved": 1},
        ],
    }
    about = {
        "budget": "quick", "date": "2000-01-01", "command": "spikesim compare --quick <&>",
        "versions": {"spikesim": "0"}, "digests": {"settings": "ab" * 32},
        "settings": {"xor": {"perceptron/rate": {"learning_rate": 0.1, "gain": 1.0}}},
    }  # fmt: skip
    return Results(tuple(rows), curves, about, extra)


def test_summary_of_xor_is_wilson_and_kaplan_meier(results):
    found = {(s.contender, s.hidden): s for s in results.summaries("xor") if s.network != "LIF"}
    assert found["committee", 4].rate == wilson(9, 10)
    assert found["committee", 4].median.value == 9
    assert found["perceptron", 0].rate.value == 0
    assert math.isinf(found["perceptron", 0].median.value)


def test_summary_of_iris_is_paired_with_lda(results):
    found = {s.contender: s for s in results.summaries("iris")}
    of = {
        name: [r.accuracy for r in results.of("iris") if r.contender == name]
        for name in ("LDA", "perceptron")
    }
    assert found["perceptron"].behind == corrected_difference(of["LDA"], of["perceptron"], 4, 1)
    assert found["LDA"].behind is None
    assert 0.0 < results.detectable() < 0.05


def test_json_holds_every_row_and_comes_back(results):
    text = results.to_json()
    assert Results.from_json(text).rows == results.rows
    document = json.loads(text)
    wanted = {"task", "rule", "network", "seed", "fold", "accuracy", "epochs", "seconds"}
    assert wanted | {"spikes_per_trial"} <= set(document["rows"][0])
    assert len(document["rows"]) == len(results.rows)


def test_csv_has_a_line_for_each_contender(results):
    lines = list(csv.DictReader(io.StringIO(results.to_csv())))
    assert len(lines) == sum(len(results.summaries(task)) for task in TASKS)
    never = next(line for line in lines if line["contender"] == "perceptron")
    assert (never["rate"], never["median_epoch"]) == ("0.0", "inf")


def test_mean_curves_count_runs_that_diverged_as_zero():
    found = mean_curves([("a", [0.0, 1.0]), ("a", [0.5, 0.5]), ("b", []), ("c", [1.0]), ("c", [])])
    assert found == {"a": [0.25, 0.75], "c": [0.5]}


def test_terminal_table_is_aligned_and_says_what_was_not_reached(results):
    text = comparison.terminal_table(results)
    assert "not reached" in text and "9 of 10" in text
    assert "Smallest difference to LDA that this protocol detects" in " ".join(text.split())
    assert max(map(len, text.splitlines())) <= 100
    block = text.split("\n\n")[0].splitlines()
    assert len({len(block[1]), len(block[2])}) == 1
    column = block[1].index("epochs to solve") + len("epochs to solve")
    assert all(line[:column][-1] not in " " for line in block[2:6])


class _Page(HTMLParser):
    void = {"meta", "img", "br", "link"}

    def __init__(self):
        super().__init__()
        self.open, self.references, self.tags = [], [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.references += [v for k, v in attributes if k in ("src", "href")]
        if tag == "img":
            assert dict(attributes)["alt"]
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def drawn(results):
    return figures.drawn_figures(results)


def test_page_is_well_formed_self_contained_and_escaped(results, drawn):
    vector = {name: figures.image(figure, "svg") for name, figure in drawn.items()}
    text = report.render(results, vector)
    page = _Page()
    page.feed(text)
    assert page.open == []
    assert not {"script", "link", "iframe"} & set(page.tags)
    assert page.references and all(
        r.startswith("data:image/svg+xml;base64,") for r in page.references
    )
    assert len(page.references) == len(drawn)
    assert "http" not in re.sub(r"base64,[A-Za-z0-9+/=]*", "", text)
    assert "--quick &lt;&amp;&gt;" in text
    assert "$" not in re.sub(r"base64,[A-Za-z0-9+/=]*", "", text)


def test_page_says_the_answer_first(results):
    first = report.findings(results)
    assert "2 of 2" in first[0]
    assert "9 of 10" in first[1]
    assert "within" in first[2] or "beyond" in first[2]


def test_page_says_why_starts_fail(results):
    text = " ".join(comparison.terminal_table(results).split())
    assert "committee (rate): unsolved 3; of these, solved with four times the epochs: 1." in text
    assert text.count("go round in circles") == 1
    assert "surrogate gradient (LIF): unsolved 1; of these, solved with four times" in text


def test_figures_are_drawn_without_pyplot(results, drawn):
    import matplotlib.pyplot as plt

    assert plt.get_fignums() == []
    wanted = {"xor_success", "xor_time", "xor_learning", "iris_accuracy", "iris_learning"}
    assert wanted | {"rate_code"} == set(drawn)
    for figure in drawn.values():
        assert all(ax.get_xlabel() for ax in figure.axes)
    svg = [figures.image(figures.xor_time(results), "svg") for _ in range(2)]
    assert svg[0] == svg[1] and svg[0].startswith(b"<?xml")
    assert figures.image(drawn["xor_time"], "png").startswith(b"\x89PNG")


def test_write_leaves_whole_files_only(results, drawn, tmp_path, monkeypatch):
    study.write(results, {"xor_time": drawn["xor_time"]}, tmp_path)
    names = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()}
    assert names == {
        "results.json", "summary.csv", "report.html",
        "figures/xor_time.png", "figures/xor_time.svg",
    }  # fmt: skip
    before = (tmp_path / "report.html").read_bytes()

    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(report, "render", interrupt)
    with pytest.raises(KeyboardInterrupt):
        study.write(results, {}, tmp_path)
    assert (tmp_path / "report.html").read_bytes() == before
    assert not list(tmp_path.rglob("*.tmp"))


def test_compare_refuses_what_it_cannot_run(tmp_path):
    with pytest.raises(ParameterError, match=r"compare.tasks\[0\].*did you mean 'xor'"):
        comparison.compare(tmp_path, tasks=("xorr",))
    with pytest.raises(ParameterError, match="compare.seeds"):
        comparison.compare(tmp_path, seeds=0)
    with pytest.raises(ParameterError, match="compare.n_jobs"):
        comparison.compare(tmp_path, n_jobs=0)
    with pytest.raises(ParameterError, match="compare.tasks"):
        comparison.compare(tmp_path, tasks=())
    file = tmp_path / "taken"
    file.write_text("")
    with pytest.raises(ParameterError, match="compare.out"):
        comparison.compare(file)
    assert [Path(p).name for p in tmp_path.iterdir()] == ["taken"]


def test_command_line_options(monkeypatch, tmp_path, capsys, results):
    import argparse

    parser = argparse.ArgumentParser()
    comparison.add_arguments(parser)
    args = parser.parse_args(["--quick", "--tasks", "xor", "--out", str(tmp_path), "--seeds", "3"])
    seen = {}
    monkeypatch.setattr(
        study, "compare", lambda out, **kwargs: seen.update(out=out, **kwargs) or results
    )
    assert comparison.run_from_arguments(args) == 0
    assert seen["quick"] and seen["tasks"] == ["xor"] and seen["seeds"] == 3
    assert seen["command"] == f"spikesim compare --quick --tasks xor --seeds 3 --out {tmp_path}"
    assert "report.html" in capsys.readouterr().out
