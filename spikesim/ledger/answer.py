"""The question that started it all, answered from the rows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from spikesim.ledger.rows import Row
from spikesim.ledger.words import measured

__all__ = ["NOTE", "QUESTION", "answer"]

NOTE = "In parentheses: 95 % intervals, if no other kind is named."

QUESTION = "Where are the implementations of such rules, and why wouldn't it work?"


@dataclass(frozen=True)
class _Clause:
    """A sentence and the rows that it rests on.

    Parameters
    ----------
    rows : dict of str to tuple of str
        By id of the row: the verdicts under which the sentence is true.
    text : str
        The sentence, with ``{S0.4}`` for the number of a row and its interval.
    """

    rows: dict[str, tuple[str, ...]]
    text: str


@dataclass(frozen=True)
class _Part:
    """Sentences that belong together.

    Parameters
    ----------
    opening : str
        What leads to them, said if any of them can be; ``{reasons}`` counts them.
    clauses : tuple of _Clause
        The sentences.
    """

    opening: str
    clauses: tuple[_Clause, ...]


_HOLDS = ("holds",)
_IF = ("holds if",)
_EITHER = ("holds", "holds if")

_PARTS = (
    _Part("They exist, under other names.", (
        _Clause(
            {"S0.6": _HOLDS},
            "Take a share of the error off the net input by subtraction, and you have the "
            "relaxation rule of 1954, weight for weight [S0.6].",
        ),
        _Clause(
            {"S0.5": _EITHER, "S0.9": _IF},
            "Scale only the weights of active inputs, and you have a relative of Winnow [S0.5]; "
            "write each weight as a difference of two positive numbers and scale both, and you "
            "have exponentiated gradient, which learns as well [S0.9].",
        ),
    )),
    _Part("The literal rule, one percentage for all weights of a unit, fails for {reasons}.", (
        _Clause(
            {"S0.4": _IF},
            "It makes the weight vector longer or shorter but never turns it, so that {S0.4} of "
            "starts tell two kinds of iris apart, those that point the right way already [S0.4].",
        ),
        _Clause(
            {"S0.5": _EITHER},
            "As long as the percentage stays below 100, no weight changes its sign [S0.5].",
        ),
        _Clause(
            {"S0.7": _IF},
            "And it drives a silent unit with a negative net input further off: {S0.7} come to "
            "fire [S0.7].",
        ),
    )),
    _Part("", (
        _Clause(
            {"S0.8": _EITHER, "S0.9": _EITHER},
            "With hidden threshold units it solves XOR from {S0.9} of starts at best, subtraction "
            "from {S0.8} for good [S0.8, S0.9].",
        ),
    )),
    _Part("Why not follow the slope of the error?", (
        _Clause(
            {"S1.3": _HOLDS},
            "A step has none: by its true derivative not one weight moves [S1.3].",
        ),
        _Clause(
            {"S1.7": _HOLDS, "S2.9": _EITHER},
            "A steep sigmoid has one and is as close to the step as one likes [S1.7], but then "
            "descent moves only the unit nearest its threshold, by a step that shrinks to nothing "
            "[S2.9].",
        ),
    )),
    _Part("", (
        _Clause(
            {"S0.8": _EITHER, "S2.9": _EITHER, "S3.16": _EITHER},
            "What trains step units is a rule that needs no slope: subtraction [S0.8], the "
            "committee rule of 1965 [S2.9], or random changes, at {S3.16} the presentations of a "
            "gradient on Iris with three classes [S3.16].",
        ),
    )),
)  # fmt: skip

_REASONS = {1: "one reason", 2: "two reasons", 3: "three reasons"}


def answer(rows: Mapping[str, Row]) -> str:
    """Return a paragraph; each statement ends with the rows that it rests on.

    Parameters
    ----------
    rows : mapping of str to Row
        By id. A sentence is said if all its rows are there and were judged as it says; otherwise
        the claims and verdicts of those that are there stand in its place.
    """
    sentences: list[str] = []
    for part in _PARTS:
        said = []
        instead = []
        for clause in part.clauses:
            found = [rows[name] for name in clause.rows if name in rows]
            if len(found) == len(clause.rows) and all(
                row.verdict in clause.rows[row.id] for row in found
            ):
                said.append(_filled(clause.text, rows))
            else:
                instead += [_judged(row) for row in found if row.verdict not in clause.rows[row.id]]
        if said and part.opening:
            said.insert(0, part.opening.replace("{reasons}", _REASONS[len(said)]))
        sentences += [sentence for sentence in said + instead if sentence not in sentences]
    return " ".join(sentences)


def _filled(text: str, rows: Mapping[str, Row]) -> str:
    return re.sub(r"\{(S[\d.]+)\}", lambda match: _number(rows[match[1]]), text)


def _number(row: Row) -> str:
    """Return number and interval; the usual kind of interval goes without saying."""
    return re.sub(r", 95 % [^)]*\)$", ")", measured(row)).replace(" (exact)", "")


def _judged(row: Row) -> str:
    """Return claim and verdict of a row, whatever they are."""
    condition = f" {row.condition.rstrip('.')}" if row.verdict == "holds if" else ""
    return (
        f'"{row.claim.rstrip(".")}": this {row.verdict}{condition} ({row.quantity}: '
        f"{_number(row)}) [{row.id}]."
    )
