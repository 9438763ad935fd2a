import numpy as np
import pytest
from scipy import stats

import spikesim as sp
from spikesim.distributions import Distribution
from spikesim.errors import ParameterError

N = 20_000


@pytest.mark.parametrize(
    ("distribution", "law"),
    [
        (sp.Normal(3.0, 2.0), stats.norm(3.0, 2.0)),
        (sp.Uniform(-1.0, 4.0), stats.uniform(-1.0, 5.0)),
        (
            sp.LogNormal(3.0, 2.0),
            stats.lognorm(np.sqrt(np.log(1 + 4 / 9)), scale=3.0 / np.sqrt(1 + 4 / 9)),
        ),
    ],
)
def test_draws_follow_the_law(distribution, law):
    values = distribution.draw(np.random.default_rng(1), N)
    assert stats.kstest(values, law.cdf).pvalue > 1e-3


def test_a_lognormal_is_described_by_its_own_moments():
    values = sp.LogNormal(3.0, 2.0).draw(np.random.default_rng(2), N)
    assert values.mean() == pytest.approx(3.0, rel=0.03)
    assert values.std() == pytest.approx(2.0, rel=0.06)


@pytest.mark.parametrize(
    "value", [sp.Normal(2.0, 0.0), sp.Uniform(2.0, 2.0), sp.LogNormal(2.0, 0.0)]
)
def test_without_spread_every_draw_is_the_mean(value):
    np.testing.assert_allclose(value.draw(np.random.default_rng(0), 5), 2.0)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: sp.Normal(np.nan, 1.0), "Normal.mean"),
        (lambda: sp.Normal(0.0, -1.0), "Normal.sd"),
        (lambda: sp.Uniform(2.0, 1.0), "Uniform.high"),
        (lambda: sp.LogNormal(0.0, 1.0), "LogNormal.mean"),
        (lambda: sp.LogNormal(1.0, np.inf), "LogNormal.sd"),
    ],
)
def test_impossible_distributions_are_refused(make, name):
    with pytest.raises(ParameterError, match=name.replace(".", r"\.")):
        make()


def test_the_base_says_that_it_cannot_draw():
    with pytest.raises(TypeError, match="draw"):
        Distribution().draw(np.random.default_rng(0), 1)


def test_drawn_parameters_follow_the_seed_and_are_recorded():
    population = sp.Population("a", sp.LIF(tau_m=sp.Uniform(5.0, 15.0), c_m=sp.Normal(250, 9)), 8)
    first, again, other = (sp.simulate(population, 0.0, seed=seed) for seed in (1, 1, 2))
    tau_m = first.parameters["a"]["tau_m"]
    assert tau_m.shape == (8,) and len(set(tau_m)) == 8
    assert 5.0 <= tau_m.min() and tau_m.max() < 15.0
    np.testing.assert_array_equal(tau_m, again.parameters["a"]["tau_m"])
    assert np.any(tau_m != other.parameters["a"]["tau_m"])
    assert np.any(first.parameters["a"]["c_m"] != 250.0)
