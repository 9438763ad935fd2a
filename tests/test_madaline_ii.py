"""Madaline Rule II against its twin, by hand, and where it goes round in circles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numba import config

from spikesim.datasets import xor
from spikesim.encoding import LatencyEncoder
from spikesim.errors import NonFiniteStateError, ParameterError
from spikesim.layered import Layer, LayeredNetwork, dense, forward
from spikesim.learning import MadalineII, committee_network, fit
from spikesim.learning.madaline_ii import _next_group
from spikesim.neurons import LIF, Sigmoid, Step
from spikesim.surrogates import StraightThrough
from spikesim.synapses import Delta, Exponential
from tests import naive_madaline

XOR = xor()
LIF_MV = LIF(tau_m=10.0, c_m=5.0, v_rest=-65.0, v_th=-63.0, v_reset=-66.0, t_ref=0.0, v_init=-64.5,
             i_ext=0.2)  # fmt: skip
UNITS = {
    "step": (Step(), Delta(), 2.0),
    "step gt": (Step("gt", StraightThrough()), Delta(), 2.0),
    "delta": (LIF.normalised(12.0), Delta(), 2.0),
    "subtract": (LIF.normalised(12.0, reset="subtract"), Delta(), 2.0),
    "exponential": (LIF_MV, Exponential(4.0), 4.0),
}


def problem(unit, sizes, seed):
    rng = np.random.default_rng(seed)
    neuron, synapse, gain = UNITS[unit]
    n_trials = 8 if config.DISABLE_JIT and neuron.spiking else 25
    network = dense(sizes, neuron, synapse=synapse, gain=gain, bias_sd=0.5, rng=rng,
                    dt=0.5 if neuron.spiking else 1.0)  # fmt: skip
    if neuron.spiking:
        x = (rng.random((12, n_trials, sizes[0])) < 0.15).astype(float)
        x[:, 0] = 0.0
    else:
        x = rng.standard_normal((1, n_trials, sizes[0]))
    return network, x, rng.integers(0, max(2, sizes[-1]), n_trials)


def assert_equal(trained, twin):
    for mine, other in zip(trained.layers, twin.layers, strict=True):
        np.testing.assert_allclose(mine.w, other.w, rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(mine.bias, other.bias, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("unit", UNITS)
def test_step_equals_the_description(unit, n_outputs):
    sizes_seen = set()
    for seed in range(3):
        network, x, labels = problem(unit, [4, 5, n_outputs], seed)
        rule = MadalineII(0.7, 0.4, max_together=3)
        trained, _, metrics = rule.step(network, rule.init(network), x, labels)
        twin, n_correct, turned = naive_madaline.step(rule, network, x, labels)
        assert_equal(trained, twin)
        assert metrics.n_correct == n_correct == len(labels) - metrics.loss
        for norm, new, old in zip(
            metrics.update_norms, trained.layers, network.layers, strict=True
        ):
            change = np.hypot(np.linalg.norm(new.w - old.w), np.linalg.norm(new.bias - old.bias))
            assert norm == pytest.approx(change)
        sizes_seen |= {len(group) for group in turned}
    assert 1 in sizes_seen


@pytest.mark.parametrize("max_together", [1, 2, 3])
def test_groups_equal_the_description(max_together):
    """Weak outgoing weights: it takes several units to change the output."""
    turned_sizes = set()
    for seed in range(4):
        network, x, labels = problem("step", [3, 4, 2], seed)
        # Slightly unequal, so that no excess is exactly 0, where rounding decides.
        w = [0.3, -0.3] + 0.01 * np.random.default_rng(seed).standard_normal((4, 2))
        output = Layer(w, Step(), [-0.55, 0.55])
        network = network.updated([network.layers[0], output])
        rule = MadalineII(1.0, 0.3, max_together)
        trained, _, _ = rule.step(network, rule.init(network), x, labels)
        twin, _, turned = naive_madaline.step(rule, network, x, labels)
        assert_equal(trained, twin)
        turned_sizes |= {len(group) for group in turned}
    assert max(turned_sizes) == min(max_together, 2)


@pytest.mark.parametrize("unit", ["step", "exponential"])
def test_what_is_not_trainable_stays(unit):
    network, x, labels = problem(unit, [4, 5, 2], 1)
    for hidden, output in ((("w",), ("w", "bias")), (("w", "bias"), ()), (("w",), ("bias",))):
        layers = [replace(network.layers[0], trainable=hidden),
                  replace(network.layers[1], trainable=output)]  # fmt: skip
        partly = LayeredNetwork(layers, network.dt)
        rule = MadalineII()
        trained, _, metrics = rule.step(partly, rule.init(partly), x, labels)
        assert_equal(trained, naive_madaline.step(rule, partly, x, labels)[0])
        if "bias" not in hidden:
            assert trained.layers[0].bias.tobytes() == layers[0].bias.tobytes()
        if "w" not in output:
            assert trained.layers[1].w.tobytes() == layers[1].w.tobytes()
            assert trained.layers[1].bias.tobytes() == layers[1].bias.tobytes()
            assert metrics.update_norms[1] == 0.0


def test_one_trial_by_hand():
    # Excesses 0.2 and -0.1 at x = (1, 0); only the first unit reaches the output.
    hidden = Layer([[0.2, -0.1], [0.0, 0.0]], Step(), trainable=("w",))
    output = Layer([[1.0], [0.0]], Step(), [-0.5], trainable=())
    network = LayeredNetwork([hidden, output])
    rule = MadalineII(0.5, 0.4)
    x = np.array([[[1.0, 0.0]]])
    trained, _, metrics = rule.step(network, None, x, np.array([0]))
    # The second is tried first and changes nothing; the first goes halfway to -0.4.
    np.testing.assert_allclose(trained.layers[0].w, [[-0.1, -0.1], [0.0, 0.0]], atol=1e-15)
    assert metrics.n_correct == 0 and metrics.update_norms == (pytest.approx(0.3), 0.0)
    untouched, _, metrics = rule.step(network, None, x, np.array([1]))
    assert untouched.layers[0].w.tobytes() == hidden.w.tobytes() and metrics.n_correct == 1


def test_pairs_turn_over_where_no_single_unit_suffices():
    hidden = Layer([[-0.1, -0.2, -0.3]], Step(), trainable=("w",))
    output = Layer(np.ones((3, 1)), Step(), [-1.5], trainable=())
    network = LayeredNetwork([hidden, output])
    x = np.ones((1, 1, 1))
    alone, _, _ = MadalineII(1.0, 0.5, max_together=1).step(network, None, x, np.array([1]))
    assert alone.layers[0].w.tobytes() == hidden.w.tobytes()
    pair, _, _ = MadalineII(1.0, 0.5, max_together=2).step(network, None, x, np.array([1]))
    np.testing.assert_allclose(pair.layers[0].w, [[0.5, 0.5, -0.3]])


def test_a_silent_lif_unit_gets_a_spike_and_a_firing_one_loses_its_own():
    neuron = LIF.normalised(10.0)
    x = np.zeros((6, 1, 1))
    x[0] = 1.0
    output = Layer([[1.5]], neuron, trainable=())
    for w, label, wanted in ((0.8, 1, 1.25), (1.4, 0, 0.75)):
        network = LayeredNetwork([Layer([[w]], neuron, trainable=("w",)), output])
        trained, _, metrics = MadalineII(1.0, 0.25).step(network, None, x, np.array([label]))
        # The spike lifts the membrane by w at once, so the excess there is w - 1.
        assert trained.layers[0].w[0, 0] == pytest.approx(wanted)
        assert metrics.n_correct == 0
        again = MadalineII(1.0, 0.25).step(trained, None, x, np.array([label]))[2]
        assert again.n_correct == 1


def test_groups_come_in_the_order_of_their_farthest_member():
    group, found = np.arange(2), []
    more = True
    while more:
        found.append(tuple(group.tolist()))
        more = _next_group(group, 4)
    assert found == [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)]


def solved(network, encoder=None, n=12, epochs=150):
    rule = MadalineII()
    count = 0
    for seed in range(n):
        result = fit(network(seed), rule, XOR.features, XOR.labels, encoder=encoder,
                     epochs=epochs, until="solved", patience=1, seed=seed, warn=False)  # fmt: skip
        count += result.score(XOR.features, XOR.labels) == 1.0
    return count


def test_it_learns_xor():
    n, epochs = (4, 30) if config.DISABLE_JIT else (12, 150)
    step = solved(lambda s: dense([2, 8, 1], Step(), bias_sd=1.0, rng=s), n=n, epochs=epochs)
    lif = solved(
        lambda s: dense([3, 8, 1], LIF.normalised(), rng=s),
        LatencyEncoder(20.0, 12.0, bias_spike=True),
        n=n,
        epochs=epochs,
    )
    majority = solved(
        lambda s: committee_network(2, 5, 1, Step(), bias_sd=1.0, rng=s), n=n, epochs=epochs
    )
    assert min(step, lif, majority) >= n // 2


def test_one_unit_that_decides_alone_goes_round_in_circles():
    """It is turned over at every error, which ends it: no other unit, no output ever learns."""
    rng = np.random.default_rng(0)
    hidden = Layer(np.append([[0.1], [0.1]], rng.standard_normal((2, 3)) * 9.0, axis=1), Step())
    output = Layer([[1.0], [0.01], [0.01], [0.01]], Step(), [-0.5])
    network = LayeredNetwork([hidden, output])
    result = fit(network, MadalineII(0.5, 0.1), XOR.features, XOR.labels, epochs=100, seed=0,
                 warn=False)  # fmt: skip
    assert result.history.solved_epoch is None
    assert result.network.layers[1].w.tobytes() == output.w.tobytes()
    assert result.network.layers[0].w[:, 1:].tobytes() == hidden.w[:, 1:].tobytes()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"learning_rate": 0.0}, ValueError, r"MadalineII\.learning_rate"),
        ({"learning_rate": 2.0}, ValueError, r"MadalineII\.learning_rate must be less than 2"),
        ({"margin": 0.0}, ValueError, r"MadalineII\.margin"),
        ({"max_together": 0}, ValueError, r"MadalineII\.max_together"),
        ({"max_together": 4}, ValueError, r"MadalineII\.max_together must be at most 3, got 4"),
        ({"max_together": 1.5}, TypeError, r"MadalineII\.max_together"),
        ({"margn": 1.0}, TypeError, "margn"),
    ],
)
def test_bad_settings_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        MadalineII(**options)


@pytest.mark.parametrize(
    ("network", "error", "message"),
    [
        (dense([2, 1], Step(), rng=0), ParameterError, "two layers, got 1"),
        (dense([2, 3, 3, 1], Step(), rng=0), ParameterError, "two layers, got 3"),
        (dense([2, 3, 1], Sigmoid(), rng=0), TypeError, "Step or LIF"),
        (dense([2, 3, 1], LIF(), output=Step(), rng=0), ParameterError, "throughout"),
        (dense([2, 3, 1], LIF(), recurrent=True, rng=0), ParameterError, "w_rec"),
    ],
)
def test_networks_that_cannot_be_trained_are_refused(network, error, message):
    with pytest.raises(error, match=message):
        MadalineII().init(network)


def test_hidden_weights_must_be_trainable():
    network = dense([2, 3, 1], Step(), rng=0)
    layers = [replace(network.layers[0], trainable=("bias",)), network.layers[1]]
    with pytest.raises(ParameterError, match="w of layer 0"):
        MadalineII().init(LayeredNetwork(layers))


def test_divergence_is_reported():
    network = LayeredNetwork([Layer([[1.0]], Step(), trainable=("w",)), Layer([[1.0]], Step(),
                              [-0.5])])  # fmt: skip
    x = np.full((1, 1, 1), 1e-120)
    with pytest.raises(NonFiniteStateError, match="unit 0 of layer 0 diverged at trial 0"):
        MadalineII().step(network, None, x, np.array([0]))


def test_what_a_hidden_unit_did_is_what_its_spikes_say():
    """On a grid of weights the free potential, summed by input, may round to the threshold."""
    neuron = LIF.normalised(1e18)
    hidden = Layer([[0.1], [0.2], [-1.0]], neuron, trainable=("w",))
    network = LayeredNetwork([hidden, Layer([[1.5]], neuron, trainable=())])
    x = np.zeros((8, 1, 3))
    x[[0, 4], 0, 0] = x[:4, 0, 1] = x[5, 0, 2] = 1.0
    assert not forward(network, x)[0].output.any()
    trained, _, metrics = MadalineII(1.0, 0.25).step(network, None, x, np.array([1]))
    assert metrics.n_correct == 0
    # Silent, it is given a spike, which fires the output, and so it moves up by the margin.
    shift = (trained.layers[0].w - hidden.w)[:, 0] @ [2.0, 4.0, 0.0]
    assert shift == pytest.approx(0.25, rel=1e-12)


@pytest.mark.parametrize("scale", [1e-120, 1e-160, 1e-200, 1e160])
def test_no_scale_of_the_data_ends_in_a_nan(scale):
    network = dense([2, 3, 1], Step(), bias_sd=0.0, rng=0)
    network = LayeredNetwork([replace(network.layers[0], trainable=("w",)), network.layers[1]])
    x, labels = scale * np.random.default_rng(0).standard_normal((1, 8, 2)), np.tile([0, 1], 4)
    try:
        trained, *_ = MadalineII().step(network, None, x, labels)
    except NonFiniteStateError as error:
        assert scale < 1e-100 and "diverged at trial" in str(error)
    else:
        assert scale in (1e-200, 1e160)
        assert all(np.isfinite(layer.w).all() for layer in trained.layers)
