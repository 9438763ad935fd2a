"""The question that started it all, answered from the rows."""

from __future__ import annotations

from collections.abc import Mapping

from spikesim.ledger.rows import Row

__all__ = ["QUESTION", "answer"]

QUESTION = "Where are the implementations of such rules, and why wouldn't it work?"


def answer(rows: Mapping[str, Row]) -> str:
    """Return a paragraph; each sentence ends with the rows that it rests on.

    Parameters
    ----------
    rows : mapping of str to Row
        By id; a sentence whose rows are not there is left out.
    """
    return ""
