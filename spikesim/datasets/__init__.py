"""Data sets and tasks, each one file here: what ships, what is generated, what you bring.

Tables (:class:`Dataset`) go through an encoder of :mod:`spikesim.encoding`; trials of spike
trains (:class:`SpikeDataset`) bring their own. All that is drawn is drawn from a seed, and where
samples were published, the defaults give those.
"""

from spikesim.datasets.files import load_csv, load_idx, load_npz, read_idx
from spikesim.datasets.images import fashion_mnist, mnist, mnist_5k
from spikesim.datasets.iris import iris, iris_two_features
from spikesim.datasets.mnist_1d import mnist_1d
from spikesim.datasets.parity import parity
from spikesim.datasets.randman import randman
from spikesim.datasets.scikit_learn import breast_cancer, digits, wine
from spikesim.datasets.spikes import SpikeDataset
from spikesim.datasets.store_recall import store_recall
from spikesim.datasets.tables import Dataset
from spikesim.datasets.temporal_xor import temporal_xor
from spikesim.datasets.timing_only import timing_only
from spikesim.datasets.two_moons import two_moons
from spikesim.datasets.two_spirals import two_spirals
from spikesim.datasets.xor import xor
from spikesim.datasets.yin_yang import YIN_YANG_PARTS, yin_yang

__all__ = [
    "YIN_YANG_PARTS",
    "Dataset",
    "SpikeDataset",
    "breast_cancer",
    "digits",
    "fashion_mnist",
    "iris",
    "iris_two_features",
    "load_csv",
    "load_idx",
    "load_npz",
    "mnist",
    "mnist_1d",
    "mnist_5k",
    "parity",
    "randman",
    "read_idx",
    "store_recall",
    "temporal_xor",
    "timing_only",
    "two_moons",
    "two_spirals",
    "wine",
    "xor",
    "yin_yang",
]
