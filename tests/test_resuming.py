"""Training that goes on: from a result, from a file, from a checkpoint; early stopping."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pytest
from numba import config

from spikesim.datasets import xor
from spikesim.encoding import Analog, RateEncoder
from spikesim.errors import DamagedFileError, DeadLayerWarning, SpikesimError
from spikesim.layered import Layer, LayeredNetwork, dense
from spikesim.layered.forward import run
from spikesim.learning import (
    SGD,
    Adam,
    AdamW,
    Backprop,
    CosineDecay,
    EarlyStopping,
    Evolution,
    History,
    MaxMembrane,
    Metrics,
    RateOutput,
    RMSprop,
    StepDecay,
    TrainingInterrupted,
    WarmUp,
    fit,
    load_fit,
    partial_fit,
)
from spikesim.learning.packing import digest, pack
from spikesim.neurons import LIF, Sigmoid, Step
from spikesim.synapses import Exponential

XOR = xor()
DATA = XOR.features, XOR.labels
POISSON = RateEncoder(20.0, 300.0, "poisson", bias_spike=True)
OPTIONS = {"seed": 3, "batch_size": 3, "warn": False}


def spiking():
    return dense([3, 4, 1], LIF.normalised(10.0), synapse=Exponential(5.0), gain=8.0,
                 recurrent=True, rng=0)  # fmt: skip


def through(optimiser):
    return spiking(), Backprop(readout=MaxMembrane(), optimiser=optimiser), POISSON


CASES = {
    "adam": lambda: through(Adam(0.1)),
    "warm-up by update, then by cosine": lambda: through(
        AdamW(WarmUp(5, CosineDecay(0.1, 12, per="update")), clip_norm=1.0)
    ),
    "steps by epoch": lambda: through(SGD(StepDecay(0.1, 2, 0.5), momentum=0.9, nesterov=True)),
    "rmsprop": lambda: through(RMSprop(0.02, clip_value=0.1)),
    "evolution": lambda: (dense([2, 3, 1], Step(), rng=1), Evolution(), Analog()),
}


def bits(result):
    """Return a number for all that training decides."""
    h = result.history
    course = History(
        h.loss, h.accuracy, np.zeros(h.n_epochs), h.spikes_per_trial, h.layers,
        h.validation_accuracy, h.validation_loss,
    )  # fmt: skip
    return digest(pack("result", [result.network, result.standing, course, result.encoder]))


@pytest.mark.parametrize("make", CASES.values(), ids=CASES)
def test_further_epochs_give_the_bits_of_one_training(make, tmp_path):
    network, rule, encoder = make()
    whole = fit(network, rule, *DATA, encoder=encoder, epochs=10, validation=DATA, **OPTIONS)
    part = fit(network, rule, *DATA, encoder=encoder, epochs=3, validation=DATA, **OPTIONS)
    before = bits(part)
    more = partial_fit(part, *DATA, epochs=7, validation=DATA, warn=False)
    assert bits(more) == bits(whole) != before == bits(part)
    part.save(tmp_path / "part.fit")
    loaded = load_fit(tmp_path / "part.fit")
    assert bits(loaded) == before
    assert repr(loaded) == repr(part)
    np.testing.assert_array_equal(loaded.history.seconds, part.history.seconds)
    np.testing.assert_array_equal(loaded.scores(XOR.features), part.scores(XOR.features))
    turns = loaded
    for _ in range(7):
        turns = partial_fit(turns, *DATA, validation=DATA, warn=False)
    assert bits(turns) == bits(whole)
    assert np.array_equal(turns.predict(XOR.features), whole.predict(XOR.features))


@pytest.mark.parametrize("make", CASES.values(), ids=CASES)
def test_a_checkpoint_goes_on_to_the_same_bits(make, tmp_path):
    network, rule, encoder = make()
    options = {**OPTIONS, "encoder": encoder, "validation": DATA}
    whole = fit(network, rule, *DATA, epochs=8, **options)
    path = tmp_path / "run.checkpoint"

    def interrupt(done, total):
        if done in (2, 5):
            raise KeyboardInterrupt

    for n in (2, 5):
        with pytest.raises(TrainingInterrupted, match=f"interrupted with {n} of 8"):
            fit(network, rule, *DATA, epochs=8, checkpoint=path, progress=interrupt, **options)
    result = fit(network, rule, *DATA, epochs=8, checkpoint=path, **options)
    assert bits(result) == bits(whole)
    stamp = path.stat().st_mtime_ns
    again = fit(network, rule, *DATA, epochs=8, checkpoint=path, **options)
    assert bits(again) == bits(whole)
    assert path.stat().st_mtime_ns == stamp
    longer = fit(network, rule, *DATA, epochs=11, checkpoint=path, **options)
    assert bits(longer) == bits(fit(network, rule, *DATA, epochs=11, **options))
    assert [p.name for p in tmp_path.iterdir()] == ["run.checkpoint"]
    with pytest.raises(ValueError, match=r"fit\.epochs is 8, .* has 11 done already"):
        fit(network, rule, *DATA, epochs=8, checkpoint=path, **options)


def test_a_checkpoint_of_further_epochs(tmp_path):
    network, rule, encoder = CASES["adam"]()
    start = fit(network, rule, *DATA, encoder=encoder, epochs=2, **OPTIONS)
    path = tmp_path / "more"

    def interrupt(done, total):
        assert total == 6
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(TrainingInterrupted, match="interrupted with 3 of 6"):
        partial_fit(start, *DATA, epochs=6, checkpoint=path, progress=interrupt, warn=False)
    result = partial_fit(start, *DATA, epochs=6, checkpoint=path, warn=False)
    assert bits(result) == bits(fit(network, rule, *DATA, encoder=encoder, epochs=8, **OPTIONS))
    with pytest.raises(ValueError, match=r"another result \(partial_fit\.result\)"):
        partial_fit(result, *DATA, epochs=6, checkpoint=path, warn=False)
    with pytest.raises(ValueError, match=r"partial_fit\.epochs is 2, .* has 6 done already"):
        partial_fit(start, *DATA, epochs=2, checkpoint=path, warn=False)


def test_without_a_seed_the_checkpoint_has_it(tmp_path):
    network, rule, encoder = CASES["adam"]()
    options = {"encoder": encoder, "warn": False, "checkpoint": tmp_path / "c"}
    first = fit(network, rule, *DATA, epochs=2, **options)
    second = fit(network, rule, *DATA, epochs=4, **options)
    assert second.seed.entropy == first.seed.entropy
    del options["checkpoint"]
    assert bits(second) == bits(fit(network, rule, *DATA, epochs=4, seed=first.seed, **options))


KILLED = """
import sys, time
from tests.test_resuming import CASES, DATA, OPTIONS, EPOCHS
from spikesim.learning import fit

def progress(done, total):
    print(done, flush=True)
    time.sleep(0.01)

network, rule, encoder = CASES["adam"]()
fit(network, rule, *DATA, encoder=encoder, epochs=EPOCHS, checkpoint=sys.argv[1],
    checkpoint_interval=0.0, progress=progress, **OPTIONS)
"""
EPOCHS = 60


def test_killed_without_warning_it_goes_on_to_the_same_bits(tmp_path):
    path = tmp_path / "run.checkpoint"
    begun = []
    for n_lines in (17, 9):
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(KILLED), str(path)], stdout=subprocess.PIPE
        )
        lines = [int(process.stdout.readline()) for _ in range(n_lines)]
        process.kill()
        process.wait()
        process.stdout.close()
        begun.append(lines[0])
    assert begun[0] == 1 < begun[1] <= 18
    network, rule, encoder = CASES["adam"]()
    options = {**OPTIONS, "encoder": encoder, "epochs": EPOCHS}
    result = fit(network, rule, *DATA, checkpoint=path, **options)
    assert bits(result) == bits(fit(network, rule, *DATA, **options))
    assert [p.name for p in tmp_path.iterdir()] == ["run.checkpoint"]


OTHERS = {
    "network": {"network": dense([2, 3, 1], Sigmoid(), rng=5)},
    "rule": {"rule": Backprop(optimiser=Adam(0.2))},
    "encoder": {"encoder": RateEncoder(20.0, 100.0, bias_spike=True)},
    "features": {"features": XOR.features + 0.1},
    "labels": {"labels": 1 - XOR.labels},
    "validation": {"validation": DATA},
    "batch_size": {"batch_size": 4},
    "shuffle": {"shuffle": False},
    "until": {"until": EarlyStopping(3)},
    "seed": {"seed": 4},
}


@pytest.mark.parametrize("what", OTHERS)
def test_a_checkpoint_of_another_training_is_refused_by_name(what, tmp_path):
    path = tmp_path / "c"
    given = {
        "network": dense([2, 3, 1], Sigmoid(), rng=0), "rule": Backprop(), "epochs": 2,
        "features": XOR.features, "labels": XOR.labels, "checkpoint": path, **OPTIONS,
    }  # fmt: skip
    if what == "encoder":
        given |= {"network": spiking(), "encoder": POISSON}
    if what == "until":
        given |= {"validation": DATA}
    fit(**given)
    held = path.read_bytes()
    with pytest.raises(ValueError, match=rf"another {what} \(fit\.{what}\): it had .*delete it"):
        fit(**{**given, **OTHERS[what]})
    assert path.read_bytes() == held


def test_damaged_files_are_refused_and_left_alone(tmp_path):
    network, rule, encoder = CASES["adam"]()
    path, trained = tmp_path / "c", tmp_path / "t"
    options = {**OPTIONS, "encoder": encoder, "epochs": 1}
    fit(network, rule, *DATA, checkpoint=path, **options).save(trained)
    rng = np.random.default_rng(0)
    for file, read in (
        (path, lambda: fit(network, rule, *DATA, checkpoint=path, **options)),
        (trained, lambda: load_fit(trained)),
    ):
        whole = file.read_bytes()
        for _ in range(20):
            spoilt = bytearray(whole)
            if rng.random() < 0.3:
                spoilt = spoilt[: rng.integers(len(whole))]
            else:
                spoilt[rng.integers(len(whole))] ^= 1 << int(rng.integers(8))
            file.write_bytes(spoilt)
            with pytest.raises(DamagedFileError):
                read()
            assert file.read_bytes() == bytes(spoilt)
        file.write_bytes(whole)
    with pytest.raises(DamagedFileError, match="is a checkpoint of a training, not a trained"):
        load_fit(path)
    with pytest.raises(DamagedFileError, match="is a trained network, not a checkpoint"):
        fit(network, rule, *DATA, checkpoint=trained, **options)


def test_two_trainings_do_not_share_a_checkpoint(tmp_path):
    network, rule, encoder = CASES["adam"]()
    options = {**OPTIONS, "encoder": encoder, "epochs": 2, "checkpoint": tmp_path / "c"}
    seen = []

    def another(done, total):
        with pytest.raises(ValueError, match="another training is at work"):
            fit(network, rule, *DATA, **options)
        seen.append(done)

    fit(network, rule, *DATA, progress=another, **options)
    assert seen == [1, 2] or sys.platform == "win32"


class Count(NamedTuple):
    n: int
    drawn: np.ndarray


@dataclass(frozen=True)
class OfMyOwn:
    """A rule of a user, with a state of its own kind; it learns nothing."""

    scale: float = 0.5
    note: object = None
    readout = RateOutput()

    def init(self, network):
        return {"count": Count(0, np.zeros(2, bool)), 3: [np.uint8(7), None]}

    def step(self, network, state, x, labels):
        count = state["count"]
        state = {**state, "count": Count(count.n + 1, ~count.drawn)}
        return network, state, Metrics(1.0, 0, len(labels), (1.0,), run(network, x))


def test_rules_of_ones_own_are_stored_and_made_by_who_knows_them(tmp_path):
    network = dense([2, 1], Sigmoid(), rng=0)
    options = {"epochs": 3, "seed": 1, "warn": False}
    result = fit(network, OfMyOwn(), *DATA, checkpoint=tmp_path / "c", **options)
    again = fit(network, OfMyOwn(), *DATA, checkpoint=tmp_path / "c", **options)
    assert bits(again) == bits(result)
    assert again.standing.state["count"].n == 3
    assert again.standing.state["count"].drawn.dtype == bool
    assert type(again.standing.state[3][0]) is np.uint8
    result.save(tmp_path / "t")
    assert load_fit(tmp_path / "t", known=(OfMyOwn, Count)).rule == OfMyOwn()
    with pytest.raises(ValueError, match=r"OfMyOwn of .*known="):
        load_fit(tmp_path / "t")
    spoilt = fit(network, OfMyOwn(note=[print]), *DATA, **options)
    with pytest.raises(TypeError, match=r"FitResult\['rule'\]\.note\[0\] is <built-in"):
        spoilt.save(tmp_path / "u")
    with pytest.raises(TypeError, match=r"rule\.note\[0\] is <built-in .* a file cannot hold"):
        fit(network, OfMyOwn(note=[print]), *DATA, checkpoint=tmp_path / "u", **options)
    assert not (tmp_path / "u").exists()


def test_warnings_are_not_given_again(tmp_path):
    network = LayeredNetwork([Layer([[0.0], [0.0]], LIF.normalised())])
    options = {"encoder": RateEncoder(10.0, 300.0, "regular"), "seed": 1}
    with pytest.warns(DeadLayerWarning, match="layer 0: 100% of its units never fired"):
        first = fit(network, Backprop(optimiser=SGD(1e-9)), *DATA, epochs=3, **options)
    partial_fit(first, *DATA, epochs=3)
    first.save(tmp_path / "t")
    partial_fit(load_fit(tmp_path / "t"), *DATA, epochs=3)
    two = fit(network, Backprop(optimiser=SGD(1e-9)), *DATA, epochs=2, **options)
    with pytest.warns(DeadLayerWarning, match="in epochs 0 to 2"):
        partial_fit(two, *DATA)


@dataclass(frozen=True)
class Scripted:
    """Sets the weight to the next of a list; with it, what a validation says."""

    weights: tuple
    accuracies: tuple = ()
    readout = RateOutput()

    def init(self, network):
        return 0

    def step(self, network, state, x, labels):
        layer = network.layers[0].updated(w=[[self.weights[state]]])
        return network.updated([layer]), state + 1, Metrics(0.0, 0, 1, (1.0,), run(network, x))

    def loss_and_gradient(self, network, traces, labels):
        w = network.layers[0].w[0, 0]
        right = self.accuracies[self.weights.index(w)] if self.accuracies else 1.0 - w
        return np.array([w]), np.array([right])


ONE = LayeredNetwork([Layer([[1.0]], Sigmoid())])
SCRIPT = Scripted((0.5, 0.3, 0.4, 0.3, 0.29, 0.35, 0.28, 0.9, 0.9, 0.9, 0.9, 0.9))
ONE_TRIAL = [[1.0]], [1]


def scripted(until, epochs=12, **options):
    return fit(ONE, SCRIPT, *ONE_TRIAL, epochs=epochs, until=until, validation=ONE_TRIAL,
               warn=False, seed=0, **options)  # fmt: skip


@pytest.mark.parametrize(
    ("stop", "n_epochs", "weight"),
    [
        (EarlyStopping(3), 10, 0.28),
        (EarlyStopping(2), 4, 0.3),
        (EarlyStopping(2, restore_best=False), 4, 0.3),
        (EarlyStopping(1, restore_best=False), 3, 0.4),
        (EarlyStopping(4, min_change=0.05), 6, 0.3),
        (EarlyStopping(3, "accuracy"), 10, 0.28),
        (EarlyStopping(50), 12, 0.28),
        (EarlyStopping(50, restore_best=False), 12, 0.9),
    ],
    ids=repr,
)
def test_early_stopping_hands_back_the_best_weights(stop, n_epochs, weight):
    result = scripted(stop)
    assert result.history.n_epochs == n_epochs
    assert result.network.layers[0].w[0, 0] == weight
    np.testing.assert_array_equal(result.history.validation_loss, SCRIPT.weights[:n_epochs])
    assert result.standing.network.layers[0].w[0, 0] == SCRIPT.weights[n_epochs - 1]


def test_schedules_by_epoch_follow_the_epochs_of_fit():
    """Steps of one length, so that the way of an epoch is the learning rate times its updates."""
    network = LayeredNetwork([Layer([[0.0]], Sigmoid(), trainable=("w",))])
    rule = Backprop(optimiser=SGD(StepDecay(1.0, 2, 0.5), normalised=True))
    data = np.ones((6, 1)), np.ones(6, int)
    result = fit(network, rule, *data, epochs=1, batch_size=2, seed=0)
    weights = [result.network.layers[0].w[0, 0]]
    for _ in range(5):
        result = partial_fit(result, *data)
        weights.append(result.network.layers[0].w[0, 0])
    np.testing.assert_allclose(np.diff(weights), 3 * np.array([1, 0.5, 0.5, 0.25, 0.25]))
    whole = fit(network, rule, *data, epochs=6, batch_size=2, seed=0)
    assert whole.network.layers[0].w[0, 0] == weights[-1]


def test_early_stopping_goes_on_from_the_last_weights_and_keeps_the_best(tmp_path):
    whole = scripted(EarlyStopping(3))
    first = scripted(EarlyStopping(3), epochs=3)
    assert first.network.layers[0].w[0, 0] == 0.3
    first.save(tmp_path / "t")
    more = partial_fit(load_fit(tmp_path / "t", known=[Scripted]), *ONE_TRIAL, epochs=9,
                       until=EarlyStopping(3), validation=ONE_TRIAL, warn=False)  # fmt: skip
    assert bits(more) == bits(whole)
    for epochs in (2, 7, 12, 12):
        kept = scripted(EarlyStopping(3), epochs, checkpoint=tmp_path / "c")
    assert bits(kept) == bits(whole) and kept.history.n_epochs == 10


@pytest.mark.parametrize(
    ("weights", "calls", "best"),
    [
        # The best of the first call is kept through one without early stopping.
        ((0.5, 0.3, 0.9, 0.9, 0.4), ((3, True), (1, False), (1, True)), 0.3),
        # Without early stopping only the weights of the last epoch are kept.
        ((0.5, 0.3, 0.2, 0.25, 0.4), ((2, True), (2, False), (1, True)), 0.25),
        ((0.5, 0.2, 0.3, 0.4, 0.9), ((3, False), (2, True)), 0.3),
        ((0.5, 0.2, 0.3, 0.4, 0.25), ((3, False), (2, True)), 0.25),
    ],
)
def test_the_best_weights_outlive_calls_without_early_stopping(weights, calls, best):
    result = None
    options = {"validation": ONE_TRIAL, "warn": False}
    for epochs, stops in calls:
        options["until"] = EarlyStopping(50) if stops else None
        if result is None:
            result = fit(ONE, Scripted(weights), *ONE_TRIAL, epochs=epochs, seed=0, **options)
        else:
            result = partial_fit(result, *ONE_TRIAL, epochs=epochs, **options)
        if not stops:
            assert result.network is result.standing.network
    assert result.network.layers[0].w[0, 0] == best


def test_the_best_by_one_measure_is_weighed_by_another():
    """The best loss in epoch 0 is the worst accuracy; of the others only the last is known."""
    options = {"validation": ONE_TRIAL, "warn": False}
    rule = Scripted((0.1, 0.2, 0.3, 0.4), (0.2, 0.9, 0.5, 0.3))
    first = fit(ONE, rule, *ONE_TRIAL, epochs=3, seed=0, until=EarlyStopping(9), **options)
    assert first.network.layers[0].w[0, 0] == 0.1
    more = partial_fit(first, *ONE_TRIAL, until=EarlyStopping(9, "accuracy"), **options)
    assert more.network.layers[0].w[0, 0] == 0.3


def test_until_solved_is_remembered(tmp_path):
    network = dense([2, 4, 1], Sigmoid(), rng=1)
    options = {"until": "solved", "patience": 5, "seed": 0, "batch_size": 2}
    rule = Backprop(optimiser=Adam(0.3))
    whole = fit(network, rule, *DATA, epochs=300, **options)
    n = whole.history.n_epochs
    assert 5 < n < 300
    for epochs in (n - 3, 300, 300):
        kept = fit(network, rule, *DATA, epochs=epochs, checkpoint=tmp_path / "c", **options)
    assert bits(kept) == bits(whole)


def test_the_validation_loss_is_that_of_the_rule():
    network, rule = dense([2, 3, 1], Sigmoid(), rng=0), Backprop()
    result = fit(network, rule, *DATA, epochs=4, validation=DATA, seed=0)
    x = XOR.features[None]
    traces = run(result.network, x)
    losses, correct, *_ = rule.loss_and_gradient(result.network, traces, XOR.labels)
    assert result.history.validation_loss[-1] == losses.mean()
    # One batch an epoch: a loss is that of the network after the epoch before.
    np.testing.assert_allclose(
        result.history.validation_loss[:-1], result.history.loss[1:], rtol=1e-12
    )
    by_errors = fit(dense([2, 3, 1], Step(), rng=1), Evolution(), *DATA, epochs=4,
                    validation=DATA, seed=0)  # fmt: skip
    history = by_errors.history
    np.testing.assert_array_equal(history.validation_loss, 1.0 - history.validation_accuracy)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"until": EarlyStopping()}, ValueError, r"EarlyStopping.* needs fit\.validation"),
        ({"checkpoint": 3}, TypeError, r"fit\.checkpoint"),
        ({"checkpoint": "no/such/folder/c"}, ValueError, r"fit\.checkpoint: there is no folder"),
        ({"checkpoint": "."}, ValueError, r"fit\.checkpoint must name a file"),
        ({"checkpoint_interval": -1.0}, ValueError, r"fit\.checkpoint_interval"),
        ({"validation": [1]}, TypeError, r"fit\.validation must be a tuple"),
    ],
)
def test_bad_arguments_are_refused_by_name(options, error, message):
    with pytest.raises(error, match=message):
        fit(dense([2, 1], Sigmoid(), rng=0), Backprop(), *DATA, epochs=1, **options)


def test_what_does_not_continue_a_result_is_refused():
    result = fit(dense([2, 1], Sigmoid(), rng=0), Backprop(), *DATA, epochs=1, seed=0)
    with pytest.raises(TypeError, match=r"partial_fit\.result"):
        partial_fit(result.network, *DATA)
    with pytest.raises(ValueError, match=r"partial_fit\.validation: the epochs before were with"):
        partial_fit(result, *DATA, validation=DATA)
    with pytest.raises(ValueError, match=r"partial_fit\.epochs"):
        partial_fit(result, *DATA, epochs=0)
    with pytest.raises(ValueError, match=r"partial_fit\.features has 3 features"):
        partial_fit(result, np.ones((2, 3)), [0, 1])
    for bad in (
        {"patience": 0}, {"monitor": "spikes"}, {"min_change": -1.0}, {"restore_best": 1}
    ):  # fmt: skip
        with pytest.raises(SpikesimError, match=rf"EarlyStopping\.{next(iter(bad))}"):
            EarlyStopping(**bad)
    with pytest.raises(ValueError, match="needs a history with validation"):
        EarlyStopping().best_epoch(result.history)


def test_new_samples_of_any_number_are_learnt_from():
    network, rule, encoder = CASES["adam"]()
    first = fit(network, rule, *DATA, encoder=encoder, epochs=1, seed=0, warn=False)
    more = partial_fit(first, XOR.features[:3], XOR.labels[:3], epochs=2, warn=False)
    assert more.history.n_epochs == 3
    assert more.encoder is first.encoder
    assert config.DISABLE_JIT or more.network.layers[0].w.tobytes() != (
        first.network.layers[0].w.tobytes()
    )
