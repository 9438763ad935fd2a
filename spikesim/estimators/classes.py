"""What all classifiers share: classes in, classes and probabilities out."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets

from spikesim.errors import ParameterError, ParameterTypeError
from spikesim.estimators.base import NetworkEstimator
from spikesim.estimators.parameters import checked_data
from spikesim.learning import CrossEntropy, RateOutput
from spikesim.neurons import Sigmoid

__all__ = ["NetworkClassifier", "ProbabilisticClassifier"]


def _has_probabilities(estimator: Any) -> bool:
    rule = estimator.rule_ if hasattr(estimator, "result_") else estimator.rule
    return rule is None or isinstance(getattr(rule, "loss", None), CrossEntropy)


class NetworkClassifier(ClassifierMixin, NetworkEstimator):
    """Classes in, classes out."""

    # Whether two classes share one output unit.
    _single_output = False

    def fit(self, X: Any, y: Any) -> Any:
        """Train a new network.

        Parameters
        ----------
        X : array_like, shape (n_samples, n_features)
            Training samples.
        y : array_like, shape (n_samples,)
            Their classes, numbers or texts, at least two different ones.

        Returns
        -------
        self
        """
        X, y = checked_data(self, X, y)
        self._check_labels(y)
        self.classes_, labels = self._at_least_two(*np.unique(y, return_inverse=True))
        labels = labels.astype(np.int64)
        self._fit(X, labels, self._n_outputs(), self.epochs, **self._fit_keywords())
        return self

    def partial_fit(self, X: Any, y: Any, classes: Any = None) -> Any:
        """Train for one epoch of the samples given, from where the training stands.

        The first call makes network, rule and encoder, which learns the range of the features
        from its samples; parameters that are set later are for :meth:`fit`, which starts anew.

        Parameters
        ----------
        X : array_like, shape (n_samples, n_features)
            Samples.
        y : array_like, shape (n_samples,)
            Their classes.
        classes : array_like, optional
            All classes that any call will see; needed in the first call, unless :meth:`fit`
            came before.

        Returns
        -------
        self
        """
        first = not hasattr(self, "result_")
        X, y = checked_data(self, X, y, reset=first)
        self._check_labels(y)
        name = f"{type(self).__name__}.partial_fit"
        if first:
            if classes is None:
                raise ParameterError(f"{name}: classes must be given in the first call")
            known, _ = self._at_least_two(np.unique(classes), None)
        else:
            known = self.classes_
            if classes is not None and not np.array_equal(np.unique(classes), known):
                raise ParameterError(f"{name}: classes must be those of the first call, {known}")
        labels = np.minimum(np.searchsorted(known, y), len(known) - 1)
        other = known[labels] != y
        if np.any(other):
            raise ParameterError(
                f"{name}: y holds {y[other][0]}, which is none of the classes: "
                f"{', '.join(map(str, known))}"
            )
        labels = labels.astype(np.int64)
        if first:
            self.classes_ = known
            self._fit(X, labels, self._n_outputs(), 1)
        else:
            self._fit_further(X, labels)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return the class of each sample, shape (n_samples,).

        Parameters
        ----------
        X : array_like, shape (n_samples, n_features)
            Samples.
        """
        scores = self._scores(X)
        return self.classes_[self.result_.readout.decide(scores, self.network_.layers[-1])]

    def decision_function(self, X: Any) -> np.ndarray:
        """Return how much speaks for each class, in the unit of the readout.

        Parameters
        ----------
        X : array_like, shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray, shape (n_samples,) for two classes, else (n_samples, n_classes)
            For two classes, positive values speak for the second.
        """
        scores = self._scores(X)
        if scores.shape[1] == 1:
            return scores[:, 0] - self.result_.readout.threshold_of(self.network_.layers[-1])
        return scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores

    def _n_outputs(self) -> int:
        return 1 if self._single_output and len(self.classes_) == 2 else len(self.classes_)

    def _fit_keywords(self) -> dict[str, Any]:
        return {}

    def _check_labels(self, y: np.ndarray) -> None:
        kinds = {
            "text" if isinstance(label, str) else "number" if isinstance(label, Real) else "other"
            for label in (y.flat if y.dtype == object else ())
        }
        if len(kinds) > 1:
            raise ParameterTypeError(
                f"{type(self).__name__}: y must hold labels of one kind, numbers or texts, not both"
            )
        check_classification_targets(y)

    def _at_least_two(self, classes: np.ndarray, labels: Any) -> tuple[np.ndarray, Any]:
        if len(classes) < 2:
            raise ParameterError(
                f"{type(self).__name__} needs samples of at least two classes, got one class: "
                f"{classes}"
            )
        return classes, labels


class ProbabilisticClassifier(NetworkClassifier):
    """Classifiers whose default rule descends the cross-entropy."""

    @available_if(_has_probabilities)
    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of each class, as the cross-entropy has it.

        Only rules whose loss is the cross-entropy have it. Like those of other networks, these
        probabilities are not calibrated.

        Parameters
        ----------
        X : array_like, shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray, shape (n_samples, n_classes)
            In the order of `classes_`.
        """
        scores = self._scores(X)
        layer = self.network_.layers[-1]
        if isinstance(self.result_.readout, RateOutput) and isinstance(layer.neuron, Sigmoid):
            if scores.shape[1] == 1:
                return np.hstack([1.0 - scores, scores])
            # Each unit has a probability of its own; those of all classes must sum to one.
            total = scores.sum(axis=1, keepdims=True)
            share = np.full_like(scores, 1.0 / scores.shape[1])
            return np.divide(scores, total, out=share, where=total > 0.0)
        scores = self.rule_.loss.scale * scores
        weight = np.exp(scores - scores.max(axis=1, keepdims=True))
        return weight / weight.sum(axis=1, keepdims=True)
