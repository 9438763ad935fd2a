"""The command ``spikesim ledger``."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

import spikesim
from spikesim import _check
from spikesim._files import write_atomically
from spikesim.errors import ParameterError
from spikesim.ledger import page, runner, summary
from spikesim.ledger.collect import Ledger, collect, read_about

__all__ = ["add_arguments", "run_from_arguments"]

_EPILOG = """\
what it does:
  Runs the experiments on the claims that started this project, one after another, and makes one
  page of what they found: each claim with its number, its interval, a verdict and a figure.

examples:
  spikesim ledger --quick                  up to 3 minutes on two cores; wider intervals
  spikesim ledger --out results/ledger     the full run: up to half an hour
  spikesim ledger --only by_inspection     one chapter anew, the others as they are in the folder

what it writes into the folder:
  ledger.html    the page to read; one file, works offline
  ledger.json    every row: claim, value, interval, verdict, figure, command
  NAME/          of each experiment: rows.json, figures as PNG and SVG, what it printed
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``spikesim ledger`` to a parser.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Changed in place.
    """
    parser.description = "Measure every claim of the ledger and make one page of it."
    parser.epilog = _EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "--out", default="results/ledger", metavar="DIR",
        help="where to write (default: results/ledger)",
    )  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="fewer starts, wider intervals")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="run these experiments alone")
    parser.add_argument(
        "--jobs", type=int, metavar="N", help="processes of each experiment (default: one a core)"
    )


def run_from_arguments(args: argparse.Namespace, folder: Path | None = None) -> int:
    """Run ``spikesim ledger``; return the exit status.

    Parameters
    ----------
    args : argparse.Namespace
        The options that :func:`add_arguments` added, parsed.
    folder : Path, optional
        Where the experiments lie; default :func:`spikesim.ledger.contents.experiments`.

    Returns
    -------
    int
        1 if an experiment failed or, in a run of all, if a claim is missing; else 0.
    """
    scripts = runner.choose(args.only, folder)
    if not scripts:
        raise ParameterError("--only: there are no experiments in this installation")
    if args.jobs is not None and args.jobs != -1:
        _check.integer("--jobs", args.jobs, minimum=1)
    out = _folder(args.out)
    options = ["--quick"] if args.quick else []
    options += [f"--jobs={args.jobs}"] if args.jobs is not None else []
    earlier = read_about(out).get("seconds", {})
    seconds, problems = runner.run(scripts, out, options)
    ledger = collect(out, _about(args, {**earlier, **seconds}), problems)
    write(ledger, out)
    print(f"\n{summary.plain_table(ledger)}\n\n{summary.count(ledger)}")
    _print_missing(ledger)
    print(f"\npage: {(out / 'ledger.html').resolve()}")
    return int(bool(ledger.problems) or (args.only is None and bool(ledger.missing)))


def write(ledger: Ledger, out: Path) -> None:
    """Write ``ledger.json`` and ``ledger.html``.

    Parameters
    ----------
    ledger : Ledger
        What was found.
    out : Path
        Folder in which its figures lie.
    """
    text = page.render(ledger, out)
    write_atomically(out / "ledger.json", ledger.to_json())
    write_atomically(out / "ledger.html", text)


def _folder(name: str) -> Path:
    out = Path(name)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ParameterError(f"--out: {name} cannot be made: {error.strerror or error}") from None
    return out


def _about(args: argparse.Namespace, seconds: dict[str, float]) -> dict[str, Any]:
    return {
        "command": "spikesim ledger --quick" if args.quick else "spikesim ledger",
        "budget": "quick" if args.quick else "full",
        "date": time.strftime("%Y-%m-%d"),
        "version": spikesim.__version__,
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in ("numpy", "numba")},
        "platform": platform.platform(terse=True),
        "cores": os.cpu_count(),
        "seconds": seconds,
    }


def _print_missing(ledger: Ledger) -> None:
    for name, why in ledger.problems.items():
        print(f"{name}: {why}", file=sys.stderr)
    chapters: dict[str, list[str]] = {}
    for name, chapter in ledger.missing.items():
        chapters.setdefault(chapter, []).append(name)
    for chapter, names in chapters.items():
        print(f"missing, from {chapter}: {', '.join(names)}", file=sys.stderr)
    if ledger.missing_hypotheses:
        print(f"missing: {', '.join(ledger.missing_hypotheses)}", file=sys.stderr)
