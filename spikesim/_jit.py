"""How spikesim compiles its kernels, and where the compiled code is kept.

``@kernel`` is ``numba.njit`` with a disk cache of our own. Numba's cache does not notice an
edit in another file that a kernel inlines, compiles a closure over a compiled function anew in
every process, and fails at every start once a file of it is truncated. Ours keys each file by
the bytecode of the kernel and of everything that it calls, so none of that happens
(``docs/decisions/0002-kernel-cache.md``).
"""

from __future__ import annotations

import hashlib
import os
import pickle
import sys
import tempfile
import types
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
from llvmlite import binding
from numba.core import caching, compiler, config
from numba.core.dispatcher import Dispatcher
from numba.core.extending import _Intrinsic
from numba.core.runtime import _nrt_python
from numba.misc.appdirs import AppDirs

from spikesim.errors import CacheWarning

__all__ = ["cache_folder", "kernel"]

_DIGEST_BYTES = 32
# Part of the name of a file, so that one of another layout is never read.
_LAYOUT = 3
# Between the name of a kernel and what makes it one of its kind.
_MARK = "_kernel_"
_OF_NUMBA = ("numba", "llvmlite")


def cache_folder() -> Path:
    """Return the folder of compiled kernels.

    ``SPIKESIM_CACHE_DIR`` if set, else ``spikesim`` within ``NUMBA_CACHE_DIR`` if set, else the
    user's cache folder as the operating system defines it.
    """
    if own := os.environ.get("SPIKESIM_CACHE_DIR"):
        return Path(own)
    if config.CACHE_DIR:
        return Path(config.CACHE_DIR) / "spikesim"
    return Path(AppDirs(appname="spikesim", appauthor=False).user_cache_dir)


# Reference counts of the arrays in a tuple, made and dropped at every call that it is handed to,
# cost many times what a step of a small network does. Numba names the option in private; all
# that it is needed for is asked of it here. A kernel without counts can make no array, which
# Numba checks when it compiles.
_BARE = {"_nrt": False, "error_model": "numpy"}


def kernel(
    function: Callable | None = None, *, bare: bool = False, told: bool = False, **options: Any
) -> Any:
    """Compile `function` on its first call, without the GIL, and keep the code on disk.

    Parameters
    ----------
    function : callable
        Plain Python over arrays and scalars. Functions that it calls, by name or through a
        closure, are kernels themselves.
    bare : bool, default False
        For kernels of a step, which make no arrays: without reference counts, and without
        exceptions on division.
    told : bool, default False
        For kernels that take many seconds to compile: it is said on a terminal.
    **options
        Passed to ``numba.njit``.

    Returns
    -------
    callable
        The compiled function; `function` itself under ``NUMBA_DISABLE_JIT=1``.
    """
    if function is None:
        return lambda f: kernel(f, bare=bare, told=told, **options)
    if bare:
        options = _BARE | options
    if not config.DISABLE_JIT:
        # Numba names machine code by qualified name, types and a count that starts anew in each
        # process. Variants of one closure, compiled in two processes and loaded into a third, may
        # thus have one name, and a call of the second would run the first.
        function.__qualname__ += _MARK + os.urandom(8).hex()
    compiled = numba.njit(nogil=True, **options)(function)
    if isinstance(compiled, Dispatcher):
        compiled._cache = _KernelCache(function, options, told)
    return compiled


class _KernelCache(caching._Cache):
    """One file for each kernel and signature.

    It holds a SHA-256 digest, then what the code calls, by name, and Numba's compile result.
    """

    def __init__(self, function: Callable, options: dict[str, Any], told: bool = False):
        self._function = function
        self._told = told
        self._options = options
        self._enabled = True
        self._fingerprint: str | None = None

    @property
    def cache_path(self) -> str:
        return str(cache_folder())

    def enable(self) -> None:
        self._enabled = True

    def disable(self) -> None:
        self._enabled = False

    def flush(self) -> None:
        for path in cache_folder().glob(f"{self._function.__name__}-*.kernel"):
            _remove(path)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        found = self._load(sig, target_context)
        if found is None and self._told and sys.stderr is not None and sys.stderr.isatty():
            print(
                "spikesim compiles for this kind of network: once, 10 seconds or more",
                file=sys.stderr,
            )
        return found

    def _load(self, sig: Any, target_context: Any) -> Any:
        if not self._enabled:
            return None
        path = self._path(sig, target_context.codegen())
        try:
            data = path.read_bytes()
        except OSError:
            return None
        digest, payload = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
        if hashlib.sha256(payload).digest() != digest:
            # Before the warning, which is an exception where warnings are errors.
            kept = _remove(path)
            warnings.warn(
                f"the compiled kernel {path} is damaged; it is compiled again"
                + (f", but cannot be deleted ({kept})" if kept else ""),
                CacheWarning,
                stacklevel=2,
            )
            return None
        try:
            symbols, reduced = pickle.loads(payload)
            _make_ready(target_context, symbols)
            return compiler.CompileResult._rebuild(target_context, *reduced)
        except Exception:
            # Made by something else than this version, or for a type that is no more: whatever
            # it is, it must not stop every start from now on.
            _remove(path)
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        if not self._enabled or data.library.has_dynamic_globals or any(data.lifted):
            return
        path = self._path(sig, data.codegen)
        payload = caching.dumps((_symbols(data.library), data._reduce()))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".tmp")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(hashlib.sha256(payload).digest() + payload)
                os.replace(temporary, path)
            except BaseException:
                Path(temporary).unlink(missing_ok=True)
                raise
        except OSError as error:
            _warn_once_unwritable(path.parent, error)

    def _path(self, sig: Any, codegen: Any) -> Path:
        if self._fingerprint is None:
            digest = hashlib.sha256()
            _feed(digest, self._function, set())
            self._fingerprint = digest.hexdigest()
        key = repr(
            (
                _LAYOUT,
                str(sig),
                codegen.magic_tuple(),
                numba.__version__,
                np.__version__,
                sys.implementation.cache_tag,
                getattr(sys, "abiflags", ""),
                config.BOUNDSCHECK,
                sorted(self._options.items()),
                self._fingerprint,
            )
        )
        name = f"{self._function.__name__}-{hashlib.sha256(key.encode()).hexdigest()[:32]}.kernel"
        return cache_folder() / name


def _symbols(library: Any) -> list[str]:
    """Return what compiled code takes from outside of it, by name."""
    module = library._final_module
    return [
        thing.name
        for things in (module.functions, module.global_variables)
        for thing in things
        if thing.is_declaration and not thing.name.startswith("llvm.")
    ]


def _make_ready(target_context: Any, symbols: list[str]) -> None:
    """Load of Numba what compiled code calls: all of it, which takes 0.3 s, only where it must."""
    for load in (_name_runtime, target_context.refresh):
        if all(binding.address_of_symbol(name) is not None for name in symbols):
            return
        load()


def _name_runtime() -> None:
    """Make the C functions of Numba's runtime known by name, as Numba does before it compiles."""
    for name, address in _nrt_python.c_helpers.items():
        binding.add_symbol(name if name.startswith("_") else f"NRT_{name}", address)


def _remove(path: Path) -> str:
    """Delete a file of the cache; return why it cannot be, or nothing."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _feed(digest: Any, thing: Any, seen: set[int]) -> None:
    """Feed everything that decides what `thing` compiles to: code, closures, constants."""
    if isinstance(thing, Dispatcher):
        digest.update(repr(sorted(thing.targetoptions.items())).encode())
        thing = thing.py_func
    elif isinstance(thing, _Intrinsic):
        thing = thing._defn
    if isinstance(thing, types.FunctionType):
        if thing.__module__.partition(".")[0] in _OF_NUMBA:
            # These change with its version, which is in the key.
            digest.update(f"{thing.__module__}.{thing.__qualname__}".encode())
            return
        if id(thing) in seen:
            return
        seen.add(id(thing))
        digest.update(thing.__qualname__.partition(_MARK)[0].encode())
        _feed(digest, thing.__code__, seen)
        digest.update(repr(thing.__defaults__).encode())
        for cell in thing.__closure__ or ():
            _feed(digest, cell.cell_contents, seen)
        names = sorted(_global_names(thing.__code__))
        for name in names:
            if name in thing.__globals__:
                digest.update(name.encode())
                _feed_global(digest, thing.__globals__[name], names, seen)
    elif isinstance(thing, types.CodeType):
        digest.update(thing.co_code)
        digest.update(repr(thing.co_names).encode())
        for constant in thing.co_consts:
            _feed(digest, constant, seen)
    elif isinstance(thing, (np.ndarray, np.generic)):
        digest.update(str(thing.dtype).encode() + thing.tobytes())
    elif isinstance(thing, (int, float, complex, str, bytes, bool, tuple, frozenset, type(None))):
        digest.update(repr(thing).encode())
    else:
        digest.update(f"{type(thing).__module__}.{type(thing).__qualname__}".encode())
        digest.update(getattr(thing, "__qualname__", "").encode())


def _feed_global(digest: Any, thing: Any, names: list[str], seen: set[int]) -> None:
    """Feed a global; of a module what is asked of it by one of `names`, as the bytecode does."""
    if not isinstance(thing, types.ModuleType):
        _feed(digest, thing, seen)
        return
    digest.update(thing.__name__.encode())
    for name in names:
        if hasattr(thing, name):
            digest.update(name.encode())
            # Without the name itself, as modules may name each other.
            others = [other for other in names if other != name]
            _feed_global(digest, getattr(thing, name), others, seen)


def _global_names(code: types.CodeType) -> set[str]:
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= _global_names(constant)
    return names


_unwritable: set[Path] = set()


def _warn_once_unwritable(folder: Path, error: OSError) -> None:
    if folder not in _unwritable:
        _unwritable.add(folder)
        warnings.warn(
            f"compiled kernels cannot be kept in {folder} ({error.strerror or error}); every new "
            "process compiles them again. Set SPIKESIM_CACHE_DIR to a folder that can be written",
            CacheWarning,
            stacklevel=2,
        )
