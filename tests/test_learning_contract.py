"""What every learning rule keeps to. Rules are found in `spikesim.learning.__all__`."""

import inspect

import numpy as np
import pytest
from numba import config

from spikesim import learning
from spikesim.datasets import iris_two_features
from spikesim.encoding import Analog, PopulationEncoder
from spikesim.errors import SpikesimError
from spikesim.layered import dense
from spikesim.learning import committee_network, evaluate, fit, load_fit, partial_fit
from spikesim.neurons import LIF, AdaptiveLIF, Sigmoid, Step
from spikesim.synapses import Exponential

N_FIELDS = 4
SPIKING = PopulationEncoder(n_fields=N_FIELDS, duration=12.0, t_max=8.0)
OPTIONS = {"synapse": Exponential(3.0), "gain": 5.0}
LINES = 2 * N_FIELDS
# Whatever a rule may want to train; each is tried on those that it accepts.
NETWORKS = {
    "step": (lambda s: dense([2, 1], Step(), rng=s), Analog()),
    "two steps": (lambda s: dense([2, 2], Step(), rng=s), Analog()),
    "lif": (lambda s: dense([LINES, 1], LIF.normalised(), rng=s, **OPTIONS), SPIKING),
    "two lif": (lambda s: dense([LINES, 2], LIF.normalised(), rng=s, **OPTIONS), SPIKING),
    # Small weights: a multiplicative rule is known to diverge from large ones of the wrong sign.
    "step layers": (lambda s: dense([2, 3, 1], Step(), gain=0.3, rng=s), Analog()),
    "lif hidden": (lambda s: dense([LINES, 4, 2], LIF.normalised(), rng=s, **OPTIONS), SPIKING),
    "step committee": (lambda s: committee_network(2, 3, 1, Step(), rng=s), Analog()),
    "lif committees": (
        lambda s: committee_network(LINES, 3, 2, LIF.normalised(), rng=s, **OPTIONS), SPIKING,
    ),
    "sigmoid": (lambda s: dense([2, 3, 1], Sigmoid(), rng=s), Analog()),
    "lif layers": (
        lambda s: dense([LINES, 4, 2], LIF.normalised(), output=LIF.non_spiking(), rng=s,
                        **OPTIONS), SPIKING,
    ),
    "adaptive layers": (
        lambda s: dense([LINES, 4, 2], AdaptiveLIF.normalised(), output=LIF.non_spiking(),
                        recurrent=True, rng=s, **OPTIONS), SPIKING,
    ),
    "continuous": (
        lambda s: dense([LINES, 4, 2], LIF.normalised(), continuous=True, rng=s, **OPTIONS),
        SPIKING,
    ),
    "fires once": (
        lambda s: dense([LINES, 4, 2], LIF.normalised(t_ref=12.0), continuous=True, rng=s,
                        **OPTIONS), SPIKING,
    ),
}  # fmt: skip


def rules():
    found = []
    for name in learning.__all__:
        thing = getattr(learning, name)
        if inspect.isclass(thing) and not getattr(thing, "_is_protocol", False):
            if hasattr(thing, "init") and hasattr(thing, "step"):
                found.append(thing)
    return found


def accepts(rule, network):
    try:
        rule.init(network)
    except SpikesimError:
        return False
    return True


def cases():
    for kind in rules():
        for label, (make, encoder) in NETWORKS.items():
            if accepts(kind(), make(0)):
                yield pytest.param(kind, make, encoder, id=f"{kind.__name__}-{label}")


CASES = list(cases())
each_case = pytest.mark.parametrize(("kind", "make", "encoder"), CASES)


def data():
    full = iris_two_features()
    rows = slice(None, None, 20 if config.DISABLE_JIT else 5)
    return full.features[rows], full.labels[rows]


def weights(network):
    return [array for layer in network.layers for array in layer.parameters().values()]


def run(kind, make, encoder, **options):
    features, labels = data()
    settings = {"encoder": encoder, "epochs": 3, "seed": 1, "warn": False, **options}
    return fit(make(0), kind(), features, labels, **settings)


def test_every_rule_has_a_network_to_train():
    names = {kind.__name__ for kind in rules()}
    assert {"Committee", "DeltaRule", "Perceptron", "Proportional", "Relaxation",
            "Tempotron"} <= names  # fmt: skip
    assert {case.values[0].__name__ for case in CASES} == names


@each_case
@pytest.mark.parametrize("batch_size", [1, 7, None])
def test_equal_seeds_give_equal_bits(kind, make, encoder, batch_size):
    one, two = (run(kind, make, encoder, batch_size=batch_size) for _ in range(2))
    for a, b in zip(weights(one.network), weights(two.network), strict=True):
        assert a.tobytes() == b.tobytes()
        assert np.isfinite(a).all()
    assert one.history.loss.tobytes() == two.history.loss.tobytes()


@each_case
def test_training_goes_on_from_a_file_to_the_same_bits(kind, make, encoder, tmp_path):
    features, labels = data()
    whole = run(kind, make, encoder, batch_size=7)
    run(kind, make, encoder, batch_size=7, epochs=1).save(tmp_path / "one.fit")
    loaded = load_fit(tmp_path / "one.fit")
    more = partial_fit(loaded, features, labels, epochs=2, warn=False)
    assert loaded.rule == kind()
    for a, b in zip(weights(whole.network), weights(more.network), strict=True):
        assert a.tobytes() == b.tobytes()
    assert whole.history.loss.tobytes() == more.history.loss.tobytes()


@each_case
def test_nothing_that_is_given_is_modified(kind, make, encoder):
    features, labels = data()
    features, labels = features.copy(), labels.copy()
    network, rule = make(0), kind()
    x = encoder.fit(features).encode(features, dt=network.dt)
    before = [array.copy() for array in (x, labels, *weights(network))]
    state = rule.init(network)
    kept = None if state is None else repr(state)
    trained, *_ = rule.step(network, state, x, labels)
    for a, b in zip([x, labels, *weights(network)], before, strict=True):
        np.testing.assert_array_equal(a, b)
    assert kept is None or repr(state) == kept
    assert trained is not network
    again, *_ = rule.step(network, state, x, labels)
    for a, b in zip(weights(trained), weights(again), strict=True):
        assert a.tobytes() == b.tobytes()


@each_case
def test_metrics_describe_the_batch(kind, make, encoder):
    features, labels = data()
    network, rule = make(0), kind()
    x = encoder.fit(features).encode(features, dt=network.dt)
    trained, _, metrics = rule.step(network, rule.init(network), x, labels)
    assert metrics.n_trials == len(labels)
    assert 0 <= metrics.n_correct <= metrics.n_trials
    assert np.isfinite(metrics.loss) and metrics.loss >= 0.0
    assert len(metrics.update_norms) == len(metrics.traces) == len(network.layers)
    assert all(np.isfinite(metrics.update_norms))
    for trace, layer in zip(metrics.traces, network.layers, strict=True):
        assert trace.output.shape == (len(x), len(labels), layer.n_post)
    for layer, old in zip(trained.layers, network.layers, strict=True):
        for name in ("w", "bias"):
            if name not in layer.trainable:
                np.testing.assert_array_equal(getattr(layer, name), getattr(old, name))


@each_case
def test_arrays_of_any_layout_give_equal_bits(kind, make, encoder):
    features, labels = data()
    network, rule = make(0), kind()
    x = encoder.fit(features).encode(features, dt=network.dt)
    frozen = x.copy()
    frozen.flags.writeable = False
    variants = [x, np.asfortranarray(x), frozen, x[:, ::-1][:, ::-1]]
    results = [rule.step(network, rule.init(network), v, labels)[0] for v in variants]
    for other in results[1:]:
        for a, b in zip(weights(results[0]), weights(other), strict=True):
            assert a.tobytes() == b.tobytes()


@each_case
def test_predictions_are_those_of_the_readout(kind, make, encoder):
    features, labels = data()
    result = run(kind, make, encoder)
    predicted = result.predict(features)
    assert predicted.dtype == np.int64 and predicted.shape == labels.shape
    assert result.score(features, labels) == np.mean(predicted == labels)
    readout = result.readout
    assert evaluate(result.network, readout, features, labels, encoder=result.encoder) == (
        result.score(features, labels)
    )


@each_case
def test_a_single_class_can_be_learnt(kind, make, encoder):
    features, labels = data()
    result = fit(make(0), kind(), features[:5], np.zeros(5, int), encoder=encoder, epochs=3,
                 seed=0, warn=False)  # fmt: skip
    assert all(np.isfinite(array).all() for array in weights(result.network))


@each_case
def test_rules_compare_and_print_by_their_settings(kind, make, encoder):
    assert repr(kind()) == repr(kind())
    assert kind.__name__ in repr(kind())
    with pytest.raises(AttributeError):
        kind().learning_rate = 1.0


def spoilt_batches(x, labels, n_classes):
    nan, infinite = x.copy(), x.copy()
    nan.flat[-1], infinite.flat[0], infinite.flat[-1] = np.nan, -np.inf, np.inf
    high, low, part = labels.copy(), labels.copy(), labels.astype(float)
    high[-1], low[0], part[0] = n_classes, -1, 0.5
    yield "x", nan, labels
    yield "x", infinite, labels
    yield "x", x[0], labels
    yield "x", x[:0], labels
    yield "x", x[:, :0], labels[:0]
    yield "x", x[:, :, :-1], labels
    yield "x", np.full(x.shape, "a"), labels
    yield "labels", x, labels[:1]
    yield "labels", x, labels[:-1]
    yield "labels", x, labels[:, None]
    yield "labels", x, high
    yield "labels", x, low
    yield "labels", x, part
    yield "labels", x, labels.astype(str)


@each_case
def test_a_bad_batch_is_refused_by_name(kind, make, encoder):
    features, labels = data()
    network, rule = make(0), kind()
    x = encoder.fit(features).encode(features, dt=network.dt)
    state = rule.init(network)
    for argument, bad_x, bad_labels in spoilt_batches(x, labels, max(2, network.n_outputs)):
        with pytest.raises(SpikesimError, match=rf"^{kind.__name__}\.{argument}\b"):
            rule.step(network, state, bad_x, bad_labels)


@each_case
def test_lists_and_other_integers_are_taken(kind, make, encoder):
    features, labels = data()
    network, rule = make(0), kind()
    x = encoder.fit(features).encode(features, dt=network.dt)
    variants = [(x, labels), (x.tolist(), labels.tolist()), (x, labels.astype(np.int32)[::1]),
                (np.asfortranarray(x), np.repeat(labels, 2)[::2])]  # fmt: skip
    results = [rule.step(network, rule.init(network), *batch) for batch in variants]
    for trained, _, metrics in results:
        assert metrics.n_correct == results[0][2].n_correct
        for a, b in zip(weights(results[0][0]), weights(trained), strict=True):
            assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize("kind", ["Proportional", "MadalineII", "Committee", "MadalineI", "PDelta"])
def test_a_single_step_is_too_short_for_spiking_units_of_two_layers(kind):
    network = committee_network(2, 3, 1, LIF.normalised(), rng=0)
    rule = getattr(learning, kind)()
    with pytest.raises(ValueError, match=rf"{kind}\.x must have at least two steps for LIF units"):
        rule.step(network, rule.init(network), np.ones((1, 1, 2)), np.array([0]))
