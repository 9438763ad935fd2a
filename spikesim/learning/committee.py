"""The committee machine: train the closest of the units that voted wrongly (Nilsson 1965)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from spikesim import _check
from spikesim._jit import kernel
from spikesim.errors import ParameterError
from spikesim.layered import Layer, LayeredNetwork
from spikesim.layered.forward import run
from spikesim.learning.base import Metrics
from spikesim.learning.eligibility import lines, membrane, peaks, respond, strongest, with_lines
from spikesim.learning.local import (
    LARGEST_WEIGHT,
    NetInput,
    check_batch,
    check_layer,
    decide,
    fires,
    refuse_divergence,
    strict,
)
from spikesim.neurons import LIF, Step
from spikesim.synapses import Delta

__all__ = ["Committee", "committee_network"]

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
    r"""Make a network of committees: one hidden layer that learns, a majority vote that does not.

    Output k owns the hidden units ``k * n_hidden`` to ``(k + 1) * n_hidden - 1`` and fires when
    more than half of them do. With LIF units a hidden unit votes by firing: it is refractory
    from its first spike to the end of the trial, so it votes once. The output unit is an
    integrator without leak that each vote lifts by 1 mV, with its threshold at
    ``floor(n_hidden / 2) + 0.5``. A vote takes one step to arrive; one cast in the last step of
    the trial is not counted.

    Parameters
    ----------
    n_inputs : int
        Number of inputs.
    n_hidden : int
        Units of each committee; an odd number makes ties impossible.
    n_outputs : int
        Committees: one for two classes, else one for each class.
    neuron : Step or LIF
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
    """
    n_inputs = _check.integer("committee_network.n_inputs", n_inputs, minimum=1)
    n_hidden = _check.integer("committee_network.n_hidden", n_hidden, minimum=1)
    n_outputs = _check.integer("committee_network.n_outputs", n_outputs, minimum=1)
    _check.instance("committee_network.neuron", neuron, (LIF, Step), "Step or LIF")
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
    return Layer(votes, Step(), np.full(n_outputs, -enough), trainable=())


@_check.suggest_keywords
@dataclass(frozen=True)
class Committee:
    r"""Correct a wrong vote with the least disturbance.

    A committee of H units votes yes when more than half of its units fire. On an error just
    enough units to turn the vote are taken from those that voted wrongly, those whose excess
    (net input minus threshold) is closest to zero, and each learns as if on its own:

    .. math:: \Delta w_i = \pm\eta\,e_i

    plus for units that should have fired. The eligibility :math:`e_i` is the input itself for
    threshold units (the perceptron step) and, for LIF units, the response to input i at
    :math:`t_{max}`, scaled to a peak of 1 per spike (the tempotron step). Of several committees
    each is to vote yes for its own class alone; the decision is the class with most votes, the
    first of equal ones.

    *Each synapse must know* its own eligibility and one signed bit from its unit. *The unit must
    know* whether the vote is wrong and whether it is among the closest wrong voters: the only
    comparison between units, a search for the smallest of H numbers.

    *Works* on XOR and other problems beyond a hyperplane, as the units divide the space among
    themselves, although nothing is propagated backward. *Fails* now and then by going round in
    circles, since no bound on the mistakes holds. More units than the problem needs help, and
    so does a step about as large as the weights: small steps circle, large ones search.

    Build the network with :func:`committee_network`.

    Parameters
    ----------
    learning_rate : float, default 1
        Step :math:`\eta`, greater than 0, in the unit of a weight per unit of eligibility.

    References
    ----------
    Nilsson 1965, Learning Machines, chapter 6; as Madaline Rule I: Widrow & Lehr 1990,
    Proc. IEEE 78:1415.
    """

    learning_rate: float = 1.0

    def __post_init__(self) -> None:
        _check.positive("Committee.learning_rate", self.learning_rate)

    @property
    def readout(self) -> NetInput:
        """How votes become decisions: the excess of the output unit grows with each vote."""
        return NetInput()

    def init(self, network: LayeredNetwork) -> None:
        """Check that `network` has the form that :func:`committee_network` makes.

        Raises
        ------
        ParameterError
            Another number of layers, or an output that is not the majority of its committee.
        """
        if len(network.layers) != 2:
            raise ParameterError(
                f"Committee.network must have two layers, got {len(network.layers)}; "
                "make it with committee_network"
            )
        hidden, output = network.layers
        check_layer("Committee", hidden)
        wanted = _majority(hidden.n_post // output.n_post, output.n_post, hidden.neuron)
        if not (
            output.w.shape == wanted.w.shape
            and np.array_equal(output.w, wanted.w)
            and np.array_equal(output.bias, wanted.bias)
            and repr(output.neuron) == repr(wanted.neuron)
            and output.w_rec is None
            and output.synapse == wanted.synapse
        ):
            raise ParameterError(
                "Committee.network: the second layer is not the majority vote of the first; "
                "make the network with committee_network"
            )

    def step(
        self, network: LayeredNetwork, state: Any, x: np.ndarray, labels: np.ndarray
    ) -> tuple[LayeredNetwork, Any, Metrics]:
        """Learn from the trials of `x` one after another.

        Parameters
        ----------
        network : LayeredNetwork
            As :func:`committee_network` makes it; never modified.
        state : None
            There is none.
        x : ndarray, shape (n_steps, n_trials, n_inputs)
            Encoded inputs; one step for threshold units, at least two for LIF units.
        labels : ndarray of int64, shape (n_trials,)
            Class of each trial, from 0.

        Returns
        -------
        network, state, metrics
            The loss is the number of trials decided wrongly, each before its own update.
        """
        hidden, output = network.layers
        x, labels = check_batch("Committee", hidden, max(2, output.n_post), x, labels)
        if hidden.neuron.spiking:
            if len(x) < 2:
                raise ParameterError("Committee.x must have at least two steps for LIF units")
            if np.any(np.asarray(hidden.neuron.t_ref) < network.dt * len(x)):
                raise ParameterError(
                    "Committee.network: LIF.t_ref must be as long as the trial, so that a unit "
                    "votes once; make the network with committee_network"
                )
        traces = run(network, x)
        if hidden.neuron.spiking:
            # A vote in the last step does not arrive within the trial.
            x = x[:-1].copy()
        response, rest, bias_line = membrane(hidden, network.dt, len(x))
        with_bias = "bias" in hidden.trainable
        before = lines(hidden, with_bias)
        if not with_bias:
            rest = rest + hidden.bias[:, np.newaxis] * bias_line
        w = before.copy()
        n_correct, trial, unit = _correct_votes(
            x,
            labels,
            rest,
            bias_line,
            w,
            output.n_post,
            response,
            1.0 / peaks(hidden, with_bias),
            strict(hidden),
            float(self.learning_rate),
        )
        refuse_divergence("Committee", trial, unit)
        metrics = Metrics(
            loss=float(len(labels) - n_correct),
            n_correct=n_correct,
            n_trials=len(labels),
            update_norms=(float(np.linalg.norm(w - before)), 0.0),
            traces=traces,
        )
        return network.updated([with_lines(hidden, w, with_bias), output]), state, metrics


@kernel
def _correct_votes(
    x, labels, rest, bias_line, w, n_outputs, response, scale, strict, learning_rate
):
    n_steps, n_trials, _ = x.shape
    n_units, n_lines = w.shape
    n_hidden = n_units // n_outputs
    e = np.empty((n_lines, n_steps))
    v = np.empty(n_steps)
    t_max = np.empty(n_units, np.int64)
    excess = np.empty(n_units)
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
        for k in range(n_outputs):
            target = labels[trial] == (k if n_outputs > 1 else 1)
            if fires(votes[k], False) == target:
                continue
            sign = 1.0 if target else -1.0
            # Excess of votes is half-integral: an error of n - 0.5 takes n votes to turn.
            for _ in range(int(abs(votes[k]) + 0.5)):
                closest = -1
                for j in range(k * n_hidden, (k + 1) * n_hidden):
                    wrong = fires(excess[j], strict) != target
                    if wrong and (closest < 0 or abs(excess[j]) < abs(excess[closest])):
                        closest = j
                for i in range(n_lines):
                    w[closest, i] += sign * learning_rate * e[i, t_max[closest]] * scale[i]
                    if not abs(w[closest, i]) <= LARGEST_WEIGHT:
                        return n_correct, trial, closest
                # It is done for this trial, whichever way it votes now.
                excess[closest] = np.inf if target else -np.inf
    return n_correct, -1, -1
