from __future__ import annotations

import numpy as np
import pytest

from tests.trainers.metrics.samples import UNIT
from trainers.metrics.features import FeatureTable
from trainers.metrics.kernel_distance import kernel_distance
from trainers.metrics.measurement import Floats, MetricError
from trainers.metrics.resampling import Resampling, resampled


def table(values: Floats) -> FeatureTable:
    return FeatureTable(values, "x", UNIT, "every voxel")


def normal(n: int, seed: int, shift: float = 0) -> FeatureTable:
    return table(np.random.default_rng(seed).standard_normal((n, 5)) + shift)


def test_agrees_with_the_unbiased_formula() -> None:
    a, b = normal(12, 0).values, normal(12, 1).values

    def kernel(x: Floats, y: Floats) -> Floats:
        return np.asarray((x @ y.T / 5 + 1) ** 3)

    within = sum((kernel(x, x).sum() - np.trace(kernel(x, x))) / (12 * 11) for x in (a, b))
    wanted = within - 2 * kernel(a, b).mean()
    assert kernel_distance(table(a), table(b)).value == pytest.approx(wanted)


def test_it_has_no_bias_from_the_number_of_images() -> None:
    plan = Resampling(repeats=60, size=15, replacement=False)
    same = resampled(kernel_distance, normal(600, 0), normal(600, 1), plan)
    assert same.spread is not None
    assert abs(same.value) < same.spread
    assert kernel_distance(normal(60, 0), normal(60, 1, shift=1)).value > 10 * same.spread


def test_unequal_counts_are_refused() -> None:
    with pytest.raises(MetricError, match="got 10 and 11"):
        kernel_distance(normal(10, 0), normal(11, 1))
