from __future__ import annotations

import numpy as np
import pytest

from tests.trainers.metrics.samples import UNIT
from trainers.metrics.features import FeatureTable
from trainers.metrics.measurement import Measurement, MetricError
from trainers.metrics.resampling import Resampling, resampled

SEEN: list[tuple[int, ...]] = []


def table(n: int, offset: float = 0) -> FeatureTable:
    return FeatureTable(np.arange(n, dtype=float)[:, None] + offset, "x", UNIT, "every voxel")


def shift(real: FeatureTable, synthetic: FeatureTable) -> Measurement:
    SEEN.append((len(real), len(synthetic), *(len(np.unique(t.values)) for t in (real, synthetic))))
    value = float(synthetic.values.mean() - real.values.mean())
    return Measurement("shift", value, "1", UNIT, "every voxel", len(real), settings={"a": 1})


def test_both_sets_are_drawn_to_the_size_of_the_smaller() -> None:
    SEEN.clear()
    found = resampled(shift, table(90), table(30), Resampling(repeats=7))
    assert len(SEEN) == 7
    assert {sizes[:2] for sizes in SEEN} == {(30, 30)}
    assert found.n == 30


def test_mean_and_spread() -> None:
    found = resampled(shift, table(100), table(100, offset=50), Resampling(repeats=200))
    assert found.value == pytest.approx(50, abs=2)
    assert found.spread == pytest.approx(np.sqrt(2 * (100**2 / 12) / 100), rel=0.2)
    assert found.settings == {"a": 1, "repeats": 200, "replacement": True, "seed": 0}


def test_without_replacement_no_image_comes_twice() -> None:
    SEEN.clear()
    resampled(shift, table(50), table(40), Resampling(size=25, replacement=False))
    assert set(SEEN) == {(25, 25, 25, 25)}


def test_the_seed_decides() -> None:
    one, same, other = (
        resampled(shift, table(40), table(40), Resampling(seed=seed)).value for seed in (1, 1, 2)
    )
    assert one == same != other


def test_impossible_draws_are_refused() -> None:
    with pytest.raises(MetricError, match="at most 10 without replacement, got 20 of 11"):
        resampled(shift, table(10), table(20), Resampling(size=11, replacement=False))
    with pytest.raises(MetricError, match="got 1 of 10"):
        resampled(shift, table(10), table(20), Resampling(repeats=1))
