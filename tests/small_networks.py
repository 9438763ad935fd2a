"""Small networks into which a test puts one thing that is wrong."""

import re

import numpy as np
import pytest

import spikesim as sp
from spikesim.errors import SpikesimError


def network(n=4, model=None, projections=(), inputs=()):
    population = sp.Population("a", model or sp.LIF(), n)
    return sp.Network([population], projections, inputs)


def connected(weight=1.0, delay=1.0, rule=None, **arguments):
    projection = sp.Projection("a", "a", rule or sp.AllToAll(), weight, delay, **arguments)
    return sp.simulate(network(projections=[projection]), 1.0)


def with_input(item):
    return sp.simulate(network(inputs=[item]), 1.0)


def run(**arguments):
    return sp.simulate(**({"network": sp.LIF(), "duration": 1.0} | arguments))


def listed(times, ids=None, n=1):
    return sp.simulate(sp.Population("s", sp.SpikeSource(times, ids), n), 1.0)


def is_refused(act, kind, name):
    """See that `act` raises `kind` with `name` in its message, and that nothing is broken."""
    with pytest.raises(kind, match=re.escape(name)) as caught:
        act()
    assert isinstance(caught.value, SpikesimError)
    recording = sp.simulate(sp.LIF(i_ext=400.0), 30.0)
    np.testing.assert_allclose(recording.spike_times, [27.8])
