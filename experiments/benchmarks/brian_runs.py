"""One measured run of Brian2, in a process of its own; started by ``peers.py``.

Needs ``brian2`` (with Cython and a C++ compiler) and NumPy only. Networks as in ``workloads.py``.
A job's ``mode`` is "cython" (runtime; ``cython_cache`` is where it keeps what it compiled), "cpp"
or "cpp-openmp" (a C++ program of its own).
"""

from __future__ import annotations

import sys
import tempfile
import threading
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

# A sum of Poisson trains as Brian draws it: binomial, of so many that it is Poisson.
_TRAINS = 1_000_000


def measure(job: dict[str, Any]) -> tuple[dict[str, Any], child.Spikes]:
    """Build and simulate; ``sim_s`` is the loop over steps as Brian itself takes its time.

    ``build_s`` is the rest, from the description to the end of the run: code written and
    compiled, synapses made. For a C++ program ``peak_rss_mb`` is the program's, without Python
    and the compiler. Of one neuron ``build_s`` is the first call, ``sim_s`` the median of later
    ones; a later call of a C++ program runs it again and reads what it wrote.
    """
    import brian2 as b2

    row: dict[str, Any] = {"simulator": f"brian2-{job['mode']}", "version": b2.__version__}
    with tempfile.TemporaryDirectory(prefix="brian") as folder:
        start = time.perf_counter()
        compiled = job["mode"] != "cython"
        if compiled:
            b2.set_device("cpp_standalone", build_on_run=False, directory=folder)
            if job["mode"] == "cpp-openmp":
                b2.prefs.devices.cpp_standalone.openmp_threads = job["threads"]
        else:
            b2.prefs.codegen.target = "cython"
            b2.prefs.codegen.runtime.cython.cache_dir = job["cython_cache"]
        b2.defaultclock.dt = DT * b2.ms
        b2.seed(job["seed"])
        if job["workload"] == "lif" and not compiled:
            return _one_neuron_again(b2, job, row)
        objects, n_synapses = _network(b2, job)
        network = b2.Network(objects.values())
        finished: list[float] = []
        network.run(
            job["duration"] * b2.ms,
            report=None if compiled else lambda elapsed, *_: finished.append(float(elapsed)),
            report_period=1e9 * b2.second,
        )
        if compiled:
            b2.device.build(directory=folder, compile=True, run=False)
            with _PeakOfChildren() as peak:
                _run_program(b2, folder)
            row["peak_rss_mb"] = peak.mb
            finished.append(b2.device._last_run_time)
        row["sim_s"] = finished[-1]
        row["build_s"] = time.perf_counter() - start - row["sim_s"]
        if job["workload"] == "lif":
            row["build_s"] += row["sim_s"]
            _, row["sim_s"], _ = child.first_and_later(lambda: _program_again(b2, folder, objects))
        monitor = objects["spikes"]
        times, ids = np.asarray(monitor.t / b2.ms), np.asarray(monitor.i)
    row |= {"n_neurons": len(objects["neurons"]), "n_synapses": n_synapses, "n_spikes": len(times)}
    # Brian stamps a spike with the beginning of its step, the others with the end.
    return row, lambda: (times + DT, ids)


def _network(b2: Any, job: dict[str, Any]) -> tuple[dict[str, Any], int]:
    name = job["workload"].split()[0]
    if name == "lif":
        return _one_neuron(b2, job["duration"]), 0
    if name.startswith("vogels_abbott"):
        objects, n_synapses = _vogels_abbott(b2, job["options"], name.endswith("conductance"))
    elif name == "brunel":
        objects, n_synapses = _brunel(b2, job["options"])
    else:
        objects, n_synapses = _microcircuit(b2, job["options"])
    objects["spikes"] = b2.SpikeMonitor(objects["neurons"])
    return objects, n_synapses


def _refractory(b2: Any, t_ref: float) -> Any:
    """Return the refractory period in which Brian holds a neuron for as many steps as others do.

    It counts the step of the spike as the first of them, so it takes one more.
    """
    return (t_ref + DT) * b2.ms


def _vogels_abbott(
    b2: Any, options: dict[str, Any], conductance: bool
) -> tuple[dict[str, Any], int]:
    p, scale = VogelsAbbott, options.get("scale", 1.0)
    sizes = scaled(p.n, scale)
    n = sum(sizes.values())
    start = p.start(conductance, options.get("start_seed", 1), scale)
    names = {
        "tau_m": p.tau_m * b2.ms, "tau_e": p.tau_syn["exc"] * b2.ms,
        "tau_i": p.tau_syn["inh"] * b2.ms, "v_th": p.v_th, "v_reset": p.v_reset,
    }  # fmt: skip
    if conductance:
        # Conductances in units of the leak, g_L = c_m / tau_m.
        leak = p.c_m / p.tau_m
        names |= {"v_rest": p.conductance_v_rest, "e_e": p.e_rev["exc"], "e_i": p.e_rev["inh"]}
        current = "v_rest - v + g_e * (e_e - v) + g_i * (e_i - v)"
        weights = {name: w / leak for name, w in p.conductance_weight.items()}
        method = "exponential_euler"
    else:
        # Currents as what they add to the potential, in mV.
        names |= {"v_rest": p.current_v_rest}
        current = "v_rest - v + g_e + g_i"
        weights = {name: w * p.tau_m / p.c_m for name, w in p.current_weight.items()}
        method = "exact"
    neurons = b2.NeuronGroup(
        n,
        f"""dv/dt = ({current}) / tau_m : 1 (unless refractory)
            dg_e/dt = -g_e / tau_e : 1
            dg_i/dt = -g_i / tau_i : 1""",
        threshold="v >= v_th",
        reset="v = v_reset",
        refractory=_refractory(b2, p.t_ref),
        method=method,
        namespace=names,
    )
    neurons.v = start["v"]
    if conductance:
        neurons.g_e, neurons.g_i = start["exc"] / leak, start["inh"] / leak
    pre, post = p.graph(options["graph_seed"], scale)
    objects = {"neurons": neurons}
    for name, variable, own in (
        ("exc", "g_e", pre < sizes["exc"]),
        ("inh", "g_i", pre >= sizes["exc"]),
    ):
        synapses = b2.Synapses(
            neurons,
            neurons,
            on_pre=f"{variable}_post += weight",
            delay=p.delay * b2.ms,
            namespace={"weight": weights[name]},
        )
        synapses.connect(i=pre[own], j=post[own])
        objects[name] = synapses
    return objects, len(pre)


def _brunel(b2: Any, options: dict[str, Any]) -> tuple[dict[str, Any], int]:
    p, scale = Brunel, options.get("scale", 1.0)
    g, ratio = p.states[options.get("state", "asynchronous irregular")]
    sizes, in_degree = scaled(p.n, scale), scaled(p.in_degree, scale)
    neurons = b2.NeuronGroup(
        sum(sizes.values()),
        "dv/dt = (v_rest - v) / tau_m : 1 (unless refractory)",
        threshold="v >= v_th",
        reset="v = v_reset",
        refractory=_refractory(b2, p.t_ref),
        method="exact",
        namespace={"tau_m": p.tau_m * b2.ms, "v_rest": p.v_rest, "v_th": p.v_th,
                   "v_reset": p.v_reset},
    )  # fmt: skip
    neurons.v = p.v_rest
    parts = {"exc": neurons[: sizes["exc"]], "inh": neurons[sizes["exc"] :]}
    weights = {"exc": p.weight, "inh": -g * p.weight}
    objects = {"neurons": neurons}
    for name, part in parts.items():
        synapses = b2.Synapses(
            part,
            neurons,
            on_pre="v_post += weight",
            delay=p.delay * b2.ms,
            namespace={"weight": weights[name]},
        )
        synapses.connect(i=f"int(rand() * N_pre) for _ in range({in_degree[name]})")
        objects[name] = synapses
    rate = p.external_rate(ratio) / _TRAINS
    objects["noise"] = b2.PoissonInput(neurons, "v", _TRAINS, rate * b2.Hz, weight=p.weight)
    return objects, len(neurons) * sum(in_degree.values())


def _microcircuit(b2: Any, options: dict[str, Any]) -> tuple[dict[str, Any], int]:
    p = Microcircuit(options.get("scale", 1.0))
    rng = np.random.default_rng(options.get("graph_seed", 1))
    sizes = np.array(list(p.sizes.values()))
    bounds = np.concatenate(([0], np.cumsum(sizes)))
    neurons = b2.NeuronGroup(
        bounds[-1],
        """dv/dt = (v_rest - v) / tau_m + (i_syn + i_ext) / c_m : 1 (unless refractory)
           di_syn/dt = -i_syn / tau_syn : 1
           i_ext : 1""",
        threshold="v >= v_th",
        reset="v = v_reset",
        refractory=_refractory(b2, p.t_ref),
        method="exact",
        namespace={"tau_m": p.tau_m * b2.ms, "c_m": p.c_m * b2.ms, "tau_syn": p.tau_syn * b2.ms,
                   "v_rest": p.v_rest, "v_th": p.v_th, "v_reset": p.v_reset},
    )  # fmt: skip
    neurons.v = rng.normal(np.repeat(p.v_init_mean, sizes), np.repeat(p.v_init_sd, sizes))
    neurons.i_ext = np.repeat(p.currents(), sizes)
    n_synapses, mean = p.n_synapses(), p.weights()
    pre, post, weight, delay = [], [], [], []
    for target, source in zip(*np.nonzero(n_synapses), strict=True):
        n, w = int(n_synapses[target, source]), float(mean[target, source])
        pre.append(rng.integers(bounds[source], bounds[source + 1], n))
        post.append(rng.integers(bounds[target], bounds[target + 1], n))
        weight.append(_redrawn(rng, w, p.weight_sd * abs(w), n, lambda x, w=w: x * w > 0.0))
        kind = p.populations[source][-1]
        delay.append(_redrawn(rng, *p.delay[kind], n, lambda x: x >= 0.5 * DT))
    synapses = b2.Synapses(neurons, neurons, "w : 1 (constant)", on_pre="i_syn_post += w")
    synapses.connect(i=np.concatenate(pre), j=np.concatenate(post))
    synapses.w = np.concatenate(weight)
    synapses.delay = np.rint(np.concatenate(delay) / DT) * DT * b2.ms
    objects = {"neurons": neurons, "synapses": synapses}
    for index, rate in enumerate(p.rates_ext()):
        objects[f"noise {index}"] = b2.PoissonInput(
            neurons[bounds[index] : bounds[index + 1]],
            "i_syn",
            _TRAINS,
            rate / _TRAINS * b2.Hz,
            weight=p.weight_ext(),
        )
    return objects, int(n_synapses.sum())


def _redrawn(rng: Any, mean: float, sd: float, n: int, allowed: Any) -> np.ndarray:
    values = rng.normal(mean, sd, n)
    while len(bad := np.flatnonzero(~allowed(values))):
        values[bad] = rng.normal(mean, sd, len(bad))
    return values


def _one_neuron(b2: Any, duration: float) -> dict[str, Any]:
    p = OneNeuron
    steps = np.arange(round(duration / DT)) * DT
    current = b2.TimedArray(np.where(steps >= p.start - DT / 2, p.amplitude, 0.0), dt=DT * b2.ms)
    neurons = b2.NeuronGroup(
        1,
        "dv/dt = (v_rest - v) / tau_m + current(t) / c_m : 1 (unless refractory)",
        threshold="v >= v_th",
        reset="v = v_reset",
        refractory=_refractory(b2, p.t_ref),
        method="exact",
        namespace={"tau_m": p.tau_m * b2.ms, "c_m": p.c_m * b2.ms, "v_rest": p.v_rest,
                   "v_th": p.v_th, "v_reset": p.v_reset, "current": current},
    )  # fmt: skip
    neurons.v = p.v_rest
    voltage = b2.StateMonitor(neurons, "v", record=True)
    return {"neurons": neurons, "voltage": voltage, "spikes": b2.SpikeMonitor(neurons)}


def _one_neuron_again(
    b2: Any, job: dict[str, Any], row: dict[str, Any]
) -> tuple[dict[str, Any], child.Spikes]:
    """Measure the first call and the median of later ones, each with a network of its own."""

    def call() -> np.ndarray:
        objects = _one_neuron(b2, job["duration"])
        b2.Network(objects.values()).run(job["duration"] * b2.ms)
        np.asarray(objects["voltage"].v)
        return np.asarray(objects["spikes"].t / b2.ms)

    row["build_s"], row["sim_s"], times = child.first_and_later(call)
    row |= {"n_neurons": 1, "n_synapses": 0, "n_spikes": len(times)}
    return row, lambda: (times + DT, np.zeros(len(times), dtype=np.int64))


def _run_program(b2: Any, folder: str) -> None:
    b2.device.run(directory=folder, with_output=False, run_args=[])


def _program_again(b2: Any, folder: str, objects: dict[str, Any]) -> None:
    _run_program(b2, folder)
    np.asarray(objects["voltage"].v)
    np.asarray(objects["spikes"].t)


class _PeakOfChildren:
    """Watches how large the programs get that this process starts meanwhile (Linux)."""

    def __init__(self) -> None:
        self._peaks: dict[str, float] = {}

    @property
    def mb(self) -> float:
        return max(self._peaks.values(), default=float("nan"))

    def __enter__(self) -> _PeakOfChildren:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *error: Any) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.002):
            for path in Path("/proc/self/task").glob("*/children"):
                try:
                    for number in path.read_text().split():
                        # The last reading counts: between fork and exec a child is a copy of us.
                        if (mb := child.peak_memory(number)) == mb:
                            self._peaks[number] = mb
                except OSError:
                    continue


if __name__ == "__main__":
    child.main(measure)
