"""What all experiments of the ledger share: their command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from spikesim.ledger.rows import write_chapter

__all__ = ["main"]


def main(
    name: str,
    description: str,
    config: Any,
    run: Callable[[Any], Mapping[str, Any]],
    draw: Callable[[Mapping[str, Any]], Mapping[str, Any]],
    argv: Sequence[str] | None = None,
) -> None:
    """Run one experiment of the ledger from the command line.

    Parameters
    ----------
    name : str
        Name of its file, without suffix.
    description : str
        First line of its docstring.
    config : type
        Its ``Config``: ``Config()`` is the full run, ``Config.quick()`` and ``Config.smoke()``
        are shorter ones.
    run : callable
        ``run(config)`` returns a dict with at least ``rows`` and ``hypotheses``.
    draw : callable
        ``draw(found)`` returns the figures by name.
    argv : sequence of str, optional
        Arguments; default those of the process.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--out", type=Path, default=Path("results/ledger") / name, help="folder to write to"
    )
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument("--quick", action="store_true", help="fewer starts, wider intervals")
    budget.add_argument("--smoke", action="store_true", help="only try that it runs")
    parser.add_argument("--jobs", type=int, metavar="N", help="processes (default: one a core)")
    arguments = parser.parse_args(argv)
    size = "quick" if arguments.quick else "smoke" if arguments.smoke else "full"
    chosen = config() if size == "full" else getattr(config, size)()
    if arguments.jobs is not None and hasattr(chosen, "n_jobs"):
        chosen = replace(chosen, n_jobs=arguments.jobs)
    found = run(chosen)

    import matplotlib.pyplot as plt

    figures = draw(found)
    command = f"python experiments/seeds/{name}.py"
    write_chapter(
        arguments.out, found["rows"], found["hypotheses"], figures,
        command if size == "full" else f"{command} --{size}", size,
    )  # fmt: skip
    for figure in figures.values():
        plt.close(figure)
    for row in found["rows"]:
        low, high = row.interval
        spread = "" if low == high else f" ({low:.4g} to {high:.4g})"
        print(f"{row.id:6} {row.verdict:9} {row.quantity}: {row.value:.6g}{spread} {row.unit}")
    for hypothesis in found["hypotheses"]:
        print(f"{hypothesis.id:6} {hypothesis.outcome}: {hypothesis.text}")
    print(arguments.out / "rows.json")
