"""The loops over a tile, each beside a twin that takes neuron after neuron from the equations."""

import math

import numpy as np
import pytest

from spikesim.engine import tiles
from spikesim.engine.plan import TILE
from spikesim.neurons.conductance import conductance_free
from tests.naive_engine import rate

U = np.uint64
SIZES = (1, 63, 64, 65, int(TILE))
REALS = (np.float64, np.float32)
cases = pytest.mark.parametrize(("n", "real"), [(n, real) for n in SIZES for real in REALS])


class Tile:
    """Arrays longer than the tile, which begins somewhere within: the rest must stay as it is."""

    def __init__(self, n, real):
        self.n, self.real, self.rng = n, real, np.random.default_rng(n)

    def array(self, low=-1.0, high=1.0, length=None):
        return self.rng.uniform(low, high, length or self.n + 9).astype(self.real)

    def number(self, low=-1.0, high=1.0):
        return self.real(self.rng.uniform(low, high))


def same(found, expected):
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


def lif(v, held, push, decay_m, v_rest, v_th, v_reset, ref_steps, subtract):
    """Return v after the step, steps still to be held, and whether it fired."""
    if held > 0:
        return v, held - 1, False
    v = v_rest + decay_m * (v - v_rest) + push
    if v < v_th:
        return v, held, False
    after = v - (v_th - v_reset) if subtract else v_reset
    # What overflows is left for the check after the chunk to find.
    return (v if math.isinf(v) else after), ref_steps, True


@cases
def test_fill_copy_and_products(n, real):
    tile = Tile(n, real)
    out, values, factors = tile.array(), tile.array(), tile.array(length=n + 20)
    expected = out.copy()
    expected[:n] = 0.5
    tiles.fill(out, U(n), real(0.5))
    same(out, expected)
    expected[:n] = values[3 : n + 3]
    tiles.copy(out, values, U(3), U(n))
    same(out, expected)
    for j in range(n):
        expected[j] += factors[7 + j] * values[5 + j]
    tiles.multiply_add(out, factors, U(7), U(n), values, U(5))
    same(out, expected)


@cases
def test_what_currents_and_jumps_do_to_v(n, real):
    tile = Tile(n, real)
    push, rows, state = tile.array(), tile.array(), tile.array()
    p_vi, decay, p_ix = (tile.number() for _ in range(3))
    kernels = [
        (tiles.jump, (push,), (p_vi,), lambda i: (p_vi * i, real(0))),
        (tiles.push_alike, (push,), (p_vi, decay), lambda i: (p_vi * i, decay * i)),
        (tiles.decay, (), (decay,), lambda i: (real(0), decay * i)),
    ]
    for kernel, onto, numbers, twin in kernels:
        rows = tile.array()
        pushed, after = push.copy(), rows.copy()
        for j in range(n):
            moved, after[4 + j] = twin(rows[4 + j])
            pushed[j] += moved
        kernel(*onto, rows, U(4), U(n), *numbers)
        same(push, pushed)
        same(rows, after)
    i, x = state.copy(), rows.copy()
    for j in range(n):
        i[2 + j] = decay * state[2 + j] + p_ix * rows[4 + j]
        x[4 + j] = decay * rows[4 + j]
    tiles.decay_second(state, U(2), rows, U(4), U(n), decay, p_ix)
    same(state, i)
    same(rows, x)


class Neurons(Tile):
    """Neurons of which some are held, some fire, and one overflows."""

    def __init__(self, n, real):
        super().__init__(n, real)
        self.state, self.push = self.array(-1.0, 1.5), self.array()
        self.held = self.rng.integers(0, 3, n + 9).astype(np.int32)
        self.push[n // 2], self.held[6 + n // 2] = np.inf, 0
        self.fired = np.full(n + 9, 7, np.uint8)

    def expect(self, one):
        """Set what is expected: `one(j)` returns what :func:`lif` does."""
        self.after = self.state.copy(), self.held.copy(), self.fired.copy()
        for j in range(self.n):
            self.after[0][3 + j], self.after[1][6 + j], self.after[2][j] = one(j)
        assert self.n == 1 or 0 < self.after[2][: self.n].sum() < self.n

    def check(self):
        for found, expected in zip((self.state, self.held, self.fired), self.after, strict=True):
            same(found, expected)


@pytest.mark.parametrize("subtract", [False, True])
@cases
def test_neurons_of_equal_parameters_step(n, real, subtract):
    tile = Neurons(n, real)
    shared = (real(0.9), real(0.1), real(0.8), real(-0.2), np.int32(5), subtract)
    before = tile.state.copy(), tile.held.copy()
    tile.expect(lambda j: lif(before[0][3 + j], before[1][6 + j], tile.push[j], *shared))
    tiles.step_alike(tile.state, U(3), tile.held, U(6), tile.push, tile.fired, U(n), *shared)
    tile.check()


@pytest.mark.parametrize("subtract", [False, True])
@cases
def test_neurons_of_their_own_parameters_step(n, real, subtract):
    tile = Neurons(n, real)
    width = n + 4
    constants = tile.array(-0.5, 0.5, 2 + 11 * width)
    constants[2 + 3 * width :][:width] += real(0.8)
    ref_steps = tile.rng.integers(0, 9, width + 1).astype(np.int32)
    before = tile.state.copy(), tile.held.copy()

    def one(j):
        # The neurons begin at the second one of those whose constants these are.
        decay_m, v_rest, v_th, v_reset = (constants[3 + k * width + j] for k in (0, 2, 3, 4))
        own = decay_m, v_rest, v_th, v_reset, ref_steps[1 + j], subtract
        return lif(before[0][3 + j], before[1][6 + j], tile.push[j], *own)

    tile.expect(one)
    tiles.step_each(
        tile.state, U(3), tile.held, U(6), tile.push, tile.fired, U(n),
        constants, U(3), U(width), ref_steps, U(1), subtract,
    )  # fmt: skip
    tile.check()


@pytest.mark.parametrize("subtract", [False, True])
@pytest.mark.parametrize("push", [0.4, np.inf])
@cases
def test_neurons_that_receive_the_same_step(n, real, push, subtract):
    tile = Neurons(n, real)
    shared = (real(0.9), real(0.1), real(0.8), real(-0.2), np.int32(5), subtract)
    before = tile.state.copy(), tile.held.copy()
    tile.expect(lambda j: lif(before[0][3 + j], before[1][6 + j], real(push), *shared))
    tiles.step_no_port(tile.state, U(3), tile.held, U(6), tile.fired, U(n), real(push), *shared)
    tile.check()


@pytest.mark.parametrize("ports", [1, 2])
@cases
def test_currents_and_neurons_step_in_one_loop(n, real, ports):
    tile = Neurons(n, real)
    rows = tile.array(length=2 * n + 20)
    rows[4 + n // 2] = np.inf
    push, p_vi, decay, p_vi_2, decay_2 = (tile.number() for _ in range(5))
    shared = (real(0.9), real(0.1), real(0.8), real(-0.2), np.int32(5), False)
    after, before = rows.copy(), (tile.state.copy(), tile.held.copy(), rows.copy())

    def one(j):
        moved = push + p_vi * before[2][4 + j]
        after[4 + j] = decay * before[2][4 + j]
        if ports == 2:
            moved += p_vi_2 * before[2][n + 8 + j]
            after[n + 8 + j] = decay_2 * before[2][n + 8 + j]
        return lif(before[0][3 + j], before[1][6 + j], moved, *shared)

    tile.expect(one)
    head = (tile.state, U(3), tile.held, U(6), rows, U(4))
    if ports == 1:
        tiles.step_one_port(*head, tile.fired, U(n), push, p_vi, decay, *shared)
    else:
        tiles.step_two_ports(
            *head, U(n + 8), tile.fired, U(n), push, p_vi, decay, p_vi_2, decay_2, *shared
        )
    tile.check()
    same(rows, after)


@cases
def test_conductances_enter_drive_and_leak_at_both_nodes(n, real):
    tile = Tile(n, real)
    a_1, b_1, a_2, b_2 = (tile.array() for _ in range(4))
    constants = tile.array(0.1, 1.0, 4 * n + 9)
    rate_m, v_rest, per_c_m, i_ext = (1 + k * n for k in range(4))
    a, b = a_1.copy(), b_1.copy()
    for j in range(n):
        b[j] = constants[rate_m + j]
        a[j] = constants[rate_m + j] * constants[v_rest + j]
        a[j] += constants[per_c_m + j] * constants[i_ext + j]
    tiles.leak(a_1, b_1, U(n), constants, U(rate_m), U(v_rest), U(per_c_m), U(i_ext))
    same(a_1, a)
    same(b_1, b)

    rows, state = tile.array(), tile.array()
    decay, n_1, n_2, to_a, to_b, n_x = (tile.number() for _ in range(6))
    after, expected = rows.copy(), [x.copy() for x in (a_1, b_1, a_2, b_2)]
    for j in range(n):
        y = constants[per_c_m + j] * rows[4 + j]
        for k, node in ((0, n_1), (2, n_2)):
            expected[k][j] += to_a * (node * y)
            expected[k + 1][j] += to_b * (node * y)
        after[4 + j] = decay * rows[4 + j]
    tiles.conductances_first(
        a_1, b_1, a_2, b_2, U(n), constants, U(per_c_m), rows, U(4), decay, n_1, n_2, to_a, to_b
    )
    for found, wanted in zip((a_1, b_1, a_2, b_2, rows), (*expected, after), strict=True):
        same(found, wanted)

    for j in range(n):
        y = constants[per_c_m + j] * (n_1 * state[2 + j] + n_x * rows[4 + j])
        expected[0][j] += to_a * y
        expected[1][j] += to_b * y
    tiles.conductances_second(
        a_1, b_1, U(n), constants, U(per_c_m), state, U(2), rows, U(4), n_1, n_x, to_a, to_b
    )
    same(a_1, expected[0])
    same(b_1, expected[1])
    same(rows, after)


@pytest.mark.parametrize("subtract", [False, True])
@cases
def test_neurons_under_conductances_step(n, real, subtract):
    tile = Neurons(n, real)
    a_1, a_2 = tile.array(-2.0, 2.0), tile.array(-2.0, 2.0)
    b_1, b_2 = tile.array(0.1, 0.9), tile.array(0.1, 0.9)
    constants = tile.array(0.2, 0.6, 2 * n + 5)
    ref_steps = tile.rng.integers(0, 9, n + 5).astype(np.int32)
    dt = real(0.5)
    before = tile.state.copy(), tile.held.copy(), tile.push.copy()

    def one(j):
        v = before[0][3 + j]
        # The formula is held to matrices and to the equation in tests/test_conductance.py.
        moved = real(conductance_free(v, a_1[j], b_1[j], a_2[j], b_2[j], dt)) + before[2][j]
        own = constants[2 + j], constants[n + 4 + j], ref_steps[4 + j], subtract
        return lif(v, before[1][6 + j], moved, real(0), real(0), *own)

    tile.expect(one)
    tiles.fire_conductance(
        tile.state, U(3), tile.held, U(6), a_1, b_1, a_2, b_2, tile.push, tile.fired, U(n), dt,
        constants, U(2), U(n + 4), ref_steps, U(4), subtract,
    )  # fmt: skip
    tile.check()


@cases
def test_rates_are_written_into_the_row_of_the_step(n, real):
    tile = Tile(n, real)
    rates, state = np.zeros((3, n + 4)), tile.array()
    constants = tile.array(0.5, 2.0, 3 * n + 2)

    class Model:
        v_half, v_scale, max_rate = (constants[2 + k * n :][:n].astype(float) for k in range(3))

    expected = rates.copy()
    expected[1, 2 : n + 2] = rate(Model, state[5 : n + 5].astype(float))
    tiles.rates_of(rates, U(1), U(2), state, U(5), U(n), constants, U(2), U(2 + n), U(2 + 2 * n))
    np.testing.assert_allclose(rates, expected, rtol=1e-14 if real is np.float64 else 1e-6)
    assert np.count_nonzero(rates) == n


@pytest.mark.parametrize("n", [0, *SIZES])
@pytest.mark.parametrize("share", [0.0, 0.02, 1.0])
def test_those_that_fired_are_logged_in_order(n, share):
    rng = np.random.default_rng(n)
    # Marks of a larger tile before this one lie beyond its end.
    fired = np.ones(int(TILE), np.uint8)
    fired[:n] = rng.random(n) < share
    log = np.full(n + 4, -1, dtype=np.int64)
    expected = log.copy()
    stamped = [(9 << 32) + 100 + j for j in range(n) if fired[j]]
    expected[2 : 2 + len(stamped)] = stamped
    stamp = U((9 << 32) + 100)
    end = tiles.log_fired(fired, fired.view(np.uint64), U(n), log, U(2), stamp)
    assert end == 2 + len(stamped)
    same(log, expected)
