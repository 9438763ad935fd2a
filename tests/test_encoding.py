"""Encoders: where the spikes fall, how many there are, and that data is left alone."""

import dataclasses
import hashlib
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikesim.encoding import (
    Analog,
    LatencyEncoder,
    PopulationEncoder,
    RateEncoder,
    SpikeTrains,
    scaled,
)
from spikesim.layered import PackedSpikes, SpikeTimes, dense
from spikesim.learning.inputs import encoded, packed
from spikesim.neurons import LIF

ENCODERS = {
    "analog": Analog(),
    "regular": RateEncoder(duration=50.0),
    "poisson": RateEncoder(duration=50.0, mode="poisson"),
    "latency": LatencyEncoder(),
    "population": PopulationEncoder(n_fields=5),
    "population regular": PopulationEncoder(n_fields=5, mode="regular"),
    "population poisson": PopulationEncoder(n_fields=5, mode="poisson"),
    "bias": LatencyEncoder(bias_spike=True),
    "early low": LatencyEncoder(early="low", bias_spike=True),
}
FEATURES = np.random.default_rng(0).uniform(-3.0, 5.0, (20, 3))
SINGLE = ["latency", "population", "bias", "early low"]
SPIKING = [name for name in ENCODERS if name != "analog"]


def unit_range(encoder):
    return dataclasses.replace(encoder, low=0.0, high=1.0)


@pytest.mark.parametrize("name", ENCODERS)
def test_every_code_keeps_to_the_interface(name):
    features = FEATURES.copy()
    encoder = ENCODERS[name].fit(features)
    x = encoder.encode(features, dt=0.5, rng=1)
    assert x.dtype == np.float64 and x.flags.c_contiguous and x.flags.writeable
    assert x.shape[1:] == (20, encoder.n_inputs(3))
    assert len(x) == (1 if name == "analog" else round(encoder.duration / 0.5))
    np.testing.assert_array_equal(features, FEATURES)
    assert x.tobytes() == encoder.encode(features, dt=0.5, rng=1).tobytes()
    assert encoder.stochastic == (encoder.encode(features, dt=0.5, rng=2).tobytes() != x.tobytes())
    assert encoder.encode(features[:0], dt=0.5, rng=1).shape == (len(x), 0, x.shape[2])
    if name != "analog":
        assert set(np.unique(x)) <= {0.0, 1.0} and 0.0 < x.mean() < 0.5


@pytest.mark.parametrize("name", SPIKING)
def test_fit_learns_the_range_and_leaves_the_encoder(name):
    encoder = ENCODERS[name]
    fitted = encoder.fit(FEATURES)
    assert encoder.low is None and not encoder.fitted and fitted.fitted
    np.testing.assert_array_equal(fitted.low, FEATURES.min(axis=0))
    np.testing.assert_array_equal(fitted.high, FEATURES.max(axis=0))
    given_low = dataclasses.replace(encoder, low=[-9.0, -8.0, -7.0]).fit(FEATURES)
    np.testing.assert_array_equal(given_low.low, [-9.0, -8.0, -7.0])


@pytest.mark.parametrize("name", SPIKING)
def test_values_beyond_the_range_are_those_at_its_ends(name):
    encoder = ENCODERS[name].fit(FEATURES)
    ends = np.array([encoder.low, encoder.high])
    beyond = np.array([encoder.low - 100.0, encoder.high + 100.0])
    assert (
        encoder.encode(beyond, dt=1.0, rng=0).tobytes()
        == encoder.encode(ends, dt=1.0, rng=0).tobytes()
    )


@pytest.mark.parametrize("name", SPIKING)
def test_a_constant_feature_is_encoded_like_the_lowest_value(name):
    constant = np.column_stack([FEATURES[:, 0], np.full(20, 2.5)])
    encoder = ENCODERS[name].fit(constant)
    x = encoder.encode(constant, dt=1.0, rng=0)
    assert np.isfinite(x).all()
    lowest = unit_range(ENCODERS[name]).encode(np.zeros((20, 2)), dt=1.0, rng=0)
    n_lines = encoder.n_inputs(2) // 2
    np.testing.assert_array_equal(x[:, :, n_lines : 2 * n_lines],
                                  lowest[:, :, n_lines : 2 * n_lines])  # fmt: skip


def test_analog_passes_values_on_as_a_copy():
    x = Analog().encode(FEATURES)
    np.testing.assert_array_equal(x[0], FEATURES)
    x[:] = 0.0
    assert FEATURES.any()


@given(share=st.floats(0.0, 1.0), max_rate=st.floats(1.0, 1000.0))
@settings(max_examples=100, deadline=None)
def test_regular_trains_are_even_and_have_the_rounded_count(share, max_rate):
    encoder = RateEncoder(duration=200.0, max_rate=max_rate, low=0.0, high=1.0)
    spikes = np.flatnonzero(encoder.encode([[share]], dt=1.0)[:, 0, 0])
    mean = share * max_rate * 0.2
    assert abs(len(spikes) - mean) <= 0.5 + 1e-6
    if len(spikes) > 1:
        intervals = np.diff(spikes)
        assert intervals.max() - intervals.min() <= 1
        assert spikes[0] == pytest.approx(500.0 / (share * max_rate), abs=1.0)


def test_regular_trains_by_hand():
    encoder = RateEncoder(duration=20.0, max_rate=250.0, low=0.0, high=1.0)
    x = encoder.encode([[0.0, 0.5, 1.0]], dt=1.0)
    assert np.flatnonzero(x[:, 0, 0]).tolist() == []
    # Intervals of 8 and 4 ms, the first half as long: spikes at 4, 12, 20 and 2, 6, ... ms.
    assert (np.flatnonzero(x[:, 0, 1]) + 1).tolist() == [4, 12, 20]
    assert (np.flatnonzero(x[:, 0, 2]) + 1).tolist() == [2, 6, 10, 14, 18]


def test_poisson_trains_have_the_mean_and_variance_of_bernoulli_draws():
    encoder = RateEncoder(duration=1000.0, max_rate=100.0, mode="poisson", low=0.0, high=1.0)
    counts = encoder.encode(np.tile([[0.25, 1.0]], (400, 1)), dt=1.0, rng=0).sum(axis=0)
    for share, column in zip((0.25, 1.0), counts.T, strict=True):
        p = share * 0.1
        variance = 1000 * p * (1 - p)
        assert column.mean() == pytest.approx(1000 * p, abs=4 * np.sqrt(variance / 400))
        assert column.var(ddof=1) == pytest.approx(variance, rel=4 * np.sqrt(2 / 399))


def test_high_values_spike_early():
    encoder = LatencyEncoder(duration=30.0, t_max=20.0, low=0.0, high=1.0, bias_spike=True)
    x = encoder.encode([[1.0, 0.5, 0.0, 0.26]], dt=0.5)
    np.testing.assert_array_equal(x.sum(axis=0), np.ones((1, 5)))
    assert x[:, 0].argmax(axis=0).tolist() == [0, 20, 40, 30, 0]


def test_fields_lie_evenly_and_answer_most_at_their_centre():
    encoder = PopulationEncoder(n_fields=5, width=0.5, low=0.0, high=8.0, cutoff=0.2)
    activation = encoder.activations(np.array([[0.0], [2.0], [3.0], [8.0]]))
    assert activation.argmax(axis=1).tolist()[:2] == [0, 1] and activation[3].argmax() == 4
    np.testing.assert_allclose(activation[1], np.exp(-0.5 * (np.arange(-1, 4) / 0.5) ** 2))
    assert activation[2, 1] == pytest.approx(activation[2, 2])
    x = encoder.encode([[2.0]], dt=1.0)
    assert x[:, 0].sum(axis=0).tolist() == [0, 1, 0, 0, 0]
    assert x[0, 0, 1] == 1.0
    wide = dataclasses.replace(encoder, width=1.0).encode([[2.0]], dt=1.0)
    late = round(20.0 * (1 - np.exp(-0.5)))
    assert wide[:, 0].sum(axis=0).tolist() == [1, 1, 1, 0, 0]
    assert wide[:, 0].argmax(axis=0).tolist()[:3] == [late, 0, late]


def test_lines_of_one_feature_are_neighbours():
    encoder = PopulationEncoder(n_fields=3, low=0.0, high=1.0, bias_spike=True)
    assert encoder.n_inputs(2) == 7
    x = encoder.encode([[0.0, 1.0]], dt=1.0)
    assert x[0, 0].tolist() == [1, 0, 0, 0, 0, 1, 1]
    assert PopulationEncoder(n_fields=1).fit([[0.0], [1.0]]).encode([[0.5]], dt=1.0)[0].sum() == 1


def test_activations_become_rates():
    encoder = PopulationEncoder(n_fields=5, low=0.0, high=1.0, mode="regular", duration=1000.0,
                                max_rate=100.0, cutoff=0.05)  # fmt: skip
    features = np.array([[0.5]])
    activation = encoder.activations(features)[0]
    counts = encoder.encode(features, dt=1.0)[:, 0].sum(axis=0)
    np.testing.assert_allclose(counts, np.where(activation >= 0.05, 100 * activation, 0.0),
                               atol=0.5)  # fmt: skip


def test_the_range_cannot_be_changed_from_outside():
    low = np.array([0.0, 0.0])
    encoder = LatencyEncoder(low=low, high=[1.0, 2.0])
    low[0] = 5.0
    assert encoder.low[0] == 0.0
    with pytest.raises(ValueError, match="read-only"):
        encoder.low[0] = 1.0


@pytest.mark.parametrize("name", SINGLE)
@pytest.mark.parametrize("dt", [0.1, 0.5, 1.0])
def test_spikes_on_the_grid_are_the_exact_times_rounded(name, dt):
    encoder = ENCODERS[name].fit(FEATURES)
    x, times = encoder.encode(FEATURES, dt=dt), encoder.spike_times(FEATURES)
    assert times.shape == x.shape[1:] and times.dtype == np.float64
    expected = np.zeros_like(x)
    for sample, line in np.ndindex(times.shape):
        if times[sample, line] < np.inf:
            expected[round(times[sample, line] / dt), sample, line] = 1.0
    np.testing.assert_array_equal(x, expected)
    assert (np.isinf(times).any()) == (name == "population")
    fires = times[np.isfinite(times)]
    assert fires.min() >= 0.0 and fires.max() <= encoder.t_max
    # Most of them lie between the points of the grid.
    assert np.mean(fires / dt == np.rint(fires / dt)) < 0.6


def test_exact_times_by_hand():
    features = [[0.0, 0.26, 1.0]]
    high = LatencyEncoder(t_max=20.0, low=0.0, high=1.0, bias_spike=True)
    np.testing.assert_allclose(high.spike_times(features), [[20.0, 14.8, 0.0, 0.0]], rtol=1e-15)
    low = dataclasses.replace(high, early="low")
    np.testing.assert_allclose(low.spike_times(features), [[0.0, 5.2, 20.0, 0.0]], rtol=1e-15)
    assert low.encode(features, dt=1.0)[:, 0].argmax(axis=0).tolist() == [0, 5, 20, 0]
    population = PopulationEncoder(n_fields=3, width=0.5, low=0.0, high=1.0, cutoff=0.1)
    near = 20.0 * (1.0 - np.exp(-2.0))
    np.testing.assert_allclose(population.spike_times([[0.5]]), [[near, 0.0, near]], rtol=1e-15)
    assert np.isinf(population.spike_times([[0.0]])).tolist() == [[False, False, True]]


def test_spike_trains_are_taken_as_they_are():
    x = (np.random.default_rng(1).random((7, 5, 3)) < 0.3).astype(np.uint8)
    rows = x.transpose(1, 0, 2).reshape(5, 21)
    encoder = SpikeTrains(3, dt=0.5)
    assert encoder.fit(rows) is encoder and encoder.n_inputs(21) == 3 and not encoder.stochastic
    back = encoder.encode(rows, dt=0.5)
    assert back.dtype == np.float64 and back.flags.c_contiguous
    np.testing.assert_array_equal(back, x)
    assert rows[2, 4 * 3 + 1] == x[4, 2, 1]
    back[:] = 2.0
    assert rows.max() == 1


def test_the_codes_have_not_moved():
    """Zeros and ones, so that the bits are those of any machine."""
    digest = hashlib.sha256()
    features = np.random.default_rng(0).uniform(-3.0, 5.0, (50, 4))
    for name in ENCODERS:
        if name != "early low":
            encoder = ENCODERS[name].fit(features)
            digest.update(encoder.encode(features, dt=0.5, rng=3).astype(np.float64).tobytes())
    assert digest.hexdigest() == "3a93162ed4524d5fa1e2a8aa487c58a58510637e39d94c0048900cecde6ea23e"


@pytest.mark.parametrize("name", SINGLE)
def test_both_clocks_see_the_same_spikes(name):
    """The exact times, rounded, are those of the spikes on the grid, trial by trial."""
    encoder = ENCODERS[name].fit(FEATURES)
    exact = SpikeTimes.from_table(encoder.spike_times(FEATURES), encoder.duration)
    grid = SpikeTimes.from_grid(encoder.encode(FEATURES, dt=0.5), 0.5)
    np.testing.assert_array_equal(exact.starts, grid.starts)
    for start, stop in zip(grid.starts[:-1], grid.starts[1:], strict=True):
        lines = [clock.units[start:stop].argsort() for clock in (exact, grid)]
        off = exact.times[start:stop][lines[0]] - grid.times[start:stop][lines[1]]
        assert np.abs(off).max() <= 0.25


@pytest.mark.parametrize(
    "encoder",
    [
        RateEncoder(20.0, 300.0, "poisson", bias_spike=True),
        RateEncoder(20.0, 300.0, "regular"),
        LatencyEncoder(20.0, 15.0, bias_spike=True),
        PopulationEncoder(3, 20.0, 15.0),
        PopulationEncoder(3, 20.0, 15.0, mode="poisson", bias_spike=True),
        PopulationEncoder(3, 20.0, 15.0, mode="regular"),
        SpikeTrains(4),
    ],
    ids=repr,
)
@pytest.mark.parametrize("at_once", [1, 700, 10**6])
def test_blocks_of_steps_are_the_spikes_of_the_whole(encoder, at_once, monkeypatch):
    monkeypatch.setattr(scaled, "_AT_ONCE", at_once)
    features = np.random.default_rng(1).random((30, 8))
    if isinstance(encoder, SpikeTrains):
        features = np.rint(np.tile(features, 10))
    encoder = encoder.fit(features)
    whole = encoder.encode(features, dt=1.0, rng=np.random.default_rng(2))
    rng = np.random.default_rng(2)
    blocks = list(encoder.encode_blocks(features, dt=1.0, rng=rng))
    assert len(blocks) == 1 if at_once == 10**6 else len(blocks) > 1
    np.testing.assert_array_equal(np.concatenate(blocks), whole)


def test_spikes_of_many_samples_are_never_whole_in_memory(monkeypatch):
    monkeypatch.setattr(scaled, "_AT_ONCE", 2**12)
    features = np.random.default_rng(1).random((40, 100))
    network = dense([100, 1], LIF.normalised(), rng=0)
    encoder = RateEncoder(50.0, 300.0, "poisson").fit(features)
    task = "features", encoder, features, network
    packed(*task, np.random.default_rng(2))
    tracemalloc.start()
    found = packed(*task, np.random.default_rng(2))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    whole = encoded(*task, np.random.default_rng(2))
    assert isinstance(found, PackedSpikes)
    np.testing.assert_array_equal(found.unpack(), whole)
    assert peak < 0.2 * whole.nbytes


@dataclasses.dataclass(frozen=True, eq=False)
class _Inverted(RateEncoder):
    """Overrides `encode` alone, as a user's own encoder may."""

    def encode(self, features, *, dt, rng=None):
        return 1.0 - super().encode(features, dt=dt, rng=rng)


def test_an_encode_that_is_overridden_is_what_training_sees():
    features = np.random.default_rng(1).random((6, 3))
    task = "features", _Inverted(20.0).fit(features), features, dense([3, 1], LIF(), rng=0)
    found = packed(*task, np.random.default_rng(2))
    np.testing.assert_array_equal(found.unpack(), encoded(*task, np.random.default_rng(2)))


def test_trains_of_no_sample_keep_their_steps_and_lines():
    encoder = SpikeTrains(4)
    assert encoder.encode(np.zeros((0, 12)), dt=1.0).shape == (3, 0, 4)
    assert [b.shape for b in encoder.encode_blocks(np.zeros((0, 12)), dt=1.0)] == [(3, 0, 4)]
