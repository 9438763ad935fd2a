"""All chapters together: the whole ledger, and what is missing in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from spikesim.errors import ParameterError, SpikesimError
from spikesim.ledger.answer import answer
from spikesim.ledger.contents import CHAPTERS, ELSEWHERE, HYPOTHESES, IDS
from spikesim.ledger.rows import Hypothesis, Row, read_chapter, sort_key

__all__ = ["Entry", "Ledger", "collect"]


@dataclass(frozen=True)
class Entry:
    """A row and where it comes from.

    Parameters
    ----------
    row : Row
        What was found.
    chapter : str
        Name of the experiment.
    command : str
        What runs it again.
    budget : str
        "full", "quick" or "smoke".
    """

    row: Row
    chapter: str
    command: str
    budget: str

    @property
    def claim(self) -> str:
        """The claim, as a heading ends."""
        return self.row.claim.rstrip(".")

    @property
    def figure(self) -> str:
        """The figure, relative to the folder of the ledger."""
        return f"{self.chapter}/{self.row.figure}.svg"


@dataclass(frozen=True)
class Ledger:
    """Every row and hypothesis that was found.

    Parameters
    ----------
    entries : tuple of Entry
        Rows, in the order of their ids.
    hypotheses : tuple of Hypothesis
        In the order of their ids; those that wait are among them.
    about : dict
        Versions, budget, seconds of each chapter.
    problems : dict
        By name of the chapter: why it has no rows, in a line.
    more : dict
        By name of the chapter: figures that no row names, relative to the folder of the ledger.
    """

    entries: tuple[Entry, ...]
    hypotheses: tuple[Hypothesis, ...]
    about: Mapping[str, Any] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)
    more: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def rows(self) -> dict[str, Row]:
        """Rows by id."""
        return {entry.row.id: entry.row for entry in self.entries}

    @property
    def missing(self) -> dict[str, str]:
        """Ids of claims that are not there, each with the chapter that should give it."""
        chapter = {name: chapter for chapter, names in CHAPTERS.items() for name in names}
        return {name: chapter[name] for name in IDS if name not in self.rows}

    @property
    def missing_hypotheses(self) -> tuple[str, ...]:
        """Ids of hypotheses without an outcome."""
        there = {hypothesis.id for hypothesis in self.hypotheses}
        return tuple(name for name in HYPOTHESES if name not in there)

    def to_json(self) -> str:
        """Return everything as JSON, figures as paths relative to the folder of the ledger."""
        rows = [
            {
                **asdict(entry.row),
                "figure": entry.figure,
                "command": entry.command,
                "chapter": entry.chapter,
                "budget": entry.budget,
            }
            for entry in self.entries
        ]
        document = {
            "about": dict(self.about),
            "answer": answer(self.rows),
            "rows": rows,
            "more_figures": {name: list(files) for name, files in self.more.items()},
            "hypotheses": [asdict(hypothesis) for hypothesis in self.hypotheses],
            "missing": [*self.missing, *self.missing_hypotheses],
            "problems": dict(self.problems),
        }
        return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def collect(
    out: Path, about: Mapping[str, Any] | None = None, problems: Mapping[str, str] | None = None
) -> Ledger:
    """Read the chapters in a folder.

    Parameters
    ----------
    out : Path
        Folder with one folder for each chapter, as the experiments write them.
    about : mapping, optional
        What the ledger says of the run; default what ``ledger.json`` in the folder says.
    problems : mapping of str to str, optional
        By name of the chapter: why it has no rows.

    Raises
    ------
    ParameterError
        Two rows or hypotheses with one id.
    """
    if about is None:
        about = read_about(out)
    problems = dict(problems or {})
    entries: dict[str, Entry] = {}
    hypotheses = {
        name: Hypothesis(name, "judged elsewhere", text) for name, text in ELSEWHERE.items()
    }
    seen: dict[str, str] = {}
    more: dict[str, tuple[str, ...]] = {}
    for path in sorted(out.glob("*/rows.json")):
        chapter = path.parent.name
        if chapter in problems:
            continue
        try:
            rows, found, command, budget = read_chapter(path.parent)
            drawn = json.loads(path.read_text(encoding="utf-8"))["figures"]
        except (ValueError, KeyError, TypeError, AttributeError, SpikesimError) as error:
            problems[chapter] = f"rows.json cannot be read: {type(error).__name__}: {error}"
            continue
        for name in [row.id for row in rows] + [hypothesis.id for hypothesis in found]:
            if name in seen:
                raise ParameterError(f"{name} is in {seen[name]} and in {chapter}")
            seen[name] = chapter
        entries |= {row.id: Entry(row, chapter, command, budget) for row in rows}
        shown = {row.figure for row in rows}
        more[chapter] = tuple(f"{chapter}/{name}.svg" for name in drawn if name not in shown)
        hypotheses |= {hypothesis.id: hypothesis for hypothesis in found}
    return Ledger(
        tuple(sorted(entries.values(), key=lambda entry: sort_key(entry.row))),
        tuple(sorted(hypotheses.values(), key=sort_key)),
        about,
        problems,
        {chapter: files for chapter, files in more.items() if files},
    )


def read_about(out: Path) -> dict[str, Any]:
    """Return what ``ledger.json`` in a folder says of its run; empty without one."""
    try:
        about = json.loads((out / "ledger.json").read_text(encoding="utf-8"))["about"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return about if isinstance(about, dict) else {}
