"""Sums of rows, and of the rows of spikes, to the bit those of one addition after another."""

from __future__ import annotations

import numpy as np
import pytest

from spikesim.layered.lif_backward import outer_of_spikes
from spikesim.layered.packed import PackedSpikes
from spikesim.layered.rows import add_listed, add_weighted, add_weighted_to_four, ask_for

KINDS = pytest.mark.parametrize("kind", [np.float32, np.float64])


@KINDS
@pytest.mark.parametrize("n_rows", [0, 1, 3, 4, 5, 9])
@pytest.mark.parametrize("width", [1, 7, 33])
def test_sums_run_over_rows_in_their_order(kind, n_rows, width):
    rng = np.random.default_rng(n_rows + 100 * width)
    rows = rng.standard_normal((n_rows, width)).astype(kind)
    weights = rng.standard_normal((4, n_rows)).astype(kind)
    start = rng.standard_normal((4, width)).astype(kind)
    wanted = start.copy()
    for r in range(4):
        for m in range(n_rows):
            wanted[r] = wanted[r] + weights[r, m] * rows[m]
    found = start.copy()
    add_weighted_to_four(weights, rows, found)
    np.testing.assert_array_equal(found, wanted)
    add_weighted(weights[1], rows, start[1])
    np.testing.assert_array_equal(start[1], wanted[1])

    units = rng.permutation(n_rows)
    wanted = start[0].copy()
    for unit in units:
        wanted = wanted + rows[unit]
    add_listed(rows, units, n_rows, start[0])
    np.testing.assert_array_equal(start[0], wanted)


def test_a_row_that_is_asked_for_is_left_as_it_is():
    row = np.arange(40.0)
    ask_for(row)
    ask_for(row[:0])
    assert row.tolist() == list(range(40))


@KINDS
@pytest.mark.parametrize("n_pre", [1, 63, 64, 65, 130])
@pytest.mark.parametrize("lag", [0, 1, 6, 9])
@pytest.mark.parametrize("trials", [(0, 1), (0, 6), (1, 6), (3, 3)])
def test_the_gradient_adds_spikes_in_their_order(kind, n_pre, lag, trials):
    rng = np.random.default_rng(n_pre + lag)
    x = (rng.random((6, 6, n_pre)) < rng.choice([0.1, 0.5, 1.0])).astype(float)
    grad = rng.standard_normal((6, 6, 5)).astype(kind)
    found, wanted = np.zeros((n_pre, 5), kind), np.zeros((n_pre, 5), kind)
    outer_of_spikes(PackedSpikes.pack(x).bits, grad, lag, *trials, found)
    for b in range(*trials):
        for k in range(lag, 6):
            for i in np.flatnonzero(x[k - lag, b]):
                wanted[i] = wanted[i] + grad[b, k]
    np.testing.assert_array_equal(found, wanted)
    assert wanted.any() == (lag < 6 and trials[0] < trials[1])
