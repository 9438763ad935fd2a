import importlib.metadata
import math
import platform
from pathlib import Path

import pytest

import spikesim as sp
from spikesim import doctor


@pytest.fixture(scope="module")
def findings():
    return {finding.title: finding for finding in doctor.examine()}


def test_all_is_well_here(findings):
    assert [finding for finding in findings.values() if not finding.fine] == []


@pytest.mark.parametrize(
    "title",
    ["spikesim", "python", "numpy", "numba", "llvmlite", "scipy", "matplotlib", "scikit-learn"],
)
def test_versions_are_reported(findings, title):
    own = {"spikesim": sp.__version__, "python": platform.python_version()}
    assert (own.get(title) or importlib.metadata.version(title)) in findings[title].text


def test_threads_cache_and_times_are_reported(findings):
    assert "layers" in findings["threads"].text
    assert "kernels" in findings["kernel cache"].text
    assert " s, then " in findings["first call"].text


def test_each_self_test_shows_its_number(findings):
    assert "mV" in findings["membrane"].text
    assert "ms" in findings["f-I curve"].text
    assert "relative" in findings["gradient"].text


def test_a_wrong_membrane_is_found(monkeypatch):
    def wrong(i_ext, duration, record=None):
        return sp.simulate(sp.LIF(i_ext=1.02 * i_ext), duration, record=record)

    monkeypatch.setattr(doctor, "_lif", wrong)
    finding = doctor._membrane()
    assert not finding.fine and "kernel cache" in finding.advice
    assert not doctor._rate().fine


def test_a_wrong_gradient_is_found(monkeypatch):
    check = sp.check_gradient
    monkeypatch.setattr(
        sp, "check_gradient", lambda *a, **k: type(check(*a, **k))(math.inf, [], [], [], 0.0)
    )
    assert not doctor._gradient().fine


def test_a_cache_that_cannot_be_written_is_found(monkeypatch, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("SPIKESIM_CACHE_DIR", str(blocked / "cache"))
    finding = doctor._cache()
    assert not finding.fine and "SPIKESIM_CACHE_DIR" in finding.advice
    assert str(blocked) in finding.text


def test_the_cache_is_measured(monkeypatch, tmp_path):
    monkeypatch.setenv("SPIKESIM_CACHE_DIR", str(tmp_path))
    (tmp_path / "step-0.kernel").write_bytes(b"x" * 3_000_000)
    finding = doctor._cache()
    assert finding.fine and "1 kernels, 3.0 MB" in finding.text
    assert [path.name for path in Path(tmp_path).iterdir()] == ["step-0.kernel"]


def test_a_missing_or_old_package_is_found(monkeypatch):
    assert not doctor._package("no-such-package", (1, 0)).fine
    old = doctor._package("numpy", (999, 0))
    assert not old.fine and 'pip install --upgrade "numpy>=999.0"' in old.advice


def test_the_least_versions_are_those_of_the_package():
    declared = {}
    for line in importlib.metadata.requires("spikesim") or ():
        if ";" not in line:
            name, version = line.split(">=")
            declared[name.strip()] = tuple(map(int, version.split(".")))
    assert declared == {k: v for k, v in doctor._PACKAGES.items() if k != "llvmlite"}


def test_a_check_that_breaks_is_a_finding():
    def broken():
        raise ImportError("no such library")

    finding = doctor._guarded("threads", broken)
    assert not finding.fine and "no such library" in finding.text and finding.advice


def test_the_report_counts_what_is_wrong():
    fine, wrong = doctor.Finding("a", "1"), doctor.Finding("b", "2", fine=False, advice="mend b")
    assert doctor.report([fine]).endswith("All is well.")
    text = doctor.report([fine, wrong])
    assert "-> mend b" in text and "1 thing(s) to put right" in text
