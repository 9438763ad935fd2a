"""Random recurrent networks for the comparison of the engine with its slow twin.

Parameters come from continuous distributions, so that no neuron meets its threshold within
rounding; networks of the style "exact" have values that doubles represent, so that neurons meet
it exactly, and often.
"""

import functools
from typing import NamedTuple

import numpy as np
from scipy import sparse

import spikesim as sp

# Besides those there is "adaptive", for who names it.
STYLES = ("mixed", "dense", "quiet", "alike", "exact", "rates", "conductances", "large")
MOST_NEURONS = 60  # A population, but for one of the style "large".
MOST_SYNAPSES = 20_000  # A projection.
# After this time constant (ms) a step of 2**k ms halves u to the last bit.
HALVING = 1.0 / 0.6931471805599453


class Case(NamedTuple):
    network: sp.Network
    dt: float
    n_steps: int
    style: str


def random_network(seed, style=None):
    """Return a network without anything drawn at run time, its dt and a number of steps.

    Seeds go through the styles in turn, unless one is named.
    """
    rng = np.random.default_rng([1952, seed])
    style = STYLES[seed % len(STYLES)] if style is None else style
    dt = float(rng.choice((0.125, 0.25, 0.5, 1.0) if style == "exact" else (0.05, 0.1, 0.25, 1.0)))
    n_steps = int(rng.integers(150, 400))
    sizes = np.exp(rng.uniform(0.0, np.log(MOST_NEURONS + 1), rng.integers(1, 5))).astype(int)
    if style == "large":
        sizes = sizes[:2]
        sizes[0] = rng.integers(500, 1300)
    if len(sizes) > 1 and rng.random() < 0.3:
        sizes[1] = sizes[0]  # So that one-to-one gets its turn.
    neurons = [
        sp.Population(f"lif{index}", _lif(rng, int(n), dt, style), int(n))
        for index, n in enumerate(sizes)
    ]
    if style == "rates":
        neurons[-1] = sp.Population("rate", _sigmoid_rate(rng, neurons[-1].n), neurons[-1].n)
    sources = []
    if style == "exact" or rng.random() < 0.7:
        n = int(rng.choice([1, rng.integers(1, MOST_NEURONS), neurons[0].n]))
        count = rng.integers(0, 3 * n + 5)
        times = rng.integers(1, n_steps + 20, count) * dt
        sources.append(sp.Population("listed", sp.SpikeSource(times, rng.integers(0, n, count)), n))
    synapses = {p.name: _synapses(rng, p, style) for p in neurons}
    chance = rng.uniform(0.2, 0.9)
    projections = [
        _projection(rng, source, target, synapses[target.name], dt, n_steps, style)
        for source in (*neurons, *sources)
        for target in neurons
        for _ in range(2)
        if rng.random() < chance
    ]
    inputs = _inputs(rng, neurons, synapses, dt, n_steps, style)
    populations = [*neurons, *sources]
    order = rng.permutation(len(populations))
    return Case(
        sp.Network([populations[i] for i in order], projections, inputs), dt, n_steps, style
    )


def noisy_network(seed):
    """Return the network of `seed` with noise of every kind and connections yet to be drawn."""
    network, dt, n_steps, style = random_network(seed)
    rng = np.random.default_rng([1953, seed])
    n = int(rng.integers(1, MOST_NEURONS))
    rates = rng.uniform(0.0, 400.0, (int(rng.integers(1, 40)), n))
    sources = (
        sp.Population("poisson", sp.PoissonSource(rng.uniform(0.0, 300.0, n)), n),
        sp.Population("waves", sp.InhomogeneousPoissonSource(rates, 3 * dt), n),
    )
    targets = [p for p in network.populations if not isinstance(p.model, sp.SpikeSource)]
    projections = [*network.projections]
    for target in targets:
        for source in (*sources, targets[rng.integers(len(targets))]):
            rule = (
                sp.FixedProbability(rng.uniform(0.0, 0.5)),
                sp.FixedInDegree(int(rng.integers(0, 20))),
                sp.FixedOutDegree(int(rng.integers(0, 20))),
                sp.FixedTotalNumber(int(rng.integers(0, 300))),
            )[rng.integers(4)]
            weight = (40.0, sp.Normal(40.0, 40.0), sp.LogNormal(40.0, 10.0))[rng.integers(3)]
            delay = (4 * dt, sp.Uniform(dt, 60 * dt), sp.Normal(9 * dt, 5 * dt, low=dt))[
                rng.integers(3)
            ]
            synapse = sp.Exponential(3.0)
            projections.append(sp.Projection(source, target, rule, weight, delay, synapse))
    inputs = [*network.inputs]
    for target in targets:
        some = np.sort(rng.permutation(target.n)[: rng.integers(1, target.n + 1)])
        rate = rng.uniform(0.0, 3000.0, len(some))
        inputs += [
            sp.PoissonInput(target, rate, 20.0, sp.Alpha(1.5), neurons=some),
            sp.PoissonInput(target, rng.uniform(0.0, 500.0), 0.5, shared=True),
            sp.NoiseCurrent(target, 30.0, 100.0, neurons=some),
        ]
    populations = [*sources, *network.populations]
    return Case(sp.Network(populations, projections, inputs), dt, n_steps, style)


def _lif(rng, n, dt, style):
    reset = str(rng.choice(("to_potential", "subtract")))
    if style == "exact":
        # A perfect integrator, but for 1e-18 of u a step, which rounds to nothing; or u halves.
        tau_m, v_rest = ((1e18, -64.0), (1e18, 0.0), (HALVING * dt, 0.0))[rng.integers(3)]
        return sp.LIF(
            tau_m=tau_m,
            v_rest=v_rest,
            v_th=v_rest + rng.choice((0.5, 1.0, 2.0), n),
            v_reset=v_rest - rng.choice((0.0, 0.25, 1.0), n),
            v_init=v_rest + rng.integers(-16, 20, n) / 16,
            t_ref=rng.integers(0, 6, n) * dt,
            reset=reset,
        )
    drive = {"dense": (1.5, 8.0), "quiet": (0.3, 1.02), "alike": (0.8, 1.5)}
    longest = {"dense": 3, "quiet": 100, "alike": 10}
    # One value for all, or one a neuron.
    alike = style == "alike" or (style == "adaptive" and rng.random() < 0.4)
    size = None if alike else n
    tau_m, c_m = rng.uniform(5.0, 20.0, size), rng.uniform(150.0, 300.0, size)
    v_rest, v_th = rng.uniform(-72.0, -64.0, size), rng.uniform(-55.0, -50.0, size)
    i_ext = rng.uniform(*drive.get(style, (0.5, 2.0)), size) * (v_th - v_rest) * c_m / tau_m
    if not alike and rng.random() < 0.2:
        v_th[rng.integers(n)] = np.inf
    model = sp.LIF
    if style == "adaptive":
        tau_a, delta_a = rng.uniform(5.0, 200.0, size), rng.uniform(0.0, 4.0, size)
        model = functools.partial(sp.AdaptiveLIF, tau_a=tau_a, delta_a=delta_a)
    return model(
        tau_m=tau_m,
        c_m=c_m,
        v_rest=v_rest,
        v_th=v_th,
        v_reset=rng.uniform(-75.0, -56.0, size),
        t_ref=rng.integers(0, longest.get(style, 30) + 1, size) * dt,
        i_ext=i_ext,
        v_init=rng.uniform(-75.0, -49.0, n),
        reset=reset,
    )


def _sigmoid_rate(rng, n):
    return sp.SigmoidRate(
        tau_m=rng.uniform(5.0, 20.0, n),
        c_m=rng.uniform(150.0, 300.0, n),
        v_rest=rng.uniform(-72.0, -64.0),
        v_half=rng.uniform(-60.0, -50.0, n),
        v_scale=rng.uniform(1.0, 8.0, n),
        max_rate=rng.uniform(50.0, 1000.0, n),
        i_ext=max(2.0, rng.uniform(0.0, 300.0)),  # Less looks like nA.
        v_init=rng.uniform(-75.0, -49.0, n),
    )


def _synapses(rng, target, style):
    """Return a few synapse models, time constants of the membrane and next to it included."""
    if style == "exact":
        return [sp.Delta()]
    tau_m = float(np.ravel(target.model.tau_m)[0])
    every = [
        sp.Delta(),
        sp.Exponential(rng.uniform(0.3, 20.0)),
        sp.Alpha(rng.uniform(0.3, 10.0)),
        sp.Exponential(rng.uniform(2.0, 5.0)),
        sp.Alpha(tau_m),
        sp.Exponential(tau_m),
        sp.Alpha(tau_m * (1.0 + 1e-9)),
    ]
    share = {"conductances": 0.8, "adaptive": 0.4}
    if style in share and rng.random() < share[style]:
        # A potential near zero that is not zero looks like one in volts.
        excitation, inhibition = round(rng.uniform(-10.0, 5.0)), rng.uniform(-90.0, -70.0)
        every = [
            sp.ConductanceExponential(rng.uniform(1.0, 10.0), excitation),
            sp.ConductanceExponential(rng.uniform(1.0, 20.0), inhibition),
            sp.ConductanceAlpha(rng.uniform(0.5, 5.0), excitation),
            sp.ConductanceAlpha(rng.uniform(0.5, 10.0), inhibition),
            *every[:3],
        ]
    return [every[i] for i in rng.permutation(len(every))[: rng.integers(1, 5)]]


def _projection(rng, source, target, synapses, dt, n_steps, style):
    n_pre, n_post = source.n, target.n
    same = source is target
    autapses = bool(rng.random() < 0.5) or (same and n_pre == 1)
    kinds = ["list", "list", "matrix", "all", "certain", "every source", "every target"]
    kind = rng.choice([*kinds, "one to one", "one to one"] if n_pre == n_post else kinds)
    if n_pre * n_post > MOST_SYNAPSES and kind != "one to one":
        kind = "list"
    if kind == "list":
        shape = int(rng.integers(0, 1 + min(n_pre * n_post, MOST_SYNAPSES)))
        pre, post = rng.integers(0, n_pre, shape), rng.integers(0, n_post, shape)
        rule, in_degree = sp.ExplicitList(pre, post), shape / n_post
    elif kind == "matrix":
        matrix = sparse.random_array((n_pre, n_post), density=rng.random(), rng=rng)
        rule, shape, in_degree = sp.SparseMatrix(matrix), matrix.nnz, matrix.nnz / n_post
    elif kind == "one to one":
        rule, shape, in_degree = sp.OneToOne(), n_pre, 1.0
    elif kind == "all":
        rule, shape, in_degree = sp.AllToAll(autapses), (n_pre, n_post), n_pre
    elif kind == "certain":
        rule, shape, in_degree = sp.FixedProbability(1.0, autapses), None, n_pre
    elif kind == "every source":
        k = n_pre - (same and not autapses)
        rule, shape, in_degree = sp.FixedInDegree(k, autapses, multapses=False), None, n_pre
    else:
        k = n_post - (same and not autapses)
        rule, shape, in_degree = sp.FixedOutDegree(k, autapses, multapses=False), None, n_pre
    synapse = synapses[rng.integers(len(synapses))]
    weight = _weights(rng, shape, in_degree, synapse, style)
    longest = int(rng.choice((1, 3, 15, 40, n_steps + 20)))
    delay = rng.integers(1, longest + 1, _size(rng, shape)) * dt
    return sp.Projection(source, target, rule, weight, delay, synapse)


def _size(rng, shape):
    """One value for all synapses, or one for each where the rule allows it."""
    return None if shape is None or rng.random() < 0.4 else shape


def _weights(rng, shape, in_degree, synapse, style):
    size = _size(rng, shape)
    if style == "exact":
        return rng.integers(-6, 17, size) / 16
    scale = (2.0 if style == "quiet" else 4.0) * _per_mv(synapse) / np.sqrt(max(1.0, in_degree))
    weight = rng.normal(0.2, 1.0, size) * scale
    if synapse.conductance:
        # Now and then so much that the membrane follows its drive within a step.
        weight = np.abs(weight) * rng.choice((0.5, 1.0, 30.0), p=(0.5, 0.4, 0.1))
    if size is not None and weight.size and rng.random() < 0.2:
        return rng.choice(weight.ravel()[:3], size)  # Few different ones.
    return weight


def _per_mv(synapse):
    """Return the weight that moves a usual membrane by about one mV, were it not for the leak."""
    if isinstance(synapse, sp.Delta):
        return 1.0
    spread = np.e if isinstance(synapse, (sp.Alpha, sp.ConductanceAlpha)) else 1.0
    current = 225.0 / (spread * synapse.tau_syn)
    return current / abs(synapse.e_rev + 60.0) if synapse.conductance else current


def _inputs(rng, neurons, synapses, dt, n_steps, style):
    inputs = []
    for target in neurons:
        some = np.sort(rng.permutation(target.n)[: rng.integers(1, target.n + 1)])
        if style == "exact" or rng.random() < 0.4:
            own = synapses[target.name]
            synapse = own[rng.integers(len(own))]
            count = int(rng.integers(1, 4 * target.n + 2))
            weight = _weights(rng, count, 1.0, synapse, style)
            times = rng.integers(1, n_steps + 20, count) * dt
            ids = rng.integers(0, target.n, count)
            inputs.append(sp.SpikeInput(target, times, ids, weight, synapse))
        if style == "exact":
            continue
        start, stop = np.sort(rng.choice(np.arange(n_steps + 50), 2, replace=False)) * dt
        if rng.random() < 0.3:
            amplitude = rng.uniform(-100.0, 200.0, len(some))
            inputs.append(sp.StepCurrent(target, amplitude, start, stop, some))
        if rng.random() < 0.1:
            inputs.append(sp.StepCurrent(target, rng.uniform(0.0, 150.0), start))
        if rng.random() < 0.1:
            inputs.append(sp.RampCurrent(target, *rng.normal(0.0, 200.0, 2), start, stop, some))
        if rng.random() < 0.1:
            inputs.append(sp.SineCurrent(target, *rng.uniform(0.0, 100.0, 2), rng.uniform(0, 7)))
        if rng.random() < 0.1:
            every = int(rng.integers(1, 20))
            values = rng.normal(50.0, 100.0, (int(rng.integers(1, 60)), len(some)))
            inputs.append(sp.SampledCurrent(target, values, every * dt, some))
    return inputs
