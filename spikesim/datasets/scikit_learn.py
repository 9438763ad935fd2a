"""Three real sets that scikit-learn ships."""

from __future__ import annotations

from typing import Any

from spikesim.datasets.tables import Dataset, dataset

__all__ = ["breast_cancer", "digits", "wine"]


def digits() -> Dataset:
    """Return 1,797 handwritten digits of 8 x 8 pixels, each 0 to 16: ten classes.

    The values are those of :func:`sklearn.datasets.load_digits`, the test part of the UCI set
    (Alpaydin & Kaynak 1998), by 13 writers.
    """
    from sklearn.datasets import load_digits

    return _from(load_digits())


def wine() -> Dataset:
    """Return 178 wines of three growers, thirteen measurements: three classes.

    The values are those of :func:`sklearn.datasets.load_wine` (Forina et al. 1988, UCI), whose
    columns differ a thousandfold in size: scale them.
    """
    from sklearn.datasets import load_wine

    return _from(load_wine())


def breast_cancer() -> Dataset:
    """Return 569 tumours, 30 measurements of cell nuclei: class 0 malignant, 1 benign.

    The values are those of :func:`sklearn.datasets.load_breast_cancer`, the *diagnostic* set of
    Wisconsin (Street, Wolberg & Mangasarian 1993). Most papers on spiking networks use the
    *original* set instead, 683 tumours with nine features: figures of one do not compare with
    those of the other.
    """
    from sklearn.datasets import load_breast_cancer

    return _from(load_breast_cancer())


def _from(bunch: Any) -> Dataset:
    return dataset(
        bunch.data,
        bunch.target,
        [str(name) for name in bunch.feature_names],
        [str(name) for name in bunch.target_names],
    )
