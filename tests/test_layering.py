"""Imports point one way: read from the source, so that every import counts, lazy ones too."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import spikesim as sp

ROOT = Path(sp.__file__).parent
PROJECT = ROOT.parent

# A part may import parts of lower rank and itself.
RANKS = {
    "errors": 0,
    "_files": 0,
    "_page": 0,
    "_archive": 1,
    "_tables": 1,
    "_check": 1,
    "_jit": 1,
    "_memory": 1,
    "distributions": 2,
    "surrogates": 2,
    "synapses": 2,
    "encoding": 2,
    "datasets": 3,
    "neurons": 3,
    "network": 4,
    "recording": 5,
    "engine": 5,
    "layered": 5,
    "simulation": 6,
    "learning": 7,
    "estimators": 8,
    "plotting": 8,
    "comparison": 9,
    "ledger": 9,
    "doctor": 9,
    "cli": 10,
    "__main__": 11,
}
KERNELS = {"surrogates", "neurons", "synapses", "engine", "layered", "learning"}
# The last two report its version.
NUMBA = KERNELS | {"_jit", "doctor", "comparison"}
MATPLOTLIB = {"plotting", "comparison", "ledger", "cli"}
SKLEARN = {"datasets", "estimators", "comparison"}


def _sources():
    return sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


def _part(path):
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def _imports(path):
    """Return the full names of all modules and names that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_every_part_has_a_rank():
    assert {_part(path) for path in _sources()} <= set(RANKS)


@pytest.mark.parametrize("path", _sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path):
    part = _part(path)
    for name in _imports(path):
        pieces = name.split(".")
        if pieces[0] != "spikesim" or len(pieces) == 1:
            continue
        other = pieces[1]
        if other in RANKS:
            below = RANKS[other] < RANKS[part] or other == part
            assert below, f"{part} must not import {other}"


@pytest.mark.parametrize(
    ("library", "parts"),
    [("numba", NUMBA), ("llvmlite", NUMBA), ("matplotlib", MATPLOTLIB), ("sklearn", SKLEARN)],
)
def test_libraries_stay_where_they_belong(library, parts):
    users = {
        _part(path)
        for path in _sources()
        if any(name.split(".")[0] == library for name in _imports(path))
    }
    assert users <= parts


def test_kernels_live_with_what_they_compute():
    users = {_part(path) for path in _sources() if "spikesim._jit.kernel" in _imports(path)}
    assert users <= KERNELS


HEAVY = "{'sklearn', 'matplotlib', 'pandas', 'joblib', 'tqdm', 'scipy.stats', 'scipy.optimize'}"


@pytest.mark.parametrize(
    "code",
    [
        "import spikesim; assert 'numba' not in sys.modules",
        "import spikesim; spikesim.simulate(spikesim.LIF(i_ext=400.0), 10.0, record='v')",
        "import spikesim.cli",
        "import spikesim; spikesim.fit(spikesim.dense([2, 1], spikesim.Sigmoid(), rng=1),"
        " spikesim.learning.Backprop(), [[0.0, 1.0], [1.0, 0.0]], [0, 1], epochs=1)",
    ],
    ids=["import", "simulate", "command", "fit"],
)
def test_the_start_stays_light(code):
    check = f"assert not (loaded := {HEAVY} & set(sys.modules)), loaded"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; {code}; {check}"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def _experiments():
    return sorted((PROJECT / "experiments").rglob("*.py"))


@pytest.mark.parametrize("path", _experiments(), ids=lambda path: path.name)
def test_experiments_use_public_names_only(path):
    """What an experiment takes from a module of spikesim is in that module's ``__all__``."""
    for name in _imports(path):
        pieces = name.split(".")
        if pieces[0] != "spikesim" or len(pieces) == 1:
            continue
        assert not any(piece.startswith("_") for piece in pieces), name
        module = importlib.import_module(".".join(pieces[:-1]))
        assert pieces[-1] in module.__all__, f"{name} is not public"
