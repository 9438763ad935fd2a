"""Which rules solve XOR, how often, and how soon.

Run ``python experiments/xor.py``; tables are printed, figures and a report are written. It is
the xor part of ``spikesim compare``.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import spikesim as sp


@dataclass(frozen=True)
class Config:
    """How much is run.

    Parameters
    ----------
    budget : {"full", "quick", "smoke"}
        Starts, folds and epochs, as in :func:`spikesim.comparison.compare`.
    n_jobs : int
        Number of processes; -1 takes every core.
    out : path-like
        Folder to write to.
    """

    budget: str = "quick"
    n_jobs: int = -1
    out: str | Path = "results/xor"

    @classmethod
    def smoke(cls) -> Config:
        """Return the smallest run that touches everything."""
        return cls(budget="smoke", n_jobs=1)


def run(config: Config) -> dict[str, Any]:
    """Train every contender and summarise its runs.

    Returns
    -------
    dict
        ``results`` with all rows, ``table`` as text, and ``rates``: for each task the
        share solved or the accuracy of each contender, with its interval.
    """
    results = sp.comparison.compare(
        config.out, tasks=("xor",), budget=config.budget, n_jobs=config.n_jobs, progress=False
    )
    tasks = sorted({row.task for row in results.rows})
    rates = {task: {s.label: s.rate for s in results.summaries(task)} for task in tasks}
    return {"results": results, "table": sp.comparison.terminal_table(results), "rates": rates}


def main(argv: list[str] | None = None) -> None:
    """Run the experiment and print its tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("results/xor"), help="folder to write to")
    parser.add_argument("--full", action="store_true", help="100 starts, 10 x 10 folds")
    parser.add_argument("--smoke", action="store_true", help="only try that it runs")
    args = parser.parse_args(argv)
    config = Config.smoke() if args.smoke else Config("full" if args.full else "quick")
    print(run(replace(config, out=args.out))["table"])
    print(args.out / "report.html")


if __name__ == "__main__":
    main()
