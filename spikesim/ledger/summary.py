"""The ledger in a line, and in a table for the terminal."""

from __future__ import annotations

from collections.abc import Iterable

from spikesim.ledger.collect import Ledger
from spikesim.ledger.rows import OUTCOMES, VERDICTS
from spikesim.ledger.words import SYMBOLS, measured

__all__ = ["SOURCES", "count", "opening", "plain_table"]

SOURCES = (
    'Four short texts made the claims; "the text" of a row is the one that its number begins with. '
    "S0: a question. A unit with the threshold 5 has a net input of 5.5 and fires where it should "
    "not; lower its weights by a percentage of that error, and tell the units before it the sum "
    "of the errors that follow. S1: an answer on why networks do not use the step. S2: a page on "
    "smooth thresholds and committees of units. S3: a tutorial that builds one artificial neuron. "
    "An earlier sketch is exploratory code whose figures are checked here. Limits that are called "
    "not registered were chosen after the hypotheses had been written down."
)


def count(ledger: Ledger) -> str:
    """Return in a sentence how many claims hold, and how many hypotheses held."""
    rows = ledger.rows.values()
    said = _tally(
        (row.verdict for row in rows),
        VERDICTS,
        {"holds": "hold", "holds if": "hold if", "fails": "fail"},
    )
    text = f"{len(ledger.entries)} of {len(ledger.entries) + len(ledger.missing)} claims"
    text += f": {said}." if said else "."
    held = [row.interval_kind == "exact" for row in rows if row.verdict == "holds"]
    if held:
        text += f" Of those that hold, {sum(held)} are exact, {len(held) - sum(held)} measured."
    outcomes = _tally((found.outcome for found in ledger.hypotheses), OUTCOMES, {})
    if outcomes:
        text += f" {len(ledger.hypotheses)} hypotheses: {outcomes}."
    return text


def _tally(found: Iterable[str], kinds: Iterable[str], plural: dict[str, str]) -> str:
    found = list(found)
    counted = [(found.count(kind), kind) for kind in kinds]
    return ", ".join(
        f"{n} {plural.get(kind, kind) if n != 1 else kind}" for n, kind in counted if n
    )


def opening(ledger: Ledger) -> str:
    """Return in a line with what the ledger was made."""
    about = ledger.about
    budgets = sorted({entry.budget for entry in ledger.entries})
    parts = [f"spikesim {about['version']}"] if "version" in about else []
    if budgets:
        parts.append(f"{' and '.join(budgets)} run")
    if "date" in about:
        parts.append(about["date"])
    return ", ".join(parts)


def warning(ledger: Ledger) -> str:
    """Return what a reader must know of a run that was not full; empty for a full one."""
    chapters = {entry.chapter: entry.budget for entry in ledger.entries}
    short = [name for name, budget in chapters.items() if budget != "full"]
    if not short:
        return ""
    of = "" if len(short) == len(chapters) else f", as to {', '.join(short)}"
    kind = " and ".join(sorted({chapters[name] for name in short}))
    return (
        f"This is the page of a {kind} run{of}: few starts, so that intervals are wide and a "
        "verdict may be another than that of the full run."
    )


def plain_table(ledger: Ledger) -> str:
    """Return the rows as aligned text for the terminal."""
    lines = []
    for row in ledger.rows.values():
        lines.append(f"{row.id:6} {SYMBOLS[row.verdict]} {row.verdict:9} {measured(row)}")
        lines.append(f"{'':19}{row.quantity}")
    return "\n".join(lines)
