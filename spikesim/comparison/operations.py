r"""What a network costs to run and to train, counted instead of timed.

Counts depend on no machine. **Forward**, for one step of one sample:

- *dense*: every weight is one multiply-accumulate (MAC), whatever the values;
- *effective*: only pairs of a nonzero activation and a nonzero weight count, as accumulates (AC)
  where all activations that a layer is given are 0, 1 or -1, else as MACs; recurrent spikes are
  always ACs. Biases are not counted. This is the definition of NeuroBench (Yik et al. 2025, Nat.
  Commun. 16:1545). A spike counts when it is sent, be it in the last step;
- *state updates*: a spiking unit has a potential, with an exponential synapse a current, and if it
  adapts a threshold, which change in every step whether or not there are spikes; a rate unit keeps
  nothing.

In continuous time nothing happens between events: each arrival over a nonzero weight, and each
spike of a unit's own, brings the states of that unit up to date; *dense* is that of the grid of
`dt`.

**Backward**, for backpropagation with surrogates: in each step the gradient by the weights is an
outer product of activations and errors (dense: a MAC a weight; effective: a nonzero activation and
a unit with an error, an AC where the activations are binary), and each layer but the first carries
its errors back over its weights (dense: a MAC a weight; effective: a nonzero weight from a unit
that can use the error). A unit can where its derivative is not 0: of spiking units those within
the reach of the surrogate, in each step; of rate units by the derivative itself. Every spiking unit
is taken to have an error in each step. Adjoint states are updated as often as states.

**Energy** is a proxy, for arithmetic alone: 4.6 pJ a MAC and a state update, 0.9 pJ an AC, for
32-bit floating point in 45 nm (Horowitz 2014, ISSCC, 10-14). Memory traffic, often larger, is left
out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from spikesim import _check
from spikesim.comparison.counting import Counts, counted, joined
from spikesim.errors import ParameterError
from spikesim.layered import LayeredNetwork, SpikeTimes
from spikesim.layered.forward import checked_x, run
from spikesim.learning import FitResult
from spikesim.learning.inputs import checked_encoder, checked_features, encoded
from spikesim.learning.result import copied

__all__ = [
    "AC_ENERGY",
    "MAC_ENERGY",
    "Effort",
    "LayerEffort",
    "Operations",
    "TrainingEffort",
    "effort",
    "effort_of_traces",
    "training_effort",
]

MAC_ENERGY = 4.6
AC_ENERGY = 0.9
# Samples that are run at once, which bounds the memory.
_AT_ONCE = 1000


class Operations(NamedTuple):
    """Numbers of operations.

    Attributes
    ----------
    dense : float
        MACs if nothing is skipped.
    macs, acs : float
        Effective multiply-accumulates and accumulates.
    state_updates : float
        Updates of states of units.
    """

    dense: float = 0.0
    macs: float = 0.0
    acs: float = 0.0
    state_updates: float = 0.0

    @property
    def energy(self) -> float:
        """Proxy of the energy (pJ); memory traffic is left out."""
        return MAC_ENERGY * (self.macs + self.state_updates) + AC_ENERGY * self.acs

    def times(self, factor: float) -> Operations:
        """Return the numbers multiplied by `factor`."""
        return Operations(*(factor * value for value in self))


class LayerEffort(NamedTuple):
    """What one layer does for a sample, on average.

    Attributes
    ----------
    forward : Operations
        Of the forward run.
    backward : Operations or None
        Of the way back, if it was asked for.
    spikes : float
        Spikes of its units, 0 for rate units.
    spike_connections : int
        Nonzero weights that binary activations go through.
    """

    forward: Operations
    backward: Operations | None
    spikes: float
    spike_connections: int


@dataclass(frozen=True)
class Effort:
    """What a network does for a sample, on average.

    Attributes
    ----------
    n_samples : int
        Number of samples that it was measured on.
    duration : float
        Length of a trial (ms), 0 for a network without spiking units.
    input_spikes : float
        Spikes of the input; 0 where it is not spikes.
    layers : tuple of LayerEffort
        From the first layer to the output.
    """

    n_samples: int
    duration: float
    input_spikes: float
    layers: tuple[LayerEffort, ...]

    @property
    def forward(self) -> Operations:
        """Operations of the forward run, all layers together."""
        return _sum([layer.forward for layer in self.layers])

    @property
    def backward(self) -> Operations | None:
        """Operations of the way back, all layers together; None if they were not asked for."""
        parts = [layer.backward for layer in self.layers if layer.backward is not None]
        return _sum(parts) if parts else None

    @property
    def spikes(self) -> float:
        """Spikes of all units; those of the input are not among them."""
        return sum(layer.spikes for layer in self.layers)

    @property
    def energy(self) -> float:
        """Proxy of the energy of the forward run (pJ); memory traffic is left out."""
        return self.forward.energy

    @property
    def spike_rate(self) -> float:
        """Mean rate of spikes over all connections that carry spikes (Hz)."""
        self._refuse_without_spikes("spike_rate")
        return 1000.0 * self.forward.acs / (self.duration * self._spike_connections)

    def break_even_rate(self, other: Effort) -> float:
        """Return the :attr:`spike_rate` at which this network takes as much energy as another.

        Below that rate it takes less. All rates are taken to change by the same factor.

        Parameters
        ----------
        other : Effort
            Of the network to compare with, such as a ReLU network on the same samples.

        Returns
        -------
        float
            Rate (Hz); 0 where state updates alone take more.
        """
        _check.instance("Effort.break_even_rate.other", other, Effort, "an Effort")
        self._refuse_without_spikes("break_even_rate")
        left = other.energy - self.forward._replace(acs=0.0).energy
        at_one_hertz = AC_ENERGY * self._spike_connections * self.duration / 1000.0
        return max(0.0, left / at_one_hertz)

    @property
    def _spike_connections(self) -> int:
        return sum(layer.spike_connections for layer in self.layers)

    def _refuse_without_spikes(self, name: str) -> None:
        if self.duration == 0.0 or self._spike_connections == 0:
            raise ParameterError(f"Effort.{name} is of networks with connections that carry spikes")


@dataclass(frozen=True)
class TrainingEffort:
    """What a training took, counted with the activity that the network had at its end.

    Attributes
    ----------
    samples : int
        Samples seen, each as often as it was.
    updates : int
        Batches learnt from.
    parameter_updates : int
        Trainable numbers times `updates`.
    forward : Operations
        Of all forward runs.
    backward : Operations or None
        Of all ways back; None for other rules than :class:`~spikesim.learning.Backprop`.
    """

    samples: int
    updates: int
    parameter_updates: int
    forward: Operations
    backward: Operations | None

    @property
    def energy(self) -> float:
        """Proxy of the energy (pJ), each changed parameter as a MAC; optimisers take more."""
        back = 0.0 if self.backward is None else self.backward.energy
        return self.forward.energy + back + MAC_ENERGY * self.parameter_updates


@_check.suggest_keywords
def effort(
    network: LayeredNetwork,
    features: Any,
    *,
    encoder: Any = None,
    rule: Any = None,
    seed: Any = None,
) -> Effort:
    """Count what a network does to answer samples.

    Parameters
    ----------
    network : LayeredNetwork
        What to run.
    features : array_like, shape (n_samples, n_features)
        Samples.
    encoder : Encoder, optional
        Fitted already; by default :class:`~spikesim.encoding.Analog`.
    rule : LearningRule, optional
        With :class:`~spikesim.learning.Backprop` the way back is counted, too; it is not known of
        other rules.
    seed : int, SeedSequence or Generator, optional
        Source of the spikes of a stochastic encoder, as in :func:`~spikesim.evaluate`.

    Returns
    -------
    Effort
        Means over the samples.

    Raises
    ------
    ParameterError, ParameterTypeError
        Samples that the network cannot take.

    Examples
    --------
    >>> import spikesim as sp
    >>> network = sp.dense([2, 4, 1], sp.ReLU(), rng=0)
    >>> sp.comparison.effort(network, [[0.5, 2.0]]).forward.dense
    12.0
    """
    _check.instance("effort.network", network, LayeredNetwork, "a LayeredNetwork")
    encoder = checked_encoder("effort.encoder", encoder)
    table = checked_features("effort.features", features)
    rng = np.random.default_rng(copied(_check.seed_sequence("effort.seed", seed)))
    counts, given, n_steps = None, 0.0, 0
    for start in range(0, len(table), _AT_ONCE):
        piece = table[start : start + _AT_ONCE]
        x = encoded("effort.features", encoder, piece, network, rng)
        found = counted(network, x, run(network, x), rule)
        counts = found.layers if counts is None else joined(counts, found.layers)
        given, n_steps = given + found.input_spikes, found.n_steps
    assert counts is not None
    return _means(network, Counts(counts, given, n_steps), len(table))


def effort_of_traces(
    network: LayeredNetwork, x: Any, traces: Sequence[Any], rule: Any = None
) -> Effort:
    """Do what :func:`effort` does with a forward run that is there already.

    Parameters
    ----------
    network : LayeredNetwork
        What was run.
    x : array_like, shape (n_steps, n_trials, n_inputs), PackedSpikes or SpikeTimes
        Its input.
    traces : sequence of Trace
        What :func:`~spikesim.layered.forward` gave.
    rule : LearningRule, optional
        As in :func:`effort`.

    Returns
    -------
    Effort
        Means over the trials.
    """
    _check.instance("effort_of_traces.network", network, LayeredNetwork, "a LayeredNetwork")
    x = checked_x("effort_of_traces.x", x, network)
    if len(traces) != len(network.layers):
        raise ParameterError(
            f"effort_of_traces.traces must be one for each of the {len(network.layers)} layers, "
            f"got {len(traces)}"
        )
    n_trials = x.n_trials if isinstance(x, SpikeTimes) else x.shape[1]
    return _means(network, counted(network, x, traces, rule), n_trials)


@_check.suggest_keywords
def training_effort(result: FitResult, features: Any, *, seed: Any = None) -> TrainingEffort:
    """Count what a training took.

    Operations of a sample are those of the trained network on `features`: what was different
    while it learnt is not in it.

    Parameters
    ----------
    result : FitResult
        What :func:`~spikesim.fit` returned.
    features : array_like, shape (n_samples, n_features)
        The samples it was given.
    seed : int, SeedSequence or Generator, optional
        As in :func:`effort`.

    Returns
    -------
    TrainingEffort
        Totals of the whole training.
    """
    _check.instance("training_effort.result", result, FitResult, "a FitResult")
    table = checked_features("training_effort.features", features)
    found = effort(result.network, table, encoder=result.encoder, rule=result.rule, seed=seed)
    epochs = result.history.n_epochs
    batch_size = result.standing.batch_size or len(table)
    samples, updates = epochs * len(table), epochs * -(-len(table) // batch_size)
    n_parameters = sum(
        array.size for layer in result.network.layers for array in layer.parameters().values()
    )
    back = found.backward
    return TrainingEffort(
        samples,
        updates,
        updates * n_parameters,
        found.forward.times(samples),
        None if back is None else back.times(samples),
    )


def _means(network: LayeredNetwork, counts: Counts, n: int) -> Effort:
    layers = []
    backward = any(found.back_dense > 0.0 for found in counts.layers)
    for layer, found in zip(network.layers, counts.layers, strict=True):
        binary = found.given.binary
        macs, acs = (0.0, found.given.n) if binary else (found.given.n, 0.0)
        forward = Operations(found.dense, macs, acs + found.recurrent, found.state_updates)
        back = None
        if backward:
            of_macs, of_acs = (0.0, found.back_given.n) if binary else (found.back_given.n, 0.0)
            back = Operations(
                found.back_dense, of_macs + found.back_errors, of_acs + found.back_recurrent,
                found.state_updates,
            ).times(1.0 / n)  # fmt: skip
        connections = np.count_nonzero(layer.w) if binary else 0
        connections += 0 if layer.w_rec is None else np.count_nonzero(layer.w_rec)
        layers.append(LayerEffort(forward.times(1.0 / n), back, found.spikes / n, int(connections)))
    duration = counts.n_steps * network.dt if network.spiking else 0.0
    return Effort(n, duration, counts.input_spikes / n, tuple(layers))


def _sum(parts: Sequence[Operations]) -> Operations:
    return Operations(*(sum(values) for values in zip(*parts, strict=True)))
