"""The neurons of every population shared out to blocks, one or some of which a thread works on."""

from __future__ import annotations

from typing import Any

import numpy as np

from spikesim.network.network import Network

__all__ = ["share_out"]

_MOST_ROWS = 2**16
# Rows begin on lines of the cache, and blocks lie apart so that no line belongs to two.
_LINE = 16


def share_out(
    network: Network, ports: list[tuple[int, Any]], threads: int
) -> tuple[np.ndarray, np.ndarray, int]:
    """Share the neurons out: an equal part of every population for each block.

    Returns
    -------
    bounds : ndarray of int64, shape (P, B + 1)
        Which neurons of a population are in a block.
    row_starts : ndarray of int64, shape (B, Q)
        Row of the first of them at each port.
    n_rows : int
        Rows of a block, at most 65,536.
    """
    sizes = np.array([population.n for population in network.populations])
    of_port = np.array([index for index, _ in ports], dtype=np.int64)
    n_blocks = max(1, min(threads, int(sizes.sum())))
    while True:
        bounds = np.array([_shares(n, n_blocks, index) for index, n in enumerate(sizes)])
        parts = np.diff(bounds, axis=1)[of_port].T
        # Where ports are small, lines to themselves would be most of the rows.
        padded = np.where(parts < _LINE, parts, -(-parts // _LINE) * _LINE)
        ends = np.cumsum(padded, axis=1)
        n_rows = int(ends[:, -1].max()) if ends.size else 0
        if n_rows <= _MOST_ROWS:
            return bounds, ends - padded, n_rows + _LINE
        n_blocks += 1


def _shares(n: int, n_blocks: int, index: int) -> np.ndarray:
    """Cut `n` neurons into nearly equal parts, at multiples of a line where they are many.

    Populations smaller than the number of blocks go to other blocks one after another.
    """
    if n_blocks == 1:
        return np.array([0, n])
    if n >= 64 * 16 * n_blocks:
        cuts = np.rint(np.arange(n_blocks + 1) * n / n_blocks / 64).astype(np.int64) * 64
    else:
        cuts = (np.arange(n_blocks + 1) * n + index % n_blocks) // n_blocks
    cuts[-1] = n
    return cuts
