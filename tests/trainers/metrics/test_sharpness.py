from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from tests.trainers.metrics.samples import UNIT, images
from trainers.metrics.measurement import EVERY_VOXEL, ImageSet, MetricError
from trainers.metrics.sharpness import blur


def test_blurring_raises_it_step_by_step() -> None:
    sharp = images(4)
    sets = [
        ImageSet(gaussian_filter(sharp.images, (0, sigma, sigma)), EVERY_VOXEL)
        for sigma in (0.0, 0.7, 1.5, 3.0)
    ]
    values = [blur(one, UNIT).value for one in sets]
    assert values == sorted(values)
    assert 0 <= values[0] < 0.5 < values[-1] <= 1
    assert blur(sharp, UNIT).n == 4


def test_small_images_are_refused() -> None:
    with pytest.raises(MetricError, match="11 pixels"):
        blur(ImageSet(np.zeros((1, 9, 30)), EVERY_VOXEL), UNIT)
