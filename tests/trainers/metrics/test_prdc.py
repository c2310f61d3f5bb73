from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trainers.metrics.samples import UNIT
from trainers.metrics.features import FeatureTable
from trainers.metrics.measurement import Floats, MetricError
from trainers.metrics.prdc import prdc


def table(values: Floats) -> FeatureTable:
    return FeatureTable(values, "x", UNIT, "every voxel")


def normal(n: int, seed: int = 0, features: int = 16) -> Floats:
    return np.random.default_rng(seed).standard_normal((n, features))


def values(real: Floats, synthetic: Floats, k: int = 5) -> list[float]:
    return [found.value for found in prdc(table(real), table(synthetic), k).values()]


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**16), n=st.integers(8, 60), k=st.integers(1, 7))
def test_equal_sets_have_1_and_disjoint_ones_0(seed: int, n: int, k: int) -> None:
    real = normal(n, seed)
    assert values(real, real, k) == [1, 1, 1, 1]
    assert values(real, np.random.default_rng(seed).permutation(real), k) == [1, 1, 1, 1]
    assert values(real, real + 1000, k) == [0, 0, 0, 0]


def test_known_points_on_a_line() -> None:
    real = np.array([[0.0], [1.0], [2.0], [10.0]])  # nearest neighbours at 1, 1, 1, 8
    synthetic = np.array([[0.5], [1.4], [30.0]])  # at 0.9, 0.9, 28.6
    # inside real balls: 0.5 in two, 1.4 in two (of 1 and 2), 30 in none; 10's ball reaches neither
    precision, recall, density, coverage = values(real, synthetic, k=1)
    assert precision == pytest.approx(2 / 3)
    assert density == pytest.approx(4 / 3)
    assert coverage == pytest.approx(3 / 4)
    # real inside synthetic balls: 0 and 1 of 0.5's, 1 and 2 of 1.4's, 2 and 10 of 30's (28, 20)
    assert recall == 1


def test_copies_of_one_image_are_precise_but_recall_nothing() -> None:
    real = normal(100)
    copies = real[:1] + 1e-6 * normal(100, seed=1)
    precision, recall, density, coverage = values(real, copies)
    assert precision == 1
    assert recall <= 0.01
    assert density > 0
    assert coverage < 0.3


def test_record_names_extractor_and_neighbours() -> None:
    found = prdc(table(normal(20)), table(normal(30)))
    assert list(found) == ["precision", "recall", "density", "coverage"]
    assert found["density"].settings == {"extractor": "x", "neighbours": 5}
    assert found["density"].n == 20


@pytest.mark.parametrize("k", [0, 5])
def test_too_few_images_are_refused(k: int) -> None:
    with pytest.raises(MetricError, match=f"k = {k}"):
        prdc(table(normal(5)), table(normal(9)), k)
