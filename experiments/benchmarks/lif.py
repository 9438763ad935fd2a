"""Measure one neuron for 1 s: the first call, later ones, and the whole process.

    python experiments/benchmarks/lif.py [--repeats 3] [--json FILE]

``build_s`` is the first call, ``sim_s`` the median of later ones. Other columns are explained in
``measure.py``.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))
from experiments.benchmarks import measure

NAMES = ("lif",)


def main(arguments: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Measure, print a table, return the rows."""
    return measure.main(__file__, NAMES, __doc__, arguments)


if __name__ == "__main__":
    main()
