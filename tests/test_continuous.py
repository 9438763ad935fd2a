"""Networks in continuous time: spikes against a slow search, gradients against differences."""

import numpy as np
import pytest
from numba import config

from spikesim.errors import NonFiniteStateError, ParameterError, SpikesimError
from spikesim.layered import Layer, LayeredNetwork, SpikeTimes, continuous, dense, forward, threads
from spikesim.layered.continuous import EventGradients
from spikesim.neurons import LIF
from spikesim.synapses import Exponential
from tests import naive_continuous

DURATION = 40.0
N_TRIALS = 4
SIZES = [5, 8, 6, 3]
TRAINABLE = ("w", "bias", "w_rec", "delay")


def network(*, tau_m=20.0, tau_syn=5.0, recurrent=False, output=None, delay=None, gain=5.0, seed=2):
    """Three layers whose weights are mostly positive, so that all of them fire."""
    neuron = LIF(tau_m, tau_m, 0.0, 1.0, -0.3, 0.0, i_ext=0.1)
    base = dense(SIZES, neuron, output=output, synapse=Exponential(tau_syn), recurrent=recurrent,
                 gain=gain, bias_sd=0.05, continuous=True, rng=seed)  # fmt: skip
    rng = np.random.default_rng(seed)
    layers = []
    for layer in base.layers:
        late = {None: None, "input": rng.uniform(0, 3, layer.n_pre),
                "synapse": rng.uniform(0, 3, layer.w.shape), "one": 1.3}[delay]  # fmt: skip
        w = 0.6 * np.abs(layer.w) + 0.4 * layer.w
        layers.append(Layer(w, layer.neuron, layer.bias, layer.synapse, layer.w_rec,
                            trainable=TRAINABLE, delay=late))  # fmt: skip
    return LayeredNetwork(layers, continuous=True)


def spikes(seed=0, n_trials=N_TRIALS, n=12):
    rng = np.random.default_rng(seed)
    times = np.sort(rng.uniform(0.0, 25.0, (n_trials, n)), axis=1)
    units = rng.integers(0, SIZES[0], times.size)
    return SpikeTimes(times.ravel(), units, n * np.arange(n_trials + 1), SIZES[0], DURATION)


def of_trial(x, b):
    part = slice(x.starts[b], x.starts[b + 1])
    return list(zip(x.times[part], x.units[part], strict=True))


CASES = {
    "plain": {},
    "equal constants": {"tau_m": 10.0, "tau_syn": 10.0, "gain": 2.2},
    "nearly equal": {"tau_m": 10.0, "tau_syn": 10.0 * (1 + 1e-9), "gain": 2.5},
    "slow synapse": {"tau_m": 5.0, "tau_syn": 9.0, "gain": 1.8},
    "delays of inputs": {"delay": "input"},
    "one delay": {"delay": "one"},
    "delays of synapses": {"delay": "synapse"},
    "several constants": {"tau_m": None, "gain": 6.0},
    "recurrent": {"recurrent": True},
    "recurrent, delays of inputs": {"recurrent": True, "delay": "input"},
    "recurrent, delays of synapses": {"recurrent": True, "delay": "synapse"},
}


def made(options, **more):
    """Return a network; with `tau_m` None each unit has another constant."""
    options = options | more
    if options.get("tau_m", 0) is not None:
        return network(**options)
    layers = []
    for layer in network(**options | {"tau_m": 20.0}).layers:
        tau_m = np.linspace(15.0, 25.0, layer.n_post)
        tau_m[-2:] = 20.0
        neuron = LIF(tau_m, 1.1 * tau_m, -1.0, layer.neuron.v_th, np.linspace(-2, 0, layer.n_post),
                     0.0, i_ext=1.2, v_init=-0.4)  # fmt: skip
        layers.append(Layer(layer.w, neuron, layer.bias, layer.synapse, trainable=TRAINABLE))
    return LayeredNetwork(layers, continuous=True)


SEARCHED = {name: CASES[name] for name in CASES if name != "recurrent, delays of inputs"}


@pytest.mark.parametrize("options", SEARCHED.values(), ids=SEARCHED)
def test_spikes_are_where_a_slow_search_finds_them(options):
    net, x = made(options), spikes(n_trials=1)
    traces = continuous.run(net, x)
    n_found = 0
    for b in range(x.n_trials):
        slow = naive_continuous.run(net, of_trial(x, b), DURATION)
        for trace, expected in zip(traces, slow, strict=True):
            part = slice(trace.starts[b], trace.starts[b + 1])
            assert trace.units[part].tolist() == [unit for _, unit in expected]
            np.testing.assert_allclose(trace.times[part], [t for t, _ in expected], rtol=0,
                                       atol=2e-11)  # fmt: skip
            n_found += len(expected)
    assert n_found > 5


def test_potentials_are_those_of_the_slow_sum():
    net, x = made({}, output=LIF.non_spiking(20.0)), spikes(n_trials=2)
    for index, trace in enumerate(continuous.run(net, x)):
        layer = net.layers[index]
        for b in range(2):
            given = naive_continuous.run(net, of_trial(x, b), DURATION)
            inputs = given[index - 1] if index else of_trial(x, b)
            for j in (0, layer.n_post - 1):
                arrivals = naive_continuous.arrivals_of(layer, inputs, j)
                expected = [naive_continuous.potential_of(
                    layer, j, arrivals, [s for s in given[index] if s[0] <= t], t)
                    for t in np.arange(1.0, 41.0)]  # fmt: skip
                np.testing.assert_allclose(trace.v[:, b, j], expected, rtol=0, atol=1e-9)


def test_the_highest_and_the_mean_potential_are_those_of_a_fine_grid():
    net, x = made({}, output=LIF.non_spiking(20.0)), spikes()
    fine = LayeredNetwork(net.layers, 0.01, continuous=True)
    trace = continuous.run(fine, x)[-1]
    assert np.all(trace.v_max >= trace.v.max(axis=0) - 1e-12)
    np.testing.assert_allclose(trace.v_max, np.maximum(trace.v.max(axis=0), 0.0), atol=1e-5)
    np.testing.assert_allclose(trace.v_mean, trace.v.mean(axis=0), atol=1e-3)


def test_spikes_on_the_grid_are_counts_of_the_exact_ones():
    net, x = made({}), spikes()
    for trace in continuous.run(net, x):
        assert trace.output.shape == trace.v.shape == trace.held.shape
        np.testing.assert_array_equal(trace.output.sum(axis=0), trace.counts)
        assert not trace.held.any()
        for b in range(N_TRIALS):
            for time, unit in of_trial(trace, b):
                k = int(np.ceil(time)) - 1
                assert trace.output[k, b, unit] >= 1.0
        first = np.full_like(trace.first_spikes, np.inf)
        for b in range(N_TRIALS):
            for time, unit in of_trial(trace, b):
                first[b, unit] = min(first[b, unit], time)
        np.testing.assert_array_equal(trace.first_spikes, first)


# A loss that weighs everything that it can see by fixed numbers, and its gradient.
KINDS = {
    "first spikes": ("first_spikes",),
    "all spikes": ("times",),
    "highest potential": ("v_max",),
    "mean potential": ("v_mean",),
}
NUMBERS = np.random.default_rng(5).standard_normal((N_TRIALS, SIZES[-1]))


def loss(trace, kind):
    if kind == "times":
        return float(np.sum(np.sin(trace.times)))
    values = getattr(trace, kind)
    return float(np.sum(NUMBERS * np.where(np.isfinite(values), values, 0.0)))


def gradients(trace, kind):
    return EventGradients(**{kind: np.cos(trace.times) if kind == "times" else NUMBERS})


def moved(net, index, name, by):
    layers = list(net.layers)
    layers[index] = layers[index].updated(**{name: getattr(layers[index], name) + by})
    return net.updated(layers)


def slope(function, h):
    """Return the central difference of fourth order."""
    one, two = (function(k * h) - function(-k * h) for k in (1, 2))
    return (8.0 * one - two) / (12.0 * h)


@pytest.mark.parametrize(("case", "kind", "least"), [
    ("plain", "first_spikes", 85), ("plain", "times", 85), ("plain", "v_mean", 85),
    ("equal constants", "times", 100), ("delays of synapses", "times", 50),
    ("several constants", "times", 50), ("recurrent", "first_spikes", 100),
    ("recurrent", "times", 100), ("recurrent, delays of inputs", "times", 100),
    ("still output", "v_max", 60), ("still output", "v_mean", 60),
    ("still output, delays", "v_max", 50),
])  # fmt: skip
def test_gradients_are_those_of_central_differences(case, kind, least):
    still = {"output": LIF.non_spiking(20.0)}
    options = {"still output": still, "still output, delays": still | {"delay": "synapse"}}
    net, x = made(CASES[case] if case in CASES else options[case]), spikes()
    traces = continuous.run(net, x)
    n_spikes = sum(len(trace.times) for trace in traces)
    assert n_spikes >= least, n_spikes
    found, by_input = continuous.backward(net, x, traces, gradients(traces[-1], kind))
    rng = np.random.default_rng(1)
    every = not config.DISABLE_JIT
    for index, layer in enumerate(net.layers):
        for name, array in layer.parameters().items():
            gradient = found[index][name]
            assert gradient.shape == array.shape
            if every:
                directions = np.eye(array.size).reshape(-1, *array.shape)
            else:
                directions = rng.standard_normal((1, *array.shape))
            actual = [np.vdot(gradient, d) for d in directions]
            # Of the two errors of a difference, one wants a wide step and one a narrow one.
            errors = []
            for step in (3e-5, 1e-5, 1e-4, 3e-6):
                expected = [slope(lambda h, i=index, n=name, d=d: loss(
                    continuous.run(moved(net, i, n, h * d), x)[-1], kind), step)
                    for d in directions]  # fmt: skip
                errors.append(np.linalg.norm(np.subtract(actual, expected)))
                if errors[-1] < 1e-8 * np.linalg.norm(gradient):
                    break
            assert min(errors) < 1e-8 * np.linalg.norm(gradient), (index, name, errors)
    direction = rng.standard_normal(len(x.times))

    def shifted(h):
        moved = SpikeTimes(x.times + h * direction, x.units, x.starts, x.n_inputs, x.duration)
        return loss(continuous.run(net, moved)[-1], kind)

    error = abs(slope(shifted, 1e-6) - by_input @ direction) / np.linalg.norm(by_input)
    assert error < 1e-7


def test_threads_change_no_bit(monkeypatch):
    net, x = made(CASES["recurrent"]), spikes(n_trials=64)
    runs = []
    for worth in (np.inf, 0.0):
        monkeypatch.setattr(threads, "_WORTH_THREADS", worth)
        traces = continuous.run(net, x)
        found, by_input = continuous.backward(
            net, x, traces, EventGradients(times=np.cos(traces[-1].times))
        )
        runs.append([*(trace.times for trace in traces), by_input,
                     *(array for layer in found for array in layer.values())])  # fmt: skip
    for one, other in zip(*runs, strict=True):
        assert one.tobytes() == other.tobytes()


def test_trials_do_not_hear_of_each_other():
    net, x = made({}), spikes()
    together = continuous.run(net, x)
    for b in range(N_TRIALS):
        for whole, alone in zip(together, continuous.run(net, x.take([b])), strict=True):
            part = slice(whole.starts[b], whole.starts[b + 1])
            assert whole.times[part].tobytes() == alone.times.tobytes()


def test_input_on_the_grid_is_taken_at_its_times():
    net = made({})
    x = np.zeros((40, 2, 5))
    x[3, 0, 1] = x[9, 0, 4] = x[3, 1, 2] = 1.0
    expected = continuous.run(net, SpikeTimes([3.0, 9.0, 3.0], [1, 4, 2], [0, 2, 3], 5, 40.0))
    for a, b in zip(forward(net, x), expected, strict=True):
        assert a.times.tobytes() == b.times.tobytes()


def test_a_constant_current_fires_at_the_times_of_the_formula():
    layer = Layer([[0.0]], LIF.normalised(10.0), [1.5], Exponential(5.0))
    net = LayeredNetwork([layer], continuous=True)
    trace = continuous.run(net, SpikeTimes([], [], [0, 0], 1, 50.0))[0]
    period = 10.0 * np.log(1.5 / 0.5)
    np.testing.assert_allclose(trace.times, period * np.arange(1, 5), rtol=1e-15)


def test_equal_units_fire_together():
    w = np.full((1, 3), 8.0)
    layer = Layer(w, LIF.normalised(20.0), None, Exponential(5.0), np.full((3, 3), -0.5))
    net = LayeredNetwork([layer], continuous=True)
    trace = continuous.run(net, SpikeTimes([1.0], [0], [0, 1], 1, 30.0))[0]
    assert trace.units[:3].tolist() == [0, 1, 2]
    assert trace.times[0] == trace.times[1] == trace.times[2]


@pytest.mark.parametrize(("neuron", "weight", "message"), [
    (LIF.normalised(20.0, t_ref=2.0), 1.0, "t_ref"),
    (LIF(20.0, 20.0, 0.0, 1.0, 0.0, 0.0, v_init=1.0), 1.0, "v_init"),
])  # fmt: skip
def test_what_continuous_time_does_not_know_is_refused(neuron, weight, message):
    net = LayeredNetwork([Layer([[weight]], neuron, None, Exponential(5.0))], continuous=True)
    with pytest.raises(ParameterError, match=message):
        forward(net, SpikeTimes([1.0], [0], [0, 1], 1, 10.0))


def test_recurrent_delays_are_refused():
    layer = Layer([[1.0]], LIF.normalised(), None, Exponential(5.0), [[1.0]], delay_rec=1.0)
    net = LayeredNetwork([layer], continuous=True)
    with pytest.raises(ParameterError, match="delay_rec"):
        forward(net, SpikeTimes([1.0], [0], [0, 1], 1, 10.0))


@pytest.mark.parametrize("w_rec", [None, [[0.0]]])
@pytest.mark.parametrize(("weight", "message"), [
    (1e308, "not finite|without end"), (1e9, "fires without end"),
])  # fmt: skip
def test_weights_that_are_too_large_end_in_an_error(weight, message, w_rec, monkeypatch):
    monkeypatch.setattr(continuous, "_MOST_SPIKES", 50)
    layer = Layer([[weight]], LIF.normalised(), None, Exponential(5.0), w_rec)
    net = LayeredNetwork([layer], continuous=True)
    with pytest.raises(NonFiniteStateError, match=rf"layer 0, unit 0 in trial 1.*({message})|"
                                                  rf"({message}).*"):  # fmt: skip
        forward(net, SpikeTimes([1.0, 1.0, 1.0], [0, 0, 0], [0, 0, 3], 1, 10.0))


@pytest.mark.parametrize(("x", "message"), [
    (np.full((4, 1, 5), 0.5), r"forward\.x\[0, 0, 0\] is 0\.5"),
    (np.zeros((4, 1, 3)), r"forward\.x"),
    (np.zeros((0, 1, 5)), r"forward\.x must have at least one step"),
    (SpikeTimes([1.0], [0], [0, 1], 3, 10.0), r"forward\.x has 3 lines"),
])  # fmt: skip
def test_a_bad_input_is_refused_by_name(x, message):
    with pytest.raises(ParameterError, match=message):
        forward(made({}), x)


@pytest.mark.parametrize(
    ("table", "kind", "message"),
    [
        ("times", TypeError, "must hold numbers"),
        ([[1.0], [1.0, 2.0]], TypeError, "must be an array of numbers"),
        ([1.0], ValueError, "must have shape"),
        ([[1.0, np.nan]], ValueError, r"\[0, 1\] is nan"),
        ([[1.0, -np.inf]], ValueError, r"\[0, 1\] is -inf; times are at least 0 ms"),
    ],
)
def test_tables_of_other_than_times_are_refused_by_name(table, kind, message):
    with pytest.raises(kind, match=rf"SpikeTimes\.from_table\.table.*{message}") as caught:
        SpikeTimes.from_table(table, 3.0)
    assert isinstance(caught.value, SpikesimError)
