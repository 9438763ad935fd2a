"""Write the page of the ledger, docs/ledger.md, and its figures from a results folder.

Run ``spikesim ledger --out results/ledger`` and then ``python docs/build_ledger.py
results/ledger``.
"""

from __future__ import annotations

import argparse
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from spikesim.ledger.answer import NOTE, QUESTION, answer
from spikesim.ledger.collect import Entry, Ledger, collect
from spikesim.ledger.contents import PARTS, expectations
from spikesim.ledger.page import figure_file
from spikesim.ledger.rows import Table
from spikesim.ledger.summary import SOURCES, count, opening, warning
from spikesim.ledger.words import IN_PART, SYMBOLS, WORDS, blocks, measured

DOCS = Path(__file__).resolve().parent

# Drawings above this size (bytes) are taken as pictures if those are smaller.
_LARGEST_DRAWING = 100_000


def markdown(ledger: Ledger, figures: dict[str, str]) -> str:
    """Return the page.

    Parameters
    ----------
    ledger : Ledger
        What was found.
    figures : dict of str to str
        Where the page finds each figure of the ledger.
    """
    parts = [
        "# The ledger",
        "<!-- Made by `python docs/build_ledger.py results/ledger`, after "
        "`spikesim ledger --out results/ledger`. -->",
        "Claims about learning in threshold units and spiking neurons: each built, measured and "
        f"judged. {opening(ledger)}. The command `spikesim ledger` does it again and writes the "
        "same as one page of HTML; "
        "`python docs/build_ledger.py results/ledger` makes this page of its results.",
    ]
    parts.append(SOURCES)
    if said := warning(ledger):
        parts.append(f"**{said}**")
    if text := answer(ledger.rows):
        lines = (f"**{QUESTION}**", _prose(text, ledger), f"<sub>{NOTE}</sub>")
        parts.append("\n>\n".join(f"> {line}" for line in lines))
    parts.append(_words())
    parts.append(count(ledger))
    if absent := [*ledger.missing, *ledger.missing_hypotheses]:
        parts.append(f"Not there: {', '.join(absent)}.")
    parts += _claims(ledger)
    parts += _hypotheses(ledger)
    users: dict[str, list[str]] = {}
    for entry in ledger.entries:
        users.setdefault(entry.figure, []).append(entry.row.id)
    last = {entry.chapter: entry for entry in ledger.entries}
    part = ""
    for entry in ledger.entries:
        if entry.row.id.split(".")[0] != part:
            part = entry.row.id.split(".")[0]
            parts.append(f"## {PARTS.get(part, part)}")
        more = ledger.more.get(entry.chapter, ()) if entry == last[entry.chapter] else ()
        parts += _section(entry, ledger, users[entry.figure], more, figures)
    return "\n\n".join(parts) + "\n"


def _claims(ledger: Ledger) -> list[str]:
    lines = ["| | claim | measured | verdict |", "|---|---|---|---|"]
    for entry in ledger.entries:
        row = entry.row
        number = f"**{measured(row)}** {row.quantity}"
        lines.append(
            f"| {_link(row.id)} | {_cell(entry.claim, ledger)} | {_cell(number, ledger, True)} "
            f"| {SYMBOLS[row.verdict]} {row.verdict} |"
        )
    return ["## The claims", "\n".join(lines)]


def _words() -> str:
    lines = [f"- **{word}**: {text}" for word, text in WORDS.items()]
    return "\n".join(["Words of this page (more in the [vocabulary](vocabulary.md)):", "", *lines])


def _hypotheses(ledger: Ledger) -> list[str]:
    expected = expectations()
    lines = ["| | we expected | it fails if | outcome |", "|---|---|---|---|"]
    for found in ledger.hypotheses:
        before, fails = expected.get(found.id, ("", ""))
        lines.append(
            f"| {_link(found.id)} | {_cell(before, ledger)} | {_cell(fails, ledger)} "
            f"| {SYMBOLS[found.outcome]} {found.outcome} |"
        )
    parts = [
        "## The hypotheses",
        "Written down [before the runs](hypotheses.md). Those that failed stay.",
        "\n".join(lines),
        IN_PART,
    ]
    for found in ledger.hypotheses:
        parts += [f"### {found.id}", f"{SYMBOLS[found.outcome]} {found.outcome.capitalize()}."]
        for text, items in blocks(found.text):
            parts.append(_prose(text, ledger))
            if items:
                parts.append("\n".join(f"- {_prose(item, ledger)}" for item in items))
        if found.rows:
            parts.append(f"Rows: {_prose(', '.join(found.rows), ledger)}.")
        parts.append("[All hypotheses](#the-hypotheses)")
    return parts


def _section(
    entry: Entry, ledger: Ledger, users: Sequence[str], more: Sequence[str], figures: dict[str, str]
) -> list[str]:
    row = entry.row
    parts = [f"### {row.id}", f"**{_prose(entry.claim, ledger)}**"]
    verdict = f"{SYMBOLS[row.verdict]} {row.verdict.capitalize()}"
    if row.condition:
        joint = " " if row.verdict == "holds if" else ": "
        verdict += f"{joint}{_prose(row.condition, ledger)}"
    parts.append(verdict.rstrip(".") + ".")
    quantity = row.quantity[:1].upper() + row.quantity[1:]
    parts.append(f"{_prose(quantity, ledger)}: **{measured(row)}**")
    if row.id == users[0]:
        parts.append(f"![{_alternative(entry.claim)}]({figures[entry.figure]})")
        if len(users) > 1:
            parts.append(f"<sub>Shows {', '.join(users)}.</sub>")
    else:
        parts.append(f"The figure is that of {_link(users[0])}.")
    parts += [_prose(text, ledger) for text in row.text.split("\n\n")]
    for table in row.tables:
        parts += [_prose(table.caption, ledger), _table(table, ledger)]
    for figure in more:
        caption = Path(figure).stem.replace("_", " ").capitalize()
        parts += [f"![{caption}]({figures[figure]})", f"<sub>{caption}.</sub>"]
    return [*parts, f"```\n{entry.command}\n```", "[All claims](#the-claims)"]


def _link(name: str) -> str:
    return f"[{name}](#{name.replace('.', '').lower()})"


def _alternative(text: str) -> str:
    return re.sub(r"[\[\]`]", "", " ".join(text.split()))


def _prose(text: str, ledger: Ledger, marked: bool = False) -> str:
    """Return text with what Markdown would take for marks written out, ids of rows as links."""
    pieces = text.split("`")
    if len(pieces) % 2 == 0:
        return _plain(text.replace("`", "'"), ledger, marked)
    return "".join(
        f"`{piece}`" if index % 2 else _plain(piece, ledger, marked)
        for index, piece in enumerate(pieces)
    )


def _plain(text: str, ledger: Ledger, marked: bool) -> str:
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = re.sub(r"([\\$_\[\]~])" if marked else r"([\\*$_\[\]~])", r"\\\1", text)
    known = {*ledger.rows, *(found.id for found in ledger.hypotheses)}

    def link(match: re.Match[str]) -> str:
        return _link(match[0]) if match[0] in known else match[0]

    return re.sub(r"\b(?:S\d+\.\d+|H\d+)\b", link, text)


def _cell(text: str, ledger: Ledger, marked: bool = False) -> str:
    return " ".join(_prose(text, ledger, marked).split()).replace("|", "\\|")


def _table(table: Table, ledger: Ledger) -> str:
    lines = [table.columns, ["---"] * len(table.columns), *table.rows]
    made = [" | ".join(_cell(cell, ledger) if i != 1 else cell for cell in line)
            for i, line in enumerate(lines)]  # fmt: skip
    return "\n".join(f"| {line} |" for line in made)


def build(results: Path, docs: Path = DOCS) -> Ledger:
    """Write page and figures.

    Parameters
    ----------
    results : Path
        What ``spikesim ledger`` wrote.
    docs : Path
        Folder of the documentation.
    """
    ledger = collect(results)
    images = docs / "images" / "ledger"
    shutil.rmtree(images, ignore_errors=True)
    images.mkdir(parents=True)
    figures = {}
    for figure in [entry.figure for entry in ledger.entries] + [
        file for files in ledger.more.values() for file in files
    ]:
        source = figure_file(figure, results, _LARGEST_DRAWING)
        target = images / f"{Path(figure).parent.name}_{source.name}"
        if figure not in figures:
            shutil.copyfile(source, target)
        figures[figure] = target.relative_to(docs).as_posix()
    (docs / "ledger.md").write_text(markdown(ledger, figures), encoding="utf-8")
    return ledger


def main(argv: list[str] | None = None) -> None:
    """Write page and figures from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path, help="what spikesim ledger wrote")
    parser.add_argument("--docs", type=Path, default=DOCS, help="folder of the documentation")
    arguments = parser.parse_args(argv)
    print(count(build(arguments.results, arguments.docs)))
    print(arguments.docs / "ledger.md")


if __name__ == "__main__":
    main()
