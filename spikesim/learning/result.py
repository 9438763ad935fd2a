"""A trained network: what it predicts, how well, and as a file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from spikesim import _check
from spikesim._archive import read_archive, write_archive
from spikesim.errors import DamagedFileError, ParameterError, ParameterTypeError
from spikesim.layered.forward import run
from spikesim.layered.network import LayeredNetwork
from spikesim.learning.history import History
from spikesim.learning.inputs import (
    checked_encoder,
    checked_features,
    checked_labels,
    packed,
    takes_targets,
)
from spikesim.learning.packing import pack, unpack
from spikesim.learning.readouts import default_readout

__all__ = [
    "FitResult",
    "Standing",
    "copied",
    "evaluate",
    "load_fit",
    "seed_of",
    "seed_parts",
    "streams",
]

_KIND = "trained network"
_VERSION = 1
# Samples that are run at once, which bounds the memory of a prediction.
_AT_ONCE = 1000


class Standing(NamedTuple):
    """Where a training stands after a whole epoch: all that it needs to go on to the same bits.

    Attributes
    ----------
    network : LayeredNetwork
        As it was after the last update.
    state : object
        State of the rule.
    order, encode : dict
        States of the streams for the order and the encoding of the samples.
    best : tuple of (int, LayeredNetwork) or None
        The best epoch and the network after it, under early stopping.
    warned : tuple of int
        Layers that were warned of.
    batch_size : int or None
        As it was given.
    shuffle : bool
        As it was given.
    """

    network: LayeredNetwork
    state: Any
    order: Mapping[str, Any]
    encode: Mapping[str, Any]
    best: tuple[int, LayeredNetwork] | None
    warned: tuple[int, ...]
    batch_size: int | None
    shuffle: bool


@dataclass(frozen=True, eq=False)
class FitResult:
    """A trained network with all that is needed to use it, and to train it further.

    Attributes
    ----------
    network : LayeredNetwork
        With the trained weights: after the last update, or those of the best epoch under
        :class:`~spikesim.learning.EarlyStopping`.
    history : History
        The course of the training.
    rule : LearningRule
        The rule as given.
    encoder : Encoder
        Fitted to the training features.
    readout : Readout
        How the output is turned into decisions.
    seed : SeedSequence
        Reproduces the run when given to :func:`fit`; not used up by it.
    standing : Standing
        From where :func:`~spikesim.learning.partial_fit` goes on.
    """

    network: LayeredNetwork
    history: History
    rule: Any
    encoder: Any
    readout: Any
    seed: np.random.SeedSequence
    standing: Standing

    def __repr__(self) -> str:
        return f"FitResult({self.rule!r} on {self.network!r}: {self.history!r})"

    def predict(self, features: Any, seed: Any = None) -> np.ndarray:
        """Return the class of each row of `features`, shape (n_samples,), int64.

        After a rule that learns real targets use :meth:`scores`, which has the predictions.

        Parameters
        ----------
        features : array_like, shape (n_samples, n_features)
            Samples.
        seed : int, SeedSequence or Generator, optional
            Source of the spikes of a stochastic encoder; by default a stream of its own that
            belongs to the run, the same in every call.
        """
        self._refuse_targets("predict")
        return _predict(
            "FitResult.predict",
            self.network,
            self.readout,
            features,
            self.encoder,
            self._stream(seed),
        )

    def scores(self, features: Any, seed: Any = None) -> np.ndarray:
        """Return what the readout makes of the output, shape (n_samples, n_outputs).

        For a rule that learns real targets this is the prediction.

        Parameters
        ----------
        features : array_like, shape (n_samples, n_features)
            Samples.
        seed : int, SeedSequence or Generator, optional
            As in :meth:`predict`.
        """
        return _scores(
            "FitResult.scores",
            self.network,
            self.readout,
            features,
            self.encoder,
            self._stream(seed),
        )

    def score(self, features: Any, labels: Any, seed: Any = None) -> float:
        """Return the share of rows of `features` that get their label, see :meth:`predict`."""
        self._refuse_targets("score")
        return _accuracy(
            "FitResult.score",
            self.network,
            self.readout,
            features,
            labels,
            self.encoder,
            self._stream(seed),
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write all of it to a file, whole or not at all; :func:`load_fit` reads it.

        The file holds no code and no pickle, and every byte is under a checksum.

        Parameters
        ----------
        path : path-like
            The file, replaced if it is there. Its folder must exist.

        Raises
        ------
        ParameterTypeError
            A rule, encoder or readout that is no dataclass, or holds what no file can hold.
        OSError
            It cannot be written.
        """
        path = _check.path("FitResult.save.path", path)
        parts = {name: getattr(self, name) for name in _PARTS}
        parts["seed"] = seed_parts(self.seed)
        packed = pack("FitResult", parts)
        write_archive(path, _KIND, _VERSION, {"parts": packed.tree}, packed.arrays)

    def _refuse_targets(self, method: str) -> None:
        if takes_targets(self.rule):
            raise ParameterError(
                f"FitResult.{method} is for classes, the rule learnt real targets; use scores"
            )

    def _stream(self, seed: Any) -> Any:
        return streams(self.seed)[2] if seed is None else seed


_PARTS = ("network", "history", "rule", "encoder", "readout", "standing")


@_check.suggest_keywords
def load_fit(path: str | os.PathLike[str], *, known: Iterable[type] = ()) -> FitResult:
    """Read a trained network that :meth:`FitResult.save` has written.

    Parameters
    ----------
    path : path-like
        The file.
    known : iterable of type, optional
        Classes of your own that it holds, such as that of its rule. Those of spikesim are known;
        a file can have no others made.

    Returns
    -------
    FitResult
        It predicts, and :func:`~spikesim.learning.partial_fit` continues it, to the same bits as
        what was saved.

    Raises
    ------
    DamagedFileError
        A file that is damaged, cut off, no trained network, or written by another version.
    ParameterError
        It holds a class that is not known.
    OSError
        It cannot be read.

    Examples
    --------
    >>> import spikesim as sp
    >>> from spikesim.learning import Backprop
    >>> network = sp.dense([2, 4, 1], sp.Sigmoid(), rng=0)
    >>> result = sp.fit(network, Backprop(), [[0.0, 1.0], [1.0, 0.0]], [0, 1], seed=0)
    >>> result.save("trained.fit")
    >>> sp.load_fit("trained.fit").predict([[0.0, 1.0], [1.0, 0.0]])
    array([0, 1])
    """
    path = _check.path("load_fit.path", path)
    archive = read_archive(path, _KIND, _VERSION)
    parts = unpack(path, archive.header.get("parts"), archive.arrays, known)
    try:
        seed = seed_of(parts["seed"])
        return FitResult(seed=seed, **{name: parts[name] for name in _PARTS})
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedFileError(f"{path} holds no trained network: {error}") from error


@_check.suggest_keywords
def evaluate(
    network: LayeredNetwork,
    readout: Any,
    features: Any,
    labels: Any,
    *,
    encoder: Any = None,
    seed: Any = None,
) -> float:
    """Return the share of samples that a network classifies right.

    Parameters
    ----------
    network : LayeredNetwork
        What to run.
    readout : Readout or None
        How its output is turned into decisions; None for the usual one of the output layer.
    features : array_like, shape (n_samples, n_features)
        Samples.
    labels : array_like of int, shape (n_samples,)
        Their classes.
    encoder : Encoder, optional
        Fitted already; by default :class:`~spikesim.encoding.Analog`.
    seed : int, SeedSequence or Generator, optional
        Source of the spikes of a stochastic encoder.
    """
    _check.instance("evaluate.network", network, LayeredNetwork, "a LayeredNetwork")
    if readout is None:
        readout = default_readout(network.layers[-1])
    if isinstance(readout, type) or not hasattr(readout, "decide"):
        raise ParameterTypeError(f"evaluate.readout must be a readout, got {readout!r}")
    readout.check(network.layers[-1])
    encoder = checked_encoder("evaluate.encoder", encoder)
    return _accuracy("evaluate", network, readout, features, labels, encoder, seed)


def streams(sequence: np.random.SeedSequence) -> list[np.random.SeedSequence]:
    """Return the streams for the order, the encoder in training and in evaluation."""
    return copied(sequence).spawn(3)


def copied(sequence: np.random.SeedSequence) -> np.random.SeedSequence:
    """Return an equal sequence that has spawned no children yet."""
    return np.random.SeedSequence(
        sequence.entropy, spawn_key=sequence.spawn_key, pool_size=sequence.pool_size
    )


def seed_parts(sequence: np.random.SeedSequence) -> list[Any]:
    """Return what :func:`seed_of` makes an equal sequence of, for a file."""
    entropy: Any = sequence.entropy
    if not isinstance(entropy, int):
        entropy = [int(word) for word in np.ravel(entropy)]
    return [entropy, [int(word) for word in sequence.spawn_key], sequence.pool_size]


def seed_of(parts: list[Any]) -> np.random.SeedSequence:
    """Return the sequence that :func:`seed_parts` took apart."""
    entropy, spawn_key, pool_size = parts
    return np.random.SeedSequence(entropy, spawn_key=tuple(spawn_key), pool_size=pool_size)


def _accuracy(
    name: str,
    network: LayeredNetwork,
    readout: Any,
    features: Any,
    labels: Any,
    encoder: Any,
    seed: Any,
) -> float:
    decisions = _predict(name, network, readout, features, encoder, seed)
    classes = checked_labels(f"{name}.labels", labels, len(decisions), network)
    return float(np.mean(decisions == classes))


def _predict(
    name: str, network: LayeredNetwork, readout: Any, features: Any, encoder: Any, seed: Any
) -> np.ndarray:
    scores = _scores(name, network, readout, features, encoder, seed)
    return readout.decide(scores, network.layers[-1])


def _scores(
    name: str, network: LayeredNetwork, readout: Any, features: Any, encoder: Any, seed: Any
) -> np.ndarray:
    table = checked_features(f"{name}.features", features)
    rng = np.random.default_rng(copied(_check.seed_sequence(f"{name}.seed", seed)))
    scores = []
    for start in range(0, len(table), _AT_ONCE):
        piece = table[start : start + _AT_ONCE]
        x = packed(f"{name}.features", encoder, piece, network, rng)
        scores.append(readout.scores(run(network, x)[-1], network.layers[-1], network.dt))
    return np.concatenate(scores)
