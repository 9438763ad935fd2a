"""REINFORCE with escape noise: the unbiased gradient of spiking networks that fire by chance."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from spikesim import _check
from spikesim._jit import kernel
from spikesim.errors import ParameterError
from spikesim.layered import lif
from spikesim.layered.forward import Trace
from spikesim.layered.network import Layer, LayeredNetwork
from spikesim.layered.threads import in_parts
from spikesim.learning.base import Metrics
from spikesim.learning.error_paths import Errors, by_own_errors
from spikesim.learning.gradient_rule import Arrays, GradientRule
from spikesim.learning.losses import CrossEntropy
from spikesim.learning.optimisers import Adam
from spikesim.neurons import AdaptiveLIF
from spikesim.neurons.lif import move
from spikesim.surrogates import StraightThrough

__all__ = ["Reinforce"]


class ReinforceState(NamedTuple):
    """State of the optimiser, and how many steps were made."""

    optimiser: Any
    n_steps: int


@_check.suggest_keywords
@dataclass(frozen=True)
class Reinforce(GradientRule):
    r"""Spikes drawn by an escape rate, and each change weighed by what the loss made of it.

    In training a unit that is not refractory fires in a step with the probability

    .. math::

        p_{j,k} = 1 - e^{-h_{j,k}}, \qquad
        h_{j,k} = \rho\, dt\, \exp\frac{\hat v_{j,k} - v_{th}}{\Delta\,(v_{th} - v_{rest})}

    and is reset as ever. With the loss L of a trial, the mean :math:`\bar L` of the other draws
    of that trial, and the derivative :math:`\hat\epsilon_{ij,k}` of the potential by the weight,
    given all spikes (:mod:`spikesim.learning.error_paths`),

    .. math::

        \Delta w_{ij} = -\eta\,(L - \bar L) \sum_k
        \frac{\partial \ln P(S_{j,k})}{\partial \hat v_{j,k}}\,\hat\epsilon_{ij,k}, \qquad
        \frac{\partial \ln P(S)}{\partial \hat v} = \frac{1}{\Delta\,(v_{th} - v_{rest})}
        \begin{cases} h / (e^h - 1) & S = 1 \\ -h & S = 0 \end{cases}

    averaged over draws and trials, plus the derivative of the loss by the potentials of output
    units that it reads. The mean of this over all draws is the exact gradient of the expected
    loss, through resets, refractory periods and recurrent connections, without a surrogate. The
    optimiser makes the weight change.

    *Each synapse must know* its eligibility, the potential and the spikes of its unit, and one
    number for the whole trial that all synapses share: by how much the loss was above that of
    other draws.

    *Works* as the reference: what other rules approximate is what this one has in the mean. It
    learns small problems. *Fails* for its variance, which grows with the number of units and
    steps: many draws are needed to see which of all the spikes was to the good. Trained networks
    are run without noise afterwards, which is close to what was trained if the noise was weak.

    Parameters
    ----------
    loss : MAE, MSE or CrossEntropy, default CrossEntropy()
        What is descended in the mean, averaged over the trials of a batch.
    optimiser : Optimiser, default Adam()
        How to descend.
    readout : Readout, optional
        How the output is turned into scores; by default
        :func:`~spikesim.learning.readouts.default_readout` of the output layer.
    draws : int, default 8
        Runs of every trial, at least 2. The batch takes so many times the memory.
    rate : float, default 1
        Escape rate :math:`\rho` at threshold (1/ms), greater than 0.
    width : float, default 0.2
        Width :math:`\Delta` of the noise, as a share of the distance from rest to threshold,
        greater than 0. Towards 0 the units become those of a run without noise.
    seed : int, default 0
        Source of the draws, at least 0. Step n draws from ``default_rng((seed, n))``, a uniform
        number for each step, trial and unit, layer after layer.

    References
    ----------
    Pfister, Toyoizumi, Barber & Gerstner 2006, Neural Comput. 18:1318; the estimate: Williams
    1992, Mach. Learn. 8:229; draws as baseline of one another: Kool, van Hoof & Welling 2019,
    ICLR workshop.
    """

    loss: Any = CrossEntropy()
    optimiser: Any = Adam()
    readout: Any = None
    draws: int = 8
    rate: float = 1.0
    width: float = 0.2
    seed: int = 0

    def __post_init__(self) -> None:
        self._check_parts()
        _check.integer("Reinforce.draws", self.draws, minimum=2)
        _check.positive("Reinforce.rate", self.rate)
        _check.positive("Reinforce.width", self.width)
        _check.integer("Reinforce.seed", self.seed, minimum=0)

    def init(self, network: LayeredNetwork) -> ReinforceState:
        """Check that the rule can train `network`; return the state before the first step.

        Raises
        ------
        ParameterError
            Units that do not spike, nothing to train, connections with delays, or a readout that
            cannot read the output layer.
        """
        if not all(layer.neuron.spiking for layer in network.layers):
            raise ParameterError(
                "Reinforce trains LIF units, and the network has rate units, which have no spikes "
                "to draw: for these use Backprop or Evolution"
            )
        self._only_trains(network, ("w", "bias", "w_rec"))
        for index, layer in enumerate(network.layers):
            if isinstance(layer.neuron, AdaptiveLIF):
                raise ParameterError(
                    f"Reinforce does not know AdaptiveLIF, which layer {index} has; its chance of "
                    "a spike is that of LIF units: train it with Backprop, EProp or Evolution"
                )
            if layer.delay is not None or layer.delay_rec is not None:
                raise ParameterError(
                    f"Reinforce takes connections of one step, layer {index} has delays: leave "
                    "Layer.delay out, or train with Backprop"
                )
        return ReinforceState(self._optimiser_state(network), 0)

    def _learn(
        self, network: LayeredNetwork, state: ReinforceState, x: np.ndarray, labels: np.ndarray
    ) -> tuple[LayeredNetwork, ReinforceState, Metrics]:
        """Learn from a batch that was checked.

        The loss reported is the mean over the draws, decisions and traces are those of the first.
        """
        rng = np.random.default_rng((self.seed, state.n_steps))
        gradients, losses, correct, traces = self._estimate(network, x, labels, rng)
        n = len(labels)
        first = tuple(Trace(*(np.asarray(array)[:, :n] for array in trace)) for trace in traces)
        trained, optimiser, metrics = self._descended(
            network, state.optimiser, gradients, losses.mean(axis=0), correct[:n], first
        )
        return trained, ReinforceState(optimiser, state.n_steps + 1), metrics

    def _estimate(
        self, network: LayeredNetwork, x: np.ndarray, labels: np.ndarray, rng: np.random.Generator
    ) -> tuple[Arrays, np.ndarray, np.ndarray, tuple[Trace, ...]]:
        """Return an estimate of the gradient, the losses of shape (draws, n_trials), and more."""
        many = np.tile(x, (1, self.draws, 1))
        answers = np.concatenate([labels] * self.draws)
        traces, scores = [], []
        source = many
        for layer in network.layers:
            trace, score = run_drawn(layer, network.dt, source, rng, self.rate, self.width)
            traces.append(trace)
            scores.append(score)
            source = trace.output
        losses, correct, _, grad_v = self.loss_and_gradient(network, tuple(traces), answers)
        by_draw = losses.reshape(self.draws, len(labels))
        others = (by_draw.sum(axis=0) - by_draw) / (self.draws - 1)
        blame = ((by_draw - others) / by_draw.size).reshape(-1, 1)
        signals = [score * blame for score in scores]
        if grad_v is not None:
            signals[-1] += grad_v
        errors: list[Errors] = [(None, signal) for signal in signals]
        # Nothing goes back through a spike, so no surrogate has a part in it.
        gradients = by_own_errors(network, many, traces, errors, StraightThrough())
        return gradients, by_draw, correct, tuple(traces)


def run_drawn(
    layer: Layer, dt: float, x: np.ndarray, rng: np.random.Generator, rate: float, width: float
) -> tuple[Trace, np.ndarray]:
    """Run a layer whose spikes are drawn.

    Parameters
    ----------
    layer : Layer
        LIF units.
    dt : float
        Time step (ms).
    x : ndarray, shape (n_steps, n_trials, n_pre)
        Its input.
    rng : Generator
        Source of a uniform number for each step, trial and unit.
    rate, width : float
        Of :class:`Reinforce`.

    Returns
    -------
    trace : Trace
    score : ndarray, shape (n_steps, n_trials, n_post)
        Derivative of the log of the probability of what each unit did by its potential.
    """
    p = lif.prepared(layer.neuron, layer.synapse, layer.n_post, dt, layer.w.dtype)
    n_steps, n_trials, n_pre = x.shape
    n = layer.n_post
    projected = (x.reshape(-1, n_pre) @ layer.w).reshape(n_steps, n_trials, n)
    uniform = rng.random(projected.shape)
    output, v, score = (np.empty(projected.shape, layer.w.dtype) for _ in range(3))
    held = np.empty(projected.shape, np.bool_)
    w_rec = np.zeros((0, n), layer.w.dtype) if layer.w_rec is None else layer.w_rec
    constant = p.leak_gain * (layer.bias + p.i_ext)
    neuron = (p.decay_m, p.v_rest, p.v_th, p.v_reset, p.v_init, p.ref_steps, p.p_vi, constant)
    chance = (rate * dt, width * p.scale)

    def part(first: int, last: int) -> None:
        _run(
            projected, w_rec, uniform, neuron, chance, p.decay_syn, p.delta, p.subtract,
            first, last, output, v, held, score,
        )  # fmt: skip

    in_parts(part, n_trials, 20.0 * projected.size)
    # Not a SpikingTrace, whose potentials say by themselves where a spike was.
    return Trace(output, v, held), score


@kernel
def _run(
    projected, w_rec, uniform, neuron, chance, decay_syn, delta, subtract, first, last, output,
    v_free, held, score,
):  # fmt: skip
    """Follow ``docs/update_order.md`` with a drawn spike in place of the test."""
    decay_m, v_rest, v_th, v_reset, v_init, ref_steps, p_vi, constant = neuron
    at_threshold, width = chance
    n_steps, _, n = projected.shape
    drive = np.zeros(n)
    for b in range(first, last):
        v = v_init.copy()
        current = np.zeros(n)
        refractory = np.zeros(n, dtype=np.int64)
        for k in range(n_steps):
            for i in range(n):
                drive[i] = projected[k - 1, b, i] if k > 0 else 0.0
            if k > 0:
                for j in range(w_rec.shape[0]):
                    if output[k - 1, b, j] != 0.0:
                        for i in range(n):
                            drive[i] += w_rec[j, i]
            for i in range(n):
                push = p_vi[i] * current[i] + constant[i]
                jump = drive[i] if delta else 0.0
                current[i] = decay_syn * current[i] + drive[i]
                output[k, b, i] = 0.0
                score[k, b, i] = 0.0
                held[k, b, i] = refractory[i] > 0
                if refractory[i] > 0:
                    refractory[i] -= 1
                    v_free[k, b, i] = v[i]
                    continue
                v[i] = move(v[i], push, jump, decay_m[i], v_rest[i])
                v_free[k, b, i] = v[i]
                # Beyond these bounds a spike is certain, and the exponential overflows.
                above = min((v[i] - v_th[i]) / width[i], 700.0)
                hazard = min(at_threshold * math.exp(above), 700.0)
                if uniform[k, b, i] < -math.expm1(-hazard):
                    output[k, b, i] = 1.0
                    score[k, b, i] = hazard / math.expm1(hazard) / width[i]
                    v[i] = v[i] - (v_th[i] - v_reset[i]) if subtract else v_reset[i]
                    refractory[i] = ref_steps[i]
                else:
                    score[k, b, i] = -hazard / width[i]
