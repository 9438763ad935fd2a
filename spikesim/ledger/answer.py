"""The question that started it all, answered from the rows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from spikesim.ledger.rows import Row
from spikesim.ledger.words import measured

__all__ = ["NOTE", "NUMBERS", "QUESTION", "answer"]

NOTE = "In parentheses: 95 % intervals, if no other kind is named."

QUESTION = "Where are the implementations of such rules, and why wouldn't it work?"


@dataclass(frozen=True)
class _Clause:
    """A sentence and the row that it rests on.

    Parameters
    ----------
    row : str
        Id of the row.
    verdicts : tuple of str
        The verdicts under which the sentence is true.
    of : str
        Words of the row's quantity: the sentence speaks of this number and no other.
    text : str
        The sentence, with ``{number}`` for the number and its interval and ``{quantity}`` for
        what it is.
    """

    row: str
    verdicts: tuple[str, ...]
    of: str
    text: str


_CLAUSES = (
    _Clause(
        "S0.9", ("holds if",), "solve XOR, every weight scaled",
        "The implementations have other names, one for each way to read the rule: weight decay "
        "that only errors switch on, Winnow, relaxation, exponentiated gradient and, for neurons "
        "that fire in time, the tempotron",
    ),
    _Clause(
        "S0.4", ("holds if",), "random directions",
        "Taken literally, one percentage for all weights of a unit, the rule makes its weight "
        "vector longer or shorter and never turns it, so that two kinds of iris are told apart "
        "only from starts that point the right way already, {number} of them",
    ),
    _Clause(
        "S0.5", ("holds",), "changed its sign",
        "Scaling only the weights of active inputs turns the vector, but no weight can change its "
        "sign (changes of sign: {number})",
    ),
    _Clause(
        "S0.7", ("holds if",), "negative net input that come to fire",
        "And a silent unit whose net input is negative, though it should fire, is driven further "
        "off by either: {number} of such starts come to fire",
    ),
    _Clause(
        "S0.9", ("holds if",), "solve XOR, every weight scaled",
        "With hidden units the literal rule therefore solves XOR from {number} of random starts "
        "at best",
    ),
    _Clause(
        "S0.6", ("holds",), "between the two rules",
        "What does work is to take a share of the error off the net input by subtraction, and "
        "that is the relaxation rule of 1954, weight for weight (largest difference: {number})",
    ),
    _Clause(
        "S0.8", ("holds", "holds if"), "solve XOR",
        "Even hidden units learn by it from the plain sum of the errors that follow, if that sum "
        "only tells them whether to fire and there is one output; {quantity}: {number}",
    ),
    _Clause(
        "S1.3", ("holds",), "changed in any bit",
        "Descent along the slope of the error is no way out while units are steps: with the true "
        "derivative nothing moves (weights changed: {number})",
    ),
    _Clause(
        "S1.2", ("holds",), "slope of log share",
        "Nor can a slope be probed, for the share of weights whose small change is felt at all "
        "falls with the size of the change, to the power of {number}",
    ),
    _Clause(
        "S1.7", ("holds",), "between the step and the sigmoid",
        "A smooth threshold has a slope and comes as close to the step as one likes; {quantity}: "
        "{number}",
    ),
    _Clause(
        "S2.9", ("holds", "holds if"), "the committee rule would move",
        "Where it is steep, descent moves the one unit closest to its threshold, whatever it "
        "voted; the committee rule of 1965, which needs no slope, would have moved that unit in "
        "{number} of the errors",
    ),
)  # fmt: skip

# By id: words that the quantity of a row must have for the answer to speak of its number.
NUMBERS = {clause.row: clause.of for clause in _CLAUSES}


def answer(rows: Mapping[str, Row]) -> str:
    """Return a paragraph; each sentence ends with the row that it rests on.

    Parameters
    ----------
    rows : mapping of str to Row
        By id. A sentence whose row is not there is left out; one whose row was judged otherwise
        than it says, or has another number, gives way to the claim and verdict of the row.
    """
    sentences = []
    for clause in _CLAUSES:
        row = rows.get(clause.row)
        if row is None:
            continue
        if row.verdict in clause.verdicts and clause.of in row.quantity:
            text = clause.text.format(number=_number(row), quantity=row.quantity)
        else:
            text = _judged(row)
        sentence = f"{text} [{row.id}]."
        if sentence not in sentences:
            sentences.append(sentence)
    return " ".join(sentences)


def _number(row: Row) -> str:
    """Return number and interval; the usual kind of interval goes without saying."""
    return re.sub(r", 95 % [^)]*\)$", ")", measured(row))


def _judged(row: Row) -> str:
    """Return claim and verdict of a row, whatever they are."""
    condition = f" {row.condition.rstrip('.')}" if row.verdict == "holds if" else ""
    return (
        f'"{row.claim.rstrip(".")}": this {row.verdict}{condition} ({row.quantity}: '
        f"{measured(row)})"
    )
