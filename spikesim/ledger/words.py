"""How numbers and verdicts are written, on the page as in the docs."""

from __future__ import annotations

import math
import re

from spikesim.ledger.rows import Row

__all__ = [
    "IN_PART",
    "SYMBOLS",
    "WORDS",
    "blocks",
    "interval",
    "measured",
    "number",
    "value",
]

SYMBOLS = {
    "holds": "✓",
    "holds if": "◐",
    "fails": "✗",
    "held": "✓",
    "held in part": "◐",
    "failed": "✗",
    "judged elsewhere": "○",
}

IN_PART = (
    'Held in part: some of it came out, but another part did not, or a condition under "it fails '
    'if" is met; the text says which.'
)

# Words of the page that not every reader knows.
WORDS = {
    "threshold unit": "fires (1) if its net input, the weighted sum of its inputs, reaches a "
    "threshold, else not (0); its slope is zero everywhere.",
    "starts": "runs that differ in their random first weights alone.",
    "interval": "where the true number lies, for 95 of 100 such intervals. Wilson: for a share of "
    "starts. Bootstrap: from drawing the results again and again.",
    "exact": "no chance in the number: the same in every run, up to rounding.",
    "TOST": "two one-sided tests: two results count as equal only if a difference as large as a "
    "margin named before is ruled out.",
    "reading": "one way to take the rule at its word: which weights change by a percentage.",
    "credit": "what a hidden unit is told of the errors of the units that follow: their plain sum, "
    "or weighted by its outgoing weights.",
    "latency code": "a number told by when one spike comes, not by how many come.",
    "surrogate": "a made-up slope in place of that of a step, so that descent has something to "
    "follow. Straight-through: the surrogate that takes the step for a line of slope 1.",
}

# Words in a paragraph that puts sentences together, and statements that make a list.
_PARAGRAPH = 60
_LIST = 3

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(x: float, decimals: int | None = None) -> str:
    """Return a number as people write it: four significant digits, or so many decimals.

    Parameters
    ----------
    x : float
        The number.
    decimals : int, optional
        Digits after the point.
    """
    if x == 0:
        return "0"
    if not 1e-4 <= abs(x) < 1e7:
        mantissa, exponent = f"{x:.2e}".split("e")
        return f"{float(mantissa):g} · 10{str(int(exponent)).translate(_SUPERSCRIPTS)}".replace(
            "-", "−"
        )
    if decimals is not None:
        text = f"{x:.{decimals}f}"
    elif x == round(x) or abs(x) >= 1000:
        text = f"{x:.0f}"
    else:
        text = f"{x:.4g}"
    return text.replace("-", "−")


def _led(sentence: str) -> tuple[str, str, str]:
    """Split a sentence at its first colon that is not in parentheses, as `str.partition` does."""
    for match in re.finditer(": ", sentence):
        lead, rest = sentence[: match.start()], sentence[match.end() :]
        if lead.count("(") == lead.count(")"):
            return lead, ": ", rest
    return sentence, "", ""


def blocks(text: str) -> list[tuple[str, list[str]]]:
    """Return a long text in short pieces: a paragraph and the list that it leads to, if any.

    Parameters
    ----------
    text : str
        Paragraphs with empty lines between them. A sentence of three or more statements with
        semicolons between them becomes a list.
    """
    made: list[tuple[str, list[str]]] = []
    for paragraph in text.split("\n\n"):
        gathered = ""
        for sentence in re.split(r"(?<=[.?!]) (?=[A-Z])", paragraph.strip()):
            lead, colon, rest = _led(sentence)
            items = rest.rstrip(".").split("; ")
            if colon and len(items) >= _LIST:
                made.append((f"{gathered} {lead}:".strip(), items))
                gathered = ""
                continue
            if gathered and len(f"{gathered} {sentence}".split()) > _PARAGRAPH:
                made.append((gathered, []))
                gathered = ""
            gathered = f"{gathered} {sentence}".strip()
        if gathered:
            made.append((gathered, []))
    return made


def value(row: Row) -> str:
    """Return the number of a row with its unit, as exact as its interval allows."""
    return f"{number(row.value, _decimals(row))} {row.unit}".strip()


def interval(row: Row) -> str:
    """Return the interval of a row and its kind; "exact" for a number without spread."""
    if row.interval_kind == "exact":
        return "exact"
    low, high = row.interval or (row.value, row.value)
    decimals = _decimals(row)
    return f"{number(low, decimals)} to {number(high, decimals)}, {row.interval_kind}"


def measured(row: Row) -> str:
    """Return number, unit and interval of a row."""
    return f"{value(row)} ({interval(row)})"


def _decimals(row: Row) -> int | None:
    """Return how many decimals give the width of the interval two digits, of a share one digit.

    A share that is not 0 or 100 % never looks like it.
    """
    low, high = row.interval or (row.value, row.value)
    if low == high:
        return None
    digits = 0 if row.unit == "%" else 1
    decimals = min(8, max(0, digits - math.floor(math.log10(high - low))))
    ends = [x for x in (low, row.value, high) if x not in (0.0, 100.0)]
    while row.unit == "%" and decimals < 8 and any(round(x, decimals) in (0, 100) for x in ends):
        decimals += 1
    return decimals
