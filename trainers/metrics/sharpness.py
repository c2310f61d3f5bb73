"""Blur without a reference, scikit-image's (Crete et al. 2007)."""

from __future__ import annotations

import numpy as np
from skimage.measure import blur_effect

from trainers.metrics.measurement import DataRange, ImageSet, Measurement, MetricError

WINDOW = 11
"""Side of the blurring filter in pixels, scikit-image's default."""


def blur(images: ImageSet, data_range: DataRange) -> Measurement:
    """How blurred images are: 0 sharp, 1 nothing left to blur; mean and deviation of the set.

    It compares an image with itself blurred once more, so noise counts as sharpness: read it
    beside a noise figure. Outside the mask images are set to the range's low end, whose outline
    counts; use it with masks of simple shape, or none.
    """
    scaled = images.filled(data_range)
    if min(scaled.shape[1:]) < WINDOW:
        raise MetricError(f"{WINDOW} pixels a side are wanted, got {scaled.shape[1:]}.")
    values = [float(blur_effect(image, h_size=WINDOW)) for image in scaled]
    return Measurement(
        name="blur",
        value=float(np.mean(values)),
        unit="1",
        data_range=data_range,
        mask=images.mask.description,
        n=len(values),
        spread=float(np.std(values)),
        settings={"window": WINDOW},
    )
