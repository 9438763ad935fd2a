r"""A (1+lambda) evolution strategy: mutate all weights, keep the best, use no derivative."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from spikesim import _check
from spikesim.errors import NonFiniteStateError, ParameterError, ParameterTypeError
from spikesim.layered import Layer, LayeredNetwork, Trace
from spikesim.layered.forward import run
from spikesim.learning.base import Metrics
from spikesim.learning.inputs import checked_batch
from spikesim.learning.local import LARGEST_WEIGHT
from spikesim.learning.readouts import default_readout

__all__ = ["Evolution"]

_WANTED_SUCCESS = 0.2
_SHRINK = 0.85
_LARGEST_GROWTH = 10.0


class EvolutionState(NamedTuple):
    """How many steps were made, and the standard deviation of the next mutation."""

    n_steps: int
    sd: float


@_check.suggest_keywords
@dataclass(frozen=True)
class Evolution:
    r"""Try random changes of all weights at once and keep the best one that does no harm.

    With p all trainable arrays of the network together and E the number of errors on the batch,

    .. math::

        p_j &= p + s\,\xi_j, \qquad \xi_j \sim N(0, 1), \quad j = 1 \dots \lambda \\
        p &\leftarrow p_m \;\text{ if } E(p_m) \le E(p), \qquad
        m = \operatorname{argmin}_j E(p_j) \\
        s &\leftarrow s / 0.85 \;\text{ if more than a fifth of the offspring have }
        E(p_j) \le E(p), \quad 0.85\, s \;\text{ if less than a fifth}

    (the first of equal offspring; an exact fifth leaves s as it is). Offspring that make as many
    errors as their parent count as successes, so that a network drifts where the number of
    errors is flat, as it is nearly everywhere, and s settles at the largest changes of which a
    fifth do no harm. It grows to ten times its first value at most: decisions of threshold units
    do not depend on the length of their weights, so nothing else would hold it. Without an error
    on the batch nothing changes. Offspring with a weight beyond 1e100, or whose output overflows,
    are never kept and count as failures.

    *Each synapse must know* one number drawn for it alone, and later one bit that all synapses
    share: kept or taken back. There is no error to pass on and no derivative, so any network can
    be trained, of threshold units too. *The cost* is ``offspring + 1`` forward runs of the batch
    for one step (the parent runs too), one if it makes no error.

    *Works* on small problems such as XOR with a handful of hidden units. *Fails* as the number of
    weights grows, for a random direction is then ever less likely to help: of the rules here it
    is the one to be beaten. Use the whole data set as one batch (``batch_size=None`` of
    :func:`~spikesim.learning.fit`): parent and offspring are compared on the same trials in any
    case, but what helps with a few trials may cost more on all the others.

    Parameters
    ----------
    offspring : int, default 8
        Number :math:`\lambda` of changed copies that are tried, at least 1.
    sd : float, default 0.3
        First standard deviation s of the changes, greater than 0; in the unit of each array
        (for LIF units mV or pA, see :class:`~spikesim.layered.Layer`), so about a third of the
        usual weight is a good choice.
    seed : int, default 0
        Source of the draws, at least 0. Step n draws from ``default_rng((seed, n))``, offspring
        after offspring, from the first layer to the last, each array in the order of
        ``Layer.trainable``. The `seed` of :func:`~spikesim.learning.fit` orders and encodes the
        samples and does not reach these draws: for another course give another seed here.
    readout : Readout, optional
        What says whether a trial is right; by default
        :func:`~spikesim.learning.readouts.default_readout` of the output layer:
        :class:`~spikesim.learning.RateOutput` for rate units (with several Step units the first
        one that fires decides; :class:`~spikesim.learning.NetInput` takes the one furthest above
        its threshold instead), :class:`~spikesim.learning.SpikeCount` for LIF units.

    References
    ----------
    Rechenberg 1973, Evolutionsstrategie, Frommann-Holzboog, for the strategy and the rule of one
    fifth; Schwefel 1981, Numerical Optimization of Computer Models, Wiley, for the factor 0.85.
    """

    offspring: int = 8
    sd: float = 0.3
    seed: int = 0
    readout: Any = None

    def __post_init__(self) -> None:
        _check.integer("Evolution.offspring", self.offspring, minimum=1)
        _check.positive("Evolution.sd", self.sd)
        _check.integer("Evolution.seed", self.seed, minimum=0)
        if self.readout is not None and (
            isinstance(self.readout, type) or not hasattr(self.readout, "scores")
        ):
            raise ParameterTypeError(f"Evolution.readout must be a readout, got {self.readout!r}")

    def init(self, network: LayeredNetwork) -> EvolutionState:
        """Check that there is something to train; return the state before the first step.

        Raises
        ------
        ParameterError
            Nothing to train, or a readout that cannot read the output layer.
        """
        if not any(layer.parameters() for layer in network.layers):
            raise ParameterError(
                "Evolution found nothing to train: name arrays in Layer.trainable of some layer, "
                "such as ('w', 'bias')"
            )
        self.readout_for(network).check(network.layers[-1])
        return EvolutionState(0, float(self.sd))

    def step(
        self, network: LayeredNetwork, state: EvolutionState, x: np.ndarray, labels: np.ndarray
    ) -> tuple[LayeredNetwork, EvolutionState, Metrics]:
        """Try one set of offspring.

        Parameters
        ----------
        network : LayeredNetwork
            The parent; never modified.
        state : EvolutionState
            What :meth:`init` or the previous call returned.
        x : ndarray, shape (n_steps, n_trials, n_inputs)
            Encoded inputs.
        labels : ndarray of int64, shape (n_trials,)
            Class of each trial, from 0.

        Returns
        -------
        network, state, metrics
            The loss is the number of errors of the parent, the norms are those of the change
            that was kept.

        Raises
        ------
        ParameterError, ParameterTypeError
            A batch that `network` cannot take.
        NonFiniteStateError
            A parent whose output overflows, or offspring all of which do or have weights beyond
            1e100.
        """
        x, labels = checked_batch("Evolution", x, labels, network)
        with np.errstate(all="ignore"):
            return self._step(network, state, x, labels)

    def _step(
        self, network: LayeredNetwork, state: EvolutionState, x: np.ndarray, labels: np.ndarray
    ) -> tuple[LayeredNetwork, EvolutionState, Metrics]:
        traces = run(network, x)
        errors = self._n_errors(network, traces, labels)
        if errors == math.inf:
            raise NonFiniteStateError(
                "Evolution: the output of the network overflows; weights or inputs are too large"
            )
        rng = np.random.default_rng((self.seed, state.n_steps))
        best, sd = network, state.sd
        if errors:
            candidates = [_mutated(network, sd, rng) for _ in range(self.offspring)]
            made = [
                math.inf if one is None else self._n_errors(one, run(one, x), labels)
                for one in candidates
            ]
            if min(made) == math.inf:
                raise NonFiniteStateError(
                    f"Evolution: weights or outputs of all offspring diverged at changes of "
                    f"{sd:g}; lower sd"
                )
            kept = candidates[made.index(min(made))]
            if kept is not None and min(made) <= errors:
                best = kept
            n_successes = sum(each <= errors for each in made)
            sd = min(_adapted(sd, n_successes, self.offspring), _LARGEST_GROWTH * self.sd)
        norms = tuple(map(_distance, network.layers, best.layers))
        n_trials = len(labels)
        metrics = Metrics(float(errors), n_trials - int(errors), n_trials, norms, traces)
        return network.updated(best.layers), EvolutionState(state.n_steps + 1, sd), metrics

    def readout_for(self, network: LayeredNetwork) -> Any:
        """Return the readout, or the usual one of the output layer if none was given."""
        return default_readout(network.layers[-1]) if self.readout is None else self.readout

    def _n_errors(
        self, network: LayeredNetwork, traces: tuple[Trace, ...], labels: np.ndarray
    ) -> float:
        """Return the number of errors, infinite if the output is not finite."""
        readout, layer = self.readout_for(network), network.layers[-1]
        scores = readout.scores(traces[-1], layer, network.dt)
        if not (np.isfinite(scores).all() and np.isfinite(traces[-1].v).all()):
            return math.inf
        return int(np.count_nonzero(readout.decide(scores, layer) != labels))


def _mutated(network: LayeredNetwork, sd: float, rng: np.random.Generator) -> LayeredNetwork | None:
    """Return a changed copy, None if a weight of it has diverged; it draws as much in any case."""
    changes = [
        {
            name: array + sd * rng.standard_normal(array.shape)
            for name, array in layer.parameters().items()
        }
        for layer in network.layers
    ]
    if any(not np.abs(a).max() <= LARGEST_WEIGHT for change in changes for a in change.values()):
        return None
    return network.updated(
        [
            layer.updated(**change) if change else layer
            for layer, change in zip(network.layers, changes, strict=True)
        ]
    )


def _distance(old: Layer, new: Layer) -> float:
    """Return the length of the change of all trainable arrays of a layer."""
    before, after = old.parameters(), new.parameters()
    return math.sqrt(sum(float(np.sum((after[name] - before[name]) ** 2)) for name in before))


def _adapted(sd: float, n_successes: int, offspring: int) -> float:
    """Return the next standard deviation by the rule of one fifth."""
    share = n_successes / offspring
    if share > _WANTED_SUCCESS:
        return sd / _SHRINK
    return sd * _SHRINK if share < _WANTED_SUCCESS else sd
