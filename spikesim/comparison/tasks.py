"""The one table of tasks: data, splits, encoders, sizes and budgets of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np

from spikesim import _check, datasets
from spikesim.encoding import LatencyEncoder, PopulationEncoder, RateEncoder
from spikesim.errors import ParameterError

__all__ = ["GROUPS", "TASKS", "Amount", "Problem", "Task", "chosen_tasks", "problem", "task"]


class Amount(NamedTuple):
    """How much of something each budget grants."""

    full: Any
    quick: Any
    smoke: Any

    def of(self, budget: str) -> Any:
        """Return the amount of one budget."""
        return getattr(self, budget)


@dataclass(frozen=True)
class Task:
    """One line of the table.

    Attributes
    ----------
    name, title, note : str
        What it is called on the command line and in the report, and what it asks.
    load : callable
        ``load(part)`` returns the samples of ``"train"``, ``"validation"`` or ``"test"``; the
        same for all three unless `kind` is "parts".
    kind : {"fitting", "folds", "parts"}
        "fitting": trained and tested on the same few samples, and judged by how many starts get
        all of them right. "folds": cross-validation over stored splits. "parts": samples for
        training, for the choice of settings and for the test that were drawn apart.
    code : callable
        ``code(data)`` returns the encoder of spiking networks.
    epochs, seeds, hidden, splits, samples : Amount
        Passes through the samples; starts, for tasks without folds; sizes of the hidden layer;
        names of the stored splits; training samples used, None for all.
    batch_size : int
        Samples for each update of rules that average.
    scaled : bool
        Whether rate networks see standardised features, as the training samples have them.
    level : float
        Share right in training that counts as learnt, where effort is compared.
    classic : bool
        Runs with the contenders of the classic table unless others are asked for.
    group : str
        Name that stands for several tasks; by default its own.
    committee : int
        Units of a committee for each output, odd, so that there are no ties; 0 for as many as
        other networks have hidden units.
    tau_m : float
        Membrane time constant of spiking networks (ms).
    perturbed : bool
        Whether trained networks are perturbed, to see how accuracy falls.
    """

    name: str
    title: str
    note: str
    load: Callable[[str], Any]
    kind: str
    code: Callable[[Any], Any]
    epochs: Amount
    seeds: Amount = Amount(20, 5, 2)
    hidden: Amount = Amount((30,), (30,), (4,))
    splits: Amount = Amount("", "", "")
    samples: Amount = Amount(None, None, 40)
    batch_size: int = 16
    scaled: bool = True
    level: float = 0.9
    classic: bool = False
    group: str = ""
    committee: int = 5
    tau_m: float = 20.0
    perturbed: bool = False

    @property
    def belongs_to(self) -> str:
        """The name by which it is asked for."""
        return self.group or self.name

    @property
    def tuning_splits(self) -> str:
        """Name of the stored splits on which settings are chosen; empty without folds."""
        return f"{self.name}_tune" if self.kind == "folds" else ""

    def part(self, name: str) -> Any:
        """Return the samples of a part, read or drawn once in a process."""
        return _part(self.name, name if self.kind == "parts" else "train")

    def seen(self, features: np.ndarray, network: str) -> np.ndarray:
        """Return what a kind of network is shown of `features`.

        All but spiking networks see of spike trains how often each line spikes.
        """
        data = self.part("train")
        if network == "LIF" or not hasattr(data, "spikes"):
            return features
        n_lines = data.spikes.shape[2]
        return features.reshape(len(features), -1, n_lines).sum(axis=1, dtype=np.float64)


class Problem(NamedTuple):
    """What must be known of a task to build a contender for it."""

    task: Task
    n_features: int
    n_classes: int
    encoder: Any

    @property
    def n_outputs(self) -> int:
        """One output unit for two classes, else one for each."""
        return 1 if self.n_classes == 2 else self.n_classes


def task(name: str) -> Task:
    """Return the task of that name."""
    return TASKS[_check.choice("task.name", name, tuple(TASKS))]


def problem(name: str, network: str) -> Problem:
    """Return what a contender on a kind of network must know of a task to be built."""
    chosen = task(name)
    data = chosen.part("train")
    shown = chosen.seen(data.features[:1], network)
    return Problem(chosen, shown.shape[1], len(data.class_names), chosen.code(data))


def chosen_tasks(names: str | Sequence[str]) -> list[str]:
    """Return the tasks that names of tasks or groups stand for, in the order of the table.

    Parameters
    ----------
    names : str or sequence of str
        Each a key of :data:`GROUPS` or of :data:`TASKS`; ``"all"`` for every task.
    """
    names = (names,) if isinstance(names, str) else tuple(names)
    if not names:
        raise ParameterError("compare.tasks must name at least one task")
    allowed = (*GROUPS, "all", *(name for name in TASKS if name not in GROUPS))
    for index, name in enumerate(names):
        _check.choice(f"compare.tasks[{index}]", name, allowed)
    return [
        name
        for name, entry in TASKS.items()
        if "all" in names or name in names or entry.belongs_to in names
    ]


@lru_cache(maxsize=6)
def _part(name: str, part: str) -> Any:
    return TASKS[name].load(part)


def _whole(make: Callable[[], Any]) -> Callable[[str], Any]:
    return lambda part: make()


def _yin_yang(part: str) -> Any:
    return datasets.yin_yang(*datasets.YIN_YANG_PARTS[part])


_PLACE = ("train", "validation", "test")


def _mnist_1d(part: str) -> Any:
    # A quarter of the published training samples serve for the choice of settings.
    if part == "test":
        return datasets.mnist_1d(part="test")
    rows = np.arange(4000)
    return datasets.mnist_1d(part="train").take(rows[:3000] if part == "train" else rows[3000:])


def _randman(part: str) -> Any:
    return datasets.randman(1000, seed=_PLACE.index(part), manifold_seed=0)


def _timing_only(part: str) -> Any:
    return datasets.timing_only(400, n_lines=20, seed=_PLACE.index(part), pattern_seed=0)


def _temporal_xor(part: str, delay: float) -> Any:
    return datasets.temporal_xor(400, delay, seed=_PLACE.index(part))


def _store_recall(part: str) -> Any:
    return datasets.store_recall(400, seed=_PLACE.index(part))


def _train_or_silence(data: Any) -> Any:
    return RateEncoder(duration=30.0, max_rate=200.0)


def _fields(n_fields: int, width: float = 1.5) -> Callable[[Any], Any]:
    return lambda data: PopulationEncoder(n_fields=n_fields, width=width, duration=30.0, t_max=20.0)


def _times(data: Any) -> Any:
    return LatencyEncoder(
        duration=40.0, t_max=30.0, low=0.0, high=1.0, bias_spike=True, early="low"
    )


def _own(data: Any) -> Any:
    return data.encoder


def _folds(name: str, repeats: int, folds: int, quick: str = "2x5") -> Amount:
    return Amount(f"{name}_{repeats}x{folds}", f"{name}_{quick}", f"{name}_{quick}")


_DELAYS = (5, 20, 50, 100, 200)
_ON_ITSELF = Amount(100, 20, 2)

_LINES = (
    Task(
        "xor", "XOR",
        "Two inputs, each 0 or 1; answer 1 when exactly one of them is 1. Four patterns, which "
        "are both training and test set: the question is whether a rule can fit them at all. No "
        "threshold on a weighted sum can. A start counts as solved when all four are right and "
        "stay right until training ends.",
        _whole(datasets.xor), "fitting", _train_or_silence, Amount(500, 500, 4), _ON_ITSELF,
        # One pattern after another, as local rules learn; the order, drawn anew in each epoch,
        # also leads out of plateaus in which the whole batch of four has no gradient left.
        Amount((2, 4, 8), (2, 4, 8), (4,)), batch_size=1, scaled=False, level=1.0, classic=True,
        committee=0, tau_m=10.0,
    ),
    Task(
        "iris2", "Iris, two features, two classes",
        "Setosa against versicolor from sepal length and petal length in raw centimetres, 100 "
        "flowers. A straight line separates them. Solved means all 100 right, and still right at "
        "the end.",
        _whole(datasets.iris_two_features), "fitting", _fields(8), Amount(100, 100, 1),
        _ON_ITSELF, Amount((8,), (8,), (8,)), samples=Amount(None, None, None), scaled=False,
        level=1.0, classic=True, group="iris", tau_m=10.0,
    ),
    Task(
        "iris", "Iris, four features, three classes",
        "150 flowers, three species, four lengths. Accuracy on flowers not trained on, in "
        "repeated stratified cross-validation; scaling and encoding are learnt from the training "
        "part of each fold.",
        _whole(datasets.iris), "folds", _fields(8), Amount(100, 100, 1),
        hidden=Amount((8,), (8,), (8,)), splits=_folds("iris", 10, 10),
        samples=Amount(None, None, None), classic=True, tau_m=10.0,
    ),
    Task(
        "parity", "Parity of four inputs",
        "Is the number of ones odd? All 16 patterns of four inputs, which are training and test "
        "set, as for XOR. Every input must be looked at.",
        _whole(datasets.parity), "fitting", _train_or_silence, Amount(500, 500, 4), _ON_ITSELF,
        Amount((8, 16), (16,), (4,)), batch_size=4, scaled=False, level=1.0,
        committee=0,
    ),
    Task(
        "two_spirals", "Two spirals",
        "Which of two spirals, three turns each, does a point of the plane lie on? 194 points, "
        "which are training and test set.",
        _whole(datasets.two_spirals), "fitting", _fields(12, 1.0), Amount(500, 300, 2),
        Amount(20, 5, 2), Amount((40,), (40,), (4,)), level=1.0, committee=0,
    ),
    Task(
        "yin_yang", "Yin-Yang",
        "The two halves of the sign and its dots: three classes of points in a square, the "
        "published 5,000 training, 1,000 validation and 1,000 test samples. Linear classifiers "
        "stop at 64 %; the nearest neighbour gets 98.6 %.",
        _yin_yang, "parts", _times, Amount(100, 30, 1), hidden=Amount((30, 200), (30,), (4,)),
        samples=Amount(None, 1000, 40), batch_size=32, perturbed=True,
    ),
    Task(
        "digits", "Digits",
        "Images of 8 x 8 pixels of ten digits, 1,797 samples, in stratified cross-validation.",
        _whole(datasets.digits), "folds", _train_or_silence, Amount(40, 15, 1),
        hidden=Amount((64,), (64,), (4,)), splits=_folds("digits", 2, 10, "1x3"), batch_size=32,
        perturbed=True,
    ),
    Task(
        "wine", "Wine",
        "178 wines of three growers, 13 measurements, in repeated stratified cross-validation.",
        _whole(datasets.wine), "folds", _fields(8), Amount(100, 30, 1),
        hidden=Amount((16,), (16,), (4,)), splits=_folds("wine", 10, 10),
    ),
    Task(
        "breast_cancer", "Breast cancer (diagnostic)",
        "569 tumours, 30 measurements, two classes, in repeated stratified cross-validation. Not "
        "the nine-feature set that most papers on spiking networks use.",
        _whole(datasets.breast_cancer), "folds", _fields(8), Amount(50, 15, 1),
        hidden=Amount((16,), (16,), (4,)), splits=_folds("breast_cancer", 10, 10),
    ),
    Task(
        "mnist_1d", "MNIST-1D",
        "Ten shapes in 40 samples of a noisy curve, shifted and scaled. 3,000 samples for "
        "training, 1,000 for the choice of settings, the published 1,000 for the test.",
        _mnist_1d, "parts", _fields(4), Amount(60, 15, 1), Amount(10, 3, 2),
        Amount((100,), (100,), (4,)), samples=Amount(None, 1000, 40), batch_size=32,
    ),
    Task(
        "randman", "Randman",
        "Times of 20 spikes on smooth random manifolds, one for each of ten classes; 1,000 "
        "samples for each part. Linear classifiers stop at 55 %.",
        _randman, "parts", _times, Amount(60, 20, 1), Amount(20, 3, 2),
        Amount((100,), (100,), (4,)), batch_size=32,
    ),
    Task(
        "timing_only", "Timing only",
        "Two classes of spike trains in which every line spikes as often as in the other class: "
        "only the times tell them apart. Rate networks and classical methods see the counts, and "
        "should stay at one half.",
        _timing_only, "parts", _own, Amount(60, 20, 1), Amount(20, 5, 2),
        perturbed=True,
    ),
    *(
        Task(
            f"temporal_xor_{delay}", f"Temporal XOR, delay {delay} ms",
            f"Two cues, {delay} ms apart, each on one of two groups of lines: were they the same? "
            "The first must be kept until the second comes. The membrane forgets with 20 ms. Rate "
            "networks and classical methods see how often each line spikes, from which they can "
            "tell without any memory.",
            partial(_temporal_xor, delay=float(delay)), "parts", _own, Amount(60, 20, 1),
            Amount(20, 3, 2), group="temporal_xor",
        )
        for delay in _DELAYS
    ),
    Task(
        "store_recall", "Store and recall",
        "A stream of bits, a signal to store the present one and later a signal to tell it. Other "
        "methods than spiking networks see counts alone.",
        _store_recall, "parts", _own, Amount(40, 10, 1), Amount(10, 3, 2),
    ),
)  # fmt: skip

TASKS: dict[str, Task] = {line.name: line for line in _LINES}
GROUPS: tuple[str, ...] = tuple(dict.fromkeys(line.belongs_to for line in _LINES))
