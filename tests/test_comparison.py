"""The protocol of the comparison: equal starts, stored splits, rows that depend on nothing else."""

import json
from dataclasses import replace

import numpy as np
import pytest

from spikesim import datasets
from spikesim.comparison import protocol, runs, tuning
from spikesim.comparison.contenders import CONTENDERS, NOTES
from spikesim.comparison.entries import contender
from spikesim.comparison.pool import run_all
from spikesim.comparison.protocol import SMOKE, Splits, make_splits, streams
from spikesim.comparison.runs import Job, run_job
from spikesim.comparison.tasks import problem, task
from spikesim.errors import ParameterError

LEARNERS = [c for c in CONTENDERS if c.space]
TASKS = ("xor", "iris2", "iris")


def middle(c):
    """Settings in the middle of the space of a contender."""
    return tuning.at(c, np.full(3, 0.5))


def hidden_of(c, on):
    return c.hidden_sizes(task(on), (4,) if on == "xor" else task(on).hidden.smoke)[0]


def job(name, network, on="xor", seed=0, epochs=3, **changes):
    c = contender(name, network)
    hidden = hidden_of(c, on)
    splits = "iris_2x5" if on == "iris" else ""
    made = Job(on, name, network, hidden, seed, epochs, middle(c), "test", splits)
    return made._replace(**changes)


@pytest.mark.parametrize(
    ("name", "seed", "n_repeats", "n_folds"),
    [("iris_10x10", 1, 10, 10), ("iris_2x5", 2, 2, 5), ("iris_tune", 3, 2, 5)],
)
def test_stored_splits_are_those_that_their_seed_makes(name, seed, n_repeats, n_folds):
    data = datasets.iris()
    stored = Splits.load(name)
    made = make_splits(
        name, data.features, data.labels, n_folds=n_folds, n_repeats=n_repeats, seed=seed
    )
    assert (stored.n_repeats, stored.n_folds) == (n_repeats, n_folds)
    assert np.array_equal(stored.fold_of, made.fold_of)
    assert stored.sha256 == made.sha256


@pytest.mark.parametrize("name", ["iris_10x10", "iris_2x5", "iris_tune"])
def test_splits_are_stratified_and_keep_equal_flowers_together(name):
    data = datasets.iris()
    _, twins, counts = np.unique(data.features, axis=0, return_inverse=True, return_counts=True)
    pair = np.flatnonzero(counts[twins.reshape(-1)] == 2)
    assert len(pair) == 2
    seen = np.zeros((len(list(Splits.load(name).fold_of)), 150), int)
    for repeat, _, train, test in Splits.load(name):
        assert not set(train) & set(test) and len(train) + len(test) == 150
        assert np.isin(pair, test).sum() in (0, 2)
        sizes = np.bincount(data.labels[test], minlength=3)
        assert sizes.max() - sizes.min() <= 2
        seen[repeat, test] += 1
    assert np.all(seen == 1)


def test_splits_for_tuning_are_others():
    test, tune = Splits.load("iris_10x10").fold_of[0], Splits.load("iris_tune").fold_of[0]
    assert not np.array_equal(test % 5, tune)
    assert streams("xor", 3).weights.entropy != streams("xor", 3, "tune").weights.entropy


def test_damaged_splits_are_refused(monkeypatch, tmp_path):
    stored = json.loads(
        (protocol.resources.files("spikesim.comparison") / "splits.json").read_text()
    )
    row = stored["iris_2x5"]["fold_of"][0]
    stored["iris_2x5"]["fold_of"][0] = ("1" if row[0] == "0" else "0") + row[1:]
    (tmp_path / "splits.json").write_text(json.dumps(stored))
    monkeypatch.setattr(protocol.resources, "files", lambda package: tmp_path)
    with pytest.raises(ParameterError, match="do not fit their digest"):
        Splits.load("iris_2x5")
    with pytest.raises(ParameterError, match="did you mean 'iris_2x5'"):
        Splits.load("iris_2x6")


def test_contenders_start_from_the_same_normal_numbers():
    drawn = {}
    for name, network in (("perceptron", "rate"), ("relaxation", "rate"), ("perceptron", "LIF")):
        c = contender(name, network)
        size = problem("xor", network)
        plan = c.build(size, 0, middle(c), streams("xor", 5).weights)
        drawn[name, network] = plan.network.layers[0].w / middle(c)["gain"]
    first, *others = drawn.values()
    for other in others:
        np.testing.assert_allclose(other, first, rtol=1e-12)


def test_every_contender_that_learns_has_a_space_of_equal_dimension_and_tuned_values():
    settings = tuning.load_settings()
    for c in LEARNERS:
        assert len(c.space) == 3
        for on in c.tasks:
            values = settings[on][c.key]
            assert list(values) == list(c.space)
            for name, (low, high) in c.space.items():
                assert 0.99 * low <= values[name] <= 1.01 * high
    assert {c.name for c in CONTENDERS} == set(NOTES)


def test_settings_are_the_best_of_the_stored_trials():
    file = tuning.resources.files("spikesim.comparison") / "settings.json"
    stored = json.loads(file.read_text())
    cube = tuning.points(stored["about"]["n_trials"])
    for on in TASKS:
        for c in (c for c in LEARNERS if on in c.tasks):
            trials = stored["trials"][on][c.key]
            assert [t["settings"] for t in trials] == [tuning.at(c, point) for point in cube]
            best = max(trials, key=lambda trial: trial["score"])
            assert stored["chosen"][on][c.key] == best["settings"]


def test_tuning_points_are_fixed_and_inside_the_cube():
    cube = tuning.points(16)
    assert cube.shape == (16, 3) and np.all((cube >= 0) & (cube < 1))
    assert np.array_equal(cube[:8], tuning.points(8))
    assert len(np.unique(np.floor(cube[:, 0] * 16))) == 16


def test_tune_writes_what_it_found(tmp_path, monkeypatch):
    chosen = (contender("perceptron", "rate"), contender("committee", "rate"))
    monkeypatch.setattr(tuning, "entrants", lambda *_: chosen)
    found = tuning.tune(
        tmp_path / "settings.json", n_trials=2, tasks=("xor",), n_jobs=1, progress=False,
        seeds={"xor": 2}, epochs=5,
    )  # fmt: skip
    assert json.loads((tmp_path / "settings.json").read_text()) == found
    assert set(found["chosen"]["xor"]) == {"perceptron/rate", "committee/rate"}
    assert all(len(t) == 2 for t in found["trials"]["xor"].values())
    both = tuning.tune(
        tmp_path / "settings.json", n_trials=1, tasks=("iris2",), n_jobs=1, progress=False,
        seeds={"iris2": 1}, epochs=1,
    )  # fmt: skip
    assert both["chosen"]["xor"] == found["chosen"]["xor"]
    assert set(both["chosen"]["iris2"]) == {"perceptron/rate", "committee/rate"}
    assert [p.name for p in tmp_path.iterdir()] == ["settings.json"]


def without_time(outcomes):
    return [
        (
            replace(o.row, seconds=0.0, measures={k: v for k, v in o.row.measures.items()
                                                  if "seconds" not in k}),
            o.curve.tolist(),
        )
        for o in outcomes
    ]  # fmt: skip


def test_rows_do_not_depend_on_order():
    work = [job("committee", "rate", seed=s) for s in range(3)]
    work += [job("perceptron", "rate", "iris", seed=s, epochs=2) for s in range(2)]
    forth = without_time(run_all(work, n_jobs=1))
    back = without_time(run_all(work[::-1], n_jobs=1))
    assert forth == back[::-1]
    assert forth[0] != forth[1]


def test_rows_do_not_depend_on_the_number_of_processes():
    work = [job("perceptron", "rate", seed=s) for s in range(4)]
    assert without_time(run_all(work, n_jobs=1)) == without_time(run_all(work, n_jobs=2))


def test_jobs_cover_the_budget():
    settings = {t: {c.key: middle(c) for c in LEARNERS} for t in TASKS}
    work = runs.jobs(TASKS, SMOKE, settings)
    assert len(work) == len(set((j.task, j.name, j.network, j.hidden, j.seed) for j in work))
    xor = [j for j in work if j.task == "xor" and j.name == "committee"]
    assert sorted((j.network, j.hidden, j.seed) for j in xor) == [
        (network, 4, seed) for network in ("LIF", "rate") for seed in (0, 1)
    ]
    assert {j.seed for j in work if j.task == "iris"} == set(range(5))
    assert len([j for j in work if j.task == "iris2" and j.name == "LDA"]) == 1


@pytest.mark.parametrize("c", CONTENDERS, ids=lambda c: c.key)
def test_every_contender_runs_on_each_of_its_tasks(c):
    for on in c.tasks:
        settings = middle(c) if c.space else {}
        splits = "iris_2x5" if on == "iris" else ""
        hidden = hidden_of(c, on)
        row = run_job(Job(on, c.name, c.network, hidden, 1, 1, settings, "test", splits)).row
        assert 0.0 <= row.accuracy <= 1.0
        assert (row.repeat, row.fold) == ((0, 1) if on == "iris" else (None, None))
        assert (row.spikes_per_trial is not None) == (c.network == "LIF") or row.diverged


def test_solved_epoch_is_the_first_that_lasts():
    assert runs._solved_epoch(np.array([0.5, 1.0, 0.75, 1.0, 1.0])) == 3
    assert runs._solved_epoch(np.array([1.0, 1.0])) == 1
    assert runs._solved_epoch(np.array([0.5, 0.5])) == 2


def test_a_run_that_diverges_is_a_failed_row():
    wild = {"learning_rate": 50.0, "gain": 3.0, "bias_sd": 0.5}
    rows = [
        run_job(job("proportional, all inputs", "rate", seed=s, epochs=300, settings=wild)).row
        for s in range(6)
    ]
    diverged = [row for row in rows if row.diverged]
    assert diverged
    assert all((r.accuracy, r.solved, r.solved_epoch) == (0.0, False, None) for r in diverged)


def test_scaling_is_learnt_from_the_training_part_only(monkeypatch):
    seen = []
    scaling = runs._scaling
    monkeypatch.setattr(runs, "_scaling", lambda x: seen.append(x.copy()) or scaling(x))
    run_job(job("perceptron", "rate", "iris", seed=7, epochs=1))
    splits = Splits.load("iris_2x5")
    train = splits.fold_of[1] != 2
    assert len(seen) == 1
    assert np.array_equal(seen[0], datasets.iris().features[train])


def test_no_single_threshold_unit_solves_xor_but_a_committee_does():
    for name in ("perceptron", "delta rule", "relaxation"):
        assert not run_job(job(name, "rate", epochs=100)).row.solved
    settings = {"learning_rate": 1.0, "gain": 1.0, "bias_sd": 1.0}
    solved = [
        run_job(job("committee", "rate", seed=s, epochs=100, settings=settings)).row.solved
        for s in range(5)
    ]
    assert sum(solved) >= 4


def test_unknown_contenders_are_named():
    with pytest.raises(ParameterError, match="did you mean 'perceptron'"):
        contender("perceptrn", "rate")
    with pytest.raises(ParameterError, match="does not run on 'rate'"):
        contender("tempotron", "rate")
