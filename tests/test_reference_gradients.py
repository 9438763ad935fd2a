"""Backpropagation through time against reverse-mode differentiation of the plain equations."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numba import config

from spikesim.layered import Layer, LayeredNetwork, backward, forward
from spikesim.layered.lif_backward import adjoint_of
from spikesim.learning import FirstSpike, MaxMembrane, SpikeCount
from spikesim.neurons import LIF, AdaptiveLIF
from spikesim.surrogates import (
    ArcTan,
    Boxcar,
    FastSigmoid,
    Gaussian,
    Logistic,
    MultiGaussian,
    OneSided,
    StraightThrough,
    Triangle,
    Truncated,
)  # fmt: skip
from spikesim.synapses import Delta, Exponential
from tests.reverse_mode import Node, gradients, node, where

SURROGATES = [
    ArcTan(3.0), Boxcar(1.0), FastSigmoid(2.0), Gaussian(2.0), Logistic(3.0), MultiGaussian(2.0),
    OneSided(2.0), StraightThrough(), Triangle(1.0), Truncated(FastSigmoid(2.0), 0.6),
]  # fmt: skip
if not config.DISABLE_JIT:
    # Each kind is compiled into a kernel of its own, in seconds; the compiled derivatives are held
    # to the plain ones by themselves, and without the compiler all kinds are tried here.
    SURROGATES = [FastSigmoid(2.0), Triangle(1.0), Truncated(FastSigmoid(2.0), 0.6)]
READOUTS = {"count": SpikeCount(), "first": FirstSpike(), "membrane": MaxMembrane()}
SPIKING_CASES = list(
    itertools.product(
        ["to_potential", "subtract"], [True, False], [False, True], SURROGATES, READOUTS
    )
)
N_STEPS, N_TRIALS = (10, 2) if config.DISABLE_JIT else (20, 5)


def the_network(reset, recurrent, readout, synapse, t_ref, delays, seed, adapts=False):
    """Return a hidden and an output layer of units that all differ."""
    rng = np.random.default_rng(seed)
    scale = 4.0 if isinstance(synapse, Delta) else 18.0

    def layer(n_pre, n, never=False):
        v_th = np.full(n, np.inf) if never else rng.uniform(0.8, 1.2, n)
        neuron = LIF(
            rng.uniform(5.0, 20.0, n), rng.uniform(8.0, 12.0, n), 0.0, v_th, -0.2,
            0.0 if never else t_ref, reset=reset,
        )  # fmt: skip
        if adapts and not never:
            tau_a, delta_a = rng.uniform(5.0, 40.0, n), rng.uniform(0.0, 0.6, n)
            neuron = AdaptiveLIF(**vars(neuron), tau_a=tau_a, delta_a=delta_a)
        w = rng.normal(0.2, 0.5, (n_pre, n)) * scale
        back = recurrent and not never
        w_rec = rng.normal(0.0, 0.2, (n, n)) * scale if back else None
        extra = {"delay": delays[0], "delay_rec": delays[1] if back else None}
        return Layer(w, neuron, rng.normal(0.2, 0.1, n), synapse, w_rec, **extra)

    layers = [layer(4, 7), layer(7, 3, readout == "membrane")]
    return LayeredNetwork(layers)


def reference(network, x, traces, surrogate, detach, weights):
    """Return the loss ``sum(weights * scores)`` as a node, and the nodes of all parameters.

    Spikes, and where units are refractory, are those of `traces`; everything else is worked out
    anew from the equations of :mod:`spikesim.layered.backward`.
    """
    signal = [Node(row) for row in x]
    parameters = []
    for layer, trace in zip(network.layers, traces, strict=True):
        nodes = {name: Node(array) for name, array in layer.parameters().items()}
        parameters.append(nodes)
        outputs, potentials = lif(network.dt, layer, nodes, signal, trace, surrogate, detach)
        signal = outputs
    return outputs, potentials, parameters


def lif(dt, layer, nodes, signal, trace, surrogate, detach):
    neuron, delta = layer.neuron, isinstance(layer.synapse, Delta)
    fires = np.isfinite(neuron.v_th)
    v_th = np.where(fires, neuron.v_th, 1.0)
    adapts = isinstance(neuron, AdaptiveLIF)
    d_a, delta_a = (np.exp(-dt / neuron.tau_a), neuron.delta_a) if adapts else (0.0, 0.0)
    d_m = np.exp(-dt / neuron.tau_m)
    gain = (1.0 - d_m) * neuron.tau_m / neuron.c_m
    d_s = 0.0 if delta else np.exp(-dt / layer.synapse.tau_syn)
    p_vi = 0.0
    if not delta:
        p_vi = layer.synapse.propagators(neuron.tau_m, neuron.c_m, dt).p_vi
    lag, lag_rec = (
        1 if t is None else round(float(t) / dt) for t in (layer.delay, layer.delay_rec)
    )
    v, current = node(np.zeros(trace.v.shape[1:])), node(np.zeros(trace.v.shape[1:]))
    a = node(np.zeros(trace.v.shape[1:]))
    outputs, potentials = [], []

    def arriving(k):
        drive = node(np.zeros(trace.v.shape[1:]))
        if 0 <= k - lag:
            drive = drive + signal[k - lag] @ nodes["w"]
        if layer.w_rec is not None and 0 <= k - lag_rec:
            drive = drive + outputs[k - lag_rec] @ nodes["w_rec"]
        return drive

    for k in range(len(trace.v)):
        moved = v * d_m + current * p_vi + nodes["bias"] * gain
        if delta:
            moved = moved + arriving(k)
        v_free = where(trace.held[k], v, moved)
        np.testing.assert_allclose(v_free.value, trace.v[k], rtol=1e-9, atol=1e-9)
        can = fires & ~trace.held[k]
        spikes = np.array(trace.output[k])
        scale = v_th - neuron.v_rest
        fired = (v_free - a).through(
            lambda _, spikes=spikes: spikes,
            lambda value, can=can, scale=scale: np.where(
                can, surrogate.derivative((value - v_th) / scale) / scale, 0.0
            ),
        )
        a = a * d_a + fired * delta_a
        resets = node(spikes) if detach else fired
        if neuron.reset == "subtract":
            v = v_free - resets * (v_th - neuron.v_reset)
        else:
            v = v_free * (node(1.0) - resets) + resets * neuron.v_reset
        outputs.append(fired)
        potentials.append(v_free)
        if not delta:
            current = current * d_s + arriving(k)
    return outputs, potentials


def compare(network, readout, surrogate, detach, seed=5):
    rng = np.random.default_rng(seed)
    x = (rng.random((N_STEPS, N_TRIALS, 4)) < 0.3) * 1.0
    traces = forward(network, x)
    last, layer = traces[-1], network.layers[-1]
    upstream = rng.standard_normal((N_TRIALS, 3))
    grad_output, grad_v = readout.backward(last, layer, upstream, network.dt)
    ours = backward(
        network, x, traces, grad_output, grad_v, surrogate=surrogate, detach_reset=detach
    )
    outputs, potentials, parameters = reference(network, x, traces, surrogate, detach, upstream)
    nodes, factors = (outputs, grad_output) if grad_v is None else (potentials, grad_v)
    loss = node(0.0)
    for one, factor in zip(nodes, factors, strict=True):
        loss = loss + (one * np.array(factor)).total()
    wanted = [(i, name) for i, arrays in enumerate(parameters) for name in arrays]
    theirs = gradients(loss, [parameters[i][name] for i, name in wanted])
    largest = max(np.abs(array).max() for array in theirs)
    for (i, name), array in zip(wanted, theirs, strict=True):
        np.testing.assert_allclose(
            ours[i][name], array, rtol=1e-9, atol=1e-11 * largest, err_msg=f"layer {i}, {name}"
        )
    return largest


@pytest.mark.parametrize(("reset", "detach", "recurrent", "surrogate", "readout"), SPIKING_CASES)
def test_every_combination(reset, detach, recurrent, surrogate, readout):
    case = SPIKING_CASES.index((reset, detach, recurrent, surrogate, readout))
    synapse = (Delta(), Exponential(4.0))[case % 2]
    t_ref = 2.0 * (case % 3 == 0)
    # A surrogate that ends may reach nobody: then the next network.
    for seed in range(case, case + 20):
        network = the_network(reset, recurrent, readout, synapse, t_ref, (None, None), seed)
        if compare(network, READOUTS[readout], surrogate, detach) > 0.0:
            return
    pytest.fail("all gradients are zero")


ADAPTIVE_CASES = list(
    itertools.product(["to_potential", "subtract"], [True, False], [False, True], READOUTS)
)


@pytest.mark.parametrize(("reset", "detach", "recurrent", "readout"), ADAPTIVE_CASES)
@pytest.mark.parametrize("surrogate", [FastSigmoid(2.0), Truncated(FastSigmoid(2.0), 0.6)])
def test_adaptive_thresholds(reset, detach, recurrent, readout, surrogate):
    case = ADAPTIVE_CASES.index((reset, detach, recurrent, readout))
    synapse, t_ref = (Delta(), Exponential(4.0))[case % 2], 2.0 * (case % 3 == 0)
    for seed in range(case, case + 20):
        network = the_network(reset, recurrent, readout, synapse, t_ref, (None, None), seed, True)
        if compare(network, READOUTS[readout], surrogate, detach) > 0.0:
            return
    pytest.fail("all gradients are zero")


@pytest.mark.parametrize("delays", [(0.0, 0.0), (0.0, None), (3.0, 2.0), (1.0, 0.0)])
@pytest.mark.parametrize("cut", [False, True])
def test_delays(delays, cut):
    surrogate = Truncated(FastSigmoid(2.0), 0.6) if cut else FastSigmoid(2.0)
    network = the_network("subtract", True, "count", Exponential(4.0), 1.0, delays, 3)
    assert compare(network, SpikeCount(), surrogate, False) > 0.0


def test_a_surrogate_without_a_kernel():
    class Own(FastSigmoid):
        def derivative(self, x):
            return 1.0 / (1.0 + np.abs(x)) ** 3

    assert Own().scalar is None
    compare(
        the_network("subtract", True, "count", Delta(), 0.0, (None, None), 1),
        SpikeCount(),
        Own(),
        True,
    )


def test_a_surrogate_is_compiled_once():
    """Not once for each mix of arrays that may be written to: seconds at every first call."""
    surrogate = FastSigmoid(2.0)
    for case, recurrent, readout in zip(range(6), [False, True] * 3, [*READOUTS] * 2, strict=True):
        synapse = (Delta(), Exponential(4.0))[case % 2]
        network = the_network("subtract", recurrent, readout, synapse, 1.0, (None, None), case)
        compare(network, READOUTS[readout], surrogate, False)
    for kind in itertools.product([False, True], repeat=3):
        kernel = adjoint_of(surrogate.scalar, *kind)
        precisions = [str(types[0].dtype) for types in getattr(kernel, "signatures", [])]
        assert len(set(precisions)) == len(precisions)
