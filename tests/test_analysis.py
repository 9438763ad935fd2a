"""The measures of activity: against slow twins, what must not change them, and bad arguments."""

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import spikesim as sp
from spikesim import _memory
from spikesim.errors import (
    NotEnoughMemoryError,
    ParameterError,
    ParameterIndexError,
    ParameterTypeError,
)
from spikesim.recording import PopulationRecording, analysis
from tests import naive_analysis as naive
from tests.naive_analysis import poisson

from_spikes = PopulationRecording.from_spikes


@st.composite
def spikes_on_a_grid(draw):
    n = draw(st.integers(1, 5))
    n_steps = draw(st.integers(2, 60))
    one = st.tuples(st.integers(1, n_steps), st.integers(0, n - 1))
    spikes = draw(st.lists(one, max_size=60))
    start = draw(st.integers(0, n_steps - 1))
    stop = draw(st.integers(start + 1, n_steps))
    width = draw(st.integers(1, n_steps))
    return n, n_steps, spikes, start, stop, width


DT = 0.1


def recorded(n, n_steps, spikes, first=0):
    steps = np.array([step for step, _ in spikes], dtype=np.int64) + first
    ids = np.array([neuron for _, neuron in spikes], dtype=np.int64)
    return from_spikes(steps * DT, ids, n, start=first * DT, stop=(first + n_steps) * DT, dt=DT)


CLOSE = {"rtol": 1e-7, "atol": 1e-9}


@settings(max_examples=150, deadline=None)
@given(spikes_on_a_grid(), st.sampled_from([0, 370, 10_000_000]))
def test_every_measure_is_that_of_its_slow_twin(drawn, first):
    n, n_steps, spikes, start, stop, width = drawn
    population = recorded(n, n_steps, spikes, first)
    window = {"start": (first + start) * DT, "stop": (first + stop) * DT}
    span = (stop - start) * DT
    trains = naive.trains(spikes, n, start, stop)
    lengths = [length for train in naive.intervals(spikes, n, start, stop) for length in train]
    np.testing.assert_array_equal(population.spike_counts(**window), [len(t) for t in trains])
    np.testing.assert_allclose(population.rates(**window), [1000.0 * len(t) / span for t in trains])
    np.testing.assert_allclose(population.isi(**window), np.array(lengths) * DT, atol=1e-8)
    for name in ("cv", "lv"):
        expected = getattr(naive, name)(spikes, n, start, stop)
        np.testing.assert_allclose(getattr(population, name)(**window), expected, atol=1e-6)
    reference, other = trains[0], trains[-1]
    found = population.correlogram(0, n - 1, bin_width=width * DT, max_lag=2 * width * DT, **window)
    np.testing.assert_allclose(found[0], np.arange(-2, 3) * width * DT)
    np.testing.assert_array_equal(
        found[1], naive.correlogram(reference, other, width, 2, same=n == 1)
    )
    if width > stop - start:
        with pytest.raises(ParameterError, match=r"binned_counts\.bin_width must fit once"):
            population.binned_counts(width * DT, **window)
        return
    rows = naive.counts(spikes, n, start, stop, width)
    np.testing.assert_array_equal(population.binned_counts(width * DT, **window), rows)
    middles, rates = population.population_rate(width * DT, **window)
    summed = np.sum(rows, axis=0)
    np.testing.assert_allclose(rates, summed * 1000.0 / (width * DT * n))
    np.testing.assert_allclose(
        middles, (first + start + (np.arange(len(rates)) + 0.5) * width) * DT
    )
    if 2 * width > stop - start:
        for measure in (population.fano_factor, population.correlations, population.synchrony):
            with pytest.raises(ParameterError, match=f"{measure.__name__}.* must fit twice"):
                measure(width * DT, **window)
        return
    np.testing.assert_allclose(
        population.fano_factor(width * DT, **window),
        naive.fano_factor(spikes, n, start, stop, width),
        **CLOSE,
    )
    np.testing.assert_allclose(
        population.correlations(width * DT, **window), naive.correlations(rows), **CLOSE
    )
    np.testing.assert_allclose(
        population.golomb_synchrony(width * DT, **window), naive.golomb_synchrony(rows), **CLOSE
    )
    expected = naive.variance(summed, less=1) / naive.mean(summed) if any(summed) else np.nan
    np.testing.assert_allclose(population.synchrony(width * DT, **window), expected, **CLOSE)
    frequencies, density = population.power_spectrum(width * DT, segment=1e9, **window)
    np.testing.assert_allclose(density, naive.periodogram(summed.tolist(), n, width * DT), **CLOSE)
    np.testing.assert_allclose(
        frequencies, np.arange(len(density)) * 1000.0 / (len(summed) * width * DT)
    )


def measures(population):
    return {
        "rates": population.rates(),
        "cv": population.cv(),
        "lv": population.lv(),
        "fano": population.fano_factor(8.0),
        "rate": population.population_rate(4.0)[1],
        "synchrony": np.array(population.synchrony(4.0)),
        "golomb": np.array(population.golomb_synchrony(4.0)),
        "spectrum": population.power_spectrum(4.0, segment=32.0)[1],
        "counts": population.binned_counts(4.0),
    }


PER_NEURON = ("rates", "cv", "lv", "fano", "counts")


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 6))
def test_other_numbers_for_the_neurons_permute_what_is_theirs_and_leave_the_rest(seed, n):
    rng = np.random.default_rng(seed)
    times, ids = poisson(50.0, 64.0, n, rng)
    order = rng.permutation(n)
    before = measures(from_spikes(times, ids, n, stop=64.0))
    after = measures(from_spikes(times, order[ids], n, stop=64.0))
    for name, value in before.items():
        found = after[name][order] if name in PER_NEURON else after[name]
        np.testing.assert_allclose(found, value, rtol=1e-12, err_msg=name)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([-256.0, 64.0, 4096.0]))
def test_another_time_of_day_changes_nothing(seed, shift):
    rng = np.random.default_rng(seed)
    times = rng.integers(1, 64 * 1024, 40) / 1024.0
    ids = rng.integers(0, 4, 40)
    before = measures(from_spikes(times, ids, 4, stop=64.0))
    moved = from_spikes(times + shift, ids, 4, start=shift, stop=64.0 + shift)
    for name, value in measures(moved).items():
        np.testing.assert_array_equal(value, before[name], err_msg=name)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 14), st.integers(1, 15))
def test_a_part_of_time_is_as_if_only_that_had_been_recorded(seed, start, length):
    rng = np.random.default_rng(seed)
    times, ids = poisson(100.0, 64.0, 4, rng)
    low, high = 4.0 * start, 4.0 * min(start + length + 1, 16)
    whole = from_spikes(times, ids, 4, stop=64.0)
    inside = (times > low) & (times <= high)
    part = from_spikes(times[inside], ids[inside], 4, start=low, stop=high)
    for name in ("rates", "cv", "lv", "isi", "spike_counts"):
        np.testing.assert_array_equal(
            getattr(whole, name)(start=low, stop=high), getattr(part, name)()
        )
    np.testing.assert_array_equal(
        whole.binned_counts(4.0, start=low, stop=high), part.binned_counts(4.0)
    )


@pytest.mark.parametrize("first", [0, 370, 10_000_000])
@pytest.mark.parametrize("per_bin", [1, 3, 7, 10, 25])
def test_bins_on_the_grid_hold_their_steps_however_times_are_rounded(per_bin, first):
    every = [(step, 0) for step in range(1, 1001)]
    population = recorded(1, 1000, every, first)
    width = per_bin * DT
    counts = population.binned_counts(width)
    assert counts.shape == (1, 1000 // per_bin) and np.all(counts == per_bin)
    later = population.binned_counts(width, start=(first + 37) * DT)
    assert later.shape == (1, 963 // per_bin) and np.all(later == per_bin)
    np.testing.assert_array_equal(population.rates(), [10_000.0])


def test_correlograms_of_exchanged_trains_are_mirror_images():
    rng = np.random.default_rng(7)
    steps = rng.integers(1, 2_000, 300)
    population = recorded(2, 2_000, list(zip(steps, rng.integers(0, 2, 300), strict=True)))
    _, forth = population.correlogram(0, 1, bin_width=0.4, max_lag=10.0)
    _, back = population.correlogram(1, 0, bin_width=0.4, max_lag=10.0)
    np.testing.assert_array_equal(forth, back[::-1])
    assert np.any(forth != back) and np.any(forth % 1.0 == 0.5)


def test_synchrony_of_a_trace_and_its_bounds():
    population = sp.Population("a", sp.LIF(i_ext=[300.0, 300.0, 350.0]), 3)
    recording = sp.simulate(population, 100.0, record="v")["a"]
    v = recording.v[recording.trace_times > 20.0]
    expected = np.var(v.mean(axis=1)) / np.mean(np.var(v, axis=0))
    found = recording.golomb_synchrony(variable="v", start=20.0)
    assert found == pytest.approx(expected) and 0.0 < found < 1.0
    same = sp.simulate(sp.Population("a", sp.LIF(i_ext=300.0), 3), 100.0, record="v")["a"]
    assert same.golomb_synchrony(variable="v") == pytest.approx(1.0)
    with pytest.raises(ParameterError, match="i_syn of population 'a' was not recorded"):
        same.golomb_synchrony(variable="i_syn")
    with pytest.raises(ParameterError, match="at least two samples of 'v'.*got 1"):
        same.golomb_synchrony(variable="v", start=20.0, stop=20.1)


def test_rates_of_populations_that_rise_together_are_correlated():
    steps = np.array([1, 1, 11, 12, 13, 21, 31, 32, 33, 34])
    a = sp.Population("a", sp.SpikeSource(steps * 0.1, np.zeros(10, dtype=int)), 2)
    b = sp.Population("b", sp.SpikeSource((steps + 2) * 0.1))
    silent = sp.Population("silent", sp.SpikeSource([]))
    recording = sp.simulate(sp.Network([a, b, silent]), 4.0)
    found = recording.population_correlations(1.0)
    np.testing.assert_allclose(found, [[1, 1, np.nan], [1, 1, np.nan], [np.nan] * 3])
    later = recording.population_correlations(1.0, start=1.0)
    np.testing.assert_allclose(later[0, 1], 1.0)
    assert sp.simulate(sp.SpikeSource([0.5]), 4.0).population_correlations(1.0).shape == (1, 1)
    assert recording.rate("a", start=1.0, stop=2.0) == pytest.approx(1500.0)


def test_chosen_neurons_are_the_rows_in_their_order():
    rng = np.random.default_rng(8)
    population = from_spikes(*poisson(50.0, 500.0, 20, rng), 20, stop=500.0)
    every = population.binned_counts(5.0)
    chosen = [7, 3, 19]
    np.testing.assert_array_equal(population.binned_counts(5.0, chosen), every[chosen])
    sparse = population.binned_counts(5.0, chosen, sparse=True)
    np.testing.assert_array_equal(sparse.toarray(), every[chosen])
    later = population.binned_counts(5.0, chosen, start=100.0)
    np.testing.assert_array_equal(later, population.binned_counts(5.0, start=100.0)[chosen])
    full = np.corrcoef(every)
    np.testing.assert_allclose(
        population.correlations(5.0, neurons=chosen), [full[7, 3], full[7, 19], full[3, 19]]
    )
    np.testing.assert_allclose(
        population.correlations(5.0), full[np.triu_indices(20, 1)], atol=1e-14
    )


def test_a_draw_of_neurons_is_that_of_its_seed():
    rng = np.random.default_rng(9)
    population = from_spikes(*poisson(50.0, 500.0, 40, rng), 40, stop=500.0)
    found = population.correlations(5.0, n_neurons=5)
    drawn = np.sort(np.random.default_rng(0).choice(40, 5, replace=False))
    np.testing.assert_array_equal(found, population.correlations(5.0, neurons=drawn))
    np.testing.assert_array_equal(found, population.correlations(5.0, n_neurons=5, seed=0))
    assert not np.array_equal(found, population.correlations(5.0, n_neurons=5, seed=1))


def test_nothing_recorded_is_nan_or_said():
    population = sp.simulate(sp.Population("a", sp.LIF(), 3), 0.0)["a"]
    for values in (population.rates(), population.cv(), population.lv()):
        assert np.isnan(values).tolist() == [True] * 3
    assert population.isi().shape == (0,)
    with pytest.raises(ParameterError, match=r"fano_factor\.window must fit twice into the 0 ms"):
        population.fano_factor()


def test_silence_is_nan_where_it_says_nothing():
    population = from_spikes([], [], 3, stop=1_000.0)
    assert population.rates().tolist() == [0.0] * 3
    for values in (population.cv(), population.lv(), population.fano_factor()):
        assert np.isnan(values).tolist() == [True] * 3
    assert np.isnan(population.correlations()).tolist() == [True] * 3
    assert np.isnan(population.synchrony()) and np.isnan(population.golomb_synchrony())
    assert not population.power_spectrum()[1].any() and not population.population_rate()[1].any()
    assert not population.correlogram(0, 1)[1].any()
    assert population.binned_counts(500.0).tolist() == [[0, 0]] * 3


def test_spikes_from_elsewhere_are_sorted_and_left_alone():
    times, ids = np.array([3.0, 1.0, 3.0]), np.array([1, 0, 0])
    population = from_spikes(times, ids, 2, stop=5.0, name="mine")
    assert population.spike_times.tolist() == [1.0, 3.0, 3.0]
    assert population.spike_ids.tolist() == [0, 0, 1]
    assert (times.tolist(), ids.tolist()) == ([3.0, 1.0, 3.0], [1, 0, 0])
    assert (population.name, population.start, population.duration) == ("mine", 0.0, 5.0)
    with pytest.raises(ParameterError, match="v of population 'mine' was not recorded"):
        _ = population.v


@pytest.mark.parametrize(
    ("arguments", "keywords", "error", "message"),
    [
        (([1.0], [0], 0), {}, ParameterError, r"from_spikes\.n must be at least 1"),
        (([1.0, 2.0], [0], 1), {}, ParameterError, r"spike_ids must have shape \(2,\)"),
        (([1.0], [1], 1), {}, ParameterIndexError, r"spike_ids\[0\] is 1"),
        (([0.0], [0], 1), {}, ParameterError, r"spike_times\[0\] is 0; times after start = 0"),
        (([1.0, 9.5], [0, 0], 1), {}, ParameterError, r"spike_times\[1\] is 9\.5"),
        (([np.nan], [0], 1), {}, ParameterError, r"spike_times\[0\] is nan"),
        (([[1.0]], [[0]], 1), {}, ParameterError, r"spike_times must have shape"),
        ((["a"], [0], 1), {}, ParameterTypeError, r"spike_times must hold numbers"),
        (([], [], 1), {"start": 9.0}, ParameterError, r"stop must be greater than 9"),
        (([], [], 1), {"dt": 0.0}, ParameterError, r"dt must be greater than 0"),
    ],
)
def test_bad_spikes_are_named(arguments, keywords, error, message):
    with pytest.raises(error, match=message):
        from_spikes(*arguments, **({"stop": 9.0} | keywords))


BAD = [
    ("rates", {"start": -1.0}, r"rates\.start must lie in the time .* 0 to 100 ms, got -1"),
    ("rates", {"stop": 100.1}, r"rates\.stop must lie in the time"),
    ("cv", {"start": 50.0, "stop": 50.0}, r"cv\.stop must be greater than start = 50"),
    ("isi", {"start": np.nan}, r"isi\.start must be finite"),
    ("lv", {"stop": "10"}, r"lv\.stop must be a number"),
    ("fano_factor", {"window": 51.0}, r"fano_factor\.window must fit twice into the 100 ms"),
    ("fano_factor", {"window": 0.25}, r"fano_factor\.window must be a multiple of dt = 0\.1 ms"),
    ("binned_counts", {"bin_width": 0.0}, r"binned_counts\.bin_width must be greater than 0"),
    ("binned_counts", {"bin_width": 101.0}, r"bin_width must fit once into the 100 ms"),
    ("binned_counts", {"bin_width": 1.0, "neurons": [0, 0]}, r"neurons must name each neuron once"),
    ("binned_counts", {"bin_width": 1.0, "neurons": [3]}, r"neurons\[0\] is 3"),
    ("binned_counts", {"bin_width": 1.0, "neurons": [[1]]}, r"neurons must have shape"),
    ("binned_counts", {"bin_width": 1.0, "sparse": 1}, r"sparse must be True or False"),
    ("correlations", {"n_neurons": 1}, r"n_neurons must be at least 2"),
    ("correlations", {"n_neurons": 2, "seed": -1}, r"correlations\.seed must be at least 0"),
    ("population_rate", {"bin_width": -1.0}, r"population_rate\.bin_width must be greater than 0"),
    ("synchrony", {"bin_width": 60.0}, r"synchrony\.bin_width must fit twice"),
    ("golomb_synchrony", {"variable": "v"}, r"record='v'"),
    ("power_spectrum", {"segment": 1.5}, r"segment must hold at least two bins of 1 ms, got 1\.5"),
    ("power_spectrum", {"segment": 0.0}, r"segment must be greater than 0"),
    ("correlogram", {"neuron": 3}, r"correlogram\.neuron is 3"),
    ("correlogram", {"neuron": 0, "other": -1}, r"correlogram\.other is -1"),
    ("correlogram", {"neuron": 0, "max_lag": -1.0}, r"max_lag must be at least 0"),
    ("correlogram", {"neuron": 0.5}, r"correlogram\.neuron must be an integer"),
]


@pytest.mark.parametrize(("name", "keywords", "message"), BAD)
def test_bad_arguments_are_named(name, keywords, message):
    population = recorded(3, 1_000, [(1, 0), (2, 1)])
    kinds = (ParameterError, ParameterTypeError, ParameterIndexError)
    with pytest.raises(kinds, match=message):
        getattr(population, name)(**keywords)


def test_what_does_not_fit_into_memory_is_refused_before(monkeypatch):
    monkeypatch.setattr(_memory, "available_memory", lambda: 2**30)
    population = from_spikes([1.0], [0], 100_000, stop=10_000.0)
    with pytest.raises(NotEnoughMemoryError, match=r"100000 neurons and 10000 bins.*sparse=True"):
        population.binned_counts(1.0)
    assert population.binned_counts(1.0, sparse=True).nnz == 1
    with pytest.raises(NotEnoughMemoryError, match=r"correlations of 100000 neurons"):
        population.correlations(n_neurons=None)
    with pytest.raises(NotEnoughMemoryError, match=r"population_rate: 100000000 bins"):
        population.population_rate(1e-4)


def test_what_is_kept_between_calls_cannot_be_spoilt_and_is_not_sent():
    rng = np.random.default_rng(10)
    population = from_spikes(*poisson(50.0, 500.0, 4, rng), 4, stop=500.0)
    before = population.cv()
    size = len(pickle.dumps(population))
    population.isi()[:] = 0.0
    np.testing.assert_array_equal(population.cv(), before)
    assert not np.array_equal(population.cv(100.0), before)
    np.testing.assert_array_equal(population.cv(), before)
    assert len(pickle.dumps(population)) == size
    np.testing.assert_array_equal(copy.deepcopy(population).cv(), before)


@pytest.mark.parametrize("kind", [np.int32, np.uint32, np.int64, np.uint16])
def test_arrays_on_disk_and_ids_of_any_width_give_the_same(kind, tmp_path):
    rng = np.random.default_rng(11)
    source = from_spikes(*poisson(50.0, 64.0, 4, rng), 4, stop=64.0)
    np.save(tmp_path / "times.npy", source.spike_times)
    np.save(tmp_path / "ids.npy", source.spike_ids.astype(kind))
    mapped = copy.copy(source)
    for name, file in (("spike_times", "times.npy"), ("spike_ids", "ids.npy")):
        object.__setattr__(mapped, name, np.load(tmp_path / file, mmap_mode="r"))
    expected = measures(source) | {"isi": source.isi(0), "lags": source.correlogram(0, 1)[1]}
    found = measures(mapped) | {"isi": mapped.isi(0), "lags": mapped.correlogram(0, 1)[1]}
    for name, value in found.items():
        assert type(value) is np.ndarray, name
        np.testing.assert_array_equal(value, expected[name], err_msg=name)


def test_the_order_of_spikes_of_one_time_does_not_matter():
    ids = np.array([2, 0, 1, 1, 0, 2])
    times = np.array([1.0, 1.0, 1.0, 2.0, 2.0, 2.0])
    grouped, starts = analysis.group_by_neuron(times, ids, 4)
    assert grouped.tolist() == [1.0, 2.0] * 3
    assert starts.tolist() == [0, 2, 4, 6, 6]


def test_rates_need_neither_scipy_signal_nor_statistics():
    code = (
        "import sys, spikesim.recording as r; "
        "p = r.PopulationRecording.from_spikes([1.0, 2.0], [0, 0], 1, stop=5.0); "
        "p.rates(), p.isi(0), p.population_rate(); "
        "assert not {'scipy.signal', 'scipy.stats', 'scipy.sparse'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
