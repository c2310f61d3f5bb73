"""Visual information fidelity in the pixel domain, torchmetrics'."""

from __future__ import annotations

import numpy as np
import torch
from torchmetrics.functional.image import visual_information_fidelity

from trainers.metrics.measurement import (
    Array,
    DataRange,
    Mask,
    Measurement,
    MetricError,
    clipped_pair,
)

SMALLEST_SIDE = 41
GREY_LEVELS = 255.0
"""The range is mapped to 0..255, for which VIF's noise variance of 2 was set."""
NOISE_VARIANCE = 2.0


def vif(real: Array, synthetic: Array, data_range: DataRange, mask: Mask) -> Measurement:
    """VIF of two images, or the mean over the slices of two volumes; 1 when equal.

    Outside the mask both are set to the range's low end: flat regions carry no information and so
    drop out of both sums of the ratio.
    """
    first, second = clipped_pair(real, synthetic, data_range)
    if min(first.shape[-2:]) < SMALLEST_SIDE:
        raise MetricError(
            f"VIF wants {SMALLEST_SIDE} pixels a side, got {first.shape[-2:]}; use larger regions."
        )
    counted = int(mask.inside(first).sum())
    planes = [_grey(mask.fill(image, data_range.low), data_range) for image in (first, second)]
    values = [
        float(visual_information_fidelity(b[None], a[None], sigma_n_sq=NOISE_VARIANCE))
        for a, b in zip(*planes, strict=True)
        if a.std() > 0  # a flat slice has no information to keep
    ]
    return Measurement(
        name="VIF",
        value=float(np.mean(values)) if values else float("nan"),
        unit="1",
        data_range=data_range,
        mask=mask.description,
        n=counted,
        settings={"noise_variance": NOISE_VARIANCE, "grey_levels": GREY_LEVELS, "by_slice": True},
    )


def _grey(image: Array, data_range: DataRange) -> torch.Tensor:
    """Slices (slices, 1, rows, columns) of `image` with the range mapped to 0..255."""
    scaled = torch.from_numpy(data_range.scale(image) * GREY_LEVELS)
    return scaled.reshape(-1, 1, *image.shape[-2:])
