"""The ledger: rows, chapters, the runner and the page, with made-up claims and experiments."""

import dataclasses
import json
import re
import signal
import subprocess
import sys
import time
from collections import defaultdict
from html.parser import HTMLParser
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from docs import build_ledger
from spikesim import cli
from spikesim.errors import ParameterError
from spikesim.ledger import Hypothesis, Row, Table
from spikesim.ledger import main as experiment_main
from spikesim.ledger.answer import answer
from spikesim.ledger.collect import collect
from spikesim.ledger.command import write
from spikesim.ledger.contents import CHAPTERS, HYPOTHESES, IDS, expectations, experiments
from spikesim.ledger.page import figure_file, render
from spikesim.ledger.rows import read_chapter, write_chapter
from spikesim.ledger.runner import choose, run
from spikesim.ledger.summary import count, warning
from spikesim.ledger.words import WORDS, blocks, interval, measured, number, value

AWKWARD = 'w < 0 & "v" > 1, 5 $ a | b, w_1 * w_2 [x], `a < b`'


def row(name="S0.3", **changes):
    settings = {
        "claim": f"Claim of {name}", "quantity": "share", "value": 75.0, "verdict": "holds",
        "figure": "shared", "text": "What was done.", **changes,
    }  # fmt: skip
    return Row(name, **settings)


def figure():
    made = Figure(figsize=(3.0, 2.0))
    made.subplots().plot([0, 1], [0, 1])
    return made


# Rows


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "0.3"}, "Row.id must look like 'S0.3', got '0.3'"),
        ({"verdict": "hold"}, "Row.verdict must be one of 'holds'.*did you mean 'holds'"),
        ({"value": float("nan")}, "Row.value of S0.3 must be finite"),
        ({"interval": (80.0, 90.0), "interval_kind": "95 % Wilson"}, "must hold the value 75"),
        ({"interval": (70.0, 90.0)}, "Row.interval_kind of S0.3"),
        ({"interval_kind": "95 % Wilson"}, "Row.interval_kind of S0.3"),
        ({"verdict": "holds if"}, "Row.condition of S0.3 must say"),
    ],
)
def test_a_row_says_what_is_wrong_with_it(changes, message):
    with pytest.raises(ParameterError, match=message):
        row(**changes)


def test_tables_and_hypotheses_say_what_is_wrong_with_them():
    with pytest.raises(ParameterError, match="2 cells for 1 columns"):
        Table("", ("a",), (("b", "c"),))
    with pytest.raises(ParameterError, match="Hypothesis.id must look like 'H1', got 'S1'"):
        Hypothesis("S1", "held", "")
    with pytest.raises(ParameterError, match="Hypothesis.outcome.*did you mean 'held'"):
        Hypothesis("H1", "hold", "")


def test_a_chapter_comes_back_as_it_was_written(tmp_path):
    rows = [
        row("S1.10", tables=(Table("t", ("a", "b"), (("1", "2"),)),)),
        row("S1.9", interval=(70.0, 80.0), interval_kind="95 % Wilson", unit="%"),
        row("S1.2", verdict="holds if", condition="it rains", text=AWKWARD),
    ]
    hypotheses = [Hypothesis("H10", "held", "so", ("S1.9",)), Hypothesis("H2", "failed", "no")]
    write_chapter(tmp_path, rows, hypotheses, {"shared": figure()}, "run it", "quick")
    found, outcomes, command, budget = read_chapter(tmp_path)
    assert found == [rows[2], rows[1], rows[0]]
    assert outcomes == hypotheses[::-1]
    assert (command, budget) == ("run it", "quick")
    assert {path.name for path in tmp_path.iterdir()} == {"rows.json", "shared.svg", "shared.png"}


def test_a_row_without_its_figure_is_refused(tmp_path):
    with pytest.raises(ParameterError, match="Row.figure of S0.3 is 'shared', which is not drawn"):
        write_chapter(tmp_path, [row()], [], {"other": figure()}, "", "full")


def test_equal_numbers_give_equal_files(tmp_path):
    for name in ("a", "b"):
        write_chapter(tmp_path / name, [row()], [], {"shared": figure()}, "run it", "full")
    for name in ("rows.json", "shared.svg", "shared.png"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@dataclasses.dataclass(frozen=True)
class Config:
    size: int = 3
    n_jobs: int = -1

    @classmethod
    def quick(cls):
        return cls(size=2)


def test_the_command_line_of_an_experiment(tmp_path, capsys):
    def measure(config):
        text = f"{config.size} starts on {config.n_jobs}"
        return {"rows": [row(text=text)], "hypotheses": [Hypothesis("H1", "held", "yes")]}

    arguments = ["--out", str(tmp_path), "--quick", "--jobs", "5"]
    experiment_main("mine", "Why?", Config, measure, lambda found: {"shared": figure()}, arguments)
    rows, _, command, budget = read_chapter(tmp_path)
    assert rows[0].text == "2 starts on 5"
    assert (command, budget) == ("python experiments/seeds/mine.py --quick", "quick")
    assert "S0.3   holds     share: 75" in capsys.readouterr().out


# Numbers


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (0.0, "0"), (5.225, "5.225"), (8050.0, "8050"), (20000.4, "20000"), (-0.5, "−0.5"),
        (1.38629436, "1.386"), (4.44e-16, "4.44 · 10⁻¹⁶"), (-2.5e8, "−2.5 · 10⁸"),
    ],
)  # fmt: skip
def test_numbers_are_written_as_people_do(x, text):
    assert number(x) == text


def test_an_interval_decides_how_many_digits_are_shown():
    wide = row(value=75.04, interval=(70.51, 79.04), interval_kind="95 % Wilson", unit="%")
    assert measured(wide) == "75 % (71 to 79, 95 % Wilson)"
    share = {"interval_kind": "95 % Wilson", "unit": "%"}
    assert value(row(value=99.5, interval=(98.2, 99.9), **share)) == "99.5 %"
    none = row(value=0.0, interval=(0.0, 0.1), **share)
    assert measured(none) == "0 % (0 to 0.1, 95 % Wilson)"
    narrow = row(value=0.50012, interval=(0.5000, 0.5003), interval_kind="95 % bootstrap")
    assert value(narrow) == "0.50012"
    assert interval(row()) == "exact" and measured(row(value=5.225)) == "5.225 (exact)"


def test_a_long_text_is_shown_in_pieces():
    assert blocks("One. Two.\n\nThree.") == [("One. Two.", []), ("Three.", [])]
    assert blocks("It was so. Solved: a 1.5 %; b: 2; c. Then more.") == [
        ("It was so. Solved:", ["a 1.5 %", "b: 2", "c"]), ("Then more.", [])
    ]  # fmt: skip
    sentence = "Word " * 39 + "end."
    assert blocks(f"{sentence} {sentence}") == [(sentence, [])] * 2


# The page


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Two chapters of made-up rows; all others are missing."""
    out = tmp_path_factory.mktemp("ledger")
    verdicts = [("holds", ""), ("holds if", "p < 1"), ("fails", "never & nowhere")]
    rows = [
        row(name, verdict=verdicts[i % 3][0], condition=verdicts[i % 3][1], text=AWKWARD + name,
            claim=AWKWARD, tables=(Table(AWKWARD, ("a|b", "c"), (("x|y", AWKWARD),)),))
        for i, name in enumerate(CHAPTERS["proportional_rule"])
    ]  # fmt: skip
    rows[0] = dataclasses.replace(rows[0], figure="own")
    hypotheses = [Hypothesis(f"H{n}", "held", f"As S0.{n} shows <so>.") for n in range(1, 6)]
    figures = {"shared": figure(), "own": figure(), "one_more": figure()}
    command = "python experiments/seeds/proportional_rule.py"
    write_chapter(out / "proportional_rule", rows, hypotheses, figures, command, "quick")
    write_chapter(out / "gradient_free", [row("S3.16")], [], {"shared": figure()}, "b", "full")
    write(collect(out, {"version": "0", "command": "spikesim ledger", "seconds": {"a": 1.0}}), out)
    return out


class _Page(HTMLParser):
    void = {"meta", "img", "br"}

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.ids, self.links, self.images = [], [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.tags.append(tag)
        self.ids += [found["id"]] if "id" in found else []
        self.links += [found["href"]] if "href" in found else []
        if tag == "img":
            assert found["alt"]
            self.images.append(found["src"])
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_whole_and_needs_nothing_else(results):
    text = (results / "ledger.html").read_text(encoding="utf-8")
    page = _Page(text)
    assert page.open == []
    assert not {"script", "link", "iframe"} & set(page.tags)
    assert all(src.startswith("data:image/") for src in page.images)
    assert "http" not in re.sub(r"base64,[A-Za-z0-9+/=]*", "", text)
    assert len(page.ids) == len(set(page.ids))
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)


def test_the_page_links_every_row_and_names_those_that_are_missing(results):
    ledger = collect(results)
    text = render(ledger, results)
    page = _Page(text)
    assert all(f"#{name}" in page.links and name in page.ids for name in ledger.rows)
    assert list(ledger.missing) == [name for name in IDS if name not in ledger.rows]
    assert "Not there, from dying_units: S1.6" in text
    assert "Hypotheses without an outcome: H6, H7, H8, H11, H12" in text
    assert "10 of 42 claims: 4 hold, 3 hold if, 3 fail. Of those that hold, 4 are exact" in text
    assert "4 are exact, 0 measured. 7 hypotheses: 5 held, 2 judged elsewhere." in text
    assert "H9" in page.ids and "Yin-Yang" in text
    assert text.index('id="claims"') < text.index('id="hypotheses"') < text.index('id="S0.1"')


def test_the_page_shows_a_shared_figure_once_and_every_other_one(results):
    page = _Page((results / "ledger.html").read_text(encoding="utf-8"))
    # "own", "shared" and "one_more" of one chapter, "shared" of the other.
    assert len(page.images) == 4
    assert page.links.count("#S0.2") >= 8


def test_hypotheses_are_shown_with_what_makes_them_fail(results, tmp_path):
    build_ledger.build(results, tmp_path)
    for text in (render(collect(results), results), (tmp_path / "ledger.md").read_text("utf-8")):
        assert expectations()["H2"][1] in text
        assert "Held in part: some of it came out" in text
        assert text.count(" shows &lt;so&gt;.") == 5
        assert all(word in text and WORDS[word] in text for word in ("TOST", "credit", "exact"))
    assert "](vocabulary.md)" in text and "\n### H2\n" in text


def test_a_page_of_a_quick_run_says_so_at_the_top(results):
    ledger = collect(results)
    said = "This is the page of a quick run, as to proportional_rule: few starts"
    assert said in render(ledger, results).split("<h2")[0]
    assert said in build_ledger.markdown(ledger, defaultdict(str)).split("\n## ")[0]
    full = tuple(dataclasses.replace(entry, budget="full") for entry in ledger.entries)
    assert warning(dataclasses.replace(ledger, entries=full)) == ""


def test_texts_are_escaped(results):
    text = (results / "ledger.html").read_text(encoding="utf-8")
    assert "w &lt; 0 &amp; " in text and "<code>a &lt; b</code>" in text
    assert "&lt;so&gt;" in text and "<so>" not in text and "w < 0" not in text


def test_text_with_an_odd_backtick_stays_whole(results):
    ledger = collect(results)
    entry = dataclasses.replace(ledger.entries[0], row=row("S0.1", text="a ` b S0.2", figure="own"))
    text = render(dataclasses.replace(ledger, entries=(entry, *ledger.entries[1:])), results)
    assert 'a ` b <a href="#S0.2">S0.2</a>' in text


def test_the_json_has_what_a_reader_of_the_table_needs(results):
    document = json.loads((results / "ledger.json").read_text(encoding="utf-8"))
    wanted = {"id", "claim", "quantity", "value", "unit", "interval", "interval_kind", "verdict",
              "condition", "figure", "command", "text", "tables"}  # fmt: skip
    assert len(document["rows"]) == 10
    for entry in document["rows"]:
        assert wanted <= set(entry)
        assert (results / entry["figure"]).is_file()
    assert document["rows"][0]["command"] == "python experiments/seeds/proportional_rule.py"
    assert document["about"]["version"] == "0"
    assert set(document["missing"]) == {
        *(name for name in IDS if name not in {entry["id"] for entry in document["rows"]}),
        "H6", "H7", "H8", "H11", "H12",
    }  # fmt: skip


def test_a_figure_of_many_points_is_shown_as_a_picture(tmp_path):
    for suffix, size in ((".svg", 900), (".png", 300)):
        (tmp_path / f"a{suffix}").write_bytes(b"x" * size)
    assert figure_file("a.svg", tmp_path).suffix == ".svg"
    assert figure_file("a.svg", tmp_path, largest=500).suffix == ".png"
    (tmp_path / "a.png").write_bytes(b"x" * 1000)
    assert figure_file("a.svg", tmp_path, largest=500).suffix == ".svg"


def test_the_page_of_the_docs(results, tmp_path):
    build_ledger.build(results, tmp_path)
    text = (tmp_path / "ledger.md").read_text(encoding="utf-8")
    assert text.index("## The claims") < text.index("## The hypotheses") < text.index("### S0.1")
    for target in re.findall(r"\]\(([^)#]+\.(?:svg|png))\)", text):
        assert (tmp_path / target).is_file()
    assert text.count("![") == 4 == len(list((tmp_path / "images" / "ledger").iterdir()))
    titles = {f"#{t.lower().replace('.', '').replace(' ', '-')}"
              for t in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}  # fmt: skip
    assert set(re.findall(r"\]\((#[^)]+)\)", text)) <= titles
    cells = [line for line in text.splitlines() if line.startswith("| [S0.4]")][0]
    assert len(re.findall(r"(?<!\\)\|", cells)) == 5
    assert r"w &lt; 0 &amp;" in cells and r"w\_1" in cells and "`a < b`" in cells


def test_two_rows_with_one_id_are_refused(tmp_path):
    for name in ("one", "two"):
        write_chapter(tmp_path / name, [row()], [], {"shared": figure()}, "", "full")
    with pytest.raises(ParameterError, match="S0.3 is in one and in two"):
        collect(tmp_path)


@pytest.mark.parametrize("content", ["{", "[]", '{"rows": [{"id": 3}]}', '{"rows": []}'])
def test_rows_that_cannot_be_read_are_a_problem_of_their_chapter(tmp_path, content):
    (tmp_path / "dead_gradient").mkdir()
    (tmp_path / "dead_gradient" / "rows.json").write_text(content)
    ledger = collect(tmp_path)
    assert "cannot be read" in ledger.problems["dead_gradient"]
    assert "cannot be read" in render(ledger, tmp_path)


# The verdicts under which the whole answer is said.
SAID = {
    "S0.4": "holds if", "S0.5": "holds if", "S0.6": "holds", "S0.7": "holds if", "S0.8": "holds if",
    "S0.9": "holds if", "S1.3": "holds", "S1.7": "holds", "S2.9": "holds if", "S3.16": "holds",
}  # fmt: skip


def _rows(**changes):
    """Return rows as the answer expects them, with numbers of ours."""
    made = {}
    for name, verdict in SAID.items():
        settings = {"value": 12.5, "verdict": verdict, "condition": "it may"}
        settings |= {"interval": (10.0, 15.0), "interval_kind": "95 % Wilson"}
        made[name] = row(name, **settings | changes.get(name.replace(".", "_"), {}))
    return made


def test_every_statement_of_the_answer_names_its_row_and_takes_its_number():
    text = answer(_rows())
    assert set(re.findall(r"S\d\.\d+", text)) == set(SAID)
    openings = ("They exist", "The literal rule", "Why not follow")
    for sentence in re.split(r"(?<=[.?]) (?=[A-Z])", text):
        assert re.search(r"\[S\d.*\]\.$", sentence) or sentence.startswith(openings)
    assert "fails for three reasons. It makes" in text
    assert text.count("12.5 (10.0 to 15.0)") == 5 and "{" not in text and "this holds" not in text
    changed = answer(_rows(S0_4={"value": 13.25, "quantity": "in other words"}))
    assert "so that 13.2 (10.0 to 15.0) of starts" in changed and changed.count("12.5") == 4


def test_the_answer_leaves_out_what_it_does_not_know():
    rows = _rows()
    del rows["S0.9"], rows["S1.3"], rows["S0.7"]
    text = answer(rows)
    assert not re.search(r"S0\.9|S1\.3|S0\.7|Winnow|XOR", text)
    assert "for two reasons. It makes" in text and "error? A steep sigmoid" in text
    assert answer({"S3.16": rows["S3.16"]}) == ""


def test_the_answer_gives_way_to_a_verdict_that_it_did_not_expect():
    fails = {"verdict": "fails", "condition": ""}
    text = answer(_rows(S0_6=fails, S0_9=fails, S1_3=fails, S1_7=fails))
    assert '"Claim of S0.6": this fails (share: 12.5 (10.0 to 15.0)) [S0.6].' in text
    assert not re.search(r"1954|Winnow|They exist|Why not|XOR", text)
    assert all(text.count(f"[{name}]") == 1 for name in ("S0.9", "S1.3", "S1.7"))


def test_an_empty_ledger_can_be_shown(tmp_path):
    ledger = collect(tmp_path)
    assert count(ledger).startswith("0 of 42 claims.")
    assert answer(ledger.rows) == ""
    _Page(render(ledger, tmp_path))


def test_what_belongs_into_the_ledger():
    assert len(IDS) == len(set(IDS)) == 42
    numbers = {part: [int(name.split(".")[1]) for name in IDS if name.startswith(part)]
               for part in ("S0", "S1", "S2", "S3")}  # fmt: skip
    assert numbers == {"S0": [*range(1, 10)], "S1": [*range(1, 9)], "S2": [*range(1, 10)],
                       "S3": [*range(1, 17)]}  # fmt: skip
    assert set(expectations()) == set(HYPOTHESES)
    assert all(all(texts) for texts in expectations().values())
    assert list(experiments()) == list(CHAPTERS)


# The runner

_GOOD = """
import sys
from matplotlib.figure import Figure
from spikesim.ledger import Hypothesis, Row
from spikesim.ledger.rows import write_chapter
from pathlib import Path
out = Path(next(a for a in sys.argv if a.startswith("--out=")).removeprefix("--out="))
print("options:", sys.argv[2:])
made = Figure(figsize=(1, 1))
row = Row("{name}", "It is so.", "share", 1.0, "holds", "f", "Done.")
write_chapter(out, [row], [], {{"f": made}}, "run", "quick")
"""
_BAD = "import sys\nprint('a long story')\nsys.exit('ValueError: no luck <here>')\n"
_SILENT = "print('nothing to report')\n"
_SLOW = """
import signal, sys, time
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)
Path({started!r}).write_text("x")
try:
    time.sleep(60)
except KeyboardInterrupt:
    Path({stopped!r}).write_text("x")
    raise
"""


@pytest.fixture
def scripts(tmp_path):
    folder = tmp_path / "scripts"
    folder.mkdir()

    def make(**texts):
        for name, text in texts.items():
            (folder / f"{name}.py").write_text(text)
        return experiments(folder)

    return make


def test_experiments_run_in_the_order_of_the_ledger(scripts):
    made = scripts(a_new_one="", smooth_committee="", dead_gradient="", _private="")
    assert list(made) == ["dead_gradient", "smooth_committee", "a_new_one"]
    folder = made["a_new_one"].parent
    assert list(choose(["a_new_one", "dead_gradient"], folder)) == ["dead_gradient", "a_new_one"]
    with pytest.raises(ParameterError, match="--only.*did you mean 'dead_gradient'"):
        choose(["dead_gradent"], folder)


def test_a_failure_is_named_and_the_others_go_on(scripts, tmp_path, capsys):
    made = scripts(
        dead_gradient=_BAD, dying_units=_SILENT, gradient_free=_GOOD.format(name="S3.16")
    )
    out = tmp_path / "out"
    (out / "dead_gradient").mkdir(parents=True)
    write_chapter(out / "dead_gradient", [row("S1.1")], [], {"shared": figure()}, "", "full")
    seconds, problems = run(made, out, ["--quick"])
    assert set(seconds) == set(made)
    assert problems == {"dead_gradient": "exit status 1", "dying_units": "it wrote no rows"}
    captured = capsys.readouterr()
    assert "[1/3] dead_gradient" in captured.out and "FAILED (exit status 1)" in captured.out
    assert "no luck" in captured.err and "a long story" in captured.err
    assert "options: ['--quick']" in (out / "gradient_free" / "output.txt").read_text()
    # The rows of an earlier run do not pass for new ones.
    assert not (out / "dead_gradient" / "rows.json").exists()
    ledger = collect(out, {}, problems)
    assert list(ledger.rows) == ["S3.16"]
    text = render(ledger, out)
    assert "<b>dead_gradient</b>: exit status 1" in text
    assert "Not there, from dead_gradient: S1.1, S1.2" in text


def _ledger(monkeypatch, folder, *options):
    monkeypatch.setattr("spikesim.ledger.runner.experiments", lambda _=None: experiments(folder))
    return cli.main(["ledger", *map(str, options)])


def test_the_command_counts_claims_and_exits_with_one_if_any_is_missing(
    scripts, tmp_path, monkeypatch, capsys
):
    made = scripts(by_inspection=_GOOD.format(name="S3.15"))
    folder, out = made["by_inspection"].parent, tmp_path / "deep" / "out"
    assert _ledger(monkeypatch, folder, "--out", out, "--quick", "--jobs", 2) == 1
    captured = capsys.readouterr()
    assert "1 of 42 claims: 1 holds." in captured.out and "ledger.html" in captured.out
    assert "missing, from gradient_free: S3.16" in captured.err
    document = json.loads((out / "ledger.json").read_text(encoding="utf-8"))
    assert document["about"]["budget"] == "quick" and "numba" in document["about"]
    assert list(document["about"]["seconds"]) == ["by_inspection"]
    assert "['--quick', '--jobs=2']" in (out / "by_inspection" / "output.txt").read_text()
    # One chapter anew keeps the others, and what is missing is not its fault.
    scripts(gradient_free=_GOOD.format(name="S3.16"))
    assert _ledger(monkeypatch, folder, "--out", out, "--only", "gradient_free") == 0
    assert "2 of 42 claims" in capsys.readouterr().out
    document = json.loads((out / "ledger.json").read_text(encoding="utf-8"))
    assert set(document["about"]["seconds"]) == {"by_inspection", "gradient_free"}


def test_a_failing_chapter_is_exit_status_one_and_the_page_says_so(
    scripts, tmp_path, monkeypatch, capsys
):
    folder = scripts(gradient_free=_BAD)["gradient_free"].parent
    assert _ledger(monkeypatch, folder, "--out", tmp_path / "o", "--only", "gradient_free") == 1
    assert "gradient_free: exit status 1" in capsys.readouterr().err
    assert "exit status 1" in (tmp_path / "o" / "ledger.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--only", "xor"], "--only must be one of"),
        (["--jobs", "0"], "--jobs must be at least 1"),
        (["--out", "file"], "--out: file cannot be made"),
    ],
)
def test_wrong_options_are_one_line(options, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("")
    assert cli.main(["ledger", *options]) == 2
    captured = capsys.readouterr()
    assert message in captured.err and captured.err.count("\n") == 1 and captured.out == ""
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_an_interrupt_stops_the_child_and_keeps_finished_chapters(scripts, tmp_path):
    started, stopped = tmp_path / "started", tmp_path / "stopped"
    slow = _SLOW.format(started=str(started), stopped=str(stopped))
    folder = scripts(dead_gradient=_GOOD.format(name="S1.1"), dying_units=slow)[
        "dying_units"
    ].parent
    out = tmp_path / "out"
    program = (
        "import signal, sys\n"
        "from pathlib import Path\n"
        "from spikesim import cli\n"
        "from spikesim.ledger import contents, runner\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"runner.experiments = lambda _=None: contents.experiments(Path({str(folder)!r}))\n"
        f"sys.exit(cli.main(['ledger', '--out', {str(out)!r}]))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        deadline = time.monotonic() + 60.0
        while not started.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    assert "interrupted; chapters that were finished stay" in output and "Traceback" not in errors
    assert stopped.exists()
    assert (out / "dead_gradient" / "rows.json").exists()
    assert not (out / "dying_units" / "rows.json").exists()


def test_a_colon_in_parentheses_leads_to_no_list():
    ((lead, items),) = blocks("By a test (two: both) of three: one is; two are; three are.")
    assert lead == "By a test (two: both) of three:" and items == ["one is", "two are", "three are"]
