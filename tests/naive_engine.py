"""A network simulated slowly, in NumPy, from docs/update_order.md and the equations alone.

A neuron and all synapses onto it are one linear system: its step is SciPy's matrix exponential,
not the package's closed forms. Where conductances make it nonlinear, a function `move` of
tests/naive_conductance.py takes over. One array holds the neurons of the whole network, another
all that will arrive, by step. Understands LIF (adaptive or not), rate and listed populations, every
synapse, connections that need no drawing (listed, one to one, all to all, and random rules in the
limit where all are drawn), listed spikes, and every current but noise.
"""

from typing import NamedTuple

import numpy as np
from scipy.linalg import expm
from threadpoolctl import threadpool_limits

import spikesim as sp
from tests.naive_conductance import magnus

EXPONENTIAL = (sp.Exponential, sp.ConductanceExponential)


class Naive(NamedTuple):
    """Spikes {name: [(step, neuron), ...]}; traces {name: shape (n_steps, n)} after each step.

    `ties` counts the spikes of neurons that met their threshold exactly.
    """

    spikes: dict
    v: dict
    i_syn: dict
    ties: int
    synapses: int


def simulate_naive(network, n_steps, dt, move=magnus):
    first = numbering(network)
    n = sum(p.n for p in network.populations)
    tau_m, c_m, v_rest, v_th, v_reset, t_ref, i_ext, v_init, subtract = parameters(network, n)
    ref_steps = np.rint(t_ref / dt).astype(int)
    tau_a, delta_a = adaptation(network)
    synapses = current_synapses(network)
    with threadpool_limits(1, user_api="blas"):  # The matrices are small, threads only wait.
        propagator = expm(dt * derivative(tau_m, c_m, synapses))
    pre, post, port, weight, delay = synapse_table(network, first, synapses, dt)
    arrivals = np.zeros((n_steps + 1 + delay.max(initial=0), 1 + len(synapses), n))
    listed = listed_spikes(network, first, synapses, arrivals, n_steps, dt)
    current = i_ext + input_currents(network, first, n_steps, n, dt)
    g_neurons = under_conductances(network, first)
    rates = [p for p in network.populations if isinstance(p.model, sp.SigmoidRate)]
    e_rev = [synapse.e_rev if synapse.conductance else np.nan for synapse in synapses]
    conducts = ~np.isnan(e_rev)
    # Columns: u = v - v_rest, then i and x of each synapse, then the input current.
    state = np.zeros((n, 2 + 2 * len(synapses)))
    state[:, 0] = v_init - v_rest
    left, a = np.zeros(n, dtype=int), np.zeros(n)
    v, i_syn = np.empty((n_steps, n)), np.empty((n_steps, n))
    log, ties = [], 0
    for k in range(1, n_steps + 1):
        held = left > 0
        left[held] -= 1
        state[:, -1] = current[k - 1]
        # 1. Move, with the currents as they stood; 2. decay.
        moved = np.einsum("nij,nj->ni", propagator, state)
        if len(g_neurons):
            own = tau_m[g_neurons], c_m[g_neurons], v_rest[g_neurons]
            moved[g_neurons, 0] = move(state[g_neurons], *own, synapses, dt)
        moved[held, 0] = state[held, 0]
        state = moved
        # 3. Arrive.
        for index, synapse in enumerate(synapses):
            arrived = arrivals[k, 1 + index]
            if isinstance(synapse, EXPONENTIAL):
                state[:, 1 + 2 * index] += arrived
            else:
                state[:, 2 + 2 * index] += arrived * np.e / synapse.tau_syn
        state[~held, 0] += arrivals[k, 0, ~held]
        # 4. Test.
        fired = ~held & (v_rest + state[:, 0] >= v_th + a)
        ties += int(np.count_nonzero(fired & (v_rest + state[:, 0] == v_th + a)))
        a = a * np.exp(-dt / tau_a) + delta_a * fired
        after = np.where(subtract, state[:, 0] - (v_th - v_reset), v_reset - v_rest)
        state[fired, 0] = after[fired]
        left[fired] = ref_steps[fired]
        v[k - 1] = v_rest + state[:, 0]
        values = state[:, 1:-1:2]
        pull = np.where(conducts, e_rev - v[k - 1][:, None], 1.0)
        i_syn[k - 1] = (values * pull).sum(axis=1)
        # 5. Travel.
        count = fired + listed[k]
        if count.any():
            log.append((np.full(count.sum(), k), np.repeat(np.arange(n), count)))
        # A rate is sent as the number of spikes that it lets expect.
        count = count.astype(float)
        for population in rates:
            own = first[population.name] + np.arange(population.n)
            count[own] = rate(population.model, v[k - 1, own]) * dt / 1000.0
        if count.any():
            s = np.flatnonzero(count[pre])
            np.add.at(arrivals, (k + delay[s], port[s], post[s]), weight[s] * count[pre[s]])
    return Naive(*by_population(network, first, log, v, i_syn), ties, len(pre))


def numbering(network):
    """Return {name: the first of its neurons}, population after population."""
    sizes = [p.n for p in network.populations]
    starts = np.cumsum([0, *sizes[:-1]])
    return {p.name: int(s) for p, s in zip(network.populations, starts, strict=True)}


def parameters(network, n):
    """Return the parameters of all neurons; those without threshold cannot fire."""
    names = ("tau_m", "c_m", "v_rest", "v_th", "v_reset", "t_ref", "i_ext", "v_init")
    values = {name: [] for name in (*names, "subtract")}
    still = sp.LIF(v_rest=0.0, v_th=np.inf, v_reset=0.0)
    for population in network.populations:
        model = still if isinstance(population.model, sp.SpikeSource) else population.model
        for name in names:
            value = getattr(model, name, getattr(still, name))
            value = model.v_rest if value is None else value
            values[name].append(np.broadcast_to(value, population.n))
        values["subtract"].append(np.full(population.n, getattr(model, "reset", "") == "subtract"))
    return [np.concatenate(value) for value in values.values()]


def adaptation(network):
    """Return time constants and jumps of all thresholds; those that stay do not jump."""
    still = sp.AdaptiveLIF(delta_a=0.0)
    return [
        np.concatenate(
            [np.broadcast_to(getattr(p.model, name, getattr(still, name)), p.n)
             for p in network.populations]
        )
        for name in ("tau_a", "delta_a")
    ]  # fmt: skip


def current_synapses(network):
    """Return the different synapse models; equal ones share a state."""
    found = []
    for item in (*network.projections, *network.inputs):
        synapse = getattr(item, "synapse", sp.Delta())
        if not isinstance(synapse, sp.Delta) and synapse not in found:
            found.append(synapse)
    return found


def derivative(tau_m, c_m, synapses):
    """Return the matrices A of d/dt (u, i_1, x_1, ..., input current) = A (...)."""
    size = 2 + 2 * len(synapses)
    a = np.zeros((len(tau_m), size, size))
    a[:, 0, 0] = -1.0 / tau_m
    a[:, 0, -1] = 1.0 / c_m
    for index, synapse in enumerate(synapses):
        i, x = 1 + 2 * index, 2 + 2 * index
        a[:, 0, i] = 0.0 if synapse.conductance else 1.0 / c_m
        a[:, i, i] = a[:, x, x] = -1.0 / synapse.tau_syn
        if not isinstance(synapse, EXPONENTIAL):
            a[:, i, x] = 1.0
    return a


def under_conductances(network, first):
    """Return the neurons of the populations that have a synapse with a conductance."""
    items = (*network.projections, *network.inputs)
    named = {i.target for i in items if getattr(i, "synapse", sp.Delta()).conductance}
    own = [first[p.name] + np.arange(p.n) for p in network.populations if p.name in named]
    return np.concatenate([np.zeros(0, dtype=int), *own])


def rate(model, v):
    """Return the rates (Hz) of a population at the potentials `v`."""
    return model.max_rate / (1.0 + np.exp(-(v - model.v_half) / model.v_scale))


def synapse_table(network, first, synapses, dt):
    """Return source, target, port (0: delta), weight and delay in steps of every synapse."""
    columns = [[], [], [], [], []]
    for projection in network.projections:
        pre, post, pairs = connected(projection, network)
        port = 0
        if not isinstance(projection.synapse, sp.Delta):
            port = 1 + synapses.index(projection.synapse)
        weight, delay = (
            value[pairs] if np.ndim(value) == 2 else np.broadcast_to(value, len(pre))
            for value in (projection.weight, projection.delay)
        )
        columns[0].append(pre + first[projection.source])
        columns[1].append(post + first[projection.target])
        columns[2].append(np.full(len(pre), port))
        columns[3].append(weight)
        columns[4].append(np.rint(delay / dt).astype(int))
    if not columns[0]:
        return [np.zeros(0, dtype=int)] * 3 + [np.zeros(0), np.zeros(0, dtype=int)]
    return [np.concatenate(column) for column in columns]


def connected(projection, network):
    """Return sources and targets, and how they index a matrix of weights."""
    n_pre = network.population(projection.source).n
    n_post = network.population(projection.target).n
    rule = projection.rule
    if isinstance(rule, sp.ExplicitList):
        pre, post = rule.pre, rule.post
    elif isinstance(rule, sp.OneToOne):
        pre = post = np.arange(n_pre)
    else:
        sources = n_pre - (projection.source == projection.target and not rule.autapses)
        certain = isinstance(rule, sp.FixedProbability) and rule.p == 1.0
        inward = isinstance(rule, sp.FixedInDegree) and rule.k == sources and not rule.multapses
        targets = n_post - (n_pre - sources)
        outward = isinstance(rule, sp.FixedOutDegree) and rule.k == targets and not rule.multapses
        assert isinstance(rule, sp.AllToAll) or certain or inward or outward
        pre, post = (index.ravel() for index in np.indices((n_pre, n_post)))
        if not rule.autapses and projection.source == projection.target:
            pre, post = pre[pre != post], post[pre != post]
    return pre, post, (pre, post)


def listed_spikes(network, first, synapses, arrivals, n_steps, dt):
    """Put listed inputs into `arrivals`; return how often each source fires at each step."""
    counts = np.zeros((n_steps + 1, arrivals.shape[2]), dtype=int)
    for population in network.populations:
        if isinstance(population.model, sp.SpikeSource):
            steps = np.rint(population.model.times / dt).astype(int)
            within = steps <= n_steps
            ids = population.model.ids[within] + first[population.name]
            np.add.at(counts, (steps[within], ids), 1)
    for item in network.inputs:
        if isinstance(item, sp.SpikeInput):
            steps = np.rint(item.times / dt).astype(int)
            within = steps <= n_steps
            delta = isinstance(item.synapse, sp.Delta)
            port = 0 if delta else 1 + synapses.index(item.synapse)
            weight = np.broadcast_to(item.weight, len(steps))[within]
            ids = item.ids[within] + first[item.target]
            np.add.at(arrivals, (steps[within], port, ids), weight)
    return counts


def input_currents(network, first, n_steps, n, dt):
    """Return the current into each neuron, as it is at the start of each step."""
    total = np.zeros((n_steps, n))
    before = np.arange(n_steps)  # Steps that lie before.
    t = before * dt
    for item in network.inputs:
        if isinstance(item, sp.SpikeInput):
            continue
        if hasattr(item, "start"):
            stop = np.rint(item.stop / dt)
            on = (before >= np.rint(item.start / dt)) & (before < stop)
        if isinstance(item, sp.StepCurrent):
            value = np.outer(on, np.atleast_1d(item.amplitude))
        elif isinstance(item, sp.RampCurrent):
            share = (t - item.start) / (item.stop - item.start)
            ends = item.start_amplitude, item.end_amplitude
            value = np.where(on, (1.0 - share) * ends[0] + share * ends[1], 0.0)[:, None]
        elif isinstance(item, sp.SineCurrent):
            wave = np.sin(2.0 * np.pi * item.frequency * t / 1000.0 + item.phase)
            value = (item.offset + item.amplitude * wave)[:, None]
        else:
            assert isinstance(item, sp.SampledCurrent)
            held = np.repeat(item.values, round(item.interval / dt), axis=0)[:n_steps]
            value = np.zeros((n_steps, held[0].size))
            value[: len(held)] = held.reshape(len(held), -1)
        size = network.population(item.target).n
        neurons = np.arange(size) if item.neurons is None else item.neurons
        total[:, first[item.target] + neurons] += value
    return total


def by_population(network, first, log, *traces):
    """Return spikes, sorted by step and neuron, and `traces`, for each population by name."""
    steps, ids = (
        np.concatenate([entry[column] for entry in log]) if log else np.zeros(0, dtype=int)
        for column in (0, 1)
    )
    spikes, parts = {}, [{} for _ in traces]
    for population in network.populations:
        low, high = first[population.name], first[population.name] + population.n
        own = (ids >= low) & (ids < high)
        spikes[population.name] = list(
            zip(steps[own].tolist(), (ids[own] - low).tolist(), strict=True)
        )
        if not isinstance(population.model, sp.SpikeSource):
            for part, trace in zip(parts, traces, strict=True):
                part[population.name] = trace[:, low:high]
    return spikes, *parts
