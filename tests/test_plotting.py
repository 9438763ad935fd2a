import subprocess
import sys
from types import SimpleNamespace

import matplotlib
import numpy as np
import pytest

import spikesim as sp
from spikesim.errors import ParameterError, ParameterTypeError

matplotlib.use("Agg")

from matplotlib import pyplot as plt

from spikesim import plotting


@pytest.fixture(autouse=True)
def _close_figures():
    before = dict(matplotlib.rcParams)
    yield
    assert dict(matplotlib.rcParams) == before
    plt.close("all")


@pytest.fixture(scope="module")
def recording():
    exc = sp.Population("exc", sp.LIF(i_ext=np.linspace(300.0, 600.0, 8)), 8)
    inh = sp.Population("inh", sp.LIF(i_ext=450.0), 3)
    network = sp.Network([exc, inh, sp.Population("in", sp.PoissonSource(rate=50.0), 4)])
    return sp.simulate(network, 60.0, record={"exc": "v"}, seed=1)


def _drawn(ax):
    ax.figure.canvas.draw()
    return ax


def test_a_raster_shows_every_spike_once(recording):
    ax = plotting.raster(recording)
    points = np.concatenate(
        [line.get_xydata() for line in ax.get_lines() if line.get_marker() != "None"]
    )
    assert len(points) == sum(len(recording[name].spike_times) for name in recording.populations)


def test_raster_rows_are_stacked_with_the_first_population_on_top(recording):
    ax = plotting.raster(recording, histogram=False)
    lines = dict(zip(recording.populations, ax.get_lines(), strict=False))
    rows = {name: line.get_ydata() for name, line in lines.items()}
    assert rows["exc"].min() >= 7 and rows["exc"].max() <= 14
    assert set(rows["inh"]) <= {4, 5, 6} and set(rows["in"]) <= {0, 1, 2, 3}
    assert [text.get_text() for text in ax.get_yticklabels()] == ["exc (8)", "inh (3)", "in (4)"]


def test_the_histogram_holds_the_mean_rate(recording):
    top, below = plt.subplots(2)[1]
    plotting.raster(recording, "exc", top, histogram=below, bin_width=7.0)
    values, edges, _ = below.patches[0].get_data()
    assert edges[-1] == 60.0 and edges[-2] == 56.0
    mean = np.sum(values * np.diff(edges)) / 60.0
    assert mean == pytest.approx(recording.rate("exc"))
    assert below.get_ylabel() == "rate (Hz)" and below.get_xlabel() == "time (ms)"


def _rates(*arguments, **keywords):
    top, below = plt.subplots(2)[1]
    plotting.raster(*arguments, ax=top, histogram=below, **keywords)
    values, edges, _ = below.patches[0].get_data()
    return np.asarray(values), np.asarray(edges), top.get_lines()[0].get_xdata()


def _at_steps(steps, n_steps, dt=0.1, first=0):
    population = SimpleNamespace(
        name="in", n=1, spike_times=np.asarray(steps) * dt,
        spike_ids=np.zeros(len(steps), dtype=np.int64),
    )  # fmt: skip
    stand = _Stand(population)
    stand.start, stand.duration, stand.dt = first * dt, n_steps * dt, dt
    return stand


@pytest.mark.parametrize("first", [0, 370, 10_000_000])
@pytest.mark.parametrize("bin_width", [None, 0.1, 0.7, 1.0, 10.0])
@pytest.mark.parametrize("n_steps", [1, 7, 50, 100, 1000, 1003])
def test_a_source_that_fires_every_step_has_one_rate(n_steps, bin_width, first):
    every = np.arange(first + 1, first + n_steps + 1)
    rates, edges, drawn = _rates(_at_steps(every, n_steps, first=first), bin_width=bin_width)
    np.testing.assert_allclose(rates, 10_000.0)
    assert len(drawn) == n_steps
    np.testing.assert_allclose(edges[[0, -1]], [first * 0.1, (first + n_steps) * 0.1])
    assert np.all(np.diff(edges) > 0.09)


@pytest.mark.parametrize("first", [0, 300])
def test_a_spike_at_the_end_of_a_bin_belongs_to_it(first):
    spikes = first + np.arange(100, 1001, 100)
    rates, _, drawn = _rates(_at_steps(spikes, 1000, first=first), bin_width=10.0)
    np.testing.assert_allclose(rates, np.full(10, 100.0))
    assert len(drawn) == 10


def test_a_part_of_time_holds_its_end_but_not_its_start():
    recording = _at_steps(np.arange(1, 1001), 1000)
    rates, edges, drawn = _rates(recording, start=20.0, stop=40.3, bin_width=5.0)
    np.testing.assert_allclose(rates, 10_000.0)
    np.testing.assert_allclose(edges, [20.0, 25.0, 30.0, 35.0, 40.0, 40.3])
    np.testing.assert_allclose(drawn[[0, -1]], [20.1, 40.3])


def test_the_rates_of_a_real_run_and_its_continuation_are_those_of_the_source():
    every = sp.SpikeSource(np.arange(1, 2001) * 0.1, np.zeros(2000, dtype=np.int64))
    network = sp.Network([sp.Population("in", every, 1)])
    first = sp.simulate(network, 100.0)
    second = sp.simulate(network, 10.0, state=first.final_state)
    for recording in (first, second):
        rates, _, _ = _rates(recording)
        np.testing.assert_allclose(rates, 10_000.0)


def test_a_recording_of_no_length_has_an_empty_raster():
    recording = sp.simulate(sp.LIF(), 0.0, record="v")
    ax = _drawn(plotting.raster(recording))
    assert len(ax.get_lines()[0].get_xdata()) == 0
    _drawn(plotting.membrane(recording))


def test_a_raster_shares_the_place_of_the_axes_it_is_given(recording):
    figure, (left, right) = plt.subplots(1, 2)
    box = left.get_position()
    assert plotting.raster(recording, ax=left) is left
    below = next(ax for ax in figure.axes if ax not in (left, right))
    assert below.get_position().y0 == pytest.approx(box.y0)
    assert left.get_position().y1 == pytest.approx(box.y1)
    assert below.get_position().y1 < left.get_position().y0
    free = plt.figure().add_axes((0.2, 0.2, 0.6, 0.6))
    plotting.raster(recording, ax=free)
    assert free.figure.axes[1].get_position().y0 == pytest.approx(0.2)


def test_a_raster_can_show_a_part_of_time(recording):
    ax = plotting.raster(recording, "inh", histogram=False, start=20.0, stop=40.0)
    times = recording["inh"].spike_times
    expected = times[(times > 20.0) & (times <= 40.0)]
    assert sorted(ax.get_lines()[0].get_xdata()) == sorted(expected)
    assert ax.get_xlim() == (20.0, 40.0)


def test_a_raster_of_a_continued_run_starts_where_it_starts():
    first = sp.simulate(sp.LIF(i_ext=500.0), 50.0)
    second = sp.simulate(sp.LIF(i_ext=500.0), 50.0, state=first.final_state)
    assert plotting.raster(second).get_xlim() == (50.0, 100.0)


def test_very_many_spikes_become_pixels_in_one_picture():
    n = 200_000
    rng = np.random.default_rng(0)
    crowd = SimpleNamespace(
        name="exc", n=1000, spike_times=np.sort(rng.uniform(0.0, 100.0, n)),
        spike_ids=rng.integers(0, 1000, n),
    )  # fmt: skip
    recording = _Stand(crowd)
    line = _drawn(plotting.raster(recording)).get_lines()[0]
    assert line.get_marker() == "," and line.get_rasterized()


def test_no_spikes_draw_an_empty_raster():
    ax = _drawn(plotting.raster(sp.simulate(sp.LIF(), 20.0)))
    assert ax.get_ylabel() == "neuron"


@pytest.mark.parametrize(
    ("keywords", "error", "word"),
    [
        ({"populations": "exk"}, ParameterError, r"raster.populations.*did you mean 'exc'"),
        ({"populations": []}, ParameterError, "raster.populations"),
        ({"ax": 3}, ParameterTypeError, "raster.ax"),
        ({"histogram": "yes"}, ParameterTypeError, "raster.histogram"),
        ({"bin_width": 0.0}, ParameterError, "raster.bin_width"),
        ({"bin_width": 0.05}, ParameterError, "raster.bin_width"),
        ({"bin_width": 0.25}, ParameterError, "raster.bin_width.*multiple of dt"),
        ({"start": 30.0, "stop": 30.0}, ParameterError, "raster.stop"),
    ],
)
def test_raster_refuses(recording, keywords, error, word):
    with pytest.raises(error, match=word):
        plotting.raster(recording, **keywords)


def test_only_a_recording_is_drawn():
    with pytest.raises(ParameterTypeError, match="raster.recording"):
        plotting.raster(np.zeros((3, 3)))


def test_membrane_strokes_reach_from_the_threshold_to_the_stated_height(recording):
    ax = plotting.membrane(recording, "exc", 7, spike_height=20.0)
    times, v = ax.get_lines()[0].get_data()
    spikes = recording["exc"].spike_times[recording["exc"].spike_ids == 7]
    assert len(spikes) > 2
    np.testing.assert_array_equal(times[v == -30.0], spikes)
    before = np.flatnonzero(v == -30.0) - 1
    assert np.all(v[before] == -50.0)
    assert np.all(v[before + 3] == -65.0)
    assert np.all(np.diff(times) >= 0.0)
    assert ax.get_ylabel() == "membrane potential (mV)" and ax.get_xlabel() == "time (ms)"


def test_membrane_draws_the_trace_itself_where_there_is_no_spike(recording):
    ax = plotting.membrane(recording, neurons=0)
    np.testing.assert_array_equal(ax.get_lines()[0].get_ydata(), recording["exc"].v[:, 0])


def test_membrane_leaves_what_it_is_given_alone(recording):
    before = recording["exc"].v.copy()
    plotting.membrane(recording)
    np.testing.assert_array_equal(recording["exc"].v, before)


def test_membrane_names_neurons_by_number_colour_and_line(recording):
    ax = plotting.membrane(recording, neurons=[1, 6])
    lines = ax.get_lines()[:2]
    assert [line.get_label() for line in lines] == ["exc 1", "exc 6"]
    assert lines[0].get_color() != lines[1].get_color()
    assert lines[0].get_linestyle() != lines[1].get_linestyle()


def test_a_neuron_without_threshold_is_drawn_without_strokes():
    recording = sp.simulate(sp.LIF(v_th=np.inf, i_ext=900.0), 20.0, record="v")
    assert len(plotting.membrane(recording).get_lines()) == 1


def test_a_synaptic_current_has_its_own_label(recording):
    current = sp.simulate(sp.LIF(), 20.0, record="i_syn")
    assert plotting.membrane(current, variable="i_syn").get_ylabel() == "synaptic current (pA)"


def test_membrane_says_what_was_not_recorded(recording):
    with pytest.raises(ParameterError, match="membrane.variable is 'i_syn'"):
        plotting.membrane(recording, variable="i_syn")
    with pytest.raises(ParameterError, match="membrane.population"):
        plotting.membrane(recording, "inh")
    some = sp.simulate(
        sp.Population("exc", sp.LIF(), 5), 10.0, record={"exc": sp.Record("v", neurons=[1, 3])}
    )
    with pytest.raises(ParameterError, match="membrane.neurons: neuron 2"):
        plotting.membrane(some, neurons=2)
    with pytest.raises(ParameterError, match="membrane.neurons must name at least one"):
        plotting.membrane(some, neurons=[])
    with pytest.raises(IndexError, match="membrane.neurons"):
        plotting.membrane(some, neurons=9)


def test_fi_curve_draws_points_and_theory():
    currents = np.array([300.0, 500.0, 400.0])
    ax = plotting.fi_curve(currents, [0.0, 60.0, 30.0], theory=[0.0, 61.0, 31.0])
    theory, points = ax.get_lines()
    assert list(theory.get_xdata()) == [300.0, 400.0, 500.0]
    assert list(points.get_ydata()) == [0.0, 60.0, 30.0]
    plotting.fi_curve(currents, [0.0, 30.0, 15.0], ax, label="slow", theory=lambda i: i / 10.0)
    assert ax.get_lines()[2].get_color() == ax.get_lines()[3].get_color() != points.get_color()
    assert ax.get_lines()[3].get_marker() != points.get_marker()
    assert ax.get_xlabel() == "input current (pA)" and ax.get_ylabel() == "firing rate (Hz)"


def test_fi_curve_refuses_what_does_not_fit():
    with pytest.raises(ParameterError, match="fi_curve.rates"):
        plotting.fi_curve([1.0, 2.0], [1.0])
    with pytest.raises(ParameterError, match=r"fi_curve.rates\[1\]"):
        plotting.fi_curve([1.0, 2.0], [1.0, np.nan])
    with pytest.raises(ParameterError, match="fi_curve.currents"):
        plotting.fi_curve([], [])


def _right_of_half(features):
    return (features[:, 0] > 0.5).astype(int)


def test_decision_regions_ask_the_classifier_and_ring_its_errors():
    features, labels = [[0.0, 0.0], [1.0, 1.0], [0.0, 1.0]], [0, 1, 1]
    ax = _drawn(plotting.decision_regions(_right_of_half, features, labels, resolution=20))
    regions = ax.collections[0].get_array().reshape(20, 20)
    assert np.all(regions[:, :10] == 0) and np.all(regions[:, 10:] == 1)
    rings = ax.collections[-1].get_offsets()
    np.testing.assert_array_equal(rings, [[0.0, 1.0]])
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == ["class 0", "class 1", "misclassified"]


def test_decision_regions_of_one_class_everywhere():
    ax = plotting.decision_regions(lambda x: np.zeros(len(x), int), [[0.0, 0.0]], [0])
    _drawn(ax)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ((_right_of_half, np.zeros((3, 4)), [0, 0, 0]), "decision_regions.features"),
        ((_right_of_half, np.zeros((3, 2)), [0, 0]), "decision_regions.labels"),
        ((_right_of_half, np.zeros((0, 2)), []), "decision_regions.features"),
        ((lambda x: [0], np.zeros((3, 2)), [0, 0, 0]), r"decision_regions.predict\(...\)"),
    ],
)
def test_decision_regions_refuse(arguments, word):
    with pytest.raises(ParameterError, match=word):
        plotting.decision_regions(*arguments)


def test_decision_regions_need_a_name_for_each_class():
    with pytest.raises(ParameterError, match="decision_regions.class_names"):
        plotting.decision_regions(_right_of_half, [[0, 0], [1, 1]], [0, 1], class_names=["a"])


@pytest.mark.parametrize("names", [["a"], ["a", "b", "c"], "ab"])
def test_decision_regions_need_two_feature_names(names):
    with pytest.raises(ParameterError, match="decision_regions.feature_names must hold two"):
        plotting.decision_regions(_right_of_half, [[0, 0], [1, 1]], [0, 1], feature_names=names)


def test_learning_curves_show_median_and_quartiles_and_hold_ended_runs():
    runs = [np.array([4.0, 3.0, 2.0]), np.array([4.0, 1.0]), np.array([4.0, 5.0, 6.0])]
    ax = plotting.learning_curves({"rule": runs, "other": [3.0, 2.0]})
    np.testing.assert_array_equal(ax.get_lines()[0].get_ydata(), [4.0, 3.0, 2.0])
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["rule", "other"]
    assert len(ax.collections) == 1
    assert ax.get_xlabel() == "epoch" and ax.get_ylabel() == "loss"


def test_learning_curves_read_histories():
    network = sp.dense([2, 1], sp.Sigmoid(), rng=1)
    result = sp.fit(network, sp.learning.Backprop(), [[0.0, 1.0], [1.0, 0.0]], [0, 1], epochs=3)
    for given in (result.history, [result.history], {"descent": result.history}):
        ax = plotting.learning_curves(given, quantity="accuracy")
        np.testing.assert_array_equal(ax.get_lines()[0].get_ydata(), result.history.accuracy)
    assert ax.get_ylim() == pytest.approx((-0.03, 1.03))


def test_learning_curves_refuse():
    with pytest.raises(ParameterError, match="learning_curves.histories"):
        plotting.learning_curves([])
    with pytest.raises(ParameterError, match="learning_curves.histories"):
        plotting.learning_curves({})
    with pytest.raises(ParameterError, match="at least one epoch"):
        plotting.learning_curves({"rule": [np.array([])]})
    with pytest.raises(ParameterError, match="learning_curves.quantity"):
        plotting.learning_curves([1.0, 2.0], quantity="los")


def test_weights_are_centred_on_zero_and_written_out_when_few():
    ax = _drawn(plotting.weights([[1.0, -3.0], [0.5, 2.0]], unit="pA"))
    image = ax.get_images()[0]
    assert image.get_clim() == (-3.0, 3.0)
    assert sorted(text.get_text() for text in ax.texts) == ["-3", "0.5", "1", "2"]
    assert image.colorbar.ax.get_ylabel() == "weight (pA)"
    assert not plotting.weights(np.ones((9, 9))).texts
    _drawn(plotting.weights(np.zeros((2, 2))))


def test_weights_refuse():
    with pytest.raises(ParameterError, match="weights.w"):
        plotting.weights([1.0, 2.0])
    with pytest.raises(ParameterError, match="weights.w"):
        plotting.weights(np.zeros((0, 2)))


def test_keywords_reach_the_artist(recording):
    assert plotting.membrane(recording, neurons=0, color="k").get_lines()[0].get_color() == "k"
    assert plotting.raster(recording, marker="x").get_lines()[0].get_marker() == "x"
    assert plotting.weights([[1.0]], vmax=9.0).get_images()[0].get_clim()[1] == 9.0


def test_every_figure_can_be_saved(recording, tmp_path):
    for index, ax in enumerate(
        (plotting.raster(recording), plotting.membrane(recording), plotting.weights([[1.0]]))
    ):
        for suffix in ("png", "svg", "pdf"):
            ax.figure.savefig(tmp_path / f"{index}.{suffix}")


def test_matplotlib_waits_until_a_plot_is_asked_for():
    code = (
        "import sys, spikesim; spikesim.simulate(spikesim.LIF(), 1.0);"
        "assert 'matplotlib' not in sys.modules; spikesim.plotting;"
        "assert 'matplotlib' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


class _Stand:
    """As much of a recording as a raster needs, without the time to simulate it."""

    start, duration, dt = 0.0, 100.0, 0.1

    def __init__(self, *populations):
        self._populations = {population.name: population for population in populations}
        self.populations = tuple(self._populations)

    def __getitem__(self, name):
        return self._populations[name]
