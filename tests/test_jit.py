"""The cache of compiled kernels, seen from fresh processes that really compile."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

MODULE = """
import others
from spikesim._jit import kernel

@kernel
def inner(x):
    return 2.0 * x

def closure_over(function):
    @kernel
    def outer(x):
        return function(x) + 1.0
    return outer

@kernel
def by_name(x):
    return inner(x) - 1.0

@kernel
def by_module(x):
    return others.half(x) + others.OFFSET

outer = closure_over(inner)
"""

OTHERS = """
from spikesim._jit import kernel

OFFSET = 1.0

@kernel
def half(x):
    return 0.5 * x
"""

SCRIPT = """
import warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import kernels
    used = (kernels.outer, kernels.by_name, kernels.by_module)
    results = [k(3.0) for k in used]
hits = [sum(k.stats.cache_hits.values()) for k in used]
print(results, hits, [w.category.__name__ for w in caught])
"""


class Place:
    """Modules of kernels, a cache folder, and processes that use them."""

    def __init__(self, folder: Path):
        self.folder, self.cache = folder, folder / "cache"
        self.write(MODULE)
        self.write(OTHERS, "others")

    def write(self, text, module="kernels"):
        (self.folder / f"{module}.py").write_text(text)

    def start(self):
        here = str(Path(__file__).parents[1])
        environment = os.environ | {
            "SPIKESIM_CACHE_DIR": str(self.cache),
            "PYTHONPATH": os.pathsep.join([str(self.folder), here]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "NUMBA_DISABLE_JIT": "0",
        }
        return subprocess.Popen(
            [sys.executable, "-c", SCRIPT],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self):
        return finish(self.start())

    def files(self):
        return {path.name: path.stat().st_mtime_ns for path in self.cache.glob("*")}


def finish(process):
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return output.strip()


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def test_a_second_process_compiles_nothing_closures_included(place):
    assert place.run() == "[7.0, 5.0, 2.5] [0, 0, 0] []"
    files = place.files()
    assert {name.split("-")[0] for name in files} >= {"outer", "by_name"}
    assert all(name.endswith(".kernel") for name in files)
    assert place.run() == "[7.0, 5.0, 2.5] [1, 1, 1] []"
    assert place.files() == files


def test_an_edit_in_what_a_kernel_calls_is_noticed(place):
    place.run()
    before = set(place.files())
    place.write(MODULE.replace("2.0 * x", "10.0 * x"))
    assert place.run() == "[31.0, 29.0, 2.5] [0, 0, 1] []"
    assert len(set(place.files()) - before) >= 2
    place.write(MODULE)
    assert place.run() == "[7.0, 5.0, 2.5] [1, 1, 1] []"


def test_an_edit_of_what_a_kernel_takes_from_a_module_is_noticed(place):
    place.run()
    place.write(OTHERS.replace("0.5 * x", "0.25 * x"), "others")
    assert place.run() == "[7.0, 5.0, 1.75] [1, 1, 0] []"
    place.write(OTHERS.replace("OFFSET = 1.0", "OFFSET = 2.0"), "others")
    assert place.run() == "[7.0, 5.0, 3.5] [1, 1, 0] []"


INTRINSIC = """
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic
from spikesim._jit import kernel

STEP = 1.0

def amount(context):
    return context.get_constant(types.float64, STEP)

@intrinsic
def more(typingctx, x):
    def generate(context, builder, signature, arguments):
        return builder.fadd(arguments[0], amount(context))
    return types.float64(types.float64), generate

@kernel
def outer(x):
    return more(x)

by_name = by_module = outer
"""


@pytest.mark.parametrize("edit", [("fadd", "fsub"), ("STEP = 1.0", "STEP = -1.0")])
def test_an_edit_in_an_intrinsic_is_noticed(place, edit):
    place.write(INTRINSIC)
    assert place.run() == "[4.0, 4.0, 4.0] [0, 0, 0] []"
    assert place.run() == "[4.0, 4.0, 4.0] [1, 1, 1] []"
    place.write(INTRINSIC.replace(*edit))
    assert place.run() == "[2.0, 2.0, 2.0] [0, 0, 0] []"


def test_damaged_files_are_replaced_with_a_warning(place):
    place.run()
    for path in place.cache.glob("outer-*"):
        path.write_bytes(path.read_bytes()[:-100])
    for path in place.cache.glob("by_name-*"):
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(bytes(data))
    assert place.run() == "[7.0, 5.0, 2.5] [0, 0, 1] ['CacheWarning', 'CacheWarning']"
    for path in place.cache.glob("*"):
        path.write_bytes(b"")
    assert place.run().startswith("[7.0, 5.0, 2.5] [0, 0, 0] ['CacheWarning'")
    assert place.run() == "[7.0, 5.0, 2.5] [1, 1, 1] []"


def test_a_damaged_file_that_cannot_be_deleted_stops_nothing(place, monkeypatch):
    """Deleting is refused as on a folder without write permission (root may do everything)."""
    place.run()
    for path in place.cache.glob("outer-*"):
        path.write_bytes(b"damaged")
    refuse = "import pathlib\ndef refuse(*a, **k): raise PermissionError(13, 'not allowed')\n"
    refuse += "import spikesim._jit\npathlib.Path.unlink = refuse\nimport tempfile, os\n"
    monkeypatch.setattr("tests.test_jit.SCRIPT", refuse + SCRIPT)
    assert place.run() == "[7.0, 5.0, 2.5] [0, 1, 1] ['CacheWarning']"


def test_a_damaged_file_is_deleted_even_where_warnings_are_errors(place, monkeypatch):
    place.run()
    for path in place.cache.glob("outer-*"):
        path.write_bytes(b"damaged")
    strict = "import kernels, warnings\nwarnings.simplefilter('error')\nkernels.outer(3.0)\n"
    monkeypatch.setattr("tests.test_jit.SCRIPT", strict)
    with pytest.raises(AssertionError, match="CacheWarning"):
        place.run()
    assert not list(place.cache.glob("outer-*"))


def test_everything_that_decides_the_machine_code_is_in_the_key(monkeypatch):
    """Each of these changed makes another file, so that none is loaded where it does not fit."""
    import numba
    import numpy as np
    from numba import config

    from spikesim._jit import _KernelCache

    class Codegen:
        def magic_tuple(self):
            return ("processor",)

    def path(options=None):
        return _KernelCache(finish, options or {})._path("signature", Codegen())

    seen = {path(), path({"fastmath": True})}
    for thing, name, value in (
        (config, "BOUNDSCHECK", 1),
        (numba, "__version__", "0.0"),
        (np, "__version__", "0.0"),
        (sys.implementation, "cache_tag", "another-1"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(thing, name, value)
            seen.add(path())
    with monkeypatch.context() as patch:
        patch.setattr(sys, "abiflags", "t", raising=False)
        seen.add(path())
    assert len(seen) == 7
    assert path() in seen


def test_a_folder_that_cannot_be_written_costs_one_warning(place):
    place.cache.write_text("a file where the parent folder should be")
    place.cache = place.cache / "below"
    assert place.run() == "[7.0, 5.0, 2.5] [0, 0, 0] ['CacheWarning']"


def test_processes_that_start_at_once_do_not_disturb_each_other(place):
    outputs = [finish(process) for process in [place.start() for _ in range(4)]]
    for output in outputs:
        assert output.startswith("[7.0, 5.0, 2.5] ") and output.endswith("[]")
    assert not list(place.cache.glob("*.tmp"))
    assert place.run() == "[7.0, 5.0, 2.5] [1, 1, 1] []"


def test_the_folder_follows_the_environment(monkeypatch, tmp_path):
    from numba import config

    from spikesim._jit import cache_folder

    monkeypatch.setenv("SPIKESIM_CACHE_DIR", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"
    monkeypatch.delenv("SPIKESIM_CACHE_DIR")
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path / "numba"))
    assert cache_folder() == tmp_path / "numba" / "spikesim"
    monkeypatch.setattr(config, "CACHE_DIR", "")
    assert "spikesim" in cache_folder().parts


def test_a_kernel_for_a_type_that_has_moved_is_compiled_again(tmp_path):
    """A file in the cache may name a class that a later version keeps elsewhere."""
    environment = os.environ | {
        "SPIKESIM_CACHE_DIR": str(tmp_path / "cache"),
        "PYTHONPATH": os.pathsep.join([str(tmp_path), str(Path(__file__).parents[1])]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "NUMBA_DISABLE_JIT": "0",
    }
    pair = "from typing import NamedTuple\nclass Pair(NamedTuple):\n    a: float\n    b: float\n"
    (tmp_path / "work.py").write_text(
        "from spikesim._jit import kernel\n@kernel\ndef total(pair):\n    return pair.a + pair.b\n"
    )
    for home, gone in (("here", "there"), ("there", "here")):
        (tmp_path / f"{home}.py").write_text(pair)
        (tmp_path / f"{gone}.py").unlink(missing_ok=True)
        script = f"import work, {home}; print(work.total({home}.Pair(1.0, 2.0)))"
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", script],
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.stdout == "3.0\n", done.stderr


def test_loading_what_is_compiled_loads_of_numba_only_what_it_calls(tmp_path):
    """A fresh process runs kernels over plain arrays, over memory of their own, over a library."""
    (tmp_path / "kinds.py").write_text(
        "import numpy as np\n"
        "from spikesim._jit import kernel\n"
        "@kernel\ndef total(x):\n    s = 0.0\n    for v in x:\n        s += v\n    return s\n"
        "@kernel\ndef twice(x):\n    return 2.0 * x\n"
        "@kernel\ndef solved(a, x):\n    return np.linalg.solve(a, x)\n"
        "@kernel\ndef refused(x):\n    if x[0] > 0.0:\n        raise ValueError('above')\n"
    )
    script = (
        "import sys, kinds, numpy as np\n"
        "x = np.array([1.0, 2.0])\n"
        "print(kinds.total(x), 'scipy.linalg' in sys.modules)\n"
        "print(kinds.twice(x), 'scipy.linalg' in sys.modules)\n"
        "print(kinds.solved(np.diag(x), x), kinds.twice(x))\n"
        "try:\n    kinds.refused(x)\nexcept ValueError as error:\n    print(error)\n"
        "print([sum(k.stats.cache_hits.values()) for k in vars(kinds).values()"
        " if hasattr(k, 'stats')])\n"
    )
    environment = os.environ | {
        "SPIKESIM_CACHE_DIR": str(tmp_path / "cache"),
        "PYTHONPATH": os.pathsep.join([str(tmp_path), str(Path(__file__).parents[1])]),
        "NUMBA_DISABLE_JIT": "0",
    }
    outputs = [
        subprocess.run(
            [sys.executable, "-W", "error", "-c", script],
            env=environment,
            capture_output=True,
            text=True,
        )
        for _ in range(2)
    ]
    results = "[1. 1.] [2. 4.]\nabove\n"
    assert [output.stderr for output in outputs] == ["", ""]
    assert outputs[0].stdout == f"3.0 True\n[2. 4.] True\n{results}[0, 0, 0, 0]\n"
    assert outputs[1].stdout == f"3.0 False\n[2. 4.] False\n{results}[1, 1, 1, 1]\n"


def test_a_bare_kernel_can_make_no_array_and_is_another_one_in_the_cache(tmp_path):
    environment = os.environ | {
        "SPIKESIM_CACHE_DIR": str(tmp_path / "cache"),
        "PYTHONPATH": os.pathsep.join([str(tmp_path), str(Path(__file__).parents[1])]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "NUMBA_DISABLE_JIT": "0",
    }
    module = """
import numpy as np
from spikesim._jit import kernel

@kernel(bare=True)
def total(array):
    return array[1:].sum() / array[0]

@kernel(bare=True)
def zeros(n):
    return np.zeros(n).sum()
"""
    script = """
import numpy as np
from numba.core.errors import TypingError
import work
print(work.total(np.array([0.0, 1.0])))
try:
    work.zeros(3)
except TypingError:
    print("refused")
"""
    for text in (module, module.replace("(bare=True)", "(bare=False, error_model='numpy')")):
        (tmp_path / "work.py").write_text(text)
        done = subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout == ("inf\nrefused\n" if text is module else "inf\n")
    assert len(list((tmp_path / "cache").glob("total-*"))) == 2


def test_a_long_compilation_is_announced_on_a_terminal_once(tmp_path):
    environment = os.environ | {
        "SPIKESIM_CACHE_DIR": str(tmp_path / "cache"),
        "PYTHONPATH": os.pathsep.join([str(tmp_path), str(Path(__file__).parents[1])]),
        "NUMBA_DISABLE_JIT": "0",
    }
    (tmp_path / "work.py").write_text(
        "from spikesim._jit import kernel\n\n@kernel(told=True)\ndef add(a, b):\n    return a + b\n"
    )
    script = """
import io, sys
class Terminal(io.StringIO):
    def isatty(self):
        return True
sys.stderr = Terminal()
import work
print(work.add(1, 2), work.add(3, 4), sys.stderr.getvalue().strip())
"""
    outputs = [
        subprocess.run(
            [sys.executable, "-c", script],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for _ in range(2)
    ]
    said = "spikesim compiles for this kind of network: once, 10 seconds or more"
    assert outputs == [f"3 7 {said}\n", "3 7 \n"]


VARIANTS = """
import numpy as np
from spikesim._jit import kernel

def times(factor):
    # Called from two places and too long to be compiled into its caller.
    @kernel
    def fill(x, rounds):
        for r in range(rounds):
            for i in range(len(x)):
                if x[i] > 1e6:
                    x[i] = np.sin(x[i]) + np.cos(x[i]) + np.exp(-x[i]) + np.tan(x[i])
                elif x[i] < -1e6:
                    x[i] = np.tanh(x[i]) + np.sinh(x[i]) + np.cosh(x[i]) + np.arctan(x[i])
                else:
                    x[i] = factor * x[i]

    @kernel
    def total(x):
        y = x.copy()
        fill(y, 1)
        z = x.copy()
        fill(z, 2)
        return y.sum() + z.sum()

    return total
"""


def test_variants_that_were_compiled_in_two_processes_are_not_taken_for_each_other(tmp_path):
    """Each process counts its functions from the start: names alone do not tell them apart."""
    (tmp_path / "variants.py").write_text(VARIANTS)

    def run(code):
        done = subprocess.run(
            [sys.executable, "-c", f"import numpy as np\nfrom variants import times\n{code}"],
            cwd=tmp_path,
            env={**os.environ, "SPIKESIM_CACHE_DIR": str(tmp_path / "cache"),
                 "NUMBA_DISABLE_JIT": "0"},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout.split()

    assert run("print(times(2.0)(np.ones(1)))") == ["6.0"]
    assert run("print(times(5.0)(np.ones(1)))") == ["30.0"]
    compiled = sorted((tmp_path / "cache").iterdir())
    both = "a, b = times(2.0), times(5.0)\nprint(a(np.ones(1)), b(np.ones(1)), a(np.ones(1)))"
    assert run(both) == ["6.0", "30.0", "6.0"]
    assert sorted((tmp_path / "cache").iterdir()) == compiled
