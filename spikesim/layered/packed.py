"""Spikes of a batch of trials, one bit for each unit and step.

A float for each would take 32 to 64 times the memory, and most of them would be zero. Kernels
walk through the bits that are set, so that what they do grows with the number of spikes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numba import config, types
from numba.extending import intrinsic

from spikesim import _check
from spikesim._jit import kernel
from spikesim.errors import ParameterError
from spikesim.layered.threads import in_parts

__all__ = ["PackedSpikes", "listed", "lowest_bit"]

_WORD = 64


class PackedSpikes:
    """A 0/1 array of shape (n_steps, n_trials, n_units) that takes one bit a number.

    Usually made by :meth:`pack`; learning rules that can use it are given it in place of the
    array.

    Parameters
    ----------
    bits : ndarray of uint64, shape (n_trials, n_steps, n_words)
        Unit i is bit ``i % 64`` of word ``i // 64``; bits of no unit are 0.
    n_units : int
        Number of units.

    Raises
    ------
    ParameterError
        Bits of another type or shape, or of units that do not exist.
    """

    def __init__(self, bits: np.ndarray, n_units: int):
        n_units = _check.integer("PackedSpikes.n_units", n_units, minimum=1)
        n_words = -(-n_units // _WORD)
        bits = np.asarray(bits)
        if bits.dtype != np.uint64 or bits.ndim != 3 or bits.shape[2] != n_words:
            raise ParameterError(
                "PackedSpikes.bits must be uint64 of shape (n_trials, n_steps, "
                f"{n_words}) for {n_units} units, got {bits.dtype} of shape {bits.shape}"
            )
        left = n_units % _WORD
        if left and np.any(bits[:, :, -1] >> np.uint64(left)):
            raise ParameterError(f"PackedSpikes.bits has bits beyond its {n_units} units")
        self._keep(np.ascontiguousarray(bits), n_units)

    def _keep(self, bits: np.ndarray, n_units: int) -> None:
        self.bits = bits
        self.n_units = n_units
        self._n_spikes: int | None = None

    @classmethod
    def of_kernel(cls, bits: np.ndarray, n_units: int) -> PackedSpikes:
        """Return bits that a kernel has written, which need no check."""
        packed = object.__new__(cls)
        packed._keep(bits, n_units)
        return packed

    @classmethod
    def pack(cls, x: Any) -> PackedSpikes:
        """Pack an array of zeros and ones, shape (n_steps, n_trials, n_units).

        Raises
        ------
        ParameterError
            An array of another shape, or with other numbers in it.
        """
        x = _check.float_array("PackedSpikes.x", x)
        _check.shape("PackedSpikes.x", x, (None, None, None))
        packed = cls.packed_if_binary(x)
        if packed is None:
            raise ParameterError("PackedSpikes.x must hold zeros and ones only")
        return packed

    @classmethod
    def packed_if_binary(cls, x: np.ndarray) -> PackedSpikes | None:
        """Return `x` packed, or None if it holds anything but zeros and ones."""
        n_steps, n_trials, n_units = x.shape
        bits = np.empty((n_trials, n_steps, -(-n_units // _WORD)), dtype=np.uint64)
        x = np.ascontiguousarray(x)
        parts = in_parts(
            lambda first, last: _pack(x, first, last, bits), n_trials, 0.3 * x.size, alike=True
        )
        if not all(parts):
            return None
        return cls.of_kernel(bits, n_units)

    @classmethod
    def packed_blocks(cls, blocks: Iterable[np.ndarray]) -> PackedSpikes | None:
        """Return blocks of steps packed as one, or None if one holds anything but 0 and 1."""
        bits, n_units = [], 0
        for x in blocks:
            packed = cls.packed_if_binary(x)
            if packed is None:
                return None
            bits.append(packed.bits)
            n_units = packed.n_units
        return cls.of_kernel(np.concatenate(bits, axis=1), n_units)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of steps, trials and units, as of the array."""
        return self.bits.shape[1], self.bits.shape[0], self.n_units

    @property
    def n_spikes(self) -> int:
        """Number of ones."""
        if self._n_spikes is None:
            self._n_spikes = int(_count(self.bits))
        return self._n_spikes

    @property
    def density(self) -> float:
        """Share of ones."""
        return self.n_spikes / (self.shape[0] * self.shape[1] * self.n_units)

    def __len__(self) -> int:
        return self.bits.shape[1]

    def __repr__(self) -> str:
        return "PackedSpikes({} steps, {} trials, {} units)".format(*self.shape)

    def take(self, trials: Any) -> PackedSpikes:
        """Return the trials of the given numbers, or of a slice, in their order."""
        return PackedSpikes.of_kernel(np.ascontiguousarray(self.bits[trials]), self.n_units)

    def unpack(self, dtype: Any = np.float64) -> np.ndarray:
        """Return the array of zeros and ones, shape (n_steps, n_trials, n_units)."""
        single = np.unpackbits(
            self.bits.astype("<u8", copy=False).view(np.uint8),
            axis=2,
            count=self.n_units,
            bitorder="little",
        )
        return np.ascontiguousarray(single.transpose(1, 0, 2)).astype(dtype)

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return self.unpack(np.float64 if dtype is None else dtype)


@intrinsic
def _trailing_zeros(typingctx, word):
    def generate(context, builder, signature, arguments):
        from llvmlite import ir

        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.uint64(types.uint64), generate


def _trailing_zeros_plain(word):
    """Return the number of the lowest bit that is set, in plain Python."""
    number = int(word)
    return (number & -number).bit_length() - 1


if config.DISABLE_JIT:
    _trailing_zeros = _trailing_zeros_plain


@kernel(bare=True)
def lowest_bit(word):
    """Return the number of the lowest bit that is set."""
    return np.int64(_trailing_zeros(word))


@kernel(bare=True)
def listed(words, units):
    """Write the numbers of the bits that are set into `units`, rising; return how many."""
    n = 0
    for q in range(words.shape[0]):
        word = words[q]
        while word != np.uint64(0):
            units[n] = 64 * q + lowest_bit(word)
            n += 1
            word &= word - np.uint64(1)
    return n


# What is left of a word after the first bits of pairs of bytes, of fours, of all eight are joined.
_PAIRS, _FOURS, _EIGHT = (
    np.uint64(0x0003000300030003),
    np.uint64(0x0000000F0000000F),
    np.uint64(255),
)


@kernel(bare=True)
def _joined(flags):
    """Return eight flags, a byte each, as the eight lowest bits."""
    flags = (flags | (flags >> np.uint64(7))) & _PAIRS
    flags = (flags | (flags >> np.uint64(14))) & _FOURS
    return (flags | (flags >> np.uint64(28))) & _EIGHT


@kernel
def _pack(x, first, last, bits):
    """Fill `bits` of the trials from `first` to `last`; return whether all numbers are 0 or 1."""
    n_steps, _, n = x.shape
    flags = np.zeros(64 * bits.shape[2], np.uint8)
    eights = flags.view(np.uint64)
    for k in range(n_steps):
        for b in range(first, last):
            row = x[k, b]
            other = np.uint8(0)
            for i in range(n):
                flags[i] = row[i] != 0.0
                other |= np.uint8((row[i] != 0.0) & (row[i] != 1.0))
            if other > 0:
                return False
            for q in range(bits.shape[2]):
                word = np.uint64(0)
                for r in range(8):
                    word |= _joined(eights[8 * q + r]) << np.uint64(8 * r)
                bits[b, k, q] = word
    return True


@kernel(bare=True)
def _count(bits):
    n = 0
    for b in range(bits.shape[0]):
        for k in range(bits.shape[1]):
            for q in range(bits.shape[2]):
                word = bits[b, k, q]
                while word != np.uint64(0):
                    n += 1
                    word &= word - np.uint64(1)
    return n
