"""Layered networks forward and backward: kernels against their slow twins, and known cases."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numba import config

import spikesim as sp
from spikesim.layered import Layer, LayeredNetwork, backward, dense, forward
from spikesim.layered.relaxed import relaxed_forward
from spikesim.learning import Perceptron, fit
from spikesim.neurons import LIF, ReLU, Sigmoid, Step, Tanh
from spikesim.surrogates import FastSigmoid
from spikesim.synapses import Delta, Exponential
from tests import naive_layered as naive

LAYERS = list(
    itertools.product(
        ["to_potential", "subtract"], [Delta(), Exponential(3.0)], [False, True], [0.0, 2.0]
    )
)


def a_layer(reset, synapse, recurrent, t_ref, n_pre=3, n=4, seed=0):
    """Return a layer whose parameters all differ between its units, and that fires."""
    rng = np.random.default_rng(seed)
    v_th = rng.uniform(-54.0, -50.0, n)
    v_th[-1] = np.inf
    neuron = LIF(
        tau_m=rng.uniform(5.0, 20.0, n),
        c_m=rng.uniform(100.0, 300.0, n),
        v_rest=rng.uniform(-66.0, -60.0, n),
        v_th=v_th,
        v_reset=rng.uniform(-75.0, -70.0, n),
        t_ref=t_ref + np.arange(n) % 2 * (t_ref > 0),
        i_ext=rng.uniform(0.0, 200.0, n),
        v_init=rng.uniform(-70.0, -52.0, n),
        reset=reset,
    )
    gain = 12.0 if isinstance(synapse, Delta) else 800.0
    return Layer(
        rng.normal(0.3, 1.0, (n_pre, n)) * gain,
        neuron,
        rng.normal(0.0, 50.0, n),
        synapse,
        rng.normal(0.0, 1.0, (n, n)) * gain if recurrent else None,
    )


def some_spikes(n_steps=25, n_trials=3, n=3, seed=1):
    return (np.random.default_rng(seed).random((n_steps, n_trials, n)) < 0.4) * 1.0


@pytest.mark.parametrize(("reset", "synapse", "recurrent", "t_ref"), LAYERS)
def test_the_forward_kernel_equals_its_slow_twin(reset, synapse, recurrent, t_ref):
    layer, x = a_layer(reset, synapse, recurrent, t_ref), some_spikes()
    trace = forward(LayeredNetwork([layer]), x)[0]
    output, v, held = naive.lif_layer(layer, x, 1.0)
    assert 0.05 < output[..., :-1].mean() < 0.9
    assert not output[..., -1].any()
    np.testing.assert_array_equal(trace.output, output)
    np.testing.assert_array_equal(trace.held, held)
    assert held.any() == (t_ref > 0)
    np.testing.assert_allclose(trace.v, v, rtol=1e-11, atol=1e-9)


@pytest.mark.parametrize("detach_reset", [True, False])
@pytest.mark.parametrize(("reset", "synapse", "recurrent", "t_ref"), LAYERS)
def test_the_backward_kernel_equals_its_slow_twin(reset, synapse, recurrent, t_ref, detach_reset):
    layer, x = a_layer(reset, synapse, recurrent, t_ref), some_spikes()
    network = LayeredNetwork([layer])
    trace = forward(network, x)[0]
    rng = np.random.default_rng(2)
    grad_output, grad_v = rng.standard_normal((2, *trace.v.shape))
    surrogate = FastSigmoid(1.0)
    scale = np.where(np.isinf(layer.neuron.v_th), 1.0, layer.neuron.v_th - layer.neuron.v_rest)
    v_th = np.where(np.isinf(layer.neuron.v_th), 0.0, layer.neuron.v_th)
    phi = surrogate.derivative((trace.v - v_th) / scale) / scale
    drive, bias = naive.lif_adjoint(
        layer, 1.0, trace.output, trace.v, trace.held, grad_output, grad_v, phi, detach_reset
    )
    ours = backward(
        network, x, [trace], grad_output, grad_v, surrogate=surrogate, detach_reset=detach_reset
    )[0]
    wanted = {"w": np.einsum("kbi,kbj->ij", x[:-1], drive[1:]), "bias": bias}
    if recurrent:
        wanted["w_rec"] = np.einsum("kbi,kbj->ij", trace.output[:-1], drive[1:])
    assert ours.keys() == wanted.keys()
    for name, array in wanted.items():
        size = np.abs(array).max()
        np.testing.assert_allclose(ours[name], array, rtol=1e-9, atol=1e-12 * size)


def test_detaching_the_reset_makes_a_difference():
    layer, x = a_layer("to_potential", Delta(), False, 0.0), some_spikes()
    network = LayeredNetwork([layer])
    traces = forward(network, x)
    ones = np.ones(traces[0].output.shape)
    gradients = [
        backward(network, x, traces, ones, None, surrogate=FastSigmoid(), detach_reset=detach)
        for detach in (True, False)
    ]
    assert not np.allclose(gradients[0][0]["w"], gradients[1][0]["w"])


@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize("synapse", [Delta(), Exponential(3.0)])
def test_the_relaxed_run_with_a_hard_step_is_the_kernel(synapse, recurrent):
    neuron = LIF.normalised(8.0, 2.0)
    gain = 9.0 if isinstance(synapse, Delta) else 60.0
    network = dense(
        [3, 6, 2], neuron, synapse=synapse, recurrent=recurrent, gain=gain, bias_sd=0.3, rng=3
    )
    x = some_spikes(40)
    traces = forward(network, x)
    smooth = relaxed_forward(
        network, x, lambda distance: 1.0 * (distance >= 0.0), [t.held for t in traces]
    )
    assert 0.02 < traces[1].output.mean()
    for trace, twin in zip(traces, smooth, strict=True):
        np.testing.assert_array_equal(trace.output, twin.output)
        np.testing.assert_allclose(trace.v, twin.v, rtol=1e-11, atol=1e-11)


def test_a_spike_is_felt_one_step_later_and_its_current_two():
    x = np.zeros((5, 1, 1))
    x[1] = 1.0
    neuron = LIF.non_spiking(10.0)
    jump = forward(LayeredNetwork([Layer([[1.0]], neuron)]), x)[0].v[:, 0, 0]
    np.testing.assert_allclose(jump, [0, 0, 1, np.exp(-0.1), np.exp(-0.2)], rtol=1e-14)
    current = forward(LayeredNetwork([Layer([[1.0]], neuron, synapse=Exponential(5.0))]), x)[0]
    assert np.all(current.v[:3] == 0.0)
    np.testing.assert_allclose(current.v[3, 0, 0], naive.psp(10.0, 10.0, 5.0, 1.0), rtol=1e-12)


def test_the_threshold_itself_fires():
    x = np.zeros((3, 1, 1))
    x[0] = 1.0
    layer = Layer([[1.0]], LIF.normalised(10.0))
    assert forward(LayeredNetwork([layer]), x)[0].output[:, 0, 0].tolist() == [0.0, 1.0, 0.0]
    below = layer.updated(w=np.array([[np.nextafter(1.0, 0.0)]]))
    assert not forward(LayeredNetwork([below]), x)[0].output.any()


def test_a_spike_that_meets_a_refractory_unit_is_lost():
    x = np.ones((8, 1, 1))
    neuron = LIF.normalised(10.0, t_ref=2.0)
    trace = forward(LayeredNetwork([Layer([[1.0]], neuron)]), x)[0]
    assert trace.output[:, 0, 0].tolist() == [0, 1, 0, 0, 1, 0, 0, 1]
    assert trace.held[:, 0, 0].tolist() == [0, 0, 1, 1, 0, 1, 1, 0]


def test_reset_by_subtraction_keeps_what_exceeded_the_threshold():
    x = np.zeros((3, 1, 1))
    x[0] = 1.0
    layer = Layer([[1.75]], LIF.normalised(10.0, reset="subtract"))
    v = forward(LayeredNetwork([layer]), x)[0].v[:, 0, 0]
    np.testing.assert_allclose(v, [0.0, 1.75, 0.75 * np.exp(-0.1)], rtol=1e-14)


@pytest.mark.parametrize("neuron", [Sigmoid(), Tanh(0.5), ReLU(), Step(), Step("gt")])
def test_rate_layers_equal_their_slow_twin(neuron):
    rng = np.random.default_rng(5)
    layer = Layer(rng.standard_normal((3, 4)), neuron, [0.0, 0.5, -1.0, 0.0])
    x = rng.standard_normal((2, 5, 3))
    x[0, 0] = 0.0
    trace = forward(LayeredNetwork([layer]), x)[0]
    output, u = naive.rate_layer(layer, x)
    np.testing.assert_allclose(trace.output, output, rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(trace.v, u, rtol=1e-13, atol=1e-15)
    assert trace.held is None


def test_layers_are_chained():
    network = LayeredNetwork(
        [
            Layer(np.full((3, 4), 0.5), Sigmoid()),
            a_layer("to_potential", Delta(), True, 2.0, n_pre=4),
            Layer(np.ones((4, 2)), ReLU()),
        ]
    )
    x = some_spikes()
    traces = forward(network, x)
    first, _ = naive.rate_layer(network.layers[0], x)
    second, _, _ = naive.lif_layer(network.layers[1], first, 1.0)
    third, _ = naive.rate_layer(network.layers[2], second)
    np.testing.assert_allclose(traces[2].output, third, rtol=1e-12)
    assert third.any()


def test_trials_do_not_touch_each_other():
    network = dense([3, 5, 2], LIF.normalised(8.0, 2.0), recurrent=True, gain=4.0, rng=3)
    x = some_spikes(30, 4)
    together = forward(network, x)[-1].output
    assert together.any()
    for trial in range(4):
        alone = forward(network, x[:, trial : trial + 1])[-1].output
        np.testing.assert_array_equal(together[:, trial], alone[:, 0])


def test_the_output_depends_on_the_layout_and_kind_of_the_input_not_at_all():
    network = dense([3, 5, 2], LIF.normalised(8.0), gain=3.0, rng=3)
    x = some_spikes(20, 4)
    wanted = forward(network, x)[-1]
    read_only = x.copy()
    read_only.flags.writeable = False
    strided = np.repeat(x, 2, axis=1)[:, ::2]
    for other in (
        np.asfortranarray(x), strided, x[::-1].copy()[::-1], read_only, x.astype(np.float32),
        x.astype(np.uint8), x.astype(bool), x.astype(">f8"), x.tolist(), np.ma.array(x),
    ):  # fmt: skip
        trace = forward(network, other)[-1]
        np.testing.assert_array_equal(trace.output, wanted.output)
        np.testing.assert_array_equal(trace.v, wanted.v)


def test_only_trainable_arrays_get_a_gradient():
    rng = np.random.default_rng(0)
    network = LayeredNetwork(
        [
            Layer(rng.standard_normal((3, 4)), Sigmoid(), trainable=("w", "steepness")),
            Layer(rng.standard_normal((4, 2)), LIF.normalised(5.0), trainable=()),
            Layer(rng.standard_normal((2, 2)), LIF.normalised(5.0), w_rec=np.eye(2)),
        ]
    )
    x = some_spikes()
    traces = forward(network, x)
    gradients = backward(
        network, x, traces, np.ones(traces[-1].output.shape), None, surrogate=FastSigmoid()
    )
    assert [set(g) for g in gradients] == [{"w", "steepness"}, set(), {"w", "bias", "w_rec"}]
    for layer, arrays in zip(network.layers, gradients, strict=True):
        for name, array in arrays.items():
            assert array.shape == getattr(layer, name).shape


def test_updated_replaces_and_keeps():
    layer = Layer(np.ones((2, 3)), Sigmoid())
    new = layer.updated(w=np.zeros((2, 3)))
    assert not new.w.any() and layer.w.all()
    assert not new.w.flags.writeable
    network = LayeredNetwork([layer], dt=0.5)
    assert network.updated([new]).layers[0] is new
    assert network.updated([new]).dt == 0.5
    recurrent = Layer(np.ones((2, 3)), LIF()).updated(w_rec=np.eye(3))
    assert recurrent.w_rec is not None


def test_a_batch_of_random_networks_is_the_same_for_equal_seeds():
    first = dense([3, 4, 2], LIF(), recurrent=True, bias_sd=1.0, rng=7)
    second = dense([3, 4, 2], LIF(), recurrent=True, bias_sd=1.0, rng=7)
    for a, b in zip(first.layers, second.layers, strict=True):
        for name, array in a.parameters().items():
            np.testing.assert_array_equal(array, b.parameters()[name])


@pytest.mark.parametrize("reset", ["to_potential", "subtract"])
@pytest.mark.parametrize("synapse", [Delta(), Exponential(4.0)])
def test_both_engines_give_the_same_spikes(synapse, reset):
    rng = np.random.default_rng(0)
    dt, n_steps, gain = 0.5, 120, 4.0 if isinstance(synapse, Delta) else 200.0
    neuron = LIF(tau_m=12.0, c_m=200.0, t_ref=2.0, i_ext=180.0, reset=reset)
    w, w_rec = gain * rng.normal(0.5, 1.0, (6, 5)), gain * rng.normal(0.0, 0.5, (5, 5))
    x = (rng.random((n_steps, 1, 6)) < 0.2) * 1.0
    trace = forward(LayeredNetwork([Layer(w, neuron, None, synapse, w_rec)], dt), x)[0]

    step, _, line = np.nonzero(x)
    source = sp.Population("in", sp.SpikeSource(times=(step + 1) * dt, ids=line), 6)
    units = sp.Population("out", neuron, 5)

    def connected(pre, weights):
        rule = sp.ExplicitList(*np.divmod(np.arange(weights.size), 5))
        return sp.Projection(pre, units, rule, weight=weights.ravel(), delay=dt, synapse=synapse)

    network = sp.Network([source, units], [connected(source, w), connected(units, w_rec)])
    recording = sp.simulate(network, n_steps * dt, dt=dt, record={"out": "v"}, progress=False)
    step, _, unit = np.nonzero(trace.output)
    assert len(step) > 20
    np.testing.assert_array_equal(recording["out"].spike_times, (step + 1) * dt)
    np.testing.assert_array_equal(recording["out"].spike_ids, unit)


@pytest.mark.parametrize("neuron", [Step(), Step("gt"), LIF.normalised()], ids=repr)
def test_a_trial_is_decided_alike_alone_and_among_others(neuron):
    """Multiples of 0.1 meet thresholds exactly, but for rounding, which must not vary."""
    for seed in range(20):
        rng = np.random.default_rng(seed)
        n_pre, n_post = int(rng.integers(2, 60)), int(rng.integers(1, 40))
        w, bias = 0.1 * rng.integers(-3, 4, (n_pre, n_post)), 0.1 * rng.integers(-3, 4, n_post)
        network = LayeredNetwork([Layer(w, neuron, bias)])
        x = rng.integers(0, 2, (3, 40, n_pre)).astype(float)
        together = forward(network, x)[0].v
        for trial in range(40):
            alone = forward(network, x[:, [trial]])[0].v
            assert alone.tobytes() == together[:, [trial]].tobytes()


def test_threshold_units_sum_their_inputs_in_order():
    w, x = [[0.1], [0.2], [0.3], [-0.6]], [1.0, 1.0, 1.0, 1.0]
    in_order = 0.1 + 0.2 + 0.3 - 0.6
    assert in_order != 0.1 + (0.2 + 0.3 - 0.6)
    network = LayeredNetwork([Layer(w, Step())])
    assert forward(network, [[x]])[0].v[0, 0, 0] == in_order


def test_a_perceptron_that_solves_its_task_in_training_solves_it_afterwards():
    for seed in range(5 if config.DISABLE_JIT else 60):
        rng = np.random.default_rng(seed)
        features = rng.integers(0, 2, (20, 6)).astype(float)
        labels = (features[:, :3].sum(axis=1) >= 2).astype(int)
        network = LayeredNetwork([Layer(np.zeros((6, 1)), Step())])
        result = fit(
            network, Perceptron(0.1), features, labels, epochs=200, seed=seed, until="solved",
            patience=1, warn=False,
        )  # fmt: skip
        assert result.history.solved_epoch is None or result.score(features, labels) == 1.0
