"""Layers of adaptive units: forward, backward, e-prop, and what does not know them."""

from __future__ import annotations

import inspect
import itertools
from dataclasses import replace

import numpy as np
import pytest

import spikesim as sp
from spikesim import learning
from spikesim.encoding import LatencyEncoder
from spikesim.errors import ParameterError, SpikesimError
from spikesim.layered import Layer, LayeredNetwork, backward, dense, forward
from spikesim.learning import (
    DECOLLE,
    Adam,
    Backprop,
    CrossEntropy,
    EProp,
    MaxMembrane,
    MeanMembrane,
    SpikeCount,
    check_gradient,
    fit,
    load_fit,
)
from spikesim.neurons import LIF, AdaptiveLIF
from spikesim.surrogates import FastSigmoid, Truncated
from spikesim.synapses import Delta, Exponential
from tests import naive_layered, naive_online, naive_to_network
from tests.test_online_rules import assert_close
from tests.test_to_network import see_that_both_agree, simulated

SURROGATE = FastSigmoid(3.0)
RESETS = ("to_potential", "subtract")
SYNAPSES = (Delta(), Exponential(4.0))
KNOW_THEM = {
    "Backprop", "DECOLLE", "DirectFeedbackAlignment", "EProp", "Evolution", "FeedbackAlignment",
}  # fmt: skip


def units(n, rng, t_ref=0.0, reset="to_potential"):
    """Return units of which the first does not adapt, and the others differ."""
    delta_a = rng.uniform(0.1, 0.5, n)
    delta_a[0] = 0.0
    return AdaptiveLIF.normalised(
        rng.uniform(4.0, 15.0, n), t_ref, reset, tau_a=rng.uniform(5.0, 60.0, n), delta_a=delta_a
    )


def adaptive(reset, synapse, t_ref=0.0, recurrent=True, seed=0, output=None, precision="double"):
    """Make a network that fires a lot in all of its layers."""
    rng = np.random.default_rng(seed)
    gain = 1.0 if isinstance(synapse, Delta) else 5.0
    layers = [
        Layer(
            rng.normal(0.3, 0.6, (n_pre, n)) * gain,
            unit,
            rng.normal(0.3, 0.1, n),
            synapse,
            rng.normal(0.0, 0.3, (n, n)) * gain if back else None,
        )
        for n_pre, n, unit, back in (
            (3, 5, units(5, rng, t_ref, reset), recurrent),
            (5, 2, units(2, rng, 0.0, reset) if output is None else output, False),
        )
    ]
    return LayeredNetwork(layers, precision=precision)


def some_spikes(n_steps=30, n_trials=3, seed=1):
    return (np.random.default_rng(seed).random((n_steps, n_trials, 3)) < 0.4) * 1.0


def slopes_of(trace):
    return SURROGATE.derivative(trace.v - 1.0 - trace.a) * ~trace.held


ALL = list(itertools.product(RESETS, SYNAPSES, [False, True], [0.0, 2.0]))


@pytest.mark.parametrize(("reset", "synapse", "recurrent", "t_ref"), ALL)
def test_the_forward_kernel_equals_its_slow_twin(reset, synapse, recurrent, t_ref):
    network, x = adaptive(reset, synapse, t_ref, recurrent), some_spikes()
    traces = forward(network, x)
    for layer, trace in zip(network.layers, traces, strict=True):
        output, v, held = naive_layered.lif_layer(layer, x, 1.0)
        assert output[..., 1:].mean() > 0.03
        np.testing.assert_array_equal(trace.output, output)
        np.testing.assert_array_equal(trace.held, held)
        np.testing.assert_allclose(trace.v, v, rtol=1e-11, atol=1e-11)
        decay = np.exp(-1.0 / layer.neuron.tau_a)
        a = np.zeros(output.shape)
        for k in range(1, len(a)):
            a[k] = decay * a[k - 1] + layer.neuron.delta_a * output[k - 1]
        np.testing.assert_allclose(trace.a, a, rtol=1e-13, atol=1e-13)
        x = output


@pytest.mark.parametrize("detach_reset", [True, False])
@pytest.mark.parametrize(("reset", "synapse", "recurrent", "t_ref"), ALL[::3])
def test_the_gradient_check(reset, synapse, recurrent, t_ref, detach_reset):
    base = adaptive(reset, synapse, t_ref, recurrent)
    learnt = ("w", "bias", "w_rec", "tau_m", "v_th")
    network = LayeredNetwork([replace(layer, trainable=learnt) for layer in base.layers])
    rule = Backprop(
        CrossEntropy(3.0), readout=SpikeCount(), surrogate=SURROGATE, detach_reset=detach_reset
    )
    check = check_gradient(network, rule, some_spikes(10), [0, 1, 1])
    assert check.max_relative_error < 1e-7
    assert all(np.linalg.norm(g) > 1e-4 for g in check.analytic[0].values())


def test_a_surrogate_without_a_kernel_is_taken_at_the_threshold_as_it_stands():
    class Own(FastSigmoid):
        def derivative(self, x):
            return FastSigmoid(self.slope).derivative(x)

    network, x = adaptive("subtract", Delta()), some_spikes()
    traces = forward(network, x)
    ones = np.ones(traces[-1].output.shape)
    own, usual = (
        backward(network, x, traces, ones, None, surrogate=kind(2.0)) for kind in (Own, FastSigmoid)
    )
    assert Own().scalar is None
    assert_close(own, usual)


@pytest.mark.parametrize("surrogate", [SURROGATE, Truncated(SURROGATE, 0.5)])
def test_without_a_jump_it_is_lif_in_every_bit(surrogate):
    rng = np.random.default_rng(0)
    network, x = adaptive("to_potential", Exponential(4.0), 2.0), some_spikes()
    still = [
        replace(layer, neuron=layer.neuron.replaced(delta_a=np.zeros(layer.n_post)))
        for layer in network.layers
    ]
    plain = [
        replace(
            layer,
            neuron=LIF(
                **{k: v for k, v in vars(layer.neuron).items() if k not in ("tau_a", "delta_a")}
            ),
        )
        for layer in network.layers
    ]
    grad = rng.standard_normal((30, 3, 2))
    found = []
    for layers in (still, plain):
        net = LayeredNetwork(layers)
        traces = forward(net, x)
        found.append((traces, backward(net, x, traces, grad, None, surrogate=surrogate)))
    (one, gradients), (other, wanted) = found
    assert one[0].output.sum() > 30
    for a, b in zip(one, other, strict=True):
        assert a.output.tobytes() == b.output.tobytes() and a.v.tobytes() == b.v.tobytes()
        assert not a.a.any() and b.a is None
    for a, b in zip(gradients, wanted, strict=True):
        for name, array in b.items():
            np.testing.assert_array_equal(a[name], array)


def test_single_precision_is_near():
    x = some_spikes(15)
    one, other = (
        adaptive("to_potential", Exponential(4.0), precision=p) for p in ("double", "single")
    )
    traces = forward(one, x), forward(other, x)
    np.testing.assert_array_equal(traces[0][1].output, traces[1][1].output)
    assert traces[1][0].a.dtype == np.float32
    ones = np.ones((15, 3, 2))
    wanted, found = (
        backward(net, x, t, ones, None, surrogate=SURROGATE)
        for net, t in zip((one, other), traces, strict=True)
    )
    assert_close(found, wanted, rtol=1e-4)


def test_parts_of_a_batch_give_the_same_bits():
    network, x = adaptive("subtract", Exponential(4.0)), some_spikes(n_trials=9)
    trained = []
    for save_memory in (False, True):
        rule = Backprop(readout=SpikeCount(), save_memory=save_memory)
        new, _, metrics = rule.step(network, rule.init(network), x, np.arange(9) % 2)
        trained.append(new)
    for one, other in zip(*(net.layers for net in trained), strict=True):
        np.testing.assert_allclose(one.w, other.w, rtol=1e-12)
    assert metrics.traces[0].a is None


def cut_off(network, x, traces, grads):
    """Return the gradient where nothing goes back through recurrent spikes and resets."""
    hidden, output = network.layers
    cut = Layer(np.vstack([hidden.w, hidden.w_rec]), hidden.neuron, hidden.bias, hidden.synapse)
    wanted = backward(
        LayeredNetwork([cut, output]), np.concatenate([x, traces[0].output], axis=2), traces,
        *grads, surrogate=SURROGATE, detach_reset=True,
    )  # fmt: skip
    wanted[0]["w"], wanted[0]["w_rec"] = wanted[0]["w"][:3], wanted[0]["w"][3:]
    return wanted


@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("synapse", SYNAPSES, ids=repr)
@pytest.mark.parametrize("t_ref", [0.0, 2.0])
@pytest.mark.parametrize("readout", [MaxMembrane(0.3), SpikeCount()], ids=repr)
def test_eprop_is_backpropagation_with_reset_and_recurrence_cut(reset, synapse, t_ref, readout):
    leaky = LIF.non_spiking(15.0) if isinstance(readout, MaxMembrane) else None
    network = adaptive(reset, synapse, t_ref, output=leaky)
    x, labels = some_spikes(), np.array([0, 1, 1])
    rule = EProp(CrossEntropy(0.7), readout=readout, surrogate=SURROGATE)
    traces = forward(network, x)
    *_, grad_output, grad_v = rule.loss_and_gradient(network, traces, labels)
    found = rule._gradients(network, rule.init(network), x, traces, grad_output, grad_v)
    assert traces[0].output.sum() > 40
    assert_close(found, cut_off(network, x, traces, (grad_output, grad_v)))
    whole = backward(
        network, x, traces, grad_output, grad_v, surrogate=SURROGATE, detach_reset=True
    )
    assert np.abs(whole[0]["w"] - found[0]["w"]).max() > 1e-6


@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("synapse", SYNAPSES, ids=repr)
@pytest.mark.parametrize("t_ref", [0.0, 2.0])
def test_eprop_equals_its_slow_twin_online(reset, synapse, t_ref):
    network = adaptive(reset, synapse, t_ref, output=LIF.non_spiking(15.0))
    x = some_spikes()
    rule = EProp(surrogate=SURROGATE, feedback="random", seed=4)
    traces, state = forward(network, x), rule.init(network)
    to_v = np.random.default_rng(2).standard_normal(traces[1].v.shape)
    found = rule._gradients(network, state, x, traces, None, to_v)[0]
    hidden, output = network.layers
    slopes = slopes_of(traces[0])
    for name, source in (("w", x), ("w_rec", traces[0].output)):
        lines = Layer(getattr(hidden, name), hidden.neuron, synapse=synapse)
        wanted = naive_online.eprop(
            lines, output, 1.0, source, traces, slopes, to_v, state.feedback[0]
        )
        assert_close([found], [{name: wanted}])


@pytest.mark.parametrize("synapse", SYNAPSES, ids=repr)
def test_decolle_weighs_the_same_eligibilities_by_its_local_errors(synapse):
    network = adaptive("to_potential", synapse, 2.0, output=LIF.non_spiking(15.0))
    x, labels = some_spikes(), np.array([0, 1, 1])
    rule = DECOLLE(CrossEntropy(2.0), readout=MeanMembrane(), surrogate=SURROGATE)
    traces, state = forward(network, x), rule.init(network)
    *_, grad_output, grad_v = rule.loss_and_gradient(network, traces, labels)
    found = rule._gradients(network, state, x, labels, traces, grad_output, grad_v)[0]
    signal = rule._local(traces[0], state.readouts[0], labels)
    hidden, slopes = network.layers[0], slopes_of(traces[0])
    lines = Layer(hidden.w, hidden.neuron, synapse=synapse)
    wanted = np.zeros(hidden.w.shape)
    for b in range(3):
        held, output = traces[0].held[:, b], traces[0].output[:, b]
        of_v = (e for e, _ in naive_online.eligibilities(lines, 1.0, x[:, b], output, held))
        for k, e in enumerate(naive_online.spike_traces(lines, 1.0, of_v, slopes[:, b])):
            wanted += e * signal[k, b]
    assert_close([found], [{"w": wanted}])


@pytest.mark.parametrize(("reset", "synapse", "recurrent", "t_ref"), ALL)
def test_to_network_has_the_same_bits(reset, synapse, recurrent, t_ref):
    for output in (None, LIF.non_spiking()):
        network, x = adaptive(reset, synapse, t_ref, recurrent, output=output), some_spikes(60, 1)
        assert see_that_both_agree(network, x) > 30
        twin = naive_to_network.run(network, x[:, 0])
        for found, wanted in zip(simulated(network, x), twin, strict=True):
            for ours, theirs in zip(found, wanted, strict=True):
                assert ours.tobytes() == theirs.tobytes()


@pytest.mark.parametrize("feedback", ["symmetric", "random", "adaptive"])
def test_eprop_learns_xor_and_goes_on_from_a_file(feedback, tmp_path):
    data, encoder = sp.datasets.xor(), LatencyEncoder(12.0, 8.0, bias_spike=True)
    unit = AdaptiveLIF.normalised(5.0, tau_a=20.0, delta_a=0.3)
    network = dense([3, 10, 2], unit, output=LIF.non_spiking(10.0), synapse=Exponential(3.0),
                    gain=8.0, recurrent=True, rng=2)  # fmt: skip
    rule = EProp(CrossEntropy(20.0), Adam(0.1), MeanMembrane(), FastSigmoid(5.0), feedback)
    result = fit(network, rule, data.features, data.labels, encoder=encoder, epochs=300, seed=1,
                 until="solved", patience=5, warn=False)  # fmt: skip
    assert result.score(data.features, data.labels) == 1.0
    result.save(tmp_path / "adaptive.fit")
    again = load_fit(tmp_path / "adaptive.fit")
    assert repr(again.network.layers[0].neuron) == repr(unit)
    assert type(again.network.layers[0].neuron) is AdaptiveLIF
    np.testing.assert_array_equal(again.predict(data.features), data.labels)


def rules():
    for name in learning.__all__:
        kind = getattr(learning, name)
        if inspect.isclass(kind) and not getattr(kind, "_is_protocol", False):
            if hasattr(kind, "init") and hasattr(kind, "step"):
                yield kind


def every_network(make):
    """Yield networks of each shape that some rule trains, of units as `make` returns them."""
    yield dense([3, 1], make(), synapse=Exponential(3.0), rng=1)
    yield dense([3, 2], make(), synapse=Exponential(3.0), rng=1)
    yield dense([3, 4, 2], make(), synapse=Exponential(3.0), rng=1)
    yield dense([3, 4, 2], make(), output=LIF.non_spiking(), synapse=Exponential(3.0), rng=1)
    yield dense([3, 4, 2], LIF.normalised(), output=make(), synapse=Exponential(3.0), rng=1)


@pytest.mark.parametrize("kind", list(rules()), ids=lambda kind: kind.__name__)
def test_a_rule_knows_adaptive_units_or_says_that_it_does_not(kind):
    if kind.__name__ in KNOW_THEM:
        for network in every_network(AdaptiveLIF.normalised):
            kind().init(network)
        return
    messages = []
    pairs = zip(every_network(LIF.normalised), every_network(AdaptiveLIF.normalised), strict=True)
    for plain, other in pairs:
        with pytest.raises(SpikesimError) as refused:
            kind().init(other)
        messages.append(str(refused.value))
        try:
            kind().init(plain)
        except SpikesimError:
            continue
        # What it trains of LIF units it refuses for what they are here.
        assert "AdaptiveLIF" in messages[-1]
    assert all(kind.__name__ in message for message in messages)


def test_what_else_does_not_know_them_says_so():
    unit = AdaptiveLIF.normalised()
    with pytest.raises(ParameterError, match="continuous time needs LIF units"):
        dense([2, 2], unit, synapse=Exponential(3.0), continuous=True, rng=0)
    with pytest.raises(SpikesimError, match=r"committee_network\.neuron"):
        learning.committee_network(2, 3, 1, unit, rng=0)
    with pytest.raises(ParameterError, match="AdaptiveLIF.v_th must lie above v_rest"):
        low = unit.replaced(v_rest=1.0)
        Backprop().init(dense([2, 2], low, rng=0))


@pytest.mark.parametrize("bad", [{"delta_a": [0.1, 0.2, 0.3]}, {"tau_a": sp.Uniform(1.0, 9.0)}])
def test_a_layer_refuses_parameters_that_do_not_fit(bad):
    with pytest.raises(ParameterError, match=r"Layer\.neuron"):
        Layer(np.ones((2, 2)), AdaptiveLIF(**bad))
