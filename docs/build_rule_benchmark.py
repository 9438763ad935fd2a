"""Write the page of the benchmark of rules, docs/benchmark_of_rules.md, and its figures.

``python docs/build_rule_benchmark.py results/rules`` reads what ``spikesim compare`` wrote into
folders below results/rules, and what the experiments on hypotheses 9 and 10 wrote there; it keeps
the rows in docs/results/rules.json, to four digits. Without a folder the page is made of these.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from spikesim.comparison import Results, Row, sweep_figures, sweep_report
from spikesim.comparison.entries import everyone
from spikesim.comparison.figures import image
from spikesim.comparison.tasks import TASKS
from spikesim.comparison.texts import CAPTIONS
from spikesim.comparison.tuning import stored_trials, tuning_effort
from spikesim.comparison.verdicts import Verdict, verdicts

DOCS = Path(__file__).resolve().parent
_STORE = "results/rules.json"
_EXPERIMENTS = {"H9": "surrogate_scale", "H10": "silent_start"}
# Folder of runs with which hypotheses are judged, but which are not in the tables.
_MORE = "more"
_FIGURES = ("accuracy", "cost", "tuning", "robustness", "windows")
_ABOUT = ("budget", "command", "date", "platform", "versions", "digests", "duration")
_READ = (
    "How far it can be read: a search of few trials on few starts does not find the best of any "
    "rule, and starts differ by points. Hypotheses are judged by the letter of their conditions; "
    "where an interval is wide, a hypothesis that failed is not refuted. EventProp is entered on "
    "the network of the others, which is read by its highest potential; "
    "[one experiment](../experiments/yin_yang.py) trains it as it was published, on first spikes."
)
_PLAIN = [field.name for field in fields(Row) if field.name != "measures"]


def collect(folder: Path) -> dict[str, Any]:
    """Return what is kept of a folder of results: rows in columns, to four digits."""
    tasks = _kept(folder.glob("*/results.json"))
    more = _kept((folder / _MORE).glob("*/results.json"))
    experiments = {
        id_: json.loads(path.read_text("utf-8"))
        for id_, name in _EXPERIMENTS.items()
        if (path := folder / name / f"{name}.json").is_file()
    }
    kept = {id_: {key: one[key] for key in ("config", "outcome", "text")}
            for id_, one in experiments.items()}  # fmt: skip
    ordered = {name: tasks[name] for name in TASKS if name in tasks}
    return {
        "left_out": _left_out(ordered), "tasks": ordered, "more": more, "experiments": kept,
    }  # fmt: skip


def _kept(paths: Iterable[Path]) -> dict[str, Any]:
    """Return what is kept of each task in some files of results."""
    tasks: dict[str, Any] = {}
    for path in sorted(paths):
        results = Results.from_json(path.read_text("utf-8"))
        for name in dict.fromkeys(row.task for row in results.rows):
            rows = results.of(name)
            measures = list(dict.fromkeys(key for row in rows for key in row.measures))
            cells = [{**asdict(row), **row.measures} for row in rows]
            # What is the same in all rows is kept once, what a row lacks at its end not at all.
            same = {key: cells[0][key] for key in _PLAIN if len({c[key] for c in cells}) == 1}
            columns = [key for key in (*_PLAIN, *measures) if key not in same]
            tasks[name] = {
                "about": {key: results.about[key] for key in _ABOUT if key in results.about},
                "settings": results.about["settings"][name],
                "trials": {
                    key: [trial["score"][0] for trial in tried]
                    for key, tried in stored_trials((name,))[name].items()
                    if not TASKS[name].classic
                },
                "search": tuning_effort(name, results.about["settings"][name]),
                "same": same,
                "columns": columns,
                "rows": [_trimmed([_short(cell.get(key)) for key in columns]) for cell in cells],
                "curves": {
                    key: [_short(value) for value in curve]
                    for key, curve in results.curves.items()
                    if key.split("/")[0] == name
                },
            }
    return tasks


def restored(stored: dict[str, Any]) -> Results:
    """Return the results that :func:`collect` kept, with the settings that they ran with."""
    rows, curves = [], {}
    for one in stored["tasks"].values():
        for line in one["rows"]:
            cells = one["same"] | dict(zip(one["columns"], line, strict=False))
            plain = {key: cells.pop(key, None) for key in _PLAIN}
            rows.append(Row(**plain, measures={k: v for k, v in cells.items() if v is not None}))
        curves |= one["curves"]
    settings, trials = (
        {name: one[what] for name, one in stored["tasks"].items()}
        for what in ("settings", "trials")
    )
    return Results(tuple(rows), curves, {"settings": settings}, {"trials": trials})


def page(stored: dict[str, Any], results: Results, figures: dict[str, str]) -> str:
    """Return the page as Markdown.

    Parameters
    ----------
    stored : dict
        What :func:`collect` kept.
    results : Results
        The same as results.
    figures : dict of str to str
        Path of each figure.
    """
    parts = [
        "# The benchmark of rules",
        "<!-- Made by `python docs/build_rule_benchmark.py`; what it says is computed from "
        "`docs/results/rules.json`. -->",
        "Learning rules on the same data, from the same starts, with the same number of trials to "
        "find their settings. `spikesim compare` runs it; its report has more than this page. "
        "**This is a part of the benchmark**, as large as an hour on one core allows: what else "
        "there is [has neither been tuned nor run](#what-was-not-run).",
        "## What became of the hypotheses",
        "They were [written down](hypotheses.md) before the runs, with what would count against "
        "them.",
        "| | outcome | figures it was judged by |\n|---|---|---|\n"
        + "\n".join(f"| {v.id} | **{v.outcome}** | {v.text} |" for v in _judged(stored, results)),
        *_judged_by_more(stored),
    ]
    parts += [
        f"![{text}]({figures[name]})\n\n*{text}*"
        for name, text in (
            ("surrogate_scale", "H9: test accuracy of each shape of the surrogate derivative at "
             "its own best scale, and of the best one at other scales, with 95 % intervals."),
            ("silent_start", "H10: training, mean over starts, and spikes at its end."),
        )
        if name in figures
    ]  # fmt: skip
    parts.append(_READ)
    parts.append("## In short")
    parts.append("\n".join(f"- {sentence}" for sentence in sweep_report.findings(results)))
    for name in stored["tasks"]:
        parts += _task(name, stored["tasks"][name], results, figures)
    parts += ["## How it was done", *_method(stored)]
    parts += ["## What was not run", stored["left_out"], *_again(stored)]
    return "\n\n".join(parts) + "\n"


def _judged(stored: dict[str, Any], results: Results) -> list[Verdict]:
    found = [Verdict(id_, one["outcome"], one["text"]) for id_, one in
             stored["experiments"].items()]  # fmt: skip
    if not stored["more"]:
        return [*found, *verdicts(results)]
    more = restored({"tasks": stored["more"]})
    again = {(row.task, row.contender, row.network) for row in more.rows}
    rows = [r for r in results.rows if (r.task, r.contender, r.network) not in again]
    return [*found, *verdicts(replace(results, rows=(*rows, *more.rows)))]


def _judged_by_more(stored: dict[str, Any]) -> list[str]:
    """Say which runs stand behind the verdicts and not in the tables."""
    if not stored["more"]:
        return []
    rows = restored({"tasks": stored["more"]}).rows
    counts = {(r.task, r.contender): sum((x.task, x.contender) == (r.task, r.contender)
                                         for x in rows) for r in rows}  # fmt: skip
    said = [f"{name} by {n} folds on {TASKS[task].title}" for (task, name), n in counts.items()]
    return [
        f"For these verdicts, but not in the tables below, the full budget was run of "
        f"{'; '.join(said)}."
    ]


def _task(
    name: str, one: dict[str, Any], results: Results, figures: dict[str, str]
) -> Iterable[str]:
    here = TASKS[name]
    yield f"## {here.title}"
    yield here.note
    epochs = max(row.epochs for row in results.of(name))
    n_train = sorted({int(row.measures["n_train"]) for row in results.of(name)})
    samples = f"{n_train[0]:,}" if len(n_train) == 1 else f"{n_train[0]:,} to {n_train[-1]:,}"
    n_runs = max(s.n_runs for s in results.summaries(name))
    what = {"folds": "folds", "parts": "starts", "fitting": "starts"}[here.kind]
    yield (
        f"{one['about']['budget'].capitalize()} budget: {n_runs} {what}, {epochs} passes through "
        f"{samples} training samples."
    )
    if here.classic:
        rows = [
            (s.contender, s.network, str(s.hidden), f"{100 * s.rate.value:.1f} %",
             f"{100 * s.rate.low:.1f} – {min(100.0, 100 * s.rate.high):.1f}")
            for s in sorted(results.summaries(name), key=lambda s: -s.rate.value)
        ]  # fmt: skip
        yield _table(("rule", "units", "hidden", "accuracy", "95 % interval"), rows)
        return
    yield _table(*sweep_report.table(results, name))
    yield " ".join(sweep_report.below(results, name))
    yield from (_picture(f"{name}_{kind}", figures) for kind in _FIGURES[:3]
                if f"{name}_{kind}" in figures)  # fmt: skip
    yield CAPTIONS["answer"]
    yield _table(sweep_report.ANSWER_COLUMNS, sweep_report.answer_table(results, name))
    yield CAPTIONS["training"].format(level=f"{100 * here.level:g} %")
    yield _table(sweep_report.TRAINING_COLUMNS, sweep_report.training_table(results, name))
    columns, rows = sweep_report.loss_table(results, name)
    if rows:
        yield CAPTIONS["loss"]
        yield _table(columns, rows)
    yield from (_picture(f"{name}_{kind}", figures) for kind in _FIGURES[3:]
                if f"{name}_{kind}" in figures)  # fmt: skip


def _left_out(tasks: dict[str, Any]) -> str:
    """Say which tasks and contenders the page has nothing of."""
    absent = [here.title for name, here in TASKS.items() if name not in tasks]
    results = restored({"tasks": tasks})
    ran = {(row.contender, row.network) for row in results.rows}
    others = [f"{c.name} on {c.network} units" for c in everyone()
              if c.space and not c.asked and (c.name, c.network) not in ran]  # fmt: skip
    return f"Tasks: {'; '.join(absent)}. Contenders: {'; '.join(others)}."


def _method(stored: dict[str, Any]) -> Iterable[str]:
    lines = []
    for name, one in stored["tasks"].items():
        lines += [f"- {TASKS[name].title}: {said}" for said in one["search"]]
    yield (
        "Equal starts: start s, or fold s of the stored splits, gives every contender the same "
        "random numbers. Settings are found by the same number of trials over three settings "
        "each, on validation samples or on samples set apart, and frozen before the test:"
    )
    yield "\n".join(lines)


def _again(stored: dict[str, Any]) -> Iterable[str]:
    commands = list(dict.fromkeys(one["about"]["command"] for one in stored["tasks"].values()))
    for id_, one in stored["experiments"].items():
        of = f" --tasks {' '.join(one['config']['tasks'])}" if "tasks" in one["config"] else ""
        commands.append(f"python experiments/{_EXPERIMENTS[id_]}.py{of}")
    yield "## Do it again"
    yield "```\n" + "\n".join(commands) + "\n```"
    yield (
        "The searches are `spikesim compare --tune` with the number of trials and of starts above "
        "and the rules of the tables. With `--out results/rules/NAME` for each, and "
        "`results/rules/more/NAME` for what the tables do not show, "
        "`python docs/build_rule_benchmark.py results/rules` makes this page."
    )
    first = next(iter(stored["tasks"].values()))["about"]
    facts = [first["platform"], *(f"{k} {v}" for k, v in first["versions"].items())]
    digests = {k: v for one in stored["tasks"].values() for k, v in one["about"]["digests"].items()
               if k != "settings"}  # fmt: skip
    facts += [f"{name}: sha256 {digest[:16]}" for name, digest in digests.items()]
    yield f"{first['date']}. {'; '.join(facts)}."


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    rule = ["--:" if name in sweep_report.NUMERIC else "---" for name in columns]
    lines = [f"| {' | '.join(line)} |" for line in (columns, *rows)]
    return "\n".join([lines[0], f"|{'|'.join(rule)}|", *lines[1:]])


def _picture(name: str, figures: dict[str, str]) -> str:
    text = sweep_figures.caption(name)
    return f"![{text}]({figures[name]})\n\n*{text}*"


def _trimmed(cells: list[Any]) -> list[Any]:
    while cells[-1] is None:
        cells.pop()
    return cells


def _short(value: Any) -> Any:
    """Return numbers to four digits: finer differences are below the noise of any start."""
    if not isinstance(value, float) or not math.isfinite(value):
        return value
    return float(f"{value:.4g}")


def main(argv: list[str] | None = None) -> None:
    """Keep the results of a folder, if one is given, and write page and figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path, nargs="?", help="folder; default: what was kept")
    parser.add_argument("--docs", type=Path, default=DOCS, help="where docs are")
    args = parser.parse_args(argv)
    pictures = args.docs / "images" / "rules"
    pictures.mkdir(parents=True, exist_ok=True)
    store = args.docs / _STORE
    if args.results is not None:
        store.parent.mkdir(exist_ok=True)
        store.write_text(_as_text(collect(args.results)), encoding="utf-8")
        for name in _EXPERIMENTS.values():
            drawn = args.results / name / f"{name}.png"
            if drawn.is_file():
                (pictures / drawn.name).write_bytes(drawn.read_bytes())
    stored = json.loads(store.read_text("utf-8"))
    results = restored(stored)
    for name, figure in sweep_figures.sweep_figures(results).items():
        task, kind = name.rsplit("_", 1)
        # Fewer figures of the small tables.
        if kind in (_FIGURES if TASKS[task].perturbed else ("accuracy", "windows")):
            (pictures / f"{name}.png").write_bytes(image(figure, "png"))
    figures = {path.stem: f"images/rules/{path.name}" for path in sorted(pictures.glob("*.png"))}
    (args.docs / "benchmark_of_rules.md").write_text(page(stored, results, figures), "utf-8")


def _as_text(stored: dict[str, Any]) -> str:
    """Return JSON with a line for each run, so that differences can be read."""
    parts = []
    for key in ("tasks", "more"):
        blocks = []
        for name, one in stored[key].items():
            rows = ",\n".join(json.dumps(row, separators=(",", ":")) for row in one["rows"])
            rest = {k: value for k, value in one.items() if k != "rows"}
            blocks.append(f'{json.dumps(name)}: {json.dumps(rest)[:-1]}, "rows": [\n{rows}\n]}}')
        inner = ",\n".join(blocks)
        parts.append(f'"{key}": {{\n{inner}\n}}')
    parts += [f'"{key}": {json.dumps(stored[key])}' for key in ("left_out", "experiments")]
    return "{" + ",\n".join(parts) + "}\n"


if __name__ == "__main__":
    main()
