"""Figures of many populations: samples in a raster, rates, boxes beside published values."""

from types import SimpleNamespace

import matplotlib
import numpy as np
import pytest

from spikesim.errors import ParameterError, ParameterTypeError

matplotlib.use("Agg")

from matplotlib import pyplot as plt

from spikesim import plotting
from spikesim.plotting.activity import _apart
from spikesim.recording import PopulationRecording, Recording


@pytest.fixture(autouse=True)
def _close_figures():
    before = dict(matplotlib.rcParams)
    yield
    assert dict(matplotlib.rcParams) == before
    plt.close("all")


SIZES = {f"p{k}": n for k, n in enumerate([1000, 40, 600, 3, 200, 100, 50, 7])}


@pytest.fixture(scope="module")
def recording():
    rng = np.random.default_rng(0)
    populations = {}
    for name, n in SIZES.items():
        steps = rng.integers(1, 1001, 10 * n)
        populations[name] = PopulationRecording.from_spikes(
            steps * 0.1, rng.integers(0, n, 10 * n), n, stop=100.0, dt=0.1, name=name
        )
    return Recording(0.1, 0.0, 100.0, 0, {}, None, populations)


def _spike_lines(ax):
    return [line for line in ax.get_lines() if line.get_marker() != "None"]


def test_a_raster_of_some_neurons_shares_its_rows_by_size(recording):
    ax = plotting.raster(recording, max_neurons=200)
    shares = [max(1, round(200 * n / 2000)) for n in SIZES.values()]
    assert shares == [100, 4, 60, 1, 20, 10, 5, 1]
    assert ax.get_ylim() == (-0.5, sum(shares) - 0.5)
    assert ax.get_ylabel() == "201 of 2000 neurons"
    labels = [text.get_text() for text in ax.get_yticklabels()]
    assert labels == [f"{name} ({n})" for name, n in SIZES.items()]
    below = sum(shares)
    for line, share, (name, n) in zip(_spike_lines(ax), shares, SIZES.items(), strict=True):
        below -= share
        population = recording[name]
        chosen = ((np.arange(share) + 0.5) * n / share).astype(int)
        expected = [
            (time, below + int(np.flatnonzero(chosen == neuron)[0]))
            for time, neuron in zip(population.spike_times, population.spike_ids, strict=True)
            if neuron in chosen
        ]
        assert expected and [tuple(point) for point in line.get_xydata()] == expected


def test_the_rates_beneath_are_those_of_all_neurons(recording):
    def rates(**keywords):
        top, below = plt.subplots(2)[1]
        plotting.raster(recording, ax=top, histogram=below, bin_width=5.0, **keywords)
        return [patch.get_data().values for patch in below.patches]

    for sample, every, name in zip(rates(max_neurons=8), rates(), SIZES, strict=True):
        np.testing.assert_array_equal(sample, every)
        np.testing.assert_allclose(every, recording[name].population_rate(5.0)[1])


def test_some_neurons_of_one_population_keep_their_numbers(recording):
    ax = plotting.raster(recording, "p0", max_neurons=10, histogram=False)
    assert set(ax.get_lines()[0].get_ydata()) == set(range(50, 1000, 100))
    assert ax.get_ylim() == (-0.5, 999.5)


@pytest.mark.parametrize("more", [2000, 10**9])
def test_more_neurons_than_there_are_is_all(recording, more):
    drawn = _spike_lines(plotting.raster(recording, max_neurons=more))
    assert sum(len(line.get_xdata()) for line in drawn) == 10 * sum(SIZES.values())


@pytest.mark.parametrize(("value", "error"), [(0, ParameterError), (2.5, ParameterTypeError)])
def test_a_number_of_neurons_is_checked(recording, value, error):
    with pytest.raises(error, match=r"raster\.max_neurons"):
        plotting.raster(recording, max_neurons=value)


def test_labels_of_small_populations_do_not_cover_each_other(recording):
    ax = plotting.raster(recording, max_neurons=200)
    ax.figure.canvas.draw()
    frames = [label.get_window_extent() for label in ax.get_yticklabels()]
    for upper, lower in zip(frames, frames[1:], strict=False):
        assert upper.y0 >= lower.y1 - 4.0


@pytest.mark.parametrize(
    ("places", "gap", "expected"),
    [
        ([0, 5, 9], 2, [0, 5, 9]),
        ([0, 4, 4, 9], 2, [0, 3, 5, 9]),
        ([4, 4, 4], 3, [1, 4, 7]),
        ([1, 1, 1], 3, [0, 3, 6]),
        ([0, 9, 9], 3, [0, 6, 9]),
        ([1, 2, 3, 4], 50, [0, 3, 6, 9]),
    ],
)
def test_places_move_as_little_as_it_takes(places, gap, expected):
    np.testing.assert_allclose(_apart(np.array(places, dtype=float), gap, 9.0), expected)


def test_rates_of_populations_are_curves_that_can_be_told_apart(recording):
    ax = plotting.population_rates(recording, bin_width=7.0, start=20.0, stop=60.0)
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_xlim()) == (
        "time (ms)",
        "rate (Hz)",
        (20.0, 60.0),
    )
    patches = ax.patches
    assert [patch.get_label() for patch in patches] == list(SIZES)
    looks = {(patch.get_edgecolor(), str(patch.get_linestyle())) for patch in patches}
    assert len(looks) == len(SIZES)
    for patch, name in zip(patches, SIZES, strict=True):
        values, edges, _ = patch.get_data()
        # The last bin is cut off, and holds a rate all the same.
        np.testing.assert_allclose(edges, [20.0, 27.0, 34.0, 41.0, 48.0, 55.0, 60.0])
        _, expected = recording[name].population_rate(7.0, start=20.0, stop=60.0)
        np.testing.assert_allclose(values[:-1], expected)
        _, last = recording[name].population_rate(5.0, start=55.0, stop=60.0)
        np.testing.assert_allclose(values[-1:], last)


def test_rates_are_drawn_on_the_axes_given_in_the_style_given(recording):
    ax = plt.subplots()[1]
    assert plotting.population_rates(recording, ["p0"], ax, linewidth=3.0) is ax
    assert ax.patches[0].get_linewidth() == 3.0 and ax.get_legend() is None


@pytest.mark.parametrize(
    ("keywords", "error", "word"),
    [
        ({"recording": 1}, ParameterTypeError, r"population_rates\.recording"),
        ({"populations": "p00"}, ParameterError, r"population_rates\.populations"),
        ({"bin_width": 0.25}, ParameterError, r"population_rates\.bin_width"),
        ({"stop": 0.0}, ParameterError, r"population_rates\.stop"),
        ({"ax": 1}, ParameterTypeError, r"population_rates\.ax"),
    ],
)
def test_rates_refuse(recording, keywords, error, word):
    with pytest.raises(error, match=word):
        plotting.population_rates(**({"recording": recording} | keywords))


def _box_heights(ax):
    return [(path.get_extents().y0, path.get_extents().y1) for path in _paths(ax)]


def _paths(ax):
    return [patch.get_path() for patch in ax.patches]


def test_a_box_spans_the_quartiles_of_what_is_a_number():
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=101), rng.normal(5.0, 2.0, size=51)
    values = {"exc": np.append(first, [np.nan, np.nan]), "inh": second.tolist()}
    ax = plotting.boxes(values, label="CV")
    for found, each in zip(_box_heights(ax), (first, second), strict=True):
        np.testing.assert_allclose(found, np.quantile(each, [0.25, 0.75]))
    assert [text.get_text() for text in ax.get_xticklabels()] == ["exc", "inh"]
    assert ax.get_ylabel() == "CV" and ax.get_legend() is None
    means = [line.get_ydata()[0] for line in ax.get_lines() if line.get_marker() == "o"]
    np.testing.assert_allclose(means, [first.mean(), second.mean()])


def test_published_values_stand_beside_their_boxes():
    values = {"a": [1.0, 2.0, 3.0], "b": [2.0, 4.0], "c": [1.0]}
    ax = plt.subplots()[1]
    ax.plot([0.0], [1.0], label="mine")
    found = plotting.boxes(values, ax, reference={"c": [1.5, 2.5], "b": 3.5})
    assert found is ax
    marks = [line.get_xydata().tolist() for line in ax.get_lines() if line.get_marker() == "D"]
    assert marks == [[[1.38, 3.5]], [[2.38, 1.5], [2.38, 2.5]]]
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert legend == ["mine", "published"]


def test_a_population_without_a_number_keeps_its_place():
    ax = plotting.boxes({"a": [np.nan], "b": [], "c": [1.0, 2.0]}, reference={"a": 1.0})
    ax.figure.canvas.draw()
    assert [text.get_text() for text in ax.get_xticklabels()] == ["a", "b", "c"]
    np.testing.assert_allclose(_box_heights(ax)[2], [1.25, 1.75])


@pytest.mark.parametrize(
    ("arguments", "keywords", "error", "word"),
    [
        (({},), {}, ParameterError, r"boxes\.values must have at least one"),
        (([1.0],), {}, ParameterTypeError, r"boxes\.values must be a dict"),
        (({"a": [np.inf]},), {}, ParameterError, r"boxes\.values\['a'\]\[0\] is inf"),
        (({"a": ["x"]},), {}, ParameterTypeError, r"boxes\.values\['a'\]"),
        (({"a": [1.0]},), {"reference": {"b": 1.0}}, ParameterError, r"boxes\.reference"),
        (({"a": [1.0]},), {"reference": 1.0}, ParameterTypeError, r"boxes\.reference"),
        (({"a": [1.0]}, 3), {}, ParameterTypeError, r"boxes\.ax"),
    ],
)
def test_boxes_refuse(arguments, keywords, error, word):
    with pytest.raises(error, match=word):
        plotting.boxes(*arguments, **keywords)


def test_only_the_spikes_in_view_are_worked_on():
    class Times(np.ndarray):
        """Times that refuse to be gone through as a whole."""

        def __array_ufunc__(self, *arguments, **keywords):
            raise AssertionError("all spikes were gone through")

    times = (np.arange(1, 100_001) * 0.1).view(Times)
    crowd = SimpleNamespace(name="a", n=10, spike_times=times, spike_ids=np.arange(100_000) % 10)
    stand = Recording(0.1, 0.0, 10_000.0, 0, {}, None, {"a": crowd})
    plotting.population_rates(stand, start=10.0, stop=20.0)
