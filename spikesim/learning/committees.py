r"""Networks of committees, and what the rules that train them share: votes and one online loop.

A rule of a committee is one kernel, ``gains(vote, target, excess, e, t_max, strict, hyper, gain)``.
It is called once a trial and committee with its vote (yes votes in excess of half, half-integral)
and, for each unit j, the excess and the step of its largest potential, at which its eligibilities
are ``e[:, t_max[j]]``. It fills `gain`, by which :math:`\Delta w_i = gain\, e_i`; 0 leaves a unit
alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import fields, replace
from typing import Any, ClassVar

import numpy as np

from spikesim import _check
from spikesim._jit import kernel
from spikesim.errors import ParameterError, ParameterTypeError
from spikesim.layered import Layer, LayeredNetwork
from spikesim.layered.forward import run
from spikesim.learning.base import Metrics
from spikesim.learning.eligibility import lines, membrane, peaks, respond, strongest, with_lines
from spikesim.learning.local import (
    LARGEST_WEIGHT,
    NetInput,
    check_batch,
    check_grid,
    check_layer,
    decide,
    fires,
    refuse_divergence,
    refuse_single_step,
    strict,
)
from spikesim.neurons import LIF, Sigmoid, Step, Tanh
from spikesim.synapses import Delta

__all__ = ["CommitteeRule", "committee_network", "vote_by_vote"]

# So long that exp(-dt / tau_m) is exactly 1: votes do not decay.
_NO_LEAK = 1e18
# Longer than any trial, in steps: a unit votes once.
_FOR_EVER = 2.0**40


@_check.suggest_keywords
def committee_network(
    n_inputs: int,
    n_hidden: int,
    n_outputs: int,
    neuron: Any,
    *,
    rng: Any,
    synapse: Any = None,
    gain: float = 1.0,
    bias_sd: float = 0.0,
    dt: float = 1.0,
) -> LayeredNetwork:
    r"""Make a network of committees: one hidden layer that learns, a vote that does not.

    Output k owns the hidden units ``k * n_hidden`` to ``(k + 1) * n_hidden - 1`` and fires when
    more than half of them do. With LIF units a hidden unit votes by firing: it is refractory
    from its first spike to the end of the trial, so it votes once. The output unit is an
    integrator without leak that each vote lifts by 1 mV, with its threshold at
    ``floor(n_hidden / 2) + 0.5``. A vote takes one step to arrive; one cast in the last step of
    the trial is not counted.

    With Tanh or Sigmoid units it is a *differential committee*, for
    :class:`~spikesim.learning.Backprop`:

    .. math:: f = sig\Bigl(b_0 + \sum_j sig(steepness\, w_j \cdot x + b_j)\Bigr)

    The outer weights are fixed at 1 and the outer bias :math:`b_0` at 0 for Tanh and
    ``-n_hidden / 2`` for Sigmoid, so that again half of the votes divide the classes. The outer
    unit is of the same kind but of steepness 1: its slope is one factor common to all hidden
    units, and at a high steepness that factor is exactly zero in double precision.

    *Each synapse must know* its input and, from its unit, the error of the vote times the slope
    of the unit at its own net input. No weights come in, as those of the vote are all 1. (Those
    of a threshold or LIF committee must know what its rule says.)

    *Works* on XOR and other problems beyond a hyperplane. *Fails* as the units get steep: the
    slope then leaves the move to the unit closest to its threshold, whatever it voted, and the
    move gets smaller and smaller. Steps of fixed length (``SGD(normalised=True)``) help, and so
    do more units.

    Parameters
    ----------
    n_inputs : int
        Number of inputs.
    n_hidden : int
        Units of each committee; an odd number makes ties impossible.
    n_outputs : int
        Committees: one for two classes, else one for each class.
    neuron : Step, LIF, Tanh or Sigmoid
        The hidden units; the refractory period of a LIF is replaced.
    rng : int, SeedSequence or Generator
        Source of the hidden weights, ``Normal(0, gain / sqrt(n_inputs))``.
    synapse : Delta or Exponential, default Delta()
        From input to hidden LIF units.
    gain : float, default 1
        Scale of the hidden weights, at least 0.
    bias_sd : float, default 0
        Standard deviation of the hidden biases.
    dt : float, default 1
        Time step (ms).

    Returns
    -------
    LayeredNetwork

    References
    ----------
    Nilsson 1965, Learning Machines, chapter 6, for the committee; Rumelhart, Hinton & Williams
    1986, Nature 323:533, for the descent.
    """
    n_inputs = _check.integer("committee_network.n_inputs", n_inputs, minimum=1)
    n_hidden = _check.integer("committee_network.n_hidden", n_hidden, minimum=1)
    n_outputs = _check.integer("committee_network.n_outputs", n_outputs, minimum=1)
    kinds = (LIF, Sigmoid, Step, Tanh)
    _check.instance("committee_network.neuron", neuron, kinds, "Step, LIF, Tanh or Sigmoid")
    gain = _check.non_negative("committee_network.gain", gain)
    bias_sd = _check.non_negative("committee_network.bias_sd", bias_sd)
    dt = _check.positive("committee_network.dt", dt)
    rng = _check.generator("committee_network.rng", rng)
    n_units = n_hidden * n_outputs
    w = rng.standard_normal((n_inputs, n_units)) * gain / np.sqrt(n_inputs)
    bias = rng.standard_normal(n_units) * bias_sd
    if neuron.spiking:
        neuron = replace(neuron, t_ref=_FOR_EVER * dt)
    hidden = Layer(w, neuron, bias, Delta() if synapse is None else synapse)
    return LayeredNetwork([hidden, _majority(n_hidden, n_outputs, neuron)], dt)


def _majority(n_hidden: int, n_outputs: int, neuron: Any) -> Layer:
    """Return the layer that fires where more than half of a committee does."""
    votes = np.kron(np.eye(n_outputs), np.ones((n_hidden, 1)))
    enough = n_hidden // 2 + 0.5
    if neuron.spiking:
        return Layer(votes, LIF(_NO_LEAK, _NO_LEAK, 0.0, enough, 0.0, 0.0), trainable=())
    if isinstance(neuron, Tanh):
        return Layer(votes, Tanh(), trainable=())
    if isinstance(neuron, Sigmoid):
        return Layer(votes, Sigmoid(), np.full(n_outputs, -n_hidden / 2), trainable=())
    return Layer(votes, Step(), np.full(n_outputs, -enough), trainable=())


def _first_difference(one: Layer, other: Layer) -> str | None:
    """Return the first field in which two layers differ, None if they are alike."""
    for field in fields(Layer):
        a, b = getattr(one, field.name), getattr(other, field.name)
        arrays = isinstance(a, np.ndarray) and isinstance(b, np.ndarray)
        # Neurons may hold arrays, but print them.
        if not (np.array_equal(a, b) if arrays else repr(a) == repr(b)):
            return field.name
    return None


class CommitteeRule(ABC):
    """Base of the rules that train the hidden units of committees by their votes.

    A subclass is a frozen dataclass of hyperparameters that names its loop, made by
    :func:`vote_by_vote`, and returns the numbers that its kernel takes from :meth:`_hyper`.
    """

    _unit_peak: ClassVar[bool] = True

    @property
    def readout(self) -> NetInput:
        """How votes become decisions: the excess of the output unit grows with each vote."""
        return NetInput()

    @property
    @abstractmethod
    def _loop(self) -> Any:
        """Return the online loop over the kernel of the rule."""

    @abstractmethod
    def _hyper(self) -> tuple[float, ...]:
        """Return the numbers that the kernel takes."""

    def init(self, network: LayeredNetwork) -> Any:
        """Check that `network` has the form that :func:`committee_network` makes.

        Raises
        ------
        ParameterError
            Another number of layers, or an output that is not the majority of its committee.
        ParameterTypeError
            Units other than threshold and LIF ones.
        """
        name = type(self).__name__
        if len(network.layers) != 2:
            raise ParameterError(
                f"{name}.network must have two layers, got {len(network.layers)}; "
                "make it with committee_network"
            )
        hidden, output = network.layers
        if isinstance(hidden.neuron, (Sigmoid, Tanh)):
            raise ParameterTypeError(
                f"{name}.network: the units must be Step or LIF, got {hidden.neuron!r}; "
                "committees of smooth units are trained by Backprop"
            )
        check_grid(name, network)
        check_layer(name, hidden)
        wanted = _majority(hidden.n_post // output.n_post, output.n_post, hidden.neuron)
        differs = _first_difference(output, wanted)
        if differs:
            raise ParameterError(
                f"{name}.network: the second layer is not the majority vote of the first, its "
                f"{differs} is another; make the network with committee_network"
            )
        return None

    def step(
        self, network: LayeredNetwork, state: Any, x: np.ndarray, labels: np.ndarray
    ) -> tuple[LayeredNetwork, Any, Metrics]:
        """Learn from the trials of `x` one after another.

        Parameters
        ----------
        network : LayeredNetwork
            As :func:`committee_network` makes it; never modified.
        state : object
            What :meth:`init` returned.
        x : ndarray, shape (n_steps, n_trials, n_inputs)
            Encoded inputs; one step for threshold units, at least two for LIF units.
        labels : ndarray of int64, shape (n_trials,)
            Class of each trial, from 0.

        Returns
        -------
        network, state, metrics
            The loss is the number of trials decided wrongly, each before its own update.

        Raises
        ------
        NonFiniteStateError
            Weights that grew beyond all bounds.
        """
        name = type(self).__name__
        hidden, output = network.layers
        x, labels = check_batch(name, hidden, max(2, output.n_post), x, labels)
        refuse_single_step(name, hidden, x)
        if hidden.neuron.spiking and np.any(np.asarray(hidden.neuron.t_ref) < network.dt * len(x)):
            raise ParameterError(
                f"{name}.network: LIF.t_ref must be as long as the trial, so that a unit "
                "votes once; make the network with committee_network"
            )
        with np.errstate(all="ignore"):
            traces = run(network, x)
        if hidden.neuron.spiking:
            # A vote in the last step does not arrive within the trial.
            x = x[:-1].copy()
        response, rest, bias_line = membrane(hidden, network.dt, len(x))
        with_bias = "bias" in hidden.trainable
        before = lines(hidden, with_bias)
        if not with_bias:
            rest = rest + hidden.bias[:, np.newaxis] * bias_line
        scale = 1.0 / peaks(hidden, with_bias) if self._unit_peak else np.ones(before.shape[1])
        w = before.copy()
        with np.errstate(all="ignore"):
            n_correct, trial, unit = self._loop(
                x,
                labels,
                rest,
                bias_line,
                w,
                self._lengths(state, len(w)),
                output.n_post,
                response,
                scale,
                strict(hidden),
                self._hyper(),
            )
        refuse_divergence(name, trial, unit)
        metrics = Metrics(
            loss=float(len(labels) - n_correct),
            n_correct=n_correct,
            n_trials=len(labels),
            update_norms=(float(np.linalg.norm(w - before)), 0.0),
            traces=traces,
        )
        return network.updated([with_lines(hidden, w, with_bias), output]), state, metrics

    def _lengths(self, state: Any, n_units: int) -> np.ndarray:
        """Return the length at which the weights of each unit are held, 0 for none."""
        return np.zeros(n_units)


def vote_by_vote(gains: Any) -> Any:
    """Return the loop over trials for the rule made of the kernel `gains`."""

    @kernel
    def loop(
        x,
        labels,
        rest,
        bias_line,
        w,
        lengths,
        n_outputs,
        response,
        scale,
        strict,
        hyper,
    ):
        n_steps, n_trials, _ = x.shape
        n_units, n_lines = w.shape
        n_hidden = n_units // n_outputs
        e = np.empty((n_lines, n_steps))
        v = np.empty(n_steps)
        t_max = np.empty(n_units, np.int64)
        excess = np.empty(n_units)
        gain = np.empty(n_units)
        votes = np.empty(n_outputs)
        n_correct = 0
        for trial in range(n_trials):
            respond(x, trial, response, bias_line, e)
            votes[:] = -(n_hidden // 2 + 0.5)
            for j in range(n_units):
                t_max[j], excess[j] = strongest(e, w[j], rest[j], v)
                if fires(excess[j], strict):
                    votes[j // n_hidden] += 1.0
            if decide(votes, False) == labels[trial]:
                n_correct += 1
            gain[:] = 0.0
            for k in range(n_outputs):
                target = labels[trial] == (k if n_outputs > 1 else 1)
                own = slice(k * n_hidden, (k + 1) * n_hidden)
                gains(votes[k], target, excess[own], e, t_max[own], strict, hyper, gain[own])
            for j in range(n_units):
                if gain[j] == 0.0:
                    continue
                length2 = 0.0
                for i in range(n_lines):
                    w[j, i] += gain[j] * e[i, t_max[j]] * scale[i]
                    length2 += w[j, i] ** 2
                    if not abs(w[j, i]) <= LARGEST_WEIGHT:
                        return n_correct, trial, j
                if lengths[j] > 0.0 and length2 == 0.0:
                    # Zero has no direction to keep its length in: take the step back.
                    for i in range(n_lines):
                        w[j, i] -= gain[j] * e[i, t_max[j]] * scale[i]
                elif lengths[j] > 0.0:
                    w[j] *= lengths[j] / np.sqrt(length2)
        return n_correct, -1, -1

    return loop
