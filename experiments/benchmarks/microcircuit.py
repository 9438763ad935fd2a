"""Measure the cortical microcircuit of Potjans & Diesmann 2014 at full scale, for 1 s.

    python experiments/benchmarks/microcircuit.py [--scale 1] [--threads 1 2] [--json FILE]

In compact precision unless `--precision` says otherwise; double needs 10 bytes a synapse, 3 GB
at full scale. Columns are explained in ``measure.py``.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))
from experiments.benchmarks import measure

NAMES = ("microcircuit",)


def main(arguments: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Measure, print a table, return the rows."""
    return measure.main(__file__, NAMES, __doc__, arguments, precision=["compact"])


if __name__ == "__main__":
    main()
