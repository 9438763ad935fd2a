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
REGRESSION: dict = {}
RATE: dict = {}
THRESHOLD: dict = {}
if config.DISABLE_JIT:
    encoder = PopulationEncoder(n_fields=2, duration=10.0, t_max=6.0)
    SPIKING = {"hidden_layer_sizes": 6, "encoder": encoder, "dt": 2.0, "gain": 9.0, "epochs": 4}
    REGRESSION = {**SPIKING, "learning_rate": 0.2, "batch_size": 8}
    SPIKING = {**SPIKING, "learning_rate": 0.1, "batch_size": 16}
    RATE = {"hidden_layer_sizes": 8, "learning_rate": 0.05, "epochs": 10}
    THRESHOLD = {"epochs": 20}


@pytest.fixture(autouse=True)
def _array_api(monkeypatch):
    # The check of arrays from other libraries is skipped unless this is said.
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")


@parametrize_with_checks(
    [
        SpikingClassifier(**SPIKING),
        SpikingRegressor(**REGRESSION),
        RateClassifier(**RATE),
        ThresholdClassifier(**THRESHOLD),
        ThresholdClassifier(3, **THRESHOLD),
        EncoderTransformer(),
        EncoderTransformer(output="first_spikes"),
    ]
)
def test_it_is_an_estimator(estimator, check):
    check(estimator)
