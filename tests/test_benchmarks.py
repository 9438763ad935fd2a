"""The benchmarks run at tiny sizes; their networks are the published ones; no peer is needed."""

import importlib
import json
import sys

import numpy as np
import pytest

import spikesim as sp
from experiments.benchmarks import bounds, child, latency, measure, peers, scaling
from experiments.benchmarks.parameters import Brunel, Microcircuit, VogelsAbbott, activity
from experiments.benchmarks.workloads import (
    WORKLOADS,
    brunel,
    driven,
    microcircuit,
    n_synapses,
    one_neuron,
    vogels_abbott,
)

KEYS = {
    "workload", "simulator", "version", "precision", "threads", "n_neurons", "n_synapses",
    "bio_seconds", "build_s", "sim_s", "realtime_factor", "n_spikes", "peak_rss_mb", "process_s",
    "cache",
}  # fmt: skip


@pytest.fixture
def plain(monkeypatch):
    """The processes that are measured run as plain Python: at this size compiling takes longer."""
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")


def test_microcircuit_has_the_published_numbers():
    full, tenth = Microcircuit(), Microcircuit(0.1)
    assert sum(full.sizes.values()) == 77_169
    assert full.n_synapses().sum() == 298_880_970
    assert full.psc() == pytest.approx(87.8085, abs=1e-4)
    assert not np.any(full.currents())
    assert sum(tenth.sizes.values()) == 7_717
    assert tenth.n_synapses().sum() == 2_988_807
    # Against the mean input written out for one population, L23E.
    n = np.array(list(full.n.values()))
    mean = sum(
        w * k / n[0] * rate
        for w, k, rate in zip(
            full.weights()[0], full.n_synapses()[0], full.reference_rates, strict=True
        )
    )
    mean += full.psc() * 1600 * 8.0
    assert tenth.currents()[0] == pytest.approx(0.0005 * (1 - np.sqrt(0.1)) * mean)
    assert tenth.currents() == pytest.approx(
        [29.04, 112.37, 112.97, 114.99, 125.42, 151.68, 43.85, 153.71], abs=0.005
    )


def test_constant_current_stands_for_the_mean_of_the_poisson_input():
    p = Microcircuit(0.5)
    lacking = p.currents(poisson=False) - p.currents()
    assert lacking == pytest.approx(p.tau_syn * 1e-3 * p.weight_ext() * p.rates_ext())


def test_weight_makes_the_potential_peak_where_it_should():
    p = Microcircuit()
    neuron = sp.Population("neuron", sp.LIF(p.tau_m, p.c_m, p.v_rest, p.v_th, p.v_reset))
    spike = sp.SpikeInput(neuron, [1.0], [0], p.psc(), sp.Exponential(p.tau_syn))
    found = sp.simulate(sp.Network([neuron], inputs=[spike]), 10.0, dt=0.005, record="v")
    assert np.max(found.v) - p.v_rest == pytest.approx(p.psp, rel=1e-5)


def test_brunel_is_driven_as_the_paper_says():
    # nu_thr is the external rate that takes the mean potential to threshold.
    g, ratio = Brunel.states["asynchronous irregular"]
    assert (g, Brunel.external_rate(ratio)) == (5.0, pytest.approx(20_000.0))
    network = brunel()
    assert n_synapses(network) == 15_625_000
    weights = {(p.source, p.weight) for p in network.projections}
    assert weights == {("exc", 0.1), ("inh", -0.5)}


def test_vogels_abbott_with_a_listed_graph_has_its_synapses():
    pre, post = VogelsAbbott.graph(seed=3, scale=0.05)
    network = vogels_abbott(scale=0.05, graph_seed=3)
    first = {"exc": 0, "inh": 160}
    listed = {
        (i + first[p.source], j + first[p.target])
        for p in network.projections
        for i, j in zip(p.rule.pre, p.rule.post, strict=True)
    }
    assert listed == set(zip(pre, post, strict=True)) and n_synapses(network) == len(pre)
    assert len(pre) == pytest.approx(0.02 * 200**2, abs=5 * np.sqrt(0.02 * 200**2))


@pytest.mark.parametrize(
    "network",
    [
        lambda: vogels_abbott("current", 0.01),
        lambda: vogels_abbott("conductance", 0.01),
        lambda: brunel(scale=0.004),
        lambda: brunel("synchronous regular", scale=0.004),
        lambda: microcircuit(0.001),
        lambda: microcircuit(0.001, poisson=False),
        lambda: driven(5, 2, "normal", duration=2.0),
        one_neuron,
    ],
)
def test_networks_run(network):
    recording = sp.simulate(network(), 2.0, seed=1)
    assert recording.duration == 2.0


def test_conductances_start_as_drawn():
    network = vogels_abbott("conductance", 0.01, start_seed=2)
    start = VogelsAbbott.start(True, 2, 0.01)
    given = [item.weight for item in network.inputs if item.target == "exc"]
    assert np.array_equal(given[0], start["exc"][:32])
    assert np.array_equal(given[1], start["inh"][:32])


def test_activity_is_that_of_plain_loops():
    rng = np.random.default_rng(1)
    sizes = {"a": 3, "b": 2}
    times, ids = np.sort(rng.uniform(0.0, 1000.0, 150)), rng.integers(0, 4, 150)
    found = activity(times, ids, sizes, 100.0, 900.0)
    cvs = []
    for neuron in range(3):
        own = [t for t, i in zip(times, ids, strict=True) if i == neuron and 100.0 < t <= 900.0]
        intervals = np.diff(own)
        assert len(intervals) >= 10
        cvs.append(np.std(intervals) / np.mean(intervals))
    n = sum(1 for t, i in zip(times, ids, strict=True) if i < 3 and 100.0 < t <= 900.0)
    assert found["a"]["cv"] == pytest.approx(np.mean(cvs))
    assert found["a"]["rate"] == pytest.approx(n / 3 / 0.8)
    assert np.isnan(activity(times[:3], ids[:3], sizes, 0.0, 900.0)["a"]["cv"])


def test_benchmark_prints_a_table_and_writes_rows(plain, tmp_path, capsys):
    module = importlib.import_module("experiments.benchmarks.brunel")
    path = tmp_path / "rows.json"
    module.main(
        ["--scale", "0.002", "--duration", "1", "--threads", "1", "--repeats", "1",
         "--json", str(path)]
    )  # fmt: skip
    rows = json.loads(path.read_text())
    assert [row["cache"] for row in rows] == ["cold", "warm"]
    for row in rows:
        assert set(row) >= KEYS
        assert (row["n_neurons"], row["bio_seconds"]) == (25, 0.001)
        assert row["realtime_factor"] == pytest.approx(row["sim_s"] / 0.001)
        assert row["process_s"] > row["build_s"] + row["sim_s"] > 0.0 and row["peak_rss_mb"] > 10.0
    assert "25 neurons" in capsys.readouterr().out


def test_latency_gives_a_row_a_process_and_a_call(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(latency, "_PROCESSES", {"python start": ("pass", latency._NOTHING)})
    path = tmp_path / "rows.json"
    latency.main(["--n", "2", "--calls", "1", "--json", str(path)])
    rows = json.loads(path.read_text())
    assert [row["workload"] for row in rows] == ["python start"] * 2 + ["one neuron again"]
    assert all(set(row) >= KEYS - {"cache"} for row in rows)
    assert rows[0]["process_s"] > 0.0 and rows[0]["sim_s"] is None
    assert rows[2]["realtime_factor"] == rows[2]["sim_s"] > 0.0 and rows[2]["process_s"] is None
    assert "python start" in capsys.readouterr().out


def test_every_benchmark_names_workloads():
    for name in ("brunel", "vogels_abbott", "microcircuit"):
        module = importlib.import_module(f"experiments.benchmarks.{name}")
        assert set(module.NAMES) <= set(WORKLOADS)


def test_a_failed_run_says_what_the_process_said():
    job = measure.job_of("brunel", None, 1.0, 1, "double") | {"workload": "no such"}
    with pytest.raises(measure.RunFailedError, match="no such"):
        measure.run_once("spikesim_runs.py", job)


def test_a_killed_run_says_by_what(tmp_path):
    script = tmp_path / "killed.py"
    script.write_text("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(measure.RunFailedError, match="signal 9"):
        measure.run_once(str(script), measure.job_of("brunel", None, 1.0, 1, "double"))
    script.write_text("raise SystemExit(3)")
    with pytest.raises(measure.RunFailedError, match="status 3"):
        measure.run_once(str(script), measure.job_of("brunel", None, 1.0, 1, "double"))


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("lif", ["--scale", "0.5"]), ("lif", ["--threads", "2"]), ("brunel", ["--repeats", "0"])],
)
def test_options_without_an_effect_are_refused(name, arguments, capsys):
    module = importlib.import_module(f"experiments.benchmarks.{name}")
    with pytest.raises(SystemExit):
        module.main(arguments)
    assert arguments[0] in capsys.readouterr().err


def test_first_call_and_median_of_later_ones(monkeypatch):
    clock = iter([0.0, 9.0] + [x for i in range(20) for x in (10.0, 10.0 + 0.1 * i)])
    monkeypatch.setattr(child.time, "perf_counter", lambda: next(clock))
    calls = iter(range(100))
    assert child.first_and_later(lambda: next(calls)) == (9.0, pytest.approx(0.95), 20)


def test_scaling_gives_costs_bounds_and_a_figure(plain, tmp_path, monkeypatch, capsys):
    for name, value in (("triad_gb_s", 30.0), ("update_ns", 0.5), ("scatter_ns", 0.1)):
        monkeypatch.setattr(bounds, name, lambda *args, value=value: value)
    rows = scaling.main(
        ["--neurons", "5", "--in-degrees", "2", "--threads", "1", "--repeats", "1",
         "--duration", "1", "--out", str(tmp_path)]
    )  # fmt: skip
    assert [(row["per"], row["weights"]) for row in rows] == [
        ("neuron step", "one"), ("event", "one"), ("event", "normal"),
    ]  # fmt: skip
    assert [row["bound_ns"] for row in rows] == [0.5, 0.1, pytest.approx(10 / 30)]
    assert all(row["distance"] == pytest.approx(row["ns"] / row["bound_ns"]) for row in rows)
    assert (tmp_path / "scaling_double.png").is_file()
    assert "30.0 GB/s" in capsys.readouterr().out


def test_bare_loops_are_timed():
    assert bounds.triad_gb_s(1, n=1000) > 0.0
    assert bounds.update_ns(1, 100, n_updates=1000) > 0.0
    for weights in ("one", "normal"):
        for compact in (False, True):
            assert bounds.scatter_ns(2, 100, weights, compact, n=1000) > 0.0


def test_peers_that_are_not_there_are_left_out(plain, monkeypatch, capsys):
    monkeypatch.setattr(peers, "available", lambda module, python: False)
    rows = peers.main(
        ["--workloads", "vogels_abbott_current", "--scale", "0.005", "--duration", "2",
         "--repeats", "1", "--threads", "1"]
    )  # fmt: skip
    assert {row["simulator"] for row in rows} == {"spikesim"}
    said = capsys.readouterr()
    assert "pip install 'spikesim[peers]'" in said.err and "--nest-python" in said.err
    assert "20 neurons" in said.out
    assert rows[0]["left_out"] == ["nest could not be imported", "brian2 could not be imported"]


FAKE = """
import json, sys
import numpy as np
job = json.loads(sys.argv[1])
if job["workload"] == "brunel":
    raise RuntimeError("it broke")
np.savez(job["spikes"], times=np.array([1.0]), ids=np.array([0]))
fields = ("version", "n_neurons", "n_synapses", "build_s", "sim_s", "realtime_factor", "n_spikes",
          "peak_rss_mb", "spikes_sha256", "bio_seconds", "aside_s")
row = {key: 1 for key in fields}
row |= {key: job[key] for key in ("workload", "threads", "precision")}
row["simulator"] = "nest" if "mode" in job else "spikesim"
print(json.dumps(row))
"""


def _with_fake_runs(monkeypatch, tmp_path, broken):
    """Let the simulators run a program that fails on Brunel's network, or ours alone."""
    runs = measure.run_once
    good, bad = tmp_path / "good.py", tmp_path / "bad.py"
    good.write_text(FAKE.replace("brunel", "no such"))
    bad.write_text(FAKE)

    def run_once(script, job, **options):
        return runs(str(bad if script == broken else good), job, **options)

    monkeypatch.setattr(measure, "run_once", run_once)
    monkeypatch.setattr(peers, "available", lambda module, python: True)
    return ["--workloads", "brunel", "vogels_abbott_current", "--scale", "0.005", "--duration", "2",
            "--repeats", "2", "--threads", "1", "--simulators", "nest"]  # fmt: skip


def test_a_peer_that_fails_is_named_where_it_failed(tmp_path, monkeypatch, capsys):
    arguments = _with_fake_runs(monkeypatch, tmp_path, "nest_runs.py")
    rows = peers.main(arguments)
    assert "it broke" in capsys.readouterr().out
    for row in rows:
        failed = [text.startswith("brunel failed on nest") for text in row["left_out"]]
        assert failed == ([True] if row["workload"] == "brunel" else [])
    assert {row["simulator"] for row in rows if row["workload"] == "brunel"} == {"spikesim"}


def test_a_failure_of_ours_is_an_error_that_keeps_the_rest(tmp_path, monkeypatch, capsys):
    arguments = _with_fake_runs(monkeypatch, tmp_path, "spikesim_runs.py")
    path = tmp_path / "rows.json"
    with pytest.raises(SystemExit, match="spikesim failed"):
        peers.main([*arguments, "--json", str(path)])
    rows = json.loads(path.read_text())
    kept = {(row["workload"], row["simulator"]) for row in rows}
    assert kept == {("brunel", "nest"), ("vogels_abbott_current", "nest"),
                    ("vogels_abbott_current", "spikesim")}  # fmt: skip
    assert "it broke" in capsys.readouterr().out


def test_a_module_is_looked_for_in_the_python_that_is_named():
    assert peers.available("json", sys.executable)
    assert not peers.available("no_such_module", sys.executable)
    assert not peers.available("json", "no such python")


def test_runs_of_peers_are_importable_without_them():
    for name in ("nest_runs", "brian_runs"):
        assert callable(importlib.import_module(f"experiments.benchmarks.{name}").measure)


def _row(simulator, seed, rate, cv):
    return {
        "workload": "brunel", "simulator": simulator, "precision": "double", "threads": 1,
        "seed": seed, "cache": "warm", "activity": {"exc": {"rate": rate, "cv": cv}},
        "realtime_factor": rate, "build_s": 1.0, "process_s": 1.0, "peak_rss_mb": 1.0,
    }  # fmt: skip


def test_agreement_passes_within_two_per_cent_and_fails_beyond():
    ours = [_row("spikesim", seed, rate, 0.50) for seed, rate in ((1, 9.9), (2, 10.1))]
    near, far = _row("nest", 1, 10.19, 0.519), _row("brian2-cpp", 1, 10.21, 0.521)
    found = peers.agreement([*ours, near, far])
    assert [(e["peer"], e["quantity"], e["passed"]) for e in found] == [
        ("nest", "rate", True), ("nest", "cv", True),
        ("brian2", "rate", False), ("brian2", "cv", False),
    ]  # fmt: skip
    assert found[0]["difference"] == pytest.approx(0.019)
    assert found[0]["standard_error"] is None
    both = peers.agreement([*ours, _row("nest", 1, 9.8, 0.5), _row("nest", 2, 10.4, 0.5)])
    assert both[0]["standard_error"] == pytest.approx(np.sqrt(0.02 / 2 + 0.18 / 2) / 10.0)
    text = peers.statistics_table(found)
    assert "2 of 4 within the limits" in text and "+1.90%" in text
    # Modes of a simulator that lead to the same spikes are one draw, not two.
    modes = [_row(mode, 1, 10.0, 0.5) for mode in ("brian2-cpp", "brian2-cython")]
    assert peers.agreement([*ours, *modes])[0]["theirs_sd"] is None
    silent = [_row("spikesim", 1, 0.0, float("nan")), _row("nest", 1, 0.0, float("nan"))]
    assert [e["quantity"] for e in peers.agreement(silent)] == ["rate"]


def test_ratio_is_the_peer_over_ours():
    text = peers.ratios([_row("spikesim", 1, 2.0, 0.5), _row("nest", 1, 5.0, 0.5)])
    assert text.splitlines()[-1].split()[:6] == ["brunel", "nest", "1", "double", "2.5", "1"]


def test_first_difference_is_the_first_spike_that_one_alone_has():
    one = (np.array([0.1, 0.5, 0.7]), np.array([0, 1, 2]))
    other = (np.array([0.5, 0.1, 0.7, 0.9]), np.array([1, 0, 1, 2]))
    assert peers.first_difference(one, one) is None
    assert peers.first_difference(one, other) == pytest.approx(0.7)


def test_peak_memory_counts_what_was_touched():
    before = child.peak_memory()
    array = np.ones(8_000_000)
    assert child.peak_memory() >= before > 10.0
    assert child.peak_memory() * 1e6 > array.nbytes
