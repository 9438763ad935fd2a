"""Features less their mean, over their standard deviation."""

import numpy as np
import pytest

import spikesim as sp
from spikesim.encoding import Standardised
from spikesim.learning import Backprop

FEATURES = np.array([[1.0, 10.0, 5.0], [3.0, 30.0, 5.0], [5.0, 20.0, 5.0]])


def test_mean_0_and_standard_deviation_1():
    encoder = Standardised().fit(FEATURES)
    x = encoder.encode(FEATURES)
    assert x.shape == (1, 3, 3)
    np.testing.assert_allclose(x[0, :, 0], np.array([-2.0, 0.0, 2.0]) / np.sqrt(8 / 3))
    np.testing.assert_allclose(x.mean(axis=1), 0.0, atol=1e-15)
    np.testing.assert_allclose(x[0, :, :2].std(axis=0), 1.0)
    assert not x[0, :, 2].any(), "a feature that never varied"
    assert encoder.n_inputs(3) == 3 and not encoder.stochastic


def test_new_samples_are_scaled_as_the_first_ones_were():
    encoder = Standardised().fit(FEATURES)
    np.testing.assert_allclose(encoder.encode([[3.0, 20.0, 6.0]]), [[[0.0, 0.0, 1.0]]])
    assert encoder.fit(FEATURES + 1.0).mean.tolist() == encoder.mean.tolist()


def test_what_rounding_leaves_of_a_constant_is_no_scale():
    constant = np.full((7, 1), 0.1) * 3.0
    assert Standardised().fit(constant).scale.tolist() == [1.0]


def test_what_is_given_is_kept():
    encoder = Standardised(mean=1.0, scale=[1.0, 2.0, 4.0]).fit(FEATURES)
    assert encoder.encode([[2.0, 3.0, 5.0]]).tolist() == [[[1.0, 1.0, 1.0]]]


def test_it_trains():
    network = sp.dense([2, 4, 1], sp.Tanh(), rng=0)
    features = 1000.0 + np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    encoder = Standardised()
    result = sp.fit(network, Backprop(), features, [0, 1, 1, 1], encoder=encoder, seed=0)
    assert result.score(features, [0, 1, 1, 1]) == 1.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Standardised().encode(FEATURES), r"mean and Standardised\.scale are not known"),
        (lambda: Standardised().fit(FEATURES).encode([[1.0]]), r"has 1 features.*mean has 3"),
        (lambda: Standardised(scale=0.0), r"Standardised\.scale must be greater than 0"),
        (lambda: Standardised(scale=[1.0, -1.0]), r"Standardised\.scale\[1\] must be greater"),
        (lambda: Standardised(mean=[[1.0]]), r"Standardised\.mean must be a number or"),
        (lambda: Standardised().fit(np.empty((0, 2))), r"at least one sample"),
        (lambda: Standardised().fit([[1e308], [1.7e308], [1.7e308]]), r"too large for double"),
        (lambda: Standardised().fit([[np.nan]]), r"Standardised\.features"),
    ],
)
def test_what_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
