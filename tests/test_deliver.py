"""Spikes on their way: calendars, buckets, draws, samples and the barrier, each beside a twin."""

import threading
from collections import defaultdict
from typing import NamedTuple

import numpy as np
import pytest
from numba import config

import spikesim as sp
from spikesim._jit import kernel
from spikesim.engine import deliver, draw, rng
from spikesim.engine import plan as p
from spikesim.engine.barrier import make_barrier, wait
from spikesim.engine.resume import most_entries, resume
from spikesim.engine.store import Store

U = np.uint64
N_SOURCES, N_BLOCKS, N_SLOTS, N_ROWS, CAPACITY = 4, 3, 5, 11, 64
KEY = (12, 34)
reals = pytest.mark.parametrize("real", [np.float64, np.float32])


@pytest.fixture(autouse=True)
def _words_wrap_in_plain_python_as_compiled():
    with np.errstate(over="ignore"):
        yield


class Synapse(NamedTuple):
    row: int
    weight: float
    class_: int
    delay: int


def lay_out(seed, real, kind="uniform"):
    """Return a store, and ``{(source, block): [its synapses, bucket by bucket]}``."""
    gen = np.random.default_rng(seed)
    classes = gen.uniform(-1.0, 1.0, 4).astype(real)
    found, flat = defaultdict(list), []
    starts, bucket_starts, buckets = [0], [0], []
    for place in range(N_SOURCES * N_BLOCKS):
        for class_ in range(4):
            # No bucket, one, or several of one delay; now and then a long one.
            for delay in sorted(gen.integers(1, N_SLOTS + 1, gen.integers(0, 4)).tolist()):
                bucket = []
                for _ in range(int(gen.choice([1, 2, 70]))):
                    number = int(gen.integers(-32768, 32768))
                    weight = {"uniform": classes[class_], "packed": real(number)}.get(
                        kind, gen.uniform(-1.0, 1.0)
                    )
                    bucket.append(Synapse(int(gen.integers(N_ROWS)), weight, class_, delay))
                buckets.append(delay << 32 | class_ << 16 | len(bucket))
                found[divmod(place, N_BLOCKS)].append(bucket)
                flat += bucket
        starts.append(len(flat))
        bucket_starts.append(len(buckets))
    rows = np.array([s.row for s in flat], dtype=np.uint16)
    weights, packed = np.zeros(0), np.zeros(0, dtype=np.int32)
    if kind == "listed":
        weights = np.array([s.weight for s in flat])
    elif kind == "packed":
        packed = np.array([(int(s.weight) << 16) + s.row for s in flat], dtype=np.int32)
        rows = rows[:0]
    indices = (np.array(some, dtype=U) for some in (starts, bucket_starts, buckets))
    return Store(rows, weights, packed, *indices, classes, 2), found


def calendar(capacity=CAPACITY):
    return p.Calendar(
        np.zeros((N_BLOCKS, N_SLOTS, capacity), dtype=U),
        np.zeros((N_BLOCKS, N_SLOTS), dtype=np.int64),
    )


def send(store, into, spikes):
    """Put spikes (step, source) on the calendar; return the longest list of each block."""
    fills = [0] * N_BLOCKS
    for step, source in spikes:
        for block in range(N_BLOCKS):
            fills[block] = deliver.schedule(
                into.entries, into.counts, store.starts, store.bucket_starts, store.buckets,
                U(block), U(source * N_BLOCKS + block), U(step % N_SLOTS), U(fills[block]),
            )  # fmt: skip
    return [int(fill) for fill in fills]


def arriving(found, spikes, block, step):
    """Return the synapses that a step adds to a block: by spike, then by bucket."""
    return [
        synapse
        for fired, source in spikes
        for bucket in found[source, block]
        for synapse in bucket
        if fired + synapse.delay == step
    ]


# Several in a step, one source twice, and one that is still sending when it fires again.
SPIKES = [(1, 0), (2, 3), (2, 3), (4, 1), (4, 2), (5, 0), (6, 1), (9, 2)]
DELIVER = {
    "uniform": lambda store: (deliver.deliver_uniform, store.rows, store.classes),
    "listed": lambda store: (deliver.deliver_listed, store.rows, store.weights),
    "packed": lambda store: (deliver.deliver_packed, store.packed),
}


@pytest.mark.parametrize(
    ("kind", "real"),
    [
        ("uniform", np.float64),
        ("uniform", np.float32),
        ("listed", np.float64),
        ("packed", np.float32),
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_what_is_sent_arrives_after_its_delay_in_the_order_of_spikes(kind, real, seed):
    store, found = lay_out(seed, real, kind)
    lists = calendar()
    rows = np.random.default_rng(seed).uniform(-1.0, 1.0, N_BLOCKS * N_ROWS).astype(real)
    add, *arrays = DELIVER[kind](store)
    n_arrived = 0
    for step in range(1, 10 + N_SLOTS):
        slot = step % N_SLOTS
        for block in range(N_BLOCKS):
            base, n = block * N_ROWS, U(lists.counts[block, slot])
            for first, last in ((0, store.n_early), (store.n_early, 4096)):
                expected = rows.copy()
                for synapse in arriving(found, SPIKES, block, step):
                    if first <= synapse.class_ < last:
                        expected[base + synapse.row] += synapse.weight
                        n_arrived += 1
                add(rows, U(base), *arrays, lists.entries[block, slot], n, U(first), U(last))
                np.testing.assert_array_equal(rows, expected)
            lists.counts[block, slot] = 0
        fills = send(store, lists, [spike for spike in SPIKES if spike[0] == step])
        assert np.all(np.array(fills) <= lists.counts.max(axis=1))
    assert n_arrived == sum(len(b) for _, s in SPIKES for i in range(N_BLOCKS) for b in found[s, i])
    assert rows.dtype == real and not lists.counts.any()


def test_the_longest_list_is_never_forgotten():
    store, _ = lay_out(0, np.float64)
    lists = calendar()
    longest = send(store, lists, [(1, 0)])
    assert longest == lists.counts.max(axis=1).tolist()
    lists.counts[:] = 0
    fill = deliver.schedule(
        lists.entries, lists.counts, store.starts, store.bucket_starts, store.buckets,
        U(0), U(0), U(1), U(99),
    )  # fmt: skip
    assert fill == 99


@pytest.mark.parametrize(
    ("kind", "real"),
    [("uniform", np.float64), ("uniform", np.float32), ("listed", np.float64)]
    + [("packed", np.float32)],
)
def test_rates_arrive_as_the_spikes_expected_of_them(kind, real):
    store, found = lay_out(1, real, kind)
    gen = np.random.default_rng(2)
    rates = gen.uniform(0.0, 90.0, (7, N_SOURCES + 2))
    per_hz, done = 1e-4, 0
    for now in (1, 3, 20):
        rows = gen.uniform(-1.0, 1.0, N_BLOCKS * N_ROWS).astype(real)
        for first, last in ((0, store.n_early), (store.n_early, 4096)):
            expected = rows.copy()
            for (source, block), buckets in found.items():
                for synapse in (s for bucket in buckets for s in bucket):
                    # Before the first step, nothing was sent.
                    if now - synapse.delay >= 1 and first <= synapse.class_ < last:
                        sent = real(rates[(now - synapse.delay) % 7, 2 + source] * per_hz)
                        expected[block * N_ROWS + synapse.row] += real(synapse.weight) * sent
                        done += 1
            for source, block in found:
                deliver.deliver_rates(
                    rates, rows, U(block * N_ROWS), store, U(source * N_BLOCKS + block),
                    U(2 + source), U(now), per_hz, U(first), U(last),
                )  # fmt: skip
            np.testing.assert_array_equal(rows, expected)
    assert done > 100


def lists_of(lists, done):
    """Return the entries that arrive in each step after `done`, for each block."""
    return [
        lists.entries[block, step % N_SLOTS, : lists.counts[block, step % N_SLOTS]].tolist()
        for block in range(N_BLOCKS)
        for step in range(done + 1, done + 1 + N_SLOTS)
    ]


@pytest.mark.parametrize("done", [1, 4, 6, 9, 14])
def test_a_run_resumes_with_the_calendars_that_it_ended_with(done):
    stores = lay_out(0, np.float64)[0], lay_out(1, np.float64, "listed")[0]
    running = calendar(), calendar()
    for step in range(1, done + 1):
        for store, lists in zip(stores, running, strict=True):
            lists.counts[:, step % N_SLOTS] = 0
            send(store, lists, [spike for spike in SPIKES if spike[0] == step])
    recent = np.array([(step << 32) + source for step, source in SPIKES if step <= done])
    fills = np.zeros(N_BLOCKS, dtype=np.int64)
    again = calendar(), calendar()
    again[0].counts[:] = 3
    assert not resume(*again, *stores, fills, recent, done)
    longest = np.max([lists.counts.max(axis=1) for lists in again], axis=0)
    assert fills.tolist() == longest.tolist()
    for one, other in zip(running, again, strict=True):
        assert lists_of(one, done) == lists_of(other, done)
    assert longest.any() == (done < 14)


def test_lists_that_are_too_short_are_reported_before_anything_is_overwritten():
    stores = lay_out(0, np.float64)[0], lay_out(1, np.float64, "listed")[0]
    recent = np.array([(9 << 32) + source for source in (0, 0, 1)])
    for short in (0, 1):
        room = [calendar(), calendar()]
        guarded = calendar()
        room[short] = p.Calendar(guarded.entries[:, :, :2], guarded.counts)
        assert resume(*room, *stores, np.zeros(N_BLOCKS, dtype=np.int64), recent, 9)
        assert guarded.counts.max() == 2 and not guarded.entries[:, :, 2:].any()


def test_a_bound_on_the_entries_of_a_spike_on_one_list():
    for seed in range(5):
        store, found = lay_out(seed, np.float64)
        most = 0
        for buckets in found.values():
            delays = [bucket[0].delay for bucket in buckets]
            most = max([most, *map(delays.count, delays)])
        assert most <= most_entries(store) <= 12
    # One class: the bound is the number.
    words = np.array([delay << 32 | 1 for delay in (1, 2, 2, 3, 3, 3, 4)], dtype=U)
    none, index = np.zeros(0), np.array([0, len(words)], dtype=U)
    single = Store(none, none, none, index, index, words, none, 0)
    assert most_entries(single) >= 3
    apart = single._replace(buckets=np.array([1 << 32, 2 << 32, 9 << 32], dtype=U))
    assert most_entries(apart._replace(bucket_starts=np.array([0, 3], dtype=U))) == 1


# Poisson numbers, whose law and bits are those of tests/test_rng.py.


def drawn_with(draw_row, **columns):
    for name, value in columns.items():
        draw_row[int(getattr(p, name))] = value
    return draw_row


def count_of(table, means, neuron, step, stream):
    return rng.poisson_count(stream, neuron, step, table, means, *KEY)


@reals
@pytest.mark.parametrize(("first", "last"), [(0, 300), (17, 290), (128, 129), (8, 8)])
def test_poisson_inputs_are_added_to_the_rows_of_their_neurons(real, first, last):
    table = rng.poisson_table([0.3, 40.0, 0.0])
    gen = np.random.default_rng(0)
    n, key = 300, np.array(KEY)
    each = gen.integers(-1, 3, n)
    table_rows = np.concatenate([[1, 0], each]).astype(np.int32)
    draws = np.zeros((4, int(p.N_DRAW_COLUMNS)), dtype=U)
    drawn_with(draws[0], STREAM=5, ROW=0, WEIGHT=1)
    drawn_with(draws[1], STREAM=6, ROW=1, WEIGHT=1)
    drawn_with(draws[2], STREAM=7, ROW=2, ROW_EACH=1, WEIGHT=1)
    drawn_with(draws[3], STREAM=8, ROW=0, ROW_EACH=2, SHARED=1, WEIGHT=1)
    constants, now = np.array([9.0, 0.7], dtype=real), 2**32 + 3
    for number, stream in enumerate((5, 6, 7, 8)):
        rows = gen.uniform(-1.0, 1.0, n + 8).astype(real)
        expected = rows.copy()
        for j, i in enumerate(range(first, last)):
            row = {5: 1, 6: 0, 7: each[i], 8: 1 if each[i] >= 0 else -1}[stream]
            if row >= 0:
                who = 0 if stream == 8 else i
                count = count_of(table, int(row), who, now, stream)
                expected[4 + j] += constants[1] * real(count)
        draw.add_drawn(
            draws, table_rows, table, constants, key, rows, U(4), rng.poisson_scratch(),
            U(number), U(now), U(first), U(last),
        )  # fmt: skip
        np.testing.assert_array_equal(rows, expected)
        draw.add_nothing(
            draws, table_rows, table, constants, key, rows, U(4), rng.poisson_scratch(),
            U(number), U(now), U(first), U(last),
        )  # fmt: skip
        np.testing.assert_array_equal(rows, expected)


@pytest.mark.parametrize("each", [False, True])
@pytest.mark.parametrize("room", [1000, 7])
def test_poisson_sources_fire_as_often_as_they_draw(each, room):
    table, n = rng.poisson_table([0.4, 0.0, 1.3]), 20
    # Three samples of two steps each, of one mean or of one a neuron.
    gen = np.random.default_rng(1)
    means = gen.integers(0, 3, 3 * n if each else 3)
    table_rows = np.concatenate([[0], means]).astype(np.int32)
    draws = np.zeros((1, int(p.N_DRAW_COLUMNS)), dtype=U)
    columns = {"STREAM": 5, "ROW": 1, "ROW_EACH": each, "N_SAMPLES": 3, "SAMPLE_STEPS": 2}
    drawn_with(draws[0], **columns)
    populations = np.zeros((1, int(p.N_POPULATION_COLUMNS)), dtype=U)
    drawn_with(populations[0], FIRST=100, SIZE=n)
    log, count, expected = np.full(room, -1, dtype=np.int64), U(2), []
    for now in range(1, 9):
        sample = (now - 1) // 2
        for neuron in range(3, 17) if sample < 3 else ():
            mean = int(means[sample * n + neuron] if each else means[sample])
            times = count_of(table, mean, neuron, now, 5)
            expected += [(now << 32) + 100 + neuron] * times
        count = draw.fire_drawn(
            populations, draws, table_rows, table, np.array(KEY), U(0), U(3), U(17), U(now), log,
            count,
        )  # fmt: skip
        nothing = draw.fire_nothing(
            populations, draws, table_rows, table, np.array(KEY), U(0), U(3), U(17), U(now), log,
            count,
        )  # fmt: skip
        assert nothing == count
    # What finds no room is counted all the same: so that the run can tell.
    assert count == 2 + len(expected) > 20
    assert log[2:][: len(expected)].tolist() == expected[: room - 2]


@pytest.mark.parametrize("threads", [1, 3])
def test_samples_are_the_state_at_the_end_of_the_step(threads):
    a = sp.Population("a", sp.LIF(i_ext=300.0), 50)
    b = sp.Population("b", sp.SigmoidRate(), 30)
    synapses = [
        sp.Exponential(3.0),
        sp.Alpha(2.0),
        sp.ConductanceExponential(5.0, 0.0),
        sp.ConductanceAlpha(4.0, -80.0),
        sp.Delta(),
    ]
    currents = synapses[:2] + synapses[-1:]
    network = sp.Network(
        [a, b],
        [sp.Projection(b, a, sp.FixedInDegree(5), 1.0, 0.3, synapses[2])],
        [sp.PoissonInput(a, 3000.0, 0.9, synapse) for synapse in synapses]
        + [sp.PoissonInput(b, 3000.0, 0.9, synapse) for synapse in currents],
    )
    chosen = [49, 0, 17, 16]
    record = {
        "a": sp.Record(("v", "i_syn", "g_syn"), chosen, 0.5),
        "b": sp.Record(("v", "rate", "i_syn"), [29, 3], 0.1),
    }
    recording = sp.simulate(network, 20.0, seed=1, record=record, threads=threads)
    arrays, traces = recording.final_state.arrays, recording["a"].traces
    v, value = arrays["a.v"][chosen], arrays["a.i_syn"][chosen]
    np.testing.assert_array_equal(traces["v"][-1], v)
    kinds = network.projections[0].synapse, *(i.synapse for i in network.inputs[:5])
    ports = [s for s in dict.fromkeys(kinds) if not isinstance(s, sp.Delta)]
    conductances = [isinstance(s, type(synapses[2]) | type(synapses[3])) for s in ports]
    e_rev = np.array([getattr(s, "e_rev", 0.0) for s in ports])
    pull = np.where(conductances, e_rev - v[:, None], 1.0)
    np.testing.assert_allclose(traces["i_syn"][-1], (value * pull).sum(axis=1), rtol=1e-13)
    np.testing.assert_allclose(traces["g_syn"][-1], value[:, conductances].sum(axis=1), rtol=1e-13)
    assert np.ptp(traces["g_syn"][-1]) > 0.0
    traces = recording["b"].traces
    np.testing.assert_array_equal(traces["v"][-1], arrays["b.v"][[29, 3]])
    np.testing.assert_array_equal(traces["rate"][-1], arrays["b.rates"][-1, [29, 3]])
    np.testing.assert_allclose(traces["i_syn"][-1], arrays["b.i_syn"][[29, 3]].sum(axis=1))


@kernel(error_model="numpy")
def rounds(me, n_threads, n_rounds, barrier, words):
    """In every round, write a word, wait, and count the words of others that are not there yet."""
    missing = 0
    for now in range(1, n_rounds + 1):
        words[16 * me] = now
        wait(barrier, n_threads)
        for other in range(n_threads):
            missing += int(words[16 * other] != now)
        wait(barrier, n_threads)
    return missing


@pytest.mark.parametrize("n_threads", [1, 2, 3, 7])
@pytest.mark.parametrize("n_cores", [1, 8])
def test_behind_the_barrier_all_see_what_all_have_written(n_threads, n_cores):
    if config.DISABLE_JIT:
        n_threads = 1  # In plain Python there are no atomic words.
    barrier = make_barrier(n_threads, n_cores)
    words = np.zeros(16 * n_threads, dtype=np.int64)
    missing = [None] * n_threads

    def work(me):
        missing[me] = rounds(me, n_threads, 300, barrier, words)

    threads = [threading.Thread(target=work, args=(me,)) for me in range(n_threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert missing == [0] * n_threads
