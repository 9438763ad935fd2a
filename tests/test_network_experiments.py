"""The experiments with large networks: what they compute besides simulating."""

import copy
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import spikesim as sp
from experiments import brunel, command, microcircuit, precision, same_bits, vogels_abbott
from experiments.benchmarks.parameters import Brunel

DECISION = Path(__file__).parents[1] / "docs" / "decisions" / "0014-compact-precision.md"


@pytest.mark.parametrize(
    ("state", "rate"),
    [("fast oscillation", 55.8), ("asynchronous irregular", 38.0), ("slow oscillation", 6.5)],
)
def test_theory_gives_the_rates_of_the_paper(state, rate):
    """Table 1 of Brunel 2000, second column."""
    assert brunel.theory(*Brunel.states[state]).rate == pytest.approx(rate, abs=0.06)


def test_theory_is_that_of_a_neuron_on_white_noise():
    """A membrane on white noise of the predicted strength fires as often and as irregularly."""
    p, (g, ratio) = Brunel, Brunel.states["asynchronous irregular"]
    expected = brunel.theory(g, ratio)
    exc = p.in_degree["exc"] * expected.rate + p.external_rate(ratio)
    inh = p.in_degree["inh"] * expected.rate
    mean = p.weight * 1e-3 * p.tau_m * (exc - g * inh)
    sd = p.weight * np.sqrt(1e-3 * p.tau_m * (exc + g**2 * inh))
    # Between steps the path may cross the threshold unseen; 0.5826 sd of a step makes up for it.
    dt, n, duration = 0.02, 1000, 600.0
    decay, v_th = np.exp(-dt / p.tau_m), p.v_th - 0.5826 * sd * np.sqrt(dt / p.tau_m)
    rng = np.random.default_rng(1)
    v, free_from = rng.uniform(p.v_reset, p.v_th, n), np.zeros(n)
    times, ids = [], []
    for step in range(1, round(duration / dt) + 1):
        kick = sd * np.sqrt((1.0 - decay**2) / 2.0) * rng.normal(size=n)
        v = np.where(step * dt >= free_from, mean + (v - mean) * decay + kick, v)
        fired = np.flatnonzero(v >= v_th)
        v[fired], free_from[fired] = p.v_reset, step * dt + p.t_ref
        times.append(np.full(len(fired), step * dt))
        ids.append(fired)
    recording = sp.recording.PopulationRecording.from_spikes(
        np.concatenate(times), np.concatenate(ids), n, stop=duration + dt
    )
    assert np.mean(recording.rates(100.0)) == pytest.approx(expected.rate, rel=0.02)
    intervals = recording.isi(start=100.0)
    # Of all intervals together, those longer than the window are missing.
    assert np.std(intervals) / np.mean(intervals) == pytest.approx(expected.cv, rel=0.06)


def test_smaller_network_has_a_theory_of_its_own():
    rates = [brunel.theory(5.0, 2.0, scale).rate for scale in (1.0, 0.5, 0.1)]
    assert rates == sorted(rates)


def test_microcircuit_tells_its_size_and_takes_the_options(capsys, tmp_path):
    arguments = ["--smoke", "--dc", "--precision", "double", "--seed", "3", "--out", str(tmp_path)]
    microcircuit.main(arguments)
    assert re.search(r"77 neurons, 295 synapses: built in [\d.]+ s", capsys.readouterr().out)
    config = replace(microcircuit.Config.smoke(), dc=True, precision="double")
    found = microcircuit.run(config)
    assert found["recording"].final_state.arrays["L4E.v"].dtype == np.float64
    assert found["peak_memory"] > 1e7
    assert list(found["rates"]) == list(found["cv"]) == list(found["correlations"])


def test_a_silent_network_has_no_rhythm():
    found = brunel.run(brunel.Config.smoke())["slow oscillation"]
    assert found["rate"] == 0.0 and np.isnan(found["frequency"])


@pytest.mark.parametrize(
    ("experiment", "expected"),
    [(brunel, "values of the paper are not expected"), (microcircuit, "below the published ones")],
)
def test_a_smaller_network_says_that_it_is_not_the_published_one(
    experiment, expected, capsys, tmp_path
):
    experiment.main(["--smoke", "--out", str(tmp_path)])
    printed = " ".join(capsys.readouterr().out.split())
    assert printed.startswith("Not the") and expected in printed.split("rate (Hz)")[0]
    assert experiment.smaller(experiment.Config()) == ""


def test_starts_that_fail_are_counted():
    config = vogels_abbott.Config.smoke()
    found = vogels_abbott.run(config)
    for values in found.values():
        assert len(values["last_spikes"]) == config.starts
    found["conductance"] |= {"last_spikes": [299.0, 36.0, 270.0], "silent_since": 41.0}
    text = vogels_abbott.table(found, replace(config, trial=300.0))
    assert "conductance: 2 of 3 starts live for 300 ms" in text
    assert "silent after 36 to 36 ms (starts 2)" in text
    assert "silent since 41 ms" in text


def test_a_digest_sees_every_spike_and_every_bit_of_the_state():
    network = sp.Population("in", sp.PoissonSource(200.0), 5)
    one, longer = (sp.simulate(network, duration, seed=1) for duration in (50.0, 50.1))
    cells = one["in"]
    moved = replace(one, _populations={"in": replace(cells, spike_ids=(cells.spike_ids + 1) % 5)})
    digests = [same_bits._digest([recording])[0] for recording in (one, longer, moved)]
    assert len(set(digests)) == 3
    neuron = sp.simulate(sp.LIF(), 1.0, seed=1)
    state = copy.copy(neuron.final_state)
    state.arrays = {name: array.copy() for name, array in state.arrays.items()}
    state.arrays["neuron.v"][0] = np.nextafter(state.arrays["neuron.v"][0], 0.0)
    touched = replace(neuron, final_state=state)
    assert same_bits._digest([touched])[0] != same_bits._digest([neuron])[0]


def test_a_run_in_pieces_is_really_cut():
    config = replace(same_bits.Config.smoke(), duration=20.0, n_pieces=4, n_stops=2)
    network = microcircuit.microcircuit(0.001)
    for files in (False, True):
        pieces = same_bits._in_pieces(network, "double", config, files)
        assert len(pieces) == 4 and sum(part.duration for part in pieces) == pytest.approx(20.0)
    stopped = same_bits._with_stops(network, "double", config)
    assert sum(part.duration for part in stopped) == pytest.approx(20.0)


def test_a_different_bit_ends_with_an_error(monkeypatch, tmp_path, capsys):
    first, second, third = "00" * 32, "11" * 32, "22" * 32

    def found(*digests):
        ways = [same_bits.Way("way", digest, 1, 0.1) for digest in digests]
        monkeypatch.setattr(same_bits, "run", lambda config: {"network": ways})

    found(first, first, second)
    same_bits.main(["--smoke", "--out", str(tmp_path)])
    for digests in ((first, second, third), (first, first, first)):
        found(*digests)
        with pytest.raises(SystemExit) as error:
            same_bits.main(["--smoke", "--out", str(tmp_path)])
        assert error.value.code == 1
        assert "DIFFERENT" in capsys.readouterr().out


def test_differences_are_paired():
    rng = np.random.default_rng(2)
    double = rng.normal(size=6)
    compact = double + rng.normal(0.1, 0.1, 6)
    d = precision.Difference(double, compact)
    assert d.p == pytest.approx(stats.ttest_rel(compact, double).pvalue)
    assert d.mean == pytest.approx(np.mean(compact) - np.mean(double))
    assert np.isnan(precision.Difference(double, double).p)


def test_compact_weights_are_rounded_to_half_a_unit():
    """Half of the largest weight that the port may have, over 32767."""
    found = precision.weights(30)
    largest = 4.0 * 87.808 * (1.0 + 7.0 * 0.1)
    for name in ("exc", "inh"):
        error = np.abs(found[f"{name} compact"] - found[f"{name} double"])
        assert 0.0 < error.max() < 0.51 * largest / 32767
        assert np.ptp(found[f"{name} double"]) > 0.0


def test_tables_go_between_the_markers_of_the_page():
    page = DECISION.read_text(encoding="utf-8")
    made = page.split(precision.START)[1].split(precision.END)[0].strip()
    assert made.startswith("| weights |") and "| microcircuit L6I |" in made
    assert precision.with_summary(page, made) == page


def test_options_stand_for_settings_and_what_is_not_given_is_default():
    parser = command.parser("What it does.\n\nAnd more.", "mine")
    parser.add_argument("--scale", type=float)
    options = parser.parse_args(["--scale", "0.5"])
    assert (parser.description, options.out) == ("What it does.", Path("results/mine"))
    assert command.config_of(brunel.Config, options) == brunel.Config(scale=0.5)
    small = command.config_of(brunel.Config, parser.parse_args(["--smoke", "--scale", "0.5"]))
    assert small == replace(brunel.Config.smoke(), scale=0.5)
