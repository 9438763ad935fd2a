import inspect
import subprocess
import sys

import pytest

import spikesim as sp

# A name that leaves this list breaks somebody's program; a new one is added here on purpose.
PUBLIC = """
AdaptiveLIF AllToAll Alpha ArcTan Boxcar ConductanceAlpha ConductanceExponential Delta
DistanceDependent EncoderTransformer ExplicitList Exponential ExponentialProfile FastSigmoid
FixedInDegree FixedOutDegree FixedProbability FixedTotalNumber Gaussian GaussianProfile
InhomogeneousPoissonSource LIF Layer LayeredNetwork LogNormal Logistic MultiGaussian Network
NoiseCurrent Normal OneSided OneToOne PoissonInput PoissonSource Population Projection RampCurrent
RateClassifier ReLU Record Recording SampledCurrent Sigmoid SigmoidRate SimulationInterrupted
SineCurrent SparseMatrix SpikeInput SpikeSource SpikesimError SpikesimWarning SpikingClassifier
SpikingRegressor Step StepCurrent StraightThrough Tanh ThresholdClassifier Triangle Truncated
Uniform __version__ check_gradient comparison connections datasets dense distributions encoding
errors estimators evaluate fit grid_positions layered learning ledger load_fit load_recording
load_state memory_needed network neurons partial_fit plotting recording simulate simulation
surrogates synapses to_network
""".split()


def test_the_public_names_are_these():
    assert sp.__all__ == sorted(PUBLIC)
    assert dir(sp) == sp.__all__


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_every_public_name_can_be_had_and_is_documented(name):
    value = getattr(sp, name)
    if inspect.isclass(value) or inspect.isfunction(value) or inspect.ismodule(value):
        assert inspect.getdoc(value)


def test_a_star_import_gives_the_public_names():
    names = {}
    exec("from spikesim import *", names)
    assert set(PUBLIC) <= set(names)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'simulte'"):
        _ = sp.simulte


@pytest.mark.parametrize(
    "module",
    [
        "comparison",
        "datasets",
        "distributions",
        "encoding",
        "estimators",
        "layered",
        "learning",
        "ledger",
        "network",
        "neurons",
        "recording",
        "simulation",
        "surrogates",
        "synapses",
    ],
)
def test_submodules_offer_what_they_list(module):
    home = getattr(sp, module)
    assert list(home.__all__)
    for name in home.__all__:
        assert getattr(home, name) is not None


def test_submodules_are_there_in_a_fresh_process():
    names = "simulation errors network surrogates recording neurons synapses distributions".split()
    for name in names:
        script = f"import spikesim as sp; print(sp.{name}.__name__)"
        output = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        ).stdout
        assert output == f"spikesim.{name}\n"


def test_the_version_is_that_of_the_package():
    import importlib.metadata

    assert importlib.metadata.version("spikesim") == sp.__version__


def test_the_package_says_that_it_is_typed():
    from importlib.resources import files

    assert files("spikesim").joinpath("py.typed").is_file()


def test_reprs_say_the_essence_in_a_line():
    d = sp.datasets.xor()
    network = sp.dense([2, 4, 1], sp.Sigmoid(), rng=1)
    result = sp.fit(network, sp.learning.Backprop(), d.features, d.labels, epochs=3, seed=0)
    assert repr(network) == "LayeredNetwork(2-4-1 Sigmoid, dt=1 ms)"
    assert repr(network.layers[0]) == "Layer(2 to 4 Sigmoid(steepness=1.0))"
    assert repr(result.history).startswith("History(3 epochs, loss ")
    assert "LayeredNetwork(2-4-1 Sigmoid" in repr(result)
    populations = [sp.Population("exc", sp.LIF(), 80), sp.Population("inh", sp.LIF(), 20)]
    expected = "Network(exc: 80 LIF, inh: 20 LIF; 0 projections, 0 inputs)"
    assert repr(sp.Network(populations)) == expected
