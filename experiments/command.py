"""What the experiments on networks are told on the command line."""

from __future__ import annotations

import argparse
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

__all__ = ["config_of", "parser"]


def parser(description: str | None, name: str) -> argparse.ArgumentParser:
    """Return a parser of where an experiment writes and whether it only shows that it runs."""
    found = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    found.add_argument(
        "--out", type=Path, default=Path("results") / name, help="folder to write to"
    )
    found.add_argument("--smoke", action="store_true", help="only try that it runs")
    return found


def config_of(kind: Any, options: argparse.Namespace) -> Any:
    """Return settings: the default ones, or the smallest with ``--smoke``, and what was given.

    An option stands for the setting of the same name; None is one that was not given.
    """
    given = {field.name: getattr(options, field.name, None) for field in fields(kind)}
    return replace(
        kind.smoke() if options.smoke else kind(),
        **{name: value for name, value in given.items() if value is not None},
    )
