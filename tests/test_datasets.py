"""The data sets hold what they are known to hold."""

import numpy as np
import pytest

from spikesim.datasets import iris, iris_two_features, xor


def test_xor_is_true_where_the_inputs_differ():
    data = xor()
    assert data.features.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    np.testing.assert_array_equal(data.labels, data.features[:, 0] != data.features[:, 1])


def test_iris_has_fifty_flowers_of_three_kinds_in_centimetres():
    data = iris()
    assert data.features.shape == (150, 4)
    assert np.bincount(data.labels).tolist() == [50, 50, 50]
    assert data.class_names == ("setosa", "versicolor", "virginica")
    assert data.feature_names == ("sepal length", "sepal width", "petal length", "petal width")
    np.testing.assert_allclose(data.features.mean(axis=0), [5.8433, 3.0573, 3.758, 1.1993],
                               atol=1e-4)  # fmt: skip
    assert len(np.unique(np.column_stack([data.features, data.labels]), axis=0)) == 149


def test_two_features_of_two_kinds_leave_a_gap():
    data = iris_two_features()
    assert data.features.shape == (100, 2)
    assert data.feature_names == ("sepal length", "petal length")
    assert data.class_names == ("setosa", "versicolor")
    petal = data.features[:, 1]
    assert petal[data.labels == 0].max() == 1.9
    assert petal[data.labels == 1].min() == 3.0


@pytest.mark.parametrize("load", [xor, iris, iris_two_features])
def test_arrays_are_read_only_and_plain(load):
    data = load()
    assert data.features.dtype == np.float64 and data.labels.dtype == np.int64
    assert len(data.feature_names) == data.features.shape[1]
    assert len(data.class_names) == data.labels.max() + 1
    for array in (data.features, data.labels):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    with pytest.raises(AttributeError):
        data.features = None
