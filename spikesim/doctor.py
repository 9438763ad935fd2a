"""What ``spikesim doctor`` looks at: versions, the kernel cache, and results with known answers.

Nothing here raises: whatever goes wrong becomes a finding with advice.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import math
import os
import platform
import re
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import spikesim

__all__ = ["Finding", "examine", "report"]

_PACKAGES = {
    "numpy": (1, 26),
    "numba": (0, 60),
    "llvmlite": (0, 43),
    "scipy": (1, 11),
    "matplotlib": (3, 8),
    "scikit-learn": (1, 6),
    "tqdm": (4, 66),
}
_LAYERS = {"tbb": "tbbpool", "omp": "omppool", "workqueue": "workqueue"}


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Parameters
    ----------
    title : str
        What was looked at.
    text : str
        What was found.
    fine : bool, default True
        Whether all is well.
    advice : str, default ""
        What to do where it is not.
    """

    title: str
    text: str
    fine: bool = True
    advice: str = ""


def examine() -> list[Finding]:
    """Look at everything, in the order of the report."""
    findings = [
        Finding("spikesim", f"{spikesim.__version__} in {Path(spikesim.__file__).parent}"),
        _python(),
    ]
    findings += [_package(name, least) for name, least in _PACKAGES.items()]
    for title, check in (
        ("threads", _threads),
        ("compiler", _compiler),
        ("kernel cache", _cache),
        ("first call", _first_call),
        ("membrane", _membrane),
        ("f-I curve", _rate),
        ("gradient", _gradient),
    ):
        findings.append(_guarded(title, check))
    return findings


def report(findings: list[Finding]) -> str:
    """Return the findings as text, with advice under each that is not fine."""
    width = max(len(finding.title) for finding in findings)
    lines = []
    for finding in findings:
        lines.append(
            f"{'ok  ' if finding.fine else 'FAIL'}  {finding.title:{width}}  {finding.text}"
        )
        if finding.advice:
            lines.append(f"{'':{width + 6}}  -> {finding.advice}")
    wrong = sum(not finding.fine for finding in findings)
    lines.append("")
    lines.append("All is well." if not wrong else f"{wrong} thing(s) to put right, see above.")
    return "\n".join(lines)


def _guarded(title: str, check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except Exception as error:
        return Finding(
            title,
            f"{type(error).__name__}: {error}",
            fine=False,
            advice="reinstall into a new virtual environment: python -m venv .venv, then "
            "python -m pip install spikesim in it",
        )


def _python() -> Finding:
    text = f"{platform.python_version()} ({platform.system()} {platform.machine()})"
    return Finding(
        "python",
        f"{text} at {sys.executable}",
        fine=sys.version_info >= (3, 11),
        advice="" if sys.version_info >= (3, 11) else "spikesim needs Python 3.11 or newer",
    )


def _package(name: str, least: tuple[int, ...]) -> Finding:
    wanted = ".".join(map(str, least))
    advice = f'python -m pip install --upgrade "{name}>={wanted}"'
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return Finding(name, "not installed", fine=False, advice=advice)
    have = tuple(int(part) for part in re.findall(r"\d+", version)[: len(least)])
    if have < least:
        return Finding(name, f"{version}, {wanted} or newer is needed", fine=False, advice=advice)
    return Finding(name, version)


def _threads() -> Finding:
    import numba

    found = []
    for layer, module in _LAYERS.items():
        try:
            importlib.import_module(f"numba.np.ufunc.{module}")
        except ImportError:
            continue
        found.append(layer)
    return Finding(
        "threads",
        f"{os.cpu_count()} processors; Numba may use {numba.config.NUMBA_NUM_THREADS}, layers "
        f"{', '.join(found) or 'none'} (simulations use threads of their own and need no layer)",
    )


def _compiler() -> Finding:
    import numba

    if numba.config.DISABLE_JIT:
        return Finding(
            "compiler",
            "switched off by NUMBA_DISABLE_JIT",
            advice="results are right, but come hundreds of times slower; unset NUMBA_DISABLE_JIT",
        )
    return Finding("compiler", f"on, for {_processor()}")


def _processor() -> str:
    from llvmlite import binding

    return binding.get_host_cpu_name()


def _cache() -> Finding:
    from spikesim._jit import cache_folder

    folder = cache_folder()
    advice = "set SPIKESIM_CACHE_DIR to a folder that you may write; till then each start compiles"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder):
            pass
    except OSError as error:
        text = f"{folder} cannot be written ({error.strerror or error})"
        return Finding("kernel cache", text, fine=False, advice=advice)
    sizes = [path.stat().st_size for path in folder.glob("*.kernel")]
    return Finding("kernel cache", f"{folder}, {len(sizes)} kernels, {sum(sizes) / 1e6:.1f} MB")


def _first_call() -> Finding:
    started = time.perf_counter()
    _lif(500.0, 1000.0)
    first = time.perf_counter() - started
    started = time.perf_counter()
    _lif(500.0, 1000.0)
    warm = time.perf_counter() - started
    return Finding(
        "first call",
        f"{first:.2f} s, then {1000 * warm:.2f} ms (one neuron, 1 s of biology, dt 0.1 ms)",
    )


def _membrane() -> Finding:
    """Compare the response to a current below threshold with its closed form."""
    recording = _lif(300.0, 100.0, record="v")
    t = recording.trace_times
    exact = -65.0 + 300.0 * 10.0 / 250.0 * -_expm1(-t / 10.0)
    error = float(abs(recording.v[:, 0] - exact).max())
    return _judged(
        "membrane", error, 1e-9, f"step response within {error:.1e} mV of its closed form"
    )


def _rate() -> Finding:
    """Compare the interval between spikes with its closed form, rounded up to the grid."""
    recording = _lif(500.0, 1000.0)
    drive = 500.0 * 10.0 / 250.0
    exact = 2.0 + 0.1 * math.ceil(10.0 * math.log(drive / (drive - 15.0)) / 0.1)
    intervals = recording.isi()
    error = float(abs(intervals - exact).max()) if intervals.size else math.inf
    return _judged(
        "f-I curve", error, 1e-9, f"a spike each {exact:.1f} ms, as theory says, error {error:.0e}"
    )


def _gradient() -> Finding:
    """Compare backpropagation through time with differences."""
    import numpy as np

    from spikesim.learning import Backprop

    rng = np.random.default_rng(1)
    network = spikesim.dense(
        [3, 4, 2], spikesim.LIF.normalised(), output=spikesim.LIF.non_spiking(), gain=1.5, rng=rng
    )
    x = (rng.random((12, 2, 3)) < 0.4).astype(np.float64)
    error = spikesim.check_gradient(network, Backprop(), x, [0, 1]).max_relative_error
    return _judged(
        "gradient", error, 1e-7, f"through time, within {error:.1e} (relative) of differences"
    )


def _judged(title: str, error: float, limit: float, text: str) -> Finding:
    if error <= limit:
        return Finding(title, text)
    return Finding(
        title,
        f"{text}; at most {limit:.0e} is expected",
        fine=False,
        advice="results cannot be trusted: empty the kernel cache folder above and try again; "
        "if it stays, report it with the lines above",
    )


def _lif(i_ext: float, duration: float, record: str | None = None):
    return spikesim.simulate(spikesim.LIF(i_ext=i_ext), duration, record=record)


def _expm1(x):
    import numpy as np

    return np.expm1(x)
