"""Estimators with the interface of scikit-learn.

They go wherever scikit-learn takes an estimator: pipelines, grid searches, cross-validation. What
they hold of spikesim, such as an encoder or a rule, is a parameter whose own fields are parameters
as well: ``encoder__n_fields``, ``rule__optimiser__learning_rate``.

Importing this module imports scikit-learn; ``import spikesim`` alone does not.
"""

from spikesim.estimators.base import NetworkEstimator
from spikesim.estimators.classifiers import RateClassifier, SpikingClassifier, ThresholdClassifier
from spikesim.estimators.regressor import SpikingRegressor
from spikesim.estimators.transformer import EncoderTransformer

__all__ = [
    "EncoderTransformer",
    "NetworkEstimator",
    "RateClassifier",
    "SpikingClassifier",
    "SpikingRegressor",
    "ThresholdClassifier",
]
