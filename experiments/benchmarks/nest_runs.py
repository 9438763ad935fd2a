"""One measured run of NEST, in a process of its own; started by ``peers.py``.

Needs ``nest-simulator`` and NumPy only. Networks as in ``workloads.py``.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))
from experiments.benchmarks import child
from experiments.benchmarks.parameters import (
    DT,
    Brunel,
    Microcircuit,
    OneNeuron,
    VogelsAbbott,
    scaled,
)


def measure(job: dict[str, Any]) -> tuple[dict[str, Any], child.Spikes]:
    """Build, prepare and simulate; ``build_s`` includes ``Prepare``, ``sim_s`` is ``Run``."""
    import nest

    row: dict[str, Any] = {"simulator": "nest", "version": nest.__version__}
    if job["workload"] == "lif":
        return _one_neuron(nest, job, row)
    start = time.perf_counter()
    _reset(nest, job)
    name = job["workload"].split()[0]
    if name.startswith("vogels_abbott"):
        neurons, n_synapses = _vogels_abbott(nest, job, name.endswith("conductance"))
    elif name == "brunel":
        neurons, n_synapses = _brunel(nest, job)
    else:
        neurons, n_synapses = _microcircuit(nest, job)
    recorder = nest.Create("spike_recorder")
    nest.Connect(neurons, recorder)
    nest.Prepare()
    built = time.perf_counter()
    nest.Run(job["duration"])
    row["sim_s"] = time.perf_counter() - built
    row["build_s"] = built - start
    row["n_neurons"] = len(neurons)
    row["n_synapses"] = n_synapses
    row["n_spikes"] = int(recorder.n_events)

    def spikes() -> tuple[np.ndarray, np.ndarray]:
        events = recorder.get("events")
        return events["times"], events["senders"] - neurons[0].global_id

    return row, spikes


def _reset(nest: Any, job: dict[str, Any]) -> None:
    if hasattr(nest, "VerbosityLevel"):
        nest.verbosity = nest.VerbosityLevel.ERROR
    else:
        nest.set_verbosity("M_ERROR")
    nest.ResetKernel()
    nest.resolution = DT
    nest.local_num_threads = job["threads"]
    nest.rng_seed = job["seed"] + 1


def _vogels_abbott(nest: Any, job: dict[str, Any], conductance: bool) -> tuple[Any, int]:
    p, scale = VogelsAbbott, job["options"].get("scale", 1.0)
    common = {"C_m": p.c_m, "V_th": p.v_th, "V_reset": p.v_reset, "t_ref": p.t_ref,
              "tau_syn_ex": p.tau_syn["exc"], "tau_syn_in": p.tau_syn["inh"]}  # fmt: skip
    sizes = scaled(p.n, scale)
    n = sum(sizes.values())
    start = p.start(conductance, job["options"].get("start_seed", 1), scale)
    if conductance:
        own = {"E_L": p.conductance_v_rest, "g_L": p.c_m / p.tau_m, "E_ex": p.e_rev["exc"],
               "E_in": p.e_rev["inh"]}  # fmt: skip
        neurons = nest.Create("iaf_cond_exp", n, params=common | own)
        neurons.set({"V_m": start["v"], "g_ex": start["exc"], "g_in": start["inh"]})
        # An inhibitory weight is negative here, though the conductance that it opens is not.
        weights = {"exc": p.conductance_weight["exc"], "inh": -p.conductance_weight["inh"]}
    else:
        own = {"E_L": p.current_v_rest, "tau_m": p.tau_m}
        neurons = nest.Create("iaf_psc_exp", n, params=common | own)
        neurons.set({"V_m": start["v"]})
        weights = p.current_weight
    pre, post = p.graph(job["options"]["graph_seed"], scale)
    weight = np.where(pre < sizes["exc"], weights["exc"], weights["inh"])
    first = neurons[0].global_id
    nest.Connect(
        pre + first,
        post + first,
        "one_to_one",
        {"synapse_model": "static_synapse", "weight": weight, "delay": np.full(len(pre), p.delay)},
    )
    return neurons, len(pre)


def _brunel(nest: Any, job: dict[str, Any]) -> tuple[Any, int]:
    p, scale = Brunel, job["options"].get("scale", 1.0)
    g, ratio = p.states[job["options"].get("state", "asynchronous irregular")]
    sizes, in_degree = scaled(p.n, scale), scaled(p.in_degree, scale)
    neurons = nest.Create(
        "iaf_psc_delta",
        sum(sizes.values()),
        params={"tau_m": p.tau_m, "E_L": p.v_rest, "V_m": p.v_rest, "V_th": p.v_th,
                "V_reset": p.v_reset, "t_ref": p.t_ref},
    )  # fmt: skip
    parts = {"exc": neurons[: sizes["exc"]], "inh": neurons[sizes["exc"] :]}
    weights = {"exc": p.weight, "inh": -g * p.weight}
    for name, part in parts.items():
        nest.Connect(
            part,
            neurons,
            {"rule": "fixed_indegree", "indegree": in_degree[name]},
            {"weight": weights[name], "delay": p.delay},
        )
    noise = nest.Create("poisson_generator", params={"rate": p.external_rate(ratio)})
    nest.Connect(noise, neurons, syn_spec={"weight": p.weight, "delay": p.delay})
    return neurons, len(neurons) * sum(in_degree.values())


def _microcircuit(nest: Any, job: dict[str, Any]) -> tuple[Any, int]:
    p = Microcircuit(job["options"].get("scale", 1.0))
    currents = p.currents()
    populations = []
    for index, name in enumerate(p.populations):
        part = nest.Create(
            "iaf_psc_exp",
            p.sizes[name],
            params={"C_m": p.c_m, "tau_m": p.tau_m, "E_L": p.v_rest, "V_th": p.v_th,
                    "V_reset": p.v_reset, "t_ref": p.t_ref, "tau_syn_ex": p.tau_syn,
                    "tau_syn_in": p.tau_syn, "I_e": float(currents[index])},
        )  # fmt: skip
        part.V_m = nest.random.normal(p.v_init_mean[index], p.v_init_sd[index])
        noise = nest.Create("poisson_generator", params={"rate": float(p.rates_ext()[index])})
        nest.Connect(noise, part, syn_spec={"weight": p.weight_ext(), "delay": p.delay_ext})
        populations.append(part)
    n_synapses, weights = p.n_synapses(), p.weights()
    for source, pre in enumerate(populations):
        # A thread can hold 2^27 connections of one model: a copy for each source population.
        model = f"from_{p.populations[source]}"
        nest.CopyModel("static_synapse", model)
        mean_delay, sd_delay = p.delay[p.populations[source][-1]]
        for target, post in enumerate(populations):
            if n_synapses[target, source] == 0:
                continue
            mean = float(weights[target, source])
            sign = {"min": 0.0, "max": np.inf} if mean > 0 else {"min": -np.inf, "max": 0.0}
            nest.Connect(
                pre,
                post,
                {"rule": "fixed_total_number", "N": int(n_synapses[target, source])},
                {
                    "synapse_model": model,
                    "weight": nest.math.redraw(
                        nest.random.normal(mean, p.weight_sd * abs(mean)), **sign
                    ),
                    "delay": nest.math.redraw(
                        nest.random.normal(mean_delay, sd_delay), min=0.5 * DT, max=np.inf
                    ),
                },
            )
    neurons = populations[0]
    for part in populations[1:]:
        neurons = neurons + part
    return neurons, int(n_synapses.sum())


def _one_neuron(
    nest: Any, job: dict[str, Any], row: dict[str, Any]
) -> tuple[dict[str, Any], child.Spikes]:
    """Measure the first call and the median of later ones, each from an empty kernel."""
    p = OneNeuron

    def call() -> tuple[np.ndarray, np.ndarray]:
        _reset(nest, job)
        neuron = nest.Create(
            "iaf_psc_exp",
            params={"C_m": p.c_m, "tau_m": p.tau_m, "E_L": p.v_rest, "V_m": p.v_rest,
                    "V_th": p.v_th, "V_reset": p.v_reset, "t_ref": p.t_ref},
        )  # fmt: skip
        current = nest.Create("dc_generator", params={"amplitude": p.amplitude, "start": p.start})
        recorder = nest.Create("spike_recorder")
        voltmeter = nest.Create("voltmeter", params={"interval": DT})
        nest.Connect(current, neuron, syn_spec={"delay": DT})
        nest.Connect(neuron, recorder)
        nest.Connect(voltmeter, neuron)
        nest.Simulate(job["duration"])
        voltmeter.get("events", "V_m")
        times = recorder.get("events", "times")
        return times, np.zeros(len(times), dtype=np.int64)

    row["build_s"], row["sim_s"], found = child.first_and_later(call)
    row |= {"n_neurons": 1, "n_synapses": 0, "n_spikes": len(found[0])}
    return row, lambda: found


if __name__ == "__main__":
    child.main(measure)
