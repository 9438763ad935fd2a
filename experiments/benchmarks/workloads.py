"""The networks that are measured, as functions that return a :class:`spikesim.Network`.

They take their numbers, with the sources, from :mod:`experiments.benchmarks.parameters`, as the
other simulators do in ``nest_runs.py`` and ``brian_runs.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import spikesim as sp
from experiments.benchmarks.parameters import (
    DT,
    Brunel,
    Microcircuit,
    OneNeuron,
    VogelsAbbott,
    scaled,
)  # fmt: skip

__all__ = ["WORKLOADS", "Workload", "brunel", "driven", "microcircuit", "n_synapses", "one_neuron",
           "vogels_abbott"]  # fmt: skip


def vogels_abbott(
    synapses: str = "current",
    scale: float = 1.0,
    start_seed: int = 1,
    graph_seed: int | None = None,
) -> sp.Network:
    """Return the network of Vogels & Abbott 2005: 4000 neurons that keep themselves active.

    Parameters
    ----------
    synapses : {"current", "conductance"}
        Benchmark 2 or 1 of Brette et al. 2007.
    scale : float, default 1
        Factor on the number of neurons; the probability of a connection stays.
    start_seed : int, default 1
        Seed of where the neurons start.
    graph_seed : int, optional
        Seed of a graph that is listed, and so the same in every simulator; by default the graph
        is drawn by ``simulate``.
    """
    p = VogelsAbbott
    conductance = synapses == "conductance"
    sizes = scaled(p.n, scale)
    start = p.start(conductance, start_seed, scale)
    neurons = {"exc": slice(0, sizes["exc"]), "inh": slice(sizes["exc"], None)}
    v_rest = p.conductance_v_rest if conductance else p.current_v_rest
    populations = {
        name: sp.Population(
            name,
            sp.LIF(
                p.tau_m, p.c_m, v_rest, p.v_th, p.v_reset, p.t_ref, v_init=start["v"][neurons[name]]
            ),
            n,
        )
        for name, n in sizes.items()
    }
    weights = p.conductance_weight if conductance else p.current_weight
    models = {
        name: sp.ConductanceExponential(tau_syn, p.e_rev[name])
        if conductance
        else sp.Exponential(tau_syn)
        for name, tau_syn in p.tau_syn.items()
    }
    rules = _listed(sizes, p.graph(graph_seed, scale)) if graph_seed is not None else {}
    projections = [
        sp.Projection(
            populations[source],
            populations[target],
            rules.get((source, target), sp.FixedProbability(p.p)),
            weight=weights[source],
            delay=p.delay,
            synapse=models[source],
        )
        for source in sizes
        for target in sizes
    ]
    # Conductances start above zero: a spike of that weight into each neuron in the first step.
    inputs = [
        sp.SpikeInput(
            populations[target],
            times=np.full(n, 0.1),
            ids=np.arange(n),
            weight=start[source][neurons[target]],
            synapse=models[source],
        )
        for source in (models if conductance else ())
        for target, n in sizes.items()
    ]
    return sp.Network(list(populations.values()), projections, inputs)


def _listed(
    sizes: dict[str, int], graph: tuple[np.ndarray, np.ndarray]
) -> dict[tuple[str, str], sp.ExplicitList]:
    """Return a rule for each pair of populations from a graph over all neurons."""
    first = dict(zip(sizes, np.cumsum([0, *sizes.values()]), strict=False))
    pre, post = graph
    rules = {}
    for source, n_pre in sizes.items():
        for target, n_post in sizes.items():
            i, j = pre - first[source], post - first[target]
            own = (i >= 0) & (i < n_pre) & (j >= 0) & (j < n_post)
            rules[source, target] = sp.ExplicitList(i[own], j[own])
    return rules


def brunel(state: str = "asynchronous irregular", scale: float = 1.0) -> sp.Network:
    """Return the network of Brunel 2000: 12,500 neurons, 15.6 million delta synapses.

    Parameters
    ----------
    state : {"synchronous regular", "fast oscillation", "asynchronous irregular", \
"slow oscillation"}
        Figure 8, A to D.
    scale : float, default 1
        Factor on the numbers of neurons and of inputs of a neuron. Weights stay, so below 1 the
        network is coupled more weakly.
    """
    p = Brunel
    g, ratio = p.states[state]
    sizes, in_degree = scaled(p.n, scale), scaled(p.in_degree, scale)
    model = sp.LIF(
        tau_m=p.tau_m, v_rest=p.v_rest, v_th=p.v_th, v_reset=p.v_reset, t_ref=p.t_ref,
    )  # fmt: skip
    populations = {name: sp.Population(name, model, n) for name, n in sizes.items()}
    weights = {"exc": p.weight, "inh": -g * p.weight}
    projections = [
        sp.Projection(
            populations[source],
            populations[target],
            sp.FixedInDegree(in_degree[source]),
            weight=weights[source],
            delay=p.delay,
        )
        for source in sizes
        for target in sizes
    ]
    inputs = [
        sp.PoissonInput(target, rate=p.external_rate(ratio), weight=p.weight)
        for target in populations.values()
    ]
    return sp.Network(list(populations.values()), projections, inputs)


def microcircuit(scale: float = 1.0, poisson: bool = True) -> sp.Network:
    """Return the cortical microcircuit of Potjans & Diesmann 2014.

    Parameters
    ----------
    scale : float, default 1
        Factor on the numbers of neurons and of inputs of a neuron. At 1 there are 77,169 neurons
        and 299 million synapses; below, weights grow with its inverse root and a current makes
        up for what the mean input lacks.
    poisson : bool, default True
        Whether the cortex around sends Poisson spikes; else their mean, as a current.
    """
    p = Microcircuit(scale)
    currents = p.currents(poisson)
    populations = [
        sp.Population(
            name,
            sp.LIF(
                p.tau_m, p.c_m, p.v_rest, p.v_th, p.v_reset, p.t_ref,
                i_ext=float(currents[index]),
                v_init=sp.Normal(p.v_init_mean[index], p.v_init_sd[index]),
            ),
            p.sizes[name],
        )
        for index, name in enumerate(p.populations)
    ]  # fmt: skip
    synapse = sp.Exponential(p.tau_syn)
    n_synapses, weights = p.n_synapses(), p.weights()
    projections = []
    for source, pre in enumerate(populations):
        delay = sp.Normal(*p.delay[pre.name[-1]], low=0.5 * DT)
        for target, post in enumerate(populations):
            if n_synapses[target, source] == 0:
                continue
            mean = float(weights[target, source])
            # Redrawn until it has the sign of its mean.
            sign = {"low": 0.0} if mean > 0.0 else {"high": 0.0}
            projections.append(
                sp.Projection(
                    pre,
                    post,
                    sp.FixedTotalNumber(int(n_synapses[target, source])),
                    weight=sp.Normal(mean, p.weight_sd * abs(mean), **sign),
                    delay=delay,
                    synapse=synapse,
                )
            )
    inputs = [
        sp.PoissonInput(population, rate, p.weight_ext(), synapse)
        for population, rate in zip(populations, p.rates_ext(), strict=True)
    ]
    return sp.Network(populations, projections, inputs if poisson else [])


def one_neuron() -> sp.Network:
    """Return one LIF neuron that a current drives from 100 ms on."""
    p = OneNeuron
    model = sp.LIF(p.tau_m, p.c_m, p.v_rest, p.v_th, p.v_reset, p.t_ref)
    neuron = sp.Population("neuron", model, 1)
    return sp.Network([neuron], inputs=[sp.StepCurrent(neuron, p.amplitude, p.start)])


def driven(
    n: int = 10_000,
    in_degree: int = 0,
    weights: str = "one",
    rate: float = 10.0,
    duration: float = 1000.0,
) -> sp.Network:
    """Return neurons of which each is reached by `in_degree` of as many listed spike trains.

    Nothing fires because of it, so the number of events is known beforehand.

    Parameters
    ----------
    n : int, default 10,000
        Neurons, and spike trains.
    in_degree : int, default 0
        Synapses a neuron; at 0 there is a single synapse in all.
    weights : {"one", "normal"}
        Whether synapses share a weight or have one each; delays differ within 1.5 ms in any case.
    rate : float, default 10
        Spikes a second of a train (Hz).
    duration : float, default 1000
        Length of the trains (ms).
    """
    neurons = sp.Population("neurons", sp.LIF(), n)
    rng = np.random.default_rng(n)
    n_spikes = round(n * rate * duration / 1000.0)
    times = DT * rng.integers(2, round(duration / DT), n_spikes)
    trains = sp.Population("trains", sp.SpikeSource(times, rng.integers(0, n, n_spikes)), n)
    projection = sp.Projection(
        trains,
        neurons,
        sp.FixedInDegree(in_degree) if in_degree else sp.ExplicitList([0], [0]),
        weight=0.1 if weights == "one" else sp.Normal(0.1, 0.01, low=0.0),
        delay=sp.Uniform(0.1, 1.6),
        synapse=sp.Exponential(5.0),
    )
    return sp.Network([trains, neurons], [projection])


def n_synapses(network: sp.Network) -> int:
    """Return how many synapses a network has, the expected number where a rule leaves it open."""
    return sum(
        p.rule.expected_synapses(network.population(p.source), network.population(p.target))
        for p in network.projections
    )


@dataclass(frozen=True)
class Workload:
    """A network and how it is measured.

    Parameters
    ----------
    network : callable
        Makes the network; `options` are passed to it.
    duration : float
        Time that is simulated (ms).
    discard : float
        Time that statistics leave out at the start (ms).
    options : dict
        Arguments of `network`.
    record : str, optional
        What is recorded besides spikes.
    goals : dict of float
        Seconds or ratios to compare with, by the name of a column.
    """

    network: Callable[..., sp.Network]
    duration: float
    discard: float = 100.0
    options: dict[str, Any] = field(default_factory=dict)
    record: str | None = None
    goals: dict[str, float] = field(default_factory=dict)


WORKLOADS = {
    "lif": Workload(
        one_neuron, 1000.0, record="v", goals={"sim_s": 0.0005, "process_s": 0.6},
    ),
    "vogels_abbott_current": Workload(
        vogels_abbott, 10_000.0, options={"synapses": "current"},
        goals={"realtime_factor": 0.02, "process_s": 1.5},
    ),
    "vogels_abbott_conductance": Workload(
        vogels_abbott, 10_000.0, options={"synapses": "conductance"},
        goals={"realtime_factor": 0.08, "process_s": 2.5},
    ),
    "driven": Workload(driven, 500.0),
    "brunel": Workload(brunel, 1000.0, goals={"realtime_factor": 0.5}),
    "microcircuit": Workload(
        microcircuit, 1000.0, discard=200.0,
        goals={"realtime_factor": 1.0, "build_s": 10.0, "peak_rss_mb": 1600.0},
    ),
}  # fmt: skip
for _state in Brunel.states:
    if _state != "asynchronous irregular":
        WORKLOADS[f"brunel {_state}"] = Workload(brunel, 1000.0, options={"state": _state})
