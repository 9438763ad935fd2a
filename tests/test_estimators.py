"""Estimators at work: pipelines, searches, processes, partial fits, files."""

import pickle
from dataclasses import dataclass, replace
from typing import ClassVar

import joblib
import numpy as np
import pytest
from numba import config
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline

import spikesim as sp
from spikesim.encoding import LatencyEncoder, PopulationEncoder, RateEncoder, SpikeTrains
from spikesim.errors import DamagedFileError, SpikesimError
from spikesim.estimators import (
    EncoderTransformer,
    RateClassifier,
    SpikingClassifier,
    SpikingRegressor,
    ThresholdClassifier,
)
from spikesim.learning import SGD, Adam, Backprop, SquaredError, Tempotron

X, Y = load_iris(return_X_y=True)
NAMES = np.array(["setosa", "versicolor", "virginica"])[Y]
FEW = slice(None, None, 10 if config.DISABLE_JIT else 3)
ENCODER = PopulationEncoder(n_fields=3, duration=12.0, t_max=8.0)
QUICK = {"encoder": ENCODER, "dt": 2.0, "gain": 6.0, "epochs": 3, "random_state": 0}


def quick(kind=SpikingClassifier, **changes):
    return kind(**{"hidden_layer_sizes": 5, **QUICK, **changes})


CLASSIFIERS = [
    quick(),
    quick(recurrent=True, spiking_output=True, gain=15.0),
    RateClassifier(5, epochs=3, random_state=0),
    ThresholdClassifier(epochs=3, random_state=0),
    ThresholdClassifier(3, epochs=3, random_state=0),
]
REGRESSOR = quick(SpikingRegressor)
KINDS = ["spiking", "recurrent", "rate", "perceptron", "committee"]


@pytest.mark.parametrize(
    ("estimator", "least"),
    [(SpikingClassifier, 0.95), (RateClassifier, 0.93), (ThresholdClassifier, 0.85)],
)
def test_iris_without_a_scaler(estimator, least):
    model = make_pipeline(estimator(random_state=0))
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    if config.DISABLE_JIT:
        model, folds, least = make_pipeline(estimator(epochs=1, random_state=0)), 2, 0.1
        assert cross_val_score(model, X[::15], Y[::15], cv=folds).mean() > least
        return
    assert cross_val_score(model, X, Y, cv=folds).mean() >= least


@pytest.mark.parametrize("estimator", CLASSIFIERS, ids=KINDS)
def test_classes_of_any_kind(estimator):
    for labels in (Y, NAMES, NAMES.astype(object), Y.astype(np.uint8) * 7, Y == 0):
        model = clone(estimator).fit(X[FEW], labels[FEW])
        decisions = model.predict(X[FEW])
        assert model.classes_.tolist() == np.unique(labels).tolist()
        assert decisions.dtype == model.classes_.dtype
        assert model.n_features_in_ == 4 and model.n_iter_ == model.history_.n_epochs
        assert model.network_ is model.result_.network
        scores = model.decision_function(X[FEW])
        n_classes = len(model.classes_)
        wanted = scores > 0.0 if n_classes == 2 else scores.argmax(axis=1)
        if n_classes > 2:
            np.testing.assert_array_equal(decisions, model.classes_[wanted])
        if hasattr(model, "predict_proba"):
            share = model.predict_proba(X[FEW])
            assert share.shape == (len(decisions), n_classes)
            np.testing.assert_allclose(share.sum(axis=1), 1.0)
            np.testing.assert_array_equal(decisions, model.classes_[share.argmax(axis=1)])


def test_probabilities_are_those_of_the_loss():
    model = quick().fit(X[FEW], Y[FEW])
    share = model.predict_proba(X[FEW])[np.arange(len(Y[FEW])), Y[FEW]]
    again = sp.fit(model.network_, model.rule_, X[FEW], Y[FEW], encoder=model.encoder_, epochs=1)
    assert again.history.loss[0] == pytest.approx(-np.log(share).mean())
    assert not hasattr(ThresholdClassifier(), "predict_proba")
    assert not hasattr(quick(rule=Tempotron()), "predict_proba")


def test_a_single_class_is_refused():
    with pytest.raises(ValueError, match="at least two classes, got one class"):
        quick().fit(X[:20], Y[:20])


def test_random_states():
    one, two = (quick(random_state=3).fit(X[FEW], Y[FEW]) for _ in range(2))
    np.testing.assert_array_equal(one.network_.layers[0].w, two.network_.layers[0].w)
    stream = np.random.RandomState(3)
    first, second = (quick(random_state=stream).fit(X[FEW], Y[FEW]) for _ in range(2))
    np.testing.assert_array_equal(one.network_.layers[0].w, first.network_.layers[0].w)
    assert (first.network_.layers[0].w != second.network_.layers[0].w).all()
    # One epoch: no draw of weights, however poor, can be warned of as dead after it.
    fresh = quick(random_state=None, epochs=1)
    first, second = (clone(fresh).fit(X[FEW], Y[FEW]) for _ in range(2))
    assert (first.network_.layers[0].w != second.network_.layers[0].w).all()


def test_a_random_code_is_drawn_alike_in_every_prediction():
    encoder = RateEncoder(duration=12.0, mode="poisson")
    model = quick(encoder=encoder).fit(X[FEW], Y[FEW])
    np.testing.assert_array_equal(model.decision_function(X[FEW]), model.decision_function(X[FEW]))


def test_a_grid_search_reaches_the_parts():
    grid = {"encoder__n_fields": [2, 3], "neuron__tau_m": [10.0], "learning_rate": [0.02]}
    search = GridSearchCV(quick(epochs=1), grid, cv=2).fit(X[FEW], Y[FEW])
    assert search.best_estimator_.encoder_.n_fields in (2, 3)
    assert search.best_estimator_.encoder.duration == 12.0
    pipeline = make_pipeline(quick(rule=Backprop(), epochs=1))
    pipeline.set_params(spikingclassifier__rule__optimiser__learning_rate=0.5)
    assert pipeline[0].rule == Backprop(optimiser=Adam(0.5))


def test_parts_are_parameters():
    model = SpikingClassifier()
    assert model.get_params()["encoder__n_fields"] == 3, "of the default encoder"
    assert model.get_params(deep=False)["encoder"] is None
    model.set_params(encoder=None, encoder__n_fields=5)
    assert model.encoder.n_fields == 5 and model.encoder.duration == 20.0
    model.set_params(rule=Backprop(), rule__optimiser=SGD(), rule__optimiser__momentum=0.5)
    assert model.rule.optimiser == SGD(momentum=0.5)
    copy = clone(model)
    assert copy.rule == model.rule and copy.encoder.n_fields == 5


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"encodr": None}, "Invalid parameter 'encodr'"),
        ({"encodr__n_fields": 3}, "did you mean 'encoder'"),
        ({"encoder__n_field": 3}, "did you mean 'n_fields'"),
        ({"encoder__n_fields": 0}, r"PopulationEncoder\.n_fields"),
        ({"gain__size": 3}, r"SpikingClassifier\.gain is 3\.0, which has no parameters"),
    ],
)
def test_parameters_that_there_are_not(parameters, message):
    with pytest.raises(ValueError, match=message):
        SpikingClassifier().set_params(**parameters)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden_layer_sizes": (4, 0)}, r"SpikingClassifier\.hidden_layer_sizes\[1\]"),
        ({"hidden_layer_sizes": "4"}, r"SpikingClassifier\.hidden_layer_sizes must be"),
        ({"gain": -1.0}, r"SpikingClassifier\.gain"),
        ({"neuron": sp.Tanh()}, r"SpikingClassifier\.neuron must be a LIF"),
        ({"encoder": 3}, r"SpikingClassifier\.encoder must be an encoder"),
        ({"rule": Backprop(), "learning_rate": 0.1}, r"learning_rate is that of the default rule"),
        ({"verbose": 2}, r"SpikingClassifier\.verbose"),
        ({"epochs": 0}, r"epochs"),
        (
            {"neuron": sp.LIF.normalised(tau_m=[5.0, 10.0]), "hidden_layer_sizes": (2, 4)},
            r"SpikingClassifier\.neuron has values for 2 units, .*hidden_layer_sizes\[1\] is 4",
        ),
        (
            {
                "neuron": sp.LIF.normalised(tau_m=[5.0, 10.0]),
                "hidden_layer_sizes": 2,
                "spiking_output": True,
            },
            r"SpikingClassifier\.neuron has values for 2 units, and there are 3 output neurons",
        ),
        ({"synapse": sp.Alpha(5.0)}, r"SpikingClassifier\.synapse must be Delta or Exponential"),
        ({"recurrent": 1}, r"SpikingClassifier\.recurrent"),
        ({"spiking_output": "yes"}, r"SpikingClassifier\.spiking_output"),
        ({"dt": 0.0}, r"SpikingClassifier\.dt must be greater than 0"),
        ({"batch_size": 0}, r"SpikingClassifier\.batch_size"),
        ({"epochs": 1.5}, r"SpikingClassifier\.epochs"),
        ({"rule": 3}, r"SpikingClassifier\.rule must be a learning rule, .* got 3"),
    ],
)
def test_parameters_that_are_refused(changes, message):
    with pytest.raises(SpikesimError, match=message):
        quick(**changes).fit(X[FEW], Y[FEW])
    with pytest.raises(SpikesimError, match=r"RateClassifier\.neuron must be Tanh"):
        RateClassifier(neuron=sp.LIF.normalised()).fit(X[FEW], Y[FEW])


def test_neurons_with_a_value_each():
    given = sp.LIF.normalised(tau_m=[5.0, 10.0, 15.0])
    model = quick(hidden_layer_sizes=(3, 3), neuron=given, recurrent=True).fit(X[FEW], Y[FEW])
    *hidden, output = model.network_.layers
    for layer in hidden:
        np.testing.assert_array_equal(layer.neuron.tau_m, [5.0, 10.0, 15.0])
    assert output.neuron.tau_m == 10.0
    alike = quick(hidden_layer_sizes=(3, 3), neuron=sp.LIF.normalised(10.0), recurrent=True)
    alike.fit(X[FEW], Y[FEW])
    same = quick(hidden_layer_sizes=(3, 3), neuron=sp.LIF.normalised([10.0] * 3), recurrent=True)
    same.fit(X[FEW], Y[FEW])
    np.testing.assert_array_equal(same.decision_function(X), alike.decision_function(X))


def test_neurons_that_adapt():
    given = sp.AdaptiveLIF.normalised(tau_m=10.0, tau_a=30.0)
    model = quick(neuron=given, epochs=1).fit(X[FEW], Y[FEW])
    hidden, output = (layer.neuron for layer in model.network_.layers)
    assert isinstance(hidden, sp.AdaptiveLIF) and isinstance(output, sp.LIF)
    assert model.predict(X[:3]).shape == (3,)


def test_neurons_that_are_drawn():
    random = sp.LIF(sp.Uniform(5.0, 20.0), 10.0, v_rest=0.0, v_th=1.0, v_reset=0.0, t_ref=0.0)
    model = quick(hidden_layer_sizes=(6, 4), neuron=random, epochs=1).fit(X[FEW], Y[FEW])
    for layer, n in zip(model.network_.layers, (6, 4, 3), strict=True):
        assert len(np.unique(layer.neuron.tau_m)) == n
        assert layer.neuron.tau_m.min() > 5.0 and layer.neuron.tau_m.max() < 20.0
    again = clone(model).fit(X[FEW], Y[FEW])
    np.testing.assert_array_equal(again.decision_function(X), model.decision_function(X))


def test_an_unknown_keyword_is_told_its_neighbour():
    with pytest.raises(TypeError, match="did you mean 'epochs'"):
        SpikingClassifier(epoch=3)


def test_other_rules():
    rule = Tempotron(1.0)
    model = quick(hidden_layer_sizes=(), spiking_output=True, rule=rule, dt=1.0, epochs=10)
    model.fit(X[FEW], Y[FEW])
    assert model.score(X[FEW], Y[FEW]) > 0.5
    assert len(model.network_.layers) == 1


def test_processes_give_what_one_gives():
    folds = StratifiedKFold(2, shuffle=True, random_state=0)
    alone = cross_val_score(quick(epochs=1), X[FEW], Y[FEW], cv=folds)
    with joblib.parallel_config("loky"):
        shared = cross_val_score(quick(epochs=1), X[FEW], Y[FEW], cv=folds, n_jobs=2)
    np.testing.assert_array_equal(alone, shared)


@pytest.mark.parametrize("estimator", CLASSIFIERS, ids=KINDS)
def test_partial_fits_go_on_to_the_same_bits(estimator):
    whole = clone(estimator).set_params(epochs=3).fit(X[FEW], NAMES[FEW])
    begun = clone(estimator).set_params(epochs=1).fit(X[FEW], NAMES[FEW])
    online = clone(estimator).partial_fit(X[FEW], NAMES[FEW], classes=np.unique(NAMES))
    for model in (begun, online):
        model.partial_fit(X[FEW], NAMES[FEW]).partial_fit(X[FEW], NAMES[FEW])
        assert model.n_iter_ == 3
        for one, other in zip(whole.network_.layers, model.network_.layers, strict=True):
            np.testing.assert_array_equal(one.w, other.w)


def test_partial_fits_of_parts():
    model = quick()
    with pytest.raises(ValueError, match="classes must be given in the first call"):
        model.partial_fit(X[:50], Y[:50])
    for _ in range(2):
        for part in (slice(0, 50, 3), slice(50, 100, 3), slice(100, 150, 3)):
            model.partial_fit(X[part], Y[part], classes=[0, 1, 2])
    assert model.classes_.tolist() == [0, 1, 2] and model.n_iter_ == 6
    with pytest.raises(ValueError, match="classes must be those of the first call"):
        model.partial_fit(X[:5], Y[:5], classes=[0, 1])
    with pytest.raises(ValueError, match="y holds .*3.*, which is none of the classes"):
        model.partial_fit(X[:5], np.array([0, 1, 3, 0, 1]))


@pytest.mark.parametrize("estimator", [*CLASSIFIERS, REGRESSOR], ids=[*KINDS, "regressor"])
def test_files_hold_all_of_an_estimator(estimator, tmp_path):
    labels = Y if isinstance(estimator, SpikingRegressor) else NAMES
    model = clone(estimator).fit(X[FEW], labels[FEW])
    model.save(tmp_path / "model.spikesim")
    read = type(model).load(tmp_path / "model.spikesim")
    np.testing.assert_array_equal(read.predict(X[FEW]), model.predict(X[FEW]))
    assert str(read.get_params(deep=False)) == str(model.get_params(deep=False))
    assert repr(read.history_) == repr(model.history_)
    assert read.predict(X[FEW]).dtype == model.predict(X[FEW]).dtype
    read.partial_fit(X[FEW], labels[FEW])
    model.partial_fit(X[FEW], labels[FEW])
    np.testing.assert_array_equal(read.network_.layers[0].w, model.network_.layers[0].w)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X[FEW]), model.predict(X[FEW]))


def test_names_of_features_are_kept(tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X[FEW], columns=["a", "b", "c", "d"])
    model = quick().fit(frame, pandas.Series(NAMES[FEW]))
    assert model.feature_names_in_.tolist() == ["a", "b", "c", "d"]
    model.save(tmp_path / "model")
    assert SpikingClassifier.load(tmp_path / "model").feature_names_in_.tolist() == list("abcd")
    table = EncoderTransformer(ENCODER, output="counts").set_output(transform="pandas")
    assert table.fit_transform(frame).columns[:4].tolist() == ["a_0", "a_1", "a_2", "b_0"]


def test_files_that_are_refused(tmp_path):
    path = tmp_path / "model"
    quick().save(path)
    assert not hasattr(SpikingClassifier.load(path), "result_")
    with pytest.raises(ValueError, match="holds a SpikingClassifier, not a RateClassifier"):
        RateClassifier.load(path)
    damaged = bytearray(path.read_bytes())
    damaged[-5] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(DamagedFileError):
        SpikingClassifier.load(path)
    with pytest.raises(TypeError, match="RandomState"):
        quick(random_state=np.random.RandomState(0)).save(path)
    with pytest.raises(DamagedFileError, match="not a file of spikesim"):
        path.write_bytes(pickle.dumps(quick()))
        SpikingClassifier.load(path)


@dataclass(frozen=True)
class Mirrored:
    """An encoder of one's own: each feature and its negative."""

    factor: float = 1.0
    stochastic: ClassVar[bool] = False

    def fit(self, features):
        return replace(self)

    def n_inputs(self, n_features):
        return 2 * n_features

    def encode(self, features, *, dt, rng=None):
        return np.hstack([features, -self.factor * features])[np.newaxis]


def test_encoders_of_ones_own(tmp_path):
    model = RateClassifier(4, encoder=Mirrored(), epochs=2).fit(X, Y)
    assert model.get_params()["encoder__factor"] == 1.0
    model.save(tmp_path / "model")
    with pytest.raises(ValueError, match="Mirrored"):
        RateClassifier.load(tmp_path / "model")
    read = RateClassifier.load(tmp_path / "model", known=[Mirrored])
    np.testing.assert_array_equal(read.predict(X), model.predict(X))


def test_a_committee_finds_what_a_perceptron_cannot():
    corners = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    labels = np.array([0, 1, 1, 0])
    assert ThresholdClassifier(7, random_state=1).fit(corners, labels).score(corners, labels) == 1
    single = ThresholdClassifier(epochs=8, random_state=1).fit(corners, labels)
    assert single.score(corners, labels) < 1.0
    apart = ThresholdClassifier(random_state=1).fit(corners, [0, 1, 1, 1])
    assert apart.score(corners, [0, 1, 1, 1]) == 1.0
    assert apart.n_iter_ < 100, "it ends when it has been right for a while"


def test_regression():
    rng = np.random.default_rng(0)
    n = 20 if config.DISABLE_JIT else 300
    features = rng.uniform(-1.0, 1.0, (n, 2))
    bowl, saddle = (features**2).sum(axis=1), features[:, 0] * features[:, 1]
    model = SpikingRegressor(random_state=0, epochs=1 if config.DISABLE_JIT else 50)
    model.fit(features, 100.0 + bowl)
    assert model.predict(features).shape == (n,)
    assert model.target_mean_ == pytest.approx(100.0 + bowl.mean())
    if not config.DISABLE_JIT:
        assert model.score(features, 100.0 + bowl) > 0.95
    both = quick(SpikingRegressor).fit(features, np.column_stack([bowl, saddle]))
    assert both.predict(features).shape == (n, 2)
    with pytest.raises(ValueError, match="y has 1 targets, the first call had 2"):
        both.partial_fit(features, bowl)
    constant = quick(SpikingRegressor, epochs=1).fit(features, np.full(n, 5.0))
    np.testing.assert_allclose(constant.predict(features), 5.0, atol=2.0)


def test_regression_refuses_a_rule_of_classes():
    with pytest.raises(ValueError, match="must learn real targets"):
        quick(SpikingRegressor, rule=Backprop()).fit(X, Y)
    rule = Backprop(SquaredError())
    with pytest.raises(ValueError, match=r"fit\.labels"):
        quick(rule=rule).fit(X[FEW], Y[FEW])


def test_partial_fits_of_a_regressor():
    whole = quick(SpikingRegressor).fit(X[FEW], Y[FEW])
    online = quick(SpikingRegressor)
    for _ in range(3):
        online.partial_fit(X[FEW], Y[FEW])
    np.testing.assert_array_equal(whole.predict(X[FEW]), online.predict(X[FEW]))


def test_a_transformer_before_a_classifier_is_its_encoder():
    n_lines = 12
    direct = quick(epochs=1).fit(X[FEW], Y[FEW])
    spikes = SpikeTrains(n_lines, dt=2.0)
    pipeline = make_pipeline(EncoderTransformer(ENCODER, dt=2.0), quick(encoder=spikes, epochs=1))
    pipeline.fit(X[FEW], Y[FEW])
    np.testing.assert_array_equal(pipeline.predict(X), direct.predict(X))
    np.testing.assert_array_equal(pipeline.decision_function(X), direct.decision_function(X))


def test_what_a_transformer_returns():
    spikes = EncoderTransformer(ENCODER).fit(X)
    assert (spikes.n_steps_, spikes.n_lines_) == (12, 12)
    x = ENCODER.fit(X).encode(X, dt=1.0)
    table = spikes.transform(X)
    np.testing.assert_array_equal(table, np.concatenate(list(x), axis=1))
    names = spikes.get_feature_names_out()
    assert len(names) == table.shape[1] and names[13] == "x0_1_step1"
    counts = EncoderTransformer(ENCODER, output="counts").fit_transform(X)
    np.testing.assert_array_equal(counts, x.sum(axis=0))
    times = EncoderTransformer(ENCODER, output="first_spikes").fit_transform(X)
    exact = np.minimum(ENCODER.fit(X).spike_times(X), 12.0)
    np.testing.assert_array_equal(times, np.rint(exact))
    sparse = EncoderTransformer(ENCODER, sparse_output=True).fit_transform(X)
    np.testing.assert_array_equal(sparse.toarray(), table)
    assert make_pipeline(spikes, LogisticRegression()).fit(X, Y).score(X, Y) > 0.9


def test_names_of_lines():
    latency = EncoderTransformer(LatencyEncoder(bias_spike=True), output="first_spikes").fit(X)
    assert latency.get_feature_names_out(list("abcd")).tolist() == ["a", "b", "c", "d", "bias"]
    trains = EncoderTransformer(SpikeTrains(3), output="counts").fit(np.eye(6))
    assert trains.get_feature_names_out().tolist() == ["line0", "line1", "line2"]


def test_random_codes_of_a_transformer(tmp_path):
    encoder = RateEncoder(duration=10.0, mode="poisson")
    model = EncoderTransformer(encoder, random_state=0).fit(X)
    np.testing.assert_array_equal(model.transform(X), model.transform(X))
    other = EncoderTransformer(encoder, random_state=1).fit(X)
    assert (model.transform(X) != other.transform(X)).any()
    model.save(tmp_path / "code")
    read = EncoderTransformer.load(tmp_path / "code")
    np.testing.assert_array_equal(read.transform(X), model.transform(X))
    with pytest.raises(ValueError, match=r"EncoderTransformer\.output must be one of"):
        EncoderTransformer(output="spike").fit(X)


@pytest.mark.parametrize("kind", [SpikingClassifier, RateClassifier, ThresholdClassifier])
def test_labels_of_several_kinds_are_refused_in_words(kind):
    labels = np.array(["a", 1, None], dtype=object)[Y]
    with pytest.raises(SpikesimError, match=rf"{kind.__name__}: y must hold labels of one kind"):
        kind().fit(X, labels)


def test_a_label_of_no_class_is_shown_as_it_is():
    with pytest.raises(ValueError, match="y holds 0, which is none of the classes: a, b"):
        RateClassifier().partial_fit(X, Y, classes=["a", "b"])


@pytest.mark.parametrize(
    "model", [SpikingClassifier(), SpikingRegressor(), EncoderTransformer()], ids=repr
)
def test_masked_values_are_refused_rather_than_read(model):
    masked = np.ma.masked_greater(X, 6.0)
    with pytest.raises(SpikesimError, match=r"X\[.*\] is masked"):
        model.fit(masked, Y)
    fitted = clone(model).set_params(**({"epochs": 1} if hasattr(model, "epochs") else {}))
    fitted.fit(X[FEW], Y[FEW])
    use = fitted.transform if isinstance(model, EncoderTransformer) else fitted.predict
    with pytest.raises(SpikesimError, match=r"X\[.*\] is masked"):
        use(masked)


@pytest.mark.parametrize("scale", [1e200, 1e308])
def test_targets_beyond_a_standard_deviation_are_refused(scale):
    targets = np.where(Y > 0, scale, -scale)
    with pytest.raises(SpikesimError, match="y holds targets too large .* scale them down"):
        SpikingRegressor().fit(X, targets)
