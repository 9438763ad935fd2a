"""A hint to the processor that memory will soon be read."""

from __future__ import annotations

from llvmlite import ir
from numba import config
from numba.core import types
from numba.core.cgutils import get_or_insert_function
from numba.extending import intrinsic

__all__ = ["prefetch"]


@intrinsic
def _prefetch(typingctx, array, index):
    def generate(context, builder, signature, arguments):
        # Imported here, where something is compiled, as it takes long.
        from numba.np.arrayobj import make_array

        data = make_array(signature.args[0])(context, builder, arguments[0]).data
        word, byte = ir.IntType(32), ir.IntType(8).as_pointer()
        declared = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
        function = get_or_insert_function(builder.module, declared, "llvm.prefetch.p0i8")
        address = builder.bitcast(builder.gep(data, [arguments[1]]), byte)
        # Read, keep in all levels, data.
        builder.call(function, [address, word(0), word(3), word(1)])
        return context.get_dummy_value()

    return types.void(array, index), generate


def _nothing(array, index):
    """Stand in for the hint in plain Python."""


prefetch = _nothing if config.DISABLE_JIT else _prefetch
