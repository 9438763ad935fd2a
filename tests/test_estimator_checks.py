"""Every check that scikit-learn has for estimators, none expected to fail and none left out."""

import pytest
from numba import config
from sklearn.utils.estimator_checks import parametrize_with_checks

from spikesim.encoding import PopulationEncoder
from spikesim.estimators import (
    EncoderTransformer,
    RateClassifier,
    SpikingClassifier,
    SpikingRegressor,
    ThresholdClassifier,
)

SPIKING: dict = {}
RATE: dict = {}
if config.DISABLE_JIT:
    encoder = PopulationEncoder(n_fields=3, duration=6.0, t_max=4.0)
    SPIKING = {"encoder": encoder, "learning_rate": 0.05, "epochs": 4, "hidden_layer_sizes": 6}
    RATE = {"learning_rate": 0.05, "epochs": 10, "hidden_layer_sizes": 8}


@pytest.fixture(autouse=True)
def _array_api(monkeypatch):
    # The check of arrays from other libraries is skipped unless this is said.
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")


@parametrize_with_checks(
    [
        SpikingClassifier(**SPIKING),
        SpikingRegressor(**SPIKING),
        RateClassifier(**RATE),
        ThresholdClassifier(),
        ThresholdClassifier(3),
        EncoderTransformer(),
        EncoderTransformer(output="first_spikes"),
    ]
)
def test_it_is_an_estimator(estimator, check):
    check(estimator)
