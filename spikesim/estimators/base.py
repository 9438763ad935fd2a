"""What all estimators that train a network share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import Any

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from spikesim import _check
from spikesim.errors import ParameterError
from spikesim.estimators.files import Saveable
from spikesim.estimators.parameters import NestedParameters
from spikesim.layered import LayeredNetwork, forward
from spikesim.learning import default_readout, fit
from spikesim.learning.inputs import checked_encoder

__all__ = ["NetworkEstimator"]

# Samples that are run at once; bounds the memory of a prediction.
_AT_ONCE = 1000
# What the streams of random numbers are for.
_WEIGHTS, _TRAINING, _PREDICTION, _PARTIAL = range(4)


class NetworkEstimator(Saveable, NestedParameters):
    """Base of the estimators that train a layered network.

    A subclass makes encoder, rule and network from its parameters, and turns labels into what
    the rule learns and scores into predictions.
    """

    random_state: Any
    rule: Any
    learning_rate: Any
    epochs: Any
    batch_size: Any
    verbose: Any

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
        return self.rule

    def _rate(self, default: float) -> float:
        return default if self.learning_rate is None else self.learning_rate

    def _begin(self, X: np.ndarray, n_outputs: int) -> None:
        """Draw seeds; make encoder, rule and network."""
        draws = check_random_state(self.random_state).randint(0, 2**32, size=4, dtype=np.uint32)
        self._entropy = tuple(int(draw) for draw in draws)
        self.rule_ = self._chosen_rule()
        self.encoder_ = checked_encoder(
            f"{type(self).__name__}.encoder", self._value_of("encoder")
        ).fit(X)
        n_inputs = self.encoder_.n_inputs(X.shape[1])
        rng = np.random.default_rng(self._stream(_WEIGHTS))
        self.network_ = self._made_network(n_inputs, n_outputs, rng)
        self.n_iter_ = 0
        self._state: Any = None

    def _stream(self, *key: int) -> np.random.SeedSequence:
        return np.random.SeedSequence(self._entropy, spawn_key=key)

    def _fit(self, X: np.ndarray, answers: np.ndarray, n_outputs: int, **keywords: Any) -> None:
        """Train a new network."""
        verbose = _check.boolean(f"{type(self).__name__}.verbose", self.verbose)
        self._begin(X, n_outputs)
        result = fit(
            self.network_,
            self.rule_,
            X,
            answers,
            encoder=self.encoder_,
            epochs=self.epochs,
            batch_size=self.batch_size,
            seed=self._stream(_TRAINING),
            progress=verbose,
            **keywords,
        )
        self.network_ = result.network
        self.history_ = result.history
        self.n_iter_ = result.history.n_epochs

    def _fit_once_more(self, X: np.ndarray, answers: np.ndarray) -> None:
        """Train the network for one epoch of the samples given."""
        rng = np.random.default_rng(self._stream(_PARTIAL, self.n_iter_))
        network, state = self.network_, self._state
        if state is None:
            state = self.rule_.init(network)
        n = len(X)
        name = f"{type(self).__name__}.batch_size"
        size = n if self.batch_size is None else _check.integer(name, self.batch_size, minimum=1)
        order = rng.permutation(n)
        for start in range(0, n, size):
            chosen = order[start : start + size]
            x = self.encoder_.encode(X[chosen], dt=network.dt, rng=rng)
            network, state, _ = self.rule_.step(network, state, x, answers[chosen])
        self.network_, self._state = network, state
        self.n_iter_ += 1

    def _readout(self) -> Any:
        readout = getattr(self.rule_, "readout", None)
        return default_readout(self.network_.layers[-1]) if readout is None else readout

    def _scores(self, X: Any) -> np.ndarray:
        """Return what the readout makes of samples, shape (n_samples, n_outputs)."""
        check_is_fitted(self, "network_")
        X = validate_data(self, X, dtype=np.float64, reset=False)
        network, readout = self.network_, self._readout()
        rng = np.random.default_rng(self._stream(_PREDICTION))
        scores = []
        for start in range(0, len(X), _AT_ONCE):
            x = self.encoder_.encode(X[start : start + _AT_ONCE], dt=network.dt, rng=rng)
            trace = forward(network, x)[-1]
            scores.append(readout.scores(trace, network.layers[-1], network.dt))
        return np.concatenate(scores)


def hidden_sizes(name: str, value: Any) -> list[int]:
    """Return the sizes of hidden layers, given one by one or a single number."""
    values = [value] if isinstance(value, (int, np.integer)) else value
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise ParameterError(f"{name} must be a number or a tuple of numbers, got {value!r}")
    return [_check.integer(f"{name}[{i}]", n, minimum=1) for i, n in enumerate(values)]
