"""How features become input: as they are, or as spike trains.

An encoder is a frozen description. :meth:`fit` learns the range of each feature and returns a
fitted encoder; :meth:`encode` turns features of shape ``(n_samples, n_features)`` into an array
``x`` of shape ``(n_steps, n_samples, n_inputs)``. For spike codes x holds zeros and ones, and
``x[k]`` are the spikes stamped with step k + 1 (index 0 is step 1), so a network feels the last
of them no earlier than the step after. Codes of one spike a line also give the exact times,
:meth:`spike_times`; ``x[k]`` has those nearest to ``k * dt``.

Features are scaled to [0, 1] by ``low`` and ``high`` first. A value beyond them, as new data
may hold, is clipped to the nearer end. A feature that never varied (low = high) is scaled to 0.

An encoder is one file here, and one line below.

References
----------
Latency codes: Thorpe, Delorme & Van Rullen 2001, Neural Networks 14:715. Gaussian receptive
fields: Bohte, Kok & La Poutre 2002, Neurocomputing 48:17; here the fields are
centred within the range of the feature, from end to end.
"""

from spikesim.encoding.analog import Analog
from spikesim.encoding.encoder import Encoder
from spikesim.encoding.latency import LatencyEncoder
from spikesim.encoding.population import PopulationEncoder
from spikesim.encoding.rate import RateEncoder
from spikesim.encoding.spike_trains import SpikeTrains
from spikesim.encoding.standardised import Standardised

__all__ = [
    "Analog",
    "Encoder",
    "LatencyEncoder",
    "PopulationEncoder",
    "RateEncoder",
    "SpikeTrains",
    "Standardised",
]
