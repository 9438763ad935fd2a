"""Whether one sigmoid unit and gradient descent do what a tutorial says of them.

Run ``python experiments/seeds/artificial_neuron.py``. Descent on a bowl, the unit and its two
costs, two Iris species separated by a line, starts that are wrong and sure of it, minibatches.
Where a slip in the tutorial's program changes a picture, both pictures are drawn: ours and the
one "as printed".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from joblib import Parallel, delayed

import spikesim as sp
from spikesim.comparison.statistics import Estimate, wilson
from spikesim.learning import MAE, MSE, SGD, Backprop, CrossEntropy

COSTS: dict[str, Any] = {
    "absolute error": MAE(),
    "squared error": MSE(),
    "cross-entropy": CrossEntropy(),
}
TUTORIAL = ("absolute error", "squared error")
RATE = 0.5
BATCH = 32
EPOCHS = 100
START = 5.0
# Where the squared error ends after 100 epochs, but for the third digit of the first weight.
NEARLY = np.array([-0.815, 1.722, -0.313])


@dataclass(frozen=True)
class Config:
    """How much is trained.

    Parameters
    ----------
    n_seeds : int
        Minibatch runs of each kind.
    epochs : int
        Epochs of a minibatch run.
    strengths : tuple of float
        How sure of itself a wrong start is: factors of minus the solution.
    n_neighbours : int
        Further starts around each of them, every weight off by a tenth (one standard deviation).
    patience : int
        Epochs after which a run that has not recovered is given up.
    seed : int
        Source of neighbours and random units.
    n_jobs : int
        Number of processes; -1 takes every core.
    """

    n_seeds: int = 200
    epochs: int = 50
    strengths: tuple[float, ...] = (0.25, 0.5, 1.0, 1.5, 2.0, 8.0)
    n_neighbours: int = 20
    patience: int = 20_000
    seed: int = 1
    n_jobs: int = -1

    @classmethod
    def quick(cls) -> Config:
        """Return a run of some ten seconds."""
        return cls(
            n_seeds=50, strengths=(0.25, 0.5, 1.0, 2.0), n_neighbours=8, patience=9_000
        )  # fmt: skip

    @classmethod
    def smoke(cls) -> Config:
        """Return the smallest run that touches everything."""
        return cls(
            n_seeds=3, epochs=10, strengths=(0.5, 1.0), n_neighbours=1, patience=40, n_jobs=1
        )


# ---- descent on a bowl


def descent(rate: float, n_steps: int) -> np.ndarray:
    """Return the path of gradient descent on x² + y² from (5, 5), shape (n_steps + 1, 2)."""
    optimiser, point = SGD(rate), [{"point": np.full(2, START)}]
    path = [point[0]["point"]]
    for _ in range(n_steps):
        gradient = [{"point": 2.0 * point[0]["point"]}]
        point, _ = optimiser.update(point, gradient, None)
        path.append(point[0]["point"])
    return np.array(path)


def on_the_bowl(rates: np.ndarray, n_steps: int) -> dict[str, float]:
    """Compare paths with ``(1 - 2 rate)**t`` and find the rates that converge."""
    worst, arrived = 0.0, []
    for rate in rates:
        path = descent(rate, n_steps)[:, 0]
        expected = START * (1.0 - 2.0 * rate) ** np.arange(n_steps + 1)
        scale = np.maximum(np.abs(expected), np.finfo(float).tiny)
        worst = max(worst, float((np.abs(path - expected) / scale)[np.abs(expected) > 0].max()))
        arrived.append(abs(path[-1]) < 1e-6 * START)
    arrived = np.array(arrived)
    return {
        "worst": worst,
        "last": float(rates[arrived].max()),
        "first": float(rates[~arrived].min()),
        "one_rule": bool(np.all(arrived == (rates < 1.0))),
        "steps_at_half": int(np.argmax(descent(0.5, 5)[:, 0] == 0.0)),
    }


# ---- the unit and its derivatives


def saturation() -> tuple[float, float]:
    """Return the net inputs from which a sigmoid output is exactly 1, and exactly 0."""
    ends = []
    for bound, inside, outside in ((1.0, 0.0, 100.0), (0.0, 0.0, -1000.0)):
        while abs(outside - inside) > 1e-9:
            middle = 0.5 * (inside + outside)
            if sp.Sigmoid().forward(np.array(middle)) == bound:
                outside = middle
            else:
                inside = middle
        ends.append(outside)
    return ends[0], ends[1]


def derivative_errors() -> tuple[float, float]:
    """Compare y (1 - y) with 1 / (4 cosh² (z / 2)).

    Returns
    -------
    largest : float
        Largest difference for z from -40 to 40.
    relative : float
        Relative difference at z = 30, where 1 - y has few digits left.
    """
    z = np.append(np.linspace(-40.0, 40.0, 8001), 30.0)
    unit = sp.Sigmoid()
    ours = unit.derivative(z, unit.forward(z))
    exact = 0.25 / np.cosh(0.5 * z) ** 2
    difference = np.abs(ours - exact)
    return float(difference.max()), float(difference[-1] / exact[-1])


def gradient_errors(name: str, n_units: int, seed: int) -> tuple[float, float]:
    """Check the gradient of random units on the Iris data.

    Returns
    -------
    by_differences : float
        Largest relative difference from central differences.
    by_formula : float
        Largest difference from ``dC/dy * y (1 - y) * x``, averaged over the samples by hand.
    """
    data, x = iris()
    rng = np.random.default_rng(seed)
    rule = Backprop(COSTS[name], SGD(1.0))
    by_differences = by_formula = 0.0
    for _ in range(n_units):
        network = neuron(rng.normal(0.0, 0.3, 2), rng.normal(0.0, 0.3))
        check = sp.check_gradient(network, rule, x, data.labels)
        by_differences = max(by_differences, check.max_relative_error)
        y = output(network)
        error = y - data.labels
        slope = np.sign(error) if name == "absolute error" else error
        push = slope * y * (1.0 - y)
        by_hand = np.array([(push * column).mean() for column in (*data.features.T, np.ones(100))])
        ours = np.append(check.analytic[0]["w"], check.analytic[0]["bias"])
        by_formula = max(by_formula, float(np.abs(ours - by_hand).max()))
    return by_differences, by_formula


# ---- the unit on two species


def iris() -> tuple[sp.datasets.Dataset, np.ndarray]:
    """Return the data of the tutorial and its features as network input."""
    data = sp.datasets.iris_two_features()
    return data, np.ascontiguousarray(data.features)[np.newaxis]


def neuron(w: Any = (0.0, 0.0), bias: float = 0.0) -> sp.LayeredNetwork:
    """Return one sigmoid unit; by default all its weights are zero."""
    return sp.LayeredNetwork([sp.Layer(np.reshape(w, (-1, 1)), sp.Sigmoid(), [bias])])


def output(network: sp.LayeredNetwork) -> np.ndarray:
    """Return the output for each flower, shape (100,)."""
    return sp.layered.forward(network, iris()[1])[0].output[0, :, 0]


def numbers(network: sp.LayeredNetwork) -> np.ndarray:
    """Return w1, w2 and b of one unit."""
    layer = network.layers[0]
    return np.append(layer.w, layer.bias)


def train(name: str, network: sp.LayeredNetwork | None = None, **options: Any) -> Any:
    """Train the unit as the tutorial does: rate 0.5, 100 epochs, all flowers at once."""
    data, _ = iris()
    settings = {"epochs": EPOCHS, "seed": 0, "warn": False, "progress": False} | options
    return sp.fit(
        neuron() if network is None else network, Backprop(COSTS[name], SGD(RATE)),
        data.features, data.labels, **settings,
    )  # fmt: skip


def by_hand(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Do what :func:`train` does in a dozen lines of NumPy; return costs and w1, w2, b."""
    data, _ = iris()
    w, b, costs = np.zeros(2), 0.0, []
    for _ in range(EPOCHS):
        y = 1.0 / (1.0 + np.exp(-(data.features @ w + b)))
        error = y - data.labels
        absolute = name == "absolute error"
        costs.append(np.mean(np.abs(error) if absolute else 0.5 * error**2))
        push = (np.sign(error) if absolute else error) * y * (1.0 - y)
        w = w - RATE * np.mean(push[:, np.newaxis] * data.features, axis=0)
        b = b - RATE * np.mean(push)
    return np.array(costs), np.append(w, b)


# ---- starts that are wrong and sure of it


def epochs_to_recover(name: str, start: np.ndarray, patience: int) -> int | None:
    """Return the updates from a start (w1, w2, b) until all flowers are right; None if given up."""
    result = train(
        name, neuron(start[:2], start[2]), epochs=patience, until="solved", patience=1
    )  # fmt: skip
    return result.history.solved_epoch


def recoveries(config: Config) -> dict[tuple[str, float], list[int | None]]:
    """Return for each cost and strength the epochs from each start, that on the line first."""
    solution = numbers(train("squared error").network)
    rng = np.random.default_rng(config.seed)
    factors = 1.0 + 0.1 * rng.standard_normal((config.n_neighbours, 3))
    starts = [solution, *(solution * factors)]
    keys = [(name, strength) for name in COSTS for strength in config.strengths]
    # Longest first, so that no process is left with a long one at the end.
    jobs = [(name, -strength * start) for name, strength in keys for start in starts]
    epochs = Parallel(n_jobs=config.n_jobs)(
        delayed(epochs_to_recover)(name, start, config.patience) for name, start in jobs
    )
    n = len(starts)
    return {key: list(epochs[i * n : (i + 1) * n]) for i, key in enumerate(keys)}


def push_of_the_wrong(name: str, epoch: int) -> float:
    """Return the share of all pushes on the net input that comes from flowers that are wrong.

    After so many epochs from minus the solution of the squared error.
    """
    solution = numbers(train("squared error").network)
    network = train(name, neuron(-solution[:2], -solution[2]), epochs=epoch).network
    y, labels = output(network), iris()[0].labels
    slope = COSTS[name].value_and_grad(y[:, np.newaxis], labels, 1)[1][:, 0]
    push = np.abs(slope) * y * (1.0 - y)
    wrong = (y >= 0.5) != labels
    return float(push[wrong].sum() / push.sum())


# ---- minibatches


class Watched:
    """Gradient descent that keeps what the history leaves out: each batch, each network.

    Parameters
    ----------
    loss : MAE, MSE or CrossEntropy
        What is descended.
    divisor : int, optional
        Divide the gradient of every batch by this number, as the tutorial's program does, in
        place of the number of samples in it.
    """

    readout = None

    def __init__(self, loss: Any, divisor: int | None = None):
        self.loss, self.divisor = loss, divisor
        self.inputs: list[np.ndarray] = []
        self.sums: list[float] = []
        self.networks: list[sp.LayeredNetwork] = []

    def init(self, network: sp.LayeredNetwork) -> Any:
        """Begin with nothing kept."""
        return Backprop(self.loss, SGD(RATE)).init(network)

    def step(self, network: Any, state: Any, x: np.ndarray, labels: np.ndarray) -> Any:
        """Take one step and keep it."""
        share = len(labels) / self.divisor if self.divisor else 1.0
        rule = Backprop(self.loss, SGD(RATE * share))
        network, state, metrics = rule.step(network, state, x, labels)
        self.inputs.append(x[0])
        self.sums.append(metrics.loss)
        self.networks.append(network)
        return network, state, metrics


class Run(NamedTuple):
    """The course of one minibatch run.

    Attributes
    ----------
    running : ndarray, shape (epochs,)
        Sum of all losses over the number of samples, each batch measured before its update.
    summed : ndarray, shape (epochs,)
        Sum of the means of the batches, each over its own size.
    end : ndarray, shape (epochs,)
        Mean loss of all samples after the epoch.
    batches : ndarray, shape (epochs, n_batches)
        Mean loss of each batch.
    accuracy : float
        After the last epoch.
    line : ndarray, shape (3,)
        w1, w2 and b after the last epoch.
    """

    running: np.ndarray
    summed: np.ndarray
    end: np.ndarray
    batches: np.ndarray
    accuracy: float
    line: np.ndarray


def minibatch(
    name: str, epochs: int, seed: int, *, printed: bool = False, shuffle: bool = True,
    order: np.ndarray | None = None, batch_size: int = BATCH,
) -> Run:  # fmt: skip
    """Train with minibatches and watch.

    Parameters
    ----------
    name : str
        Cost.
    epochs, seed, shuffle, batch_size
        As in :func:`spikesim.fit`.
    printed : bool, default False
        Divide the gradient of the last, short batch by `batch_size` too.
    order : ndarray of int, optional
        Order of the data, which stays if `shuffle` is False.
    """
    data, x = iris()
    order = np.arange(100) if order is None else order
    rule = Watched(COSTS[name], batch_size if printed else None)
    result = sp.fit(
        neuron(), rule, data.features[order], data.labels[order], epochs=epochs, seed=seed,
        batch_size=batch_size, shuffle=shuffle, warn=False, progress=False,
    )  # fmt: skip
    sizes = np.array([len(batch) for batch in rule.inputs]).reshape(epochs, -1)
    batches = np.array(rule.sums).reshape(epochs, -1) / sizes
    judge = Backprop(COSTS[name])
    end = [
        judge.loss_and_gradient(network, sp.layered.forward(network, x), data.labels)[0].mean()
        for network in rule.networks[sizes.shape[1] - 1 :: sizes.shape[1]]
    ]
    accuracy = float(np.mean((output(result.network) >= 0.5) == data.labels))
    line = numbers(result.network)
    return Run(result.history.loss, batches.sum(axis=1), np.array(end), batches, accuracy, line)


def rises(curve: np.ndarray) -> int:
    """Return how often a curve goes up."""
    return int(np.count_nonzero(np.diff(curve) > 0.0))


def visits(epochs: int, seed: int, shuffle: bool = True) -> list[np.ndarray]:
    """Return which of 100 numbered samples each batch held."""
    rule = Watched(MSE())
    sp.fit(
        neuron([0.0]), rule, np.arange(100.0)[:, np.newaxis], np.arange(100) // 50, epochs=epochs,
        seed=seed, batch_size=BATCH, shuffle=shuffle, warn=False, progress=False,
    )  # fmt: skip
    return [batch[:, 0].astype(int) for batch in rule.inputs]


def autocorrelation(batches: np.ndarray, n_lags: int) -> np.ndarray:
    """Return the autocorrelation of the costs of batches, at lags 0 to `n_lags`.

    Each cost is taken relative to the mean of its epoch, so that the descent itself is out.
    """
    series = (batches / batches.mean(axis=1, keepdims=True)).ravel() - 1.0
    power = float(np.dot(series, series))
    return np.array(
        [np.dot(series[: len(series) - lag], series[lag:]) / power for lag in range(n_lags + 1)]
    )


# ---- what was found


def run(config: Config) -> dict[str, Any]:
    """Measure everything; return the numbers, rows and hypotheses."""
    full = {name: train(name) for name in COSTS}
    kinds = [(name, printed) for name in TUTORIAL for printed in (False, True)]
    runs = Parallel(n_jobs=config.n_jobs)(
        delayed(minibatch)(name, config.epochs, seed, printed=printed)
        for name, printed in kinds
        for seed in range(config.n_seeds)
    )
    n = config.n_seeds
    hand = {name: by_hand(name) for name in TUTORIAL}
    found: dict[str, Any] = {
        "config": config,
        "bowl": on_the_bowl(0.02 * np.arange(1, 61), 1000),
        "saturation": saturation(),
        "derivative": derivative_errors(),
        "gradient": {name: gradient_errors(name, 5, config.seed) for name in TUTORIAL},
        "full": full,
        "parity": max(
            float(np.abs(ours - theirs).max())
            for name in TUTORIAL
            for ours, theirs in zip(
                (full[name].history.loss, numbers(full[name].network)), hand[name], strict=True
            )
        ),
        "recovery": recoveries(config),
        "nearly": Parallel(n_jobs=config.n_jobs)(
            delayed(epochs_to_recover)(name, -factor * NEARLY, config.patience)
            for name, factor in zip((*TUTORIAL, TUTORIAL[1]), (1.0, 1.0, 2.0), strict=True)
        ),
        "push": {name: push_of_the_wrong(name, 100) for name in TUTORIAL},
        "minibatch": {kind: runs[i * n : (i + 1) * n] for i, kind in enumerate(kinds)},
        "visits": visits(config.epochs, config.seed),
        "unshuffled_runs": {
            name: minibatch(name, config.epochs, 0, shuffle=False) for name in TUTORIAL
        },
        "unshuffled": {
            size: minibatch(
                "absolute error", config.epochs, 0, shuffle=False, batch_size=size
            ).batches
            for size in (20, 25, BATCH)
        },
    }
    found["rows"] = [
        *_rows_of_the_unit(found), *_rows_of_full_batch(found), _row_recovery(found),
        *_rows_of_minibatches(found),
    ]  # fmt: skip
    found["hypotheses"] = [_wrong_starts(found), _divisor(found)]
    return found


def _row(
    name: str, claim: str, quantity: str, value: float, verdict: str, figure: str, text: str,
    **more: Any,
) -> sp.ledger.Row:  # fmt: skip
    return sp.ledger.Row(name, claim, quantity, value, verdict, figure, text, **more)


def _holds(right: bool) -> str:
    return "holds" if right else "fails"


def _rows_of_the_unit(found: dict[str, Any]) -> list[sp.ledger.Row]:
    bowl, (one, zero) = found["bowl"], found["saturation"]
    largest, relative = found["derivative"]
    mae, mse = (found["gradient"][name] for name in TUTORIAL)
    at_target = MAE().value_and_grad(np.array([[1.0]]), np.array([1]), 1)[1][0, 0]
    step = sp.Step().forward(np.array([-1e-9, 0.0, 1e-9]))
    between = "fails"
    if step.tolist() == [0.0, 1.0, 1.0]:
        between = "holds if" if np.isfinite([one, zero]).all() else "holds"
    data, _ = iris()
    gap = data.features[50:, 1].min() - data.features[:50, 1].max()
    return [
        _row(
            "S3.1",
            "Gradient descent finds the bottom of a bowl if its step is small enough",
            "largest relative difference from the closed form", bowl["worst"],
            _holds(bowl["worst"] < 1e-11 and bowl["one_rule"]), "descent",
            "On C = x² + y² the gradient is (2x, 2y), so each step multiplies both coordinates by "
            "1 - 2η. From (5, 5), 60 rates from 0.02 to 1.2 with 1000 steps each follow "
            f"(1 - 2η)ᵗ · (5, 5) to a relative {bowl['worst']:.0e}, which is rounding. They reach "
            f"the bottom up to η = {bowl['last']:.2f} and no longer from η = {bowl['first']:.2f} "
            f"on. At η = 0.5 it takes {bowl['steps_at_half']} step; above that every step jumps "
            "to the other side, at η = 1 for ever between two points, beyond it farther and "
            "farther out.",
            condition="" if bowl["worst"] < 1e-11 and bowl["one_rule"]
            else "paths leave the closed form, or rates below 1 do not converge",
        ),
        _row(
            "S3.2",
            "A step takes the values 0 and 1, a sigmoid only values between them",
            "net input from which a sigmoid in double precision is exactly 1", one,
            between, "step_sigmoid",
            "The step jumps from 0 to 1 at the threshold, and exactly there it is 1. The sigmoid "
            "never touches its bounds in exact arithmetic. In double precision it does: its "
            f"output is exactly 1 from a net input of {one:.2f} on (53 ln 2 = "
            f"{53 * np.log(2):.2f}), and exactly 0 below {zero:.0f}. From there on its derivative "
            "is exactly 0 as well, so a unit that saturates on the upper side can come to a "
            "complete stop.",
            condition={
                "holds": "", "fails": "the step takes other values",
                "holds if": "arithmetic is exact; in floating point both bounds are reached",
            }[between],
        ),
        _row(
            "S3.3",
            "The derivative of a sigmoid is its output times one minus its output",
            "largest difference from 1 / (4 cosh² (z/2)), z from -40 to 40", largest,
            _holds(largest < 1e-15), "gradients",
            "y (1 - y) needs no second exponential. Against 1 / (4 cosh² (z/2)), which is the "
            f"same function in another form, it is off by at most {largest:.0e}. Not all digits "
            f"survive on the upper side, though: at z = 30 the relative error is {relative:.1e}, "
            "since 1 - y is a small difference of nearly equal numbers.",
        ),
        _row(
            "S3.4",
            "With the absolute error each weight changes by the sign of the error times y (1 - y) "
            "times its input",
            "largest relative difference from finite differences", mae[0],
            _holds(mae[0] < 1e-9 and mae[1] < 1e-14 and at_target == 0.0), "gradients",
            "The gradients of five random units on 100 flowers agree with central differences to "
            f"{mae[0]:.0e} and with the formula worked out by hand to {mae[1]:.0e}. At the target "
            "itself the absolute value has a corner; the sign of 0 is taken as "
            f"{abs(at_target):.0f}, so a perfect output is left alone.",
        ),
        _row(
            "S3.5",
            "With half the squared error the sign is replaced by the error itself",
            "largest relative difference from finite differences", mse[0],
            _holds(mse[0] < 1e-9 and mse[1] < 1e-14), "gradients",
            "The same check for ½ (y - t)² gives agreement with central differences to "
            f"{mse[0]:.0e} and with the formula to {mse[1]:.0e}. As outputs and targets lie "
            "between 0 and 1, the error is never larger than 1: at every single point the squared "
            "error pushes less than the absolute one.",
        ),
        _row(
            "S3.6",
            "A neuron that learns fits into a dozen lines: zero weights, mean gradient over all "
            "samples, rate 0.5, 100 epochs",
            "largest difference of costs and weights from the dozen lines", found["parity"],
            _holds(found["parity"] < 1e-12), "absolute_error",
            "The neuron was written out in a dozen lines of NumPy and, beside that, made of "
            "spikesim's layer, cost and descent. Over 100 epochs and both costs no cost and no "
            f"weight differs by more than {found['parity']:.0e}. The gradient is averaged over "
            "the samples: a tutorial that defines its cost as a sum has, with the same rate, a "
            "step 100 times as long. Zero weights are a fair start for one unit alone; hidden "
            "units that start equal stay equal.",
        ),
        _row(
            "S3.7",
            "Sepal and petal length tell Iris setosa from Iris versicolor",
            "gap between the petals of the two species", gap, _holds(gap > 0.0), "absolute_error",
            f"Of {len(data.labels)} flowers, 50 of each species, the longest petal of setosa "
            f"measures {data.features[:50, 1].max():.1f} cm and the shortest of versicolor "
            f"{data.features[50:, 1].min():.1f} cm. Petal length alone separates them, by "
            f"{gap:.1f} cm, so a line through both features certainly does. The lengths are used "
            "in cm as they are. Any method solves this problem; it shows how learning goes, not "
            "which rule is better.",
            unit="cm",
        ),
    ]  # fmt: skip


def _rows_of_full_batch(found: dict[str, Any]) -> list[sp.ledger.Row]:
    rows = []
    lengths = {name: result.history for name, result in found["full"].items()}
    shown = (0, 1, 2, 10, 50, 99)
    table = sp.ledger.Table(
        "Cost before each epoch, all flowers in one batch",
        ("cost", *(f"epoch {epoch}" for epoch in shown), "all right from"),
        tuple(
            (name, *(f"{h.loss[e]:.4f}" for e in shown), f"epoch {h.solved_epoch}")
            for name, h in lengths.items()
        ),
    )
    for row_id, name, figure, claim in (
        (
            "S3.8", "absolute error", "absolute_error",
            "With the absolute error the line separates both species and the cost falls steadily "
            "towards 0",
        ),
        (
            "S3.9", "squared error", "squared_error",
            "With the squared error the line separates them as well, with smaller costs",
        ),
    ):  # fmt: skip
        history, (w1, w2, b) = lengths[name], numbers(found["full"][name].network)
        first, last = history.loss[0], history.loss[-1]
        right = history.accuracy[-1] == 1.0 and rises(history.loss) == 0
        text = (
            f"From zero weights the cost falls from {first:g} to {last:.4f} in {EPOCHS} epochs and "
            f"goes up {rises(history.loss)} times. All flowers are right from epoch "
            f"{history.solved_epoch} on; the line is {w1:.3f} · sepal + {w2:.3f} · petal "
            f"{'+' if b >= 0 else '-'} {abs(b):.3f} = 0. "
        )
        if name == "absolute error":
            text += "The remaining cost is distance from certainty, not a flower on the wrong side."
        else:
            right = right and first < lengths["absolute error"].loss[0]
            ratio = lengths["absolute error"].loss[0] / first
            text += (
                f"The curve starts at 1/{ratio:g} of that of the absolute error because ½ · 0.5² "
                "= 0.125: the smaller scale is a matter of units. Compared by what they get right, "
                f"the two errors do about the same here: all flowers from epoch "
                f"{lengths['squared error'].solved_epoch} on, against "
                f"{lengths['absolute error'].solved_epoch} and, with cross-entropy, "
                f"{lengths['cross-entropy'].solved_epoch}."
            )
        rows.append(
            _row(
                row_id,
                claim,
                "cost in the last of 100 epochs",
                last,
                _holds(right),
                figure,
                text,
                tables=(table,) if row_id == "S3.9" else (),
            )  # fmt: skip
        )
    return rows


def _epochs(value: int | None, patience: int) -> str:
    return f"more than {patience:,}" if value is None else f"{value:,}"


def _at_one(found: dict[str, Any]) -> tuple[dict[str, list[int | None]], float, list[float]]:
    """Return all epochs at strength 1 and ratios of them, absolute to squared error.

    The first ratio is that of the start on the line, where a run that was given up counts with
    the epochs that it had; then there is one for each start from which both recovered.
    """
    patience = found["config"].patience
    at = {name: found["recovery"][name, 1.0] for name in COSTS}
    pairs = list(zip(*(at[name] for name in TUTORIAL), strict=True))
    exact = (pairs[0][0] or patience) / (pairs[0][1] or patience)
    return at, exact, [mae / mse for mae, mse in pairs if mae and mse]


def _sooner(found: dict[str, Any]) -> dict[float, float]:
    """Return for each strength the p value of a sign test that the squared error is sooner.

    One-sided, over the starts at which one error needs at least 1.5 times the epochs of the
    other; a run that was given up counts as later than any that recovered.
    """
    from scipy.stats import binomtest

    p_values = {}
    for strength in found["config"].strengths:
        mae, mse = (
            np.array([np.inf if v is None else v for v in found["recovery"][name, strength]])
            for name in TUTORIAL
        )
        sooner, later = int(np.sum(mae > 1.5 * mse)), int(np.sum(mse > 1.5 * mae))
        n = sooner + later
        p_values[strength] = binomtest(sooner, n, alternative="greater").pvalue if n else 1.0
    return p_values


def _nearby(found: dict[str, Any]) -> str:
    """Return in a sentence what became of the starts nearby."""
    at, _, ratios = _at_one(found)
    n = found["config"].n_neighbours
    solved = {name: sum(value is not None for value in values[1:]) for name, values in at.items()}
    text = "From starts nearby, with weights off by a tenth, " + ", ".join(
        f"{solved[name]} of {n} recover ({name})" for name in COSTS
    )
    if len(ratios) > 1:
        text += (
            f"; over the {len(ratios)} starts from which both errors recover, the exact one "
            f"included, the factor is {min(ratios):.0f} to {max(ratios):.0f}"
        )
    return text + "."


def _row_recovery(found: dict[str, Any]) -> sp.ledger.Row:
    config = found["config"]
    at, ratio, _ = _at_one(found)
    patience = config.patience
    mae, mse, entropy = (_epochs(at[name][0], patience) for name in COSTS)
    near = {name: wilson(sum(v is not None for v in at[name][1:]), config.n_neighbours)
            for name in COSTS}  # fmt: skip
    sooner = [s for s, p in _sooner(found).items() if p < 0.05]
    reach = " to ".join(f"{s:g}" for s in sorted({min(sooner), max(sooner)})) if sooner else ""
    if not sooner:
        verdict, condition = "fails", "from no strength of the start is it clearly sooner"
    elif len(sooner) < len(config.strengths):
        verdict = "holds if"
        condition = (
            f"the start is wrong but not far off (here {reach} times minus the solution), and not "
            "for the reason given"
        )
    else:
        verdict, condition = "holds if", "the reason is another than the one given"
    table = {s: [found["recovery"][name, s] for name in COSTS] for s in config.strengths}
    lost = [s for s in config.strengths if not any(v for values in table[s][:2] for v in values)]
    never = (
        f"From {lost[0]:g} times minus the solution on, neither recovers from any start within "
        f"{patience:,} epochs, where cross-entropy needs at most "
        f"{max(v or patience for s in lost for v in table[s][2])}. "
        if lost else ""
    )  # fmt: skip
    nearly = [_epochs(value, patience) for value in found["nearly"]]
    push = {name: 100 * share for name, share in found["push"].items()}
    return _row(
        "S3.10",
        "The squared error pays more for answers that are far off, so it gives the better signal",
        "wrong starts near minus the solution that recover with the squared error "
        f"(absolute error: {_percent(near['absolute error'])})",
        100 * near["squared error"].value, verdict, "recovery",
        "The unit starts with minus the weights that the squared error finds in 100 epochs: every "
        f"flower is wrong. All are right after {mae} epochs with the absolute error, {mse} with "
        f"the squared error ({ratio:.2f} times sooner) and {entropy} with cross-entropy. "
        f"{_nearby(found)} Such single numbers hang on the start: with the first weight off by "
        f"0.001 it is {nearly[0]} and {nearly[1]}. {never}"
        "The reason that is given does not hold: at every point the push on the net input is "
        "y (1 - y) for the absolute error and that times the error, which is below 1, for the "
        "squared one. What counts is who pushes: after 100 epochs on the way, flowers that are "
        f"wrong make up {push['squared error']:.0f} % of all pushes with the squared error and "
        f"{push['absolute error']:.0f} % with the absolute error. Both carry the factor y (1 - y), "
        "which vanishes where the unit is sure of itself; cross-entropy does not, and so never "
        "stalls.",
        unit="%",
        interval=(100 * near["squared error"].low, 100 * near["squared error"].high),
        interval_kind="95 % Wilson",
        condition=condition,
        tables=(
            sp.ledger.Table(
                "Epochs until all flowers are right: from the exact start, and in brackets how "
                f"many of {config.n_neighbours} starts nearby recovered within {patience:,} "
                "epochs; p of a one-sided sign test that the squared error is sooner than the "
                "absolute one (by 1.5 times at least)",
                ("start, times minus the solution", *COSTS, "p"),
                tuple(
                    (f"{s:g}", *(
                        f"{_epochs(values[0], patience)} "
                        f"({sum(v is not None for v in values[1:])})" for values in table[s]
                    ), f"{p:.2g}")
                    for s, p in _sooner(found).items()
                ),
            ),
        ),
    )  # fmt: skip


def _share(runs: list[Run], curve: str) -> Any:
    """Return the share of runs whose curve goes up at least once, with its interval."""
    return wilson(sum(rises(getattr(run, curve)) > 0 for run in runs), len(runs))


def _mean(runs: list[Run], curve: str) -> float:
    return float(np.mean([rises(getattr(run, curve)) for run in runs]))


def _mean_ratio(costs: np.ndarray, reference: float) -> Estimate:
    """Return the mean of costs over one that is exact, with its 95 % bootstrap interval."""
    from scipy.stats import bootstrap

    value = float(costs.mean() / reference)
    interval = bootstrap(
        (costs,), np.mean, method="percentile", n_resamples=2000, vectorized=True,
        random_state=np.random.default_rng(0),
    ).confidence_interval  # fmt: skip
    low, high = (float(end) / reference for end in interval)
    return Estimate(value, min(low, value), max(high, value))


def _percent(share: Any) -> str:
    return f"{100 * share.value:.3g} % ({100 * share.low:.3g} to {100 * share.high:.3g})"


def _rows_of_minibatches(found: dict[str, Any]) -> list[sp.ledger.Row]:
    config, n = found["config"], found["config"].n_seeds
    batches = found["visits"]
    per_epoch = len(batches) // config.epochs
    epochs = [np.concatenate(batches[i : i + per_epoch]) for i in range(0, len(batches), per_epoch)]
    once = float(np.mean([np.bincount(seen, minlength=100) == 1 for seen in epochs]))
    sizes = [len(batch) for batch in batches[:per_epoch]]
    orders = len({tuple(seen) for seen in epochs})

    ours = {name: found["minibatch"][name, False] for name in TUTORIAL}
    mae = _share(ours["absolute error"], "running")
    mse = _share(ours["squared error"], "running")
    final = {name: np.mean([run.running[-1] for run in ours[name]]) for name in TUTORIAL}
    solved = {name: sum(run.accuracy == 1.0 for run in ours[name]) for name in TUTORIAL}
    spread = {
        name: float(np.std([rises(r.running) for r in ours[name]], ddof=1)) for name in TUTORIAL
    }
    early = {}
    for name, mean in (("absolute error", 5.8), ("squared error", 4.4)):
        error = max(spread[name], 1e-9) / np.sqrt(50)
        early[name] = (abs(mean - _mean(ours[name], "running")) / error, error)
    calm = max(rises(found["full"][name].history.loss) for name in TUTORIAL)
    noisy = min(mae.low, mse.low) > 0.5 and calm == 0
    down = all(final[name] < 0.5 * np.mean([r.running[0] for r in ours[name]]) for name in TUTORIAL)

    samples = 100 / per_epoch
    full = {name: found["full"][name].history.loss for name in TUTORIAL}
    half = config.epochs // 2
    equal_samples = {
        name: (full[name][config.epochs], np.array([run.end[-1] for run in ours[name]]))
        for name in TUTORIAL
    }
    equal_updates = {
        name: np.mean([run.end[half - 1] for run in ours[name]])
        / full[name][min(half * per_epoch, EPOCHS - 1)]
        for name in TUTORIAL
    }
    ahead_by = _mean_ratio(equal_samples["absolute error"][1], equal_samples["absolute error"][0])
    ahead = all((end < cost).all() for cost, end in equal_samples.values())

    lags = {s: autocorrelation(b, min(12, 3 * b.shape[1])) for s, b in found["unshuffled"].items()}
    period = {size: int(np.argmax(values[1:]) + 1) for size, values in lags.items()}
    counts = {size: b.shape[1] for size, b in found["unshuffled"].items()}
    stuck = found["unshuffled_runs"]
    at_four = np.array([autocorrelation(r.batches, 4)[4] for r in ours["absolute error"]])
    return [
        _row(
            "S3.11",
            "In every epoch the samples are shuffled and cut into minibatches, so that each is "
            "seen once",
            "pairs of a sample and an epoch in which it was seen exactly once", 100 * once,
            _holds(once == 1.0 and orders == len(epochs)), "order",
            f"100 numbered samples were trained on for {config.epochs} epochs in minibatches of "
            f"{BATCH}. Each epoch had batches of {', '.join(map(str, sizes))}, in which every "
            f"sample occurred exactly once; {orders} of {len(epochs)} orders were different. The "
            "last batch is short and is averaged over its own size.",
            unit="%", condition="" if once == 1.0 else "a sample was missed or seen twice",
        ),
        _row(
            "S3.12",
            "With minibatches the cost is noisier and sometimes goes up, but its trend is down",
            "runs whose running cost goes up at least once, absolute error", 100 * mae.value,
            _holds(noisy and down), "minibatch",
            f"In {n} runs of {config.epochs} epochs with minibatches of {BATCH}, "
            f"{_percent(mae)} of the curves rise at least once with the absolute error and "
            f"{_percent(mse)} with the squared error, on average "
            f"{_mean(ours['absolute error'], 'running'):.1f} and "
            f"{_mean(ours['squared error'], 'running'):.1f} of {config.epochs - 1} times; with all "
            f"flowers in one batch it is {calm} times. The last running costs are "
            f"{final['absolute error']:.4f} and {final['squared error']:.4f} on average, and "
            f"{min(solved.values())} of {n} runs end with every flower right. These are running "
            "costs: each batch is measured before it is learnt from. The cost of all flowers after "
            "each epoch rises more often, "
            f"{_mean(ours['absolute error'], 'end'):.1f} and "
            f"{_mean(ours['squared error'], 'end'):.1f} times, because the last batch of an epoch "
            "is only 4 flowers, the noisiest step of all and the last before the measurement. With "
            "the divisor of 32 that step is small, and these curves rise "
            f"{_mean(found['minibatch']['absolute error', True], 'end'):.1f} and "
            f"{_mean(found['minibatch']['squared error', True], 'end'):.1f} times. An earlier "
            "count over 50 seeds was 5.8 and 4.4 rises, and with the divisor of 32 runs with any "
            "rise made up 64 and 36 %: runs differ by "
            f"{spread['absolute error']:.1f} and {spread['squared error']:.1f} rises (standard "
            f"deviation), so means of 50 are uncertain by {early['absolute error'][1]:.1f} and "
            f"{early['squared error'][1]:.1f} and such shares by 7 points. The earlier means lie "
            f"{early['absolute error'][0]:.1f} and {early['squared error'][0]:.1f} such errors "
            "from these.",
            interval=(100 * mae.low, 100 * mae.high), interval_kind="95 % Wilson", unit="%",
            condition="" if noisy and down else "most curves fall steadily, or do not fall",
            tables=(_rise_table(found),),
        ),
        _row(
            "S3.13",
            "A minibatch update is cheaper than one with all samples",
            "cost after as many flowers presented, minibatches over full batch, absolute error",
            ahead_by.value, _holds(samples < 100 and ahead), "samples",
            f"An epoch of 100 flowers has {per_epoch} minibatch updates of {samples:g} flowers on "
            "average, and one full-batch update of 100. Counted in flowers, an update costs a "
            "quarter. After equal numbers of flowers "
            f"({100 * config.epochs:,}) the minibatches are ahead in every run: a cost of "
            f"{equal_samples['absolute error'][1].mean():.4f} against "
            f"{equal_samples['absolute error'][0]:.4f} (absolute) and "
            f"{equal_samples['squared error'][1].mean():.4f} against "
            f"{equal_samples['squared error'][0]:.4f} (squared). After equal numbers of updates "
            f"({half * per_epoch}) the costs are nearly the same, "
            f"{equal_updates['absolute error']:.2f} and {equal_updates['squared error']:.2f} "
            "times those of the full batch: here the direction of a quarter of the data is as "
            "good as that of all. The tutorial compares 50 epochs of minibatches (200 updates, "
            "5,000 flowers) with 100 full-batch epochs (100 updates, 10,000 flowers), where "
            "neither flowers nor updates are equal. Wall time is left out: for two weights "
            "nearly all of it is the interpreter's, and it differs from run to run.",
            interval=(ahead_by.low, ahead_by.high), interval_kind="95 % bootstrap over runs",
            unit="times",
            condition="" if ahead else "some run is behind after equal numbers of samples",
        ),
        _row(
            "S3.14",
            "Without shuffling the costs of the batches repeat in a cycle",
            f"autocorrelation of the batch costs one epoch ({counts[BATCH]} batches) apart",
            lags[BATCH][counts[BATCH]],
            _holds(lags[BATCH][counts[BATCH]] > 0.5 and period == counts), "order",
            "With the flowers in the order of the file, first all setosa, then all versicolor, "
            "the mean costs of the batches (relative to their epoch, so that the descent is out) "
            "repeat with the number of batches: the highest autocorrelation lies at a lag of "
            + ", ".join(
                f"{period[size]} for batches of {size}" for size in sorted(counts, reverse=True)
            )
            + f", and for batches of {BATCH} it is {lags[BATCH][counts[BATCH]]:.2f}. Shuffled "
            f"anew every epoch it is {at_four.mean():.2f} on average over {n} runs (middle 95 %: "
            f"{np.quantile(at_four, 0.025):.2f} to {np.quantile(at_four, 0.975):.2f}). The cycle "
            "can spoil the learning itself: after "
            f"{config.epochs} epochs without shuffling "
            + " and ".join(
                f"{100 * stuck[name].accuracy:.0f} % ({name})" for name in TUTORIAL
            )
            + " of the flowers are right. With the absolute error the third batch, all "
            f"versicolor, still costs {stuck['absolute error'].batches[-1, 2]:.2f} in the last "
            "epoch: setosa comes first and drives the unit to where its slope is next to nothing.",
            condition="" if period == counts else "the period is not the number of batches",
        ),
    ]  # fmt: skip


def _rise_table(found: dict[str, Any]) -> sp.ledger.Table:
    curves = (
        ("running", "sum of losses / 100"),
        ("summed", "sum of batch means"),
        ("end", "all flowers after the epoch"),
    )
    rows = []
    for (name, printed), runs in found["minibatch"].items():
        cells = [f"{_percent(_share(runs, c))}, {_mean(runs, c):.1f}" for c, _ in curves]
        rows.append((name, str(BATCH) if printed else "own size", *cells))
    return sp.ledger.Table(
        "Runs whose curve goes up at least once (with 95 % Wilson interval), and mean number of "
        "rises, by the divisor of the short batch's gradient and by how the cost is measured",
        ("cost", "divisor", *(label for _, label in curves)), tuple(rows),
    )  # fmt: skip


def _wrong_starts(found: dict[str, Any]) -> sp.ledger.Hypothesis:
    at, ratio, ratios = _at_one(found)
    patience = found["config"].patience
    zero = {name: found["full"][name].history.solved_epoch for name in COSTS}
    mae, mse, entropy = (np.array([np.inf if v is None else v for v in at[name]]) for name in COSTS)
    ordered = bool(entropy[0] < mse[0] < mae[0])
    recovered = np.isfinite(mse) | np.isfinite(mae)
    reversed_at = int(np.sum(recovered & ~((entropy < mse) & (mse < mae))))
    # Where the absolute error was given up, the factor is at least this.
    least = np.minimum(mae, patience)[np.isfinite(mse)] / mse[np.isfinite(mse)]
    too_large = least[least > 100.0]
    too_small = [factor for factor in ratios if factor < 10.0]
    against = []
    if reversed_at:
        against.append(f"another order from {reversed_at} of {len(mae)} starts")
    if len(too_large) or too_small:
        against.append(
            f"a factor outside 10 to 100 from {len(too_large) + len(too_small)} of {len(mae)} "
            "starts ("
            + " and ".join(
                [f"more than {least.max():.0f}"] * bool(len(too_large))
                + [f"{min(too_small or [0.0]):.1f}"] * bool(too_small)
            )
            + ")"
        )
    alike = max(zero.values()) <= 2 * min(zero.values())
    # Of three parts: the order, the factor, and equal times from zero weights.
    came_out = (ordered and not reversed_at, 10.0 <= ratio <= 100.0, alike)
    outcome = "failed"
    if any(came_out):
        outcome = "held" if alike and not against else "held in part"
    text = (
        "From minus the solution: "
        + ", ".join(f"{_epochs(at[name][0], patience)} epochs ({name})" for name in COSTS)
        + f", a factor of {ratio:.0f}. {_nearby(found)} From zero weights "
        + ", ".join(f"{zero[name]} ({name})" for name in COSTS)
        + " epochs: within a factor of two, a limit that was set afterwards, "
        + ("they are alike." if alike else "they are not alike; cross-entropy is the slowest.")
        + f" Met of what would count against it: {' and '.join(against) or 'nothing'}."
    )
    return sp.ledger.Hypothesis("H11", outcome, text, ("S3.8", "S3.9", "S3.10"))


def _divisor(found: dict[str, Any]) -> sp.ledger.Hypothesis:
    parts, fewer, apart = [], [], []
    for name in TUTORIAL:
        right, printed = (
            _share(found["minibatch"][name, flag], "running") for flag in (False, True)
        )
        fewer.append(printed.value < right.value)
        apart.append(printed.high < right.low)
        parts.append(f"{_percent(printed)} of runs against {_percent(right)} ({name})")
    outcome = "held" if all(apart) else "held in part" if all(fewer) else "failed"
    summed = {
        flag: _mean(found["minibatch"]["absolute error", flag], "summed") for flag in (False, True)
    }
    text = (
        f"With the divisor of {BATCH} for a batch of 4, {' and '.join(parts)} show any rise. The "
        "noise is in the gradient: those 4 flowers move the weights an eighth as far. Dividing "
        "their cost by 32 too makes the printed curve 100/32 = 3.125 times the mean, with the "
        "same rises. A curve that sums proper batch means instead lets 4 flowers count like 32 "
        f"and rises {summed[False]:.1f} of {found['config'].epochs - 1} times with the right and "
        f"{summed[True]:.1f} times with the wrong gradient: that is noise of the measurement."
    )
    return sp.ledger.Hypothesis("H12", outcome, text, ("S3.12",))


# ---- figures


def draw(found: dict[str, Any]) -> dict[str, Any]:
    """Draw all figures."""
    return {
        "descent": _draw_descent(),
        "step_sigmoid": _draw_step(found),
        "gradients": _draw_gradients(),
        "absolute_error": _draw_unit(found, "absolute error"),
        "squared_error": _draw_unit(found, "squared error"),
        "recovery": _draw_recovery(found),
        "minibatch": _draw_minibatch(found),
        "samples": _draw_samples(found),
        "order": _draw_order(found),
    }


def _style(index: int, **more: Any) -> dict[str, Any]:
    return {
        "color": sp.plotting.COLOURS[index],
        "linestyle": sp.plotting.LINE_STYLES[index],
    } | more


def _finish(*axes: Any, columns: int = 2) -> None:
    """Take away needless lines and put legends above the axes, where they cover nothing."""
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
        if ax.get_legend_handles_labels()[1]:
            ax.legend(
                frameon=False, fontsize="small", loc="lower left", bbox_to_anchor=(0.0, 1.0),
                ncols=columns, borderaxespad=0.2, handlelength=2.4, columnspacing=1.2,
            )  # fmt: skip


def _panels(n: int, **more: Any) -> Any:
    import matplotlib.pyplot as plt

    return plt.subplots(1, n, **{"figsize": (7.2, 3.4), "layout": "constrained"} | more)


def _draw_descent() -> Any:
    import matplotlib.pyplot as plt

    figure = plt.figure(figsize=(7.2, 6.4), layout="constrained")
    upper, lower = figure.subfigures(2, 1, height_ratios=(1.1, 1.0))
    surface = upper.add_subplot(1, 2, 1, projection="3d")
    top, below = upper.add_subplot(1, 2, 2), lower.subplots()
    colours, markers = sp.plotting.COLOURS, sp.plotting.MARKERS
    grid = np.linspace(-6.0, 6.0, 41)
    x, y = np.meshgrid(grid, grid)
    cost = x**2 + y**2
    path = descent(0.1, 15)
    surface.plot_surface(x, y, cost, cmap="Greys", alpha=0.5, linewidth=0, rstride=1, cstride=1)
    surface.plot(
        *path.T, (path**2).sum(axis=1), color=colours[1], marker="o", markersize=3, zorder=10
    )  # fmt: skip
    surface.set(xlabel="x", ylabel="y", zlabel="C")
    surface.set(xticks=(-5, 0, 5), yticks=(-5, 0, 5), zticks=(0, 30, 60))
    surface.view_init(elev=32, azim=-120)
    surface.set_box_aspect(None, zoom=0.85)
    top.contour(x, y, cost, levels=np.array([1, 4, 9, 16, 25, 36, 50]), colors="0.75")
    # Another point to start from for each rate, so that straight paths do not hide each other.
    for index, (rate, sides) in enumerate(((0.1, (1, 1)), (0.4, (1, -1)), (0.9, (-1, 1)))):
        way = descent(rate, 15) * sides
        top.plot(
            *way.T, marker=markers[index], markersize=4, linewidth=1.2,
            **_style(index, label=f"η = {rate:g}"),
        )  # fmt: skip
    top.set(xlabel="x", ylabel="y", xlim=(-6, 6), ylim=(-6, 6))
    top.set_aspect("equal")
    for index, rate in ((0, 0.1), (1, 0.4), (5, 0.5), (2, 0.9), (3, 1.0), (4, 1.05)):
        below.plot(
            descent(rate, 15)[:, 0], marker=markers[index], markersize=4, linewidth=1.2,
            **_style(index, label=f"η = {rate:g}"),
        )  # fmt: skip
    below.set(xlabel="step", ylabel="x", ylim=(-16, 16))
    below.axhline(0.0, color="0.8", linewidth=0.8, zorder=0)
    _finish(top, columns=3)
    _finish(below, columns=6)
    return figure


def _draw_step(found: dict[str, Any]) -> Any:
    figure, (left, right) = _panels(2, sharey=True)
    z = np.linspace(-8.0, 8.0, 801)
    unit = sp.Step()
    blue, red = sp.plotting.COLOURS[:2]
    for part in (z[z < 0], z[z >= 0]):
        left.plot(part, unit.forward(part), color=blue)
    for value, filled in ((0.0, "white"), (1.0, blue)):
        left.plot(0.0, value, "o", color=blue, markerfacecolor=filled)
    left.set(xlabel="net input z", ylabel="output", title="step: 0 or 1")
    right.plot(z, sp.Sigmoid().forward(z), color=red)
    for value in (0.0, 1.0):
        right.axhline(value, color="0.5", linewidth=0.8, linestyle=":")
    right.set(xlabel="net input z", title="sigmoid: between 0 and 1")
    right.annotate(
        f"exactly 1 in\ndouble precision\nfrom z = {found['saturation'][0]:.1f} on",
        (8, 1), (8, 0.3), ha="right", fontsize="small", color="0.35",
    )  # fmt: skip
    _finish(left, right)
    return figure


def _draw_gradients() -> Any:
    figure, (slope, pushes) = _panels(2)
    z = np.linspace(-8.0, 8.0, 401)
    few, h = np.linspace(-7.5, 7.5, 13), 1e-5
    unit, ones = sp.Sigmoid(), np.ones(len(few), dtype=int)
    y = unit.forward(z)
    slope.plot(z, unit.derivative(z, y), **_style(0, label="y (1 - y)"))
    slope.plot(
        few, (unit.forward(few + h) - unit.forward(few - h)) / (2 * h), "o",
        color=sp.plotting.COLOURS[6], markersize=4, label="finite difference",
    )  # fmt: skip
    slope.set(xlabel="net input z", ylabel="derivative of the sigmoid")
    rates = {"absolute error": y * (1 - y), "squared error": y * (1 - y) ** 2,
             "cross-entropy": 1 - y}  # fmt: skip
    for index, (name, loss) in enumerate(COSTS.items()):
        pushes.plot(z, rates[name], **_style(index, label=name))

        def cost(at: np.ndarray, loss: Any = loss) -> np.ndarray:
            if isinstance(loss, CrossEntropy):
                return loss.of_logistic_units(at[np.newaxis, :, np.newaxis], ones)[0]
            return loss.value_and_grad(unit.forward(at)[:, np.newaxis], ones, 1)[0]

        pushes.plot(
            few, (cost(few - h) - cost(few + h)) / (2 * h), sp.plotting.MARKERS[index],
            color=sp.plotting.COLOURS[index], markersize=4,
        )  # fmt: skip
    pushes.set(xlabel="net input z (target 1)", ylabel="push towards the target, -dC/dz")
    _finish(slope, columns=1)
    _finish(pushes, columns=1)
    return figure


def _draw_plane(plane: Any, line: np.ndarray) -> None:
    """Draw the flowers, the decision of a unit on each place, and the line between."""
    data, _ = iris()
    w1, w2, b = line
    sp.plotting.decision_regions(
        lambda x: (x @ line[:2] + b >= 0.0).astype(int), data.features, data.labels, plane,
        class_names=data.class_names,
        feature_names=tuple(f"{feature} (cm)" for feature in data.feature_names),
    )  # fmt: skip
    x, limits = np.array(plane.get_xlim()), plane.get_ylim()
    if w2:
        plane.plot(x, -(w1 * x + b) / w2, color="black", linewidth=1.4)
    plane.set(xlim=x, ylim=limits)


def _draw_unit(found: dict[str, Any], name: str) -> Any:
    result = found["full"][name]
    figure, (plane, curve) = _panels(2, figsize=(7.2, 3.3))
    _draw_plane(plane, numbers(result.network))
    curve.plot(result.history.loss, color=sp.plotting.COLOURS[list(COSTS).index(name)])
    curve.set(xlabel="epoch", ylabel=f"cost ({name})")
    curve.set_ylim(0.0, 1.05 * result.history.loss[0])
    curve.axvline(result.history.solved_epoch, color="0.5", linewidth=0.8, linestyle=":")
    curve.annotate(
        f"all flowers right from epoch {result.history.solved_epoch} on",
        (result.history.solved_epoch, 0.98 * result.history.loss[0]), (6, 0),
        textcoords="offset points", fontsize="small", color="0.35", va="top",
    )  # fmt: skip
    curve.spines[["top", "right"]].set_visible(False)
    return figure


def _draw_recovery(found: dict[str, Any]) -> Any:
    config = found["config"]
    figure, ax = _panels(1, figsize=(7.2, 4.0))
    strengths = np.array(config.strengths)
    for index, name in enumerate(COSTS):
        runs = [found["recovery"][name, strength] for strength in strengths]
        colour, marker = sp.plotting.COLOURS[index], sp.plotting.MARKERS[index]
        shift = 1.0 + 0.035 * (index - 1)
        solved = np.array([np.nan if values[0] is None else values[0] for values in runs])
        ax.plot(strengths * shift, solved, marker=marker, **_style(index, label=name))
        for strength, values in zip(strengths, runs, strict=True):
            near = [value for value in values[1:] if value is not None]
            ax.plot(
                np.full(len(near), strength * shift), near, marker, color=colour, markersize=3,
                alpha=0.5, markeredgewidth=0,
            )  # fmt: skip
            given_up = sum(value is None for value in values)
            if given_up:
                level = config.patience * (1.35, 2.0, 2.9)[index]
                ax.plot(
                    strength * shift, level, marker, color=colour, markerfacecolor="white",
                    clip_on=False,
                )  # fmt: skip
                ax.annotate(
                    f"{given_up}", (strength * shift, level), (6, 0), fontsize="small",
                    textcoords="offset points", color=colour, va="center",
                )  # fmt: skip
    ax.axhline(config.patience, color="0.35", linewidth=0.8, linestyle=":")
    ax.plot(
        [], [], "o", color="0.35", markerfacecolor="white",
        label=f"open: not recovered in {config.patience:,} epochs (number of "
        f"{1 + config.n_neighbours} starts)",
    )  # fmt: skip
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    ax.set_xticks(strengths, [f"{strength:g}" for strength in strengths])
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    ax.minorticks_off()
    ax.set_ylim(bottom=8.0, top=5.0 * config.patience)
    ax.set(xlabel="start, times minus the solution", ylabel="epochs until all flowers are right")
    _finish(ax, columns=2)
    return figure


def _band(ax: Any, x: np.ndarray, curves: list[np.ndarray], index: int, label: str) -> None:
    """Draw one run in full, and the middle 95 % of all."""
    low, high = np.quantile(curves, (0.025, 0.975), axis=0)
    ax.fill_between(x, low, high, color=sp.plotting.COLOURS[index], alpha=0.2, linewidth=0)
    ax.plot(x, curves[0], **_style(index, label=label, linewidth=1.2))


def _draw_minibatch(found: dict[str, Any]) -> Any:
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(3, 2, figsize=(7.2, 9.2), layout="constrained")
    epochs = np.arange(1, found["config"].epochs + 1)
    # Rises are small beside the first fall: the rest of the way is shown enlarged.
    late = epochs > len(epochs) // 3
    for (plane, middle, lower), name in zip(axes.T, TUTORIAL, strict=True):
        ours = found["minibatch"][name, False]
        # With one divisor for all, the sum of the batches' costs is the sum of losses over 32.
        printed = [run.running * 100 / BATCH for run in found["minibatch"][name, True]]
        curves = (
            ([run.running for run in ours], 0, "running, in the epoch"),
            ([run.end for run in ours], 1, "all flowers, after it"),
        )
        _draw_plane(plane, ours[0].line)
        inset = middle.inset_axes((0.4, 0.34, 0.58, 0.62))
        for each, index, label in curves:
            _band(middle, epochs, each, index, label)
            _band(inset, epochs[late], [curve[late] for curve in each], index, label)
        inset.tick_params(labelsize="small")
        _band(lower, epochs, printed, 2, "as printed: all over 32, summed")
        _band(lower, epochs, [run.running for run in ours], 0, "ours: own size, mean")
        for ax in (middle, lower):
            ax.set(xlabel="epoch", ylabel=f"cost ({name})")
            ax.set_ylim(bottom=0.0)
        lower.annotate(
            "line: one run\nband: 95 % of runs", (0.98, 0.95), xycoords="axes fraction",
            ha="right", va="top", fontsize="small", color="0.35",
        )  # fmt: skip
    _finish(*axes[1:].flat, columns=1)
    return figure


def _plain_decades(ax: Any) -> None:
    """Write 0.01 and not 10 to the minus 2."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    ax.yaxis.set_major_locator(LogLocator(base=10, subs=(1.0, 2.0, 5.0)))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.yaxis.set_minor_formatter(NullFormatter())


def _draw_samples(found: dict[str, Any]) -> Any:
    figure, axes = _panels(2, sharey=True)
    name, epochs = "absolute error", np.arange(1, found["config"].epochs + 1)
    runs = found["minibatch"][name, False]
    per_epoch = runs[0].batches.shape[1]
    full = found["full"][name].history.loss
    scales = {"samples seen": (100, 100), "updates": (1, per_epoch)}
    for ax, (label, (of_full, of_batches)) in zip(axes, scales.items(), strict=True):
        ax.plot(np.arange(EPOCHS) * of_full, full, **_style(0, label="all 100 flowers at once"))
        _band(ax, epochs * of_batches, [run.end for run in runs], 1, f"minibatches of {BATCH}")
        ax.set(xlabel=label, yscale="log")
        _plain_decades(ax)
        ax.annotate(
            "line: one run\nband: 95 % of runs", (0.98, 0.95), xycoords="axes fraction",
            ha="right", va="top", fontsize="small", color="0.35",
        )  # fmt: skip
    axes[0].set_ylabel("cost of all flowers (absolute error)")
    _finish(*axes, columns=1)
    return figure


def _draw_order(found: dict[str, Any]) -> Any:
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 2, figsize=(7.2, 5.4), layout="constrained")
    n_epochs = 3
    for ax, shuffle in zip(axes[0], (True, False), strict=True):
        batches = visits(n_epochs, found["config"].seed, shuffle)
        per_epoch = len(batches) // n_epochs
        for update, batch in enumerate(batches):
            index = update // per_epoch
            ax.plot(
                np.full(len(batch), update + 1), batch, sp.plotting.MARKERS[index], markersize=2.5,
                color=sp.plotting.COLOURS[index],
                label=f"epoch {index + 1}" if update % per_epoch == 0 else None,
            )  # fmt: skip
        ax.set(xlabel="update", xticks=range(1, len(batches) + 1))
        ax.set_ylabel("sample (shuffled)" if shuffle else "sample (not shuffled)")
    fixed = found["unshuffled"][BATCH]
    shuffled = found["minibatch"]["absolute error", False][0].batches
    n_shown = 7 * fixed.shape[1]
    updates = np.arange(1, n_shown + 1)[: fixed.size]
    costs, lags = axes[1]
    for index, (label, batches) in enumerate((("shuffled", shuffled), ("not shuffled", fixed))):
        costs.plot(
            updates, batches.ravel()[:n_shown], marker=sp.plotting.MARKERS[index], markersize=3,
            linewidth=1.0, **_style(index, label=label),
        )  # fmt: skip
        values = autocorrelation(batches, 12)
        lags.plot(
            values, marker=sp.plotting.MARKERS[index], markersize=4, linewidth=1.0,
            **_style(index, label=label),
        )  # fmt: skip
    costs.set(xlabel="update", ylabel="mean cost of the batch")
    lags.set(xlabel="lag (batches)", ylabel="autocorrelation", xticks=range(0, 13, 4))
    lags.axhline(0.0, color="0.8", linewidth=0.8, zorder=0)
    _finish(*axes[0], columns=3)
    _finish(*axes[1])
    return figure


def main(argv: list[str] | None = None) -> None:
    """Run the experiment, print its rows and write its chapter."""
    sp.ledger.main("artificial_neuron", __doc__.splitlines()[0], Config, run, draw, argv)


if __name__ == "__main__":
    main()
