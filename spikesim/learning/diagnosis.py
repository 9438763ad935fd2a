"""The training diagnosis: after each epoch, what each layer did, and a warning when one is dead.

A unit is *silent* in an epoch if it fired in no trial (rate units: no output above 1e-6 in
size). It is *saturated* if it fired in every step in which it could, from the first step that
its input reaches (rate units: every output within 1e-6 of a bound and not silent; for step
units, whose outputs all lie on a bound: output 1 in every trial). Both leave next to nothing
for a gradient to hold on to.

The loss has *diverged* if in three epochs in a row it was more than ten times what it was before
the training, of the first batch and of up to 256 samples together, with some trial wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spikesim import _check
from spikesim._jit import kernel
from spikesim.errors import DeadLayerWarning, DivergenceWarning
from spikesim.layered.continuous_trace import ContinuousTrace
from spikesim.layered.network import LayeredNetwork
from spikesim.layered.packed import listed
from spikesim.layered.trace import SpikingTrace
from spikesim.learning.base import Metrics
from spikesim.neurons import Step

__all__ = ["Diagnosis", "LayerHistory"]

_TOLERANCE = 1e-6
_DEAD_SHARE = 0.9
_EPOCHS_BEFORE_WARNING = 3
_TOO_MUCH_LOSS = 10.0


@dataclass(frozen=True, eq=False)
class LayerHistory:
    """What one layer did in each epoch, arrays of shape (n_epochs,).

    Attributes
    ----------
    silent, saturated : ndarray
        Shares of the units, from 0 to 1.
    mean_rate : ndarray
        Mean firing rate (Hz) of spiking units, mean output of rate units.
    update_norm : ndarray
        Root of the mean square, over the batches, of the norm that the rule reports: of the
        gradient, or of the weight change for rules without one.
    angle : ndarray
        Mean over the batches of the angle (degrees) between the weight change and the true
        gradient; NaN unless the rule records it.
    """

    silent: np.ndarray
    saturated: np.ndarray
    mean_rate: np.ndarray
    update_norm: np.ndarray
    angle: np.ndarray


class _Layer:
    """Sums over the batches of an epoch, and the log of epochs, of one layer."""

    def __init__(self, layer: Any, index: int, dt: float):
        neuron = layer.neuron
        self.spiking = neuron.spiking
        self.never = neuron.spiking and bool(np.all(np.isinf(neuron.v_th)))
        self.distance = float(np.max(neuron.v_th - neuron.v_rest)) if neuron.spiking else 0.0
        self.first_step = index + 1
        self.dt = dt
        self.trained = bool(layer.parameters())
        low, high = (0.0, 1.0) if neuron.spiking else neuron.bounds
        self.low = -np.inf if isinstance(neuron, Step) else low
        self.high = high
        self.total = np.zeros(layer.n_post)
        self.active = np.zeros(layer.n_post, dtype=np.bool_)
        self.free = np.zeros(layer.n_post, dtype=np.bool_)
        self.log: list[tuple[float, float, float, float, float]] = []
        self.streaks = {"silent": 0, "saturated": 0, "still": 0}
        self.start()

    def start(self) -> None:
        self.total[:] = 0.0
        self.active[:] = False
        self.free[:] = False
        self.n_values = 0
        self.square = 0.0
        self.n_batches = 0
        self.turned = 0.0
        self.n_angles = 0

    def add(self, trace: Any, norm: float, angle: float) -> None:
        self.square += norm * norm
        self.n_batches += 1
        if not math.isnan(angle):
            self.turned += angle
            self.n_angles += 1
        if isinstance(trace, ContinuousTrace):
            # Never made on the grid for this: no unit of it can fire at all times.
            spikes = trace.counts.sum(axis=0)
            self.n_values += trace.n_steps * trace.n_trials
            self.total += spikes
            self.active |= spikes > 0
            self.free[:] = True
            return
        if isinstance(trace, SpikingTrace):
            n_steps, n_trials, _ = trace.spikes.shape
            self.n_values += n_steps * n_trials
            if self.never:  # There is nothing to count.
                self.free[:] = True
                return
            held = trace.refractory
            words = np.zeros((2, trace.spikes.bits.shape[2]), np.uint64)
            _count_bits(
                trace.spikes.bits,
                trace.spikes.bits[:0] if held is None else held.bits,
                self.first_step,
                self.total,
                words,
            )
            fired, waiting = (_flags(row, len(self.total)) for row in words)
            self.active |= fired
            self.free |= waiting
            return
        self.n_values += trace.output.shape[0] * trace.output.shape[1]
        if self.spiking:
            _count_spikes(
                trace.output, trace.held, self.first_step, self.total, self.active, self.free
            )
        else:
            _sum_outputs(
                trace.output,
                self.low + _TOLERANCE,
                self.high - _TOLERANCE,
                self.total,
                self.active,
                self.free,
            )

    def close(self) -> float:
        """Log the epoch; return the number of spikes in it."""
        n = len(self.total)
        total, n_silent, n_saturated = _totals(self.total, self.active, self.free)
        silent = 0.0 if self.never else n_silent / n
        saturated = n_saturated / n
        mean = total / max(1, n * self.n_values)
        if self.spiking:
            mean *= 1000.0 / self.dt
        norm = (self.square / max(1, self.n_batches)) ** 0.5
        angle = self.turned / self.n_angles if self.n_angles else math.nan
        self.keep((silent, saturated, mean, norm, angle))
        return total if self.spiking else 0.0

    def keep(self, row: tuple[float, float, float, float, float]) -> None:
        """Log what the layer did in an epoch, and count for how many in a row it did nothing."""
        silent, saturated, _, norm, _ = row
        self.log.append(row)
        streaks = self.streaks
        streaks["silent"] = streaks["silent"] + 1 if silent >= _DEAD_SHARE else 0
        streaks["saturated"] = streaks["saturated"] + 1 if saturated >= _DEAD_SHARE else 0
        streaks["still"] = streaks["still"] + 1 if self.trained and norm == 0.0 else 0

    def history(self, n_epochs: int) -> LayerHistory:
        columns = np.array(self.log[:n_epochs]).reshape(-1, 5).T.copy()
        return LayerHistory(*columns)


class Diagnosis:
    """Watches the layers of a network while it is trained.

    Parameters
    ----------
    network : LayeredNetwork
        The network at the start.
    warn : bool
        Whether to give :class:`~spikesim.errors.DeadLayerWarning`, once a layer.
    histories : sequence of LayerHistory, optional
        What each layer did in the epochs before.
    warned : iterable of int, optional
        Layers that were warned of then.
    loss_before : callable, optional
        Returns the loss before the training, to tell whether it has diverged.
    """

    def __init__(
        self,
        network: LayeredNetwork,
        warn: bool,
        histories: Sequence[LayerHistory] = (),
        warned: Iterable[int] = (),
        loss_before: Callable[[], float] | None = None,
    ):
        self._layers = [_Layer(layer, i, network.dt) for i, layer in enumerate(network.layers)]
        self._warn = warn
        self.warned = tuple(warned)
        self._loss_before = loss_before
        self._first_loss: float | None = None
        self._n_risen = 0
        for layer, history in zip(self._layers, histories, strict=False):
            h = history
            columns = h.silent, h.saturated, h.mean_rate, h.update_norm, h.angle
            for row in zip(*columns, strict=True):
                layer.keep(row)

    def add(self, metrics: Metrics) -> None:
        """Take in one batch."""
        if self._first_loss is None:
            self._first_loss = metrics.loss / metrics.n_trials
        angles = metrics.angles or (math.nan,) * len(self._layers)
        for layer, *what in zip(
            self._layers, metrics.traces, metrics.update_norms, angles, strict=True
        ):
            layer.add(*what)

    def close_epoch(self, epoch: int, accuracy: float, loss: float) -> float:
        """Log the epoch, warn of what is wrong, return the number of spikes in the epoch.

        A loss that has diverged is warned of, and then no longer the layers that it leaves dead.
        A layer is called dead when 90 % of its units were silent (or saturated), or its update
        was exactly zero, in three epochs in a row, and some trial was classified wrong.
        """
        n_spikes = 0.0
        self._warn_of_divergence(epoch, accuracy, loss)
        for index, layer in enumerate(self._layers):
            n_spikes += layer.close()
            # Not "below 1": there is no accuracy, NaN, where targets are real.
            if not accuracy >= 1.0 and self._warn and index not in self.warned:
                text = _complaint(layer, epoch)
                if text:
                    self.warned += (index,)
                    _check.warn(f"layer {index}: {text}", DeadLayerWarning)
        for layer in self._layers:
            layer.start()
        return n_spikes

    def _warn_of_divergence(self, epoch: int, accuracy: float, loss: float) -> None:
        if not self._warn or self._loss_before is None or self._first_loss is None:
            return
        # A loss that was next to nothing may rise many times over while every trial stays right.
        risen = not accuracy >= 1.0 and loss > _TOO_MUCH_LOSS * self._first_loss > 0.0
        self._n_risen = self._n_risen + 1 if risen else 0
        if self._n_risen < _EPOCHS_BEFORE_WARNING:
            return
        before, self._loss_before = self._loss_before(), None
        if loss > _TOO_MUCH_LOSS * before > 0.0:
            self._warn = False
            _check.warn(
                f"the loss has diverged: {before:.3g} before the training, {loss:.3g} in epoch "
                f"{epoch}; lower the learning rate, or clip the gradient with clip_norm",
                DivergenceWarning,
            )

    def histories(self, n_epochs: int) -> list[LayerHistory]:
        """Return what each layer did in the first `n_epochs` epochs."""
        return [layer.history(n_epochs) for layer in self._layers]


def _complaint(layer: _Layer, epoch: int) -> str:
    """Say what is wrong with a layer and what to change, or nothing."""
    if not layer.trained:
        return ""
    silent, saturated, *_ = layer.log[-1]
    since = f"in epochs {epoch - _EPOCHS_BEFORE_WARNING + 1} to {epoch}"
    rate = ", or lower the learning rate" if _died(layer) else ""
    if layer.streaks["silent"] >= _EPOCHS_BEFORE_WARNING:
        if layer.spiking:
            text = (
                f"{silent:.0%} of its units never fired {since}; raise the gain of its weights "
                "or its bias, or lower v_th"
            )
            if layer.distance > 2.0:
                text += (
                    f", which lies {layer.distance:g} mV above rest: with LIF.normalised(), where "
                    "it lies 1 above, weights of the usual size are enough"
                )
            return text + rate
        return (
            f"{silent:.0%} of its units gave no output {since}; raise its biases, lower the "
            "learning rate, or use units without a flat side"
        )
    if layer.streaks["saturated"] >= _EPOCHS_BEFORE_WARNING:
        if layer.spiking:
            return (
                f"{saturated:.0%} of its units fired in every step {since}; lower the gain of "
                "its weights or its bias, raise v_th, or add a refractory period"
            )
        return (
            f"{saturated:.0%} of its units were saturated in every trial {since}; scale the "
            "features, or lower the gain of its weights or the learning rate"
        )
    if layer.streaks["still"] >= _EPOCHS_BEFORE_WARNING:
        return (
            f"its update was exactly zero {since} while trials were classified wrong: nothing "
            "that it does reaches the loss. Later units are silent or saturated, weights after "
            "it are zero, or a gradient rule meets units without derivative (Step); draw other "
            "weights, and with a gradient rule use a wider surrogate (smaller slope) or other "
            f"units{rate}"
        )
    return ""


def _died(layer: _Layer) -> bool:
    """Return whether the layer took part once: the training itself has put an end to that."""
    return any(silent < _DEAD_SHARE and norm > 0.0 for silent, _, _, norm, _ in layer.log)


def _flags(words: np.ndarray, n: int) -> np.ndarray:
    """Return the first `n` bits of packed words."""
    flags = np.unpackbits(words.astype("<u8").view(np.uint8), count=n, bitorder="little")
    return flags.astype(np.bool_)


@kernel
def _count_bits(fired, held, first_step, total, words):
    """Add up the spikes of each unit; mark who fired, and who could have and did not."""
    units = np.empty(64 * fired.shape[2], np.int64)
    for b in range(fired.shape[0]):
        for k in range(fired.shape[1]):
            for q in range(listed(fired[b, k], units)):
                total[units[q]] += 1.0
            for q in range(fired.shape[2]):
                words[0, q] |= fired[b, k, q]
                if k >= first_step:
                    busy = fired[b, k, q]
                    if held.shape[0] > 0:
                        busy |= held[b, k, q]
                    words[1, q] |= ~busy


@kernel
def _count_spikes(output, held, first_step, total, active, free):
    n_steps, n_trials, n = output.shape
    for k in range(n_steps):
        for b in range(n_trials):
            for i in range(n):
                if output[k, b, i] != 0.0:
                    total[i] += 1.0
                    active[i] = True
                elif k >= first_step and not held[k, b, i]:
                    free[i] = True


@kernel
def _sum_outputs(output, low, high, total, active, free):
    n_steps, n_trials, n = output.shape
    for k in range(n_steps):
        for b in range(n_trials):
            for i in range(n):
                y = output[k, b, i]
                total[i] += y
                if abs(y) > 1e-6:
                    active[i] = True
                if low < y < high:
                    free[i] = True


@kernel
def _totals(total, active, free):
    """Return the sum of `total` and the numbers of silent and of saturated units."""
    sum_of_all, n_silent, n_saturated = 0.0, 0, 0
    for i in range(len(total)):
        sum_of_all += total[i]
        if not active[i]:
            n_silent += 1
        elif not free[i]:
            n_saturated += 1
    return sum_of_all, n_silent, n_saturated
