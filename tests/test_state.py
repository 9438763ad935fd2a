"""States and archives as files: whole, checked, refused in words."""

import copy
import hashlib
import json
import os
import pickle

import numpy as np
import pytest

import spikesim as sp
from spikesim._archive import read_archive, write_archive
from spikesim.errors import DamagedFileError, ParameterError


def network(weight=60.0):
    exc = sp.Population("exc", sp.LIF(v_init=sp.Uniform(-65.0, -50.0)), 30)
    rate = sp.Population("rate", sp.SigmoidRate(), 3)
    return sp.Network(
        [exc, rate],
        [
            sp.Projection(exc, exc, sp.FixedInDegree(5), weight, 2.5, sp.Exponential(5.0)),
            sp.Projection(exc, rate, sp.AllToAll(), 9.0, 0.5, sp.Alpha(2.0)),
            sp.Projection(rate, exc, sp.AllToAll(), 3.0, 1.5),
        ],
        [sp.PoissonInput(exc, 5000.0, 60.0, sp.Exponential(5.0))],
    )


def same(one, two):
    for name in one.populations:
        np.testing.assert_array_equal(one[name].spike_times, two[name].spike_times)
        np.testing.assert_array_equal(one[name].spike_ids, two[name].spike_ids)
    for name, array in one.final_state.arrays.items():
        np.testing.assert_array_equal(array, two.final_state.arrays[name])


@pytest.mark.parametrize("precision", ["double", "compact"])
def test_a_state_goes_on_from_its_file_to_the_same_bits(tmp_path, precision):
    about = {"seed": 2**70 + 1, "precision": precision}
    first = sp.simulate(network(), 20.0, threads=2, **about)
    first.final_state.save(tmp_path / "a.state")
    loaded = sp.load_state(tmp_path / "a.state", network())
    assert (loaded.step, loaded.dt, loaded.seed) == (200, 0.1, 2**70 + 1)
    rest = {"precision": precision}
    going_on = sp.simulate(network(), 20.0, state=first.final_state, **rest)
    assert len(going_on["exc"].spike_times) > 10
    for threads in (1, 3):
        same(going_on, sp.simulate(network(), 20.0, state=loaded, threads=threads, **rest))
    assert os.listdir(tmp_path) == ["a.state"]


def test_the_file_does_not_depend_on_threads_or_cuts(tmp_path):
    whole = sp.simulate(network(), 30.0, seed=5).final_state
    state = None
    for duration, threads in ((7.0, 2), (0.0, 1), (23.0, 3)):
        seed = 5 if state is None else None
        run = sp.simulate(network(), duration, seed=seed, state=state, threads=threads)
        state = run.final_state
    whole.save(tmp_path / "whole")
    state.save(tmp_path / "parts")
    assert (tmp_path / "whole").read_bytes() == (tmp_path / "parts").read_bytes()


def test_a_state_is_laid_out_anew_for_more_threads():
    first = sp.simulate(network(), 10.0, seed=1, threads=1)
    one = sp.simulate(network(), 10.0, state=first.final_state, threads=1)
    built = first.final_state._built
    two = sp.simulate(network(), 10.0, state=first.final_state, threads=2)
    assert first.final_state._built is not built
    assert sp.simulate(network(), 1.0, state=first.final_state).duration == 1.0
    same(one, two)


def test_every_damaged_byte_is_found(tmp_path):
    path = tmp_path / "state"
    sp.simulate(network(), 20.0, seed=1).final_state.save(path)
    data = path.read_bytes()
    rng = np.random.default_rng(0)
    places = {*range(64), len(data) - 1, *rng.integers(0, len(data), 150).tolist()}
    for place in places:
        flipped = bytearray(data)
        flipped[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(flipped)
        with pytest.raises(DamagedFileError, match="damaged"):
            sp.load_state(path, network())
    for length in (0, 1, 15, 16, 55, 56, 100, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:length])
        with pytest.raises(DamagedFileError, match="damaged"):
            sp.load_state(path, network())
    path.write_bytes(data + b"\0")
    with pytest.raises(DamagedFileError, match=r"bytes where its header asks for"):
        sp.load_state(path, network())
    path.write_bytes(data)
    assert sp.load_state(path, network()).step == 200


def sealed(header):
    """Return a file with a header of our choice and all checksums right."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    start = b"\x89spikesim\r\n\x1a\n\0\0\0" + len(text).to_bytes(8, "little")
    return start + hashlib.sha256(start + text).digest() + text


KIND = "state of a simulation"


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ({"kind": KIND, "version": 2, "content": {}, "arrays": []}, "version 2; this version of"),
        ({"kind": "cake", "version": 1, "content": {}, "arrays": []}, "is a cake, not a state"),
        (b"{}", "header is not what spikesim writes"),
        (b"[1]", "header is not what spikesim writes"),
        (b"\xff", "header is not what spikesim writes"),
        (b"[" * 100_000, "header is not what spikesim writes"),
    ],
)
def test_files_of_others_are_refused_in_words(tmp_path, header, words):
    (tmp_path / "file").write_bytes(sealed(header))
    with pytest.raises(DamagedFileError, match=words):
        sp.load_state(tmp_path / "file", network())


@pytest.mark.parametrize(
    "about",
    [
        {"shape": [10**12], "type": "<f8"},
        {"shape": [2**40, 2**40], "type": "<f8"},
        {"shape": [-1], "type": "<f8"},
        {"shape": [1], "type": "|O"},
        {"shape": "no", "type": "<f8"},
        {},
    ],
)
def test_a_header_that_claims_terabytes_gets_none(tmp_path, about):
    item = {"name": "a.v", "sha256": "", **about}
    header = {"kind": KIND, "version": 1, "content": {}, "arrays": [item]}
    (tmp_path / "file").write_bytes(sealed(header))
    with pytest.raises(DamagedFileError, match="damaged"):
        sp.load_state(tmp_path / "file", network())
    start = b"\x89spikesim\r\n\x1a\n\0\0\0" + (2**43).to_bytes(8, "little")
    (tmp_path / "file").write_bytes(start + bytes(100))
    with pytest.raises(DamagedFileError, match="length of its header"):
        sp.load_state(tmp_path / "file", network())


def test_a_state_of_another_network_is_refused(tmp_path):
    path = tmp_path / "state"
    sp.simulate(network(), 5.0, seed=1).final_state.save(path)
    with pytest.raises(ParameterError, match="another network"):
        sp.load_state(path, network(61.0))
    state = sp.load_state(path, network())
    for changed, words in (
        ({"dt": 0.2}, "dt = 0.1"),
        ({"precision": "compact"}, "precision"),
        ({"seed": 2}, "a run with seed 1, simulate.seed is another; leave it out"),
        (
            {"network": network(61.0)},
            r"another network: \w+\.weight of .* is 60\.0 in it and 61\.0",
        ),
    ):
        with pytest.raises(ParameterError, match=words):
            sp.simulate(**({"network": network(), "duration": 1.0, "state": state} | changed))


def described(n=3, tau_m=10.0, weight=0.5, rate=5.0, extra=False, k=2, names=("a", "b"), kind=None):
    a, b = (sp.Population(name, kind or sp.LIF(tau_m=tau_m), n) for name in names)
    projections = [sp.Projection("a", "b", sp.FixedInDegree(k), weight)]
    inputs = [sp.PoissonInput("a", rate, 0.1)] + [sp.StepCurrent("b", 9.0)] * extra
    return sp.Network([a, b], projections, inputs)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"n": 4}, "Population.n of population 'a' is 3 in it and 4 in the network given; Popul"),
        ({"tau_m": 9.0}, "LIF.tau_m of population 'a' is 10.0 in it and 9.0 in the network given"),
        ({"tau_m": [9.0, 8.0, 7.0]}, "LIF.tau_m of population 'a' has other values"),
        ({"weight": 0.6}, "Projection.weight of projection 0 from 'a' to 'b' is 0.5 in it and 0.6"),
        ({"weight": sp.Normal(0.5, 0.1)}, "is 0.5 in it and Normal(mean=0.5, sd=0.1"),
        (
            {"k": 1},
            "is FixedInDegree(k=2, autapses=True, multapses=True) in it and FixedInDegree(k=1",
        ),
        ({"rate": 6.0}, "PoissonInput.rate of input 0 into 'a' is 5.0 in it and 6.0"),
        ({"extra": True}, "it has no input 1 into 'b', the network given has one"),
        ({"names": ("b", "a")}, "its populations are in another order"),
        ({"kind": sp.SigmoidRate()}, "population 'a' is of another kind"),
    ],
)
def test_it_is_said_in_what_networks_differ(tmp_path, changed, words):
    path = tmp_path / "state"
    sp.simulate(described(), 1.0, seed=1).final_state.save(path)
    assert sp.load_state(path, described()).seed == 1
    with pytest.raises(ParameterError) as caught:
        sp.load_state(path, described(**changed))
    assert f"{path} is of a run of another network: " in str(caught.value)
    assert words in str(caught.value)


def test_what_is_gone_is_said_and_long_lists_are_cut(tmp_path):
    path = tmp_path / "state"
    sp.simulate(described(extra=True), 1.0, seed=1).final_state.save(path)
    other = sp.Network([sp.Population(name, sp.LIF(5.0, 99.0), 2) for name in "ab"])
    with pytest.raises(ParameterError, match="it has a projection 0 .*has none; .*; and 6 more"):
        sp.load_state(path, other)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("exc.v", lambda a: a[:-1]),
        ("exc.v", lambda a: a.astype(np.float32)),
        ("spikes.ids", lambda a: a + 33),
        ("spikes.ids", lambda a: a - 100),
        ("spikes.steps", lambda a: a + 10),
        ("spikes.steps", lambda a: a[::-1].copy()),
        ("more", lambda a: np.zeros(1)),
    ],
)
def test_a_forged_state_reaches_no_kernel(tmp_path, name, change):
    path = tmp_path / "state"
    sp.simulate(network(), 20.0, seed=1).final_state.save(path)
    archive = read_archive(path, KIND, 1)
    assert len(np.unique(archive.arrays["spikes.steps"])) > 1
    arrays = archive.arrays | {name: change(archive.arrays.get(name))}
    write_archive(path, KIND, 1, archive.header, arrays)
    with pytest.raises(DamagedFileError, match=r"simulate\.state does not hold"):
        sp.simulate(network(), 1.0, state=sp.load_state(path, network()))


@pytest.mark.parametrize(
    "bad", ["", 3, None, b"bytes", "a\0b"], ids=["empty", "number", "none", "bytes", "null"]
)
def test_what_is_no_path_is_refused(bad):
    state = sp.simulate(sp.LIF(), 1.0).final_state
    for act, name in (
        (lambda: state.save(bad), r"State\.save\.path"),
        (lambda: sp.load_state(bad, sp.LIF()), r"load_state\.path"),
        (lambda: sp.load_recording(bad), r"load_recording\.path"),
    ):
        with pytest.raises((ValueError, TypeError), match=name) as caught:
            act()
        assert isinstance(caught.value, sp.SpikesimError)


def test_files_that_cannot_be_had_are_errors_of_the_system(tmp_path):
    state = sp.simulate(sp.LIF(), 1.0).final_state
    with pytest.raises(FileNotFoundError):
        state.save(tmp_path / "none" / "state")
    with pytest.raises(FileNotFoundError):
        sp.load_state(tmp_path / "none", sp.LIF())


def test_a_state_travels_without_its_synapses():
    n = 300
    a = sp.Population("a", sp.LIF(), n)
    net = sp.Network([a], [sp.Projection(a, a, sp.AllToAll(), sp.Normal(0.0, 1.0), 1.0)])
    recording = sp.simulate(net, 1.0, seed=1)
    text = pickle.dumps(recording)
    assert len(text) < 100_000 < 10 * n * n
    for state in (pickle.loads(text).final_state, copy.deepcopy(recording.final_state)):
        same(sp.simulate(net, 9.0, state=recording.final_state), sp.simulate(net, 9.0, state=state))
    assert repr(recording.final_state).startswith("State(after 1 ms of Network(a: 300 LIF")


def test_arrays_come_back_as_they_were(tmp_path):
    arrays = {
        "a": np.arange(6.0).reshape(2, 3)[:, ::2],
        "b": np.zeros((0, 3), dtype=np.float32),
        "c": np.array(7, dtype=np.int64),
        "d": np.arange(3, dtype=">i4"),
    }
    write_archive(tmp_path / "file", "thing", 1, {"x": [1, "ö"]}, arrays)
    archive = read_archive(tmp_path / "file", "thing", 1)
    assert archive.header == {"x": [1, "ö"]} and list(archive.arrays) == list(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(archive.arrays[name], array)
        assert archive.arrays[name].dtype == array.dtype.newbyteorder("=")
    with pytest.raises(ValueError, match="no arrays of type"):
        write_archive(tmp_path / "file", "thing", 1, {}, {"e": np.array(["text"])})
    assert read_archive(tmp_path / "file", "thing", 1).header == archive.header
