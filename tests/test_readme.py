"""The README is held to what the code does: its examples, its table, its picture."""

import math
import re
from pathlib import Path

import matplotlib
import pytest
from matplotlib import pyplot
from numba import config

import spikesim as sp
from experiments import readme

PROJECT = Path(__file__).parent.parent
TEXT = (PROJECT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)


def _run(block, folder, monkeypatch):
    matplotlib.use("Agg")
    monkeypatch.chdir(folder)
    names = {}
    exec(block, names)
    pyplot.close("all")
    return names


def test_there_is_an_example_of_each_kind_in_about_ten_lines():
    assert len(BLOCKS) == 5
    assert all(len(block.strip().splitlines()) <= 12 for block in BLOCKS)


def test_the_neuron_fires_as_its_closed_form_says(tmp_path, monkeypatch):
    names = _run(BLOCKS[0], tmp_path, monkeypatch)
    # 2 ms of rest, then from reset to threshold: tau_m ln(RI / (RI - 15 mV)), RI = 16 mV.
    period = 2.0 + 10.0 * math.log(16.0)
    times = names["recording"]["neuron"].spike_times
    assert abs(times[1] - times[0] - period) < 0.1 and len(times) == 6
    assert (tmp_path / "neuron.png").stat().st_size > 5000


def test_the_simulation_runs_and_fires_irregularly(tmp_path, monkeypatch):
    block = BLOCKS[1]
    assert "500.0" in block
    if config.DISABLE_JIT:
        block = block.replace("500.0", "60.0")
    names = _run(block, tmp_path, monkeypatch)
    assert 3.0 < names["recording"].rate("exc") < 50.0
    assert (tmp_path / "raster.png").stat().st_size > 5000


def test_the_training_solves_xor(tmp_path, monkeypatch):
    names = _run(BLOCKS[2], tmp_path, monkeypatch)
    data = sp.datasets.xor()
    assert names["result"].score(data.features, data.labels) == 1.0


@pytest.mark.filterwarnings("ignore::spikesim.errors.DeadLayerWarning")
@pytest.mark.parametrize("seed", [2, 3, 5] if config.DISABLE_JIT else range(2, 12))
def test_the_training_does_not_hang_on_its_seed(seed, tmp_path, monkeypatch):
    names = _run(BLOCKS[2].replace("rng=1", f"rng={seed}"), tmp_path, monkeypatch)
    assert names["result"].history.solved_epoch is not None


def test_other_rules_solve_it_too(tmp_path, monkeypatch, capsys):
    _run(BLOCKS[3], tmp_path, monkeypatch)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("(")[0] for line in lines] == ["Tempotron", "Committee"]
    assert all(int(line.split()[-1]) < 300 for line in lines)


def test_the_estimator_is_cross_validated(tmp_path, monkeypatch, capsys):
    block = BLOCKS[4]
    if config.DISABLE_JIT:
        block = block.replace("(random_state=0)", "((4,), epochs=2, random_state=0)")
    _run(block, tmp_path, monkeypatch)
    accuracy = float(capsys.readouterr().out)
    assert accuracy > (0.3 if config.DISABLE_JIT else 0.94)


def test_the_table_is_what_the_script_makes_of_the_stored_summary():
    assert readme.between_markers(TEXT) == readme.table(readme.SUMMARY)


def test_the_tables_of_a_summary(tmp_path):
    columns = (
        "task,contender,family,network,hidden,n_runs,spikes_per_trial,seconds,rate,rate_low,"
        "rate_high,median_epoch,median_epoch_low,median_epoch_high,behind_lda,behind_lda_low,"
        "behind_lda_high,behind_lda_p"
    )
    rows = [
        "xor,committee,local,LIF,4,100,7.25,0.1,0.97,0.915,0.99,31.0,28.0,36.0,,,,",
        "xor,committee,local,LIF,8,100,7.25,0.1,1.0,0.96,1.0,11.0,8.0,16.0,,,,",
        "xor,perceptron,local,rate,0,100,,0.1,0.0,0.0,0.037,inf,inf,inf,,,,",
        "iris,LDA,classical,,0,100,,0.1,0.98,0.97,0.99,,,,,,,",
        "iris,tempotron,local,LIF,0,100,3.0,0.1,0.95,0.93,0.97,,,,0.03,0.01,0.05,0.02",
    ]
    path = tmp_path / "summary.csv"
    path.write_text("\n".join([columns, *rows]) + "\n", encoding="utf-8")
    lines = readme.table(path).splitlines()
    assert "| committee | LIF | 4 | 97.0 % | 91.5 to 99.0 | 31 | 7.2 |" in lines
    assert "| perceptron | rate |  | 0.0 % | 0.0 to 3.7 |  |  |" in lines
    assert "| tempotron | LIF |  | 95.0 % | 93.0 to 97.0 | 3.0 % | 3.0 |" in lines
    assert not any("| 8 |" in line for line in lines)


def test_the_table_goes_between_the_markers():
    text = readme.with_table(TEXT, "| a |\n|---|")
    assert readme.between_markers(text) == "| a |\n|---|"
    assert readme.with_table(text, readme.between_markers(TEXT)) == TEXT


def test_a_readme_without_markers_is_refused():
    with pytest.raises(IndexError):
        readme.between_markers("nothing here")


def test_the_picture_is_there_and_small():
    assert 10_000 < readme.PICTURE.stat().st_size < 200_000
    assert f"]({readme.PICTURE.relative_to(PROJECT).as_posix()})" in TEXT


def test_the_picture_is_drawn_from_a_run(tmp_path):
    config = readme.Config.smoke()
    figure = readme.draw(readme.run(config), config)
    figure.savefig(tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 10_000


def test_every_option_of_the_readme_exists(capsys):
    from spikesim import cli

    for command in re.findall(r"^spikesim (.*)$", TEXT, re.MULTILINE):
        parsed = cli._parser().parse_args(command.split())
        assert callable(parsed.run)
