"""Classical methods, which every figure of a network is to be read beside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from spikesim.comparison.contender import Contender

__all__ = ["BASELINES", "CLASSIC", "MAJORITY"]

Make = Callable[[int, int], Any]


def _scaled(make: Make) -> Make:
    """Return the maker of an estimator behind a scaler, which is fitted inside the fold."""

    def make_pipeline(hidden: int, seed: int) -> Any:
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        return make_pipeline(StandardScaler(), make(hidden, seed))

    return make_pipeline


def _majority(hidden: int, seed: int) -> Any:
    from sklearn.dummy import DummyClassifier

    return DummyClassifier(strategy="most_frequent")


def _lda(hidden: int, seed: int) -> Any:
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    return LinearDiscriminantAnalysis()


def _logistic(hidden: int, seed: int) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=1000)


def _svm(hidden: int, seed: int) -> Any:
    from sklearn.svm import SVC

    return SVC(kernel="rbf")


def _nearest(hidden: int, seed: int) -> Any:
    from sklearn.neighbors import KNeighborsClassifier

    return KNeighborsClassifier(1)


def _mlp(hidden: int, seed: int) -> Any:
    from sklearn.neural_network import MLPClassifier

    return MLPClassifier((hidden,), max_iter=500, random_state=seed)


def _line(
    name: str, rule: str, make: Make, about: str, tasks: tuple[str, ...] = (), layers: str = ""
) -> Contender:
    return Contender(
        name, "", "classical", rule, tasks, {}, layers, estimator=_scaled(make), about=about
    )


MAJORITY: Make = _majority
_ON_IRIS = ("iris2", "iris")

# The first four are those of the classic table.
CLASSIC: tuple[Contender, ...] = (
    _line("majority class", "DummyClassifier", _majority, "", _ON_IRIS),
    _line("LDA", "LinearDiscriminantAnalysis", _lda, "", _ON_IRIS),
    _line("logistic regression", "LogisticRegression", _logistic, "", _ON_IRIS),
    _line("RBF SVM", "SVC", _svm, "", _ON_IRIS),
)
BASELINES: tuple[Contender, ...] = (
    *CLASSIC,
    _line(
        "nearest neighbour", "KNeighborsClassifier", _nearest,
        "Answer as the training sample that is nearest.",
    ),
    _line(
        "MLP", "MLPClassifier", _mlp,
        "A perceptron of ReLU units with as many hidden ones as the networks, by Adam.",
        layers="hidden",
    ),
)  # fmt: skip
