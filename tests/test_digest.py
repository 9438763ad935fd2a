"""Equal networks have equal digests, different ones do not, in this process and in the next."""

import functools
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest
from numba import njit
from scipy import sparse

import spikesim as sp
from spikesim.distributions import Distribution
from spikesim.network import digest
from spikesim.network.digest import digest_of

RADIUS = 2.0


def disc(d):
    return np.where(d < RADIUS, 0.1, 0.0)


def near_disc(d):
    return np.where(d <= RADIUS, 0.1, 0.0)


def shell(d):
    return disc(d) - disc(2.0 * d)


def scaled(factor):
    return lambda d: factor * np.exp(-d)


def nested(d):
    return (lambda here: here < RADIUS)(d) * 0.1


def recursive(d):
    return recursive(d - 1.0) if d.max() > 1.0 else 0.5 * d


@njit
def compiled(d):
    return 0.1 + 0.0 * d


@dataclass(frozen=True)
class Step:
    edge: float

    def __call__(self, d):
        return np.where(d < self.edge, 0.5, 0.0)


class Named:
    def __call__(self, d):
        return np.minimum(0.1, d)

    def half(self, d):
        return 0.5 * self(d)


def network(**arguments):
    a = sp.Population("a", sp.LIF(), 2, arguments.pop("positions", [0.0, 1.0]))
    rule = arguments.pop("rule", None) or sp.DistanceDependent(arguments.pop("p", 0.1), **arguments)
    return sp.Network([a], [sp.Projection(a, a, rule, 1.0)])


DIFFERENT = [
    {},
    {"positions": [0.0, 2.0]},
    {"positions": [[0.0, 0.0], [1.0, 0.0]]},
    {"positions": None, "rule": sp.AllToAll()},
    {"rule": sp.AllToAll()},
    {"rule": sp.FixedOutDegree(1)},
    {"rule": sp.FixedOutDegree(2)},
    {"rule": sp.FixedInDegree(1)},
    {"rule": sp.FixedTotalNumber(1)},
    {"rule": sp.FixedTotalNumber(1, autapses=False)},
    {"rule": sp.FixedTotalNumber(1, multapses=False)},
    {"rule": sp.SparseMatrix(sparse.csr_array(np.eye(2)))},
    {"rule": sp.SparseMatrix(sparse.csr_array(2.0 * np.eye(2)))},
    {"rule": sp.ExplicitList([0, 1], [0, 1])},
    {"max_distance": 5.0},
    {"period": 5.0},
    {"period": (5.0,)},
    {"autapses": False},
    {"p": sp.GaussianProfile(0.1, 1.0)},
    {"p": sp.ExponentialProfile(0.1, 1.0)},
    {"p": disc},
    {"p": near_disc},
    {"p": shell},
    {"p": scaled(0.1)},
    {"p": scaled(0.2)},
    {"p": recursive},
    {"p": compiled},
    {"p": Step(1.0)},
    {"p": Step(2.0)},
    {"p": Named().half},
    {"p": functools.partial(disc)},
    {"p": lambda d: 0.15 + 0.0 * d},
    {"p": lambda d: 0.2 + 0.0 * d},
    {"p": lambda d, share=0.1: share + 0.0 * d},
    {"p": lambda d, share=0.2: share + 0.0 * d},
    {"p": lambda d, *, share=0.2: share + 0.0 * d},
    {"p": np.exp},
    {"p": np.cos},
]


def test_all_that_differs_has_another_digest():
    digests = [network(**arguments).digest() for arguments in DIFFERENT]
    assert len(set(digests)) == len(digests)


def test_what_is_made_twice_has_one_digest():
    assert network(p=scaled(0.3)).digest() == network(p=scaled(0.3)).digest()
    assert network(p=Step(1.0)).digest() == network(p=Step(1.0)).digest()
    matrix = sparse.coo_array(([1.0, 2.0], ([1, 0], [0, 1])), shape=(2, 2))
    first, again = (sp.SparseMatrix(getattr(matrix, f"to{form}")()) for form in ("csc", "csr"))
    assert network(rule=first).digest() == network(rule=again).digest()
    shared, twin = sp.LIF(tau_m=[1.0, 2.0]), sp.LIF(tau_m=[1.0, 2.0])
    one = sp.Network([sp.Population("a", shared, 2), sp.Population("b", shared, 2)])
    two = sp.Network([sp.Population("a", shared, 2), sp.Population("b", twin, 2)])
    assert one.digest() == two.digest()


def test_a_global_that_a_function_uses_counts(monkeypatch):
    functions = (disc, shell, nested, scaled(1.0))
    before = [digest_of(function) for function in functions]
    monkeypatch.setitem(globals(), "RADIUS", 3.0)
    after = [digest_of(function) for function in functions]
    assert [a == b for a, b in zip(before, after, strict=True)] == [False, False, False, True]


def test_an_address_counts_within_one_process_only(monkeypatch):
    shown, hidden = Step(1.0), object()
    before = digest_of(shown), digest_of(hidden)
    assert digest_of(hidden) == before[1] != digest_of(object())
    monkeypatch.setattr(digest, "_THIS_PROCESS", b"another")
    assert digest_of(shown) == before[0]
    assert digest_of(hidden) != before[1]


def test_the_code_of_a_callable_and_of_a_distribution_of_the_user_counts():
    def distribution(factor):
        @dataclass(frozen=True)
        class Mine(Distribution):
            mean: float

            def draw(self, rng, n):
                return factor * np.full(n, self.mean)

        return Mine

    one, same, other = distribution(1.0), distribution(1.0), distribution(2.0)
    assert digest_of(one(5.0)) == digest_of(same(5.0))
    assert digest_of(one(5.0)) != digest_of(one(6.0))
    assert digest_of(one(5.0)) != digest_of(other(5.0))


PROGRAM = """
import functools, types
import numpy as np
import spikesim as sp
from scipy import special
from spikesim.network.digest import digest_of
import helper

class Plain:
    pass

LEVEL = {level}
options = types.SimpleNamespace(level=LEVEL, table=np.arange(3000.0))
functions = [
    lambda d: LEVEL * np.exp(-d),
    lambda d: options.level * np.sqrt(d) + special.expit(d),
    lambda d: d in {{1.0, 2.0, LEVEL}},
    functools.partial(helper.profile, width=3.0),
    lambda d: helper.profile(d, 4.0),
    special.expit,
    np.where,
    sp.GaussianProfile(0.1, 2.0),
]
print(*[digest_of(function)[:16] for function in functions])
print(digest_of(Plain())[:16])
"""


def test_another_process_finds_the_same_digests_and_trusts_no_address(tmp_path):
    def run(level=0.5, width=1.0):
        helper = f"SCALE = {width}\ndef profile(d, width):\n    return SCALE * d / width\n"
        (tmp_path / "helper.py").write_text(helper)
        (tmp_path / "program.py").write_text(PROGRAM.format(level=level))
        done = subprocess.run(
            [sys.executable, "-B", "program.py"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        *known, unknown = done.stdout.split()
        return known, unknown

    first, unknown = run()
    again, unknown_again = run()
    assert first == again
    assert unknown != unknown_again
    assert len(set(first)) == len(first)
    level = [a == b for a, b in zip(first, run(level=0.25)[0], strict=True)]
    assert level == [False, False, False, True, True, True, True, True]
    width = [a == b for a, b in zip(first, run(width=2.0)[0], strict=True)]
    assert width == [True, True, True, False, False, True, True, True]


@pytest.mark.parametrize(
    "value",
    [np.zeros((0, 3)), np.array("text"), np.array([None, 1.0]), {1: 2}, {3, 4}, slice(1), len],
)
def test_data_of_any_kind_can_be_digested(value):
    assert digest_of(value) == digest_of(value)
