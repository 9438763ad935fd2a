"""Every rule that trains a hidden layer solves XOR, and no rule is left out."""

import pytest
from numba import config

from experiments.hidden_layers import METHODS, SINGLE, solve, title
from spikesim.comparison.entries import rules

# The rule under test in the ledger: there is no theory that says it can.
UNKNOWN = ("Proportional",)
CAN = [method for method in METHODS if method.rule not in UNKNOWN]
# Without compilation an epoch takes as long as a whole training does with it.
FEW = config.DISABLE_JIT


def test_each_rule_is_run_or_said_to_train_a_single_layer():
    run = {method.rule for method in METHODS}
    assert not run & set(SINGLE)
    assert run | set(SINGLE) == set(rules())


@pytest.mark.parametrize("method", CAN, ids=title)
def test_xor_is_solved(method):
    found = solve(method, "xor", 5, 0.002 if FEW else 1.0)
    if FEW:
        assert found["epochs"] == 1 and found["accuracy"] in (0.0, 0.25, 0.5, 0.75, 1.0)
    else:
        assert found["solved"] and found["accuracy"] == 1.0
