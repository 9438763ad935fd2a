"""Rules that take another way to the gradient, or another gradient: what theory says of each."""

from __future__ import annotations

import numpy as np
import pytest
from numba import config

from spikesim.datasets import xor
from spikesim.encoding import LatencyEncoder
from spikesim.errors import ParameterError
from spikesim.layered import Layer, LayeredNetwork, backward, dense, forward
from spikesim.learning import (
    DECOLLE,
    MSE,
    SGD,
    Adam,
    CrossEntropy,
    DirectFeedbackAlignment,
    EProp,
    FeedbackAlignment,
    FirstSpike,
    MaxMembrane,
    MeanMembrane,
    Reinforce,
    SpikeCount,
    fit,
)
from spikesim.learning.error_paths import by_own_errors
from spikesim.learning.reinforce import run_drawn
from spikesim.neurons import LIF, Sigmoid, Tanh
from spikesim.surrogates import FastSigmoid
from spikesim.synapses import Delta, Exponential
from tests import naive_online as naive

XOR = xor()
LATENCY = LatencyEncoder(12.0, 8.0, bias_spike=True)
SURROGATE = FastSigmoid(3.0)
RESETS = ("to_potential", "subtract")
SYNAPSES = (Delta(), Exponential(4.0))


def solves_xor(network, rule, **options):
    options = {"epochs": 300, "seed": 1, "until": "solved", "patience": 5, "warn": False,
               **options}  # fmt: skip
    result = fit(network, rule, XOR.features, XOR.labels, **options)
    return result.score(XOR.features, XOR.labels) == 1.0


def small(sizes, recurrent, rng):
    return dense(sizes, LIF.normalised(5.0), output=LIF.non_spiking(10.0),
                 synapse=Exponential(3.0), gain=8.0, recurrent=recurrent, rng=rng)  # fmt: skip


def random_spikes(n_steps=30, n_trials=3, n=3, seed=1):
    rng = np.random.default_rng(seed)
    return (rng.random((n_steps, n_trials, n)) < 0.3).astype(float)


def spiking(reset, synapse, t_ref=0.0, recurrent=True, output=None, tau_m=8.0, seed=0):
    """Make a network that fires a lot in all of its layers."""
    network = dense(
        [3, 4, 2], LIF.normalised(tau_m, t_ref, reset), output=output, synapse=synapse,
        gain=1.5 if isinstance(synapse, Delta) else 6.0, bias_sd=0.2, recurrent=recurrent,
        rng=seed,
    )  # fmt: skip
    return network


def gradients_of(rule, network, x, labels):
    """Return what a rule takes for the gradient, found from a step of plain descent."""
    rate = 1e-3
    rule = type(rule)(**{**vars(rule), "optimiser": SGD(rate)})
    new, _, _ = rule.step(network, rule.init(network), x, labels)
    return [
        {name: (layer.parameters()[name] - array) / -rate for name, array in old.items()}
        for layer, old in zip(new.layers, (a.parameters() for a in network.layers), strict=True)
    ]


def slopes_of(trace):
    """Return what stands for the derivative of a spike, for normalised units."""
    return SURROGATE.derivative(trace.v - 1.0) * ~trace.held


def assert_close(found, wanted, rtol=1e-12):
    for a, b in zip(found, wanted, strict=True):
        for name in b:
            scale = np.abs(b[name]).max()
            assert scale > 0.0
            np.testing.assert_allclose(a[name], b[name], rtol=0.0, atol=rtol * scale)


@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("synapse", SYNAPSES, ids=repr)
@pytest.mark.parametrize("t_ref", [0.0, 2.0])
@pytest.mark.parametrize("tau_m", [8.0, np.array([8.0, 5.0, 8.0, 3.0])], ids=["one", "several"])
def test_sums_over_traces_equal_their_slow_twin(reset, synapse, t_ref, tau_m):
    layer = spiking(reset, synapse, t_ref, recurrent=False, output=LIF.non_spiking(),
                    tau_m=tau_m).layers[0]  # fmt: skip
    x = random_spikes()
    trace = forward(LayeredNetwork([layer]), x)[0]
    assert trace.output.sum() > 20
    # Signals while a unit is held count, too.
    signal = np.random.default_rng(0).standard_normal(trace.v.shape)
    network = LayeredNetwork([layer])
    found = by_own_errors(network, x, [trace], [(None, signal)], SURROGATE)
    by_w, by_bias = naive.weighed(layer, 1.0, x, trace, signal)
    assert_close(found, [{"w": by_w, "bias": by_bias}])


@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("synapse", SYNAPSES, ids=repr)
@pytest.mark.parametrize("t_ref", [0.0, 2.0])
@pytest.mark.parametrize("readout", [MaxMembrane(), SpikeCount(), FirstSpike()], ids=repr)
@pytest.mark.parametrize("leaky", [True, False])
def test_eprop_is_backpropagation_with_reset_and_recurrence_cut(
    reset, synapse, t_ref, readout, leaky
):
    if leaky and not isinstance(readout, MaxMembrane):
        readout = MaxMembrane(threshold=0.3)
    network = spiking(reset, synapse, t_ref, output=LIF.non_spiking(15.0) if leaky else None)
    x, labels = random_spikes(), np.array([0, 1, 1])
    rule = EProp(CrossEntropy(0.7), readout=readout, surrogate=SURROGATE)
    traces = forward(network, x)
    *_, grad_output, grad_v = rule.loss_and_gradient(network, traces, labels)
    found = rule._gradients(network, rule.init(network), x, traces, grad_output, grad_v)
    # Recurrent spikes as so much more input, which nothing goes back through.
    hidden, output = network.layers
    cut = Layer(np.vstack([hidden.w, hidden.w_rec]), hidden.neuron, hidden.bias, synapse)
    wanted = backward(
        LayeredNetwork([cut, output]), np.concatenate([x, traces[0].output], axis=2), traces,
        grad_output, grad_v, surrogate=SURROGATE, detach_reset=True,
    )  # fmt: skip
    wanted[0]["w"], wanted[0]["w_rec"] = wanted[0]["w"][:3], wanted[0]["w"][3:]
    assert traces[0].output.sum() > 20
    assert_close(found, wanted)
    whole = backward(
        network, x, traces, grad_output, grad_v, surrogate=SURROGATE, detach_reset=True
    )
    assert np.abs(whole[0]["w"] - found[0]["w"]).max() > 1e-6


@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("synapse", SYNAPSES, ids=repr)
@pytest.mark.parametrize("t_ref", [0.0, 2.0])
def test_eprop_equals_its_slow_twin_online(reset, synapse, t_ref):
    """The filter of the readout on the trace of each synapse, or on the error: the same sum."""
    network = spiking(reset, synapse, t_ref, output=LIF.non_spiking(15.0))
    x = random_spikes()
    rule = EProp(surrogate=SURROGATE, feedback="random", seed=4)
    traces, state = forward(network, x), rule.init(network)
    to_v = np.random.default_rng(2).standard_normal(traces[1].v.shape)
    found = rule._gradients(network, state, x, traces, None, to_v)[0]
    hidden, output = network.layers
    slopes = slopes_of(traces[0])
    for name, source in (("w", x), ("w_rec", traces[0].output)):
        lines = Layer(getattr(hidden, name), hidden.neuron, synapse=synapse)
        wanted = naive.eprop(lines, output, 1.0, source, traces, slopes, to_v, state.feedback[0])
        assert_close([found], [{name: wanted}])


@pytest.mark.parametrize("feedback", ["symmetric", "random", "adaptive"])
@pytest.mark.parametrize("recurrent", [False, True])
def test_eprop_learns_xor(feedback, recurrent):
    network = small([3, 10, 2], recurrent, rng=2)
    rule = EProp(CrossEntropy(20.0), Adam(0.1), MeanMembrane(), FastSigmoid(5.0), feedback)
    assert solves_xor(network, rule, encoder=LATENCY)


def test_adaptive_feedback_comes_to_the_output_weights_at_the_rate_of_its_decay():
    network = spiking("subtract", Delta(), output=LIF.non_spiking())
    rule = EProp(feedback="adaptive", feedback_decay=0.1, seed=3)
    x, labels = random_spikes(), np.array([0, 1, 1])
    state = rule.init(network)
    before = state.feedback[0] - network.layers[1].w
    for _ in range(5):
        network, state, _ = rule.step(network, state, x, labels)
    after = state.feedback[0] - network.layers[1].w
    np.testing.assert_allclose(after, 0.9**5 * before, rtol=1e-12)


def test_random_feedback_stays_and_is_drawn_from_the_seed():
    network = spiking("subtract", Delta(), output=LIF.non_spiking())
    one, two = EProp(feedback="random", seed=1), EProp(feedback="random", seed=2)
    assert np.any(one.init(network).feedback[0] != two.init(network).feedback[0])
    state = one.init(network)
    _, after, _ = one.step(network, state, random_spikes(), np.array([0, 1, 1]))
    assert after.feedback[0].tobytes() == state.feedback[0].tobytes()


def test_what_eprop_cannot_train_is_refused():
    deep = dense([3, 4, 4, 2], LIF.normalised(), rng=0)
    with pytest.raises(ParameterError, match="one hidden layer"):
        EProp().init(deep)
    assert len(EProp(feedback="random").init(deep).feedback) == 2
    with pytest.raises(ParameterError, match="rate units"):
        EProp().init(dense([2, 2, 1], Sigmoid(), rng=0))
    with pytest.raises(ParameterError, match="continuous time"):
        EProp().init(dense([2, 2], LIF.normalised(), synapse=Exponential(5.0), continuous=True,
                           rng=0))  # fmt: skip
    with pytest.raises(ParameterError, match="delays"):
        Reinforce().init(LayeredNetwork([Layer(np.ones((2, 1)), LIF.normalised(), delay=2.0)]))


def rates(sizes=(3, 6, 5, 2), seed=0):
    return dense(sizes, Tanh(), output=Sigmoid(), gain=1.5, bias_sd=0.5, rng=seed)


RATE_X = np.random.default_rng(7).standard_normal((1, 5, 3))
RATE_LABELS = np.array([0, 1, 1, 0, 1])


def deltas_of_a_rate_network(rule, network, state, traces):
    """Return the errors by u of each layer, from the equations."""
    *_, error = rule.loss_and_gradient(network, traces, RATE_LABELS)
    deltas = [error[0]]
    for index in range(len(network.layers) - 2, -1, -1):
        if isinstance(rule, FeedbackAlignment):
            back, feedback = deltas[0], state.feedback[index + 1].w
        else:
            back, feedback = deltas[-1], state.feedback[index].w.T
            feedback = feedback.T
        sent = np.einsum("bk,jk->bj", back, feedback)
        deltas.insert(0, sent * (1.0 - traces[index].output[0] ** 2))
    return deltas


@pytest.mark.parametrize("kind", [FeedbackAlignment, DirectFeedbackAlignment])
def test_errors_of_rate_networks_go_back_by_the_random_weights(kind):
    network, rule = rates(), kind(seed=5)
    state = rule.init(network)
    traces = forward(network, RATE_X)
    grads = rule.loss_and_gradient(network, traces, RATE_LABELS)[2:]
    found = rule._gradients(network, state.feedback, RATE_X, traces, *grads)
    sources = [RATE_X[0], *(trace.output[0] for trace in traces)]
    deltas = deltas_of_a_rate_network(rule, network, state, traces)
    assert_close(
        found,
        [{"w": a.T @ b, "bias": b.sum(axis=0)} for a, b in zip(sources, deltas, strict=False)],
    )


@pytest.mark.parametrize("kind", [FeedbackAlignment, DirectFeedbackAlignment])
@pytest.mark.parametrize("detach_reset", [True, False])
def test_with_the_weights_themselves_as_feedback_it_is_backpropagation(kind, detach_reset):
    network = spiking("to_potential", Exponential(4.0), 1.0)
    x, labels = random_spikes(), np.array([0, 1, 1])
    rule = kind(surrogate=SURROGATE, readout=SpikeCount(), detach_reset=detach_reset)
    state = rule.init(network)
    hidden, output = network.layers
    own = [None, output.w] if kind is FeedbackAlignment else [output.w, None]
    feedback = tuple(
        b._replace(w=w, w_rec=layer.w_rec)
        for b, w, layer in zip(state.feedback, own, network.layers, strict=True)
    )
    assert [np.shape(b.w) for b in feedback] == [np.shape(b.w) for b in state.feedback]
    state = state._replace(feedback=feedback)
    np.testing.assert_allclose(rule.angles(network, state, x, labels), 0.0, atol=1e-5)
    other = rule.angles(network, rule.init(network), x, labels)
    assert other[0] > 1.0 and other[1] < 1e-5


def test_one_hidden_layer_makes_all_ways_of_random_feedback_one():
    network = spiking("subtract", Exponential(4.0), 2.0, recurrent=False, output=LIF.non_spiking())
    x, labels = random_spikes(), np.array([0, 1, 1])
    options = {"surrogate": SURROGATE, "seed": 3}
    wanted = gradients_of(DirectFeedbackAlignment(**options), network, x, labels)
    assert_close(gradients_of(FeedbackAlignment(**options), network, x, labels), wanted, 1e-9)
    online = gradients_of(EProp(feedback="random", **options), network, x, labels)
    assert_close(online, wanted, 1e-9)


@pytest.mark.parametrize("kind", [FeedbackAlignment, DirectFeedbackAlignment])
@pytest.mark.parametrize("sizes", [(2, 8, 1), (2, 8, 8, 1)])
def test_random_feedback_teaches_rate_networks_xor_and_they_align(kind, sizes):
    network = dense(sizes, Tanh(), output=Sigmoid(), gain=1.5, bias_sd=1.0, rng=1)
    rule = kind(optimiser=Adam(0.02), record_angles=True)
    x, state = XOR.features[None], rule.init(network)
    recorded = []
    for _ in range(300):
        expected = rule.angles(network, state, x, XOR.labels)
        network, state, metrics = rule.step(network, state, x, XOR.labels)
        assert metrics.angles == expected
        recorded.append(metrics.angles[:-1])
        assert metrics.angles[-1] < 1e-5
    assert metrics.n_correct == 4
    recorded = np.array(recorded)
    assert np.mean(recorded[-50:]) < 80.0
    assert np.mean(recorded[-50:]) < np.mean(recorded[:20])


@pytest.mark.parametrize("kind", [FeedbackAlignment, DirectFeedbackAlignment])
@pytest.mark.parametrize("recurrent", [False, True])
def test_random_feedback_teaches_spiking_networks_xor(kind, recurrent):
    network = small([3, 10, 2], recurrent, rng=2)
    rule = kind(CrossEntropy(20.0), Adam(0.1), MeanMembrane(), FastSigmoid(5.0))
    assert solves_xor(network, rule, encoder=LATENCY)


@pytest.mark.parametrize("rule", [
    DirectFeedbackAlignment(surrogate=SURROGATE, record_angles=True),
    EProp(surrogate=SURROGATE, record_angles=True),
])  # fmt: skip
def test_the_history_has_the_mean_angle_of_each_layer(rule):
    network = spiking("subtract", Exponential(4.0), output=LIF.non_spiking())
    x = np.random.default_rng(0).random((6, 3))
    encoder = LatencyEncoder(12.0, 8.0)
    result = fit(network, rule, x, [0, 1, 1, 0, 1, 0], encoder=encoder, epochs=2, batch_size=3,
                 shuffle=False, seed=0)  # fmt: skip
    x = encoder.fit(x).encode(x, dt=1.0)
    first, state, one = rule.step(network, rule.init(network), x[:, :3], np.array([0, 1, 1]))
    _, _, two = rule.step(first, state, x[:, 3:], np.array([0, 1, 0]))
    hidden, output = result.history.layers
    assert hidden.angle.shape == (2,) and np.all(hidden.angle > 1.0)
    assert np.all(output.angle < 1e-5)
    assert hidden.angle[0] == 0.5 * (one.angles[0] + two.angles[0])
    plain = fit(network, type(rule)(), x[0], [0, 1, 1, 0, 1, 0], encoder=encoder, epochs=1, seed=0)
    assert np.all(np.isnan(plain.history.layers[0].angle))


def test_what_random_feedback_cannot_train_is_refused():
    mixed = LayeredNetwork([Layer(np.ones((1, 2)), Sigmoid()), Layer(np.ones((2, 1)), LIF())])
    assert FeedbackAlignment(readout=SpikeCount()).init(mixed)
    with pytest.raises(ParameterError, match="not of both"):
        DirectFeedbackAlignment().init(mixed)
    steep = LayeredNetwork([Layer(np.ones((1, 1)), Sigmoid(), trainable=("w", "steepness"))])
    with pytest.raises(ParameterError, match="'steepness'"):
        FeedbackAlignment().init(steep)


@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("synapse", SYNAPSES, ids=repr)
def test_drawn_spikes_and_their_scores_equal_the_slow_twin(reset, synapse):
    layer = spiking(reset, synapse, 2.0).layers[0]
    x, rate, width = random_spikes(), 0.5, 0.3
    trace, score = run_drawn(layer, 1.0, x, np.random.default_rng(3), rate, width)
    assert trace.output.sum() > 10
    assert not np.any(trace.output[trace.held])
    uniform = np.random.default_rng(3).random(trace.output.shape)
    for b in range(x.shape[1]):
        _, v = naive.escape_run(layer, 1.0, x[:, b], trace.output[:, b], rate, width)
        np.testing.assert_allclose(trace.v[:, b], v, atol=1e-12)
        hazard = rate * np.exp((v - 1.0) / width)
        fires = (uniform[:, b] < 1.0 - np.exp(-hazard)) & ~trace.held[:, b]
        np.testing.assert_array_equal(trace.output[:, b] == 1.0, fires)
        wanted = np.where(fires, hazard / np.expm1(hazard), -hazard) / width
        np.testing.assert_allclose(score[:, b], wanted * ~trace.held[:, b], rtol=1e-9)


def test_without_noise_drawn_spikes_are_those_of_the_network():
    network = spiking("to_potential", Exponential(4.0), 1.0)
    trace, score = run_drawn(
        network.layers[0], 1.0, random_spikes(), np.random.default_rng(0), 1.0, 1e-9
    )
    wanted = forward(network, random_spikes())[0]
    np.testing.assert_array_equal(trace.output, wanted.output)
    np.testing.assert_array_equal(trace.held, wanted.held)
    np.testing.assert_allclose(score, 0.0, atol=1e-100)


# Output units, readout, synapses of the hidden units; steps, for all weights to have an effect.
TINY = {
    "spiking": (LIF.normalised(3.0), SpikeCount(), Delta(), 3),
    "refractory, subtract": (LIF.normalised(3.0, 1.0, "subtract"), SpikeCount(), Delta(), 3),
    "leaky": (LIF.non_spiking(3.0), MeanMembrane(), Exponential(2.0), 4),
}


def tiny(neuron, synapse, w, w_rec, w_out):
    hidden = LIF.normalised(4.0, neuron.t_ref, neuron.reset)
    return LayeredNetwork([Layer(w, hidden, [2.5, 3.5], synapse, w_rec),
                           Layer(w_out, neuron, [0.2])])  # fmt: skip


@pytest.mark.parametrize("kind", TINY)
def test_the_mean_of_reinforce_is_the_gradient_of_the_expected_loss(kind):
    neuron, readout, synapse, n_steps = TINY[kind]
    rule = Reinforce(MSE(), SGD(1.0), readout, draws=4, rate=0.4, width=0.6)
    gain = 3.0 if isinstance(synapse, Exponential) else 0.6
    values = [gain * np.array(w) for w in ([[1.0, 0.7]], [[1.0, 2.0], [-1.5, 1.0]])]
    values.append(np.array([[1.2], [0.7]]))
    x = np.ones((n_steps, 1, 1))

    def loss(spikes, v):
        score = spikes.sum() if isinstance(readout, SpikeCount) else v.mean()
        return 0.5 * (score - 1.0) ** 2

    def expected(arrays):
        return naive.expected_loss(tiny(neuron, synapse, *arrays), x[:, 0], loss, 0.4, 0.6)

    exact = []
    for index, array in enumerate(values):
        for position in np.ndindex(array.shape):
            ends = []
            for side in (1.0, -1.0):
                moved = [a.copy() for a in values]
                moved[index][position] += side * 1e-4
                ends.append(expected(moved))
            exact.append((ends[0] - ends[1]) / 2e-4)
    network, rng = tiny(neuron, synapse, *values), np.random.default_rng(0)
    n_batches, n_trials = (40, 20) if config.DISABLE_JIT else (200, 500)
    many, labels = np.repeat(x, n_trials, axis=1), np.ones(n_trials, np.int64)
    estimates, losses = [], []
    for _ in range(n_batches):
        (first, second), by_draw, *_ = rule._estimate(network, many, labels, rng)
        estimates.append(np.concatenate([first["w"], first["w_rec"], second["w"]], axis=None))
        losses.append(by_draw.mean())
    error = np.std(losses, ddof=1) / np.sqrt(n_batches)
    assert abs(np.mean(losses) - expected(values)) < 4.0 * error
    error = np.std(estimates, axis=0, ddof=1) / np.sqrt(n_batches)
    # What is rare may not be among few draws.
    missed = 0.02 * np.max(np.abs(exact)) if config.DISABLE_JIT else 0.0
    assert np.all(np.abs(np.mean(estimates, axis=0) - exact) <= 4.0 * error + missed)
    if not config.DISABLE_JIT:
        # Each array has derivatives that are far from what the draws leave open.
        for part in (slice(0, 2), slice(2, 6), slice(6, 8)):
            assert np.max(error[part]) < 0.2 * np.max(np.abs(exact[part]))


def test_reinforce_learns_xor_and_keeps_it_without_noise():
    network = small([3, 10, 2], False, rng=0)
    rule = Reinforce(CrossEntropy(20.0), Adam(0.1), MeanMembrane(), draws=4, width=0.1)
    assert solves_xor(network, rule, encoder=LATENCY)


def test_reinforce_draws_anew_in_every_step_and_alike_from_one_state():
    network = spiking("subtract", Delta(), output=LIF.non_spiking())
    rule, x, labels = Reinforce(), random_spikes(), np.array([0, 1, 1])
    state = rule.init(network)
    _, after, first = rule.step(network, state, x, labels)
    _, _, again = rule.step(network, state, x, labels)
    _, _, later = rule.step(network, after, x, labels)
    _, _, other = Reinforce(seed=1).step(network, state, x, labels)
    assert first.traces[0].output.tobytes() == again.traces[0].output.tobytes()
    assert first.traces[0].output.tobytes() != later.traces[0].output.tobytes()
    assert first.traces[0].output.tobytes() != other.traces[0].output.tobytes()


@pytest.mark.parametrize("loss", [CrossEntropy(0.7), MSE()], ids=repr)
def test_each_layer_descends_its_own_local_loss(loss):
    """The gradient of a network of one hidden layer, and a readout of its spikes, step by step."""
    network = spiking("to_potential", Exponential(4.0), 1.0, output=LIF.non_spiking())
    x, labels = random_spikes(), np.array([0, 1, 1])
    rule = DECOLLE(loss, surrogate=SURROGATE, seed=2)
    traces, state = forward(network, x), rule.init(network)
    grads = rule.loss_and_gradient(network, traces, labels)[2:]
    found = rule._gradients(network, state, x, labels, traces, *grads)
    local = np.zeros(traces[0].output.shape)
    for k in range(len(x)):
        _, grad = loss.value_and_grad(
            traces[0].output[k] @ state.readouts[0], labels, 2, targets=(-1.0, 1.0)
        )
        local[k] = grad @ state.readouts[0].T / (len(x) * 3)
    hidden, output = network.layers
    local *= slopes_of(traces[0])
    by_w, by_bias = naive.weighed(hidden, 1.0, x, traces[0], local)
    assert_close(found[:1], [{"w": by_w, "bias": by_bias}])
    whole = backward(
        LayeredNetwork([output]), traces[0].output, traces[1:], *grads, surrogate=SURROGATE
    )
    assert_close(found[1:], whole)


@pytest.mark.parametrize("sizes", [(3, 15, 2), (3, 15, 15, 2)])
def test_decolle_learns_xor(sizes):
    network = small(sizes, False, rng=2)
    rule = DECOLLE(CrossEntropy(20.0), Adam(0.1), MeanMembrane(), FastSigmoid(5.0))
    assert solves_xor(network, rule, encoder=LATENCY)


@pytest.mark.parametrize("kind", [EProp, DECOLLE, Reinforce, FeedbackAlignment])
def test_numbers_out_of_range_are_refused_by_name(kind):
    name = kind.__name__
    with pytest.raises(ParameterError, match=f"{name}.seed"):
        kind(seed=-1)
    with pytest.raises(TypeError, match=f"{name}.loss"):
        kind(loss="mse")
    with pytest.raises(TypeError, match=f"{name}.readout"):
        kind(readout=SpikeCount)
    for option in {
        "EProp": {"feedback": "none", "feedback_decay": 1.0},
        "Reinforce": {"draws": 1, "rate": 0.0, "width": -1.0},
    }.get(name, {}).items():
        with pytest.raises(ParameterError, match=f"{name}.{option[0]}"):
            kind(**dict([option]))


def test_delays_count_on_the_way_back_too():
    hidden, output = spiking("to_potential", Exponential(4.0), recurrent=False).layers
    layers = [Layer(a.w, a.neuron, a.bias, a.synapse, delay=d) for a, d in
              ((hidden, 3.0), (output, 2.0))]  # fmt: skip
    network, x = LayeredNetwork(layers), random_spikes()
    rule, traces = EProp(readout=SpikeCount(), surrogate=SURROGATE), forward(network, x)
    grads = rule.loss_and_gradient(network, traces, np.array([0, 1, 1]))[2:]
    found = rule._gradients(network, rule.init(network), x, traces, *grads)
    wanted = backward(network, x, traces, *grads, surrogate=SURROGATE)
    assert_close(found, wanted)
