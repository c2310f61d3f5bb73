from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import sqrtm

from tests.trainers.metrics.samples import UNIT, images
from trainers.metrics.features import FeatureTable
from trainers.metrics.frechet import frechet_distance, frechet_of, frechet_radiomic_distance
from trainers.metrics.measurement import Floats, MetricError
from trainers.metrics.resampling import Resampling


def table(values: Floats) -> FeatureTable:
    return FeatureTable(values, "x", UNIT, "every voxel")


def normal(n: int, features: int, seed: int) -> Floats:
    return np.random.default_rng(seed).standard_normal((n, features))


@pytest.mark.parametrize("shape", [(200, 8), (10, 50)])
def test_a_set_has_no_distance_from_itself(shape: tuple[int, int]) -> None:
    values = 3 * normal(*shape, seed=0) + 7
    assert frechet_of(values, values) == pytest.approx(0, abs=1e-10)
    assert frechet_of(values, values[::-1]) == pytest.approx(0, abs=1e-10)


def test_a_shift_costs_its_square() -> None:
    values = normal(50, 4, seed=1)
    assert frechet_of(values, values + np.array([3, 0, 4, 0])) == pytest.approx(25)


def test_one_dimension_is_known_in_closed_form() -> None:
    a, b = normal(30, 1, 0), 2.5 * normal(30, 1, 1) + 3
    wanted = (a.mean() - b.mean()) ** 2 + (a.std(ddof=1) - b.std(ddof=1)) ** 2
    assert frechet_of(a, b) == pytest.approx(wanted)


def test_agrees_with_the_matrix_root() -> None:
    mix = np.random.default_rng(3).standard_normal((6, 6))
    a, b = normal(80, 6, 4), normal(80, 6, 5) @ mix + 1
    first, second = np.cov(a.T), np.cov(b.T)
    shift = a.mean(0) - b.mean(0)
    wanted = shift @ shift + np.trace(first + second - 2 * sqrtm(first @ second).real)
    assert frechet_of(a, b) == pytest.approx(wanted)
    assert frechet_of(b, a) == pytest.approx(wanted)


def test_few_samples_make_it_larger_so_unequal_counts_are_refused() -> None:
    few = frechet_of(normal(20, 64, 0), normal(20, 64, 1))
    many = frechet_of(normal(400, 64, 0), normal(400, 64, 1))
    assert few > 4 * many
    with pytest.raises(MetricError, match="got 20 and 19"):
        frechet_distance(table(normal(20, 4, 0)), table(normal(19, 4, 1)))


def test_record_names_the_extractor() -> None:
    found = frechet_distance(table(normal(20, 4, 0)), table(normal(20, 4, 1)))
    assert (found.n, found.settings["extractor"], found.data_range) == (20, "x", UNIT)


def test_radiomic_distance_is_larger_for_other_textures_with_a_spread() -> None:
    real, alike = images(20, seed=1), images(16, seed=2)
    other = images(16, seed=3, roughness=0.2)
    near, far = (frechet_radiomic_distance(real, synthetic, UNIT) for synthetic in (alike, other))
    assert far.value > 3 * near.value
    assert near.n == 16
    assert near.spread is not None
    assert 0 < near.spread < near.value
    assert near.settings["extractor"] == "radiomics-33, standardised"


def test_real_against_real_is_the_baseline_at_equal_counts() -> None:
    plan = Resampling(repeats=10, size=12)
    baseline, other = (
        frechet_radiomic_distance(images(16, 32, seed=a), images(14, 32, seed=b), UNIT, plan)
        for a, b in ((1, 2), (3, 4))
    )
    assert baseline.n == other.n == 12
    assert 0.5 < other.value / baseline.value < 2
