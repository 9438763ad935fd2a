"""Whether backpropagation through steep smooth units trains a committee, and moves the closest.

Run ``python experiments/seeds/smooth_committee.py``. First what holds for one smooth unit in
place of a threshold: the two usual ones are the same, the derivative comes from the output. Then
a committee of smooth units that get steeper and steeper: who is moved, how far, and whether that
is the committee rule. At last two rules that train one layer without any derivative, against
surrogate gradients through two.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

import spikesim as sp
from spikesim.comparison.builders import NEURON, latency_code, spike_code
from spikesim.comparison.builders import committee as build_committee
from spikesim.comparison.builders import surrogate as build_surrogate
from spikesim.comparison.protocol import Splits, streams
from spikesim.comparison.statistics import (
    Estimate,
    corrected_mean,
    detectable_difference,
    equivalent_means,
    equivalent_shares,
    wilson,
)
from spikesim.comparison.tasks import Problem, problem
from spikesim.comparison.tuning import points

EPS = float(np.finfo(float).eps)
# The worked example: three units at these net inputs.
EXAMPLE = (0.1, 0.3, 0.7)
# Of the tanh network whose twin is trained beside it.
_RATE = 0.1
MARGIN_XOR, MARGIN_IRIS = 0.1, 0.04
# Samples to train and to test on in a fold of Iris.
_PARTS = (135, 15)


@dataclass(frozen=True)
class Config:
    """How much is drawn and trained.

    Parameters
    ----------
    n_draws : int
        Random units behind the exact rows.
    n_checks : int
        Gradients checked against finite differences, for each kind of network.
    epochs : int
        Epochs along which two equivalent networks are compared.
    n_committees : int
        Random committees, each on a random flower.
    n_trained : int
        Committees that are trained to see what errors are left.
    steepness : tuple of float
        Of the random committees.
    hidden : int
        Units of a random committee.
    xor_steepness : tuple of float
        Of the committees that learn XOR.
    xor_hidden : int
        Their units.
    rates : tuple of float
        Steps that are tried for each.
    n_tune, n_starts : int
        Starts on which a step is chosen, and others on which it is tested.
    xor_epochs : int
        Epochs of training on XOR.
    n_trials : int
        Settings that are tried for each rule without a derivative.
    n_layer_tune, n_layer_starts : int
        Starts on XOR to choose their settings, and others to test them.
    n_tune_folds, n_folds : int
        The same for folds of Iris.
    layer_epochs, iris_epochs : int
        Epochs on the two; without a derivative LIF committees on Iris get half of them, and a
        fifth in the choice of settings.
    seed : int
        Source of all draws.
    n_jobs : int
        Number of processes; -1 takes every core.
    """

    n_draws: int = 200
    n_checks: int = 40
    epochs: int = 300
    n_committees: int = 1000
    n_trained: int = 150
    steepness: tuple[float, ...] = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0)
    hidden: int = 5
    xor_steepness: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
    xor_hidden: int = 3
    rates: tuple[float, ...] = (0.03, 0.1, 0.3, 1.0, 3.0)
    n_tune: int = 24
    n_starts: int = 120
    xor_epochs: int = 100
    n_trials: int = 16
    n_layer_tune: int = 40
    n_layer_starts: int = 100
    n_tune_folds: int = 10
    n_folds: int = 30
    layer_epochs: int = 300
    iris_epochs: int = 80
    seed: int = 1
    n_jobs: int = -1

    @classmethod
    def quick(cls) -> Config:
        """Return a run of seconds."""
        return cls(
            n_draws=50, n_checks=12, n_committees=200, n_trained=40, xor_steepness=(1.0, 4.0, 16.0),
            rates=(0.1, 0.3, 1.0), n_tune=8, n_starts=30, n_trials=4, n_layer_tune=4,
            n_layer_starts=30, n_tune_folds=2, n_folds=10, layer_epochs=150, iris_epochs=30,
        )  # fmt: skip

    @classmethod
    def smoke(cls) -> Config:
        """Return the smallest run that touches everything."""
        return cls(
            n_draws=4, n_checks=2, epochs=5, n_committees=12, n_trained=6,
            steepness=(1.0, 10.0, 200.0),
            hidden=3, xor_steepness=(1.0, 16.0), rates=(1.0,), n_tune=1, n_starts=2, xor_epochs=3,
            n_trials=1, n_layer_tune=1, n_layer_starts=1, n_tune_folds=1, n_folds=2,
            layer_epochs=2, iris_epochs=1, n_jobs=1,
        )  # fmt: skip


# ---- two codes for one unit


@dataclass(frozen=True)
class MappedDescent:
    """Steepest descent of a tanh network, written for the weights of its logistic twin.

    With ``w' = 4 w`` behind units of 0 and 1 in place of -1 and 1 (``2 w`` behind the input) and
    ``bias' = 2 bias - 2 sum w`` (``2 bias``), a step of the twin is this linear map of its
    gradient. Squared errors of the tanh network are four times as large.

    Parameters
    ----------
    learning_rate : float
        That of the tanh network.
    whole : bool
        Whether weights and bias of a unit take part in each other's step. Otherwise each only has
        a rate of its own.
    """

    learning_rate: float
    whole: bool = True

    def init(self, parameters: Any) -> None:
        """Return the state: none."""

    def update(self, parameters: Any, grads: Any, state: Any) -> tuple[Any, Any]:
        """Return new parameters."""
        new = []
        for index, (arrays, grad) in enumerate(zip(parameters, grads, strict=True)):
            by_w, by_bias = grad["w"], grad["bias"]
            if index:
                move_w = 4.0 * (4.0 * by_w - 2.0 * by_bias * self.whole)
                move_bias = 4.0 * by_bias
                if self.whole:
                    move_bias = move_bias - 2.0 * (4.0 * by_w - 2.0 * by_bias).sum(axis=0)
            else:
                move_w, move_bias = 4.0 * by_w, 4.0 * by_bias
            rate = 4.0 * self.learning_rate
            new.append(
                {"w": arrays["w"] - rate * move_w, "bias": arrays["bias"] - rate * move_bias}
            )
        return new, state


def twin(network: sp.LayeredNetwork) -> sp.LayeredNetwork:
    """Return the network of logistic units that computes what a network of tanh units does."""
    layers = []
    for index, layer in enumerate(network.layers):
        w, bias = 2.0 * layer.w, 2.0 * layer.bias
        if index:
            # An output of -1 to 1 is twice one of 0 to 1, less 1.
            w, bias = 2.0 * w, bias - w.sum(axis=0)
        layers.append(sp.Layer(w, sp.Sigmoid(), bias))
    return sp.LayeredNetwork(layers)


def distance(network: sp.LayeredNetwork, logistic: sp.LayeredNetwork) -> float:
    """Return the largest difference of a logistic network from the twin of a tanh network."""
    pairs = zip(twin(network).layers, logistic.layers, strict=True)
    return max(
        float(np.abs(getattr(a, name) - getattr(b, name)).max())
        for a, b in pairs
        for name in ("w", "bias")
    )


def drift(sizes: Sequence[int], epochs: int, seed: int, optimiser: Any) -> np.ndarray:
    """Train a tanh network and its twin on XOR; return their distance after each epoch."""
    data = sp.datasets.xor()
    x = data.features[np.newaxis]
    ours = sp.dense(sizes, sp.Tanh(), bias_sd=0.5, rng=seed)
    theirs = twin(ours)
    plain, mapped = (
        sp.learning.Backprop(sp.learning.MSE(), chosen)
        for chosen in (sp.learning.SGD(_RATE), optimiser)
    )
    found = [distance(ours, theirs)]
    for _ in range(epochs):
        ours = plain.step(ours, None, x, data.labels)[0]
        theirs = mapped.step(theirs, None, x, data.labels)[0]
        found.append(distance(ours, theirs))
    return np.array(found)


def row_same_unit(config: Config) -> tuple[sp.ledger.Row, dict[str, np.ndarray]]:
    """S2.1: the tanh and the logistic unit are one."""
    u = np.linspace(-20.0, 20.0, 4001)
    identity = float(np.abs(np.tanh(u) - (2.0 * sp.Sigmoid().forward(2.0 * u) - 1.0)).max())
    one, hidden = (2, 1), (2, 4, 1)
    whole, rates = MappedDescent(_RATE), MappedDescent(_RATE, whole=False)
    sixteen = sp.learning.SGD(16.0 * _RATE)
    curves = {
        "one unit, another rate": drift(one, config.epochs, config.seed, sixteen),
        "hidden layer, whole step mapped": drift(hidden, config.epochs, config.seed, whole),
        "hidden layer, rates alone": drift(hidden, config.epochs, config.seed, rates),
    }  # fmt: skip
    single, mapped, apart = (float(curve.max()) for curve in curves.values())
    close = max(identity, single, mapped) < 1e-9
    verdict = "fails" if not close else "holds" if apart < 1e-9 else "holds if"
    row = sp.ledger.Row(
        "S2.1",
        "A tanh unit for outputs of -1 and 1 and a logistic unit for 0 and 1 are the same unit, "
        "and so are networks of them.",
        f"largest difference of any weight from its image over {config.epochs} epochs on XOR, "
        "with a hidden layer",
        mapped, verdict, "same_unit",
        f"tanh(x) and 2 sigma(2x) - 1 differ by {identity:.1g} at most. A 2-4-1 tanh network and "
        "its logistic twin, with weights mapped so that both compute the same, were trained on "
        f"squared error side by side. For a single unit a rate {16} times as large is all that is "
        f"needed (largest difference {single:.1g}).\n\n"
        "Behind a hidden layer it is not: outputs of 0 and 1 have a mean of one half, which the "
        "next bias has to make up for, so a change of "
        "the weights there is a change of the bias here. With that in the step the two stay "
        f"together to {mapped:.1g}; with a rate for each array alone they end "
        f"{curves['hidden layer, rates alone'][-1]:.2g} apart. One unit being the other leads "
        "to expect otherwise, so this is a surprise: the networks are the same functions, but "
        "plain descent on them is not the same descent.",
        condition="" if verdict == "holds" else "the step is mapped as a whole: behind a hidden "
        "layer, weights and bias take part in each other's step",
    )  # fmt: skip
    return row, curves


# ---- one unit


def unit(neuron: Any, rng: np.random.Generator, n_inputs: int = 2) -> sp.LayeredNetwork:
    """Return a single unit with random weights and bias."""
    return sp.dense((n_inputs, 1), neuron, gain=1.5, bias_sd=1.0, rng=rng)


def gradient_error(network: sp.LayeredNetwork, x: np.ndarray, label: int) -> float:
    """Return the relative error of backpropagation against differences, for one datum."""
    rule = sp.learning.Backprop(sp.learning.MSE())
    check = sp.check_gradient(network, rule, x.reshape(1, 1, -1), [label])
    return check.max_relative_error


def row_one_unit(config: Config) -> tuple[sp.ledger.Row, np.ndarray]:
    """S2.2: the gradient of n(x, y) = sig(a x + b y + c)."""
    rng = np.random.default_rng(config.seed)
    errors, against_formula = [], 0.0
    for index in range(config.n_checks):
        neuron = (sp.Tanh(), sp.Sigmoid())[index % 2]
        network, x, label = unit(neuron, rng), rng.standard_normal(2), int(rng.integers(2))
        errors.append(gradient_error(network, x, label))
        layer = network.layers[0]
        u = x @ layer.w + layer.bias
        output = neuron.forward(u)
        target = neuron.bounds[label]
        formula = (output - target) * neuron.derivative(u, output) * np.array([*x, 1.0])
        moved = _moved(network, sp.learning.MSE(), x, label)
        against_formula = max(against_formula, float(np.abs(moved + formula).max()))
    row = sp.ledger.Row(
        "S2.2",
        "The unit n(x, y) = sig(ax + by + c) has the derivatives sig'(ax + by + c) times "
        "(x, y, 1) by its three weights.",
        f"largest relative error of the gradient against finite differences, {len(errors)} draws",
        max(errors), "holds" if max(errors) < 1e-6 and against_formula < 1e-12 else "fails",
        "gradient_checks",
        f"Half of {len(errors)} random units were tanh units and half logistic ones, each with a "
        "random datum and a random target. The gradient of the squared error agrees with "
        f"extrapolated central differences to {max(errors):.1g}, and the step that training makes "
        f"with the formula written out by hand to {against_formula:.1g}. The constant c is a "
        "weight like the others, from an input that is always 1.",
    )  # fmt: skip
    return row, np.array(errors)


def _moved(network: sp.LayeredNetwork, loss: Any, x: np.ndarray, label: int, **how: Any) -> Any:
    """Return by how much a step of rate 1 moves weights and bias of a single unit."""
    rule = sp.learning.Backprop(loss, sp.learning.SGD(1.0, **how))
    return _change(network, rule, x, label)


def _change(network: sp.LayeredNetwork, rule: Any, x: np.ndarray, label: int) -> np.ndarray:
    after = rule.step(network, rule.init(network), x.reshape(1, 1, -1), np.array([label]))[0]
    old, new = network.layers[0], after.layers[0]
    return np.append(new.w - old.w, new.bias - old.bias)


def row_fixed_step(config: Config) -> tuple[sp.ledger.Row, dict[str, np.ndarray]]:
    """S2.3: steepest descent against the perceptron's step."""
    rng = np.random.default_rng(config.seed + 1)
    found: dict[str, list[tuple[float, float]]] = {"tanh": [], "logistic": []}
    worst, turned, n_right = 0.0, 0.0, 0
    sizes_right = []
    for index in range(config.n_draws):
        name, neuron = (("tanh", sp.Tanh()), ("logistic", sp.Sigmoid()))[index % 2]
        network, x = unit(neuron, rng), rng.standard_normal(2)
        layer = network.layers[0]
        threshold = sp.LayeredNetwork([sp.Layer(layer.w, sp.Step(), layer.bias)])
        u = x @ layer.w + layer.bias
        slope = float(neuron.derivative(u, neuron.forward(u))[0])
        wrong, right = int(u[0] < 0.0), int(u[0] >= 0.0)
        step = _change(threshold, sp.learning.Perceptron(1.0), x, wrong)
        smooth = _moved(network, sp.learning.MAE(), x, wrong)
        ratio = float(smooth @ step / (step @ step))
        worst = max(worst, float(np.abs(smooth - slope * step).max()), abs(ratio - slope))
        found[name].append((float(u[0]), ratio))
        fixed = _moved(network, sp.learning.MAE(), x, wrong, normalised=True)
        turned = max(turned, float(np.abs(fixed - step / np.linalg.norm(step)).max()))
        still = _change(threshold, sp.learning.Perceptron(1.0), x, right)
        n_right += int(not still.any())
        sizes_right.append(float(np.linalg.norm(_moved(network, sp.learning.MAE(), x, right))))
    points = {name: np.array(pairs) for name, pairs in found.items()}
    row = sp.ledger.Row(
        "S2.3",
        "On an error, steepest descent with a fixed step moves a smooth unit as the perceptron "
        "rule moves a threshold unit, times the derivative at the net input.",
        f"largest difference of a step from sig' times the perceptron's, {config.n_draws} draws",
        worst, "holds" if worst < 1e-12 else "fails", "step_ratio",
        "A fixed step here means a constant rate on the absolute error, whose slope is 1 on "
        f"either side. On {config.n_draws} random units and data that they get wrong, the step "
        f"is that of the perceptron rule times sig'(w.x), to {worst:.1g}. Two things differ. Where "
        f"the answer is right the perceptron does not move (in {n_right} of {config.n_draws}), "
        f"steepest descent does, by {np.median(sizes_right):.2g} in the median.\n\n"
        "And if \"fixed\" "
        "is taken as a step of fixed length (`SGD(normalised=True)`), the derivative cancels: a "
        f"single unit then makes the perceptron's step divided by its length, to {turned:.1g}, "
        "however steep it is. Only with several units does the derivative say anything, namely "
        "how a step is shared among them (S2.9).",
    )  # fmt: skip
    return row, points


# ---- the derivative


def row_origin() -> sp.ledger.Row:
    """S2.4: a derivative of 1 at the origin, falling on both sides."""
    u = np.linspace(0.0, 15.0, 1501)
    at_zero, falls = {}, {}
    for name, neuron in (("tanh", sp.Tanh()), ("logistic", sp.Sigmoid())):
        slopes = neuron.derivative(u, neuron.forward(u))
        mirrored = neuron.derivative(-u, neuron.forward(-u))
        at_zero[name] = float(slopes[0])
        falls[name] = bool(np.all(np.diff(slopes) < 0.0) and np.all(np.diff(mirrored) < 0.0))
    everywhere = all(falls.values())
    ones = {name for name, slope in at_zero.items() if slope == 1.0}
    verdict = "holds" if len(ones) == 2 else "holds if" if ones and everywhere else "fails"
    return sp.ledger.Row(
        "S2.4",
        "The derivative of the smooth sign function is 1 at the origin and falls steadily to "
        "both sides.",
        "derivative of the logistic unit at the origin",
        at_zero["logistic"], verdict, "derivatives",
        f"The slope at 0 is {at_zero['tanh']:g} for tanh and {at_zero['logistic']:g} for the "
        "logistic function; both "
        f"{'fall' if everywhere else 'do not fall'} steadily up to 15 on either side. The text "
        "writes sig for both in turn and slides from one to the other: 1 is true of tanh, with "
        "outputs of -1 and 1, and of the logistic function only at a steepness of 4. It matters "
        "for deep networks, where slopes multiply: through five logistic layers at their "
        f"steepest a gradient shrinks to {at_zero['logistic'] ** 5:.1e} of itself, through five "
        "tanh layers not at all.",
        condition="" if verdict == "holds" else "sig is tanh; the logistic function has a slope "
        "of one quarter there",
    )  # fmt: skip


def sech2(x: np.ndarray) -> np.ndarray:
    """Return the derivative of tanh from its argument, without loss far out."""
    tail = np.exp(-2.0 * np.abs(x))
    return 4.0 * tail / (1.0 + tail) ** 2


def logistic_slope(x: np.ndarray) -> np.ndarray:
    """Return the derivative of the logistic function from its argument, without loss far out."""
    tail = np.exp(-np.abs(x))
    return tail / (1.0 + tail) ** 2


def tail_error(x: Any) -> np.ndarray:
    """Return the relative error of 4 exp(-2x) for the derivative of a tanh unit."""
    x = np.asarray(x, dtype=float)
    return 4.0 * np.exp(-2.0 * x) / sp.Tanh().derivative(x, np.tanh(x)) - 1.0


def row_tail() -> sp.ledger.Row:
    """S2.5: sech^2 x ~ 4 exp(-2x)."""
    at = np.array([1.0, 2.0, 3.0, 5.0])
    errors, exact = tail_error(at), np.expm1(2.0 * np.log1p(np.exp(-2.0 * at)))
    off = float(np.abs(errors - exact).max())
    far = np.array([10.0, 20.0])
    steepness = np.diff(np.log(logistic_slope(far)))[0] / -10.0
    return sp.ledger.Row(
        "S2.5",
        "Away from the origin the derivative of tanh is close to 4 exp(-2x).",
        "relative error of 4 exp(-2x) at x = 3",
        100.0 * float(errors[2]), "holds" if errors[2] < 0.01 and off < 1e-9 else "fails", "tails",
        f"The quotient of the two is exactly (1 + exp(-2x))^2, met here to {off:.1g}, so the "
        f"error is {100 * errors[0]:.0f} % at x = 1, {100 * errors[1]:.1f} % at 2, "
        f"{100 * errors[2]:.2f} % at 3 and {100 * errors[3]:.4f} % at 5, always above. The tail "
        f"belongs to tanh alone: that of the logistic function is exp(-x) (measured decay "
        f"{steepness:.4f}), half as fast on the same axis. It is this exponential that makes a "
        "steep committee choose: the ratio of two slopes is exponential in the difference of the "
        "two distances.",
        unit="%",
    )  # fmt: skip


class Counted(np.ndarray):
    """An array that writes down each elementwise function it goes through."""

    names: list[str]

    def __array_ufunc__(self, function: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        """Apply and note the function."""
        self.names.append(function.__name__)
        plain = (np.asarray(x) if isinstance(x, Counted) else x for x in inputs)
        return counted(getattr(function, method)(*plain, **kwargs), self.names)


def counted(values: Any, names: list[str]) -> Counted:
    """Return an array that notes what is done to it in `names`."""
    array = np.asarray(values).view(Counted)
    array.names = names
    return array


TRANSCENDENTAL = {"exp", "tanh", "cosh", "expm1", "log", "log1p", "logaddexp"}


def row_from_output() -> tuple[sp.ledger.Row, dict[str, np.ndarray]]:
    """S2.6: the derivative from the output alone."""
    u = np.linspace(0.0, 40.0, 4001)
    curves, operations, again, first, differ, dead = {"u": u}, [], 0, 0, 0.0, {}
    untouched = True
    for name, neuron, exact in (
        ("tanh", sp.Tanh(), sech2),
        ("logistic", sp.Sigmoid(), logistic_slope),
    ):
        output = neuron.forward(u)
        slopes = neuron.derivative(u, output)
        untouched &= np.array_equal(slopes, neuron.derivative(np.full(u.shape, np.nan), output))
        differ = max(differ, float(np.abs(slopes - exact(u)).max()))
        dead[name] = float(u[np.argmax(slopes == 0.0)])
        curves[name], curves[f"{name}, exact"] = slopes, exact(u)
        forward, backward = [], []
        neuron.forward(counted(u, forward))
        neuron.derivative(counted(u, backward), counted(output, backward))
        first += len(TRANSCENDENTAL & set(forward))
        again += len(TRANSCENDENTAL & set(backward))
        operations.append((name, ", ".join(forward), ", ".join(backward), f"{dead[name]:.2f}"))
    lost = np.abs(curves["tanh"] / curves["tanh, exact"] - 1.0)
    tail = np.expm1(2.0 * np.log1p(np.exp(-2.0 * u)))
    crossing = float(u[np.argmax(lost > tail)])
    row = sp.ledger.Row(
        "S2.6",
        "The derivative is cheap: it follows from the output, with no second exponential.",
        "transcendental functions in the derivatives of the two units",
        again, "holds" if again == 0 and untouched and differ < 4 * EPS else "fails", "tails",
        f"Counted by arrays that note what is done to them, a forward pass of both units takes "
        f"{first} transcendental functions and the derivatives {again}: a product and a "
        "difference of the output, the net input is not looked at. The result agrees with the "
        f"analytic derivative to {differ:.1g}, rounding, for all net inputs. But that is an "
        "absolute error. Far out 1 - y^2 is a difference of nearly equal numbers: its relative "
        f"error passes that of the tail formula of S2.5 at {crossing:.1f}, until the derivative is "
        "exactly 0 where the true one is not (table).",
        tables=(sp.ledger.Table("Elementwise operations, and where the derivative is exactly 0",
            ("unit", "forward", "derivative", "0 from"), tuple(operations)),),
    )  # fmt: skip
    return row, curves


# ---- committees and depth: gradients from the output backward


def committee_error(network: sp.LayeredNetwork, x: np.ndarray) -> float:
    """Return how far d f / d a_1 is from sig'(outer) sig'(u_1) x written out by hand."""
    hidden, outer = network.layers
    u = hidden.steepness * (x @ hidden.w) + hidden.bias
    votes = hidden.neuron.forward(u)
    total = votes @ outer.w + outer.bias
    f = outer.neuron.forward(total)
    by_hand = (
        outer.neuron.derivative(total, f)
        * hidden.neuron.derivative(u, votes)
        * hidden.steepness
        * x[:, np.newaxis]
    )
    # The absolute error has a slope of 1 above its target, so that its gradient is that of f.
    rule = sp.learning.Backprop(sp.learning.MAE(), sp.learning.SGD(1.0))
    after = rule.step(network, None, x.reshape(1, 1, -1), np.array([0]))[0]
    return float(np.abs(hidden.w - after.layers[0].w - by_hand).max())


def row_committee(config: Config) -> tuple[sp.ledger.Row, np.ndarray]:
    """S2.7: the gradient of f = sig(sum sig(a_j x + b_j y + c_j))."""
    rng = np.random.default_rng(config.seed + 2)
    errors, by_hand = [], 0.0
    for index in range(config.n_checks):
        neuron = (sp.Tanh, sp.Sigmoid)[index % 2](steepness=1.0 + index % 3)
        network = sp.learning.committee_network(2, 3, 1, neuron, bias_sd=0.5, rng=rng)
        x = rng.standard_normal(2)
        errors.append(gradient_error(network, x, int(rng.integers(2))))
        by_hand = max(by_hand, committee_error(network, x))
    row = sp.ledger.Row(
        "S2.7",
        "In a committee f = sig(sum_j sig(a_j x + b_j y + c_j)) the derivative by a_1 is "
        "sig'(outer) sig'(u_1) x, computed from the output backward.",
        f"largest relative error of the gradient against finite differences, {len(errors)} draws",
        max(errors), "holds" if max(errors) < 1e-6 and by_hand < 1e-12 else "fails",
        "gradient_checks",
        f"{len(errors)} random committees of three tanh or logistic units, of steepness 1 to 3, "
        f"agree with finite differences to {max(errors):.1g} and with the product written out by "
        f"hand to {by_hand:.1g} (with a factor for the steepness). The factor sig'(outer) is the "
        "same for all units: it scales the step and has no say in who takes it.",
    )  # fmt: skip
    return row, np.array(errors)


def row_depth(config: Config) -> tuple[sp.ledger.Row, dict[int, np.ndarray]]:
    """S2.8: any number of layers, datum by datum."""
    rng = np.random.default_rng(config.seed + 3)
    errors = {}
    for depth in (1, 2, 3, 4):
        found = []
        for index in range(max(2, config.n_checks // 4)):
            neuron = (sp.Tanh(), sp.Sigmoid())[index % 2]
            network = sp.dense((2, *[3] * (depth - 1), 1), neuron, bias_sd=0.5, rng=rng)
            found.append(gradient_error(network, rng.standard_normal(2), int(rng.integers(2))))
        errors[depth] = np.array(found)
    data = sp.datasets.xor()
    rule = sp.learning.Backprop(sp.learning.MSE(), sp.learning.SGD(0.5))
    network = start = sp.dense((2, 3, 3, 1), sp.Tanh(), rng=rng)
    for x, label in zip(data.features, data.labels, strict=True):
        network = rule.step(network, None, x.reshape(1, 1, -1), np.array([label]))[0]
    fitted = sp.fit(
        start, rule, data.features, data.labels, epochs=1, batch_size=1, shuffle=False, seed=0,
        warn=False, progress=False,
    ).network  # fmt: skip
    same = all(
        np.array_equal(a.w, b.w) and np.array_equal(a.bias, b.bias)
        for a, b in zip(network.layers, fitted.layers, strict=True)
    )
    worst = max(float(found.max()) for found in errors.values())
    listed = ", ".join(f"{found.max():.1g}" for found in errors.values())
    row = sp.ledger.Row(
        "S2.8",
        "The same computation goes through any number of layers, one datum at a time.",
        "largest relative error of the gradient against finite differences, one to four layers",
        worst, "holds" if worst < 1e-6 and same else "fails", "gradient_checks",
        f"Networks of one, two, three and four layers have errors of at most {listed}. An epoch "
        "of training with one datum a batch is "
        f"{'bit for bit' if same else 'not'} the sequence of single steps, so \"pointwise\" is "
        "what is trained here.",
    )  # fmt: skip
    return row, errors


# ---- a committee that gets steeper


def shares(u: Any, steepness: float) -> np.ndarray:
    """Return the share of a step that each unit of a tanh committee gets, along the last axis.

    All units have the same input and the same outer factor, so the share is that of the slope at
    ``steepness * u``; 0 where no slope is left in double precision.
    """
    at = steepness * np.asarray(u, dtype=float)
    slopes = sp.Tanh().derivative(at, np.tanh(at))
    total = slopes.sum(axis=-1, keepdims=True)
    return np.divide(slopes, total, out=np.zeros(slopes.shape), where=total > 0.0)


def exact_shares(u: Any, steepness: float) -> np.ndarray:
    """Return the shares of :func:`shares` from their logarithms, which never underflow.

    The share of unit i is 1 / (1 + sum over the others of slope_j / slope_i), and the logarithm of
    a slope sech^2 x is log 4 - 2 |x| - 2 log(1 + exp(-2 |x|)).
    """
    from scipy.special import softmax

    twice = 2.0 * np.abs(steepness * np.asarray(u, dtype=float))
    return softmax(-twice - 2.0 * np.log1p(np.exp(-twice)), axis=-1)


def closed_form(u: Any, steepness: float) -> float:
    """Return the share of the first unit, 1 / (1 + sum of the ratios of the other slopes to it)."""
    return float(exact_shares(u, steepness)[0])


def size(u: float, steepness: float) -> float:
    """Return how far the output of a unit moves by its weights: steepness sech^2(steepness u)."""
    return float(steepness * sech2(np.array(steepness * u)))


def committee(neuron: Any, n_inputs: int, n_hidden: int, seed: Any) -> sp.LayeredNetwork:
    """Return a committee that learns its weights alone; a constant input stands for the bias."""
    network = sp.learning.committee_network(n_inputs, n_hidden, 1, neuron, rng=seed)
    hidden, vote = network.layers
    return network.updated([replace(hidden, trainable=("w",)), vote])


def descent(loss: Any, rate: float = 1.0, normalised: bool = False) -> Any:
    """Return backpropagation with steepest descent."""
    return sp.learning.Backprop(loss, sp.learning.SGD(rate, normalised=normalised))


def flowers() -> tuple[np.ndarray, np.ndarray]:
    """Return versicolor and virginica, four scaled features and a constant, and their labels."""
    data = sp.datasets.iris()
    two = data.labels > 0
    x = data.features[two]
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    return np.column_stack([x, np.ones(len(x))]), data.labels[two] - 1


def random_committees(config: Config) -> dict[str, Any]:
    """Draw committees and data; measure shares, sizes, and agreement with Nilsson's choice.

    Returns
    -------
    dict
        By steepness, one value a draw: ``share`` of the closest unit in a step of training (0
        where nothing moves in double precision) and ``exact``, the same in closed form; ``size``
        of the step; ``hit`` (whether the largest share was the closest unit's; NaN where nothing
        moved); and, for draws that the committee gets wrong, ``overlap``, the share in closed form
        that falls to units that Nilsson's rule moves. ``agree``: whether the closest unit is one
        of those; ``even``: their share of all units; ``same``, by steepness: whether smooth and
        threshold units give the same answer; ``chance``: the share of wrong voters among all
        units; ``off``: largest difference of a share from that of the slopes in double precision.
    """
    x, labels = flowers()
    rng = np.random.default_rng(config.seed + 4)
    nilsson = sp.learning.Committee()
    found: dict[str, Any] = {
        name: {steepness: [] for steepness in config.steepness}
        for name in ("share", "exact", "size", "hit", "overlap", "same")
    }
    agree, even, chance, off = [], [], [], 0.0
    for draw_number in range(config.n_committees):
        seed = [config.seed, draw_number]
        threshold = committee(sp.Step(), x.shape[1], config.hidden, np.random.SeedSequence(seed))
        trial = int(rng.integers(len(x)))
        datum, label = x[trial].reshape(1, 1, -1), labels[trial : trial + 1]
        u = x[trial] @ threshold.layers[0].w
        closest = int(np.argmin(np.abs(u)))
        chosen = sp.learning.update_shares(nilsson, threshold, datum, label) > 0.0
        if chosen.any():
            agree.append(bool(chosen[closest]))
            even.append(float(np.mean(chosen)))
            chance.append(float(np.mean((u >= 0.0) != (label[0] == 1))))
        for steepness in config.steepness:
            smooth = committee(
                sp.Tanh(steepness), x.shape[1], config.hidden, np.random.SeedSequence(seed)
            )
            # A step of fixed length: a tiny one would drown in the rounding of the weights.
            rule = descent(sp.learning.MSE(), normalised=True)
            share = sp.learning.update_shares(rule, smooth, datum, label)
            off = max(off, float(np.abs(share - shares(u, steepness)).max()))
            exact = exact_shares(u, steepness)
            found["share"][steepness].append(share[closest])
            found["exact"][steepness].append(exact[closest])
            answer = sp.layered.forward(smooth, datum)[-1].output.item() >= 0.0
            found["same"][steepness].append(answer == (np.mean(u >= 0.0) > 0.5))
            found["hit"][steepness].append(
                float(np.argmax(share) == closest) if share.any() else np.nan
            )
            metrics = rule.step(smooth, None, datum, label)[2]
            found["size"][steepness].append(metrics.update_norms[0])
            if chosen.any():
                found["overlap"][steepness].append(float(exact[chosen].sum()))
    return {**found, "agree": agree, "even": even, "chance": chance, "off": off}


def trained_committees(config: Config) -> tuple[np.ndarray, np.ndarray]:
    """Train committees with Nilsson's rule and look at the errors that are left.

    Returns
    -------
    agree, chance : ndarray, shape (n_committees,)
        For each committee that still makes errors the share of them in which the closest unit is
        a wrong voter, and the share of wrong voters among all units.
    """
    x, labels = flowers()
    agree, chance = [], []
    for number in range(config.n_trained):
        seed = np.random.SeedSequence([config.seed, number])
        start = committee(sp.Step(), x.shape[1], config.hidden, seed)
        trained = sp.fit(
            start, sp.learning.Committee(0.3), x, labels, epochs=3, seed=number, warn=False,
            progress=False,
        ).network  # fmt: skip
        u = x @ trained.layers[0].w
        errors = (np.mean(u >= 0.0, axis=1) > 0.5) != (labels == 1)
        if errors.any():
            wrong = ((u >= 0.0) != (labels == 1)[:, np.newaxis])[errors]
            closest = np.argmin(np.abs(u[errors]), axis=1)
            agree.append(wrong[np.arange(len(wrong)), closest].mean())
            chance.append(wrong.mean())
    return np.array(agree), np.array(chance)


def _later(config: Config) -> tuple[str, tuple[tuple[str, str, str], ...]]:
    """Say what the closest unit is worth in trained committees, and as a line of a table."""
    from scipy.stats import bootstrap

    agree, chance = trained_committees(config)
    if len(agree) < 3:
        return "", ()
    ends = bootstrap((agree,), np.mean, rng=config.seed, method="basic").confidence_interval
    interval = f"{100 * ends.low:.0f} to {100 * ends.high:.0f}"
    text = (
        f" After three epochs of Nilsson's rule on all flowers that has changed: in {len(agree)} "
        f"committees with errors left the closest unit is a wrong voter in "
        f"{100 * agree.mean():.0f} % of them (95 % bootstrap {interval}), one picked at random in "
        f"{100 * chance.mean():.0f} %."
    )
    line = ("after three epochs", f"{100 * agree.mean():.0f} ({interval})",
            f"{100 * chance.mean():.0f}")  # fmt: skip
    return text, (line,)


def row_closest(config: Config, drawn: dict[str, Any]) -> sp.ledger.Row:
    """S2.9: steep units make backpropagation move the closest unit."""
    steep = config.steepness
    example = {s: (closed_form(EXAMPLE, s), size(EXAMPLE[0], s)) for s in (1, 2, 5, 10, 20)}
    medians = {s: float(np.median(drawn["exact"][s])) for s in steep}
    dead = {s: float(np.mean(np.isnan(drawn["hit"][s]))) for s in steep}
    sizes = {s: float(np.median(drawn["size"][s])) for s in steep}
    hits = np.concatenate([drawn["hit"][s] for s in steep])
    hit = float(np.mean(hits[~np.isnan(hits)]))
    agree = wilson(sum(drawn["agree"]), len(drawn["agree"]))
    chance = float(np.mean(drawn["chance"]))
    # Steep, but not so steep that many steps are lost to rounding.
    stated = max((s for s in steep if dead[s] <= 0.05), default=steep[0])
    most = {s: wilson(int(np.nansum(drawn["hit"][s])), config.n_committees) for s in steep}
    one_moves = medians[steep[-1]] > 0.99 and hit > 0.999
    vanishes = sizes[steep[-1]] < 1e-6 * max(sizes.values())
    verdict = "fails" if not one_moves else "holds if" if vanishes or agree.high < 1.0 else "holds"
    gap = 2.0 * (EXAMPLE[1] - EXAMPLE[0])
    slope = np.log((1.0 - closed_form(EXAMPLE, 20.0)) / (1.0 - closed_form(EXAMPLE, 10.0))) / -10.0
    listed = ", ".join(f"{share:.4g}" for share, _ in example.values())
    later, after = _later(config)
    tables = (
        sp.ledger.Table(
            "Three units at 0.1, 0.3 and 0.7 from their thresholds",
            ("steepness", "share of the closest", "size of its step"),
            tuple((f"{s}", f"{a:.4f}", f"{b:.3f}") for s, (a, b) in example.items()),
        ),
        sp.ledger.Table(
            f"{config.n_committees} random committees of {config.hidden} on a random flower each "
            "(versicolor or virginica)",
            ("steepness", "answers like threshold units (%)", "median share of the closest",
             "the closest moves most (%)", "nothing moves (%)", "median size of the gradient",
             "share of the step on units that the committee rule moves (%)"),
            tuple((f"{s:g}", f"{100 * np.mean(drawn['same'][s]):.1f}", f"{medians[s]:.4f}",
                   f"{100 * most[s].value:.1f}", f"{100 * dead[s]:.1f}", f"{sizes[s]:.2g}",
                   f"{100 * np.mean(drawn['overlap'][s]):.1f}") for s in steep),
        ),
        sp.ledger.Table(
            "Errors of committees: how often the unit voted wrongly. The closest of all units is "
            "one that the committee rule moves exactly if it did",
            ("committees", "the closest (%, 95 %)", "one picked at random (%)"),
            (("not trained", f"{100 * agree.value:.0f} ({100 * agree.low:.0f} to "
              f"{100 * agree.high:.0f})", f"{100 * chance:.0f}"), *after),
        ),
    )  # fmt: skip
    return sp.ledger.Row(
        "S2.9",
        "When the units of a committee get steep, its output hardly differs from that of "
        "threshold units, and backpropagation just moves the unit closest to its threshold.",
        f"steps in which the unit closest to its threshold moves most, steepness {stated:g}",
        100.0 * most[stated].value, verdict, "closest_unit",
        f"In the worked example the share of the closest unit is {listed} at a steepness of 1, 2, "
        "5, 10 and 20, and what the others get falls like "
        f"exp(-{slope:.2f} x steepness), close to twice the gap, {gap:.1g}. That it moves most is "
        "algebra, as the slope falls with the distance; in training, over "
        f"{config.n_committees} random committees, it did in {100 * hit:.4g} % of the steps that "
        f"moved anything. At a steepness of {stated:g} that is {100 * most[stated].value:.1f} % of "
        f"all; in the other {100 * (1.0 - most[stated].value):.1f} % nothing moves in double "
        f"precision. Its share there is {medians[stated]:.4f} in the median and goes to "
        f"{medians[steep[-1]]:.4f}, in closed form, which does not underflow; shares read off "
        f"training are those of the slopes to {drawn['off']:.1g}. Committees answer like threshold "
        f"units on {100 * np.mean(drawn['same'][stated]):.1f} % of the data at that steepness.\n\n"
        "So the direction is as claimed, but two things are not. The size of the step vanishes "
        f"exponentially, in the example after a rise to {max(b for _, b in example.values()):.2g}: "
        f"at a steepness of {steep[-1]:g} its "
        f"median over random committees is {sizes[steep[-1]]:.2g}, and on "
        f"{100 * dead[steep[-1]]:.0f} % of the data nothing moves at all in double precision. "
        "And the slope is even: it tells how close a unit is, not how it voted.\n\n"
        "Nilsson's rule, the committee rule of 1965, moves the closest of the units that voted "
        "wrongly. The closest of all is among those "
        f"it moves in {100 * agree.value:.0f} % of the errors (95 % Wilson {100 * agree.low:.0f} "
        f"to {100 * agree.high:.0f}). That is {_against(agree, chance)} a unit picked at random, "
        f"which is a wrong voter in {100 * chance:.0f} %: in committees that have learnt nothing "
        f"yet, closeness hardly tells how a unit voted.{later} In the "
        "other errors the steep net makes a right vote safer and leaves the error where it is.",
        interval=(100.0 * most[stated].low, 100.0 * most[stated].high),
        interval_kind="95 % Wilson", unit="%",
        condition="" if verdict == "holds" else "only the direction of the step counts, the "
        "closest unit is meant whatever it voted, and the size of the step, which goes to zero, is "
        "made up for",
        tables=tables,
    )  # fmt: skip


def _against(found: Any, chance: float) -> str:
    """Say how an estimate compares with a number: by its interval."""
    return (
        "more than" if found.low > chance else "less than" if found.high < chance else "as good as"
    )


# ---- does that train a committee? (H7)


@dataclass(frozen=True)
class OnErrors:
    """The distance of the score from the wrong side of its threshold, 0 where it is right."""

    def value_and_grad(
        self, scores: np.ndarray, labels: np.ndarray, n_outputs: int, *,
        targets: tuple[float, float] = (0.0, 1.0), threshold: float = 0.0,
    ) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
        """Return losses and gradient."""
        side = np.where(labels == 1, 1.0, -1.0)[:, np.newaxis]
        wrong = (scores >= threshold) != (side > 0.0)
        return np.abs(scores - threshold)[:, 0] * wrong[:, 0], -side * wrong


# What is learnt from, by name.
WAYS: dict[str, Callable[[float], Any]] = {
    "plain descent": lambda rate: descent(sp.learning.MSE(), rate),
    "fixed steps": lambda rate: descent(sp.learning.MSE(), rate, normalised=True),
    "fixed steps, on errors only": lambda rate: descent(OnErrors(), rate, normalised=True),
    "committee rule": lambda rate: sp.learning.Committee(rate),
    "closest of all": lambda rate: sp.learning.Committee(rate, among="all"),
}
_SMOOTH = tuple(WAYS)[:3]
# Epochs in a row without an error that count as solved.
_PATIENCE = 20


def solve_xor(
    way: str, steepness: float, rate: float, seeds: Sequence[int], epochs: int, hidden: int
) -> list[bool]:
    """Train a committee on XOR from each seed; return which end with all four right to stay."""
    data = sp.datasets.xor()
    x = np.column_stack([data.features, np.ones(4)])
    neuron = sp.Tanh(steepness) if way in _SMOOTH else sp.Step()
    solved = []
    for seed in seeds:
        with warnings.catch_warnings():
            # Units that stop to take part are what is looked for here.
            warnings.simplefilter("ignore", sp.SpikesimWarning)
            history = sp.fit(
                committee(neuron, 3, hidden, seed), WAYS[way](rate), x, data.labels,
                epochs=epochs, batch_size=1, seed=seed, until="solved", patience=_PATIENCE,
                warn=False, progress=False,
            ).history  # fmt: skip
        last = history.accuracy[-_PATIENCE:]
        solved.append(len(last) == _PATIENCE and bool(np.all(last == 1.0)))
    return solved


def steep_xor(config: Config) -> dict[tuple[str, float], dict[str, Any]]:
    """Tune the step of each way at each steepness, then count starts that solve XOR.

    Returns
    -------
    dict
        By way and steepness (0 for threshold units): ``rate``, ``solved`` for each start, and the
        ``share`` of the closest unit in the starts, with 0 where nothing moves.
    """
    from joblib import Parallel, delayed

    kinds = [(way, s) for way in _SMOOTH for s in config.xor_steepness]
    kinds += [(way, 0.0) for way in WAYS if way not in _SMOOTH]
    for way in WAYS:
        solve_xor(way, 1.0, 1.0, [0], 1, config.xor_hidden)
    parallel = Parallel(n_jobs=config.n_jobs)
    tries = [(way, s, rate) for way, s in kinds for rate in config.rates]
    # Starts of their own, so that no rate is chosen on the starts it is tested on.
    tuning = range(10_000, 10_000 + config.n_tune)
    scores = parallel(
        delayed(solve_xor)(way, s, rate, tuning, config.xor_epochs, config.xor_hidden)
        for way, s, rate in tries
    )
    best: dict[tuple[str, float], tuple[int, float]] = {}
    for (way, s, rate), solved in zip(tries, scores, strict=True):
        best[way, s] = max(best.get((way, s), (-1, 0.0)), (sum(solved), rate), key=lambda b: b[0])
    counts = parallel(
        delayed(solve_xor)(
            *kind, best[kind][1], range(config.n_starts), config.xor_epochs, config.xor_hidden
        )
        for kind in kinds
    )
    data = sp.datasets.xor()
    x = np.column_stack([data.features, np.ones(4)])
    found = {}
    for kind, solved in zip(kinds, counts, strict=True):
        u = np.concatenate(
            [x @ committee(sp.Step(), 3, config.xor_hidden, seed).layers[0].w
             for seed in range(config.n_starts)]
        )  # fmt: skip
        share = shares(u, kind[1]).max(axis=1) if kind[1] else np.zeros(0)
        found[kind] = {"rate": best[kind][1], "solved": np.array(solved), "share": share}
    return found


def judge_steep(
    config: Config, drawn: dict[str, Any], found: dict[tuple[str, float], dict[str, Any]]
) -> tuple[sp.ledger.Hypothesis, sp.ledger.Table]:
    """H7, and the table behind it."""
    rule = found["committee rule", 0.0]["solved"]
    lines, tests = [], {}
    for (way, steepness), entry in found.items():
        solved = entry["solved"]
        estimate = wilson(int(solved.sum()), len(solved))
        test = equivalent_shares(solved, rule, MARGIN_XOR)
        tests[way, steepness] = test
        moving = entry["share"] > 0.0
        lines.append((
            way, f"{steepness:g}" if steepness else "threshold", f"{entry['rate']:g}",
            f"{100 * estimate.value:.0f} ({100 * estimate.low:.0f} to {100 * estimate.high:.0f})",
            f"{np.median(entry['share'][moving]):.3f}" if moving.any() else "",
            f"{100 * np.mean(~moving):.0f}" if steepness else "",
            "" if way == "committee rule" else f"{_p(test.p_value)}",
        ))  # fmt: skip
    table = sp.ledger.Table(
        f"XOR with {config.xor_hidden} units, {config.n_starts} starts, {config.xor_epochs} "
        f"epochs; the step is the best of {len(config.rates)} on {config.n_tune} other starts",
        ("way", "steepness", "step", "solved (%)", "median share of the closest",
         "nothing moves (%)", "TOST against the committee rule, p"),
        tuple(lines),
    )  # fmt: skip
    steepest = config.steepness[-1]
    last_share = float(np.median(drawn["exact"][steepest]))
    sizes = [float(np.median(drawn["size"][s])) for s in config.steepness]
    agree = float(np.mean(drawn["agree"]))
    # Chosen by what moves in the untrained nets, so that no success on the test starts has a say.
    fixed = max(s for s in config.xor_steepness if _moves(found, s) or s == config.xor_steepness[0])
    nets = [kind for kind in found if kind[0].startswith("fixed") and kind[1] == fixed]
    apart = [way for way, s in nets if not tests[way, s].equivalent]
    met = [
        said for said, is_met in (
            ("the share of the closest unit does not tend to one", last_share <= 0.99),
            ("the move does not vanish", sizes[-1] >= 1e-6 * max(sizes)),
            ("full agreement", agree == 1.0),
        ) if is_met
    ]  # fmt: skip
    outcome = "held"
    if apart:
        outcome = "failed" if met or len(apart) == len(nets) else "held in part"
        met.append(_unrejected(len(apart), len(nets)))
    elif met:
        outcome = "failed"
    plain = [found["plain descent", s]["solved"].mean() for s in config.xor_steepness]
    limit = found["closest of all", 0.0]["solved"].mean()
    each = "; ".join(
        f"{kind[0]} {100 * found[kind]['solved'].mean():.0f} %, difference "
        f"{100 * tests[kind].value:.0f} points ({100 * tests[kind].low:.0f} to "
        f"{100 * tests[kind].high:.0f})" for kind in nets
    )  # fmt: skip
    best = max(found[kind]["solved"].mean() for kind in nets)
    text = (
        f"The share of the closest unit goes to {last_share:.4f}, the step to {sizes[-1]:.1g} "
        f"(steepness {steepest:g}), the choice agrees with Nilsson's (the committee rule of 1965: "
        "the closest of those that voted wrongly) in "
        f"{100 * agree:.0f} % of "
        f"the errors. Plain descent on XOR falls from {100 * plain[0]:.0f} % of {config.n_starts} "
        f"starts to {100 * plain[-1]:.0f} %. With fixed steps the steepest net of the sweep in "
        "which most presentations to the untrained net still move something, steepness "
        f"{fixed:g}, compares with the {100 * rule.mean():.0f} % of the committee rule like this: "
        f"{each}. By {_TOST} of 10 points "
        f"{len(nets) - len(apart)} of {len(nets)} are as good. {_power(config.n_starts)} The "
        "exact limit, threshold units of which the closest of all move, solves "
        f"{100 * limit:.0f} %. {_gentlest(config, found, best)}"
        f"Met of what would count against it: {'; '.join(met) or 'nothing'}."
    )
    return sp.ledger.Hypothesis("H7", outcome, text, ("S2.9",)), table


def _moves(found: dict[tuple[str, float], dict[str, Any]], steepness: float) -> bool:
    """Tell whether most presentations to untrained nets move something in double precision."""
    return float(np.mean(found["fixed steps", steepness]["share"] > 0.0)) > 0.5


def _gentlest(config: Config, found: dict[tuple[str, float], dict[str, Any]], steep: float) -> str:
    gentle, way = config.xor_steepness[0], "fixed steps, on errors only"
    share = found[way, gentle]["solved"].mean()
    if share <= steep:
        return ""
    return (
        "Units were made steep to come near the committee rule; the surprise is that gentle ones "
        f"come nearer: at a steepness of {gentle:g}, where all units move, fixed steps on errors "
        f"solve {100 * share:.0f} %. "
    )


def _p(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else "< 0.001"


# ---- one trained layer without a derivative (H8)


@dataclass(frozen=True)
class Entrant:
    """A rule, what it runs on, and where its settings are searched.

    Parameters
    ----------
    name : str
        What the tables call it.
    unit : object
        Its units.
    tasks : tuple of str
        Where it takes part.
    make : callable, optional
        Returns the rule from learning rate and margin; None for surrogate gradients, whose
        settings come with the package.
    rates : tuple of float
        Ends of the learning rates that are searched.
    code : callable
        Encoder of a task, for spiking units.
    """

    name: str
    unit: Any
    tasks: tuple[str, ...] = ("xor", "iris")
    make: Callable[[float, float], Any] | None = None
    rates: tuple[float, float] = (0.003, 1.0)
    code: Callable[[Problem], Any] = spike_code

    def space(self) -> tuple[tuple[float, float], ...]:
        """Return the ends of learning rate, margin and gain of the weights."""
        return self.rates, (0.01, 1.0), (1.0, 20.0) if self.unit.spiking else (0.3, 3.0)


_LMS = (0.02, 1.9)
# Tries, starts on XOR and folds of Iris with which the package tuned the surrogate.
_THEIRS = (16, 40, 10)
_TASKS = {"xor": "XOR", "iris": "Iris"}
_TOST = "TOST (two one-sided tests: the whole 90 % interval has to lie within the margin)"
SURROGATE = Entrant("surrogate gradient, LIF", NEURON)
ENTRANTS = tuple(
    Entrant(f"{name}, {kind}", unit, tasks, make, rates, code)
    for name, make, rates in (
        ("p-delta", sp.learning.PDelta, (0.003, 1.0)),
        ("Madaline II", sp.learning.MadalineII, _LMS),
    )
    for kind, unit, tasks, code in (
        ("threshold", sp.Step(), ("xor", "iris"), spike_code),
        ("LIF", NEURON, ("xor", "iris"), spike_code),
        ("LIF, latency code", NEURON, ("xor",), latency_code),
    )
)


class Fitted(NamedTuple):
    """What one run ends with: the share of test samples right, and its trained numbers."""

    accuracy: float
    n_trained: int


def fitted(
    entrant: Entrant, task: str, settings: Sequence[float], number: int, purpose: str, epochs: int,
    hidden: int,
) -> Fitted:  # fmt: skip
    """Train and test once, on the start or the fold of that number.

    All are built as the comparison of the package builds its contenders: same encoders, same
    streams of random numbers, and on Iris its folds.
    """
    data = sp.datasets.xor() if task == "xor" else sp.datasets.iris()
    shape = problem(task, "LIF")
    stream = streams(task, number, purpose)
    if entrant.make is None:
        tuned = sp.comparison.load_settings()[task]["surrogate gradient/LIF"]
        units = 4 if task == "xor" else 8
        plan = build_surrogate(recurrent=False)(shape, units, tuned, stream.weights)
    else:
        rate, margin, gain = settings
        start = {"gain": gain, "bias_sd": 0.5, "learning_rate": 1.0}
        build = build_committee(entrant.unit, entrant.code)
        plan = build(shape, hidden, start, stream.weights)
        plan = plan._replace(rule=entrant.make(rate, margin))
    x, labels = data.features, data.labels
    train = test = np.arange(len(labels))
    if task == "iris":
        splits = Splits.load("iris_tune" if purpose == "tune" else "iris_10x10")
        repeat, fold = divmod(number, splits.n_folds)
        train, test = (np.flatnonzero((splits.fold_of[repeat] == fold) == held)
                       for held in (False, True))  # fmt: skip
    if plan.scaling:
        x = (x - x[train].mean(axis=0)) / x[train].std(axis=0)
    n_trained = sum(a.size for layer in plan.network.layers for a in layer.parameters().values())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sp.SpikesimWarning)
        result = sp.fit(
            plan.network, plan.rule, x[train], labels[train], encoder=plan.encoder, epochs=epochs,
            batch_size=plan.batch_size, seed=stream.training, warn=False, progress=False,
            until="solved" if task == "xor" else None, patience=_PATIENCE,
        )  # fmt: skip
    return Fitted(result.score(x[test], labels[test]), n_trained)


def one_layer(config: Config) -> dict[str, dict[str, dict[str, Any]]]:
    """Tune both rules on starts and folds of their own, then test them beside the surrogate.

    Returns
    -------
    dict
        By task and entrant: ``accuracy`` of each start or fold, ``settings`` (learning rate,
        margin, gain), ``n_trained`` numbers.
    """
    from joblib import Parallel, delayed

    parallel = Parallel(n_jobs=config.n_jobs)
    cube = points(config.n_trials)
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for task, n_tune, n_test in (
        ("xor", config.n_layer_tune, config.n_layer_starts),
        ("iris", config.n_tune_folds, config.n_folds),
    ):
        everyone = [e for e in (SURROGATE, *ENTRANTS) if task in e.tasks]
        jobs = [
            (entrant, task, _at(entrant, point), number, "tune",
             _epochs(config, entrant, task, tuning=True), config.hidden)
            for entrant in everyone if entrant.make is not None
            for point in cube for number in range(n_tune)
        ]  # fmt: skip
        if config.n_jobs != 1:
            for entrant in everyone:
                fitted(entrant, task, _at(entrant, cube[0]), 0, "tune", 1, config.hidden)
        scores = iter(parallel(delayed(fitted)(*job) for job in jobs))
        chosen = {SURROGATE.name: (0.0, 0.0, 0.0)}
        for entrant in everyone[1:]:
            means = [np.mean([_score(task, next(scores)) for _ in range(n_tune)]) for _ in cube]
            chosen[entrant.name] = _at(entrant, cube[int(np.argmax(means))])
        runs = iter(parallel(
            delayed(fitted)(entrant, task, chosen[entrant.name], number, "test",
                            _epochs(config, entrant, task), config.hidden)
            for entrant in everyone for number in range(n_test)
        ))  # fmt: skip
        found[task] = {}
        for entrant in everyone:
            results = [next(runs) for _ in range(n_test)]
            found[task][entrant.name] = {
                "accuracy": np.array([result.accuracy for result in results]),
                "settings": chosen[entrant.name],
                "n_trained": results[0].n_trained,
            }
    return found


def _at(entrant: Entrant, point: np.ndarray) -> tuple[float, ...]:
    return tuple(
        float(f"{low * (high / low) ** float(share):.3g}")
        for share, (low, high) in zip(point, entrant.space(), strict=True)
    )


def _epochs(config: Config, entrant: Entrant, task: str, tuning: bool = False) -> int:
    if task == "xor":
        return config.layer_epochs
    if entrant.make is None or not entrant.unit.spiking:
        return config.iris_epochs
    return max(1, config.iris_epochs // (5 if tuning else 2))


def _score(task: str, result: Fitted) -> float:
    return float(result.accuracy == 1.0) if task == "xor" else result.accuracy


def judge_one_layer(
    config: Config, found: dict[str, dict[str, dict[str, Any]]]
) -> tuple[sp.ledger.Hypothesis, sp.ledger.Table]:
    """H8, and the table behind it."""
    lines, tests, said = [], {}, []
    for task, entries in found.items():
        theirs = entries[SURROGATE.name]["accuracy"]
        for name, entry in entries.items():
            estimate = _estimate(task, entry["accuracy"])
            test = None
            if name != SURROGATE.name:
                test = tests[task, name] = _equivalence(task, entry["accuracy"], theirs)
            rate, margin, gain = entry["settings"]
            lines.append((
                {"xor": "XOR, starts solved", "iris": "Iris, accuracy"}[task], name,
                f"{100 * estimate.value:.1f} ({100 * estimate.low:.1f} to "
                f"{100 * estimate.high:.1f})",
                f"{entry['n_trained']}",
                "tuned" if test is None else f"{rate:g}, {margin:g}, {gain:g}",
                "" if test is None else f"{100 * test.value:+.1f} ({100 * test.low:+.1f} to "
                f"{100 * test.high:+.1f})",
                "" if test is None else _p(test.p_value),
            ))  # fmt: skip
        shown = {name: _estimate(task, e["accuracy"]).value for name, e in entries.items()}
        figures = "; ".join(f"{name} {100 * value:.1f} %" for name, value in shown.items())
        said.append(f"{'XOR solved' if task == 'xor' else 'Iris'}: {figures}.")
    table = sp.ledger.Table(
        f"One trained layer against surrogate gradients through two ({config.n_layer_starts} "
        f"starts, {config.n_folds} folds). The rules have committees of {config.hidden} units; "
        f"{config.n_trials} settings each were tried on {config.n_layer_tune} other starts or "
        f"{config.n_tune_folds} other folds. Those of the surrogate are the tuned ones of the "
        f"package, from {_THEIRS[0]} tries on {_THEIRS[1]} starts or {_THEIRS[2]} folds. Rows "
        "with a latency code are exploratory and have no part in the verdict.",
        ("task", "rule", "% (95 %)", "trained numbers", "rate, margin, gain",
         "difference (90 %)", "TOST, p"),
        tuple(lines),
    )  # fmt: skip
    registered = {pair: test for pair, test in tests.items() if not _exploratory(pair[1])}
    groups: dict[str, list[str]] = {"as good": [], "worse": [], "undecided": []}
    for (task, name), test in registered.items():
        kind = (
            "as good" if test.equivalent else "worse" if test.high < -test.margin else "undecided"
        )
        groups[kind].append(f"{name.replace(', ', ' (')}) on {_TASKS[task]}")
    against = groups["worse"] + groups["undecided"]
    outcome = "held" if not against else "held in part" if groups["as good"] else "failed"
    text = (
        " ".join(said) + f" Against the surrogate, by {_TOST} with 10 points on XOR and 4 on Iris: "
        + "; ".join(f"{kind}: {', '.join(names)}" for kind, names in groups.items() if names)
        + f". {_power(config.n_layer_starts)} {_detectable(found)} {_tuning(config)}"
        + _codes(found)
    )  # fmt: skip
    text += f" Met of what would count against it: {_unrejected(len(against), len(registered))}."
    return sp.ledger.Hypothesis("H8", outcome, text, ("S2.9",)), table


def _exploratory(name: str) -> bool:
    """Tell the arms that were added after the hypotheses were written down."""
    return name.endswith("latency code")


def _unrejected(n: int, of: int) -> str:
    return f"TOST does not reject for {n} of {of} pairs" if n else "nothing"


def _power(n: int) -> str:
    """Say what it takes that TOST rejects on so many starts, the other solving all of them."""
    from scipy.stats import binom

    everyone = np.ones(n, dtype=bool)
    missed = 0
    while missed < n and equivalent_shares(
        np.arange(n) >= missed, everyone, MARGIN_XOR
    ).equivalent:  # fmt: skip
        missed += 1
    if not missed:
        return f"With {n} starts TOST cannot reject even where both solve them all."
    return (
        f"With {n} starts, of which the other solves all, TOST rejects if at most {missed - 1} are "
        f"missed: with probability {binom.cdf(missed - 1, n, 0.0):.2g} for a rule that never "
        f"misses, {binom.cdf(missed - 1, n, 0.02):.2g} for one that misses 2 % and "
        f"{binom.cdf(missed - 1, n, 0.05):.2g} at 5 %."
    )


def _detectable(found: dict[str, dict[str, dict[str, Any]]]) -> str:
    """Say which differences on Iris the folds can tell from none."""
    theirs = found["iris"][SURROGATE.name]["accuracy"]
    smallest = [
        100 * detectable_difference(float(np.std(ours["accuracy"] - theirs, ddof=1)),
                                    len(theirs), *_PARTS)
        for name, ours in found["iris"].items() if name != SURROGATE.name
    ]  # fmt: skip
    return (
        f"On {len(theirs)} folds of Iris the smallest difference that would be found with a "
        f"power of 80 % is {min(smallest):.1f} to {max(smallest):.1f} points, by rule."
    )


def _tuning(config: Config) -> str:
    """Say how alike the rules and the surrogate were tuned."""
    ours = (config.n_trials, config.n_layer_tune, config.n_tune_folds)
    if ours == _THEIRS:
        text = "Rules and surrogate had the same number of tries, starts and folds for tuning"
    else:
        text = (
            "The rules were tuned with less than the surrogate, {} tries on {} starts or {} "
            "folds against {}, {} and {}".format(*ours, *_THEIRS)
        )
    return text + "; LIF committees on Iris are trained half as long, a fifth in tuning."


def _codes(found: dict[str, dict[str, dict[str, Any]]]) -> str:
    moves = []
    for name in filter(_exploratory, found["xor"]):
        before, after = (
            100 * _estimate("xor", found["xor"][kind]["accuracy"]).value
            for kind in (name.removesuffix(", latency code"), name)
        )
        moves.append(f"{name.split(',')[0]} goes from {before:.0f} to {after:.0f} %")
    if not moves:
        return ""
    return (
        " Exploratory, not part of the verdict: with one early or late spike for each input in "
        f"place of a rate, LIF committees on XOR change, {' and '.join(moves)}; the surrogate "
        "reads rates."
    )


def _estimate(task: str, accuracy: np.ndarray) -> Any:
    if task == "xor":
        return wilson(int(np.sum(accuracy == 1.0)), len(accuracy))
    value, low, high = corrected_mean(accuracy, *_PARTS)
    return Estimate(value, max(0.0, low), min(1.0, high))


def _equivalence(task: str, ours: np.ndarray, theirs: np.ndarray) -> Any:
    if task == "xor":
        return equivalent_shares(ours == 1.0, theirs == 1.0, MARGIN_XOR)
    return equivalent_means(ours, theirs, MARGIN_IRIS, n_train=_PARTS[0], n_test=_PARTS[1])


def run(config: Config) -> dict[str, Any]:
    """Measure everything.

    Returns
    -------
    dict
        ``rows`` and ``hypotheses`` for the ledger, and what :func:`draw` needs.
    """
    same_unit, trajectories = row_same_unit(config)
    one_unit, unit_errors = row_one_unit(config)
    fixed_step, ratios = row_fixed_step(config)
    from_output, slopes = row_from_output()
    committee, committee_errors = row_committee(config)
    depth, depth_errors = row_depth(config)
    drawn = random_committees(config)
    closest = row_closest(config, drawn)
    xor = steep_xor(config)
    steep, xor_table = judge_steep(config, drawn, xor)
    layer = one_layer(config)
    one_trained, layer_table = judge_one_layer(config, layer)
    return {
        "rows": [
            same_unit, one_unit, fixed_step, row_origin(), row_tail(), from_output, committee,
            depth, replace(closest, tables=(*closest.tables, xor_table, layer_table)),
        ],
        "hypotheses": [steep, one_trained],
        "drawn": drawn,
        "xor": xor,
        "layer": layer,
        "trajectories": trajectories,
        "ratios": ratios,
        "slopes": slopes,
        "gradient_errors": {
            "one unit": unit_errors,
            "committee": committee_errors,
            **{f"{n} layer{'s' * (n > 1)}": found for n, found in depth_errors.items()},
        },
    }  # fmt: skip


COLOURS, MARKERS, LINES = sp.plotting.COLOURS, sp.plotting.MARKERS, sp.plotting.LINE_STYLES
SMALLEST = 1e-17


def draw(found: dict[str, Any]) -> dict[str, Any]:
    """Return the figures by name."""
    return {
        "same_unit": _draw_same_unit(found["trajectories"]),
        "gradient_checks": _draw_gradient_checks(found["gradient_errors"]),
        "step_ratio": _draw_step_ratio(found["ratios"]),
        "derivatives": _draw_derivatives(),
        "tails": _draw_tails(found["slopes"]),
        "closest_unit": _draw_closest(found["drawn"]),
        "steep_committees_on_xor": _draw_xor(found["xor"]),
        "one_trained_layer": _draw_one_layer(found["layer"]),
    }


def _axes(width: float, height: float, n: int = 1) -> tuple[Any, Any]:
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, n, figsize=(width, height), layout="constrained", squeeze=False)
    for ax in axes[0]:
        ax.spines[["top", "right"]].set_visible(False)
    return figure, axes[0] if n > 1 else axes[0, 0]


def _draw_same_unit(curves: dict[str, np.ndarray]) -> Any:
    figure, ax = _axes(6.6, 3.4)
    for index, (label, curve) in enumerate(curves.items()):
        ax.semilogy(
            np.maximum(curve, SMALLEST), color=COLOURS[index], linestyle=LINES[index], label=label
        )
    ax.set_xlabel("epoch")
    ax.set_ylabel("largest difference from\nthe mapped weights")
    ax.set_ylim(SMALLEST / 2.0, 100.0)
    ax.legend(frameon=False, fontsize="small", loc="center right", bbox_to_anchor=(1.0, 0.6))
    return figure


def _draw_gradient_checks(errors: dict[str, np.ndarray]) -> Any:
    figure, ax = _axes(6.6, 2.8)
    for index, (label, values) in enumerate(reversed(errors.items())):
        jitter = np.linspace(-0.2, 0.2, len(values))
        ax.plot(np.maximum(values, SMALLEST), index + jitter, linestyle="", markersize=3.5,
                marker="o", color=COLOURS[0], label=label)  # fmt: skip
    ax.set_yticks(range(len(errors)), list(errors)[::-1])
    ax.axvline(1e-6, color=COLOURS[1], linestyle="--")
    ax.annotate("counts as wrong from here", (1e-6, 0.98), (4, 0), fontsize="small",
                xycoords=("data", "axes fraction"), textcoords="offset points", va="top",
                color=COLOURS[1])  # fmt: skip
    ax.set_xscale("log")
    ax.set_xlim(SMALLEST, 1e-2)
    ax.set_xlabel("relative error of the gradient")
    return figure


def _draw_step_ratio(points: dict[str, np.ndarray]) -> Any:
    figure, ax = _axes(6.6, 3.4)
    u = np.linspace(-5.0, 5.0, 201)
    for index, (name, slope) in enumerate((("tanh", sech2), ("logistic", logistic_slope))):
        at = points[name]
        inside = at[np.abs(at[:, 0]) <= u[-1]]
        ax.plot(u, slope(u), color=COLOURS[index], linestyle=LINES[index],
                label=f"sig', {name}")  # fmt: skip
        ax.plot(*inside.T, linestyle="", marker=MARKERS[index], markersize=4, color=COLOURS[index],
                fillstyle="none", label=f"steps of {name} units")  # fmt: skip
    ax.set_xlabel("net input w.x")
    ax.set_ylabel("step over the\nperceptron's step")
    ax.legend(frameon=False, fontsize="small")
    return figure


def _draw_derivatives() -> Any:
    figure, ax = _axes(6.6, 3.2)
    u = np.linspace(-6.0, 6.0, 241)
    for index, (name, neuron) in enumerate((("tanh", sp.Tanh()), ("logistic", sp.Sigmoid()))):
        slopes = neuron.derivative(u, neuron.forward(u))
        ax.plot(u, slopes, color=COLOURS[index], linestyle=LINES[index], label=name)
        ax.plot(0.0, slopes[120], color=COLOURS[index], marker=MARKERS[index])
        ax.annotate(f"{slopes[120]:g}", (0.0, slopes[120]), (7, 2), textcoords="offset points",
                    color=COLOURS[index])  # fmt: skip
    ax.set_ylim(0.0, 1.1)
    ax.set_xlabel("net input")
    ax.set_ylabel("derivative")
    ax.legend(frameon=False, fontsize="small")
    return figure


def _draw_tails(curves: dict[str, np.ndarray]) -> Any:
    figure, (left, right) = _axes(8.4, 3.5, 2)
    u = curves["u"]
    for index, (name, factor) in enumerate((("tanh", 2.0), ("logistic", 1.0))):
        alive = curves[name] > 0.0
        left.semilogy(u[alive], curves[name][alive], color=COLOURS[index], linewidth=2.5,
                      label=f"{name}, from the output")  # fmt: skip
        tail = f"{4 if index == 0 else ''} exp(-{2 if index == 0 else ''}x)".strip()
        left.semilogy(u, factor**2 * np.exp(-factor * u), color="black", linestyle=LINES[index + 1],
                      linewidth=1.0, label=tail)  # fmt: skip
        end = u[alive][-1]
        left.plot(end, curves[name][alive][-1], color=COLOURS[index], marker=MARKERS[index])
        left.annotate(
            f"0 from {end:.1f} on", (end, curves[name][alive][-1]), (-6, -9), fontsize="small",
            textcoords="offset points", ha="right", color=COLOURS[index],
        )  # fmt: skip
    left.set_ylim(1e-20, 10.0)
    left.set_xlabel("net input x")
    left.set_ylabel("derivative")
    left.legend(frameon=False, fontsize="small", loc="lower center", bbox_to_anchor=(0.45, 1.0),
                ncols=2)  # fmt: skip
    x = u[(u > 0.0) & (u < 20.0)]
    exact, ours = curves["tanh, exact"], curves["tanh"]
    lost = np.abs(ours / exact - 1.0)[(u > 0.0) & (u < 20.0)]
    right.semilogy(x, np.maximum(lost, SMALLEST), color=COLOURS[0], linewidth=1.2,
                   label="1 - y²")  # fmt: skip
    right.semilogy(x, np.expm1(2.0 * np.log1p(np.exp(-2.0 * x))), color="black", linestyle=LINES[1],
                   label="4 exp(-2x)")  # fmt: skip
    at = np.array([1.0, 2.0, 3.0, 5.0])
    right.plot(at, tail_error(at), linestyle="", marker="s", markersize=4, color="black",
               label="x = 1, 2, 3, 5")  # fmt: skip
    right.set_ylim(SMALLEST, 10.0)
    right.set_xlabel("net input x")
    right.set_ylabel("relative error, tanh")
    right.legend(frameon=False, fontsize="small", loc="lower center", bbox_to_anchor=(0.5, 1.0),
                 ncols=2)  # fmt: skip
    return figure


def _draw_closest(drawn: dict[str, Any]) -> Any:
    figure, (left, middle, right) = _axes(8.2, 3.9, 3)
    steep = np.array(list(drawn["share"]))
    fine = np.geomspace(steep[0], steep[-1], 200)
    example = {"color": COLOURS[1], "linestyle": "--", "label": "units at 0.1, 0.3, 0.7"}
    left.plot(fine, [closed_form(EXAMPLE, s) for s in fine], **example)
    _band(left, drawn["exact"])
    left.set_ylabel("share of the step on the closest unit")
    middle.plot(fine, [size(EXAMPLE[0], s) for s in fine], **example)
    _band(middle, drawn["size"])
    middle.set_yscale("log")
    middle.set_ylim(1e-12, 30.0)
    middle.set_ylabel("size of the gradient")
    agree = wilson(sum(drawn["agree"]), len(drawn["agree"]))
    right.axhspan(agree.low, agree.high, color=COLOURS[2], alpha=0.2, linewidth=0)
    right.axhline(agree.value, color=COLOURS[2], linestyle="-.",
                  label="all on the closest (band: 95 %)")  # fmt: skip
    right.axhline(np.mean(drawn["even"]), color="0.35", linestyle=":", label="shared evenly")
    overlap = [float(np.mean(values)) for values in drawn["overlap"].values()]
    right.plot(steep, overlap, color=COLOURS[0], marker="o", label="random committees, mean")
    right.set_ylabel("share of the step on units\nthe committee rule would move")
    for ax in (left, right):
        ax.set_ylim(-0.02, 1.02)
    for ax in (left, middle, right):
        ax.set_xscale("log")
        ax.set_xlabel("steepness")
        ax.legend(frameon=False, fontsize="small", loc="lower center", bbox_to_anchor=(0.45, 1.0))
    return figure


def _band(ax: Any, values: dict[float, Any]) -> None:
    low, median, high = (
        [float(np.quantile(v, q)) if len(v) else np.nan for v in values.values()]
        for q in (0.25, 0.5, 0.75)
    )
    ax.fill_between(list(values), low, high, color=COLOURS[0], alpha=0.2, linewidth=0,
                    label="their middle half")  # fmt: skip
    ax.plot(list(values), median, color=COLOURS[0], marker="o", label="random committees, median")


def _draw_xor(found: dict[tuple[str, float], dict[str, Any]]) -> Any:
    figure, ax = _axes(6.6, 3.8)
    for index, way in enumerate(_SMOOTH):
        steep = [s for name, s in found if name == way]
        counts = [found[way, s]["solved"] for s in steep]
        estimates = [wilson(int(c.sum()), len(c)) for c in counts]
        value = np.array([e.value for e in estimates])
        spread = [value - [e.low for e in estimates], [e.high for e in estimates] - value]
        ax.errorbar(steep, 100 * value, 100 * np.array(spread), color=COLOURS[index], capsize=2,
                    marker=MARKERS[index], linestyle=LINES[index], label=way)  # fmt: skip
    for index, way in enumerate(("committee rule", "closest of all"), 3):
        solved = found[way, 0.0]["solved"]
        estimate = wilson(int(solved.sum()), len(solved))
        ax.axhline(100 * estimate.value, color=COLOURS[index], linestyle=LINES[index],
                   label=f"{way}, threshold units")  # fmt: skip
        ax.axhspan(100 * estimate.low, 100 * estimate.high, color=COLOURS[index], alpha=0.15,
                   linewidth=0)  # fmt: skip
    ax.set_xscale("log", base=2)
    ax.set_xticks(steep, [f"{s:g}" for s in steep])
    ax.set_xlabel("steepness of the hidden units")
    ax.set_ylabel("starts that solve XOR (%)")
    ax.set_ylim(-3.0, 103.0)
    ax.legend(frameon=False, fontsize="small", loc="lower center", bbox_to_anchor=(0.5, 1.0),
              ncols=2)  # fmt: skip
    return figure


def _draw_one_layer(found: dict[str, dict[str, dict[str, Any]]]) -> Any:
    figure, axes = _axes(8.4, 3.6, 2)
    names = [name for name in found["xor"] if name != SURROGATE.name][::-1]
    labels = {"xor": "starts that solve XOR", "iris": "accuracy on Iris"}
    shown = [name + " (exploratory)" * _exploratory(name) for name in names]
    drawn = set()
    for ax, (task, entries) in zip(axes, found.items(), strict=True):
        theirs = entries[SURROGATE.name]["accuracy"]
        margin = {"xor": MARGIN_XOR, "iris": MARGIN_IRIS}[task]
        ax.axvspan(-100 * margin, 100 * margin, color="0.9", linewidth=0)
        ax.axvline(0.0, color="0.35", linewidth=0.8)
        for place, name in enumerate(names):
            if name not in entries:
                ax.annotate("not run", (0.02, place), xycoords=("axes fraction", "data"),
                            va="center", fontsize="small", color="0.35")  # fmt: skip
                continue
            test = _equivalence(task, entries[name]["accuracy"], theirs)
            index = 0 if test.equivalent else 1
            drawn.add(index)
            value, low, high = 100 * test.value, 100 * test.low, 100 * test.high
            ax.errorbar(value, place, xerr=[[value - low], [high - value]], color=COLOURS[index],
                        marker=MARKERS[index], capsize=2)  # fmt: skip
            share = 100 * _estimate(task, entries[name]["accuracy"]).value
            ax.annotate(f"{share:.0f} %", (value, place), (0, 5), textcoords="offset points",
                        ha="center", fontsize="small", color=COLOURS[index])  # fmt: skip
        ax.set_yticks(range(len(names)), shown if ax is axes[0] else [])
        ax.set_ylim(-0.6, len(names) - 0.4)
        share = 100 * _estimate(task, theirs).value
        ax.set_xlabel(f"{labels[task]}, difference from\nthe surrogate's {share:.0f} % (points)")
    meaning = ("as good (90 % interval within the margin, grey)",
               "not shown to be as good (margin: grey)")  # fmt: skip
    handles = [
        axes[0].errorbar([], [], xerr=[], color=COLOURS[index], marker=MARKERS[index], capsize=2)
        for index in sorted(drawn)
    ]
    figure.legend(handles, [meaning[index] for index in sorted(drawn)],
                  loc="outside upper center", ncols=2, frameon=False, fontsize="small")  # fmt: skip
    return figure


def main(argv: Sequence[str] | None = None) -> None:
    """Run the experiment and print its rows."""
    sp.ledger.main("smooth_committee", __doc__.splitlines()[0], Config, run, draw, argv)


if __name__ == "__main__":
    main()
