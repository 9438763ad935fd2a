"""The ledger as one HTML page that needs nothing else."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from spikesim._page import html_page
from spikesim.ledger.answer import NOTE, QUESTION, answer
from spikesim.ledger.collect import Entry, Ledger
from spikesim.ledger.contents import PARTS, expectations
from spikesim.ledger.rows import Row, Table
from spikesim.ledger.summary import SOURCES, count, opening, warning
from spikesim.ledger.words import IN_PART, SYMBOLS, WORDS, blocks, interval, value

__all__ = ["figure_file", "render"]

# Beyond this size (bytes) a drawing of many points is smaller as a picture.
_LARGEST_DRAWING = 250_000

_STYLE = """\
:root { --good: #00634a; --half: #8a4b00; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --good: #5fd0a8; --half: #f0b35a; --bad: #ff9d94; } }
.v { font-weight: 600; white-space: nowrap; }
.good { color: var(--good); } .half { color: var(--half); } .bad { color: var(--bad); }
.open { color: var(--soft); }
td .note { display: block; margin: 0; }
td.n + td:not(.n), th.n + th:not(.n) { padding-left: 1rem; }
td[data-what] { width: 42%; padding-right: 1rem; }
.words { border: 1px solid var(--line); padding: .6rem 1.1rem; margin: 1.4rem 0; }
.words { font-size: .88rem; }
.words p { margin: 0; } .words dl { margin: .3rem 0 0; line-height: 1.45; }
.words dt { font-weight: 600; float: left; clear: left; width: 8rem; }
.words dd { margin: 0 0 .3rem 8.4rem; }
.claim { font-size: 1.08rem; font-weight: 600; margin-top: .2rem; }
.problem { border-left: 4px solid var(--bad); padding: .2rem 1rem; margin: 1.4rem 0; }
section { border-top: 1px solid var(--line); margin-top: 2.2rem; }
section h3 { display: flex; justify-content: space-between; margin-top: 1rem; }
h2 + section { border-top: 0; margin-top: 0; }
.back { font-size: .88rem; }
@media screen and (max-width: 40rem) {
  .list thead { display: none; }
  .list tr { display: block; padding: .7rem 0; border-bottom: 1px solid var(--line); }
  .list tr.group { border: 0; padding-bottom: 0; }
  .list td { display: block; padding: .1rem 0; border: 0; }
  .list td:empty { display: none; }
  .list td[data-what] { width: auto; }
  .list td[data-what]::before { content: attr(data-what) ": "; color: var(--soft); }
  .words dt { float: none; width: auto; } .words dd { margin-left: 0; }
  figure img { padding: 0; }
}
@media print {
  :root { --good: #000; --half: #000; --bad: #000; }
  figure img { width: auto; max-width: 100%; max-height: 8.5cm; }
  .list thead { display: table-header-group; } .back { display: none; }
  .group, .claim { break-after: avoid; }
}
"""

_KIND = {
    "holds": "good",
    "holds if": "half",
    "fails": "bad",
    "held": "good",
    "held in part": "half",
    "failed": "bad",
}


def render(ledger: Ledger, out: Path) -> str:
    """Return the page.

    Parameters
    ----------
    ledger : Ledger
        What was found.
    out : Path
        Folder in which its figures lie.
    """
    parts = [
        "<h1>The ledger</h1>",
        '<p class="lead">Claims about learning in threshold units and spiking neurons: each built, '
        f"measured and judged. {html.escape(opening(ledger))}</p>",
        f"<p>{html.escape(SOURCES)}</p>",
        *([f'<p class="problem">{html.escape(said)}</p>'] if (said := warning(ledger)) else []),
        *_answer(ledger),
        *_words(),
        f"<p>{html.escape(count(ledger))}</p>",
        *_problems(ledger),
        *_claims(ledger),
        *_hypotheses(ledger),
        *_sections(ledger, out),
        *_closing(ledger),
    ]
    return html_page("The ledger", "\n".join(parts), _STYLE)


def figure_file(figure: str, out: Path, largest: int = _LARGEST_DRAWING) -> Path:
    """Return the file of a figure: the drawing, or the picture where that is smaller.

    Parameters
    ----------
    figure : str
        The drawing, relative to the folder.
    out : Path
        Folder of the ledger.
    largest : int, default 250000
        Size of a drawing (bytes) from which the picture is looked at.
    """
    drawing = out / figure
    picture = drawing.with_suffix(".png")
    if drawing.stat().st_size > largest and picture.is_file():
        return min(drawing, picture, key=lambda path: path.stat().st_size)
    return drawing


def _answer(ledger: Ledger) -> list[str]:
    text = answer(ledger.rows)
    if not text:
        return []
    return [
        f'<div class="answer"><p><b>{html.escape(QUESTION)}</b></p>',
        f'<p>{_prose(text, ledger)}</p><p class="note">{html.escape(NOTE)}</p></div>',
    ]


def _problems(ledger: Ledger) -> list[str]:
    lines = [f"<b>{html.escape(name)}</b>: {html.escape(why)}" for name, why in
             ledger.problems.items()]  # fmt: skip
    by_chapter: dict[str, list[str]] = {}
    for name, chapter in ledger.missing.items():
        by_chapter.setdefault(chapter, []).append(name)
    lines += [f"Not there, from {html.escape(chapter)}: {', '.join(names)}"
              for chapter, names in by_chapter.items()]  # fmt: skip
    if ledger.missing_hypotheses:
        lines.append(f"Hypotheses without an outcome: {', '.join(ledger.missing_hypotheses)}")
    if not lines:
        return []
    return ['<div class="problem">', *(f"<p>{line}</p>" for line in lines), "</div>"]


def _claims(ledger: Ledger) -> list[str]:
    parts = [
        '<h2 id="claims">The claims</h2>',
        '<div class="scroll"><table class="list">',
        "<thead><tr><th>id</th><th>claim</th><th>measured</th><th>verdict</th></tr></thead><tbody>",
    ]
    part = ""
    for entry in ledger.entries:
        row = entry.row
        if row.id.split(".")[0] != part:
            part = row.id.split(".")[0]
            parts.append(f'<tr class="group"><td colspan="4">{PARTS.get(part, part)}</td></tr>')
        parts.append(
            f'<tr><td><a href="#{row.id}">{row.id}</a></td><td>{_prose(entry.claim, ledger)}</td>'
            f'<td>{_measured(row)} <span class="note">{html.escape(row.quantity)}</span></td>'
            f"<td>{_verdict(row.verdict)}</td></tr>"
        )
    return [*parts, "</tbody></table></div>"]


def _words() -> list[str]:
    lines = [f"<dt>{html.escape(word)}</dt><dd>{html.escape(text)}</dd>"
             for word, text in WORDS.items()]  # fmt: skip
    return ['<div class="words"><p><b>Words</b></p><dl>', *lines, "</dl></div>"]


def _hypotheses(ledger: Ledger) -> list[str]:
    expected = expectations()
    parts = [
        '<h2 id="hypotheses">The hypotheses</h2>',
        "<p>Written down before the runs. Those that failed stay.</p>",
        '<div class="scroll"><table class="list"><thead><tr><th>id</th><th>we expected</th>'
        "<th>it fails if</th><th>outcome</th></tr></thead><tbody>",
    ]
    for found in ledger.hypotheses:
        before, fails = expected.get(found.id, ("", ""))
        parts += [
            f'<tr><td><a href="#{found.id}">{found.id}</a></td>',
            f'<td data-what="expected">{_prose(before, ledger)}</td>',
            f'<td data-what="fails if">{_prose(fails, ledger)}</td>',
            f"<td>{_verdict(found.outcome)}</td></tr>",
        ]
    parts.append(f'</tbody></table></div><p class="note">{html.escape(IN_PART)}</p>')
    for found in ledger.hypotheses:
        parts.append(f'<section id="{found.id}"><h3>{found.id} {_verdict(found.outcome)}</h3>')
        for text, items in blocks(found.text):
            parts.append(f"<p>{_prose(text, ledger)}</p>")
            if items:
                listed = "".join(f"<li>{_prose(item, ledger)}</li>" for item in items)
                parts.append(f"<ul>{listed}</ul>")
        if found.rows:
            parts.append(f"<p>Rows: {_prose(', '.join(found.rows), ledger)}</p>")
        parts.append('<p class="back"><a href="#hypotheses">all hypotheses</a></p></section>')
    return parts


def _sections(ledger: Ledger, out: Path) -> list[str]:
    users: dict[str, list[str]] = {}
    for entry in ledger.entries:
        users.setdefault(entry.figure, []).append(entry.row.id)
    last = {entry.chapter: entry for entry in ledger.entries}
    parts = []
    part = ""
    for entry in ledger.entries:
        if entry.row.id.split(".")[0] != part:
            part = entry.row.id.split(".")[0]
            parts.append(f"<h2>{PARTS.get(part, part)}</h2>")
        more = ledger.more.get(entry.chapter, ()) if entry == last[entry.chapter] else ()
        parts += _section(entry, ledger, users[entry.figure], more, out)
    return parts


def _section(
    entry: Entry, ledger: Ledger, users: Sequence[str], more: Sequence[str], out: Path
) -> list[str]:
    row = entry.row
    parts = [
        f'<section id="{row.id}"><h3>{row.id} {_verdict(row.verdict)}</h3>',
        f'<p class="claim">{_prose(entry.claim, ledger)}</p>',
    ]
    if row.condition:
        word = "Holds if" if row.verdict == "holds if" else row.verdict.capitalize() + ":"
        parts.append(f"<p><b>{word}</b> {_prose(row.condition, ledger)}</p>")
    quantity = html.escape(row.quantity[:1].upper() + row.quantity[1:])
    parts.append(f"<p>{quantity}: {_measured(row)}</p>")
    parts += _figure(entry, users, out)
    parts += [f"<p>{_prose(text, ledger)}</p>" for text in row.text.split("\n\n")]
    parts += [_table(table, ledger) for table in row.tables]
    for figure in more:
        caption = Path(figure).stem.replace("_", " ").capitalize()
        parts.append(_embedded(figure, out, f"{caption}, of the same experiment", caption))
    parts.append(f"<pre>{html.escape(entry.command)}</pre>")
    parts.append('<p class="back"><a href="#claims">all claims</a></p></section>')
    return parts


def _figure(entry: Entry, users: Sequence[str], out: Path) -> list[str]:
    """Embed the figure with the first row that uses it; point there from the others."""
    if entry.row.id != users[0]:
        return [f'<p class="note">The figure is that of <a href="#{users[0]}">{users[0]}</a>.</p>']
    caption = f"Shows {', '.join(users)}." if len(users) > 1 else ""
    alternative = f"Figure of {', '.join(users)}: {entry.claim}"
    return [_embedded(entry.figure, out, alternative, caption)]


def _embedded(figure: str, out: Path, alternative: str, caption: str) -> str:
    file = figure_file(figure, out)
    kind = "svg+xml" if file.suffix == ".svg" else "png"
    data = base64.b64encode(file.read_bytes()).decode("ascii")
    below = f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
    return (
        f'<figure><img alt="{html.escape(alternative, quote=True)}" '
        f'src="data:image/{kind};base64,{data}">{below}</figure>'
    )


def _closing(ledger: Ledger) -> list[str]:
    about = ledger.about
    chapters = sorted({entry.chapter for entry in ledger.entries})
    parts = ['<h2 id="again">Do it again</h2>']
    if "command" in about:
        parts.append(f"<pre>{html.escape(about['command'])}</pre>")
    if chapters:
        example = html.escape(chapters[0])
        parts.append(
            "<p>runs everything; in a checkout each row has its own command above. Installed "
            f"without the sources, <code>spikesim ledger --only {example}</code> runs one "
            "chapter.</p>"
        )
    facts = [f"{name} {about[name]}" for name in ("python", "numpy", "numba") if name in about]
    facts += [str(about[name]) for name in ("platform",) if name in about]
    facts += [f"{about['cores']} processors"] if "cores" in about else []
    facts += [f"{name} {time:.0f} s" for name, time in about.get("seconds", {}).items()]
    return [*parts, f'<p class="note">{html.escape("; ".join(facts))}</p>']


def _verdict(word: str) -> str:
    return f'<span class="v {_KIND.get(word, "open")}">{SYMBOLS[word]} {word}</span>'


def _measured(row: Row) -> str:
    text = f"<b>{html.escape(value(row))}</b> ({html.escape(interval(row))})"
    return text.replace(" %", "\u00a0%")


def _prose(text: str, ledger: Ledger) -> str:
    """Return text as HTML: what is in backticks as code, ids of rows as links."""
    known = {*ledger.rows, *(found.id for found in ledger.hypotheses)}

    def link(match: re.Match[str]) -> str:
        return f'<a href="#{match[0]}">{match[0]}</a>' if match[0] in known else match[0]

    pieces = []
    for index, piece in enumerate(text.split("`")):
        safe = html.escape(piece, quote=False).replace(" %", "\u00a0%")
        if index % 2 and text.count("`") % 2 == 0:
            pieces.append(f"<code>{safe}</code>")
        else:
            pieces.append(re.sub(r"\b(?:S\d+\.\d+|H\d+)\b", link, safe))
    return "".join(pieces) if text.count("`") % 2 == 0 else "`".join(pieces)


def _table(table: Table, ledger: Ledger) -> str:
    numeric = [
        all(re.match(r"^[−+-]?[\d.]|^[–-]?$", row[i]) for row in table.rows)
        for i in range(len(table.columns))
    ]

    def line(tag: str, cells: Iterable[str]) -> str:
        kinds = [' class="n"' if is_numeric else "" for is_numeric in numeric]
        made = [f"<{tag}{kind}>{_prose(cell, ledger)}</{tag}>" for kind, cell in
                zip(kinds, cells, strict=True)]  # fmt: skip
        return f"<tr>{''.join(made)}</tr>"

    body = "\n".join(line("td", row) for row in table.rows)
    return (
        f'<div class="scroll"><table><caption>{_prose(table.caption, ledger)}</caption>'
        f"<thead>{line('th', table.columns)}</thead><tbody>\n{body}\n</tbody></table></div>"
    )
