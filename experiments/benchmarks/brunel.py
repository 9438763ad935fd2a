"""Measure the network of Brunel 2000 in its asynchronous irregular state, for 1 s.

    python experiments/benchmarks/brunel.py [--threads 1 2] [--repeats 3] [--json FILE]

Columns are explained in ``measure.py``.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))
from experiments.benchmarks import measure

NAMES = ("brunel",)


def main(arguments: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Measure, print a table, return the rows."""
    return measure.main(__file__, NAMES, __doc__, arguments)


if __name__ == "__main__":
    main()
