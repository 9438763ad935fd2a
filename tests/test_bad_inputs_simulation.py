"""What a user can get wrong when simulating: the error names the argument, and nothing breaks."""

import math
import re

import numpy as np
import pytest

import spikesim as sp
from spikesim.errors import SpikesimError

NAN, INF = math.nan, math.inf


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


class Sparse:
    def tocsr(self):
        return self


masked = np.ma.masked_array([1.0, 2.0, 3.0, 4.0], [False, True, False, False])
BAD = {
    "1 NaN weight": (lambda: connected(NAN), ValueError, "Projection.weight"),
    "1 NaN weight in an array": (
        lambda: connected([1.0, 2.0, NAN, 1.0], rule=sp.OneToOne()),
        ValueError,
        "Projection.weight[2]",
    ),
    "2 infinite weight": (lambda: connected(INF), ValueError, "Projection.weight"),
    "2 infinite tau": (lambda: sp.LIF(tau_m=INF), ValueError, "LIF.tau_m"),
    "2 infinite current": (lambda: sp.LIF(i_ext=-INF), ValueError, "LIF.i_ext"),
    "2 infinite step current": (
        lambda: sp.StepCurrent("a", INF),
        ValueError,
        "StepCurrent.amplitude",
    ),
    "2 threshold of minus infinity": (lambda: sp.LIF(v_th=-INF), ValueError, "LIF.v_"),
    "3 NaN v": (lambda: sp.LIF(v_init=[1.0, NAN]), ValueError, "LIF.v_init[1]"),
    "3 NaN tau": (lambda: sp.LIF(tau_m=NAN), ValueError, "LIF.tau_m"),
    "3 NaN sampled current": (
        lambda: sp.SampledCurrent("a", [1.0, NAN], 0.1),
        ValueError,
        "SampledCurrent.values[1]",
    ),
    "3 NaN rate": (lambda: sp.PoissonInput("a", NAN, 1.0), ValueError, "PoissonInput.rate"),
    "3 NaN source rate": (
        lambda: sp.PoissonSource([1.0, NAN]),
        ValueError,
        "PoissonSource.rate[1]",
    ),
    "3 negative source rate": (lambda: sp.PoissonSource(-1.0), ValueError, "PoissonSource.rate"),
    "3 negative rate": (lambda: sp.PoissonInput("a", -1.0, 1.0), ValueError, "PoissonInput.rate"),
    "3 rate beyond counting": (
        lambda: sp.simulate(sp.PoissonSource(1e14), 1.0),
        ValueError,
        "PoissonSource.rate",
    ),
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
    "4 zero tau": (lambda: sp.LIF(tau_m=0.0), ValueError, "LIF.tau_m"),
    "4 negative tau in an array": (lambda: sp.LIF(tau_m=[5.0, -5.0]), ValueError, "LIF.tau_m[1]"),
    "4 negative synaptic tau": (lambda: sp.Exponential(-1.0), ValueError, "Exponential.tau_syn"),
    "4 zero synaptic tau": (lambda: sp.Alpha(0), ValueError, "Alpha.tau_syn"),
    "5 zero capacitance": (lambda: sp.LIF(c_m=0), ValueError, "LIF.c_m"),
    "5 negative capacitance": (lambda: sp.LIF(c_m=-250.0), ValueError, "LIF.c_m"),
    "6 negative refractory time": (lambda: sp.LIF(t_ref=-0.1), ValueError, "LIF.t_ref"),
    "8 reset at threshold": (lambda: sp.LIF(v_reset=-50.0), ValueError, "LIF.v_reset"),
    "8 reset above threshold in an array": (
        lambda: sp.LIF(v_reset=[-65.0, -40.0]),
        ValueError,
        "LIF.v_reset[1]",
    ),
    "10 zero dt": (lambda: run(dt=0), ValueError, "simulate.dt"),
    "10 negative dt": (lambda: run(dt=-0.1), ValueError, "simulate.dt"),
    "10 NaN dt": (lambda: run(dt=NAN), ValueError, "simulate.dt"),
    "10 text as dt": (lambda: run(dt="0.1"), TypeError, "simulate.dt"),
    "12 negative duration": (lambda: run(duration=-1.0), ValueError, "simulate.duration"),
    "12 NaN duration": (lambda: run(duration=NAN), ValueError, "simulate.duration"),
    "12 infinite duration": (lambda: run(duration=INF), ValueError, "simulate.duration"),
    "13 duration off the grid": (lambda: run(duration=1.05), ValueError, "simulate.duration"),
    "15 zero delay": (lambda: connected(delay=0.0), ValueError, "Projection.delay"),
    "15 delay below dt": (lambda: connected(delay=0.05), ValueError, "Projection.delay"),
    "16 delay off the grid": (lambda: connected(delay=0.17), ValueError, "Projection.delay"),
    "16 delay off the grid in an array": (
        lambda: connected(delay=[0.1, 0.2, 0.25, 1.0], rule=sp.OneToOne()),
        ValueError,
        "Projection.delay[2]",
    ),
    "17 NaN delay": (lambda: connected(delay=NAN), ValueError, "Projection.delay"),
    "17 negative delay": (lambda: connected(delay=-1.0), ValueError, "Projection.delay"),
    "18 huge delay": (lambda: connected(delay=1e9), ValueError, "Projection.delay"),
    "18 huge delay that steps can count": (
        lambda: sp.simulate(
            network(
                50_000,
                projections=[sp.Projection("a", "a", sp.OneToOne(), 1.0, 2e8)],
            ),
            1.0,
        ),
        MemoryError,
        "Projection.delay",
    ),
    "19 weights of a wrong length": (
        lambda: connected([1.0, 2.0], rule=sp.OneToOne()),
        ValueError,
        "Projection.weight must have shape (4,), got (2,)",
    ),
    "19 weights of a wrong shape": (
        lambda: connected(np.ones((4, 3))),
        ValueError,
        "Projection.weight must have shape (4, 4), got (4, 3)",
    ),
    "19 array of weights for random synapses": (
        lambda: connected([1.0, 2.0], rule=sp.FixedProbability(0.1)),
        ValueError,
        "Projection.weight",
    ),
    "19 parameters of a wrong length": (
        lambda: network(4, sp.LIF(tau_m=[1.0, 2.0])),
        ValueError,
        "Population.model has parameters for 2 neurons, Population.n is 4",
    ),
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
    "20 index out of range": (
        lambda: connected(rule=sp.ExplicitList([0, 4], [0, 0])),
        IndexError,
        "ExplicitList.pre[1] is 4",
    ),
    "20 target index out of range": (
        lambda: connected(rule=sp.ExplicitList([0, 1], [9, 0])),
        IndexError,
        "ExplicitList.post[0] is 9",
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
    "21 negative index": (
        lambda: sp.ExplicitList([0, -1], [0, 0]),
        IndexError,
        "ExplicitList.pre[1] is -1",
    ),
    "21 negative recorded neuron": (lambda: sp.Record("v", [-1]), IndexError, "Record.neurons"),
    "22 fractional index": (lambda: sp.ExplicitList([0.5], [0]), TypeError, "ExplicitList.pre[0]"),
    "22 NaN index": (lambda: sp.ExplicitList([NAN], [0]), ValueError, "ExplicitList.pre[0]"),
    "22 text as index": (lambda: sp.ExplicitList(["0"], [0]), TypeError, "ExplicitList.pre"),
    "22 lists of two lengths": (
        lambda: sp.ExplicitList([0, 1], [0]),
        ValueError,
        "ExplicitList.pre",
    ),
    "23 more synapses than memory": (
        lambda: sp.simulate(
            network(10_000_000, projections=[sp.Projection("a", "a", sp.AllToAll(), 1.0)]), 1.0
        ),
        MemoryError,
        "Projection.rule",
    ),
    "23 more neurons than memory": (
        lambda: sp.simulate(sp.Population("a", sp.LIF(), 10**13), 1.0),
        MemoryError,
        "Population.n",
    ),
    "27 no neuron": (lambda: sp.Population("a", sp.LIF(), 0), ValueError, "Population.n"),
    "28 negative number": (lambda: sp.Population("a", sp.LIF(), -1), ValueError, "Population.n"),
    "28 fractional number": (lambda: sp.Population("a", sp.LIF(), 1.5), TypeError, "Population.n"),
    "28 whole float as number": (
        lambda: sp.Population("a", sp.LIF(), 2.0),
        TypeError,
        "Population.n",
    ),
    "28 truth as number": (lambda: sp.Population("a", sp.LIF(), True), TypeError, "Population.n"),
    "28 text as number": (lambda: sp.Population("a", sp.LIF(), "5"), TypeError, "Population.n"),
    "28 class as model": (lambda: sp.Population("a", sp.LIF, 1), TypeError, "Population.model"),
    "28 number as name": (lambda: sp.Population(3, sp.LIF()), TypeError, "Population.name"),
    "28 probability above one": (
        lambda: sp.FixedProbability(1.1),
        ValueError,
        "FixedProbability.p",
    ),
    "28 negative in-degree": (lambda: sp.FixedInDegree(-1), ValueError, "FixedInDegree.k"),
    "28 fractional in-degree": (lambda: sp.FixedInDegree(1.5), TypeError, "FixedInDegree.k"),
    "28 in-degree beyond the sources": (
        lambda: connected(rule=sp.FixedInDegree(5, multapses=False)),
        ValueError,
        "FixedInDegree.k",
    ),
    "28 one to one of two sizes": (
        lambda: sp.Network(
            [sp.Population("a", sp.LIF(), 2), sp.Population("b", sp.LIF(), 3)],
            [sp.Projection("a", "b", sp.OneToOne(), 1.0)],
        ),
        ValueError,
        "Projection.rule",
    ),
    "28 text as rule": (lambda: sp.Projection("a", "a", "all", 1.0), TypeError, "Projection.rule"),
    "28 number as synapse": (
        lambda: sp.Projection("a", "a", sp.AllToAll(), 1.0, 1.0, 5.0),
        TypeError,
        "Projection.synapse",
    ),
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
    "37 text as parameter": (lambda: sp.LIF(tau_m="ten"), TypeError, "LIF.tau_m"),
    "37 objects as parameter": (lambda: sp.LIF(tau_m=[object()]), TypeError, "LIF.tau_m"),
    "37 text among weights": (
        lambda: sp.Projection("a", "a", sp.OneToOne(), ["x", "y"]),
        TypeError,
        "Projection.weight",
    ),
    "38 complex parameter": (lambda: sp.LIF(tau_m=[1 + 1j]), ValueError, "LIF.tau_m"),
    "38 complex weights": (
        lambda: sp.Projection("a", "a", sp.OneToOne(), np.ones(4) * 1j),
        ValueError,
        "Projection.weight",
    ),
    "41 integers beyond double precision": (
        lambda: sp.Projection("a", "a", sp.OneToOne(), np.array([2**53 + 1, 0, 0, 0])),
        ValueError,
        "Projection.weight",
    ),
    "45 masked weights": (
        lambda: sp.Projection("a", "a", sp.OneToOne(), masked),
        ValueError,
        "Projection.weight[1]",
    ),
    "45 sparse weights": (
        lambda: sp.Projection("a", "a", sp.OneToOne(), np.array([Sparse()])[0:1]),
        TypeError,
        "Projection.weight",
    ),
    "54 negative seed": (lambda: run(seed=-1), ValueError, "simulate.seed"),
    "54 fractional seed": (lambda: run(seed=1.5), TypeError, "simulate.seed"),
    "54 text as seed": (lambda: run(seed="1"), TypeError, "simulate.seed"),
    "56 misspelt keyword": (lambda: run(sed=1), TypeError, "'sed' (did you mean 'seed'?)"),
    "56 misspelt parameter": (lambda: sp.LIF(tau=1.0), TypeError, "'tau' (did you mean 'tau_m'?)"),
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
    "56 unknown reset": (lambda: sp.LIF(reset="substract"), ValueError, "did you mean 'subtract'?"),
    "56 number to record": (lambda: run(record=3), TypeError, "Record.variables"),
    "56 network of another kind": (lambda: run(network="net"), TypeError, "simulate.network"),
    "56 progress of another kind": (lambda: run(progress="bar"), TypeError, "simulate.progress"),
    "57 traces beyond memory": (
        lambda: run(duration=1e14, record="v"),
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
    "ragged parameter": (lambda: sp.LIF(tau_m=[[1, 2], [3]]), TypeError, "LIF.tau_m"),
    "ragged weights": (
        lambda: sp.Projection("a", "a", sp.AllToAll(), [[1, 2], [3]]),
        TypeError,
        "Projection.weight",
    ),
    "ragged indices": (
        lambda: sp.ExplicitList([[1, 2], [3]], [1]),
        TypeError,
        "ExplicitList.pre",
    ),
    "the culprit among objects": (
        lambda: sp.LIF(tau_m=[1.0, {}, 2.0]),
        TypeError,
        "got {} (dict) at [1]",
    ),
    "the culprit among text": (
        lambda: sp.LIF(tau_m=[1.0, "ten"]),
        TypeError,
        "got 'ten' (str) at [1]",
    ),
    "masked indices": (
        lambda: sp.ExplicitList(np.ma.masked_array([0, 1], [False, True]), [0, 0]),
        ValueError,
        "ExplicitList.pre[1] is masked",
    ),
    "masked number": (lambda: sp.LIF(tau_m=np.ma.masked), ValueError, "LIF.tau_m is masked"),
    "negative neuron before there is a size": (
        lambda: sp.StepCurrent("a", 1.0, neurons=[-1]),
        IndexError,
        "StepCurrent.neurons[0] is -1; it must be at least 0",
    ),
    "index beyond everything": (
        lambda: sp.ExplicitList(np.array([2**63 + 1], np.uint64), [0]),
        IndexError,
        "ExplicitList.pre[0]",
    ),
    "impossible draw": (
        lambda: sp.simulate(sp.Population("exc", sp.LIF(tau_m=sp.Normal(-9.0, 1.0)), 9), 1.0),
        ValueError,
        "(a value drawn from its distribution) (population 'exc')",
    ),
    "which delay": (
        lambda: connected(delay=0.17),
        ValueError,
        "got 0.17 ms; delay_rounding='nearest' takes the nearest step (projection from 'a' to 'a')",
    ),
    "whose recorded neurons": (
        lambda: run(record=sp.Record("v", [1])),
        IndexError,
        "(population 'neuron')",
    ),
    "whose weights": (lambda: connected(np.ones((4, 3))), ValueError, "from 'a' to 'a'"),
    "whose times": (lambda: listed([0.15]), ValueError, "got 0.15 ms; "),
    "source whose times": (lambda: listed([0.15]), ValueError, "(population 's')"),
    "tiny step": (lambda: run(dt=1e-320), ValueError, "simulate.duration"),
    "tiny step for a delay": (
        lambda: sp.simulate(
            network(projections=[sp.Projection("a", "a", sp.AllToAll(), 1.0)]), 0.0, dt=1e-320
        ),
        ValueError,
        "Projection.delay",
    ),
    "endless duration": (
        lambda: run(duration=1e300, dt=1e-10),
        ValueError,
        "simulate.duration",
    ),
    "integer beyond everything": (lambda: sp.LIF(tau_m=10**400), ValueError, "LIF.tau_m"),
    "integers beyond everything": (lambda: sp.LIF(tau_m=[10**400]), ValueError, "LIF.tau_m"),
    "no sample": (
        lambda: sp.SampledCurrent("a", [], 0.1),
        ValueError,
        "SampledCurrent.values",
    ),
    "no source at all": (
        lambda: sp.simulate(
            network(
                1, projections=[sp.Projection("a", "a", sp.FixedInDegree(1, autapses=False), 1.0)]
            ),
            1.0,
        ),
        ValueError,
        "FixedInDegree.k must be 0 where the only source is the target itself",
    ),
    "truth as rate": (lambda: sp.PoissonSource(rate=True), TypeError, "PoissonSource.rate"),
    "matrix of rates": (
        lambda: sp.PoissonSource(np.ones((2, 2))),
        ValueError,
        "PoissonSource.rate must be a number or have one value a neuron",
    ),
    "step in single precision": (
        lambda: run(dt=np.float32(0.1)),
        ValueError,
        "dt = 0.10000000149011612 ms",
    ),
    "projection of a namesake": (
        lambda: network(
            projections=[sp.Projection(sp.Population("a", sp.LIF(), 99), "a", sp.AllToAll(), 1.0)]
        ),
        ValueError,
        "Network.projections[0].source is another population",
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
    act, kind, name = case
    with pytest.raises(kind, match=re.escape(name)) as caught:
        act()
    assert isinstance(caught.value, SpikesimError)
    recording = sp.simulate(sp.LIF(i_ext=400.0), 30.0)
    np.testing.assert_allclose(recording.spike_times, [27.8])


def test_7_refractory_time_off_the_grid_is_rounded_with_a_warning():
    with pytest.warns(sp.SpikesimWarning, match=r"LIF\.t_ref"):
        recording = sp.simulate(sp.LIF(t_ref=0.17), 1.0)
    assert recording.parameters["neuron"]["t_ref"][0] == pytest.approx(0.2)


def test_13_duration_on_the_grid_within_rounding_is_taken():
    assert sp.simulate(sp.LIF(), 0.1 * 3).duration == pytest.approx(0.3)
    assert sp.simulate(sp.LIF(), 1.0 + 1e-12).duration == pytest.approx(1.0)


def test_16_delay_rounding_is_opt_in():
    source = sp.Population("s", sp.SpikeSource([1.0]))
    target = sp.Population("a", sp.LIF())
    projection = sp.Projection(source, target, sp.OneToOne(), 5.0, 0.17, delay_rounding="nearest")
    v = sp.simulate(sp.Network([source, target], [projection]), 2.0, record={"a": "v"})["a"].v
    assert np.flatnonzero(v[:, 0] > -65.0)[0] == 11  # The end of step 12: 1.2 ms.


def test_26_empty_tables_run_unconnected():
    assert connected(rule=sp.ExplicitList([], [])).duration == 1.0
    assert listed([], []).spike_times.shape == (0,)


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


KINDS = {
    "36 objects that are numbers": lambda a: a.astype(object),
    "39 half precision": lambda a: a.astype(np.float16),
    "39 long double": lambda a: a.astype(np.longdouble),
    "39 big endian": lambda a: a.astype(">f8"),
    "40 small integers": lambda a: a.astype(np.uint8),
    "40 integers": lambda a: a.astype(np.int64),
    "42 negative stride": lambda a: a[::-1].copy()[::-1],
    "42 every other": lambda a: np.repeat(a, 2)[::2],
    "43 read-only": lambda a: _read_only(a),
    "45 list": lambda a: a.tolist(),
    "45 masked without mask": lambda a: np.ma.masked_array(a),
}


def _read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


@pytest.mark.parametrize("convert", KINDS.values(), ids=KINDS.keys())
def test_numbers_of_every_kind_give_one_result(convert):
    def spikes(values):
        a = sp.Population("a", sp.LIF(tau_m=values, i_ext=400.0), 4)
        projection = sp.Projection(a, a, sp.OneToOne(), values, values, sp.Exponential(3.0))
        inputs = [sp.SampledCurrent(a, values, 5.0), sp.StepCurrent(a, values)]
        return sp.simulate(sp.Network([a], [projection], inputs), 100.0, record="v")["a"]

    values = np.array([8.0, 10.0, 12.0, 20.0])
    np.testing.assert_array_equal(spikes(convert(values)).v, spikes(values).v)


def test_42_matrices_in_either_order():
    weights = np.arange(16.0).reshape(4, 4)

    def v(weights):
        source = sp.Population("s", sp.SpikeSource([1.0, 2.0, 3.0, 4.0], [0, 1, 2, 3]), 4)
        target = sp.Population("a", sp.LIF(v_th=np.inf), 4)
        network = sp.Network([source, target], [sp.Projection("s", "a", sp.AllToAll(), weights)])
        return sp.simulate(network, 9.0, record={"a": "v"})["a"].v

    np.testing.assert_array_equal(v(weights), v(np.asfortranarray(weights)))
    assert np.any(v(weights) != v(weights.T))


def test_44_changing_an_array_afterwards_changes_nothing():
    weights, tau_m = np.full(4, 3.0), np.full(4, 10.0)
    a = sp.Population("a", sp.LIF(tau_m=tau_m, i_ext=500.0), 4)
    net = sp.Network([a], [sp.Projection(a, a, sp.OneToOne(), weights)])
    before = sp.simulate(net, 50.0, record="v")["a"].v
    weights[:] = -100.0
    tau_m[:] = 1.0
    np.testing.assert_array_equal(sp.simulate(net, 50.0, record="v")["a"].v, before)


def test_54_seeds_beyond_32_bits_are_taken():
    assert run(seed=2**40).seed == 2**40
    assert run(seed=np.int64(3)).seed == 3


class Faulty(sp.distributions.Distribution):
    """Somebody's own distribution, which returns what it was told to."""

    def __init__(self, values):
        self.values = values

    def draw(self, rng, n):
        return self.values


@pytest.mark.parametrize("values", [np.ones(3), np.ones((4, 1)), 1.0, [1.0, 1.0, NAN, 1.0]])
@pytest.mark.parametrize(
    ("name", "act"),
    [
        ("LIF.i_ext", lambda d: sp.simulate(network(model=sp.LIF(i_ext=d)), 1.0)),
        ("Projection.weight", lambda d: connected(weight=d, rule=sp.OneToOne())),
        ("Projection.delay", lambda d: connected(delay=d, rule=sp.OneToOne())),
    ],
)
def test_what_a_distribution_returns_is_checked(name, act, values):
    with pytest.raises(sp.errors.ParameterError, match=re.escape(name)):
        act(Faulty(values))
    assert act(Faulty(np.ones(4))).duration == 1.0


def test_numbers_in_arrays_without_axes_are_numbers():
    assert sp.LIF(tau_m=np.array(10.0)).tau_m == 10.0
    assert sp.PoissonSource(np.array(3)).rate == 3.0
    assert sp.StepCurrent("a", np.array(3.0)).amplitude == 3.0


def test_the_warning_about_rounding_points_to_the_line_of_the_user():
    with pytest.warns(
        sp.errors.RoundingWarning, match=r"0\.2 ms is used in population 'a'"
    ) as seen:
        sp.simulate(sp.Population("a", sp.LIF(t_ref=0.17)), 1.0)
    assert seen[0].filename == __file__
    neuron = sp.LIF.normalised(tau_m=5.0, t_ref=2.4)
    layered = sp.dense([2, 2], neuron, dt=1.0, rng=0)
    with pytest.warns(sp.errors.RoundingWarning, match="a layer of 2 units") as seen:
        sp.layered.forward(layered, np.zeros((3, 1, 2)))
    assert seen[0].filename == __file__


def test_an_equal_population_or_a_name_is_taken():
    net = network(
        projections=[sp.Projection(sp.Population("a", sp.LIF(), 4), "a", sp.AllToAll(), 1.0)]
    )
    assert net.projections[0].source == "a"


def test_bounds_of_currents_are_rounded_up_late_in_a_run_too():
    from spikesim.engine.drive import _ceil

    assert _ceil(1e9 + 0.5) == 1e9 + 1.0
    assert _ceil(1e9 + 1e-5) == 1e9
    assert _ceil(3.0000000001) == 3.0 and _ceil(3.1) == 4.0 and _ceil(INF) == INF


@pytest.mark.parametrize("weight", [1e39, -1e39, [1.0, 1e39], sp.Normal(0.0, 1e38)])
def test_weights_that_compact_precision_cannot_hold_are_refused_by_name(weight):
    one = sp.Population("a", sp.LIF(), 2)
    number = weight if np.ndim(weight) == 0 and not hasattr(weight, "draw") else 1e39
    rule = sp.ExplicitList([0, 1], [1, 0])
    for name, projections, inputs in (
        ("Projection", [sp.Projection(one, one, rule, weight)], []),
        ("PoissonInput", [], [sp.PoissonInput(one, 9.0, number)]),
        ("SpikeInput", [], [sp.SpikeInput(one, [0.1, 0.2], [0, 1], number)]),
    ):
        about = {"network": sp.Network([one], projections, inputs), "duration": 0.0}
        run(**about)
        with pytest.raises(ValueError, match=rf"{name}\.weight.*compact precision") as caught:
            run(precision="compact", **about)
        assert isinstance(caught.value, SpikesimError)
    with pytest.raises(ValueError, match=r"simulate\.precision: a parameter .*'double'"):
        run(network=sp.LIF(i_ext=1e39), duration=0.0, precision="compact")
