"""The fair comparison: one table of contenders, equal budgets, honest statistics, one report."""

from __future__ import annotations

import argparse
import importlib
import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spikesim.errors import ParameterError

if TYPE_CHECKING:
    from spikesim.comparison.operations import (
        Effort,
        LayerEffort,
        Operations,
        TrainingEffort,
        effort,
        effort_of_traces,
        training_effort,
    )
    from spikesim.comparison.perturbations import (
        dead_units,
        on_time_step,
        quantised,
        spike_deletion,
        spike_jitter,
        tau_mismatch,
        threshold_noise,
        weight_noise,
        with_time_step,
    )
    from spikesim.comparison.report import terminal_table
    from spikesim.comparison.results import Results, Row, Summary
    from spikesim.comparison.robustness_curves import (
        PERTURBATIONS,
        Curve,
        Perturbation,
        robustness,
    )
    from spikesim.comparison.study import compare
    from spikesim.comparison.tuning import load_settings, tune

_HOMES = {
    "PERTURBATIONS": "robustness_curves",
    "Curve": "robustness_curves",
    "Effort": "operations",
    "LayerEffort": "operations",
    "Operations": "operations",
    "Perturbation": "robustness_curves",
    "Results": "results",
    "Row": "results",
    "Summary": "results",
    "TrainingEffort": "operations",
    "compare": "study",
    "dead_units": "perturbations",
    "effort": "operations",
    "effort_of_traces": "operations",
    "load_settings": "tuning",
    "on_time_step": "perturbations",
    "quantised": "perturbations",
    "robustness": "robustness_curves",
    "spike_deletion": "perturbations",
    "spike_jitter": "perturbations",
    "tau_mismatch": "perturbations",
    "terminal_table": "report",
    "threshold_noise": "perturbations",
    "training_effort": "operations",
    "tune": "tuning",
    "weight_noise": "perturbations",
    "with_time_step": "perturbations",
}

__all__ = [
    "PERTURBATIONS",
    "Curve",
    "Effort",
    "LayerEffort",
    "Operations",
    "Perturbation",
    "Results",
    "Row",
    "Summary",
    "TrainingEffort",
    "add_arguments",
    "compare",
    "dead_units",
    "effort",
    "effort_of_traces",
    "load_settings",
    "on_time_step",
    "quantised",
    "robustness",
    "run_from_arguments",
    "spike_deletion",
    "spike_jitter",
    "tau_mismatch",
    "terminal_table",
    "threshold_noise",
    "training_effort",
    "tune",
    "weight_noise",
    "with_time_step",
]

_EPILOG = """\
what it does:
  Trains perceptron-style local rules and gradient rules, on rate units and on LIF neurons, on
  XOR and on Iris, beside classical methods; prints tables with intervals and writes a report.
  On other tasks every learning rule takes part; a run that was stopped goes on where it was.

examples:
  spikesim compare --quick               a minute or two; 20 starts, 2 x 5 folds
  spikesim compare --tasks xor           the full run of one task
  spikesim compare --out my_results      100 starts, 10 x 10 folds: some ten minutes
  spikesim compare --tasks yin_yang --rules Backprop EProp EventProp MLP --quick
  spikesim compare --tasks all --out results/rules     every rule on every task: many hours

what it writes into the folder:
  report.html    the page to read; one file, works offline
  results.json   every run: task, rule, network, seed, fold, accuracy, epochs, seconds, spikes
  summary.csv    one line for each contender
  figures/       each figure as PNG and SVG
"""


def __getattr__(name: str) -> Any:
    # Imported on first use: a command line that only prints its help should be quick.
    if name not in _HOMES:
        raise AttributeError(f"module 'spikesim.comparison' has no attribute {name!r}")
    module = importlib.import_module(f"spikesim.comparison.{_HOMES[name]}")
    value = getattr(module, name)
    globals()[name] = value
    return value


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``spikesim compare`` to a parser.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Changed in place.
    """
    from spikesim.comparison.tasks import GROUPS

    parser.description = "Compare learning rules and write a report."
    parser.epilog = _EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "--out", default="results", metavar="FOLDER", help="where to write (default: results)"
    )
    parser.add_argument(
        "--tasks", nargs="+", choices=(*GROUPS, "all"), default=["xor", "iris"], metavar="TASK",
        help=f"what to run: {', '.join(GROUPS)}; or all (default: xor iris)",
    )  # fmt: skip
    parser.add_argument(
        "--rules", nargs="+", metavar="NAME",
        help="rules or contenders to run, or all (default: on XOR and Iris a table of their own, "
        "elsewhere all)",
    )  # fmt: skip
    parser.add_argument(
        "--quick",
        action="store_true",
        help="fewer starts and folds: 20 and 2 x 5 in place of 100 and 10 x 10",
    )
    parser.add_argument(
        "--seeds", type=int, metavar="N",
        help="number of starts; with --tune, for each trial on tasks without folds",
    )  # fmt: skip
    parser.add_argument(
        "--jobs", type=int, default=-1, metavar="N", help="processes (default: one a core)"
    )
    parser.add_argument("--no-progress", action="store_true", help="show no progress bars")
    parser.add_argument(
        "--tune", action="store_true",
        help="search the settings of the contenders anew and store them, instead of comparing "
        "(about a quarter of an hour on two cores for XOR and Iris)",
    )  # fmt: skip
    parser.add_argument(
        "--trials", type=int, metavar="N",
        help="with --tune: trials for each contender (default: 16 on XOR and Iris, else 32)",
    )  # fmt: skip


def run_from_arguments(args: argparse.Namespace) -> int:
    """Run ``spikesim compare``; return the exit status.

    Parameters
    ----------
    args : argparse.Namespace
        The options that :func:`add_arguments` added, parsed.
    """
    if args.trials is not None and not args.tune:
        raise ParameterError("compare.trials is for --tune, which searches settings")
    try:
        return _carry_out(args)
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on with the runs that are missing", file=sys.stderr)
        raise


def _carry_out(args: argparse.Namespace) -> int:
    if args.tune:
        from spikesim.comparison.tasks import chosen_tasks
        from spikesim.comparison.tuning import tune as search

        started = time.perf_counter()
        starts = dict.fromkeys(chosen_tasks(args.tasks), args.seeds) if args.seeds else None
        search(
            tasks=args.tasks, rules=args.rules, n_jobs=args.jobs, progress=not args.no_progress,
            n_trials=args.trials, seeds=starts,
        )  # fmt: skip
        print(f"tuned in {time.perf_counter() - started:.0f} s")
        return 0
    from spikesim.comparison import report, study

    results = study.compare(
        args.out, tasks=args.tasks, rules=args.rules, quick=args.quick, seeds=args.seeds,
        n_jobs=args.jobs, progress=not args.no_progress, command=_command(args),
    )  # fmt: skip
    print(report.terminal_table(results))
    print(f"\nreport:  {Path(args.out, 'report.html').resolve()}")
    print(f"figures: {Path(args.out, 'figures').resolve()}")
    return 0


def _command(args: argparse.Namespace) -> str:
    parts = ["spikesim compare"]
    if args.quick:
        parts.append("--quick")
    if list(args.tasks) != ["xor", "iris"]:
        parts.append("--tasks " + " ".join(args.tasks))
    if args.rules is not None:
        parts.append("--rules " + " ".join(shlex.quote(name) for name in args.rules))
    if args.seeds is not None:
        parts.append(f"--seeds {args.seeds}")
    parts.append(f"--out {args.out}")
    return " ".join(parts)
