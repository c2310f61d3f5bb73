from __future__ import annotations

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from tests.trainers.metrics.samples import UNIT, left_half, textured
from trainers.metrics.measurement import ABDOMEN_WINDOW, EVERY_VOXEL, Mask, MetricError
from trainers.metrics.similarity import ssim


def test_equal_images_have_1() -> None:
    for image in (textured(1)[0], textured(12, 16)):
        assert ssim(image, image, UNIT, EVERY_VOXEL).value == pytest.approx(1)


def test_without_a_mask_it_is_scikit_images() -> None:
    real, other = textured(2)
    wanted = structural_similarity(real, other, data_range=1)
    assert ssim(real, other, UNIT, EVERY_VOXEL).value == pytest.approx(wanted)


def test_the_window_decides_not_the_offset_of_its_unit() -> None:
    real, other = textured(2)
    wanted = ssim(real, other, UNIT, EVERY_VOXEL).value
    found = ssim(400 * real - 150, 400 * other - 150, ABDOMEN_WINDOW, EVERY_VOXEL)
    assert found.value == pytest.approx(wanted)


def test_only_the_mask_counts() -> None:
    real = textured(1)[0]
    other = real.copy()
    other[:, 30:] = 0.3
    found = ssim(real, other, UNIT, left_half(real.shape))
    assert found.value == pytest.approx(1)
    assert found.n == (48 - 6) * (24 - 3)
    assert ssim(real, other, UNIT, EVERY_VOXEL).value < 0.8


def test_small_images_and_border_masks_are_refused() -> None:
    with pytest.raises(MetricError, match="7 voxels along every axis"):
        ssim(np.zeros((5, 40)), np.zeros((5, 40)), UNIT, EVERY_VOXEL)
    edge = np.zeros((20, 20), bool)
    edge[:, 0] = True
    with pytest.raises(MetricError, match="within 3 voxels"):
        ssim(np.zeros((20, 20)), np.zeros((20, 20)), UNIT, Mask("edge", edge))
