"""Optimisers against their equations."""

from __future__ import annotations

import numpy as np
import pytest

from spikesim.learning import (
    SGD,
    Adam,
    AdamW,
    Constant,
    CosineDecay,
    ExponentialDecay,
    RMSprop,
    StepDecay,
    WarmUp,
)
from spikesim.learning.optimisers import OptimiserState
from spikesim.learning.optimisers.base import at_epoch
from tests import naive_optimisers as naive

START = [{"w": np.array([[5.0, -3.0]]), "bias": np.array([1.0, 2.0])}, {"w": np.array([[2.0]])}]
GRADS = [{"w": np.array([[1.0, -2.0]]), "bias": np.array([0.5, 0.0])}, {"w": np.array([[-4.0]])}]
ALL = [
    SGD(),
    SGD(0.1, momentum=0.9),
    SGD(0.1, normalised=True),
    SGD(0.1, momentum=0.9, nesterov=True, weight_decay=0.01, clip_norm=1.0),
    Adam(),
    Adam(WarmUp(3, CosineDecay(0.1, 8, per="update")), clip_value=0.5),
    AdamW(weight_decay=0.1, clip_norm=2.0),
    RMSprop(weight_decay=0.1),
    RMSprop(ExponentialDecay(0.1, 0.5)),
]


def flat(arrays):
    return np.concatenate([a.ravel() for layer in arrays for a in layer.values()])


@pytest.mark.parametrize("optimiser", ALL, ids=repr)
def test_nothing_given_is_modified_and_shapes_stay(optimiser):
    before = flat(START), flat(GRADS)
    state = optimiser.init(START)
    kept = repr(state)
    new, _ = optimiser.update(START, GRADS, state)
    np.testing.assert_array_equal(flat(START), before[0])
    np.testing.assert_array_equal(flat(GRADS), before[1])
    assert repr(state) == kept
    for old_layer, new_layer in zip(START, new, strict=True):
        assert list(old_layer) == list(new_layer)
        for name in old_layer:
            assert old_layer[name].shape == new_layer[name].shape
    assert np.any(flat(new) != flat(START))


def test_plain_descent():
    new, _ = SGD(0.1).update(START, GRADS, None)
    np.testing.assert_allclose(flat(new), flat(START) - 0.1 * flat(GRADS), rtol=1e-15)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9, 1.1])
def test_descent_on_a_paraboloid_has_its_closed_form(rate):
    point, state = [{"w": np.array([5.0, 5.0])}], SGD(rate).init([])
    for n in range(1, 8):
        point, state = SGD(rate).update(point, [{"w": 2.0 * point[0]["w"]}], state)
        np.testing.assert_allclose(point[0]["w"], (1 - 2 * rate) ** n * 5.0, rtol=1e-9, atol=1e-12)


def test_momentum():
    optimiser = SGD(0.1, momentum=0.9)
    point, state = START, optimiser.init(START)
    velocity, wanted = np.zeros(5), flat(START)
    for scale in (1.0, -0.5, 2.0):
        grads = [{k: scale * v for k, v in layer.items()} for layer in GRADS]
        point, state = optimiser.update(point, grads, state)
        velocity = 0.9 * velocity + flat(grads)
        wanted = wanted - 0.1 * velocity
        np.testing.assert_allclose(flat(point), wanted, rtol=1e-14)


@pytest.mark.parametrize("size", [1e-200, 1e-9, 1.0, 1e9, 1e200])
def test_a_normalised_step_has_one_length_whatever_the_gradient(size):
    grads = [{k: size * v for k, v in layer.items()} for layer in GRADS]
    new, _ = SGD(0.3, normalised=True).update(START, grads, None)
    step = flat(START) - flat(new)
    assert np.linalg.norm(step) == pytest.approx(0.3, rel=1e-12)
    np.testing.assert_allclose(step / 0.3, flat(GRADS) / np.linalg.norm(flat(GRADS)), rtol=1e-12)


def test_a_normalised_step_without_gradient_stays():
    grads = [{k: 0.0 * v for k, v in layer.items()} for layer in GRADS]
    new, _ = SGD(0.3, normalised=True).update(START, grads, None)
    np.testing.assert_array_equal(flat(new), flat(START))


def test_adam():
    optimiser = Adam(0.01, decay_mean=0.8, decay_square=0.9, epsilon=1e-6)
    point, state = START, optimiser.init(START)
    mean, square, wanted = np.zeros(5), np.zeros(5), flat(START)
    for n, scale in enumerate((1.0, -0.5, 2.0), start=1):
        grads = [{k: scale * v for k, v in layer.items()} for layer in GRADS]
        point, state = optimiser.update(point, grads, state)
        mean = 0.8 * mean + 0.2 * flat(grads)
        square = 0.9 * square + 0.1 * flat(grads) ** 2
        wanted = wanted - 0.01 * (mean / (1 - 0.8**n)) / (np.sqrt(square / (1 - 0.9**n)) + 1e-6)
        np.testing.assert_allclose(flat(point), wanted, rtol=1e-12)


def test_the_first_step_of_adam_is_the_learning_rate_in_each_parameter():
    new, _ = Adam(0.01).update(START, GRADS, Adam().init(START))
    np.testing.assert_allclose(flat(START) - flat(new), 0.01 * np.sign(flat(GRADS)), atol=1e-9)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: SGD(-1.0), r"SGD\.learning_rate"),
        (lambda: SGD(np.nan), r"SGD\.learning_rate"),
        (lambda: SGD(0.1, momentum=1.0), r"SGD\.momentum"),
        (lambda: SGD(0.1, momentum=-0.1), r"SGD\.momentum"),
        (lambda: Adam(0.0), r"Adam\.learning_rate"),
        (lambda: Adam(0.1, decay_mean=1.0), r"Adam\.decay_mean"),
        (lambda: Adam(0.1, decay_square=2.0), r"Adam\.decay_square"),
        (lambda: Adam(0.1, epsilon=0.0), r"Adam\.epsilon"),
    ],
)
def test_bad_values_are_refused(make, name):
    with pytest.raises(ValueError, match=name):
        make()


def test_bad_kinds_are_refused():
    with pytest.raises(TypeError, match=r"SGD\.learning_rate"):
        SGD("fast")
    with pytest.raises(TypeError, match=r"SGD\.normalised"):
        SGD(0.1, normalised=1)


def drawn(rng, dtype=np.float64):
    shapes = [{"w": (3, 4), "bias": 4}, {"w": (4, 2), "w_rec": (2, 2)}]
    return [{k: rng.standard_normal(n).astype(dtype) for k, n in a.items()} for a in shapes]


def course(optimiser, start, gradients):
    """Return all numbers after each update, shape (n_updates, n_parameters)."""
    point, state, points = start, optimiser.init(start), []
    for grads in gradients:
        point, state = optimiser.update(point, grads, state)
        points.append(flat(point))
    return np.array(points)


def on_one(optimiser, start, gradients, name="w"):
    """Return the course of a single number."""
    grads = [[{name: np.array([[g]])}] for g in gradients]
    return course(optimiser, [{name: np.array([[start]])}], grads)[:, 0]


SEQUENCE = np.random.default_rng(5).standard_normal(40) * np.logspace(-3, 2, 40)


def test_momentum_has_the_course_of_its_paper():
    np.testing.assert_allclose(
        on_one(SGD(0.2, momentum=0.8), 1.5, SEQUENCE),
        naive.momentum(1.5, SEQUENCE, 0.2, 0.8),
        rtol=1e-12,
    )


def test_momentum_on_a_paraboloid_is_a_power_of_a_matrix():
    rate, mu, curvature = 0.3, 0.6, 2.0
    turn = np.array([[1 - rate * curvature, -rate * mu], [curvature, mu]])
    point, state = [{"w": np.array([[3.0]])}], SGD(rate, momentum=mu).init([{"w": np.ones((1, 1))}])
    for n in range(1, 12):
        grads = [{"w": curvature * point[0]["w"]}]
        point, state = SGD(rate, momentum=mu).update(point, grads, state)
        wanted = (np.linalg.matrix_power(turn, n) @ [3.0, 0.0])[0]
        assert point[0]["w"][0, 0] == pytest.approx(wanted, rel=1e-10, abs=1e-13)


def test_nesterov_measures_where_the_momentum_leads():
    def gradient(x):
        return 2.0 * x + np.sin(3.0 * x)

    optimiser = SGD(0.1, momentum=0.9, nesterov=True)
    point, points = [{"w": np.array([[2.0]])}], []
    state = optimiser.init(point)
    for _ in range(30):
        point, state = optimiser.update(point, [{"w": gradient(point[0]["w"])}], state)
        points.append(point[0]["w"][0, 0])
    np.testing.assert_allclose(points, naive.nesterov(2.0, gradient, 30, 0.1, 0.9), rtol=1e-10)


@pytest.mark.parametrize("schedule", [0.05, CosineDecay(0.05, 30, lowest=0.01, per="update")])
@pytest.mark.parametrize("kind", [Adam, AdamW])
def test_adam_has_the_course_of_its_paper(kind, schedule):
    options = {"weight_decay": 0.1} if kind is AdamW else {}
    rates = [schedule(n) if callable(schedule) else schedule for n in range(40)]
    np.testing.assert_allclose(
        on_one(kind(schedule, 0.8, 0.95, 1e-4, **options), 1.5, SEQUENCE),
        naive.adam(1.5, SEQUENCE, rates, 0.8, 0.95, 1e-4, *options.values()),
        rtol=1e-12,
    )


def test_rmsprop_has_the_course_of_its_source():
    np.testing.assert_allclose(
        on_one(RMSprop(0.05, 0.8, 1e-4, weight_decay=0.1), 1.5, SEQUENCE),
        naive.rmsprop(1.5, SEQUENCE, 0.05, 0.8, 1e-4, 0.1),
        rtol=1e-12,
    )


def test_under_a_constant_gradient_adam_makes_equal_steps_and_rmsprop_ever_shorter_ones():
    n = np.arange(1, 31)
    np.testing.assert_allclose(
        on_one(Adam(0.1), 7.0, np.full(30, -3.0)), 7.0 + 0.1 * n * 3.0 / (3.0 + 1e-8), rtol=1e-12
    )
    steps = np.diff(on_one(RMSprop(0.1, 0.9), 7.0, np.full(30, -3.0)), prepend=7.0)
    np.testing.assert_allclose(steps, 0.1 / (np.sqrt(1 - 0.9**n) + 1e-8 / 3.0), rtol=1e-10)


@pytest.mark.parametrize(
    "optimiser",
    [SGD(0.2, weight_decay=0.3), SGD(0.2, 0.9, weight_decay=0.3), AdamW(0.2, weight_decay=0.3),
     RMSprop(0.2, weight_decay=0.3)],
    ids=repr,
)  # fmt: skip
def test_without_a_gradient_weights_decay_by_their_share_and_the_rest_stays(optimiser):
    for name, share in (("w", 0.94), ("w_rec", 0.94), ("bias", 1.0), ("delay", 1.0)):
        decayed = on_one(optimiser, 5.0, np.zeros(9), name)
        np.testing.assert_allclose(decayed, 5.0 * share ** np.arange(1, 10), rtol=1e-13)


def test_decay_is_not_scaled_by_the_size_of_the_gradient():
    """In Adam with the decay in the gradient, weights of large gradients hardly decay."""
    for size in (1e-3, 1e3):
        moved = on_one(AdamW(0.1, weight_decay=0.5), 4.0, [size])[0]
        assert moved == pytest.approx(4.0 - 0.1 - 0.1 * 0.5 * 4.0, rel=1e-4)


def test_clipping_by_norm_keeps_the_direction_and_by_value_the_signs():
    n = np.linalg.norm(flat(GRADS))
    clipped = flat(START) - course(SGD(1.0, clip_norm=2.0), START, [GRADS])[0]
    np.testing.assert_allclose(clipped, flat(GRADS) * 2.0 / n, rtol=1e-12)
    same = flat(START) - course(SGD(1.0, clip_norm=n * 1.01), START, [GRADS])[0]
    np.testing.assert_allclose(same, flat(GRADS), rtol=1e-12)
    by_value = flat(START) - course(SGD(1.0, clip_value=0.7), START, [GRADS])[0]
    np.testing.assert_allclose(by_value, np.clip(flat(GRADS), -0.7, 0.7), rtol=1e-12)
    both = flat(START) - course(SGD(1.0, clip_value=0.7, clip_norm=0.5), START, [GRADS])[0]
    wanted = np.clip(flat(GRADS), -0.7, 0.7)
    np.testing.assert_allclose(both, wanted * 0.5 / np.linalg.norm(wanted), rtol=1e-12)
    huge = [{k: 1e300 * v for k, v in layer.items()} for layer in GRADS]
    moved = flat(START) - course(SGD(1.0, clip_norm=2.0), START, [huge])[0]
    assert np.linalg.norm(moved) == pytest.approx(2.0, rel=1e-12)


@pytest.mark.parametrize("optimiser", ALL, ids=repr)
def test_single_precision_stays_single(optimiser):
    rng = np.random.default_rng(0)
    start, gradients = drawn(rng, np.float32), [drawn(rng, np.float32) for _ in range(5)]
    point, state = start, optimiser.init(start)
    for grads in gradients:
        point, state = optimiser.update(point, grads, state)
        assert {array.dtype for layer in point for array in layer.values()} == {np.dtype("f4")}
        assert all(array.dtype == np.float32 for array in state.memory)

    def double(arrays):
        return [{k: v.astype(float) for k, v in layer.items()} for layer in arrays]

    wanted = course(optimiser, double(start), [double(grads) for grads in gradients])
    np.testing.assert_allclose(flat(point), wanted[-1], rtol=2e-5, atol=2e-5)


def test_hyperparameters_of_numpy_do_not_make_it_double():
    rng = np.random.default_rng(0)
    start, grads = drawn(rng, np.float32), drawn(rng, np.float64)
    number = np.float64(0.5)
    for optimiser in (
        SGD(number, momentum=number, nesterov=True, weight_decay=number, clip_norm=number),
        Adam(number, number, number, number, clip_value=number),
        AdamW(CosineDecay(number, 9, number), weight_decay=number),
        RMSprop(number, number, number),
    ):
        point, state = optimiser.update(start, grads, optimiser.init(start))
        assert {array.dtype for layer in point for array in layer.values()} == {np.dtype("f4")}
        assert all(array.dtype == np.float32 for array in state.memory)


def test_arrays_of_two_precisions_keep_theirs():
    start = [{"w": np.ones((2, 2), np.float32), "delay": np.ones(2)}]
    new, _ = Adam().update(start, start, Adam().init(start))
    assert (new[0]["w"].dtype, new[0]["delay"].dtype) == (np.float32, np.float64)


def test_gradients_are_found_by_name_and_missing_ones_are_not_guessed():
    grads = [dict(reversed(layer.items())) for layer in GRADS]
    for a, b in zip(SGD().update(START, grads, None)[0], SGD().update(START, GRADS, None)[0],
                    strict=True):  # fmt: skip
        for name in b:
            np.testing.assert_array_equal(a[name], b[name])
    with pytest.raises(KeyError):
        SGD().update(START, [{}, {}], None)


@pytest.mark.parametrize(
    ("schedule", "wanted"),
    [
        (Constant(0.3), [0.3] * 6),
        (StepDecay(0.8, 2, 0.5), [0.8, 0.8, 0.4, 0.4, 0.2, 0.2]),
        (ExponentialDecay(0.8, 0.5), [0.8, 0.4, 0.2, 0.1, 0.05, 0.025]),
        (CosineDecay(1.0, 4), [1.0, 0.5 + 0.5**1.5, 0.5, 0.5 - 0.5**1.5, 0.0, 0.0]),
        (CosineDecay(1.0, 2, lowest=0.5), [1.0, 0.75, 0.5, 0.5, 0.5, 0.5]),
        (WarmUp(4, Constant(0.8)), [0.2, 0.4, 0.6, 0.8, 0.8, 0.8]),
        (WarmUp(2, StepDecay(0.8, 1, 0.5)), [0.4, 0.8, 0.8, 0.4, 0.2, 0.1]),
    ],
    ids=repr,
)
def test_schedules(schedule, wanted):
    assert [schedule(n) for n in range(6)] == pytest.approx(wanted, rel=1e-12, abs=1e-15)
    assert schedule.per == "epoch"
    assert schedule(3) == schedule(3)


def test_a_schedule_by_epoch_follows_the_epoch_and_one_by_update_the_updates():
    grads = [{"w": np.array([[1.0]])}]
    start = [{"w": np.array([[0.0]])}]
    for per, wanted in (("update", [-8.0, -12.0, -14.0]), ("epoch", [-8.0, -16.0, -17.0])):
        optimiser = SGD(ExponentialDecay(8.0, 0.5, per=per))
        point, state, points = start, optimiser.init(start), []
        for epoch in (0, 0, 3):
            state = at_epoch(state, epoch)
            point, state = optimiser.update(point, grads, state)
            points.append(point[0]["w"][0, 0])
        assert points == wanted


def test_the_epoch_reaches_optimisers_wherever_a_rule_keeps_their_state():
    own = OptimiserState(2, 0, (np.ones(1),))
    state = ({"a": [own, None]}, 3, own, "text")
    moved = at_epoch(state, 7)
    assert moved[0]["a"][0].epoch == moved[2].epoch == 7
    assert (moved[0]["a"][1], moved[1], moved[3]) == (None, 3, "text")
    assert own.epoch == 0 and moved[2].memory is own.memory


@pytest.mark.parametrize(
    ("make", "error", "name"),
    [
        (lambda: SGD(0.1, nesterov=True), ValueError, r"SGD\.nesterov needs a momentum"),
        (lambda: SGD(0.1, clip_norm=0.0), ValueError, r"SGD\.clip_norm"),
        (lambda: RMSprop(0.1, decay_square=1.0), ValueError, r"RMSprop\.decay_square"),
        (lambda: RMSprop(-0.1), ValueError, r"RMSprop\.learning_rate"),
        (lambda: AdamW(0.1, weight_decay=-1.0), ValueError, r"AdamW\.weight_decay"),
        (lambda: AdamW(0.1, clip_value=-1.0), ValueError, r"AdamW\.clip_value"),
        (lambda: Adam(CosineDecay), TypeError, r"Adam\.learning_rate.*schedule"),
        (lambda: Adam(lambda n: 0.1), TypeError, r"Adam\.learning_rate.*schedule"),
        (lambda: Adam(weight_decay=0.1), TypeError, r"Adam has no .*AdamW"),
        (lambda: Constant(-1.0), ValueError, r"Constant\.learning_rate"),
        (lambda: Constant(1.0, per="batch"), ValueError, r"Constant\.per"),
        (lambda: StepDecay(1.0, 0), ValueError, r"StepDecay\.every"),
        (lambda: StepDecay(1.0, 2, factor=0.0), ValueError, r"StepDecay\.factor"),
        (lambda: ExponentialDecay(1.0, 1.5), ValueError, r"ExponentialDecay\.factor"),
        (lambda: CosineDecay(1.0, 10, lowest=2.0), ValueError, r"CosineDecay\.lowest"),
        (lambda: CosineDecay(1.0, 1.5), TypeError, r"CosineDecay\.total"),
        (lambda: WarmUp(0, Constant(1.0)), ValueError, r"WarmUp\.length"),
        (lambda: WarmUp(3, 0.1), TypeError, r"WarmUp\.then.*Constant"),
    ],
)
def test_bad_settings_are_refused_by_name(make, error, name):
    with pytest.raises(error, match=name):
        make()
