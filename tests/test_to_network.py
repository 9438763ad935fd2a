"""A layered network that becomes a network of populations has the same spikes, to the last bit."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numba import config

import spikesim as sp
from spikesim.layered import forward
from spikesim.layered.packed import PackedSpikes
from tests import naive_to_network

MANY, SLOW = (30, 10) if config.DISABLE_JIT else (150, 20)
RESETS = ("to_potential", "subtract")
# Without leak a weight counts in full: sums of decimal weights meet the threshold, or just fail to.
ENDLESS = 1e300


def simulated(network, x, trial=0, threads=1):
    """Return, of each layer, spikes and v after each step, as the simulation has them."""
    dt, n_steps = network.dt, len(x)
    made = sp.to_network(network, x, trial=trial)
    recording = sp.simulate(made, n_steps * dt, dt=dt, record="v", threads=threads, seed=0)
    found = []
    for index in range(len(network.layers)):
        cells = recording[f"layer {index}"]
        output = np.zeros(cells.v.shape)
        output[np.rint(cells.spike_times / dt).astype(int) - 1, cells.spike_ids] = 1.0
        assert output.sum() == len(cells.spike_times)
        found.append((output, cells.v))
    return found


def see_that_both_agree(network, x, trial=0, threads=1):
    """Compare spikes and, where there is no reset, potentials; return the number of spikes."""
    found = simulated(network, x, trial, threads)
    for (output, v), trace in zip(found, forward(network, x), strict=True):
        np.testing.assert_array_equal(output, trace.output[:, trial])
        silent = output == 0.0
        np.testing.assert_array_equal(v[silent], trace.v[:, trial][silent])
    return sum(int(output.sum()) for output, _ in found)


def some_synapse(rng):
    return sp.Delta() if rng.random() < 0.5 else sp.Exponential(float(rng.choice((0.5, 3.7, 20.0))))


def some_delays(rng, dt, recurrent):
    delays = {
        name: int(rng.integers(1, 5)) * dt for name in ("delay", "delay_rec")[: 1 + recurrent]
    }
    return delays if rng.random() < 0.3 else {}


def some_network(rng):
    """Return a network with everything that a layer can have, and one trial of input."""
    dt = float(rng.choice((0.1, 0.3, 0.5, 1.0)))
    sizes = rng.integers(1, 7, rng.integers(2, 5))
    make = (_physical_layer, _dyadic_layer)[rng.integers(2)]
    layers = [
        make(rng, *shape, dt, some_synapse(rng))
        for shape in zip(sizes[:-1], sizes[1:], strict=True)
    ]
    x = (rng.random((int(rng.integers(30, 90)), 1, sizes[0])) < rng.uniform(0.1, 0.6)).astype(float)
    if rng.random() < 0.2:
        x *= rng.integers(-3, 4, x.shape) / 2.0
    return sp.LayeredNetwork(layers, dt), x


def _physical_layer(rng, n_pre, n, dt, synapse):
    def value(low, high):
        return rng.uniform(low, high, n) if rng.random() < 0.5 else rng.uniform(low, high)

    neuron = sp.LIF(
        tau_m=value(2.0, 30.0), c_m=value(50.0, 300.0), v_rest=value(-70.0, -60.0),
        v_th=value(-55.0, -50.0) if rng.random() < 0.8 else np.inf, v_reset=value(-75.0, -65.0),
        t_ref=int(rng.integers(0, 5)) * dt, i_ext=value(50.0, 300.0), v_init=value(-70.0, -60.0),
        reset=RESETS[rng.integers(2)],
    )  # fmt: skip
    scale = 8.0 if synapse == sp.Delta() else 300.0
    w = rng.normal(0.3, 1.0, (n_pre, n)) * scale
    w[rng.random(w.shape) < rng.choice((0.0, 0.5))] = 0.0
    w_rec = rng.normal(0.0, 1.0, (n, n)) * scale if rng.random() < 0.5 else None
    bias = rng.normal(0.0, 50.0, n)
    return sp.Layer(w, neuron, bias, synapse, w_rec, **some_delays(rng, dt, w_rec is not None))


def _dyadic_layer(rng, n_pre, n, dt, synapse):
    """Weights are eighths and the threshold is 1, so that it is met exactly, and often."""
    tau_m, t_ref = float(rng.choice((2.0, 20.0, ENDLESS))), int(rng.integers(0, 4)) * dt
    neuron = sp.LIF.normalised(tau_m, t_ref, RESETS[rng.integers(2)])
    if rng.random() < 0.2:
        neuron = sp.LIF.non_spiking(tau_m)
    w_rec = rng.integers(-8, 9, (n, n)) / 8.0 if rng.random() < 0.5 else None
    w, bias = rng.integers(-8, 13, (n_pre, n)) / 8.0, rng.integers(-2, 4, n) / 8.0
    return sp.Layer(w, neuron, bias, synapse, w_rec, **some_delays(rng, dt, w_rec is not None))


def decimal_network(rng):
    """Return a network in which the order of additions decides whether the threshold is met."""
    sizes = rng.integers(2, 8, rng.integers(2, 4))
    layers = []
    for n_pre, n in zip(sizes[:-1], sizes[1:], strict=True):
        delta = rng.random() < 0.5
        c_m = ENDLESS if delta else 1.0
        neuron = sp.LIF(ENDLESS, c_m, 0.0, 1.0, 0.0, 0.0, reset=RESETS[rng.integers(2)])
        w_rec = rng.integers(-5, 5, (n, n)) / 10.0 if rng.random() < 0.5 else None
        synapse = sp.Delta() if delta else sp.Exponential(ENDLESS)
        layers.append(
            sp.Layer(rng.integers(-3, 8, (n_pre, n)) / 10.0, neuron, None, synapse, w_rec)
        )
    x = (rng.random((60, 1, sizes[0])) < 0.4).astype(float)
    return sp.LayeredNetwork(layers), x


@pytest.mark.parametrize("make", [some_network, decimal_network])
def test_random_networks_have_the_same_spikes(make):
    n_spikes = sum(see_that_both_agree(*make(np.random.default_rng(s))) for s in range(MANY))
    assert n_spikes > 10 * MANY


@pytest.mark.parametrize("make", [some_network, decimal_network])
def test_the_simulation_adds_in_the_stated_order(make):
    for seed in range(SLOW):
        network, x = make(np.random.default_rng([7, seed]))
        slow = naive_to_network.run(network, x[:40, 0])
        for pair, expected in zip(simulated(network, x[:40]), slow, strict=True):
            for value, wanted in zip(pair, expected, strict=True):
                np.testing.assert_array_equal(value, wanted)


@pytest.mark.parametrize("density", [0.02, 0.5])
def test_larger_networks_have_the_same_spikes_on_two_threads(density):
    sizes, n_steps = ([40, 25, 10], 20) if config.DISABLE_JIT else ([300, 150, 70], 60)
    neuron = sp.LIF.normalised(10.0, 1.0)
    synapse = sp.Exponential(4.0)
    network = sp.dense(sizes, neuron, synapse=synapse, recurrent=True, gain=9.0, dt=0.5, rng=1)
    x = (np.random.default_rng(2).random((n_steps, 3, sizes[0])) < density).astype(float)
    assert see_that_both_agree(network, x, 2, threads=2) > 10


@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize("synapse", [sp.Delta(), sp.Exponential(4.0)])
def test_what_was_trained_is_what_is_simulated(recurrent, synapse):
    data = sp.datasets.xor()
    hidden = sp.LIF.normalised(8.0, 2.0, "subtract")
    network = sp.dense(
        [2, 6, 5, 2], hidden, output=sp.LIF.non_spiking(), synapse=synapse, recurrent=recurrent,
        gain=10.0, bias_sd=0.2, rng=3,
    )  # fmt: skip
    encoder = sp.encoding.RateEncoder(25.0, 900.0, "poisson", low=0.0, high=1.0)
    fitted = sp.fit(
        network, sp.learning.Backprop(), data.features, data.labels, encoder=encoder, epochs=3,
        seed=1,
    )  # fmt: skip
    trained = fitted.network
    assert not np.array_equal(trained.layers[0].w, network.layers[0].w)
    assert (trained.layers[1].w_rec is not None) == recurrent
    x = encoder.encode(data.features, dt=network.dt, rng=5)
    assert sum(see_that_both_agree(trained, x, trial) for trial in range(4)) > 50


def small(**changes):
    layer = {"w": [[1.5, 0.0], [0.0, 0.5]], "neuron": sp.LIF.normalised(), **changes}
    return sp.LayeredNetwork([sp.Layer(**layer)])


def test_the_network_says_what_it_is():
    network = sp.dense([3, 4, 2], sp.LIF.normalised(), recurrent=True, rng=0)
    made = sp.to_network(network)
    assert [(p.name, p.n) for p in made.populations] == [
        ("input", 3),
        ("layer 0", 4),
        ("layer 1", 2),
    ]
    ends = [(p.source, p.target) for p in made.projections]
    assert ends == [("input", "layer 0"), ("layer 0", "layer 0"), ("layer 0", "layer 1")]
    np.testing.assert_array_equal(made.projections[1].weight, network.layers[0].w_rec)
    assert len(sp.simulate(made, 20.0, dt=1.0)["input"].spike_times) == 0


def test_a_weight_of_zero_is_no_synapse():
    made = sp.to_network(small())
    assert len(sp.connections(made, made.projections[0], seed=0)) == 2


def test_the_bias_is_a_current():
    network = small(bias=[0.5, -0.25], neuron=sp.LIF.normalised())
    np.testing.assert_array_equal(
        sp.to_network(network).population("layer 0").model.i_ext, [0.5, -0.25]
    )
    np.testing.assert_array_equal(network.layers[0].neuron.i_ext, 0.0)


def test_weights_of_single_precision_are_taken_over():
    layers = [sp.Layer([[0.1, 0.7]], sp.LIF.normalised(), [0.3, 0.0])]
    network = sp.LayeredNetwork(layers, precision="single")
    made = sp.to_network(network, np.full((3, 1, 1), 0.5))
    np.testing.assert_array_equal(made.projections[0].weight, 0.5 * np.float32([[0.1, 0.7]]))
    assert made.projections[0].weight.dtype == np.float64
    bias = made.population("layer 0").model.i_ext
    np.testing.assert_array_equal(bias, np.float32([0.3, 0.0]))
    sp.simulate(made, 3.0, dt=1.0)


@pytest.mark.parametrize("source", [sp.SpikeSource([1.0, 3.0], [0, 1]), sp.PoissonSource(500.0)])
def test_inputs_may_be_sources(source):
    recording = sp.simulate(sp.to_network(small(), source), 20.0, dt=1.0, seed=1)
    fired = recording["input"]
    assert len(fired.spike_times) > 1
    x = np.zeros((20, 1, 2))
    # A Poisson source may fire twice in a step.
    np.add.at(x, (np.rint(fired.spike_times).astype(int) - 1, 0, fired.spike_ids), 1.0)
    trace = forward(small(), x)[0]
    np.testing.assert_array_equal(recording["layer 0"].spike_times, np.nonzero(trace.output)[0] + 1)


def test_an_input_with_values_has_a_source_for_each():
    x = np.zeros((6, 1, 2))
    x[:, 0, 0] = [0.5, 1.0, -2.0, 0.5, 0.0, 1.0]
    x[2, 0, 1] = 1.0
    made = sp.to_network(small(), x)
    assert made.population("input").n == 4
    w = small().layers[0].w
    expected = np.array([-2.0 * w[0], 0.5 * w[0], w[0], w[1]])
    dense = np.zeros((4, 2))
    rule = made.projections[0].rule
    dense[rule.pre, rule.post] = made.projections[0].weight
    np.testing.assert_array_equal(dense, expected)
    see_that_both_agree(small(), x)


def test_packed_spikes_are_taken_as_they_are():
    x = (np.random.default_rng(0).random((9, 3, 2)) < 0.5).astype(float)
    plain, packed = (sp.to_network(small(), some, trial=1) for some in (x, PackedSpikes.pack(x)))
    assert plain.digest() == packed.digest()
    assert plain.digest() != sp.to_network(small(), x, trial=2).digest()


def test_unit_questions_are_not_asked_again():
    """A faint current is one for the user to hear of, not one for a bias that was learned."""
    neuron = sp.LIF(tau_m=10.0, c_m=250.0)
    sp.to_network(sp.LayeredNetwork([sp.Layer([[300.0]], neuron, [0.01], sp.Exponential())]))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"network": 3}, TypeError, r"to_network\.network must be a LayeredNetwork"),
        ({"x": np.zeros((4, 1, 3))}, ValueError, r"to_network\.x must have shape"),
        ({"x": np.zeros((4, 2))}, ValueError, r"to_network\.x must have shape"),
        ({"x": np.full((4, 1, 2), np.nan)}, ValueError, r"to_network\.x\[0, 0, 0\]"),
        ({"x": np.zeros((4, 1, 2)), "trial": 1}, IndexError, r"to_network\.trial"),
        ({"x": np.zeros((4, 1, 2)), "trial": -1}, IndexError, r"to_network\.trial"),
        ({"x": np.zeros((4, 1, 2)), "trial": [0]}, TypeError, r"to_network\.trial"),
        ({"x": np.zeros((4, 1, 2)), "trial": 0.5}, TypeError, r"to_network\.trial"),
        ({"x": sp.SpikeSource([1.0], [2])}, IndexError, r"SpikeSource\.ids"),
        ({"trials": 0}, TypeError, r"trial"),
    ],
)
def test_bad_arguments_are_refused(change, error, message):
    with pytest.raises(error, match=message):
        sp.to_network(**{"network": small(), **change})


@pytest.mark.parametrize("unit", [sp.Sigmoid(), sp.Tanh(), sp.ReLU(), sp.Step()])
def test_rate_layers_are_refused_by_name(unit):
    network = sp.dense([2, 3, 2], sp.LIF.normalised(), output=unit, rng=0)
    with pytest.raises(ValueError, match=rf"layer 1 has {type(unit).__name__}"):
        sp.to_network(network)


def test_what_has_no_grid_of_one_step_is_refused():
    layers = [sp.Layer([[1.0]], sp.LIF.normalised(), None, sp.Exponential())]
    with pytest.raises(ValueError, match="must be on a grid"):
        sp.to_network(sp.LayeredNetwork(layers, continuous=True))
    with pytest.raises(ValueError, match="layer 0 has delay 0"):
        sp.to_network(sp.LayeredNetwork([dataclasses.replace(layers[0], delay=0.0)]))
    recurrent = dataclasses.replace(layers[0], w_rec=[[1.0]], delay_rec=0.0)
    with pytest.raises(ValueError, match="layer 0 has delay_rec 0"):
        sp.to_network(sp.LayeredNetwork([recurrent]))
