import csv
import errno
import os
import subprocess
import sys

import numpy as np
import pytest

import spikesim as sp
from spikesim import cli, doctor, simulation
from spikesim.doctor import Finding
from spikesim.simulation import SimulationInterrupted


@pytest.mark.parametrize("command", [[], ["compare"], ["ledger"], ["simulate"], ["doctor"]])
def test_help_teaches(command, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main([*command, "--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert "usage: spikesim" in text and len(text.splitlines()) > 4


def test_the_first_help_names_every_command(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    text = capsys.readouterr().out
    assert all(f"spikesim {name}" in text for name in ("compare", "ledger", "simulate", "doctor"))


def test_version(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"spikesim {sp.__version__}\n"


def test_one_neuron_fires_as_simulate_says(capsys):
    assert cli.main(["simulate", "--i-ext", "500", "--duration", "300"]) == 0
    out = capsys.readouterr().out
    spikes = len(sp.simulate(sp.LIF(i_ext=500.0), 300.0)["neuron"].spike_times)
    assert out.splitlines()[-1].split()[:3] == ["neuron", "1", str(spikes)]
    assert " s; seed " in out


def test_every_neuron_option_reaches_the_model(tmp_path):
    path = tmp_path / "spikes.csv"
    options = "--tau-m 12 --c-m 200 --v-rest -70 --v-th -52 --v-reset -60 --t-ref 3 --i-ext 600"
    cli.main(["simulate", *options.split(), "--duration", "100", "--spikes", str(path)])
    model = sp.LIF(
        tau_m=12.0, c_m=200.0, v_rest=-70.0, v_th=-52.0, v_reset=-60.0, t_ref=3.0, i_ext=600.0
    )
    with path.open() as file:
        rows = list(csv.DictReader(file))
    expected = sp.simulate(model, 100.0)["neuron"].spike_times
    assert len(expected) > 3
    np.testing.assert_allclose([float(row["t_ms"]) for row in rows], expected, rtol=1e-9)
    assert {row["neuron"] for row in rows} == {"0"}
    assert {row["population"] for row in rows} == {"neuron"}


_SMALL = "simulate --network --n-exc 20 --n-inh 5 --rate 6000 --duration 20 --no-progress".split()


def test_a_network_is_repeated_by_its_seed(capsys, tmp_path):
    tables = []
    for name in ("a", "b", "c"):
        seed = "2" if name == "c" else "1"
        assert cli.main([*_SMALL, "--seed", seed, "--spikes", str(tmp_path / name)]) == 0
        tables.append((tmp_path / name).read_text())
    assert tables[0] == tables[1] != tables[2]
    assert "exc" in tables[0] and "inh" in tables[0]


def test_pictures_are_drawn_into_folders_that_are_made(tmp_path, capsys):
    for name in ("deep/er/network.png", "network.svg"):
        assert cli.main([*_SMALL, "--seed", "1", "--out", str(tmp_path / name)]) == 0
        assert (tmp_path / name).stat().st_size > 5000
    alone = tmp_path / "neuron.PNG"
    assert cli.main(["simulate", "--duration", "40", "--out", str(alone)]) == 0
    assert alone.read_bytes().startswith(b"\x89PNG")
    assert not list(tmp_path.rglob("*.tmp"))
    assert str(alone) in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--tau-m", "-1"], "LIF.tau_m"),
        (["--v-reset", "-40"], "LIF.v_reset"),
        (["--duration", "nan"], "simulate.duration"),
        (["--dt", "0"], "simulate.dt"),
        (["--seed", "-1"], "simulate.seed"),
        (["--network", "--n-exc", "0"], "Population.n"),
        (["--network", "--probability", "2"], "FixedProbability"),
        (["--network", "--delay", "0.01"], "delay"),
        (["--network", "--rate", "-5"], "PoissonInput.rate"),
        (["--out", "picture.gif"], "--out"),
        (["--n-exc", "10"], "--n-exc is of a network; give --network"),
        (["--rate", "2000"], "--rate is of a network; give --network"),
        (["--tau-syn", "3", "--duration", "1"], "--tau-syn"),
        (["--spikes", "."], "--spikes must name a file"),
    ],
)
def test_errors_of_the_user_are_one_line(options, word, capsys):
    assert cli.main(["simulate", *options]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("spikesim: error: ") and word in captured.err
    assert captured.err.count("\n") == 1 and captured.out == ""


def test_a_picture_of_no_time_is_drawn_empty(tmp_path, capsys):
    picture = tmp_path / "z.png"
    assert cli.main(["simulate", "--duration", "0", "--out", str(picture)]) == 0
    assert picture.stat().st_size > 2000 and str(picture) in capsys.readouterr().out


def test_nothing_is_made_for_options_that_are_refused(tmp_path):
    for name, more in (("a/picture.gif", []), ("b/picture.png", ["--tau-m", "-1"])):
        assert cli.main(["simulate", "--out", str(tmp_path / name), *more]) == 2
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("flag", ["--out", "--spikes"])
def test_a_place_that_cannot_be_written_is_told_before_the_run(flag, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(simulation, "simulate", lambda *a, **k: pytest.fail("it ran"))
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.png").mkdir()
    for path in (tmp_path / "file" / "a.png", tmp_path / "folder.png"):
        assert cli.main(["simulate", flag, str(path)]) == 2
        assert f"{flag}" in (line := capsys.readouterr().err) and str(path) in line


def test_a_disk_that_fills_up_names_the_file_of_the_user(tmp_path, capsys, monkeypatch):
    def full(path, content):
        raise OSError(errno.ENOSPC, "No space left on device", str(path) + "xyz.tmp")

    monkeypatch.setattr(cli, "write_atomically", full)
    path = tmp_path / "spikes.csv"
    assert cli.main(["simulate", "--duration", "1", "--spikes", str(path)]) == 2
    error = capsys.readouterr().err
    assert f"{path} cannot be written: No space left" in error and "tmp:" not in error


def test_letters_that_the_terminal_lacks_are_escaped(tmp_path):
    path = tmp_path / "Zürich Ω.csv"
    command = [sys.executable, "-X", "utf8=0", "-m", "spikesim", "simulate", "--duration", "1"]
    environment = os.environ | {"PYTHONIOENCODING": "ascii:strict"}
    for out, code in ((path, 0), (tmp_path, 2), (path / "ü", 2)):
        done = subprocess.run(
            [*command, "--spikes", str(out)], capture_output=True, env=environment, check=False
        )
        assert done.returncode == code and b"Traceback" not in done.stderr
    assert path.exists() and b"\\xfc" in done.stderr


def test_unknown_options_exit_with_two(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["simulate", "--wieght", "3"])
    assert stop.value.code == 2
    with pytest.raises(SystemExit) as stop:
        cli.main([])
    assert stop.value.code == 2


def test_a_file_that_cannot_be_written_is_one_line(tmp_path, capsys):
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert cli.main(["simulate", "--duration", "1", "--spikes", str(blocked / "spikes.csv")]) == 2
    assert str(blocked) in capsys.readouterr().err


def test_warnings_are_one_line(capsys, recwarn):
    assert cli.main(["simulate", "--t-ref", "2.03", "--duration", "1"]) in (0, 2)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and lines[0].startswith(("spikesim: warning: ", "spikesim: error: "))


def test_interrupt_keeps_what_was_recorded(tmp_path, capsys, monkeypatch):
    recording = sp.simulate(sp.LIF(i_ext=500.0), 50.0, record="v", seed=3)

    def interrupted(*args, **kwargs):
        interruption = SimulationInterrupted("interrupted after 50 ms")
        interruption.recording = recording
        raise interruption

    monkeypatch.setattr(simulation, "simulate", interrupted)
    spikes, picture = tmp_path / "spikes.csv", tmp_path / "picture.png"
    assert cli.main(["simulate", "--spikes", str(spikes), "--out", str(picture)]) == 130
    captured = capsys.readouterr()
    assert captured.err == "" and "interrupted before 1000 ms" in captured.out
    assert len(spikes.read_text().splitlines()) == 1 + len(recording["neuron"].spike_times)
    assert picture.exists()


def test_interrupt_elsewhere_is_quiet(monkeypatch, capsys):
    def interrupted(arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_doctor", interrupted)
    assert cli.main(["doctor"]) == 130
    assert capsys.readouterr().err == ""


def test_a_reader_that_goes_away_is_no_error():
    code = "import sys; from spikesim import cli; sys.exit(cli.main(['simulate', '--help']))"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.close()
    assert b"Traceback" not in process.stderr.read()
    process.wait()
    process.stderr.close()


def test_doctor_exits_with_one_when_something_is_wrong(monkeypatch, capsys):
    monkeypatch.setattr(
        doctor,
        "examine",
        lambda: [Finding("numpy", "2.0"), Finding("disk", "full", False, "empty it")],
    )
    assert cli.main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "FAIL  disk" in out and "-> empty it" in out
    monkeypatch.setattr(doctor, "examine", lambda: [Finding("numpy", "2.0")])
    assert cli.main(["doctor"]) == 0


def test_compare_hands_over_to_the_comparison(monkeypatch):
    from spikesim import comparison

    seen = {}
    monkeypatch.setattr(comparison, "run_from_arguments", lambda args: seen.update(vars(args)) or 7)
    assert cli.main(["compare", "--quick", "--out", "somewhere"]) == 7
    assert seen["quick"] is True and seen["out"] == "somewhere"


def test_the_module_runs_as_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "spikesim", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == f"spikesim {sp.__version__}"
