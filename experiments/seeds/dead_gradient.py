"""Whether gradient descent gets anywhere with step units, and what smooth units do instead.

Run ``python experiments/seeds/dead_gradient.py``. The derivative of the step is looked at as it is,
probed by finite differences and used for training. Then come the units that people use in its
place: rectified linear units, whose derivative is zero for half of what they see, and sigmoids,
which become the step as they get steeper.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

import spikesim as sp
from spikesim.comparison.statistics import corrected_mean, wilson

HIDDEN = 4
N_PARAMETERS = 4 * HIDDEN + 1
AT_ZERO = (0.0, 0.5, 1.0)
STEEPNESS = (1.0, 5.0, 20.0)
# Hidden and output units.
NETWORKS = {
    "all units step": (sp.Step(), sp.Step()),
    "step, then one sigmoid": (sp.Step(), sp.Sigmoid()),
    "ReLU, then one sigmoid": (sp.ReLU(), sp.Sigmoid()),
    "all units sigmoid": (sp.Sigmoid(), sp.Sigmoid()),
}


@dataclass(frozen=True)
class Config:
    """How often and how long.

    Parameters
    ----------
    n_draws : int
        Random networks that finite differences are taken of, a multiple of 50.
    steps : tuple of float
        Steps of the difference.
    n_starts : int
        Networks of each kind trained on XOR.
    n_pairs : int
        Starts for each derivative of the ReLU at zero.
    epochs : int
        Epochs of these trainings.
    n_iris : int
        Five-fold cross-validations of the ReLU network on Iris.
    long_epochs : int
        Epochs for which the steepness of a sigmoid is watched.
    n_jobs : int
        Processes; no result depends on it.
    seed : int
        Source of all randomness.
    """

    n_draws: int = 200_000
    steps: tuple[float, ...] = (1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4)
    n_starts: int = 100
    n_pairs: int = 200
    epochs: int = 200
    n_iris: int = 4
    long_epochs: int = 30_000
    n_jobs: int = -1
    seed: int = 1

    @classmethod
    def quick(cls) -> Config:
        """Return a run of ten seconds."""
        return cls(n_draws=20_000, n_starts=20, n_pairs=40, epochs=150, n_iris=1, long_epochs=5000)

    @classmethod
    def smoke(cls) -> Config:
        """Return the smallest run that touches everything."""
        return cls(
            n_draws=500, steps=(1e-1, 1e-2), n_starts=2, n_pairs=3, epochs=3, n_iris=1,
            long_epochs=40, n_jobs=1,
        )  # fmt: skip


def step_derivative() -> float:
    """Return the largest derivative of the step unit that is found, at the threshold and off it."""
    u = np.concatenate([np.linspace(-5.0, 5.0, 10_001), [0.0, np.nextafter(0, 1), -5e-324]])
    unit = sp.Step()
    return float(np.abs(unit.derivative(u, unit.forward(u))).max())


def pulse(steepness: float) -> tuple[float, float, float]:
    """Return what the derivative of a sigmoid by x adds up to, near 0 (0.1), and against cos x.

    In the limit it is the Dirac pulse: area 1, all of it near 0, and 1 = cos 0.
    """
    from scipy.integrate import quad

    unit = sp.Sigmoid(steepness)

    def derivative(x: float) -> float:
        u = np.float64(steepness * x)
        return steepness * float(unit.derivative(u, unit.forward(u)))

    far = 40.0 / steepness
    whole, near, cosine = (
        2.0 * quad(lambda x, f=f: f(x) * derivative(x), 0.0, end, limit=200)[0]
        for f, end in ((lambda x: 1.0, far), (lambda x: 1.0, min(0.1, far)), (np.cos, far))
    )
    return whole, near, cosine


def area_to_step(steepness: float) -> float:
    """Return the area between ``sigma(a x)`` and the step."""
    from scipy.integrate import quad

    unit = sp.Sigmoid(steepness)
    far = 40.0 / steepness
    below = quad(lambda x: float(unit.forward(np.float64(steepness * x))), -far, 0.0, limit=200)[0]
    above = quad(
        lambda x: 1.0 - float(unit.forward(np.float64(steepness * x))), 0.0, far, limit=200
    )[0]
    return below + above


def dead_from() -> tuple[int, int]:
    """Return the first whole u with a derivative of exactly zero, above and below 0."""
    unit, u = sp.Sigmoid(), np.arange(1.0, 1000.0)

    def first(u: np.ndarray) -> int:
        return int(u[np.flatnonzero(unit.derivative(u, unit.forward(u)) == 0.0)[0]])

    return first(u), first(-u)


def errors(parameters: np.ndarray) -> np.ndarray:
    """Return the mean absolute error on XOR of many 2-4-1 step networks at once.

    Parameters
    ----------
    parameters : ndarray, shape (17, n)
        Hidden weights (2 x 4), hidden biases, output weights, output bias of n networks.
    """
    data, unit = sp.datasets.xor(), sp.Step()
    first, bias, second, last = np.split(parameters, [2 * HIDDEN, 3 * HIDDEN, 4 * HIDDEN])
    u = np.tensordot(data.features, first.reshape(2, HIDDEN, -1), 1) + bias
    output = unit.forward((unit.forward(u) * second).sum(axis=1) + last[0])
    return np.abs(output - data.labels[:, np.newaxis]).mean(axis=0)


def nonzero(n_draws: int, steps: tuple[float, ...], seed: int) -> np.ndarray:
    """Count finite differences of the error that are not zero, N(0, 1) weights and biases.

    Returns
    -------
    ndarray of int, shape (50, n_steps)
        Of the 17 parameters of ``n_draws / 50`` networks each.
    """
    rng = np.random.default_rng(seed)
    counts = np.zeros((50, len(steps)), dtype=np.int64)
    for row in counts:
        parameters = rng.standard_normal((N_PARAMETERS, n_draws // 50))
        before = errors(parameters)
        for column, step in enumerate(steps):
            for index in range(N_PARAMETERS):
                moved = parameters.copy()
                moved[index] += step
                row[column] += np.count_nonzero(errors(moved) != before)
    return counts


def log_slope(steps: tuple[float, ...], counts: np.ndarray, weighted: bool = True) -> float:
    """Return the slope of log count against log step, over steps at which anything was counted.

    The variance of the log of a count is one over the count, so each has its count as weight.
    """
    seen = counts > 0
    x, y, w = np.log(np.array(steps)[seen]), np.log(counts[seen]), np.sqrt(counts[seen])
    return float(np.polyfit(x, y, 1, w=w if weighted else None)[0])


def probe(config: Config) -> dict[str, Any]:
    """Return shares of nonzero differences with their intervals, and the slope."""
    from scipy.stats import bootstrap

    counts = nonzero(config.n_draws, config.steps, config.seed)
    n_probes = config.n_draws * N_PARAMETERS

    def interval(statistic: Any, data: tuple) -> tuple[float, float]:
        found = bootstrap(
            data, statistic, paired=True, vectorized=False, n_resamples=1000,
            method="percentile", random_state=np.random.default_rng(config.seed),
        )  # fmt: skip
        return float(found.confidence_interval.low), float(found.confidence_interval.high)

    shares = counts.sum(axis=0) / n_probes
    spread = [
        interval(lambda c: c.sum() / n_probes, (column,)) if column.any() else (0.0, 0.0)
        for column in counts.T
    ]
    slope = log_slope(config.steps, counts.sum(axis=0))
    low, high = interval(
        lambda *columns: log_slope(config.steps, np.array([c.sum() for c in columns])),
        tuple(counts.T),
    )
    # A percentile interval of few, coarse counts need not hold the value itself.
    return {
        "steps": config.steps, "shares": shares, "spread": spread, "counts": counts.sum(axis=0),
        "n_probes": n_probes, "unweighted": log_slope(config.steps, counts.sum(axis=0), False),
        "slope": (slope, min(low, slope), max(high, slope)),
    }  # fmt: skip


def train_xor(kind: str, seed: int, epochs: int) -> dict[str, Any]:
    """Train one 2-8-1 network with true derivatives; return what moved and what it learnt."""
    hidden, output = NETWORKS[kind]
    data = sp.datasets.xor()
    network = sp.dense((2, 8, 1), hidden, output=output, gain=1.4, bias_sd=0.5, rng=seed)
    loss = sp.learning.MSE() if isinstance(output, sp.Step) else sp.learning.CrossEntropy()
    rule = sp.learning.Backprop(loss, sp.learning.Adam(0.05))
    result = sp.fit(
        network, rule, data.features, data.labels, epochs=epochs, seed=seed, warn=False,
        progress=False,
    )  # fmt: skip
    moved = []
    for old, new in zip(network.layers, result.network.layers, strict=True):
        pairs = [(old.w, new.w), (old.bias, new.bias)]
        moved.append(sum(np.count_nonzero(_bits(a) != _bits(b)) for a, b in pairs))
    accuracy = np.append(result.history.accuracy, result.score(data.features, data.labels))
    u = sp.layered.forward(network, data.features[np.newaxis])[0].v
    flat = float(np.mean(hidden.derivative(u, hidden.forward(u)) == 0.0))
    u = sp.layered.forward(result.network, data.features[np.newaxis])[0].v
    flat_after = float(np.mean(hidden.derivative(u, hidden.forward(u)) == 0.0))
    return {
        "moved": moved, "n": network.layers[0].w.size + 17, "accuracy": accuracy,
        "flat": (flat, flat_after),
    }  # fmt: skip


def _bits(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array).view(np.uint64)


def relu_xor(at_zero: float, bias_sd: float, seed: int, epochs: int) -> float:
    """Return the accuracy that a 2-4-1 ReLU network ends with, stopped when it is 1."""
    data = sp.datasets.xor()
    network = sp.dense(
        (2, 4, 1), sp.ReLU(at_zero), output=sp.Sigmoid(), gain=1.4, bias_sd=bias_sd, rng=seed
    )
    rule = sp.learning.Backprop(optimiser=sp.learning.Adam(0.05))
    result = sp.fit(
        network, rule, data.features, data.labels, epochs=epochs, seed=seed, warn=False,
        until="solved", patience=1, progress=False,
    )  # fmt: skip
    return result.score(data.features, data.labels)


def relu_iris(at_zero: float, repeat: int, seed: int) -> tuple[list[float], float, float]:
    """Return test accuracies of five folds, and the flat share before and after training."""
    from sklearn.model_selection import StratifiedKFold

    data = sp.datasets.iris()
    accuracies, before, after = [], [], []
    folds = StratifiedKFold(5, shuffle=True, random_state=repeat)
    for fold, (train, test) in enumerate(folds.split(data.features, data.labels)):
        mean, sd = data.features[train].mean(axis=0), data.features[train].std(axis=0)
        scaled = (data.features - mean) / sd
        network = sp.dense(
            (4, 8, 3), sp.ReLU(at_zero), output=sp.Sigmoid(), gain=1.4,
            rng=np.random.SeedSequence([seed, repeat, fold]),
        )  # fmt: skip
        rule = sp.learning.Backprop(optimiser=sp.learning.Adam(0.02))
        result = sp.fit(
            network, rule, scaled[train], data.labels[train], epochs=40, batch_size=16,
            seed=seed, warn=False, progress=False,
        )  # fmt: skip
        accuracies.append(result.score(scaled[test], data.labels[test]))
        for net, shares in ((network, before), (result.network, after)):
            u = sp.layered.forward(net, scaled[train][np.newaxis])[0].v
            shares.append(float(np.mean(u <= 0.0)))
    return accuracies, float(np.mean(before)), float(np.mean(after))


def steepness_path(separable: bool, epochs: int) -> dict[str, Any]:
    """Train steepness and bias of one sigmoid on petal length; return how they went.

    The weight is 1 and fixed, so that the steepness alone says how steep the unit is. The feature
    is centred, which leaves the steepness as it is.
    """
    from scipy.optimize import minimize

    data = sp.datasets.iris()
    chosen = (data.labels < 2) if separable else (data.labels > 0)
    labels = data.labels[chosen] - (0 if separable else 1)
    x = data.features[chosen][:, 2]
    x = x - x.mean()
    layer = sp.Layer([[1.0]], sp.Sigmoid(), [0.0], trainable=("bias", "steepness"))
    network = sp.LayeredNetwork([layer])
    rule = sp.learning.Backprop(optimiser=sp.learning.SGD(1.0))
    state = rule.init(network)
    inputs = x[np.newaxis, :, np.newaxis]
    marks = np.unique(np.rint(np.geomspace(1, epochs, 80)).astype(int))
    path: list[float] = []
    all_right = 0
    for epoch in range(1, epochs + 1):
        network, state, metrics = rule.step(network, state, inputs, labels)
        if not all_right and metrics.n_correct == metrics.n_trials:
            all_right = epoch
        if epoch == marks[len(path)]:
            path.append(float(network.layers[0].steepness[0]))
    sign = 2.0 * labels - 1.0
    best = minimize(lambda p: np.logaddexp(0.0, -sign * (p[0] * x + p[1])).mean(), (1.0, 0.0))
    gap = float(x[labels == 1].min() - x[labels == 0].max())
    return {
        "epochs": marks, "path": np.array(path), "optimum": float(best.x[0]), "gap": gap,
        "all_right": all_right,
    }  # fmt: skip


def growth(path: dict[str, Any], until: float = 10.0) -> float:
    """Return by how much the steepness grew each time the epochs grew e-fold.

    Over the last decade of epochs or, if `until` is 100, over the one before.
    """
    share = path["epochs"] / path["epochs"][-1]
    late = (share >= 1.0 / until) & (share <= 10.0 / until)
    return float(np.polyfit(np.log(path["epochs"][late]), path["path"][late], 1)[0])


def run(config: Config) -> dict[str, Any]:
    """Measure all rows."""
    from joblib import Parallel, delayed

    parallel = Parallel(n_jobs=config.n_jobs)
    kinds = [(kind, seed) for kind in NETWORKS for seed in range(config.n_starts)]
    trained: dict[str, list[dict[str, Any]]] = {kind: [] for kind in NETWORKS}
    runs = parallel(delayed(train_xor)(k, config.seed + s, config.epochs) for k, s in kinds)
    for (kind, _), result in zip(kinds, runs, strict=True):
        trained[kind].append(result)
    pairs = [(z, sd, s) for sd in (0.0, 0.5) for z in AT_ZERO for s in range(config.n_pairs)]
    scores = parallel(
        delayed(relu_xor)(z, sd, config.seed + s, config.epochs) for z, sd, s in pairs
    )
    at_zero = dict(
        zip([(sd, z) for sd in (0.0, 0.5) for z in AT_ZERO],
            np.reshape(scores, (6, config.n_pairs)), strict=True)
    )  # fmt: skip
    folds = [(z, repeat) for z in AT_ZERO for repeat in range(config.n_iris)]
    iris = dict(
        zip(folds, parallel(delayed(relu_iris)(z, r, config.seed) for z, r in folds), strict=True)
    )
    separable, overlapping = parallel(
        delayed(steepness_path)(each, config.long_epochs) for each in (True, False)
    )
    found: dict[str, Any] = {
        "derivative": step_derivative(),
        "pulse": {a: pulse(a) for a in (1.0, 5.0, 20.0, 100.0)},
        "area": {a: area_to_step(a) for a in STEEPNESS},
        "dead_from": dead_from(),
        "probe": probe(config),
        "trained": trained,
        "epochs": config.epochs,
        "at_zero": at_zero,
        "iris": iris,
        "luck": float(np.mean(errors(_draws(config)) == 0.0)),
        "separable": separable,
        "overlapping": overlapping,
    }
    rows = [_s1_1(found), _s1_2(found), _s1_3(found), _s1_4(found), _s1_5(found)]
    found["rows"] = [*rows, _s1_7(found), _s1_8(found)]
    found["hypotheses"] = [_h6(found)]
    return found


def _draws(config: Config) -> np.ndarray:
    return np.random.default_rng([config.seed, 1]).standard_normal((N_PARAMETERS, config.n_draws))


def _s1_1(found: dict[str, Any]) -> sp.ledger.Row:
    steepest = max(found["pulse"])
    whole, near, cosine = found["pulse"][steepest]
    areas = all(abs(p[0] - 1) < 1e-6 for p in found["pulse"].values())
    ok = found["derivative"] == 0.0 and areas and abs(cosine - 1) < 1e-3
    return sp.ledger.Row(
        id="S1.1",
        claim="The derivative of the step is zero but at the threshold, where it is a Dirac pulse",
        quantity="area under the derivative of a sigmoid of steepness "
        f"{steepest:g}, which the Dirac pulse has too",
        value=whole,
        verdict="holds" if ok else "fails",
        condition="" if ok else "the step has a derivative, or the pulse another area",
        figure="step_and_sigmoid",
        text=(
            "The step is flat on both sides of its threshold, so its derivative is zero there; at "
            "the threshold there is none, and spikesim returns zero there too (largest of 10,004 "
            f"points: {found['derivative']:g}). What is missing "
            "sits in that single point. Seen as the limit of sigmoids it is a pulse of height "
            "a/4 whose area stays 1 however steep the sigmoid gets "
            f"({whole:.6f} at a = {steepest:g}); {100 * near:.2f} % of it lies within 0.1 of the "
            "threshold by then, and weighing cos x with it gives "
            f"{cosine:.5f}, close to cos 0 = 1. That is what Dirac's pulse does. A computer that "
            "evaluates the derivative at a point never meets it."
        ),
        tables=(
            sp.ledger.Table(
                "Derivative of a sigmoid of steepness a as a pulse",
                ("a", "height", "area", "area within 0.1", "area times cos x"),
                tuple(
                    (f"{a:g}", f"{a / 4:g}", *(f"{value:.5f}" for value in values))
                    for a, values in found["pulse"].items()
                ),
            ),
        ),
    )


def _proportional(slope: tuple[float, float, float]) -> tuple[str, str]:
    """Return a verdict on whether a slope is 1 within a tenth, and its condition."""
    value, low, high = slope
    if 0.9 <= low and high <= 1.1:
        return "holds", ""
    if low > 1.1 or high < 0.9:
        return "fails", f"the share falls with the power {value:.2f} of the change"
    return "holds if", (
        f"more draws bear it out: the interval of the slope ({low:.2f} to {high:.2f}) is not yet "
        "within 0.9 to 1.1"
    )


def _s1_2(found: dict[str, Any]) -> sp.ledger.Row:
    from scipy.stats import binom

    data = found["probe"]
    slope, low, high = data["slope"]
    exactly, reading = _proportional(data["slope"])
    per_step = data["shares"][-1] / data["steps"][-1] if data["shares"][-1] else float("nan")
    return sp.ledger.Row(
        id="S1.2",
        claim="The share of weights whose small change is felt falls in proportion to the change",
        quantity="slope of log share of nonzero differences against log step",
        value=slope,
        interval=(low, high),
        interval_kind="95 % bootstrap",
        verdict=exactly,
        condition=reading,
        figure="finite_differences",
        text=(
            f"{int(data['counts'].sum()):,} of {len(data['steps'])} times "
            f"{data['n_probes']:,} finite differences of the mean absolute error on XOR were "
            "not zero, over step networks with two inputs, four hidden units and one output, "
            "weights and biases from N(0, 1), each of 17 parameters moved in turn. "
            f"With a step of {data['steps'][0]:g} it is {100 * data['shares'][0]:.2f} % of them, "
            f"with {data['steps'][-1]:g} it is {100 * data['shares'][-1]:.4f} %, about "
            f"{per_step:.2g} times the step, and the slope over all steps is {slope:.3f}. In "
            "proportion means that the interval of the slope lies within 0.9 to 1.1; every "
            "point has the weight of its count, since the smallest steps count few (without "
            f"weights the slope is {data['unweighted']:.3f}). A difference is not zero only if the "
            "move carries a unit over its threshold on one of the four inputs and the output hears "
            "of it. "
            "At the largest steps the share lags a little, as several inputs are crossed at once "
            "or their errors cancel. An earlier count of 1.9, 0.15, 0.025 and 0 % for steps of "
            "0.1, 0.01, 0.001 and 0.0001 is what 4000 single probes give (76, 6, 1 and 0 of "
            "them); the last column has the range to expect of so few."
        ),
        tables=(
            sp.ledger.Table(
                "Share of finite differences that are not zero",
                ("step", "share (%)", "95 % bootstrap", "share / step",
                 "95 % of samples of 4000 single probes (%)"),
                tuple(
                    (f"{h:g}", f"{100 * share:.4g}",
                     f"{100 * spread[0]:.4g} to {100 * spread[1]:.4g}", f"{share / h:.3f}",
                     " to ".join(f"{n / 40:g}" for n in binom.interval(0.95, 4000, share)))
                    for h, share, spread in zip(
                        data["steps"], data["shares"], data["spread"], strict=True)
                ),
            ),
        ),
    )  # fmt: skip


def _solved(runs: list[dict[str, Any]]) -> Any:
    return wilson(sum(bool(r["accuracy"][-1] == 1.0) for r in runs), len(runs))


def _s1_3(found: dict[str, Any]) -> sp.ledger.Row:
    runs = found["trained"]["all units step"]
    mixed = found["trained"]["step, then one sigmoid"]
    moved = sum(sum(r["moved"]) for r in runs)
    hidden_moved = sum(r["moved"][0] for r in mixed)
    n = sum(r["n"] for r in runs)
    same = all(r["accuracy"][0] == r["accuracy"][-1] for r in runs)
    accuracy = 100 * float(np.mean([r["accuracy"][-1] for r in runs]))
    solved, by_output = _solved(runs), _solved(mixed)
    return sp.ledger.Row(
        id="S1.3",
        claim="With the true derivative of the step gradient descent never moves a weight",
        quantity="weights and biases that changed in any bit",
        value=moved,
        verdict="holds" if moved == 0 and same else "fails",
        condition="" if moved == 0 else "some weight moved",
        figure="training",
        text=(
            f"{len(runs)} networks of step units with eight hidden units were trained on XOR for "
            f"{found['epochs']} epochs with Adam and the true derivative. Of {n:,} weights and "
            f"biases {moved} changed, down to the last bit, and the mean accuracy stayed at the "
            f"{accuracy:.1f} % of the draws; {_percent(solved)} of the starts have XOR right, by "
            f"luck (of 2-4-1 networks with N(0, 1) weights it is {100 * found['luck']:.2f} %). "
            f"It takes a single smooth unit, the output, and "
            f"{_percent(by_output)} of the networks learn XOR, while of their hidden weights "
            f"{hidden_moved} moved. The output sees eight fixed random features and learns to "
            "weigh them; a network may seem to train although a whole layer of it is dead."
        ),
    )


def _s1_4(found: dict[str, Any]) -> sp.ledger.Row:
    runs, dead = found["trained"]["ReLU, then one sigmoid"], found["trained"]["all units step"]
    flat, after = (float(np.mean([r["flat"][i] for r in runs])) for i in (0, 1))
    solved, luck = _solved(runs), _solved(dead)
    repeats = [value for (z, _), value in found["iris"].items() if z == 0.0]
    accuracy = corrected_mean(np.concatenate([r[0] for r in repeats]), 120, 30)
    iris_flat, iris_after = (float(np.mean([r[i] for r in repeats])) for i in (1, 2))
    half = all(0.4 <= share <= 0.6 for share in (flat, iris_flat))
    ok = half and solved.low > luck.high and accuracy.low > 0.9
    return sp.ledger.Row(
        id="S1.4",
        claim="Rectified linear units train, although their derivative is zero half of the time",
        quantity="starts of a 2-8-1 ReLU network that solve XOR",
        unit="%",
        value=100 * solved.value,
        interval=(100 * solved.low, 100 * solved.high),
        interval_kind="95 % Wilson",
        verdict="holds" if ok else "fails",
        condition="" if ok else "the share or the accuracy is not as claimed",
        figure="training",
        text=(
            f"At the start the derivative was zero for {100 * flat:.1f} % of the pairs of a "
            f"hidden unit and an input on XOR and {100 * iris_flat:.1f} % on Iris, and for "
            f"{100 * after:.1f} % and {100 * iris_after:.1f} % after training: about half. "
            f"Still {_percent(solved)} of the starts solve XOR, and a 4-8-3 network reaches "
            f"{100 * accuracy.value:.1f} % ({100 * accuracy.low:.1f} to "
            f"{100 * min(1.0, accuracy.high):.1f} %, corrected for overlapping folds) on Iris "
            "flowers that it was not shown. Zero for half of the inputs is not zero everywhere: "
            "each unit is moved by the inputs for which it is active, and what dies is only a "
            "unit that is active for none."
        ),
    )


def differences(
    found: dict[str, Any], selected: bool = False
) -> dict[str, tuple[float, float, float]]:
    """Return accuracy with a derivative at zero of 0.5 and 1, minus with 0 (points, 90 % t).

    If one of the k differences is selected for its size, its level is 1 - 0.1 / k (Bonferroni).
    """
    from scipy.stats import t

    values = {}
    for z in AT_ZERO[1:]:
        for sd, name in ((0.0, "XOR, biases start at 0"), (0.5, "XOR, random biases")):
            values[f"{name}: {z:g}"] = found["at_zero"][sd, z] - found["at_zero"][sd, 0.0]
        iris = {k: np.concatenate([v[0] for (y, _), v in found["iris"].items() if y == k])
                for k in (0.0, z)}  # fmt: skip
        values[f"Iris, biases start at 0: {z:g}"] = iris[z] - iris[0.0]
    level = 1.0 - 0.1 / (len(values) if selected else 1)
    found_differences = {}
    for name in sorted(values, reverse=True):
        d = 100 * values[name]
        half = float(t.ppf(0.5 + 0.5 * level, len(d) - 1) * d.std(ddof=1) / np.sqrt(len(d)))
        found_differences[name] = float(d.mean()), float(d.mean()) - half, float(d.mean()) + half
    return found_differences


def _s1_5(found: dict[str, Any]) -> sp.ledger.Row:
    by_name = differences(found)
    equal = {name: -1.0 < low and high < 1.0 for name, (_, low, high) in by_name.items()}
    worst = max(by_name, key=lambda name: abs(by_name[name][0]))
    mean, low, high = differences(found, selected=True)[worst]
    n_equal, k = sum(equal.values()), len(by_name)
    # A task counts as equal if it is so for every derivative.
    tasks = {name.split(": ")[0] for name in by_name}
    same = sorted(
        task for task in tasks if all(v for name, v in equal.items() if name.startswith(task))
    )
    alike = [
        np.array_equal(found["at_zero"][0.5, z], found["at_zero"][0.5, 0.0]) for z in AT_ZERO[1:]
    ]
    alike += [v[0] == found["iris"][0.0, r][0] for (z, r), v in found["iris"].items() if z > 0.0]
    if len(same) == len(tasks):
        verdict, condition = "holds", ""
    elif same:
        verdict = "holds if"
        condition = (
            "it is one of these tasks: " + "; ".join(same)
            if "XOR, random biases" not in same or "XOR, biases start at 0" in same
            else f"no net input is exactly zero, as here for {' and for '.join(same)}"
        )
    else:
        verdict, condition = "fails", "on no task are the accuracies equal within one point"
    return sp.ledger.Row(
        id="S1.5",
        claim="Which derivative a rectified linear unit is given exactly at zero hardly matters",
        quantity=f"largest difference in accuracy to a derivative of 0 ({worst})",
        unit="points",
        value=mean,
        interval=(low, high),
        interval_kind=f"{100 - 10 / k:.3g} % t, paired, for the largest of {k}",
        verdict=verdict,
        condition=condition,
        figure="relu_at_zero",
        text=(
            "The same starts were trained with a derivative at zero of 0, 0.5 and 1. Equal means "
            "that the 90 % interval of the paired difference in accuracy lies within one point "
            f"(two one-sided tests at 5 %); that is so for {n_equal} of {k} comparisons. The "
            f"largest is picked out of {k}, so its interval has the level 1 - 0.1/{k}. On Iris, "
            "and on XOR with random biases, a net input of exactly zero is not to be expected, and "
            f"{sum(alike)} of {len(alike)} sets of runs end with equal accuracy "
            "start by start. It is otherwise for XOR with "
            "biases that start at zero, a common habit: the input (0, 0) then gives every hidden "
            "unit a net input of exactly 0, a quarter of all there are. With a derivative of 0 "
            "the hidden units do not learn from this input, and the accuracy is "
            f"{abs(mean):.1f} points lower. The choice is free only where it is never asked for."
        ),
        tables=(
            sp.ledger.Table(
                "Accuracy minus that with a derivative of 0 at zero (points, 90 % interval)",
                ("task: derivative at zero", "difference", "within one point"),
                tuple(
                    (name, f"{m:+.2f} ({lo:+.2f} to {hi:+.2f})", "yes" if equal[name] else "no")
                    for name, (m, lo, hi) in by_name.items()
                ),
            ),
        ),
    )  # fmt: skip


def _s1_7(found: dict[str, Any]) -> sp.ledger.Row:
    area, (above, below) = found["area"], found["dead_from"]
    unit = sp.Sigmoid()
    x = np.linspace(0.01, 3.0, 300)
    bound = all(np.all(unit.forward(-a * x) <= np.exp(-a * x)) for a in STEEPNESS)
    exact = all(abs(area[a] * a / (2 * np.log(2)) - 1) < 1e-6 for a in STEEPNESS)
    falls = bool(np.all(np.diff(unit.forward(-5.0 * x)) < 0))
    flat = bool(np.all(unit.forward(0.0 * x) == 0.5))
    ok = bound and exact and falls and flat
    return sp.ledger.Row(
        id="S1.7",
        claim="A sigmoid comes as close to the step as one likes when its steepness grows",
        quantity=f"area between the step and the sigmoid of steepness {STEEPNESS[-1]:g}",
        value=area[STEEPNESS[-1]],
        verdict="holds" if ok else "fails",
        condition="" if ok else "a number is not as calculated",
        figure="step_and_sigmoid",
        text=(
            "The area between the sigmoid of steepness a and the step is 2 ln 2 / a: "
            + ", ".join(f"{area[a]:.5g} at a = {a:g}" for a in STEEPNESS)
            + ". At a distance d from the threshold the two differ by less than exp(-a d); at the "
            "threshold the slope is a/4 and the difference stays 1/2, however steep. A negative a "
            "turns the sigmoid round, and with a = 0 it is 1/2 everywhere. In double precision its "
            f"computed derivative is exactly 0 from {above} on and at {below} and below, so a "
            "saturated unit can be as dead as a step."
        ),
        tables=(
            sp.ledger.Table(
                "Sigmoid of steepness a against the step",
                ("a", "area between", "2 ln 2 / a", "slope at 0", "difference at 0.5",
                 "exp(-a / 2)"),
                tuple(
                    (f"{a:g}", f"{area[a]:.6g}", f"{2 * np.log(2) / a:.6g}", f"{a / 4:g}",
                     f"{1 - unit.forward(np.float64(a / 2)):.3g}", f"{np.exp(-a / 2):.3g}")
                    for a in STEEPNESS
                ),
            ),
        ),
    )  # fmt: skip


def _s1_8(found: dict[str, Any]) -> sp.ledger.Row:
    separable, overlapping = found["separable"], found["overlapping"]
    rate, predicted = growth(separable), 2.0 / separable["gap"]
    end, best = float(overlapping["path"][-1]), overlapping["optimum"]
    finite = abs(end / best - 1) < 0.01
    grows = rate > 0.5 * predicted
    before = growth(separable, 100)
    if not finite:
        verdict, condition = "fails", "even where the classes overlap it is not found"
    elif grows:
        verdict = "holds if"
        condition = "the classes overlap; where they can be separated the steepness has no end"
    else:
        verdict, condition = "holds", ""
    return sp.ledger.Row(
        id="S1.8",
        claim="Training finds the steepness and the bias of a sigmoid that the data require",
        quantity="growth of the steepness each time the epochs grow 2.7-fold, separable classes",
        unit="per cm",
        value=rate,
        verdict=verdict,
        condition=condition,
        figure="steepness",
        text=(
            "One sigmoid with a fixed weight of 1 learnt its steepness a and its bias from petal "
            "length by gradient descent on cross-entropy. Versicolor and virginica overlap: a "
            f"settles at {end:.3f} per cm, where a direct minimisation puts it too ({best:.3f}). "
            f"Setosa and versicolor are {separable['gap']:g} cm apart: a is "
            f"{separable['path'][-1]:.1f} after {separable['epochs'][-1]:,} epochs and still "
            f"grows by {rate:.2f} each time the epochs grow 2.7-fold (e-fold, over the last decade "
            f"of epochs; over the decade before by {before:.2f}). Theory says {predicted:.2f} in "
            "the limit, 2 over the gap (Soudry et al. 2018); the rate "
            + ("still rises towards it, as" if before < rate < predicted else "is not there yet:")
            + " the pull of flowers farther from the gap dies out only slowly. Every steeper "
            "sigmoid is better on such data, the step is the limit, and training goes there at "
            "the pace of a logarithm"
            + (
                f", although all flowers are on the right side from epoch "
                f"{separable['all_right']} on."
                if separable["all_right"]
                else "."
            )
        ),
    )


def _h6(found: dict[str, Any]) -> sp.ledger.Hypothesis:
    moved = sum(sum(r["moved"]) for r in found["trained"]["all units step"])
    slope, low, high = found["probe"]["slope"]
    verdict, _ = _proportional((slope, low, high))
    still, straight = moved == 0, verdict == "holds"
    outcome = "held" if still and straight else "held in part" if still or straight else "failed"
    against = [f"{moved} weights or biases changed"] * (not still)
    against += ["the slope is not shown to lie within 0.9 to 1.1"] * (verdict == "holds if")
    against += ["the slope lies outside 0.9 to 1.1"] * (verdict == "fails")
    return sp.ledger.Hypothesis(
        "H6", outcome,
        f"{moved} weights or biases of step networks changed under the true derivative. The share "
        f"of finite differences other than zero falls with a slope of {slope:.3f} "
        f"({low:.3f} to {high:.3f}) in a log-log plot. Met of what would count against it: "
        f"{' and '.join(against) or 'nothing'}.",
        ("S1.2", "S1.3"),
    )  # fmt: skip


def _percent(share: Any) -> str:
    return f"{100 * share.value:.0f} % ({100 * share.low:.0f} to {100 * share.high:.0f} %)"


def draw(found: dict[str, Any]) -> dict[str, Any]:
    """Draw the five figures of the rows."""
    return {
        "step_and_sigmoid": _draw_sigmoids(),
        "finite_differences": _draw_probe(found["probe"]),
        "training": _draw_training(found),
        "relu_at_zero": _draw_at_zero(found),
        "steepness": _draw_steepness(found),
    }


def _axes(columns: int = 1, width: float = 6.0, height: float = 3.4) -> Any:
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, columns, figsize=(width, height), layout="constrained")
    for ax in np.ravel(axes):
        ax.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _style(index: int) -> dict[str, Any]:
    return {
        "color": sp.plotting.COLOURS[index], "linestyle": sp.plotting.LINE_STYLES[index],
        "linewidth": 1.5,
    }  # fmt: skip


def _draw_sigmoids() -> Any:
    figure, (left, right) = _axes(2, 7.2, 3.4)
    x = np.linspace(-2.0, 2.0, 801)
    step, unit = sp.Step(), sp.Sigmoid()
    left.plot(x, step.forward(x), color="black", linewidth=2.5, alpha=0.4, label="step")
    for index, a in enumerate((*STEEPNESS, -5.0, 0.0)):
        left.plot(x, unit.forward(a * x), label=f"a = {a:g}", **_style(index))
    for index, a in enumerate(STEEPNESS):
        y = unit.forward(a * x)
        right.plot(x, a * unit.derivative(a * x, y), label=f"a = {a:g}", **_style(index))
    right.plot(x, step.derivative(x, step.forward(x)), color="black", linewidth=2.5, alpha=0.4)
    left.set(xlabel="net input x", ylabel="output σ(a x)")
    right.set(xlabel="net input x", ylabel="derivative of the output by x", xlim=(-1, 1))
    figure.legend(
        *left.get_legend_handles_labels(), loc="outside upper center", ncols=6, frameon=False,
        fontsize="small", columnspacing=1.2, handlelength=1.8,
    )  # fmt: skip
    return figure


def _draw_probe(data: dict[str, Any]) -> Any:
    figure, ax = _axes()
    steps, shares = np.array(data["steps"]), data["shares"]
    seen = shares > 0
    spread = np.array(data["spread"])[seen]
    yerr = np.abs(spread - shares[seen, np.newaxis]).T
    # A logarithmic axis has no 0: an interval that reaches it ends in an arrow.
    to_zero = spread[:, 0] == 0.0
    yerr[0, to_zero] = 0.6 * shares[seen][to_zero]
    ax.errorbar(
        steps[seen], 100 * shares[seen], yerr=100 * yerr, marker="o", capsize=3,
        color=sp.plotting.COLOURS[0], linestyle="none",
        label="measured, 95 % interval",
    )  # fmt: skip
    ax.plot(
        steps[seen][to_zero], 40 * shares[seen][to_zero], "v", color=sp.plotting.COLOURS[0],
        label="interval reaches 0" if to_zero.any() else None,
    )  # fmt: skip
    middle = float(np.exp(np.mean(np.log(shares[seen] / steps[seen]))))
    ax.plot(
        steps, 100 * middle * steps, color="0.35", linestyle="--", linewidth=1.2,
        label="in proportion to the step", zorder=0,
    )  # fmt: skip
    ax.set(xscale="log", yscale="log", xlabel="step of the difference",
           ylabel="differences other than zero (%)")  # fmt: skip
    ax.legend(frameon=False, loc="upper left")
    return figure


def _draw_training(found: dict[str, Any]) -> Any:
    figure, ax = _axes(height=3.6)
    for index, (kind, runs) in enumerate(found["trained"].items()):
        mean = 100 * np.mean([r["accuracy"] for r in runs], axis=0)
        ax.plot(np.arange(len(mean)), mean, label=kind, **_style(index))
    ax.set(xlabel="epochs of training on XOR", ylabel="mean accuracy (%)", ylim=(40, 102))
    ax.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=2, fontsize="small")
    return figure


def _draw_at_zero(found: dict[str, Any]) -> Any:
    figure, ax = _axes()
    by_name = differences(found)
    ax.axvspan(-1, 1, color="0.9")
    ax.axvline(0, color="0.5", linewidth=0.8)
    for row, (mean, low, high) in enumerate(by_name.values()):
        ax.errorbar(
            mean, row, xerr=[[mean - low], [high - mean]], marker="o", capsize=3,
            color=sp.plotting.COLOURS[0],
        )  # fmt: skip
    labels = [name.replace(": ", "\nderivative ") for name in by_name]
    ax.set_yticks(range(len(by_name)), labels, fontsize="small")
    ax.set_ylim(len(by_name) - 0.5, -0.5)
    ax.set_xlabel("accuracy minus that with derivative 0 (points)\ngrey: counts as equal")
    return figure


def _draw_steepness(found: dict[str, Any]) -> Any:
    figure, ax = _axes()
    names = {
        "separable": "setosa, versicolor (a gap)",
        "overlapping": "versicolor, virginica (overlap)",
    }
    for index, (key, label) in enumerate(names.items()):
        ax.plot(found[key]["epochs"], found[key]["path"], label=label, **_style(index))
    ax.axhline(
        found["overlapping"]["optimum"], color="0.35", linestyle=":", linewidth=1.2,
        label="best steepness where they overlap",
    )  # fmt: skip
    ax.set(xscale="log", xlabel="epochs", ylabel="steepness a (1/cm)")
    ax.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), fontsize="small", ncols=2)
    return figure


def main(argv: list[str] | None = None) -> None:
    """Run the experiment, print its rows and write its chapter."""
    sp.ledger.main("dead_gradient", __doc__.splitlines()[0], Config, run, draw, argv)


if __name__ == "__main__":
    main()
