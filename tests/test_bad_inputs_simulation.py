"""What a user can get wrong about runs, inputs and records: each is refused by name."""

import math

import numpy as np
import pytest

import spikesim as sp
from tests.small_networks import is_refused, listed, network, run, with_input

NAN, INF = math.nan, math.inf

BAD = {
    "2 infinite step current": (
        lambda: sp.StepCurrent("a", INF),
        ValueError,
        "StepCurrent.amplitude",
    ),
    "3 NaN sampled current": (
        lambda: sp.SampledCurrent("a", [1.0, NAN], 0.1),
        ValueError,
        "SampledCurrent.values[1]",
    ),
    "3 NaN rate": (lambda: sp.PoissonInput("a", NAN, 1.0), ValueError, "PoissonInput.rate"),
    "3 negative rate": (lambda: sp.PoissonInput("a", -1.0, 1.0), ValueError, "PoissonInput.rate"),
    "3 negative sd": (lambda: sp.NoiseCurrent("a", 0.0, -1.0), ValueError, "NoiseCurrent.sd"),
    "3 negative frequency": (
        lambda: sp.SineCurrent("a", 1.0, -5.0),
        ValueError,
        "SineCurrent.frequency",
    ),
    "3 current that ends before it starts": (
        lambda: sp.StepCurrent("a", 1.0, 5.0, 2.0),
        ValueError,
        "StepCurrent.stop",
    ),
    "3 ramp without end": (
        lambda: sp.RampCurrent("a", 0.0, 1.0, 5.0, INF),
        ValueError,
        "RampCurrent.stop",
    ),
    "10 zero dt": (lambda: run(dt=0), ValueError, "simulate.dt"),
    "10 negative dt": (lambda: run(dt=-0.1), ValueError, "simulate.dt"),
    "10 NaN dt": (lambda: run(dt=NAN), ValueError, "simulate.dt"),
    "10 text as dt": (lambda: run(dt="0.1"), TypeError, "simulate.dt"),
    "12 negative duration": (lambda: run(duration=-1.0), ValueError, "simulate.duration"),
    "12 NaN duration": (lambda: run(duration=NAN), ValueError, "simulate.duration"),
    "12 infinite duration": (lambda: run(duration=INF), ValueError, "simulate.duration"),
    "13 duration off the grid": (lambda: run(duration=1.05), ValueError, "simulate.duration"),
    "19 amplitudes of a wrong length": (
        lambda: with_input(sp.StepCurrent("a", [1.0, 2.0])),
        ValueError,
        "StepCurrent.amplitude must have shape (4,), got (2,)",
    ),
    "19 samples of a wrong shape": (
        lambda: with_input(sp.SampledCurrent("a", np.ones((5, 3)), 0.1)),
        ValueError,
        "SampledCurrent.values",
    ),
    "20 driven neuron out of range": (
        lambda: with_input(sp.StepCurrent("a", 1.0, neurons=[1, 4])),
        IndexError,
        "StepCurrent.neurons[1] is 4",
    ),
    "20 recorded neuron out of range": (
        lambda: run(record=sp.Record("v", [1])),
        IndexError,
        "Record.neurons[0] is 1",
    ),
    "21 negative recorded neuron": (lambda: sp.Record("v", [-1]), IndexError, "Record.neurons"),
    "32 spike time off the grid": (lambda: listed([0.1, 0.15]), ValueError, "SpikeSource.times[1]"),
    "32 input time off the grid": (
        lambda: with_input(sp.SpikeInput("a", [0.15], [0], 1.0)),
        ValueError,
        "SpikeInput.times[0]",
    ),
    "33 negative spike time": (lambda: listed([1.0, -1.0]), ValueError, "SpikeSource.times[1]"),
    "33 spike at time 0": (lambda: listed([0.0]), ValueError, "SpikeSource.times[0]"),
    "33 NaN spike time": (lambda: listed([NAN]), ValueError, "SpikeSource.times[0]"),
    "35 unknown neuron in a source": (lambda: listed([1.0], [1]), IndexError, "SpikeSource.ids[0]"),
    "35 unknown neuron in an input": (
        lambda: with_input(sp.SpikeInput("a", [1.0, 1.0], [0, 4], 1.0)),
        IndexError,
        "SpikeInput.ids[1]",
    ),
    "35 times and ids of two lengths": (
        lambda: listed([1.0], [0, 0]),
        ValueError,
        "SpikeSource.ids",
    ),
    "54 negative seed": (lambda: run(seed=-1), ValueError, "simulate.seed"),
    "54 fractional seed": (lambda: run(seed=1.5), TypeError, "simulate.seed"),
    "54 text as seed": (lambda: run(seed="1"), TypeError, "simulate.seed"),
    "56 misspelt keyword": (lambda: run(sed=1), TypeError, "'sed' (did you mean 'seed'?)"),
    "56 unknown variable": (lambda: run(record="u"), ValueError, "Record.variables"),
    "56 variable that a source lacks": (
        lambda: sp.simulate(sp.PoissonSource(), 1.0, record="v"),
        ValueError,
        "simulate.record",
    ),
    "56 unknown population to record": (
        lambda: run(record={"neurons": "v"}),
        ValueError,
        "did you mean 'neuron'?",
    ),
    "56 number to record": (lambda: run(record=3), TypeError, "Record.variables"),
    "56 network of another kind": (lambda: run(network="net"), TypeError, "simulate.network"),
    "56 progress of another kind": (lambda: run(progress="bar"), TypeError, "simulate.progress"),
    "57 traces beyond memory": (
        lambda: sp.simulate(network(50_000), 2e8, record="v"),
        MemoryError,
        "simulate.record",
    ),
    "57 interval of a trace off the grid": (
        lambda: run(record=sp.Record("v", interval=0.25)),
        ValueError,
        "Record.interval",
    ),
    "57 interval off the grid": (
        lambda: run(record="v", record_interval=0.05),
        ValueError,
        "simulate.record_interval",
    ),
    "57 interval of a sampled current off the grid": (
        lambda: with_input(sp.SampledCurrent("a", [1.0], 0.25)),
        ValueError,
        "SampledCurrent.interval",
    ),
    "57 neuron recorded twice": (lambda: sp.Record("v", [0, 0]), ValueError, "Record.neurons"),
    "negative neuron before there is a size": (
        lambda: sp.StepCurrent("a", 1.0, neurons=[-1]),
        IndexError,
        "StepCurrent.neurons[0] is -1; it must be at least 0",
    ),
    "whose recorded neurons": (
        lambda: run(record=sp.Record("v", [1])),
        IndexError,
        "(population 'neuron')",
    ),
    "whose times": (lambda: listed([0.15]), ValueError, "got 0.15 ms; "),
    "source whose times": (lambda: listed([0.15]), ValueError, "(population 's')"),
    "tiny step": (lambda: run(dt=1e-320), ValueError, "simulate.duration"),
    "endless duration": (
        lambda: run(duration=1e300, dt=1e-10),
        ValueError,
        "simulate.duration",
    ),
    "no sample": (
        lambda: sp.SampledCurrent("a", [], 0.1),
        ValueError,
        "SampledCurrent.values",
    ),
    "step in single precision": (
        lambda: run(dt=np.float32(0.1)),
        ValueError,
        "dt = 0.10000000149011612 ms",
    ),
    "input into a namesake": (
        lambda: network(inputs=[sp.StepCurrent(sp.Population("a", sp.LIF(), 9), 1.0)]),
        ValueError,
        "Network.inputs[0].target is another population",
    ),
    "half a step after a long time": (
        lambda: run(duration=1e8 + 0.05),
        ValueError,
        "simulate.duration",
    ),
    "spike at half a step after a long time": (
        lambda: listed([1e8 + 0.05]),
        ValueError,
        "SpikeSource.times[0]",
    ),
    "58 divergence": (
        lambda: sp.simulate(sp.LIF(v_init=1e308, v_rest=-1.7e308, v_reset=-1.7e308), 1.0),
        FloatingPointError,
        "v of neuron 0 of population 'neuron'",
    ),
}


@pytest.mark.parametrize("case", BAD.values(), ids=BAD.keys())
def test_it_is_refused_by_name_and_nothing_breaks(case):
    is_refused(*case)


def test_13_duration_on_the_grid_within_rounding_is_taken():
    assert sp.simulate(sp.LIF(), 0.1 * 3).duration == pytest.approx(0.3)
    assert sp.simulate(sp.LIF(), 1.0 + 1e-12).duration == pytest.approx(1.0)


def test_30_31_34_unsorted_repeated_and_late_spikes():
    recording = listed([0.5, 0.2, 0.2, 900.0])
    np.testing.assert_allclose(recording.spike_times, [0.2, 0.2, 0.5])
    later = sp.simulate(
        sp.Population("s", sp.SpikeSource([0.5, 0.2, 0.2, 900.0])),
        1000.0,
        state=recording.final_state,
    )
    np.testing.assert_allclose(later.spike_times, [900.0])


def test_32_rounding_of_times_is_opt_in():
    source = sp.SpikeSource([0.01, 0.26], time_rounding="nearest")
    np.testing.assert_allclose(sp.simulate(source, 1.0).spike_times, [0.1, 0.3])


def test_54_seeds_beyond_32_bits_are_taken():
    assert run(seed=2**40).seed == 2**40
    assert run(seed=np.int64(3)).seed == 3


def test_bounds_of_currents_are_rounded_up_late_in_a_run_too():
    from spikesim.engine.drive import _ceil

    assert _ceil(1e9 + 0.5) == 1e9 + 1.0
    assert _ceil(1e9 + 1e-5) == 1e9
    assert _ceil(3.0000000001) == 3.0 and _ceil(3.1) == 4.0 and _ceil(INF) == INF
