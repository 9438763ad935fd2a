"""What a threshold unit learns that changes its weights by a percentage of its error.

Run ``python experiments/seeds/proportional_rule.py``. A unit whose net input is too high has its
weights lowered by a share of what is too much, one that should have fired has them raised. The
text can be read in four ways, which differ in which weights change; the error of a hidden unit in
three more. Each reading is worked through on one example, on Iris and on XOR.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import combinations_with_replacement, product
from typing import Any

import numpy as np
from joblib import Parallel, delayed

import spikesim as sp
from spikesim.comparison.statistics import equivalent_shares, wilson
from spikesim.ledger import Hypothesis, Row, Table

THETA, ETA = 5.0, 0.1
EXAMPLE = (2.0, 3.5)
READINGS = ("every", "active", "additive", "balanced")
CREDITS = ("sum", "weighted", "unanimous")


@dataclass(frozen=True)
class Config:
    """How many starts each claim is tried from.

    Parameters
    ----------
    n_currents : int
        Currents of the f-I curve.
    n_directions : int
        Random directions of the weight vector on Iris.
    n_starts : int
        Random starts of the other claims about a single unit.
    factors : tuple of float
        Shares of the error that the additive reading is tried with.
    n_seeds, n_spiking_seeds : int
        Starts on XOR for each network, of threshold units and of LIF neurons.
    hidden : tuple of int
        Hidden units on XOR.
    epochs : int
        Epochs on XOR at most.
    n_iris : int
        Starts for each fold of Iris with three classes.
    iris_epochs : int
        Epochs on Iris with three classes.
    seed : int
        Source of all randomness.
    n_jobs : int
        Processes; results do not depend on it.
    """

    n_currents: int = 200
    n_directions: int = 1000
    n_starts: int = 400
    factors: tuple[float, ...] = (0.1, 0.5, 1.0, 1.5, 1.9, 1.99, 2.0, 2.1, 2.5, 3.0)
    n_seeds: int = 400
    n_spiking_seeds: int = 200
    hidden: tuple[int, ...] = (2, 4, 8)
    epochs: int = 400
    n_iris: int = 10
    iris_epochs: int = 100
    seed: int = 1
    n_jobs: int = -1

    @classmethod
    def quick(cls) -> Config:
        """Return a run of less than a minute."""
        return cls(
            n_currents=50, n_directions=150, n_starts=100, n_seeds=40, n_spiking_seeds=20, n_iris=2
        )

    @classmethod
    def smoke(cls) -> Config:
        """Return the smallest run that touches everything."""
        return cls(
            n_currents=4, n_directions=6, n_starts=6, factors=(1.0, 2.5), n_seeds=2,
            n_spiking_seeds=1, hidden=(2, 3), epochs=5, n_iris=1, iris_epochs=2, n_jobs=1,
        )  # fmt: skip


def unit(w: Any, theta: float = THETA, fire_on: str = "ge") -> sp.LayeredNetwork:
    """Return one threshold unit; its bias is the threshold and stays."""
    layer = sp.Layer(np.transpose([w]), sp.Step(fire_on), [-theta], trainable=("w",))
    return sp.LayeredNetwork([layer])


def presented(network: Any, rule: Any, x: Any, labels: Any, times: int) -> list[np.ndarray]:
    """Return the weights of one unit before and after each of `times` passes through `x`.

    There are fewer if they diverge.
    """
    x, labels = np.array(x, dtype=float)[np.newaxis], np.array(labels)
    state, weights = rule.init(network), [network.layers[0].w[:, 0]]
    for _ in range(times):
        try:
            network, state, _ = rule.step(network, state, x, labels)
        except sp.errors.NonFiniteStateError:
            break
        weights.append(network.layers[0].w[:, 0])
    return weights


def nets(rule: Any, times: int, w: Any = EXAMPLE, fire_on: str = "ge") -> np.ndarray:
    """Return the net inputs of a unit that is to stay silent though all its inputs are on."""
    ones = np.ones((1, len(w)))
    return np.array([v.sum() for v in presented(unit(w, THETA, fire_on), rule, ones, [0], times)])


def firing(config: Config) -> dict[str, Any]:
    """Return intervals between spikes under constant current, measured and from the closed form.

    Returns
    -------
    dict
        ``currents`` (pA), ``rates`` and ``theory`` (Hz); for each time step in ``dts`` (ms) the
        largest distance of an interval from the closed form in steps and whether all are that
        form rounded up to the grid; ``silent``, whether no neuron below the rheobase fired;
        ``trace``, a recording; ``at_reset``, whether v is v_reset after each of its spikes.
    """
    currents = np.linspace(300.0, 1200.0, config.n_currents)
    model = sp.LIF(i_ext=currents)
    drive, gap = model.r_m * currents, model.v_th - model.v_rest
    fires = drive > gap
    climb = model.tau_m * np.log(drive[fires] / (drive[fires] - gap))
    theory = np.zeros_like(currents)
    theory[fires] = 1000.0 / (model.t_ref + climb)
    dts, duration = (1.0, 0.1, 0.01), 200.0
    found: dict[str, Any] = {"currents": currents, "theory": theory, "dts": dts, "gap": gap}
    found |= {"far": [], "rounded": [], "n_intervals": 0, "silent": True}
    for dt in dts:
        spikes = sp.simulate(sp.Population("unit", model, len(currents)), duration, dt=dt)["unit"]
        steps = np.rint(spikes.spike_times / dt).astype(int)
        far, rounded = [0.0], True
        for k, interval in zip(np.flatnonzero(fires), climb, strict=True):
            apart = np.diff(steps[spikes.spike_ids == k])
            exact = (model.t_ref + interval) / dt
            found["n_intervals"] += len(apart)
            far += list(np.abs(apart - exact))
            rounded &= bool(np.all(apart == round(model.t_ref / dt) + np.ceil(interval / dt)))
        found["far"].append(max(far))
        found["rounded"].append(rounded)
        found["silent"] &= bool(np.all(fires[spikes.spike_ids]))
        if dt == 0.1:
            found["rates"] = 1000.0 * spikes.spike_counts() / duration
    trace = sp.simulate(sp.Population("unit", sp.LIF(i_ext=600.0), 1), 60.0, record="v")
    v, times = trace["unit"].traces["v"][:, 0], trace["unit"].trace_times
    after = np.isin(np.rint(times / 0.1), np.rint(trace["unit"].spike_times / 0.1))
    found |= {"trace": trace, "at_reset": bool(np.all(v[after] == sp.LIF().v_reset))}
    return found


def staircase(config: Config) -> dict[str, Any]:
    """Return the example presented again and again, and how near it comes to the threshold.

    Returns
    -------
    dict
        ``nets`` of the scaled, ``additive`` of the additive reading; ``reached``, the first
        presentation after which the net input is exactly the threshold in double precision;
        ``silent``, whether the unit then stays silent under "gt" and under "ge"; ``ratios`` of
        successive errors and the ``worst`` relative distance of one from 1 - eta theta, close to
        the threshold, over several eta and theta; ``exact``, errors in rational arithmetic;
        ``below``, how many of ``n_splits`` other weights with the same net input end below the
        threshold by rounding; ``margin``, the presentation that ends below it with a margin.
    """
    scaled = nets(sp.learning.Proportional(ETA), 60)
    at = np.flatnonzero(scaled == THETA)
    errors = scaled - THETA
    exact, error = [], Fraction(1, 2)
    for _ in range(15):
        exact.append(error)
        error = error * (1 - Fraction(1, 10) * 5) - Fraction(1, 10) * error**2
    worst = 0.0
    for eta, theta in product((0.02, 0.1, 0.15), (1.0, 3.0, 5.0)):
        rule = sp.learning.Proportional(eta)
        w = presented(unit([theta + 1e-4], theta), rule, [[1.0]], [0], 5)
        e = np.array(w)[:, 0] - theta
        worst = max(worst, np.max(np.abs(e[1:] / e[:-1] / (1.0 - eta * theta) - 1.0)))
    rng = np.random.default_rng(config.seed)
    below = 0
    for _ in range(config.n_starts):
        w = rng.random(rng.integers(2, 9))
        below += nets(sp.learning.Proportional(ETA), 80, 5.5 * w / w.sum())[-1] < THETA
    margin = nets(sp.learning.Proportional(ETA, margin=0.05), 60)
    return {
        "nets": scaled,
        "additive": nets(sp.learning.Proportional(ETA, reading="additive"), 60),
        "reached": int(at[0]) if len(at) else -1,
        "silent": {
            kind: _silent(nets(sp.learning.Proportional(ETA), 60, fire_on=kind)[-1], kind)
            for kind in ("gt", "ge")
        },
        "ratios": errors[1:41] / errors[:40],
        "worst": float(worst),
        "exact": exact,
        "below": int(below),
        "n_splits": config.n_starts,
        "margin": int(np.flatnonzero(margin < THETA)[0]),
        "jump": nets(sp.learning.Proportional(ETA), 1, (4.0, 7.0)),
    }


def _silent(net: float, fire_on: str) -> bool:
    decided = sp.evaluate(unit([net], THETA, fire_on), sp.learning.NetInput(), [[1.0]], [0])
    return bool(decided)


def cone() -> tuple[float, float]:
    """Return the directions (degrees) from which some scale gets Iris with two features right.

    Some scale does if the net input of every versicolor is positive and higher than that of every
    setosa: a direction within 90 degrees of all these vectors and all their differences.
    """
    x, labels = _flowers()
    differences = (x[labels == 1][:, np.newaxis] - x[labels == 0]).reshape(-1, 2)
    vectors = np.concatenate([differences, x[labels == 1]])
    angles = np.degrees(np.arctan2(vectors[:, 1], vectors[:, 0]))
    return float(angles.max() - 90.0), float(angles.min() + 90.0)


def _flowers() -> tuple[np.ndarray, np.ndarray]:
    data = sp.datasets.iris_two_features()
    return data.features, data.labels


def scaled_on_iris(config: Config) -> dict[str, Any]:
    """Return which random directions the readings get right on setosa and versicolor.

    Returns
    -------
    dict
        ``angles`` (degrees) and, for the readings "every" and "additive", ``right``; ``cosine``,
        the largest distance of a cosine between start and end from 1; ``cone``; ``inside``, which
        angles lie in it.
    """
    x, labels = _flowers()
    rng = np.random.default_rng(config.seed)
    half = config.n_directions // 2
    # The second half are all-positive directions.
    angles = np.concatenate(
        [rng.uniform(-180.0, 180.0, config.n_directions - half), rng.uniform(0.0, 90.0, half)]
    )
    starts = np.column_stack([np.cos(np.radians(angles)), np.sin(np.radians(angles))])
    starts /= np.abs(starts @ x.T).max(axis=1, keepdims=True)
    right, cosines = {}, [0.0]
    for reading in ("every", "additive"):
        rule = sp.learning.Proportional(ETA, reading=reading, margin=0.02)
        ends = [learnt(unit(w, 1.0), rule, x, labels, 300, config.seed) for w in starts]
        right[reading] = np.array([end.solved > 0 for end in ends])
        if reading == "every":
            for w, end in zip(starts, ends, strict=True):
                if end.network is not None:
                    v = end.network.layers[0].w[:, 0]
                    cosines.append(abs(1.0 - w @ v / np.linalg.norm(w) / np.linalg.norm(v)))
    low, high = cone()
    return {
        "angles": angles,
        "right": right,
        "half": config.n_directions - half,
        "cosine": float(max(cosines)),
        "cone": (low, high),
        "inside": (angles > low) & (angles < high),
    }


@dataclass(frozen=True)
class Learnt:
    """How a training ended.

    Parameters
    ----------
    solved : int
        First epoch after which every sample was right; 0 if never, -1 if the weights diverged
        before.
    stays : bool
        Whether every sample was right after each of the last `STAY` epochs as well.
    network : LayeredNetwork or None
        Trained; None if the weights diverged.
    """

    solved: int
    stays: bool
    network: Any


STAY = 20


def learnt(
    network: Any, rule: Any, features: Any, labels: Any, epochs: int, seed: int,
    encoder: Any = None, stay: int = 1,
) -> Learnt:  # fmt: skip
    """Train until every sample is right after `stay` epochs in a row, at most for `epochs`.

    The outputs that a rule reports belong to the weights before its update, so they say how the
    network stood after the epoch before.
    """
    encoder = (sp.encoding.Analog() if encoder is None else encoder).fit(features)
    x, labels = encoder.encode(features, dt=network.dt), np.array(labels)
    rng, readout, layer = np.random.default_rng(seed), rule.readout, network.layers[-1]
    state, solved, streak = rule.init(network), 0, 0
    try:
        for epoch in range(epochs + 1):
            order = rng.permutation(len(labels))
            before = network
            network, state, metrics = rule.step(network, state, x[:, order], labels[order])
            scores = readout.scores(metrics.traces[-1], layer, network.dt)
            right = np.array_equal(readout.decide(scores, layer), labels[order])
            streak = streak + 1 if right else 0
            if right and not solved:
                solved = max(epoch, 1)
            # Weights that no sample moves stay as they are.
            if streak >= stay or not any(metrics.update_norms):
                return Learnt(solved, right, before)
    except sp.errors.NonFiniteStateError:
        return Learnt(solved or -1, False, None)
    return Learnt(solved, streak >= stay, before)


def active_inputs(config: Config) -> dict[str, Any]:
    """Return what happens to signs and directions, and which tasks are learnt from which signs.

    Returns
    -------
    dict
        ``flips`` of signs among ``n_changes`` changes of weights; ``zeros``, whether weights of
        zero stayed; ``uneven``, how far the factors of the active weights of a trial differ;
        ``cosine``, the smallest between a start and its end; ``tasks``: for task, reading and
        whether all weights were positive at first, how many of how many starts were right.
    """
    rng = np.random.default_rng(config.seed)
    flips, n_changes, zeros, uneven, cosines = 0, 0, True, 0.0, [1.0]
    rule = sp.learning.Proportional(ETA, reading="active")
    for _ in range(config.n_starts // 4 + 1):
        w = rng.standard_normal(8)
        w[rng.random(8) < 0.2] = 0.0
        x, labels = (rng.random((40, 8)) < 0.4).astype(float), rng.integers(0, 2, 40)
        network = unit(w, 1.0)
        for pattern, label in zip(x, labels, strict=True):
            old = network.layers[0].w[:, 0]
            try:
                network, _, _ = rule.step(network, None, pattern[None, None], np.array([label]))
            except sp.errors.NonFiniteStateError:
                break
            new = network.layers[0].w[:, 0]
            flips += int(np.sum(np.sign(new) != np.sign(old)))
            n_changes += int(np.sum(new != old))
            zeros &= bool(np.all(new[old == 0.0] == 0.0))
            factors, on = new[old != 0.0] / old[old != 0.0], pattern[old != 0.0] > 0.0
            wanted = np.where(on, factors[on].max(initial=0.0), 1.0)
            uneven = max(uneven, float(np.max(np.abs(factors / wanted - 1.0), initial=0.0)))
            cosines.append(float(new @ w / np.linalg.norm(new) / np.linalg.norm(w)))
    patterns = np.array(list(product((0.0, 1.0), repeat=5)))
    first, second = patterns[:, 0] > 0.0, patterns[:, 1] > 0.0
    wanted = {"x1 or x2": first | second, "x1 and not x2": first & ~second}
    tasks = {}
    for task, labels in wanted.items():
        for reading in READINGS:
            learner = sp.learning.Proportional(ETA, reading=reading, margin=0.05)
            for positive in (True, False):
                starts = np.random.default_rng(config.seed).normal(0.0, 1.0, (config.n_starts, 5))
                ends = [
                    learnt(unit(w, 1.0), learner, patterns, labels.astype(int), 200, config.seed)
                    for w in (np.abs(starts) if positive else starts)[: config.n_starts // 4 + 1]
                ]
                tasks[task, reading, positive] = sum(end.solved > 0 for end in ends), len(ends)
    return {
        "flips": flips, "n_changes": n_changes, "zeros": zeros, "uneven": uneven,
        "cosine": min(cosines), "tasks": tasks,
    }  # fmt: skip


def additive(config: Config) -> dict[str, Any]:
    """Return how the additive reading compares with relaxation, and for which factors it learns.

    Returns
    -------
    dict
        ``apart``, the largest difference of a weight between the two rules; ``n_compared``
        weights; for each factor ``iris``, the epochs until two features of Iris were right, and
        ``narrow``, until a window of a twentieth of the weight was hit; 0 where they never were.
    """
    x, labels = _flowers()
    apart, n_compared = 0.0, 0
    for factor, margin in product((0.1, 1.0, 1.9), (0.0, 0.1)):
        for seed in range(3):
            w = np.random.default_rng([config.seed, seed]).normal(0, 0.5, 2)
            one, other = (
                np.array(presented(unit(w, 1.0), rule, x, labels, 20))
                for rule in (
                    sp.learning.Proportional(factor, "additive", margin=margin),
                    sp.learning.Relaxation(factor, margin),
                )
            )
            apart = max(apart, float(np.max(np.abs(one - other))))
            n_compared += one.size
    rng = np.random.default_rng(config.seed)
    found: dict[str, Any] = {"apart": apart, "n_compared": n_compared, "iris": {}, "narrow": {}}
    n = config.n_starts // 4 + 1
    # A single weight: the first input is to fire the unit, the second one, smaller, is not.
    window = np.array([[1.0], [1.0 / 1.05]]), np.array([1, 0])
    tasks = {
        "iris": (x, labels, 0.1, rng.normal(0, 0.5, (n, 2))),
        "narrow": (*window, 0.01, rng.normal(0, 0.5, (n, 1))),
    }
    for (task, (x, labels, margin, starts)), factor in product(tasks.items(), config.factors):
        rule = sp.learning.Proportional(factor, "additive", margin=margin)
        ends = [learnt(unit(w, 1.0), rule, x, labels, 1000, config.seed) for w in starts]
        found[task][factor] = np.array([max(end.solved, 0) for end in ends])
    return found


def missed(config: Config) -> dict[str, Any]:
    """Return what becomes of a unit that should fire and does not.

    Returns
    -------
    dict
        ``distance``: for a net input of 0.5, 0 and -0.5 at the start the distance from the
        threshold, before each presentation; ``apart``, how far a step is from d (1 - eta net),
        relative; ``ends``: for each reading and sign of the net input how many starts came to
        fire, diverged, or neither.
    """
    rule, distance, apart = sp.learning.Proportional(ETA), {}, 0.0
    for net in (0.5, 0.0, -0.5):
        nets = np.array(presented(unit([net + 0.3, -0.3], 1.0), rule, np.ones((1, 2)), [1], 60))
        distance[net] = d = 1.0 - nets.sum(axis=1)
        wanted = d[:-1] * (1.0 - ETA * (1.0 - d[:-1]))
        apart = max(apart, float(np.max(np.abs(d[1:] - wanted) / np.abs(wanted))))
    rng = np.random.default_rng(config.seed)
    starts = rng.normal(0.0, 0.4, (2 * config.n_starts, 5))
    x = (rng.random(starts.shape) < 0.6).astype(float)
    totals = np.sum(starts * x, axis=1)
    ends = {}
    for reading, sign in product(READINGS, ("above 0", "below 0")):
        learner = sp.learning.Proportional(ETA, reading=reading, margin=0.05)
        chosen = (totals > 0.0) & (totals < 1.0) if sign == "above 0" else totals < 0.0
        which = np.flatnonzero(chosen)[: config.n_starts // 2 + 1]
        found = [learnt(unit(starts[i], 1.0), learner, x[[i]], [1], 1500, 0) for i in which]
        fired = sum(end.solved > 0 for end in found)
        ends[reading, sign] = fired, sum(end.solved < 0 for end in found), len(found)
    return {"distance": distance, "apart": apart, "ends": ends}


@cache
def _feasible(signs: tuple[int, ...], rows: tuple[tuple[tuple[int, ...], bool], ...]) -> bool:
    """Return whether weights of these signs let a unit of threshold 1 answer the rows as told.

    A linear program over the sizes of the weights and the room that they leave: sizes at least
    the room, net inputs at least 1 where the unit fires, at most 1 minus the room elsewhere.
    """
    from scipy.optimize import linprog

    a, b = [], []
    for x, fires in rows:
        weighted = [s * v for s, v in zip(signs, x, strict=True)]
        a.append([-v for v in weighted] + [0.0] if fires else [*weighted, 1.0])
        b.append(-1.0 if fires else 1.0)
    for i in range(len(signs)):
        a.append([-1.0 if j == i else 0.0 for j in range(len(signs))] + [1.0])
        b.append(0.0)
    cost = [0.0] * len(signs) + [-1.0]
    bounds = [(0.0, None)] * len(signs) + [(0.0, 1.0)]
    result = linprog(cost, A_ub=a, b_ub=b, bounds=bounds)
    return bool(result.status == 0 and result.x[-1] > 1e-9)


def fitting_signs(n_hidden: int) -> tuple[int, int]:
    """Return how many sign patterns of a 2-H-1 network without constant input can hold XOR.

    Every unit has threshold 1. A hidden unit is silent for (0, 0), whatever its weights; which
    answers to the three other patterns its signs allow, and whether an output with given signs
    makes XOR of them, are linear programs.

    Returns
    -------
    fitting, all : int
    """
    patterns = ((1, 0), (0, 1), (1, 1))
    answers: dict[tuple[int, ...], list[tuple[bool, ...]]] = {}
    for signs in product((1, -1), repeat=2):
        answers[signs] = [
            answer
            for answer in product((False, True), repeat=3)
            if _feasible(signs, tuple(zip(patterns, answer, strict=True)))
        ]
    kinds = [(signs, out) for signs in answers for out in (1, -1)]
    fitting = 0
    for units in combinations_with_replacement(kinds, n_hidden):
        if any(
            _holds_xor(tuple(sorted(zip(choice, (out for _, out in units), strict=True))))
            for choice in product(*(answers[signs] for signs, _ in units))
        ):
            orders = math.factorial(n_hidden)
            for kind in set(units):
                orders //= math.factorial(units.count(kind))
            fitting += orders
    return fitting, 8**n_hidden


def _holds_xor(units: tuple[tuple[tuple[bool, ...], int], ...]) -> bool:
    rows = tuple(
        (tuple(int(answer[k]) for answer, _ in units), fires)
        for k, fires in enumerate((True, True, False))
    )
    return _feasible(tuple(out for _, out in units), rows)


@dataclass(frozen=True)
class Setting:
    """A network and a rule to try on XOR from many starts.

    Parameters
    ----------
    hidden : int
        Hidden units.
    reading, credit, takes : str
        Of the rule; `takes` is its ``hidden``.
    outputs : int
        One that fires for "different", or two, one for each class.
    constant : str
        Which layers have a constant input: "hidden", "both" or "none".
    units : str
        "step", or LIF with a "latency" code.
    """

    hidden: int
    reading: str
    credit: str
    takes: str = "target"
    outputs: int = 1
    constant: str = "hidden"
    units: str = "step"

    def rule(self) -> sp.learning.Proportional:
        """Return the rule."""
        return sp.learning.Proportional(
            ETA, self.reading, self.credit, margin=0.05, hidden=self.takes
        )

    def network(self, rng: np.random.Generator) -> sp.LayeredNetwork:
        """Return the start; settings of equal sizes share their weights, one or two outputs."""
        w = rng.normal(0.0, 1.5, (3, self.hidden))
        v = rng.normal(0.0, 1.5, (3, self.hidden))[: self.outputs].T
        if self.constant == "none":
            w = w[:2]
        if self.units == "latency":
            # A spike through a weight of 1 lifts a neuron at rest to its threshold.
            neuron = sp.LIF.normalised(tau_m=10.0)
            return sp.LayeredNetwork([sp.Layer(a, neuron, trainable=("w",)) for a in (w, v)])
        bias, moves = np.full(self.outputs, -1.0), ("w",)
        if self.constant == "both":
            bias, moves = bias + rng.normal(0.0, 1.5, self.outputs), ("w", "bias")
        return sp.LayeredNetwork(
            [
                sp.Layer(w, sp.Step(), np.full(self.hidden, -1.0), trainable=("w",)),
                sp.Layer(v, sp.Step(), bias, trainable=moves),
            ]
        )


def solve(setting: Setting, seeds: range, epochs: int, seed: int) -> np.ndarray:
    """Return for each start whether XOR was right after some epoch, and whether it stayed so.

    "Stayed" is right after `STAY` epochs in a row. Weights that diverge solve nothing after.
    """
    data, encoder = sp.datasets.xor(), None
    features = data.features
    if setting.units == "latency":
        encoder = sp.encoding.LatencyEncoder(
            duration=16.0, t_max=10.0, bias_spike=setting.constant != "none"
        )
    elif setting.constant != "none":
        features = np.column_stack([features, np.ones(4)])
    found = []
    for start in seeds:
        network = setting.network(np.random.default_rng([seed, start]))
        end = learnt(network, setting.rule(), features, data.labels, epochs, start, encoder, STAY)
        found.append((end.solved > 0, end.stays))
    return np.array(found)


def settings(config: Config) -> list[tuple[Setting, int]]:
    """Return what is tried on XOR, each with its number of starts."""
    n, some = config.n_seeds, -(-config.n_seeds // 2)
    few = tuple(h for h in (2, 3) if h <= max(config.hidden))
    both = ("sum", "weighted")
    tried = [(Setting(h, *rc), n) for h, *rc in product(config.hidden, READINGS, both)]
    tried += [(Setting(h, *rc, "error"), some) for h, *rc in product(config.hidden, READINGS, both)]
    tried += [
        (Setting(h, "additive", credit, takes, outputs=2), n)
        for h, credit, takes in product(config.hidden, CREDITS, ("target",))
    ]
    tried += [(Setting(h, "additive", "sum", "error", outputs=2), some) for h in config.hidden]
    tried += [
        (Setting(h, "additive", c, constant="both"), some) for h, c in product(config.hidden, both)
    ]
    tried += [(Setting(h, *rc, constant="none"), n) for h, *rc in product(few, READINGS, both)]
    tried += [
        (Setting(h, *rc, "error", constant="none"), n)
        for h, *rc in product(few, ("every", "active"), both)
    ]
    tried += [
        (Setting(h, *rc, units="latency"), config.n_spiking_seeds)
        for h, *rc in product(config.hidden, READINGS, both)
    ]
    return tried


def on_xor(config: Config) -> dict[Setting, np.ndarray]:
    """Return what :func:`solve` says of all settings."""
    from joblib import Parallel, delayed

    tried = settings(config)
    parts = [
        (setting, range(first, min(first + 100, n)))
        for setting, n in tried
        for first in range(0, n, 100)
    ]
    ends = Parallel(n_jobs=config.n_jobs)(
        delayed(solve)(setting, seeds, config.epochs, config.seed) for setting, seeds in parts
    )
    found: dict[Setting, np.ndarray] = {}
    for (setting, _), end in zip(parts, ends, strict=True):
        found[setting] = np.concatenate([found[setting], end]) if setting in found else end
    return found


IRIS = (("none", "error"), *product(CREDITS, ("error", "target")))


def iris_fold(credit: str, takes: str, fold: int, start: int, config: Config) -> float:
    """Return the test accuracy of eight hidden units on one fold of Iris with three classes."""
    from sklearn.model_selection import StratifiedKFold
    from sklearn.preprocessing import StandardScaler

    data = sp.datasets.iris()
    folds = StratifiedKFold(5, shuffle=True, random_state=config.seed)
    train, test = list(folds.split(data.features, data.labels))[fold]
    scaler = StandardScaler().fit(data.features[train])
    features = np.column_stack([scaler.transform(data.features), np.ones(150)])
    rng = np.random.default_rng([config.seed, fold, start])
    trainable = () if credit == "none" else ("w",)
    layers = [
        sp.Layer(rng.normal(0, 1, (5, 8)), sp.Step(), np.full(8, -1.0), trainable=trainable),
        sp.Layer(rng.normal(0, 1, (8, 3)), sp.Step(), np.full(3, -1.0), trainable=("w",)),
    ]
    rule = sp.learning.Proportional(
        ETA, "additive", "sum" if credit == "none" else credit, margin=0.05, hidden=takes
    )
    result = sp.fit(
        sp.LayeredNetwork(layers), rule, features[train], data.labels[train],
        epochs=config.iris_epochs, seed=start, warn=False, progress=False,
    )  # fmt: skip
    return result.score(features[test], data.labels[test])


def on_iris(config: Config) -> dict[tuple[str, str], np.ndarray]:
    """Return the test accuracies on Iris with three classes for each credit and what it is for."""
    from joblib import Parallel, delayed

    runs = list(product(IRIS, range(5), range(config.n_iris)))
    found = Parallel(n_jobs=config.n_jobs)(
        delayed(iris_fold)(credit, takes, fold, start, config)
        for (credit, takes), fold, start in runs
    )
    return {
        way: np.array([a for (w, *_), a in zip(runs, found, strict=True) if w == way])
        for way in IRIS
    }


def straight_through(config: Config) -> dict[int, tuple[int, int]]:
    """Return how many changes of hidden weights have the sign of the straight-through gradient.

    Returns
    -------
    dict
        For one and three outputs, (with the same sign, all).
    """
    rng = np.random.default_rng(config.seed)
    found = {}
    for n_outputs in (1, 3):
        same = total = 0
        for _ in range(config.n_starts):
            neuron = sp.Step(surrogate=sp.StraightThrough())
            network = sp.dense((5, 4, n_outputs), neuron, gain=2.0, bias_sd=0.5, rng=rng)
            x, labels = rng.standard_normal((1, 1, 5)), rng.integers(0, max(2, n_outputs), 1)
            moves = []
            for rule in (
                sp.learning.Proportional(1e-3, "additive", "weighted"),
                sp.learning.Backprop(sp.learning.MSE(), sp.learning.SGD(1e-3)),
            ):
                after, _, _ = rule.step(network, rule.init(network), x, labels)
                moves.append(np.sign(after.layers[0].w - network.layers[0].w))
            same += int(np.sum(moves[0] == moves[1]))
            total += moves[0].size
        found[n_outputs] = same, total
    return found
