"""Whether backpropagation through steep smooth units trains a committee, and moves the closest.

Run ``python experiments/seeds/smooth_committee.py``. First what holds for one smooth unit in
place of a threshold: the two usual ones are the same, the derivative comes from the output. Then
a committee of smooth units that get steeper and steeper: who is moved, how far, and whether that
is the committee rule. At last two rules that train one layer without any derivative, against
surrogate gradients through two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import spikesim as sp

EPS = float(np.finfo(float).eps)
# The worked example: three units at these net inputs.
EXAMPLE = (0.1, 0.3, 0.7)
# Of the tanh network whose twin is trained beside it.
_RATE = 0.1


@dataclass(frozen=True)
class Config:
    """How much is drawn and trained.

    Parameters
    ----------
    n_draws : int
        Random units, networks and committees behind the exact rows.
    n_checks : int
        Gradients checked against finite differences, for each kind of network.
    epochs : int
        Epochs along which two equivalent networks are compared.
    seed : int
        Source of all draws.
    n_jobs : int
        Number of processes; -1 takes every core.
    """

    n_draws: int = 200
    n_checks: int = 40
    epochs: int = 300
    seed: int = 1
    n_jobs: int = -1

    @classmethod
    def quick(cls) -> Config:
        """Return a run of seconds."""
        return cls(n_draws=50, n_checks=12)

    @classmethod
    def smoke(cls) -> Config:
        """Return the smallest run that touches everything."""
        return cls(n_draws=4, n_checks=2, epochs=5, n_jobs=1)


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
        f"needed (largest difference {single:.1g}). Behind a hidden layer it is not: outputs of 0 "
        "and 1 have a mean of one half, which the next bias has to make up for, so a change of "
        "the weights there is a change of the bias here. With that in the step the two stay "
        f"together to {mapped:.1g}; with rates alone, those that the mapping gives each array, they end "
        f"{curves['hidden layer, rates alone'][-1]:.2g} apart. That is a surprise the text does "
        "not hint at: the networks are the same functions, but plain descent on them is not the "
        "same descent.",
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
        f"steepest descent does, by {np.median(sizes_right):.2g} in the median. And if \"fixed\" "
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
        f"steepest a gradient shrinks by {at_zero['logistic'] ** 5:.1e}, through five tanh layers "
        "not at all.",
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
        f"error passes that of the tail formula of S2.5 at {crossing:.1f}, and the derivative is "
        f"exactly 0 from {dead['tanh']:.1f} on for tanh and {dead['logistic']:.1f} for the "
        "logistic unit, where the true one is "
        f"{float(sech2(np.array(dead['tanh']))):.0e}. A steep unit gets there soon, and no step "
        "size can bring it back (S2.9).",
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
    return {
        "rows": [
            same_unit, one_unit, fixed_step, row_origin(), row_tail(), from_output, committee,
            depth,
        ],
        "hypotheses": [],
        "trajectories": trajectories,
        "ratios": ratios,
        "slopes": slopes,
        "gradient_errors": {
            "one unit": unit_errors,
            "committee": committee_errors,
            **{f"depth {n}": found for n, found in depth_errors.items()},
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
    ax.axhline(EPS, color="0.6", linewidth=0.8)
    ax.annotate("rounding of a weight of 1", (0, EPS), (4, -11), textcoords="offset points",
                fontsize="small", color="0.35")  # fmt: skip
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
        left.annotate(f"0 from {end:.1f} on", (end, curves[name][alive][-1]), (6, 4), color=COLOURS[
            index], fontsize="small", textcoords="offset points")  # fmt: skip
    left.set_ylim(1e-20, 10.0)
    left.set_xlabel("net input x")
    left.set_ylabel("derivative")
    left.legend(frameon=False, fontsize="small", loc="lower left")
    x = u[(u > 0.0) & (u < 20.0)]
    exact, ours = curves["tanh, exact"], curves["tanh"]
    lost = np.abs(ours / exact - 1.0)[(u > 0.0) & (u < 20.0)]
    right.semilogy(x, np.maximum(lost, SMALLEST), color=COLOURS[0], linewidth=1.2,
                   label="1 - y², computed")  # fmt: skip
    right.semilogy(x, np.expm1(2.0 * np.log1p(np.exp(-2.0 * x))), color="black", linestyle=LINES[1],
                   label="4 exp(-2x)")  # fmt: skip
    at = np.array([1.0, 2.0, 3.0, 5.0])
    right.plot(at, tail_error(at), linestyle="", marker="s", markersize=4, color="black")
    right.set_ylim(SMALLEST, 10.0)
    right.set_xlabel("net input x")
    right.set_ylabel("relative error, tanh")
    right.legend(frameon=False, fontsize="small", loc="lower right")
    return figure


def main(argv: Sequence[str] | None = None) -> None:
    """Run the experiment and print its rows."""
    sp.ledger.main("smooth_committee", __doc__.splitlines()[0], Config, run, draw, argv)


if __name__ == "__main__":
    main()
