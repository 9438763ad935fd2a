"""Measure the network of Vogels & Abbott 2005, current- and conductance-based, for 10 s.

    python experiments/benchmarks/vogels_abbott.py [--threads 1 2] [--repeats 3] [--json FILE]

Columns are explained in ``measure.py``.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))
from experiments.benchmarks import measure

NAMES = ("vogels_abbott_current", "vogels_abbott_conductance")


def main(arguments: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Measure, print a table, return the rows."""
    return measure.main(__file__, NAMES, __doc__, arguments)


if __name__ == "__main__":
    main()
