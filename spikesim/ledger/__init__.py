"""The ledger: claims about learning in step neurons, each measured and judged.

The experiments in ``experiments/seeds/`` measure them; each returns rows and draws figures with
the parts that are here. ``spikesim ledger`` runs them all and makes one page of what they found.
"""

from spikesim.ledger.experiment import main
from spikesim.ledger.rows import Hypothesis, Row, Table

__all__ = ["Hypothesis", "Row", "Table", "main"]
