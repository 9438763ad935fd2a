"""Encoders as transformers."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from spikesim import _check
from spikesim.estimators.files import Saveable
from spikesim.estimators.parameters import NestedParameters, checked_data
from spikesim.estimators.spiking import default_encoder

__all__ = ["EncoderTransformer"]

_OUTPUTS = ("spikes", "counts", "first_spikes")


@_check.suggest_keywords
class EncoderTransformer(Saveable, TransformerMixin, NestedParameters):
    """Turns features into spike trains, laid out in one row for each sample.

    A row of spikes holds all lines at the first step, then those at the second, and so on, as
    :class:`~spikesim.encoding.SpikeTrains` reads them: a spiking estimator may follow in a
    pipeline, and so may anything else that takes a table.

    Parameters
    ----------
    encoder : Encoder, optional
        Any encoder; by default ``PopulationEncoder(n_fields=3, duration=20, t_max=12)``. Its
        fields are parameters too: ``encoder__n_fields``.
    dt : float, default 1
        Time step (ms).
    output : {"spikes", "counts", "first_spikes"}, default "spikes"
        Zeros and ones for each step and line; or, for each line, the number of its spikes, or the
        time of its first one (ms), the length of the trial if it has none.
    sparse_output : bool, default False
        Return a sparse matrix (CSR).
    random_state : int, RandomState or None, default None
        Source of a random code, drawn once in :meth:`fit`: equal samples in equal rows get equal
        spikes in every call.

    Attributes
    ----------
    encoder_ : Encoder
        Fitted to the training samples.
    n_lines_ : int
        Number of lines.
    n_steps_ : int
        Number of steps in a trial.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of str
        Their names, where the samples had some.
    """

    def __init__(
        self,
        encoder: Any = None,
        *,
        dt: float = 1.0,
        output: str = "spikes",
        sparse_output: bool = False,
        random_state: Any = None,
    ):
        self.encoder = encoder
        self.dt = dt
        self.output = output
        self.sparse_output = sparse_output
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Any:
        """Learn the range of the features.

        Parameters
        ----------
        X : array_like, shape (n_samples, n_features)
            Training samples.
        y : object, optional
            Not used.

        Returns
        -------
        self
        """
        X = checked_data(self, X)
        _check.choice("EncoderTransformer.output", self.output, _OUTPUTS)
        _check.boolean("EncoderTransformer.sparse_output", self.sparse_output)
        draws = check_random_state(self.random_state).randint(0, 2**32, size=4, dtype=np.uint32)
        self._entropy = tuple(int(draw) for draw in draws)
        self.encoder_ = self._value_of("encoder").fit(X)
        self.n_steps_, _, self.n_lines_ = self._encoded(X[:1]).shape
        return self

    def transform(self, X: Any) -> Any:
        """Return the spikes of each sample, or their counts or first times.

        Parameters
        ----------
        X : array_like, shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray or sparse matrix, shape (n_samples, n_steps * n_lines) or (n_samples, n_lines)
        """
        check_is_fitted(self)
        X = checked_data(self, X, reset=False)
        spikes = self._encoded(X)
        if self.output == "counts":
            table = spikes.sum(axis=0)
        elif self.output == "first_spikes":
            silent = ~spikes.any(axis=0)
            table = np.where(silent, len(spikes), spikes.argmax(axis=0)) * float(self.dt)
        else:
            table = spikes.transpose(1, 0, 2).reshape(len(X), -1)
        if self.sparse_output:
            from scipy.sparse import csr_matrix

            return csr_matrix(table)
        return table

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return a name for each column: feature, number of its line, and step of the spike.

        Parameters
        ----------
        input_features : array_like of str, optional
            Names of the features; by default those seen in :meth:`fit`, else x0, x1 and so on.

        Returns
        -------
        ndarray of str
        """
        check_is_fitted(self)
        features = _check_feature_names_in(self, input_features)
        with_bias = bool(getattr(self.encoder_, "bias_spike", False))
        share, rest = divmod(self.n_lines_ - with_bias, len(features))
        if rest:
            lines = [f"line{i}" for i in range(self.n_lines_)]
        elif share == 1:
            lines = [*features, *["bias"] * with_bias]
        else:
            lines = [f"{name}_{i}" for name in features for i in range(share)]
            lines += ["bias"] * with_bias
        if self.output == "spikes":
            lines = [f"{line}_step{k}" for k in range(self.n_steps_) for line in lines]
        return np.array(lines, dtype=object)

    def _default_of(self, name: str) -> Any:
        return default_encoder() if name == "encoder" else None

    def _encoded(self, X: np.ndarray) -> np.ndarray:
        return self.encoder_.encode(X, dt=self.dt, rng=np.random.default_rng(self._entropy))
