from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.metrics import peak_signal_noise_ratio

from tests.trainers.metrics.samples import UNIT, left_half, textured
from trainers.metrics.intensity import mae, psnr, rmse
from trainers.metrics.measurement import (
    ABDOMEN_WINDOW,
    ALL_HU,
    CT_RANGE,
    EVERY_VOXEL,
    DataRange,
    Floats,
    MetricError,
)

VALUES = arrays(np.float64, (5, 6), elements=st.floats(-2000, 4000))


def test_known_errors() -> None:
    real, synthetic = np.zeros((2, 2)), np.array([[3.0, -4.0], [0.0, 5.0]])
    assert mae(real, synthetic, ALL_HU, EVERY_VOXEL).value == 3
    assert rmse(real, synthetic, ALL_HU, EVERY_VOXEL).value == pytest.approx(math.sqrt(12.5))
    found = psnr(real, synthetic, CT_RANGE, EVERY_VOXEL).value
    assert found == pytest.approx(10 * math.log10(4095**2 / 12.5))


def test_records_store_range_mask_unit_and_count() -> None:
    real = np.zeros((3, 4))
    for metric, unit in ((mae, "HU"), (rmse, "HU"), (psnr, "dB")):
        found = metric(real, real + 1, ABDOMEN_WINDOW, left_half((3, 4)))
        assert (found.data_range, found.mask, found.unit, found.n) == (
            ABDOMEN_WINDOW,
            "left half",
            unit,
            6,
        )


def test_only_the_mask_counts() -> None:
    real, mask = np.zeros((3, 4)), left_half((3, 4))
    synthetic = np.array([1.0, 1.0, 500.0, 500.0]) * np.ones((3, 1))
    assert mae(real, synthetic, ALL_HU, mask).value == 1
    assert rmse(real, synthetic, ALL_HU, mask).value == 1


def test_values_beyond_the_window_do_not_count() -> None:
    real, synthetic = np.array([[-900.0, 100.0]]), np.array([[-200.0, 300.0]])
    assert mae(real, synthetic, ABDOMEN_WINDOW, EVERY_VOXEL).value == 75  # (0 + 150) / 2


def test_windowed_psnr_is_that_of_the_scaled_image() -> None:
    real = 600 * textured(1)[0] - 300
    synthetic = real + np.random.default_rng(1).normal(0, 30, real.shape)
    scaled = [ABDOMEN_WINDOW.scale(image) for image in (real, synthetic)]
    wanted = peak_signal_noise_ratio(*scaled, data_range=1)
    assert psnr(real, synthetic, ABDOMEN_WINDOW, EVERY_VOXEL).value == pytest.approx(wanted)


def test_psnr_of_equal_images_is_infinite_and_wants_an_extent() -> None:
    image = np.ones((3, 3))
    assert psnr(image, image, UNIT, EVERY_VOXEL).value == math.inf
    with pytest.raises(MetricError, match="two ends"):
        psnr(image, image + 1, ALL_HU, EVERY_VOXEL)


def test_integer_images_do_not_wrap_around() -> None:
    real, synthetic = np.full((2, 2), 30000, np.int16), np.full((2, 2), -30000, np.int16)
    assert mae(real, synthetic, ALL_HU, EVERY_VOXEL).value == 60000


@given(VALUES, VALUES)
def test_errors_are_symmetric_ordered_and_zero_only_when_equal(real: Floats, other: Floats) -> None:
    first = mae(real, other, CT_RANGE, EVERY_VOXEL).value
    assert first == mae(other, real, CT_RANGE, EVERY_VOXEL).value
    assert 0 <= first <= rmse(real, other, CT_RANGE, EVERY_VOXEL).value + 1e-9 <= 4096
    assert mae(real, real, CT_RANGE, EVERY_VOXEL).value == 0


@given(VALUES, st.floats(-100, 100))
def test_shift_is_the_error(real: Floats, shift: float) -> None:
    free = DataRange(-math.inf, math.inf, "HU")
    assert mae(real, real + shift, free, EVERY_VOXEL).value == pytest.approx(abs(shift), abs=1e-9)
