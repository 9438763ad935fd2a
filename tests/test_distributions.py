import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import spikesim as sp
from spikesim.distributions import Distribution, drawn
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
        (lambda: sp.LogNormal(1e-9, 1e200), "LogNormal.sd"),
        (lambda: sp.Normal(0.0, 1.0, np.nan), "Normal.low"),
        (lambda: sp.Normal(0.0, 1.0, high=np.nan), "Normal.high"),
        (lambda: sp.Normal(0.0, 1.0, 2.0, 1.0), "Normal.low must be at most Normal.high = 1"),
        (lambda: sp.Normal(0.0, 1.0, 3.2), "Normal.low and Normal.high must leave"),
        (lambda: sp.Normal(0.0, 1.0, high=-3.2), "Normal.low and Normal.high must leave"),
        (lambda: sp.Normal(0.0, 1.0, 0.5, 0.5), "Normal.low and Normal.high must leave"),
        (lambda: sp.Normal(0.0, 1.0, np.inf), "Normal.low and Normal.high must leave"),
        (lambda: sp.Normal(1.0, 0.0, 2.0), "Normal.low and Normal.high must leave"),
        (lambda: sp.LogNormal(1.0, 1.0, -1.0), "LogNormal.low must be at least 0"),
        (lambda: sp.LogNormal(1.0, 1.0, 1e3), "LogNormal.low and LogNormal.high must leave"),
        (lambda: sp.LogNormal(1.0, 1.0, 0.0, 0.0), "LogNormal.low and LogNormal.high must leave"),
        (lambda: sp.LogNormal(2.0, 1e-17, low=2.0), "LogNormal.low and LogNormal.high must leave"),
        (lambda: sp.LogNormal(1.0, 0.0, high=0.5), "LogNormal.low and LogNormal.high must leave"),
    ],
)
def test_impossible_distributions_are_refused(make, name):
    with pytest.raises(ParameterError, match=re.escape(name)):
        make()


@pytest.mark.parametrize(
    ("distribution", "law"),
    [
        (sp.Normal(3.0, 2.0, 2.0, 6.0), stats.truncnorm(-0.5, 1.5, 3.0, 2.0)),
        (sp.Normal(0.0, 1.0, low=3.0), stats.truncnorm(3.0, np.inf)),
        (sp.Normal(0.0, 1.0, high=0.0), stats.truncnorm(-np.inf, 0.0)),
    ],
)
def test_values_outside_of_the_bounds_are_drawn_again(distribution, law):
    values = distribution.draw(np.random.default_rng(3), N)
    assert len(values) == N
    assert distribution.low <= values.min() and values.max() <= distribution.high
    assert stats.kstest(values, law.cdf).pvalue > 1e-3


def test_a_lognormal_within_bounds_is_a_clipped_normal_in_its_logarithm():
    distribution = sp.LogNormal(3.0, 2.0, 1.0, 5.0)
    assert distribution.log_sd == pytest.approx(np.sqrt(np.log(1 + 4 / 9)))
    assert np.exp(distribution.log_mean + distribution.log_sd**2 / 2) == pytest.approx(3.0)
    values = distribution.draw(np.random.default_rng(4), N)
    assert 1.0 <= values.min() and values.max() <= 5.0
    ends = (np.log([1.0, 5.0]) - distribution.log_mean) / distribution.log_sd
    law = stats.truncnorm(*ends, distribution.log_mean, distribution.log_sd)
    assert stats.kstest(np.log(values), law.cdf).pvalue > 1e-3


def test_bounds_that_meet_no_value_change_no_draw():
    for free, bound in [
        (sp.Normal(3.0, 2.0), sp.Normal(3.0, 2.0, -50.0, 50.0)),
        (sp.LogNormal(3.0, 2.0), sp.LogNormal(3.0, 2.0, 0.0, 1e9)),
    ]:
        a, b = (law.draw(np.random.default_rng(5), 100) for law in (free, bound))
        np.testing.assert_array_equal(a, b)


def test_a_constant_may_lie_on_its_bounds():
    for mean in (0.1, 2.0, 2.9, 87.8):
        for law in (sp.Normal, sp.LogNormal):
            constant = law(mean, 0.0, mean, mean)
            assert constant.draw(np.random.default_rng(0), 3).tolist() == [mean] * 3
            assert constant.limits() == (mean, mean)


def test_limits_are_the_range_that_compact_precision_stores():
    assert sp.Normal(1.0, 2.0).limits() == (-13.0, 15.0)
    assert sp.Normal(-1.0, 2.0, high=0.0).limits() == (-15.0, 0.0)
    assert sp.Uniform(-4.0, 1.0).limits() == (-4.0, 1.0)
    low, high = sp.LogNormal(3.0, 2.0).limits()
    assert stats.norm.cdf(-7.0) == pytest.approx(
        stats.lognorm.cdf(low, np.sqrt(np.log(1 + 4 / 9)), scale=3.0 / np.sqrt(1 + 4 / 9)), rel=1e-9
    )
    assert low * high == pytest.approx(9.0 / (1 + 4 / 9))
    assert sp.LogNormal(3.0, 2.0, 1.0, 5.0).limits() == (1.0, 5.0)
    assert np.isfinite(sp.LogNormal(1e306, 1e306).limits()).all()


def test_a_distribution_of_the_user_needs_draw_alone():
    class Coin(Distribution):
        def draw(self, rng, n):
            return rng.choice([0.0, 1.0], n)

    assert Coin().limits() is None
    values = drawn("LIF.i_ext", Coin(), np.random.default_rng(1), 50)
    assert set(values) == {0.0, 1.0}


numbers = st.floats(-1e6, 1e6, allow_subnormal=False)
spreads = st.one_of(st.just(0.0), st.floats(1e-9, 1e6))
bounds = st.one_of(st.floats(-1e6, 1e6), st.sampled_from([-np.inf, np.inf, 0.0]))


@given(st.sampled_from([sp.Normal, sp.LogNormal]), numbers, spreads, bounds, bounds)
@settings(max_examples=300, deadline=None)
def test_what_is_accepted_can_be_drawn_within_its_limits(law, mean, sd, low, high):
    try:
        distribution = law(mean, sd, low, high)
    except ParameterError as error:
        assert law.__name__ in str(error)
        return
    values = distribution.draw(np.random.default_rng(0), 20)
    assert np.all((values >= low) & (values <= high))
    least, largest = distribution.limits()
    assert least <= largest
    rounding = 1e-12 * abs(mean)
    assert np.all((values >= least - rounding) & (values <= largest + rounding))


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
