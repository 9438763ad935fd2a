"""The program that looks for drift and lost memory, at a size for every day."""

import json

import pytest
from numba import config

from experiments.benchmarks import endurance


def test_nothing_drifts_and_memory_comes_back(tmp_path, capsys):
    steps, cycles = (12_000, 2) if config.DISABLE_JIT else (2_000_000, 40)
    path = tmp_path / "results.json"
    arguments = ["--steps", str(steps), "--cycles", str(cycles), "--json", str(path)]
    endurance.main(arguments)
    results = json.loads(path.read_text())
    drift, memory = results["drift"], results["memory"]
    assert drift["spikes"] == drift["spikes_due"] > 10 and drift["spikes_not_when_due"] == 0
    assert drift["change_of_potential_mv"] < 1e-9
    assert memory["growth_mib"] < memory["allowed_mib"]
    assert f"{drift['spikes']} spikes of {drift['spikes_due']} due" in capsys.readouterr().out


def test_too_few_steps_to_compare_are_refused(capsys):
    with pytest.raises(SystemExit):
        endurance.main(["--steps", "100"])
    assert "--steps must be at least 12000, got 100" in capsys.readouterr().err
