from __future__ import annotations

import numpy as np
import pytest

from pipelines.features import mahalanobis, series_features


def test_a_series_is_the_mean_of_the_slices_that_tell() -> None:
    table = [np.array([1.0, np.nan]), np.array([3.0, np.nan]), np.array([np.nan, np.nan])]
    np.testing.assert_array_equal(series_features(table), [2.0, np.nan])


def test_the_distance_counts_deviations_and_what_goes_together() -> None:
    centre = np.array([1.0, 2.0])
    precision = np.linalg.inv(np.array([[4.0, 1.5], [1.5, 1.0]]))
    assert mahalanobis(centre, centre, precision) == 0
    assert mahalanobis(np.array([5.0, 2.0]), centre, np.diag([0.25, 1.0])) == pytest.approx(2)
    together, against = (np.array([3.0, 2.0 + step]) for step in (1.0, -1.0))
    assert mahalanobis(together, centre, precision) < 0.5 * mahalanobis(against, centre, precision)


def test_what_is_not_known_counts_as_usual() -> None:
    found = mahalanobis(np.array([np.nan, 5.0]), np.array([1.0, 2.0]), np.eye(2))
    assert found == pytest.approx(3)
