from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.trainers.metrics.samples import UNIT, images, left_half, textured
from trainers.metrics.histogram import (
    EVERY_GREY_LEVEL,
    TISSUES,
    correlation_of,
    histogram_scores,
    intersection_of,
    kl_of,
    mean_histogram,
)
from trainers.metrics.measurement import CT_RANGE, EVERY_VOXEL, Floats, ImageSet, MetricError

COUNTS = arrays(np.float64, 16, elements=st.integers(0, 1000).map(float)).filter(np.any)


@pytest.mark.parametrize("bins", [EVERY_GREY_LEVEL, TISSUES])
def test_equal_sets(bins: int) -> None:
    found = histogram_scores(images(), images(), UNIT, bins)
    assert found["KL"].value == 0
    assert found["histogram correlation"].value == pytest.approx(1)
    assert found["histogram intersection"].value == 48 * 48  # all pixels of an image
    assert found["KL"].settings["bins"] == bins
    assert found["KL"].unit == "nat"


def test_known_histograms() -> None:
    p, q = np.array([3.0, 1.0]), np.array([1.0, 1.0])
    wanted = 0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)
    assert kl_of(p, q) == pytest.approx(wanted, abs=1e-8)
    assert kl_of(10 * p, q) == pytest.approx(wanted, abs=1e-8)  # shares, not counts
    assert correlation_of(np.array([1.0, 2, 3]), np.array([6.0, 4, 2])) == pytest.approx(-1)
    assert correlation_of(q, q) == 1
    assert intersection_of(p, q) == 2


def test_an_empty_bin_is_dear_but_finite() -> None:
    assert 5 < kl_of(np.array([1.0, 1.0]), np.array([1.0, 0.0])) < 20


def test_three_bins_are_thirds_of_the_range_and_ends_take_what_lies_beyond() -> None:
    values = np.array([-9999, -1000, 300, 400, 2000, 9999]).reshape(1, 2, 3)
    found = mean_histogram(ImageSet(values, EVERY_VOXEL), TISSUES, CT_RANGE)
    np.testing.assert_array_equal(found, [3, 1, 2])  # edges 341 and 1706 HU


def test_only_the_mask_counts_and_sets_may_differ_in_size() -> None:
    real = textured(4)
    masked = ImageSet(real, left_half(real.shape))
    assert mean_histogram(masked, 8, UNIT).sum() == 48 * 24
    fewer = ImageSet(real[:2], left_half(real[:2].shape))
    assert histogram_scores(masked, fewer, UNIT)["KL"].n == 2


@given(COUNTS, COUNTS)
def test_bounds(p: Floats, q: Floats) -> None:
    assert kl_of(p, q) >= -1e-12
    assert kl_of(p, p) == 0
    assert -1 - 1e-9 <= correlation_of(p, q) <= 1 + 1e-9
    assert 0 <= intersection_of(p, q) == intersection_of(q, p) <= min(p.sum(), q.sum())


def test_no_bins_are_refused() -> None:
    with pytest.raises(MetricError, match="At least 1 bin"):
        mean_histogram(images(1), 0, UNIT)
