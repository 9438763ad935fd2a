"""What belongs into the ledger: its chapters, the ids of all rows, where the files are."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = [
    "CHAPTERS",
    "ELSEWHERE",
    "HYPOTHESES",
    "IDS",
    "PARTS",
    "expectations",
    "experiments",
]


def _ids(part: int, *numbers: int) -> tuple[str, ...]:
    return tuple(f"S{part}.{number}" for number in numbers)


# The rows that each experiment gives, in the order in which the experiments run.
CHAPTERS: dict[str, tuple[str, ...]] = {
    "proportional_rule": _ids(0, *range(1, 10)),
    "dead_gradient": _ids(1, 1, 2, 3, 4, 5, 7, 8),
    "dying_units": _ids(1, 6),
    "smooth_committee": _ids(2, *range(1, 10)),
    "artificial_neuron": _ids(3, *range(1, 15)),
    "by_inspection": _ids(3, 15),
    "gradient_free": _ids(3, 16),
}

IDS = tuple(
    sorted(
        (name for names in CHAPTERS.values() for name in names),
        key=lambda name: tuple(int(number) for number in re.findall(r"\d+", name)),
    )
)

HYPOTHESES = tuple(f"H{number}" for number in range(1, 13))

# Hypotheses that no experiment of the ledger tests.
ELSEWHERE = {
    "H9": "Judged by the benchmark of rules, `python experiments/surrogate_scale.py`.",
    "H10": "Judged by the benchmark of rules, `python experiments/silent_start.py`.",
}

PARTS = {
    "S0": "A rule that changes weights by a percentage of the error",
    "S1": "Why not the step",
    "S2": "Smooth thresholds and committees",
    "S3": "The artificial neuron",
}

_HERE = Path(__file__).resolve().parent
_PROJECT = _HERE.parent.parent


def experiments(folder: Path | None = None) -> dict[str, Path]:
    """Return the scripts of all experiments by name, in the order in which they run.

    Parameters
    ----------
    folder : Path, optional
        Where they lie; by default those that were installed with the package or, in a checkout,
        those beside it.
    """
    if folder is None:
        installed = _HERE / "experiments"
        folder = installed if installed.is_dir() else _PROJECT / "experiments" / "seeds"
    found = {path.stem: path for path in sorted(folder.glob("[!_]*.py"))}
    known = [name for name in CHAPTERS if name in found]
    return {name: found[name] for name in [*known, *(n for n in found if n not in CHAPTERS)]}


def expectations() -> dict[str, tuple[str, str]]:
    """Return what each hypothesis expects and what makes it fail, as written before the runs.

    Those that only ``spikesim compare`` can test are on the same page, but not in the ledger.
    """
    installed = _HERE / "hypotheses.md"
    page = installed if installed.is_file() else _PROJECT / "docs" / "hypotheses.md"
    if not page.is_file():
        return {}
    rows = re.findall(r"^\| (H\d+) \| (.*) \| (.*) \|$", page.read_text("utf-8"), re.MULTILINE)
    return {name: (expected, fails) for name, expected, fails in rows if name in HYPOTHESES}
