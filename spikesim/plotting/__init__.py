"""Figures: raster, rates, boxes, membrane, f-I curve, decision regions, learning curves, weights.

Every function draws on the axes that it is given, or on those of a new figure, and returns the
Axes. None calls ``show()`` or changes ``rcParams``. Colours are those of Okabe and Ito (2008),
which people with any of the common colour vision deficiencies can tell apart; marker, line style
or place says the same once more, for a grey print.
"""

from spikesim.plotting.activity import population_rates, raster
from spikesim.plotting.simulation import fi_curve, membrane
from spikesim.plotting.style import COLOURS, LINE_STYLES, MARKERS
from spikesim.plotting.summary import boxes
from spikesim.plotting.training import decision_regions, learning_curves, weights

__all__ = [
    "COLOURS",
    "LINE_STYLES",
    "MARKERS",
    "boxes",
    "decision_regions",
    "fi_curve",
    "learning_curves",
    "membrane",
    "population_rates",
    "raster",
    "weights",
]
