"""XOR with weights that are read off: exact tables, and no single unit that does it."""

import numpy as np
import pytest

from experiments.seeds import by_inspection as seed


@pytest.mark.parametrize("name", list(seed.GATES))
def test_gates_have_their_tables_on_both_kinds_of_units(name):
    assert seed.table(seed.gate(name)) == seed.TABLES[name]
    assert seed.table(seed.spiking_gate(name)) == seed.TABLES[name]


def test_and_of_or_and_nand_is_exclusive_or():
    assert seed.table(seed.xor()) == (0, 1, 1, 0)
    assert seed.table(seed.spiking_xor()) == (0, 1, 1, 0)


def test_the_answer_does_not_hang_on_the_time_step():
    x = seed.CODE.encode(seed.inputs(2), dt=0.1)
    output = seed.sp.layered.forward(seed.spiking_xor(0.1), x)[-1].output
    assert output.any(axis=0)[:, 0].tolist() == [False, True, True, False]


@pytest.mark.parametrize("fire_on", ["ge", "gt"])
def test_no_single_unit_gets_more_than_three_right(fire_on):
    counts = seed.search(13, fire_on)
    assert counts.sum() == 13**3
    assert seed.most_right(counts)[0] == 3
    # 14 of 16 truth tables; the two that miss are XOR (rows 1 and 2) and its opposite.
    assert np.flatnonzero(counts == 0).tolist() == [0b0110, 0b1001]


def test_the_search_would_find_a_table_that_one_unit_has():
    assert seed.most_right(seed.search(13), seed.TABLES["NAND"])[0] == 4


def test_margins():
    assert seed.margins(seed.xor()) == [0.5, 0.5]
    assert seed.margins(seed.spiking_xor()) == pytest.approx([1 / 6, 1 / 3])


def test_noise_spoils_some_networks_and_none_without_it():
    rng = np.random.default_rng(0)
    for network in (seed.xor(), seed.spiking_xor()):
        assert seed.disturbed(network, 0.0, 3, rng) == 3
        assert 0 < seed.disturbed(network, 0.2, 60, rng) < 60


def test_late_ones_spoil_the_answer():
    assert seed.delayed(seed.spiking_xor(), range(2)) == [4, 3]
