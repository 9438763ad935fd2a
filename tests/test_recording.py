import sys

import numpy as np
import pytest

import spikesim as sp
from spikesim.errors import MissingExtraError, ParameterError, ParameterIndexError
from spikesim.recording import PopulationRecording, Recording

TIMES = np.array([1.0, 1.0, 2.0, 4.0, 5.0, 9.0, 10.0])
IDS = np.array([0, 2, 0, 2, 0, 0, 2])


@pytest.fixture
def listed():
    source = sp.Population("in", sp.SpikeSource(TIMES, IDS), 4)
    other = sp.Population("one", sp.SpikeSource([2.0, 3.0]))
    return sp.simulate(sp.Network([source, other]), 20.0)


def test_spikes_come_sorted_by_time_then_neuron():
    shuffled = np.random.default_rng(0).permutation(len(TIMES))
    model = sp.SpikeSource(TIMES[shuffled], IDS[shuffled])
    recording = sp.simulate(sp.Population("in", model, 4), 20.0)["in"]
    np.testing.assert_allclose(recording.spike_times, TIMES)
    assert recording.spike_ids.tolist() == IDS.tolist()
    assert (recording.spike_times.dtype, recording.spike_ids.dtype) == (np.float64, np.int64)


def test_counts_and_rates(listed):
    assert listed["in"].spike_counts().tolist() == [4, 0, 3, 0]
    np.testing.assert_allclose(listed["in"].rates(), [200.0, 0.0, 150.0, 0.0])
    assert listed.rate("in") == pytest.approx(87.5)


def test_intervals(listed):
    np.testing.assert_allclose(listed["in"].isi(0), [1.0, 3.0, 4.0])
    np.testing.assert_allclose(listed["in"].isi(2), [3.0, 6.0])
    assert listed["in"].isi(1).shape == (0,)
    np.testing.assert_allclose(listed["in"].isi(), [1.0, 3.0, 4.0, 3.0, 6.0])
    for bad in (4, -1):
        with pytest.raises(ParameterIndexError, match=r"isi\.neuron"):
            listed["in"].isi(bad)


def test_coefficient_of_variation(listed):
    cv = listed["in"].cv()
    first, second = np.array([1.0, 3.0, 4.0]), np.array([3.0, 6.0])
    expected = [first.std() / first.mean(), np.nan, second.std() / second.mean(), np.nan]
    np.testing.assert_allclose(cv, expected)
    assert np.isnan(listed["one"].cv()).tolist() == [True]


def test_a_poisson_train_has_a_cv_near_one_and_a_regular_one_zero():
    poisson = sp.simulate(sp.PoissonSource(100.0), 20_000.0, seed=1)["neuron"]
    assert abs(poisson.cv()[0] - 1.0) < 4 / np.sqrt(len(poisson.spike_times))
    assert sp.simulate(sp.LIF(i_ext=500.0), 500.0)["neuron"].cv()[0] == pytest.approx(0.0, abs=1e-9)


def test_columns(listed):
    columns = listed.to_columns()
    assert list(columns) == ["t_ms", "neuron", "population"]
    assert len(columns["t_ms"]) == 9
    assert np.all(np.diff(columns["t_ms"]) >= 0)
    at_two = columns["t_ms"] == 2.0
    assert columns["population"][at_two].tolist() == ["in", "one"]
    assert columns["neuron"][columns["population"] == "in"].tolist() == IDS.tolist()


def test_a_data_frame_needs_the_extra(listed, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtraError, match=r"spikesim\[pandas\]"):
        listed.to_dataframe()


def test_a_data_frame_holds_the_columns(listed, monkeypatch):
    class Pandas:
        DataFrame = dict

    monkeypatch.setitem(sys.modules, "pandas", Pandas)
    np.testing.assert_array_equal(listed.to_dataframe()["t_ms"], listed.to_columns()["t_ms"])


def test_a_recording_knows_its_populations(listed):
    assert listed.populations == ("in", "one")
    assert isinstance(listed, Recording) and isinstance(listed["in"], PopulationRecording)
    with pytest.raises(ParameterError, match="'inn'.*did you mean 'in'"):
        listed["inn"]
    with pytest.raises(KeyError):
        listed["nothing"]
    assert "in: 4 neurons, 7 spikes" in repr(listed)
    with pytest.raises(AttributeError, match="belongs to a population"):
        _ = listed.spike_times
    with pytest.raises(AttributeError, match="no attribute 'colour'"):
        _ = listed.colour


def test_a_single_population_answers_for_the_recording():
    recording = sp.simulate(sp.LIF(i_ext=500.0), 100.0, record="v")
    assert recording.spike_times is recording["neuron"].spike_times
    assert recording.v is recording["neuron"].v
    assert recording["neuron"].v_th.tolist() == [-50.0]


def test_the_rate_of_a_single_population_needs_no_name(listed):
    recording = sp.simulate(sp.LIF(i_ext=500.0), 100.0)
    assert recording.rate() == recording.rate("neuron") == recording.rates()[0] > 0.0
    assert recording.rate(start=50.0) == recording.rate("neuron", 50.0)
    with pytest.raises(ParameterError, match=r"Recording\.rate\.name must be one of .*'in'"):
        listed.rate()


def test_traces_are_attributes():
    neuron = sp.Population("a", sp.LIF(), 2)
    inputs = [
        sp.PoissonInput(neuron, 500.0, 2.0, sp.ConductanceExponential()),
        sp.PoissonInput(neuron, 500.0, 5.0, sp.ConductanceExponential(8.0, e_rev=-80.0)),
    ]
    names = ("v", "i_syn", "g_syn")
    recording = sp.simulate(sp.Network([neuron], inputs=inputs), 50.0, record=names, seed=1)
    for name in names:
        assert getattr(recording["a"], name) is recording["a"].traces[name]
        assert getattr(recording["a"], name).shape == (500, 2)
    assert recording.g_syn.max() > 0.0


@pytest.mark.parametrize("name", ["v", "i_syn", "g_syn"])
def test_what_was_not_recorded_is_said(name):
    recording = sp.simulate(sp.LIF(), 1.0)
    with pytest.raises(ParameterError, match=f"record='{name}'"):
        getattr(recording["neuron"], name)
    assert recording["neuron"].traces == {}


def test_nothing_recorded_has_no_rate():
    recording = sp.simulate(sp.Population("a", sp.LIF(), 3), 0.0)["a"]
    assert np.isnan(recording.rates()).all()
    assert recording.spike_counts().tolist() == [0, 0, 0]


def test_a_recording_can_be_sent_to_another_process(listed):
    import copy
    import pickle

    for clone in (pickle.loads(pickle.dumps(listed)), copy.deepcopy(listed)):
        np.testing.assert_array_equal(clone["in"].spike_times, listed["in"].spike_times)
