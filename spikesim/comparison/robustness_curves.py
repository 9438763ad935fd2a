"""How well a trained network answers when something about it, or about its input, is off."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from spikesim import _check
from spikesim.comparison import perturbations
from spikesim.encoding import SpikeTrains
from spikesim.errors import ParameterError, ParameterTypeError
from spikesim.layered import LayeredNetwork, SpikeTimes
from spikesim.layered.forward import run
from spikesim.learning.inputs import checked_encoder, checked_features, checked_labels, encoded
from spikesim.learning.progress import Progress
from spikesim.learning.readouts import default_readout

__all__ = ["PERTURBATIONS", "Curve", "Perturbation", "robustness"]

# Samples that are run at once, which bounds the memory.
_AT_ONCE = 1000


class Perturbation(NamedTuple):
    """A kind of perturbation.

    Attributes
    ----------
    apply : callable
        A function of :mod:`spikesim.comparison.perturbations`.
    of : {"network", "input", "grid"}
        What it changes.
    strengths : tuple of float
        Strengths by default, from the one that changes nothing.
    unit : str
        What a strength is.
    draws : bool
        Whether it draws.
    """

    apply: Callable[..., Any]
    of: str
    strengths: tuple[float, ...]
    unit: str
    draws: bool = True


_SHARES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
# Draws go with the place in this table: what is new comes last.
PERTURBATIONS: dict[str, Perturbation] = {
    "weight_noise": Perturbation(
        perturbations.weight_noise, "network", _SHARES, "standard deviation over weight"
    ),
    "dead_units": Perturbation(
        perturbations.dead_units, "network", _SHARES, "share of hidden units"
    ),
    "quantisation": Perturbation(
        perturbations.quantised, "network", (0, 8, 6, 5, 4, 3, 2, 1), "bits", draws=False
    ),
    "spike_jitter": Perturbation(
        perturbations.spike_jitter, "input", (0.0, 1.0, 2.0, 5.0, 10.0), "standard deviation (ms)"
    ),
    "spike_deletion": Perturbation(
        perturbations.spike_deletion, "input", _SHARES, "share of input spikes"
    ),
    "tau_mismatch": Perturbation(
        perturbations.tau_mismatch, "network", (0.0, 0.05, 0.1, 0.2), "largest relative deviation"
    ),
    "threshold_noise": Perturbation(
        perturbations.threshold_noise, "network", (0.0, 0.05, 0.1, 0.2, 0.3),
        "relative standard deviation",
    ),
    "time_step": Perturbation(
        perturbations.with_time_step, "grid", (1.0, 0.1, 2.0), "new step over old", draws=False
    ),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Curve:
    """Accuracy over the strength of a perturbation.

    Attributes
    ----------
    kind : str
        Name of the perturbation.
    strengths : ndarray, shape (n_strengths,)
        Strengths, in the unit of :data:`PERTURBATIONS`.
    accuracy : ndarray, shape (n_strengths, n_draws)
        Share of samples answered right. Draw d of all strengths, and of all networks with equal
        shapes that were given the same seed, is the same. A single column where nothing is drawn.
    """

    kind: str
    strengths: np.ndarray
    accuracy: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """Mean over the draws, shape (n_strengths,)."""
        return self.accuracy.mean(axis=1)

    @property
    def areas(self) -> np.ndarray:
        """Area under the curve of each draw, shape (n_draws,), see :attr:`area`."""
        at = _places(self.kind, self.strengths)
        order = np.argsort(at, kind="stable")
        at, heights = at[order], self.accuracy[order]
        if at[0] == at[-1]:
            return heights.mean(axis=0)
        return np.trapezoid(heights, at, axis=0) / (at[-1] - at[0])

    @property
    def area(self) -> float:
        """Area under the mean curve over the range of strengths: its mean height, at most 1.

        Strengths are laid out as they are, but for bits, by one over their number, and time steps,
        by their logarithm.
        """
        return float(self.areas.mean())


@_check.suggest_keywords
def robustness(
    network: LayeredNetwork,
    features: Any,
    labels: Any,
    *,
    kinds: Mapping[str, Sequence[float]] | Iterable[str] | None = None,
    readout: Any = None,
    encoder: Any = None,
    n_draws: int = 20,
    seed: Any = 0,
    progress: Any = None,
) -> dict[str, Curve]:
    """Perturb a trained network, without training it again, and measure how well it answers.

    Parameters
    ----------
    network : LayeredNetwork
        Trained; never modified.
    features : array_like, shape (n_samples, n_features)
        Samples.
    labels : array_like of int, shape (n_samples,)
        Their classes.
    kinds : mapping of str to sequence of float, or iterable of str, optional
        Which of :data:`PERTURBATIONS`, with their strengths; by default all that can be done to
        this network and input, each with its own.
    readout : Readout, optional
        How the output is turned into decisions; by default the usual one of the output layer.
    encoder : Encoder, optional
        Fitted already; by default :class:`~spikesim.encoding.Analog`.
    n_draws : int, default 20
        Draws of each perturbation.
    seed : int, SeedSequence or Generator, default 0
        Source of all draws, those of a stochastic encoder too, which encodes samples once.
    progress : bool or callable, optional
        As in :func:`~spikesim.fit`.

    Returns
    -------
    dict of str to Curve
        By the name of the perturbation.

    Raises
    ------
    ParameterError
        A perturbation that is not known or cannot be done here, or a strength outside its range;
        a time step that the encoder cannot take, such as one that does not divide its duration.

    Examples
    --------
    >>> import spikesim as sp
    >>> network, data = sp.dense([4, 8, 3], sp.Sigmoid(), rng=0), sp.datasets.iris()
    >>> found = sp.comparison.robustness(
    ...     network, data.features, data.labels, kinds={"weight_noise": [0.0, 0.2]}, n_draws=3
    ... )
    >>> found["weight_noise"].accuracy.shape
    (2, 3)
    """
    _check.instance("robustness.network", network, LayeredNetwork, "a LayeredNetwork")
    readout = default_readout(network.layers[-1]) if readout is None else readout
    if isinstance(readout, type) or not hasattr(readout, "decide"):
        raise ParameterTypeError(f"robustness.readout must be a readout, got {readout!r}")
    readout.check(network.layers[-1])
    encoder = checked_encoder("robustness.encoder", encoder)
    table = checked_features("robustness.features", features)
    classes = checked_labels("robustness.labels", labels, len(table), network)
    n_draws = _check.integer("robustness.n_draws", n_draws, minimum=1)
    task = _Task(network, readout, encoder, _check.seed_sequence("robustness.seed", seed))
    wanted = _wanted(kinds, task.able(table[:1]))
    right = {
        kind: np.zeros((len(strengths), n_draws if PERTURBATIONS[kind].draws else 1), np.int64)
        for kind, strengths in wanted.items()
    }
    starts = range(0, len(table), _AT_ONCE)
    total = len(starts) * sum(counts.size for counts in right.values())
    done = 0
    with Progress("robustness.progress", progress, total, "draw") as bar:
        for start in starts:
            piece = _Piece(task, table, classes, start)
            for kind, strengths in wanted.items():
                for s, strength in enumerate(strengths):
                    for draw in range(right[kind].shape[1]):
                        right[kind][s, draw] += piece.n_right(kind, strength, draw)
                        done += 1
                        bar.update(done)
    return {
        kind: Curve(kind, np.array(strengths, dtype=np.float64), right[kind] / len(table))
        for kind, strengths in wanted.items()
    }


class _Task(NamedTuple):
    """What is the same for all samples."""

    network: LayeredNetwork
    readout: Any
    encoder: Any
    sequence: np.random.SeedSequence

    def rng(self, *place: int) -> np.random.Generator:
        """Return the stream that belongs to a place."""
        source = self.sequence
        key = (*source.spawn_key, *place)
        return np.random.default_rng(
            np.random.SeedSequence(source.entropy, spawn_key=key, pool_size=source.pool_size)
        )

    def encoded(self, network: LayeredNetwork, rows: np.ndarray, start: int) -> Any:
        """Return samples as input of `network`, drawn alike on every call."""
        return encoded("robustness.features", self.encoder, rows, network, self.rng(0, start))

    def on_grid(self, network: LayeredNetwork, rows: np.ndarray, start: int, factor: float) -> Any:
        """Return samples as input of a network whose time step is `factor` times as long."""
        if isinstance(self.encoder, SpikeTrains):
            return perturbations.on_time_step(self.encoded(self.network, rows, start), factor)
        return self.encoded(network, rows, start)

    def able(self, rows: np.ndarray) -> list[str]:
        """Return the perturbations that can be done to this network and its input."""
        network, x = self.network, self.encoded(self.network, rows, 0)
        trains = isinstance(x, SpikeTimes) or (
            network.layers[0].neuron.spiking and np.isin(x, (0.0, 1.0)).all()
        )
        cannot = set()
        if len(network.layers) == 1:
            cannot.add("dead_units")
        if not trains:
            cannot |= {"spike_jitter", "spike_deletion"}
        if not trains or network.continuous:
            cannot.add("time_step")
        return [kind for kind in PERTURBATIONS if kind not in cannot]


class _Piece:
    """Some samples, encoded."""

    def __init__(self, task: _Task, table: np.ndarray, classes: np.ndarray, start: int):
        self.task, self.start = task, start
        self.rows = table[start : start + _AT_ONCE]
        self.classes = classes[start : start + _AT_ONCE]
        self.x = task.encoded(task.network, self.rows, start)
        self.unperturbed: int | None = None

    def n_right(self, kind: str, strength: float, draw: int) -> int:
        """Return how many samples are answered right under one perturbation."""
        task, perturbation = self.task, PERTURBATIONS[kind]
        if strength == perturbation.strengths[0]:
            if self.unperturbed is None:
                self.unperturbed = self._n_right(task.network, self.x)
            return self.unperturbed
        network, x = task.network, self.x
        place = (1 + list(PERTURBATIONS).index(kind), draw)
        if perturbation.of == "input":
            options = {"dt": network.dt} if kind == "spike_jitter" else {}
            x = perturbation.apply(x, strength, task.rng(*place, self.start), **options)
        elif perturbation.of == "grid":
            network = perturbation.apply(network, strength)
            x = task.on_grid(network, self.rows, self.start, strength)
        elif perturbation.draws:
            network = perturbation.apply(network, strength, task.rng(*place))
        else:
            network = perturbation.apply(network, strength)
        return self._n_right(network, x)

    def _n_right(self, network: LayeredNetwork, x: Any) -> int:
        readout, layer = self.task.readout, network.layers[-1]
        scores = readout.scores(run(network, x)[-1], layer, network.dt)
        return int(np.sum(readout.decide(scores, layer) == self.classes))


def _wanted(kinds: Any, able: list[str]) -> dict[str, list[float]]:
    """Return the strengths of each perturbation that is asked for, checked."""
    if kinds is None:
        kinds = able
    if isinstance(kinds, str) or not isinstance(kinds, Iterable):
        raise ParameterTypeError(
            "robustness.kinds must be names such as ['weight_noise'], or strengths by name, got "
            f"{_check._show(kinds)}"
        )
    wanted: dict[str, list[float]] = {}
    for kind in kinds:
        _check.choice("robustness.kinds", kind, tuple(PERTURBATIONS))
        if kind not in able:
            raise ParameterError(
                f"robustness.kinds: {kind!r} cannot be done to this network and its input"
            )
        given = kinds[kind] if isinstance(kinds, Mapping) else PERTURBATIONS[kind].strengths
        name = f"robustness.kinds[{kind!r}]"
        array = _check.float_array(name, given)
        _check.shape(name, array, (None,))
        if len(array) == 0:
            raise ParameterError(f"{name} must hold at least one strength")
        if kind == "quantisation":
            array = np.array([_check.integer(name, value, minimum=0) for value in given])
        wanted[kind] = array.tolist()
    return wanted


def _places(kind: str, strengths: np.ndarray) -> np.ndarray:
    """Return where strengths lie on the axis under the curve."""
    if kind == "quantisation":
        return np.divide(1.0, strengths, out=np.zeros_like(strengths), where=strengths > 0.0)
    return np.log(strengths) if kind == "time_step" else strengths
