"""Sweeps: written down as they go, resumed, the same bits in any order and anywhere."""

import json
from dataclasses import replace

import pytest
from numba import config

from spikesim.comparison import pool
from spikesim.comparison.entries import contender
from spikesim.comparison.pool import Journal, run_all
from spikesim.comparison.runs import Job


def work(n=4):
    rate, spiking = contender("Perceptron", "rate"), contender("Perceptron", "LIF")
    made = [Job("parity", "Perceptron", "rate", 0, s, 2, rate.middle()) for s in range(n - 1)]
    return [*made, Job("parity", "Perceptron", "LIF", 0, 0, 1, spiking.middle())]


def without_time(outcomes):
    return [
        (
            replace(o.row, seconds=0.0, measures={k: v for k, v in o.row.measures.items()
                                                  if "seconds" not in k}),
            o.curve.tolist(),
        )
        for o in outcomes
    ]  # fmt: skip


@pytest.fixture(scope="module")
def expected():
    return without_time(run_all(work(), n_jobs=1))


def test_a_killed_sweep_goes_on_with_what_is_missing(tmp_path, monkeypatch, expected):
    path, done, real = tmp_path / "runs.jsonl", [], pool.run_job

    def counted(job):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(job)
        return real(job)

    monkeypatch.setattr(pool, "run_job", counted)
    with pytest.raises(KeyboardInterrupt):
        run_all(work(), n_jobs=1, journal=Journal(path))
    assert len(path.read_text().splitlines()) == 2
    # A process that dies while it writes leaves part of a line.
    whole = path.read_text()
    path.write_text(whole + whole.splitlines()[0][:40])
    again = []
    monkeypatch.setattr(pool, "run_job", lambda job: again.append(job) or real(job))
    found = run_all(work(), n_jobs=1, journal=Journal(path))
    assert again == work()[2:]
    assert without_time(found) == expected
    assert len(path.read_text().splitlines()) == 4
    monkeypatch.setattr(pool, "run_job", None)
    assert without_time(run_all(work(), n_jobs=1, journal=Journal(path))) == expected


def test_a_journal_knows_runs_by_all_that_decides_them(tmp_path, monkeypatch):
    journal, first = Journal(tmp_path / "runs.jsonl"), work()[0]
    outcome = run_all([first], n_jobs=1, journal=journal)[0]
    journal = Journal(journal.path)
    assert without_time([journal.find(first)]) == without_time([outcome])
    for changes in ({"epochs": 3}, {"seed": 9}, {"settings": {}}, {"samples": 5}):
        assert journal.find(first._replace(**changes)) is None
    monkeypatch.setattr(pool, "__version__", "another")
    assert journal.find(first) is None
    journal.remove()
    assert not journal.path.exists()


def test_lines_are_json_and_hold_the_row(tmp_path):
    journal = Journal(tmp_path / "runs.jsonl")
    outcome = run_all(work()[:1], n_jobs=1, journal=journal)[0]
    stored = json.loads(journal.path.read_text())
    assert stored["row"]["accuracy"] == outcome.row.accuracy
    assert stored["curve"] == outcome.curve.tolist()


def test_processes_and_order_change_no_bit(tmp_path, expected):
    if config.DISABLE_JIT:
        back = run_all(work()[::-1], n_jobs=1)
    else:
        back = run_all(work()[::-1], n_jobs=2, journal=Journal(tmp_path / "runs.jsonl"))
    assert without_time(back[::-1]) == expected


def test_a_dask_cluster_gives_the_same_bits(tmp_path, expected):
    import dask
    import joblib
    from distributed import Client, LocalCluster

    with dask.config.set({"temporary-directory": str(tmp_path)}):
        cluster = LocalCluster(
            n_workers=1, threads_per_worker=1, processes=True, dashboard_address=None
        )
        with cluster, Client(cluster), joblib.parallel_config(backend="dask"):
            found = run_all(work(), n_jobs=-1, journal=Journal(tmp_path / "runs.jsonl"))
    assert without_time(found) == expected
    assert len((tmp_path / "runs.jsonl").read_text().splitlines()) == len(found)
