from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from tests.trainers.metrics.samples import UNIT, left_half, textured
from trainers.metrics.measurement import ABDOMEN_WINDOW, EVERY_VOXEL, MetricError
from trainers.metrics.visual_information import vif


def test_equal_images_have_1() -> None:
    image = textured(1)[0]
    assert vif(image, image, UNIT, EVERY_VOXEL).value == pytest.approx(1, abs=1e-6)


def test_noise_and_blur_lose_information_and_contrast_adds_some() -> None:
    real = textured(1, 64)[0]
    noisy = real + np.random.default_rng(0).normal(0, 0.1, real.shape)
    assert vif(real, noisy, UNIT, EVERY_VOXEL).value < 0.7
    assert vif(real, gaussian_filter(real, 2), UNIT, EVERY_VOXEL).value < 0.5
    flat = 0.5 + 0.4 * (real - 0.5)
    assert vif(flat, 0.5 + 1.5 * (flat - 0.5), UNIT, EVERY_VOXEL).value > 1


def test_it_does_not_depend_on_the_unit() -> None:
    real, other = textured(2)
    wanted = vif(real, other, UNIT, EVERY_VOXEL).value
    found = vif(400 * real - 150, 400 * other - 150, ABDOMEN_WINDOW, EVERY_VOXEL).value
    assert found == pytest.approx(wanted, rel=1e-9)


def test_what_lies_outside_the_mask_does_not_count() -> None:
    real, other = textured(2)
    mask = left_half(real.shape)
    spoilt = other.copy()
    spoilt[:, 24:] = 0.9
    assert vif(real, other, UNIT, mask).value == vif(real, spoilt, UNIT, mask).value


def test_volumes_are_the_mean_of_their_slices_and_flat_slices_are_left_out() -> None:
    real, other = textured(3), textured(3, seed=1)
    slices = [vif(a, b, UNIT, EVERY_VOXEL).value for a, b in zip(real, other, strict=True)]
    assert vif(real, other, UNIT, EVERY_VOXEL).value == pytest.approx(np.mean(slices))
    real[0] = 0.5
    found = vif(real, other, UNIT, EVERY_VOXEL).value
    assert found == pytest.approx(np.mean(slices[1:]))


def test_small_images_are_refused() -> None:
    with pytest.raises(MetricError, match="41 pixels"):
        vif(np.zeros((40, 50)), np.zeros((40, 50)), UNIT, EVERY_VOXEL)
