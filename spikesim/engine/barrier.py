"""A barrier for threads that run compiled code: they wait by spinning, then by yielding.

A step of a network takes microseconds, waking a sleeping thread takes tens of them. So those who
wait look again and again, with a pause instruction where the processor has one, and after some
thousand looks give their core to whoever needs it, so that more threads than cores get on, too.
"""

from __future__ import annotations

import platform
import sys

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.core.cgutils import get_or_insert_function
from numba.extending import intrinsic

from spikesim._jit import kernel

__all__ = ["GO_ON", "LEFT_ALONE", "STOP", "ask_to_stop", "leave_alone", "make_barrier", "wait"]

_PATIENCE = 2000
_X86 = platform.machine().lower() in {"x86_64", "amd64", "i386", "i686"}
_YIELD = "SwitchToThread" if sys.platform == "win32" else "sched_yield"
# Two of the words are written by many threads: each lies on a cache line of its own.
_ARRIVED, _ROUND, _SPINS, _WORDS = 0, 16, 32, 64
_ASKED, _DECIDED, _LEFT = 48, 49, 50
# What `wait` returns.
GO_ON, STOP, LEFT_ALONE = 0, 1, 2


def make_barrier(n_threads: int, n_cores: int) -> np.ndarray:
    """Return the memory of a barrier: how many have arrived, in which round, how long to spin.

    Where threads share cores, who spins keeps another from arriving: then they yield at once.
    """
    words = np.zeros(_WORDS, dtype=np.int64)
    words[_SPINS] = _PATIENCE if n_threads <= n_cores else 0
    return words


def _address(context, builder, array_type, array, index):
    # Imported here, where something is compiled, as it takes long.
    from numba.np.arrayobj import make_array

    data = make_array(array_type)(context, builder, array).data
    return builder.gep(data, [index])


@intrinsic
def _add(typingctx, array, index, value):
    """Add to a word at once for all threads; return what it held before."""

    def generate(context, builder, signature, arguments):
        word = _address(context, builder, signature.args[0], *arguments[:2])
        return builder.atomic_rmw("add", word, arguments[2], "seq_cst")

    return types.int64(array, types.int64, types.int64), generate


@intrinsic
def _load(typingctx, array, index):
    """Read a word that another thread may write; what it wrote before is then seen."""

    def generate(context, builder, signature, arguments):
        word = _address(context, builder, signature.args[0], *arguments)
        return builder.load_atomic(word, "acquire", 8)

    return types.int64(array, types.int64), generate


@intrinsic
def _store(typingctx, array, index, value):
    """Write a word that other threads read, after all that was written before."""

    def generate(context, builder, signature, arguments):
        word = _address(context, builder, signature.args[0], *arguments[:2])
        builder.store_atomic(arguments[2], word, "release", 8)
        return context.get_dummy_value()

    return types.void(array, types.int64, types.int64), generate


@intrinsic
def _pause(typingctx):
    def generate(context, builder, signature, arguments):
        if _X86:
            pause = ir.FunctionType(ir.VoidType(), [])
            builder.call(get_or_insert_function(builder.module, pause, "llvm.x86.sse2.pause"), [])
        return context.get_dummy_value()

    return types.void(), generate


@intrinsic
def _yield(typingctx):
    def generate(context, builder, signature, arguments):
        give = ir.FunctionType(ir.IntType(32), [])
        builder.call(get_or_insert_function(builder.module, give, _YIELD), [])
        return context.get_dummy_value()

    return types.void(), generate


def ask_to_stop(barrier: np.ndarray) -> None:
    """Have all threads stop together at one of the next meetings."""
    barrier[_ASKED] = 1


def leave_alone(barrier: np.ndarray) -> None:
    """Say that a thread will not come any more: nobody is to wait for it."""
    barrier[_LEFT] = 1


@kernel(bare=True)
def wait(barrier, n_threads):
    """Return when all `n_threads` threads have called it; they then see what each has written.

    Returns
    -------
    int
        GO_ON, or STOP, the same for all; LEFT_ALONE if a thread will not come.
    """
    if n_threads == 1:
        return barrier[_ASKED]
    now = _load(barrier, _ROUND)
    if _add(barrier, _ARRIVED, 1) == n_threads - 1:
        _store(barrier, _ARRIVED, 0)
        barrier[_DECIDED] = barrier[_ASKED]
        _store(barrier, _ROUND, now + 1)
        return barrier[_DECIDED]
    looks = 0
    while _load(barrier, _ROUND) == now:
        looks += 1
        if looks < barrier[_SPINS]:
            _pause()
        elif _load(barrier, _LEFT) != 0:
            return LEFT_ALONE
        else:
            _yield()
    return barrier[_DECIDED]
