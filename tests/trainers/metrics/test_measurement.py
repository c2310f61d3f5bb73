from __future__ import annotations

import json
import math

import numpy as np
import pytest

from tests.trainers.metrics.samples import UNIT, images, left_half
from trainers.metrics.measurement import (
    ABDOMEN_WINDOW,
    ALL_HU,
    CHEST_WINDOW,
    CT_RANGE,
    EVERY_VOXEL,
    DataRange,
    ImageSet,
    Mask,
    Measurement,
    MetricError,
    clipped_pair,
    mask_of_both,
)


def test_ranges_are_the_published_ones() -> None:
    assert CT_RANGE.extent == 4095
    windows = [(w.low + w.high) / 2 for w in (CHEST_WINDOW, ABDOMEN_WINDOW)]
    assert windows == [-600, 50]
    assert [w.extent for w in (CHEST_WINDOW, ABDOMEN_WINDOW)] == [1500, 400]


def test_range_clips_and_scales() -> None:
    np.testing.assert_allclose(
        DataRange(-10, 10, "HU").scale(np.array([-99, 0, 5, 99])), [0, 0.5, 0.75, 1]
    )
    np.testing.assert_array_equal(ALL_HU.clip(np.array([-5000, 5000])), [-5000, 5000])


def test_images_are_clipped_in_double_precision() -> None:
    for kind in (np.int16, np.float32, np.float16):
        assert CT_RANGE.clip(np.zeros(3, dtype=kind)).dtype == np.float64


def test_impossible_ranges_are_refused() -> None:
    with pytest.raises(MetricError, match="low < high, got 3 and 3"):
        DataRange(3, 3, "HU")
    with pytest.raises(MetricError, match="a range with two ends"):
        _ = ALL_HU.extent


def test_masks_must_fit_and_hold_something() -> None:
    image = np.zeros((4, 4))
    assert EVERY_VOXEL.inside(image).sum() == 16
    assert left_half((4, 4)).fill(image, 7).sum() == 7 * 8
    with pytest.raises(MetricError, match=r"'left half' has shape \(5, 5\)"):
        left_half((5, 5)).inside(image)
    with pytest.raises(MetricError, match="holds no voxel"):
        Mask("liver", np.zeros((4, 4), bool)).inside(image)


def test_pairs_must_match_and_be_numbers() -> None:
    with pytest.raises(MetricError, match="resample"):
        clipped_pair(np.zeros((4, 4)), np.zeros((4, 5)), UNIT)
    with pytest.raises(MetricError, match="NaN"):
        clipped_pair(np.zeros(3), np.array([0, np.nan, 0]), UNIT)


def test_sets_must_be_images_masked_in_one_way() -> None:
    with pytest.raises(MetricError, match="at least one"):
        ImageSet(np.zeros((4, 4)), EVERY_VOXEL)
    one = images(2)
    other = ImageSet(one.images, left_half(one.images.shape))
    assert mask_of_both(one, one) == "every voxel"
    with pytest.raises(MetricError, match="'every voxel' and 'left half'"):
        mask_of_both(one, other)


def test_record_survives_json_even_where_numbers_are_not_finite() -> None:
    record = Measurement("PSNR", math.inf, "dB", ALL_HU, "body", 5, spread=math.nan)
    found = json.loads(json.dumps(record.to_json(), allow_nan=False))
    assert found == {
        "name": "PSNR",
        "value": None,
        "unit": "dB",
        "data_range": [None, None, "HU"],
        "mask": "body",
        "n": 5,
        "spread": None,
        "settings": {},
    }
