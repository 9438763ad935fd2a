"""Rows of the ledger: a claim, the number that was measured, and what it says of the claim."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from spikesim import _check
from spikesim._files import write_atomically
from spikesim.errors import ParameterError

__all__ = ["Hypothesis", "Row", "Table", "read_chapter", "sort_key", "write_chapter"]

VERDICTS = ("holds", "holds if", "fails")
OUTCOMES = ("held", "held in part", "failed", "judged elsewhere")


@dataclass(frozen=True)
class Table:
    """A small table under a row.

    Parameters
    ----------
    caption : str
        What it shows.
    columns : tuple of str
        Headings.
    rows : tuple of tuple of str
        Cells, one for each column.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ParameterError(
                    f"Table.rows: {row!r} has {len(row)} cells for {len(self.columns)} columns"
                )


@dataclass(frozen=True)
class Row:
    """One claim and its verdict.

    Parameters
    ----------
    id : str
        ``S`` with the number of the text and of the claim, such as ``S0.3``.
    claim : str
        One sentence.
    quantity : str
        What `value` is, in a few words.
    value : float
        The number that was measured.
    verdict : {"holds", "holds if", "fails"}
        What the number says of the claim.
    figure : str
        Name of the figure that shows it, without suffix.
    text : str
        A paragraph on what was done and what it means.
    interval : tuple of float, optional
        Low and high end; None for a number without spread, which is its own interval.
    interval_kind : str, default "exact"
        What the interval is, such as "95 % Wilson".
    unit : str, default ""
        Unit of `value`.
    condition : str, default ""
        On what the claim hangs ("holds if") or why it does not hold ("fails").
    tables : tuple of Table, default ()
        More numbers.

    Raises
    ------
    ParameterError
        A verdict that is none, a value that is not finite or outside its interval, a "holds if"
        without its condition.
    """

    id: str
    claim: str
    quantity: str
    value: float
    verdict: str
    figure: str
    text: str
    interval: tuple[float, float] | None = None
    interval_kind: str = "exact"
    unit: str = ""
    condition: str = ""
    tables: tuple[Table, ...] = ()

    def __post_init__(self) -> None:
        if not re.fullmatch(r"S\d+\.\d+", self.id):
            raise ParameterError(f"Row.id must look like 'S0.3', got {self.id!r}")
        _check.choice("Row.verdict", self.verdict, VERDICTS)
        if not math.isfinite(self.value):
            raise ParameterError(f"Row.value of {self.id} must be finite, got {self.value}")
        low, high = (self.value, self.value) if self.interval is None else self.interval
        if not low <= self.value <= high:
            raise ParameterError(
                f"Row.interval of {self.id} must hold the value {self.value:g}, "
                f"got {low:g} to {high:g}"
            )
        exact = self.interval_kind == "exact"
        if (low, high) != (self.value, self.value) if exact else self.interval is None:
            raise ParameterError(f"Row.interval_kind of {self.id} must say what the interval is")
        if (self.verdict == "holds if") > bool(self.condition):
            raise ParameterError(f"Row.condition of {self.id} must say on what the claim hangs")
        object.__setattr__(self, "value", float(self.value))
        object.__setattr__(self, "interval", (float(low), float(high)))


@dataclass(frozen=True)
class Hypothesis:
    """What became of a hypothesis of ``docs/hypotheses.md``.

    Parameters
    ----------
    id : str
        Such as ``H1``.
    outcome : {"held", "held in part", "failed", "judged elsewhere"}
        Whether it held.
    text : str
        The numbers that say so, in a sentence or two; surprises are called that.
    rows : tuple of str, default ()
        Rows that show it.
    """

    id: str
    outcome: str
    text: str
    rows: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not re.fullmatch(r"H\d+", self.id):
            raise ParameterError(f"Hypothesis.id must look like 'H1', got {self.id!r}")
        _check.choice("Hypothesis.outcome", self.outcome, OUTCOMES)


def sort_key(row: Row | Hypothesis) -> tuple[int, ...]:
    """Return what puts S1.10 behind S1.9."""
    return tuple(int(number) for number in re.findall(r"\d+", row.id))


def write_chapter(
    out: Path,
    rows: Iterable[Row],
    hypotheses: Iterable[Hypothesis],
    figures: Mapping[str, Any],
    command: str,
    budget: str,
) -> None:
    """Write what one experiment found: ``rows.json`` and each figure as PNG and SVG.

    Parameters
    ----------
    out : Path
        Folder, made if need be.
    rows, hypotheses : iterable
        What was found.
    figures : mapping of str to Figure
        By the names that rows use.
    command : str
        What runs the experiment again.
    budget : str
        "full", "quick" or "smoke".

    Raises
    ------
    ParameterError
        A row whose figure is missing.
    """
    import matplotlib

    rows = sorted(rows, key=sort_key)
    for row in rows:
        if row.figure not in figures:
            raise ParameterError(f"Row.figure of {row.id} is {row.figure!r}, which is not drawn")
    out.mkdir(parents=True, exist_ok=True)
    # Equal numbers give equal files.
    with matplotlib.rc_context({"svg.hashsalt": "spikesim"}):
        for name, figure in figures.items():
            figure.savefig(out / f"{name}.svg", metadata={"Date": None})
            figure.savefig(out / f"{name}.png", dpi=150)
    found = {
        "command": command,
        "budget": budget,
        "figures": list(figures),
        "rows": [asdict(row) for row in rows],
        "hypotheses": [asdict(hypothesis) for hypothesis in sorted(hypotheses, key=sort_key)],
    }
    write_atomically(out / "rows.json", json.dumps(found, indent=1, ensure_ascii=False) + "\n")


def read_chapter(out: Path) -> tuple[list[Row], list[Hypothesis], str, str]:
    """Return rows, hypotheses, command and budget as :func:`write_chapter` left them."""
    found = json.loads((out / "rows.json").read_text(encoding="utf-8"))
    rows = []
    for entry in found["rows"]:
        tables = tuple(
            Table(t["caption"], tuple(t["columns"]), tuple(tuple(r) for r in t["rows"]))
            for t in entry.pop("tables")
        )
        interval = None if entry["interval_kind"] == "exact" else tuple(entry["interval"])
        rows.append(Row(**{**entry, "interval": interval}, tables=tables))
    hypotheses = [
        Hypothesis(**{**entry, "rows": tuple(entry["rows"])}) for entry in found["hypotheses"]
    ]
    return rows, hypotheses, found["command"], found["budget"]
