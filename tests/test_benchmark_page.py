"""The page of the benchmarks says what the files of the measurements say, and nothing else."""

import hashlib
import json
import re

import numpy as np
import pytest

from docs import benchmark_results, build_benchmarks
from experiments.benchmarks import child, measure
from experiments.benchmarks.workloads import WORKLOADS

ORIGIN = {
    "machine": {"cpu": "Abacus", "cores": 2, "memory_gb": 8.0, "system": "Wood", "python": "3.11.0",
                "spikesim": "0.1.0", "numpy": "2.0.0", "numba": "0.60.0"},
    "date": "2001-02-03",
}  # fmt: skip


def _row(simulator="spikesim", threads=2, time=0.5, seed=1, **other):
    return {
        "workload": "brunel", "simulator": simulator, "version": "9.9", "precision": "double",
        "threads": threads, "cache": "warm", "scale": 1.0, "seed": seed, "n_neurons": 12_500,
        "n_synapses": 15_625_000, "bio_seconds": 1.0, "build_s": 4.0, "sim_s": time,
        "realtime_factor": time, "n_spikes": 500_000, "peak_rss_mb": 321.0, "process_s": 5.5,
        "spikes_sha256": "same",
        "activity": {"exc": {"rate": 37.0 + 0.01 * seed, "cv": 0.43}},
        "command": "python experiments/benchmarks/brunel.py",
        **ORIGIN, **other,
    }  # fmt: skip


def _cost(per, in_degree, bound_ns):
    return _row(n_neurons=20_000) | {
        "per": per, "in_degree": in_degree, "weights": "one", "ns": 2.0 * bound_ns,
        "bound_ns": bound_ns, "distance": 2.0, "triad_gb_s": 30.0,
    }  # fmt: skip


def _page(folder, **files):
    """Return the page that is made of files with this content."""
    results = folder / "results"
    results.mkdir(exist_ok=True)
    for name, content in files.items():
        (results / f"{name}.json").write_text(json.dumps(content))
    build_benchmarks.main([str(results), "--out", str(folder)])
    return (folder / "docs" / "benchmarks.md").read_text(encoding="utf-8")


def _cells(page, *labels):
    """Return the first line of a table in which these stand, as a list of cells."""
    for line in page.splitlines():
        cells = [cell.strip(" *") for cell in line.strip("|").split("|")]
        if line.startswith("|") and set(labels) <= set(cells):
            return cells
    raise AssertionError(f"no line with {labels}")


def test_medians_goals_and_the_machine(tmp_path):
    times = (0.6, 0.4, 0.45)
    rows = [_row(time=time, seed=seed) for seed, time in enumerate(times, 1)]
    rows += [_row(threads=1, time=0.8), _row(cache="cold", build_s=17.0, process_s=19.0)]
    page = _page(tmp_path, brunel=rows)
    assert "Abacus, 2 cores, 8 GB, Wood, Python 3.11.0, spikesim 0.1.0, numpy 2.0.0" in page
    assert "measured on 2001-02-03" in page
    line = _cells(page, "spikesim", "double", "2", "3")
    assert line[4:] == ["0.45 (0.4–0.6)", "4 (4–4)", "5.5 (5.5–5.5)", "321 (321–321)", "17", "19"]
    goal = WORKLOADS["brunel"].goals["realtime_factor"]
    line = _cells(page, "Brunel, asynchronous irregular", "realtime factor")
    assert line[2:] == [f"≤ {goal:g}", "0.45 (0.4–0.6)", "double, 2 threads", "reached"]
    assert _cells(page, "Cortical microcircuit", "realtime factor")[-1] == "not measured"
    assert "on 1 and 2 threads: all equal" in page
    assert "```\npython experiments/benchmarks/brunel.py\n```" in page
    assert (tmp_path / "docs/images/benchmarks/realtime.png").stat().st_size > 5000


def test_a_goal_that_is_missed_or_of_another_size_is_not_reached(tmp_path):
    page = _page(tmp_path, brunel=[_row(time=0.75)])
    assert "**missed**: 1.50 times the goal" in page
    page = _page(tmp_path, brunel=[_row(time=0.1, scale=0.5), _row(time=0.1, bio_seconds=0.5)])
    assert "missed" not in page and "reached" not in page


def test_the_bound_is_the_bare_loops_as_often_as_the_run_needed_them(tmp_path):
    costs = [_cost("neuron step", 0, 0.5), _cost("event", 300, 7.0), _cost("event", 1000, 0.1)]
    # 12,500 neurons take 10,000 steps in a second; a spike has 1,250 synapses on average.
    expected = 1e-9 * (12_500 * 10_000 * 0.5 + 500_000 * 1_250 * 0.1)
    page = _page(tmp_path, brunel=[_row(time=0.5)], scaling=costs)
    line = _cells(page, "spikesim", "double", "2", "1")
    assert line[-2:] == [f"{expected:.3g}", f"{0.5 / expected:.3g}"]
    assert "30.0 GB/s on 2 threads" in page
    assert "scaling_double.png" in page
    other = benchmark_results.groups([_row(threads=1)])[0]
    assert benchmark_results.bound(other, costs) is None


def test_others_stand_beside_ours_on_as_many_threads(tmp_path):
    rows = [_row(seed=seed) for seed in (1, 2)] + [_row(threads=1, time=1.0)]
    first = {"from": "spikesim double 1", "ms": 12.5}
    rows += [
        _row("nest", time=10.0, seed=seed, peak_rss_mb=963.0, first_difference=first)
        for seed in (1, 2)
    ]
    rows += [_row("brian2-cpp-openmp", threads=4, time=4.0, left_out=["too large"])]
    rows.insert(0, _row(time=0.1, precision="compact"))
    rows[0]["left_out"] = ["brian2-cython is left out"]
    page = _page(tmp_path, peers_brunel=rows)
    line = _cells(page, "NEST", "2")
    assert line[4] == "10 (10–10)" and line[-3:] == ["20", "1", "3"]
    assert _cells(page, "Brian2 C++ OpenMP", "4")[-3:] == ["", "", ""]
    assert "beside NEST 9.9, Brian2 9.9" in page
    assert "NEST on 2 threads against ours, neuron by neuron: all spikes equal for 0 of 2" in page
    assert "comes after 12.5 (12.5–12.5) ms" in page
    assert "Left out: brian2-cython is left out." in page
    line = _cells((tmp_path / "README.md").read_text(encoding="utf-8"), "321* MB")
    assert line[0] == "Brunel, asynchronous irregular, compact precision" and line[2:5] == [
        "0.1* s",
        "10 s",
        "4* s",
    ]


@pytest.mark.parametrize(
    ("rates", "verdict"),
    [((37.0, 37.1), "within"), ((39.0, 39.1), "beyond"), ((37.0, 40.0), "unresolved")],
)
def test_activity_is_compared_with_its_standard_error(tmp_path, rates, verdict):
    rows = [_row(seed=1), _row(seed=2)]
    for seed, rate in enumerate(rates, 1):
        rows.append(_row("nest", seed=seed, activity={"exc": {"rate": rate, "cv": 0.44}}))
    page = _page(tmp_path, peers=rows)
    line = _cells(page, "NEST", "double", "exc")
    assert line[6] == verdict and "±" in line[5]
    assert line[-2:] == ["+0.0100 ± 0.0000", "within"]
    difference = (np.mean(rates) - 37.015) / 37.015
    assert line[5].startswith(f"{difference:+.2%}")
    n_within = 2 if verdict == "within" else 1
    assert f"{n_within} of 2 differences are within the limits" in page


def test_spikes_that_differ_are_said(tmp_path):
    page = _page(tmp_path, brunel=[_row(threads=1), _row(threads=2, spikes_sha256="other")])
    assert "**equal only for 0 of 1 seeds**" in page


def test_hashes_of_the_same_bits(tmp_path):
    ways = [("1 thread", "ab" * 32), ("8 threads", "ab" * 32), ("another seed", "cd" * 32)]
    rows = [
        {"network": "mine", "name": name, "digest": digest, "n_spikes": 3, "seconds": 1.0}
        for name, digest in ways
    ]
    page = _page(tmp_path, same_bits=rows)
    assert _cells(page, "mine", "8 threads")[-1] == "as it should"
    assert _cells(page, "noise on, any threads")[-1] == "reached"
    rows[1]["digest"] = "ef" * 32
    page = _page(tmp_path, same_bits=rows)
    assert _cells(page, "mine", "8 threads")[-1] == "not as it should"
    assert _cells(page, "noise on, any threads")[-1] == "missed"


def test_latency_and_files_of_another_form(tmp_path):
    latency = [
        {"workload": name, "process_s": process_s, "sim_s": sim_s, **ORIGIN}
        for name, process_s, sim_s in (
            ("import spikesim", 0.3, None), ("import spikesim", 0.5, None),
            ("import spikesim", 0.4, None), ("one neuron", 0.9, None),
            ("one neuron again", None, 0.0004),
        )
    ]  # fmt: skip
    memory = {"cycles": 30, "growth_mib": 1.25, "allowed_mib": 20.0}
    other = {"drift": {"spikes_due": 5_000}, "memory": memory, "command": "python it.py"}
    page = _page(tmp_path, latency=latency, endurance=other | ORIGIN)
    assert _cells(page, "import spikesim", "400 (300–500)")
    assert _cells(page, "one neuron", "≤ 600 ms")[-1] == "missed**: 1.50 times the goal"
    assert _cells(page, "one neuron again", "≤ 0.5 ms")[-1] == "reached"
    assert "## Endurance" in page and _cells(page, "spikes due") == ["drift", "spikes due", "5,000"]
    assert _cells(page, "growth of memory")[2:] == ["≤ 20 MiB", "1.25 MiB", "reached"]
    assert "```\npython it.py\n```" in page


def test_without_results_there_are_no_figures_and_no_numbers(tmp_path):
    page = _page(tmp_path)
    assert "Nothing has been measured yet." in page
    assert not re.search(r"\d", page)
    missing = benchmark_results.read(tmp_path / "nowhere")
    assert missing == benchmark_results.Results()
    assert build_benchmarks.readme(missing) == "Nothing has been measured yet."


def test_a_file_that_is_cut_off_is_named(tmp_path):
    (tmp_path / "brunel.json").write_text('[{"workload": ')
    with pytest.raises(ValueError, match=r"brunel\.json is not JSON"):
        benchmark_results.read(tmp_path)


def test_the_text_has_no_numbers_of_its_own(tmp_path):
    """All digits outside tables and commands are of the rows, but for a power of ten."""
    page = _page(tmp_path, peers=[_row(), _row("nest", time=7.0)])
    prose = re.sub(r"```.*?```|<!--.*?-->|`[^`]*`|!\[.*?\)|\bBrian2\b", "", page, flags=re.DOTALL)
    lines = [line for line in prose.splitlines() if not line.startswith("|")]
    found = set(re.findall(r"[\d.,]*\d", "\n".join(lines)))
    machine = {str(value) for value in ORIGIN["machine"].values()} | {"8"}
    assert found - machine - {"2001", "02", "03"} <= {"9.9", "12,500", "15,625,000", "1", "10",
                                                      "2%", "2", "0.02"}  # fmt: skip


def test_origin_names_the_command_without_paths_of_this_machine():
    arguments = ["--nest-python", "/some/python", "--workloads", "a b"]
    found = measure.origin(measure.__file__, arguments)
    expected = 'python experiments/benchmarks/measure.py --nest-python "$NEST_PYTHON" --workloads'
    assert found["command"] == f"{expected} 'a b'"
    assert {"cpu", "cores", "python", "numpy", "numba", "spikesim"} <= set(found["machine"])


def test_hash_of_spikes_does_not_know_their_order_but_their_times():
    times, ids = np.array([0.3, 0.1, 5.0]), np.array([1, 2, 0])
    plain = hashlib.sha256(np.array([[1, 2], [3, 1]], dtype="<i8").tobytes()).hexdigest()
    assert child.digest(times, ids, 4.0) == child.digest(times[::-1], ids[::-1], 4.0) == plain
    assert child.digest(times + 0.1, ids, 4.0) != plain
