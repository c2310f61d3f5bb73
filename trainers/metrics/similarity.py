"""Structural similarity, scikit-image's."""

from __future__ import annotations

import numpy as np
from skimage.metrics import structural_similarity

from trainers.metrics.measurement import (
    Array,
    DataRange,
    Mask,
    Measurement,
    MetricError,
    clipped_pair,
)

WINDOW = 7
"""Side of the uniform window in voxels, scikit-image's default."""


def ssim(real: Array, synthetic: Array, data_range: DataRange, mask: Mask) -> Measurement:
    """Mean SSIM of two images or, with three-dimensional windows, of two volumes.

    Values are shifted to start at 0, on which SSIM's brightness term depends. Voxels whose window
    leaves the image do not count, nor do those outside the mask.
    """
    first, second = clipped_pair(real, synthetic, data_range)
    if min(first.shape) < WINDOW:
        raise MetricError(f"SSIM wants {WINDOW} voxels along every axis, got {first.shape}.")
    low, extent = data_range.low, data_range.extent
    _, similarity = structural_similarity(
        first - low, second - low, win_size=WINDOW, data_range=extent, full=True
    )
    whole = np.zeros(first.shape, dtype=bool)
    margin = WINDOW // 2
    whole[(slice(margin, -margin),) * first.ndim] = True
    counted = whole & mask.inside(first)
    if not counted.any():
        raise MetricError(f"The mask {mask.description!r} lies within {margin} voxels of the edge.")
    return Measurement(
        name="SSIM",
        value=float(similarity[counted].mean()),
        unit="1",
        data_range=data_range,
        mask=mask.description,
        n=int(counted.sum()),
        settings={"window": WINDOW, "dimensions": first.ndim, "k1": 0.01, "k2": 0.03},
    )
