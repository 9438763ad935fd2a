"""What all estimators that train a network share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import Any

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from spikesim import _check
from spikesim.errors import ParameterError
from spikesim.estimators.files import Saveable
from spikesim.estimators.parameters import NestedParameters, checked_data
from spikesim.layered import LayeredNetwork
from spikesim.learning import FitResult, History, fit, partial_fit
from spikesim.learning.inputs import check_rule, checked_encoder

__all__ = ["NetworkEstimator"]

# What the streams of random numbers are for.
_WEIGHTS, _TRAINING = range(2)


class NetworkEstimator(Saveable, NestedParameters):
    """Base of the estimators that train a layered network.

    A subclass makes rule and network from its parameters, and turns labels into what the rule
    learns and scores into predictions. All that was learnt is in `result_`.
    """

    encoder: Any
    random_state: Any
    rule: Any
    learning_rate: Any
    epochs: Any
    batch_size: Any
    verbose: Any
    result_: FitResult

    @property
    def network_(self) -> LayeredNetwork:
        """The trained network."""
        return self.result_.network

    @property
    def history_(self) -> History:
        """The course of the training."""
        return self.result_.history

    @property
    def encoder_(self) -> Any:
        """The encoder, fitted to the training samples."""
        return self.result_.encoder

    @property
    def rule_(self) -> Any:
        """The rule that was used."""
        return self.result_.rule

    @property
    def n_iter_(self) -> int:
        """Number of epochs that were run."""
        return self.result_.history.n_epochs

    @abstractmethod
    def _made_network(self, n_inputs: int, n_outputs: int, rng: Any) -> LayeredNetwork:
        """Return the network before training."""

    @abstractmethod
    def _made_rule(self) -> Any:
        """Return the rule to use where none is given."""

    def _chosen_rule(self) -> Any:
        if self.rule is None:
            return self._made_rule()
        if self.learning_rate is not None:
            raise ParameterError(
                f"{type(self).__name__}.learning_rate is that of the default rule, and another "
                "rule is given; give the rate to the rule"
            )
        check_rule(f"{type(self).__name__}.rule", self.rule)
        return self.rule

    def _rate(self, default: float) -> float:
        return default if self.learning_rate is None else self.learning_rate

    def _fit(
        self, X: np.ndarray, answers: np.ndarray, n_outputs: int, epochs: Any, **keywords: Any
    ) -> None:
        """Train a new network."""
        name = type(self).__name__
        verbose = _check.boolean(f"{name}.verbose", self.verbose)
        _check.integer(f"{name}.epochs", epochs, minimum=1)
        if self.batch_size is not None:
            _check.integer(f"{name}.batch_size", self.batch_size, minimum=1)
        draws = check_random_state(self.random_state).randint(0, 2**32, size=4, dtype=np.uint32)
        entropy = [int(draw) for draw in draws]
        rule = self._chosen_rule()
        encoder = checked_encoder(f"{name}.encoder", self._value_of("encoder")).fit(X)
        n_inputs = encoder.n_inputs(X.shape[1])
        rng = np.random.default_rng(np.random.SeedSequence(entropy, spawn_key=(_WEIGHTS,)))
        self.result_ = fit(
            self._made_network(n_inputs, n_outputs, rng),
            rule,
            X,
            answers,
            encoder=encoder,
            epochs=epochs,
            batch_size=self.batch_size,
            seed=np.random.SeedSequence(entropy, spawn_key=(_TRAINING,)),
            progress=verbose,
            **keywords,
        )

    def _fit_further(self, X: np.ndarray, answers: np.ndarray) -> None:
        """Train the network for one more epoch, of the samples given."""
        self.result_ = partial_fit(self.result_, X, answers, progress=False)

    def _scores(self, X: Any) -> np.ndarray:
        """Return what the readout makes of samples, shape (n_samples, n_outputs)."""
        check_is_fitted(self, "result_")
        return self.result_.scores(checked_data(self, X, reset=False))


def hidden_sizes(name: str, value: Any) -> list[int]:
    """Return the sizes of hidden layers, given one by one or a single number."""
    values = [value] if isinstance(value, (int, np.integer)) else value
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise ParameterError(f"{name} must be a number or a tuple of numbers, got {value!r}")
    return [_check.integer(f"{name}[{i}]", n, minimum=1) for i, n in enumerate(values)]
