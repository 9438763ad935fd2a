"""The benchmark of training: the exact losses of its model, its smallest run, and its section."""

import importlib
import json

import numpy as np
import pytest
from numba import config

from docs import benchmark_training
from experiments.benchmarks import bounds, small_spikesim, training, training_parts
from experiments.benchmarks import training_tasks as tasks
from experiments.benchmarks.training_spikesim import classifier, padded, rule_of
from spikesim.layered import forward
from spikesim.layered.packed import PackedSpikes
from tests.test_benchmark_page import ORIGIN, _cells, _page

# As plain Python a trial takes half a second.
N_TRIALS = 1 if config.DISABLE_JIT else 128


@pytest.fixture
def plain(monkeypatch):
    """The processes that are measured run as plain Python: at this size compiling takes longer."""
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")


@pytest.fixture(scope="module")
def batch():
    return tasks.classifier_data(128)


def _losses(x, labels, weights, recurrent):
    """Return the loss of each trial, written from the equations of the model."""
    drive = x.astype(np.float64) @ weights["w"]
    i_syn, v, spikes = (np.zeros(drive.shape[1:]) for _ in range(3))
    i_out, v_out = (np.zeros((len(labels), 20)) for _ in range(2))
    best = np.full(v_out.shape, -np.inf)
    for arriving in drive:
        if recurrent:
            arriving = arriving + spikes @ weights["w_rec"]
        i_syn = np.exp(-1.0 / 5.0) * i_syn + arriving
        v = np.exp(-1.0 / 10.0) * v + i_syn - spikes
        spikes = (v > 1.0).astype(np.float64)
        i_out = np.exp(-1.0 / 5.0) * i_out + spikes @ weights["w_out"]
        v_out = np.exp(-1.0 / 10.0) * v_out + i_out
        best = np.maximum(best, v_out)
    right = best[np.arange(len(labels)), labels]
    return np.log(np.exp(best).sum(axis=1)) - right


@pytest.mark.parametrize("model", ["feed-forward", "recurrent"])
def test_first_losses_are_those_of_the_model(batch, model):
    x, labels = batch
    weights, recurrent = tasks.classifier_weights(), model == "recurrent"
    expected = _losses(x, labels, weights, recurrent)
    assert expected.mean() == pytest.approx(tasks.ANCHORS[model], rel=tasks.ANCHOR_TOLERANCE)
    packed = PackedSpikes.pack(padded(x[:, :N_TRIALS]))
    for precision, limit in (("double", 1e-10), ("single", 2e-3)):
        network = classifier(weights, recurrent, precision)
        found = rule_of().loss_and_gradient(network, forward(network, packed), labels[:N_TRIALS])
        # Rounding in single precision moves a spike in a trial here and there.
        differences = np.abs(found[0] - expected[:N_TRIALS])
        assert np.median(differences) < limit
        if N_TRIALS == 128:
            assert found[0].mean() == pytest.approx(expected.mean(), rel=tasks.ANCHOR_TOLERANCE)


def test_a_loss_that_is_not_the_models_is_refused():
    row = {"workload": "recurrent", "library": "snntorch", "value": 11.3006}
    training.check_anchor(row)
    with pytest.raises(training.AnchorMissedError, match=r"snntorch is 11\.31"):
        training.check_anchor(row | {"value": 11.31})
    training.check_anchor(row | {"value": 11.31, "library": "norse"})
    training.check_anchor(row | {"value": 11.31, "workload": "recurrent, batch 256"})


def test_yin_yang_is_encoded_alike_everywhere():
    import spikesim as sp

    features = sp.datasets.yin_yang(30, 42).features
    encoder = sp.encoding.LatencyEncoder(
        duration=40.0, t_max=30.0, low=0.0, high=1.0, bias_spike=True, early="low"
    ).fit(features)
    assert np.array_equal(encoder.encode(features, dt=1.0), tasks.latency_spikes(features))
    assert tasks.DirectCurrent(3).encode(features).shape == (3, 30, 5)


def test_steps_are_measured_without_the_others(plain, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(training.peers, "available", lambda module, python: False)
    path = tmp_path / "rows.json"
    names = ["recurrent, cut-off", "square layer", "yin-yang, direct", "xor"]
    training.main(
        ["--smoke", "--repeats", "1", "--steps", "1", "--threads", "1", "--workloads", *names,
         "--json", str(path)]
    )  # fmt: skip
    rows = json.loads(path.read_text())
    steps = [row for row in rows if row["mode"] != "part"]
    assert list(dict.fromkeys(row["workload"] for row in steps)) == names
    assert {(row["library"], row["cache"]) for row in steps} == {
        ("spikesim", "cold"), ("spikesim", "warm"),
    }  # fmt: skip
    for row in steps:
        if row["mode"] == "training":
            assert row["process_s"] > row["since_start_s"] > row["first_s"] > 0.0
            assert row["step_s"] >= row["step_min_s"] > 0.0 and row["peak_rss_mb"] > 10.0
    parts = {row["part"]: row for row in rows if row["mode"] == "part"}
    assert set(parts) == {"packing of the input", "forward", "loss", "backward", "optimiser",
                          "step"}  # fmt: skip
    assert all(row["part_s"] > 0.0 and row["bound_s"] > 0.0 for row in parts.values())
    said = capsys.readouterr()
    assert "goal: recurrent, cut-off" in said.out and "left out: norse" in said.err
    assert rows[0]["left_out"][0] == "reference: torch could not be imported"


def test_small_tasks_are_tasks():
    n_seeds, epochs = (1, 2) if config.DISABLE_JIT else (4, 100)
    found = small_spikesim.xor(n_seeds, epochs)
    assert 0.0 <= found <= 1.0 if config.DISABLE_JIT else found == 1.0
    if not config.DISABLE_JIT:
        assert small_spikesim.iris(epochs=30) > 0.8


def test_bounds_count_what_a_step_needs():
    ns = {"gather": 1.0, "outer": 10.0, "scan": 100.0, "adjoint": 1e3, "product": 1e4, "byte": 0.0}
    counts = {"input_spikes": 7.0, "hidden_spikes": 3.0, "active_share": 0.5, "trial_steps": 2.0,
              "n_parameters": 5.0}  # fmt: skip
    found = training_parts.bounds_of("feed-forward", counts, ns)
    adds = 7 * 256 + 3 * 20
    assert found["forward"] == pytest.approx(1e-9 * (adds + 2 * 276 * 100))
    backward = adds * 10 + 2 * 276 * 1e3 + 2 * 256 * 20 * 1e4
    assert found["backward"] == pytest.approx(1e-9 * backward)
    assert found["step"] == pytest.approx(found["forward"] + found["backward"])
    full, cut = (
        training_parts.bounds_of(model, counts, ns)["backward"]
        for model in ("recurrent", "recurrent, cut-off")
    )
    assert full - cut == pytest.approx(1e-9 * 0.5 * 2 * 256 * 276 * 1e4)


def test_bare_loops_of_training_are_timed():
    for kind in ("gather", "outer", "scan", "adjoint"):
        assert bounds.layer_ns(1, kind, 5, 3, density=0.4, n_steps=4) > 0.0
    assert bounds.product_ns(4, n_rows=3) > 0.0


def test_bare_loops_do_the_work_of_a_layer():
    units, w = np.array([[0, 2], [1, 1]], np.uint32), np.arange(6.0, dtype=np.float32).reshape(3, 2)
    drive = np.zeros((2, 2), np.float32)
    bounds._gather(units, w, drive)
    assert np.array_equal(drive, [[4.0, 6.0], [4.0, 6.0]])
    grad = np.zeros_like(w)
    bounds._outer(units, grad, drive)
    assert np.array_equal(grad, [[4.0, 6.0], [8.0, 12.0], [4.0, 6.0]])
    zeros, v_free = np.zeros((2, 2), np.float32), np.zeros((2, 2), np.float32)
    halves = np.full((2, 2), 0.75, np.float32)
    half, one = np.float32(0.5), np.float32(1.0)
    bounds._scan(halves, zeros[0], zeros[1], v_free, half, half, one)
    assert np.array_equal(v_free, [[0.75, 0.75], [1.5, 1.5]])
    assert np.array_equal(zeros, [[1.125, 1.125], [0.5, 0.5]])
    arrived, state = np.zeros((2, 2), np.float32), np.zeros((2, 2), np.float32)
    bounds._adjoint(v_free, halves, *state, arrived, half, half, one, one)
    away = np.array([1.25, 1.5]) ** -2.0 * 0.75
    by_v = np.array([away[0], 0.5 * away[0] + away[1]])
    expected = [by_v[0], 0.5 * by_v[0] + by_v[1]]
    assert arrived[:, 0] == pytest.approx(expected, rel=1e-6)


def _row(library="spikesim", cache="warm", name="feed-forward", **other):
    case = training.CASES[name]
    return {
        "workload": name, "library": library, "precision": "single", "threads": 2, "cache": cache,
        "mode": case.mode, "batch": case.batch, "version": "9.9", "value": 7.3657,
        "first_s": 0.3, "since_start_s": 0.9, "step_s": 0.015, "step_min_s": 0.014,
        "peak_rss_mb": 250.0, "process_s": 2.0, "command": "python it.py", **ORIGIN, **other,
    }  # fmt: skip


def test_page_has_a_section_on_training(tmp_path):
    part = {"mode": "part", "part": "forward", "part_s": 0.005, "bound_s": 0.004}
    xor = {"process_s": 3.0, "value": 0.95}
    rows = [
        _row(), _row(step_s=0.017), _row(cache="cold", since_start_s=11.0),
        _row("snntorch", step_s=0.16, version="1.0"), _row(name="xor", precision="double", **xor),
        {"workload": "feed-forward", "library": "spikesim"} | part,
    ]  # fmt: skip
    rows[0]["left_out"] = ["jax: jax could not be imported"]
    page = _page(tmp_path, training=rows)
    assert "### A training step, feed-forward" in page and "Beside snnTorch 1.0." in page
    line = _cells(page, "spikesim", "single", "2")
    assert line[:4] == ["spikesim", "single", "2", "16 (15–17)"] and "11" in line
    assert "10" in _cells(page, "snnTorch", "160")
    assert _cells(page, "forward", "1.25") == ["forward", "5", "4", "1.25"]
    assert "- Left out: jax: jax could not be imported." in page
    goal = _cells(page, "A training step, feed-forward", "a step")
    assert goal[2:] == ["≤ 18 ms", "16 (15–17) ms", "single", "reached"]
    goal = _cells(page, "XOR", "whole process")
    assert goal[-1] == "missed**: 1.50 times the goal"
    assert _cells(page, "XOR", "right")[2:4] == ["≥ 100%", "95%"]
    short = benchmark_training.readme(rows)
    assert "Beside snnTorch 1.0." in short
    assert _cells(short, "A training step, feed-forward")[1:3] == ["16 ms", "160 ms"]
    assert _cells(short, "XOR")[1:] == ["3 s", ""] and "Iris |" not in short
    assert benchmark_training.readme([]) == ""


def test_every_case_has_a_title_and_scripts_that_are_there():
    assert set(benchmark_training._TITLES) == set(training.CASES)
    assert set(benchmark_training._NAMES) == set(training.SCRIPTS)
    assert {name for name, _, _ in training.GOALS} <= set(training.CASES)
    for family in {script for script, _ in training.SCRIPTS.values()}:
        assert (training.measure.HERE / f"training_{family}.py").is_file()
    for case in training.CASES.values():
        libraries = [training.OURS, *case.others] if case.mode == "process" else []
        for library in libraries:
            script = f"small_{training.SCRIPTS[library][0]}"
            assert importlib.util.find_spec(f"experiments.benchmarks.{script}") is not None
