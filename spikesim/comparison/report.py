"""The page to read: one self-contained HTML file, and the tables for the terminal."""

from __future__ import annotations

import base64
import html
import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from spikesim._page import html_page
from spikesim.comparison import sweep_report
from spikesim.comparison.entries import note, rules
from spikesim.comparison.results import Results, Summary
from spikesim.comparison.sweep_figures import caption
from spikesim.comparison.tasks import TASKS
from spikesim.comparison.texts import (
    CAPTIONS,
    HEADINGS,
    HYPOTHESES,
    INTRODUCTION,
    LIMITS,
    METHOD,
    WHY_STUCK,
)
from spikesim.comparison.verdicts import verdicts

__all__ = ["render", "terminal_table"]

_XOR_COLUMNS = ("rule", "units", "hidden", "solved", "95 % interval", "epochs to solve", "spikes")
_IRIS_COLUMNS = ("rule", "units", "hidden", "accuracy", "95 % interval", "behind LDA", "spikes")
_NUMERIC = frozenset((*_XOR_COLUMNS[2:], *_IRIS_COLUMNS[2:])) | sweep_report.NUMERIC


def terminal_table(results: Results) -> str:
    """Return the tables of all tasks as aligned plain text.

    Parameters
    ----------
    results : Results
        What the comparison found.
    """
    blocks = []
    for name, task in TASKS.items():
        if results.of(name):
            columns, rows = _table(results, name)
            under = "\n".join(textwrap.fill(text, 96) for text in _below(results, name))
            blocks.append(f"{task.title}\n{_aligned(columns, rows)}\n{under}")
    return "\n\n".join(blocks)


def render(results: Results, figures: Mapping[str, bytes]) -> str:
    """Return the report as one HTML document without outside references.

    Parameters
    ----------
    results : Results
        What the comparison found.
    figures : mapping of str to bytes
        SVG files by name; those that are missing are left out of the page.
    """
    parts = [*_opening(results), *_rules(results)]
    for task in TASKS:
        parts += _task(results, task, figures)
    if "rate_code" in figures:
        parts += [f"<h2>{HEADINGS['rate_code']}</h2>", *_figures(("rate_code",), figures)]
    parts += [*_hypotheses(results), *_closing(results)]
    return html_page(HEADINGS["page"], "\n".join(parts))


def _opening(results: Results) -> list[str]:
    about = results.about
    lead = (
        f"spikesim {about.get('versions', {}).get('spikesim', '')}, {about.get('budget', '')} run"
    )
    if about.get("date"):
        lead += f" of {about['date']}"
    parts = [f"<h1>{HEADINGS['title']}</h1>", f'<p class="lead">{html.escape(lead)}</p>']
    parts.append('<div class="answer">')
    parts += [f"<p>{html.escape(sentence)}</p>" for sentence in findings(results)]
    parts.append("</div>")
    parts += [f"<h2>{HEADINGS['asked']}</h2>", *(f"<p>{text}</p>" for text in INTRODUCTION)]
    present = [task for name, task in TASKS.items() if results.of(name)]
    parts.append("<ul>")
    parts += [f"<li><b>{task.title}.</b> {html.escape(task.note)}</li>" for task in present]
    parts.append("</ul>")
    return parts


def _rules(results: Results) -> list[str]:
    known = rules()
    # Variants of a rule share what is said of it.
    names = list(dict.fromkeys(r.rule if r.contender.startswith(r.rule) and r.rule in known
                               else r.contender for r in results.rows))  # fmt: skip
    rows = [(name, *found) for name in names if (found := note(name)) is not None]
    if not rows:
        return []
    columns = ("rule", "what it does", "what a synapse must know", "source")
    return [f"<h2>{HEADINGS['rules']}</h2>", _html_table(columns, rows, CAPTIONS["rules"])]


def _task(results: Results, task: str, figures: Mapping[str, bytes]) -> list[str]:
    if not results.of(task):
        return []
    columns, rows = _table(results, task)
    parts = [f"<h2>{TASKS[task].title}</h2>"]
    parts.append(_html_table(columns, rows, CAPTIONS.get(task, CAPTIONS["accuracy"])))
    parts += [f'<p class="note">{html.escape(text)}</p>' for text in _below(results, task)]
    if TASKS[task].classic:
        return parts + _figures([name for name in CAPTIONS if name.startswith(f"{task}_")], figures)
    answers = sweep_report.answer_table(results, task)
    if answers:
        text = CAPTIONS["training"].format(level=f"{100 * TASKS[task].level:g} %")
        training = sweep_report.training_table(results, task)
        parts.append(_html_table(sweep_report.ANSWER_COLUMNS, answers, CAPTIONS["answer"]))
        parts.append(_html_table(sweep_report.TRAINING_COLUMNS, training, text))
    columns, rows = sweep_report.loss_table(results, task)
    if rows:
        parts.append(_html_table(columns, rows, CAPTIONS["loss"]))
    own = [name for name in figures if name.rsplit("_", 1)[0] in (task, TASKS[task].belongs_to)]
    shared = [name for name in own if name.rsplit("_", 1)[0] != task]
    if shared and task != _last_of(results, TASKS[task].belongs_to):
        own = [name for name in own if name not in shared]
    return parts + _figures(own, figures)


def _last_of(results: Results, group: str) -> str:
    """Return the last task of a group that was run: figures of the group stand there."""
    return [name for name in TASKS if TASKS[name].belongs_to == group and results.of(name)][-1]


def _hypotheses(results: Results) -> list[str]:
    judged = verdicts(results)
    if not judged:
        return []
    items = [f"<li><b>{v.id}, {v.outcome}.</b> {html.escape(v.text)}</li>" for v in judged]
    return [f"<h2>{HEADINGS['hypotheses']}</h2>", f"<p>{HYPOTHESES}</p>", "<ul>", *items, "</ul>"]


def _closing(results: Results) -> list[str]:
    about = results.about
    parts = [f"<h2>{HEADINGS['method']}</h2>", "<ul>", *(f"<li>{t}</li>" for t in METHOD), "</ul>"]
    tuned = about.get("settings", {})
    if tuned:
        rows = [
            (TASKS[task].title, name.replace("/", ", "), _settings(values))
            for task, contenders in tuned.items()
            for name, values in contenders.items()
        ]
        table = _html_table(("task", "contender", "settings"), rows, CAPTIONS["settings"])
        parts.append(f"<details><summary>Tuned settings</summary>{table}</details>")
    parts += [f"<h2>{HEADINGS['limits']}</h2>", "<ul>", *(f"<li>{t}</li>" for t in LIMITS), "</ul>"]
    parts.append(f"<h2>{HEADINGS['repeat']}</h2>")
    if about.get("command"):
        parts.append(f"<pre>{html.escape(about['command'])}</pre>")
    facts = [
        *(f"{name} {version}" for name, version in about.get("versions", {}).items()),
        *(f"{name}: {about[name]}" for name in ("platform", "cores", "duration") if name in about),
        *(f"{name}: sha256 {digest[:16]}" for name, digest in about.get("digests", {}).items()),
    ]
    parts.append(f'<p class="note">{html.escape("; ".join(map(str, facts)))}</p>')
    return parts


def findings(results: Results) -> list[str]:
    """Return the answer in a few sentences, computed from the rows."""
    sentences = []
    xor = results.summaries("xor")
    single = [s for s in xor if s.hidden == 0]
    if single:
        solving = [s for s in single if s.rate.value > 0]
        text = f"XOR without hidden units: {len(single) - len(solving)} of {len(single)} "
        text += "contenders never solve it, as theory says of a threshold on a weighted sum."
        if solving:
            text += " The exception: " + "; ".join(f"{s.label}, {_share(s)}" for s in solving)
            text += ". A spiking neuron that weighs early against late spikes is more than a sum."
        sentences.append(text)
    middle = [s for s in xor if s.hidden == 4] or [s for s in xor if s.hidden]
    if middle:
        text = f"XOR with {middle[0].hidden} hidden units: "
        sentences.append(text + "; ".join(_kind(s) + " " + _share(s) for s in middle) + ".")
    iris = {s.contender: s for s in results.summaries("iris")}
    spiking = [s for s in results.summaries("iris") if s.network == "LIF"]
    detectable = results.detectable()
    if spiking and "LDA" in iris and detectable is not None:
        best = max(spiking, key=lambda s: s.rate.value)
        gap = 100 * (iris["LDA"].rate.value - best.rate.value)
        within = "within" if gap <= 100 * detectable else "beyond"
        sentences.append(
            f"Iris, three classes: the best spiking network ({best.label}) gets "
            f"{100 * best.rate.value:.1f} %, LDA {100 * iris['LDA'].rate.value:.1f} %. The gap of "
            f"{gap:.1f} points is {within} the {100 * detectable:.1f} points that this protocol "
            "can tell apart."
        )
    return sentences + sweep_report.findings(results)


def _table(results: Results, task: str) -> tuple[tuple[str, ...], list[tuple]]:
    if not TASKS[task].classic:
        return sweep_report.table(results, task)
    solves = task != "iris"
    rows = []
    for s in results.summaries(task):
        cells = [s.contender, s.network or "–", str(s.hidden) if s.hidden else "–"]
        if solves:
            cells += [_share(s), _percent_interval(s), _epochs(s)]
        else:
            cells += [f"{100 * s.rate.value:.1f} %", _percent_interval(s), _behind(s)]
        cells.append("–" if s.spikes_per_trial is None else f"{s.spikes_per_trial:.1f}")
        rows.append(tuple(cells))
    return (_XOR_COLUMNS if solves else _IRIS_COLUMNS), rows


def _below(results: Results, task: str) -> list[str]:
    """Return what stands under a table, a paragraph each."""
    if not TASKS[task].classic:
        return sweep_report.below(results, task)
    parts = []
    detectable = results.detectable() if task == "iris" else None
    if detectable is not None:
        parts.append(
            "Smallest difference to LDA that this protocol detects: "
            f"{100 * detectable:.1f} points (80 % power, 5 % two-sided)."
        )
    parts.append(CAPTIONS["spikes_note"])
    if task == "xor":
        parts += [_failures(found) for found in results.extra.get("longer", ())]
    diverged = [row for row in results.of(task) if row.diverged]
    if diverged:
        kinds = dict.fromkeys(f"{row.contender} ({row.network})" for row in diverged)
        parts.append(f"{len(diverged)} runs diverged and count as all wrong: {', '.join(kinds)}.")
    return parts


def _failures(found: Mapping[str, Any]) -> str:
    """Say of the starts that fail with four hidden units whether they were only slow."""
    failed, solved = found["failed"], found["solved"]
    text = (
        f"4 hidden units, {found['contender']} ({found['network']}): unsolved {failed}; "
        f"of these, solved with four times the epochs: {solved}."
    )
    return f"{text} {WHY_STUCK.get(found['contender'], '')}".strip() if solved < failed else text


def _share(s: Summary) -> str:
    return f"{round(s.rate.value * s.n_runs)} of {s.n_runs}"


def _kind(s: Summary) -> str:
    return f"{s.contender} ({s.network})"


def _percent_interval(s: Summary) -> str:
    if math.isnan(s.rate.low) or s.n_runs == 1:
        return "–"
    return f"{max(100 * s.rate.low, 0.0):.1f} – {min(100 * s.rate.high, 100.0):.1f}"


def _epochs(s: Summary) -> str:
    if s.median is None or s.family == "classical":
        return "–"
    if math.isinf(s.median.value):
        return "not reached"
    high = "…" if math.isinf(s.median.high) else f"{s.median.high:.0f}"
    return f"{s.median.value:.0f} ({s.median.low:.0f} – {high})"


def _behind(s: Summary) -> str:
    if s.behind is None:
        return "–"
    return f"{100 * s.behind.value:+.1f} ({100 * s.behind.low:+.1f} – {100 * s.behind.high:+.1f})"


def _settings(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in values.items())


def _aligned(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(line[i]) for line in (columns, *rows)) for i in range(len(columns))]
    lines = []
    for line in (columns, ["-" * width for width in widths], *rows):
        cells = [
            cell.rjust(width) if name in _NUMERIC else cell.ljust(width)
            for cell, width, name in zip(line, widths, columns, strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _html_table(columns: Sequence[str], rows: Iterable[Sequence[str]], caption: str) -> str:
    def cell(tag: str, text: str, name: str) -> str:
        kind = ' class="n"' if name in _NUMERIC else ""
        return f"<{tag}{kind}>{html.escape(text)}</{tag}>"

    head = "".join(cell("th", name, name) for name in columns)
    body = "\n".join(
        "<tr>" + "".join(cell("td", c, n) for c, n in zip(row, columns, strict=True)) + "</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll"><table><caption>{caption}</caption>'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>"
    )


def _figures(names: Iterable[str], figures: Mapping[str, bytes]) -> list[str]:
    parts: list[Any] = []
    for name in names:
        if name in figures:
            data = base64.b64encode(figures[name]).decode("ascii")
            text = CAPTIONS.get(name) or caption(name)
            parts.append(
                f'<figure><img alt="{html.escape(text, quote=True)}" '
                f'src="data:image/svg+xml;base64,{data}">'
                f"<figcaption>{text}</figcaption></figure>"
            )
    return parts
